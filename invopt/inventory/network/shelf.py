"""Demand paths of many shelves at once, and what a pack more or less is worth on each now."""

from dataclasses import dataclass, field

import numpy as np

from invopt.inventory.path import LeadLaw, Path, project
from invopt.inventory.paths import sampler_of
from invopt.inventory.policy import periods_ahead
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

Money = FloatArray | float

MAX_PACKS = 64  # of an order that are looked at one by one


@dataclass(kw_only=True)
class Shelves:
    """Series that a network supplies; arrays are (series,) unless said otherwise.

    Attributes:
        mean: (series, reach) units per period.
        quantiles: (series, reach, Q) units per period.
        sums: (series, horizon, R) quantiles of demand over the first periods.
        within: Periods whose sum the paths keep: as far as an order of the source reaches.
        on_hand: Units, less those that customers wait for; NaN where not known.
        arrivals: (series, periods) units under way.
        lead_time: Of the lane.
        cycle: From an order's arrival to the next one's.
        holding_cost: Per unit and period.
        stockout_cost: Per unit missed.
        unit_cost: Per unit.
        pack_size: Of the lane.
        min_order: Of the lane.
        wanted: Units that the review orders.
        fixed: True where a planner has set them.
        ends_in: First period ahead, from 1, in which it is not sold any more; inf for never.
    """

    mean: Float32Array = field(repr=False)
    quantiles: Float32Array = field(repr=False)
    sums: Float32Array = field(repr=False)
    within: IntArray = field(repr=False)
    on_hand: FloatArray = field(repr=False)
    arrivals: Float32Array = field(repr=False)
    lead_time: IntArray = field(repr=False)
    cycle: IntArray = field(repr=False)
    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    unit_cost: FloatArray = field(repr=False)
    pack_size: FloatArray = field(repr=False)
    min_order: FloatArray = field(repr=False)
    wanted: FloatArray = field(repr=False)
    fixed: BoolArray = field(repr=False)
    ends_in: FloatArray = field(repr=False)

    @classmethod
    def concatenate(cls, parts: list["Shelves"]) -> "Shelves":
        """Return the series of all parts, arrays of periods as long as the longest."""
        found = {}
        for name in vars(parts[0]):
            values = [getattr(p, name) for p in parts]
            if name == "arrivals":
                width = max(v.shape[1] for v in values)
                values = [np.pad(v, ((0, 0), (0, width - v.shape[1]))) for v in values]
            found[name] = np.concatenate(values)
        return cls(**found)

    def take(self, rows: IntArray) -> "Shelves":
        """Return some series."""
        return Shelves(**{name: values[rows] for name, values in vars(self).items()})

    @property
    def num(self) -> int:
        """Series."""
        return len(self.on_hand)

    def position(self, periods: IntArray) -> FloatArray:
        """Return units on hand and those that come within so many periods; NaN where not known."""
        inside = np.arange(1, self.arrivals.shape[1] + 1) <= periods[:, None]
        return np.asarray(self.on_hand + np.where(inside, self.arrivals, 0).sum(axis=1))


class ShelfPaths:
    """Draws demand for shelves, each by its own forecast."""

    def __init__(
        self, reach: int, num_paths: int, seed: int, quantile_levels: tuple[float, ...],
        level_quantiles: tuple[float, ...], *, is_count: bool,
    ) -> None:  # fmt: skip
        """Make ready.

        Args:
            reach: Periods ahead.
            num_paths: Float32Array of each.
            seed: Of the draws.
            quantile_levels: Q levels.
            level_quantiles: R levels.
            is_count: True when units are whole.
        """
        self.reach, self.is_count = reach, is_count
        self.sampler = sampler_of(reach, num_paths, seed, quantile_levels, level_quantiles)

    def draw(self, shelves: Shelves) -> Float32Array:
        """Return (reach, series, paths) units."""
        horizon = shelves.mean.shape[1]
        places = periods_ahead(horizon, self.reach)
        found = np.empty((self.reach, shelves.num, self.sampler.draws.own.shape[1]), np.float32)
        for within in np.unique(shelves.within):
            rows = np.flatnonzero(shelves.within == within)
            found[:, rows] = self.sampler.paths(
                shelves.quantiles[rows][:, places], shelves.mean[rows][:, places],
                shelves.sums[rows, within - 1], int(within), is_count=self.is_count,
            )  # fmt: skip
        # Beyond its horizon a forecast repeats its last week, and a product may end in between.
        for row in np.flatnonzero(shelves.ends_in <= self.reach):
            found[max(int(shelves.ends_in[row]) - 1, 0) :, row] = 0
        return found


def _paths_now(
    shelves: Shelves, demand: Float32Array, *, lost_sales: bool
) -> list[tuple[IntArray, Path]]:
    """Return the projected paths until the next order arrives, by rows of equal times."""
    kinds = np.stack([shelves.lead_time, shelves.cycle], axis=1)
    found = []
    for lead, cycle in np.unique(kinds, axis=0):
        rows = np.flatnonzero((kinds == (lead, cycle)).all(axis=1))
        law = LeadLaw.fixed(int(lead), int(cycle), demand.shape[2])
        start = np.nan_to_num(shelves.on_hand[rows])
        path = project(
            start,
            shelves.arrivals[rows].astype(np.float64),
            demand[:, rows],
            law,
            lost_sales=lost_sales,
        )
        found.append((rows, path))
    return found


def pack_gains(
    shelves: Shelves, demand: Float32Array, *, lost_sales: bool
) -> tuple[FloatArray, FloatArray]:
    """Return (series, packs) money that each pack of the wanted order saves, and units of a pack.

    Orders of more than MAX_PACKS packs are looked at in as many equal steps of several packs.

    Example:
        An empty shelf sells 3 for certain, held at 1 and missed at 9. Of two packs of 2 the first
        saves two sales, the second one sale and holds a unit:

        >>> from dataclasses import fields
        >>> one = np.ones(1)
        >>> shelves = Shelves(**{f.name: one for f in fields(Shelves)} | {
        ...     "on_hand": 0 * one, "arrivals": np.zeros((1, 1)), "lead_time": 0 * one,
        ...     "stockout_cost": 9 * one, "pack_size": 2 * one, "wanted": 4 * one})
        >>> demand = np.full((1, 1, 1), 3, np.float32)
        >>> gain, step = pack_gains(shelves, demand, lost_sales=True)
        >>> gain.tolist(), step.tolist()
        ([[18.0, 8.0]], [2.0])
    """
    whole = np.maximum(np.rint(shelves.wanted / shelves.pack_size), 0)
    step = np.maximum(np.ceil(whole / MAX_PACKS), 1) * shelves.pack_size
    most = int(np.ceil(np.rint(shelves.wanted / step * 1e6) / 1e6).max(initial=0))
    gain = np.zeros((shelves.num, max(most, 1)))
    for rows, path in _paths_now(shelves, demand, lost_sales=lost_sales):
        size, wanted = step[rows], shelves.wanted[rows]
        for number in range(most):
            before = number * size
            asked = before + size <= wanted + 1e-6
            saved = -path.outlook.change(
                before, np.where(asked, size, 0.0), shelves.holding_cost[rows],
                shelves.stockout_cost[rows],
            )  # fmt: skip
            # An order by promise may hold packs that cost more than they save: they go last.
            gain[rows, number] = np.where(asked, np.maximum(saved, 1e-9), 0.0)
    return gain, step


def interval_cost(
    start: FloatArray, arrivals: FloatArray, demand: Float32Array, holding_cost: Money,
    stockout_cost: Money, *, lost_sales: bool,
) -> FloatArray:  # fmt: skip
    """Return (options,) expected money of stock held and sales missed on shelves' paths.

    Args:
        start: (options,) units at the start.
        arrivals: (options, periods) units at the start of each period.
        demand: (periods, paths) units of one shelf, or (periods, options, paths).
        holding_cost: Per unit and period, one number or (options,).
        stockout_cost: Per unit missed, the same.
        lost_sales: Unmet demand is lost; else it waits.

    Example:
        Five units and a demand of 3, twice: 2 are held once at 0.1, then 1 is missed at 1:

        >>> demand = np.full((2, 1), 3, np.float32)
        >>> interval_cost(
        ...     np.array([5.0]), np.zeros((1, 2)), demand, 0.1, 1.0, lost_sales=True
        ... ).round(2).tolist()
        [1.2]
    """
    stock = np.repeat(start[:, None], demand.shape[-1], axis=1)
    held, missed = np.zeros(len(start)), np.zeros(len(start))
    for period, asked in enumerate(demand):
        stock = stock + arrivals[:, period, None]
        short = np.maximum(asked - np.maximum(stock, 0), 0)
        missed += short.mean(axis=1)
        stock = stock - asked + (short if lost_sales else 0)
        held += np.maximum(stock, 0).mean(axis=1)
    return np.asarray(holding_cost * held + stockout_cost * missed)
