"""Replay of an ordering rule on demand: what it costs, what it serves, what it holds.

One period, in order: what was ordered lead_time + 1 periods ago arrives; demand is served from
stock; what is left is held and paid for, what is missing is lost (or waits); where a review
falls on the period, an order is placed at its end.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.replay import Replay
from invopt.types import FloatArray, IntArray

# Series replayed at once: their state stays in the processor's cache.
_BLOCK = 4096


@dataclass(frozen=True)
class Opening:
    """State before the first period.

    Attributes:
        on_hand: (series,) units.
        arrivals: (series, periods) units that arrive at the start of period 0, 1, ...
    """

    on_hand: FloatArray = field(repr=False)
    arrivals: FloatArray = field(repr=False)

    @classmethod
    def empty(cls, num_series: int) -> "Opening":
        """Return no stock and nothing under way."""
        return cls(np.zeros(num_series), np.zeros((num_series, 0)))


@dataclass
class State:
    """What a rule may look at when it orders at the end of a period; arrays are (block,), units.

    Attributes:
        on_hand: On the shelf.
        on_order: Under way, the order to be placed not included.
        backorders: Waiting customers; 0 with lost sales.
        arrivals: (periods, block) units that arrive at the start of the next period, the one
            after, ...
    """

    on_hand: FloatArray
    on_order: FloatArray
    backorders: FloatArray
    arrivals: FloatArray

    @property
    def position(self) -> FloatArray:
        """On hand plus on order minus backorders."""
        return self.on_hand + self.on_order - self.backorders


# (series rows of the block, period, state at its end) to units ordered.
OrderRule = Callable[[slice, int, State], FloatArray]


def simulate(
    demand: npt.NDArray[np.floating],  # type: ignore[type-arg]
    rule: OrderRule,
    terms: Terms,
    opening: Opening,
    *,
    lost_sales: bool = True,
    first_review: int = 0,
    warmup: int = 0,
    lead_times: IntArray | None = None,
    num_threads: int = 1,
) -> Replay:
    """Replay a rule on demand.

    Args:
        demand: (series, periods) units.
        rule: What to order at the end of a review period.
        terms: Costs and lead times of the series.
        opening: State before period 0.
        lost_sales: Unmet demand is lost; else it waits and is served first.
        first_review: First period at whose end an order is placed.
        warmup: Periods at the start whose costs and counts are left out.
        lead_times: (series, periods) lead time of an order placed at the end of each period;
            orders may overtake each other. Those of the terms when None.
        num_threads: Blocks of series replayed at the same time.

    Example:
        Demand of 5 a period, 8 on the shelf, orders of 5 that arrive two periods later. The second
        period finds 3, so two sales are lost, once:

        >>> one = np.ones(1)
        >>> terms = Terms(
        ...     holding_cost=0.1 * one, stockout_cost=2 * one, lead_time=np.array([1]),
        ...     review_period=1, pack_size=one, min_order=0 * one, unit_cost=one,
        ... )
        >>> opening = Opening(8 * one, np.zeros((1, 0)))
        >>> demand = np.full((1, 4), 5.0)
        >>> found = simulate(demand, lambda rows, period, state: 5 * one, terms, opening)
        >>> found.stockout_cost.tolist(), found.served.tolist(), found.closing.tolist()
        ([4.0], [18.0], [0.0])
    """
    play = _Play(
        demand=demand,
        rule=rule,
        terms=terms,
        opening=opening,
        lost_sales=lost_sales,
        first_review=first_review,
        warmup=warmup,
        lead_times=lead_times,
    ).block
    starts = range(0, len(demand), _BLOCK)
    blocks = [slice(first, min(first + _BLOCK, len(demand))) for first in starts]
    if num_threads == 1 or len(blocks) == 1:
        parts = [play(rows) for rows in blocks]
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            parts = list(pool.map(play, blocks))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Replay(**joined, num_periods=demand.shape[1] - warmup)


@dataclass(frozen=True, kw_only=True)
class _Play:
    """What is replayed; see simulate."""

    demand: npt.NDArray[np.floating]  # type: ignore[type-arg]
    rule: OrderRule
    terms: Terms
    opening: Opening
    lost_sales: bool
    first_review: int
    warmup: int
    lead_times: IntArray | None

    def block(self, rows: slice) -> dict[str, FloatArray]:
        """Replay some series; the loop writes into arrays it owns: memory is what it waits for."""
        asked = np.ascontiguousarray(self.demand[rows].T, np.float64)
        periods, num = asked.shape
        schedule = _Schedule(rows, periods, self.terms, self.opening, self.lead_times)
        on_hand = self.opening.on_hand[rows].astype(np.float64)
        state = State(on_hand, schedule.due.sum(axis=0), np.zeros(num), schedule.due)
        totals, missing = Totals(num), np.zeros(num)
        for t in range(periods):
            counted = t >= self.warmup
            arrived = schedule.due[t]
            state.on_hand += arrived
            state.on_order -= arrived
            if counted and not self.lost_sales:
                totals.wait(asked[t], state)
            sell(asked[t], state, missing, lost_sales=self.lost_sales)
            if counted:
                totals.count(arrived, state.on_hand, missing)
            since = t - self.first_review
            if since >= 0 and since % self.terms.review_period == 0:
                state.arrivals = schedule.due[t + 1 :]
                placed = self.rule(rows, t, state)
                schedule.place(t, placed)
                state.on_order += placed
                if counted:
                    totals.order(placed)
        costs = self.terms.holding_cost[rows], self.terms.stockout_cost[rows]
        return totals.told(asked[self.warmup :], state, *costs, lost_sales=self.lost_sales)


def sell(asked: FloatArray, state: State, missing: FloatArray, *, lost_sales: bool) -> None:
    """Sell from stock what is asked for; `missing` becomes the units that stock did not cover.

    Example:
        >>> state = State(np.array([3.0, 8.0]), np.zeros(2), np.zeros(2), np.zeros((0, 2)))
        >>> missing = np.zeros(2)
        >>> sell(np.full(2, 5.0), state, missing, lost_sales=True)
        >>> state.on_hand.tolist(), missing.tolist()
        ([0.0, 3.0], [2.0, 0.0])
    """
    stock = state.on_hand
    if lost_sales:
        np.subtract(asked, stock, out=missing)
    else:
        np.add(asked, state.backorders, out=missing)
        missing -= stock
    np.negative(missing, out=stock)
    np.maximum(stock, 0, out=stock)
    np.maximum(missing, 0, out=missing)
    if not lost_sales:
        state.backorders[:] = missing


class Totals:
    """Sums over the periods that count, by series."""

    def __init__(self, num: int) -> None:
        self.received, self.stock, self.stockouts = np.zeros(num), np.zeros(num), np.zeros(num)
        self.lost, self.late = np.zeros(num), np.zeros(num)
        self.ordered, self.squares, self.reviews = np.zeros(num), np.zeros(num), 0
        self.changed, self._last = np.zeros(num), np.zeros(num)
        self._flag = np.zeros(num, bool)

    def wait(self, asked: FloatArray, state: State) -> None:
        """Count what this period's callers wait for: stock serves those who waited first."""
        left = state.on_hand - np.minimum(state.backorders, state.on_hand)
        self.late += np.maximum(asked - left, 0)

    def count(self, arrived: FloatArray, stock: FloatArray, missing: FloatArray) -> None:
        """Count a period's arrivals, what is left at its end, and what stock did not cover."""
        self.received += arrived
        self.stock += stock
        self.lost += missing
        np.greater(missing, 1e-9, out=self._flag)
        self.stockouts += self._flag

    def order(self, placed: FloatArray) -> None:
        """Count a review's orders."""
        self.ordered += placed
        self.squares += placed * placed
        if self.reviews:
            self.changed += np.abs(placed - self._last)
        self._last[:] = placed
        self.reviews += 1

    @property
    def order_variance(self) -> FloatArray:
        """(series,) of what was ordered, over reviews."""
        mean = self.ordered / max(1, self.reviews)
        return np.maximum(self.squares / max(1, self.reviews) - mean**2, 0)

    def told(
        self,
        seen: FloatArray,
        state: State,
        holding_cost: FloatArray,
        stockout_cost: FloatArray,
        *,
        lost_sales: bool,
    ) -> dict[str, FloatArray]:
        """Return the arrays of a Replay.

        Args:
            seen: (periods, series) units asked for in the periods that count.
            state: At the end.
            holding_cost: (series,) money per unit left at the end of a period.
            stockout_cost: (series,) money per unit missed.
            lost_sales: Unmet demand is lost; else it waits.
        """
        return {
            "holding_cost": self.stock * holding_cost,
            "stockout_cost": self.lost * stockout_cost,
            "demand": seen.sum(axis=0),
            "served": seen.sum(axis=0) - (self.lost if lost_sales else self.late),
            "ordered": self.ordered,
            "received": self.received,
            "stock": self.stock,
            "stockouts": self.stockouts,
            "cycles": (seen > 0).sum(axis=0).astype(np.float64),
            "closing": state.on_hand,
            "backorders": state.backorders,
            "order_variance": self.order_variance,
            "order_change": self.changed,
        }


class _Schedule:
    """Units due at the start of each period, orders still to be placed included."""

    def __init__(
        self, rows: slice, periods: int, terms: Terms, opening: Opening, drawn: IntArray | None
    ) -> None:
        self.lead = terms.lead_time[rows]
        self.drawn = None if drawn is None else drawn[rows]
        longest = int((self.lead if self.drawn is None else self.drawn).max(initial=0))
        self.same = int(self.lead[0]) if (self.lead == self.lead[0]).all() else None
        known = opening.arrivals[rows].T
        self.due = np.zeros((max(periods + longest + 2, len(known)), len(self.lead)))
        self.due[: len(known)] = known
        self.index = np.arange(len(self.lead))

    def place(self, period: int, placed: FloatArray) -> None:
        if self.drawn is not None:
            self.due[period + self.drawn[:, period] + 1, self.index] += placed
        elif self.same is not None:
            self.due[period + self.same + 1] += placed
        else:
            self.due[period + self.lead + 1, self.index] += placed
