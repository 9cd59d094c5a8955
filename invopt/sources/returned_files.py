"""What came back, in a file of its own: returns and credit notes lower what was sold.

They count on the day they came back; where their file has no day, on that of the sale they name.
"""

import re
from dataclasses import dataclass, replace

from invopt.errors import InvalidInputError
from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts, date_sql, dates_in
from invopt.sources.formats import date_sql_of
from invopt.sources.sales_facts import SalesFile
from invopt.sources.sales_file import find_sales
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import Keys, SpokenNames, ends_week
from invopt.sql import literal, quote
from invopt.timeline import frequency_unit, usual_frequency

_GIVEN_BACK = (
    r"return|retour|retoure|refund|gutschrift|credit_?(note|memo)|devoluci|(^|_)resi?(_|$)"
    r"|reso(_|$)|avoir|zwrot|iade|rma(_|$)|nota_de_credito|notas_de_credito|abono"
)
# What goes back to a supplier lowers no sales.
_TO_SUPPLIER = r"vendor|supplier|lieferant|fournisseur|proveedor|purchase|einkauf|rtv|achat|compra"
_COUNTED_BACK = (
    r"return|retour|retoure|refund|gutschrift|credit|devuel|devoluc|reso|zwrot|iade|avoir|back"
)
_DOCUMENT = (
    r"(invoice|order|document|receipt|bill|sales?|rechnung(s)?|beleg|auftrag(s)?|bestell|lieferschein"
    r"|facture|commande|factura|pedido|fattura|ordine)\w*?_?(id|no|nr|number|num|nummer|key|ref)?$"
)
_LENGTHS = {"W": 6, "2W": 13, "MS": 30, "QS": 91}  # days after its first
_LESS = "_less_returns"  # what the sales are called without what came back
_FOUND = 0.9  # share of the lines given back whose sale is there
_WHOLE = 0.9  # share of the lines given back that can be netted


@dataclass(frozen=True)
class _Returned:
    """A file of what came back as lines of the sales.

    Attributes:
        file: It.
        cells: SQL by column of the sales, over its rows r and those of the sales o.
        join: SQL that finds the sale of each row; "" where it is not needed.
        day: On which day its rows count, in words.
        where: SQL of the rows that are taken; "" for all.
        num_outside: Rows of before the first and after the last sale.
    """

    file: FileFacts
    cells: dict[str, str]
    join: str
    day: str
    where: str = ""
    num_outside: int = 0


def net_returns(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Make one table of sales and of the files that say what came back, which counts below zero.

    A file that names no product and no sale is left as it is, and told later.
    """
    back = [f for f in found.files if _is_given_back(f)]
    others = [f for f in found.files if f not in back]
    if not back or not others:
        return
    try:
        sales = find_sales(reader, others, asked)
    except InvalidInputError:  # told when the sales are looked for among all files
        return
    if sales.date is None or sales.quantity is None:
        return
    below = _num_below_zero(reader, sales)
    for file in back:
        made = _as_sales(reader, file, sales)
        if made is None or file.num_rows >= sales.file.num_rows:
            found.notes.append(
                f"{file.path} seems to hold what came back and is not taken off the sales: it does "
                "not tell the product, place, day and quantity of each row in a way that is known; "
                "unite both in a source of SQL, with layout: transactions and returns: net"
            )
            continue
        if below:  # it may say once more what these lines say, or be a ledger's
            found.notes.append(
                f"{file.path} is not taken off the sales, as {below:,} of their rows are below 0 "
                "already: unite both in a source of SQL where these are others"
            )
            return
        sales = _unite(reader, found, sales, made)


def _is_given_back(file: FileFacts) -> bool:
    name = plain(" ".join(filter(None, (file.name, file.sheet))))
    said = re.search(_GIVEN_BACK, name) is not None
    return said and not re.search(_TO_SUPPLIER, name) and not file.periods


def _num_below_zero(reader: Reader, sales: SalesFile) -> int:
    """Return how many rows of the sales are below zero."""
    assert sales.quantity is not None
    amount = sales.quantity.style.sql(quote(sales.quantity.name))
    sql = f"SELECT count(*) FILTER ({amount} < 0) AS n FROM {quote(sales.file.name)}"
    return int(reader.fetch(sql, sales.file.name)["n"][0].as_py())


def _as_sales(reader: Reader, file: FileFacts, sales: SalesFile) -> _Returned | None:
    """Return how the rows of a file are lines of the sales; None where they cannot be."""
    assert sales.date is not None
    quantity, date = _quantity(file), _date(file)
    if quantity is None:
        return None
    cells, missing = _keys(file, sales)
    cells |= _amount(quantity, sales)
    needs = [*missing, *([sales.date.name] if date is None else [])]
    join = ""
    if needs:
        on = _sale_of(reader, file, sales, cells)
        if on is None or sales.date.expr is not None:
            return None
        join = on
        cells |= {name: f"o.{quote(name)}" for name in needs}
    if date is not None:
        day = _day(date, sales.date)
        step = usual_frequency(dates_in(reader, sales.file, sales.date))
        if day is not None and step != "D":
            day = _period(date, sales)
        if day is None:
            return None
        cells[sales.date.name] = day
    told = f"on the day of {date.name}" if date is not None else "on the day of their sale"
    made = _Returned(file, cells, join, told)
    if not _holds(reader, made, sales):
        return None
    return made if date is None else _within(reader, made, date, sales)


def _within(
    reader: Reader, made: _Returned, date: ColumnFacts, sales: SalesFile
) -> _Returned | None:
    """Return what came back between the first and the last sale: else days of no sale would begin.

    None where that cannot be written, and some came back before or after.
    """
    assert sales.date is not None
    sold = dates_in(reader, sales.file, sales.date)
    length = _LENGTHS.get(frequency_unit(usual_frequency(sold)), 0)
    before, after = (length, 0) if ends_week(sales.date.name) else (0, length)
    days = f"DATE '{sold.min():%Y-%m-%d}' - {before} AND DATE '{sold.max():%Y-%m-%d}' + {after}"
    [found] = reader.fetch(
        f"SELECT count(*) FILTER ({date_sql(date)} NOT BETWEEN {days}) AS n FROM "
        f"{quote(made.file.name)}",
        made.file.name,
    ).to_pylist()
    if date.days is not None or sales.date.days is not None:
        return None if found["n"] else made
    day = _day_back(date)
    rows = f"{quote(sales.file.name)} WHERE year({date_sql(sales.date)}) BETWEEN 1900 AND 2200"
    limits = [f"(SELECT {edge}({date_sql(sales.date)}) FROM {rows})" for edge in ("min", "max")]
    span = f"{limits[0]} - {before} AND {limits[1]} + {after}"
    where = f" WHERE coalesce({day} BETWEEN {span}, true)"
    return replace(made, where=where, num_outside=int(found["n"]))


def _amount(quantity: ColumnFacts, sales: SalesFile) -> dict[str, str]:
    """Return how many came back, below zero and written as the sales write numbers."""
    assert sales.quantity is not None
    number = f"abs({quantity.style.sql(f'r.{quote(quantity.name)}')})"
    if not sales.quantity.is_text:
        return {sales.quantity.name: f"-{number}"}
    sign = literal(sales.quantity.style.decimal)
    return {sales.quantity.name: f"replace('-' || whole({number}), '.', {sign})"}


def _keys(file: FileFacts, sales: SalesFile) -> tuple[dict[str, str], list[str]]:
    """Return the keys of the sales that a file has, and the names of those that it lacks."""
    keys = Keys.of(file)
    theirs = {**keys.roles, "series": keys.series}
    wanted = {"product": sales.keys.product, "location": sales.keys.location}
    if sales.keys.series is not None:
        wanted = {"series": sales.keys.series}
    names = {c.name for c in file.columns}
    cells, missing = {}, []
    for role, ours in wanted.items():
        if ours is None:
            continue
        column = ours if ours in names else theirs.get(role)
        if column is None:
            missing.append(ours)
        else:
            cells[ours] = f"r.{quote(column)}"
    return cells, missing


def _quantity(file: FileFacts) -> ColumnFacts | None:
    """Return the column of how many came back."""
    keys = Keys.of(file)
    numbers = [c for c in file.of_kind(NUMBER) if c.name not in (*keys.there, keys.series)]
    names = [
        c.name for c in numbers if not re.search(r"price|preis|amount|betrag|value", plain(c.name))
    ]
    counted = [n for n in names if re.search(_COUNTED_BACK, plain(n))]
    whole = {c.name for c in numbers if not c.has_fraction}
    name = by_word(names, "y") or next((n for n in counted if n in whole), None)
    return next((c for c in numbers if c.name == name), None)


def _date(file: FileFacts) -> ColumnFacts | None:
    dates = {c.name: c for c in file.of_kind(DATE)}
    back = [n for n in dates if re.search(_COUNTED_BACK, plain(n))]
    name = next(iter(back), None) or by_word(list(dates), "date") or next(iter(dates), None)
    return dates[name] if name is not None else None


def _day(date: ColumnFacts, sales: ColumnFacts) -> str | None:
    """Return the SQL of the day of a row that came back, written as the sales write theirs."""
    cell = f"r.{quote(date.name)}"
    if sales.expr is not None or date.expr is not None:
        return None
    if not sales.is_text and sales.format is None:
        return _day_back(date) if date.days is None else None
    if date.days is not None:  # the reader knows its form, beside that of the sales
        return f"{cell}::VARCHAR" if sales.days is not None else None
    if date.is_text and (date.format, date.days) == (sales.format, sales.days):
        return cell
    form = sales.format if sales.format is not None else "%Y-%m-%d"
    return f"strftime({_stamp(date, cell)}, {literal(form)})"


def _period(date: ColumnFacts, sales: SalesFile) -> str | None:
    """Return the SQL of the date of the sales whose period holds the day of a row that came back.

    None where the sales write their periods in a form that only the reader knows.
    """
    assert sales.date is not None
    if sales.date.days is not None or date.days is not None:
        return None
    day = _day_back(date)
    ours = f"SELECT DISTINCT {quote(sales.date.name)} AS d, {date_sql(sales.date)} AS day"
    take, side = ("arg_min", ">=") if ends_week(sales.date.name) else ("arg_max", "<=")
    rows = f"({ours} FROM {quote(sales.file.name)})"
    return f"(SELECT {take}(d, day) FROM {rows} WHERE day {side} {day})"


def _day_back(date: ColumnFacts) -> str:
    """Return the SQL of the day of a row that came back."""
    return f"({_stamp(date, f'r.{quote(date.name)}')})::DATE"


def _stamp(date: ColumnFacts, cell: str) -> str:
    if date.is_text or date.format is not None:
        return date_sql_of(cell, date.format)
    return f"TRY_CAST({cell} AS TIMESTAMP)"


def _sale_of(
    reader: Reader, file: FileFacts, sales: SalesFile, cells: dict[str, str]
) -> str | None:
    """Return the join of each row that came back to its sale; None where it names none."""
    ours = {plain(c.name): c.name for c in sales.file.columns}
    shared = [
        (c.name, ours[plain(c.name)])
        for c in file.columns
        if plain(c.name) in ours and re.search(_DOCUMENT, plain(c.name)) and c.kind != DATE
    ]
    product = sales.keys.product if sales.keys.product in cells else None
    rows = quote(sales.file.name)
    for theirs, mine in shared:
        on = [f"trim(o.{quote(mine)}::VARCHAR) = trim(r.{quote(theirs)}::VARCHAR)"]
        names = [mine]
        if product is not None:
            on.append(f"trim(o.{quote(product)}::VARCHAR) = trim(({cells[product]})::VARCHAR)")
            names.append(product)
        listed = ", ".join(map(quote, names))
        join = (
            f" LEFT JOIN (SELECT * FROM {rows} QUALIFY row_number() OVER (PARTITION BY {listed}) "
            f"= 1) o ON {' AND '.join(on)}"
        )
        [found] = reader.fetch(
            f"SELECT count(*) AS n, count(o.{quote(mine)}) AS met FROM {quote(file.name)} r{join}",
            file.name,
        ).to_pylist()
        if found["n"] and found["met"] >= _FOUND * found["n"]:
            return join
    return None


def _rows(made: _Returned) -> str:
    picks = ", ".join(f"{sql} AS {quote(name)}" for name, sql in made.cells.items())
    return f"SELECT {picks} FROM {quote(made.file.name)} r{made.join}{made.where}"


def _holds(reader: Reader, made: _Returned, sales: SalesFile) -> bool:
    """Return whether nearly every row has all it needs, and mostly a product that was sold."""
    given = " AND ".join(f"coalesce(trim({quote(n)}::VARCHAR), '') <> ''" for n in made.cells)
    key = sales.keys.product or sales.keys.series or sales.keys.location
    sold = f"SELECT trim({quote(str(key))}::VARCHAR) FROM {quote(sales.file.name)}"
    [found] = reader.fetch(
        f"SELECT count(*) AS n, count(*) FILTER ({given}) AS whole, count(*) FILTER "
        f"(trim({quote(str(key))}::VARCHAR) IN ({sold})) AS known FROM ({_rows(made)})",
        made.file.name,
    ).to_pylist()
    enough = _WHOLE * float(found["n"])
    return bool(found["n"]) and found["whole"] >= enough and found["known"] >= enough


def _unite(reader: Reader, found: UnitedFiles, sales: SalesFile, made: _Returned) -> SalesFile:
    """Return the sales less what came back, a table of theirs and of each such file."""
    stem = sales.file.name.partition(_LESS)[0]
    number = sum(other.startswith(stem + _LESS) for other in found.sources) + 1
    name = f"{stem}{_LESS}{f'_{number}' if number > 1 else ''}"
    sql = f"SELECT * FROM {quote(sales.file.name)} UNION ALL BY NAME {_rows(made)}"
    at = next(n for n, file in enumerate(found.files) if file is sales.file)
    less = found.table_of(reader, name, sql, [sales.file, made.file])
    found.files[at] = less
    found.files[:] = [file for file in found.files if file is not made.file]
    outside = (
        f"; {made.num_outside:,} of before the first sale, or after the last one, are left out"
        if made.num_outside
        else ""
    )
    found.notes.append(
        f"{made.file.num_rows:,} rows of {made.file.path} are what came back: they lower what was "
        f"sold, {made.day}{outside}; take {made.file.name} out of the source {name} where they do "
        "not"
    )
    return replace(sales, file=less)
