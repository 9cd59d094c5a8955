"""Exports of tills, shops and ERPs that were misread: each by init-mapping, counted again."""

import bz2
import io
import json
import sqlite3
import zipfile

import duckdb
import openpyxl
import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources import Mapping, read_dataset
from invopt.sources.account import account_of
from invopt.sources.database_files import tables_of
from invopt.sources.formats import number_style
from invopt.sources.legacy_text import legacy_encoding
from invopt.sources.standard import NO_ROW
from invopt.sources.twins import totals_among
from invopt.sources.vocabulary import by_word
from tests.builders import write_files
from tests.invopt.test_odd_exports import lines, sales_of, tried

DAYS = pd.date_range("2024-01-01", periods=30)
SOLD = [(d, p, n) for n, d in enumerate(DAYS, start=1) for p in ("1001", "1002")]
UNITS = 2 * sum(range(1, 31))
ODD = 7  # each seventh line is of another kind
KEPT = sum(n for k, (_, _, n) in enumerate(SOLD) if k % ODD)
OTHERS = UNITS - KEPT


def written(header, write):
    """Return a file of the lines sold, each written by a function of day, product, units, place."""
    return lines(header, *[write(d, p, n, k) for k, (d, p, n) in enumerate(SOLD)])


def marked(column, yes, no=""):
    return written(
        f"date,sku,qty,{column}",
        lambda d, p, n, k: f"{d:%Y-%m-%d},{p},{n},{no if k % ODD else yes}",
    )


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [
        ("Void?", "True", "False"),
        ("Storno", "X", ""),
        ("is_deleted", "1", "0"),
        ("Cancelled at", "2024-02-01 10:00:00 +0200", ""),
        ("is_test", "true", "false"),
        ("Order Status", "wc-failed", "wc-completed"),
        ("State", "Draft", "Confirmed"),
        ("Doc Type", "Quotation", "Order"),
        ("Bewegungsart", "Wareneingang", "Warenausgang"),
        ("Type", "Opening balance", "OUT"),
        ("Entry Type", "Transfer", "Sale"),
        ("BWART", "101", "601"),
        ("measure", "Revenue", "Units"),
        ("Kennzahl", "Umsatz", "Absatz"),
    ],
)
def test_lines_that_are_no_sales_are_left_out_and_told(tmp_path, column, yes, no):
    report, panel, told = tried(tmp_path, sales__csv=marked(column, yes, no))
    assert panel.y.sum() == KEPT
    assert sales_of(report).rows_filtered == 9
    assert column in told


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [
        ("order type", "Dine In", "Delivery"),
        ("payment_type", "Credit Card", "Invoice"),
        ("status", "In transit", "Delivered"),
        ("fulfillment status", "Returned", "Shipped"),
        ("sale_type", "Staff sale", "Retail sale"),
        ("note", "quote", "see over"),
    ],
)
def test_lines_that_may_be_sales_are_kept(tmp_path, column, yes, no):
    report, panel, _ = tried(tmp_path, sales__csv=marked(column, yes, no))
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_filtered == 0


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [("Document Type", "Credit Note", "Invoice"), ("Belegart", "Gutschrift", "Rechnung"),
     ("BWART", "602", "601")],
)  # fmt: skip
def test_what_is_given_back_above_zero_counts_below_it(tmp_path, column, yes, no):
    _, panel, told = tried(tmp_path, sales__csv=marked(column, yes, no))
    assert panel.y.sum() == KEPT - OTHERS
    assert "given back and written above 0" in told


def test_a_refund_below_zero_stays_as_it_is(tmp_path):
    text = written(
        "Date,SKU,Qty,Event Type",
        lambda d, p, n, k: (
            f"{d:%m/%d/%y},{p},{n if k % ODD else -n}.0,{'Payment' if k % ODD else 'Refund'}"
        ),
    )
    _, panel, _ = tried(tmp_path, items__csv=text)
    assert panel.y.sum() == KEPT - OTHERS


def test_a_kind_that_nobody_can_tell_is_kept_and_told(tmp_path):
    _, panel, told = tried(tmp_path, sales__csv=marked("Order Status", "on-hold", "completed"))
    assert panel.y.sum() == UNITS
    assert "Order Status of sales is completed (51), on-hold (9)" in told


def test_deposits_and_vouchers_are_told(tmp_path):
    text = written(
        "Datum;Artikel;Bezeichnung;Menge",
        lambda d, p, n, _: f"{d:%d.%m.%Y};{p};{'Pfand 0,25' if p == '1002' else 'Bier'};{n}",
    )
    _, _, told = tried(tmp_path, kasse__csv=text)
    assert "1 products may be no goods by their Bezeichnung (Pfand 0,25)" in told


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("PZN;Lieferdatum;Menge", "{p};{d:%d.%m.%Y};{n}"),
        ("Data;Codice articolo;Quantità", "{d:%d/%m/%Y};{p};{n}"),
        ("Datum;Artikelcode;Aantal", "{d:%d-%m-%Y};{p};{n}"),
        ("Data da venda;Código do produto;Quantidade", "{d:%d/%m/%Y};{p};{n}"),
        ("Datum;Varenummer;Antal", "{d:%Y-%m-%d};{p};{n}"),
        ("Fecha;Código;Entrada;Salida;Saldo", "{d:%d/%m/%Y};{p};40;{n};99"),
        ("Datum;Materialnummer;Verbrauch", "{d:%d.%m.%Y};{p};{n}"),
        ("Monatstag;Artikel;Menge Vorjahr;Menge", "{d:%d.%m.%Y};{p};99;{n}"),
        ("Budat;Material;MENGE", "{d:%Y%m%d};{p};{n}"),
        ("created_at,product_id,quantity", "{d:%Y-%m-%d} 10:00:00.123456 UTC,{p},{n}"),
        ("Sale Date,Custom Label,Quantity", "{d:%b-%d-%y},{p},{n}"),
        ("date,sku,qty", "{d:%y%m%d},{p},{n}"),
        ("date,sku,qty", "{d:%y-%m-%d},{p},{n}"),
    ],
)
def test_words_and_days_of_other_systems_are_read(tmp_path, header, form):
    text = written(header, lambda d, p, n, _: form.format(d=d, p=p, n=n))
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert (report.first, report.last) == ("2024-01-01", "2024-01-30")
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_used == 60


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ("cp1250", "Data sprzedaży;Kod towaru;Ilość"),
        ("cp1254", "Satış tarihi;Stok Kodu;Miktar"),
        ("cp1252", "Verkaufsdatum;Artikel;Stückzahl"),
    ],
)
def test_words_in_older_encodings_are_read(tmp_path, encoding, header):
    text = written(header, lambda d, p, n, _: f"{d:%d.%m.%Y};{p};{n}")
    _, panel, _ = tried(tmp_path, sales__csv=text.encode(encoding))
    assert panel.y.sum() == UNITS
    assert legacy_encoding(header.encode(encoding)) == encoding


def test_quarters_and_spans_of_days_are_dates(tmp_path):
    rows = [f"{y}-Q{q};A;5" for y in range(2018, 2024) for q in range(1, 5)]
    report, panel, _ = tried(tmp_path, sales__csv=lines("Quarter;sku;qty", *rows))
    assert (report.frequency, report.last, panel.y.sum()) == ("QS", "2023-10-01", 120)


def test_a_span_of_days_is_for_the_period_of_its_first(tmp_path):
    weeks = pd.date_range("2024-01-01", periods=20, freq="W-MON")
    week = pd.Timedelta(days=6)
    rows = [f"{d:%d.%m.%Y} - {d + week:%d.%m.%Y},A,5" for d in weeks]
    report, _, told = tried(tmp_path, sales__csv=lines("Week,sku,qty", *rows))
    assert (report.frequency, report.first, report.num_periods) == ("W-MON", "2024-01-01", 20)
    assert "a row counts on its first day" in told


def test_a_year_and_week_in_six_figures_as_columns_are_weeks(tmp_path):
    weeks = pd.date_range("2024-01-01", periods=30, freq="W-MON")
    head = ",".join(["sku", *(f"{w:%G%V}" for w in weeks)])
    report, panel, _ = tried(tmp_path, sales__csv=lines(head, *[f"{k}{',3' * 30}" for k in "AB"]))
    assert (report.frequency, report.num_periods, panel.y.sum()) == ("W-MON", 30, 180)


def test_lakhs_are_thousands_of_india():
    style = number_style({"1,23,456": 3, "23,456": 1, "12,34,567.50": 1})
    assert (style.group, style.decimal) == (",", ".")


PLAIN = written("date,sku,qty", lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{n}")


@pytest.mark.parametrize(
    "below",
    [",,\n" * 50, "Printed by admin,,\n", "\nPrinted by admin\n*** End ***\n", "\x1a"],
)
def test_what_stands_below_a_table_is_no_row_and_no_fault(tmp_path, below):
    report, panel, _ = tried(tmp_path, sales__csv=PLAIN + below)
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_used == 60
    assert set(sales_of(report).quarantined) == {NO_ROW}
    assert sales_of(report).bad == 0
    assert "products" in {a.table for a in report.accounting}


def test_a_list_of_sap_between_pipes_is_a_table(tmp_path):
    rule, head = "-" * 40, "|Material |Werk|Buch.dat.  |     Menge|"
    rows = [f"|{p}     |1000|{d:%d.%m.%Y} |     {n}-|" for d, p, n in SOLD]
    page = ["01.02.2024  Dynamische Listausgabe  2", rule, head, rule]
    text = "\n".join([rule, head, rule, *rows[:40], rule, *page, *rows[40:], rule])
    report, panel, told = tried(tmp_path, mb51__txt=text)
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_in == 60
    assert "6 rules, 1 repeated heads and 1 titles of pages are not read" in told


def test_an_orders_date_on_its_first_line_is_that_of_the_lines_below(tmp_path):
    text = written(
        "Order,Order Date,SKU,Quantity",
        lambda d, p, n, k: f"{'' if k % 2 else f'S{k}'},{'' if k % 2 else f'{d:%Y-%m-%d}'},{p},{n}",
    )
    report, panel, told = tried(tmp_path, orders__csv=text)
    assert panel.y.tolist() == [list(range(1, 31))] * 2
    assert sales_of(report).rows_used == 60
    assert "writes Order, Order Date on the first of several lines only" in told


def test_a_date_that_is_missing_here_and_there_is_not_filled(tmp_path):
    text = written(
        "order,date,sku,qty",
        lambda d, p, n, k: f"{k},{'' if k % 60 == 7 else f'{d:%Y-%m-%d}'},{p},{n}",
    )
    many = lines(
        text.rstrip("\n"), *[f"{k + 99},2024-01-{k % 30 + 1:02d},1003,1" for k in range(60)]
    )
    report, _, _ = tried(tmp_path, orders__csv=many)
    assert sales_of(report).quarantined == {"ds is empty": 1}


def test_a_pivot_with_merged_cells_and_sums_counts_once(tmp_path):
    weeks = [f"{w:%G-W%V}" for w in pd.date_range("2024-01-01", periods=20, freq="W-MON")]
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Sales report"])
    sheet.append(["Store", "Product", *weeks, "Total"])
    for store in ("Nord", "Ost"):
        for product in ("A", "B"):
            sheet.append([store if product == "A" else None, product, *[2] * 20, 40])
        sheet.append([f"{store} Total", None, *[4] * 20, 80])
    sheet.append(["Grand Total", None, *[8] * 20, 160])
    content = io.BytesIO()
    book.save(content)
    report, panel, _ = tried(tmp_path, pivot__xlsx=content.getvalue())
    assert set(panel.unique_ids) == {"A_Nord", "B_Nord", "A_Ost", "B_Ost"}
    assert report.sums["sales.y"] == 160


def test_a_listing_in_groups_names_its_products_above_their_lines(tmp_path):
    rows = ["Acme Inc.,,,", "Sales by Product,,,", ",Date,Num,Qty"]
    for product in ("1001", "1002"):
        sold = [f",{d:%m/%d/%Y},1,{n}" for d, p, n in SOLD if p == product]
        rows += [f"{product},,,", *sold, f"Total for {product},,,465"]
    report, panel, _ = tried(tmp_path, report__csv=lines(*rows, "TOTAL,,,930"))
    assert set(panel.unique_ids) == {"1001", "1002"}
    assert report.sums["sales.y"] == UNITS
    assert sales_of(report).bad == 0


def test_sums_of_single_products_are_named_by_them():
    names = ["1001", "1001 Ergebnis", "Total for 1002", "1002", "Total Cereal", "Gesamtergebnis"]
    assert totals_among(names) == ["1001 Ergebnis", "Gesamtergebnis", "Total for 1002"]


def test_months_in_sheets_and_in_folders_follow_one_another(tmp_path):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, some in (("Jan", SOLD[:30]), ("Feb", SOLD[30:])):
        sheet = book.create_sheet(name)
        sheet.append(["Date", "SKU", "Qty"])
        for day, product, units in some:
            sheet.append([day.to_pydatetime(), product, units])
    content = io.BytesIO()
    book.save(content)
    _, panel, told = tried(tmp_path, sales__xlsx=content.getvalue())
    assert panel.y.sum() == UNITS
    assert "they follow one another in time" in told


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (("2024-01/sales.csv", "2024-02/sales.csv"), {"1001", "1002"}),
        (("lake/store=n/a.csv", "lake/store=s/a.csv"), {"1001_n", "1002_n", "1001_s", "1002_s"}),
        (("filiale_1.csv", "filiale_2.csv"), {"1001_1", "1002_1", "1001_2", "1002_2"}),
    ],
)
def test_files_of_one_name_in_folders_are_one_table(tmp_path, names, series):
    shared = "store" in names[0] or "filiale" in names[0]
    for number, name in enumerate(names):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        some = SOLD if shared else SOLD[30 * number : 30 * number + 30]
        rows = [f"{d:%Y-%m-%d},{p},{n + number}" for d, p, n in some]
        file.write_text(lines("date,sku,qty", *rows))
    report, panel, _ = tried(tmp_path)
    assert set(panel.unique_ids) == series
    assert sales_of(report).rows_used == (120 if shared else 60)


def test_a_file_that_goes_on_with_other_names_is_told(tmp_path):
    first = lines("date,sku,qty", *[f"{d:%Y-%m-%d},{p},{n}" for d, p, n in SOLD[:40]])
    more = lines("date,sku,quantity", *[f"{d:%Y-%m-%d},{p},{n}" for d, p, n in SOLD[40:]])
    report, _, told = tried(tmp_path, sales_1__csv=first, sales_2__csv=more)
    assert "it seems to go on from sales_1 with other names of columns (quantity)" in told
    assert "external" not in {a.table for a in report.accounting}


def database(kind, file):
    """Write the lines sold and a stock of five into a database file."""
    rows = [(f"{d:%Y-%m-%d}", f"00{p}", n) for d, p, n in SOLD]
    held = [("001001", 5), ("001002", 5)]
    with (sqlite3 if kind == "sqlite" else duckdb).connect(str(file)) as connection:
        connection.execute("CREATE TABLE sales (day TEXT, sku TEXT, qty INTEGER)")
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
        connection.execute("CREATE TABLE stock (sku TEXT, on_hand INTEGER)")
        connection.executemany("INSERT INTO stock VALUES (?, ?)", held)
    connection.close()
    return file.read_bytes()


@pytest.mark.parametrize(("kind", "name"), [("sqlite", "shop__db"), ("duckdb", "shop__duckdb")])
def test_tables_of_a_database_in_a_file_are_read_and_it_is_not_written(tmp_path, kind, name):
    content = database(kind, tmp_path / "made")
    report, panel, _ = tried(tmp_path, **{name: content})
    assert list(panel.unique_ids) == ["001001", "001002"]
    assert panel.y.sum() == UNITS
    assert report.sums["position.on_hand"] == 10
    assert (tmp_path / "data" / name.replace("__", ".")).read_bytes() == content


def test_what_is_no_database_is_told(tmp_path):
    (tmp_path / "x.db").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(InvalidInputError, match="cannot be read as a database of SQLite or DuckDB"):
        tables_of(tmp_path / "x.db")


def objects():
    return [{"date": f"{d:%Y-%m-%d}", "sku": f"00{p}", "qty": n} for d, p, n in SOLD]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sales__jsonl", "\n".join(map(json.dumps, objects()))),
        ("sales__json", json.dumps(objects())),
        (
            "sales__ndjson",
            "\n".join(json.dumps(o | {"date": {"$date": o["date"]}}) for o in objects()),
        ),
        ("sales__csv__bz2", bz2.compress(PLAIN.replace(",100", ",00100").encode())),
    ],
)
def test_json_and_bz2_are_read_as_csv_is(tmp_path, name, content):
    report, panel, _ = tried(tmp_path, **{name: content})
    assert list(panel.unique_ids) == ["001001", "001002"]
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_in == 60


def test_lines_of_json_that_are_no_objects_are_set_aside(tmp_path):
    rows = [json.dumps(row) for row in objects()]
    rows += ['{"date": "2024-01-05", "sku":', "[1, 2]", '{"sku": "1", "sku": "2"}']
    many = [json.dumps(o | {"sku": f"{k}"}) for k in range(9) for o in objects()]
    report, _, _ = tried(tmp_path, sales__jsonl="\n".join(rows + many))
    assert sales_of(report).quarantined == {"line is malformed: NO OBJECT": 3}
    assert sales_of(report).rows_in == 603


def test_an_archive_of_several_tables_is_each_of_them(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("readme.txt", "Exported by a shop")
        archive.writestr("sales.csv", PLAIN)
        archive.writestr("stock.csv", "sku,on_hand\n1001,3\n1002,4\n")
    report, panel, _ = tried(tmp_path, export__zip=content.getvalue())
    assert (panel.y.sum(), report.sums["position.on_hand"]) == (UNITS, 7)


def test_malformed_lines_of_files_behind_sql_count_in_the_table_that_reads_them(tmp_path):
    text = lines(
        "date,sku,qty", *[f"{d:%Y-%m-%d},{p},{n}" for d, p, n in SOLD], "a,b,c,d", "x,1,2,3"
    )
    data = write_files(tmp_path / "data", a_csv=text + PLAIN.split("\n", 1)[1])
    mapping = Mapping.model_validate({
        "name": "t", "frequency": "D", "unique_id": "sku",
        "sources": {"a": "a.csv", "b": {"sql": "SELECT * FROM a"}, "u": {"sql": "SELECT * FROM b"}},
        "sales": {"from": "u", "layout": "transactions", "ds": "date", "columns": {"y": "qty"}},
    })  # fmt: skip
    report = read_dataset(mapping, data, tmp_path / "out", max_bad_share=0.05)
    [sales] = report.accounting
    assert (sales.table, sales.rows_in, sales.rows_used) == ("sales", 122, 120)
    assert account_of(report, [])["sources"]["a"] == {
        "rows_in": 122, "rows_used": 120, "rows_set_aside": 2, "rows_filtered": 0,
    }  # fmt: skip


def test_an_order_form_of_words_does_not_take_last_years_column():
    assert by_word(["Menge Vorjahr", "Menge"], "y") == "Menge"


def test_shops_that_sell_the_same_every_day_are_no_copies(tmp_path):
    rows = [f"{d:%Y-%m-%d},{p},{3 if k else 4}" for k, (d, p, _) in enumerate(SOLD)]
    text, other = lines("date,sku,qty", *rows), lines("date,sku,qty", *rows[1:], rows[0])
    _, panel, told = tried(tmp_path, sales_Berlin__csv=text, sales_Ulm__csv=other)
    assert set(panel.unique_ids) == {
        f"{p}_{s}" for p in ("1001", "1002") for s in ("Berlin", "Ulm")
    }
    assert "the place is read from their names" in told


def test_a_copy_of_a_file_is_no_second_shop(tmp_path):
    _, panel, _ = tried(tmp_path, sales_Berlin__csv=PLAIN, sales_Ulm__csv=PLAIN)
    assert panel.y.sum() == UNITS
