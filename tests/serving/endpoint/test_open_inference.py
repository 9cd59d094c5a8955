"""Clients of all makes on one server: every operation that a client has is answered.

A row of the table is a client, a column an operation of the Open Inference Protocol.
"""

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)
from kserve.protocol.infer_type import RequestedOutput

from invopt import __version__
from tests.serving.conftest import NAME

pytestmark = pytest.mark.slow
ONE = {"unique_id": np.array([b"p0_s0"], object)}
LATER = ONE | {"lead_time": np.array([5], np.int64)}
KINDS = {"O": "BYTES", "f": "FP64", "i": "INT64", "b": "BOOL"}
OUTPUTS = [
    "order_quantity", "order_up_to_level", "reorder_point", "safety_stock", "expected_demand",
    "expected_holding_cost", "expected_stockout_cost", "unavoidable_stockout_cost",
    "cost_of_one_less", "cost_of_one_more", "feature_age_s", "mean", "reason_code", "exception",
    "segment", "model_version", "policy_version", "code", "decision",
]  # fmt: skip
INPUTS = {
    "unique_id": "BYTES", "instance": "BYTES", "explain": "BOOL", "on_hand": "FP64",
    "on_order": "FP64", "backorders": "FP64", "lead_time": "INT64", "review_period": "INT64",
    "cycle_service_level": "FP64", "holding_cost": "FP64", "stockout_cost": "FP64",
    "price": "FP64",
}  # fmt: skip


def served(server):
    """Return the version that is served."""
    [version] = server.get(f"/v2/models/{NAME}")[1]["versions"]
    return version


class RefusedError(Exception):
    """The server refused, and the client said so."""


class Triton:
    """tritonclient, in a process of its own; see triton_child."""

    def __init__(self, server, kind):
        address = server.grpc if kind == "triton-grpc" else server.url.removeprefix("http://")
        self._child = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("triton_child.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._version = served(server)
        self._tell([kind, address, NAME, OUTPUTS])

    def close(self):
        self._child.stdin.close()
        self._child.wait(timeout=30)
        self._child.stdout.close()

    def _tell(self, message):
        self._child.stdin.write(json.dumps(message) + "\n")
        self._child.stdin.flush()

    def _call(self, operation, /, **kwargs):
        self._tell([operation, kwargs])
        answer = json.loads(self._child.stdout.readline())
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer["found"]

    def live(self):
        return self._call("live")

    def ready(self, version=""):
        return self._call("ready", version=version)

    def server(self):
        return self._call("server")

    def model(self, version=""):
        return self._call("model", version=version)

    def infer(self, tensors, outputs=None, version="", name=NAME):
        plain = {
            column: (array.dtype.kind, np.char.decode(array.astype("S")).tolist()
                     if array.dtype.kind == "O" else array.tolist())
            for column, array in tensors.items()
        }  # fmt: skip
        found = self._call("infer", tensors=plain, outputs=outputs, version=version, name=name)
        assert found["head"] == {"id": "7", "model_name": NAME, "model_version": self._version}
        return {
            column: np.array(values, object if isinstance(values[0], str) else float)
            .reshape(found["shapes"][column])
            for column, values in found["outputs"].items()
        }  # fmt: skip


class KServe:
    """KServe's own clients; they have no call for metadata, and over REST none for versions."""

    def __init__(self, server, is_grpc, binary=True):
        self._server, self._is_grpc, self._binary = server, is_grpc, binary

    def close(self):
        pass

    async def _with(self, work):
        if self._is_grpc:
            client = InferenceGRPCClient(self._server.grpc)
        else:
            client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
        try:
            return await work(client)
        except Exception as err:
            raise RefusedError(
                str(err) + getattr(getattr(err, "response", None), "text", "")
            ) from err
        finally:
            await client.close()

    def live(self):
        where = () if self._is_grpc else (self._server.url,)
        return asyncio.run(self._with(lambda client: client.is_server_live(*where))) and (
            asyncio.run(self._with(lambda client: client.is_server_ready(*where)))
        )

    def ready(self):
        where = () if self._is_grpc else (self._server.url,)
        return asyncio.run(self._with(lambda client: client.is_model_ready(*where, NAME)))

    def infer(self, tensors, outputs=None, name=NAME, version=None):
        inputs = []
        for column, array in tensors.items():
            tensor = InferInput(column, list(array.shape), KINDS[array.dtype.kind])
            tensor.set_data_from_numpy(array, binary_data=self._binary)
            inputs.append(tensor)
        how = {"binary_data": self._binary}
        request = InferRequest(
            name, inputs, request_id="7", model_version=version,
            parameters=None if self._is_grpc else {"binary_data_output": self._binary},
            request_outputs=outputs and [
                RequestedOutput(o, None if self._is_grpc else how) for o in outputs
            ],
        )  # fmt: skip
        if self._is_grpc:
            found = asyncio.run(self._with(lambda client: client.infer(request)))
        else:
            found = asyncio.run(
                self._with(lambda c: c.infer(self._server.url, request, model_name=name))
            )
        assert found.id == "7"
        return {o.name: o.as_numpy() for o in found.outputs}


class Curl:
    """curl, with no header at all."""

    def __init__(self, server):
        self._url = server.url

    def close(self):
        pass

    def _get(self, path, *more):
        command = ["curl", "-s", "-w", "\n%{http_code}", *more, self._url + path]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        body, _, status = said.rpartition("\n")
        if status != "200":
            raise RefusedError(body)
        return json.loads(body)

    def live(self):
        return self._get("/v2/health/live") == {"live": True} and self._get("/v2/health/ready") == {
            "ready": True
        }

    def _place(self, version, name=NAME):
        return f"/v2/models/{name}" + (f"/versions/{version}" if version else "")

    def ready(self, version=""):
        return self._get(self._place(version) + "/ready") == {"name": NAME, "ready": True}

    def server(self):
        return self._get("/v2")

    def model(self, version=""):
        return self._get(self._place(version))

    def infer(self, tensors, outputs=None, version="", name=NAME):
        inputs = [
            {"name": column, "shape": list(array.shape), "datatype": KINDS[array.dtype.kind],
             "data": np.char.decode(array.astype("S")).tolist()
             if array.dtype.kind == "O" else array.tolist()}
            for column, array in tensors.items()
        ]  # fmt: skip
        body = {"id": "7", "inputs": inputs}
        if outputs:
            body["outputs"] = [{"name": o} for o in outputs]
        found = self._get(self._place(version, name) + "/infer", "-d", json.dumps(body))
        assert set(found) - {"parameters"} == {"id", "model_name", "model_version", "outputs"}
        return {
            o["name"]: np.array(o["data"], object if o["datatype"] == "BYTES" else float)
            .reshape(o["shape"])
            for o in found["outputs"]
        }  # fmt: skip


def make_client(kind, server):
    if kind.startswith("triton"):
        if importlib.util.find_spec("tritonclient") is None:
            pytest.skip("tritonclient is not installed")
        return Triton(server, kind)
    if kind.startswith("kserve"):
        return KServe(server, kind.startswith("kserve-grpc"), not kind.endswith("json"))
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    return Curl(server)


CLIENTS = [
    "triton-json", "triton-binary", "triton-grpc", "kserve-rest", "kserve-rest-json",
    "kserve-grpc", "kserve-grpc-json", "curl",
]  # fmt: skip


@pytest.fixture(scope="module", params=CLIENTS)
def client(request, server):
    found = make_client(request.param, server)
    yield found
    found.close()


def offers(client, call, *args, **kwargs):
    """Return what a call says; skip where this client has none."""
    if not hasattr(client, call):
        pytest.skip("this client has no such call")
    return getattr(client, call)(*args, **kwargs)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def test_live_and_ready(client):
    assert client.live()
    assert client.ready()


def test_server_metadata_names_this_server_and_only_what_it_can(client):
    found = offers(client, "server")
    assert found == {
        "name": "invopt", "version": __version__, "extensions": ["binary_tensor_data"],
    }  # fmt: skip


def test_model_metadata_tells_every_input_and_output(client, server):
    version = served(server)
    for asked in ("", version):
        found = offers(client, "model", asked)
        assert (found["name"], found["versions"]) == (NAME, [version])
        assert found["platform"] == "onnx_onnxv1"
        inputs = {t["name"]: (t["datatype"], list(map(int, t["shape"]))) for t in found["inputs"]}
        assert inputs == {name: (kind, [-1]) for name, kind in INPUTS.items()}
        assert [t["name"] for t in found["outputs"]] == OUTPUTS


def test_metadata_is_what_is_answered(client, server):
    told = server.get(f"/v2/models/{NAME}")[1]["outputs"]
    found = client.infer(ONE)
    assert [t["name"] for t in told] == list(found)
    for tensor in told:
        shape = found[tensor["name"]].shape
        assert len(shape) == len(tensor["shape"])
        assert all(wanted in (-1, got) for wanted, got in zip(tensor["shape"], shape, strict=True))


def test_every_number_is_that_of_v1(client, server):
    [wanted] = server.decide("p0_s0")
    found = client.infer(ONE)
    for column in ("order_quantity", "expected_demand", "expected_stockout_cost", "safety_stock"):
        assert found[column].tolist() == [wanted[column]]
    assert found["mean"].tolist() == [wanted["mean"]]
    assert text(found["model_version"][0]) == wanted["model_version"]
    assert json.loads(found["decision"][0])["reason"] == wanted["reason"]


def test_only_the_outputs_asked_for_come_in_the_order_asked_for(client):
    assert list(client.infer(ONE, ["mean", "order_quantity"])) == ["mean", "order_quantity"]


def test_what_if_tensors_change_the_numbers(client, server):
    [v1] = server.decide({"unique_id": "p0_s0", "what_if": {"lead_time": 5}})
    as_is, changed = client.infer(ONE), client.infer(LATER)
    for column in ("expected_demand", "order_up_to_level", "order_quantity"):
        assert as_is[column].tolist() == [v1[column]]
        assert changed[column].tolist() == [v1["what_if"][column]]
    assert changed["expected_demand"][0] > as_is["expected_demand"][0]
    assert json.loads(changed["decision"][0])["expected_demand"] == v1["expected_demand"]


def test_an_unknown_output_is_refused_with_those_there_are(client):
    with pytest.raises(RefusedError, match="there is no output .*; there are order_quantity"):
        client.infer(ONE, ["mean", "nothing"])


def test_an_unknown_input_is_refused_with_those_there_are(client):
    with pytest.raises(RefusedError, match="input id is not known; there are unique_id, instance"):
        client.infer({"id": ONE["unique_id"]})


def test_a_shape_of_another_rank_is_refused(client):
    with pytest.raises(RefusedError, match="must have the shape"):
        client.infer({"unique_id": np.array([[b"p0_s0"]], object)})


def test_a_version_that_is_not_served_is_refused_and_the_one_that_is_answers(client, server):
    if isinstance(client, KServe) and not client._is_grpc:
        pytest.skip("this client has no versions")
    version = served(server)
    assert client.infer(ONE, ["mean"], version=version)
    with pytest.raises(RefusedError, match=f"version {version} is served here, no other"):
        client.infer(ONE, ["mean"], version="99")


def test_metadata_of_another_version_are_refused(client, server):
    with pytest.raises(RefusedError, match=f"version {served(server)} is served here"):
        offers(client, "model", "99")


def test_a_model_that_is_not_here_is_refused(client):
    with pytest.raises(RefusedError, match=f"no model of this name here; there is {NAME}"):
        client.infer(ONE, name="other")


def test_every_status_of_what_is_refused_is_told(server):
    infer = f"/v2/models/{NAME}/infer"
    good = {"name": "unique_id", "datatype": "BYTES", "shape": [1], "data": ["p0_s0"]}
    for path, body, status in [
        (infer, {"inputs": [good], "outputs": [{"name": "nothing"}]}, 400),
        (f"/v2/models/{NAME}/versions/99/infer", {"inputs": [good]}, 400),
        ("/v2/models/other/infer", {"inputs": [good]}, 404),
    ]:
        assert server.post(path, body)[0] == status
    for path, status in [
        (f"/v2/models/{NAME}/versions/99", 400), (f"/v2/models/{NAME}/versions/99/ready", 400),
        ("/v2/models/other", 404), ("/v2/models", 200), (infer, 405),
        (f"/v1/models/{NAME}:predict", 405),
    ]:  # fmt: skip
        assert server.get(path)[0] == status, path


def test_a_verb_of_v1_that_there_is_not_is_not_found_with_those_that_are(server):
    status, told = server.post(f"/v1/models/{NAME}:predictt", {"instances": ["a"]})[:2]
    assert (status, told["code"]) == (404, "not_found")
    assert told["error"] == "there is no :predictt here; there are :predict and :explain."
    assert server.post("/v1/models/other:predictt", {})[0] == 404
    assert server.post(f"/v1/models/{NAME}", {})[0] == 405


def test_raw_over_grpc_is_answered_raw_and_typed_typed(server):
    import grpc
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

    typed = pb.ModelInferRequest(model_name=NAME, outputs=[{"name": "mean"}, {"name": "decision"}])
    typed.inputs.add(name="unique_id", datatype="BYTES", shape=[1]).contents.bytes_contents.append(
        b"p0_s0"
    )
    raw = pb.ModelInferRequest(model_name=NAME, outputs=[{"name": "mean"}, {"name": "decision"}])
    raw.inputs.add(name="unique_id", datatype="BYTES", shape=[1])
    raw.raw_input_contents.append(b"\x05\0\0\0p0_s0")
    with grpc.insecure_channel(server.grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        in_kind, bytes_ = stub.ModelInfer(typed), stub.ModelInfer(raw)
    assert len(bytes_.raw_output_contents) == 2
    assert not in_kind.raw_output_contents
    mean = list(in_kind.outputs[0].contents.fp64_contents)
    assert mean == np.frombuffer(bytes_.raw_output_contents[0], np.float64).tolist()
    assert json.loads(in_kind.outputs[1].contents.bytes_contents[0])["unique_id"] == "p0_s0"
