"""Headers of pivots: measures below months below years, or below places, a line for each level.

Merged cells stand at the first of their columns, or repeated in each of them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from invopt.sources.period_names import is_period_name
from invopt.sources.twins import is_total
from invopt.sources.year_parts import parts_of, year_of

_DEPTHS = (4, 3, 2)
_LEAST = 4  # columns of periods
_TOTAL = "Total"


@dataclass(frozen=True)
class Head:
    """A header of several lines.

    Attributes:
        first: Its first line.
        last: Its last line.
        names: Of all columns; "" where none is written.
    """

    first: int
    last: int
    names: list[str]


def head_of_levels(rows: Sequence[Sequence[str]], at: int) -> Head | None:
    """Return the header of a pivot with periods in its columns; None where there is no such one.

    Args:
        rows: Cells as text, "" for an empty one.
        at: Where a header was found: one of its lines.
    """
    for last in range(at, min(at + max(_DEPTHS), len(rows))):
        for depth in _DEPTHS:
            first = last - depth + 1
            if first < 0:
                continue
            found = _of_levels([list(map(str.strip, row)) for row in rows[first : last + 1]])
            if found is None:
                continue
            names, start = found
            below = [cell.strip() for cell in rows[last + 1]] if last + 1 < len(rows) else []
            if any(below[:start]) and not any(below[start:]):  # names of the rows' own levels
                return Head(first, last + 1, [*below[:start], *names[start:]])
            return Head(first, last, names)
    return None


def _of_levels(lines: list[list[str]]) -> tuple[list[str], int] | None:
    """Return the names of columns and the first one of periods; None where lines are no levels."""
    width = max(map(len, lines))
    lines = [[*line, *[""] * (width - len(line))] for line in lines]
    start = _start(lines)
    if start is None or not all(any(line[start:]) for line in lines):
        return None
    if not all(_may_be_label(cell) for line in lines for cell in line[start:] if cell):
        return None
    paths = _paths(lines, start)
    levels = [level for level in zip(*paths, strict=True) if _tells(level)]
    names = _named(levels) if len(levels) > 1 else None
    if names is None:
        return None
    keys = [next((line[n] for line in reversed(lines) if line[n]), "") for n in range(start)]
    return [*keys, *names], start


def _start(lines: list[list[str]]) -> int | None:
    """Return the first column behind those of the rows' names; None where there is none."""
    pairs = zip(lines[-2], lines[-1], strict=True)
    start = next((n for n, (above, own) in enumerate(pairs) if above and own), None)
    is_told = start is not None and 0 < start <= len(lines[0]) - _LEAST
    return start if is_told else None


def _may_be_label(cell: str) -> bool:
    """Return whether a cell of a header says something: a word, a period, a year, and no figure."""
    return bool(re.search(r"[^\W\d_]", cell)) or year_of(cell) is not None or is_period_name(cell)


def _paths(lines: list[list[str]], start: int) -> list[list[str]]:
    """Return what stands above each column, level by level; Total where nothing tells it apart.

    A column below a merged cell has its label; where a level begins anew, those below it do too.
    """
    above = [""] * (len(lines) - 1)
    found: list[list[str]] = []
    seen: set[tuple[str, ...]] = set()
    for column in range(start, len(lines[0])):
        cells = [line[column] for line in lines]
        for level, cell in enumerate(cells[:-1]):
            if cell and cell != above[level]:
                above[level:] = cells[level:-1]
                break
        path = [*above, cells[-1]]
        if tuple(path) in seen:  # sums at the end, below no label of their own
            path = [above[0], *[_TOTAL] * (len(above) - 1), cells[-1]]
        seen.add(tuple(path))
        found.append(path)
    return found


def _tells(level: Sequence[str]) -> bool:
    """Return whether a level says something: it differs, or is a year."""
    there = {cell for cell in level if cell}
    return len(there) > 1 or any(year_of(cell) for cell in there)


def _named(levels: Sequence[Sequence[str]]) -> list[str] | None:
    """Return names by the labels of each level, outer ones first; None where few are periods."""
    parts = [parts_of(list(dict.fromkeys(filter(None, level)))) for level in levels]
    names, periods, others = [], set(), set()
    for labels in zip(*levels, strict=True):
        if any(map(is_total, labels)) or not all(labels):
            told = [label for label in labels if label and not is_total(label)]
            names.append(f"{_TOTAL} {told[-1]}" if told else _TOTAL)
            continue
        years = [year_of(label) for label in labels]
        year = next(filter(None, years), None)
        words, own = [], []
        for label, known, of_year in zip(labels, parts, years, strict=True):
            if is_period_name(label) and not of_year:
                own.append(label)
            elif year and label in known:
                own.append(known[label].of(year))
            elif not of_year:
                words.append(label)
                continue
            else:
                continue
            words.append(own[-1])
        if len(own) != 1:
            return None
        periods.add(own[0])
        names.append(" ".join(words))
        others.add(tuple(word for word in words if word != own[0]))
    dated = [name for name in names if not name.startswith(_TOTAL)]
    are_told = len(periods) >= _LEAST and len(set(dated)) == len(dated) and len(others) > 0
    return names if are_told and 2 * len(dated) > len(names) else None
