"""The one InferenceService: read, patched in place, and what its status and pods say.

Nothing is believed that the cluster does not say: KServe before 0.20 drops `spec.canary` silently,
deployments without Knative ignore `canaryTrafficPercent`, and status.observedGeneration counts the
changes of a child object (KServe's issue 6081), so a status may be that of the spec before. Pods
carry their version: they tell.
"""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from invopt.types import Notify
from serving.cluster.kubernetes import (
    Cluster,
    ClusterError,
    Object,
    explained,
    last_line,
    pod_trouble,
    wait_until,
    warnings_of,
)

PREVIOUS = "invopt.dev/previous"
VERSION = "INVOPT_MODEL_VERSION"
# While it is "true" KServe keeps no pods of a service.
STOP = "serving.kserve.io/stop"
RUNTIME = "invopt-server"
_GROUP, _API_VERSION, _PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
_KNATIVE = ("Knative", "Serverless")
_TIMEOUT_SECONDS = 20
_POLL_SECONDS = 2.0
_TELL_SECONDS = 30.0
# What object stores and KServe's storage initializer say of wrong keys.
_KEYS_REFUSED = ("AccessDenied", "InvalidAccessKey", "SignatureDoes", "S3 error [403]")
_CHAMPION_SECONDS = 60.0
# Until every node has forgotten the addresses of pods that ended.
_SETTLE_SECONDS = 3.0
# Of service, its pods, and a version.
Reached = Callable[[Object, list[Object], str], bool]


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
        # The manifest names no runtime, so that a service without a model has no pods.
        model.setdefault("runtime", RUNTIME)
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
        # As they were before the last patch: what is still so tells nothing of the new spec.
        self._served, self._failure, self._patched = "", "", ""
        self._seen: Object = {}

    def read(self) -> Object:
        """Return the service as it is now."""
        with explained(f"reading InferenceService {self.name}"):
            found: Object = self.api.get_namespaced_custom_object(
                *self._place(), _request_timeout=_TIMEOUT_SECONDS
            )
        self._seen = found
        return found

    def settled(self) -> Object:
        """Return the service once it is ready, or as it is when that takes long.

        A pod that has just been added is enough to make it look unready for a moment.
        """
        found = self.read()
        if served_version(found["spec"]):
            seconds, sleep = _CHAMPION_SECONDS, self.sleep
            wait_until(lambda: is_ready(self.read()), seconds, self.clock, sleep, _POLL_SECONDS)
            found = self.read()
        return found

    def replace_spec(
        self,
        current: Object,
        spec: Object,
        previous: Release | None = None,
        *,
        stopped: bool = False,
    ) -> Object:
        """Replace the spec, if nobody changed it since it was read; returns the service then.

        Args:
            current: As read, or as the last change returned it.
            spec: To put there.
            previous: Release to keep for a rollback; what is kept already stays when None.
            stopped: Whether its pods have to go: a service that serves no model has none.
        """
        # The spec only: KServe writes the status, and with it the resource's version, all the time.
        patch = [
            {"op": "test", "path": "/spec", "value": current["spec"]},
            {"op": "replace", "path": "/spec", "value": spec},
        ]
        notes = {} if previous is None else {PREVIOUS: json.dumps(vars(previous), sort_keys=True)}
        if stopped != (_annotations(current).get(STOP) == "true"):
            notes[STOP] = str(stopped).lower()
        self._served = served_version(current["spec"])
        self._failure = _failure(self._seen)
        with explained(f"patching InferenceService {self.name}"):
            changed = self.cluster.patch(self._place(), patch + _annotated(current, notes))
        self._patched = _last_write(changed)
        return changed

    def drop_autoscaler(self, release: Release) -> None:
        """Delete the autoscaler of a canary that has ended: KServe leaves it, with its warnings.

        One that is gone already, or that KServe did not make, is fine.
        """
        from kubernetes import client  # noqa: PLC0415

        name = f"{self.name}-{_canary_name(release.version)}-predictor"
        with explained(f"deleting the canary's autoscaler {name}"):
            try:
                client.AutoscalingV2Api(
                    self.cluster.api
                ).delete_namespaced_horizontal_pod_autoscaler(
                    name, self.cluster.namespace, _request_timeout=_TIMEOUT_SECONDS
                )
            except client.ApiException as err:
                if err.status != 404:
                    raise

    def wait(self, reached: Reached, minutes: float, version: str, what: str) -> Object:
        """Wait until status and pods say so; returns the service then.

        Args:
            reached: Of service, pods and version.
            minutes: Longest wait.
            version: Waited for; what other versions' pods suffer from does not matter.
            what: In words, for the error.

        Raises:
            ClusterError: With the reason found in status, pods and events.
        """
        found: Object = {}
        started = told = self.clock()

        def check() -> bool:
            nonlocal told
            found.clear()
            found.update(self.read())
            pods = self.pods()
            if reached(found, pods, version):
                return True
            reason = self._hopeless(found, pods, version)
            if reason:
                raise ClusterError(f"{what} failed: {reason}. {_advice(reason)}")
            if self.clock() - told >= _TELL_SECONDS:
                told = self.clock()
                reason = self._why_not(found, pods, version) or "no reason given"
                self.notify(f"{what}: not yet after {told - started:.0f} s: {reason}")
            return False

        if wait_until(check, minutes * 60, self.clock, self.sleep, _POLL_SECONDS):
            self.sleep(_SETTLE_SECONDS)
            return found
        reason = self._why_not(found, self.pods(), version) or "its status gives no reason"
        raise ClusterError(
            f"{what} was not reached in {minutes:g} minutes: {reason}. {_advice(reason)}"
        )

    def answers(self, service: Object) -> bool:
        """Return whether what it serves is at work, by its status or by its pods.

        An update whose pods never come makes the status unready, though those before serve on.
        """
        version = served_version(service["spec"])
        return bool(version) and (is_ready(service) or _num_ready(self.pods(), version) > 0)

    def pods(self) -> list[Object]:
        """Return its pods, without those that are ending or ended."""
        label = f"serving.kserve.io/inferenceservice={self.name}"
        return [
            pod
            for pod in self.cluster.items("pods", label)
            if "deletionTimestamp" not in pod["metadata"]
            and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
        ]

    def _hopeless(self, service: Object, pods: list[Object], version: str) -> str:
        """Return why waiting cannot help, "" where it can."""
        failure = self._own_failure(service, pods, version)
        if failure:
            return failure
        # Pods of a service that serves no model yet have no version, and never run.
        mine = {version, ""} if self._served else {version}
        reason, hopeless = pod_trouble([pod for pod in pods if pod_version(pod) in mine])
        return _joined(reason, self._warning(pods, version)) if hopeless else ""

    def _own_failure(self, service: Object, pods: list[Object], version: str) -> str:
        """Return why the version was not loaded; the status tells that of older pods as well."""
        failure, place = _failure_at(service)
        if failure in ("", self._failure):
            return ""
        versions = {pod["metadata"]["name"]: v for pod in pods if (v := pod_version(pod))}
        if versions and version not in versions.values():
            return ""  # KServe has not got round to it
        return "" if versions.get(place, version) != version else failure

    def _why_not(self, service: Object, pods: list[Object], version: str) -> str:
        """Return all that is known: of the model and its pods, the conditions, then warnings."""
        mine = [pod for pod in pods if pod_version(pod) in (version, "")]
        return _joined(
            self._own_failure(service, pods, version) or pod_trouble(mine)[0],
            _conditions(service),
            self._warning(pods, version),
        )

    def _warning(self, pods: list[Object], version: str) -> str:
        """Return the last warning since the last patch about what makes the version's pods.

        Autoscalers warn until they have numbers, routes where there is no gateway, and what
        older versions left warns on: nothing of that keeps a version from being ready.
        """
        versions = {pod["metadata"]["name"]: pod_version(pod) for pod in pods}
        theirs = {_owner(pod) for pod in pods if pod_version(pod) not in (version, "")}
        theirs -= {_owner(pod) for pod in pods if pod_version(pod) == version} | {""}
        own = (f"{self.name}-predictor", f"{self.name}-{_canary_name(version)}-predictor")

        def concerns(what: dict[str, str]) -> bool:
            kind, name = what["kind"], what["name"]
            return (
                kind in ("Pod", "ReplicaSet", "Deployment")
                and any(_is_of(name, base) for base in own)
                and not any(_is_of(name, base) for base in theirs)
                and versions.get(name, version) in (version, "")
            )

        return warnings_of(self.cluster.items("events"), concerns, self._patched)

    def images(self) -> dict[str, str]:
        """Return the digest of every image its pods run, by container."""
        return {
            f"{pod['metadata']['name']}/{container['name']}": container.get("imageID", "")
            for pod in self.pods()
            for container in pod.get("status", {}).get("containerStatuses", [])
        }

    def _place(self) -> tuple[str, str, str, str, str]:
        return _GROUP, _API_VERSION, self.cluster.namespace, _PLURAL, self.name


def is_ready(service: Object) -> bool:
    """Return whether the status says that it is ready; maybe still of the spec before."""
    transition = service.get("status", {}).get("modelStatus", {}).get("transitionStatus")
    return transition in (None, "", "UpToDate") and _condition(service, "Ready") == "True"


def serves(service: Object, pods: list[Object], version: str) -> bool:
    """Return whether a version, and no other one, is at work and ready.

    Under Knative pods of other versions live on for a while without traffic. Where no pod tells
    its version, the status is all there is.
    """
    if not is_ready(service):
        return False
    told = [pod for pod in pods if pod_version(pod)]
    if not told:
        return _is_seen(service)
    wanted = max(1, service["spec"]["predictor"].get("minReplicas", 1))
    if uses_knative(service):
        alone = _latest_gets(service, 100) or not _traffic(service)
    else:
        alone = all(pod_version(pod) == version for pod in told)
    return alone and _num_ready(told, version) >= wanted


def pod_version(pod: Object) -> str:
    """Return the version a pod serves, "" where it does not tell."""
    containers = pod.get("spec", {}).get("containers", [])
    return next((v for c in containers if (v := _version(c))), "")


def uses_knative(service: Object) -> bool:
    """Return whether the service's pods are Knative's."""
    mode = service.get("status", {}).get("deploymentMode") or service["metadata"].get(
        "annotations", {}
    ).get("serving.kserve.io/deploymentMode", "")
    return mode in _KNATIVE


def without_canary(spec: Object) -> Object:
    """Return a spec without a canary of its own deployment."""
    return {key: value for key, value in spec.items() if key != "canary"}


def with_canary(service: Object, release: Release, percent: int) -> Object:
    """Return the spec that gives a release a share of the traffic."""
    spec = copy.deepcopy(without_canary(service["spec"]))
    if uses_knative(service):
        spec["predictor"] = release.into(spec["predictor"])
        spec["predictor"]["canaryTrafficPercent"] = percent
        return spec
    # A canary's model must have a name by its definition, and an empty one by KServe's webhook.
    model = {"name": ""} | release.into(spec["predictor"])["model"]
    predictor = {"name": _canary_name(release.version), "minReplicas": 1, "model": model}
    spec["canary"] = [{"trafficPercent": percent, "predictor": predictor}]
    return spec


def promoted(service: Object, release: Release) -> Object:
    """Return the spec in which a release takes all traffic.

    The predictor keeps its name, so pods are replaced one by one and both ways go without a gap.
    Taking over the canary's name would spare these restarts, but KServe then deletes the named
    Deployment and Service at once: callers lose their address, and the way back has no pods.
    """
    spec = copy.deepcopy(without_canary(service["spec"]))
    spec["predictor"] = release.into(spec["predictor"])
    spec["predictor"].pop("canaryTrafficPercent", None)
    return spec


def restored(service: Object, release: Release | None) -> Object:
    """Return the spec with a release of before, or none, and everything else as it is now.

    What people changed meanwhile (replicas, resources) is theirs and stays.
    """
    if release is not None:
        return promoted(service, release)
    spec = copy.deepcopy(without_canary(service["spec"]))
    spec["predictor"].pop("canaryTrafficPercent", None)
    model = spec["predictor"]["model"]
    model.pop("storageUri", None)
    others = [e for e in model.pop("env", []) if e["name"] != VERSION]
    if others:
        model["env"] = others
    return spec


def _canary_name(version: str) -> str:
    return f"v{version}"


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


def canary_share(percent: int) -> Reached:
    """Return what says whether a version gets its share as a canary."""

    def reached(service: Object, pods: list[Object], version: str) -> bool:
        told = [pod for pod in pods if pod_version(pod)]
        if told and not _num_ready(told, version):
            return False
        if uses_knative(service):
            return _latest_gets(service, percent) and (bool(told) or _is_seen(service))
        return any(
            c["name"] == _canary_name(version) and c["ready"] and c["trafficPercent"] == percent
            for c in service.get("status", {}).get("canaryStatuses", [])
        )

    return reached


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
    own = f"{service['metadata']['name']}-{_canary_name(release.version)}-predictor"
    netloc = ".".join([own, *parts.netloc.split(".")[1:]])
    return urlunsplit((parts.scheme, netloc, "", "", ""))


def served_version(spec: Object) -> str:
    """Return the version a spec serves, "" when none."""
    return _version(spec["predictor"].get("model", {}))


def served_release(spec: Object) -> Release | None:
    """Return what a spec serves, None when nothing."""
    version = served_version(spec)
    return Release(version, spec["predictor"]["model"]["storageUri"]) if version else None


def kept_release(service: Object) -> Release | None:
    """Return what was served before the last promotion, None where nothing was."""
    kept = _annotations(service).get(PREVIOUS)
    return None if kept is None else Release(**json.loads(kept))


def _annotations(service: Object) -> dict[str, str]:
    found: dict[str, str] = service["metadata"].get("annotations") or {}
    return found


def _annotated(service: Object, notes: dict[str, str]) -> list[Object]:
    """Return the patch that adds annotations; others stay as they are."""
    if not notes:
        return []
    if not _annotations(service):
        return [{"op": "add", "path": "/metadata/annotations", "value": notes}]
    return [
        {"op": "add", "path": f"/metadata/annotations/{key.replace('/', '~1')}", "value": value}
        for key, value in notes.items()
    ]


def _version(container: Object) -> str:
    return next((str(e["value"]) for e in container.get("env", []) if e["name"] == VERSION), "")


def _num_ready(pods: list[Object], version: str) -> int:
    return sum(
        pod_version(pod) == version
        and any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in pod.get("status", {}).get("conditions", [])
        )
        for pod in pods
    )


def _is_seen(service: Object) -> bool:
    seen: int = service.get("status", {}).get("observedGeneration", 0)
    return seen >= service["metadata"].get("generation", 0)


def _failure(service: Object) -> str:
    """Return why the model, or that of a canary, was not loaded, "" where it was not tried."""
    return _failure_at(service)[0]


def _failure_at(service: Object) -> tuple[str, str]:
    """Return also the pod it happened in, "" where that is not told."""
    status = service.get("status", {})
    for place in (status, *status.get("canaryStatuses", [])):
        model = place.get("modelStatus", {})
        if model.get("transitionStatus") in ("BlockedByFailedLoad", "InvalidSpec"):
            info = model.get("lastFailureInfo", {})
            why = f"{info.get('reason', 'failed')}: {last_line(info.get('message') or '')}"
            return why, str(info.get("location") or "")
    return "", ""


def _last_write(service: Object) -> str:
    """Return when somebody last wrote the service, by the API server's clock."""
    writes = [f.get("time") or "" for f in service["metadata"].get("managedFields") or ()]
    return max(writes, default="")


def _owner(pod: Object) -> str:
    """Return the name of the ReplicaSet a pod belongs to, "" where it tells none."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((str(o["name"]) for o in owners if o.get("kind") == "ReplicaSet"), "")


def _is_of(name: str, base: str) -> bool:
    return name == base or name.startswith(f"{base}-")


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _traffic(service: Object) -> list[Any]:
    components = service.get("status", {}).get("components", {})
    traffic: list[Any] = components.get("predictor", {}).get("traffic", [])
    return traffic


def _latest_gets(service: Object, percent: int) -> bool:
    return any(t.get("latestRevision") and t.get("percent") == percent for t in _traffic(service))


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
        return "Push the image, or correct its name or pull secret."
    if any(word in reason for word in _KEYS_REFUSED):
        return "Correct the keys in the secret invopt-object-store."
    if "cannot be placed" in reason or "quota" in reason:
        return "Free or add capacity, or ask for less."
    return "Look at the pods' logs."
