"""What a training run leaves in MLflow, promoted or kept; with the registry all that knows it."""

import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invopt.config import Config
from invopt.fallback import decided
from invopt.files import read_json
from invopt.types import Notify
from serving.stores.registry import Registry

# Of MLflow's databases and servers: entities of one call, and letters of a value.
_BATCH, _LETTERS = 100, 500
Metric = tuple[str, float, int]  # name, value, step


@dataclass(frozen=True)
class TrainingRun:
    """What a training run is called.

    Attributes:
        model: Registered model, also the experiment.
        name: Of the run.
        job: Id of the pipeline's run.
        tags: Data, code, what it was started for.
    """

    model: str
    name: str
    job: str
    tags: Mapping[str, str]


def keep_training(
    registry: Registry,
    run: TrainingRun,
    files: Mapping[str, str],
    config: Config,
    notify: Notify,
) -> str:
    """Write a training run, its trials and its evidence; returns MLflow's id of the run.

    What is there already of the same run is written over: a step may run twice.

    Args:
        registry: Of the deployment.
        run: What it is called.
        files: Paths of model, sweep, assessment, verdict and report.
        config: The configuration the model was trained with.
        notify: Called with a line of progress.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    client = registry.client
    experiment, parent = registry.run_for(run.model, run.name, run.job)
    verdict = read_json(files["verdict"])
    assessment = decided(read_json(Path(files["assessment"]) / "metrics.json"), verdict)
    training = read_json(Path(files["model"]) / "training.json")
    reason = "; ".join(verdict["reasons"])
    told = {"verdict": verdict["decision"], "reason": reason, "incumbent": verdict["incumbent"]}
    told |= {"mlflow.note.content": f"**{verdict['decision']}**: {reason}"}
    metrics = [*_money(verdict, assessment), *_accuracy(assessment), *_losses(training["history"])]
    _log(client, parent, metrics, _flat(config.as_parameter()), {**run.tags, **told})
    try:
        _evidence(client, parent, files)
    except (OSError, MlflowException) as err:  # the run has its own copies
        notify(f"MLflow took no files of run {run.name}: {err}")
    _trials(client, experiment, parent, read_json(files["sweep"])["trials"])
    client.update_run(parent, name=run.name)  # a step before may have known its id only
    client.set_terminated(parent, "FINISHED")
    notify(f"MLflow: run {run.name} of experiment {run.model}")
    return parent


def _money(verdict: dict[str, Any], assessment: dict[str, Any]) -> Iterator[Metric]:
    """Yield what decisions cost beside the incumbent's, with the interval, by segment too."""
    cost = verdict["cost"]
    for key in ("challenger", "incumbent"):
        yield f"cost_{key}", cost[key], 0
    for key in ("change", "low", "high"):
        yield f"cost_change{'' if key == 'change' else '_' + key}", cost[key], 0
    for segment, part in cost["segments"].items():
        yield f"cost_change/{segment}", part["change"], 0
    for key, value in _own(assessment)["money"].items():
        yield key, value, 0


def _accuracy(assessment: dict[str, Any]) -> Iterator[Metric]:
    """Yield the challenger's metrics; those of folds have the fold's number as their step."""
    own = _own(assessment)
    for key, value in own["points"].items():
        yield key, value, 0
    for percent, share in own["coverage"].items():
        yield f"coverage_{percent}", share, 0
    for step, fold in enumerate(own["folds"].values()):
        for key, value in _flat(fold).items():
            if isinstance(value, int | float):
                yield f"fold/{key}", value, step


def _own(assessment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = assessment["judged"]["challenger"]
    return found


def _losses(history: list[list[list[Any]]]) -> Iterator[Metric]:
    """Yield the loss curve of every member and phase."""
    for member, steps in enumerate(history):
        for phase, step, loss in steps:
            yield f"loss/{phase}" + (f"_{member}" if len(history) > 1 else ""), loss, int(step)


def _trials(client: Any, experiment: str, parent: str, trials: list[dict[str, Any]]) -> None:
    """Write the trials as runs below their training."""
    known = {
        run.data.tags.get("trial"): run.info.run_id
        for run in client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
    }
    for trial in trials:
        number = str(trial["number"])
        if number in known:
            continue
        tags = {"mlflow.parentRunId": parent, "trial": number, "state": trial["state"]}
        run = client.create_run(experiment, run_name=f"trial-{number}", tags=tags).info.run_id
        score = trial.get("score")
        metrics = [] if score is None else [("score", score, 0)]
        _log(client, run, metrics, trial["values"], {})
        client.set_terminated(run, "FINISHED" if trial["state"] != "FAIL" else "FAILED")


def _evidence(client: Any, run: str, files: Mapping[str, str]) -> None:
    """Copy report, verdict and numbers to the run, under names that tell what they are."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "report").mkdir()
        shutil.copyfile(files["report"], folder / "report" / "index.html")
        shutil.copyfile(files["verdict"], folder / "verdict.json")
        shutil.copyfile(Path(files["assessment"]) / "metrics.json", folder / "metrics.json")
        client.log_artifacts(run, place)


def _log(
    client: Any,
    run: str,
    metrics: list[Metric],
    params: Mapping[str, Any],
    tags: Mapping[str, str],
) -> None:
    from mlflow.entities import Metric as Point  # noqa: PLC0415
    from mlflow.entities import Param, RunTag  # noqa: PLC0415

    now = int(time.time() * 1000)
    points = [
        Point(_key(name), float(value), now, step)
        for name, value, step in metrics
        if value is not None and math.isfinite(value)
    ]
    values = [Param(_key(name), str(value)[:_LETTERS]) for name, value in params.items()]
    labels = [RunTag(name, value[: 10 * _LETTERS]) for name, value in tags.items() if value]
    for at in range(0, max(len(points), len(values), len(labels)), _BATCH):
        part = slice(at, at + _BATCH)
        client.log_batch(run, points[part], values[part], labels[part])


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested values under names joined by dots."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        place = f"{above}{name}"
        found |= _flat(value, f"{place}.") if isinstance(value, Mapping) else {place: value}
    return found


def _key(name: str) -> str:
    """Return a name that MLflow takes: letters, digits, and few signs."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)[:250]
