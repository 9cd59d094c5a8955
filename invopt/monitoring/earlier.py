"""What earlier runs saw of the data, beside what is there now: days due, a past that changed."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt.closures import closed_shares
from invopt.config import MonitoringConfig
from invopt.feeds import locations_of
from invopt.monitoring.signals import DATA, LATE, Signal
from invopt.panel import UNOBSERVED, Flag, Panel
from invopt.timeline import Timeline
from invopt.types import FloatArray

SETTLED = 4  # latest periods whose actuals may still come late, or be corrected
_REWRITTEN = 0.1  # share by which a period's sales are others than they were
_ROWS = 4096
_WEEKS = 4  # in which a weekday without any record is a closed one
_NOTHING = Flag.MISSING | Flag.FILLED | Flag.BEFORE_LAUNCH


@dataclass(frozen=True)
class Seen:
    """How far the data reached when they were read before.

    Attributes:
        last: Last period of them.
        since: Day on which they were first seen to reach it.
        today: The clock.
    """

    last: pd.Timestamp
    since: pd.Timestamp
    today: pd.Timestamp


def due_period(seen: Seen, freq: str, length: int) -> tuple[str, str]:
    """Return the first and last day of the newest monitoring period there should be data of.

    Data are taken to come as late as they did: since the day they were first seen to reach
    their last period, they should have come on by the whole periods that have passed. So a set
    that has an end of its own, or a clock that was set back, names no period that nobody waits
    for.

    Args:
        seen: Before.
        freq: D, W-MON to W-SUN, or MS.
        length: Periods of a monitoring period.

    Returns:
        ISO dates, as in Evidence: the first days of its first and its last period.
    """
    line = Timeline(seen.last, freq, 1)
    end = _due(seen, freq, length)
    return f"{line.date(end - length + 1):%Y-%m-%d}", f"{line.date(end):%Y-%m-%d}"


def overdue_signals(
    line: Timeline,
    seen: Seen | None,
    length: int,
    closed: Collection[int] = (),
    closures: pd.DatetimeIndex | None = None,
) -> list[Signal]:
    """Return that data end before those that were read earlier, or that a period did not come.

    Args:
        line: Periods of the data.
        seen: Before; None leaves it out.
        length: Periods of a monitoring period.
        closed: Weekdays that no record comes of; nobody waits for them.
        closures: Periods in which everybody is closed by the calendar; nobody waits for them.
    """
    if seen is None:
        return []
    before = Timeline(seen.last, line.freq, 1)
    missing = -int(before.index_of(pd.DatetimeIndex([line.last]))[0])
    last = line.last_day(line.num_periods - 1)
    if missing > 0:
        text = (
            f"data now end on {last:%Y-%m-%d}, earlier than at the last run "
            f"({before.last_day(0):%Y-%m-%d}): an old file was sent or the newest days are missing"
        )
        return [_spoilt(LATE, missing, text)]
    missing += _due(seen, line.freq, length)
    awaited = line.dates(line.num_periods, line.num_periods + max(0, missing))
    shut = awaited.isin(closures) if closures is not None else np.zeros(len(awaited), bool)
    if 2 * sum(day not in closed for day in awaited[~shut].weekday) <= length:
        return []
    first, end = due_period(seen, line.freq, length)
    due = Timeline(pd.Timestamp(end), line.freq, 1).last_day(0)
    text = (
        f"no new data: the latest date is still {last:%Y-%m-%d}; "
        f"{first} to {due:%Y-%m-%d} are overdue"
    )
    return [_spoilt(LATE, missing, text)]


def closed_weekdays(panel: Panel) -> frozenset[int]:
    """Return the weekdays (Monday is 0) of daily data that no record came of in the last weeks.

    A shop that is shut on Sundays sends nothing for them, and its data end on Saturday.
    """
    if panel.timeline.freq != "D" or panel.num_periods < 7 * _WEEKS:
        return frozenset()
    first = panel.num_periods - 7 * _WEEKS
    came = np.zeros(7 * _WEEKS, bool)
    for row in range(0, panel.num_series, _ROWS):
        came |= ((np.asarray(panel.flags[row : row + _ROWS, first:]) & _NOTHING) == 0).any(axis=0)
    weekdays = panel.timeline.dates(first).weekday.to_numpy()
    return frozenset(range(7)) - set(weekdays[came].tolist()) if came.any() else frozenset()


def closed_by_all(panel: Panel, calendar: pd.DataFrame | None) -> pd.DatetimeIndex:
    """Return the periods of the coming year in which the calendar closes every location."""
    stop, ahead = panel.num_periods, round(panel.timeline.periods_per_year)
    line = Timeline(panel.timeline.date(stop), panel.timeline.freq, ahead)
    names = tuple(str(name) for name in np.unique(locations_of(panel).astype(str)))
    shut = np.flatnonzero(closed_shares(calendar, line, names).min(axis=0) >= 1)
    return line.dates()[shut]


def rewritten_past(
    panel: Panel, known: pd.DataFrame | None, config: MonitoringConfig
) -> list[Signal]:
    """Return that most earlier periods hold other sales than when they were judged.

    An extract that holds every row twice looks like itself; beside what was judged it is double.

    Args:
        panel: Every series, cleaned.
        known: Records of earlier runs; of other locations nothing can be said.
        config: Length of a period, and how far back is looked.
    """
    if known is None or set(known["location"]) != set(locations_of(panel).astype(str)):
        return []
    known = of_length(known, panel.timeline, config.period)
    stop = panel.num_periods - SETTLED * config.period
    then = known.groupby("start")["actual"].sum()
    first = panel.timeline.index_of(pd.DatetimeIndex(then.index))
    there = (first >= max(0, stop - config.history * config.period)) & (
        first + config.period <= stop
    )
    before = then.to_numpy(np.float64)[there]
    now = _sold(panel, first[there], config.period)
    ratios = now[before > 0] / before[before > 0]
    changed = np.abs(ratios - 1) > _REWRITTEN
    if len(ratios) < SETTLED or 2 * changed.sum() <= len(ratios):
        return []
    if np.median(ratios) < 1 and not changed[-SETTLED:].any():
        # What has left the range since is no longer sent, returns are booked late: the older a
        # period, the less is there of it.
        return []
    text = (
        f"past sales changed in {changed.sum()} of {len(ratios)} periods since they were last "
        f"read (median ratio {np.median(ratios):.2f}); likely causes: duplicated rows, partial "
        "history, another unit"
    )
    return [_spoilt("past_rewritten", float(np.median(ratios)), text, expected=1.0, pages=True)]


def of_length(known: pd.DataFrame, line: Timeline, period: int) -> pd.DataFrame:
    """Return the records of monitoring periods of this length; it may be configured anew.

    Args:
        known: Records, `start` and `end` the first days of their first and last period.
        line: Periods of the data.
        period: Periods of a monitoring period.
    """
    first, last = (line.index_of(pd.DatetimeIndex(known[name])) for name in ("start", "end"))
    return known[last - first == period - 1]


def _due(seen: Seen, freq: str, length: int) -> int:
    """Return the periods from the last one seen to the end of the one that is due."""
    passed = int(Timeline(seen.since, freq, 1).index_of(pd.DatetimeIndex([seen.today]))[0])
    if freq in ("MS", "QS") and seen.today.day < seen.since.day:
        passed -= 1  # a month has passed on its day, not on the first of the next
    return max(0, passed // length) * length


def _sold(panel: Panel, first: Iterable[int], period: int) -> FloatArray:
    """Return the observed sales of all series in the stretches that start at `first`."""
    sold = np.zeros(panel.num_periods)
    for row in range(0, panel.num_series, _ROWS):
        rows = slice(row, row + _ROWS)
        seen = (np.asarray(panel.flags[rows]) & UNOBSERVED) == 0
        sold += np.where(seen, panel.y[rows], 0).sum(axis=0, dtype=np.float64)
    return np.array([sold[at : at + period].sum() for at in first])


def _spoilt(
    name: str, value: float, text: str, *, expected: float = 0.0, pages: bool = False
) -> Signal:
    return Signal(
        name=name, kind=DATA, value=float(value), expected=expected, limit=0.0,
        p_value=float("nan"), fires=True, text=text, pages=pages, spoils=True,
    )  # fmt: skip
