"""A made-up shop of M5's sizes, published and materialised, and servers that answer for it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._load import NAME
from invopt.attribution import save_reference
from invopt.config import Config
from invopt.features import FeatureEncoder, derived_channels, model_inputs
from invopt.model import export_onnx
from invopt.model.forecaster import Forecaster
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.panel import SERIES_LEVEL, Channel, Panel
from invopt.timeline import Timeline
from serving.loop.local_release import free_port
from serving.settings import EMBEDDED, Settings
from serving.stores.feature_store import apply_and_materialise, known_time, open_store, write_tables

# Waiting is measured here, not cut off.
PATIENT = {"INVOPT_SERVER_REQUEST_SECONDS": "120", "INVOPT_SERVER_STORE_SECONDS": "60"}
_NUM_SERIES = 3000


class Shop:
    """Published features and an exported model."""

    def __init__(self, folder: Path, redis: str) -> None:
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
            embedded,
            feature_config=EMBEDDED.with_name("feature_store_redis.yaml"),
            feature_variables={"INVOPT_REDIS": f"{redis},socket_timeout=5"},
        )
        self.folder = folder
        self.names = [str(name) for name in panel.unique_ids]
        self.num_series = panel.num_series
        position = pd.DataFrame({"unique_id": panel.unique_ids, "on_hand": 5.0, "on_order": 0.0})
        now = pd.Timestamp.now(tz="UTC")
        write_tables(
            [panel], spec, (position, None), created=now, settings=self.settings, snapshot_cutoffs=1
        )
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
            Channel(
                "price",
                "market",
                SERIES_LEVEL,
                groups=own,
                known=True,
                values=price.astype(np.float32),
                fill="forward",
            ),
            Channel(
                "promotion",
                "promotions",
                SERIES_LEVEL,
                groups=own,
                known=True,
                values=promotion,
                fill="zero",
            ),
            Channel(
                "event=holiday",
                "external",
                "all",
                groups=("",),
                known=True,
                values=holiday,
                fill="zero",
            ),
        ]
    )
    config = Config.model_validate(
        {
            "name": NAME,
            "data": {"mapping": "none.yaml"},
            "features": {
                "horizon": 28,
                "context_steps": 26,
                "windows": [7, 28, 112],
                "aggregates": [["location", "category"]],
            },
            "model": {"hidden_size": 64, "decoder_size": 32},
            "inventory": {"lead_time": 3, "review_period": 7},
        }
    )
    return config, panel.with_channels(derived_channels([panel], config.features))


class Server:
    """A server process; `ready` is how long its start took, seconds."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, grpc: str) -> None:
        self.process, self.port, self.grpc, self.ready = process, port, grpc, 0.0

    def processor_seconds(self) -> float:
        """Return the processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metric(self, name: str) -> dict[str, float]:
        """Return a metric with one label: its values so far by the label's."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = answer.read().decode()
        found = re.findall(rf'^{name}\{{\w+="([^"]*)"\}} (\S+)$', text, re.MULTILINE)
        return {label: float(value) for label, value in found}

    def megabytes(self) -> float:
        """Return the memory in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(text for text in status.splitlines() if text.startswith("VmRSS:"))
        return float(line.split()[1]) / 1024


@contextmanager
def serving(
    shop: Shop, module: str, model: Path, limits: dict[str, str] = PATIENT
) -> Iterator[Server]:
    """Yield a server of a model folder, once it is ready.

    Args:
        shop: Whose features it reads.
        module: serving or serving.predictor.
        model: Folder, or a link to one.
        limits: Of the server, as its environment has them.
    """
    port, grpc_port = free_port(), free_port()
    log = (shop.folder / f"{module}.log").open("w")
    started = time.monotonic()
    variables = shop.settings.feature_variables
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--name", NAME, "--model", str(model),
         "--port", str(port), "--grpc-port", str(grpc_port)],
        stdout=log, stderr=log, env={**os.environ, **variables, **shop.settings.export(), **limits},
    )  # fmt: skip
    server = Server(process, port, f"127.0.0.1:{grpc_port}")
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
