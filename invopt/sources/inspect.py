"""What is in a company's files, column by column, so that a mapping can begin."""

import codecs
import gzip
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from invopt.errors import InvalidInputError
from invopt.sources.duck import Reader
from invopt.sources.mapping import Source
from invopt.sources.standard import literal, quote

_TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
SUFFIXES = (*_TEXT_SUFFIXES, ".parquet", ".pq")
MAX_VALUES = 30  # of a text that may become flags
_SAMPLE = 20_000
_SURE = 0.95  # share of given values that must agree
_WIDE_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%Y%m", "%Y%m%d", "%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y",
    "%b-%y", "%b %y", "%b-%Y", "%b %Y",
)  # fmt: skip
_CHUNK = 1 << 20
# A number as most of Europe writes it: 1.234,50 or 1234,5.
_COMMA_NUMBER = r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
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
        has_fraction: True when a number is not whole.
        comma: True when numbers have a decimal comma.
        values: Of a text of few values, its values; empty otherwise.
    """

    name: str
    kind: str
    format: str | None
    num_distinct: int
    has_negative: bool
    has_fraction: bool = False
    comma: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileFacts:
    """What a file holds.

    Attributes:
        name: Of the source it would be.
        path: Relative to the data folder; a pattern where several files are one table.
        encoding: Of a text file, by Python's name.
        num_rows: Rows.
        columns: In order, period columns left out.
        periods: Columns that are periods, in order; empty for a long table.
        periods_format: strptime format of their names; None where they are no dates.
    """

    name: str
    path: str
    encoding: str
    num_rows: int
    columns: tuple[ColumnFacts, ...]
    periods: tuple[str, ...]
    periods_format: str | None

    def of_kind(self, kind: str) -> list[ColumnFacts]:
        """Return the columns of a kind."""
        return [column for column in self.columns if column.kind == kind]


def inspect_files(reader: Reader, data: Path) -> list[FileFacts]:
    """Return what every CSV and parquet file of a folder holds, by name.

    Files whose names differ in a number only and whose columns are the same (a year each, say)
    are one table. The tables become sources of the reader under the names given.

    Raises:
        InvalidInputError: If there is none.
    """
    files = sorted(p for p in data.rglob("*") if p.name.lower().endswith(SUFFIXES) and p.is_file())
    if not files:
        raise InvalidInputError(f"{data} holds no file that ends in {', '.join(SUFFIXES)}.")
    return [_inspect(reader, path, group) for path, group in _tables(data, files)]


def encoding_of(file: Path) -> str:
    """Return utf-8, utf-16 where the file says so, or cp1252 where it is neither."""
    with _open(file) as handle:
        if handle.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        handle.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := handle.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _tables(data: Path, files: list[Path]) -> list[tuple[str, list[Path]]]:
    """Return (path or pattern, files) of every table."""
    groups: dict[tuple[str, object], list[Path]] = {}
    for file in files:
        path = str(file.relative_to(data))
        pattern = str(Path(path).with_name(re.sub(r"\d+", "*", file.name)))
        groups.setdefault((pattern, _header(file)), []).append(file)
    found = []
    for (pattern, _), group in groups.items():
        if len(group) > 1 and sorted(data.glob(pattern)) == group:
            found.append((pattern, group))
        else:
            found += [(str(file.relative_to(data)), [file]) for file in group]
    return sorted(found)


def _header(file: Path) -> object:
    """Return what two files of one table have in common; the file itself if it has no header."""
    try:
        if not _is_text(file):
            return tuple(pq.read_schema(file).names)
        with _open(file) as handle:
            return handle.readline(_CHUNK).strip()
    except (OSError, EOFError, pa.ArrowInvalid):
        return file


def _is_text(file: Path) -> bool:
    return file.name.lower().endswith(_TEXT_SUFFIXES)


def _open(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb"))


def _inspect(reader: Reader, path: str, files: list[Path]) -> FileFacts:
    stem = path[: -len(next(s for s in SUFFIXES if path.lower().endswith(s)))]
    name = re.sub(r"\W+", "_", stem.replace("*", "")).strip("_") or "files"
    encodings = {encoding_of(file) if _is_text(file) else "utf-8" for file in files}
    encoding = max(encodings, key=["utf-8", "cp1252", "utf-16"].index)
    reader.add(name, Source(path=path, encoding=encoding))
    reader.run(f'CREATE TABLE "sample_{name}" AS SELECT * FROM "{name}" LIMIT {_SAMPLE}', name)
    types = reader.column_types(f'"{name}"', name)
    periods, periods_format = _periods(types)
    columns = tuple(
        _column(reader, name, column, kind)
        for column, kind in types.items()
        if column not in periods
    )
    rows = reader.fetch(f'SELECT count(*) AS n FROM "{name}"', name)["n"][0].as_py()
    return FileFacts(name, path, encoding, int(rows), columns, periods, periods_format)


def _periods(names: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """Return the columns that are periods: dates, or one word with a running number."""
    names = list(names)
    for form in _WIDE_FORMATS:
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
    comma = f"regexp_full_match(trim({value}::VARCHAR), {literal(_COMMA_NUMBER)})"
    tests = {
        "given": f"count(*) FILTER ({given})",
        "distinct": f"count(DISTINCT {value})",
        "number": f"count({number})",
        "negative": f"coalesce(bool_or({number} < 0 OR starts_with({value}::VARCHAR, '-')), false)",
        "fraction": f"coalesce(bool_or({number} <> floor({number})), false)",
        "comma": f"count(*) FILTER ({comma})",
        "has_comma": f"coalesce(bool_or(contains({value}::VARCHAR, ',')), false)",
        **{f"date{i}": f"count({_as_date(value, form)})" for i, form in enumerate(_FORMATS)},
    }
    picks = ", ".join(f"{sql} AS {quote(key)}" for key, sql in tests.items())
    found = reader.fetch(f"SELECT {picks} FROM {table}", name).to_pylist()[0]
    kind, form, is_comma = _kind(found, column, declared)
    return ColumnFacts(
        column,
        kind,
        form,
        int(found["distinct"]),
        bool(found["negative"]) and kind == NUMBER,
        (bool(found["fraction"]) or is_comma) and kind == NUMBER,
        is_comma,
        _values(reader, table, value) if kind == TEXT and found["distinct"] <= MAX_VALUES else (),
    )


def _kind(found: Mapping[str, Any], column: str, declared: str) -> tuple[str, str | None, bool]:
    """Return what a column is, a date's format, and whether numbers have a decimal comma."""
    enough = max(1, _SURE * found["given"])
    if declared.startswith(("TIMESTAMP", "DATE")):
        return DATE, None, False
    if found["number"] >= enough and not (found["date5"] >= enough and _sounds_dated(column)):
        return NUMBER, None, False
    if found["has_comma"] and found["comma"] >= enough:
        return NUMBER, None, True
    fits = [f for i, f in enumerate(_FORMATS) if found[f"date{i}"] >= enough]
    return (DATE, fits[0], False) if fits else (TEXT, None, False)


def _values(reader: Reader, table: str, value: str) -> tuple[str, ...]:
    text = f"{value}::VARCHAR"
    sql = f"SELECT DISTINCT {text} AS v FROM {table} WHERE trim({text}) <> '' ORDER BY v"
    return tuple(map(str, reader.fetch(sql, table)["v"].to_pylist()))


def date_of(file: FileFacts) -> ColumnFacts:
    """Return the date column that tells rows apart most."""
    return max(file.of_kind(DATE), key=lambda c: c.num_distinct)


def date_sql(column: ColumnFacts) -> str:
    """Return the SQL of a date column's day, NULL where it holds none."""
    return f"({_as_date(quote(column.name), column.format)})::DATE"


def dates_in(
    reader: Reader, file: FileFacts, column: ColumnFacts | None = None
) -> pd.DatetimeIndex:
    """Return the distinct days of a file's date column, ascending."""
    sql = f'SELECT DISTINCT {date_sql(column or date_of(file))} AS d FROM "{file.name}" ORDER BY d'
    found = reader.fetch(sql, file.name)["d"].to_pylist()
    return pd.DatetimeIndex([day for day in found if day is not None])


def num_distinct(reader: Reader, file: FileFacts, names: Iterable[str]) -> int:
    """Return how many combinations of values some columns hold."""
    cells = ", ".join(quote(name) for name in names) or "1"
    sql = f'SELECT count(*) AS n FROM (SELECT DISTINCT {cells} FROM "{file.name}")'
    return int(reader.fetch(sql, file.name)["n"][0].as_py())


def wide_pattern(form: str) -> str:
    """Return a regular expression of the column names that have a strptime format."""
    parts = {"%Y": r"\d\d\d\d", "%b": r"[A-Za-z]+", "%m": r"\d\d", "%d": r"\d\d", "%y": r"\d\d"}
    pattern = re.escape(form).replace("\\-", "-").replace("\\ ", " ")
    for directive, digits in parts.items():
        pattern = pattern.replace(directive, digits)
    return pattern


def _as_date(value: str, form: str | None) -> str:
    if form is None:
        return f"TRY_CAST({value}::VARCHAR AS TIMESTAMP)"
    return f"TRY_STRPTIME({value}::VARCHAR, {literal(form)})"


def _sounds_dated(column: str) -> bool:
    return re.search(r"date|day|week|month|period|^ds$|^dt$", column.lower()) is not None
