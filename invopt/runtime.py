"""The exported model at work: ONNX Runtime on the same inputs, without torch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from threadpoolctl import threadpool_info

from invopt.config import ModelConfig
from invopt.errors import ContractError
from invopt.features import INPUT_NAMES, EncodedPanel, FeatureEncoder, FeatureSpec, model_inputs
from invopt.forecasts import ForecastArrays
from invopt.model_files import read_head
from invopt.panel import Panel
from invopt.types import Float32Array

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


class OnnxForecaster:
    """Forecasts panels with an exported model folder.

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
        self.network = OnnxNetwork(path / "model.onnx", num_threads)

    def predict(
        self, panel: Panel, cutoff: int | None = None, *, batch_size: int = 1024
    ) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        encoded = FeatureEncoder(self.spec).encode(panel.truncate(cutoff + 1))
        return self.predict_encoded(encoded, cutoff, batch_size=batch_size)

    def predict_encoded(
        self, encoded: EncodedPanel, cutoff: int, *, batch_size: int = 1024
    ) -> ForecastArrays:
        """Return forecasts of an encoded panel; see predict."""
        parts = []
        for first in range(0, len(encoded.static_ids), batch_size):
            rows = np.arange(first, min(first + batch_size, len(encoded.static_ids)))
            inputs = model_inputs(self.spec, encoded, rows, np.full(len(rows), cutoff))
            parts.append(self.network.run(inputs))
        mean, quantiles, levels = (np.concatenate(p) for p in zip(*parts, strict=True))
        return ForecastArrays(
            mean, quantiles, levels, self.config.quantile_levels, self.config.level_quantiles,
            is_count=self.spec.is_count,
        )  # fmt: skip
