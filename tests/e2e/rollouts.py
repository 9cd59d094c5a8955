"""What holds of a rollout in both forms."""

import time

from tests.e2e.kube import last_line, wait_for
from tests.e2e.report import StepFailed, StepSkipped
from tests.e2e.watching import check_registry, machines, pod_ended, register_again
from tests.e2e.world import TRAINER_TOKEN, World


def promotion(world: World) -> str:
    """The second version serves alone, and what was beside it is gone."""
    told = world.serving.check_serves(world.versions[-1])
    try:
        wait_for(lambda: not world.serving.leftovers(), 60, "the end of the canary's objects")
    except StepFailed as err:
        raise StepFailed(f"{told}, but {', '.join(world.serving.leftovers())} is left") from err
    check_registry(world, world.versions[-1])
    return f"{told}; it is champion in the registry, nothing of the canary is left"


def rollback(world: World) -> str:
    """`invopt rollback`: back, registry and endpoint together."""
    before = world.serving.read()
    began = time.monotonic()
    told = world.serving.roll_back()
    seconds = time.monotonic() - began
    if told != world.versions[-2]:
        raise StepFailed(f"rollback should lead to {world.versions[-2]}, it says {told}")
    text = world.serving.check_serves(told)
    check_registry(world, told)
    after = world.serving.read()
    assert before is not None
    assert after is not None
    changed = sorted(
        key
        for key in {*before["spec"]["predictor"], *after["spec"]["predictor"]} - {"model"}
        if before["spec"]["predictor"].get(key) != after["spec"]["predictor"].get(key)
    )
    if changed:
        raise StepFailed(f"rollback changed more than the model: {', '.join(changed)}")
    return f"invopt rollback in {seconds:.0f} s: {text}"


def requests(world: World) -> str:
    """Nothing was lost on the way there and back."""
    if not world.load_runs:
        raise StepSkipped("nobody asks")
    found = world.serving.end_load()
    world.load_runs = False
    told = (
        f"{found['lost']} of {found['asked']} requests lost since before the canary "
        f"(median {1000 * found['median']:.0f} ms, 99 % within {1000 * found['p99']:.0f} ms, "
        f"{found['degraded']} degraded decisions, by version {found['versions']})"
    )
    if found["lost"]:
        raise StepFailed(f"{told}: {found['kinds']}, first {found['first']}")
    return told


def corrupt_model(world: World) -> str:
    """A version that cannot be loaded is refused, and what served serves."""
    before = world.serving.version()
    if not world.corrupt:
        world.corrupt = register_again(world, "corrupt")
    bad = world.corrupt
    world.serving.start_deploy(bad)
    log, code = world.serving.follow_deploy()
    words = last_line(log)
    if code == 0:
        raise StepFailed(f"the corrupt version {bad} was deployed: {words}")
    if "Traceback" in log:
        raise StepFailed(f"refused with a traceback: {words}")
    if "readable" not in words:
        raise StepFailed(f"refused, but not because it cannot be read: {words}")
    told = world.serving.check_serves(before)
    check_registry(world, before)
    return f"version {bad} refused ({words[:240]}); {told}"


def terminated_training(world: World) -> str:
    """A training that is ended takes its TrainJob with it."""
    world.need("trainer")
    run = ""
    if world.short:
        world.stepping.start("e2e-train", ["python3", "/e2e/train.py", "7"], token=TRAINER_TOKEN)
    else:
        run = world.runs.start(
            "training", "--set", "training.num_nodes=2", "--set", "training.seed=7"
        )

    def ended() -> bool:
        if world.short:
            return pod_ended(world, "e2e-train")
        return world.runs.state(run) in ("SUCCEEDED", "FAILED")

    stop = time.monotonic() + 1800
    while machines(world) < 1:
        if ended() or time.monotonic() > stop:
            raise StepFailed("the training ended before a machine of its TrainJob was at work")
        time.sleep(1)
    began = time.monotonic()
    if world.short:
        world.stepping.remove("e2e-train", grace=1)
    else:
        world.runs.terminate(run)
    wait_for(lambda: not world.kube.items("trainjobs"), 180, "the end of the TrainJob")
    return f"TrainJob gone {time.monotonic() - began:.0f} s after the end of the step"


def terminated_rollout(world: World) -> str:
    """A rollout that is ended takes its canary with it."""
    world.need("kserve")
    before = world.serving.version()
    version = next(v for v in world.versions if v != before)
    world.serving.start_deploy(version)

    def has_canary() -> bool:
        return bool((world.serving.read() or {"spec": {}})["spec"].get("canary"))

    wait_for(has_canary, 120, "the canary", 0.5)
    began = time.monotonic()
    world.serving.kill_deploy()
    wait_for(lambda: not has_canary(), 120, "the end of the canary", 0.5)
    seconds = time.monotonic() - began
    return f"canary gone {seconds:.0f} s after the end of the step; " + (
        world.serving.check_serves(before)
    )
