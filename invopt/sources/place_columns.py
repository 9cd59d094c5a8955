"""Tables with a column for each place: stock of Berlin, stock of Hamburg, stock in all."""

import re
from collections.abc import Iterable, Mapping

from invopt.sources.by_place import PLACE, UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts, cells_of
from invopt.sources.twins import is_total
from invopt.sources.vocabulary import plain
from invopt.sources.words import SALES, Keys, domain_of
from invopt.sql import quote

_MANY = 500  # places over which a column of them is no help
_LEAST = 2
_SHARE = 0.5  # of the places that must have a column


def stack_places(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a column for each place that another file names by a row for each.

    A blank cell is no row.
    """
    for at, file in enumerate(found.files):
        if file.periods or Keys.of(file).location is not None:
            continue
        own = _columns_of(file, _places(reader, [f for f in found.files if f is not file]))
        if not own:
            continue
        stem = _stem(own)
        value = stem or ("on_hand" if domain_of(file) == "stock" else _value(file))
        name = f"{file.name}_by_place"
        found.files[at] = found.table_of(reader, name, _stacked(file, own, value), [file])
        found.notes.append(
            f"{file.path} has a column for each of {len(own)} places ({', '.join(list(own)[:3])}): "
            f"each cell is a row, its number read as {value}"
        )


def _value(file: FileFacts) -> str:
    """Return the name of numbers that no column tells: that of their file, or what it says."""
    return "quantity" if file.of_kind(DATE) and re.search(SALES, plain(file.name)) else file.name


def _places(reader: Reader, files: Iterable[FileFacts]) -> list[str]:
    """Return the places that files name in a column; those of the first one that has several."""
    for file in files:
        column = Keys.of(file).location
        if column is None:
            continue
        sql = (
            f"SELECT DISTINCT trim({quote(column)}::VARCHAR) AS v FROM {quote(file.name)} "
            f"WHERE trim({quote(column)}::VARCHAR) <> '' ORDER BY 1 LIMIT {_MANY + 1}"
        )
        values = reader.fetch(sql, file.name)["v"].to_pylist()
        if _LEAST <= len(values) <= _MANY:
            return values
    return []


def _columns_of(file: FileFacts, places: list[str]) -> dict[str, str]:
    """Return the place of each column that is one, with the same words beside each or none."""
    names = [c.name for c in file.of_kind(NUMBER)]
    by_words: dict[str, dict[str, str]] = {}
    for place in places:
        own = plain(place)
        for name in names if own else ():
            words = plain(name)
            if words == own or words.startswith(f"{own}_") or words.endswith(f"_{own}"):
                rest = re.sub(rf"^{re.escape(own)}_?|_?{re.escape(own)}$", "", words)
                by_words.setdefault(rest, {})[name] = place
    best: Mapping[str, str] = max(by_words.values(), key=len, default={})
    enough = len(best) >= _LEAST and len(set(best.values())) == len(best)
    return dict(best) if enough and len(best) >= _SHARE * len(places) else {}


def _stem(columns: Mapping[str, str]) -> str:
    """Return what the names of columns say besides their place."""
    name, place = next(iter(columns.items()))
    return re.sub(rf"_?{re.escape(plain(place))}_?", "", plain(name))


def _stacked(file: FileFacts, columns: Mapping[str, str], value: str) -> str:
    gone = {*columns, *(c.name for c in file.of_kind(NUMBER) if _sums(c.name))}
    left = [c.name for c in file.columns if c.name not in gone]
    picked = "".join(f"{quote(name)}, " for name in left)
    return (
        f"SELECT {picked}{PLACE}, {quote(value)} FROM {cells_of(file, left, columns, PLACE, value)}"
    )


def _sums(name: str) -> bool:
    """Return whether a column's name has a word for a sum of the others."""
    return any(is_total(word) for word in re.split(r"[\W_]+", name) if word) or is_total(name)
