"""Where the header of a table stands, and names for its columns."""

from collections import Counter
from collections.abc import Sequence

_ENOUGH = 0.6  # share of a usual row's cells that a header has


def header_row(rows: Sequence[Sequence[str]]) -> int | None:
    """Return which of the first rows is the header; None where all are empty.

    The first row with a text that is as wide as those after it mostly are: titles, dates of
    printing and blank lines above it have fewer cells.

    Args:
        rows: Cells as text, "" for an empty one.
    """
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    given = [n for n in filled if n]
    if not given:
        return None
    usual = Counter(given).most_common()
    most = max(count for _, count in usual)
    width = max(n for n, count in usual if count == most)
    return next(at for at, n in enumerate(filled) if n >= max(1, _ENOUGH * width))


def names_of(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a name for every column of a header, and what was done to make them differ."""
    names: list[str] = []
    told: list[str] = []
    taken = {cell.strip().lower() for cell in cells}
    seen: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        name = cell.strip()
        if not name or name.lower() in seen:
            base = name or "column"
            k = number if not name else 2
            while f"{base}_{k}".lower() in taken | seen:
                k += 1
            told.append(
                f"a second column {name} is named {base}_{k}"
                if name
                else f"its column {number} has no name and is named {base}_{k}"
            )
            name = f"{base}_{k}"
        seen.add(name.lower())
        names.append(name)
    return names, told
