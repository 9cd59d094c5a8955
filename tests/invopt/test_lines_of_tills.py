"""Lines of tills that are no sales, columns that say where goods went, years of two figures."""

import pandas as pd
import pytest

from tests.invopt.test_odd_exports import lines, sales_of, tried

DAYS = [f"{d:%Y-%m-%d}" for d in pd.date_range("2025-01-06", periods=30)]
MONTHS = pd.date_range("2024-01-01", periods=24, freq="MS")
SOLD = sum(range(1, 31))


def journal(*others, head="Date,Ticket,Article,Qty,Status", kept="completed"):
    """Return a line a day that was sold, and each day one of other states in turn."""
    rows = []
    for n, day in enumerate(DAYS, start=1):
        rows.append(f"{day},{n},400{n % 3},{n},{kept}")
        rows.append(f"{day},{n},400{n % 3},100,{others[n % len(others)]}")
    return lines(head, *rows)


@pytest.mark.parametrize(
    ("head", "kept", "others"),
    [
        ("Date,Ticket,Article,Qty,Status", "completed", ("open", "on hold", "aborted", "No Sale")),
        ("Datum,Bon,Artikel,Menge,Status", "abgeschlossen", ("abgebrochen", "geparkt", "offen")),
        ("Date,Ticket,Article,Qty,Mode", "Normal", ("Training", "Suspended")),
        ("Datum,Bon,Artikel,Menge,Belegart", "Verkauf", ("Trainingsbuchung", "Schulung")),
        ("Date,Receipt Number,Sku,Quantity,Status", "CLOSED", ("VOIDED", "SAVED")),
        ("Date,Ticket,Article,Qty,training_mode", "0", ("1",)),
        ("Datum,Bon,Artikel,Menge,Trainingsmodus", "nein", ("ja",)),
    ],
)
def test_lines_that_were_not_completed_are_left_out_with_their_number(tmp_path, head, kept, others):
    report, _, told = tried(tmp_path, pos__csv=journal(*others, head=head, kept=kept))
    assert report.sums["sales.y"] == SOLD
    assert sales_of(report).rows_filtered == 30
    assert sum(int(word.split()[0]) for line in told.splitlines() if "are left out" in line
               for word in [line.strip().removeprefix("pos: ")]) == 30  # fmt: skip


def test_open_orders_are_asked_for_and_stay(tmp_path):
    text = journal("open", head="Order Date,Order No,Article,Qty,Status", kept="completed")
    report, _, told = tried(tmp_path, orders__csv=text)
    assert report.sums["sales.y"] == SOLD + 3000
    assert "rows of all of these are read as sales or returns" in told


@pytest.mark.parametrize(
    "kinds", [("ITEM", "SUBTOTAL", "TENDER"), ("Sale Line", "Sale", "Payment")]
)
def test_sums_and_tenders_of_a_journal_are_no_goods(tmp_path, kinds):
    item, total, paid = kinds
    rows = []
    for n, day in enumerate(DAYS, start=1):
        rows += [f"{day},{n},{item},400{n % 3},Tea {n % 3},{n},{2 * n}.00",
                 f"{day},{n},{total},,,{n},{2 * n}.00",
                 f"{day},{n},{paid},,CASH,1,{2 * n}.00"]  # fmt: skip
    text = lines("Date,Receipt,Line,PLU,Description,Qty,Amount", *rows)
    report, panel, told = tried(tmp_path, journal__csv=text)
    assert panel.unique_ids.tolist() == ["4000", "4001", "4002"]
    assert report.sums["sales.y"] == SOLD
    assert "60 rows of journal name no PLU" in told


def by_region(column):
    pairs = [(sku, region) for sku in "AB" for region in ("North", "South")]
    rows = (f"{m:%Y-%m-%d},{sku},{region},{n + at}"
            for at, m in enumerate(MONTHS) for n, (sku, region) in enumerate(pairs))  # fmt: skip
    return lines(f"month,sku,{column},units", *rows)


@pytest.mark.parametrize(
    "column", ["customer_region", "ship-country", "Ship-to city", "kunde_land"]
)
def test_where_goods_went_is_no_place_of_stock(tmp_path, column):
    _, panel, told = tried(tmp_path, sales__csv=by_region(column))
    assert panel.unique_ids.tolist() == ["A", "B"]
    assert f"{column} of sales says where goods went, and is no place of stock" in told


def test_where_goods_went_is_a_place_where_each_keeps_its_stock(tmp_path):
    rows = (f"{sku},{region},5" for sku in "AB" for region in ("North", "South"))
    stock = lines("sku,ship_country,on_hand", *rows)
    _, panel, _ = tried(tmp_path, sales__csv=by_region("ship_country"), stock__csv=stock)
    assert panel.unique_ids.tolist() == ["A_North", "A_South", "B_North", "B_South"]


def test_a_region_that_is_taken_for_the_place_is_told(tmp_path):
    _, panel, told = tried(tmp_path, sales__csv=by_region("country"))
    assert panel.num_series == 4
    assert "country of sales is read as the place, as each product is sold in each of them" in told


def test_movements_within_a_warehouse_are_no_sales_and_returns_of_a_ledger_are(tmp_path):
    kinds = ("SHIPMENT", "RELOCATION", "CUSTOMER RETURN")
    rows = [f"{d},9{n % 2},{kind},{q}" for n, d in enumerate(DAYS)
            for kind, q in zip(kinds, (10, 5, 1), strict=True)]  # fmt: skip
    text = lines("timestamp,item,transaction_type,qty", *rows)
    report, _, _ = tried(tmp_path, moves__csv=text)
    assert report.sums["sales.y"] == 30 * 9


def test_returns_of_a_ledger_are_netted(tmp_path):
    rows = [f"{d},Sale,{kind},I{n % 2},{q}" for n, d in enumerate(DAYS)
            for kind, q in (("Sales Shipment", -10), ("Sales Return Receipt", 2))
            if q < 0 or n % 3 == 0]  # fmt: skip
    head = "Posting Date,Entry Type,Document Type,Item No.,Quantity"
    report, _, _ = tried(tmp_path, ledger__csv=lines(head, *rows))
    assert report.sums["sales.y"] == 30 * 10 - 10 * 2


@pytest.mark.parametrize("form", ["{m}/{y:02d} Qtd", "Qtd {m}-{y:02d}"])
def test_months_with_two_figures_of_a_year_are_read_in_other_languages(tmp_path, form):
    words = ["Jan", "Fev", "Mar", "Abr", "Mai", "Jun", "Jul", "Ago", "Set", "Out", "Nov", "Dez"]
    names = [form.format(m=words[m.month - 1], y=m.year % 100) for m in MONTHS]
    rows = [f"1{k:04d};{';'.join(str(k + n) for n in range(24))}" for k in range(4)]
    report, _, _ = tried(tmp_path, curva__csv=lines(f"Codigo;{';'.join(names)}", *rows))
    assert (str(report.first), str(report.last)) == ("2024-01-01", "2025-12-01")
    assert report.sums["sales.y"] == 4 * sum(range(24)) + 24 * 6


def test_payments_are_the_sales_where_nothing_else_is(tmp_path):
    rows = [f"{d},Tea,{n},Payment" for n, d in enumerate(DAYS, start=1)]
    text = lines("Date,Item,Qty,Event Type", *rows, f"{DAYS[-1]},Tea,-5,Refund")
    report, _, _ = tried(tmp_path, items__csv=text)
    assert report.sums["sales.y"] == SOLD - 5
