"""Tables of HTML, and of a spreadsheet's XML, that are called .xls: lists as many systems send."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import IO

from invopt.errors import InvalidInputError

SUFFIXES = (".html", ".htm", ".xls")
_LOOKED_AT = 512
_MOST = 1000  # columns or rows over which a cell may reach
_ROWS = ("tr", "row")
_CELLS = ("td", "th", "cell")
_UNSEEN = ("script", "style", "title")
_MIDNIGHT = re.compile(r"^(\d{4}-\d\d-\d\d)T00:00:00(?:\.0+)?$")


def is_markup(first: bytes) -> bool:
    """Return whether a file's first bytes are those of markup."""
    return first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def starts_as_markup(file: str, opened: Callable[[str], IO[bytes]]) -> bool:
    """Return whether a file begins as markup does."""
    with opened(file) as handle:
        return is_markup(handle.read(_LOOKED_AT))


def write_rows(file: str, opened: Callable[[str], IO[bytes]], out: Path) -> list[str]:
    """Copy the largest table of a file of markup as CSV; return what was left, in words.

    A cell that reaches over several columns or rows stands in the first of them.

    Raises:
        InvalidInputError: If it holds no table.
    """
    parser = _Tables()
    with opened(file) as handle:
        parser.feed(io.TextIOWrapper(handle, "utf-8-sig", errors="replace").read())
    parser.close()
    tables = [[row for row in table if any(row)] for table in parser.tables]
    tables = [table for table in tables if table]
    if not tables:
        raise InvalidInputError(
            f"{file} is a page without a table, or XML of a kind that is not read. Save the list "
            "that it shows as CSV or .xlsx."
        )
    largest = max(tables, key=lambda table: sum(map(len, table)))
    width = max(map(len, largest))
    with out.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, lineterminator="\n").writerows(
            [*row, *[""] * (width - len(row))] for row in largest
        )
    if len(tables) == 1:
        return []
    return [
        f"{Path(file).name} has {len(tables)} tables, and the largest one, of {len(largest):,} "
        "rows, is read"
    ]


@dataclass
class _Table:
    """A table that has begun.

    Attributes:
        rows: Cells as texts.
        reach: By column, how many rows to come a cell takes.
        taken: Columns of the row that has begun which a cell above takes.
    """

    rows: list[list[str]]
    reach: dict[int, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)

    def begin_row(self) -> None:
        self.rows.append([])
        self.taken = {column for column, rows in self.reach.items() if rows}
        self.reach = {column: rows - 1 for column, rows in self.reach.items() if rows}

    def add(self, text: str, told: dict[str, str]) -> None:
        if not self.rows:
            self.begin_row()
        row = self.rows[-1]
        if "index" in told:  # a spreadsheet leaves blank cells out
            row += [""] * (_whole(told["index"], 1) - 1 - len(row))
        while len(row) in self.taken:
            row.append("")
        across = _whole(told.get("colspan"), 1) + _whole(told.get("mergeacross"), 0)
        if down := _whole(told.get("rowspan"), 1) - 1 + _whole(told.get("mergedown"), 0):
            self.reach |= dict.fromkeys(range(len(row), len(row) + across), down)
        row += [text, *[""] * (across - 1)]


class _Tables(HTMLParser):
    """Collects the tables of a page.

    Attributes:
        tables: Rows of texts of each table, an outer one before those within it.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._open: list[_Table] = []  # the innermost last
        self._texts: list[str] | None = None  # of the cell that has begun
        self._told: dict[str, str] = {}
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        tag = tag.split(":")[-1]
        self._unseen += tag in _UNSEEN
        if tag == "table":
            self._end_cell()
            self.tables.append([])
            self._open.append(_Table(self.tables[-1]))
        elif self._open and tag in (*_ROWS, *_CELLS):
            self._end_cell()
            if tag in _ROWS:
                self._open[-1].begin_row()
            else:
                self._texts = []
                self._told = {name.split(":")[-1]: value or "" for name, value in attrs}
        elif tag in ("br", "p", "div"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        tag = tag.split(":")[-1]
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        if tag in ("table", *_ROWS, *_CELLS):
            self._end_cell()
        if tag == "table" and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._texts is not None and not self._unseen:
            self._texts.append(data)

    def _end_cell(self) -> None:
        if self._texts is not None and self._open:
            text = " ".join("".join(self._texts).split())
            self._open[-1].add(_MIDNIGHT.sub(r"\1", text), self._told)
        self._texts = None


def _whole(text: str | None, default: int) -> int:
    """Return a number of columns or rows, the default where it is none."""
    return min(int(text), _MOST) if text is not None and text.strip().isdigit() else default
