"""From a small training to forecasts: a place that another candidate knows better falls to it."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from invopt.config import GateConfig
from invopt.evaluation import Window
from invopt.fallback import EVERYTHING, choose
from invopt.forecasts import ForecastArrays
from invopt.panel import Panel
from invopt.parts import MAIN
from invopt.runtime import NETWORK, load_forecaster
from invopt.steps.assess import Contenders, assess_model
from invopt.steps.compose import model_to_register
from invopt.steps.judge import judge_model
from invopt.steps.replenish import forecast_series
from invopt.steps.train import Placement, train_model
from invopt.timeline import Timeline
from tests.builders import make_config
from tests.invopt.test_candidates import SHORT

EACH, PLACES, PERIODS = 14, 3, 168
STOP = PERIODS - 56  # of training
CONFIG = make_config(
    features=SHORT | {"horizon": 14, "static": ["location"]},
    evaluation={"gate_periods": 56, "selection_periods": 14},
    inventory={"lead_time": 1, "review_period": 2},
    training={"max_steps": 40, "lightgbm": False},
    # A network of forty steps is to pass where it forecasts what it knows.
    gate={"max_cost_increase": 0.3, "segment_cost_increase": 0.5, "coverage_tolerance": 0.4},
)  # fmt: skip


def sales(*, has_another_law):
    """Return noisy sales whose days are alike.

    Where asked, four times as many sell in the first place since a week before the gate's, and in
    the others each series has a week of its own.
    """
    rng = np.random.default_rng(0)
    mean = np.tile(rng.uniform(4, 8, (EACH * PLACES, 1)), (1, PERIODS))
    if has_another_law:
        mean[:EACH, STOP - 7 :] *= 4
        mean[EACH:] *= np.tile(rng.uniform(0.1, 1.9, (EACH * (PLACES - 1), 7)), PERIODS // 7)
    y = rng.poisson(mean)
    y[:, 0] = np.maximum(y[:, 0], 1)
    names = [f"s{n:02d}" for n in range(len(y))]
    places = [f"S{n // EACH}" for n in range(len(y))]
    series = pd.DataFrame({"unique_id": names, "location": places, "category": "all"})
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", PERIODS)
    return Panel(timeline, series, y.astype(np.int16), np.zeros(y.shape, np.uint8))


def judged(folder, panel):
    """Train, assess and judge; returns the verdict."""
    source, model, out = (str(folder / name) for name in ("source", "model", "assessment"))
    panel.save(folder / "source")
    here = Placement(clock=time.monotonic)
    train_model(source, CONFIG, model, here, lambda _: None)
    contenders = Contenders(challenger=folder / "model", champion=None)
    assess_model(contenders, source, CONFIG, out, clock=time.monotonic, notify=lambda _: None)
    quality, verdict = folder / "quality.json", folder / "verdict.json"
    quality.write_text('{"checks": []}')
    judge_model(out, str(quality), CONFIG.gate, str(verdict), lambda _: None)
    return json.loads(verdict.read_text())


@pytest.mark.slow
def test_a_place_with_another_law_falls_to_who_knows_it_from_training_to_forecast(tmp_path):
    panel = sales(has_another_law=True)
    verdict = judged(tmp_path, panel)
    assert verdict["decision"] == "promote", verdict["reasons"]
    [part] = verdict["parts"]["parts"]
    assert (part["group"], part["series"]) == ("location=S0", EACH)
    assert part["wape"] < part["wape_alone"]
    assert verdict["parts"]["cost"]["high"] < 0
    [by] = part["by"]
    assert verdict["reasons"][-1].startswith(f"{by} forecasts location=S0 (14 series), challenger")
    names = ("model", "source", "assessment")
    files = {name: str(tmp_path / name) for name in names} | {
        "verdict": str(tmp_path / "verdict.json")
    }
    model = model_to_register(files, CONFIG, str(tmp_path / "released"), lambda _: None)
    forecast_series(Path(model), files["source"], str(tmp_path / "forecast"), lambda _: None)
    mean = pd.read_parquet(tmp_path / "forecast" / "forecast.parquet")["mean"].to_numpy()
    sold = np.asarray(panel.y)[:EACH, -28:].mean()
    assert mean.reshape(-1, 14)[:EACH].mean() == pytest.approx(sold, rel=0.3)
    forecaster = load_forecaster(Path(model))
    made = np.array(forecaster.labels, object)[forecaster.made_by(panel)]
    assert all(label.startswith(by) for label in made[:EACH])
    assert set(made[EACH:]) == {NETWORK}


@pytest.mark.slow
def test_where_all_series_are_alike_nothing_falls_to_anybody(tmp_path):
    verdict = judged(tmp_path, sales(has_another_law=False))
    assert verdict["parts"] is None
    files = {"model": str(tmp_path / "model"), "verdict": str(tmp_path / "verdict.json")}
    assert model_to_register(files, CONFIG, "nowhere", lambda _: None) == files["model"]


def windows(scale, num=40, cutoffs=3, seed=0):
    """Return forecasts of noisy sales, wrong by a factor: of each series, or (cutoff, series)."""
    rng = np.random.default_rng(seed)
    shares, found = (0.1, 0.5, 0.9), []
    for cutoff, factor in enumerate(np.broadcast_to(scale, (cutoffs, num))):
        actual = rng.poisson(20.0, (num, 5)).astype(np.float32)
        mean = np.tile(20.0 * factor.astype(np.float32)[:, None], (1, 5))
        spread = np.stack([mean - 5, mean, mean + 5], axis=2).astype(np.float32)
        forecast = ForecastArrays(mean, spread, spread, shares, shares, is_count=True)
        found.append(Window(cutoff, forecast, actual))
    return found


FEW = {"few": np.arange(40) < 12, "others": np.arange(40) >= 12}


def chosen(candidates, groups, **kwargs):
    found = choose(
        "main", candidates, groups, GateConfig(num_bootstrap=200), is_count=True, **kwargs
    )
    return [(c.group, c.makers) for c in found]


def test_a_group_that_one_candidate_forecasts_clearly_better_is_chosen():
    wrong = np.where(FEW["few"], 1.5, 1.0)
    candidates = {"main": windows(wrong), "other": windows(2.5 - wrong)}
    assert chosen(candidates, FEW) == [("few", ("other",))]


def test_noise_chooses_nothing():
    """Of a hundred draws of candidates that err alike few choose a group by chance."""
    found = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        candidates = {
            name: windows(rng.lognormal(0, 0.2, (3, 40)), seed=seed) for name in ("main", "a", "b")
        }
        found += len(chosen(candidates, FEW))
    assert found <= 10


def test_one_cutoff_alone_chooses_nothing_however_clear():
    wrong = np.where(FEW["few"], 2.0, 1.0)
    candidates = {"main": windows(wrong, cutoffs=1), "other": windows(np.ones(40), cutoffs=1)}
    assert chosen(candidates, FEW) == []


def test_where_most_series_are_better_off_elsewhere_they_are_no_part_of_this_model():
    wrong = np.where(FEW["others"], 1.5, 1.0)
    candidates = {"main": windows(wrong), "other": windows(2.5 - wrong)}
    assert chosen(candidates, FEW) == []


def test_two_that_err_to_either_side_are_averaged_for_all_series():
    candidates = {"main": windows(np.full(40, 1.3)), "other": windows(np.full(40, 0.7))}
    groups = {EVERYTHING: np.ones(40, bool)}
    assert chosen(candidates, groups, averaged=("other",)) == [(EVERYTHING, (MAIN, "other"))]
    assert chosen(candidates, groups) == []
