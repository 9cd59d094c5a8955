"""Replay of an ordering rule on demand: what it costs, what it serves, what it holds.

One period, in order: what was ordered lead_time + 1 periods ago arrives; demand is served from
stock; what is left is held and paid for, what is missing is lost (or waits); where a review
falls on the period, an order is placed at its end.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.replay import Replay

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
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
    """
    play = partial(
        _play, demand, rule, terms, opening,
        lost_sales=lost_sales, first_review=first_review, warmup=warmup, lead_times=lead_times,
    )  # fmt: skip
    starts = range(0, len(demand), _BLOCK)
    blocks = [slice(first, min(first + _BLOCK, len(demand))) for first in starts]
    if num_threads == 1 or len(blocks) == 1:
        parts = [play(rows) for rows in blocks]
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            parts = list(pool.map(play, blocks))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Replay(**joined, num_periods=demand.shape[1] - warmup)


def _play(
    demand: npt.NDArray[np.floating],  # type: ignore[type-arg]
    rule: OrderRule,
    terms: Terms,
    opening: Opening,
    rows: slice,
    *,
    lost_sales: bool,
    first_review: int,
    warmup: int,
    lead_times: IntArray | None,
) -> dict[str, FloatArray]:
    """Replay one block; the loop writes into arrays it owns, since memory is what it waits for."""
    asked = np.ascontiguousarray(demand[rows].T, np.float64)
    periods, num = asked.shape
    schedule = _Schedule(rows, periods, terms, opening, lead_times)
    state = State(
        opening.on_hand[rows].astype(np.float64),
        schedule.due.sum(axis=0),
        np.zeros(num),
        schedule.due,
    )
    total = {name: np.zeros(num) for name in ("received", "stock", "stockouts", "lost", "late")}
    orders, squares, reviews = np.zeros(num), np.zeros(num), 0
    stock, missing, flag = state.on_hand, np.zeros(num), np.zeros(num, bool)
    for t in range(periods):
        counted = t >= warmup
        arrived = schedule.due[t]
        stock += arrived
        state.on_order -= arrived
        if lost_sales:
            np.subtract(asked[t], stock, out=missing)
        else:
            if counted:
                # Stock serves those who waited first: what is left of it serves this period.
                late = np.minimum(state.backorders, stock)
                total["late"] += np.maximum(asked[t] - (stock - late), 0)
            np.add(asked[t], state.backorders, out=missing)
            missing -= stock
        np.negative(missing, out=stock)
        np.maximum(stock, 0, out=stock)
        np.maximum(missing, 0, out=missing)
        if not lost_sales:
            state.backorders[:] = missing
        if counted:
            total["received"] += arrived
            total["stock"] += stock
            total["lost"] += missing
            np.greater(missing, 1e-9, out=flag)
            total["stockouts"] += flag
        if t >= first_review and (t - first_review) % terms.review_period == 0:
            state.arrivals = schedule.due[t + 1 :]
            placed = rule(rows, t, state)
            schedule.place(t, placed)
            state.on_order += placed
            if counted:
                orders += placed
                squares += placed * placed
                reviews += 1
    seen = asked[warmup:].sum(axis=0)
    mean_order = orders / max(1, reviews)
    return {
        "holding_cost": total["stock"] * terms.holding_cost[rows],
        "stockout_cost": total["lost"] * terms.stockout_cost[rows],
        "demand": seen,
        "served": seen - total["lost" if lost_sales else "late"],
        "ordered": orders,
        "received": total["received"],
        "stock": total["stock"],
        "stockouts": total["stockouts"],
        "cycles": (asked[warmup:] > 0).sum(axis=0).astype(np.float64),
        "closing": stock,
        "backorders": state.backorders,
        "order_variance": np.maximum(squares / max(1, reviews) - mean_order**2, 0),
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
