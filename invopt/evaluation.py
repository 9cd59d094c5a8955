"""How good forecasts are: windows that never overlap, metrics, rolling-origin back-tests.

Nothing here knows a model: anything that predicts a panel from a cutoff can be judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from invopt.config import EvaluationConfig
from invopt.errors import ConfigError
from invopt.forecasts import units
from invopt.panel import Panel
from invopt.types import AnyFloatArray, BoolArray, Float32Array, FloatArray


class JudgedForecast(Protocol):
    """What a forecaster returns; see invopt.model.ForecastArrays."""

    mean: Float32Array
    smooth_quantiles: Float32Array
    smooth_levels: Float32Array
    quantile_levels: tuple[float, ...]
    level_quantiles: tuple[float, ...]


class Forecasts(Protocol):
    """Anything that forecasts every series of a panel as it was known after a period."""

    def predict(self, panel: Panel, cutoff: int | None = None) -> Any:
        """Return a Forecast."""


@dataclass(frozen=True)
class Ranges:
    """Period ranges that judge a model, none shared: selection, then gate.

    Attributes:
        train_stop: Periods that a model to be judged by the gate may learn from.
        selection: Cutoffs of the sweep.
        selection_stop: Periods a trial of the sweep may learn from.
        gate: Cutoffs whose targets judge it.
        num_periods: Of the panel, as far as it judges.
    """

    selection_stop: int
    selection: tuple[int, ...]
    train_stop: int
    gate: tuple[int, ...]
    num_periods: int


def ranges_of(num_periods: int, config: EvaluationConfig) -> Ranges:
    """Return the cutoffs of each range; the gate's targets are the last periods that judge.

    Raises:
        ConfigError: If the panel is shorter than the ranges.
    """
    stop = num_periods - config.unjudged_periods
    gate_start = stop - config.gate_periods
    selection_start = gate_start - config.selection_periods
    if selection_start < 1:
        raise ConfigError(
            f"evaluation: gate and selection need "
            f"{num_periods - selection_start} periods, the data have {num_periods}."
        )
    return Ranges(
        selection_start,
        cutoffs_of(selection_start, gate_start, config.step_size),
        gate_start,
        cutoffs_of(gate_start, stop, config.step_size),
        stop,
    )


def cutoffs_of(first_target: int, stop: int, step: int) -> tuple[int, ...]:
    """Return cutoffs from the one before first_target, a step apart, each with a target."""
    return tuple(range(first_target - 1, stop - 1, step))


@dataclass(frozen=True)
class Window:
    """One cutoff's forecast beside the actuals; arrays are (series, horizon).

    actual is NaN where demand was not observed, after `stop`, or inside the gap.
    """

    cutoff: int
    forecast: Any
    actual: Float32Array


def backtest(
    forecasts: Forecasts, panel: Panel, cutoffs: Iterable[int], stop: int, *, gap: int = 0
) -> list[Window]:
    """Forecast from every cutoff and set the actuals beside it.

    Args:
        forecasts: What to judge.
        panel: Holds the actuals; forecasts see nothing after their cutoff.
        cutoffs: Last known periods.
        stop: Period from which on actuals are not looked at.
        gap: Periods after the cutoff that are not scored.
    """
    demand = panel.demand()[:, :stop]
    windows = []
    for cutoff in cutoffs:
        forecast = forecasts.predict(panel, cutoff)
        horizon = forecast.mean.shape[1]
        actual = np.full(forecast.mean.shape, np.nan, np.float32)
        known = demand[:, cutoff + 1 : cutoff + 1 + horizon]
        actual[:, : known.shape[1]] = known
        actual[:, :gap] = np.nan
        windows.append(Window(cutoff, forecast, actual))
    return windows


def count_foresight(forecasts: Forecasts, panel: Panel, cutoff: int) -> int:
    """Return the number of series whose forecast changes when what came later is changed.

    Sales after the cutoff are put in reverse order and added to, and channels not known ahead
    are blanked: an honest forecast cannot tell.

    Args:
        forecasts: What to judge.
        panel: Holds periods after the cutoff.
        cutoff: Last known period.
    """
    later = slice(cutoff + 1, None)
    y = np.array(panel.y)
    y[:, later] = y[:, later][:, ::-1] + 7
    channels = {}
    for name, channel in panel.channels.items():
        if not channel.known:
            values = np.array(channel.values)
            values[:, later] = np.nan
            channels[name] = replace(channel, values=values)
        else:
            channels[name] = channel
    changed = replace(panel, y=y, flags=np.array(panel.flags), channels=channels)
    honest, told = (forecasts.predict(p, cutoff).mean for p in (panel, changed))
    return int((~np.isclose(honest, told, rtol=1e-5, atol=1e-6, equal_nan=True)).any(axis=1).sum())


def point_metrics(
    windows: Sequence[Window], scale: AnyFloatArray | None = None
) -> dict[str, float]:
    """Return rmse, mae, r2, wape, bias and, with a scale per series, mase.

    All are over observed series-periods: bias is the sum of forecast over the sum of demand,
    minus 1; r2 is against the mean of the same actuals; mase is the mean over series of mean
    absolute error over the series' scale (the in-sample error of a naive forecast, see mase_scale).

    Each is a number where any period was observed: where nothing was sold, wape and bias are in
    units per period; where all actuals are alike, r2 is 1 for a forecast that is right and 0 for
    any other.
    """
    error = squared = actual_sum = forecast_sum = actual_squared = 0.0
    count = 0
    by_series: list[tuple[AnyFloatArray, AnyFloatArray]] = []
    for window in windows:
        seen = ~np.isnan(window.actual)
        actual = np.where(seen, window.actual, 0).astype(np.float64)
        forecast = np.where(seen, window.forecast.mean, 0).astype(np.float64)
        difference = forecast - actual
        error += float(np.abs(difference).sum())
        squared += float(np.square(difference).sum())
        actual_sum += float(actual.sum())
        forecast_sum += float(forecast.sum())
        actual_squared += float(np.square(actual).sum())
        count += int(seen.sum())
        by_series.append((np.abs(difference).sum(1), seen.sum(1)))
    if not count:
        return dict.fromkeys(("rmse", "mae", "r2", "wape", "bias"), float("nan"))
    spread = actual_squared - actual_sum**2 / count
    sold = actual_sum if actual_sum > 0 else float(count)
    metrics = {
        "rmse": (squared / count) ** 0.5,
        "mae": error / count,
        "r2": 1 - squared / spread if spread > 0 else float(squared == 0),
        "wape": error / sold,
        "bias": (forecast_sum - actual_sum) / sold,
    }
    if scale is not None:
        errors, counts = (np.sum(part, axis=0) for part in zip(*by_series, strict=True))
        usable = (counts > 0) & (scale > 0)
        errors, counts, scale = errors[usable], counts[usable], scale[usable]
        metrics["mase"] = float((errors / counts / scale).mean()) if usable.any() else 0.0
    return metrics


def forecast_change(windows: Sequence[Window], scale: AnyFloatArray) -> float:
    """Return how much a forecast of the same periods changes from one window to the next.

    A scaled multi-quantile change, after Zanotti (arXiv 2506.05776): the pinball loss of the
    later quantiles with the earlier ones in the place of what was sold, doubled, over each series'
    scale; mean over levels, periods that both forecast, pairs of windows and series. 0 where
    nothing changes, or no two windows overlap.

    Args:
        windows: In the order of their cutoffs, one a review.
        scale: (series,) as mase_scale returns it; series without one are left out.
    """
    usable = scale > 0
    found = []
    for before, after in pairwise(windows):
        apart, horizon = after.cutoff - before.cutoff, before.forecast.mean.shape[1]
        if apart >= horizon or not usable.any():
            continue
        old = before.forecast.quantiles[usable, apart:].astype(np.float64)
        over = after.forecast.quantiles[usable, : horizon - apart] - old
        levels = np.asarray(after.forecast.quantile_levels)
        loss = 2 * np.maximum((1 - levels) * over, -levels * over).mean(axis=(1, 2))
        found.append(float((loss / scale[usable]).mean()))
    return float(np.mean(found)) if found else 0.0


def mase_scale(panel: Panel, stop: int, season_length: int) -> AnyFloatArray:
    """Return the scale of each series' errors: mean absolute differences before `stop`.

    Differences are of scale_step periods, pairs with NaN left out; one unit where that is 0. A
    series without a scale while others have one reads 0 and is left out of mase.
    """
    step = scale_step(panel, stop, season_length)
    return _mean_difference(panel, stop, step) if step else np.ones(panel.num_series)


def scale_step(panel: Panel, stop: int, season_length: int) -> int:
    """Return the periods between what is compared for the scale of errors.

    A season; one period where the history is shorter than two seasons or repeats itself; 0 where
    that says nothing either.
    """
    for step in (season_length, 1):
        if 2 * step <= stop and (_mean_difference(panel, stop, step) > 0).any():
            return step
    return 0


def _mean_difference(panel: Panel, stop: int, step: int) -> AnyFloatArray:
    demand = panel.demand()[:, :stop]
    difference = np.abs(demand[:, step:] - demand[:, :-step])
    counts = (~np.isnan(difference)).sum(axis=1)
    mean: AnyFloatArray = np.nansum(difference, axis=1) / np.maximum(counts, 1)
    return mean


def quantile_metrics(
    windows: Sequence[Window], *, is_count: bool, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return mean pinball loss and coverage of the quantiles per period, by level.

    The loss is of the quantiles as they are told, whole units where sales are. Coverage is the
    share of actuals at or below the quantile. Counts jump over many levels at once, so their
    coverage is of the jittered count y + U - 1/2 with U uniform on [0, 1) at the smooth quantile
    (the randomised probability integral transform; Czado, Gneiting and Held, "Predictive model
    assessment for count data", 2009): exact at every level for a right forecast. That of whole
    quantiles would be too high for every right forecast, most of all where most periods are zero.
    Sales that are no counts have such periods too (a bakery's Sundays): of a period without a sale
    the transform is uniform below the share of such periods that was forecast, which is read from
    the levels whose quantile is less than half of what the series sold in any period here.
    """
    rng = np.random.default_rng(seed)
    scores = _Scores(is_count=is_count)
    least = None if is_count else _least_sales(windows)
    for window in windows:
        seen = ~np.isnan(window.actual)
        actual, levels = window.actual[seen], window.forecast.quantile_levels
        quantiles = window.forecast.smooth_quantiles[seen]
        nothing = None if least is None else np.broadcast_to(least[:, None], seen.shape)[seen] / 2
        covered = covered_by(actual, quantiles, levels, rng.random(len(actual)), nothing)
        scores.add(actual, quantiles, levels, covered)
    return scores.per_level()


def series_losses(windows: Sequence[Window], *, is_count: bool) -> FloatArray:
    """Return (series,) pinball loss of the quantiles per period as told, summed over what is known.

    The mean over levels. It is a proper score: nothing is expected to lose less than the right law,
    which absolute errors of slow sellers do not promise (of them zero errs least).

    Args:
        windows: Forecasts beside actuals, of the same series.
        is_count: True when sales are whole numbers.
    """
    found = np.zeros(len(windows[0].actual))
    for window in windows:
        levels = window.forecast.quantile_levels
        for number, level in enumerate(levels):
            told = units(window.forecast.smooth_quantiles[:, :, number], is_count=is_count)
            over = told.astype(np.float64) - window.actual
            loss = np.maximum((1 - level) * over, -level * over)
            found += np.where(np.isnan(window.actual), 0, loss).sum(axis=1) / len(levels)
    return found


def level_metrics(
    windows: Sequence[Window], periods: Sequence[int], *, is_count: bool, seed: int = 0
) -> dict[str, dict[str, dict[str, float]]]:
    """Return what quantile_metrics does for demand summed over some numbers of periods.

    A sum counts only when each of its periods was observed.
    """
    rng = np.random.default_rng(seed)
    found = {}
    least = None if is_count else _least_sales(windows)
    for count in periods:
        scores = _Scores(is_count=is_count)
        for window in windows:
            if count > window.actual.shape[1]:
                continue
            total = window.actual[:, :count].sum(axis=1)
            seen = ~np.isnan(total)
            actual, levels = total[seen], window.forecast.level_quantiles
            quantiles = window.forecast.smooth_levels[seen, count - 1]
            nothing = None if least is None else least[seen] / 2
            covered = covered_by(actual, quantiles, levels, rng.random(len(actual)), nothing)
            scores.add(actual, quantiles, levels, covered)
        found[str(count)] = scores.per_level()
    return found


def covered_by(
    actual: AnyFloatArray,
    quantiles: AnyFloatArray,
    levels: Sequence[float],
    draws: FloatArray,
    nothing: AnyFloatArray | None,
) -> BoolArray:
    """Return (N, L) whether each actual is at or below each quantile, by the randomised transform.

    Args:
        actual: (N,) what was sold.
        quantiles: (N, L), ascending.
        levels: L of them.
        draws: (N,) uniform on [0, 1).
        nothing: (N,) quantiles below it say that nothing is sold, half of the smallest sales, say;
            None where sales are counts.
    """
    if nothing is None:
        return np.asarray((actual + draws - 0.5)[:, None] <= quantiles)
    found = np.asarray(actual[:, None] <= quantiles)
    idle = (quantiles < nothing[:, None]).sum(axis=1)
    at = (actual <= 0) & (idle > 0)
    bounds = np.array([0.0, *levels, 1.0])
    share = (bounds[idle] + bounds[idle + 1]) / 2  # of such periods, as forecast
    lower = np.arange(len(levels)) < idle[:, None]
    drawn = draws[:, None] * share[:, None] <= np.asarray(levels)
    return np.where(at[:, None] & lower, drawn, found)


def interval_coverage(coverage: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the coverage of each central interval whose two quantiles are forecast.

    Args:
        coverage: As quantile_metrics returns it.
    """
    levels = {float(level): value["coverage"] for level, value in coverage.items()}
    found = {}
    for low in sorted(levels):
        high = round(1 - low, 6)
        if low < 0.5 and high in levels:
            found[f"{round(100 * (high - low)):d}"] = levels[high] - levels[low]
    return found


def _least_sales(windows: Sequence[Window]) -> FloatArray:
    """Return (series,) the smallest sales above 0 of a period of any window; 0 where none sold."""
    found = np.full(len(windows[0].actual) if windows else 0, np.inf)
    for window in windows:
        sold = window.actual.min(axis=1, where=window.actual > 0, initial=np.inf)
        found = np.minimum(found, sold)
    return np.where(np.isfinite(found), found, 0.0)


class _Scores:
    """Adds up pinball losses and hits by level.

    Args:
        is_count: True when sales are whole numbers.
    """

    def __init__(self, *, is_count: bool) -> None:
        self.is_count = is_count
        self._sums: dict[float, FloatArray] = {}  # loss, hits, number

    def add(
        self,
        actual: AnyFloatArray,
        quantiles: AnyFloatArray,
        levels: Sequence[float],
        covered: BoolArray,
    ) -> None:
        """Add some outcomes.

        Args:
            actual: (N,) what was sold.
            quantiles: (N, L) before they are told in units.
            levels: L of them.
            covered: (N, L) as covered_by returns it.
        """
        for number, level in enumerate(levels):
            told = units(quantiles[:, number], is_count=self.is_count)
            over = told.astype(np.float64) - actual
            loss = np.maximum((1 - level) * over, -level * over).sum()
            found = np.array([loss, covered[:, number].sum(), len(actual)])
            self._sums[level] = self._sums.get(level, np.zeros(3)) + found

    def per_level(self) -> dict[str, dict[str, float]]:
        """Return mean loss and coverage by level."""
        return {
            f"{level:g}": {
                "pinball": float(loss / max(1.0, number)),
                "coverage": float(hits / max(1.0, number)),
            }
            for level, (loss, hits, number) in self._sums.items()
        }
