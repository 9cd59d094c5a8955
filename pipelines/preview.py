"""What a run would do, before anything runs: steps, images, resources, cache hits and why."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.local import TASK

_SINCE = re.compile(r"(\d+\.\d) s since the start")
Spec = dict[str, Any]


@dataclass(frozen=True)
class PreviewStep:
    """One step of a run to come.

    Attributes:
        name: Of the task.
        image: It runs in.
        resources: In words, "" for what the node has.
        cache: "never", "hit" or "miss".
        why: Of the cache.
        branch: Of the pipeline it stands in, "" outside of any.
        seconds: It took in the run before, None where that is not known.
    """

    name: str
    image: str
    resources: str
    cache: str
    why: str
    branch: str = ""
    seconds: float | None = None

    @property
    def label(self) -> str:
        """Name as people know it: kfp numbers the tasks of a step that stands in two branches."""
        name = re.sub(r"-\d+$", "", self.name)
        return f"{name} ({self.branch})" if self.branch else name


def preview(
    compiled: Spec, previous: Spec | None, seconds: Mapping[str, float] | None = None
) -> list[PreviewStep]:
    """Return the steps of a compiled pipeline in its order, each right before what needs it.

    Args:
        compiled: First document of the compiled pipeline.
        previous: That of the run before, None when there was none.
        seconds: That steps took in the run before.
    """
    tasks, before = _tasks(compiled), _tasks(previous) if previous else {}
    parameters = _defaults(compiled)
    known = _defaults(previous) if previous else {}
    steps: dict[str, PreviewStep] = {}
    for name in _ordered(tasks):
        task = tasks[name]
        cache, why = _cache(name, tasks, before, parameters=parameters, known=known, steps=steps)
        container = task["container"]
        steps[name] = PreviewStep(
            name, container["image"], _resources(container), cache=cache, why=why,
            branch=task["branch"], seconds=(seconds or {}).get(re.sub(r"-\d+$", "", name)),
        )  # fmt: skip
    return list(steps.values())


def table(steps: list[PreviewStep]) -> str:
    """Return steps as text, one line each."""
    rows = [("step", "cache", "last time", "resources", "image", "why")]
    rows += [
        (s.label, s.cache, "-" if s.seconds is None else f"{s.seconds:.0f} s", s.resources or "-",
         s.image, s.why)
        for s in steps
    ]  # fmt: skip
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    return "\n".join(
        "  ".join([*(row[n].ljust(widths[n]) for n in range(5)), row[5]]) for row in rows
    )


def last_compiled(workspace: Path, pipeline: str) -> tuple[Spec | None, dict[str, float]]:
    """Return the pipeline of the latest run in a workspace, and what its steps took, seconds.

    A run that was ended while its pipeline was written is passed over.
    """
    runs = (workspace / "runs").glob(f"{pipeline}-*/pipeline.yaml")
    for file in sorted(runs, reverse=True):
        try:
            compiled = read_compiled(file)
            _tasks(compiled)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError):
            continue
        return compiled, _seconds(file.with_name("run.log"))
    return None, {}


def _seconds(log: Path) -> dict[str, float]:
    """Return what steps took by the log of a run; the last one's end is not in it."""
    if not log.is_file():
        return {}
    found: dict[str, float] = {}
    step, since = "", 0.0
    with log.open(errors="replace") as lines:
        for line in lines:
            if started := TASK.search(line):
                name = started[1]
            elif (after := _SINCE.match(line)) and (now := float(after[1])) >= since:
                if step:
                    found[step] = found.get(step, 0.0) + now - since
                step, since = name, now
    return found


def read_compiled(file: Path) -> Spec:
    """Return the pipeline's own document of a compiled file."""
    first: Spec = next(iter(yaml.safe_load_all(file.read_text())), {})
    return first


def _tasks(spec: Spec) -> dict[str, Any]:
    """Return every task that runs a container, loops and branches opened."""
    executors = spec["deploymentSpec"]["executors"]
    found: dict[str, Any] = {}

    inner: dict[str, list[str]] = {}

    def collect(dag: Spec, outer: list[str], given: dict[str, Spec], branch: str = "") -> list[str]:
        own = []
        for name, task in dag["tasks"].items():
            component = spec["components"][task["componentRef"]["name"]]
            after = [*outer, *task.get("dependentTasks", [])]
            inputs = {key: _resolved(source, given) for key, source in _inputs(task).items()}
            if "dag" in component:
                inside = _branch(task) if "triggerPolicy" in task else branch
                inner[name] = collect(component["dag"], after, inputs, inside)
                own += inner[name]
                continue
            container = executors[component["executorLabel"]]["container"]
            found[name] = task | {
                "container": container, "after": after, "sources": inputs, "branch": branch,
            }  # fmt: skip
            own.append(name)
        return own

    collect(spec["root"]["dag"], [], {})
    for task in found.values():
        task["after"] = {step for name in task["after"] for step in inner.get(name, [name])}
    return found


def _branch(task: Spec) -> str:
    """Return the name a branch was given, or kfp's own."""
    return str(task.get("taskInfo", {}).get("name", "")).rstrip("0123456789-")


def _ordered(tasks: dict[str, Any]) -> list[str]:
    """Return names so that each stands after what it needs, and as late as what needs it allows."""
    needed_by: dict[str, list[str]] = {name: [] for name in tasks}
    for name, task in tasks.items():
        for needed in task["after"]:
            if needed in needed_by:
                needed_by[needed].append(name)

    @functools.cache
    def height(name: str) -> int:
        return 1 + max((height(user) for user in needed_by[name]), default=0)

    return sorted(tasks, key=lambda name: (-height(name), name))


def _defaults(spec: Spec) -> dict[str, Any]:
    inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return {name: content.get("defaultValue") for name, content in inputs.items()}


def _cache(
    name: str,
    tasks: dict[str, Any],
    before: dict[str, Any],
    parameters: dict[str, Any],
    known: dict[str, Any],
    steps: dict[str, PreviewStep],
) -> tuple[str, str]:
    task = tasks[name]
    if not task.get("cachingOptions", {}).get("enableCache"):
        return "never", "has side effects"
    if name not in before:
        return "miss", "no run before this one" if not before else "a new step"
    own, old = task["container"], before[name]["container"]
    if own["image"] != old["image"]:
        return "miss", f"the image was {old['image']}"
    if (own.get("command"), own.get("args")) != (old.get("command"), old.get("args")):
        return "miss", "its source changed"
    same_if = []
    for source in task["sources"].values():
        if "componentInputParameter" in source:
            key = source["componentInputParameter"]
            if key in parameters and parameters[key] != known.get(key):
                return "miss", f"{key} changed"
        for kind in ("taskOutputParameter", "taskOutputArtifact"):
            producer = source.get(kind, {}).get("producerTask")
            if producer is None or producer not in steps:
                continue
            if steps[producer].cache == "miss":
                return "miss", f"{producer} runs again"
            if steps[producer].cache == "never" and kind == "taskOutputArtifact":
                return "miss", f"{producer} writes somewhere new in every run"
            if steps[producer].cache == "never":
                same_if.append(producer)
    if same_if:
        return "hit", f"if {' and '.join(sorted(set(same_if)))} returns the same"
    return "hit", "nothing it depends on changed"


def _inputs(task: Spec) -> dict[str, Spec]:
    inputs = task.get("inputs", {})
    return inputs.get("parameters", {}) | inputs.get("artifacts", {})


def _resolved(source: Spec, given: dict[str, Spec]) -> Spec:
    """Return where an input comes from: inside a branch, what the branch was given."""
    names = (source.get("componentInputParameter"), source.get("componentInputArtifact"))
    return next((given[name] for name in names if name in given), source)


def _resources(container: Spec) -> str:
    found = container.get("resources", {})
    parts = []
    for word, key in (("cpu", "resourceCpuLimit"), ("memory", "resourceMemoryLimit")):
        if key in found:
            parts.append(f"{word} {found[key]}")
    accelerator = found.get("accelerator", {})
    if accelerator:
        count, kind = accelerator.get("resourceCount"), accelerator.get("resourceType")
        parts.append(f"{count} x {kind}")
    return ", ".join(parts)
