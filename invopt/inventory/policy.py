"""From a forecast of sums to levels: order-up-to level, reorder point, safety stock."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.levels import levels_over, quantile_at

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """Stock levels by series, in units.

    Levels are NaN where the critical ratio is beyond the forecast's quantiles, everything is
    where the protection interval is beyond its horizon.

    Attributes:
        order_up_to: Quantile of demand over lead time and review period at the critical ratio.
        reorder_point: Quantile of demand over the lead time at the critical ratio: a position
            below it before the next review is worth an order out of turn.
        safety_stock: order_up_to minus expected demand over the same periods.
        expected_demand: Over lead time and review period.
        over_protection: (series, Q) quantiles of that demand.
    """

    order_up_to: FloatArray = field(repr=False)
    reorder_point: FloatArray = field(repr=False)
    safety_stock: FloatArray = field(repr=False)
    expected_demand: FloatArray = field(repr=False)
    over_protection: FloatArray = field(repr=False)


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
    """
    ratio, horizon = terms.critical_ratio, mean.shape[1]
    beyond = terms.protection_interval > horizon
    interval = np.minimum(terms.protection_interval, horizon)
    over = levels_over(levels, interval.astype(np.float64))
    lead_time = np.minimum(terms.lead_time, horizon).astype(np.float64)
    before = levels_over(levels, lead_time)
    total = np.concatenate([np.zeros((len(mean), 1)), mean.cumsum(axis=1)], axis=1)
    expected = total[np.arange(len(mean)), interval]
    for values in (over, before, expected):
        values[beyond] = np.nan
    level = quantile_at(over, level_quantiles, ratio)
    point = quantile_at(before, level_quantiles, ratio)
    if is_count:
        level, point = np.rint(level), np.rint(point)
    return Levels(level, point, level - expected, expected, over)
