"""The model's inputs for one forecast per window, as named arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.features.build import (
    calendar_index,
    log_offset,
    planned_features,
    step_ends,
    step_features,
)
from invopt.features.encoded import EncodedPanel
from invopt.features.spec import FeatureSpec
from invopt.types import IntArray

INPUT_NAMES = (
    "step",
    "step_calendar",
    "planned",
    "calendar",
    "static_ids",
    "static_values",
    "log_offset",
)


def model_inputs(
    spec: FeatureSpec,
    encoded: EncodedPanel,
    rows: IntArray,
    ends: IntArray,
) -> tuple[npt.NDArray[Any], ...]:
    """Return the arrays of INPUT_NAMES for one forecast per window, in order.

    Args:
        spec: Of the panel.
        encoded: As numpy arrays.
        rows: (B,) series.
        ends: (B,) last known period of each.
    """
    step = step_features(spec, encoded, rows, ends)
    origins = ends[:, None]
    calendar_rows = encoded.calendar_rows[rows]
    at = np.clip(step_ends(spec, ends), 0, None)
    ahead = calendar_index(spec, origins, encoded.calendar.shape[1])[:, 0]
    return (
        step,
        encoded.calendar_mean[calendar_rows[:, None], at],
        planned_features(spec, encoded, rows, origins)[:, 0],
        encoded.calendar[calendar_rows[:, None], ahead],
        encoded.static_ids[rows],
        encoded.static_values[rows],
        log_offset(spec, step[:, -1]).astype(np.float32),
    )
