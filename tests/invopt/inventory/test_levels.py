import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import norm

from invopt.config import InventoryConfig
from invopt.inventory import (
    expected_shortage_and_excess,
    levels_of,
    levels_over,
    quantile_at,
    terms_of,
)
from invopt.inventory.levels import beyond_levels
from tests.builders import make_panel

LEVELS = (0.1, 0.5, 0.9)


def test_a_level_between_quantiles_is_interpolated():
    quantiles = np.array([[1.0, 5.0, 9.0]] * 3)
    found = quantile_at(quantiles, LEVELS, np.array([0.5, 0.7, 0.9]))
    np.testing.assert_allclose(found, [5.0, 7.0, 9.0])


def test_beyond_the_quantiles_a_level_is_that_of_the_tail_that_paths_are_drawn_from():
    """Above: 9 + 4 / log 5 for each e-fold of what is left; below: to where a normal law's mean
    asks for, 1 - 0.7428 x 4, which is below 0 here."""
    quantiles = np.array([[1.0, 5.0, 9.0]] * 3)
    found = quantile_at(quantiles, LEVELS, np.array([0.95, 0.98, 0.01]))
    np.testing.assert_allclose(found, [10.7227, 13.0, 0.0], atol=1e-4)
    assert beyond_levels(LEVELS, np.array([0.95, 0.1, 0.9, 0.01])).tolist() == [
        True,
        False,
        False,
        True,
    ]
    high = np.array([[101.0, 105.0, 109.0]] * 2)
    found = quantile_at(high, LEVELS, np.array([0.05, 1e-9]))
    reach = 2 * (norm.pdf(norm.ppf(0.1)) / 0.1 + norm.ppf(0.1)) / (0 - norm.ppf(0.1))
    np.testing.assert_allclose(found, [101 - 2 * reach, 101 - 4 * reach], rtol=1e-6)


@settings(deadline=None)
@given(ratios=st.lists(st.floats(1e-6, 1 - 1e-9), min_size=2, max_size=2), seed=st.integers(0, 99))
def test_a_level_is_a_number_and_never_falls_with_the_ratio_however_far_out(ratios, seed):
    quantiles = np.sort(np.random.default_rng(seed).exponential(5, (1, 3)), axis=1)
    low, high = (quantile_at(quantiles, LEVELS, np.array([r]))[0] for r in sorted(ratios))
    assert 0 <= low <= high + 1e-9 < np.inf


@settings(deadline=None)
@given(stock=st.floats(0, 200), seed=st.integers(0, 99))
def test_shortage_less_excess_is_mean_less_stock_with_the_tail_in_it(stock, seed):
    quantiles = np.sort(np.random.default_rng(seed).exponential(5, (1, 3)), axis=1)
    short, excess = expected_shortage_and_excess(quantiles, LEVELS, np.array([stock]))
    mean, _ = expected_shortage_and_excess(quantiles, LEVELS, np.array([0.0]))
    assert short[0] >= 0
    np.testing.assert_allclose(short - excess, mean - stock, atol=1e-9)


def test_missed_units_above_the_highest_quantile_are_those_of_an_exponential_law():
    """Of Exp(10) the levels up to 0.95 and a stock of 50 leave 10 e^-5 missed."""
    knots = (0.5, 0.9, 0.95)
    quantiles = -10 * np.log(1 - np.array([knots]))
    short, _ = expected_shortage_and_excess(quantiles, knots, np.array([50.0]))
    assert short[0] == pytest.approx(10 * np.exp(-5))


def test_levels_over_a_lead_time_are_looked_up_not_added():
    levels = np.arange(2 * 4 * 3, dtype=float).reshape(2, 4, 3)
    found = levels_over(levels, np.array([3.0, 2.5]))
    assert np.array_equal(found[0], levels[0, 2])
    np.testing.assert_allclose(found[1], (levels[1, 1] + levels[1, 2]) / 2)
    with pytest.raises(ValueError, match="forecast a longer horizon"):
        levels_over(levels, np.array([5.0, 1.0]))


def test_the_newsvendor_of_the_textbook():
    """Snyder and Shen: h = 0.18, p = 0.70, demand N(50, 8^2): S = 56.604, cost 1.9976."""
    ratio = 0.70 / 0.88
    knots = tuple(np.linspace(0.002, 0.998, 499).tolist())
    quantiles = norm(50, 8).ppf(knots)[None]
    level = quantile_at(quantiles, knots, np.array([ratio]))
    assert level[0] == pytest.approx(56.604, abs=2e-3)
    short, excess = expected_shortage_and_excess(quantiles, knots, level)
    assert 0.18 * excess[0] + 0.70 * short[0] == pytest.approx(1.9976, abs=5e-3)


@settings(deadline=None)
@given(ratio=st.floats(0.11, 0.89), more=st.floats(0.0, 0.009), seed=st.integers(0, 99))
def test_the_level_rises_with_the_critical_ratio(ratio, more, seed):
    quantiles = np.sort(np.random.default_rng(seed).exponential(5, (1, 3)), axis=1)
    low, high = (quantile_at(quantiles, LEVELS, np.array([r])) for r in (ratio, ratio + more))
    assert high[0] >= low[0] - 1e-9


def test_terms_come_from_products_where_given_and_from_the_configuration_else():
    series = make_panel().series.assign(unit_cost=2.0, lead_time=[1, 2, 3, 4, 5, np.nan])
    terms = terms_of(series, np.full(6, 5.0), InventoryConfig(lead_time=9, review_period=7))
    assert terms.lead_time.tolist() == [1, 2, 3, 4, 5, 9]
    assert terms.protection_interval.tolist() == [8, 9, 10, 11, 12, 16]
    np.testing.assert_allclose(terms.holding_cost, 2.0 * 0.002)
    np.testing.assert_allclose(terms.stockout_cost, 5.0 * 0.4)
    np.testing.assert_allclose(terms.critical_ratio, 2.0 / (2.0 + 7 * 0.004))


def test_vn2_costs_give_a_critical_ratio_of_five_sixths():
    config = InventoryConfig(lead_time=2, review_period=1, holding_cost=0.2, stockout_cost=1.0)
    terms = terms_of(make_panel().series, None, config)
    np.testing.assert_allclose(terms.critical_ratio, 5 / 6)
    assert set(terms.protection_interval) == {3}


def test_a_cost_of_zero_is_a_fault_of_its_series_alone():
    series = make_panel().series.assign(unit_cost=[1, 1, 0, 1, 1, 1])
    terms = terms_of(series, None, InventoryConfig())
    faults = ["", "", "holding_cost is 0, and must be above 0", "", "", ""]
    assert terms.faults.tolist() == faults
    assert (terms.holding_cost > 0).all()
    assert terms_of(make_panel().series, None, InventoryConfig()).faults is None


@pytest.mark.parametrize("lead_time", [-1.0, 2.5, np.inf])
def test_a_lead_time_that_is_no_number_of_periods_is_a_fault_of_its_series_alone(lead_time):
    products = pd.DataFrame({"unique_id": ["a", "b"], "lead_time": [1.0, lead_time]})
    terms = terms_of(products, None, InventoryConfig())
    assert terms.faults[0] == ""
    assert terms.faults[1].startswith("lead_time is")
    assert terms.lead_time.tolist() == [1, 7]


@pytest.mark.parametrize("costs", [{"stockout_cost": np.inf}, {"holding_rate": 0}])
def test_costs_with_which_nothing_can_be_ordered_are_refused_from_the_configuration_alone(costs):
    with pytest.raises(ValidationError, match=next(iter(costs))):
        InventoryConfig(**costs)


def test_levels_of_counts_are_whole_and_safety_stock_is_what_exceeds_the_mean():
    mean = np.full((2, 5), 2.0)
    levels = np.cumsum(np.full((2, 5, 3), [1.3, 2.1, 3.4]), axis=1)
    series = make_panel(num_series=2).series
    terms = terms_of(series, None, InventoryConfig(lead_time=1, review_period=2))
    found = levels_of(mean, levels, (0.5, 0.9, 0.999), terms, is_count=True)
    assert (found.order_up_to == np.rint(found.order_up_to)).all()
    np.testing.assert_allclose(found.expected_demand, 6.0)
    np.testing.assert_allclose(found.safety_stock, found.order_up_to - 6.0)
    assert (found.reorder_point <= found.order_up_to).all()
