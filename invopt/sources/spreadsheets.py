"""Spreadsheets of every format as rows of cells' values, whatever their files are called.

What a file is its first bytes say: many systems name their lists .xls, and write another format.
A value is a text, a whole number, a number, a flag, a day with its time, a time, or None where
nothing stands; an error of a formula is its text. A code that a format fills with zeros is the text
that it shows.
"""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from invopt.errors import InvalidInputError
from invopt.sources.cell_values import cell_value
from invopt.sources.old_spreadsheets import OldSpreadsheet
from invopt.sources.open_documents import OpenDocument, is_open_document

_COMPOUND = b"\xd0\xcf\x11\xe0"  # of several streams, as before 2007
_STREAMS = (b"\x09\x00", b"\x09\x02", b"\x09\x04", b"\x09\x08")  # of one stream, older still
_PACKED = b"PK"


class Spreadsheet(Protocol):
    """A workbook that is open.

    Attributes:
        sheets: Whether people see a sheet, by its title, in order.
    """

    sheets: dict[str, bool]

    def rows(self, title: str) -> Iterator[list[Any]]:
        """Return the rows of a sheet, of any length."""
        ...

    def num_uncalculated(self, title: str) -> int:
        """Return how many formulas of a sheet have no stored value."""
        ...


def is_spreadsheet(first: bytes) -> bool:
    """Return whether a file's first bytes are those of a workbook."""
    return first.startswith((_COMPOUND, _PACKED, *_STREAMS))


@contextmanager
def open_spreadsheet(file: Path) -> Iterator[Spreadsheet]:
    """Open a workbook.

    Raises:
        InvalidInputError: If it is none, is damaged, or is locked with a password.
    """
    with file.open("rb") as handle:
        first = handle.read(4)
    if first.startswith((_COMPOUND, *_STREAMS)):
        yield OldSpreadsheet(file)
    elif first.startswith(_PACKED) and is_open_document(file):
        yield OpenDocument(file)
    else:
        with _opened(file) as book:
            yield _Workbook(file, book)


class _Workbook:
    """Of Office Open XML (.xlsx)."""

    def __init__(self, file: Path, book: Any) -> None:
        self._file = file
        self._book = book
        self.sheets = {s.title: s.sheet_state == "visible" for s in book.worksheets}

    def rows(self, title: str) -> Iterator[list[Any]]:
        for row in self._book[title].iter_rows():
            yield [_value(cell) for cell in row]

    def num_uncalculated(self, title: str) -> int:
        with zipfile.ZipFile(self._file) as archive:
            parts = [n for n in archive.namelist() if n.startswith("xl/worksheets/")]
            if not any(b"<f>" in (text := archive.read(n)) or b"<f " in text for n in parts):
                return 0
        with _opened(self._file, formulas=True) as written:
            pairs = zip(written[title].iter_rows(), self._book[title].iter_rows(), strict=False)
            return sum(
                one.data_type == "f" and other.value is None
                for ours, theirs in pairs
                for one, other in zip(ours, theirs, strict=False)
            )


@contextmanager
def _opened(file: Path, *, formulas: bool = False) -> Iterator[Any]:
    import openpyxl  # noqa: PLC0415  (only where a workbook is read)

    # By its handle: of a name openpyxl wants an ending that it knows.
    with file.open("rb") as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and validations, which are not read
        try:
            book = openpyxl.load_workbook(handle, read_only=True, data_only=not formulas)
        except Exception as err:  # whatever a damaged archive makes of it
            raise InvalidInputError(
                f"{file} cannot be read as a workbook ({type(err).__name__}). Save it again as "
                ".xlsx, or send it as CSV."
            ) from err
        try:
            yield book
        finally:
            book.close()


def _value(cell: Any) -> Any:
    number_format = str(getattr(cell, "number_format", ""))  # of an empty cell there is none
    return cell_value(cell.value, number_format)
