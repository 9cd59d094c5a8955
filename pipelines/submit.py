"""Runs on Kubeflow Pipelines: upload a version, start it or put it on a schedule, report."""

import hashlib
import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from invopt.errors import InvalidInputError
from pipelines.launch import compile_pipeline
from pipelines.parameters import Parameters
from serving.cluster import refusal, unreachable
from serving.kfp_api import explained, find_pipeline

Notify = Callable[[str], None]
_DONE = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_POLL_SECONDS = 10.0
_MAX_JOBS = 200
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Target:
    """Where to.

    Attributes:
        host: URL of the KFP API.
        namespace: Of a multi-user installation, None otherwise.
        token: Bearer token, None where none is asked for.
    """

    host: str
    namespace: str | None
    token: str | None


class Submission:
    """One pipeline with one configuration on its way to KFP.

    Args:
        target: Where to.
        pipeline: Name.
        parameters: Its defaults.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If the image is not one a cluster can pull.
    """

    def __init__(
        self, target: Target, pipeline: str, parameters: Parameters, notify: Notify
    ) -> None:
        self.target, self.pipeline = target, pipeline
        self.parameters, self.notify = parameters, notify
        self.name = f"{parameters.typed.name}-{pipeline}"
        check_image()
        _check_health(target)
        with explained(target.host, "connecting"):
            self.client = _client(target)

    def run(self) -> str:
        """Start one run; returns its id."""
        pipeline_id, version_id = self.upload()
        job = f"{self.name}-{datetime.now():%Y%m%d-%H%M%S}"
        arguments = {"study": job} if self.pipeline == "training" else {}
        with explained(self.target.host, "starting a run"):
            started = self.client.run_pipeline(
                self._experiment(),
                job,
                pipeline_id=pipeline_id,
                version_id=version_id,
                params=arguments,
                service_account=self.parameters.cluster.service_account,
            )
        self.notify(f"run {job}: {self.target.host}/#/runs/details/{started.run_id}")
        return str(started.run_id)

    def schedule(self, cron: str) -> str:
        """Create the recurring run or replace it; returns its id.

        The new one is made before the old one goes, so that no time is missed.
        """
        pipeline_id, version_id = self.upload()
        with explained(self.target.host, "creating a recurring run"):
            experiment = self._experiment()
            old = [
                job.recurring_run_id
                for job in self.client.list_recurring_runs(
                    page_size=_MAX_JOBS, experiment_id=experiment
                ).recurring_runs
                or []
                if job.display_name == self.name
            ]
            made = self.client.create_recurring_run(
                experiment,
                self.name,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                pipeline_id=pipeline_id,
                version_id=version_id,
                service_account=self.parameters.cluster.service_account,
            )
            for number in old:
                self.client.delete_recurring_run(number)
        word = "replaced" if old else "created"
        self.notify(f"recurring run {self.name} {word}: {cron}")
        return str(made.recurring_run_id)

    def upload(self) -> tuple[str, str]:
        """Upload the compiled pipeline unless this version is there; returns both ids."""
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / f"{self.pipeline}.yaml"
            compile_pipeline(self.pipeline, self.parameters, package)
            version = version_name(package.read_text(), self.parameters.code_version)
            with explained(self.target.host, "uploading the pipeline"):
                pipeline = find_pipeline(self.client, self.name, self.target.namespace)
                if pipeline is None:
                    pipeline = self.client.upload_pipeline(
                        str(package), self.name, namespace=self.target.namespace
                    ).pipeline_id
                versions = self.client.list_pipeline_versions(pipeline, page_size=_MAX_JOBS)
                for found in versions.pipeline_versions or []:
                    if found.display_name == version:
                        return pipeline, str(found.pipeline_version_id)
                uploaded = self.client.upload_pipeline_version(
                    str(package), version, pipeline_id=pipeline
                )
        self.notify(f"uploaded {self.name} as version {version}")
        return pipeline, str(uploaded.pipeline_version_id)

    def wait(self, run_id: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait for a run's end.

        Raises:
            InvalidInputError: If it does not succeed; with what its failed steps say.
        """
        state = ""
        while state not in _DONE:
            with explained(self.target.host, "asking for the run"):
                run = self.client.get_run(run_id)
            if run.state != state:
                self.notify(f"run {run_id}: {str(run.state).lower()}")
                state = str(run.state)
            if state not in _DONE:
                sleep(_POLL_SECONDS)
        if state != "SUCCEEDED":
            raise InvalidInputError(
                f"run {run_id} ended as {state.lower()}: {_why(run)} "
                f"See {self.target.host}/#/runs/details/{run_id}."
            )

    def _experiment(self) -> str:
        found = self.client.create_experiment(
            self.parameters.typed.name, namespace=self.target.namespace
        )
        return str(found.experiment_id)


def version_name(compiled: str, code_version: str) -> str:
    """Return a name made of code and content: the same pipeline is uploaded once."""
    # kfp writes the keys of dict parameters in no fixed order.
    content = json.dumps(list(yaml.load_all(compiled, yaml.CSafeLoader)), sort_keys=True)
    return f"{code_version}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def check_image() -> None:
    """Check that steps name an image with a tag of its own.

    Raises:
        InvalidInputError: If not.
    """
    from components.base import IMAGE  # noqa: PLC0415  (imports kfp)

    registry, _, name = IMAGE.rpartition("/")
    if not registry or ":" not in name or name.endswith((":", ":latest")):
        raise InvalidInputError(
            f"steps would run in the image {IMAGE}, which no cluster can pull or which is not "
            "pinned. Set INVOPT_IMAGE to registry/invopt-job:COMMIT (`make image` builds it)."
        )


def _check_health(target: Target) -> None:
    """Ask once whether KFP is there; its own client asks for half a minute.

    Raises:
        InvalidInputError: If it is not, or wants a namespace that was not given.
    """
    url = f"{target.host}/apis/v2beta1/healthz"
    bearer = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    try:
        request = urllib.request.Request(url, headers=bearer)  # noqa: S310
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            multi_user = json.loads(answer.read()).get("multi_user", False)
    except urllib.error.HTTPError as err:
        told = refusal(err.code, err.read().decode(errors="replace"), err.reason)
        raise InvalidInputError(f"connecting to {target.host} failed: {told}") from err
    except (OSError, ValueError) as err:
        raise unreachable(f"connecting to {target.host}", err) from err
    if multi_user and target.namespace is None:
        raise InvalidInputError(
            f"{target.host} serves several users: say whose namespace with --namespace."
        )


def _client(target: Target) -> Any:
    import warnings  # noqa: PLC0415

    from kfp import Client  # noqa: PLC0415  (a second of import)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return Client(
            host=target.host,
            namespace=target.namespace or "kubeflow",
            existing_token=target.token,
        )


def _why(run: Any) -> str:
    details = run.run_details.task_details if run.run_details else None
    failed = [t for t in details or [] if t.state == "FAILED"]
    told = [
        f"{t.display_name}: {t.error.message}" if t.error else f"{t.display_name} failed"
        for t in failed
    ]
    if run.error is not None:
        told.append(str(run.error.message))
    return "; ".join(told)[:800] + "." if told else "KFP gives no reason."
