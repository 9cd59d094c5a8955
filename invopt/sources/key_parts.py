"""Articles that are stocked by size or colour, and places that no word names: parts of the key.

A list of stock with a row for each article and size says that the size is ordered, though the
sales call the article alone a product.
"""

import re
from collections.abc import Sequence

from invopt.sources.by_place import PLACE, UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts, num_distinct
from invopt.sources.held_stock import stock_of
from invopt.sources.placing import UNIQUE
from invopt.sources.vocabulary import DOCUMENTS, by_word, has_label, plain
from invopt.sources.words import NO_PRODUCT, Keys, SpokenNames, column_called
from invopt.sql import quote

KEY = "sku"
# Words of what one article is made in several of.
_VARIANTS = (
    r"(^|_)(sizes?|grosse|groesse|taille|talla|taglia|tamanho|maat|rozmiar|beden|colou?r|farbe"
    r"|couleur|coloris|kleur|kolor|colore|cor|farg|renk|variant|variante|fit|waist|cup)(_|$)"
)
# Of a lot, a unit or a list, which a stock has several rows for without ordering each apart.
_NO_PART = (
    r"(^|_)(lot|batch|charge|serial|expiry|exp|bin|shelf|unit|uom|einheit|me|status|bestand)(_|$)"
)
_MOST = 500  # sizes or places that a column may have
_KNOWN = 0.5  # share of the pairs sold that a list must know


def complete_series(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Make sizes a part of the product, and a column of places the place, where stock is by them.

    Args:
        reader: Holds the files.
        found: Gets tables in the place of their files, and notes.
        asked: Columns that a person named: what is named is not looked for.
    """
    if asked.named:
        return
    for file in list(found.files):
        keys = Keys.of(file)
        if keys.product is None or keys.series is not None or not _are_lines(file, keys):
            continue
        for column in _candidates(file, keys):
            lists = [f for f in found.files if f is not file and not f.of_kind(DATE)]
            beside = [f for f in lists if _tells_apart(reader, file, f, keys, column)]
            if not beside:
                continue
            if _is_variant(column):
                _join_to_product(reader, found, file, keys.product, column.name)
                role = f"a part of the product ({keys.product} and {column.name})"
            elif keys.location is None and any(_holds_stock(reader, f) for f in beside):
                _call_place(reader, found, column.name)
                role = "the place"
            else:
                continue
            said = ", ".join(f.path for f in beside)
            found.notes.append(
                f"{said} has a row for each {keys.product} and {column.name}, so that "
                f"{column.name} is read as {role}: --product or --location names other columns"
            )
            return


def _are_lines(file: FileFacts, keys: Keys) -> bool:
    """Return whether a file may hold sales: a date and a quantity beside its product."""
    names = [c.name for c in file.columns if c.kind == NUMBER and c.name not in keys.there]
    return bool(file.of_kind(DATE)) and not file.periods and by_word(names, "y") is not None


def _candidates(file: FileFacts, keys: Keys) -> list[ColumnFacts]:
    """Return the columns that may be a part of the key, sizes and colours first."""
    apart = DOCUMENTS | (NO_PRODUCT - {"store", "shop", "site", "branch", "region", "market"})
    left = [
        c
        for c in file.columns
        if c.kind != DATE
        and not c.has_fraction
        and c.name not in keys.there
        and 1 < c.num_distinct <= _MOST
        and not re.search(_NO_PART, plain(c.name))
        and not has_label(c.name)
        and by_word([c.name], "product") is None
        and not (c.kind == NUMBER and by_word([c.name], "y") is not None)
        and (_is_variant(c) or not apart & {*plain(c.name).split("_")})
    ]
    return sorted(left, key=lambda c: not _is_variant(c))


def _is_variant(column: ColumnFacts) -> bool:
    return re.search(_VARIANTS, plain(column.name)) is not None


def _tells_apart(
    reader: Reader, sales: FileFacts, other: FileFacts, keys: Keys, column: ColumnFacts
) -> bool:
    """Return whether a list has its rows by the keys and this column, and knows what is sold so."""
    own = [column_called(other, name) for name in (*keys.there, column.name)]
    place = keys.location is not None and own[1] is None
    names = [name for name in own if name is not None]
    if len(names) < len(own) - place or own[0] is None or own[-1] is None:
        return False
    without = names[:-1]
    if num_distinct(reader, other, without) >= UNIQUE * other.num_rows:
        return False
    if num_distinct(reader, other, names) < UNIQUE * other.num_rows:
        return False
    cells = [_pair(n) for n in ([keys.product or "", column.name], [own[0], own[-1]])]
    [n] = reader.fetch(
        f"SELECT count(*) AS n, count(*) FILTER (k IN (SELECT {cells[1]} FROM "
        f"{quote(other.name)})) AS known FROM (SELECT DISTINCT {cells[0]} AS k FROM "
        f"{quote(sales.name)})",
        other.name,
    ).to_pylist()
    return n["n"] > 0 and n["known"] >= _KNOWN * n["n"]


def _pair(names: Sequence[str]) -> str:
    """Return the SQL of the text that some columns make together, without blanks around each."""
    return f"concat_ws('_', {', '.join(f'trim({quote(name)}::VARCHAR)' for name in names)})"


def _holds_stock(reader: Reader, file: FileFacts) -> bool:
    numbers = [c for c in file.columns if c.kind == NUMBER and c.name not in Keys.of(file).there]
    return stock_of(reader, file, numbers) is not None


def _call_place(reader: Reader, found: UnitedFiles, name: str) -> None:
    """Call a column the place in every file that has it."""
    for at, file in enumerate(found.files):
        own = column_called(file, name)
        if own is None or column_called(file, PLACE) is not None or file.periods:
            continue
        sql = f"SELECT * EXCLUDE ({quote(own)}), {quote(own)} AS {PLACE} FROM {quote(file.name)}"
        found.files[at] = found.table_of(reader, f"{file.name}_by_{plain(name)}", sql, [file])


def _join_to_product(
    reader: Reader, found: UnitedFiles, sales: FileFacts, product: str, name: str
) -> None:
    """Give every file with an article and a size a column that names both.

    A list of articles without sizes says the same of each size that is sold.
    """
    sold = f"SELECT DISTINCT trim({quote(product)}::VARCHAR) AS k, {_pair([product, name])} AS "
    sold += f"{KEY} FROM {quote(sales.name)}"
    for at, file in enumerate(found.files):
        article, part = column_called(file, product), column_called(file, name)
        if article is None or file.periods or column_called(file, KEY) is not None:
            continue
        rows = quote(file.name)
        if part is not None:
            sql = f"SELECT *, {_pair([article, part])} AS {KEY} FROM {rows}"
        else:
            sql = f"SELECT {rows}.*, s.{KEY} FROM {rows} JOIN ({sold}) s ON s.k = "
            sql += f"trim({rows}.{quote(article)}::VARCHAR)"
        made = f"{file.name}_by_{plain(name)}"
        parts = [file] if part is not None or file is sales else [file, sales]
        found.files[at] = found.table_of(reader, made, sql, parts)
