"""Lines of receipts or orders that say no quantity: each of them is one unit that was sold."""

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts
from invopt.sources.vocabulary import DOCUMENTS, MONEY, all_by_word, by_word, plain
from invopt.sources.words import Keys, SpokenNames
from invopt.sql import quote

QUANTITY = "quantity"
_NUMBERED = {"", "id", "no", "nr", "number", "num", "nummer", "numero", "key", "code", "ref"}
_VALUES = {"value", "wert", "valeur", "valor"}
_ALIKE = 0.9  # share of a product's lines with its usual amount
_SHARED = 0.98  # documents by line, up to which they have several lines


def count_lines(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Give files of lines without a quantity a column of ones, where no file has a quantity.

    Such a line names a product and its document, which has several of them.

    Args:
        reader: Holds the files.
        found: Gets the tables in the place of their files, and a note for each.
        asked: Columns that a person named: of a quantity that was named none is made.
    """
    if asked.quantity is not None or any(map(_has_quantity, found.files)):
        return
    for at, file in enumerate(found.files):
        if not _is_of_lines(file, asked) or not _has_one_price(reader, file):
            continue
        sql = f"SELECT *, 1 AS {QUANTITY} FROM {quote(file.name)}"
        found.files[at] = found.table_of(reader, f"{file.name}_counted", sql, [file])
        found.notes.append(
            f"{file.path} has no quantity: each of its lines is read as one unit that was sold"
        )


def _has_quantity(file: FileFacts) -> bool:
    """Return whether a file may hold sales with a quantity: periods, or a number of that name."""
    keys = Keys.of(file)
    taken = {*keys.there, keys.series}
    names = [c.name for c in file.of_kind(NUMBER) if c.name not in taken and not _is_worth(c)]
    units = [n for n in all_by_word(names, "y") if not MONEY & set(plain(n).split("_"))]
    return bool(file.periods) or (bool(keys.there or keys.series) and bool(units))


def _is_of_lines(file: FileFacts, asked: SpokenNames) -> bool:
    """Return whether rows name a product, and a document that several of them have.

    Where each has its own, as a machine's sales do, an amount or a price must stand beside it.
    """
    product = Keys.of(file, asked).product
    if product is None or file.num_rows < 2 or QUANTITY in {c.name.lower() for c in file.columns}:
        return False
    numbered = [
        c for c in file.columns if c.name != product and c.kind != DATE and _is_number(c.name)
    ]
    has_price = by_word([c.name for c in file.of_kind(NUMBER)], "price") is not None
    is_told = has_price or _amount_of(file) is not None
    most = file.num_rows if is_told else _SHARED * file.num_rows
    return any(1 < c.num_distinct <= most for c in numbered)


def _is_worth(column: ColumnFacts) -> bool:
    """Return whether a column called a value holds money: it has fractions."""
    return column.has_fraction and bool(_VALUES & set(plain(column.name).split("_")))


def _amount_of(file: FileFacts) -> str | None:
    """Return the column of what lines came to; None where no word says it."""
    numbers = file.of_kind(NUMBER)
    names = [c.name for c in numbers if MONEY & set(plain(c.name).split("_")) or _is_worth(c)]
    return next(iter(all_by_word(names, "y")), None)


def _has_one_price(reader: Reader, file: FileFacts) -> bool:
    """Return whether nearly all lines of a product have one amount, where a file has amounts.

    Lines of several units have several amounts, of which no column says the units.
    """
    product = quote(str(Keys.of(file).product))
    amount = _amount_of(file)
    if amount is None:
        return True
    [found] = reader.fetch(
        f"SELECT coalesce(sum(most), 0) AS most, coalesce(sum(n), 0) AS n FROM (SELECT max(k) AS "
        f"most, sum(k) AS n FROM (SELECT {product} AS p, count(*) AS k FROM {quote(file.name)} "
        f"GROUP BY p, {quote(amount)}) GROUP BY p)",
        file.name,
    ).to_pylist()
    return bool(found["n"]) and float(found["most"]) >= _ALIKE * float(found["n"])


def _is_number(name: str) -> bool:
    """Return whether a column's name says that it numbers documents: Transaction, order_id."""
    *stem, last = plain(name).split("_")
    if len(stem) == 1 and stem[0] in _NUMBERED:  # id_pedido
        stem, last = [last], stem[0]
    words = {*stem} if stem else {last}
    return bool(words & DOCUMENTS) and (not stem or last in _NUMBERED)
