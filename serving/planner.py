"""The planner's page with a hand on it: decisions, overrides of forecasts, what if.

It serves the page of the latest review that a workspace keeps (serving.stores.order_plans): the
same on a laptop and on a cluster's shared volume. What planners do is kept by
review and series; two who look at the same order are told of each other, and nothing is lost.
"""

import errno
import hmac
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import uvicorn
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from invopt.config import explain_validation
from invopt.errors import InvalidInputError
from invopt.files import plain, read_csv, write_csv
from invopt.inventory.assumptions import Assumptions
from invopt.report.drafts import DRAFTS, draft_lines
from invopt.report.plan import read_plan
from invopt.runtime import OnnxForecaster
from invopt.steps.what_if import Predict, SideBySide, review_files_of, what_if
from invopt.types import Notify
from serving.deployment import Deployment
from serving.ports import check_free, url_of
from serving.settings import ServerSettings, Settings
from serving.stores.order_plans import KeptReview, latest_review
from serving.stores.planner_desk import (
    CHANGED,
    OPEN,
    REJECTED,
    SNOOZED,
    DecidedMeanwhileError,
    ForecastOverride,
    PlannedScenario,
    PlannerDecision,
    PlannerDesk,
    desk_file,
)

Forecasters = Callable[[str, str], Predict | None]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COOKIE = "invopt_planner"
_MAX_BODY = 64 << 10
_MOST_CHANGES = 200  # rows of an answer; totals are of all
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SECURE = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}  # fmt: skip
PlannerText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Number = Annotated[int, Field(ge=0, lt=1 << 53)]  # of a row; the database holds no larger one


def _on_a_calendar(text: str) -> str:
    """Return a date as it is; planning reads it later, and stops at one that does not exist."""
    try:
        year = date.fromisoformat(text).year
    except ValueError as err:
        raise ValueError("it is no date of the calendar: write it as YYYY-MM-DD") from err
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"a year is between {_FIRST_YEAR} and {_LAST_YEAR}")
    return text


Date = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_on_a_calendar)
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DecisionBody(_Body):
    """A decision: of which review and version it was made looking at."""

    review_date: Date
    unique_id: PlannerText
    version: Number
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
    version: Annotated[Number, Field(ge=1)]
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

    id: Number
    who: PlannerText


class AssumptionsBody(_Body):
    """What a planner assumes, of which series."""

    review_date: Date
    column: Literal["", "unique_id", "product", "location", "supplier", "category"] = ""
    value: str = Field(default="", max_length=200)
    lead_time_times: float = Field(default=1, ge=0, le=10, allow_inf_nan=False)
    lead_time_added: int = Field(default=0, ge=-365, le=365)
    price_times: float = Field(default=1, ge=0.1, le=10, allow_inf_nan=False)
    service_level: float | None = Field(default=None, ge=0.5, le=0.9999, allow_inf_nan=False)
    budget: float | None = Field(default=None, ge=0, le=1e15, allow_inf_nan=False)
    with_overrides: bool = False

    @model_validator(mode="after")
    def _something(self) -> "AssumptionsBody":
        if bool(self.column) != bool(self.value):
            raise ValueError("say which series: a column and its value, or neither for all")
        if self.assumptions.is_nothing and not self.with_overrides:
            raise ValueError("nothing is assumed: change lead time, price, service or budget")
        return self

    @property
    def assumptions(self) -> Assumptions:
        """What is assumed."""
        said = self.model_dump(exclude={"review_date", "with_overrides", "name", "who", "why"})
        return Assumptions(**said)


class ScenarioBody(AssumptionsBody):
    """Assumptions that are kept under a name."""

    name: PlannerText
    who: PlannerText
    why: str = Field(default="", max_length=1000)


class KeptScenarioBody(_Body):
    """A scenario that is removed, brought back, taken as orders, or given back."""

    review_date: Date
    id: Number
    who: PlannerText


@dataclass(frozen=True)
class ShownReview:
    """The review that is served.

    Attributes:
        kept: Its files.
        unique_ids: Series it plans.
    """

    kept: KeptReview
    unique_ids: frozenset[str] = field(repr=False)

    @property
    def review_date(self) -> str:
        """ISO."""
        return self.kept.review_date

    @property
    def folder(self) -> Path:
        """Of its files."""
        return self.kept.folder

    @classmethod
    def latest(cls, plans: Path, name: str | None = None) -> "ShownReview":
        """Return the latest review that is kept, of one model or of all.

        Raises:
            InvalidInputError: If there is none.
        """
        kept = latest_review(plans, name)
        plan = read_csv(kept.folder / "orders.csv", dtype=str, usecols=["unique_id"])
        return cls(kept, frozenset(plan["unique_id"]))


class Planner:
    """The application's answers.

    Args:
        settings: Where plans, snapshots and models are.
        token: That callers must show; "" for none.
        predict: Makes the forecaster of a model's version, for other prices; None for no model.
        name: Model whose orders are shown; None for whichever was planned last.
    """

    def __init__(
        self, settings: Settings, token: str, predict: Forecasters | None, name: str | None = None
    ) -> None:
        self.settings, self.token, self.predict, self.name = settings, token, predict, name
        self._desks: dict[str, PlannerDesk] = {}
        self.review = self._latest()
        # What the cookie holds: whoever reads it has not read the token.
        self.ticket = secrets.token_urlsafe(24)
        self._planning = Lock()  # planning takes a whole core: one after another

    @property
    def desk(self) -> PlannerDesk:
        """What planners decide about the model of the review that is shown."""
        return self._desks[self.review.kept.name]

    def _latest(self) -> ShownReview:
        """Return the latest review, the desk of its model open."""
        found = ShownReview.latest(self.settings.plans, self.name)
        name = found.kept.name
        if name not in self._desks:
            self._desks[name] = PlannerDesk(desk_file(self.settings.plans, name))
        return found

    async def page(self, request: Request) -> Response:
        """Return the page of the latest review, with the address of its answers in it."""
        if not self._may_enter(request):
            return HTMLResponse(_ENTRY, status_code=401, headers=_SECURE)
        try:
            text = await run_in_threadpool(self._page)
        except (FileNotFoundError, InvalidInputError):  # a run puts another one there just now
            return _fault(503, "the plan is being replaced: load the page again in a moment.")
        return HTMLResponse(text, headers=_SECURE)

    def _page(self) -> str:
        self.review = self._latest()
        text = (self.review.folder / "plan.html").read_text(encoding="utf-8")
        return text.replace("<head>", '<head><meta name="invopt-api" content="api">', 1)

    async def enter(self, request: Request) -> Response:
        """Take the token from the entry form and give a cookie for it."""
        form = await _body_of(request)
        if form is None:
            return _too_large()
        given = form.decode("utf-8", "replace").removeprefix("token=").strip()
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
            "latest": latest_review(self.settings.plans, self.name).review_date,
            "decisions": [d.as_dict() for d in decisions],
            "scenarios": self.desk.scenarios(self.review.review_date),
            "overrides": self.desk.overrides().to_dict("records"),
        }

    async def decide(self, request: Request) -> Response:
        """Keep a decision."""
        return await self._answer(request, DecisionBody, self._decide)

    def _decide(self, body: DecisionBody) -> dict[str, Any]:
        self._known(body)
        wish = PlannerDecision(
            unique_id=body.unique_id,
            version=body.version,
            state=body.state,
            quantity=body.quantity,
            who=body.who,
            why=body.why,
        )
        return self.desk.decide(body.review_date, wish).as_dict()

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
        wish = ForecastOverride(body.unique_id, body.first, body.last, body.kind, body.value)
        return {"id": self.desk.override(wish, body.who, body.why)}

    async def withdraw(self, request: Request) -> Response:
        """Take an override back."""
        return await self._answer(request, WithdrawalBody, self._withdraw)

    def _withdraw(self, body: WithdrawalBody) -> dict[str, Any]:
        if not self.desk.withdraw(body.id, body.who):
            raise InvalidInputError(f"override {body.id} does not stand any more.")
        return {"id": body.id}

    async def what_if(self, request: Request) -> Response:
        """Plan again under assumptions; nothing is kept."""
        return await self._answer(request, AssumptionsBody, self._what_if)

    def _what_if(self, body: AssumptionsBody) -> dict[str, Any]:
        return self._outlook(body).as_dict(_MOST_CHANGES)

    def _outlook(self, body: AssumptionsBody) -> SideBySide:
        self._of_review(body.review_date)
        review = self.review
        said = self.desk.overrides().drop(columns="id") if body.with_overrides else None
        overrides = review.kept.overrides() if said is None else said
        snapshot = self.settings.snapshots / review.kept.snapshot
        for place in (snapshot, review.folder / "derived", review.folder / "forecast"):
            if not place.is_dir():  # tables that are not there would be read as "nothing known"
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
        files = review_files_of(review.folder, snapshot, overrides)
        plan = read_plan(review.folder / "orders.csv")
        predict = None
        if self.predict is not None and body.assumptions.changes_price:
            predict = self.predict(review.kept.name, str(plan["model_version"].iloc[0]))
        with self._planning:
            return what_if(files, plan, review.kept.config.inventory, body.assumptions, predict)

    async def save_scenario(self, request: Request) -> Response:
        """Plan again under assumptions, and keep what came out under a name."""
        return await self._answer(request, ScenarioBody, self._save_scenario)

    def _save_scenario(self, body: ScenarioBody) -> dict[str, Any]:
        found = self._outlook(body)
        after = found.changes.set_index("unique_id")["after"].dropna()
        orders = {str(name): float(quantity) for name, quantity in after.items()}
        assumed = body.model_dump(exclude={"review_date", "name", "who", "why"})
        kept = PlannedScenario(body.name, assumed, found.as_dict(_MOST_CHANGES), orders)
        number = self.desk.save_scenario(body.review_date, kept, body.who, body.why)
        return {"id": number, "scenarios": self.desk.scenarios(body.review_date)}

    async def remove_scenario(self, request: Request) -> Response:
        """Take a scenario off the list."""
        return await self._answer(request, KeptScenarioBody, partial(self._remove, back=False))

    async def restore_scenario(self, request: Request) -> Response:
        """Undo a removal."""
        return await self._answer(request, KeptScenarioBody, partial(self._remove, back=True))

    def _remove(self, body: KeptScenarioBody, *, back: bool) -> dict[str, Any]:
        if not self.desk.remove_scenario(body.id, body.who, back=back):
            raise InvalidInputError(f"scenario {body.id} is {'there' if back else 'gone'} already.")
        return {"scenarios": self.desk.scenarios(self.review.review_date)}

    async def take_scenario(self, request: Request) -> Response:
        """Take a scenario's orders: each that differs becomes a planner's change."""
        return await self._answer(request, KeptScenarioBody, self._take)

    def _take(self, body: KeptScenarioBody) -> dict[str, Any]:
        name, orders = self._scenario(body)
        stands = self.desk.decisions(body.review_date)
        kept = []
        for unique_id, quantity in orders.items():
            before = stands.get(unique_id)
            if before is not None and before.state != OPEN:
                kept.append(unique_id)  # somebody decided: that is not overruled by a list
                continue
            wish = PlannerDecision(
                unique_id=unique_id,
                version=before.version if before else 0,
                state=CHANGED,
                quantity=quantity,
                who=body.who,
                why=_reason(body.id, name),
            )
            try:
                self.desk.decide(body.review_date, wish)
            except DecidedMeanwhileError:
                kept.append(unique_id)
        return {"taken": len(orders) - len(kept), "kept": kept[:_MOST_CHANGES],
                "num_kept": len(kept)}  # fmt: skip

    async def give_back_scenario(self, request: Request) -> Response:
        """Undo a taking: orders that still stand as the scenario left them are open again."""
        return await self._answer(request, KeptScenarioBody, self._give_back)

    def _give_back(self, body: KeptScenarioBody) -> dict[str, Any]:
        name, _ = self._scenario(body)
        done = 0
        for unique_id, decision in self.desk.decisions(body.review_date).items():
            if decision.why != _reason(body.id, name) or decision.state != CHANGED:
                continue
            with suppress(DecidedMeanwhileError):
                self.desk.undo(body.review_date, unique_id, decision.version, body.who)
                done += 1
        return {"given_back": done}

    def _scenario(self, body: KeptScenarioBody) -> tuple[str, dict[str, float]]:
        self._of_review(body.review_date)
        found = self.desk.scenario_orders(body.id)
        if found is None or found[0] != body.review_date:
            raise InvalidInputError(f"there is no scenario {body.id} of this plan.")
        return found[1], found[2]

    async def draft(self, request: Request) -> Response:
        """Return the decided orders as an ERP's importer takes them."""
        kind = request.path_params["kind"]
        if kind not in DRAFTS:
            return _fault(404, f"drafts are there for {', '.join(DRAFTS)}.")
        return await self._answer(request, None, partial(self._draft, kind))

    def _draft(self, kind: str, _: Any) -> Response:
        texts = {"unique_id": str, "supplier": str}
        bought = read_csv(self.review.folder / "purchase_orders.csv", dtype=texts)
        lines = draft_lines(bought, self._decided())
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "draft.xlsx"
            DRAFTS[kind](lines, self.review.kept.config.currency, file)
            content = file.read_bytes()
        return _download(content, f"{kind}-{self.review.review_date}.xlsx", _XLSX)

    async def orders(self, request: Request) -> Response:
        """Return orders.csv with the decisions in it."""
        return await self._answer(request, None, lambda _: _as_csv(self._decided(), "orders.csv"))

    async def overrides(self, request: Request) -> Response:
        """Return the overrides that stand, in the columns that a mapping reads."""
        return await self._answer(request, None, self._overrides)

    def _overrides(self, _: Any) -> Response:
        return _as_csv(self.desk.overrides().drop(columns="id"), "overrides.csv")

    def _decided(self) -> pd.DataFrame:
        plan = read_plan(self.review.folder / "orders.csv")
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

    def _of_review(self, review_date: str) -> None:
        if review_date != self.review.review_date:
            raise InvalidInputError(
                f"the plan of {review_date} was replaced by that of "
                f"{self.review.review_date}: load the page again; what was decided is kept."
            )

    def _known(self, body: DecisionBody | UndoBody | OverrideBody) -> None:
        self._of_review(body.review_date)
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
            raw = await _body_of(request)
            if raw is None:
                return _too_large()
            try:
                body = kind.model_validate_json(raw)
            except ValidationError as err:
                return _fault(400, f"{_explained(err)}.")
        return await run_in_threadpool(self._done, do, body)

    def _done(self, do: Any, body: Any) -> Response:
        """Do it, and tell what came out or what is wrong."""
        try:
            answer = do(body)
        except DecidedMeanwhileError as err:
            return _fault(409, _first(err.now), now=err.now.as_dict())
        except FileNotFoundError as err:
            return _fault(409, self._gone(err))
        except InvalidInputError as err:
            return _fault(409 if "replaced" in str(err) else 400, str(err))
        if isinstance(answer, Response):
            return answer
        return JSONResponse(plain(answer), headers=_SECURE)

    def _gone(self, err: FileNotFoundError) -> str:
        """Say what became of a plan whose file is not there."""
        if not self.review.folder.is_dir():
            return (
                f"the plan of {self.review.review_date} was replaced meanwhile: load the page "
                "again; what was decided is kept."
            )
        return (
            f"{err.filename} of the plan of {self.review.review_date} is not there any more: "
            "plan again (invopt run replenishment), then load the page again."
        )


def create_app(
    settings: Settings,
    token: str,
    hosts: list[str],
    predict: Forecasters | None = None,
    name: str | None = None,
) -> Starlette:
    """Return the application.

    Args:
        settings: Where plans, snapshots and models are.
        token: That callers must show; "" for none.
        hosts: Names by which it may be asked; others are refused (DNS rebinding).
        predict: Makes the forecaster of a model's version, for other prices; None for no model.
        name: Model whose orders are shown; None for whichever was planned last.

    Raises:
        InvalidInputError: If nothing was planned yet.
    """
    planner = Planner(settings, token, predict, name)
    posted = {
        "decisions": planner.decide, "undo": planner.undo, "overrides": planner.override,
        "withdraw": planner.withdraw, "what-if": planner.what_if,
        "scenarios": planner.save_scenario, "scenarios/remove": planner.remove_scenario,
        "scenarios/restore": planner.restore_scenario, "scenarios/take": planner.take_scenario,
        "scenarios/give-back": planner.give_back_scenario,
    }  # fmt: skip
    routes = [
        Route("/", planner.page),
        Route("/healthz", _alive),
        Route("/enter", planner.enter, methods=["POST"]),
        Route("/api/state", planner.state),
        Route("/api/orders.csv", planner.orders),
        Route("/api/overrides.csv", planner.overrides),
        Route("/api/drafts/{kind}.xlsx", planner.draft),
        *(Route(f"/api/{path}", do, methods=["POST"]) for path, do in posted.items()),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    )


def run(
    deployment: Deployment, settings: ServerSettings, tell: Notify, name: str | None = None
) -> None:
    """Serve until the process is told to end.

    Args:
        deployment: Whose plans and models they are.
        settings: Address and token.
        tell: Called with each line.
        name: Model whose orders are shown; None for whichever was planned last.

    Raises:
        InvalidInputError: If the address is open to others and there is no token, nothing was
            planned yet, or the port is in use.
    """
    is_loopback = settings.host in LOOPBACK
    if not is_loopback and not settings.token:
        raise InvalidInputError(
            f"--host {settings.host} lets others in: set INVOPT_SERVER_TOKEN to a secret first."
        )
    hosts = [*LOOPBACK, "[::1]"] if is_loopback else ["*"]
    app = create_app(deployment.settings, settings.token, hosts, forecasters_of(deployment), name)
    check_free(settings)
    config = uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning")
    with suppress(KeyboardInterrupt):
        _TellingServer(config, tell).run()


class _TellingServer(uvicorn.Server):
    """Says where the page is once it can be opened, and not before."""

    def __init__(self, config: uvicorn.Config, tell: Notify) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        place = url_of(self.config.host, port)
        self._tell(f"the planner's page is on {place} (press Ctrl-C to stop)")


def forecasters_of(deployment: Deployment) -> Forecasters:
    """Return what makes the forecaster of a model's version; the latest one is kept."""
    kept: dict[tuple[str, str], Predict] = {}

    def made(name: str, label: str) -> Predict | None:
        if (name, label) not in kept:
            version = label.removeprefix(f"{name}-")
            try:
                path = deployment.registry.version_path(name, version)
            except (InvalidInputError, OSError):
                return None  # said on the page: demand stays as it is; asked again next time
            kept.clear()
            kept[name, label] = OnnxForecaster(path).predict
        return kept[name, label]

    return made


async def _alive(_: Request) -> Response:
    return Response("ok", media_type="text/plain", headers=_SECURE)


def _reason(number: int, name: str) -> str:
    return f"scenario {number}: {name}"


def _as_csv(frame: pd.DataFrame, name: str) -> Response:
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder) / name, frame)
        content = (Path(folder) / name).read_bytes()
    return _download(content, name, "text/csv; charset=utf-8")


def _download(content: bytes, name: str, kind: str) -> Response:
    head = _SECURE | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=head)


async def _body_of(request: Request) -> bytes | None:
    """Return a body; None where it is longer than anybody's here, and no more of it is read."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _explained(err: ValidationError) -> str:
    """Say what is wrong with a body, its whole content not repeated."""
    whole = [f for f in err.errors() if not f["loc"]]
    if not whole:
        return explain_validation(err)
    return "; ".join(f["msg"].removeprefix("Value error, ") for f in whole)


def _first(now: PlannerDecision) -> str:
    """Say that somebody else was first, and with what."""
    if not now.version:
        return "nobody has decided about this order yet: load the page again."
    return (
        f"{now.who} was first: {now.state}"
        + (f" to {now.quantity:g}" if now.quantity is not None else "")
        + (f" ({now.why})" if now.why else "")
        + ". Nothing of yours was saved over it; look, and decide again."
    )


def _too_large() -> Response:
    return _fault(413, f"a body has at most {_MAX_BODY:,} bytes.")


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
