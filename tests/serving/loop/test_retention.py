"""What a workspace need not keep."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.cli import main
from serving.deployment import Deployment
from serving.loop.retention import delete, expired

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEEP = timedelta(days=90)


def write(path, days, content="x" * 100):
    """Write a file as it was so many days before NOW."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    at = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (at, at))
    return path


@pytest.fixture
def workspace(tmp_path):
    """Two old runs and a young one, a cut-off copy, checkpoints, and what is served or audited."""
    runs = {"training-20260101-000000": 150, "training-20260201-000000": 120,
            "monitoring-20260101-000000": 150, "training-20260520-000000": 12}  # fmt: skip
    for run, days in runs.items():
        write(tmp_path / "runs" / run / "artifacts" / "clean" / "panel", days)
        write(tmp_path / "runs" / run / "verdict.json", days)
    write(tmp_path / "training" / "abc" / "last.ckpt", 100)
    write(tmp_path / "training" / "def" / "last.ckpt", 10)
    write(tmp_path / "models" / "demo" / ".partial-1" / "model.onnx", 2)
    write(tmp_path / "models" / "demo" / ".partial-2" / "model.onnx", 0.1)
    kept = ("models/demo/abc/model/model.onnx", "orders/demo/2026-01-01.csv",
            "predictions/2026-01-01.parquet", "feature_store/layout.json",
            "governor.db")  # fmt: skip
    for path in kept:
        write(tmp_path / path, 400)
    return tmp_path


def shown(workspace, keep=KEEP):
    items = expired(Deployment.of(workspace), keep, NOW)
    return {str(item.path.relative_to(workspace)): item.kind for item in items}


def test_old_runs_give_up_what_lies_between_data_and_result_and_the_newest_of_a_pipeline_stays(
    workspace,
):
    assert shown(workspace) == {
        "runs/training-20260101-000000/artifacts": "intermediate files of a run",
        "runs/training-20260201-000000/artifacts": "intermediate files of a run",
        "training/abc": "checkpoints of a training",
        "models/demo/.partial-1": "copy that was cut off",
    }
    assert shown(workspace, timedelta(days=365)) == {
        "models/demo/.partial-1": "copy that was cut off"
    }


def test_what_is_deleted_is_no_longer_promised_by_the_cache_and_the_rest_stays(workspace):
    old = workspace / "runs" / "training-20260101-000000" / "artifacts" / "clean" / "panel"
    young = workspace / "runs" / "training-20260520-000000" / "artifacts" / "clean" / "panel"
    for name, place in (("old", old), ("young", young)):
        write(
            workspace / "cache" / "k" / f"{name}.json",
            1,
            json.dumps({"panel": {"uri": str(place)}}),
        )
    write(workspace / "cache" / "k" / "broken.json", 1, "{")
    before = {p for p in workspace.rglob("*") if p.is_file()}
    here = Deployment.of(workspace)
    delete(here, expired(here, KEEP, NOW))
    gone = {str(p.relative_to(workspace)) for p in before if not p.exists()}
    assert gone == {
        "runs/training-20260101-000000/artifacts/clean/panel",
        "runs/training-20260201-000000/artifacts/clean/panel",
        "training/abc/last.ckpt",
        "models/demo/.partial-1/model.onnx",
        "cache/k/old.json",
    }
    assert shown(workspace) == {}


def test_the_data_of_the_champion_and_of_the_one_before_it_stay(tmp_path):
    here = Deployment.of(tmp_path / "workspace")
    model = tmp_path / "model"
    for number, snapshot in enumerate(("first", "second", "third"), start=1):
        write(model / "model.json", 0, json.dumps({"format": 2, "number": number}))
        version = here.registry.register("demo", str(model), [], {"snapshot": snapshot}, print)
        here.registry.make_champion("demo", version)
        write(here.settings.snapshots / snapshot / "panel.parquet", 200)
    write(here.settings.snapshots / "rejected" / "panel.parquet", 200)
    names = {item.path.name for item in expired(here, KEEP, NOW)}
    assert names == {"first", "rejected"}


def test_the_command_shows_first_and_deletes_when_asked(workspace, capsys):
    old = workspace / "training" / "abc"
    assert main(["prune", "--workspace", str(workspace), "--days", "30"]) == 0
    told = capsys.readouterr().out
    assert "checkpoints of a training: " + str(old) in told
    assert told.splitlines()[-1].endswith("may go: the same command with --delete deletes them")
    assert old.exists()
    assert main(["prune", "--workspace", str(workspace), "--days", "30", "--delete"]) == 0
    assert not old.exists()
    assert main(["prune", "--workspace", str(workspace), "--days", "0"]) == 1
    assert capsys.readouterr().err == "invopt: --days must be 1 or more, got 0.\n"
