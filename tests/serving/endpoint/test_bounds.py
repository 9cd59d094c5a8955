"""Bodies that are small and hold too much are refused before anything of them is an object."""

import json
import time

import pytest

from serving.api.contract import MAX_INSTANCES, PredictRequest
from serving.api.failures import RequestFailedError
from serving.endpoint.bounds import check_bounds


def tensor(name, data):
    return {"name": name, "datatype": "BYTES", "shape": [len(data)], "data": data}


def everything(name):
    """Return an instance with all that one may have; numbers as many as fit the bounds."""
    return {
        "unique_id": name,
        "position": {"on_hand": 1, "on_order": 2, "backorders": 0, "arrivals": [1.0] * 28},
        "features": {
            "sales": [1.0] * 200,
            "static": {"category": "a", "brand": "b"},
            "channels": {"price": [2.5] * 200},
        },
        "what_if": {
            "lead_time": 3, "review_period": 7, "cycle_service_level": 0.9, "holding_cost": 0.1,
            "stockout_cost": 1.0, "price": [2.0] * 28, "promotion": {"campaign": [1.0] * 28},
        },
        "explain": False,
    }  # fmt: skip


def test_the_largest_request_that_makes_sense_passes():
    whole = [everything(f"p{n}_s0") for n in range(MAX_INSTANCES)]
    body = json.dumps({"instances": whole}).encode()
    check_bounds(body)
    PredictRequest.model_validate_json(body)
    texts = [json.dumps(one) for one in whole]
    check_bounds(json.dumps({"inputs": [tensor("instance", texts)]}).encode())


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"inputs": [tensor("unique_id", ["p0_s0"])] * 100_000}, "objects"),
        ({"inputs": [tensor("unique_id", ["p0_s0"])] * 65}, "64 tensors"),
        ({"instances": [{"features": {"static": {f"k{n}": n for n in range(200_000)}}}]}, "keys"),
        ({"instances": [{"features": {"sales": [1] * 600_000}}]}, "values"),
        ({"instances": [[]] * 600_000}, "values"),
    ],
)
def test_a_body_of_too_much_is_refused_by_looking_at_its_bytes(body, what):
    content = json.dumps(body, separators=(",", ":")).encode()
    started = time.process_time()
    with pytest.raises(RequestFailedError, match=rf"may hold .*{what}.*fewer series"):
        check_bounds(content)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("body", [b"", b"{}", b"{" * 100, b"\xff" * 100, b'"' * 50_000])
def test_what_is_small_or_no_json_is_left_to_others(body):
    check_bounds(body)


def test_bytes_of_tensors_are_not_counted():
    head = json.dumps({"inputs": [tensor("unique_id", ["p0_s0"])]}).encode()
    body = head + b"{:," * 600_000
    check_bounds(body, str(len(head)).encode())
    with pytest.raises(RequestFailedError, match="may hold"):
        check_bounds(body)
