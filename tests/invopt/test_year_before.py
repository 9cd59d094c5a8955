"""What came a year before, as a channel that is known ahead."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.config import EvaluationConfig
from invopt.features import FeatureEncoder, FeatureSpec, own_channels
from invopt.features.leaks import model_features, truncation_leaks
from invopt.history import fit_sections
from invopt.panel import Flag, Panel
from invopt.sources.proposal import write_mapping
from invopt.timeline import Timeline
from invopt.year_before import year_before
from tests.builders import SMALL_FEATURES, make_panel


def weekly(y, flags=None, freq="W-MON"):
    y = np.asarray(y, np.int32)
    series = pd.DataFrame({"unique_id": [f"s{n}" for n in range(len(y))]})
    timeline = Timeline(pd.Timestamp("2022-01-03"), freq, y.shape[1])
    return Panel(timeline, series, y, np.zeros(y.shape, np.uint8) if flags is None else flags)


def test_a_week_is_told_by_the_same_week_of_the_year_before_beside_the_half_year_around_it():
    y = np.full((1, 100), 100)
    y[0, 20] = 370  # around week 20: (26 * 100 + 370) / 27 = 110
    found = year_before(weekly(y), horizon=8, num_future=8)
    assert found.shape == (1, 108)
    assert found[0, 72] == pytest.approx(np.log((370 / 110 + 0.25) / 1.25), rel=1e-6)
    assert np.isnan(found[0, :52]).all()
    assert np.isfinite(found[0, 52:]).all()


def test_weeks_that_were_not_observed_say_nothing():
    y, flags = np.full((1, 100), 100), np.zeros((1, 100), np.uint8)
    flags[0, 20] = Flag.FAULTY
    found = year_before(weekly(y, flags), horizon=8)
    assert np.isnan(found[0, 72])
    assert found[0, 73] == pytest.approx(0.0)


@given(
    cutoff=st.integers(60, 110), horizon=st.sampled_from([4, 13, 26, 45]), seed=st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_nothing_after_the_cutoff_changes_what_a_forecast_sees(cutoff, horizon, seed):
    y = np.random.default_rng(seed).poisson(20, (3, 130))
    seen = year_before(weekly(y[:, : cutoff + 1]), horizon, horizon)
    whole = year_before(weekly(y), horizon, horizon)[:, : cutoff + 1 + horizon]
    np.testing.assert_allclose(seen, whole, rtol=1e-6)


def test_a_model_with_it_does_not_look_ahead():
    panel = make_panel(num_series=4, num_periods=140, freq="W-MON", future=14)
    config = SMALL_FEATURES.model_copy(
        update={"year_before": True, "patch": 1, "context_steps": 20, "monthly_sales": 0}
    )
    spec: FeatureSpec = FeatureEncoder.fit(
        panel.with_channels(own_channels(panel, config)), config, 120
    ).spec
    assert "year_before" in [scale.name for scale in spec.planned]
    leaks = truncation_leaks(model_features(spec), panel, [119, 125], config.num_future)
    assert [leak.name for leak in leaks if "year_before" in leak.name] == []


@pytest.mark.parametrize(
    ("num_periods", "horizon", "kept"), [(130, 8, True), (80, 8, False), (130, 53, False)]
)
def test_a_history_that_holds_no_year_and_a_half_or_a_horizon_of_a_year_goes_without(
    num_periods, horizon, kept
):
    features = SMALL_FEATURES.model_copy(
        update={"year_before": True, "horizon": horizon, "patch": 1, "windows": (4, 13),
                "offset_weights": (0.5, 0.5), "event_leads": (), "event_channels": ()}
    )  # fmt: skip
    timeline = Timeline(pd.Timestamp("2022-01-03"), "W-MON", num_periods)
    evaluation = EvaluationConfig(gate_periods=8, selection_periods=8)
    assert fit_sections(features, evaluation, timeline).features.year_before is kept


@pytest.mark.parametrize(
    ("freq", "length"), [("D", 364), ("W-MON", 52), ("2W-MON", 26), ("MS", 12), ("QS", 4)]
)
def test_a_year_is_of_whole_weeks_months_or_quarters(freq, length):
    assert Timeline(pd.Timestamp("2024-01-01"), freq, 10).year_length == length
    assert replace(Timeline(pd.Timestamp("2024-01-01"), freq, 10)).year_before_reach(length) == 0


@pytest.mark.parametrize(("alike", "written"), [(True, True), (False, None)])
def test_a_first_configuration_has_it_where_years_are_alike(tmp_path, alike, written):
    rng = np.random.default_rng(1)
    year = rng.lognormal(3, 0.5, (4, 52)) if alike else np.full((4, 52), 20.0)
    year = np.repeat(year, 25, axis=0)
    y = rng.poisson(np.tile(year, 3))
    days = pd.date_range("2022-01-03", periods=156, freq="W-MON").strftime("%Y-%m-%d")
    rows = [f"{day},P{n},{y[n, k]}" for k, day in enumerate(days) for n in range(100)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("\n".join(["date,product,quantity", *rows]))
    write_mapping(tmp_path / "data", tmp_path / "m.yaml")
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["features"].get("year_before") is written
    training = config["training"]
    assert training.get("learning_rate") == (0.004 if alike else None)
    assert (training["max_steps"], training.get("heads_share")) == (
        (1600, 0.5) if alike else (800, None)
    )
