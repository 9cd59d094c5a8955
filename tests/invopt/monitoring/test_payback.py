from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy.stats import norm

from invopt.config import GovernorConfig, InventoryConfig
from invopt.forecasts import ForecastArrays
from invopt.inventory import terms_of
from invopt.monitoring.governor import decide
from invopt.monitoring.payback import avoidable_cost, kept_share, saved
from invopt.monitoring.performance import Scoring
from invopt.monitoring.retraining_decision import FAILED, KEPT, PROMOTED, Memory
from tests.invopt.monitoring.test_governor import NOW, remembered, run, signal, situation, urgent

LEVELS = tuple(np.arange(1, 100) / 100)
MEAN, SPREAD, HORIZON = 10.0, 2.0, 9  # a period's demand; lead time 2 and review 7


def normal_forecast(num_series: int) -> ForecastArrays:
    """Independent normal periods: a sum over n has mean 10 n and deviation 2 sqrt(n)."""
    periods = np.arange(1, HORIZON + 1)
    per_period = np.tile(norm.ppf(LEVELS, MEAN, SPREAD), (num_series, HORIZON, 1))
    sums = norm.ppf(
        np.array(LEVELS)[None], MEAN * periods[:, None], SPREAD * periods[:, None] ** 0.5
    )
    return ForecastArrays(
        np.full((num_series, HORIZON), MEAN, np.float32), per_period.astype(np.float32),
        np.tile(sums, (num_series, 1, 1)).astype(np.float32), LEVELS, LEVELS, is_count=False,
    )  # fmt: skip


def scoring(num_series: int) -> Scoring:
    terms = terms_of(
        pd.DataFrame({"unique_id": [f"s{i}" for i in range(num_series)]}), None,
        InventoryConfig(lead_time=2, review_period=7, holding_cost=0.02, stockout_cost=1.0),
    )  # fmt: skip
    return Scoring(7, terms, is_count=False)


def outcomes(ratios, error=0.0) -> pd.DataFrame:
    """A week of which demand came to some times the forecast; no error is expected by default."""
    forecast = np.full(len(ratios), 70.0)
    return pd.DataFrame(
        {"observed": 7.0, "forecast": forecast, "actual": forecast * np.asarray(ratios),
         "expected_error": error}
    )  # fmt: skip


def places(number: int) -> np.ndarray:
    return np.array([f"L{i}" for i in range(number)])


def simulated_loss(ratio: float) -> float:
    """What ordering for the old demand costs over ordering for the new one, by simulation."""
    rng = np.random.default_rng(1)
    demand = rng.normal(MEAN * HORIZON, SPREAD * HORIZON**0.5, 2_000_000)
    critical = 1.0 / (1.0 + 0.02 * 7)
    level = np.quantile(demand, critical)

    def cost(stock, wanted):
        return (np.maximum(wanted - stock, 0) + 0.14 * np.maximum(stock - wanted, 0)).mean()

    return float(cost(level, demand * ratio) - cost(level * ratio, demand * ratio))


@pytest.mark.parametrize("ratio", [0.7, 0.9, 1.1, 1.3])
def test_what_a_lasting_shift_costs_is_what_a_simulation_says(ratio):
    found = avoidable_cost(normal_forecast(1), outcomes([ratio]), places(1), scoring(1))
    assert found == pytest.approx(simulated_loss(ratio), rel=0.03, abs=0.02)


def test_where_demand_came_as_forecast_nothing_can_be_saved():
    assert avoidable_cost(normal_forecast(3), outcomes([1, 1, 1]), places(3), scoring(3)) == 0.0


def test_a_place_without_known_demand_is_as_the_whole_company():
    one = avoidable_cost(normal_forecast(1), outcomes([1.3]), places(1), scoring(1))
    week = outcomes([1.3, 9.9])
    week.loc[1, ["observed", "actual"]] = 0.0
    two = avoidable_cost(normal_forecast(2), week, places(2), scoring(2))
    assert two == pytest.approx(2 * one)
    week["observed"] = 0.0
    assert avoidable_cost(normal_forecast(2), week, places(2), scoring(2)) == 0.0


def test_what_five_hundred_places_are_off_by_chance_is_no_money_and_a_real_shift_is():
    """Normal weeks of deviation 2 sqrt(7) a place, which is what their forecasts expect."""
    rng, number = np.random.default_rng(2), 500
    error = 7 * SPREAD * (2 / np.pi) ** 0.5
    ratios = 1 + rng.normal(0, SPREAD * 7**0.5 / 70, number)
    forecast, terms = normal_forecast(number), scoring(number)
    quiet = avoidable_cost(forecast, outcomes(ratios, error), places(number), terms)
    certain = avoidable_cost(forecast, outcomes(ratios), places(number), terms)
    shifted = avoidable_cost(forecast, outcomes(1.3 * ratios, error), places(number), terms)
    assert quiet < certain / 15
    assert shifted == pytest.approx(number * simulated_loss(1.3), rel=0.1)


def test_without_costs_there_is_no_money():
    bare = replace(scoring(1), terms=None)
    assert avoidable_cost(normal_forecast(1), outcomes([1.3]), places(1), bare) == 0.0


@pytest.mark.parametrize(
    ("outcome", "later", "expected"),
    [
        (PROMOTED, [10.0, 30.0], 80.0),
        (PROMOTED, [], None),  # its first period has not come
        (PROMOTED, [150.0], -50.0),
        (PROMOTED, [0.0] * 4 + [999.0], 100.0),  # what comes a month later is another matter
        (KEPT, [10.0], 0.0),
        (FAILED, [], 0.0),
        (None, [10.0], None),
    ],
)
def test_what_a_retraining_saved_is_what_it_found_less_what_was_left(outcome, later, expected):
    assert saved(100.0, outcome, later) == expected


def history(*kept):
    """Retrainings of half a year ago that promised 100 a period."""
    return [
        replace(run(180 - n, key=f"k{n}"), promised=100.0, saved=each)
        for n, each in enumerate(kept)
    ]


def test_the_promise_shrinks_by_what_earlier_ones_kept():
    assert kept_share(history(100.0, 100.0)) == 1.0
    assert kept_share(history(0.0, 0.0)) == 0.5
    assert kept_share(history(-500.0, 9e9)) == 1.0  # held to nothing and to twice the promise
    assert kept_share([replace(r, saved=None) for r in history(0.0)]) == 1.0


def decided(gain, runs=(), signals=None, **config):
    found = replace(situation(*(signals or [signal()])), avoidable_cost=gain)
    memory = replace(remembered("demand_shift up"), retrainings=list(runs))
    return decide(found, memory, GovernorConfig(gain_periods=8, **config), NOW)


def blocking(decision) -> list[str]:
    return [b.name for b in decision.brakes if b.blocks]


def test_money_is_out_of_account_until_somebody_says_what_a_run_costs():
    decision = decided(0.0)
    assert decision.action == "retrain"
    assert [b.name for b in decision.brakes][-2:] == ["gain", "money"]


def test_a_retraining_that_does_not_pay_waits_and_says_so():
    decision = decided(10.0, retraining_cost=81.0)
    assert decision.action == "alert"
    assert blocking(decision) == ["gain"]
    assert (
        "no retraining: money that it is expected to save in 8 periods, at the 100% that earlier "
        "ones kept, has to cover its cost (found 80.0, limit 81.0)"
    ) in decision.reasons
    assert decided(10.0, retraining_cost=80.0).action == "retrain"


def test_an_urgent_change_has_to_pay_too_and_is_not_held_back_by_what_is_not_known():
    assert blocking(decided(1.0, signals=[urgent()], retraining_cost=81.0)) == ["gain"]
    assert decided(None, signals=[urgent()], retraining_cost=81.0).action == "retrain"


def test_what_earlier_runs_did_not_keep_is_not_promised_again():
    runs = history(0.0, 0.0)
    assert blocking(decided(15.0, runs, retraining_cost=80.0)) == ["gain"]
    assert decided(20.0, runs, retraining_cost=80.0).action == "retrain"


def test_a_budget_in_money_counts_this_run_too():
    earlier = [run(20, key="a")]
    tight = decided(1e6, earlier, retraining_cost=60.0, max_money_per_month=100.0)
    assert blocking(tight) == ["money"]
    assert decided(1e6, [run(31, key="a")], retraining_cost=60.0,
                   max_money_per_month=100.0).action == "retrain"  # fmt: skip


def test_a_model_that_is_only_old_is_trained_although_nothing_says_what_it_saves():
    old = replace(situation(age_days=200), avoidable_cost=0.0)
    config = GovernorConfig(retraining_cost=81.0)
    assert decide(old, Memory(), config, NOW).action == "retrain"


@pytest.mark.parametrize(
    "config", [{"max_money_per_month": 10}, {"max_money_per_month": 10, "retraining_cost": 11}]
)
def test_a_budget_that_allows_no_run_or_counts_nothing_is_refused(config):
    with pytest.raises(ValidationError, match="retraining_cost"):
        GovernorConfig(**config)
