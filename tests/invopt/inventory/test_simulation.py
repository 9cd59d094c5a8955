import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.inventory import (
    Opening,
    Terms,
    order_up_to,
    simulate,
)
from tests.invopt.inventory.reference import simulate_one


def make_terms(num=1, lead_time=2, review=1, holding=0.2, stockout=1.0, pack=1.0, least=0.0):
    full = np.full(num, 1.0)
    return Terms(
        holding_cost=full * holding, stockout_cost=full * stockout,
        lead_time=np.full(num, lead_time), review_period=review, pack_size=full * pack,
        min_order=full * least, unit_cost=full,
    )  # fmt: skip


def play(demand, levels, opening, terms, **kwargs):
    demand = np.atleast_2d(np.asarray(demand, float))
    levels = np.broadcast_to(np.asarray(levels, float), demand.shape)
    return simulate(demand, order_up_to(levels, terms), terms, opening, **kwargs)


def test_vn2_an_order_at_the_end_of_week_one_is_sold_from_week_four():
    """Lead time 2: two full weeks pass. Nothing else is on the way, so weeks 2 and 3 sell out.

    Week 1 sells 2 of 5. At its end 3 are left; ordering up to 10 asks for 7, due in week 4.
    Week 2 sells the last 3, week 3 misses 3, week 4 receives 7 and sells 3: 4 are left.
    """
    opening = Opening(np.array([5.0]), np.zeros((1, 0)))
    levels = np.array([[10.0, 0, 0, 0]])
    result = play([[2, 3, 3, 3]], levels, opening, make_terms())
    assert result.received[0] == 7
    assert result.stockout_cost[0] == 3
    assert result.holding_cost[0] == pytest.approx(0.2 * (3 + 0 + 0 + 4))
    assert result.closing[0] == 4


def test_vn2_orders_in_transit_arrive_at_the_start_of_their_week_before_sales():
    opening = Opening(np.array([1.0]), np.array([[2.0, 3.0]]))
    result = play([[3, 4]], np.zeros((1, 2)), opening, make_terms())
    # week 1: 1 + 2 on the shelf, 3 sold; week 2: 3 arrive, 3 sold, 1 lost
    assert result.served[0] == 6
    assert result.stockout_cost[0] == 1
    assert result.holding_cost[0] == 0


def test_vn2_costs_before_the_first_own_arrival_are_left_out():
    opening = Opening(np.array([10.0]), np.zeros((1, 0)))
    result = play([[1, 1, 1]], np.zeros((1, 3)), opening, make_terms(), warmup=2)
    assert result.num_periods == 1
    assert result.holding_cost[0] == pytest.approx(0.2 * 7)
    assert result.demand[0] == 1


def test_backorders_wait_are_paid_each_period_and_are_served_first():
    opening = Opening(np.array([1.0]), np.array([[0.0, 5.0]]))
    result = play([[3, 1]], np.zeros((1, 2)), opening, make_terms(), lost_sales=False)
    assert result.stockout_cost[0] == 2  # two units wait one period
    assert result.closing[0] == 5 - 2 - 1
    assert result.backorders[0] == 0


def test_orders_are_whole_packs_and_at_least_the_minimum():
    terms = make_terms(num=3, lead_time=0, pack=6, least=10)
    opening = Opening(np.array([0.0, 29.0, 30.0]), np.zeros((3, 0)))
    result = play(np.zeros((3, 1)), np.full((3, 1), 30.0), opening, terms)
    assert result.ordered.tolist() == [30, 12, 0]


@given(
    seed=st.integers(0, 10_000),
    lead_time=st.integers(0, 4),
    review=st.integers(1, 4),
    lost_sales=st.booleans(),
    pack=st.sampled_from([1.0, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_the_fast_simulator_equals_a_slow_obvious_one(seed, lead_time, review, lost_sales, pack):
    rng = np.random.default_rng(seed)
    num, periods = 4, 15
    demand = rng.poisson(2, (num, periods)).astype(float)
    levels = rng.integers(0, 12, (num, periods)).astype(float)
    on_hand = rng.integers(0, 6, num).astype(float)
    arrivals = rng.integers(0, 4, (num, 2)).astype(float)
    terms = make_terms(num, lead_time, review, pack=pack, least=2.0)
    result = play(demand, levels, Opening(on_hand, arrivals), terms, lost_sales=lost_sales)
    for i in range(num):
        rows = simulate_one(
            demand[i], levels[i], lead_time, review, on_hand[i], arrivals[i], lost_sales, pack, 2.0
        )
        received, _, missing, stock, ordered = (sum(c) for c in zip(*rows, strict=True))
        assert result.received[i] == received
        assert result.stockout_cost[i] == pytest.approx(missing)
        assert result.stock[i] == stock
        assert result.ordered[i] == ordered
        assert result.closing[i] == rows[-1][3]


@given(seed=st.integers(0, 10_000), lead_time=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_units_are_conserved(seed, lead_time):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(3, (5, 20)).astype(float)
    opening = Opening(rng.integers(0, 9, 5).astype(float), np.zeros((5, 0)))
    result = play(demand, np.full((5, 20), 15.0), opening, make_terms(5, lead_time))
    np.testing.assert_allclose(opening.on_hand + result.received - result.served, result.closing)
    assert (result.served <= result.demand).all()


def test_perfect_knowledge_of_demand_costs_nothing():
    demand = np.array([[0.0, 2, 5, 1, 4, 0, 3, 3]])
    ahead = np.zeros_like(demand)
    for t in range(demand.shape[1] - 3):
        ahead[0, t] = demand[0, t + 1 : t + 4].sum()
    opening = Opening(np.array([0.0]), np.array([[0.0, 2, 5]]))
    result = play(demand, ahead, opening, make_terms(lead_time=2))
    assert result.cost[0] == 0


def test_series_of_different_lead_times_are_replayed_together():
    terms = make_terms(2, 0)
    terms = Terms(**(vars(terms) | {"lead_time": np.array([0, 2])}))
    opening = Opening(np.zeros(2), np.zeros((2, 0)))
    result = play(np.full((2, 4), 1.0), 5.0, opening, terms)
    assert result.received.tolist() == [7.0, 5.0]


@given(seed=st.integers(0, 10_000), lost_sales=st.booleans())
@settings(max_examples=40, deadline=None)
def test_units_are_conserved_when_lead_times_are_random_and_orders_overtake(seed, lost_sales):
    """What was there and was ordered is sold, still there, or still on its way."""
    rng = np.random.default_rng(seed)
    num, periods = 4, 30
    demand = rng.poisson(3, (num, periods)).astype(float)
    lead_times = rng.integers(0, 6, (num, periods))
    opening = Opening(rng.integers(0, 9, num).astype(float), np.zeros((num, 0)))
    state = {}

    def rule(rows, period, found):
        order = np.maximum(12 - found.position, 0)
        state["under way"] = found.on_order + order
        state["waiting"] = found.backorders.copy()
        return order

    result = simulate(
        demand, rule, make_terms(num), opening, lost_sales=lost_sales, lead_times=lead_times
    )
    sold = result.demand - result.stockout_cost if lost_sales else result.demand - state["waiting"]
    np.testing.assert_allclose(opening.on_hand + result.received - sold, result.closing)
    np.testing.assert_allclose(result.ordered - result.received, state["under way"])


def test_a_cap_limits_every_order():
    terms = make_terms(num=1, lead_time=0)
    rule = order_up_to(np.full((1, 3), 9.0), terms, cap=np.array([4.0]))
    result = simulate(np.zeros((1, 3)), rule, terms, Opening.empty(1))
    assert result.ordered[0] == 9  # 4, 4 and 1
    assert result.order_variance[0] == pytest.approx(np.var([4, 4, 1]))
    assert result.order_change[0] == 3  # none, then three less
    assert result.summary()["order_change"] == pytest.approx(3 / 9)


def test_threads_change_nothing():
    rng = np.random.default_rng(0)
    demand = rng.poisson(2, (9000, 12)).astype(float)
    terms = make_terms(9000)
    rule = order_up_to(np.full((9000, 12), 8.0), terms)
    one, two = (simulate(demand, rule, terms, Opening.empty(9000), num_threads=n) for n in (1, 2))
    assert np.array_equal(one.cost, two.cost)
