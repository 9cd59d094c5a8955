"""A published store and a champion small enough to serve in a test, and servers on both."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from invopt.attribution import save_reference
from invopt.features import FeatureEncoder, model_inputs
from serving.loop.local_release import free_port
from serving.settings import Settings
from tests.builders import make_config, make_forecaster, make_panel, with_derived

NAME = "demand"


@dataclass
class Shop:
    """A workspace with features online and a model folder."""

    settings: Settings
    panel: object
    config: object
    forecaster: object
    model: Path
    known_at: pd.Timestamp


def make_shop(folder: Path, **kwargs) -> Shop:
    """Publish, materialise and export the smallest real thing.

    The panel ends today, so that its features are fresh.
    """
    from invopt.model import export_onnx
    from serving.stores.feature_store import (
        apply_and_materialise,
        known_time,
        open_store,
        push_forecast,
        write_tables,
    )

    num_periods = 120
    today = pd.Timestamp.now(tz="UTC").tz_localize(None).normalize()
    start = today - pd.Timedelta(days=num_periods)
    config = make_config(data={"max_age_periods": 2}, **kwargs)
    panel = with_derived(
        make_panel(num_series=12, num_periods=num_periods, start=f"{start:%Y-%m-%d}", future=40),
        config,
    )
    forecaster = make_forecaster(panel, config)
    model = folder / "models" / "1"
    save_model(model, forecaster, panel, config, export_onnx)
    settings = Settings.of(folder / "workspace")
    position = pd.DataFrame(
        {
            "unique_id": panel.unique_ids,
            "on_hand": np.arange(panel.num_series, dtype=float),
            "on_order": 1.0,
        }
    )
    now = pd.Timestamp.now(tz="UTC")
    write_tables([panel], forecaster.spec, (position, None), now, settings, 2)
    store = open_store(settings)
    apply_and_materialise(store, settings, known_time(panel))
    forecast = folder / "forecast"
    forecast.mkdir()
    found = forecaster.predict(panel)
    np.savez(
        forecast / "part-0000.npz",
        mean=found.mean + 1, smooth_quantiles=found.smooth_quantiles + 1,
        smooth_levels=found.smooth_levels + 1,
    )  # fmt: skip
    ids = pd.DataFrame({"unique_id": panel.unique_ids})
    ids.to_parquet(forecast / "forecast.parquet")
    push_forecast(store, str(forecast), known_time(panel), "demand-0")
    return Shop(settings, panel, config, forecaster, model, known_time(panel))


def save_model(place, forecaster, panel, config, export_onnx):
    place.parent.mkdir(parents=True, exist_ok=True)
    forecaster.save(place)
    encoded = FeatureEncoder(forecaster.spec).encode(panel)
    rows = np.arange(panel.num_series)
    inputs = model_inputs(forecaster.spec, encoded, rows, np.full(len(rows), panel.num_periods - 1))
    export_onnx(forecaster, place / "model.onnx", inputs)
    save_reference(place / "reference.npz", inputs)
    training = {"config": config.model_dump(mode="json")}
    (place / "training.json").write_text(json.dumps(training))


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    """Return those of an empty workspace, which the environment names too."""
    found = Settings.of(tmp_path / "workspace")
    for name, value in found.export().items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Shop:
    pytest.importorskip("feast")
    return make_shop(tmp_path_factory.mktemp("shop"))


@dataclass
class Server:
    """A server process."""

    process: subprocess.Popen
    url: str
    grpc: str
    log: Path

    def post(self, path, body, headers=None):
        """Return status and parsed body."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"} | (headers or {})
        )
        return _answer(request)

    def get(self, path):
        """Return status and parsed body."""
        return _answer(urllib.request.Request(self.url + path))

    def decide(self, *instances):
        """Return the decisions of a v1 request."""
        status, body = self.post(f"/v1/models/{NAME}:predict", {"instances": list(instances)})
        assert status == 200, body
        return body["predictions"]

    def metric(self, line: str) -> float:
        """Return one value of /metrics, 0 where it is not there yet."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            for text in answer.read().decode().splitlines():
                if text.startswith(line + " "):
                    return float(text.rsplit(" ", 1)[1])
        return 0.0


def _answer(request):
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            status = answer.status
    except urllib.error.HTTPError as err:
        text, status = err.read(), err.code
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def start(module, arguments, settings, folder, environment=None) -> Server:
    """Start a server module and wait until its model is ready."""
    port, grpc_port = free_port(), free_port()
    log = folder / f"{module.rsplit('.', 1)[-1]}-{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--name", NAME, "--port", str(port),
             "--grpc-port", str(grpc_port), *map(str, arguments)],
            stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, **settings.export(), **(environment or {})},
        )  # fmt: skip
    server = Server(process, f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}", log)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if server.get("/v2/health/ready")[0] == 200:
                return server
        except OSError:
            pass
        time.sleep(0.1)
    stop(server)
    raise AssertionError(log.read_text()[-2000:])


def stop(server: Server) -> None:
    server.process.terminate()
    server.process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(shop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    # A link stands for the champion's alias: a test turns it to another model.
    link = folder / "champion"
    link.symlink_to(shop.model)
    limits = {"INVOPT_SERVER_REFRESH_SECONDS": "0.5"}
    found = start("serving", ["--model", link], shop.settings, folder, limits)
    yield found
    stop(found)
