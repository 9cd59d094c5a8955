"""The trunks of several members as one network: one launch serves all of them.

A member's step on a GPU takes as long as its launches do; members side by side in processes take
turns. Here their weights lie side by side, (M, P), and every operation is of all members. Each
sees the batches, the noise and the clipping it would alone: results are the same but for rounding.
Shape suffixes: M members, P weights of one trunk, others as in network.py.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from invopt.config import ModelConfig
from invopt.model.lightning_module import Task, seed_device, step_seed
from invopt.model.losses import mean_loss
from invopt.model.network import Noise, Trunk
from invopt.model.recurrence import lstm_of_members
from invopt.model.windows import TrainingWindows, WindowSampler, WindowSource


class MemberTrunks(nn.Module):
    """Trunks of one shape with their weights in one matrix.

    Args:
        trunks: Whose weights it starts from; of one layer.
    """

    def __init__(self, trunks: list[Trunk]) -> None:
        super().__init__()
        named = dict(trunks[0].named_parameters())
        self.shapes = {name: weight.shape for name, weight in named.items()}
        self.sizes = [weight.numel() for weight in named.values()]
        self.weights_MP = nn.Parameter(
            torch.stack([torch.cat([w.detach().flatten() for w in t.parameters()]) for t in trunks])
        )
        # In a tuple, so that its weights, which nobody reads, are not trained.
        self._stage = (_Stage(copy.deepcopy(trunks[0])),)

    def __len__(self) -> int:
        return len(self.weights_MP)

    def noise(self, ids_MBI: Tensor, num_origins: int, seeds: list[int]) -> Noise:
        """Draw each member's noise as it would be drawn alone with its seed; see Trunk.noise."""
        trunk, drawn = self._stage[0].trunk, []
        for seed, ids_BI in zip(seeds, ids_MBI, strict=True):
            seed_device(seed, ids_MBI.device)
            drawn.append(trunk.draw(ids_BI, num_origins))
        known, kept = (
            None if part[0] is None else torch.stack(part) for part in zip(*drawn, strict=True)
        )
        return trunk.scaled(Noise(known, kept))

    def write_to(self, trunks: list[Trunk]) -> None:
        """Give each trunk its member's weights."""
        for trunk, row in zip(trunks, self.weights_MP.detach().cpu(), strict=True):
            parts = torch.split(row, self.sizes)
            with torch.no_grad():
                for weight, part in zip(trunk.parameters(), parts, strict=True):
                    weight.copy_(part.view_as(weight))

    def mean(
        self, source: WindowSource, windows: TrainingWindows, noise: Noise | None
    ) -> tuple[Tensor, Tensor]:
        """Return mean (M, B, O, H) and the decoder's state; see WindowSource.mean.

        Args:
            source: Of the windows.
            windows: (M, B, ...) each.
            noise: (M, B, ...) each.
        """
        weights = self._weights()
        inputs_MBSI, static_MBT = self._each(source.encoder_input, weights, windows, noise)
        state_MBSD = lstm_of_members(
            inputs_MBSI,
            weights["trunk.lstm.weight_ih_l0"],
            weights["trunk.lstm.weight_hh_l0"],
            weights["trunk.lstm.bias_ih_l0"] + weights["trunk.lstm.bias_hh_l0"],
        )
        found: tuple[Tensor, Tensor] = self._each(
            source.forecast, weights, windows, noise, state_MBSD, static_MBT
        )
        return found

    def _weights(self) -> dict[str, Tensor]:
        # One split: its gradient is one concatenation.
        parts = torch.split(self.weights_MP, self.sizes, dim=1)
        return {
            f"trunk.{name}": part.view(-1, *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def _each(
        self, stage: Callable[..., Any], weights: dict[str, Tensor], windows: TrainingWindows,
        noise: Noise | None, *others: Tensor,
    ) -> Any:  # fmt: skip
        """Return what a stage gives for each member with its own weights."""
        known, kept = noise or Noise(None, None)
        given = {"known": known, "kept": kept}

        def one(
            weights: dict[str, Tensor], fields: tuple[Tensor, ...], drawn: dict[str, Tensor],
            others: tuple[Tensor, ...],
        ) -> Any:  # fmt: skip
            noise = Noise(drawn.get("known"), drawn.get("kept"))
            inputs = (stage, TrainingWindows(*fields), noise, *others)
            return functional_call(self._stage[0], weights, inputs)

        drawn = {name: value for name, value in given.items() if value is not None}
        return torch.vmap(one)(weights, tuple(windows), drawn, others)


class _Stage(nn.Module):
    """Calls a part of the forward pass with a trunk whose weights functional_call has put in."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, stage: Callable[..., Any], *inputs: Any) -> Any:
        return stage(self.trunk, *inputs)


class MemberSamplers:
    """Draws each member's batch of a step, one after another.

    Args:
        samplers: One per member, of one batch size.
    """

    def __init__(self, samplers: list[WindowSampler]) -> None:
        self.samplers = samplers
        self.seed = samplers[0].seed

    @property
    def seeds(self) -> list[int]:
        """Seed of each member."""
        return [sampler.seed for sampler in self.samplers]

    def draw(self, step: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Return rows and ends of all members, (M B,) each."""
        drawn = [sampler.draw(step, rank, world) for sampler in self.samplers]
        rows, ends = (torch.cat(part) for part in zip(*drawn, strict=True))
        return rows, ends


def losses_of_members(
    mean_MBOH: Tensor, windows: TrainingWindows, weights_MB: Tensor, config: ModelConfig
) -> Tensor:
    """Return (M,) the mean head's loss of each member; see mean_loss."""

    def one(mean: Tensor, y: Tensor, observed: Tensor, weights: Tensor) -> Tensor:
        return mean_loss(mean, y, observed, weights, config)

    found: Tensor = torch.vmap(one)(mean_MBOH, windows.y_BOH, windows.observed_BOH, weights_MB)
    return found


class TrunksTask(Task):
    """Trains the trunks of several members in one step.

    Args:
        trunks: To train.
        weights: (N,) loss weight of each series.
        source: As for every task.
        sampler: Of the members.
        others: As for every task.
    """

    def __init__(
        self, trunks: MemberTrunks, weights: Tensor, source: WindowSource,
        sampler: MemberSamplers, *others: Any,
    ) -> None:  # fmt: skip
        super().__init__(source, sampler, *others)
        self.trunks, self.num_members = trunks, len(trunks)
        self.weights: Tensor
        self.register_buffer("weights", weights, persistent=False)

    @property
    def trained(self) -> MemberTrunks:
        """The trunks."""
        return self.trunks

    def draw(self, windows: TrainingWindows, step: int) -> Noise | None:
        """Return what is withheld (M, B, ...); see MemberTrunks.noise."""
        if not self.training:
            return None
        seeds = [step_seed(seed, step, self.global_rank) for seed in self.sampler.seeds]
        ids_MBI = self._by_member(windows.ids_BI)
        return self.trunks.noise(ids_MBI, len(self.source.origin_steps), seeds)

    def losses_of(
        self, source: WindowSource, windows: TrainingWindows, drawn: Noise | None
    ) -> Tensor:
        """Return the mean head's loss (M,): each weight's gradient is of its own member."""
        shaped = TrainingWindows(*(self._by_member(field) for field in windows))
        mean, _ = self.trunks.mean(source, shaped, drawn)
        weights = self.weights[shaped.rows_B]
        return losses_of_members(mean, shaped, weights, self.config.model)

    def _by_member(self, field: Tensor) -> Tensor:
        """Return (M, B, ...) of (M B, ...)."""
        return field.view(self.num_members, len(field) // self.num_members, *field.shape[1:])

    def clip(self, most: float) -> None:
        """Scale each member's gradients so that their norm is at most `most`."""
        clip_members(self.trunks.weights_MP, most)


def clip_members(weights_MP: nn.Parameter, most: float) -> None:
    """Scale each row's gradient so that its norm is at most `most`, as clip_grad_norm_ does."""
    grad = weights_MP.grad
    assert grad is not None
    norm = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
    grad.mul_((most / (norm + 1e-6)).clamp(max=1.0))
