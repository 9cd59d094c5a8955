"""The short form: the steps' own code in pods that have the steps' accounts."""

from tests.e2e.kube import last_line
from tests.e2e.pipelines import DATA
from tests.e2e.report import StepFailed
from tests.e2e.stepping import answer_of
from tests.e2e.watching import (
    pod_ended,
    register,
    told_of_canary,
    told_of_machines,
    watch_canary,
    watch_train_job,
)
from tests.e2e.world import TRAINER_TOKEN, World


def train_in_a_pod(world: World) -> str:
    """A whole training in one pod, its networks on two machines."""
    world.need("trainer")
    world.stepping.start(
        "e2e-training",
        [
            "invopt", "run", "training", "--config", "/e2e/config.yaml", "--data", DATA,
            "--workspace", "/workspace", "--set", "training.num_nodes=2",
        ],
        token=TRAINER_TOKEN,
        environment={
            "INVOPT_DEPLOYER": "process", "INVOPT_MODEL_STORE": "", "INVOPT_PIPELINE_HOST": "",
        },
    )  # fmt: skip
    seen = watch_train_job(world, lambda: pod_ended(world, "e2e-training"), 1500)
    log, code = world.stepping.follow("e2e-training", 1500)
    if code:
        raise StepFailed(f"invopt run training: {last_line(log)}")
    return told_of_machines(world, seen)


def first_model(world: World) -> str:
    """A first version: registered, put to work by the deploy step."""
    world.need("kserve")
    world.versions = [register(world)]
    found = world.serving.deploy(world.versions[0])
    return f"{world.serving.check_serves(world.versions[0])}; rollout: {', '.join(found['steps'])}"


def canary(world: World) -> str:
    """A second version beside the first, while requests come."""
    world.versions.append(register(world))
    world.serving.start_load(rate=8)
    world.load_runs = True
    world.serving.start_deploy(world.versions[-1])
    seen = watch_canary(world, lambda: pod_ended(world, "e2e-deploy"), 900)
    log, code = world.serving.follow_deploy()
    if code:
        raise StepFailed(f"the deploy step: {last_line(log)[-400:]}")
    return told_of_canary(world, seen, answer_of(log)["steps"])
