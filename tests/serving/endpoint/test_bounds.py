"""Bodies that are small and hold too much are refused before anything of them is an object."""

import asyncio
import json
import time

import pytest
from kserve import InferInput, InferRequest
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest

from serving.api.contract import MAX_INSTANCES, PredictRequest
from serving.api.failures import RequestFailedError
from serving.endpoint.bounds import check_bounds, holds_more_texts, length_of
from serving.endpoint.grpc import check_tensors
from serving.endpoint.http import Guard
from serving.endpoint.protocols import instances_of
from serving.endpoint.tensor_bodies import raw_array
from serving.settings import ServerSettings


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


def answered(path, body, **headers):
    """Return status and body of what the guard answers; what it lets through is an error."""
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "method": "POST", "headers": told}
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    async def inner(*_):
        pytest.fail("the body was let through")

    guard = Guard(inner, ServerSettings.from_environment("", 0, None, {}))
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("length", ["0", "10"])
def test_only_v2_has_bytes_after_its_json(length):
    body = json.dumps({"instances": [[]] * 600_000}, separators=(",", ":")).encode()
    status, told = answered("/v1/models/demo:predict", body, inference_header_content_length=length)
    assert (status, told["code"]) == (400, "invalid_request")
    assert "may hold" in told["error"]


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", "abc", "²", "٣", "9" * 5000, " 1"])
def test_a_length_is_digits_and_no_more_of_them_than_fit_any_body(text):
    assert length_of(text) is None
    check_bounds(b"{}", text.encode())


def test_texts_of_a_binary_tensor_are_counted_before_they_are_objects():
    raw = b"\0\0\0\0" * 2_000_000  # so many empty texts, within the limit of a body
    started = time.process_time()
    with pytest.raises(RequestFailedError, match="may hold 1,000 elements at most"):
        raw_array("unique_id", "BYTES", [2_000_000], raw)
    assert time.process_time() - started < 0.05
    one = b"\x05\0\0\0p0_s0"
    assert raw_array("unique_id", "BYTES", [2], 2 * one).tolist() == [b"p0_s0", b"p0_s0"]
    assert not holds_more_texts(MAX_INSTANCES * one, MAX_INSTANCES)
    assert holds_more_texts(MAX_INSTANCES * one + b"\0", MAX_INSTANCES)
    assert not holds_more_texts(b"\xff\xff\xff\xff", 1)


def grpc_request(**lists):
    request = ModelInferRequest(model_name="demo")
    for field, messages in lists.items():
        getattr(request, field).extend(messages)
    return request


TEXTS = ModelInferRequest.InferInputTensor(name="unique_id", datatype="BYTES", shape=[1])
WANTED = ModelInferRequest.InferRequestedOutputTensor(name="mean")


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (grpc_request(inputs=[TEXTS] * 100_000), "64 inputs"),
        (grpc_request(inputs=[TEXTS], outputs=[WANTED] * 100_000), "64 outputs"),
        (grpc_request(inputs=[TEXTS], raw_input_contents=[b""] * 100_000), "64 raw"),
        (grpc_request(inputs=[TEXTS], raw_input_contents=[b"\0" * 8_000_000]), "1,000 elements"),
    ],
)
def test_a_grpc_request_of_too_much_is_refused_before_anything_of_it_is_an_object(request_, what):
    started = time.process_time()
    with pytest.raises(RequestFailedError, match=what):
        check_tensors(request_)
    assert time.process_time() - started < 0.05


def test_parameters_of_a_grpc_request_are_few():
    request = grpc_request(inputs=[TEXTS])
    for number in range(65):
        request.inputs[0].parameters[f"p{number}"].bool_param = True
    with pytest.raises(RequestFailedError, match="64 parameters at most"):
        check_tensors(request)
    del request.inputs[0].parameters["p0"]
    check_tensors(request)


@pytest.mark.parametrize("fields", [{"shape": [500_000]}, {"shape": [2]}])
def test_tensors_of_series_hold_one_element_for_each(fields):
    sent = InferInput("unique_id", fields["shape"], "BYTES", ["p0_s0"] * 500_000)
    started = time.process_time()
    with pytest.raises(RequestFailedError, match="1,000 elements at most, one per series"):
        instances_of(InferRequest("demo", [sent]))
    assert time.process_time() - started < 0.05
