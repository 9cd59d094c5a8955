"""One bulk order is no demand, and zeros recorded for months are no launch to come."""

from dataclasses import replace

import numpy as np

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
