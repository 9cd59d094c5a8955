"""What a history of some length allows: a configuration shrinks to it, or is refused, and says so.

Everything here follows from configuration and length alone, so it is known before any training.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from invopt.config import Config, EvaluationConfig, FeaturesConfig
from invopt.errors import ConfigError, InvalidInputError
from invopt.panel import Panel
from invopt.timeline import Timeline, frequency_unit

MIN_PERIODS = 12
# Share of a year that a wave over the year is learned from, at least.
_YEAR_SHARE = 0.75
# Likewise for waves over the month: of two months every one is another trend.
_MONTH_DAYS = 180
# Years of history from which on what came a year before is learned from.
_YEARS_BEFORE = 1.5
_FIT = "`invopt init-mapping` writes a configuration that fits the data"

# Fields whose change is told.
_JUDGED = ("gate_periods", "selection_periods", "unjudged_periods", "num_folds")
_SEEN = (
    "patch", "context_steps", "windows", "year_harmonics", "month_harmonics", "year_before",
)  # fmt: skip


@dataclass(frozen=True)
class FittedSections:
    """Sections that fit a history.

    Attributes:
        features: As asked for, shrunk where the history is too short.
        evaluation: Likewise.
        notes: What was changed, a sentence each.
    """

    features: FeaturesConfig
    evaluation: EvaluationConfig
    notes: tuple[str, ...]


def fit_sections(
    features: FeaturesConfig, evaluation: EvaluationConfig, timeline: Timeline
) -> FittedSections:
    """Return features and evaluation as a history of this length allows them.

    What is fitted fits: fitting it again changes nothing.

    Args:
        features: As configured.
        evaluation: As configured.
        timeline: Of the panel.

    Raises:
        ConfigError: If the history is too short for any model that is judged, or the horizon is too
            long for it, or the configuration is one for days and the data are not.
    """
    _refuse(features, timeline)
    length, horizon = timeline.num_periods, features.horizon
    quarter = max(horizon, length // 4)
    unjudged = min(evaluation.unjudged_periods, max(0, length - quarter - horizon - 2))
    gate = min(evaluation.gate_periods, quarter)
    train = length - unjudged - gate
    selection = min(evaluation.selection_periods, max(1, min(quarter, (train - 1) // 2)))
    folds = min(evaluation.num_folds, _num_folds(train - selection, gate, horizon))
    judged = evaluation.model_copy(
        update={
            "gate_periods": gate,
            "selection_periods": selection,
            "unjudged_periods": unjudged,
            "num_folds": folds,
        }
    )
    seen = _fit_features(features, timeline, train)
    notes = [
        f"{name} is {after} instead of {before}: the data hold {timeline.spell(length)}"
        for name, before, after in (
            *_changes("evaluation", evaluation, judged, _JUDGED),
            *_changes("features", features, seen, _SEEN),
        )
    ]
    return FittedSections(seen, judged, tuple(notes))


def _fit_features(features: FeaturesConfig, timeline: Timeline, train: int) -> FeaturesConfig:
    """Return features as a training range of `train` periods allows them."""
    patch = features.patch if 3 * features.patch < train else 1
    windows, weights = _windows(features, train)
    context = min(features.context_steps, max(2, -(-train // patch)))
    year = features.year_harmonics if train >= _YEAR_SHARE * timeline.periods_per_year else 0
    is_daily = frequency_unit(timeline.freq) == "D"
    month = 0 if is_daily and train < _MONTH_DAYS else features.month_harmonics
    is_long = train >= _YEARS_BEFORE * timeline.year_length
    before = features.year_before and is_long and timeline.year_before_reach(features.horizon) > 0
    return features.model_copy(
        update={
            "patch": patch,
            "context_steps": context,
            "windows": windows,
            "offset_weights": weights,
            "year_harmonics": year,
            "month_harmonics": month,
            "year_before": before,
        }
    )


def _changes(
    section: str, before: BaseModel, after: BaseModel, names: Sequence[str]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value before and value after of the fields that differ."""
    for name in names:
        values = [getattr(each, name) for each in (before, after)]
        if values[0] != values[1]:
            told = [list(v) if isinstance(v, tuple) else v for v in values]
            yield f"{section}.{name}", told[0], told[1]


def fit_config(config: Config, timeline: Timeline) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration as a history of this length allows it, and what was changed.

    Beside fit_sections: forecasts fork from no later than half the context, and where no horizon
    can be held out of the training range nothing is searched and no training stops early.

    Raises:
        ConfigError: As fit_sections.
    """
    found = fit_sections(config.features, config.evaluation, timeline)
    features, evaluation = found.features, found.evaluation
    notes = list(found.notes)
    training, tuning = config.training, config.tuning
    fork = min(training.fork_after, max(1, features.context_steps // 2))
    training = training.model_copy(update={"fork_after": fork})
    train = timeline.num_periods - evaluation.unjudged_periods - evaluation.gate_periods
    least = features.horizon + features.patch + 2
    if tuning.num_trials and train - evaluation.selection_periods < least:
        tuning = tuning.model_copy(update={"num_trials": 0})
        notes.append(
            "nothing is searched (tuning.num_trials is 0): the data hold "
            f"{timeline.spell(timeline.num_periods)}"
        )
    if training.patience is not None and train < least:
        training = training.model_copy(update={"patience": None})
        notes.append("training.patience is left out: no horizon can be held out of the training")
    fitted = config.model_copy(
        update={
            "features": features,
            "evaluation": evaluation,
            "training": training,
            "tuning": tuning,
        }
    )
    return fitted, tuple(notes)


def tell_fit(config: Config, frequency: str, first: str, last: str) -> list[str]:
    """Return what a training would change in a configuration, or why it would refuse, in lines.

    Args:
        config: As asked for.
        frequency: Of the data.
        first: Their first period, an ISO date.
        last: Their last period.
    """
    timeline = Timeline.covering(pd.Timestamp(first), pd.Timestamp(last), frequency)
    try:
        _, notes = fit_config(config, timeline)
    except ConfigError as err:
        return [f"a training would refuse this: {err}"]
    return [f"in a training, {note}" for note in notes]


def refuse_unusable(panel: Panel, evaluation: EvaluationConfig) -> None:
    """Raise where sales say nothing to learn from or to judge by.

    Args:
        panel: Cleaned.
        evaluation: Fitted to its length.

    Raises:
        InvalidInputError: If nothing was sold or nothing is known, in all or on one side of the
            gate's first period.
    """
    stop = panel.num_periods - evaluation.unjudged_periods
    start = stop - evaluation.gate_periods
    observed = panel.is_observed
    sold = np.where(observed, np.asarray(panel.y), 0) > 0
    date = f"{panel.timeline.date(start):%Y-%m-%d}"
    number = f"{panel.num_series:,} series"
    if not observed[:, :stop].any():
        raise InvalidInputError(
            f"no period of any of {number} holds sales that are known: all are missing or from "
            "days out of stock. Look at `invopt check-data` before training."
        )
    if not sold[:, :stop].any():
        raise InvalidInputError(
            f"nothing was ever sold: every known period of {number} is 0. Look whether the mapping "
            "names the right column of quantities."
        )
    if not sold[:, :start].any():
        raise InvalidInputError(
            f"nothing was sold before {date}, where the periods that judge a model begin: there is "
            "nothing to learn from. Wait for more history, or lower evaluation.gate_periods."
        )
    if not observed[:, start:stop].any():
        raise InvalidInputError(
            f"no sales are known from {date} on, the periods that judge a model: give the files of "
            "these periods, or leave periods that are missing out of the data."
        )


def season_of(timeline: Timeline, num_periods: int) -> int:
    """Return the periods of the longest season that a history shows twice; 1 where it shows none.

    Args:
        timeline: Of the panel.
        num_periods: Of the history.
    """
    fitting = [s for s in timeline.seasons if 2 * s <= num_periods]
    return fitting[-1] if fitting else 1


def _refuse(features: FeaturesConfig, timeline: Timeline) -> None:
    length, horizon, spell = timeline.num_periods, features.horizon, timeline.spell
    if length < MIN_PERIODS:
        raise ConfigError(
            f"the data hold {spell(length)} of sales, and a model that is judged takes "
            f"{spell(MIN_PERIODS)} at least: give more history."
        )
    if frequency_unit(timeline.freq) != "D" and features.patch == 7:
        raise ConfigError(
            "features.patch is 7, which turns days into weeks, but a period of these data is "
            f"{spell(1)}: set features.patch to 1 and look at horizon, windows, lead_time and "
            f"review_period, which count periods too; {_FIT}."
        )
    most = (length - 2) // 2
    if horizon > most:
        raise ConfigError(
            f"features.horizon is {spell(horizon)}, but the data hold {spell(length)}, of which a "
            f"horizon may take {most} at most: lower features.horizon, and with it "
            f"inventory.lead_time + inventory.review_period, or give more history; {_FIT}."
        )


def _num_folds(last: int, length: int, horizon: int) -> int:
    """Return how many folds as long as the gate leave a training range before the first."""
    return max(0, (last - max(length, horizon + 2)) // length)


def _windows(features: FeaturesConfig, train: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return windows no longer than the training range, the weights of one length added up."""
    weights: dict[int, float] = {}
    for window, weight in zip(features.windows, features.offset_weights, strict=True):
        short = min(window, train)
        weights[short] = weights.get(short, 0.0) + weight
    return tuple(weights), tuple(weights.values())


def told(notes: Sequence[str]) -> str:
    """Return notes as one line for the log."""
    return "fitted to the history: " + "; ".join(notes)
