"""Steps called as functions on small real artifacts; nothing is pretended."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kfp.dsl import Artifact, Dataset

import components as step
from invopt.panel import load_panel
from invopt.synthetic import make_retailer, write_retailer
from tests.builders import CONFIGS, make_config

pytestmark = pytest.mark.slow


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("INVOPT_WORKSPACE", str(tmp_path / "workspace"))
    write_retailer(make_retailer(5, 2, 150, seed=1), tmp_path / "data")
    return tmp_path


def artifact(kind, folder: Path, name: str):
    return kind(uri=str(folder / name))


def mapping() -> str:
    return json.dumps(yaml.safe_load((CONFIGS / "datasets" / "demo.yaml").read_text()))


def ingest(folder: Path) -> tuple[str, dict]:
    quality = artifact(Artifact, folder, "quality.json")
    config = make_config()
    name, _ = step.ingest_data.python_func(
        mapping=mapping(),
        data_dir=str(folder / "data"),
        data=config.as_parameter()["data"],
        quality=quality,
    )
    return name, json.loads(Path(quality.path).read_text())


def prepare(folder: Path, snapshot: str) -> Dataset:
    derived, config = artifact(Dataset, folder, "derived"), make_config().as_parameter()
    step.prepare_panel.python_func(
        snapshot=snapshot,
        cleaning=config["cleaning"],
        features=config["features"],
        evaluation=config["evaluation"],
        code_version="t",
        derived=derived,
        counts=artifact(Artifact, folder, "counts.json"),
    )
    return derived


def test_ingest_accounts_for_every_row_and_names_the_snapshot_by_its_content(workspace):
    name, quality = ingest(workspace)
    again, _ = ingest(workspace)
    assert name == again
    assert (workspace / "workspace" / "snapshots" / name / "part-0000" / "panel.json").is_file()
    for table in quality["accounting"]:
        assert table["rows_in"] == table["rows_used"] + sum(table["quarantined"].values())
    assert quality["num_series"] == 10


def test_changed_data_give_another_snapshot(workspace):
    name, _ = ingest(workspace)
    file = workspace / "data" / "position.csv"
    file.write_text(file.read_text().replace(",2023-05-31,", ",2023-05-31,1", 1))
    other, _ = ingest(workspace)
    assert other != name


def test_prepare_leaves_a_panel_a_spec_what_cleaning_did_and_nothing_besides(workspace):
    snapshot, _ = ingest(workspace)
    derived = prepare(workspace, snapshot)
    assert sorted(p.name for p in workspace.iterdir()) == [
        "counts.json", "data", "derived", "quality.json", "workspace",
    ]  # fmt: skip
    counts = json.loads((workspace / "counts.json").read_text())
    assert counts["censored"] > 0
    found = load_panel(Path(derived.path))
    assert "sales@location+category" in found.channels
    spec = json.loads((Path(derived.path) / "features.json").read_text())
    last = pd.Timestamp(spec["trained_until"])
    assert last == found.timeline.date(found.num_periods - 14 - 1)


def test_a_champion_is_asked_for_by_name_when_there_is_none(workspace):
    from invopt.errors import InvalidInputError

    derived = artifact(Dataset, workspace, "derived")
    forecast = artifact(Dataset, workspace, "forecast")
    with pytest.raises(InvalidInputError, match="no champion named demo.*run the training"):
        step.forecast_demand.python_func(
            derived=derived, config=make_config().as_parameter(), forecast=forecast
        )


def test_orders_are_planned_for_every_series_from_forecast_and_position(workspace):
    from invopt.baselines import Baseline
    from invopt.files import write_json

    config = make_config()
    snapshot, _ = ingest(workspace)
    panel = prepare(workspace, snapshot)
    found = load_panel(Path(panel.path))
    forecast = Baseline(14, 7, config.model).predict(found)
    folder = workspace / "forecast"
    folder.mkdir()
    np.savez(
        folder / "part-0000.npz",
        mean=forecast.mean, smooth_quantiles=forecast.smooth_quantiles,
        smooth_levels=forecast.smooth_levels,
    )  # fmt: skip
    write_json(
        folder / "forecast.json",
        {
            "quantile_levels": list(forecast.quantile_levels),
            "level_quantiles": list(forecast.level_quantiles),
            "is_count": True,
        },
    )
    orders = artifact(Dataset, workspace, "orders.csv")
    step.plan_orders.python_func(
        derived=panel,
        forecast=artifact(Dataset, workspace, "forecast"),
        snapshot=snapshot,
        model_version="demo-1",
        config=config.as_parameter(),
        orders=orders,
        purchase_orders=artifact(Dataset, workspace, "purchase_orders.csv"),
        exceptions=artifact(Dataset, workspace, "exceptions.csv"),
    )
    plan = pd.read_csv(orders.path)
    assert plan["unique_id"].tolist() == found.unique_ids.tolist()
    assert plan["model_version"].unique().tolist() == ["demo-1"]
    ordered = plan["order_quantity"] > 0
    assert ordered.any()
    pack = found.series["pack_size"].to_numpy()
    assert (plan["order_quantity"].to_numpy() % pack == 0).all()


def test_runs_that_name_no_study_search_each_in_one_of_its_own(workspace):
    import optuna

    from serving.deployment import Deployment

    tuning = {"num_trials": 1, "num_workers": 2, "space": {"model.hidden_size": [4, 8]}}
    config = make_config(tuning=tuning).as_parameter()
    for study, job in (("", "monday"), ("", "tuesday"), ("named", "wednesday")):
        assert step.open_sweep.python_func(config=config, study=study, job=job) == ["0", "1"]
    names = optuna.get_all_study_names(Deployment.from_environment().settings.study_storage)
    assert sorted(names) == ["monday", "named", "tuesday"]


@pytest.mark.parametrize("name", step.__all__)
def test_every_step_is_shorter_than_a_screen_and_documented(name):
    component = getattr(step, name)
    assert component.description
    source = Path(step.__file__).with_name(f"{name}.py").read_text()
    assert len(source.splitlines()) <= 65
    assert "from __future__" not in source
