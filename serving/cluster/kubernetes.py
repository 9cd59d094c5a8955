"""Kubernetes as one step of a run sees it: a connection, and the reasons why things fail."""

import base64
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from invopt.errors import InvalidInputError
from serving.settings import ClusterSettings

Object = dict[str, Any]
_TIMEOUT_SECONDS = 20
_LAST_WORDS = 300
# A container that waits for one of these will not start by waiting longer.
_HOPELESS = (
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CrashLoopBackOff",
)


class ClusterError(InvalidInputError):
    """The cluster refused or failed; the message gives its reason and one next step, in one line.

    Args:
        text: What programs in the cluster said may stand in it, line ends included.
    """

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


@dataclass(frozen=True)
class Cluster:
    """A connection as one account.

    Attributes:
        api: Of the kubernetes package.
        namespace: Everything lives in.
    """

    api: Any
    namespace: str

    def custom(self) -> Any:
        """Return the API of custom resources."""
        from kubernetes import client  # noqa: PLC0415

        return client.CustomObjectsApi(self.api)

    def patch(self, place: tuple[str, str, str, str, str], operations: list[Object]) -> Object:
        """Change a custom resource by a JSON patch; returns it as it is then.

        The client's own patch calls send any body as a merge patch, which no list can be.

        Args:
            place: Group, version, namespace, plural and name.
            operations: Of RFC 6902.
        """
        from kubernetes import client  # noqa: PLC0415

        kind = "application/json-patch+json"
        api = client.CustomObjectsApi(
            client.ApiClient(self.api.configuration, "Content-Type", kind)
        )
        changed: Object = api.patch_namespaced_custom_object(
            *place, operations, _request_timeout=_TIMEOUT_SECONDS
        )
        return changed

    def items(self, kind: str, selector: str = "") -> list[Object]:
        """Return the namespace's pods or events as plain data."""
        from kubernetes import client  # noqa: PLC0415

        core = client.CoreV1Api(self.api)
        listing = {"pods": core.list_namespaced_pod, "events": core.list_namespaced_event}[kind]
        with explained(f"listing {kind}"):
            answer = listing(
                self.namespace,
                label_selector=selector,
                _preload_content=False,
                _request_timeout=_TIMEOUT_SECONDS,
            )
        items: list[Object] = json.loads(answer.data)["items"]
        return items


def connect(settings: ClusterSettings, namespace: str | None = None) -> Cluster:
    """Connect as the account whose token is mounted, else as the kubeconfig says.

    Raises:
        ClusterError: If there is neither.
    """
    from kubernetes import client, config  # noqa: PLC0415
    from kubernetes.config.incluster_config import InClusterConfigLoader  # noqa: PLC0415

    configuration = client.Configuration()
    token = settings.credentials / "token"
    try:
        if token.is_file():
            InClusterConfigLoader(str(token), str(token.with_name("ca.crt"))).load_and_set(
                configuration
            )
            found = (settings.credentials / "namespace").read_text()
        else:
            config.load_kube_config(client_configuration=configuration)
            found = config.list_kube_config_contexts()[1]["context"].get("namespace", "default")
    except (config.ConfigException, OSError) as err:
        raise ClusterError(
            f"no way to a cluster: {err}. Mount a service account's token at "
            f"{settings.credentials}, or set KUBECONFIG."
        ) from err
    return Cluster(client.ApiClient(configuration), namespace or found)


def token_for(cluster: Cluster, audience: str) -> str:
    """Return a token of the connected account for another service, good for ten minutes.

    Raises:
        ClusterError: If the account may not ask for it.
    """
    from kubernetes import client  # noqa: PLC0415

    account = _account(cluster.api.configuration.api_key["authorization"])
    wanted = client.V1TokenRequestSpec(audiences=[audience], expiration_seconds=600)
    with explained(f"asking for a token of {account} for {audience}"):
        made = client.CoreV1Api(cluster.api).create_namespaced_service_account_token(
            account,
            cluster.namespace,
            client.AuthenticationV1TokenRequest(spec=wanted),
            _request_timeout=_TIMEOUT_SECONDS,
        )
    return str(made.status.token)


def _account(bearer: str) -> str:
    """Return the account that a token names in its subject, system:serviceaccount:NS:NAME."""
    content = bearer.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    return str(claims["sub"].rpartition(":")[2])


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn the API's errors into one sentence with a next step.

    Raises:
        ClusterError: Instead of them.
    """
    from kubernetes.client import ApiException  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        yield
    except ApiException as err:
        raise ClusterError(f"{doing} failed: {refusal(err.status, err.body, err.reason)}") from err
    except HTTPError as err:
        raise unreachable(doing, err) from err


def unreachable(doing: str, err: Exception) -> ClusterError:
    """Return the error for a server that does not answer."""
    return ClusterError(
        f"{doing} failed: it cannot be reached ({_short(err)}). "
        "Check the address and the network, then run again."
    )


def refusal(status: int, body: str | None, reason: str | None) -> str:
    """Return an API's refusal as its reason and one next step."""
    try:
        content = json.loads(body or "")
        message = content.get("message") or content["error"]
    except (ValueError, KeyError, TypeError, AttributeError):
        message = str(body or reason).strip()
    if "exceeded quota" in message:
        advice = "Ask for less in the configuration's cluster section, or raise the quota."
    elif status == 404 and "page not found" in message:
        message = "the cluster does not know this kind of object"
        advice = "Install its operator and definitions (k8s/README.md, prerequisites)."
    elif status == 404:
        advice = "Apply the overlay first (k8s/README.md)."
    elif status in (401, 403):
        advice = "Check the service account and its Role (k8s/base/pipeline-jobs/roles.yaml)."
    elif status == 400:
        advice = "Correct what it names, then run again."
    elif status in (409, 422):
        advice = "Somebody else changed it, or the cluster's version differs: look, then run again."
    else:
        advice = "See the API server's log, then run again."
    return f"{message} ({status}). {advice}"


def _short(err: Exception) -> str:
    text = str(getattr(err, "reason", err))
    return text.rpartition(": ")[2][:200]


@contextmanager
def terminable() -> Iterator[None]:
    """Let the end of the pod unwind the stack, so that what was begun is taken back."""

    def leave(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def pod_trouble(pods: list[Object]) -> tuple[str, bool]:
    """Return why pods do not run, "" when they do, and whether waiting cannot help."""
    found = [trouble for pod in pods for trouble in _troubles(pod)]
    return max(found, key=lambda trouble: trouble[1], default=("", False))


def _troubles(pod: Object) -> Iterator[tuple[str, bool]]:
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    if status.get("reason") == "Evicted":
        # What made the pod makes another one.
        yield _said(f"pod {name} was evicted", status.get("message", "")), False
    kinds = ("initContainerStatuses", "containerStatuses")
    for container in (c for kind in kinds for c in status.get(kind, [])):
        state = container.get("state", {})
        waiting, ended = state.get("waiting", {}), state.get("terminated", {})
        last = container.get("lastState", {}).get("terminated", {})
        if waiting.get("reason") in _HOPELESS:
            why = last_line(last.get("message") or waiting.get("message", ""))
            yield _said(f"pod {name}", waiting["reason"], why), True
        if ended.get("exitCode"):
            why = f"{ended.get('reason', 'Error')} ({ended['exitCode']})"
            yield _said(f"pod {name}", why, last_line(ended.get("message", ""))), False
    for condition in status.get("conditions", []):
        if condition.get("reason") == "Unschedulable":
            yield _said(f"pod {name} cannot be placed", condition.get("message", "")), False


def _said(*parts: str) -> str:
    """Join what was said; a container that is killed leaves no last words."""
    return ": ".join(part for part in parts if part)


def last_line(text: str) -> str:
    """Return the end of a container's last words, for a sentence: the error stands there."""
    said = (text.strip().splitlines() or [""])[-1].rstrip(". ")
    return said if len(said) <= _LAST_WORDS else f"… {said[-_LAST_WORDS:].partition(' ')[2]}"


def warnings_of(
    events: list[Object], concerns: Callable[[dict[str, str]], bool], since: str = ""
) -> str:
    """Return the last warning about some objects, "" for none.

    Args:
        events: Of the namespace.
        concerns: Whether an object, by its kind and name, is one of them.
        since: Time in ISO 8601; what happened before is of others. An event without one counts.
    """
    start = _moment(since)
    found = [
        (_moment(event.get("lastTimestamp") or event.get("eventTime")), event)
        for event in events
        if event.get("type") == "Warning"
        and concerns({"kind": "", "name": ""} | event.get("involvedObject", {}))
    ]
    recent = [event for event in found if not event[0] or event[0] >= start]
    if not recent:
        return ""
    _, last = max(recent, key=lambda pair: pair[0])
    return " ".join(f"{last.get('reason', '')}: {last.get('message', '')}".split())


def _moment(text: str | None) -> float:
    """Return a time as whole seconds, 0 where there is none."""
    return datetime.fromisoformat(text).timestamp() // 1 if text else 0.0


def wait_until(
    check: Callable[[], bool],
    seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    every: float = 2.0,
) -> bool:
    """Return whether a check passed in time; what it raises ends the wait."""
    ends = clock() + seconds
    while not check():
        if clock() >= ends:
            return False
        sleep(every)
    return True
