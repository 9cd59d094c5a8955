"""A run on KFP followed: what its nodes and logs say, through what KFP really hands out."""

import pytest

from invopt.errors import InvalidInputError
from pipelines.argo import Workflow
from pipelines.cli import main
from pipelines.follow import Following, Target
from pipelines.last_words import last_words
from tests.cluster.argo_nodes import Attempt, Step
from tests.cluster.clock import Clock
from tests.cluster.fake_kfp import FakeKfp

LAUNCHER = """E0101 00:00:01.0  18 v2.go:9] Component failed to execute successfully: exit status 1
I0101 00:00:01.1     20 launcher_v2.go:260] publish success.
F0101 00:00:02.2     20 main.go:79] failed to execute component: exit status 1
time="2026-01-01T00:00:02 UTC" level=info msg="sub-process exited" argo=true error="<nil>"
Error: exit status 1
"""
TRACEBACK = """[KFP Executor 2026-01-01 00:00:00,000 INFO]: Looking for component `prepare_panel`
@invopt reading 3 files
Traceback (most recent call last):
  File "/app/invopt/steps/prepare.py", line 3, in clean
    raise InvalidInputError("no series has sales")
"""
OWN = TRACEBACK + "invopt.errors.InvalidInputError: no series has sales\n" + LAUNCHER


@pytest.fixture
def kfp():
    api = FakeKfp()
    api.runs = [{"run_id": "r0"}]
    yield api
    api.close()


@pytest.fixture
def told():
    return []


@pytest.fixture
def following(kfp, told):
    clock = Clock()
    return Following(Target(kfp.url, None, None), "r0", told.append, clock.sleep, clock)


def fails(kfp, following, *steps):
    kfp.states, kfp.steps = ["RUNNING", "FAILED"], list(steps)
    with pytest.raises(InvalidInputError) as caught:
        following.to_the_end()
    return str(caught.value).removesuffix(f" See {following.page}.")


FAILED = Attempt("Failed", log=OWN)


@pytest.mark.parametrize("manifest", [True, False], ids=["workflow", "tasks only"])
def test_a_failed_step_is_told_by_its_own_name_and_last_line(kfp, following, manifest):
    kfp.hands_out_workflows = manifest
    steps = [
        Step("ingest-data"),
        Step("prepare-panel", (FAILED,)),
        Step("report", (), Attempt("Omitted")),
    ]
    assert fails(kfp, following, *steps) == (
        "run r0 ended as failed: prepare-panel: no series has sales."
    )


def test_the_nodes_of_a_long_run_are_unpacked(kfp, following):
    kfp.packs_nodes = True
    steps = [Step("ingest-data"), Step("release-forecaster", (FAILED,))]
    assert fails(kfp, following, *steps) == (
        "run r0 ended as failed: release-forecaster: no series has sales."
    )


@pytest.mark.parametrize(
    "packed", ["%%%", "bm8gZ3ppcA==", ""], ids=["no base64", "no gzip", "none"]
)
def test_nodes_that_cannot_be_unpacked_are_as_good_as_not_there(packed):
    assert not Workflow({"status": {"compressedNodes": packed}}).is_told


def test_an_attempt_that_was_made_good_is_no_reason(kfp, following):
    steps = [
        Step("ingest-data", (Attempt("Failed", log="x.Error: lost\n"), Attempt())),
        Step("prepare-panel", (FAILED,)),
    ]
    assert fails(kfp, following, *steps) == (
        "run r0 ended as failed: prepare-panel: no series has sales."
    )


def test_the_same_reason_of_many_pods_is_told_once(kfp, following):
    refused = Attempt("Error", 'pods "x" is forbidden: violates PodSecurity "restricted"')
    steps = [Step("open-sweep", (refused,) * 9), Step("explain", (refused,) * 3)]
    assert fails(kfp, following, *steps) == (
        'run r0 ended as failed: open-sweep (9 times), explain (3 times): pods "x" is forbidden: '
        'violates PodSecurity "restricted".'
    )


def test_what_the_cluster_did_to_a_pod_is_told_before_what_the_pod_said(kfp, following):
    killed = Attempt("Failed", "OOMKilled (exit code 137)", "@invopt epoch 3\n" + LAUNCHER)
    assert fails(kfp, following, Step("train-forecaster", (killed,))) == (
        "run r0 ended as failed: train-forecaster: OOMKilled (exit code 137); "
        "it last said: @invopt epoch 3."
    )


def test_inputs_that_argo_cannot_hand_to_a_pod_are_told_so_and_not_as_a_right(kfp, following):
    refused = (
        'configmaps is forbidden: User "system:serviceaccount:kubeflow:argo" cannot create '
        'resource "configmaps" in API group "" in the namespace "kubeflow"'
    )
    steps = [Step("root", (), Attempt("Error", refused))]
    assert fails(kfp, following, *steps) == (
        "run r0 ended as failed: root: the inputs of this run are larger than what Argo hands to a "
        "pod (131,072 bytes). Make its mapping or configuration shorter, or keep what they list in "
        "a file of the data."
    )


def test_a_driver_s_failure_is_its_step_s_and_said_to_be_before_it(kfp, following):
    log = "F0101 00:00:02.2     20 main.go:79] KFP driver: secret invopt-stores not found\n"
    steps = [Step("prepare-panel", (), Attempt("Failed", log=log))]
    assert fails(kfp, following, *steps) == (
        "run r0 ended as failed: prepare-panel: KFP driver: secret invopt-stores not found "
        "(before the step itself began)."
    )


def test_a_step_in_a_branch_has_its_own_name(kfp, following):
    steps = [Step("release-forecaster", (FAILED,), within="promoted")]
    assert "failed: release-forecaster: no series has sales." in fails(kfp, following, *steps)


def test_a_log_that_is_gone_leaves_argo_s_word(kfp, following):
    gone = Attempt("Error", "pod deleted", None)
    assert fails(kfp, following, Step("prepare-panel", (gone,))) == (
        "run r0 ended as failed: prepare-panel: pod deleted."
    )
    silent = Attempt("Failed", log=None)
    assert fails(kfp, following, Step("prepare-panel", (silent,))) == (
        "run r0 ended as failed: prepare-panel: failed without a word."
    )


@pytest.mark.parametrize("by", ["state", "deadline"])
def test_a_terminated_run_is_told_as_such_though_kfp_calls_it_failed(kfp, following, by):
    kfp.states = ["RUNNING", *(["CANCELING"] if by == "state" else []), "FAILED"]
    cut_off = Attempt("Failed", "Step exceeded its deadline", None)
    kfp.steps = [Step("ingest-data", (FAILED,)), Step("prepare-panel", (cut_off,))]
    kfp.terminated = by == "deadline"
    with pytest.raises(InvalidInputError) as caught:
        following.to_the_end()
    assert str(caught.value) == (
        "run r0 was terminated. Before that: ingest-data: no series has sales. "
        f"See {following.page}."
    )


def test_a_step_that_waits_is_told_once_with_its_pod_s_reason(kfp, following, told):
    full = "Unschedulable: 0/1 nodes are available: 1 Insufficient memory."
    kfp.states = [*["RUNNING"] * 20, "SUCCEEDED"]
    kfp.steps = [Step("run-trials", (Attempt("Pending", full),))]
    following.to_the_end()
    (line,) = [text for text in told if "waits" in text]
    assert line.startswith("run-trials waits since ")
    assert "0/1 nodes are available: 1 Insufficient memory. Add room" in line


def test_a_step_that_waits_long_is_told_again(kfp, following, told):
    kfp.states = [*["RUNNING"] * 130, "SUCCEEDED"]
    kfp.steps = [Step("run-trials", (Attempt("Pending", "exceeded quota: compute"),))]
    following.to_the_end()
    assert sum("exceeded quota: compute. Ask for less" in text for text in told) == 3


def test_a_pod_that_takes_some_seconds_to_start_is_not_told(kfp, following, told):
    kfp.states = [*["RUNNING"] * 3, "SUCCEEDED"]
    kfp.steps = [Step("prepare-panel", (Attempt("Pending", "PodInitializing"),))]
    following.to_the_end()
    assert not any("waits" in text for text in told)


@pytest.mark.parametrize("manifest", [True, False], ids=["workflow", "tasks only"])
def test_a_pod_that_says_nothing_is_told_with_likely_causes(kfp, following, told, manifest):
    kfp.hands_out_workflows = manifest
    kfp.states = [*["RUNNING"] * 9, "SUCCEEDED"]
    kfp.steps = [Step("prepare-panel", (), Attempt("Pending"))]
    following.to_the_end()
    (line,) = [text for text in told if "waits" in text]
    assert line.startswith("prepare-panel waits")
    assert "Likely" in line


def test_a_lost_connection_is_not_the_end(kfp, following, told):
    kfp.states = ["RUNNING", "SUCCEEDED"]
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 1:
            kfp.drops = 6

    following.sleep = sleep
    following.to_the_end()
    assert sum("the run goes on, asking again" in text for text in told) == 1
    assert told[-2:] == ["it answers again", "run r0: succeeded"]
    assert len(looks) > 3


@pytest.mark.parametrize("status", [502, 503, 500, 429])
def test_a_gateway_without_its_server_is_a_lost_connection(kfp, following, told, status):
    kfp.states = ["RUNNING", "SUCCEEDED"]

    def sleep(_):
        kfp.refusal = None if kfp.refusal else (status, "upstream connect error")

    following.sleep = sleep
    following.to_the_end()
    assert told[-1] == "run r0: succeeded"


def test_a_server_that_stays_away_ends_the_wait_but_not_the_run(kfp, following):
    kfp.states = ["RUNNING"]
    wait = following.sleep

    def sleep(seconds):
        wait(seconds)
        kfp.drops = 1

    following.sleep = sleep
    with pytest.raises(InvalidInputError, match="The run goes on without it") as caught:
        following.to_the_end()
    assert f"`invopt wait r0 --host {kfp.url}`" in str(caught.value)
    assert following.clock() > 15 * 60


def test_a_refusal_in_the_middle_is_told_at_once(kfp, following):
    kfp.states = ["RUNNING"]
    following.sleep = lambda _: setattr(kfp, "refusal", (401, "token expired"))
    with pytest.raises(InvalidInputError, match="token expired"):
        following.to_the_end()


def test_waiting_for_a_run_ends_with_its_status(kfp, capsys):
    kfp.states = ["SUCCEEDED"]
    assert main(["wait", "r0", "--host", kfp.url]) == 0
    assert "run r0: succeeded" in capsys.readouterr().out
    kfp.states, kfp.steps = ["FAILED"], [Step("prepare-panel", (FAILED,))]
    assert main(["wait", f"{kfp.url}/#/runs/details/r0", "--host", f"{kfp.url}/"]) == 1
    assert "prepare-panel: no series has sales" in capsys.readouterr().err


def test_a_run_that_is_not_there_and_a_host_that_is_not_there_are_told_at_once(kfp, capsys):
    assert main(["wait", "r7", "--host", kfp.url]) == 1
    assert "there is no run r7 on" in capsys.readouterr().err
    kfp.close()
    assert main(["wait", "r0", "--host", kfp.url]) == 1
    assert "cannot be reached" in capsys.readouterr().err


def test_leaving_says_that_the_run_goes_on(kfp, monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    kfp.states = ["RUNNING"]
    monkeypatch.setattr(Following.__init__, "__defaults__", (interrupt, lambda: 0.0))
    assert main(["wait", "r0", "--host", kfp.url]) == 130
    assert "the run goes on. Follow it with `invopt wait r0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (OWN, "no series has sales"),
        ("Traceback\nserving.cluster.ClusterError: it is gone.\n" + LAUNCHER, "it is gone."),
        ("Traceback (most recent call last):\nKeyError: 'y'\nsome warning\n", "KeyError: 'y'"),
        ("Traceback\nMemoryError\n" + LAUNCHER, "MemoryError"),
        ("@invopt-failed said so\nValueError: later\n", "said so"),
        (
            "@invopt 3 of 9\nF0101 00:00:02.2  20 main.go:79] failed to execute component: failed "
            "to upload output artifact\n",
            "failed to execute component: failed to upload output artifact",
        ),
        ("10 %\r50 %\rkilled\n", "killed"),
        ('[KFP Executor x INFO]: Got executor_input:\n{\n    "inputs": {}\n}\n' + LAUNCHER, ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_last_words_of_a_log_are_the_step_s_own(log, words):
    assert last_words(log.splitlines(keepends=True)) == words
