"""Failures callers see: a status, a code for machines and a sentence without internals."""

from collections.abc import Mapping

from serving.api.contract import ErrorCode

STATUS = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.CLOSED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.NOT_ALLOWED: 405,
    ErrorCode.SLOW_REQUEST: 408,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.BUSY: 429,
    ErrorCode.INTERNAL: 500,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.TIMEOUT: 504,
}


class RequestFailedError(Exception):
    """A request that gets no decisions.

    Args:
        code: For machines.
        message: For people; nothing of the server's insides.
        headers: Of the HTTP answer.
    """

    def __init__(
        self, code: ErrorCode, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.headers = code, message, dict(headers or {})

    @property
    def status(self) -> int:
        """HTTP status."""
        return STATUS[self.code]

    @property
    def body(self) -> dict[str, str]:
        """ErrorBody."""
        return {"error": self.message, "code": self.code.value}


class StoreUnavailableError(Exception):
    """The online store did not answer, or not in time."""


class NetworkUnavailableError(Exception):
    """The predictor did not answer, not in time, or holds another model."""
