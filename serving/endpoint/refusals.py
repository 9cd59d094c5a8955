"""What is wrong with a request, in sentences: each fault once, with what is known instead."""

import difflib
import itertools
from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from serving.api.contract import (
    BRANCH,
    ErrorCode,
    Features,
    Instance,
    Position,
    PredictRequest,
    WhatIf,
)
from serving.api.failures import RequestFailedError

_MAX_FAULTS = 5
_KINDS = {
    "float": "a number", "int": "a whole number", "string": "a text", "bool": "true or false",
    "list": "a list", "dict": "an object", "model": "an object",
    "model_attributes": "an object",
}  # fmt: skip
_TEXTS = {
    "missing": "is missing",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be finite",
    "int_from_float": "must be a whole number",
    "too_long": "may hold {max_length} at most, got {actual_length}",
    "too_short": "must hold {min_length} at least",
    "string_too_short": "must not be empty",
    "string_too_long": "may have {max_length} letters at most",
    "literal_error": "must be {expected}",
}
_HINTS = {
    "cycle_service_level": "a share in (0, 1), such as 0.98",
    "instances": "names of series, or objects with unique_id",
    "inputs": "tensors with name, datatype, shape and data",
}


def refused(message: str) -> RequestFailedError:
    """Return the refusal of a request."""
    return RequestFailedError(ErrorCode.INVALID_REQUEST, message)


def parsed(body: bytes) -> Any:
    """Return the content of a JSON body.

    Raises:
        RequestFailedError: If it is not JSON, with the place.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as err:
        raise not_json(err) from err


def not_json(err: orjson.JSONDecodeError) -> RequestFailedError:
    """Return the refusal of a body that is not JSON."""
    if "zero-length" in err.msg:
        return refused("the body is empty; send a JSON object.")
    if "UTF-8" in err.msg:
        return refused("the body is not UTF-8.")
    return refused(f"line {err.lineno}, column {err.colno}: not JSON (NaN and Infinity are not).")


def explain(err: ValidationError) -> str:
    """Return the faults of a request as one sentence; values are not repeated."""
    return explain_faults(faults_of(err))


def faults_of(err: ValidationError, first: int = 0) -> list[Any]:
    """Return the faults that pydantic found.

    Args:
        err: Of a request, or of a part of its instances.
        first: Place of the first instance of that part in the request.
    """
    faults = err.errors(include_url=False, include_input=False)
    for fault in faults:
        whole, *rest = fault["loc"] or ("",)
        if first and whole == "instances" and rest:
            fault["loc"] = (whole, int(rest[0]) + first, *rest[1:])
    return list(faults)


def explain_faults(faults: Sequence[Any]) -> str:
    """Return faults as one sentence; values are not repeated."""
    # Each once. A body may hold thousands: what is said is looked up for those that are told.
    found: dict[tuple[Any, ...], tuple[Any, list[str]]] = {}
    for fault in faults:
        # A branch of a choice (a name or an object, a number or a list) is no place of its own.
        place = [str(part) for part in fault["loc"] if not str(part).startswith(BRANCH)]
        found.setdefault((*place, fault["type"], fault["msg"]), (fault, place))
    texts = dict.fromkeys(
        f"{'.'.join(place) or 'the body'} {_said(fault, place)}"
        for fault, place in itertools.islice(found.values(), _MAX_FAULTS)
    )
    more = f" (and {len(found) - _MAX_FAULTS} more)" if len(found) > _MAX_FAULTS else ""
    said = "; ".join(texts) + more
    return said if said.endswith("?") else f"{said}."


def _said(fault: Any, place: list[str]) -> str:
    """Return what is wrong at a place."""
    kind, context = fault["type"], fault.get("ctx", {})
    hint = _HINTS.get(place[-1] if place else "", "")
    if kind == "extra_forbidden":
        return f"is not known; {_meant(place)}"
    if kind in _TEXTS:
        text = _TEXTS[kind].format(**context)
    elif kind.endswith("_type") and len(place) == 2 and place[0] == "instances":
        text = "must be the name of a series, or an object with unique_id"
    elif kind.endswith(("_type", "_parsing")):
        text = f"must be {_KINDS.get(kind.rsplit('_', 1)[0], 'of another kind')}"
    else:
        text = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{text}: {hint}" if hint else text


def _meant(place: list[str]) -> str:
    """Return the name that was likely meant, else those that there are."""
    level = [part for part in place[:-1] if not part.isdigit() and part != "instances"]
    word, names = place[-1], _names()
    own = [n.rpartition(".")[2] for n in names if n.rpartition(".")[0] == ".".join(level)]
    if not level and len(place) == 1:
        own = list(PredictRequest.model_fields)
    close = difflib.get_close_matches(word, own, 1)
    elsewhere = [n for n in names if n.rpartition(".")[2] == word]
    if not close and not elsewhere:
        last = difflib.get_close_matches(word, [n.rpartition(".")[2] for n in names], 1)
        elsewhere = [n for n in names if last and n.rpartition(".")[2] == last[0]]
    if elsewhere or close:
        return f"did you mean {(close or elsewhere)[0]}?"
    return f"there {'is' if len(own) == 1 else 'are'} {', '.join(own)}"


def _names() -> list[str]:
    """Return every name of an instance, with the names above it."""
    nested: dict[str, type[BaseModel]] = {
        "position": Position, "features": Features, "what_if": WhatIf,
    }  # fmt: skip
    inner = [f"{name}.{own}" for name, model in nested.items() for own in model.model_fields]
    return [*Instance.model_fields, *inner]
