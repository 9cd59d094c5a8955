"""The image every step runs in, and the decorator that makes a step."""

from collections.abc import Callable
from typing import Any

from kfp import dsl

from serving.deployment import Deployment  # noqa: TID253  (no step: where steps are made)

IMAGE = Deployment.from_environment().cluster.image
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
