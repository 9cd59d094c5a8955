"""Periods of a panel: a start, a frequency and a count, and the way between dates and indices."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.errors import ConfigError

_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
FREQUENCIES = ("D", *(f"W-{day}" for day in _WEEKDAYS), "MS")

# How many periods make one season: a week of days, a year of weeks or months.
SEASON_LENGTHS = {"D": 7, "W": 52, "MS": 12}
SEASONS = {unit: (length,) for unit, length in SEASON_LENGTHS.items()}
PERIODS_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "MS": 12.0}
_WORDS = {"D": "day", "W": "week", "MS": "month"}


def check_frequency(freq: str) -> str:
    """Return freq if it is known: D, W-MON to W-SUN (week starting that day), MS.

    Raises:
        ConfigError: If it is not.
    """
    if freq not in FREQUENCIES:
        raise ConfigError(
            f"frequency must be one of {', '.join(FREQUENCIES)}, got {freq!r}. "
            "A weekly frequency names the day the week starts on."
        )
    return freq


def usual_frequency(dates: pd.DatetimeIndex) -> str:
    """Return the frequency of most steps between dates; "D" where there are too few to tell."""
    dates = dates.unique().sort_values()
    gap = dates.to_series().diff().dt.days.median() if len(dates) > 1 else 1.0
    if gap >= 28:  # the shortest month
        return "MS"
    if gap < 6:
        return "D"
    return f"W-{_WEEKDAYS[int(pd.Series(dates.weekday).mode()[0])]}"


def frequency_unit(freq: str) -> str:
    """Return "D", "W" or "MS": the frequency without its anchor."""
    return freq.split("-")[0]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Consecutive periods; `start` is the first day of the first one.

    Args:
        start: First day of period 0, a naive date aligned to freq.
        freq: D, W-MON to W-SUN, or MS.
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

    def spell(self, number: int) -> str:
        """Return a number of periods in words: "1 week", "3 days"."""
        word = _WORDS[frequency_unit(self.freq)]
        return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"

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
        if self.freq == "MS":
            return self.start + pd.DateOffset(months=index)
        return self.start + pd.Timedelta(days=index * self._days)

    def last_day(self, index: int) -> pd.Timestamp:
        """Return the last day of the period with this index, which may lie outside."""
        return self.date(index + 1) - pd.Timedelta(days=1)

    def index_of(self, ds: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
        """Return the period index of each date; negative or past the end when outside."""
        if self.freq == "MS":
            months = (ds.year - self.start.year) * 12 + (ds.month - self.start.month)
            return months.to_numpy(np.int64)
        days = (ds.normalize() - self.start) // pd.Timedelta(days=1)
        return days.to_numpy(np.int64) // self._days

    def to_sql(self, ds: str) -> str:
        """Return a DuckDB expression for the period index of the DATE expression ds."""
        if self.freq == "MS":
            return f"datediff('month', DATE '{self.start:%Y-%m-%d}', {ds})"
        return f"floor(({ds} - DATE '{self.start:%Y-%m-%d}') / {self._days})::INTEGER"

    def resized(self, num_periods: int) -> "Timeline":
        """Return the same start and frequency with another number of periods."""
        return Timeline(self.start, self.freq, num_periods)

    @property
    def _days(self) -> int:
        return 1 if self.freq == "D" else 7

    @property
    def _pandas_freq(self) -> str:
        return {"D": "D", "MS": "MS"}.get(self.freq, "7D")


def floor_dates(ds: pd.DatetimeIndex, freq: str) -> pd.DatetimeIndex:
    """Return the first day of the period that holds each date."""
    ds = ds.normalize()
    unit = frequency_unit(check_frequency(freq))
    if unit == "D":
        return ds
    if unit == "MS":
        return ds - pd.to_timedelta(ds.day - 1, unit="D")
    back = (ds.weekday - _WEEKDAYS.index(freq.split("-")[1])) % 7
    return ds - pd.to_timedelta(back, unit="D")
