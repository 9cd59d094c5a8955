"""A whole review: what tables, forecasts and stock make of orders, purchase orders, exceptions."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.contracts import StockRecords, TermsTables
from invopt.forecasts import forecast_of
from invopt.inventory.ahead import (
    Overridden,
    Phases,
    Succession,
    overrides_of,
    phases_of,
    scaled,
    succession_of,
    with_mean,
    with_successors,
)
from invopt.inventory.assumptions import BUDGETED
from invopt.inventory.costs import Terms, last_prices, terms_of
from invopt.inventory.decision import (
    Decided,
    OrderDecision,
    ReviewRules,
    SummedForecast,
    decide,
)
from invopt.inventory.exceptions import STOCKOUTS, Flags, dead_series, on_sale_again
from invopt.inventory.planning import Planned, finished, without_faults
from invopt.inventory.purchasing import Bought, Wanted, bought
from invopt.inventory.reasons import Notes
from invopt.inventory.stock import Stock, stock_of
from invopt.inventory.suppliers import Supply, keys_of, supply_of
from invopt.inventory.wording import in_words
from invopt.panel import Panel
from invopt.types import BoolArray, FloatArray, IntArray

DEAD = "nothing was sold for a season although it was there: nothing is ordered"
WAITS = "the next review comes before the supplier's next order day"
SHUT = "the place or its supplier is closed: an order of the next review arrives as early"
_TINY = 1e-9
GONE = "its successor is ordered instead, and sells what is left first"


@dataclass(frozen=True)
class Review:
    """What a review writes.

    Attributes:
        orders: OrderPlan.
        purchase_orders: Its lines, by supplier.
        exceptions: One row per series and exception.
        stockout_cost: (series,) money per unit missed.
    """

    orders: pd.DataFrame = field(repr=False)
    purchase_orders: pd.DataFrame = field(repr=False)
    exceptions: pd.DataFrame = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)


def plan_review(
    panel: Panel,
    forecast: SummedForecast,
    recorded: StockRecords,
    tables: TermsTables,
    rules: ReviewRules,
    *,
    allotted: FloatArray | None = None,
    sunk: BoolArray | None = None,
) -> Review:
    """Return the review of some series.

    Args:
        panel: Up to the review; its last period is the review date.
        forecast: Of its series from its last period.
        recorded: Stock and open orders.
        tables: Of planning.
        rules: Costs and policy, and what is put on every row.
        allotted: (series,) units that their source gives, in place of the policy's order.
        sunk: (series,) True where a unit is lost at the end of the product wherever it lies, so
            that one that is left on the shelf costs nothing more; none by default.
    """
    series, horizon = panel.series, forecast.mean.shape[1]
    terms = terms_of(series, last_prices(panel), rules.config)
    supply = supply_of(series, terms, tables, panel.timeline, horizon)
    stock = stock_of(panel.unique_ids, recorded.position, recorded.open_orders, supply.delay)
    notes = Notes.none(panel.num_series)
    ahead = demand_ahead(panel, forecast, supply, tables, notes, is_count=rules.is_count)
    dead = dead_series(panel) & ~np.isnan(stock.on_hand)
    dead[ahead.succession.new] = False
    dead[on_sale_again(panel)] = False
    dead[ahead.overridden.asked] = False
    forced = _forced(dead, supply, ahead, notes, allotted)
    supply = replace(supply, terms=_ending(supply, ahead.phases, sunk))
    pooled, concerned = _pooled(stock, ahead), _concerned(panel, tables)
    decision = decide(
        ahead.forecast, supply.terms, pooled, rules.config, is_count=rules.is_count,
        forced=forced, curves=concerned,
    )  # fmt: skip
    decision = _with_told(without_faults(decision, supply.terms), ahead, supply.terms)
    decision = _without_succeeded(decision, ahead.ending)
    decided = Decided(
        panel=panel, forecast=ahead.forecast, stock=pooled, terms=supply.terms, decision=decision
    )
    deal = _dealt(decided, tables, forced, concerned)
    _tell_deal(notes, deal)
    decision = _with_lower_prices(_decided_again(decided, deal, rules), decided, deal)
    decided = replace(decided, stock=stock, decision=decision, dead=dead, unit_cost=deal.unit_cost)
    planned = finished(decided, rules, notes, lambda flags: _mark(flags, supply, deal, ahead))
    return Review(
        planned.orders,
        _purchase_orders(panel, planned, supply, deal),
        planned.exceptions,
        supply.terms.stockout_cost,
    )


@dataclass(frozen=True)
class DemandAhead:
    """The demand that is planned for, and what made it other than the forecast.

    Attributes:
        forecast: With closed days, phases, successors and overrides in it.
        phases: Of the products; None where none are given.
        overridden: What planners say.
        succession: Who takes over from whom.
        ending: Rows of predecessors whose successor takes over before their next order arrives.
    """

    forecast: SummedForecast = field(repr=False)
    phases: Phases | None
    overridden: Overridden
    succession: Succession
    ending: IntArray = field(repr=False)


def demand_ahead(
    panel: Panel,
    forecast: SummedForecast,
    supply: Supply,
    tables: TermsTables,
    notes: Notes,
    *,
    is_count: bool,
) -> DemandAhead:
    """Return the demand to plan for: the forecast with all that is known ahead.

    Args:
        panel: Up to the review.
        forecast: Of its series from its last period.
        supply: Of its series.
        tables: Of planning.
        notes: Gets a sentence per override.
        is_count: True when sales are whole numbers.
    """
    series, horizon = panel.series, forecast.mean.shape[1]
    succession = succession_of(series)
    on_sale = panel.num_periods - panel.launch()
    forecast = with_successors(forecast, succession, on_sale, is_count=is_count)
    phases = phases_of(series, panel.timeline, horizon)
    if supply.closed is not None:
        forecast = scaled(forecast, 1.0 - supply.closed.astype(np.float64), is_count=is_count)
    if phases is not None:
        forecast = scaled(forecast, phases.factor, is_count=is_count)
    overridden = overrides_of(tables.overrides, series, forecast, panel.timeline, notes)
    forecast = with_mean(forecast, overridden.mean, is_count=is_count)
    old = succession.old
    later = _sold_from(succession.new, phases) >= supply.terms.protection_interval[old]
    return DemandAhead(forecast, phases, overridden, succession, old[~later])


def _sold_from(rows: IntArray, phases: Phases | None) -> IntArray:
    """Return (rows,) periods ahead before the first one in which each is sold."""
    if phases is None:
        return np.zeros(len(rows), np.int64)
    return np.where(phases.factor[rows] > 0, 0, 1).cumprod(axis=1).sum(axis=1)


def _forced(
    dead: BoolArray, supply: Supply, ahead: DemandAhead, notes: Notes, allotted: FloatArray | None
) -> FloatArray:
    """Return (series,) units that stand whatever the policy says, else NaN; notes say why."""
    order, asked = ahead.overridden.order, ~np.isnan(ahead.overridden.order)
    forced = np.where(dead | supply.waits | supply.shut, 0.0, np.nan)
    forced[ahead.ending] = 0.0
    forced = np.where(asked, order, forced)
    if allotted is not None:
        forced = np.where(np.isnan(forced), allotted, forced)
    notes.before[dead] = DEAD
    notes.before[supply.waits] = WAITS
    notes.before[supply.shut] = SHUT
    notes.before[ahead.ending] = GONE
    notes.before[asked] = ""
    notes.is_decided[asked] = True
    return forced


def _with_told(decision: OrderDecision, ahead: DemandAhead, terms: Terms) -> OrderDecision:
    """Return the decision with orders that planners set where nothing else can be said.

    A product whose terms cannot be stays without.
    """
    told = ~np.isnan(ahead.overridden.order) & np.isnan(decision.quantity)
    if terms.faults is not None:
        told &= terms.faults == ""
    if not told.any():
        return decision
    return replace(decision, quantity=np.where(told, ahead.overridden.order, decision.quantity))


def _without_succeeded(decision: OrderDecision, ending: IntArray) -> OrderDecision:
    """Return the decision without what predecessors hold and miss: successors' rows have it."""
    rows = ending[decision.quantity[ending] == 0]
    if not len(rows):
        return decision
    zero = ("holding_cost", "stockout_cost", "unavoidable", "saved")
    emptied = {n: getattr(decision, n).copy() for n in (*zero, "dry_in")}
    for name, values in emptied.items():
        values[rows] = 0.0 if name in zero else np.nan
    return replace(decision, **emptied)


def _ending(supply: Supply, phases: Phases | None, sunk: BoolArray | None) -> Terms:
    """Return terms in which what is left of a product that ends is lost money, if not sunk."""
    terms = supply.terms
    if phases is None:
        return terms
    if np.isnan(phases.ends_in).all():
        return terms
    with np.errstate(invalid="ignore"):
        ends = phases.ends_in <= terms.protection_interval + 1
    if sunk is not None:
        ends &= ~sunk
    stranded = np.where(ends, terms.unit_cost, 0.0) if ends.any() else None
    return replace(terms, stranded=stranded, ends_in=phases.ends_in)


def _tell_deal(notes: Notes, deal: Bought) -> None:
    """Say in the reasons what suppliers' terms changed."""
    cut = np.flatnonzero(deal.cut > 0)
    notes.add(cut, [f"the budget leaves out {in_words(u, 6)} units" for u in deal.cut[cut]])
    filled = np.flatnonzero(deal.filled > 0)
    text = "{} units more reach the supplier's minimum"
    notes.add(filled, [text.format(in_words(u, 6)) for u in deal.filled[filled]])
    text = "{} units more are ordered for a lower price"
    lots = np.flatnonzero(deal.lot > 0)
    notes.add(lots, [text.format(in_words(u, 6)) for u in deal.lot[lots]])
    later = np.flatnonzero(deal.later > 0)
    text = "{} units less are ordered now: the next review orders them for a lower price"
    notes.add(later, [text.format(in_words(u, 6)) for u in deal.later[later]])
    dropped = np.flatnonzero(deal.dropped)
    unpaid = np.flatnonzero(deal.unpaid)
    for rows in (later, cut, dropped, unpaid):
        notes.is_decided[rows] = True
    text = "all lines of its supplier together save less than an order costs there"
    notes.add(unpaid, [text] * len(unpaid))
    notes.add(dropped, ["reaching the supplier's minimum would cost more"] * len(dropped))


def _pooled(stock: Stock, ahead: DemandAhead) -> Stock:
    """Return the stock with what is left of predecessors counted for their successors.

    What a predecessor sells until its successor is phased in is gone by then.
    """
    old, new = ahead.succession.old, ahead.succession.new
    phases, mean = ahead.phases, ahead.forecast.mean
    if not len(new):
        return stock
    on_hand, on_order = stock.on_hand.copy(), stock.on_order.copy()
    arrivals, backorders = stock.arrivals.copy(), stock.backorders.copy()
    total = np.concatenate([np.zeros((len(old), 1)), mean[old].cumsum(axis=1)], axis=1)
    sold = total[np.arange(len(old)), _sold_from(new, phases)]
    # In turn: a successor hands on what it has taken over itself.
    parts = ahead.succession.share
    for before, after, gone, share in zip(old, new, sold, parts, strict=True):
        arrivals[after] += share * arrivals[before]
        if np.isnan(on_hand[before]):
            continue
        left = on_hand[before] - min(gone, on_hand[before])
        on_hand[after] = np.nan_to_num(on_hand[after]) + share * left
        on_order[after] = np.nan_to_num(on_order[after]) + share * on_order[before]
        backorders[after] += share * backorders[before]
    return replace(
        stock, on_hand=on_hand, on_order=on_order, arrivals=arrivals, backorders=backorders
    )


def _dealt(
    decided: Decided, tables: TermsTables, forced: FloatArray, concerned: IntArray
) -> Bought:
    """Return what suppliers' terms make of a decision whose curves are those of the concerned."""
    panel, terms, found = decided.panel, decided.terms, decided.decision
    if not len(concerned):
        return Bought.as_wanted(found.quantity, terms.unit_cost)
    pace = _pace(found, terms)
    wanted = Wanted(
        quantity=found.quantity,
        supplier=_suppliers(panel),
        unique_ids=panel.unique_ids,
        curve=found.curve,
        demand_per_period=pace,
        free=np.isnan(forced),
        room=_room(found, terms, pace),
        budgeted=_budgeted(panel),
    )
    return bought(wanted, terms, tables)


def _decided_again(decided: Decided, deal: Bought, rules: ReviewRules) -> OrderDecision:
    """Return the decision with the quantities that suppliers' terms leave, and what they cost."""
    found, terms = decided.decision, decided.terms
    moved = np.nan_to_num(deal.quantity) != np.nan_to_num(found.quantity)
    if not moved.any():
        return found
    rows = np.flatnonzero(moved)
    own = terms.select(rows)
    part = decide(
        forecast_of(decided.forecast, rows), own, decided.stock.select(rows), rules.config,
        is_count=rules.is_count, forced=deal.quantity[rows],
    )  # fmt: skip
    return found.with_rows(rows, without_faults(part, own))


def _pace(decision: OrderDecision, terms: Terms) -> FloatArray:
    """Return (series,) units that are expected to sell per period."""
    return np.nan_to_num(decision.levels.expected_demand / np.maximum(terms.protection_interval, 1))


def _with_lower_prices(decision: OrderDecision, decided: Decided, deal: Bought) -> OrderDecision:
    """Return the decision with what lots of a lower price save in all they last for.

    That is what the needed order saves, the difference of the price, and what lies longer: half
    of what was added, as long as the lot lasts. Packs that a supplier's minimum adds count beside.
    """
    rows = np.flatnonzero(deal.lot > 0)
    if not len(rows):
        return decision
    before, terms = decided.decision, decided.terms
    ordered, lot = deal.quantity[rows], deal.lot[rows]
    bought = ordered - deal.filled[rows]
    spell = bought / np.maximum(_pace(before, terms)[rows], _TINY)
    cheaper = (terms.unit_cost - deal.unit_cost)[rows] * ordered
    filled = before.curve.at(rows, bought) - before.curve.at(rows, ordered)
    saved = decision.saved.copy()
    longer = terms.holding_cost[rows] * lot * spell / 2
    saved[rows] = before.saved[rows] + cheaper - longer + filled
    return replace(decision, saved=saved)


def _room(decision: OrderDecision, terms: Terms, pace: FloatArray) -> FloatArray:
    """Return (series,) units that may be ordered for a supplier's sake.

    No more than limits leave, and than sells while it keeps and until the product ends.
    """
    found = terms.room(decision.position)
    if terms.shelf_life is not None:
        keeps = np.maximum(np.nan_to_num(decision.quantity), pace * terms.shelf_life)
        found = np.fmin(found, np.where(np.isnan(keeps), np.inf, keeps))
    if terms.ends_in is not None:
        sells = pace * (terms.ends_in - 1) - np.nan_to_num(decision.position)
        found = np.fmin(found, np.maximum(np.nan_to_num(decision.quantity), sells))
    return found


def _suppliers(panel: Panel) -> npt.NDArray[np.object_]:
    """Return the name of each series' supplier, "" for none."""
    names = panel.series.get("supplier", pd.Series("", index=panel.series.index))
    return names.fillna("").astype(str).to_numpy(object)


def _concerned(panel: Panel, tables: TermsTables) -> IntArray:
    """Return the series that a minimum, a budget, a line cost or a price break concerns."""
    supplier = _suppliers(panel)
    found = np.zeros(panel.num_series, bool)
    if tables.suppliers is not None:
        limits = [c for c in ("min_value", "min_units", "budget", "order_cost")
                  if c in tables.suppliers]  # fmt: skip
        limited = tables.suppliers[limits].notna().any(axis=1) if limits else None
        if limited is not None:
            found |= np.isin(supplier, tables.suppliers["supplier"][limited].astype(str).to_numpy())
    if tables.price_breaks is not None:
        names, keys = keys_of(tables.price_breaks, panel.unique_ids, supplier)
        found |= pd.Index(names).isin(keys)
    budgeted = _budgeted(panel)
    if tables.budget is not None and budgeted is not None:
        found |= budgeted
    return np.flatnonzero(found)


def _budgeted(panel: Panel) -> BoolArray | None:
    """Return the series that a what-if's budget is for; None outside one."""
    return panel.series[BUDGETED].to_numpy(bool) if BUDGETED in panel.series else None


def _mark(flags: Flags, supply: Supply, deal: Bought, ahead: DemandAhead) -> None:
    """Add the exceptions of suppliers, phases and overrides."""
    phases = ahead.phases
    num, price = flags.num, supply.terms.stockout_cost
    mask = np.zeros(num, bool)
    flags.set("waits_for_order_day", supply.waits)
    flags.set("closed", supply.shut)
    flags.set("budget_cut", deal.cut > 0, deal.cut, deal.cut * price)
    flags.set("below_supplier_minimum", deal.dropped)
    filled, lot = deal.filled > 0, deal.lot > 0
    flags.set("min_order_above_need", filled, deal.filled, deal.filled * deal.unit_cost)
    flags.set("price_break", lot, deal.lot, deal.lot * deal.unit_cost)
    told = mask.copy()
    told[ahead.overridden.rows] = True
    flags.set("overridden", told)
    gone = mask.copy()
    gone[ahead.ending] = True
    flags.clear(gone, STOCKOUTS)
    if phases is not None:
        gone |= ~np.isnan(phases.ends_in) & (phases.ends_in <= supply.terms.protection_interval)
    flags.set("phase_out", gone)


def _purchase_orders(panel: Panel, planned: Planned, supply: Supply, deal: Bought) -> pd.DataFrame:
    """Return the ordered lines by supplier and order date."""
    orders = planned.orders
    rows = np.flatnonzero(np.nan_to_num(orders["order_quantity"].to_numpy(np.float64)) > 0)
    last, order_in = panel.num_periods - 1, supply.order_in[rows]
    days = np.full(len(rows), "", object)
    for at in np.unique(order_in):
        days[order_in == at] = f"{panel.timeline.last_day(last + int(at)):%Y-%m-%d}"
    picked = orders.iloc[rows]
    found = pd.DataFrame(
        {
            "supplier": picked["supplier"].to_numpy(object),
            "order_date": days,
            "arrival_date": picked["arrival_date"].to_numpy(object),
            "unique_id": picked["unique_id"].to_numpy(object),
            "order_quantity": picked["order_quantity"].to_numpy(np.float64),
            "unit_cost": deal.unit_cost[rows].round(4),
            "order_value": picked["order_value"].to_numpy(np.float64),
        }
    )
    return found.sort_values(["supplier", "order_date", "unique_id"], ignore_index=True)
