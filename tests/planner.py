"""A small review with hostile names, as files: what tests of the planner's page open."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from invopt.files import write_csv, write_json
from invopt.inventory.outcomes import MEANS
from invopt.panel import Panel
from invopt.report.plan import PlanFiles, write_plan_page
from invopt.report.workbook import write_workbook
from invopt.steps.replenish import ReviewFiles, plan_all_orders
from serving.settings import Settings
from serving.stores.order_plans import keep_review, past_reviews
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


def make_review(
    folder: Path, num_series: int = 60, *, network: bool = False, named: str = "Product {} {}"
) -> Path:
    """Write a review and the pages about it; the series at row 4 has no stock record.

    In a network a warehouse supplies every place, and a mill the warehouse.
    """
    rng = np.random.default_rng(1)
    panel = make_panel(num_series=num_series, num_periods=120)
    names = [named.format(i, w) for i, w in enumerate(rng.choice(["jam", *HOSTILE], num_series))]
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
    if network:
        position = pd.concat([position, _write_network(folder, panel)], ignore_index=True)
    position.drop(index=4).to_parquet(folder / "snapshot" / "position.parquet", index=False)
    under_way = pd.DataFrame(
        {"unique_id": ids, "due_in": rng.integers(-1, 20, num_series), "quantity": 12.0}
    )
    under_way.to_parquet(folder / "snapshot" / "open_orders.parquet", index=False)
    out = {n: str(folder / f"{n}.csv") for n in ("orders", "purchase_orders", "exceptions")}
    plan_all_orders(review_files(folder), CONFIG.inventory, "m-1", out, lambda _: None)
    last = pd.read_csv(out["orders"]).assign(review_date="2024-04-22")
    for name in ("on_hand", "order_quantity", "expected_demand"):
        last[name] = (last[name] * rng.uniform(0.5, 1.5, len(last))).round()
    write_csv(folder / "last.csv", last)
    _write_past(folder, panel, last)
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


def _write_network(folder: Path, panel: Panel) -> pd.DataFrame:
    """Write lanes and the warehouse's items, and return its stock: too little for all."""
    places = sorted(set(panel.series["location"]))
    lanes = pd.DataFrame(
        {"source": ["DC"] * len(places) + ["Mill"], "location": [*places, "DC"],
         "lead_time": [2.0] * len(places) + [7.0]}
    )  # fmt: skip
    near = pd.DataFrame(
        {"source": [places[0]], "location": [places[1]], "lead_time": [1.0], "cost": [0.01],
         "kind": ["transfer"]}
    )  # fmt: skip
    pd.concat([lanes, near]).to_parquet(folder / "snapshot" / "lanes.parquet", index=False)
    products = sorted(set(panel.series["product"]))
    nodes = pd.DataFrame(
        {"unique_id": [f"{p}_DC" for p in products], "product": products, "location": "DC"}
    )
    nodes.to_parquet(folder / "snapshot" / "nodes.parquet", index=False)
    return pd.DataFrame({"unique_id": nodes["unique_id"], "on_hand": 40.0})


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
        folder / "snapshot", folder / "last.csv", past=past_reviews(folder, "past", "2024-04-29"),
    )  # fmt: skip


def _write_past(folder: Path, panel: Panel, last: pd.DataFrame) -> None:
    """Write the reviews of three, four and five weeks ago, with the means they rested on."""
    (folder / "past").mkdir()
    for weeks in (3, 4, 5):
        seen = panel.num_periods - 1 - 7 * weeks
        date = f"{panel.timeline.date(seen):%Y-%m-%d}"
        write_csv(folder / "past" / f"{date}.csv", last.assign(review_date=date))
        mean = panel.y[:, seen - 27 : seen + 1].mean(axis=1, keepdims=True)
        np.savez(
            folder / "past" / f"{date}.{MEANS}", unique_id=panel.unique_ids.astype(str),
            mean=np.repeat(mean, 14, axis=1),
        )  # fmt: skip


def make_workspace(workspace: Path, review: Path) -> Settings:
    """Put a review that make_review wrote into a workspace, as a run leaves it."""
    settings = Settings.of(workspace)
    shutil.copytree(review / "snapshot", settings.snapshots / "snap")
    keep(settings, review, "2024-04-29")
    return settings


def keep(settings: Settings, review: Path, date: str) -> None:
    """Keep a review under a date."""
    names = ("plan.html", "orders.csv", "purchase_orders.csv", "exceptions.csv", "derived",
             "forecast")  # fmt: skip
    files = {name: review / name for name in names}
    keep_review(settings.plans, CONFIG, date, "snap", files, None)
