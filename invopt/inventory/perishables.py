"""Stock that cannot be sold for ever: what will expire does not cover, and is not ordered.

Oldest units are sold first (Nahmias, Perishable Inventory Systems, 2011), so units that left the
shelf, sold or expired, are one running total: by the end of a period it has reached at least all
that came in with a life that is over.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.inventory.aim import Aim, Weighed, aim_of, within_limits
from invopt.inventory.costs import Terms
from invopt.inventory.path import Path
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

Paths = Float32Array
_TINY = 1e-9
_SOME = 0.01  # expected units that expire, below which nothing is ordered anew


@dataclass(frozen=True)
class _Outcome:
    """Means over paths of a quantity; every array is (series,).

    Attributes:
        held: Units times periods of the order's own interval.
        missed: Units of the same periods.
        missed_before: Units before the order arrives.
        expired: Units up to the end of the interval.
        wasted: Units from the order's arrival until its own life is over.
    """

    held: FloatArray = field(repr=False)
    missed: FloatArray = field(repr=False)
    missed_before: FloatArray = field(repr=False)
    expired: FloatArray = field(repr=False)
    wasted: FloatArray = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Series whose units can be sold for the same time.

    Attributes:
        start: (series,) units on hand less those that customers wait for.
        arrivals: (series, periods) units by the period they come in.
        demand: (periods, series, paths) units, until the order's own life is over.
        life: Periods a unit can be sold in, the one of its arrival included.
        lead_time: Of all.
        cycle: Periods from the order's arrival to the next one's.
        lost_sales: Unmet demand is lost; else it waits.
    """

    start: FloatArray
    arrivals: FloatArray
    demand: Paths
    life: int
    lead_time: int
    cycle: int
    lost_sales: bool

    def select(self, rows: BoolArray | IntArray) -> "Shelf":
        """Return some series."""
        return replace(
            self,
            start=self.start[rows],
            arrivals=self.arrivals[rows],
            demand=self.demand[:, rows],
        )

    def outlived(self, quantity: FloatArray) -> BoolArray:
        """Return the series of which anything expires if so much is ordered.

        Where nothing does, the order that is best without expiry is best with it.
        """
        played = self.play(quantity)
        return np.asarray(played.expired + played.wasted > _SOME)

    def twice(self) -> "Shelf":
        """Return the same series, and once more behind: two quantities are played as one."""
        return replace(
            self,
            start=np.tile(self.start, 2),
            arrivals=np.tile(self.arrivals, (2, 1)),
            demand=np.tile(self.demand, (1, 2, 1)),
        )

    def play(self, quantity: FloatArray) -> _Outcome:
        """Return what becomes of the stock when so much is ordered; stock there now is fresh."""
        periods, num, paths = self.demand.shape
        came = np.zeros((num, periods))
        width = min(periods, self.arrivals.shape[1])
        came[:, :width] = self.arrivals[:, :width]
        came[:, self.lead_time] += quantity
        supply = self.start[:, None] + came.cumsum(axis=1)
        over = np.full((num, periods), -np.inf)
        over[:, self.life - 1 :] = supply[:, : periods - self.life + 1]
        gone = np.zeros((num, paths), np.float32)
        total = {n: np.zeros(num) for n in ("held", "missed", "missed_before", "expired", "wasted")}
        stop = self.lead_time + self.cycle
        for period in range(periods):
            there = supply[:, period, None].astype(np.float32)
            wanted = self.demand[period]
            short = np.maximum(wanted - np.maximum(there - gone, 0), 0)
            gone += wanted - short if self.lost_sales else wanted
            spoilt = np.maximum(over[:, period, None].astype(np.float32) - gone, 0)
            gone += spoilt
            lost, missed = _mean(spoilt), _mean(short)
            if period < self.lead_time:
                total["missed_before"] += missed
            elif period < stop:
                total["missed"] += missed
                total["held"] += _mean(np.maximum(there - gone, 0))
            if period < stop:
                total["expired"] += lost
            if period >= self.lead_time:
                total["wasted"] += lost
        return _Outcome(**total)


def _mean(values: Paths) -> FloatArray:
    """Return means over paths: of 200 of them single precision is enough."""
    return (values.sum(axis=1) / np.float32(values.shape[1])).astype(np.float64)


def aim_before_expiry(
    aim: Aim,
    path: Path,
    terms: Terms,
    shelf: Shelf,
    *,
    position: FloatArray,
    forced: FloatArray | None,
) -> Aim:
    """Return the aim of series whose units expire, a unit wasted costing its unit cost.

    Args:
        aim: Of the same series if nothing expired.
        path: Of them.
        terms: Of them.
        shelf: Of them.
        position: (series,) units that count already; see Decision.
        forced: (series,) units to order, NaN where it is ours to say.

    Example:
        The newsvendor of goods that keep for one period: demand 1 to 100, all alike, missed at 9
        and wasted at 2 ask for 9 / 11 of 100, rounded up; unwasted, at a holding of 1, for more:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.aim import aim_at
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> costs = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"], "unit_cost": [2.0]}, None, costs)
        >>> none, nothing = np.zeros(1), np.zeros((1, 1))
        >>> demand = np.arange(1, 101, dtype=np.float32)[None, None]
        >>> path = project(none, nothing, demand, LeadLaw.fixed(0, 1, 100), lost_sales=True)
        >>> aim = aim_at(path, terms, terms, none, is_count=True)
        >>> shelf = Shelf(start=none, arrivals=nothing, demand=demand, life=1, lead_time=0, cycle=1,
        ...               lost_sales=True)
        >>> fresh = aim_before_expiry(aim, path, terms, shelf, position=none, forced=None)
        >>> fresh.quantity.tolist(), aim.quantity.tolist()
        ([82.0], [90.0])
    """

    def change(quantity: FloatArray, step: FloatArray) -> FloatArray:
        return _change(shelf, terms, quantity, step)

    quantity = _cheapest(aim, terms, shelf)
    promised = np.zeros(len(quantity), bool)
    for promise in (terms.service_level, terms.fill_rate):
        if promise is not None:
            promised |= ~np.isnan(promise)
    quantity = np.where(promised, aim.quantity, quantity)
    ordered, limited = within_limits(
        quantity, terms, position, change, Weighed(promised), forced=forced
    )
    found = aim_of(path, terms, aim.need, aim.point, ordered, change=change)
    played = shelf.play(ordered)
    return replace(
        found,
        limited=limited,
        need=np.where(promised, aim.need, quantity),
        point=np.where(promised, aim.point, np.where(quantity > 0, aim.point, -1.0)),
        holding_cost=terms.holding_cost * played.held,
        stockout_cost=terms.stockout_cost * played.missed,
        unavoidable=played.missed_before,
        dry_in=aim.dry_in,
        expired=played.expired,
    )


def _change(shelf: Shelf, terms: Terms, quantity: FloatArray, step: FloatArray) -> FloatArray:
    """Return (series,) change of cost by `step` units more than `quantity`; money."""
    num = len(quantity)
    found = shelf.twice().play(np.concatenate([quantity, quantity + step]))
    held, missed, wasted = (
        part[num:] - part[:num] for part in (found.held, found.missed, found.wasted)
    )
    cost = terms.holding_cost * held + terms.stockout_cost * missed
    return np.asarray(cost + terms.unit_cost * wasted)


def _cheapest(aim: Aim, terms: Terms, shelf: Shelf) -> FloatArray:
    """Return (series,) the whole packs that cost least.

    Where nothing expires until the next order comes, waste can only ask for less than is best
    without it: looked for downwards from there, by steps that double. Else by halving.
    """
    pack = terms.pack_size
    most = np.ceil(shelf.demand.sum(axis=0, dtype=np.float64).max(axis=1) / pack) + 1
    keeps = shelf.life > shelf.lead_time + shelf.cycle
    low, high = np.full(len(pack), -1.0), most
    if keeps:
        high = np.minimum(most, np.ceil(np.maximum(np.nan_to_num(aim.need), 0) / pack) + 1)
    step = np.full(len(pack), 1.0 if keeps else np.inf)
    rows = np.flatnonzero(high - low > 1)
    while len(rows):
        half = np.floor((low[rows] + high[rows]) / 2)
        middle = np.maximum(high[rows] - step[rows], half)
        part, own = shelf.select(rows), terms.select(rows)
        wanted = _change(part, own, middle * pack[rows], pack[rows]) < -_TINY
        low[rows] = np.where(wanted, middle, low[rows])
        high[rows] = np.where(wanted, high[rows], middle)
        step[rows] = np.where(wanted, np.inf, 2 * step[rows])
        rows = rows[high[rows] - low[rows] > 1]
    found: FloatArray = (low + 1) * pack
    return found
