"""Steps that change the world, run twice and one and a half times: a drained pod's step is."""

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kfp.dsl import Dataset

import components as step
from invopt.baselines import Baseline
from invopt.features.tables import CREATED
from invopt.files import write_json
from invopt.panel import load_panel
from serving.deployment import Deployment
from tests.builders import make_config
from tests.components.test_components import artifact, ingest, prepare, workspace  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.fixture
def reviewed(workspace):  # noqa: F811
    """A review about to publish and to plan: snapshot, derived panel, forecast."""
    config = make_config()
    snapshot, _ = ingest(workspace)
    derived = prepare(workspace, snapshot)
    panel = load_panel(Path(derived.path))
    forecast = Baseline(14, 7, config.model).predict(panel)
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
    ids = pd.DataFrame({"unique_id": panel.unique_ids})
    ids.to_parquet(folder / "forecast.parquet")
    return workspace, snapshot, derived, artifact(Dataset, workspace, "forecast")


def publish(reviewed):
    _, snapshot, derived, forecast = reviewed
    return step.publish_features.python_func(
        derived=derived,
        snapshot=snapshot,
        features=make_config().as_parameter()["features"],
        model_version="demo-1",
        forecast=forecast,
    )


def published(folder: Path) -> tuple[dict, dict]:
    """Return what readers find: offline tables without their time of making, rows online."""
    store = folder / "workspace" / "feature_store"
    tables = {
        str(file.relative_to(store)): pd.read_parquet(file).drop(columns=CREATED).to_json()
        for file in sorted(store.rglob("*.parquet"))
        if not file.name.startswith(".")
    }
    with sqlite3.connect(store / "online.db") as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
        rows = {
            name: sorted(map(str, database.execute(f'SELECT * FROM "{name}"'))) for (name,) in names
        }
    return tables, rows


def test_features_published_twice_are_those_published_once(reviewed):
    first = publish(reviewed)
    once = published(reviewed[0])
    assert all(once)
    assert publish(reviewed) == first
    assert published(reviewed[0]) == once


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_features_published_one_and_a_half_times_are_those_published_once(
    reviewed, monkeypatch, writes
):
    from serving.stores import materialise

    real, done = materialise._write, []

    def cut_off(*arguments):
        if len(done) == writes:
            raise SystemExit(143)
        done.append(1)
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(materialise, "_write", cut_off)
        with pytest.raises(SystemExit):
            publish(reviewed)
    publish(reviewed)
    after = published(reviewed[0])
    publish(reviewed)
    assert published(reviewed[0]) == after
    assert {"series_window", "last_forecast"} <= {n.removeprefix("invopt_") for n in after[1]}


def plan(reviewed, name):
    folder, snapshot, derived, forecast = reviewed
    (folder / name).mkdir()
    left = {
        output: artifact(Dataset, folder / name, f"{output}.csv")
        for output in ("orders", "purchase_orders", "exceptions")
    }
    step.plan_orders.python_func(
        derived=derived,
        forecast=forecast,
        snapshot=snapshot,
        model_version="demo-1",
        config=make_config().as_parameter(),
        **left,
    )
    return {output: Path(found.path).read_bytes() for output, found in left.items()}


def test_orders_planned_twice_and_one_and_a_half_times_are_those_planned_once(
    reviewed, monkeypatch
):
    def cut_off(*_):
        raise SystemExit(143)

    with monkeypatch.context() as patch:
        patch.setattr("serving.stores.order_plans.keep_plan", cut_off)
        with pytest.raises(SystemExit):
            plan(reviewed, "half")
    once = plan(reviewed, "once")
    assert plan(reviewed, "twice") == once
    kept = list((reviewed[0] / "workspace" / "orders").rglob("*"))
    assert [file.read_bytes() for file in kept if file.is_file()] == [once["orders"]]


@pytest.fixture
def judged(workspace):  # noqa: F811
    """A model about to be registered; what it can do does not matter to the registry."""
    (workspace / "model").mkdir()
    (workspace / "model" / "model.json").write_text("{}")
    for name in ("verdict", "assessment", "explanation"):
        (workspace / f"{name}.json").write_text(f'{{"file": "{name}"}}')
    return workspace


def register(judged):
    evidence = [str(judged / f"{name}.json") for name in ("verdict", "assessment", "explanation")]
    registry, tags = Deployment.from_environment().registry, {"snapshot": "s", "run": "r"}
    return registry.register(
        make_config().name, str(judged / "model"), evidence, tags, lambda _: None
    )


def test_a_model_registered_twice_is_one_version_in_one_folder(judged):
    assert register(judged) == register(judged) == "1"
    assert [
        version for _, version in Deployment.from_environment().registry.registered_versions()
    ] == ["1"]
    assert len(list(judged.glob("workspace/models/*/[!.]*/model/model.json"))) == 1


@pytest.mark.parametrize(
    "cut",
    [
        "serving.stores.model_store.ModelStore.put",
        "mlflow.MlflowClient.create_run",
        "mlflow.MlflowClient.create_model_version",
    ],
)
def test_a_model_registered_one_and_a_half_times_is_one_version_in_one_folder(
    judged, monkeypatch, cut
):
    def cut_off(*_args, **_kwargs):
        raise SystemExit(143)

    with monkeypatch.context() as patch:
        patch.setattr(cut, cut_off)
        with pytest.raises(SystemExit):
            register(judged)
    version = register(judged)
    assert [
        version for _, version in Deployment.from_environment().registry.registered_versions()
    ] == [version]
    assert (
        Deployment.from_environment().registry.version_path(make_config().name, version)
        / "model.json"
    ).read_text() == "{}"
    assert len(list(judged.glob("workspace/models/*/[!.]*/model/model.json"))) == 1
