"""The short form: the steps' own code in pods that have the steps' accounts."""

from tests.e2e.kube import last_line
from tests.e2e.report import StepFailed
from tests.e2e.serving import DEPLOY
from tests.e2e.stepping import answer_of
from tests.e2e.watching import (
    pod_ended,
    register_again,
    told_of_canary,
    told_of_machines,
    watch_canary,
    watch_train_job,
)
from tests.e2e.world import TRAINER_TOKEN, World


def train_in_a_pod(world: World) -> str:
    """A whole training in one process, its networks on two machines."""
    world.need("trainer")
    world.stepping.start("e2e-training", ["python3", "/e2e/training.py"], token=TRAINER_TOKEN)
    seen = watch_train_job(world, lambda: pod_ended(world, "e2e-training"), 1500)
    log, code = world.stepping.follow("e2e-training", 1500)
    if code:
        raise StepFailed(f"the training: {last_line(log)}")
    found = answer_of(log)
    world.trained, world.corrupt = found["versions"], found["corrupt"]
    world.corrupt_first = found["corrupt_first"]
    return told_of_machines(world, seen)


def first_model(world: World) -> str:
    """A first version, put to work by the deploy step."""
    world.need("kserve")
    world.versions = [world.trained[0]]
    found = world.serving.deploy(world.versions[0])
    told = world.serving.check_serves(world.versions[0])
    return f"{told}; rollout: {', '.join(found['steps'])}"


def canary(world: World) -> str:
    """A second version beside the first, while requests come."""
    world.versions = [world.serving.version()]
    world.versions.append(world.trained[1] if world.trained else register_again(world))
    world.serving.start_load(rate=8)
    world.load_runs = True
    world.serving.start_deploy(world.versions[-1])
    seen = watch_canary(world, lambda: pod_ended(world, DEPLOY), 900)
    log, code = world.serving.follow_deploy()
    if code:
        raise StepFailed(f"the deploy step: {last_line(log)[-400:]}")
    return told_of_canary(seen, answer_of(log)["steps"])
