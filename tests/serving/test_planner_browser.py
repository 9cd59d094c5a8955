"""The served page in a real browser: two planners at the same orders."""

import os
import re
import shutil
import socket
import threading
import time

import pytest
import uvicorn
from openpyxl import load_workbook

from serving.workbench.web import create_app
from tests.planner import make_review, make_workspace

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
SLOW = 120_000  # milliseconds: a busy machine is no fault of the page
sync_api.expect.set_options(timeout=SLOW)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    settings = make_workspace(workspace, make_review(tmp_path_factory.mktemp("review")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_app(settings, "secret", ["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser():
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=arguments, timeout=SLOW)
        yield found
        found.close()


def entered(browser, address, name, series="p0_s0"):
    """Return a planner's page, past the token, with a series open."""
    page = browser.new_context().new_page()
    page.set_default_timeout(SLOW)
    page.goto(address)
    page.get_by_label("Token of this server").fill("secret")
    page.get_by_role("button", name="Enter").click()
    page.wait_for_selector("html[data-ready]")
    page.goto(f"{address}#series={series}")
    form = page.get_by_role("group", name="Your decision")
    form.get_by_label("Your name").fill(name)
    return page, form


def test_two_planners_are_told_of_each_other_and_lose_nothing(browser, address):
    ann_page, ann = entered(browser, address, "Ann")
    ben_page, ben = entered(browser, address, "Ben")
    ann.get_by_label("Units").fill("48")
    ann.get_by_label("Why").fill("promotion moved")
    ann.get_by_role("button", name="Save change").click()
    told = ann.get_by_role("status")
    sync_api.expect(told).to_contain_text("Changed to 48 units by Ann")
    ben.get_by_label("Units").fill("12")
    # His page has heard of hers by now; he has not, until he is told.
    sync_api.expect(ben_page.locator("#decided")).to_have_text(re.compile("1 order decided"))
    ben.get_by_role("button", name="Save change").click()
    sync_api.expect(ben.get_by_role("alert").first).to_contain_text("Ann was first: changed to 48")
    assert ben.get_by_label("Units").input_value() == "12"
    ben.get_by_role("button", name="Save change").click()
    sync_api.expect(ben.get_by_role("status")).to_contain_text("Changed to 12 units by Ben")
    ben.get_by_role("button", name="Undo").click()
    sync_api.expect(ben.get_by_role("status")).to_contain_text("Changed to 48 units by Ben")
    for page in (ann_page, ben_page):
        page.context.close()


def test_an_override_is_kept_shown_and_withdrawn(browser, address):
    page, form = entered(browser, address, "Ann", "p1_s1")
    form.get_by_label("Why").fill("a festival")
    form.get_by_label("Value").fill("500")
    form.get_by_role("button", name="Save override").click()
    line = form.get_by_role("listitem")
    sync_api.expect(line).to_contain_text("500 units")
    line.get_by_role("button", name="Withdraw").click()
    sync_api.expect(line).to_have_count(0)
    page.context.close()


def test_a_decision_needs_a_name(browser, address):
    page, form = entered(browser, address, "", "p2_s2")
    form.get_by_role("button", name="Accept").click()
    sync_api.expect(form.get_by_role("alert").first).to_contain_text("Say who you are")
    page.context.close()


def test_no_number_of_units_is_no_order_of_none(browser, address):
    page, form = entered(browser, address, "Ann", "p2_s1")
    form.get_by_label("Units").fill("")
    form.get_by_role("button", name="Save change").click()
    sync_api.expect(form.get_by_role("alert").first).to_contain_text("Say how many units")
    assert "Nobody has decided" in form.get_by_role("status").inner_text()
    page.context.close()


def test_a_server_that_is_gone_is_told_in_words_until_it_is_back(browser, address):
    page, form = entered(browser, address, "Ann", "p2_s1")
    page.route("**/api/**", lambda route: route.abort())
    form.get_by_role("button", name="Accept").click()
    sync_api.expect(form.get_by_role("alert").first).to_contain_text("does not answer")
    sync_api.expect(page.locator("#fault")).to_contain_text("does not answer")
    page.unroute("**/api/**")
    sync_api.expect(page.locator("#fault")).to_be_hidden()
    page.context.close()


# --- what if, scenarios, drafts


def what_if(browser, address, name="Ann"):
    """Return the page, past the token, at its part for assumptions."""
    page, _ = entered(browser, address, name, "p0_s3")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="What if").click()
    return page, page.locator("#scenarios")


def test_scenarios_stand_side_by_side_and_each_step_can_be_undone(browser, address):
    page, part = what_if(browser, address)
    part.get_by_label("Lead time times").fill("2")
    part.get_by_role("button", name="Compute").click()
    sync_api.expect(part.get_by_role("status").first).to_contain_text("60 series planned again")
    part.get_by_label("Keep it as").fill("slow <b>boat</b>")
    part.get_by_role("button", name="Keep scenario").click()
    column = part.get_by_role("columnheader", name="slow <b>boat</b>")
    sync_api.expect(column).to_have_count(1)
    part.get_by_role("button", name="Remove").click()
    sync_api.expect(column).to_have_count(0)
    part.get_by_role("button", name="Undo").click()
    sync_api.expect(column).to_have_count(1)
    part.get_by_role("button", name="Take its orders").click()
    taken = part.get_by_text("changed as in")
    sync_api.expect(taken).to_be_visible()
    sync_api.expect(page.locator("#decided")).to_contain_text("decided: with that")
    part.get_by_role("button", name="Undo").click()
    sync_api.expect(part.get_by_text("given back")).to_be_visible()
    page.context.close()


def test_assumptions_out_of_range_are_told_beside_the_form(browser, address):
    page, part = what_if(browser, address)
    part.get_by_role("button", name="Compute").click()
    sync_api.expect(part.get_by_role("alert")).to_contain_text("nothing is assumed")
    part.get_by_label("Service level").fill("120")
    part.get_by_role("button", name="Compute").click()
    sync_api.expect(part.get_by_role("alert")).to_contain_text("service_level")
    page.context.close()


def test_an_override_out_of_range_is_told_and_not_kept(browser, address):
    page, form = entered(browser, address, "Ann", "p1_s2")
    form.get_by_label("Why").fill("a festival")
    form.get_by_label("as", exact=True).select_option("factor")
    form.get_by_label("Value").fill("500")
    form.get_by_role("button", name="Save override").click()
    told = form.get_by_role("alert").first
    sync_api.expect(told).to_contain_text("a factor is at most 100, got 500")
    sync_api.expect(form.get_by_role("listitem")).to_have_count(0)
    page.context.close()


def test_drafts_are_a_click_away(browser, address, tmp_path):
    page, _ = entered(browser, address, "Ann")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="All orders").click()
    for name in ("Odoo", "ERPNext"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        download.value.save_as(tmp_path / f"{name}.xlsx")
        sheet = load_workbook(tmp_path / f"{name}.xlsx")["Orders"]
        assert sheet.max_row > 10
    page.context.close()


# --- ten questions of a planner, each answered in two clicks at most


class Clicks:
    """A page whose clicks are counted."""

    def __init__(self, page):
        self.page, self.count = page, 0

    def click(self, locator):
        self.count += 1
        locator.click()

    def choose(self, locator, value):
        self.count += 1
        locator.select_option(value)


@pytest.fixture
def desk(browser, address):
    page, _ = entered(browser, address, "Ann")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    clicks = Clicks(page)
    yield clicks
    page.context.close()
    assert clicks.count <= 2


def tab(desk, name):
    desk.click(desk.page.get_by_role("tab", name=name))


def test_what_do_i_order_today(desk):
    tab(desk, "All orders")
    desk.click(desk.page.get_by_label("ordered only"))
    told = desk.page.locator("#orders").get_by_role("status")
    sync_api.expect(told).to_have_text(re.compile(r"^\d+ series of 60 · order units [\d,]+ · "))


def test_why_and_why_has_it_changed(desk):
    desk.click(desk.page.locator("#exceptions tr.row button").first)
    dialog = desk.page.get_by_role("dialog")
    sync_api.expect(dialog).to_contain_text("Why")
    sync_api.expect(dialog).to_contain_text("What changed since 2024-04-22")


def test_from_whom(desk):
    tab(desk, "All orders")
    desk.choose(desk.page.locator("#orders").get_by_label("Group by"), "supplier")
    row = desk.page.locator("#orders tr.group", has_text="Birch")
    sync_api.expect(row).to_contain_text("EUR")


def test_how_much_money(desk):
    figures = desk.page.locator("header .figures")
    sync_api.expect(figures).to_contain_text(re.compile(r"EUR [\d,]+\s*value of the orders"))


def test_which_exceptions_first(desk):
    money = desk.page.locator("#exceptions tr.row > td:nth-child(4)").all_inner_texts()
    values = [float(text.removeprefix("EUR ").replace(",", "")) for text in money if text]
    assert values
    assert values == sorted(values, reverse=True)


def test_if_the_lead_time_doubles(desk):
    tab(desk, "What if")
    part = desk.page.locator("#scenarios")
    part.get_by_label("Lead time times").fill("2")
    desk.click(part.get_by_role("button", name="Compute"))
    row = part.locator(".act").get_by_role("row", name="units to order")  # kept ones stand below
    sync_api.expect(row).to_contain_text("+")


def test_if_i_override_the_forecast(desk):
    tab(desk, "All orders")
    desk.click(desk.page.locator("#orders tr.row button").first)
    form = desk.page.get_by_role("group", name="Your decision")
    form.get_by_label("Why").fill("a festival")
    form.get_by_label("Value").fill("500")
    form.get_by_label("Value").press("Enter")
    sync_api.expect(form.get_by_role("listitem")).to_contain_text("500 units")


def test_was_last_months_plan_good(desk):
    tab(desk, "Was it good?")
    part = desk.page.locator("#outcomes")
    sync_api.expect(part).to_contain_text("forecast error")
    sync_api.expect(part.locator("tr.group").first).to_contain_text("%")


def test_search_and_a_page_per_article(desk):
    tab(desk, "All orders")
    desk.page.locator("#orders").get_by_role("searchbox").fill("Product 7 ")
    row = desk.page.locator("#orders tr.row button", has_text="Product 7 ")
    sync_api.expect(row).to_have_count(1)
    desk.click(row)
    sync_api.expect(desk.page.get_by_role("dialog")).to_contain_text("Product 7")


def test_units_and_currency(desk):
    head = desk.page.locator("#exceptions thead").inner_text()
    assert "Units" in head
    first = desk.page.locator("#exceptions tr.row").first
    sync_api.expect(first).to_contain_text("EUR")
