"""Random lead times, shelf lives and shared limits."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from invopt.errors import ContractError
from invopt.inventory import order_up_to
from invopt.inventory.allocation import Limit, allocate
from invopt.inventory.lead_times import LeadTimes, levels_over_random
from invopt.inventory.perishables import perishable_ratio, simulate_perishable
from tests.invopt.inventory.test_simulation import make_terms

LEVELS = tuple(np.linspace(0.02, 0.98, 49).tolist())


def test_observed_lead_times_become_shares():
    found = LeadTimes.observed(np.array([2.0, 3, 2, 5]))
    assert found.periods.tolist() == [2, 3, 5]
    assert found.shares.tolist() == [0.5, 0.25, 0.25]
    assert found.mean == 3
    assert found.deviation == pytest.approx(1.5**0.5)
    assert [found.quantile(q) for q in (0.5, 0.6, 0.9)] == [2, 3, 5]


@pytest.mark.parametrize("bad", [[], [1, np.nan], [-1.0], [1.5]])
def test_lead_times_that_cannot_be_are_refused(bad):
    with pytest.raises(ContractError, match="be whole and at least 0"):
        LeadTimes.observed(np.array(bad, float))


def test_deliveries_without_both_dates_or_in_the_past_are_counted_and_left_out():
    ordered = pd.to_datetime(pd.Series(["2024-01-01", "2024-01-01", None, "2024-01-09"]))
    delivered = pd.to_datetime(pd.Series(["2024-01-15", "2024-01-03", "2024-01-04", "2024-01-01"]))
    found, aside = LeadTimes.from_dates(ordered, delivered, days_per_period=7)
    assert found.periods.tolist() == [0, 2]
    assert aside == {"a date is missing": 1, "delivered before it was ordered": 1}


def test_real_deliveries_spread_lead_times_by_weeks(real_data):
    frame = pd.read_parquet(real_data / "scms_delivery_history" / "scms.parquet")
    ordered = pd.to_datetime(frame["PO Sent to Vendor Date"], format="%m/%d/%y", errors="coerce")
    text = frame["Delivered to Client Date"].str.replace("Sept", "Sep")
    delivered = pd.to_datetime(text, format="%d-%b-%y", errors="coerce")
    found, aside = LeadTimes.from_dates(ordered, delivered, days_per_period=7)
    assert aside["a date is missing"] >= 5404 + 328  # shipped from stock, or not captured
    assert found.deviation > 3
    assert found.quantile(0.9) > found.mean


def test_a_random_lead_time_needs_more_than_its_mean():
    """Demand N(10, 3) a period; lead time 1 or 3, each half the time, against 2 for sure."""
    knots = np.array(LEVELS)
    sums = np.stack([norm(10 * k, 3 * k**0.5).ppf(knots) for k in range(1, 5)])[None]
    fixed = LeadTimes(np.array([2]), np.array([1.0]))
    random = LeadTimes(np.array([1, 3]), np.array([0.5, 0.5]))
    sure, unsure = (levels_over_random(sums, LEVELS, times, 1)[0] for times in (fixed, random))
    np.testing.assert_allclose(sure, sums[0, 2], atol=0.4)
    at = LEVELS.index(min(LEVELS, key=lambda q: abs(q - 0.9)))
    # P(D <= x) = (Phi((x - 20) / 4.24) + Phi((x - 40) / 6)) / 2 = 0.9 at x = 45.05
    assert unsure[at] == pytest.approx(45.05, abs=0.6)
    assert unsure[at] > sure[at]


def test_milk_of_two_days_is_sold_old_first_and_thrown_away_on_time():
    """Day 1: 5 fresh, 2 sold. Day 2: 3 old and 4 fresh, 5 sold (all old). Day 3: 2 old, none sold.

    The 2 that are left of day 2's delivery are thrown away at the end of day 3.
    """
    orders = iter([4.0, 0.0, 0.0])
    terms = make_terms(lead_time=0)
    found = simulate_perishable(
        np.array([[2.0, 5, 0]]), lambda *_: np.array([next(orders)]), terms, np.array([2]),
        np.array([5.0]),
    )  # fmt: skip
    assert found.served[0] == 7
    assert found.expired[0] == 2
    assert found.closing[0] == 0
    assert found.holding_cost[0] == pytest.approx(0.2 * (3 + 2 + 0))


@given(seed=st.integers(0, 9999), lead_time=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_units_are_conserved_when_some_expire(seed, lead_time):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(3, (5, 25)).astype(float)
    terms, life = make_terms(5, lead_time), rng.integers(1, 6, 5)
    opening = rng.integers(0, 9, 5).astype(float)
    rule = order_up_to(np.full((5, 25), 14.0), terms)
    found = simulate_perishable(demand, rule, terms, life, opening)
    np.testing.assert_allclose(
        opening + found.received, found.served + found.expired + found.closing
    )
    assert (found.served <= demand.sum(axis=1)).all()


def test_a_unit_that_will_not_keep_is_ordered_less_readily():
    terms = make_terms(num=2)
    ratio = perishable_ratio(terms, np.array([1, 9]))
    assert ratio[1] == pytest.approx(1 / 1.2)
    assert ratio[0] == pytest.approx(1 / (1 + 0.2 + 1))


def setting(num=30, seed=0):
    rng = np.random.default_rng(seed)
    mean = rng.uniform(5, 50, num)
    quantiles = norm(mean[:, None], 0.4 * mean[:, None]).ppf(np.array(LEVELS)).clip(min=0)
    return quantiles, rng.uniform(0, 10, num), make_terms(num)


def test_limits_that_do_not_bind_cost_nothing_and_change_nothing():
    quantiles, position, terms = setting()
    free = allocate(quantiles, LEVELS, position, terms, [])
    wide = allocate(quantiles, LEVELS, position, terms, [Limit("budget", np.ones(30), 1e9)])
    assert np.array_equal(free.quantity, wide.quantity)
    assert wide.prices == {"budget": 0.0}


@given(share=st.floats(0.05, 0.95), room=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_orders_keep_every_limit_and_shrink_where_the_use_is_dear(share, room):
    quantiles, position, terms = setting()
    price, volume = np.linspace(1, 5, 30), np.linspace(3, 1, 30)
    free = allocate(quantiles, LEVELS, position, terms, []).quantity
    limits = [
        Limit("budget", price, share * float(price @ free)),
        Limit("room", volume, room * float(volume @ free)),
    ]
    found = allocate(quantiles, LEVELS, position, terms, limits)
    assert price @ found.quantity <= limits[0].total + 1e-6
    assert volume @ found.quantity <= limits[1].total + 1e-6
    assert (found.quantity <= free).all()
    assert max(found.prices.values()) > 0


def test_a_budget_goes_where_it_saves_most():
    """Two alike but for their stock-out cost: the dearer one keeps its stock longer."""
    quantiles = np.tile(norm(20, 6).ppf(np.array(LEVELS)), (2, 1))
    terms = make_terms(2)
    terms = type(terms)(**(vars(terms) | {"stockout_cost": np.array([1.0, 4.0])}))
    found = allocate(quantiles, LEVELS, np.zeros(2), terms, [Limit("budget", np.ones(2), 38.0)])
    assert found.quantity.sum() <= 38
    assert found.quantity[1] > found.quantity[0]
