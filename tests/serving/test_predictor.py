"""The predictor's quick way for raw tensors: the same answers and refusals as the other ways."""

import asyncio

import numpy as np
import pytest
from kserve import InferRequest
from kserve.protocol.grpc.grpc_predict_v2_pb2 import ModelInferRequest

from invopt.features import INPUT_NAMES
from invopt.runtime import OUTPUT_NAMES, OnnxNetwork
from serving.api.contract import ErrorCode
from serving.api.failures import RequestFailedError
from serving.settings import ServerSettings
from tests.serving.conftest import NAME

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def predictor(shop):
    from serving.predictor import Predictor

    found = Predictor(NAME, shop.model, ServerSettings())
    found.load()
    return found


@pytest.fixture(scope="module")
def inputs(shop):
    from invopt.attribution import load_reference

    return load_reference(shop.model / "reference.npz")


def raw_request(inputs, num=1, **changed):
    request = ModelInferRequest(model_name=NAME)
    for name, array in zip(INPUT_NAMES, inputs, strict=True):
        rows = np.ascontiguousarray(changed.get(name, np.repeat(array[:1], num, axis=0)))
        kind = {"float32": "FP32", "int64": "INT64", "float64": "FP64"}[rows.dtype.name]
        request.inputs.add(name=name, datatype=kind, shape=rows.shape)
        request.raw_input_contents.append(rows.tobytes())
    return request


@pytest.mark.parametrize("num", [1, 9])  # answered at once, and in a thread
def test_raw_tensors_get_the_graph_s_own_answers(predictor, inputs, shop, num):
    answer = asyncio.run(predictor.infer_raw(raw_request(inputs, num)))
    wanted = OnnxNetwork(shop.model / "model.onnx").run(
        tuple(np.repeat(array[:1], num, axis=0) for array in inputs)
    )
    assert [output.name for output in answer.outputs] == list(OUTPUT_NAMES)
    for output, raw, array in zip(answer.outputs, answer.raw_output_contents, wanted, strict=True):
        found = np.frombuffer(raw, np.float32).reshape(tuple(output.shape))
        np.testing.assert_allclose(found, array, rtol=1e-6)
    assert answer.parameters["model_fingerprint"].string_param == predictor.fingerprint


def test_both_ways_give_the_same_answer(predictor, inputs):
    request = raw_request(inputs)
    quick = asyncio.run(predictor.infer_raw(request))
    other = asyncio.run(predictor.predict(InferRequest.from_grpc(request))).to_grpc()
    assert list(quick.raw_output_contents) == list(other.raw_output_contents)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda a: a * np.nan, "NaN or infinity"),
        (lambda a: a[:, 1:], "must have the shape"),
        (lambda a: np.concatenate([a, a]), "must have the shape"),
        (lambda a: a[:0], "must have the shape"),
        (lambda a: a.astype(np.float64), "must be FP32"),
    ],
)
def test_raw_tensors_that_do_not_fit_are_refused_by_name(predictor, inputs, change, text):
    request = raw_request(inputs, step=change(inputs[INPUT_NAMES.index("step")][:1]))
    if not len(request.raw_input_contents[0]):
        request = raw_request([a[:0] for a in inputs])
    with pytest.raises(RequestFailedError, match=text) as caught:
        asyncio.run(predictor.infer_raw(request))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_bytes_that_are_not_the_shape_s_are_refused(predictor, inputs):
    request = raw_request(inputs)
    request.raw_input_contents[0] = request.raw_input_contents[0][:-3]
    with pytest.raises(RequestFailedError, match="input step has data that do not fit"):
        asyncio.run(predictor.infer_raw(request))


def test_a_tensor_that_is_missing_is_told_by_name(predictor, inputs):
    request = raw_request(inputs)
    del request.inputs[0]
    del request.raw_input_contents[0]
    with pytest.raises(RequestFailedError, match="input step is missing"):
        asyncio.run(predictor.infer_raw(request))
