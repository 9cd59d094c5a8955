"""Steps of the pipelines, played one after another in this process: what each gets and leaves."""

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from invopt.config import load_config

OUT = Path("/workspace/e2e/steps")


def play(step: Any, **given: Any) -> tuple[Any, SimpleNamespace]:
    """Call a step; returns what it returns, and its artifacts by name.

    Args:
        step: Component.
        given: Its parameters and input artifacts; those that it does not take are left out. What
            it takes beside them is an output.
    """
    function = step.python_func
    taken = inspect.signature(function).parameters
    outputs = {
        name: SimpleNamespace(
            path=str(OUT / step.name / name),
            uri="",
            metadata={},
            log_metric=lambda *_: None,
        )
        for name, parameter in taken.items()
        if name not in given and parameter.default is parameter.empty
    }
    (OUT / step.name).mkdir(parents=True, exist_ok=True)
    print(f"step {step.name}", flush=True)
    result = function(**{n: v for n, v in given.items() if n in taken}, **outputs)
    return result, SimpleNamespace(**outputs)


def config(*overrides: str) -> dict[str, Any]:
    """Return the configuration as the steps get it."""
    return load_config(Path("/e2e/config.yaml"), list(overrides)).as_parameter()


def left(step: str, name: str) -> SimpleNamespace:
    """Return an artifact of a step that was played before."""
    return SimpleNamespace(path=str(OUT / step / name), uri="", metadata={})
