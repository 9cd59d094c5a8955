"""Orders that last for longer than their own interval: packs, minima, and lots of a line's cost.

A lot that brings more than sells until the next order arrives is paid for in the intervals after
it too, and is what sales in them are served from. Judged by its own interval alone a product that
sells a hundredth of its pack a day would never be ordered, whatever it earns. So where a sale is
missed without it, a lot is weighed by what it costs per interval, from its arrival until it is
sold: what lies on the shelf falls from all of it to nothing.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.inventory.costs import Terms
from invopt.inventory.halving import largest
from invopt.inventory.path import IntervalOutlook
from invopt.types import BoolArray, FloatArray, IntArray

_TINY = 1e-9
_POINTS = 24  # intervals of a lot that are looked at one by one, or stand for several


@dataclass(frozen=True)
class Later:
    """What comes after an order's own interval; arrays are by series.

    Attributes:
        demand: (series,) units that an interval of the same length asks for later.
        intervals: (series,) of that length from the order's arrival until the product ends, its
            own included; infinite for never.
    """

    demand: FloatArray = field(repr=False)
    intervals: FloatArray = field(repr=False)

    @classmethod
    def alike(cls, ahead: IntervalOutlook) -> "Later":
        """Return later intervals that are like the order's own, for ever."""
        return cls(ahead.demand, np.full(len(ahead.demand), np.inf))

    def select(self, rows: IntArray) -> "Later":
        """Return what comes later of some series."""
        return replace(self, demand=self.demand[rows], intervals=self.intervals[rows])


def outlasts(ahead: IntervalOutlook, terms: Terms) -> BoolArray:
    """Return the series whose smallest order is more than their own interval sells.

    Example:
        One a period sells; packs of 1, and of 10:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> series = {"unique_id": ["a", "b"], "pack_size": [1, 10]}
        >>> terms = terms_of(series, None, InventoryConfig())
        >>> demand, law = np.ones((1, 2, 1), np.float32), LeadLaw.fixed(0, 1, 1)
        >>> path = project(np.zeros(2), np.zeros((2, 1)), demand, law, lost_sales=True)
        >>> outlasts(path.outlook, terms).tolist()
        [False, True]
    """
    return np.asarray(terms.least_order > np.maximum(ahead.demand, 1) * (1 + _TINY))


def change_per_interval(
    ahead: IntervalOutlook,
    terms: Terms,
    later: Later,
    quantity: FloatArray,
    step: FloatArray,
    *,
    lost_sales: bool,
) -> FloatArray:
    """Return (series,) change of cost per interval by a lot of `step` units beside a quantity.

    Waiting for the next review moves the lot by what sells until then, which is what its own
    interval costs; what is missed meanwhile moves it in time, and is weighed by all it lasts for.
    Sales that wait are not missed, and only move it.

    Args:
        ahead: What an order changes in its own interval.
        terms: Costs.
        later: What comes after it.
        quantity: (series,) units that are ordered beside.
        step: (series,) units of the lot.
        lost_sales: Unmet demand is lost; else it waits.

    Example:
        One a day for certain, 0.03 a day to hold and 1 to miss. A pack of 50 lies there for 50
        days, 24.5 of it in the mean when a day has ended: 24.5 * 0.03 are less than the 1 that is
        missed each day without it, though its first day alone costs 49 * 0.03:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> costs = InventoryConfig(
        ...     holding_cost=0.03, stockout_cost=1, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"], "pack_size": [50]}, None, costs)
        >>> demand, law = np.ones((1, 1, 1), np.float32), LeadLaw.fixed(0, 1, 1)
        >>> ahead = project(np.zeros(1), np.zeros((1, 1)), demand, law, lost_sales=True).outlook
        >>> lot, later = np.array([50.0]), Later.alike(ahead)
        >>> found = change_per_interval(ahead, terms, later, 0 * lot, lot, lost_sales=True)
        >>> own = ahead.change(0 * lot, lot, terms.holding_cost, terms.stockout_cost)
        >>> found.round(2).tolist(), own.round(2).tolist()
        ([-0.27], [0.47])
    """
    costs = (terms.holding_cost, terms.stockout_cost)
    own = ahead.change(quantity, step, *costs)
    missed, short = ahead.missed(quantity), ahead.short(quantity)
    # What is asked for at once is sold at once: less than that never leaves the shelf.
    least = np.maximum(missed / np.maximum(short, _TINY), _TINY)
    first, further = np.maximum(ahead.demand, least), np.maximum(later.demand, least)
    number = 1 + np.ceil(np.maximum(step - first, 0) / further - _TINY)
    lasts = np.minimum(number, later.intervals)  # the last interval before an end is cut short
    number = np.ceil(lasts)
    points = np.minimum(number, _POINTS)
    total = np.zeros(len(step))
    for point in range(int(points.max(initial=0))):
        at = np.where(number > _POINTS, (point + 0.5) * number / points - 0.5, point)
        left = step - np.minimum(at, 1) * first - np.maximum(at - 1, 0) * further
        left = np.where(point < points, np.maximum(left, 0), 0)
        total += ahead.change(quantity, left, *costs)
    share = np.zeros(len(step))
    if lost_sales:
        share = np.clip(missed / np.maximum(ahead.demand, _TINY), 0, 1)
    stranded = ahead.stranded(quantity, step, terms.stranded) / np.maximum(lasts, 1)
    return (1 - share) * own + share * total / np.maximum(points, 1) + stranded


def lots_of(
    ahead: IntervalOutlook, terms: Terms, later: Later, need: FloatArray, promise: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return the units that the cost of an order line asks for, and that cost per interval.

    Where a line costs K, an order for n intervals of mean demand D is cheaper: K / n and
    h D (n - 1) / 2 for what lies longer are least near n = sqrt(2 K / (h D)), which is the economic
    lot of Harris (1913); it is a whole number here, since an order is placed at a review. Waiting
    an interval saves the interval's part of K. A product that ends is not ordered for longer than
    it sells.

    Args:
        ahead: What an order changes in its own interval.
        terms: Costs.
        later: What comes after it.
        need: (series,) units that its own interval asks for.
        promise: (series,) where a service is promised, whatever a line costs.

    Example:
        25 a week for certain, 8 a line and 0.225 a unit and year (Snyder and Shen, example 3.1):
        the lot of 304 is twelve weeks of them, and each week that passes without a line saves a
        twelfth of 8:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> costs = InventoryConfig(stockout_cost=1, lead_time=0, review_period=1)
        >>> weekly = {"unique_id": ["a"], "holding_cost": [0.225 / 52], "order_cost": [8.0]}
        >>> terms, law = terms_of(weekly, None, costs), LeadLaw.fixed(0, 1, 1)
        >>> week = np.full((1, 1, 1), 25, np.float32)
        >>> ahead = project(np.zeros(1), np.zeros((1, 1)), week, law, lost_sales=True).outlook
        >>> need, promise = np.full(1, 25.0), np.zeros(1, bool)
        >>> lot, line = lots_of(ahead, terms, Later.alike(ahead), need, promise)
        >>> lot.tolist(), line.round(3).tolist()
        ([300.0], [0.667])
    """
    if terms.order_cost is None:
        return np.zeros_like(need), np.zeros_like(need)
    cost = np.where(promise, 0, np.nan_to_num(terms.order_cost))
    longer = terms.holding_cost * ahead.periods * np.maximum(later.demand, _TINY) / 2
    most = np.ceil(later.intervals)
    number = intervals_of(cost, longer, most)
    lot = need + (number - 1) * later.demand
    if ahead.leaving is not None:
        lot = np.minimum(lot, np.maximum(_sold_in_time(ahead, terms, number), need))
    bought = np.maximum(lot, terms.least_order)
    lasts = np.minimum(1 + (bought - need) / np.maximum(later.demand, _TINY), most)
    return lot, cost / np.maximum(number, lasts)


def intervals_of(cost: FloatArray, longer: FloatArray, most: FloatArray) -> FloatArray:
    """Return (series,) the whole number n of intervals that K / n + longer (n - 1) is least for.

    Args:
        cost: (series,) money of an order line, K.
        longer: (series,) money that an order for one interval more costs in each of them.
        most: (series,) largest number.

    Example:
        >>> intervals_of(np.array([8.0, 0.0]), np.full(2, 0.054), np.full(2, np.inf)).tolist()
        [12.0, 1.0]
    """
    most = np.ceil(most)
    low = np.clip(np.floor(np.sqrt(cost / np.maximum(longer, _TINY))), 1, most)
    more = np.minimum(low + 1, most)
    further = cost / more + longer * (more - 1) < cost / low + longer * (low - 1)
    return np.where(further, more, low)


def _sold_in_time(ahead: IntervalOutlook, terms: Terms, number: FloatArray) -> FloatArray:
    """Return (series,) the units whose last one is still worth having before the product ends."""
    assert ahead.leaving is not None
    held = terms.holding_cost * ahead.periods * number
    lost = np.zeros(len(number)) if terms.stranded is None else terms.stranded
    one = np.ones(len(number))

    def wanted(units: FloatArray) -> BoolArray:
        sold = one - ahead.stranded(units, one, one)
        return np.asarray(sold * (terms.stockout_cost + lost) > lost + held)

    low, high = ahead.leaving.low - 1, ahead.leaving.high
    return largest(wanted, low, high, whole=True) + 1
