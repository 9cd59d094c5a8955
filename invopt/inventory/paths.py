"""Demand paths drawn from a forecast: whole futures, not one period at a time.

A forecast says what each period may bring and, in its level quantiles, what several periods bring
together. Both are kept. Periods are drawn apart, each from its own quantiles; then every path is
scaled so that what it comes to over lead time and review is a quantile of their sum, the path
that came to most getting the largest one. So the sums that orders rest on are the forecast's own,
tails included, and a forecast whose sums are wider than independent periods would make them gets
paths that are high or low throughout.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from invopt.inventory.levels import lower_reach, upper_decay
from invopt.types import Float32Array, FloatArray

Paths = Float32Array
Floats = FloatArray | Paths
# Share of outcomes above which the tail is cut: at most, and beside the share of a path.
_TAIL, _TAIL_OF_PATH = 1e-3, 0.2
_LEAST = 1e-6  # units in a period's path, so that a sum can always be shared out
_NEAR = 0.5  # share of a mean by which whole units may miss it
_MOST = 20.0  # times that a period's quantiles are moved to meet its mean
_RANKED = 2**30  # what a path's rank and number are packed into
_ROWS = 32  # series that are multiplied at once: a row's product must not hang on how many


@dataclass(frozen=True)
class Draws:
    """Draws that every series shares, so that plans do not depend on the batch.

    Attributes:
        own: (periods, paths) share, in (0, 1), at which each period of a path lies.
        rounding: (paths,) part of a unit at which a path's running sums are cut to whole ones.
    """

    own: FloatArray = field(repr=False)
    rounding: Paths = field(repr=False)

    @classmethod
    def make(cls, num_periods: int, num_paths: int, seed: int) -> "Draws":
        """Return stratified draws: each period's shares are evenly spread."""
        rng = np.random.default_rng(seed)
        strata = (np.arange(num_paths) + 0.5) / num_paths
        own = np.stack([rng.permutation(strata) for _ in range(num_periods + 1)])
        return cls(own[1:], (0.01 + 0.98 * own[0]).astype(np.float32))


class Sampler:
    """Draws made ready for quantile levels: a path mixes two quantiles, the same for all series.

    Between quantiles demand is linear. Below the lowest one it falls as far as a normal law's mean
    there asks for, but not below 0; above the highest it decays exponentially, cut at one in a
    thousand, with many paths further out.
    """

    def __init__(
        self, draws: Draws, quantile_levels: tuple[float, ...], level_quantiles: tuple[float, ...]
    ) -> None:
        """Make ready.

        Args:
            draws: Of the paths.
            quantile_levels: Q levels of demand by period.
            level_quantiles: R levels of demand over several periods.
        """
        self.draws = draws
        self.quantile_levels, self.level_quantiles = quantile_levels, level_quantiles
        num_paths = draws.own.shape[1]
        self._cut = min(_TAIL, _TAIL_OF_PATH / num_paths)
        self._mix = [_mix_of(share, quantile_levels, self._cut) for share in draws.own]
        strata = (np.arange(num_paths) + 0.5) / num_paths
        self._sums = _mix_of(strata, level_quantiles, self._cut)

    def paths(
        self, quantiles: Floats, mean: Floats, sums: Floats, periods: int,
        *, is_count: bool,
    ) -> Paths:  # fmt: skip
        """Return (reach, series, paths) units of demand.

        Periods behind the sums are high or low with them by as much as the sums spread more than
        independent periods would; the chance of single periods they do not share.

        Args:
            quantiles: (series, reach, Q) units by period, ascending.
            mean: (series, reach) units by period, which the paths of a period keep to each other.
            sums: (series, R) quantiles of demand over the first `periods` periods.
            periods: See sums; at most reach.
            is_count: Whole units.
        """
        knots = np.maximum(_knots(quantiles, self.quantile_levels, self._cut), 0)
        reach, num = knots.shape[:2]
        if reach > len(self._mix):
            raise ValueError(f"paths of {reach} periods are asked for, {len(self._mix)} are drawn.")
        padded = np.zeros((reach, -(-num // _ROWS) * _ROWS, knots.shape[2]), np.float32)
        padded[:, :num] = knots
        alone = np.zeros(num)
        whole = np.empty((*padded.shape[:2], self.draws.own.shape[1]), np.float32)
        found = whole[:, :num]
        for period, mix in enumerate(self._mix[:reach]):
            usual = (knots[period] * mix.mean(axis=1)).sum(axis=1)
            wanted = mean[:, period].astype(np.float32)
            scale = np.clip(wanted / np.maximum(usual, _LEAST), 0, _MOST)
            padded[period, :num] *= scale[:, None]
            padded[period, :num] += (_LEAST * (1 + wanted))[:, None]
            for rows in blocks(padded.shape[1], _ROWS):
                np.matmul(padded[period, rows], mix, out=whole[period, rows])
            if reach > periods:
                counted = _counted(knots[period], mix) if is_count else found[period]
                alone += counted.var(axis=1)
                if is_count and period >= periods:
                    _take(found[period], counted, wanted)
            if period == periods - 1:
                apart = alone.copy()
        total = found[:periods].sum(axis=0)
        target = _scale(found[:periods], total, self._whole(sums, is_count=is_count))
        if reach > periods:
            found[periods:] *= _in_common(total, target, apart)
        if is_count:
            _cut(found, self.draws.rounding)
        return found

    def _whole(self, sums: Floats, *, is_count: bool) -> Paths:
        """Return (series, paths) quantiles of the sum at even shares, ascending."""
        knots = _knots(sums[:, None], self.level_quantiles, self._cut)[0]
        padded = np.zeros((-(-len(knots) // _ROWS) * _ROWS, knots.shape[1]), np.float32)
        padded[: len(knots)] = knots
        parts = [padded[rows] @ self._sums for rows in blocks(len(padded), _ROWS)]
        found: Paths = np.concatenate(parts)[: len(knots)]
        if is_count:
            np.rint(found, out=found)
        return np.maximum(found, 0, out=found)


def _knots(quantiles: Floats, levels: tuple[float, ...], cut: float) -> Paths:
    """Return (periods, series, Q + 2) demand at share 0, the levels, and where it is cut."""
    by_period = quantiles.transpose(1, 0, 2)
    values = np.empty((*by_period.shape[:2], len(levels) + 2), np.float32)
    values[..., 1:-1] = by_period
    reach = lower_reach(levels)
    values[..., 0] = by_period[..., 0] - reach * (by_period[..., 1] - by_period[..., 0])
    slope = np.maximum(by_period[..., -1] - by_period[..., -2], 0) / upper_decay(levels)
    values[..., -1] = by_period[..., -1] + slope * np.log((1 - levels[-1]) / cut)
    return values


@functools.lru_cache(maxsize=16)
def sampler_of(
    num_periods: int,
    num_paths: int,
    seed: int,
    quantile_levels: tuple[float, ...],
    level_quantiles: tuple[float, ...],
) -> Sampler:
    """Return the sampler of such paths, the same one again for the same arguments.

    A decision for one series would else spend a tenth of its time on draws that never change.

    Args:
        num_periods: Drawn at most.
        num_paths: Of each series.
        seed: Of the draws.
        quantile_levels: Q levels of demand by period.
        level_quantiles: R levels of demand over several periods.

    Example:
        >>> sampler_of(3, 8, 0, (0.1, 0.9), (0.5,)) is sampler_of(3, 8, 0, (0.1, 0.9), (0.5,))
        True
    """
    draws = Draws.make(num_periods, num_paths, seed)
    for array in (draws.own, draws.rounding):  # shared by all who ask
        array.setflags(write=False)
    return Sampler(draws, quantile_levels, level_quantiles)


def _mix_of(share: FloatArray, levels: tuple[float, ...], cut: float) -> Paths:
    """Return (Q + 2, paths) weights of the knots in the demand at each share."""
    knots = np.concatenate([[0.0], levels, [1 - cut]])
    upper = np.clip(np.searchsorted(knots, share), 1, len(knots) - 1)
    weight = np.minimum((share - knots[upper - 1]) / (knots[upper] - knots[upper - 1]), 1)
    # Above the highest level the tail is exponential: linear in the log of what is left.
    left = np.log((1 - levels[-1]) / np.maximum(1 - share, cut))
    weight = np.where(share > levels[-1], left / np.log((1 - levels[-1]) / cut), weight)
    found = np.zeros((len(knots), len(share)), np.float32)
    path = np.arange(len(share))
    found[upper, path] = weight
    found[upper - 1, path] += (1 - weight).astype(np.float32)
    return found


def _counted(knots: Paths, mix: Paths) -> Paths:
    """Return (series, paths) a period's demand in whole units: quantiles of counts have jitter."""
    padded = np.zeros((-(-len(knots) // _ROWS) * _ROWS, knots.shape[1]), np.float32)
    padded[: len(knots)] = knots
    parts = [padded[rows] @ mix for rows in blocks(len(padded), _ROWS)]
    found: Paths = np.rint(np.concatenate(parts)[: len(knots)])
    return found


def _take(period: Paths, counted: Paths, mean: Paths) -> None:
    """Put whole units in place of a period's demand, where their mean is near the wanted one."""
    usual = counted.mean(axis=1)
    rows = np.flatnonzero(np.abs(usual - mean) < _NEAR * mean)
    period[rows] = counted[rows] * (mean[rows] / usual[rows])[:, None]


def _in_common(total: Paths, wanted: Paths, apart: FloatArray) -> Paths:
    """Return (series, paths) factors of what all periods have in common.

    Args:
        total: (series, paths) sums of periods drawn by themselves.
        wanted: (series, paths) what these sums are by the forecast.
        apart: (series,) variance of the sums if periods have nothing in common.
    """
    usual, mean = (np.maximum(v.mean(axis=1, keepdims=True), _LEAST) for v in (total, wanted))
    whole = np.maximum(wanted.var(axis=1), _LEAST)
    share = np.sqrt(np.clip(1 - apart / whole, 0, 1))[:, None]
    found: Paths = ((mean + share * (wanted - mean)) / usual).astype(np.float32)
    return found


def _scale(paths: Paths, total: Paths, wanted: Paths) -> Paths:
    """Scale paths, in place, so that by rank their totals are the wanted ones; return these.

    Args:
        paths: (periods, series, paths).
        total: (series, paths) what each path comes to.
        wanted: (series, paths) ascending.
    """
    num, num_paths = total.shape
    # Rank and path in one whole number: sorting numbers is far faster than sorting by them.
    room = 1 << int(num_paths - 1).bit_length()
    most = np.maximum(total.max(axis=1, initial=0), np.float32(1e-30))
    key = (total * (np.float32(_RANKED // room) / most)[:, None]).astype(np.int32) * room
    key += np.arange(num_paths, dtype=np.int32)
    key.sort(axis=1)
    place = (key & (room - 1)) + np.arange(num)[:, None] * num_paths
    target = np.empty(total.size, np.float32)
    target[place] = wanted
    by_path: Paths = target.reshape(total.shape)
    paths *= by_path / total
    return by_path


def _cut(paths: Paths, rounding: Paths) -> None:
    """Make demand whole, in place: running sums are cut to units, so that none is lost."""
    running = np.broadcast_to(rounding, paths.shape[1:]).copy()
    before = np.zeros_like(running)
    for period in paths:
        running += period
        np.floor(running, out=period)
        now = period.copy()
        period -= before
        before = now


def blocks(num_series: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` series.

    Example:
        >>> [(rows.start, rows.stop) for rows in blocks(5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    for first in range(0, num_series, size):
        yield slice(first, min(first + size, num_series))
