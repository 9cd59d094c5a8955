"""Safety stock for a promised service, from moments: what a planner's textbook computes.

Two promises that are not the same: cycle service is the chance that a cycle has no stock-out,
fill rate the share of units served from stock.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from invopt.inventory.levels import expected_shortage_and_excess
from invopt.inventory.newsvendor import standard_loss

FloatArray = npt.NDArray[np.float64]
_BISECTIONS = 60


@dataclass(frozen=True)
class DemandMoments:
    """Demand per period and lead time, by series or for one; lead time and demand independent.

    Attributes:
        mean: Units per period.
        deviation: Standard deviation per period, periods independent.
        lead_time: Mean, periods.
        lead_time_deviation: Standard deviation, periods; 0 for a fixed lead time.
        review_period: Periods between orders; 0 for continuous review.
    """

    mean: FloatArray | float
    deviation: FloatArray | float
    lead_time: FloatArray | float
    lead_time_deviation: FloatArray | float = 0.0
    review_period: float = 0.0

    def over_protection(self) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation of demand over lead time and review period.

        Var = (E L + R) sigma^2 + mean^2 Var L, the variance of a sum of a random number of
        terms (Chopra and Meindl, Supply Chain Management, section 12.3).
        """
        interval = np.asarray(self.lead_time) + self.review_period
        variance = interval * np.square(self.deviation) + np.square(
            np.multiply(self.mean, self.lead_time_deviation)
        )
        return np.asarray(interval * self.mean), np.sqrt(variance)


def for_cycle_service(moments: DemandMoments, cycle_service: float) -> FloatArray:
    """Return the safety stock in units for a chance of no stock-out per cycle: z sigma.

    Args:
        moments: Of demand and lead time.
        cycle_service: In (0, 1).
    """
    _check_share("cycle_service", cycle_service)
    return np.asarray(ndtri(cycle_service) * moments.over_protection()[1])


def for_fill_rate(
    moments: DemandMoments, fill_rate: float, units_per_cycle: FloatArray | float
) -> FloatArray:
    """Return the safety stock in units for a share of units served from stock.

    Solves sigma G(ss / sigma) = (1 - fill rate) Q with the normal loss G. Below zero where
    the promise is kept without any.

    Args:
        moments: Of demand and lead time.
        fill_rate: In (0, 1).
        units_per_cycle: Lot size Q, or mean demand of a review period.
    """
    _check_share("fill_rate", fill_rate)
    deviation = moments.over_protection()[1]
    target = (1 - fill_rate) * np.asarray(units_per_cycle) / deviation
    low, high = np.full_like(target, -40.0), np.full_like(target, 10.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        too_short = standard_loss(middle) > target
        low, high = np.where(too_short, middle, low), np.where(too_short, high, middle)
    return np.asarray((low + high) / 2 * deviation)


def level_for_fill_rate(
    over_protection: npt.NDArray[np.floating],  # type: ignore[type-arg]
    level_quantiles: tuple[float, ...],
    review_demand: FloatArray,
    fill_rate: float,
) -> FloatArray:
    """Return the smallest level at which a forecast promises a fill rate, in units.

    The expected shortage of a review period may be (1 - fill rate) of its expected demand.

    Args:
        over_protection: (series, Q) quantiles of demand over lead time and review period.
        level_quantiles: Q levels.
        review_demand: (series,) expected demand of a review period.
        fill_rate: In (0, 1).
    """
    _check_share("fill_rate", fill_rate)
    allowed = (1 - fill_rate) * review_demand
    low = np.zeros(len(review_demand))
    slope = (over_protection[:, -1] - over_protection[:, -2]) / (
        level_quantiles[-1] - level_quantiles[-2]
    )
    high = over_protection[:, -1] + slope * (1 - level_quantiles[-1])
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        short, _ = expected_shortage_and_excess(over_protection, level_quantiles, middle)
        enough = short <= allowed
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie in (0, 1), got {value:g}.")
