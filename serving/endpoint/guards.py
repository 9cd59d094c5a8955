"""What both doors of a server share: who may enter, and what failures look like outside."""

import hmac
import logging

import kserve.errors
import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from serving.api import metrics
from serving.api.contract import ErrorCode
from serving.api.failures import STATUS, RequestFailedError
from serving.endpoint.queue import QueueProgress
from serving.endpoint.refusals import not_json

_logger = logging.getLogger(__name__)
_MAX_TEXT = 500
UNAVAILABLE = (
    kserve.errors.ModelNotReady,
    kserve.errors.ServerNotReady,
    kserve.errors.ServerNotLive,
)


def failure_of(err: Exception, *, reached_model: bool) -> RequestFailedError:
    """Return what a caller is told of an exception: never its text, unless it is ours."""
    if isinstance(err, RequestFailedError):
        return err
    if isinstance(err, kserve.errors.ModelNotFound):
        text = "there is no model of this name here; GET /v1/models lists the names."
        return RequestFailedError(ErrorCode.NOT_FOUND, text)
    if isinstance(err, UNAVAILABLE):
        return RequestFailedError(ErrorCode.UNAVAILABLE, "the model is not ready yet.")
    if isinstance(err, NotImplementedError):
        return RequestFailedError(ErrorCode.NOT_FOUND, "there is no such endpoint.")
    if isinstance(err, HTTPException) and err.status_code == STATUS[ErrorCode.NOT_FOUND]:
        return RequestFailedError(ErrorCode.NOT_FOUND, "there is no such endpoint.")
    if isinstance(err, HTTPException) and err.status_code == STATUS[ErrorCode.NOT_ALLOWED]:
        allowed = (err.headers or {}).get("Allow", "")
        text = f"this operation takes {allowed}."
        return RequestFailedError(ErrorCode.NOT_ALLOWED, text, {"Allow": allowed})
    if isinstance(err.__context__, orjson.JSONDecodeError):
        return not_json(err.__context__)
    if not reached_model:
        return RequestFailedError(
            ErrorCode.INVALID_REQUEST, "the body is not a request of KServe's protocol."
        )
    return RequestFailedError(ErrorCode.INTERNAL, "something went wrong here; it has been logged.")


def failed(err: Exception, progress: QueueProgress) -> RequestFailedError:
    """Return what a caller is told of an exception, once it is counted and in the log."""
    if progress.failure is not None:
        return progress.failure
    failure = failure_of(err, reached_model=progress.reached_model)
    progress.failure = failure
    metrics.REQUESTS.labels(progress.protocol, failure.code.value).inc()
    is_ours = failure.code is ErrorCode.INTERNAL
    # What libraries refuse before the model may be a fault of ours all the same.
    is_known = isinstance(err, (RequestFailedError, HTTPException, RequestValidationError))
    unknown = failure.code is ErrorCode.INVALID_REQUEST and not is_known
    # What a caller got wrong may quote the caller: customers' names have no place in a log.
    text = (
        f": {_printable(failure.message)}" if failure.status >= STATUS[ErrorCode.INTERNAL] else ""
    )
    _logger.log(
        logging.ERROR if is_ours else logging.INFO,
        "request %s failed: %d %s%s",
        _printable(progress.request_id), failure.status, failure.code.value, text,
        exc_info=err if is_ours or unknown else None,
    )  # fmt: skip
    return failure


def _printable(text: str) -> str:
    """Return a caller's text as it may stand in one line of a log."""
    return "".join(c if c.isprintable() else "?" for c in text[:_MAX_TEXT])


def authorize(header: str, token: str) -> None:
    """Raise RequestFailedError unless the header shows the token."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise RequestFailedError(ErrorCode.UNAUTHORIZED, "send the bearer token of this server.")
