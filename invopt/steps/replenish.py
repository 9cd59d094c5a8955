"""From a panel to orders: forecast every series, plan every order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from invopt.config import InventoryConfig
from invopt.contracts import TermsTables
from invopt.files import read_csv, read_json, replacing_folder, write_csv, write_json
from invopt.forecasts import ForecastArrays, forecast_frame, read_forecast
from invopt.inventory import segments_of
from invopt.inventory.ahead import lone_successors
from invopt.inventory.decision import ReviewRules
from invopt.inventory.exceptions import recent_sales
from invopt.inventory.network import NETWORK_COLUMNS, NetworkReview
from invopt.inventory.planning import as_csv
from invopt.inventory.review import Review, plan_review
from invopt.inventory.segments import SalesStatistics
from invopt.model_files import label_of
from invopt.panel import Panel, iter_panels
from invopt.runtime import NETWORK, load_forecaster
from invopt.sources import read_position
from invopt.sources.terms import read_terms
from invopt.types import Json, Notify


def forecast_series(model: Path, source: str, out: str, notify: Notify) -> None:
    """Forecast every series from its last period; write arrays and the Forecast table."""
    forecaster = load_forecaster(model)
    frames, done = [], 0
    with replacing_folder(Path(out)) as folder:
        for number, panel in enumerate(iter_panels(Path(source))):
            forecast = forecaster.predict(panel)
            np.savez(
                folder / f"part-{number:04d}.npz",
                mean=forecast.mean,
                smooth_quantiles=forecast.smooth_quantiles,
                smooth_levels=forecast.smooth_levels,
            )
            if len(forecaster.labels) > 1:
                np.save(folder / _makers(number), forecaster.made_by(panel).astype(np.int16))
            frames.append(forecast_frame(panel, panel.num_periods - 1, forecast))
            done += panel.num_series
            notify(f"forecast {done:,} series")
        pd.concat(frames, ignore_index=True).to_parquet(folder / "forecast.parquet", index=False)
        head = {
            "quantile_levels": forecaster.config.quantile_levels,
            "level_quantiles": forecaster.config.level_quantiles,
            "is_count": forecaster.spec.is_count,
            "model": label_of(model) or NETWORK,
        }
        several = {"makers": forecaster.labels} if len(forecaster.labels) > 1 else {}
        write_json(folder / "forecast.json", head | several)


def _makers(number: int) -> str:
    """Return the file of who forecast each series of a partition, for a model of parts."""
    return f"makers-{number:04d}.npy"


def _models(folder: Path, number: int, head: Json, panel: Panel) -> "pd.Series[str]":
    """Return who forecast each series of a partition by unique_id; empty where one forecast all."""
    if len(head.get("makers", ())) < 2:
        return pd.Series([], dtype=object)
    labels = np.array(head["makers"], object)
    made_by = np.load(folder / _makers(number), allow_pickle=False)
    return pd.Series(labels[made_by], index=panel.unique_ids)


def review_date(source: str) -> str:
    """Return the last period of a panel, YYYY-MM-DD: the date of the review that sees it."""
    return f"{next(iter_panels(Path(source))).timeline.last:%Y-%m-%d}"


@dataclass(frozen=True, kw_only=True)
class ReviewFiles:
    """What a review looks at.

    Attributes:
        source: Panel with derived channels; its last period is the review date.
        forecast: Of its series, from its last period.
        snapshot: Holds the stock position, the open orders and the tables of planning.
        last: Plan of the review before, None for a first one.
        overrides: What planners said on their page, beside those of the data; None for none.
    """

    source: Path
    forecast: Path
    snapshot: Path
    last: Path | None = None
    overrides: pd.DataFrame | None = None


class Assuming(Protocol):
    """What changes the parts of a review before they are planned."""

    def of_part(
        self, panel: Panel, forecast: ForecastArrays, tables: TermsTables
    ) -> tuple[Panel, ForecastArrays, TermsTables]:
        """Return a part as it is to be planned; a panel without series is left out."""


def plan_all_orders(
    files: ReviewFiles,
    config: InventoryConfig,
    model_version: str,
    out: dict[str, str],
    notify: Notify,
) -> None:
    """Write one order row per series, the purchase orders and the exceptions, each as CSV.

    Args:
        files: What is looked at.
        config: Costs and rules.
        model_version: Put on every row.
        out: Files to write: orders, purchase_orders, exceptions.
        notify: Called with what came out.
    """
    frames, is_count = planned(files, config, model_version, notify)
    write = {**frames, "orders": as_csv(frames["orders"], is_count=is_count)}
    for name, frame in write.items():
        write_csv(out[name], frame)
    notify(_summary(frames["orders"]))


def planned(
    files: ReviewFiles,
    config: InventoryConfig,
    model_version: str,
    notify: Notify,
    assumed: "Assuming | None" = None,
) -> tuple[dict[str, pd.DataFrame], bool]:
    """Return orders, purchase_orders and exceptions of a review, and whether units are whole.

    Args:
        files: What is looked at.
        config: Costs and rules.
        model_version: Put on every row.
        notify: Called with what holds of a part only.
        assumed: Changes what is known before it is planned with; None for things as they stand.
    """
    head = read_json(files.forecast / "forecast.json")
    recorded = read_position(files.snapshot)
    tables = read_terms(files.snapshot).with_overrides(files.overrides)
    rules = ReviewRules(
        config=config,
        model_version=model_version,
        is_count=bool(head["is_count"]),
        last_levels=_last_levels(files.last, notify),
    )
    network = NetworkReview(tables, recorded, rules) if tables.lanes is not None else None
    reviews, statistics, alone, models = [], [], 0, []
    for number, panel in enumerate(iter_panels(files.source)):
        alone += lone_successors(panel.series)
        made = read_forecast(files.forecast, number, head)
        models.append(_models(files.forecast, number, head, panel))
        own = tables
        if assumed is not None:
            panel, made, own = assumed.of_part(panel, made, tables)
            if not panel.num_series:
                continue
        reviews.append(
            network.plan(panel, made) if network else plan_review(panel, made, recorded, own, rules)
        )
        statistics.append(recent_sales(panel))
    segments = _segments(reviews, statistics)
    if network is not None:
        reviews = network.settled(reviews)
    plan = _order_plan(reviews, segments, pd.concat(models), head.get("model", ""))
    for sentence in _partly(len(statistics), alone, tables):
        notify(sentence)
    found = {
        "orders": plan,
        "purchase_orders": pd.concat([r.purchase_orders for r in reviews], ignore_index=True),
        "exceptions": pd.concat([r.exceptions for r in reviews], ignore_index=True),
    }
    return found, rules.is_count


def _order_plan(
    reviews: Sequence[Review], segments: "pd.Series[str]", models: "pd.Series[str]", model: str
) -> pd.DataFrame:
    """Return the orders of all reviews, with model and segment; a network's columns are last.

    Args:
        reviews: Of all partitions.
        segments: By unique_id.
        models: Who forecast a series, by unique_id, where not all are the main model's.
        model: The main model.
    """
    plan = pd.concat([r.orders for r in reviews], ignore_index=True)
    plan["model"] = models.reindex(plan["unique_id"]).fillna(model).to_numpy(object)
    plan["segment"] = segments.reindex(plan["unique_id"]).fillna("").to_numpy(object)
    last = [c for c in NETWORK_COLUMNS if c in plan]
    return plan[[c for c in plan if c not in last] + last]


def _segments(reviews: Sequence[Review], statistics: Sequence[SalesStatistics]) -> "pd.Series[str]":
    """Return the segment of each series by unique_id: its value and how steadily it sells."""
    prices = np.concatenate([r.stockout_cost for r in reviews])
    ids = np.concatenate([r.orders["unique_id"] for r in reviews])
    return pd.Series(segments_of(SalesStatistics.concatenate(statistics), prices), index=ids)


def _partly(num_partitions: int, alone: int, tables: TermsTables) -> list[str]:
    """Return what holds within a partition of series only, and not over all of them."""
    if num_partitions == 1:
        return []
    found = []
    if alone:
        found.append(f"{alone:,} successors have no predecessor in their partition of series, and "
                     "are planned by their own sales")  # fmt: skip
    limits = [c for c in ("min_value", "min_units", "budget", "order_cost")
              if tables.suppliers is not None and tables.suppliers.get(c) is not None]  # fmt: skip
    if limits:
        found.append(f"{', '.join(limits)} of suppliers hold within each of the {num_partitions} "
                     "partitions of series, not over all of them")  # fmt: skip
    return found


def _last_levels(plan: Path | None, notify: Notify) -> "pd.Series[float] | None":
    """Return the order-up-to level of each series in a plan; None where it cannot be read."""
    if plan is None:
        return None
    columns = ["unique_id", "order_up_to_level"]
    try:
        found = read_csv(plan, usecols=columns, dtype={"unique_id": str})
        return found.set_index("unique_id")["order_up_to_level"].astype(float)
    except (OSError, ValueError) as err:  # pandas' own errors are kinds of ValueError
        notify(f"{plan} cannot be read ({err}): planned as where there was no review before")
        return None


def _summary(plan: pd.DataFrame) -> str:
    ordered = plan["order_quantity"].fillna(0)
    unknown = int(plan["order_quantity"].isna().sum())
    flagged = int((plan["exception"] != "").sum())
    return (
        f"{int((ordered > 0).sum()):,} orders for {ordered.sum():,.0f} units"
        + (f"; {unknown:,} series without an order (see reason)" if unknown else "")
        + (f"; {flagged:,} exceptions to review" if flagged else "")
    )
