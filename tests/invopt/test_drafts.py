"""Draft purchase orders: what Odoo's and ERPNext's importers find in them."""

import pandas as pd
import pytest
from openpyxl import load_workbook

from invopt.report.drafts import draft_lines, write_erpnext_draft, write_odoo_draft

PLAN = pd.DataFrame({
    "unique_id": ["00012_s1", "00013_s1", "00012_s2", "00014_s1", "00015_s1"],
    "product": ["00012", "00013", "00012", "00014", "00015"],
    "location": ["s1", "s1", "s2", "s1", "s1"],
    "supplier": ["=Acme", "=Acme", "=Acme", "Birch", ""],
    "order_quantity": [12.0, 6.0, 4.0, 0.0, 3.0],
    "order_value": [24.0, 9.0, 8.0, 0.0, 3.0],
    "arrival_date": ["2024-05-04", "2024-05-06", "2024-05-04", "2024-05-04", "2024-05-04"],
    "review_date": "2024-04-29",
})  # fmt: skip
BOUGHT = pd.DataFrame({
    "supplier": ["=Acme", "=Acme", "Birch"],
    "order_date": ["2024-04-30", "2024-04-30", "2024-04-29"],
    "unique_id": ["00012_s1", "00013_s1", "00014_s1"],
    "unit_cost": [2.0, 1.5, 9.0],
})  # fmt: skip


def rows_of(file):
    head, *rows = load_workbook(file)["Orders"].iter_rows()
    names = [cell.value for cell in head]
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_an_order_is_what_one_supplier_brings_to_one_place_on_one_day():
    lines = draft_lines(BOUGHT, PLAN)
    assert lines.groupby("order")["item"].apply(list).sort_values().tolist() == [
        ["00012"], ["00012", "00013"], ["00015"],
    ]  # fmt: skip
    assert lines["quantity"].sum() == 25  # Birch's was taken out
    assert set(lines["supplier"]) == {"=Acme", "(no supplier)"}
    price = lines.set_index("unique_id")["price"]
    assert price["00012_s1"] == 2.0
    assert price["00012_s2"] == 2.0  # ordered here alone: from its value


def test_the_same_plan_has_the_same_names_again_and_no_two_lines_share_one():
    first, again = draft_lines(BOUGHT, PLAN), draft_lines(BOUGHT, PLAN)
    assert first["order"].tolist() == again["order"].tolist()
    assert first["line"].is_unique
    other = draft_lines(BOUGHT, PLAN.assign(review_date="2024-05-06"))
    assert not set(first["line"]) & set(other["line"])


def test_odoo_gets_the_order_in_its_first_row_alone_and_keys_as_text(tmp_path):
    write_odoo_draft(draft_lines(BOUGHT, PLAN), "EUR", tmp_path / "odoo.xlsx")
    rows = rows_of(tmp_path / "odoo.xlsx")
    of_two = next(i for i, row in enumerate(rows) if row["order_line/product_qty"].value == 12)
    head, second = rows[of_two], rows[of_two + 1]
    assert head["partner_id"].value == "=Acme"
    assert head["partner_id"].data_type == "s"  # text, and no formula
    assert head["order_line/product_id"].value == "00012"
    assert head["picking_type_id"].value == "s1: Receipts"
    assert head["date_order"].value == "2024-04-30 00:00:00"
    assert second["order_line/product_qty"].value == 6
    assert [second[n].value for n in ("id", "partner_id", "origin", "currency_id")] == [None] * 4
    assert head["id"].value.replace("_", "").replace("-", "").isalnum()


def test_erpnext_gets_fields_of_the_order_and_of_its_table(tmp_path):
    write_erpnext_draft(draft_lines(BOUGHT, PLAN), "", tmp_path / "erpnext.xlsx")
    rows = rows_of(tmp_path / "erpnext.xlsx")
    assert list(rows[0]) == [
        "supplier", "transaction_date", "schedule_date", "items.item_code", "items.qty",
        "items.rate", "items.schedule_date", "items.warehouse",
    ]  # fmt: skip
    both = next(row for row in rows if row["items.qty"].value == 12)
    assert both["schedule_date"].value == "2024-05-06"  # the last line's
    assert both["items.schedule_date"].value == "2024-05-04"
    assert both["items.item_code"].data_type == "s"


def test_what_a_warehouse_of_the_plan_sends_is_no_purchase():
    network = PLAN.assign(source=PLAN["supplier"])
    network.loc[0, ["supplier", "source"]] = "s2"
    assert "00012_s1" not in set(draft_lines(BOUGHT, network)["unique_id"])


@pytest.mark.parametrize("write", [write_odoo_draft, write_erpnext_draft])
def test_a_plan_that_orders_nothing_is_a_sheet_with_its_head(tmp_path, write):
    nothing = PLAN.assign(order_quantity=0.0)
    write(draft_lines(BOUGHT, nothing), "EUR", tmp_path / "draft.xlsx")
    assert rows_of(tmp_path / "draft.xlsx") == []
