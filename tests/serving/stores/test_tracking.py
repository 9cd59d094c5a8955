"""What MLflow holds of a training run, and what its pyfunc answers, on MLflow itself."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from serving.stores.registry import Registry
from serving.stores.tracking import TrainingRun, keep_training
from tests.builders import make_config
from tests.serving.conftest import NAME

pytestmark = pytest.mark.slow
POINTS = {"wape": 0.31, "bias": -0.02, "mase": None}
VERDICT = {
    "decision": "keep",
    "reasons": ["bias: 0.3 against 0.2", "cost: nothing"],
    "checks": [],
    "incumbent": "moving average",
    "cost": {
        "challenger": 90.0, "incumbent": 100.0, "change": -0.1, "low": -0.2, "high": 0.05,
        "segments": {"dairy & eggs": {"change": 0.3}},
    },
}  # fmt: skip
OWN = {
    "points": POINTS,
    "coverage": {"80": 0.79},
    "money": {"cost": 90.0, "fill_rate": 0.97},
    "folds": {"701": {"points": {"wape": 0.3}, "money": {"cost": 40.0}},
              "708": {"points": {"wape": 0.4}, "money": {"cost": 50.0}}},
}  # fmt: skip
SWEEP = {
    "trials": [
        {"number": 0, "state": "COMPLETE", "score": 0.6, "values": {"model.hidden_size": 16}},
        {"number": 1, "state": "FAIL", "score": None, "values": {"model.hidden_size": 64}},
    ]
}
HISTORY = [[["trunk", 10, 2.5], ["trunk", 20, 2.0], ["head", 10, 0.7]]]
CONFIG = make_config(model={"hidden_size": 16}, training={"learning_rate": 0.01})


@pytest.fixture
def registry(shop, tmp_path) -> Registry:
    return Registry(replace(shop.settings, tracking_uri=f"sqlite:///{tmp_path}/m.db"))


@pytest.fixture
def files(tmp_path):
    for folder, name, content in (
        ("assessment", "metrics.json", {"judged": {"challenger": OWN}}),
        ("model", "training.json", {"history": HISTORY}),
        (".", "verdict", VERDICT),
        (".", "sweep", SWEEP),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(json.dumps(content))
    (tmp_path / "report").write_text("<html>")
    return {n: str(tmp_path / n) for n in ("model", "assessment", "verdict", "sweep", "report")}


def keep(registry, files):
    tags = {"snapshot": "demo-1", "commit": "abc", "cause": ""}
    run = TrainingRun(NAME, "training-1", "8642", tags)
    return keep_training(registry, run, files, CONFIG, lambda _: None)


def test_a_run_that_is_kept_has_name_parameters_tags_money_folds_losses_and_files(registry, files):
    found = registry.client.get_run(keep(registry, files))
    assert found.info.run_name == "training-1"
    assert found.info.status == "FINISHED"
    told = ("name", "model.hidden_size", "training.learning_rate")
    assert [found.data.params[key] for key in told] == [CONFIG.name, "16", "0.01"]
    tags = found.data.tags
    assert (tags["verdict"], tags["snapshot"], tags["commit"]) == ("keep", "demo-1", "abc")
    assert tags["reason"] == "bias: 0.3 against 0.2; cost: nothing"
    assert "cause" not in tags
    metrics = found.data.metrics
    assert metrics["cost_change"] == -0.1
    assert (metrics["cost_change_low"], metrics["cost_change_high"]) == (-0.2, 0.05)
    assert (metrics["wape"], metrics["fill_rate"], metrics["coverage_80"]) == (0.31, 0.97, 0.79)
    assert metrics["cost_change/dairy _ eggs"] == 0.3
    assert "mase" not in metrics
    client = registry.client
    folds = client.get_metric_history(found.info.run_id, "fold/points.wape")
    assert [(m.step, m.value) for m in folds] == [(0, 0.3), (1, 0.4)]
    losses = client.get_metric_history(found.info.run_id, "loss/trunk")
    assert [(m.step, m.value) for m in losses] == [(10, 2.5), (20, 2.0)]
    assert {f.path for f in client.list_artifacts(found.info.run_id)} == {
        "report", "verdict.json", "metrics.json",
    }  # fmt: skip
    assert Path(found.info.artifact_uri).is_relative_to(registry.settings.workspace)


def test_trials_are_runs_below_their_training_once_however_often_it_is_written(registry, files):
    parent = keep(registry, files)
    assert keep(registry, files) == parent
    client = registry.client
    experiment = client.get_experiment_by_name(NAME).experiment_id
    runs = client.search_runs([experiment])
    assert len(runs) == 3
    trials = {run.info.run_name: run for run in runs if run.info.run_id != parent}
    assert set(trials) == {"trial-0", "trial-1"}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {parent}
    assert trials["trial-0"].data.metrics == {"score": 0.6}
    assert trials["trial-1"].info.status == "FAILED"


def test_a_version_belongs_to_the_run_that_trained_it(registry, files, shop):
    version = registry.register(
        NAME, str(shop.model), [], {"run": "8642"}, lambda _: None, run="training-1"
    )
    client = registry.client
    run = client.get_model_version(NAME, version).run_id
    assert keep(registry, files) == run
    assert client.get_run(run).info.run_name == "training-1"


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own type hints when pyfunc is imported
def test_pyfunc_loads_the_champion_that_forecasts_and_orders(registry, shop, monkeypatch):
    import mlflow

    version = registry.register(NAME, str(shop.model), [], {}, lambda _: None)
    registry.make_champion(NAME, version)
    for name in shop.settings.export():  # the model's own place says where its features are
        monkeypatch.delenv(name, raising=False)
    mlflow.set_tracking_uri(registry.settings.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    assert next(c.name for c in model.metadata.get_input_schema().inputs) == "unique_id"
    asked = pd.DataFrame(
        {"unique_id": ["p0_s0", "nobody", "p0_s0"], "on_hand": [0, 1, 0], "lead_time": [None, 1, 5]}
    )
    found = model.predict(asked)
    assert found["unique_id"].tolist() == ["p0_s0", "nobody", "p0_s0"]
    forecast = shop.forecaster.predict(shop.panel)
    at = list(shop.panel.unique_ids).index("p0_s0")
    assert found["mean"][0] == pytest.approx(forecast.mean[at].tolist(), abs=2e-3)
    assert len(found["dates"][0]) == len(found["mean"][0])
    assert found["order_quantity"][0] > 0
    assert found["expected_demand"][2] > found["expected_demand"][0]
    assert found["code"][1] == "unknown_series"
    with pytest.raises(Exception, match="unique_id"):
        model.predict(pd.DataFrame({"series": ["p0_s0"]}))
