"""Rolling-origin cross-validation: the recipe trained anew before each of several earlier ranges.

The gate judges one model on the latest weeks; folds tell how far such a judgement can be off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from invopt.config import Config, EvaluationConfig
from invopt.errors import ConfigError
from invopt.evaluation import (
    backtest,
    cutoffs_of,
    interval_coverage,
    level_metrics,
    mase_scale,
    point_metrics,
    quantile_metrics,
    ranges_of,
)
from invopt.hierarchy import score_levels
from invopt.judged import LEVEL_PERIODS
from invopt.panel import Panel
from invopt.training import fit
from invopt.types import Clock, Notify


@dataclass(frozen=True)
class Fold:
    """One fold: trained on the periods before `start`, judged on those from there to `stop`."""

    start: int
    stop: int


def folds_of(panel: Panel, config: EvaluationConfig) -> list[Fold]:
    """Return the folds, latest first: as long as the gate's range, before the sweep's.

    Raises:
        ConfigError: If the first fold would leave less history than it judges.
    """
    last = ranges_of(panel.num_periods, config).selection_stop
    length = config.gate_periods
    stops = [last - k * length for k in range(config.num_folds)]
    folds = [Fold(stop - length, stop) for stop in stops]
    if folds and folds[-1].start < length:
        raise ConfigError(
            f"evaluation.num_folds: {config.num_folds} folds of {length} periods leave "
            f"{folds[-1].start} periods to learn from before the first; ask for fewer."
        )
    return folds


def cross_validate(
    panel: Panel, config: Config, folder: Path, *, clock: Clock, notify: Notify
) -> dict[str, Any]:
    """Return metrics of every fold, their mean and their standard deviation.

    Args:
        panel: Cleaned, with derived channels.
        config: Of the run; each fold trains for `evaluation.fold_minutes`.
        folder: Scratch of the trainings.
        clock: Returns seconds, from any start.
        notify: Called with lines of progress.
    """
    training = config.training.model_copy(
        update={"max_minutes": config.evaluation.fold_minutes, "num_processes": 1}
    )
    short = config.model_copy(update={"training": training})
    found = []
    for number, fold in enumerate(folds_of(panel, config.evaluation)):
        notify(f"fold {number + 1} of {config.evaluation.num_folds}: training")
        own = folder / f"fold-{number:02d}"
        forecaster = fit(panel, short, fold.start, own, clock=clock, notify=notify)
        found.append(_judge(forecaster, panel, fold, config))
    numbers = [_flat(fold) for fold in found]
    return {
        "folds": found,
        "mean": _over(numbers, np.mean),
        "spread": _over(numbers, np.std),
    }


def _judge(forecaster: Any, panel: Panel, fold: Fold, config: Config) -> dict[str, Any]:
    evaluation, is_count = config.evaluation, forecaster.spec.is_count
    cutoffs = cutoffs_of(fold.start, fold.stop, evaluation.step_size)
    windows = backtest(forecaster, panel, cutoffs, fold.stop, gap=evaluation.gap)
    scale = mase_scale(panel, fold.start, panel.timeline.season_length)
    quantiles = quantile_metrics(windows, is_count=is_count)
    periods = [p for p in LEVEL_PERIODS if p <= config.features.horizon]
    score = score_levels(windows, panel, evaluation.hierarchy) if evaluation.hierarchy else {}
    return {
        "start": f"{panel.timeline.date(fold.start):%Y-%m-%d}",
        "points": point_metrics(windows, scale),
        "coverage": interval_coverage(quantiles),
        "levels": level_metrics(windows, periods, is_count=is_count),
        "hierarchy": score,
    }


def _flat(fold: dict[str, Any]) -> dict[str, float]:
    """Return what is compared over folds: point metrics, coverage and WRMSSE."""
    coverage = {f"coverage_{name}": value for name, value in fold["coverage"].items()}
    return fold["points"] | coverage | fold["hierarchy"]


def _over(numbers: Sequence[dict[str, float]], statistic: Any) -> dict[str, float]:
    names = numbers[0] if numbers else ()
    return {name: float(statistic([n[name] for n in numbers])) for name in names}
