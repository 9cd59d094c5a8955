"""Whole models before the gate: made-up demand of known law, models right and wrong about it."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from invopt.assessment import AVERAGE, CHALLENGER, NAIVE, assess
from invopt.contracts import TermsTables
from invopt.errors import InvalidInputError
from invopt.fallback import sentence, told
from invopt.forecasts import ForecastArrays, forecast_of
from invopt.gate import KEEP, PROMOTE, judge
from invopt.panel import Panel
from invopt.timeline import Timeline
from tests.builders import make_config

pytestmark = pytest.mark.slow

NUM, PERIODS, HORIZON = 80, 140, 14
CONFIG = make_config(
    features={"horizon": HORIZON, "windows": [7, 14, 28], "aggregates": []},
    evaluation={"gate_periods": 28, "selection_periods": 14},
    inventory={"lead_time": 2, "review_period": 2, "holding_cost": 0.1, "stockout_cost": 1.0,
               "holding_rate": 0.1, "stockout_margin": 1.0},
    gate={"num_bootstrap": 300, "max_wape_ratio": 1.0, "coverage_tolerance": 0.08},
)  # fmt: skip


def true_mean():
    rng = np.random.default_rng(1)
    level = rng.lognormal(1.2, 0.6, NUM)
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(PERIODS + HORIZON) / 7 + rng.random((NUM, 1)))
    return level[:, None] * season


MEAN = true_mean()


def panel():
    y = np.random.default_rng(2).poisson(MEAN[:, :PERIODS]).astype(np.int16)
    y[:, 0] = np.maximum(y[:, 0], 1)  # on sale from the start
    ids = [f"s{i:03d}" for i in range(NUM)]
    series = pd.DataFrame({"unique_id": ids, "category": ["fresh", "dry"] * (NUM // 2)})
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", PERIODS)
    return Panel(timeline, series, y, np.zeros(y.shape, np.uint8))


PANEL = panel()
IS_ODD = np.arange(NUM) % 6 == 1  # 13 of 80 shops' series


@dataclass(frozen=True)
class Model:
    """Knows the law of demand; each field spoils it in one way."""

    scale: float = 1.0
    width: float = 1.0
    noise: float = 0.0
    swapped: bool = False
    peeks: bool = False
    broken: bool = False
    upper_scale: float = 1.0
    lower_scale: float = 1.0
    other_week: bool = False

    def predict(self, seen, cutoff=None):
        cutoff = seen.num_periods - 1 if cutoff is None else cutoff
        mean = MEAN[:, cutoff + 1 : cutoff + 1 + HORIZON] * self.scale
        if self.noise:
            rng = np.random.default_rng(cutoff)
            mean = mean * rng.lognormal(-(self.noise**2) / 2, self.noise, (NUM, 1))
        if self.swapped:
            mean = mean[::-1]
        if self.other_week:
            mean = np.where(IS_ODD[:, None], np.roll(mean, 3, axis=1), mean)
        if self.peeks:
            later = np.asarray(seen.y[:, cutoff + 1 : cutoff + 1 + HORIZON], float)
            mean = np.maximum(np.pad(later, ((0, 0), (0, HORIZON - later.shape[1])), "edge"), 0.05)
        model = CONFIG.model
        per_period = self._quantiles(mean, model.quantile_levels)
        sums = self._quantiles(mean.cumsum(axis=1), model.level_quantiles)
        if self.broken:
            mean = np.where(np.arange(NUM)[:, None] == 7, np.nan, mean)
        return ForecastArrays(
            mean, per_period, sums, model.quantile_levels, model.level_quantiles, is_count=True
        )

    def _quantiles(self, mean, levels):
        """Return quantiles of the jittered count y + U - 1/2, stretched about its median."""
        grid = np.stack([_jittered(level, mean) for level in levels], axis=2)
        middle = _jittered(0.5, mean)[..., None]
        stretched = middle + (grid - middle) * self.width
        scales = np.where(np.asarray(levels) > 0.5, self.upper_scale, self.lower_scale)
        return middle + (stretched - middle) * scales


def _jittered(level, mean):
    """Return the quantile of y + U - 1/2, y Poisson: slow, and asked for again and again."""
    return _known_jittered(level, mean.tobytes(), mean.shape)


@functools.cache
def _known_jittered(level, content, shape):
    mean = np.frombuffer(content).reshape(shape)
    count = poisson.ppf(level, mean)
    below, at = poisson.cdf(count - 1, mean), poisson.pmf(count, mean)
    return count + (level - below) / at - 0.5


def verdict(challenger, champion=None, config=CONFIG, seen=PANEL, **kwargs):
    found = assess(challenger, champion, seen, config, is_count=True)
    own = found.judged[CHALLENGER]
    return judge(
        own.points, found.judged[NAIVE].points, own.coverage, found.cost, config.gate,
        incumbent=found.incumbent, leaks=["the forecast"] * (found.foresight > 0),
        groups=found.group_losses, **kwargs,
    )  # fmt: skip


def failed(found):
    return {check.name.split("[")[0] for check in found.checks if not check.passed}


@pytest.mark.parametrize(
    ("challenger", "champion"),
    [
        (Model(), None),
        (Model(), Model(noise=0.5)),
        (Model(noise=0.05), Model(scale=1.5)),
        (Model(), Model(width=2.5)),
    ],
    ids=["right law, first run", "against noise", "against bias", "against underconfidence"],
)
def test_a_model_that_decides_better_is_promoted(challenger, champion):
    found = verdict(challenger, champion)
    assert found.decision == PROMOTE, found.reasons


@pytest.mark.parametrize(
    ("challenger", "champion", "check"),
    [
        (Model(scale=1.4), None, "bias"),
        (Model(scale=0.7), None, "bias"),
        (Model(peeks=True), None, "leaks"),
        (Model(swapped=True), None, "wape_ratio"),
        (Model(width=0.4), None, "coverage_80"),
        (Model(width=2.0), Model(noise=0.02), "cost_change"),
        (Model(broken=True), None, "finite"),
        (Model(noise=1.0), None, "cost_change"),
        (Model(), Model(), "cost_change"),
        (Model(noise=0.02), Model(noise=0.02), "cost_change"),
        (Model(noise=0.5), Model(), "cost_change"),
        (Model(upper_scale=0.2), Model(noise=0.1), "coverage_90"),
        (Model(upper_scale=4.0), Model(noise=0.1), "cost_change"),
    ],
    ids=[
        "biased up", "biased down", "leaked", "swapped series", "overconfident", "underconfident",
        "not a number", "noise", "the same model", "equal within noise", "worse than champion",
        "right mean, too little safety stock", "right mean, too much safety stock",
    ],
)  # fmt: skip
def test_a_model_that_must_not_serve_is_kept_out(challenger, champion, check):
    found = verdict(challenger, champion)
    assert found.decision == KEEP
    assert check in failed(found)


def test_stale_data_keep_the_best_model_out():
    assert failed(verdict(Model(), suspect=["freshness of sales"])) == {"data"}


def test_better_errors_with_dearer_decisions_are_kept_out():
    """The challenger's means are exact, the champion's are not; its levels hold far too much."""
    challenger, champion = Model(upper_scale=4.0), Model(noise=0.15)
    found = assess(challenger, champion, PANEL, CONFIG, is_count=True)
    judged = found.judged
    assert judged[CHALLENGER].points["rmse"] < judged["champion"].points["rmse"]
    assert judged[CHALLENGER].money["cost"] > judged["champion"].money["cost"]
    assert verdict(challenger, champion).decision == KEEP


def test_what_happens_after_the_judged_periods_judges_nothing():
    """Demand triples in the last week, which no recipe could know: the gate looks before it."""
    y = np.array(PANEL.y)
    y[:, -7:] *= 3
    shifted, evaluation = replace(PANEL, y=y), CONFIG.evaluation
    config = CONFIG.model_copy(
        update={"evaluation": evaluation.model_copy(update={"unjudged_periods": 7})}
    )
    before = assess(Model(), Model(noise=0.5), PANEL.truncate(PERIODS - 7), CONFIG, is_count=True)
    found = assess(Model(), Model(noise=0.5), shifted, config, is_count=True)
    assert found.ranges.gate == before.ranges.gate
    assert found.judged[CHALLENGER].points == before.judged[CHALLENGER].points
    assert found.cost == before.cost


def test_an_honest_model_leaks_nothing_and_a_peeking_one_everywhere():
    honest, peeking = (
        assess(model, None, PANEL, CONFIG, is_count=True).foresight
        for model in (Model(), Model(peeks=True))
    )
    assert (honest, peeking) == (0, NUM)


def test_references_stand_beside_and_perfect_information_is_the_cheapest():
    found = assess(Model(), None, PANEL, CONFIG, is_count=True)
    costs = {name: money["cost"] for name, money in found.references.items()}
    assert min(costs, key=costs.get) == "perfect information"
    assert costs["perfect information"] < found.judged[CHALLENGER].money["cost"]
    assert found.judged[CHALLENGER].money["cost"] < costs["textbook base stock"]
    textbook = found.references["textbook base stock"]
    assert found.judged[CHALLENGER].money["cost"] < textbook["cost_at_equal_fill_rate"]


def test_segments_are_compared_one_by_one():
    found = assess(Model(), Model(noise=0.5), PANEL, CONFIG, is_count=True)
    assert set(found.cost.segments) == {"dry", "fresh"}
    assert replace(found.cost, segments={}).challenger == pytest.approx(
        sum(part.challenger for part in found.cost.segments.values())
    )


def test_the_lost_sales_policy_is_judged_by_the_orders_it_would_place():
    inventory = CONFIG.inventory.model_copy(update={"policy": "lost_sales", "num_paths": 50})
    config = CONFIG.model_copy(update={"inventory": inventory})
    found = assess(Model(), Model(noise=0.6), PANEL, config, is_count=True)
    assert found.judged[CHALLENGER].money["cost"] < found.judged["champion"].money["cost"]
    levels = CONFIG.inventory.model_copy(update={"policy": "order_up_to"})
    plain = CONFIG.model_copy(update={"inventory": levels})
    plain = assess(Model(), None, PANEL, plain, is_count=True)
    assert found.judged[CHALLENGER].money["cost"] < plain.judged[CHALLENGER].money["cost"]


SHOPS = 4
NETWORK = replace(
    PANEL,
    series=PANEL.series.assign(
        product=[f"p{i // SHOPS}" for i in range(NUM)],
        location=[f"s{i % SHOPS}" for i in range(NUM)],
    ),
)
LANES = pd.DataFrame(
    {"source": ["DC"] * SHOPS + ["ACME"], "location": [*(f"s{i}" for i in range(SHOPS)), "DC"],
     "lead_time": [2.0] * SHOPS + [6.0]}
)  # fmt: skip
NODES = pd.DataFrame({"product": [f"p{i}" for i in range(NUM // SHOPS)], "location": "DC"})
TABLES = TermsTables(lanes=LANES, nodes=NODES.assign(unique_id=NODES["product"] + "_DC"))
WEEKLY = CONFIG.model_copy(
    update={"inventory": CONFIG.inventory.model_copy(update={"review_period": 7, "num_paths": 50})}
)


def test_where_a_warehouse_supplies_the_shops_the_gates_money_is_that_of_the_network():
    """Its stock is paid for, and what it has not is missed on the shelves."""
    alone = assess(Model(), Model(noise=0.5), NETWORK, WEEKLY, is_count=True)
    found = assess(Model(), Model(noise=0.5), NETWORK, WEEKLY, is_count=True, tables=TABLES)
    assert alone.network is None
    assert (found.network.places, found.network.series, found.network.replayed) == (
        ["DC"],
        NUM,
        NUM,
    )
    assert (found.network.reach, found.network.periods) == (10, 28)
    own, single = (f.judged[CHALLENGER].replay for f in (found, alone))
    assert own.demand.tolist() == single.demand.tolist()
    assert own.holding_cost.sum() > 1.1 * single.holding_cost.sum()
    # A wrong law orders too little for the warehouse too.
    assert found.judged[CHALLENGER].money["cost"] < found.judged["champion"].money["cost"]
    assert found.cost.high < 0


def test_a_large_network_is_replayed_by_whole_trees_of_which_the_rest_cost_nothing(monkeypatch):
    monkeypatch.setattr("invopt.judged.MOST_ORDERS", 200)
    found = assess(Model(), None, NETWORK, WEEKLY, is_count=True, tables=TABLES)
    # Of 4 reviews of 100 items 200 orders are half.
    assert found.network.replayed == NUM // 2
    counted = found.judged[CHALLENGER].replay.demand.reshape(-1, SHOPS) > 0
    assert counted.all(axis=1).tolist() == [True, False] * (NUM // SHOPS // 2)
    assert not counted[1].any()


def with_lead_times(lead_times):
    return replace(PANEL, series=PANEL.series.assign(lead_time=lead_times))


@pytest.mark.parametrize("policy", ["auto", "order_up_to"])
def test_series_that_no_forecast_can_order_are_left_out_of_the_money_and_counted(policy):
    """One lead time beyond the horizon once made every other order's cost count for one period."""
    config = CONFIG.model_copy(
        update={"inventory": CONFIG.inventory.model_copy(update={"policy": policy})}
    )
    panel = with_lead_times([90.0, *[2.0] * (NUM - 1)])
    found = assess(Model(), Model(noise=0.5), panel, config, is_count=True)
    usual = assess(Model(), Model(noise=0.5), PANEL, config, is_count=True)
    assert (found.not_replayed, usual.not_replayed) == (1, 0)
    own, whole = (f.judged[CHALLENGER].replay for f in (found, usual))
    assert own.num_periods == whole.num_periods
    assert own.cost[0] == own.demand[0] == 0
    np.testing.assert_allclose(own.cost[1:], whole.cost[1:])
    assert all(money["ordered"] > 0 for money in found.references.values())


def test_where_no_series_can_be_ordered_the_keys_are_named():
    with pytest.raises(
        InvalidInputError, match=r"no series of 80 can be ordered.*features.horizon"
    ):
        assess(Model(), None, with_lead_times([90.0] * NUM), CONFIG, is_count=True)


def test_a_forecast_that_is_no_number_costs_what_nobody_knows_and_is_refused():
    found = assess(Model(broken=True), None, PANEL, CONFIG, is_count=True)
    assert np.isnan(found.judged[CHALLENGER].money["cost"])
    assert np.isfinite(found.judged[found.incumbent].money["cost"])
    assert {"finite", "cost_change"} <= failed(verdict(Model(broken=True)))


def in_shops():
    places = np.where(IS_ODD, "odd", "usual").astype(object)
    return replace(PANEL, series=PANEL.series.assign(location=places))


def test_a_few_shops_with_another_week_that_a_baseline_knows_better_keep_a_model_out():
    """The champion has the same fault, so that no comparison with it alone tells."""
    found = verdict(Model(other_week=True), Model(other_week=True, noise=0.5), seen=in_shops())
    assert {c.name for c in found.checks if not c.passed} == {"group_loss[location=odd]"}
    assert found.reasons[0].startswith(
        "no group may be forecast clearly worse than by another candidate; the quantile loss of "
        "location=odd is +49.5% compared with moving average"
    )
    assert found.would_pass == ["gate.group_loss_increase=0.34"]
    sound = verdict(Model(), Model(other_week=True, noise=0.5), seen=in_shops())
    assert sound.decision == PROMOTE, sound.reasons


def challenger_with_parts(challenger, champion, seen, config=CONFIG):
    """Return the assessment of a challenger, and the verdict on its model of parts."""
    found = assess(challenger, champion, seen, config, is_count=True)
    later = found.later
    if later is None:
        return found, None
    own = later.judged[CHALLENGER]
    return found, judge(
        own.points, later.judged[NAIVE].points, own.coverage, later.cost, config.gate,
        incumbent=later.incumbent, groups=later.group_losses,
    )  # fmt: skip


def test_shops_with_another_week_fall_to_the_candidate_that_knows_it_and_the_rest_stays():
    challenger = Model(other_week=True)
    found, decided = challenger_with_parts(
        challenger, Model(other_week=True, noise=0.5), in_shops()
    )
    composed = found.fallback[CHALLENGER]
    [rule] = composed.parts.rules
    assert (rule.group, rule.makers, rule.values) == ("location=odd", (AVERAGE,), ("odd",))
    assert (composed.places == 0).tolist() == IS_ODD.tolist()
    assert decided.decision == PROMOTE, decided.reasons
    # Judged on the cutoffs that did not choose it, half of the gate's weeks.
    assert found.ranges.gate == (111, 118, 125, 132)
    assert found.later.ranges.gate == (125, 132)
    [part] = told(composed, CHALLENGER)["parts"]
    assert part["wape"] < part["wape_alone"]
    assert sentence(told(composed, CHALLENGER), CHALLENGER).startswith(
        "moving average forecasts location=odd (14 series), challenger all others: on cutoffs that "
        "did not choose this, orders cost -"
    )


def test_what_sold_after_the_choice_chooses_nothing():
    """With the later weeks' sales in another order the same groups are chosen."""
    seen = in_shops()
    y = np.array(seen.y)
    y[:, 126:] = y[:, 126:][:, ::-1] + 5
    rules = [
        assess(Model(other_week=True), None, panel, CONFIG, is_count=True)
        .fallback[CHALLENGER].chosen
        for panel in (seen, replace(seen, y=y))
    ]  # fmt: skip
    assert [(c.group, c.makers, c.change, c.low) for c in rules[0]] == [
        (c.group, c.makers, c.change, c.low) for c in rules[1]
    ]


def test_where_no_group_is_served_badly_nothing_falls_to_anybody():
    found, decided = challenger_with_parts(Model(), Model(noise=0.5), in_shops())
    assert CHALLENGER not in found.fallback
    assert decided is None


def test_a_fallback_that_the_configuration_does_not_want_is_not_tried():
    gate = CONFIG.gate.model_copy(update={"fallback": False})
    off = CONFIG.model_copy(update={"gate": gate})
    found = assess(Model(other_week=True), None, in_shops(), off, is_count=True)
    assert (found.fallback, found.later) == ({}, None)


def test_a_retraining_is_not_held_back_by_a_fault_that_the_champion_has_too():
    gate = CONFIG.gate.model_copy(update={"benefit_of_doubt": True})
    lenient = CONFIG.model_copy(update={"gate": gate})
    worse, same = Model(noise=0.5), Model(other_week=True, noise=0.5)
    kept = verdict(Model(other_week=True), same, config=lenient, seen=in_shops())
    assert "group_loss" not in failed(kept)
    assert "group_loss" in failed(
        verdict(Model(other_week=True), worse, config=lenient, seen=in_shops())
    )


def test_of_baselines_about_as_cheap_the_one_that_forecasts_better_orders():
    baselines = {
        NAIVE: Model(noise=0.5),
        "blunt below": Model(lower_scale=0.0),
        "sharp": Model(noise=0.04),
        "wrong": Model(scale=1.5),
    }
    found = assess(Model(), None, PANEL, CONFIG, is_count=True, baselines=baselines)
    costs = {name: found.judged[name].money["cost"] for name in baselines}
    assert min(costs, key=costs.get) == "blunt below"
    assert costs["sharp"] < 1.02 * costs["blunt below"]
    assert found.best_baseline == "sharp"


def test_a_baseline_that_costs_more_does_not_order_however_well_it_forecasts():
    baselines = {
        NAIVE: Model(noise=0.5),
        "blunt below": Model(lower_scale=0.0),
        "dear": Model(noise=0.08),
    }
    found = assess(Model(), None, PANEL, CONFIG, is_count=True, baselines=baselines)
    assert found.judged["dear"].money["cost"] > 1.02 * found.judged["blunt below"].money["cost"]
    assert found.best_baseline == "blunt below"


def few(num=3, lead_time=2):
    """Return a panel and a configuration of a replay in which nobody is seen to run out."""
    inventory = CONFIG.inventory.model_copy(
        update={"holding_cost": 0.005, "review_period": 7, "lead_time": lead_time}
    )
    config = CONFIG.model_copy(update={"inventory": inventory})
    return PANEL.select(np.arange(num)), config


class Some:
    """A model of the first series alone."""

    def __init__(self, model, num=3):
        self.model, self.rows = model, np.arange(num)

    def predict(self, seen, cutoff=None):
        return forecast_of(self.model.predict(seen, cutoff), self.rows)


def test_where_no_shortage_can_be_seen_the_baseline_that_forecasts_best_orders():
    seen, config = few()
    baselines = {
        NAIVE: Some(Model(noise=0.5)),
        "holds next to nothing": Some(Model(scale=0.6)),
        "sharp": Some(Model(noise=0.04)),
    }
    found = assess(Some(Model()), None, seen, config, is_count=True, baselines=baselines)
    assert found.shortages == pytest.approx(0.4, abs=0.2)
    assert found.best_baseline == found.incumbent == "sharp"


def test_months_in_which_next_to_nothing_is_asked_for_show_no_shortage():
    y = np.array(PANEL.y)
    y[:, -30:] = 0
    seen = replace(PANEL, y=y, flags=np.array(PANEL.flags))
    found = assess(Model(), None, seen, CONFIG, is_count=True, baselines={NAIVE: Model()})
    assert found.shortages == 0


def test_where_shortages_are_seen_costs_choose_as_before():
    found = assess(Model(), None, PANEL, CONFIG, is_count=True, baselines={NAIVE: Model()})
    assert found.shortages is None


def test_orders_placed_before_the_periods_counted_are_orders():
    # A gate of 14 days: the one order that serves its counted days is placed before them.
    seen, config = few(lead_time=7)
    short = config.evaluation.model_copy(update={"gate_periods": 14})
    config = config.model_copy(update={"evaluation": short})
    money = assess(
        Some(Model()), None, seen, config, is_count=True, baselines={NAIVE: Some(Model())}
    ).judged[CHALLENGER].money  # fmt: skip
    assert money["ordered"] == 0
    assert money["received"] > 0
