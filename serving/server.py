"""The KServe edge: v1 and v2 requests for decisions by series name."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from kserve.utils.utils import generate_uuid

from serving.decisions import Decider

_NUMBERS = ("order_quantity", "order_up_to_level", "reorder_point", "safety_stock")


class DecisionModel(Model):  # type: ignore[misc]
    """Decisions over KServe's protocols.

    Args:
        name: Model name in the URLs.
        decider: Answers.
    """

    def __init__(self, name: str, decider: Decider) -> None:
        super().__init__(name)
        self.decider = decider
        # One request at a time reaches the model: two would only share the same cores.
        self.pool = ThreadPoolExecutor(1)

    def load(self) -> bool:
        """Answer once before traffic comes, so that the first caller does not wait."""
        self.decider.decide(["-"])
        self.ready = True
        return True

    async def predict(
        self,
        payload: dict[str, Any] | InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> dict[str, Any] | InferResponse:
        """Return decisions; the loop stays free for health checks meanwhile."""
        names = _names(payload)
        decisions = await asyncio.get_running_loop().run_in_executor(
            self.pool, self.decider.decide, names
        )
        if isinstance(payload, InferRequest):
            return _v2_answer(payload, self.name, decisions)
        return {"predictions": decisions}


def _names(payload: dict[str, Any] | InferRequest) -> list[str]:
    if isinstance(payload, InferRequest):
        inputs = {i.name: i for i in payload.inputs}
        if "unique_id" not in inputs:
            raise InvalidInput("inputs must hold unique_id, of datatype BYTES")
        return [_text(value) for value in inputs["unique_id"].as_numpy().ravel()]
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list) or not instances:
        raise InvalidInput("instances must be a list of {unique_id: ...}")
    names = [i.get("unique_id") if isinstance(i, dict) else i for i in instances]
    if not all(isinstance(name, str) for name in names):
        raise InvalidInput("every instance must have a unique_id, a text")
    return names  # type: ignore[return-value]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _v2_answer(request: InferRequest, name: str, decisions: list[dict[str, Any]]) -> InferResponse:
    outputs = []
    for column in _NUMBERS:
        values = [d.get(column) for d in decisions]
        array = np.array([np.nan if v is None else v for v in values], np.float64)
        outputs.append(_output(column, array, "FP64"))
    horizon = max((len(d.get("mean", ())) for d in decisions), default=0)
    means = np.array([d.get("mean") or [np.nan] * horizon for d in decisions], np.float64)
    outputs.append(_output("mean", means, "FP64"))
    versions = np.array([d.get("model_version", "") for d in decisions], object)
    outputs.append(_output("model_version", versions, "BYTES"))
    return InferResponse(request.id or generate_uuid(), name, outputs)


def _output(name: str, values: Any, datatype: str) -> InferOutput:
    output = InferOutput(name=name, shape=list(values.shape), datatype=datatype)
    output.set_data_from_numpy(values, binary_data=False)
    return output


def serve(model: DecisionModel, host: str, port: int, grpc_port: int | None) -> None:
    """Serve until stopped.

    Args:
        model: Loaded.
        host: Address to bind; KServe itself would always bind every address.
        port: HTTP port.
        grpc_port: gRPC port; none by default.
    """
    import uvicorn  # noqa: PLC0415

    original = uvicorn.Config.__init__

    def bound(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs["host"] = host
        original(self, *args, **kwargs)

    uvicorn.Config.__init__ = bound  # type: ignore[method-assign]
    ModelServer(
        http_port=port,
        grpc_port=grpc_port or 8081,
        enable_grpc=grpc_port is not None,
        workers=1,
        enable_latency_logging=False,
        access_log_format=None,
    ).start([model])
