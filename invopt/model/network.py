"""The network: one encoder, two tasks (sales per period; demand summed over periods).

Shape suffixes: B windows, S encoder steps, O origins, H horizon, F step features, C calendar
columns, K planned features, D context size, E decoder size, Q quantile levels.

An encoder reads a long stretch once and leaves a state after every step; each chosen state (an
origin) is a forecast of its own (forking sequences). The decoder makes all periods of the
horizon at once. Quantile and level heads read the trunk but never train it: their gradient
stops there, so that a head for stock cannot cost the mean its accuracy.
"""

import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from invopt.config import ModelConfig
from invopt.features import FeatureSpec, feature_names
from invopt.model.own_past import OwnColumns, OwnPast

ENCODER_CALENDAR = 16
STATIC_SIZE = 24
START_SPREAD = 1.2  # of a sum of counts, in roots of its mean, before anything is learned


@dataclass(frozen=True)
class NetworkSizes:
    """Numbers of columns the network was built for."""

    step: int
    calendar: int
    planned: int
    static_values: int
    cardinalities: tuple[int, ...]
    context_steps: int
    horizon: int
    own: OwnColumns

    @classmethod
    def of(cls, spec: FeatureSpec) -> "NetworkSizes":
        """Return the sizes a feature spec gives."""
        names = feature_names(spec)
        return cls(
            len(names.step),
            len(names.calendar),
            len(names.planned),
            static_values=len(names.static_values),
            cardinalities=tuple(len(values) + 1 for values in spec.categories.values()),
            context_steps=spec.config.context_steps,
            horizon=spec.config.horizon,
            own=OwnColumns.of(spec),
        )


class Noise(NamedTuple):
    """What one pass of training withholds.

    Attributes:
        known_BI: 0 where a category is read as unknown, else 1; None where all are told.
        kept_BOD: 0 where dropout withholds a part of the context, 1 / (1 - its share) elsewhere;
            None without dropout.
    """

    known_BI: Tensor | None
    kept_BOD: Tensor | None


class Trunk(nn.Module):
    """Encoder and mean decoder: the log of mean sales over the level it starts from.

    Args:
        sizes: Of the inputs.
        config: Of the layers.
    """

    def __init__(self, sizes: NetworkSizes, config: ModelConfig) -> None:
        super().__init__()
        self.unknown_share, self.dropout = config.unknown_share, config.dropout
        self.embeddings = nn.ModuleList(
            nn.Embedding(n, embedding_size(n)) for n in sizes.cardinalities
        )
        embedded = sum(embedding_size(n) for n in sizes.cardinalities)
        with warnings.catch_warnings():  # series that nothing is known of have no columns here
            warnings.filterwarnings("ignore", "Initializing zero-element tensors", UserWarning)
            self.static = nn.Linear(embedded + sizes.static_values, STATIC_SIZE)
        self.encoder_calendar = nn.Linear(sizes.calendar, ENCODER_CALENDAR)
        self.lstm = nn.LSTM(
            sizes.step + ENCODER_CALENDAR + STATIC_SIZE,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
        )
        context = config.hidden_size + sizes.step + STATIC_SIZE
        self.base = nn.Linear(context, sizes.horizon)
        self.decoder_context = nn.Linear(context, config.decoder_size)
        self.decoder_calendar = nn.Linear(sizes.calendar, config.decoder_size, bias=False)
        self.decoder_planned = nn.Parameter(
            torch.randn(sizes.planned, config.decoder_size) / max(1, sizes.planned) ** 0.5
        )
        self.decoder_period = nn.Parameter(torch.zeros(sizes.horizon, config.decoder_size))
        self.decoder_out = nn.Linear(context, config.decoder_size)
        self.own = OwnPast(sizes.own, sizes.horizon, sizes.planned)
        # A new network forecasts the level it starts from.
        for layer in (self.base, self.decoder_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def noise(self, ids_BI: Tensor, num_origins: int) -> "Noise | None":
        """Draw what one pass of training withholds; None where the trunk is not in training.

        Args:
            ids_BI: Categories of the windows.
            num_origins: O.
        """
        if not self.training:
            return None
        return self.scaled(self.draw(ids_BI, num_origins))

    def draw(self, ids_BI: Tensor, num_origins: int) -> "Noise":
        """Draw what is withheld as zeros among ones; see noise."""
        known = kept = None
        if self.unknown_share:
            known = torch.empty_like(ids_BI).bernoulli_(1 - self.unknown_share)
        if self.dropout:
            shape = (len(ids_BI), num_origins, self.base.in_features)
            kept = torch.empty(shape, device=ids_BI.device).bernoulli_(1 - self.dropout)
        return Noise(known, kept)

    def scaled(self, drawn: "Noise") -> "Noise":
        """Return what was drawn with its ones made larger by what dropout withholds."""
        if drawn.kept_BOD is None:
            return drawn
        return Noise(drawn.known_BI, drawn.kept_BOD / (1 - self.dropout))

    def encode(self, step_BSF: Tensor, calendar_BSC: Tensor, static_BT: Tensor) -> Tensor:
        """Return context_BSD after every step.

        Args:
            step_BSF: Step features.
            calendar_BSC: Calendar already projected by encoder_calendar.
            static_BT: As static_context gives it.
        """
        state_BSD, _ = self.lstm(self.encoder_input(step_BSF, calendar_BSC, static_BT))
        return self.contexts(state_BSD, step_BSF, static_BT)

    def encoder_input(self, step_BSF: Tensor, calendar_BSC: Tensor, static_BT: Tensor) -> Tensor:
        """Return what the LSTM reads; see encode."""
        static_BST = static_BT[:, None].expand(-1, step_BSF.shape[1], -1)
        return torch.cat([step_BSF, calendar_BSC, static_BST], dim=2)

    def contexts(self, state_BSD: Tensor, step_BSF: Tensor, static_BT: Tensor) -> Tensor:
        """Return context_BSD from the LSTM's states; see encode."""
        static_BST = static_BT[:, None].expand(-1, step_BSF.shape[1], -1)
        return torch.cat([state_BSD, step_BSF, static_BST], dim=2)

    def static_context(self, ids_BI: Tensor, values_BV: Tensor) -> Tensor:
        """Return what is known of each series as (B, STATIC_SIZE)."""
        return self.static_state(torch.cat([*self.embed(ids_BI), values_BV], dim=1))

    def embed(self, ids_BI: Tensor) -> list[Tensor]:
        """Return the embedding of each static column, (B, size) each."""
        return [table(ids_BI[:, i]) for i, table in enumerate(self.embeddings)]

    def static_state(self, embedded_BE: Tensor) -> Tensor:
        """Return (B, STATIC_SIZE) from embeddings and static numbers side by side."""
        return torch.tanh(self.static(embedded_BE))

    def decode(
        self, context_BOD: Tensor, calendar_BOHE: Tensor, planned_BOHK: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return log ratio of mean to level (B, O, H) and the decoder's state (B, O, H, E).

        The state mixes calendar, plans and context; the context also says how to read it, so
        that one series' Saturday can be another's Tuesday.

        Args:
            context_BOD: At the origins.
            calendar_BOHE: Calendar projected by decoder_calendar.
            planned_BOHK: Planned features.
        """
        # The largest tensors of the step: each pass over them counts.
        planned = torch.addmm(
            calendar_BOHE.flatten(0, 2), planned_BOHK.flatten(0, 2), self.decoder_planned
        )
        shared = self.decoder_context(context_BOD)[:, :, None] + self.decoder_period
        hidden = functional.relu(planned.view_as(calendar_BOHE) + shared)
        reading = self.decoder_out(context_BOD)[..., None]
        ratio = self.base(context_BOD) + torch.matmul(hidden, reading)[..., 0]
        return ratio, hidden

    def mean(
        self,
        step_BSF: Tensor,
        context_BOD: Tensor,
        calendar_BOHE: Tensor,
        planned_BOHK: Tensor,
        log_offset_BO: Tensor,
        origins: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return mean (B, O, H) and the decoder's state (B, O, H, E).

        Args:
            step_BSF: Step features.
            context_BOD: At the origins.
            calendar_BOHE: See decode.
            planned_BOHK: See decode.
            log_offset_BO: Log of the level each forecast starts from.
            origins: (O,) steps that are origins.
        """
        ratio, hidden = self.decode(context_BOD, calendar_BOHE, planned_BOHK)
        level = log_offset_BO[..., None]
        mean = bounded_exp(ratio + level)
        if not self.own.is_used:
            return mean, hidden
        usual = mean
        if self.own.has_weeks:
            usual = self.usual(context_BOD, calendar_BOHE, planned_BOHK, mean, level)
        return self.own(mean, usual, planned_BOHK, step_BSF, log_offset_BO, origins), hidden

    def usual(
        self,
        context_BOD: Tensor,
        calendar_BOHE: Tensor,
        planned_BOHK: Tensor,
        mean_BOH: Tensor,
        level_BO1: Tensor,
    ) -> Tensor:
        """Return the mean (B, O, H) as if nothing were planned."""
        if not planned_BOHK.shape[3]:
            return mean_BOH
        ratio, _ = self.decode(context_BOD, calendar_BOHE, torch.zeros_like(planned_BOHK))
        return bounded_exp(ratio + level_BO1)


class Heads(nn.Module):
    """Quantiles of sales per period and of demand summed over the first periods.

    Both are of z = y + U with U uniform on [0, 1) (jittered counts: Machado and Santos Silva,
    2005), which has a continuous distribution; `to_units` undoes it. Increments are softplus of
    the network, summed over levels and, for the sums, over periods: quantiles never cross and
    never fall with the number of periods, by construction.

    Args:
        sizes: Of the inputs.
        config: Quantile levels and layers.
    """

    def __init__(self, sizes: NetworkSizes, config: ModelConfig) -> None:
        super().__init__()
        self.num_quantiles = len(config.quantile_levels)
        self.num_levels = len(config.level_quantiles)
        width = config.decoder_size
        self.hidden = nn.Linear(width + 2, width)
        self.out = nn.Linear(width, self.num_quantiles + self.num_levels)
        self.period = nn.Parameter(torch.zeros(sizes.horizon, width))
        # Standard deviations that the lowest level starts below the sum it is of.
        self.lowest = max(0.0, -START_SPREAD * NormalDist().inv_cdf(config.level_quantiles[0]))
        self._start_plausible(config)

    def _start_plausible(self, config: ModelConfig) -> None:
        """Let the first quantiles be those of a normal law; training then only refines them."""
        nn.init.zeros_(self.out.weight)
        quantiles = 0.6 + 0.4 * _normal_quantiles(config.quantile_levels)
        levels = START_SPREAD * _normal_quantiles(config.level_quantiles)
        first = quantiles[:1].clamp(min=0.05)
        # The lowest level's increments are multiples of its start, which depends on the sum.
        parts = [first, quantiles.diff(), torch.ones(1), levels.diff()]
        increments = torch.cat([part.clamp(min=0.01) for part in parts])
        with torch.no_grad():
            self.out.bias.copy_(torch.log(torch.expm1(increments)))

    def forward(self, hidden_BOHE: Tensor, mean_BOH: Tensor) -> tuple[Tensor, Tensor]:
        """Return quantiles and levels of jittered sales, (B, O, H, Q) each.

        Args:
            hidden_BOHE: The decoder's state.
            mean_BOH: Mean sales per period in units.
        """
        total_BOH = mean_BOH.cumsum(dim=2)
        sizes = torch.stack([torch.log(mean_BOH + 0.01), torch.log(total_BOH + 0.01)], dim=3)
        state = functional.silu(self.hidden(torch.cat([hidden_BOHE, sizes], dim=3)) + self.period)
        raw = functional.softplus(self.out(state))
        scale = (mean_BOH + mean_BOH.sqrt() + 0.5)[..., None]
        quantiles = (raw[..., : self.num_quantiles] * scale).cumsum(dim=3)
        increments = raw[..., self.num_quantiles :] * self._level_scale(total_BOH)
        return quantiles, increments.cumsum(dim=2).cumsum(dim=3)

    def _level_scale(self, total_BOH: Tensor) -> Tensor:
        """Return what each period adds to the levels where the network says one, (B, O, H, Q).

        A sum of counts spreads by its root and, as errors of its periods go together, by a share
        of itself; its quantiles lie multiples of that apart, the lowest as far under the sum.
        """
        width = torch.sqrt(total_BOH + 0.25) + 0.05 * total_BOH
        lowest = total_BOH / (1 + self.lowest * width / (total_BOH + 0.5))
        bounds = torch.stack([lowest] + [width] * (self.num_levels - 1), dim=3)
        before = functional.pad(bounds[:, :, :-1], (0, 0, 1, 0))
        return bounds - before


class DemandNetwork(nn.Module):
    """Trunk and heads: one forecast per window, from the inputs of `invopt.features`.

    Args:
        sizes: Of the inputs.
        config: Of the layers.
    """

    def __init__(self, sizes: NetworkSizes, config: ModelConfig) -> None:
        super().__init__()
        self.sizes = sizes
        self.trunk = Trunk(sizes, config)
        self.heads = Heads(sizes, config)

    def forward(
        self,
        step_BSF: Tensor,
        step_calendar_BSC: Tensor,
        planned_BHK: Tensor,
        calendar_BHC: Tensor,
        ids_BI: Tensor,
        values_BV: Tensor,
        log_offset_B: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean_BH, quantiles_BHQ per period and levels_BHQ of running sums.

        Means are in model units; quantiles and levels are of jittered sales.
        """
        static_BT = self.trunk.static_context(ids_BI, values_BV)
        mean_BOH, hidden = self.mean(
            step_BSF,
            step_calendar_BSC,
            planned_BHK,
            calendar_BHC=calendar_BHC,
            static_BT=static_BT,
            log_offset_B=log_offset_B,
        )
        quantiles, levels = self.heads(hidden, mean_BOH)
        return mean_BOH[:, 0], quantiles[:, 0], levels[:, 0]

    def mean(
        self,
        step_BSF: Tensor,
        step_calendar_BSC: Tensor,
        planned_BHK: Tensor,
        calendar_BHC: Tensor,
        static_BT: Tensor,
        log_offset_B: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return mean (B, 1, H) and the decoder's state (B, 1, H, E) of the last step."""
        context_BOD = self._context(step_BSF, step_calendar_BSC, static_BT)
        last = torch.tensor([self.sizes.context_steps - 1], device=step_BSF.device)
        calendar_BOHE = self.trunk.decoder_calendar(calendar_BHC)[:, None]
        return self.trunk.mean(
            step_BSF, context_BOD, calendar_BOHE, planned_BHK[:, None], log_offset_B[:, None], last
        )

    def _context(self, step_BSF: Tensor, step_calendar_BSC: Tensor, static_BT: Tensor) -> Tensor:
        """Return the encoder's state of the last step, (B, 1, D)."""
        calendar_BSC = self.trunk.encoder_calendar(step_calendar_BSC)
        return self.trunk.encode(step_BSF, calendar_BSC, static_BT)[:, -1:]

    def parts(
        self,
        step_BSF: Tensor,
        step_calendar_BSC: Tensor,
        planned_BHK: Tensor,
        calendar_BHC: Tensor,
        ids_BI: Tensor,
        values_BV: Tensor,
        log_offset_B: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return the trunk's own mean (B, 1, H), and the same without what is planned."""
        trunk = self.trunk
        static_BT = trunk.static_context(ids_BI, values_BV)
        context_BOD = self._context(step_BSF, step_calendar_BSC, static_BT)
        calendar_BOHE = trunk.decoder_calendar(calendar_BHC)[:, None]
        planned_BOHK, level_BO1 = planned_BHK[:, None], log_offset_B[:, None, None]
        ratio, _ = trunk.decode(context_BOD, calendar_BOHE, planned_BOHK)
        mean = bounded_exp(ratio + level_BO1)
        return mean, trunk.usual(context_BOD, calendar_BOHE, planned_BOHK, mean, level_BO1)


def _normal_quantiles(levels: tuple[float, ...]) -> Tensor:
    """Return the standard normal law's quantiles."""
    return torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).float()


def bounded_exp(log_mean: Tensor) -> Tensor:
    """Return exp, bounded so that one wild weight cannot overflow a forecast."""
    return torch.exp(log_mean.clamp(-15.0, 15.0))


def embedding_size(cardinality: int) -> int:
    """Return the width of an embedding: grows slowly with the number of categories."""
    return int(min(16, 2 + round(cardinality**0.35)))
