"""A first mapping of a company's files, to be read and corrected by a person."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from invopt.errors import InvalidInputError
from invopt.sources.blank_keys import complete_keys
from invopt.sources.by_place import UnitedFiles, unite_places
from invopt.sources.calendar_columns import stack_calendar
from invopt.sources.cases_and_singles import cases_beside
from invopt.sources.closed_weekdays import close_weekdays
from invopt.sources.companions import Companions
from invopt.sources.counted_lines import count_lines
from invopt.sources.crossed_columns import stack_crossed
from invopt.sources.customer_rows import add_customers
from invopt.sources.dated_sheets import date_sheets
from invopt.sources.day_columns import stack_days
from invopt.sources.discounts import NEAR, WHOLES, whole_that_is_paid
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts, date_of, date_sql, dates_in
from invopt.sources.filled import fill_blanks
from invopt.sources.fixed_width import split_columns
from invopt.sources.formats import WEEKS, YEAR_WEEKS
from invopt.sources.guess_notes import (
    cell_notes,
    dash_notes,
    measure_notes,
    other_readings,
)
from invopt.sources.inspect import inspect_files
from invopt.sources.item_cells import part_items
from invopt.sources.joint_products import join_product_names
from invopt.sources.key_parts import complete_series
from invopt.sources.lead_units import count_in_periods
from invopt.sources.line_kinds import LineKinds
from invopt.sources.measures_by_place import stack_measured_places
from invopt.sources.month_columns import stack_months
from invopt.sources.nested import unnest_lines
from invopt.sources.order_heads import join_heads
from invopt.sources.overlaps import ROW_KEY, num_repeated, whole_row
from invopt.sources.period_columns import period_starts, wide_pattern
from invopt.sources.place_columns import stack_places
from invopt.sources.placing import UNIQUE, Placing
from invopt.sources.printed_sums import leave_out_printed_sums
from invopt.sources.product_columns import stack_products
from invopt.sources.repeated_items import stack_items
from invopt.sources.returned_files import net_returns
from invopt.sources.sales_columns import BesideColumns, SalesColumns
from invopt.sources.sales_facts import SalesFile, num_keys
from invopt.sources.sales_file import find_sales
from invopt.sources.sales_keys import told_region
from invopt.sources.single_series import name_one_product
from invopt.sources.size_columns import stack_sizes
from invopt.sources.sums_among import sums_of_others
from invopt.sources.sums_of_groups import sums_of_groups
from invopt.sources.taken_off import less, taken_off
from invopt.sources.twins import totals_among
from invopt.sources.unit_files import convert_units
from invopt.sources.vocabulary import DOCUMENTS, by_word, plain
from invopt.sources.wide_parts import unite_wide
from invopt.sources.words import (
    SpokenNames,
    counts_thousands,
    date_entry,
    ends_week,
    is_called,
    is_told_as_sales,
    named,
    number_entry,
)
from invopt.sql import literal, quote
from invopt.timeline import Timeline, floor_dates, frequency_unit, usual_frequency

_TOLD = 3  # files left out that an error names
_YEARS, _YEAR_DAYS = 2, 360  # steps, and days from one to the next, of sales by year
_WEEK_DAYS = 6  # from the first day of a week to its last


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
            f"# A first mapping of {data.resolve().name}, made by looking at the files: "
            "read it, correct it.",
            "# docs/your-data.md says what every key means.",
            *(f"# {note}" for note in self.notes),
        ]
        return "\n".join(head) + "\n" + yaml.safe_dump(
            self.content, sort_keys=False, width=100, allow_unicode=True
        )  # fmt: skip


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
        files, notes, empty = inspect_files(reader, data)
        every, places = files, _prepared(reader, files, asked)
        files, notes = places.files, notes + places.notes
        sales = _found_sales(reader, places, asked, notes)
        if not asked.named:
            _refuse_empty_sales(sales, empty)
        notes += filter(None, [told_region(sales)])
        made: dict[str, Any] = {}
        frequency, dates, table = _sales_table(reader, places, sales, asked, made, notes)
        _leave_out_totals(reader, sales, table, notes)
        _leave_out_sums(reader, sales, table, notes)
        others = [file for file in files if file is not sales.file]
        found = Placing(reader, sales.file, sales.keys, dates=dates, table=table, notes=notes)
        Companions(found).place(others)
        _place_columns(found, sales, table, places)
        close_weekdays(found, sales, frequency)
        count_in_periods(reader, found.tables, found.sources, frequency, notes)
        notes += dash_notes(files)
    content = {
        "name": name,
        "frequency": frequency,
        "unique_id": sales.keys.expression,
        "sources": {},
        "sales": table,
        **found.tables,
    }
    used = _used(content, found)
    content["sources"] = _sources(every, used, places) | made | found.sources
    return Guess(content, notes)


def _found_sales(
    reader: Reader, places: UnitedFiles, asked: SpokenNames, notes: list[str]
) -> SalesFile:
    """Return the sales; where there are none, say as well which files could not be read.

    Raises:
        InvalidInputError: If no file looks like sales.
    """
    try:
        return find_sales(reader, places.files, asked, places.doubts)
    except InvalidInputError as err:
        left = [note for note in notes if " is left out: " in note][:_TOLD]
        if not left:
            raise
        told = "; ".join(note.rstrip(".") for note in left)
        raise InvalidInputError(f"{err} Besides, {told}.") from err


def _refuse_empty_sales(sales: SalesFile, empty: list[FileFacts]) -> None:
    """Refuse files of which the one that is called sales has no row, and another would be read.

    Raises:
        InvalidInputError: If it is so.
    """
    called = sorted(filter(is_told_as_sales, empty), key=lambda file: not is_called(r"sale", file))
    told = next(iter(called), None)
    if told is not None and not is_told_as_sales(sales.file):
        raise InvalidInputError(
            f"{told.path}, whose name says that it holds sales, has a header and no row, and "
            f"{sales.file.path} does not look like sales. Export the sales again, or name a column "
            f"of what was sold (--quantity COLUMN) to read {sales.file.path} all the same."
        )


def _place_columns(
    found: Placing, sales: SalesFile, table: dict[str, Any], places: UnitedFiles
) -> None:
    """Map what the file of the sales says besides them, in its columns or beside its cells."""
    SalesColumns(found, sales, table).place()
    if sales.file.name in places.beside:
        beside, products = places.beside[sales.file.name]
        BesideColumns(found, beside, table, products).place()


def _sales_table(
    reader: Reader,
    places: UnitedFiles,
    sales: SalesFile,
    asked: SpokenNames,
    made: dict[str, Any],
    notes: list[str],
) -> tuple[str, pd.DatetimeIndex, dict[str, Any]]:
    """Return the frequency, the periods and the table of the sales.

    Args:
        reader: Holds the files.
        places: All files, as tables that a mapping can read.
        sales: Their file and columns.
        asked: Columns that a person named.
        made: Gets a source that says which column is which day, where one is needed.
        notes: Gets what a person should know.
    """
    if sales.file.period_days is not None:
        dates, table = _worded(sales.file, made)
        frequency = _no_years(dates, sales.file.periods[0])
        notes += measure_notes(sales.file)
    elif sales.file.periods:
        dates, table = _wide(reader, places.files, sales.file)
        frequency = _no_years(dates, sales.file.periods[0])
    else:
        assert sales.date is not None
        dates = dates_in(reader, sales.file, sales.date)
        frequency = _frequency(dates, sales.date, notes)
        dates = floor_dates(dates, frequency).unique()
        assert sales.quantity is not None
        parts = taken_off(reader, sales.file, sales.quantity)
        table = _long(reader, sales, parts, frequency, notes)
        if places.gaps & {sales.file.name, *places.parts.get(sales.file.name, ())}:
            table["missing"] = "unobserved"
        notes += other_readings(sales, frequency, asked, [part.name for part in parts])
    if sales.file.periods:
        notes += cell_notes(sales.file, table)
    return frequency, dates, table


def _prepared(reader: Reader, files: list[FileFacts], asked: SpokenNames) -> UnitedFiles:
    """Return files as tables that a mapping can read, and what was made of them."""
    places = unite_places(reader, files)
    date_sheets(reader, places)
    stack_crossed(reader, places, asked)
    split_columns(reader, places)
    unnest_lines(reader, places)
    stack_months(reader, places)
    stack_calendar(reader, places)
    unite_wide(reader, places)
    stack_days(reader, places)
    part_items(reader, places)
    add_customers(reader, places)
    stack_places(reader, places)
    stack_measured_places(reader, places)
    stack_sizes(reader, places)
    stack_items(reader, places)
    fill_blanks(reader, places)
    count_lines(reader, places, asked)
    join_heads(reader, places)
    complete_keys(reader, places, asked)
    complete_series(reader, places, asked)
    convert_units(reader, places)
    net_returns(reader, places, asked)
    join_product_names(reader, places, asked)
    stack_products(reader, places, asked)
    name_one_product(reader, places, asked)
    return places


def _used(content: dict[str, Any], found: Placing) -> set[str | None]:
    """Return the sources that a mapping's tables read, and those that these are made of."""
    used = {t["from"] for t in tables_of(content)}
    used |= {content["sales"].get("wide", {}).get("lookup")}
    while more := {source for name in used for source in found.behind.get(name, ())} - used:
        used |= more  # what a table is made of may be made of others
    return used


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


def _are_of_weeks(dates: pd.DatetimeIndex) -> bool:
    """Return whether days lie whole weeks apart, and never one month."""
    steps = np.diff(dates.to_numpy()) // np.timedelta64(1, "D")
    return len(steps) > 2 and bool((steps % 7 == 0).all()) and bool((dates.day != 1).any())


def _no_years(dates: pd.DatetimeIndex, name: str) -> str:
    """Return the usual frequency, not of whole years: a quarter would be read as one.

    Raises:
        InvalidInputError: If all dates lie about a year apart.
    """
    days = dates.normalize().unique().sort_values()
    steps = np.diff(days.to_numpy()) // np.timedelta64(1, "D")
    if len(steps) >= _YEARS and bool((steps >= _YEAR_DAYS).all()):
        raise InvalidInputError(
            f"{name} holds one day a year ({len(days)}, {days[0]:%Y-%m-%d} to "
            f"{days[-1]:%Y-%m-%d}): sales of whole years are too coarse to order by. Export them "
            "by month, week or day."
        )
    return usual_frequency(dates)


def _frequency(dates: pd.DatetimeIndex, date: ColumnFacts, notes: list[str]) -> str:
    """Return the frequency of sales: a week that is named by its last day begins six days before.

    Raises:
        InvalidInputError: If there is no date.
    """
    if not len(dates):
        raise InvalidInputError(
            f"{date.name} holds no date that can be read. Name another column with --date COLUMN."
        )
    if date.format in (*WEEKS, *YEAR_WEEKS):
        return "W-MON"
    found = _no_years(dates, date.name)
    if found == "MS" and _are_of_weeks(dates):
        notes.append(
            f"{date.name} has periods of four and five weeks (as of a 4-4-5 calendar): each is "
            "read as the month of its first day, so that months differ by a quarter; give sales "
            "by week or day where you have them"
        )
    if frequency_unit(found) == "W" and (date.is_week_end or ends_week(date.name)):
        return usual_frequency(dates - pd.Timedelta(days=_WEEK_DAYS))
    return found


def _long(
    reader: Reader, sales: SalesFile, parts: list[ColumnFacts], frequency: str, notes: list[str]
) -> dict[str, Any]:
    file, keys, quantity, date = sales.file, sales.keys, sales.quantity, sales.date
    assert quantity is not None
    assert date is not None
    columns: dict[str, Any] = {"y": _sold(file, quantity, parts, notes)}
    if counts_thousands(quantity.name):
        entry = columns["y"]
        columns["y"] = (entry if isinstance(entry, dict) else {"expr": entry}) | {"scale": 1000}
        notes.append(
            f"{quantity.name} is read as thousands, as its name says (scale: 1000): take `scale` "
            "out where its numbers are units"
        )
    left = [c for c in file.of_kind(NUMBER) if c.name not in (quantity.name, *keys.there)]
    for column in ("price", "discount"):
        if (name := by_word([c.name for c in left], column)) is not None:
            read = _charged if column == "price" else _taken_off_price
            columns[column] = read(reader, file, next(c for c in left if c.name == name), notes)
    table: dict[str, Any] = {
        "from": file.name, "ds": date_entry(date), "columns": columns,
    }  # fmt: skip
    ours = keys.there if keys.series is None else [keys.series]
    num_rows = num_keys(reader, file, ours, _period(reader, file, date_sql(date), frequency))
    if num_rows < UNIQUE * file.num_rows or (num_rows < file.num_rows and _has_documents(file)):
        table["layout"] = "transactions"
        _name_lines(reader, file, table, notes)
    if date.is_fiscal:
        _leave_out_closing(reader, file, date, table, notes)
    lines = LineKinds(reader, file, keys, quantity)
    leave_out_printed_sums(lines, date)
    lines.apply(table)
    notes += lines.notes
    if table.get("returns") == "net" and num_rows < file.num_rows:
        table["layout"] = "transactions"  # what came back stands beside what was sold that day
    return table


def _has_documents(file: FileFacts) -> bool:
    """Return whether rows name a document that several of them have: they are lines of orders."""
    return any(
        1 < c.num_distinct < file.num_rows and DOCUMENTS & {*plain(c.name).split("_")}
        for c in file.columns
        if c.kind != DATE
    )


def _sold(
    file: FileFacts, quantity: ColumnFacts, parts: list[ColumnFacts], notes: list[str]
) -> Any:
    """Return the entry of what was sold: less what was cancelled or came back, cases in pieces."""
    if parts:
        names = " and ".join(part.name for part in parts)
        notes.append(
            f"{names} of {file.name} is taken off {quantity.name}: write y: "
            f"{named(quantity.name)} where it is not a part of it"
        )
        return {"expr": less(quantity, parts)}
    if (cases := cases_beside(file, quantity)) is not None:
        notes.append(cases.note)
        return {"expr": cases.expression}
    return number_entry(quantity)


def _charged(reader: Reader, file: FileFacts, column: ColumnFacts, notes: list[str]) -> Any:
    """Return the entry of a price: of a line that is taken back, tills write it below 0, too."""
    number = column.style.sql(quote(column.name))
    sql = f"SELECT count(*) FILTER ({number} < 0) AS n FROM {quote(file.name)}"
    [found] = reader.fetch(sql, file.name).to_pylist()
    if not 0 < found["n"] < file.num_rows / 2:
        return number_entry(column)
    notes.append(
        f"{column.name} of {file.name} is below 0 in {found['n']:,} rows, as in lines that are "
        "taken back: it is read without its sign"
    )
    return {"expr": f"abs({number})"}


def _taken_off_price(reader: Reader, file: FileFacts, column: ColumnFacts, notes: list[str]) -> Any:
    """Return the entry of a discount, 0 for none: shops also write the share that is paid.

    What holds after the last record is no discount. Where that is written as 1 or 100, a 0 there
    would be read as goods that cost nothing.
    """
    number = column.style.sql(quote(column.name))
    counts = ", ".join(
        f"avg(({number} = {w})::INT) AS usual{w}, avg(({number} > {w})::INT) AS more{w}, "
        f"avg(({number} >= {NEAR * w})::INT) AS most{w}"
        for w in WHOLES
    )
    sql = f"SELECT avg(({number} = 0)::INT) AS free, {counts}"
    [found] = reader.fetch(f"{sql} FROM {quote(file.name)}", file.name).to_pylist()
    shares = {name: value or 0.0 for name, value in found.items()}
    whole = whole_that_is_paid(shares)
    if whole is None:
        return number_entry(column)
    notes.append(
        f"{column.name} of {file.name} is {whole} in {shares[f'usual{whole}']:.0%} of the rows and "
        f"is read as the share of the price that is paid: {whole} less it is taken off. Write "
        f"discount: {named(column.name)} where {whole} takes the whole price off"
    )
    return {"expr": f"{whole} - {number}"}


def _name_lines(reader: Reader, file: FileFacts, table: dict[str, Any], notes: list[str]) -> None:
    """Name lines by all they say, where files overlap: none has a line twice, two have the same."""
    if any(column.name == ROW_KEY for column in file.columns):
        table["line_key"] = ROW_KEY
        return
    if repeated := num_repeated(reader, file):
        table["line_key"] = whole_row(file)
        num_files = len(reader.files[file.name])
        notes.append(
            f"{repeated:,} lines of {file.name} are in two of its {num_files} files, word for "
            "word, and none of them has a line twice: each is read once (line_key)"
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
    reader: Reader, sales: SalesFile, table: dict[str, Any], notes: list[str]
) -> None:
    """Leave out rows whose product, place or date is called a total: they count all twice."""
    columns = sales.keys.there or [str(sales.keys.series)]
    if sales.date is not None and sales.date.is_text and sales.date.expr is None:
        columns = [*columns, sales.date.name]
    for column in columns:
        text = f"{quote(column)}::VARCHAR"
        sql = f'SELECT DISTINCT {text} AS v FROM "{sales.file.name}" WHERE {text} IS NOT NULL'
        values = reader.fetch(sql, sales.file.name)["v"].to_pylist()
        heads = [value for value in values if value.strip() == column]
        _leave_out_heads(sales.file, column, heads, table, notes)
        totals = sorted(
            {
                *totals_among(values),
                *sums_of_others(reader, sales, column, table.get("where")),
                *sums_of_groups(reader, sales, column),
            }
        )
        if not totals or len(totals) == len(values):
            continue
        listed = ", ".join(map(literal, totals))
        rule = f"coalesce({text}, '') NOT IN ({listed})"
        _narrow(table, rule)
        notes.append(
            f"rows of {sales.file.name} whose {column} is {', '.join(totals)} are left out as sums "
            "of the others: take them out of `where` if they are none"
        )


def _leave_out_sums(
    reader: Reader, sales: SalesFile, table: dict[str, Any], notes: list[str]
) -> None:
    """Leave out rows without a date that add up the others, of their product or of all."""
    file, date, quantity = sales.file, sales.date, sales.quantity
    if date is None or quantity is None or not date.is_text or date.expr is not None:
        return
    day, amount = f"trim({quote(date.name)})", quantity.style.sql(quote(quantity.name))
    product = quote(sales.keys.product or str(sales.keys.series or date.name))
    near = f"<= 0.001 * abs({amount}) + 0.001, false)"
    own = f"sum({amount}) FILTER (coalesce({day}, '') <> '') OVER (PARTITION BY {product})"
    every = f"sum({amount}) FILTER (coalesce({day}, '') <> '') OVER ()"
    sql = (
        f"SELECT count(*) AS n, count(*) FILTER (is_sum) AS sums FROM (SELECT {day} AS day, "
        f"coalesce(abs({amount} - own) {near} OR coalesce(abs({amount} - every) {near} AS is_sum "
        f"FROM (SELECT *, {own} AS own, {every} AS every FROM {quote(file.name)})) "
        "WHERE coalesce(day, '') = ''"
    )
    [found] = reader.fetch(sql, file.name).to_pylist()
    if found["n"] and found["sums"] == found["n"]:
        _narrow(table, f"coalesce({day}, '') <> ''")
        notes.append(
            f"{found['n']:,} rows of {file.name} have no {date.name} and are the sums of the "
            "others: they are left out"
        )


def _narrow(table: dict[str, Any], rule: str) -> None:
    """Add a rule to those that a table's rows must meet."""
    table["where"] = f"({table['where']}) AND {rule}" if "where" in table else rule


def _leave_out_heads(
    file: FileFacts, column: str, heads: list[str], table: dict[str, Any], notes: list[str]
) -> None:
    """Leave out rows that say the names of their columns, as a report does on each of its pages."""
    if not heads or column in table.get("where", ""):
        return
    rule = f"trim(coalesce({quote(column)}::VARCHAR, '')) <> {literal(column)}"
    _narrow(table, rule)
    notes.append(
        f"rows of {file.name} whose {column} is {column} are left out, as its header on other pages"
    )


def _period(reader: Reader, file: FileFacts, day: str, frequency: str) -> str:
    """Return the SQL of the period that holds a day."""
    sql = f'SELECT min({day}) AS d FROM "{file.name}" WHERE year({day}) BETWEEN 1900 AND 2200'
    first = reader.fetch(sql, file.name)["d"][0].as_py()
    start = floor_dates(pd.DatetimeIndex([first]), frequency)[0]
    return Timeline(start, frequency, 1).to_sql(f"({day})")


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


def _wide(
    reader: Reader, files: list[FileFacts], file: FileFacts
) -> tuple[pd.DatetimeIndex, dict[str, Any]]:
    """Return the dates and the sales table of a file with a column per period."""
    table: dict[str, Any] = {"from": file.name, "layout": "wide"}
    if file.periods_format is not None:
        dates = period_starts(file.periods, file.periods_format)
        wide = {
            "columns": wide_pattern(file.periods_format, file.periods),
            "format": file.periods_format,
        }
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
