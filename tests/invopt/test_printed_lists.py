"""Lists as ERPs print them: a product's name once, sums between the lines, purchases beside."""

import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.printed_sums import _sums_of_lines_above
from tests.invopt.test_odd_exports import lines, sales_of, tried
from tests.invopt.test_workbooks import book

DAYS = pd.date_range("2024-01-01", periods=30)
HEAD = ("Code", "Name", "Packing", "Customer", "Bill No.", "Date", "Batch", "Qty.", "Sales Value")
NAMES = {"AM01": "Amoxil Caps", "BR02": "Brufen Tab", "CE03": "Cetzine Syrup"}
UNITS = sum(n + k for k in range(3) for n in range(1, 31))


def printed(products=NAMES, *, is_grand=True):
    """Return the rows of a list by product and customer, as wholesalers' systems print them."""
    rows, grand = [("", "Company of Drugs", *[""] * 7)], 0
    for k, (code, name) in enumerate(products.items()):
        total = 0
        for customer, part in (("North Chemists", DAYS[:20]), ("South Chemists", DAYS[20:])):
            here = 0
            for at, day in enumerate(part):
                units = list(DAYS).index(day) + 1 + k
                first = (code, name, "10's") if customer.startswith("N") and not at else ("",) * 3
                again = (code, name, "10's") if not at and k == 1 else first  # as some lists do
                rows.append((*again, customer if not at else "", f"B{units}", f"{day:%Y-%m-%d}",
                             "L1", units, units * 2.5))  # fmt: skip
                here += units
            rows.append(("", "", "", "", "", "", "", here, here * 2.5))
            total += here
        rows.append(("", "", "", "TOTAL", "", "", "", total, total * 2.5))
        grand += total
    if is_grand:
        rows.append(("", "", "", "GRAND TOTAL", "", "", "", grand, grand * 2.5))
    rows.append(("", "Printed by an ERP", *[""] * 7))
    return rows


def as_csv(rows, head=HEAD):
    return lines(",".join(head), *(",".join(map(str, row)) for row in rows))


def test_a_product_named_once_is_read_of_every_line_and_sums_are_left_out(tmp_path):
    report, panel, told = tried(tmp_path, sales__csv=as_csv(printed()))
    assert panel.unique_ids.tolist() == list(NAMES)
    assert report.sums["sales.y"] == UNITS
    assert sales_of(report).rows_used == 90
    assert "12 rows of sales_filled have no Date, and are titles or add up lines above them" in told


def test_a_printed_list_in_a_workbook_below_its_titles_is_read(tmp_path):
    rows = [["S.D. WHOLESALE"], ["14, Lane"], [], list(HEAD), *map(list, printed())]
    book(
        tmp_path / "data" / "sales.xlsx",
        Sheet1=[[c if c != "" else None for c in row] for row in rows],
    )
    report, panel, _ = tried(tmp_path)
    assert panel.unique_ids.tolist() == list(NAMES)
    assert report.sums["sales.y"] == UNITS


def test_a_row_without_a_date_that_adds_nothing_up_is_no_sum(tmp_path):
    rows = [(*row[:5], "" if n % 9 == 4 else row[5], *row[6:7], row[7] + 1000 * (n % 9 == 4), 1)
            for n, row in enumerate(printed(is_grand=False)) if row[5]]  # fmt: skip
    filled = [("AM01", *row[1:]) for row in rows]
    with pytest.raises(InvalidInputError, match="79 of 90 can .11 rows: ds is empty"):
        tried(tmp_path, sales__csv=as_csv(filled))


@pytest.mark.parametrize("name", ["purchase", "Einkauf_2024", "compras", "achats"])
def test_what_was_bought_is_not_taken_for_sales_that_cannot_be_read(tmp_path, name):
    bought = lines("date,sku,qty", *(f"{d:%Y-%m-%d},A,{n}" for n, d in enumerate(DAYS)))
    sold = lines("date,remark,weight", *(f"{d:%Y-%m-%d},x y,{n}.5" for n, d in enumerate(DAYS)))
    with pytest.raises(InvalidInputError, match="no file looks like sales") as told:
        tried(tmp_path, **{f"{name}__csv": bought, "sales__csv": sold})
    assert "sales.csv comes nearest" in str(told.value)


def test_what_customers_bought_is_sales(tmp_path):
    bought = lines(
        "date,customer,sku,qty", *(f"{d:%Y-%m-%d},C{n},A,{n}" for n, d in enumerate(DAYS))
    )
    report, _, _ = tried(tmp_path, purchases__csv=bought, order_status__csv="state,text\n1,open\n")
    assert report.sums["sales.y"] == sum(range(30))


def test_sums_are_differences_of_running_sums():
    rows = [(False, 2.0), (False, 3.5), (True, 5.5), (False, 4.0), (True, 4.0), (True, 9.5),
            (True, 7.0), (True, None)]  # fmt: skip
    assert _sums_of_lines_above(*map(list, zip(*rows, strict=True))) == [True, True, True, False]


def test_a_mainframes_list_that_is_called_xls_is_read_as_text(tmp_path):
    rule = "-" * 700
    head = "| Order  |Created   |Material|Ordered quantity|"
    body = [f"| {n:06d} |{d:%d.%m.%Y}|M{n % 3:07d}|{n:>14}  |" for n, d in enumerate(DAYS)]
    text = lines(f"17.01.2024{' ' * 600}Report", rule, "Report", rule, head, rule, *body, rule)
    report, panel, told = tried(tmp_path, acumulado__xls=text)
    assert panel.unique_ids.tolist() == ["M0000000", "M0000001", "M0000002"]
    assert report.sums["sales.y"] == sum(range(30))
    assert "a list drawn with lines" in told
