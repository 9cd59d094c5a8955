"""Folders with many tables, as databases of companies are exported: which of them is what."""

import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.errors import InvalidInputError
from tests.invopt.test_lists_of_real_shops import workbook
from tests.invopt.test_odd_exports import lines, tried

DAYS = pd.date_range("2024-01-01", periods=40)


def sold(header="sale_id,sale_date,product_id,quantity", num_products=4):
    rows = [f"{n},{d:%Y-%m-%d},{1 + n % num_products},{1 + n % 5}" for n, d in enumerate(DAYS)]
    return lines(header, *rows)


def content(tmp_path):
    return yaml.safe_load((tmp_path / "m.yaml").read_text())


PRODUCTS = lines(
    "product_id,product_name,unit_cost,min_stock_kg",
    *(f"{k},Rice {k},{k}.5,{1000 * k}" for k in range(1, 5)),
)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("expense_id,category,amount,notes", id="expenses"),
        pytest.param("pharmacy_id,pharmacy_name,rent,city", id="places of nobody"),
        pytest.param("log_id,machine,hours,reason", id="a log"),
    ],
)
def test_a_list_numbered_as_products_are_is_not_taken_for_the_products(tmp_path, other):
    listed = lines(other, *(f"{k},x{k},{k}0,y{k}" for k in range(1, 9)))
    _, panel, _ = tried(tmp_path, sales__csv=sold(), a_list__csv=listed, products__csv=PRODUCTS)
    assert content(tmp_path)["products"]["from"] == "products"
    assert panel.series["product_name"].tolist() == [f"Rice {k}" for k in range(1, 5)]


def test_the_least_stock_there_should_be_is_not_the_stock_of_today(tmp_path):
    tried(tmp_path, sales__csv=sold(), products__csv=PRODUCTS)
    assert "position" not in content(tmp_path)


def test_people_and_firms_with_the_day_they_came_make_no_series_of_days(tmp_path):
    people = lines(
        "supplier_id,supplier_name,onboarding_date,payment_terms",
        *(f"{k},Firm {k},2024-01-{k:02},30" for k in range(1, 9)),
    )
    _, _, told = tried(tmp_path, sales__csv=sold(), products__csv=PRODUCTS, suppliers__csv=people)
    assert "it has one row for each supplier_id, and none of it differs by day" in told
    assert "external" not in content(tmp_path)


def test_a_single_row_about_the_export_is_no_plan(tmp_path):
    about = lines("export_id,data_start_date,data_end_date,rows", "E1,2024-01-01,2024-02-09,40")
    _, panel, told = tried(tmp_path, sales__csv=sold(), metadata__csv=about)
    assert "its only row says nothing that differs by day" in told
    assert "promotion" not in panel.channels


def test_stock_with_the_time_it_was_written_is_the_stock_of_today(tmp_path):
    held = lines(
        "name,category,quantity,last_updated",
        *(f"M{k},oil,{10 * k},2024-02-09T23:59:59Z" for k in range(3)),
    )
    rows = [f"{d:%Y-%m-%d},M{n % 3},{1 + n % 5}" for n, d in enumerate(DAYS)]
    report, panel, _ = tried(
        tmp_path, sales__csv=lines("date,medicine_name,quantity_sold", *rows), inventory__csv=held
    )
    position = content(tmp_path)["position"]
    assert position["columns"] == {"on_hand": "quantity"}
    assert position["ds"]["expr"] == "last_updated"
    assert report.sums["position.on_hand"] == 30
    assert panel.series["category"].tolist() == ["oil"] * 3


def test_a_column_that_stock_is_kept_by_is_the_place(tmp_path):
    rows = [f"{d:%Y-%m-%d},{k},{p},{1 + n % 5}"
            for n, d in enumerate(DAYS) for k in (1, 2) for p in (7, 8, 9)]  # fmt: skip
    held = [f"{k},{p},{10 * k + p}" for k in (1, 2) for p in (7, 8, 9)]
    report, panel, _ = tried(
        tmp_path,
        sales__csv=lines("date,product_id,pharmacy_id,quantity", *rows),
        inventory__csv=lines("product_id,pharmacy_id,stock", *held),
    )
    assert panel.num_series == 6
    assert report.sums["position.on_hand"] == 3 * 30 + 2 * 24
    assert set(panel.series["location"]) == {"7", "8", "9"}


def test_a_lot_that_stock_is_kept_by_is_no_place(tmp_path):
    rows = [f"{d:%Y-%m-%d},{k},L{n % 2},{1 + n % 5}"
            for n, d in enumerate(DAYS) for k in (1, 2)]  # fmt: skip
    held = [f"{k},L{lot},{10 * k}" for k in (1, 2) for lot in (0, 1)]
    report, panel, _ = tried(
        tmp_path,
        sales__csv=lines("date,product_id,batch_no,quantity", *rows),
        inventory__csv=lines("product_id,batch_no,stock", *held),
    )
    assert panel.num_series == 2
    assert report.sums["position.on_hand"] == 60


WINES = [(grape, line) for grape in ("Malbec", "Bonarda") for line in ("Joven", "Reserva")]


def test_a_product_that_two_columns_name_is_joined_as_the_stock_list_tells(tmp_path):
    sold = [(n, d, g, v, c) for n, d in enumerate(DAYS) for g, v in WINES for c in ("Expo", "Vino")]
    rows = [f"{d:%Y-%m-%d},{g},{v},{c},{1 + n % 5}" for n, d, g, v, c in sold]
    held = [f"{g},{v},{100 * n}" for n, (g, v) in enumerate(WINES)]
    report, panel, told = tried(
        tmp_path,
        ventas__csv=lines("Fecha,Varietal,Linea,Canal,Unidades_Vendidas", *rows),
        inventario__csv=lines("Varietal,Linea,Stock_Actual", *held),
    )
    assert panel.unique_ids.tolist() == [
        "Bonarda Joven", "Bonarda Reserva", "Malbec Joven", "Malbec Reserva"
    ]  # fmt: skip
    assert report.sums["sales.y"] == 8 * 120
    assert report.sums["position.on_hand"] == 600
    assert panel.series["Varietal"].tolist() == ["Bonarda", "Bonarda", "Malbec", "Malbec"]
    assert "Varietal and Linea name a product together" in told


def test_a_style_whose_stock_is_kept_by_size_is_sold_by_size(tmp_path):
    rows = [f"{d:%Y-%m-%d},{p},{s},{1 + n % 5}"
            for n, d in enumerate(DAYS) for p in ("Shirt", "Coat") for s in ("S", "M")]  # fmt: skip
    held = [f"{p},{s},5" for p in ("Shirt", "Coat") for s in ("S", "M")]
    report, panel, _ = tried(
        tmp_path,
        sales__csv=lines("date,style,size,qty", *rows),
        stock__csv=lines("style,size,stock", *held),
    )
    assert panel.unique_ids.tolist() == ["Coat_M", "Coat_S", "Shirt_M", "Shirt_S"]
    assert report.sums["position.on_hand"] == 20


def test_sizes_stay_together_where_stock_is_kept_by_style(tmp_path):
    rows = [f"{d:%Y-%m-%d},{p},{s},{1 + n % 5}"
            for n, d in enumerate(DAYS) for p in ("Shirt", "Coat") for s in ("S", "M")]  # fmt: skip
    _, panel, _ = tried(
        tmp_path,
        sales__csv=lines("date,style,size,qty", *rows),
        stock__csv=lines("style,stock", "Shirt,4", "Coat,5"),
    )
    assert panel.unique_ids.tolist() == ["Coat", "Shirt"]


def test_orders_to_suppliers_alone_are_refused(tmp_path):
    rows = [f"PO{n},S{n % 3},Dye {n % 2},{100 + n},{d:%Y-%m-%d}" for n, d in enumerate(DAYS)]
    text = lines("order_id,supplier_id,material_name,quantity_kg,order_date", *rows)
    with pytest.raises(InvalidInputError, match="holds what was bought .supplier_id., which is no"):
        tried(tmp_path, purchase_orders__csv=text)


def test_sales_of_whole_years_are_refused(tmp_path):
    text = lines("date,item,sold", *(f"{y}-12-31,A,{y - 2000}" for y in range(2019, 2024)))
    with pytest.raises(InvalidInputError, match="date holds one day a year .5, 2019-12-31 to 2023"):
        tried(tmp_path, sales__csv=text)


ORDERS = lines(
    "Sale ID,Date,Customer ID,Total Amount",
    *(f"S{n:03},{d:%Y-%m-%d},C{n % 7},{n}00" for n, d in enumerate(DAYS)),
)
ITEMS = lines(
    "Item ID,Sale ID,Product ID,Product Name,Quantity,Unit Price",
    *(f"I{n},S{n:03},P{n:02},Biscuit {n % 9},{1 + n % 5},100" for n in range(40)),
)
RECEIVED = lines(
    "Receipt ID,Expected Date,Supplier,Product ID,Product Name,Expected Quantity",
    *(f"G{n},2024-02-{10 + n},Firm,P{n:02},Biscuit {n},{100 + n}" for n in range(3)),
)


def test_lines_of_sales_are_dated_by_their_sales_though_goods_received_have_dates(tmp_path):
    every = lines("Product ID,Product Name,Cost Price,Current Stock",
                  *(f"P{n:02},Biscuit {n % 9},{n},{n}" for n in range(50)))  # fmt: skip
    report, panel, told = tried(
        tmp_path, sales__csv=ORDERS, sale_items__csv=ITEMS, inbound_receipts__csv=RECEIVED,
        products__csv=every,
    )  # fmt: skip
    assert report.sums["sales.y"] == 120
    assert panel.num_series == 40, "its code names a product, though each line has another one"
    assert "its lines are read with what sales.csv says of their Sale ID" in told
    assert content(tmp_path)["open_orders"]["from"] == "inbound_receipts"


def test_an_empty_file_of_sales_is_told_before_a_shopping_list_is_read(tmp_path):
    bought = lines(
        "item_id,item_name,quantity,price,date_added",
        *(f"{n},Food {n % 5},{n},2.5,{d:%Y-%m-%d}" for n, d in enumerate(DAYS)),
    )
    empty = lines("sale_id,date,item_name,quantity,total")
    with pytest.raises(InvalidInputError, match="sales.csv, whose name says that it holds sales"):
        tried(tmp_path, sales__csv=empty, expenses_list__csv=bought)


def test_weeks_written_as_year_and_number_are_weeks_of_old_macs_files(tmp_path):
    weeks = [f"{y}-{w:02}" for y in (2022, 2023) for w in range(1, 53)]
    rows = [f"{w},100{k},LECHE {k}0G,{1 + n % 5}" for n, w in enumerate(weeks) for k in (1, 2)]
    text = lines("Fecha,Código,Descripción,Cantidad Vendida", *rows).encode("mac_roman")
    report, panel, _ = tried(tmp_path, ventas__csv=text)
    assert panel.timeline.freq == "W-MON"
    assert str(panel.timeline.start.date()) == "2022-01-03"
    assert panel.num_periods == 104
    assert report.sums["sales.y"] == 2 * sum(1 + n % 5 for n in range(104))
    assert panel.series["product_name"].tolist() == ["LECHE 10G", "LECHE 20G"]


def test_dos_files_are_read_by_the_words_that_their_letters_make(tmp_path):
    rows = [f"{d:%Y-%m-%d};Käse;{1 + n % 5}" for n, d in enumerate(DAYS)]
    text = lines("Datum;Artikel;Stückzahl", *rows).encode("cp850")
    report, panel, _ = tried(tmp_path, verkauf__csv=text)
    assert panel.unique_ids.tolist() == ["Käse"]
    assert report.sums["sales.y"] == 120


HEAD = ("Item Number", "Product ID", "Name", "Quantity Purchased", "Selling Price", "Date")


def till(stamp):
    rows = [(None, None, f"CLOTH {n % 4} ", 1 + n % 5, 9000, stamp(d)) for n, d in enumerate(DAYS)]
    return workbook([HEAD, *rows])


@pytest.mark.parametrize("form", ["%m/%d/%Y-%I:%M %p", "%m/%d/%Y | %H:%M", "%m/%d/%Y at %I:%M %p"])
def test_a_day_and_a_time_may_have_other_signs_between_them(tmp_path, form):
    report, panel, _ = tried(tmp_path, Sales_Report__xlsx=till(lambda d: f"{d:{form}}"))
    assert report.sums["sales.y"] == 120
    assert str(panel.timeline.start.date()) == "2024-01-01"


def test_names_with_blanks_and_blank_codes_find_their_items(tmp_path):
    goods = [("Item Number", "Product ID", "Item Name", "Cost Price", "Promo", "Item Id")]
    goods += [(None, None, f"CLOTH {k} ", 4000 + k, None, 300 + k) for k in range(4)]
    day = [(*HEAD, "Sale Id"), (None, None, "CLOTH 1", 3, 9000, "02/12/2024-09:15 am", "S1")]
    _, panel, told = tried(
        tmp_path,
        Sales_Report__xlsx=till(lambda d: f"{d:%m/%d/%Y-%I:%M %p}"),
        items_export__xlsx=workbook(goods),
        items_export_old__xlsx=workbook(goods[:4]),
        today__xlsx=workbook(day),
    )
    assert panel.series["unit_cost"].tolist() == [4000, 4001, 4002, 4003]
    assert "Promo" not in panel.series, "a column that nobody filled in says nothing"
    assert content(tmp_path)["products"]["from"] == "items_export"
    assert "items_export_old (items_export_old.xlsx) is not mapped: products are mapped" in told


def test_of_two_lists_that_are_alike_the_one_that_is_no_copy_is_read(tmp_path):
    lists = {
        name: lines("product_id,unit_cost", *(f"{k},{k + cost}" for k in range(1, 5)))
        for name, cost in (("backup_products__csv", 100), ("products__csv", 0))
    }
    _, panel, _ = tried(tmp_path, sales__csv=sold(), **lists)
    assert panel.series["unit_cost"].tolist() == [1, 2, 3, 4]


def test_stock_that_is_allocated_is_not_the_stock_that_is_there(tmp_path):
    rows = [f"{d:%Y-%m-%d},P{n % 3},{1 + n % 5}" for n, d in enumerate(DAYS)]
    held = lines(
        "Product Code,Lot No,MRP,Qty(Pack),Qty(EA/Ltrs/Kg),Allocated Stock(Pack)",
        *(f"P{k},L{lot},100,{k},{4 * k},9" for k in range(3) for lot in range(2)),
    )
    report, _, _ = tried(
        tmp_path, sales__csv=lines("Invoice Date,Product Code,Volume", *rows), stock__csv=held
    )
    assert report.sums["position.on_hand"] == 2 * 4 * (0 + 1 + 2)


def test_orders_of_which_a_supplier_and_a_delivery_is_known_are_no_sales(tmp_path):
    heads = lines(
        "order_id,supplier_id,order_date,expected_delivery",
        *(f"{n},{n % 4},{d:%Y-%m-%d},{d + pd.Timedelta(days=5):%Y-%m-%d}"
          for n, d in enumerate(DAYS)),
    )  # fmt: skip
    items = lines(
        "order_id,product_id,quantity,cost_per_unit", *(f"{n},{n % 3},{n},100" for n in range(40))
    )
    with pytest.raises(InvalidInputError, match="holds what was bought .supplier_id."):
        tried(tmp_path, orders__csv=heads, order_details__csv=items)


def test_columns_without_a_name_are_no_periods(tmp_path):
    plan = workbook(
        [("MATERIAL", *([None] * 40)), *(("A", *range(40)), ("B", *range(40, 80)))], "Resumen"
    )
    rows = [f"{d:%Y-%m-%d},P{n % 3},{1 + n % 5}" for n, d in enumerate(DAYS)]
    _, panel, _ = tried(tmp_path, analysis__xlsx=plan, sales__csv=lines("date,sku,units", *rows))
    assert panel.unique_ids.tolist() == ["P0", "P1", "P2"]


def variants(header="order_id,product_variant_id,quantity,created_at", first=0):
    rows = [f"{n // 2},{first + n % 9},{1 + n % 5},{d:%Y-%m-%d}" for n, d in enumerate(DAYS)]
    return lines(header, *rows)


def test_variants_are_found_by_the_shorter_name_of_their_number_and_not_as_products(tmp_path):
    made = ",2026-01-01 10:00:00,2026-01-02 10:00:00"
    product = lines("product_id,product_name,created_at,updated_at",
                    *(f"{k},Shirt {k}{made}" for k in range(4)))  # fmt: skip
    variant = lines("variant_id,product_id,color,discount_percent,created_at,updated_at",
                    *(f"{k},{k % 4},c{k},10{made}" for k in range(30)))  # fmt: skip
    held = lines("variant_id,quantity,restock_level,created_at,updated_at",
                 *(f"{k},{k},5{made}" for k in range(30)))  # fmt: skip
    report, panel, _ = tried(
        tmp_path, order_items__csv=variants(), product__csv=product, product_variant__csv=variant,
        inventory__csv=held,
    )  # fmt: skip
    assert content(tmp_path)["products"]["from"] == "product_variant"
    assert panel.series["color"].tolist() == [f"c{k}" for k in range(9)]
    assert report.sums["position.on_hand"] == sum(range(9))


def test_a_list_that_knows_none_of_the_places_is_not_joined(tmp_path):
    rows = [f"{d:%Y-%m-%d},S{n % 3},A,{1 + n % 5}" for n, d in enumerate(DAYS)]
    places = lines("Store_ID,Name,City", *(f"{k},Place {k},Town" for k in range(1, 9)))
    _, panel, told = tried(
        tmp_path, sales__csv=lines("date,Location_ID,item,units", *rows), stores__csv=places
    )
    assert panel.num_series == 3
    assert "City" not in panel.series
    assert "stores (stores.csv) is not mapped" in told


def test_of_two_lists_of_stock_the_one_that_knows_what_is_sold_is_read(tmp_path):
    rows = [f"{d:%Y-%m-%d},Burger {n % 3},{1 + n % 5}" for n, d in enumerate(DAYS)]
    report, _, _ = tried(
        tmp_path,
        sales__csv=lines("sale_date,item,quantity", *rows),
        inventory__csv=lines("item,stock", "brownie,25", "coffee,50"),
        inventory_v2__csv=lines("Item_Name,Stock", *(f"Burger {k},{7 + k}" for k in range(3))),
    )
    assert report.sums["position.on_hand"] == 24


def test_lines_of_orders_are_added_up_though_few_of_them_are_of_one_day_and_product(tmp_path):
    rows = [f"{n},1,{d:%Y-%m-%d},A{k},1" for n, d in enumerate(DAYS) for k in range(9)]
    again = [f"{n},2,{DAYS[n]:%Y-%m-%d},A0,5" for n in (3, 7)]
    report, _, _ = tried(
        tmp_path,
        sales__csv=lines("order_number,line_item,date,product_key,quantity", *rows, *again),
    )
    assert report.sums["sales.y"] == 360 + 10


def test_orders_that_were_promised_by_suppliers_are_no_sales(tmp_path):
    rows = [f"{n},{d:%Y-%m-%d},Firm {n % 3},Metal,{100 + n},5,{n % 9},Delivered"
            for n, d in enumerate(DAYS)]  # fmt: skip
    head = "order_id,order_date,supplier,category,quantity,promised_days,actual_days,status"
    with pytest.raises(InvalidInputError, match="holds what was bought .supplier."):
        tried(tmp_path, orders__csv=lines(head, *rows))


def test_a_cost_of_nothing_is_not_known(tmp_path):
    listed = lines("product_id,unit_cost", "1,0.0", "2,0.0", "3,2.5", "4,0.0")
    _, panel, told = tried(tmp_path, sales__csv=sold(), products__csv=listed)
    costs = panel.series["unit_cost"]
    assert costs.isna().tolist() == [True, True, False, True]
    assert costs[2] == 2.5
    assert "unit_cost of products is 0 in 3 of 4 rows: it is read there as not known" in told


def test_an_empty_file_is_told_where_no_sales_are_found(tmp_path):
    with pytest.raises(InvalidInputError, match="Besides, sales.csv is left out: .* is empty"):
        tried(tmp_path, sales__csv="", products__csv=PRODUCTS)


def test_orders_of_production_are_not_read_where_there_are_orders_of_sales(tmp_path):
    made = [f"PO{n},{d:%Y-%m-%d},P{n % 3},{900 + n}" for n, d in enumerate(DAYS.repeat(2))]
    rows = [f"SO{n},{d:%Y-%m-%d},P{n % 3},{1 + n % 5}" for n, d in enumerate(DAYS)]
    report, _, _ = tried(
        tmp_path,
        production_orders__csv=lines("order_id,production_date,product_id,quantity", *made),
        sales_orders__csv=lines("sales_order_id,order_date,product_id,quantity_ordered", *rows),
    )
    assert report.sums["sales.y"] == 120


def test_what_went_out_in_pieces_is_sold_and_not_what_came_in_nor_its_value(tmp_path):
    rows = [f"{d:%Y-%m-%d},P{n % 3},{100 * n},{n},{90 * n},{1 + n % 5}"
            for n, d in enumerate(DAYS)]  # fmt: skip
    head = "date,product,sell_in_value,sell_in_count,sell_out_value,sell_out_count"
    report, _, _ = tried(tmp_path, sales__csv=lines(head, *rows))
    assert report.sums["sales.y"] == 120


def test_stock_by_year_and_month_is_not_added_up_over_the_months(tmp_path):
    rows = [f"{d:%Y-%m-%d},P{n % 3},{1 + n % 5}" for n, d in enumerate(DAYS)]
    held = [f"P{k},{m},2023,{k * m}" for k in range(3) for m in range(1, 13)]
    _, _, told = tried(
        tmp_path,
        sales__csv=lines("date,product,units", *rows),
        inventory__csv=lines("product,Month,Year,stock", *held),
    )
    assert "position" not in content(tmp_path)
    assert "its rows are of years and months in columns" in told


def test_days_and_numbers_with_remarks_are_one_series_beside_purchases(tmp_path):
    days = [("日期", "销量", "备注")]
    days += [(f"{d:%Y-%m-%d}", 1 + n % 5, "元旦" if n == 0 else None) for n, d in enumerate(DAYS)]
    days += [("填写说明：", None, None), ("日期格式 2025-01-01", None, None)]
    bought = [("采购单号", "品牌", "供应商", "采购数量", "下单日期")]
    bought += [(f"PO{n}", "CHANEL", "集团", 500, f"{d:%Y-%m-%d}") for n, d in enumerate(DAYS[:4])]
    report, panel, told = tried(
        tmp_path, sales_history__xlsx=workbook(days), purchase_data__xlsx=workbook(bought)
    )
    assert report.sums["sales.y"] == 120
    assert panel.num_series == 1
    assert "2 rows of sales_history.xlsx have no day and no number" in told


@pytest.mark.parametrize(
    "cells",
    [pytest.param(('"P1,P2"', "P0"), id="commas"), pytest.param(('"[P1; P2]"', "[P0]"), id="list")],
)
def test_a_plan_that_lists_products_in_a_cell_is_a_plan_of_each_of_them(tmp_path, cells):
    rows = [f"{d:%Y-%m-%d},P{k},{1 + n % 5}" for n, d in enumerate(DAYS) for k in range(3)]
    plans = lines(
        "promo_id,start_date,end_date,sku_ids",
        f"X1,2024-01-05,2024-01-06,{cells[0]}",
        f"X2,2024-01-20,2024-01-20,{cells[1]}",
    )
    _, panel, told = tried(
        tmp_path, sales__csv=lines("date,sku_id,units", *rows), promotions__csv=plans
    )
    plan = panel.channels["promotion"]
    pairs = zip(plan.groups, plan.values, strict=True)
    days = {group: np.flatnonzero(row).tolist() for group, row in pairs}
    assert days == {"P0": [19], "P1": [4, 5], "P2": [4, 5]}
    assert "sku_ids of promotions lists products in a cell" in told


def test_the_number_of_a_parent_is_not_that_of_the_product(tmp_path):
    listed = lines("parent_product_id,product_id,color", *(f"{k % 2},{k},c{k}" for k in range(9)))
    _, panel, _ = tried(tmp_path, sales__csv=sold(), products__csv=listed)
    assert panel.series["color"].tolist() == ["c1", "c2", "c3", "c4"]
