"""A redis-server of a benchmark's own, on loopback."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from serving.deploy import free_port


@contextmanager
def running_redis() -> Iterator[str | None]:
    """Yield the address of an empty server; None where redis-server is not on the PATH."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
