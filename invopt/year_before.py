"""What a period of the year before was beside those around it."""

import numpy as np

from invopt.panel import UNOBSERVED, Panel
from invopt.types import Float32Array, FloatArray

_FLOOR = 0.25  # of the mean around, which is added to it and to the period's sales
_BLOCK = 4096  # series handled at once: scratch arrays are in double precision


def year_before(panel: Panel, horizon: int, num_future: int = 0) -> Float32Array:
    """Return log of sales a year before over their mean around that period, (series, period).

    As `beside_neighbours`.

    Args:
        panel: Its sales; nothing later than `horizon` before a period is looked at.
        horizon: Periods ahead for which it must be known.
        num_future: Periods beyond the last one to return.
    """
    year, num = panel.timeline.year_length, panel.num_periods
    reach = panel.timeline.year_before_reach(horizon)
    values = np.full((panel.num_series, num + num_future), np.nan, np.float32)
    last = min(num - reach, values.shape[1] - year)  # periods whose surroundings are over
    if last > 0 and reach > 0:
        values[:, year : year + last] = beside_neighbours(panel, reach)[:, :last]
    return values


def beside_neighbours(panel: Panel, reach: int) -> Float32Array:
    """Return log of sales over their mean within `reach` periods to both sides, (series, period).

    A quarter of the mean is added to both, so that a period without a sale is no extreme. NaN where
    the period was not observed, less than half of those around it, or none of them sold.
    """
    values = np.empty((panel.num_series, panel.num_periods), np.float32)
    for first in range(0, panel.num_series, _BLOCK):
        rows = slice(first, first + _BLOCK)
        observed = (np.asarray(panel.flags[rows]) & UNOBSERVED) == 0
        sold = np.where(observed, np.asarray(panel.y[rows], np.float64), 0.0).clip(min=0)
        around, number = (_centred_sum(a, reach) for a in (sold, observed.astype(float)))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = around / number
            ratio = np.log((sold / mean + _FLOOR) / (1 + _FLOOR))
        ratio[~observed | (number <= reach)] = np.nan
        values[rows] = ratio
    return values


def _centred_sum(values: FloatArray, reach: int) -> FloatArray:
    """Return sums over each period and `reach` periods to both sides, as far as there are some."""
    padded = np.pad(values, ((0, 0), (reach + 1, reach)))
    total = np.cumsum(padded, axis=1)
    return np.asarray(total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1])
