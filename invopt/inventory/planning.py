"""Orders for one review date, with what each is expected to cost and why it was placed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from invopt import contracts
from invopt.inventory.costs import Terms, last_prices, terms_of
from invopt.inventory.decision import (
    Decided,
    OrderDecision,
    ReviewRules,
    SummedForecast,
    decide,
)
from invopt.inventory.exceptions import Flags, flags_of
from invopt.inventory.policy import periods_ahead
from invopt.inventory.reasons import Notes, reasons_of
from invopt.inventory.stock import Stock
from invopt.panel import Panel
from invopt.timeline import Timeline, frequency_unit
from invopt.types import FloatArray

_DAYS = {"D": 1.0, "W": 7.0, "2W": 14.0, "MS": 365.25 / 12, "QS": 365.25 / 4}
# Whole where units are whole, then money; the rest is rounded to what people read.
UNITS = ("order_quantity", "order_up_to_level", "reorder_point", "safety_stock", "on_hand",
         "on_order", "backorders")  # fmt: skip
_MAX_COVER = 999.0  # days


@dataclass(frozen=True)
class Planned:
    """A review's orders, and what they rest on.

    Attributes:
        orders: OrderPlan, one row per series.
        decision: Behind them.
        terms: Of the series.
        flags: Exceptions, as masks.
        exceptions: The same as a table.
    """

    orders: pd.DataFrame = field(repr=False)
    decision: OrderDecision = field(repr=False)
    terms: Terms = field(repr=False)
    flags: Flags = field(repr=False)
    exceptions: pd.DataFrame = field(repr=False)


def plan_orders(
    panel: Panel, forecast: SummedForecast, stock: Stock, rules: ReviewRules
) -> Planned:
    """Return the OrderPlan of a review, one row per series in order, and what it rests on.

    Where the stock is not known the levels are given and nothing is ordered; `reason` says so.

    Args:
        panel: Up to the review; its last period is the review date.
        forecast: Of its series from its last period.
        stock: Of its series.
        rules: Costs and policy, and what is put on every row.
    """
    terms = terms_of(panel.series, last_prices(panel), rules.config)
    decision = decide(forecast, terms, stock, rules.config, is_count=rules.is_count)
    decided = Decided(
        panel=panel,
        forecast=forecast,
        stock=stock,
        terms=terms,
        decision=without_faults(decision, terms),
    )
    return finished(decided, rules, Notes.none(panel.num_series))


def finished(
    decided: Decided,
    rules: ReviewRules,
    notes: Notes,
    mark: Callable[[Flags], None] = lambda _: None,
) -> Planned:
    """Return a decision as orders with reasons and exceptions.

    Args:
        decided: The decision and what it rests on.
        rules: Limits of what is told, and what is put on every row.
        notes: What else is to be said.
        mark: Adds exceptions of its own.
    """
    panel, decision, terms = decided.panel, decided.decision, decided.terms
    flags = flags_of(decided, rules)
    mark(flags)
    dates = _dates_ahead(panel.timeline, decision)
    reasons = reasons_of(
        decision, decided.stock, terms, notes, dates, currency=rules.config.currency
    )
    orders = _order_table(decided, dates, is_count=rules.is_count)
    orders = orders.assign(
        exception=flags.words(), reason=reasons, model_version=rules.model_version
    )
    orders["review_date"] = f"{panel.timeline.last:%Y-%m-%d}"
    # Adding nothing takes the sign off a nought.
    orders["money_at_risk"] = decision.saved.round(2) + 0.0
    orders["cost_of_one_less"] = decision.one_less.round(4) + 0.0
    orders["cost_of_one_more"] = decision.one_more.round(4) + 0.0
    contracts.check_numbers(orders, contracts.OrderPlan)
    return Planned(orders, decision, terms, flags, flags.table(panel.unique_ids, dates))


def without_faults(decision: OrderDecision, terms: Terms) -> OrderDecision:
    """Return the decision with no order for products whose terms cannot be."""
    if terms.faults is None:
        return decision
    bad = terms.faults != ""
    names = ("quantity", "holding_cost", "stockout_cost", "one_less", "one_more", "saved")
    emptied: dict[str, Any] = {n: np.where(bad, np.nan, getattr(decision, n)) for n in names}
    return replace(decision, **emptied)


def _dates_ahead(timeline: Timeline, decision: OrderDecision) -> pd.DatetimeIndex:
    """Return the first days of the periods ahead, as many as any order or path reaches."""
    reach = int(decision.protection_interval.max(initial=1)) + 1
    return timeline.dates(timeline.num_periods, timeline.num_periods + reach)


def _order_table(decided: Decided, dates: pd.DatetimeIndex, *, is_count: bool) -> pd.DataFrame:
    """Return the columns of orders.csv that numbers and dates fill, rounded for people."""
    stock, terms, decision = decided.stock, decided.terms, decided.decision
    unit_cost = terms.unit_cost if decided.unit_cost is None else decided.unit_cost
    levels, timeline = decision.levels, decided.panel.timeline
    days, dry = dates.strftime("%Y-%m-%d").to_numpy(object), decision.dry_in
    dry_day = np.where(np.isnan(dry), len(days) + 1, np.minimum(dry, len(days))).astype(int) - 1
    found = _names(decided.panel).assign(
        order_quantity=decision.quantity,
        order_value=decision.quantity * unit_cost,
        order_up_to_level=np.maximum(levels.order_up_to, 0),
        reorder_point=levels.reorder_point,
        safety_stock=levels.safety_stock,
        on_hand=stock.on_hand,
        on_order=stock.on_order,
        backorders=stock.backorders,
        expected_demand=levels.expected_demand.round(2),
        lead_time=terms.lead_time,
        arrival_date=days[np.minimum(terms.lead_time, len(days) - 1)],
        days_of_cover=_cover(decided.forecast, stock, timeline).round(1),
        stockout_date=np.append(days, "")[dry_day],
        unavoidable_stockout_units=decision.unavoidable.round(2),
        unavoidable_stockout_cost=decision.unavoidable * terms.stockout_cost,
        expected_holding_cost=decision.holding_cost,
        expected_stockout_cost=decision.stockout_cost,
    )
    money = ["order_value", "unavoidable_stockout_cost", "expected_holding_cost",
             "expected_stockout_cost"]  # fmt: skip
    found[money] = found[money].round(2) + 0.0
    found[list(UNITS)] = found[list(UNITS)].round(0 if is_count else 3) + 0.0
    return found


def _names(panel: Panel) -> pd.DataFrame:
    """Return what each row is called: unique_id, product, location, supplier."""
    series = panel.series
    supplier = series.get("supplier", pd.Series("", index=series.index)).astype(str)
    return pd.DataFrame(
        {
            "unique_id": panel.unique_ids.astype(str),
            "product": series["product"].astype(str) if "product" in series else "",
            "location": series["location"].astype(str) if "location" in series else "",
            "supplier": supplier.replace("unknown", ""),
        }
    )


def _cover(forecast: SummedForecast, stock: Stock, timeline: Timeline) -> FloatArray:
    """Return for how many days what is there, and what comes before it is sold, lasts.

    At expected demand; beyond the forecast at its last week's pace; at most 999.
    """
    mean = np.asarray(forecast.mean, np.float64)
    horizon = mean.shape[1]
    reach = max(horizon, stock.arrivals.shape[1])
    pace = mean[:, periods_ahead(horizon, reach)]
    come = np.zeros((len(mean), reach))
    come[:, : stock.arrivals.shape[1]] = stock.arrivals
    start = np.maximum(stock.on_hand - stock.backorders, 0)
    left = start[:, None] + come.cumsum(axis=1) - pace.cumsum(axis=1)
    empty = left < 0
    first = np.where(empty.any(axis=1), empty.argmax(axis=1), reach)
    rows, at = np.arange(len(mean)), np.minimum(first, reach - 1)
    before = np.where(at > 0, left[rows, np.maximum(at - 1, 0)], start)
    before = before + come[rows, at] if reach else before
    daily = np.maximum(mean[:, -7:].mean(axis=1), 1e-9)
    part = np.where(
        first < reach,
        np.maximum(before, 0) / np.maximum(pace[rows, at], 1e-9),
        np.maximum(left[:, -1], 0) / daily,
    )
    found: FloatArray = (first + part) * _DAYS[frequency_unit(timeline.freq)]
    found[(start <= 0) & ~come.any(axis=1)] = 0.0  # nothing lasts for no time, whatever is asked
    return np.where(np.isnan(stock.on_hand), np.nan, np.minimum(found, _MAX_COVER))


def as_csv(plan: pd.DataFrame, *, is_count: bool) -> pd.DataFrame:
    """Return an OrderPlan with whole units written without a decimal point.

    Example:
        >>> plan = pd.DataFrame({name: [12.0] for name in UNITS})
        >>> as_csv(plan, is_count=True)["order_quantity"].to_csv(index=False).split()
        ['order_quantity', '12']
    """
    return plan.astype(dict.fromkeys(UNITS, "Int64")) if is_count else plan
