"""Exports of shops, tills and ERPs of further countries: each counted again."""

import io

import openpyxl
import pandas as pd
import pytest

from invopt.errors import InvalidInputError
from tests.invopt.test_account import sold
from tests.invopt.test_odd_exports import DAYS, daily, lines, sales_of, tried

UNITS = 2 * sum(range(1, 31))


@pytest.mark.parametrize(
    ("column", "done", "cancelled"),
    [
        ("Status Pesanan", "Selesai", "Batal"),
        ("Trạng thái", "Hoàn thành", "Đã hủy"),
        ("Durum", "Tamamlandı", "İptal edildi"),
        ("Stav", "Vyřízeno", "Zrušeno"),
        ("Payment Status", "Settled", "Declined"),
    ],
)
def test_orders_that_were_cancelled_are_no_sales(tmp_path, column, done, cancelled):
    text = daily(
        lambda d, k, n: f"{d};{k};{n};{cancelled if n == 7 else done}",
        header=f"date;sku;qty;{column}",
    )
    report, panel, _ = tried(tmp_path, orders__csv=text)
    assert panel.y.sum() == UNITS - 14
    assert sales_of(report).rows_filtered == 2


@pytest.mark.parametrize("form", ["{y}. {m}. {d}.", "{y}. {m:02d}. {d:02d}", "{y}.{m}.{d}."])
def test_days_with_dots_and_the_year_first_are_dates_under_any_name(tmp_path, form):
    def written(day):
        year, month, number = map(int, day.split("-"))
        return form.format(y=year, m=month, d=number)

    text = daily(lambda d, k, n: f"{written(d)};{k};{n}", header="결제완료;상품번호;수량")
    report, panel, _ = tried(tmp_path, orders__csv=text)
    assert (report.first, report.last, panel.y.sum()) == (DAYS[0], DAYS[-1], UNITS)


def test_items_that_say_what_is_what_in_one_cell_are_a_row_each(tmp_path):
    def item(k, n):
        return f"Product ID: 7, Product Qty: {n}, Product SKU: {k}, Product Name: Mug {k}"

    rows = [
        f'{n},Completed,{day},{2 * n},"{item("A", n)}|{item("B", n)}"'
        for n, day in enumerate(DAYS, start=1)
    ]
    head = "Order ID,Order Status,Order Date,Total Quantity,Product Details"
    report, panel, told = tried(tmp_path, orders__csv=lines(head, *rows))
    assert list(panel.unique_ids) == ["A", "B"]
    assert (panel.y.sum(), sales_of(report).rows_in) == (UNITS, 60)
    assert "Total Quantity is of the whole order and not read" in told


@pytest.mark.parametrize("word", ["Ergebnis", "Gesamtergebnis", "Overall Result", "Resultado"])
def test_rows_called_a_result_are_sums(tmp_path, word):
    rows = []
    for n, day in enumerate(DAYS, start=1):
        rows += [f"{day};A;{n} ST", f"{day};B;{n} ST", f"{day};{word};{2 * n} ST"]
    _, panel, told = tried(tmp_path, bw__csv=lines("Kalendertag;Material;Absatzmenge", *rows))
    assert list(panel.unique_ids) == ["A", "B"]
    assert panel.y.sum() == UNITS
    assert f"whose Material is {word}" in told


def test_lines_with_a_number_each_and_one_amount_are_one_unit_each(tmp_path):
    rows = [
        f"{10 * n + k},{day},{item},{price}"
        for n, day in enumerate(DAYS)
        for k, (item, price) in enumerate([("Cola", "1.50"), ("Cola", "1.50"), ("Bar", "2.20")])
    ]
    text = lines("Transaction ID,Machine Time,Product Name,SE Value", *rows)
    _, panel, told = tried(tmp_path, vending__csv=text)
    assert sold(panel)["Cola", "01-05"] == 2
    assert panel.y.sum() == 90
    assert "each of its lines is read as one unit that was sold" in told


@pytest.mark.parametrize("title", ["Week commencing 01/01/2024", "Woche ab 1.1.2024", "2024-01-01"])
def test_sheets_of_weekdays_are_dated_by_their_titles(tmp_path, title):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    units = 0
    for number, monday in enumerate(pd.date_range("2024-01-01", periods=14, freq="7D")):
        form = "%Y-%m-%d" if title[0] == "2" else "%d/%m/%Y" if "/" in title else "%d.%m.%Y"
        sheet = workbook.create_sheet(f"{monday:%d %b}")
        sheet.append([f"{' '.join(title.split()[:-1])} {monday:{form}}".strip()])
        sheet.append(["Product", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Total"])
        for k in ("Rye", "Rolls"):
            cells = [number + day + len(k) for day in range(7)]
            sheet.append([k, *cells, sum(cells)])
            units += sum(cells)
    held = io.BytesIO()
    workbook.save(held)
    report, panel, told = tried(tmp_path, sales__xlsx=held.getvalue())
    assert (report.first, report.last) == ("2024-01-01", "2024-04-07")
    assert (panel.y.sum(), list(panel.unique_ids)) == (units, ["Rolls", "Rye"])
    assert sold(panel)["Rye", "01-10"] == 1 + 2 + 3
    assert "is read as the column week_begins" in told


@pytest.mark.parametrize("ending", ["xlsb", "numbers", "avro"])
def test_files_that_are_not_read_are_refused_with_what_to_do(tmp_path, ending):
    files = {f"sales__{ending}": b"\xd0\xcf\x11\xe0" + bytes(600)}
    with pytest.raises(
        InvalidInputError, match=rf"sales.{ending}.*(save it|save a|write it as)"
    ) as err:
        tried(tmp_path, **files)
    assert str(err.value).count(".csv") == 1


def test_readings_of_sensors_are_no_products(tmp_path):
    rows = [f"{day},{n % 5}.25,{n % 3}.5,{n % 4}.75" for n, day in enumerate(DAYS)]
    with pytest.raises(InvalidInputError, match="no file looks like sales"):
        tried(tmp_path, cold__csv=lines("timestamp,probe_1,probe_2,probe_3", *rows))
