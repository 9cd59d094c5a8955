"""The whole loop as processes: wall time and peak memory of each pipeline and of the tests."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelines.cli import PIPELINES

_ROOT = Path(__file__).resolve().parent.parent
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Cost:
    """What a command took.

    Attributes:
        seconds: Wall clock.
        bytes: Largest sum of resident memory over its processes.
    """

    seconds: float
    bytes: int


def main(rest: list[str]) -> None:
    """Run the three pipelines in a fresh workspace and print a table."""
    parser = argparse.ArgumentParser(prog="invopt bench loop")
    parser.add_argument("--config", type=Path, default=_ROOT / "pipelines/configs/demo.yaml")
    parser.add_argument("--data", type=Path, help="folder of the data")
    parser.add_argument("--workspace", type=Path, help="kept; a temporary one by default")
    parser.add_argument("--tests", action="store_true", help="also the two sets of tests")
    parsed = parser.parse_args(rest)
    workspace = parsed.workspace or Path(tempfile.mkdtemp(prefix="invopt-loop-"))
    rows = []
    for pipeline in PIPELINES:
        command = [sys.executable, "-m", "pipelines.cli", "run", pipeline]
        command += ["--config", str(parsed.config), "--workspace", str(workspace)]
        command += ["--data", str(parsed.data)] if parsed.data else []
        rows.append((f"run {pipeline}", measure(command)))
    if parsed.tests:
        pytest = [sys.executable, "-m", "pytest", "-q"]
        rows.append(("make test-unit", measure([*pytest, "-m", "not slow"])))
        rows.append(("make test", measure(pytest)))
    if parsed.workspace is None:
        shutil.rmtree(workspace)
    print(f"\n{'command':<20} {'minutes':>8} {'peak GB':>8}")
    for name, cost in rows:
        print(f"{name:<20} {cost.seconds / 60:>8.2f} {cost.bytes / 1e9:>8.2f}")


def measure(command: list[str]) -> Cost:
    """Run a command to its end and return what it took.

    Shared pages are counted once per process, so the memory is an upper bound.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    started = time.monotonic()
    process = psutil.Popen(command, cwd=_ROOT, env=os.environ.copy())
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(process))
        time.sleep(_POLL_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.monotonic() - started, peak)


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for each in [process, *process.children(recursive=True)]:
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    except psutil.NoSuchProcess:
        return total
    return total
