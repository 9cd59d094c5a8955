"""From a forecast of sums to levels: order-up-to level, reorder point, safety stock."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.levels import levels_over, quantile_at

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """Stock levels by series, in units; NaN where the critical ratio is beyond the forecast.

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

    Raises:
        ValueError: If lead time and review period exceed the horizon.
    """
    ratio = terms.critical_ratio
    interval = terms.protection_interval
    over = levels_over(levels, interval.astype(np.float64))
    level = quantile_at(over, level_quantiles, ratio)
    point = quantile_at(
        levels_over(levels, terms.lead_time.astype(np.float64)), level_quantiles, ratio
    )
    if is_count:
        level, point = np.rint(level), np.rint(point)
    total = np.concatenate([np.zeros((len(mean), 1)), mean.cumsum(axis=1)], axis=1)
    expected = total[np.arange(len(mean)), interval]
    return Levels(level, point, level - expected, expected, over)
