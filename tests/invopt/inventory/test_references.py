import numpy as np
import pytest

from invopt.config import InventoryConfig
from invopt.inventory import Opening, order_up_to, simulate
from invopt.inventory.backtest import cost_at_fill_rate, replay
from invopt.inventory.costs import terms_of
from invopt.inventory.references import (
    COVER,
    EMPIRICAL,
    PERFECT,
    TEXTBOOK,
    History,
    reference_levels,
    reference_rules,
    seasonal_average,
    textbook_level,
)
from tests.invopt.inventory.test_simulation import make_terms


def make_history(num=6, weeks=80, first=60, seed=0):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(4, (num, weeks)).astype(float)
    return History(demand, np.arange(weeks + 10) % 52, first, recent=13)


def test_the_seasonal_average_holds_the_level_times_the_factors_ahead():
    """Two places in the season, 1 and 3 units: the level is 2, the next three weeks 1 + 3 + 1."""
    demand = np.tile([1.0, 3.0], (1, 13))
    history = History(demand, np.arange(40) % 2, 0, recent=4)
    assert seasonal_average(history, 25, np.array([3])).tolist() == [5]
    assert seasonal_average(history, 24, np.array([2])).tolist() == [4]


def test_the_textbook_level_is_mean_plus_z_sigma_root_of_the_interval():
    demand = np.tile([2.0, 6.0], (1, 26))
    history = History(demand, np.zeros(60, int), 0, recent=26)
    terms = make_terms()  # z(5/6) = 0.967, L + R = 3
    assert textbook_level(history, 51, terms)[0] == np.rint(3 * 4 + 0.9674 * 2 * 3**0.5)


def test_censored_weeks_do_not_pull_the_references_down():
    history = make_history()
    censored = history.demand.copy()
    censored[:, ::3] = np.nan
    gaps = History(censored, history.season, history.first, history.recent)
    level, other = (seasonal_average(h, 60, np.full(6, 3)) for h in (history, gaps))
    assert np.abs(level - other).mean() < 4


@pytest.mark.parametrize("lost_sales", [True, False])
def test_perfect_information_misses_nothing_after_the_first_arrival(lost_sales):
    history, terms = make_history(), make_terms(6)
    rules = reference_rules(history, terms, lost_sales=lost_sales)
    demand = history.demand[:, history.first :]
    costs = {
        name: simulate(
            demand, rule, terms, Opening(np.full(6, 8.0), np.zeros((6, 0))),
            lost_sales=lost_sales, warmup=3,
        ).cost.sum()
        for name, rule in rules.items()
    }  # fmt: skip
    assert min(costs, key=costs.get) == PERFECT
    found = simulate(
        demand, rules[PERFECT], terms, Opening.empty(6), lost_sales=lost_sales, warmup=3
    )
    assert (found.cost[:-1] == 0).all()


def test_references_look_back_only():
    history, terms = make_history(), make_terms(6)
    changed = history.demand.copy()
    changed[:, 70:] = 99
    later = History(changed, history.season, history.first, history.recent)
    for name in set(reference_rules(history, terms)) - {PERFECT}:
        first, second = (
            simulate(
                history.demand[:, 60:70], reference_rules(h, terms)[name], terms,
                Opening.empty(6),
            ).ordered
            for h in (history, later)
        )  # fmt: skip
        assert np.array_equal(first, second), name


def test_at_equal_fill_rate_a_policy_that_only_holds_more_of_everything_costs_the_same():
    demand = np.random.default_rng(1).poisson(20, (8, 40)).astype(float)
    terms = make_terms(8, lead_time=1)
    levels = np.full((8, 40), 44.0)
    own = replay(order_up_to(levels, terms), demand, terms).summary()
    dear = replay(order_up_to(1.5 * levels, terms), demand, terms).summary()["cost"]
    equal = cost_at_fill_rate(1.5 * levels, demand, terms, own["fill_rate"])
    assert dear > 2 * own["cost"]
    assert equal == pytest.approx(own["cost"], rel=0.02)


def test_a_fill_rate_that_no_factor_reaches_has_no_cost():
    demand = np.full((2, 10), 5.0)
    assert cost_at_fill_rate(np.full((2, 10), 0.1), demand, make_terms(2, 1), 0.99) is None


@pytest.mark.parametrize(("known", "lead_time"), [(30, 50), (200, 50), (10, 160)])
def test_levels_of_lead_times_longer_than_what_is_averaged(known, lead_time):
    config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=lead_time, review_period=7)
    terms = terms_of({"unique_id": ["a"]}, None, config)
    demand = np.full((1, known + 14), 3.0)
    history = History(demand, np.zeros(known + lead_time + 30, np.int64), known, recent=7)
    found = reference_levels(history, terms)
    assert {name: levels[0, 0].item() for name, levels in found.items()} == {
        TEXTBOOK: 3.0 * (lead_time + 7), COVER: 3.0 * (lead_time + 7),
        EMPIRICAL: 3.0 * (lead_time + 7),
    }  # fmt: skip
