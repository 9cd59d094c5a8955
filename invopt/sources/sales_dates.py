"""Which column of a file is the day of its sales, or which several make it."""

import re

from invopt.errors import InvalidInputError
from invopt.sources.days import (
    DAYS,
    FISCAL_YEARS,
    MONTHS,
    PERIODS,
    YEARS,
    first_of,
    part_expression,
    readable_days,
)
from invopt.sources.days import WEEKS as PART_WEEKS
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, TEXT, ColumnFacts, FileFacts, date_of
from invopt.sources.placing import UNIQUE
from invopt.sources.vocabulary import all_by_word, plain
from invopt.sources.words import SpokenNames
from invopt.sql import literal, quote

_DAY = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
_ANY_DAY = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
_SPAN = rf"^\s*({_ANY_DAY})\s*(?:[-–—/]|to|bis|au|al|t/m|do)\s*{_ANY_DAY}\s*$"
_WEEK_ENDING = rf"(?i)^\s*(?:\d+ )?(?:w/?e|we?e?k[- ]end(?:ing)?)[.:]?\s+({_DAY})\s*$"
_IN_ZONE = r"^\s*(.*\d.*) (?:[PMCE][SD]T|AK[SD]T|HST|GMT|UTC|BST|CES?T|MES?Z|JST|IST|AE[SD]T)\s*$"
_DATED = r"dat|(^|_)dt|dt(_|$)|julian|trdj|(^|_)day|ivd$"


def sale_date(reader: Reader, file: FileFacts, asked: SpokenNames) -> ColumnFacts | None:
    """Return the day of a sale: a column of days, parts of one, or a text that holds it."""
    found = _named_date(file, asked) or _date_in_parts(reader, file) or _first_of_span(reader, file)
    return found or _within_text(reader, file) or _with_century(reader, file)


def _named_date(file: FileFacts, asked: SpokenNames) -> ColumnFacts | None:
    """Return the date of a sale: as named, by its name, or the one that tells rows apart most."""
    dates = {c.name: c for c in file.of_kind(DATE)}
    if asked.date is not None:
        column = asked.of("date", [c.name for c in file.columns])
        if column is not None and column not in dates:
            facts = next(c for c in file.columns if c.name == column)
            raise InvalidInputError(
                f"--date {column}: {file.path} holds no dates there ({facts.kind}). Write the "
                "mapping by hand where it needs a format of its own, see docs/your-data.md."
            )
        return dates[column] if column is not None else None
    names = all_by_word(list(dates), "date")
    if names:  # one that never differs is of the file, as its first day or that of its payment
        return next((dates[n] for n in names if dates[n].num_distinct > 1), dates[names[0]])
    return date_of(file) if dates else None


def _date_in_parts(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the date of a file that has its year and week, or year and month, in two columns."""
    names = {plain(c.name): c.name for c in file.columns}
    year, day = first_of(YEARS, names), first_of(DAYS, names)
    for words, is_week in ((PART_WEEKS, True), (MONTHS, False)):
        part = first_of(words, names)
        if year is None or part is None:
            continue
        expr = part_expression(year, part, None if is_week else day, is_week=is_week)
        days = readable_days(reader, file.name, expr, "VARCHAR")
        if days is not None:
            is_fiscal = plain(year) in FISCAL_YEARS or plain(part) in PERIODS
            return ColumnFacts(
                name=f"{year} and {part}", kind=DATE, format=None, num_distinct=0, is_text=True,
                expr=expr, days=days, is_fiscal=is_fiscal and not is_week,
            )  # fmt: skip
    return None


def _first_of_span(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the first day of texts from one day to another (01.07.2026 - 07.07.2026)."""
    found = (_day_by(reader, file, column, _SPAN) for column in file.of_kind(TEXT))
    return next(filter(None, found), None)


def _within_text(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the day of texts that say more: 1 W/E 01/25/25, Jan 6, 2025 1:22 PM PST.

    A stamp counts on the day that it writes, in whatever zone.
    """
    tried = ((column, form) for column in file.of_kind(TEXT) for form in (_WEEK_ENDING, _IN_ZONE))
    found = (_day_by(reader, file, column, form) for column, form in tried)
    return next(filter(None, found), None)


def _day_by(reader: Reader, file: FileFacts, column: ColumnFacts, form: str) -> ColumnFacts | None:
    """Return the day that the first group of a form takes from a column; None where it is none."""
    text = f"{quote(column.name)}::VARCHAR"
    expr = f"nullif(regexp_extract({text}, {literal(form)}, 1), '')"
    [found] = reader.fetch(
        f"SELECT count({expr}) AS days, count(nullif(trim({text}), '')) AS n "
        f"FROM {quote(file.name)}",
        file.name,
    ).to_pylist()
    if not found["n"] or found["days"] < UNIQUE * found["n"]:
        return None
    days = readable_days(reader, file.name, expr, "VARCHAR")
    if days is None:
        return None
    return ColumnFacts(
        name=column.name, kind=DATE, format=None, num_distinct=0, is_text=True,
        expr=expr, days=days, is_week_end=form == _WEEK_ENDING, is_of_span=form == _SPAN,
    )  # fmt: skip


def _with_century(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the day of numbers whose first figure is the century: 1250106, or 125006 by the day.

    An AS/400 writes the former and JD Edwards the latter; the column's name speaks of a date.
    """
    for column in file.of_kind(NUMBER):
        if not re.search(_DATED, plain(column.name)) or column.has_fraction:
            continue
        number = f"TRY_CAST(trim({quote(column.name)}::VARCHAR) AS INTEGER)"
        start = f"make_date(1900 + {number} // 1000, 1, 1)"
        for least, expr in (
            (1_000_000, f"TRY_STRPTIME((19000000 + {number})::VARCHAR, '%Y%m%d')::DATE"),
            (100_000, f"({start} + {number} % 1000 - 1)"),
        ):
            [found] = reader.fetch(
                f"SELECT count(*) AS n, count(*) FILTER ({number} BETWEEN {least} AND "
                f"{1.4 * least:.0f}) AS fits FROM {quote(file.name)} "
                f"WHERE trim({quote(column.name)}::VARCHAR) <> ''",
                file.name,
            ).to_pylist()
            if not found["n"] or found["fits"] < found["n"]:
                continue
            days = readable_days(reader, file.name, expr, "DATE")
            if days is not None:
                return ColumnFacts(
                    name=column.name, kind=DATE, format=None, num_distinct=0, expr=expr, days=days
                )
    return None
