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

from invopt.types import Float32Array, FloatArray, IntArray

Paths = Float32Array
# Below every threshold: a period that does not count on a path.
_NEVER = np.float32(-1e30)


@dataclass(frozen=True)
class LeadLaw:
    """When the order and the next one arrive, by demand path.

    Attributes:
        lead: (paths,) periods between the order and the start of the period it arrives in.
        stop: (paths,) last period before the next order's arrival, 1 for the first one.
    """

    lead: IntArray = field(repr=False)
    stop: IntArray = field(repr=False)

    @classmethod
    def fixed(cls, lead_time: int, cycle: int, num_paths: int) -> "LeadLaw":
        """Return the law of a lead time that is known."""
        return cls(np.full(num_paths, lead_time), np.full(num_paths, lead_time + cycle))

    @classmethod
    def drawn(cls, shares: FloatArray, periods: IntArray, cycle: int, num_paths: int) -> "LeadLaw":
        """Return an empirical law spread evenly over the paths, the next order's drawn alone."""
        edges = np.cumsum(shares)
        at = np.searchsorted(edges, (np.arange(num_paths) + 0.5) / num_paths)
        values = periods[np.minimum(at, len(periods) - 1)]
        rng = np.random.default_rng(0)
        lead, following = rng.permutation(values), rng.permutation(values)
        return cls(lead, np.maximum(following + cycle, lead + 1))

    @property
    def is_fixed(self) -> bool:
        """Whether all paths have the same times."""
        return bool((self.lead == self.lead[0]).all() and (self.stop == self.stop[0]).all())


@dataclass(frozen=True, kw_only=True)
class Path:
    """Stock by period without a new order, and the thresholds that tell what an order changes.

    Attributes:
        holding: (series, periods x paths) thresholds of a unit held; see the module.
        missing: (series, paths) thresholds of a sale saved.
        base: (series,) sum over the interval's periods of mean stock that nothing limits.
        at_arrival: (series,) mean stock when the order arrives, below 0 where customers wait.
        missed_before: (series,) expected units missed before the order arrives.
        lost_before: (series, paths) the same by path.
        dry: (series, periods) share of paths that begin each period with an empty shelf or have
            missed a sale by its end, until an order may arrive; 0 after that.
        demand: (series,) expected units asked for in the interval.
        periods: Mean number of periods in the interval.
        falls: True where all paths share the interval's periods and no path's thresholds fall
            within it: sales are lost, or nothing arrives.
    """

    holding: Paths = field(repr=False)
    missing: Paths = field(repr=False)
    base: FloatArray = field(repr=False)
    at_arrival: FloatArray = field(repr=False)
    missed_before: FloatArray = field(repr=False)
    lost_before: Paths = field(repr=False)
    dry: FloatArray = field(repr=False)
    demand: FloatArray = field(repr=False)
    periods: float
    falls: bool = False

    @property
    def num_paths(self) -> int:
        """Number of demand paths."""
        return self.missing.shape[1]

    def select(self, rows: IntArray) -> "Path":
        """Return the paths of some series."""
        return Path(
            holding=self.holding[rows], missing=self.missing[rows], base=self.base[rows],
            at_arrival=self.at_arrival[rows], missed_before=self.missed_before[rows],
            lost_before=self.lost_before[rows], dry=self.dry[rows], demand=self.demand[rows],
            periods=self.periods, falls=self.falls,
        )  # fmt: skip

    def in_time(self) -> "Path":
        """Return the path if the stock had been enough until the order arrives.

        A sale that is lost before leaves a unit more for later: without it the stock at arrival
        is the position less demand, and so moves as the position does.
        """
        periods = self.holding.shape[1] // self.num_paths
        lost = self.lost_before
        return replace(
            self, holding=self.holding + np.tile(lost, periods), missing=self.missing + lost
        )

    def held(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) expected units held, summed over the interval's periods."""
        above = _above(self.holding, quantity) / self.num_paths
        return np.maximum(self.periods * quantity + self.base + above, 0)

    def missed(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) expected units missed in the interval."""
        return _above(self.missing, quantity) / self.num_paths

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
            stranded: (series,) money per unit left at the interval's end; none by default.
        """
        rows = np.flatnonzero(step > 0)
        if len(rows) < len(step):
            changed = np.zeros(len(step))
            if len(rows):
                end = None if stranded is None else stranded[rows]
                changed[rows] = self.select(rows).change(
                    quantity[rows], step[rows], holding_cost[rows], sale[rows], end
                )
            return changed
        saved = _between(self.missing, quantity, step) / self.num_paths
        unheld = _between(self.holding, quantity, step) / self.num_paths
        found = holding_cost * (self.periods * step - unheld) - sale * saved
        if stranded is not None:
            found = found + stranded * (step - saved)
        return found

    def unit_change(
        self, quantity: FloatArray, holding_cost: FloatArray, sale: FloatArray,
        stranded: FloatArray | None = None,
    ) -> FloatArray:  # fmt: skip
        """Return (series,) change of cost by one unit more, of whole units; see change."""
        saved = _count_above(self.missing, quantity) / self.num_paths
        unheld = _count_above(self.holding, quantity) / self.num_paths
        found = holding_cost * (self.periods - unheld) - sale * saved
        return found if stranded is None else found + stranded * (1 - saved)

    def short(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) the chance that a sale is missed in the interval."""
        return np.asarray((self.missing > quantity.astype(np.float32)[:, None]).mean(axis=1))

    @property
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """(series,) units below which a unit more always, and above which it never, saves a sale.

        Whole numbers.
        """
        # Where thresholds rise the first period's are the least.
        first = self.holding[:, : self.num_paths] if self.falls else self.holding
        low = np.minimum(self.missing.min(axis=1), _least(first))
        return np.floor(low).astype(np.float64), np.ceil(self.missing.max(axis=1)).astype(float)


def project(
    start: FloatArray,
    arrivals: FloatArray,
    demand: Paths,
    law: LeadLaw,
    *,
    lost_sales: bool,
) -> Path:
    """Return the projected path of series that share a law of lead times.

    Args:
        start: (series,) units on hand less those that customers wait for.
        arrivals: (series, periods) units at the start of each period ahead, as many as needed.
        demand: (periods, series, paths) units, to the end of the longest interval.
        law: When orders arrive.
        lost_sales: Unmet demand is lost; else it waits.

    Example:
        Five on the shelf, a sure demand of 3 a day, an order that arrives after two days and lasts
        for two: one sale is missed before it arrives, and six units are needed from it:

        >>> demand = np.full((4, 1, 2), 3, np.float32)
        >>> law = LeadLaw.fixed(2, 2, 2)
        >>> path = project(np.array([5.0]), np.zeros((1, 4)), demand, law, lost_sales=True)
        >>> path.missed_before.tolist(), path.missed(np.array([4.0])).tolist()
        ([1.0], [2.0])
        >>> path.missed(np.array([6.0])).tolist(), path.held(np.array([6.0])).tolist()
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
    if law.is_fixed:
        return _fixed(
            stock,
            missed,
            dry,
            come=come,
            demand=demand,
            first=first,
            stop=stop,
            lost_sales=lost_sales,
        )
    return _drawn(stock, missed, dry, come=come, demand=demand, law=law, lost_sales=lost_sales)


def _fixed(
    stock: Paths, missed: Paths, dry: FloatArray, come: Paths, demand: Paths, first: int, stop: int,
    *, lost_sales: bool,
) -> Path:  # fmt: skip
    num, num_paths = stock.shape
    holding = np.empty((num, stop - first, num_paths), np.float32)
    net, deepest = -stock, np.full_like(stock, _NEVER)
    base, asked = np.zeros(num), np.zeros(num)
    before = missed.mean(axis=1, dtype=np.float64)
    for number, period in enumerate(range(first, stop)):
        net += demand[period]
        net -= come[:, period, None]
        np.maximum(deepest, net, out=deepest)
        holding[:, number] = deepest if lost_sales else net
        base -= net.mean(axis=1, dtype=np.float64)
        asked += demand[period].mean(axis=1, dtype=np.float64)
    return Path(
        holding=holding.reshape(num, -1), missing=deepest, base=base,
        at_arrival=stock.mean(axis=1, dtype=np.float64), missed_before=before, lost_before=missed,
        dry=dry, demand=asked, periods=float(stop - first),
        falls=lost_sales or not come[:, first + 1 :].any(),
    )  # fmt: skip


def _drawn(
    stock: Paths, missed: Paths, dry: FloatArray, come: Paths, demand: Paths, law: LeadLaw,
    *, lost_sales: bool,
) -> Path:  # fmt: skip
    """Return the path where every demand path has its own times; see _fixed."""
    num, num_paths = stock.shape
    first, stop = int(law.lead.min()), int(law.stop.max())
    holding = np.full((num, stop - first, num_paths), _NEVER, np.float32)
    net, deepest, at_arrival = -stock, np.full_like(stock, _NEVER), stock.copy()
    base, asked = np.zeros(num), np.zeros(num)
    for number, period in enumerate(range(first, stop)):
        waits = law.lead > period
        if waits.any():
            part = -net[:, waits]
            gone = missed[:, waits]
            part += come[:, period, None]
            _sell(part, gone, demand[period][:, waits], lost_sales=lost_sales)
            net[:, waits], missed[:, waits], at_arrival[:, waits] = -part, gone, part
        own = (law.lead <= period) & (period < law.stop)
        net[:, own] += demand[period][:, own] - come[:, period, None]
        deepest[:, own] = np.maximum(deepest[:, own], net[:, own])
        holding[:, number, own] = deepest[:, own] if lost_sales else net[:, own]
        base -= net[:, own].sum(axis=1, dtype=np.float64) / num_paths
        asked += demand[period][:, own].sum(axis=1, dtype=np.float64) / num_paths
    periods = float((law.stop - law.lead).mean())
    return Path(
        holding=holding.reshape(num, -1), missing=deepest, base=base,
        at_arrival=at_arrival.mean(axis=1, dtype=np.float64),
        missed_before=missed.mean(axis=1, dtype=np.float64), lost_before=missed, dry=dry,
        demand=asked, periods=periods,
    )  # fmt: skip


def _sell(stock: Paths, missed: Paths, demand: Paths, *, lost_sales: bool) -> None:
    """Serve the demand of a period, in place; who waits was served when units arrived."""
    short = np.maximum(demand - np.maximum(stock, 0), 0)
    missed += short
    stock -= demand
    if lost_sales:
        stock += short


def _above(thresholds: Paths, quantity: FloatArray) -> FloatArray:
    """Return (series,) the sum over thresholds of what lies above the quantity."""
    over = thresholds - quantity.astype(np.float32)[:, None]
    np.maximum(over, 0, out=over)
    return _sum(over)


def _between(thresholds: Paths, quantity: FloatArray, step: FloatArray) -> FloatArray:
    """Return (series,) the sum over thresholds of what lies in (quantity, quantity + step]."""
    over = thresholds - quantity.astype(np.float32)[:, None]
    np.maximum(over, 0, out=over)
    np.minimum(over, step.astype(np.float32)[:, None], out=over)
    return _sum(over)


def _sum(values: Paths) -> FloatArray:
    """Return (series,) sums: of a path's periods and of 200 paths single precision is enough."""
    return values.sum(axis=1).astype(np.float64)


def _count_above(thresholds: Paths, quantity: FloatArray) -> IntArray:
    over = thresholds > quantity.astype(np.float32)[:, None]
    return np.asarray(np.count_nonzero(over, axis=1), np.int64)


def _least(thresholds: Paths) -> Paths:
    least: Paths = np.where(thresholds > _NEVER, thresholds, np.float32(np.inf)).min(axis=1)
    return least
