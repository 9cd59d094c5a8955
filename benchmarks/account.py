"""Random mappings and files, read by invopt and recounted by an independent reader, row by row.

Each data set has a table of sales, one of stock and one of orders under way, in files of random
number, order, types and ways of writing dates and numbers, with blanks and faults. The independent
reader is Python's csv module, datetime and Decimal (pyarrow for parquet), and knows nothing of
DuckDB. Every row must be used, left out or set aside, and no value may change.
"""

import argparse
import csv
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from invopt.panel import Flag, load_panel
from invopt.sources import Mapping, read_dataset, read_position

TABLES_EACH = 3
_FIRST = date(2024, 1, 9)
_NUM_DAYS = 25
_NOON = timedelta(hours=12)
_EAST = "Pacific/Auckland"

Cell = tuple[str, date]


@dataclass(frozen=True)
class Style:
    """A way of writing, what the mapping says of it, and how Python reads it back."""

    entry: dict[str, Any]
    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _grouped(value: Decimal, thousands: str, decimal: str) -> str:
    text = f"{value:,}".replace(",", "_").replace(".", decimal)
    return text.replace("_", thousands)


def _signs(thousands: str, decimal: str, unit: str = "") -> Style:
    entry = {"decimal": decimal, "thousands": thousands} | ({"unit": unit} if unit else {})

    def read(text: str) -> Decimal:
        return Decimal(text.removesuffix(unit).strip().replace(thousands, "").replace(decimal, "."))

    return Style(entry, lambda v: f"{_grouped(v, thousands, decimal)} {unit}".strip(), read)


NUMBERS = (
    Style({}, _plain, Decimal),
    _signs(".", ","),
    _signs(",", "."),
    _signs(" ", ",", "kg"),
    _signs("'", ".", "€"),
)


def _dated(form: str, **entry: Any) -> Style:
    return Style(
        entry, lambda d: d.strftime(form), lambda text: datetime.strptime(text, form).date()
    )


def _moment(form: str, there: str, **entry: Any) -> Style:
    """Stamps at noon in a zone; the day counts that Auckland has then."""

    def write(day: date) -> str:
        noon = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(there)) + _NOON
        return noon.strftime(form)

    def read(text: str) -> date:
        stamp = datetime.strptime(text, form)
        if stamp.tzinfo is None:
            stamp = stamp.replace(tzinfo=ZoneInfo(there))
        return stamp.astimezone(ZoneInfo(_EAST)).date()

    return Style({"to_timezone": _EAST, **entry}, write, read)


DATES = (
    _dated("%Y-%m-%d"),
    _dated("%d.%m.%Y"),
    _dated("%d/%m/%Y"),
    _dated("%m/%d/%Y"),
    _dated("%d-%b-%y"),
    _dated("%Y%m%d"),
    _dated("%B %d %Y"),
    _dated("%G-W%V-%u"),
    _dated("%d|%m|%Y", format="%d|%m|%Y"),
    _moment("%Y-%m-%dT%H:%M:%S%z", "America/New_York"),
    _moment("%Y-%m-%d %H:%M:%S %z", "Europe/Paris"),
    _moment("%Y-%m-%d %I:%M %p", "Asia/Tokyo", from_timezone="Asia/Tokyo"),
)


@dataclass
class DataSet:
    """What was written: the mapping, and the styles that read the files back."""

    mapping: dict[str, Any]
    ds: Style
    number: Style
    net: bool
    where: bool
    lots: bool


def make(rng: random.Random, folder: Path) -> DataSet:
    """Write a random data set into a folder and return what it is."""
    ds, number = rng.choice(DATES), rng.choice(NUMBERS)
    net, where, lots = (rng.random() < 0.5 for _ in range(3))
    header = ["day", "store", "sku", "qty", "status"]
    skus = rng.sample(["0071", "71", "A 1", "a 1", "Köln", "9", "1e3"], rng.randint(1, 4))
    rows = [
        _fault(
            rng,
            [
                ds.write(_FIRST + timedelta(days=rng.randrange(_NUM_DAYS))),
                rng.choice(["s1", "02"]),
                rng.choice(skus),
                number.write(Decimal(rng.randint(-40 if net else 0, 40_000)) / 4),
                rng.choice(["", "ok", "void"]),
            ],
        )
        for _ in range(rng.randint(30, 120))
    ]
    # A day above 12 tells the order of day and month, and the first lines are sound.
    rows[:0] = [
        [ds.write(_FIRST + timedelta(days=k)), "s1", skus[0], number.write(Decimal(k)), "ok"]
        for k in range(_NUM_DAYS)
    ]
    stock = [
        [rng.choice(["s1", "02", "x"]), rng.choice(skus), _units(rng, number, -5)]
        for _ in range(rng.randint(1, 12))
    ]
    orders = [
        [rng.choice(["s1", "x"]), rng.choice(skus), str(rng.randint(-3, 9)), _units(rng, number, 0)]
        for _ in range(rng.randint(1, 12))
    ]
    kinds: dict[Any, Any] | None = None
    if rng.random() < 0.4:
        # 11.622 may be a text of eleven thousand, and is a number of eleven.
        kinds = {pa.int64(): int} | ({pa.float64(): float} if number is NUMBERS[0] else {})
    _write_parts(rng, folder / "lines", header, rows, kinds)
    _write_parts(rng, folder / "stock", ["store", "sku", "n"], stock, kinds)
    _write_parts(rng, folder / "orders", ["store", "sku", "due", "n"], orders, kinds)
    quantity = {"expr": "n", **number.entry}
    mapping = {
        "name": "t",
        "frequency": "D",
        "unique_id": "sku || '_' || store",
        "sources": {"lines": "lines", "stock": "stock", "orders": "orders"},
        "sales": {
            "from": "lines", "layout": "transactions", "ds": {"expr": "day", **ds.entry},
            "columns": {"y": {"expr": "qty", **number.entry}},
            "returns": "net" if net else "reject",
        } | ({"where": "status <> 'void'"} if where else {}),
        "position": {
            "from": "stock",
            "columns": {"on_hand": quantity | ({"aggregate": "sum"} if lots else {})},
        },
        "open_orders": {"from": "orders", "columns": {"due_in": "due", "quantity": quantity}},
    }  # fmt: skip
    return DataSet(mapping, ds, number, net=net, where=where, lots=lots)


def _units(rng: random.Random, number: Style, least: int) -> str:
    return number.write(Decimal(rng.randint(least, 9_000)))


def _fault(rng: random.Random, row: list[str]) -> list[str]:
    if rng.random() < 0.1:
        at, text = rng.choice([(0, ""), (0, "soon"), (2, ""), (3, ""), (3, "many"), (3, "1;2")])
        row[at] = text
    return row


def _write_parts(
    rng: random.Random,
    folder: Path,
    header: list[str],
    rows: list[list[str]],
    kinds: dict[Any, Any] | None,
) -> None:
    """Write rows as files of random number, each with its columns in an order of its own.

    Args:
        rng: Of all that is random.
        folder: To make.
        header: Columns.
        rows: Of text.
        kinds: Types of parquet, and how Python reads a text as one; None for CSV.
    """
    folder.mkdir()
    number = rng.randint(1, 3)
    for part in range(number):
        order = rng.sample(range(len(header)), len(header))
        names = [header[k] for k in order]
        cells = [[row[k] for k in order] for row in rows[part::number]]
        file = folder / f"{rng.randrange(100)}-{part}"
        if kinds is not None:
            arrays = [_array([row[k] for row in cells], kinds) for k in range(len(order))]
            pq.write_table(pa.table(dict(zip(names, arrays, strict=True))), f"{file}.parquet")
        else:
            with Path(f"{file}.csv").open("w", newline="", encoding="utf-8") as handle:
                csv.writer(handle, delimiter=rng.choice(",\t|")).writerows([names, *cells])


def _array(cells: list[str], kinds: dict[Any, Callable[[str], Any]]) -> pa.Array:
    """Return a column as numbers where every cell is one and reads back as it was, else as text."""
    given = [cell or None for cell in cells]
    for kind, convert in kinds.items():
        try:
            values = [None if c is None else convert(c) for c in given]
        except ValueError:
            continue
        plain = [None if v is None else _plain(Decimal(str(v))) for v in values]
        if plain == given:
            return pa.array(values, kind)
    return pa.array(given, pa.string())


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a folder's files as text, in the order of the files' names."""
    found: list[dict[str, str]] = []
    for file in sorted(folder.iterdir()):
        if file.suffix == ".parquet":
            for row in pq.read_table(file).to_pylist():
                found.append({k: _text(v) for k, v in row.items()})
        else:
            with file.open(newline="", encoding="utf-8") as handle:
                dialect = csv.Sniffer().sniff(handle.readline(), ",\t|")
                handle.seek(0)
                found += list(csv.DictReader(handle, delimiter=dialect.delimiter))
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _plain(Decimal(str(value))) if isinstance(value, float) else str(value)


def _try(convert: Callable[[str], Any], text: str) -> Any:
    try:
        return convert(text.strip()) if text.strip() else None
    except (ValueError, InvalidOperation):
        return None


def check(case: DataSet, folder: Path, out: Path) -> Counter[str]:
    """Read a data set both ways and return its rows by what became of them.

    Raises:
        AssertionError: If the two differ in a row or a value.
    """
    report = read_dataset(Mapping.model_validate(case.mapping), folder, out, max_bad_share=1.0)
    found = {a.table: a for a in report.accounting}
    sold, unknown, fate = _sales(case, rows_of(folder / "lines"))
    sales = found["sales"]
    assert sales.rows_in == sum(fate.values()), (sales, fate)
    assert sales.rows_filtered == fate["filtered"], (sales, fate)
    assert sales.rows_used == fate["used"], (sales, fate)
    assert sum(sales.quarantined.values()) == fate["aside"], (sales, fate)
    panel = load_panel(out)
    days = [d.date() for d in panel.timeline.dates()]
    read = {
        (str(key), days[t]): Decimal(str(float(panel.y[i, t])))
        for i, key in enumerate(panel.unique_ids)
        for t in np.flatnonzero((panel.flags[i] & (Flag.FILLED | Flag.MISSING)) == 0)
    }
    expected = {cell: n for cell, n in sold.items() if cell not in unknown}
    assert read == expected, (case.mapping, set(read.items()) ^ set(expected.items()))
    _check_position(case, folder, out, {key for key, _ in sold}, found)
    for table in report.accounting:
        aside = sum(table.quarantined.values())
        assert table.rows_in == table.rows_used + table.rows_filtered + aside, table
        fate[table.table] += table.rows_in
    return fate


def _sales(
    case: DataSet, rows: list[dict[str, str]]
) -> tuple[dict[Cell, Decimal], set[Cell], Counter[str]]:
    """Return units by cell, the cells of refused lines, and rows by fate."""
    sold: dict[Cell, Decimal] = {}
    unknown: set[Cell] = set()
    fate: Counter[str] = Counter(used=0, filtered=0, aside=0)
    for row in rows:
        if case.where and row["status"] == "void":
            fate["filtered"] += 1
            continue
        key = f"{row['sku']}_{row['store']}" if row["sku"] else None
        day, units = _try(case.ds.read, row["day"]), _try(case.number.read, row["qty"])
        returned = units is not None and units < 0 and not case.net
        if key is None or day is None or units is None or returned:
            fate["aside"] += 1
            if key is not None and day is not None and not returned:
                unknown.add((key, day))
            continue
        fate["used"] += 1
        sold[key, day] = sold.get((key, day), Decimal(0)) + units
    return sold, unknown, fate


def _check_position(
    case: DataSet, folder: Path, out: Path, series: set[str], found: dict[str, Any]
) -> None:
    position, orders = read_position(out)
    assert position is not None
    assert orders is not None
    on_hand: dict[str, Decimal] = {}
    rows, known = rows_of(folder / "stock"), 0
    for row in rows:
        key = f"{row['sku']}_{row['store']}"
        if key in series and (case.lots or key not in on_hand):
            on_hand[key] = on_hand.get(key, Decimal(0)) + case.number.read(row["n"])
            known += 1
    waiting = position.get("backorders", 0)
    read = dict(zip(position["unique_id"], position["on_hand"] - waiting, strict=True))
    assert read == {key: float(n) for key, n in on_hand.items()}, (read, on_hand)
    assert (found["position"].rows_in, found["position"].rows_used) == (len(rows), known)
    due: dict[tuple[str, int], Decimal] = {}
    rows, known = rows_of(folder / "orders"), 0
    for row in rows:
        key = f"{row['sku']}_{row['store']}"
        if key in series:
            at = key, int(row["due"])
            due[at] = due.get(at, Decimal(0)) + case.number.read(row["n"])
            known += 1
    pairs = zip(orders["unique_id"], orders["due_in"], strict=True)
    read_due = dict(zip(pairs, orders["quantity"], strict=True))
    assert read_due == {at: float(n) for at, n in due.items()}, (read_due, due)
    assert (found["open_orders"].rows_in, found["open_orders"].rows_used) == (len(rows), known)


def run(num_sets: int, seed: int) -> Counter[str]:
    """Make and check data sets, one seed each, and return rows by fate and table."""
    total: Counter[str] = Counter()
    for number in range(num_sets):
        with tempfile.TemporaryDirectory(prefix="invopt-account-") as scratch:
            folder = Path(scratch) / "data"
            folder.mkdir()
            try:
                case = make(random.Random(seed + number), folder)  # noqa: S311
                total += check(case, folder, Path(scratch) / "out")
            except Exception as err:
                err.add_note(f"data set of seed {seed + number}")
                raise
    return total


def main(rest: list[str]) -> None:
    """Read and recount data sets, and print how many rows became what."""
    parser = argparse.ArgumentParser(prog="invopt bench account")
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(rest)
    began = time.process_time()
    total = run(-(-parsed.tables // TABLES_EACH), parsed.seed)
    print(f"{parsed.tables:,} tables read and recounted, none differs:")
    for fate, rows in total.items():
        print(f"  {fate:<12} {rows:>10,}")
    print(f"in {time.process_time() - began:.0f} s of processor time, {datetime.now(UTC):%Y-%m-%d}")
