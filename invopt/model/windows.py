"""Windows of a panel as tensors, gathered by index on the device the panel lives on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from invopt.config import FeaturesConfig, TrainingConfig
from invopt.features import (
    EncodedPanel,
    FeatureSpec,
    calendar_index,
    log_offset,
    planned_features,
    step_ends,
    step_features,
    targets,
)
from invopt.model.network import Trunk


class TrainingWindows(NamedTuple):
    """A batch: what the trunk reads and, in training, the actuals.

    Calendars are given by their place in EncodedPanel.calendar, so that they are projected once
    per batch and not once per window. Shapes as in network.py.
    """

    rows_B: Tensor
    step_BSF: Tensor
    step_index_BS: Tensor
    planned_BOHK: Tensor
    index_BOH: Tensor
    calendar_rows_B: Tensor
    ids_BI: Tensor
    values_BV: Tensor
    log_offset_BO: Tensor
    y_BOH: Tensor
    observed_BOH: Tensor


class WindowSource:
    """Gathers windows from an encoded panel.

    Args:
        spec: Of the panel.
        panel: As torch tensors, on any device.
        origin_steps: Encoder steps that are origins, ascending.
        target_stop: Period from which on sales are no targets; the panel's end by default.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        panel: EncodedPanel,
        origin_steps: list[int],
        target_stop: int | None = None,
    ) -> None:
        self.spec, self.panel = spec, panel
        self.target_stop = panel.num_periods if target_stop is None else target_stop
        device = panel.calendar.device
        self.origin_steps = torch.tensor(origin_steps, device=device)

    def __deepcopy__(self, memo: dict[int, object]) -> "WindowSource":
        return self  # weight averaging copies the module; the panel must not be copied with it

    def to(self, device: torch.device) -> "WindowSource":
        """Return the source with its panel on another device."""
        panel = self.panel.map(lambda a: a.to(device))
        return WindowSource(self.spec, panel, self.origin_steps.tolist(), self.target_stop)

    def gather(self, rows: Tensor, ends: Tensor) -> TrainingWindows:
        """Return the windows of series `rows` that end at periods `ends`, both (B,) int64."""
        spec, panel = self.spec, self.panel
        at = step_ends(spec, ends)
        origins = at[:, self.origin_steps]
        step = step_features(spec, panel, rows, ends)
        y, observed = targets(spec, panel, rows, origins, self.target_stop)
        return TrainingWindows(
            rows,
            step,
            at.clamp(min=0),
            planned_BOHK=planned_features(spec, panel, rows, origins),
            index_BOH=calendar_index(spec, origins, panel.calendar.shape[1]),
            calendar_rows_B=panel.calendar_rows[rows],
            ids_BI=panel.static_ids[rows],
            values_BV=panel.static_values[rows],
            log_offset_BO=log_offset(spec, step[:, self.origin_steps]),
            y_BOH=y,
            observed_BOH=observed,
        )

    def mean(self, trunk: Trunk, windows: TrainingWindows) -> tuple[Tensor, Tensor]:
        """Return mean_BOH in units and the decoder's state_BOHE."""
        panel = self.panel
        rows = windows.calendar_rows_B
        step_calendar = trunk.encoder_calendar(panel.calendar_mean)
        context_BSD = trunk.encode(
            windows.step_BSF,
            _look_up(step_calendar, rows[:, None] * step_calendar.shape[1] + windows.step_index_BS),
            trunk.static_context(windows.ids_BI, windows.values_BV),
        )
        index = rows[:, None, None] * panel.calendar.shape[1] + windows.index_BOH
        return trunk.mean(
            windows.step_BSF,
            context_BSD[:, self.origin_steps],
            _look_up(trunk.decoder_calendar(panel.calendar), index),
            windows.planned_BOHK,
            windows.log_offset_BO,
            self.origin_steps,
        )


def _look_up(table_RTE: Tensor, index: Tensor) -> Tensor:
    """Return the table's rows; an embedding's backward is much faster than that of indexing."""
    return functional.embedding(index, table_RTE.flatten(0, 1))


def training_origins(features: FeaturesConfig, training: TrainingConfig) -> list[int]:
    """Return the encoder steps that give a forecast in training, the last one among them."""
    last = features.context_steps - 1
    first = min(training.fork_after, last)
    return sorted(range(last, first - 1, -training.fork_every))


class WindowSampler:
    """Draws training windows; batch g is a function of (seed, g) alone, so a resumed run goes on.

    Args:
        launch: (N,) first period on sale of each series.
        num_periods: Periods whose sales may be targets.
        features: Sizes of a window.
        training: Batch size and strides.
        seed: Of the draws.
        member: Of the ensemble, whose turn picks the stride.
    """

    def __init__(
        self,
        launch: npt.NDArray[np.integer],  # type: ignore[type-arg]
        num_periods: int,
        features: FeaturesConfig,
        training: TrainingConfig,
        seed: int,
        member: int = 0,
    ) -> None:
        self.seed, self.batch_size = seed, training.batch_size
        self.stride = training.origin_strides[member % len(training.origin_strides)]
        self.last = num_periods - 1
        # The earliest window still has one origin whose horizon holds sales of the series.
        self.first = np.minimum(
            np.maximum(launch + features.patch, features.patch * (training.fork_after + 1)),
            self.last - max(features.patch, self.stride),
        )
        # A whole number of strides before the last period: ends keep the weekday of the cutoff.
        self.latest = self.last - -(-features.patch // self.stride) * self.stride
        self.rows = np.flatnonzero(launch < self.last - features.patch)
        self.newest_share = training.newest_share
        # Ends of these last strides give every origin position between two forks a turn.
        self.newest = max(1, training.fork_every * features.patch // self.stride)

    @property
    def num_series(self) -> int:
        """Series that can be drawn."""
        return len(self.rows)

    def draw(self, step: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Return rows and ends of a rank's share of batch `step`; ranks share one global batch."""
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, step]))
        size = self.batch_size * world
        rows = self.rows[rng.integers(0, len(self.rows), size)]
        span = (self.latest - self.first[rows]) // self.stride + 1
        is_newest = rng.random(size) < self.newest_share
        span = np.where(is_newest, np.minimum(span, self.newest), span)
        ends = self.latest - (rng.random(size) * span).astype(np.int64) * self.stride
        mine = slice(rank, None, world)
        return torch.from_numpy(rows[mine]), torch.from_numpy(ends[mine])
