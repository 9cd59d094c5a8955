"""The planner's page over HTTP: who may enter, what a body may be, and how faults are told."""

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from invopt.errors import InvalidInputError
from invopt.files import plain
from invopt.report.drafts import DRAFTS
from invopt.types import Json
from serving.settings import Settings
from serving.stores.planner_desk import DecidedMeanwhileError, PlannerDecision
from serving.workbench.bodies import (
    AssumptionsBody,
    DecisionBody,
    KeptScenarioBody,
    OverrideBody,
    PageBody,
    ScenarioBody,
    UndoBody,
    WithdrawalBody,
    explained_body,
)
from serving.workbench.open_review import Download, Forecasters, Workbench

_COOKIE = "invopt_planner"
_MAX_BODY = 64 << 10
_SECURE = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}  # fmt: skip

_Posted = Mapping[str, tuple[type[PageBody], Callable[[Any], Json]]]


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
    bench = Workbench(settings, predict, name)
    web = _Web(bench, token)
    posted: _Posted = {
        "decisions": (DecisionBody, bench.decide),
        "undo": (UndoBody, bench.undo),
        "overrides": (OverrideBody, bench.override),
        "withdraw": (WithdrawalBody, bench.withdraw),
        "what-if": (AssumptionsBody, bench.what_if),
        "scenarios": (ScenarioBody, bench.save_scenario),
        "scenarios/remove": (KeptScenarioBody, bench.remove_scenario),
        "scenarios/restore": (KeptScenarioBody, bench.restore_scenario),
        "scenarios/take": (KeptScenarioBody, bench.take_scenario),
        "scenarios/give-back": (KeptScenarioBody, bench.give_back_scenario),
    }
    routes = [
        Route("/", web.page),
        Route("/healthz", _alive),
        Route("/enter", web.enter, methods=["POST"]),
        Route("/api/state", web.got(bench.state)),
        Route("/api/orders.csv", web.got(bench.orders)),
        Route("/api/overrides.csv", web.got(bench.standing_overrides)),
        Route("/api/drafts/{kind}.xlsx", web.draft),
        *(
            Route(f"/api/{path}", web.posted(kind, do), methods=["POST"])
            for path, (kind, do) in posted.items()
        ),
    ]
    return Starlette(
        routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    )


class _Web:
    """Requests about a workbench.

    Args:
        bench: Whose answers they get.
        token: That callers must show; "" for none.
    """

    def __init__(self, bench: Workbench, token: str) -> None:
        self.bench, self.token = bench, token
        # What the cookie holds: whoever reads it has not read the token.
        self.ticket = secrets.token_urlsafe(24)

    async def page(self, request: Request) -> Response:
        """Return the page of the latest review."""
        if not self._may_enter(request):
            return HTMLResponse(_ENTRY, status_code=401, headers=_SECURE)
        try:
            text = await run_in_threadpool(self.bench.page)
        except (FileNotFoundError, InvalidInputError):  # a run puts another one there just now
            return _fault(503, "the plan is being replaced: load the page again in a moment.")
        return HTMLResponse(text, headers=_SECURE)

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

    async def draft(self, request: Request) -> Response:
        """Return the decided orders as an ERP's importer takes them."""
        kind = request.path_params["kind"]
        if kind not in DRAFTS:
            return _fault(404, f"drafts are there for {', '.join(DRAFTS)}.")
        return await self.got(lambda: self.bench.draft(kind))(request)

    def got(self, do: Callable[[], Json | Download]) -> Any:
        """Return what answers a request that has no body."""

        async def answer(request: Request) -> Response:
            if not self._may_enter(request):
                return _refused()
            return await run_in_threadpool(self._done, do)

        return answer

    def posted(self, kind: type[PageBody], do: Callable[[Any], Json]) -> Any:
        """Return what answers a request with a body of some kind."""

        async def answer(request: Request) -> Response:
            if not self._may_enter(request):
                return _refused()
            # Another site's page can send a form here, but no JSON.
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return _fault(415, "send application/json.")
            raw = await _body_of(request)
            if raw is None:
                return _too_large()
            try:
                body = kind.model_validate_json(raw)
            except ValidationError as err:
                return _fault(400, f"{explained_body(err)}.")
            return await run_in_threadpool(self._done, lambda: do(body))

        return answer

    def _may_enter(self, request: Request) -> bool:
        if not self.token:
            return True
        shown = request.headers.get("authorization", "")
        if hmac.compare_digest(shown.encode(), f"Bearer {self.token}".encode()):
            return True
        cookie = request.cookies.get(_COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self.ticket.encode())

    def _done(self, do: Callable[[], Json | Download]) -> Response:
        """Do it, and tell what came out or what is wrong."""
        try:
            answer = do()
        except DecidedMeanwhileError as err:
            return _fault(409, _first(err.now), now=err.now.as_dict())
        except FileNotFoundError as err:
            return _fault(409, self._gone(err))
        except InvalidInputError as err:
            return _fault(409 if "replaced" in str(err) else 400, str(err))
        if isinstance(answer, Download):
            head = _SECURE | {"Content-Disposition": f'attachment; filename="{answer.name}"'}
            return Response(answer.content, media_type=answer.kind, headers=head)
        return JSONResponse(plain(answer), headers=_SECURE)

    def _gone(self, err: FileNotFoundError) -> str:
        """Say what became of a plan whose file is not there."""
        review = self.bench.review
        if not review.folder.is_dir():
            return (
                f"the plan of {review.review_date} was replaced meanwhile: load the page "
                "again; what was decided is kept."
            )
        return (
            f"{err.filename} of the plan of {review.review_date} is not there any more: "
            "plan again (invopt run replenishment), then load the page again."
        )


async def _alive(_: Request) -> Response:
    return Response("ok", media_type="text/plain", headers=_SECURE)


async def _body_of(request: Request) -> bytes | None:
    """Return a body; None where it is longer than anybody's here, and no more of it is read."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > _MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


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
