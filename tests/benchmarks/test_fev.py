"""fev-bench's formulas, against numbers worked out by hand and against its definition in loops."""

import numpy as np
import pytest

from benchmarks._fev import LEVELS, scores, seasonal_error


def test_one_series_by_hand():
    """Told 2 at every level, 4 and 1 sold, sales changed by 2 a week: errors 2 and 1."""
    quantiles = np.full((1, 2, 9), 2.0)
    found = scores(quantiles, np.array([[4.0, 1.0]]), np.array([2.0]))
    assert found.mase == pytest.approx(1.5 / 2)
    # twice the mean over the levels of level x 2, and of (1 - level) x 1: 2 and 1
    assert found.sql == pytest.approx(1.5 / 2)
    assert found.wql == pytest.approx(3 / 5)
    assert found.wape == pytest.approx(3 / 5)


def test_where_little_sells_the_sum_of_sales_counts_as_one_a_day():
    found = scores(np.ones((1, 2, 9)), np.array([[0.0, 0.0]]), np.array([1.0]))
    assert found.wape == 1.0


def test_the_scale_begins_with_the_series_and_series_that_never_change_are_left_out():
    history = np.zeros((3, 30), np.float32)
    history[0, 14:] = 5  # begins on day 14: never changes within itself
    history[1, 20:] = np.arange(10)
    found = seasonal_error(history, np.array([14, 20, 28]))
    assert found.tolist() == [0.0, 7.0, 1.0]  # the last is shorter than a season
    actual = np.array([[5.0], [3], [1]])
    told = scores(np.repeat(actual[:, :, None] + 2, 9, axis=2), actual, found)
    assert told.mase == pytest.approx((2 / 7 + 2) / 2)


def test_the_loss_is_the_benchs_own_formula():
    rng = np.random.default_rng(0)
    quantiles = np.sort(rng.gamma(1, 2, (5, 4, 9)), axis=2)
    actual, scale = rng.poisson(2, (5, 4)).astype(float), rng.uniform(0.5, 3, 5)
    y = actual[..., None]
    loss = 2 * np.abs((y - quantiles) * ((y <= quantiles) - np.array(LEVELS)))
    found = scores(quantiles, actual, scale)
    assert found.wql == pytest.approx(loss.mean() / actual.mean())
    assert found.sql == pytest.approx((loss.mean(axis=2) / scale[:, None]).mean())
