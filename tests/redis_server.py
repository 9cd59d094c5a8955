"""A server of a test's own that speaks Redis: Valkey where it is installed, else Redis."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.loop.local_release import free_port


@contextmanager
def redis_server(*arguments: str, password: str | None = None) -> Iterator[int]:
    """Yield the port of an empty server that saves nothing; skip where there is no program.

    Args:
        arguments: Of the program: a file of settings first, then options.
        password: Of its default user, where the settings give it one.
    """
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("neither valkey-server nor redis-server is installed")
    import redis

    port = free_port()
    process = subprocess.Popen(
        [program, *arguments, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                redis.Redis(port=port, password=password).ping()
                break
            except redis.ConnectionError:
                time.sleep(0.1)
        else:
            pytest.fail(f"{program} did not answer within 10 s")
        yield port
    finally:
        process.terminate()
        process.wait()
