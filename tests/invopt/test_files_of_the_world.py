"""Other scripts, calendars, quotes and wrappers: read to the unit, or refused in a sentence."""

import json

import openpyxl
import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.legacy_text import legacy_encoding
from tests.invopt.test_odd_exports import DAYS, UNITS, lines, sales_of, tried


def world(tmp_path, head, date=lambda d: d, write=str, encoding="utf-8", sep=","):
    """Return what was read of a row a day and product, in two places."""
    rows = [
        sep.join([date(d), s, k, write(n)])
        for n, d in enumerate(DAYS, start=1)
        for k in ("A1", "B2")
        for s in ("S1", "S2")
    ]
    return tried(tmp_path, sales__csv=lines(sep.join(head), *rows).encode(encoding))


def dotted(day):
    return f"{day[8:]}.{day[5:7]}.{day[:4]}"


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (("日期", "门店", "商品编码", "销售数量"), "utf-8-sig"),
        (("销售日期", "门店名称", "货号", "数量"), "gb18030"),
        (("売上日", "店舗コード", "商品コード", "数量"), "cp932"),
        (("판매일자", "매장", "상품코드", "판매수량"), "euc_kr"),
        (("日期", "門市", "商品編號", "數量"), "utf-8"),
        (("Дата", "Магазин", "Артикул", "Количество"), "cp1251"),
        (("Дата", "Склад", "Код товару", "Кількість"), "utf-8"),
        (("التاريخ", "الفرع", "رمز الصنف", "الكمية"), "cp1256"),
        (("תאריך", "סניף", 'מק"ט', "כמות"), "utf-8"),
        (("Ημερομηνία", "Κατάστημα", "Κωδικός είδους", "Ποσότητα"), "cp1253"),
        (("วันที่", "สาขา", "รหัสสินค้า", "จำนวน"), "utf-8"),
        (("تاریخ", "شعبه", "کد کالا", "تعداد"), "utf-8"),
    ],
    ids=["Chinese", "GBK", "Japanese", "Korean", "Taiwan", "Russian", "Ukrainian", "Arabic",
         "Hebrew", "Greek", "Thai", "Persian"],
)  # fmt: skip
def test_headers_in_other_scripts_say_what_columns_are(tmp_path, head, encoding):
    report, panel, _ = world(tmp_path, head, encoding=encoding)
    assert report.sums["sales.y"] == 2 * UNITS
    assert report.num_series == 4
    assert sorted(panel.series["location"].unique()) == ["S1", "S2"]


@pytest.mark.parametrize(
    ("word", "date"),
    [
        ("日付", lambda d: f"令和{int(d[:4]) - 2018}年{int(d[5:7])}月{int(d[8:])}日"),
        ("日付", lambda d: f"R{int(d[:4]) - 2018:02d}.{d[5:7]}.{d[8:]}"),
        ("日期", lambda d: f"{d[:4]}年{int(d[5:7])}月{int(d[8:])}日"),
        ("날짜", lambda d: f"{d[:4]}년 {int(d[5:7])}월 {int(d[8:])}일"),
        ("date", lambda d: f"{int(d[:4]) + 543}{d[4:]}"),
        ("วันที่", lambda d: f"{d[8:]}/{d[5:7]}/{int(d[:4]) + 543}"),
        ("date", lambda d: d.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))),
        ("تاریخ", lambda d: f"1402/{10 + (int(d[8:]) > 20)}/{(int(d[8:]) + 9) % 30 + 1:02d}"),
    ],
    ids=["Reiwa", "R6", "Chinese", "Korean", "Buddha", "Thai", "Arabic figures", "Persian"],
)
def test_years_and_figures_of_other_calendars_are_days_of_ours(tmp_path, word, date):
    rows = [f"{date(d)};A;{n}" for n, d in enumerate(DAYS, start=1)]
    report, panel, _ = tried(tmp_path, sales__csv=lines(f"{word};sku;qty", *rows))
    assert (report.first, report.last) == ("2024-01-01", "2024-01-30")
    assert panel.y.tolist() == [list(range(1, 31))]


def test_the_29th_of_february_of_a_buddhist_year_is_a_day(tmp_path):
    days = pd.date_range("2024-02-15", periods=30)
    rows = [f"{d:%d/%m}/{d.year + 543};A;2" for d in days]
    report, _, _ = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert report.sums["sales.y"] == 60
    assert (report.first, report.last) == ("2024-02-15", "2024-03-15")


def test_figures_of_other_scripts_are_numbers(tmp_path):
    figures = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    head = ("التاريخ", "الفرع", "الصنف", "الكمية")
    report, _, _ = world(tmp_path, head, write=lambda n: str(n).translate(figures))
    assert report.sums["sales.y"] == 2 * UNITS


@pytest.mark.parametrize(
    "text", ["Menge;Größe;Straße;Müller;Äpfel;Köln", "Prix unité;été;Référence;Désignation",
             "Año;Artículo;Código;Descripción", "Stück;5 €;“x”"],
)  # fmt: skip
def test_a_western_text_is_taken_for_no_other_script(text):
    assert legacy_encoding(f"{text}\n".encode("cp1252")) == "cp1252"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (lines("'date';'sku';'name';'qty'",
               *(f"'{d}';'{k}';'Cup; blue';'{n}'" for n, d in enumerate(DAYS, 1) for k in "AB")),
         "sales__csv"),
        (lines('"date,sku,qty"', *(f'"{d},{k},{n}"' for n, d in enumerate(DAYS, 1) for k in "AB")),
         "sales__csv"),
        (lines("date\tsku\tqty", *(f"{d}\t{k}\t{n}" for n, d in enumerate(DAYS, 1) for k in "AB")),
         "sales__xls"),
        (lines('"date";"sku";"qty"',
               *(f'"{d}";"{k}";"{n}"' for n, d in enumerate(DAYS, 1) for k in "AB")), "sales__csv"),
    ],
    ids=["apostrophes around cells", "quotes around lines", "text called .xls", "quotes"],
)  # fmt: skip
def test_quotes_of_every_kind_are_taken_off(tmp_path, text, name):
    report, _, _ = tried(tmp_path, **{name: text})
    assert report.sums["sales.y"] == UNITS
    assert report.num_series == 2


ROWS = [{"date": d, "sku": k, "qty": n} for n, d in enumerate(DAYS, 1) for k in "AB"]


@pytest.mark.parametrize(
    "value",
    [
        {"orders": ROWS, "next": None},
        {"meta": {"total": 60, "page": 1}, "data": ROWS},
        {"d": {"results": ROWS}},
        {"data": {"orders": {"edges": [{"node": row, "cursor": "x"} for row in ROWS]}}},
        {name: [row[name] for row in ROWS] for name in ("date", "sku", "qty")},
    ],
    ids=["wrapped", "meta", "odata", "graphql", "columns"],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_rows_within_an_object_of_json_are_rows(tmp_path, value, indent):
    report, _, _ = tried(tmp_path, sales__json=json.dumps(value, indent=indent))
    assert report.sums["sales.y"] == UNITS
    assert sales_of(report).rows_used == 60


def test_one_order_of_json_is_no_wrapper(tmp_path):
    rows = [json.dumps(row) for row in ROWS]
    report, _, _ = tried(tmp_path, sales__jsonl="\n".join(rows))
    assert report.sums["sales.y"] == UNITS


def test_merged_cells_of_a_shop_and_an_article_are_filled(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Filiale", "Artikel", "Datum", "Menge"])
    for shop in ("S1", "S2"):
        for article in ("A", "B"):
            for n, day in enumerate(DAYS, start=1):
                first = n == 1
                named = [shop if first else None, article if first else None]
                book.active.append([*named, pd.Timestamp(day).to_pydatetime(), n])
    (tmp_path / "data").mkdir()
    book.save(tmp_path / "data" / "absatz.xlsx")
    report, _, told = tried(tmp_path)
    assert report.sums["sales.y"] == 2 * UNITS
    assert report.num_series == 4
    assert "on the first of several lines only" in told


def test_days_of_a_workbook_that_are_numbers_here_and_dates_there(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Date", "Item", "Qty"])
    for n, day in enumerate(DAYS, start=1):
        at = pd.Timestamp(day)
        serial = (at - pd.Timestamp("1899-12-30")).days
        book.active.append([serial if n % 2 else at.to_pydatetime(), "A", n])
    (tmp_path / "data").mkdir()
    book.save(tmp_path / "data" / "sales.xlsx")
    report, panel, _ = tried(tmp_path)
    assert panel.y.tolist() == [list(range(1, 31))]
    assert (report.first, report.last) == ("2024-01-01", "2024-01-30")


@pytest.mark.parametrize("form", ["{d.month}/{d.day}/{d.year}", "{d.day}/{d.month}/{d.year}",
                                  "{d:%d.%m.%y}", "{d:%m/%d/%y}"])  # fmt: skip
def test_days_as_columns_are_read_by_the_form_that_all_have(tmp_path, form):
    days = [form.format(d=pd.Timestamp(d)) for d in DAYS]
    text = lines(
        "Item;" + ";".join(days), *(f"{k};" + ";".join(map(str, range(1, 31))) for k in "AB")
    )
    report, _, _ = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert (report.first, report.last) == ("2024-01-01", "2024-01-30")


@pytest.mark.parametrize("head", ["WM Week", "Fiscal Week", "Retail Week"])
def test_weeks_of_a_retail_year_are_no_weeks_of_the_calendar(tmp_path, head):
    rows = [f"2025{w:02d};A;{w}" for w in range(1, 53)]
    text = lines(f"{head};Item;POS Qty", *rows)
    with pytest.raises(InvalidInputError, match="fiscal or retail calendar"):
        tried(tmp_path, sales__csv=text)


def test_weeks_of_a_retail_year_are_read_where_a_file_says_their_days(tmp_path):
    first = pd.Timestamp("2025-02-01")
    weeks = [first + pd.Timedelta(weeks=n) for n in range(52)]
    text = lines("WM Week;Item;POS Qty", *(f"2025{n:02d};A;{n}" for n in range(1, 53)))
    calendar = lines(
        "WM Week;Week Begin", *(f"2025{n:02d};{d:%Y-%m-%d}" for n, d in enumerate(weeks, start=1))
    )
    report, panel, _ = tried(tmp_path, sales__csv=text, wm_calendar__csv=calendar)
    assert (report.frequency, report.first) == ("W-SAT", "2025-02-01")
    assert panel.y.tolist() == [list(range(1, 53))]


def test_months_of_russia_are_read(tmp_path):
    rows = [f"{int(d[8:])} января 2024 г.;A;{n}" for n, d in enumerate(DAYS, start=1)]
    report, panel, _ = tried(tmp_path, sales__csv=lines("Дата;Артикул;Количество", *rows))
    assert panel.y.tolist() == [list(range(1, 31))]
    assert report.first == "2024-01-01"


@pytest.mark.parametrize("head", ["Units (000s)", "Absatz in Tsd.", "Qty (thousands)"])
def test_a_name_that_says_thousands_is_believed_and_told(tmp_path, head):
    rows = [f"{d};A;{n}" for n, d in enumerate(DAYS, start=1)]
    report, _, told = tried(tmp_path, sales__csv=lines(f"date;sku;{head}", *rows))
    assert report.sums["sales.y"] == 465_000
    assert "is read as thousands, as its name says" in told


@pytest.mark.parametrize("head", ["qty_000", "Units 2000", "Qty (th)"])
def test_figures_in_a_name_are_no_thousands_unless_they_stand_alone(tmp_path, head):
    rows = [f"{d};A;{n}" for n, d in enumerate(DAYS, start=1)]
    report, _, _ = tried(tmp_path, sales__csv=lines(f"date;sku;{head}", *rows))
    assert report.sums["sales.y"] == 465 * (1000 if "(th)" in head else 1)


def test_units_that_never_fall_are_told_as_running_totals(tmp_path):
    rows = [f"{d};{k};{10 * n}" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    _, _, told = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert "check-data will say: running of sales is 0 against 0.05" in told


def test_sums_of_days_between_the_lines_are_left_out(tmp_path):
    rows = []
    for n, d in enumerate(DAYS, start=1):
        rows += [f"{dotted(d)};{k};{n}" for k in "ABC"] + [f"Summe {dotted(d)};;{3 * n}"]
    report, _, _ = tried(tmp_path, kasse__csv=lines("Datum;Artikel;Menge", *rows))
    assert report.sums["sales.y"] == 3 * 465
    assert sales_of(report).bad == 0


def test_a_first_line_about_the_export_is_no_header(tmp_path):
    rows = [f"{d};{k};{n}" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    text = lines("EXTF;700;21;Umsätze;12;demo", "date;sku;qty", *rows)
    report, _, told = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert "1 lines above the header are not read" in told


def test_blanks_in_a_tenth_of_the_quantities_are_not_known_and_no_fault(tmp_path):
    rows = [f"{d};A;{'' if n % 10 == 0 else n}" for n, d in enumerate(DAYS, start=1)]
    report, _, _ = tried(tmp_path, sales__csv=lines("date;sku;qty", *rows))
    assert report.sums["sales.y"] == 465 - 60
    assert (sales_of(report).quarantined, sales_of(report).bad) == ({"y is empty": 3}, 0)


def test_a_header_with_a_delimiter_too_many_stays_the_header(tmp_path):
    rows = [f"{d};{k};{n} Stk" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    report, _, _ = tried(tmp_path, sales__csv=lines("date;sku;qty;", *rows))
    assert report.sums["sales.y"] == UNITS
