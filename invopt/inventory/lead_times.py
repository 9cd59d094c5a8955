"""Lead times as they were: an empirical distribution."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.errors import ContractError
from invopt.types import FloatArray, IntArray


@dataclass(frozen=True)
class LeadTimes:
    """How long orders took, in whole periods.

    Attributes:
        periods: Distinct lead times, ascending.
        shares: Share of the orders that took each; sums to 1.
    """

    periods: IntArray = field(repr=False)
    shares: FloatArray = field(repr=False)

    @classmethod
    def observed(cls, periods: npt.NDArray[np.floating]) -> "LeadTimes":  # type: ignore[type-arg]
        """Return the distribution of observed lead times.

        Raises:
            ContractError: If one is missing, negative or not whole; it is not ours to guess.

        Example:
            >>> found = LeadTimes.observed(np.array([2, 2, 5, 2]))
            >>> found.periods.tolist(), found.shares.tolist(), found.mean
            ([2, 5], [0.75, 0.25], 2.75)
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

    @property
    def mean(self) -> float:
        """Periods."""
        return float(self.periods @ self.shares)
