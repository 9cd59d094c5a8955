"""Names of products draw as they are written, and a page that cannot be drawn stops nothing."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from invopt.report import plots
from invopt.report.page import alike, as_money, drawing, sentence
from invopt.report.replenishment_page import write_replenishment_report
from tests.builders import make_config

NAMES = [
    "GIFT CARD $25_$50", "a$b%c$d", "PROMO $$ SAVE $$", "P$_$Q", "$1 off $5", r"$\frac$",
    "{x}^{2}_{i}", "_under", "x^y_z", "<b>&amp;", "日本語 ж é", "%d %s {0}", "\\",
]  # fmt: skip


def texts(svg):
    """Return every text of an SVG."""
    import html
    import re

    return [html.unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", str(svg))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_name_draws_as_text_in_every_plot_that_shows_one(name):
    days = pd.date_range("2024-01-01", periods=60)
    fan = pd.DataFrame(
        {"unique_id": name, "ds": days, "y": 1.0, "mean": [np.nan] * 30 + [1.0] * 30}
    )
    for column in ("q0.05", "q0.1", "q0.25", "q0.75", "q0.9", "q0.95"):
        fan[column] = 1.0
    shown = [plots.fans(fan), plots.importance({name: 1.0, "price": 0.5})]
    shown.append(plots.money({name: {"money": {"holding_cost": 1.0, "stockout_cost": 2.0}}}))
    for svg in shown:
        assert name in texts(svg)


def test_a_page_that_cannot_be_drawn_says_why_and_lets_the_run_go_on(tmp_path, capsys):
    told = []
    with drawing(tmp_path / "page.html", "demo <1>", told.append):
        raise KeyError("a <name>")
    page = (tmp_path / "page.html").read_text()
    assert "demo &lt;1&gt;" in page
    assert "This page could not be drawn: KeyError: &#x27;a &lt;name&gt;&#x27;" in page
    assert told == [
        "the page cannot be drawn (KeyError: 'a <name>'); everything else of this run is complete"
    ]
    assert "Traceback" in capsys.readouterr().err


def test_a_plan_without_a_page_is_a_plan(tmp_path):
    (tmp_path / "forecast").mkdir()
    (tmp_path / "forecast" / "forecast.json").write_text(json.dumps({"level_quantiles": [0.5]}))
    (tmp_path / "orders.csv").write_text("no,table\n")
    told = []
    write_replenishment_report(
        str(tmp_path), str(tmp_path / "forecast"), str(tmp_path / "orders.csv"),
        make_config(), str(tmp_path / "page.html"), told.append,
    )  # fmt: skip
    assert "could not be drawn" in (tmp_path / "page.html").read_text()
    assert len(told) == 1


def test_every_candidate_is_a_line_of_the_errors_by_cutoff():
    names = [f"candidate {n}" for n in range(12)]
    judged = {name: {"folds": {"300": {"wape": 0.5}, "307": {"wape": 0.6}}} for name in names}
    shown = texts(plots.folds(judged, {"300": "1", "307": "2"}))
    assert set(names) <= set(shown)


def test_every_sum_is_a_line_of_the_calibration():
    levels = {str(n): {"0.5": {"coverage": 0.5}} for n in range(2, 12)}
    shown = texts(plots.calibration({"0.5": {"coverage": 0.5}}, levels))
    assert {f"sum of {n}" for n in range(2, 12)} <= set(shown)


def test_numbers_of_a_column_have_as_many_decimals():
    column = [3.93, 4.0, 5.6234, None, float("nan")]
    assert [alike(value, column) for value in column] == ["3.93", "4.00", "5.62", "–", "–"]
    assert alike(1234.5, [1234.5, 2.0]) == "1,234"
    assert alike(0.0, [0.0]) == "0"


def test_a_name_of_a_table_begins_no_sentence_with_a_capital():
    assert sentence("open_orders: 34 keys.") == "open_orders: 34 keys"
    assert sentence("sales.y is negative") == "sales.y is negative"
    assert sentence("order cost is lower.") == "Order cost is lower"


def test_an_amount_has_its_currency():
    assert as_money(-253.4, "EUR") == "EUR -253"
    assert as_money(None, "EUR") == "–"
    assert as_money(12.0) == "12.00"


def test_marks_of_an_axis_of_money_say_where_they_are():
    cost = {"money": {"holding_cost": 4.0, "stockout_cost": 8.0}}
    marks = [t for t in texts(plots.money({"a": cost})) if re.fullmatch(r"[\d.,]+", t)]
    assert "12.00" in marks  # the bar's total
    ticks = sorted(float(t.replace(",", "")) for t in marks if t != "12.00")
    assert len(ticks) > 2
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])
    assert plots.AMOUNTS(2.5, None) == "2.5"
    assert plots.AMOUNTS(12_500.0, None) == "12,500"
