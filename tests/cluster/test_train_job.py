import copy
import os
import signal
import threading
from pathlib import Path

import pytest

from invopt.config import Config
from invopt.errors import InvalidInputError
from invopt.training import Member
from serving.cluster.kubernetes import connect
from serving.cluster.train_job import TrainJob, job_name
from serving.settings import ClusterSettings
from tests.k8s.manifests import build, of_kind

pytestmark = pytest.mark.slow

PLURAL = "trainjobs"
MEMBERS = [Member(0, 60.0, 1), Member(1, 60.0, 1)]
FOLDER = Path("/workspace/training/x")
CONFIG = Config.model_validate(
    {"name": "x", "data": {"mapping": "m.yaml"}, "training": {"num_nodes": 3, "num_processes": 2}}
)


class Trainer:
    """The operator: a job ends after some looks at it."""

    def __init__(self, api, ending="Complete", message="done", looks=2):
        self.api, self.ending, self.message, self.looks = api, ending, message, looks
        runtime = of_kind(build("base"), "TrainingRuntime")["invopt-torch"]
        api.put("trainingruntimes", runtime)
        api.refuse = self.look

    def look(self, verb, plural, body):
        jobs = [o for (kind, _), o in self.api.objects.items() if kind == PLURAL]
        if verb == "get" and plural == PLURAL and jobs:
            self.looks -= 1
            if self.looks <= 0 and self.ending:
                condition = {"type": self.ending, "status": "True", "message": self.message}
                condition |= {"reason": "Ended", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                jobs[0]["status"] = {"conditions": [condition]}


def running_pod(name, machine=0, attempt="a"):
    labels = {
        "jobset.sigs.k8s.io/jobset-name": name,
        "jobset.sigs.k8s.io/replicatedjob-name": "node",
        "batch.kubernetes.io/job-completion-index": str(machine),
    }
    made = {"a": "2026-01-01T00:00:00Z", "b": "2026-01-01T00:05:00Z"}[attempt]
    return {
        "metadata": {
            "name": f"{name}-node-0-{machine}-{attempt}",
            "uid": f"{machine}-{attempt}",
            "creationTimestamp": made,
            "labels": labels,
        },
        "spec": {"containers": [{"name": "node", "image": "i"}]},
        "status": {"phase": "Running"},
    }


@pytest.fixture
def told():
    return []


@pytest.fixture
def job(kubernetes, as_account, told):
    as_account("invopt-trainer")
    cluster = connect(ClusterSettings.from_environment({}))
    return TrainJob(cluster, "invopt-abc", "invopt-torch", CONFIG, told.append, lambda _: None)


def test_a_training_is_submitted_followed_and_cleaned_up(kubernetes, job, told):
    Trainer(kubernetes)
    job.run(FOLDER, MEMBERS)
    (created, submitted), (deleted, _) = kubernetes.writes
    assert (created, deleted) == ("create", "delete")
    assert submitted["metadata"]["name"] == "invopt-abc"
    spec = submitted["spec"]
    assert spec["runtimeRef"]["name"] == "invopt-torch"
    assert spec["runtimeRef"]["kind"] == "TrainingRuntime"
    assert spec["trainer"]["numNodes"] == 3
    assert spec["trainer"]["image"] == "invopt-job"
    assert spec["trainer"]["args"] == [
        "--nproc-per-node=2",
        "-m",
        "serving.train_worker",
        "/workspace/training/x",
        "--members=2",
        "--seconds=60",
    ]
    assert told == ["TrainJob invopt-abc submitted to 3 machines"]


def test_a_namespace_without_the_runtime_is_told_and_not_what_the_account_may_not_read(
    kubernetes, job
):
    with pytest.raises(InvalidInputError) as caught:
        job.run(FOLDER, MEMBERS)
    assert str(caught.value) == (
        "reading TrainingRuntime invopt-torch failed: trainingruntimes.trainer.kubeflow.org "
        '"invopt-torch" not found (404). Apply the overlay first (k8s/README.md).'
    )
    assert kubernetes.writes == []


def test_a_runtime_that_the_sdk_cannot_read_is_a_sentence(kubernetes, job):
    runtime = copy.deepcopy(of_kind(build("base"), "TrainingRuntime")["invopt-torch"])
    [node] = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    [container] = node["template"]["spec"]["template"]["spec"]["containers"]
    del container["resources"]["limits"]["cpu"]  # it tells processors and GPUs by their limits
    kubernetes.put("trainingruntimes", runtime)
    with pytest.raises(
        InvalidInputError, match="^submitting TrainJob invopt-abc failed: .*Unknown"
    ):
        job.run(FOLDER, MEMBERS)


def test_the_same_training_has_the_same_name_and_another_one_another():
    name = job_name("train", "/s3/a", CONFIG, "v1")
    assert name == job_name("train", "/s3/a", CONFIG, "v1")
    others = {
        job_name("refit", "/s3/a", CONFIG, "v1"),
        job_name("train", "/s3/a", CONFIG.model_copy(update={"name": "y"}), "v1"),
        job_name("train", "/s3/a", CONFIG, "v2"),
    }
    assert len({name, *others}) == 4


def test_a_restarted_step_finds_its_running_job(kubernetes, job, told):
    Trainer(kubernetes)
    kubernetes.put(PLURAL, {"kind": "TrainJob", "metadata": {"name": "invopt-abc"}, "spec": {}})
    job.run(FOLDER, MEMBERS)
    assert [verb for verb, _ in kubernetes.writes] == ["delete"]
    assert told == ["TrainJob invopt-abc is under way: following it"]


def test_progress_of_the_first_machine_is_told(kubernetes, job, told):
    Trainer(kubernetes, looks=6)
    kubernetes.pods.append(running_pod("invopt-abc"))
    kubernetes.logs = ["noise", "@invopt training trunk of member 1: 40%"]
    job.sleep = lambda _: threading.Event().wait(0.2)
    job.run(FOLDER, MEMBERS)
    assert told.count("training trunk of member 1: 40%") == 1
    assert not any("noise" in text for text in told)


def test_a_failed_job_gives_its_reason_and_is_cleaned_up(kubernetes, job):
    Trainer(kubernetes, "Failed", "jobset failed: out of memory")
    evicted = running_pod("invopt-abc")
    evicted["status"] = {"phase": "Failed", "reason": "Evicted", "message": "node is low on memory"}
    kubernetes.on_change = lambda verb, item: kubernetes.pods.append(evicted)
    job.sleep = lambda _: None
    with pytest.raises(InvalidInputError, match="was evicted: node is low on memory") as caught:
        job.run(FOLDER, MEMBERS)
    assert "goes on from the last checkpoint" in str(caught.value)
    assert (PLURAL, "invopt-abc") not in kubernetes.objects


def test_a_failed_job_without_pods_gives_its_condition_s_message(kubernetes, job):
    Trainer(kubernetes, "Failed", "jobset failed: backoff limit")
    kubernetes.events.append(
        {
            "metadata": {"name": "e"},
            "type": "Warning",
            "reason": "BackoffLimitExceeded",
            "message": "Job has reached the limit",
            "involvedObject": {"kind": "Job", "name": "invopt-abc-node-0"},
        }
    )
    with pytest.raises(InvalidInputError, match="backoff limit; BackoffLimitExceeded: Job has"):
        job.run(FOLDER, MEMBERS)


def test_what_a_machine_said_last_is_told(kubernetes, job):
    Trainer(kubernetes, "Failed", "jobset failed")
    said = {"reason": "OOMKilled", "exitCode": 137, "message": "epoch 1\ntrain: no room\n"}
    ended = running_pod("invopt-abc")
    ended["status"] = {"containerStatuses": [{"name": "node", "state": {"terminated": said}}]}
    kubernetes.pods.append(ended)
    with pytest.raises(InvalidInputError, match=r"OOMKilled \(137\): train: no room") as caught:
        job.run(FOLDER, MEMBERS)
    assert "jobset failed" in str(caught.value)


def test_a_machine_that_is_killed_without_last_words_leaves_no_empty_place_in_the_sentence(
    kubernetes, job
):
    Trainer(kubernetes, "Failed", "jobset failed")
    ended = running_pod("invopt-abc")
    killed = {"reason": "OOMKilled", "exitCode": 137}
    ended["status"] = {"containerStatuses": [{"name": "node", "state": {"terminated": killed}}]}
    kubernetes.pods.append(ended)
    with pytest.raises(InvalidInputError, match=r"pod \S+: OOMKilled \(137\)[.;] "):
        job.run(FOLDER, MEMBERS)


def test_an_image_that_cannot_be_pulled_ends_the_wait(kubernetes, job):
    Trainer(kubernetes, ending="")
    waiting = running_pod("invopt-abc")
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}
    waiting["status"] = {"containerStatuses": [{"name": "node", "state": state}]}
    kubernetes.pods.append(waiting)
    with pytest.raises(InvalidInputError, match="ImagePullBackOff: manifest unknown"):
        job.run(FOLDER, MEMBERS)
    assert (PLURAL, "invopt-abc") not in kubernetes.objects


def test_a_quota_is_told_with_the_api_s_words(kubernetes, job):
    from tests.cluster.fake_api import Refusal

    trainer = Trainer(kubernetes)

    def refuse(verb, plural, body):
        if verb == "create":
            raise Refusal(403, "exceeded quota: compute, requested: cpu=12, limited: cpu=8")
        trainer.look(verb, plural, body)

    kubernetes.refuse = refuse
    with pytest.raises(InvalidInputError, match="limited: cpu=8.*Ask for less"):
        job.run(FOLDER, MEMBERS)


def failed_create(message):
    return {
        "metadata": {"name": "e"},
        "type": "Warning",
        "reason": "FailedCreate",
        "message": message,
        "involvedObject": {"kind": "Job", "name": "invopt-abc-node-0"},
    }


def unschedulable(message, machine=0):
    pod = running_pod("invopt-abc", machine)
    pod["status"] = {"conditions": [{"reason": "Unschedulable", "message": message}]}
    return pod


@pytest.mark.parametrize(
    ("pods", "events", "reason"),
    [
        ([], [failed_create("exceeded quota: compute")], "exceeded quota: compute"),
        ([unschedulable("0/3 nodes: insufficient memory")], [], "insufficient memory"),
    ],
)
def test_machines_that_never_start_are_told_at_once_and_not_waited_for_for_ever(
    kubernetes, job, told, pods, events, reason
):
    Trainer(kubernetes, ending="")
    kubernetes.pods, kubernetes.events = pods, events
    now = [0.0]
    job.clock = lambda: now[0]
    job.sleep = lambda _: now.__setitem__(0, now[0] + 300)
    with pytest.raises(InvalidInputError, match=f"{reason}.*Ask for less"):
        job.run(FOLDER, MEMBERS)
    assert sum(reason in text for text in told) == 1
    assert (PLURAL, "invopt-abc") not in kubernetes.objects


def test_one_machine_of_several_that_waits_is_told_and_not_waited_for_for_ever(
    kubernetes, job, told
):
    Trainer(kubernetes, ending="")
    kubernetes.pods = [running_pod("invopt-abc", n) for n in range(2)]
    kubernetes.pods.append(unschedulable("0/2 nodes: insufficient memory", machine=2))
    now = [0.0]
    job.clock = lambda: now[0]
    job.sleep = lambda _: now.__setitem__(0, now[0] + 300)
    with pytest.raises(InvalidInputError, match="1 of 3 machines .* do not run after 20 minutes"):
        job.run(FOLDER, MEMBERS)
    assert [text for text in told if "waits" in text] == [
        "TrainJob invopt-abc waits for 1 of 3 machines: pod invopt-abc-node-0-2-a cannot be "
        "placed: 0/2 nodes: insufficient memory"
    ]


def test_the_time_to_wait_begins_anew_when_all_machines_have_run(kubernetes, job, told):
    Trainer(kubernetes, looks=10)
    waiting = unschedulable("insufficient memory", machine=2)
    kubernetes.pods = [running_pod("invopt-abc", n) for n in range(2)] + [waiting]
    now, turns = [0.0], []

    def sleep(_):
        turns.append(now[0])
        now[0] += 290
        if len(turns) == 4:
            kubernetes.pods[2] = running_pod("invopt-abc", 2)
        if len(turns) == 5:
            kubernetes.pods[2] = waiting

    job.clock, job.sleep = lambda: now[0], sleep
    job.run(FOLDER, MEMBERS)
    assert "TrainJob invopt-abc runs on 3 machines" in told
    assert sum("waits for 1 of 3" in text for text in told) == 2


def test_a_restart_is_told_and_progress_is_told_from_the_new_start(
    kubernetes, job, told, tmp_path, monkeypatch
):
    monkeypatch.setattr("serving.cluster.train_job._LOG_SECONDS", 0.05)
    Trainer(kubernetes, looks=14)
    kubernetes.pods = [running_pod("invopt-abc", n) for n in range(3)]
    kubernetes.logs = ["@invopt 10%", "@invopt 20%", "@invopt 30%"]
    turns = []

    def sleep(_):
        turns.append(1)
        if len(turns) == 3:
            kubernetes.logs = ["@invopt 25%"]
            kubernetes.pods = [running_pod("invopt-abc", n, "b") for n in range(3)]
        threading.Event().wait(0.1)

    job.sleep = sleep
    job.run(tmp_path, MEMBERS)
    assert told.count("25%") == 1
    again = [text for text in told if "started again" in text]
    assert len(again) == 1
    assert again[0].startswith("TrainJob invopt-abc: started again on machine 0, 1, 2")
    kept = (tmp_path / "machine-0.log").read_text().splitlines()
    assert kept == ["@invopt 10%", "@invopt 20%", "@invopt 30%", "@invopt 25%"]


def test_a_container_that_is_started_again_in_its_pod_is_a_restart(kubernetes, job, told):
    Trainer(kubernetes, looks=8)
    pods = [running_pod("invopt-abc", n) for n in range(3)]
    kubernetes.pods = pods

    def sleep(_):
        killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "message": ""}}
        pods[1]["status"]["containerStatuses"] = [
            {"name": "node", "restartCount": 1, "state": {"running": {}}, "lastState": killed}
        ]

    job.sleep = sleep
    job.run(FOLDER, MEMBERS)
    assert sum("started again on machine 1" in text for text in told) == 1


def test_a_warning_about_an_earlier_job_of_the_same_name_is_not_told(kubernetes, job):
    kubernetes.now = "2026-01-01T01:00:00Z"
    Trainer(kubernetes, "Failed", "jobset failed")
    before, other = failed_create("exceeded quota: old"), failed_create("of a longer name")
    before["lastTimestamp"] = "2025-12-31T23:59:00Z"
    other["involvedObject"]["name"] = "invopt-abcd-node-0"
    kubernetes.events = [before, other]
    with pytest.raises(InvalidInputError, match="failed: jobset failed\\. Remove"):
        job.run(FOLDER, MEMBERS)


def test_a_job_that_is_being_deleted_is_not_followed_but_made_anew(kubernetes, job, told):
    Trainer(kubernetes, looks=6)
    leaving = {"name": "invopt-abc", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    kubernetes.put(PLURAL, {"kind": "TrainJob", "metadata": leaving, "spec": {}})
    job.run(FOLDER, MEMBERS)
    assert [verb for verb, _ in kubernetes.writes] == ["delete", "create", "delete"]


def test_a_cluster_without_the_trainer_is_told_so(kubernetes, job):
    kubernetes.kinds.discard(PLURAL)
    with pytest.raises(InvalidInputError, match="does not know this kind.*Install its operator"):
        job.run(FOLDER, MEMBERS)


def test_a_terminated_run_takes_its_job_with_it(kubernetes, job):
    Trainer(kubernetes, ending="")
    waits, after = [], []

    def sleep(_):
        waits.append(1)
        if len(waits) == 2:
            kubernetes.refuse = lambda verb, plural, body: after.append(verb)
            os.kill(os.getpid(), signal.SIGTERM)

    job.sleep = sleep
    with pytest.raises(SystemExit):
        job.run(FOLDER, MEMBERS)
    # A terminated step has about one second: nothing comes before the one call that counts.
    assert after == ["delete"]
    assert (PLURAL, "invopt-abc") not in kubernetes.objects
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_every_verb_the_trainer_may_use_is_used_and_no_other(kubernetes, job):
    Trainer(kubernetes, "Failed", looks=6)
    kubernetes.pods.append(running_pod("invopt-abc"))
    job.sleep = lambda _: threading.Event().wait(0.2)
    with pytest.raises(InvalidInputError):
        job.run(FOLDER, MEMBERS)
    # The SDK looks for the Trainer's version in the Trainer's namespace and goes on without it.
    assert set(kubernetes.denied) <= {("", "configmaps", "get")}
    assert kubernetes.used["invopt-trainer"] == kubernetes.allowed("invopt-trainer")
