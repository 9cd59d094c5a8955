"""Types that many modules take and return, each defined once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

# Arrays by what they hold; shapes and units stand in docstrings.
FloatArray = npt.NDArray[np.float64]
AnyFloatArray = npt.NDArray[np.floating[Any]]  # as stored: float16, float32 or float64
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ModelInputs = tuple[npt.NDArray[np.generic], ...]  # of a network, in the order of its input names

Notify = Callable[[str], None]  # takes a line of progress
Clock = Callable[[], float]  # returns seconds, from any start
Json = dict[str, Any]  # an object of a JSON file
