"""From a forecast of sums to levels: order-up-to level, reorder point, safety stock."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.levels import beyond_levels, levels_over, quantile_at
from invopt.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Levels:
    """Stock levels by series, in units.

    All is NaN where the lead time is beyond the forecast's horizon.

    Attributes:
        order_up_to: Quantile of demand over lead time and review period at the critical ratio.
        reorder_point: Largest position at which a review still orders.
        safety_stock: order_up_to minus expected demand over the same periods.
        expected_demand: Over lead time and review period.
        over_protection: (series, Q) quantiles of that demand.
        on_tail: True where the critical ratio is beyond the forecast's quantiles, so that what it
            asks for rests on a fitted tail.
    """

    order_up_to: FloatArray = field(repr=False)
    reorder_point: FloatArray = field(repr=False)
    safety_stock: FloatArray = field(repr=False)
    expected_demand: FloatArray = field(repr=False)
    over_protection: FloatArray = field(repr=False)
    on_tail: BoolArray = field(repr=False)


def levels_of(
    mean: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: npt.NDArray[np.floating],  # type: ignore[type-arg]
    level_quantiles: tuple[float, ...],
    terms: Terms,
    *,
    is_count: bool,
) -> Levels:
    """Return the levels a forecast and the series' costs give.

    Whole-number sales get whole-number levels: the nearest one, which is the count's own
    quantile because forecasts of counts carry half a unit of jitter.

    Args:
        mean: (series, horizon) expected sales per period.
        levels: (series, horizon, Q) quantiles of demand over 1..horizon periods.
        level_quantiles: Q levels.
        terms: Of the series.
        is_count: True when sales are whole numbers.

    Example:
        Ten a day for certain, lead time 2 and review 3: the level is five days' demand, without
        safety stock, and a review orders at positions up to 49:

        >>> one = np.ones(1)
        >>> terms = Terms(
        ...     holding_cost=one, stockout_cost=9 * one, lead_time=np.array([2]), review_period=3,
        ...     pack_size=one, min_order=0 * one, unit_cost=one,
        ... )
        >>> mean = np.full((1, 7), 10.0)
        >>> sums = np.repeat(mean.cumsum(axis=1)[..., None], 2, axis=2)
        >>> found = levels_of(mean, sums, (0.5, 0.9), terms, is_count=True)
        >>> found.order_up_to.tolist(), found.reorder_point.tolist(), found.safety_stock.tolist()
        ([50.0], [49.0], [0.0])
    """
    ratio, horizon = terms.critical_ratio, mean.shape[1]
    interval = terms.protection_interval
    beyond = terms.lead_time > horizon
    inside = np.minimum(interval, horizon)
    over = levels_over(levels, inside.astype(np.float64))
    total = np.concatenate([np.zeros((len(mean), 1)), mean.cumsum(axis=1)], axis=1)
    expected = total[np.arange(len(mean)), inside]
    longer = np.flatnonzero((interval > horizon) & ~beyond)
    if len(longer):
        whole = _beyond_horizon(mean[longer], total[longer, -1], interval[longer])
        over[longer] *= (whole / np.maximum(expected[longer], 1e-9))[:, None]
        expected[longer] = whole
    for values in (over, expected):
        values[beyond] = np.nan
    level = quantile_at(over, level_quantiles, ratio)
    if is_count:
        level = np.rint(level)
    on_tail = beyond_levels(level_quantiles, ratio) & ~beyond
    return Levels(
        level, level - 1, level - expected, expected, over_protection=over, on_tail=on_tail
    )


def periods_ahead(horizon: int, reach: int) -> IntArray:
    """Return the forecast's period that stands for each of `reach` periods ahead, from 0.

    Beyond its horizon a forecast repeats its last seven periods, or its last one where it is
    shorter: enough for the review period after a lead time as long as the horizon.

    Example:
        After a horizon of 8 days the last week repeats:

        >>> periods_ahead(8, 12).tolist()
        [0, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4]
    """
    ahead = np.arange(reach)
    season = 7 if horizon >= 7 else 1
    over = np.maximum(ahead - horizon, 0) // season + 1
    return np.where(ahead < horizon, ahead, ahead - season * over)


def _beyond_horizon(
    mean: npt.NDArray[np.floating],  # type: ignore[type-arg]
    total: FloatArray,
    interval: IntArray,
) -> FloatArray:
    """Return expected demand over intervals longer than the horizon."""
    horizon, longest = mean.shape[1], int(interval.max())
    ahead = mean[:, periods_ahead(horizon, longest)[horizon:]].cumsum(axis=1)
    found: FloatArray = total + ahead[np.arange(len(mean)), interval - horizon - 1]
    return found
