"""Numbers printed in textbooks, to the digits they print."""

import numpy as np
import pytest
from scipy.stats import norm

from invopt.inventory.newsvendor import (
    empirical_newsvendor,
    normal_newsvendor,
    poisson_newsvendor,
    standard_loss,
)
from invopt.inventory.safety_stock import (
    DemandMoments,
    for_cycle_service,
    for_fill_rate,
    level_for_fill_rate,
)


def test_the_newsvendor_of_snyder_and_shen():
    level, cost = normal_newsvendor(50, 8, 0.18, 0.70)
    assert level == pytest.approx(56.604, abs=5e-4)
    assert cost == pytest.approx(1.9976, abs=5e-5)


def test_the_normal_loss_of_the_printed_tables():
    np.testing.assert_allclose(
        standard_loss(np.array([0.0, 1.0, -1.0])), [0.3989, 0.0833, 1.0833], atol=5e-5
    )


def test_the_poisson_newsvendor_is_the_smallest_level_that_reaches_the_ratio():
    # P(D <= 7) = 0.8666 and P(D <= 6) = 0.7622 at mean 5
    assert poisson_newsvendor(5.0, 0.85) == 7
    assert poisson_newsvendor(5.0, 0.76) == 6


def test_the_empirical_newsvendor_is_a_past_demand_and_leaves_gaps_out():
    demand = np.array([[5.0, 1, 3, np.nan, 2]])
    assert empirical_newsvendor(demand, np.array([0.75])).tolist() == [3]
    assert empirical_newsvendor(demand, np.array([0.76])).tolist() == [5]


def test_safety_stock_for_cycle_service_of_chopra_and_meindl():
    """Weekly demand N(2500, 500), two weeks of lead time, 90 %: sigma 707, safety stock 906."""
    moments = DemandMoments(2500, 500, 2)
    assert moments.over_protection()[1] == pytest.approx(707, abs=0.5)
    assert for_cycle_service(moments, 0.9) == pytest.approx(906, abs=0.5)


def test_safety_stock_for_a_fill_rate_of_chopra_and_meindl():
    """Lots of 10,000 and a fill rate of 97.5 %: an expected shortage of 250, safety stock 67."""
    assert for_fill_rate(DemandMoments(2500, 500, 2), 0.975, 10_000) == pytest.approx(67, abs=0.5)


def test_safety_stock_with_a_random_lead_time_of_chopra_and_meindl():
    """Daily demand N(2500, 500), lead time 7 +- 7 days: sigma 17,550, safety stock 22,491."""
    moments = DemandMoments(2500, 500, 7, lead_time_deviation=7)
    assert moments.over_protection()[1] == pytest.approx(17_550, abs=1)
    assert for_cycle_service(moments, 0.9) == pytest.approx(22_491, abs=1)


def test_a_forecast_gives_the_fill_rate_level_that_moments_give():
    knots = tuple(np.linspace(0.005, 0.995, 199).tolist())
    moments = DemandMoments(100.0, 20.0, 2, review_period=1)
    mean, deviation = moments.over_protection()
    quantiles = norm(mean, deviation).ppf(knots)[None]
    found = level_for_fill_rate(quantiles, knots, np.array([100.0]), 0.98)
    expected = mean + for_fill_rate(moments, 0.98, 100.0)
    assert found[0] == pytest.approx(float(expected), abs=0.5)


@pytest.mark.parametrize("share", [0.0, 1.0, 1.2, float("nan")])
def test_a_promise_outside_zero_and_one_is_refused(share):
    with pytest.raises(ValueError, match=r"must lie in \(0, 1\)"):
        for_cycle_service(DemandMoments(1, 1, 1), share)
