"""Columns of hours, which add up to a day, and of weekdays, each of which is a day of its week."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.days import (
    MONTHS,
    WEEKS,
    YEARS,
    first_of,
)
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts, cells_of, date_sql
from invopt.sources.period_columns import columns_beside, period_cells, period_starts
from invopt.sources.twins import is_total
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.weekdays import LEAST_DAYS, weekdays_among
from invopt.sources.words import ends_week
from invopt.sources.year_parts import days_of_month
from invopt.sql import quote
from invopt.timeline import floor_dates, usual_frequency

_H = r"(?:[01]?\d|2[0-4])"
_MARKED = rf"{_H}(?:[:.]00|[:h][0-5]\d| ?h| ?uhr)"
_HOUR = re.compile(rf"(?i:{_MARKED}(?: ?[-–] ?{_MARKED})?|{_H} ?[-–] ?{_H}(?: ?h| ?uhr)?)")
_LEAST_HOURS = 4
_SUNDAY = 7
VALUE = "quantity"
_ISO = "%G-W%V-%u"


def stack_days(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a column for each hour, weekday or uneven day, by a row for each day."""
    for at, file in enumerate(found.files):
        if file.periods:
            made = _of_uneven_days(file)
        else:
            made = _of_hours(file) or _of_month(reader, file) or _of_weekdays(file)
            made = made or _of_week_dates(reader, file)
        if made is None:
            continue
        sql, told = made
        found.files[at] = found.table_of(reader, f"{file.name}_days", sql, [file])
        found.notes.append(f"{file.path} has a column for {told}")
        if file.periods:  # a period without a column, or a blank cell, is not known
            found.gaps.add(found.files[at].name)


def _of_uneven_days(file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file whose days fall into the same periods here and there, and a note.

    Of two columns in one period, as of a market twice a week, none is the period's.
    """
    if file.periods_format is None or "%d" not in file.periods_format:
        return None
    days = period_starts(file.periods, file.periods_format)
    if not floor_dates(days, usual_frequency(days.sort_values())).has_duplicates:
        return None
    if days.has_duplicates:
        return None
    steps = days.sort_values().diff().days[1:]
    left = columns_beside(file)
    picked = "".join(f"{quote(name)}, " for name in left)
    return (
        f"SELECT {picked}date, {VALUE} FROM {period_cells(file, left, VALUE)}",
        f"each of {len(days)} days, {steps.min():.0f} to {steps.max():.0f} days apart: each cell "
        "is a row, and what falls into one period is added up",
    )


def _of_hours(file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file whose numbers are of hours, added up, and a note."""
    hours = [c for c in file.of_kind(NUMBER) if _HOUR.fullmatch(c.name.strip())]
    others = [c.name for c in file.of_kind(NUMBER) if c not in hours]
    if len(hours) < _LEAST_HOURS or not file.of_kind(DATE) or by_word(others, "y") is not None:
        return None
    cells = " + ".join(f"coalesce({c.style.sql(quote(c.name))}, 0)" for c in hours)
    gone = ", ".join(quote(c.name) for c in hours)
    what = "parts of hours" if any(re.search(r"[:h]\d?[1-9]", c.name) for c in hours) else "hours"
    return (
        f"SELECT * EXCLUDE ({gone}), {cells} AS {VALUE} FROM {quote(file.name)}",
        f"each of {len(hours)} {what} ({hours[0].name} …): they are added up to the day",
    )


def _of_month(reader: Reader, file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file with a month and a column for each of its days, and a note.

    A cell of a day that the month has not stays, with a text that is no date.
    """
    days = days_of_month([c.name for c in file.columns])
    month = _month_of(reader, file) if days else None
    if month is None:
        return None
    columns, date = month
    numbers = {name: f"{int(name.strip().rstrip('.')):02d}" for name in days}
    left = [c.name for c in file.columns if c.name not in days and not is_total(c.name)]
    picked = "".join(f"{quote(name)}, " for name in left if name not in columns)
    cells = cells_of(file, left, numbers, "day_of_month", VALUE)
    return (
        f"SELECT {picked}{date} AS date, {VALUE} FROM {cells}",
        f"each day of the months in {' and '.join(columns)} ({days[0]} …): each cell is a row",
    )


def _month_of(reader: Reader, file: FileFacts) -> tuple[list[str], str] | None:
    """Return the columns that say the month of a row, and the SQL of the text of one of its days.

    The day of the month is the column day_of_month.
    """
    dates = file.of_kind(DATE)
    if len(dates) == 1:
        [column] = dates
        first = f"extract(day FROM {date_sql(column)})"
        sql = f"SELECT count(*) FILTER ({first} <> 1) AS n FROM {quote(file.name)}"
        [found] = reader.fetch(sql, file.name).to_pylist()
        written = f"strftime({date_sql(column)}, '%Y-%m-') || day_of_month"
        if column.days is not None:  # January 2025, of which 15 January 2025 is a day
            written = f"day_of_month || ' ' || trim({quote(column.name)})"
        return ([column.name], written) if not found["n"] else None
    names = {plain(c.name): c.name for c in file.columns}
    year, month = first_of(YEARS, names), first_of(MONTHS, names)
    if year is None or month is None:
        return None
    y, m = (f"trim({quote(name)}::VARCHAR)" for name in (year, month))
    written = (
        f"CASE WHEN regexp_matches({m}, '^\\d+$') THEN {y} || '-' || lpad({m}, 2, '0') || '-' || "
        f"day_of_month ELSE day_of_month || ' ' || {m} || ' ' || {y} END"
    )
    return [year, month], written


def _of_weekdays(file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file with a year, a week and a column for each weekday, and a note."""
    names = {plain(c.name): c.name for c in file.columns}
    year, week = first_of(YEARS, names), first_of(WEEKS, names)
    days = weekdays_among([c.name for c in file.columns])
    if year is None or week is None or len(days) < LEAST_DAYS:
        return None
    columns = {*days.values()}
    left = [c.name for c in file.columns if c.name not in {*columns, year, week}]
    picked = "".join(f"{quote(name)}, " for name in left)
    told_days = {name: str(n) for n, name in days.items()}
    cells = cells_of(file, [*left, year, week], told_days, "weekday", VALUE)
    number = f"lpad(regexp_extract({quote(week)}::VARCHAR, '\\d+'), 2, '0')"
    told = f"(trim({quote(year)}::VARCHAR) || '-W' || {number} || '-' || weekday)"
    day = f"TRY_STRPTIME({told}, '{_ISO}')"  # makes a day of a week 53 that the year has not
    is_day = f"strftime({day}, '{_ISO}') = {told}"
    return (
        f"SELECT {picked}CASE WHEN {is_day} THEN {day}::DATE::VARCHAR ELSE {told} END AS date, "
        f"{VALUE} FROM {cells}",
        f"each day of the weeks in {week} ({next(iter(days.values()))} …): each cell is a row",
    )


def _of_week_dates(reader: Reader, file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file with the Monday of a week and a column for each weekday, and a note.

    A Sunday is taken for the last day of its week where the column's name says so.
    """
    dates, days = file.of_kind(DATE), weekdays_among([c.name for c in file.columns])
    if len(dates) != 1 or len(days) < LEAST_DAYS:
        return None
    day = date_sql(dates[0])
    [found] = reader.fetch(
        f"SELECT min(isodow({day})) AS first, max(isodow({day})) AS last FROM {quote(file.name)}",
        file.name,
    ).to_pylist()
    ends = ends_week(dates[0].name)
    if found["first"] != found["last"] or found["first"] != (_SUNDAY if ends else 1):
        return None
    left = [c.name for c in file.columns if c.name not in {*days.values(), dates[0].name}]
    picked = "".join(f"{quote(name)}, " for name in left)
    numbers = {name: str(n) for n, name in days.items()}
    rows = f"(SELECT *, date_trunc('week', {day})::DATE AS __week FROM {quote(file.name)})"
    cells = cells_of(file, [*left, "__week"], numbers, "weekday", VALUE, rows)
    return (
        f"SELECT {picked}__week + weekday::INTEGER - 1 AS date, {VALUE} FROM {cells}",
        f"each day of the weeks in {dates[0].name} ({next(iter(days.values()))} …): each cell is a "
        "row",
    )
