"""What a period of the year before was beside those around it, and whether years repeat."""

import numpy as np

from invopt.panel import UNOBSERVED, Panel
from invopt.types import Float32Array, FloatArray

_FLOOR = 0.25  # of the mean around, which is added to it and to the period's sales
_BLOCK = 4096  # series handled at once: scratch arrays are in double precision


def year_before(panel: Panel, horizon: int, num_future: int = 0) -> Float32Array:
    """Return log of sales a year before over their mean around that period, (series, period).

    A quarter of the mean is added to both, so that a period without a sale is no extreme. NaN where
    the period was not observed, less than half of those around it, or none of them sold.

    Args:
        panel: Its sales; nothing later than `horizon` before a period is looked at.
        horizon: Periods ahead for which it must be known.
        num_future: Periods beyond the last one to return.
    """
    year, num = panel.timeline.year_length, panel.num_periods
    reach = panel.timeline.year_before_reach(horizon)
    values = np.full((panel.num_series, num + num_future), np.nan, np.float32)
    last = min(num - reach, values.shape[1] - year)  # periods whose surroundings are over
    if last <= 0 or reach <= 0:
        return values
    for first in range(0, panel.num_series, _BLOCK):
        rows = slice(first, first + _BLOCK)
        observed = (np.asarray(panel.flags[rows]) & UNOBSERVED) == 0
        sold = np.where(observed, np.asarray(panel.y[rows], np.float64), 0.0).clip(min=0)
        around, number = (_centred_sum(a, reach)[:, :last] for a in (sold, observed.astype(float)))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = around / number
            ratio = np.log((sold[:, :last] / mean + _FLOOR) / (1 + _FLOOR))
        ratio[~observed[:, :last] | (number <= reach)] = np.nan
        values[rows, year : year + last] = ratio
    return values


def likeness_of_years(panel: Panel) -> float:
    """Return the correlation of a period's `year_before` with what the period itself was.

    1 where each year is as the one before, about 0 where years have nothing in common, or where
    the data hold less than a year and a half.
    """
    year = panel.timeline.year_length
    before = year_before(panel, 1, year)
    now = before[:, year : year + panel.num_periods]
    before = before[:, : now.shape[1]]
    known = np.isfinite(now) & np.isfinite(before)
    if known.sum() < year or now[known].std() == 0 or before[known].std() == 0:
        return 0.0
    return float(np.corrcoef(before[known], now[known])[0, 1])


def _centred_sum(values: FloatArray, reach: int) -> FloatArray:
    """Return sums over each period and `reach` periods to both sides, as far as there are some."""
    padded = np.pad(values, ((0, 0), (reach + 1, reach)))
    total = np.cumsum(padded, axis=1)
    return np.asarray(total[:, 2 * reach + 1 :] - total[:, : -2 * reach - 1])
