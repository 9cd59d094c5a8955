"""Vouchers of Tally as it exports them (XML): a row for each line of stock, or each batch of it.

Tally writes signs that XML forbids (&#4;), so that the text is read tag by tag, as a page is.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import IO

from invopt.errors import InvalidInputError

_LOOKED_AT = 1 << 16
_CHUNK = 1 << 20
_LINES = re.compile(r"(all)?inventoryentries(in|out)?\.list")
_BATCH = "batchallocations.list"
_OF_VOUCHER = {
    "date": "date", "vouchertypename": "voucher_type", "vouchernumber": "voucher_number",
    "partyledgername": "party", "iscancelled": "is_cancelled", "isdeleted": "is_deleted",
    "isoptional": "is_draft",
}  # fmt: skip
_OF_LINE = {
    "stockitemname": "item", "billedqty": "quantity", "actualqty": "actual_quantity",
    "rate": "rate", "amount": "amount", "isdeemedpositive": "comes_in",
}  # fmt: skip
_OF_BATCH = {"godownname": "godown", "billedqty": "quantity", "actualqty": "actual_quantity",
             "amount": "amount"}  # fmt: skip
# In names of kinds of vouchers, which people make themselves beside Tally's own: GST Sales.
_SOLD = r"sale|invoice|\bpos\b|bill|retail|export"
_NO_SALE = r"order|quotation|pro ?forma|purchase|estimate"
_BACK = r"credit note|rejections? in|sales? return"
COLUMNS = ("date", "voucher_type", "voucher_number", "party", "item", "godown", "quantity", "unit",
           "rate", "amount", "comes_in", "is_cancelled", "is_deleted", "is_draft")  # fmt: skip
_QUANTITY = re.compile(r"\s*(-?[\d.,]+)\s*([^\d\s=].*?)?\s*(?:=.*)?$")  # 10 Nos; 1 Box = 12 Nos


def is_tally(file: str, opened: Callable[[str], IO[bytes]]) -> bool:
    """Return whether a file of markup holds messages of Tally."""
    with opened(file) as handle:
        return b"<TALLYMESSAGE" in handle.read(_LOOKED_AT).upper()


def write_lines(file: str, opened: Callable[[str], IO[bytes]], out: Path) -> list[str]:
    """Copy the lines of stock of a file's vouchers as CSV; return what was left, in words.

    Raises:
        InvalidInputError: If no voucher has a line of stock.
    """
    parser = _Vouchers.read(file, opened)
    if not parser.rows:
        raise InvalidInputError(
            f"{file} holds {parser.num_vouchers:,} vouchers of Tally and none has a line of stock "
            "(ALLINVENTORYENTRIES.LIST): export the sales register with its inventory details "
            "(Export, XML, all vouchers of the period), or as .xlsx."
        )
    rows, others = _of_sales(parser.rows)
    with out.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    bare = parser.num_vouchers - parser.num_with_lines
    notes = [
        f"{Path(file).name}: {len(rows):,} lines of stock are read of {parser.num_with_lines:,} "
        "vouchers of Tally"
    ]
    if others:
        listed = ", ".join(f"{kind} ({n:,})" for kind, n in others.most_common())
        notes.append(
            f"{Path(file).name}: lines of vouchers that are no sales are not read: {listed}"
        )
    if bare:
        notes.append(f"{Path(file).name}: {bare:,} vouchers without a line of stock are not read")
    if parser.num_rejected:
        notes.append(
            f"{Path(file).name}: {parser.num_rejected:,} lines of vouchers have no item and are "
            "not read"
        )
    return notes


def _of_sales(rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], Counter[str]]:
    """Return lines of sales and of what came back, and how many others there are by their kind.

    Orders, deliveries, receipts, journals and counts of stock are none where the file has sales;
    all lines are returned where it has none.
    """
    kinds = {row["voucher_type"] for row in rows}
    back = {kind for kind in kinds if re.search(_BACK, kind.lower())}
    sold = {k for k in kinds - back if re.search(_SOLD, k.lower())}
    sold = {kind for kind in sold if not re.search(_NO_SALE, kind.lower())}
    if not sold:
        return rows, Counter()
    kept = [
        row | {"voucher_type": "Sales" if row["voucher_type"] in sold else "Credit Note"}
        for row in rows
        if row["voucher_type"] in sold | back
    ]
    left = (row["voucher_type"] for row in rows if row["voucher_type"] not in sold | back)
    return kept, Counter(left)


class _Vouchers(HTMLParser):
    """Collects the lines of stock of vouchers.

    Attributes:
        rows: By the names of COLUMNS.
        num_vouchers: All of them.
        num_with_lines: Those that have a line of stock.
        num_rejected: Lines without an item.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[dict[str, str]] = []
        self.num_vouchers = self.num_with_lines = self.num_rejected = 0
        self._voucher: dict[str, str] | None = None
        self._line: dict[str, str] | None = None
        self._batch: dict[str, str] | None = None
        self._batches: list[dict[str, str]] = []
        self._lists: list[str] = []  # that are open within the voucher
        self._text: list[str] = []
        self._before = 0

    @classmethod
    def read(cls, file: str, opened: Callable[[str], IO[bytes]]) -> "_Vouchers":
        """Return what a file holds, read piece by piece."""
        parser = cls()
        with opened(file) as handle:
            text = io.TextIOWrapper(handle, "utf-8-sig", errors="replace")
            while chunk := text.read(_CHUNK):
                parser.feed(chunk)
        parser.close()
        return parser

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._text = []
        if tag == "voucher":
            self._voucher = {"voucher_type": dict(attrs).get("vchtype") or ""}
            self._lists, self._before = [], len(self.rows)
            self.num_vouchers += 1
        elif self._voucher is not None and tag.endswith(".list"):
            self._lists.append(tag)
            if _LINES.fullmatch(tag) and len(self._lists) == 1:
                self._line, self._batches = {}, []
            elif tag == _BATCH and self._line is not None:
                self._batch = {}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Leave an empty element out: it says nothing, and opens no list."""

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if self._voucher is None:
            return
        if tag == "voucher":
            self.num_with_lines += len(self.rows) > self._before
            self._voucher = self._line = None
        elif tag.endswith(".list"):
            self._end_list(tag)
        elif not self._lists:
            if tag in _OF_VOUCHER and text:
                self._voucher[_OF_VOUCHER[tag]] = text
        elif len(self._lists) == 1 and self._line is not None:
            if tag in _OF_LINE and text:
                self._line[_OF_LINE[tag]] = text
        elif self._lists[-1] == _BATCH and self._batch is not None and tag in _OF_BATCH and text:
            self._batch[_OF_BATCH[tag]] = text

    def _end_list(self, tag: str) -> None:
        if tag in self._lists:
            while self._lists.pop() != tag:
                pass
        if tag == _BATCH and self._batch is not None:
            self._batches.append(self._batch)
            self._batch = None
        elif not self._lists and self._line is not None and _LINES.fullmatch(tag):
            self._add()
            self._line = None

    def _add(self) -> None:
        """Add the line that ends: a row for each of its batches, where these have quantities."""
        assert self._voucher is not None
        assert self._line is not None
        if "item" not in self._line:
            self.num_rejected += 1
            return
        counted = [b for b in self._batches if "quantity" in b or "actual_quantity" in b]
        for part in counted or [{}]:
            row = self._voucher | self._line | part
            quantity = row.pop("quantity", None) or row.get("actual_quantity", "")
            row.pop("actual_quantity", None)
            found = _QUANTITY.fullmatch(quantity)
            row["quantity"] = found[1] if found is not None else quantity
            row["unit"] = (found[2] or "") if found is not None else ""
            self.rows.append(row)
