"""Stock of one shop that another one needs more: moved where that costs less than it saves."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from invopt.inventory.halving import largest
from invopt.inventory.network.shelf import Shelves, interval_cost
from invopt.inventory.path import LeadLaw, project
from invopt.inventory.paths import blocks
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

_LOOKED = 24  # quantities of packs looked at together, over ever smaller ranges
_ROUNDS = 64
_TINY = 1e-9
_TOGETHER = 1024  # shelves and quantities whose paths are in memory at once
NOW = -1  # in place of a period: units leave or come before the first one


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


class _Desk:
    """Stock of shelves as transfers change it, and what units more or less cost each of them.

    What was looked at is remembered: the ways to and from a shelf ask for the same quantities.

    Args:
        shelves: Givers and takers.
        rows: Those of them whose stock is known.
        demand: (periods, series, paths) units.
        ordered: (series,) units that each gets from its source without any transfer.
        lost_sales: Unmet demand is lost; else it waits.
    """

    def __init__(
        self, shelves: Shelves, rows: IntArray, demand: Float32Array, ordered: FloatArray,
        *, lost_sales: bool,
    ) -> None:  # fmt: skip
        self.shelves, self.demand, self.ordered = shelves, demand, ordered
        self.lost_sales = lost_sales
        kinds = np.stack([shelves.lead_time, shelves.cycle], axis=1)
        self.kinds = np.nan_to_num(kinds).astype(np.int64)
        self.lead, self.stop = self.kinds[:, 0], self.kinds.sum(axis=1)
        self.start = shelves.on_hand.astype(np.float64)
        longest = int(self.stop[rows].max(initial=1))
        self.come = np.zeros((len(self.start), longest))
        width = min(longest, shelves.arrivals.shape[1])
        self.come[:, :width] = shelves.arrivals[:, :width]
        self.fixed = np.asarray(shelves.fixed, bool)
        self._known: dict[int, dict[tuple[int, float], float]] = {int(row): {} for row in rows}
        self.usual = np.zeros(len(self.start))
        loose = rows[~self.fixed[rows]]
        for part in self._alike(loose):
            own = loose[part]
            self.usual[own] = self._cheapest(own, self.start[own], self.come[own])

    def costs(self, row: int, period: int, units: FloatArray) -> FloatArray:
        """Return (options,) money where so many units more come in a period; NOW for at once.

        What the next order brings is chosen anew for each.
        """
        known, wanted = self._known[row], units.tolist()
        try:
            return np.array([known[period, each] for each in wanted])
        except KeyError:
            self.look([(row, period, units)])
            return np.array([known[period, each] for each in wanted])

    def look(self, asked: Sequence[tuple[int, int, FloatArray]]) -> None:
        """Find out together what several shelves ask for: row, period and units of each."""
        wanted = {
            (row, period, each)
            for row, period, units in asked
            for each in units.tolist()
            if (period, each) not in self._known[row]
        }
        if not wanted:
            return
        rows, periods, units = (np.array(column) for column in zip(*sorted(wanted), strict=True))
        cost = np.full(len(rows), np.inf)
        in_time = np.flatnonzero(periods < self.stop[rows])
        for part in self._alike(rows[in_time]):
            at = in_time[part]
            cost[at] = self._cost(rows[at], periods[at], units[at])
        for row, period, each, found in zip(
            rows.tolist(), periods.tolist(), units.tolist(), cost.tolist(), strict=True
        ):
            self._known[row][period, each] = found

    def move(self, way: Way, units: float) -> None:
        """Take units from the giver and let them come to the taker."""
        self.start[way.giver] -= units
        self.come[way.taker, way.lead_time] += units
        self._known[way.giver], self._known[way.taker] = {}, {}

    def _alike(self, rows: IntArray) -> Iterator[IntArray]:
        """Yield places of rows that share lead time and cycle, as many as fit into memory."""
        for kind in np.unique(self.kinds[rows], axis=0):
            at = np.flatnonzero((self.kinds[rows] == kind).all(axis=1))
            for part in blocks(len(at), _TOGETHER):
                yield at[part]

    def _cost(self, rows: IntArray, periods: IntArray, units: FloatArray) -> FloatArray:
        stop = int(self.stop[rows[0]])
        now = periods == NOW
        start = self.start[rows] + np.where(now, units, 0.0)
        come = self.come[rows]
        later = np.flatnonzero(~now)
        come[later, periods[later]] += units[later]
        come[:, self.lead[rows[0]]] += self._orders(rows, start, come)
        return interval_cost(
            start, come, self.demand[:stop, rows], self.shelves.holding_cost[rows],
            self.shelves.stockout_cost[rows], lost_sales=self.lost_sales,
        )  # fmt: skip

    def _orders(self, rows: IntArray, start: FloatArray, come: FloatArray) -> FloatArray:
        """Return (options,) units that are ordered with other stock.

        As many more or less as the cheapest order changes by. What limits, days or a source keep
        smaller than that only becomes smaller still, and what a planner has set stands.
        """
        ordered, usual, shelves = self.ordered[rows], self.usual[rows], self.shelves
        found = ordered.copy()
        loose = np.flatnonzero(~self.fixed[rows])
        if not len(loose):
            return found
        own = rows[loose]
        cheapest = self._cheapest(own, start[loose], come[loose])
        changed = np.maximum(ordered[loose] + cheapest - usual[loose], 0)
        least = shelves.min_order[own]
        changed = np.where((changed > 0) & (changed < least), least, changed)
        is_cut = ordered[loose] < usual[loose] - shelves.pack_size[own] + _TINY
        found[loose] = np.where(is_cut, np.minimum(cheapest, ordered[loose]), changed)
        return found

    def _cheapest(self, rows: IntArray, start: FloatArray, come: FloatArray) -> FloatArray:
        """Return (options,) units, whole packs, that cost least until the next order arrives."""
        lead, cycle = map(int, self.kinds[rows[0]])
        law = LeadLaw.fixed(lead, cycle, self.demand.shape[2])
        demand = self.demand[: lead + cycle, rows]
        ahead = project(start, come, demand, law, lost_sales=self.lost_sales).outlook
        shelves = self.shelves
        holding, stockout, pack = (
            shelves.holding_cost[rows], shelves.stockout_cost[rows], shelves.pack_size[rows]
        )  # fmt: skip
        one = np.ones(len(rows))

        def wanted(quantity: FloatArray) -> BoolArray:
            return ahead.change(quantity, one, holding, stockout) < -_TINY * stockout

        low, high = ahead.bounds
        need = np.maximum(largest(wanted, low - 1, high, whole=True) + 1, 0)
        packs = np.floor(need / pack + _TINY) * pack
        step = np.where(need > packs + _TINY, pack, 0.0)
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
    rows = np.unique([r for way in ways for r in (way.giver, way.taker)]).astype(np.int64)
    rows = rows[np.isfinite(shelves.on_hand[rows])]
    known = set(rows.tolist())
    open_ways = [w for w in ways if w.giver in known and w.taker in known]
    desk = _Desk(shelves, rows, demand, ordered, lost_sales=lost_sales)
    best = _judged(open_ways, desk)
    found: dict[Way, Transfer] = {}
    apart = _apart(open_ways, len(shelves.on_hand))
    for _ in range(_ROUNDS):
        # Of shops that nothing leads between none waits for another.
        first = [max(own, key=lambda way: best[way][1]) for own in apart]
        chosen = [way for way in first if best[way][0] > 0]
        if not chosen:
            break
        for way in chosen:
            units, saved = best[way]
            desk.move(way, units)
            old = found.get(way)
            found[way] = Transfer(
                way, units + (old.units if old else 0), saved + (old.saved if old else 0)
            )
        moved = {row for way in chosen for row in (way.giver, way.taker)}
        asked = [w for w in open_ways if w not in found and {w.giver, w.taker} & moved]
        best |= _judged(asked, desk) | dict.fromkeys(chosen, (0.0, 0.0))
    return list(found.values())


def _apart(ways: list[Way], num: int) -> list[list[Way]]:
    """Return ways in groups that share no shop."""
    if not ways:
        return []
    ends = np.array([(w.giver, w.taker) for w in ways]).T
    _, group = connected_components(
        coo_array((np.ones(len(ways)), ends), (num, num)), directed=False
    )
    found: dict[int, list[Way]] = {}
    for way in ways:
        found.setdefault(int(group[way.giver]), []).append(way)
    return list(found.values())


def _judged(ways: list[Way], desk: _Desk) -> dict[Way, tuple[float, float]]:
    """Return the units that save most on each way, and what they save."""
    asked = []
    for way in ways:
        low, high = _range(way, desk)
        if low <= high:
            units = _options(way.pack, low, high)
            asked += [(way.taker, way.lead_time, units), (way.giver, NOW, -units)]
    desk.look(asked)
    return {way: _best(way, desk) for way in ways}


def _range(way: Way, desk: _Desk) -> tuple[int, int]:
    """Return the fewest and the most packs that may move; more than that where none may."""
    least = max(int(np.ceil(way.least / way.pack - _TINY)), 1)
    most = int(min(max(desk.start[way.giver], 0), way.capacity) // way.pack)
    return (least, most) if way.lead_time < desk.stop[way.taker] else (1, 0)


@functools.lru_cache(maxsize=1 << 14)
def _options(pack: float, low: int, high: int) -> FloatArray:
    """Return units to look at: none, and packs from low to high, not more than a few."""
    packs = np.unique(np.append(np.arange(low, high + 1, _step(low, high)), high))
    return np.append(0.0, packs * pack)


def _step(low: int, high: int) -> int:
    return -(-(high - low) // _LOOKED) or 1


def _best(way: Way, desk: _Desk) -> tuple[float, float]:
    """Return the units that save most on a way, and what they save."""
    low, high = _range(way, desk)
    if low > high:
        return 0.0, 0.0
    while True:  # what is saved rises to the best quantity and falls behind it
        step, units = _step(low, high), _options(way.pack, low, high)
        gained = desk.costs(way.taker, way.lead_time, units)
        given = desk.costs(way.giver, NOW, -units)
        saved = gained[0] - gained - (given - given[0]) - way.cost * units
        at = int(saved[1:].argmax()) + 1
        if step == 1:
            return (float(units[at]), float(saved[at])) if saved[at] > _TINY else (0.0, 0.0)
        best = round(units[at] / way.pack)
        low, high = max(low, best - step), min(high, best + step)
