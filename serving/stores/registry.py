"""The model registry; with serving.stores.tracking the only place that knows MLflow."""

import functools
import json
import logging
import platform
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from invopt.errors import InvalidInputError
from invopt.gate import check_verdict_holds
from invopt.model_files import verify, write_sums
from invopt.types import Notify
from serving.settings import Settings
from serving.stores.databases import file_of, locked, make_database, relocate
from serving.stores.deployment_record import DEPLOYMENT
from serving.stores.model_store import ModelStore

CHAMPION = "champion"
# Tag of a version that was not promoted, and its value where the gate kept it out.
STANDING, REJECTED = "standing", "rejected"
# Tag of a version: the champion it took over from. Written before the alias moves, so that there is
# one fact that changes, and a process that is killed leaves either champion with its own way back.
_AFTER = "after"
_PREVIOUS = "previous"  # alias that versions of invopt before this tag wrote
_SHA256 = "sha256"
_LOGGERS = ("mlflow", "alembic")
# Columns in which MLflow keeps whole paths, and the folder of the workspace that they lead into.
_PLACES = (
    ("experiments", "artifact_location", "mlartifacts"),
    ("runs", "artifact_uri", "mlartifacts"),
    ("model_versions", "source", "models"),
    ("model_versions", "storage_location", "models"),
)
_JOB = "invopt.run"
_LOADER = "serving.mlflow_model"
_POSITION = ("on_hand", "on_order", "backorders")
_ASSUMED = ("lead_time", "review_period", "cycle_service_level", "price")
_NUMBERS = ("order_quantity", "order_up_to_level", "safety_stock", "expected_demand",
            "expected_holding_cost", "expected_stockout_cost")  # fmt: skip


@dataclass(frozen=True)
class Registered:
    """A version of a model.

    Attributes:
        name: Of the model.
        version: Its number.
        snapshot: Name of the data it was trained on, "" where it was not told.
        since: When it was registered, UTC.
        source: Where its folder lies, URL or path.
        sha256: Of its files' hashes, "" where it was registered without.
    """

    name: str
    version: str
    snapshot: str
    since: datetime
    source: str
    sha256: str

    @property
    def label(self) -> str:
        """Name and version as rows and answers tell them, "demo-3"."""
        return f"{self.name}-{self.version}"


def number_of(label: str) -> str:
    """Return the version of a label, "3" of "demo-3"; plans of 0.2 and before hold the number."""
    return label.rpartition("-")[2]


class Registry:
    """The registered models of a deployment.

    Args:
        settings: Of the deployment: MLflow's address, and where models are kept.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._store = ModelStore(settings.model_store, settings.workspace)

    @functools.cached_property
    def client(self) -> Any:
        """MLflow's client."""
        from mlflow import MlflowClient  # noqa: PLC0415  (three seconds of import)

        for logger in _LOGGERS:
            logging.getLogger(logger).setLevel(logging.WARNING)
        uri = self.settings.tracking_uri
        self.settings.workspace.mkdir(parents=True, exist_ok=True)
        make_database(uri, lambda uri: MlflowClient(uri, uri).search_experiments())
        relocate(uri, self.settings.workspace, _PLACES)
        return MlflowClient(uri, uri)

    def register(
        self,
        name: str,
        model: str,
        evidence: Iterable[str],
        tags: Mapping[str, str],
        notify: Notify,
        *,
        run: str = "",
        candidate: str = "challenger",
    ) -> str:
        """Copy a model and its evidence into the registry's store and return the new version.

        What was registered before with the same files is found again: a step that runs twice, or
        once more after it was cut off, leaves one version.

        Args:
            name: Of the registered model.
            model: Model folder.
            evidence: Files and folders kept beside it.
            tags: Of the version: the data it was trained on, and what it was trained for.
            notify: Called with a line of progress.
            run: Name of the training run; its id by default.
            candidate: Which of the assessment's candidates the model is.
        """
        client = self.client
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        partial = self._copied(name, model)
        sha256 = write_sums(partial / "model")
        for item in map(Path, evidence):
            copy = shutil.copytree if item.is_dir() else shutil.copy2
            (partial / "evidence").mkdir(exist_ok=True)
            copy(item, partial / "evidence" / item.name)
        metrics = _metrics(partial, candidate)
        place = self._store.put(partial, name)
        if found := [v for v in _versions(client, name) if v.source == f"{place}/model"]:
            notify(f"{name} version {found[0].version} holds this model already")
            return str(found[0].version)
        job, called = tags.get("run", ""), run or tags.get("run", "")
        if candidate != "challenger":  # another model than the run's own has a record of its own
            job, called = f"{job} {candidate}", f"{called} {candidate}"
        _, own = self.run_for(name, called, job)
        for key, value in metrics.items():
            client.log_metric(own, key, value)
        version = client.create_model_version(
            name,
            source=f"{place}/model",
            run_id=own,
            tags={name: value for name, value in tags.items() if value} | {_SHA256: sha256},
        )
        client.set_terminated(own)
        notify(f"registered {name} version {version.version}")
        return str(version.version)

    def _copied(self, name: str, model: str) -> Path:
        """Copy a model into a new folder beside its versions, and say there what it is."""
        folder = self.settings.workspace / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
        partial.chmod(0o755)  # mkdtemp's own is for one user only, and servers read as another
        shutil.copytree(model, partial / "model")
        _describe(partial / "model")
        return partial

    def run_for(self, name: str, run: str, job: str) -> tuple[str, str]:
        """Return MLflow's ids of an experiment and of a training run, made where there are none.

        Args:
            name: Of the experiment: the registered model's.
            run: Name of the run.
            job: Id of the pipeline's run, by which it is found again.
        """
        experiment = self._experiment(name)
        if job:
            wanted = f"tags.`{_JOB}` = '{job}'"
            if found := self.client.search_runs([experiment], wanted, max_results=1):
                return experiment, str(found[0].info.run_id)
        tags = {_JOB: job} if job else None
        made = self.client.create_run(experiment, run_name=run or None, tags=tags)
        return experiment, str(made.info.run_id)

    def _experiment(self, name: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # Without a place of its own a file's experiment would lie wherever this process started.
        place = self.settings.workspace / "mlartifacts" / name
        is_file = self.settings.tracking_uri.startswith("sqlite:")
        made = self.client.create_experiment(
            name, artifact_location=str(place) if is_file else None
        )
        self.client.set_experiment_tag(made, "mlflow.experimentKind", "custom_model_development")
        return str(made)

    def make_champion(self, name: str, version: str) -> None:
        """Point the champion alias at a version, which knows the one before from then on."""
        client = self.client
        current = self.champion_version(name)
        if current and current != version:
            client.set_model_version_tag(name, version, _AFTER, current)
        client.set_registered_model_alias(name, CHAMPION, version)

    def promote(self, name: str, version: str, judged: str | None) -> None:
        """Make a version champion, where the champion is still the one it was judged beside.

        Of two promotions at once in a workspace the second one finds what the first one made.

        Args:
            name: Of the registered model.
            version: Of it.
            judged: As in check_judged.

        Raises:
            OvertakenError: If the champion is another one by now; it stays.
        """
        with locked(self.settings.workspace / "models" / name / CHAMPION):
            self.check_judged(name, version, judged)
            self.make_champion(name, version)

    def check_judged(self, name: str, version: str, judged: str | None) -> None:
        """Refuse a version whose verdict was on another champion than today's.

        Args:
            name: Of the registered model.
            version: Of it; where it is the champion already, nothing is wrong.
            judged: Champion's version that it was judged beside, "" where there was none, None
                where its verdict does not tell.

        Raises:
            OvertakenError: If the champion is another one by now.
        """
        check_verdict_holds(name, version, judged, self.champion_version(name))

    def champion_version(self, name: str) -> str:
        """Return the champion's version, "" when there is none."""
        found = self._aliased(name, CHAMPION)
        return str(found.version) if found is not None else ""

    def previous_version(self, name: str) -> str:
        """Return the version that was champion before, "" when there was none."""
        found = self._aliased(name, CHAMPION)
        if found is None or _AFTER in found.tags:
            return "" if found is None else str(found.tags[_AFTER])
        kept = self._aliased(name, _PREVIOUS)
        return str(kept.version) if kept is not None and kept.version != found.version else ""

    def champion_path(self, name: str) -> Path | None:
        """Return the champion's model folder, verified; None when there is no champion."""
        found = self._aliased(name, CHAMPION)
        return None if found is None else self.files(_registered(found))

    def champion_of(self, name: str) -> Registered:
        """Return what is registered of the champion; all of it was read at one moment.

        Raises:
            InvalidInputError: If there is none.
        """
        found = self._aliased(name, CHAMPION)
        if found is None:
            raise InvalidInputError(
                f"there is no champion named {name} in {self.settings.tracking_uri}: "
                "run the training pipeline first, with the same workspace and configuration."
            )
        return _registered(found)

    def files(self, version: Registered) -> Path:
        """Return the model folder of a version, fetched if need be, with what was registered in it.

        Raises:
            InvalidInputError: If it cannot be had, or a file differs from what was registered.
        """
        path = self.folder(version)
        verify(path, version.sha256)
        return path

    def folder(self, version: Registered) -> Path:
        """Return the model folder of a version, fetched if need be, for one who verifies it."""
        return self._store.local(version.source)

    def champion_run(self, name: str) -> str:
        """Return the id of the pipeline run that made the champion, "" where it was not told."""
        found = self._aliased(name, CHAMPION)
        return "" if found is None else str(found.tags.get("run", ""))

    def has_version_for(self, name: str, retraining: str) -> bool:
        """Return whether a retraining, named by its key, ended in a version not rejected."""
        return any(
            v.tags.get("retraining") == retraining and v.tags.get(STANDING) != REJECTED
            for v in _versions(self.client, name)
        )

    def is_rejected(self, name: str, version: str) -> bool:
        """Return whether the gate kept a version out.

        Raises:
            InvalidInputError: If there is no such version.
        """
        return bool(self._version(name, version).tags.get(STANDING) == REJECTED)

    def registered_versions(self) -> list[tuple[str, str]]:
        """Return name and version of everything registered, newest first."""
        found = self.client.search_model_versions()
        newest = sorted(found, key=lambda version: -version.creation_timestamp)
        return [(str(version.name), str(version.version)) for version in newest]

    def version_of(self, name: str, version: str) -> Registered:
        """Return what is registered of one version.

        Raises:
            InvalidInputError: If there is no such version.
        """
        return _registered(self._version(name, version))

    def _version(self, name: str, version: str) -> Any:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            return self.client.get_model_version(name, version)
        except MlflowException as err:
            raise InvalidInputError(
                f"no version {version} of {name} in {self.settings.tracking_uri}: {err.message}"
            ) from err

    def version_path(self, name: str, version: str) -> Path:
        """Return the model folder of one version, verified.

        Raises:
            InvalidInputError: If there is no such version, or a file differs from what was
                registered.
        """
        return self.files(self.version_of(name, version))

    def model_source(self, name: str, version: str) -> str:
        """Return where the model folder of one version lies, URL or path."""
        return str(self.client.get_model_version(name, version).source)

    def snapshot_of(self, name: str, version: str) -> str:
        """Return the name of the data one version was trained on, "" where it was not told."""
        return str(self.client.get_model_version(name, version).tags.get("snapshot", ""))

    def evidence_path(self, name: str, version: str) -> Path:
        """Return the folder of evidence of one version."""
        return self._store.local(f"{self._place_of(name, version)}/evidence")

    def keep_evidence(self, name: str, version: str, file: Path) -> None:
        """Keep a file of evidence beside a version."""
        self._store.add(file, self._place_of(name, version), f"evidence/{DEPLOYMENT}")

    def only_model(self) -> str:
        """Return the name of the one registered model.

        Raises:
            InvalidInputError: If there is none, or more than one.
        """
        file = file_of(self.settings.tracking_uri)
        # Asking MLflow would make the database, and leave it in a folder that holds no workspace.
        asked = file is None or file.exists()
        names = sorted(m.name for m in self.client.search_registered_models()) if asked else []
        if not names:
            raise InvalidInputError(
                f"no model is registered in {self.settings.workspace}: run `invopt run training "
                f"--config FILE --data DIR --workspace {self.settings.workspace}` first."
            )
        if len(names) > 1:
            raise InvalidInputError(
                f"name the model with --name; registered models: {', '.join(names)}."
            )
        return str(names[0])

    def _place_of(self, name: str, version: str) -> str:
        return self.model_source(name, version).removesuffix("/model")

    def _aliased(self, name: str, alias: str) -> Any:
        client = self.client
        models = client.search_registered_models(f"name = '{name}'")
        if not models or alias not in models[0].aliases:
            return None
        return client.get_model_version_by_alias(name, alias)


def _registered(found: Any) -> Registered:
    return Registered(
        str(found.name),
        str(found.version),
        str(found.tags.get("snapshot", "")),
        since=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        source=str(found.source),
        sha256=str(found.tags.get(_SHA256, "")),
    )


def _versions(client: Any, name: str) -> list[Any]:
    return list(client.search_model_versions(f"name = '{name}'"))


def _describe(folder: Path) -> None:
    """Write what MLflow's pyfunc needs to load a model folder, the same for the same model."""
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, DataType, Schema  # noqa: PLC0415
    from mlflow.types.schema import Array  # noqa: PLC0415

    number, text = DataType.double, DataType.string
    inputs = [ColSpec(text, "unique_id")]
    inputs += [ColSpec(number, column, required=False) for column in (*_POSITION, *_ASSUMED)]
    outputs = [ColSpec(text, column) for column in ("unique_id", "reason", "model_version")]
    outputs += [ColSpec(number, column, required=False) for column in _NUMBERS]
    outputs += [ColSpec(Array(text), "dates"), ColSpec(Array(number), "mean")]
    model = Model(
        signature=ModelSignature(Schema(inputs), Schema(outputs)),
        flavors={"python_function": {"loader_module": _LOADER, "data": ".",
                                     "python_version": platform.python_version()}},
    )  # fmt: skip
    found = model.to_dict()
    for changing in ("model_uuid", "utc_time_created", "mlflow_version", "run_id"):
        found.pop(changing, None)
    (folder / "MLmodel").write_text(yaml.safe_dump(found))


def _metrics(place: Path, candidate: str) -> dict[str, float]:
    evidence = place / "evidence"
    file, verdict = evidence / "assessment" / "metrics.json", evidence / "verdict"
    if not file.is_file():
        return {}
    found = json.loads(file.read_text())
    if verdict.is_file():
        from invopt.fallback import decided  # noqa: PLC0415  (servers need none of it)

        found = decided(found, json.loads(verdict.read_text()))
    points = found["judged"][candidate]["points"]
    return {k: v for k, v in points.items() if v is not None}
