"""Mixed load, hostile requests and injected faults: what breaks, and what it costs in memory.

Three callers ask for 1 to 100 series a request; 1 % of requests are hostile, 1 % of callers hang
up half-way or before the answer. One after the other the store stops, the store hangs, a new
model comes, a truncated one comes, and the prediction log cannot be written. The server has the
limits it has by default.
"""

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from benchmarks._load import Caller, request_of, requests_of
from benchmarks._redis import Redis
from benchmarks._shop import Server, Shop, serving

_CALLERS = 3
_HOSTILE, _LEAVING = 0.01, 0.01
_FAULT_SECONDS, _CALM_SECONDS = 5.0, 15
# The store is left alone for so long after it failed; the fault is over only then.
_RECOVERY_SECONDS = 3.0
_LIMITS = {"INVOPT_SERVER_REFRESH_SECONDS": "1"}
_BAD = (
    b"{", b"", b'{"instances": [NaN]}', b'{"instances": [[["a"], 1]]}',
    b'{"instances": [{"unique_id": "x", "position": {"on_hand": -1}}]}', b" " * (9 << 20),
)  # fmt: skip
NO_FAULT = "no fault"
Fault = Callable[[], AbstractContextManager[None]]


def mixed_load(shop: Shop, redis: Redis, number: int) -> None:
    """Send so many requests, inject every fault at least twice, and print what came of it."""
    model, log = _Link(shop.folder / "champion", shop.model), _Link(shop.folder / "log")
    limits = _LIMITS | {"INVOPT_PREDICTION_LOG": str(log.place)}
    with serving(shop, "serving", model.place, limits) as server:
        load = _Load(server.port, shop.names, number)
        started = time.monotonic()
        load.start()
        memory = _inject(load, server, _faults(shop, redis, model, log))
        load.join()
        print(f"{load.total:,} requests in {time.monotonic() - started:.0f} s, answers by status:")
        for fault, counts in sorted(load.counts.items()):
            told = ", ".join(f"{status}: {n:,}" for status, n in sorted(counts.items()))
            print(f"  {fault:24} {told}")
        # The first round fills the memory for the time without a store, and the log's buffers.
        first, last = (float(np.median(part)) for part in (memory[1], memory[-1]))
        most = max(max(part) for part in memory)
        print(
            f"memory, median in MB: {first:.0f} in the second round, {last:.0f} in the last "
            f"({last / first - 1:+.1%}); at most {most:.0f}"
        )
        for name in ("invopt_decisions_total", "invopt_instance_errors_total",
                     "invopt_store_failures_total", "invopt_model_reloads_total",
                     "invopt_prediction_log_lost_total"):  # fmt: skip
            print(f"{name}: {server.metric(name)}")


class _Link:
    """A link that is turned from one place to another in one step.

    Args:
        place: Of the link.
        target: Where it points; a folder of its own by default.
    """

    def __init__(self, place: Path, target: Path | None = None) -> None:
        self.place, self.target = place, target or place.with_name(f"{place.name}.0")
        if target is None:
            self.target.mkdir()
        self.turn(self.target)

    def turn(self, target: Path) -> None:
        fresh = self.place.with_name("next")
        fresh.symlink_to(target)
        fresh.rename(self.place)

    @contextmanager
    def turned(self, target: Path) -> Iterator[None]:
        """Point to another place for a while."""
        self.turn(target)
        yield
        self.turn(self.target)


class _Load(threading.Thread):
    """Callers, and their answers by fault and status."""

    def __init__(self, port: int, names: list[str], number: int) -> None:
        super().__init__()
        self.counts: dict[str, Counter[str]] = {}
        self.fault = NO_FAULT
        self.num_rounds = 0  # of faults
        self._port, self._number = port, number
        self._honest = [requests_of(names, num, seed=num) for num in (1, 1, 1, 10, 100)]
        self._hostile = [request_of(body) for body in _BAD]
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """Requests so far."""
        with self._lock:
            return sum(sum(counts.values()) for counts in self.counts.values())

    @property
    def is_over(self) -> bool:
        """Whether enough was asked."""
        return self.num_rounds >= 2 and self.total >= self._number

    def run(self) -> None:
        threads = [threading.Thread(target=self._work, args=(seed,)) for seed in range(_CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311  (a load, not a secret)
        caller = Caller(self._port)
        while not self.is_over:
            before = self.fault
            status = self._ask(caller, rng)
            # A request belongs to the fault it met, at its beginning or its end.
            fault = before if self.fault == NO_FAULT else self.fault
            with self._lock:
                self.counts.setdefault(fault, Counter())[status] += 1
        caller.close()

    def _ask(self, caller: Caller, rng: random.Random) -> str:
        chance = rng.random()
        if chance < _HOSTILE:
            return str(caller.post(rng.choice(self._hostile)) or "hung up")
        request = rng.choice(rng.choice(self._honest))
        if chance < _HOSTILE + _LEAVING:
            caller.leave(request, rng.choice((0.5, 1.0)))
            return "left"
        return str(caller.post(request) or "hung up")


def _faults(shop: Shop, redis: Redis, model: _Link, log: _Link) -> dict[str, Fault]:
    """Return what is done to the server, by name: each as a context manager."""
    other, broken = shop.model.with_name("2"), shop.model.with_name("3")
    for copy in (other, broken):
        shutil.copytree(shop.model, copy)
    graph = (shop.model / "model.onnx").read_bytes()
    (broken / "model.onnx").write_bytes(graph[: len(graph) // 2])
    no_folder = shop.folder / "no-folder"
    no_folder.write_text("")

    @contextmanager
    def store_down() -> Iterator[None]:
        redis.stop()
        yield
        redis.start()

    @contextmanager
    def store_hangs() -> Iterator[None]:
        redis.pause(_FAULT_SECONDS)
        yield

    return {
        "store down": store_down,
        "store hangs": store_hangs,
        "new model": lambda: model.turned(other),
        "truncated model": lambda: model.turned(broken),
        "log cannot be written": lambda: log.turned(no_folder),
    }


def _inject(load: _Load, server: Server, faults: dict[str, Fault]) -> list[list[float]]:
    """Inject one fault after the other, in rounds, until the load is over.

    Returns:
        Memory in MB, every second between faults, by round.
    """
    memory: list[list[float]] = []
    while not load.is_over:
        memory.append([])
        for name, fault in faults.items():
            for _ in range(_CALM_SECONDS):
                time.sleep(1)
                memory[-1].append(server.megabytes())
            print(f"    {load.total:,} requests, {np.median(memory[-1]):.0f} MB", flush=True)
            load.fault = name
            with fault():
                time.sleep(_FAULT_SECONDS)
            time.sleep(_RECOVERY_SECONDS)
            load.fault = NO_FAULT
        load.num_rounds += 1
    return memory
