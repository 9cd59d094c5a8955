"""What one more unit is worth to a place, and to the place that supplies it.

A unit more that a shop has from t on saves a sale where demand goes beyond it, and is held in the
periods where demand does not. So what it is worth is a sum over thresholds, of demand by period
and path, that lie above the stock; it falls as the stock grows. A source gives its units to the
places where they are worth most, as long as they are worth more there than where they lie: the
worth of n units together is that of the n-th in this order. Seen from the source's own order the
units left then are the stock of the whole system less what is sold before, and so its worth is a
sum over thresholds again. That is the recursion of Clark and Scarf (1960, Management Science 6)
for places in a row, and the lower bound of Federgruen and Zipkin (1984, Management Science 30)
for a source of several, which lets stock move between them when the next goods come: it is exact
in a row, and next to it where the stock of the places stays in balance.

A unit is held at the source where it is held nowhere else: costs are those of echelons.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

LAYERS = 48  # of worth between that of the first unit and none
_MOST_PERIODS = 4  # of an interval in which holding is looked at
_TINY = 1e-9
_NEVER, _STEP = 1e7, 1e-3  # units that never sell out, and that are none
_HALVINGS, _FINE = 48, 1e-5  # in which the best quantity is found, and units


@dataclass(frozen=True)
class Worth:
    """What a unit more is worth: `base` and the weights of the thresholds above the stock.

    Attributes:
        at: (places, T) thresholds, descending.
        weight: (places, T) money of each.
        base: (places,) money; below 0 where a unit too many costs.
    """

    at: Float32Array = field(repr=False)
    weight: Float32Array = field(repr=False)
    base: FloatArray = field(repr=False)

    @classmethod
    def of(cls, at: Float32Array, weight: Float32Array, base: FloatArray) -> "Worth":
        """Return the worth of thresholds in any order."""
        order = np.argsort(-at, axis=1)
        return cls(
            np.take_along_axis(at, order, axis=1), np.take_along_axis(weight, order, axis=1), base
        )

    @property
    def range(self) -> tuple[FloatArray, FloatArray]:
        """(places,) lowest and highest threshold."""
        return self.at.min(axis=1), self.at.max(axis=1)

    @property
    def most(self) -> FloatArray:
        """(places,) money that the first unit is worth."""
        return self.base + self.weight.sum(axis=1, dtype=np.float64)

    def of_unit(self, stock: FloatArray) -> FloatArray:
        """Return (places,) money that a unit more than the stock is worth."""
        above = np.where(self.at > stock[:, None], self.weight, 0)
        return self.base + above.sum(axis=1, dtype=np.float64)

    def of_units(self, stock: FloatArray, step: FloatArray) -> FloatArray:
        """Return (places,) money that `step` units more than the stock are worth together."""
        part = np.clip(self.at - stock[:, None], 0, step[:, None]) * self.weight
        return self.base * step + part.sum(axis=1, dtype=np.float64)

    def stock_at(self, worth: FloatArray) -> FloatArray:
        """Return (places, layers) the stock up to which a unit more is worth so much.

        Args:
            worth: (places, layers) money.
        """
        running = np.cumsum(self.weight, axis=1, dtype=np.float64)
        total = np.maximum(running[:, -1:], _TINY)
        wanted = np.clip((worth - self.base[:, None]) / total, 0, 1 + _TINY)
        # Rows one after another make one ascending list: a search in it is a search in each row.
        shift = 2.0 * np.arange(len(running))[:, None]
        place = np.searchsorted((running / total + shift).ravel(), (wanted + shift - _TINY).ravel())
        place = place.reshape(wanted.shape) - np.arange(len(running))[:, None] * running.shape[1]
        inside = np.clip(place, 0, running.shape[1] - 1)
        found = np.take_along_axis(self.at, inside, axis=1).astype(np.float64)
        return np.where(worth > self.most[:, None] + _TINY, -np.inf, found)


@dataclass(frozen=True)
class ShelfCosts:
    """Costs of places that sell, (places,).

    Attributes:
        holding_cost: Money per unit and period.
        stockout_cost: Money per unit missed.
        source_cost: Money per unit and period held at the source instead; 0 for none.
    """

    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    source_cost: FloatArray = field(repr=False)


def shelf_worth(
    summed: Float32Array, costs: ShelfCosts, ships: IntArray, first: IntArray, stop: IntArray
) -> Worth:
    """Return what a unit that is shipped after period `ships` is worth to a shelf.

    Args:
        summed: (periods + 1, places, paths) units asked for by the end of each period, 0 first.
        costs: Of the places.
        ships: (places,) period at whose end the source ships.
        first: (places,) period that the unit arrives before.
        stop: (places,) last period before the next arrival.

    Example:
        (p + h) P(D > x) - h: with demand 1 to 100, all alike, held at 1 and missed at 8, a unit
        more than 50 is worth 9 / 2 - 1:

        >>> summed = np.zeros((2, 1, 100), np.float32)
        >>> summed[1, 0] = np.arange(1, 101)
        >>> now, one = np.array([0]), np.ones(1)
        >>> worth = shelf_worth(summed, ShelfCosts(one, 8 * one, 0 * one), now, now + 1, now + 1)
        >>> worth.of_unit(np.array([50.0])).round(3).tolist()
        [3.5]
    """
    num_paths = summed.shape[2]
    rows = np.arange(summed.shape[1])
    before = summed[ships, rows]
    length = stop - first + 1
    looks = int(min(length.max(initial=1), _MOST_PERIODS))
    at = np.empty((len(rows), looks + 1, num_paths), np.float32)
    weight = np.empty_like(at)
    for look in range(looks):  # the middle of each of equal parts
        period = first + np.floor((look + 0.5) * length / looks).astype(np.int64)
        at[:, look] = summed[np.minimum(period, stop), rows] - before
        weight[:, look] = (costs.holding_cost * length / looks / num_paths)[:, None]
    at[:, looks] = summed[stop, rows] - before
    weight[:, looks] = (costs.stockout_cost / num_paths)[:, None]
    base = (costs.source_cost - costs.holding_cost) * length
    shape = (len(rows), (looks + 1) * num_paths)
    return Worth.of(at.reshape(shape), weight.reshape(shape), base)


@dataclass(frozen=True)
class Shared:
    """What the units of a source are worth, given to the places where they are worth most.

    Attributes:
        layer: (sources, layers) money that a layer of worth is thick.
        up_to: (sources, layers) units that are worth a layer or more, ascending.
        kept: (places,) units beyond which a place takes none.
    """

    layer: FloatArray = field(repr=False)
    up_to: FloatArray = field(repr=False)
    kept: FloatArray = field(repr=False)


def shared(places: Worth, starts: IntArray, source_of: IntArray, *, push: BoolArray) -> Shared:
    """Return what the units of sources are worth.

    Args:
        places: Worth of every place, those of a source side by side.
        starts: (sources,) first place of each.
        source_of: (places,) source of each.
        push: (sources,) True where nothing stays at the source (cross-dock).

    Example:
        One place can use 10 units at 5 each, another 4 at 2 each: worth nearly 5 are 10, worth
        anything 14:

        >>> at, weight = np.array([[10], [4]], np.float32), np.array([[5], [2]], np.float32)
        >>> places = Worth(at, weight, np.zeros(2))
        >>> found = shared(places, np.array([0]), np.array([0, 0]), push=np.zeros(1, bool))
        >>> found.up_to[0, [0, -1]].tolist(), found.kept.tolist()
        ([10.0, 14.0], [10.0, 4.0])
    """
    most = np.maximum.reduceat(places.most, starts)
    least = np.where(push, np.minimum.reduceat(places.base, starts), 0.0)
    least = np.minimum(least, most)
    edges = 1 - (1 - np.linspace(0, 1, LAYERS + 1)) ** 2  # finer where worth is small
    levels = least[:, None] + (most - least)[:, None] * edges[::-1][None, :]
    levels = np.sort(levels, axis=1)[:, ::-1]
    middle, layer = (levels[:, 1:] + levels[:, :-1]) / 2, levels[:, :-1] - levels[:, 1:]
    stock = np.maximum(places.stock_at(middle[source_of]), 0)
    up_to = np.add.reduceat(stock, starts, axis=0)
    floor = np.maximum(least, _TINY)[source_of, None]
    kept = np.maximum(places.stock_at(floor)[:, 0], 0)
    return Shared(layer, up_to, kept)


@dataclass(frozen=True)
class Ending:
    """What is lost of units that never sell, since the product ends everywhere below a source.

    Attributes:
        until: (sources, paths) units that an order may bring and that sell until then, ascending;
            infinite where it does not end.
        lost: (sources,) money of a unit that is left.
    """

    until: FloatArray = field(repr=False)
    lost: FloatArray = field(repr=False)

    def of_unit(self, stock: FloatArray) -> FloatArray:
        """Return (sources,) money that is expected to be lost of a unit more than the stock."""
        # The unit after the last one that sells is lost.
        below = _below(_finite(self.until), stock[:, None] + _STEP)[:, 0]
        return np.asarray(self.lost * below / self.until.shape[1])

    def of_units(self, stock: FloatArray, step: FloatArray) -> FloatArray:
        """Return (sources,) money that is expected to be lost of `step` units more."""
        sold = np.clip(self.until - stock[:, None], 0, step[:, None])
        return np.asarray(self.lost * (step - sold.mean(axis=1)))


def _finite(values: FloatArray) -> FloatArray:
    return np.asarray(np.minimum(values, _NEVER))


@dataclass(frozen=True)
class SystemWorth:
    """What a unit more is worth to a source: a Worth of layers x paths thresholds, not written out.

    Every layer of worth lies above the system of every path: its thresholds are `up_to` less what
    is left in the system, each path with an equal part of the layer's money.

    Attributes:
        up_to: (sources, layers) units.
        layer: (sources, layers) money.
        left: (sources, paths) units, ascending.
        base: (sources,) money of a unit too many.
        ending: What is lost of units that never sell; None where no product ends.
    """

    up_to: FloatArray = field(repr=False)
    layer: FloatArray = field(repr=False)
    left: FloatArray = field(repr=False)
    base: FloatArray = field(repr=False)
    ending: Ending | None = None

    @property
    def range(self) -> tuple[FloatArray, FloatArray]:
        """(sources,) lowest and highest threshold."""
        low, high = self.left[:, 0], self.left[:, -1]
        lowest = self.up_to.min(axis=1) - high
        if self.ending is not None:
            lowest = np.minimum(lowest, self.ending.until[:, 0])
        return lowest, self.up_to.max(axis=1) - low

    def of_unit(self, stock: FloatArray) -> FloatArray:
        """Return (sources,) money that a unit more than the stock is worth."""
        below = _below(self.left, self.up_to - stock[:, None])
        found = self.base + (below * self.layer).sum(axis=1) / self.left.shape[1]
        return found if self.ending is None else found - self.ending.of_unit(stock)

    def missed(self, stock: FloatArray) -> FloatArray:
        """Return (sources,) money that all units beyond the stock are worth, without the base."""
        point = self.up_to - stock[:, None]
        below = _below(self.left, point)
        running = np.concatenate([np.zeros((len(point), 1)), self.left.cumsum(axis=1)], axis=1)
        above = below * point - np.take_along_axis(running, below, axis=1)
        return np.asarray((above * self.layer).sum(axis=1) / self.left.shape[1])

    def of_units(self, stock: FloatArray, step: FloatArray) -> FloatArray:
        """Return (sources,) money that `step` units more than the stock are worth together."""
        found = self.base * step + self.missed(stock) - self.missed(stock + step)
        return found if self.ending is None else found - self.ending.of_units(stock, step)

    def spread(self) -> Worth:
        """Return the same, written out, without what ends."""
        at = (self.up_to[:, :, None] - self.left[:, None, :]).astype(np.float32)
        part = (self.layer / self.left.shape[1])[:, :, None]
        weight = np.broadcast_to(part, at.shape).astype(np.float32)
        shape = (len(at), at.shape[1] * at.shape[2])
        return Worth(at.reshape(shape), weight.reshape(shape), self.base)


@dataclass(frozen=True)
class MixedWorth:
    """What a unit more is worth where an order may arrive at one of several times.

    Attributes:
        share: Chance of each time; those at which the order comes too late to matter are left out.
        parts: What it is worth then, of the same sources.
    """

    share: tuple[float, ...]
    parts: tuple[SystemWorth, ...]

    @property
    def range(self) -> tuple[FloatArray, FloatArray]:
        """(sources,) lowest and highest threshold."""
        low, high = zip(*(part.range for part in self.parts), strict=True)
        return np.min(low, axis=0), np.max(high, axis=0)

    def of_unit(self, stock: FloatArray) -> FloatArray:
        """Return (sources,) money that a unit more than the stock is worth."""
        return self._mean([part.of_unit(stock) for part in self.parts])

    def missed(self, stock: FloatArray) -> FloatArray:
        """Return (sources,) money that all units beyond the stock are worth, without the base."""
        return self._mean([part.missed(stock) for part in self.parts])

    def of_units(self, stock: FloatArray, step: FloatArray) -> FloatArray:
        """Return (sources,) money that `step` units more than the stock are worth together."""
        return self._mean([part.of_units(stock, step) for part in self.parts])

    def _mean(self, values: list[FloatArray]) -> FloatArray:
        return np.asarray(np.tensordot(np.array(self.share), np.stack(values), axes=1))


def _below(ascending: FloatArray, point: FloatArray) -> IntArray:
    """Return (rows, points) values of each row below each point of the row."""
    low = min(ascending.min(initial=0), point.min(initial=0))
    width = max(ascending.max(initial=0), point.max(initial=0)) - low + 1
    # Rows one after another make one ascending list: a search in it is a search in each row.
    shift = width * np.arange(len(ascending))[:, None]
    place = np.searchsorted((ascending - low + shift).ravel(), (point - low + shift).ravel())
    within = place.reshape(point.shape) - np.arange(len(point))[:, None] * ascending.shape[1]
    return np.asarray(np.clip(within, 0, ascending.shape[1]))


def source_worth(units: Shared, system: Float32Array, holding: FloatArray) -> SystemWorth:
    """Return what a unit more that a source orders is worth.

    Args:
        units: Of its places, when they are shipped.
        system: (sources, paths) units of the system left by then, without the order: where none
            are known of, minus what is sold before.
        holding: (sources,) money that a unit costs from its arrival to the next one's.

    Example:
        A place can use 10 units at 5 each, and sells 3 before they come: up to 13 a unit is worth
        5, less the 1 that it costs at the source:

        >>> place = Worth(np.array([[10]], np.float32), np.array([[5]], np.float32), np.zeros(1))
        >>> units = shared(place, np.array([0]), np.array([0]), push=np.zeros(1, bool))
        >>> worth = source_worth(units, np.array([[-3]], np.float32), np.ones(1))
        >>> [worth.of_unit(np.array([stock])).round(3).tolist() for stock in (12.0, 13.0)]
        [[4.0], [-1.0]]
    """
    left = np.sort(system, axis=1).astype(np.float64)
    return SystemWorth(units.up_to, units.layer, left, -holding)


def thinned(worth: Worth, size: int) -> Worth:
    """Return a worth with at most `size` thresholds of equal weight, the same money in all.

    Example:
        A hundred thresholds by four: the middles of four parts of 25, each with a quarter of the
        money:

        >>> at = np.arange(1, 101, dtype=np.float32)[None]
        >>> weight = np.full((1, 100), 0.04, np.float32)
        >>> found = thinned(Worth(at, weight, np.zeros(1)), 4)
        >>> found.at.tolist(), found.weight.round(3).tolist()
        ([[88.0, 63.0, 38.0, 13.0]], [[1.0, 1.0, 1.0, 1.0]])
    """
    ordered = Worth.of(worth.at, worth.weight, worth.base)
    if ordered.at.shape[1] <= size:
        return ordered
    total = ordered.weight.sum(axis=1, dtype=np.float64)
    shares = (np.arange(size) + 0.5) / size
    flat = replace(ordered, base=np.zeros(len(total)))
    at = flat.stock_at(total[:, None] * shares[None, :]).astype(np.float32)
    weight = np.repeat((total / size)[:, None], size, axis=1).astype(np.float32)
    return Worth(at, weight, ordered.base)


def best_quantity(worth: "Worth | SystemWorth | MixedWorth", *, whole: bool = False) -> FloatArray:
    """Return (sources,) units up to which a unit more is worth ordering; below 0 for too much.

    Args:
        worth: Of a unit more.
        whole: Return the next whole number, which takes a third of the looks.

    Example:
        The newsvendor: demand 1 to 100, all alike, and a ratio of 8 / (8 + 1) ask for 89:

        >>> summed = np.zeros((2, 1, 100), np.float32)
        >>> summed[1, 0] = np.arange(1, 101)
        >>> now, one = np.array([0]), np.ones(1)
        >>> worth = shelf_worth(summed, ShelfCosts(one, 8 * one, 0 * one), now, now + 1, now + 1)
        >>> best_quantity(worth).round(3).tolist()
        [89.0]
    """
    low, high = (np.asarray(end, np.float64) for end in worth.range)
    low, high = np.floor(low - 1), np.ceil(high)
    high = np.maximum(high, low + 1)
    for _ in range(_HALVINGS):
        middle = np.floor((low + high) / 2) if whole else (low + high) / 2
        wants = worth.of_unit(middle) > _TINY
        low, high = np.where(wants, middle, low), np.where(wants, high, middle)
        if ((high - low) <= (1 if whole else _FINE)).all():
            break
    return high
