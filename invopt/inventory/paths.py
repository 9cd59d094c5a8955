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
# Share of outcomes above which the tail is cut.
_TAIL = 1e-3
_MAX_DEPENDENCE = 0.95
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
        """Return stratified draws: each period's values are evenly spread over the normal law."""
        rng = np.random.default_rng(seed)
        strata = (np.arange(num_paths) + 0.5) / num_paths
        values = np.stack([ndtri(rng.permutation(strata)) for _ in range(num_periods + 1)])
        return cls(values[0], values[1:])


def demand_paths(
    quantiles: FloatArray,
    quantile_levels: tuple[float, ...],
    dependence: FloatArray,
    draws: Draws,
    *,
    is_count: bool,
) -> FloatArray:
    """Return (series, periods, paths) units of demand.

    A Gaussian copula with one factor: period h of a path lies at the normal probability of
    sqrt(d) common + sqrt(1 - d) own_h. Between quantiles demand is linear; it falls to 0 below
    the lowest and decays exponentially above the highest, cut at one in a thousand.

    Args:
        quantiles: (series, periods, Q) units, ascending.
        quantile_levels: Q levels.
        dependence: (series,) d in [0, 1).
        draws: At least as many periods as quantiles.
        is_count: Round to whole units.
    """
    num_periods = quantiles.shape[1]
    found = np.empty((*quantiles.shape[:2], draws.own.shape[1]))
    factor, rest = np.sqrt(dependence)[:, None], np.sqrt(1 - dependence)[:, None]
    for period in range(num_periods):
        share = ndtr(factor * draws.common + rest * draws.own[period])
        found[:, period] = _quantile_function(quantiles[:, period], quantile_levels, share)
    if is_count:
        np.rint(found, out=found)
    return np.maximum(found, 0, out=found)


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


def _quantile_function(
    quantiles: FloatArray, levels: tuple[float, ...], share: FloatArray
) -> FloatArray:
    """Return each row's quantile at its own shares, (series, paths)."""
    knots = np.concatenate([[0.0], levels, [1 - _TAIL]])
    decay = np.log((1 - levels[-2]) / (1 - levels[-1]))
    slope = (quantiles[:, -1:] - quantiles[:, -2:-1]) / decay
    top = quantiles[:, -1:] + slope * np.log((1 - levels[-1]) / _TAIL)
    bottom = np.minimum(quantiles[:, :1], 0)
    values = np.concatenate([bottom, quantiles, np.maximum(top, quantiles[:, -1:])], axis=1)
    upper = np.clip(np.searchsorted(knots, share), 1, len(knots) - 1)
    weight = np.minimum((share - knots[upper - 1]) / (knots[upper] - knots[upper - 1]), 1)
    low = np.take_along_axis(values, upper - 1, axis=1)
    high = np.take_along_axis(values, upper, axis=1)
    # Above the highest level the tail is exponential: linear in the log of what is left.
    tail = share > levels[-1]
    left = np.log((1 - levels[-1]) / np.maximum(1 - share, _TAIL))
    weight = np.where(tail, left / np.log((1 - levels[-1]) / _TAIL), weight)
    found: FloatArray = low * (1 - weight) + high * weight
    return found
