"""Thin Lightning modules: step, log, optimiser. The mathematics is in network and losses."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from invopt.config import Config
from invopt.model.budget import Budget
from invopt.model.graphs import GraphedLosses, Losses, side_by_side
from invopt.model.losses import heads_loss, mean_loss
from invopt.model.network import Heads, Noise, Trunk
from invopt.model.precision import precision_of
from invopt.model.windows import AnyWindowSampler, TrainingWindows, WindowQueue, WindowSource

# Steps whose losses a GPU keeps before anybody looks: each look waits until it has done them.
_LOOK = 64


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


def seed_device(seed: int, device: torch.device) -> None:
    """Seed what is drawn on a device.

    torch.manual_seed seeds all kinds of device; for each kind that is not there it writes down the
    whole stack at every call, which takes milliseconds within Lightning.
    """
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


class Task(pl.LightningModule):
    """What the trainings of trunks and of heads share, of one member or of several in one step.

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
        self.found: list[tuple[int, Tensor]] = []  # steps and losses that nobody looked at yet
        self.replayed: Losses | None = None

    @property
    def trained(self) -> torch.nn.Module:
        """What has the weights that are trained."""
        raise NotImplementedError

    def draw(self, windows: TrainingWindows, step: int) -> Any:
        """Return what is random in a step's pass, None where nothing is."""
        raise NotImplementedError

    def losses_of(self, source: WindowSource, windows: TrainingWindows, drawn: Any) -> Tensor:
        """Return the loss of each member (M,), with what was drawn."""
        raise NotImplementedError

    def clip(self, most: float) -> None:
        """Scale the gradients so that their norm is at most `most`."""
        torch.nn.utils.clip_grad_norm_(self.trained.parameters(), most)

    def loss_of(self, source: WindowSource, windows: TrainingWindows) -> Tensor:
        """Return the task's loss of some windows, with noise where the module is in training."""
        return self.losses_of(source, windows, self.draw(windows, self.global_step)).sum()

    def on_fit_start(self) -> None:
        """Bring the windows' panel to the module's device."""
        self.source = self.source.to(self.device)
        world = self.trainer.world_size
        self.queue = WindowQueue(self.source, self.sampler, self.global_rank, world)
        if self.held_out is not None:
            self.held_out = self.held_out.to(self.device)

    def on_train_start(self) -> None:
        """Let a GPU that trains alone replay its step; ranks must add up gradients on the way."""
        if self.device.type == "cuda" and self.trainer.world_size == 1:
            self.capture(self.windows())

    def capture(self, windows: TrainingWindows) -> None:
        """Compute losses from now on by replays; windows give their shapes."""
        self.replayed = GraphedLosses(
            partial(self.losses_of, self.source),
            self.trained,
            (windows, self.draw(windows, self.global_step)),
            is_half=precision_of(self.config.training.precision) == "bf16-mixed",
        )

    def step_losses(self, windows: TrainingWindows, step: int) -> Tensor:
        """Return the losses (M,) of a step of training, replayed where they were captured."""
        drawn = self.draw(windows, step)
        if self.replayed is not None:
            return self.replayed(windows, drawn)
        return self.losses_of(self.source, windows, drawn)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """Return the loss of the step's own windows; the loader's batch only counts."""
        losses = self.step_losses(self.windows(), self.global_step)
        self.found.append((self.global_step, losses.detach()))
        if len(self.found) >= (_LOOK if losses.is_cuda else 1):
            self.check_finite()
        return losses.sum()

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
        seed_device(step_seed(self.sampler.seed, self.global_step, self.global_rank), self.device)
        return None

    def on_train_end(self) -> None:
        """Look at the losses that nobody looked at yet."""
        self.check_finite()

    def windows(self) -> TrainingWindows:
        """Return the batch of the current step, this rank's share."""
        return self.queue.take(self.global_step)

    def check_finite(self) -> None:
        """Stop with the series of the batch named where a loss since the last look is not finite.

        Raises:
            NonFiniteLossError: With the first such step, and of its members the first.
        """
        found, self.found = self.found, []
        if not found:
            return
        is_bad = ~torch.isfinite(torch.stack([losses for _, losses in found])).cpu()
        if is_bad.any():
            place, member = (int(i) for i in is_bad.nonzero()[0])
            step = found[place][0]
            rows, _ = self.sampler.draw(step, self.global_rank, self.trainer.world_size)
            raise NonFiniteLossError(step, rows.view(self.num_members, -1)[member].tolist())

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
        """Clip gradients by our own function.

        Lightning's own clipping refuses fused optimisers in mixed precision: they may unscale
        gradients themselves. bfloat16 needs no scaling, so there is nothing to unscale.
        """
        if gradient_clip_val is not None:
            self.clip(gradient_clip_val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the budget has used; weights of a loss that is not finite are not kept."""
        self.check_finite()
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

    @property
    def trained(self) -> Trunk:
        """The trunk."""
        return self.trunk

    def draw(self, windows: TrainingWindows, step: int) -> Noise | None:
        """Return what is withheld; see Trunk.noise."""
        return self.trunk.noise(windows.ids_BI, len(self.source.origin_steps))

    def losses_of(
        self, source: WindowSource, windows: TrainingWindows, drawn: Noise | None
    ) -> Tensor:
        """Return the mean head's loss (1,)."""
        mean, _ = source.mean(self.trunk, windows, drawn)
        weights = self.weights[windows.rows_B]
        loss = mean_loss(mean, windows.y_BOH, windows.observed_BOH, weights, self.config.model)
        return loss[None]


class HeadsTask(Task):
    """Trains the quantile and level heads of one or several members on finished trunks.

    Trunks differ in more than their weights, in how far their own past is trusted: each member's
    pass is its own, in one step.

    Args:
        heads: To train, of each member.
        trunks: Of each; read without gradient and not part of this module's parameters.
        others: As for every task; windows of the members one after another.
    """

    def __init__(self, heads: list[Heads], trunks: list[Trunk], *others: Any) -> None:
        super().__init__(*others)
        self.heads, self.num_members = torch.nn.ModuleList(heads), len(heads)
        # In a tuple, so that Lightning does not adopt them.
        self._frozen = tuple(trunk.eval() for trunk in trunks)

    @property
    def trained(self) -> torch.nn.ModuleList:
        """The heads."""
        return self.heads

    def on_fit_start(self) -> None:
        """Bring panel and trunks to the module's device."""
        super().on_fit_start()
        for trunk in self._frozen:
            trunk.to(self.device)

    def draw(self, windows: TrainingWindows, step: int) -> Tensor:
        """Return the jitter of counts (M B, O), of each member as it would be drawn alone."""
        size = len(windows.rows_B) // self.num_members, len(self.source.origin_steps)
        drawn, device = [], windows.y_BOH.device
        for seed in self.sampler.seeds:
            if self.training:
                seed_device(step_seed(seed, step, self.global_rank), device)
            drawn.append(torch.rand(size, device=device))
        return torch.cat(drawn) * float(self.source.spec.is_count)

    def losses_of(self, source: WindowSource, windows: TrainingWindows, drawn: Tensor) -> Tensor:
        """Return the loss of both heads of each member (M,)."""
        size, works = len(windows.rows_B) // self.num_members, []
        for member, (heads, trunk) in enumerate(zip(self.heads, self._frozen, strict=True)):
            own = slice(member * size, (member + 1) * size)
            inputs = heads, trunk, source, windows.part(own), drawn[own]
            works.append(partial(self._loss, *inputs))
        return torch.stack(side_by_side(works, windows.y_BOH.device))

    def _loss(
        self, heads: torch.nn.Module, trunk: Trunk, source: WindowSource,
        windows: TrainingWindows, jitter_BO: Tensor,
    ) -> Tensor:  # fmt: skip
        with torch.no_grad():
            mean, hidden = source.mean(trunk, windows)
        quantiles, levels = heads(hidden, mean)
        return heads_loss(
            quantiles,
            levels,
            windows.y_BOH,
            observed_BOH=windows.observed_BOH,
            mean_BOH=mean,
            jitter_BO=jitter_BO,
            config=self.config.model,
        )

    def clip(self, most: float) -> None:
        """Scale the gradients of each member so that their norm is at most `most`."""
        for heads in self.heads:
            torch.nn.utils.clip_grad_norm_(heads.parameters(), most)


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite.

    Args:
        step: Optimiser step.
        rows: Series of the batch, by row of the panel.
    """

    def __init__(self, step: int, rows: list[int]) -> None:
        self.step, self.rows = step, rows
        super().__init__(f"the loss is not finite at step {step}")
