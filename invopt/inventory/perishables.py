"""Stock that cannot be sold for ever: what will expire does not cover, and is not ordered.

Oldest units are sold first (Nahmias, Perishable Inventory Systems, 2011), so units that left the
shelf, sold or expired, are one running total: by the end of a period it has reached at least all
that came in with a life that is over.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.inventory.aim import Aim, Weighed, aim_of, within_limits
from invopt.inventory.costs import Terms
from invopt.inventory.halving import largest
from invopt.inventory.path import Path
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

Paths = Float32Array
_TINY = 1e-9
_SOME = 0.01  # expected units that expire, below which nothing is ordered anew
_SINGLE = 1e-6  # share by which means of single precision are off


@dataclass(frozen=True)
class _Outcome:
    """Means over paths of a quantity; every array is (series,).

    Attributes:
        held: Units times periods of the order's own interval.
        missed: Units of the same periods.
        missed_before: Units before the order arrives.
        expired: Units up to the end of the interval.
        wasted: Units from the order's arrival until its own life is over.
        unserved: Units missed while the order can be sold, up to the end of the interval.
        short: Chance that any of these are.
    """

    held: FloatArray = field(repr=False)
    missed: FloatArray = field(repr=False)
    missed_before: FloatArray = field(repr=False)
    expired: FloatArray = field(repr=False)
    wasted: FloatArray = field(repr=False)
    unserved: FloatArray = field(repr=False)
    short: FloatArray = field(repr=False)


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

    @property
    def sold(self) -> slice:
        """Periods from the order's arrival in which it can be sold, the next one not there yet."""
        return slice(self.lead_time, self.lead_time + min(self.cycle, self.life))

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
        names = ("held", "missed", "missed_before", "expired", "wasted", "unserved")
        total, lacking = {n: np.zeros(num) for n in names}, np.zeros((num, paths), bool)
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
            if self.sold.start <= period < self.sold.stop:
                total["unserved"] += missed
                lacking |= short > 0
            if period < stop:
                total["expired"] += lost
            if period >= self.lead_time:
                total["wasted"] += lost
        return _Outcome(**total, short=lacking.mean(axis=1))


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

    A promised service is kept while the order can be sold: what expires before the next one
    arrives serves nobody after that.

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
    at = np.flatnonzero(promised)
    if len(at):
        quantity[at] = _promised(terms.select(at), shelf.select(at))
    ordered, limited = within_limits(
        quantity, terms, position, change, Weighed(promised), forced=forced
    )
    found = aim_of(path, terms, aim.need, aim.point, ordered, change=change)
    # A quantity that was not chosen by cost says nothing of what its neighbours cost.
    for values in (found.one_less, found.one_more):
        values[promised | (limited & (values < 0))] = np.nan
    played = shelf.play(ordered)
    return replace(
        found,
        limited=limited,
        need=quantity,
        point=np.where(quantity > 0, aim.point, -1.0),
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


def _promised(terms: Terms, shelf: Shelf) -> FloatArray:
    """Return (series,) the smallest whole packs that keep a promise while they can be sold."""
    pack, sold = terms.pack_size, shelf.demand[shelf.sold]
    nothing = np.full(len(pack), np.nan)
    service = nothing if terms.service_level is None else terms.service_level
    fill = nothing if terms.fill_rate is None else terms.fill_rate
    asked = sold.sum(axis=0, dtype=np.float64).mean(axis=1)

    def wants(packs: FloatArray) -> BoolArray:
        played = shelf.play(packs * pack)
        missed = played.unserved > (1 - fill) * asked * (1 + _SINGLE) + _TINY
        return np.where(np.isnan(service), missed, played.short > 1 - service + _TINY)

    waiting = np.maximum(-shelf.start, 0)
    most = np.ceil((sold.sum(axis=0, dtype=np.float64).max(axis=1) + waiting) / pack) + 1
    return (largest(wants, np.full(len(pack), -1.0), most, whole=True) + 1) * pack


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
