"""Fields that no shipped configuration sets: each changes what its line in the reference says.

Of invopt.config, invopt.deployment_config, and of the modules that read them.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from invopt.cleaning import clean
from invopt.config import (
    CleaningConfig,
    DataConfig,
    FeaturesConfig,
    GovernorConfig,
    InventoryConfig,
    ModelConfig,
    MonitoringConfig,
)
from invopt.crossvalidation import cross_validate
from invopt.deployment_config import DeploymentConfig
from invopt.features import FeatureEncoder
from invopt.features.calendar import calendar_names
from invopt.inventory.costs import terms_of
from invopt.monitoring.columns import discoveries
from invopt.monitoring.drift import ColumnDrift, Drift, _compare
from invopt.monitoring.governor import failures_in_a_row
from invopt.monitoring.retraining_decision import FAILED, Memory, Retraining
from invopt.monitoring.serving_health import Served, serving_signals
from invopt.panel import SERIES_LEVEL, Channel, Flag
from invopt.sources import Accounting, DataProfile, DatasetReport, check_data
from invopt.sources.ledger import ORPHAN
from serving.cluster.shadow import Comparison
from tests.builders import make_config, make_panel


def with_stock(panel, on_hand):
    ids = tuple(panel.series["unique_id"])
    return panel.with_channels([Channel("on_hand", "stock", SERIES_LEVEL, ids, False, on_hand)])


@pytest.mark.parametrize(("limit", "censored"), [(0.0, False), (2.0, True)])
def test_censor_below_stock_takes_the_last_units_of_a_shelf_for_none(limit, censored):
    panel = make_panel()
    found, _ = clean(
        with_stock(panel, np.full(panel.y.shape, 2.0, np.float32)),
        CleaningConfig(censor_below_stock=limit),
    )
    assert bool((found.flags[0, 50:] & Flag.CENSORED).any()) == censored


def test_outlier_deviations_say_from_where_on_a_sale_is_marked():
    panel = make_panel()
    panel.y[0, 60] = panel.y[0].max() + 12
    marked = [
        bool(clean(panel, CleaningConfig(outlier_deviations=d))[0].flags[0, 60] & Flag.OUTLIER)
        for d in (3.0, 1000.0)
    ]
    assert marked == [True, False]


def test_price_limit_says_which_price_is_a_mistake():
    panel = make_panel()
    panel.channels["price"].values[0, :] = 4.0
    panel.channels["price"].values[0, 11] = 20.0
    kept = [
        float(clean(panel, CleaningConfig(price_limit=f))[0].channels["price"].values[0, 11])
        for f in (4.0, 6.0)
    ]
    assert kept == [4.0, 20.0]


def checks(**limits):
    """Check a panel whose price is three times as high at the end, a tenth of products orphaned."""
    panel = make_panel()
    panel.channels["price"].values[:, 110:] *= 3
    line = panel.timeline
    accounting = [Accounting(table="products", rows_in=10, rows_used=9, quarantined={ORPHAN: 1})]
    report = DatasetReport(
        name="t", num_series=panel.num_series, num_periods=line.num_periods,
        first=f"{line.start:%Y-%m-%d}", last=f"{line.last:%Y-%m-%d}", accounting=accounting,
        notes=[], num_without_product=0,
    )  # fmt: skip
    config = DataConfig(mapping="m.yaml", **limits)
    found = check_data(DataProfile.of([panel]), report, config, pd.Timestamp("2024-04-30"))
    return {(c.name, c.about): c.limit for c in found}, {c.name for c in found if not c.passed}


def test_max_jump_and_max_orphan_share_are_the_limits_of_their_checks():
    limits, failed = checks(max_jump=1.0, max_orphan_share=0.05)
    assert limits[("jump", "price")] == 1.0
    assert limits[("references", "products")] == 0.05
    assert failed >= {"jump", "references"}
    assert "jump" not in checks(max_jump=1e9)[1]


def test_day_of_week_gives_the_model_the_weekdays():
    line = make_panel().timeline
    counts = [len(calendar_names(FeaturesConfig(day_of_week=d), line.freq)) for d in (True, False)]
    assert counts[0] - counts[1] == 7


def test_unit_cost_share_is_the_cost_where_the_products_tell_none():
    series = pd.DataFrame({"unique_id": ["a", "b"], "unit_cost": [np.nan, 3.0]})
    found = terms_of(series, np.array([10.0, 10.0]), InventoryConfig(unit_cost_share=0.25))
    assert found.unit_cost.tolist() == [2.5, 3.0]


def test_max_skew_says_how_far_served_forecasts_may_differ():
    served = Served(num_decisions=500, num_compared=20, skew=0.04, degraded_share=0.0, age_p95=0.0)
    fires = [
        s.fires
        for limit in (0.03, 0.05)
        for s in serving_signals(served, MonitoringConfig(max_skew=limit))
        if s.name == "skew"
    ]
    assert fires == [True, False]


def test_false_discovery_rate_says_how_many_columns_may_move_by_chance():
    law = (0.0, 1.0, 30)  # of the log of a distance: a distance of p is the law's own quantile
    moved = [
        ColumnDrift(
            n, float(np.exp(stats.t.isf(p, 30))), 0.5, p_value=p, moved=True, change=1.0, law=law
        )
        for n, p in (("a", 0.001), ("b", 0.04))
    ]
    nothing = np.empty((0, 0), np.float32)
    drift = Drift(moved, "", {}, current=nothing, expected=nothing, names=())
    kept = [
        [c.column for c in discoveries(drift, MonitoringConfig(false_discovery_rate=r)).columns
         if c.moved]
        for r in (0.01, 0.05)
    ]  # fmt: skip
    assert kept == [["a"], ["a", "b"]]


def test_breaker_days_forgive_what_failed_before():
    now = datetime(2024, 6, 1, tzinfo=UTC)
    failed = Retraining(
        key="k", cause="demand_shift up", claimed_at=now - timedelta(days=40),
        lease_until=now - timedelta(days=39), started_at=None, outcome=FAILED,
    )  # fmt: skip
    memory = Memory({}, retrainings=(failed,))
    counts = [failures_in_a_row(memory, now, GovernorConfig(breaker_days=d)) for d in (90, 30)]
    assert counts == [1, 0]


@pytest.mark.parametrize(
    ("field", "number", "words"),
    [
        ("max_error_share", "error_share", "error share"),
        ("max_latency_seconds", "latency_seconds", "latency in seconds"),
        ("max_prediction_shift", "prediction_shift", "prediction shift"),
    ],
)
def test_limits_of_a_rollout_name_what_breaks_them(field, number, words):
    good = Comparison(
        num_series=10, error_share=0.0, latency_seconds=0.1, degraded_share=0.0,
        prediction_shift=0.0,
    )  # fmt: skip
    limits = DeploymentConfig(**{field: 0.5})
    assert good.breaches(limits) == []
    [told] = replace(good, **{number: 0.7}).breaches(limits)
    assert told == f"{words} 0.7 over 0.5"


def test_min_drift_is_the_least_distance_that_counts():
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=300), rng.normal(size=300)) for _ in range(8)]
    small, large = (_compare("x", pairs, MonitoringConfig(min_drift=d)) for d in (0.01, 0.9))
    assert small.threshold < 0.9 == large.threshold


def test_fold_minutes_are_the_budget_of_each_fold(tmp_path, monkeypatch):
    given = []

    def stop(panel, config, *args, **kwargs):
        given.append(config.training.max_minutes)
        raise InterruptedError

    monkeypatch.setattr("invopt.crossvalidation.fit", stop)
    config = make_config(evaluation={"num_folds": 1, "fold_minutes": 0.25})
    with pytest.raises(InterruptedError):
        cross_validate(make_panel(), config, tmp_path, clock=lambda: 0.0, notify=print)
    assert given == [0.25]


@pytest.mark.slow
def test_fields_of_the_optimiser_reach_it():
    import torch

    from invopt.model.lightning_module import Task
    from invopt.training import Member, _Run

    config = make_config(training={"weight_decay": 0.2, "gradient_clip": 0.7, "warmup_share": 0.5})
    weights = torch.nn.Parameter(torch.zeros(2))
    task = SimpleNamespace(config=config, parameters=lambda: [weights])
    assert Task.configure_optimizers(task).param_groups[0]["weight_decay"] == 0.2
    assert Task._schedule(task, 0.25) == pytest.approx(0.5)
    run = SimpleNamespace(config=config, member=Member(0, None, 1), held_out=None)
    assert _Run._trainer(run, []).gradient_clip_val == 0.7


@pytest.mark.slow
def test_tweedie_power_and_num_layers_shape_loss_and_network():
    import torch

    from invopt.model.losses import mean_loss
    from invopt.model.network import DemandNetwork, NetworkSizes

    one = torch.ones(1, 1, 1)
    losses = [
        float(mean_loss(2 * one, one, one > 0, torch.ones(1), ModelConfig(tweedie_power=p)))
        for p in (1.2, 1.8)
    ]
    # mean^(2-p)/(2-p) - y mean^(1-p)/(1-p) at mean 2, y 1
    assert losses == pytest.approx([2**0.8 / 0.8 + 2**-0.2 / 0.2, 2**0.2 / 0.2 + 2**-0.8 / 0.8])
    config = make_config()
    panel = make_panel()
    sizes = NetworkSizes.of(FeatureEncoder.fit(panel, config.features, 100).spec)
    networks = [
        DemandNetwork(sizes, config.model.model_copy(update={"num_layers": n})) for n in (1, 2)
    ]
    layers = [
        sum("weight_hh" in name for name, _ in network.named_parameters()) for network in networks
    ]
    assert layers[1] == layers[0] + 1
