"""The page of a review: what is ordered, what service costs, where the money goes."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import Config, InventoryConfig
from invopt.files import read_csv, read_json
from invopt.inventory.costs import last_prices, terms_of
from invopt.inventory.whatif import Outlook, frontier, marginal_costs, outlook, with_lead_time
from invopt.panel import Panel, iter_panels
from invopt.report import plots, stock_plots
from invopt.report.page import drawing, render, write_page
from invopt.types import Notify

NUM_SERIES, NUM_ROWS, NUM_CATEGORIES, HISTORY = 8, 15, 12, 60
_CHANGES = (-1, 0, 1)


def write_replenishment_report(
    source: str, forecast: str, orders: str, config: Config, out: str, notify: Notify
) -> None:
    """Write the page.

    Args:
        source: Panel up to the review.
        forecast: Of its series.
        orders: The OrderPlan as CSV.
        config: The whole configuration.
        out: File to write.
        notify: Called with a line of progress.
    """
    with drawing(out, f"{config.name}: replenishment", notify):
        page = _page(source, forecast, orders, config)
        write_page(out, page)
        notify(f"report written: {out} ({len(page) / 1e6:.1f} MB)")


def _page(source: str, forecast: str, orders: str, run: Config) -> str:
    head = read_json(Path(forecast) / "forecast.json")
    quantiles = tuple(head["level_quantiles"])
    plan = read_csv(orders, dtype={"unique_id": str})
    plan = plan.set_index("unique_id")
    plan["exception"] = plan["exception"].fillna("")
    now, scenarios, curve, categories = _outlooks(Path(source), Path(forecast), quantiles, run)
    plan["category"] = categories
    return render(
        "replenishment.html.j2",
        title=f"{run.name}: replenishment",
        review_date=plan["review_date"].iloc[0],
        num_series=len(plan),
        ordered=plan[plan["order_quantity"] > 0],
        currency=run.currency,
        without=int(plan["order_quantity"].isna().sum()),
        holding=plan["expected_holding_cost"].sum(),
        stockout=plan["expected_stockout_cost"].sum(),
        now=now,
        margins=marginal_costs(curve),
        scenarios=scenarios,
        segments=_segments(plan),
        exceptions=_exceptions(plan),
        largest=_largest(plan),
        footer="invopt",
        plots={
            "frontier": stock_plots.frontier(curve, now, run.currency),
            "categories": plots.money(
                _by_category(plan), "Expected cost of these orders by category"
            ),
            "levels": stock_plots.levels(*_examples(Path(source), plan, run.inventory)),
        },
    )


def _outlooks(
    source: Path, forecast: Path, quantiles: tuple[float, ...], run: Config
) -> tuple[Outlook, dict[str, Outlook], list[Outlook], npt.NDArray[np.object_]]:
    """Return today's outlook, those of other lead times, the frontier, each series' category."""
    none = Outlook(0, 0, 0, 0, 0)
    scenarios: dict[str, Outlook] = {}
    curve = [none] * len(quantiles)
    categories = []
    for number, panel in enumerate(iter_panels(source)):
        with np.load(forecast / f"part-{number:04d}.npz", allow_pickle=False) as arrays:
            mean, levels = arrays["mean"], arrays["smooth_levels"]
        terms = terms_of(panel.series, last_prices(panel), run.inventory)
        reached = terms.protection_interval <= mean.shape[1]
        mean, levels, terms = mean[reached], levels[reached], terms.select(reached)
        for change in _CHANGES:
            changed = with_lead_time(terms, change)
            if changed.protection_interval.max(initial=0) > mean.shape[1]:
                continue
            name = f"lead time {change:+d}" if change else "as it is"
            found = outlook(mean, levels, quantiles, changed)
            scenarios[name] = scenarios.get(name, none) + found
        points = frontier(mean, levels, quantiles, terms)
        curve = [a + b for a, b in zip(curve, points, strict=True)]
        known = "category" in panel.series
        categories.append(
            panel.series["category"].astype(str).to_numpy(object)
            if known
            else np.full(panel.num_series, "all", object)
        )
    return scenarios["as it is"], scenarios, curve, np.concatenate(categories)


def _by_category(plan: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Return expected costs of the most expensive categories, the others together."""
    columns = ["expected_holding_cost", "expected_stockout_cost"]
    sums = plan.groupby("category")[columns].sum()
    sums = sums.loc[sums.sum(axis=1).sort_values(ascending=False).index]
    if len(sums) > NUM_CATEGORIES:
        rest = sums.iloc[NUM_CATEGORIES:].sum().rename(f"{len(sums) - NUM_CATEGORIES} others")
        sums = pd.concat([sums.iloc[:NUM_CATEGORIES], rest.to_frame().T])
    return {
        str(name): {"money": {"holding_cost": float(row[0]), "stockout_cost": float(row[1])}}
        for name, row in zip(sums.index, sums.to_numpy(), strict=True)
    }


def _segments(plan: pd.DataFrame) -> pd.DataFrame:
    sums = plan.groupby("segment").agg(
        series=("reason", "size"),
        ordered=("order_quantity", "sum"),
        holding=("expected_holding_cost", "sum"),
        stockout=("expected_stockout_cost", "sum"),
    )
    return sums.reset_index()


def _exceptions(plan: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many series each exception concerns, with an example, most frequent first."""
    flagged = plan["exception"][plan["exception"] != ""].str.split(";").explode()
    return [
        {
            "exception": name.replace("_", " "),
            "count": len(rows),
            "examples": ", ".join(rows.index[:5]),
        }
        for name, rows in sorted(flagged.groupby(flagged), key=lambda item: -len(item[1]))
    ]


def _largest(plan: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the orders with most money at risk: what they save against ordering nothing."""
    rows = plan.sort_values("money_at_risk", ascending=False, na_position="last")
    return rows.head(NUM_ROWS).reset_index().to_dict("records")


def _examples(
    source: Path, plan: pd.DataFrame, config: InventoryConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return recent demand of a few series, best sellers to slow ones, with their plan."""
    panel = next(iter_panels(source))
    first = max(0, panel.num_periods - HISTORY)
    volume = np.nan_to_num(panel.demand()[:, first:]).sum(axis=1)
    order = np.argsort(-volume, kind="stable")
    picks = order[np.linspace(0, 0.9 * (len(order) - 1), min(NUM_SERIES, len(order))).astype(int)]
    intervals = terms_of(panel.series, last_prices(panel), config).protection_interval
    rows = dict.fromkeys(picks.tolist())
    parts = [_example(panel, row, int(intervals[row]), first) for row in rows]
    return pd.concat(parts, ignore_index=True), plan


def _example(panel: Panel, row: int, interval: int, first: int) -> pd.DataFrame:
    demand = pd.Series(panel.demand()[row])
    return pd.DataFrame(
        {
            "unique_id": panel.unique_ids[row],
            "ds": panel.timeline.dates(first, panel.num_periods),
            "y": demand.to_numpy()[first:],
            "interval": demand.rolling(interval).sum().to_numpy()[first:],
        }
    )
