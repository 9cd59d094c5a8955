"""kubectl as a user calls it: every call and its answer is written down."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.report import StepFailed
from tests.e2e.settings import ROOT

Object = dict[str, Any]
# What steps make beside the installation; deleted by this label.
MINE = {"app.kubernetes.io/part-of": "invopt-e2e"}


class Kube:
    """One namespace of one cluster.

    Args:
        namespace: Everything happens in.
        log: File that every command and its answer is appended to.
    """

    def __init__(self, namespace: str, log: Path) -> None:
        self.namespace, self.log = namespace, log
        self._lock = threading.Lock()
        log.parent.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        *arguments: str,
        stdin: str | bytes | None = None,
        seconds: float = 120,
        here: bool = True,
    ) -> subprocess.CompletedProcess[Any]:
        """Call kubectl; in the namespace unless `here` is False."""
        where = ("--namespace", self.namespace) if here else ()
        return self.call(["kubectl", *where, *arguments], stdin, seconds)

    def call(
        self,
        command: Sequence[str],
        stdin: str | bytes | None = None,
        seconds: float = 120,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[Any]:
        """Call a program; text in, text out, unless bytes are given or asked for."""
        text = not isinstance(stdin, bytes)
        began = time.monotonic()
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=text, timeout=seconds,
                cwd=ROOT, env=environment,
            )  # fmt: skip
        except subprocess.TimeoutExpired as err:
            out = err.stdout if isinstance(err.stdout, str) else (err.stdout or b"").decode()
            done = subprocess.CompletedProcess(
                command, 124, out, f"no end after {seconds:.0f} s" if text else b"no end"
            )
        self._write(command, done, time.monotonic() - began)
        return done

    def must(self, *arguments: str, **kwargs: Any) -> str:
        """Call kubectl and return what it printed.

        Raises:
            StepFailed: If it fails.
        """
        done = self.run(*arguments, **kwargs)
        if done.returncode:
            told = " ".join(str(done.stderr or done.stdout).split())
            raise StepFailed(f"kubectl {' '.join(arguments[:4])} failed: {told[-500:]}")
        return str(done.stdout)

    def get(self, *arguments: str, here: bool = True) -> Object:
        """Return objects as data."""
        found: Object = json.loads(self.must("get", *arguments, "-o", "json", here=here))
        return found

    def items(self, kind: str, selector: str = "") -> list[Object]:
        """Return the namespace's objects of a kind; none where the kind is not known."""
        done = self.run("get", kind, *(["-l", selector] if selector else []), "-o", "json")
        return json.loads(done.stdout)["items"] if done.returncode == 0 else []

    def find(self, kind: str, name: str) -> Object | None:
        """Return an object, None where there is none."""
        done = self.run("get", kind, name, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def apply(self, *objects: Object) -> None:
        """Apply objects given as data."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.must("apply", "-f", "-", stdin=json.dumps(listing))

    def invopt(
        self, *arguments: str, seconds: float = 3600, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[Any]:
        """Call the `invopt` command from here, as a user would."""
        return self.call(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            seconds=seconds,
            environment=os.environ | (environment or {}),
        )

    def _write(
        self, command: Sequence[str], done: subprocess.CompletedProcess[Any], seconds: float
    ) -> None:
        shown = [
            part if isinstance(part, str) else part.decode(errors="replace")
            for part in (done.stdout or "", done.stderr or "")
        ]
        # Objects as JSON would bury the rest.
        short = [
            s if len(s) < 4000 else f"{s[:1500]}\n… {len(s)} characters …\n{s[-1500:]}"
            for s in shown
        ]
        with self._lock, self.log.open("a") as file:
            file.write(
                f"[{time.strftime('%H:%M:%S')}] $ {' '.join(command)}\n"
                f"{''.join(short)}\n-> {done.returncode}, {seconds:.1f} s\n"
            )


def wait_for(check: Callable[[], Any], seconds: float, what: str, every: float = 2.0) -> Any:
    """Return what a check returns once it is true.

    Raises:
        StepFailed: If it does not come true in time.
    """
    ends = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > ends:
            raise StepFailed(f"{what} did not come in {seconds:.0f} s")
        time.sleep(every)
    return found


class PortForward:
    """A way from here to a service, opened again whenever it breaks.

    Args:
        namespace: Of the service.
        service: Name.
        port: Of the service.
    """

    def __init__(self, namespace: str, service: str, port: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.local: int = probe.getsockname()[1]
        self.command = [
            "kubectl", "-n", namespace, "port-forward", f"svc/{service}", f"{self.local}:{port}"
        ]  # fmt: skip
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is here."""
        return f"http://127.0.0.1:{self.local}"

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._process = subprocess.Popen(
                self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self._process.wait()
            self._ended.wait(1.0)

    def close(self) -> None:
        """End it."""
        self._ended.set()
        if self._process is not None:
            self._process.terminate()


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say which part of a step failed."""
    try:
        yield
    except StepFailed as err:
        raise StepFailed(f"{what}: {err}") from err


def last_line(text: str) -> str:
    """Return a command's last words."""
    return (text.strip().splitlines() or [""])[-1]


def version_of(spec: Object) -> str:
    """Return the version that an InferenceService's spec serves, "" for none."""
    model = spec["predictor"].get("model", {})
    return next(
        (e["value"] for e in model.get("env", []) if e["name"] == "INVOPT_MODEL_VERSION"), ""
    )


def run_ids(text: str) -> list[str]:
    """Return the ids of runs that `invopt submit` printed."""
    return re.findall(r"runs/details/([0-9a-f-]{36})", text)
