"""Tables with several measures of each place beside each other: Leeds Units, Leeds Sales.

No other file names the places: that they are some is told by every one having every measure.
"""

import re
from collections.abc import Iterator
from itertools import permutations

from invopt.sources.by_place import PLACE, UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts, cells_of
from invopt.sources.vocabulary import MONEY, all_by_word, by_word, is_ruled_out, plain
from invopt.sources.words import Keys, shortened
from invopt.sql import quote

_LEAST, _LEAST_MEASURES = 3, 2
# What became of an order, and what else stands before a measure and is no place.
_STATES = (
    r"order|ship|invoic|deliver|sold|open|net|gross|brutto|retur|cancel|receiv|total|sum|unit|pack"
    r"|base|promo|day|week|month|year|ytd|mtd|forecast|actual|ist|min|max|avg|mean"
)


def stack_measured_places(reader: Reader, found: UnitedFiles) -> None:
    """Replace files that have measures of each place in columns by a row for each place.

    What was sold is kept; the other measures are left out, and it is said.
    """
    for at, file in enumerate(list(found.files)):
        keys = Keys.of(file)
        if file.periods or keys.product is None or keys.location is not None:
            continue
        made = _of_places(reader, file) if file.of_kind(DATE) else None
        if made is None:
            continue
        measure, own, others = made
        gone = {*own, *others}
        left = [c.name for c in file.columns if c.name not in gone]
        picked = "".join(f"{quote(name)}, " for name in left)
        cells = cells_of(file, left, own, PLACE, measure)
        sql = f"SELECT {picked}{PLACE}, {quote(measure)} FROM {cells}"
        found.files[at] = found.table_of(reader, f"{file.name}_by_place", sql, [file])
        found.notes.append(
            f"{file.path} has several measures of each of {len(own)} places "
            f"({shortened([*own.values()])}): {measure} is read as what was sold, a row for each "
            f"cell, and {shortened(others)} are not read"
        )


def _of_places(reader: Reader, file: FileFacts) -> tuple[str, dict[str, str], list[str]] | None:
    """Return what was sold, the place of each of its columns, and the columns beside them."""
    groups: dict[str, dict[str, str]] = {}
    for column in file.of_kind(NUMBER):
        for place, measure in _splits(column.name):
            groups.setdefault(measure, {})[place] = column.name
    for measure in all_by_word(list(groups), "y"):
        places = groups[measure]
        alike = [m for m, own in groups.items() if own.keys() == places.keys()]
        enough = len(places) >= _LEAST and len(alike) >= _LEAST_MEASURES
        if not enough or {*plain(measure).split("_")} & MONEY or not all(map(may_be_place, places)):
            continue
        columns = {c.name: c for c in file.columns}
        if not _are_nested(reader, file, [columns[name] for name in places.values()]):
            others = [n for m in alike if m != measure for n in groups[m].values()]
            return measure, {name: place for place, name in places.items()}, others
    return None


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Yield the first words and the last word of a name, and the last words and the first."""
    words = re.split(r"[\s_]+", name.strip())
    if len(words) > 1:
        yield " ".join(words[:-1]), words[-1]
        yield " ".join(words[1:]), words[0]


def may_be_place(place: str) -> bool:
    """Return whether a text may be a place: no state of an order, no period, no number's word."""
    words = plain(place)
    is_other = re.search(rf"(^|_)({_STATES})", words) is not None or is_ruled_out(place, "y")
    roles = ("y", "price", "discount", "on_hand", "on_order", "unit_cost", "date")
    return not is_other and not any(by_word([place], role) for role in roles)


def _are_nested(reader: Reader, file: FileFacts, columns: list[ColumnFacts]) -> bool:
    """Return whether one of some columns is never less than another: ordered, and shipped."""
    cells = {c.name: c.style.sql(quote(c.name)) for c in columns}
    pairs = list(permutations(cells.values(), 2))
    tests = ", ".join(
        f"coalesce(bool_and({a} >= {b}), true) AS n{n}" for n, (a, b) in enumerate(pairs)
    )
    [found] = reader.fetch(f"SELECT {tests} FROM {quote(file.name)}", file.name).to_pylist()
    return any(found.values())
