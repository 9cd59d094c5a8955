"""Windows of a panel as tensors, gathered by index on the device the panel lives on."""

from typing import NamedTuple, Protocol

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
from invopt.model.network import Noise, Trunk

# Series gathered at once: more are no faster on a processor, whose caches they leave.
_GATHERED, GATHERED_ON_GPU = 512, 8192


class TrainingWindows(NamedTuple):
    """A batch: what the trunk reads and, in training, the actuals.

    Calendars are given by their place in EncodedPanel.calendar (row times periods plus period), so
    that they are projected once per batch and not once per window. Shapes as in network.py.
    """

    rows_B: Tensor
    step_BSF: Tensor
    step_place_BS: Tensor
    planned_BOHK: Tensor
    place_BOH: Tensor
    ids_BI: Tensor
    values_BV: Tensor
    log_offset_BO: Tensor
    y_BOH: Tensor
    observed_BOH: Tensor

    def part(self, own: slice) -> "TrainingWindows":
        """Return some windows, without copying them."""
        return TrainingWindows(*(field[own] for field in self))


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
        calendar = panel.calendar_rows[rows][:, None]
        ahead = calendar_index(spec, origins, panel.calendar.shape[1])
        return TrainingWindows(
            rows,
            step,
            calendar * panel.calendar_mean.shape[1] + at.clamp(min=0),
            planned_BOHK=planned_features(spec, panel, rows, origins),
            place_BOH=calendar[..., None] * panel.calendar.shape[1] + ahead,
            ids_BI=panel.static_ids[rows],
            values_BV=panel.static_values[rows],
            log_offset_BO=log_offset(spec, step[:, self.origin_steps]),
            y_BOH=y,
            observed_BOH=observed,
        )

    def mean(
        self, trunk: Trunk, windows: TrainingWindows, noise: Noise | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return mean_BOH in units and the decoder's state_BOHE.

        Args:
            trunk: Reads the windows.
            windows: To forecast.
            noise: What is withheld in training; see Trunk.noise.
        """
        input_BSI, static_BT = self.encoder_input(trunk, windows, noise)
        state_BSD, _ = trunk.lstm(input_BSI)
        return self.forecast(trunk, windows, noise, state_BSD, static_BT)

    def encoder_input(
        self, trunk: Trunk, windows: TrainingWindows, noise: Noise | None
    ) -> tuple[Tensor, Tensor]:
        """Return what the LSTM reads (B, S, I), and what is known of each series (B, T)."""
        ids_BI = windows.ids_BI
        if noise is not None and noise.known_BI is not None:
            ids_BI = ids_BI * noise.known_BI
        static_BT = trunk.static_context(ids_BI, windows.values_BV)
        calendar = trunk.encoder_calendar(self.panel.calendar_mean)
        calendar_BSC = _look_up(calendar, windows.step_place_BS)
        return trunk.encoder_input(windows.step_BSF, calendar_BSC, static_BT), static_BT

    def forecast(
        self,
        trunk: Trunk,
        windows: TrainingWindows,
        noise: Noise | None,
        state_BSD: Tensor,
        static_BT: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return mean_BOH and the decoder's state_BOHE from the LSTM's states."""
        context_BSD = trunk.contexts(state_BSD, windows.step_BSF, static_BT)
        context_BOD = context_BSD[:, self.origin_steps]
        if noise is not None and noise.kept_BOD is not None:
            context_BOD = context_BOD * noise.kept_BOD
        return trunk.mean(
            windows.step_BSF,
            context_BOD,
            _look_up(trunk.decoder_calendar(self.panel.calendar), windows.place_BOH),
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
    def seeds(self) -> list[int]:
        """Its seed, as MemberSamplers has several."""
        return [self.seed]

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


class AnyWindowSampler(Protocol):
    """Draws the windows of a step: one member's, or several members' one after another.

    Attributes:
        seed: Of the draws, of the first member where there are several.
    """

    seed: int

    @property
    def seeds(self) -> list[int]:
        """Seed of each member."""
        ...

    def draw(self, step: int, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """Return rows and ends of a rank's share of a step."""
        ...


class WindowQueue:
    """Gathers the windows of several steps at once and hands them out step by step.

    A gather is some 260 operations, however many windows it is of: on a GPU as many launches.

    Args:
        source: Gathers.
        sampler: Draws.
        rank: Of this process.
        world: Number of processes.
        at_once: Series gathered at once, at least a step's; what suits the device by default.
    """

    def __init__(
        self,
        source: WindowSource,
        sampler: AnyWindowSampler,
        rank: int = 0,
        world: int = 1,
        at_once: int | None = None,
    ) -> None:
        self.source, self.sampler, self.rank, self.world = source, sampler, rank, world
        self.device = source.panel.calendar.device
        usual = GATHERED_ON_GPU if self.device.type == "cuda" else _GATHERED
        self.at_once = at_once or usual
        self.first = self.stop = 0  # steps that are here
        self.size = 0
        self.gathered: TrainingWindows | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> "WindowQueue":
        return self  # see WindowSource

    def take(self, step: int) -> TrainingWindows:
        """Return the windows of a step; those of the steps after it are likely gathered too."""
        if self.gathered is None or not self.first <= step < self.stop:
            self._gather(step)
        assert self.gathered is not None
        at = (step - self.first) * self.size
        return self.gathered.part(slice(at, at + self.size))

    def _gather(self, step: int) -> None:
        drawn = [self.sampler.draw(step, self.rank, self.world)]
        self.size = len(drawn[0][0])
        self.first, self.stop = step, step + max(1, self.at_once // self.size)
        drawn += [
            self.sampler.draw(other, self.rank, self.world) for other in range(step + 1, self.stop)
        ]
        rows, ends = (torch.cat(part).to(self.device) for part in zip(*drawn, strict=True))
        self.gathered = self.source.gather(rows, ends)
