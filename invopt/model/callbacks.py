"""What runs beside a training: progress, weight averaging, checks on a held-out horizon."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging

from invopt.model.budget import Budget
from invopt.model.lightning_module import seed_device
from invopt.types import Notify

Check = Callable[[int, float], None]
_NOTIFY_SECONDS = 2.0
SAME_WINDOWS = "same windows"  # marks losses of windows that stay the same
_POINTS = 25  # of those, over a task
_OTHER_STEP = 1_000_000_000  # that no training reaches: its windows are drawn for nothing else


class TrainingProgress(pl.Callback):
    """Tells how far a task is, and keeps its losses.

    Every step sees other windows, harder and easier ones; whether a network still learns is seen on
    windows that stay the same. Their loss is taken without dropout, and moves nothing.
    """

    def __init__(
        self,
        name: str,
        whose: str,
        budget: Budget,
        windows_per_step: int,
        notify: Notify,
        folder: Path,
    ) -> None:
        self.name, self.whose, self.budget = name, whose, budget
        self.windows, self.notify, self.folder = windows_per_step, notify, folder
        self.told, self.steps, self.loss = budget.clock(), 0, float("nan")
        self.kept: list[tuple[str, int, float]] = []
        self.next_share = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Tell, at most every two seconds, and keep what was told."""
        self.steps += 1
        share = self.budget.share_done(trainer.global_step)
        if trainer.is_global_zero and share >= self.next_share:
            self.next_share = share + 1 / _POINTS
            loss = _of_a_member(_loss_of_same_windows(module), module)
            self.kept.append((f"{self.name}, {SAME_WINDOWS}", trainer.global_step, loss))
        now = self.budget.clock()
        if now - self.told < _NOTIFY_SECONDS:
            return
        loss = _of_a_member(float(outputs["loss"]), module)
        self.loss = loss if self.loss != self.loss else 0.7 * self.loss + 0.3 * loss
        self.kept.append((self.name, trainer.global_step, loss))
        done = min(1.0, self.budget.share_done(trainer.global_step))
        left = self.budget.left(trainer.global_step)
        speed = self.steps * self.windows * trainer.world_size / (now - self.told)
        self.notify(
            f"training {self.name} of {self.whose}: {done:.0%}, "
            f"{speed:,.0f} windows/s, loss {self.loss:.4f}, {left / 60:.1f} min left"
        )
        self.told, self.steps = now, 0

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Append the kept losses to the member's history."""
        if trainer.is_global_zero:
            with (self.folder / "history.csv").open("a", newline="") as handle:
                csv.writer(handle).writerows(self.kept)


def _of_a_member(loss: float, task: Any) -> float:
    """Return the mean of the members' losses from their sum, which a task's loss is."""
    return loss / int(task.num_members)


def _loss_of_same_windows(module: Any) -> float:
    """Return the loss of windows that no step trains on by plan, the same every time."""
    modes = [(part, part.training) for part in module.modules()]
    rows, ends = module.sampler.draw(_OTHER_STEP, 0, 1)
    windows = module.source.gather(rows.to(module.device), ends.to(module.device))
    module.eval()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        seed_device(0, module.device)
        loss = float(module.loss_of(module.source, windows))
    for part, mode in modes:
        part.training = mode
    return loss


class Averaging(WeightAveraging):
    """An exponential average of the weights that forgets its start.

    The decay grows from 0 to its value, so that a short run is not an average of noise: after n
    steps it spans n/10 of them at most.

    Args:
        decay: That it grows to.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=self._update)
        self.decay = decay

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Average where the weights will be; by itself Lightning does it on the processor."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            # Counted on the processor: nobody waits for a GPU to tell.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()

    def _update(self, averaged: Any, current: Any, _: Any) -> None:
        assert self._average_model is not None
        count = float(self._average_model.n_averaged)
        weight = 1 - min(self.decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(list(averaged), list(current), weight)


class Checks(pl.Callback):
    """Hands each check's loss to whoever decides about a trial.

    Args:
        check: Called with step and loss; it may raise to end the training.
    """

    def __init__(self, check: Check) -> None:
        self.check = check

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Hand over the loss of the check that just ended."""
        self.check(trainer.global_step, float(trainer.callback_metrics["check"]))
