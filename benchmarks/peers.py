"""Beside other forecasters: M5's FOODS_3 in California, the same 28 days, the same minutes.

The peers live in an environment of their own (`--python`), made with

    pip install torch==2.13.0 neuralforecast gluonts pytorch-forecasting mlforecast lightgbm \\
        statsforecast pyarrow

because their pins and ours do not meet. A missing peer is told and left out.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.data import data_folder
from invopt.cleaning import clean
from invopt.config import Config, load_config
from invopt.features import derived_channels
from invopt.hierarchy import Hierarchy
from invopt.panel import Panel, load_panel
from invopt.sources import load_mapping, read_dataset
from invopt.training import fit
from invopt.types import Float32Array

_CONFIGS = Path(__file__).resolve().parent.parent / "pipelines" / "configs"
_WORKER = Path(__file__).with_name("_peer.py")
_HORIZON = 28
PEERS = (
    "LightGBM (mlforecast)",
    "AutoETS (statsforecast)",
    "neuralforecast LSTM",
    "neuralforecast DeepAR",
    "GluonTS DeepAR",
    "pytorch-forecasting DeepAR",
)


def main(rest: list[str]) -> None:
    """Print WRMSSE, minutes and windows per second of everybody."""
    parser = argparse.ArgumentParser(prog="invopt bench peers")
    parser.add_argument("--data", type=Path, help="folder of M5")
    parser.add_argument("--python", type=Path, help="interpreter of the peers' environment")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training, each")
    parser.add_argument("--until", type=int, default=1913, help="days of history to train on")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parsed = parser.parse_args(rest)
    config = load_config(
        _CONFIGS / "m5.yaml",
        [f"training.max_minutes={parsed.minutes}", "training.heads_share=0.05"],
    )
    print(f"{'forecaster':<28} {'WRMSSE':>8} {'level 12':>9} {'minutes':>8} {'windows/s':>10}")
    with tempfile.TemporaryDirectory(prefix="invopt-peers-") as scratch:
        panel = _read(parsed.data or data_folder("m5"), config, Path(scratch))
        hierarchy = Hierarchy.of(panel, parsed.until - 1, config.evaluation.hierarchy)
        actual = panel.y[:, parsed.until : parsed.until + _HORIZON]
        naive = np.tile(panel.y[:, parsed.until - 7 : parsed.until], (1, 4)).astype(np.float32)
        _row("seasonal naive", hierarchy, naive, actual=actual, seconds=0.0, speed=None)
        mean, seconds, speed = _ours(panel, config, parsed.until, Path(scratch))
        _row("invopt LSTM", hierarchy, mean, actual=actual, seconds=seconds, speed=speed)
        if parsed.python is None:
            print("peers are left out: name their interpreter with --python.")
            return
        _write_history(panel, parsed.until, Path(scratch) / "train.parquet")
        for peer in parsed.peers:
            _peer(parsed, peer, panel, hierarchy=hierarchy, actual=actual, scratch=Path(scratch))


def _read(data: Path, config: Config, scratch: Path) -> Panel:
    """Return FOODS_3 in California."""
    read_dataset(load_mapping(_CONFIGS / config.data.mapping), data, scratch / "raw")
    whole = load_panel(scratch / "raw")
    chosen = (whole.series["category"] == "FOODS_3") & (whole.series["region"] == "CA")
    panel, _ = clean(whole.select(np.flatnonzero(chosen)), config.cleaning)
    return panel.with_channels(derived_channels([panel], config.features))


def _ours(
    panel: Panel, config: Config, until: int, scratch: Path
) -> tuple[Float32Array, float, float]:
    log = _Log(scratch / "progress.log")
    started = time.monotonic()
    forecaster = fit(panel, config, until, scratch / "training", clock=time.monotonic, notify=log)
    seconds = time.monotonic() - started
    found = re.findall(r"trunk of.*?([\d,]+) windows/s", log.path.read_text())
    speed = float(np.median([float(f.replace(",", "")) for f in found]))
    return forecaster.predict(panel, until - 1).mean, seconds, speed * config.training.num_workers


class _Log:
    """Appends lines of progress to a file; a class, so that it reaches worker processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def __call__(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(line + "\n")


def _write_history(panel: Panel, until: int, path: Path) -> None:
    """Write sales from each series' launch on, as the peers take them."""
    days = panel.timeline.dates(0, until)
    on_sale = np.arange(until) >= panel.launch()[:, None]
    rows, columns = np.nonzero(on_sale)
    frame = {
        "unique_id": panel.unique_ids[rows].astype(str),
        "ds": np.asarray(days)[columns],
        "y": panel.y[rows, columns].astype(np.float32),
    }
    pd.DataFrame(frame).to_parquet(path, index=False)


def _peer(
    parsed: argparse.Namespace,
    peer: str,
    panel: Panel,
    hierarchy: Hierarchy,
    actual: npt.NDArray[np.floating],  # type: ignore[type-arg]
    scratch: Path,
) -> None:
    out = scratch / "peer.parquet"
    out.unlink(missing_ok=True)
    command = [parsed.python, _WORKER, peer, scratch / "train.parquet", out, parsed.minutes, 28]
    done = subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, check=False, cwd=scratch
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{peer:<28} failed: {last[:200]}", flush=True)
        return
    told = json.loads(done.stdout.strip().splitlines()[-1])
    wide = pd.read_parquet(out).pivot(index="unique_id", columns="ds", values="mean")
    mean = wide.reindex(panel.unique_ids).sort_index(axis=1).to_numpy(np.float32).clip(min=0)
    speed = None if told["windows"] is None else told["windows"] / told["seconds"]
    _row(peer, hierarchy, np.nan_to_num(mean), actual=actual, seconds=told["seconds"], speed=speed)


def _row(
    name: str,
    hierarchy: Hierarchy,
    mean: npt.NDArray[np.floating],  # type: ignore[type-arg]
    actual: npt.NDArray[np.floating],  # type: ignore[type-arg]
    seconds: float,
    speed: float | None,
) -> None:
    score, levels = hierarchy.wrmsse(mean, actual)
    shown = "" if speed is None else f"{speed:,.0f}"
    print(
        f"{name:<28} {score:>8.4f} {levels[-1]:>9.4f} {seconds / 60:>8.1f} {shown:>10}", flush=True
    )


if __name__ == "__main__":
    main([])
