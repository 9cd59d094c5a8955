"""Lines that did not come are told apart from customers that bought less."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.monitoring.lost_lines import lost_lines
from invopt.panel import Flag, Panel
from tests.builders import make_panel
from tests.invopt.monitoring.test_known_ahead import at, company, gather, roots_of, without_rows

DAYS = 301


def lost(panel: Panel, share: float, days: int = 7, rows=slice(None), seed: int = 0) -> Panel:
    """Some lines of the last days did not come: read as zero sales."""
    y, flags = np.array(panel.y), np.array(panel.flags)
    gone = np.zeros(y.shape, bool)
    gone[rows, -days:] = True
    gone &= np.random.default_rng(seed).random(y.shape) < share
    y[gone] = 0
    flags[gone] |= np.uint8(Flag.FILLED)
    return replace(panel, y=y, flags=flags)


def thinned(panel: Panel, share: float) -> Panel:
    """Customers buy less on each of the last days; where nobody does, no line comes."""
    y, flags = np.array(panel.y), np.array(panel.flags)
    y[:, -7:] = np.random.default_rng(0).binomial(y[:, -7:], 1 - share)
    flags[:, -7:][y[:, -7:] == 0] |= np.uint8(Flag.FILLED)
    return replace(panel, y=y, flags=flags)


def test_a_third_of_the_lines_lost_is_a_fault_of_the_data_and_holds_a_training_back():
    [signal] = lost_lines(lost(company(DAYS), 1 / 3), 7)
    assert (signal.name, signal.kind, signal.spoils, signal.pages) == (
        "lines_missing", "data", True, False,
    )  # fmt: skip
    assert signal.value == pytest.approx(1 / 3, abs=0.05)
    assert set(signal.places) == {"s0", "s1", "s2", "s3"}
    assert signal.since == "2024-10-21"
    assert "of the lines that usually come are missing (usually 0%)" in signal.text


def test_it_is_the_cause_and_demand_follows_from_it():
    found = gather(lost(company(DAYS), 1 / 3))
    assert roots_of(found)[0] == "lines_missing"
    assert next(s for s in found.signals if s.name == "demand_shift").part_of == "lines_missing"


def test_customers_that_buy_a_third_less_are_no_lost_lines():
    assert lost_lines(thinned(company(DAYS), 1 / 3), 7) == []


def test_what_left_the_range_and_what_is_closed_is_not_missed():
    panel = company(DAYS)
    assert lost_lines(panel, 7) == []
    gone = without_rows(panel, np.arange(0, 80, 3), slice(-7, None))  # every third product
    assert lost_lines(gone, 7) == []
    assert lost_lines(without_rows(panel, at(panel, "s1"), slice(-3, None)), 7) == []
    assert lost_lines(without_rows(panel, slice(None), slice(-1, None)), 7) == []


def test_it_lasts_from_its_first_period_and_is_believed_after_eight():
    [signal] = lost_lines(lost(company(DAYS), 1 / 3, days=21), 7)
    assert signal.since == "2024-10-07"
    assert lost_lines(lost(company(DAYS), 1 / 3, days=63), 7) == []


def test_one_store_is_named_alone_and_slow_sellers_say_nothing():
    panel = company(DAYS)
    [signal] = lost_lines(lost(panel, 0.4, rows=at(panel, "s2")), 7)
    assert signal.places == ("s2",)
    slow = replace(panel, y=np.random.default_rng(1).poisson(0.3, panel.y.shape).astype(np.int16))
    flags = np.array(slow.flags)
    flags[slow.y == 0] |= np.uint8(Flag.FILLED)
    assert lost_lines(lost(replace(slow, flags=flags), 1 / 3), 7) == []
    assert lost_lines(panel.truncate(100), 7) == []


def test_locations_of_few_lines_are_judged_together():
    panel = company(50)
    weekly = make_panel(80, 80, freq="W-MON", seed=4)
    weekly = replace(weekly, y=(10 * weekly.y + 20).astype(np.int16))
    weekly = replace(weekly, series=weekly.series.assign(location=panel.series["location"]))
    assert lost_lines(weekly, 1) == []
    [signal] = lost_lines(lost(weekly, 1 / 3, days=1), 1)
    assert set(signal.places) == {"s0", "s1", "s2", "s3"}
    assert "at s0, s1, s2, s3 (together " in signal.text
