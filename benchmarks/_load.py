"""A load over HTTP that costs the server's machine little: sockets and requests made beforehand."""

import json
import re
import socket

import numpy as np

NAME = "bench"
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Caller:
    """A keep-alive connection that sends requests made beforehand and looks at nothing but the
    status and the length of the answer: the load shares the server's two cores."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = self._connected()

    def post(self, request: bytes) -> int:
        """Send a request and read its answer; returns the status, 0 when the server hung up."""
        try:
            self._socket.sendall(request)
            return self._answer()
        except OSError:
            self._socket.close()
            self._socket = self._connected()
            return 0

    def leave(self, request: bytes, share: float) -> None:
        """Send a share of a request and hang up."""
        self._socket.sendall(request[: int(len(request) * share)])
        self._socket.close()
        self._socket = self._connected()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _connected(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self._port), timeout=120)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def _answer(self) -> int:
        head = b""
        while (stop := head.find(b"\r\n\r\n")) < 0:
            part = self._socket.recv(1 << 20)
            if not part:
                raise ConnectionResetError
            head += part
        match = _LENGTH.search(head, 0, stop + 2)
        left = int(match[1]) - (len(head) - stop - 4) if match else 0
        while left > 0:
            left -= len(self._socket.recv(min(left, 1 << 20)) or b" " * left)
        return int(head[9:12])


def request_of(body: bytes, path: str = f"/v1/models/{NAME}:predict") -> bytes:
    """Return a request, ready to be sent."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: "
        f"application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def requests_of(names: list[str], num: int, seed: int, count: int = 200) -> list[bytes]:
    """Return requests for the decisions of `num` series each, chosen by chance."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(names, num, replace=False) for _ in range(count)]
    return [request_of(json.dumps({"instances": [*map(str, c)]}).encode()) for c in chosen]
