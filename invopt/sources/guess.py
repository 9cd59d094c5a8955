"""A first mapping of a company's files, to be read and corrected by a person."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from invopt.errors import InvalidInputError
from invopt.sources.companions import Companions
from invopt.sources.dataset import read_dataset
from invopt.sources.duck import Reader
from invopt.sources.inspect import (
    DATE,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_of,
    dates_in,
    inspect_files,
    num_distinct,
    wide_pattern,
)
from invopt.sources.mapping import load_mapping
from invopt.sources.standard import literal, quote
from invopt.sources.words import Keys, by_word, date_entry, named, number_entry
from invopt.timeline import usual_frequency

_UNIQUE = 0.99  # share of rows with a key of their own, faulty files included
_CANCELLED = r"cancel|void|storn|annul|revers"
_SALES = r"sale|order|invoice|line|demand|train"


def write_mapping(data: Path, out: Path) -> list[str]:
    """Write a first mapping of a folder's files, try it, and return what a person should know.

    Raises:
        InvalidInputError: If there are no files, none looks like sales, or `out` exists.
    """
    if not data.is_dir():
        raise InvalidInputError(f"{data} is not a folder.")
    if out.exists():
        raise InvalidInputError(f"{out} exists; name another file with --out.")
    name = re.sub(r"\W", "_", out.stem)
    with tempfile.TemporaryDirectory(prefix="invopt-mapping-") as scratch:
        text = guess_mapping(data, Path(scratch) / "looking", name)
        mapping = Path(scratch) / "mapping.yaml"
        mapping.write_text(text)
        report = read_dataset(
            load_mapping(mapping), data, Path(scratch) / "read", max_bad_share=1.0
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mapping, out)
    lines = [
        f"wrote {out}: {report.num_series} series, {report.first} to {report.last}. "
        "Read it and correct it; docs/your-data.md says what every key means."
    ]
    for table in report.accounting:
        why = "; ".join(f"{n} rows: {reason}" for reason, n in table.quarantined.items())
        line = f"  {table.table}: {table.rows_used} of {table.rows_in} rows used"
        lines.append(f"{line} ({why})" if why else line)
    notes = [line.removeprefix("# ") for line in text.splitlines()[2:] if line.startswith("# ")]
    return lines + [f"  {note}" for note in [*report.notes, *notes]]


def guess_mapping(data: Path, scratch: Path, name: str) -> str:
    """Return the text of a mapping of a folder's files, comments included.

    Raises:
        InvalidInputError: If no file looks like sales.
    """
    with Reader(data, scratch, {}) as reader:
        files = inspect_files(reader, data)
        sales = _sales_file(files)
        keys = Keys.of(sales)
        notes: list[str] = []
        if sales.periods:
            dates, table = _wide(reader, files, sales)
        else:
            dates, table = dates_in(reader, sales), _long(reader, sales, keys, notes)
        others = [file for file in files if file is not sales]
        found = Companions(reader, sales, keys, dates, table, notes)
        found.place(others)
    content = {
        "name": name,
        "frequency": usual_frequency(dates),
        "unique_id": keys.expression,
        "sources": {},
        "sales": table,
        **found.tables,
    }
    used = {t["from"] for t in _tables(content)} | {table.get("wide", {}).get("lookup")}
    used |= {source for name in used for source in found.behind.get(name, ())}
    content["sources"] = {f.name: _source(f) for f in files if f.name in used} | found.sources
    head = [
        f"# A first mapping of {data.name}, made by looking at the files: read it, correct it.",
        "# docs/your-data.md says what every key means.",
        *(f"# {note}" for note in notes),
    ]
    return "\n".join(head) + "\n" + yaml.safe_dump(content, sort_keys=False, width=100)


def _source(file: FileFacts) -> Any:
    return file.path if file.encoding == "utf-8" else {"path": file.path, "encoding": file.encoding}


def _tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for value in content.values():
        found += [t for t in (value if isinstance(value, list) else [value]) if isinstance(t, dict)]
    return [table for table in found if "from" in table]


def _sales_file(files: list[FileFacts]) -> FileFacts:
    """Return the file that looks most like sales: keys, dates and a quantity; most rows win."""
    wide = [f for f in files if f.periods and Keys.of(f).there]
    long = [f for f in files if f.of_kind(DATE) and Keys.of(f).there and _quantity(f) is not None]
    candidates = [f for f in (*wide, *long) if re.search(_SALES, f.name.lower())]
    candidates = candidates or [*wide, *long]
    if not candidates:
        seen = "; ".join(
            f"{f.path}: {', '.join(f'{c.name} ({c.kind})' for c in f.columns[:8])}"
            for f in files[:5]
        )
        raise InvalidInputError(
            "no file looks like sales: one needs a date (or a column per period), a quantity and "
            f"a product or place. Found {seen}. Write the mapping by hand, see docs/your-data.md."
        )
    return max(candidates, key=lambda f: f.num_rows * max(1, len(f.periods)))


def _quantity(file: FileFacts) -> ColumnFacts | None:
    keys = set(Keys.of(file).there)
    numbers = {c.name: c for c in file.of_kind(NUMBER) if c.name not in keys}
    name = by_word(list(numbers), "y")
    return numbers.get(name) if name else None


def _long(reader: Reader, file: FileFacts, keys: Keys, notes: list[str]) -> dict[str, Any]:
    quantity = _quantity(file)
    assert quantity is not None
    date = date_of(file)
    columns: dict[str, Any] = {"y": number_entry(quantity)}
    left = [c for c in file.of_kind(NUMBER) if c.name not in (quantity.name, *keys.there)]
    for column in ("price", "discount"):
        if (name := by_word([c.name for c in left], column)) is not None:
            columns[column] = number_entry(next(c for c in left if c.name == name))
    table: dict[str, Any] = {"from": file.name, "ds": date_entry(date), "columns": columns}
    if num_distinct(reader, file, [*keys.there, date.name]) < _UNIQUE * file.num_rows:
        table["layout"] = "transactions"
    if quantity.has_negative:
        table["returns"] = "net"
    for text in file.of_kind(TEXT):
        cancelled = [v for v in text.values if re.search(_CANCELLED, v.lower())]
        if cancelled and len(cancelled) < len(text.values):
            listed = ", ".join(map(literal, cancelled))
            table["where"] = f"coalesce({quote(text.name)}, '') NOT IN ({listed})"
        if "currency" in text.name.lower() and len(text.values) > 1:
            notes.append(
                f"{file.name} has several currencies ({', '.join(text.values)}): join the rates "
                "in a source of SQL before prices are used, see docs/your-data.md"
            )
    return table


def _wide(
    reader: Reader, files: list[FileFacts], file: FileFacts
) -> tuple[pd.DatetimeIndex, dict[str, Any]]:
    """Return the dates and the sales table of a file with a column per period."""
    table: dict[str, Any] = {"from": file.name, "layout": "wide"}
    if file.periods_format is not None:
        dates = pd.to_datetime(list(file.periods), format=file.periods_format)
        wide = {"columns": wide_pattern(file.periods_format), "format": file.periods_format}
        return dates, table | {"wide": wide}
    stem = re.sub(r"\d+$", "", file.periods[0])
    wide = {"columns": re.escape(stem).replace("\\_", "_") + r"\d+"}
    for other in files:
        for column in other.columns if other is not file and other.of_kind(DATE) else ():
            rows = reader.fetch(
                f'SELECT count(*) AS n FROM "{other.name}" '
                f"WHERE {quote(column.name)}::VARCHAR = {literal(file.periods[0])}",
                other.name,
            )
            if rows["n"][0].as_py():
                wide |= {"lookup": other.name, "key": column.name, "ds": named(date_of(other).name)}
                return dates_in(reader, other), table | {"wide": wide}
    raise InvalidInputError(
        f"{file.path} has a column per period ({file.periods[0]} …) and no file says their dates; "
        "add a calendar with a row per column, or write the mapping by hand."
    )
