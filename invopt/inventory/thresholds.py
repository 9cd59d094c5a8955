"""Thresholds of a projected path: how much of each lies above a quantity, summed by series.

Costs of an order are sums of max(T - q, 0) over the thresholds T of its demand paths. Where units
are whole the thresholds of a series are counted by value once, and each sum is then looked up:
between two whole quantities it is a straight line.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from invopt.types import Float32Array, FloatArray, IntArray

Paths = Float32Array
# Below every threshold: a period that does not count on a path.
NEVER = np.float32(-1e30)
_FAR = 2**23  # places of a table up to which single precision names each


class Thresholds(Protocol):
    """What an order is judged by; one row per series."""

    @property
    def low(self) -> FloatArray:
        """(series,) the least threshold."""

    @property
    def high(self) -> FloatArray:
        """(series,) the largest threshold."""

    def above(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) the sum of what lies above a quantity."""

    def between(self, quantity: FloatArray, step: FloatArray) -> FloatArray:
        """Return (series,) the sum of what lies in (quantity, quantity + step]."""

    def exceed(self, quantity: FloatArray) -> FloatArray:
        """Return (series,) how many lie above a quantity."""

    def select(self, rows: IntArray) -> "Thresholds":
        """Return the thresholds of some series."""


@dataclass(frozen=True)
class Listed:
    """Thresholds one by one.

    Attributes:
        values: (series, thresholds) units; NEVER for none.
    """

    values: Paths = field(repr=False)

    @property
    def low(self) -> FloatArray:
        """See Thresholds."""
        least = np.where(self.values > NEVER, self.values, np.float32(np.inf)).min(axis=1)
        return np.asarray(least, np.float64)

    @property
    def high(self) -> FloatArray:
        """See Thresholds."""
        return np.asarray(self.values.max(axis=1), np.float64)

    def above(self, quantity: FloatArray) -> FloatArray:
        """See Thresholds."""
        return _sum(self._over(quantity))

    def between(self, quantity: FloatArray, step: FloatArray) -> FloatArray:
        """See Thresholds."""
        over = self._over(quantity)
        return _sum(np.minimum(over, step.astype(np.float32)[:, None], out=over))

    def exceed(self, quantity: FloatArray) -> FloatArray:
        """See Thresholds."""
        over = self.values > quantity.astype(np.float32)[:, None]
        return np.count_nonzero(over, axis=1).astype(np.float64)

    def select(self, rows: IntArray) -> "Listed":
        """See Thresholds."""
        return Listed(self.values[rows])

    def _over(self, quantity: FloatArray) -> Paths:
        over = self.values - quantity.astype(np.float32)[:, None]
        return np.maximum(over, 0, out=over)


def _sum(values: Paths) -> FloatArray:
    """Return (series,) sums: of a path's periods and of 200 paths single precision is enough."""
    return values.sum(axis=1).astype(np.float64)


@dataclass(frozen=True)
class Counted:
    """Thresholds in whole units, counted by value.

    Attributes:
        number: Thresholds of a series.
        low: (series,) the least threshold.
        high: (series,) the largest threshold.
        first: (series,) place in `sums` of the least threshold's sum.
        sums: What lies above each whole quantity from a series' least threshold to one more than
            its largest, series after series.
    """

    number: int
    low: FloatArray = field(repr=False)
    high: FloatArray = field(repr=False)
    first: IntArray = field(repr=False)
    sums: IntArray = field(repr=False)

    def above(self, quantity: FloatArray) -> FloatArray:
        """See Thresholds."""
        past = quantity - self.low
        width = self.high - self.low
        whole = np.minimum(np.maximum(np.floor(past), 0), width)
        place = self.first + whole.astype(np.int64)
        here = self.sums[place]
        found: FloatArray = here + np.maximum(past - whole, 0) * (self.sums[place + 1] - here)
        return found - self.number * np.minimum(past, 0)

    def between(self, quantity: FloatArray, step: FloatArray) -> FloatArray:
        """See Thresholds."""
        return self.above(quantity) - self.above(quantity + step)

    def exceed(self, quantity: FloatArray) -> FloatArray:
        """See Thresholds."""
        whole = np.floor(quantity)
        return self.above(whole) - self.above(whole + 1)

    def select(self, rows: IntArray) -> "Counted":
        """See Thresholds."""
        return Counted(self.number, self.low[rows], self.high[rows], self.first[rows], self.sums)

    def put(self, rows: IntArray, part: "Counted") -> "Counted":
        """Return the thresholds with other ones for some series."""
        low, high, first = self.low.copy(), self.high.copy(), self.first.copy()
        low[rows], high[rows], first[rows] = part.low, part.high, part.first + len(self.sums)
        return Counted(self.number, low, high, first, np.concatenate([self.sums, part.sums]))


@dataclass(frozen=True)
class Weighted:
    """Two kinds of thresholds, of which one counts several times.

    Attributes:
        once: That count once.
        often: That count `times` times.
        times: See often.
        values: (series, thresholds) units of those that count often.
    """

    once: Thresholds = field(repr=False)
    often: Thresholds = field(repr=False)
    times: float
    values: Paths = field(repr=False)

    @property
    def low(self) -> FloatArray:
        """See Thresholds."""
        return np.minimum(self.once.low, self.often.low)

    @property
    def high(self) -> FloatArray:
        """See Thresholds."""
        return np.maximum(self.once.high, self.often.high)

    def above(self, quantity: FloatArray) -> FloatArray:
        """See Thresholds."""
        return self.once.above(quantity) + self.times * self.often.above(quantity)

    def between(self, quantity: FloatArray, step: FloatArray) -> FloatArray:
        """See Thresholds."""
        return self.once.between(quantity, step) + self.times * self.often.between(quantity, step)

    def exceed(self, quantity: FloatArray) -> FloatArray:
        """See Thresholds."""
        return self.once.exceed(quantity) + self.times * self.often.exceed(quantity)

    def select(self, rows: IntArray) -> "Weighted":
        """See Thresholds."""
        once, often = self.once.select(rows), self.often.select(rows)
        return Weighted(once, often, self.times, self.values[rows])


def counted(values: Paths, low: FloatArray, high: FloatArray) -> Thresholds:
    """Return whole thresholds counted, or listed where a table would be larger than they are.

    Args:
        values: (series, thresholds) whole units.
        low: (series,) the least of each.
        high: (series,) the largest of each.

    Example:
        Of 1, 2, 2, 4, 4 and 4 three lie above 2, by 2 each; above 3 by 1 each:

        >>> values = np.array([[1, 2, 2, 4, 4, 4]], np.float32)
        >>> found = counted(values, np.array([1.0]), np.array([4.0]))
        >>> [found.above(np.array([units])).tolist() for units in (2.0, 2.5, 3.0)]
        [[6.0], [4.5], [3.0]]
        >>> one = np.ones(1)
        >>> found.exceed(2 * one).tolist(), found.between(one, one).tolist()
        ([3.0], [5.0])
    """
    num, number = values.shape
    length = (high - low).astype(np.int64) + 2
    total = int(length.sum())
    if total > min(max(values.size, 1), _FAR):
        return Listed(values)
    ends = length.cumsum()
    first = ends - length
    places = np.empty(values.shape, np.intp)
    # In one pass: of an array of this size each copy costs as much as counting it.
    np.add(values, (first - low).astype(np.float32)[:, None], out=places, casting="unsafe")
    per_value = np.bincount(places.ravel(), minlength=total)
    # Counted from the end: what lies above a value, then what lies above it in sum; of each the
    # share of the series that follow is taken off.
    after = np.append(per_value[::-1].cumsum()[::-1], 0)[1:]
    after -= np.repeat(number * np.arange(num - 1, -1, -1), length)
    sums = np.append(after[::-1].cumsum()[::-1], 0)
    own = sums[:-1] - np.repeat(sums[ends], length)
    return Counted(number, low, high, first, own)
