"""A planner's tables with a contradiction in each, beside the demo's sound rows: read, planned."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from invopt.config import load_config
from invopt.inventory.review import Review
from invopt.sources import load_mapping, read_dataset
from invopt.synthetic import make_retailer, write_retailer
from tests.builders import CONFIGS

pytestmark = pytest.mark.slow

# What is wrong with each of the first products, by series, and what its reason must say.
PRODUCTS = {
    "both promises": "service_level and fill_rate are both given, and only one can be met",
    "minimum over maximum": "min_order is above max_order",
    "itself": "successor_of names the product itself",
    "circle": "successor_of goes in a circle",
}
# Rows set aside, by table: what is wrong with them.
ROWS = {
    "overrides": {"its scope names no series": 1},
    "open_orders": {"ds is empty": 1, "ds is not a date": 1},
    "suppliers": {"the supplier has no lead time": 1},
}


def contradict(out: Path) -> tuple[Path, dict[str, list[str]]]:
    """Put contradictions into the demo's files.

    Args:
        out: Folder whose `data` they are.

    Returns:
        A mapping for them, and the series of each kind of PRODUCTS.
    """
    data = out / "data"
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
    return out / "mapping.yaml", found


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


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """The review of such data, the series by contradiction, and what was set aside by table."""
    from benchmarks.late_orders import _CONFIG, baseline, planned, read_demo

    folder = tmp_path_factory.mktemp("contradictions")
    write_retailer(make_retailer(12, 3, 200, 0), folder / "data")
    mapping, found = contradict(folder)
    config = load_config(_CONFIG, [f"data.mapping={mapping}"])
    panel = read_demo(folder, config)
    review = planned(folder, panel, baseline(folder, panel, config), config, 0)
    report = read_dataset(load_mapping(mapping), folder / "data", folder / "again")
    return review, found, {a.table: dict(a.quarantined) for a in report.accounting}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_a_product_whose_terms_contradict_each_other_is_not_ordered_and_says_why(reviewed, kind):
    review, found, _ = reviewed
    rows = _rows(review, found[kind])
    assert len(rows) >= 2
    assert rows["order_quantity"].isna().all()
    assert rows["exception"].str.contains("data_fault").all()
    assert rows["reason"].str.contains(PRODUCTS[kind], regex=False).all()


def test_all_others_are_planned_as_usual(reviewed):
    review, found, _ = reviewed
    faulty = [unique_id for ids in found.values() for unique_id in ids]
    rest = review.orders[~review.orders["unique_id"].isin(faulty)]
    assert len(rest) == 36 - len(faulty) == 21
    assert rest["order_quantity"].notna().all()
    assert not rest["exception"].str.contains("data_fault").any()


def test_rows_that_cannot_be_are_set_aside_and_counted(reviewed):
    *_, quarantined = reviewed
    assert {table: quarantined[table] for table in ROWS} == ROWS


def _rows(review: Review, ids: list[str]) -> pd.DataFrame:
    return review.orders[review.orders["unique_id"].isin(ids)]
