"""A first mapping of a company's files, to be read and corrected by a person."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from invopt.errors import InvalidInputError
from invopt.sources.dataset import read_dataset
from invopt.sources.duck import Reader
from invopt.sources.inspect import DATE, NUMBER, ColumnFacts, FileFacts, inspect_files
from invopt.sources.mapping import load_mapping
from invopt.sources.standard import literal, quote

# Words in column names, most telling first.
_WORDS = {
    "product": ("sku", "item", "product", "article", "material", "dept", "department"),
    "location": ("store", "shop", "location", "warehouse", "site", "branch", "agency", "outlet"),
    "y": ("quantity", "qty", "units", "sales", "sold", "demand", "volume", "amount"),
    "price": ("unit_price", "sell_price", "price"),
    "discount": ("discount", "markdown", "rebate"),
    "on_hand": ("on_hand", "onhand", "end inventory", "closing", "stock", "inventory"),
    "on_order": ("on_order", "in_transit", "ordered"),
    "hours_out_of_stock": ("hours_out",),
    "in_stock": ("in_stock", "available"),
}
_DOMAINS = {
    "stock": ("stock", "inventory", "on_hand", "warehouse"),
    "promotions": ("promo", "campaign", "markdown", "offer", "discount"),
    "customers": ("customer", "visit", "loyalty", "segment"),
    "market": ("market", "competitor", "price", "industry"),
}
_SERIES = ("unique_id", "series", "series_id", "item_store", "store_item")
_WIDE_ROLES = ("in_stock", "hours_out_of_stock", "price", "discount", "on_hand")
_UNIQUE = 0.99  # share of rows with a key of their own, faulty files included
_OTHER_KEYS = "it has no date, and its keys are not those of the sales"
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass(frozen=True)
class _Keys:
    """Columns that name a row's series: its product and place, or the series itself."""

    product: str | None
    location: str | None
    series: str | None

    @classmethod
    def of(cls, file: FileFacts) -> "_Keys":
        names = [c.name for c in file.columns if c.kind != DATE]
        series = next((n for n in names if n.lower() in _SERIES), None)
        return cls(_by_word(names, "product"), _by_word(names, "location"), series)

    @property
    def there(self) -> list[str]:
        return [name for name in (self.product, self.location) if name is not None]

    @property
    def columns(self) -> dict[str, str]:
        """The keys as columns of products."""
        both = {"product": self.product, "location": self.location}
        return {role: _named(name) for role, name in both.items() if name is not None}

    @property
    def expression(self) -> str:
        return " || '_' || ".join(_named(name) for name in self.there)


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
    return lines + [f"  {note}" for note in report.notes]


def guess_mapping(data: Path, scratch: Path, name: str) -> str:
    """Return the text of a mapping of a folder's files, comments included.

    Raises:
        InvalidInputError: If no file looks like sales.
    """
    with Reader(data, scratch, {}) as reader:
        files = inspect_files(reader, data)
        sales = _sales_file(files)
        keys = _Keys.of(sales)
        content: dict[str, Any] = {"name": name, "frequency": "D", "unique_id": keys.expression}
        content["sources"] = {file.name: file.path for file in files}
        if sales.periods:
            content["frequency"], content["sales"] = _wide(reader, files, sales)
        else:
            content["frequency"] = _frequency(reader, sales)
            content["sales"] = _long(reader, sales, keys)
        notes = []
        for file in files:
            if file is sales:
                continue
            place, table = _companion(reader, file, keys)
            if table is None or (place in content and place in ("products", "position")):
                reason = place if table is None else f"{place} are mapped from another file"
                notes.append(f"# {file.name} ({file.path}) is not mapped: {reason}")
            elif place in ("products", "position"):
                content[place] = table
            else:
                content.setdefault(place, []).append(table)
    if "products" not in content:
        content["sources"]["series"], content["products"] = _own_products(sales, keys)
    used = {t["from"] for t in _tables(content)} | {sales.name}
    head = [
        f"# A first mapping of {data.name}, made by looking at the files: read it, correct it.",
        "# docs/your-data.md says what every key means.",
        *notes,
    ]
    lookup = content["sales"].get("wide", {}).get("lookup")
    content["sources"] = {k: v for k, v in content["sources"].items() if k in used or k == lookup}
    return "\n".join(head) + "\n" + yaml.safe_dump(content, sort_keys=False, width=100)


def _tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for value in content.values():
        found += [t for t in (value if isinstance(value, list) else [value]) if isinstance(t, dict)]
    return [table for table in found if "from" in table]


def _sales_file(files: list[FileFacts]) -> FileFacts:
    """Return the file that looks most like sales: keys, dates and a quantity; most rows win."""
    wide = [f for f in files if f.periods and _Keys.of(f).there]
    long = [f for f in files if f.of_kind(DATE) and _Keys.of(f).there and _quantity(f) is not None]
    named = [
        f for f in (*wide, *long) if re.search(r"sale|order|invoice|line|demand|train", f.name)
    ]
    candidates = named or [*wide, *long]
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
    numbers = {c.name: c for c in file.of_kind(NUMBER)}
    keys = set(_Keys.of(file).there)
    name = _by_word([n for n in numbers if n not in keys], "y")
    return numbers.get(name) if name else None


def _long(reader: Reader, file: FileFacts, keys: _Keys) -> dict[str, Any]:
    quantity = _quantity(file)
    assert quantity is not None
    date = _date(file)
    columns: dict[str, Any] = {"y": quantity.name}
    numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in (quantity.name, *keys.there)]
    for column in ("price", "discount"):
        if (name := _by_word(numbers, column)) is not None:
            columns[column] = name
    table: dict[str, Any] = {"from": file.name, "ds": _date_entry(date), "columns": columns}
    if _num_distinct(reader, file, [*keys.there, date.name]) < _UNIQUE * file.num_rows:
        table["layout"] = "transactions"
    if quantity.has_negative:
        table["returns"] = "net"
    return table


def _wide(reader: Reader, files: list[FileFacts], file: FileFacts) -> tuple[str, dict[str, Any]]:
    """Return the frequency and the sales table of a file with a column per period."""
    if file.periods_format is not None:
        dates = pd.to_datetime(list(file.periods), format=file.periods_format)
        wide = _wide_entry(file)
        return _frequency_of(dates), {"from": file.name, "layout": "wide", "wide": wide}
    stem = re.sub(r"\d+$", "", file.periods[0])
    wide = {"columns": re.escape(stem).replace("\\_", "_") + r"\d+"}
    for other in files:
        for column in other.columns:
            if other is file or not other.of_kind(DATE):
                continue
            rows = reader.fetch(
                f'SELECT count(*) AS n FROM "{other.name}" '
                f"WHERE {quote(column.name)}::VARCHAR = {literal(file.periods[0])}",
                other.name,
            )
            if rows["n"][0].as_py():
                date = _date(other)
                wide |= {"lookup": other.name, "key": column.name, "ds": date.name}
                table = {"from": file.name, "layout": "wide", "wide": wide}
                return _frequency(reader, other), table
    raise InvalidInputError(
        f"{file.path} has a column per period ({file.periods[0]} …) and no file says their dates; "
        "add a calendar with a row per column, or write the mapping by hand."
    )


def _wide_entry(file: FileFacts) -> dict[str, Any]:
    digits = re.sub(r"\d", r"\\d", re.escape(file.periods[0]).replace("\\-", "-"))
    return {"columns": digits, "format": file.periods_format}


def _own_products(sales: FileFacts, keys: _Keys) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a source and a table of the series' keys, where no file describes them."""
    cells = ", ".join(quote(name) for name in keys.there)
    source = {"sql": f'SELECT DISTINCT {cells} FROM "{sales.name}" ORDER BY ALL'}
    return source, {"from": "series", "columns": keys.columns}


def _companion(reader: Reader, file: FileFacts, keys: _Keys) -> tuple[str, dict[str, Any] | None]:
    """Return where a file belongs and its table, or why it is left out and None."""
    own = _Keys.of(file)
    whole = own.series is not None or set(own.there) == set(keys.there)
    named = [own.series] if own.series is not None else own.there
    if file.periods:
        return _second_wide(file, whole=whole)
    dates = [_date(file).name] if file.of_kind(DATE) else []
    if _num_distinct(reader, file, [*named, *dates]) < _UNIQUE * file.num_rows:
        return f"several rows have the same {' and '.join([*named, *dates])}", None
    if not dates:
        return _undated(file, own) if whole else (_OTHER_KEYS, None)
    numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in named]
    if not numbers:
        return "it has a date and no number", None
    table: dict[str, Any] = {"from": file.name}
    if whole:
        key = {} if own.series is None else {"key": _named(own.series)}
        table |= {"level": "unique_id"} | key
    elif named:
        level = "product" if named[0] == own.product else "location"
        table |= {"level": level, "key": _named(named[0])}
    table |= {"ds": _date_entry(_date(file)), "columns": {n: _named(n) for n in numbers}}
    return _domain(file), table


def _num_distinct(reader: Reader, file: FileFacts, names: list[str]) -> int:
    cells = ", ".join(quote(name) for name in names) or "1"
    sql = f'SELECT count(*) AS n FROM (SELECT DISTINCT {cells} FROM "{file.name}")'
    return int(reader.fetch(sql, file.name)["n"][0].as_py())


def _second_wide(file: FileFacts, *, whole: bool) -> tuple[str, dict[str, Any] | None]:
    names = [role for role in _WIDE_ROLES if _by_word([file.name], role)]
    if not (names and whole and file.periods_format):
        return "a second table with a column per period; say what it holds", None
    domain = "market" if names[0] in ("price", "discount") else "stock"
    table = {"from": file.name, "level": "unique_id", "wide": _wide_entry(file), "name": names[0]}
    return domain, table


def _undated(file: FileFacts, own: _Keys) -> tuple[str, dict[str, Any]]:
    numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in own.there]
    on_hand = _by_word(numbers, "on_hand")
    if on_hand is not None:
        columns = {"on_hand": _named(on_hand)}
        if (on_order := _by_word(numbers, "on_order")) is not None:
            columns["on_order"] = _named(on_order)
        key = {} if own.series is None else {"unique_id": _named(own.series)}
        return "position", {"from": file.name} | key | {"columns": columns}
    taken = [*own.there, own.series]
    attributes = {c.name: _named(c.name) for c in file.columns if c.name not in taken}
    key = {} if own.series is None else {"unique_id": _named(own.series)}
    return "products", {"from": file.name} | key | {"columns": own.columns | attributes}


def _domain(file: FileFacts) -> str:
    text = f"{file.name} {' '.join(c.name for c in file.columns)}".lower()
    found = {d: [text.find(w) for w in words if w in text] for d, words in _DOMAINS.items()}
    placed = {domain: min(at) for domain, at in found.items() if at}
    return min(placed, key=lambda d: placed[d]) if placed else "external"


def _frequency(reader: Reader, file: FileFacts) -> str:
    date = _date(file)
    value = quote(date.name)
    stamp = (
        f"TRY_STRPTIME({value}::VARCHAR, {literal(date.format)})"
        if date.format
        else (f"TRY_CAST({value}::VARCHAR AS TIMESTAMP)")
    )
    found = reader.fetch(
        f'SELECT DISTINCT ({stamp})::DATE AS d FROM "{file.name}" ORDER BY d', file.name
    )["d"].to_pylist()
    return _frequency_of(pd.DatetimeIndex([d for d in found if d is not None]))


def _frequency_of(dates: pd.DatetimeIndex) -> str:
    dates = dates.unique().sort_values()
    gap = dates.to_series().diff().dt.days.median() if len(dates) > 1 else 1.0
    if gap >= 28:
        return "MS"
    if gap < 6:
        return "D"
    weekday = pd.Series(dates.weekday).mode()
    return f"W-{_WEEKDAYS[int(weekday[0])]}"


def _date(file: FileFacts) -> ColumnFacts:
    dates = file.of_kind(DATE)
    return max(dates, key=lambda c: c.num_distinct)


def _date_entry(date: ColumnFacts) -> Any:
    named = _named(date.name)
    return named if date.format is None else {"expr": named, "format": date.format}


def _by_word(names: list[str], role: str) -> str | None:
    for word in _WORDS[role]:
        for name in names:
            if word in name.lower():
                return name
    return None


def _named(column: str) -> str:
    """Return a column as an expression: its name, quoted where it is not one word."""
    return column if re.fullmatch(r"[A-Za-z_]\w*", column) else quote(column)
