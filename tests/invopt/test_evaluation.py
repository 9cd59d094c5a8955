from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, poisson

from invopt.baselines import Baseline
from invopt.config import EvaluationConfig
from invopt.errors import ConfigError
from invopt.evaluation import (
    Window,
    backtest,
    forecast_change,
    interval_coverage,
    level_metrics,
    mase_scale,
    point_metrics,
    quantile_metrics,
    ranges_of,
    scale_step,
)
from invopt.forecasts import ForecastArrays, forecast_frame, level_frame, units
from invopt.panel import Flag
from tests.builders import make_config, make_panel


def forecast_of(
    mean, quantiles=None, levels=None, quantile_levels=(0.5,), level_quantiles=(0.5,), *,
    is_count=True,
):  # fmt: skip
    mean = np.asarray(mean, np.float32)
    quantiles = mean[..., None] if quantiles is None else np.asarray(quantiles, np.float32)
    levels = mean.cumsum(1)[..., None] if levels is None else np.asarray(levels, np.float32)
    return ForecastArrays(
        mean, quantiles, levels, quantile_levels, level_quantiles, is_count=is_count
    )


@given(
    gate=st.integers(1, 40),
    selection=st.integers(1, 40),
    step=st.integers(1, 20),
)
def test_selection_and_gate_never_share_a_target(gate, selection, step):
    config = EvaluationConfig(
        gate_periods=gate,
        selection_periods=selection,
        step_size=step,
    )
    ranges = ranges_of(200, config)
    first_target = {
        "selection": ranges.selection[0] + 1,
        "gate": ranges.gate[0] + 1,
    }
    assert ranges.selection_stop == first_target["selection"]
    assert ranges.train_stop == first_target["gate"] == 200 - gate
    assert max(ranges.selection) < ranges.train_stop == ranges.selection_stop + selection
    assert max(ranges.gate) < 199


def test_a_panel_shorter_than_the_ranges_is_refused():
    with pytest.raises(ConfigError, match="need 56 periods, the data have 50"):
        ranges_of(50, EvaluationConfig())


def test_point_metrics_of_a_case_worked_out_by_hand():
    """Errors 1, -2, 0 of demand 2, 4, 6; the fourth period was not observed."""
    window = Window(0, forecast_of([[3, 2, 6, 9]]), np.array([[2, 4, 6, np.nan]], np.float32))
    found = point_metrics([window], np.array([2.0]))
    assert found["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert found["mae"] == pytest.approx(1)
    assert found["wape"] == pytest.approx(3 / 12)
    assert found["bias"] == pytest.approx(11 / 12 - 1)
    assert found["r2"] == pytest.approx(1 - 5 / 8)
    assert found["mase"] == pytest.approx(0.5)


def test_metrics_of_nothing_observed_are_not_a_number():
    window = Window(0, forecast_of([[1, 1]]), np.full((1, 2), np.nan, np.float32))
    assert all(np.isnan(v) for v in point_metrics([window]).values())


def test_metrics_of_zeros_are_numbers():
    """Nothing sold and 0.5 forecast: errors and bias are in units per period."""
    window = Window(0, forecast_of([[0.5, 0.5]]), np.zeros((1, 2), np.float32))
    found = point_metrics([window], np.array([0.0]))
    assert (found["wape"], found["bias"], found["r2"], found["mase"]) == (0.5, 0.5, 0.0, 0.0)
    right = Window(0, forecast_of([[0, 0]]), np.zeros((1, 2), np.float32))
    assert point_metrics([right])["r2"] == 1.0


@pytest.mark.parametrize(
    ("length", "stop", "step"), [(30, 30, 7), (30, 14, 7), (30, 13, 1), (12, 12, 1)]
)
def test_the_scale_of_errors_falls_back_where_two_seasons_are_not_there(length, stop, step):
    panel = make_panel(num_series=3, num_periods=length)
    assert scale_step(panel, stop, 7) == step
    assert (mase_scale(panel, stop, 7) > 0).any()


def test_sales_that_never_change_are_scaled_by_one_unit():
    panel = make_panel(num_series=2, num_periods=20)
    panel.y[:] = 3
    assert scale_step(panel, 20, 7) == 0
    assert mase_scale(panel, 20, 7).tolist() == [1.0, 1.0]


def test_mase_scale_is_the_mean_seasonal_difference():
    panel = make_panel(num_series=3, num_periods=30)
    panel.flags[0, 10] = 1
    scale = mase_scale(panel, 20, 7)
    y = panel.y.astype(float)
    pairs = [abs(y[0, t] - y[0, t - 7]) for t in range(7, 20) if t not in (10, 17)]
    assert scale[0] == pytest.approx(np.mean(pairs))


def test_quantiles_of_the_right_law_are_covered_at_every_level():
    rng = np.random.default_rng(0)
    levels = (0.1, 0.25, 0.5, 0.75, 0.9)
    rate = rng.gamma(2, 1.5, (4000, 1))
    actual = rng.poisson(rate, (4000, 5)).astype(np.float32)
    draws = rng.poisson(rate[:, 0], (2000, 4000)) + rng.random((2000, 4000)) - 0.5
    quantiles = np.repeat(np.quantile(draws, levels, axis=0).T[:, None], 5, axis=1)
    window = Window(0, forecast_of(np.repeat(rate, 5, 1), quantiles, None, levels), actual)
    found = quantile_metrics([window], is_count=True)
    for level in levels:
        assert found[f"{level:g}"]["coverage"] == pytest.approx(level, abs=0.02)
    coverage = interval_coverage(found)
    assert set(coverage) == {"80", "50"}
    assert coverage["80"] == pytest.approx(0.8, abs=0.03)


def test_summed_demand_counts_only_when_every_period_was_observed():
    actual = np.array([[1, 2, 3], [1, np.nan, 3]], np.float32)
    levels = np.full((2, 3, 1), 3.2)
    window = Window(0, forecast_of(np.ones((2, 3)), levels=levels), actual)
    found = level_metrics([window], [1, 2, 3, 9], is_count=False)
    assert found["1"]["0.5"]["coverage"] == 1.0
    assert found["2"]["0.5"]["coverage"] == 1.0  # only the first series: 3 <= 3.2
    assert found["3"]["0.5"]["coverage"] == 0.0  # 6 > 3.2
    assert found["9"] == {}


def test_a_backtest_hides_what_comes_after_the_cutoff_and_scores_what_follows():
    panel = make_panel()
    model = Baseline(14, 7, make_config().model)
    [window] = backtest(model, panel, [99], 110, gap=2)
    assert np.isnan(window.actual[:, :2]).all()
    assert np.array_equal(window.actual[:, 2:10], panel.y[:, 102:110].astype(np.float32))
    assert np.isnan(window.actual[:, 10:]).all()
    panel.y[:, 100:] = 77
    assert np.array_equal(backtest(model, panel, [99], 110)[0].forecast.mean, window.forecast.mean)


@pytest.mark.parametrize("window", [None, 28])
def test_baselines_repeat_the_season_or_average_and_never_cross_quantiles(window):
    panel = make_panel()
    found = Baseline(14, 7, make_config().model, window).predict(panel, 99)
    y = panel.y[:, :100].astype(np.float32)
    expected = y[:, 93:100] if window is None else np.repeat(y[:, 72:].mean(1)[:, None], 7, 1)
    np.testing.assert_allclose(found.mean[:, :7], expected, rtol=1e-6)
    assert np.array_equal(found.mean[:, 7:], found.mean[:, :7])
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    assert (np.diff(found.levels, axis=1) >= 0).all()


def test_counts_are_told_as_the_counts_own_quantiles_and_the_mean_as_it_is():
    """Poisson of 1.3: 0 has 0.273, 1 or less 0.627, 2 or less 0.857, 3 or less 0.957."""
    levels = (0.25, 0.3, 0.6, 0.65, 0.9)
    law = poisson.pmf(np.arange(30), 1.3)
    smooth = np.interp(levels, np.r_[0, law.cumsum()], np.r_[-0.5, np.arange(30) + 0.5])
    found = forecast_of([[1.3]], smooth[None, None], smooth[None, None], levels, levels)
    assert found.quantiles[0, 0].tolist() == [0, 1, 1, 2, 3]
    assert found.levels[0, 0].tolist() == [0, 1, 1, 2, 3]
    frame = forecast_frame(make_panel(num_series=1), 99, found)
    assert frame.iloc[0, 3:].tolist() == pytest.approx([1.3, 0, 1, 1, 2, 3])
    sums = level_frame(make_panel(num_series=1), 99, found, [1])
    assert sums.iloc[0, 3:].tolist() == [0, 1, 1, 2, 3]


@given(st.floats(-0.5, 1e6, width=32))
def test_what_is_told_of_a_count_is_whole_and_half_a_unit_away_at_most(value):
    [told] = units(np.array([value], np.float32), is_count=True)
    assert told == np.rint(told) >= 0
    assert abs(told - value) <= 0.5
    assert not np.signbit(told)


def test_what_is_measured_keeps_its_parts_of_a_unit():
    found = forecast_of([[1.3]], [[[-0.2, 0.7]]], None, (0.1, 0.5), is_count=False)
    np.testing.assert_allclose(found.quantiles[0, 0], [0, 0.7])


def test_a_panel_knows_whether_its_sales_are_whole_numbers():
    panel = make_panel()
    assert panel.is_count
    assert replace(panel, y=panel.y.astype(np.float32)).is_count
    assert not replace(panel, y=panel.y * np.float32(0.3)).is_count


def test_the_loss_is_of_what_is_told_and_the_coverage_of_the_law():
    """Sales are 0 or 1 alike: the told median 0 costs 1/4, the smooth one covers half."""
    actual = np.tile([[0.0], [1.0]], (500, 1)).astype(np.float32)
    window = Window(0, forecast_of(np.full((1000, 1), 0.5), np.full((1000, 1, 1), 0.5)), actual)
    found = quantile_metrics([window], is_count=True)["0.5"]
    assert found["pinball"] == pytest.approx(0.25)
    assert found["coverage"] == pytest.approx(0.5, abs=0.05)


def test_a_forecast_that_moves_by_a_unit_changes_by_the_share_of_its_levels():
    """Levels 0.1 and 0.9: up by one costs 0.9 and 0.1 of a unit, doubled and over two levels 1."""

    def window(cutoff, value):
        told = np.full((2, 3, 2), value)
        return Window(cutoff, forecast_of(np.ones((2, 3)), told, None, (0.1, 0.9)), np.ones((2, 3)))

    scale = np.array([2.0, 0.0])  # the second series has none and is left out
    assert forecast_change([window(4, 3.0), window(5, 4.0)], scale) == pytest.approx(0.5)
    assert forecast_change([window(4, 3.0), window(5, 3.0)], scale) == 0.0
    assert forecast_change([window(4, 3.0), window(7, 9.0)], scale) == 0.0  # no period in common


def test_only_the_periods_both_forecast_are_compared_and_at_their_own_dates():
    quantiles = np.array([[[1.0], [2], [3]]])
    before = Window(4, forecast_of(np.ones((1, 3)), quantiles), np.ones((1, 3)))
    after = Window(5, forecast_of(np.ones((1, 3)), quantiles + 1), np.ones((1, 3)))
    assert forecast_change([before, after], np.ones(1)) == 0.0


def test_the_baseline_repeats_the_last_season_that_was_in_stock():
    panel = make_panel()
    panel.y[:] = np.tile(np.arange(7, dtype=np.int16), 18)[None, :120]
    panel.y[0, 86:100], panel.flags[0, 86:100] = 0, Flag.CENSORED
    panel.y[1, :100], panel.flags[1, :100] = 0, Flag.BEFORE_LAUNCH
    found = Baseline(14, 7, make_config().model).predict(panel, 99)
    assert found.mean[0, :7].tolist() == [(100 + k) % 7 for k in range(7)]
    assert found.mean[1].tolist() == [0.0] * 14


def test_forecast_frames_name_every_period_and_quantile_once():
    panel = make_panel(num_series=2)
    forecast = Baseline(14, 7, make_config().model).predict(panel, 99)
    frame = forecast_frame(panel, 99, forecast)
    assert len(frame) == 28
    assert frame["ds"].iloc[0] == panel.timeline.date(100)
    assert frame["cutoff"].unique().tolist() == [panel.timeline.date(99)]
    assert list(frame.columns[3:5]) == ["mean", "q0.05"]
    np.testing.assert_allclose(frame["mean"].iloc[14:], forecast.mean[1])
    levels = level_frame(panel, 99, forecast, [3, 7])
    assert levels["periods"].tolist() == [3, 7, 3, 7]
    assert levels["q0.9"].iloc[3] == pytest.approx(float(forecast.levels[1, 6, 6]))


def test_sales_that_are_no_counts_are_covered_at_every_level_though_shops_are_closed():
    """Two days in ten are closed for sure, one sells nothing half of the time."""
    rng = np.random.default_rng(0)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    share = np.tile([1.0, 1.0, 0.5, *[0.0] * 7], (2000, 1))
    usual = rng.gamma(20, 4, (2000, 1))
    idle = rng.random(share.shape) < share
    actual = np.where(idle, 0, rng.normal(usual, usual / 5).clip(1)).astype(np.float32)
    # The quantile at level p of a day that sells nothing with probability q is that at
    # (p - q) / (1 - q) of the rest, and next to nothing below.
    within = (np.array(levels) - share[..., None]) / np.maximum(1 - share[..., None], 1e-9)
    sold = norm.ppf(within.clip(1e-9, 1 - 1e-9)) * usual[..., None] / 5 + usual[..., None]
    quantiles = np.where(within > 0, sold.clip(1), usual[..., None] / 1000)
    window = Window(0, forecast_of(usual + 0 * share, quantiles, None, levels), actual)
    found = quantile_metrics([window], is_count=False)
    for level in levels:
        assert found[f"{level:g}"]["coverage"] == pytest.approx(level, abs=0.02)
    assert interval_coverage(found)["90"] == pytest.approx(0.9, abs=0.02)


def test_a_forecast_of_sales_is_not_excused_by_a_shop_that_sold_nothing():
    actual = np.tile([[0.0, 5.0]], (500, 1)).astype(np.float32)
    told = np.full((500, 2, 1), 4.0)
    window = Window(0, forecast_of(np.full((500, 2), 4.0), told, is_count=False), actual)
    found = quantile_metrics([window], is_count=False)["0.5"]
    assert found["coverage"] == pytest.approx(0.5)  # the closed days are below, the others above
