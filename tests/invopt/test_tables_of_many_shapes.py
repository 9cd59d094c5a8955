"""Tables whose dates or places are in columns, headers, titles or names: each counted again."""

import io

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.markup import write_rows
from invopt.sources.name_patterns import pattern_of
from invopt.sources.named_files import named_in
from tests.invopt.test_account import sold
from tests.invopt.test_odd_exports import DAYS, lines, tried

MONTHS = pd.date_range("2023-01-01", periods=24, freq="MS")
GERMAN = ["Jan", "Feb", "Mrz", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]
ENGLISH = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.",
          "nov.", "déc."]  # fmt: skip
KEYS = [(k, s) for k in ("A1", "B2") for s in ("S1", "S2")]


def in_folders(tmp_path, files):
    """Write files, some in folders, and return what was read of them."""
    for path, text in files.items():
        file = tmp_path / "data" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tried(tmp_path)


def yearly(labels, head, sep=";"):
    """Return a file with a row for each year: the n-th month of the m-th series sells n + 100 m."""
    rows = [
        sep.join([*key, str(year), *(str(at * 12 + n + 100 * m) for n in range(1, 13))])
        for m, key in enumerate(KEYS)
        for at, year in enumerate((2023, 2024))
    ]
    return lines(sep.join([*head, *labels]), *rows)


YEARLY = sum(n + 100 * m for m in range(4) for n in range(1, 25))


def months_of(panel, series):
    return panel.y[list(panel.unique_ids).index(series)].tolist()


@pytest.mark.parametrize(
    ("labels", "head", "sep"),
    [
        (GERMAN, ("Artikel", "Filiale", "Jahr"), ";"),
        (ENGLISH, ("Item", "Store", "Year"), ","),
        (FRENCH,
         ("Article", "Magasin", "Année"), ";"),
        (list(map(str, range(1, 13))), ("Artikelnr", "Filiale", "Jahr"), ";"),
        ([f"M{n:02d}" for n in range(1, 13)], ("Material", "Plant", "Fiscal Year"), ","),
    ],
    ids=["German", "English", "French", "numbers", "M01"],
)  # fmt: skip
def test_columns_of_months_belong_to_the_year_in_another_column(tmp_path, labels, head, sep):
    report, panel, told = tried(tmp_path, sales__csv=yearly(labels, head, sep))
    assert (report.first, report.last) == ("2023-01-01", "2024-12-01")
    assert report.sums["sales.y"] == YEARLY
    assert months_of(panel, "B2_S1") == [200 + n for n in range(1, 25)]
    assert "each cell is a row" in told
    assert ("is read as January" in told) is (labels[0] in ("1", "M01"))


def test_months_to_come_are_not_known_and_a_column_of_sums_is_no_month(tmp_path):
    text = lines(
        "Artikel;Jahr;" + ";".join(GERMAN) + ";Summe",
        "A1;2023;" + ";".join(["5"] * 12) + ";60",
        "A1;2024;" + ";".join(["7"] * 5 + [""] * 7) + ";35",
        "Gesamt;2023;" + ";".join(["5"] * 12) + ";60",
    )
    report, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.y.tolist() == [[5] * 12 + [7] * 5]
    assert report.last == "2024-05-01"
    assert "7 blank ones left out" in told


@pytest.mark.parametrize("end", ["csv", "xlsx"])
def test_months_below_their_years_are_months_of_these(tmp_path, end):
    head = [["", "", "2023", *[""] * 11, "2024", *[""] * 11], ["Item", "Store", *ENGLISH * 2]]
    rows = [[*key, *(n + 100 * m for n in range(1, 25))] for m, key in enumerate(KEYS)]
    if end == "csv":
        files = {"sales__csv": lines(*(";".join(map(str, row)) for row in (*head, *rows)))}
    else:
        book, out = openpyxl.Workbook(), io.BytesIO()
        for row in (*head, *rows):
            book.active.append([cell or None for cell in row])
        book.active.merge_cells("C1:N1")
        book.active.merge_cells("O1:Z1")
        book.save(out)
        files = {"sales__xlsx": out.getvalue()}
    report, panel, _ = tried(tmp_path, **files)
    assert report.sums["sales.y"] == YEARLY
    assert months_of(panel, "A1_S2") == [100 + n for n in range(1, 25)]


def test_weeks_below_two_years_cross_from_one_to_the_other(tmp_path):
    mondays = pd.date_range("2023-11-06", periods=20, freq="W-MON")
    weeks = [day.isocalendar() for day in mondays]
    years = [str(w[0]) if n in (0, 8) else "" for n, w in enumerate(weeks)]
    assert weeks[8][0] == 2024
    text = lines(
        ";".join(["", *years]),
        ";".join(["Artikel", *(f"KW {w[1]:02d}" for w in weeks)]),
        ";".join(["A1", *(str(n) for n in range(1, 21))]),
    )
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert (report.first, report.last) == ("2023-11-06", "2024-03-18")
    assert panel.y.tolist() == [list(range(1, 21))]


def test_months_that_english_has_too_are_read_with_those_it_has_not(tmp_path):
    labels = [f"{m} {y}" for y in (2024, 2023) for m in GERMAN]
    text = lines(";".join(["Artikel", *labels]), ";".join(["A1", *map(str, range(1, 25))]))
    _, panel, _ = tried(tmp_path, sales__csv=text)
    assert panel.y.tolist() == [[*range(13, 25), *range(1, 13)]]


def test_a_pivot_whose_first_column_has_no_name_is_read_by_it(tmp_path):
    book, out = openpyxl.Workbook(), io.BytesIO()
    months = [cell for m in MONTHS[:12] for cell in (f"{m:%B %Y}", None)]
    book.active.append([None, *months])
    book.active.append([None, *["Qty Ordered", "Untaxed Total"] * 12])
    book.active.append(["Total", *[5, 12.5] * 12])
    for name, units in (("[A1] Cup", 2), ("[B2] Jug", 3)):
        book.active.append([name, *[units, units * 2.5] * 12])
    book.save(out)
    report, panel, _ = tried(tmp_path, report__xlsx=out.getvalue())
    assert list(panel.unique_ids) == ["[A1] Cup", "[B2] Jug"]
    assert report.sums["sales.y"] == 60


def test_rows_of_customers_are_added_up_by_product(tmp_path):
    months = [f"{m:02d}/2024" for m in range(1, 13)]
    rows = [f"{c};{k};" + ";".join([str(n)] * 12) for n, c in enumerate("XYZ", 1) for k in "AB"]
    _, panel, told = tried(tmp_path, absatz__csv=lines("Kundennr;Artikelnr;" + ";".join(months),
                                                       *rows))  # fmt: skip
    assert panel.y.tolist() == [[6] * 12] * 2
    assert "a row for each Kundennr" in told


@pytest.mark.parametrize(
    ("paths", "pattern"),
    [
        (["s_2024-01.csv", "s_2024-02.csv"], "s_{month}.csv"),
        (["s_2024_01.csv", "s_2024_02.csv"], "s_{year}_{month}.csv"),
        (["Z_05.01.2024.csv", "Z_06.01.2024.csv"], "Z_{date}.csv"),
        (["store_12_2024W05.csv", "store_7_2024W06.csv"], "store_{location}_{week}.csv"),
        (["Berlin/20240105.csv", "Hamburg/20240105.csv"], "{location}/{date}.csv"),
        (["Jan_2024.csv", "Feb_2024.csv"], "{month}_{year}.csv"),
        (["KW05_2024.csv", "KW06_2024.csv"], "{week}_{year}.csv"),
        (["sales_2024-01.csv", "returns_2024-01.csv"], None),
        (["a_2024-01_x.csv", "b_2024-02_y.csv"], None),
        (["sales.csv", "stock.csv"], None),
    ],
)
def test_what_names_of_files_say_has_a_name_in_the_pattern(paths, pattern):
    assert pattern_of(paths) == pattern


def test_a_name_in_braces_is_the_text_in_its_place_and_no_slash():
    assert named_in("{store}/s_{month}.csv", "Köln/s_2024-01.csv") == {
        "store": "Köln", "month": "2024-01",
    }  # fmt: skip
    assert named_in("{store}/s_{month}.csv", "a/b/s_2024-01.csv") is None
    assert named_in("{month}{year}.csv", "Jan2024.csv") == {"month": "Jan", "year": "2024"}
    assert named_in("s_*_{month}.csv", "s_x_2024-01.csv") == {"month": "2024-01"}


def test_files_named_by_month_are_one_table_and_the_next_month_needs_no_change(tmp_path):
    def file(n):
        return lines("store;sku;qty", f"S1;A;{n}", f"S2;A;{2 * n}")

    files = {f"sales_{day:%Y-%m}.csv": file(n) for n, day in enumerate(MONTHS, 1)}
    report, panel, told = in_folders(tmp_path, files)
    assert panel.y.tolist() == [list(range(1, 25)), list(range(2, 49, 2))]
    assert "sales_{month}.csv" in (tmp_path / "m.yaml").read_text()
    assert "sales_2023-01.csv is of month 2023-01" in told
    (tmp_path / "data" / "sales_2025-01.csv").write_text(file(25))
    from invopt.sources import load_mapping, read_dataset

    again = read_dataset(load_mapping(tmp_path / "m.yaml"), tmp_path / "data", tmp_path / "again")
    assert again.last == "2025-01-01"
    assert again.sums["sales.y"] == report.sums["sales.y"] + 75


def test_a_store_and_a_week_in_a_files_name_are_place_and_date(tmp_path):
    weeks = pd.date_range("2024-01-01", periods=16, freq="W-MON")
    files = {
        f"store_{s}_{w.isocalendar()[0]}W{w.isocalendar()[1]:02d}.csv": lines(
            "sku,qty", f"A,{n * s}"
        )
        for n, w in enumerate(weeks, 1)
        for s in (7, 12)
    }
    report, panel, _ = in_folders(tmp_path, files)
    assert report.first == "2024-01-01"
    assert sorted(panel.series["location"]) == ["12", "7"]
    assert sorted(panel.y.sum(axis=1).tolist()) == [7 * 136, 12 * 136]


def test_a_folder_for_each_store_is_its_place(tmp_path):
    files = {
        f"{place}/sales.csv": lines("date,sku,qty", *(f"{d},A,{n + 100 * m}" for n, d in
                                                      enumerate(DAYS, 1)))
        for m, place in enumerate(("Berlin", "Köln"))
    }  # fmt: skip
    report, panel, told = in_folders(tmp_path, files)
    assert sorted(panel.series["location"]) == ["Berlin", "Köln"]
    assert report.sums["sales.y"] == 2 * 465 + 3000
    assert "the place is read from their names (Berlin, Köln)" in told


def test_snapshots_of_a_master_are_no_sales_of_their_months(tmp_path):
    files = {f"products_2024-{m:02d}.csv": lines("sku,pack_size", f"A,{m}", "B,6")
             for m in (1, 2)}  # fmt: skip
    files["sales.csv"] = lines("date,sku,qty", *(f"{d},{k},1" for d in DAYS for k in "AB"))
    report, _, _ = in_folders(tmp_path, files)
    assert report.sums["sales.y"] == 60
    assert "{month}" not in (tmp_path / "m.yaml").read_text()


def test_sheets_titled_by_month_are_one_table(tmp_path):
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for n, month in enumerate(MONTHS[:13], 1):
        sheet = book.create_sheet(f"{month:%Y-%m}")
        sheet.append(["store", "sku", "qty"])
        sheet.append(["S1", "A", n])
    book.save(out)
    _, panel, told = tried(tmp_path, sales__xlsx=out.getvalue())
    assert panel.y.tolist() == [list(range(1, 14))]
    assert "month is read from their titles" in told


def long_sales():
    return lines("date,store,sku,qty", *(f"{d},{s},{k},1" for d in DAYS for k, s in KEYS))


@pytest.mark.parametrize(
    "stock",
    [
        lines("sku;S1;S2", "A1;5;7", "B2;1;2"),
        lines("sku;Bestand S1;Bestand S2;Bestand gesamt", "A1;5;7;12", "B2;1;2;3"),
    ],
    ids=["bare", "with a word and a sum"],
)
def test_stock_in_a_column_for_each_place_is_that_places(tmp_path, stock):
    report, _, told = tried(tmp_path, sales__csv=long_sales(), stock__csv=stock)
    assert report.sums["position.on_hand"] == 15
    assert "a column for each of 2 places (" in told


def test_stock_from_one_day_to_another_is_held_until_the_next(tmp_path):
    stock = lines(
        "sku;store;gueltig_von;gueltig_bis;bestand",
        *(f"{k};{s};01.12.2023;15.01.2024;{n}\n{k};{s};16.01.2024;31.12.9999;{10 * n}"
          for n, (k, s) in enumerate(KEYS, 1)),
    )  # fmt: skip
    report, panel, told = tried(tmp_path, sales__csv=long_sales(), bestand__csv=stock)
    assert report.sums["position.on_hand"] == 100
    held = panel.channels["on_hand"].values
    assert sorted(held[:, 0].tolist()) == [1, 2, 3, 4]
    assert sorted(held[:, 20].tolist()) == [10, 20, 30, 40]
    assert "held from gueltig_von until the next one" in told


def test_a_promotion_across_the_turn_of_the_year_is_one(tmp_path):
    days = pd.date_range("2023-12-11", periods=40)
    sales = lines("date,store,sku,qty", *(f"{d:%Y-%m-%d},{s},{k},1" for d in days for k, s in KEYS))
    promotions = lines("sku,from,to,discount", "A1,2023-12-24,2024-01-04,0.2")
    _, panel, _ = tried(tmp_path, sales__csv=sales, promotions__csv=promotions)
    [name] = [n for n in panel.channels if "discount" in n]
    assert sorted({int((row[:40] > 0).sum()) for row in panel.channels[name].values}) == [0, 12]


PAGE = "<html><head><title>x</title></head><body>{}<table border=1>{}</table></body></html>"


def page(head, rows, above=""):
    cells = [f"<tr>{''.join(f'<th>{h}</th>' for h in head)}</tr>"]
    cells += [f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in rows]
    return PAGE.format(above, "\n".join(cells))


def spreadsheet_xml(head, rows):
    def cell(value, kind):
        return f'<Cell><Data ss:Type="{kind}">{value}</Data></Cell>'

    body = "".join(f"<Row>{''.join(cell(h, 'String') for h in row)}</Row>" for row in (head, *rows))
    return (
        '<?xml version="1.0"?><Workbook xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        f"<Worksheet ss:Name='a'><Table>{body}</Table></Worksheet></Workbook>"
    )


HTML_ROWS = [(d, s, k, f"{100 * n}") for n, d in enumerate(DAYS) for k, s in KEYS]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sales__xls", page(("Date", "Store", "SKU", "Qty"), HTML_ROWS)),
        ("ventas__xls",
         page(("Fecha", "Tienda", "C&oacute;digo", "Unidades"),
              [(d, s, k, f"{int(q):,}&nbsp;".replace(",", ".")) for d, s, k, q in HTML_ROWS],
              "<table><tr><td>Informe</td></tr></table>")),
        ("sales__html", page(("Date", "Store", "SKU", "Qty"), HTML_ROWS)),
        ("sales__xls", spreadsheet_xml(("Date", "Store", "SKU", "Qty"),
                                       [(f"{d}T00:00:00.000", *row) for d, *row in HTML_ROWS])),
    ],
    ids=["HTML called xls", "Spanish, with a title", "HTML", "a spreadsheet's XML"],
)  # fmt: skip
def test_tables_of_markup_are_read_cell_by_cell(tmp_path, name, text):
    report, _, _ = tried(tmp_path, **{name: text})
    assert report.sums["sales.y"] == 400 * 435
    assert report.num_series == 4


def test_cells_over_several_rows_and_columns_stand_in_their_first(tmp_path):
    text = PAGE.format("", "<tr><td rowspan=2>a<br>b<td colspan=2>c</tr><tr><td>d<td>e</table>")
    out = tmp_path / "rows.csv"
    told = write_rows("x.html", lambda _: io.BytesIO(text.encode()), out)
    assert out.read_text() == "a b,c,\n,d,e\n"
    assert told == []


def test_a_page_without_a_table_says_so(tmp_path):
    with pytest.raises(InvalidInputError, match="a page without a table"):
        tried(tmp_path, sales__html="<html><body>Session expired</body></html>")


@pytest.mark.parametrize("end", ["orc", "feather"])
def test_files_of_columns_are_read_with_their_types(tmp_path, end):
    days = [pd.Timestamp(d).date() for d in DAYS for _ in KEYS]
    table = pa.table({
        "date": pa.array(days), "store": [s for _ in DAYS for _, s in KEYS],
        "sku": [k for _ in DAYS for k, _ in KEYS], "qty": pa.array(range(120), pa.int32()),
    })  # fmt: skip
    file = tmp_path / f"x.{end}"
    orc.write_table(table, str(file)) if end == "orc" else feather.write_feather(table, str(file))
    report, _, _ = tried(tmp_path, **{f"sales__{end}": file.read_bytes()})
    assert report.sums["sales.y"] == sum(range(120))


def test_a_damaged_orc_is_told_with_what_to_do(tmp_path):
    with pytest.raises(InvalidInputError, match="sales.orc cannot be read: .* write it as CSV"):
        tried(tmp_path, sales__orc=b"ORC\x00nothing")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("sales__avro", b"Obj\x01", "write it as CSV or parquet"),
        ("867__edi", b"ISA*00*", "have its messages written as CSV"),
        ("867__txt", b"ISA*00*          *00*~GS*PT*S*R~\n", "a message of EDI"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path, name, content, what):
    with pytest.raises(InvalidInputError, match=what):
        tried(tmp_path, **{name: content})


def test_days_of_the_islamic_calendar_are_refused_with_what_to_do(tmp_path):
    rows = [f"1446/{n // 29 + 1:02d}/{n % 29 + 1:02d};A;{n}" for n in range(60)]
    with pytest.raises(InvalidInputError, match="date seems to hold days of the Islamic calendar"):
        tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))


def test_columns_below_a_rule_of_dashes_are_cut_there_on_every_page(tmp_path):
    head = [f"{'DATE':<11}{'STORE':<6}{'ITEM':<10}{'QTY':>6}",
            "-" * 10 + " " + "-" * 5 + " " + "-" * 9 + " " + "-" * 6]  # fmt: skip
    text = []
    for n, d in enumerate(DAYS):
        if n % 10 == 0:
            text += [f"SALES REPORT                 PAGE {n // 10 + 1}", "", *head]
        text += [f"{d:<11}{s:<6}{k + ' blue':<10}{n:>6}" for k, s in KEYS]
    report, panel, told = tried(tmp_path, sales__txt=lines(*text, "", "120 rows selected."))
    assert report.sums["sales.y"] == 4 * 435
    assert sorted(panel.series["product"].unique()) == ["A1 blue", "B2 blue"]
    assert "2 repeated headers and 4 titles or remarks are not read" in told


def test_rows_without_a_date_are_left_out_where_they_are_sums_and_told_where_they_are_none(
    tmp_path,
):
    months = [f"{m:%m.%Y}" for m in MONTHS]
    rows = [f"{k};{m};{n}" for k in "AB" for n, m in enumerate(months, 1)]
    sums = ["A;;300", "B;;300", ";;600"]
    report, _, told = tried(tmp_path, s__csv=lines("Material;Monat;Absatz", *rows, *sums))
    assert report.sums["sales.y"] == 600
    assert "3 rows of s have no Monat and are the sums of the others" in told


def test_another_number_without_a_date_is_no_sum(tmp_path):
    rows = [f"{k};{m:%m.%Y};{n}" for k in "ABCDEF" for n, m in enumerate(MONTHS, 1)]
    report, _, told = tried(tmp_path, s__csv=lines("Material;Monat;Absatz", *rows, "A;;301"))
    assert report.sums["sales.y"] == 1800
    assert "ds is empty" in told


def test_hours_add_up_to_their_day(tmp_path):
    rows = [f"{d},S1,{k},{n},{n},1,0" for n, d in enumerate(DAYS, 1) for k in "AB"]
    text = lines("Date,Shop,PLU,08:00,09:00,10:00,11:00", *rows)
    report, _, told = tried(tmp_path, hourly__csv=text)
    assert report.sums["sales.y"] == 2 * (2 * 465 + 30)
    assert "each of 4 hours (08:00 …): they are added up to the day" in told


def test_weekdays_of_a_year_and_a_week_are_days(tmp_path):
    mondays = pd.date_range("2024-12-02", periods=8, freq="W-MON")
    rows = [f"{m.isocalendar()[0]};{m.isocalendar()[1]};A;" + ";".join(
        str(7 * n + d) for d in range(1, 8)) for n, m in enumerate(mondays)]  # fmt: skip
    _, panel, _ = tried(tmp_path, plan__csv=lines("Jahr;KW;Artikel;Mo;Di;Mi;Do;Fr;Sa;So", *rows))
    assert panel.y.tolist() == [list(range(1, 57))]
    assert f"{panel.timeline.start:%Y-%m-%d}" == "2024-12-02"


def test_items_in_one_cell_are_a_row_each(tmp_path):
    rows = [f'{d},{n},North,"{n}x Croissant; 2 x Rye, sliced",9.5' for n, d in enumerate(DAYS, 1)]
    text = lines("Order date,Order ID,Store,Items,Total EUR", *rows)
    report, panel, told = tried(tmp_path, orders__csv=text)
    assert sorted(panel.series["product"]) == ["Croissant", "Rye, sliced"]
    assert report.sums["sales.y"] == 465 + 60
    assert "a row is read for each, with the number before its x" in told


def test_cases_and_single_pieces_are_one_number_where_a_column_says_what_is_in_a_case(tmp_path):
    rows = [f"{d},A,{n},3,6" for n, d in enumerate(DAYS, 1)]
    head = "Date,SKU,Case Qty,Single Qty,Case Size"
    report, _, told = tried(tmp_path, sales__csv=lines(head, *rows))
    assert report.sums["sales.y"] == 6 * 465 + 90
    assert "Case Qty times Case Size and Single Qty of sales are added up" in told


def test_what_came_back_of_a_delivery_was_not_sold(tmp_path):
    rows = [f"{d};S1;A;{n + 4};4" for n, d in enumerate(DAYS, 1)]
    head = "Datum;Filiale;Artikel;Liefermenge;Retoure"
    report, _, told = tried(tmp_path, sales__csv=lines(head, *rows))
    assert report.sums["sales.y"] == 465
    assert "Retoure of sales is taken off Liefermenge" in told


def test_a_return_on_the_day_of_a_sale_is_no_second_row_of_it(tmp_path):
    rows = [f"{d};{k};{n}" for n, d in enumerate(DAYS, 1) for k in "ABCDEF"]
    report, panel, _ = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows, f"{DAYS[9]};A;-4"))
    assert sold(panel)[("A", "01-10")] == 6
    assert report.sums["sales.y"] == 6 * 465 - 4


def test_lost_sales_beside_what_was_used_are_not_it(tmp_path):
    rows = [f"{d};A;{n};1" for n, d in enumerate(DAYS, 1)]
    report, _, _ = tried(tmp_path, usage__csv=lines("Date;Part;Usage;Lost Sales", *rows))
    assert report.sums["sales.y"] == 465


def test_receipts_of_orders_are_not_sold_and_sales_receipts_are(tmp_path):
    rows = [f"{d};Sales Receipt;A;{n}" for n, d in enumerate(DAYS, 1)]
    rows += [f"{DAYS[3]};PO Receipt;A;900", f"{DAYS[4]};Miscellaneous issue;A;7"]
    head = "Date;Transaction Type;Item;Quantity"
    report, _, told = tried(tmp_path, moves__csv=lines(head, *rows))
    assert report.sums["sales.y"] == 465
    assert "Transaction Type is" in told


def test_withdrawals_are_sold_and_receipts_are_not(tmp_path):
    rows = [f"{d};Entnahme;A;{n}" for n, d in enumerate(DAYS, 1)]
    rows += [f"{DAYS[3]};Wareneingang;A;900"]
    head = "Buchungsdatum;Bewegungsart;Teilenummer;Menge"
    report, _, _ = tried(tmp_path, moves__csv=lines(head, *rows))
    assert report.sums["sales.y"] == 465


@pytest.mark.parametrize(
    ("head", "date", "encoding"),
    [
        ("Dátum;Bolt;Cikkszám;Mennyiség", "%Y.%m.%d.", "cp1250"),
        ("Datum;Prodejna;Kód zboží;Množství", "%d. %m. %Y", "cp1250"),
        ("Data;Magazin;Cod produs;Cantitate", "%d.%m.%Y", "utf-8"),
        ("Tanggal;Toko;Kode Barang;Jumlah", "%d/%m/%Y", "utf-8"),
        ("Ngày;Cửa hàng;Mã hàng;Số lượng", "%d/%m/%Y", "utf-8"),
        ("Datum;Prodavaonica;Šifra artikla;Količina", "%d.%m.%Y.", "cp1250"),
        ("Päivämäärä;Myymälä;Tuotenumero;Määrä", "%d.%m.%Y", "utf-8"),
    ],
    ids=["Hungarian", "Czech", "Romanian", "Indonesian", "Vietnamese", "Croatian", "Finnish"],
)
def test_headers_and_dates_of_further_languages(tmp_path, head, date, encoding):
    days = [f"{pd.Timestamp(d):{date}}" for d in DAYS]
    rows = [f"{d};{s};{k};{n}" for n, d in enumerate(days, 1) for k, s in KEYS]
    report, panel, _ = tried(tmp_path, sales__csv=lines(head, *rows).encode(encoding))
    assert (report.first, report.last) == ("2024-01-01", "2024-01-30")
    assert report.sums["sales.y"] == 4 * 465
    assert sorted(panel.series["location"].unique()) == ["S1", "S2"]


def test_nodes_within_edges_are_lists_of_lines(tmp_path):
    nodes = ",".join(
        f'{{"node": {{"name": "#{n}", "createdAt": "{d}", "lineItems": {{"edges": '
        f'[{{"node": {{"sku": "A", "quantity": {n}}}}}, {{"node": {{"sku": "B", "quantity": 1}}}}'
        f"]}}}}}}"
        for n, d in enumerate(DAYS, 1)
    )
    text = f'{{"data": {{"orders": {{"edges": [{nodes}]}}}}}}'
    report, _, _ = tried(tmp_path, orders__json=text)
    assert report.sums["sales.y"] == 495
    assert np.isclose(report.num_series, 2)
