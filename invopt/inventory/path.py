"""The projected path: stock by period, from what is there, what comes and when, and what sells.

An order placed at the end of period 0 arrives at the start of period L + 1, the next one at the
start of L + C + 1. What happens before L + 1 no order can change any more; the order is judged by
the C periods in between, its own interval. Everything that arrives before the interval's end
counts when it comes; what arrives later is no cover for it.

With demand D_k and arrivals A_k cumulated from the order's arrival and stock x there, the stock
at the end of period k is x + q + A_k - D_k + (M_k - x - q)+ where sales are lost, M_k being the
largest D_j - A_j so far (Lindley's recursion), and x + q + A_k - D_k where customers wait. So the
whole cost is known from the thresholds T_k = M_k - x (D_k - A_k - x where they wait): a unit more
is held in period k where T_k is below it, and saves a sale where T_C is above it. The cost is
convex in q, and its change by a pack is one pass over the thresholds.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.inventory.thresholds import NEVER, Counted, Listed, Thresholds, Weighted, counted
from invopt.types import Float32Array, FloatArray, IntArray

Paths = Float32Array
# Of lead times' own draws: those of demand, whatever their seed, are others.
_APART = (0, 1)
_OVERTAKING = 60  # later orders, at most, that may come before the next one


@dataclass(frozen=True)
class LeadLaw:
    """When the order and the next one arrive, by demand path.

    Attributes:
        lead: (paths,) periods between the order and the start of the period it arrives in.
        stop: (paths,) last period before the next order's arrival, 1 for the first one; the lead
            time where a later order is there as early, so that this one has no interval of its own.
        alone: (paths,) periods before any order placed from now on arrives; the lead time where
            no later one overtakes it.
    """

    lead: IntArray = field(repr=False)
    stop: IntArray = field(repr=False)
    alone: IntArray = field(repr=False)

    @classmethod
    def fixed(cls, lead_time: int, cycle: int, num_paths: int) -> "LeadLaw":
        """Return the law of a lead time that is known."""
        lead = np.full(num_paths, lead_time)
        return cls(lead, lead + cycle, lead)

    @classmethod
    def drawn(cls, shares: FloatArray, periods: IntArray, cycle: int, num_paths: int) -> "LeadLaw":
        """Return an empirical law spread evenly over the paths, those of later orders drawn alone.

        The next order's arrival is that of the first later order that comes, whichever it is.

        Example:
            One order of ten takes 20 periods, the others 3. The next review's takes 27 as
            rarely, but then one of those after it is there at 17 or a week or two later:

            >>> law = LeadLaw.drawn(np.array([0.9, 0.1]), np.array([3, 20]), 7, 100)
            >>> found, number = np.unique(law.stop[law.lead == 3], return_counts=True)
            >>> found.tolist(), number.tolist()
            ([10, 17, 24], [81, 8, 1])
        """
        edges = np.cumsum(shares)
        at = np.searchsorted(edges, (np.arange(num_paths) + 0.5) / num_paths)
        values = periods[np.minimum(at, len(periods) - 1)]
        rng = np.random.default_rng(_APART)
        lead, following = rng.permutation(values), rng.permutation(values) + cycle
        # One that is placed later may come before it: the shelf waits for whichever is first.
        spread = int(values.max() - values.min())
        for number in range(2, min(spread // cycle, _OVERTAKING) + 2):
            following = np.minimum(following, rng.permutation(values) + number * cycle)
        return cls(lead, np.maximum(following, lead), np.minimum(following, lead))

    @property
    def is_fixed(self) -> bool:
        """Whether all paths have the same times."""
        return bool((self.lead == self.lead[0]).all() and (self.stop == self.stop[0]).all())


@dataclass(frozen=True, kw_only=True)
class IntervalOutlook:
    """What an order changes in its own interval, read off the thresholds.

    Attributes:
        holding: Thresholds of a unit held, by path and period.
        missing: Thresholds of a sale saved, by path.
        base: (series,) sum over the interval's periods of mean stock that nothing limits.
        demand: (series,) expected units asked for in the interval.
        periods: Mean number of periods in the interval.
        num_paths: Number of demand paths.
        leaving: Thresholds of a unit sold before the product ends, by path; None where that is at
            the interval's end, and what is missed then says it.
    """

    holding: Thresholds = field(repr=False)
    missing: Thresholds = field(repr=False)
    base: FloatArray = field(repr=False)
    demand: FloatArray = field(repr=False)
    periods: float
    num_paths: int
    leaving: Thresholds | None = field(default=None, repr=False)

    def select(self, rows: IntArray) -> "IntervalOutlook":
        """Return the outlook of some series."""
        return replace(
            self, holding=self.holding.select(rows), missing=self.missing.select(rows),
            base=self.base[rows], demand=self.demand[rows],
            leaving=None if self.leaving is None else self.leaving.select(rows),
        )  # fmt: skip

    def held(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) expected units held, summed over the interval's periods."""
        above = self.holding.above(quantity) / self.num_paths
        return np.maximum(self.periods * quantity + self.base + above, 0)

    def missed(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) expected units missed in the interval."""
        return self.missing.above(quantity) / self.num_paths

    def change(
        self, quantity: FloatArray, step: FloatArray, holding_cost: FloatArray, sale: FloatArray,
        stranded: FloatArray | None = None,
    ) -> FloatArray:  # fmt: skip
        """Return (series,) change of cost by `step` units more than `quantity`; money.

        Args:
            quantity: (series,) units.
            step: (series,) units, 0 or more.
            holding_cost: (series,) money per unit and period.
            sale: (series,) money a sale saved is worth.
            stranded: (series,) money per unit left when the product ends; none by default.
        """
        saved = self.missing.between(quantity, step) / self.num_paths
        unheld = self.holding.between(quantity, step) / self.num_paths
        found = holding_cost * (self.periods * step - unheld) - sale * saved
        if stranded is not None:
            found = found + self.stranded(quantity, step, stranded)
        return np.where(step > 0, found, 0.0)

    def stranded(
        self, quantity: FloatArray, step: FloatArray, money: FloatArray | None
    ) -> FloatArray:
        """Return (series,) what is lost of `step` units more when the product ends.

        Args:
            quantity: (series,) units.
            step: (series,) units, 0 or more.
            money: (series,) per unit left; None for none.
        """
        if money is None:
            return np.zeros(len(step))
        sold = self.missing if self.leaving is None else self.leaving
        return money * (step - sold.between(quantity, step) / self.num_paths)

    def short(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) the chance that a sale is missed in the interval."""
        return self.missing.exceed(quantity) / self.num_paths

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """(series,) units below which a unit more always, and above which it never, saves a sale.

        Whole numbers.
        """
        return np.floor(np.minimum(self.missing.low, self.holding.low)), np.ceil(self.missing.high)


@dataclass(frozen=True, kw_only=True)
class Path:
    """Stock by period without a new order, and what an order changes.

    Attributes:
        holding: (series, periods x paths) thresholds of a unit held; see the module.
        missing: (series, paths) thresholds of a sale saved.
        outlook: What an order changes; the same thresholds, summed by quantity.
        at_arrival: (series,) mean stock when the order arrives, below 0 where customers wait.
        missed_before: (series,) expected units missed before the order arrives, or a later one
            that overtakes it.
        lost_before: (series, paths) the same by path.
        dry: (series, periods) share of paths that begin each period with an empty shelf or have
            missed a sale by its end, until an order may arrive; 0 after that.
        owed: (series, paths) units that customers wait for when the order arrives; None where
            unmet demand is lost.
        net: (series, paths) demand of the interval less what arrives in it and what is there at
            its start.
    """

    holding: Paths = field(repr=False)
    missing: Paths = field(repr=False)
    outlook: IntervalOutlook = field(repr=False)
    at_arrival: FloatArray = field(repr=False)
    missed_before: FloatArray = field(repr=False)
    lost_before: Paths = field(repr=False)
    dry: FloatArray = field(repr=False)
    owed: Paths | None = field(default=None, repr=False)
    net: Paths = field(repr=False)

    def missed_twice(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) units missed before the order arrives that still wait behind it.

        Example:
            Two a day for certain, nothing there, an order after three days: of the six that wait
            an order of 4 leaves 2, which were missed before and are not missed again:

            >>> demand, law = np.full((4, 1, 1), 2, np.float32), LeadLaw.fixed(3, 1, 1)
            >>> path = project(np.zeros(1), np.zeros((1, 4)), demand, law, lost_sales=False)
            >>> path.missed_before.tolist(), path.missed_twice(np.array([4.0])).tolist()
            ([6.0], [2.0])
        """
        if self.owed is None:
            return np.zeros(len(quantity))
        left = np.maximum(self.owed - quantity[:, None], 0)
        return np.minimum(left, self.lost_before).mean(axis=1, dtype=np.float64)

    def select(self, rows: IntArray) -> "Path":
        """Return the paths of some series."""
        return Path(
            holding=self.holding[rows], missing=self.missing[rows],
            outlook=self.outlook.select(rows), at_arrival=self.at_arrival[rows],
            missed_before=self.missed_before[rows], lost_before=self.lost_before[rows],
            dry=self.dry[rows], owed=None if self.owed is None else self.owed[rows],
            net=self.net[rows],
        )  # fmt: skip

    def in_time(self) -> IntervalOutlook:
        """Return the outlook if the stock had been enough until the order arrives.

        A sale that is lost before leaves a unit more for later: without it the stock at arrival
        is the position less demand, and so moves as the position does.
        """
        found, rows = self.outlook, np.flatnonzero(self.missed_before > 0)
        if not len(rows):
            return found
        lost, holding, leaving = self.lost_before[rows], found.holding, found.leaving
        if isinstance(holding, Weighted):
            once = _moved(holding.once, self.holding, rows, lost)
            often = _moved(holding.often, holding.values, rows, lost)
            holding = replace(holding, once=once, often=often)
        else:
            holding = _moved(holding, self.holding, rows, lost)
        missing = _moved(found.missing, self.missing, rows, lost)
        if leaving is not None:
            assert isinstance(leaving, Listed)
            leaving = _moved(leaving, leaving.values, rows, lost)
        return replace(found, holding=holding, missing=missing, leaving=leaving)


def _moved(old: Thresholds, values: Paths, rows: IntArray, lost: Paths) -> Thresholds:
    """Return the thresholds of all series, those of some moved up by what each path has lost."""
    part = values[rows] + np.tile(lost, values.shape[1] // lost.shape[1])
    if isinstance(old, Counted):
        new = counted(part, part.min(axis=1).astype(float), part.max(axis=1).astype(float))
        if isinstance(new, Counted):
            return old.put(rows, new)
    listed = values.copy()
    listed[rows] = part
    return Listed(listed)


def project(
    start: FloatArray,
    arrivals: FloatArray,
    demand: Paths,
    law: LeadLaw,
    *,
    lost_sales: bool,
    is_count: bool = False,
) -> Path:
    """Return the projected path of series that share a law of lead times.

    Args:
        start: (series,) units on hand less those that customers wait for.
        arrivals: (series, periods) units at the start of each period ahead, as many as needed.
        demand: (periods, series, paths) units, to the end of the longest interval.
        law: When orders arrive.
        lost_sales: Unmet demand is lost; else it waits.
        is_count: Demand is in whole units.

    Example:
        Five on the shelf, a sure demand of 3 a day, an order that arrives after two days and lasts
        for two: one sale is missed before it arrives, and six units are needed from it:

        >>> demand = np.full((4, 1, 2), 3, np.float32)
        >>> law = LeadLaw.fixed(2, 2, 2)
        >>> path = project(np.array([5.0]), np.zeros((1, 4)), demand, law, lost_sales=True)
        >>> ahead = path.outlook
        >>> path.missed_before.tolist(), ahead.missed(np.array([4.0])).tolist()
        ([1.0], [2.0])
        >>> ahead.missed(np.array([6.0])).tolist(), ahead.held(np.array([6.0])).tolist()
        ([0.0], [3.0])
    """
    num_paths = demand.shape[2]
    first, stop = int(law.lead.min()), int(law.stop.max())
    come = np.zeros((len(start), stop), np.float32)
    width = min(stop, arrivals.shape[1])
    come[:, :width] = arrivals[:, :width]
    stock = np.repeat(start.astype(np.float32)[:, None], num_paths, axis=1)
    missed, dry = np.zeros_like(stock), np.zeros((len(start), stop))
    for period in range(first):
        stock += come[:, period, None]
        empty = stock <= 0
        _sell(stock, missed, demand[period], lost_sales=lost_sales)
        dry[:, period] = np.count_nonzero((missed > 0) | empty, axis=1) / num_paths
    before = _Before(stock, missed, dry)
    if not law.is_fixed:
        return _drawn(before, come, demand, law, lost_sales=lost_sales)
    whole = is_count and all((values == np.rint(values)).all() for values in (start, come))
    return _fixed(
        before, come[:, first:], demand[first:stop], lost_sales=lost_sales, is_whole=whole
    )


@dataclass(frozen=True)
class _Before:
    """Paths up to the first period in which an order placed now may arrive.

    Attributes:
        stock: (series, paths) units then, less those that customers wait for.
        missed: (series, paths) units missed by then.
        dry: (series, periods) share of paths with an empty shelf; filled in up to then.
    """

    stock: Paths = field(repr=False)
    missed: Paths = field(repr=False)
    dry: FloatArray = field(repr=False)


def _fixed(
    before: _Before, come: Paths, demand: Paths, *, lost_sales: bool, is_whole: bool
) -> Path:
    """Return the path from the stock at the order's arrival; come and demand are from there on."""
    stock, missed = before.stock, before.missed
    num, num_paths = stock.shape
    periods = len(demand)
    owed = None if lost_sales else np.maximum(-stock - come[:, :1], 0)
    holding = np.empty((num, periods, num_paths), np.float32)
    net, deepest = -stock, np.full_like(stock, NEVER)
    for period in range(periods):
        net += demand[period]
        net -= come[:, period, None]
        np.maximum(deepest, net, out=deepest)
        holding[:, period] = deepest if lost_sales else net
    asked = demand.sum(axis=2).T.astype(np.float64) / num_paths
    at_arrival = stock.mean(axis=1, dtype=np.float64)
    left = at_arrival[:, None] - (asked - come).cumsum(axis=1)
    rises = lost_sales or not come[:, 1:].any()
    by_path = holding.reshape(num, -1)
    outlook = IntervalOutlook(
        holding=_thresholds(by_path, holding[:, 0] if rises else by_path, deepest, is_whole),
        missing=_thresholds(deepest, deepest, deepest, is_whole),
        base=left.sum(axis=1), demand=asked.sum(axis=1), periods=float(periods),
        num_paths=num_paths,
    )  # fmt: skip
    return Path(
        holding=by_path, missing=deepest, outlook=outlook, at_arrival=at_arrival,
        missed_before=missed.mean(axis=1, dtype=np.float64), lost_before=missed, dry=before.dry,
        owed=owed, net=net,
    )  # fmt: skip


def _thresholds(values: Paths, least: Paths, most: Paths, is_whole: bool) -> Thresholds:
    """Return thresholds, the least of which are among `least` and none of which is above `most`."""
    if not is_whole:
        return Listed(values)
    low, high = least.min(axis=1), most.max(axis=1)
    return counted(values, low.astype(np.float64), high.astype(np.float64))


def _drawn(before: _Before, come: Paths, demand: Paths, law: LeadLaw, *, lost_sales: bool) -> Path:
    """Return the path where every demand path has its own times; see _fixed."""
    stock, missed = before.stock, before.missed
    num, num_paths = stock.shape
    first, stop = int(law.lead.min()), int(law.stop.max())
    holding = np.full((num, stop - first, num_paths), NEVER, np.float32)
    net, deepest, at_arrival = -stock, np.full_like(stock, NEVER), stock.copy()
    alone = missed.copy()
    base, asked = np.zeros(num), np.zeros(num)
    for number, period in enumerate(range(first, stop)):
        waits = law.lead > period
        if waits.any():
            part = -net[:, waits]
            gone = missed[:, waits]
            part += come[:, period, None]
            _sell(part, gone, demand[period][:, waits], lost_sales=lost_sales)
            net[:, waits], missed[:, waits], at_arrival[:, waits] = -part, gone, part
            still = law.alone > period
            alone[:, still] = missed[:, still]
        own = (law.lead <= period) & (period < law.stop)
        net[:, own] += demand[period][:, own] - come[:, period, None]
        deepest[:, own] = np.maximum(deepest[:, own], net[:, own])
        holding[:, number, own] = deepest[:, own] if lost_sales else net[:, own]
        base -= net[:, own].sum(axis=1, dtype=np.float64) / num_paths
        asked += demand[period][:, own].sum(axis=1, dtype=np.float64) / num_paths
    by_path = holding.reshape(num, -1)
    outlook = IntervalOutlook(
        holding=Listed(by_path), missing=Listed(deepest), base=base, demand=asked,
        periods=float((law.stop - law.lead).mean()), num_paths=num_paths,
    )  # fmt: skip
    return Path(
        holding=by_path, missing=deepest, outlook=outlook,
        at_arrival=at_arrival.mean(axis=1, dtype=np.float64),
        missed_before=alone.mean(axis=1, dtype=np.float64), lost_before=missed, dry=before.dry,
        owed=None if lost_sales else np.maximum(-at_arrival, 0), net=net,
    )  # fmt: skip


def _sell(stock: Paths, missed: Paths, demand: Paths, *, lost_sales: bool) -> None:
    """Serve the demand of a period, in place; who waits was served when units arrived."""
    short = np.maximum(demand - np.maximum(stock, 0), 0)
    missed += short
    stock -= demand
    if lost_sales:
        stock += short
