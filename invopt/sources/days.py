"""Days in forms that no format says: 5 mars 2024, KW 5/2024, 45322, a year and its week apart.

The reader of a mapping knows them (invopt.sources.dates); here they are seen in
a stranger's files.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date

from invopt.errors import InvalidInputError
from invopt.sources.dates import Raw, dated
from invopt.sources.duck import Reader
from invopt.sources.mapping import Expression
from invopt.sql import literal, quote

_ENOUGH = 0.95  # share of the values that must be days
_MIN_PERIODS = 8
_WEEK = r"(?:week|woche|semaine|semana|wk|kw|cw|w)"
_WEEKDAY = r"(?:mo|di|mi|do|fr|sa|so|tu|we|th|su)[a-z]*[.,]* +"
_WORDED = re.compile(
    r"(?i)(?:\d{4}[-/. ]?[qt][1-4]|[qt][1-4][-/. ]*\d{4}|[1-4]\.? ?(?:quart(?:er|al)|trimestre)"
    rf"[-/. ]*\d{{4}}|{_WEEK}[-. ]?\d{{1,2}}[-/. ]+\d{{4}}|\d{{4}}[-/. ]*{_WEEK}[-. ]?\d{{1,2}}"
    rf"|{_WEEKDAY}\d{{1,4}}[-./]\d{{1,2}}[-./]\d{{1,4}}"
    r"|(?=.*\d).*(?:jan|feb|fév|fev|mar|mär|mrz|apr|avr|abr|mai|may|jun|jui|jul|aug|aou|aoû|ago"
    r"|sep|set|okt|oct|ott|nov|dez|dec|déc|dic|gen|ene|lug|giu|mag).*)"
)
_SERIAL = re.compile(r"[345]\d{4}(\.\d+)?|\d{10}|\d{13}")
# Names of columns, as plain() writes them.
YEARS = ("year", "jahr", "annee", "ano", "anio", "anno", "gjahr", "fiscal_year", "yr",
         "exercice")  # fmt: skip
WEEKS = ("week", "kw", "woche", "kalenderwoche", "semaine", "semana", "wk", "week_no",
         "week_number", "isoweek", "iso_week", "calendar_week", "num_semaine")  # fmt: skip
MONTHS = ("month", "monat", "mois", "mes", "mese", "month_no", "month_number", "monat_nr")
DAYS = ("day", "tag", "jour", "dia", "giorno", "day_of_month")


def may_be_days(values: Mapping[str, int], *, digits: bool) -> bool:
    """Return whether texts could be days that no format says.

    Args:
        values: Rows by trimmed value, none empty.
        digits: Whether numbers may be dates.
    """
    tests = [_WORDED, *([_SERIAL] if digits else [])]
    fitting = sum(n for value, n in values.items() if any(t.fullmatch(value) for t in tests))
    return bool(values) and fitting >= _ENOUGH * sum(values.values())


def readable_days(reader: Reader, source: str, expression: str, kind: str) -> str | None:
    """Return the SQL of the day that a source's expression writes; None where few of it are days.

    Args:
        reader: Holds the source.
        source: Name.
        expression: Over its columns.
        kind: DuckDB type of it.
    """
    place = f"looking at {source}"
    table = quote(f"days_{source}_{reader.num_tables()}")
    rows = f'(SELECT * FROM "{source}")'
    try:
        found = dated(reader, rows, Raw(expression, kind), Expression(expr=expression), place)
        reader.run(
            f"CREATE TABLE {table} AS SELECT __ds_raw AS __seen, any_value(CASE WHEN __unsure IS "
            f"NULL THEN __at::DATE END) AS __seen_day, count(*) AS n FROM {found.rows} "
            "WHERE trim(__ds_raw) <> '' GROUP BY __ds_raw",
            place,
        )
        [counts] = reader.fetch(
            "SELECT coalesce(sum(n), 0) AS n, coalesce(sum(n) FILTER (year(__seen_day) BETWEEN "
            f"1970 AND 2100), 0) AS days FROM {table}",
            place,
        ).to_pylist()
    except InvalidInputError:
        return None
    if not counts["n"] or counts["days"] < _ENOUGH * float(counts["n"]):
        return None
    # Names that no column of a stranger's file has.
    return f"(SELECT __seen_day FROM {table} WHERE __seen = ({expression})::VARCHAR)"


def worded_periods(
    reader: Reader, source: str, names: list[str]
) -> tuple[tuple[str, ...], tuple[date, ...] | None]:
    """Return the columns whose names are days that no format says, and these days.

    A word before all of them (Menge Jan 2024) is none of the day.

    Args:
        reader: To read them with.
        source: That has the columns, for messages.
        names: Of its columns.
    """
    for before in ("", r"^[^\W\d_]+[ _.:-]+"):
        texts = {name: re.sub(before, "", name) if before else name for name in names}
        likely = {name: text for name, text in texts.items() if _WORDED.fullmatch(text)}
        words = {name[: len(name) - len(text)] for name, text in likely.items()}
        if len(likely) < _MIN_PERIODS or len(words) > 1:
            continue
        found = _days_of(reader, source, likely)
        if len(found) >= _MIN_PERIODS and len(set(found.values())) == len(found):
            return tuple(found), tuple(found.values())
    return (), None


def _days_of(reader: Reader, source: str, texts: Mapping[str, str]) -> dict[str, date]:
    """Return the day of each name whose text writes one."""
    listed = ", ".join(f"({literal(name)}, {literal(text)})" for name, text in texts.items())
    rows = f"(SELECT * FROM (VALUES {listed}) v(name, label))"
    label, place = Raw("label", "VARCHAR"), f"columns of {source}"
    found = dated(reader, rows, label, Expression(expr="label"), place)
    sql = f"SELECT name, CASE WHEN __unsure IS NULL THEN __at::DATE END AS day FROM {found.rows}"
    rows_read = reader.fetch(sql, source).to_pylist()
    days = {row["name"]: row["day"] for row in rows_read if row["day"] is not None}
    return {name: days[name] for name in texts if name in days}


def part_expression(year: str, part: str, day: str | None, *, is_week: bool) -> str:
    """Return the expression of a date whose year and week, or month and day, stand apart.

    Args:
        year: Column of the year.
        part: Column of the week or month; a month may be a word.
        day: Column of the day of the month; None for weeks, and where there is none.
        is_week: Whether part is a week.
    """
    y, p = (f"trim({quote(c)}::VARCHAR)" for c in (year, part))
    if is_week:
        return f"{y} || '-W' || lpad(regexp_extract({p}, '\\d+'), 2, '0')"
    number = f"lpad({p}, 2, '0')"
    if day is None:
        return (
            f"CASE WHEN regexp_matches({p}, '^\\d+$') THEN {y} || '-' || {number} "
            f"ELSE {p} || ' ' || {y} END"
        )
    return f"{y} || '-' || {number} || '-' || lpad(trim({quote(day)}::VARCHAR), 2, '0')"


def first_of(words: Iterable[str], names: Mapping[str, str]) -> str | None:
    """Return the column of the first word that is a name, None where none is."""
    return next((names[word] for word in words if word in names), None)
