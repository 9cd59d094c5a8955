"""Monitors of FreshRetailNet's cities: ninety days, stock-outs by the hour, and what they miss."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks._log_linear import LogLinear
from benchmarks._replay import GOVERNOR, HORIZON, WEEK, Remembered, features, situation
from invopt.cleaning import clean
from invopt.config import CleaningConfig, ModelConfig, MonitoringConfig
from invopt.monitoring.evidence import gather_evidence
from invopt.monitoring.performance import Scoring
from invopt.monitoring.retraining_decision import PROMOTED, RetrainingDecision, Situation
from invopt.monitoring.subject import Subject
from invopt.panel import Panel, load_panel
from invopt.sources import load_mapping, read_dataset
from serving.stores.governor_store import GovernorStore

_EVERY = 8  # stores of which one is looked at
_TRAINED = 55  # days that the model learns from
_WEEKS = 3  # latest weeks, of which enough lie before
_SHORT_HISTORY = MonitoringConfig(min_history=4, num_bootstrap=200)
_WINDOWS = (14, 28)

HEAD = ("what happens in the last two weeks", "city-weeks", "ignore", "alert", "retrain", "page",
        "cities that name it in week 1", "by week 2")  # fmt: skip
Change = Callable[[Panel], Panel]


def fresh_rows(data: Path) -> list[tuple[object, ...]]:
    """Return a row per thing that may happen: what a monitor per city did about it."""
    panel = _cities(data)
    changes: dict[str, tuple[Change, str]] = {
        "nothing": (lambda p: p, "?"),
        "a store of each city is silent": (_silent, "silent_feed"),
        "a store of each city sends a day again": (_again, "repeated_feed"),
        "a tenth more is bought": (_more, "demand_shift up"),
    }
    return [_row(name, *change, panel) for name, change in changes.items()]


def _cities(data: Path) -> Panel:
    mapping = Path(__file__).parent.parent / "pipelines/configs/datasets/freshretailnet.yaml"
    with tempfile.TemporaryDirectory() as folder:
        read_dataset(load_mapping(mapping), data, Path(folder) / "fresh")
        whole = load_panel(Path(folder) / "fresh")
        # Whole stores: the silence of one is only heard in what all of it sells.
        stores = np.unique(whole.series["location"].to_numpy())[::_EVERY]
        panel = whole.select(np.asarray(whole.series["location"].isin(set(stores))))
        # The model learns by category: the finest ones have a handful of series here.
        return replace(panel, series=panel.series.assign(category=panel.series["department"]))


def _row(name: str, change: Change, finding: str, panel: Panel) -> tuple[object, ...]:
    changed = clean(change(panel), CleaningConfig())[0]
    model = LogLinear(
        horizon=HORIZON, config=ModelConfig(), num_cutoffs=14, windows=_WINDOWS, yearly=False
    )
    model.fit(changed, _TRAINED, 56)
    actions: list[str] = []
    named = np.zeros(2, int)
    cities = changed.series["city"].to_numpy()
    for city in sorted(set(cities)):
        weeks = _monitored(changed.select(cities == city), model)
        actions += [action for action, _ in weeks]
        found = [finding in causes for _, causes in weeks[-2:]]
        named += [found[0], any(found)]
    counts = [actions.count(a) for a in ("ignore", "alert", "retrain", "page")]
    told = ["-", "-"] if finding == "?" else [f"{n} of {len(set(cities))}" for n in named]
    return (name, len(actions), *counts, *told)


def _monitored(panel: Panel, model: LogLinear) -> list[tuple[str, set[str]]]:
    """Return the action and the causes of each of the latest weeks of one city."""
    store, found = GovernorStore("sqlite://"), []
    forecasts = Remembered(model, panel)
    scoring = Scoring(WEEK, None, is_count=False)
    for end in [panel.num_periods - WEEK * k for k in range(_WEEKS)][::-1]:
        subject = Subject(
            forecasts,
            features,
            scoring,
            channels=(),
            first_cutoff=_WINDOWS[1] - 1,
            trained_stop=_TRAINED,
        )
        evidence = gather_evidence(subject, panel.truncate(end), _SHORT_HISTORY)
        now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=end)
        decision = decide_for_nothing(store, situation(evidence), now, str(end))
        found.append((decision.action, {s.cause for s in evidence.signals if s.fires}))
    store.close()
    return found


def _one_store_each(panel: Panel) -> np.ndarray:  # type: ignore[type-arg]
    """Return the series of the store with most series of every city."""
    stores = panel.series.groupby("city")["location"].agg(lambda s: s.value_counts().index[0])
    return np.asarray(panel.series["location"].isin(set(stores)))


def _silent(panel: Panel) -> Panel:
    y = np.array(panel.y)
    y[_one_store_each(panel), -2 * WEEK :] = 0
    return replace(panel, y=y)


def _again(panel: Panel) -> Panel:
    y = np.array(panel.y)
    rows = _one_store_each(panel)
    y[rows, -2 * WEEK :] = y[rows, -2 * WEEK - 1][:, None]
    return replace(panel, y=y)


def _more(panel: Panel) -> Panel:
    y = np.array(panel.y, np.float32)
    y[:, -2 * WEEK :] *= 1.1
    return replace(panel, y=y)


def decide_for_nothing(
    store: GovernorStore, situation: Situation, now: datetime, run: str
) -> RetrainingDecision:
    """Return what the governor decides; a retraining it starts changes nothing.

    It is noted as promoted at once and the model stays as it is, so that the cause may ask again.
    """
    decision, claim = store.decide(situation, GOVERNOR, now, run)
    if claim is not None:
        store.begin(claim, "run", GOVERNOR, now)
        store.finish(claim, PROMOTED, now)
    return decision
