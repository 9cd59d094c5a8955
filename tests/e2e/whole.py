"""The whole form: Kubeflow Pipelines."""

import json
import subprocess
import time
from typing import Any

import yaml

from tests.e2e.kube import doing, last_line, run_ids, wait_for
from tests.e2e.pipelines import DATA, LATER
from tests.e2e.report import StepFailed
from tests.e2e.serving import NAME
from tests.e2e.settings import ROOT
from tests.e2e.stepping import answer_of
from tests.e2e.watching import (
    canary_now,
    check_registry,
    machines,
    register_again,
    told_of_machines,
)
from tests.e2e.world import World

Done = subprocess.CompletedProcess[Any]
_NOWHERE = "/workspace/nowhere"
# Opens the gate: whether a challenger of such small data wins is no matter of the cluster.
_OPEN_GATE = [
    part
    for name, value in {
        "max_wape_ratio": 10, "max_bias": 10, "coverage_tolerance": 0.9,
        "max_cost_increase": 10, "segment_cost_increase": 10, "group_loss_increase": 10,
        "max_cost_over_baseline": 10,
    }.items()
    for part in ("--set", f"gate.{name}={value}")
]  # fmt: skip


def training(world: World) -> str:
    """Training on one machine, promoted by the run's own deploy step."""
    world.need("kfp", "kserve")
    began = time.monotonic()
    run = world.runs.submit("training", *_OPEN_GATE)
    seconds = time.monotonic() - began
    world.versions = [world.serving.version()]
    if not world.versions[0]:
        raise StepFailed(f"run {run} ended well, but its deploy step put no version to work")
    told = world.serving.check_serves(world.versions[0])
    check_registry(world, world.versions[0])
    return f"run of {seconds:.0f} s ({_steps(world, run)}); {told}; {_kept(world, run)}"


def _kept(world: World, run: str) -> str:
    """Check that MLflow has the run with its files: a run goes on without, and says so in a log."""
    found = answer_of(world.stepping.run("e2e-kept", ["python3", "/e2e/kept.py", run], 180))
    missing = {"metrics.json", "report", "verdict.json"} - set(found["files"])
    if missing or not found["decision"]:
        raise StepFailed(
            f"MLflow should have the files of run {run}; it lacks "
            f"{', '.join(sorted(missing)) or 'a decision in verdict.json'}"
        )
    return f"MLflow has {found['metrics']} metrics and {', '.join(found['files'])}"


def _steps(world: World, run: str) -> str:
    steps = world.runs.steps(run)
    (world.settings.out / f"steps-{run}.json").write_text(json.dumps(steps, indent=1))
    pods = world.kube.items("pods", f"pipeline/runid={run}")
    return f"{len(pods)} pods"


def failed_run(world: World) -> str:
    """A run that fails is told with the step's own words; what does not fit is not submitted."""
    command = world.runs.command("replenishment", _NOWHERE)
    done = world.kube.invopt(*command, "--wait", seconds=900)
    [run] = run_ids(done.stdout) or [""]
    again = world.kube.invopt("wait", run, "--host", world.runs.host, seconds=120)
    told = told_of_failure(done, again)
    large = world.settings.out / "large.yaml"
    whole = yaml.safe_load((ROOT / world.settings.config).read_text())
    mapping = yaml.safe_load((ROOT / "pipelines/configs/datasets/demo.yaml").read_text())
    mapping["unique_id"] += f" /* {'words that nobody needs ' * 3000}*/"
    whole["data"]["mapping"] = "large-mapping.yaml"
    large.write_text(yaml.safe_dump(whole))
    (large.parent / "large-mapping.yaml").write_text(yaml.safe_dump(mapping))
    command[command.index("--config") + 1] = str(large.resolve())
    refused = world.kube.invopt(*command, "--wait", seconds=180)
    words = last_line(refused.stderr)
    if refused.returncode != 1 or "The largest is mapping" not in words:
        raise StepFailed(f"inputs of 70 kB ended with {refused.returncode}: {words}")
    return f"{told}; inputs of 70 kB: {words[:120]}"


def told_of_failure(done: Done, again: Done) -> str:
    """Return what `submit --wait` said of a run whose data are nowhere, as `invopt wait` does.

    Raises:
        StepFailed: If either ends with another status than 1, with a traceback, or without the
            step and the folder.
    """
    for called, which in ((done, "submit --wait"), (again, "wait")):
        words = last_line(called.stderr)
        if called.returncode != 1 or "Traceback" in called.stderr:
            raise StepFailed(f"invopt {which} ended with {called.returncode}: {words}")
        if "ended as failed: ingest-data: " not in words or _NOWHERE not in words:
            raise StepFailed(f"invopt {which} should name ingest-data and {_NOWHERE}: {words}")
    if last_line(done.stderr) != last_line(again.stderr):
        raise StepFailed(f"submit said {last_line(done.stderr)}, wait {last_line(again.stderr)}")
    return last_line(done.stderr)[:300]


def replenishment(world: World) -> str:
    """Orders of one review date."""
    began = time.monotonic()
    run = world.runs.submit("replenishment")
    seconds = time.monotonic() - began
    answers = world.serving.ask()
    return (
        f"run of {seconds:.0f} s ({_steps(world, run)}); then {answers['degraded']} of "
        f"{3 * answers['asked']} decisions degraded"
    )


def two_machines(world: World) -> str:
    """Training on two machines; requests come from the moment it is submitted."""
    world.need("trainer")
    world.serving.start_load(rate=2)
    world.load_runs = True
    began = time.monotonic()
    run = world.runs.start("training", "--set", "training.num_nodes=2", *_OPEN_GATE)
    seen, canary = 0, ""
    while (state := world.runs.state(run)) not in ("SUCCEEDED", "FAILED", "CANCELED"):
        seen = max(seen, machines(world))
        if seen:
            canary = canary_now(world) or canary
        if time.monotonic() - began > world.settings.minutes * 60:
            raise StepFailed(f"run {run} has no end after {world.settings.minutes:.0f} minutes")
        time.sleep(2)
    world.canary = canary
    if state != "SUCCEEDED":
        done = world.kube.invopt("wait", run, "--host", world.runs.host, seconds=120)
        raise StepFailed(f"run {run} ended as {state}: {last_line(done.stderr or done.stdout)}")
    seconds = time.monotonic() - began
    return f"run of {seconds:.0f} s ({_steps(world, run)}); {told_of_machines(world, seen)}"


def canary_of_run(world: World) -> str:
    """The run's deploy step had a canary beside the champion."""
    version = world.serving.version()
    if version == world.versions[-1]:
        raise StepFailed(f"the run with an open gate promoted nothing: {version} serves on")
    world.versions.append(version)
    if not world.canary:
        raise StepFailed("no canary was ready while the run's deploy step ran")
    return f"canary {world.canary} was ready beside the champion"


def monitoring(world: World) -> str:
    """Demand is another one for four weeks: monitoring says so and starts a retraining."""
    before = {run["run_id"] for run in world.runs.named("retraining-")}
    began = time.monotonic()
    run = world.runs.submit(
        "monitoring", "--set", "governor.persistence=1", *_OPEN_GATE, data=LATER
    )
    seconds = time.monotonic() - began
    log = world.stepping.run(
        "e2e-status", ["invopt", "retraining", "status", "--name", NAME], 120, database="governor"
    )
    world.retrainings = [
        r["run_id"] for r in world.runs.named("retraining-") if r["run_id"] not in before
    ]
    if not world.retrainings:
        raise StepFailed(f"run {run} started no retraining: {' '.join(log.split())[-400:]}")
    return f"run of {seconds:.0f} s ({_steps(world, run)}); it started a retraining"


def retraining(world: World) -> str:
    """The retraining runs to its end."""
    began = time.monotonic()
    [run] = world.retrainings
    state = world.runs.ended(run, world.settings.minutes * 60)
    if state != "SUCCEEDED":
        done = world.kube.invopt("wait", run, "--host", world.runs.host, seconds=120)
        raise StepFailed(f"it ended as {state}: {last_line(done.stderr or done.stdout)}")
    seconds = time.monotonic() - began
    version = world.serving.version()
    return f"followed for {seconds:.0f} s ({_steps(world, run)}); version {version} serves"


def cron(world: World) -> str:
    """A second --cron leaves the run under way alone; five fields are refused."""
    done = world.kube.invopt(
        *world.runs.command("replenishment", DATA), "--cron", "0 6 * * 1", seconds=180
    )
    if done.returncode == 0:
        raise StepFailed("a five-field --cron was accepted; KFP reads its first as seconds")
    world.runs.schedule("replenishment", "0 * * * * *")

    def under_way() -> list[Any]:
        # KFP names the runs of a schedule as it likes; they bear the schedule's own id.
        ours = {job["recurring_run_id"] for job in world.runs.schedules()}
        found = [r for r in world.runs.named("") if r.get("recurring_run_id") in ours]
        return [r for r in found if r.get("state") == "RUNNING"]

    [run] = [r["run_id"] for r in wait_for(under_way, 240, "a scheduled run")[:1]]
    time.sleep(15)
    world.runs.schedule("replenishment", "0 0 4 1 1 *")
    with doing("the run that was under way at the second --cron"):
        state = world.runs.ended(run, 1800)
    if state != "SUCCEEDED":
        raise StepFailed(f"the run under way at the second --cron ended as {state}")
    on = [job for job in world.runs.schedules() if job.get("status", "ENABLED") == "ENABLED"]
    if len(on) != 1:
        raise StepFailed(f"one schedule should be on, there are {len(on)}")
    world.runs.end_schedules()
    return "five fields refused; the run under way at the second --cron ended well"


def why(world: World) -> str:
    """`invopt why` of the monitoring run, where the stores are."""
    found = [str(run["display_name"]) for run in world.runs.named(f"{NAME}-monitoring")]
    if not found:
        raise StepFailed("KFP knows no monitoring run")
    told = world.stepping.run("e2e-why", ["invopt", "why", found[0]], 120, database="governor")
    if "signal demand_shift (fires" not in told or "safeguard breaker: clear" not in told:
        raise StepFailed(f"no signal and safeguards in {' '.join(told.split())[:400]}")
    return f"invopt why {found[0]}: {told.strip().splitlines()[0][:200]}"


def parts(world: World) -> str:
    """A model of parts at work: answers name who forecast, replenishment orders from it."""
    version = register_again(world, "parts")
    rollout = ", ".join(world.serving.deploy(version)["steps"])
    told = world.serving.check_serves(version)
    check_registry(world, version)
    began = time.monotonic()
    # On the data that the retraining published: windows in the store never go back in time.
    world.runs.submit("replenishment", data=LATER)
    seconds = time.monotonic() - began
    command = ["python3", "/e2e/answers.py", world.serving.address(), version]
    found = answer_of(world.stepping.run("e2e-answers", command, 180))
    return f"rollout: {rollout}; {told}; {told_of_parts(found, version)}, a run of {seconds:.0f} s"


def told_of_parts(found: dict[str, Any], version: str) -> str:
    """Return who forecast how many series.

    Raises:
        StepFailed: If fewer than two parts and their average answered, or what serves answers
            otherwise than a server elsewhere, or the orders are another model's.
    """
    label, models = f"{NAME}-{version}", found["models"]
    by = ", ".join(f"{model} {number}" for model, number in sorted(models.items()))
    if len(models) != 3 or sum(model.startswith("average of ") for model in models) != 1:
        raise StepFailed(f"two parts and their average should answer; series by model: {by}")
    if found["differ"] or found["versions"] != [label]:
        raise StepFailed(
            f"what serves ({', '.join(found['versions'])}) should answer as a server of {label} "
            f"in a process does; it differs: {'; '.join(found['differ']) or 'its version'}"
        )
    if found["planned_by"] != [label] or found["other_orders"]:
        raise StepFailed(
            f"replenishment should order from {label} what the server does; it ordered from "
            f"{', '.join(found['planned_by'])}, differently: {found['other_orders'] or 'nothing'}"
        )
    return (
        f"series by model: {by}, each answer that of a server elsewhere; replenishment orders the "
        "same from it"
    )
