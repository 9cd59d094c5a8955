"""The tables that planning alone reads, from files to frames; what cannot be used is told."""

import pandas as pd
import pytest
import yaml

from invopt.errors import InvalidInputError
from invopt.sources import Mapping, read_dataset
from invopt.sources.proposal import write_mapping
from invopt.sources.terms import read_terms
from tests.builders import write_files

LINES = "date,store,sku,qty\n2024-01-01,s1,a,3\n2024-01-02,s1,a,1\n2024-01-01,s2,b,5\n"
PRODUCTS = "sku,store,group,supplier,pack\na,s1,dairy,North,6\nb,s2,bread,South,0\n"
MAPPING = {
    "name": "t", "frequency": "D", "unique_id": "sku || '_' || store",
    "sales": {"from": "lines", "ds": "date", "columns": {"y": "qty"}},
    "products": {"from": "products", "columns": {
        "product": "sku", "location": "store", "category": '"group"', "supplier": "supplier",
        "pack_size": "pack"}},
}  # fmt: skip


def read(tmp_path, table, text, columns, share=1.0, today=None, **entry):
    mapping = MAPPING | {
        "sources": {"lines": "lines.csv", "products": "products.csv", "own": "own.csv"},
        table: {"from": "own", "columns": columns, **entry},
    }
    data = write_files(tmp_path / "data", lines_csv=LINES, products_csv=PRODUCTS, own_csv=text)
    report = read_dataset(
        Mapping.model_validate(mapping), data, tmp_path / "out", max_bad_share=share,
        today=None if today is None else pd.Timestamp(today),
    )  # fmt: skip
    account = next(a for a in report.accounting if a.table == table)
    return getattr(read_terms(tmp_path / "out"), table), account


def test_suppliers_tell_lead_times_order_days_and_limits(tmp_path):
    text = (
        "name,days,weekdays,least\nNorth,3,Mon Thu,100\nSouth,,Tue,\nNorth,5,Mon,\n"
        "East,2,someday,\nWest,1.5,,\nFar,4,,-1\nBoth,2,1;7,\n"
    )
    found, account = read(
        tmp_path, "suppliers", text,
        {"supplier": "name", "lead_time": "days", "order_days": "weekdays", "min_value": "least"},
    )  # fmt: skip
    assert found[["supplier", "lead_time", "order_days"]].to_dict("records") == [
        {"supplier": "North", "lead_time": 3.0, "order_days": "0,3"},
        {"supplier": "Both", "lead_time": 2.0, "order_days": "0,6"},
    ]
    assert account.rows_in == account.rows_used + sum(account.quarantined.values()) == 7
    assert account.quarantined == {
        "the supplier has no lead time": 1,
        "lead_time is not whole periods, 0 or more": 1,
        "min_value is negative": 1,
        "order_days are no weekdays (Mon to Sun, or 1 to 7)": 1,
        "another row has the same key and period": 1,
    }


def test_receipts_become_lead_times_in_periods(tmp_path):
    text = (
        "who,out,back\nNorth,2023-12-01,2023-12-04\nNorth,2023-12-05,2023-12-03\n"
        "North,someday,2024-01-03\n"
    )
    columns = {"supplier": "who", "ordered": "out", "received": "back"}
    found, account = read(tmp_path, "receipts", text, columns)
    assert found["lead_time"].tolist() == [3]
    assert account.quarantined == {
        "it was received before it was ordered": 1,
        "ordered is empty or cannot be read": 1,
    }


@pytest.mark.parametrize(
    ("today", "used", "reason"),
    [("2024-02-10", 3, "it is dated after today"), (None, 1, "after the last sales period")],
)
def test_receipts_still_to_come_tell_no_lead_time_and_are_no_fault(tmp_path, today, used, reason):
    text = (  # the sales end on 2 January
        "who,out,back\nNorth,2023-12-20,2024-01-03\nNorth,2024-01-20,2024-02-10\n"
        "North,2024-01-21,2024-02-11\nNorth,2024-02-01,2024-02-12\nNorth,2024-02-20,2025-02-20\n"
    )
    columns = {"supplier": "who", "ordered": "out", "received": "back"}
    found, account = read(tmp_path, "receipts", text, columns, today=today)
    assert found["lead_time"].tolist() == [14, 21, 21][:used]
    assert account.quarantined == {reason: 5 - used}
    assert account.bad == 0


@pytest.mark.parametrize(
    ("table", "head", "values"),
    [("price_breaks", "from_quantity,unit_cost", "10,1.5"),
     ("receipts", "ordered,received", "2024-01-01,2024-01-03")],
)  # fmt: skip
def test_each_row_names_a_series_or_a_supplier(tmp_path, table, head, values):
    keys = ("a_s1,", ",North", "nobody,", "nobody,North", ",")
    text = f"series,who,{head}\n" + "".join(f"{key},{values}\n" for key in keys)
    columns = {"unique_id": "series", "supplier": "who"} | {c: c for c in head.split(",")}
    found, account = read(tmp_path, table, text, columns)
    assert found[["unique_id", "supplier"]].fillna("").to_numpy().tolist() == [
        ["a_s1", ""], ["", "North"],
    ]  # fmt: skip
    assert account.quarantined == {
        "its key names no series": 2, "it names neither a series nor a supplier": 1,
    }  # fmt: skip
    del columns["unique_id"]
    found, account = read(tmp_path, table, text, columns)
    assert found["supplier"].tolist() == ["North", "North"]
    assert account.quarantined == {"it names neither a series nor a supplier": 3}


def test_a_calendar_may_write_its_dates_its_own_way(tmp_path):
    text = "shop,day,open\ns1,31.12.2024,0\ns1,01.01.2025,no\n"
    columns = {
        "location": "shop", "ds": {"expr": "day", "format": "%d.%m.%Y"}, "open": "open"
    }  # fmt: skip
    found, _ = read(tmp_path, "calendar", text, columns)
    assert found["open"].tolist() == [False, False]
    assert found["ds"].astype(str).tolist() == ["2024-12-31", "2025-01-01"]


@pytest.mark.parametrize("form", ["columns", "scope"])
def test_overrides_name_series_or_groups_and_keep_who_and_why(tmp_path, form):
    head, rows = {
        "columns": ("unique_id,category", ["a_s1,", ",dairy", "nobody,", ",fish", ","]),
        "scope": ("scope", ["a_s1", "category=dairy", "nobody", "category=fish", ""]),
    }[form]
    lines = [f"{row},2024-01-03,2024-01-09,factor,1.5,Ann,a fair" for row in rows]
    kinds = ["a_s1", ""] if form == "columns" else ["a_s1"]
    bad = [",".join([*kinds, "2024-01-03", "2024-01-09", "magic", "1", "Ann", "x"])]
    bad.append(",".join([*kinds, "", "", "demand", "1", "Ann", "x"]))
    bad.append(",".join([*kinds, "2024-01-09", "2024-01-03", "factor", "1", "Ann", "x"]))
    text = "\n".join([f"{head},start,stop,kind,value,who,why", *lines, *bad, ""])
    columns = {c: c for c in (*head.split(","), "kind", "value", "who", "why")}
    found, account = read(tmp_path, "overrides", text, columns | {"from": "start", "to": "stop"})
    assert len(found) == 2
    assert set(found["who"]) == {"Ann"}
    assert sum(account.quarantined.values()) == 6
    assert account.quarantined["kind is none of demand, factor, order"] == 1
    assert account.quarantined["a demand needs the dates it is for"] == 1
    assert account.quarantined["it ends before it begins"] == 1


def test_one_product_without_a_pack_is_told_and_the_others_are_read(tmp_path):
    read(tmp_path, "receipts", "who,out,back\n",
         {"supplier": "who", "ordered": "out", "received": "back"})  # fmt: skip
    series = pd.read_parquet(tmp_path / "out" / "part-0000" / "series.parquet")
    assert series["data_fault"].tolist() == ["", "pack_size is 0, and must be above 0"]
    assert series["pack_size"].fillna(-1).tolist() == [6.0, -1.0]


@pytest.mark.parametrize(
    ("table", "head", "good", "bad", "reason"),
    [
        ("overrides", "scope,kind,value", "a_s1,factor,2", "nobody,factor,2",
         "its scope names no series"),
        ("suppliers", "supplier,lead_time", "North,3", "South,", "the supplier has no lead time"),
        ("price_breaks", "supplier,from_quantity,unit_cost", "North,10,2", "North,20,0",
         "unit_cost is not above 0"),
    ],
)  # fmt: skip
def test_a_line_that_a_planner_wrote_wrong_is_set_aside_and_stops_nobody(
    tmp_path, table, head, good, bad, reason
):
    columns = {name: name for name in head.split(",")}
    found, account = read(tmp_path, table, f"{head}\n{good}\n{bad}\n", columns, share=0.2)
    assert len(found) == 1
    assert account.quarantined == {reason: 1}


def test_a_table_by_hand_of_which_nothing_is_left_is_refused_but_for_overrides(tmp_path):
    columns = {"scope": "scope", "kind": "kind", "value": "value"}
    text = "scope,kind,value\nnobody,factor,2\n"
    found, _ = read(tmp_path / "o", "overrides", text, columns, share=0.2)
    assert found.empty
    columns = {"supplier": "supplier", "lead_time": "lead_time"}
    with pytest.raises(InvalidInputError, match="suppliers of t are faulty"):
        read(tmp_path / "s", "suppliers", "supplier,lead_time\nNorth,\n", columns, share=0.2)


@pytest.mark.parametrize(
    ("ordered", "came"), [("qty_ordered", "qty_received"), ("Bestellmenge", "Liefermenge")]
)
def test_deliveries_with_both_quantities_are_guessed_as_asked_and_as_come(tmp_path, ordered, came):
    data = write_files(
        tmp_path / "data",
        sales_csv="ds,product,store,units\n"
        + "".join(f"2024-01-{day:02d},P{p},S1,{p + 1}\n" for day in range(1, 29) for p in range(3)),
        deliveries_csv=f"vendor,order_date,receipt_date,{ordered},{came}\n"
        "North,2024-01-02,2024-01-05,12,10\nNorth,2024-01-09,2024-01-12,12,12\n",
    )
    write_mapping(data, tmp_path / "first.yaml")
    columns = yaml.safe_load((tmp_path / "first.yaml").read_text())["receipts"]["columns"]
    assert (columns["ordered_quantity"], columns["quantity"]) == (ordered, came)


def _orders_of(tmp_path, dates):
    mapping = MAPPING | {
        "sources": {"lines": "lines.csv", "products": "products.csv", "orders": "orders.csv"},
        "open_orders": {"from": "orders", "unique_id": "sku || '_s1'",
                        "columns": {"quantity": "qty", "due": "due"}},
    }  # fmt: skip
    rows = "".join(f"a,{due},1\n" for due in dates)
    days = pd.date_range("2023-01-01", periods=365).strftime("%Y-%m-%d")
    sales = LINES + "".join(f"{day},s1,a,1\n" for day in days)
    data = write_files(
        tmp_path / "data", lines_csv=sales, products_csv=PRODUCTS, orders_csv=f"sku,due,qty\n{rows}"
    )
    return read_dataset(Mapping.model_validate(mapping), data, tmp_path / "out")


def test_two_of_six_orders_without_a_date_are_set_aside_and_the_rest_is_read(tmp_path):
    report = _orders_of(tmp_path, ["2024-01-05"] * 4 + [""] * 2)
    [orders] = [a for a in report.accounting if a.table == "open_orders"]
    assert (orders.rows_in, orders.bad) == (6, 2)


@pytest.mark.parametrize("number", [6, 100])
def test_orders_of_which_none_or_of_many_a_third_have_no_date_are_refused(tmp_path, number):
    dates = [""] * 6 if number == 6 else (["2024-01-05", "2024-01-06", ""] * 34)[:number]
    with pytest.raises(InvalidInputError, match="of the rows of open_orders of t are faulty"):
        _orders_of(tmp_path, dates)
