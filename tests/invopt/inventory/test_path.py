"""Orders against the best by enumeration, and the projected path worked out by hand."""

import numpy as np
import pytest

from invopt.config import InventoryConfig
from invopt.inventory import Stock, Terms, decide
from invopt.inventory.path import LeadLaw, project
from invopt.inventory.paths import Draws, Sampler
from tests.invopt.inventory.oracle import Situation, poisson_forecast

SITUATIONS = {
    "plain": Situation(5, on_hand=30),
    "empty shelf": Situation(5),
    "far purchase order": Situation(5, on_hand=20, arrivals={60: 100}, lead_time=7),
    "arrives just after the order": Situation(5, on_hand=20, arrivals={6: 60}),
    "arrives before the order": Situation(5, on_hand=2, arrivals={2: 40}),
    "slow seller": Situation(0.1, on_hand=1),
    "waiting customers": Situation(4, backorders=15),
    "they wait": Situation(4, on_hand=3, lost_sales=False),
    "long lead time": Situation(2, on_hand=10, lead_time=28, review=7),
    "daily": Situation(12, on_hand=8, lead_time=1, review=1),
    "packs": Situation(3, on_hand=12, pack=12),
    "expires": Situation(4, on_hand=25, shelf_life=6),
    "expires with arrivals": Situation(4, on_hand=5, arrivals={2: 40}, shelf_life=5),
}


def arrivals_of(situation):
    found = np.zeros((1, max([1, *situation.arrivals])))
    for period, units in situation.arrivals.items():
        found[0, period - 1] += units
    return found


def decided(situation, forced=None, **config):
    arrivals = arrivals_of(situation)
    stock = Stock(
        np.array([situation.on_hand]), arrivals.sum(axis=1), np.array([situation.backorders]),
        arrivals,
    )  # fmt: skip
    one = np.ones(1)
    terms = Terms(
        holding_cost=one * situation.holding, stockout_cost=one * situation.stockout,
        lead_time=np.array([situation.lead_time]), review_period=situation.review,
        pack_size=one * situation.pack, min_order=0 * one, unit_cost=one * situation.unit_cost,
        shelf_life=None if situation.shelf_life is None else one * situation.shelf_life,
    )  # fmt: skip
    settings = InventoryConfig(
        review_period=situation.review, lost_sales=situation.lost_sales, **config
    )
    forecast = poisson_forecast(np.array([situation.rate]), 28)
    forced = None if forced is None else np.array([forced])
    return decide(forecast, terms, stock, settings, is_count=True, forced=forced)


@pytest.mark.parametrize("name", SITUATIONS)
def test_an_order_costs_no_more_than_a_tenth_above_the_best_by_enumeration(name):
    situation = SITUATIONS[name]
    quantity = float(decided(situation).quantity[0])
    best, cost = situation.best()
    near = min(situation.cost(max(quantity + d * situation.pack, 0)) for d in (-1, 0, 1))
    assert near <= 1.1 * cost + 1e-9, (name, quantity, best, situation.cost(quantity), cost)


@pytest.mark.parametrize("name", SITUATIONS)
def test_no_order_says_that_one_pack_less_or_more_is_cheaper(name):
    found = decided(SITUATIONS[name])
    assert not found.one_less[0] < -1e-9
    assert found.one_more[0] >= -1e-9


def test_a_path_by_hand_tells_what_is_missed_before_the_order_and_what_it_changes():
    """Ten there, five sold a day, eight come on day four, the order comes on day four too."""
    demand = np.full((6, 1, 2), 5, np.float32)
    arrivals = np.array([[0.0, 0, 0, 8, 0, 0, 99]])
    path = project(np.array([10.0]), arrivals, demand, LeadLaw.fixed(3, 3, 2), lost_sales=True)
    assert path.missed_before.tolist() == [5.0]
    assert path.at_arrival.tolist() == [0.0]
    assert path.dry.tolist() == [[0, 0, 1, 0, 0, 0]]  # to the order's arrival
    # days four to six sell 15, of which 8 are there
    ahead = path.outlook
    assert ahead.missed(np.zeros(1)).tolist() == [7.0]
    assert ahead.held(np.zeros(1)).tolist() == [3.0]  # 8 - 5, then nothing
    assert ahead.held(np.array([7.0])).tolist() == [10.0 + 5 + 0]
    change = ahead.change(np.zeros(1), np.array([7.0]), np.ones(1), np.full(1, 10.0))
    assert change.tolist() == [12.0 - 70]


def test_the_far_order_is_no_cover_and_the_near_one_is():
    far = Situation(5, on_hand=20, arrivals={60: 100}, lead_time=7)
    none = Situation(5, on_hand=20, lead_time=7)
    near = Situation(5, on_hand=20, arrivals={8: 100}, lead_time=7)
    found = [decided(s) for s in (far, none, near)]
    assert found[0].quantity == found[1].quantity > 30
    assert found[2].quantity == 0
    assert found[0].unavoidable[0] == pytest.approx(15, abs=1.5)
    assert found[0].dry_in[0] == 5  # 20 units at five a day
    assert found[0].position.tolist() == [20.0]


def test_paths_of_slow_counts_have_the_forecasts_mean_to_a_tenth():
    made = poisson_forecast(np.array([0.3, 0.05, 0.9]), 7)
    draws = Draws.make(7, 4000, seed=0)
    paths = Sampler(draws, made.quantile_levels, made.level_quantiles).paths(
        made.smooth_quantiles, made.mean, made.smooth_levels[:, 6], 7, is_count=True
    )
    np.testing.assert_allclose(paths.mean(axis=(0, 2)), [0.3, 0.05, 0.9], rtol=0.1, atol=0.01)


def test_a_slow_seller_can_lose_no_more_than_it_sells():
    found = decided(Situation(0.02, on_hand=0, lead_time=7, stockout=16.0))
    assert found.stockout_cost[0] + found.unavoidable[0] * 16 <= 16 * 0.02 * 14 * 2


def late_of(rate, periods, reach, *, num_paths=200):
    made = poisson_forecast(np.array([rate]), reach)
    draws = Draws.make(reach, num_paths, seed=1)
    paths = Sampler(draws, made.quantile_levels, made.level_quantiles).paths(
        made.smooth_quantiles, made.mean, made.smooth_levels[:, periods - 1], periods,
        is_count=True,
    )  # fmt: skip
    return paths[periods:, 0].sum(axis=0)


@pytest.mark.parametrize("rate", [0.1, 0.3, 1.0, 8.0])
def test_demand_behind_the_sums_is_not_low_because_a_single_period_was(rate):
    late = late_of(rate, periods=4, reach=24)
    assert late.mean() == pytest.approx(20 * rate, rel=0.15)
    assert late.std() == pytest.approx(np.sqrt(20 * rate), rel=0.35)
    # Half of the slow sellers' paths are without a sale for four periods, and hardly one for 24.
    none = (late < 1).mean()
    assert none == pytest.approx(np.exp(-20 * rate), abs=0.03)


def test_demand_behind_the_sums_is_high_or_low_with_them_where_the_forecast_says_so():
    rate, reach, periods = 8.0, 24, 4
    made = poisson_forecast(np.array([rate]), reach)
    wide = made.smooth_levels.copy()
    mean = rate * np.arange(1, reach + 1)[None, :, None]
    wide = mean + 3 * (wide - mean)
    draws = Draws.make(reach, 400, seed=1)
    paths = Sampler(draws, made.quantile_levels, made.level_quantiles).paths(
        made.smooth_quantiles, made.mean, wide[:, periods - 1], periods, is_count=True
    )
    early, late = paths[:periods, 0].sum(axis=0), paths[periods:, 0].sum(axis=0)
    assert np.corrcoef(early, late)[0, 1] > 0.85


def test_no_more_periods_are_asked_of_paths_than_are_drawn():
    with pytest.raises(ValueError, match="paths of 9 periods are asked for, 5 are drawn"):
        made = poisson_forecast(np.array([1.0]), 9)
        Sampler(Draws.make(5, 20, 0), made.quantile_levels, made.level_quantiles).paths(
            made.smooth_quantiles, made.mean, made.smooth_levels[:, 2], 3, is_count=True
        )


def test_who_waits_when_the_order_arrives_was_missed_once_and_not_twice():
    one = {"lost_sales": False, "lead_time": 14, "review": 1}
    found = decided(Situation(5, on_hand=0, **one))
    # Seventy wait by then, and are told before; of the day's five nobody is missed.
    assert found.unavoidable[0] == pytest.approx(70, abs=3)
    assert found.stockout_cost[0] < 3.5
    assert found.saved[0] > 3.5 * 70  # that they are served counts
    limited = decided(Situation(5, on_hand=0, **one), forced=10.0)
    assert limited.stockout_cost[0] == pytest.approx(3.5 * 5, rel=0.1)
