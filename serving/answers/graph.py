"""The model's graph, in this process or behind KServe's gRPC: the same call, the same numbers."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from invopt.features import INPUT_NAMES
from invopt.files import sha256_of
from invopt.runtime import OUTPUT_NAMES, OnnxNetwork
from invopt.types import Float32Array, ModelInputs
from serving.api import metrics
from serving.api.failures import NetworkUnavailableError

FINGERPRINT = "model_fingerprint"
PART = "model_part"  # of a model of parts, asked of a predictor; a request without means the main
DATATYPES: dict["np.dtype[Any]", str] = {
    np.dtype(np.float32): "FP32",
    np.dtype(np.int64): "INT64",
}
_DTYPES = {kind: dtype for dtype, kind in DATATYPES.items()}


class Network(Protocol):
    """Returns mean, quantiles and levels for inputs in the order of INPUT_NAMES."""

    def run(self, inputs: ModelInputs) -> list[Float32Array]:
        """Run one batch.

        Raises:
            NetworkUnavailableError: If there is no answer.
        """

    def close(self) -> None:
        """Let go of connections."""


class LocalNetwork:
    """The graph in this process.

    Args:
        model: Model folder.
    """

    def __init__(self, model: Path) -> None:
        # One thread: requests come side by side, and the graph is small.
        self._network = OnnxNetwork(model / "model.onnx", num_threads=1)

    def run(self, inputs: ModelInputs) -> list[Float32Array]:
        """Run one batch."""
        try:
            return self._network.run(inputs)
        except Exception as err:  # ONNX Runtime raises classes of its own
            metrics.NETWORK_FAILURES.inc()
            raise NetworkUnavailableError("the model failed on these features") from err

    def close(self) -> None:
        """Nothing is held."""


class RemoteNetwork:
    """The graph in a predictor process, over KServe's gRPC.

    Args:
        name: Model name at the predictor.
        address: host:port of its gRPC.
        model: The same model folder, to know it by its fingerprint.
        seconds: Longest wait.
        token: Bearer token of the predictor, "" for none.
        part: Of a model of parts, "" for the main model.
    """

    def __init__(
        self, name: str, address: str, model: Path, seconds: float = 2.0, token: str = "",
        *, part: str = "",
    ) -> None:  # fmt: skip
        import grpc  # noqa: PLC0415
        from kserve.protocol.grpc import grpc_predict_v2_pb2, grpc_predict_v2_pb2_grpc  # noqa: PLC0415

        self.name, self.seconds, self.part = name, seconds, part
        self._metadata = [("authorization", f"Bearer {token}")] if token else None
        self._pb: Any = grpc_predict_v2_pb2
        self._fingerprint = sha256_of(model / "model.onnx")
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # What gRPC measures for itself is a tenth of the caller's processor time.
            ("grpc.enable_channelz", 0),
            ("grpc.http2.bdp_probe", 0),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub = grpc_predict_v2_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._failure = grpc.RpcError

    def run(self, inputs: ModelInputs) -> list[Float32Array]:
        """Run one batch at the predictor."""
        request = self._pb.ModelInferRequest(
            model_name=self.name, raw_input_contents=[array.tobytes() for array in inputs]
        )
        if self.part:
            request.parameters[PART].string_param = self.part
        for name, array in zip(INPUT_NAMES, inputs, strict=True):
            request.inputs.add(name=name, datatype=DATATYPES[array.dtype], shape=array.shape)
        try:
            answer = self._stub.ModelInfer(request, timeout=self.seconds, metadata=self._metadata)
        except self._failure as err:
            metrics.NETWORK_FAILURES.inc()
            raise NetworkUnavailableError(f"the predictor failed: {err.code().name}") from err
        if answer.parameters[FINGERPRINT].string_param != self._fingerprint:
            metrics.NETWORK_FAILURES.inc()
            raise NetworkUnavailableError("the predictor holds another model")
        found = {
            output.name: np.frombuffer(raw, _DTYPES[output.datatype]).reshape(output.shape)
            for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
        }
        return [found[name] for name in OUTPUT_NAMES]

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
