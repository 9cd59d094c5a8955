"""What is known of a stranger's files: of each its columns, of each column what it looks like."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from invopt.sources.duck import Reader
from invopt.sources.formats import PLAIN, NumberStyle, date_sql_of
from invopt.sources.measures import Measured
from invopt.sql import quote

DATE, NUMBER, TEXT = "date", "number", "text"
NAMELESS = r"column_\d+|Unnamed: \d+"  # names of columns that a reader gave
_COUNTED = 50  # columns at a time
_MANY = 200  # columns that a mapping does not name one by one


@dataclass(frozen=True, kw_only=True)
class ColumnFacts:
    """What a column looks like in the first rows.

    Attributes:
        name: As in the file.
        kind: date, number or text.
        format: Of a date held as text; None where DuckDB reads it by itself.
        num_distinct: Distinct values.
        has_fraction: True when a number is not whole.
        style: How numbers are written.
        values: Of a text of few values, its values; empty otherwise.
        formats: Of a date held as text, every format that fits, the one taken first.
        has_zone: True when time stamps name their zone, and days are counted in UTC.
        is_local: True when time stamps name their zone, and are read on the day that they write.
        is_text: True when the file holds text.
        expr: Of a date that is made of several columns, or None.
        days: SQL of the day where no format says how to read it; None where one does.
        is_week_end: True for texts that say the last day of a week.
        is_of_span: True for texts from one day to another, of which the first is taken.
        is_fiscal: True for periods of a year of accounting, 003.2025, read as months.
    """

    name: str
    kind: str
    format: str | None
    num_distinct: int
    has_fraction: bool = False
    style: NumberStyle = PLAIN
    values: tuple[str, ...] = ()
    formats: tuple[str | None, ...] = ()
    has_zone: bool = False
    is_local: bool = False
    is_text: bool = False
    expr: str | None = None
    days: str | None = None
    is_fiscal: bool = False
    is_week_end: bool = False
    is_of_span: bool = False


@dataclass(frozen=True)
class FileFacts:
    """What a file holds.

    Attributes:
        name: Of the source it would be.
        path: Relative to the data folder; a pattern where several files are one table.
        encoding: Of a text file, by Python's name.
        sheet: Of a workbook that has several; else None.
        num_rows: Rows.
        columns: In order, period columns left out.
        periods: Columns that are periods, in order; empty for a long table.
        periods_format: strptime format of their names; None where they are no dates.
        period_days: The days that their names write, where no format says it; else None.
        measured: What the period columns hold beside other measures; None where they are alone.
        period_style: How the cells of the period columns write numbers.
    """

    name: str
    path: str
    encoding: str
    sheet: str | None
    num_rows: int
    columns: tuple[ColumnFacts, ...]
    periods: tuple[str, ...]
    periods_format: str | None
    period_days: tuple[date, ...] | None = None
    measured: Measured | None = None
    period_style: NumberStyle = PLAIN

    def of_kind(self, kind: str) -> list[ColumnFacts]:
        """Return the columns of a kind."""
        return [column for column in self.columns if column.kind == kind]


def date_of(file: FileFacts) -> ColumnFacts:
    """Return the date column that tells rows apart most."""
    return max(file.of_kind(DATE), key=lambda c: c.num_distinct)


def date_sql(column: ColumnFacts) -> str:
    """Return the SQL of a date column's day, NULL where it holds none."""
    if column.days is not None:
        return column.days
    stamp = f"TRY_CAST({quote(column.name)} AS TIMESTAMP)"
    if column.is_text or column.format is not None:
        stamp = date_sql_of(quote(column.name), column.format)
    elif column.has_zone:  # of nanoseconds there is no cast but by way of this one
        stamp = f"TRY_CAST(TRY_CAST({quote(column.name)} AS TIMESTAMPTZ) AS TIMESTAMP)"
    return f"({stamp})::DATE"


def dates_in(
    reader: Reader, file: FileFacts, column: ColumnFacts | None = None
) -> pd.DatetimeIndex:
    """Return the distinct days of a file's date column, ascending."""
    sql = f'SELECT DISTINCT {date_sql(column or date_of(file))} AS d FROM "{file.name}" ORDER BY d'
    return believable(reader.fetch(sql, file.name)["d"].to_pylist())


def believable(days: Iterable[date | None]) -> pd.DatetimeIndex:
    """Return days without those that stand for none: 31.12.9999, 01.01.0001."""
    return pd.DatetimeIndex([d for d in days if d is not None and 1900 <= d.year <= 2200])


def num_distinct(reader: Reader, file: FileFacts, names: Iterable[str]) -> int:
    """Return how many combinations of values some columns hold."""
    return num_combined(reader, file, map(quote, names))


def num_combined(reader: Reader, file: FileFacts, cells: Iterable[str]) -> int:
    """Return how many combinations of values some expressions give."""
    sql = (
        f'SELECT count(*) AS n FROM (SELECT DISTINCT {", ".join(cells) or "1"} FROM "{file.name}")'
    )
    return int(reader.fetch(sql, file.name)["n"][0].as_py())


def most_values(
    reader: Reader, file: FileFacts, columns: list[ColumnFacts], cells: Iterable[str]
) -> list[int]:
    """Return how many values each of some columns has at most where some expressions are alike."""
    if not columns:
        return []
    cells = list(cells)
    if len(columns) > _COUNTED:  # each count holds a table of its own in memory
        return [
            number
            for start in range(0, len(columns), _COUNTED)
            for number in most_values(reader, file, columns[start : start + _COUNTED], cells)
        ]
    most = ", ".join(f"coalesce(max(n{n}), 0) AS n{n}" for n in range(len(columns)))
    counts = ", ".join(f"count(DISTINCT {quote(c.name)}) AS n{n}" for n, c in enumerate(columns))
    [row] = reader.fetch(
        f"SELECT {most} FROM (SELECT {counts} FROM {quote(file.name)} "
        f"GROUP BY ({', '.join(cells)}))",
        file.name,
    ).to_pylist()
    return [int(number) for number in row.values()]


def cells_of(
    file: FileFacts,
    kept: Iterable[str],
    labels: Mapping[str, str],
    label: str,
    value: str,
    rows: str | None = None,
) -> str:
    """Return the SQL, from behind FROM, of a row for each cell of some columns that is not blank.

    Args:
        file: That holds them.
        kept: Columns that stay beside each cell.
        labels: What the row of a cell is called, by its column.
        label: Column of that.
        value: Column of the cell, as text.
        rows: SQL of the file's rows with more columns; None for the file as it is.
    """
    if len(labels) > _MANY and rows is None and all(own == name for name, own in labels.items()):
        return _many_cells(file, list(kept), labels, label, value)
    cells = [f"{quote(column)}::VARCHAR AS {quote(own)}" for column, own in labels.items()]
    columns = [*map(quote, kept), *cells]
    return (
        f"(UNPIVOT (SELECT {', '.join(columns)} FROM {rows or quote(file.name)}) "
        f"ON {', '.join(map(quote, labels.values()))} INTO NAME {quote(label)} "
        f"VALUE {quote(value)}) WHERE trim({quote(value)}) <> ''"
    )


def _many_cells(
    file: FileFacts, kept: Sequence[str], labels: Mapping[str, str], label: str, value: str
) -> str:
    """Return what `cells_of` does without the names of its columns, of which there are too many.

    A mapping is given to each step, and has to be short.
    """
    others = [c.name for c in file.columns if c.name not in labels]
    left = list(dict.fromkeys([*others, *file.periods, *kept]))
    but = f" EXCLUDE ({', '.join(map(quote, left))})" if left else ""
    return cells_by_form(file, kept, f"*{but}", label, value)


def cells_by_form(file: FileFacts, kept: Sequence[str], form: str, label: str, value: str) -> str:
    """Return what `cells_of` does for columns that what stands in COLUMNS(...) names together."""
    listed = "".join(f"{quote(name)}, " for name in kept)
    but = f" EXCLUDE ({', '.join(map(quote, kept))})" if kept else ""
    return (
        f"(UNPIVOT (SELECT {listed}COLUMNS({form})::VARCHAR FROM {quote(file.name)}) "
        f"ON COLUMNS(*{but}) INTO NAME {quote(label)} VALUE {quote(value)}) "
        f"WHERE trim({quote(value)}) <> ''"
    )


def num_found(reader: Reader, file: FileFacts, cell: str, other: FileFacts, theirs: str) -> int:
    """Return in how many rows of a file a cell is one that another file has.

    Args:
        reader: Holds both.
        file: Whose rows are counted.
        cell: SQL over its columns.
        other: The other file.
        theirs: SQL over its columns.
    """
    sql = (
        f"SELECT count(*) AS n FROM {quote(file.name)} WHERE {cell} IN "
        f"(SELECT {theirs} FROM {quote(other.name)})"
    )
    return int(reader.fetch(sql, other.name)["n"][0].as_py())


def given_text(column: str) -> str:
    """Return the SQL of a column's text without blanks around it, NULL where nothing is left."""
    return f"nullif(trim({quote(column)}::VARCHAR), '')"
