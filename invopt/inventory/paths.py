"""Demand paths drawn from a forecast: whole futures, not one period at a time.

A forecast says what each period may bring and, in its level quantiles, what several periods may
bring together. Both are kept: a period's quantile function gives its demand, and the dependence
between periods is the one that gives sums the spread the level quantiles say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

FloatArray = npt.NDArray[np.float64]
Paths = npt.NDArray[np.float32]
# Share of outcomes above which the tail is cut.
_TAIL = 1e-3
_MAX_DEPENDENCE = 0.95
_SLOW = 1.0  # units a period up to which a count's mean is matched
_ROUNDS = 3
_STEP = 0.05  # of the dependences that paths are drawn with
# Two levels whose distance measures the spread of a distribution.
_LOW, _HIGH = 0.25, 0.9


@dataclass(frozen=True)
class Draws:
    """Standard normal draws that every series shares, so that plans do not depend on the batch.

    Attributes:
        common: (paths,) what moves all periods of a path together.
        own: (periods, paths) what moves each period alone.
    """

    common: FloatArray = field(repr=False)
    own: FloatArray = field(repr=False)

    @classmethod
    def make(cls, num_periods: int, num_paths: int, seed: int) -> "Draws":
        """Return stratified draws: each period's values are evenly spread over the normal law.

        Example:
            Each period's draws are spread evenly, so that even ten have a mean of 0:

            >>> draws = Draws.make(3, 10, seed=0)
            >>> draws.own.shape, bool(abs(draws.own.mean(axis=1)).max() < 1e-9)
            ((3, 10), True)
        """
        rng = np.random.default_rng(seed)
        strata = (np.arange(num_paths) + 0.5) / num_paths
        values = np.stack([ndtri(rng.permutation(strata)) for _ in range(num_periods + 1)])
        return cls(values[0], values[1:])


@dataclass(frozen=True)
class Sampler:
    """Draws made ready for a set of quantile levels: paths are then mixes of two quantiles.

    Between quantiles demand is linear, so a path is a fixed mix of the quantiles around its
    share; the mix is the same for all series of one dependence. Below the lowest quantile demand
    falls to 0, above the highest it decays exponentially, cut at one in a thousand.

    Attributes:
        draws: Of the paths.
        levels: Q quantile levels.
    """

    draws: Draws = field(repr=False)
    levels: tuple[float, ...]
    _mixes: dict[int, tuple[npt.NDArray[np.int64], Paths]] = field(default_factory=dict, repr=False)

    def paths(self, quantiles: FloatArray, dependence: FloatArray, *, is_count: bool) -> Paths:
        """Return (periods, series, paths) units of demand.

        A Gaussian copula with one factor: period h of a path lies at the normal probability of
        sqrt(d) common + sqrt(1 - d) own_h; d is taken at the nearest twentieth.

        Args:
            quantiles: (series, periods, Q) units, ascending.
            dependence: (series,) d in [0, 1).
            is_count: Round to whole units.

        Example:
            Half of the paths lie below the median of 4:

            >>> sampler = Sampler(Draws.make(1, 100, seed=0), (0.1, 0.5, 0.9))
            >>> found = sampler.paths(np.array([[[2.0, 4.0, 8.0]]]), np.zeros(1), is_count=False)
            >>> found.shape, float((found < 4).mean())
            ((1, 1, 100), 0.5)
        """
        knots = self._knots(quantiles)
        found = np.empty((*knots.shape[:2], len(self.draws.common)), np.float32)
        steps = np.rint(dependence / _STEP).astype(np.int64)
        for step in np.unique(steps):
            rows = np.flatnonzero(steps == step)
            upper, weight = self._mix(int(step))
            for period, own in enumerate(knots):
                part = own if len(rows) == len(own) else own[rows]
                # Element by element: a row's paths do not depend on the rows beside it.
                high = np.take(part, upper[period], axis=1) * weight[period]
                high += np.take(part, upper[period] - 1, axis=1) * (1 - weight[period])
                found[period, rows] = high
        if is_count:
            np.rint(found, out=found)
        return np.maximum(found, 0, out=found)

    def _knots(self, quantiles: FloatArray) -> Paths:
        """Return (periods, series, Q + 2) demand at share 0, the levels, and where it is cut."""
        levels = self.levels
        values = np.empty((quantiles.shape[1], quantiles.shape[0], len(levels) + 2), np.float32)
        by_period = quantiles.transpose(1, 0, 2)
        values[..., 1:-1] = by_period
        values[..., 0] = np.minimum(by_period[..., 0], 0)
        decay = np.log((1 - levels[-2]) / (1 - levels[-1]))
        slope = np.maximum(by_period[..., -1] - by_period[..., -2], 0) / decay
        values[..., -1] = by_period[..., -1] + slope * np.log((1 - levels[-1]) / _TAIL)
        return values

    def _mix(self, step: int) -> tuple[npt.NDArray[np.int64], Paths]:
        """Return (periods, paths) the knot above each path's share, and the weight it has."""
        if step not in self._mixes:
            d = step * _STEP
            own = self.draws.own
            share = ndtr(np.sqrt(d) * self.draws.common + np.sqrt(1 - d) * own)
            self._mixes[step] = _mix_of(share, self.levels)
        return self._mixes[step]


def _mix_of(share: FloatArray, levels: tuple[float, ...]) -> tuple[npt.NDArray[np.int64], Paths]:
    """Return the knot above each share, and the weight it has; the one below has the rest."""
    knots = np.concatenate([[0.0], levels, [1 - _TAIL]])
    upper = np.clip(np.searchsorted(knots, share), 1, len(knots) - 1)
    weight = np.minimum((share - knots[upper - 1]) / (knots[upper] - knots[upper - 1]), 1)
    # Above the highest level the tail is exponential: linear in the log of what is left.
    left = np.log((1 - levels[-1]) / np.maximum(1 - share, _TAIL))
    weight = np.where(share > levels[-1], left / np.log((1 - levels[-1]) / _TAIL), weight)
    return upper, weight.astype(np.float32)


def matching_means(
    quantiles: FloatArray, quantile_levels: tuple[float, ...], mean: FloatArray
) -> FloatArray:
    """Return quantiles of slow counts moved so that rounded to units they have about the mean.

    Between two quantiles a count may begin anywhere: 0 at a half and 1 at three quarters says
    little of how often one is sold, the mean says it.

    Args:
        quantiles: (series, periods, Q) units, ascending.
        quantile_levels: Q levels.
        mean: (series, periods) units.
    """
    slow = np.flatnonzero(mean.mean(axis=1) <= _SLOW)
    if not len(slow):
        return quantiles
    values, wanted = quantiles[slow].astype(np.float64), mean[slow].astype(np.float64)
    knots = np.concatenate([[0.0], quantile_levels, [1 - _TAIL]])
    decay = np.log((1 - quantile_levels[-2]) / (1 - quantile_levels[-1]))
    slope = np.maximum(values[..., -1] - values[..., -2], 0) / decay
    top = values[..., -1] + slope * np.log((1 - quantile_levels[-1]) / _TAIL)
    line = np.concatenate(
        [np.minimum(values[..., :1], 0), values, top[..., None]], axis=2
    )  # (series, periods, Q + 2)
    shift = np.zeros(line.shape[:2])
    for _ in range(_ROUNDS):  # the share of more than one unit moves with the line
        shift = np.clip(0.5 - _begins(line, knots, wanted, shift), -0.5, 0.5)
    moved = quantiles.astype(np.float64)
    moved[slow] = values + shift[..., None]
    return moved


def _begins(
    line: FloatArray, knots: FloatArray, wanted: FloatArray, shift: FloatArray
) -> FloatArray:
    """Return where on each line the first unit has to begin, for its rounded mean as wanted."""
    more = sum(
        (1 - _share_below(line, knots, n + 0.5 - shift) for n in range(1, 5)),
        np.zeros(line.shape[:2]),
    )
    share = np.clip(1 - (wanted - more), 0.02, 1 - _TAIL)
    upper = np.clip(np.searchsorted(knots, share), 1, len(knots) - 1)
    low, high = (np.take_along_axis(line, k[..., None], 2)[..., 0] for k in (upper - 1, upper))
    part = (share - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    found: FloatArray = low * (1 - part) + high * part
    return found


def _share_below(line: FloatArray, knots: FloatArray, value: FloatArray) -> FloatArray:
    """Return the share at which each line reaches a value of its own."""
    upper = np.clip((line < value[..., None]).sum(axis=2), 1, line.shape[2] - 1)
    low, high = (np.take_along_axis(line, k[..., None], 2)[..., 0] for k in (upper - 1, upper))
    part = np.clip((value - low) / np.maximum(high - low, 1e-9), 0, 1)
    found: FloatArray = knots[upper - 1] * (1 - part) + knots[upper] * part
    return np.where(line[..., -1] < value, 1.0, found)


def dependence_of(
    quantiles: FloatArray,
    quantile_levels: tuple[float, ...],
    sums: FloatArray,
    level_quantiles: tuple[float, ...],
) -> FloatArray:
    """Return each series' dependence d that makes the spread of its sum what the forecast says.

    With spreads s_h of the periods and S of their sum, taken between the 25 % and the 90 %
    quantile, S^2 = sum s_h^2 + d ((sum s_h)^2 - sum s_h^2), as for standard deviations.

    Args:
        quantiles: (series, periods, Q) of demand per period.
        quantile_levels: Q levels, 0.25 and 0.9 within them.
        sums: (series, R) quantiles of demand over all these periods.
        level_quantiles: R levels, the same.
    """
    spread = _spread(quantiles, quantile_levels)
    alone, together = np.square(spread).sum(axis=1), np.square(spread.sum(axis=1))
    whole = np.square(_spread(sums, level_quantiles))
    room = together - alone
    share = np.divide(whole - alone, room, out=np.zeros_like(room), where=room > 1e-12)
    return np.clip(share, 0, _MAX_DEPENDENCE)


def blocks(num_series: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` series."""
    for first in range(0, num_series, size):
        yield slice(first, min(first + size, num_series))


def _spread(quantiles: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    knots = np.asarray(levels)
    value = []
    for level in (_LOW, _HIGH):
        upper = int(np.clip(np.searchsorted(knots, level), 1, len(knots) - 1))
        share = (level - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
        value.append(quantiles[..., upper - 1] * (1 - share) + quantiles[..., upper] * share)
    return np.maximum(value[1] - value[0], 0)
