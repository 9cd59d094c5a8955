"""A network's items in memory: shelves with a forecast, sources, and what each has and costs."""

from dataclasses import dataclass, field

import numpy as np

from invopt.inventory.network.worth import (
    Shared,
    ShelfCosts,
    Worth,
    shared,
    shelf_worth,
    source_worth,
    thinned,
)
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

_THRESHOLDS = 400  # of a source that another one supplies


@dataclass(frozen=True, kw_only=True)
class Items:
    """Arrays by item, in units, money and periods.

    Attributes:
        parent: Item that supplies each, -1 for a source outside.
        lead_time: Of the lane that supplies it.
        cycle: From an order's arrival to the next one's.
        review_period: Between its reviews.
        holding_cost: Per unit and period.
        stockout_cost: Per unit missed.
        pack_size: Of its orders.
        push: True where nothing stays (cross-dock).
    """

    parent: IntArray = field(repr=False)
    lead_time: IntArray = field(repr=False)
    cycle: IntArray = field(repr=False)
    review_period: IntArray = field(repr=False)
    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    pack_size: FloatArray = field(repr=False)
    push: BoolArray = field(repr=False)

    def __post_init__(self) -> None:
        order = np.argsort(self.parent, kind="stable")
        object.__setattr__(self, "_order", order)
        object.__setattr__(self, "_sorted", self.parent[order])

    @property
    def num(self) -> int:
        """Items."""
        return len(self.parent)

    def children(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Return the items that some items supply, side by side, and the place of each's source."""
        order: IntArray = getattr(self, "_order")  # noqa: B009
        parents: IntArray = getattr(self, "_sorted")  # noqa: B009
        first, last = (np.searchsorted(parents, nodes, side) for side in ("left", "right"))
        owner = np.repeat(np.arange(len(nodes)), last - first)
        within = np.arange(len(owner)) - np.repeat(
            np.cumsum(last - first) - (last - first), last - first
        )
        return order[np.repeat(first, last - first) + within], owner

    def roots(self) -> IntArray:
        """Return the item at the top above each item."""
        found = np.arange(self.num)
        while True:
            above = self.parent[found]
            if (above < 0).all():
                return found
            found = np.where(above >= 0, above, found)


@dataclass(frozen=True)
class Reached:
    """What units of some sources can do, and the shelves they reach.

    Attributes:
        units: What they are worth, given to where they are worth most.
        leaf: Items with a shelf below the sources.
        owner: Place of each leaf's source in the list asked about.
        ships: Period at whose end the source ships towards each leaf.
        kept: Units beyond which each leaf takes none.
    """

    units: Shared
    leaf: IntArray
    owner: IntArray
    ships: IntArray
    kept: FloatArray


def next_review(period: IntArray, review_period: IntArray) -> IntArray:
    """Return the first review at or after a period; the review now is at the end of period 0.

    Example:
        >>> next_review(np.array([8, 14]), np.array([7, 7])).tolist()
        [14, 14]
    """
    return np.asarray(-(-period // review_period) * review_period)


class System:
    """Demand paths of the shelves of some trees, and what units at their sources are worth."""

    def __init__(self, items: Items, summed: Float32Array, column: IntArray) -> None:
        """Make ready.

        Args:
            items: Of the network.
            summed: (periods + 1, shelves, paths) units asked for by the end of each period.
            column: (items,) column of the item's shelf in it, -1 for none.
        """
        self.items, self.summed, self.column = items, summed, column

    def sold(self, leaf: IntArray, start: IntArray, stop: IntArray) -> Float32Array:
        """Return (leaves, paths) units asked for after period `start` up to `stop`."""
        at = self.column[leaf]
        return np.asarray(self.summed[stop, at] - self.summed[start, at])

    def reached(self, nodes: IntArray, first: IntArray, stop: IntArray) -> Reached:
        """Return what units at sources from period `first` until `stop` can do.

        Args:
            nodes: Items that supply others.
            first: (nodes,) period at whose start the units come.
            stop: (nodes,) last period before the next ones come.
        """
        items = self.items
        kids, owner = items.children(nodes)
        ships = next_review(first[owner], items.review_period[kids])
        following = next_review(stop[owner] + 1, items.review_period[kids])
        arrive = ships + items.lead_time[kids] + 1
        until = following + items.lead_time[kids]
        sells, inner = _split(items, kids)
        parts: list[tuple[Worth, IntArray]] = []
        leaf, leaf_owner, leaf_ships = kids[sells], owner[sells], ships[sells]
        worth = self._shelves(
            leaf, items.holding_cost[nodes][leaf_owner], leaf_ships, arrive[sells], until[sells]
        )
        parts.append((worth, leaf_owner))
        more, more_owner, more_ships = leaf[:0], leaf_owner[:0], leaf_ships[:0]
        if len(inner):
            deeper = self.reached(kids[inner], arrive[inner], until[inner])
            above = items.holding_cost[nodes][owner[inner]]
            span = until[inner] - arrive[inner] + 1
            worth = self._inner(deeper, kids[inner], ships[inner], above, span)
            parts.append((worth, owner[inner]))
            more, more_owner = deeper.leaf, owner[inner][deeper.owner]
            more_ships = ships[inner][deeper.owner]
        units, kept = _together(parts, items.push[nodes], len(nodes))
        return Reached(
            units,
            np.concatenate([leaf, more]),
            np.concatenate([leaf_owner, more_owner]),
            np.concatenate([leaf_ships, more_ships]),
            # What a shelf behind another source keeps, that source says.
            np.concatenate([kept[: len(leaf)], np.full(len(more), np.inf)]),
        )

    def _shelves(
        self, leaf: IntArray, source_cost: FloatArray, ships: IntArray, first: IntArray,
        stop: IntArray,
    ) -> Worth:  # fmt: skip
        items = self.items
        costs = ShelfCosts(
            items.holding_cost[leaf],
            items.stockout_cost[leaf],
            np.minimum(source_cost, items.holding_cost[leaf]),
        )
        return shelf_worth(self.summed[:, self.column[leaf]], costs, ships, first, stop)

    def _inner(
        self, deeper: Reached, own: IntArray, ships: IntArray, above: FloatArray, span: IntArray
    ) -> Worth:
        """Return what a unit more is worth to sources that other sources supply.

        Args:
            deeper: What they reach.
            own: (sources,) items.
            ships: (sources,) period at whose end they are sent to.
            above: (sources,) cost of a unit held where they are sent from.
            span: (sources,) periods that a unit lies there before the next one comes.
        """
        gone = self.sold(deeper.leaf, ships[deeper.owner], deeper.ships)
        system = np.zeros((len(own), gone.shape[1]), np.float32)
        np.subtract.at(system, deeper.owner, gone)
        here = self.items.holding_cost[own]
        dearer = (here - np.minimum(above, here)) * span
        return thinned(source_worth(deeper.units, system, dearer).spread(), _THRESHOLDS)


def _split(items: Items, kids: IntArray) -> tuple[IntArray, IntArray]:
    """Return places of items that only sell, and of those that supply others."""
    supplies = np.zeros(items.num, bool)
    supplies[items.parent[items.parent >= 0]] = True
    return np.flatnonzero(~supplies[kids]), np.flatnonzero(supplies[kids])


def _together(
    parts: list[tuple[Worth, IntArray]], push: BoolArray, num: int
) -> tuple[Shared, FloatArray]:
    """Return what units of sources are worth to all of their places, and what each keeps."""
    width = max(worth.at.shape[1] for worth, _ in parts)

    def padded(values: Float32Array, fill: float) -> Float32Array:
        found = np.full((len(values), width), fill, np.float32)
        found[:, : values.shape[1]] = values
        return found

    joined = Worth(
        np.concatenate([padded(w.at, -np.inf) for w, _ in parts]),
        np.concatenate([padded(w.weight, 0.0) for w, _ in parts]),
        np.concatenate([w.base for w, _ in parts]),
    )
    owner = np.concatenate([o for _, o in parts])
    order = np.argsort(owner, kind="stable")
    joined = Worth(joined.at[order], joined.weight[order], joined.base[order])
    starts = np.searchsorted(owner[order], np.arange(num))
    found = shared(joined, starts, owner[order], push=push)
    kept = np.empty(len(owner))
    kept[order] = found.kept
    return found, kept
