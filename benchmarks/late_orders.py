"""The demo's plan with every purchase order weeks late beside the plan on time.

The later suppliers deliver, the more has to be ordered, and the plan has to say so: what no order
can save any more, and which deliveries are overdue or come too late.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.candidates import write_baselines
from invopt.config import Config, load_config
from invopt.contracts import StockRecords
from invopt.features import derived_channels, own_channels
from invopt.inventory.decision import ReviewRules
from invopt.inventory.review import Review, plan_review
from invopt.panel import Panel, iter_panels
from invopt.runtime import load_forecaster
from invopt.sources import load_mapping, read_dataset, read_position
from invopt.sources.terms import read_terms
from invopt.steps.prepare import clean_partitions
from invopt.synthetic import make_retailer, write_retailer

_ROOT = Path(__file__).resolve().parent.parent
_CONFIG = _ROOT / "pipelines" / "configs" / "demo.yaml"
_DAYS = 730
_BASELINE = "average with calendar factors"
WORDS = (
    "stockout_now", "stockout_before_arrival", "stockout_likely", "delivery_overdue",
    "delivery_too_late",
)  # fmt: skip


def main(rest: list[str]) -> None:
    """Plan the demo with purchase orders as they are due, and late, and print both."""
    parser = argparse.ArgumentParser(prog="invopt bench late-orders")
    parser.add_argument("--days", type=int, nargs="+", default=[21], help="how late; 21")
    parser.add_argument("--products", type=int, default=50)
    parser.add_argument("--stores", type=int, default=10)
    parser.add_argument(
        "--model", type=Path, help="folder of a trained model; by default the baseline "
        f"{_BASELINE!r} is fitted on the demo data",
    )  # fmt: skip
    parsed = parser.parse_args(rest)
    config = load_config(_CONFIG)
    with tempfile.TemporaryDirectory(prefix="invopt-late-") as scratch:
        folder = Path(scratch)
        write_retailer(make_retailer(parsed.products, parsed.stores, _DAYS, 0), folder / "data")
        panel = read_demo(folder, config)
        model = parsed.model or baseline(folder, panel, config)
        columns = {}
        for days in (0, *parsed.days):
            name = "on time" if not days else f"{days} days late"
            columns[name] = told(planned(folder, panel, model, config, days))
    print(table(columns))


def read_demo(folder: Path, config: Config) -> Panel:
    """Return the demo's panel, cleaned, with derived channels; a folder of its data is read."""
    mapping = load_mapping(_CONFIG.parent / config.data.mapping)
    read_dataset(mapping, folder / "data", folder / "snapshot")
    clean_partitions(
        folder / "snapshot", config.cleaning, str(folder / "cleaned"),
        str(folder / "counts.json"), lambda _: None,
    )  # fmt: skip
    [panel] = iter_panels(folder / "cleaned")
    features = config.features
    return panel.with_channels(
        [*derived_channels([panel], features), *own_channels(panel, features)]
    )


def baseline(folder: Path, panel: Panel, config: Config) -> Path:
    """Return the folder of a baseline that is fitted on all periods."""
    found = write_baselines(
        panel, config, panel.num_periods, folder / "baselines", names=[_BASELINE]
    )
    return found[_BASELINE]


def planned(folder: Path, panel: Panel, model: Path, config: Config, days: int) -> Review:
    """Return the review with every open purchase order so many days later."""
    position, open_orders = read_position(folder / "snapshot")
    assert open_orders is not None
    forecaster = load_forecaster(model)
    late = open_orders.assign(due_in=open_orders["due_in"] + days)
    is_count = forecaster.spec.is_count
    rules = ReviewRules(config=config.inventory, model_version="demo", is_count=is_count)
    tables = read_terms(folder / "snapshot")
    return plan_review(
        panel, forecaster.predict(panel), StockRecords(position, late), tables, rules
    )


def told(review: Review) -> dict[str, float]:
    """Return what a plan orders and what it says of itself."""
    orders = review.orders
    quantity = np.nan_to_num(orders["order_quantity"].to_numpy(float))
    words = orders["exception"].str.split(";")
    counts = {word: float(words.map(lambda own, w=word: w in own).sum()) for word in WORDS}
    return {
        "series ordered": float((quantity > 0).sum()),
        "units ordered": float(quantity.sum()),
        "order value": float(np.nansum(orders["order_value"])),
        "units missed before an order can arrive": orders["unavoidable_stockout_units"].sum(),
        "money missed before an order can arrive": orders["unavoidable_stockout_cost"].sum(),
        "expected stock-out cost of the orders": orders["expected_stockout_cost"].sum(),
        "expected holding cost of the orders": orders["expected_holding_cost"].sum(),
    } | counts


def table(columns: dict[str, dict[str, float]]) -> str:
    """Return the plans side by side as a Markdown table."""
    frame = pd.DataFrame(columns)
    lines = [f"| | {' | '.join(columns)} |", "|---|" + "---|" * frame.shape[1]]
    for name, row in zip(frame.index, frame.to_numpy(), strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{value:,.0f}" for value in row) + " |")
    return "\n".join(lines)
