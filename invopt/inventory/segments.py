"""ABC/XYZ segments: how much a series earns, and how steadily it sells."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.types import FloatArray

# Shares of revenue that end A and B, and coefficients of variation that end X and Y.
_ABC = (0.8, 0.95)
_XYZ = (0.5, 1.0)


@dataclass(frozen=True)
class SalesStatistics:
    """What series sold of late; arrays are (series,).

    Attributes:
        mean: Units per period.
        variation: Standard deviation over mean; infinite without sales.
    """

    mean: FloatArray = field(repr=False)
    variation: FloatArray = field(repr=False)

    @classmethod
    def of(cls, demand: npt.NDArray[np.floating]) -> "SalesStatistics":  # type: ignore[type-arg]
        """Return the statistics of (series, periods) units, NaN where not observed.

        Example:
            >>> SalesStatistics.of(np.array([[1.0, 3.0, np.nan]])).mean.tolist()
            [2.0]
        """
        seen = ~np.isnan(demand)
        number = np.maximum(seen.sum(axis=1), 1)
        units = np.where(seen, demand, 0).astype(np.float64)
        mean = units.sum(axis=1) / number
        spread = np.sqrt(np.maximum(np.square(units).sum(axis=1) / number - mean**2, 0))
        variation = np.divide(spread, mean, out=np.full(len(mean), np.inf), where=mean > 0)
        return cls(mean, variation)

    @classmethod
    def concatenate(cls, parts: "Sequence[SalesStatistics]") -> "SalesStatistics":
        """Return the statistics of several partitions as one."""
        return cls(
            np.concatenate([p.mean for p in parts]), np.concatenate([p.variation for p in parts])
        )


def segments_of(statistics: SalesStatistics, price: FloatArray) -> npt.NDArray[np.object_]:
    """Return each series' segment, "AX" to "CZ".

    A are the best sellers that together make 80 % of revenue, B those up to 95 %, C the rest;
    X series vary by at most half their mean from period to period, Y by at most their mean.
    A series without sales is CZ.

    Args:
        statistics: Of the series.
        price: (series,) money per unit.

    Example:
        The first earns 80 % and never varies, the last sells hardly ever:

        >>> sold = np.array([[8.0, 8.0, 8.0, 8.0], [2.0, 1.0, 1.0, 2.0], [0.0, 0.0, 0.0, 1.0]])
        >>> segments_of(SalesStatistics.of(sold), np.ones(3)).tolist()
        ['AX', 'BX', 'CZ']
    """
    steadiness = np.array(["X", "Y", "Z"], object)[np.searchsorted(_XYZ, statistics.variation)]
    revenue = statistics.mean * price
    order = np.argsort(-revenue, kind="stable")
    total = max(float(revenue.sum()), 1e-12)
    # A series belongs where its revenue starts: the best seller is A however large it is.
    before = (revenue[order].cumsum() - revenue[order]) / total
    value = np.full(len(revenue), "C", object)
    value[order] = np.array(["A", "B", "C"], object)[np.searchsorted(_ABC, before, side="right")]
    value[revenue <= 0] = "C"
    found: npt.NDArray[np.object_] = value + steadiness
    return found
