"""The image every step runs in, and the decorator that makes a step."""

import os
from collections.abc import Callable
from typing import Any

from kfp import dsl

# Set where pipelines are compiled for a cluster; tag it with the commit, never `latest`.
IMAGE = os.environ.get("INVOPT_IMAGE", "invopt-python:dev")
_EXECUTOR = "python3 -m kfp.dsl.executor_main"
# It takes the executor's command line as it is; its name must stay in it for the local runner.
_STEP = "python3 -m serving.step kfp.dsl.executor_main"


def component(function: Callable[..., Any]) -> Any:
    """Make a step of a function; nothing is installed when it starts, the image holds all."""
    made = dsl.component(function, base_image=IMAGE, install_kfp_package=False)
    container = made.component_spec.implementation.container
    command = [part.replace(_EXECUTOR, _STEP, 1) for part in container.command]
    if command == container.command:
        raise RuntimeError(f"kfp no longer starts steps by `{_EXECUTOR}`; see serving/step.py.")
    container.command = command
    return made
