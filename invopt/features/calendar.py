"""Features of the date alone: weekday, place in the month and in the year."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import FeaturesConfig
from invopt.timeline import Timeline
from invopt.types import Float32Array

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def calendar_names(config: FeaturesConfig, freq: str) -> list[str]:
    """Return the names of the columns of calendar_features, in order."""
    names = []
    if freq == "D" and config.day_of_week:
        names += [f"weekday_{day}" for day in _WEEKDAYS]
    if freq == "D":
        names += _fourier_names("month", config.month_harmonics)
    if config.month_of_year:
        names += [f"month_{month}" for month in _MONTHS]
    return names + _fourier_names("year", config.year_harmonics)


def calendar_features(config: FeaturesConfig, timeline: Timeline, stop: int) -> Float32Array:
    """Return (period, feature) for periods 0..stop-1, the future ones included."""
    dates = timeline.dates(0, stop)
    columns: list[npt.NDArray[np.floating]] = []  # type: ignore[type-arg]
    if timeline.freq == "D" and config.day_of_week:
        columns += list(np.eye(7)[dates.weekday].T)
    if timeline.freq == "D":
        share = (dates.day.to_numpy() - 1) / dates.days_in_month.to_numpy()
        columns += _fourier(share, config.month_harmonics)
    # Weeks and months count from their middle, so that a week across New Year sits right.
    middle = dates + pd.Timedelta(
        days={"D": 0, "2W": 7, "MS": 15, "QS": 45}.get(timeline.freq.split("-")[0], 3)
    )
    if config.month_of_year:
        columns += list(np.eye(12)[middle.month - 1].T)
    share = (middle.dayofyear.to_numpy() - 1) / 365.25
    columns += _fourier(share, config.year_harmonics)
    if not columns:
        return np.zeros((stop, 0), np.float32)
    return np.stack(columns, axis=1).astype(np.float32)


def _fourier_names(name: str, harmonics: int) -> list[str]:
    return [f"{name}_{wave}{k}" for k in range(1, harmonics + 1) for wave in ("sin", "cos")]


def _fourier(
    share: npt.NDArray[np.floating],
    harmonics: int,  # type: ignore[type-arg]
) -> list[npt.NDArray[np.floating]]:  # type: ignore[type-arg]
    waves = []
    for k in range(1, harmonics + 1):
        waves += [np.sin(2 * np.pi * k * share), np.cos(2 * np.pi * k * share)]
    return waves
