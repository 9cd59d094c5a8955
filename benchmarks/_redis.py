"""A redis-server of a benchmark's own, on loopback."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.loop.local_release import free_port

_START_SECONDS = 20


class Redis:
    """A server that can be stopped and comes back with what it held.

    Args:
        program: redis-server.
        folder: Where it keeps what it holds while it is stopped.
    """

    def __init__(self, program: str, folder: Path) -> None:
        self._port = free_port()
        self._command = [
            program, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(folder),
            "--save", "", "--appendonly", "no",
        ]  # fmt: skip
        self.start()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while self._ask("PING") != b"+PONG\r\n":
            if time.monotonic() > deadline:
                raise SystemExit("redis-server does not answer.")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop, keeping what it holds on the disk."""
        self._ask("SAVE")
        self._process.terminate()
        self._process.wait()

    def pause(self, seconds: float) -> None:
        """Answer nobody for a while."""
        self._ask(f"CLIENT PAUSE {seconds * 1000:.0f} ALL")

    def _ask(self, command: str) -> bytes:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
                connection.sendall(command.encode() + b"\r\n")
                return connection.recv(1000)
        except OSError:
            return b""


@contextmanager
def running_redis() -> Iterator[Redis | None]:
    """Yield an empty server; None where redis-server is not on the PATH."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(program, Path(folder))
        try:
            yield redis
        finally:
            redis.stop()
