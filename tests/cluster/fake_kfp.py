"""A small KFP API over HTTP on loopback: pipelines, versions, experiments, runs, schedules.

It answers as KFP 2.17 does: a run without a state before the first look at it, tasks that are all
of Argo's nodes without their ids and errors, logs that are "200" even where there are none, and a
recurring run that takes its runs under way along when it is deleted.
"""

import base64
import gzip
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.cluster.argo_nodes import Step, manifest, task_details, workflow

Object = dict[str, Any]
_ROOT = "/apis/v2beta1"
_DONE = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
# What KFP asks Kubernetes about the caller, by call (its multi-user mode).
_RULES = {
    ("GET", "pipelines"): ("pipelines", "list"),
    ("POST", "pipelines/upload"): ("pipelines", "create"),
    ("GET", "versions"): ("pipelines/versions", "list"),
    ("GET", "version"): ("pipelines/versions", "get"),
    ("POST", "pipelines/upload_version"): ("pipelines/versions", "create"),
    ("GET", "experiments"): ("experiments", "list"),
    ("POST", "experiments"): ("experiments", "create"),
    ("POST", "runs"): ("runs", "create"),
    ("GET", "run"): ("runs", "get"),
    ("GET", "runs"): ("runs", "list"),
    ("GET", "recurringruns"): ("jobs", "list"),
    ("POST", "recurringruns"): ("jobs", "create"),
    ("DELETE", "recurringrun"): ("jobs", "delete"),
    ("POST", "disable"): ("jobs", "disable"),
}


class FakeKfp:
    """The API server.

    Attributes:
        states: What looks at a run return, the last one for ever; None is a run without a state.
        steps: Of the run, from which its nodes are made.
        terminated: Whether somebody ended it.
        hands_out_workflows: Whether it knows the API before v2beta1 too.
        packs_nodes: Whether Argo packs the nodes, as it does with those of a long run.
        orphans: Recurring runs whose schedule is gone from Kubernetes.
        drops: Connections to close without an answer, from the next one on.
        killed: Runs under way whose recurring run was deleted; KFP calls them RUNNING for ever.
    """

    def __init__(self) -> None:
        self.pipelines: list[Object] = []
        self.versions: list[Object] = []
        self.packages: list[Object] = []
        self.experiments: list[Object] = []
        self.runs: list[Object] = []
        self.recurring: list[Object] = []
        self.states: list[str | None] = [None, "PENDING", "RUNNING", "SUCCEEDED"]
        self.steps: list[Step] = []
        self.terminated = False
        self.hands_out_workflows = True
        self.packs_nodes = False
        self.orphans: set[str] = set()
        self.drops = 0
        self.killed: list[str] = []
        self.history: list[Object] = []
        self.multi_user = False
        self.token = ""  # that it asks for where it serves several users
        self.refusal: tuple[int, str] | None = None
        self.used: set[tuple[str, str]] = set()
        handler = type("Handler", (_Handler,), {"api": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], raw: bytes) -> Object:
        if path == "healthz":
            return {"multi_user": self.multi_user}
        call, number = _call(path)
        self.used.add(_RULES[method, call])
        handle = getattr(self, f"_{method.lower()}_{call.replace('/', '_')}")
        return handle(number, query, raw)

    def _get_pipelines(self, _: str, query: dict[str, list[str]], __: bytes) -> Object:
        wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
        whose = query.get("namespace", [""])[0]
        found = [p for p in self.pipelines if p["display_name"] == wanted]
        return {"pipelines": [p for p in found if p["namespace"] == whose]}

    def _post_pipelines_upload(self, _: str, query: dict[str, list[str]], raw: bytes) -> Object:
        made = {
            "pipeline_id": f"p{len(self.pipelines)}",
            "display_name": query["name"][0],
            "namespace": query.get("namespace", [""])[0],
        }
        self.pipelines.append(made)
        return made

    def _get_versions(self, number: str, *_: Any) -> Object:
        return {"pipeline_versions": [v for v in self.versions if v["pipeline_id"] == number]}

    def _get_version(self, number: str, *_: Any) -> Object:
        kept = next(n for n, v in enumerate(self.versions) if v["pipeline_version_id"] == number)
        platform = {"platforms": {"kubernetes": {}}}
        spec = {"pipeline_spec": self.packages[kept], "platform_spec": platform}
        return self.versions[kept] | {"pipeline_spec": spec}

    def _post_pipelines_upload_version(
        self, _: str, query: dict[str, list[str]], raw: bytes
    ) -> Object:
        self.packages.append(_package(raw))
        made = {
            "pipeline_id": query["pipelineid"][0],
            "pipeline_version_id": f"v{len(self.versions)}",
            "display_name": query["name"][0],
        }
        self.versions.append(made)
        return made

    def _get_experiments(self, _: str, query: dict[str, list[str]], __: bytes) -> Object:
        return {"experiments": self.experiments}

    def _post_experiments(self, _: str, __: Any, raw: bytes) -> Object:
        made = json.loads(raw) | {"experiment_id": f"e{len(self.experiments)}"}
        self.experiments.append(made)
        return made

    def _post_runs(self, _: str, __: Any, raw: bytes) -> Object:
        made = json.loads(raw) | {"run_id": f"r{len(self.runs)}"}
        self.runs.append(made)
        return made

    def _get_runs(self, _: str, query: dict[str, list[str]], __: bytes) -> Object:
        newest = [{"state": "RUNNING"} | run for run in reversed(self.runs)]
        return _page("runs", newest, query)

    def _get_run(self, number: str, *_: Any) -> Object:
        kept = next((run for run in self.runs if run["run_id"] == number), None)
        if kept is None:
            raise LookupError(
                f"Failed to get a run: ResourceNotFoundError: Run {number} not found."
            )
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        found = kept | {"error": None, "run_details": {"task_details": []}}
        found.pop("state", None)
        if state:
            found["state"] = state
            self.history.append({"update_time": "2026-01-01T00:00:00Z", "state": state})
        found["state_history"] = list(self.history)
        if self.steps:
            found["run_details"]["task_details"] = task_details(self._workflow()[0], number)
        return found

    def old_run(self, number: str) -> Object:
        """Answer as the API before v2beta1: with the workflow itself."""
        if not self.hands_out_workflows:
            raise KfpError(404, "Not Found")
        run = {"id": number, "pipeline_spec": {}}
        made = self._workflow()[0]
        if self.packs_nodes:
            nodes = gzip.compress(json.dumps(made["status"].pop("nodes")).encode())
            made["status"]["compressedNodes"] = base64.b64encode(nodes).decode()
        return {"run": run, "pipeline_runtime": {"workflow_manifest": manifest(made)}}

    def log(self, run: str, node: str) -> str:
        """Return a step's log, or KFP's error: it has said 200 by then.

        The archive looks at what lies below a wrapper too, three levels deep.
        """
        made, logs = self._workflow()
        nodes, looked = made["status"]["nodes"], [node]
        for _ in range(3):
            looked += [c for n in looked if n in nodes for c in nodes[n].get("children") or ()]
        node = next((number for number in looked if number in logs), node)
        if node not in logs:
            return json.dumps(
                {"error_message": f"BadRequestError: Failed to read logs for run {run}"}
            )
        return logs[node]

    def _workflow(self) -> tuple[Object, dict[str, str]]:
        return workflow(self.steps, terminated=self.terminated)

    def _get_recurringruns(self, _: str, query: dict[str, list[str]], __: bytes) -> Object:
        return _page("recurringRuns", list(reversed(self.recurring)), query)

    def _post_recurringruns(self, _: str, __: Any, raw: bytes) -> Object:
        made = json.loads(raw) | {"recurring_run_id": f"j{len(self.recurring)}"}
        made["status"] = "ENABLED"
        cron = made["trigger"]["cron_schedule"]["cron"]
        if len(cron.split()) not in (5, 6):
            raise KfpError(400, f"Schedule cron is not a supported format: {cron}")
        self.recurring.append(made)
        return made

    def _delete_recurringrun(self, number: str, *_: Any) -> Object:
        self.recurring = [r for r in self.recurring if r["recurring_run_id"] != number]
        self.killed += [
            run["run_id"]
            for run in self.runs
            if run.get("recurring_run_id") == number and run.get("state") not in _DONE
        ]
        return {}

    def _post_disable(self, number: str, *_: Any) -> Object:
        if number in self.orphans:
            raise KfpError(
                500,
                f"Failed to disable a recurring run: InternalServerError: Failed to change "
                f"recurring run's {number} mode to enable:false: scheduledworkflows.kubeflow.org "
                '"demo-x" not found',
            )
        for job in self.recurring:
            if job["recurring_run_id"] == number:
                job["status"] = "DISABLED"
        return {}


class KfpError(Exception):
    """A refusal."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def _page(key: str, items: list[Object], query: dict[str, list[str]]) -> Object:
    """Return one page of at most 200, as KFP does, and the token of the next one."""
    size = min(int(query.get("page_size", ["20"])[0]), 200)
    first = int(query.get("page_token", ["0"])[0] or 0)
    rest = str(first + size) if first + size < len(items) else ""
    return {key: items[first : first + size], "next_page_token": rest}


def _call(path: str) -> tuple[str, str]:
    for pattern, name in (
        (r"pipelines/([^/]+)/versions", "versions"),
        (r"pipelines/[^/]+/versions/([^/]+)", "version"),
        (r"runs/([^/]+)", "run"),
        (r"recurringruns/([^/:]+):disable", "disable"),
        (r"recurringruns/([^/]+)", "recurringrun"),
    ):
        if found := re.fullmatch(pattern, path):
            return name, found[1]
    return path, ""


def _package(raw: bytes) -> Object:
    """Return the first document of an uploaded multipart file."""
    text = raw.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0].decode()
    return next(iter(yaml.safe_load_all(text)))


class _Handler(BaseHTTPRequestHandler):
    api: FakeKfp
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.api.token and bearer != self.api.token and not parts.path.endswith("healthz"):
            status, found = 401, {"error": "the token is not for this audience"}
        elif self.api.refusal is not None:
            status, found = self.api.refusal[0], {"error": self.api.refusal[1]}
        elif self.api.drops > 0:
            self.api.drops -= 1
            self.close_connection = True
            self.connection.close()
            return
        else:
            status, found = self._answer(parts, raw)
        content = (found if isinstance(found, str) else json.dumps(found)).encode()
        self.send_response(status)
        kind = "text/plain" if isinstance(found, str) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, parts: Any, raw: bytes) -> tuple[int, Object | str]:
        try:
            if log := re.fullmatch("/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", parts.path):
                return 200, self.api.log(log[1], log[2])
            if old := re.fullmatch("/apis/v1beta1/runs/([^/]+)", parts.path):
                return 200, self.api.old_run(old[1])
            path = parts.path.removeprefix(_ROOT).strip("/")
            return 200, self.api.answer(self.command, path, parse_qs(parts.query), raw)
        except KfpError as err:
            return err.status, {"error": err.message, "code": 3, "message": err.message}
        except LookupError as err:
            return 404, {"error": str(err), "code": 5, "message": str(err)}

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        return None
