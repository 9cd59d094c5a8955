"""invopt: demand forecasting and inventory optimisation, as a pure library.

Four calls lead from data frames to orders (`read_frames`, `train`, `forecast`, `plan`); the names
of files and mappings are here too. Everything is loaded when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_HOMES = {
    "Config": "invopt.config",
    "ConfigError": "invopt.errors",
    "ContractError": "invopt.errors",
    "DataSet": "invopt.frames",
    "InvalidInputError": "invopt.errors",
    "Model": "invopt.frames",
    "Panel": "invopt.panel",
    "Review": "invopt.inventory.review",
    "clean": "invopt.cleaning",
    "forecast": "invopt.frames",
    "load_config": "invopt.config",
    "load_mapping": "invopt.sources.mapping",
    "load_panel": "invopt.panel",
    "plan": "invopt.frames",
    "read_dataset": "invopt.sources.dataset",
    "read_frames": "invopt.frames",
    "train": "invopt.frames",
}
__all__ = [
    "Config",
    "ConfigError",
    "ContractError",
    "DataSet",
    "InvalidInputError",
    "Model",
    "Panel",
    "Review",
    "__version__",
    "clean",
    "forecast",
    "load_config",
    "load_mapping",
    "load_panel",
    "plan",
    "read_dataset",
    "read_frames",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'invopt' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
