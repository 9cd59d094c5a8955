"""Tables with a column for each size of an article (S, M, L or 36, 37, 38): a row for each."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts, cells_of
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import Keys
from invopt.sql import quote

_LETTERS = re.compile(r"(?i)(\d{0,2}x{0,4}[sl]|m|xs/s|s/m|m/l|l/xl|one ?size|os)")
_FIGURES = re.compile(r"\d{2}([.,]5)?")
_SMALLEST, _LARGEST = 16, 62  # of clothes and shoes; months, hours and days begin with 1
_LEAST = 3
_COLOURS = r"(^|_)(colou?r|farbe|couleur|coloris|kleur|kolor|colore|cor|farg|renk)(_|$)"
KEY, VALUE = "sku", "quantity"


def stack_sizes(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a column for each size by a row for each: article, colour and size.

    Sums and money of the whole row are left out, and a blank cell is no row.
    """
    for at, file in enumerate(found.files):
        keys, sizes = Keys.of(file), _sizes(file)
        if keys.product is None or not sizes or file.periods or not file.of_kind(DATE):
            continue
        numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in sizes]
        if by_word([n for n in numbers if n not in keys.there], "y") in (KEY, VALUE):
            continue
        colour = next((c.name for c in file.columns if re.search(_COLOURS, plain(c.name))), None)
        parts = [keys.product, *([colour] if colour is not None else [])]
        sql = _stacked(file, keys, sizes, parts)
        found.files[at] = found.table_of(reader, f"{file.name}_by_size", sql, [file])
        found.notes.append(
            f"{file.path} has a column for each of {len(sizes)} sizes ({', '.join(sizes[:3])} …): "
            f"each cell is a row, and a product is {', '.join(parts)} and size"
        )


def _sizes(file: FileFacts) -> list[str]:
    """Return the columns that are sizes, in order; none where they are few or in no order."""
    names = [c.name.strip() for c in file.columns]
    letters = [n for n in names if _LETTERS.fullmatch(n)]
    if len(letters) >= _LEAST:
        return letters
    figures = [n for n in names if _FIGURES.fullmatch(n)]
    given = [float(n.replace(",", ".")) for n in figures]
    is_run = given == sorted(given) and all(_SMALLEST <= n <= _LARGEST for n in given)
    return figures if len(figures) >= _LEAST and is_run else []


def _stacked(file: FileFacts, keys: Keys, sizes: list[str], parts: list[str]) -> str:
    """Return the SQL of a row for each cell, its article named by several columns and its size."""
    columns = {c.name.strip(): c.name for c in file.columns}
    own = {columns[size]: size for size in sizes}
    gone = {*own, *(c.name for c in file.of_kind(NUMBER) if c.name not in keys.there)}
    left = [c.name for c in file.columns if c.name not in gone and c.name.lower() != KEY]
    cells = cells_of(file, list(dict.fromkeys([*left, *parts])), own, "size", VALUE)
    names = ", ".join(f"trim({quote(part)}::VARCHAR)" for part in parts)
    picked = "".join(f"{quote(name)}, " for name in left)
    return f"SELECT {picked}concat_ws('_', {names}, size) AS {KEY}, size, {VALUE} FROM {cells}"
