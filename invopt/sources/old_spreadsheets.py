"""Workbooks of Excel before 2007 (.xls), as many older systems still write them."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from invopt.errors import InvalidInputError
from invopt.sources.cell_values import cell_value


class OldSpreadsheet:
    """A workbook of .xls.

    Attributes:
        sheets: Whether people see a sheet, by its title, in order.
    """

    def __init__(self, file: Path) -> None:
        """Open it.

        Raises:
            InvalidInputError: If it is damaged or locked with a password.
        """
        import xlrd  # noqa: PLC0415  (only where such a workbook is read)

        self._xlrd = xlrd
        try:
            with Path(os.devnull).open("w") as log:  # of remarks on parts that are not read
                self._book = xlrd.open_workbook(file, logfile=log, formatting_info=True)
        except Exception as err:  # whatever a damaged file makes of it
            raise InvalidInputError(
                f"{file} cannot be read as a workbook ({type(err).__name__}: {err}). If it opens "
                "with a password, or is no workbook at all, save it without one as .xlsx, or send "
                "it as CSV."
            ) from err
        self.sheets = {sheet.name: sheet.visibility == 0 for sheet in self._book.sheets()}

    def rows(self, title: str) -> Iterator[list[Any]]:
        """Return the rows of a sheet."""
        for row in self._book.sheet_by_name(title).get_rows():
            yield [self._value(cell) for cell in row]

    def num_uncalculated(self, title: str) -> int:
        """Return 0: such a file stores the value of each formula."""
        del title
        return 0

    def _value(self, cell: Any) -> Any:
        xlrd = self._xlrd
        if cell.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
            return None
        if cell.ctype == xlrd.XL_CELL_ERROR:
            return xlrd.error_text_from_code.get(cell.value, "#N/A")
        if cell.ctype == xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
        if cell.ctype == xlrd.XL_CELL_DATE:
            return self._day(cell.value)
        style = self._book.xf_list[cell.xf_index]
        return cell_value(cell.value, self._book.format_map[style.format_key].format_str)

    def _day(self, value: float) -> Any:
        """Return the day and time of a number of days; the time alone below one; else the number.

        Before March 1900 such files count a day that never was; 0 to 60 are no days of sales.
        """
        xldate = self._xlrd.xldate
        try:
            found: datetime = xldate.xldate_as_datetime(value, self._book.datemode)
        except (xldate.XLDateError, OverflowError, ValueError):
            return cell_value(value, "")
        return found.time() if 0 <= value < 1 else found
