"""Group rows as of the end of a series' window, which may be before or after their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from invopt.errors import ContractError
from invopt.features.tables import GROUP_KEY, GROUP_PERIODS, TableLayout
from invopt.timeline import Timeline, frequency_unit
from invopt.types import Float32Array


def aligned(
    known: Mapping[str, tuple[float, dict[str, Any]]],
    known_at: float,
    num_periods: int,
    layout: TableLayout,
) -> dict[str, Any]:
    """Return the columns of a group table as of a time.

    Args:
        known: When each group's row was known, seconds since 1970, and its values, by key.
        known_at: Time wanted, seconds since 1970.
        num_periods: Periods wanted up to then; those before a group's row begins are NaN.
        layout: Of the tables.

    Raises:
        ContractError: If a channel has no group at all.
    """
    keys = sorted(known)
    rows: dict[str, Any] = {GROUP_KEY: keys}
    shifts = {key: periods_between(known[key][0], known_at, layout.freq) for key in keys}
    for head in layout.group_channels:
        name = layout.field_of(head["name"])
        rows[name] = [
            _stretch(
                known[key][1],
                name,
                shifts[key],
                num_periods=num_periods,
                head=head,
                freq=layout.freq,
            )
            for key in keys
        ]
        length = max((len(v) for v in rows[name] if v is not None), default=0)
        if not length:
            raise ContractError(
                "Features", head["name"], "be online", advice="Publish and materialise the groups."
            )
        rows[name] = [v if v is None else _padded(v, length) for v in rows[name]]
    return rows


def _stretch(
    row: dict[str, Any], name: str, shift: int, num_periods: int, head: dict[str, Any], freq: str
) -> Any:
    """Return a group's values over a window that ends `shift` periods after its own."""
    values = row[name]
    if values is None:
        return None
    periods = int(row[GROUP_PERIODS])
    if shift > 0 and not head["known"]:
        season = values[-min(len(values), Timeline(pd.Timestamp(0), freq, 1).season_length) :]
        values = np.concatenate([values, np.resize(season, shift)])
    stop = periods + shift
    first = stop - num_periods
    if first < 0:
        values = np.concatenate([np.full(-first, np.nan, np.float32), values])
        first, stop = 0, num_periods
    return values[first:] if head["known"] else values[first:stop]


def _padded(values: Float32Array, length: int) -> Float32Array:
    if len(values) == length:
        return values
    return np.pad(values, (0, length - len(values)), constant_values=np.nan)


def periods_between(first: float, second: float, freq: str) -> int:
    """Return the periods from one time to another, both seconds since 1970 at a period's start."""
    start = pd.Timestamp(first, unit="s")
    stop = pd.Timestamp(second, unit="s")
    unit = frequency_unit(freq)
    if unit in ("MS", "QS"):
        months = (stop.year - start.year) * 12 + stop.month - start.month
        return months // (1 if unit == "MS" else 3)
    return round((second - first) / (86400 * {"D": 1, "W": 7, "2W": 14}[unit]))
