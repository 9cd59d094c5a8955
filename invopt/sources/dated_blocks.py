"""Lists in blocks, each below the day that it is of: Z-reports of a till one after another.

The day stands in a line of its own, above the names of columns or among the rows.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

from invopt.sources.month_names import MONTH_NAMES

DAY = "date"
LOOKED_AT = 400  # lines
_LONGEST = 1 << 18  # bytes that are looked at
_LEAST = 2  # blocks
_MONTH = rf"(?i:{'|'.join(MONTH_NAMES)})\w*\.?"
_A_DAY = re.compile(
    rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./](?:\d{{4}}|\d{{2}})|"
    rf"\d{{1,2}}\.? (?:de )?{_MONTH} (?:de )?\d{{4}}|{_MONTH} \d{{1,2}}, \d{{4}})(?!\d)"
)
_NUMBER = re.compile(r"[-+(]?[^\w\s]?\s?\d[\d.,' ]*\s?[^\w\s]?\)?")
_PRINTED = re.compile(r"(?i)print|druck|erstellt|creat|generat|imprim|stampa|page|seite|blatt")

Open = Callable[[str], IO[bytes]]


@dataclass(frozen=True)
class Blocks:
    """How a file of blocks is written.

    Attributes:
        head: Its line of names, as cells.
        delimiter: Between cells.
    """

    head: list[str]
    delimiter: str

    def day_of(self, cells: list[str]) -> str | None:
        """Return the day of a line that is no row: it has one day, and no number beside it."""
        given = [cell for cell in cells if cell]
        if len(given) >= len(self.head) or _PRINTED.search(" ".join(given)):
            return None
        days = [found for cell in given for found in _A_DAY.findall(cell)]
        beside = [cell for cell in given if not _A_DAY.search(cell)]
        return days[0] if len(days) == 1 and not any(map(_is_number, beside)) else None

    def is_row(self, cells: list[str]) -> bool:
        """Return whether a line is a row: a name, and a number that is in a column of its own."""
        return any(map(_is_number, cells[1:])) and bool(cells[0]) and not _A_DAY.search(cells[0])


def blocks_of(file: str, opened: Open, delimiter: str | None) -> Blocks | None:
    """Return how a file's blocks are written; None where it has none, or rows have their day."""
    with opened(file) as handle:
        text = handle.read(_LONGEST).decode("utf-8-sig", "replace")
    lines = text.splitlines()[:LOOKED_AT]
    if any(line.count('"') % 2 for line in lines):  # a text goes on in the next line
        return None
    signs = [delimiter] if delimiter is not None else [s for s in ";,\t|" if s in text]
    for sign in signs:
        rows = [_cells(line, sign) for line in lines]
        head = _head(rows)
        if head is None:
            continue
        found = Blocks(head, sign)
        if len(_days_with_rows(found, rows)) >= _LEAST and not _rows_are_dated(found, rows):
            return found
    return None


def blocks_among(rows: list[list[str]]) -> Blocks | None:
    """Return how the blocks of a sheet are written; None where it has none, or rows have a day.

    Args:
        rows: Cells as texts, "" for an empty one, without empty ones behind the last.
    """
    looked = rows[:LOOKED_AT]
    head = _head(looked)
    if head is None:
        return None
    found = Blocks(head, "")
    is_dated = _rows_are_dated(found, looked)
    return found if len(_days_with_rows(found, looked)) >= _LEAST and not is_dated else None


def rows_with_days(
    blocks: Blocks, rows: list[list[str]]
) -> tuple[list[str], list[tuple[int, str]], int]:
    """Return the names of a sheet's columns, which rows are of which day, and how many are none.

    Args:
        blocks: Of the sheet.
        rows: As for blocks_among.
    """
    day, begun, others = "", False, 0
    kept: list[tuple[int, str]] = []
    for number, cells in enumerate(rows):
        told = blocks.day_of(cells)
        if told is not None:
            day = told
        elif cells == blocks.head:
            begun = True
        elif begun and blocks.is_row(cells) and len(cells) <= len(blocks.head):
            kept.append((number, day))
        else:
            others += bool("".join(cells))
    return _with_day(blocks.head), kept, others


def _days_with_rows(blocks: Blocks, rows: list[list[str]]) -> set[str]:
    """Return the days that have rows below them: one in a title above another one has none."""
    day, found = None, set()
    for cells in rows:
        told = blocks.day_of(cells)
        day = day if told is None else told
        if day is not None and told is None and blocks.is_row(cells):
            found.add(day)
    return found


def write_blocks(file: str, opened: Open, blocks: Blocks, out: Path) -> list[str]:
    """Copy a file's rows as a table with a column for the day of their block; return a note.

    What is no row is left out. Each line keeps its number.
    """
    day, begun, others, names = "", False, 0, _with_day(blocks.head)
    seen: set[str] = set()
    with opened(file) as source, out.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter=blocks.delimiter, lineterminator="\n")
        text = io.TextIOWrapper(source, "utf-8-sig", errors="replace", newline=None)
        for line in text:
            cells = _cells(line.rstrip("\n"), blocks.delimiter)
            found = blocks.day_of(cells)
            if found is not None:
                day = found
                seen.add(day)
            if cells == blocks.head and not begun:
                writer.writerow(names)
                begun = True
            elif begun and found is None and blocks.is_row(cells):
                short = len(blocks.head) - len(cells)
                writer.writerow([*cells, *[""] * short, day] if short >= 0 else [*cells, day])
            else:
                others += bool("".join(cells)) and cells != blocks.head and found is None
                target.write("\n")
    return [
        f"{Path(file).name}: {len(seen):,} days stand in lines of their own above their rows, and "
        f"are read as the column {names[-1]}; {others:,} titles or remarks are not read"
    ]


def _with_day(head: list[str]) -> list[str]:
    """Return the names of columns with one for the day of the block."""
    taken = {name.lower() for name in head}
    return [*head, DAY if DAY not in taken else f"{DAY}_of_block"]


def _head(rows: list[list[str]]) -> list[str] | None:
    """Return the line of names: the first that is all texts, of two or more, above a row."""
    for above, below in pairwise(rows):
        is_named = len(above) > 1 and all(above) and not any(map(_is_number, above))
        fits = len(below) == len(above) and any(map(_is_number, below[1:]))
        dated = any(map(_A_DAY.search, above))
        after_day = len(below) <= len(above) and _A_DAY.search(" ".join(below)) is not None
        if is_named and not dated and (fits or after_day):
            return above
    return None


def _rows_are_dated(blocks: Blocks, rows: list[list[str]]) -> bool:
    """Return whether rows have a day themselves."""
    counted = [cells for cells in rows if any(map(_is_number, cells[1:]))]
    dated = [cells for cells in counted if any(map(_A_DAY.search, cells))]
    return not any(map(blocks.is_row, rows)) or 2 * len(dated) > len(counted)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None and _A_DAY.search(cell) is None


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, without blanks around them and empty ones behind the last."""
    try:
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [line]
    while cells and not cells[-1]:
        cells.pop()
    return cells or [""]
