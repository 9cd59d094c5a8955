"""Which series want a look, in the words that orders.csv and exceptions.csv use."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.inventory.costs import Terms
from invopt.inventory.decision import Decided, OrderDecision, ReviewRules
from invopt.inventory.reasons import runs_dry_before
from invopt.inventory.segments import SalesStatistics
from invopt.inventory.stock import Stock
from invopt.panel import UNOBSERVED, Flag, Panel, has_flag
from invopt.types import BoolArray, FloatArray, IntArray

# Periods that say what a series sells of late, at least.
_RECENT = 13
# Periods without a sale, at least, after which a series may be dead.
# A live series is silent for k of its usual gaps at e^-k of the days: at 3 one in twenty slow
# sellers is taken for dead on any day, at 5 one in 150.
_DEAD, _GAPS = 26, 5.0
_CHANCE = 2.0  # standard deviations of what sells in an interval that are no jump
_AT_ONCE = 4096  # series looked at together
_OUTLIERS = 28  # latest periods whose outliers are told
_EXCESS = 4.0  # times what sells until the next order arrives
_SOME = 0.5  # units
STOCKOUTS = ("stockout_now", "stockout_before_arrival", "stockout_likely")
ADVICE = {
    "data_fault": "correct the product's terms",
    "no_stock_record": "give the stock on hand",
    "negative_stock": "book the receipt, or serve those who wait first",
    "stockout_now": "the shelf is empty: expedite what is under way",
    "stockout_before_arrival": "expedite: an order placed now comes too late",
    "stockout_likely": "more often than not the shelf is empty before the next order arrives",
    "closed": "an order of the next review arrives as early: nothing is ordered yet",
    "delivery_overdue": "ask the supplier: it is taken to arrive next",
    "delivery_too_late": "bring the delivery forward, or cancel it",
    "min_order_above_need": "ask for a smaller minimum, or order with other lines",
    "price_break": "more than is needed now is ordered for a lower price",
    "budget_cut": "raise the budget, or accept the missed sales",
    "will_expire": "mark down or move what will not sell in time",
    "excess_stock": "cancel or move what will not sell soon",
    "dead_stock": "nothing sells: move, return or clear it",
    "phase_out": "the product ends: nothing is ordered that would be left over",
    "overridden": "a planner's figure stands in place of the forecast or the order",
    "outlier": "one sale far from the others does not lift the level: is it a bulk order?",
    "demand_jump": "check what the forecast rests on",
    "level_changed": "check what changed since the last review",
    "new_product": "little is known of it yet",
    "lead_time_beyond_horizon": "forecast a longer horizon, or correct the lead time",
    "no_lead_time": "give the lead time; the configured one is used",
    "limit_reached": "a largest order or stock keeps the order below what is needed",
    "waits_for_order_day": "the next review comes before the supplier's next order day",
    "below_supplier_minimum": "the supplier's minimum is not reached: the order is dropped",
    "short_at_source": "its source has too little for all: expedite the delivery to the source",
    "lane_full": "the lane carries no more: raise its capacity, or send the rest later",
    "source_scarce": "less lies there than is wanted: units go where they save most",
    "transfer_in": "move these units here: it costs less than the sales that are missed else",
    "transfer_out": "move these units: another shop needs them more",
    "no_source": "give the place a lane or a supplier: it is planned by itself",
}


@dataclass
class Flags:
    """Exceptions of series, a mask by word.

    Attributes:
        num: Series.
        masks: By word, in the order in which they are told.
        units: (series,) units concerned, by word, where there are any.
        money: (series,) the same in money.
        period: (series,) period ahead it happens in, from 1, by word; NaN for none.
    """

    num: int
    masks: dict[str, BoolArray] = field(default_factory=dict)
    units: dict[str, FloatArray] = field(default_factory=dict)
    money: dict[str, FloatArray] = field(default_factory=dict)
    period: dict[str, FloatArray] = field(default_factory=dict)

    def set(
        self,
        word: str,
        mask: BoolArray,
        units: FloatArray | None = None,
        money: FloatArray | None = None,
        period: FloatArray | None = None,
    ) -> None:
        """Add a word's series, with what it concerns."""
        mask = np.asarray(mask, bool)
        self.masks[word] = self.masks[word] | mask if word in self.masks else mask
        for kept, values in ((self.units, units), (self.money, money), (self.period, period)):
            if values is not None:
                kept[word] = values

    def clear(self, mask: BoolArray, words: Sequence[str]) -> None:
        """Take words away from some series."""
        for word in words:
            if word in self.masks:
                self.masks[word] &= ~mask

    def words(self) -> npt.NDArray[np.object_]:
        """Return each series' words joined by ";", "" for most."""
        order = [w for w in ADVICE if w in self.masks]
        if not order:
            return np.full(self.num, "", object)
        return _joined(order, np.stack([self.masks[w] for w in order], axis=1))

    def table(self, unique_ids: npt.NDArray[np.object_], dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Return one row per series and word: unique_id, exception, date, units, money, advice."""
        words = [w for w in ADVICE if w in self.masks and self.masks[w].any()]
        rows = [np.flatnonzero(self.masks[word]) for word in words]
        lengths = [len(at) for at in rows]
        nothing = np.full(self.num, np.nan)
        names = np.append(dates.strftime("%Y-%m-%d").to_numpy(object), "")

        def of(values: dict[str, FloatArray]) -> FloatArray:
            own = [values.get(w, nothing)[at] for w, at in zip(words, rows, strict=True)]
            return np.concatenate(own) if own else np.zeros(0)

        period = of(self.period)
        known = ~np.isnan(period) & (period <= len(dates))
        return pd.DataFrame(
            {
                "unique_id": unique_ids[np.concatenate(rows)] if rows else np.zeros(0, object),
                "exception": np.repeat(np.array(words, object), lengths),
                "date": names[np.where(known, period, len(names)).astype(int) - 1],
                "units": of(self.units).round(2) + 0.0,
                "money": of(self.money).round(2) + 0.0,
                "advice": np.repeat(np.array([ADVICE[w] for w in words], object), lengths),
            }
        )


def flags_of(decided: Decided, rules: ReviewRules) -> Flags:
    """Return what a planner should look at.

    Args:
        decided: The decision and what it rests on.
        rules: Limits of demand_jump and level_change, and the levels of the review before.
    """
    panel, decision, stock = decided.panel, decided.decision, decided.stock
    found = position_flags(decision, stock, decided.terms)
    _of_demand(found, panel, decision, rules.config)
    lead_time = panel.series.get("lead_time")
    if lead_time is not None and lead_time.isna().mean() < _SOME:  # else nobody fills it in
        found.set("no_lead_time", lead_time.isna().to_numpy())
    if rules.last_levels is not None:
        last = rules.last_levels.reindex(panel.unique_ids.astype(str)).to_numpy(np.float64)
        change = np.abs(np.maximum(decision.levels.order_up_to, 0) - last)
        found.set("level_changed", change > rules.config.level_change * np.maximum(last, 1))
    if decided.dead is not None:
        value = stock.on_hand * decided.terms.unit_cost
        found.set("dead_stock", decided.dead, stock.on_hand, value)
        found.clear(decided.dead, (*STOCKOUTS, "excess_stock", "demand_jump", "new_product"))
    return found


def position_flags(decision: OrderDecision, stock: Stock, terms: Terms) -> Flags:
    """Return what stock, deliveries and terms alone give cause to look at.

    Args:
        decision: Of the series.
        stock: Of the same series.
        terms: Of the same series.
    """
    found = Flags(len(decision.quantity))
    _of_stock(found, decision, stock, terms)
    _of_orders(found, decision, stock, terms)
    found.set("lead_time_beyond_horizon", np.isnan(decision.levels.expected_demand))
    if terms.faults is not None:
        found.set("data_fault", terms.faults != "")
    return found


def _of_stock(found: Flags, decision: OrderDecision, stock: Stock, terms: Terms) -> None:
    price = terms.stockout_cost
    expected = np.nan_to_num(decision.levels.expected_demand)
    net = stock.on_hand - stock.backorders
    one = np.ones(found.num)
    found.set("no_stock_record", np.isnan(stock.on_hand))
    waiting = np.maximum(-net, 0)
    found.set("negative_stock", net < 0, waiting, waiting * price, one)
    lost = decision.unavoidable
    found.set("stockout_now", (net <= 0) & (expected > 0.01), lost, lost * price, one)
    early = runs_dry_before(decision, terms)
    found.set("stockout_before_arrival", early, lost, lost * price, decision.dry_in)
    found.set("stockout_likely", ~early & ~np.isnan(decision.dry_in), period=decision.dry_in)
    spoilt = decision.expired
    found.set("will_expire", spoilt >= _SOME, spoilt, spoilt * terms.unit_cost)
    interval = decision.protection_interval
    sells = expected / np.maximum(interval, 1)
    # Of what nobody knows, stock or demand, nobody can say that it is too much.
    excess = np.nan_to_num(stock.position - _EXCESS * decision.levels.expected_demand)
    much = (excess >= 1) & (excess > sells) & (np.nan_to_num(decision.quantity) == 0)
    found.set("excess_stock", much, excess, excess * terms.unit_cost)


def _of_orders(found: Flags, decision: OrderDecision, stock: Stock, terms: Terms) -> None:
    ahead = np.arange(1, stock.arrivals.shape[1] + 1)
    cost = terms.unit_cost
    late = stock.late
    found.set("delivery_overdue", late > 0, late, late * cost, np.ones(found.num))
    after_next = np.where(ahead > decision.protection_interval[:, None], stock.arrivals, 0)
    after_dry = np.where(ahead > decision.dry_in[:, None], stock.arrivals, 0)
    wanted = np.nan_to_num(decision.need) > 0
    units = np.where(wanted[:, None], np.maximum(after_next, after_dry), after_dry)
    first = np.where((units > 0).any(axis=1), (units > 0).argmax(axis=1) + 1.0, np.nan)
    total = units.sum(axis=1)
    found.set("delivery_too_late", total > 0, total, total * cost, first)
    quantity, need = np.nan_to_num(decision.quantity), np.nan_to_num(decision.need)
    pack = terms.pack_size
    minimum = terms.min_order > np.ceil(np.maximum(need, 0) / pack - 1e-9) * pack
    raised = decision.limited & minimum & (need > 0)
    over = np.maximum(quantity - need, 0)
    found.set("min_order_above_need", raised, over, over * cost)
    short = np.maximum(need - quantity, 0)
    no_room = terms.room(decision.position) < need
    capped = decision.limited & ~minimum & (short >= pack) & no_room
    if terms.max_order is not None or terms.max_stock is not None:
        found.set("limit_reached", capped, short, short * terms.stockout_cost)


def _of_demand(
    found: Flags,
    panel: Panel,
    decision: OrderDecision,
    config: InventoryConfig,
) -> None:
    periods = max(panel.timeline.season_length, _RECENT)
    expected = decision.levels.expected_demand
    usual, chance = _usual_demand(panel, decision.protection_interval, expected)
    far = (expected > config.demand_jump * usual) | (usual > config.demand_jump * expected)
    beyond = np.abs(expected - usual) > np.maximum(1, chance)
    found.set("demand_jump", far & beyond, expected - usual)
    young = panel.num_periods - panel.launch() < min(periods, panel.num_periods)
    found.set("new_product", young)
    first = max(0, panel.num_periods - _OUTLIERS)
    marked = has_flag(panel.flags[:, first:], Flag.OUTLIER)
    largest = np.where(marked, np.asarray(panel.y[:, first:]), 0).max(axis=1, initial=0)
    found.set("outlier", np.asarray(marked.any(axis=1)), largest.astype(np.float64))


def _usual_demand(
    panel: Panel, interval: npt.NDArray[np.generic], expected: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what was sold of late in as many periods as an order lasts, and how far chance goes.

    Of late is a season, at least 13 periods, and as long as the order's interval: two weeks say
    little of what a spare part sells in three months. Chance is two standard deviations of both
    intervals, the sales of a count at least.

    Args:
        panel: Sales.
        interval: (series,) lead time and review, in periods.
        expected: (series,) units in it.
    """
    usual, chance = np.zeros(panel.num_series), np.zeros(panel.num_series)
    least = max(panel.timeline.season_length, _RECENT)
    window = np.minimum(np.maximum(np.asarray(interval, np.int64), least), panel.num_periods)
    for length in np.unique(window):
        rows = np.flatnonzero(window == length)
        first = panel.num_periods - int(length)
        seen = ~has_flag(panel.flags[rows, first:], UNOBSERVED | Flag.OUTLIER)
        late = SalesStatistics.of(np.where(seen, np.asarray(panel.y[rows, first:]), np.nan))
        lasts = np.asarray(interval, np.float64)[rows]
        usual[rows] = late.mean * lasts
        spread = (late.mean * np.where(late.mean > 0, late.variation, 0)) ** 2
        a_period = np.maximum(spread, np.maximum(expected[rows], usual[rows]) / lasts)
        chance[rows] = _CHANCE * np.sqrt(a_period * lasts * (1 + lasts / length))
    return usual, chance


def dead_series(panel: Panel) -> BoolArray:
    """Return the series that no longer sell, or never did, although they were there.

    Nothing sold for a season, at least 26 periods, that were recorded; for five times as long as
    it usually went between two sales, and for longer than it ever went, so that a slow seller is
    not taken for dead, nor what sells in one season of the year only.

    Example:
        Both sell one a day for ten days; then one sells nothing for thirty:

        >>> from invopt.timeline import Timeline
        >>> sold = np.ones((2, 40))
        >>> sold[0, 10:] = 0
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 40)
        >>> series = pd.DataFrame({"unique_id": ["a", "b"]})
        >>> dead_series(Panel(days, series, sold, np.zeros((2, 40), np.uint8))).tolist()
        [True, False]
    """
    silent = _silent(panel)
    if panel.num_periods < silent:
        return np.zeros(panel.num_series, bool)
    found = np.zeros(panel.num_series, bool)
    latest = panel.num_periods - silent
    idle = ~((np.asarray(panel.y[:, latest:]) > 0) & _seen(panel, latest)).any(axis=1)
    rows = np.flatnonzero(idle)
    for part in np.split(rows, range(_AT_ONCE, len(rows), _AT_ONCE)):
        own = panel.select(part)
        y, seen = np.asarray(own.y), _seen(own)
        sold = (y > 0) & seen
        ever = sold.any(axis=1)
        since = np.where(ever, panel.num_periods - 1 - _last(sold), panel.num_periods)
        quiet = np.arange(panel.num_periods) >= (panel.num_periods - since)[:, None]
        recorded = (quiet & seen).sum(axis=1)
        before = (seen & ~quiet).sum(axis=1)
        gap = before / np.maximum(sold.sum(axis=1), 1)
        patience = np.maximum(_GAPS * gap, _longest_gap(sold, seen) + 1)
        found[part] = (recorded >= silent) & (~ever | (recorded >= patience))
    return found


def _longest_gap(sold: BoolArray, seen: BoolArray) -> IntArray:
    """Return the recorded periods without a sale between two sales, at most, by series.

    Args:
        sold: (series, period) where something was sold.
        seen: (series, period) where sales were recorded.

    Example:
        >>> _longest_gap(np.array([[True, False, False, True, False]]), np.ones((1, 5), bool))
        array([2])
    """
    count = np.cumsum(seen, axis=1)
    latest = np.maximum.accumulate(np.where(sold, count, 0), axis=1)
    before = np.concatenate([np.zeros((len(sold), 1), latest.dtype), latest[:, :-1]], axis=1)
    gaps = np.where(sold & (before > 0), count - before - 1, 0)
    return np.asarray(gaps.max(axis=1, initial=0), np.int64)


def _silent(panel: Panel) -> int:
    """Return the periods without a sale after which a series may be dead."""
    return max(_DEAD, panel.timeline.season_length)


def on_sale_again(panel: Panel) -> BoolArray:
    """Return the series that a plan puts on sale so late that their silence says nothing.

    Example:
        After thirty days without a sale one is sold from tomorrow on, the other was so long ago:

        >>> from invopt.timeline import Timeline
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 30)
        >>> series = pd.DataFrame({"unique_id": ["a", "b"],
        ...                        "phase_in": ["2024-01-31", "2023-06-01"]})
        >>> nothing = np.zeros((2, 30))
        >>> on_sale_again(Panel(days, series, nothing, np.zeros((2, 30), np.uint8))).tolist()
        [True, False]
    """
    found = np.zeros(panel.num_series, bool)
    if "phase_in" not in panel.series:
        return found
    dates = pd.DatetimeIndex(pd.to_datetime(panel.series["phase_in"], errors="coerce"))
    given = np.asarray(dates.notna())
    found[given] = panel.timeline.index_of(dates[given]) > panel.num_periods - _silent(panel)
    return found


def _seen(panel: Panel, first: int = 0) -> BoolArray:
    """Return where, from a period on, sales were recorded, on sale and not limited by stock."""
    return ~has_flag(panel.flags[:, first:], UNOBSERVED)


def _last(mask: BoolArray) -> IntArray:
    return np.asarray(mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1), np.int64)


def recent_sales(panel: Panel) -> SalesStatistics:
    """Return what each series sold in the latest season (at least 13 periods), outliers apart.

    Example:
        Of twenty days the last thirteen count, but for a bulk order among them: twelve days of 2:

        >>> from invopt.timeline import Timeline
        >>> sold, flags = np.full((1, 20), 2.0), np.zeros((1, 20), np.uint8)
        >>> sold[0, :7], sold[0, 15], flags[0, 15] = 9, 500, Flag.OUTLIER
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 20)
        >>> found = recent_sales(Panel(days, pd.DataFrame({"unique_id": ["a"]}), sold, flags))
        >>> found.mean.tolist(), found.variation.tolist()
        ([2.0], [0.0])
    """
    periods = max(panel.timeline.season_length, _RECENT)
    first = max(0, panel.num_periods - periods)
    seen = ~has_flag(panel.flags[:, first:], UNOBSERVED | Flag.OUTLIER)
    return SalesStatistics.of(np.where(seen, panel.y[:, first:], np.nan))


def _joined(texts: Sequence[str], masks: BoolArray) -> npt.NDArray[np.object_]:
    """Return per row the texts whose mask holds, joined by ";"; few combinations occur."""
    codes = masks @ (1 << np.arange(masks.shape[1]))
    found = np.full(len(masks), "", object)
    for code in np.unique(codes):
        found[codes == code] = ";".join(t for i, t in enumerate(texts) if code >> i & 1)
    return found
