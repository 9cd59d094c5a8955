"""Stock of one shop that another one needs more: moved where that costs less than it saves."""

from dataclasses import dataclass

import numpy as np

from invopt.inventory.aim import largest
from invopt.inventory.network.shelf import Shelves, interval_cost
from invopt.inventory.path import LeadLaw, project
from invopt.types import BoolArray, Float32Array, FloatArray

_LOOKED = 24  # quantities of packs looked at together, over ever smaller ranges
_ROUNDS = 64
_TINY = 1e-9


@dataclass(frozen=True)
class Way:
    """A lane between two shelves; giver and taker are rows of them.

    Attributes:
        giver: Row it leads from.
        taker: Row it leads to.
        lead_time: Periods.
        pack: Units moved together.
        least: Fewest units moved.
        capacity: Most units moved.
        cost: Money per unit.
    """

    giver: int
    taker: int
    lead_time: int
    pack: float
    least: float
    capacity: float
    cost: float


@dataclass(frozen=True)
class Transfer:
    """Units to move on a way, and the money that saves, its cost taken off."""

    way: Way
    units: float
    saved: float


class _Shelf:
    """One shelf's stock as transfers change it, and the order that fits."""

    def __init__(
        self,
        shelves: Shelves,
        row: int,
        demand: Float32Array,
        ordered: float,
        *,
        lost_sales: bool,
    ) -> None:
        self.lead, cycle = int(shelves.lead_time[row]), int(shelves.cycle[row])
        self.stop = self.lead + cycle
        self.start = float(shelves.on_hand[row])
        self.come = np.zeros(self.stop)
        width = min(self.stop, shelves.arrivals.shape[1])
        self.come[:width] = shelves.arrivals[row, :width]
        self.demand = demand[: self.stop, row]
        self.holding = float(shelves.holding_cost[row])
        self.stockout = float(shelves.stockout_cost[row])
        self.pack, self.least = float(shelves.pack_size[row]), float(shelves.min_order[row])
        self.law = LeadLaw.fixed(self.lead, cycle, demand.shape[2])
        self.lost_sales, self.ordered = lost_sales, ordered
        self.fixed = bool(shelves.fixed[row])
        self.usual = 0.0 if self.fixed else float(self._cheapest(*self._after(np.zeros(1), 0))[0])

    def costs(self, units: FloatArray, period: int | None) -> FloatArray:
        """Return (options,) money where so many units more come in a period; None for now.

        What the next order brings is chosen anew for each.
        """
        if period is not None and period >= self.stop:
            return np.full(len(units), np.inf)
        start, come = self._after(units, period)
        come[:, self.lead] += self._orders(start, come)
        return interval_cost(
            start, come, self.demand, self.holding, self.stockout, lost_sales=self.lost_sales
        )

    def _after(self, units: FloatArray, period: int | None) -> tuple[FloatArray, FloatArray]:
        start = np.full(len(units), self.start)
        come = np.repeat(self.come[None], len(units), axis=0)
        if period is None:
            start = start + units
        else:
            come[:, period] += units
        return start, come

    def _orders(self, start: FloatArray, come: FloatArray) -> FloatArray:
        """Return (options,) units that are ordered with other stock.

        As many more or less as the cheapest order changes by. What limits, days or a source keep
        smaller than that only becomes smaller still, and what a planner has set stands.
        """
        if self.fixed:
            return np.full(len(start), self.ordered)
        cheapest = self._cheapest(start, come)
        if self.ordered < self.usual - self.pack + _TINY:
            return np.minimum(cheapest, self.ordered)
        found = np.maximum(self.ordered + cheapest - self.usual, 0)
        return np.where((found > 0) & (found < self.least), self.least, found)

    def _cheapest(self, start: FloatArray, come: FloatArray) -> FloatArray:
        """Return (options,) units, whole packs, that cost least until the next order arrives."""
        num, paths = len(start), self.demand.shape[1]
        demand = np.broadcast_to(self.demand[:, None], (self.stop, num, paths))
        ahead = project(start, come, demand, self.law, lost_sales=self.lost_sales).outlook
        holding, stockout = np.full(num, self.holding), np.full(num, self.stockout)

        def wanted(quantity: FloatArray) -> BoolArray:
            return ahead.change(quantity, np.ones(num), holding, stockout) < -_TINY * self.stockout

        low, high = ahead.bounds
        need = np.maximum(largest(wanted, low - 1, high, whole=True) + 1, 0)
        packs = np.floor(need / self.pack + _TINY) * self.pack
        step = np.where(need > packs + _TINY, self.pack, 0.0)
        return packs + np.where(ahead.change(packs, step, holding, stockout) < 0, step, 0.0)


def transfers(
    shelves: Shelves,
    demand: Float32Array,
    ways: list[Way],
    ordered: FloatArray,
    *,
    lost_sales: bool,
) -> list[Transfer]:
    """Return the transfers that pay, the one that saves most first, until none does.

    A shop that gives orders more, one that takes orders less, as far as limits and its source let
    it: what a transfer saves is judged with the orders that fit it.

    Args:
        shelves: Givers and takers.
        demand: (periods, series, paths) units.
        ways: Lanes between them.
        ordered: (series,) units that each gets from its source without any transfer.
        lost_sales: Unmet demand is lost; else it waits.

    Example:
        One shop has 10 units, another none; both sell one a period for five. Four that arrive in
        the second period save four sales at 1 and hold 3 + 2 + 1 at 0.1, where the giver would
        have held them five times; at 0.2 a unit moved that saves 4 - 0.6 + 2 - 0.8:

        >>> from dataclasses import fields
        >>> one = np.ones(2)
        >>> shelves = Shelves(**{f.name: one for f in fields(Shelves)} | {
        ...     "on_hand": np.array([10.0, 0.0]), "arrivals": np.zeros((2, 1)),
        ...     "lead_time": 0 * one, "cycle": 5 * one, "holding_cost": 0.1 * one})
        >>> way = Way(0, 1, lead_time=1, pack=1.0, least=0.0, capacity=np.inf, cost=0.2)
        >>> demand = np.ones((5, 2, 1), np.float32)
        >>> found = transfers(shelves, demand, [way], 0 * one, lost_sales=True)
        >>> [(each.units, round(each.saved, 2)) for each in found]
        [(4.0, 4.6)]
    """
    rows = {r for way in ways for r in (way.giver, way.taker)}
    known = {
        r: _Shelf(shelves, r, demand, float(ordered[r]), lost_sales=lost_sales)
        for r in rows
        if np.isfinite(shelves.on_hand[r])
    }
    open_ways = [w for w in ways if w.giver in known and w.taker in known]
    best = {way: _best(way, known) for way in open_ways}
    found: dict[Way, Transfer] = {}
    for _ in range(_ROUNDS):
        paying = [(saved, units, way) for way, (units, saved) in best.items() if units > 0]
        if not paying:
            break
        saved, units, way = max(paying, key=lambda p: p[0])
        giver, taker = known[way.giver], known[way.taker]
        giver.start -= units
        taker.come[way.lead_time] += units
        old = found.get(way)
        found[way] = Transfer(
            way, units + (old.units if old else 0), saved + (old.saved if old else 0)
        )
        moved = {way.giver, way.taker}
        for other in open_ways:
            if other in found and other is not way:
                continue
            if {other.giver, other.taker} & moved:
                best[other] = _best(other, known)
        best[way] = (0.0, 0.0)
    return list(found.values())


def _best(way: Way, known: dict[int, _Shelf]) -> tuple[float, float]:
    """Return the units that save most on a way, and what they save."""
    giver, taker = known[way.giver], known[way.taker]
    least = max(int(np.ceil(way.least / way.pack - 1e-9)), 1)
    most = int(min(max(giver.start, 0), way.capacity) // way.pack)
    if most < least or way.lead_time >= taker.stop:
        return 0.0, 0.0
    low, high = least, most
    while True:  # what is saved rises to the best quantity and falls behind it
        step = -(-(high - low) // _LOOKED) or 1
        packs = np.unique(np.append(np.arange(low, high + 1, step), high))
        units = np.append(0.0, packs * way.pack)
        gained, given = taker.costs(units, way.lead_time), giver.costs(-units, None)
        saved = gained[0] - gained - (given - given[0]) - way.cost * units
        at = int(saved[1:].argmax()) + 1
        if step == 1:
            return (float(units[at]), float(saved[at])) if saved[at] > 1e-9 else (0.0, 0.0)
        best = int(packs[at - 1])
        low, high = max(low, best - step), min(high, best + step)
