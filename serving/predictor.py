"""`python -m serving.predictor`: the graph alone, for a transformer in another process.

Speaks KServe's v2 over REST and gRPC: the arrays of INPUT_NAMES in, those of OUTPUT_NAMES out.
Needs neither torch nor Feast, and no registry: a model folder, as the cluster mounts it.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from kserve import InferRequest, InferResponse
from kserve.metrics import PREDICT_HIST_TIME, get_labels
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferResponse
from kserve.utils.utils import generate_uuid

from invopt.errors import InvalidInputError
from invopt.features import INPUT_NAMES
from invopt.files import sha256_of
from invopt.model_files import read_head, verify
from invopt.parts import MAIN, Parts, part_folder
from invopt.runtime import OUTPUT_NAMES, OnnxNetwork
from serving.answers.graph import DATATYPES, FINGERPRINT, PART
from serving.deployment import Deployment
from serving.endpoint.http import run_loop, serve
from serving.endpoint.queue import PROGRESS, GatedModel
from serving.endpoint.refusals import refused
from serving.endpoint.tensor_bodies import (
    array_of,
    check_outputs,
    raw_array,
    refused_input,
    response_of,
    wanted_of,
)
from serving.ports import check_free
from serving.settings import ServerSettings

_KINDS: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(int64)": np.dtype(np.int64),
}
# Windows that are quicker done than handed to a thread.
_AT_ONCE = 4
_NOTHING = np.zeros(0, np.float32)
_SHORT = 12  # letters of a fingerprint that name a version


class _Graph:
    """One part's graph: what it takes, and the fingerprint it is known by.

    Args:
        folder: Model folder of the part.
    """

    def __init__(self, folder: Path) -> None:
        self.network = OnnxNetwork(folder / "model.onnx", num_threads=1)
        self.fingerprint = sha256_of(folder / "model.onnx")
        # What the graph takes, in order: name, type and shape of one row; None where it has no use.
        self.wanted = [
            (n, _KINDS[i.type], tuple(i.shape[1:])) if i is not None else (n, None, ())
            for n, i in ((n, self.network.inputs.get(n)) for n in INPUT_NAMES)
        ]

    def run_once(self) -> None:
        """Run on nothing, before traffic comes."""
        blank = [
            _NOTHING if dtype is None else np.zeros([1, *shape], dtype)
            for _, dtype, shape in self.wanted
        ]
        self.network.run(tuple(blank))


class Predictor(GatedModel):
    """The exported graph over KServe's protocols; of a model of parts each part's.

    A request names the part it asks with the parameter model_part; without, it asks the main model.

    Args:
        name: Model name in the URLs.
        path: Model folder.
        settings: Limits.
    """

    def __init__(self, name: str, path: Path, settings: ServerSettings) -> None:
        super().__init__(name, settings.max_queue, settings.request_seconds, threads=1)
        verify(path)
        read_head(path)
        names = (MAIN, *Parts.of(path).names)
        self._graphs = {part: _Graph(part_folder(path, part)) for part in names}
        self.network, self.fingerprint = self._graphs[MAIN].network, self._graphs[MAIN].fingerprint
        self._seconds = PREDICT_HIST_TIME.labels(**get_labels(name))

    def load(self) -> bool:
        """Run each graph once before traffic comes."""
        for graph in self._graphs.values():
            graph.run_once()
        self.ready = True
        return True

    def _graph(self, part: str) -> _Graph:
        if part not in self._graphs:
            raise refused(f"this model has no part {part!r}.")
        return self._graphs[part]

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> InferResponse:
        """Return mean, quantiles and levels as the graph gives them.

        Quantiles of counts are of sales plus a jitter on [-1/2, 1/2), for the decision behind it;
        what a caller of the endpoint is told is whole units (invopt.forecasts.units).
        """
        _reached()
        if not isinstance(payload, InferRequest):
            raise refused("the predictor speaks v2 only.")
        payload.id = payload.id or generate_uuid()
        wanted_of(payload, list(OUTPUT_NAMES))
        graph = self._graph(str((payload.parameters or {}).get(PART) or MAIN))
        arrays = _arrays(graph, {tensor.name: (tensor,) for tensor in payload.inputs}, _array)
        found = await self.run(lambda: graph.network.run(arrays))
        answers = dict(zip(OUTPUT_NAMES, found, strict=True))
        return response_of(
            payload, self.name, self.version, answers, {FINGERPRINT: graph.fingerprint}
        )

    async def infer_raw(self, request: Any) -> Any:
        """Return the answer to a gRPC request of raw tensors, as raw tensors."""
        _reached()
        wanted = [output.name for output in request.outputs] or list(OUTPUT_NAMES)
        check_outputs(wanted, list(OUTPUT_NAMES))
        tensors = zip(request.inputs, request.raw_input_contents, strict=True)
        graph = self._graph(_part_of(request))
        given = {tensor.name: (tensor, raw) for tensor, raw in tensors}
        arrays = _arrays(graph, given, _raw_array)
        with self._seconds.time():
            num = max(len(array) for array in arrays)
            found = (
                graph.network.run(arrays)
                if num <= _AT_ONCE
                else await self.run(lambda: graph.network.run(arrays))
            )
        answer = ModelInferResponse(model_name=self.name, model_version=self.version, id=request.id)
        answer.parameters[FINGERPRINT].string_param = graph.fingerprint
        answers = dict(zip(OUTPUT_NAMES, found, strict=True))
        for name in wanted:
            array = answers[name]
            answer.outputs.add(name=name, shape=array.shape, datatype="FP32")
            answer.raw_output_contents.append(array.tobytes())
        return answer

    @property
    def version(self) -> str:
        """Fingerprint of the graph: a folder has no other name that is the same everywhere."""
        return self.fingerprint[:_SHORT]

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the graph's inputs."""
        return [
            {"name": n, "datatype": DATATYPES[_KINDS[i.type]], "shape": [-1, *i.shape[1:]]}
            for n, i in self.network.inputs.items()
        ]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the graph's outputs."""
        return [
            {"name": o.name, "datatype": "FP32", "shape": [-1, *o.shape[1:]]}
            for o in self.network.session.get_outputs()
        ]


def _arrays(
    graph: _Graph,
    given: Mapping[str, tuple[Any, ...]],
    read: Callable[..., npt.NDArray[np.generic]],
) -> tuple[npt.NDArray[np.generic], ...]:
    """Return the graph's inputs, checked.

    Args:
        graph: Whose inputs.
        given: What was sent, by name.
        read: Returns the array of what was sent, of a wanted type.
    """
    found: list[npt.NDArray[np.generic]] = []
    num = None
    for name, dtype, shape in graph.wanted:
        if dtype is None:
            found.append(_NOTHING)
            continue
        if name not in given:
            raise refused_input(name, "is missing")
        array = read(*given[name], dtype)
        num = len(array) if num is None else num
        if array.shape != (num, *shape) or not num:
            raise refused_input(name, f"must have the shape {[num or -1, *shape]}")
        found.append(array)
    numbers = [array for array in found if array.dtype.kind == "f"]
    if not np.isfinite(np.concatenate([array.ravel() for array in numbers])).all():
        bad = [not np.isfinite(array).all() for array in found]
        raise refused_input(INPUT_NAMES[bad.index(True)], "holds NaN or infinity")
    return tuple(found)


def _part_of(request: Any) -> str:
    """Return the part that a gRPC request asks."""
    found = request.parameters[PART].string_param if PART in request.parameters else MAIN
    return str(found)


def _reached() -> None:
    progress = PROGRESS.get(None)
    if progress is not None:
        progress.reached_model = True


def _array(tensor: Any, dtype: "np.dtype[Any]") -> npt.NDArray[np.generic]:
    _check(tensor, dtype)
    return np.atleast_1d(array_of(tensor))


def _raw_array(tensor: Any, raw: bytes, dtype: "np.dtype[Any]") -> npt.NDArray[np.generic]:
    _check(tensor, dtype)
    return raw_array(tensor.name, tensor.datatype, list(tensor.shape) or [1], raw)


def _check(tensor: Any, dtype: "np.dtype[Any]") -> None:
    if tensor.datatype != DATATYPES[dtype]:
        raise refused_input(tensor.name, f"must be {DATATYPES[dtype]}")


def main() -> int:
    """Parse arguments, load, serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving.predictor")
    parser.add_argument("--name", "--model_name", required=True, help="model name in the URLs")
    parser.add_argument("--model", type=Path, default=Path("/mnt/models"), help="model folder")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grpc-port", type=int)
    arguments = parser.parse_args()
    deployment = Deployment.from_environment()
    try:
        settings = ServerSettings.from_environment(
            arguments.host, arguments.port, arguments.grpc_port, deployment.environment
        )
        check_free(settings)
        model = Predictor(arguments.name, arguments.model, settings)
        model.load()
        run_loop(serve(model, settings))
    except InvalidInputError as err:
        print(f"predictor: {err}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
