"""What Argo's nodes say of a run on Kubeflow Pipelines: which steps failed or wait, and why.

KFP's own list of tasks has every node of the workflow, wrappers too, in no order, without its id
and without a word of why. The workflow that KFP keeps has them: a step is a Pod among Retry, DAG
and Steps nodes, and its node's message holds what its pod waits for.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Node = dict[str, Any]
_FAILED = ("Failed", "Error")
_INDEX = re.compile(r"(\(\d+(:[^()]*)?\))+$")
_DRIVER = re.compile(r"-(?:dag-)?driver$")
_EXECUTOR = "executor"
_MOST_BYTES = 256 * 2**20  # of nodes, unpacked: a hundred times those of a long run
_GZIP = 16 + zlib.MAX_WBITS
# The pod was there, and its container's exit says nothing that its log does not say better.
_PLAIN_EXIT = re.compile(r"^Error \(exit code \d+\)$|^main: Error \(exit code \d+\)$")


@dataclass(frozen=True)
class Leaf:
    """One pod of a run.

    Attributes:
        step: Name of the step it belongs to.
        is_driver: Whether it is KFP's own pod that comes before the step's.
        ids: By which KFP may know its log, the likeliest first.
        message: Argo's, "" where it has none or one that says only that the step's code failed.
        since: When it was made, None where that is not told.
    """

    step: str
    is_driver: bool
    ids: tuple[str, ...]
    message: str
    since: datetime | None


class Workflow:
    """The nodes of a run.

    Args:
        manifest: Argo's Workflow as plain data.
    """

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.manifest = manifest
        self.nodes = _nodes_of(manifest.get("status") or {})
        self.wrapper = {
            child: node
            for node in self.nodes.values()
            if node.get("type") == "Retry"
            for child in node.get("children") or ()
        }

    @property
    def is_told(self) -> bool:
        """Whether there are nodes: Argo keeps those of very large runs in a database of its own."""
        return bool(self.nodes)

    @property
    def was_terminated(self) -> bool:
        """Whether somebody ended the run: KFP does so by a deadline of no seconds."""
        return self.manifest.get("spec", {}).get("activeDeadlineSeconds") == 0

    def failed(self) -> list[Leaf]:
        """Return the pods whose failure nothing made good, in the order they began."""
        found = [
            node
            for node in self.nodes.values()
            if node.get("phase") in _FAILED and not self._made_good(node)
        ]
        causes = [node for node in found if not self._is_wrapper(node)]
        return self._leaves(causes or found[-1:])

    def waiting(self) -> list[Leaf]:
        """Return the pods that do not run yet, in the order they were made."""
        pods = (n for n in self.nodes.values() if n.get("type") == "Pod")
        return self._leaves(n for n in pods if n.get("phase") == "Pending")

    def _leaves(self, nodes: Iterable[Node]) -> list[Leaf]:
        ordered = sorted(nodes, key=lambda n: (n.get("startedAt") or "", n.get("name", "")))
        return [self._leaf(node) for node in ordered]

    def _leaf(self, node: Node) -> Leaf:
        name = _bare(node.get("displayName", ""))
        message = str(node.get("message") or "")
        return Leaf(
            step=self._step(node),
            is_driver=bool(_DRIVER.search(name)),
            ids=tuple(dict.fromkeys((node.get("id", ""), self._pod_name(node)))),
            message="" if _PLAIN_EXIT.match(message) else message,
            since=_time(node.get("startedAt")),
        )

    def _step(self, node: Node) -> str:
        """Return the step's own name: that of its driver, or of what holds its executor."""
        name = _bare(node.get("displayName", ""))
        if name != _EXECUTOR:
            return _DRIVER.sub("", name)
        holder = self.nodes.get(node.get("boundaryID", ""), {})
        return _bare(holder.get("displayName", "")) or name

    def _pod_name(self, node: Node) -> str:
        """Return the name Argo gives a node's pod: workflow, template, hash of the node."""
        own = self.manifest.get("metadata", {}).get("name", "")
        number = str(node.get("id", "")).rpartition("-")[2]
        return f"{own}-{node.get('templateName', '')}-{number}"

    def _is_wrapper(self, node: Node) -> bool:
        """Return whether a node failed because of one inside it that did."""
        if node.get("type") == "Pod":
            return False
        inside = (n for n in self.nodes.values() if n.get("boundaryID") == node.get("id"))
        attempts = (self.nodes[c] for c in node.get("children") or () if c in self.nodes)
        return any(
            n.get("phase") in _FAILED
            for n in (*inside, *(attempts if node.get("type") == "Retry" else ()))
        )

    def _made_good(self, node: Node) -> bool:
        """Return whether a later attempt, of the step or of what holds it, succeeded."""
        return any(outer.get("phase") == "Succeeded" for outer in self._around(node))

    def _around(self, node: Node) -> Iterator[Node]:
        seen = set()
        while node and node.get("id") not in seen:
            seen.add(node.get("id"))
            yield node
            node = self.wrapper.get(node["id"]) or self.nodes.get(node.get("boundaryID", ""), {})


def _bare(name: str) -> str:
    """Return a node's name without the number of its attempt or turn."""
    return _INDEX.sub("", name)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _nodes_of(status: dict[str, Any]) -> dict[str, Node]:
    """Return the nodes by id; Argo packs those of a long run (gzip as base64), KFP does not unpack.

    What cannot be unpacked is as good as not there.
    """
    packed = status.get("compressedNodes")
    if not packed:
        return status.get("nodes") or {}
    try:
        content = zlib.decompressobj(_GZIP).decompress(base64.b64decode(packed), _MOST_BYTES)
        found: dict[str, Node] = json.loads(content)
    except (binascii.Error, zlib.error, ValueError):
        return {}
    return found
