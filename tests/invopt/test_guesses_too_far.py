"""Ordinary files that guesses about rarer ones must leave as they are."""

import pandas as pd
import pytest

from tests.invopt.test_odd_exports import lines, sales_of, tried
from tests.invopt.test_ordinary_exports import DAYS, PLAIN, PRODUCTS, UNITS, journal

OTHERS = ("2001", "2002")
LATER = pd.date_range("2024-03-01", periods=30)


def row(d, p, n):
    return f"{d:%Y-%m-%d},{p},{n}"


def test_files_that_follow_one_another_are_no_two_places(tmp_path):
    later = journal(row, "date,sku,qty", LATER)
    report, panel, told = tried(tmp_path, sales_previous__csv=PLAIN, sales_current__csv=later)
    assert panel.unique_ids.tolist() == list(PRODUCTS)
    assert report.sums["sales.y"] == 2 * UNITS
    assert "current, previous is not kept" in told


def test_files_of_other_products_leave_the_stock_by_product_to_them(tmp_path):
    hats = lines("date,sku,qty", *(row(d, p, 2) for d in DAYS for p in OTHERS))
    stock = lines("sku,stock", *(f"{p},5" for p in (*PRODUCTS, *OTHERS)))
    report, panel, _ = tried(
        tmp_path, sales_shoes__csv=PLAIN, sales_hats__csv=hats, stock__csv=stock
    )
    assert panel.unique_ids.tolist() == [*PRODUCTS, *OTHERS]
    assert report.sums["position.on_hand"] == 25


@pytest.mark.parametrize(
    ("first", "second"),
    [("raw", "clean"), ("gross", "net"), ("export", "corrected")],
)
def test_a_copy_of_a_file_is_not_counted_twice(tmp_path, first, second):
    files = {f"sales_{first}__csv": PLAIN, f"sales_{second}__csv": lines(*PLAIN.splitlines()[:-1])}
    report, panel, told = tried(tmp_path, **files)
    assert panel.unique_ids.tolist() == list(PRODUCTS)
    assert report.sums["sales.y"] == UNITS
    assert "it has the columns of" in told


def test_files_of_days_and_of_weeks_are_not_added_up(tmp_path):
    weeks = pd.date_range("2024-01-01", periods=5, freq="W-MON")
    by_week = journal(lambda d, p, n: row(d, p, 50), "date,sku,qty", weeks)
    report, _, told = tried(tmp_path, sales_fine__csv=PLAIN, sales_coarse__csv=by_week)
    assert report.sums["sales.y"] == UNITS
    assert "sales_coarse (sales_coarse.csv) is not mapped" in told


def test_a_bare_dash_is_no_price_of_zero_no_lead_time_and_no_pack(tmp_path):
    sold = journal(
        lambda d, p, n: f"{row(d, p, n)},{'-' if p == '1001' else '2.50'}", "date,sku,qty,price"
    )
    about = lines("sku,lead_time,pack_size,unit_cost", "1001,-,-,-", "1002,3,6,1.5", "1003,4,2,2.5")
    report, panel, told = tried(tmp_path, sales__csv=sold, products__csv=about)
    series = panel.series
    assert series[["lead_time", "pack_size", "unit_cost"]].iloc[0].isna().all()
    assert not [note for note in report.notes if "cannot be" in note]
    assert "pack_size of products: a bare dash is read as not known" in told


@pytest.mark.parametrize("code", ["TEE #NVY", "#NV100", "#A12!", "CAP #NV"])
def test_a_number_sign_makes_no_error_of_a_code(tmp_path, code):
    sold = PLAIN.replace(",1002,", f",{code},")
    report, panel, _ = tried(tmp_path, sales__csv=sold)
    assert report.sums["sales.y"] == UNITS
    assert code in panel.unique_ids.tolist()


def test_a_customer_called_target_is_no_plan(tmp_path):
    shops = ("Walmart", "Target", "Costco")
    sold = journal(
        lambda d, p, n: "\n".join(f"{d:%Y-%m-%d},{p},{shop},{n}" for shop in shops),
        "date,sku,customer,qty",
    )
    report, _, _ = tried(tmp_path, sales__csv=sold)
    assert report.sums["sales.y"] == 3 * UNITS


def test_a_reversible_jacket_is_no_reversal_and_what_is_void_is_told(tmp_path):
    about = {"1001": "Reversible jacket", "1002": "Red hat", "1003": "Blue ring"}
    sold = journal(
        lambda d, p, n: f"{row(d, p, n)},{about[p]},{'void' if n == 7 else 'ok'}",
        "date,sku,qty,description,status",
    )
    report, _, told = tried(tmp_path, sales__csv=sold)
    assert report.sums["sales.y"] == UNITS - 21
    assert sales_of(report).rows_filtered == 3
    assert "status is void are left out, as cancelled" in told


def test_months_without_a_year_are_no_attributes_of_products(tmp_path):
    months = "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"
    plan = lines(f"sku,{months}", *(f"{p},{','.join(['100'] * 12)}" for p in PRODUCTS))
    _, panel, told = tried(tmp_path, sales__csv=PLAIN, plan__csv=plan)
    assert "Jan" not in panel.series
    assert "12 months (Jan) and none says of which year" in told


@pytest.mark.parametrize(("name", "frequency"), [("week", "W-MON"), ("month", "MS")])
def test_the_first_twelve_weeks_of_a_year_are_weeks_where_the_name_says_so(
    tmp_path, name, frequency
):
    sold = lines(f"{name},sku,qty", *(f"2024{n:02d},{p},2" for n in range(1, 13) for p in PRODUCTS))
    report, _, _ = tried(tmp_path, sales__csv=sold)
    assert (report.frequency, report.num_periods) == (frequency, 12)


def test_a_price_with_a_point_says_that_commas_stand_for_thousands(tmp_path):
    sold = journal(lambda d, p, n: f"{d:%Y-%m-%d};{p};{n},000;2.50", "date;sku;qty;price")
    report, _, _ = tried(tmp_path, sales__csv=sold)
    assert report.sums["sales.y"] == 1000 * UNITS
