"""Kinds of lists found in files that shops keep, each with other names and numbers."""

import io

import numpy as np
import openpyxl
import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.duck import Reader
from invopt.sources.facts import ColumnFacts, FileFacts, cells_of
from invopt.sources.line_words import movements
from invopt.sources.mapping import Source
from invopt.sources.words import SpokenNames
from invopt.sources.workbooks import read_sheet
from tests.invopt.test_odd_exports import lines, sales_of, tried

DAYS = pd.date_range("2024-01-01", periods=40)


def workbook(rows, title="Sheet1"):
    made = openpyxl.Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(list(row))
    content = io.BytesIO()
    made.save(content)
    return content.getvalue()


def test_a_column_of_flags_is_no_date_and_no_error(tmp_path):
    rows = [("sku", "name", "assembled", "units"), ("A", "x", True, 3), ("B", "y", False, 4)]
    with pytest.raises(InvalidInputError, match="it lacks date"):
        tried(tmp_path, sold__xlsx=workbook(rows))


def test_sizes_with_their_unit_are_no_quantity(tmp_path):
    rows = [f"PED{n // 2},{d:%Y-%m-%d},Shop {n % 3},{(300, 500, 700)[n % 3]}ml,{5 + n % 3}.0"
            for n, d in enumerate(DAYS.repeat(3))]  # fmt: skip
    text = lines("id_pedido,data,loja,tamanho,preco", *rows)
    with pytest.raises(InvalidInputError, match="it lacks quantity"):
        tried(tmp_path, vendas__csv=text)
    asked = SpokenNames(product="tamanho", location="loja")
    report, panel, told = tried(tmp_path, asked, vendas__csv=text)
    assert report.sums["sales.y"] == 120
    assert set(panel.series["product"]) == {"300ml", "500ml", "700ml"}
    assert "each of its lines is read as one unit that was sold" in told


def test_a_column_without_a_name_that_numbers_the_rows_is_not_read(tmp_path):
    rows = [f"{n},{d:%Y-%m-%d},{n % 7},{n % 5},{n % 3}" for n, d in enumerate(DAYS)]
    text = lines(",date,Vanilla,Lemon,Mango", *rows)
    _, panel, told = tried(tmp_path, sold__csv=text)
    assert panel.unique_ids.tolist() == ["Lemon", "Mango", "Vanilla"]
    assert "column_1 are known afterwards" not in told


def test_a_workbook_called_inventario_is_not_taken_for_sales_by_its_name(tmp_path):
    held = lines("fecha,articulo,cantidad", *(f"{d:%Y-%m-%d},A{n % 4},{900 + n}"
                                              for n, d in enumerate(DAYS.repeat(4))))  # fmt: skip
    moved = lines(
        "fecha,articulo,cantidad,tipo_mov",
        *(f"{d:%Y-%m-%d},A{n % 2},{n % 5},{'ES'[n % 3 > 0]}" for n, d in enumerate(DAYS.repeat(2))),
    )
    report, _, told = tried(tmp_path, inventario__csv=held, kardex__csv=moved)
    assert sales_of(report).source.startswith("kardex")
    assert report.sums["sales.y"] == sum(n % 5 for n in range(80) if n % 3)
    assert "whose tipo_mov is E are left out, as no sales" in told


@pytest.mark.parametrize(
    ("name", "letters", "sold"),
    [("tipo_mov", "ES", "S"), ("movement type", "IO", "O"), ("Bewegungsrichtung", "ZA", "A"),
     ("tipo movimento", "CS", "S"), ("sens", "ES", "S")],
)  # fmt: skip
def test_letters_of_movements_say_what_went_out(name, letters, sold):
    assert movements(name, [*letters]) == {
        letter: "sold" if letter == sold else "none" for letter in letters
    }
    assert movements("category", [*letters]) == dict.fromkeys(letters, "")


def test_stock_by_lot_is_added_up_whatever_dates_its_lots_have(tmp_path):
    products = ("Colonia 1", "Colonia 2")
    sold = [f"{d:%Y-%m-%d},{p},2" for d in DAYS for p in products]
    stock = lines(
        "producto,stock_actual,fecha_ingreso,fecha_caducidad",
        *(f"Colonia {k},{10 + n},2023-0{n}-01,2031-0{n}-01" for k in (1, 2) for n in (1, 2, 3)),
    )
    report, _, told = tried(
        tmp_path, ventas__csv=lines("fecha_venta,producto,cantidad", *sold), inventario__csv=stock
    )
    assert report.sums["position.on_hand"] == 2 * (11 + 12 + 13)
    assert "several rows for a producto (lots, bins): they are added up" in told


def test_a_number_of_the_item_within_its_document_is_no_product(tmp_path):
    rows = [f"{d:%Y-%m-%d},{n // 3},{n % 3 + 1},ART{n % 7},{n % 4 + 1}"
            for n, d in enumerate(DAYS.repeat(3))]  # fmt: skip
    text = lines("fecha,consecutivo,con_item,codigo_articulo,cantidad", *rows)
    _, panel, _ = tried(tmp_path, ventas__csv=text)
    assert panel.unique_ids.tolist() == [f"ART{n}" for n in range(7)]


def test_columns_of_uneven_days_are_added_up_by_week(tmp_path):
    days = pd.date_range("2024-01-01", periods=245)
    days = [d for d in days if d.dayofweek == 6 or (d.dayofweek == 3 and d.month == 1)]
    rows = [("Sabores", *(d.to_pydatetime() for d in days))]
    rows += [(name, *range(k, k + len(days))) for k, name in enumerate(("Menta", "Coco"))]
    report, panel, told = tried(tmp_path, ventas__xlsx=workbook(rows))
    assert report.frequency.startswith("W-")
    assert panel.unique_ids.tolist() == ["Coco", "Menta"]
    assert report.sums["sales.y"] == sum(range(39)) + sum(range(1, 40))
    assert "a column for each of 39 days, 3 to 7 days apart" in told


def test_codes_that_most_lines_lack_are_not_filled_from_other_products(tmp_path):
    names = [("Serum", "Gel", "Oil")[n % 3] for n in range(len(DAYS))]
    codes = ["GEL-1" if n % 9 == 1 else "" for n in range(len(DAYS))]
    rows = [f"#{n},{d:%Y-%m-%d},{n % 3 + 1},{names[n]},{codes[n]}" for n, d in enumerate(DAYS)]
    rows[0] = f"#0,{DAYS[0]:%Y-%m-%d},1,Gel,GEL-1"
    text = lines("Name,Created at,Lineitem quantity,Lineitem name,Lineitem sku", *rows)
    report, panel, told = tried(tmp_path, orders_export__csv=text)
    assert {"Serum", "Oil"} <= {*panel.series["product"]}
    assert report.sums["sales.y"] == 1 + sum(n % 3 + 1 for n in range(1, 40))
    assert "on the first of several lines only" not in told


def test_sheets_of_months_follow_one_another_in_any_language(tmp_path):
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, title in enumerate(("Januari", "Pebruari", "Maret", "Mei"), start=1):
        sheet = made.create_sheet(title)
        sheet.append(["tanggal", "varian", "jumlah"])
        for day in pd.date_range(f"2024-{number:02d}-01", periods=28):
            for k, name in enumerate(("kopi", "sosis")):
                sheet.append([day.to_pydatetime(), name, day.day + k])
    content = io.BytesIO()
    made.save(content)
    report, _, told = tried(tmp_path, penjualan__xlsx=content.getvalue())
    assert (report.first, report.last) == ("2024-01-01", "2024-04-28")
    assert report.sums["sales.y"] == 4 * (2 * sum(range(1, 29)) + 28)
    assert "they follow one another in time" in told


def test_taxes_tips_and_guests_of_a_day_are_no_products(tmp_path):
    rows = [f"{d:%Y-%m-%d},{n % 9 + 1},{n % 7 + 2},{n % 5 + 3},{n % 3},{n % 4 + 20},{n % 6 + 9}"
            for n, d in enumerate(DAYS)]  # fmt: skip
    text = lines("FECHA,PASTA,PIZZA,POSTRE,IVA,PROPINA,NOPERSONAS", *rows)
    _, panel, _ = tried(tmp_path, ventasxdia__csv=text)
    assert panel.unique_ids.tolist() == ["PASTA", "PIZZA", "POSTRE"]


def test_a_list_of_products_with_dates_lends_them_to_no_sale(tmp_path):
    sold = lines("Product Code,Supplier,Sold", *(f"P{n},S{n},{n + 1}" for n in range(20)))
    ended = lines(
        "Product Code,Supplier,Date Discontinued",
        *(f"Q{n},S{n},2022-{n % 12 + 1:02d}-01" for n in range(20)),
    )
    with pytest.raises(InvalidInputError, match="no file looks like sales"):
        tried(tmp_path, sales_report__csv=sold, discontinued__csv=ended)


def test_receipts_with_a_column_for_all_that_is_sold_are_added_up_by_day(tmp_path):
    sold = ("angbutter", "plain bread", "jam", "americano", "croissant", "latte", "pandoro", "cake")
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 4, (160, 8)) * (rng.random((160, 8)) < 0.2)
    rows = [
        f"{day:%Y-%m-%d} 1{n % 4}:05,{day:%Y-%m-%d},{n * 100},District {n % 3},"
        + ",".join(str(units or "") for units in counts[n])
        for n, day in enumerate(DAYS.repeat(4))
    ]
    text = lines(f"datetime,date,total,place,{','.join(sold)}", *rows)
    report, panel, told = tried(tmp_path, bakery_sales__csv=text)
    assert sorted(panel.series["product"]) == sorted(sold)
    assert report.sums["sales.y"] == counts.sum()
    assert "beside what was sold" not in told


def test_a_list_of_customers_is_no_list_of_products(tmp_path):
    orders = [f"{n};{n % 9};{n % 6};{n % 4 + 1};{d:%d.%m.%Y}" for n, d in enumerate(DAYS)]
    people = [f"{n};Person {n};X" for n in range(9)]
    goods = [f"{n};Ware {n};{n + 1},5" for n in range(6)]
    _, panel, told = tried(
        tmp_path,
        Bestellungen__csv=lines("BestellID;KundenID;ProduktID;Menge;Bestelldatum", *orders),
        KundenInfo__csv=lines("KundenID;Name;Stadt", *people),
        Produkte__csv=lines("ProduktID;Name;Preis", *goods),
    )
    assert panel.unique_ids.tolist() == [str(n) for n in range(6)]
    assert panel.series["product_name"].tolist() == [f"Ware {n}" for n in range(6)]
    assert not panel.channels
    assert "KundenInfo (KundenInfo.csv) is not mapped" in told


def test_cells_that_are_no_json_among_those_that_are_do_not_end_in_an_error(tmp_path):
    cells = [f'[{{""sku"": ""A{n % 2}"", ""qty"": {n % 3 + 1}}}]' for n in range(40)]
    cells[7] = "[{'sku': 'A1', 'qty': 2}]"  # as Python writes it
    rows = [f'{n},{d:%Y-%m-%d},"{cells[n]}"' for n, d in enumerate(DAYS)]
    report, _, told = tried(tmp_path, orders__csv=lines("number,created_at,line_items", *rows))
    assert report.sums["sales.y"] == sum(n % 3 + 1 for n in range(40) if n != 7)
    assert "1 orders have none and are left out" in told


def test_a_table_made_of_customers_is_not_taken_for_sales_by_the_name_it_got(tmp_path):
    people = [f'{n},Person {n},{d:%Y-%m-%d},{n % 5},"{{""tier"": ""A{n % 2}""}}"'
              for n, d in enumerate(DAYS.repeat(5))]  # fmt: skip
    sold = [f"{d:%Y-%m-%d},P{n % 4},{n % 3 + 1}" for n, d in enumerate(DAYS)]
    report, _, _ = tried(
        tmp_path, customers__csv=lines("item,name,created_at,quantity,custom", *people),
        bookings__csv=lines("date,sku,quantity", *sold),
    )  # fmt: skip
    assert sales_of(report).source == "bookings"


def test_sheets_of_years_with_a_column_for_each_day_are_one_table(tmp_path):
    made = openpyxl.Workbook()
    made.remove(made.active)
    total = 0
    for year in (2022, 2023, 2024):
        sheet = made.create_sheet(str(year))
        days = pd.date_range(f"{year}-01-01", periods=60)
        named = [f"{d:%d.%m.%Y}" if year == 2022 else d.to_pydatetime() for d in days]
        sheet.append(["Номенклатура", *named, "Общий итог"])
        for k, name in enumerate(("Вода 19 л", "Соки")):
            cells = [1000 * (n % 4 == 0) + n + k for n in range(60)]
            total += sum(cells)
            # A bookkeeper's export writes what is below a thousand as a number.
            shown = [f"{c // 1000} {c % 1000:03d},000" if c > 999 else c for c in cells]
            sheet.append([name, *shown, sum(cells)])
    content = io.BytesIO()
    made.save(content)
    report, panel, told = tried(tmp_path, data_sales__xlsx=content.getvalue())
    assert report.sums["sales.y"] == total
    assert (report.first, report.last) == ("2022-01-01", "2024-02-29")
    assert panel.unique_ids.tolist() == ["Вода 19 л", "Соки"]
    assert report.cells["unknown"] == 2 * (report.num_periods - 180)
    assert "a column for each of 180 periods, none twice, and are one table" in told


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        ((12, "2 780,000", 3.5), [12, 2780, 3.5]),
        ((12, "1.234,50", "7,25"), [12, 1234.5, 7.25]),
        ((12, "1,350", 3.5), ["12", "1,350", "3.5"]),  # a thousand, or one and a third
        ((71, "0071", 12), ["71", "0071", "12"]),  # codes
        ((71, "72", 12), ["71", "72", "12"]),
        ((12, "2 780,000", "?"), ["12", "2 780,000", "?"]),
    ],
)
def test_numbers_typed_as_texts_among_numbers_are_numbers_where_that_is_sure(tmp_path, cells, read):
    (tmp_path / "b.xlsx").write_bytes(
        workbook([("sku", "qty"), *((f"A{n}", c) for n, c in enumerate(cells))])
    )
    assert read_sheet(tmp_path / "b.xlsx", None).table["qty"].to_pylist() == read


def test_references_of_documents_are_no_products(tmp_path):
    rows = [f"S{n},{d:%Y-%m-%d},Pub {n % 2},{'G' + str(n) if n % 9 == 0 else ''},{n % 5 + 1}"
            for n, d in enumerate(DAYS)]  # fmt: skip
    text = lines("Sale ID,Sale Date,Outlet,Order Reference,Quantity", *rows)
    report, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.unique_ids.tolist() == ["Pub 0", "Pub 1"]
    assert report.sums["sales.y"] == sum(n % 5 + 1 for n in range(40))
    assert "no column of sales is known to name a product" in told


def test_a_code_of_the_seller_and_a_price_are_no_quantity(tmp_path):
    rows = [f"{d:%Y-%m-%d},P{n % 3},{70000 + n % 4},{n % 5 + 1},{n % 7 + 2}.5"
            for n, d in enumerate(DAYS)]  # fmt: skip
    text = lines("DATA,COD_PROD,Sales Executive Code,QUANT,VALOR_UNITARIO", *rows)
    report, panel, _ = tried(tmp_path, notas__csv=text)
    assert report.sums["sales.y"] == sum(n % 5 + 1 for n in range(40))
    assert panel.unique_ids.tolist() == ["P0", "P1", "P2"]


def test_boxes_of_each_product_beside_words_of_the_day_are_products(tmp_path):
    rows = [
        f"{d:%Y-%m-%d},Winter,Snowy,Cold,{n % 4},{n % 3 + 1},{n % 5}" for n, d in enumerate(DAYS)
    ]
    text = lines("Date,Season,Weather,Temperature,Tomato_Boxes,Lettuce_Boxes,Pepper_Boxes", *rows)
    _, panel, _ = tried(tmp_path, sales_history__csv=text)
    assert panel.unique_ids.tolist() == ["Lettuce", "Pepper", "Tomato"]


def test_cells_of_many_columns_are_read_without_their_names(tmp_path):
    names = [f"P{n:03d}" for n in range(201)]
    (tmp_path / "wide.csv").write_text(
        lines(f"day,weather,{','.join(names)}", f"2024-01-01,rain,{','.join(map(str, range(201)))}")
    )
    with Reader(tmp_path, tmp_path / "scratch", {}) as reader:
        reader.add("wide", Source(path="wide.csv"))
        given = [("day", "date"), ("weather", "text"), *((name, "number") for name in names)]
        columns = tuple(
            ColumnFacts(name=name, kind=kind, format=None, num_distinct=1) for name, kind in given
        )
        file = FileFacts("wide", "wide.csv", "utf-8", None, 1, columns, (), None)
        cells = cells_of(file, ["day"], dict(zip(names, names, strict=True)), "product", "units")
        rows = reader.fetch(f"SELECT day, product, units FROM {cells}", "wide").to_pylist()
    assert len(cells) < 200
    assert [tuple(row.values()) for row in rows] == [
        ("2024-01-01", name, str(n)) for n, name in enumerate(names)
    ]


def test_more_than_a_hundred_products_as_columns_are_read(tmp_path):
    names = [f"{first} {second}" for first in ("Rye", "Oat", "Nut", "Fig", "Plum", "Pear")
             for second in ("roll", "tart", "cake", "bun", "pie", "loaf", "stick", "ring", "cube",
                            "bar", "wheel", "knot", "twist", "plait", "crown", "star", "moon",
                            "heart", "leaf", "bag")][1:]  # fmt: skip
    sold = np.random.default_rng(0).poisson(5, (40, 119))
    rows = [f"{d:%Y-%m-%d},rain,{','.join(map(str, sold[n]))}" for n, d in enumerate(DAYS)]
    report, panel, _ = tried(tmp_path, sold__csv=lines(f"date,weather,{','.join(names)}", *rows))
    assert sorted(panel.unique_ids) == sorted(names)
    assert report.sums["sales.y"] == sold.sum()


@pytest.mark.parametrize(
    ("title", "is_one"), [("2024", True), ("Forecast", False), ("Plan", False)]
)
def test_a_plan_that_goes_on_from_the_sales_is_no_part_of_them(tmp_path, title, is_one):
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, first in (("2023" if is_one else "Sales", "2023-01-01"), (title, "2024-01-01")):
        sheet = made.create_sheet(name)
        days = pd.date_range(first, periods=12, freq="MS")
        sheet.append(["sku", *(f"{d:%Y-%m}" for d in days)])
        for k, sku in enumerate(("A", "B")):
            sheet.append([sku, *(n + k for n in range(12))])
    content = io.BytesIO()
    made.save(content)
    report, _, _ = tried(tmp_path, book__xlsx=content.getvalue())
    assert report.sums["sales.y"] == (2 if is_one else 1) * (2 * sum(range(12)) + 12)
    assert str(report.first) == "2023-01-01"


def test_row_numbers_beside_many_products_are_no_product(tmp_path):
    firsts = ("Rye", "Oat", "Nut", "Fig", "Plum", "Pear", "Lime", "Corn", "Bean", "Kale", "Leek",
              "Mint")  # fmt: skip
    seconds = ("roll", "tart", "cake", "bun", "pie", "loaf", "stick", "ring", "cube", "bar",
               "wheel", "knot", "twist", "plait", "crown", "star", "moon", "heart", "leaf",
               "bag")  # fmt: skip
    names = [f"{first} {second}" for first in firsts for second in seconds][1:]
    sold = np.random.default_rng(0).poisson(5, (40, len(names)))
    rows = [f"{n},{d:%Y-%m-%d},{','.join(map(str, sold[n]))}" for n, d in enumerate(DAYS)]
    report, panel, _ = tried(tmp_path, sold__csv=lines(f",date,{','.join(names)}", *rows))
    assert len(panel.unique_ids) == len(names) == 239
    assert report.sums["sales.y"] == sold.sum()
