"""A first mapping of a company's files, to be read and corrected by a person."""

import re
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from invopt.errors import InvalidInputError
from invopt.sources.by_place import UnitedFiles, unite_places
from invopt.sources.companions import Companions
from invopt.sources.days import (
    DAYS,
    FISCAL_YEARS,
    MONTHS,
    PERIODS,
    YEARS,
    are_periods,
    first_of,
    part_expression,
    readable_days,
)
from invopt.sources.days import WEEKS as PART_WEEKS
from invopt.sources.duck import Reader
from invopt.sources.filled import fill_blanks
from invopt.sources.fixed_width import split_columns
from invopt.sources.formats import WEEKS, YEAR_WEEK
from invopt.sources.inspect import (
    DATE,
    NUMBER,
    TEXT,
    ColumnFacts,
    FileFacts,
    date_of,
    date_sql,
    dates_in,
    inspect_files,
    num_combined,
    wide_pattern,
)
from invopt.sources.lead_units import count_in_periods
from invopt.sources.line_kinds import LineKinds
from invopt.sources.measures import measures_of
from invopt.sources.nested import unnest_lines
from invopt.sources.order_heads import join_heads
from invopt.sources.twins import totals_among
from invopt.sources.vocabulary import MONEY, all_by_word, by_word, plain
from invopt.sources.words import (
    Keys,
    SpokenNames,
    dash_is_unknown,
    date_entry,
    ends_week,
    named,
    number_entry,
)
from invopt.sql import literal, quote
from invopt.timeline import Timeline, floor_dates, frequency_unit, usual_frequency

_FISCAL = r"fiscal|(^|_)fy|period|geschaftsjahr|exercice|ejercicio"
_TRIED, _MADE = 8, 0.9  # columns that may be units or price; rows in which they make the amount
_NAMED = 4
_GIVEN_BACK = r"returned|(^|_)returns?(_|$)|retour|retoure|refunded|devuel|devoluc|resi(_|$)"
_UNIQUE = 0.99  # share of rows with a key of their own, faulty files included
_SALES = r"sale|order|invoice|line|demand|train|verkauf|absatz|umsatz|bon|kasse|journal|till|pos\b"
_SALES += r"|rechnung|beleg|vente|facture|ticket|venta|factura|pedido|transaction|receipt|hist"
_WEEK_DAYS = 6  # from the first day of a week to its last
_WEAK = {"value", "count", "y", "target"} | MONEY
_WEEKEND = ("W-SUN", "W-SAT")


@dataclass
class Guess:
    """A mapping and what a person should know about it.

    Attributes:
        content: Of the mapping.
        notes: Sentences: what was guessed, what was left out.
    """

    content: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def text(self, data: Path) -> str:
        """Return the mapping as YAML, notes as comments."""
        head = [
            f"# A first mapping of {data.name}, made by looking at the files: read it, correct it.",
            "# docs/your-data.md says what every key means.",
            *(f"# {note}" for note in self.notes),
        ]
        return "\n".join(head) + "\n" + yaml.safe_dump(
            self.content, sort_keys=False, width=100, allow_unicode=True
        )  # fmt: skip


@dataclass(frozen=True)
class _Sales:
    """The file of sales and which of its columns are what.

    Attributes:
        file: What it holds.
        keys: Product, place or series.
        date: None where periods are columns.
        quantity: None where periods are columns.
    """

    file: FileFacts
    keys: Keys
    date: ColumnFacts | None
    quantity: ColumnFacts | None

    @property
    def missing(self) -> list[str]:
        """What was not found of date, quantity and product."""
        found = {
            "date": self.date is not None or bool(self.file.periods),
            "quantity": self.quantity is not None or bool(self.file.periods),
            "product": bool(self.keys.there) or self.keys.series is not None,
        }
        return [name for name, is_there in found.items() if not is_there]


def guess_mapping(data: Path, scratch: Path, name: str, asked: SpokenNames | None = None) -> Guess:
    """Return a mapping of a folder's files.

    Args:
        data: Folder of the files.
        scratch: Folder for what does not fit in memory.
        name: Of the data set.
        asked: Columns of the sales that a person named.

    Raises:
        InvalidInputError: If no file looks like sales.
    """
    asked = asked or SpokenNames()
    with Reader(data, scratch, {}) as reader:
        files, notes = inspect_files(reader, data)
        every, places = files, unite_places(reader, files)
        split_columns(reader, places)
        unnest_lines(reader, places)
        fill_blanks(reader, places)
        join_heads(reader, places)
        files, notes = places.files, notes + places.notes
        sales = _sales_of(reader, files, asked)
        made: dict[str, Any] = {}
        if sales.file.period_days is not None:
            dates, table = _worded(sales.file, made)
            frequency = usual_frequency(dates)
            notes += _measure_notes(sales.file)
        elif sales.file.periods:
            dates, table = _wide(reader, files, sales.file)
            frequency = usual_frequency(dates)
        else:
            assert sales.date is not None
            dates = dates_in(reader, sales.file, sales.date)
            frequency = _frequency(dates, sales.date, notes)
            dates = floor_dates(dates, frequency).unique()
            table = _long(reader, sales, frequency, notes)
            notes += _other_readings(sales, frequency, asked)
        if sales.file.periods:
            notes += _cell_notes(sales.file, table)
        _leave_out_totals(reader, sales, table, notes)
        others = [file for file in files if file is not sales.file]
        found = Companions(reader, sales.file, sales.keys, dates=dates, table=table, notes=notes)
        found.place(others)
        count_in_periods(reader, found.tables, found.sources, frequency, notes)
        notes += _dash_notes(files)
    content = {
        "name": name,
        "frequency": frequency,
        "unique_id": sales.keys.expression,
        "sources": {},
        "sales": table,
        **found.tables,
    }
    used = {t["from"] for t in tables_of(content)} | {table.get("wide", {}).get("lookup")}
    used |= {source for name in used for source in found.behind.get(name, ())}
    content["sources"] = _sources(every, used, places) | made | found.sources
    return Guess(content, notes)


def tables_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every table of a mapping's content."""
    sections = [v for k, v in content.items() if k not in ("name", "frequency", "unique_id")]
    listed = [v if isinstance(v, list) else [v] for v in sections]
    return [table for tables in listed for table in tables if "from" in table]


def _sources(files: list[FileFacts], used: set[str | None], places: UnitedFiles) -> dict[str, Any]:
    """Return the sources of the tables used: files, and what is made of several of them."""
    needed = used | {part for name in used for part in places.parts.get(str(name), ())}
    made = {name: source for name, source in places.sources.items() if name in needed}
    return {f.name: _source(f) for f in files if f.name in needed} | made


def _source(file: FileFacts) -> Any:
    found = {"path": file.path}
    if file.encoding != "utf-8":
        found["encoding"] = file.encoding
    if file.sheet is not None:
        found["sheet"] = file.sheet
    return found if len(found) > 1 else file.path


def _sales_of(reader: Reader, files: list[FileFacts], asked: SpokenNames) -> _Sales:
    """Return the largest file that may hold sales, those whose name says so first."""
    _refuse_unknown(files, asked)
    candidates = [_as_sales(reader, file, asked) for file in files]
    if asked.named:
        holding = [c for c in candidates if _holds(c.file, asked)]
        candidates = holding or candidates
    whole = [c for c in candidates if not c.missing]
    if not whole:
        raise InvalidInputError(_what_is_missing(candidates))
    told = [c for c in whole if re.search(_SALES, plain(c.file.name))]
    strong = [c for c in told or whole if c.quantity is None or not _is_weak(c.quantity.name)]
    return max(strong or told or whole, key=lambda c: c.file.num_rows * max(1, len(c.file.periods)))


def _is_weak(name: str) -> bool:
    return bool(set(plain(name).split("_")) & _WEAK)


def _refuse_unknown(files: list[FileFacts], asked: SpokenNames) -> None:
    columns = {c.name.lower() for f in files for c in f.columns}
    for option, column in asked.named.items():
        if column.lower() not in columns:
            listed = "; ".join(f"{f.path}: {', '.join(c.name for c in f.columns)}" for f in files)
            raise InvalidInputError(
                f"--{option} {column}: no file has a column of that name. There are {listed}."
            )


def _holds(file: FileFacts, asked: SpokenNames) -> bool:
    names = {c.name.lower() for c in file.columns}
    return all(column.lower() in names for column in asked.named.values())


def _as_sales(reader: Reader, file: FileFacts, asked: SpokenNames) -> _Sales:
    """Return a file's columns as those of sales, as far as they are there."""
    keys = Keys.of(file, asked)
    if file.periods:
        return _Sales(file, keys, None, None)
    date = _date(file, asked) or _date_in_parts(reader, file) or _first_of_span(reader, file)
    keys = _whole_key(reader, file, keys, date)
    return _Sales(file, keys, date, _quantity(reader, file, keys, asked))


def _whole_key(reader: Reader, file: FileFacts, keys: Keys, date: ColumnFacts | None) -> Keys:
    """Return keys whose series is a product's where it needs the place to be unique."""
    if keys.series is None or keys.location is None or keys.product is not None or date is None:
        return keys
    alone = _num_keys(reader, file, [keys.series], date_sql(date))
    both = _num_keys(reader, file, [keys.series, keys.location], date_sql(date))
    return replace(keys, product=keys.series, series=None) if both > alone else keys


def _date(file: FileFacts, asked: SpokenNames) -> ColumnFacts | None:
    """Return the date of a sale: as named, by its name, or the one that tells rows apart most."""
    dates = {c.name: c for c in file.of_kind(DATE)}
    if asked.date is not None:
        column = asked.of("date", [c.name for c in file.columns])
        if column is not None and column not in dates:
            facts = next(c for c in file.columns if c.name == column)
            raise InvalidInputError(
                f"--date {column}: {file.path} holds no dates there ({facts.kind}). Write the "
                "mapping by hand where it needs a format of its own, see docs/your-data.md."
            )
        return dates[column] if column is not None else None
    name = by_word(list(dates), "date")
    if name is not None:
        return dates[name]
    return date_of(file) if dates else None


def _date_in_parts(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the date of a file that has its year and week, or year and month, in two columns."""
    names = {plain(c.name): c.name for c in file.columns}
    year, day = first_of(YEARS, names), first_of(DAYS, names)
    for words, is_week in ((PART_WEEKS, True), (MONTHS, False)):
        part = first_of(words, names)
        if year is None or part is None:
            continue
        expr = part_expression(year, part, None if is_week else day, is_week=is_week)
        days = readable_days(reader, file.name, expr, "VARCHAR")
        if days is not None:
            is_fiscal = plain(year) in FISCAL_YEARS or plain(part) in PERIODS
            return ColumnFacts(
                name=f"{year} and {part}", kind=DATE, format=None, num_distinct=0, is_text=True,
                expr=expr, days=days, is_fiscal=is_fiscal and not is_week,
            )  # fmt: skip
    return None


def _first_of_span(reader: Reader, file: FileFacts) -> ColumnFacts | None:
    """Return the first day of texts from one day to another (01.07.2026 - 07.07.2026)."""
    for column in file.of_kind(TEXT):
        day = r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}"
        form = literal(rf"^\s*({day})\s*(?:[-–—/]|to|bis|au|al|t/m|do)\s*{day}\s*$")
        expr = f"nullif(regexp_extract({quote(column.name)}, {form}, 1), '')"
        [found] = reader.fetch(
            f"SELECT count({expr}) AS spans, count(nullif(trim({quote(column.name)}), '')) AS n "
            f"FROM {quote(file.name)}",
            file.name,
        ).to_pylist()
        if not found["n"] or found["spans"] < _UNIQUE * found["n"]:
            continue
        days = readable_days(reader, file.name, expr, "VARCHAR")
        if days is not None:
            return ColumnFacts(
                name=column.name, kind=DATE, format=None, num_distinct=0, is_text=True,
                expr=expr, days=days,
            )  # fmt: skip
    return None


def _quantity(
    reader: Reader, file: FileFacts, keys: Keys, asked: SpokenNames
) -> ColumnFacts | None:
    taken = {*keys.there, keys.series}
    numbers = {c.name: c for c in file.of_kind(NUMBER) if c.name not in taken}
    if asked.quantity is not None:
        column = asked.of("quantity", [c.name for c in file.columns])
        if column is not None and column not in numbers:
            raise InvalidInputError(f"--quantity {column}: {file.path} holds no numbers there.")
        return numbers[column] if column is not None else None
    name = by_word(list(numbers), "y")
    if name is None:
        return None
    if _sounds_of_money(name):
        return _counted(reader, file, numbers, name) or numbers[name]
    return numbers[name]


def _sounds_of_money(column: str) -> bool:
    return bool(set(plain(column).split("_")) & MONEY)


def _counted(
    reader: Reader, file: FileFacts, numbers: dict[str, ColumnFacts], money: str
) -> ColumnFacts | None:
    """Return the column of units that nobody would know by its name: units by price are the money.

    Args:
        reader: Holds the file.
        file: It.
        numbers: Its numbers by name, those that may be units.
        money: The one that sounds of money.
    """
    others = [c for n, c in numbers.items() if n != money][:_TRIED]
    pairs = [
        (units, price)
        for units, price in permutations(others, 2)
        if units.num_distinct > 1 and not units.has_fraction and not by_word([units.name], "price")
    ]
    if not pairs:
        return None
    amount = numbers[money].style.sql(quote(money))
    counts = ", ".join(
        f"count_if(abs({(u := units.style.sql(quote(units.name)))} * "
        f"{price.style.sql(quote(price.name))} - {amount}) <= 0.011 + 0.006 * abs({u})) AS c{n}"
        for n, (units, price) in enumerate(pairs)
    )
    sql = f"SELECT count({amount}) AS known, {counts} FROM {quote(file.name)}"
    [found] = reader.fetch(sql, file.name).to_pylist()
    fitting = [
        (not by_word([price.name], "price"), n)
        for n, (_, price) in enumerate(pairs)
        if found["known"] and found[f"c{n}"] >= _MADE * found["known"]
    ]
    return pairs[min(fitting)[1]][0] if fitting else None


def _what_is_missing(candidates: list[_Sales]) -> str:
    """Return which of date, quantity and product was missed, in the file nearest to sales."""
    nearest = min(candidates, key=lambda c: (len(c.missing), -c.file.num_rows))
    found = "; ".join(
        f"{c.file.path}: {', '.join(f'{k.name} ({k.kind})' for k in c.file.columns[:12])}"
        for c in candidates[:5]
    )
    options = " ".join(f"--{name} COLUMN" for name in nearest.missing)
    hint = ""
    fiscal = [c.name for c in nearest.file.columns if re.search(_FISCAL, plain(c.name))]
    if "date" in nearest.missing and fiscal:
        hint = (
            f" {' and '.join(fiscal)} may be periods of a fiscal calendar, which are no dates: "
            "join a table of their first days in a source of SQL."
        )
    if "date" in nearest.missing and (measures := measures_of(_names(nearest.file))):
        hint += (
            f" There are columns of periods for each of {', '.join(measures[:_NAMED])}, and none "
            "is known to be what was sold: name its columns in sales.wide. If these are places or "
            "products, turn them into rows in a source of SQL (UNPIVOT)."
        )
    texts = [c.name for c in nearest.file.of_kind(TEXT)]
    if "quantity" in nearest.missing and (told := by_word(texts, "y")) is not None:
        column = next(c for c in nearest.file.of_kind(TEXT) if c.name == told)
        seen = f" ({', '.join(column.values[:_NAMED])})" if column.values else ""
        hint += (
            f" {told} holds texts{seen} that are no numbers of one form: where several units stand "
            "in its cells, take them off and convert them in a source of SQL."
        )
    taken = {*nearest.keys.there, nearest.keys.series}
    left = [c.name for c in nearest.file.of_kind(NUMBER) if c.name not in taken]
    left = [*(name for name in taken if name and re.search(r"\d$", name)), *left]
    if nearest.date is not None and nearest.missing[0] == "quantity" and len(left) > 1:
        hint += (
            f" If there is a column for each place or product ({', '.join(left[:3])}), turn them "
            f"into rows in a source of SQL: SELECT * FROM {nearest.file.name} UNPIVOT (quantity "
            f"FOR name IN ({', '.join(map(quote, left[:3]))}))."
        )
    if nearest.missing == ["product"]:
        hint += " Where all rows are one product, write unique_id: \"'all'\"."
    return (
        "no file looks like sales, which need a date (or a column per period), a quantity and a "
        f"product or place. {nearest.file.path} comes nearest: it lacks "
        f"{' and '.join(nearest.missing)}. Found {found}. Name what is there with {options}, or "
        f"write the mapping by hand, see docs/your-data.md.{hint}"
    )


def _names(file: FileFacts) -> list[str]:
    return [column.name for column in file.columns]


def _are_of_weeks(dates: pd.DatetimeIndex) -> bool:
    """Return whether days lie whole weeks apart, and never one month."""
    steps = np.diff(dates.to_numpy()) // np.timedelta64(1, "D")
    return len(steps) > 2 and bool((steps % 7 == 0).all()) and bool((dates.day != 1).any())


def _frequency(dates: pd.DatetimeIndex, date: ColumnFacts, notes: list[str]) -> str:
    """Return the frequency of sales: a week that is named by its last day begins six days before.

    Raises:
        InvalidInputError: If there is no date.
    """
    if not len(dates):
        raise InvalidInputError(
            f"{date.name} holds no date that can be read. Name another column with --date COLUMN."
        )
    if date.format in (*WEEKS, YEAR_WEEK):
        return "W-MON"
    found = usual_frequency(dates)
    if found == "MS" and _are_of_weeks(dates):
        notes.append(
            f"{date.name} has periods of four and five weeks (as of a 4-4-5 calendar): each is "
            "read as the month of its first day, so that months differ by a quarter; give sales "
            "by week or day where you have them"
        )
    if frequency_unit(found) == "W" and ends_week(date.name):
        return usual_frequency(dates - pd.Timedelta(days=_WEEK_DAYS))
    return found


def _long(reader: Reader, sales: _Sales, frequency: str, notes: list[str]) -> dict[str, Any]:
    file, keys, quantity, date = sales.file, sales.keys, sales.quantity, sales.date
    assert quantity is not None
    assert date is not None
    columns: dict[str, Any] = {"y": number_entry(quantity)}
    left = [c for c in file.of_kind(NUMBER) if c.name not in (quantity.name, *keys.there)]
    for column in ("price", "discount"):
        if (name := by_word([c.name for c in left], column)) is not None:
            columns[column] = number_entry(next(c for c in left if c.name == name))
    table: dict[str, Any] = {
        "from": file.name, "ds": date_entry(date), "columns": columns,
    }  # fmt: skip
    ours = keys.there if keys.series is None else [keys.series]
    if _num_keys(reader, file, ours, _period(reader, file, date_sql(date), frequency)) < (
        _UNIQUE * file.num_rows
    ):
        table["layout"] = "transactions"
        _name_lines(reader, file, table, notes)
    if date.is_fiscal:
        _leave_out_closing(reader, file, date, table, notes)
    lines = LineKinds(reader, file, keys, quantity)
    lines.apply(table)
    notes += lines.notes
    return table


def _name_lines(reader: Reader, file: FileFacts, table: dict[str, Any], notes: list[str]) -> None:
    """Name lines by all they say, where files overlap: none has a line twice, two have the same."""
    parts = reader.files.get(file.name, [])
    if len(parts) < 2:
        return
    cells = [f"coalesce({quote(column.name)}::VARCHAR, '')" for column in file.columns]
    line = f"concat_ws('|', {', '.join(cells)})"
    rows = " UNION ALL BY NAME ".join(
        f"SELECT {number} AS __file, * FROM {part}" for number, part in enumerate(parts)
    )
    [found] = reader.fetch(
        "SELECT coalesce(sum(n - files), 0) AS within, coalesce(sum(files - 1), 0) AS across FROM ("
        f"SELECT count(*) AS n, count(DISTINCT __file) AS files FROM ({rows}) GROUP BY {line})",
        file.name,
    ).to_pylist()
    if found["across"] and not found["within"]:
        table["line_key"] = line
        notes.append(
            f"{int(found['across']):,} lines of {file.name} are in two of its {len(parts)} files, "
            "word for word, and none of them has a line twice: each is read once (line_key)"
        )


def _leave_out_closing(
    reader: Reader, file: FileFacts, date: ColumnFacts, table: dict[str, Any], notes: list[str]
) -> None:
    """Leave out periods 013 to 016, which close a year of accounting and have no month."""
    text = f"trim(({date.expr or quote(date.name)})::VARCHAR)"
    form = r"^01[3-6][-/. ]\d{4}$|^\d{4}[-/. ]?0?1[3-6]$"
    closing = f"coalesce(regexp_matches({text}, '{form}'), false)"
    sql = f"SELECT count(*) AS n FROM {quote(file.name)} WHERE {closing}"
    [found] = reader.fetch(sql, file.name).to_pylist()
    if found["n"]:
        table["where"] = f"NOT {closing}"
        notes.append(
            f"{found['n']:,} rows of {file.name} are of periods 013 to 016, which close a year and "
            "have no month: they are left out; say in `where` and `ds` where they belong"
        )


def _leave_out_totals(
    reader: Reader, sales: _Sales, table: dict[str, Any], notes: list[str]
) -> None:
    """Leave out rows whose product, place or date is called a total: they count all twice."""
    columns = sales.keys.there or [str(sales.keys.series)]
    if sales.date is not None and sales.date.is_text and sales.date.expr is None:
        columns = [*columns, sales.date.name]
    for column in columns:
        text = f"{quote(column)}::VARCHAR"
        sql = f'SELECT DISTINCT {text} AS v FROM "{sales.file.name}" WHERE {text} IS NOT NULL'
        values = reader.fetch(sql, sales.file.name)["v"].to_pylist()
        totals = totals_among(values)
        if not totals or len(totals) == len(values):
            continue
        listed = ", ".join(map(literal, totals))
        rule = f"coalesce({text}, '') NOT IN ({listed})"
        table["where"] = f"({table['where']}) AND {rule}" if "where" in table else rule
        notes.append(
            f"rows of {sales.file.name} whose {column} is {', '.join(totals)} are left out as sums "
            "of the others: take them out of `where` if they are none"
        )


def _period(reader: Reader, file: FileFacts, day: str, frequency: str) -> str:
    """Return the SQL of the period that holds a day."""
    sql = f'SELECT min({day}) AS d FROM "{file.name}" WHERE year({day}) BETWEEN 1900 AND 2200'
    first = reader.fetch(sql, file.name)["d"][0].as_py()
    start = floor_dates(pd.DatetimeIndex([first]), frequency)[0]
    return Timeline(start, frequency, 1).to_sql(f"({day})")


def _num_keys(reader: Reader, file: FileFacts, names: list[str], period: str) -> int:
    """Return how many combinations of keys and periods a file holds."""
    return num_combined(reader, file, [*map(quote, names), period])


def _other_readings(sales: _Sales, frequency: str, asked: SpokenNames) -> list[str]:
    """Return what else the sales could mean, where a person did not say it."""
    file, keys, quantity, date = sales.file, sales.keys, sales.quantity, sales.date
    assert quantity is not None
    assert date is not None
    notes = [*_number_notes(file, quantity), *_date_notes(date, frequency)]
    if asked.quantity is None:
        names = [c.name for c in file.of_kind(NUMBER) if c.name not in keys.there]
        rivals = [n for n in all_by_word(names, "y") if n != quantity.name]
        if rivals:
            notes.append(_choice("sold", quantity.name, rivals, "quantity"))
        if by_word([quantity.name], "y") is None:
            notes.append(
                f"{quantity.name} is read as the units sold: times a price it is the amount"
            )
        if _sounds_of_money(quantity.name):
            notes.append(
                f"{quantity.name} sounds like money, and orders are for units: name a column of "
                "units with --quantity COLUMN where there is one"
            )
    back = [c.name for c in file.of_kind(NUMBER) if re.search(_GIVEN_BACK, plain(c.name))]
    if back and back[0] != quantity.name:
        notes.append(
            f"{back[0]} of {file.name} holds what came back and is not read: where it lowers what "
            f"was sold, write it off in y (num({named(quantity.name)}) - num({named(back[0])}))"
        )
    if keys.product is None and keys.series is None and asked.product is None:
        notes += _no_product(sales)
    others = [c.name for c in file.columns if c.kind == TEXT or c.name in keys.there]
    for option, column in keys.roles.items():
        rivals = [n for n in all_by_word(others, option) if n not in keys.there]
        if rivals and getattr(asked, option) is None:
            notes.append(_choice(f"the {option}", column, rivals, option))
    days = [c.name for c in file.of_kind(DATE) if c.name != date.name]
    if days and asked.date is None:
        notes.append(_choice("the date", date.name, days, "date"))
    return notes


def _no_product(sales: _Sales) -> list[str]:
    """Return what may name a product where series are places alone."""
    file, taken = sales.file, {*sales.keys.there, getattr(sales.quantity, "name", None)}
    most = max(1, file.num_rows // 2)
    left = [c for c in file.columns if c.name not in taken and 1 < c.num_distinct <= most]
    named_so = [c.name for c in left if c.kind == TEXT or (c.kind == NUMBER and c.is_text)]
    maybe = named_so[:3]
    told = f" ({', '.join(maybe)} may name it: say so with --product {maybe[0]})" if maybe else ""
    return [
        f"no column of {file.name} is known to name a product: a series is a place, and all that "
        f"was sold there is added up{told}"
    ]


def _choice(what: str, taken: str, others: list[str], option: str) -> str:
    return (
        f"{what} is read from {taken}; {', '.join(others[:3])} would fit as well: say so with "
        f"--{option} {others[0]}"
    )


def _number_notes(file: FileFacts, quantity: ColumnFacts) -> list[str]:
    doubtful = [c for c in file.of_kind(NUMBER) if c.style.other]
    notes = []
    for column in doubtful:
        taken = "as thousands (1,350 is 1350)" if column.style.group else "as fractions"
        if column.style.group == ".":
            taken = "as thousands (1.350 is 1350)"
        if column.style.other.startswith("thousands"):
            taken = "as fractions"
        notes.append(
            f"{column.name}: its numbers are read {taken}; {column.style.other} would fit as well"
            + (": units depend on it" if column.name == quantity.name else "")
        )
    return notes


def _dash_notes(files: list[FileFacts]) -> list[str]:
    """Return what a bare dash is read as, in each column that has some."""
    return [
        f"{column.name} of {file.name}: a bare dash is read as "
        + ("not known" if dash_is_unknown(column.name) else "0")
        for file in files
        for column in file.of_kind(NUMBER)
        if column.style.dashes
    ]


def _date_notes(date: ColumnFacts, frequency: str) -> list[str]:
    notes = []
    if date.expr is not None and "regexp_extract" in date.expr:
        notes.append(f"{date.name} is from one day to another: a row counts on its first day")
    if date.is_fiscal:
        notes.append(_fiscal_note(date.name))
    if len(date.formats) > 1:
        notes.append(
            f"{date.name} is read as {date.format or 'year-month-day'}; "
            f"{date.formats[1] or 'year-month-day'} would fit as well: change `format` where that "
            "is meant"
        )
    if frequency_unit(frequency) == "W" and ends_week(date.name):
        notes.append(
            f"{date.name} names the last day of a week: a row is for the week that holds that day "
            f"({frequency})"
        )
    elif frequency in _WEEKEND:
        after = "W-MON" if frequency == "W-SUN" else "W-SUN"
        notes.append(
            f"every week of {date.name} is taken to begin on its day ({frequency}): if that is the "
            f"week's last day, write frequency: {after}"
        )
    if date.has_zone:
        notes.append(
            f"{date.name} names its zone and days are counted in UTC: put your shops' zone under "
            "to_timezone (Europe/Paris)"
        )
    return notes


def _worded(file: FileFacts, made: dict[str, Any]) -> tuple[pd.DatetimeIndex, dict[str, Any]]:
    """Return the dates and the sales table of a file whose periods are columns named in words.

    Args:
        file: Of the sales.
        made: Gets the source that says which column is which day.
    """
    assert file.period_days is not None
    pairs = zip(file.periods, file.period_days, strict=True)
    listed = ", ".join(f"({literal(name)}, DATE '{day:%Y-%m-%d}')" for name, day in pairs)
    made["periods"] = {"sql": f"SELECT * FROM (VALUES {listed}) v(label, day)"}
    names = "|".join(map(re.escape, file.periods))
    wide = {"columns": names, "lookup": "periods", "key": "label", "ds": "day"}
    table = {"from": file.name, "layout": "wide", "wide": wide}
    return pd.DatetimeIndex(file.period_days), table


def _measure_notes(file: FileFacts) -> list[str]:
    """Return which measure of each period is read, and that periods of accounting are months."""
    notes = []
    if (measured := file.measured) is not None:
        listed = ", ".join(measured.others)
        notes.append(
            f"{file.path} has several measures of each of {len(file.periods)} periods: "
            f"{measured.name} is read as what was sold, {listed} ({len(measured.columns)} columns) "
            "are left out: name the columns of another measure in wide.columns and in periods"
        )
    if are_periods({_label(file, name): 1 for name in file.periods}):
        notes.append(_fiscal_note(f"the columns of {file.path}"))
    return notes


def _label(file: FileFacts, column: str) -> str:
    return column if file.measured is None else file.measured.labels[column]


def _fiscal_note(what: str) -> str:
    return (
        f"{what}: periods of accounting are read as the months of the calendar (period 001 is "
        "January): where your fiscal year begins in another month, move them in a source of SQL"
    )


def _cell_notes(file: FileFacts, table: dict[str, Any]) -> list[str]:
    """Say in a wide table how its cells write numbers; return what else they could mean."""
    style = file.period_style
    declared = {k: v for k, v in style.declared.items() if k in ("decimal", "thousands")}
    table["wide"] |= declared
    if not style.other:
        return []
    what = "cells of its periods"
    cells = ColumnFacts(name=what, kind=NUMBER, format=None, num_distinct=0, style=style)
    return _number_notes(replace(file, columns=(cells,)), cells)


def _wide(
    reader: Reader, files: list[FileFacts], file: FileFacts
) -> tuple[pd.DatetimeIndex, dict[str, Any]]:
    """Return the dates and the sales table of a file with a column per period."""
    table: dict[str, Any] = {"from": file.name, "layout": "wide"}
    if file.periods_format is not None:
        weekly = file.periods_format == YEAR_WEEK
        days = [f"{period}1" for period in file.periods] if weekly else list(file.periods)
        dates = pd.to_datetime(days, format=f"{file.periods_format}{'%u' if weekly else ''}")
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
