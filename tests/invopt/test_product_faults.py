"""Terms of products that cannot be: told in a sentence, and the others left as they are."""

import pandas as pd
import pytest

from invopt.panel import Panel
from invopt.sources import Mapping, read_dataset, read_position
from invopt.sources.faults import with_faults
from tests.builders import write_files

NAN = float("nan")


def told(**columns) -> list[str]:
    """Return the sentences of two products, the second of which is sound."""
    frame = pd.DataFrame({"product": ["a", "b"], **columns})
    found = with_faults(frame)
    return found["data_fault"].tolist() if "data_fault" in found else ["", ""]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"service_level": [0.9, 0.9], "fill_rate": [0.95, NAN]},
         "service_level and fill_rate are both given, and only one can be met"),
        ({"min_order": [50.0, 5.0], "max_order": [10.0, 10.0]}, "min_order is above max_order"),
        ({"pack_size": [12.0, 6.0], "max_order": [10.0, 10.0]}, "one pack is above max_order"),
        ({"min_order": [50.0, 5.0], "max_stock": [20.0, 20.0]},
         "min_order is above max_stock: no order could be placed"),
        ({"pack_size": [24.0, 6.0], "max_stock": [20.0, 20.0]},
         "one pack is above max_stock: no order could be placed"),
        ({"pack_size": [6.0, 6.0], "min_order": [8.0, 6.0], "max_order": [10.0, 10.0]},
         "no whole number of packs is min_order or more and within max_order and max_stock: "
         "no order could be placed"),
        ({"pack_size": [6.0, 6.0], "min_order": [7.0, 7.0], "max_stock": [11.0, 12.0],
          "max_order": [NAN, 40.0]},
         "no whole number of packs is min_order or more and within max_order and max_stock: "
         "no order could be placed"),
        ({"min_order": [2.5, 2.5], "max_order": [2.8, 3.0]},
         "no whole number of packs is min_order or more and within max_order and max_stock: "
         "no order could be placed"),
        ({"phase_in": ["2024-06-01", "2024-05-01"], "phase_out": ["2024-05-01", "2024-06-01"]},
         "phase_out 2024-05-01 is not after phase_in 2024-06-01"),
        ({"phase_out": ["soon", ""]}, "phase_out is 'soon', and must be a date"),
        ({"successor_of": ["a", ""]}, "successor_of names the product itself"),
        ({"unit_cost": [0.0, 1.0]}, "unit_cost is 0, and must be above 0"),
        ({"list_price": [-1.0, 0.0]}, "list_price is -1, and must be 0 or more"),
        ({"lead_time": [2.5, 2.0]}, "lead_time is 2.5, and must be whole periods, 0 or more"),
        ({"shelf_life": [0.0, 3.0]}, "shelf_life is 0, and must be above 0 periods"),
        ({"fill_rate": [98.0, 0.98]},
         "fill_rate is 98, and must be a share between 0 and 1, such as 0.98"),
        ({"order_cost": [float("inf"), 2.0]}, "order_cost is inf, and must be 0 or more"),
    ],
)  # fmt: skip
def test_a_product_whose_terms_cannot_be_has_a_sentence_and_the_others_none(columns, sentence):
    assert told(**columns) == [sentence, ""]


def test_products_that_succeed_each_other_in_a_circle_are_told_each():
    frame = pd.DataFrame({"product": ["a", "b", "c"], "successor_of": ["b", "a", "b"]})
    found = with_faults(frame)
    assert found["data_fault"].tolist() == [
        "successor_of goes in a circle: a -> b -> a",
        "successor_of goes in a circle: b -> a -> b",
        "",
    ]
    assert found["successor_of"].tolist() == ["unknown", "unknown", "b"]


def test_two_faults_of_one_product_are_told_in_one_sentence():
    assert told(pack_size=[0.0, 1.0], unit_cost=[-2.0, 1.0]) == [
        "unit_cost is -2, and must be above 0; pack_size is 0, and must be above 0", ""
    ]  # fmt: skip


def test_an_arrival_without_a_date_is_set_aside_and_counted_and_the_others_count(tmp_path):
    data = write_files(
        tmp_path / "data",
        lines_csv="date,sku,qty\n2024-01-01,a,3\n2024-01-02,b,1\n",
        own_csv="sku,due,qty\na,2024-01-04,5\na,,7\nb,someday,9\nb,2024-01-05,2\n",
    )
    mapping = Mapping.model_validate(
        {
            "name": "t", "frequency": "D", "unique_id": "sku",
            "sources": {"lines": "lines.csv", "own": "own.csv"},
            "sales": {"from": "lines", "ds": "date", "columns": {"y": "qty"}},
            "open_orders": {"from": "own", "columns": {"due": "due", "quantity": "qty"}},
        }
    )  # fmt: skip
    report = read_dataset(mapping, data, tmp_path / "out", max_bad_share=1.0)
    account = next(a for a in report.accounting if a.table == "open_orders")
    _, orders = read_position(tmp_path / "out")
    assert orders[["unique_id", "due_in", "quantity"]].to_dict("records") == [
        {"unique_id": "a", "due_in": 2, "quantity": 5.0},
        {"unique_id": "b", "due_in": 3, "quantity": 2.0},
    ]
    assert account.rows_in == 4
    assert sum(account.quarantined.values()) == 2


def test_a_series_that_no_row_of_products_names_does_not_succeed_itself():
    none = {"product": ["unknown", "b"], "successor_of": ["unknown", ""]}
    assert "data_fault" not in with_faults(pd.DataFrame(none))


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("L1,six,2", "its row of products is set aside: pack_size is not a number"),
        ("L1,6,abc", "its row of products is set aside: lead_time is not a number"),
    ],
)
def test_a_product_whose_terms_cannot_be_read_gets_no_order_by_others_and_says_why(
    tmp_path, cell, fault
):
    sales = "item,ds,y\n" + "".join(
        f"{p},2024-01-{day:02d},3\n" for p in "AB" for day in range(1, 31)
    )
    data = write_files(
        tmp_path / "data", sales_csv=sales,
        products_csv=f"item,supplier,pack,lead\nA,{cell}\nB,L1,6,2\n",
    )  # fmt: skip
    mapping = Mapping.model_validate({
        "name": "shop", "frequency": "D", "unique_id": "item",
        "sources": {"sales": "sales.csv", "products": "products.csv"},
        "sales": {"from": "sales", "ds": "ds", "columns": {"y": "y"}},
        "products": {"from": "products", "columns": {
            "product": "item", "supplier": "supplier", "pack_size": "pack", "lead_time": "lead",
        }},
    })  # fmt: skip
    read_dataset(mapping, data, tmp_path / "out", max_bad_share=1.0)
    series = Panel.load(tmp_path / "out" / "part-0000").series.set_index("unique_id")
    assert series.loc["B", "data_fault"] == ""
    assert series.loc["A", "data_fault"].startswith(fault)
