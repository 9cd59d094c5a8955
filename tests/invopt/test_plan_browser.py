"""The planner's page in a real browser, opened from its file."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

import invopt.report
from invopt.report.page import render
from tests.planner import make_review

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
AXE = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
BROWSER = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
TEMPLATES = Path(invopt.report.__file__).parent / "templates"
SLOW = 120_000  # milliseconds: a busy machine is no fault of the page
sync_api.expect.set_options(timeout=SLOW)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="module")
def browser():
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=arguments, timeout=SLOW)
        yield found
        found.close()


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("review"))


@contextmanager
def opened(browser, review, viewport=WIDE, address=""):
    """Open the page; nothing may fail in it, and nothing outside the file may be asked for."""
    context = browser.new_context(viewport=viewport, bypass_csp=True, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(SLOW)
    faults, asked = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{(review / 'plan.html').as_uri()}{address}")
    page.wait_for_selector("html[data-ready]")
    yield page
    assert not faults
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)
    context.close()


def orders(page):
    page.get_by_role("tab", name="All orders").click()
    return page.locator("#orders")


def texts(part, column):
    return part.locator(f"tr.row > :nth-child({column})").all_inner_texts()


def test_it_opens_with_exceptions_those_with_most_money_first(browser, review):
    told = pd.read_csv(review / "exceptions.csv")
    with opened(browser, review) as page:
        part = page.locator("#exceptions")
        assert part.get_by_role("status").inner_text().startswith(f"{len(told)} exceptions")
        first = part.locator("tr.row").first.inner_text()
        assert f"{told['money'].abs().max():,.2f}" in first


def test_names_are_shown_as_they_are_and_run_nothing(browser, review):
    with opened(browser, review) as page:
        assert page.title().startswith("Orders of 2024-04-29")
        shown = " ".join(texts(orders(page), 1))
        assert "<img src=x" in shown
        assert "</script>" in shown


def test_orders_are_sorted_filtered_and_searched_with_totals_that_follow(browser, review):
    plan = pd.read_csv(review / "orders.csv")
    with opened(browser, review) as page:
        part = orders(page)
        total = part.get_by_role("status")
        assert f"{plan['order_quantity'].sum():,.0f}" in total.inner_text()
        part.get_by_role("button", name="Order units").click()
        units = [int(t) for t in texts(part, 3) if t]
        assert units == sorted(units, reverse=True)
        part.get_by_role("button", name="Filter columns").click()
        part.get_by_label("Filter by order units").fill("> 20")
        sync_api.expect(total).to_contain_text(" of ")
        above = plan[plan["order_quantity"] > 20]
        begins = re.compile(rf"^{len(above)} series of {len(plan)}")
        sync_api.expect(total).to_have_text(begins)
        part.get_by_label("Filter by supplier").select_option("Birch")
        both = above[above["supplier"] == "Birch"]
        sync_api.expect(total).to_have_text(re.compile(rf"^{len(both)} series of"))
        assert f"EUR {both['order_value'].sum():,.2f}" in total.inner_text()
        part.get_by_role("button", name="Clear").click()
        part.get_by_role("searchbox").fill("birch s1")
        sync_api.expect(total).to_contain_text(" of ")
        assert set(texts(part, 5)) == {"Birch"}


@pytest.mark.parametrize(
    ("written", "passes"),
    [
        ("<= {day}", lambda dates, day: dates <= day),
        ("> {day}", lambda dates, day: dates > day),
        ("{day}..{day}", lambda dates, day: dates == day),
        ("< {month}", lambda dates, day: dates.str[:7] < day[:7]),
        ("{month}", lambda dates, day: dates.str.contains(day[:7])),
    ],
)
def test_dates_are_filtered_by_before_after_and_between(browser, review, written, passes):
    dates = pd.read_csv(review / "orders.csv", dtype=str)["arrival_date"].dropna()
    day = dates.sort_values().iloc[len(dates) // 2]
    wanted = int(passes(dates, day).sum())
    with opened(browser, review) as page:
        part = orders(page)
        part.get_by_role("button", name="Filter columns").click()
        part.get_by_label("Filter by arrives").fill(written.format(day=day, month=day[:7]))
        begins = re.compile(rf"^{wanted} series( of|\b)")
        sync_api.expect(part.get_by_role("status")).to_have_text(begins)


@pytest.mark.parametrize(("written", "bad"), [("1,000..2,000", "false"), ("1.2.3", "true")])
def test_a_filter_that_is_no_number_is_marked_and_hides_nothing(browser, review, written, bad):
    with opened(browser, review) as page:
        part = orders(page)
        part.get_by_role("button", name="Filter columns").click()
        field = part.get_by_label("Filter by order units")
        field.fill(written)
        sync_api.expect(field).to_have_attribute("aria-invalid", bad)
        if bad == "true":
            assert " of " not in part.get_by_role("status").inner_text()


def place_of(element):
    """Return where an element is; a table that is drawn anew has no rows for a moment."""
    for _ in range(100):
        if (found := element.bounding_box()) is not None:
            return found
        element.page.wait_for_timeout(50)
    raise AssertionError("the element is not to be seen after five seconds")


def test_long_names_push_no_column_out_of_sight(browser, review):
    with opened(browser, review, viewport={"width": 1300, "height": 900}) as page:
        frame = page.locator("#exceptions .frame")
        assert frame.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
        item = orders(page).locator("tr.row th").first
        left = place_of(item)["x"]
        page.locator("#orders .frame").evaluate("e => e.scrollLeft = 200")
        assert place_of(item)["x"] == pytest.approx(left, abs=1)


def test_groups_have_totals_and_unfold(browser, review):
    plan = pd.read_csv(review / "orders.csv", keep_default_na=False)
    sums = plan.assign(v=pd.to_numeric(plan["order_value"])).groupby("location")["v"].sum()
    with opened(browser, review) as page:
        part = orders(page)
        part.get_by_label("Group by").select_option("location")
        rows = part.locator("tr.group")
        sync_api.expect(rows).to_have_count(len(sums))
        name = rows.first.locator("th").inner_text().split(" · ")[0]
        assert f"EUR {sums[name]:,.2f}" in rows.first.inner_text()
        rows.first.get_by_role("button").click()
        assert rows.first.get_by_role("button").get_attribute("aria-expanded") == "true"
        inside = int((plan["location"] == name).sum())
        sync_api.expect(part.locator("tr.row:not(.group)")).to_have_count(inside)


def test_a_series_opens_with_reason_pictures_and_what_changed(browser, review):
    plan = pd.read_csv(review / "orders.csv").set_index("unique_id")
    name = plan["order_value"].idxmax()
    with opened(browser, review, address=f"#series={name}") as page:
        series = page.get_by_role("dialog")
        series.locator("canvas").nth(1).wait_for()
        shown = series.inner_text()
        assert plan.loc[name, "reason"].split("; ")[0][1:] in shown
        for words in ("Stock ahead", "Demand", "What changed since 2024-04-22",
                      "Last plan against what happened", "Terms and levels"):  # fmt: skip
            assert words in shown
        page.keyboard.press("Escape")
        assert not series.is_visible()


def test_what_changed_adds_up_to_this_order(browser, review):
    plan = pd.read_csv(review / "orders.csv").set_index("unique_id")
    for name in plan.index[plan["order_quantity"] > 0][:5]:
        with opened(browser, review, address=f"#series={name}") as page:
            page.locator("table.sum tr td").first.wait_for()
            rows = page.locator("table.sum tr td").all_inner_texts()
            numbers = [float(re.sub(r"[^\d.\-]", "", text)) for text in rows]
            assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=0.001)  # as written


def test_a_keyboard_is_enough(browser, review):
    with opened(browser, review) as page:
        page.get_by_role("tab", name="Exceptions").focus()
        page.keyboard.press("ArrowRight")
        page.locator("#orders .frame").focus()
        page.keyboard.press("Tab")
        for _ in range(40):  # past the heads, to the one row in the order of tabs
            if page.evaluate("document.activeElement.closest('tr.row') !== null"):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("End")
        at = page.evaluate("document.activeElement.closest('tr').dataset.at")
        assert at == "59"
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.closest('tr').dataset.at") == "59"


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_wcag_aa_finds_nothing_to_mend(browser, review, viewport):
    axe = (Path(AXE.__file__).parent / "axe.min.js").read_text()

    def findings(page):
        page.evaluate(axe)
        found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
        return [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]]

    with opened(browser, review, viewport) as page:
        assert findings(page) == []
        part = orders(page)
        part.get_by_role("button", name="Filter columns").click()
        part.get_by_label("Group by").select_option("supplier")
        assert findings(page) == []
        part.get_by_role("button", name="Clear").click()
        part.locator("tr.row button").first.click()
        page.get_by_role("dialog").locator("canvas").nth(1).wait_for()
        assert findings(page) == []


@pytest.mark.parametrize("width", [1120, 1300])
def test_the_table_of_groups_fits_its_page(browser, width):
    better = "average with calendar factors"
    group = {"name": "category=something long", "series": 120, "wape": 0.321, "other_wape": 0.412,
             "bias": -0.051, "held": 0.912, "change": -0.1, "low": -0.2, "high": 0.1,
             "loss": 0.023, "better": better}  # fmt: skip
    table = render("groups.html.j2", groups=[group], verdict={"incumbent": better})
    style = re.search("<style>.*?</style>", (TEMPLATES / "page.html.j2").read_text(), re.S)
    page = browser.new_page(viewport={"width": width, "height": 600})
    page.set_content(f"{style.group()}<main><section>{table}</section></main>")
    box = page.locator(".scroll")
    assert box.evaluate("e => e.scrollWidth") <= box.evaluate("e => e.clientWidth")
    page.close()


def test_nothing_is_wider_than_a_phone(browser, review):
    with opened(browser, review, PHONE) as page:
        orders(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_names_that_are_alike_but_for_their_end_are_whole_on_a_phone(browser, tmp_path):
    review = make_review(tmp_path, num_series=6, named="Green tea 100 g no {} {:.0}")
    with opened(browser, review, PHONE) as page:
        for opened_part in (lambda: page.locator("#exceptions"), lambda: orders(page)):
            part = opened_part()
            for name in part.locator("tr.row th button").all():
                assert name.evaluate("e => e.scrollWidth <= e.clientWidth")
                assert name.evaluate("e => e.scrollHeight <= e.clientHeight")
            places = part.locator("tr.row th .under").all_inner_texts()
            assert places  # they tell two of one name apart
            assert all(re.fullmatch(r"s\d", place) for place in places)


@pytest.mark.parametrize("width", [1300, 800])
def test_long_names_are_whole_at_a_desk(browser, tmp_path, width):
    long = "Black tea, second flush, from the hills of Assam, loose in a tin of 250 g, no {} {:.0}"
    review = make_review(tmp_path, num_series=6, named=long)
    with opened(browser, review, {"width": width, "height": 900}) as page:
        for opened_part in (lambda: page.locator("#exceptions"), lambda: orders(page)):
            heights = set()
            for row in opened_part().locator("tr.row").all():
                name = row.locator("th button")
                assert name.evaluate("e => e.scrollWidth <= e.clientWidth")
                assert name.evaluate("e => e.scrollHeight <= e.clientHeight")
                heights.add(row.bounding_box()["height"])
            assert len(heights) == 1  # or scrolling would lose its place


def test_a_column_of_units_has_as_many_decimals_in_every_row(browser, review):
    with opened(browser, review) as page:
        part = orders(page)
        heads = part.locator("thead tr:first-child th").all_inner_texts()
        for label in ("Expected demand", "Order units", "On hand"):
            shown = texts(part, heads.index(label) + 1)
            assert len({len(text.partition(".")[2]) for text in shown if text}) == 1


def test_a_printout_repeats_its_heads_and_has_no_empty_part(browser, review, tmp_path):
    with opened(browser, review) as page:
        page.emulate_media(media="print")
        assert not page.locator("#outcomes").is_visible()
        assert page.locator("#orders").is_visible()
        head = page.locator("#orders thead")
        assert head.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
        # What a button says is drawn once; what stands in the head itself is drawn on every page.
        assert not head.locator("button").first.is_visible()
        said = "e => getComputedStyle(e, '::before').content"
        assert head.locator("th").first.evaluate(said) == '"Item"'


def test_what_is_shown_is_saved_as_csv_without_formulas(browser, review, tmp_path):
    with opened(browser, review) as page:
        part = orders(page)
        with page.expect_download() as download:
            part.get_by_role("button", name="Save as CSV").click()
        download.value.save_as(tmp_path / "saved.csv")
    saved = pd.read_csv(tmp_path / "saved.csv")
    assert len(saved) == 60
    assert "'=HYPERLINK(1)" in set(saved["Supplier"])


def test_all_rows_are_printed(browser, review):
    with opened(browser, review) as page:
        orders(page)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        sync_api.expect(page.locator("#orders tr.row")).to_have_count(60)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("network"), network=True)


def test_a_network_says_what_is_bought_and_what_goes_among_own_places(browser, network):
    plan = pd.read_csv(network / "orders.csv")
    bought = plan[(plan["supplier"] == "Mill") & (plan["order_quantity"] > 0)]
    value = bought["order_value"].sum()
    with opened(browser, network) as page:
        head = page.locator("header .figures").inner_text()
        assert f"EUR {value:,.0f}" in head
        assert "orders among own places" in head
        part = orders(page)
        part.get_by_label("Group by").select_option("supplier")
        groups = part.locator("tr.group")
        sync_api.expect(groups).to_have_count(2)
        part.get_by_role("button", name="Clear").click()
        part.get_by_role("searchbox").fill("p0_DC")
        row = part.locator("tr.row button")
        sync_api.expect(row).to_have_count(1)
        assert "Product" in row.inner_text()  # the name of what it supplies
        row.click()
        dialog = page.get_by_role("dialog")
        sync_api.expect(dialog).to_contain_text("It sells nothing itself")
        assert dialog.locator("canvas").count() == 0
