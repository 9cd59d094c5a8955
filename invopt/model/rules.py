"""Forecasting rules a planner knows, as graphs of the same inputs and outputs as the network's.

A rule reads one period per encoder step, sales alone and, where it has factors, the calendar. Its
spread comes from the errors it made in the past (see invopt.candidates), so that registry, server,
planner and monitoring treat it as they treat any model.

Shapes: B series, S periods of the window (the last one is the cutoff), H horizon, Q levels, N bins.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn

from invopt.model.calibration import rising

Kind = Literal[
    "naive", "average", "smoothing", "calendar", "slow", "textbook", "empirical", "trees"
]  # fmt: skip
# Added to a mean before it scales anything, in units of the model.
FLOOR = 0.05
# Periods that the variance of a series is shrunk by towards that of a Poisson law.
_PRIOR = 4.0
_SEASONS = 8  # seasons back that a naive forecast looks for a period that is known
_HUGE = 1e9


@dataclass(frozen=True)
class Rule:
    """A rule with its settings.

    Attributes:
        kind: naive (the same period of the last season), average, smoothing (exponential),
            calendar (average times factors of the calendar), slow (Teunter, Syntetos and Babai,
            2011: the chance of a sale and its size apart), textbook (average, normal errors),
            empirical (average, quantiles of past sums, no narrower than those of independent
            periods), trees (see invopt.model.trees).
        window: Periods that an average or a law of past sums is over.
        alpha: Share of the newest period in smoothing.
        season: Periods of the season that naive repeats.
    """

    kind: Kind
    window: int = 28
    alpha: float = 0.1
    season: int = 1


@dataclass(frozen=True)
class Spread:
    """Quantiles of past errors over their scale, by size of the mean.

    Attributes:
        edges: (N - 1,) means between bins, ascending.
        quantiles: (N, H, Q) of errors per period.
        levels: (N, H, Q) of errors of sums over 1..H periods.
    """

    edges: "np.ndarray[Any, np.dtype[np.float32]]"
    quantiles: "np.ndarray[Any, np.dtype[np.float32]]"
    levels: "np.ndarray[Any, np.dtype[np.float32]]"


class Point(nn.Module):
    """What a rule expects, and the scale its errors have.

    Args:
        rule: Kind and settings.
        length: S.
        horizon: H.
        factors: Weights of the calendar's columns in the log of demand; zeros for none.
    """

    def __init__(self, rule: Rule, length: int, horizon: int, factors: Tensor) -> None:
        super().__init__()
        self.rule, self.horizon = rule, horizon
        age = torch.arange(length - 1, -1, -1, dtype=torch.float32)
        recent = (age < rule.window).float()
        decay = (1 - rule.alpha) ** age
        weights = decay if rule.kind in ("smoothing", "slow") else recent
        self.weights: Tensor
        self.register_buffer("weights", weights)
        self.recent: Tensor
        self.register_buffer("recent", (age < 2 * rule.window).float())
        self.factors: Tensor
        self.register_buffer("factors", factors)
        self.places: Tensor
        self.register_buffer("places", places_of(length, horizon, rule.season))

    def forward(
        self, step: Tensor, calendar_past: Tensor, calendar: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), the level it rests on (B,) and the scale of errors (B, H), units."""
        y, seen = sales_of(step)
        mean, y, level, average = self._expected(y, seen, calendar_past, calendar)
        return mean, level, self._scale(y, seen, average)[:, None] * _growth(mean, average)

    def mean(self, y: Tensor, seen: Tensor, calendar_past: Tensor, calendar: Tensor) -> Tensor:
        """Return the mean alone, (B, H), from sales of `sales_of`."""
        return self._expected(y, seen, calendar_past, calendar)[0]

    def _expected(
        self, y: Tensor, seen: Tensor, calendar_past: Tensor, calendar: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return mean (B, H), sales without their calendar (B, S), level (B,) and average (B,)."""
        ahead = torch.ones_like(y[:, :1]).repeat(1, self.horizon)
        if self.rule.kind == "calendar":
            y = y / torch.exp(calendar_past @ self.factors)
            ahead = torch.exp(calendar @ self.factors)
        average = self._average(y, seen)
        level = self._slow(y, seen) if self.rule.kind == "slow" else average
        mean = level[:, None] * ahead
        if self.rule.kind == "naive":
            mean = self._naive(y, seen, mean)
        return mean, y, level, average

    def _average(self, y: Tensor, seen: Tensor) -> Tensor:
        """Return the weighted mean of known sales; of all where the weighted ones are unknown."""
        number, known = seen @ self.weights, seen.sum(1)
        own = (y @ self.weights) / number.clamp(min=1e-9)  # sales that are not known are 0
        return torch.where(number > 1e-6, own, y.sum(1) / known.clamp(min=1))

    def _slow(self, y: Tensor, seen: Tensor) -> Tensor:
        """Return the smoothed chance of a sale times its smoothed size."""
        sold = seen * (y > 0).float()
        chance = (sold @ self.weights) / (seen @ self.weights).clamp(min=1e-9)
        newer = sold.sum(1, keepdim=True) - torch.cumsum(sold, 1)
        size = sold * torch.exp(newer * float(np.log(1 - self.rule.alpha)))
        return chance * (size * y).sum(1) / size.sum(1).clamp(min=1e-9)

    def _naive(self, y: Tensor, seen: Tensor, otherwise: Tensor) -> Tensor:
        """Return the newest known sales of the same place in the season."""
        there = (self.places >= 0).float()
        at = self.places.clamp(min=0)
        values, known = y[:, at], seen[:, at] * there
        newest = known * (torch.cumsum(known, 2) == 1).float()
        return torch.where(known.sum(2) > 0, (newest * values).sum(2), otherwise)

    def _scale(self, y: Tensor, seen: Tensor, level: Tensor) -> Tensor:
        number = seen @ self.recent
        squares = (seen * (y - level[:, None]) ** 2) @ self.recent
        return torch.sqrt((squares + _PRIOR * (level + FLOOR)) / (number + _PRIOR))


class RuleNetwork(nn.Module):
    """A rule with its spread: mean, quantiles and levels in units of the data.

    Args:
        point: The rule.
        spread: Of its past errors; unused by textbook and empirical, which have their own.
        quantile_levels: Q levels of quantiles.
        level_quantiles: Q levels of levels.
        unit: Units of the data per model unit.
        is_count: True when quantiles are of jittered counts.
    """

    def __init__(
        self,
        point: nn.Module,
        spread: Spread,
        quantile_levels: tuple[float, ...],
        level_quantiles: tuple[float, ...],
        unit: float,
        *,
        is_count: bool,
    ) -> None:
        super().__init__()
        self.point, self.unit = point, unit
        self.kind: Kind = cast(Rule, point.rule).kind
        self.quantile_levels, self.level_quantiles = quantile_levels, level_quantiles
        self.lowest = -0.5 if is_count else 0.0
        for name in ("edges", "quantiles", "levels"):
            self.register_buffer(name, torch.from_numpy(np.asarray(getattr(spread, name))))

    def forward(
        self,
        step: Tensor,
        calendar_past: Tensor,
        planned: Tensor,
        calendar: Tensor,
        ids: Tensor,
        values: Tensor,
        offset: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), quantiles (B, H, Q) and levels (B, H, Q) in units."""
        mean, level, scale = self.expected(
            step, calendar_past, planned, calendar, ids, values, offset
        )
        total, deviation = torch.cumsum(mean, 1), torch.sqrt(torch.cumsum(scale**2, 1))
        if self.kind == "empirical":
            y, seen = sales_of(step)
            quantiles, levels = self._empirical(y, seen, level)
        else:
            quantiles = mean[:, :, None] + scale[:, :, None] * self._errors("quantiles", level)
            levels = total[:, :, None] + deviation[:, :, None] * self._errors("levels", level)
        quantiles = quantiles.clamp(min=self.lowest)
        levels = rising(levels.clamp(min=self.lowest), 1)
        return mean * self.unit, quantiles * self.unit, levels * self.unit

    def expected(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), level (B,) and scale of errors (B, H), model units."""
        found: tuple[Tensor, Tensor, Tensor] = self.point(inputs[0], inputs[1], inputs[3])
        return found

    def _errors(self, name: str, level: Tensor) -> Tensor:
        if self.kind == "textbook":
            wanted = self.quantile_levels if name == "quantiles" else self.level_quantiles
            return torch.tensor(ndtri(np.asarray(wanted)), dtype=torch.float32)[None, None]
        edges = cast(Tensor, self.edges)
        bins = (level[:, None] > edges[None]).long().sum(1)
        return cast(Tensor, getattr(self, name))[bins]

    def _empirical(self, y: Tensor, seen: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return quantiles of one period and of sums over 1..H, from the window's own past.

        A window of 27 periods holds two sums of 13, whatever number of them overlap: their range
        says little of the next one. So sums spread at least as those of independent periods do
        whose mean is known from the window alone: of variance h s² (1 + h / n) over h periods,
        with the variance s² of the n periods seen.
        """
        point = cast(Point, self.point)
        window = min(point.rule.window, y.shape[1])
        started = (torch.cumsum(seen, 1) > 0).float()[:, -window:]
        filled = torch.where(seen > 0, y, level[:, None].expand_as(y))[:, -window:]
        sums = torch.cumsum(torch.cat([torch.zeros_like(filled[:, :1]), filled], 1), 1)
        horizon, found = point.horizon, []
        number = started.sum(1, keepdim=True).clamp(min=1)
        mean = (filled * started).sum(1, keepdim=True) / number
        squares = ((filled - mean) ** 2 * started).sum(1, keepdim=True)
        variance = squares / (number - 1).clamp(min=1)
        normal = torch.tensor(ndtri(np.asarray(self.level_quantiles)), dtype=torch.float32)[None]
        for periods in range(1, horizon + 1):
            length = min(periods, max(1, window // 2))
            past = (sums[:, length:] - sums[:, :-length]) * (periods / length)
            own = _quantiles_of(past, started[:, : past.shape[1]], self.level_quantiles)
            deviation = torch.sqrt(periods * variance * (1 + periods / number))
            apart = periods * mean + normal * deviation
            wider = torch.where(normal > 0, torch.maximum(own, apart), torch.minimum(own, apart))
            found.append(torch.where(normal == 0, own, wider))
        one = _quantiles_of(filled, started, self.quantile_levels)
        quantiles = one[:, None].repeat(1, horizon, 1)
        return quantiles, torch.stack(found, 1)


def sales_of(step: Tensor) -> tuple[Tensor, Tensor]:
    """Return sales in model units and whether they are known (0 or 1), both (B, S).

    Columns as invopt.features names them for windows of one period per step.
    """
    seen = step[:, :, 1]
    return (torch.exp(step[:, :, 0]) - 1) * seen, seen


def places_of(length: int, horizon: int, season: int) -> Tensor:
    """Return (H, J): places in the window of the same period one, two, ... seasons before."""
    ahead = np.arange(1, horizon + 1)[:, None]
    first = -(-ahead // season) * season
    back = first + season * np.arange(_SEASONS)[None]
    places = length - 1 + ahead - back
    return torch.from_numpy(np.where(places >= 0, places, -1))


def _growth(mean: Tensor, level: Tensor) -> Tensor:
    """Return the scale of errors over that of the level: as of counts, by the root of the mean."""
    return torch.sqrt((mean + FLOOR) / (level[:, None] + FLOOR))


def _quantiles_of(values: Tensor, valid: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return (B, Q) quantiles of each row's valid values, 0 where there are none."""
    ordered, _ = torch.sort(torch.where(valid > 0, values, torch.full_like(values, _HUGE)), 1)
    number = valid.sum(1, keepdim=True)
    at = torch.tensor(levels, dtype=torch.float32)[None] * (number - 1).clamp(min=0)
    low = torch.floor(at)
    below = torch.gather(ordered, 1, low.long())
    above = torch.gather(ordered, 1, torch.minimum(low + 1, (number - 1).clamp(min=0)).long())
    found = below + (above - below) * (at - low)
    return torch.where(number > 0, found, torch.zeros_like(found))
