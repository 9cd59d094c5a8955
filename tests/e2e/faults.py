"""Faults of k8s/README on the real thing: told as its table says, production as before."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.e2e.kube import Object, last_line, wait_for
from tests.e2e.report import Step, StepFailed
from tests.e2e.watching import check_registry, machines, pod_ended, register_again
from tests.e2e.world import TRAINER_TOKEN, World

_TRAIN = "e2e-train"
_QUOTA = "e2e-quota"
# Half a minute of asking, and a busy machine's imports.
_PATIENCE = 60
_MACHINE = "/spec/template/spec/replicatedJobs/0/template/spec/template/spec/containers/0"


def steps(world: World) -> list[Step]:
    """Return the faults that need a first version and a second one."""
    trained, serves = ("two machines",), ("training",)
    return [
        Step("quota of a training", partial(training_quota, world), trained),
        Step("no room for a training", partial(no_room, world), trained),
        Step("image of a training", partial(missing_image, world), trained),
        Step("memory of a training", partial(out_of_memory, world), trained),
        Step("runtime of a training", partial(missing_runtime, world), trained),
        Step("machine lost", partial(lost_machine, world), trained),
        Step("quota of a rollout", partial(rollout_quota, world), serves),
        Step("model gone", partial(missing_model, world), serves),
        Step("registry differs", partial(registry_differs, world), serves),
        Step("registry away", partial(registry_away, world), serves),
        Step("registry silent", partial(registry_silent, world), serves),
        Step("cluster away", partial(cluster_away, world), serves),
    ]


def first_version(world: World) -> str:
    """A first version that cannot be loaded leaves a service without version and pods."""
    world.need("kserve")
    told = _refused_rollout(world, world.corrupt_first, "must be readable")
    wait_for(lambda: not any(world.serving.pods().values()), 90, "the end of its pods")
    if version := world.serving.version():
        raise StepFailed(f"{told}, but the service has version {version}")
    return f"{told}; no version and no pods, as before"


def training_quota(world: World) -> str:
    """Machines that a quota keeps out are told."""
    with _quota(world, 1):  # the step's own pod fits
        return _told_waiting(world, 11, r"exceeded quota: e2e-quota")


def no_room(world: World) -> str:
    """Machines that no node has room for are told."""
    size = {"requests": {"cpu": "640", "memory": "64Mi"}, "limits": {"cpu": "640"}}
    with _machine(world, "resources", size):
        return _told_waiting(world, 12, r"cannot be placed: .*Insufficient cpu")


def missing_image(world: World) -> str:
    """A machine's image that cannot be pulled ends the training."""
    with _machine(world, "image", "localhost/invopt-nowhere:1"):
        return _refused_training(world, 13, r"cannot run: .*Image")


def out_of_memory(world: World) -> str:
    """Machines without the memory end the training, after their restarts."""
    size = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "2", "memory": "96Mi"}}
    with _machine(world, "resources", size):
        return _refused_training(world, 14, r"failed: .*OOMKilled")


def missing_runtime(world: World) -> str:
    """Without its runtime a training is refused."""
    world.kube.must("delete", "trainingruntime", "invopt-torch")
    try:
        return _refused_training(world, 15, r"not found.*Apply the overlay first")
    finally:
        world.installed.apply()


def lost_machine(world: World) -> str:
    """A machine that is lost starts again, which is told, and the training ends well."""
    _start_training(world, 16)
    wait_for(lambda: machines(world) == 2 or _ended(world), 600, "two machines at work")
    world.kube.must(
        "delete", "pods", "-l",
        "app.kubernetes.io/name=invopt-torch,batch.kubernetes.io/job-completion-index=1",
        "--grace-period=0", "--force",
    )  # fmt: skip
    log, code = world.stepping.follow(_TRAIN, 1500)
    told = [line for line in log.splitlines() if "started again on machine" in line]
    if code or not told:
        raise StepFailed(f"ended with {code}, told {told}: {last_line(log)[-400:]}")
    return f"{told[0].strip()[:240]}; it ended well"


def rollout_quota(world: World) -> str:
    """Pods that a quota keeps out end a rollout."""
    with _quota(world, 1), _as_before(world):
        version = _another(world)
        return _refused_rollout(
            world, version, r"exceeded quota.*add capacity", "deployment.ready_minutes=1"
        )


def missing_model(world: World) -> str:
    """A version whose files are gone is refused."""
    with _as_before(world):
        version = register_again(world, "gone")
        return _refused_rollout(
            world,
            version,
            r"No model found|(?i:not found|no such key)",
            "deployment.ready_minutes=3",
        )


def registry_differs(world: World) -> str:
    """`invopt rollback` makes what serves the champion."""
    before = world.serving.version()
    _crown(world, _another(world))
    with _as_before(world):
        told = world.serving.roll_back()
    if told != before:
        raise StepFailed(f"rollback should have kept {before}, it says {told}")
    return f"another version was champion; after invopt rollback {before} is, and serves on"


def registry_away(world: World) -> str:
    """A rollback without its registry changes nothing."""
    with _as_before(world):
        return _refused_rollback(
            world, r"port-forward svc/mlflow", MLFLOW_TRACKING_URI="http://127.0.0.1:1"
        )


def registry_silent(world: World) -> str:
    """A rollback whose registry takes the call and says nothing gives up, and changes nothing."""
    began = time.monotonic()
    with _as_before(world), socket.create_server(("127.0.0.1", 0)) as silent:
        told = _refused_rollback(
            world,
            r"Read timed out.*port-forward svc/mlflow",
            MLFLOW_TRACKING_URI=f"http://127.0.0.1:{silent.getsockname()[1]}",
        )
        if (seconds := time.monotonic() - began) > _PATIENCE:
            raise StepFailed(f"it took {seconds:.0f} s instead of {_PATIENCE}: {told}")
    return told


def cluster_away(world: World) -> str:
    """A rollback without its cluster is one sentence."""
    found = json.loads(
        world.kube.must(
            "config", "view", "--minify", "--flatten", "--raw", "-o", "json", here=False
        )
    )
    found["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    file = Path(world.settings.out).resolve() / "nowhere.kubeconfig"
    file.write_text(json.dumps(found))
    file.chmod(0o600)
    try:
        with _as_before(world):
            return _refused_rollback(world, r"(?i)address|network", KUBECONFIG=str(file))
    finally:
        file.unlink()


def sentence_of(log: str, pattern: str) -> str:
    """Return the last line of a failed step, checked.

    Raises:
        StepFailed: If it is a traceback, or does not say what it should.
    """
    words = last_line(log)
    if "Traceback" in log:
        raise StepFailed(f"a traceback instead of a sentence: {words}")
    if not re.search(pattern, words):
        raise StepFailed(f"it should say {pattern!r}, it says: {words}")
    return words


@contextmanager
def _as_before(world: World) -> Iterator[None]:
    """Check that version and registry are afterwards what they were."""
    version = world.serving.version()
    yield
    world.serving.check_serves(version)
    check_registry(world, version)


@contextmanager
def _quota(world: World, more: int) -> Iterator[None]:
    """Let the namespace have so many pods more than it has now."""
    live = [
        pod
        for pod in world.kube.items("pods")
        if pod["status"].get("phase") not in ("Succeeded", "Failed")
    ]
    quota: Object = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": _QUOTA, "labels": {"app.kubernetes.io/part-of": "invopt-e2e"}},
        "spec": {"hard": {"pods": str(len(live) + more)}},
    }
    world.kube.apply(quota)
    try:
        wait_for(
            lambda: (world.kube.find("resourcequota", _QUOTA) or {}).get("status", {}).get("used"),
            60, "the quota",
        )  # fmt: skip
        yield
    finally:
        world.kube.run("delete", "resourcequota", _QUOTA, "--ignore-not-found")


@contextmanager
def _machine(world: World, field: str, value: object) -> Iterator[None]:
    """Change a training's machines in the runtime; the overlay is applied again at the end."""
    patch = [{"op": "replace", "path": f"{_MACHINE}/{field}", "value": value}]
    world.kube.must(
        "patch", "trainingruntime", "invopt-torch", "--type=json", "-p", json.dumps(patch)
    )
    try:
        yield
    finally:
        world.installed.apply()


def _start_training(world: World, seed: int) -> None:
    world.need("trainer")
    world.stepping.start(_TRAIN, ["python3", "/e2e/train.py", str(seed)], token=TRAINER_TOKEN)


def _ended(world: World) -> bool:
    return pod_ended(world, _TRAIN)


def _told_waiting(world: World, seed: int, pattern: str) -> str:
    """Return the line in which a training that waits tells why; it is ended then."""
    _start_training(world, seed)
    began, found = time.monotonic(), ""

    def told() -> bool:
        nonlocal found
        log = world.kube.run("logs", _TRAIN).stdout or ""
        found = next((line for line in log.splitlines() if re.search(pattern, line)), "")
        return bool(found) or _ended(world)

    try:
        wait_for(told, 300, f"a line with {pattern!r}")
    finally:
        seconds = time.monotonic() - began
        world.stepping.remove(_TRAIN, grace=1)
        _no_train_job(world)
    if not found:
        raise StepFailed(f"the training ended without a line with {pattern!r}")
    return f"after {seconds:.0f} s: {found.strip()[:300]}"


def _refused_training(world: World, seed: int, pattern: str) -> str:
    _start_training(world, seed)
    log, code = world.stepping.follow(_TRAIN, 900)
    if code == 0:
        raise StepFailed("the training ended well")
    words = sentence_of(log, pattern)
    _no_train_job(world)
    return words[:400]


def _no_train_job(world: World) -> None:
    wait_for(lambda: not world.kube.items("trainjobs"), 180, "the end of the TrainJob")


def _refused_rollout(world: World, version: str, pattern: str, *overrides: str) -> str:
    world.serving.start_deploy(version, *overrides)
    log, code = world.serving.follow_deploy()
    if code == 0:
        raise StepFailed(f"version {version} was deployed: {last_line(log)}")
    return sentence_of(log, pattern)[:400]


def _refused_rollback(world: World, pattern: str, **environment: str) -> str:
    began = time.monotonic()
    done = world.kube.invopt(
        "rollback", "--namespace", world.kube.namespace, seconds=300, environment=environment
    )
    if done.returncode == 0:
        raise StepFailed(f"the rollback ended well: {last_line(done.stdout)}")
    told = sentence_of(done.stderr or done.stdout, pattern)
    return f"after {time.monotonic() - began:.0f} s: {told[:300]}"


def _another(world: World) -> str:
    """Return a registered version that does not serve."""
    now = world.serving.version()
    return next((v for v in world.versions if v != now), "") or register_again(world)


def _crown(world: World, version: str) -> None:
    """Make a version champion in the registry alone."""
    code = (
        "from serving.deployment import Deployment; Deployment.from_environment().registry"
        f".make_champion('demand-forecaster', '{version}')"
    )
    world.stepping.run("e2e-crown", ["python3", "-c", code], 180)
