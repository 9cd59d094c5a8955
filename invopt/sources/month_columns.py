"""Columns of months, weeks or quarters whose year stands in another column: a row for each."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.days import FISCAL_YEARS, MONTHS, WEEKS, YEARS, first_of
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts, cells_of
from invopt.sources.twins import is_total
from invopt.sources.vocabulary import plain
from invopt.sources.year_parts import (
    MONTH,
    QUARTER,
    WEEK,
    Part,
    days_of_month,
    parts_of,
    year_of,
)
from invopt.sql import quote

_LEAST = {MONTH: 6, WEEK: 13, QUARTER: 4}
_LEAST_YEARS = 2
_A_YEAR = r"((?:19|20)\d{2})"
_SUMMED = r"ytd|kumul|cumul|average|durchschnitt|mittel|moyenne|promedio|media"
VALUE = "quantity"


def stack_months(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a row for each year and a column for each of its parts by a row for each.

    A blank cell is not known: the months to come are no sale of nothing.
    """
    for at, file in enumerate(found.files):
        if (part := _part_column(file)) is not None:
            found.files[at] = _by_year(reader, found, file, part)
            continue
        year, parts = _year_column(reader, file), _parts(file)
        if year is None or not parts:
            continue
        [kind] = {part.kind for part in parts.values()}
        name = f"{file.name}_{kind}s"
        made = found.table_of(reader, name, _stacked(file, year, parts, kind), [file])
        found.files[at] = made
        rows = file.num_rows * len(parts)
        if made.num_rows < rows:
            found.gaps.add(name)
        found.notes.append(
            f"{file.path} has a row for each {year} and a column for each {kind} "
            f"({', '.join(list(parts)[:3])} …): each cell is a row"
            + (f", {rows - made.num_rows:,} blank ones left out" if made.num_rows < rows else "")
            + _told_fiscal(year, list(parts), kind)
        )


def _part_column(file: FileFacts) -> str | None:
    """Return the column of months or weeks of a file with a column for each year, else None."""
    names = {plain(column.name): column.name for column in file.columns}
    if file.of_kind(DATE) or file.periods or len(_years(file)) < _LEAST_YEARS:
        return None
    return first_of(MONTHS, names) or first_of(WEEKS, names)


def _years(file: FileFacts) -> dict[str, str]:
    """Return the years that columns of numbers are, by their names."""
    numbers = [column.name for column in file.of_kind(NUMBER)]
    return {name: year for name in numbers if (year := year_of(name)) is not None}


def _by_year(reader: Reader, found: UnitedFiles, file: FileFacts, part: str) -> FileFacts:
    """Return a table with a row for each cell of a year; a blank cell is none, and not known."""
    years = _years(file)
    left = [c.name for c in file.columns if c.name not in years and not _is_sum(c.name)]
    picked = "".join(f"{quote(name)}, " for name in left)
    sql = f"SELECT {picked}year, {VALUE} FROM {cells_of(file, left, years, 'year', VALUE)}"
    made = found.table_of(reader, f"{file.name}_years", sql, [file])
    blank = file.num_rows * len(years) - made.num_rows
    if blank:
        found.gaps.add(made.name)
    found.notes.append(
        f"{file.path} has a row for each {part} and a column for each year "
        f"({', '.join(years)}): each cell is a row"
        + (f", {blank:,} blank ones left out" if blank else "")
    )
    return made


def _told_fiscal(year: str, names: list[str], kind: str) -> str:
    """Return what to say where periods may be those of accounting."""
    numbered = all(re.search(r"\d", name) for name in names)
    if kind != MONTH or not (numbered or plain(year) in FISCAL_YEARS):
        return ""
    return f"; {names[0]} is read as January of that year: correct the source where it is none"


def _parts(file: FileFacts) -> dict[str, Part]:
    """Return the columns that are parts of a year; empty where there are few of them."""
    names = [column.name for column in file.columns]
    if file.of_kind(DATE) or (file.periods and file.periods_format is not None):
        return {}
    if days_of_month(names) and first_of(MONTHS, {plain(name): name for name in names}):
        return {}  # 1 to 31 are days of the month that another column says, and no weeks
    parts = parts_of([*names, *file.periods])
    kinds = {part.kind for part in parts.values()}
    return parts if kinds and len(parts) >= _LEAST[next(iter(kinds))] else {}


def _year_column(reader: Reader, file: FileFacts) -> str | None:
    """Return the column that holds years."""
    for column in file.columns:
        if plain(column.name) not in YEARS and not re.search(
            r"(^|_)(year|jahr)$", plain(column.name)
        ):
            continue
        cell = f"trim({quote(column.name)}::VARCHAR)"
        [found] = reader.fetch(
            f"SELECT count(*) FILTER ({cell} <> '') AS n, "
            f"count(*) FILTER (regexp_matches({cell}, '{_A_YEAR}')) AS years "
            f"FROM {quote(file.name)}",
            file.name,
        ).to_pylist()
        if found["n"] and found["years"] == found["n"]:
            return column.name
    return None


def _stacked(file: FileFacts, year: str, parts: dict[str, Part], kind: str) -> str:
    """Return the SQL of a row for each cell that holds something."""
    left = [
        column.name
        for column in file.columns
        if column.name not in parts and column.name != year and not _is_sum(column.name)
    ]
    # A text that every date is read from, whatever the year's column is called.
    told = {name: part.of("") for name, part in parts.items()}
    named = "".join(f"{quote(name)}, " for name in left)
    day = " || '-01'" if kind == MONTH else ""
    year_of_row = f"regexp_extract({quote(year)}::VARCHAR, '{_A_YEAR}')"
    return (
        f"SELECT {named}{year_of_row} || part{day} AS {kind}, {VALUE} "
        f"FROM {cells_of(file, [*left, year], told, 'part', VALUE)} AND {year_of_row} <> ''"
    )


def _is_sum(name: str) -> bool:
    """Return whether a column's name says that it adds up or averages the others."""
    return is_total(name) or re.search(_SUMMED, plain(name)) is not None
