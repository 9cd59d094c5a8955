"""`invopt bench kills`: commands killed at moments chosen by chance, one alone or two at once.

The smallest loop in a workspace of its own, with a server beside it. Training, replenishment,
monitoring and rollback are started as a planner or a schedule starts them, and killed with all
their processes somewhere between their first and their last second; the server is killed too.
Afterwards the champion must be whole with its own verdict and be what the server answers from,
orders must be whole and of a champion, and the same command must end well.
"""

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from benchmarks.crashes import registry_of
from invopt.errors import InvalidInputError
from invopt.model_files import verify
from invopt.types import Notify
from serving.loop.local_release import free_port
from serving.stores.registry import Registry

NAME = "smoke"
_CONFIG = Path(__file__).resolve().parent.parent / "pipelines" / "configs" / "smoke.yaml"
_LONGEST = 1800.0  # seconds of any command, after which it counts as hung
_PATIENCE = 60.0  # seconds until the server answers from the champion
# How often each is chosen: a training takes as long as the others together.
_SHARES = {"training": 2, "replenishment": 3, "monitoring": 2, "rollback": 3, "serve": 1}
_SERVE = "serve"


@dataclass
class Kill:
    """One moment: what was killed after how many seconds, and what was wrong afterwards."""

    commands: tuple[str, ...]
    after: float
    landed: bool
    faults: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> None:
    """Kill and print the table; a fault ends with a sentence that names the first ones."""
    parser = argparse.ArgumentParser(prog="invopt bench kills")
    parser.add_argument("--times", type=int, default=200, help="moments (default: 200)")
    parser.add_argument("--seconds", type=float, default=0, help="stop after; 0 for never")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder of the loop, kept for another time")
    found = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="invopt-kills-") as folder:
        loop = Loop(found.keep or Path(folder), random.Random(found.seed))  # noqa: S311
        try:
            kills = loop.play(found.times, found.seconds, lambda text: print(text, flush=True))
        finally:
            loop.stop()
    print(table(kills))
    wrong = [f"{' and '.join(k.commands)}: {text}" for k in kills for text in k.faults]
    if wrong:
        raise InvalidInputError(f"{len(wrong)} faults after a kill: {'; '.join(wrong[:3])}")


def table(kills: list[Kill]) -> str:
    """Return what was seen as a table in Markdown, a row per command and one per pair."""
    lines = [
        "| killed | moments | while it ran | seconds after the start | wrong afterwards |",
        "|---|---|---|---|---|",
    ]
    for two in (False, True):
        names = sorted({k.commands for k in kills if (len(k.commands) > 1) == two})
        for commands in names:
            of = [k for k in kills if k.commands == commands]
            landed = [k.after for k in of if k.landed]
            span = f"{min(landed):.1f} to {max(landed):.1f}" if landed else ""
            wrong = sum(bool(k.faults) for k in of)
            lines.append(
                f"| {' and '.join(commands)} | {len(of)} | {len(landed)} | {span} | {wrong} |"
            )
    return "\n".join(lines)


class Loop:
    """A workspace with two versions that were champion, and its server."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.workspace, self.orders = folder / "workspace", folder / "orders.csv"
        self.port = free_port()
        self.longest: dict[str, float] = {}  # seconds that a command takes
        self.num = 0
        self._ordered_by = ""  # version of the orders that were there before
        self.server: subprocess.Popen[bytes] | None = None

    def play(self, times: int, seconds: float, notify: Notify) -> list[Kill]:
        """Prepare the workspace and kill commands; returns what was seen."""
        deadline = time.monotonic() + seconds if seconds else float("inf")
        self.prepare(notify)
        kills: list[Kill] = []
        while len(kills) < times and time.monotonic() < deadline:
            # Two at once in every second moment.
            two = len(kills) % 2 == 1
            kills.append(self._kill(self._chosen(2 if two else 1)))
            last = kills[-1]
            notify(
                f"{len(kills)} of {times}: {' and '.join(last.commands)} killed after "
                f"{last.after:.1f} s{'' if last.landed else ', which had ended'}"
                + "".join(f"; WRONG: {text}" for text in last.faults)
            )
        return kills

    def stop(self) -> None:
        """End the server."""
        if self.server is not None and self.server.poll() is None:
            self.server.terminate()
            self.server.wait()

    def registry(self) -> Registry:
        """Return the workspace's registry."""
        return registry_of(self.folder)

    def prepare(self, notify: Notify) -> None:
        """Train two versions, make both champion in turn, and start the server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for seed in (1, 2):
            self._run("training", seed)
            notify(f"training {seed} took {self.longest['training']:.0f} s")
        if not self.registry().previous_version(NAME):
            last = max((v for _, v in self.registry().registered_versions()), key=int)
            self.registry().make_champion(NAME, last)
        for name in ("replenishment", "monitoring", "rollback"):
            self._run(name, 1)
            notify(f"{name} took {self.longest[name]:.0f} s")
        self._serve()

    def _chosen(self, num: int) -> tuple[str, ...]:
        names = list(_SHARES)
        if num > 1:  # a server is beside each command anyway
            names.remove(_SERVE)
        shares = [_SHARES[name] for name in names]
        return tuple(sorted(self.chance.choices(names, shares, k=num)))

    def _kill(self, commands: tuple[str, ...]) -> Kill:
        """Start commands, kill them, and look at what is left."""
        before = self.champion()
        span = max(self.longest[name] for name in commands)
        after = self.chance.uniform(0.0, span)
        self.num += 1
        started = []
        for name in commands:
            process = self.server if name == _SERVE else self._start(name, self.num + 2)
            assert process is not None
            started.append(process)
        time.sleep(after)
        landed = any(process.poll() is None for process in started)
        for process in started:
            _end(process)
        if _SERVE in commands:
            self._serve()
        kill = Kill(commands, after, landed)
        possible = {before, *self._champions()}
        self._look("after the kill", kill, possible)
        for name in dict.fromkeys(commands):
            if name != _SERVE:
                said = self._said_by(name)
                kill.faults += [f"the next {name} {said}"] if said else []
        possible |= set(self._champions())
        self._look("after the next run", kill, possible)
        return kill

    def _said_by(self, name: str) -> str:
        try:
            self._run(name, self.num + 2)
        except InvalidInputError as err:
            return str(err)
        return ""

    def _look(self, when: str, kill: Kill, champions: set[str]) -> None:
        """Add what is wrong with the workspace to a kill's faults."""
        checks: tuple[Callable[[], str], ...] = (
            self._wrong_champion,
            lambda: self._wrong_orders(champions),
            self.wrong_service,
        )
        for check in checks:
            try:
                said = check()
            except (OSError, ValueError, RuntimeError) as err:
                said = f"{type(err).__name__}: {err}"
            kill.faults += [f"{when}: {said}"] if said else []

    def champion(self) -> str:
        """Return the champion's version."""
        return self.registry().champion_version(NAME)

    def _champions(self) -> tuple[str, ...]:
        registry = self.registry()
        return registry.champion_version(NAME), registry.previous_version(NAME)

    def _wrong_champion(self) -> str:
        registry = self.registry()
        found = registry.champion_of(NAME)
        verify(registry.folder(found), found.sha256)
        evidence = registry.evidence_path(NAME, found.version)
        missing = [n for n in ("verdict", "deployment.json") if not (evidence / n).exists()]
        if missing:
            return f"champion {found.version} has no {' nor '.join(missing)}"
        told = json.loads((evidence / "deployment.json").read_text())
        if (told["model"], told["version"]) != (found.sha256, found.version):
            return f"deployment.json of version {found.version} names another model"
        versions = [version for _, version in registry.registered_versions()]
        places = {registry.model_source(NAME, version) for version in versions}
        return "" if len(places) == len(versions) else f"{len(versions)} versions share models"

    def _wrong_orders(self, champions: set[str]) -> str:
        if not self.orders.is_file():
            return "orders.csv is gone"
        frame = pd.read_csv(self.orders, dtype=str)
        expected = 60
        if len(frame) != expected or frame["unique_id"].nunique() != expected:
            return f"orders.csv has {len(frame)} rows of {expected}"
        versions = frame["model_version"].str.removeprefix(f"{NAME}-")
        strange = set(versions.dropna()) - champions - {self._ordered_by}
        self._ordered_by = str(versions.iloc[0])
        return f"orders of version {sorted(strange)}" if strange else ""

    def wrong_service(self) -> str:
        """Return what is wrong with what is served; the server has a minute to follow."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            served, champion = self.served(), self.champion()
            if served == champion:
                return ""
            if time.monotonic() > deadline:
                return f"version {served or 'none'} is served, {champion} is champion"
            time.sleep(0.5)

    def served(self) -> str:
        """Return the version that the server answers from, "" where there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError):
            return ""
        found = re.search(r'^invopt_served_version\{.*version="([^"]*)"\} 1', text, re.MULTILINE)
        return found[1] if found else ""

    def _arguments(self, name: str, seed: int) -> list[str]:
        if name == "rollback":
            return ["rollback", "--workspace", str(self.workspace)]
        run = ["run", name, "--config", str(_CONFIG), "--workspace", str(self.workspace)]
        if name == "training":  # the gate changes, so that not every step is remembered
            run += ["--set", f"training.seed={seed}", "--set", "tuning.num_trials=1"]
        if name == "replenishment":
            run += ["--out", str(self.orders)]
        return [*run, "--set", "governor.enabled=false"]

    def _start(self, name: str, seed: int) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"{name}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *self._arguments(name, seed)],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def _run(self, name: str, seed: int) -> None:
        """Run a command to its end.

        Raises:
            InvalidInputError: If it fails or hangs.
        """
        started = time.monotonic()
        process = self._start(name, seed)
        try:
            status = process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            _end(process)
            raise InvalidInputError(f"hung for {_LONGEST:.0f} s") from None
        if status:
            last = (self.folder / f"{name}.log").read_text(errors="replace")[-600:]
            raise InvalidInputError(f"ended with {status}: {last}")
        self.longest[name] = max(self.longest.get(name, 0.0), time.monotonic() - started)

    def _serve(self) -> None:
        started = time.monotonic()
        log = (self.folder / "serve.log").open("ab")
        self.server = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "serve", "--workspace", str(self.workspace),
             "--port", str(self.port)],
            stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "INVOPT_SERVER_REFRESH_SECONDS": "1"},
        )  # fmt: skip
        while not self.served():
            if self.server.poll() is not None or time.monotonic() - started > _LONGEST:
                raise InvalidInputError(
                    f"the server does not start: {(self.folder / 'serve.log').read_text()[-600:]}"
                )
            time.sleep(0.1)
        self.longest[_SERVE] = 2.0


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process with all that it started, wherever it is."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
