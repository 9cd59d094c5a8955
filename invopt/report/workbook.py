"""The plan as a workbook for a spreadsheet: exceptions first, then orders, then purchase orders."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format

from invopt.files import read_csv, replacing_file
from invopt.report.plan import read_exceptions, read_plan
from invopt.types import Notify

MAX_ROWS = 1_048_575  # of a sheet, its header apart
_MONEY = ("order_value", "unit_cost", "unavoidable_stockout_cost", "expected_holding_cost",
          "expected_stockout_cost", "money_at_risk", "cost_of_one_less", "cost_of_one_more",
          "money")  # fmt: skip
_DATES = ("arrival_date", "stockout_date", "review_date", "order_date", "date")
# Of the orders, in the order people read them; orders.csv holds the rest.
_COLUMNS = ("unique_id", "product", "location", "supplier", "order_quantity", "order_value",
            "exception", "on_hand", "on_order", "backorders", "expected_demand", "days_of_cover",
            "stockout_date", "lead_time", "arrival_date", "order_up_to_level", "safety_stock",
            "unavoidable_stockout_units", "unavoidable_stockout_cost", "expected_holding_cost",
            "expected_stockout_cost", "segment", "reason")  # fmt: skip
_WIDTHS = {"reason": 70, "exception": 28, "advice": 44, "unique_id": 20}


def write_workbook(
    orders: Path | str,
    purchase_orders: Path | str,
    exceptions: Path | str,
    currency: str,
    out: Path | str,
    notify: Notify,
) -> None:
    """Write the tables as sheets with a frozen header, filters and number formats.

    Keys stay text ("00012" keeps its zeros) and a text is never a formula, whatever it says.

    Args:
        orders: The OrderPlan as CSV.
        purchase_orders: Its lines by supplier, as CSV.
        exceptions: As CSV.
        currency: Of all money, "" where it is not told.
        out: File to write; where it cannot be written it says why, and holds back nothing else.
        notify: Told what went wrong.
    """
    try:
        _write(Path(orders), Path(purchase_orders), Path(exceptions), currency, out)
    except Exception as err:  # as with pages: what others wrote fails in many ways
        traceback.print_exc()
        why = f"The workbook could not be written ({type(err).__name__}: {err})."
        notify(f"{why} The CSV files are complete.")
        with replacing_file(out) as partial, xlsxwriter.Workbook(str(partial)) as book:
            book.add_worksheet("Not written").write_string(0, 0, why)


def _write(
    orders: Path, purchase_orders: Path, exceptions: Path, currency: str, out: Path | str
) -> None:
    texts = {"unique_id": str, "supplier": str}
    sheets = {
        "Exceptions": read_exceptions(exceptions),
        "Orders": _ordered(read_plan(orders)),
        "Purchase orders": read_csv(purchase_orders, dtype=texts),
    }
    with replacing_file(out) as partial:
        options = {"strings_to_formulas": False, "strings_to_urls": False,
                   "strings_to_numbers": False, "constant_memory": True}  # fmt: skip
        with xlsxwriter.Workbook(str(partial), options) as book:
            for name, frame in sheets.items():
                _write_sheet(book, name, frame.head(MAX_ROWS), currency)
            _tell_cut(book, {n: len(f) for n, f in sheets.items() if len(f) > MAX_ROWS})


def _tell_cut(book: xlsxwriter.Workbook, cut: dict[str, int]) -> None:
    """Say in a sheet of its own what a workbook has no room for."""
    if not cut:
        return
    sheet = book.add_worksheet("Not all rows")
    for at, (name, rows) in enumerate(cut.items()):
        sheet.write_string(
            at, 0, f"{name}: the first {MAX_ROWS:,} of {rows:,} rows; the CSV file holds all."
        )


def _ordered(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the plan with exceptions first, then by value, the columns people read first."""
    flagged = plan["exception"] != ""
    value = plan["order_value"].fillna(-1)
    rows = pd.DataFrame({"flagged": flagged, "value": value})
    order = rows.sort_values(["flagged", "value"], ascending=False, kind="stable").index
    return plan.loc[order, [c for c in _COLUMNS if c in plan]]


def _write_sheet(book: xlsxwriter.Workbook, name: str, frame: pd.DataFrame, currency: str) -> None:
    sheet = book.add_worksheet(name)
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    styles = [_style(book, str(column), frame[column]) for column in frame]
    for at, column in enumerate(frame):
        sheet.set_column(at, at, _WIDTHS.get(str(column), 14))
    for at, column in enumerate(frame):
        sheet.write_string(0, at, _title(str(column), currency), head)
    writers: list[Callable[[int, int, Any, Format], Any]] = [
        sheet.write_number if pd.api.types.is_numeric_dtype(frame[column]) else
        sheet.write_datetime if column in _DATES else sheet.write_string
        for column in frame
    ]  # fmt: skip
    columns = [_values(frame[column], column in _DATES) for column in frame]
    for row in range(len(frame)):
        for at, values in enumerate(columns):
            if values[row] is not None:
                writers[at](row + 1, at, values[row], styles[at])
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(len(frame), 1), max(frame.shape[1] - 1, 0))


def _title(column: str, currency: str) -> str:
    text = column.replace("_", " ")
    return f"{text} ({currency})" if currency and column in _MONEY else text


def _style(book: xlsxwriter.Workbook, column: str, values: pd.Series) -> Format:
    """Return a column's number format; text is marked as text, so that a key stays one."""
    if not pd.api.types.is_numeric_dtype(values):
        return book.add_format({"num_format": "yyyy-mm-dd" if column in _DATES else "@"})
    if column in _MONEY:
        return book.add_format({"num_format": "#,##0.00"})
    known = values.dropna().to_numpy(np.float64)
    is_whole = bool((known == np.rint(known)).all())
    return book.add_format({"num_format": "#,##0" if is_whole else "#,##0.0"})


def _values(column: pd.Series, is_date: bool) -> list[Any]:
    """Return cells, None for empty ones."""
    if is_date:
        dates = pd.to_datetime(column.replace("", None), errors="coerce")
        return [None if pd.isna(d) else d.to_pydatetime() for d in dates]
    return [None if pd.isna(v) or v == "" else v for v in column.tolist()]
