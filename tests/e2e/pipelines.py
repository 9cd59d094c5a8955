"""Kubeflow Pipelines as a user meets it: `invopt submit`, and its API for what no command does."""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from tests.e2e.kube import Kube, Object, last_line, run_ids, wait_for
from tests.e2e.report import StepFailed
from tests.e2e.settings import Settings

DONE = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
DATA, LATER = "/workspace/e2e/early", "/workspace/e2e/later"


class Pipelines:
    """Runs, by host.

    Args:
        kube: Writes the commands down.
        settings: Of this run.
        host: URL of the API from here.
        namespace: Of a multi-user installation, "" in one that all share.
    """

    def __init__(self, kube: Kube, settings: Settings, host: str, namespace: str) -> None:
        self.kube, self.settings, self.host, self.namespace = kube, settings, host, namespace

    def submit(self, pipeline: str, *more: str, data: str = DATA, seconds: float = 3600) -> str:
        """Submit and wait; returns the run's id.

        Raises:
            StepFailed: If `invopt submit` does not end with 0.
        """
        done = self.kube.invopt(*self.command(pipeline, data), *more, "--wait", seconds=seconds)
        ids = run_ids(done.stdout)
        if done.returncode:
            self._keep(ids)
            told = last_line(done.stderr or done.stdout)
            raise StepFailed(f"invopt submit {pipeline} ended with {done.returncode}: {told}")
        return ids[-1]

    def start(self, pipeline: str, *more: str, data: str = DATA) -> str:
        """Submit and go on; returns the run's id.

        Raises:
            StepFailed: If it cannot be submitted.
        """
        done = self.kube.invopt(*self.command(pipeline, data), *more, seconds=180)
        ids = run_ids(done.stdout)
        if done.returncode or not ids:
            raise StepFailed(f"invopt submit {pipeline}: {last_line(done.stderr or done.stdout)}")
        return ids[-1]

    def schedule(self, pipeline: str, cron: str, *more: str) -> str:
        """Put a pipeline on a schedule; returns what was printed.

        Raises:
            StepFailed: If it fails.
        """
        done = self.kube.invopt(*self.command(pipeline, DATA), "--cron", cron, *more, seconds=180)
        if done.returncode:
            raise StepFailed(f"invopt submit --cron: {last_line(done.stderr or done.stdout)}")
        return str(done.stdout)

    def state(self, run: str) -> str:
        """Return the state of a run."""
        return str(self._ask("GET", f"runs/{run}").get("state") or "PENDING")

    def ended(self, run: str, seconds: float) -> str:
        """Wait for a run's end and return its state.

        Raises:
            StepFailed: If it does not end in time.
        """

        def state() -> str:
            found = self.state(run)
            return found if found in DONE else ""

        found: str = wait_for(state, seconds, f"the end of run {run}", 5.0)
        if found != "SUCCEEDED":
            self._keep([run])
        return found

    def terminate(self, run: str) -> None:
        """End a run, as the button does."""
        self._ask("POST", f"runs/{run}:terminate")

    def named(self, prefix: str) -> list[Object]:
        """Return the runs whose name starts so, newest first."""
        query = {"page_size": "100", "sort_by": "created_at desc"}
        if self.namespace:
            query["namespace"] = self.namespace
        found = self._ask("GET", f"runs?{urllib.parse.urlencode(query)}").get("runs") or []
        return [run for run in found if run["display_name"].startswith(prefix)]

    def schedules(self) -> list[Object]:
        """Return the recurring runs of our pipelines."""
        query = {"page_size": "100"}
        if self.namespace:
            query["namespace"] = self.namespace
        found = self._ask("GET", f"recurringruns?{urllib.parse.urlencode(query)}")
        return [
            job
            for job in found.get("recurringRuns") or []
            if job["display_name"].startswith("demand-forecaster-")
        ]

    def end_schedules(self) -> int:
        """Delete the recurring runs of our pipelines; returns how many there were."""
        found = self.schedules()
        for job in found:
            self._ask("DELETE", f"recurringruns/{job['recurring_run_id']}")
        return len(found)

    def steps(self, run: str) -> list[tuple[str, float]]:
        """Return the tasks of a run that are over, and the seconds of each.

        KFP lists nodes of its own among them; some have no name to show.
        """
        details = self._ask("GET", f"runs/{run}").get("run_details", {}).get("task_details", [])
        told = []
        for task in details:
            if not (task.get("start_time") and task.get("end_time")):
                continue
            seconds = _seconds(task["end_time"]) - _seconds(task["start_time"])
            told.append((str(task.get("display_name") or task.get("task_id", "")), seconds))
        return told

    def command(self, pipeline: str, data: str) -> list[str]:
        """Return what `invopt` is called with to submit a run."""
        where = ["--namespace", self.namespace] if self.namespace else []
        return [
            "submit", pipeline, "--config", self.settings.config, "--host", self.host, *where,
            "--data", data,
        ]  # fmt: skip

    def _keep(self, runs: list[str]) -> None:
        folder = self.settings.out / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        for run in runs:
            content = self._ask("GET", f"runs/{run}")
            (folder / f"{run}.json").write_text(json.dumps(content, indent=1))

    def _ask(self, method: str, path: str) -> Any:
        url = f"{self.host}/apis/v2beta1/{path}"
        token = os.environ.get("KFP_TOKEN", "")
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        for attempt in range(5):
            request = urllib.request.Request(url, method=method, headers=bearer)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read() or b"{}")
            except urllib.error.HTTPError as err:
                raise StepFailed(f"{method} {url}: {err.code} {err.read()[:300]!r}") from err
            except OSError as err:  # the way through kubectl broke; it is opened again
                last = err
                time.sleep(2.0 * (attempt + 1))
        raise StepFailed(f"{method} {url}: {last}")


def healthz(host: str) -> Object | None:
    """Return what KFP's API says of itself, None where none answers."""
    try:
        with urllib.request.urlopen(f"{host}/apis/v2beta1/healthz", timeout=5) as answer:
            found: Object = json.loads(answer.read())
            return found
    except (OSError, ValueError):
        return None


def _seconds(stamp: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
