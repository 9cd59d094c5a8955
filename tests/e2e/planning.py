"""The planners' workbench, put beside the loop as the README says, and used through its service."""

import csv
import json
import urllib.error
import urllib.request
from typing import Any

from tests.e2e.installation import PLANNER, PLANNER_TOKEN
from tests.e2e.kube import PortForward, wait_for
from tests.e2e.report import StepFailed
from tests.e2e.world import World

_WHO = "e2e"


def workbench(world: World) -> str:
    """The page of the latest review answers to its token; a decision outlives the pod."""
    world.installed.add(PLANNER)
    way = PortForward(world.kube.namespace, "planner", 8090)
    try:
        wait_for(lambda: _status(way, "healthz") == 200, 300, "the planners' page")
        if (refused := _status(way, "api/state", token="")) != 401:
            raise StepFailed(f"without its token the page answered {refused} instead of 401")
        page = _get(way, "").decode()
        if 'name="invopt-api"' not in page:
            raise StepFailed("the page has no address of its answers in it")
        state = json.loads(_get(way, "api/state"))
        series = _first_order(way)
        decided = _accept(way, state["review_date"], series)
        world.kube.must("delete", "pod", "-l", "app.kubernetes.io/name=planner", "--wait=true")
        wait_for(lambda: _status(way, "healthz") == 200, 300, "the planners' page again")
        kept = json.loads(_get(way, "api/state"))["decisions"]
    finally:
        way.close()
    if not any(d["unique_id"] == series and d["state"] == "accepted" for d in kept):
        raise StepFailed(f"the accepted order of {series} was gone with the pod: {kept}")
    return (
        f"page of {len(page) / 1e6:.1f} MB for {state['review_date']}, 401 without its token; "
        f"{series} accepted (version {decided['version']}), kept when the pod was replaced"
    )


def _first_order(way: PortForward) -> str:
    rows = list(csv.DictReader(_get(way, "api/orders.csv").decode("utf-8-sig").splitlines()))
    if not rows:
        raise StepFailed("the page offers no orders")
    return rows[0]["unique_id"]


def _accept(way: PortForward, review_date: str, series: str) -> dict[str, Any]:
    body = {"review_date": review_date, "unique_id": series, "version": 0, "state": "accepted",
            "who": _WHO}  # fmt: skip
    found: dict[str, Any] = json.loads(_get(way, "api/decisions", json.dumps(body).encode()))
    return found


def _get(way: PortForward, path: str, body: bytes | None = None) -> bytes:
    """Return an answer.

    Raises:
        StepFailed: With what the page said instead.
    """
    try:
        with urllib.request.urlopen(_request(way, path, PLANNER_TOKEN, body), timeout=60) as got:
            content: bytes = got.read()
            return content
    except urllib.error.HTTPError as err:
        raise StepFailed(f"/{path} answered {err.code}: {err.read().decode()[:300]}") from err
    except OSError as err:
        raise StepFailed(f"/{path} did not answer: {err}") from err


def _status(way: PortForward, path: str, token: str = PLANNER_TOKEN) -> int:
    """Return an answer's status, 0 where nobody answered."""
    try:
        with urllib.request.urlopen(_request(way, path, token), timeout=10) as got:
            return int(got.status)
    except urllib.error.HTTPError as err:
        return err.code
    except OSError:
        return 0


def _request(
    way: PortForward, path: str, token: str, body: bytes | None = None
) -> urllib.request.Request:
    head = {"Content-Type": "application/json"} if body else {}
    if token:
        head["Authorization"] = f"Bearer {token}"
    return urllib.request.Request(f"{way.url}/{path}", data=body, headers=head)
