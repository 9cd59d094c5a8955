"""The planner's page and the workbook, as files."""

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import invopt.report
from invopt.panel import Panel
from invopt.report.packed import pack
from invopt.report.plan import render_plan
from invopt.report.workbook import write_workbook
from invopt.timeline import Timeline, floor_dates
from tests.planner import CONFIG, HOSTILE, make_review, plan_files

REPORT = Path(invopt.report.__file__).parent


def unpacked(text):
    """Read what pack wrote, as web/src/packed.js does."""
    whole = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(whole[:4], "little")
    head = json.loads(whole[4 : 4 + length])
    at, found = 4 + length, {}
    for column in head["columns"]:
        width, size = column.get("width", 1), column["bytes"]
        count = head["rows"] * width
        raw = np.frombuffer(whole[at : at + count * size], np.uint8).reshape(size, count)
        at += count * size
        if size == 8:
            values = raw.T.copy().view("<f8").ravel()
        else:
            whole_numbers = raw.T.copy().view(f"<i{size}").ravel()
            least = -(2 ** (8 * size - 1))
            values = np.where(whole_numbers == least, np.nan, whole_numbers)
            values = values / 10.0 ** column["decimals"]
        if "texts" in column:
            values = np.array(column["texts"], object)[values.astype(int)]
        found[column["name"]] = values.reshape(head["rows"], width) if width > 1 else values
    return found


@settings(deadline=None)  # what a busy machine takes says nothing
@given(
    st.lists(
        st.floats(-1e9, 1e9, allow_nan=False) | st.just(float("nan")), min_size=1, max_size=30
    ),
    st.integers(0, 3),
)
def test_numbers_come_back_to_the_places_that_are_kept(values, decimals):
    found = unpacked(pack({"x": np.array(values)}, {"x": decimals}))["x"]
    np.testing.assert_allclose(found, values, atol=0.5001 * 10**-decimals, rtol=1e-12)


def test_texts_and_matrices_come_back_as_they_were():
    texts = np.array(["b", "", "a", "b"], object)
    matrix = np.arange(12.0).reshape(4, 3)
    found = unpacked(pack({"t": texts, "m": matrix}, {}))
    assert found["t"].tolist() == ["b", "", "a", "b"]
    np.testing.assert_array_equal(found["m"], matrix)


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("review"))


def block(page, name):
    return re.search(rf'<script [^>]*id="{name}">(.*?)</script>', page, re.DOTALL)[1]


def test_the_page_holds_every_order_and_every_exception(review):
    page = (review / "plan.html").read_text()
    plan = pd.read_csv(review / "orders.csv")
    rows = unpacked(block(page, "rows"))
    assert rows["unique_id"].tolist() == plan["unique_id"].tolist()
    np.testing.assert_allclose(rows["order_quantity"], plan["order_quantity"])
    np.testing.assert_allclose(rows["order_value"], plan["order_value"])
    # A level is its expected demand and its safety stock: neither is cut to whole units.
    np.testing.assert_allclose(
        rows["safety_stock"], plan["order_up_to_level"] - plan["expected_demand"], atol=0.00501
    )
    assert len(unpacked(block(page, "exceptions-data"))["row"]) == len(
        pd.read_csv(review / "exceptions.csv")
    )
    assert unpacked(block(page, "details"))["mean"].shape == (len(plan), 14)


@pytest.mark.parametrize(
    ("freq", "word"),
    [("W-SUN", "week"), ("2W-MON", "fortnight"), ("MS", "month"), ("QS", "quarter")],
)
def test_the_page_is_drawn_for_periods_of_any_length(tmp_path, freq, word):
    files = plan_files(make_review(tmp_path, num_series=6))
    panel = Panel.load(tmp_path / "derived" / "part-0000")
    start = floor_dates(pd.DatetimeIndex([panel.timeline.start]), freq)[0]
    line = Timeline(start, freq, panel.num_periods)
    replace(panel, timeline=line).save(tmp_path / "other" / "part-0000")
    page = render_plan(replace(files, source=tmp_path / "other"), CONFIG, print)
    assert json.loads(block(page, "about"))["unit"] == word


def test_exceptions_come_first_by_money(review):
    money = unpacked(block((review / "plan.html").read_text(), "exceptions-data"))["money"]
    known = np.abs(money[~np.isnan(money)])
    assert (np.diff(known) <= 0).all()


def test_no_name_becomes_markup_and_no_other_host_is_asked(review):
    page = (review / "plan.html").read_text()
    for name in HOSTILE:
        assert name not in page
    outside = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", outside)
    assert "default-src 'none'" in page


def test_only_the_pages_own_program_may_run(review):
    page = (review / "plan.html").read_text()
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_the_bundle_is_as_new_as_its_sources():
    digest = hashlib.sha256()
    for source in sorted((REPORT / "web" / "src").iterdir(), key=lambda p: p.name):
        digest.update(source.read_bytes())
    for bundle in ("plan.js", "plan.css"):
        assert digest.hexdigest() in (REPORT / "assets" / bundle).read_text()[:300]


def test_a_workbook_has_exceptions_first_frozen_headers_filters_and_number_formats(review):
    book = openpyxl.load_workbook(review / "orders.xlsx")
    assert book.sheetnames == ["Exceptions", "Orders", "Purchase orders"]
    orders = book["Orders"]
    assert orders.freeze_panes == "B2"
    assert orders.auto_filter.ref == orders.dimensions
    head = [cell.value for cell in orders[1]]
    assert "order value (EUR)" in head
    value = orders.cell(2, head.index("order value (EUR)") + 1)
    assert value.number_format == "#,##0.00"
    flagged = [bool(row[head.index("exception")].value) for row in orders.iter_rows(min_row=2)]
    assert flagged == sorted(flagged, reverse=True)


def test_a_workbook_keeps_keys_as_text_and_no_text_is_a_formula(tmp_path, review):
    orders = pd.read_csv(review / "orders.csv", dtype={"unique_id": str})
    orders.loc[0, ["unique_id", "supplier"]] = ["00012", "'=HYPERLINK(1)"]
    orders.to_csv(tmp_path / "orders.csv", index=False)
    out = tmp_path / "orders.xlsx"
    write_workbook(
        tmp_path / "orders.csv", review / "purchase_orders.csv", review / "exceptions.csv",
        "", out, print,
    )  # fmt: skip
    sheet = openpyxl.load_workbook(out)["Orders"]
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row]
    assert not any(cell.data_type == "f" for cell in cells)
    found = {row[0].value: row[3].value for row in sheet.iter_rows(min_row=2)}
    assert found["00012"] == "=HYPERLINK(1)"
