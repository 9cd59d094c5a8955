import json
import time

import pytest

from invopt.features import derived_channels
from invopt.model import Forecaster
from invopt.model_files import JUDGED
from invopt.runtime import OnnxForecaster
from invopt.steps.train import Placement, refit_model, train_model
from tests.builders import make_config, make_panel

pytestmark = pytest.mark.slow


def test_a_refitted_model_has_learned_from_every_period_and_carries_the_judged_one(tmp_path):
    config = make_config(training={"max_steps": 4, "refit": True})
    panel = make_panel(num_periods=120)
    panel.with_channels(derived_channels([panel], config.features)).save(tmp_path / "panel")
    source, judged, served = (str(tmp_path / name) for name in ("panel", "judged", "served"))
    here = {"place": Placement(clock=time.monotonic), "notify": lambda _: None}
    train_model(source, config, judged, **here)
    refit_model(judged, source, config, served, **here)
    seen = [
        json.loads((tmp_path / folder / "training.json").read_text())["num_periods"]
        for folder in ("judged", "served", f"served/{JUDGED}")
    ]
    assert seen == [106, 120, 106]
    assert OnnxForecaster(tmp_path / "served").predict(panel_of(source)).mean.shape == (6, 14)
    plain = make_config(training={"max_steps": 4})
    refit_model(judged, source, plain, str(tmp_path / "kept"), **here)
    kept, first = (Forecaster.load(tmp_path / name) for name in ("kept", "judged"))
    assert kept.spec == first.spec
    assert not (tmp_path / "kept" / JUDGED).exists()


def panel_of(source):
    from pathlib import Path

    from invopt.panel import load_panel

    return load_panel(Path(source))
