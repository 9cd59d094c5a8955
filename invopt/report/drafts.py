"""Draft purchase orders as the importers of Odoo and of ERPNext take them.

Both read XLSX with one row a line, where what belongs to the order stands in its first row alone.
Columns have the fields' technical names, which both match in every language. Cells are text, so
that a key stays as it is ("00012") and no name becomes a formula; quantities and prices are
numbers.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter

from invopt.files import replacing_file

_NO_SUPPLIER = "(no supplier)"
_WIDE = 24


def draft_lines(purchase_orders: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of purchase orders with what identifies them, order by order.

    An order is what one supplier brings to one place, ordered on one day.

    Args:
        purchase_orders: As a review writes them.
        plan: OrderPlan of the same review: order_quantity 0 takes a line out, another quantity
            changes it, and a series ordered here alone gets a line. What one of the plan's own
            places supplies is a transfer and no purchase: it is left out.

    Returns:
        order (a name that stays when the file is made again), line, supplier, location, item
        (product, else unique_id), unique_id, order_date, arrival_date, quantity, price.
    """
    known = purchase_orders.drop_duplicates("unique_id").set_index("unique_id")
    ordered = plan[plan["order_quantity"].astype(np.float64) > 0]
    if "source" in plan:
        ordered = ordered[~_text(ordered, "supplier").isin(set(_text(plan, "location")) - {""})]
    ordered = ordered.reset_index(drop=True)
    ids = ordered["unique_id"].astype(str)
    lines = known.reindex(ids).reset_index(drop=True)
    quantity = ordered["order_quantity"].astype(np.float64)
    value = ordered["order_value"].astype(np.float64) / quantity
    product, location = _text(ordered, "product"), _text(ordered, "location")
    found = pd.DataFrame({
        "supplier": _text(ordered, "supplier").where(lambda s: s != "", _NO_SUPPLIER),
        "location": location,
        "item": product.where(product != "", ids),
        "unique_id": ids,
        "order_date": _text(lines, "order_date").where(
            _text(lines, "order_date") != "", ordered["review_date"].astype(str)),
        "arrival_date": ordered["arrival_date"].fillna("").astype(str),
        "quantity": quantity,
        "price": lines["unit_cost"].astype(np.float64).fillna(value).round(4),
    })  # fmt: skip
    keys = ["supplier", "order_date", "location"]
    found = found.sort_values([*keys, "item", "unique_id"], ignore_index=True)
    of_review = ordered["review_date"].astype(str)
    review = of_review.iloc[0] if len(of_review) else ""
    order = [_name("po", review, *row) for row in found[keys].itertuples(index=False)]
    line = [_name("line", review, uid) for uid in found["unique_id"]]
    return found.assign(order=order, line=line)


def write_odoo_draft(lines: pd.DataFrame, currency: str, out: Path | str) -> None:
    """Write requests for quotation for Odoo: Purchase, Import records.

    Orders and lines carry external identifiers: the same file twice changes, and doubles nothing.

    Args:
        lines: As draft_lines returns them.
        currency: Its code, "" for the supplier's own.
        out: File to write.
    """
    places = (lines["location"] != "").any()
    header: dict[str, Any] = {
        "id": lines["order"],
        "partner_id": lines["supplier"],
        "origin": lines["order"],
        "date_order": lines["order_date"] + " 00:00:00",
    }
    if places:  # as Odoo shows it: a warehouse that is not there is refused, not guessed
        header["picking_type_id"] = lines["location"].map(lambda name: f"{name}: Receipts")
    if currency:
        header["currency_id"] = currency
    each = {
        "order_line/id": lines["line"],
        "order_line/product_id": lines["item"],
        "order_line/product_qty": lines["quantity"],
        "order_line/price_unit": lines["price"],
        "order_line/date_planned": lines["arrival_date"] + " 00:00:00",
    }
    _write(lines, pd.DataFrame(header, index=lines.index), pd.DataFrame(each), out)


def write_erpnext_draft(lines: pd.DataFrame, currency: str, out: Path | str) -> None:
    """Write draft purchase orders for ERPNext: Data Import, Purchase Order, Insert New Records.

    Args:
        lines: As draft_lines returns them.
        currency: Its code, "" for the supplier's own.
        out: File to write.
    """
    due = lines.groupby("order")["arrival_date"].transform("max")
    header: dict[str, Any] = {
        "supplier": lines["supplier"],
        "transaction_date": lines["order_date"],
        "schedule_date": due,
    }
    if currency:
        header["currency"] = currency
    each: dict[str, Any] = {
        "items.item_code": lines["item"],
        "items.qty": lines["quantity"],
        "items.rate": lines["price"],
        "items.schedule_date": lines["arrival_date"],
    }
    if (lines["location"] != "").any():
        each["items.warehouse"] = lines["location"]
    _write(lines, pd.DataFrame(header, index=lines.index), pd.DataFrame(each), out)


DRAFTS: dict[str, Callable[[pd.DataFrame, str, Path | str], None]] = {
    "odoo": write_odoo_draft, "erpnext": write_erpnext_draft,
}  # fmt: skip


def _write(lines: pd.DataFrame, header: pd.DataFrame, each: pd.DataFrame, out: Path | str) -> None:
    """Write a sheet: an order's own columns in its first row only."""
    first = ~lines["order"].duplicated()
    columns = [*header.columns, *each.columns]
    with replacing_file(out) as partial:
        options = {"strings_to_formulas": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(str(partial), options) as book:
            sheet, text = book.add_worksheet("Orders"), book.add_format({"num_format": "@"})
            sheet.set_column(0, len(columns) - 1, _WIDE)
            for at, name in enumerate(columns):
                sheet.write_string(0, at, name)
            for row in range(len(lines)):
                of_order = header.iloc[row] if first.iloc[row] else [""] * len(header.columns)
                for at, value in enumerate([*of_order, *each.iloc[row]]):
                    if isinstance(value, str):
                        if value:
                            sheet.write_string(row + 1, at, value, text)
                    elif np.isfinite(value):
                        sheet.write_number(row + 1, at, float(value))
            sheet.freeze_panes(1, 0)


def _text(frame: pd.DataFrame, column: str) -> "pd.Series[str]":
    if column not in frame:
        return pd.Series("", index=frame.index, dtype=object)
    return frame[column].fillna("").astype(str)


def _name(kind: str, review: str, *parts: str) -> str:
    """Return an external identifier: letters that every importer takes, and no two alike."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", parts[0]).strip("-")[:24]
    digest = hashlib.sha256("\x1f".join((review, *parts)).encode()).hexdigest()[:10]
    return "_".join(filter(None, ("invopt", kind, review, readable, digest)))
