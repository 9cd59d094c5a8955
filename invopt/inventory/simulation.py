"""Replay of an ordering policy on demand: what it costs, what it serves, what it holds.

One period, in order: what was ordered lead_time + 1 periods ago arrives; demand is served from
stock; what is left is held and paid for, what is missing is lost (or waits); where a review
falls on the period, an order is placed at its end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms

FloatArray = npt.NDArray[np.float64]
# Series replayed at once: their state stays in the processor's cache.
_BLOCK = 4096


@dataclass(frozen=True)
class Replay:
    """Totals of a replay by series; every array is (series,).

    Attributes:
        holding_cost: Money.
        stockout_cost: Money.
        demand: Units asked for.
        served: Units sold from stock in the period they were asked for.
        ordered: Units ordered.
        received: Units received.
        stock: Sum over periods of units left at the end.
        stockouts: Periods with unmet demand.
        cycles: Periods with demand.
        closing: Units left at the end of the replay.
        backorders: Units waiting at the end.
        order_variance: Variance of the order quantity over reviews.
        num_periods: Periods counted.
    """

    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    demand: FloatArray = field(repr=False)
    served: FloatArray = field(repr=False)
    ordered: FloatArray = field(repr=False)
    received: FloatArray = field(repr=False)
    stock: FloatArray = field(repr=False)
    stockouts: FloatArray = field(repr=False)
    cycles: FloatArray = field(repr=False)
    closing: FloatArray = field(repr=False)
    backorders: FloatArray = field(repr=False)
    order_variance: FloatArray = field(repr=False)
    num_periods: int

    @property
    def cost(self) -> FloatArray:
        """Holding and stock-out cost, money."""
        return self.holding_cost + self.stockout_cost

    def summary(self) -> dict[str, float]:
        """Return the totals as the field's indicators.

        fill_rate is units served over units asked for; cycle_service the share of periods with
        demand that had no shortage; turns are units served per unit of mean stock over the
        replay; days_of_cover (in periods) is mean stock over mean demand.
        """
        demand, mean_stock = self.demand.sum(), self.stock.sum() / self.num_periods
        return {
            "cost": float(self.cost.sum()),
            "holding_cost": float(self.holding_cost.sum()),
            "stockout_cost": float(self.stockout_cost.sum()),
            "fill_rate": float(self.served.sum() / demand) if demand else 1.0,
            "cycle_service": float(1 - self.stockouts.sum() / max(1.0, self.cycles.sum())),
            "mean_stock": float(mean_stock),
            "turns": float(self.served.sum() / mean_stock) if mean_stock else float("inf"),
            "periods_of_cover": float(mean_stock * self.num_periods / demand) if demand else 0.0,
            "order_variance": float(self.order_variance.sum()),
            "ordered": float(self.ordered.sum()),
        }


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


# (series rows of the block, period, inventory position) to units ordered.
OrderRule = Callable[[slice, int, FloatArray], FloatArray]


def order_up_to(levels: FloatArray, terms: Terms) -> OrderRule:
    """Return the rule that orders up to levels[:, period], in packs and at least the minimum.

    Args:
        levels: (series, periods) order-up-to level at the end of each period, in units.
        terms: Packs and minimum orders.
    """
    plain = bool((terms.pack_size <= 1).all() and (terms.min_order <= 0).all())

    def rule(rows: slice, period: int, position: FloatArray) -> FloatArray:
        missing = np.maximum(levels[rows, period] - position, 0)
        return (
            missing if plain else round_order(missing, terms.pack_size[rows], terms.min_order[rows])
        )

    return rule


def round_order(missing: FloatArray, pack_size: FloatArray, min_order: FloatArray) -> FloatArray:
    """Return orders in whole packs, none below the minimum; 0 stays 0.

    A need is rounded up to whole packs: the level is a promise to the customer, and the surplus
    shortens the next order.
    """
    packs = np.ceil(missing / pack_size - 1e-9) * pack_size
    least = np.ceil(min_order / pack_size - 1e-9) * pack_size
    return np.where(missing > 1e-9, np.maximum(packs, least), 0.0)


def simulate(
    demand: FloatArray,
    rule: OrderRule,
    terms: Terms,
    opening: Opening,
    *,
    lost_sales: bool = True,
    first_review: int = 0,
    warmup: int = 0,
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
    """
    blocks = [
        _simulate_block(
            slice(first, min(first + _BLOCK, len(demand))),
            demand, rule, terms, opening, lost_sales, first_review, warmup,
        )
        for first in range(0, len(demand), _BLOCK)
    ]  # fmt: skip
    joined = {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}
    return Replay(**joined, num_periods=demand.shape[1] - warmup)


def _simulate_block(
    rows: slice,
    demand: FloatArray,
    rule: OrderRule,
    terms: Terms,
    opening: Opening,
    lost_sales: bool,
    first_review: int,
    warmup: int,
) -> dict[str, FloatArray]:
    num, periods = rows.stop - rows.start, demand.shape[1]
    lead = terms.lead_time[rows]
    same_lead = int(lead[0]) if (lead == lead[0]).all() else None
    asked = np.ascontiguousarray(demand[rows].T)
    width = periods + int(lead.max()) + 2
    due = np.zeros((width, num))
    known = min(opening.arrivals.shape[1], width)
    due[:known] = opening.arrivals[rows, :known].T
    on_order = opening.arrivals[rows].sum(axis=1)
    stock = opening.on_hand[rows].astype(np.float64)
    waiting = np.zeros(num)
    total = {
        name: np.zeros(num)
        for name in ("served", "ordered", "received", "stock", "stockouts", "lost")
    }
    orders, squares, reviews = np.zeros(num), np.zeros(num), 0
    index = np.arange(num)
    for t in range(periods):
        arrived = due[t]
        stock = stock + arrived
        on_order = on_order - arrived
        wanted = asked[t] + waiting if not lost_sales else asked[t]
        sold = np.minimum(stock, wanted)
        stock = stock - sold
        missing = wanted - sold
        if not lost_sales:
            waiting = missing
        if t >= warmup:
            total["served"] += np.minimum(sold, asked[t]) if not lost_sales else sold
            total["received"] += arrived
            total["stock"] += stock
            total["lost"] += missing
            total["stockouts"] += missing > 1e-9
        if t >= first_review and (t - first_review) % terms.review_period == 0:
            placed = rule(rows, t, stock + on_order - waiting)
            if same_lead is not None:
                due[t + same_lead + 1] += placed
            else:
                due[t + lead + 1, index] += placed
            on_order = on_order + placed
            if t >= warmup:
                orders += placed
                squares += placed * placed
                reviews += 1
    counted = asked[warmup:]
    mean_order = orders / max(1, reviews)
    return {
        "holding_cost": total["stock"] * terms.holding_cost[rows],
        "stockout_cost": total["lost"] * terms.stockout_cost[rows],
        "demand": counted.sum(axis=0),
        "served": total["served"],
        "ordered": orders,
        "received": total["received"],
        "stock": total["stock"],
        "stockouts": total["stockouts"],
        "cycles": (counted > 0).sum(axis=0).astype(np.float64),
        "closing": stock,
        "backorders": waiting,
        "order_variance": squares / max(1, reviews) - mean_order**2,
    }
