"""Whether years and months of a panel repeat: what a model may learn of them."""

import numpy as np

from invopt.panel import Panel
from invopt.types import AnyFloatArray, FloatArray, IntArray
from invopt.year_before import beside_neighbours, year_before

_HALF_MONTH = 14  # days to both sides that a day of the month is compared with
_MONTHS = 6  # whose days must be known


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
    if known.sum() < year:
        return 0.0
    return _correlation(before[known], now[known])


def likeness_of_months(panel: Panel) -> float:
    """Return the correlation of a day with the same days of the other months.

    Of the mean over series of sales beside those of two weeks to both sides, without what is usual
    on the weekday, as means of three days: pay-days and the end of the month last longer than one.
    1 where each month is as the others, 0 or less where months have nothing in common or the data
    hold less than half a year.

    Args:
        panel: Of days.
    """
    dates = panel.timeline.dates()
    if len(dates.to_period("M").unique()) < _MONTHS:
        return 0.0
    beside = beside_neighbours(panel, _HALF_MONTH)
    known = np.isfinite(beside)
    number = known.sum(axis=0)
    mean = np.where(known, beside, 0).sum(axis=0, dtype=np.float64) / np.maximum(number, 1)
    mean[number == 0] = np.nan
    mean -= _of_group(mean, np.asarray(dates.weekday), without_self=False)
    course = _three_days(mean)
    others = _of_group(course, np.asarray(dates.day), without_self=True)
    both = np.isfinite(course) & np.isfinite(others)
    if len(np.unique(dates[both].to_period("M"))) < _MONTHS:
        return 0.0
    return _correlation(others[both], course[both])


def _of_group(values: FloatArray, group: IntArray, *, without_self: bool) -> FloatArray:
    """Return the mean of the known values of each one's group; NaN where there is none."""
    known = np.isfinite(values)
    total = np.bincount(group, np.where(known, values, 0))[group]
    number = np.bincount(group, known)[group]
    if without_self:
        total, number = total - np.where(known, values, 0), number - known
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _three_days(values: FloatArray) -> FloatArray:
    """Return means of each day, the one before and the one after, of those that are known."""
    known = np.isfinite(values)
    ones = np.ones(3)
    total = np.convolve(np.where(known, values, 0), ones, "same")
    number = np.convolve(known.astype(float), ones, "same")
    return np.where(known, total / np.maximum(number, 1), np.nan)


def _correlation(one: AnyFloatArray, other: AnyFloatArray) -> float:
    """Return Pearson's, 0 where one of them does not change."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
