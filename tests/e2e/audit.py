"""What the API server's audit log says of our accounts: refusals, and rights nobody used."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, for one account.

    Attributes:
        account: Service account.
        group: API group, "" for the core.
        resource: With its subresource, `pods/log`.
        verb: Of Kubernetes.
    """

    account: str
    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        """Return it as a Role's line would say it."""
        where = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.account} {self.verb} {where}"


def parts_of(file: Path) -> list[Path]:
    """Return a log and those that the API server put aside when they grew large, oldest first."""
    return [*sorted(file.parent.glob(f"{file.stem}-2*{file.suffix}")), file]


def rights_of(roles: Iterable[Object], bindings: Iterable[Object]) -> set[Right]:
    """Return what Roles give to service accounts through their RoleBindings."""
    rules = {role["metadata"]["name"]: role.get("rules") or [] for role in roles}
    return {
        Right(subject["name"], group, resource, verb)
        for binding in bindings
        for subject in binding.get("subjects") or []
        if subject["kind"] == "ServiceAccount"
        for rule in rules.get(binding["roleRef"]["name"], [])
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def calls_in(lines: Iterable[str], namespace: str, since: str) -> Iterator[tuple[Right, int]]:
    """Return what the namespace's accounts asked for, and the answer's status.

    Args:
        lines: Of the log, one JSON event each; a cut last line is left out.
        namespace: Of the accounts.
        since: Events before this time (RFC 3339) do not count.
    """
    prefix = f"system:serviceaccount:{namespace}:"
    for line in lines:
        if prefix not in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        user = event.get("user", {}).get("username", "")
        if event.get("stage") != "ResponseComplete" or not user.startswith(prefix):
            continue
        if event.get("requestReceivedTimestamp", "") < since:
            continue
        about = event.get("objectRef") or {}
        resource = about.get("resource", event.get("requestURI", ""))
        if about.get("subresource"):
            resource = f"{resource}/{about['subresource']}"
        right = Right(
            user.removeprefix(prefix), about.get("apiGroup", ""), resource, event.get("verb", "")
        )
        yield right, int(event.get("responseStatus", {}).get("code", 0))


@dataclass(frozen=True)
class Summary:
    """What was found.

    Attributes:
        calls: Number by right.
        refused: Number of 403 by right.
        unused: Rights that nobody used.
    """

    calls: Counter[Right]
    refused: Counter[Right]
    unused: list[Right]


def summarise(calls: Iterable[tuple[Right, int]], rights: set[Right]) -> Summary:
    """Return refusals and rights without use.

    A right is used when a call that needs it was let pass.
    """
    made: Counter[Right] = Counter()
    refused: Counter[Right] = Counter()
    for right, status in calls:
        made[right] += 1
        if status == 403:
            refused[right] += 1
    used = {right for right, number in made.items() if number > refused[right]}
    return Summary(made, refused, sorted(rights - used))
