"""A training on several machines: one TrainJob, found again after a restart of the step."""

import contextlib
import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invopt.config import Config
from invopt.steps.train import Placement, refit_model, train_model
from invopt.training import Member
from invopt.types import Notify
from serving.cluster.kubernetes import (
    Cluster,
    ClusterError,
    connect,
    explained,
    pod_trouble,
    terminable,
    warnings_of,
)
from serving.machine import available_memory
from serving.progress import MARK
from serving.settings import ClusterSettings

_POLL_SECONDS = 3.0
_LOG_SECONDS = 5.0
# Nodes that are added on demand, with GPUs, may take a quarter of an hour.
_START_SECONDS = 20 * 60
_TIMEOUT_SECONDS = 20
_NUMBER = "batch.kubernetes.io/job-completion-index"
_LOG = "machine-0.log"


@dataclass(frozen=True)
class Machines:
    """Where a training of several machines runs.

    Attributes:
        settings: Of the cluster.
        scratch: Folder that all its machines share.
        code_version: Of the library on them: a job of another one is another job.
    """

    settings: ClusterSettings
    scratch: Path
    code_version: str


def train(
    machines: Machines,
    source: str,
    config: Config,
    out: str,
    notify: Notify,
) -> None:
    """Train where the configuration says: here, or on training.num_nodes machines.

    Args:
        machines: Those of the cluster.
        source: Folder of the training set.
        config: The whole configuration.
        out: Folder of the model.
        notify: Called with lines of progress.

    Raises:
        InvalidInputError: If the training fails; the job's own reason is in the text.
    """
    place = _place(machines, "train", source, config, notify)
    train_model(source, config, out, place, notify)


def refit(
    machines: Machines,
    model: str,
    source: str,
    config: Config,
    out: str,
    notify: Notify,
) -> None:
    """Train once more on every period where the configuration says so, placed as `train` is.

    Args:
        machines: Those of the cluster.
        model: Folder of the judged model.
        source: Folder of the training set.
        config: The whole configuration.
        out: Folder of the model to serve.
        notify: Called with lines of progress.
    """
    place = _place(machines, "refit", source, config, notify)
    refit_model(model, source, config, out, place=place, notify=notify)


def _place(machines: Machines, task: str, source: str, config: Config, notify: Notify) -> Placement:
    """Return where a training takes place: here, or in a job of several machines."""
    if config.training.num_nodes == 1:
        return Placement(clock=time.monotonic, memory=available_memory())
    name = job_name(task, source, config, machines.code_version)
    cluster = connect(machines.settings)
    job = TrainJob(cluster, name, machines.settings.runtime, config, notify)
    return Placement(clock=time.monotonic, scratch=machines.scratch / name, train_members=job.run)


def job_name(task: str, source: str, config: Config, code_version: str) -> str:
    """Return the name of the job that trains this: the same after a restart of the step."""
    content = json.dumps([task, source, config.as_parameter(), code_version], sort_keys=True)
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
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        runtime: str,
        config: Config,
        notify: Notify,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cluster, self.name, self.runtime = cluster, name, runtime
        self.config, self.notify, self.sleep = config, notify, sleep
        self.clock: Callable[[], float] = time.monotonic
        self.client = _client(cluster)
        # Since when machines are missing, what was told of it, the pods at the last look, and when
        # the job was made.
        self._since: float | None = None
        self._told, self._machines, self._made = "", dict[str, Any](), ""

    def run(self, folder: Path, members: list[Member]) -> None:
        """Train the members of a prepared folder; returns when they are there.

        The job is deleted at the end, however it ends: what it learned lies in the folder, and a
        second attempt goes on from there. A run that is terminated takes its job with it.

        Raises:
            ClusterError: If the job fails; with the reason found in status, pods and events.
        """
        with terminable():
            status = self._status()
            if status in ("Complete", "Failed", "Leaving"):  # of an attempt that was cut off
                self._delete()
                self._wait_until_gone()
                status = None
            if status is None:
                self._submit(folder, members)
            else:
                self.notify(f"TrainJob {self.name} is under way: following it")
            try:
                self._follow(folder)
            except BaseException:
                # The one call that changes something, first: a terminated step has a second left.
                with contextlib.suppress(ClusterError):
                    self._delete()
                raise
            self._delete()
            self._wait_until_gone()

    def command(self, folder: Path, members: list[Member]) -> list[str]:
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

    def _submit(self, folder: Path, members: list[Member]) -> None:
        from kubeflow.trainer import CustomTrainerContainer  # noqa: PLC0415
        from kubeflow.trainer.options import Labels, Name, TrainerArgs  # noqa: PLC0415

        nodes = self.config.training.num_nodes
        self._check_runtime()
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

    def _check_runtime(self) -> None:
        """Check that the namespace has the runtime.

        Raises:
            ClusterError: If it has none. The SDK would look for one of the cluster then, which the
                step's account may not read, and tell that.
        """
        space = self.cluster.namespace
        kind = ("trainer.kubeflow.org", "v1alpha1", space, "trainingruntimes")
        with explained(f"reading TrainingRuntime {self.runtime}"):
            self.cluster.custom().get_namespaced_custom_object(
                *kind, self.runtime, _request_timeout=_TIMEOUT_SECONDS
            )

    def _follow(self, folder: Path) -> None:
        """Wait for the end; meanwhile the first machine's progress is told.

        Raises:
            ClusterError: If the job fails or vanishes.
        """
        ended = threading.Event()
        logs = threading.Thread(target=self._tell_logs, args=(ended, folder), daemon=True)
        logs.start()
        self._since, self._told, self._machines = None, "", {}
        try:
            while (status := self._status()) not in ("Complete", "Failed"):
                if status in (None, "Leaving"):
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
        """Tell, once, which machines do not run and why, and which were started again.

        Raises:
            ClusterError: If waiting cannot help, or has not: a quota, or no node with the room.
        """
        newest = _newest(pods)
        self._tell_restarts(newest)
        reason, hopeless = pod_trouble(list(newest.values()))
        if hopeless:
            raise ClusterError(f"TrainJob {self.name} cannot run: {reason}. {_ADVICE}")
        wanted = self.config.training.num_nodes
        missing = wanted - sum(_is_at_work(pod) for pod in newest.values())
        if missing <= 0:
            if self._told:
                self.notify(f"TrainJob {self.name} runs on {wanted} machines")
            self._since, self._told = None, ""
            return
        if self._since is None:
            self._since = self.clock()
        reason = reason or self._warning()
        if self.clock() - self._since > _START_SECONDS:
            raise ClusterError(
                f"{missing} of {wanted} machines of TrainJob {self.name} do not run after "
                f"{_START_SECONDS // 60} minutes: {reason or 'no reason given'}. "
                "Ask for less in the TrainingRuntime, or add room."
            )
        if reason not in ("", self._told):
            self.notify(f"TrainJob {self.name} waits for {missing} of {wanted} machines: {reason}")
            self._told = reason

    def _tell_restarts(self, newest: dict[str, Any]) -> None:
        """Tell which machines' pods are others than they were, and what became of those."""
        again = {
            number: pod
            for number, pod in self._machines.items()
            if number in newest and _identity(newest[number]) != _identity(pod)
        }
        if again:
            reason, _ = pod_trouble([*again.values(), *(newest[number] for number in again)])
            why = f": {reason}" if reason else ""
            self.notify(
                f"TrainJob {self.name}: started again on machine {', '.join(sorted(again))}, it "
                f"goes on from the last checkpoint{why}"
            )
        self._machines.update(newest)

    def _tell_logs(self, ended: threading.Event, folder: Path) -> None:
        """Tell the first machine's progress, and keep all it says beside what it learns.

        Pods of a TrainJob are archived nowhere, and the job is deleted. A pod that is started
        again has a log of its own.
        """
        told, source = 0, ""
        while True:
            with contextlib.suppress(RuntimeError, ClusterError):  # no pod yet, or no connection
                first = _newest(self._pods()).get("0")
                if first is not None and _identity(first) != source:
                    told, source = 0, _identity(first)
                for number, line in enumerate(self.client.get_job_logs(self.name, follow=True)):
                    if number < told:
                        continue
                    told = number + 1
                    _keep(folder, line)
                    if line.strip().startswith(MARK):
                        self.notify(line.strip().removeprefix(MARK))
            if ended.wait(_LOG_SECONDS):
                return

    def _status(self) -> str | None:
        """Return Complete, Failed, Leaving or Running, None when there is no such job."""
        job = self._read()
        if job is None:
            return None
        self._made = str(job["metadata"].get("creationTimestamp") or "")
        ending = _ending(job)[0]
        leaves = "deletionTimestamp" in job["metadata"] and ending == "Running"
        return "Leaving" if leaves else ending

    def _why_failed(self) -> str:
        job = self._read()
        message = _ending(job)[1] if job else ""
        reason, _ = pod_trouble(self._pods())
        parts = (message, reason, self._warning())
        return "; ".join(part for part in parts if part) or "no reason given"

    def _warning(self) -> str:
        """Return the last warning about this job and what it made; not of one of the same name."""

        def is_own(name: str) -> bool:
            return name == self.name or name.startswith(f"{self.name}-")

        return warnings_of(self.cluster.items("events"), lambda e: is_own(e["name"]), self._made)

    def _pods(self) -> list[Any]:
        return self.cluster.items("pods", f"jobset.sigs.k8s.io/jobset-name={self.name}")

    def _read(self) -> dict[str, Any] | None:
        from kubernetes.client import ApiException  # noqa: PLC0415

        with explained(f"reading TrainJob {self.name}"):
            try:
                found: dict[str, Any] = self.cluster.custom().get_namespaced_custom_object(
                    *self._place(), _request_timeout=_TIMEOUT_SECONDS
                )
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
        """Delete the job, in one call; one that is gone already is fine."""
        from kubernetes.client import ApiException  # noqa: PLC0415

        with explained(f"deleting TrainJob {self.name}"):
            try:
                self.cluster.custom().delete_namespaced_custom_object(
                    *self._place(), _request_timeout=_TIMEOUT_SECONDS
                )
            except ApiException as err:
                if err.status != 404:
                    raise

    def _wait_until_gone(self) -> None:
        while self._status() is not None:
            self.sleep(1.0)

    def _place(self) -> tuple[str, str, str, str, str]:
        space = self.cluster.namespace
        return "trainer.kubeflow.org", "v1alpha1", space, "trainjobs", self.name


_ADVICE = "Remove the cause and run the step again: it goes on from the last checkpoint."


def _ending(job: dict[str, Any]) -> tuple[str, str]:
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return condition["type"], condition.get("message", "")
    return "Running", ""


def _newest(pods: list[Any]) -> dict[str, Any]:
    """Return the youngest pod of each machine, by the machine's number."""
    ordered = sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    return {
        pod["metadata"].get("labels", {}).get(_NUMBER, pod["metadata"]["name"]): pod
        for pod in ordered
        if "deletionTimestamp" not in pod["metadata"]
    }


def _identity(pod: Any) -> str:
    """Return what changes when a machine's work begins anew: its pod, or a container of it."""
    restarts = sum(
        container.get("restartCount", 0)
        for container in pod.get("status", {}).get("containerStatuses", [])
    )
    return f"{pod['metadata'].get('uid') or pod['metadata']['name']} {restarts}"


def _is_at_work(pod: Any) -> bool:
    return pod.get("status", {}).get("phase") in ("Running", "Succeeded")


def _keep(folder: Path, line: str) -> None:
    if folder.is_dir():
        with (folder / _LOG).open("a") as log:
            log.write(f"{line.rstrip()}\n")


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
    from kubernetes.client import ApiException  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    with explained(doing):
        try:
            yield
        except (RuntimeError, TimeoutError) as err:
            if isinstance(err.__cause__, (ApiException, HTTPError)):
                raise err.__cause__ from err
            said = ": ".join(str(e) for e in (err, err.__cause__) if e is not None and str(e))
            raise ClusterError(f"{doing} failed: {said}. {_ADVICE}") from err
