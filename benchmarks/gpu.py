"""Training on whatever GPU is there: speed of a step, launches, the M5 recipe; at most 8 minutes.

A window is one origin with its horizon. A step trains `batch` series of each member at all their
origins: gathering, forward and backward pass, clipping, AdamW and the average of the weights, as
in a training, without Lightning around it. Passes are replayed as CUDA graphs or launched one
operation after another. Busy is the time of kernels over wall time. Without a
GPU it runs in small on the processor, on made-up data unless --data is given, and launches are the
operators that would be (see _launches.py).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._launches import Launches, launches
from benchmarks.data import data_folder, read_panel
from invopt.config import Config, load_config
from invopt.errors import InvalidInputError
from invopt.features import EncodedPanel, FeatureEncoder, FeatureSpec
from invopt.files import replacing_file
from invopt.hierarchy import Hierarchy
from invopt.model.budget import Budget
from invopt.model.lightning_module import Task, TrunkTask, seed_device, step_seed
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.model.together import MemberSamplers, MemberTrunks, TrunksTask
from invopt.model.windows import (
    GATHERED_ON_GPU,
    WindowQueue,
    WindowSampler,
    WindowSource,
    training_origins,
)
from invopt.panel import Panel
from invopt.synthetic import make_retailer, write_retailer
from invopt.training import fit

_CONFIGS = Path(__file__).resolve().parent.parent / "pipelines" / "configs"
_PRECISIONS = ("32-true", "bf16-mixed")
_WARM_UP = 3  # steps
_KEPT_FOR_SCORING = 90.0  # seconds of the whole that the recipe leaves: forecasts, WRMSSE
_MOST_SERIES = 16384  # of all members in one step
_LEAST_RECIPE = 20.0  # seconds below which a recipe says nothing
_MEAN_ONLY = 0.01  # share of the heads: the score needs no quantiles
_HEAD = (
    f"{'members':>7} {'batch':>6} {'precision':<11} {'replayed':<8} {'step ms':>8} "
    f"{'windows/s':>11} {'busy':>6} {'launches':>9} {'a member':>9} {'kernels':>8} {'GB':>6}"
)


@dataclass(frozen=True)
class Row:
    """One way to train.

    Attributes:
        members: Trained in one step.
        batch: Series of each.
        precision: As in the configuration.
        is_replayed: True where passes are CUDA graphs.
        seconds: Wall time of a step.
        windows: Of all members, a second.
        busy: Time of kernels over wall time; on a processor, processor time over wall time.
        launches: A step.
        kernels: A step; None on a processor.
        memory: Largest number of bytes on the GPU; None on a processor.
    """

    members: int
    batch: int
    precision: str
    is_replayed: bool
    seconds: float
    windows: float
    busy: float
    launches: float
    kernels: float | None
    memory: int | None

    def __str__(self) -> str:
        memory = "" if self.memory is None else f"{self.memory / 1e9:.2f}"
        kernels = "" if self.kernels is None else f"{self.kernels:,.0f}"
        return (
            f"{self.members:>7} {self.batch:>6,} {self.precision:<11} "
            f"{'yes' if self.is_replayed else 'no':<8} {self.seconds * 1e3:>8.2f} "
            f"{self.windows:>11,.0f} {self.busy:>6.0%} {self.launches:>9,.0f} "
            f"{self.launches / self.members:>9,.0f} {kernels:>8} {memory:>6}"
        )


@dataclass(frozen=True)
class _Bench:
    """What every row is measured on."""

    config: Config
    spec: FeatureSpec
    encoded: EncodedPanel
    device: torch.device
    seconds: float


def main(rest: list[str]) -> None:
    """Print one table and the recipe; write all of it as JSON with --out."""
    started = time.monotonic()
    parsed = _parse(rest)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name() if is_gpu else "no GPU: processor, in small"
    panel, config, data = _data(parsed, is_gpu)
    print(f"{name}; torch {torch.__version__}; {data}", flush=True)
    encoder = FeatureEncoder.fit(panel, config.features, panel.num_periods)
    bench = _Bench(config, encoder.spec, encoder.encode(panel), device, parsed.seconds)
    print(_HEAD)
    rows, notes = [], []
    for members, batch, precision, is_replayed in _ways(parsed, is_gpu):
        try:
            rows.append(measure(bench, members, batch, precision, is_replayed=is_replayed))
            print(rows[-1], flush=True)
        except RuntimeError as err:  # of torch: a type or size that this device cannot compute
            notes.append(f"{members} x {batch} {precision}: {str(err).splitlines()[0]}")
            print(notes[-1], flush=True)
    left = parsed.minutes * 60 - (time.monotonic() - started)
    recipe = _recipe(panel, config, parsed, is_gpu, left)
    if parsed.out:
        found = {
            "device": name, "torch": torch.__version__, "data": data,
            "rows": [asdict(row) for row in rows], "recipe": recipe,
            "notes": notes, "seconds": time.monotonic() - started,
        }  # fmt: skip
        with replacing_file(parsed.out) as partial:
            partial.write_text(json.dumps(found, indent=1))


def _parse(rest: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="invopt bench gpu")
    parser.add_argument("--data", type=Path, help="folder of M5")
    parser.add_argument("--out", type=Path, help="figures (JSON)")
    parser.add_argument("--minutes", type=float, default=8.0, help="of the whole run")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    parser.add_argument("--batches", type=int, nargs="+", help="512 and 2,048 on a GPU alone")
    parser.add_argument("--members", type=int, default=16, help="trained in one step")
    parser.add_argument("--steps", type=int, default=5000, help="of the recipe; 0 leaves it out")
    parser.add_argument("--products", type=int, default=20, help="of the made-up retailer")
    parser.add_argument("--until", type=int, default=1913, help="days the recipe is trained on")
    return parser.parse_args(rest)


def _data(parsed: argparse.Namespace, is_gpu: bool) -> tuple[Panel, Config, str]:
    """Return panel, configuration and what it is: M5, or a made-up retailer of M5's sizes."""
    config = load_config(_CONFIGS / "m5.yaml")
    try:
        if parsed.data or is_gpu:
            panel = read_panel(parsed.data or data_folder("m5"), config)
            return panel, config, f"M5, {panel.num_series:,} series x {panel.num_periods:,} days"
    except InvalidInputError:
        if parsed.data:
            raise
    changes = [
        "data.mapping=datasets/demo.yaml",
        'features.channels=["*"]',
        f"evaluation.hierarchy={json.dumps([[], ['unique_id']])}",
    ]
    made = load_config(_CONFIGS / "m5.yaml", changes)
    with tempfile.TemporaryDirectory(prefix="invopt-gpu-") as scratch:
        write_retailer(make_retailer(parsed.products, 5, 730), Path(scratch))
        panel = read_panel(Path(scratch), made)
    return (
        panel,
        made,
        f"made-up retailer, {panel.num_series:,} series x {panel.num_periods:,} days",
    )


def _ways(parsed: argparse.Namespace, is_gpu: bool) -> list[tuple[int, int, str, bool]]:
    """Return (members, batch, precision, whether replayed) of each row."""
    batches = parsed.batches or ([64, 512, 2048] if is_gpu else [64])
    numbers = [1, parsed.members] if parsed.members > 1 else [1]
    sizes = [(m, b) for m in numbers for b in batches if m * b <= _MOST_SERIES]
    if not is_gpu:
        return [(*size, _PRECISIONS[0], False) for size in sizes]
    replayed = [(*size, precision, True) for size in sizes for precision in _PRECISIONS]
    # What replaying saves shows where a step is short.
    launched = [(m, batches[0], _PRECISIONS[0], False) for m in numbers]
    return launched + replayed


def measure(
    bench: _Bench, members: int, batch: int, precision: str, *, is_replayed: bool = False
) -> Row:
    """Return the figures of one way to train."""
    step, at_once = _step(bench, members, batch, precision, is_replayed)
    is_gpu = bench.device.type == "cuda"
    for number in range(_WARM_UP):
        step(number)
    if is_gpu:
        torch.cuda.reset_peak_memory_stats(bench.device)
    done, seconds, processor = _timed(step, bench)
    counted = _of_a_step(step, -(-(_WARM_UP + done) // at_once) * at_once, at_once, bench.device)
    busy = processor / seconds
    if is_gpu:
        busy = counted.seconds / (seconds / done)
    origins = len(training_origins(bench.config.features, bench.config.training))
    return Row(
        members, batch, precision, is_replayed, seconds / done,
        windows=members * batch * origins * done / seconds,
        busy=busy,
        launches=counted.number,
        kernels=counted.kernels if is_gpu else None,
        memory=torch.cuda.max_memory_allocated(bench.device) if is_gpu else None,
    )  # fmt: skip


def _of_a_step(
    step: Callable[[int], None], first: int, at_once: int, device: torch.device
) -> Launches:
    """Return what a step launches, its share of a gather for `at_once` steps included.

    Args:
        step: Gathers at step `first`.
        first: Number of that step.
        at_once: Steps that one gather is for.
        device: That works.
    """
    gathering = launches(lambda: step(first), device)
    if at_once == 1:
        return gathering
    alone = launches(lambda: step(first + 1), device)
    return alone.per_step(gathering, 1 / at_once)


def _timed(step: Callable[[int], None], bench: _Bench) -> tuple[int, float, float]:
    """Return the steps done in the time of a row, its seconds, and the processor's."""
    is_gpu = bench.device.type == "cuda"
    if is_gpu:
        torch.cuda.synchronize(bench.device)
    started, processor, done = time.perf_counter(), time.process_time(), 0
    while not done or time.perf_counter() - started < bench.seconds:
        step(_WARM_UP + done)
        done += 1
    if is_gpu:
        torch.cuda.synchronize(bench.device)
    return done, time.perf_counter() - started, time.process_time() - processor


def _step(
    bench: _Bench, members: int, batch: int, precision: str, is_replayed: bool
) -> tuple[Callable[[int], None], int]:
    """Return a whole training step as a call with its number, and the steps of one gather."""
    training = bench.config.training.model_copy(update={"precision": precision})
    config = bench.config.model_copy(update={"training": training})
    task = task_of(bench.spec, bench.encoded, config, members, batch).to(bench.device)
    task.source = source = task.source.to(bench.device)
    # What a GPU gathers, so that launches counted on a processor are a GPU's.
    at_once = max(1, GATHERED_ON_GPU // (batch * members))
    queue = WindowQueue(source, task.sampler, at_once=at_once * batch * members)
    optimizer = task.configure_optimizers()
    weights = list(task.parameters())
    averages = [w.detach().clone() for w in weights]
    half = torch.autocast(bench.device.type, torch.bfloat16)
    if is_replayed:
        task.capture(queue.take(0))

    def step(number: int) -> None:
        windows = queue.take(number)
        seed_device(step_seed(0, number, 0), bench.device)
        with half if precision == "bf16-mixed" else nullcontext():
            loss = task.step_losses(windows, number).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        task.clip(training.gradient_clip)
        optimizer.step()
        torch._foreach_lerp_(averages, [w.detach() for w in weights], 1 - training.average_decay)

    return step, at_once


def task_of(
    spec: FeatureSpec, encoded: EncodedPanel, config: Config, members: int, batch: int
) -> Task:
    """Return the training of one member's trunk, or of several members' in one step."""
    training = config.training.model_copy(update={"batch_size": batch})
    panel = encoded.map(lambda a: torch.from_numpy(np.asarray(a)))
    source = WindowSource(spec, panel, training_origins(config.features, training))
    launch = np.asarray(encoded.launch)
    samplers = [
        WindowSampler(
            launch, encoded.num_periods, config.features, training, seed=1000 * n, member=n
        )
        for n in range(members)
    ]
    torch.manual_seed(0)
    trunks = [DemandNetwork(NetworkSizes.of(spec), config.model).trunk for _ in range(members)]
    weights, budget = torch.ones(len(launch)), Budget(None, None, time.monotonic)
    if members == 1:
        return TrunkTask(trunks[0], weights, source, samplers[0], None, budget, config)
    sampler = MemberSamplers(samplers)
    return TrunksTask(MemberTrunks(trunks), weights, source, sampler, None, budget, config)


def _recipe(
    panel: Panel, config: Config, parsed: argparse.Namespace, is_gpu: bool, left: float
) -> dict[str, Any]:
    """Return and print time and WRMSSE of M5's recipe, as much of it as the minutes allow."""
    if not parsed.steps or left < _LEAST_RECIPE + (_KEPT_FOR_SCORING if is_gpu else 0):
        why = f"the recipe was left out: {parsed.steps} steps asked for, {left:.0f} s left"
        print(why, flush=True)
        return {"not_measured": why}
    horizon = config.features.horizon
    until = min(parsed.until, panel.num_periods - horizon)
    minutes = (left - _KEPT_FOR_SCORING if is_gpu else left / 2) / 60
    training = config.training.model_copy(
        update={
            "num_members": parsed.members, "max_steps": parsed.steps, "max_minutes": minutes,
            "heads_share": _MEAN_ONLY, "num_workers": 1,
        }
    )  # fmt: skip
    whole = config.model_copy(update={"training": training})
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="invopt-gpu-") as scratch:
        started = time.monotonic()
        model = fit(panel, whole, until, Path(scratch), clock=time.monotonic, notify=told.append)
        seconds = time.monotonic() - started
        actual = panel.y[:, until : until + horizon]
        hierarchy = Hierarchy.of(panel, until - 1, config.evaluation.hierarchy)
        if is_gpu:
            model.ensemble.cuda()
        score, _ = hierarchy.wrmsse(model.predict(panel, until - 1).mean, actual)
    days = f"d_{until + 1}..d_{until + horizon}"
    last = next((line for line in reversed(told) if "trunk of" in line), "no progress told")
    print(
        f"recipe: {parsed.members} members, at most {parsed.steps:,} steps and {minutes:.1f} min: "
        f"{seconds:.1f} s, WRMSSE {score:.4f} on {days}, series alone; last told: {last}",
        flush=True,
    )
    return {
        "members": parsed.members, "max_steps": parsed.steps, "max_minutes": minutes,
        "seconds": seconds, "wrmsse": score, "days": days, "last_told": last,
    }  # fmt: skip
