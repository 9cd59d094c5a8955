"""What lies beside the sales in real folders: orders partly received, masters with rows twice."""

import json

import pytest

from invopt.sources import load_mapping
from tests.invopt.test_exports_of_systems import SOLD, UNITS, written
from tests.invopt.test_odd_exports import lines, sales_of, tried

SALES = written("date,sku,qty", lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{n}")
STOCK = lines("sku,on_hand", "1001,10", "1002,10")


def table_of(report, name):
    return next(a for a in report.accounting if a.table == name)


@pytest.mark.parametrize(
    ("header", "row", "units"),
    [
        ("po,sku,ordered_qty,received_qty,eta", "{k},{p},100,40,2024-02-10", 120),
        ("po,sku,Bestellmenge,Gelieferte Menge,Lieferdatum", "{k},{p},100,40,2024-02-10", 120),
        ("po,sku,quantity,received,due_date", "{k},{p},100,130,2024-02-10", 0),
        ("po,sku,ordered_qty,received_qty,open_qty,eta", "{k},{p},100,40,55,2024-02-10", 110),
        ("po,sku,Bestellmenge,Offene Menge,Lieferdatum", "{k},{p},100,60,2024-02-10", 120),
        ("po,sku,quantity,eta", "{k},{p},100,2024-02-10", 200),
    ],
)
def test_of_an_order_what_is_still_to_come_is_under_way(tmp_path, header, row, units):
    orders = lines(header, *[row.format(k=4500 + k, p=p) for k, p in enumerate(("1001", "1002"))])
    report, _, _ = tried(tmp_path, sales__csv=SALES, stock__csv=STOCK, purchase_orders__csv=orders)
    assert report.sums["open_orders.quantity"] == units


@pytest.mark.parametrize(
    ("closed", "kept", "units"),
    [("closed", "open", 70), ("Erledigt", "teilweise geliefert", 70), ("open", "confirmed", 170)],
)
def test_orders_of_which_nothing_comes_are_left_out(tmp_path, closed, kept, units):
    orders = lines(
        "po,sku,quantity,eta,status",
        f"1,1001,100,2024-02-10,{closed}",
        f"2,1002,70,2024-02-10,{kept}",
    )
    report, _, told = tried(
        tmp_path, sales__csv=SALES, stock__csv=STOCK, purchase_orders__csv=orders
    )
    assert report.sums["open_orders.quantity"] == units
    assert ("are left out: nothing comes of them" in told) == (units == 70)


def test_a_master_with_rows_twice_is_read_and_those_that_differ_are_told(tmp_path):
    rows = [f"{p},Tea {p},tea,1.5" for p in range(1001, 1013) for _ in (0, 1)]
    master = lines("sku,description,category,unit_cost", *rows, "1001,Tea old,herbs,1.2")
    report, panel, told = tried(tmp_path, sales__csv=SALES, products__csv=master)
    assert panel.series["category"].tolist() == ["tea", "tea"]
    assert table_of(report, "products").rows_used == 2
    assert "25 rows for 12 sku; those of 1 differ (1001): the first row of each is read" in told


def test_movements_that_begin_with_the_stock_add_up_to_that_of_today(tmp_path):
    moves = [f"{d:%Y-%m-%d},{p},sale,{-n}" for d, p, n in SOLD]
    moves += [f"2024-01-15,{p},receipt,100" for p in ("1001", "1002")]
    begun = [f"2024-01-01,{p},opening,900" for p in ("1001", "1002")]
    ledger = lines("date,sku,type,qty_change", *begun, *moves)
    report, _, told = tried(tmp_path, sales__csv=SALES, stock_movements__csv=ledger)
    assert report.sums["position.on_hand"] == 2000 - UNITS
    assert "are taken as the stock of today" in told


def test_movements_without_what_they_began_with_are_no_stock_and_it_is_said(tmp_path):
    moves = [f"{d:%Y-%m-%d},{p},sale,{-n}" for d, p, n in SOLD]
    moves += [f"2024-01-15,{p},receipt,1" for p in ("1001", "1002")]
    moves += [f"2024-01-15,{p},receipt,2" for p in ("1001", "1002")]
    ledger = lines("date,sku,type,qty_change", *moves)
    report, _, told = tried(tmp_path, sales__csv=SALES, stock_movements__csv=ledger)
    assert "position.on_hand" not in report.sums or not report.sums["position.on_hand"]
    assert "holds movements and no levels" in told


def test_a_price_from_one_day_to_another_is_no_promotion_and_never_0(tmp_path):
    prices = lines(
        "sku,valid_from,valid_to,price",
        *[f"{p},{a},{b},{x}" for p in (1001, 1002) for a, b, x in (
            ("2024-01-01", "2024-01-15", "3.5"), ("2024-01-20", "2024-02-28", "3.9"))],
    )  # fmt: skip
    tried(tmp_path, sales__csv=SALES, price_list__csv=prices)
    [table] = load_mapping(tmp_path / "m.yaml").market
    assert "promotion" not in table.columns
    assert table.fill == "forward"


def test_promotions_that_overlap_are_all_used(tmp_path):
    plan = lines(
        "sku,start_date,end_date,discount",
        *[f"{p},{a},{b},{x}" for p in (1001, 1002) for a, b, x in (
            ("2024-01-02", "2024-01-10", "0.2"), ("2024-01-08", "2024-01-14", "0.3"))],
    )  # fmt: skip
    report, _, _ = tried(tmp_path, sales__csv=SALES, promotions__csv=plan)
    assert not table_of(report, "promotions").quarantined


def test_files_that_overlap_count_each_line_once(tmp_path):
    rows = [f"{d:%Y-%m-%d},{p},{n}" for d, p, n in SOLD]
    parts = {
        "sales_1__csv": lines("date,sku,qty", *rows[:40]),
        "sales_2__csv": lines("date,sku,qty", *rows[30:]),
    }
    report, panel, told = tried(tmp_path, **parts)
    assert panel.y.sum() == UNITS
    assert sales_of(report).quarantined == {"another line has the same line key": 10}
    assert not sales_of(report).faulty
    assert "10 lines of sales are in two of its 2 files" in told


def test_files_with_the_same_line_twice_in_one_are_no_overlap(tmp_path):
    rows = [f"{d:%Y-%m-%d},{p},{n}" for d, p, n in SOLD]
    parts = {
        "sales_1__csv": lines("date,sku,qty", *rows[:40], rows[0]),
        "sales_2__csv": lines("date,sku,qty", *rows[30:]),
    }
    report, panel, told = tried(tmp_path, **parts)
    assert panel.y.sum() == UNITS + sum(n for _, _, n in SOLD[30:40]) + 1
    assert "10 lines of sales are, word for word, in another file" in told


def orders_of_a_shop():
    pairs = [SOLD[k : k + 2] for k in range(0, len(SOLD), 2)]
    return [
        {
            "id": 5000 + k,
            "created_at": f"{pair[0][0]:%Y-%m-%d}T10:00:00Z",
            "store": {"code": "01"},
            "line_items": [{"sku": p, "quantity": n, "price": "3.5"} for _, p, n in pair],
            "customer": {"email": "a@b.example"},
        }
        for k, pair in enumerate(pairs)
    ]


@pytest.mark.parametrize("kind", ["json", "jsonl", "wrapped"])
def test_lines_within_orders_of_a_shop_are_rows(tmp_path, kind):
    orders = orders_of_a_shop()
    text = json.dumps(orders)
    if kind == "jsonl":
        text = "\n".join(map(json.dumps, orders))
    if kind == "wrapped":
        flat = [{"date": f"{d:%Y-%m-%d}", "sku": p, "qty": n} for d, p, n in SOLD]
        text = json.dumps({"meta": {"page": 1}, "data": flat})
    name = "orders__jsonl" if kind == "jsonl" else "orders__json"
    report, panel, _ = tried(tmp_path, **{name: text})
    assert panel.y.sum() == UNITS
    assert panel.num_series == 2
    assert sales_of(report).rows_in == len(SOLD)


def test_an_order_without_lines_is_left_out_and_told(tmp_path):
    orders = [
        *orders_of_a_shop(),
        {"id": 1, "created_at": "2024-01-05T10:00:00Z", "line_items": []},
    ]
    report, panel, told = tried(tmp_path, orders__json=json.dumps(orders))
    assert panel.y.sum() == UNITS
    assert sales_of(report).rows_in == len(SOLD)
    assert "1 orders have none and are left out" in told


@pytest.mark.parametrize(
    "form", ["{w:02d}/{y}", "{y}/{w:02d}", "{w:02d}.{y}", "KW{w:02d}/{s}", "{w}-{y}"]
)
def test_a_week_and_its_year_without_a_word_are_a_week_where_the_column_says_so(tmp_path, form):
    rows = [f"{form.format(w=w, y=2024, s=24)};A;{w}" for w in range(2, 20)]
    report, panel, _ = tried(tmp_path, absatz__csv=lines("KW;Artikel;Menge", *rows))
    assert (report.frequency, report.first) == ("W-MON", "2024-01-08")
    assert panel.y.tolist() == [list(range(2, 20))]


def test_periods_of_four_and_five_weeks_are_months_and_it_is_said(tmp_path):
    starts = ["2024-01-29", "2024-02-26", "2024-03-25", "2024-04-29", "2024-05-27", "2024-06-24",
              "2024-07-29", "2024-08-26", "2024-09-23", "2024-10-28", "2024-11-25",
              "2024-12-23"]  # fmt: skip
    rows = [f"{day};A;{n}" for n, day in enumerate(starts, start=1)]
    report, _, told = tried(tmp_path, sales__csv=lines("period_start;sku;qty", *rows))
    assert report.frequency == "MS"
    assert "4-4-5" in told


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_two_bytes_a_sign_without_a_mark_are_read(tmp_path, encoding):
    _, panel, _ = tried(tmp_path, sales__csv=SALES.encode(encoding))
    assert panel.y.sum() == UNITS


def test_a_text_of_fixed_width_is_cut_where_all_lines_are_blank(tmp_path):
    rows = [("Datum", "Artikel", "Text", "Menge")]
    rows += [(f"{d:%d.%m.%Y}", p, f"Tee {p} fein", 1000 * n) for d, p, n in SOLD]
    text = "".join(f"{d:<12}{p:<9}{name:<20}{n:>8}\n" for d, p, name, n in rows)
    report, panel, told = tried(tmp_path, verkauf__txt=text)
    assert panel.y.sum() == 1000 * UNITS
    assert sorted(panel.series["product"]) == ["1001", "1002"]
    assert "is a text of fixed width" in told
    assert sales_of(report).rows_in == len(SOLD)


def test_what_came_back_in_a_column_of_its_own_is_taken_off_and_told(tmp_path):
    text = written(
        "date,sku,qty_sold,qty_returned", lambda d, p, n, k: f"{d:%Y-%m-%d},{p},{n},{k % 2}"
    )
    _, panel, told = tried(tmp_path, sales__csv=text)
    assert panel.y.sum() == UNITS - 30
    assert "qty_returned of sales is taken off qty_sold" in told


def test_places_that_differ_in_zeros_alone_are_told(tmp_path):
    text = written(
        "date,sku,store,qty",
        lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{'001' if p == '1001' else '1'},{n}",
    )
    _, _, told = tried(tmp_path, sales__csv=text)
    assert "1 places are named like another but for zeros" in told
