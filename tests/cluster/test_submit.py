import functools
import os
import tempfile
from pathlib import Path

import pytest
import yaml

from invopt.errors import InvalidInputError
from pipelines import follow, submit
from pipelines.cli import main
from pipelines.follow import Target
from pipelines.launch import compile_pipeline
from pipelines.submit import Submission, check_inputs
from serving.deployment import Deployment
from tests.cluster.argo_nodes import Attempt, Step
from tests.cluster.fake_api import NAMESPACE
from tests.cluster.fake_kfp import FakeKfp

pytestmark = pytest.mark.slow

CONFIG = "pipelines/configs/cluster.yaml"
IMAGE = "registry.example.com/invopt-job:abc123"


@functools.cache
def compiled(pipeline, text):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pipeline.yaml"
        compile_pipeline(pipeline, KNOWN[text], out)
        return out.read_text()


KNOWN = {}


def compile_once(pipeline, parameters, out):
    """As compile_pipeline, which takes seconds, once for the same parameters."""
    KNOWN[repr(parameters)] = parameters
    out.write_text(compiled(pipeline, repr(parameters)))


@pytest.fixture
def kfp(monkeypatch):
    monkeypatch.setattr(submit, "compile_pipeline", compile_once)
    # The image is read when components are imported, which other tests may have done before.
    monkeypatch.setattr("components.base.IMAGE", IMAGE)
    monkeypatch.setattr(follow, "_POLL_SECONDS", 0.01)
    api = FakeKfp()
    yield api
    api.close()


def run(kfp, *arguments, pipeline="replenishment"):
    return main(["submit", pipeline, "--config", CONFIG, "--host", kfp.url, *arguments])


def test_a_submitted_run_names_version_account_and_data(kfp, capsys):
    assert run(kfp, "--data", "/workspace/data") == 0
    (made,) = kfp.runs
    assert made["pipeline_version_reference"] == {"pipeline_id": "p0", "pipeline_version_id": "v0"}
    assert made["service_account"] == "invopt-runner"
    inputs = kfp.packages[0]["root"]["inputDefinitions"]["parameters"]
    assert inputs["data_dir"]["defaultValue"] == "/workspace/data"
    assert kfp.packages[0]["pipelineInfo"]["name"] == "replenishment"
    out = capsys.readouterr().out
    assert f"{kfp.url}/#/runs/details/r0" in out
    assert "<a href" not in out


def test_the_same_pipeline_is_uploaded_once_and_a_changed_one_again(kfp):
    assert run(kfp) == run(kfp) == 0
    assert len(kfp.versions) == 1
    assert run(kfp, "--set", "inventory.review_period=14") == 0
    assert len(kfp.versions) == 2
    assert len(kfp.pipelines) == len(kfp.experiments) == 1
    assert len(kfp.runs) == 3


def test_a_monitoring_page_is_told_the_commands_of_this_cluster(kfp):
    assert run(kfp, "--data", "/workspace/data", "--namespace", "shop", pipeline="monitoring") == 0
    inputs = kfp.packages[0]["root"]["inputDefinitions"]["parameters"]
    assert inputs["command"]["defaultValue"] == (
        f"invopt submit training --config {CONFIG} --host {kfp.url} --namespace shop "
        "--data /workspace/data"
    )
    assert inputs["console"]["defaultValue"] == (
        "kubectl -n shop exec deploy/evidently -c console -- invopt {}"
    )


def test_every_training_gets_a_study_of_its_own(kfp):
    assert run(kfp, pipeline="training") == 0
    study = kfp.runs[0]["runtime_config"]["parameters"]["study"]
    assert study == kfp.runs[0]["display_name"]


def test_a_schedule_replaces_the_one_before_and_leaves_others(kfp):
    assert run(kfp, "--cron", "0 0 4 * * *") == 0
    assert run(kfp, "--cron", "0 0 5 * * *", pipeline="monitoring") == 0
    assert run(kfp, "--cron", "0 0 6 * * *") == 0
    crons = {r["display_name"]: r["trigger"]["cron_schedule"]["cron"] for r in kfp.recurring}
    assert crons == {
        "demand-forecaster-monitoring": "0 0 5 * * *",
        "demand-forecaster-replenishment": "0 0 6 * * *",
    }
    assert len(kfp.recurring) == 2
    assert all(r["no_catchup"] and int(r["max_concurrency"]) == 1 for r in kfp.recurring)


def test_a_schedule_that_is_replaced_leaves_its_run_under_way_alone(kfp, capsys):
    assert run(kfp, "--cron", "0 0 4 * * *") == 0
    kfp.runs.append({"run_id": "r9", "recurring_run_id": "j0", "state": "RUNNING"})
    assert run(kfp, "--cron", "0 0 5 * * *") == 0
    assert kfp.killed == []
    assert [(r["recurring_run_id"], r["status"]) for r in kfp.recurring] == [
        ("j0", "DISABLED"),
        ("j1", "ENABLED"),
    ]
    assert "run r9 of the schedule before is under way" in capsys.readouterr().out
    kfp.runs[-1]["state"] = "SUCCEEDED"
    assert run(kfp, "--cron", "0 0 6 * * *") == 0
    assert [r["status"] for r in kfp.recurring] == ["ENABLED"]
    assert kfp.killed == []


def test_a_schedule_that_is_gone_from_kubernetes_is_replaced_too(kfp, capsys):
    assert run(kfp, "--cron", "0 0 4 * * *") == 0
    kfp.orphans = {"j0"}
    assert run(kfp, "--cron", "0 0 5 * * *") == 0
    assert [r["recurring_run_id"] for r in kfp.recurring] == ["j1"]
    assert "recurring run j0 was gone from Kubernetes already" in capsys.readouterr().out


def test_every_run_of_an_experiment_is_looked_at_before_a_schedule_goes(kfp):
    assert run(kfp, "--cron", "0 0 4 * * *") == 0
    kfp.runs.append({"run_id": "r9", "recurring_run_id": "j0", "state": "RUNNING"})
    kfp.runs += [{"run_id": f"s{n}", "state": "SUCCEEDED"} for n in range(250)]
    assert run(kfp, "--cron", "0 0 5 * * *") == 0
    assert kfp.killed == []


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 6 * * 1", 'You may mean --cron "0 0 6 * * 1"'),
        ("0 0 6 * *  ", 'You may mean --cron "0 0 0 6 * *"'),
        ("6 * * 1", "has 4 fields, not six"),
        ("daily", "has 1 field, not six"),
        ("0 0 6 * * 1 2026", "has 7 fields, not six"),
        (" ", "has 0 fields, not six"),
        ("* 0 6 * * 1", "must be a number from 0 to 59"),
        ("*/5 0 6 * * 1", "must be a number from 0 to 59"),
    ],
)
def test_a_schedule_that_kfp_would_read_otherwise_is_refused(kfp, capsys, cron, said):
    assert run(kfp, "--cron", cron) == 1
    assert said in capsys.readouterr().err
    assert not kfp.pipelines
    assert not kfp.recurring


def test_inputs_that_do_not_fit_into_a_container_s_arguments_are_refused_by_name(kfp, capsys):
    channels = [f"event={n}" + "x" * 50 for n in range(1200)]
    assert run(kfp, "--set", f"features.event_channels={channels}") == 1
    told = capsys.readouterr().err
    assert "at most 131,072 fit" in told
    assert "The largest is config with " in told
    assert not kfp.pipelines


def with_inputs(**values):
    given = {name: {"defaultValue": value} for name, value in values.items()}
    return yaml.safe_dump({"root": {"dag": {}, "inputDefinitions": {"parameters": given}}})


@pytest.mark.parametrize(
    ("character", "most"),
    [
        ("x", 63_000),
        # Four characters in JSON within JSON, and that twice.
        ('"', 15_800),
        ("<", 10_500),
        ("ä", 31_500),
    ],
)
def test_inputs_are_counted_as_argo_writes_them(character, most):
    check_inputs(with_inputs(mapping=character * most, data="d"))
    with pytest.raises(InvalidInputError, match=r"The largest is mapping with 1[23]\d,\d{3}: "):
        check_inputs(with_inputs(mapping=character * int(most * 1.02), data="d"))


def test_waiting_ends_with_the_run(kfp, capsys):
    assert run(kfp, "--wait") == 0
    out = capsys.readouterr().out
    assert [line.rpartition(": ")[2] for line in out.splitlines() if "run r0: " in line] == [
        "pending",
        "running",
        "succeeded",
    ]
    assert "none" not in out


def test_a_failed_run_is_told_with_its_step_s_reason(kfp, capsys):
    kfp.states = ["RUNNING", "FAILED"]
    kfp.steps = [Step("prepare-panel", (Attempt("Failed", log="@invopt-failed no sales\n"),))]
    assert run(kfp, "--wait") == 1
    told = capsys.readouterr().err
    assert "run r0 ended as failed: prepare-panel: no sales." in told
    assert "Traceback" not in told


def test_an_unreachable_host_is_told_in_one_line(kfp, capsys):
    kfp.close()
    assert run(kfp) == 1
    told = capsys.readouterr().err.strip()
    assert "cannot be reached" in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("status", "message", "advice"),
    [
        (401, "Unauthorized", "Check the service account"),
        (403, "exceeded quota: pods", "raise the quota"),
        (500, "database is gone", "See the API server's log"),
    ],
)
def test_a_refusal_is_told_with_its_reason(kfp, capsys, status, message, advice):
    kfp.refusal = (status, message)
    assert run(kfp) == 1
    told = capsys.readouterr().err
    assert message in told
    assert advice in told
    assert not kfp.runs


@pytest.mark.parametrize("image", ["invopt-python:dev", "registry/x:latest", "registry:5000/x"])
def test_an_image_no_cluster_can_pull_or_that_moves_is_refused(kfp, monkeypatch, capsys, image):
    monkeypatch.setattr("components.base.IMAGE", image)
    assert run(kfp) == 1
    assert "Set INVOPT_IMAGE" in capsys.readouterr().err
    assert not kfp.pipelines


def test_an_installation_of_several_users_wants_a_namespace(kfp, capsys):
    kfp.multi_user = True
    assert run(kfp) == 1
    assert "say whose namespace with --namespace" in capsys.readouterr().err
    assert run(kfp, "--namespace", "team") == 0
    assert kfp.experiments[0]["namespace"] == "team"


def test_a_schedule_cannot_be_waited_for(kfp, capsys):
    assert run(kfp, "--cron", "0 0 4 * * *", "--wait") == 1
    assert "a schedule has no end" in capsys.readouterr().err


def retrain(kfp, deployment, key="abc", notify=lambda _: None):
    from invopt.config import Config
    from serving.loop.cluster_retraining import (
        Data,
        RetrainingRequest,
        _run_on_cluster,
        arguments_of,
    )
    from serving.stores.governor_store import Claim

    parameters = submit_parameters()
    config = Config.model_validate(parameters.config)
    claim = Claim(key, "owner", "drift", "2026-W01")
    asked = RetrainingRequest(arguments_of(claim), 0, urgent=False)
    data = Data("/data", parameters.mapping)
    _run_on_cluster(deployment, config, data, claim, asked, notify)


@pytest.fixture
def here(tmp_path, kfp):
    """A deployment with a registry of its own, whose pipelines run on KFP."""
    told = {"INVOPT_WORKSPACE": str(tmp_path / "workspace"), "INVOPT_PIPELINE_HOST": kfp.url}
    return Deployment.from_environment(os.environ | told)


@pytest.fixture
def crown(tmp_path, here):
    """Makes a champion that tells which run made it."""

    def register(run):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "model.onnx").write_bytes(b"onnx")
        name, folder = "demand-forecaster", str(tmp_path / "model")
        version = here.registry.register(name, folder, (), {"run": run}, lambda _: None)
        here.registry.make_champion(name, version)

    return register


def submit_parameters():
    from pipelines.launch import load_parameters

    return load_parameters(Path(CONFIG), ())


def test_a_retraining_runs_the_version_submitted_last_once_and_under_the_run_s_account(
    kfp, here, crown
):
    with pytest.raises(InvalidInputError, match="upload it with `invopt submit training`"):
        retrain(kfp, here)
    assert run(kfp, "--data", "/workspace/data", pipeline="training") == 0
    retrain(kfp, here)
    retrain(kfp, here)
    started = [r for r in kfp.runs if r["display_name"] == "retraining-abc-4c1029"]
    assert len(started) == 1
    assert started[0]["pipeline_version_reference"]["pipeline_version_id"] == "v0"
    assert started[0]["service_account"] == "invopt-runner"
    inputs = kfp.packages[0]["root"]["inputDefinitions"]["parameters"]
    assert inputs["data_dir"]["defaultValue"] == "/workspace/data"


def test_a_retraining_takes_the_champion_s_own_pipeline_mapping_and_features(kfp, here, crown):
    told = []
    assert run(kfp, "--data", "/first", "--set", "features.patch=14", pipeline="training") == 0
    crown("r0")
    # An experiment of somebody else's, uploaded later.
    assert run(kfp, "--set", "features.context_steps=10", pipeline="training") == 0
    retrain(kfp, here, notify=told.append)
    started = kfp.runs[-1]
    assert started["display_name"] == "retraining-abc-4c1029"
    assert started["pipeline_version_reference"] == {
        "pipeline_id": "p0",
        "pipeline_version_id": "v0",
    }
    given = started["runtime_config"]["parameters"]
    assert given["features"]["patch"] == given["config"]["features"]["patch"] == 14
    assert given["features"]["context_steps"] == 20
    assert given["data_dir"] == "/data"
    assert given["study"] == "retraining-abc-4c1029"
    assert given["cause"] == "drift"
    assert given["mapping"] == submit_parameters().mapping
    assert given["config"]["training"]["refit"]
    assert told == []


def test_a_retraining_whose_champion_kfp_has_forgotten_gets_every_section_of_its_own(
    kfp, here, crown
):
    told = []
    crown("r99")
    assert run(kfp, "--set", "features.context_steps=10", pipeline="training") == 0
    retrain(kfp, here, notify=told.append)
    given = kfp.runs[-1]["runtime_config"]["parameters"]
    assert given["features"]["context_steps"] == 20
    assert set(given) >= {"mapping", "data", "cleaning", "features", "evaluation", "config"}
    assert told == ["the champion's own training is not known here: the newest pipeline trains"]


def test_a_retraining_among_several_users_finds_its_pipeline_with_a_token_kfp_believes(
    kfp, here, crown, kubernetes, as_account, monkeypatch
):
    kfp.multi_user = True
    assert run(kfp, "--namespace", NAMESPACE, pipeline="training") == 0
    kfp.token = "invopt-submitter for pipelines.kubeflow.org"
    as_account("invopt-submitter")
    retrain(kfp, here)
    assert [r["display_name"] for r in kfp.runs][1:] == ["retraining-abc-4c1029"]
    assert kfp.experiments[0]["namespace"] == NAMESPACE
    assert len(kfp.experiments) == 1
    as_account("invopt-trainer")
    with pytest.raises(InvalidInputError, match="cannot create.*Check the service account"):
        retrain(kfp, here, "def")


def test_the_submitter_s_role_allows_what_submitting_asks_for_and_no_more(
    kfp, here, crown, kubernetes, as_account
):
    target = Target(kfp.url, None, "token")
    parameters = submit_parameters()
    submission = Submission(target, "monitoring", parameters, lambda _: None)
    submission.schedule("0 0 4 * * *")
    submission.schedule("0 0 5 * * *")
    submission.wait(submission.run())
    crown(Submission(target, "training", parameters, lambda _: None).run())
    retrain(kfp, here)
    kfp.multi_user = True
    as_account("invopt-submitter")
    retrain(kfp, here, "def")
    used = {("pipelines.kubeflow.org", *rule) for rule in kfp.used}
    used |= kubernetes.used["invopt-submitter"]
    assert used == kubernetes.allowed("invopt-submitter")


def test_all_that_is_wrong_with_a_submission_is_told_at_once(kfp, monkeypatch, capsys):
    monkeypatch.setattr("components.base.IMAGE", "invopt-python:dev")
    wrong = ["--cron", "0 4 * * *", "--wait", "--set", "gate.nope=1"]
    nowhere = ["submit", "training", "--config", CONFIG, "--host", "http://127.0.0.1:9"]
    assert main([*nowhere, *wrong]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 5
    for line, fault in zip(
        told,
        ["key gate.nope does not exist", "--wait is for one run", "has five fields",
         "Set INVOPT_IMAGE", "cannot be reached"],
        strict=True,
    ):  # fmt: skip
        assert fault in line
    assert not kfp.pipelines
