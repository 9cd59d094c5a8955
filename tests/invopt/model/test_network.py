import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.features import FeatureEncoder, model_inputs
from invopt.model import Forecaster, export_onnx
from invopt.model.losses import pinball
from invopt.model.windows import WindowSampler, WindowSource, training_origins
from invopt.runtime import OnnxForecaster
from tests.builders import make_config, make_forecaster, make_panel, with_derived


def prepared(**sections):
    config = make_config(**sections)
    panel = with_derived(make_panel(), config)
    return panel, config, make_forecaster(panel, config)


def inputs_of(forecaster, panel, rows, cutoff):
    encoded = FeatureEncoder(forecaster.spec).encode(panel)
    return model_inputs(forecaster.spec, encoded, rows, np.full(len(rows), cutoff))


def test_forecasts_have_the_promised_shapes_and_are_finite():
    panel, config, forecaster = prepared()
    forecast = forecaster.predict(panel)
    assert forecast.mean.shape == (6, 14)
    assert forecast.quantiles.shape == (6, 14, len(config.model.quantile_levels))
    assert forecast.levels.shape == (6, 14, len(config.model.level_quantiles))
    assert all(np.isfinite(a).all() for a in (forecast.mean, forecast.quantiles, forecast.levels))
    assert (forecast.mean >= 0).all()


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_quantiles_never_cross_and_levels_never_fall_with_more_periods(seed):
    config = make_config()
    panel = with_derived(make_panel(seed=seed % 7), config)
    forecast = make_forecaster(panel, config, seed).predict(panel)
    assert (np.diff(forecast.smooth_quantiles, axis=2) >= 0).all()
    assert (np.diff(forecast.smooth_levels, axis=2) >= 0).all()
    assert (np.diff(forecast.smooth_levels, axis=1) >= -1e-5).all()


def test_a_forecast_does_not_depend_on_the_series_beside_it():
    panel, _, forecaster = prepared()
    whole = forecaster.predict(panel)
    inputs = inputs_of(forecaster, panel, np.array([4, 1]), panel.num_periods - 1)
    with torch.inference_mode():
        mean, _, _ = forecaster.ensemble(*(torch.from_numpy(a) for a in inputs))
    np.testing.assert_allclose(mean.numpy(), whole.mean[[4, 1]], rtol=1e-5)


def test_forking_gives_each_origin_the_forecast_it_would_have_alone():
    panel, config, forecaster = prepared()
    encoded = FeatureEncoder(forecaster.spec).encode(panel).map(torch.from_numpy)
    origins = training_origins(config.features, config.training)
    source = WindowSource(forecaster.spec, encoded, origins)
    rows, ends = torch.tensor([2]), torch.tensor([panel.num_periods - 1])
    trunk = forecaster.members[0].trunk
    with torch.inference_mode():
        mean, _ = source.mean(trunk, source.gather(rows, ends))
    np.testing.assert_allclose(mean[0, -1].numpy(), forecaster.predict(panel).mean[2], rtol=1e-4)


def test_the_heads_cannot_move_the_trunk():
    panel, config, forecaster = prepared()
    member = forecaster.members[0]
    encoded = FeatureEncoder(forecaster.spec).encode(panel).map(torch.from_numpy)
    source = WindowSource(forecaster.spec, encoded, [3])
    windows = source.gather(torch.tensor([0, 1]), torch.tensor([100, 110]))
    with torch.no_grad():
        mean, hidden = source.mean(member.trunk, windows)
    quantiles, levels = member.heads(hidden, mean)
    (quantiles.sum() + levels.sum()).backward()
    assert all(p.grad is None for p in member.trunk.parameters())


def test_targets_are_the_sales_that_followed_and_their_mask():
    panel, config, forecaster = prepared()
    panel.flags[1, 105] = 1
    encoded = FeatureEncoder(forecaster.spec).encode(panel).map(torch.from_numpy)
    source = WindowSource(forecaster.spec, encoded, [3], target_stop=110)
    windows = source.gather(torch.tensor([1]), torch.tensor([100]))
    expected = panel.y[1, 101:115].astype(float)
    assert np.array_equal(windows.y_BOH[0, 0].numpy(), expected)
    observed = [t != 105 and t < 110 for t in range(101, 115)]
    assert windows.observed_BOH[0, 0].tolist() == observed


def test_a_saved_forecaster_forecasts_the_same(tmp_path):
    panel, _, forecaster = prepared()
    forecaster.save(tmp_path / "model")
    again = Forecaster.load(tmp_path / "model")
    assert np.array_equal(again.predict(panel).mean, forecaster.predict(panel).mean)
    assert not list((tmp_path / "model").glob("*.p*kl"))


def test_onnx_gives_what_torch_gives_for_any_batch(tmp_path):
    panel, _, forecaster = prepared()
    forecaster.save(tmp_path / "model")
    inputs = inputs_of(forecaster, panel, np.arange(6), panel.num_periods - 1)
    difference = export_onnx(forecaster, tmp_path / "model" / "model.onnx", inputs)
    assert difference <= 1e-5
    served = OnnxForecaster(tmp_path / "model").predict(panel, batch_size=4)
    ours = forecaster.predict(panel)
    np.testing.assert_allclose(served.mean, ours.mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(served.levels, ours.levels, rtol=1e-5, atol=1e-5)


def test_pinball_loss_is_the_newsvendors_cost():
    forecast = torch.tensor([[3.0, 8.0]])
    loss = pinball(forecast, torch.tensor([[5.0]]), (0.7, 0.7))
    # short by 2 at 0.7 each; 3 too many at 0.3 each
    assert loss.tolist() == [[pytest.approx(1.4), pytest.approx(0.9)]]


def test_batches_are_a_function_of_seed_and_step_and_ranks_share_them():
    config = make_config()
    sampler = WindowSampler(np.zeros(6, int), 120, config.features, config.training, seed=7)
    rows, ends = sampler.draw(5)
    again, _ = sampler.draw(5)
    assert torch.equal(rows, again)
    assert not torch.equal(rows, sampler.draw(6)[0])
    assert int(ends.max()) <= 119
    halves = [sampler.draw(5, rank, 2)[0] for rank in (0, 1)]
    both = torch.stack(halves, dim=1).flatten()
    assert len(both) == 2 * len(rows)
    assert set(both.tolist()) <= set(range(6))


def test_members_take_strides_in_turn_and_a_week_keeps_the_weekday_of_the_cutoff():
    config = make_config(training={"origin_strides": [7, 1]})
    found = []
    for member in range(3):
        sampler = WindowSampler(
            np.zeros(6, int), 120, config.features, config.training, seed=0, member=member
        )
        ends = torch.cat([sampler.draw(step)[1] for step in range(40)])
        found.append({int(e) % 7 for e in ends})
    assert found == [{119 % 7}, set(range(7)), {119 % 7}]
