"""Quantiles moved to the levels they were found to hold.

A head that is trained for minutes says quantiles that hold other shares than their levels, and
differently for slow sellers than for fast ones. How much, the training range tells: there the share
of sales at or below the quantile of level 0.3 may be 0.4. The quantile of level 0.3 is then read
off the forecast's own quantiles at the level that held 0.3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from invopt.features import EncodedPanel, FeatureSpec, model_inputs, targets
from invopt.types import AnyFloatArray, Float32Array

FILE = "calibration.npz"
_BINS = 8  # of the mean: slow sellers miss other levels than fast ones
_LEAST = 2000  # sales that make a bin of its own
_PRIOR = 200  # sales of a bin that are as the levels say, so that a few say little
_ROWS, _ORIGINS = 600, 13  # series and cutoffs whose horizons are looked at, at most
_BATCH = 1024
_SEED = 0
_FLOOR, _LEAST_GAP = 0.01, 1e-3  # of a mean, model units; between the logs of two sizes


@dataclass(frozen=True)
class LevelMaps:
    """How quantiles are read, by the size of the mean; between two sizes, mixed.

    Attributes:
        sizes: (S,) ascending logs of a mean, model units.
        weights: (S, Q, Q) of the quantiles as forecast in each quantile as read.
    """

    sizes: Float32Array = field(repr=False)
    weights: Float32Array = field(repr=False)

    def save(self, folder: Path) -> None:
        """Write the maps into a model's folder."""
        np.savez(folder / FILE, sizes=self.sizes, weights=self.weights)

    @classmethod
    def load(cls, folder: Path) -> "LevelMaps | None":
        """Read the maps of a model's folder, None where it has none."""
        if not (folder / FILE).is_file():
            return None
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return cls(arrays["sizes"], arrays["weights"])


class Calibration(nn.Module):
    """Applies maps to quantiles.

    Args:
        maps: To apply.
    """

    def __init__(self, maps: LevelMaps) -> None:
        super().__init__()
        self.maps = maps
        gaps = np.maximum(np.diff(maps.sizes), _LEAST_GAP)
        self.register_buffer("starts", torch.from_numpy(maps.sizes[:-1]))
        self.register_buffer("gaps", torch.from_numpy(gaps))
        self.register_buffer("numbers", torch.arange(len(maps.sizes), dtype=torch.float32))
        self.register_buffer("weights", torch.from_numpy(maps.weights).flatten(1))

    def forward(self, mean: Tensor, quantiles: Tensor) -> Tensor:
        """Return quantiles (B, H, Q) for means (B, H), model units; they stay in order."""
        starts, gaps = cast(Tensor, self.starts), cast(Tensor, self.gaps)
        numbers, weights = cast(Tensor, self.numbers), cast(Tensor, self.weights)
        size = torch.log(mean + _FLOOR)[..., None]
        # How many sizes lie below, and which part of the way to the next: no step between bins,
        # so that no rounding of a mean moves a quantile.
        place = ((size - starts) / gaps).clamp(0.0, 1.0).sum(-1, keepdim=True)
        share = torch.relu(1.0 - (place - numbers).abs())
        mixed = torch.matmul(share, weights)
        levels = quantiles.shape[-1]
        square = mixed.view(mean.shape[0], mean.shape[1], levels, levels)
        return torch.matmul(square, quantiles[..., None])[..., 0]


def fit_maps(
    mean: AnyFloatArray, quantiles: AnyFloatArray, actual: AnyFloatArray, levels: Sequence[float]
) -> LevelMaps | None:
    """Return the maps that past sales ask for, None where there are too few.

    Args:
        mean: (n,) forecast, model units.
        quantiles: (n, Q) forecast, model units, ascending.
        actual: (n,) what was sold, with the jitter that quantiles of counts carry.
        levels: Q levels.
    """
    num_bins = min(_BINS, len(mean) // _LEAST)
    if not num_bins:
        return None
    asked = np.asarray(levels)
    sizes, weights = [], []
    for own in np.array_split(np.argsort(mean, kind="stable"), num_bins):
        held = (actual[own, None] <= quantiles[own]).sum(axis=0)
        share = (held + _PRIOR * asked) / (len(own) + _PRIOR)
        sizes.append(float(np.log(np.median(mean[own]) + _FLOOR)))
        weights.append(_weights(share, asked))
    return LevelMaps(np.array(sizes, np.float32), np.stack(weights).astype(np.float32))


def _weights(held: AnyFloatArray, levels: AnyFloatArray) -> AnyFloatArray:
    """Return (Q, Q) weights that read quantiles off where they hold `levels`.

    Level 0 has 0. At level 1 lies as much above the highest quantile as that above the one before.
    """
    num = len(levels)
    knots = np.concatenate([[0.0], np.maximum.accumulate(held), [1.0]])
    knots += np.arange(num + 2) * 1e-9  # shares that are alike keep their order
    places = np.interp(levels, knots, np.arange(num + 2.0))
    low = np.minimum(places.astype(np.int64), num)
    part = (places - low)[:, None]
    known = np.concatenate([np.zeros((1, num)), np.eye(num), np.zeros((1, num))])
    known[-1] = 2 * known[-2] - known[-3]
    found: AnyFloatArray = known[low] * (1 - part) + known[low + 1] * part
    return found


@torch.inference_mode()
def learn_maps(
    average: nn.Module, spec: FeatureSpec, encoded: EncodedPanel, levels: Sequence[float]
) -> LevelMaps | None:
    """Return the maps that the last year of a training range asks for.

    Args:
        average: The networks' average, model units.
        spec: How the panel is read.
        encoded: Periods that may be seen.
        levels: Of the quantiles.
    """
    num, last = len(encoded.static_ids), encoded.num_periods - 1
    rows = np.unique(np.linspace(0, num - 1, min(_ROWS, num)).round().astype(np.int64))
    horizon = spec.config.horizon
    origins = range(last - horizon, max(horizon, last // 3), -horizon)[:_ORIGINS]
    rng = np.random.default_rng(_SEED)
    parts: list[tuple[AnyFloatArray, ...]] = []
    for origin in origins:
        sold = rows[np.asarray(encoded.launch)[rows] <= origin]
        for first in range(0, len(sold), _BATCH):
            own = sold[first : first + _BATCH]
            ends = np.full(len(own), origin)
            inputs = model_inputs(spec, encoded, own, ends)
            mean, quantiles, _ = average(*(torch.from_numpy(a) for a in inputs))
            value, observed = targets(spec, encoded, own, ends[:, None], encoded.num_periods)
            seen, actual = np.asarray(observed)[:, 0], np.asarray(value)[:, 0]
            if spec.is_count:
                actual = actual + rng.random(actual.shape)
            parts.append((mean.numpy()[seen], quantiles.numpy()[seen], actual[seen]))
    if not parts:
        return None
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
    return fit_maps(joined[0], joined[1], joined[2], levels)
