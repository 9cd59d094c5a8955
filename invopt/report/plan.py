"""The planner's page: every order, what is wrong, and what each rests on, in one file.

The tables travel as packed columns (invopt.report.packed); the program that shows them is bundled
from report/web by `npm run build` and kept in report/assets.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from invopt.config import Config
from invopt.files import plain, read_csv, read_json
from invopt.forecasts import read_forecast, units
from invopt.inventory.costs import Terms, last_prices, terms_of
from invopt.inventory.decision import SummedForecast
from invopt.inventory.network.network_review import by_lanes, with_order_days
from invopt.inventory.outcomes import SUMS, PastReview, plan_outcomes
from invopt.inventory.reasons import Notes
from invopt.inventory.review import demand_ahead
from invopt.inventory.stock import stock_of
from invopt.inventory.suppliers import supply_of
from invopt.lanes import plain_lanes
from invopt.panel import UNOBSERVED, Panel, iter_panels
from invopt.report.packed import pack
from invopt.report.page import as_money, drawing, render, write_page
from invopt.sources import read_position
from invopt.sources.terms import read_terms
from invopt.timeline import Timeline
from invopt.types import FloatArray, IntArray, Notify

ASSETS = Path(__file__).parent / "assets"
HISTORY, AHEAD, SHOWN = 56, 42, 10  # periods, periods, exceptions that need no script
MAX_SERIES = 100_000  # of a page; a browser opens no more in a few seconds
# Places after the point that the page keeps.
DECIMALS = {
    "order_value": 2, "expected_demand": 2, "days_of_cover": 1, "unavoidable_stockout_units": 2,
    "unavoidable_stockout_cost": 2, "expected_holding_cost": 2, "expected_stockout_cost": 2,
    "money_at_risk": 2, "cost_of_one_less": 4, "cost_of_one_more": 4, "unit_cost": 4,
    "units": 2, "money": 2, "mean": 2, "pack_size": 3, "min_order": 3, "safety_stock": 2,
}  # fmt: skip
_UNITS = ("order_quantity", "order_up_to_level", "reorder_point", "safety_stock", "on_hand",
          "on_order", "backorders")  # fmt: skip
_TEXTS = ("unique_id", "product", "location", "supplier", "source", "arrival_date", "stockout_date",
          "exception", "reason", "segment")  # fmt: skip
_NAMES = ("product_name", "name", "description", "title")  # columns of products, the first there
# Of the plan before, as far as it is told.
_LAST = ("order_quantity", "order_up_to_level", "expected_demand", "safety_stock", "on_hand",
         "on_order", "backorders", "lead_time")  # fmt: skip
_PAST = 60  # earlier reviews that are read: those of about a month of complete orders
_OUTCOME_DECIMALS = dict.fromkeys(SUMS, 2) | {"reviews": 0, "periods": 0, "expected": 1, "lost": 1}
_FAN = (0.05, 0.25, 0.75, 0.95)


@dataclass(frozen=True)
class PlanFiles:
    """What a review left.

    Attributes:
        source: Panel up to the review.
        forecast: Of its series.
        orders: The OrderPlan as CSV.
        exceptions: As CSV.
        snapshot: Folder with the stock position and the tables of planning.
        last: Plan of the review before; None for a first one.
        overrides: What planners said on their page; None for none.
        past: Date, plan and mean forecast of earlier reviews.
    """

    source: Path
    forecast: Path
    orders: Path
    exceptions: Path
    snapshot: Path
    last: Path | None = None
    overrides: pd.DataFrame | None = None
    past: Sequence[tuple[str, Path, Path]] = ()


def write_plan_page(files: PlanFiles, config: Config, out: str, notify: Notify) -> None:
    """Write the page.

    Args:
        files: Of the review.
        config: The whole configuration.
        out: File to write.
        notify: Called with a line of progress.
    """
    with drawing(out, "Orders", notify):
        page = render_plan(files, config, notify)
        write_page(out, page)
        notify(f"planner's page written ({len(page) / 1e6:.1f} MB)")


def render_plan(files: PlanFiles, run: Config, notify: Notify) -> str:
    """Return the page."""
    plan = read_plan(files.orders)
    last = _last_plan(files.last, notify)
    exceptions = read_exceptions(files.exceptions)
    whole = len(plan)
    figures = _figures(plan, exceptions, run.currency)
    plan = _most_important(plan, exceptions)
    exceptions = exceptions[exceptions["unique_id"].isin(plan["unique_id"])]
    past = _past_reviews(files.past, notify)
    gathered = _gather(files, run, last, past, set(plan["unique_id"]))
    order = pd.Index(gathered.unique_ids).get_indexer(pd.Index(plan["unique_id"]))
    rows = _row_columns(plan) | {n: _or_nothing(v, order) for n, v in gathered.rows.items()}
    rows["name"] = _named(rows["name"], plan)
    details = {name: _or_nothing(values, order) for name, values in gathered.details.items()}
    about = gathered.about | _review_of(plan, last, run)
    script = (ASSETS / "plan.js").read_text()
    style = (ASSETS / "plan.css").read_text()
    return render(
        "plan.html.j2",
        title=f"Orders of {about['review_date']}: {run.name}",
        about=about,
        figures=figures,
        left_out=whole - len(plan),
        worst=exceptions.head(SHOWN).to_dict("records"),
        meta=Markup(_safe_json(about)),  # noqa: S704  (no angle bracket is left in it)
        rows=pack(
            rows,
            dict.fromkeys((*_UNITS, "transfer_quantity"), 0 if about["is_count"] else 3) | DECIMALS,
        ),
        exceptions=pack(_exception_columns(exceptions, plan), DECIMALS),
        outcomes=pack(_outcome_columns(gathered.outcomes, plan), _OUTCOME_DECIMALS),
        details=pack(details, DECIMALS | _detail_decimals(bool(about["is_count"]))),
        script=Markup(script),  # noqa: S704  (our own bundle)
        style=Markup(style),  # noqa: S704
        script_hash=_digest(script),
        footer=f"invopt; model {about['model_version']}",
    )


def _review_of(plan: pd.DataFrame, last: pd.DataFrame | None, run: Config) -> dict[str, Any]:
    """Return what the review is called, and what it is counted in."""
    return {
        "name": run.name,
        "currency": run.currency,
        "review_date": str(plan["review_date"].iloc[0]),
        "model_version": str(plan["model_version"].iloc[0]),
        "last_review": "" if last is None else str(last["review_date"].iloc[0]),
        "lost_sales": run.inventory.is_lost,
    }


def _or_nothing(values: npt.NDArray[Any], order: IntArray) -> npt.NDArray[Any]:
    """Return rows in order, nothing for -1: a source that sells nothing has no forecast."""
    found = values[order]
    if (order < 0).any():
        found = found.copy() if values.dtype == object else found.astype(np.float64)
        found[order < 0] = "" if values.dtype == object else np.nan
    return found


def _named(names: npt.NDArray[np.object_], plan: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Return names with none empty where any is given: a source's is that of what it supplies."""
    found = pd.Series(names, dtype=object).reset_index(drop=True)
    empty = found == ""
    if empty.all():
        return names
    product = plan["product"].reset_index(drop=True)
    known = pd.Series(found[~empty].to_numpy(), index=product[~empty]).groupby(level=0).first()
    found[empty] = product[empty].map(known)
    spare = product.where(product != "", plan["unique_id"].reset_index(drop=True))
    return found.fillna(spare).to_numpy(object)


def _last_plan(path: Path | None, notify: Notify) -> pd.DataFrame | None:
    """Return the plan before, None where there is none that can be read."""
    if path is None:
        return None
    try:
        return read_plan(path)
    except (OSError, ValueError, KeyError) as err:
        notify(f"{path} cannot be read ({err}): the page compares with no review before")
        return None


def read_plan(path: Path) -> pd.DataFrame:
    """Return an OrderPlan that was written as CSV, texts that are empty as ""."""
    plan = read_csv(path, dtype=dict.fromkeys(_TEXTS, str))
    texts = [c for c in (*_TEXTS, "model_version") if c in plan]
    plan[texts] = plan[texts].fillna("")
    return plan


def read_exceptions(path: Path) -> pd.DataFrame:
    """Return exceptions that were written as CSV, those with most money first."""
    frame = read_csv(path, dtype={"unique_id": str, "exception": str, "date": str, "advice": str})
    texts = ["exception", "date", "advice"]
    frame[texts] = frame[texts].fillna("")
    size = frame["money"].astype(np.float64).abs().fillna(-1)
    order = size.sort_values(ascending=False, kind="stable").index
    return frame.loc[order].reset_index(drop=True)


def _most_important(plan: pd.DataFrame, exceptions: pd.DataFrame) -> pd.DataFrame:
    """Return what a page holds: series with exceptions by money, then orders by value."""
    if len(plan) <= MAX_SERIES:
        return plan
    worst = exceptions["unique_id"].drop_duplicates()
    rank = pd.Series(np.arange(len(worst)), index=worst).reindex(plan["unique_id"]).to_numpy()
    keys = pd.DataFrame({"rank": rank, "value": -plan["order_value"].fillna(-1).to_numpy()})
    return plan.iloc[keys.sort_values(["rank", "value"]).index[:MAX_SERIES].sort_values()]


@dataclass(frozen=True)
class _Gathered:
    """What panel, forecast and stock say of every series, in the panel's order."""

    unique_ids: npt.NDArray[np.object_]
    rows: dict[str, npt.NDArray[Any]]
    details: dict[str, npt.NDArray[Any]]
    about: dict[str, Any]
    outcomes: pd.DataFrame


def _gather(
    files: PlanFiles, run: Config, last: pd.DataFrame | None, past: list[PastReview],
    wanted: set[str],
) -> _Gathered:  # fmt: skip
    head = read_json(files.forecast / "forecast.json")
    recorded = read_position(files.snapshot)
    tables = with_order_days(read_terms(files.snapshot).with_overrides(files.overrides))
    parts, outcomes = [], []
    panel: Panel | None = None
    for number, panel in enumerate(iter_panels(files.source)):
        made = read_forecast(files.forecast, number, head)
        if tables.lanes is not None:
            panel = by_lanes(panel, plain_lanes(tables.lanes))
        terms = terms_of(panel.series, last_prices(panel), run.inventory)
        supply = supply_of(panel.series, terms, tables, panel.timeline, made.horizon)
        stock = stock_of(panel.unique_ids, *recorded, supply.delay)
        ahead = demand_ahead(
            panel, made, supply, tables, Notes.none(panel.num_series), is_count=head["is_count"]
        ).forecast
        found: dict[str, npt.NDArray[Any]] = {
            **_product_columns(panel.series),
            **_terms_columns(supply.terms),
            **_fan(ahead, bool(head["is_count"])),
            "arrivals": _width(stock.arrivals, min(made.horizon, AHEAD)),
            "history": _history(panel),
            **_since(panel, last),
        }
        outcomes.append(plan_outcomes(panel, past, run.inventory))
        ids = panel.unique_ids.astype(str)
        kept = np.array([name in wanted for name in ids], bool)
        parts.append({name: v[kept] for name, v in ({"unique_id": ids} | found).items()})
    assert panel is not None
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    ids = joined.pop("unique_id")
    told = ("name", "category", "unit_cost", "pack_size", "min_order")
    about = _about(head, panel.timeline, joined)
    rows = {name: joined.pop(name) for name in told}
    return _Gathered(ids, rows, joined, about, pd.concat(outcomes, ignore_index=True))


def _about(
    head: dict[str, Any], line: Timeline, columns: Mapping[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    """Return what holds of every row: units, levels of the fan, days ahead and before."""
    horizon, before = columns["mean"].shape[1], columns["history"].shape[1]
    return {
        "is_count": bool(head["is_count"]),
        "unit": line.word,
        "fan": [f"{level:g}" for level in _chosen(head["quantile_levels"])],
        "ahead": _days(line.dates(line.num_periods, line.num_periods + horizon)),
        "history": _days(line.dates(line.num_periods - before)),
    }


def _terms_columns(terms: Terms) -> dict[str, npt.NDArray[Any]]:
    return {
        "unit_cost": terms.unit_cost,
        "pack_size": terms.pack_size,
        "min_order": terms.min_order,
        "interval": terms.protection_interval,
    }


def _past_reviews(found: Sequence[tuple[str, Path, Path]], notify: Notify) -> list[PastReview]:
    """Return the latest earlier reviews, those that can be read."""
    reviews = []
    for date, plan, means in found[-_PAST:]:
        try:
            with np.load(means, allow_pickle=False) as arrays:
                ids, mean = arrays["unique_id"], arrays["mean"]
            reviews.append(PastReview(pd.Timestamp(date), read_plan(plan), ids, mean))
        except (OSError, ValueError, KeyError) as err:
            notify(f"the review of {date} cannot be read ({err}): nothing is held against it")
    return reviews


def _product_columns(series: pd.DataFrame) -> dict[str, npt.NDArray[np.object_]]:
    """Return what products are called, and their category; "" where nobody says."""
    none = pd.Series("", index=series.index)
    columns = {str(c).lower(): c for c in reversed(series.columns)}
    named = next((series[columns[c]] for c in _NAMES if c in columns), none)
    category = series.get("category", none)
    return {
        "name": named.fillna("").astype(str).to_numpy(object),
        "category": category.fillna("").astype(str).to_numpy(object),
    }


def _fan(forecast: SummedForecast, is_count: bool) -> dict[str, FloatArray]:
    """Return the mean and some quantiles of the periods ahead."""
    width = min(forecast.mean.shape[1], AHEAD)
    found = {"mean": np.asarray(forecast.mean[:, :width], np.float64)}
    for number, level in enumerate(_chosen(forecast.quantile_levels)):
        at = list(forecast.quantile_levels).index(level)
        values = np.asarray(forecast.smooth_quantiles[:, :width, at], np.float64)
        found[f"fan{number}"] = units(values, is_count=is_count)
    return found


def _chosen(levels: Any) -> list[float]:
    """Return the levels next to those of the fan, without doubles."""
    nearest = [min(levels, key=lambda level: abs(level - wanted)) for wanted in _FAN]
    return list(dict.fromkeys(nearest))


def _width(values: FloatArray, width: int) -> FloatArray:
    """Return the first columns, zeros where there are fewer."""
    found = np.zeros((len(values), width))
    part = values[:, :width]
    found[:, : part.shape[1]] = part
    return found


def _history(panel: Panel) -> FloatArray:
    """Return the latest sales, NaN where they are not demand."""
    first = max(0, panel.num_periods - HISTORY)
    seen = (np.asarray(panel.flags[:, first:]) & UNOBSERVED) == 0
    return np.where(seen, np.asarray(panel.y[:, first:], np.float64), np.nan)


def _since(panel: Panel, last: pd.DataFrame | None) -> dict[str, FloatArray]:
    """Return the last plan of the series and what has sold since; NaN where it had none."""
    names = [f"last_{name}" for name in _LAST]
    if last is None:
        return dict.fromkeys(
            [*names, "sold", "unseen", "elapsed"], np.full(panel.num_series, np.nan)
        )
    rows = last.set_index("unique_id").reindex(panel.unique_ids.astype(str))
    found = {
        f"last_{name}": rows[name].to_numpy(np.float64)
        if name in rows
        else np.full(panel.num_series, np.nan)
        for name in _LAST
    }
    found["last_safety_stock"] = found["last_order_up_to_level"] - found["last_expected_demand"]
    then = pd.DatetimeIndex([pd.Timestamp(str(last["review_date"].iloc[0]))])
    first = max(int(panel.timeline.index_of(then)[0]) + 1, 0)
    seen = (np.asarray(panel.flags[:, first:]) & UNOBSERVED) == 0
    found["sold"] = np.where(seen, np.asarray(panel.y[:, first:], np.float64), 0).sum(axis=1)
    found["unseen"] = (~seen).sum(axis=1).astype(np.float64)
    found["elapsed"] = np.full(panel.num_series, float(panel.num_periods - first))
    return found


def _row_columns(plan: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
    texts = [c for c in _TEXTS if c in plan]
    numbers = [
        *_UNITS, "order_value", "expected_demand", "lead_time", "days_of_cover",
        "unavoidable_stockout_units", "unavoidable_stockout_cost", "expected_holding_cost",
        "expected_stockout_cost", "money_at_risk", "cost_of_one_less", "cost_of_one_more",
        "transfer_quantity",
    ]  # fmt: skip
    found = {c: plan[c].to_numpy(np.float64) for c in numbers if c in plan}
    # orders.csv has it in whole units; beside the demand that it is added to it is a share.
    found["safety_stock"] = found["order_up_to_level"] - found["expected_demand"]
    return {c: plan[c].to_numpy(object) for c in texts} | found


def _exception_columns(exceptions: pd.DataFrame, plan: pd.DataFrame) -> dict[str, Any]:
    """Return exceptions by the row of their series in the plan."""
    row = pd.Index(plan["unique_id"]).get_indexer(pd.Index(exceptions["unique_id"]))
    return {
        "row": row.astype(np.float64),
        "exception": exceptions["exception"].to_numpy(object),
        "date": exceptions["date"].to_numpy(object),
        "units": exceptions["units"].to_numpy(np.float64),
        "money": exceptions["money"].to_numpy(np.float64),
        "advice": exceptions["advice"].to_numpy(object),
    }


def _outcome_columns(outcomes: pd.DataFrame, plan: pd.DataFrame) -> dict[str, Any]:
    """Return outcomes by the row of their series in the plan; those without one are left out."""
    row = pd.Index(plan["unique_id"]).get_indexer(pd.Index(outcomes["unique_id"]))
    there = row >= 0
    columns = {name: outcomes[name].to_numpy(np.float64)[there] for name in SUMS}
    return {"row": row[there].astype(np.float64)} | columns


def _detail_decimals(is_count: bool) -> dict[str, int]:
    names = ("arrivals", "history", "sold", *(f"fan{n}" for n in range(len(_FAN))))
    last = dict.fromkeys((f"last_{n}" for n in _LAST if n != "lead_time"), 0 if is_count else 3)
    shares = {"last_expected_demand": 2, "last_safety_stock": 2}  # of a level, never whole units
    return dict.fromkeys(names, 0 if is_count else 2) | last | shares


def _figures(plan: pd.DataFrame, exceptions: pd.DataFrame, currency: str) -> list[tuple[str, str]]:
    """Return what the top of the page says: numbers with their words."""
    ordered = plan[plan["order_quantity"] > 0]
    inside = ordered["supplier"].isin(set(plan["location"]) - {""})
    sent, ordered = ordered[inside], ordered[~inside]
    # Several exceptions of a series concern the same money: the largest counts.
    money = exceptions["money"].astype(np.float64).abs().fillna(0)
    money = money.groupby(exceptions["unique_id"]).max()
    suppliers = ordered.loc[ordered["supplier"] != "", "supplier"].nunique()
    figures = [
        (f"{len(ordered):,}", f"orders of {len(plan):,} series"),
        (f"{ordered['order_quantity'].sum():,.0f}", "units to order"),
        (as_money(float(ordered["order_value"].sum()), currency), "value of the orders"),
        (f"{exceptions['unique_id'].nunique():,}", "series with exceptions"),
        (as_money(float(money.sum()), currency), "concerned by exceptions"),
    ]
    if len(sent):  # a network's own places: no money is spent
        text = f"units in {len(sent):,} orders among own places"
        figures.insert(3, (f"{sent['order_quantity'].sum():,.0f}", text))
    return [*figures, (f"{suppliers:,}", "suppliers")] if suppliers else figures


def _days(dates: pd.DatetimeIndex) -> list[str]:
    return list(dates.strftime("%Y-%m-%d"))


def _safe_json(content: Any) -> str:
    """Return JSON that cannot end the element it stands in, whatever a name says."""
    text = json.dumps(plain(content))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _digest(text: str) -> str:
    """Return a hash for the page's own rule of what may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
