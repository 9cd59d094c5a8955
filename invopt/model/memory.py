"""How much memory a training will take, told before it starts."""

from dataclasses import dataclass

import torch

from invopt.config import Config
from invopt.errors import ConfigError
from invopt.features import EncodedPanel
from invopt.model.network import DemandNetwork, NetworkSizes
from invopt.model.windows import training_origins

_PROCESS = 600_000_000  # torch and its libraries, measured
_COPIES = 5  # of every weight: itself, its gradient, two moments, its average
_FLOAT = 4


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes by what they are for; an upper bound of one training, all its processes.

    Attributes:
        panel: Encoded arrays, shared by all processes.
        weights: Of every network under way, with gradients and optimiser state.
        activations: Of one step of every network under way.
        processes: Of the libraries.
    """

    panel: int
    weights: int
    activations: int
    processes: int

    @property
    def total(self) -> int:
        """Their sum."""
        return self.panel + self.weights + self.activations + self.processes


def estimate_memory(sizes: NetworkSizes, panel: EncodedPanel, config: Config) -> MemoryEstimate:
    """Return what training on an encoded panel will take.

    Activations count what the backward pass keeps: the LSTM's inputs, gates and states per
    encoder step, the decoder's and heads' layers per origin and period, twice for gradients.
    """
    model, training = config.model, config.training
    with torch.device("meta"):
        network = DemandNetwork(sizes, model)
    weights = sum(p.numel() for p in network.parameters()) * _FLOAT * _COPIES
    inputs = network.trunk.lstm.input_size
    per_step = inputs + 8 * model.hidden_size * model.num_layers
    quantiles = len(model.quantile_levels) + len(model.level_quantiles)
    per_period = sizes.planned + 6 * model.decoder_size + 6 * quantiles
    origins = len(training_origins(config.features, training)) * sizes.horizon
    window = sizes.context_steps * per_step + origins * per_period
    workers = min(training.num_workers, training.num_members) * training.num_processes
    return MemoryEstimate(
        panel.nbytes,
        weights * workers,
        2 * _FLOAT * training.batch_size * window * workers,
        _PROCESS * workers,
    )


def refuse_too_large(estimate: MemoryEstimate, available: int) -> None:
    """Raise when a training cannot fit.

    Raises:
        ConfigError: With the estimate by part and what to lower.
    """
    if estimate.total <= available:
        return
    parts = ", ".join(
        f"{name} {getattr(estimate, name) / 1e9:.1f}"
        for name in ("panel", "weights", "activations", "processes")
    )
    raise ConfigError(
        f"training needs about {estimate.total / 1e9:.1f} GB ({parts}), "
        f"{available / 1e9:.1f} GB are free: lower training.batch_size, training.num_workers, "
        "model.hidden_size or model.decoder_size."
    )
