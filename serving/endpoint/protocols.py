"""KServe's v1 and v2 requests as instances, and decisions as its answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from kserve import InferRequest
from pydantic import ValidationError

from serving.answers.last_answers import WrittenAnswer
from serving.api.contract import (
    MAX_EXPLAINED,
    MAX_INSTANCES,
    SCHEMA_VERSION,
    Instance,
    PredictRequest,
)
from serving.endpoint.refusals import explain_faults, faults_of, refused
from serving.endpoint.tensor_bodies import TOO_LONG, array_of, known, refused_input

NUMBERS = (
    "order_quantity",
    "order_up_to_level",
    "reorder_point",
    "safety_stock",
    "expected_demand",
    "expected_holding_cost",
    "expected_stockout_cost",
    "unavoidable_stockout_cost",
    "cost_of_one_less",
    "cost_of_one_more",
    "feature_age_s",
)
NAME, INSTANCE, EXPLAIN, DECISION = "unique_id", "instance", "explain", "decision"
TEXTS = ("reason_code", "exception", "segment", "model_version", "policy_version", "code")
_POSITION = dict.fromkeys(("on_hand", "on_order", "backorders"), "FP64")
_WHAT_IF = {
    "lead_time": "INT64",
    "review_period": "INT64",
    "cycle_service_level": "FP64",
    "holding_cost": "FP64",
    "stockout_cost": "FP64",
    "price": "FP64",
}
INPUTS = {NAME: "BYTES", INSTANCE: "BYTES", EXPLAIN: "BOOL"} | _POSITION | _WHAT_IF
_TOGETHER = 50  # instances that are validated at once
# What a plan under assumptions has from the decision it stands in.
_SHARED = ("feature_age_s", "segment", "model_version", "policy_version")


def instances_of(payload: dict[str, Any] | InferRequest | bytes) -> list[Instance]:
    """Return the instances of a v1 body or a v2 request.

    Raises:
        RequestFailedError: If it is not one, with every fault named.
    """
    if isinstance(payload, InferRequest):
        payload = {"instances": _from_tensors(payload)}
    if not isinstance(payload, dict):
        raise refused("the body must be a JSON object with instances.")
    found = [i if isinstance(i, Instance) else Instance(unique_id=i) for i in _validated(payload)]
    if sum(i.explain for i in found) > MAX_EXPLAINED:
        raise refused(f"at most {MAX_EXPLAINED} instances can be explained at once.")
    return found


def is_long(payload: dict[str, Any] | InferRequest) -> bool:
    """Return whether reading the instances of a body or request keeps others waiting."""
    if isinstance(payload, InferRequest):
        sizes = (0 if tensor.data is None else len(tensor.data) for tensor in payload.inputs)
        return any(size > _TOGETHER for size in sizes)
    given = payload.get("instances") if isinstance(payload, dict) else None
    return isinstance(given, list) and len(given) > _TOGETHER


def _validated(payload: dict[str, Any]) -> list[str | Instance]:
    """Return the instances of a body, validated some at a time.

    No other thread has a turn while pydantic is at work: a thousand instances at once take a tenth
    of a second, in which no probe would be answered.
    """
    found: list[str | Instance] = []
    faults: list[Any] = []
    for first, part in _parts(payload):
        try:
            found += PredictRequest.model_validate(part).instances
        except ValidationError as err:
            faults += faults_of(err, first)
    if faults:
        raise refused(explain_faults(faults))
    return found


def _parts(payload: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return a body as several with some of its instances each, and the place of their first."""
    given = payload.get("instances")
    if not isinstance(given, list) or not _TOGETHER < len(given) <= MAX_INSTANCES:
        return [(0, payload)]
    return [
        (first, payload | {"instances": given[first : first + _TOGETHER]})
        for first in range(0, len(given), _TOGETHER)
    ]


def v1_answer(decisions: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the body of a v1 answer."""
    return _as_json({"schema_version": SCHEMA_VERSION, "predictions": decisions})


def _as_json(value: Any) -> bytes:
    """Return JSON; answers that are written already go in as they are."""
    return orjson.dumps(value, default=_fragment, option=orjson.OPT_SERIALIZE_NUMPY)


def _fragment(value: Any) -> orjson.Fragment:
    if not isinstance(value, WrittenAnswer):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return orjson.Fragment(value.body)


def v2_arrays(decisions: Sequence[Mapping[str, Any]], horizon: int) -> dict[str, npt.NDArray[Any]]:
    """Return every output of a v2 answer: numbers to compute with, and each decision whole as JSON.

    Where an instance asks what if, its numbers are those under its assumptions; the decision holds
    both. A number that is not known is NaN (null in JSON); `code` says why there is none.

    Args:
        decisions: Of the instances, in order.
        horizon: Periods forecast.
    """
    meant = [_assumed(decision) for decision in decisions]
    arrays = {column: _numbers(meant, column) for column in NUMBERS}
    arrays["mean"] = np.full((len(meant), horizon), np.nan)
    for row, decision in zip(arrays["mean"], meant, strict=True):
        mean = decision.get("mean", ())[:horizon]
        row[: len(mean)] = mean
    for column in TEXTS:
        texts = [d.get(column) or "" for d in meant]
        arrays[column] = np.array([text.encode() for text in texts], object)
    whole = [_as_json(d) for d in decisions]
    arrays[DECISION] = np.array(whole, object)
    return arrays


def input_types() -> list[dict[str, Any]]:
    """Return the inputs: unique_id, or instance that holds it, and what may be said beside."""
    return [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in INPUTS.items()]


def output_types(horizon: int) -> list[dict[str, Any]]:
    """Return the outputs.

    Args:
        horizon: Periods forecast.
    """
    kinds = (
        dict.fromkeys(NUMBERS, "FP64")
        | {"mean": "FP64"}
        | dict.fromkeys((*TEXTS, DECISION), "BYTES")
    )
    return [
        {"name": name, "datatype": kind, "shape": [-1, horizon] if name == "mean" else [-1]}
        for name, kind in kinds.items()
    ]


def _assumed(decision: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the numbers an instance asked for: under its assumptions, where it made any."""
    what_if = decision.get("what_if")
    if what_if is None:
        return decision
    shared = {name: decision[name] for name in _SHARED}
    return shared | what_if


def _from_tensors(request: InferRequest) -> list[dict[str, Any]]:
    tensors: dict[str, list[Any]] = {}
    for tensor in request.inputs:
        if tensor.name not in INPUTS:
            raise refused_input(tensor.name, f"is not known; there are {', '.join(INPUTS)}")
        if tensor.name in tensors:
            raise refused_input(tensor.name, "is given twice")
        tensors[tensor.name] = _values(tensor)
    if NAME not in tensors and INSTANCE not in tensors:
        raise refused(f"inputs must hold {NAME} or {INSTANCE}, of datatype BYTES.")
    lengths = {len(values) for values in tensors.values()}
    if len(lengths) > 1:
        raise refused("inputs must all have the same number of elements.")
    return [_instance({n: v[i] for n, v in tensors.items()}) for i in range(lengths.pop())]


def _values(tensor: Any) -> list[Any]:
    wanted = INPUTS[tensor.name]
    given = known(tensor.name, tensor.datatype)
    if _kind_of(given) != _kind_of(wanted):
        raise refused_input(tensor.name, f"must be {wanted}")
    if len(tensor.shape) != 1:
        raise refused_input(tensor.name, "must have the shape [-1]: one element per series")
    given_data = () if tensor.data is None else tensor.data
    if max(tensor.shape[0], len(given_data)) > MAX_INSTANCES:
        raise refused_input(tensor.name, TOO_LONG)
    values = array_of(tensor).tolist()
    try:
        return [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError as err:
        raise refused_input(tensor.name, "is not UTF-8") from err


def _kind_of(datatype: str) -> str:
    """Return what a datatype holds: numbers of any width are numbers."""
    return datatype if datatype in ("BYTES", "BOOL") else "number"


def _instance(values: dict[str, Any]) -> dict[str, Any]:
    instance: dict[str, Any] = {}
    if INSTANCE in values:
        try:
            instance = orjson.loads(values.pop(INSTANCE))
        except (orjson.JSONDecodeError, TypeError) as err:
            raise refused_input(INSTANCE, "is not JSON") from err
        if not isinstance(instance, dict):
            raise refused_input(INSTANCE, "is not a JSON object")
    position = {n: values.pop(n) for n in _POSITION if n in values}
    what_if = {n: values.pop(n) for n in _WHAT_IF if n in values}
    instance |= values
    if position:
        instance["position"] = position
    if what_if:
        instance["what_if"] = what_if
    return instance


def _numbers(decisions: Sequence[Mapping[str, Any]], column: str) -> Any:
    values = [d.get(column) for d in decisions]
    return np.array([np.nan if v is None else v for v in values], np.float64)
