"""A small review with hostile names, as files: what tests of the planner's page open."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from invopt.files import write_csv, write_json
from invopt.report import PlanFiles, write_plan_page, write_workbook
from invopt.steps.replenish import ReviewFiles, plan_all_orders
from tests.builders import make_config, make_panel

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
HOSTILE = (
    "</script><script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "=HYPERLINK(1)",
)
SUPPLIERS = ("Alder & Co", "Birch", *HOSTILE)
CONFIG = make_config(
    inventory={
        "lead_time": 4, "review_period": 7, "holding_cost": 0.02, "stockout_cost": 1.0,
        "currency": "EUR", "num_paths": 20,
    }
)  # fmt: skip


def make_review(folder: Path, num_series: int = 60) -> Path:
    """Write a review and the pages about it; the series at row 4 has no stock record."""
    rng = np.random.default_rng(1)
    panel = make_panel(num_series=num_series, num_periods=120)
    names = [f"Product {i} {w}" for i, w in enumerate(rng.choice(["jam", *HOSTILE], num_series))]
    series = panel.series.assign(
        supplier=rng.choice(SUPPLIERS, num_series),
        product_name=names,
        pack_size=rng.choice([1.0, 6.0], num_series),
        lead_time=rng.choice([2.0, 4.0], num_series),
    )
    replace(panel, series=series).save(folder / "derived" / "part-0000")
    mean = np.repeat(panel.y[:, -28:].mean(axis=1, keepdims=True), 14, axis=1).astype(np.float32)
    knots = norm.ppf(np.array(LEVELS))
    total = mean.cumsum(axis=1)
    (folder / "forecast").mkdir()
    np.savez(
        folder / "forecast" / "part-0000.npz",
        mean=mean,
        smooth_quantiles=np.maximum(mean[:, :, None] + np.sqrt(mean)[:, :, None] * knots, 0),
        smooth_levels=np.maximum(total[:, :, None] + np.sqrt(total)[:, :, None] * knots, 0),
    )
    head = {"quantile_levels": LEVELS, "level_quantiles": LEVELS, "is_count": True}
    write_json(folder / "forecast" / "forecast.json", head)
    ids = panel.unique_ids.astype(str)
    (folder / "snapshot").mkdir()
    stock = rng.poisson(mean[:, :9].sum(axis=1) * rng.choice([0, 0.3, 1, 2], num_series))
    position = pd.DataFrame({"unique_id": ids, "on_hand": stock.astype(float)})
    position.drop(index=4).to_parquet(folder / "snapshot" / "position.parquet", index=False)
    under_way = pd.DataFrame(
        {"unique_id": ids, "due_in": rng.integers(-1, 20, num_series), "quantity": 12.0}
    )
    under_way.to_parquet(folder / "snapshot" / "open_orders.parquet", index=False)
    out = {n: str(folder / f"{n}.csv") for n in ("orders", "purchase_orders", "exceptions")}
    plan_all_orders(review_files(folder), CONFIG.inventory, "m-1", out, lambda _: None)
    last = pd.read_csv(out["orders"]).assign(review_date="2024-04-22")
    for name in ("on_hand", "order_quantity", "expected_demand"):
        last[name] = (last[name] * rng.uniform(0.5, 1.5, num_series)).round()
    write_csv(folder / "last.csv", last)
    write_plan_page(plan_files(folder), CONFIG, str(folder / "plan.html"), lambda _: None)
    write_workbook(
        out["orders"],
        out["purchase_orders"],
        out["exceptions"],
        CONFIG.inventory.currency,
        folder / "orders.xlsx",
        print,
    )
    return folder


def review_files(folder: Path, overrides: pd.DataFrame | None = None) -> ReviewFiles:
    """Return what a review of make_review looks at."""
    return ReviewFiles(
        source=folder / "derived", forecast=folder / "forecast", snapshot=folder / "snapshot",
        overrides=overrides,
    )  # fmt: skip


def plan_files(folder: Path) -> PlanFiles:
    """Return the files of a review that make_review wrote."""
    return PlanFiles(
        folder / "derived", folder / "forecast", folder / "orders.csv", folder / "exceptions.csv",
        folder / "snapshot", folder / "last.csv",
    )  # fmt: skip
