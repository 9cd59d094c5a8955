"""A training on several machines: one TrainJob, found again after a restart of the step."""

import contextlib
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from invopt.config import Config
from invopt.steps import refit_model, train_model
from serving.cluster import (
    Cluster,
    ClusterError,
    connect,
    explained,
    pod_trouble,
    terminable,
    warnings_of,
)
from serving.machine import available_memory
from serving.settings import ClusterSettings, Settings
from serving.telling import MARK

Notify = Callable[[str], None]
_POLL_SECONDS = 3.0
_LOG_SECONDS = 5.0
# Nodes that are added on demand, with GPUs, may take a quarter of an hour.
_START_SECONDS = 20 * 60
_TIMEOUT_SECONDS = 20


def train(source: str, config: dict[str, Any], code_version: str, out: str, notify: Notify) -> None:
    """Train where the configuration says: here, or on training.num_nodes machines.

    Args:
        source: Folder of the training set.
        config: The whole configuration.
        code_version: Of the library.
        out: Folder of the model.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If the training fails; the job's own reason is in the text.
    """
    place = _place("train", source, config, code_version, notify)
    train_model(source, config, out, time.monotonic, notify, **place)


def refit(
    model: str,
    source: str,
    config: dict[str, Any],
    code_version: str,
    out: str,
    notify: Notify,
) -> None:
    """Train once more on every period where the configuration says so, placed as `train` is.

    Args:
        model: Folder of the judged model.
        source: Folder of the training set.
        config: The whole configuration.
        code_version: Of the library.
        out: Folder of the model to serve.
        notify: Called with lines of progress.
    """
    place = _place("refit", source, config, code_version, notify)
    refit_model(model, source, config, out, time.monotonic, notify, **place)


def _place(
    task: str, source: str, config: dict[str, Any], code_version: str, notify: Notify
) -> dict[str, Any]:
    """Return what invopt.training.fit needs to know of where it trains."""
    run = Config.model_validate(config)
    if run.training.num_nodes == 1:
        return {"memory": available_memory()}
    settings = ClusterSettings.from_environment()
    name = job_name(task, source, config, code_version)
    scratch = Settings.from_environment().workspace / "training" / name
    job = TrainJob(connect(settings), name, settings.runtime, run, notify)
    return {"scratch": scratch, "train_members": job.run}


def job_name(task: str, source: str, config: dict[str, Any], code_version: str) -> str:
    """Return the name of the job that trains this: the same after a restart of the step."""
    content = json.dumps([task, source, config, code_version], sort_keys=True)
    return f"invopt-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


class TrainJob:
    """A training in the cluster.

    Args:
        cluster: Connection.
        name: Of the job.
        runtime: TrainingRuntime it refers to.
        config: Of the run.
        notify: Called with lines of progress.
        sleep: Waits seconds.
        clock: Returns seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        runtime: str,
        config: Config,
        notify: Notify,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster, self.name, self.runtime = cluster, name, runtime
        self.config, self.notify, self.sleep, self.clock = config, notify, sleep, clock
        self.client = _client(cluster)
        self._since, self._runs, self._told = 0.0, False, ""

    def run(self, folder: Path, members: list[Any]) -> None:
        """Train the members of a prepared folder; returns when they are there.

        The job is deleted at the end, however it ends: what it learned lies in the folder, and a
        second attempt goes on from there. A run that is terminated takes its job with it.

        Raises:
            ClusterError: If the job fails; with the reason found in status, pods and events.
        """
        with terminable():
            if self._status() in ("Complete", "Failed"):  # left by an attempt that was cut off
                self._delete()
            if self._status() is None:
                self._submit(folder, members)
            else:
                self.notify(f"TrainJob {self.name} is under way: following it")
            try:
                self._follow()
            finally:
                self._delete()

    def command(self, folder: Path, members: list[Any]) -> list[str]:
        """Return torchrun's arguments; where and how many it is told by the runtime."""
        seconds = members[0].seconds
        return [
            f"--nproc-per-node={self.config.training.num_processes}",
            "-m",
            "serving.train_worker",
            str(folder),
            f"--members={len(members)}",
            *([f"--seconds={seconds:.0f}"] if seconds is not None else []),
        ]

    def _submit(self, folder: Path, members: list[Any]) -> None:
        from kubeflow.trainer import CustomTrainerContainer  # noqa: PLC0415
        from kubeflow.trainer.options import Labels, Name, TrainerArgs  # noqa: PLC0415

        nodes = self.config.training.num_nodes
        with _sdk(f"submitting TrainJob {self.name}"):
            runtime = self.client.get_runtime(self.runtime)
            self.client.train(
                runtime=runtime,
                trainer=CustomTrainerContainer(image=runtime.trainer.image, num_nodes=nodes),
                options=[
                    Name(self.name),
                    Labels({"app.kubernetes.io/part-of": "invopt"}),
                    TrainerArgs(self.command(folder, members)),
                ],
            )
        self.notify(f"TrainJob {self.name} submitted to {nodes} machines")

    def _follow(self) -> None:
        """Wait for the end; meanwhile the first machine's progress is told.

        Raises:
            ClusterError: If the job fails or vanishes.
        """
        ended = threading.Event()
        logs = threading.Thread(target=self._tell_logs, args=(ended,), daemon=True)
        logs.start()
        self._since, self._runs, self._told = self.clock(), False, ""
        try:
            while (status := self._status()) not in ("Complete", "Failed"):
                if status is None:
                    raise ClusterError(
                        f"TrainJob {self.name} is gone: somebody deleted it. Run the step again."
                    )
                self._look_at(self._pods())
                self.sleep(_POLL_SECONDS)
        finally:
            ended.set()
        logs.join(timeout=_LOG_SECONDS)
        if status == "Failed":
            raise ClusterError(f"TrainJob {self.name} failed: {self._why_failed()}. {_ADVICE}")

    def _look_at(self, pods: list[Any]) -> None:
        """Tell, once, why no machine runs yet.

        Raises:
            ClusterError: If waiting cannot help, or has not: a quota, or no node with the room.
        """
        reason, hopeless = pod_trouble(pods)
        if hopeless:
            raise ClusterError(f"TrainJob {self.name} cannot run: {reason}. {_ADVICE}")
        if self._runs or any(pod.get("status", {}).get("phase") == "Running" for pod in pods):
            self._runs = True
            return
        reason = reason or warnings_of(self.cluster.items("events"), self.name)
        if self.clock() - self._since > _START_SECONDS:
            raise ClusterError(
                f"no machine of TrainJob {self.name} runs after {_START_SECONDS // 60} minutes: "
                f"{reason or 'no reason given'}. Ask for less in the TrainingRuntime, or add room."
            )
        if reason not in ("", self._told):
            self.notify(f"TrainJob {self.name} waits: {reason}")
            self._told = reason

    def _tell_logs(self, ended: threading.Event) -> None:
        told = 0
        while True:
            with contextlib.suppress(RuntimeError):  # no pod yet, or the connection broke
                for number, line in enumerate(self.client.get_job_logs(self.name, follow=True)):
                    text = line.strip()
                    if number >= told and text.startswith(MARK):
                        self.notify(text.removeprefix(MARK))
                    told = max(told, number + 1)
            if ended.wait(_LOG_SECONDS):
                return

    def _status(self) -> str | None:
        """Return Complete, Failed or Running, None when there is no such job."""
        return None if (job := self._read()) is None else _ending(job)[0]

    def _why_failed(self) -> str:
        job = self._read()
        message = _ending(job)[1] if job else ""
        reason, _ = pod_trouble(self._pods())
        warning = warnings_of(self.cluster.items("events"), self.name)
        return "; ".join(part for part in (message, reason, warning) if part) or "no reason given"

    def _pods(self) -> list[Any]:
        return self.cluster.items("pods", f"jobset.sigs.k8s.io/jobset-name={self.name}")

    def _read(self) -> dict[str, Any] | None:
        from kubernetes.client import ApiException  # noqa: PLC0415

        with explained(f"reading TrainJob {self.name}"):
            try:
                found: dict[str, Any] = self.cluster.custom().get_namespaced_custom_object(
                    "trainer.kubeflow.org", "v1alpha1", self.cluster.namespace, "trainjobs",
                    self.name, _request_timeout=_TIMEOUT_SECONDS,
                )  # fmt: skip
            except ApiException as err:
                if (
                    err.status == 404
                    and "not found" in str(err.body)
                    and "page" not in str(err.body)
                ):
                    return None
                raise
        return found

    def _delete(self) -> None:
        """Delete the job and wait until it is gone; one that is gone already is fine."""
        if self._status() is None:
            return
        with _sdk(f"deleting TrainJob {self.name}"):
            self.client.delete_job(self.name)
        while self._status() is not None:
            self.sleep(1.0)


_ADVICE = "Mend the cause and run the step again: it goes on from the last checkpoint."


def _ending(job: dict[str, Any]) -> tuple[str, str]:
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return condition["type"], condition.get("message", "")
    return "Running", ""


def _client(cluster: Cluster) -> Any:
    from kubeflow.common.types import KubernetesBackendConfig  # noqa: PLC0415
    from kubeflow.trainer import TrainerClient  # noqa: PLC0415

    # It warns when it may not read the Trainer's version, which lies in another namespace.
    logging.getLogger("kubeflow").setLevel(logging.ERROR)
    backend = KubernetesBackendConfig(
        namespace=cluster.namespace, client_configuration=cluster.api.configuration
    )
    return TrainerClient(backend)


@contextmanager
def _sdk(doing: str) -> Iterator[None]:
    """Give the SDK's errors the reason it hides in their cause."""
    with explained(doing):
        try:
            yield
        except (RuntimeError, TimeoutError) as err:
            if err.__cause__ is not None:
                raise err.__cause__ from err
            raise ClusterError(f"{doing} failed: {err}. {_ADVICE}") from err
