"""What an order should bring: the search for the last unit wanted, and promises of service."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from invopt.config import InventoryConfig
from invopt.forecasts import ForecastArrays
from invopt.inventory.costs import terms_of
from invopt.inventory.decision import decide
from invopt.inventory.halving import largest
from invopt.inventory.stock import Stock


@pytest.mark.timeout(20)
def test_a_bound_between_two_whole_numbers_ends_the_search():
    # The middle of 1 and 2.5 is 1 in whole numbers: the search stood there for ever.
    found = largest(lambda s: s <= 1, np.array([1.0]), np.array([2.5]), whole=True)
    assert found.tolist() == [1.0]


@pytest.mark.timeout(60)
@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e4),
    share=st.floats(0, 0.999),
    whole=st.booleans(),
)
def test_the_search_finds_the_edge_of_a_falling_condition(low, width, share, whole):
    edge = low + share * width
    found = largest(lambda s: s <= edge, np.array([low]), np.array([low + width]), whole=whole)
    if whole:
        assert found.tolist() == [math.floor(edge)]
    else:
        assert low <= found[0] <= edge
        assert edge - found[0] <= max(width, 1) * 2.0**-20 + 1e-9


@pytest.mark.timeout(20)
def test_numbers_too_large_for_the_wanted_grain_end_the_search():
    low = np.array([1e12, 1e15])
    found = largest(lambda s: s <= low, low, low + 1, whole=False)
    assert np.abs(found - low).max() <= 1


def decided(policy, fill_rate, pack=1.0):
    """Two series alike, of which the second has a fill rate; 10 on the shelf, lead 2, review 3."""
    shares = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
    config = InventoryConfig(
        holding_cost=1, stockout_cost=4, lead_time=2, review_period=3, policy=policy
    )
    daily = np.broadcast_to(poisson.ppf(shares, 4.0), (2, 10, len(shares))).astype(np.float32)
    sums = poisson.ppf(np.array(shares)[None], 4.0 * np.arange(1, 11)[:, None])
    forecast = ForecastArrays(
        np.full((2, 10), 4, np.float32), daily,
        np.broadcast_to(sums, daily.shape).astype(np.float32), shares, shares, is_count=True,
    )  # fmt: skip
    series = {"unique_id": ["a", "b"], "fill_rate": [np.nan, fill_rate], "pack_size": [pack, pack]}
    stock = Stock(np.full(2, 10.0), np.zeros(2), np.zeros(2), np.zeros((2, 1)))
    return decide(forecast, terms_of(series, None, config), stock, config, is_count=True)


def test_a_fill_rate_counts_under_every_policy_and_for_its_own_series_only():
    plain = decided("order_up_to", np.nan)
    assert plain.quantity[0] == plain.quantity[1]
    orders = [decided("order_up_to", rate) for rate in (0.5, 0.9, 0.99)]
    assert [o.quantity[0] for o in orders] == [plain.quantity[0]] * 3
    low, middle, high = (o.quantity[1] for o in orders)
    assert low < middle < high
    assert [o.quantity[1] for o in orders] == [
        decided("auto", rate).quantity[1] for rate in (0.5, 0.9, 0.99)
    ]
    # What it is told to aim at is what it orders up to.
    assert orders[2].levels.order_up_to[1] == 10 + high
    assert orders[2].levels.order_up_to[0] == plain.levels.order_up_to[0]
