"""What a column of a stranger's file is: a date and how it is written, a number, a text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd

from invopt.sources.dates import ZONED
from invopt.sources.days import are_periods, may_be_days, readable_days, week_expression
from invopt.sources.duck import Reader
from invopt.sources.facts import (
    DATE,
    NAMELESS,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    believable,
)
from invopt.sources.formats import (
    DIGITS,
    PLAIN,
    WEEKS,
    YEAR_WEEKS,
    NumberStyle,
    date_formats,
    date_sql_of,
    names_zone,
    number_style,
    sounds_dated,
    swapped,
    without_zone,
)
from invopt.sources.period_columns import periods_among, periods_measured
from invopt.sources.twins import totals_among
from invopt.sources.vocabulary import plain
from invopt.sql import quote

_SAYS_WEEK = re.compile(r"week|woche|semain|seman|(^|[^a-z])(kw|wk)([^a-z]|$)")
# Weeks of a retailer's year, which begins in February or so.
_RETAIL_WEEK = r"fiscal|(^|_)fy(_|$)|retail|(^|_)wm(_|$)|walmart|(^|_)nrf|4_?[45]_?[45]"
MAX_VALUES = 30  # of a text that may become flags
_SAMPLE = 20_000
_LOOKED_AT = 2_000  # values of a column
_CELLS = 60  # columns of periods whose cells are looked at


def facts_of(reader: Reader, name: str, place: FileFacts) -> FileFacts:
    """Return what a source of a reader holds, with the place of its file as another says it."""
    reader.run(f'CREATE TABLE "sample_{name}" AS SELECT * FROM "{name}" LIMIT {_SAMPLE}', name)
    types = reader.column_types(f'"{name}"', name)
    periods, periods_format = periods_among(types)
    period_days, measured = None, None
    if not periods or "%b" in (periods_format or ""):
        worded = periods_measured(reader, name, types)
        if len(worded[0]) > len(periods):  # Mai 2024 is English, too, and Mrz 2024 is not
            (periods, period_days, measured), periods_format = worded, None
    left = {*periods, *(measured.columns if measured is not None else ())}
    columns = _columns(reader, name, {c: kind for c, kind in types.items() if c not in left})
    rows = reader.fetch(f'SELECT count(*) AS n FROM "{name}"', name)["n"][0].as_py()
    columns = tuple(c for c in columns if not _numbers_rows(reader, name, c, int(rows)))
    columns = _with_one_decimal(columns)
    return FileFacts(
        name,
        place.path,
        place.encoding,
        place.sheet,
        num_rows=int(rows),
        columns=columns,
        periods=periods,
        periods_format=periods_format,
        period_days=period_days,
        measured=measured if measured is not None and measured.others else None,
        period_style=_cell_style(reader, name, [c for c in periods if types[c] == "VARCHAR"]),
    )


def _numbers_rows(reader: Reader, name: str, column: ColumnFacts, num_rows: int) -> bool:
    """Return whether a column without a name of its own numbers the rows, as tables' indices do."""
    if column.kind != NUMBER or not re.fullmatch(NAMELESS, column.name) or num_rows < 2:
        return False
    number = f"TRY_CAST({quote(column.name)} AS BIGINT)"
    [found] = reader.fetch(
        f"SELECT count({number}) AS n, count(DISTINCT {number}) AS d, min({number}) AS low, "
        f"max({number}) - min({number}) + 1 AS span FROM {quote(name)}",
        name,
    ).to_pylist()
    return found["low"] in (0, 1) and found["n"] == found["d"] == found["span"] >= num_rows - 1


def _columns(reader: Reader, name: str, types: Mapping[str, str]) -> tuple[ColumnFacts, ...]:
    """Return what columns are; of one whose values were seen under its name in another table, that.

    A table that is made of a file leaves most of its columns as they are.
    """
    sums = ", ".join(
        f"sum(hash({quote(column)})::HUGEINT) AS h{n}" for n, column in enumerate(types)
    )
    [seen] = reader.fetch(f"SELECT count(*) AS n, {sums or 0} FROM {quote(name)}", name).to_pylist()
    found = []
    for n, (column, kind) in enumerate(types.items()):
        values = (column, kind, seen["n"], seen.get(f"h{n}"))
        if values not in reader.seen:
            reader.seen[values] = _column(reader, name, column, kind)
        found.append(reader.seen[values])
    return tuple(found)


def _cell_style(reader: Reader, name: str, columns: list[str]) -> NumberStyle:
    """Return how texts in the cells of period columns write numbers."""
    if not columns:
        return PLAIN
    cells = " UNION ALL ".join(
        f'SELECT {quote(column)} AS cell FROM "sample_{name}"' for column in columns[:_CELLS]
    )
    return number_style(_given(reader, f"({cells})", "cell")) or PLAIN


def _column(reader: Reader, name: str, column: str, declared: str) -> ColumnFacts:
    table, value = f'"sample_{name}"', quote(column)
    is_text = declared == "VARCHAR"
    is_dated = declared.startswith(("TIMESTAMP", "DATE"))
    digits = sounds_dated(column)
    values = _given(reader, table, value) if is_text or (digits and not is_dated) else {}
    style = number_style(values) if is_text else _declared_style(declared)
    if digits:  # a sum below its rows has no date
        sums = set(totals_among(_with_bare_days(values)))
        values = {v: n for v, n in values.items() if v not in sums} or values
    formats = _weeks_first(column, date_formats(values, digits=digits))
    kind = DATE if is_dated else _kind(style, formats)
    formats = _settled(reader, table, value, formats) if kind == DATE else []
    days = expr = None
    if kind != DATE and may_be_days(values, digits=digits):
        days = readable_days(reader, name, value, declared)
        kind = DATE if days is not None else kind
    if is_text and _SAYS_WEEK.search(column.lower()) and (week := week_expression(column, values)):
        found = readable_days(reader, name, week, "VARCHAR")
        if found is not None:
            kind, formats, days, expr = DATE, [], found, week
    local = _on_its_day(reader, name, column, values) if is_text and kind == DATE else None
    if local is not None:
        days, expr = local
    if kind == DATE and _is_retail_week(column, formats[0] if formats else None, expr):
        kind = NUMBER if style is not None else TEXT
        formats, days, expr = [], None, None
    distinct, fraction = _measured(reader, table, value, style if kind == NUMBER else None)
    few = kind == TEXT and is_text and distinct <= MAX_VALUES
    return ColumnFacts(
        name=column,
        kind=kind,
        format=formats[0] if formats else None,
        num_distinct=distinct,
        has_fraction=fraction,
        style=style if kind == NUMBER and style is not None and is_text else PLAIN,
        values=tuple(sorted(values)) if few else (),
        formats=tuple(formats),
        has_zone=kind == DATE and local is None and _has_zone(declared, values),
        is_local=local is not None,
        is_text=is_text,
        days=days,
        expr=expr,
        is_fiscal=days is not None and are_periods(values),
    )


def _on_its_day(
    reader: Reader, name: str, column: str, values: Mapping[str, int]
) -> tuple[str, str] | None:
    """Return the SQL of the day that stamps of a shop's own zone write, and of the stamp."""
    stamp = without_zone(column, values)
    days = readable_days(reader, name, stamp, "VARCHAR") if stamp is not None else None
    return None if stamp is None or days is None else (days, stamp)


def _has_zone(declared: str, values: Mapping[str, int]) -> bool:
    return names_zone(values) if declared == "VARCHAR" else declared in ZONED


def _weeks_first(column: str, formats: list[str | None]) -> list[str | None]:
    """Return forms of dates, of 202401 to 202412 that of weeks first where the name says so."""
    if not _SAYS_WEEK.search(column.lower()):
        return formats
    return sorted(formats, key=lambda form: form not in YEAR_WEEKS)


def _with_bare_days(values: Iterable[str]) -> list[str]:
    """Return texts, and the days of those that begin with a word: Summe 05.01.2026."""
    texts = list(values)
    return [*texts, *(found[0] for v in texts if (found := re.search(r"\d[\d./-]{5,}$", v)))]


def _is_retail_week(column: str, form: str | None, expr: str | None) -> bool:
    """Return whether a column holds weeks of a retailer's own year, and not of ISO 8601."""
    is_week = form in (*WEEKS, *YEAR_WEEKS) or expr is not None
    return is_week and re.search(_RETAIL_WEEK, plain(column)) is not None


def _with_one_decimal(columns: tuple[ColumnFacts, ...]) -> tuple[ColumnFacts, ...]:
    """Read 12,000 and 1.350 by the one sign before fractions that other columns have."""
    numbers = [c for c in columns if c.is_text and c.kind == NUMBER]
    signs = {c.style.decimal for c in numbers if c.has_fraction and not c.style.other}
    if len(signs) != 1:
        return columns
    [sign] = signs
    return tuple(_by_decimal(c, sign) if c in numbers and c.style.other else c for c in columns)


def _by_decimal(column: ColumnFacts, sign: str) -> ColumnFacts:
    """Return a column of numbers with three figures behind one sign, with fractions by another."""
    style = replace(column.style, group="." if sign == "," else ",", decimal=sign, other="")
    is_read_so = re.search(rf"\(\d+{re.escape(sign)}", column.style.other) is not None
    is_whole = column.style.other.startswith("thousands (12,000")
    return replace(column, style=style, has_fraction=is_read_so and not is_whole)


def _given(reader: Reader, table: str, value: str) -> dict[str, int]:
    """Return rows of the sample by trimmed value, of a part of the values where there are many."""
    sql = (
        f"SELECT trim({value}::VARCHAR) AS v, count(*) AS n FROM {table} "
        f"WHERE trim({value}::VARCHAR) <> '' GROUP BY 1 ORDER BY n DESC, hash(v) LIMIT {_LOOKED_AT}"
    )
    found = reader.fetch(sql, table)
    return dict(zip(found["v"].to_pylist(), found["n"].to_pylist(), strict=True))


def _declared_style(declared: str) -> NumberStyle | None:
    numbers = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "U", "FLOAT", "DOUBLE",
               "DECIMAL")  # fmt: skip
    return PLAIN if declared.startswith(numbers) and declared != "UUID" else None


def _measured(
    reader: Reader, table: str, value: str, style: NumberStyle | None
) -> tuple[int, bool]:
    """Return the number of distinct values, and of numbers whether some are not whole."""
    signs = ""
    if style is not None:
        number = style.sql(value)
        signs = f", coalesce(bool_or({number} <> floor({number})), false) AS fraction"
    sql = f"SELECT count(DISTINCT {value}) AS n{signs} FROM {table}"
    [found] = reader.fetch(sql, table).to_pylist()
    return int(found["n"]), bool(found.get("fraction"))


def _kind(style: NumberStyle | None, formats: list[str | None]) -> str:
    """Return what a column is: a date in digits by its name, a number, a date, a text."""
    if formats and (style is None or formats[0] in DIGITS):
        return DATE
    return NUMBER if style is not None else TEXT


def _settled(reader: Reader, table: str, value: str, formats: list[str | None]) -> list[str | None]:
    """Return the formats that fit, the more likely of a pair with day and month exchanged first.

    Of the two readings of 01/02/2024 the one is taken whose days are the first of months or a
    constant step apart; else the one of the shorter stretch of time.
    """
    other = swapped(formats[0]) if formats else None
    if other not in formats:
        return formats
    both = [formats[0], other]
    regular = []
    for form in both:
        sql = f"SELECT DISTINCT ({date_sql_of(value, form)})::DATE AS d FROM {table} ORDER BY d"
        days = believable(reader.fetch(sql, table)["d"].to_pylist())
        steps = pd.Series(days).diff().dt.days.dropna()
        is_even = bool((days.day == 1).all()) or (len(steps) > 1 and steps.nunique() == 1)
        regular.append((not is_even, (days.max() - days.min()).days if len(days) else 0))
    first = both[regular.index(min(regular))]
    return [first, *(form for form in formats if form != first)]
