"""Forecasts of sums: aggregate series forecast by themselves, and made to agree with their parts.

Thousands of small errors of one sign add up; a model of the sums sees what no single series
shows: how days and groups share a total. Both forecasts of a sum are averaged, and the nearest
coherent forecast is taken by weighted least squares (MinT with structural variances:
Wickramasuriya, Athanasopoulos and Hyndman, 2019), on groups of series; within a group every
series moves by the same factor. The total over the horizon stays that of the series' model: a
few sums over a few years teach a level badly (measured on M5, ADR 0013).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.errors import ConfigError
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, Channel, Panel, group_names, sum_rows
from invopt.types import AnyFloatArray, FloatArray, IntArray

# How far a group's forecast may be moved: more is a defect of a model, not a correction.
LARGEST_FACTOR = 1.5
WEEK, YEAR = 7, 364  # days; a year of whole weeks, so that weekdays meet
ANY = "any"


@dataclass(frozen=True)
class Aggregation:
    """How series add up to groups, and groups to aggregate series.

    Attributes:
        levels: Column sets, one per level; an empty one is the total. The last is the finest:
            its combinations are the groups that every other level adds up.
        group_of: (series,) group of each series.
        members: (aggregate, group) 1 where a group is part of an aggregate series.
        names: Of the aggregate series, "level=value".
        level_of: (aggregate,) place of its level.
    """

    levels: tuple[tuple[str, ...], ...]
    group_of: IntArray = field(repr=False)
    members: FloatArray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    level_of: IntArray = field(repr=False)

    @classmethod
    def of(cls, series: pd.DataFrame, levels: Sequence[Sequence[str]]) -> "Aggregation":
        """Return the aggregation of a panel's series.

        Args:
            series: With every column named.
            levels: From coarse to fine; every column of any level is one of the last level's,
                or constant inside its combinations.

        Raises:
            ConfigError: If a level would cut a group of the last one in two.
        """
        groups, group_of = np.unique(_names(series, levels[-1]), return_inverse=True)
        first = np.unique(group_of, return_index=True)[1]
        parts, names, level_of = [], [], []
        for number, columns in enumerate(levels):
            values, rows = np.unique(_names(series, columns), return_inverse=True)
            if np.any(rows != rows[first][group_of]):
                raise ConfigError(
                    f"hierarchy: level {list(columns)} is finer than the last one, "
                    f"{list(levels[-1])}; list levels from coarse to fine."
                )
            members = np.zeros((len(values), len(groups)))
            members[rows[first], np.arange(len(groups))] = 1
            parts.append(members)
            level = "+".join(columns) if columns else "all"
            names += [f"{level}={value}" for value in values]
            level_of += [number] * len(values)
        return cls(
            tuple(tuple(c) for c in levels),
            group_of.astype(np.int64),
            np.concatenate(parts),
            tuple(names),
            np.array(level_of, np.int64),
        )

    def add_up(self, values: AnyFloatArray) -> FloatArray:
        """Return (aggregate, period) sums of (series, period) values."""
        return self.members @ self.group_sums(values)

    def group_sums(self, values: AnyFloatArray) -> FloatArray:
        """Return (group, period) sums of (series, period) values."""
        return sum_rows(values, self.group_of, self.members.shape[1])


def aggregate_panel(panel: Panel, aggregation: Aggregation) -> Panel:
    """Return the aggregate series as a panel, in order of their names.

    Columns that all parts share are kept, others read "any". A channel of the whole company
    stays as it is; one of some group of series becomes the aggregate's own, its parts averaged
    by their sales. Channels of single series, such as prices, are left out.

    Args:
        panel: Cleaned; unobserved sales count as they are recorded.
        aggregation: Of its series.
    """
    order = np.argsort(aggregation.names)
    names = [aggregation.names[i] for i in order]
    y = aggregation.add_up(panel.y)[order].astype(np.float32)
    frame = pd.DataFrame({"unique_id": names})
    frame["level"] = [name.split("=", 1)[0] for name in names]
    columns = sorted({c for level in aggregation.levels for c in level})
    for column in columns:
        frame[column] = _shared(panel.series[column], aggregation)[order]
    channels = [
        channel if channel.level == ALL_LEVEL else _averaged(panel, channel, aggregation, order)
        for channel in panel.channels.values()
        if channel.level != SERIES_LEVEL and channel.domain != "derived"
    ]
    flags = np.zeros(y.shape, np.uint8)
    return Panel(panel.timeline, frame, y, flags).with_channels(channels)


def reconcile(
    mean: AnyFloatArray,
    aggregate_mean: AnyFloatArray,
    history: AnyFloatArray,
    aggregation: Aggregation,
    *,
    share: float = 0.5,
) -> FloatArray:
    """Return series forecasts that share their total as the average of both forecasts does.

    Args:
        mean: (series, horizon) forecasts of the series.
        aggregate_mean: (aggregate, horizon) forecasts of the sums, in the aggregation's order.
        history: (aggregate, period) sums of the past, whose period-to-period changes tell how
            well each sum can be known.
        aggregation: Of the series.
        share: Weight of the aggregate's own forecast in the average.
    """
    members = aggregation.members
    groups = aggregation.group_sums(mean)
    target = share * np.asarray(aggregate_mean, np.float64) + (1 - share) * (members @ groups)
    variance = np.square(np.diff(np.asarray(history, np.float64), axis=1)).mean(axis=1)
    weight = 1 / np.maximum(variance, 1e-9)
    weighted = members.T * weight
    coherent = np.linalg.lstsq(weighted @ members, weighted @ target, rcond=None)[0]
    factor = np.where(groups > 0, coherent / np.maximum(groups, 1e-9), 1.0)
    factor = factor.clip(1 / LARGEST_FACTOR, LARGEST_FACTOR)
    shared = np.asarray(mean, np.float64) * factor[aggregation.group_of]
    return shared * (groups.sum() / max(shared.sum(), 1e-9))


def with_growth(
    mean: AnyFloatArray, history: AnyFloatArray, group_of: IntArray, *, share: float = 0.5
) -> FloatArray:
    """Return daily forecasts whose groups grow over the year before halfway as they did lately.

    A network of single series has no trend: where a whole region grows, each of its series is
    forecast a little low. A group's growth is the median over weeks of log(units / units 52 weeks
    before), which an event that moved in the calendar hardly shifts; the group's forecast moves by
    `share` of the difference between its growth in the last weeks and in the forecast's, as many of
    the one as of the other. Every series of a group moves by the same factor.

    Args:
        mean: (series, horizon) forecasts; the horizon is one week at least, a rest of days that
            makes no week moves with the others.
        history: (series, period) units, up to the day before the forecast.
        group_of: (series,) group of each series, from 0; every group has a series.
        share: 0 leaves the forecast as it is, 1 takes the growth of the last weeks.

    Returns:
        (series, horizon); a group without sales in one of the weeks that are compared, or with a
        history too short for them, stays as it is.
    """
    forecast, past = np.asarray(mean, np.float64), np.asarray(history, np.float64)
    days = forecast.shape[1] // WEEK * WEEK
    if past.shape[1] < days + YEAR:
        return forecast
    end = past.shape[1]
    ahead = _weeks(forecast[:, :days], group_of)
    before = _weeks(past[:, end - YEAR : end - YEAR + days], group_of)
    lately = _weeks(past[:, end - days :], group_of)
    then = _weeks(past[:, end - YEAR - days : end - YEAR], group_of)
    sells = np.all([part > 0 for part in (ahead, before, lately, then)], axis=(0, 2))
    growth = np.zeros(len(sells))
    was, told = (np.log(a[sells] / b[sells]) for a, b in ((lately, then), (ahead, before)))
    growth[sells] = share * (np.median(was, axis=1) - np.median(told, axis=1))
    factor = np.exp(growth).clip(1 / LARGEST_FACTOR, LARGEST_FACTOR)
    result: FloatArray = forecast * factor[group_of, None]
    return result


def _weeks(values: AnyFloatArray, group_of: IntArray) -> FloatArray:
    """Return (group, week) sums of (series, day) values."""
    weeks = values.reshape(len(values), -1, WEEK).sum(axis=2)
    return sum_rows(weeks, group_of, int(group_of.max()) + 1)


def _names(series: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.str_]:
    return group_names(series, "+".join(columns) if columns else "all").astype(str)


def _shared(column: pd.Series, aggregation: Aggregation) -> npt.NDArray[np.object_]:
    """Return each aggregate's value of a column where its parts share it, else "any"."""
    codes, values = pd.factorize(column)
    first = np.unique(aggregation.group_of, return_index=True)[1]
    found = np.empty(len(aggregation.members), object)
    for row, parts in enumerate(aggregation.members > 0):
        held = np.unique(codes[first[parts]])
        found[row] = values[held[0]] if len(held) == 1 else ANY
    return found


def _averaged(panel: Panel, channel: Channel, aggregation: Aggregation, order: IntArray) -> Channel:
    """Return a channel of groups as one of aggregate series: the mean of the parts by sales."""
    first = np.unique(aggregation.group_of, return_index=True)[1]
    rows = panel.group_index(channel.level, channel.groups)[first]
    values = np.asarray(channel.values, np.float64)[rows]
    values[rows < 0] = np.nan
    sales = aggregation.group_sums(panel.y).sum(axis=1)
    share = aggregation.members * np.maximum(sales, 1e-9)
    known = ~np.isnan(values)
    total = share @ np.nan_to_num(values)
    weight = share @ known
    mean = np.where(weight > 0, total / np.maximum(weight, 1e-9), np.nan)
    names = tuple(aggregation.names[i] for i in order)
    return replace(channel, level=SERIES_LEVEL, groups=names, values=mean[order].astype(np.float32))
