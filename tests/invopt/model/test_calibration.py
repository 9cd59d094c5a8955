"""Quantiles are moved to where the past lay, kept in order, and leave with the model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from invopt.features import FeatureEncoder, model_inputs
from invopt.model import Forecaster, export_onnx
from invopt.model.calibration import (
    Calibration,
    Horizon,
    LevelMaps,
    Maps,
    SumOffsets,
    Sums,
    fit_maps,
    fit_sums,
    learn_maps,
    rising,
)
from invopt.runtime import OnnxForecaster
from tests.builders import make_config, make_forecaster, make_panel, with_derived

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
SAID = (0.05, 0.2, 0.4, 0.6, 0.78, 0.88, 0.92)  # what the quantiles hold instead


def sales(seed, num=16_000):
    """Return means, quantiles that hold SAID in place of LEVELS, and jittered sales."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(1.0, 1.5, num) + 0.05
    law = poisson.cdf(np.arange(60), mean[:, None])
    quantiles = np.stack([np.interp(SAID, np.r_[0, own], np.arange(61.0)) for own in law])
    return mean, quantiles, rng.poisson(mean) + rng.random(num)


def applied(maps, mean, quantiles):
    found = Calibration(maps)(
        torch.from_numpy(mean.astype(np.float32))[None],
        torch.from_numpy(quantiles.astype(np.float32))[None],
    )
    return found.numpy()[0]


def test_quantiles_of_other_sales_hold_their_levels_afterwards():
    maps = fit_maps(*sales(0), LEVELS)
    mean, quantiles, actual = sales(1)
    before = (actual[:, None] <= quantiles).mean(axis=0)
    after = (actual[:, None] <= applied(maps, mean, quantiles)).mean(axis=0)
    assert np.abs(before - LEVELS).max() > 0.08
    np.testing.assert_allclose(after, LEVELS, atol=0.025)


def test_quantiles_stay_in_order_for_any_mean_and_do_not_jump():
    maps = fit_maps(*sales(0), LEVELS)
    mean = np.geomspace(1e-4, 500, 4000)
    quantiles = np.repeat(np.cumsum([0.2, 0.3, 0.1, 1, 2, 0.5, 4])[None], len(mean), axis=0)
    found = applied(maps, mean, quantiles)
    assert (np.diff(found, axis=1) >= -1e-5).all()
    assert (found >= -1e-6).all()
    assert np.abs(np.diff(found, axis=0)).max() < 0.1


def test_quantiles_that_hold_their_levels_hardly_move():
    mean, _, actual = sales(0)
    law = poisson.cdf(np.arange(60), mean[:, None])
    right = np.stack([np.interp(LEVELS, np.r_[0, own], np.arange(61.0)) for own in law])
    maps = fit_maps(mean, right, actual, LEVELS)
    assert np.abs(applied(maps, mean, right) - right).mean() < 0.06


def test_few_sales_change_nothing():
    mean, quantiles, actual = (part[:500] for part in sales(0))
    assert fit_maps(mean, quantiles, actual, LEVELS) is None


def test_a_calibrated_model_is_saved_loaded_and_exported_as_it_is(tmp_path):
    config = make_config()
    panel = with_derived(make_panel(num_series=60), config)
    plain = make_forecaster(panel, config)
    model = plain.calibrated(FeatureEncoder(plain.spec).encode(panel))
    before, ours = plain.predict(panel), model.predict(panel)
    assert np.array_equal(before.mean, ours.mean)
    assert not np.allclose(before.smooth_levels, ours.smooth_levels)
    assert not np.allclose(before.smooth_quantiles, ours.smooth_quantiles)
    model.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model").predict(panel)
    assert np.array_equal(again.smooth_quantiles, ours.smooth_quantiles)
    assert np.array_equal(again.smooth_levels, ours.smooth_levels)
    encoded = FeatureEncoder(model.spec).encode(panel)
    inputs = model_inputs(model.spec, encoded, np.arange(60), np.full(60, panel.num_periods - 1))
    assert export_onnx(model, tmp_path / "model" / "model.onnx", inputs) <= 1e-5
    served = OnnxForecaster(tmp_path / "model").predict(panel)
    np.testing.assert_allclose(served.smooth_quantiles, ours.smooth_quantiles, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(served.smooth_levels, ours.smooth_levels, rtol=1e-4, atol=1e-4)


def test_what_came_after_the_training_range_changes_no_map():
    config = make_config()
    panel = with_derived(make_panel(num_series=60), config)
    model = make_forecaster(panel.truncate(100), config)
    encoder = FeatureEncoder(model.spec)
    first = model.calibrated(encoder.encode(panel.truncate(100))).maps
    panel.y[:, 100:] = 99
    again = model.calibrated(encoder.encode(panel.truncate(100))).maps
    assert np.array_equal(first.quantiles.weights, again.quantiles.weights)
    assert first.quantiles.sizes == pytest.approx(again.quantiles.sizes)
    assert (first.sums is None) == (again.sums is None)


PERIODS = 8


def sums_of(seed, width=2.0, num=800) -> Horizon:
    """Return Poisson sales whose sums are said to spread `width` times as far as they do."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(rng.gamma(40.0, 0.25, num)[:, None], PERIODS, axis=1)
    total = mean.cumsum(axis=1)[..., None]
    law = poisson(total)
    levels = total + 0.5 + width * (law.ppf(LEVELS) + 0.5 - total - 0.5)
    sold = rng.poisson(mean).astype(float)
    jitter = rng.random(mean.shape)
    return Horizon(mean, levels, np.maximum(levels, 0), sold + jitter, sold.cumsum(axis=1) + jitter)


def moved(offsets, horizon):
    parts = (torch.from_numpy(a.astype(np.float32)) for a in (horizon.mean, horizon.levels))
    return Sums(offsets)(*parts).numpy()


def test_sums_that_were_said_to_spread_too_far_hold_their_levels_afterwards():
    offsets = fit_sums([sums_of(seed) for seed in range(4)], LEVELS)
    other = sums_of(9)
    before = (other.sums[..., None] <= other.levels).mean(axis=(0, 1))
    after = (other.sums[..., None] <= moved(offsets, other)).mean(axis=(0, 1))
    assert np.abs(before - LEVELS).max() > 0.1
    np.testing.assert_allclose(after, LEVELS, atol=0.04)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_sums_stay_in_order_by_level_and_by_period(seed):
    rng = np.random.default_rng(seed)
    sizes = np.sort(rng.normal(0, 1, 3)).astype(np.float32)
    offsets = SumOffsets(sizes, rng.normal(0, 1, (3, PERIODS, len(LEVELS))).astype(np.float32))
    found = moved(offsets, sums_of(seed, num=50))
    assert (np.diff(found, axis=1) >= 0).all()
    assert (np.diff(found, axis=2) >= 0).all()
    assert (found >= 0).all()


def test_few_series_move_no_sum():
    assert fit_sums([sums_of(0, num=50)], LEVELS) is None


def test_sums_are_left_alone_where_what_one_cutoff_asks_for_harms_the_next(monkeypatch):
    # Sums said right, and every other cutoff sold half as much again: luck of the cutoff.
    def past(*_):
        for seed in range(6):
            one = sums_of(seed, width=1.0)
            yield one if seed % 2 else SimpleNamespace(**vars(one) | {"sums": 1.5 * one.sums})

    monkeypatch.setattr("invopt.model.calibration._horizons", past)
    assert learn_maps(None, None, None, LEVELS, LEVELS).sums is None


def test_a_cutoff_after_which_nothing_is_known_leaves_the_others_their_say(monkeypatch):
    def past(*_):
        for seed in range(4):
            yield sums_of(seed)
        one = sums_of(4)
        blind = np.full(one.sums.shape, np.nan)
        yield SimpleNamespace(**vars(one) | {"actual": blind, "sums": blind})

    monkeypatch.setattr("invopt.model.calibration._horizons", past)
    assert learn_maps(None, None, None, LEVELS, LEVELS).sums is not None


def test_the_longest_sums_are_moved_as_far_as_the_others():
    # Every sum lies half a root above every quantile: two bins of 100 series, a prior of fifty.
    one = sums_of(0, num=200)
    root = np.sqrt(one.mean.cumsum(axis=1) + 0.25)
    levels = np.repeat((one.sums - 0.5 * root)[..., None], len(LEVELS), axis=2)
    offsets = fit_sums([Horizon(**vars(one) | {"levels": levels})], LEVELS).offsets
    np.testing.assert_allclose(offsets, 0.5 * 100 / 150, rtol=1e-5)


def test_a_folder_of_before_has_maps_of_single_periods_alone(tmp_path):
    maps = Maps(fit_maps(*sales(0), LEVELS))
    maps.save(tmp_path)
    found = Maps.load(tmp_path)
    assert found.sums is None
    np.testing.assert_array_equal(found.quantiles.weights, maps.quantiles.weights)
    assert Maps.load(tmp_path / "none") == Maps()


@given(seed=st.integers(0, 1000), length=st.integers(1, 45))
@settings(max_examples=30, deadline=None)
def test_a_running_maximum_is_that_of_numpy(seed, length):
    values = np.random.default_rng(seed).normal(size=(3, length, 4)).astype(np.float32)
    found = rising(torch.from_numpy(values), 1).numpy()
    np.testing.assert_array_equal(found, np.maximum.accumulate(values, axis=1))


@pytest.mark.parametrize("kind", ["quantiles", "sums"])
def test_a_last_bit_of_a_mean_moves_no_quantile_where_bins_are_of_one_size(kind):
    # Products that hardly sell: two bins whose sizes differ by next to nothing, and read otherwise.
    sizes = np.array([-1.0, -0.9999], np.float32)
    mean = torch.tensor([[np.exp(-0.99995) - 0.01]], dtype=torch.float32)
    near = mean * (1 + 2e-7)
    values = torch.linspace(0.1, 0.9, len(LEVELS))[None, None]
    if kind == "quantiles":
        weights = np.stack([np.eye(len(LEVELS)), 2 * np.eye(len(LEVELS))]).astype(np.float32)
        move = Calibration(LevelMaps(sizes, weights))
    else:
        move = Sums(SumOffsets(sizes, np.array([0.0, 1.0], np.float32)[:, None, None].repeat(7, 2)))
    assert (move(mean, values) - move(near, values)).abs().max() < 1e-5
