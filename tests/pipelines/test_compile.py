import re

import pytest
import yaml

from pipelines.cli import PIPELINES, main
from tests import golden


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_compiled_pipeline_is_the_one_that_was_reviewed(pipeline):
    file = golden.FOLDER / f"{pipeline}.yaml"
    assert golden.compiled(pipeline) == file.read_text(), "run `make golden` and review it"


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_nothing_is_installed_when_a_step_starts(pipeline):
    text = (golden.FOLDER / f"{pipeline}.yaml").read_text()
    assert "pip install" not in text
    assert "latest" not in re.findall(r"image: (.*)", text)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_steps_that_read_or_change_the_world_are_never_cached(pipeline):
    tasks = yaml.safe_load((golden.FOLDER / f"{pipeline}.yaml").read_text())
    found = {}

    def collect(dag):
        for name, task in dag["tasks"].items():
            found[name] = task.get("cachingOptions", {}).get("enableCache", False)

    collect(tasks["root"]["dag"])
    for component in tasks["components"].values():
        if "dag" in component:
            collect(component["dag"])
    never = {"ingest-data", "publish-features", "evaluate-forecaster", "release-forecaster",
             "keep-forecaster"}  # fmt: skip
    assert not any(found.get(name, False) for name in never)
    assert found["prepare-panel"]


def test_monitoring_decides_once_whichever_branch_runs():
    spec = yaml.safe_load((golden.FOLDER / "monitoring.yaml").read_text())
    branches = {
        task["triggerPolicy"]["condition"].split(" == ")[1]: task["componentRef"]["name"]
        for task in spec["root"]["dag"]["tasks"].values()
        if "triggerPolicy" in task and "condition" in task["triggerPolicy"]
    }
    assert set(branches) == {"'read'", "'unreadable'"}
    for name in branches.values():
        component = spec["components"][name]
        steps = [re.sub(r"-\d+$", "", task) for task in component["dag"]["tasks"]]
        for step in ("govern-retraining", "write-monitoring-report"):
            assert steps.count(step) == 1
        # KFP takes an artifact of two branches from the last one, run or not.
        assert "outputDefinitions" not in component
    assert "prepare-panel" not in spec["components"][branches["'unreadable'"]]["dag"]["tasks"]


def test_a_wrong_configuration_is_one_sentence_and_a_status(tmp_path, capsys):
    file = tmp_path / "c.yaml"
    file.write_text("name: x\ndata: {mapping: m.yaml}\ntrainig: {}\n")
    status = main(["compile", "training", "--config", str(file), "--out", str(tmp_path / "o.yaml")])
    assert status == 1
    error = capsys.readouterr().err
    assert "key trainig does not exist (did you mean training?)" in error
    assert "Traceback" not in error
    assert not (tmp_path / "o.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "training", "--config", "no.yaml"], "no.yaml cannot be read"),
        (
            ["run", "training", "--config", "pipelines/configs/m5.yaml"],
            "give the folder of the data with --data DIR",
        ),
        (
            ["run", "training", "--config", "pipelines/configs/m5.yaml", "--data", "nowhere"],
            "--data nowhere is not a folder",
        ),
        (["bench", "no-such"], "there is no benchmark no-such"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(arguments, message, capsys, tmp_path):
    workspace = ["--workspace", str(tmp_path / "w")] if arguments[0] == "run" else []
    assert main([*arguments, *workspace]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not (tmp_path / "w" / "runs").exists()
