"""The served decision beside its peers, in one run: `invopt bench serving [--seconds N]`.

A champion of M5's sizes (28 days ahead, 26 weeks of context) on a made-up panel, features in a
redis-server of its own, asked over HTTP by one client per connection. Beside it: the bare graph
in ONNX Runtime, Feast's own reader on the same store, and KServe with a model that does nothing.
"""

import argparse
import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from benchmarks._redis import running_redis
from invopt.attribution import save_reference
from invopt.config import Config
from invopt.features import INPUT_NAMES, FeatureEncoder, derived_channels, model_inputs
from invopt.model import export_onnx
from invopt.model.forecaster import Forecaster
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.panel import SERIES_LEVEL, Channel, Panel
from invopt.timeline import Timeline
from serving.deploy import free_port
from serving.feature_store import apply_and_materialise, known_time, open_store, write_tables
from serving.network import RemoteNetwork
from serving.settings import EMBEDDED, Settings

NAME = "bench"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
# Waiting is measured here, not cut off.
_PATIENT = {"INVOPT_SERVER_REQUEST_SECONDS": "120", "INVOPT_SERVER_STORE_SECONDS": "60"}
_NUM_SERIES = 3000


def main(rest: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="invopt bench serving")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--hostile", type=float, default=0.0, metavar="SECONDS",
                        help="also a mixed load with 1 %% hostile requests, this long")  # fmt: skip
    found = parser.parse_args(rest)
    with tempfile.TemporaryDirectory() as folder, running_redis() as address:
        if address is None:
            raise SystemExit("this benchmark needs redis-server on the PATH.")
        shop = _Shop(Path(folder), address)
        print(f"{shop.num_series} series published and materialised\n")
        print(f"{'what':44} {'p50':>10} {'p99':>10} {'rate':>14}")
        _library(shop, found.seconds)
        with _server(shop, "serving.predictor", []) as predictor:
            _predictor(shop, predictor, found.seconds)
        with _server(shop, "serving", []) as server:
            _decisions(shop, server, found.seconds)
            if found.hostile:
                _hostile(shop, server, found.hostile)


class _Shop:
    """Published features and an exported model."""

    def __init__(self, folder: Path, redis: str) -> None:

        os.environ["INVOPT_REDIS"] = f"{redis},socket_timeout=5"
        config, panel = _small_retailer()
        spec = FeatureEncoder.fit(panel, config.features, panel.num_periods).spec
        forecaster = Forecaster(
            spec, config.model, [DemandNetwork(NetworkSizes.of(spec), config.model).eval()]
        )
        self.model = folder / "models" / "1"
        self.model.parent.mkdir()
        forecaster.save(self.model)
        encoded = FeatureEncoder(spec).encode(panel)
        at = np.arange(64)
        self.inputs = model_inputs(spec, encoded, at, np.full(64, panel.num_periods - 1))
        export_onnx(forecaster, self.model / "model.onnx", self.inputs)
        save_reference(self.model / "reference.npz", self.inputs)
        training = {"config": config.model_dump(mode="json")}
        (self.model / "training.json").write_text(json.dumps(training))
        embedded = Settings.of(folder / "workspace")
        self.settings = replace(
            embedded, feature_config=EMBEDDED.with_name("feature_store_redis.yaml")
        )
        self.folder = folder
        self.names = [str(name) for name in panel.unique_ids]
        self.num_series = panel.num_series
        position = pd.DataFrame({"unique_id": panel.unique_ids, "on_hand": 5.0, "on_order": 0.0})
        now = pd.Timestamp.now(tz="UTC")
        write_tables([panel], spec, (position, None), now, self.settings, 1)
        store = open_store(self.settings)
        apply_and_materialise(store, self.settings, known_time(panel))


def _small_retailer() -> tuple[Any, Any]:

    rng = np.random.default_rng(0)
    num, periods, ahead = _NUM_SERIES, 400, 35
    level = rng.lognormal(0.5, 0.8, (num, 1))
    week = 1 + 0.4 * np.sin(2 * np.pi * np.arange(periods) / 7)
    y = rng.poisson(level * week).astype(np.int16)
    ids = [f"P{i % 300:03d}_S{i // 300:02d}" for i in range(num)]
    series = pd.DataFrame(
        {
            "unique_id": ids,
            "product": [i.split("_")[0] for i in ids],
            "location": [i.split("_")[1] for i in ids],
            "category": [f"C{i % 3}" for i in range(num)],
            "list_price": rng.uniform(1, 9, num),
        }
    )
    order = np.argsort(ids)
    series, y = series.iloc[order].reset_index(drop=True), y[order]
    own = tuple(series["unique_id"])
    list_price = series["list_price"].to_numpy()[:, None]
    price = list_price * rng.choice([0.8, 1.0], (num, periods + ahead))
    promotion = (rng.random((num, periods + ahead)) < 0.1).astype(np.float32)
    holiday = (np.arange(periods + ahead) % 50 == 10).astype(np.float32)[None]
    start = pd.Timestamp.now().normalize() - pd.Timedelta(days=periods)
    panel = Panel(Timeline(start, "D", periods), series, y, np.zeros(y.shape, np.uint8))
    panel = panel.with_channels(
        [
            Channel("price", "market", SERIES_LEVEL, own, True,
                    price.astype(np.float32), "forward"),
            Channel("promotion", "promotions", SERIES_LEVEL, own, True, promotion, "zero"),
            Channel("event=holiday", "external", "all", ("",), True, holiday, "zero"),
        ]
    )  # fmt: skip
    config = Config.model_validate(
        {
            "name": NAME,
            "data": {"mapping": "none.yaml"},
            "features": {"horizon": 28, "context_steps": 26, "windows": [7, 28, 112],
                         "aggregates": [["location", "category"]]},
            "model": {"hidden_size": 64, "decoder_size": 32},
            "inventory": {"lead_time": 3, "review_period": 7},
        }
    )  # fmt: skip
    return config, panel.with_channels(derived_channels([panel], config.features))


def _library(shop: _Shop, seconds: float) -> None:
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


def _predictor(shop: _Shop, server: "_Server", seconds: float) -> None:

    network = RemoteNetwork(NAME, server.grpc, shop.model)
    one = tuple(a[:1] for a in shop.inputs)
    _timed("predictor, gRPC, one window", lambda: network.run(one), seconds)
    network.close()
    _tell("predictor, ready after", f"{server.ready:.1f} s")
    _tell("predictor, memory", f"{server.megabytes():.0f} MB")


def _decisions(shop: _Shop, server: "_Server", seconds: float) -> None:
    for num, clients in ((1, 1), (1, 4), (100, 1), (100, 2), (1000, 1)):
        what = f"whole decision, {num} series, {clients} client(s)"
        before, used = server.stages(), server.processor_seconds()
        number = _load(what, server.port, shop.names, num, clients, seconds)
        after = server.stages()
        parts = [
            f"{name} {(after[name] - before.get(name, 0)) / number * 1e3:.2f}" for name in after
        ]
        used = (server.processor_seconds() - used) / number * 1e3
        print(f"    ms a request: {', '.join(parts)}; processor {used:.2f}")
    _tell("decisions, ready after", f"{server.ready:.1f} s")
    _tell("decisions, memory", f"{server.megabytes():.0f} MB")


def _hostile(shop: _Shop, server: "_Server", seconds: float) -> None:
    """Mixed load with 1 % of requests that no honest caller sends."""

    bad = [
        b"{", b"", b'{"instances": [NaN]}', b'{"instances": [[["a"], 1]]}',
        b'{"instances": [{"unique_id": "x", "position": {"on_hand": -1}}]}', b" " * (9 << 20),
    ]  # fmt: skip
    hostile = [_request(body) for body in bad]
    honest = [_requests(shop.names, num, seed=num) for num in (1, 1, 1, 10, 100)]
    counts: dict[int, int] = {}
    before = server.megabytes()
    lock, deadline = threading.Lock(), time.monotonic() + seconds

    def work(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311  (a load, not a secret)
        caller = _Caller(server.port)
        while time.monotonic() < deadline:
            some = hostile if rng.random() < 0.01 else rng.choice(honest)
            status = caller.post(rng.choice(some))
            with lock:
                counts[status] = counts.get(status, 0) + 1
        caller.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 4)
    quarter = server.megabytes()
    for thread in threads:
        thread.join()
    after = server.megabytes()
    told = ", ".join(f"{status or 'closed'}: {n}" for status, n in sorted(counts.items()))
    total = sum(counts.values())
    print(f"mixed load for {seconds:g} s: {total:,} requests, answers by status: {told}")
    print(
        f"memory before, after a quarter, in the end: {before:.0f}, {quarter:.0f}, {after:.0f} MB"
    )


class _Caller:
    """A keep-alive connection that sends requests made beforehand and looks at nothing but the
    status and the length of the answer: the load shares the server's two cores."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connected()

    def post(self, request: bytes) -> int:
        """Send a request and read its answer; returns the status, 0 when the server hung up."""
        try:
            self._socket.sendall(request)
            return self._answer()
        except OSError:
            self._socket.close()
            self._socket = self._connected()
            return 0

    def close(self) -> None:
        self._socket.close()

    def _connected(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def _answer(self) -> int:
        head = b""
        while (stop := head.find(b"\r\n\r\n")) < 0:
            part = self._socket.recv(1 << 20)
            if not part:
                raise ConnectionResetError
            head += part
        match = _LENGTH.search(head, 0, stop + 2)
        left = int(match[1]) - (len(head) - stop - 4) if match else 0
        while left > 0:
            left -= len(self._socket.recv(min(left, 1 << 20)) or b" " * left)
        return int(head[9:12])


def _request(body: bytes) -> bytes:
    return (
        f"POST /v1/models/{NAME}:predict HTTP/1.1\r\nHost: x\r\nContent-Type: "
        f"application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def _requests(names: list[str], num: int, seed: int, count: int = 200) -> list[bytes]:
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(names, num, replace=False) for _ in range(count)]
    return [_request(json.dumps({"instances": [*map(str, c)]}).encode()) for c in chosen]


def _load(what: str, port: int, names: list[str], num: int, clients: int, seconds: float) -> int:
    """Load a server and print its times; returns the number of requests, warm-up included."""
    total = 0
    callers = [(_Caller(port), _requests(names, num, seed)) for seed in range(clients)]

    def work(caller: _Caller, requests: list[bytes], times: list[float], stop: float) -> None:
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
    for _ in range(5):
        call()
    times = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    _row(what, times, num * len(times) / sum(times))


def _row(what: str, times: list[float], rate: float) -> None:
    p50, p99 = (f"{np.percentile(times, q) * 1e3:.2f} ms" for q in (50, 99))
    _tell(what, p50, p99, f"{rate:,.0f}/s")


def _tell(what: str, first: str, second: str = "", third: str = "") -> None:
    print(f"{what:44} {first:>10} {second:>10} {third:>14}", flush=True)


class _Server:
    def __init__(self, process: "subprocess.Popen[bytes]", port: int, grpc: str) -> None:
        self.process, self.port, self.grpc, self.ready = process, port, grpc, 0.0

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stages(self) -> dict[str, float]:
        """Return the seconds spent in each stage so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = answer.read().decode()
        found = re.findall(r'^invopt_stage_seconds_sum\{stage="(\w+)"\} (\S+)$', text, re.MULTILINE)
        return {name: float(seconds) for name, seconds in found}

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(text for text in status.splitlines() if text.startswith("VmRSS:"))
        return float(line.split()[1]) / 1024


@contextmanager
def _server(shop: _Shop, module: str, rest: list[str]) -> Iterator[_Server]:

    port, grpc_port = free_port(), free_port()
    log = (shop.folder / f"{module}.log").open("w")
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--name", NAME, "--model", str(shop.model),
         "--port", str(port), "--grpc-port", str(grpc_port), *rest],
        stdout=log, stderr=log, env={**os.environ, **shop.settings.export(), **_PATIENT},
    )  # fmt: skip
    server = _Server(process, port, f"127.0.0.1:{grpc_port}")
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready")
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    raise SystemExit((shop.folder / f"{module}.log").read_text()) from None
                time.sleep(0.05)
        server.ready = time.monotonic() - started
        yield server
    finally:
        process.terminate()
        process.wait()
