"""Exports that are ordinary where they come from and were misread: each by init-mapping."""

from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from invopt.errors import InvalidInputError
from invopt.sources.dataset import DatasetReport
from invopt.sources.duck import Reader
from invopt.sources.formats import number_style
from invopt.sources.ledger import Accounting
from invopt.sources.standard import ERROR_KEY
from invopt.sources.twins import folded
from invopt.sources.validation import _sign
from tests.invopt.test_odd_exports import lines, sales_of, tried

DAYS = pd.date_range("2024-01-01", periods=30)
PRODUCTS = ("1001", "1002", "1003")


def journal(write, header, days=DAYS):
    """Return a file with a row a day and product, written by a function of day, product, number."""
    rows = [write(d, p, n) for n, d in enumerate(days, start=1) for p in PRODUCTS]
    return lines(header, *rows)


UNITS = 3 * sum(range(1, 31))
PLAIN = journal(lambda d, p, n: f"{d:%Y-%m-%d},{p},{n}", "date,sku,qty")


def test_what_a_ledger_of_movements_writes_below_zero_was_sold(tmp_path):
    sap = journal(
        lambda d, p, n: f"B01;{p};{d:%d.%m.%Y};{n},000-;ST", "Werk;Material;Buchungsdatum;Menge;BME"
    )
    report, panel, told = tried(tmp_path, mb51__csv=sap)
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_used == 90
    assert "below 0 in 90 rows" in told
    assert "thousands (12,000 is 12000) would fit as well" in told


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        ({"12,000": 3, "7,000": 2, "0,500": 1}, ","),
        ({"12,000-": 3, "7,000": 2}, ","),
        ({"1,350": 3, "2,417": 2}, "."),
        ({"12,000": 1, "900": 4}, "."),
    ],
)
def test_three_places_of_an_erp_are_no_thousands(values, decimal):
    assert number_style(values).decimal == decimal


def test_more_returned_than_sold_fails_a_check():
    report = DatasetReport(
        name="t", num_series=1, num_periods=1, first="2024-01-01", last="2024-01-01",
        accounting=[Accounting(table="sales", rows_in=1, rows_used=1)], notes=[],
        sums={"sales.y": -12.0},
    )  # fmt: skip
    found = _sign(report)
    assert not found.passed
    assert "scale: -1" in found.sentence


def test_a_file_for_each_shop_is_one_table_with_the_shop_of_its_name(tmp_path):
    one = journal(lambda d, p, n: f"{d:%d.%m.%Y};{p};{n}", "Datum;Artikel;Menge")
    two = journal(lambda d, p, n: f"{d:%d.%m.%Y};{p};{31 - n}", "Datum;Artikel;Menge")
    report, panel, told = tried(tmp_path, Umsatz_Berlin_2024__csv=one, Umsatz_Ulm_2024__csv=two)
    assert set(panel.unique_ids) == {f"{p}_{s}" for p in PRODUCTS for s in ("Berlin", "Ulm")}
    assert report.sums["sales.y"] == 2 * UNITS
    assert "the place is read from their names (Berlin, Ulm)" in told


def test_returns_beside_sales_are_neither_sales_nor_weather(tmp_path):
    report, panel, told = tried(tmp_path, sales__csv=PLAIN, returns__csv=PLAIN)
    assert panel.y.sum() == UNITS
    assert "returns (returns.csv) is not mapped: it has the columns of sales" in told
    assert "its name says that its lines are given back" in told
    assert {a.table for a in report.accounting} == {"sales", "products"}


def test_rows_of_a_budget_beside_those_sold_are_left_out_and_told(tmp_path):
    both = journal(
        lambda d, p, n: f"{d:%Y-%m-%d},{p},actual,{n}\n{d:%Y-%m-%d},{p},budget,99",
        "date,sku,type,qty",
    )
    report, panel, told = tried(tmp_path, sales__csv=both)
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_filtered == 90
    assert "type is budget are left out" in told


def test_errors_of_a_spreadsheet_are_no_products(tmp_path):
    rows = [*PLAIN.splitlines(), "2024-01-05,#N/A,3", "2024-01-06,#BEZUG!,3"]
    many = [f"2024-01-{d:02d},{p},1" for d in range(1, 31) for p in range(2001, 2011)]
    report, panel, _ = tried(tmp_path, sales__csv=lines(*rows, *many))
    assert sales_of(report).quarantined == {ERROR_KEY: 2}
    assert not [key for key in panel.unique_ids if "#" in key]


def test_a_day_that_stands_for_no_day_stops_nothing(tmp_path):
    days = pd.date_range("2024-01-01", periods=90)
    many = journal(lambda d, p, n: f"{d:%d.%m.%Y};{p};{n}", "Datum;Artikel;Menge", days)
    more = lines(*many.splitlines(), "31.12.9999;1001;5", "00.00.0000;1001;5")
    report, panel, _ = tried(tmp_path, sales__csv=more)
    assert panel.y.sum() == 3 * sum(range(1, 91))
    assert sum(sales_of(report).quarantined.values()) == 2


def test_a_promotion_without_an_end_holds_to_the_end(tmp_path):
    plans = "Artikel;Aktion;von;bis\n1001;Dauertief;10.01.2024;31.12.9999\n"
    plans += "1002;Woche 2;08.01.2024;14.01.2024\n"
    sold = journal(lambda d, p, n: f"{d:%d.%m.%Y};{p};{n}", "Datum;Artikel;Menge")
    _, panel, _ = tried(tmp_path, sales__csv=sold, aktionen__csv=plans)
    channel = panel.channels["promotion"]
    days = dict(zip(channel.groups, channel.values[:, :30].sum(axis=1), strict=True))
    assert (days["1001"], days["1002"], days["1003"]) == (21, 7, 0)


def test_products_with_a_first_and_a_last_day_are_products(tmp_path):
    about = "Artikel;Warengruppe;EK-Preis;Gültig ab;Gültig bis\n" + "".join(
        f"{p};Brot;1,20;01.01.2020;31.12.9999\n" for p in PRODUCTS
    )
    sold = journal(lambda d, p, n: f"{d:%d.%m.%Y};{p};{n}", "Datum;Artikel;Menge")
    _, panel, _ = tried(tmp_path, sales__csv=sold, artikel__csv=about)
    assert set(panel.series["category"]) == {"Brot"}
    assert panel.series["unit_cost"].tolist() == [1.2, 1.2, 1.2]


def test_stock_by_storage_location_adds_up_to_the_plants(tmp_path):
    sold = journal(lambda d, p, n: f"W1;{p};{d:%d.%m.%Y};{n}", "Werk;Material;Datum;Absatzmenge")
    held = "Material;Werk;Lagerort;Frei verwendbar\n" + "".join(
        f"{p};W1;{place};1.200,000\n" for p in PRODUCTS for place in ("0001", "0002")
    )
    report, _, _ = tried(tmp_path, sales__csv=sold, mb52__csv=held)
    assert report.sums["position.on_hand"] == 7_200


def test_pieces_and_cases_of_one_product_are_told(tmp_path):
    sold = journal(
        lambda d, p, n: f"{d:%Y-%m-%d},{p},{n},{'CS' if n > 20 and p == '1002' else 'EA'}",
        "date,sku,quantity,uom",
    )
    _, _, told = tried(tmp_path, sales__csv=sold)
    assert "1 series are sold in several units (uom is CS, EA)" in told


def test_products_of_a_unit_each_are_as_they_should_be(tmp_path):
    sold = journal(
        lambda d, p, n: f"{d:%Y-%m-%d},{p},{n},{'KG' if p == '1002' else 'EA'}",
        "date,sku,quantity,uom",
    )
    _, _, told = tried(tmp_path, sales__csv=sold)
    assert "several units" not in told


def test_a_file_without_a_row_is_left_out_and_told(tmp_path):
    report, _, told = tried(tmp_path, sales__csv=PLAIN, stock__csv="sku,on_hand\n")
    assert "stock.csv is left out: it has a header and no row" in told
    assert {a.table for a in report.accounting} == {"sales", "products"}


def test_a_bare_dash_is_nothing_sold(tmp_path):
    sold = journal(lambda d, p, n: f"{d:%Y-%m-%d},{p},{n if n > 9 else '-'}", "date,sku,qty")
    report, panel, told = tried(tmp_path, sales__csv=sold)
    assert panel.y.sum() == UNITS - 3 * sum(range(1, 10))
    assert sales_of(report).rows_used == 90
    assert "a bare dash is read as 0" in told


def test_a_year_and_its_week_in_six_figures_are_a_week_where_the_name_says_so(tmp_path):
    weeks = pd.date_range("2023-01-02", periods=60, freq="W-MON")
    sold = journal(lambda d, p, n: f"{d:%G%V},{p},{n}", "yearweek,sku,qty", weeks)
    report, _, _ = tried(tmp_path, sales__csv=sold)
    assert (report.frequency, report.first, report.num_periods) == ("W-MON", "2023-01-02", 60)


def test_stamps_of_nanoseconds_in_a_zone_are_dates_and_the_zone_is_told(tmp_path):
    at = [datetime(d.year, d.month, d.day, 12) for d in DAYS]
    table = pa.table(
        {
            "sold at": pa.array(at * 3, pa.timestamp("ns", "Europe/Berlin")),
            "sku": pa.array([p for p in PRODUCTS for _ in at]).dictionary_encode(),
            "qty": pa.array([*range(1, 31)] * 3, pa.int64()).cast(pa.decimal128(22, 3)),
        }
    )
    pq.write_table(table, tmp_path / "sales.parquet")
    content = (tmp_path / "sales.parquet").read_bytes()
    report, panel, told = tried(tmp_path, sales__parquet=content)
    assert (report.first, report.last, panel.y.sum()) == ("2024-01-01", "2024-01-30", UNITS)
    assert "sold at names its zone and days are counted in UTC" in told


def test_days_with_their_weekday_are_days(tmp_path):
    names = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
    sold = journal(
        lambda d, p, n: f"{names[d.weekday()]}, {d:%d.%m.%Y};{p};{n}", "Datum;Artikel;Menge"
    )
    report, panel, _ = tried(tmp_path, sales__csv=sold)
    assert (report.last, panel.y.sum()) == ("2024-01-30", UNITS)


def test_a_few_days_as_columns_are_no_attributes(tmp_path):
    held = lines("sku,2024-01-28,2024-01-29,2024-01-30", *[f"{p},5,4,3" for p in PRODUCTS])
    _, panel, told = tried(tmp_path, sales__csv=PLAIN, stock_levels__csv=held)
    assert "it has a column for each of 3 days" in told
    assert not [c for c in panel.series if c.startswith("2024")]


@pytest.mark.parametrize(
    ("header", "row", "advice"),
    [
        ("fiscal_week,sku,qty", "FY24-P01-W{n},1001,3", "first days in a source of SQL"),
        ("Date,Apples,Pears", "2024-01-{n:02d},3,4", "UNPIVOT"),
    ],
)
def test_what_init_mapping_cannot_do_it_says_how_to_do(tmp_path, header, row, advice):
    with pytest.raises(InvalidInputError, match="comes nearest") as told:
        tried(tmp_path, sales__csv=lines(header, *[row.format(n=n) for n in range(1, 30)]))
    assert advice in str(told.value)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sales__csv.xz", "unpack it"),
        ("sales__xml", "write it as CSV or parquet"),
        ("sales__xlsb", "open it in a spreadsheet and save it as .xlsx"),
    ],
)
def test_files_of_other_kinds_are_told_with_what_to_do(tmp_path, name, advice):
    with pytest.raises(InvalidInputError, match=advice):
        tried(tmp_path, **{name: "x"})


def test_a_scratch_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "reading.duckdb").mkdir()
    with pytest.raises(InvalidInputError, match="the scratch folder cannot be written: .*TMPDIR"):
        Reader(tmp_path, tmp_path, {})


def test_signs_of_control_tell_no_keys_apart():
    assert folded("1003\x00_B01") == folded("1003_B01")
