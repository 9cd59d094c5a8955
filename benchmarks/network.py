"""The network's own speed: drawing and gathering windows, a training step, scoring, export.

Weights are those a network starts with: none of these figures depends on training. A window is
one origin with its horizon; a step trains batch_size series at every origin of theirs.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.data import data_folder, read_panel
from invopt.config import Config, load_config
from invopt.features import (
    EncodedPanel,
    FeatureEncoder,
    FeatureSpec,
    model_inputs,
)
from invopt.model.export import export_onnx
from invopt.model.forecaster import Forecaster
from invopt.model.losses import mean_loss
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.model.windows import WindowSampler, WindowSource, training_origins
from invopt.panel import Panel

_CONFIGS = Path(__file__).resolve().parent.parent / "pipelines" / "configs"
_REPEATS = 200
_COLD_START = (
    "import sys, time; t = time.perf_counter(); import onnxruntime as o; "
    "o.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider']); "
    "print(time.perf_counter() - t)"
)


def main(rest: list[str]) -> None:
    """Print memory of the panel, windows per second of each part, scoring and export."""
    parser = argparse.ArgumentParser(prog="invopt bench network")
    parser.add_argument("--data", type=Path, help="folder of M5")
    parser.add_argument("--config", type=Path, default=_CONFIGS / "m5.yaml")
    parsed = parser.parse_args(rest)
    config = load_config(parsed.config)
    panel = read_panel(parsed.data or data_folder("m5"), config)
    encoder = FeatureEncoder.fit(panel, config.features, panel.num_periods)
    encoded = encoder.encode(panel)
    print(f"{panel.num_series:,} series x {panel.num_periods:,} periods")
    print(f"encoded panel                {encoded.nbytes / 1e6:8.0f} MB")
    _training_speed(encoder.spec, encoded, config)
    torch.set_num_threads(2)
    forecaster = _untrained(encoder.spec, config)
    _scoring(forecaster, panel)
    _export(forecaster, encoded)


def _untrained(spec: FeatureSpec, config: Config) -> Forecaster:
    torch.manual_seed(0)
    count = config.training.num_members
    members = [DemandNetwork(NetworkSizes.of(spec), config.model) for _ in range(count)]
    return Forecaster(spec, config.model, members)


def _training_speed(spec: FeatureSpec, encoded: EncodedPanel, config: Config) -> None:
    """Print what one core does; members are trained side by side, one core each."""
    torch.set_num_threads(1)
    training, features = config.training, config.features
    origins = training_origins(features, training)
    panel = encoded.map(lambda a: torch.from_numpy(np.asarray(a)))
    source = WindowSource(spec, panel, origins)
    sampler = WindowSampler(np.asarray(encoded.launch), panel.num_periods, features, training, 0)
    network = DemandNetwork(NetworkSizes.of(spec), config.model)
    optimizer = torch.optim.AdamW(network.trunk.parameters(), fused=True)
    weights = torch.ones(training.batch_size)

    def train(number: int) -> None:
        windows = source.gather(*sampler.draw(number))
        mean, _ = source.mean(network.trunk, windows)
        loss = mean_loss(mean, windows.y_BOH, windows.observed_BOH, weights, config.model)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    per_step = training.batch_size * len(origins)
    step = _median(train)
    parts = {
        "drawing windows": _median(sampler.draw),
        "drawing and gathering": _median(lambda n: source.gather(*sampler.draw(n))),
        "whole training step": step,
    }
    for name, seconds in parts.items():
        speed = per_step / seconds
        print(f"{name:<28} {speed:12,.0f} windows/s a core  {seconds / step:6.1%} of a step")


def _median(call: Callable[[int], object]) -> float:
    """Return the median seconds of a call, after some that warm up."""
    seconds = []
    for number in range(_REPEATS + 20):
        started = time.perf_counter()
        call(number)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[20:]))


def _scoring(forecaster: Forecaster, panel: Panel) -> None:
    started = time.perf_counter()
    found = forecaster.predict(panel)
    seconds = time.perf_counter() - started
    shape = " x ".join(f"{n:,}" for n in found.quantiles.shape)
    print(f"scoring {shape}, {len(forecaster.members)} members: {seconds:.1f} s")


def _export(forecaster: Forecaster, encoded: EncodedPanel) -> None:
    rows = np.arange(8)
    ends = np.full(8, encoded.num_periods - 1)
    inputs = model_inputs(forecaster.spec, encoded, rows, ends)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.onnx"
        difference = export_onnx(forecaster, file, inputs)
        size = file.stat().st_size / 1e6
        command = [sys.executable, "-c", _COLD_START, str(file)]
        cold = [
            float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for _ in range(5)
        ]
    print(
        f"ONNX: {size:.1f} MB, {difference:.1e} from torch; importing ONNX Runtime and opening it "
        f"in a new process {np.median(cold):.2f} s"
    )
