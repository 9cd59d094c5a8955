"""What is in a company's files, column by column, so that a mapping can begin."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from invopt.errors import InvalidInputError
from invopt.sources.duck import Reader
from invopt.sources.mapping import Source
from invopt.sources.standard import literal, quote

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_SAMPLE = 20_000
_SURE = 0.95  # share of given values that must agree
_FORMATS = (None, "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y%m%d", "%d/%m/%Y %H:%M")
_MIN_WIDE = 8
DATE, NUMBER, TEXT = "date", "number", "text"


@dataclass(frozen=True)
class ColumnFacts:
    """What a column looks like in the first rows.

    Attributes:
        name: As in the file.
        kind: date, number or text.
        format: Of a date held as text; None where DuckDB reads it by itself.
        num_distinct: Distinct values.
        has_negative: True when a number is below 0.
    """

    name: str
    kind: str
    format: str | None
    num_distinct: int
    has_negative: bool


@dataclass(frozen=True)
class FileFacts:
    """What a file holds.

    Attributes:
        name: Of the source it would be.
        path: Relative to the data folder.
        num_rows: Rows.
        columns: In order, period columns left out.
        periods: Columns that are periods, in order; empty for a long table.
        periods_format: strptime format of their names; None where they are no dates.
    """

    name: str
    path: str
    num_rows: int
    columns: tuple[ColumnFacts, ...]
    periods: tuple[str, ...]
    periods_format: str | None

    def of_kind(self, kind: str) -> list[ColumnFacts]:
        """Return the columns of a kind."""
        return [column for column in self.columns if column.kind == kind]


def inspect_files(reader: Reader, data: Path) -> list[FileFacts]:
    """Return what every CSV and parquet file of a folder holds, by name.

    The files become sources of the reader under the names given.

    Raises:
        InvalidInputError: If there is none.
    """
    files = sorted(p for p in data.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise InvalidInputError(f"{data} holds no file that ends in {', '.join(SUFFIXES)}.")
    return [_inspect(reader, data, file) for file in files]


def _inspect(reader: Reader, data: Path, file: Path) -> FileFacts:
    path = str(file.relative_to(data))
    name = re.sub(r"\W", "_", str(file.relative_to(data).with_suffix("")))
    reader.add(name, Source(path=path))
    reader.run(f'CREATE TABLE "sample_{name}" AS SELECT * FROM "{name}" LIMIT {_SAMPLE}', name)
    types = reader.column_types(f'"{name}"', name)
    periods, periods_format = _periods(types)
    columns = tuple(
        _column(reader, name, column, kind)
        for column, kind in types.items()
        if column not in periods
    )
    rows = reader.fetch(f'SELECT count(*) AS n FROM "{name}"', name)["n"][0].as_py()
    return FileFacts(name, path, int(rows), columns, periods, periods_format)


def _periods(names: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """Return the columns that are periods: dates, or one word with a running number."""
    names = list(names)
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%Y%m%d", "%Y-%m"):
        dated = [n for n in names if not pd.isna(pd.to_datetime(n, format=form, errors="coerce"))]
        if len(dated) >= _MIN_WIDE:
            return tuple(dated), form
    numbered = [n for n in names if re.fullmatch(r"[A-Za-z]+_?\d+", n)]
    stems = {re.sub(r"\d+$", "", n) for n in numbered}
    if len(numbered) >= 4 * _MIN_WIDE and len(stems) == 1:
        return tuple(numbered), None
    return (), None


def _column(reader: Reader, name: str, column: str, declared: str) -> ColumnFacts:
    table, value = f'"sample_{name}"', quote(column)
    given = f"({value} IS NOT NULL AND trim({value}::VARCHAR) <> '')"
    number = f"TRY_CAST({value}::VARCHAR AS DOUBLE)"
    tests = {
        "given": f"count(*) FILTER ({given})",
        "distinct": f"count(DISTINCT {value})",
        "number": f"count({number})",
        "negative": f"coalesce(bool_or({number} < 0), false)",
        **{f"date{i}": f"count({_as_date(value, form)})" for i, form in enumerate(_FORMATS)},
    }
    picks = ", ".join(f"{sql} AS {quote(key)}" for key, sql in tests.items())
    found = reader.fetch(f"SELECT {picks} FROM {table}", name).to_pylist()[0]
    enough = max(1, _SURE * found["given"])
    kind, form = TEXT, None
    if declared.startswith(("TIMESTAMP", "DATE")):
        kind = DATE
    elif found["number"] >= enough and not (found["date5"] >= enough and _sounds_dated(column)):
        kind = NUMBER
    else:
        fits = [f for i, f in enumerate(_FORMATS) if found[f"date{i}"] >= enough]
        if fits:
            kind, form = DATE, fits[0]
    return ColumnFacts(column, kind, form, int(found["distinct"]), bool(found["negative"]))


def _as_date(value: str, form: str | None) -> str:
    if form is None:
        return f"TRY_CAST({value}::VARCHAR AS TIMESTAMP)"
    return f"TRY_STRPTIME({value}::VARCHAR, {literal(form)})"


def _sounds_dated(column: str) -> bool:
    return re.search(r"date|day|week|month|period|^ds$|^dt$", column.lower()) is not None
