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
from invopt.sources.numbers import FIGURES
from invopt.sources.period_names import OF_ASIA, OTHER_SCRIPT, THREE, WEEK, WORDED
from invopt.sql import literal, quote

_ENOUGH = 0.95  # share of the values that must be days
_OF_EMPERORS = re.compile(r"[RHS]\.?\d{1,2}[./-]\d{1,2}[./-]\d{1,2}")
# Figures with signs between them, as days of several forms are, or of other calendars.
_PARTED = re.compile(r"\d{1,4}[-/.] ?\d{1,2}[-/.] ?\d{1,4}\b.*")
# 2025. 10. 6. as it is written in Korea and Hungary.
_DOTTED = re.compile(r"(?:19|20)\d{2}\. ?\d{1,2}\. ?\d{1,2}\.?( .*)?")
_SERIAL = re.compile(r"[345]\d{4}([.,]\d+)?|\d{10}([.,]\d+)?|\d{13}([.,]\d+)?")
_LAST_PERIOD = 16
_SHORT_YEAR = re.compile(r"([^\W\d_]+)\.?[-/. ']+(\d{2})")
_MONTHS_BY_YEAR = 4  # from which on figures behind months are years
# Names of columns, as plain() writes them.
FISCAL_YEARS = ("gjahr", "fiscal_year", "exercice", "ejercicio", "geschaftsjahr", "geschaeftsjahr",
                "fy", "esercizio", "boekjaar")  # fmt: skip
YEARS = ("year", "jahr", "annee", "ano", "anio", "anno", "yr", *FISCAL_YEARS)
WEEKS = ("week", "kw", "woche", "kalenderwoche", "semaine", "semana", "wk", "week_no",
         "week_number", "isoweek", "iso_week", "calendar_week", "num_semaine")  # fmt: skip
PERIODS = ("period", "periode", "periodo", "poper", "perio", "buchungsperiode", "posting_period",
           "fiscal_period", "accounting_period")  # fmt: skip
MONTHS = (
    "month",
    "monat",
    "mois",
    "mes",
    "mese",
    "month_no",
    "month_number",
    "monat_nr",
    "maand",
    "miesiac",
    "ay",
    "maned",
    "manad",
    "mesic",
    "luna",
    *PERIODS,
)
DAYS = ("day", "tag", "jour", "dia", "giorno", "day_of_month")


def may_be_days(values: Mapping[str, int], *, digits: bool) -> bool:
    """Return whether texts could be days that no format says.

    Args:
        values: Rows by trimmed value, none empty.
        digits: Whether numbers may be dates.
    """
    values = {value.translate(FIGURES): rows for value, rows in values.items()}
    more = [_SERIAL, THREE, _PARTED, _OF_EMPERORS] if digits else []
    return _mostly(values, [WORDED, OF_ASIA, OTHER_SCRIPT, _DOTTED, *more])


def are_periods(values: Mapping[str, int]) -> bool:
    """Return whether texts are periods of accounting: a year and three figures of 16 at most.

    Args:
        values: Rows by trimmed value, none empty.
    """
    parts = [found for value in values if (found := THREE.fullmatch(value))]
    return _mostly(values, [THREE]) and all(
        int(part[1] or part[2]) <= _LAST_PERIOD for part in parts
    )


def _mostly(values: Mapping[str, int], tests: list[re.Pattern[str]]) -> bool:
    """Return whether nearly all rows fit one of some forms, and one at least."""
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


def days_of(reader: Reader, source: str, texts: Mapping[str, str]) -> dict[str, date]:
    """Return the day of each name of a column whose text writes one.

    Args:
        reader: To read them with.
        source: That has the columns, for messages.
        texts: What each column says of its period, by its name.
    """
    texts = {
        name: text.replace("_", "-") if re.fullmatch(r"[\d_]+", text) else text
        for name, text in texts.items()
    }
    texts = _with_centuries(texts)
    listed = ", ".join(f"({literal(name)}, {literal(text)})" for name, text in texts.items())
    rows = f"(SELECT * FROM (VALUES {listed}) v(name, label))"
    label, place = Raw("label", "VARCHAR"), f"columns of {source}"
    found = dated(reader, rows, label, Expression(expr="label"), place)
    sql = f"SELECT name, CASE WHEN __unsure IS NULL THEN __at::DATE END AS day FROM {found.rows}"
    rows_read = reader.fetch(sql, source).to_pylist()
    days = {row["name"]: row["day"] for row in rows_read if row["day"] is not None}
    return {name: days[name] for name in texts if name in days}


def _with_centuries(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts, months with a year of two figures (Fev/24) with the whole year.

    They are days of a month where their figures differ about as often as they do.
    """
    found = [_SHORT_YEAR.fullmatch(text.strip()) for text in texts.values()]
    years = {match[2] for match in found if match}
    if not texts or not all(found) or len(texts) < _MONTHS_BY_YEAR * len(years):
        return dict(texts)
    pairs = zip(texts, found, strict=True)
    return {name: f"{match[1]} 20{match[2]}" for name, match in pairs if match}


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
    bare = f"regexp_replace({p}, '^0+(\\d)', '\\1')"  # 003 is a third month, too
    number = f"CASE WHEN length({bare}) < 2 THEN '0' || {bare} ELSE {bare} END"
    if day is None:
        return (
            f"CASE WHEN regexp_matches({p}, '^\\d+$') THEN {y} || '-' || ({number}) "
            f"ELSE {p} || ' ' || {y} END"
        )
    return f"{y} || '-' || ({number}) || '-' || lpad(trim({quote(day)}::VARCHAR), 2, '0')"


def week_expression(column: str, values: Mapping[str, int]) -> str | None:
    """Return the expression of a week that is written with its year and no word: 3/2025, 2025.03.

    The column's name says that these are weeks. None where they are no such texts. A year of two
    figures stands behind its week.
    """
    text = f"trim({quote(column)}::VARCHAR)"
    for form, written in (
        (r"(\d{4})[-/. ](\d{1,2})", r"\1-W\2"),
        (r"(\d{1,2})[-/. ](\d{4})", r"\2-W\1"),
        (rf"(?i:{WEEK})?[-. ]?(\d{{1,2}})[-/. ](1[5-9]|[23]\d)", r"20\2-W\1"),
    ):
        if _mostly(values, [re.compile(form)]):
            return f"regexp_replace({text}, {literal(f'^{form}$')}, {literal(written)})"
    return None


def first_of(words: Iterable[str], names: Mapping[str, str]) -> str | None:
    """Return the column of the first word that is a name, None where none is."""
    return next((names[word] for word in words if word in names), None)
