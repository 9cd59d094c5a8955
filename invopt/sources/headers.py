"""Where the header of a table stands, and names for its columns."""

import re
from collections import Counter
from collections.abc import Sequence

from invopt.sources.header_levels import Head, head_of_levels
from invopt.sources.year_parts import parts_of, year_of

_ENOUGH = 0.6  # share of a usual row's cells that a header has
_MIN_ROWS = 3  # from which on a column of days tells that the first line is a row, too
_DAY = re.compile(
    r"((19|20)\d\d([-/.]\d{1,2}){2}|\d{1,2}([-/.]\d{1,2}[-/.])(\d\d|\d{4})|(19|20)\d{6})([T ].*)?"
)
_IN_BRACKETS = re.compile(r"\[[^\d\[\]]*\]|\([^\d()]*\)")
_MIN_REPEATED = 4  # labels that come back, from which on a line above may tell them apart


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


def is_row(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first of some lines is a row, and no header: it has a day above days.

    Names of columns may be days, above numbers; a column of days has none above it.

    Args:
        rows: Cells as text, "" for an empty one; no empty line.
    """
    if len(rows) <= _MIN_ROWS or len({len(row) for row in rows}) > 1:
        return False
    columns = zip(*rows, strict=True)
    return any(all(_DAY.fullmatch(cell.strip()) for cell in cells) for cells in columns)


def several_lines(rows: Sequence[Sequence[str]], at: int) -> Head | None:
    """Return a header of several lines; None where it is one line.

    Args:
        rows: Cells as text, "" for an empty one.
        at: Where the header was found: one of its lines.
    """
    if (levels := head_of_levels(rows, at)) is not None:
        return levels
    both = two_lines(rows, at)
    return None if both is None else Head(both[0] - 1, *both)


def two_lines(rows: Sequence[Sequence[str]], at: int) -> tuple[int, list[str]] | None:
    """Return the second line of a header of two lines and its names; None where it is one line.

    Labels that come back (Menge, Umsatz, Menge, Umsatz) are told apart by what stands above them,
    once for each or at the first of its columns as merged cells are. Months and weeks get the year
    that stands above them. Units in brackets below the names are no row.

    Args:
        rows: Cells as text, "" for an empty one.
        at: Where the header was found: either of its lines.
    """
    for second in (at, at + 1):
        if 0 < second < len(rows):
            names = _of_years(rows[second - 1], rows[second])
            names = names or _told_apart(rows[second - 1], rows[second])
            names = names or _with_units(rows[second - 1], rows[second], at == second - 1)
            if names is not None:
                return second, names
    return None


def _with_units(labels: Sequence[str], cells: Sequence[str], is_below: bool) -> list[str] | None:
    """Return the names of columns below which their units stand in brackets: [pcs], [EUR]."""
    given = [cell.strip() for cell in cells if cell.strip()]
    if not is_below or 2 * len(given) < len(labels) or len(cells) != len(labels):
        return None
    return [*map(str.strip, labels)] if all(map(_IN_BRACKETS.fullmatch, given)) else None


def _of_years(above: Sequence[str], cells: Sequence[str]) -> list[str] | None:
    """Return the names of columns of months or weeks whose years stand above; None for others."""
    years = [year_of(cell) if cell.strip() else None for cell in above]
    given = [cell for cell, year in zip(above, years, strict=True) if cell.strip() and not year]
    labels = [cell.strip() for cell in cells]
    years += [None] * (len(labels) - len(years))
    if given or not any(years) or len(years) > len(labels):
        return None
    start = next(at for at, year in enumerate(years) if year)
    parts = parts_of(list(dict.fromkeys(label for label in labels[start:] if label)))
    if sum(label in parts for label in labels[start:]) < _MIN_REPEATED:
        return None
    names, year = labels[:start], ""
    for label, over in zip(labels[start:], years[start:], strict=True):
        year = over or year
        names.append(parts[label].of(year) if label in parts else f"{label} {year}".strip())
    return names if len({name.lower() for name in names}) == len(names) and all(names) else None


def _told_apart(above: Sequence[str], cells: Sequence[str]) -> list[str] | None:
    """Return the names of columns whose labels differ by the line above; None where they do not."""
    labels = [cell.strip() for cell in cells]
    above = [*(cell.strip() for cell in above), *[""] * len(labels)]
    counts = Counter(label.lower() for label in labels if label)
    repeated = {label for label, count in counts.items() if count > 1}
    num_repeated = sum(label.lower() in repeated for label in labels)
    if any(label and not re.search(r"[^\W\d_]", label) for label in labels):
        return None  # a row of figures, or of dashes
    if num_repeated < _MIN_REPEATED or 2 * num_repeated < len(labels):
        return None
    tops = [top for label, top in zip(labels, above, strict=False) if label.lower() in repeated]
    if len(set(filter(None, above))) < 2 or len(set(filter(None, tops))) == len(tops):
        return None  # a title; or a whole header above a row of texts
    names, over = [], ""
    for label, top in zip(labels, above, strict=False):
        over = top or over
        names.append(f"{over} {label}".strip() if label.lower() in repeated else label or top)
    given = [name.lower() for name in names if name]
    return names if len({*given}) == len(given) and len(given) >= len(names) - 1 else None


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
