"""Baselines as models: right forecasts, calibrated spreads, the files a model has."""

import functools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from invopt.candidates import NAMES, _error, edges_between, write_baselines
from invopt.evaluation import backtest, interval_coverage, level_metrics, quantile_metrics
from invopt.features import FeatureEncoder, model_inputs
from invopt.features.online import WindowEncoder
from invopt.features.tables import TableLayout
from invopt.model.rules import Point, Rule, _quantiles_of
from invopt.panel import Flag, Panel
from invopt.runtime import OnnxForecaster
from invopt.timeline import Timeline
from tests.builders import make_config, make_panel, with_derived
from tests.invopt.test_online_features import dense, online_rows

SHORT = {"aggregates": [], "event_channels": [], "monthly_sales": 0, "month_of_year": False}
CALIBRATED = [name for name in NAMES if name not in ("textbook base stock", "empirical quantiles")]


def demand(freq, num_periods, num, mean, *, season=0, seed=0):
    """Return sales that are negative binomial around a mean of each series."""
    rng = np.random.default_rng(seed)
    level = mean * rng.lognormal(0, 0.7, num)[:, None]
    if season:
        level = level * (1 + 0.4 * np.sin(2 * np.pi * np.arange(num_periods) / season))
    y = rng.poisson(level * rng.gamma(6, 1 / 6, (num, num_periods))).astype(np.int32)
    series = pd.DataFrame({"unique_id": [f"s{k:04d}" for k in range(num)]})
    start = pd.Timestamp({"D": "2023-01-01", "W-MON": "2022-01-03", "MS": "2021-01-01"}[freq])
    return Panel(Timeline(start, freq, num_periods), series, y, np.zeros(y.shape, np.uint8))


def config_of(freq, horizon, **features):
    sizes = {"patch": 7, "context_steps": 12} if freq == "D" else {"patch": 1, "context_steps": 20}
    windows = [7, 28, 56] if freq == "D" else [3, 6, 12]
    return make_config(
        features=SHORT | {"horizon": horizon, "windows": windows} | sizes | features,
        inventory={"lead_time": 1, "review_period": 1},
    )


CASES = {
    "26 weeks": (("W-MON", 26, 60, 20), 4),
    "24 months, sparse": (("MS", 24, 300, 0.1), 3),
    "120 days": (("D", 120, 60, 4), 7),
}


@functools.cache
def judged(case, folder):
    args, horizon = CASES[case]
    panel, config = demand(*args), config_of(args[0], horizon)
    stop = panel.num_periods - 2 * horizon
    folders = write_baselines(panel, config, stop, Path(folder))
    cutoffs = range(stop - 1, panel.num_periods - 1)
    return {
        name: backtest(OnnxForecaster(path), panel, cutoffs, panel.num_periods)
        for name, path in folders.items()
    }


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return str(tmp_path_factory.mktemp("baselines"))


@pytest.mark.parametrize("case", CASES)
def test_intervals_of_baselines_hold_what_they_say_on_weeks_they_have_not_seen(case, scratch):
    for name, windows in judged(case, f"{scratch}/{case}").items():
        if name in CALIBRATED:
            coverage = interval_coverage(quantile_metrics(windows, is_count=True))
            assert coverage["90"] == pytest.approx(0.9, abs=0.06), name
            assert coverage["50"] == pytest.approx(0.5, abs=0.12), name
            sums = level_metrics(windows, [2], is_count=True)["2"]
            assert sums["0.9"]["coverage"] == pytest.approx(0.9, abs=0.07), name


@pytest.mark.parametrize("case", CASES)
def test_quantiles_never_cross_and_levels_never_fall_with_time(case, scratch):
    for windows in judged(case, f"{scratch}/{case}").values():
        forecast = windows[0].forecast
        assert (np.diff(forecast.smooth_quantiles, axis=2) >= -1e-5).all()
        assert (np.diff(forecast.smooth_levels, axis=2) >= -1e-4).all()
        assert (np.diff(forecast.smooth_levels, axis=1) >= 0).all()
        assert forecast.smooth_quantiles.min() >= -0.5


@pytest.mark.parametrize(("num_periods", "num"), [(12, 1), (13, 2), (22, 1)])
def test_every_baseline_is_fitted_on_the_shortest_history(num_periods, num, tmp_path):
    panel = demand("W-MON", num_periods, num, 5)
    folders = write_baselines(panel, config_of("W-MON", 3), num_periods, tmp_path, names=NAMES)
    assert set(folders) == set(NAMES)
    for name, path in folders.items():
        found = OnnxForecaster(path).predict(panel)
        for values in (found.mean, found.quantiles, found.levels):
            assert np.isfinite(values).all(), name


def test_products_that_sold_a_million_and_fade_out_are_no_fault_of_the_graph(tmp_path):
    panel = demand("W-MON", 100, 8, 20)
    panel.y[:4, :-3] = panel.y[:4, :-3] * 50_000 + 7
    panel.y[:4, -3:] = np.arange(12).reshape(4, 3) % 2
    folders = write_baselines(panel, config_of("W-MON", 3), 100, tmp_path, names=NAMES)
    assert set(folders) == set(NAMES)


def test_a_product_of_little_money_beside_others_of_much_is_no_fault_of_the_graph(tmp_path):
    panel = demand("W-MON", 120, 60, 20)
    dear = np.where(np.arange(60) < 55, 900.25, 0.25)  # currency a piece
    panel = replace(panel, y=(panel.y * dear[:, None]).astype(np.float32))
    folders = write_baselines(panel, config_of("W-MON", 3, context_steps=104), 120, tmp_path)
    assert set(folders) >= {"seasonal naive", "moving average"}


def inputs_of(y, seen=None):
    """Return the inputs of a rule for one row of sales; periods not seen are unknown."""
    y = np.asarray(y, np.float32)[None]
    seen = np.ones_like(y) if seen is None else np.asarray(seen, np.float32)[None]
    step = np.stack([np.log1p(y), seen], axis=2)
    nothing = torch.zeros(1, y.shape[1], 0)
    return torch.from_numpy(step), nothing, torch.zeros(1, 3, 0)


def mean_of(rule, y, seen=None):
    point = Point(rule, len(y), 3, torch.zeros(0))
    return point(*inputs_of(y, seen))[0][0].tolist()


def test_naive_repeats_the_newest_known_season():
    assert mean_of(Rule("naive", season=3), [1, 2, 3, 4, 5, 6]) == pytest.approx([4, 5, 6])
    known = [1, 1, 1, 1, 0, 1]
    assert mean_of(Rule("naive", season=3), [1, 2, 3, 4, 5, 6], known) == pytest.approx([4, 2, 6])


def test_an_average_is_of_the_window_since_launch_and_of_all_where_the_window_is_unknown():
    assert mean_of(Rule("average", window=2), [9, 2, 4]) == pytest.approx([3, 3, 3])
    assert mean_of(Rule("average", window=3), [0, 2, 4], [0, 1, 1]) == pytest.approx([3, 3, 3])
    assert mean_of(Rule("average", window=1), [6, 2, 0], [1, 1, 0]) == pytest.approx([4, 4, 4])


def test_slow_mover_smoothing_is_the_chance_of_a_sale_times_its_size():
    """Weights .5, 1 at alpha .5: chance 1/1.5 of a sale; sizes 4 and 8 weigh .5 and 1."""
    found = mean_of(Rule("slow", alpha=0.5), [4, 8])
    assert found[0] == pytest.approx((0.5 * 4 + 8) / 1.5)
    assert mean_of(Rule("slow", alpha=0.5), [6, 0])[0] == pytest.approx(6 / 3)


def test_quantiles_of_a_row_are_of_its_valid_values():
    values = torch.tensor([[9.0, 1.0, 2.0, 3.0, 4.0]])
    valid = torch.tensor([[0.0, 1.0, 1.0, 1.0, 1.0]])
    found = _quantiles_of(values, valid, (0.0001, 0.5, 0.9999))
    assert found[0].tolist() == pytest.approx([1.0, 2.5, 4.0], abs=1e-2)
    assert _quantiles_of(values, valid * 0, (0.5,))[0].tolist() == [0.0]


def test_settings_are_compared_by_the_known_demand_of_the_periods_an_order_lasts():
    point = SimpleNamespace(mean=lambda *_: torch.tensor([[1.0, 1, 9], [5, 5, 9], [0, 4, 9]]))
    actual = np.array([[2.0, 3, 0], [np.nan, 1, 0], [1, 1, 0]])
    window = SimpleNamespace(sales=(), inputs=[None] * 4, actual=actual)
    assert _error(point, [window], 2) == pytest.approx((3 + 2) / 2)
    assert _error(point, [window, window], 9) == pytest.approx((6 + 11) / 2)
    assert _error(point, [], 2) == 0


def test_calendar_factors_follow_the_weekday(tmp_path):
    panel = demand("D", 140, 40, 8, season=7)
    config = config_of("D", 7)
    folders = write_baselines(
        panel, config, 126, tmp_path, names=["average with calendar factors", "moving average"]
    )
    errors = {
        name: np.abs(OnnxForecaster(path).predict(panel, 125).mean - panel.y[:, 126:133]).mean()
        for name, path in folders.items()
    }
    assert errors["average with calendar factors"] < 0.95 * errors["moving average"]


def test_a_baseline_reads_no_further_back_than_the_model_beside_it(tmp_path):
    panel, config = demand("W-MON", 60, 5, 5), config_of("W-MON", 3)
    [path] = write_baselines(panel, config, 60, tmp_path, names=["moving average"]).values()
    spec = OnnxForecaster(path).spec
    assert spec.config.lookback == config.features.lookback


def test_what_came_later_changes_no_baseline(tmp_path):
    panel, config = demand("W-MON", 40, 5, 5), config_of("W-MON", 3)
    folders = write_baselines(panel, config, 30, tmp_path)
    before = {
        name: OnnxForecaster(p).predict(panel, 29).smooth_levels for name, p in folders.items()
    }
    panel.y[:, 30:] = 99
    panel.flags[0, 32] = Flag.MISSING
    again = write_baselines(panel, config, 30, tmp_path / "again")
    for name, path in again.items():
        assert np.array_equal(OnnxForecaster(path).predict(panel, 29).smooth_levels, before[name])


def test_rows_of_a_batch_do_not_depend_on_each_other(tmp_path):
    panel, config = demand("W-MON", 40, 6, 5), config_of("W-MON", 3)
    [path] = write_baselines(panel, config, 40, tmp_path, names=["slow-mover smoothing"]).values()
    model = OnnxForecaster(path)
    encoded = FeatureEncoder(model.spec).encode(panel)
    rows = np.array([4])
    alone = model.network.run(model_inputs(model.spec, encoded, rows, np.array([39])))
    assert np.allclose(alone[2][0], model.predict(panel).smooth_levels[4], rtol=1e-5)


@pytest.mark.parametrize("name", ["average with calendar factors", "slow-mover smoothing"])
def test_rows_of_the_feature_store_give_what_the_whole_panel_gives(name, tmp_path):
    config = make_config()
    panel = with_derived(make_panel(num_series=9, num_periods=120, late=60), config)
    spec = FeatureEncoder.fit(panel, config.features, 110).spec
    layout = TableLayout.of(panel, spec)  # as published for the network
    [path] = write_baselines(panel, config, 110, tmp_path, names=[name]).values()
    model = OnnxForecaster(path)
    rows, group_rows = online_rows(panel, layout, np.arange(9))
    encoder = WindowEncoder(model.spec, layout)
    encoded = encoder.encode(dense(rows), encoder.groups_of(dense(rows), group_rows))
    ends = np.full(9, encoded.num_periods - 1)
    served = model.network.run(model_inputs(model.spec, encoded, np.arange(9), ends))
    whole = model.predict(panel)
    wanted = (whole.mean, whole.smooth_quantiles, whole.smooth_levels)
    for ours, theirs in zip(served, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("sizes", "shares", "edges"),
    [
        ([1, 1, 1, 1, 2, 2, 2, 2, 5, 5], [0.5], [1.5]),
        ([0, 0, 0, 0, 0], [0.25, 0.5], []),
        ([0] * 9 + [4], [0.2, 0.5], [2.0]),
        ([1, 1 + 1e-8, 3, 4], [0.25], [2 + 5e-9]),
    ],
)
def test_an_edge_between_bins_is_never_a_size_nor_next_to_one(sizes, shares, edges):
    found = edges_between(np.array(sizes, np.float64), np.array(shares))
    assert found.tolist() == pytest.approx(edges, rel=1e-12)


def test_sums_of_few_periods_are_no_narrower_than_those_of_independent_ones(tmp_path):
    panel, config = demand("D", 48, 300, 4), config_of("D", 21, context_steps=2)
    [folder] = write_baselines(panel, config, 27, tmp_path, names=["empirical quantiles"]).values()
    [found] = backtest(OnnxForecaster(folder), panel, [26], 48)
    sold = panel.y[:, 27:].cumsum(axis=1)
    held = (sold[:, 13, None] <= found.forecast.levels[:, 13]).mean(axis=0)
    asked = np.asarray(config.model.level_quantiles)
    # Of overlapping sums alone 0.73, 0.75, 0.77 and 0.78 of 0.9, 0.95, 0.98 and 0.99.
    assert (held >= asked - 0.03)[asked >= 0.9].all()
    assert held[asked == 0.1] == pytest.approx(0.1, abs=0.05)
