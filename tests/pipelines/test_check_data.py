"""`invopt check-data`: every row told, nothing trained."""

import json

import pandas as pd
import pytest

from pipelines.cli import main
from tests.builders import write_files

MAPPING = """
name: shop
frequency: D
unique_id: sku
sources: {lines: lines.csv, stock: stock.csv}
sales:
  from: lines
  ds: day
  columns: {y: qty}
  layout: transactions
  where: status <> 'cancelled'
position: {from: stock, columns: {on_hand: on_hand, on_order: on_order}}
"""
LINES = """day,sku,qty,status
2024-01-01,a,3,ok
2024-01-01,a,2,ok
2024-01-02,a,1,cancelled
2024-01-04,a,4,ok
2024-01-01,b,7,ok
2024-01-03,b,x,ok
2024-01-04,b,5,ok,too,many
"""
STOCK = "sku,on_hand,on_order\na,10,2\nb,5,0\n"


def checked(tmp_path, mapping=MAPPING, **files):
    """Return the exit status of check-data and its account."""
    data = write_files(tmp_path / "data", **({"lines_csv": LINES, "stock_csv": STOCK} | files))
    (tmp_path / "mapping.yaml").write_text(mapping)
    out = tmp_path / "out"
    status = main(
        ["check-data", "--mapping", str(tmp_path / "mapping.yaml"), "--data", str(data),
         "--out", str(out)]
    )  # fmt: skip
    return status, json.loads((out / "account.json").read_text())


def test_every_row_every_cell_and_the_sums_are_told(tmp_path):
    status, account = checked(tmp_path)
    assert status == 1  # two of six lines are faulty
    assert (account["frequency"], account["first"], account["last"]) == (
        "D", "2024-01-01", "2024-01-04"
    )  # fmt: skip
    assert account["num_series"] == 2
    assert account["sources"] == {
        "lines": {"rows_in": 7, "rows_used": 4, "rows_set_aside": 2, "rows_filtered": 1},
        "stock": {"rows_in": 2, "rows_used": 2, "rows_set_aside": 0, "rows_filtered": 0},
    }
    # a sold on two days, b on one; b's refused record is unknown, the others read as no sale.
    assert account["cells"] == {"observed": 3, "zero": 4, "unknown": 1}
    assert account["sums"] == {
        "sales.y": 16.0,
        "position.on_hand": 15.0,
        "position.on_order": 2.0,
        "position.backorders": 0.0,
        "open_orders.quantity": 0.0,
    }


def test_what_is_refused_in_a_run_is_a_check_that_fails_here(tmp_path, capsys):
    status, account = checked(tmp_path)
    failed = [check for check in account["checks"] if not check["passed"]]
    assert status == 1
    assert [check["name"] for check in failed] == ["faulty sales"]
    assert failed[0]["message"] in capsys.readouterr().err
    aside = pd.read_parquet(tmp_path / "out" / "quarantine.parquet")
    assert sorted(aside["reason"]) == ["line is malformed: TOO MANY COLUMNS", "y is not a number"]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("2024-01-04,b", "line is malformed: MISSING COLUMNS"),
        ("2024-01-04,b,5,ok,too,many", "line is malformed: TOO MANY COLUMNS"),
        ("printed by the till on Monday", "its row holds nothing, or one remark"),
    ],
)
def test_a_last_row_that_is_cut_off_or_too_long_is_no_remark(tmp_path, last, reason):
    sound = LINES.replace("2024-01-03,b,x,ok\n2024-01-04,b,5,ok,too,many\n", f"{last}\n")
    checked(tmp_path, lines_csv=sound)
    assert list(pd.read_parquet(tmp_path / "out" / "quarantine.parquet")["reason"]) == [reason]


def test_sound_data_end_with_status_0_and_a_page(tmp_path):
    sound = "day,sku,qty,status\n2024-01-01,a,3,ok\n2024-01-02,b,2,ok\n"
    status, account = checked(tmp_path, lines_csv=sound)
    assert status == 0
    assert all(check["passed"] for check in account["checks"])
    page = (tmp_path / "out" / "index.html").read_text()
    for words in (
        "Data quality",
        "left out by where",
        "What cleaning did",
        "Data checks<",
        " passed</summary>",
    ):
        assert words in page


def test_data_of_which_nothing_can_be_used_leave_an_account_that_says_why(tmp_path, capsys):
    status, account = checked(tmp_path, lines_csv="day,sku,qty,status\n")
    assert status == 1
    assert account["num_series"] == 0
    assert account["checks"][0]["name"] == "readable"
    assert not account["checks"][0]["passed"]
    assert "sales (lines) has no usable row: it is empty" in account["checks"][0]["message"]
    assert account["checks"][0]["message"] in capsys.readouterr().err


@pytest.mark.parametrize("what", ["data", "out"])
def test_a_folder_that_is_none_is_named(tmp_path, capsys, what):
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "data").mkdir()
    (tmp_path / "file").write_text("")
    given = {"data": tmp_path / "data", "out": tmp_path / "out", what: tmp_path / "file"}
    status = main(
        ["check-data", "--mapping", str(tmp_path / "mapping.yaml"), "--data", str(given["data"]),
         "--out", str(given["out"])]
    )  # fmt: skip
    assert status == 1
    assert f"--{what} {tmp_path / 'file'}" in capsys.readouterr().err


def test_an_account_is_written_whole_or_not_at_all(tmp_path, capsys):
    checked(tmp_path)
    out = tmp_path / "out"
    (out / "index.html").unlink()
    (out / "index.html").mkdir()  # keeps the page away, as a full disk would
    before = (out / "account.json").read_bytes(), (out / "quarantine.parquet").read_bytes()
    status, _ = checked(tmp_path, stock_csv=STOCK.replace("10", "20"))
    assert status == 1
    assert "Is a directory: name a place that can be written" in capsys.readouterr().err
    after = (out / "account.json").read_bytes(), (out / "quarantine.parquet").read_bytes()
    assert after == before
    assert len(list(out.iterdir())) == 3


NETWORK = """
name: shop
frequency: D
unique_id: sku || '_' || store
sources: {lines: lines.csv, lanes: lanes.csv}
sales: {from: lines, ds: day, columns: {y: qty}}
products: {from: lines, columns: {product: sku, location: store}}
lanes: {from: lanes, columns: {source: source, location: store, lead_time: days}}
"""


def test_lanes_that_cannot_be_are_named_and_set_aside_and_a_place_without_a_source_is_told(
    tmp_path, capsys
):
    lines = "day,sku,store,qty\n" + "".join(
        f"2024-01-0{day},a,{store},{day}\n" for day in (1, 2, 3) for store in ("s1", "s2", "s3")
    )
    lanes = "source,store,days\nDC,s1,2\nDC,s2,\nX,Y,1\nY,X,1\nACME,DC,7\n"
    _, account = checked(tmp_path, NETWORK, lines_csv=lines, lanes_csv=lanes)
    counts = account["sources"]["lanes"]
    assert (counts["rows_in"], counts["rows_used"], counts["rows_set_aside"]) == (5, 2, 3)
    notes = "\n".join(account["notes"])
    assert "2 series at 2 places (s2, s3) have no source: each is planned by itself" in notes
    told = capsys.readouterr().out
    assert "1 the lane has no lead time" in told
    assert "2 it is part of a circle of places that supply each other (X, Y)" in told
    assert account["num_series"] == 3


def test_sales_that_are_all_zero_are_told_where_a_training_is_meant(tmp_path, capsys):
    days = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
    lines = "day,sku,qty,status\n" + "".join(f"{day},{sku},0,ok\n" for day in days for sku in "ab")
    data = write_files(tmp_path / "data", lines_csv=lines, stock_csv=STOCK)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    config = tmp_path / "config.yaml"
    config.write_text("name: shop\ndata: {mapping: mapping.yaml}\n")
    main(["check-data", "--config", str(config), "--data", str(data)])
    assert "a training would refuse this: nothing was sold" in capsys.readouterr().out
