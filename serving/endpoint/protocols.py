"""KServe's v1 and v2 requests as instances, and decisions as its answers."""

from typing import Any

import numpy as np
import orjson
from kserve import InferOutput, InferRequest, InferResponse
from pydantic import ValidationError

from serving.api.contract import MAX_EXPLAINED, ErrorCode, Instance, PredictRequest
from serving.api.errors import RequestFailedError

NUMBERS = (
    "order_quantity",
    "order_up_to_level",
    "reorder_point",
    "safety_stock",
    "expected_demand",
    "expected_holding_cost",
    "expected_stockout_cost",
    "feature_age_s",
)
_POSITION = ("on_hand", "on_order", "backorders")
_WHAT_IF = (
    "lead_time",
    "review_period",
    "cycle_service_level",
    "holding_cost",
    "stockout_cost",
    "price",
)
_MAX_FAULTS = 5
NAME, INSTANCE, EXPLAIN, DECISION = "unique_id", "instance", "explain", "decision"


def instances_of(payload: dict[str, Any] | InferRequest | bytes) -> list[Instance]:
    """Return the instances of a v1 body or a v2 request.

    Raises:
        RequestFailedError: If it is not one, with every fault named.
    """
    if isinstance(payload, InferRequest):
        payload = {"instances": _from_tensors(payload)}
    if not isinstance(payload, dict):
        raise RequestFailedError(
            ErrorCode.INVALID_REQUEST, "the body must be JSON, sent as application/json."
        )
    try:
        request = PredictRequest.model_validate(payload)
    except ValidationError as err:
        raise RequestFailedError(ErrorCode.INVALID_REQUEST, explain(err)) from err
    found = [i if isinstance(i, Instance) else Instance(unique_id=i) for i in request.instances]
    if sum(i.explain for i in found) > MAX_EXPLAINED:
        raise RequestFailedError(
            ErrorCode.INVALID_REQUEST,
            f"at most {MAX_EXPLAINED} instances can be explained at once.",
        )
    return found


def explain(err: ValidationError) -> str:
    """Return the faults of a request as one sentence; values are not repeated."""
    faults = err.errors(include_url=False, include_input=False)
    texts = []
    for fault in faults:
        # An instance may be an object or a text: the place of the branch says nothing.
        place = [str(part) for part in fault["loc"] if not _is_branch(part)]
        text = f"{'.'.join(place) or 'the body'}: {fault['msg']}"
        if text not in texts:
            texts.append(text)
    more = f" (and {len(texts) - _MAX_FAULTS} more)" if len(texts) > _MAX_FAULTS else ""
    return "; ".join(texts[:_MAX_FAULTS]) + more


def v1_answer(decisions: list[dict[str, Any]]) -> bytes:
    """Return the body of a v1 answer."""
    return orjson.dumps({"predictions": decisions}, option=orjson.OPT_SERIALIZE_NUMPY)


def v2_answer(request: InferRequest, name: str, decisions: list[dict[str, Any]]) -> InferResponse:
    """Return decisions as tensors: numbers to compute with, and each decision whole as JSON.

    A number that is not known is NaN (null in JSON).
    """
    outputs = [_output(column, _numbers(decisions, column), "FP64") for column in NUMBERS]
    horizon = max((len(d.get("mean", ())) for d in decisions), default=0)
    means = np.array([d.get("mean", [np.nan] * horizon) for d in decisions], np.float64)
    outputs.append(_output("mean", means, "FP64"))
    for column in ("model_version", "policy_version"):
        texts = np.array([d.get(column, "").encode() for d in decisions], object)
        outputs.append(_output(column, texts, "BYTES"))
    whole = [orjson.dumps(d, option=orjson.OPT_SERIALIZE_NUMPY) for d in decisions]
    outputs.append(_output(DECISION, np.array(whole, object), "BYTES"))
    return InferResponse(request.id, name, outputs)


def _from_tensors(request: InferRequest) -> list[dict[str, Any]]:
    tensors = {}
    for tensor in request.inputs:
        if tensor.name not in (NAME, INSTANCE, EXPLAIN, *_POSITION, *_WHAT_IF):
            raise _refused(tensor.name, "is not known")
        tensors[tensor.name] = _values(tensor)
    if NAME not in tensors and INSTANCE not in tensors:
        raise RequestFailedError(
            ErrorCode.INVALID_REQUEST, f"inputs must hold {NAME} or {INSTANCE}, of datatype BYTES."
        )
    lengths = {len(values) for values in tensors.values()}
    if len(lengths) > 1:
        raise RequestFailedError(
            ErrorCode.INVALID_REQUEST, "inputs must all have the same number of elements."
        )
    return [_instance({n: v[i] for n, v in tensors.items()}) for i in range(lengths.pop())]


def _values(tensor: Any) -> list[Any]:
    try:
        array = tensor.as_numpy().ravel()
    except Exception as err:  # KServe and numpy have many ways to fail on a bad tensor
        raise _refused(tensor.name, "has data that do not fit its shape and datatype") from err
    if np.issubdtype(array.dtype, np.number) and not np.isfinite(array).all():
        raise _refused(tensor.name, "holds NaN or infinity")
    try:
        return [v.decode() if isinstance(v, bytes) else v for v in array.tolist()]
    except UnicodeDecodeError as err:
        raise _refused(tensor.name, "is not UTF-8") from err


def _instance(values: dict[str, Any]) -> dict[str, Any]:
    instance: dict[str, Any] = {}
    if INSTANCE in values:
        try:
            instance = orjson.loads(values.pop(INSTANCE))
        except (orjson.JSONDecodeError, TypeError) as err:
            raise _refused(INSTANCE, "is not JSON") from err
        if not isinstance(instance, dict):
            raise _refused(INSTANCE, "is not a JSON object")
    position = {n: values.pop(n) for n in _POSITION if n in values}
    what_if = {n: values.pop(n) for n in _WHAT_IF if n in values}
    instance |= values
    if position:
        instance["position"] = position
    if what_if:
        instance["what_if"] = what_if
    return instance


def _refused(name: str, problem: str) -> RequestFailedError:
    return RequestFailedError(ErrorCode.INVALID_REQUEST, f"input {name[:50]} {problem}.")


def _is_branch(part: int | str) -> bool:
    return isinstance(part, str) and (part == "Instance" or "constrained" in part)


def _numbers(decisions: list[dict[str, Any]], column: str) -> Any:
    values = [d.get(column) for d in decisions]
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _output(name: str, values: Any, datatype: str) -> InferOutput:
    output = InferOutput(name=name, shape=list(values.shape), datatype=datatype)
    output.set_data_from_numpy(values, binary_data=False)
    return output
