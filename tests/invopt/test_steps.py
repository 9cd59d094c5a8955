import json

import numpy as np
import pytest

from invopt.assessment import CHALLENGER, NAIVE
from invopt.config import CleaningConfig
from invopt.steps.judge import judge_model
from invopt.steps.prepare import build_feature_panel, clean_partitions
from tests.builders import make_config, make_panel

POINTS = {"rmse": 1.0, "mae": 0.8, "r2": 0.5, "wape": 0.5, "bias": 0.01}
FAILED = {"name": "freshness", "about": "sales", "passed": False}


def verdict(tmp_path, leaks=(), checks=(), foresight=0):
    judged = {"points": POINTS, "coverage": {"80": 0.8}}
    worse = {"points": POINTS | {"wape": 0.9}, "coverage": {}}
    cost = {"challenger": 90, "incumbent": 100, "change": -0.1, "low": -0.15, "high": -0.05}
    (tmp_path / "metrics.json").write_text(
        json.dumps(
            {
                "judged": {CHALLENGER: judged, NAIVE: worse},
                "incumbent": "champion",
                "cost": cost | {"segments": {}},
                "foresight": foresight,
                "leaks": [{"feature": name} for name in leaks],
            }
        )
    )
    quality, out = tmp_path / "quality.json", tmp_path / "verdict.json"
    quality.write_text(json.dumps({"checks": list(checks)}))
    gate = make_config().gate
    word = judge_model(str(tmp_path), str(quality), gate, str(out), lambda _: None)
    return word, json.loads(out.read_text())["reasons"]


def test_a_sound_and_cheaper_model_is_promoted(tmp_path):
    assert verdict(tmp_path)[0] == "promote"


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ({"leaks": ["sales/rolling_mean"]}, "leak the future (sales/rolling_mean)"),
        ({"foresight": 3}, "leak the future (the forecast of 3 series)"),
        ({"checks": [FAILED]}, "no check of the data may fail (freshness of sales)"),
    ],
)
def test_a_leak_or_suspect_data_keep_the_model_out_and_are_named(tmp_path, evidence, reason):
    word, reasons = verdict(tmp_path, **evidence)
    assert word == "keep"
    assert reason in reasons[0]


def test_scales_learned_from_a_sample_know_the_categories_of_all(tmp_path, monkeypatch):
    panel, config = make_panel(num_series=12, num_periods=120), make_config()
    panel.series.loc[7, "category"] = "rare"
    for number, rows in enumerate((np.arange(6), np.arange(6, 12))):
        panel.select(rows).save(tmp_path / "raw" / f"part-{number:04d}")
    quiet = str(tmp_path / "counts.json"), lambda _: None
    clean_partitions(tmp_path / "raw", CleaningConfig(), str(tmp_path / "clean"), *quiet)
    sections = config.features, config.evaluation
    monkeypatch.setattr("invopt.steps.prepare.MAX_FIT_SERIES", 4)
    build_feature_panel(str(tmp_path / "clean"), *sections, str(tmp_path / "out"), lambda _: None)
    spec = json.loads((tmp_path / "out" / "features.json").read_text())
    assert spec["categories"]["category"] == ["dry", "fresh", "rare"]
