"""Quantiles moved to the levels they were found to hold.

A head that is trained for minutes says quantiles that hold other shares than their levels, and
differently for slow sellers than for fast ones. How much, the training range tells: there the share
of sales at or below the quantile of level 0.3 may be 0.4. The quantile of level 0.3 is then read
off the forecast's own quantiles at the level that held 0.3. Quantiles of sums are moved by
what past sums lay above them, where that proves better on cutoffs that were not looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from invopt.features import EncodedPanel, FeatureSpec
from invopt.model.past import past_cutoffs
from invopt.types import AnyFloatArray, Float32Array

FILE = "calibration.npz"
_BINS = 8  # of the mean: slow sellers miss other levels than fast ones
_LEAST = 2000  # sales that make a bin of its own
_PRIOR = 200  # sales of a bin that are as the levels say, so that a few say little
_LEAST_SUMS, _PRIOR_SUMS = 100, 50  # series of a cutoff that make a bin; that are as they say
_NEAR = 1.3  # times as many periods that a sum learns from
_SEED = 0
# Of a mean, model units; between the logs of two sizes: of bins that are as good as one a last bit
# of a mean must not move a quantile, here and in another runtime.
_FLOOR, _LEAST_GAP = 0.01, 0.1
_LEAST_COST = 1e-3


@dataclass(frozen=True)
class LevelMaps:
    """How quantiles are read, by the size of the mean; between two sizes, mixed.

    Attributes:
        sizes: (S,) ascending logs of a mean, model units.
        weights: (S, Q, Q) of the quantiles as forecast in each quantile as read.
    """

    sizes: Float32Array = field(repr=False)
    weights: Float32Array = field(repr=False)


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
    mean: AnyFloatArray,
    quantiles: AnyFloatArray,
    actual: AnyFloatArray,
    levels: Sequence[float],
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


class Sums(nn.Module):
    """Moves quantiles of sums to where past sums lay.

    Args:
        offsets: How far.
    """

    def __init__(self, offsets: "SumOffsets") -> None:
        super().__init__()
        gaps = np.maximum(np.diff(offsets.sizes), _LEAST_GAP)
        self.register_buffer("starts", torch.from_numpy(offsets.sizes[:-1]))
        self.register_buffer("gaps", torch.from_numpy(gaps))
        self.register_buffer("numbers", torch.arange(len(offsets.sizes), dtype=torch.float32))
        self.register_buffer("offsets", torch.from_numpy(offsets.offsets).flatten(1))

    def forward(self, mean: Tensor, levels: Tensor) -> Tensor:
        """Return levels (B, H, Q) for means (B, H), model units; they stay in order."""
        starts, gaps = cast(Tensor, self.starts), cast(Tensor, self.gaps)
        numbers, offsets = cast(Tensor, self.numbers), cast(Tensor, self.offsets)
        size = torch.log(mean.mean(1, keepdim=True) + _FLOOR)
        place = ((size - starts) / gaps).clamp(0.0, 1.0).sum(-1, keepdim=True)
        share = torch.relu(1.0 - (place - numbers).abs())
        own = torch.matmul(share, offsets).view(levels.shape)
        moved = levels + own * root_of(torch.cumsum(mean, 1))[..., None]
        return rising(rising(moved.clamp(min=0.0), 2), 1)


def root_of(total: Tensor) -> Tensor:
    """Return the root that a sum of counts spreads by."""
    return torch.sqrt(total + 0.25)


def rising(values: Tensor, axis: int) -> Tensor:
    """Return values that do not fall along an axis; a graph has no running maximum."""
    rows = list(values.unbind(axis))
    for place in range(1, len(rows)):
        rows[place] = torch.maximum(rows[place - 1], rows[place])
    return torch.stack(rows, axis)


@dataclass(frozen=True)
class SumOffsets:
    """How far quantiles of sums are moved, by the size of a period's mean.

    Attributes:
        sizes: (S,) ascending logs of a mean, model units.
        offsets: (S, H, Q) in roots of the sum's mean.
    """

    sizes: Float32Array = field(repr=False)
    offsets: Float32Array = field(repr=False)


@dataclass(frozen=True)
class Maps:
    """How the quantiles of a model are read.

    Attributes:
        quantiles: Of single periods; None leaves them as they are.
        sums: Of sums over the first periods; None leaves them as they are.
    """

    quantiles: LevelMaps | None = None
    sums: SumOffsets | None = None

    def save(self, folder: Path) -> None:
        """Write the maps into a model's folder; nothing where there are none."""
        arrays: dict[str, Any] = {}
        if self.quantiles is not None:
            arrays |= vars(self.quantiles)
        if self.sums is not None:
            arrays |= {f"sum_{name}": value for name, value in vars(self.sums).items()}
        if arrays:
            np.savez(folder / FILE, **arrays)

    @classmethod
    def load(cls, folder: Path) -> "Maps":
        """Read the maps of a model's folder; folders of before have those of single periods."""
        if not (folder / FILE).is_file():
            return cls()
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            single = (arrays["sizes"], arrays["weights"]) if "sizes" in arrays.files else None
            sums = (
                (arrays["sum_sizes"], arrays["sum_offsets"])
                if "sum_sizes" in arrays.files
                else None
            )
            return cls(single and LevelMaps(*single), sums and SumOffsets(*sums))


@dataclass(frozen=True)
class Horizon:
    """What a cutoff's series sold, beside what was forecast.

    Attributes:
        mean: (n, H) forecast.
        quantiles: (n, H, Q) forecast.
        levels: (n, H, R) forecast of sums.
        actual: (n, H) as sold, jittered as quantiles are; NaN where not known.
        sums: (n, H) the same summed, jittered once; NaN where any of it is not known.
    """

    mean: AnyFloatArray
    quantiles: AnyFloatArray
    levels: AnyFloatArray
    actual: AnyFloatArray
    sums: AnyFloatArray


def learn_maps(
    average: nn.Module,
    spec: FeatureSpec,
    encoded: EncodedPanel,
    levels: Sequence[float],
    level_quantiles: Sequence[float],
) -> Maps:
    """Return the maps that the last year of a training range asks for.

    Sums are moved only where what every other cutoff asks for makes those between better: sums of
    a horizon go together, and their mean may have been off for a while.

    Args:
        average: The networks' average, model units.
        spec: How the panel is read.
        encoded: Periods that may be seen.
        levels: Of the quantiles.
        level_quantiles: Of the quantiles of sums.
    """
    past = list(_horizons(average, spec, encoded))
    if not past:
        return Maps()
    seen = [~np.isnan(h.actual) for h in past]
    mean, actual = (
        np.concatenate([getattr(h, name)[k] for h, k in zip(past, seen, strict=True)])
        for name in ("mean", "actual")
    )
    quantiles = np.concatenate([h.quantiles[k] for h, k in zip(past, seen, strict=True)])
    sums = fit_sums(past, level_quantiles)
    halves = [fit_sums(past[half::2], level_quantiles) for half in (0, 1)]
    if sums is not None and not _holds(halves, past, level_quantiles):
        sums = None
    return Maps(fit_maps(mean, quantiles, actual, levels), sums)


@torch.inference_mode()
def _horizons(average: nn.Module, spec: FeatureSpec, encoded: EncodedPanel) -> Iterator[Horizon]:
    """Yield past horizons, newest first."""
    rng = np.random.default_rng(_SEED)
    for cutoff in past_cutoffs(spec, encoded, encoded.num_periods):
        mean, quantiles, levels = average(*cutoff.inputs)
        sold = np.where(cutoff.seen, cutoff.sold, np.nan)
        jitter = rng.random(sold.shape) * float(spec.is_count)
        yield Horizon(
            mean.numpy(), quantiles.numpy(), levels.numpy(),
            sold + jitter, sold.cumsum(axis=1) + jitter,
        )  # fmt: skip


def fit_sums(past: Sequence[Horizon], levels: Sequence[float]) -> SumOffsets | None:
    """Return by how much quantiles of sums missed past sums, None where there are too few.

    Each quantile by itself: by the quantile of what past sums lay above it (Romano, Patterson and
    Candes, Conformalized Quantile Regression, 2019), over the root of their mean.

    Args:
        past: Horizons.
        levels: Q levels.
    """
    num_bins = min(_BINS, sum(len(h.mean) for h in past) // _LEAST_SUMS)
    if not num_bins:
        return None
    mean = np.concatenate([h.mean for h in past]).astype(np.float64)
    root = root_of(torch.from_numpy(mean.cumsum(axis=1))).numpy()[..., None]
    above = np.concatenate([h.sums[..., None] - h.levels for h in past]) / root
    size, horizon = mean.mean(axis=1), mean.shape[1]
    sizes, offsets = [], np.zeros((num_bins, horizon, len(levels)))
    for place, own in enumerate(np.array_split(np.argsort(size, kind="stable"), num_bins)):
        sizes.append(float(np.log(np.median(size[own]) + _FLOOR)))
        for period in range(horizon):
            last = min(int(np.ceil((period + 1) * _NEAR)), horizon)
            near = slice(int((period + 1) / _NEAR), last)
            known = above[own, near][~np.isnan(above[own, near, 0])]
            sure = len(known) / (near.stop - near.start)
            for number, level in enumerate(levels if len(known) else ()):
                found = float(np.quantile(known[:, number], level))
                offsets[place, period, number] = found * sure / (sure + _PRIOR_SUMS)
    return SumOffsets(np.array(sizes, np.float32), offsets.astype(np.float32))


@torch.inference_mode()
def _holds(
    halves: Sequence[SumOffsets | None], past: Sequence[Horizon], levels: Sequence[float]
) -> bool:
    """Return whether what every other cutoff asks for makes those between better, by no luck."""
    gains = []
    for number, one in enumerate(past):
        offsets = halves[1 - number % 2]
        if offsets is None:
            return False
        if np.isnan(one.sums).all():  # it says nothing
            continue
        parts = (torch.from_numpy(np.asarray(a, np.float32)) for a in (one.mean, one.levels))
        after = Sums(offsets)(*parts).numpy()
        cost, moved = (_pinball(q, one.sums, levels) for q in (one.levels, after))
        gains.append(1 - moved / max(cost, _LEAST_COST))
    found = np.array(gains)
    return len(found) > 1 and bool(found.mean() > found.std(ddof=1) / np.sqrt(len(found)))


def _pinball(quantiles: AnyFloatArray, actual: AnyFloatArray, levels: Sequence[float]) -> float:
    """Return the mean pinball loss, each outcome over the root of its size."""
    over, share = quantiles - actual[..., None], np.asarray(levels)
    loss = np.maximum((1 - share) * over, -share * over).mean(axis=-1)
    return float(np.nanmean(loss / np.sqrt(actual + 1)))
