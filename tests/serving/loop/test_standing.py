"""What a gate that keeps leaves behind, in a real registry."""

import json

import pytest

from invopt.candidates import write_baselines
from invopt.model_files import BASELINES
from invopt.runtime import OnnxForecaster
from serving.deployment import Deployment
from serving.loop.standing import deploy_stand_in, keep
from serving.stores.deployment_record import effects_of_version
from tests.builders import make_config, make_panel

CONFIG = make_config(
    features={"aggregates": [], "event_channels": [], "monthly_sales": 0, "month_of_year": False}
)
BEST = "moving average"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return paths of a challenger, its training set, verdict, assessment and explanation."""
    folder = tmp_path_factory.mktemp("kept")
    panel = make_panel(num_periods=100)
    panel.save(folder / "source")
    assessment = folder / "assessment"
    made = write_baselines(panel, CONFIG, 86, assessment / BASELINES, names=[BEST])
    content = {
        "best_baseline": BEST,
        "baselines": {name: {"folder": path.name} for name, path in made.items()},
        "judged": {"challenger": {"points": {"wape": 0.9}}, BEST: {"points": {"wape": 0.4}}},
    }
    (assessment / "metrics.json").write_text(json.dumps(content))
    model = folder / "model"
    model.mkdir()
    (model / "model.json").write_text('{"format": 2}')
    for name in ("verdict", "explanation"):
        (folder / name).write_text("{}")
    paths = {n: str(folder / n) for n in ("model", "source", "verdict", "explanation")}
    return paths | {"assessment": str(assessment)}


def config(*, refit=False):
    training = CONFIG.training.model_copy(update={"refit": refit})
    return CONFIG.model_copy(update={"training": training})


def kept(tmp_path, files, **kwargs):
    here = Deployment.of(tmp_path / "workspace")
    told = []
    version = keep(here, config(**kwargs), files, {"run": "r"}, str(tmp_path / "kept"), told.append)
    return here.registry, version, told


def test_a_first_run_that_keeps_leaves_the_rejected_challenger_and_a_model_that_orders(
    tmp_path, files
):
    registry, version, told = kept(tmp_path, files)
    assert version == "2"
    assert [v for _, v in registry.registered_versions()] == ["2", "1"]
    assert any(line.startswith("model: moving average of") for line in told)
    forecast = OnnxForecaster(registry.version_path("demo", "2")).predict(make_panel())
    assert forecast.mean.shape == (6, 14)
    names = {e["name"] for e in effects_of_version(registry.evidence_path("demo", "2"))}
    assert {"promotion", "Monday"} <= names  # its own, not the challenger's
    again = keep(
        Deployment.of(tmp_path / "workspace"), config(), files, {"run": "r"},
        str(tmp_path / "kept"), told.append,
    )  # fmt: skip
    assert again == version


def test_where_a_champion_orders_only_the_challenger_is_registered(tmp_path, files):
    registry, version, _ = kept(tmp_path, files)
    registry.make_champion("demo", version)
    _, after, told = kept(tmp_path, files)
    assert after == ""
    assert told[-1] == "demo version 2 goes on ordering"


def test_a_candidate_that_the_gate_found_better_than_the_champion_orders_in_its_place(
    tmp_path, files
):
    registry, version, _ = kept(tmp_path, files)
    registry.make_champion("demo", version)
    better = tmp_path / "verdict"
    better.write_text(json.dumps({"incumbent": "champion", "orders_by": BEST}))
    _, after, told = kept(tmp_path, files | {"verdict": str(better)})
    assert after not in ("", version)
    assert any(line.startswith("model: moving average of") for line in told)


def test_a_candidate_that_was_found_better_than_an_earlier_champion_leaves_todays_alone(
    tmp_path, files
):
    registry, version, _ = kept(tmp_path, files)
    registry.make_champion("demo", version)
    better, beaten = tmp_path / "verdict", {"incumbent": "champion", "orders_by": BEST}
    better.write_text(json.dumps(beaten | {"champion_version": "1"}))
    _, after, told = kept(tmp_path, files | {"verdict": str(better)})
    assert (version, after) == ("2", "")
    assert told[-1] == "demo version 2 goes on ordering"


def test_what_stands_in_gives_way_where_somebody_orders_by_now(tmp_path, files):
    verdict = tmp_path / "verdict"
    verdict.write_text(json.dumps({"incumbent": BEST, "orders_by": BEST, "champion_version": ""}))
    registry, version, _ = kept(tmp_path, files | {"verdict": str(verdict)})
    registry.make_champion("demo", "1")
    here, out, told = Deployment.of(tmp_path / "workspace"), tmp_path / "evidence.json", []
    assert deploy_stand_in(here, config(), version, str(out), told.append) == ""
    assert (json.loads(out.read_text()), registry.champion_version("demo")) == ({}, "1")
    assert "was judged when there was no champion, and version 1 is champion by now" in told[-1]


def test_a_baseline_that_is_refitted_carries_the_one_that_was_judged(tmp_path, files):
    registry, version, _ = kept(tmp_path, files, refit=True)
    path = registry.version_path("demo", version)
    spans = [json.loads((p / "training.json").read_text())["num_periods"]
             for p in (path, path / "judged")]  # fmt: skip
    assert spans == [100, 86]


def test_a_retraining_that_was_kept_out_ended_in_no_version(tmp_path, files):
    here = Deployment.of(tmp_path / "workspace")
    keep(here, config(), files, {"retraining": "k1"}, str(tmp_path / "kept"), lambda _: None)
    here.registry.make_champion("demo", "2")
    keep(here, config(), files, {"retraining": "k2"}, str(tmp_path / "other"), lambda _: None)
    assert not here.registry.has_version_for("demo", "k2")
