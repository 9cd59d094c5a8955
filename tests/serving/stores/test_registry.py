"""The registry: one champion, which knows the one before it, and files that are what was judged."""

import json
import shutil

import pytest

from invopt.errors import InvalidInputError
from serving.deployment import Deployment

pytestmark = pytest.mark.slow
NAME = "demo"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """MLflow's database as it is at first: making it takes seconds."""
    workspace = tmp_path_factory.mktemp("empty")
    assert Deployment.of(workspace).registry.registered_versions() == []
    return workspace / "mlflow.db"


@pytest.fixture
def registry(settings, empty):
    settings.workspace.mkdir()
    shutil.copy(empty, settings.workspace)
    return Deployment.of(settings.workspace).registry


@pytest.fixture
def three(registry, tmp_path):
    """Three registered versions, none of them champion."""
    for weights in ("one", "two", "three"):
        model = tmp_path / weights
        model.mkdir()
        (model / "model.onnx").write_text(weights)
        verdict = tmp_path / "verdict"
        verdict.write_text(json.dumps({"of": weights}))
        registry.register(NAME, str(model), [str(verdict)], {"snapshot": "s"}, lambda _: None)
    return registry


def champions(registry):
    return registry.champion_version(NAME), registry.previous_version(NAME)


def test_every_champion_knows_the_one_before(three):
    assert champions(three) == ("", "")
    three.make_champion(NAME, "1")
    assert champions(three) == ("1", "")
    three.make_champion(NAME, "2")
    three.make_champion(NAME, "2")
    assert champions(three) == ("2", "1")
    three.make_champion(NAME, "3")
    assert champions(three) == ("3", "2")
    three.make_champion(NAME, "2")
    assert champions(three) == ("2", "3")


def test_a_promotion_that_dies_at_any_of_its_writes_leaves_a_champion_with_its_own_way_back(
    three, monkeypatch
):
    from mlflow import MlflowClient

    three.make_champion(NAME, "1")
    three.make_champion(NAME, "2")
    for call in ("set_model_version_tag", "set_registered_model_alias"):

        def dies(*_, **__):
            raise SystemExit(137)

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, call, dies)
            with pytest.raises(SystemExit):
                three.make_champion(NAME, "3")
        assert champions(three) == ("2", "1")
    three.make_champion(NAME, "3")
    assert champions(three) == ("3", "2")


def test_a_registry_of_before_is_read_by_its_alias(three):
    three.make_champion(NAME, "2")
    client = three.client
    client.set_registered_model_alias(NAME, "previous", "1")
    assert champions(three) == ("2", "1")
    client.set_registered_model_alias(NAME, "previous", "2")
    assert champions(three) == ("2", "")


def test_the_champion_is_read_at_one_moment_and_its_files_are_what_was_registered(three):
    three.make_champion(NAME, "2")
    found = three.champion_of(NAME)
    three.make_champion(NAME, "3")
    assert found.version == "2"
    assert (three.files(found) / "model.onnx").read_text() == "two"
    assert found.sha256 == three.version_of(NAME, "2").sha256 != ""
    evidence = json.loads((three.evidence_path(NAME, "2") / "verdict").read_text())
    assert evidence == {"of": "two"}


def test_a_model_that_was_changed_or_exchanged_is_never_handed_out(three):
    three.make_champion(NAME, "2")
    file = three.champion_path(NAME) / "model.onnx"
    file.write_text("tWo")
    for ask in (
        lambda: three.champion_path(NAME),
        lambda: three.version_path(NAME, "2"),
        lambda: three.files(three.champion_of(NAME)),
    ):
        with pytest.raises(InvalidInputError, match=r"Model.model.onnx must hold what was reg"):
            ask()
    other = three.version_path(NAME, "3")
    for name in ("model.onnx", "SHA256SUMS"):
        (file.parent / name).write_bytes((other / name).read_bytes())
    with pytest.raises(InvalidInputError, match="SHA256SUMS must be what was registered"):
        three.champion_path(NAME)


def test_a_workspace_that_was_moved_has_its_models_and_what_mlflow_keeps_of_its_runs(
    three, tmp_path
):
    three.make_champion(NAME, "2")
    client = three.client
    run = client.get_model_version(NAME, "2").run_id
    (tmp_path / "verdict.json").write_text("{}")
    client.log_artifact(run, str(tmp_path / "verdict.json"))
    moved = tmp_path / "elsewhere" / "ws"
    moved.parent.mkdir()
    three.settings.workspace.rename(moved)
    registry = Deployment.of(moved).registry
    assert (registry.champion_path(NAME) / "model.onnx").read_text() == "two"
    assert [f.path for f in registry.client.list_artifacts(run)] == ["verdict.json"]
    assert registry.client.get_model_version(NAME, "2").source.startswith(f"{moved}/models/")
    # The same files are the same version there.
    model = tmp_path / "two"
    evidence = [str(tmp_path / "verdict")]
    (tmp_path / "verdict").write_text(json.dumps({"of": "two"}))
    assert registry.register(NAME, str(model), evidence, {"snapshot": "s"}, lambda _: None) == "2"


def test_a_rollback_to_a_damaged_model_changes_nothing(three):
    from serving.loop.release import roll_back_local

    three.make_champion(NAME, "1")
    three.make_champion(NAME, "2")
    (three.version_path(NAME, "1") / "model.onnx").write_text("damaged")
    with pytest.raises(InvalidInputError, match="must hold what was registered"):
        roll_back_local(three, None, lambda _: None)
    assert champions(three) == ("2", "1")


def test_orders_of_a_model_that_is_not_champion_any_more_are_refused(three):
    from serving.loop.served import check_still_champion, served_champion
    from tests.builders import make_config

    config = make_config().model_copy(update={"name": NAME})
    three.make_champion(NAME, "1")
    forecast_by = served_champion(Deployment.of(three.settings.workspace), config).label
    assert forecast_by == "demo-1"
    check_still_champion(three, NAME, forecast_by)
    three.make_champion(NAME, "2")
    with pytest.raises(
        InvalidInputError, match="version 1 of demo made the forecasts, but version 2"
    ):
        check_still_champion(three, NAME, forecast_by)


def test_the_champion_is_told_to_prometheus(three, tmp_path):
    from serving.loop.champion_watch import write_champion

    three.make_champion(NAME, "2")
    write_champion(three, NAME, tmp_path / "metrics" / "demo.champion.txt")
    told = (tmp_path / "metrics" / "demo.champion.txt").read_text()
    assert '\ninvopt_champion_version{model="demo",version="2"} 1\n' in told
    assert '\ninvopt_champion_seen_timestamp_seconds{model="demo"} 1' in told
