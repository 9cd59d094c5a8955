"""Who supplies whom: from files to lanes and items; what cannot be is set aside by name."""

import numpy as np
import pandas as pd
import pytest

from invopt.lanes import on_circle, plain_lanes, supplied
from invopt.sources import Mapping, load_mapping, read_dataset, read_position
from invopt.sources.proposal import write_mapping
from invopt.sources.terms import read_terms
from tests.builders import write_files

SALES = "date,store,sku,qty\n" + "".join(
    f"2024-01-0{day},{store},{sku},{day}\n"
    for day in (1, 2, 3)
    for store in ("s1", "s2", "s3")
    for sku in ("a", "b")
)
PRODUCTS = "sku,store,cost,by\n" + "".join(
    f"{sku},{store},2,\n" for store in ("s1", "s2", "s3") for sku in ("a", "b")
)
STOCK = "sku,store,n\na,s1,4\nb,s1,4\na,DC,90\n"
MAPPING = {
    "name": "t", "frequency": "D", "unique_id": "sku || '_' || store",
    "sources": {"lines": "lines.csv", "products": "products.csv", "lanes": "lanes.csv",
                "stock": "stock.csv"},
    "sales": {"from": "lines", "ds": "date", "columns": {"y": "qty"}},
    "products": {"from": "products", "columns": {
        "product": "sku", "location": "store", "unit_cost": "cost", "supplied_by": "by"}},
    "position": {"from": "stock", "columns": {"on_hand": "n"}},
}  # fmt: skip
COLUMNS = ("source", "location", "lead_time")


def read(tmp_path, lanes="", rows=PRODUCTS, columns=COLUMNS, **sections):
    mapping = MAPPING | {"lanes": {"from": "lanes", "columns": {c: c for c in columns}}} | sections
    if not lanes:
        del mapping["lanes"]
    data = write_files(
        tmp_path / "data", lines_csv=SALES, products_csv=rows, lanes_csv=lanes or "x\n1\n",
        stock_csv=STOCK,
    )  # fmt: skip
    report = read_dataset(Mapping.model_validate(mapping), data, tmp_path / "out")
    tables = read_terms(tmp_path / "out")
    account = next((a for a in report.accounting if a.table == "lanes"), None)
    return tables, account, report


def test_a_source_that_sells_nothing_has_an_item_for_each_product_it_supplies(tmp_path):
    tables, account, report = read(
        tmp_path, "source,location,lead_time\nDC,s1,2\nDC,s2,2\nDC,s3,1\nACME,DC,7\n"
    )
    assert account.quarantined == {}
    assert tables.nodes[["unique_id", "product", "location"]].to_dict("records") == [
        {"unique_id": "a_DC", "product": "a", "location": "DC"},
        {"unique_id": "b_DC", "product": "b", "location": "DC"},
    ]
    assert report.num_series == 6
    position, _ = read_position(tmp_path / "out")
    assert position.set_index("unique_id")["on_hand"].to_dict() == {
        "a_DC": 90.0, "a_s1": 4.0, "b_s1": 4.0,
    }  # fmt: skip


def test_what_cannot_be_a_lane_is_set_aside_by_name_and_the_rest_is_used(tmp_path):
    text = (
        "source,location,lead_time,kind\nDC,s1,2,\nDC,s2,,\nDC,DC,1,\nX,Y,1,\nY,X,1,\nX,s3,1,\n"
        "DC,nowhere,1,\nDC,s1,3,\nDC,s2,1.5,\nDC,s2,2,by air\n,s2,1,\n"
    )
    tables, account, report = read(tmp_path, text, columns=(*COLUMNS, "kind"))
    assert account.rows_in == account.rows_used + sum(account.quarantined.values()) == 11
    assert account.quarantined == {
        "the lane has no lead time": 1,
        "the place supplies itself": 1,
        "lead_time is not whole periods, 0 or more": 1,
        "kind is none of supply, cross_dock, transfer": 1,
        "source is empty or cannot be read": 1,
        "nothing is sold where it leads, and nothing is supplied from there": 1,
        "another lane has the same source, place and product": 1,
        "it is part of a circle of places that supply each other (X, Y)": 2,
    }
    assert tables.lanes[["source", "location"]].to_numpy().tolist() == [["DC", "s1"], ["X", "s3"]]
    assert any("2 series at 1 places (s2) have no source" in note for note in report.notes)


def test_a_lane_that_can_carry_nothing_and_one_that_moves_from_nowhere_are_set_aside(tmp_path):
    text = (
        "source,location,lead_time,kind,pack_size,min_units,capacity\n"
        "DC,s1,2,,12,,6\nDC,s2,2,,,50,20\nDC,s3,2,,12,,24\nACME,DC,7,,,,0\n"
        "s9,s3,1,transfer,,,\nDC,s3,1,transfer,,,\ns2,s3,1,transfer,,,\n"
    )
    columns = (*COLUMNS, "kind", "pack_size", "min_units", "capacity")
    tables, account, _ = read(tmp_path, text, columns=columns)
    assert account.quarantined == {
        "no whole number of packs lies between its minimum and its capacity": 2,
        "stock cannot be moved from a place that sells nothing": 2,
    }
    used = tables.lanes[["source", "location"]].to_numpy().tolist()
    assert used == [["DC", "s3"], ["ACME", "DC"], ["s2", "s3"]]


def test_a_circle_that_leads_to_no_series_is_told_as_one(tmp_path):
    text = "source,location,lead_time\nDC,s1,2\nX,Y,1\nY,X,1\nX,Z,1\n"
    tables, account, _ = read(tmp_path, text)
    assert account.quarantined == {
        "it is part of a circle of places that supply each other (X, Y)": 2,
        "nothing is sold where it leads, and nothing is supplied from there": 1,
    }
    assert tables.lanes[["source", "location"]].to_numpy().tolist() == [["DC", "s1"]]


def test_a_second_source_of_a_place_supplies_nothing_and_is_named(tmp_path):
    text = "source,location,lead_time\nDC,s1,2\nDC2,s1,3\nDC,s2,2\nDC,s3,2\nACME,DC,7\n"
    _, account, report = read(tmp_path, text)
    assert account.quarantined == {}
    told = [note for note in report.notes if note.startswith("lanes:")]
    assert len(told) == 1
    assert "1 supply nothing" in told[0]
    assert "(DC2 to s1)" in told[0]


def test_supplied_by_of_products_makes_lanes_with_the_products_own_lead_times(tmp_path):
    rows = "sku,store,cost,by,lead\n" + "".join(
        f"{sku},{store},2,{by},{lead}\n"
        for sku in ("a", "b")
        for store, by, lead in (("s1", "DC", 2), ("s2", "s2", 2), ("s3", "DC", ""))
    )
    columns = MAPPING["products"]["columns"] | {"lead_time": "lead"}
    tables, _, report = read(tmp_path, rows=rows, products={"from": "products", "columns": columns})
    assert tables.lanes[["source", "location", "product", "lead_time"]].to_numpy().tolist() == [
        ["DC", "s1", "", 2.0]
    ]
    told = "\n".join(report.notes)
    assert "2 series are supplied by the place itself (e.g. a at s2 from s2)" in told
    assert "2 series are on a lane without a lead time (e.g. a at s3 from DC)" in told
    assert list(tables.nodes["unique_id"]) == ["a_DC", "b_DC"]


@pytest.mark.parametrize("launches", [False, True])
def test_product_rows_of_a_warehouse_are_its_items_and_no_launches(tmp_path, launches):
    products = PRODUCTS + "a,DC,1.5,\nb,DC,1.6,\n"
    tables, _, report = read(
        tmp_path, "source,location,lead_time\nDC,s1,2\n", rows=products,
        products=MAPPING["products"] | {"launches": launches},
    )  # fmt: skip
    assert report.num_series == 6
    assert tables.nodes.set_index("unique_id")["unit_cost"].to_dict() == {"a_DC": 1.5, "b_DC": 1.6}


def test_a_mapping_without_lanes_has_no_network(tmp_path):
    tables, _, _ = read(tmp_path)
    assert tables.lanes is None
    assert tables.nodes is None


def test_the_lane_of_the_product_and_the_named_source_go_first():
    lanes = plain_lanes(
        pd.DataFrame(
            {"source": ["W", "V", "W", "S"], "location": ["S", "S", "S", "T"],
             "product": ["", "", "b", ""], "kind": ["", "", "", "transfer"]}
        )
    )  # fmt: skip
    items = pd.DataFrame(
        {"unique_id": list("1234"), "product": ["a", "b", "c", "a"],
         "location": ["S", "S", "S", "T"], "supplied_by": ["", "", "V", ""]}
    )  # fmt: skip
    assert supplied(items, lanes).lane.tolist() == [0, 2, 1, -1]


def test_only_the_items_of_a_circle_are_on_it():
    lanes = plain_lanes(pd.DataFrame({"source": list("XYZX"), "location": list("YZXS")}))
    items = pd.DataFrame({"unique_id": list("1234"), "product": "a", "location": list("XYZS")})
    assert on_circle(supplied(items, lanes)).tolist() == [True, True, True, False]
    assert np.array_equal(supplied(items, lanes.iloc[[0, 1, 3]].reset_index(drop=True)).depth,
                          [2, 1, 0, 0])  # fmt: skip


def test_init_mapping_takes_a_file_of_lanes_for_what_it_is(tmp_path):
    sales = "date,store,sku,qty\n" + "".join(
        f"2024-01-{day:02d},{store},{sku},{day % 5 + 1}\n"
        for day in range(1, 29)
        for store in ("s1", "s2")
        for sku in ("a", "b")
    )
    data = write_files(
        tmp_path / "data", sales_csv=sales,
        lanes_csv="source,store,lead_time,capacity\nDC,s1,2,500\nDC,s2,3,500\nACME,DC,7,\n",
    )  # fmt: skip
    write_mapping(data, tmp_path / "first.yaml")
    mapping = load_mapping(tmp_path / "first.yaml")
    assert mapping.lanes is not None
    assert {c: e.expr for c, e in mapping.lanes.columns.items()} == {
        "source": "source", "location": "store", "lead_time": "lead_time", "capacity": "capacity",
    }  # fmt: skip
    read_dataset(mapping, data, tmp_path / "out")
    assert list(read_terms(tmp_path / "out").nodes["unique_id"]) == ["a_DC", "b_DC"]
