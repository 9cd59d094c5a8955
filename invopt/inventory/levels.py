"""Demand over the protection interval, read off the level quantiles of a forecast.

A quantile over L + R periods is not the sum of L + R daily quantiles; the network forecasts
the sums themselves, so a level for any lead time and critical ratio is a look-up.
"""

import numpy as np
import numpy.typing as npt

from invopt.types import FloatArray

# Series at once: what is worked on stays in the processor's cache.
_BLOCK = 2048


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

    Args:
        quantiles: (series, Q) ascending.
        levels: Q levels.
        ratio: (series,) inside the outermost levels.

    Returns:
        (series,) units; NaN where the ratio lies beyond the forecast's levels, which are never
        extrapolated.

    Example:
        The newsvendor: holding 0.18, a missed unit 0.70, demand normal with mean 50 and deviation
        8. The ratio is 0.70 / 0.88 and the order 56.60 (Snyder and Shen, Fundamentals of Supply
        Chain Theory, example 4.3):

        >>> from scipy.stats import norm
        >>> shares = (0.1, 0.5, 0.75, 0.79, 0.8, 0.9)
        >>> demand = norm.ppf(shares, 50, 8)[None]
        >>> quantile_at(demand, shares, np.array([0.70 / 0.88])).round(1).tolist()
        [56.6]
    """
    knots = np.asarray(levels)
    upper = np.clip(np.searchsorted(knots, ratio), 1, len(knots) - 1)
    rows = np.arange(len(quantiles))
    share = (ratio - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    value = quantiles[rows, upper - 1] * (1 - share) + quantiles[rows, upper] * share
    outside = (ratio < knots[0] - 1e-9) | (ratio > knots[-1] + 1e-9)
    return np.where(outside, np.nan, value)


def expected_shortage_and_excess(
    quantiles: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: tuple[float, ...],
    stock: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return E[(demand - stock)+] and E[(stock - demand)+] of each series, in units.

    The quantile function is taken as linear between the forecast's levels, down to 0 at level
    0, and as continuing its last slope to level 1; of a line both integrals are exact.

    Args:
        quantiles: (series, Q) ascending.
        levels: Q levels.
        stock: (series,) units available.

    Example:
        The newsvendor of `quantile_at` at its best order costs 1.9976 (the same book):

        >>> from scipy.stats import norm
        >>> shares = tuple(np.arange(1, 200) / 200)
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
    knots = np.concatenate([[0.0], levels, [1.0]])
    values = np.zeros((len(knots), len(quantiles)))
    values[1:-1] = quantiles.T
    slope = (values[-2] - values[-3]) / (levels[-1] - levels[-2])
    values[-1] = values[-2] + slope * (1 - levels[-1])
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
    return (width * short).sum(axis=0), (width * excess).sum(axis=0)
