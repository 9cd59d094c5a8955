"""The served page in a real browser: two planners at the same orders."""

import os
import shutil
import socket
import threading
import time

import pytest
import uvicorn

from serving.planner import create_app
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
    ben.get_by_role("button", name="Save change").click()
    sync_api.expect(ben.get_by_role("alert")).to_contain_text("Ann was first: changed to 48")
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
    form.get_by_text("Override the forecast").click()
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
    sync_api.expect(form.get_by_role("alert")).to_contain_text("Say who you are")
    page.context.close()
