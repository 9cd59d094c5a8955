"""What invopt exports, for type checkers; __init__.py loads it when it is used."""

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

__version__: str
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
