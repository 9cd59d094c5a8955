"""What units cost after an order's own interval: demand that falls, products that end.

While demand stays as it is, a unit left over is one that the next order need not bring, and costs
nothing more (Veinott, 1965, Management Science 12). Where demand falls, after a promotion or a
season, it lies there until what later orders aim at has fallen below it; where a product ends, it
is lost. Both are thresholds as those of the projected path: a unit more than what an interval's
order aims at, and all demand before it, is held for that interval, and a unit more than all demand
until the end never sells.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from invopt.inventory.path import Path
from invopt.inventory.thresholds import Counted, Listed, Thresholds, Weighted, counted
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

FALLS = 0.8  # of an interval's demand that the next one asks for: below, leftovers are looked at
INTERVALS = 26  # later intervals that are looked at, at most
FEW = (2, 6, INTERVALS)  # of them that series are grouped by: each is looked at as far as it needs
_LEAST = 1e-9


@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """Later intervals of some series; see the module.

    Attributes:
        level: (series,) units on the shelf that the order aims at when it arrives.
        own: (series,) units expected to be asked for in its own interval.
        means: (series, intervals) the same of those that follow; the last one repeats.
        cycle: Periods of an interval.
        ends: (series,) later intervals before the product ends; infinite for never.
        until_end: (series, paths) demand after the own interval until the product ends; None where
            none does.
    """

    level: FloatArray
    own: FloatArray
    means: FloatArray
    cycle: int
    ends: FloatArray
    until_end: Float32Array | None = field(default=None, repr=False)

    def extend(self, path: Path) -> Path:
        """Return a path whose units are charged for as long as they lie there.

        Example:
            Ten for certain in the own interval and one in each that follows. The tenth unit
            sells, the eleventh waits through no interval more than the order's own, the twelfth
            through one in which the order aims at one unit, the thirteenth through two:

            >>> from invopt.inventory.path import LeadLaw, project
            >>> demand, law = np.full((1, 1, 1), 10, np.float32), LeadLaw.fixed(0, 1, 1)
            >>> path = project(np.zeros(1), np.zeros((1, 1)), demand, law, lost_sales=True)
            >>> ten, one = np.full(1, 10.0), np.ones(1)
            >>> later = Afterwards(level=ten, own=ten, means=np.ones((1, 1)), cycle=1,
            ...                    ends=np.full(1, np.inf))
            >>> ahead = later.extend(path).outlook
            >>> [ahead.change(ten + units, one, one, 0 * one).item() for units in range(-1, 3)]
            [0.0, 1.0, 2.0, 3.0]
        """
        found = path.outlook
        later = self._thresholds(path)
        num, intervals, num_paths = later.shape
        flat = later.reshape(num, -1)
        often: Thresholds = Listed(flat)
        if isinstance(found.holding, Counted):
            often = counted(flat, flat.min(axis=1).astype(float), flat.max(axis=1).astype(float))
        holding = Weighted(found.holding, often, float(self.cycle), flat)
        base = found.base - self.cycle * later.sum(axis=(1, 2), dtype=np.float64) / num_paths
        leaving = None
        if self.until_end is not None:
            leaving = Listed(np.maximum(path.missing, path.net + self.until_end))
        outlook = replace(
            found, holding=holding, base=base, leaving=leaving,
            periods=found.periods + self.cycle * intervals,
        )  # fmt: skip
        return replace(path, outlook=outlook)

    def _thresholds(self, path: Path) -> Float32Array:
        """Return (series, intervals, paths) units above which one is held through an interval."""
        aims, before = self._aims()
        least = (aims + before).astype(np.float32)
        return np.maximum(path.missing[:, None], path.net[:, None] + least[:, :, None])

    def _aims(self) -> tuple[FloatArray, FloatArray]:
        """Return (series, intervals) what later orders aim at, and demand before each of them.

        A level's safety is that of the own one, by the root of the demand, as a count's spread is.
        """
        means = _continued(self.means, int(self.intervals.max(initial=1)))
        own, level = np.maximum(self.own, _LEAST)[:, None], self.level[:, None]
        share = means / own
        aims = share * np.minimum(level, own) + np.sqrt(share) * np.maximum(level - own, 0)
        # Nothing is held when the product has ended: what is left then is lost instead.
        gone = np.arange(1, means.shape[1] + 1) > self.ends[:, None]
        before = np.concatenate([np.zeros((len(means), 1)), means[:, :-1].cumsum(axis=1)], axis=1)
        return np.where(gone, np.maximum(level, aims), np.ceil(aims)), np.rint(before)

    @property
    def intervals(self) -> IntArray:
        """(series,) later intervals until the demand of them all comes to the level.

        After that nothing of the order lies there any more, but what little sells.
        """
        means = _continued(self.means, INTERVALS)
        return np.minimum((means.cumsum(axis=1) < self.level[:, None]).sum(axis=1) + 1, INTERVALS)

    def select(self, rows: IntArray) -> "Afterwards":
        """Return the later intervals of some series."""
        arrays: dict[str, Any] = {
            n: v[rows] for n, v in vars(self).items() if isinstance(v, np.ndarray)
        }
        return replace(self, **arrays)


def _continued(means: FloatArray, intervals: int) -> FloatArray:
    """Return (series, intervals) demand, the last interval repeated or later ones left out."""
    at = np.minimum(np.arange(intervals), means.shape[1] - 1)
    return np.asarray(means[:, at])


def falls(own: FloatArray, following: FloatArray) -> BoolArray:
    """Return where the next interval asks for clearly less than the order's own.

    Example:
        >>> falls(np.array([10.0, 10.0]), np.array([9.0, 2.0])).tolist()
        [False, True]
    """
    return np.asarray(following < FALLS * own)
