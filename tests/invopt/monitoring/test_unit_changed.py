"""Another unit of measure is a fault of the data and no demand."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.monitoring.unit_changed import unit_changed
from invopt.panel import Panel
from tests.invopt.monitoring.test_known_ahead import at, company, gather, roots_of

DAYS = 301


def scaled(panel: Panel, times: float, rows, days: int = 7) -> Panel:
    y = np.array(panel.y, np.float32)
    y[rows, -days:] *= times
    return replace(panel, y=y)


@pytest.mark.parametrize(("times", "told"), [(10, "times the most"), (0.001, "of the least")])
def test_one_store_in_another_unit_pages_and_names_store_day_and_factor(times, told):
    panel = company(DAYS)
    [signal] = unit_changed(scaled(panel, times, at(panel, "s2"), days=14), 7)
    assert (signal.name, signal.kind, signal.pages, signal.spoils) == (
        "unit_changed", "data", True, True,
    )  # fmt: skip
    assert signal.places == ("s2",)
    assert signal.since == "2024-10-14"
    assert told in signal.text


def test_numbers_of_another_unit_are_even_by_that_and_were_not_sent_twice():
    panel = company(DAYS)
    ten = replace(panel, y=scaled(panel, 10, at(panel, "s2")).y.astype(np.int16))
    found = gather(ten)
    assert roots_of(found)[0] == "unit_changed"
    # Nothing is marked: who reads the page has to know that orders follow these numbers.
    assert found.findings[0].orders.startswith("orders go on and read what was sent as demand")
    assert found.avoidable_cost is None
    assert "doubled_feed" not in {s.name for s in found.signals if s.fires}


def test_a_rise_by_half_a_season_that_comes_by_and_by_and_what_lasts_are_no_other_unit():
    panel = company(DAYS)
    assert unit_changed(panel, 7) == []
    assert unit_changed(scaled(panel, 1.5, slice(None)), 7) == []
    assert unit_changed(scaled(panel, 10, slice(None), days=63), 7) == []
    rising = np.ones(DAYS)
    rising[-56:] = np.repeat(1.5 ** np.arange(1, 9), 7)
    assert unit_changed(replace(panel, y=(panel.y * rising).astype(np.float32)), 7) == []


def test_a_week_of_few_sales_does_not_end_it():
    panel = company(DAYS)
    y = scaled(panel, 10, at(panel, "s2"), days=21).y
    y[at(panel, "s2"), -7:] *= 0.35
    [signal] = unit_changed(replace(panel, y=y), 7)
    assert signal.since == "2024-10-07"
    assert 2.5 < signal.value < 5


def test_a_week_in_which_little_sells_has_fewer_lines_and_is_no_other_unit():
    panel = company(DAYS)
    y = np.array(panel.y)
    y[:, -7:] = 0
    y[::20, -7:] = 6
    assert unit_changed(replace(panel, y=y), 7) == []


def test_a_season_of_a_year_before_is_known():
    panel = company(500)
    high = np.ones(500)
    high[500 - 7 - 364 : 500 - 364] = 10
    high[-7:] = 10
    assert unit_changed(replace(panel, y=(panel.y * high).astype(np.float32)), 7) == []


def test_a_place_that_sells_little_and_a_short_history_say_nothing():
    panel = company(DAYS)
    few = replace(panel, y=np.random.default_rng(0).poisson(0.05, panel.y.shape).astype(np.int16))
    assert unit_changed(scaled(few, 10, slice(None)), 7) == []
    assert unit_changed(panel.truncate(100), 7) == []
