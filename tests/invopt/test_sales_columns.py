"""What init-mapping makes of a single table that holds more than what was sold."""

import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.panel import load_panel
from invopt.sources import load_mapping, read_dataset
from invopt.sources.proposal import write_mapping
from tests.invopt.test_odd_exports import lines, tried

DAYS = range(1, 31)


def table(head, cell, products=("A1", "A2", "A3"), shops=("North", "South")):
    """Return a table of 30 days whose quantity is 1 to 5 and whose other cells a function gives."""
    rows = [
        f"2024-03-{day:02d},{product},{shop},{1 + day % 5},{cell(day, product, shop)}"
        for day in DAYS
        for product in products
        for shop in shops
    ]
    return lines(f"date,product,shop,quantity,{head}", *rows)


def mapped(folder, text):
    report, config, told = tried(folder, daily__csv=text)
    return load_mapping(folder / "m.yaml"), report, config, told


def test_stock_at_the_end_of_each_day_is_stock_and_the_latest_is_that_of_today(tmp_path):
    text = table("closing_stock", lambda day, product, shop: 40 - day)
    mapping, report, _, told = mapped(tmp_path, text)
    [stock] = mapping.stock
    assert stock.columns["on_hand"].expr == "closing_stock"
    assert report.sums["position.on_hand"] == 6 * 10
    assert "the latest closing_stock of daily is taken as the stock of today" in told


def test_stock_that_nobody_sold_more_of_is_counted_before_the_sales(tmp_path):
    text = table("Inventory Level", lambda day, product, shop: max(1 + day % 5, 4))
    _, report, _, told = mapped(tmp_path, text)
    assert report.sums["position.on_hand"] == 6 * 3  # of day 30: 4, of which 1 is sold
    assert "Inventory Level is read as the stock before a period's quantity" in told


def test_stock_of_an_opening_is_before_the_sales_by_its_name(tmp_path):
    text = table("opening_stock", lambda day, product, shop: 50)
    _, report, _, _ = mapped(tmp_path, text)
    assert report.sums["position.on_hand"] == 6 * 49


def test_a_flag_of_what_is_sold_out_is_no_level_of_stock(tmp_path):
    text = table("is_stockout", lambda day, product, shop: int(day % 7 == 0))
    mapping, report, _, _ = mapped(tmp_path, text)
    [stock] = mapping.stock
    assert set(stock.columns) == {"in_stock"}
    assert stock.columns["in_stock"].expr == "1 - num(is_stockout)"
    assert mapping.position is None
    assert "position.on_hand" not in report.sums


@pytest.mark.parametrize("name", ["stockout_bits", "stock_hours", "safety_stock", "stock_cover"])
def test_what_only_sounds_of_stock_is_not_read_and_told(tmp_path, name):
    text = table(name, lambda day, product, shop: day * 7 % 24)
    mapping, _, _, told = mapped(tmp_path, text)
    assert mapping.stock == ()
    assert mapping.position is None
    assert f"not read of daily (daily.csv): {name}" in told


def test_what_no_day_changes_describes_products_and_a_number_of_each_series_does_not(tmp_path):
    lead = {"A1": 2, "A2": 3, "A3": 2}
    size = {"North": 350.5, "South": 800.25}
    text = table(
        "category_id,lead_time,shop_size,series_no",
        lambda day, product, shop: (
            f"{product[1]},{lead[product]},{size[shop]},{int(product[1]) * 2 + len(shop) % 2}"
        ),
    ).replace("series_no", "ranking")
    mapping, _, _, _ = mapped(tmp_path, text)
    columns = mapping.products.columns
    assert {"category_id", "lead_time", "shop_size"} <= set(columns)
    assert columns["shop_size"].type == "number"


def test_columns_go_to_whom_their_values_are_the_same_for(tmp_path):
    text = table(
        "promo,temperature,holiday,competitor_price,sky",
        lambda day, product, shop: (
            f"{int((day + len(shop) + int(product[1])) % 6 == 0)},{day + len(shop) / 8},"
            f"{int(day == 29)},{day * 0.5 + int(product[1])},{'sun' if day % 3 else 'rain'}"
        ),
        shops=("North", "Southend"),
    )
    mapping, report, _, _ = mapped(tmp_path, text)
    levels = {
        name: (section, table_.level)
        for section in ("promotions", "market", "external")
        for table_ in getattr(mapping, section)
        for name in (*table_.columns, *table_.one_hot)
    }
    assert levels == {
        "promo": ("promotions", "unique_id"),
        "temperature": ("external", "location"),
        "holiday": ("external", "all"),
        "sky": ("external", "all"),
        "competitor_price": ("market", "product"),
    }
    assert {a.table: a.rows_used for a in report.accounting}["market"] == 3 * 30


def test_the_first_forecast_does_not_see_what_is_known_afterwards_only(tmp_path):
    text = table("price,temperature", lambda day, product, shop: f"{2 + day % 3},{day * 0.75}")
    _, _, _, told = mapped(tmp_path, text)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["features"]["channels"] == ["*", "!temperature"]
    assert "temperature are known afterwards only and kept out of the forecast" in told


def test_parts_of_the_date_money_and_numbers_of_lines_are_neither_read_nor_told(tmp_path):
    text = table(
        "weekday,Month,year,revenue",
        lambda day, product, shop: f"{day % 7},3,2024,{day * 17.35}",
    )
    mapping, _, _, told = mapped(tmp_path, text)
    assert (mapping.market, mapping.external, mapping.promotions) == ((), (), ())
    assert "not read" not in told


def test_a_holiday_that_another_file_knows_ahead_is_read_from_there(tmp_path):
    days = [f"2024-03-{day:02d}" for day in DAYS] + [f"2024-04-{day:02d}" for day in range(1, 31)]
    weather = lines("date,temperature,is_holiday", *(f"{day},7.5,{int('-29' in day)}"
                                                     for day in days))  # fmt: skip
    _, _, told = tried(
        tmp_path,
        daily__csv=table("is_holiday", lambda day, product, shop: int(day == 29)),
        weather__csv=weather,
    )
    mapping = load_mapping(tmp_path / "m.yaml")
    known = {name: t.known for t in mapping.external for name in (*t.columns, *t.one_hot)}
    assert known == {"temperature": False, "is_holiday": True}
    assert "is_holiday of weather reaches beyond the last sales and is taken as known ahead" in told


def test_plans_in_rows_without_sales_after_the_last_sale_are_known_ahead(tmp_path):
    text = table("promo,footfall", lambda day, product, shop: f"{int(day % 6 == 0)},{day * 1.5}")
    ahead = [
        f"2024-04-{day:02d},{product},{shop},,{int(day == 3)},"
        for day in range(1, 15)
        for product in ("A1", "A2", "A3")
        for shop in ("North", "South")
    ]
    mapping, report, _, told = mapped(tmp_path, text + "\n".join(ahead) + "\n")
    assert str(report.last)[:10] == "2024-03-30"
    [plans] = mapping.promotions
    assert plans.known
    [others] = [*mapping.external, *mapping.market, *mapping.customers]
    assert not others.known
    assert "promo of daily reaches beyond the last sales and is taken as planned ahead" in told


@pytest.mark.parametrize(
    ("paid", "none", "read"),
    [((0.8, 1, 1), 0.0, 0.2), ((80, 100, 100), 0.0, 20.0), ((0.2, 0, 0), 0.0, 0.2)],
)
def test_a_discount_that_is_usually_the_whole_price_is_the_share_that_is_paid(
    tmp_path, paid, none, read
):
    rows = [
        f"{day:%Y-%m-%d},P{n},{5 + n},{paid[(k + n) % 3]}"
        for k, day in enumerate(pd.date_range("2024-01-01", periods=60))
        for n in range(3)
    ]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("\n".join(["date,product,units,discount", *rows]))
    told = write_mapping(tmp_path / "data", tmp_path / "m.yaml")
    is_told = any("read as the share of the price that is paid" in line for line in told)
    assert is_told is (paid[1] != 0)
    read_dataset(load_mapping(tmp_path / "m.yaml"), tmp_path / "data", tmp_path / "panel")
    discount = load_panel(tmp_path / "panel").channels["discount"]
    found = np.unique(np.asarray(discount.until(70)).round(4))
    assert found.tolist() == pytest.approx([none, read])
