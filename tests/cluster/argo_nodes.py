"""The Workflow that Argo leaves of a KFP run, as KFP's stock configuration makes it.

Its `templateDefaults.retryStrategy` wraps every node, of pods and of graphs, in one of type Retry;
ids are the workflow's name and FNV-1a of the node's whole name, pods are named by their template.
"""

import json
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
WORKFLOW = "training-x7k2p"
_START = "2026-01-01T00:00:00Z"
_STATES = {
    "Pending": "PENDING",
    "Running": "RUNNING",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Error": "FAILED",
    "Omitted": "SKIPPED",
}


@dataclass(frozen=True)
class Attempt:
    """One pod of a step.

    Attributes:
        phase: Of its node.
        message: Of its node, "" for what Argo says of an exit that is not 0.
        log: Of its main container, None where there is none.
    """

    phase: str = "Succeeded"
    message: str = ""
    log: str | None = ""


@dataclass(frozen=True)
class Step:
    """One task of the pipeline.

    Attributes:
        name: Of the task.
        attempts: Its executor's pods; none where it has not come so far.
        driver: KFP's own pod before it.
        within: Graph (a condition, a loop's turn) it lies in, "" for the pipeline's own.
    """

    name: str
    attempts: tuple[Attempt, ...] = (Attempt(),)
    driver: Attempt = Attempt()
    within: str = ""


def workflow(steps: list[Step], *, terminated: bool = False) -> tuple[Object, dict[str, str]]:
    """Return the Workflow, and the logs by the ids and pod names of its nodes."""
    nodes: dict[str, Object] = {}
    logs: dict[str, str] = {}

    def add(name: str, kind: str, phase: str, boundary: str, template: str, **more: Any) -> str:
        number = f"{WORKFLOW}-{fnv(name)}"
        shown = name.rpartition(".")[2]
        nodes[number] = {
            "id": number,
            "name": name,
            "displayName": shown,
            "type": kind,
            "templateName": template,
            "phase": phase,
            "boundaryID": boundary,
            "startedAt": f"2026-01-01T00:{len(nodes):02d}:00Z",
            "finishedAt": None if phase in ("Pending", "Running") else "2026-01-01T01:00:00Z",
        } | more
        return number

    def pods(name: str, boundary: str, template: str, attempts: tuple[Attempt, ...]) -> str:
        children = []
        for number, attempt in enumerate(attempts):
            message = attempt.message
            if attempt.phase == "Failed" and not message:
                message = "Error (exit code 1)"
            made = add(f"{name}({number})", "Pod", attempt.phase, boundary, template,
                       message=message)  # fmt: skip
            children.append(made)
            if attempt.log is not None and attempt.phase not in ("Pending", "Error"):
                logs[made] = logs[f"{WORKFLOW}-{template}-{made.rpartition('-')[2]}"] = attempt.log
        last = attempts[-1].phase
        return add(name, "Retry", "Running" if last == "Pending" else last, boundary, template,
                   children=children)  # fmt: skip

    def graph(name: str, boundary: str, template: str, phase: str) -> str:
        inner = add(f"{name}(0)", "DAG", phase, boundary, template, children=[])
        add(name, "Retry", phase, boundary, template, children=[inner])
        return inner

    whole = worst(
        [s.driver.phase for s in steps] + [s.attempts[-1].phase for s in steps if s.attempts]
    )
    top = graph(WORKFLOW, "", "entrypoint", whole)
    pods(f"{WORKFLOW}(0).root-driver", top, "system-dag-driver", (Attempt(),))
    root = graph(f"{WORKFLOW}(0).root", top, "root", whole)
    graphs = {"": root}
    for step in steps:
        if step.within and step.within not in graphs:
            path = f"{nodes[root]['name']}.{step.within}"
            graphs[step.within] = graph(path, root, "comp-condition", whole)
        outer = graphs[step.within]
        path = f"{nodes[outer]['name']}.{step.name}"
        pods(f"{path}-driver", outer, "system-container-driver", (step.driver,))
        if step.attempts:
            inner = graph(path, outer, "system-container-executor", step.attempts[-1].phase)
            executor = pods(f"{path}(0).executor", inner, "system-container-impl", step.attempts)
            nodes[inner]["children"] = [executor]
    spec: Object = {"activeDeadlineSeconds": 0} if terminated else {}
    made = {"metadata": {"name": WORKFLOW}, "spec": spec, "status": {"nodes": nodes}}
    return made, logs


def task_details(made: Object, run_id: str) -> list[Object]:
    """Return KFP's list of tasks: every node, without its own id, its error or its message."""
    return [
        {
            "run_id": run_id,
            "task_id": f"00000000-0000-0000-0000-{number:012d}",
            "display_name": node["displayName"],
            "create_time": _START,
            "start_time": node["startedAt"],
            "end_time": node["finishedAt"] or "1970-01-01T00:00:00Z",
            "state": _STATES[node["phase"]],
            "execution_id": "0",
            "state_history": [{"update_time": node["startedAt"], "state": _STATES[node["phase"]]}],
            "child_tasks": [{"pod_name": child} for child in node.get("children") or ()],
        }
        for number, node in enumerate(sorted(made["status"]["nodes"].values(), key=_id))
    ]


def worst(phases: list[str]) -> str:
    order = ("Error", "Failed", "Pending", "Running")
    found = next((p for p in order if p in phases), "Succeeded")
    return {"Error": "Failed", "Pending": "Running"}.get(found, found)


def fnv(text: str) -> int:
    """Return the 32-bit FNV-1a of a text, as Argo names its nodes by."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def manifest(made: Object) -> str:
    return json.dumps(made)


def _id(node: Object) -> str:
    return str(node["id"])
