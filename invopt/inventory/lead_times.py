"""Lead times as they were: an empirical distribution, and what it does to levels."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.errors import ContractError
from invopt.inventory.levels import levels_over

FloatArray = npt.NDArray[np.float64]
# Shares at which the distributions of a mixture are looked up.
_GRID = 199


@dataclass(frozen=True)
class LeadTimes:
    """How long orders took, in whole periods.

    Attributes:
        periods: Distinct lead times, ascending.
        shares: Share of the orders that took each; sums to 1.
    """

    periods: npt.NDArray[np.int64] = field(repr=False)
    shares: FloatArray = field(repr=False)

    @classmethod
    def observed(cls, periods: npt.NDArray[np.floating]) -> "LeadTimes":  # type: ignore[type-arg]
        """Return the distribution of observed lead times.

        Raises:
            ContractError: If one is missing, negative or not whole; it is not ours to guess.
        """
        values = np.asarray(periods, np.float64)
        bad = ~(values >= 0) | (values != np.rint(values))
        if bad.any() or not len(values):
            raise ContractError(
                "LeadTimes",
                "periods",
                "be whole and at least 0",
                count=int(bad.sum()),
                examples=values[bad],
                advice="Leave out deliveries without both dates, or dated before their order.",
            )
        found, counts = np.unique(values.astype(np.int64), return_counts=True)
        return cls(found, counts / counts.sum())

    @classmethod
    def from_dates(
        cls, ordered: pd.Series, delivered: pd.Series, days_per_period: int
    ) -> tuple["LeadTimes", dict[str, int]]:
        """Return the distribution of deliveries, and how many were set aside for what reason.

        A delivery within the period after the order's has a lead time of 0.

        Args:
            ordered: Dates; NaT where not recorded.
            delivered: Dates, in the same order.
            days_per_period: 1 for days, 7 for weeks.
        """
        days = (delivered - ordered).dt.days
        aside = {
            "a date is missing": int(days.isna().sum()),
            "delivered before it was ordered": int((days < 0).sum()),
        }
        kept = days[days >= 0].to_numpy(np.float64)
        return cls.observed(np.floor(kept / days_per_period)), aside

    @property
    def mean(self) -> float:
        """Periods."""
        return float(self.periods @ self.shares)

    @property
    def deviation(self) -> float:
        """Standard deviation, periods."""
        return float(np.sqrt(np.square(self.periods - self.mean) @ self.shares))

    def quantile(self, level: float) -> int:
        """Return the smallest lead time that a share `level` of orders stayed within."""
        return int(self.periods[np.searchsorted(self.shares.cumsum(), level - 1e-12)])

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return lead times of that many orders, for the simulator."""
        return rng.choice(self.periods, shape, p=self.shares)


def levels_over_random(
    levels: npt.NDArray[np.floating],  # type: ignore[type-arg]
    level_quantiles: tuple[float, ...],
    lead_times: LeadTimes,
    review_period: int,
) -> FloatArray:
    """Return (series, Q) quantiles of demand over a random lead time and a review period.

    The distribution is the mixture of those over each lead time, which a longer mean lead time
    is not: what a late delivery costs lies in the tail.

    Args:
        levels: (series, horizon, Q) quantiles of demand over 1..horizon periods.
        level_quantiles: Q levels.
        lead_times: Lead time plus review period within the horizon.
        review_period: Periods between orders.
    """
    # Shares between the outermost forecast levels; what lies beyond is not extrapolated.
    shares = np.linspace(level_quantiles[0], level_quantiles[-1], _GRID)
    values, weights = [], []
    for lead_time, weight in zip(lead_times.periods, lead_times.shares, strict=True):
        interval = np.full(len(levels), float(lead_time + review_period))
        quantiles = levels_over(levels, interval)
        upper = np.clip(np.searchsorted(level_quantiles, shares), 1, len(level_quantiles) - 1)
        knots = np.asarray(level_quantiles)
        part = (shares - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
        values.append(quantiles[:, upper - 1] * (1 - part) + quantiles[:, upper] * part)
        weights.append(np.full(_GRID, weight / _GRID))
    pooled, weight = np.concatenate(values, axis=1), np.concatenate(weights)
    order = np.argsort(pooled, axis=1, kind="stable")
    reached = weight[order].cumsum(axis=1)
    ordered = np.take_along_axis(pooled, order, axis=1)
    width = level_quantiles[-1] - level_quantiles[0]
    targets = (np.asarray(level_quantiles) - level_quantiles[0]) / width
    places = (reached[:, None, :] < targets[None, :, None] - 1e-9).sum(axis=2)
    found: FloatArray = np.take_along_axis(ordered, places.clip(max=ordered.shape[1] - 1), axis=1)
    return found
