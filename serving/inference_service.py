"""The one InferenceService: read, patched in place, and what its status says.

Nothing is believed that the status does not say: KServe before 0.20 drops `spec.canary` silently,
and deployments without Knative ignore `canaryTrafficPercent`.
"""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from serving.cluster import (
    Cluster,
    ClusterError,
    Object,
    explained,
    pod_trouble,
    wait_until,
    warnings_of,
)

PREVIOUS = "invopt.dev/previous"
VERSION = "INVOPT_MODEL_VERSION"
_GROUP, _API_VERSION, _PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
_KNATIVE = ("Knative", "Serverless")
_TIMEOUT_SECONDS = 20
_POLL_SECONDS = 2.0
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Release:
    """What is to be served.

    Attributes:
        version: Of the registered model.
        source: URL of its folder.
    """

    version: str
    source: str

    def into(self, predictor: Object) -> Object:
        """Return a predictor that serves this release."""
        changed = copy.deepcopy(predictor)
        model = changed.setdefault("model", {})
        model["storageUri"] = self.source
        others = [e for e in model.get("env", []) if e["name"] != VERSION]
        model["env"] = [*others, {"name": VERSION, "value": self.version}]
        return changed


class InferenceService:
    """The service in the cluster.

    Args:
        cluster: Connection.
        name: Of the service.
        notify: Called with lines of progress.
        clock: Returns seconds.
        sleep: Waits seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        notify: Notify,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cluster, self.name, self.notify = cluster, name, notify
        self.clock, self.sleep = clock, sleep
        self.api = cluster.custom()

    def read(self) -> Object:
        """Return the service as it is now."""
        with explained(f"reading InferenceService {self.name}"):
            found: Object = self.api.get_namespaced_custom_object(
                *self._place(), _request_timeout=_TIMEOUT_SECONDS
            )
        return found

    def replace_spec(self, current: Object, spec: Object, previous: Object | None = None) -> Object:
        """Replace the spec, if nobody changed it since it was read.

        Args:
            current: As read.
            spec: To put there.
            previous: Spec to keep for a rollback; what is kept already stays when None.
        """
        annotations = dict(current["metadata"].get("annotations", {}))
        if previous is not None:
            annotations[PREVIOUS] = json.dumps(previous, sort_keys=True)
        patch = [
            {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": current["metadata"]["resourceVersion"],
            },
            {"op": "replace", "path": "/spec", "value": spec},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]
        with explained(f"patching InferenceService {self.name}"):
            changed: Object = self.api.patch_namespaced_custom_object(
                *self._place(), patch, _request_timeout=_TIMEOUT_SECONDS
            )
        return changed

    def wait(self, reached: Callable[[Object], bool], minutes: float, what: str) -> Object:
        """Wait until the status says so; returns the service then.

        Raises:
            ClusterError: With the reason found in status, pods and events.
        """
        found: Object = {}

        def check() -> bool:
            found.clear()
            found.update(self.read())
            if reached(found):
                return True
            reason, hopeless = self._trouble(found)
            if hopeless:
                raise ClusterError(f"{what} failed: {reason}. {_advice(reason)}")
            return False

        if wait_until(check, minutes * 60, self.clock, self.sleep, _POLL_SECONDS):
            return found
        reason = self._trouble(found)[0] or _conditions(found) or "its status gives no reason"
        raise ClusterError(
            f"{what} was not reached in {minutes:g} minutes: {reason}. {_advice(reason)}"
        )

    def _trouble(self, service: Object) -> tuple[str, bool]:
        model = service.get("status", {}).get("modelStatus", {})
        failure = model.get("lastFailureInfo", {})
        if model.get("transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec"):
            return f"{failure.get('reason', 'failed')}: {failure.get('message', '')}", True
        label = f"serving.kserve.io/inferenceservice={self.name}"
        reason, hopeless = pod_trouble(self.cluster.items("pods", label))
        warning = warnings_of(self.cluster.items("events"), self.name)
        return "; ".join(part for part in (reason, warning) if part), hopeless

    def images(self) -> dict[str, str]:
        """Return the digest of every image its pods run, by container."""
        label = f"serving.kserve.io/inferenceservice={self.name}"
        return {
            f"{pod['metadata']['name']}/{container['name']}": container.get("imageID", "")
            for pod in self.cluster.items("pods", label)
            for container in pod.get("status", {}).get("containerStatuses", [])
        }

    def _place(self) -> tuple[str, str, str, str, str]:
        return _GROUP, _API_VERSION, self.cluster.namespace, _PLURAL, self.name


def is_ready(service: Object) -> bool:
    """Return whether the newest spec is at work and ready."""
    status = service.get("status", {})
    # Deployments under Knative may lag: the model's own transition tells when it is the new one.
    up_to_date = status.get("modelStatus", {}).get("transitionStatus", "UpToDate") == "UpToDate"
    seen = status.get("observedGeneration", 0) >= service["metadata"].get("generation", 0)
    return seen and up_to_date and _condition(service, "Ready") == "True"


def uses_knative(service: Object) -> bool:
    """Return whether the service's pods are Knative's."""
    mode = service.get("status", {}).get("deploymentMode") or service["metadata"].get(
        "annotations", {}
    ).get("serving.kserve.io/deploymentMode", "")
    return mode in _KNATIVE


def with_canary(service: Object, release: Release, percent: int) -> Object:
    """Return the spec that gives a release a share of the traffic."""
    spec: Object = copy.deepcopy(service["spec"])
    spec.pop("canary", None)
    if uses_knative(service):
        spec["predictor"] = release.into(spec["predictor"])
        spec["predictor"]["canaryTrafficPercent"] = percent
        return spec
    wanted = release.into(spec["predictor"])
    predictor = {"name": canary_name(release), "minReplicas": 1, "model": wanted["model"]}
    spec["canary"] = [{"trafficPercent": percent, "predictor": predictor}]
    return spec


def promoted(service: Object, release: Release) -> Object:
    """Return the spec in which a release takes all traffic."""
    spec: Object = copy.deepcopy(service["spec"])
    canary = spec.pop("canary", None)
    spec["predictor"] = release.into(spec["predictor"])
    spec["predictor"].pop("canaryTrafficPercent", None)
    if canary:
        # The canary's pods become the stable ones: nothing restarts.
        spec["predictor"]["name"] = canary[0]["predictor"]["name"]
    return spec


def canary_name(release: Release) -> str:
    """Return the name of a release's own deployment."""
    return f"v{release.version}"


def check_canary_kept(service: Object, percent: int) -> None:
    """Check that the API server kept the canary it was given.

    Raises:
        ClusterError: If it dropped it: KServe is too old.
    """
    spec = service["spec"]
    kept = (
        spec["predictor"].get("canaryTrafficPercent") == percent
        if uses_knative(service)
        else bool(spec.get("canary"))
    )
    if not kept:
        raise ClusterError(
            "the cluster's KServe dropped spec.canary: canaries without Knative need version "
            "0.20. Upgrade KServe, or set deployment.canary_percent to 0."
        )


def canary_is_at_work(service: Object, release: Release, percent: int) -> bool:
    """Return whether the status says that the release gets its share."""
    status = service.get("status", {})
    if status.get("observedGeneration", 0) < service["metadata"].get("generation", 0):
        return False
    if uses_knative(service):
        return any(
            t.get("latestRevision") and t.get("percent") == percent for t in _traffic(service)
        )
    return any(
        c["name"] == canary_name(release) and c["ready"] and c["trafficPercent"] == percent
        for c in status.get("canaryStatuses", [])
    )


def stable_address(service: Object) -> str:
    """Return where the service answers inside the cluster, "" before it ever did."""
    status = service.get("status", {})
    return str(status.get("address", {}).get("url") or status.get("url") or "")


def canary_address(service: Object, release: Release) -> str:
    """Return where the canary alone answers.

    Raises:
        ClusterError: If Knative gives it no address of its own.
    """
    if uses_knative(service):
        for traffic in _traffic(service):
            if traffic.get("latestRevision") and traffic.get("url"):
                return str(traffic["url"])
        raise ClusterError(
            "the canary has no address of its own: annotate the InferenceService with "
            'serving.kserve.io/enable-tag-routing: "true".'
        )
    parts = urlsplit(stable_address(service))
    own = f"{service['metadata']['name']}-{canary_name(release)}-predictor"
    netloc = ".".join([own, *parts.netloc.split(".")[1:]])
    return urlunsplit((parts.scheme, netloc, "", "", ""))


def served_version(spec: Object) -> str:
    """Return the version a spec serves, "" when none."""
    for variable in spec["predictor"].get("model", {}).get("env", []):
        if variable["name"] == VERSION:
            return str(variable["value"])
    return ""


def _traffic(service: Object) -> list[Any]:
    components = service.get("status", {}).get("components", {})
    traffic: list[Any] = components.get("predictor", {}).get("traffic", [])
    return traffic


def _condition(service: Object, kind: str) -> str:
    for condition in service.get("status", {}).get("conditions", []):
        if condition["type"] == kind:
            return str(condition["status"])
    return ""


def _conditions(service: Object) -> str:
    false = [
        f"{c['type']} is {c['status']} ({c.get('reason', '')} {c.get('message', '')})".strip()
        for c in service.get("status", {}).get("conditions", [])
        if c["status"] != "True"
    ]
    return "; ".join(false)


def _advice(reason: str) -> str:
    if "Image" in reason or "image" in reason:
        return "Push the image, or mend its name or pull secret."
    if "AccessDenied" in reason or "InvalidAccessKey" in reason or "SignatureDoes" in reason:
        return "Mend the keys in the secret invopt-object-store."
    if "cannot be placed" in reason or "quota" in reason:
        return "Free or add capacity, or ask for less."
    return "Look at the pods' logs."
