"""Files of further trades and systems: each through init-mapping, units counted again."""

import io
import json

import openpyxl
import pandas as pd
import pytest

from tests.invopt.test_account import sold
from tests.invopt.test_odd_exports import DAYS, daily, lines, sales_of, tried

UNITS = 2 * sum(range(1, 31))


def rows_of(kinds, header):
    """Return a file with a row a day, product and kind of line: (word, units of a day)."""
    rows = [
        f"{day};{k};{word};{units(n)}"
        for n, day in enumerate(DAYS, start=1)
        for k in ("A", "B")
        for word, units in kinds
        if units(n)
    ]
    return lines(header, *rows)


@pytest.mark.parametrize(
    ("header", "kinds", "units"),
    [
        pytest.param(
            "Buch.dat.;Material;Bewegungsart;Menge",
            [("633", lambda n: -n), ("631", lambda n: -10), ("632", lambda n: 4 * (n == 3)),
             ("634", lambda n: int(n == 5))], UNITS - 2, id="consignment"),
        pytest.param(
            "Buch.dat.;Material;Bewegungsart;Menge",
            [("601", lambda n: n), ("651", lambda n: int(n == 5)), ("652", lambda n: int(n == 6))],
            UNITS, id="customers' returns and what reverses them"),
        pytest.param(
            "date;EAN;QuantityQualifier;Quantity",
            [("153", lambda n: n), ("145", lambda n: 40), ("61", lambda n: int(n == 5))],
            UNITS - 2, id="EDIFACT"),
        pytest.param(
            "TRANSACTION_DATE;SEGMENT1;TRANSACTION_TYPE_NAME;TRANSACTION_QUANTITY",
            [("Sales order issue", lambda n: -n), ("RMA Receipt", lambda n: int(n == 5)),
             ("WIP Completion", lambda n: 12), ("PO Receipt", lambda n: 30)],
            UNITS - 2, id="Oracle"),
        pytest.param(
            "DatePhysical;ItemId;StatusIssue;Qty",
            [("Sold", lambda n: -n), ("On order", lambda n: -3), ("Reserved", lambda n: -2),
             ("Deducted", lambda n: -1)], UNITS + 60, id="Dynamics"),
        pytest.param(
            "Order Date;Product Code;Status;Quantity",
            [("Completed", lambda n: n), ("Parked", lambda n: 2), ("Deleted", lambda n: 3)],
            UNITS, id="parked orders"),
        pytest.param(
            "CreationDate;Material;SalesDocumentRjcnReason;RequestedQuantity",
            [("", lambda n: n), ("61", lambda n: 5 * (n % 5 == 0))], UNITS, id="rejected items"),
        pytest.param(
            "dt-emis-nota;it-codigo;especie;qt-faturada",
            [("VENDA", lambda n: n), ("DEVOLUÇÃO", lambda n: int(n == 5))], UNITS - 2, id="TOTVS"),
        pytest.param(
            "订单创建时间;商家编码;订单状态;购买数量",
            [("交易成功", lambda n: n), ("交易关闭", lambda n: 2), ("等待买家付款", lambda n: 1)],
            UNITS, id="Tmall"),
        pytest.param(
            "tran_dttm;sku;tran_type;qty",
            [("PICK", lambda n: n), ("PUTAWAY", lambda n: 40), ("REPL", lambda n: 12),
             ("CYCCNT", lambda n: 33 * (n == 9)), ("RCPT", lambda n: 40)],
            UNITS, id="a warehouse's transactions"),
        pytest.param(
            "Ημερομηνία;Κωδικός;Τύπος;Ποσότητα",
            [("Πώληση", lambda n: n), ("Επιστροφή", lambda n: int(n == 5))], UNITS - 2, id="Greek"),
        pytest.param(
            "tarih;Malzeme Kodu;Fiş Türü;Miktar",
            [("Satış İrsaliyesi", lambda n: n), ("Satış İade İrsaliyesi", lambda n: n // 30)],
            UNITS - 2, id="Logo"),
    ],
)  # fmt: skip
def test_lines_that_are_no_sales_are_left_out_and_returns_count_below_zero(
    tmp_path, header, kinds, units
):
    report, panel, _ = tried(tmp_path, export__csv=rows_of(kinds, header))
    assert panel.y.sum() == units
    assert list(panel.unique_ids) == ["A", "B"]
    assert (report.first, report.last) == (DAYS[0], DAYS[-1])


def test_quantities_in_the_base_unit_are_what_was_sold(tmp_path):
    rows = []
    for n, day in enumerate(DAYS, start=1):
        per = 12 if n % 3 == 0 else 1
        rows.append(f"Item;{day};A;{n};{per};{n * per};{9 * n * per}")
        rows.append(f"Charge;{day};A;1;1;0;15")
    head = "Type;Posting Date;No.;Quantity;Qty. per UoM;Quantity (Base);Line Amount"
    _, panel, told = tried(tmp_path, lines__csv=lines(head, *rows))
    assert panel.y.sum() == sum(n * (12 if n % 3 == 0 else 1) for n in range(1, 31))
    assert "sold is read from Quantity (Base)" in told


def test_units_without_promotions_are_not_what_was_sold(tmp_path):
    text = daily(
        lambda d, k, n: f"{d};{k};{2 * n};{n}", header="date;upc;Unit Sales;Base Unit Sales"
    )
    _, panel, _ = tried(tmp_path, panel__csv=text)
    assert panel.y.sum() == 2 * UNITS


def test_pieces_within_a_word_are_read_before_money_and_units_below_names_are_no_row(tmp_path):
    text = daily(
        lambda d, k, n: f"{d};{k};{n};{n * 2},50", header="Datum;Artikel;Absatzmenge;Umsatz"
    )
    units_below = "[TT.MM.JJJJ];[-];[Stk];[EUR]\n"
    head, rest = text.split("\n", 1)
    report, panel, _ = tried(tmp_path, absatz__csv=f"{head}\n{units_below}{rest}")
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_used == sales_of(report).rows_in == 60


@pytest.mark.parametrize(
    ("late", "first"),
    [("23:30:00+11:00", "2024-01-01"), ("23:30:00 -0500", "2024-01-01"), ("07:30:00+10:00", None)],
)
def test_stamps_of_a_shop_count_on_the_day_that_they_write(tmp_path, late, first):
    text = daily(lambda d, k, n: f"{d} {late};{k};{n}", header="created_at;sku;quantity")
    report, panel, told = tried(tmp_path, orders__csv=text)
    assert (report.first, report.last) == (first or DAYS[0], DAYS[-1])
    assert sold(panel)["A", "01-05"] == 5
    assert "each row is of the day that it writes there" in told


def test_stamps_of_utc_are_told_to_be_so(tmp_path):
    text = daily(lambda d, k, n: f"{d}T12:30:00Z;{k};{n}", header="created_at;sku;quantity")
    _, panel, told = tried(tmp_path, orders__csv=text)
    assert panel.y.sum() == UNITS
    assert "days are counted in UTC" in told


def outline(groups, months, *, below=False):
    """Return rows of groups, their sums above or below them, and units by (product, month)."""
    rows, units = [], {}
    for number, (group, items) in enumerate(groups.items()):
        own = []
        for k, item in enumerate(items):
            cells = [7 + (3 * m + 5 * k + number) % 11 for m in range(months)]
            own.append([item, *cells])
            units[item] = sum(cells)
        total = [group, *(sum(row[m + 1] for row in own) for m in range(months))]
        rows += [*own, total] if below else [total, *own]
    return rows, units


@pytest.mark.parametrize("below", [False, True])
def test_groups_of_an_outline_are_sums_of_their_products(tmp_path, below):
    groups = {
        "Coffee": ["Arabica", "Robusta"],
        "Tea": ["Green", "Black", "Oolong"],
        "Cups": ["Mug"],
    }
    rows, units = outline(groups, 14, below=below)
    months = [f"{m:%Y-%m}" for m in pd.date_range("2024-01-01", periods=14, freq="MS")]
    text = lines(",".join(["Product", *months]), *(",".join(map(str, row)) for row in rows))
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert dict(zip(panel.unique_ids, panel.y.sum(axis=1), strict=True)) == units
    assert "whose Product is Coffee, Cups, Tea are left out as sums" in told


def test_products_that_happen_to_add_up_are_no_group(tmp_path):
    months = [f"{m:%Y-%m}" for m in pd.date_range("2024-01-01", periods=14, freq="MS")]
    cells = {k: [5 + (m * (k + 2)) % (7 + k) for m in range(14)] for k in range(8)}
    cells[3] = [a + b for a, b in zip(cells[4], cells[5], strict=True)]
    rows = [",".join(map(str, [f"P{k}", *row])) for k, row in cells.items()]
    _, panel, _ = tried(tmp_path, sales__csv=lines(",".join(["Product", *months]), *rows))
    assert panel.num_series == len(cells)


def test_columns_of_half_hours_add_up_to_the_day(tmp_path):
    times = [f"{h:02d}:{m}" for h in range(9, 13) for m in ("00", "30")]
    text = daily(
        lambda d, k, n: f"{d};{k};" + ";".join([str(n)] * len(times)),
        header=f"Date;Item;{';'.join(times)}",
    )
    _, panel, told = tried(tmp_path, till__csv=text)
    assert panel.y.sum() == 8 * UNITS
    assert "each of 8 parts of hours (09:00 …)" in told


def pages(orders, size):
    """Return files of orders, each beginning with the last order of the one before."""
    starts = range(0, len(orders), size - 1)
    return {
        f"orders_{n}__json": json.dumps({"data": orders[at : at + size], "meta": {"page": n}})
        for n, at in enumerate(starts, start=1)
    }


def test_products_within_lines_are_columns_and_an_order_on_two_pages_is_read_once(tmp_path):
    orders = [
        {"id": n, "created_at": f"{day}T09:00:00Z", "lines": [
            {"product": {"sku": k, "title": f"Mug {k}"}, "quantity": n} for k in ("A", "B")]}
        for n, day in enumerate(DAYS, start=1)
    ]  # fmt: skip
    report, panel, told = tried(tmp_path, **pages(orders, 10))
    assert (list(panel.unique_ids), panel.y.sum()) == (["A", "B"], UNITS)
    assert sales_of(report).rows_in == sales_of(report).rows_used + 6
    assert "3 orders are in two of the files, word for word" in told


def test_objects_of_counts_are_a_row_for_each_product(tmp_path):
    orders = [
        json.dumps({"order": n, "date": day, "items": {"A": n, "B": n} if n % 2 else {"A": n}})
        for n, day in enumerate(DAYS, start=1)
    ]
    _, panel, _ = tried(tmp_path, orders__jsonl="\n".join(orders))
    assert list(panel.unique_ids) == ["A", "B"]
    assert panel.y.sum(axis=1).tolist() == [465, 225]


@pytest.mark.parametrize(
    "months",
    [
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad "
        "grudzień",
        "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık",
        "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec",
        "január február március április május június július augusztus szeptember október november "
        "december",
        "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie "
        "decembrie",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
        "Ιανουάριος Φεβρουάριος Μάρτιος Απρίλιος Μάιος Ιούνιος Ιούλιος Αύγουστος Σεπτέμβριος "
        "Οκτώβριος Νοέμβριος Δεκέμβριος",
        "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
    ],
)
@pytest.mark.parametrize("is_wide", [True, False])
def test_months_are_read_in_many_languages(tmp_path, months, is_wide):
    names = [f"{month} {year}" for year in (2024, 2025) for month in months.split()][:18]
    if is_wide:
        rows = [",".join([k, *(str(n) for n in range(1, 19))]) for k in ("A", "B")]
        text = lines(",".join(["sku", *names]), *rows)
    else:
        rows = [f"{name},{k},{n}" for n, name in enumerate(names, start=1) for k in ("A", "B")]
        text = lines("month,sku,quantity", *rows)
    report, panel, _ = tried(tmp_path, sales__csv=text)
    assert (report.frequency, report.first, report.last) == ("MS", "2024-01-01", "2025-06-01")
    assert panel.y.tolist() == 2 * [list(range(1, 19))]


@pytest.mark.parametrize(
    ("written", "column"),
    [("{d} de janeiro de 2024 14:33 hs.", "Data da venda"), ("{d} sty 2024, 14:33", "Data zakupu")],
)
def test_days_with_months_in_words_and_a_time_are_read(tmp_path, written, column):
    text = daily(
        lambda d, k, n: f'"{written.format(d=int(d[-2:]))}";{k};{n}',
        header=f"{column};SKU;Unidades",
    )
    report, panel, _ = tried(tmp_path, vendas__csv=text)
    assert (report.first, panel.y.sum()) == (DAYS[0], UNITS)


def test_months_that_come_back_once_a_year_are_no_periods(tmp_path):
    head = "sku,date,quantity," + ",".join(f"Out {y}" for y in range(2020, 2024))
    rows = [f"{k},{day},{n},1,2,3,4" for n, day in enumerate(DAYS, start=1) for k in ("A", "B")]
    _, panel, _ = tried(tmp_path, sales__csv=lines(head, *rows))
    assert panel.y.sum() == UNITS


def test_weeks_of_a_calendar_in_another_file_are_its_days(tmp_path):
    weeks = pd.date_range("2025-02-02", periods=20, freq="7D")
    names = [f"FY25W{n:02d}" for n in range(1, 21)]
    wide = lines(
        ",".join(["style", "store", *names]),
        *(",".join([k, "01", *(str(n) for n in range(1, 21))]) for k in ("A", "B")),
    )
    days = lines(
        "fiscal_week,week_end,week_start",
        *(f"{name},{w + pd.Timedelta(days=6):%Y-%m-%d},{w:%Y-%m-%d}"
          for name, w in zip(names, weeks, strict=True)),
    )  # fmt: skip
    report, panel, told = tried(tmp_path, units__csv=wide, fiscal__csv=days)
    assert (report.frequency, report.first) == ("W-SUN", "2025-02-02")
    assert panel.y.tolist() == 2 * [list(range(1, 21))]
    assert "has a column for each fiscal_week of fiscal.csv" in told


def test_months_with_years_of_two_figures_are_read_by_their_order(tmp_path):
    months = pd.date_range("2024-01-01", periods=18, freq="MS")
    head = ["Part No", "On Hand", "Max", *(f"Dem {m:%y%m}" for m in months)]
    rows = [",".join(map(str, [k, 9, 30, *range(1, 19)])) for k in ("A", "B")]
    report, panel, _ = tried(tmp_path, parts__csv=lines(",".join(head), *rows))
    assert (report.frequency, report.first) == ("MS", "2024-01-01")
    assert panel.y.tolist() == 2 * [list(range(1, 19))]


def test_this_year_is_read_beside_the_last(tmp_path):
    weeks = pd.date_range("2025-01-06", periods=16, freq="7D")
    names = [f"{w:%d-%b-%y} {year}" for w in weeks for year in ("TY", "LY")]
    cells = [str(n + 100 * (year == "LY")) for n in range(1, 17) for year in ("TY", "LY")]
    text = lines(",".join(["SKU", *names]), *(",".join([k, *cells]) for k in ("A", "B")))
    _, panel, _ = tried(tmp_path, plan__csv=text)
    assert panel.y.tolist() == 2 * [list(range(1, 17))]


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%Y%m%d", "%-m-%-d-%Y"])
@pytest.mark.parametrize("sign", ["_", "_to_"])
def test_files_named_from_a_day_to_another_are_of_the_first(tmp_path, written, sign):
    files = {}
    for n, week in enumerate(pd.date_range("2025-01-05", periods=14, freq="7D"), start=1):
        last = week + pd.Timedelta(days=6)
        title = f'"View By=[ASIN]","Viewing Range=[{week:%m/%d/%y} - {last:%m/%d/%y}]"'
        head = "ASIN,Product Title,Ordered Revenue,Ordered Units"
        rows = [f"{k},Mug {k},{9 * n}.50,{n}" for k in ("A", "B")]
        name = f"Sales_{week:{written}}{sign}{last:{written}}__csv"
        files[name] = f"{title}\n{lines(head, *rows)}"
    report, panel, _ = tried(tmp_path, **files)
    assert (report.frequency, report.first) == ("W-SUN", "2025-01-05")
    assert panel.y.tolist() == 2 * [list(range(1, 15))]


def test_months_above_several_measures_in_another_script_are_read(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    months = ["Январь 2025 г.", "Февраль 2025 г.", "Март 2025 г.", "Апрель 2025 г."] + [
        f"{m} 2025 г." for m in ("Май", "Июнь", "Июль", "Август", "Сентябрь", "Октябрь", "Ноябрь",
                                 "Декабрь")
    ]  # fmt: skip
    heads = [cell for month in months for cell in (month, None)]
    sheet.append(["Номенклатура", *heads])
    sheet.append([None, *["Количество", "Сумма"] * 12])
    units = {
        "Чай": [12 + 2 * m for m in range(12)],
        "Чай зелёный": [5 + m for m in range(12)],
        "Чай чёрный": [7 + m for m in range(12)],
    }
    for name, row in units.items():
        sheet.append([name, *(cell for n in row for cell in (n, 450 * n))])
    held = io.BytesIO()
    book.save(held)
    _, panel, _ = tried(tmp_path, report__xlsx=held.getvalue())
    assert list(panel.unique_ids) == ["Чай зелёный", "Чай чёрный"]
    assert panel.y.sum() == sum(12 + 2 * m for m in range(12))


def test_months_below_each_other_and_years_beside_each_other_are_read(tmp_path):
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows = [
        f"{k},{name},{n},{12 + n},{24 + n if n < 7 else ''}"
        for k in ("A", "B")
        for n, name in enumerate(names, start=1)
    ]
    text = lines("sku,Month,2023,2024,2025", *rows)
    report, panel, told = tried(tmp_path, usage__csv=text)
    assert (report.frequency, report.first, report.last) == ("MS", "2023-01-01", "2025-06-01")
    assert panel.y.tolist() == 2 * [list(range(1, 31))]
    assert "12 blank ones left out" in told


@pytest.mark.parametrize(
    ("title", "month"), [("Styczeń 2025", "Luty 2025"), ("2025-01", "2025-02"), ("01", "02")]
)
def test_days_of_a_month_as_columns_are_read(tmp_path, title, month):
    files, kept = {}, {}
    for name, days in ((title, 31), (month, 28)):
        head = ",".join(["Towar", *map(str, range(1, days + 1)), "Razem"])
        units = list(range(1, days + 1))
        rows = [",".join(map(str, [k, *units, sum(units)])) for k in ("A", "B")]
        kept[name] = lines(head, *rows)
        files[f"sprzedaz_2025-{name}__csv" if len(name) == 2 else f"sprzedaz {name}__csv"] = kept[
            name
        ]
    report, panel, _ = tried(tmp_path, **files)
    assert (report.first, report.last) == ("2025-01-01", "2025-02-28")
    assert panel.y.sum() == 2 * (496 + 406)
    assert sold(panel)["A", "02-28"] == 28


def test_days_of_the_months_of_sheets_are_read(tmp_path):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, days in (("Marzec 2025", 31), ("Kwiecień 2025", 30)):
        sheet = book.create_sheet(name)
        sheet.append(["Towar", *range(1, days + 1)])
        for k in ("A", "B"):
            sheet.append([k, *range(1, days + 1)])
    held = io.BytesIO()
    book.save(held)
    report, panel, _ = tried(tmp_path, sprzedaz__xlsx=held.getvalue())
    assert (report.first, report.last, panel.y.sum()) == ("2025-03-01", "2025-04-30", 2 * 961)


def test_a_description_names_the_product_where_nothing_else_does(tmp_path):
    text = daily(
        lambda d, k, n: f"{d};{n};Tube {k};{n};Main", header="Date;Sale;Description;Qty;Shop"
    )
    _, panel, told = tried(tmp_path, lines__csv=text)
    assert list(panel.unique_ids) == ["Tube A_Main", "Tube B_Main"]
    assert "Description names it" in told


def test_documents_of_jd_edwards_are_told_apart(tmp_path):
    kinds = [("RI", lambda n: -n), ("OV", lambda n: 40 * (n == 3)), ("IT", lambda n: -2)]
    text = rows_of(kinds, "ILTRDJ;ILITM;ILDCT;ILTRQT")
    for n, day in enumerate(DAYS, start=1):
        text = text.replace(day, str(124000 + n))
    report, panel, _ = tried(tmp_path, F4111__csv=text)
    assert (report.first, report.last, panel.y.sum()) == (DAYS[0], DAYS[-1], UNITS)


def test_lines_within_the_checks_of_orders_are_read(tmp_path):
    orders = [
        {"guid": f"g{n}", "openedDate": f"{day}T23:40:00-06:00", "checks": [
            {"number": "1", "selections": [{"itemCode": k, "quantity": n} for k in ("A", "B")]}]}
        for n, day in enumerate(DAYS, start=1)
    ]  # fmt: skip
    report, panel, _ = tried(tmp_path, orders__json=json.dumps(orders))
    assert (list(panel.unique_ids), panel.y.sum()) == (["A", "B"], UNITS)
    assert (report.first, report.last) == (DAYS[0], DAYS[-1])


@pytest.mark.parametrize("is_wide", [True, False])
def test_turkish_weeks_are_read(tmp_path, is_wide):
    weeks = [f"2025-H{n:02d}" for n in range(1, 31)]
    if is_wide:
        rows = [",".join([k, *(str(n) for n in range(1, 31))]) for k in ("A", "B")]
        text = lines(",".join(["Barkod", *weeks]), *rows)
    else:
        rows = [f"{week},{k},{n}" for n, week in enumerate(weeks, start=1) for k in ("A", "B")]
        text = lines("Hafta,Barkod,Miktar", *rows)
    report, panel, _ = tried(tmp_path, satis__csv=text)
    assert (report.frequency, report.first) == ("W-MON", "2024-12-30")
    assert panel.y.tolist() == 2 * [list(range(1, 31))]


def test_quarters_with_years_of_two_figures_are_read(tmp_path):
    quarters = [f"{q}Q{y}" for y in (21, 22, 23, 24) for q in (1, 2, 3, 4)]
    rows = [f"{quarter},{k},{n}" for n, quarter in enumerate(quarters, 1) for k in ("A", "B")]
    report, panel, _ = tried(tmp_path, sellout__csv=lines("Quarter,Part Number,Qty", *rows))
    assert (report.frequency, report.first, report.last) == ("QS", "2021-01-01", "2024-10-01")
    assert panel.y.tolist() == 2 * [list(range(1, 17))]


def test_what_is_left_of_sales_less_returns_is_what_was_sold(tmp_path):
    text = daily(
        lambda d, k, n: f"{d};{k};{n + 2};{n % 3};{n + 2 - n % 3}",
        header="date;isbn;Sales;Returns;Net",
    )
    _, panel, told = tried(tmp_path, weekly__csv=text)
    assert panel.y.sum() == 2 * sum(n + 2 - n % 3 for n in range(1, 31))
    assert "sold is read from Net" in told


def test_litres_are_read_before_money(tmp_path):
    text = daily(
        lambda d, k, n: f"{d};12;{k};{n},5;{n * 2},10",
        header="Datum;Station;Produkt;Liter;Umsatz brutto",
    )
    _, panel, _ = tried(tmp_path, absatz__csv=text)
    assert (list(panel.unique_ids), panel.y.sum()) == (["A_12", "B_12"], UNITS + 30)


def test_cases_and_bottles_are_bottles(tmp_path):
    text = daily(
        lambda d, k, n: f"{d},{k},12,{n % 4},{n},9.90",
        header="Date,Item,Btl/Case,Cases,Bottles,Price",
    )
    _, panel, _ = tried(tmp_path, depletions__csv=text)
    assert panel.y.sum() == UNITS + 2 * 12 * sum(n % 4 for n in range(1, 31))


@pytest.mark.parametrize("above", [True, False])
def test_measures_of_each_place_are_a_row_for_each(tmp_path, above):
    places = ["Leeds", "York", "Hull"]
    names = [f"{place} {measure}" for place in places for measure in ("Units", "Sales")]
    head = f"Date,Product,{','.join(names)}"
    if above:
        head = f",,{','.join(f'{p},' for p in places)}\nDate,Product{',Units,Sales' * 3}"
    rows = [
        f"{day},{k}," + ",".join(f"{u},{u * 3.5}" for u in (n % 8, n % 7, n % 5))
        for n, day in enumerate(DAYS, start=1)
        for k in ("A", "B")
    ]
    _, panel, told = tried(tmp_path, pivot__csv=lines(head, *rows))
    assert len(panel.unique_ids) == 6
    assert panel.y.sum() == 2 * sum(n % 8 + n % 7 + n % 5 for n in range(1, 31))
    assert "several measures of each of 3 places (Leeds, York, Hull): Units" in told


def test_what_became_of_orders_is_no_place(tmp_path):
    states = ["Asked", "Promised", "Sent"]
    head = ",".join(["date,sku", *(f"{s} {m}" for s in states for m in ("Units", "Revenue"))])
    rows = [
        f"{day},{k},{n + 2},{n}.50,{n + n % 2},{n}.40,{n},{n}.30"
        for n, day in enumerate(DAYS, start=1)
        for k in ("A", "B")
    ]
    _, panel, _ = tried(tmp_path, orders__csv=lines(head, *rows))
    assert list(panel.unique_ids) == ["A", "B"]
