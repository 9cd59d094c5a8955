"""A step of a run: KFP's executor, and around it what KFP and Argo leave to us.

Argo starts steps with a umask of 0, so that whatever they put into the workspace could be changed
by everybody. KFP's stock policy never repeats code that fails, and its launcher ends with status 1
whatever the code ended with: what can get better by waiting is repeated here, nothing else is.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from serving.libraries import limit_threads
from serving.machine import available_processors
from serving.progress import tell, tell_failure
from serving.transient import is_passing

RETRIES = "INVOPT_RETRIES"
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


def main() -> int:
    """Execute what KFP's command line names."""
    deployment = Deployment.from_environment()
    limit_threads(available_processors())
    from kfp.dsl.executor_main import (  # type: ignore[import-untyped]  # noqa: PLC0415
        executor_main,
    )

    return run(executor_main, int(deployment.environment.get(RETRIES, "0")))


if __name__ == "__main__":
    sys.exit(main())
