"""The networks as one ONNX graph, proven to give what torch gives."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from invopt.errors import ContractError
from invopt.features import INPUT_NAMES
from invopt.files import replacing_file
from invopt.model.forecaster import Forecaster
from invopt.runtime import OUTPUT_NAMES

OPSET = 17
# Largest difference allowed, see largest_difference: sums of some hundred numbers of float32 are
# rounded to a fifth of it at worst, and an operator that a converter gets wrong is far above.
TOLERANCE = 1e-4


def export_onnx(
    forecaster: Forecaster,
    path: Path,
    inputs: tuple[npt.NDArray[np.generic], ...],
) -> float:
    """Write the ensemble as ONNX; see export_graph."""
    return export_graph(forecaster.ensemble, path, inputs, forecaster.ensemble.unit)


def export_graph(
    network: nn.Module,
    path: Path,
    inputs: tuple[npt.NDArray[np.generic], ...],
    grain: npt.ArrayLike = 1.0,
) -> float:
    """Write a network as ONNX with a free batch size and return its largest difference.

    Args:
        network: Reads INPUT_NAMES, gives OUTPUT_NAMES.
        path: File to write.
        inputs: Real rows, as `model_inputs` gives them; at least two, to prove the free batch.
        grain: Units, of all rows or (rows,), that a row is calculated in: smaller values are
            rounded as this one is.

    Raises:
        ContractError: If ONNX Runtime's answer on these rows differs by more than TOLERANCE.
    """
    with replacing_file(path) as partial:
        _export(network, partial, inputs)
        difference = parity(network, partial, inputs, grain)
        if not difference <= TOLERANCE:
            raise ContractError(
                "Model", "onnx", f"give what torch gives within {TOLERANCE:g}",
                examples=[difference],
            )  # fmt: skip
    return difference


def _export(network: nn.Module, path: Path, inputs: tuple[npt.NDArray[np.generic], ...]) -> None:
    tensors = tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in inputs)
    names = [*INPUT_NAMES, *OUTPUT_NAMES]
    with warnings.catch_warnings():
        # The tracing exporter is the one whose LSTM has a free batch without onnxscript.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            tuple(t[:1] for t in tensors),
            str(path),
            input_names=list(INPUT_NAMES),
            output_names=list(OUTPUT_NAMES),
            dynamic_axes={name: {0: "batch"} for name in names},
            opset_version=OPSET,
            custom_opsets=getattr(network, "custom_opsets", None),
            dynamo=False,
        )


def parity(
    network: nn.Module,
    path: Path,
    inputs: tuple[npt.NDArray[np.generic], ...],
    grain: npt.ArrayLike = 1.0,
) -> float:
    """Return the largest difference between ONNX Runtime and torch on some rows."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    used = {i.name for i in session.get_inputs()}
    feed = {n: a for n, a in zip(INPUT_NAMES, inputs, strict=True) if n in used}
    ours = session.run(list(OUTPUT_NAMES), feed)
    with torch.inference_mode():
        theirs = network(*(torch.from_numpy(np.ascontiguousarray(a)) for a in inputs))
    pairs = zip(ours, theirs, strict=True)
    return max(largest_difference(a, b.numpy(), grain) for a, b in pairs)


def largest_difference(
    found: npt.NDArray[Any], wanted: npt.NDArray[Any], grain: npt.ArrayLike = 1.0
) -> float:
    """Return the largest difference, relative to the largest value of the same row.

    A low quantile is what is left of a mean less its spread: it is rounded as they are, and no
    better, on one processor up and on the next one down. So is a product of little money beside
    others of much, all counted in units of a thousand.

    Args:
        found: (rows, ...); NaN gives NaN.
        wanted: Of the same shape.
        grain: Of all rows or (rows,): rows below it count as it.

    Example:
        >>> round(largest_difference(np.array([[200.0, 0.5]]), np.array([[200.0, 0.502]])), 6)
        1e-05
        >>> round(largest_difference(np.array([[0.2, 0.5]]), np.array([[0.2, 0.502]])), 6)
        0.002
        >>> round(largest_difference(np.array([[0.2, 0.5]]), np.array([[0.2, 0.502]]), 200.0), 6)
        1e-05
    """
    size = np.abs(wanted).reshape(len(wanted), -1).max(axis=1, initial=0.0)
    away = np.abs(found - wanted).reshape(len(wanted), -1).max(axis=1, initial=0.0)
    return float((away / np.maximum(size, grain)).max(initial=0.0))
