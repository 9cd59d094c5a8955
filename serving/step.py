"""A warm process for the steps of a run on this machine: a step is a fork of it, not a program.

Argo starts steps with a umask of 0, so that whatever they put into the workspace could be changed
by everybody. KFP's stock policy never repeats code that fails, and its launcher ends with status 1
whatever the code ended with: what can get better by waiting is repeated here, nothing else is.
"""

import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from serving.libraries import limit_threads
from serving.machine import available_processors
from serving.progress import tell, tell_failure
from serving.transient import is_passing

RETRIES = "INVOPT_RETRIES"
SERVER = "INVOPT_STEP_SERVER"
_UMASK = 0o022
_FIRST_WAIT_SECONDS = 30.0


def run(
    execute: Callable[[], object], retries: int, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Execute a step; returns its exit status.

    Args:
        execute: The step.
        retries: Times it is executed again after a failure that may pass.
        sleep: Waits seconds.
    """
    os.umask(os.umask(_UMASK) | _UMASK)
    for attempt in range(retries + 1):
        try:
            execute()
        except Exception as err:
            if attempt < retries and is_passing(err):
                seconds = _FIRST_WAIT_SECONDS * 2**attempt
                tell(f"{_sentence(err)} Again in {seconds:.0f} s, {attempt + 1} of {retries} times")
                sleep(seconds)
                continue
            if not isinstance(err, InvalidInputError):
                traceback.print_exc()
            tell_failure(_sentence(err))
            return 1
        return 0
    return 1


def _sentence(err: Exception) -> str:
    if isinstance(err, InvalidInputError):
        return str(err)
    return f"{type(err).__name__}: {err}".rstrip(": ") + "."


def _handed_over(place: str, environment: Mapping[str, str]) -> int | None:
    """Let the run's warm process execute this step; returns its exit status, None without one.

    Args:
        place: Of its socket, see pipelines.step_server.
        environment: Of this step.
    """
    request = json.dumps(
        {"folder": str(Path.cwd()), "environment": dict(environment), "arguments": sys.argv}
    ).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(place)
        except OSError:
            return None
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(request)
        status = connection.recv(1)
    if not status:
        tell_failure("The process that executed this step ended without a word: run again.")
    return status[0] if status else 1


def main() -> int:
    """Execute what KFP's command line names."""
    deployment = Deployment.from_environment()
    environment = dict(deployment.environment)
    if place := environment.pop(SERVER, None):
        status = _handed_over(place, environment)
        if status is not None:
            return status
    limit_threads(available_processors())
    from kfp.dsl.executor_main import (  # type: ignore[import-untyped]  # noqa: PLC0415
        executor_main,
    )

    return run(executor_main, int(deployment.environment.get(RETRIES, "0")))


if __name__ == "__main__":
    sys.exit(main())
