"""Products that several columns name together: a wine and its line.

A list of what is in stock, or of what is sold, tells which: each of its rows has another
combination of them, and no column alone tells its rows apart.
"""

import re
from collections.abc import Iterator
from itertools import combinations

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, TEXT, FileFacts, given_text, num_combined, num_found
from invopt.sources.placing import UNIQUE
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import Keys, SpokenNames
from invopt.sql import quote

_MOST = 3  # columns that name a product together
_KNOWN = 0.9  # share of the rows sold whose combination the list has
_OF_GOODS = ("on_hand", "in_stock", "unit_cost", "list_price", "pack_size", "lead_time",
             "reorder_point", "counted")  # fmt: skip
_NO_PART = (
    r"date|time|status|state|supplier|vendor|lieferant|proveedor|fournisseur|customer|client|kunde"
    r"|currency|note|comment|remark|(^|_)(lot|batch|bin|uom|unit|unidad)(_|$)"
)


def join_product_names(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Give files whose products several columns name together one column for them.

    Args:
        reader: Holds the files.
        found: Gets the tables in the place of their files, and a note.
        asked: Columns that a person named: where the product is among them, none is joined.
    """
    if asked.product is not None:
        return
    for sales in [f for f in found.files if _may_be_sales(f)]:
        parts = next(_parts(reader, found.files, sales), None)
        if parts is not None:
            _name_by(reader, found, parts, sales)
            return


def _may_be_sales(file: FileFacts) -> bool:
    names = [c.name for c in file.of_kind(NUMBER)]
    return bool(file.of_kind(DATE)) and not file.periods and by_word(names, "y") is not None


def _parts(reader: Reader, files: list[FileFacts], sales: FileFacts) -> Iterator[list[str]]:
    """Yield the columns that name a product together in sales, as a list of goods tells them."""
    if Keys.of(sales).product is not None:
        return
    texts = [c.name for c in sales.of_kind(TEXT) if c.num_distinct > 1 and _may_be_part(c.name)]
    for file in files:
        if file is sales or file.periods or not _is_of_goods(file):
            continue
        if Keys.of(file).product is not None:
            continue
        both = {c.name.lower() for c in file.columns}
        names = [name for name in texts if name.lower() in both]
        tries = ([*c] for size in range(2, _MOST + 1) for c in combinations(names, size))
        yield from (parts for parts in tries if _tell_apart(reader, file, sales, parts))


def _is_of_goods(file: FileFacts) -> bool:
    names = [c.name for c in file.of_kind(NUMBER)]
    return any(by_word(names, role) is not None for role in _OF_GOODS)


def _may_be_part(column: str) -> bool:
    is_place = by_word([column], "location") is not None
    return not is_place and re.search(_NO_PART, plain(column)) is None


def _tell_apart(reader: Reader, file: FileFacts, sales: FileFacts, parts: list[str]) -> bool:
    """Return whether columns tell the rows of a list apart, none can be missed, and sales know it.

    Places, lots and days may make several rows of one product.
    """
    theirs = {c.name.lower(): c.name for c in file.columns}
    own = [theirs[part.lower()] for part in parts]
    beside = _beside(file)
    whole = num_combined(reader, file, map(quote, [*own, *beside]))
    if whole < UNIQUE * file.num_rows:
        return False
    for part in own:
        rest = [name for name in own if name != part]
        if num_combined(reader, file, map(quote, [*rest, *beside])) >= UNIQUE * file.num_rows:
            return False
    known = num_found(reader, sales, _together(parts), file, _together(own))
    return known >= _KNOWN * sales.num_rows


def _together(columns: list[str]) -> str:
    """Return the SQL of texts of one row, with blanks between, NULL where none is given."""
    return f"nullif(concat_ws(' ', {', '.join(map(given_text, columns))}), '')"


def _beside(file: FileFacts) -> list[str]:
    """Return the columns besides a product's by which a list may have several rows: place, day."""
    place = Keys.of(file).location
    dates = [c.name for c in file.of_kind(DATE)]
    return [*([place] if place is not None else []), *dates[:1]]


def _name_by(reader: Reader, found: UnitedFiles, parts: list[str], sales: FileFacts) -> None:
    """Give every file that has the parts a column of them together; the sales keep them, too."""
    taken = {c.name.lower() for file in found.files for c in file.columns}
    name = next(n for n in ("sku", "product", "product_sku", "sku_of_parts") if n not in taken)
    for at, file in enumerate(found.files):
        own = {c.name.lower(): c.name for c in file.columns}
        if file.periods or not {part.lower() for part in parts} <= own.keys():
            continue
        columns = [own[part.lower()] for part in parts]
        rest = "*" if file is sales else f"* EXCLUDE ({', '.join(map(quote, columns))})"
        sql = f"SELECT {rest}, {_together(columns)} AS {name} FROM {quote(file.name)}"
        table = found.table_of(reader, f"{file.name}_by_parts", sql, [file])
        if file.name in found.gaps:
            found.gaps.add(table.name)
        found.files[at] = table
    found.notes.append(
        f"{' and '.join(parts)} name a product together, as the lists of stock or goods have one "
        "row for each: both are joined to one name; say --product COLUMN where one is enough"
    )
