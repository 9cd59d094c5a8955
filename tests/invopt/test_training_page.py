"""The page of a training run: its tables, drawn from the numbers alone."""

import re

import pytest

from invopt.report.page import render


def judged(cost: float, rmse: float) -> dict:
    """Return what the page reads of a candidate; one of an earlier release tells no stability."""
    money = {
        "cost": cost, "holding_cost": cost / 2, "stockout_cost": cost / 2, "fill_rate": 0.98,
        "cycle_service": 0.97, "mean_stock": 10.0, "turns": 3.2, "periods_of_cover": 11.7,
    }  # fmt: skip
    points = {"rmse": rmse, "mae": 2.0, "r2": 0.0575, "wape": 0.5, "mase": 0.7, "bias": 0.01}
    return {"money": money, "points": points, "hierarchy": {}}


@pytest.fixture
def page():
    candidates = {"challenger": judged(1.25, 4.0), "trees": judged(2.5, 3.93)}
    check = {"name": "freshness", "about": "sales", "rule": "may not exceed the limit",
             "value": 697, "limit": None, "passed": True}  # fmt: skip
    quality = {
        "num_series": 2, "num_periods": 400, "first": "2024-01-01", "last": "2025-02-03",
        "snapshot": "", "accounting": [], "notes": ["open_orders: 34 keys"], "checks": [check],
    }  # fmt: skip
    verdict = {
        "decision": "keep", "reasons": ["why"], "label": "", "incumbent": "trees",
        "cost": {"change": 0.1}, "checks": [],
    }  # fmt: skip
    names = ("money", "segments", "folds", "calibration", "importance", "waterfall", "sweep",
             "parallel", "fans", "volume", "losses")  # fmt: skip
    return render(
        "training.html.j2",
        title="t: training", verdict=verdict, quality=quality, failed_checks=0, cleaning={},
        rules={}, candidates=candidates, changes=[None, None], currency="EUR",
        references={}, network=None, own=candidates["challenger"], incumbent=candidates["trees"],
        validation={}, gate_periods=28, unjudged_periods=0, fitted=[], labels={}, scale="",
        groups=[], parts=None, tried=[], effects=[], cutoff="", additivity="", training_line="",
        footer="invopt", plots=dict.fromkeys(names, ""),
    )  # fmt: skip


def cells(page, name):
    """Return the cells of every row that a name begins."""
    rows = re.findall(rf"<tr[^>]*><td>{name}</td>(.*?)</tr>", page, re.DOTALL)
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in rows]


def test_numbers_of_a_column_have_as_many_decimals_and_small_money_its_cents(page):
    money, errors = cells(page, "trees")
    assert money[:3] == ["2.50", "1.25", "1.25"]
    assert cells(page, "challenger")[0][:3] == ["1.25", "0.62", "0.62"]
    assert money[-1] == "–"  # nothing is told of how forecasts change
    assert errors[0] == "3.93"
    assert cells(page, "challenger")[-1][0] == "4.00"


def test_a_check_without_a_limit_is_not_called_passed(page):
    assert "no limit is set" in page
    assert ">passed<" not in page


def test_checks_that_all_passed_are_folded_and_a_table_keeps_its_name(page):
    assert re.search(r"<details><summary>All 1 passed</summary>", page)
    assert "<p>open_orders: 34 keys.</p>" in page
