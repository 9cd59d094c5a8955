"""Connections: so many at a time, and none that keeps a place without asking anything."""

import asyncio
import json
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.api.contract import ErrorCode
from serving.api.failures import RequestFailedError
from serving.endpoint.guards import failed
from serving.endpoint.queue import QueueProgress
from serving.settings import ServerSettings

_MAX_HEAD_BYTES = 64 << 10
# Files that a server needs beside its connections.
_OWN_FILES = 100


def connection_limit(settings: ServerSettings) -> int:
    """Return how many connections there may be: as configured, or as the process has files for."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return settings.max_connections
    return max(1, min(settings.max_connections, files - _OWN_FILES))


class BoundedConnection(HttpToolsProtocol):
    """One connection; its request's head has to come in time and be of ordinary size.

    Where there are too many, the one that has waited longest without a request goes.

    Args:
        settings: Limits.
        limit: Connections at a time.
    """

    def __init__(self, settings: ServerSettings, limit: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seconds, self._limit = settings.head_seconds, limit
        self._timer: asyncio.TimerHandle | None = None
        self._since, self._bytes = 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, where there is a place."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._await_head()
        if len(self.connections) > self._limit and not self._make_room():
            text = f"there are {self._limit} connections already; try again."
            self._refuse(RequestFailedError(ErrorCode.BUSY, text))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, as long as the head is of ordinary size."""
        self._bytes += len(data)
        super().data_received(data)
        if self._timer is not None and self._bytes > _MAX_HEAD_BYTES:
            text = f"the head of a request may have {_MAX_HEAD_BYTES} bytes at most."
            self._refuse(RequestFailedError(ErrorCode.TOO_LARGE, text))

    def on_message_begin(self) -> None:
        """Time the next head."""
        super().on_message_begin()
        if self._timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Let the request through; its body has a time of its own."""
        self._head_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP as every request is refused."""
        self._refuse(RequestFailedError(ErrorCode.INVALID_REQUEST, msg))

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> bool:
        idle = [c for c in self.connections if c is not self and c.is_idle]  # type: ignore[union-attr]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection._since)  # type: ignore[union-attr]
        oldest.transport.abort()  # type: ignore[union-attr]
        return True

    def _await_head(self) -> None:
        self._bytes = 0
        self._timer = self.loop.call_later(self._seconds, self._late)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._since = self.loop.time()

    def _late(self) -> None:
        if not self._bytes:
            self.transport.close()
            return
        text = f"the head of the request did not arrive within {self._seconds:g} s."
        self._refuse(RequestFailedError(ErrorCode.SLOW_REQUEST, text))

    def _refuse(self, failure: RequestFailedError) -> None:
        """Answer and close; nothing of this connection is read any more."""
        self._head_came()
        if self.transport.is_closing():
            return
        failure = failed(failure, QueueProgress(protocol="other"))
        body = json.dumps(failure.body).encode()
        self.transport.write(
            STATUS_LINE[failure.status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        self.transport.close()
