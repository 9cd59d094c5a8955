"""v2 bodies as they come over REST: the specification's examples, and what is refused."""

import json

import numpy as np
import pytest

from serving.api.failures import RequestFailedError
from serving.endpoint.tensor_bodies import array_of, request_of, response_of

NUMBERS = {"name": "input0", "shape": [2, 2], "datatype": "UINT32"}
FLAGS = {"name": "input1", "shape": [3], "datatype": "BOOL"}


def body_of(*inputs, **more):
    return json.dumps({"inputs": list(inputs), **more}).encode()


def read(body, tail=b"", length=None):
    size = None if not tail and length is None else str(len(body) if length is None else length)
    return request_of(body + tail, size, "mymodel", "")


def test_the_inference_request_of_the_specification_is_read():
    request = read(
        body_of(
            NUMBERS | {"data": [1, 2, 3, 4]},
            FLAGS | {"data": [True, False, True]},
            id="42",
            outputs=[{"name": "output0"}],
        )
    )
    assert (request.id, request.model_name) == ("42", "mymodel")
    numbers, flags = map(array_of, request.inputs)
    assert numbers.tolist() == [[1, 2], [3, 4]]
    assert numbers.dtype == np.uint32
    assert flags.tolist() == [True, False, True]
    assert [output.name for output in request.request_outputs] == ["output0"]


def test_the_inference_response_of_the_specification_is_written():
    request = read(body_of(NUMBERS | {"data": [1, 2, 3, 4]}, id="42"))
    output = np.array([[1.0, 1.1], [2.0, 2.1], [3.0, 3.1]], np.float32)
    body, length = response_of(request, "mymodel", "1", {"output0": output}).to_rest()
    assert length is None
    data = body["outputs"][0].pop("data")
    assert body == {
        "id": "42", "model_name": "mymodel", "model_version": "1",
        "outputs": [{"name": "output0", "shape": [3, 2], "datatype": "FP32"}],
    }  # fmt: skip
    assert data == pytest.approx([1.0, 1.1, 2.0, 2.1, 3.0, 3.1])


@pytest.mark.parametrize("data", [[1, 2, 4, 5], [[1, 2], [4, 5]]])
def test_tensor_data_come_flat_or_nested_as_the_specification_says(data):
    [tensor] = read(body_of(NUMBERS | {"data": data})).inputs
    assert array_of(tensor).tolist() == [[1, 2], [4, 5]]


def test_the_binary_request_of_the_extension_s_document_is_read_and_answered_in_kind():
    tail = np.array([1, 2, 3, 4], np.uint32).tobytes() + b"\x01\x00\x01"
    body = body_of(
        NUMBERS | {"parameters": {"binary_data_size": 16}},
        FLAGS | {"parameters": {"binary_data_size": 3}},
        model_name="mymodel", outputs=[{"name": "output0", "parameters": {"binary_data": True}}],
    )  # fmt: skip
    request = read(body, tail)
    assert [array_of(tensor).tolist() for tensor in request.inputs] == [
        [[1, 2], [3, 4]], [True, False, True],
    ]  # fmt: skip
    output = np.array([[1.0, 1.5], [2.0, 2.5], [3.0, 3.5]], np.float32)
    found, length = response_of(request, "mymodel", "1", {"output0": output}).to_rest()
    head = json.loads(found[:length])
    assert head["outputs"] == [
        {"name": "output0", "shape": [3, 2], "datatype": "FP32",
         "parameters": {"binary_data_size": 24}},
    ]  # fmt: skip
    assert np.frombuffer(found[length:], np.float32).tolist() == output.ravel().tolist()


def test_texts_come_as_bytes_with_their_lengths_before_them():
    tail = b"\x02\x00\x00\x00ab\x00\x00\x00\x00"
    body = body_of(
        {"name": "t", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 10}}
    )
    [tensor] = read(body, tail).inputs
    assert array_of(tensor).tolist() == [b"ab", b""]


def test_binary_is_the_default_of_outputs_only_where_the_request_says_so():
    array = {"a": np.array([1.0]), "b": np.array([2.0])}
    asked = [{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}]
    body = body_of(
        NUMBERS | {"data": [1, 2, 3, 4]}, outputs=asked, parameters={"binary_data_output": True}
    )
    found, length = response_of(read(body), "m", "1", array).to_rest()
    first, second = json.loads(found[:length])["outputs"]
    assert first["parameters"] == {"binary_data_size": 8}
    assert second["data"] == [2.0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"data": [1, 2, 3]}, "do not fit"),
        ({"data": [1, 2, 3, 4.5]}, "do not fit"),
        ({"data": [1, 2, 3, -4]}, "do not fit"),
        ({"data": [1, 2, 3, 1 << 40]}, "do not fit"),
        ({"data": [1, 2, 3, "4"]}, "do not fit"),
        ({"data": [1, 2, 3, True]}, "do not fit"),
        ({"data": [1, 2, 3, None]}, "do not fit"),
        ({"data": [[1, 2], [3]]}, "do not fit"),
        ({}, "must have either data or binary_data_size"),
        ({"data": [1, 2, 3, 4], "parameters": {"binary_data_size": 16}}, "either"),
        ({"parameters": {"binary_data_size": -1}}, "0 bytes or more"),
        ({"parameters": {"binary_data_size": 17}}, "tells 17 bytes, and 16 are left"),
        ({"parameters": {"binary_data_size": 12}}, "do not fit"),
        ({"data": [1], "shape": [-1]}, "inputs.0.shape.0 must be at least 0"),
        ({"data": [1], "datatype": "INT7"}, "inputs.0.datatype must be 'BOOL', 'UINT8'"),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused_and_nothing_is_rounded(change, text):
    size = (change.get("parameters") or {}).get("binary_data_size")
    with pytest.raises(RequestFailedError, match=text):
        request = read(body_of(NUMBERS | change), b"\0" * 16 if size is not None else b"")
        [array_of(tensor) for tensor in request.inputs]


@pytest.mark.parametrize(
    ("body", "length", "text"),
    [
        (b"", None, "the body is empty"),
        (b'{"inputs": [NaN]}', None, "line 1, column 13: not JSON"),
        (b"hello", None, "line 1, column 1: not JSON"),
        (b"\xff\xfe", None, "not UTF-8"),
        (b"[]", None, "the body must be an object"),
        (b"{}", None, "inputs is missing: tensors with name"),
        (b'{"inputs": []}', None, "inputs must hold 1 at least"),
        (b"{}", 3, "Inference-Header-Content-Length must be"),
        (b"{}", -1, "Inference-Header-Content-Length must be"),
        (body_of(NUMBERS | {"data": [1, 2, 3, 4]}) + b"more", -4, "Content-Length must be"),
    ],
)
def test_a_body_that_is_none_is_refused_with_the_place(body, length, text):
    with pytest.raises(RequestFailedError, match=text):
        read(body, length=length)


def test_bytes_that_belong_to_no_tensor_are_refused():
    with pytest.raises(RequestFailedError, match="4 bytes after the JSON belong to no input"):
        read(body_of(NUMBERS | {"data": [1, 2, 3, 4]}), b"more")


@pytest.mark.parametrize(
    ("asked", "text"),
    [(["a", "c"], "there is no output c; there are a, b"), (["a", "a"], "asked for twice")],
)
def test_an_output_that_is_not_there_is_refused_by_what_is(asked, text):
    request = read(
        body_of(NUMBERS | {"data": [1, 2, 3, 4]}, outputs=[{"name": name} for name in asked])
    )
    with pytest.raises(RequestFailedError, match=text):
        response_of(request, "m", "1", {"a": np.zeros(1), "b": np.zeros(1)})
