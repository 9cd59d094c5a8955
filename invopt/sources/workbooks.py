"""Sheets of spreadsheets as tables: numbers, dates and texts as their cells hold them.

What a person sees of a cell is its format; what counts is its value. A code that a format fills
with zeros is the exception: 71 shown as 00071 is 00071.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from invopt.errors import InvalidInputError
from invopt.sources.dated_blocks import LOOKED_AT, blocks_among, rows_with_days
from invopt.sources.formats import NumberStyle, number_style
from invopt.sources.header_days import with_iso_days
from invopt.sources.headers import header_row, is_row, names_of, several_lines
from invopt.sources.spreadsheets import open_spreadsheet
from invopt.sources.weekdays import monday_in

SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
WEEK = "week_begins"  # column of the Monday that stands above columns of weekdays
_LEADING_ZERO = re.compile(r"-?0\d")
_LOOKED_AT = 30  # rows, for the header
_INDENTED = 2  # columns
_TITLES = 3  # rows of a sheet that may be titles


@dataclass(frozen=True)
class Sheet:
    """One sheet.

    Attributes:
        table: Of its cells under its header; columns of one kind have its type, others are text.
        notes: What a person should know.
        is_deep: Whether its header has several lines.
    """

    table: pa.Table
    notes: list[str]
    is_deep: bool = False


def sheets_of(file: Path) -> dict[str, tuple[Any, ...]]:
    """Return the first row of the sheets that people see, by name, of those that hold a cell.

    Raises:
        InvalidInputError: If it is no workbook.
    """
    with open_spreadsheet(file) as book:
        seen = [title for title, is_seen in book.sheets.items() if is_seen]
        first = {title: next(_filled_rows(book.rows(title)), None) for title in seen}
    return {title: row for title, row in first.items() if row is not None}


def read_sheet(file: Path, name: str | None) -> Sheet:
    """Return a sheet as a table.

    Args:
        file: Workbook.
        name: Of the sheet; None for the first one that holds something.

    Raises:
        InvalidInputError: If it is no workbook, has no such sheet, or the sheet is empty.
    """
    there = list(sheets_of(file)) if name is None else [name]
    if name is None and not there:
        raise InvalidInputError(f"{file} holds no sheet with a cell in it.")
    wanted = there[0] if name is None else name
    with open_spreadsheet(file) as book:
        if wanted not in book.sheets:
            raise InvalidInputError(
                f"{file} has no sheet {wanted!r}; there are {', '.join(book.sheets)}."
            )
        rows = list(book.rows(wanted))
        num_uncalculated = book.num_uncalculated(wanted)
    others = [title for title in there if title != wanted]
    notes = []
    if name is None and others:
        notes.append(
            f"{file.name} has {len(there)} sheets and {wanted} is read; {', '.join(others)} "
            "are not: name another with sheet"
        )
    read = _table(file, wanted, rows)
    more = list(read.notes)
    if num_uncalculated:
        more.append(
            f"{file.name}: {num_uncalculated:,} formulas of {wanted} have no stored value and read "
            "as empty: open the file in a spreadsheet and save it"
        )
    return replace(read, notes=[*notes, *more])


def _filled_rows(rows: Iterable[list[Any]]) -> Iterator[tuple[Any, ...]]:
    return (tuple(row) for row in rows if _is_filled(row))


def _table(file: Path, sheet: str, rows: list[list[Any]]) -> Sheet:
    width = max((k + 1 for row in rows for k, v in enumerate(row) if v is not None), default=0)
    rows = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    looked = [["" if v is None else str(v) for v in row] for row in rows[:_LOOKED_AT]]
    at = header_row(looked)
    if at is None:
        raise InvalidInputError(f"{file}: sheet {sheet} is empty; expected a header line.")
    if (blocks := _in_blocks(file, rows)) is not None:
        return Sheet(*blocks)
    looked = [[_without_midnight(cell) for cell in row] for row in looked]
    if not any(any(row) for row in looked[:at]) and is_row([row for row in looked if any(row)]):
        names = [f"column_{number}" for number in range(1, width + 1)]
        note = (
            f"{file.name}: the first line of {sheet} is a row and no header: its columns are "
            f"named {', '.join(names[:3])} …"
        )
        table, notes = _of_columns(file, names, [row for row in rows[at:] if _is_filled(row)])
        return Sheet(table, [note, *notes])
    head = several_lines(looked, at)
    first = at if head is None else head.first
    at, cells = (at, looked[at]) if head is None else (head.last, head.names)
    names, told = names_of(with_iso_days(cells))
    notes = [f"{file.name}: {sentence}" for sentence in told]
    above = [" ".join(filter(None, row)) for row in looked[:first] if any(row)]
    if above:
        notes.append(f"{file.name}: {len(above)} lines above the header are not read ({above[0]})")
    table, more = _of_columns(file, names, [row for row in rows[at + 1 :] if _is_filled(row)])
    monday = monday_in(above, names, lambda: _titles_in(file))
    if monday is not None and WEEK not in names:
        table = table.append_column(WEEK, pa.array([monday.isoformat()] * table.num_rows))
        more.append(f"{file.name}: the week of {monday} above {sheet} is read as the column {WEEK}")
    return Sheet(table, [*notes, *more], is_deep=head is not None)


def _titles_in(file: Path) -> list[str]:
    """Return the first lines of all sheets, each as one text."""
    with open_spreadsheet(file) as book:
        rows = [row for title in book.sheets for row in islice(book.rows(title), _TITLES)]
    return [" ".join(_text(value) or "" for value in row) for row in rows]


def _is_filled(row: Sequence[Any]) -> bool:
    return any(value is not None for value in row)


def _of_columns(file: Path, names: list[str], rows: list[list[Any]]) -> tuple[pa.Table, list[str]]:
    """Return rows as a table, and what was done to their texts."""
    columns = [_column([_bare(row[k]) for row in rows]) for k in range(len(names))]
    notes = [
        f"{file.name}: {name} {sentence}"
        for k, name in enumerate(names)
        if (sentence := _told_blanks([row[k] for row in rows])) is not None
    ]
    return pa.table(columns, names=names), notes


def _in_blocks(file: Path, rows: list[list[Any]]) -> tuple[pa.Table, list[str]] | None:
    """Return the rows of blocks, each below the day that it is of; None where a sheet has none.

    Blocks may be indented by some columns, in which titles and days stand alone.
    """
    for lead in range(min(_INDENTED + 1, len(rows[0]))):
        blocks = blocks_among(_texts_of(rows[:LOOKED_AT], lead))
        if blocks is None:
            continue
        texts = _texts_of(rows, lead)
        names, kept, others = rows_with_days(blocks, texts)
        width = len(blocks.head)
        read = [[*rows[number][lead : lead + width], day] for number, day in kept]
        table, notes = _of_columns(file, names_of(names)[0], read)
        told = (
            f"{file.name}: {len({day for _, day in kept}):,} days stand in lines of their own "
            f"above their rows, and are read as the column {names[-1]}; {others:,} titles, sums or "
            "remarks are not read"
        )
        return table, [told, *notes]
    return None


def _texts_of(rows: list[list[Any]], lead: int) -> list[list[str]]:
    """Return cells as texts; of a row that begins within the columns of an indent one text."""
    whole = ([(_text(value) or "").strip() for value in row] for row in rows)
    return [
        [" ".join(filter(None, row))] if any(row[:lead]) else _stripped(row[lead:]) for row in whole
    ]


def _stripped(cells: list[str]) -> list[str]:
    """Return cells without empty ones behind the last."""
    while cells and not cells[-1]:
        cells.pop()
    return cells or [""]


def _without_midnight(name: str) -> str:
    """Return the day alone where a date stands in a header: every date of a sheet has a time."""
    return re.sub(r"^(\d{4}-\d\d-\d\d) 00:00:00$", r"\1", name)


def _bare(value: Any) -> Any:
    """Return a value without the blanks around a text, which nobody sees in a cell."""
    return value.strip() if isinstance(value, str) else value


def _told_blanks(values: Sequence[Any]) -> str | None:
    """Return what to say where values that differ in blanks around them alone become one."""
    seen = {
        value if isinstance(value, str) else str(value) for value in values if value is not None
    }
    padded = sorted(text for text in seen if text != text.strip() and text.strip() in seen)
    if not padded:
        return None
    return (
        f"has {len(padded)} values that are another's but for blanks around them (e.g. "
        f"{padded[0]!r}): each is read as that one"
    )


def _column(values: Sequence[Any]) -> pa.Array:
    """Return values as numbers, dates or flags where all are of one kind, else as text."""
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {"whole"}:
        return pa.array(values, pa.int64())
    if kinds and kinds <= {"whole", "number"}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if "text" in kinds and kinds & {"whole", "number"}:
        read = _numbers_among(values)
        if read is not None:
            return read
    if kinds == {"date"}:
        return pa.array(values, pa.timestamp("us"))
    if kinds == {"flag"}:
        return pa.array(values, pa.bool_())
    return pa.array([_text(value) for value in values], pa.string())


def _numbers_among(values: Sequence[Any]) -> pa.Array | None:
    """Return a column of numbers some of which were typed as texts (2 780,000); None if it is none.

    The texts must be written in one way alone, and hold a separator: codes among numbers stay
    texts, and so do 1,350 and 0071.
    """
    texts = Counter(v.strip() for v in values if isinstance(v, str))
    style = number_style(texts)
    if style is None or style.other or style.unit or style.dashes or style.trailing:
        return None
    if not any(sign in text for text in texts for sign in (style.decimal, style.group) if sign):
        return None
    if any(_LEADING_ZERO.match(text) for text in texts):
        return None
    try:
        read = {text: _as_number(text, style) for text in texts}
    except ValueError:
        return None
    numbers = [read[v.strip()] if isinstance(v, str) else v for v in values]
    if any(isinstance(v, (bool, datetime, date, time)) for v in numbers):
        return None
    return pa.array([None if v is None else float(v) for v in numbers], pa.float64())


def _as_number(text: str, style: NumberStyle) -> float:
    blank = "".join(text.split()) if style.group.isspace() else text
    return float(blank.replace(style.group or "\0", "").replace(style.decimal, "."))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int):
        return "whole" if abs(value) < 2**63 else "text"
    if isinstance(value, float):
        return "number"
    return "date" if isinstance(value, datetime) else "text"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        text = repr(value)
        # Among texts 11.622 could be taken for eleven thousand, 11.6220 could not.
        return f"{text}0" if re.fullmatch(r"-?\d+\.\d{3}", text) else text
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat(" ") if isinstance(value, datetime) else _plain(value)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, (date, time)) else str(value)
