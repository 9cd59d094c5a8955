"""Deployment on this machine: a version answers first, then it is the champion."""

import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invopt.deployment_config import DeploymentConfig
from invopt.errors import InvalidInputError
from invopt.types import Notify
from serving.deployment import Deployment
from serving.settings import ServerSettings
from serving.stores.feature_store import published_names

_NUM_SMOKE = 5
_UNAUTHORIZED = 401
# What libraries say at every start; the end of a log says more without them.
_NOISE = re.compile(r"Warning\b|^\s+warnings\.warn\(|^\s*$")


def deploy_local(
    deployment: Deployment,
    name: str,
    version: str,
    notify: Notify,
    ready_minutes: float = DeploymentConfig().ready_minutes,
    judged: str | None = None,
) -> str:
    """Start a server with a version, ask it for decisions, and make the version champion.

    Args:
        deployment: Where it goes to work.
        name: Registered model.
        version: Of it.
        notify: Called with lines of progress.
        ready_minutes: Longest wait for the server.
        judged: Champion's version that it was judged beside, as in Registry.check_judged.

    Raises:
        InvalidInputError: If it does not answer rightly, or the champion is another one than it was
            judged beside; the champion stays.
    """
    notify(f"starting a server with {name} version {version}")
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--name", name, "--version", version,
             "--port", str(port)],
            stdout=log, stderr=subprocess.STDOUT, env=deployment.child_environment(),
        )  # fmt: skip
        try:
            started = time.monotonic()
            server = _Server(f"http://127.0.0.1:{port}", name, server_token(deployment))
            _wait_ready(server, process, log.name, ready_minutes)
            seconds = time.monotonic() - started
            _smoke(server, published_names(deployment.settings, _NUM_SMOKE))
        finally:
            process.terminate()
            process.wait(timeout=30)
    deployment.registry.promote(name, version, judged)
    notify(f"{name} version {version} answers ({seconds:.0f} s) and is champion")
    return deployment.registry.champion_version(name)


@dataclass(frozen=True)
class _Server:
    """The server under test, which asks for the same token as every server here."""

    url: str
    name: str
    token: str

    def open(self, path: str, body: dict[str, Any] | None = None, seconds: float = 30.0) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.open(path, body))
            return content
        except urllib.error.HTTPError as err:
            raise InvalidInputError(f"{path} answered {err.code}: {err.read()[:300]!r}") from err


def server_token(deployment: Deployment) -> str:
    """Return the token that this deployment's servers ask for, "" for none."""
    return ServerSettings.from_environment("", 0, None, deployment.environment).token


def _smoke(server: _Server, names: list[str]) -> None:
    name = server.name
    answer = server.post(
        f"/v1/models/{name}:predict", {"instances": [{"unique_id": n} for n in names]}
    )
    means = [d.get("mean") for d in answer.get("predictions", [])]
    second = server.post(
        f"/v2/models/{name}/infer",
        {"inputs": [{"name": "unique_id", "datatype": "BYTES", "shape": [len(names)],
                     "data": names}]},
    )  # fmt: skip
    if len(means) != len(names) or not all(means):
        raise InvalidInputError(f"the server's smoke answer is not whole: {str(answer)[:300]}")
    if not any(output["name"] == "mean" for output in second.get("outputs", [])):
        raise InvalidInputError(f"the server's v2 answer has no mean: {str(second)[:300]}")


def _wait_ready(
    server: _Server, process: "subprocess.Popen[bytes]", log: str, minutes: float
) -> None:
    deadline = time.monotonic() + 60 * minutes
    answered = ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.open(f"/v2/models/{server.name}/ready", seconds=2.0)
        except urllib.error.HTTPError as err:
            answered = f"{err.code} {err.read()[:200].decode(errors='replace')}"
            if err.code == _UNAUTHORIZED:
                break  # waiting does not help
        except OSError:
            pass
        else:
            return
        time.sleep(0.25)
    raise InvalidInputError(_not_ready(process.poll(), minutes, answered, Path(log)))


def _not_ready(status: int | None, minutes: float, answered: str, log: Path) -> str:
    """Return why a server is not ready: how it ended, what it answered, what it printed last."""
    lines = log.read_text(errors="replace").splitlines()
    said = [line.strip() for line in lines if not _NOISE.search(line)][-3:]
    if status is not None:
        how = f"it ended with status {status}"
    elif answered.startswith(str(_UNAUTHORIZED)):
        how = "it did not take the token in INVOPT_SERVER_TOKEN"
    else:
        how = f"not within {minutes:g} minutes (deployment.ready_minutes)"
    parts = [f"the server did not become ready: {how}"]
    parts += [f"it answered {answered}"] if answered else []
    parts += [f"it last said: {' '.join(said)[-500:]}" if said else "it said nothing"]
    return "; ".join(parts)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
