"""Several units in a column, what came back in a file of its own, lines that are no goods."""

import pandas as pd
import pytest

from invopt.config import DataConfig
from invopt.errors import InvalidInputError
from invopt.panel import iter_panels
from invopt.sources import Mapping, read_dataset
from invopt.sources.validation import DataProfile, check_data
from tests.invopt.test_odd_exports import DAYS, UNITS, lines, sales_of, tried


def in_units(unit, head="date;sku;qty"):
    """Return a row a day and product; unit gives what stands behind its number."""
    rows = [f"{d};{k};{n}{unit(k, n)}" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    return lines(head, *rows)


def test_one_unit_for_each_product_is_read_and_told(tmp_path):
    text = in_units(lambda k, n: " pcs" if k == "A" else " kg")
    report, _, told = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert "name their units (pcs (30), kg (30)), one for each product" in told


def test_grams_and_kilos_of_a_product_are_one_measure(tmp_path):
    text = in_units(lambda k, n: "000 g" if n % 3 == 0 else " kg")
    report, _, told = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert "all are read as kg" in told


CASES = sum(n * (12 if n % 5 == 0 else 1) for n in range(1, 31))
CASES += sum(n * (6 if n % 5 == 0 else 1) for n in range(1, 31))
PACKS = lines("sku;units_per_case", "A;12", "B;6")


@pytest.mark.parametrize("beside", [False, True])
def test_cases_are_converted_by_what_is_in_one(tmp_path, beside):
    sign, head = (";", "date;sku;qty;uom") if beside else (" ", "date;sku;qty")
    text = in_units(lambda k, n: sign + ("CS" if n % 5 == 0 else "EA"), head)
    report, _, told = tried(tmp_path, sales__csv=text, products__csv=PACKS)
    assert report.sums["sales.y"] == CASES
    assert "cs are read as ea by units_per_case of products" in told


def test_cases_are_converted_by_a_column_beside_them(tmp_path):
    text = in_units(
        lambda k, n: ";CTN;12" if n % 5 == 0 else ";PCS;1", "date;sku;qty;unit;qty_per_unit"
    )
    report, _, _ = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == 2 * sum(n * (12 if n % 5 == 0 else 1) for n in range(1, 31))


def test_units_that_nothing_converts_are_refused_by_product(tmp_path):
    text = in_units(lambda k, n: " cases" if n % 5 == 0 and k == "A" else " pcs")
    with pytest.raises(InvalidInputError, match=r"A \(pcs: 24, cases: 6\).*units: \{cases: 1, pcs"):
        tried(tmp_path, sales__csv=text)


def test_a_mapping_by_hand_says_what_units_are(tmp_path):
    (tmp_path / "s.csv").write_text(in_units(lambda k, n: " Krt." if n % 5 == 0 else " Stk"))
    report = read_dataset(
        _mapping({"expr": "qty", "units": {"stk": 1, "Krt": 12}}), tmp_path, tmp_path / "out"
    )
    assert report.sums["sales.y"] == 2 * sum(n * (12 if n % 5 == 0 else 1) for n in range(1, 31))


def test_a_unit_that_a_mapping_does_not_name_is_refused_with_its_cell(tmp_path):
    (tmp_path / "s.csv").write_text(in_units(lambda k, n: " Pal" if n == 5 else " Stk"))
    report = read_dataset(
        _mapping({"expr": "qty", "units": {"stk": 1}}), tmp_path, tmp_path / "out", max_bad_share=1
    )
    assert sales_of(report).faulty == {"y is not a number": 2}


def _mapping(y):
    return Mapping.model_validate(
        {"name": "m", "frequency": "D", "unique_id": "sku", "sources": {"s": "s.csv"},
         "sales": {"from": "s", "ds": "date", "columns": {"y": y}}}
    )  # fmt: skip


def test_units_that_are_added_up_fail_a_check(tmp_path):
    text = in_units(lambda k, n: ";CS" if n % 5 == 0 else ";EA", "date;sku;qty;uom")
    (tmp_path / "s.csv").write_text(text)
    report = read_dataset(_mapping("qty"), tmp_path, tmp_path / "out")
    checks = check_data(
        DataProfile.of(iter_panels(tmp_path / "out")), report, DataConfig(mapping=""),
        pd.Timestamp("2024-01-31"),
    )  # fmt: skip
    [units] = [check for check in checks if check.name == "units"]
    assert (units.value, units.passed) == (2, False)


SALES = lines(
    "invoice_no;invoice_date;store;sku;quantity",
    *(f"R{n}{k};{d};S1;{k};{n}" for n, d in enumerate(DAYS, start=1) for k in "AB"),
)
BACK = [3, 9, 9, 20]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("returns__csv", lines("invoice_no;invoice_date;store;sku;quantity",
                               *(f"X{n};{DAYS[n]};S1;A;1" for n in BACK))),
        ("Retouren__csv", lines("Retourendatum;Laden;Artikelnummer;Retourenmenge;Grund",
                                *(f"{DAYS[n][8:]}.01.2024;S1;A;1;defekt" for n in BACK))),
        ("credit_notes__csv", lines("credit_no;credit_date;branch;item;qty_returned",
                                    *(f"C{n};{DAYS[n]};S1;A;-1" for n in BACK))),
        ("credit_memos__csv", lines("credit_no;credit_date;invoice_no;sku;quantity",
                                    *(f"C{n};{DAYS[n]};R{n}A;A;1" for n in BACK))),
    ],
    ids=["columns of the sales", "other words", "below zero", "place by the invoice"],
)  # fmt: skip
def test_what_came_back_lowers_what_was_sold_on_its_day(tmp_path, name, text):
    report, panel, told = tried(tmp_path, invoices__csv=SALES, **{name: text})
    assert report.sums["sales.y"] == UNITS - 4
    expected = [n + 1 - BACK.count(n) for n in range(30)]
    assert panel.y[0].tolist() == expected
    assert "4 rows of" in told
    assert "are what came back: they lower what was sold, on the day of" in told


def test_what_goes_back_to_a_supplier_is_no_return(tmp_path):
    text = lines("date;sku;quantity", *(f"{DAYS[n]};A;1" for n in BACK))
    report, _, _ = tried(tmp_path, invoices__csv=SALES, vendor_returns__csv=text)
    assert report.sums["sales.y"] == UNITS


def test_what_came_back_without_a_product_is_left_and_told(tmp_path):
    text = lines("date;reason;quantity", *(f"{DAYS[n]};broken;1" for n in BACK))
    report, _, told = tried(tmp_path, invoices__csv=SALES, returns__csv=text)
    assert report.sums["sales.y"] == UNITS
    assert "returns.csv seems to hold what came back and is not taken off the sales" in told


def test_heads_and_payments_of_a_till_are_no_lines(tmp_path):
    rows = []
    for n, d in enumerate(DAYS, start=1):
        rows.append(f"{d};{n};Sale;;{2 * n}")
        rows += [f"{d};{n};Sale Line;{k};{n}" for k in "AB"]
        rows.append(f"{d};{n};Payment;;")
    report, _, told = tried(
        tmp_path, sales__csv=lines("Date;Receipt;Line Type;Sku;Quantity", *rows)
    )
    assert report.sums["sales.y"] == UNITS
    assert sales_of(report).rows_filtered == 60
    assert "60 rows of sales name no Sku, and their Line Type is Payment, Sale" in told


def test_accounts_and_charges_of_an_erp_are_no_goods(tmp_path):
    rows = [f"Item;{k};{n};{d}" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    rows += [f"G/L Account;8400;1;{d}" for d in DAYS] + [f";;0;{d}" for d in DAYS[:5]]
    report, panel, told = tried(
        tmp_path, SalesLines__csv=lines("Type;No.;Quantity;Posting Date", *rows)
    )
    assert report.sums["sales.y"] == UNITS
    assert panel.unique_ids.tolist() == ["A", "B"]
    assert "whose Type is G/L Account are left out, as no goods" in told


def test_of_an_edi_852_what_was_sold_is_read(tmp_path):
    rows = [
        f"{d};{k};{code};{amount}"
        for n, d in enumerate(DAYS, start=1)
        for k in "AB"
        for code, amount in (("QS", n), ("QA", 50), ("QP", 12))
    ]
    report, _, told = tried(tmp_path, e852__csv=lines("Date;UPC;ActivityCode;Quantity", *rows))
    assert report.sums["sales.y"] == UNITS
    assert "ActivityCode is QA, QP are left out, as other activities (EDI 852)" in told


def test_of_sap_movements_issues_less_their_reversals_are_read(tmp_path):
    rows = [f"{d};{k};601;{n},000-" for n, d in enumerate(DAYS, start=1) for k in "AB"]
    rows += [f"{DAYS[5]};A;602;1,000", f"{DAYS[6]};B;101;300,000", f"{DAYS[7]};B;311;20,000"]
    report, _, _ = tried(tmp_path, MB51__csv=lines("Buch.dat.;Material;BwA;Menge", *rows))
    assert report.sums["sales.y"] == UNITS - 1


def test_a_column_that_never_differs_names_no_product(tmp_path):
    rows = [f"{d};Burger;{k};{n}" for n, d in enumerate(DAYS, start=1) for k in ("71", "72")]
    report, _, _ = tried(tmp_path, sales__csv=lines("Date;Menu Item;PLU;Qty", *rows))
    assert report.num_series == 2


@pytest.mark.parametrize(("word", "shift"), [("week", 0), ("week_ending", 6)])
def test_what_came_back_within_a_week_lowers_that_week(tmp_path, word, shift):
    weeks = pd.date_range("2024-01-01", periods=20, freq="W-MON")
    sold = [f"{w + pd.Timedelta(days=shift):%Y-%m-%d};A;{n}" for n, w in enumerate(weeks, start=10)]
    back = lines("return_date;sku;qty", "2024-01-17;A;2", "2024-02-05;A;1")
    report, panel, _ = tried(
        tmp_path, sales__csv=lines(f"{word};sku;qty", *sold), returns__csv=back
    )
    assert report.frequency == "W-MON"
    expected = list(range(10, 30))
    expected[2] -= 2
    expected[5] -= 1
    assert panel.y.tolist() == [expected]


def test_lines_below_zero_already_are_not_taken_off_twice(tmp_path):
    back = lines("date;store;sku;quantity", *(f"{DAYS[n]};S1;A;1" for n in BACK))
    sales = SALES + "".join(f"X{n};{DAYS[n]};S1;A;-1\n" for n in BACK)
    report, _, told = tried(tmp_path, invoices__csv=sales, returns__csv=back)
    assert report.sums["sales.y"] == UNITS - 4
    assert "4 of their rows are below 0 already" in told


def test_numbers_without_the_unit_that_others_have_are_in_that_unit(tmp_path):
    text = in_units(lambda k, n: " Stk" if n % 3 else "")
    report, _, _ = tried(tmp_path, sales__csv=text)
    assert report.sums["sales.y"] == UNITS


def test_what_came_back_after_the_last_sale_begins_no_days(tmp_path):
    back = lines("date;store;sku;quantity", "2024-01-10;S1;A;1", "2024-03-20;S1;A;5")
    report, _, told = tried(tmp_path, invoices__csv=SALES, returns__csv=back)
    assert report.last == "2024-01-30"
    assert report.sums["sales.y"] == UNITS - 1
    assert "1 of before the first sale, or after the last one, are left out" in told
