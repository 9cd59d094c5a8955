"""Exports of small companies that were misread: orders in two files, units no word tells, plans."""

import sqlite3
from datetime import datetime

import openpyxl
import pandas as pd
import pytest

from invopt.sources import load_mapping
from tests.invopt.test_exports_of_systems import SOLD, UNITS, written
from tests.invopt.test_odd_exports import lines, sales_of, tried


def mapping_of(tmp_path):
    return load_mapping(tmp_path / "m.yaml")


@pytest.mark.parametrize("column", ["Uds.", "Q.tà", "Cant.", "Szt.", "Xyz"])
def test_what_makes_the_amount_with_a_price_is_the_units_whatever_it_is_called(tmp_path, column):
    text = written(
        f"Fecha;Articulo;{column};Precio;Importe",
        lambda d, p, n, _: f"{d:%d/%m/%Y};{p};{n};2,50;{n * 2.5:.2f} €".replace(".", ","),
    )
    _, panel, _ = tried(tmp_path, ventas__csv=text)
    assert panel.y.sum() == UNITS


def test_money_alone_is_read_as_such_and_told(tmp_path):
    text = written("date,sku,revenue", lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{n}")
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.y.sum() == UNITS
    assert "revenue sounds like money" in told


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("Completed Time,Line Item SKU,Quantity", "%Y-%m-%d"),
        ("created_at,order_item_sku,qty", "%Y-%m-%d"),
        ("Data,Symbol,Ilość", "%Y-%m-%d"),
        ("BUDAT_MKPF,MATNR,MENGE", "%Y%m%d"),
        ("AUDAT,MATNR,KWMENG", "%Y%m%d"),
        ("Datum,Zbozi,Mnozstvi", "%d.%m.%Y"),
    ],
)
def test_products_and_days_of_other_systems_are_found(tmp_path, header, form):
    text = written(header, lambda d, p, n, _: f"{d.strftime(form)},{p},{n}")
    _, panel, _ = tried(tmp_path, export__csv=text)
    assert panel.num_series == 2
    assert panel.y.sum() == UNITS


def test_a_shops_own_label_names_a_product_before_its_title(tmp_path):
    text = written(
        "Sale Date,Item Title,Custom Label,Quantity",
        lambda d, p, n, k: f"{d:%b-%d-%y},Tea no. {k % 5},{p},{n}",
    )
    _, panel, _ = tried(tmp_path, ebay__csv=text)
    assert sorted(panel.series["product"]) == ["1001", "1002"]
    assert panel.y.sum() == UNITS


def test_a_file_whose_product_nobody_finds_says_that_its_series_are_places(tmp_path):
    text = written("date,store,zzz,qty", lambda d, p, n, _: f"{d:%Y-%m-%d},01,K{p},{n}")
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.num_series == 1
    assert "no column of sales is known to name a product" in told
    assert "say so with --product zzz" in told


def test_what_became_of_an_order_holds_for_all_of_its_lines(tmp_path):
    def write(d, p, n, k):
        first, cancelled = k % 2 == 0, k // 2 % 5 == 0
        day = f"{d:%Y-%m-%d} 10:00:00"
        status = ("paid", day, day if cancelled else "") if first else ("", "", "")
        return f"#{1000 + k // 2},{','.join(status)},{day},{n},{p}"

    header = "Name,Financial Status,Paid at,Cancelled at,Created at,Lineitem quantity,Lineitem sku"
    report, panel, told = tried(tmp_path, orders_export__csv=written(header, write))
    kept = sum(n for k, (_, _, n) in enumerate(SOLD) if k // 2 % 5)
    assert panel.y.sum() == kept
    assert sales_of(report).rows_filtered == 12
    assert "on the first of several lines only" in told


@pytest.mark.parametrize("back", [("SI", "SC"), ("INV", "CN"), ("RE", "GS"), ("FA", "AV")])
def test_codes_of_documents_tell_what_was_given_back_beside_each_other(tmp_path, back):
    text = written(
        "Date,Type,Product Code,Quantity",
        lambda d, p, n, k: f"{d:%d/%m/%Y},{back[k % 7 == 0]},{p},{n}",
    )
    _, panel, told = tried(tmp_path, invoices__csv=text)
    returned = sum(n for k, (_, _, n) in enumerate(SOLD) if k % 7 == 0)
    assert panel.y.sum() == UNITS - 2 * returned
    assert "given back and written above 0" in told


def test_one_code_of_a_document_alone_is_told_and_kept(tmp_path):
    text = written(
        "Date,Type,Product Code,Quantity",
        lambda d, p, n, k: f"{d:%d/%m/%Y},{('TA', 'RE')[k % 7 == 0]},{p},{n}",
    )
    _, panel, told = tried(tmp_path, orders__csv=text)
    assert panel.y.sum() == UNITS
    assert "rows of all of these are read as sales or returns" in told


def heads_and_lines():
    orders = [f"{k},{d:%Y-%m-%d},done" for k, (d, _, _) in enumerate(SOLD)]
    items = [f"{k},1,{p},{n}" for k, (_, p, n) in enumerate(SOLD)]
    return orders, items


@pytest.mark.parametrize(
    ("heads", "rows"),
    [
        ("order_id,order_date,status", "order_id,line,sku,quantity"),
        ("id,created_at,status", "order_id,line,sku,quantity"),
        ("VBELN,AUDAT,AUART", "VBELN,POSNR,MATNR,KWMENG"),
    ],
)
def test_lines_take_the_day_of_their_order_from_another_file(tmp_path, heads, rows):
    orders, items = heads_and_lines()
    report, panel, told = tried(
        tmp_path, orders__csv=lines(heads, *orders), items__csv=lines(rows, *items)
    )
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_used == len(SOLD)
    assert "items.csv has no date" in told


def test_lines_without_their_order_are_set_aside_and_told(tmp_path):
    days = pd.date_range("2024-01-01", periods=120)
    orders = [f"{k},{d:%Y-%m-%d},done" for k, d in enumerate(days) if k != 7]
    report, panel, _ = tried(
        tmp_path,
        orders__csv=lines("order_id,order_date,status", *orders),
        items__csv=lines("order_id,line,sku,quantity", *[f"{k},1,1001,3" for k in range(120)]),
    )
    assert panel.y.sum() == 3 * 119
    assert dict(sales_of(report).quarantined) == {"ds is empty": 1}


def test_orders_and_their_lines_in_a_database_are_joined(tmp_path):
    (tmp_path / "data").mkdir()
    base = sqlite3.connect(tmp_path / "data" / "shop.db")
    base.execute("CREATE TABLE orders (id INTEGER, created_at TEXT, status TEXT)")
    base.execute("CREATE TABLE order_items (id INTEGER, order_id INTEGER, sku TEXT, quantity INT)")
    base.executemany(
        "INSERT INTO orders VALUES (?, ?, 'paid')",
        [(k, f"{d:%Y-%m-%d %H:%M:%S}") for k, (d, _, _) in enumerate(SOLD)],
    )
    base.executemany(
        "INSERT INTO order_items VALUES (?, ?, ?, ?)",
        [(9000 + k, k, p, n) for k, (_, p, n) in enumerate(SOLD)],
    )
    base.commit()
    base.close()
    _, panel, _ = tried(tmp_path)
    assert panel.y.sum() == UNITS


def test_sales_with_a_day_of_their_own_are_joined_to_no_orders(tmp_path):
    orders, _ = heads_and_lines()
    items = [f"{k},{d:%Y-%m-%d},{p},{n}" for k, (d, p, n) in enumerate(SOLD)]
    _, panel, told = tried(
        tmp_path,
        orders__csv=lines("order_id,order_date,status", *orders),
        items__csv=lines("order_id,invoice_date,sku,quantity", *items),
    )
    assert panel.y.sum() == UNITS
    assert "has no date" not in told


def test_dates_in_the_header_of_a_sheet_are_periods(tmp_path):
    book = openpyxl.Workbook()
    months = pd.date_range("2023-01-01", periods=24, freq="MS")
    sheet = book.active
    sheet.append(["Sales by month"])
    sheet.append(["Item", *[datetime(m.year, m.month, 1) for m in months], "Total"])
    for item in ("0071", "0120"):
        sheet.append([item, *range(1, 25), sum(range(1, 25))])
    (tmp_path / "data").mkdir()
    book.save(tmp_path / "data" / "report.xlsx")
    _, panel, _ = tried(tmp_path)
    assert panel.timeline.freq == "MS"
    assert panel.y.sum() == 2 * sum(range(1, 25))


@pytest.mark.parametrize("ahead", [14, 2])
def test_promotions_far_beyond_the_last_sale_are_known_ahead_and_told(tmp_path, ahead):
    planned = pd.date_range("2024-01-05", pd.Timestamp("2024-01-30") + pd.Timedelta(days=ahead))
    marks = [f"{d:%Y-%m-%d},1001,1" for d in planned[::3]]
    _, _, told = tried(
        tmp_path,
        sales__csv=written("date,sku,qty", lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{n}"),
        promotions__csv=lines("date,sku,promotion", *marks, f"{planned[-1]:%Y-%m-%d},1002,1"),
    )
    [table] = mapping_of(tmp_path).promotions
    assert table.known == (ahead >= 7)
    assert "known: true" in told


def test_a_weather_forecast_beyond_the_last_sale_is_left_to_a_person(tmp_path):
    days = pd.date_range("2024-01-01", periods=44)
    _, _, told = tried(
        tmp_path,
        sales__csv=written("date,sku,qty", lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{n}"),
        weather__csv=lines("date,temperature", *[f"{d:%Y-%m-%d},{d.day}" for d in days]),
    )
    [table] = mapping_of(tmp_path).external
    assert not table.known
    assert "say `known: true`" in told
