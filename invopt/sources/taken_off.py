"""What a file says beside a quantity was cancelled or came back: the quantity is less by it."""

import re

from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, ColumnFacts, FileFacts
from invopt.sources.vocabulary import QUANTITIES, plain
from invopt.sql import quote

_DELIVERED = r"liefer|deliver|livr|consegn|entreg|dostaw|levering|leverans|geliev"
_BACK = r"retour|retoure|returned|(^|_)returns?(_|$)|remission|invendu|devuelt|devoluc|zwrot|reso"
_CANCELLED = {"canceled", "cancelled", "storniert"}
_CAME_BACK = {"refunded", "refund", "returned", "return", "returns", "retourniert", "retoure",
              "retouren", "retour", "erstattet", "devuelta", "devueltas", "devuelto", "devueltos",
              "rembourse", "rembourses", "zwrot"}  # fmt: skip
# A quantity of these names is without what was cancelled; one of those with what came back, too.
_WITHOUT_CANCELLED = {"shipped", "invoiced", "delivered", "net", "netto", "sold", "fulfilled"}
_WITHOUT_BOTH = {"net", "netto", *_CAME_BACK}
_MOST = 0.01  # share of the rows in which a part may be more than the whole


def taken_off(reader: Reader, file: FileFacts, quantity: ColumnFacts) -> list[ColumnFacts]:
    """Return the columns of what was cancelled of a quantity, or came back: parts of it.

    Args:
        reader: Holds the file.
        file: It.
        quantity: What was ordered, sold or delivered.
    """
    words = set(plain(quantity.name).split("_"))
    found = [] if words & _WITHOUT_CANCELLED else _beside(file, quantity, _CANCELLED)
    if not words & _WITHOUT_BOTH:
        found += _beside(file, quantity, _CAME_BACK)
    while found and not _are_parts(reader, file, quantity, found):
        found.pop()
    return found or _of_delivery(file, quantity)


def less(quantity: ColumnFacts, parts: list[ColumnFacts]) -> str:
    """Return the SQL of a quantity without its parts, which are written with either sign."""
    cells = [f"abs(coalesce({part.style.sql(quote(part.name))}, 0))" for part in parts]
    return " - ".join([quantity.style.sql(quote(quantity.name)), *cells])


def _beside(file: FileFacts, quantity: ColumnFacts, said: set[str]) -> list[ColumnFacts]:
    """Return the numbers whose names say a quantity, and that it was cancelled or came back."""
    units = QUANTITIES | set(plain(quantity.name).split("_"))
    names = {c.name: set(plain(c.name).split("_")) for c in file.of_kind(NUMBER)}
    return [
        column
        for column in file.of_kind(NUMBER)
        if column.name != quantity.name
        and names[column.name] & said
        and names[column.name] & (units - said)
    ]


def _are_parts(
    reader: Reader, file: FileFacts, quantity: ColumnFacts, parts: list[ColumnFacts]
) -> bool:
    """Return whether some columns together are no more than the quantity of nearly all rows."""
    whole = quantity.style.sql(quote(quantity.name))
    cells = " + ".join(f"abs(coalesce({c.style.sql(quote(c.name))}, 0))" for c in parts)
    sql = f"SELECT count(*) FILTER ({cells} > abs({whole})) AS n FROM {quote(file.name)}"
    return int(reader.fetch(sql, file.name)["n"][0].as_py()) <= _MOST * file.num_rows


def _of_delivery(file: FileFacts, quantity: ColumnFacts) -> list[ColumnFacts]:
    """Return the column of what came back of a delivery, as bakeries and presses count it."""
    if not re.search(_DELIVERED, plain(quantity.name)):
        return []
    return [c for c in file.of_kind(NUMBER) if re.search(_BACK, plain(c.name))][:1]
