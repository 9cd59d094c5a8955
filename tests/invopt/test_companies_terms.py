"""What lists of small companies say of ordering: terms, packs, sizes, closed days."""

from datetime import date

import pandas as pd
import pytest
import yaml

from invopt.sources.proposal import write_mapping
from tests.invopt.test_exports_of_systems import written
from tests.invopt.test_odd_exports import lines, tried

SALES = written("date,sku,qty", lambda d, p, n, _: f"{d:%Y-%m-%d},{p},{n}")
STOCK = lines("sku,on_hand", "1001,10", "1002,10")


def table_of(path, name):
    return yaml.safe_load((path / "mapping.yaml").read_text())[name]["columns"]


def write(path, **files):
    data = path / "data"
    data.mkdir()
    for name, text in files.items():
        (data / name.replace("__", ".")).write_text(text)
    told = write_mapping(data, path / "mapping.yaml", today=date(2026, 12, 1))
    return "\n".join(told)


VENDORS = lines(
    "Vendor,Order days,Delivery time (days),Minimum order value,Cost per order,Payment days",
    'Alpha,"Mon, Thu",3,800,25,30',
    "Beta,Tue,10,300,10,14",
)
GERMAN = lines(
    "Lieferant,Bestelltage,Lieferzeit (Tage),Mindestbestellwert EUR,Lieferkosten",
    "Alpha,Mo Do,3,800,25",
    "Beta,Di,10,300,10",
)


@pytest.mark.parametrize("suppliers", [VENDORS, GERMAN])
def test_terms_of_suppliers_are_read_in_other_words(tmp_path, suppliers):
    goods = lines("sku,Vendor,Purchase price,Sales price", "1001,Alpha,6,10", "1002,Beta,7,10")
    told = write(tmp_path, sales__csv=SALES, goods__csv=goods, vendors__csv=suppliers)
    assert {"order_days", "lead_time", "min_value", "order_cost"} < {
        *table_of(tmp_path, "suppliers")
    }
    assert ("not read of vendors (vendors.csv): Payment days;" in told) == (suppliers == VENDORS)


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("Carton", "pack_size"),
        ("carton_size", "pack_size"),
        ("Pieces per carton", "pack_size"),
        ("Order multiple", "pack_size"),
        ("Minimum order quantity", "min_order"),
        ("Minimum Qty", "min_order"),
        ("Mindestabnahme", "min_order"),
    ],
)
def test_packs_and_minima_of_a_list_with_stock_are_read(tmp_path, header, role):
    goods = lines(f"sku,name,Stock,{header}", "1001,Tea,10,24", "1002,Mint,10,12")
    write(tmp_path, sales__csv=SALES, goods__csv=goods)
    assert role in table_of(tmp_path, "products")


@pytest.mark.parametrize("header", ["Carton weight", "Minimum stock", "Reserved"])
def test_what_is_no_term_of_ordering_is_told(tmp_path, header):
    goods = lines(f"sku,name,Stock,{header}", "1001,Tea,10,24", "1002,Mint,10,12")
    told = write(tmp_path, sales__csv=SALES, goods__csv=goods)
    assert not {"pack_size", "min_order"} & {*table_of(tmp_path, "products")}
    assert f"not read of goods (goods.csv): {header}, since what is of today" in told


def test_a_supplier_of_the_list_is_one_however_it_is_written(tmp_path):
    goods = lines("sku,Wholesaler,Cost", "1001,Alpha,6", "1002,Beta,7")
    write(tmp_path, sales__csv=SALES, goods__csv=goods)
    assert table_of(tmp_path, "products")["supplier"] == "Wholesaler"


def sized(header, names):
    days = pd.date_range("2026-07-06", "2026-11-29")
    return lines(
        header, *[f"{d:%Y-%m-%d},A{k},{n},{2 + k}" for d in days for k in (1, 2) for n in names]
    )


def test_sizes_that_are_stocked_apart_are_products_of_their_own(tmp_path):
    stock = lines("Style,Size,On Hand", *[f"A{k},{s},5" for k in (1, 2) for s in "SML"])
    styles = lines("Style,Cost,RRP", "A1,5,10", "A2,6,12")
    report, panel, told = tried(
        tmp_path, sales__csv=sized("Date,Style,Size,Units", "SML"), stock__csv=stock,
        styles__csv=styles,
    )  # fmt: skip
    assert sorted(panel.unique_ids) == [f"A{k}_{s}" for k in (1, 2) for s in "LMS"]
    assert panel.series.set_index("unique_id")["unit_cost"]["A2_M"] == 6
    assert report.sums["position.on_hand"] == 30
    assert "stock.csv has a row for each Style and Size, so that Size is read as a part" in told


def test_places_that_no_word_names_are_read_where_stock_is_by_them(tmp_path):
    names = ("Bondi", "Manly")
    stock = lines("kiosk,sku,stock", *[f"{n},A{k},5" for n in names for k in (1, 2)])
    _, panel, told = tried(
        tmp_path, sales__csv=sized("date,sku,kiosk,units", names), stock__csv=stock
    )
    assert panel.series["location"].tolist() == ["Bondi", "Manly"] * 2
    assert "so that kiosk is read as the place" in told


def test_lots_and_customers_are_no_part_of_the_key(tmp_path):
    stock = lines("sku,batch,stock", *[f"A{k},{b},5" for k in (1, 2) for b in ("x", "y")])
    _, panel, _ = tried(
        tmp_path, sales__csv=sized("date,sku,batch,units", ("x", "y")), stock__csv=stock
    )
    assert panel.num_series == 2


def weekday_sales(closed):
    days = [d for d in pd.date_range("2026-07-06", "2026-11-29") if d.dayofweek not in closed]
    return lines("date,sku,qty", *[f"{d:%Y-%m-%d},{p},3" for d in days for p in (1001, 1002)])


@pytest.mark.parametrize(
    ("closed", "names"), [((0,), "Mondays"), ((5, 6), "Saturdays and Sundays")]
)
def test_weekdays_without_a_sale_are_closed_and_told(tmp_path, closed, names):
    told = write(tmp_path, sales__csv=weekday_sales(closed), stock__csv=STOCK)
    first = "2026-07-07" if 0 in closed else "2026-07-06"
    assert f"nothing was sold on {names} since {first}: they are taken as closed" in told
    sql = yaml.safe_load((tmp_path / "mapping.yaml").read_text())["sources"]["closed_weekdays"][
        "sql"
    ]
    assert f"isodow(day) IN ({', '.join(str(d + 1) for d in closed)})" in sql


def test_a_shop_that_sells_every_day_has_no_closed_weekday(tmp_path):
    told = write(tmp_path, sales__csv=weekday_sales(()), stock__csv=STOCK)
    assert "taken as closed" not in told


def test_a_lost_sale_costs_what_prices_leave(tmp_path):
    goods = lines("sku,Cost,Price", "1001,7.5,10", "1002,15,20")
    told = write(tmp_path, sales__csv=SALES, goods__csv=goods)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["inventory"]["stockout_margin"] == 0.25
    assert "a lost sale costs 25% of its price" in told


def test_whose_lead_times_make_the_horizon_long_is_told(tmp_path):
    goods = lines("sku,Cost,lead_time_days", "1001,7,160", "1002,15,5")
    days = pd.date_range("2025-01-06", "2026-11-29")
    sold = lines("date,sku,qty", *[f"{d:%Y-%m-%d},{p},3" for d in days for p in (1001, 1002)])
    told = write(tmp_path, sales__csv=sold, goods__csv=goods)
    assert "features.horizon is 167 for all 2 series: 1 of them (1001) wait up to 160" in told
    assert "28 do for the others" in told


def test_dates_to_come_of_a_list_of_products_are_told(tmp_path):
    goods = lines("sku,Cost,Last sale date", "1001,7,2030-12-13", "1002,15,")
    told = write(tmp_path, sales__csv=SALES, goods__csv=goods)
    assert 'write phase_out: "Last sale date" under products' in told
