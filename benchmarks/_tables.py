"""Random tables in the ways companies write them, and an independent reader of their files.

Rows are texts by column. A style says how a date or a number is written, what the mapping has to
say of it, and how plain Python reads it back. The reader is csv, json, datetime, Decimal, sqlite3,
pyarrow and openpyxl; DuckDB only opens its own files, and hands their cells over as they are.
"""

import bz2
import csv
import gzip
import io
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, str]

NOON = timedelta(hours=12)
EAST = "Pacific/Auckland"
FORMATS = ("csv", "csv", "parquet", "parquet", "sql", "xlsx", "jsonl", "duckdb")
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Style:
    """A way of writing, what the mapping says of it, and how Python reads it back.

    Attributes:
        entry: Of the column in the mapping; {} in its expr is the column's name.
        write: Value to text.
        read: Text to value; raises ValueError or InvalidOperation where it is none.
        types: Kinds of typed cells that hold the same value: "number", "date", "moment".
    """

    entry: dict[str, Any]
    write: Callable[[Any], str]
    read: Callable[[str], Any]
    types: tuple[str, ...] = ()


def plain(value: Decimal) -> str:
    """Return a number as a person writes it: no exponent, no idle zeros."""
    return f"{value.normalize():f}"


def _signs(thousands: str, decimal: str, unit: str = "", minus: str = "-{}") -> Style:
    entry = {"decimal": decimal, "thousands": thousands} | ({"unit": unit} if unit else {})

    def write(value: Decimal) -> str:
        text = f"{abs(value):,}".replace(",", "_").replace(".", decimal).replace("_", thousands)
        text = f"{text} {unit}".strip()
        return minus.format(text) if value < 0 else text

    def read(text: str) -> Decimal:
        bare = text.replace(unit, "") if unit else text
        sign = -1 if set(bare) & set("-(") else 1
        digits = bare.strip("-() ").replace(thousands, "").replace(decimal, ".")
        return sign * Decimal(digits)

    # 11.622 may be a text of eleven thousand, and is a number of eleven: whole ones are typed.
    return Style(entry, write, read, ("whole",))


NUMBERS = (
    Style({}, plain, Decimal, ("number",)),
    Style({}, plain, Decimal, ("number",)),
    _signs(".", ","),
    _signs(",", "."),
    _signs(" ", ",", "kg"),
    _signs("'", ".", "€"),
    _signs(".", ",", minus="{}-"),
    _signs(",", ".", minus="({})"),
)


def _dated(form: str, types: tuple[str, ...] = (), **entry: Any) -> Style:
    def read(text: str) -> date:
        return datetime.strptime(text.removesuffix(" 00:00:00"), form).date()

    return Style(entry, lambda d: d.strftime(form), read, types)


def _moment(form: str, there: str, types: tuple[str, ...] = (), **entry: Any) -> Style:
    """Stamps at noon in a zone; the day counts that Auckland has then."""

    def write(day: date) -> str:
        noon = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(there)) + NOON
        return noon.strftime(form)

    def read(text: str) -> date:
        stamp = datetime.strptime(text, form)
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=ZoneInfo(there))
        return stamp.astimezone(ZoneInfo(EAST)).date()

    return Style({"to_timezone": EAST, **entry}, write, read, types)


def _by_sql(form: str, there: str, kind: str, types: tuple[str, ...] = ()) -> Style:
    """Stamps at noon in a zone whose day in Auckland the mapping works out itself."""
    style = _moment(form, there, types)
    moment = f"TRY_CAST({{}} AS {kind})"
    if kind == "TIMESTAMP":
        moment = f"({moment} AT TIME ZONE '{there}')"
    return Style({"expr": f"{moment} AT TIME ZONE '{EAST}'"}, style.write, style.read, types)


DATES = (
    _dated("%Y-%m-%d", ("date",)),
    _dated("%Y-%m-%d", ("date",)),
    _dated("%d.%m.%Y"),
    _dated("%d/%m/%Y"),
    _dated("%m/%d/%Y"),
    _dated("%d-%b-%y"),
    _dated("%Y%m%d"),
    _dated("%B %d %Y"),
    _dated("%G-W%V-%u"),
    _dated("%d|%m|%Y", format="%d|%m|%Y"),
    _moment("%Y-%m-%dT%H:%M:%S%z", "America/New_York", ("moment",)),
    _moment("%Y-%m-%d %H:%M:%S %z", "Europe/Paris"),
    _moment("%Y-%m-%d %I:%M %p", "Asia/Tokyo", from_timezone="Asia/Tokyo"),
    _dated("%d.%m.%Y", expr="day({}, '%d.%m.%Y')"),
    _by_sql("%Y-%m-%dT%H:%M:%S%z", "America/New_York", "TIMESTAMPTZ", ("moment",)),
    _by_sql("%Y-%m-%d %H:%M:%S", "Asia/Tokyo", "TIMESTAMP"),
)
# No day above 12 tells the order of day and month: nobody can read it.
AMBIGUOUS = Style({}, lambda d: f"{d.day % 12 + 1:02d}/01/{d.year}", lambda _: Decimal("soon"))


def tried(convert: Callable[[str], Any], text: str) -> Any:
    """Return what a text holds, None where it holds nothing or nothing that can be read."""
    try:
        return convert(text.strip()) if text.strip() else None
    except (ValueError, InvalidOperation):
        return None


@dataclass(frozen=True)
class Writer:
    """How the tables of one data set are stored.

    Attributes:
        rng: Of all that is random.
        data: Folder of the data.
        form: One of FORMATS.
        typed: Whether cells that are numbers or dates are stored as such.
        types: By column, what its cells may be stored as.
    """

    rng: random.Random
    data: Path
    form: str
    typed: bool
    types: dict[str, tuple[str, ...]]

    def write(self, name: str, columns: Sequence[str], rows: list[Row]) -> Any:
        """Write a table and return its source in the mapping."""
        if self.form == "sql":
            return self._write_sql(name, columns, rows)
        if self.form == "duckdb":
            return self._write_duckdb(name, columns, rows)
        if self.form == "xlsx":
            return self._write_book(name, columns, rows)
        (self.data / name).mkdir()
        number = self.rng.randint(1, 3)
        encoding = self.rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"])
        for folder, held, some in self._parts(name, columns, rows, number):
            folder.mkdir(exist_ok=True)
            order = self.rng.sample(held, len(held))
            file = folder / f"{self.rng.randrange(100):02d}-{len(list(folder.iterdir()))}"
            if self.form == "parquet":
                arrays = [self._array(column, [row[column] for row in some]) for column in order]
                pq.write_table(pa.table(dict(zip(order, arrays, strict=True))), f"{file}.parquet")
            elif self.form == "jsonl":
                self._write_json(file, order, some)
            else:
                self._write_csv(file, encoding, order, some)
        if self.form == "csv" and encoding == "utf-16":
            return {"path": name, "encoding": encoding}
        return name

    def _parts(
        self, name: str, columns: Sequence[str], rows: list[Row], number: int
    ) -> list[tuple[Path, list[str], list[Row]]]:
        """Return folder, columns and rows of each file; a lake names its stores in folders."""
        folder = self.data / name
        if "store" in columns and self.rng.random() < 0.25 and all(row["store"] for row in rows):
            held = [column for column in columns if column != "store"]
            stores = sorted({row["store"] for row in rows})
            return [
                (folder / f"store={store}", held, [row for row in rows if row["store"] == store])
                for store in stores
            ]
        return [(folder, list(columns), rows[part::number]) for part in range(number)]

    def _write_csv(self, file: Path, encoding: str, order: list[str], rows: list[Row]) -> None:
        text = io.StringIO(newline="")
        ends = self.rng.choice(["\n", "\r\n"])
        writer = csv.writer(text, delimiter=self.rng.choice(_DELIMITERS), lineterminator=ends)
        writer.writerows([order, *([row[column] for column in order] for row in rows)])
        content = text.getvalue().encode(encoding)
        packed = self.rng.random()
        if packed < 0.1:
            with zipfile.ZipFile(file.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("export.csv", content)
        elif packed < 0.3:
            file.with_suffix(".csv.gz").write_bytes(gzip.compress(content, 1))
        elif packed < 0.4:
            file.with_suffix(".csv.bz2").write_bytes(bz2.compress(content))
        else:
            file.with_suffix(".csv").write_bytes(content)

    def _write_sql(self, name: str, columns: Sequence[str], rows: list[Row]) -> dict[str, str]:
        file = self.data / f"{name}.db"
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            named = ", ".join(f'"{column}"' for column in columns)
            connection.execute(f"CREATE TABLE t ({named})")
            cells = [[self._cell(c, row[c]) for c in columns] for row in rows]
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", cells)
            connection.execute("CREATE TABLE notes (text)")
        connection.close()
        if self.rng.random() < 0.5:
            return {"path": f"{name}.db", "sheet": "t"}
        return {"url": f"sqlite:///{file}", "query": "SELECT * FROM t ORDER BY rowid"}

    def _write_duckdb(self, name: str, columns: Sequence[str], rows: list[Row]) -> str:
        arrays = [self._array(column, [row[column] for row in rows]) for column in columns]
        with duckdb.connect(str(self.data / f"{name}.duckdb")) as connection:
            connection.register("rows", pa.table(dict(zip(columns, arrays, strict=True))))
            connection.execute("CREATE TABLE t AS SELECT * FROM rows")
        return f"{name}.duckdb"

    def _write_json(self, file: Path, order: list[str], rows: list[Row]) -> None:
        """Write an object a line, or a list; a blank is null, "" or, but for the first row, not."""
        told = []
        for number, row in enumerate(rows):
            cells = {column: self._cell(column, row[column]) for column in order}
            if number and self.rng.random() < 0.5:
                cells = {column: cell for column, cell in cells.items() if cell is not None}
            told.append(json.dumps(cells, ensure_ascii=self.rng.random() < 0.5))
        if self.rng.random() < 0.3:
            file.with_suffix(".json").write_text(f"[{','.join(told)}]", encoding="utf-8")
        elif self.rng.random() < 0.3:
            content = "\n".join(told).encode()
            file.with_suffix(".jsonl.gz").write_bytes(gzip.compress(content, 1))
        else:
            file.with_suffix(".jsonl").write_text("\n".join(told), encoding="utf-8")

    def _write_book(self, name: str, columns: Sequence[str], rows: list[Row]) -> Any:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet(name)
        order = self.rng.sample(list(columns), len(columns))
        sheet.append(order)
        for row in rows:
            sheet.append([self._cell(c, row[c], dates=True) for c in order])
        book.create_sheet("notes").append(["nothing of interest"])
        book.save(self.data / f"{name}.xlsx")
        return {"path": f"{name}.xlsx", "sheet": name}

    def _cell(self, column: str, text: str, *, dates: bool = False) -> Any:
        """Return a cell as a number or date where it is stored as such, else as text."""
        kinds = self.types.get(column, ()) if self.typed else ()
        for kind in kinds:
            if kind in ("number", "whole") or (kind == "date" and dates):
                value = tried(_CONVERT[kind], text)
                if value is not None and text_of(value) == text:
                    return value
        return text or None

    def _array(self, column: str, cells: list[str]) -> pa.Array:
        """Return a column as a type in which every cell reads back as it was, else as text."""
        given = [cell or None for cell in cells]
        for kind in self.types.get(column, ()) if self.typed else ():
            for typed in self.rng.sample(_ARROW[kind], len(_ARROW[kind])):
                try:
                    values = [None if c is None else _CONVERT[kind](c) for c in given]
                    array = pa.array([_fitting(v, typed) for v in values], typed)
                except (ValueError, OverflowError, InvalidOperation, pa.ArrowInvalid):
                    continue
                same = kind == "moment" or [text_of(v) or None for v in array.to_pylist()] == given
                if same:
                    return array
        return pa.array(given, pa.string())


def _number(text: str) -> int | float:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return int(value) if value == value.to_integral_value() else float(value)


_CONVERT: dict[str, Callable[[str], Any]] = {
    "number": _number,
    "whole": int,
    "date": lambda text: datetime.strptime(text, "%Y-%m-%d"),
    "moment": lambda text: datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z"),
}
_ARROW: dict[str, list[Any]] = {
    "number": [pa.int64(), pa.int32(), pa.float64(), pa.decimal128(18, 2), pa.float32()],
    "whole": [pa.int64(), pa.int32()],
    "date": [pa.date32(), pa.timestamp("us"), pa.timestamp("ns")],
    "moment": [
        pa.timestamp("us", "UTC"),
        pa.timestamp("ms", "Europe/Paris"),
        pa.timestamp("ns", "Europe/Berlin"),
    ],
}


def _fitting(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_decimal(kind):
        return Decimal(str(value))
    if pa.types.is_integer(kind) and isinstance(value, float):
        raise ValueError(value)
    return value.date() if pa.types.is_date(kind) else value


def text_of(value: Any) -> str:
    """Return a stored cell as the text it stands for."""
    if value is None:
        return ""
    if isinstance(value, (float, Decimal)):
        return plain(Decimal(str(value)))
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
        return value.strftime("%Y-%m-%d") if value.time() == datetime.min.time() else str(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def rows_of(data: Path, name: str) -> list[Row]:
    """Return the rows of a table as texts, in the order of its files' names."""
    if (data / f"{name}.db").is_file():
        with sqlite3.connect(data / f"{name}.db") as connection:
            found = connection.execute("SELECT * FROM t ORDER BY rowid")
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, map(text_of, row), strict=True)) for row in found]
        connection.close()
        return rows
    if (data / f"{name}.xlsx").is_file():
        book = openpyxl.load_workbook(data / f"{name}.xlsx", read_only=True)
        header, *cells = book[name].values
        book.close()
        # A row ends with its last cell that holds something.
        texts = [[text_of(cell).strip() for cell in row] for row in cells]
        return [dict(zip_longest(header, row, fillvalue="")) for row in texts]
    if (data / f"{name}.duckdb").is_file():
        with duckdb.connect(str(data / f"{name}.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone='UTC'")
            connection.execute("SET enable_progress_bar=false")
            stored = connection.sql("SELECT * FROM t").to_arrow_table().to_pylist()
        return [{k: text_of(v) for k, v in row.items()} for row in stored]
    found_rows: list[Row] = []
    for file in sorted(p for p in (data / name).rglob("*") if p.is_file()):
        told = dict(part.split("=") for part in file.parts if part.startswith("store="))
        if file.suffix == ".parquet":
            table = pq.ParquetFile(file).read().to_pylist()
            found_rows += [{k: text_of(v) for k, v in row.items()} | told for row in table]
        elif ".json" in file.name:
            found_rows += [row | told for row in _json_rows(file)]
        else:
            found_rows += [row | told for row in _csv_rows(file)]
    return found_rows


def _unpacked(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix == ".bz2":
        return bz2.decompress(content)
    return gzip.decompress(content) if file.suffix == ".gz" else content


def _json_rows(file: Path) -> list[Row]:
    text = _unpacked(file).decode()
    told = json.loads(text) if file.suffix == ".json" else map(json.loads, text.splitlines())
    rows = list(told)
    names = dict.fromkeys(rows[0] if rows else (), "")
    return [names | {column: text_of(cell) for column, cell in row.items()} for row in rows]


def _csv_rows(file: Path) -> list[Row]:
    content = _unpacked(file)
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            content = archive.read("export.csv")
    marks = (b"\xff\xfe", b"\xfe\xff")
    text = content.decode("utf-16" if content[:2] in marks else "utf-8-sig")
    head = text.splitlines()[0]
    delimiter = max(_DELIMITERS, key=head.count)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
