"""What init-mapping makes of a file that says what is in stock today, and of what else it says."""

import pytest

from invopt.sources import load_mapping
from tests.invopt.test_odd_exports import lines, tried

PRODUCTS = ("00071", "00072", "00073")
SALES = lines(
    "date,sku,shop,qty",
    *(
        f"2024-01-{day:02d},{p},{s},{day}"
        for day in range(1, 31)
        for p in PRODUCTS
        for s in ("Nord", "Sued")
    ),
)
ONE_PLACE = lines(
    "date,sku,qty", *(f"2024-01-{day:02d},{p},{day}" for day in range(1, 31) for p in PRODUCTS)
)


def by_product(head, rest):
    return lines(f"sku,{head}", *(f"{p},{rest}" for p in PRODUCTS))


def by_place(head, rest):
    places = [(p, s) for p in PRODUCTS for s in ("Nord", "Sued")]
    return lines(f"sku,shop,{head}", *(f"{p},{s},{rest}" for p, s in places))


def mapping_of(folder):
    return load_mapping(folder / "m.yaml")


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("stock", "qty"),
        ("lager", "Anzahl"),
        ("inventory_export", "Current Quantity"),
        ("stocktake", "Count"),
        ("shelf_count", "Available"),
        ("export", "Verfügbar"),
        ("export", "Disponible"),
    ],
)
def test_stock_by_a_word_that_is_not_its_own_is_a_position_and_told(tmp_path, name, column):
    report, _, told = tried(
        tmp_path, sales__csv=ONE_PLACE, **{f"{name}__csv": by_product(column, "7")}
    )
    assert report.sums["position.on_hand"] == 21
    assert f"{column} of {name} is read as the stock of today" in told
    assert column not in mapping_of(tmp_path).products.columns


def test_a_flag_of_what_is_available_is_no_stock(tmp_path):
    tried(tmp_path, sales__csv=ONE_PLACE, articles__csv=by_product("available", "1"))
    assert mapping_of(tmp_path).position is None


def test_a_quantity_in_a_file_of_any_other_name_is_told_as_an_attribute(tmp_path):
    _, _, told = tried(
        tmp_path, sales__csv=ONE_PLACE, listing__csv=by_product("Title,Qty", "Tea,7")
    )
    assert "position: {from: listing, columns: {on_hand: Qty}}" in told


def test_what_a_file_of_stock_says_of_products_is_not_lost(tmp_path):
    stock = by_place("On hand,Unit cost,Vendor,Case size,Stock value", "7,1.2,Alder,6,8.4")
    _, panel, _ = tried(tmp_path, sales__csv=SALES, stock__csv=stock)
    assert set(panel.series["supplier"]) == {"Alder"}
    assert set(panel.series["pack_size"]) == {6}
    assert "Stock value" not in mapping_of(tmp_path).products.columns


def test_a_file_of_stock_and_one_about_products_are_both_used(tmp_path):
    report, panel, told = tried(
        tmp_path,
        sales__csv=SALES,
        shelf__csv=by_place("Available", "7"),
        articles__csv=by_product("Vendor", "Alder"),
    )
    assert report.sums["position.on_hand"] == 42
    assert set(panel.series["supplier"]) == {"Alder"}
    assert "not mapped" not in told


def test_stock_of_all_places_together_is_no_attribute_and_is_told(tmp_path):
    _, _, told = tried(
        tmp_path, sales__csv=SALES, stock__csv=by_product("On hand,Vendor", "7,Alder")
    )
    assert "the stock in stock (On hand) is not mapped: it is by sku, and no column" in told
    assert "On hand" not in mapping_of(tmp_path).products.columns


def test_stock_whose_codes_lost_their_zeros_is_told_and_no_attribute(tmp_path):
    stock = lines("sku,On hand,Vendor", *(f"{int(p)},7,Alder" for p in PRODUCTS))
    _, panel, told = tried(tmp_path, sales__csv=ONE_PLACE, stock__csv=stock)
    assert "lost their zeros: map it by hand with `unique_id: lpad(sku, N, '0')`" in told
    assert set(panel.series["supplier"]) == {"Alder"}
