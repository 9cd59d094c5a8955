"""What the past says beside the network: of plans, of a series' own weekdays, of its long level.

A network that had few steps has not learned what a promotion does. One network for all series knows
the weekdays that most of them have; a shop that sells at weekends is learned late; and a level that
follows the last weeks is noisy where nothing moves. All of it stands in what the network reads. How
far to trust it is found once the trunk is trained, on the horizons of its own training range; where
it says no more than the network does, it is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from invopt.features import EncodedPanel, FeatureSpec
from invopt.features.build import LEVEL_FLOOR
from invopt.model.losses import constants
from invopt.model.past import past_cutoffs
from invopt.timeline import frequency_unit
from invopt.types import AnyFloatArray, BoolArray

WEEK = 7
NEVER = float("inf")
STATE = "own._extra_state"  # of a trunk's arrays
# Sales that the network's weekdays weigh as much as, and parts of the way to the long level.
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0, NEVER)
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_LEAST_GAIN = 0.002  # of the deviance, below which the network is left alone
_TINY = 1e-9
_MOST = 1.5  # log of a factor that plans may have, either way
_RIDGE, _ROUNDS = 1.0, 20  # of the weights of plans: sales that say they are 0; Newton's steps


@dataclass(frozen=True)
class OwnColumns:
    """Where the sales of a step stand among its features.

    Attributes:
        patch: Periods per step: the first columns, log1p of sales.
        long: Column of the longest moving average, log1p.
        age: Column of the periods since launch, log1p, at most `longest`.
        longest: Periods of the longest average.
        is_daily: True where seven periods make a season.
    """

    patch: int
    long: int
    age: int
    longest: int
    is_daily: bool

    @classmethod
    def of(cls, spec: FeatureSpec) -> "OwnColumns":
        """Return those of a spec; see invopt.features.build.feature_names."""
        config = spec.config
        first, longest = config.patch + 1, max(config.windows)
        return cls(
            config.patch, first + config.windows.index(longest), first + len(config.windows) + 1,
            longest, frequency_unit(spec.freq) == "D",
        )  # fmt: skip


class OwnPast(nn.Module):
    """Moves a mean towards what the series' own past says.

    The factor of a weekday is the posterior mean of Poisson sales under a Gamma law around the
    network's own weekdays, worth `strength` sales; their mean over the horizon stays as it is. The
    level moves by a power `share` of the long average over the level the forecast starts from.
    What is planned has a factor, the exponential of a weighted sum of its columns.

    Args:
        columns: Of the steps.
        horizon: Periods forecast.
        num_planned: K.
    """

    def __init__(self, columns: OwnColumns, horizon: int, num_planned: int = 0) -> None:
        super().__init__()
        self.columns, self.horizon = columns, horizon
        self.strength, self.share = NEVER, 0.0
        self.plans = [0.0] * (num_planned + 1)  # the weight of every day first

    @property
    def has_weeks(self) -> bool:
        """Whether weekdays are moved."""
        return self.strength < NEVER and self.columns.is_daily and self.horizon >= WEEK

    @property
    def is_used(self) -> bool:
        """Whether anything is moved."""
        return self.has_weeks or self.share > 0 or any(self.plans)

    def get_extra_state(self) -> Tensor:
        """Return the settings, for the files of a trunk."""
        return torch.tensor([self.strength, self.share, *self.plans], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        """Take the settings of a trunk's files."""
        self.strength, self.share, *self.plans = (float(value) for value in state.tolist())

    def forward(
        self, mean_BOH: Tensor, usual_BOH: Tensor, planned_BOHK: Tensor, step_BSF: Tensor,
        log_offset_BO: Tensor, origins: Tensor,
    ) -> Tensor:  # fmt: skip
        """Return the moved mean (B, O, H).

        Args:
            mean_BOH: The network's.
            usual_BOH: The same without what is planned, so that a promotion is no weekday.
            planned_BOHK: What is planned.
            step_BSF: Step features.
            log_offset_BO: Log of the level each forecast starts from.
            origins: (O,) steps that forecasts start from.
        """
        found = mean_BOH
        if any(self.plans):
            found = found * torch.exp(self.effect(planned_BOHK))
        if self.share > 0:
            level_BO = self.long_level(step_BSF, origins)
            ratio = torch.log(level_BO + LEVEL_FLOOR) - log_offset_BO
            found = found * torch.exp(self.share * ratio)[..., None]
        if self.has_weeks:
            found = found * self.weekdays(usual_BOH, step_BSF, origins)
        return found

    def effect(self, planned_BOHK: Tensor) -> Tensor:
        """Return (B, O, H) the log of the factor of what is planned."""
        weights = constants(tuple(self.plans[1:]), planned_BOHK)
        return (self.plans[0] + planned_BOHK @ weights).clamp(-_MOST, _MOST)

    def long_level(self, step_BSF: Tensor, origins: Tensor) -> Tensor:
        """Return (B, O) average sales as far back as the steps say, by the time on sale."""
        columns = self.columns
        before = (origins - columns.longest // columns.patch).clamp(min=0)
        means = torch.exp(step_BSF[:, :, columns.long]) - 1
        ages = torch.exp(step_BSF[:, :, columns.age]) - 1
        late, early = means[:, origins], means[:, before]
        weight, other = ages[:, origins] + 1, ages[:, before]
        return (late * weight + early * other) / (weight + other)

    def weekdays(self, usual_BOH: Tensor, step_BSF: Tensor, origins: Tensor) -> Tensor:
        """Return (B, O, H) factors of the weekdays ahead, of mean 1 over what is forecast."""
        sold_BO7, days_BO7 = self._sold(step_BSF, origins)
        network_BO7 = self._middle(usual_BOH)
        expected = network_BO7 * days_BO7
        scale = sold_BO7.sum(2, keepdim=True) / expected.sum(2, keepdim=True).clamp(min=_TINY)
        factor = (self.strength + sold_BO7) / (self.strength + scale * expected)
        ahead = torch.arange(self.horizon, device=usual_BOH.device) % WEEK
        found = factor[:, :, ahead]
        total = (usual_BOH * found).sum(2, keepdim=True).clamp(min=_TINY)
        return found * usual_BOH.sum(2, keepdim=True) / total

    def _sold(self, step_BSF: Tensor, origins: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, O, 7) sales and days of whole steps so far, by weekday.

        Weekday 0 is that of the first day ahead.
        """
        patch, steps = self.columns.patch, step_BSF.shape[1]
        sold = torch.exp(step_BSF[:, :, :patch]) - 1
        whole = (step_BSF[:, :, patch] > 0.999).to(sold.dtype)[:, :, None]
        day = torch.arange(steps * patch, device=sold.device) % WEEK
        place = torch.nn.functional.one_hot(day, WEEK).to(sold.dtype).view(steps, patch, WEEK)
        sums = ((sold * whole)[:, :, None] @ place)[:, :, 0].cumsum(1)[:, origins]
        days = (whole * place.sum(1)).cumsum(1)[:, origins]
        first = ((origins + 1) * patch)[:, None] + torch.arange(WEEK, device=sold.device)
        index = (first % WEEK)[None].expand(sums.shape[0], -1, -1)
        return torch.gather(sums, 2, index), torch.gather(days, 2, index)

    def _middle(self, usual_BOH: Tensor) -> Tensor:
        """Return (B, O, 7) the network's weekdays: the lower median over the weeks ahead."""
        weeks = self.horizon // WEEK
        batch, origins = usual_BOH.shape[:2]
        by_week = usual_BOH[:, :, : weeks * WEEK].reshape(batch, origins, weeks, WEEK)
        return torch.sort(by_week, dim=2).values[:, :, (weeks - 1) // 2]


@dataclass(frozen=True)
class PastHorizon:
    """One cutoff of the training range: what moved means are made of, and what was sold."""

    mean: Tensor
    usual: Tensor
    planned: Tensor
    step: Tensor
    offset: Tensor
    actual: AnyFloatArray
    seen: BoolArray


@torch.inference_mode()
def settle(own: OwnPast, past: Iterable[PastHorizon]) -> float:
    """Set how far the own past is trusted, by the deviance of past horizons; return its gain.

    It is trusted where it takes off at least a five-hundredth, and at more than one cutoff. A
    cutoff after which no sales are known says nothing.

    Args:
        own: To set.
        past: Cutoffs.
    """
    windows = [window for window in past if window.seen.any()]
    nothing = [0.0] * len(own.plans)
    own.strength, own.share, own.plans = NEVER, 0.0, nothing
    if len(windows) < 2:
        return 0.0
    before = _deviances(own, windows)

    def saved() -> AnyFloatArray:
        return 1 - _deviances(own, windows) / before

    # One after the other: what plans and weekdays say does not hang on the level.
    gain = _sure(_crossed(own, windows, before), 0.0)
    own.plans = _plans(windows) if gain else nothing
    strengths = STRENGTHS if own.columns.is_daily and own.horizon >= WEEK else ()
    for name, values in (("strength", strengths), ("share", SHARES[1:])):
        best = getattr(own, name)
        for value in values:
            setattr(own, name, value)
            if more := _sure(saved(), gain):
                best, gain = value, more
        setattr(own, name, best)
    return gain


def _sure(saved: AnyFloatArray, gain: float) -> float:
    """Return the mean share saved where it is more than a gain, and no luck of a cutoff; else 0."""
    mean = float(saved.mean())
    least = saved.std(ddof=1) / np.sqrt(len(saved))
    return mean if mean > gain + _LEAST_GAIN and mean > least else 0.0


def _crossed(own: OwnPast, windows: list[PastHorizon], before: AnyFloatArray) -> AnyFloatArray:
    """Return what weights of plans save at cutoffs that they were not found on."""
    found = np.zeros(len(windows))
    for half in (0, 1):
        own.plans = _plans(windows[1 - half :: 2])
        found[half::2] = 1 - _deviances(own, windows[half::2]) / before[half::2]
    return found


def _plans(windows: list[PastHorizon]) -> list[float]:
    """Return the weights of every day and of what is planned: a Poisson regression on the mean."""
    days = [w.planned[:, 0].cpu().numpy()[w.seen].astype(np.float64) for w in windows]
    mean = np.concatenate([w.mean[:, 0].cpu().numpy()[w.seen] for w in windows]).astype(np.float64)
    sold = np.concatenate([w.actual[w.seen] for w in windows])
    columns = np.concatenate([np.ones((len(mean), 1)), np.concatenate(days)], axis=1)
    size = np.sqrt(np.square(columns).mean(axis=0))
    used = size > _TINY
    columns, mean = columns[:, used] / size[used], np.maximum(mean, _TINY)
    weights = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        expected = mean * np.exp(np.clip(columns @ weights, -2 * _MOST, 2 * _MOST))
        slope = columns.T @ (sold - expected) - _RIDGE * weights
        bend = (columns * expected[:, None]).T @ columns + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(bend, slope)
        weights = weights + np.clip(step, -1, 1)
        if np.abs(step).max() < _TINY:
            break
    found = np.zeros(len(used))
    found[used] = weights / size[used]
    return [float(value) for value in found]


def _deviances(own: OwnPast, windows: list[PastHorizon]) -> AnyFloatArray:
    """Return the Poisson deviance of each cutoff."""
    found = []
    for window in windows:
        last = torch.tensor([window.step.shape[1] - 1], device=window.step.device)
        moved = own(window.mean, window.usual, window.planned, window.step, window.offset, last)
        mean = np.maximum(moved[:, 0].cpu().numpy()[window.seen].astype(np.float64), _TINY)
        sold = window.actual[window.seen]
        ratio = np.where(sold > 0, sold * np.log(np.maximum(sold, _TINY) / mean), 0.0)
        found.append(2 * float((ratio - sold + mean).sum()) + _TINY)
    return np.array(found)


@torch.inference_mode()
def past_horizons(
    network: nn.Module, spec: FeatureSpec, encoded: EncodedPanel, stop: int
) -> list[PastHorizon]:
    """Return the last horizons of a training range as a network forecasts them.

    Args:
        network: With the method `parts`; its own past is not used.
        spec: How the panel is read.
        encoded: The panel.
        stop: Periods that may be seen.
    """
    device = next(network.parameters()).device
    found = []
    for cutoff in past_cutoffs(spec, encoded, stop):
        step, *_, offset = tensors = [a.to(device) for a in cutoff.inputs]
        mean, usual = network.parts(*tensors)  # type: ignore[operator]
        found.append(
            PastHorizon(
                mean,
                usual,
                tensors[2][:, None],
                step,
                offset[:, None],
                actual=cutoff.sold,
                seen=cutoff.seen,
            )
        )
    return found
