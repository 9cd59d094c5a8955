"""What the model sees, by the same code offline and online.

`FeatureEncoder` learns scales and categories on the training range and turns a panel into
arrays; `step_features`, `planned_features` and their like derive the model's inputs from those
arrays, in numpy for serving and analysis and in torch for training.
"""

from invopt.features.build import (
    FeatureNames,
    calendar_index,
    feature_names,
    log_offset,
    planned_features,
    step_ends,
    step_features,
    targets,
)
from invopt.features.derive import derived_channels, own_channels
from invopt.features.encoded import EncodedPanel
from invopt.features.encoder import FeatureEncoder
from invopt.features.inputs import INPUT_NAMES, model_inputs
from invopt.features.spec import FeatureSpec

__all__ = [
    "INPUT_NAMES",
    "EncodedPanel",
    "FeatureEncoder",
    "FeatureNames",
    "FeatureSpec",
    "calendar_index",
    "derived_channels",
    "feature_names",
    "log_offset",
    "model_inputs",
    "own_channels",
    "planned_features",
    "step_ends",
    "step_features",
    "targets",
]
