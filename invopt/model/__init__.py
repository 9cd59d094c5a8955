"""The network, its losses and its windows; everything that touches torch is here or in training."""

from invopt.model.export import export_onnx
from invopt.model.forecaster import Forecaster

__all__ = ["Forecaster", "export_onnx"]
