"""Before anything is served: what the cluster has, and the installation."""

import json
import time
from typing import Any

from tests.e2e.installation import PLANNER, Installation
from tests.e2e.kube import PortForward, wait_for
from tests.e2e.pipelines import Pipelines, healthz
from tests.e2e.report import StepFailed
from tests.e2e.stepping import answer_of
from tests.e2e.world import World

_CRDS = {
    "kserve": "inferenceservices.serving.kserve.io",
    "trainer": "trainjobs.trainer.kubeflow.org",
}
_QUIET_SECONDS = 60


def look(world: World) -> str:
    """Say what is installed."""
    version = json.loads(world.kube.must("version", "-o", "json", here=False))
    told = [f"Kubernetes {version['serverVersion']['gitVersion']}"]
    for part, name in _CRDS.items():
        done = world.kube.run("get", "crd", name, "-o", "name", here=False)
        if done.returncode == 0:
            world.has.add(part)
        told.append(f"{part} {'there' if done.returncode == 0 else 'NOT there'}")
    if "kserve" in world.has and not _initializer_is_restricted(world):
        told.append(
            "KServe's storage initializer has no securityContext: pods with a model are refused "
            "where `restricted` is enforced (k8s/README.md, prerequisites)"
        )
    own = True
    if not world.short:
        told.append(_look_for_pipelines(world))
        own = world.pipelines is None or bool(world.pipelines.namespace)
    if not own:
        world.kube.namespace = world.settings.kfp_namespace
    classes = world.kube.get("storageclass", here=False)["items"]
    marks = "storageclass.kubernetes.io/is-default-class"
    default = [
        c["metadata"]["name"]
        for c in classes
        if c["metadata"].get("annotations", {}).get(marks) == "true"
    ]
    if not default and not world.settings.storage_class:
        raise StepFailed(
            f"there is no default storage class (there are "
            f"{', '.join(c['metadata']['name'] for c in classes) or 'none'}): "
            "set E2E_STORAGE_CLASS."
        )
    told.append(f"storage {world.settings.storage_class or default[0]}")
    world.installation = Installation(world.kube, world.settings, world.has, own)
    if world.kept:
        if world.kube.find("deployment", "planner"):  # an earlier call's; uninstall takes it away
            world.installation.components.append(PLANNER)
        world.installation.write_overlay()
        world.stepping.bring_scripts()
    return ", ".join(told)


def _look_for_pipelines(world: World) -> str:
    host = world.settings.kfp_host
    if not host:
        space = world.settings.kfp_namespace
        done = world.kube.run("-n", space, "get", "service", "ml-pipeline", here=False)
        if done.returncode:
            return f"KFP NOT there (no service ml-pipeline in {space})"
        world.forward = PortForward(space, "ml-pipeline", 8888)
        host = world.forward.url
    try:
        found = wait_for(lambda: healthz(host), 40, f"an answer of KFP at {host}")
    except StepFailed as err:
        return f"KFP NOT there ({err})"
    world.has.add("kfp")
    several = bool(found.get("multi_user"))
    world.pipelines = Pipelines(
        world.kube, world.settings, host, world.settings.namespace if several else ""
    )
    return f"KFP there ({'several users' if several else 'one user'})"


def install(world: World) -> str:
    """Namespace, secrets, `kubectl apply -k`, and everything ready."""
    place = world.installed
    if place.own:
        place.make_namespace()
    elif world.kube.items("statefulset", "app.kubernetes.io/part-of=invopt"):
        raise StepFailed(
            f"KFP serves one user, so its runs are in {world.kube.namespace}, and invopt is "
            "installed there already: make e2e needs an installation of its own."
        )
    place.make_secrets()
    place.write_overlay()
    place.apply()
    world.stepping.bring_scripts()
    place.wait_ready(15)
    level = world.kube.get("namespace", world.kube.namespace, here=False)["metadata"]["labels"]
    enforced = level.get("pod-security.kubernetes.io/enforce", "not enforced")
    return (
        f"kubectl apply -k in {world.kube.namespace} (Pod Security {enforced}): stores, MLflow "
        "and demo data ready"
    )


def first_apply(world: World) -> str:
    """Nothing crashes before a first model is there, and a second apply changes nothing."""
    place = world.installed
    before = _restarts(place.pods())
    ends = time.monotonic() + _QUIET_SECONDS
    while time.monotonic() < ends:
        loops = [line for line in place.trouble().split("; ") if "BackOff" in line]
        if loops:
            raise StepFailed(f"before a first model: {'; '.join(loops)}")
        time.sleep(5)
    more = {
        pod: number - before.get(pod, 0)
        for pod, number in _restarts(place.pods()).items()
        if number > before.get(pod, 0)
    }
    if more:
        raise StepFailed(f"pods restarted in the first {_QUIET_SECONDS} s: {more}")
    if changes := place.changes():
        raise StepFailed(f"a second apply would change {changes}")
    pods = world.serving.pods()
    return (
        f"no restart in {_QUIET_SECONDS} s, {sum(map(len, pods.values()))} server pods before "
        "a first model, a second apply changes nothing"
    )


def data(world: World) -> str:
    """The bucket, and a small retailer in the workspace."""
    found = answer_of(world.stepping.run("e2e-data", ["python3", "/e2e/data.py"], 300))
    return f"bucket {found['bucket']}; {found['series']} series over {found['days']} days"


def _restarts(pods: list[Any]) -> dict[str, int]:
    return {
        pod["metadata"]["name"]: sum(
            c.get("restartCount", 0) for c in pod["status"].get("containerStatuses", [])
        )
        for pod in pods
    }


def _initializer_is_restricted(world: World) -> bool:
    done = world.kube.run("get", "clusterstoragecontainers", "-o", "json", here=False)
    found = json.loads(done.stdout)["items"] if done.returncode == 0 else []
    return any(item["spec"]["container"].get("securityContext") for item in found)
