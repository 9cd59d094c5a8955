"""One bulk order is no demand, and zeros recorded for months are no launch to come."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.cleaning import clean
from invopt.config import CleaningConfig
from invopt.inventory.exceptions import dead_series
from invopt.panel import Flag
from tests.builders import make_panel


def cleaned(y):
    panel = make_panel(num_series=len(y), num_periods=y.shape[1])
    panel = replace(panel, y=y, flags=np.zeros(y.shape, np.uint8))
    return clean(panel, CleaningConfig())[0]


def test_a_bulk_order_reads_as_the_month_before_it():
    y = np.tile(np.array([3, 4, 5, 4], np.int32), (2, 50))
    y[0, 197] = 5000
    panel = cleaned(y)
    assert panel.flags[0, 197] & Flag.OUTLIER
    assert panel.usual_sales()[0, 195:].tolist() == [4, 3, 4, 5, 4]
    assert panel.usual_sales(190)[0, 7] == 4
    assert panel.y[0, 197] == 5000
    np.testing.assert_array_equal(panel.usual_sales()[1], y[1])


def test_a_promotion_that_came_before_stays_what_it_was():
    y = np.tile(np.array([3, 4, 5, 4], np.int32), (1, 50))
    y[0, [100, 180]] = 90, 95
    y[0, 60:100:8] = 40  # such sales are nothing new
    assert cleaned(y).usual_sales()[0, 180] == 95


def test_recorded_zeros_for_months_are_on_sale_and_dead_and_a_few_are_a_launch_to_come():
    y = np.zeros((3, 120), np.int32)
    y[2] = 1
    y[2, 60:] = 0
    panel = cleaned(y)
    assert panel.launch().tolist() == [0, 0, 0]
    assert dead_series(panel).tolist() == [True, True, True]
    short = cleaned(np.zeros((3, 20), np.int32))
    assert short.launch().tolist() == [20, 20, 20]
    again, _ = clean(panel, CleaningConfig())
    np.testing.assert_array_equal(again.flags, panel.flags)


@pytest.mark.parametrize("days", [(198, 197), (198, 186), (198, 190, 181)])
def test_bulk_orders_of_a_month_do_not_hide_each_other(days):
    y = np.tile(np.array([3, 4, 5, 4], np.int32), (1, 50))
    y[0, list(days)] = [600, 700, 500][: len(days)]
    panel = cleaned(y)
    assert np.flatnonzero(panel.flags[0] & Flag.OUTLIER).tolist() == sorted(days)
    assert [panel.usual_sales()[0, d] for d in days] == [4] * len(days)


def test_peaks_that_come_back_are_demand_however_rare_they_are():
    y = np.zeros((1, 400), np.int32)
    y[0, 30::45] = 50
    panel = cleaned(y)
    assert np.flatnonzero(panel.flags[0] & Flag.OUTLIER).tolist() == [75]
    assert panel.usual_sales()[0, 120::45].tolist() == [50] * 7


def test_a_promotion_that_lasts_is_marked_for_three_days_at_most_and_never_again():
    y = np.tile(np.array([3, 4, 5, 4], np.int32), (1, 50))
    y[0, 60:67] = y[0, 150:157] = y[0, 190:197] = 80
    marked = np.flatnonzero(cleaned(y).flags[0] & Flag.OUTLIER)
    assert marked.tolist() == [60, 61, 62]
    assert cleaned(y).usual_sales()[0, 150:157].tolist() == [80] * 7


def test_sales_far_above_noisy_ones_are_marked_though_others_are_not_small():
    y = np.tile(np.array([90, 110, 100, 95], np.int32), (1, 50))
    y[0, [150, 163]] = 300
    panel = cleaned(y)
    assert np.flatnonzero(panel.flags[0] & Flag.OUTLIER).tolist() == [150, 163]
    assert panel.usual_sales()[0, 150] == 300  # not four times what was sold before


def test_marks_do_not_change_when_the_future_is_known():
    rng = np.random.default_rng(7)
    y = rng.poisson(2, (30, 200)).astype(np.int32)
    y[rng.random(y.shape) < 0.02] = 90
    whole = cleaned(y).flags
    for end in (60, 101, 150):
        np.testing.assert_array_equal(cleaned(y[:, :end]).flags, whole[:, :end])


def test_a_slow_seller_is_dead_after_five_gaps_and_no_sooner_than_it_was_silent_before():
    y = np.zeros((3, 400), np.int32)
    y[0, :240:20] = 2  # silent for 179 days, nine times its gap of 20
    y[1, :300:20] = 2  # silent for 119, six times
    y[2, 30:60], y[2, 300:340] = 3, 3  # one season of the year, silent for 60 days, 240 before
    assert dead_series(cleaned(y)).tolist() == [True, True, False]
    y[1, 300:340:20] = 2  # silent for 79 days, four times
    assert dead_series(cleaned(y)).tolist() == [True, False, False]
