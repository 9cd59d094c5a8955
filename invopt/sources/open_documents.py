"""Spreadsheets of OpenDocument (.ods), as LibreOffice and public offices save them."""

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET  # its types alone: reading is defusedxml's

from defusedxml.ElementTree import iterparse

from invopt.errors import InvalidInputError
from invopt.sources.cell_values import cell_value

_KIND = b"application/vnd.oasis.opendocument.spreadsheet"
_SPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
_OFFICE, _TABLE, _TEXT, _STYLE = (_SPACE % n for n in ("office", "table", "text", "style"))
_DURATION = re.compile(r"(-?)PT(\d+)H(\d+)M([\d.]+)S")
_EPOCH = datetime(1899, 12, 30)  # day 0, as spreadsheets count
_DAY = timedelta(days=1)
_MOST_CELLS = 1 << 25  # that repeats may stand for; a sheet of 2 M rows of 16 columns
_DAMAGED = (
    zipfile.BadZipFile, ET.ParseError, KeyError, ValueError, OSError, EOFError, RuntimeError,
    NotImplementedError,
)  # fmt: skip


def is_open_document(file: Path) -> bool:
    """Return whether an archive says that it is a spreadsheet of OpenDocument."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open("mimetype") as member:
            return member.read(len(_KIND)) == _KIND
    except (KeyError, *_DAMAGED):
        return False


class OpenDocument:
    """A workbook of .ods.

    Attributes:
        sheets: Whether people see a sheet, by its title, in order.
    """

    def __init__(self, file: Path) -> None:
        """Read it.

        Raises:
            InvalidInputError: If it is damaged, locked with a password, or too large.
        """
        self._rows: dict[str, list[list[Any]]] = {}
        self._uncalculated: dict[str, int] = {}
        self.sheets: dict[str, bool] = {}
        self._hidden: set[str] = set()
        self._left = _MOST_CELLS
        try:
            with zipfile.ZipFile(file) as archive, archive.open("content.xml") as content:
                self._read(content)
        except _DAMAGED as err:
            raise InvalidInputError(
                f"{file} cannot be read as a workbook ({type(err).__name__}: {err}). If it opens "
                "with a password, save it without one; else save it again as .xlsx, or send it as "
                "CSV."
            ) from err

    def rows(self, title: str) -> Iterator[list[Any]]:
        """Return the rows of a sheet."""
        return iter(self._rows[title])

    def num_uncalculated(self, title: str) -> int:
        """Return how many formulas of a sheet have no stored value."""
        return self._uncalculated[title]

    def _read(self, content: IO[bytes]) -> None:
        title = ""
        for event, element in iterparse(content, ("start", "end")):
            if event == "start" and element.tag == f"{_TABLE}table":
                title = element.get(f"{_TABLE}name", "")
                self.sheets[title] = element.get(f"{_TABLE}style-name") not in self._hidden
                self._rows[title], self._uncalculated[title] = [], 0
            elif event == "end" and element.tag == f"{_STYLE}style":
                properties = element.find(f"{_STYLE}table-properties")
                if properties is not None and properties.get(f"{_TABLE}display") == "false":
                    self._hidden.add(element.get(f"{_STYLE}name", ""))
            elif event == "end" and element.tag == f"{_TABLE}table-row":
                self._add_row(title, element)
                element.clear()

    def _add_row(self, title: str, element: ET.Element) -> None:
        """Keep a row as often as it is repeated, without what is empty behind its last cell.

        Below its last row a sheet repeats an empty one to its end, so empty rows are kept once.
        """
        row: list[Any] = []
        for cell in element:
            if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                continue
            value = _value(cell)
            self._uncalculated[title] += value is None and f"{_TABLE}formula" in cell.attrib
            row += [value] * self._taken(cell, "number-columns-repeated", filled=value is not None)
        while row and row[-1] is None:
            row.pop()
        times = self._taken(element, "number-rows-repeated", len(row), filled=bool(row))
        self._rows[title] += [row] * (times if row else 1)

    def _taken(self, element: ET.Element, repeated: str, width: int = 1, *, filled: bool) -> int:
        """Return how often a cell or row is repeated; what is filled counts against the limit."""
        times = int(element.get(f"{_TABLE}{repeated}", "1"))
        if filled:
            self._left -= times * width
        if self._left < 0 or times > _MOST_CELLS:
            raise ValueError(f"more than {_MOST_CELLS:,} cells")
        return times


def _value(cell: ET.Element) -> Any:
    kind = cell.get(f"{_OFFICE}value-type")
    shown = "\n".join(_text_of(line) for line in cell.iterfind(f"{_TEXT}p"))
    if kind in ("float", "currency", "percentage"):
        number = float(cell.get(f"{_OFFICE}value", "nan"))
        return cell_value(number, "0" * len(shown) if _is_padded(shown, number) else "")
    if kind == "boolean":
        return cell.get(f"{_OFFICE}boolean-value") == "true"
    if kind == "date":
        return datetime.fromisoformat(cell.get(f"{_OFFICE}date-value", "")).replace(tzinfo=None)
    if kind == "time":
        return _time(cell.get(f"{_OFFICE}time-value", ""))
    # An error of a formula is an empty text that shows what is wrong.
    return cell_value(cell.get(f"{_OFFICE}string-value") or shown, "")


def _is_padded(shown: str, number: float) -> bool:
    """Return whether a cell shows a whole number with zeros before it, as codes have them."""
    is_code = len(shown) > 1 and shown[0] == "0" and shown.isascii() and shown.isdigit()
    return is_code and int(shown) == number


def _time(duration: str) -> Any:
    """Return a time of a day; of more than a day the day that it means, counted from 1899."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        return duration or None
    sign, hours, minutes, seconds = found.groups()
    passed = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    moment = _EPOCH + (-passed if sign else passed) + timedelta(microseconds=500)
    moment -= timedelta(microseconds=moment.microsecond % 1000)  # stored by halves of milliseconds
    return moment.time() if timedelta(0) <= moment - _EPOCH < _DAY else moment


def _text_of(line: ET.Element) -> str:
    """Return a line of a cell; blanks in a row are an element that counts them."""
    parts = [line.text or ""]
    for part in line:
        if part.tag == f"{_TEXT}s":
            parts.append(" " * min(int(part.get(f"{_TEXT}c", "1")), _MOST_CELLS))
        elif part.tag in (f"{_TEXT}tab", f"{_TEXT}line-break"):
            parts.append("\t" if part.tag.endswith("tab") else "\n")
        else:
            parts.append(_text_of(part))
        parts.append(part.tail or "")
    return "".join(parts)
