"""Tensors between the wire and numpy: what a v2 request holds, and the answer it asks for."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.protocol.infer_type import RequestedOutput, deserialize_bytes_tensor
from kserve.utils.numpy_codec import from_np_dtype, to_np_dtype
from pydantic import ValidationError

from serving.api.contract import MAX_INSTANCES, ErrorCode
from serving.api.failures import RequestFailedError
from serving.api.tensors import (
    ALL_BINARY,
    BINARY,
    BINARY_SIZE,
    Datatype,
    InferRequestBody,
    InferTensor,
)
from serving.endpoint.bounds import holds_more_texts, length_of
from serving.endpoint.refusals import explain, parsed, refused

_DATATYPES = get_args(Datatype)
_UNFIT = "has data that do not fit its shape and datatype"
TOO_LONG = f"may hold {MAX_INSTANCES:,} elements at most, one per series"
Array = npt.NDArray[Any]


def request_of(body: bytes, json_length: str | None, name: str, version: str) -> InferRequest:
    """Return the request of a REST body.

    Args:
        body: JSON, then the bytes of binary tensors.
        json_length: Header Inference-Header-Content-Length; None where all is JSON.
        name: Model name of the URL.
        version: Version of the URL, "" for none.

    Raises:
        RequestFailedError: If it is not one, with every fault named.
    """
    size = len(body)
    if json_length is not None:
        told = length_of(json_length)
        if told is None or told > len(body):
            raise refused(
                f"Inference-Header-Content-Length must be the bytes of the JSON, at most the "
                f"{len(body)} of the body."
            )
        size = told
    try:
        head = InferRequestBody.model_validate(parsed(body[:size]))
    except ValidationError as err:
        raise refused(explain(err)) from err
    inputs = _inputs(head.inputs, body[size:])
    whole = dict(head.parameters or {})
    outputs = None
    if head.outputs:
        default = {BINARY: whole.get(ALL_BINARY, False)}
        outputs = [RequestedOutput(o.name, default | (o.parameters or {})) for o in head.outputs]
    return InferRequest(
        name, inputs, request_id=head.id, parameters=whole, request_outputs=outputs,
        model_version=version,
    )  # fmt: skip


def _inputs(tensors: list[InferTensor], tail: bytes) -> list[InferInput]:
    """Return inputs; those without data in the JSON take theirs from the bytes after it."""
    at, found = 0, []
    for tensor in tensors:
        size = (tensor.parameters or {}).get(BINARY_SIZE)
        if (size is None) == (tensor.data is None):
            raise refused_input(tensor.name, f"must have either data or {BINARY_SIZE}")
        data: Any = tensor.data
        if size is not None:
            if isinstance(size, bool) or not isinstance(size, int) or not size >= 0:
                raise refused_input(tensor.name, f"must have a {BINARY_SIZE} of 0 bytes or more")
            if at + size > len(tail):
                raise refused_input(
                    tensor.name, f"tells {size} bytes, and {len(tail) - at} are left in the body"
                )
            data = raw_array(tensor.name, tensor.datatype, tensor.shape, tail[at : at + size])
            at += size
        found.append(InferInput(tensor.name, tensor.shape, tensor.datatype, data))
    if at < len(tail):
        raise refused(f"{len(tail) - at} bytes after the JSON belong to no input.")
    return found


def raw_array(name: str, datatype: str, shape: list[int], raw: bytes) -> Array:
    """Return the array of raw bytes.

    Raises:
        RequestFailedError: If they do not fit shape and datatype.
    """
    dtype = to_np_dtype(known(name, datatype))
    if datatype == "BYTES":
        check_texts(name, raw)
    try:
        flat = (
            deserialize_bytes_tensor(raw)
            if datatype == "BYTES"
            else np.frombuffer(raw, dtype=dtype)
        )
        return np.asarray(flat).reshape(shape)
    except Exception as err:  # numpy and struct have many ways to fail on bad bytes
        raise refused_input(name, _UNFIT) from err


def check_texts(name: str, raw: bytes) -> None:
    """Raise RequestFailedError where the bytes of a tensor hold more texts than series may come."""
    if holds_more_texts(raw, MAX_INSTANCES):
        raise refused_input(name, TOO_LONG)


def array_of(tensor: Any) -> Array:
    """Return the array of an input, exactly what was sent: nothing is rounded, nothing guessed.

    Raises:
        RequestFailedError: If the data do not fit shape and datatype, or are not finite.
    """
    datatype = known(tensor.name, tensor.datatype)
    data = tensor.data
    if isinstance(data, list) and not _fits(data, datatype):
        raise refused_input(tensor.name, _UNFIT)
    try:
        array: Array = tensor.as_numpy()
    except Exception as err:  # KServe and numpy have many ways to fail on a bad tensor
        raise refused_input(tensor.name, _UNFIT) from err
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise refused_input(tensor.name, "holds NaN or infinity")
    return array


def _fits(data: list[Any], datatype: str) -> bool:
    """Say whether a list, flat or nested, holds values of a datatype only."""
    for value in data:
        if isinstance(value, list):
            if not _fits(value, datatype):
                return False
        elif not _is_a(value, datatype):
            return False
    return True


def _is_a(value: Any, datatype: str) -> bool:
    if datatype == "BYTES":
        return isinstance(value, str | bytes)
    if datatype == "BOOL" or isinstance(value, bool):
        return datatype == "BOOL" and isinstance(value, bool)
    if datatype.startswith("FP"):
        return isinstance(value, int | float)
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


_SHOWN = 60  # letters of a caller's name that a refusal repeats


def known(name: str, datatype: str) -> str:
    """Return a datatype of the protocol.

    Raises:
        RequestFailedError: If it is none.
    """
    if datatype not in _DATATYPES:
        raise refused_input(name, f"has no datatype of the protocol; those are {_listed()}")
    return datatype


def _listed() -> str:
    return ", ".join(_DATATYPES)


def wanted_of(request: InferRequest, names: list[str]) -> list[str]:
    """Return the outputs a request wants, in its order; all of them by default.

    Raises:
        RequestFailedError: If one is not known or is asked for twice.
    """
    if not request.request_outputs:
        return names
    wanted = [output.name for output in request.request_outputs]
    check_outputs(wanted, names)
    return wanted


def check_outputs(wanted: list[str], names: list[str]) -> None:
    """Raise RequestFailedError where an output is not known or is asked for twice."""
    missing = next((name for name in wanted if name not in names), None)
    if missing is not None:
        raise refused(f"there is no output {missing[:_SHOWN]}; there are {', '.join(names)}.")
    if len(set(wanted)) < len(wanted):
        raise refused("an output is asked for twice.")


def response_of(
    request: InferRequest,
    name: str,
    version: str,
    arrays: Mapping[str, Array],
    parameters: dict[str, Any] | None = None,
) -> InferResponse:
    """Return the outputs that a request wants, as it wants them.

    Over gRPC raw tensors are answered raw and typed ones typed; over REST JSON is the default.

    Args:
        request: What was asked.
        name: Model name.
        version: That answers.
        arrays: Every output by name.
        parameters: Of the answer.

    Raises:
        RequestFailedError: If an output is not known.
    """
    outputs = []
    for column in wanted_of(request, list(arrays)):
        array = arrays[column]
        output = InferOutput(column, list(array.shape), from_np_dtype(array.dtype), array)
        if request.from_grpc:
            output.set_data_from_numpy(array, binary_data=request.use_binary_outputs)
        outputs.append(output)
    return InferResponse(
        request.id, name, outputs, model_version=version, parameters=parameters,
        use_binary_outputs=request.use_binary_outputs,
        requested_outputs=None if request.from_grpc else request.request_outputs,
    )  # fmt: skip


def check_version(asked: str | None, version: str) -> None:
    """Raise RequestFailedError where a version is asked for that is not served."""
    if asked and asked != version:
        raise refused(f"version {version} is served here, no other.")


def refused_input(name: str, problem: str) -> RequestFailedError:
    """Return the refusal of an input."""
    return RequestFailedError(ErrorCode.INVALID_REQUEST, f"input {name[:50]} {problem}.")
