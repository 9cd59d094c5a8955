"""The planner's page with a hand on it: decisions about orders, overrides of forecasts.

It serves the page of the latest replenishment run in a workspace. What planners do is kept by
review and series; two who look at the same order are told of each other, and nothing is lost.
"""

import hmac
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from invopt.config import explain_validation
from invopt.errors import InvalidInputError
from invopt.files import read_csv, write_csv
from invopt.types import Notify
from serving.settings import ServerSettings
from serving.stores.planner_desk import (
    REJECTED,
    SNOOZED,
    DecidedMeanwhileError,
    PlannerDesk,
    desk_file,
)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COOKIE = "invopt_planner"
_MAX_BODY = 64 << 10
_SECURE = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}  # fmt: skip
PlannerText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DecisionBody(_Body):
    """A decision: of which review and version it was made looking at."""

    review_date: Date
    unique_id: PlannerText
    version: int = Field(ge=0)
    state: Literal["open", "accepted", "changed", "snoozed", "rejected"]
    quantity: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)
    who: PlannerText
    why: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _quantity_where_changed(self) -> "DecisionBody":
        if (self.state == "changed") != (self.quantity is not None):
            raise ValueError("a changed order needs a quantity, and only a changed one has it")
        return self


class UndoBody(_Body):
    """Back to what stood before a version."""

    review_date: Date
    unique_id: PlannerText
    version: int = Field(ge=1)
    who: PlannerText


class OverrideBody(_Body):
    """A planner's demand: units over the dates, or a factor on the forecast."""

    review_date: Date
    unique_id: PlannerText
    first: Date
    last: Date
    kind: Literal["demand", "factor"]
    value: float = Field(ge=0, le=1e9, allow_inf_nan=False)
    who: PlannerText
    why: PlannerText

    @model_validator(mode="after")
    def _in_range(self) -> "OverrideBody":
        if self.last < self.first:
            raise ValueError(f"it ends on {self.last}, before it begins on {self.first}")
        if self.last <= self.review_date:
            raise ValueError(f"it ends on {self.last}; the forecast begins after the review")
        if self.kind == "factor" and self.value > 100:
            raise ValueError(f"a factor is at most 100, got {self.value:g}: is it a demand?")
        return self


class WithdrawalBody(_Body):
    """An override taken back."""

    id: int
    who: PlannerText


@dataclass(frozen=True)
class ShownReview:
    """The review that is served.

    Attributes:
        folder: Of its run.
        review_date: ISO.
        name: Of the model.
        unique_ids: Series it plans.
    """

    folder: Path
    review_date: str
    name: str
    unique_ids: frozenset[str] = field(repr=False)

    @classmethod
    def latest(cls, workspace: Path) -> "ShownReview":
        """Return the latest review that a workspace's runs have left.

        Raises:
            InvalidInputError: If there is none.
        """
        found = sorted((workspace / "runs").glob("replenishment-*/plan.html"))
        found = [page for page in found if (page.parent / "orders.csv").is_file()]
        if not found:
            raise InvalidInputError(
                f"no orders were planned in {workspace} yet: run `invopt run replenishment "
                f"--workspace {workspace}` first."
            )
        folder = found[-1].parent
        plan = read_csv(
            folder / "orders.csv", dtype=str, usecols=["unique_id", "review_date", "model_version"]
        )
        name = str(plan["model_version"].iloc[0]).rpartition("-")[0]
        return cls(folder, str(plan["review_date"].iloc[0]), name, frozenset(plan["unique_id"]))


class Planner:
    """The application's answers.

    Args:
        workspace: Whose latest review is served.
        token: That callers must show; "" for none.
    """

    def __init__(self, workspace: Path, plans: Path, token: str) -> None:
        self.workspace, self.token = workspace, token
        self.review = ShownReview.latest(workspace)
        self.desk = PlannerDesk(desk_file(plans, self.review.name))
        # What the cookie holds: whoever reads it has not read the token.
        self.ticket = secrets.token_urlsafe(24)

    async def page(self, request: Request) -> Response:
        """Return the page of the latest review, with the address of its answers in it."""
        if not self._may_enter(request):
            return HTMLResponse(_ENTRY, status_code=401, headers=_SECURE)
        self.review = await run_in_threadpool(ShownReview.latest, self.workspace)
        text = (self.review.folder / "plan.html").read_text()
        mark = '<meta name="invopt-api" content="api">'
        return HTMLResponse(text.replace("<head>", f"<head>{mark}", 1), headers=_SECURE)

    async def enter(self, request: Request) -> Response:
        """Take the token from the entry form and give a cookie for it."""
        form = (await request.body())[:_MAX_BODY].decode("utf-8", "replace")
        given = form.removeprefix("token=").strip()
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return HTMLResponse(_ENTRY, status_code=401, headers=_SECURE)
        answer = RedirectResponse("./", status_code=303, headers=_SECURE)
        answer.set_cookie(_COOKIE, self.ticket, httponly=True, samesite="strict")
        return answer

    async def state(self, request: Request) -> Response:
        """Return what stands: the review, decisions and overrides."""
        return await self._answer(request, None, self._state)

    def _state(self, _: Any) -> dict[str, Any]:
        decisions = self.desk.decisions(self.review.review_date).values()
        return {
            "review_date": self.review.review_date,
            "latest": ShownReview.latest(self.workspace).review_date,
            "decisions": [d.as_dict() for d in decisions],
            "overrides": self.desk.overrides().to_dict("records"),
        }

    async def decide(self, request: Request) -> Response:
        """Keep a decision."""
        return await self._answer(request, DecisionBody, self._decide)

    def _decide(self, body: DecisionBody) -> dict[str, Any]:
        self._known(body)
        return self.desk.decide(
            body.review_date, body.unique_id, body.version, body.state, body.quantity,
            who=body.who, why=body.why,
        ).as_dict()  # fmt: skip

    async def undo(self, request: Request) -> Response:
        """Bring back what stood before."""
        return await self._answer(request, UndoBody, self._undo)

    def _undo(self, body: UndoBody) -> dict[str, Any]:
        self._known(body)
        return self.desk.undo(body.review_date, body.unique_id, body.version, body.who).as_dict()

    async def override(self, request: Request) -> Response:
        """Keep an override; the next replenishment run plans with it."""
        return await self._answer(request, OverrideBody, self._override)

    def _override(self, body: OverrideBody) -> dict[str, Any]:
        self._known(body)
        number = self.desk.override(
            body.unique_id, body.first, body.last, body.kind, body.value, who=body.who, why=body.why
        )
        return {"id": number}

    async def withdraw(self, request: Request) -> Response:
        """Take an override back."""
        return await self._answer(request, WithdrawalBody, self._withdraw)

    def _withdraw(self, body: WithdrawalBody) -> dict[str, Any]:
        if not self.desk.withdraw(body.id, body.who):
            raise InvalidInputError(f"override {body.id} does not stand any more.")
        return {"id": body.id}

    async def orders(self, request: Request) -> Response:
        """Return orders.csv with the decisions in it."""
        if not self._may_enter(request):
            return _refused()
        frame = await run_in_threadpool(self._decided)
        return _as_csv(frame, "orders.csv")

    async def overrides(self, request: Request) -> Response:
        """Return the overrides that stand, in the columns that a mapping reads."""
        if not self._may_enter(request):
            return _refused()
        frame = await run_in_threadpool(self.desk.overrides)
        return _as_csv(frame.drop(columns="id"), "overrides.csv")

    def _decided(self) -> pd.DataFrame:
        plan = read_csv(
            self.review.folder / "orders.csv", dtype={"unique_id": str}, keep_default_na=True
        )
        stands = self.desk.decisions(self.review.review_date)
        plan["planned_quantity"] = plan["order_quantity"]
        for column in ("decision", "decided_by", "decided_why"):
            plan[column] = ""
        place = {name: row for row, name in enumerate(plan["unique_id"])}
        quantity = plan["order_quantity"].to_numpy(np.float64).copy()
        for name, decision in stands.items():
            row = place.get(name)
            if row is None:
                continue
            plan.loc[row, ["decision", "decided_by", "decided_why"]] = [
                decision.state, decision.who, decision.why,
            ]  # fmt: skip
            if decision.quantity is not None:
                quantity[row] = decision.quantity
            elif decision.state in (REJECTED, SNOOZED):
                quantity[row] = 0
        before = plan["order_quantity"].to_numpy(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            unit = plan["order_value"].to_numpy(np.float64) / before
        moved = np.nan_to_num(quantity, nan=-1) != np.nan_to_num(before, nan=-1)
        value = np.where(quantity == 0, 0, unit * quantity).round(2)
        plan["order_quantity"] = quantity
        plan["order_value"] = np.where(moved, value, plan["order_value"])
        return plan

    def _known(self, body: DecisionBody | UndoBody | OverrideBody) -> None:
        if body.review_date != self.review.review_date:
            raise InvalidInputError(
                f"the plan of {body.review_date} was replaced by that of "
                f"{self.review.review_date}: load the page again; what was decided is kept."
            )
        if body.unique_id not in self.review.unique_ids:
            raise InvalidInputError(f"the plan has no series {body.unique_id!r}.")

    def _may_enter(self, request: Request) -> bool:
        if not self.token:
            return True
        shown = request.headers.get("authorization", "")
        if hmac.compare_digest(shown.encode(), f"Bearer {self.token}".encode()):
            return True
        cookie = request.cookies.get(_COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self.ticket.encode())

    async def _answer(self, request: Request, kind: Any, do: Any) -> Response:
        """Read a body of some kind, do it in a thread, and tell what came out or what is wrong."""
        if not self._may_enter(request):
            return _refused()
        body = None
        if kind is not None:
            # Another site's page can send a form here, but no JSON.
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return _fault(415, "send application/json.")
            raw = await request.body()
            if len(raw) > _MAX_BODY:
                return _fault(413, f"a body has at most {_MAX_BODY:,} bytes.")
            try:
                body = kind.model_validate_json(raw)
            except ValidationError as err:
                return _fault(400, f"{explain_validation(err)}.")
        try:
            return JSONResponse(await run_in_threadpool(do, body), headers=_SECURE)
        except DecidedMeanwhileError as err:
            now = err.now
            told = (
                f"{now.who or 'somebody'} was first: {now.state}"
                + (f" to {now.quantity:g}" if now.quantity is not None else "")
                + (f" ({now.why})" if now.why else "")
                + ". Nothing of yours was saved over it; look, and decide again."
            )
            return _fault(409, told, now=now.as_dict())
        except InvalidInputError as err:
            return _fault(409 if "replaced" in str(err) else 400, str(err))


def create_app(workspace: Path, plans: Path, token: str, hosts: list[str]) -> Starlette:
    """Return the application.

    Args:
        workspace: Whose latest review is served.
        plans: Folder of past reviews' orders.
        token: That callers must show; "" for none.
        hosts: Names by which it may be asked; others are refused (DNS rebinding).

    Raises:
        InvalidInputError: If nothing was planned yet.
    """
    planner = Planner(workspace, plans, token)
    routes = [
        Route("/", planner.page),
        Route("/enter", planner.enter, methods=["POST"]),
        Route("/api/state", planner.state),
        Route("/api/decisions", planner.decide, methods=["POST"]),
        Route("/api/undo", planner.undo, methods=["POST"]),
        Route("/api/overrides", planner.override, methods=["POST"]),
        Route("/api/withdraw", planner.withdraw, methods=["POST"]),
        Route("/api/orders.csv", planner.orders),
        Route("/api/overrides.csv", planner.overrides),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    )


def run(workspace: Path, plans: Path, settings: ServerSettings, tell: Notify) -> None:
    """Serve until the process is told to end.

    Raises:
        InvalidInputError: If the address is open to others and there is no token, or nothing was
            planned yet.
    """
    is_loopback = settings.host in LOOPBACK
    if not is_loopback and not settings.token:
        raise InvalidInputError(
            f"--host {settings.host} lets others in: set INVOPT_SERVER_TOKEN to a secret first."
        )
    hosts = list(LOOPBACK) if is_loopback else ["*"]
    app = create_app(workspace, plans, settings.token, hosts)
    tell(f"the planner's page is on http://{settings.host}:{settings.port} (press Ctrl-C to stop)")
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


def _as_csv(frame: pd.DataFrame, name: str) -> Response:
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder) / name, frame)
        content = (Path(folder) / name).read_bytes()
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers=_SECURE | {"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _refused() -> Response:
    return _fault(401, "send the bearer token of this server, or enter it on the page.")


def _fault(status: int, text: str, **more: Any) -> Response:
    return JSONResponse({"error": text} | more, status_code=status, headers=_SECURE)


_ENTRY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>invopt plan</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<main style="font:16px system-ui;max-width:26em;margin:15vh auto"><h1>Orders</h1>
<form method="post" action="enter" enctype="text/plain">
<p><label for="token">Token of this server</label><br>
<input id="token" name="token" type="password" autocomplete="current-password" required
style="font:inherit;width:100%"></p>
<p><button style="font:inherit">Enter</button></p></form></main></html>"""
