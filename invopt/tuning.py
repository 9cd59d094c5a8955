"""The sweep: a declared space, trials on selection windows, one shared study."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna

from invopt.config import Config
from invopt.errors import ConfigError
from invopt.evaluation import Forecasts, backtest, point_metrics, ranges_of
from invopt.panel import Panel
from invopt.types import Clock, Notify

Check = Callable[[int, float], None]
_WORKER, _ATTEMPT, _MAX_ATTEMPTS = "worker", "attempt", 3
_FAILED = (ArithmeticError, RuntimeError, ValueError, TimeoutError)
_STARTUP_TRIALS = 4  # trials that run to their end before any is compared with their median


class Fit(Protocol):
    """Trains a forecaster; see invopt.training.fit."""

    def __call__(
        self,
        panel: Panel,
        config: Config,
        num_periods: int,
        folder: Path,
        *,
        clock: Clock,
        check: Check | None,
    ) -> Forecasts:
        """Return a forecaster trained on the first num_periods of a panel."""


def suggest(trial: optuna.trial.BaseTrial, config: Config) -> Config:
    """Return the configuration with a trial's values in it.

    Raises:
        ConfigError: If the space names a field that does not exist.
    """
    values: dict[str, Any] = {}
    # Sorted: a space that crossed KFP has lost its order, and proposals depend on it.
    for field, choices in sorted(config.tuning.space.items()):
        if isinstance(choices, dict):
            low, high, log = choices["low"], choices["high"], bool(choices.get("log", False))
            values[field] = trial.suggest_float(field, low, high, log=log)
        else:
            values[field] = trial.suggest_categorical(field, list(choices))
    return with_values(config, values)


def with_values(config: Config, values: dict[str, Any]) -> Config:
    """Return the configuration with fields "section.key" replaced.

    Raises:
        ConfigError: If a field does not exist or a value is refused.
    """
    content = config.model_dump(mode="json")
    for field, value in values.items():
        section, _, key = field.partition(".")
        if key not in content.get(section, {}):
            raise ConfigError(f"tuning.space names {field}, which does not exist.")
        content[section][key] = value
    try:
        return Config.model_validate(content)
    except ValueError as err:
        raise ConfigError(f"tuning.space gives a configuration that is refused: {err}.") from err


def open_study(name: str, storage: str, config: Config, worker: int = 0) -> optuna.Study:
    """Return the study of this name, made when it is not there; workers share it.

    Each worker proposes with a seed of its own, and a study that goes on with another one than
    when it was begun: else all would propose the same points.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        pruner=optuna.pruners.MedianPruner(_STARTUP_TRIALS, interval_steps=1),
        direction="minimize",
        load_if_exists=True,
    )
    begun = len(study.get_trials(deepcopy=False))
    seeds = np.random.SeedSequence([config.training.seed, worker, begun]).generate_state(1)
    study.sampler = _sampler(config, int(seeds[0]))
    if config.tuning.sampler == "grid":
        # Optuna's own grid sampler cannot be asked for trials by several workers.
        for point in _grid(config):
            study.enqueue_trial(point, skip_if_exists=True)
    return study


def _sampler(config: Config, seed: int) -> optuna.samplers.BaseSampler:
    if config.tuning.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Who runs trials, of several that may share a study.

    Attributes:
        number: Its own.
        folder: Scratch of its trials.
        clock: Returns seconds, from any start.
        notify: Called with lines of progress.
    """

    number: int = 0
    folder: Path
    clock: Clock
    notify: Notify


def run_trials(study: optuna.Study, panel: Panel, config: Config, fit: Fit, worker: Worker) -> int:
    """Run trials until the study has num_trials or this worker's minutes are used.

    A trial trains on what came before the selection range and is scored by WAPE there; one that
    fails, takes longer than trial_minutes or is pruned is told so and the sweep goes on. A trial
    that this worker was at when it died is tried again, twice at most.

    Returns:
        Trials this worker finished.
    """
    tuning, clock, notify = config.tuning, worker.clock, worker.notify
    ends = clock() + tuning.max_minutes * 60
    finished = 0
    _try_again(study, worker.number, notify)
    while clock() < ends and _num_done(study) < tuning.num_trials:
        trial = study.ask()
        trial.set_user_attr(_WORKER, worker.number)
        try:
            score = _score(trial, panel, config, fit, worker)
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            notify(f"trial {trial.number} pruned: behind the median of the others")
            continue
        except _FAILED as err:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            notify(f"trial {trial.number} failed: {err}")
            continue
        study.tell(trial, score)
        finished += 1
        notify(f"trial {trial.number}: {score:.4f} with {_shown(trial.params)}")
    return finished


def best_values(study: optuna.Study) -> dict[str, Any]:
    """Return the best trial's values; nothing when no trial was finished."""
    done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    return min(done, key=lambda t: t.value or np.inf).params if done else {}


def trials_table(study: optuna.Study) -> list[dict[str, Any]]:
    """Return number, state, score and values of every trial, in order."""
    return [
        {"number": t.number, "state": t.state.name, "score": t.value, "values": t.params}
        for t in study.trials
    ]


def _score(trial: optuna.Trial, panel: Panel, config: Config, fit: Fit, worker: Worker) -> float:
    clock, folder = worker.clock, worker.folder / f"trial-{trial.number}"
    chosen = suggest(trial, config)
    training = chosen.training.model_copy(
        update={
            "max_steps": config.tuning.trial_steps,
            "num_members": 1,
            "num_workers": 1,
            "num_processes": 1,
        }
    )
    chosen = chosen.model_copy(update={"training": training})
    ranges = ranges_of(panel.num_periods, config.evaluation)
    ends = clock() + config.tuning.trial_minutes * 60

    def limited() -> float:
        # Steps, not minutes, shape a trial, so that a busy machine finds the same winner; the
        # clock only ends one that hangs on.
        if clock() > ends:
            raise TimeoutError(f"it took more than {config.tuning.trial_minutes:g} minutes")
        return clock()

    def check(step: int, loss: float) -> None:
        trial.report(loss, step)
        if trial.should_prune():
            raise optuna.TrialPruned

    forecaster = fit(
        panel, chosen, ranges.selection_stop, folder, clock=limited,
        check=check if config.tuning.prune else None,
    )  # fmt: skip
    stop = ranges.selection_stop + config.evaluation.selection_periods
    windows = backtest(forecaster, panel, ranges.selection, stop)
    score = point_metrics(windows)["wape"]
    if not np.isfinite(score):
        raise ValueError(f"the score is {score}")
    return score


def _try_again(study: optuna.Study, worker: int, notify: Notify) -> None:
    """Hand trials back that this worker left when it died: nobody else is running them."""
    states = optuna.trial.TrialState
    for left in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        if left.user_attrs.get(_WORKER) != worker:
            continue
        attempt = left.user_attrs.get(_ATTEMPT, 1)
        study.tell(left.number, state=states.FAIL)
        if attempt < _MAX_ATTEMPTS:
            study.enqueue_trial(left.params, user_attrs={_ATTEMPT: attempt + 1})
            notify(f"trial {left.number} was cut off: trying it again")


def _num_done(study: optuna.Study) -> int:
    """Return trials that gave a score or are under way, here or elsewhere."""
    states = optuna.trial.TrialState
    counted = (states.COMPLETE, states.PRUNED, states.RUNNING)
    return len(study.get_trials(deepcopy=False, states=counted))


def _grid(config: Config) -> list[dict[str, Any]]:
    """Return every point of the grid, in order.

    Raises:
        ConfigError: If a field has a range instead of choices.
    """
    space = sorted(config.tuning.space.items())
    for field, choices in space:
        if isinstance(choices, dict):
            raise ConfigError(f"tuning.space.{field}: a grid needs a list of choices.")
    names = [field for field, _ in space]
    return [dict(zip(names, p, strict=True)) for p in itertools.product(*(c for _, c in space))]


def _shown(values: dict[str, Any]) -> str:
    return (
        ", ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in values.items()
        )
        or "the configuration as it is"
    )
