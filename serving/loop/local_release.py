"""Deployment on this machine: a version answers first, then it is the champion."""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from serving.stores.feature_store import published_names

_READY_SECONDS = 120
_NUM_SMOKE = 5


def deploy_local(
    deployment: Deployment, name: str, version: str, notify: Callable[[str], None]
) -> str:
    """Start a server with a version, ask it for decisions, and make the version champion.

    Raises:
        InvalidInputError: If it does not answer rightly; the champion stays.
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
            _wait_ready(f"http://127.0.0.1:{port}/v2/models/{name}/ready", process, log.name)
            seconds = time.monotonic() - started
            _smoke(deployment, name, port)
        finally:
            process.terminate()
            process.wait(timeout=30)
    deployment.registry.make_champion(name, version)
    notify(f"{name} version {version} answers after {seconds:.0f} s and is champion")
    return deployment.registry.champion_version(name)


def _smoke(deployment: Deployment, name: str, port: int) -> None:
    names = published_names(deployment.settings, _NUM_SMOKE)
    answer = _post(
        f"http://127.0.0.1:{port}/v1/models/{name}:predict",
        {"instances": [{"unique_id": n} for n in names]},
    )
    means = [d.get("mean") for d in answer.get("predictions", [])]
    second = _post(
        f"http://127.0.0.1:{port}/v2/models/{name}/infer",
        {"inputs": [{"name": "unique_id", "datatype": "BYTES", "shape": [len(names)],
                     "data": names}]},
    )  # fmt: skip
    if len(means) != len(names) or not all(means):
        raise InvalidInputError(f"the server's smoke answer is not whole: {str(answer)[:300]}")
    if not any(output["name"] == "mean" for output in second.get("outputs", [])):
        raise InvalidInputError(f"the server's v2 answer has no mean: {str(second)[:300]}")


def _wait_ready(url: str, process: "subprocess.Popen[bytes]", log: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    tail = " ".join(Path(log).read_text().strip().splitlines()[-3:])
    raise InvalidInputError(f"the server did not become ready; it last said: {tail[-500:]}")


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            content: dict[str, Any] = json.loads(answer.read())
            return content
    except urllib.error.HTTPError as err:
        raise InvalidInputError(f"{url} answered {err.code}: {err.read()[:300]!r}") from err


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
