"""`invopt bench promotions`: requests while promotions and rollbacks happen; not one may fail.

A workspace with two versions of the smallest loop and the server that a planner starts. Callers
ask for decisions without a pause, and every hundredth request is wrong on purpose; meanwhile the
champion changes, by the registry's promotion and by the command of a rollback in turn, each as
soon as the server answers from the one before.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._load import Caller, request_of, requests_of
from benchmarks.kills import NAME, Loop
from invopt.errors import InvalidInputError

_CALLERS = 2
_PATH = f"/v1/models/{NAME}:predict"
_WRONG_EVERY = 100


def main(arguments: list[str]) -> None:
    """Ask and change; prints answers by status, times, and what failed."""
    parser = argparse.ArgumentParser(prog="invopt bench promotions")
    parser.add_argument("--requests", type=int, default=50_000, help="in all, at least")
    parser.add_argument("--changes", type=int, default=20, help="of the champion, at least")
    found = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="invopt-promotions-") as folder:
        loop = Loop(Path(folder), random.Random(0))  # noqa: S311
        loop.prepare(lambda text: print(text, flush=True))
        try:
            names = pd.read_csv(loop.orders, dtype=str)["unique_id"].tolist()
            load = _Load(loop.port, names)
            changes = _change(loop, load, found.changes, found.requests)
            load.stop()
        finally:
            loop.stop()
    load.tell(changes)
    if load.failed:
        raise InvalidInputError(f"{load.failed} requests failed: {dict(load.answers)}")


def _change(loop: Loop, load: "_Load", least: int, requests: int) -> int:
    """Change the champion until enough happened; returns how often."""
    num = 0
    while num < least or load.total < requests:
        registry = loop.registry()
        if num % 2:
            command = [sys.executable, "-m", "pipelines.cli", "rollback", "--workspace"]
            subprocess.run([*command, str(loop.workspace)], check=True, capture_output=True)
        else:
            registry.promote(NAME, registry.previous_version(NAME), None)
        num += 1
        wrong = loop.wrong_service()
        if wrong:
            raise InvalidInputError(f"after change {num}: {wrong}")
    return num


class _Load:
    """Callers that ask until they are told to stop."""

    def __init__(self, port: int, names: list[str]) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.times: list[float] = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(port, names, seed)) for seed in range(_CALLERS)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def total(self) -> int:
        """Requests answered or lost so far."""
        return sum(self.answers.values())

    @property
    def failed(self) -> int:
        """Requests without the answer that they should have had."""
        right = {("right", 200), ("wrong on purpose", 400)}
        return sum(number for key, number in self.answers.items() if key not in right)

    def stop(self) -> None:
        """Let every caller finish its request."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def tell(self, changes: int) -> None:
        """Print what came of it."""
        for (what, status), number in sorted(self.answers.items()):
            print(f"{what}: {number:,} answered {status or 'by nobody'}")
        p50, p99 = np.percentile(self.times, [50, 99]) * 1e3
        print(
            f"{self.total:,} requests over {changes} changes of the champion, {self.failed} failed"
        )
        print(f"median {p50:.1f} ms, 99 % {p99:.1f} ms, longest {max(self.times) * 1e3:.0f} ms")

    def _ask(self, port: int, names: list[str], seed: int) -> None:
        caller = Caller(port)
        bodies = [r.split(b"\r\n\r\n", 1)[1] for r in requests_of(names, 1, seed)]
        right = [request_of(body, _PATH) for body in bodies]
        wrong = request_of(b'{"instances": [', _PATH)
        number = 0
        while not self._stopped.is_set():
            number += 1
            what = "right" if number % _WRONG_EVERY else "wrong on purpose"
            started = time.perf_counter()
            status = caller.post(right[number % len(right)] if what == "right" else wrong)
            self.times.append(time.perf_counter() - started)
            self.answers[what, status] += 1
        caller.close()
