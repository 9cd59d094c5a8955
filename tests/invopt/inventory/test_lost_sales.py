import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from invopt.inventory.lost_sales import (
    lost_sales_need,
    need_with_next,
    stock_at_arrival,
)
from invopt.inventory.paths import Draws, Sampler

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95)


def expected_costs(need, quantity, holding_cost, stockout_cost):
    """Expected holding and stock-out cost from the order's arrival to the next one's."""
    left = (need.at_arrival + quantity[:, None])[:, None] - need.demand.cumsum(axis=1)
    held = np.maximum(left, 0).sum(axis=1).mean(axis=1)
    short = np.maximum(-left[:, -1], 0).mean(axis=1)
    return held * holding_cost, short * stockout_cost


def test_demand_beyond_the_stock_is_lost_and_does_not_reduce_what_arrives():
    """Two on the shelf, three due next week. Path one wants 5 then 1, path two 1 then 0."""
    demand = np.array([[[5.0, 1], [1, 0]]])
    found = stock_at_arrival(np.array([2.0]), np.array([[3.0, 4.0]]), demand)
    # path one: 2 + 3 - 5 = 0, then 4 - 1 = 3; path two: 5 - 1 = 4, then 4 + 4 - 0 = 8
    assert found.tolist() == [[3.0, 8.0]]


def test_a_vn2_order_is_the_newsvendor_of_week_three_minus_the_stock_that_is_left():
    """Nothing under way and 1 on the shelf: weeks one and two sell it, week three starts empty.

    Week three wants 0 to 11, each as likely: five sixths of the outcomes are at or below 9.
    """
    week = np.arange(12.0)
    demand = np.stack([np.full(12, 2.0), np.full(12, 2.0), week])[None]
    need = lost_sales_need(
        np.array([1.0]), np.zeros((1, 2)), demand, 2, np.array([0.2]), np.array([1.0])
    )
    assert need.units[0] == 9
    held, short = expected_costs(need, need.units, np.array([0.2]), np.array([1.0]))
    assert held[0] == pytest.approx(0.2 * sum(range(10)) / 12)
    assert short[0] == pytest.approx((1 + 2) / 12)


def test_where_nothing_can_run_out_before_arrival_the_order_is_that_of_base_stock():
    rng = np.random.default_rng(0)
    demand = rng.poisson(3, (1, 3, 1000)).astype(float)
    need = lost_sales_need(
        np.array([50.0]), np.zeros((1, 1)), demand, 2, np.array([0.2]), np.array([1.0])
    )
    total = np.sort(demand[0].sum(axis=0))
    assert need.units[0] == total[int(np.ceil(1000 * 5 / 6)) - 1] - 50


def test_with_an_empty_shelf_lost_sales_need_less_than_base_stock():
    rng = np.random.default_rng(0)
    demand = rng.poisson(3, (1, 3, 1000)).astype(float)
    need = lost_sales_need(
        np.zeros(1), np.zeros((1, 1)), demand, 2, np.array([0.2]), np.array([1.0])
    )
    assert need.units[0] == np.sort(demand[0, 2])[int(np.ceil(1000 * 5 / 6)) - 1]
    assert need.units[0] < np.quantile(demand[0].sum(axis=0), 5 / 6)


@given(seed=st.integers(0, 999), lead=st.integers(0, 3), review=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_the_need_costs_no_more_than_any_other_order(seed, lead, review):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(rng.uniform(0.3, 5), (2, lead + review, 60)).astype(float)
    on_hand, due = rng.integers(0, 5, 2).astype(float), rng.integers(0, 4, (2, 2)).astype(float)
    holding, stockout = rng.uniform(0.1, 1, 2), rng.uniform(1, 9, 2)
    need = lost_sales_need(on_hand, due, demand, lead, holding, stockout)
    costs = [
        np.add(*expected_costs(need, np.full(2, float(q)), holding, stockout)) for q in range(60)
    ]
    chosen = np.add(*expected_costs(need, np.maximum(need.units, 0), holding, stockout))
    assert (chosen <= np.min(costs, axis=0) + 1e-9).all()


MEAN, PENALTY = 5.0, 4.0  # of Zipkin's examples, with holding at 1


def best_cost(most=30, order=12):
    """Return the least long-run cost for a lead time of one period, by relative value iteration."""
    demand = np.arange(21)
    share = poisson.pmf(demand, MEAN) / poisson.cdf(20, MEAN)
    stock = np.arange(most + 1)
    left = np.maximum(stock[:, None] - demand, 0)
    cost = (left + PENALTY * np.maximum(demand - stock[:, None], 0)) @ share
    value, before = np.zeros((most + 1, order + 1)), -1.0
    for _ in range(150):  # value[on hand after arrival, ordered last]; the order is chosen after
        after = np.minimum(left[:, :, None] + np.arange(order + 1), most)
        ahead = value[after].min(axis=3)  # (stock, demand, ordered last)
        value = cost[:, None] + np.einsum("sdo,d->so", ahead, share)
        before, value = value[0, 0], value - value[0, 0]
    return before


def simulated_cost(find, reach, num=150, periods=160, warmup=30):
    """Return the long-run cost of a rule that knows the law of demand, lead time one."""
    rng = np.random.default_rng(0)
    grid = (np.arange(400) + 0.5) / 400
    paths = np.stack([poisson.ppf(rng.permutation(grid), MEAN) for _ in range(1 + reach)])
    paths = np.repeat(paths[None], num, axis=0)
    on_hand, due, total = np.full(num, 5.0), np.full(num, 5.0), 0.0
    for period in range(periods):
        need = find(on_hand, due[:, None], paths, 1, np.ones(num), np.full(num, PENALTY))
        stock, demand = on_hand + due, rng.poisson(MEAN, num)
        on_hand, due = np.maximum(stock - demand, 0), np.maximum(need.units, 0)
        if period >= warmup:
            total += (on_hand + PENALTY * np.maximum(demand - stock, 0)).mean()
    return total / (periods - warmup)


def test_an_order_that_looks_at_the_next_one_costs_what_the_best_possible_does():
    best = best_cost()
    assert best == pytest.approx(4.04, abs=0.01)  # Zipkin (2008): mean 5, penalty 4, lead time 1
    ahead, myopic = simulated_cost(need_with_next, 2), simulated_cost(lost_sales_need, 1)
    assert ahead < 1.015 * best
    assert myopic > ahead


@given(seed=st.integers(0, 999), lead=st.integers(0, 3), review=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_a_sale_is_worth_no_more_than_losing_it_costs_and_then_orders_are_no_larger(
    seed, lead, review
):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(rng.uniform(0.3, 5), (2, lead + 2 * review, 60)).astype(float)
    on_hand, due = rng.integers(0, 5, 2).astype(float), rng.integers(0, 4, (2, 2)).astype(float)
    holding, stockout = rng.uniform(0.1, 1, 2), rng.uniform(1, 9, 2)
    need = need_with_next(on_hand, due, demand, lead, holding, stockout)
    plain = lost_sales_need(on_hand, due, demand[:, : lead + review], lead, holding, stockout)
    assert (need.sale > 0).all()
    assert (need.sale <= stockout).all()
    assert (need.units <= plain.units).all()


def sampled(quantiles, mean, sums, num_paths=4000, **how):
    sampler = Sampler(Draws.make(len(quantiles[0]), num_paths, seed=0), LEVELS, LEVELS)
    how = {"is_count": False, "periods": len(quantiles[0])} | how
    arrays = (np.array(a, float) for a in (quantiles, mean, sums))
    return sampler.paths(*arrays, **how)


def test_paths_have_the_forecasts_quantiles_of_sums_and_by_period_where_they_agree():
    one = [2.0, 4, 6, 8, 10, 11]
    wide, narrow = [12.0, 18, 18, 22, 27, 30], [15.0, 17, 18, 19, 20, 21]
    paths = sampled([[one] * 3] * 2, [[6.0] * 3] * 2, [wide, narrow])
    for found, wanted in zip(paths.sum(axis=0), (wide, narrow), strict=True):
        np.testing.assert_allclose(np.quantile(found, LEVELS), wanted, atol=0.2)
    [alone] = sampled([[one]], [[6.0]], [one])[0]
    np.testing.assert_allclose(np.quantile(alone, LEVELS), one, atol=0.2)


def test_a_period_keeps_its_share_of_the_mean():
    """A day that sells five times as much as the others, whatever its quantiles jitter to."""
    slow, fast = [-0.45, -0.3, 0.0, 0.3, 0.8, 1.2], [-0.3, 0.2, 1.0, 1.9, 2.8, 3.3]
    sums = [0.2, 1.0, 1.9, 3.0, 4.1, 4.8]
    paths = sampled([[slow, slow, fast]], [[0.2, 0.2, 1.0]], [sums], is_count=True)
    share = paths.mean(axis=2)[:, 0] / paths.sum(axis=0).mean()
    np.testing.assert_allclose(share, [1 / 7, 1 / 7, 5 / 7], atol=0.04)


def test_counts_are_whole_and_never_negative_and_so_are_their_sums():
    one = [-0.4, -0.1, 0.3, 0.8, 1.6, 2.2]
    paths = sampled([[one] * 4], [[0.6] * 4], [[0.4, 1.6, 2.3, 3.2, 4.4, 5.2]], is_count=True)
    assert (paths == np.rint(paths)).all()
    assert paths.min() == 0
    found = np.sort(paths.sum(axis=0)[0])
    assert found[[int(4000 * level) for level in LEVELS]].tolist() == [0, 2, 2, 3, 4, 5]


@given(seed=st.integers(0, 99), num=st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_the_paths_of_a_series_do_not_hang_on_those_beside_it(seed, num):
    rng = np.random.default_rng(seed)
    quantiles = rng.gamma(1, 3, (num, 5, 6)).cumsum(axis=2) - 0.5
    mean, sums = quantiles[..., 2], quantiles.sum(axis=1)
    whole = sampled(quantiles, mean, sums, 50, is_count=True)
    row = rng.integers(num)
    alone = sampled(quantiles[[row]], mean[[row]], sums[[row]], 50, is_count=True)
    assert (alone[:, 0] == whole[:, row]).all()


def test_the_same_seed_gives_the_same_paths():
    first, again = Draws.make(2, 50, seed=3), Draws.make(2, 50, seed=3)
    assert np.array_equal(first.rounding, again.rounding)
    assert np.array_equal(first.own, again.own)
    assert not np.array_equal(first.own, Draws.make(2, 50, seed=4).own)
