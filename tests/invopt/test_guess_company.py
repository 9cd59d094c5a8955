"""A small company's extracts, as they come: each table finds its place without help."""

import gzip
import re

import numpy as np
import pytest
import yaml

from invopt.cleaning import clean
from invopt.config import CleaningConfig, FeaturesConfig
from invopt.features import FeatureEncoder, derived_channels, feature_names, own_channels
from invopt.panel import load_panel
from invopt.sources import Mapping, load_mapping, read_dataset, read_position
from invopt.sources.proposal import write_mapping
from tests.builders import CONFIGS, write_files

HEADER = "InvoiceDate;Status;Article No;Branch;Qty;Unit Price;Currency\n"
LINES = {
    2023: "30.12.2023;booked;A1;Süd;3;1.204,50;EUR\n31.12.2023;booked;A2;Süd;1;2,50;CHF\n",
    2024: "02.01.2024;booked;A1;Nord;4;1.204,50;EUR\n02.01.2024;cancelled;A1;Nord;9;1,00;EUR\n"
    "02.01.2024;booked;A1;Nord;-1;1.204,50;EUR\n05.01.2024;booked;A2;Nord;2;2,50;EUR\n",
}
FILES = {
    "articles_csv": "article,category,brand,colour,weight,price,shelf_life\n"
    "A1,dry,Own,red,0.5,1300,300\nA2,fresh,Alba,blue,1.25,3,9\n",
    "branches_csv": "branch,region,floor_area\nNord,north,300\nSüd,south,500\n",
    "stock_levels_csv": "article,branch,count_date,closing_stock,reorder_point,lead_time\n"
    "A1,Nord,2024-01-02,0,5,3\nA1,Süd,2024-01-02,7,5,4\n",
    "stock_now_csv": "article,branch,on_hand\nA1,Nord,8\nA2,Nord,3\n",
    "purchase_orders_csv": "article,branch,due,quantity\nA1,Nord,2024-01-09,12\n",
    "promotions_csv": "article,start,end,discount,kind,ad_spend\n"
    "A1,2024-01-01,2024-01-03,0.2,flyer,90\nA2,2024-01-05,,0.1,online,40\n"
    "A2,2023-12-31,2023-12-31,0.1,flyer,20\n",
    "market_csv": "category,month,competitor_price,market_trend,launches\ndry,2023-12-01,9,1.1,0\n"
    "fresh,2023-12-01,4,0.9,2\ndry,2024-01-01,8,1.2,1\nfresh,2024-01-01,5,0.9,0\n",
    "segments_csv": "branch,month,lifetime_value,orders_per_customer,share_families,median_age\n"
    "Nord,2023-12-01,410,3.1,0.4,41\nSüd,2023-12-01,390,2.7,0.5,38\n",
    "economy_csv": "month,cpi,confidence,social_index\n2023-12-01,117,-9,51\n"
    "2024-01-01,118,-8,55\n",
    "weather_csv": "region,date,temperature,event\nnorth,2023-12-31,3,\nsouth,2023-12-31,5,Fair\n"
    "north,2024-01-01,4,\nsouth,2024-01-01,6,\nnorth,2024-02-01,4,\n",
    "customers_csv": "customer,home_branch,age\nK1,Nord,40\nK2,Nord,50\n",
}


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The folder, the mapping written for it, and what was told."""
    folder = tmp_path_factory.mktemp("company")
    data = write_files(folder / "data", **FILES)
    (data / "invoices").mkdir()
    for year, lines in LINES.items():
        (data / "invoices" / f"{year}.csv").write_bytes((HEADER + lines).encode("cp1252"))
    told = write_mapping(data, folder / "first.yaml")
    report = read_dataset(load_mapping(folder / "first.yaml"), data, folder / "out")
    mapping = yaml.safe_load((folder / "first.yaml").read_text())
    return (
        mapping,
        "\n".join(told),
        report,
        load_panel(folder / "out"),
        read_position(folder / "out"),
    )


def test_the_guides_sources_of_sql_bring_an_erps_tables_into_shape(tmp_path):
    guide = (CONFIGS.parent.parent / "docs" / "your-data.md").read_text()
    block = guide.split("a `sql` source brings into shape:")[1].split("`level` names")[0]
    files = {
        "lines": "day,article,branch,customer,qty,amount\n2024-01-30,A1,N,K1,1,10\n"
        "2024-01-31,A1,N,K2,2,20\n2024-02-01,A1,N,K1,1,8\n",
        "articles": "article,category\nA1,dry\n",
        "branches": "branch,region\nN,north\n",
        "customers": "customer,segment\nK1,family\nK2,trade\n",
        "promotions": "article,from,to\nA1,2024-01-31,2024-02-01\n",
    }
    data = write_files(tmp_path / "data", **{f"{name}_csv": text for name, text in files.items()})
    named = {name: f"{name}.csv" for name in files}
    mapping = Mapping.model_validate(
        {
            "name": "mine",
            "frequency": "D",
            "unique_id": "article || '_' || branch",
            "sources": named | yaml.safe_load(block)["sources"],
            "sales": {
                "from": "lines", "layout": "transactions", "ds": "day", "columns": {"y": "qty"},
            },
            "products": {
                "from": "series",
                "columns": {"product": "article", "location": "branch", "region": "region"},
            },
            "promotions": {
                "from": "campaigns", "level": "product", "key": "article", "ds": "day",
                "columns": {"promotion": "1"}, "known": True, "fill": "zero",
            },
            "customers": {
                "from": "buyers", "level": "location", "key": "branch", "ds": "day",
                "columns": {"value": "lifetime_value", "families": "share_families"},
                "fill": "forward",
            },
        }
    )  # fmt: skip
    read_dataset(mapping, data, tmp_path / "out")
    panel = load_panel(tmp_path / "out")
    assert panel.series["region"].tolist() == ["north"]
    assert values(panel, "promotion") == {"A1": [0, 1, 1]}
    assert values(panel, "families")["N"][1:] == [0.5, 0.5]
    assert values(panel, "value")["N"][1:] == [15, 15]


def values(panel, name):
    channel = panel.channels[name]
    return dict(zip(channel.groups, channel.values.tolist(), strict=True))


def test_a_file_per_year_of_another_encoding_is_one_table_with_comma_numbers(company):
    mapping, _, report, panel, _ = company
    assert mapping["sources"]["invoices"] == {"path": "invoices/*.csv", "encoding": "cp1252"}
    assert panel.unique_ids.tolist() == ["A1_Nord", "A1_Süd", "A2_Nord", "A2_Süd"]
    assert (report.first, report.last) == ("2023-12-30", "2024-01-05")
    assert panel.y.sum(axis=1).tolist() == [3, 3, 2, 1]
    assert values(panel, "price")["A1_Süd"][0] == pytest.approx(1204.5)


def test_cancelled_lines_are_left_out_and_several_currencies_told(company):
    mapping, told, _, _, _ = company
    kept = "coalesce(trim(\"Status\"::VARCHAR), '') NOT IN ('cancelled')"
    assert mapping["sales"]["where"] == kept
    assert "invoices has several currencies (EUR, CHF)" in told


def test_files_about_products_and_places_become_attributes_of_the_series(company):
    _, _, report, panel, _ = company
    assert panel.series["category"].tolist() == ["dry", "dry", "fresh", "fresh"]
    assert panel.series["region"].tolist() == ["north", "south", "north", "south"]
    assert panel.series["weight"].tolist() == [0.5, 0.5, 1.25, 1.25]
    assert panel.series["list_price"].tolist() == [1300, 1300, 3, 3]
    assert panel.series["floor_area"].tolist() == [300, 500, 300, 500]
    assert report.bad_share == 0


def test_stock_with_keys_of_other_names_belongs_to_its_series_under_the_contracts_names(company):
    mapping, _, _, panel, (position, orders) = company
    assert mapping["stock"][0]["key"] == "article || '_' || branch"
    assert values(panel, "on_hand")["A1_Süd"][3] == 7
    assert values(panel, "reorder_point")["A1_Nord"][3] == 5
    assert position.to_dict("records") == [
        {"unique_id": "A1_Nord", "on_hand": 8.0},
        {"unique_id": "A2_Nord", "on_hand": 3.0},
    ]
    assert orders.to_dict("records") == [{"unique_id": "A1_Nord", "due_in": 4, "quantity": 12.0}]


def test_a_promotion_from_a_day_to_another_holds_on_every_day_between(company):
    _, _, _, panel, _ = company
    assert values(panel, "promotion")["A1"] == [0, 0, 1, 1, 1, 0, 0]
    assert values(panel, "promotion")["A2"] == [0, 1, 0, 0, 0, 0, 1]
    assert values(panel, "kind=online")["A2"] == [0, 0, 0, 0, 0, 0, 1]
    assert values(panel, "discount")["A1"][2] == pytest.approx(0.2)


def test_months_of_a_group_hold_for_their_days_and_events_become_flags(company):
    mapping, told, _, panel, _ = company
    assert mapping["market"][0]["level"] == "category"
    assert values(panel, "competitor_price")["dry"] == [9, 9, 8, 8, 8, 8, 8]
    external = [(table.get("level"), table.get("known", False)) for table in mapping["external"]]
    assert external == [(None, False), ("region", False), ("region", True)]
    assert list(mapping["external"][2]["one_hot"]) == ["event"]
    np.testing.assert_array_equal(values(panel, "event=Fair")["south"][:2], [np.nan, 1])
    assert "weather reaches beyond the last sales" in told
    assert re.search(r"customers .* is not mapped: several rows have the same home_branch", told)


def test_what_the_seven_domains_hold_reaches_the_model(company):
    config = FeaturesConfig(
        horizon=2, patch=1, context_steps=3, windows=(2, 3), offset_weights=(0.5, 0.5),
        aggregates=(("category",),), monthly_sales=1,
    )  # fmt: skip
    panel, _ = clean(company[3], CleaningConfig())
    panel = panel.with_channels([*derived_channels([panel], config), *own_channels(panel, config)])
    spec = FeatureEncoder.fit(panel, config, panel.num_periods).spec
    names = feature_names(spec)
    sales = {"sales_lag_0", "mean_sales_2", "monthly_sales", "price", "price_to_category"}
    sales |= {"sales@category_trend_short", "periods_since_launch"}
    stock = {"on_hand", "reorder_point", "lead_time", "stock_turnover"}
    promotions = {"promotion", "discount", "ad_spend", "kind=flyer", "kind=online"}
    customers = {"lifetime_value", "orders_per_customer", "share_families", "median_age"}
    market = {"competitor_price", "market_trend", "launches"}
    external = {"cpi", "confidence", "social_index", "temperature", "event=Fair"}
    products = {"product", "location", "region", "category", "brand", "colour"}
    numbers = {"weight", "list_price", "shelf_life", "floor_area"}
    wanted = sales | stock | promotions | customers | market | external
    assert wanted <= {*names.step, *names.calendar}
    assert products == set(names.static_ids)
    assert numbers == set(names.static_values)


def test_stock_finer_than_the_series_adds_up_and_is_told(tmp_path):
    data = write_files(
        tmp_path / "data",
        sales_csv="date,sku,units\n2024-01-01,a,1\n2024-01-02,a,2\n",
        stock_csv="date,sku,store,on_hand\n2024-01-01,a,s1,3\n2024-01-01,a,s2,4\n",
        products_csv="sku,series,category\na,a,dry\n",
        stores_csv="store,region\ns1,north\ns2,south\n",
    )
    told = "\n".join(write_mapping(data, tmp_path / "first.yaml"))
    assert "stock has several rows per key and date: they are added up" in told
    report = read_dataset(load_mapping(tmp_path / "first.yaml"), data, tmp_path / "out")
    assert report.sums["position.on_hand"] == 7
    assert "stores (stores.csv) is not mapped: it has no date, and its keys are not those" in told
    assert "sales: 2 of 2 rows used" in told


@pytest.mark.parametrize("form", ["%b-%y", "%Y-%m", "%Y%m", "%m/%Y"])
def test_months_as_columns_are_recognised_by_their_names(tmp_path, form):
    import pandas as pd

    months = pd.date_range("2020-01-01", periods=24, freq="MS").strftime(form)
    text = f"Article,{','.join(months)}\nA1,{','.join(['4'] * 24)}\n"
    data = write_files(tmp_path / "data", units_csv=text)
    told = write_mapping(data, tmp_path / "first.yaml")
    assert "1 series, 2020-01-01 to 2021-12-01" in told[0]
    assert "sales: 24 of 24 rows used" in told[2]


def test_compressed_files_weekly_promotions_and_daily_weather_are_read(tmp_path):
    weeks = [f"2024-01-{day:02d}" for day in (1, 8, 15, 22, 29)]
    (tmp_path / "data").mkdir()
    with gzip.open(tmp_path / "data" / "sales.csv.gz", "wt") as file:
        file.write("week,sku,units\n" + "".join(f"{week},a,2\n" for week in weeks))
    promotions = "sku,start,end,discount\na,2024-01-10,2024-01-17,0.3\n"
    (tmp_path / "data" / "promotions.csv").write_text(promotions)
    days = "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 32))
    (tmp_path / "data" / "weather.csv").write_text(f"date,temperature\n{days}")
    write_mapping(tmp_path / "data", tmp_path / "first.yaml")
    read_dataset(load_mapping(tmp_path / "first.yaml"), tmp_path / "data", tmp_path / "out")
    panel = load_panel(tmp_path / "out")
    assert panel.timeline.freq == "W-MON"
    assert values(panel, "promotion")["a"] == [0, 1, 1, 0, 0]
    assert values(panel, "temperature")[""] == [4, 11, 18, 25, 30]


@pytest.mark.parametrize(
    ("head", "keys"), [("sku,store", ("a,s1", "b,s1")), ("sku", ("a", "b"))]
)  # a row of each series, and of each product
def test_dates_between_which_a_product_is_sold_are_not_lost(tmp_path, head, keys):
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    lines = "".join(f"{day},{sku},s1,{n % 4}\n" for n, day in enumerate(days) for sku in "ab")
    data = write_files(
        tmp_path / "data",
        sales_csv=f"date,sku,store,qty\n{lines}",
        products_csv=f"{head},supplier,unit_cost,Launch Date,phase_out,checked_on\n"
        f"{keys[0]},North,1.5,13.01.2024,29.02.2024,15.12.2023\n"
        f"{keys[1]},North,2.5,,,16.12.2023\n",
    )
    write_mapping(data, tmp_path / "first.yaml")
    mapping = load_mapping(tmp_path / "first.yaml")
    assert {"phase_in", "phase_out"} <= set(mapping.products.columns)
    assert "checked_on" not in mapping.products.columns
    read_dataset(mapping, data, tmp_path / "out")
    series = load_panel(tmp_path / "out").series
    assert series["phase_in"].fillna("").tolist() == ["2024-01-13", ""]
    assert series["phase_out"].fillna("").tolist() == ["2024-02-29", ""]
