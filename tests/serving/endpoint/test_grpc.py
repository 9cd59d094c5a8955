"""The gRPC door: KServe's own client and calls, on a predictor and on a server of decisions."""

import asyncio
import signal
import threading

import grpc
import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferRequest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from invopt.attribution import load_reference
from serving.answers.graph import LocalNetwork, RemoteNetwork
from serving.api.failures import NetworkUnavailableError
from tests.serving.conftest import NAME, save_model, start, stop
from tests.serving.test_predictor import raw_request

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(shop):
    return load_reference(shop.model / "reference.npz")


@pytest.fixture(scope="module")
def predictor(shop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictor")
    found = start("serving.predictor", ["--model", shop.model], shop.settings, folder)
    yield found
    stop(found)


@pytest.fixture(scope="module")
def stub(predictor):
    with grpc.insecure_channel(predictor.grpc) as channel:
        yield GRPCInferenceServiceStub(channel)


def test_kserves_client_finds_server_and_model_live_and_ready(predictor, server):
    async def ask(address):
        client = InferenceGRPCClient(address)
        try:
            return [
                await client.is_server_live(), await client.is_server_ready(),
                await client.is_model_ready(NAME),
            ]  # fmt: skip
        finally:
            await client.close()

    for place in (predictor, server):
        assert asyncio.run(ask(place.grpc)) == [True, True, True]


def test_typed_contents_and_raw_ones_get_the_same_answer(stub, inputs):
    raw = raw_request(inputs)
    typed = InferRequest.from_grpc(raw).to_grpc()
    del typed.raw_input_contents[:]
    for tensor, array in zip(typed.inputs, inputs, strict=True):
        field = {"FP32": "fp32_contents", "INT64": "int64_contents"}[tensor.datatype]
        getattr(tensor.contents, field).extend(array[:1].ravel().tolist())
    quick, other = stub.ModelInfer(raw), stub.ModelInfer(typed)
    assert not other.raw_output_contents
    plain = [np.array(tensor.contents.fp32_contents, np.float32) for tensor in other.outputs]
    assert [array.tobytes() for array in plain] == list(quick.raw_output_contents)
    names = {
        tensor.name for tensor in stub.ModelMetadata(pb.ModelMetadataRequest(name=NAME)).inputs
    }
    assert names <= {tensor.name for tensor in raw.inputs}


LOAD, UNLOAD = pb.RepositoryModelLoadRequest, pb.RepositoryModelUnloadRequest


@pytest.mark.parametrize(
    ("call", "request_", "status"),
    [
        ("ModelInfer", pb.ModelInferRequest(model_name="other"), "NOT_FOUND"),
        ("ModelInfer", pb.ModelInferRequest(model_name=NAME), "INVALID_ARGUMENT"),
        ("ModelReady", pb.ModelReadyRequest(name="other"), "NOT_FOUND"),
        ("RepositoryModelLoad", LOAD(model_name=NAME), "PERMISSION_DENIED"),
        ("RepositoryModelUnload", UNLOAD(model_name=NAME), "PERMISSION_DENIED"),
    ],
)
def test_what_cannot_be_done_is_told_by_its_status(stub, call, request_, status):
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub, call)(request_)
    assert caught.value.code().name == status
    assert ": " in caught.value.details()


def test_a_message_over_the_limit_is_refused_and_the_next_is_answered(predictor, inputs):
    unlimited = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(predictor.grpc, options=unlimited) as channel:
        stub = GRPCInferenceServiceStub(channel)
        large = raw_request(inputs)
        large.raw_input_contents[0] = b"\0" * (9 << 20)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(large)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stub.ModelInfer(raw_request(inputs)).outputs


def test_callers_side_by_side_get_their_own_answers(predictor, shop, inputs):
    own = [tuple(a[[i % len(a)]] for a in inputs) for i in range(8)]
    local, remote = LocalNetwork(shop.model), RemoteNetwork(NAME, predictor.grpc, shop.model)
    found = {}

    def work(number):
        for _ in range(5):
            found[number] = remote.run(own[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    remote.close()
    for number, arrays in found.items():
        for ours, theirs in zip(arrays, local.run(own[number]), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert len(found) == 8


def test_a_predictor_that_is_slow_or_holds_another_model_is_told(predictor, shop, inputs, tmp_path):
    from invopt.model import export_onnx
    from tests.builders import make_forecaster

    hasty = RemoteNetwork(NAME, predictor.grpc, shop.model, seconds=0.3)
    predictor.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(NetworkUnavailableError, match="DEADLINE_EXCEEDED"):
            hasty.run(inputs)
    finally:
        predictor.process.send_signal(signal.SIGCONT)
    hasty.close()
    other = tmp_path / "2"
    forecaster = make_forecaster(shop.panel, shop.config, seed=5)
    save_model(other, forecaster, shop.panel, shop.config, export_onnx)
    mistaken = RemoteNetwork(NAME, predictor.grpc, other)
    with pytest.raises(NetworkUnavailableError, match="holds another model"):
        mistaken.run(inputs)
    mistaken.close()
