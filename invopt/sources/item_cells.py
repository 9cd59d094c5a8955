"""Orders whose items stand in one cell (2x Croissant; 1x Rye loaf): a row for each of them."""

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import TEXT, FileFacts
from invopt.sources.vocabulary import by_word
from invopt.sql import literal, quote

_ITEM = r"^\s*(\d{1,4})\s*[x×*]\s+(\S.*?)\s*$"
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
