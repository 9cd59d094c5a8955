"""Lead times of files in periods, and what a list of stock says of its products."""

import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.sources.proposal import write_mapping
from tests.builders import write_files

WEEKS, DAYS, MONTHS = (
    pd.date_range("2023-01-02", periods=60, freq="W-MON"),
    pd.date_range("2024-01-01", periods=90),
    pd.date_range("2021-01-01", periods=40, freq="MS"),
)
PRODUCTS = ("A1", "A2", "A3")


def lines(header, *rows):
    return "\n".join([header, *rows]) + "\n"


def sales(dates, *, place=False):
    rng = np.random.default_rng(1)
    header = "date,item,store,qty" if place else "date,item,qty"
    return lines(
        header,
        *(
            f"{d.date()},{p},{'S1,' if place else ''}{rng.poisson(20)}"
            for p in PRODUCTS
            for d in dates
        ),
    )


def guessed(tmp_path, dates, stock, *, place=False, **more):
    files = {"sales_csv": sales(dates, place=place), "stock_csv": stock} | more
    told = write_mapping(write_files(tmp_path / "data", **files), tmp_path / "first.yaml")
    return yaml.safe_load((tmp_path / "first.yaml").read_text()), "\n".join(told)


def stock(name, *values):
    rows = zip(PRODUCTS, values, strict=True)
    return lines(f"item,on_hand,{name}", *(f"{p},5,{v}" for p, v in rows))


@pytest.mark.parametrize(
    ("dates", "name", "values", "expr"),
    [
        (WEEKS, "lead_time_days", (10, 14, 3), "ceil(num(lead_time_days) / 7)"),
        (WEEKS, "Lieferzeit (Tage)", (10, 14, 3), "ceil(num(\"Lieferzeit (Tage)\") / 7)"),
        (WEEKS, "PLIFZ", (10, 14, 3), "ceil(num(PLIFZ) / 7)"),
        (WEEKS, "lead_time_weeks", (1, 2, 3), "lead_time_weeks"),
        (DAYS, "lead_time_weeks", (1, 2, 3), "ceil(num(lead_time_weeks) * 7)"),
        (DAYS, "lead_time", (7, 14, 21), "lead_time"),
        (WEEKS, "lead_time", (7, 14, 28), "ceil(num(lead_time) / 7)"),
        (MONTHS, "lead_time", (14, 45, 10), "ceil(num(lead_time) / 31)"),
        (WEEKS, "lead_time", (2, 3, 2), "lead_time"),
        (WEEKS, "lead_time", ("14 days", "1 day", "21 days"),
         "ceil(num(regexp_extract(lead_time, '[0-9]+([.][0-9]+)?')) / 7)"),
    ],
)  # fmt: skip
def test_lead_times_are_read_in_periods_by_their_name_their_cells_or_their_values(
    tmp_path, dates, name, values, expr
):
    mapping, _ = guessed(tmp_path, dates, stock(name, *values))
    assert mapping["position"]["columns"]["lead_time"] == expr


def test_a_lead_time_of_no_known_unit_is_told_with_what_to_write(tmp_path):
    _, told = guessed(tmp_path, WEEKS, stock("lead_time", 2, 3, 2))
    assert (
        "lead_time of position is 2 to 3, taken as weeks: where it counts days, write "
        "ceil(num(lead_time) / 7)"
    ) in told


def test_lead_times_of_suppliers_and_products_are_converted_too(tmp_path):
    mapping, told = guessed(
        tmp_path, WEEKS, lines("item,on_hand", *(f"{p},5" for p in PRODUCTS)),
        products_csv=lines("item,supplier,lead_time_days", "A1,L1,9", "A2,L1,9", "A3,L2,30"),
        suppliers_csv=lines("supplier,lead_time_days,min_value", "L1,10,100", "L2,20,0"),
    )  # fmt: skip
    assert mapping["products"]["columns"]["lead_time"] == "ceil(num(lead_time_days) / 7)"
    assert mapping["suppliers"]["columns"]["lead_time"] == "ceil(num(lead_time_days) / 7)"
    assert "lead_time of suppliers counts days, and is read as weeks, rounded up" in told


def test_costs_packs_and_suppliers_in_a_list_of_stock_describe_its_products(tmp_path):
    listed = lines(
        "item,on_hand,lead_time_days,pack_size,unit_cost,price,supplier,bin",
        "A1,5,3,6,2.5,4,L1,R7", "A2,9,3,12,1.5,3,L1,R8", "A3,0,3,1,9,12,L2,R9",
    )  # fmt: skip
    mapping, told = guessed(tmp_path, DAYS, listed)
    columns = mapping["products"]["columns"]
    assert columns == {
        "product": "item", "pack_size": "pack_size", "unit_cost": "unit_cost",
        "list_price": "price", "supplier": "supplier",
    }  # fmt: skip
    assert "products: 3 of 3 rows used" in told
    assert "position: 3 of 3 rows used" in told


def test_a_list_of_stock_by_product_and_place_describes_each_of_them(tmp_path):
    listed = lines(
        "item,store,on_hand,unit_cost", "A1,S1,5,2.5", "A2,S1,9,1.5", "A3,S1,0,9",
    )  # fmt: skip
    mapping, told = guessed(tmp_path, DAYS, listed, place=True)
    assert mapping["products"]["columns"]["unit_cost"] == "unit_cost"
    assert 's."store"' in mapping["sources"]["series"]["sql"]
    assert "products: 3 of 3 rows used" in told


def test_costs_in_a_list_of_stock_beside_a_file_of_products_are_told(tmp_path):
    _, told = guessed(
        tmp_path, DAYS, lines("item,on_hand,unit_cost", *(f"{p},5,2" for p in PRODUCTS)),
        products_csv=lines("item,category", "A1,x", "A2,x", "A3,y"),
    )  # fmt: skip
    assert "unit_cost of stock (stock.csv) is not mapped: products are mapped from another" in told
