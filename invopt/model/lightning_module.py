"""Thin Lightning modules: step, log, optimiser. The mathematics is in network and losses."""

import math
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from invopt.config import Config
from invopt.model.budget import Budget
from invopt.model.losses import heads_loss, mean_loss
from invopt.model.network import Heads, Trunk
from invopt.model.windows import AnyWindowSampler, TrainingWindows, WindowQueue, WindowSource


@dataclass(frozen=True)
class HeldOut:
    """The windows of a check: targets that training never sees.

    Attributes:
        source: Gathers them, one origin each.
        rows: (B,) series.
        cutoff: Last period before their targets.
    """

    source: WindowSource
    rows: Tensor
    cutoff: int

    def to(self, device: torch.device) -> "HeldOut":
        """Return the windows on another device."""
        return HeldOut(self.source.to(device), self.rows.to(device), self.cutoff)

    def windows(self) -> TrainingWindows:
        """Return all of them."""
        return self.source.gather(self.rows, torch.full_like(self.rows, self.cutoff))


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of what is random within a step."""
    return hash((seed, step, rank)) % 2**31


class Task(pl.LightningModule):
    """What the trainings of trunk, of heads and of several trunks share.

    Args:
        source: Gathers windows; moved to the module's device when training starts.
        sampler: Draws them.
        held_out: Windows of the checks, None where nothing is held out.
        budget: Of this task.
        config: Of the run.
    """

    num_members = 1  # whose losses the task's adds up

    def __init__(
        self,
        source: WindowSource,
        sampler: AnyWindowSampler,
        held_out: HeldOut | None,
        budget: Budget,
        config: Config,
    ) -> None:
        super().__init__()
        self.source, self.sampler, self.held_out = source, sampler, held_out
        self.budget, self.config = budget, config

    def loss_of(self, source: WindowSource, windows: TrainingWindows) -> Tensor:
        """Return the task's loss of some windows."""
        raise NotImplementedError

    def on_fit_start(self) -> None:
        """Bring the windows' panel to the module's device."""
        self.source = self.source.to(self.device)
        world = self.trainer.world_size
        self.queue = WindowQueue(self.source, self.sampler, self.global_rank, world)
        if self.held_out is not None:
            self.held_out = self.held_out.to(self.device)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """Return the loss of the step's own windows; the loader's batch only counts."""
        windows = self.windows()
        loss = self.loss_of(self.source, windows)
        self.log("loss", loss)
        return self.check_finite(loss, windows)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Log the loss of the held-out windows."""
        assert self.held_out is not None
        loss = self.loss_of(self.held_out.source, self.held_out.windows())
        self.log("check", loss, batch_size=len(self.held_out.rows), sync_dist=True)

    def on_train_batch_start(self, batch: Tensor, batch_idx: int) -> int | None:
        """Set rate and seed of the step, or end the training where its budget is used."""
        # Clocks differ: all ranks follow the first one's, or their rates and ends would part.
        done = self.trainer.strategy.broadcast(self.budget.share_done(self.global_step))
        if done >= 1.0:
            self.trainer.should_stop = True
            return -1
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.config.training.learning_rate * self._schedule(done)
        # Dropout and jitter of a step depend on the step alone, so a resumed run goes on.
        torch.manual_seed(step_seed(self.sampler.seed, self.global_step, self.global_rank))
        return None

    def windows(self) -> TrainingWindows:
        """Return the batch of the current step, this rank's share."""
        return self.queue.take(self.global_step)

    def check_finite(self, loss: Tensor, windows: TrainingWindows) -> Tensor:
        """Return the loss; stop with the series of the batch named when it is not finite."""
        if not torch.isfinite(loss):
            raise NonFiniteLossError(self.global_step, windows.rows_B.tolist())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW, one launch for all weights."""
        training = self.config.training
        return torch.optim.AdamW(
            self.parameters(),
            lr=training.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=training.weight_decay,
            fused=True,
        )

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients.

        Lightning's own clipping refuses fused optimisers in mixed precision: they may unscale
        gradients themselves. bfloat16 needs no scaling, so there is nothing to unscale.
        """
        if gradient_clip_val is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the budget has used."""
        checkpoint["budget"] = self.budget.state(self.global_step)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the budget up where it was."""
        self.budget.resume(checkpoint["budget"])

    def _schedule(self, done: float) -> float:
        """Return the share of the peak rate: a linear warm-up, then half a cosine to zero."""
        warmup = self.config.training.warmup_share
        if done < warmup:
            return max(done, 1e-3) / warmup
        return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


class TrunkTask(Task):
    """Trains the encoder and the mean decoder.

    Args:
        trunk: To train.
        weights: (N,) loss weight of each series.
        others: As for every task.
    """

    def __init__(self, trunk: Trunk, weights: Tensor, *others: Any) -> None:
        super().__init__(*others)
        self.trunk = trunk
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)

    def loss_of(self, source: WindowSource, windows: TrainingWindows) -> Tensor:
        """Return the mean head's loss."""
        noise = self.trunk.noise(windows.ids_BI, len(source.origin_steps))
        mean, _ = source.mean(self.trunk, windows, noise)
        weights = self.weights[windows.rows_B]
        return mean_loss(mean, windows.y_BOH, windows.observed_BOH, weights, self.config.model)


class HeadsTask(Task):
    """Trains the quantile and level heads on a finished trunk.

    Args:
        heads: To train.
        trunk: Finished; read without gradient and not part of this module's parameters.
        others: As for every task.
    """

    def __init__(self, heads: Heads, trunk: Trunk, *others: Any) -> None:
        super().__init__(*others)
        self.heads = heads
        self._frozen = (trunk.eval(),)  # in a tuple, so that Lightning does not adopt it

    def on_fit_start(self) -> None:
        """Bring panel and trunk to the module's device."""
        super().on_fit_start()
        self._frozen[0].to(self.device)

    def loss_of(self, source: WindowSource, windows: TrainingWindows) -> Tensor:
        """Return the loss of both heads."""
        with torch.no_grad():
            mean, hidden = source.mean(self._frozen[0], windows)
        quantiles, levels = self.heads(hidden, mean)
        jitter = torch.rand_like(mean[..., 0]) * float(source.spec.is_count)
        return heads_loss(
            quantiles,
            levels,
            windows.y_BOH,
            observed_BOH=windows.observed_BOH,
            mean_BOH=mean,
            jitter_BO=jitter,
            config=self.config.model,
        )


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite.

    Args:
        step: Optimiser step.
        rows: Series of the batch, by row of the panel.
    """

    def __init__(self, step: int, rows: list[int]) -> None:
        self.step, self.rows = step, rows
        super().__init__(f"the loss is not finite at step {step}")
