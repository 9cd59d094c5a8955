"""Columns that are periods of a company's own calendar, whose days another file says: FY25W01."""

import re
from dataclasses import dataclass

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, TEXT, ColumnFacts, FileFacts, cells_of, date_sql
from invopt.sources.vocabulary import plain
from invopt.sql import quote

_LEAST = 4  # columns that are periods
_MOST_OF_NUMBERS = 0.5  # share of a file's numbers that are periods
_LAST = r"(^|_)(end|ends|last|until|to|bis|ende|fin|fine|hasta)(_|$)|ending"
DATE, VALUE = "date", "quantity"


@dataclass(frozen=True)
class _Calendar:
    """A file with a row for each period: its name column, and SQL of the period's first day."""

    file: FileFacts
    label: str
    day: str


def stack_calendar(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a column for each period that another file dates by a row for each.

    A blank cell is not known, and no sale of nothing.
    """
    calendars = [c for file in found.files for c in _calendars(reader, file)]
    for at, file in enumerate(list(found.files)):
        if file.periods:
            continue
        numbers = [c.name for c in file.of_kind(NUMBER)]
        for calendar in calendars if len(numbers) >= _LEAST else []:
            labels = set(_labels(reader, calendar))
            periods = [name for name in numbers if name.strip() in labels]
            if len(periods) < max(_LEAST, _MOST_OF_NUMBERS * len(numbers)):
                continue
            sql = _stacked(file, calendar, periods)
            name = f"{file.name}_by_period"
            made = found.table_of(reader, name, sql, [file, calendar.file])
            if made.num_rows < file.num_rows * len(periods):
                found.gaps.add(name)
            found.files[at] = made
            found.notes.append(
                f"{file.path} has a column for each {calendar.label} of {calendar.file.path} "
                f"({periods[0]} …): each cell is a row of the day that is told there"
            )
            break


def _calendars(reader: Reader, file: FileFacts) -> list[_Calendar]:
    """Return how a file dates periods by their names: it has one row for each name."""
    dates = file.of_kind("date")
    if file.periods or not dates:
        return []
    first = [c for c in dates if not re.search(_LAST, plain(c.name))] or dates
    labels = [c for c in file.of_kind(TEXT) if c.num_distinct == file.num_rows >= _LEAST]
    return [_Calendar(file, c.name, date_sql(_earliest(reader, file, first))) for c in labels]


def _earliest(reader: Reader, file: FileFacts, dates: list[ColumnFacts]) -> ColumnFacts:
    """Return the date that comes first in a file's rows, of a period its first day."""
    listed = ", ".join(f"min({date_sql(c)}) AS d{n}" for n, c in enumerate(dates))
    [row] = reader.fetch(f"SELECT {listed} FROM {quote(file.name)}", file.name).to_pylist()
    return min(zip(row.values(), dates, strict=True), key=lambda pair: pair[0])[1]


def _labels(reader: Reader, calendar: _Calendar) -> list[str]:
    text = f"trim({quote(calendar.label)}::VARCHAR)"
    sql = f"SELECT {text} AS v FROM {quote(calendar.file.name)} WHERE {text} <> ''"
    return list(reader.fetch(sql, calendar.file.name)["v"].to_pylist())


def _stacked(file: FileFacts, calendar: _Calendar, periods: list[str]) -> str:
    """Return the SQL of a row for each cell that holds something, with the day of its period."""
    left = [c.name for c in file.columns if c.name not in periods]
    picked = "".join(f"{quote(name)}, " for name in left)
    cells = cells_of(file, left, {name: name.strip() for name in periods}, "period", VALUE)
    days = (
        f"SELECT trim({quote(calendar.label)}::VARCHAR) AS __period, "
        f"({calendar.day})::VARCHAR AS {DATE} FROM {quote(calendar.file.name)}"
    )
    return (
        f"SELECT {picked}{DATE}, {VALUE} FROM (SELECT * FROM {cells}) JOIN ({days}) "
        "ON __period = period"
    )
