"""Orders whose lines stand beside each other (Item 1 SKU, Item 1 Quantity, Item 2 SKU, ...)."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import FileFacts
from invopt.sources.vocabulary import by_word
from invopt.sql import quote

_NUMBER = re.compile(r"(?<![0-9])0*([1-9]\d?)(?![0-9])")


def stack_items(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with numbered columns of product and quantity by a row for each item.

    An item whose product is blank is none.
    """
    for at, file in enumerate(found.files):
        groups = _numbered(file)
        names = list(groups)
        product, quantity = by_word(names, "product"), by_word(names, "y")
        if product is None or quantity is None or product == quantity:
            continue
        numbers = sorted(groups[product].keys() & groups[quantity].keys())
        if len(numbers) < 2:
            continue
        shared = [n for n in names if set(groups[n]) >= set(numbers)]
        gone = {column for name in shared for column in groups[name].values()}
        left = ", ".join(quote(c.name) for c in file.columns if c.name not in gone)
        rows = " UNION ALL BY NAME ".join(
            f"SELECT {', '.join(filter(None, (left, _picked(groups, shared, number))))} "
            f"FROM {quote(file.name)} WHERE trim({quote(groups[product][number])}::VARCHAR) <> ''"
            for number in numbers
        )
        found.files[at] = found.table_of(reader, f"{file.name}_items", rows, [file])
        found.notes.append(
            f"{file.path} has columns for each of {len(numbers)} items ({groups[product][1]}, "
            f"{groups[quantity][1]} …): a row is read for each item"
            if 1 in numbers
            else f"{file.path} has columns for each of {len(numbers)} items: a row is read for each"
        )


def _numbered(file: FileFacts) -> dict[str, dict[int, str]]:
    """Return the columns with one number in their name, by what is left of it and by number."""
    groups: dict[str, dict[int, str]] = {}
    for column in () if file.periods else file.columns:
        numbers = _NUMBER.findall(column.name)
        if len(numbers) == 1:
            stem = re.sub(r"[\W_]+", " ", _NUMBER.sub(" ", column.name)).strip()
            if stem:
                groups.setdefault(stem, {})[int(numbers[0])] = column.name
    return {stem: columns for stem, columns in groups.items() if len(columns) > 1}


def _picked(groups: dict[str, dict[int, str]], names: list[str], number: int) -> str:
    return ", ".join(f"{quote(groups[name][number])} AS {quote(name)}" for name in names)
