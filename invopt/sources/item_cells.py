"""Orders whose items stand in one cell (2x Croissant; 1x Rye loaf): a row for each of them."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import TEXT, FileFacts
from invopt.sources.vocabulary import by_word
from invopt.sql import literal, quote

_ITEM = r"^\s*(\d{1,4})\s*[x×*]\s+(\S.*?)\s*$"
_KEY = r"(?:^|, ?)\s*([A-Za-z][\w ]{1,30}): "
_SPLIT = ";;"  # a sign that stands between items once they are parted
_ENOUGH = 0.99  # of the parts of all cells that must be items
_MANY = 0.05  # share of the cells with several items


def part_items(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with such a cell by a row for each item, its number before the sign x."""
    for at, file in enumerate(found.files):
        column = next(
            (c.name for c in file.of_kind(TEXT) if _are_items(reader, file, c.name)), None
        )
        if column is None:
            _part_pairs(reader, found, at, file)
            continue
        taken = {c.name.lower() for c in file.columns}
        names = [name if name not in taken else f"item_{name}" for name in ("quantity", "item")]
        numbers = [c.name for c in file.columns if by_word([c.name], "y") is not None]
        gone = ", ".join(map(quote, dict.fromkeys([column, *numbers])))
        sql = (
            f"SELECT * EXCLUDE ({gone}, __item), regexp_extract(__item, {literal(_ITEM)}, 1) AS "
            f"{names[0]}, regexp_extract(__item, {literal(_ITEM)}, 2) AS {names[1]} FROM "
            f"(SELECT *, unnest({_parts(column)}) AS __item FROM {quote(file.name)})"
        )
        found.files[at] = found.table_of(reader, f"{file.name}_items", sql, [file])
        left = f"; {', '.join(numbers)} is of the whole order and not read" if numbers else ""
        found.notes.append(
            f"{file.path} has the items of an order in one cell, {column}: a row is read for each, "
            f"with the number before its x{left}"
        )


def _part_pairs(reader: Reader, found: UnitedFiles, at: int, file: FileFacts) -> None:
    """Replace a file whose cells say of items what is what (Qty: 2, SKU: A1 | Qty: 1, SKU: B2)."""
    for column in file.of_kind(TEXT):
        keys = _keys_of(reader, file, column.name) if column.is_text else []
        product, quantity = by_word(keys, "product"), by_word(keys, "y")
        if product is None or quantity is None or product == quantity:
            continue
        numbers = [c.name for c in file.columns if by_word([c.name], "y") is not None]
        gone = ", ".join(map(quote, dict.fromkeys([column.name, *numbers])))
        taken = {c.name.lower() for c in file.columns} - {n.lower() for n in numbers}
        picked = ", ".join(
            f"{_value_of(key)} AS {quote(key if key.lower() not in taken else f'item {key}')}"
            for key in (product, quantity)
        )
        sql = (
            f"SELECT * EXCLUDE ({gone}, __item), {picked} FROM (SELECT *, "
            f"unnest(string_split({quote(column.name)}, '|')) AS __item FROM {quote(file.name)})"
        )
        found.files[at] = found.table_of(reader, f"{file.name}_items", sql, [file])
        left = f"; {', '.join(numbers)} is of the whole order and not read" if numbers else ""
        found.notes.append(
            f"{file.path} has the items of an order in one cell, {column.name}: a row is read for "
            f"each, with its {product} and {quantity}{left}"
        )
        return


def _keys_of(reader: Reader, file: FileFacts, column: str) -> list[str]:
    """Return what nearly all items of a column's cells say of themselves, before a colon each."""
    item = f"unnest(string_split({quote(column)}, '|'))"
    sql = (
        f"SELECT k, count(*) AS n, any_value(whole) AS whole FROM (SELECT unnest(list_distinct("
        f"regexp_extract_all(i, {literal(_KEY)}, 1))) AS k, "
        f'(SELECT count(*) FROM (SELECT {item} FROM "sample_{file.name}" WHERE '
        f"trim({quote(column)}) <> '')) AS whole FROM (SELECT {item} AS i FROM "
        f"\"sample_{file.name}\" WHERE trim({quote(column)}) <> '')) GROUP BY k"
    )
    rows = reader.fetch(sql, file.name).to_pylist()
    return [row["k"] for row in rows if row["n"] >= _ENOUGH * row["whole"]]


def _value_of(key: str) -> str:
    """Return the SQL of what an item says behind a key."""
    form = rf"(?:^|,)\s*{re.escape(key)}:\s*([^,]*?)\s*(?:,|$)"
    return f"nullif(regexp_extract(__item, {literal(form)}, 1), '')"


def _parts(column: str) -> str:
    """Return the SQL of the items of a cell, as a list."""
    marked = rf"regexp_replace({quote(column)}, '\s*[;,|\n]\s*(\d{{1,4}}\s*[x×*]\s)', ';;\1', 'g')"
    return f"string_split({marked}, {literal(_SPLIT)})"


def _are_items(reader: Reader, file: FileFacts, column: str) -> bool:
    """Return whether nearly all parts of a column's cells are a number, an x and a name."""
    if not next(c for c in file.columns if c.name == column).is_text:
        return False
    [found] = reader.fetch(
        f"SELECT coalesce(sum(len(p)), 0) AS parts, count(*) FILTER (len(p) > 1) AS several, "
        f"count(*) AS n, coalesce(sum(len(list_filter(p, lambda i: regexp_matches(i, "
        f"{literal(_ITEM)})))), 0) AS items FROM (SELECT {_parts(column)} AS p FROM "
        f"\"sample_{file.name}\" WHERE trim({quote(column)}) <> '')",
        file.name,
    ).to_pylist()
    is_list = found["n"] and found["several"] >= _MANY * found["n"]
    return bool(is_list) and found["items"] >= _ENOUGH * float(found["parts"])
