"""Demand over the protection interval, read off the level quantiles of a forecast.

A quantile over L + R periods is not the sum of L + R daily quantiles; the network forecasts
the sums themselves, so a level for any lead time and critical ratio is a look-up.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from invopt.types import BoolArray, FloatArray

# Series at once: what is worked on stays in the processor's cache.
_BLOCK = 2048
_SAME = 1e-9  # shares that are the same
_RAREST = 1e-6  # share above a level from which on it rises no further


def lower_reach(levels: Sequence[float]) -> float:
    """Return how far below the lowest quantile demand ends, in distances of the lowest two.

    So far that the mean below the lowest quantile is that of a normal law with these two.

    Example:
        Below the lowest tenth a normal law's mean is 1.755 deviations under its median, which lies
        0.473 below its first decile at 1.282; a line has its mean half-way:

        >>> round(lower_reach((0.1, 0.5)), 3)
        0.739
    """
    low, high = ndtri(levels[0]), ndtri(levels[1])
    below = np.exp(-low * low / 2) / np.sqrt(2 * np.pi) / levels[0]  # minus the mean below `low`
    return float(2 * (below + low) / (high - low))


def upper_decay(levels: Sequence[float]) -> float:
    """Return the highest two quantiles' distance over the scale of the exponential tail above.

    Example:
        Where half of what lies above 0.9 lies above 0.95 it is log 2:

        >>> round(upper_decay((0.9, 0.95)), 4)
        0.6931
    """
    return float(np.log((1 - levels[-2]) / (1 - levels[-1])))


def beyond_levels(levels: Sequence[float], ratio: FloatArray) -> BoolArray:
    """Return where a ratio lies beyond the forecast's levels: there only a fitted tail can tell.

    Example:
        >>> beyond_levels((0.1, 0.5, 0.9), np.array([0.05, 0.1, 0.9, 0.95])).tolist()
        [True, False, False, True]
    """
    return (ratio < levels[0] - _SAME) | (ratio > levels[-1] + _SAME)


def levels_over(
    levels: npt.NDArray[np.floating],  # type: ignore[type-arg]
    periods: npt.NDArray[np.floating],  # type: ignore[type-arg]
) -> FloatArray:
    """Return (series, Q) quantiles of demand over `periods` periods of each series.

    Args:
        levels: (series, horizon, Q) quantiles of demand over 1..horizon periods, in units.
        periods: (series,) number of periods, 0 to horizon; between whole numbers it is linear.

    Raises:
        ValueError: If a number of periods lies outside.

    Example:
        Quantiles over two and a half periods lie half-way between those over two and three:

        >>> over = np.array([[[4.0, 6.0], [9.0, 12.0], [13.0, 18.0]]])  # one series, 3 periods
        >>> levels_over(over, np.array([2.5])).tolist()
        [[11.0, 15.0]]
    """
    horizon = levels.shape[1]
    if (periods < 0).any() or (periods > horizon).any():
        raise ValueError(
            f"periods must lie in [0, {horizon}], got {periods.min():g} to {periods.max():g}; "
            "forecast a longer horizon."
        )
    padded = np.concatenate([np.zeros_like(levels[:, :1]), levels.clip(min=0)], axis=1)
    low = np.floor(periods).astype(np.int64)
    high = np.minimum(low + 1, horizon)
    share = (periods - low)[:, None]
    rows = np.arange(len(levels))
    return padded[rows, low] * (1 - share) + padded[rows, high] * share


def quantile_at(
    quantiles: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: tuple[float, ...],
    ratio: FloatArray,
) -> FloatArray:
    """Return each series' quantile at its own ratio, linear between the forecast's levels.

    Beyond them it is that of a fitted tail, the one that demand paths are drawn from: above the
    highest level exponential with the scale of the highest two quantiles, below the lowest linear
    down to where a normal law's mean there asks for, and not below 0.

    Args:
        quantiles: (series, Q) ascending.
        levels: Q levels, two at least.
        ratio: (series,) in (0, 1).

    Returns:
        (series,) units; see `beyond_levels` for those that rest on a tail.

    Example:
        The newsvendor: holding 0.18, a missed unit 0.70, demand normal with mean 50 and deviation
        8. The ratio is 0.70 / 0.88 and the order 56.60 (Snyder and Shen, Fundamentals of Supply
        Chain Theory, example 4.3):

        >>> from scipy.stats import norm
        >>> shares = (0.1, 0.5, 0.75, 0.79, 0.8, 0.9)
        >>> demand = norm.ppf(shares, 50, 8)[None]
        >>> quantile_at(demand, shares, np.array([0.70 / 0.88])).round(1).tolist()
        [56.6]

        Exponential demand with mean 10 is -10 log(1 - ratio) far beyond the levels too:

        >>> shares = (0.1, 0.5, 0.9, 0.95)
        >>> demand = -10 * np.log(1 - np.array([shares]))
        >>> quantile_at(demand, shares, np.array([0.995])).round(1).tolist()
        [53.0]
    """
    knots = np.asarray(levels)
    upper = np.clip(np.searchsorted(knots, ratio), 1, len(knots) - 1)
    rows = np.arange(len(quantiles))
    share = (ratio - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    value = quantiles[rows, upper - 1] * (1 - share) + quantiles[rows, upper] * share
    above, below = ratio > knots[-1] + _SAME, ratio < knots[0] - _SAME
    if above.any():
        scale = np.maximum(quantiles[:, -1] - quantiles[:, -2], 0) / upper_decay(levels)
        far = np.log((1 - knots[-1]) / np.maximum(1 - ratio, _RAREST))
        value = np.where(above, quantiles[:, -1] + scale * far, value)
    if below.any():
        reach = lower_reach(levels) * (quantiles[:, 1] - quantiles[:, 0])
        tail = quantiles[:, 0] - reach * (1 - ratio / knots[0])
        value = np.where(below, np.maximum(tail, 0), value)
    return value


def expected_shortage_and_excess(
    quantiles: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: tuple[float, ...],
    stock: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return E[(demand - stock)+] and E[(stock - demand)+] of each series, in units.

    The quantile function is taken as linear between the forecast's levels, down to 0 at level
    0, and as exponential above the highest, as `quantile_at` has it; of both the integrals are
    exact.

    Args:
        quantiles: (series, Q) ascending.
        levels: Q levels.
        stock: (series,) units available.

    Example:
        The newsvendor of `quantile_at` at its best order costs 1.9976 (the same book):

        >>> from scipy.stats import norm
        >>> shares = tuple(np.arange(1, 1000) / 1000)
        >>> demand = norm.ppf(shares, 50, 8)[None]
        >>> short, excess = expected_shortage_and_excess(demand, shares, np.array([56.604]))
        >>> (0.70 * short + 0.18 * excess).round(2).tolist()
        [2.0]
    """
    found = np.empty((2, len(quantiles)))
    for first in range(0, len(quantiles), _BLOCK):
        rows = slice(first, first + _BLOCK)
        found[:, rows] = _integrals(quantiles[rows], levels, stock[rows])
    return found[0], found[1]


def _integrals(
    quantiles: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: tuple[float, ...],
    stock: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    knots = np.concatenate([[0.0], levels])
    values = np.zeros((len(knots), len(quantiles)))
    values[1:] = quantiles.T
    # (piece, series): every piece of the line at once.
    low = values[:-1] - stock
    high = np.maximum(values[1:] - stock, low)
    above, below = np.maximum(high, 0), np.maximum(-low, 0)
    run = high - low
    # A triangle where the line crosses the stock, a trapezium where it lies to one side.
    crosses = (low < 0) & (high > 0)
    level = np.where(run > 0, run, 1)
    short = np.where(crosses, above**2 / level, np.maximum(low, 0) + above) / 2
    excess = np.where(crosses, below**2 / level, np.maximum(-high, 0) + below) / 2
    width = np.diff(knots)[:, None]
    far_short, far_excess = _of_tail(values[-2:], levels, stock)
    return (width * short).sum(axis=0) + far_short, (width * excess).sum(axis=0) + far_excess


def _of_tail(
    highest: FloatArray, levels: tuple[float, ...], stock: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what the exponential tail above the highest two quantiles adds to both integrals."""
    scale = np.maximum(highest[1] - highest[0], 0) / upper_decay(levels)
    over = np.maximum(stock - highest[1], 0)
    left = scale * np.exp(-over / np.where(scale > 0, scale, 1))
    mass = 1 - levels[-1]
    short = mass * (np.maximum(highest[1] - stock, 0) + left)
    return short, mass * (over - scale + left)
