"""Mapped tables in one shape: unique_id or group, date, numbers, and why a row is refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.errors import InvalidInputError
from invopt.sources.dates import Raw, dated
from invopt.sources.duck import Reader
from invopt.sources.mapping import ChannelTable, Expression, Table
from invopt.sources.marks import is_mark_sql, marked, sets_aside, tell_texts
from invopt.sources.numbers import THREE_DIGITS, number_sql, plain_number_sql, united_sql
from invopt.sources.whole_numbers import whole_numbers
from invopt.sql import literal, quote
from invopt.types import Float32Array, IntArray

NUMBER = "DOUBLE"
BOOLEAN = "BOOLEAN"
TEXT = "VARCHAR"
DATE = "DATE"
DATE_TEXT = "day"  # a date as YYYY-MM-DD, or the text as it came where it is none
# What a spreadsheet makes of 8700012345678: several products in one.
CUT_CODE = "its key is a code that a spreadsheet cut (as 8.70001E+12)"
_CUT = r"(^|[^0-9A-Za-z.,])\d[.,]\d+[Ee]\+\d{2,3}($|[^0-9A-Za-z])"
# What a spreadsheet writes where a formula found nothing, in several languages.
ERROR_KEY = "its key is an error of a spreadsheet (as #N/A)"
_ERROR = (
    r"(^|[^0-9A-Za-z ])#(N/A|N/D|NV|[¡¿]?(REF|BEZUG|VALUE|WERT|VALEUR|VALOR|DIV/0|NUM|ZAHL|NOMBRE|"
    r"NULL|NUL|NULO|NAME|NOM|SPILL|CALC)[!?])($|[^0-9A-Za-z ])"
)
# What a spreadsheet leaves below a table: separators alone, or a remark in one cell.
NO_ROW = "its row holds nothing, or one remark"
_CELLS = 3  # columns from which on one cell is no row
_MANY_CELLS = 100  # columns up to which a row is looked at whole
_FILL_ROWS = 4096
# What a plan writes where nothing is planned, in small letters.
_NOTHING = ("0", "0.0", "-", "n/a", "na", "nan", "none", "null", "no", "false", "keine", "aucune",
            "ninguna")  # fmt: skip
# Columns that count units, mostly whole ones.
_UNITS = ("y", "on_hand", "on_order", "backorders", "quantity")


@dataclass(frozen=True)
class Standard:
    """A mapped table as a DuckDB view.

    The view has __row, key (text or NULL), ds (DATE) and __at (TIMESTAMP) of a table with time,
    the columns, and reason (NULL when sound).

    Attributes:
        name: Of the table.
        view: Of the rows that `where` leaves.
        source: That the rows come from.
        where: Condition of the mapping; None where every row is read.
        columns: Names.
    """

    name: str
    view: str
    source: str
    where: str | None
    columns: tuple[str, ...]

    @property
    def original(self) -> str:
        """The SQL of the rows as they came, with __row, those that `where` leaves out too."""
        return numbered(self.source)


def standardise(
    reader: Reader,
    name: str,
    table: Table,
    *,
    key: Expression | None,
    ds: Expression | None,
    columns: dict[str, Expression],
    kinds: dict[str, str],
    rules: dict[str, str],
    unclear: str | None = None,
) -> Standard:
    """Create the standard view of a long table.

    Args:
        reader: Holds the sources.
        name: Of the table, for messages and the quarantine.
        table: Its mapping.
        key: Series or group of a row; None when rows are for all series.
        ds: Date of a row; None for tables without time.
        columns: Expression by column.
        kinds: NUMBER, BOOLEAN, TEXT, DATE or DATE_TEXT by column.
        rules: Reason to SQL condition that refuses a row; checked in order.
        unclear: Form of texts that are no date of a row, see invopt.sources.dates.month_alone.

    Raises:
        InvalidInputError: If an expression does not fit the source.
    """
    view = _View(reader, name, table)
    named = view.add_key(key)
    if ds is not None:
        view.add_date(ds, unclear)
    if named is not None:
        view.add_given([named, *(["__ds_raw"] if ds else [])])
    view.add_columns(columns, kinds)
    view.reasons |= rules
    return view.define(["__row", "key", *(["ds", "__at"] if ds else []), *map(quote, columns)])


class _View:
    """The SQL of a standard view while it is put together.

    Attributes:
        reader: Holds the sources.
        name: Of the table, for messages.
        table: Its mapping.
        types: Type by column of the source.
        rows: SQL of the rows, with what their dates need.
        inner: SQL of the columns.
        reasons: SQL of the condition that refuses a row, by reason; checked in order.
        names: Of the columns that the mapping gives.
    """

    def __init__(self, reader: Reader, name: str, table: Table) -> None:
        self.reader, self.name, self.table = reader, name, table
        self.types = reader.column_types(f'"{table.source}"', f"{name}.from")
        if not self.types:
            raise InvalidInputError(f"{name}.from: source {table.source} has no columns.")
        if table.where is not None:  # a fault in it is told under its own name
            rows = f'(SELECT * FROM "{table.source}"{kept_by(table.where)})'
            self.reader.column_types(rows, f"{name}.where")
        self.rows = f"(SELECT * FROM {numbered(table.source)}{kept_by(table.where)})"
        self.inner = ["__row"]
        self.reasons: dict[str, str] = {}
        self.names: tuple[str, ...] = ()

    def add_key(self, key: Expression | None) -> str | None:
        """Add the key and the reasons that refuse one; return its SQL, None without one."""
        if key is None:
            self.inner.append("'' AS key")
            return None
        named = self._checked("key", key)
        whole = whole_numbers(self.reader, named, self.table.source, self.types)
        self.inner.append(f"({whole})::VARCHAR AS key")
        # The plain search first: it is ten times as fast, and mostly finds nothing.
        likely = "(contains(key, 'E+') OR contains(key, 'e+'))"
        self.reasons |= {
            NO_ROW: "__given <= 1",
            "its key is empty": "key IS NULL OR trim(key) = ''",
            CUT_CODE: f"{likely} AND regexp_matches(key, {literal(_CUT)})",
            ERROR_KEY: f"contains(key, '#') AND regexp_matches(key, {literal(_ERROR)})",
            # A stray quote makes the lines after it part of a name.
            "its key holds a line break": "contains(key, chr(10)) OR contains(key, chr(13))",
        }
        return named

    def add_date(self, ds: Expression, unclear: str | None) -> None:
        """Add the date of a row and the reasons that refuse one."""
        raw, place = self._checked("ds", ds), f"{self.name}.ds"
        [kind] = kinds_of(self.reader, self.table.source, [raw], place, self.types)
        found = dated(self.reader, self.rows, Raw(raw, kind), ds, place, unclear=unclear)
        self.rows = found.rows
        self.reasons |= found.reasons
        self.inner += ["__at", "__at::DATE AS ds", "__ds_raw", "__unsure"]

    def add_given(self, needed: list[str]) -> None:
        """Add how many cells of a row hold something, where one that it needs is blank."""
        self.inner.append(f"{_num_given(self.types, needed)} AS __given")

    def add_columns(self, columns: dict[str, Expression], kinds: dict[str, str]) -> None:
        """Add the columns by kind, and the reasons that refuse a row for one."""
        source, self.names = self.table.source, tuple(columns)
        raws = [self._checked(f"columns.{column}", each) for column, each in columns.items()]
        held = kinds_of(self.reader, source, raws, f"{self.name}.columns", self.types)
        for (column, expression), raw, kind in zip(columns.items(), raws, held, strict=True):
            if kinds[column] in (DATE, DATE_TEXT):
                self._add_day(column, expression, Raw(raw, kind), kinds[column])
                continue
            cell = raw
            if kinds[column] == TEXT:
                cell = whole_numbers(self.reader, raw, source, self.types)
            self.inner += _column_sql(column, cell, expression, kinds[column], held=kind)
            self.reasons |= _column_reasons(column, kinds[column])
        _tell_thousands(self.reader, self.name, source, columns=columns, raws=raws, held=held)
        texts = {
            column: raw
            for column, raw, kind in zip(columns, raws, held, strict=True)
            if kind == TEXT and kinds[column] == NUMBER
        }
        tell_texts(self.reader, self.name, source, texts)

    def define(self, outer: list[str]) -> Standard:
        """Create the view with the columns named, and say what it is."""
        cases = " ".join(f"WHEN {sql} THEN '{reason}'" for reason, sql in self.reasons.items())
        sql = (
            f"SELECT {', '.join(outer)}, "
            f"{f'CASE {cases} END' if cases else 'NULL::VARCHAR'} AS reason "
            f"FROM (SELECT {', '.join(self.inner)} FROM {self.rows})"
        )
        view, table = f"std_{self.name}", self.table
        self.reader.define(view, sql, table.source, place=self.name)
        return Standard(self.name, view, table.source, table.where, self.names)

    def _checked(self, place: str, expression: Expression) -> str:
        return checked(
            self.reader, self.name, place, expression=expression, table=self.table, types=self.types
        )

    def _add_day(self, column: str, expression: Expression, raw: Raw, kind: str) -> None:
        place = f"{self.name}.columns.{column}"
        self.rows, more = _with_date(self.reader, self.rows, raw, column, expression, place=place)
        value, text = quote(f"__date_{column}"), quote(f"__raw_{column}")
        if kind == DATE_TEXT:
            value = f"coalesce(strftime({value}, '%Y-%m-%d'), {text})"
        else:
            self.reasons |= more
        self.inner += [f"{value} AS {quote(column)}", f"{text} AS {quote(f'{column}_raw')}"]
        self.inner.append(quote(f"__unsure_{column}"))


def _num_given(types: dict[str, str], needed: list[str]) -> str:
    """Return the SQL of how many cells of a row hold something, where one that it needs is blank.

    It is NULL of other rows, which are rows, and of tables too narrow or too wide to tell.
    """
    if not _CELLS <= len(types) <= _MANY_CELLS:
        return "NULL::INT"
    blank = " OR ".join(f"coalesce(trim(({sql})::VARCHAR), '') = ''" for sql in needed)
    cells = " + ".join(f"(coalesce(trim({quote(c)}::VARCHAR), '') <> '')::INT" for c in types)
    return f"CASE WHEN {blank} THEN {cells} END"


def _with_date(
    reader: Reader, rows: str, raw: Raw, column: str, expression: Expression, place: str
) -> tuple[str, dict[str, str]]:
    """Return rows with a column's date, text and doubt, and the reasons that refuse a row for it.

    The columns are __date_, __raw_ and __unsure_ with the column's name; what the row had before is
    there, too, but for what reading the date needed in between.
    """
    found = dated(reader, rows, raw, expression, place)
    between = "'^__(at|ds_raw|unsure|text|fast|stamp|timed|zoned)$'"
    kept = f"COLUMNS(lambda c: NOT regexp_matches(c, {between}))"
    in_range = "year(__at) BETWEEN 1900 AND 2200"
    made = {
        "date": f"CASE WHEN __unsure IS NULL AND {in_range} THEN __at::DATE END",
        "raw": "nullif(trim(__ds_raw), '')",
        "unsure": "__unsure",
    }
    picks = ", ".join(f"{sql} AS {quote(f'__{part}_{column}')}" for part, sql in made.items())
    doubt = quote(f"__unsure_{column}")
    doubts = [reason for reason, sql in found.reasons.items() if sql.startswith("__unsure")]
    return f"(SELECT {kept}, {picks} FROM {found.rows})", {
        reason.replace("ds ", f"{column} ", 1): f"{doubt} = {literal(reason)}" for reason in doubts
    }


def numbered(source: str) -> str:
    """Return the SQL of a source's rows, numbered from 1 as read."""
    return f'(SELECT row_number() OVER () AS __row, * FROM "{source}")'


def kept_by(where: str | None) -> str:
    """Return the SQL that keeps the rows a condition does not leave out.

    A condition that is neither true nor false of a row (a blank status is not "not cancelled", to
    SQL) keeps it: what a company leaves blank is mostly what is in order. The account tells how
    many these are.
    """
    return f" WHERE ({where}) IS NOT FALSE" if where else ""


def combined(value: str, how: str) -> str:
    """Return the SQL that combines a column's values in rows s of one period; the last by date."""
    if how == "last":
        return f"max_by({value}, (s.ds, s.__row)) FILTER ({value} IS NOT NULL)"
    return f"{'avg' if how == 'mean' else how}({value})"


def one_hot_columns(
    reader: Reader, name: str, table: ChannelTable, limit: int = 64
) -> dict[str, Expression]:
    """Return an expression of 0 and 1 for every value of a table's one_hot columns.

    Blanks, zeros and words for nothing (none, n/a) are no values.

    Raises:
        InvalidInputError: If a prefix has more than `limit` values.
    """
    found = {}
    types = reader.column_types(f'"{table.source}"', f"{name}.from")
    for prefix, columns in table.one_hot.items():
        place = f"{name}.one_hot.{prefix}"
        read = [
            checked(
                reader, name, f"one_hot.{prefix}", expression=Expression(expr=column), table=table,
                types=types,
            )
            for column in columns
        ]  # fmt: skip
        texts = [f"({text})::VARCHAR" for text in read]
        union = " UNION ".join(f'SELECT {text} AS v FROM "{table.source}"' for text in texts)
        values = reader.fetch(
            f"SELECT DISTINCT v FROM ({union}) WHERE trim(v) <> '' AND lower(trim(v)) NOT IN "
            f"({', '.join(map(literal, _NOTHING))}) ORDER BY v",
            place,
        )["v"].to_pylist()
        if len(values) > limit:
            raise InvalidInputError(
                f"{place} has {len(values)} values; at most {limit} become channels. "
                "Map a coarser column."
            )
        for value in values:
            tests = " OR ".join(f"coalesce({text}, '') = {literal(value)}" for text in texts)
            found[f"{prefix}={value}"] = Expression(expr=f"CASE WHEN {tests} THEN 1 ELSE 0 END")
    return found


def _resolve(expr: str, types: dict[str, str]) -> str:
    """Return the expression, quoted when it is just the name of a column."""
    by_fold = {column.lower(): column for column in types}
    if expr.strip().lower() in by_fold:
        return quote(by_fold[expr.strip().lower()])
    return expr


def checked(
    reader: Reader,
    name: str,
    place: str,
    expression: Expression,
    table: Table,
    types: dict[str, str],
) -> str:
    """Return an expression of a mapping as SQL.

    Raises:
        InvalidInputError: If the source has no such columns; those it has are named.
    """
    sql = _resolve(expression.expr, types)
    if sql in map(quote, types):
        return sql
    try:
        reader.fetch(f'DESCRIBE SELECT {sql} FROM "{table.source}"', f"{name}.{place}")
    except InvalidInputError as err:
        raise InvalidInputError(f"{err} Source {table.source} has {', '.join(types)}.") from err
    return sql


def kinds_of(
    reader: Reader, source: str, expressions: list[str], place: str, types: dict[str, str]
) -> list[str]:
    """Return the DuckDB type of expressions over a source, whose columns have some types."""
    held = {quote(column): kind for column, kind in types.items()}
    if all(sql in held for sql in expressions):
        return [held[sql] for sql in expressions]
    picks = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(expressions))
    return list(reader.column_types(f'(SELECT {picks} FROM "{source}")', place).values())


def _tell_thousands(
    reader: Reader,
    name: str,
    source: str,
    columns: dict[str, Expression],
    raws: list[str],
    held: list[str],
) -> None:
    """Note counts of units whose every point is followed by three digits: groups, or fractions."""
    texts = {
        column: raw
        for (column, expression), raw, kind in zip(columns.items(), raws, held, strict=True)
        if column in _UNITS and kind == TEXT and not expression.declares_number
    }
    if not texts:
        return
    groups = "count(*) FILTER (contains({0}, '.') AND {1}regexp_matches({0}, {2}))"
    picks = ", ".join(
        f"{groups.format(raw, no, literal(THREE_DIGITS))} AS {quote(column + end)}"
        for column, raw in texts.items()
        for end, no in (("", ""), (" not", "NOT "))
    )
    [found] = reader.fetch(f'SELECT {picks} FROM "{source}"', name).to_pylist()
    for column in texts:
        if found[column] and not found[f"{column} not"]:
            reader.notes.append(
                f"{name}: {found[column]:,} values of {column} have a point before three digits "
                "(as 1.350) and none another fraction: read as fractions; if they are thousands, "
                "say thousands: '.' and decimal: ','"
            )


def _column_sql(column: str, raw: str, expression: Expression, kind: str, held: str) -> list[str]:
    value = f"TRY_CAST({raw} AS {kind})"
    if kind == NUMBER and held == TEXT:
        value = plain_number_sql(raw)
    if kind == TEXT and expression.format is not None:
        date = f"TRY_STRPTIME(({raw})::VARCHAR, {literal(expression.format)})"
        value = f"strftime({date}, '%Y-%m-%d')"
    if kind == NUMBER and held == TEXT and expression.declares_number:
        signs = expression.decimal, expression.thousands
        value = number_sql(raw, *signs, expression.unit)
        if expression.units is not None:
            value = united_sql(raw, *signs, expression.units)
    if kind == NUMBER:
        value = f"nullif({value}, 'NaN'::DOUBLE)"  # how programs write a number that is missing
    if kind == NUMBER and expression.scale != 1.0:
        value = f"{value} * {expression.scale!r}"
    return [f"{value} AS {quote(column)}", f"({raw})::VARCHAR AS {quote(column + '_raw')}"]


def _column_reasons(column: str, kind: str) -> dict[str, str]:
    given = f"{quote(column + '_raw')} IS NOT NULL AND trim({quote(column + '_raw')}) <> ''"
    label = column.replace("'", "''")
    if kind == NUMBER:
        known = is_mark_sql(quote(column + "_raw"))
        bad = f"{quote(column)} IS NULL AND {given}"
        # Marks are looked for where no number is, and not in each of millions of rows.
        is_known = f"CASE WHEN {bad} THEN {known} ELSE false END"
        aside = {marked(label): is_known} if sets_aside(column) else {}
        return aside | {
            f"{label} is not a number": f"CASE WHEN {bad} THEN NOT {known} ELSE false END",
            f"{label} is not finite": f"NOT isfinite({quote(column)})",
        }
    if kind == BOOLEAN:
        return {f"{label} is not true or false": f"{quote(column)} IS NULL AND {given}"}
    return {}


@dataclass
class Cells:
    """Numbers gathered into dense arrays, and the rows that found their cell taken."""

    values: dict[str, Float32Array]
    duplicates: IntArray


def gather(batches: Any, shape: tuple[int, int], columns: tuple[str, ...]) -> Cells:
    """Put rows into (row, period) arrays; the first row of a cell wins.

    Args:
        batches: Arrow batches with i, t, __row and the columns; in any order.
        shape: (rows, periods); i and t lie inside.
        columns: Numeric columns.

    Returns:
        float32 arrays, NaN where no row came, and the __row of every row that lost.
    """
    cells = shape[0] * shape[1]
    unowned = np.iinfo(np.int32).max  # row numbers stay below 2**31: two billion rows a file
    owner = np.full(cells, unowned, np.int32)
    values = {column: np.full(cells, np.nan, np.float32) for column in columns}
    lost: list[IntArray] = []
    for batch in batches:
        cell = batch["i"].to_numpy().astype(np.int64) * shape[1] + batch["t"].to_numpy()
        row = batch["__row"].to_numpy().astype(np.int32)
        before = owner[cell]
        np.minimum.at(owner, cell, row)
        wins = owner[cell] == row
        lost += [row[~wins], before[wins & (before != unowned)]]
        for column in columns:
            array = batch[column].to_numpy(zero_copy_only=False)
            values[column][cell[wins]] = array[wins]
    duplicates = np.unique(np.concatenate(lost)).astype(np.int64) if lost else np.zeros(0, np.int64)
    return Cells({c: v.reshape(shape) for c, v in values.items()}, duplicates)


def fill_forward(values: Float32Array, limit: int | None) -> Float32Array:
    """Return rows with NaN replaced by the last value before, at most limit periods back."""
    periods = np.arange(values.shape[1], dtype=np.int32)
    filled = np.empty_like(values)
    for first in range(0, len(values), _FILL_ROWS):
        block = values[first : first + _FILL_ROWS]
        last = np.where(np.isnan(block), np.int32(-1), periods)
        np.maximum.accumulate(last, axis=1, out=last)
        taken = np.take_along_axis(block, np.maximum(last, 0), axis=1)
        too_old = last < 0 if limit is None else (last < 0) | (periods - last > limit)
        taken[too_old] = np.nan
        filled[first : first + _FILL_ROWS] = taken
    return filled


def compact(values: Float32Array) -> npt.NDArray[Any]:
    """Return int16 when every value is a whole number that fits, else the array itself.

    NaN is not allowed.
    """
    limits = np.iinfo(np.int16)
    if values.size and (values.min() < limits.min or values.max() > limits.max):
        return values
    whole = values.astype(np.int16)
    return whole if np.array_equal(whole, values) else values


@dataclass(frozen=True)
class Parts:
    """Series in partitions: series k is row k % size of partition k // size.

    Attributes:
        ids: Keys of all series, in order.
        size: Series of a partition.
    """

    ids: tuple[str, ...]
    size: int

    @property
    def number(self) -> int:
        """Partitions."""
        return -(-len(self.ids) // self.size)

    def ids_of(self, part: int) -> tuple[str, ...]:
        """Return the keys of a partition."""
        return self.ids[part * self.size : (part + 1) * self.size]


def rows_of_part(reader: Reader, std: Standard, view: str, period: str, parts: Parts) -> str:
    """Return the SQL of a view's sound rows: p, i, t, __row, ds and columns.

    p and i are the partition and the row in it. What is read in several partitions is worked out
    once and kept: a view of a large file costs its whole length each time.

    Args:
        reader: Holds the view.
        std: Table that the view shows.
        view: With key, ds, reason and the columns.
        period: Expression of a row's period.
        parts: Series; keys of others are left out.
    """
    kept = f"kept_{std.name}"
    if parts.number > 1 and reader.has_table(kept):
        return f'"{kept}"'
    number_keys(reader, f"codes_{std.name}", parts.ids)
    picks = ", ".join(f"s.{quote(c)}" for c in std.columns)
    sql = (
        f"SELECT c.i // {parts.size} AS p, c.i % {parts.size} AS i, {period} AS t, s.__row, s.ds, "
        f'{picks} FROM "{view}" s JOIN "codes_{std.name}" c USING (key) WHERE s.reason IS NULL'
    )
    if parts.number == 1:
        return f"({sql})"
    reader.run(f'CREATE TABLE "{kept}" AS {sql}', std.name)
    return f'"{kept}"'


def number_keys(reader: Reader, table: str, keys: Iterable[str]) -> None:
    """Create the DuckDB table (key, i) that numbers keys in their order from 0."""
    names = list(keys)
    frame = pd.DataFrame({"key": pd.Series(names, dtype=object), "i": np.arange(len(names))})
    reader.connection.register("codes", frame.astype({"i": "int32"}))
    reader.run(f'CREATE OR REPLACE TABLE "{table}" AS SELECT * FROM codes', table)
    reader.connection.unregister("codes")
