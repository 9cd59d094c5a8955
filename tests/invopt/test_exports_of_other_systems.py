"""Exports of systems that nobody here had seen: what no word said, is read to the unit or told."""

import io

import openpyxl
import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from tests.invopt.test_odd_exports import DAYS, UNITS, lines, sales_of, tried

SKUS = ("A1", "B2")


def rows(write, head, extra=()):
    """Return a row a day and product, then more rows."""
    each = [write(d, k, n) for n, d in enumerate(DAYS, start=1) for k in SKUS]
    return lines(head, *each, *extra)


@pytest.mark.parametrize(
    ("head", "kinds", "back"),
    [
        ("Date,TYPE,Stock code,Qty", ("GO", "GI", "AO"), "GR"),
        ("Date,TranType,PartNum,TranQty", ("STK-CUS", "PUR-STK", "ADJ-QTY"), "RMA-INS"),
        ("Дата,Вид операции,Артикул,Количество", ("Реализация", "Поступление", "Списание"),
         "Возврат от покупателя"),
        ("日期,单据类型,物料编码,数量", ("销售出库单", "采购入库单", "其他出库单"), "销售退货单"),
        ("Date,Reference,Item,Quantity", ("Sales order", "Purchase order", "Transfer order"),
         "Return order"),
    ],
    ids=["Sage", "Epicor", "1C", "Kingdee", "Dynamics"],
)  # fmt: skip
def test_kinds_of_movements_of_other_systems_are_known(tmp_path, head, kinds, back):
    sold, *others = kinds
    more = [f"{DAYS[3]},{kind},A1,500" for kind in others] + [f"{DAYS[4]},{back},A1,3"]
    text = rows(lambda d, k, n: f"{d},{sold},{k},{n}", head, more)
    report, panel, _ = tried(tmp_path, journal__csv=text)
    assert report.sums["sales.y"] == UNITS - 3
    assert sales_of(report).rows_filtered == 2
    assert panel.y[0, 4] == 5 - 3


@pytest.mark.parametrize("word", ["已作废", "Отменён", "キャンセル"])
def test_what_is_cancelled_is_left_out_in_other_scripts(tmp_path, word):
    head = "日期,单据状态,物料编码,数量"
    text = rows(lambda d, k, n: f"{d},已审核,{k},{n}", head, [f"{DAYS[3]},{word},A1,500"])
    report, _, told = tried(tmp_path, orders__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert f"{word} are left out, as cancelled" in told


def test_a_reason_for_rejection_rejects_whatever_it_says(tmp_path):
    head = "Belegdatum;Material;Auftragsmenge;Absagegrund"
    more = [f"{DAYS[3]};A1;500;Z1 Kundenwunsch"]
    report, _, told = tried(tmp_path, va05__csv=rows(lambda d, k, n: f"{d};{k};{n};", head, more))
    assert report.sums["sales.y"] == UNITS
    assert "1 rows of va05 that Absagegrund marks are left out" in told


def test_a_void_below_zero_takes_back_the_line_before_it(tmp_path):
    more = [f"{DAYS[3]},SALE,A1,4,2.50", f"{DAYS[3]},VOID,A1,-4,-2.50"]
    text = rows(lambda d, k, n: f"{d},SALE,{k},{n},2.50", "date,line_type,sku,qty,price", more)
    report, panel, told = tried(tmp_path, till__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert panel.y[0, 3] == 4
    assert "VOID are below 0" in told
    assert "price of till is below 0 in 1 rows" in told


def test_a_void_above_zero_is_left_out(tmp_path):
    text = rows(lambda d, k, n: f"{d},SALE,{k},{n}", "date,line_type,sku,qty",
                [f"{DAYS[3]},VOID,A1,4"])  # fmt: skip
    assert tried(tmp_path, till__csv=text)[0].sums["sales.y"] == UNITS


def test_the_place_is_a_column_that_tells_places_apart(tmp_path):
    text = rows(lambda d, k, n: f"{d},{k},{1000 * (1 + n % 2)},0001,{n}",
                "Posting Date,Material,Plant,Storage Location,Quantity")  # fmt: skip
    report, panel, _ = tried(tmp_path, mb51__csv=text)
    assert sorted(panel.series["location"].unique()) == ["1000", "2000"]
    assert report.sums["sales.y"] == UNITS


def test_a_number_of_each_line_names_no_product(tmp_path):
    text = rows(lambda d, k, n: f"{d},{n}{k},{k},{n}", "date,Item Selection Id,Menu Item,Qty")
    report, _, _ = tried(tmp_path, toast__csv=text)
    assert report.num_series == 2


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        ("Date,Item,In Qty,Out Qty,Balance Qty", "0,-{n},900"),
        ("Date,Item,Inwards Quantity,Outwards Quantity,Closing Quantity", "0,{n},900"),
        ("日期,存货编码,入库数量,出库数量,结存数量", "0,{n},900"),
    ],
    ids=["ERPNext", "Tally", "Yonyou"],
)
def test_of_what_came_and_what_went_that_is_sold_which_went(tmp_path, head, cells):
    text = rows(lambda d, k, n: f"{d},{k},{cells.format(n=n)}", head)
    assert tried(tmp_path, ledger__csv=text)[0].sums["sales.y"] == UNITS


def test_items_beside_each_other_are_a_row_each(tmp_path):
    head = "Order ID,Order Date,Item 1 SKU,Item 1 Quantity,Item 2 SKU,Item 2 Quantity"
    text = lines(head, *(f"{n},{d},A1,{n},B2,{n}" for n, d in enumerate(DAYS, start=1)),
                 f"99,{DAYS[-1]},A1,1,,")  # fmt: skip
    report, _, told = tried(tmp_path, orders__csv=text)
    assert (report.sums["sales.y"], report.num_series) == (UNITS + 1, 2)
    assert "a row is read for each item" in told


def test_a_variant_that_repeats_its_product_is_sold_once(tmp_path):
    each = []
    for n, d in enumerate(DAYS, start=1):
        each += [f"{2 * n},,{d},configurable,A1,{n}", f"{2 * n + 1},{2 * n},{d},simple,A1,{n}"]
    head = "item_id,parent_item_id,created_at,product_type,sku,qty_ordered"
    report, _, told = tried(tmp_path, sales_order_item__csv=lines(head, *each))
    assert report.sums["sales.y"] == UNITS / 2
    assert "30 rows of sales_order_item name their parent in parent_item_id" in told


def test_a_kit_is_no_line_where_its_parts_are(tmp_path):
    more = [f"{DAYS[3]},Kit/Package,KIT,2", f"{DAYS[3]},Kit Component,A1,2"]
    text = rows(lambda d, k, n: f"{d},Inventory Item,{k},{n}", "Date,Item Type,Item,Quantity", more)
    report, _, told = tried(tmp_path, lines__csv=text)
    assert (report.sums["sales.y"], report.num_series) == (UNITS + 2, 2)
    assert "Kit/Package are left out, as kits" in told


def test_what_was_cancelled_of_a_line_is_taken_off(tmp_path):
    text = rows(
        lambda d, k, n: f"{d},{k},{n}.0000,{n % 2}.0000", "date,sku,qty_ordered,qty_canceled"
    )
    report, _, told = tried(tmp_path, lines__csv=text)
    assert report.sums["sales.y"] == UNITS - 30
    assert "qty_canceled of lines is taken off qty_ordered" in told


def test_amounts_of_a_settlement_repeat_no_units(tmp_path):
    each = ["2024-01-01,,,,"]
    each += [f",{d},{kind},{k},{n}" for n, d in enumerate(DAYS, start=1) for k in SKUS
             for kind in ("Principal", "Tax", "Commission")]  # fmt: skip
    head = "settlement-start-date,posted-date,amount-description,sku,quantity-purchased"
    report, _, told = tried(tmp_path, settlement__csv=lines(head, *each))
    assert report.sums["sales.y"] == UNITS
    assert "as other amounts of the same lines" in told


def test_several_files_of_returns_lower_the_sales(tmp_path):
    sold = rows(lambda d, k, n: f"{d},{k},{n}", "date,sku,qty")
    report, _, told = tried(
        tmp_path, sales__csv=sold,
        returns_shop__csv=f"return_date,sku,qty_returned\n{DAYS[5]},A1,2\n",
        returns_web__csv=f"day,sku,returned_qty\n{DAYS[6]},B2,1\n{DAYS[7]},B2,1\n",
        credit_notes__csv=f"Date,Credit note,SKU,Quantity\n{DAYS[8]},CN1,A1,3\n",
    )  # fmt: skip
    assert report.sums["sales.y"] == UNITS - 7
    assert told.count("are what came back") == 3


def test_orders_that_are_deleted_or_delivered_whole_bring_nothing(tmp_path):
    orders = lines(
        "Einkaufsbeleg;Position;Material;Bestellmenge;Noch zu liefern;Lieferdatum;Löschkennzeichen"
        ";Endlieferung",
        "45001;10;A1;100;60;05.02.2024;;", "45002;10;A1;100;60;05.02.2024;L;",
        "45003;10;B2;100;60;05.02.2024;;X", "45004;10;B2;100;60;05.02.2024;;",
    )  # fmt: skip
    sold = rows(lambda d, k, n: f"{d};{k};{n}", "date;sku;qty")
    report, _, _ = tried(tmp_path, sales__csv=sold, me2n__csv=orders)
    assert report.sums["open_orders.quantity"] == 120


def test_a_column_called_product_beside_the_key_is_no_traceback(tmp_path):
    text = rows(lambda d, k, n: f"{d},S{n % 2},{k},Thing {k},{n}", "date,store,SKU,Product,qty")
    report, panel, _ = tried(tmp_path, lines__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert "Thing A1" in set(panel.series["Product_2"])


def test_freight_is_no_quantity(tmp_path):
    text = rows(lambda d, k, n: f"{d},{k},9.9,{n}.5", "date,product_id,price,freight_value")
    with pytest.raises(InvalidInputError, match="it lacks quantity"):
        tried(tmp_path, items__csv=text)


@pytest.mark.parametrize(
    ("head", "write"),
    [
        ("CreationDate,Material,Qty", lambda d: f"/Date({int(pd.Timestamp(d).timestamp())}000)/"),
        ("TRNDATE,Material,Qty", lambda d: f"1{d[2:4]}{d[5:7]}{d[8:]}"),
        ("SDTRDJ,Material,Qty", lambda d: f"1{pd.Timestamp(d):%y%j}"),
        ("date/time,sku,quantity", lambda d: f'"{pd.Timestamp(d):%b %d, %Y} 1:22:33 PM PST"'),
    ],
    ids=["OData", "AS/400", "JD Edwards", "Amazon"],
)
def test_days_of_other_systems_are_read(tmp_path, head, write):
    text = rows(lambda d, k, n: f"{write(d)},{k},{n}", head)
    report, panel, _ = tried(tmp_path, export__csv=text)
    assert (report.first, report.last, report.sums["sales.y"]) == (DAYS[0], DAYS[-1], UNITS)
    assert panel.y[0].tolist() == list(range(1, 31))


@pytest.mark.parametrize(
    ("form", "last", "frequency"),
    [
        ("1 W/E {:%m/%d/%y}", "2024-01-06", "W-SUN"),
        ("Week Ending {:%m-%d-%y}", "2024-01-07", "W-MON"),
    ],
)
def test_texts_of_weeks_by_their_last_day_are_weeks(tmp_path, form, last, frequency):
    weeks = pd.date_range(last, periods=30, freq="7D")
    text = lines("Markets,UPC,Time,Unit Sales",
                 *(f"East,A1,{form.format(w)},{n}" for n, w in enumerate(weeks, 1)))  # fmt: skip
    report, panel, _ = tried(tmp_path, scan__csv=text)
    assert report.frequency == frequency
    assert report.first == f"{weeks[0] - pd.Timedelta(days=6):%Y-%m-%d}"
    assert panel.y[0].tolist() == list(range(1, 31))


@pytest.mark.parametrize(
    ("qty", "price", "units"),
    [("1,250", "2,50", 1.25), ("1.250", "2,50", 1250), ("1,250", "2.50", 1250)],
)
def test_a_file_has_one_sign_before_fractions(tmp_path, qty, price, units):
    text = rows(lambda d, k, n: f"{d};{k};{qty};{price}", "Datum;PLU;Menge;Betrag")
    assert tried(tmp_path, kasse__csv=text)[0].sums["sales.y"] == 60 * units


def test_a_header_on_each_page_is_no_row(tmp_path):
    text = rows(lambda d, k, n: f"{d},{k},{n}" + ("\nDate,SKU,Qty" if n == 15 else ""),
                "Date,SKU,Qty")  # fmt: skip
    report, _, told = tried(tmp_path, report__csv=text)
    assert (report.sums["sales.y"], sales_of(report).rows_filtered) == (UNITS, 2)
    assert "as its header on other pages" in told


def test_postage_below_goods_is_not_of_the_product_above(tmp_path):
    each = []
    for n, d in enumerate(DAYS, start=1):
        each += [f"{n},{d},line_item,A1,{n},9.9", f"{n},{d},shipping,,1,4.9"]
    head = "order_id,created_at,line_type,sku,quantity,price"
    report, _, _ = tried(tmp_path, lines__csv=lines(head, *each))
    assert (report.sums["sales.y"], sales_of(report).rows_filtered) == (UNITS / 2, 30)


@pytest.mark.parametrize("key", ["Name", "product_key"])
def test_a_master_is_joined_by_the_column_that_holds_the_products_sold(tmp_path, key):
    ours = "product_key" if key == "product_key" else "sku"
    sold = rows(lambda d, k, n: f"{d},{k},{n}", f"date,{ours},qty")
    master = f"{key},{'sku' if ours != 'sku' else 'Type'},Purchase Price\nA1,x1,4.2\nB2,x2,4.4\n"
    report, panel, _ = tried(tmp_path, sales__csv=sold, items__csv=master)
    assert panel.series["unit_cost"].tolist() == pytest.approx([4.2, 4.4])


def test_of_an_order_its_delivery_and_its_invoice_one_is_sold(tmp_path):
    kinds = ("Auftrag", "Lieferschein", "Rechnung")
    text = rows(lambda d, k, n: "\n".join(f"{kind};{d};{k};{n}" for kind in kinds),
                "Belegart;Datum;Artikelnummer;Menge")  # fmt: skip
    report, _, told = tried(tmp_path, belege__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert "Lieferschein, Rechnung are left out, as documents that follow Auftrag" in told


def test_invoices_of_some_orders_are_not_taken_for_the_same_sales(tmp_path):
    more = [f"Rechnung;{DAYS[3]};A1;7"]
    text = rows(lambda d, k, n: f"Auftrag;{d};{k};{n}", "Belegart;Datum;Artikelnummer;Menge", more)
    assert tried(tmp_path, belege__csv=text)[0].sums["sales.y"] == UNITS + 7


def test_products_above_their_lines_are_filled_though_lines_have_a_type(tmp_path):
    each = []
    for k in SKUS:
        each += [f"{k},,,", *(f",Invoice,{d},{n}" for n, d in enumerate(DAYS, start=1))]
    report, _, _ = tried(tmp_path, detail__csv=lines("Item,Type,Date,Qty. Sold", *each))
    assert (report.sums["sales.y"], report.num_series) == (UNITS, 2)


@pytest.mark.parametrize(
    "titles",
    [("Berlin", "München"), ("New York", "Neu Ulm"), ("Store Nord", "Store Süd")],
    ids=["umlaut", "two words", "one word of two"],
)
def test_sheets_of_a_workbook_are_places_whatever_letters_their_titles_have(tmp_path, titles):
    book, content = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for times, title in enumerate(titles, start=1):
        sheet = book.create_sheet(title)
        sheet.append(["Datum", "Artikel", "Menge"])
        for n, day in enumerate(DAYS, start=1):
            for k in SKUS:
                sheet.append([day, k, n * times])
    book.save(content)
    report, panel, _ = tried(tmp_path, Filialen__xlsx=content.getvalue())
    assert report.sums["sales.y"] == 3 * UNITS
    assert panel.num_series == 4
    named = [title.removeprefix("Store ") for title in titles]
    assert sorted(panel.series["location"].unique()) == sorted(named)


@pytest.mark.parametrize("titles", [("Sales", "Returns"), ("Berlin returns", "Hamburg sales")])
def test_sheets_of_another_kind_of_line_are_no_places(tmp_path, titles):
    texts = {
        f"{title.replace(' ', '_')}__csv": rows(lambda d, k, n: f"{d},{k},{n}", "date,sku,qty")
        for title in titles
    }
    _, panel, told = tried(tmp_path, **texts)
    assert "have the same columns and are one table" not in told
    assert panel.num_series == 2
