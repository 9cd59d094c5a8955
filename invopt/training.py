"""Training: from a panel to a Forecaster, within a budget, repeatable and resumable.

A training is a folder: what every member reads (`prepare`), and what each one leaves
(`train_member`). The same folder serves one process, several workers, and the ranks of a
distributed run.
"""

import copy
import csv
import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from invopt.config import Config
from invopt.errors import CheckpointError, ConfigError, InvalidInputError
from invopt.features import EncodedPanel, FeatureEncoder, FeatureSpec
from invopt.files import replacing_file
from invopt.model.budget import Budget
from invopt.model.callbacks import Averaging, Check, Checks, TrainingProgress
from invopt.model.forecaster import Forecaster
from invopt.model.lightning_module import HeadsTask, HeldOut, NonFiniteLossError, TrunkTask
from invopt.model.memory import estimate_memory, refuse_too_large
from invopt.model.network import DemandNetwork, Heads, NetworkSizes, Trunk
from invopt.model.own_past import past_horizons, settle
from invopt.model.precision import precision_of
from invopt.model.together import MemberSamplers, MemberTrunks, TrunksTask
from invopt.model.windows import AnyWindowSampler, WindowSampler, WindowSource, training_origins
from invopt.panel import Panel
from invopt.types import Clock, Float32Array, Notify

# Trains members of a prepared folder elsewhere and returns when they are there.
TrainMembers = Callable[[Path, "list[Member]"], None]
_CHECKED_SERIES = 1024
_MAX_STEPS = 10_000_000  # Lightning needs a number; the budget ends the run
# Lightning tells of devices and tips at every fit; what matters is told by Progress.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)


def _silent(_: str) -> None:
    """Tell nobody; a function of the module, so that it reaches worker processes."""


@dataclass(frozen=True)
class Member:
    """One network to train.

    Attributes:
        number: Place in the ensemble.
        seconds: Wall clock it may use, None for no limit.
        num_threads: Threads of its process.
        num_nodes: Machines that train it together. More than one only where a launcher has started
            a process on each: trials and folds of a run with several machines train on one.
    """

    number: int
    seconds: float | None
    num_threads: int
    num_nodes: int = 1

    def folder_in(self, training: Path) -> Path:
        """Return where it lives in the folder of a training."""
        return training / f"member-{self.number:02d}"

    def seed(self, config: Config) -> int:
        """Return the seed of its weights and of the windows it sees."""
        return config.training.seed + 1000 * self.number


@dataclass(frozen=True)
class Watch:
    """Who looks on while a member trains; see fit."""

    clock: Clock
    notify: Notify
    check: Check | None


def fit(
    panel: Panel,
    config: Config,
    num_periods: int,
    folder: Path,
    *,
    clock: Clock,
    notify: Notify = _silent,
    check: Check | None = None,
    memory: int | None = None,
    train_members: TrainMembers | None = None,
) -> Forecaster:
    """Train every member on the first num_periods of a panel and return their ensemble.

    Args:
        panel: Cleaned, with derived channels.
        config: Of the run.
        num_periods: Periods whose sales may be seen.
        folder: Scratch that checkpoints live in; an interrupted training found there goes on.
        clock: Returns seconds, from any start.
        notify: Called with lines of progress.
        check: Called with step and loss on a held-out horizon every `check_steps` steps of the
            trunk; it may raise to end the training. For members trained one after another.
        memory: Bytes the training may take; None leaves it unchecked.
        train_members: Trains the members on other machines, which share the folder; None trains
            them here.

    Raises:
        InvalidInputError: If the panel has no series to learn from, or the loss stops being
            finite.
        ConfigError: If the training would take more than `memory`.
        CheckpointError: If the folder holds a training of another configuration.
    """
    started = clock()
    spec = prepare(panel, config, num_periods, folder, memory=memory)
    training = config.training
    workers = min(training.num_workers, training.num_members)
    rounds = -(-training.num_members // workers)
    left = training.max_minutes * 60 - (clock() - started)
    seconds = max(1.0, left / rounds)
    threads = torch.get_num_threads() if workers == 1 else 1
    members = [Member(n, seconds, threads) for n in range(training.num_members)]
    if train_members is not None:
        train_members(folder, members)
    elif is_trained_together(config, "cuda" if torch.cuda.is_available() else "cpu", check):
        all_seconds = max(1.0, left)
        members = [Member(m.number, all_seconds / len(members), threads) for m in members]
        train_together(folder, members, clock=clock, notify=notify)
    elif workers == 1:
        for member in members:
            train_member(folder, member, clock=clock, notify=notify, check=check)
    else:
        _train_apart(folder, members, workers, clock, notify)
    networks = [load_member(folder, m.number, spec, config) for m in members]
    forecaster = Forecaster(spec, config.model, networks)
    return forecaster.calibrated(EncodedPanel.load(folder / "arrays"))


def prepare(
    panel: Panel, config: Config, num_periods: int, folder: Path, *, memory: int | None = None
) -> FeatureSpec:
    """Write what every member reads: encoded panel, feature spec, loss weights, configuration.

    Raises:
        ConfigError: If training would take more than `memory` bytes; nothing is written.
        CheckpointError: If the folder holds a training of another configuration.
    """
    _refuse_other_training(folder, config)
    seen = panel.truncate(num_periods)
    encoder = FeatureEncoder.fit(seen, config.features, num_periods)
    encoded = encoder.encode(seen)
    if memory is not None:
        sizes = NetworkSizes.of(encoder.spec)
        refuse_too_large(estimate_memory(sizes, encoded, config), memory)
    folder.mkdir(parents=True, exist_ok=True)
    encoded.save(folder / "arrays")
    encoder.spec.save(folder / "features.json")
    np.save(folder / "weights.npy", series_weights(encoded, encoder.spec, config))
    (folder / "config.json").write_text(json.dumps(config.model_dump(mode="json"), indent=1))
    return encoder.spec


def _refuse_missing_bfloat16(config: Config) -> None:
    """Raise where bfloat16 is asked for on a processor whose LSTM kernels have none.

    Tried, not looked up: torch tells of no such thing, and its kernels fail only when they run.
    """
    if precision_of(config.training.precision) == "32-true" or torch.cuda.is_available():
        return
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            torch.nn.LSTM(1, 1)(torch.zeros(1, 1, 1))
    except RuntimeError as err:
        raise ConfigError(
            f"training.precision is {config.training.precision}, and this machine has neither a "
            "GPU nor a processor that computes LSTMs in bfloat16: set it to 32-true."
        ) from err


def _refuse_other_training(folder: Path, config: Config) -> None:
    """Raise where the folder's configuration differs in what shapes a network's training."""
    file = folder / "config.json"
    if not file.is_file():
        return
    before, now = json.loads(file.read_text()), config.model_dump(mode="json")
    differences = [
        f"{section}.{key} was {before[section].get(key)} and is {value}"
        for section in ("features", "model", "training")
        for key, value in now[section].items()
        if before[section].get(key) != value
    ]
    if differences:
        raise CheckpointError(
            f"{folder} holds a training of another configuration: {'; '.join(differences[:5])}. "
            "Give it the same configuration to go on, or remove the folder to start anew."
        )


def series_weights(encoded: EncodedPanel, spec: FeatureSpec, config: Config) -> Float32Array:
    """Return the loss weight of each series, mean 1, from 0.1 to 10.

    "value" is the square root of price x volume^(1+p) / scale: a squared scaled error weighted
    by revenue (as in WRMSSE), divided by the curvature volume^-p that a Tweedie loss of power p
    has. The root keeps slow sellers in the picture; the full weight was measured and is worse.
    "relative" is volume^(p-2): the same relative error weighs alike in small and large series.
    """
    num_series = len(encoded.static_ids)
    if config.training.loss_weights == "none":
        return np.ones(num_series, np.float32)
    code = np.asarray(encoded.y, np.float32)
    y = np.where(code >= 0, code, -code - 1)
    recent = y[:, -4 * config.features.horizon :]
    volume = recent.mean(axis=1)
    power = config.model.tweedie_power if config.model.loss == "tweedie" else 1.0
    if config.training.loss_weights == "relative":
        return _mean_one(np.maximum(volume, 1e-3) ** (power - 2)).astype(np.float32)
    changes = np.square(np.diff(y[:, -13 * config.features.horizon :], axis=1)).mean(axis=1)
    price = np.ones(num_series, np.float32)
    if spec.has_price:
        last = np.asarray(encoded.log_price[:, encoded.num_periods - 1], np.float32)
        price = np.exp(np.nan_to_num(last, nan=float(np.nanmean(last))))
    weights = np.sqrt(price * volume ** (1 + power) / (changes + 1e-3))
    return _mean_one(weights).astype(np.float32)


def train_member(
    folder: Path,
    member: Member,
    *,
    clock: Clock,
    notify: Notify = _silent,
    check: Check | None = None,
) -> None:
    """Train one network of a prepared folder: trunk first, then heads on the averaged trunk.

    What is there already (a finished trunk, a checkpoint) is not done again. Under torchrun
    every rank calls this and rank 0 writes.

    Raises:
        InvalidInputError: If the loss stops being finite; the batch's series are named.
        ConfigError: If the precision is one that this machine cannot compute with.
    """
    config = Config.model_validate(json.loads((folder / "config.json").read_text()))
    spec = FeatureSpec.load(folder / "features.json")
    result = member.folder_in(folder) / "network.npz"
    if result.is_file():
        return
    _refuse_missing_bfloat16(config)
    torch.set_num_threads(member.num_threads)
    pl.seed_everything(member.seed(config), verbose=False)
    network = DemandNetwork(NetworkSizes.of(spec), config.model)
    run = _Run(folder, member, spec, config, Watch(clock, notify, check))
    run.train_trunk(network)
    run.train_heads(network)
    if run.is_global_zero:
        _save_arrays(network, result)


def is_trained_together(config: Config, device: str, check: Check | None = None) -> bool:
    """Return whether the members are trained in one step.

    A GPU waits for launches, which members side by side share. A processor computes: torch's own
    LSTM, one member after another, takes 1.5 to 1.7 times less of its time than one for all.

    Args:
        config: Of the run.
        device: "cuda" or "cpu".
        check: What looks on, which looks at one member.
    """
    training = config.training
    return (
        device == "cuda"
        and training.num_members > 1
        and training.num_processes * training.num_nodes == 1
        and config.model.num_layers == 1
        and training.patience is None
        and check is None
    )


def train_together(
    folder: Path, members: list[Member], *, clock: Clock, notify: Notify = _silent
) -> None:
    """Train the members of a prepared folder in one step: trunks as one network, then heads.

    Seeds, batches and clipping are those each would have alone, and so is the result but for
    rounding. All members' seconds are the budget of all. An interrupted training goes on.

    Raises:
        InvalidInputError: If a loss stops being finite; the member's batch is named.
        ConfigError: If the precision is one that this machine cannot compute with.
    """
    config = Config.model_validate(json.loads((folder / "config.json").read_text()))
    spec = FeatureSpec.load(folder / "features.json")
    if all((m.folder_in(folder) / "network.npz").is_file() for m in members):
        return
    _refuse_missing_bfloat16(config)
    torch.set_num_threads(members[0].num_threads)
    watch = Watch(clock, notify, None)
    networks, runs = [], []
    for member in members:
        pl.seed_everything(member.seed(config), verbose=False)
        networks.append(DemandNetwork(NetworkSizes.of(spec), config.model))
        runs.append(_Run(folder, member, spec, config, watch))
    first = _first_of_all(folder / "together", runs)
    _train_trunks(first, runs, networks)
    heads = [network.heads for network in networks]
    first.train_heads_of(heads, [network.trunk for network in networks])
    for run, network in zip(runs, networks, strict=True):
        shutil.copy(first.own / "history.csv", run.own)
        _save_arrays(network, run.own / "network.npz")


def _first_of_all(own: Path, runs: list["_Run"]) -> "_Run":
    """Return the first member's run as that of all, with a folder and all seconds of its own."""
    own.mkdir(exist_ok=True)
    first, seconds = copy.copy(runs[0]), [run.member.seconds for run in runs]
    known = [s for s in seconds if s is not None]
    first.own, first.num_together = own, len(runs)
    first.member = replace(first.member, seconds=sum(known) if len(known) == len(seconds) else None)
    first.draws = MemberSamplers([run.sampler for run in runs])
    return first


def _train_trunks(first: "_Run", runs: list["_Run"], networks: list[DemandNetwork]) -> None:
    """Train the trunks of all members with the run of all; those that are there are read."""
    if all((run.own / "trunk.npz").is_file() for run in runs):
        for run, network in zip(runs, networks, strict=True):
            _load_arrays(network.trunk, run.own / "trunk.npz")
        return
    (first.own / "history.csv").unlink(missing_ok=True)
    trunks = MemberTrunks([network.trunk for network in networks])
    budget = first.budget(1 - first.config.training.heads_share)
    first.fit(TrunksTask(trunks, first.weights, *first.shared(budget)), "trunk", budget)
    trunks.write_to([network.trunk for network in networks])
    for run, network in zip(runs, networks, strict=True):
        run.device = first.device
        run.finish_trunk(network)


def load_member(folder: Path, number: int, spec: FeatureSpec, config: Config) -> DemandNetwork:
    """Return a trained member of a training folder."""
    network = DemandNetwork(NetworkSizes.of(spec), config.model)
    _load_arrays(network, folder / f"member-{number:02d}" / "network.npz")
    return network.eval()


def read_history(folder: Path, number: int = 0) -> list[tuple[str, int, float]]:
    """Return (task, step, loss) of a member's training, in order."""
    file = folder / f"member-{number:02d}" / "history.csv"
    with file.open(newline="") as handle:
        return [(row[0], int(row[1]), float(row[2])) for row in csv.reader(handle)]


class _Run:
    """One member's training in this process."""

    def __init__(
        self, folder: Path, member: Member, spec: FeatureSpec, config: Config, watch: "Watch"
    ) -> None:
        self.own, self.config, self.member = member.folder_in(folder), config, member
        self.own.mkdir(parents=True, exist_ok=True)
        self.clock, self.notify, self.check = watch.clock, watch.notify, watch.check
        self.is_global_zero, self.device = True, torch.device("cpu")
        self.num_together = 1  # members that a step trains
        encoded = EncodedPanel.load(folder / "arrays")
        training, features = config.training, config.features
        is_checked = training.patience is not None or self.check is not None
        stop = encoded.num_periods - (features.horizon if is_checked else 0)
        self.encoded, self.stop = encoded, stop
        panel = encoded.map(lambda a: torch.from_numpy(np.asarray(a)))
        origins = training_origins(features, training)
        self.num_origins = len(origins)
        self.source = WindowSource(spec, panel, origins, stop)
        launch = np.asarray(encoded.launch)
        self.sampler = WindowSampler(
            launch, stop, features, training=training, seed=member.seed(config),
            member=member.number,
        )  # fmt: skip
        self.draws: AnyWindowSampler = self.sampler  # of all members that a step trains
        if not self.sampler.num_series:
            raise InvalidInputError(
                f"no series has sales before period {stop}: there is nothing to learn from."
            )
        self.weights = torch.from_numpy(np.load(folder / "weights.npy"))
        self.held_out: HeldOut | None = None
        if is_checked:
            rows = self.sampler.rows
            spread = np.linspace(0, len(rows) - 1, min(_CHECKED_SERIES, len(rows))).astype(int)
            last = WindowSource(spec, panel, [features.context_steps - 1])
            self.held_out = HeldOut(last, torch.from_numpy(rows[spread]), stop - 1)

    def train_trunk(self, network: DemandNetwork) -> None:
        finished = self.own / "trunk.npz"
        if finished.is_file():
            _load_arrays(network.trunk, finished)
            return
        budget = self.budget(1 - self.config.training.heads_share)
        task = TrunkTask(network.trunk, self.weights, *self.shared(budget))
        self.fit(task, "trunk", budget)
        self.finish_trunk(network)

    def finish_trunk(self, network: DemandNetwork) -> None:
        """Look at the past beside a trained trunk, and write both."""
        self._settle(network)
        if self.is_global_zero:
            _save_arrays(network.trunk, self.own / "trunk.npz")

    def _settle(self, network: DemandNetwork) -> None:
        """Find how far the past of each series is to be trusted beside the finished trunk."""
        network.to(self.device).trunk.eval()
        own = network.trunk.own
        gain = settle(own, past_horizons(network, self.source.spec, self.encoded, self.stop))
        if own.is_used:
            used = [f"weekdays weighed against {own.strength:g} sales"] if own.has_weeks else []
            used += [f"levels moved by {own.share:.0%} towards the long one"] if own.share else []
            used += ["plans as they worked so far"] if any(own.plans) else []
            text = ", ".join(used)
            self.notify(f"beside the network the past is used: {text}; {gain:.1%} less deviance")

    def train_heads(self, network: DemandNetwork) -> None:
        self.train_heads_of([network.heads], [network.trunk])

    def train_heads_of(self, heads: list[Heads], trunks: list[Trunk]) -> None:
        budget = self.budget(self.config.training.heads_share)
        self.fit(HeadsTask(heads, trunks, *self.shared(budget)), "heads", budget)

    def shared(self, budget: Budget) -> tuple[Any, ...]:
        return self.source, self.draws, self.held_out, budget, self.config

    def budget(self, share: float) -> Budget:
        steps, seconds = self.config.training.max_steps, self.member.seconds
        return Budget(
            max(1, round(steps * share)) if steps else None,
            seconds * share if seconds else None,
            self.clock,
        )

    def fit(self, task: pl.LightningModule, name: str, budget: Budget) -> None:
        trainer = self._trainer(self._callbacks(name, budget))
        self.is_global_zero, self.device = trainer.is_global_zero, trainer.strategy.root_device
        resume = self.own / f"{name}-last.ckpt"
        try:
            with _quiet():
                trainer.fit(
                    task,
                    _step_counter(_MAX_STEPS),
                    _step_counter(1) if self.held_out else None,
                    ckpt_path=str(resume) if resume.is_file() else None,
                )
        except NonFiniteLossError as err:
            raise InvalidInputError(
                f"{err}; its batch held the series in rows {err.rows[:10]} of the panel. "
                "Look at their sales and channels, or lower training.learning_rate."
            ) from err

    def _callbacks(self, name: str, budget: Budget) -> list[pl.Callback]:
        training = self.config.training
        checkpoints = ModelCheckpoint(
            self.own,
            f"{name}-last",
            train_time_interval=timedelta(minutes=training.checkpoint_minutes),
            enable_version_counter=False,
        )
        windows = training.batch_size * self.num_origins * self.num_together
        one, last = self.member.number + 1, self.member.number + self.num_together
        progress = TrainingProgress(
            name,
            f"member {one}" if one == last else f"members {one} to {last}",
            budget,
            windows_per_step=windows,
            notify=self.notify,
            folder=self.own,
        )
        average = Averaging(training.average_decay)
        callbacks: list[pl.Callback] = [average, checkpoints, progress]
        if training.patience is not None:
            callbacks.append(EarlyStopping("check", patience=training.patience))
        if self.check is not None and name == "trunk":
            callbacks.append(Checks(self.check))
        return callbacks

    def _trainer(self, callbacks: list[pl.Callback]) -> pl.Trainer:
        training = self.config.training
        return pl.Trainer(
            accelerator="auto",
            devices=training.num_processes if training.num_processes > 1 else 1,
            num_nodes=self.member.num_nodes,
            strategy="ddp" if training.num_processes * self.member.num_nodes > 1 else "auto",
            precision=precision_of(training.precision),
            max_steps=_MAX_STEPS,
            gradient_clip_val=training.gradient_clip,
            callbacks=callbacks,
            val_check_interval=training.check_steps if self.held_out else None,
            check_val_every_n_epoch=None if self.held_out else 1,
            num_sanity_val_steps=0,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out Lightning's warnings about a loader that only counts steps."""
    with warnings.catch_warnings():
        for text in (
            "does not have many workers",
            "exists and is not empty",
            "dataloader is not resumable",
            "no `val_dataloader`",
            "`isinstance\\(treespec",
        ):
            warnings.filterwarnings("ignore", message=f".*{text}.*")
        yield


def _train_apart(
    folder: Path, members: list[Member], workers: int, clock: Clock, notify: Notify
) -> None:
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [
            pool.submit(train_member, folder, member, clock=clock, notify=notify)
            for member in members
        ]
        for future in futures:
            future.result()


def _step_counter(steps: int) -> DataLoader[int]:
    """Return a loader that only counts: the module gathers its own batch on its device."""
    return DataLoader(range(steps), batch_size=None)  # type: ignore[arg-type]


def _mean_one(weights: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:  # type: ignore[type-arg]
    mean = weights.mean()
    return np.clip(weights / mean, 0.1, 10) if mean > 0 else np.ones_like(weights)


def _save_arrays(module: torch.nn.Module, path: Path) -> None:
    arrays = {k: v.cpu().numpy() for k, v in module.state_dict().items()}
    # A file, not a name: numpy would add a suffix.
    with replacing_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _load_arrays(module: torch.nn.Module, path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        module.load_state_dict({k: torch.from_numpy(arrays[k]) for k in arrays.files})
