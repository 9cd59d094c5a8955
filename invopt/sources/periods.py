"""Which days of a record are believed, and which period is the last one that has ended."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt.timeline import Timeline, floor_dates, frequency_unit
from invopt.types import IntArray

# Sales this many years away from the others, of fewer than this share of the rows, are mistakes.
MAX_GAP_YEARS = 2
FAR_SHARE = 0.01
# Days without a line of anybody after which a few lines stand alone.
_LONELY = {"D": 28, "W": 56, "2W": 84, "MS": 100, "QS": 300}
_THIN = 0.1  # of the usual lines of a period
_FEW, _SEASON = 3, 90  # so few lines stand alone after so many days, whatever is usual
# Periods that tell how close to its end a period's last line usually is, and the days that the last
# one may fall short of it (a public holiday, a closed Saturday) without being cut.
_BACK = {"W": 26, "2W": 26, "MS": 13, "QS": 8}
_SLACK = {"W": 1, "2W": 2, "MS": 2, "QS": 5}
_YEAR = {"W": 52, "2W": 26, "MS": 12, "QS": 4}
_MIN_BACK = 4
_DAYS_BACK, _EARLY = 28, pd.Timedelta(hours=1)


@dataclass(frozen=True)
class Unfinished:
    """A period that has not ended.

    Attributes:
        start: Its first day.
        why: In words.
    """

    start: pd.Timestamp
    why: str


def far_future(freq: str, today: pd.Timestamp) -> pd.Timestamp:
    """Return the last day of the period that holds tomorrow: no sale is dated later.

    Tomorrow, because it is tomorrow already in the east of whoever counts today.
    """
    tomorrow = today.normalize() + pd.Timedelta(days=1)
    return Timeline.covering(tomorrow, tomorrow, freq).last_day(0)


def believed(days: pd.DataFrame, freq: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and the last day of the record that are believed.

    Left out are few rows beyond a gap of years, and rows that stand alone at either end: after a
    gap that is long, and unlike any other of the record, with next to nothing of what a period
    usually has.

    Args:
        days: Columns ds and n (rows), ascending, each day once.
        freq: Of the periods.
    """
    days = _without_mistyped_years(days)
    reversed_days = days.iloc[::-1].reset_index(drop=True)
    last = _without_lonely_end(days, freq)["ds"].max()
    first = _without_lonely_end(reversed_days, freq)["ds"].min()
    return first, last


def _without_mistyped_years(days: pd.DataFrame) -> pd.DataFrame:
    stretch = (days["ds"].diff() > pd.Timedelta(days=365 * MAX_GAP_YEARS)).cumsum()
    rows = days["n"].groupby(stretch).transform("sum")
    kept = days[rows >= FAR_SHARE * days["n"].sum()]
    return days if kept.empty else kept.reset_index(drop=True)


def _without_lonely_end(days: pd.DataFrame, freq: str) -> pd.DataFrame:
    """Return the days, in the order given, without those at the end that stand alone."""
    gaps = days["ds"].diff().dt.days.abs().to_numpy()
    period = floor_dates(pd.DatetimeIndex(days["ds"]), freq)
    for at in np.flatnonzero(gaps > _LONELY[frequency_unit(freq)])[::-1]:
        body, end = days.iloc[:at], days.iloc[at:]
        if end["n"].sum() >= FAR_SHARE * days["n"].sum():
            break
        if at > 1 and gaps[at] <= 2 * np.nanmax(gaps[1:at]):
            continue
        usual = body["n"].groupby(period[:at]).sum().median()
        thin = end["n"].groupby(period[at:]).sum().max() < _THIN * usual
        few = end["n"].sum() <= _FEW and gaps[at] > _SEASON
        if thin or few:
            return body
    return days


def unfinished(
    days: pd.DataFrame,
    freq: str,
    today: pd.Timestamp | None,
    closed: pd.DatetimeIndex | None = None,
) -> Unfinished | None:
    """Return the period that the record ends in, if it has not ended; None where it has.

    By the clock, if today is not after its last day. By the last line of anybody, if that is
    further from the period's end than is usual and than a year ago: days are told by their lines
    (weeks named by one day each are not), a day by the time of its last line. By the calendar: days
    on which nobody opens are not missed at the end of a period.

    Args:
        days: Columns ds, n and last_at (last moment of the day), ascending, each day once.
        freq: Of the periods.
        today: None where no clock is known.
        closed: Days on which all are closed, ascending; None where no calendar is given.
    """
    if today is not None:
        now = floor_dates(pd.DatetimeIndex([today]), freq)[0]
        if days["ds"].iloc[-1] >= now:
            return Unfinished(now, f"today is {today:%Y-%m-%d}")
    if freq == "D":
        return _cut_day(days)
    return _cut_period(days, freq, pd.DatetimeIndex([]) if closed is None else closed)


def _cut_period(days: pd.DataFrame, freq: str, closed: pd.DatetimeIndex) -> Unfinished | None:
    unit = frequency_unit(freq)
    line = Timeline.covering(days["ds"].iloc[0], days["ds"].iloc[-1], freq)
    period = line.index_of(pd.DatetimeIndex(days["ds"]))
    last = days["ds"].groupby(period).max()
    ends = pd.DatetimeIndex([line.last_day(int(k)) for k in last.index])
    off = [closed.searchsorted(dates, side="right") for dates in (pd.DatetimeIndex(last), ends)]
    missed = (ends - pd.DatetimeIndex(last)).days.to_numpy() - (off[1] - off[0])
    short = pd.Series(missed, index=last.index)
    before, found = short.iloc[:-1], int(short.iloc[-1])
    usual = before.iloc[-_BACK[unit] :]
    if len(usual) < _MIN_BACK or days["ds"].groupby(period).size().iloc[:-1].median() < 2:
        return None
    year = before[before.index >= period[-1] - _YEAR[unit] - 1]
    same = year[year.index <= period[-1] - _YEAR[unit] + 1]
    limit = float(usual.quantile(0.9)) if unit == "W" else float(usual.max())
    if found <= limit + _SLACK[unit] or (len(same) and same.max() >= found):
        return None
    return Unfinished(line.last, f"the last line of anybody is of {last.iloc[-1]:%Y-%m-%d}")


def _cut_day(days: pd.DataFrame) -> Unfinished | None:
    clock = (days["last_at"] - days["ds"]).iloc[-_DAYS_BACK - 1 :]
    before = clock.iloc[:-1]
    if len(before) < 7 or before.max() <= pd.Timedelta(0):
        return None
    if clock.iloc[-1] >= before.min() - _EARLY:
        return None
    day = days["ds"].iloc[-1]
    return Unfinished(day, f"the last line of anybody is of {days['last_at'].iloc[-1]:%H:%M}")


def regular_step(periods: IntArray) -> int:
    """Return how many periods mostly lie between two that have a record; 1 where it varies.

    Args:
        periods: Indices of those with a record, ascending, each once.
    """
    steps = np.diff(periods)
    if len(steps) < 4:
        return 1
    usual = int(np.median(steps))
    return usual if usual > 1 and np.mean(steps == usual) >= 0.8 else 1
