"""A run on Kubeflow Pipelines followed to its end: what it waits for, and why it failed."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from invopt.errors import InvalidInputError
from invopt.types import Notify
from pipelines.argo import Leaf, Workflow
from pipelines.last_words import last_words
from serving import transient
from serving.cluster.kubernetes import refusal, unreachable

DONE = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_POLL_SECONDS = 10.0
_TIMEOUT_SECONDS = 20
# A restart of the API server or of a port-forward ends well before.
_LOST_SECONDS = 15 * 60.0
# A pod needs some seconds for its image; what its node says of it is told at once.
_PATIENCE_SECONDS = 30.0
_AGAIN_SECONDS = 10 * 60.0
_LOG_LINES = 400
_MAX_REASONS = 5
_SILENT = "failed without a word"
_MAX_LENGTH = 600
# What a pod that does not start says, and what is to be done about it.
_CAUSES = (
    ("exceeded quota", "Ask for less in the cluster section, or raise the quota."),
    ("Unschedulable", "Add room to the cluster, or ask for less in the cluster section."),
    ("Image", "Push the image, or correct its name or pull secret."),
    ("CreateContainerConfigError", "Make that secret or ConfigMap: the step then goes on."),
    ("forbidden", "Correct the namespace's limits or the pod's rights."),
)
# Argo puts what is too large for a pod into a ConfigMap, which KFP lets it not make.
_TOO_LARGE = 'cannot create resource "configmaps"'
_SHORTEN = (
    "the inputs of this run are larger than what Argo hands to a pod (131,072 bytes). Make its "
    "mapping or configuration shorter, or keep what they list in a file of the data"
)
_LIKELY = (
    "Likely its image is being pulled, or a volume, secret or ConfigMap that it mounts is not "
    "there; `kubectl describe pod` tells."
)
_NO_WORD = (
    "Likely no node has the room, its image cannot be pulled, or a secret or volume is missing; "
    "`kubectl get pods` tells."
)


@dataclass(frozen=True)
class Target:
    """Where to.

    Attributes:
        host: URL of the KFP API.
        namespace: Of a multi-user installation, None otherwise.
        token: Bearer token, None where none is asked for.
    """

    host: str
    namespace: str | None
    token: str | None


class Following:
    """One run that is under way or has ended.

    Args:
        target: Where it runs.
        run_id: Its id.
        notify: Called with lines of progress.
        sleep: Waits seconds.
        clock: Returns seconds.
    """

    def __init__(
        self,
        target: Target,
        run_id: str,
        notify: Notify,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target, self.run_id, self.notify = target, run_id, notify
        self.sleep, self.clock = sleep, clock
        self.page = f"{target.host}/#/runs/details/{run_id}"
        self._answered: float | None = None
        self._is_lost = False
        self._seen: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str, int]] = set()

    def to_the_end(self) -> None:
        """Wait for the run's end.

        Raises:
            InvalidInputError: If it does not succeed, with what its failed steps say; or if
                nothing answers for a quarter of an hour.
        """
        state = ""
        try:
            while True:
                run = self._ask()
                found = _state(run) if run else state
                if found != state:
                    self.notify(f"run {self.run_id}: {found.lower()}")
                state = found
                if state in DONE:
                    break
                if run:
                    self._tell_waiting(run)
                self.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            self.notify(f"the run goes on. {self._again()}")
            raise
        if state != "SUCCEEDED":
            raise InvalidInputError(f"{self._ending(run, state)} See {self.page}.")

    def _ask(self) -> dict[str, Any] | None:
        """Return the run, None where the connection is lost for a while.

        Raises:
            InvalidInputError: If it was lost for long, KFP refuses, or nothing ever answered.
        """
        try:
            run = self._json(f"apis/v2beta1/runs/{self.run_id}")
        except urllib.error.HTTPError as err:
            text = err.read().decode(errors="replace")
            told = refusal(err.code, text, err.reason)
            if err.code == 404:
                raise InvalidInputError(
                    f"there is no run {self.run_id} on {self.target.host}. Its page on KFP and "
                    "`invopt submit` tell a run's id."
                ) from err
            if err.code not in transient.STATUS or self._answered is None:
                raise InvalidInputError(
                    f"asking {self.target.host} for run {self.run_id} failed: {told}"
                ) from err
            self._lost(told, err)
            return None
        except (OSError, http.client.HTTPException, ValueError) as err:
            lost = unreachable(f"asking for run {self.run_id} at {self.target.host}", err)
            if self._answered is None:
                raise lost from err
            self._lost(str(lost), err)
            return None
        self._answered = self.clock()
        if self._is_lost:
            self.notify("it answers again")
            self._is_lost = False
        return run

    def _lost(self, told: str, err: Exception) -> None:
        assert self._answered is not None
        if self.clock() - self._answered > _LOST_SECONDS:
            raise InvalidInputError(
                f"{self.target.host} has not answered for {_LOST_SECONDS / 60:.0f} minutes: "
                f"{told} The run goes on without it. {self._again()}"
            ) from err
        if not self._is_lost:
            self.notify(f"no answer from {self.target.host}; the run goes on, asking again")
            self._is_lost = True

    def _again(self) -> str:
        return f"Follow it with `invopt wait {self.run_id} --host {self.target.host}`."

    def _tell_waiting(self, run: dict[str, Any]) -> None:
        """Tell which steps do not start, why, and since when; again every ten minutes."""
        workflow = self._workflow()
        found = _waiting(run) if workflow is None else workflow.waiting()
        now, grouped = self.clock(), dict[str, list[Leaf]]()
        for leaf in found:
            since = self._seen.setdefault((leaf.step, leaf.ids[0]), now)
            patience = 0.0 if _advice(leaf.message) else _PATIENCE_SECONDS
            turn = int((now - since) // _AGAIN_SECONDS)
            if now - since >= patience and (leaf.step, leaf.message, turn) not in self._told:
                self._told.add((leaf.step, leaf.message, turn))
                grouped.setdefault(leaf.message, []).append(leaf)
        for message, leaves in grouped.items():
            times = [leaf.since for leaf in leaves if leaf.since]
            since_ = f" since {_clock(min(times))}" if times else ""
            why = f": {_short(message)}." if message else "."
            advice = _advice(message) or (_NO_WORD if workflow is None else _LIKELY)
            self.notify(f"{_names(leaf.step for leaf in leaves)} waits{since_}{why} {advice}")

    def _ending(self, run: dict[str, Any] | None, state: str) -> str:
        """Return how the run ended, and why, as a sentence."""
        workflow = self._workflow()
        leaves = _failed(run or {}) if workflow is None else workflow.failed()
        terminated = _was_canceled(run or {}) or (workflow and workflow.was_terminated)
        if terminated:  # what was under way then says so, and is no reason
            leaves = [leaf for leaf in leaves if not _is_cut_off(leaf.message)]
        reasons = self._reasons(leaves)
        if terminated:
            reasons = [reason for reason in reasons if not reason.endswith(_SILENT)]
        if error := ((run or {}).get("error") or {}).get("message"):
            reasons.append(_short(str(error)))
        told = "; ".join(reasons[:_MAX_REASONS]).rstrip(".")
        if len(reasons) > _MAX_REASONS:
            told += f"; and {len(reasons) - _MAX_REASONS} more"
        if terminated:
            before = f" Before that: {told}." if told else ""
            return f"run {self.run_id} was terminated.{before}"
        return f"run {self.run_id} ended as {state.lower()}: {told or 'KFP gives no reason'}."

    def _reasons(self, leaves: list[Leaf]) -> list[str]:
        """Return each reason once, with the steps it was given by."""
        grouped: dict[str, list[str]] = {}
        for leaf in leaves:
            grouped.setdefault(self._reason(leaf), []).append(leaf.step)
        return [f"{_names(steps)}: {reason}" for reason, steps in grouped.items()]

    def _reason(self, leaf: Leaf) -> str:
        if _TOO_LARGE in leaf.message:
            return _SHORTEN
        words = last_words(self._log(leaf))
        if words and leaf.message:
            said = f"{_short(leaf.message)}; it last said: {_short(words)}"
        else:
            said = _short(words or leaf.message) or _SILENT
        return f"{said} (before the step itself began)" if leaf.is_driver else said

    def _log(self, leaf: Leaf) -> list[str]:
        """Return the end of a step's log, of its pod or from the archive; empty where it has none.

        KFP answers 200 before it looks: what it could not find stands in the body.
        """
        for number in leaf.ids:
            try:
                lines = self._lines(f"apis/v1alpha1/runs/{self.run_id}/nodes/{number}/log")
            except (OSError, http.client.HTTPException):
                continue
            if lines and not lines[0].startswith('{"error_message"'):
                return lines
        return []

    def _workflow(self) -> Workflow | None:
        """Return the run's nodes as Argo tells them, None where KFP does not hand them out."""
        try:
            found = self._json(f"apis/v1beta1/runs/{self.run_id}")
            manifest = json.loads(found["pipeline_runtime"]["workflow_manifest"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return None
        workflow = Workflow(manifest)
        return workflow if workflow.is_told else None

    def _json(self, path: str) -> dict[str, Any]:
        with self._open(path) as answer:
            content: dict[str, Any] = json.loads(answer.read())
        return content

    def _lines(self, path: str) -> list[str]:
        with self._open(path) as answer:
            kept = deque(answer, maxlen=_LOG_LINES)
        return [line.decode(errors="replace") for line in kept]

    def _open(self, path: str) -> Any:
        bearer = {"Authorization": f"Bearer {self.target.token}"} if self.target.token else {}
        request = urllib.request.Request(f"{self.target.host}/{path}", headers=bearer)  # noqa: S310
        return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310


def _state(run: dict[str, Any]) -> str:
    """Return a run's state; KFP gives none until its first look at a new one."""
    state = str(run.get("state") or "")
    return "PENDING" if state in ("", "RUNTIME_STATE_UNSPECIFIED") else state


def _was_canceled(run: dict[str, Any]) -> bool:
    """Return whether somebody ended the run: what is terminated ends as FAILED."""
    states = [status.get("state") for status in run.get("state_history") or ()]
    return run.get("state") == "CANCELED" or "CANCELING" in states


def _failed(run: dict[str, Any]) -> list[Leaf]:
    """Return the failed tasks by KFP's own list, which has the steps' wrappers too.

    A task is not told with its id, its children are: the archive finds a step's log by that of
    the wrapper below it.
    """
    leaves: dict[str, Leaf] = {}
    for task in _tasks(run, "FAILED"):
        name = task["display_name"]
        children = [c["pod_name"] for c in task.get("child_tasks") or () if c.get("pod_name")]
        whole = {child.rpartition("-")[0] for child in children}  # the workflow's own name
        if "(" in name or name in {"executor", "root", *whole}:
            continue
        step = name.removesuffix("-driver")
        ids = tuple(children) or (step,)
        leaves.setdefault(step, Leaf(step, step != name, ids, "", _entered(task, "FAILED")))
    return list(leaves.values())


def _waiting(run: dict[str, Any]) -> list[Leaf]:
    """Return the pods that wait by KFP's own list; it has no name for that of a step itself."""
    leaves = []
    for task in _tasks(run, "PENDING"):
        name = task["display_name"].partition("(")[0]
        step = "a step" if name == "executor" else name.removesuffix("-driver")
        leaves.append(Leaf(step, step != name, (task["task_id"],), "", _entered(task, "PENDING")))
    return leaves


def _tasks(run: dict[str, Any], state: str) -> list[dict[str, Any]]:
    details = (run.get("run_details") or {}).get("task_details") or ()
    return [t for t in details if t.get("state") == state and t.get("display_name")]


def _entered(task: dict[str, Any], state: str) -> datetime | None:
    """Return when a task came into a state, from its history."""
    for status in task.get("state_history") or ():
        if status.get("state") == state and status.get("update_time"):
            return datetime.fromisoformat(status["update_time"])
    return None


def _is_cut_off(message: str) -> bool:
    return "exceeded its deadline" in message or "shutdown" in message


def _advice(message: str) -> str:
    return next((advice for word, advice in _CAUSES if word in message), "")


def _names(steps: Iterable[str]) -> str:
    """Return steps in the order given, each once, with how often it is there."""
    counts: dict[str, int] = {}
    for step in steps:
        counts[step] = counts.get(step, 0) + 1
    return ", ".join(f"{s} ({n} times)" if n > 1 else s for s, n in counts.items())


def _short(text: str) -> str:
    one = " ".join(text.split()).rstrip(".")
    return one if len(one) <= _MAX_LENGTH else f"{one[:_MAX_LENGTH]} …"


def _clock(time_: datetime) -> str:
    return f"{time_.astimezone():%H:%M}"
