"""Sentences for a planner: why so much is ordered, and what no order can change any more."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.inventory.costs import Terms
from invopt.inventory.decision import OrderDecision
from invopt.inventory.stock import Stock
from invopt.inventory.wording import in_words
from invopt.types import BoolArray, FloatArray, IntArray

NO_STOCK = "stock is not known"
HORIZON = "the lead time reaches beyond the forecast's horizon"
NOT_WORTH_IT = ", and an order is not worth it"
NO_ROOM = ", and its largest order or stock leaves no room for one"
CODES = (
    "below_level", "covered", "not_worth_it", "no_stock_record", "lead_time_beyond_horizon",
    "data_fault",
)  # fmt: skip


@dataclass(frozen=True)
class Notes:
    """What is to be said of series beside the order itself; sentences by row, "" for none.

    Attributes:
        before: Sentences that stand in place of the usual reason.
        after: Sentences that follow it.
        is_decided: True where something else than its expected cost keeps an order small: a
            planner, a budget, a supplier's minimum. It is not said to be not worth it.
    """

    before: npt.NDArray[np.object_] = field(repr=False)
    after: npt.NDArray[np.object_] = field(repr=False)
    is_decided: BoolArray = field(repr=False)

    @classmethod
    def none(cls, num: int) -> "Notes":
        """Return notes that say nothing."""
        return cls(np.full(num, "", object), np.full(num, "", object), np.zeros(num, bool))

    def add(self, rows: IntArray, sentences: list[str]) -> None:
        """Append a sentence to some series."""
        for row, sentence in zip(rows, sentences, strict=True):
            said = self.after[row]
            self.after[row] = f"{said}; {sentence}" if said else sentence


def reasons_of(
    decision: OrderDecision,
    stock: Stock,
    terms: Terms,
    notes: Notes | None = None,
    dates: pd.DatetimeIndex | None = None,
    currency: str = "",
) -> npt.NDArray[np.object_]:
    """Return a sentence per series: why it is ordered, or why not.

    Args:
        decision: Of the series.
        stock: Of the same series.
        terms: Of the same series.
        notes: What else is to be said.
        dates: First days of the periods ahead; periods are named by number without them.
        currency: Of all money; "" where it is not known.

    Example:
        Five days of ten until the next order arrives, and 20 on the shelf. Of the 30 ordered one
        less misses a sale at 9 and is not held for two days at 1, one more is held for three:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.forecasts import ForecastArrays
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.decision import decide
        >>> from invopt.inventory.stock import stock_of
        >>> mean, shares = np.full((1, 5), 10, np.float32), (0.5, 0.9)
        >>> sums = mean.cumsum(axis=1)[..., None].repeat(2, axis=2)
        >>> forecast = ForecastArrays(mean, mean[..., None].repeat(2, axis=2), sums, shares, shares,
        ...                           is_count=True)
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=2, review_period=3)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> shelf = pd.DataFrame({"unique_id": ["a"], "on_hand": [20.0]})
        >>> stock = stock_of(np.array(["a"], object), shelf)
        >>> decision = decide(forecast, terms, stock, config, is_count=True)
        >>> reasons_of(decision, stock, terms)[0].split("; ")  # doctest: +NORMALIZE_WHITESPACE
        ['position 20 is below the level 50: expected demand 50 and safety stock 0',
         'one less costs 7 more, one more costs 3 more']
    """
    num = len(decision.quantity)
    notes = notes or Notes.none(num)
    found = _orders(decision, terms, notes, currency)
    _add_smoothing(found, decision)
    _add_tail(found, decision, terms)
    _add_before(found, decision, terms, dates, currency=currency)
    far = np.isnan(decision.levels.expected_demand)
    unknown = np.isnan(stock.on_hand)
    found[unknown], found[far] = NO_STOCK, HORIZON
    if terms.faults is not None:
        bad = terms.faults != ""
        found[bad] = "nothing can be ordered: " + terms.faults[bad]
    said = notes.before != ""
    found[said] = notes.before[said]
    more = notes.after != ""
    found[more] += "; " + notes.after[more]
    return found


def codes_of(decision: OrderDecision, stock: Stock, terms: Terms) -> npt.NDArray[np.object_]:
    """Return the word for machines beside each sentence of `reasons_of`, one of CODES.

    Args:
        decision: Of the series.
        stock: Of the same series.
        terms: Of the same series.

    Example:
        Five days of ten until the next order arrives: 20 on the shelf are below that, 60 cover it:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.forecasts import ForecastArrays
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.decision import decide
        >>> from invopt.inventory.stock import stock_of
        >>> mean, shares = np.full((1, 5), 10, np.float32), (0.5, 0.9)
        >>> sums = mean.cumsum(axis=1)[..., None].repeat(2, axis=2)
        >>> forecast = ForecastArrays(mean, mean[..., None].repeat(2, axis=2), sums, shares, shares,
        ...                           is_count=True)
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=2, review_period=3)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> for units in (20.0, 60.0):
        ...     shelf = pd.DataFrame({"unique_id": ["a"], "on_hand": [units]})
        ...     stock = stock_of(np.array(["a"], object), shelf)
        ...     decision = decide(forecast, terms, stock, config, is_count=True)
        ...     codes_of(decision, stock, terms).tolist()
        ['below_level']
        ['covered']
    """
    with np.errstate(invalid="ignore"):
        found = np.where(decision.need <= 0, "covered", "not_worth_it").astype(object)
        found[decision.quantity > 0] = "below_level"
    found[np.isnan(stock.on_hand)] = "no_stock_record"
    found[np.isnan(decision.levels.expected_demand)] = "lead_time_beyond_horizon"
    if terms.faults is not None:
        found[terms.faults != ""] = "data_fault"
    return found


def _orders(
    decision: OrderDecision, terms: Terms, notes: Notes, currency: str
) -> npt.NDArray[np.object_]:
    """Return the sentence about position and level.

    What is ordered although the position covers the level has another sentence to say why.
    """
    levels, found = decision.levels, np.full(len(decision.quantity), "", object)
    ordered = (decision.quantity > 0) & (decision.need > 0)
    columns = (decision.position, levels.order_up_to, levels.expected_demand, levels.safety_stock,
               decision.one_less, decision.one_more, terms.pack_size)  # fmt: skip
    found[ordered] = [
        f"position {in_words(position, 4)} is below the level {in_words(level, 4)}: "
        f"expected demand {in_words(expected)} and safety stock {in_words(safety)}"
        f"{_neighbours(less, more, pack, currency)}"
        for position, level, expected, safety, less, more, pack in _rows(ordered, *columns)
    ]
    covered = ~ordered
    found[covered] = [
        f"position {in_words(position, 4)} covers the level {in_words(level, 4)}"
        if need <= 0
        else f"position {in_words(position, 4)} is below the level {in_words(level, 4)}{why_not}"
        for (position, level, need), why_not in zip(
            _rows(covered, decision.position, levels.order_up_to, decision.need),
            _why_not(decision, terms, notes)[covered],
            strict=True,
        )
    ]
    return found


def _why_not(decision: OrderDecision, terms: Terms, notes: Notes) -> npt.NDArray[np.object_]:
    """Return why nothing is ordered of what is needed; "" where another sentence says so."""
    no_room = terms.room(decision.position) < terms.least_order - 1e-9
    found = np.where(no_room, NO_ROOM, NOT_WORTH_IT).astype(object)
    found[notes.is_decided] = ""
    return found


def _neighbours(less: float, more: float, pack: float, currency: str) -> str:
    """Return what one pack less and one more cost; nothing where the quantity was not chosen so."""
    if not (less >= 0 and more >= 0):
        return ""
    one = "one" if pack == 1 else f"one pack ({in_words(pack)})"
    fewer, further = (f"{currency} {in_words(money)}".strip() for money in (less, more))
    return f"; {one} less costs {fewer} more, {one} more costs {further} more"


def _add_smoothing(found: npt.NDArray[np.object_], decision: OrderDecision) -> None:
    """Say where another quantity would cost least."""
    for row in np.flatnonzero(~np.isnan(decision.before_smoothing)):
        ordered, least = (
            in_words(v[row], 4) for v in (decision.quantity, decision.before_smoothing)
        )
        found[row] += (
            f"; {ordered} are ordered instead of {least}, which would cost least: nearer to the "
            "usual order"
        )


def _add_tail(found: npt.NDArray[np.object_], decision: OrderDecision, terms: Terms) -> None:
    """Say where the order rests on demand that the forecast's quantiles do not reach."""
    by_ratio = decision.levels.on_tail
    if terms.fill_rate is not None:
        by_ratio = by_ratio & np.isnan(terms.fill_rate)
    ratio = terms.critical_ratio
    for row in np.flatnonzero(by_ratio):
        found[row] += (
            f"; the critical ratio {ratio[row]:.4g} is beyond the forecast's "
            "quantiles: what it asks for comes from a fitted tail"
        )


def _add_before(
    found: npt.NDArray[np.object_],
    decision: OrderDecision,
    terms: Terms,
    dates: pd.DatetimeIndex | None,
    *,
    currency: str,
) -> None:
    """Say where sales are lost before an order can arrive."""
    rows = np.flatnonzero(runs_dry_before(decision, terms))
    named: dict[int, str] = {}
    for row in rows:
        units = decision.unavoidable[row]
        money = units * terms.stockout_cost[row]
        day = decision.dry_in[row]
        lost = f"{currency} {in_words(money)}" if currency else f"{in_words(money)} in money"
        when = "" if np.isnan(day) else f" {_day(int(day), dates, named)}"
        arrives = _day(int(terms.lead_time[row]) + 1, dates, named)
        found[row] += (
            f"; runs out{when}, before an order placed now can arrive {arrives}: "
            f"{in_words(units)} units ({lost}) are missed whatever is ordered"
        )


def runs_dry_before(decision: OrderDecision, terms: Terms) -> BoolArray:
    """Return the series that will miss sales before an order placed now can arrive.

    Example:
        Ten a day for certain and two days until an order arrives: 20 on the shelf last, 19 do not:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.forecasts import ForecastArrays
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.decision import decide
        >>> from invopt.inventory.stock import stock_of
        >>> mean, shares = np.full((1, 5), 10, np.float32), (0.5, 0.9)
        >>> sums = mean.cumsum(axis=1)[..., None].repeat(2, axis=2)
        >>> forecast = ForecastArrays(mean, mean[..., None].repeat(2, axis=2), sums, shares, shares,
        ...                           is_count=True)
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=2, review_period=3)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> for units in (20.0, 19.0):
        ...     shelf = pd.DataFrame({"unique_id": ["a"], "on_hand": [units]})
        ...     stock = stock_of(np.array(["a"], object), shelf)
        ...     decision = decide(forecast, terms, stock, config, is_count=True)
        ...     runs_dry_before(decision, terms).tolist()
        [False]
        [True]
    """
    with np.errstate(invalid="ignore"):
        dry = decision.dry_in <= terms.lead_time
        share = decision.levels.expected_demand * terms.lead_time
        share = share / np.maximum(decision.protection_interval, 1)
        much = (decision.unavoidable >= _LEAST) & (decision.unavoidable >= _SHARE * share)
    return np.asarray((dry & (decision.unavoidable > 0)) | much)


# Units, and share of the demand before arrival, that are worth telling.
_LEAST, _SHARE = 0.5, 0.1


def _day(period: int, dates: pd.DatetimeIndex | None, named: dict[int, str]) -> str:
    if period not in named:
        if dates is None or period > len(dates):
            named[period] = f"in period {period}"
        else:
            named[period] = f"on {dates[period - 1]:%Y-%m-%d}"
    return named[period]


def _rows(mask: BoolArray, *columns: FloatArray) -> list[tuple[float, ...]]:
    return list(zip(*(column[mask].tolist() for column in columns), strict=True))
