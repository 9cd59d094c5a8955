"""The served decision beside its peers, in one run: `invopt bench serving [--seconds N]`.

A champion of M5's sizes (28 days ahead, 26 weeks of context) on a made-up panel, features in a
redis-server of its own, asked over HTTP by one client per connection. Beside it: the bare graph
in ONNX Runtime, the predictor alone, and Feast's own reader: on the same store, and on Feast's own
Redis store with the same features. `--part feast` measures only whole decisions, of series asked
for the first time and of series asked again, beside Feast's reads, in turns, so that what else the
machine does meets both.
"""

import argparse
import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks._feast_peer import feasts_own_store
from benchmarks._load import NAME, Caller, request_of, requests_of
from benchmarks._mixed_load import mixed_load
from benchmarks._redis import running_redis
from benchmarks._shop import Server, Shop, serving
from invopt.features import INPUT_NAMES
from serving.answers.graph import DATATYPES, RemoteNetwork
from serving.stores.feature_store import open_store

# Whole decisions of series that the server was never asked of before, and of others.
FIRST, AGAIN = "decision, first", "decision, again"


def main(rest: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="invopt bench serving")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--mixed", type=int, default=0, metavar="REQUESTS",
                        help="instead: so many requests of mixed load, 1 %% of them hostile, "
                        "beside injected faults")  # fmt: skip
    parser.add_argument("--part", choices=("all", "feast"), default="all", help="what to measure")
    parser.add_argument("--rounds", type=int, default=3, help="of the part feast")
    found = parser.parse_args(rest)
    with tempfile.TemporaryDirectory() as folder, running_redis() as redis:
        if redis is None:
            raise SystemExit("this benchmark needs redis-server on the PATH.")
        shop = Shop(Path(folder), redis.address)
        print(f"{shop.num_series} series published and materialised\n")
        if found.mixed:
            mixed_load(shop, redis, found.mixed)
            return
        print(f"{'what':44} {'p50':>10} {'p99':>10} {'rate':>14}")
        if found.part == "feast":
            with serving(shop, "serving", shop.model) as server:
                _beside_feast(shop, server, redis.address, found.seconds, found.rounds)
            return
        _library(shop, found.seconds)
        with serving(shop, "serving.predictor", shop.model) as predictor:
            _predictor(shop, predictor, found.seconds)
        with serving(shop, "serving", shop.model) as server:
            _decisions(shop, server, found.seconds)


def _library(shop: Shop, seconds: float) -> None:
    """Bare ONNX Runtime, and Feast's own reader of the same features."""

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(shop.model / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    names = [i.name for i in session.get_inputs()]

    one = {n: a[:1] for n, a in zip(INPUT_NAMES, shop.inputs, strict=True) if n in names}
    _timed("ONNX Runtime, bare, one window", lambda: session.run(None, one), seconds)
    store = open_store(shop.settings)
    service = store.get_feature_service("inference")
    for num in (1, 100):
        keys = [{"unique_id": name} for name in shop.names[:num]]
        _timed(
            f"Feast get_online_features alone, {num} series",
            lambda keys=keys: store.get_online_features(service, keys).to_dict(),  # type: ignore[misc]
            seconds,
            num,
        )


def _beside_feast(shop: Shop, server: Server, redis: str, seconds: float, rounds: int) -> None:
    """Ask for decisions and read Feast's own store in turns; tell how they compare.

    Decisions are measured twice: of series that the server was never asked of, and of the hundred
    series that Feast reads, which it was.
    """
    names = shop.names[:100]
    store, service, fast = feasts_own_store(shop, names, redis)
    services = {"Feast's own store": service} | ({"Feast's, pre-computed": fast} if fast else {})
    times: dict[tuple[str, int], list[float]] = {}
    used: dict[tuple[str, int], float] = {}
    unasked = {num: iter(_unasked(shop, num)) for num in (1, 100)}
    for number, num in itertools.product(range(rounds), (1, 100)):
        for what, one in services.items():
            keys = [{"unique_id": name} for name in names[:num]]
            read = lambda one=one, keys=keys: (  # noqa: E731
                # Pre-computed vectors are found by full names alone.
                store.get_online_features(one, keys, full_feature_names=True).to_dict()
            )
            for _ in range(5):
                read()
            started = time.process_time()
            times.setdefault((what, num), []).extend(_times(read, seconds, warm_up=0))
            used[what, num] = used.get((what, num), 0) + time.process_time() - started
        most = [*itertools.islice(unasked[num], (900 if num == 1 else 20) // rounds)]
        again = requests_of(names, num, number)
        for what, requests in ((FIRST, most), (AGAIN, again)):
            if what == AGAIN:
                _asked(server, requests_of(names, 100, number, 1), seconds, is_first=True)
            found, spent = _asked(server, requests, seconds, is_first=what == FIRST)
            times.setdefault((what, num), []).extend(found)
            used[what, num] = used.get((what, num), 0) + spent
    for (what, num), found in times.items():
        spent = used[what, num] / len(found) * 1e3
        _row(f"{what}, {num} series", found, num * len(found) / sum(found), f"cpu {spent:.2f} ms")
    for what, mine, num in itertools.product(services, (FIRST, AGAIN), (1, 100)):
        own, theirs = (times[w, num] for w in (mine, what))
        p50, p99 = (np.percentile(theirs, q) / np.percentile(own, q) for q in (50, 99))
        spent = used[what, num] / len(theirs) / (used[mine, num] / len(own))
        _tell(f"{what} / {mine}, {num}", f"{p50:.2f} x", f"{p99:.2f} x",
              f"cpu {spent:.2f} x")  # fmt: skip


def _times(call: Callable[[], Any], seconds: float, warm_up: int = 5) -> list[float]:
    """Return the times of calls, a few to warm up left out."""
    for _ in range(warm_up):
        call()
    times, deadline = [], time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def _unasked(shop: Shop, num: int) -> list[bytes]:
    """Return requests for decisions of series that no other request names."""
    names = shop.names[100:1000] if num == 1 else shop.names[1000:3000]
    parts = [names[at : at + num] for at in range(0, len(names), num)]
    return [request_of(json.dumps({"instances": part}).encode()) for part in parts]


def _asked(
    server: Server, requests: list[bytes], seconds: float, *, is_first: bool
) -> tuple[list[float], float]:
    """Return the times of requests, and the processor time of the server over all of them.

    Args:
        server: Asked.
        requests: One after the other.
        seconds: At most.
        is_first: Each request once; else again and again.
    """
    turns, times = iter(requests) if is_first else itertools.cycle(requests), []
    caller = Caller(server.port)
    before, deadline = server.processor_seconds(), time.perf_counter() + seconds
    for request in turns:
        started = time.perf_counter()
        if started > deadline:
            break
        assert caller.post(request) == 200
        times.append(time.perf_counter() - started)
    caller.close()
    return times, server.processor_seconds() - before


def _predictor(shop: Shop, server: Server, seconds: float) -> None:
    network = RemoteNetwork(NAME, server.grpc, shop.model)
    one = tuple(a[:1] for a in shop.inputs)
    _timed("predictor, gRPC, one window", lambda: network.run(one), seconds)
    network.close()
    inputs = [
        {"name": name, "shape": array.shape, "datatype": DATATYPES[array.dtype],
         "data": array.ravel().tolist()}
        for name, array in zip(INPUT_NAMES, one, strict=True)
    ]  # fmt: skip
    request = request_of(json.dumps({"inputs": inputs}).encode(), f"/v2/models/{NAME}/infer")
    caller = Caller(server.port)
    assert caller.post(request) == 200
    _timed("predictor, v2 REST, one window", lambda: caller.post(request), seconds)
    caller.close()
    _tell("predictor, ready after", f"{server.ready:.1f} s")
    _tell("predictor, memory", f"{server.megabytes():.0f} MB")


def _decisions(shop: Shop, server: Server, seconds: float) -> None:
    for num, clients in ((1, 1), (1, 4), (100, 1), (100, 2), (1000, 1)):
        what = f"whole decision, {num} series, {clients} client(s)"
        before, used = server.metric("invopt_stage_seconds_sum"), server.processor_seconds()
        number = _load(what, server.port, shop.names, num=num, clients=clients, seconds=seconds)
        after = server.metric("invopt_stage_seconds_sum")
        parts = [
            f"{name} {(after[name] - before.get(name, 0)) / number * 1e3:.2f}" for name in after
        ]
        used = (server.processor_seconds() - used) / number * 1e3
        print(f"    ms a request: {', '.join(parts)}; processor {used:.2f}")
    _tell("decisions, ready after", f"{server.ready:.1f} s")
    _tell("decisions, memory", f"{server.megabytes():.0f} MB")


def _load(what: str, port: int, names: list[str], num: int, clients: int, seconds: float) -> int:
    """Load a server and print its times; returns the number of requests, warm-up included."""
    total = 0
    callers = [(Caller(port), requests_of(names, num, seed)) for seed in range(clients)]

    def work(caller: Caller, requests: list[bytes], times: list[float], stop: float) -> None:
        for request in itertools.cycle(requests):
            started = time.perf_counter()
            if started > stop:
                return
            status = caller.post(request)
            times.append(time.perf_counter() - started)
            assert status == 200, status

    for length in (seconds / 4, seconds):  # the first round warms up
        times: list[float] = []
        started = time.perf_counter()
        threads = [
            threading.Thread(target=work, args=(caller, requests, times, started + length))
            for caller, requests in callers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - started
        total += len(times)
    for caller, _ in callers:
        caller.close()
    _row(what, times, num * len(times) / wall)
    return total


def _timed(what: str, call: Callable[[], Any], seconds: float, num: int = 1) -> None:
    times = _times(call, seconds)
    _row(what, times, num * len(times) / sum(times))


def _row(what: str, times: list[float], rate: float, more: str = "") -> None:
    p50, p99 = (f"{np.percentile(times, q) * 1e3:.2f} ms" for q in (50, 99))
    _tell(what, p50, p99, f"{rate:,.0f}/s", more)


def _tell(what: str, first: str, second: str = "", third: str = "", more: str = "") -> None:
    print(f"{what:48} {first:>10} {second:>10} {third:>14} {more}".rstrip(), flush=True)
