"""Sections of the configuration on where steps run and how a new version goes to work."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _as_text(value: Any) -> Any:
    """Return what YAML took for a number or a truth value as Kubernetes writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _as_processors(text: str) -> str:
    if not re.fullmatch(r"\d*\.?\d+m?", text) or not float(text.removesuffix("m")):
        raise ValueError(f'processors are written "2", "0.5" or "500m", not "{text}"')
    return text


def _as_memory(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*([EPTGMK]i?)", text):
        raise ValueError(f'memory is a whole number with a unit, "4Gi" or "512Mi", not "{text}"')
    return text


Text = Annotated[str, BeforeValidator(_as_text)]
Processors = Annotated[Text, AfterValidator(_as_processors)]
MemoryText = Annotated[Text, AfterValidator(_as_memory)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeploymentConfig(_Section):
    """What a new version must show while it goes to work.

    Attributes:
        service: Name of the InferenceService.
        canary_percent: Share of traffic the new version gets while it is watched; 0 replaces the
            champion at once and watches then.
        ready_minutes: Longest wait for new pods.
        num_series: Series asked of champion and new version.
        batch_size: Series per request.
        max_error_share: Share of requests that may fail.
        max_latency_seconds: 95th percentile of a request's time.
        max_degraded_share: Share of answers that may be degraded or without a decision.
        max_prediction_shift: Distance of the two versions' forecasts, as a share of the
            champion's volume.
    """

    service: str = "demand-forecaster"
    canary_percent: int = Field(default=10, ge=0, lt=100)
    ready_minutes: float = Field(default=10.0, gt=0)
    num_series: int = Field(default=200, ge=1)
    batch_size: int = Field(default=20, ge=1)
    max_error_share: float = Field(default=0.0, ge=0, lt=1)
    max_latency_seconds: float = Field(default=1.0, gt=0)
    max_degraded_share: float = Field(default=0.02, ge=0, le=1)
    max_prediction_shift: float = Field(default=0.5, gt=0)


class Toleration(_Section):
    """A taint that a step's pod may be placed on; Kubernetes' own fields."""

    key: str
    operator: Literal["Equal", "Exists"] = "Exists"
    value: Text | None = None
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] | None = None


class PodConfig(_Section):
    """What one step's pod gets.

    Attributes:
        cpu: Processors it may use, as Kubernetes writes them ("2", "500m"); a number is one.
        memory: Memory it may use with its unit, as Kubernetes writes it ("4Gi").
        cpu_request: Processors a node must have free for it; `cpu` where None.
        memory_request: Memory a node must have free for it; `memory` where None.
        gpus: Accelerators.
        gpu_type: Kind of accelerator.
        node_selector: Labels of the nodes it may run on.
        tolerations: Taints it may be placed on.
        secrets: Secret to {key: environment variable}.
        secret_volumes: Secret to folder.
        environment: Variable to value.
        retries: Times a step is repeated when its pod is lost, or when a store or an API did not
            answer it; bad input and defects are never repeated.
        timeout_seconds: Longest run.
    """

    cpu: Processors = "1"
    memory: MemoryText = "2Gi"
    cpu_request: Processors | None = None
    memory_request: MemoryText | None = None
    gpus: int = Field(default=0, ge=0)
    gpu_type: str = "nvidia.com/gpu"
    node_selector: dict[str, Text] = {}
    tolerations: tuple[Toleration, ...] = ()
    secrets: dict[str, dict[str, str]] = {}
    secret_volumes: dict[str, str] = {}
    environment: dict[str, Text] = {}
    retries: int = Field(default=0, ge=0)
    timeout_seconds: int | None = Field(default=None, gt=0)


class ClusterConfig(_Section):
    """Where the steps of a submitted run run; a run on one machine ignores it.

    Attributes:
        service_account: Of the run's pods.
        volumes: PersistentVolumeClaim to folder, for every step.
        config_maps: ConfigMap to its keys that become environment variables of every step.
        config_map_volumes: ConfigMap to folder, for every step.
        user: User and group id of every step; the image's own where None.
        default: Pod of a step that `steps` does not name.
        steps: Step ("train-forecaster") to its pod.
        keep_seconds: Time that a finished run's Workflow and pods stay in the cluster; where None
            the installation decides (KFP's own is an hour). KFP's pages and logs stay.
        deadline_seconds: Longest run, waiting for room included; None sets no limit.
    """

    service_account: str = "invopt-runner"
    volumes: dict[str, str] = {}
    config_maps: dict[str, tuple[str, ...]] = {}
    config_map_volumes: dict[str, str] = {}
    user: int | None = Field(default=None, gt=0)
    default: PodConfig | None = None
    steps: dict[str, PodConfig] = {}
    keep_seconds: int | None = Field(default=None, gt=0)
    deadline_seconds: int | None = Field(default=None, gt=0)
