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


COST = {
    "challenger": 90, "incumbent": 100, "change": -0.1, "low": -0.15, "high": -0.05, "segments": {},
}  # fmt: skip


def judged(tmp_path, checks=(), own=POINTS, rival="", **found):
    """Return the word and the verdict on a challenger, a champion and perhaps a rival of both."""
    of_all = {"coverage": {"80": 0.8}, "money": {"ordered": 1.0}}
    candidates = {CHALLENGER: {"points": own} | of_all, "champion": {"points": POINTS} | of_all}
    candidates[NAIVE] = {"points": POINTS | {"wape": 0.9}, "coverage": {}}
    content = {
        "judged": candidates,
        "incumbent": "champion",
        "cost": COST,
        "foresight": 0,
        "leaks": [],
    } | found
    if rival:
        candidates[rival] = {"points": POINTS} | of_all
        content |= {"best_baseline": rival, "baseline_cost": COST, "sold": 10.0}
        content |= {"baselines": {rival: {"label": rival, "folder": rival}}}
    (tmp_path / "metrics.json").write_text(json.dumps(content))
    quality, out = tmp_path / "quality.json", tmp_path / "verdict.json"
    quality.write_text(json.dumps({"checks": list(checks)}))
    gate = make_config().gate
    word = judge_model(str(tmp_path), str(quality), gate, str(out), lambda _: None)
    return word, json.loads(out.read_text())


def verdict(tmp_path, leaks=(), checks=(), foresight=0):
    leaking = [{"feature": name} for name in leaks]
    word, found = judged(tmp_path, checks, foresight=foresight, leaks=leaking)
    return word, found["reasons"]


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


def test_the_verdict_names_the_champion_it_was_passed_beside(tmp_path):
    judged(tmp_path)
    out = tmp_path / "verdict.json"
    assert json.loads(out.read_text())["champion_version"] == ""
    gate, quality = make_config().gate, str(tmp_path / "quality.json")
    judge_model(str(tmp_path), quality, gate, str(out), lambda _: None, "7")
    assert json.loads(out.read_text())["champion_version"] == "7"


def test_a_candidate_that_clearly_costs_less_than_the_champion_takes_over_from_both(tmp_path):
    rival = {"rival_cost": COST | {"change": -0.2, "low": -0.3, "high": -0.1}}
    word, found = judged(tmp_path, own=POINTS | {"bias": 0.5}, rival="lightgbm", **rival)
    assert (word, found["orders_by"], found["label"]) == ("keep", "lightgbm", "lightgbm")
    assert found["reasons"][-1].startswith("lightgbm orders from now on: order cost is 20.0% lower")


def test_a_candidate_that_may_cost_more_than_the_champion_does_not_take_over(tmp_path):
    rival = {"rival_cost": COST | {"change": -0.2, "low": -0.3, "high": 0.01}}
    word, found = judged(tmp_path, own=POINTS | {"bias": 0.5}, rival="lightgbm", **rival)
    assert (word, found["orders_by"]) == ("keep", "champion")


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


def test_what_was_ordered_before_the_periods_counted_and_came_in_them_is_no_lack_of_orders(
    tmp_path,
):
    stake = {"best_baseline": "champion", "baseline_cost": COST, "sold": 10.0}
    money = {"money": {"ordered": 0.0, "received": 5.0}}
    candidates = {
        name: {"points": POINTS, "coverage": {"80": 0.8}} | money
        for name in (CHALLENGER, "champion")
    } | {NAIVE: {"points": POINTS | {"wape": 0.9}, "coverage": {}} | money}
    word, found = judged(tmp_path, judged=candidates, **stake)
    assert word == "promote"
    candidates["champion"]["money"] = candidates[CHALLENGER]["money"] = {"ordered": 0.0}
    word, found = judged(tmp_path, judged=candidates, **stake)
    assert "somebody has to order" in found["reasons"][0]
