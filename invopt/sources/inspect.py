"""What is in a company's files, column by column, so that a mapping can begin."""

import bz2
import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from invopt.errors import InvalidInputError
from invopt.sources import database_files
from invopt.sources.archives import SINGLE, TEXTS, is_text_sheet, text_files
from invopt.sources.dates import ZONED
from invopt.sources.days import (
    are_periods,
    days_of,
    may_be_days,
    readable_days,
    week_expression,
)
from invopt.sources.duck import Reader
from invopt.sources.formats import (
    DIGITS,
    PLAIN,
    WEEKS,
    YEAR_WEEK,
    NumberStyle,
    date_formats,
    date_sql_of,
    names_zone,
    number_style,
    sounds_dated,
    swapped,
)
from invopt.sources.json_lines import SUFFIXES as JSONS
from invopt.sources.json_lines import JsonRows
from invopt.sources.legacy_text import CENTRAL, OTHERS, TURKISH, WESTERN, legacy_encoding
from invopt.sources.mapping import Source
from invopt.sources.measures import Measured, measured_periods
from invopt.sources.twins import totals_among
from invopt.sources.vocabulary import plain
from invopt.sources.workbooks import SUFFIXES as BOOKS
from invopt.sources.workbooks import sheets_of
from invopt.sql import quote

SUFFIXES = (*TEXTS, ".zip", ".parquet", ".pq", *BOOKS, *database_files.SUFFIXES)
# What to do with files that are not read, by how they end.
_INSTEAD = {
    "save a spreadsheet as .xlsx": (".xls", ".xlsb", ".ods", ".numbers"),
    "unpack it": (".xz", ".7z", ".rar", ".tar", ".tgz", ".zst", ".lz4"),
    "write it as CSV or parquet": (".xml", ".html", ".feather", ".avro", ".orc", ".dbf", ".mdb",
                                   ".accdb"),
}  # fmt: skip
_SAYS_WEEK = re.compile(r"week|woche|semain|seman|(^|[^a-z])(kw|wk)([^a-z]|$)")
# Weeks of a retailer's year, which begins in February or so.
_RETAIL_WEEK = r"fiscal|(^|_)fy(_|$)|retail|(^|_)wm(_|$)|walmart|(^|_)nrf|4_?[45]_?[45]"
_NUMBER = re.compile(r"\d+")
_NUMBERED_PLACE = re.compile(
    r"(store|shop|filial[a-z]*|branch|outlet|markt|laden|magasin|tienda|sucursal|negozio|loja|sklep"
    r"|winkel|filiaal|butik|magaza|plant|werk|warehouse|site)[ _-]*(no|nr)?[ _.-]*\d{1,3}(?!\d)"
)
MAX_VALUES = 30  # of a text that may become flags
_SAMPLE = 20_000
_LOOKED_AT = 2_000  # values of a column
_WIDE_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%Y%m", "%Y%m%d", "%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y",
    "%b-%y", "%b %y", "%b-%Y", "%b %Y",
)  # fmt: skip
_CHUNK = 1 << 20
_FIRST = 200  # bytes that tell whether each sign takes two
_MIN_WIDE = 8
_CELLS = 60  # columns of periods whose cells are looked at
_MONTHS_OF_A_YEAR = 12
DATE, NUMBER, TEXT = "date", "number", "text"
# What damaged files and locked archives raise; RuntimeError is an archive's that wants a password.
_UNREADABLE = (InvalidInputError, OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)


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
        has_zone: True when time stamps name their zone.
        is_text: True when the file holds text.
        expr: Of a date that is made of several columns, or None.
        days: SQL of the day where no format says how to read it; None where one does.
        is_week_end: True for texts that say the last day of a week.
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
    is_text: bool = False
    expr: str | None = None
    days: str | None = None
    is_fiscal: bool = False
    is_week_end: bool = False


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


def inspect_files(reader: Reader, data: Path) -> tuple[list[FileFacts], list[str]]:
    """Return what every file of a folder holds that can be read, by name, and why others cannot.

    Files whose names differ in a number only and whose columns are the same (a year each, say)
    are one table, and so is a sheet of a workbook. The tables become sources of the reader under
    the names given.

    Raises:
        InvalidInputError: If there is none.
    """
    inside = sorted(p for p in data.rglob("*") if p.is_file() and p.name[0] not in "._")
    files = [p for p in inside if p.name.lower().endswith(SUFFIXES) or is_text_sheet(p)]
    left = [p for p in inside if p not in files]
    notes = []
    if left:
        notes.append(
            f"{len(left)} files are not read (e.g. {left[0].relative_to(data)}): they end in none "
            f"of {', '.join(SUFFIXES)}{_instead(left)}"
        )
    found, refused = [], []
    for path, group in _tables(data, files):
        try:
            looked_at = [_inspect(reader, path, group, sheet) for sheet in _sheets(group)]
        except _UNREADABLE as err:
            refused.append(f"{path} is left out: {err}")
            continue
        found += [facts for facts in looked_at if facts.num_rows]
        refused += [
            f"{' '.join(filter(None, (path, facts.sheet)))} is left out: "
            f"{_why_empty(reader, facts)}"
            for facts in looked_at
            if not facts.num_rows
        ]
    if not found:
        if refused:
            raise InvalidInputError(" ".join(refused))
        raise InvalidInputError(
            " ".join([f"{data} holds no file that ends in {', '.join(SUFFIXES)}.", *notes])
        )
    return found, notes + refused


def _why_empty(reader: Reader, facts: FileFacts) -> str:
    lines = sum(len(r.lines) for r in reader.rejected if r.source == facts.name)
    if not lines:
        return "it has a header and no row"
    first = ", ".join(c.name for c in facts.columns[:3])
    return (
        f"none of its {lines:,} lines has the cells of its first line ({first} …), which seems to "
        "be no header: take the lines above the header out"
    )


def _instead(left: list[Path]) -> str:
    """Return what to do with files that are not read, where that is known."""
    found = []
    for advice, ends in _INSTEAD.items():
        if named := [p.name for p in left if p.name.lower().endswith(ends)]:
            found.append(f"; {named[0]}: {advice}")
    return "".join(found)


def _sheets(files: list[Path]) -> list[str | None]:
    """Return the sheets of a table's files, each a table of its own; None where there is one."""
    names = list(_tables_inside(files[0]))
    return [*names] if len(names) > 1 else [None]


def _tables_inside(file: Path) -> dict[str, tuple[object, ...]]:
    """Return the tables that a file holds, with what two of one name would have in common.

    Sheets of a workbook, tables of a database, files of an archive whose first lines differ; it is
    empty where a file is one table.
    """
    ends = file.suffix.lower()
    if ends in BOOKS:
        return dict(sheets_of(file))
    if ends in database_files.SUFFIXES:
        return dict(database_files.tables_of(file))
    if ends != ".zip":
        return {}
    with zipfile.ZipFile(file) as archive:
        first: dict[str, tuple[object, ...]] = {}
        for name in text_files(archive):
            with archive.open(name) as member:
                first[name] = (member.readline(_CHUNK).strip(),)
    return first if len(set(first.values())) > 1 else {}


def encoding_of(file: Path) -> str:
    """Return utf-8, utf-16 where the file says so, or the older one that its words tell."""
    with _open(file) as handle:
        first = handle.read(_FIRST)
        if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        # A text has no zeros, but where each sign takes two bytes and no mark says so.
        zeros = [first[at::2].count(0) for at in (0, 1)]
        if sum(zeros) > len(first) // 4:
            return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        handle.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := handle.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            handle.seek(0)
            return legacy_encoding(handle.read(_CHUNK))
    return "utf-8"


def _tables(data: Path, files: list[Path]) -> list[tuple[str, list[Path]]]:
    """Return (path or pattern, files) of every table."""
    groups: dict[tuple[str, object], list[Path]] = {}
    for file in files:
        path = file.relative_to(data)
        lake = next((n for n, part in enumerate(path.parts[:-1]) if "=" in part), 0)
        # Partitions are read from the folder that holds them, whose key=value become columns.
        pattern = str(Path(*path.parts[:lake])) if lake else _NUMBER.sub("*", str(path))
        if _NUMBERED_PLACE.search(path.stem.lower()):  # shop 1 and shop 2 are no parts of one
            pattern = str(path)
        groups.setdefault((pattern, _header(file)), []).append(file)
    found = []
    for (pattern, _), group in groups.items():
        folder = data / pattern
        inside = folder.rglob("*") if folder.is_dir() else data.glob(pattern)
        if len(group) > 1 and sorted(p for p in inside if p in files) == group:
            found.append((pattern, group))
        else:
            found += [(str(file.relative_to(data)), [file]) for file in group]
    return sorted(found)


def _header(file: Path) -> object:
    """Return what two files of one table have in common; the file itself if it has no header."""
    try:
        if inside := _tables_inside(file):
            return tuple(inside.items())
        if not _is_text(file):
            return tuple(pq.read_schema(file).names)
        with _open(file) as handle:
            if Path(file.name.lower().removesuffix(".gz").removesuffix(SINGLE)).suffix in JSONS:
                rows = next(JsonRows().tables(handle, str(file)), None)
                return file if rows is None else tuple(rows.column_names)
            return handle.readline(_CHUNK).strip()
    except (*_UNREADABLE, pa.ArrowInvalid):
        return file


def _is_text(file: Path) -> bool:
    return file.name.lower().endswith((*TEXTS, ".zip")) or is_text_sheet(file)


def _open(file: Path) -> IO[bytes]:
    """Open a text file as bytes, the first one of an archive."""
    if file.suffix.lower() == ".zip":
        archive = zipfile.ZipFile(file)
        texts = text_files(archive)
        return archive.open(texts[0]) if texts else io.BytesIO()
    ends = file.suffix.lower()
    if ends == SINGLE:
        return cast(IO[bytes], bz2.open(file))
    return cast(IO[bytes], gzip.open(file) if ends == ".gz" else file.open("rb"))


def _inspect(reader: Reader, path: str, files: list[Path], sheet: str | None) -> FileFacts:
    # A folder of partitions has no ending.
    ends = [s for s in (*SUFFIXES, ".xls") if path.lower().endswith(s)]
    stem = path[: -max(map(len, ends))] if ends else path
    name = re.sub(r"\W+", "_", stem.replace("*", "")).strip("_") or "files"
    if sheet is not None:
        name = f"{name}_{re.sub(r'[^0-9A-Za-z_]+', '_', sheet)}"
    name = _free_name(reader, name)
    encodings = {encoding_of(file) if _is_text(file) else "utf-8" for file in files}
    known = ["utf-8", WESTERN, TURKISH, CENTRAL, *OTHERS, "utf-16-be", "utf-16-le", "utf-16"]
    encoding = max(encodings, key=known.index)
    reader.add(name, Source(path=path, encoding=encoding, sheet=sheet))
    place = FileFacts(
        name, path, encoding, sheet, num_rows=0, columns=(), periods=(), periods_format=None
    )
    return facts_of(reader, name, place)


def facts_of(reader: Reader, name: str, place: FileFacts) -> FileFacts:
    """Return what a source of a reader holds, with the place of its file as another says it."""
    reader.run(f'CREATE TABLE "sample_{name}" AS SELECT * FROM "{name}" LIMIT {_SAMPLE}', name)
    types = reader.column_types(f'"{name}"', name)
    periods, periods_format = _periods(types)
    period_days, measured = None, None
    if not periods:
        periods, period_days, measured = _measured_periods(reader, name, types)
    left = {*periods, *(measured.columns if measured is not None else ())}
    columns = tuple(
        _column(reader, name, column, kind) for column, kind in types.items() if column not in left
    )
    columns = _with_one_decimal(columns)
    rows = reader.fetch(f'SELECT count(*) AS n FROM "{name}"', name)["n"][0].as_py()
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


def _free_name(reader: Reader, name: str) -> str:
    """Return a name that no source has, though a.csv and a.xlsx stand side by side."""
    sql = "SELECT lower(table_name) AS n FROM information_schema.tables"
    taken = set(reader.fetch(sql, name)["n"].to_pylist())
    found, number = name, 2
    while found.lower() in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def dated_names(names: Iterable[str]) -> list[str]:
    """Return the names that are dates, of one form; none where fewer than two are."""
    names = list(names)
    for form in _WIDE_FORMATS:
        found = [n for n in names if not pd.isna(pd.to_datetime(n, format=form, errors="coerce"))]
        if len(found) > 1:
            return found
    return []


def _periods(names: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """Return the columns that are periods: dates, or one word with a running number."""
    names = list(names)
    weeks = [n for n in names if re.fullmatch(r"(19|20)\d{2}(0[1-9]|[1-4]\d|5[0-3])", n)]
    if len(weeks) >= _MIN_WIDE and any(int(n[4:]) > _MONTHS_OF_A_YEAR for n in weeks):
        return tuple(weeks), YEAR_WEEK
    form, dated = _dated_best(names)
    if len(dated) >= _MIN_WIDE:
        return tuple(dated), form
    numbered = [n for n in names if re.fullmatch(r"[A-Za-z]+_?\d+", n)]
    stems = {re.sub(r"\d+$", "", n) for n in numbered}
    if len(numbered) >= 4 * _MIN_WIDE and len(stems) == 1:
        return tuple(numbered), None
    return (), None


def _dated_best(names: list[str]) -> tuple[str | None, list[str]]:
    """Return the format of dates that most names have, and those names.

    Of two that fit as many (day and month exchanged) the one of the shorter stretch of time.
    """
    best: tuple[int, int] = (0, 0)
    taken: tuple[str | None, list[str]] = (None, [])
    series = pd.Series(names, dtype=object)
    for form in _WIDE_FORMATS:
        days = pd.to_datetime(series, format=form, errors="coerce")
        found = days.dropna()
        if not len(found) or found.duplicated().any():
            continue
        rank = len(found), -int((found.max() - found.min()).days)
        if len(found) > best[0] or (rank > best and swapped(form) in _WIDE_FORMATS):
            best, taken = rank, (form, [str(name) for name in series[days.notna()]])
    return taken


def _measured_periods(
    reader: Reader, name: str, types: Iterable[str]
) -> tuple[tuple[str, ...], tuple[date, ...] | None, Measured | None]:
    """Return the columns of periods that hold what was sold, their days, and what stands beside."""
    measured = measured_periods(types)
    found = {} if measured is None else days_of(reader, name, measured.labels)
    if len(found) < _MIN_WIDE or len(set(found.values())) < len(found):
        return (), None, None
    return tuple(found), tuple(found.values()), measured


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
        has_zone=kind == DATE and (names_zone(values) if is_text else declared in ZONED),
        is_text=is_text,
        days=days,
        expr=expr,
        is_fiscal=days is not None and are_periods(values),
    )


def _weeks_first(column: str, formats: list[str | None]) -> list[str | None]:
    """Return forms of dates, of 202401 to 202412 that of weeks first where the name says so."""
    if YEAR_WEEK not in formats or not _SAYS_WEEK.search(column.lower()):
        return formats
    return [YEAR_WEEK, *(form for form in formats if form != YEAR_WEEK)]


def _with_bare_days(values: Iterable[str]) -> list[str]:
    """Return texts, and the days of those that begin with a word: Summe 05.01.2026."""
    texts = list(values)
    return [*texts, *(found[0] for v in texts if (found := re.search(r"\d[\d./-]{5,}$", v)))]


def _is_retail_week(column: str, form: str | None, expr: str | None) -> bool:
    """Return whether a column holds weeks of a retailer's own year, and not of ISO 8601."""
    is_week = form in (*WEEKS, YEAR_WEEK) or expr is not None
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
        days = _believable(reader.fetch(sql, table)["d"].to_pylist())
        steps = pd.Series(days).diff().dt.days.dropna()
        is_even = bool((days.day == 1).all()) or (len(steps) > 1 and steps.nunique() == 1)
        regular.append((not is_even, (days.max() - days.min()).days if len(days) else 0))
    first = both[regular.index(min(regular))]
    return [first, *(form for form in formats if form != first)]


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
    return _believable(reader.fetch(sql, file.name)["d"].to_pylist())


def _believable(days: Iterable[date | None]) -> pd.DatetimeIndex:
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


def wide_pattern(form: str, names: Iterable[str]) -> str:
    """Return a regular expression of the column names that have a strptime format.

    Args:
        form: The format.
        names: Of the columns: where some write 1/5/2026, one figure is enough for all.
    """
    strict = _pattern_of(form, r"\d\d")
    return strict if all(re.fullmatch(strict, n) for n in names) else _pattern_of(form, r"\d\d?")


def _pattern_of(form: str, figures: str) -> str:
    parts = {
        "%G": r"\d\d\d\d",
        "%V": r"\d\d",
        "%Y": r"\d\d\d\d",
        "%b": r"[A-Za-z]+",
        "%m": figures,
        "%d": figures,
        "%y": r"\d\d",
    }
    pattern = re.escape(form).replace("\\-", "-").replace("\\ ", " ")
    for directive, digits in parts.items():
        pattern = pattern.replace(directive, digits)
    return pattern
