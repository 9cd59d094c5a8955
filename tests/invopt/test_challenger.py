"""LightGBM as a candidate: right on plans whose effect is known, the same graph, the same files."""

import itertools
import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt import challenger
from invopt.challenger import LIGHTGBM, is_worth_it, write_candidates, write_lightgbm
from invopt.errors import ContractError
from invopt.evaluation import backtest, interval_coverage, level_metrics, quantile_metrics
from invopt.features import FeatureEncoder, model_inputs
from invopt.features.online import WindowEncoder
from invopt.features.tables import TableLayout
from invopt.model.export import export_onnx
from invopt.model.trees import Trees, _rounded_down
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.runtime import OnnxForecaster
from invopt.steps.assess import Contenders, assess_model, stand_in_model
from invopt.timeline import Timeline
from tests.builders import make_config, make_forecaster, make_panel, with_derived
from tests.invopt.test_candidates import SHORT
from tests.invopt.test_online_features import dense, online_rows

HORIZON, PERIODS, SERIES = 7, 170, 40
STOP = PERIODS - 2 * HORIZON
LIFT = 1.38
CONFIG = make_config(
    features=SHORT | {"horizon": HORIZON, "context_steps": 8, "windows": [7, 14, 28]},
    inventory={"lead_time": 1, "review_period": 3},
    training={"max_minutes": 60},
)


def made_up():
    """Return daily sales of which a promotion that is known ahead makes 38 % more."""
    rng = np.random.default_rng(0)
    level = rng.lognormal(1.5, 0.6, SERIES)[:, None]
    promotion = (rng.random((SERIES, PERIODS + HORIZON)) < 0.15).astype(np.float32)
    weekend = 1 + 0.4 * (np.arange(PERIODS) % 7 >= 5)
    mean = level * weekend * np.where(promotion[:, :PERIODS] > 0, LIFT, 1)
    y = rng.poisson(mean * rng.gamma(8, 1 / 8, mean.shape)).astype(np.int32)
    flags = np.zeros(y.shape, np.uint8)
    flags[0, :120] = Flag.BEFORE_LAUNCH
    y[0, :120] = 0
    flags[1, 150:] = Flag.MISSING
    ids = [f"s{k:03d}" for k in range(SERIES)]
    series = pd.DataFrame({"unique_id": ids, "category": ["a", "b"] * (SERIES // 2)})
    own = Channel("promotion", "promotions", SERIES_LEVEL, tuple(ids), True, promotion, "zero")
    panel = Panel(Timeline(pd.Timestamp("2024-01-01"), "D", PERIODS), series, y, flags)
    return panel.with_channels([own])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("challenger") / LIGHTGBM
    write_lightgbm(made_up(), CONFIG, STOP, out, clock=time.monotonic, notify=lambda _: None)
    return out


def test_a_promotion_that_is_planned_is_forecast_with_the_effect_it_had(trained):
    model, panel = OnnxForecaster(trained), made_up()
    plan = panel.channels["promotion"]
    ahead = slice(STOP, STOP + HORIZON)
    means = []
    for planned in (0.0, 1.0):
        values = plan.values.copy()
        values[:, ahead] = planned
        own = Channel("promotion", "promotions", SERIES_LEVEL, plan.groups, True, values, "zero")
        means.append(model.predict(panel.with_channels([own]), STOP - 1).mean.sum())
    assert means[1] / means[0] == pytest.approx(LIFT, abs=0.1)


def test_intervals_hold_what_they_say_on_days_that_trees_have_not_seen(trained):
    windows = backtest(OnnxForecaster(trained), made_up(), range(STOP - 1, PERIODS - 1), PERIODS)
    coverage = interval_coverage(quantile_metrics(windows, is_count=True))
    assert coverage["90"] == pytest.approx(0.9, abs=0.05)
    assert coverage["50"] == pytest.approx(0.5, abs=0.1)
    sums = level_metrics(windows, [3], is_count=True)["3"]
    assert sums["0.9"]["coverage"] == pytest.approx(0.9, abs=0.06)


def test_the_graph_gives_what_lightgbm_gives_on_real_rows(trained):
    told = json.loads((trained / "training.json").read_text())
    assert 0 < told["onnx_difference"] < 1e-5
    assert json.loads((trained / "model.json").read_text())["label"] == "lightgbm"


def test_a_graph_that_gives_something_else_is_refused(tmp_path, monkeypatch):
    right = Trees.attributes

    def wrong(trees):
        found = right(trees)
        return found | {"target_weights_f": [1.01 * w for w in found["target_weights_f"]]}

    monkeypatch.setattr(Trees, "attributes", wrong)
    monkeypatch.setattr(challenger, "_ROUNDS", 5)
    with pytest.raises(ContractError, match="give what torch gives"):
        write_lightgbm(
            made_up(), CONFIG, STOP, tmp_path / "m", clock=time.monotonic, notify=lambda _: None
        )
    assert not (tmp_path / "m").exists()


def test_what_a_server_reads_from_its_store_gives_the_same_forecast(tmp_path):
    panel = with_derived(make_panel(num_series=9, num_periods=120), CONFIG)
    write_lightgbm(panel, CONFIG, 120, tmp_path / "m", clock=time.monotonic, notify=lambda _: None)
    model = OnnxForecaster(tmp_path / "m")
    spec = FeatureEncoder.fit(panel, CONFIG.features, 120).spec
    layout = TableLayout.of(panel, spec)  # as published for the network
    rows, group_rows = online_rows(panel, layout, np.arange(9))
    encoder = WindowEncoder(model.spec, layout)
    encoded = encoder.encode(dense(rows), encoder.groups_of(dense(rows), group_rows))
    ends = np.full(9, encoded.num_periods - 1)
    served = model.network.run(model_inputs(model.spec, encoded, np.arange(9), ends))
    whole = model.predict(panel)
    for ours, theirs in zip(
        served, (whole.mean, whole.smooth_quantiles, whole.smooth_levels), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_training_whose_time_is_over_at_once_has_the_trees_of_one_with_time(tmp_path):
    seconds = itertools.count(step=60.0)  # each look at the clock takes a minute
    told = []
    for clock in (None, lambda: next(seconds)):
        out = tmp_path / f"{len(told)}"
        write_lightgbm(made_up(), CONFIG, STOP, out, clock=clock, notify=told.append)
    assert told == ["trained LightGBM, 7 trees"] * 2
    assert np.isfinite(OnnxForecaster(out).predict(made_up()).levels).all()


def test_lightgbm_is_left_out_where_rows_are_few_or_nobody_wants_it(tmp_path):
    panel = made_up()
    assert is_worth_it(panel, CONFIG, PERIODS)
    assert not is_worth_it(panel, CONFIG, 100)
    off = CONFIG.model_copy(
        update={"training": CONFIG.training.model_copy(update={"lightgbm": False})}
    )
    assert not is_worth_it(panel, off, PERIODS)
    found = write_candidates(
        panel, CONFIG, 50, tmp_path, clock=time.monotonic, names=["seasonal naive"]
    )
    assert list(found) == ["seasonal naive"]


@settings(max_examples=300, deadline=None)
@given(st.floats(-(2.0**99), 2.0**99), st.floats(-(2.0**99), 2.0**99, width=32))
def test_a_threshold_in_single_precision_sends_every_value_where_the_exact_one_does(exact, value):
    assert (value <= exact) == (np.float32(value) <= np.float32(_rounded_down(exact)))


def test_a_training_with_rows_enough_judges_lightgbm_and_leaves_it_to_order(tmp_path):
    config = make_config(
        features=SHORT | {"horizon": HORIZON, "context_steps": 8, "windows": [7, 14, 28]},
        evaluation={"gate_periods": 14, "selection_periods": 14},
        inventory={"lead_time": 1, "review_period": 3, "num_paths": 10},
        training={"refit": True},
    )
    panel = made_up()
    panel.save(tmp_path / "source")
    forecaster = make_forecaster(panel, config)
    forecaster.save(tmp_path / "model")
    encoded = FeatureEncoder(forecaster.spec).encode(panel)
    inputs = model_inputs(forecaster.spec, encoded, np.arange(4), np.full(4, PERIODS - 1))
    export_onnx(forecaster, tmp_path / "model" / "model.onnx", inputs)
    source, out = str(tmp_path / "source"), str(tmp_path / "assessment")
    contenders = Contenders(challenger=tmp_path / "model", champion=None)
    assess_model(contenders, source, config, out, clock=time.monotonic, notify=lambda _: None)
    found = json.loads((tmp_path / "assessment" / "metrics.json").read_text())
    assert found["baselines"][LIGHTGBM] == {"label": "lightgbm", "folder": "lightgbm"}
    # Of all candidates it alone knows the promotions that are planned.
    judged = found["judged"]
    assert judged[LIGHTGBM]["points"]["wape"] < judged["moving average"]["points"]["wape"]
    kept = str(tmp_path / "kept")
    label = stand_in_model(out, source, config, LIGHTGBM, kept, lambda _: None)
    assert label == "lightgbm"
    assert OnnxForecaster(tmp_path / "kept").predict(panel).mean.shape == (SERIES, HORIZON)
    assert (tmp_path / "kept" / "judged" / "model.onnx").is_file()
