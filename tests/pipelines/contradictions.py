"""A planner's tables with a contradiction in each, beside the demo's sound rows."""

import shutil
from pathlib import Path

import pandas as pd
import yaml

from tests.builders import CONFIGS

# What is wrong with each of the first products, by series, and what its reason must say.
PRODUCTS = {
    "both promises": "service_level and fill_rate are both given, and only one can be met",
    "minimum over maximum": "min_order is above max_order",
    "itself": "successor_of names the product itself",
    "circle": "successor_of goes in a circle",
}
# Rows set aside, by table: what is wrong with them.
ROWS = {
    "overrides": ("its scope names no series", 1),
    "open_orders": ("due is empty or cannot be read", 2),
    "suppliers": ("the supplier has no lead time", 1),
}


def contradict(source: Path, out: Path) -> tuple[Path, dict[str, list[str]]]:
    """Write data with contradictions and a configuration for them.

    Args:
        source: The demo's files.
        out: Folder to make.

    Returns:
        The configuration, and the series of each kind of PRODUCTS.
    """
    data = out / "data"
    shutil.copytree(source, data)
    products = pd.read_csv(data / "products.csv", dtype={"unique_id": str, "product": str})
    found = _products(products)
    products.to_csv(data / "products.csv", index=False)
    named = {name for names in found.values() for name in names}
    sound = [u for u in products["unique_id"] if u not in named]
    arrivals = pd.read_csv(data / "open_orders.csv")
    bad = pd.DataFrame({"unique_id": sound[:2], "due": ["", "someday"], "quantity": [40, 50]})
    pd.concat([arrivals, bad]).to_csv(data / "open_orders.csv", index=False)
    (data / "suppliers.csv").write_text("supplier,lead_time\nquick,2\nslow,\n")
    (data / "overrides.csv").write_text(
        f"scope,kind,value,who\nP999_S99,factor,3,anna\n{sound[2]},factor,1.5,anna\n"
    )
    mapping = yaml.safe_load((CONFIGS / "datasets" / "demo.yaml").read_text())
    mapping["sources"] |= {"suppliers": "suppliers.csv", "overrides": "overrides.csv"}
    mapping["products"]["columns"] |= {
        n: n for n in ("service_level", "fill_rate", "max_order", "successor_of", "supplier")
    }
    mapping["suppliers"] = {
        "from": "suppliers", "columns": {"supplier": "supplier", "lead_time": "lead_time"}
    }  # fmt: skip
    mapping["overrides"] = {
        "from": "overrides",
        "columns": {"scope": "scope", "kind": "kind", "value": "value", "who": "who"},
    }
    (out / "mapping.yaml").write_text(yaml.safe_dump(mapping, sort_keys=False))
    config = yaml.safe_load((CONFIGS / "smoke.yaml").read_text())
    config["data"]["mapping"] = str(out / "mapping.yaml")
    (out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return out / "config.yaml", found


def _products(products: pd.DataFrame) -> dict[str, list[str]]:
    """Put a contradiction into each of some products, in place; returns their series by kind."""
    names = list(dict.fromkeys(products["product"]))
    both, low, own, first, second = names[:5]
    empty = {"service_level": None, "fill_rate": None, "max_order": None, "successor_of": ""}
    for column, value in empty.items():
        products[column] = value
    products["supplier"] = ["quick" if n % 2 else "slow" for n in range(len(products))]
    is_ = products["product"]
    products.loc[is_ == both, ["service_level", "fill_rate"]] = [0.95, 0.98]
    products.loc[is_ == low, ["min_order", "max_order"]] = [50.0, 10.0]
    products.loc[is_ == own, "successor_of"] = own
    products.loc[is_ == first, "successor_of"] = second
    products.loc[is_ == second, "successor_of"] = first
    groups = dict(zip(PRODUCTS, ([both], [low], [own], [first, second]), strict=True))
    return {
        kind: products.loc[is_.isin(group), "unique_id"].tolist() for kind, group in groups.items()
    }
