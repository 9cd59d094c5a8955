"""Part of a location's lines that came twice is a fault of the data."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.cleaning import clean
from invopt.config import CleaningConfig
from invopt.monitoring.lines_twice import lines_twice
from invopt.monitoring.quality import data_signals
from invopt.panel import Flag, Panel
from tests.invopt.monitoring.test_known_ahead import CONFIG, at, company

DAYS = 301  # to Sunday 2024-10-27


def weighed(decimals: int = 3) -> Panel:
    """Four stores that weigh what they sell."""
    panel = company(DAYS)
    weights = np.random.default_rng(3).uniform(0.1, 0.4, panel.y.shape) * (panel.y + 5)
    return replace(panel, y=np.round(weights, decimals).astype(np.float32))


def twice(panel: Panel, rows, days: int, share: float) -> Panel:
    y = np.array(panel.y)
    again = np.random.default_rng(5).random((len(rows), days)) < share
    y[rows, -days:] = y[rows, -days:] * (1 + again)
    return replace(panel, y=y)


@pytest.mark.parametrize("panel", [weighed(3), weighed(2), weighed(1), company(DAYS)])
def test_half_of_a_stores_lines_twice_is_named_with_store_share_and_week(panel):
    [signal] = lines_twice(twice(panel, at(panel, "s2"), 14, 0.5), 7)
    assert signal.name == "lines_twice"
    assert signal.places == ("s2",)
    assert signal.since == "2024-10-14"
    assert 0.35 < signal.value < 0.65
    assert signal.spoils
    assert not signal.pages


def test_more_customers_are_no_lines_twice():
    panel, rng = company(DAYS), np.random.default_rng(1)
    assert lines_twice(panel, 7) == []
    y = np.array(panel.y)
    y[:, -7:] = rng.poisson(y[:, -7:] * 1.5)
    assert lines_twice(replace(panel, y=y), 7) == []
    heavy = weighed()
    y = np.array(heavy.y)
    y[:, -7:] = np.round(y[:, -7:] * 1.7, 3)
    assert lines_twice(replace(heavy, y=y), 7) == []


@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_whole_days_of_weights_that_came_twice_page_and_are_not_read_as_demand(decimals):
    panel = weighed(decimals)
    doubled = twice(panel, at(panel, "s2"), 2, 1.0)
    found = data_signals(doubled, CONFIG)
    [signal] = [s for s in found if s.name == "doubled_feed"]
    assert signal.places == ("s2",)
    assert signal.since == "2024-10-27"  # twenty lines of one day prove nothing yet
    flags = clean(doubled, CleaningConfig())[0].flags
    marked = (flags & Flag.FAULTY) != 0
    assert marked[at(panel, "s2"), -1].all()
    assert marked.sum() == 20


def test_weights_are_no_even_numbers_by_themselves():
    for decimals in (1, 2, 3):
        assert data_signals(weighed(decimals), CONFIG) == []
