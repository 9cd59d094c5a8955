"""The outside of a server: what is bound, what is let in, and how failures look.

KServe's own ModelServer binds every address, takes bodies of any size, repeats exceptions to
callers and lets anybody unload a model; its data plane and endpoints are used here, between
guards.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from types import FrameType
from typing import Any

import kserve.errors
import uvicorn
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import ModelServer
from kserve.model_server import app
from kserve.protocol.rest.server import RESTServer, TimingMiddleware
from kserve.utils.utils import generate_uuid
from starlette.exceptions import HTTPException
from starlette.requests import Request

from serving.api.contract import ErrorCode
from serving.api.failures import RequestFailedError
from serving.endpoint.bounds import check_bounds
from serving.endpoint.connections import BoundedConnection, connection_limit
from serving.endpoint.grpc import start_grpc
from serving.endpoint.guards import UNAVAILABLE, authorize, failed
from serving.endpoint.openapi import add_contract
from serving.endpoint.queue import MAX_ID, PROGRESS, REQUEST_ID, GatedModel, QueueProgress
from serving.endpoint.routes import add_open_inference
from serving.settings import ServerSettings

_OPEN_TO_ALL = ("/", "/metrics", "/v2/health/live", "/v2/health/ready")
_CLOSED = "/v2/repository"
_JSON_LENGTH = b"inference-header-content-length"
# Seconds after which it is worth to ask again; a store is left alone for two.
_LATER = {ErrorCode.BUSY: "1", ErrorCode.UNAVAILABLE: "2"}
_FORM = b"application/x-www-form-urlencoded"
_DRAIN_BYTES = 64 << 20
_SWITCH_SECONDS = 0.001
_LOOK_SECONDS = 0.05
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI: token, closed operations, size and time of the body; nothing gets by unformatted.

    Args:
        inner: Application.
        settings: Limits.
    """

    def __init__(self, inner: Any, settings: ServerSettings) -> None:
        self.inner, self.settings = inner, settings

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        progress = QueueProgress(protocol=_protocol(scope["path"]), request_id=_request_id(scope))
        # Where a caller sends nothing, nothing the caller sent can be at fault.
        progress.reached_model = scope["method"] in ("GET", "HEAD")
        PROGRESS.set(progress)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            self._check(scope)
            body = await self._body(scope, receive)
            scope = _as_json(scope)
            await self.inner(scope, _replayed(body, receive), sending)
        except Exception as err:
            # Starlette raises once more what its handler has answered.
            failure = failed(err, progress)
            if not started:
                if failure.code is ErrorCode.TOO_LARGE:
                    await self._drain(receive)
                await _response(failure, progress)(scope, receive, send)

    def _check(self, scope: Message) -> None:
        path = scope["path"]
        headers = dict(scope["headers"])
        if self.settings.token and path not in _OPEN_TO_ALL:
            authorize(headers.get(b"authorization", b"").decode("latin-1"), self.settings.token)
        if path.startswith(_CLOSED):
            raise RequestFailedError(ErrorCode.CLOSED, "models are not loaded or unloaded here.")
        if headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            text = "a body is taken as it is: send it without Content-Encoding."
            raise RequestFailedError(ErrorCode.INVALID_REQUEST, text)
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self.settings.max_body_bytes:
            raise self._too_large()

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        if scope["method"] in ("GET", "HEAD"):
            return b""
        headers = dict(scope["headers"])
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.settings.request_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return b""
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self.settings.max_body_bytes:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        body = b"".join(parts)
                        # Nobody else than v2 reads bytes after the JSON.
                        is_v2 = _protocol(scope["path"]) == "v2"
                        check_bounds(body, headers.get(_JSON_LENGTH, b"") if is_v2 else b"")
                        return body
        except TimeoutError as err:
            raise RequestFailedError(
                ErrorCode.SLOW_REQUEST,
                f"the body did not arrive within {self.settings.request_seconds:g} s.",
            ) from err

    async def _drain(self, receive: Receive) -> None:
        """Read on for a while: a caller hung up on while sending would not see the answer."""
        left = _DRAIN_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.request_seconds):
                while left > 0:
                    message = await receive()
                    if not message.get("more_body", False):
                        return
                    left -= len(message["body"])

    def _too_large(self) -> RequestFailedError:
        return RequestFailedError(
            ErrorCode.TOO_LARGE, f"a body may have {self.settings.max_body_bytes} bytes at most."
        )


def _as_json(scope: Message) -> Message:
    """Return a request whose body is JSON where it does not say what it is.

    tritonclient sends no type with JSON, and curl that of a form.
    """
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    if kinds and not kinds[0].startswith(_FORM):
        return scope
    others = [pair for pair in scope["headers"] if pair[0] != b"content-type"]
    return {**scope, "headers": [*others, (b"content-type", b"application/json")]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _protocol(path: str) -> str:
    return path[1:3] if path.startswith(("/v1/", "/v2/")) else "other"


def _request_id(scope: Message) -> str:
    given = dict(scope["headers"]).get(REQUEST_ID.encode(), b"").decode("latin-1")
    return given[:MAX_ID] or generate_uuid()


def _response(failure: RequestFailedError, progress: QueueProgress) -> JSONResponse:
    headers = {REQUEST_ID: progress.request_id, **failure.headers}
    if failure.code in _LATER:
        headers["Retry-After"] = _LATER[failure.code]
    if failure.code is ErrorCode.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(failure.body, failure.status, headers)


async def _told(_request: Request, err: Exception) -> JSONResponse:
    progress = PROGRESS.get(QueueProgress())
    return _response(failed(err, progress), progress)


def guarded_app(model: GatedModel, server: ModelServer, settings: ServerSettings) -> Guard:
    """Return KServe's application with one model, behind its guard."""
    rest = RESTServer("", server.dataplane, server.model_repository_extension, settings.port)
    if not any(getattr(r, "path", "") == "/metrics" for r in app.routes):
        rest.create_application()
    for kind in (
        RequestFailedError, RequestValidationError, HTTPException, NotImplementedError,
        kserve.errors.InvalidInput, kserve.errors.InferenceError, kserve.errors.ModelNotFound,
        kserve.errors.UnsupportedProtocol, *UNAVAILABLE,
    ):  # fmt: skip
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(Exception, _told)
    add_open_inference(app, server.dataplane)
    add_contract(app, model.name)
    # KServe times requests for a log that is silent here; invopt_stage_seconds says more.
    app.user_middleware[:] = [m for m in app.user_middleware if m.cls is not TimingMiddleware]
    return Guard(app, settings)


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end, on uvloop where it is installed."""
    # uvicorn raises the signal that ended it once more: what callers still have to close would die.
    signal.signal(signal.SIGTERM, _end)
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(main)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit


async def serve(
    model: GatedModel,
    settings: ServerSettings,
    background: Callable[[], Coroutine[Any, Any, None]] | None = None,
    announce: Callable[[], None] | None = None,
) -> None:
    """Serve a loaded model until a signal.

    Args:
        model: Loaded.
        settings: Addresses and limits.
        background: Runs beside, and is cancelled in the end.
        announce: Called once, when the first request would be answered.
    """
    _quiet()
    # The loop and the threads that work take turns: a waiting one is not to wait for long.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded stays: looking for garbage in it takes a tenth of a second now and then.
    gc.collect()
    gc.freeze()
    server = ModelServer(workers=1, enable_grpc=False, enable_latency_logging=False)
    server.register_model(model)
    http = uvicorn.Server(
        uvicorn.Config(
            guarded_app(model, server, settings),
            host=settings.host,
            port=settings.port,
            http=functools.partial(BoundedConnection, settings, connection_limit(settings)),
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
        )
    )
    calls = await start_grpc(server, settings)
    beside = [asyncio.create_task(background())] if background is not None else []
    if announce is not None:
        beside.append(asyncio.create_task(_announced(http, model, announce)))
    try:
        await http.serve()
    finally:
        for task in beside:
            task.cancel()
        if calls is not None:
            await calls.stop(grace=5)


async def _announced(http: uvicorn.Server, model: GatedModel, tell: Callable[[], None]) -> None:
    while not (http.started and model.ready):
        await asyncio.sleep(_LOOK_SECONDS)
    tell()


def _quiet() -> None:
    """Log what happens to the server, not what callers ask."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for name in ("kserve", "kserve.trace", "uvicorn.access", "uvicorn.error", "grpc"):
        logging.getLogger(name).setLevel(logging.ERROR)
