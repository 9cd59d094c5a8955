"""One period, one order: the newsvendor under a normal law, a Poisson law, or past demand.

Closed forms for tests, references and back-of-the-envelope checks; forecasts go through
`levels` and `lost_sales` instead.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import poisson

FloatArray = npt.NDArray[np.float64]


def standard_loss(z: FloatArray | float) -> FloatArray:
    """Return E(Z - z)+ of a standard normal Z, the unit normal loss function."""
    density = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi)
    loss: FloatArray = np.asarray(density - z * (1 - ndtr(z)))
    return loss


def normal_newsvendor(
    mean: FloatArray | float,
    deviation: FloatArray | float,
    holding_cost: FloatArray | float,
    stockout_cost: FloatArray | float,
) -> tuple[FloatArray, FloatArray]:
    """Return the level of least cost and that cost, demand being normal.

    S = mean + z deviation with z at p / (p + h); the cost is (p + h) deviation phi(z)
    (Snyder and Shen, Fundamentals of Supply Chain Theory, section 4.3).

    Args:
        mean: Units.
        deviation: Standard deviation, units.
        holding_cost: Money per unit left.
        stockout_cost: Money per unit short.
    """
    z = ndtri(np.divide(stockout_cost, np.add(stockout_cost, holding_cost)))
    short = deviation * standard_loss(z)
    left = deviation * (z + standard_loss(z))
    return np.asarray(mean + z * deviation), np.asarray(holding_cost * left + stockout_cost * short)


def poisson_newsvendor(mean: FloatArray | float, ratio: FloatArray | float) -> FloatArray:
    """Return the smallest whole level that Poisson demand stays within at a critical ratio."""
    level: FloatArray = np.asarray(poisson.ppf(ratio, mean))
    return level


def empirical_newsvendor(demand: FloatArray, ratio: FloatArray) -> FloatArray:
    """Return the smallest past demand that a share `ratio` of the past stayed within.

    Sample average approximation: the level of least average cost on the past itself.

    Args:
        demand: (series, observations) units, NaN where not observed.
        ratio: (series,) critical ratio.
    """
    ordered = np.sort(demand, axis=1)
    number = (~np.isnan(demand)).sum(axis=1)
    place = np.ceil(ratio * number - 1e-9).astype(np.int64) - 1
    return np.take_along_axis(ordered, place.clip(0)[:, None], axis=1)[:, 0]
