"""The exported model at work: ONNX Runtime on the same inputs, without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from threadpoolctl import threadpool_info

from invopt.config import ModelConfig
from invopt.errors import ContractError
from invopt.features import INPUT_NAMES, EncodedPanel, FeatureEncoder, FeatureSpec, model_inputs
from invopt.forecasts import ForecastArrays
from invopt.model_files import PARTS, RULES, label_of, read_head
from invopt.panel import Panel
from invopt.parts import (
    MAIN,
    Arrays,
    Parts,
    answers_of,
    facts_of,
    part_folder,
)
from invopt.types import Float32Array, IntArray

OUTPUT_NAMES = ("mean", "quantiles", "levels")
NETWORK = "LSTM network"  # what people call a model without a label of its own


class OnnxNetwork:
    """An exported graph, asked by named arrays.

    Args:
        file: model.onnx.
        num_threads: Of ONNX Runtime; as many as numpy's own library uses by default (its own
            choice counts the processors of the machine, not those of a container).

    Raises:
        ContractError: If the file is missing or cannot be read.
    """

    def __init__(self, file: Path, num_threads: int | None = None) -> None:
        if not file.is_file():
            raise ContractError("Model", file.name, f"exist in {file.parent}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads or _threads_of_numpy()
        try:
            self.session = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as err:  # ONNX Runtime raises classes of its own for a broken file
            raise ContractError("Model", file.name, f"be readable: {err}") from err
        self.inputs = {i.name: i for i in self.session.get_inputs()}

    def run(self, inputs: tuple[npt.NDArray[np.generic], ...]) -> list[Float32Array]:
        """Return mean, quantiles and levels for inputs in the order of INPUT_NAMES."""
        feed = {n: a for n, a in zip(INPUT_NAMES, inputs, strict=True) if n in self.inputs}
        outputs: list[Float32Array] = self.session.run(list(OUTPUT_NAMES), feed)
        return outputs


def _threads_of_numpy() -> int:
    """Return the threads that numpy's linear algebra was told to use when it was loaded."""
    return max((library["num_threads"] for library in threadpool_info()), default=1)


class Forecasting(Protocol):
    """A model's folder at work, whether of one model or of several.

    Attributes:
        spec: How panels are read, of the main model.
        config: Of the main model: quantile levels are those of all parts.
        labels: What people call the forecasts of series, by the number that `made_by` tells.
    """

    spec: FeatureSpec
    config: ModelConfig
    labels: tuple[str, ...]

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""

    def made_by(self, panel: Panel) -> IntArray:
        """Return for each series the number of the label of who forecasts it."""


def load_forecaster(path: Path, num_threads: int | None = None) -> "Forecasting":
    """Return what forecasts panels with a model's folder: its one model, or its parts together.

    Args:
        path: Model folder.
        num_threads: Of ONNX Runtime; see OnnxNetwork.

    Raises:
        ContractError: If a file is missing, cannot be read, or is of another format.
    """
    read_head(path)
    if not (path / RULES).is_file():
        return OnnxForecaster(path, num_threads)
    rules = Parts.load(path)
    names = (MAIN, *rules.names)
    members = {n: OnnxForecaster(part_folder(path, n), num_threads) for n in names}
    check_alike({name: (member.spec, member.config) for name, member in members.items()})
    return ComposedForecaster(rules, members)


class OnnxForecaster:
    """Forecasts panels with the one exported graph of a folder: of a model of parts the main one's.

    Args:
        path: Folder with model.onnx, model.json and features.json.
        num_threads: Of ONNX Runtime; see OnnxNetwork.

    Raises:
        ContractError: If a file is missing, cannot be read, or is of another format.
    """

    def __init__(self, path: Path, num_threads: int | None = None) -> None:
        head = read_head(path)
        if not (path / "features.json").is_file():
            raise ContractError("Model", "features.json", f"exist in {path}")
        self.spec = FeatureSpec.load(path / "features.json")
        self.config = ModelConfig.model_validate(head["model"])
        self.labels: tuple[str, ...] = (label_of(path) or NETWORK,)
        self.network = OnnxNetwork(path / "model.onnx", num_threads)

    def predict(
        self, panel: Panel, cutoff: int | None = None, *, batch_size: int = 1024
    ) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        encoded = FeatureEncoder(self.spec).encode(panel.truncate(cutoff + 1))
        return self.predict_encoded(encoded, cutoff, batch_size=batch_size)

    def made_by(self, panel: Panel) -> IntArray:
        """Return the number of this model's label for each series."""
        return np.zeros(panel.num_series, np.int64)

    def predict_encoded(
        self, encoded: EncodedPanel, cutoff: int, *, batch_size: int = 1024
    ) -> ForecastArrays:
        """Return forecasts of an encoded panel; see predict."""
        parts = []
        for first in range(0, len(encoded.static_ids), batch_size):
            rows = np.arange(first, min(first + batch_size, len(encoded.static_ids)))
            inputs = model_inputs(self.spec, encoded, rows, np.full(len(rows), cutoff))
            parts.append(self.network.run(inputs))
        arrays = [np.concatenate(p) for p in zip(*parts, strict=True)]
        return forecast_with(arrays, self.spec, self.config)


class ComposedForecaster:
    """Forecasts panels with the parts of a model, each series with its own.

    Args:
        parts: Rules.
        members: What forecasts, by the name of the part; the main model's is MAIN.
    """

    def __init__(self, parts: Parts, members: Mapping[str, OnnxForecaster]) -> None:
        self.parts, self.members = parts, members
        self.spec, self.config = members[MAIN].spec, members[MAIN].config
        self.labels = parts.labels({name: own.labels[0] for name, own in members.items()})

    def made_by(self, panel: Panel) -> IntArray:
        """Return for each series the number of its rule, which is that of its label."""
        return self.parts.places(facts_of(panel, self.parts.columns))

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""

        def ask(name: str, rows: IntArray) -> Arrays:
            return arrays_of(self.members[name].predict(panel.select(rows), cutoff))

        return self.composed(answers_of(self.parts, self.made_by(panel), ask))

    def composed(self, arrays: Arrays) -> ForecastArrays:
        """Return mean, quantiles and levels of all series as a forecast."""
        return forecast_with(arrays, self.spec, self.config)


def forecast_with(arrays: Arrays, spec: FeatureSpec, config: ModelConfig) -> ForecastArrays:
    """Return mean, quantiles and levels of a model, or of its parts, as a forecast."""
    mean, quantiles, levels = arrays
    return ForecastArrays(
        mean, quantiles, levels, config.quantile_levels, config.level_quantiles,
        is_count=spec.is_count,
    )  # fmt: skip


def arrays_of(forecast: ForecastArrays) -> Arrays:
    """Return mean, quantiles and levels of a forecast, as parts are put together."""
    return forecast.mean, forecast.smooth_quantiles, forecast.smooth_levels


def check_alike(members: Mapping[str, tuple[FeatureSpec, ModelConfig]]) -> None:
    """Refuse parts whose forecasts cannot stand beside each other.

    Args:
        members: By the name of the part; the main model's is MAIN.

    Raises:
        ContractError: If horizons, quantiles or units are not those of the main model.
    """
    shapes = {name: _shape_of(*own) for name, own in members.items()}
    wrong = [name for name, shape in shapes.items() if shape != shapes[MAIN]]
    if wrong:
        raise ContractError(
            "Model", f"{PARTS}/{wrong[0]}", "have horizon, quantiles and units of the main model",
            count=len(wrong), examples=wrong,
        )  # fmt: skip


def _shape_of(spec: FeatureSpec, config: ModelConfig) -> tuple[Any, ...]:
    """Return what forecasts have to share to stand beside each other."""
    return config.quantile_levels, config.level_quantiles, spec.config.horizon, spec.is_count
