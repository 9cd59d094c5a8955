"""Runs on Kubeflow Pipelines: upload a version, start it or put it on a schedule, report."""

import hashlib
import json
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from invopt.errors import InvalidInputError
from invopt.types import Notify
from pipelines.follow import DONE, Following, Target
from pipelines.launch import compile_pipeline
from pipelines.parameters import Parameters
from serving.cluster.kfp_api import explained, find_pipeline
from serving.cluster.kubernetes import refusal, unreachable

_PAGE = 100
# Argo hands a pod its template in one environment variable of at most so many bytes. That of the
# pod which begins a run holds the inputs twice, as defaults of its root and as its values.
_MAX_TEMPLATE_BYTES = 131_072
_OTHER_TEMPLATE_BYTES = 4_000
_DESCRIPTORS = (
    "@every ",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
)
_TIMEOUT_SECONDS = 20


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
        check_health(target)
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

        The new one is made before the old ones stop, so that no time is missed. An old one whose
        run is under way is only stopped: Kubernetes would end that run with it. It is deleted
        when the schedule is replaced again.

        Raises:
            InvalidInputError: If the schedule is not one of six fields.
        """
        check_cron(cron)
        pipeline_id, version_id = self.upload()
        with explained(self.target.host, "creating a recurring run"):
            experiment = self._experiment()
            old = [
                job
                for job in self._all(self.client.list_recurring_runs, experiment, "recurring_runs")
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
        for job in old:
            if job.status != "DISABLED":
                self._stop(str(job.recurring_run_id))
        word = "replaced" if old else "created"
        self.notify(f"recurring run {self.name} {word}: {cron}")
        self._remove(experiment, {str(job.recurring_run_id) for job in old})
        return str(made.recurring_run_id)

    def _stop(self, number: str) -> None:
        """Stop a recurring run; one whose schedule somebody took from Kubernetes starts nothing."""
        try:
            with explained(self.target.host, f"stopping the recurring run {number}"):
                self.client.disable_recurring_run(number)
        except InvalidInputError as err:
            if "scheduledworkflows" not in str(err) or "not found" not in str(err):
                raise
            self.notify(f"the schedule of recurring run {number} was gone from Kubernetes already")

    def _remove(self, experiment: str, old: set[str]) -> None:
        """Delete those recurring runs that no run is under way of; they are stopped already."""
        if not old:
            return
        with explained(self.target.host, "removing the recurring runs before it"):
            busy = {
                str(run.recurring_run_id): str(run.run_id)
                for run in self._all(self.client.list_runs, experiment, "runs")
                if run.state not in DONE and run.recurring_run_id in old
            }
            for number in sorted(old - set(busy)):
                self.client.delete_recurring_run(number)
        for run in busy.values():
            self.notify(f"run {run} of the schedule before is under way and goes on to its end")

    def _all(self, listing: Callable[..., Any], experiment: str, what: str) -> Iterator[Any]:
        """Yield everything of an experiment, newest first, page by page."""
        token = ""
        while True:
            page = listing(
                page_token=token,
                page_size=_PAGE,
                sort_by="created_at desc",
                experiment_id=experiment,
            )
            yield from getattr(page, what) or ()
            token = page.next_page_token
            if not token:
                return

    def upload(self) -> tuple[str, str]:
        """Upload the compiled pipeline unless this version is there; returns both ids."""
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / f"{self.pipeline}.yaml"
            compile_pipeline(self.pipeline, self.parameters, package)
            check_inputs(package.read_text())
            version = version_name(package.read_text(), self.parameters.code_version)
            with explained(self.target.host, "uploading the pipeline"):
                pipeline = find_pipeline(self.client, self.name, self.target.namespace)
                if pipeline is None:
                    pipeline = self.client.upload_pipeline(
                        str(package), self.name, namespace=self.target.namespace
                    ).pipeline_id
                versions = self.client.list_pipeline_versions(pipeline, page_size=_PAGE)
                for found in versions.pipeline_versions or []:
                    if found.display_name == version:
                        return pipeline, str(found.pipeline_version_id)
                uploaded = self.client.upload_pipeline_version(
                    str(package), version, pipeline_id=pipeline
                )
        self.notify(f"uploaded {self.name} as version {version}")
        return pipeline, str(uploaded.pipeline_version_id)

    def wait(self, run_id: str) -> None:
        """Wait for a run's end.

        Raises:
            InvalidInputError: If it does not succeed; with what its failed steps say.
        """
        Following(self.target, run_id, self.notify).to_the_end()

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


def check_cron(cron: str) -> None:
    """Check that a schedule says what KFP will read in it.

    Raises:
        InvalidInputError: If it has not six fields, or would start a run every second.
    """
    text = cron.strip()
    if text.startswith(_DESCRIPTORS):
        return
    fields = text.split()
    example = '"0 0 4 * * 1" is every Monday at 4:00'
    if len(fields) == 5:
        raise InvalidInputError(
            f'--cron "{text}" has five fields; KFP counts six, seconds first, and would read its '
            f'minutes as seconds. You may mean --cron "0 {text}".'
        )
    if len(fields) != 6:
        raise InvalidInputError(
            f'--cron "{text}" has {len(fields)} field{"" if len(fields) == 1 else "s"}, not six: '
            f"second, minute, hour, day of the month, month, day of the week; {example}."
        )
    if not re.fullmatch(r"[0-5]?\d", fields[0]):
        raise InvalidInputError(
            f'--cron "{text}" starts at the seconds {fields[0]}: a run starts at one second, so '
            f"the first field must be a number from 0 to 59; {example}."
        )


def check_inputs(compiled: str) -> None:
    """Check that a pipeline's inputs fit into what Argo hands to the pod that begins a run.

    Raises:
        InvalidInputError: If not; it names the largest.
    """
    root = next(iter(yaml.load_all(compiled, yaml.CSafeLoader)))["root"]
    given = root.get("inputDefinitions", {}).get("parameters", {})
    values = {name: content.get("defaultValue") for name, content in given.items()}
    total = _OTHER_TEMPLATE_BYTES + _handed_over(root) + _handed_over(values)
    if total > _MAX_TEMPLATE_BYTES:
        sizes = {name: 2 * _handed_over(value) for name, value in values.items()}
        largest = max(sizes, key=sizes.__getitem__)
        raise InvalidInputError(
            f"the inputs of this run take {total:,} bytes of what Argo hands to its first pod, "
            f"and at most {_MAX_TEMPLATE_BYTES:,} fit. The largest is {largest} with "
            f"{sizes[largest]:,}: make it shorter, or keep what it lists in a file of the data."
        )


def _handed_over(content: Any) -> int:
    """Return the bytes of an argument in Argo's template: JSON within JSON, as Go writes it."""
    text = json.dumps(json.dumps(content, ensure_ascii=False), ensure_ascii=False)
    return len(text.encode()) + 5 * sum(map(text.count, "<>&"))


def check_all(*checks: Callable[[], object]) -> None:
    """Make every check, so that all that is wrong is told at once.

    Raises:
        InvalidInputError: If any of them fails; the sentences of all that did.
    """
    faults = []
    for check in checks:
        try:
            check()
        except InvalidInputError as err:
            faults.append(str(err))
    if faults:
        raise InvalidInputError("\n".join(faults))


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


def check_health(target: Target) -> None:
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
