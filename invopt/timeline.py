"""Periods of a panel: a start, a frequency and a count, and the way between dates and indices."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt.errors import ConfigError
from invopt.types import IntArray

_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
# Two weeks begin in the week of 5 January 1970 or, with +1, in the week after it.
FREQUENCIES = (
    "D",
    *(f"W-{day}" for day in _WEEKDAYS),
    *(f"2W-{day}{turn}" for day in _WEEKDAYS for turn in ("", "+1")),
    "MS",
    "QS",
)
_MONTHS = {"MS": 1, "QS": 3}  # of a period
_DAYS = {"D": 1, "W": 7, "2W": 14}
_QUARTER = 80  # days between dates from which on they are quarters
_FORTNIGHT = range(12, 17)
_MONDAY = pd.Timestamp("1970-01-05")

# How many periods make one season: a week of days, a year of anything longer.
SEASON_LENGTHS = {"D": 7, "W": 52, "2W": 26, "MS": 12, "QS": 4}
SEASONS = {unit: (length,) for unit, length in SEASON_LENGTHS.items()}
PERIODS_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "2W": 365.25 / 14, "MS": 12.0, "QS": 4.0}
_WORDS = {"D": "day", "W": "week", "2W": "fortnight", "MS": "month", "QS": "quarter"}


def check_frequency(freq: str) -> str:
    """Return freq if it is known.

    D; W-MON to W-SUN, a week that starts that day; 2W-MON to 2W-SUN and 2W-MON+1 to 2W-SUN+1, two
    weeks; MS; QS, a quarter of the calendar year.

    Raises:
        ConfigError: If it is not.
    """
    if freq not in FREQUENCIES:
        raise ConfigError(
            f"frequency must be one of D, W-MON to W-SUN, 2W-MON to 2W-SUN (or 2W-MON+1 to "
            f"2W-SUN+1), MS, QS, got {freq!r}. "
            "A weekly frequency names the day the week starts on."
        )
    return freq


def usual_frequency(dates: pd.DatetimeIndex) -> str:
    """Return the frequency of most steps between dates; "D" where there are too few to tell."""
    dates = dates.unique().sort_values()
    gap = dates.to_series().diff().dt.days.median() if len(dates) > 1 else 1.0
    if gap >= 28:  # the shortest month
        return "QS" if gap >= _QUARTER else "MS"
    if gap < 6:
        return "D"
    day = _WEEKDAYS[int(pd.Series(dates.weekday).mode()[0])]
    if gap not in _FORTNIGHT:
        return f"W-{day}"
    even = floor_dates(dates, f"2W-{day}") + pd.Timedelta(days=7)
    return f"2W-{day}" if (dates < even).mean() >= 0.5 else f"2W-{day}+1"


def frequency_unit(freq: str) -> str:
    """Return "D", "W", "2W", "MS" or "QS": the frequency without its anchor."""
    return freq.split("-")[0]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Consecutive periods; `start` is the first day of the first one.

    Args:
        start: First day of period 0, a naive date aligned to freq.
        freq: Of FREQUENCIES.
        num_periods: Number of periods, at least 0.
    """

    start: pd.Timestamp
    freq: str
    num_periods: int

    @classmethod
    def covering(cls, first: pd.Timestamp, last: pd.Timestamp, freq: str) -> "Timeline":
        """Return the timeline whose first and last period hold the two dates."""
        start = floor_dates(pd.DatetimeIndex([first]), freq)[0]
        line = cls(start, check_frequency(freq), 1)
        return cls(start, freq, int(line.index_of(pd.DatetimeIndex([last]))[0]) + 1)

    @property
    def season_length(self) -> int:
        """Number of periods in the season a seasonal-naive forecast repeats."""
        return SEASON_LENGTHS[frequency_unit(self.freq)]

    @property
    def seasons(self) -> tuple[int, ...]:
        """Numbers of periods in the seasons of this frequency, shortest first."""
        return SEASONS[frequency_unit(self.freq)]

    @property
    def periods_per_year(self) -> float:
        """Number of periods in an average year."""
        return PERIODS_PER_YEAR[frequency_unit(self.freq)]

    @property
    def year_length(self) -> int:
        """Number of whole periods in a year, of whole weeks for days: 364, 52, 26, 12 or 4."""
        unit = frequency_unit(self.freq)
        return 364 if unit == "D" else int(PERIODS_PER_YEAR[unit])

    def year_before_reach(self, horizon: int) -> int:
        """Return the periods to each side that a period of the year before is compared with.

        A quarter of a year, or what is over at the cutoff for every period of a horizon; 0 or less
        where the horizon is as long as a year.
        """
        return min(self.year_length // 4, self.year_length - horizon)

    @property
    def word(self) -> str:
        """What people call a period: "day", "week", "fortnight", "month" or "quarter"."""
        return _WORDS[frequency_unit(self.freq)]

    def spell(self, number: int) -> str:
        """Return a number of periods in words: "1 week", "3 days"."""
        return f"{number:,} {self.word}" if number == 1 else f"{number:,} {self.word}s"

    @property
    def last(self) -> pd.Timestamp:
        """First day of the last period."""
        return self.date(self.num_periods - 1)

    def dates(self, first: int = 0, stop: int | None = None) -> pd.DatetimeIndex:
        """Return the first days of periods first..stop-1; stop may lie beyond the end."""
        stop = self.num_periods if stop is None else stop
        if first == stop:
            return pd.DatetimeIndex([])
        return pd.date_range(self.date(first), periods=stop - first, freq=self._pandas_freq)

    def date(self, index: int) -> pd.Timestamp:
        """Return the first day of the period with this index, which may lie outside."""
        if self.freq in _MONTHS:
            return self.start + pd.DateOffset(months=index * _MONTHS[self.freq])
        return self.start + pd.Timedelta(days=index * self._days)

    def last_day(self, index: int) -> pd.Timestamp:
        """Return the last day of the period with this index, which may lie outside."""
        return self.date(index + 1) - pd.Timedelta(days=1)

    def index_of(self, ds: pd.DatetimeIndex) -> IntArray:
        """Return the period index of each date; negative or past the end when outside."""
        if self.freq in _MONTHS:
            months = (ds.year - self.start.year) * 12 + (ds.month - self.start.month)
            return months.to_numpy(np.int64) // _MONTHS[self.freq]
        days = (ds.normalize() - self.start) // pd.Timedelta(days=1)
        return days.to_numpy(np.int64) // self._days

    def to_sql(self, ds: str) -> str:
        """Return a DuckDB expression for the period index of the DATE expression ds."""
        if self.freq in _MONTHS:
            unit = _WORDS[self.freq]
            return f"datediff('{unit}', DATE '{self.start:%Y-%m-%d}', {ds})"
        return f"floor(({ds} - DATE '{self.start:%Y-%m-%d}') / {self._days})::INTEGER"

    def resized(self, num_periods: int) -> "Timeline":
        """Return the same start and frequency with another number of periods."""
        return Timeline(self.start, self.freq, num_periods)

    @property
    def _days(self) -> int:
        return _DAYS[frequency_unit(self.freq)]

    @property
    def _pandas_freq(self) -> str:
        return self.freq if self.freq in _MONTHS else f"{self._days}D"


def floor_dates(ds: pd.DatetimeIndex, freq: str) -> pd.DatetimeIndex:
    """Return the first day of the period that holds each date."""
    ds = ds.normalize()
    unit = frequency_unit(check_frequency(freq))
    if unit == "D":
        return ds
    if unit == "MS":
        return ds - pd.to_timedelta(ds.day - 1, unit="D")
    if unit == "QS":
        return ds.to_period("Q").to_timestamp()
    if unit == "2W":
        day, _, turn = freq.partition("-")[2].partition("+")
        first = _MONDAY + pd.Timedelta(days=_WEEKDAYS.index(day) + 7 * int(turn or 0))
        return ds - pd.to_timedelta((ds - first).days % 14, unit="D")
    back = (ds.weekday - _WEEKDAYS.index(freq.split("-")[1])) % 7
    return ds - pd.to_timedelta(back, unit="D")
