"""A small KFP API over HTTP on loopback: pipelines, versions, experiments, runs, schedules."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]
_ROOT = "/apis/v2beta1"
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
}


class FakeKfp:
    """The API server; `states` are what a run's looks return, the last one for ever."""

    def __init__(self) -> None:
        self.pipelines: list[Object] = []
        self.versions: list[Object] = []
        self.packages: list[Object] = []
        self.experiments: list[Object] = []
        self.runs: list[Object] = []
        self.recurring: list[Object] = []
        self.states = ["PENDING", "RUNNING", "SUCCEEDED"]
        self.failure: Object = {}
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

    def _get_runs(self, *_: Any) -> Object:
        return {"runs": self.runs}

    def _get_run(self, number: str, *_: Any) -> Object:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        kept = next((r for r in self.runs if r["run_id"] == number), None)
        if kept is None:
            raise LookupError(f"run {number} not found")
        found = kept | {"state": state}
        return found | self.failure if state == "FAILED" else found

    def _get_recurringruns(self, *_: Any) -> Object:
        return {"recurringRuns": self.recurring}

    def _post_recurringruns(self, _: str, __: Any, raw: bytes) -> Object:
        made = json.loads(raw) | {"recurring_run_id": f"j{len(self.recurring)}"}
        self.recurring.append(made)
        return made

    def _delete_recurringrun(self, number: str, *_: Any) -> Object:
        self.recurring = [r for r in self.recurring if r["recurring_run_id"] != number]
        return {}


def _call(path: str) -> tuple[str, str]:
    for pattern, name in (
        (r"pipelines/([^/]+)/versions", "versions"),
        (r"pipelines/[^/]+/versions/([^/]+)", "version"),
        (r"runs/([^/]+)", "run"),
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
        else:
            path = parts.path.removeprefix(_ROOT).strip("/")
            try:
                status, found = 200, self.api.answer(self.command, path, parse_qs(parts.query), raw)
            except LookupError as err:
                status, found = 404, {"error": str(err), "code": 5, "message": str(err)}
        content = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _serve

    def log_message(self, *_: Any) -> None:
        return None
