"""What the steps look at while something else goes on."""

import time
from typing import Any

from tests.e2e.report import StepFailed
from tests.e2e.stepping import answer_of
from tests.e2e.world import World


def pod_ended(world: World, name: str) -> bool:
    pod = world.kube.find("pod", name)
    return pod is None or pod["status"]["phase"] in ("Succeeded", "Failed")


def watch_train_job(world: World, ended: Any, seconds: float) -> int:
    """Return the largest number of machines seen at work together."""
    most, stop = 0, time.monotonic() + seconds
    while not ended() and time.monotonic() < stop:
        most = max(most, machines(world))
        time.sleep(2)
    return most


def machines(world: World) -> int:
    return sum(
        pod["status"].get("phase") == "Running"
        for pod in world.kube.items("pods", "app.kubernetes.io/name=invopt-torch")
    )


def told_of_machines(world: World, seen: int) -> str:
    if seen != 2:
        raise StepFailed(f"two machines should have been at work together, {seen} were seen")
    left = [job["metadata"]["name"] for job in world.kube.items("trainjobs")]
    if left:
        raise StepFailed(f"after the training TrainJobs are left: {', '.join(left)}")
    return "two machines at work together, no TrainJob left"


def watch_canary(world: World, ended: Any, seconds: float) -> str:
    """Return how a canary was seen, "" where none was."""
    seen, stop = "", time.monotonic() + seconds
    while not ended() and time.monotonic() < stop:
        seen = canary_now(world) or seen
        time.sleep(1)
    return seen


def canary_now(world: World) -> str:
    service = world.serving.read() or {"spec": {}}
    for canary in service["spec"].get("canary") or []:
        for status in service.get("status", {}).get("canaryStatuses", []):
            if status["name"] == canary["predictor"]["name"] and status["ready"]:
                return f"{status['name']} with {status['trafficPercent']} %"
    return ""


def told_of_canary(seen: str, steps: list[str]) -> str:
    if not seen or "canary" not in steps:
        raise StepFailed(f"no canary was ready; the rollout's steps were {', '.join(steps)}")
    return f"canary {seen} was ready beside the champion; rollout: {', '.join(steps)}"


def register_again(world: World, *how: str) -> str:
    """Register the champion's model as one more version, which it returns."""
    command = ["python3", "/e2e/again.py", *how]
    return str(answer_of(world.stepping.run("e2e-again", command, 600))["version"])


def check_registry(world: World, version: str) -> None:
    champion = world.serving.champion()["champion"]
    if champion != version:
        raise StepFailed(f"{version} serves, but the registry's champion is {champion}")
