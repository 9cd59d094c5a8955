"""invopt: demand forecasting and inventory optimisation, as a pure library.

Four calls lead from data frames to orders (`read_frames`, `train`, `forecast`, `plan`); the names
of files and mappings are here too. Everything is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from invopt.cleaning import clean as clean
    from invopt.config import Config as Config
    from invopt.config import load_config as load_config
    from invopt.errors import ConfigError as ConfigError
    from invopt.errors import ContractError as ContractError
    from invopt.errors import InvalidInputError as InvalidInputError
    from invopt.frames import DataSet as DataSet
    from invopt.frames import Model as Model
    from invopt.frames import forecast as forecast
    from invopt.frames import plan as plan
    from invopt.frames import read_frames as read_frames
    from invopt.frames import train as train
    from invopt.inventory.review import Review as Review
    from invopt.panel import Panel as Panel
    from invopt.panel import load_panel as load_panel
    from invopt.sources.dataset import read_dataset as read_dataset
    from invopt.sources.mapping import load_mapping as load_mapping

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
