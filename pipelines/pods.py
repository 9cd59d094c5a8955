"""Where each step of a submitted run runs: resources, nodes, volumes, secrets."""

from typing import TYPE_CHECKING, Any

from kfp import dsl, kubernetes

import components
from invopt.deployment_config import ClusterConfig, PodConfig
from invopt.errors import ConfigError
from serving.step import RETRIES

if TYPE_CHECKING:
    from pipelines.calls import Calls  # what each step takes; `make golden` writes it
else:
    Calls = object


class Steps(Calls):
    """The components, each task placed as the configuration says.

    `Steps(cluster).plan_orders(...)` is `components.plan_orders(...)` with its pod. An empty
    section changes nothing: the same pipeline runs on one machine.

    Args:
        cluster: Section of the configuration.

    Raises:
        ConfigError: If it names a step that does not exist.
    """

    def __init__(self, cluster: ClusterConfig) -> None:
        self.cluster = cluster
        known = {name.replace("_", "-") for name in components.__all__}
        unknown = sorted(set(cluster.steps) - known)
        if unknown:
            raise ConfigError(
                f"cluster.steps names {', '.join(unknown)}; there are {', '.join(sorted(known))}."
            )

    @property
    def pipeline_config(self) -> dsl.PipelineConfig | None:
        """KFP's own settings of a pipeline, None where the configuration has none."""
        cluster = self.cluster
        if cluster.keep_seconds is None and cluster.deadline_seconds is None:
            return None
        return dsl.PipelineConfig(
            ttl_seconds_after_finished=cluster.keep_seconds,
            active_deadline_seconds=cluster.deadline_seconds,
        )

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            component = getattr(components, name)

            def placed(**arguments: Any) -> dsl.PipelineTask:
                task = component(**arguments)
                self._place(task, name.replace("_", "-"))
                return task

            return placed

    def _place(self, task: dsl.PipelineTask, step: str) -> None:
        cluster = self.cluster
        for claim, folder in cluster.volumes.items():
            kubernetes.mount_pvc(task, pvc_name=claim, mount_path=folder)
        for name, keys in cluster.config_maps.items():
            kubernetes.use_config_map_as_env(task, name, {key: key for key in keys})
        for name, folder in cluster.config_map_volumes.items():
            kubernetes.use_config_map_as_volume(task, name, folder)
        if cluster.user is not None:
            kubernetes.set_security_context(
                task, run_as_user=cluster.user, run_as_group=cluster.user, run_as_non_root=True
            )
        pod = cluster.steps.get(step, cluster.default)
        if pod is not None:
            _give(task, pod)


def _give(task: dsl.PipelineTask, pod: PodConfig) -> None:
    task.set_cpu_request(pod.cpu_request or pod.cpu).set_cpu_limit(pod.cpu)
    task.set_memory_request(pod.memory_request or pod.memory).set_memory_limit(pod.memory)
    if pod.gpus:
        task.set_accelerator_type(pod.gpu_type).set_accelerator_limit(pod.gpus)
    for name, value in pod.environment.items():
        task.set_env_variable(name, value)
    for label, value in pod.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in pod.tolerations:
        kubernetes.add_toleration(
            task, toleration.key, toleration.operator, toleration.value, toleration.effect
        )
    for secret, keys in pod.secrets.items():
        kubernetes.use_secret_as_env(task, secret, dict(keys))
    for secret, folder in pod.secret_volumes.items():
        kubernetes.use_secret_as_volume(task, secret, folder)
    if pod.retries:
        # A pod that is lost is KFP's to repeat, a failure that may pass is the step's own.
        task.set_retry(pod.retries, backoff_duration="30s")
        task.set_env_variable(RETRIES, str(pod.retries))
    if pod.timeout_seconds is not None:
        kubernetes.set_timeout(task, pod.timeout_seconds)
