"""Every failure over HTTP and gRPC has one form, is counted, and is in the log with its request."""

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from kserve import Model

from serving.api import metrics
from serving.endpoint.connections import connection_limit
from serving.endpoint.http import serve
from serving.loop.local_release import free_port
from serving.settings import ServerSettings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:ORJSONResponse is deprecated"),  # KServe's own
]
PREDICT, INFER = "/v1/models/echo:predict", "/v2/models/echo/infer"


class Echo(Model):
    """Answers, or fails as the request tells it to."""

    version = "1"

    def __init__(self):
        super().__init__("echo", return_response_headers=True)
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        from serving.endpoint.queue import PROGRESS

        PROGRESS.get().reached_model = True
        if isinstance(payload, dict) and payload.get("instances") == ["zero"]:
            return 1 // 0
        return {"predictions": []}


@pytest.fixture(scope="module")
def door():
    """A running server of a model that can fail, without a store behind it."""
    settings = ServerSettings(
        port=free_port(), grpc_port=free_port(), token="open", max_body_bytes=1500,
        request_seconds=1.0, head_seconds=1.0, max_connections=20,
    )  # fmt: skip
    ended = threading.Event()

    async def main():
        task = asyncio.create_task(serve(Echo(), settings))
        while not ended.is_set():
            await asyncio.sleep(0.05)
        task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", settings.port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield settings
    ended.set()
    thread.join(20)


def ask(door, path, body=b"{}", **headers):
    headers = {"Authorization": "Bearer open", "Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    url = f"http://127.0.0.1:{door.port}{path}"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, body, headers), timeout=20
        ) as found:
            return found.status, found.read(), found.headers
    except urllib.error.HTTPError as err:
        return err.code, err.read(), err.headers


def raw(door, text, wait=5.0):
    with socket.create_connection(("127.0.0.1", door.port), 5) as own:
        own.settimeout(wait)
        own.sendall(text)
        found = b""
        while chunk := own.recv(65536):
            found += chunk
    return found


def counted(protocol, code):
    return metrics.REQUESTS.labels(protocol, code)._value.get()


FAILURES = {
    "an error of ours": (PREDICT, b'{"instances": ["zero"]}', {}, 500, "internal", "v1"),
    "no token": (PREDICT, b"{}", {"Authorization": "Bearer shut"}, 401, "unauthorized", "v1"),
    "too large": (PREDICT, b" " * 2000, {}, 413, "too_large", "v1"),
    "no JSON": (PREDICT, b"{", {}, 400, "invalid_request", "v1"),
    "no model": ("/v2/models/other/infer", b'{"inputs": []}', {}, 404, "not_found", "v2"),
    "many tensors": (
        INFER, b'{"inputs":[' + b",".join([b'{"datatype":0}'] * 65) + b"]}", {}, 400,
        "invalid_request", "v2",
    ),
    "no operation": ("/nothing", b"{}", {}, 404, "not_found", "other"),
    "a length that is no number": (
        INFER, b"{}",
        {"Content_Type": "application/octet-stream", "Inference_Header_Content_Length": "abc"},
        400, "invalid_request", "v2",
    ),
    "binary data that are not there": (
        INFER,
        b'{"inputs":[{"name":"unique_id","shape":[3],"datatype":"BYTES",'
        b'"parameters":{"binary_data_size":9}}]}',
        {"Content_Type": "application/octet-stream", "Inference_Header_Content_Length": "100"},
        400, "invalid_request", "v2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FAILURES))
def test_a_failure_is_error_and_code_counted_once_and_logged_with_its_request(door, caplog, name):
    path, body, headers, status, code, protocol = FAILURES[name]
    caplog.set_level(logging.INFO)
    before = counted(protocol, code)
    found, answer, told = ask(door, path, body, X_Request_Id="mesh-7", **headers)
    assert found == status
    answer = json.loads(answer)
    assert set(answer) == {"error", "code"}
    assert answer["code"] == code
    assert "ZeroDivision" not in answer["error"]
    assert told["x-request-id"] == "mesh-7"
    assert counted(protocol, code) == before + 1
    [record] = [r for r in caplog.records if "request mesh-7 failed" in r.getMessage()]
    assert f"{status} {code}" in record.getMessage()
    assert (record.levelno == logging.ERROR) == (code == "internal")
    if code == "internal":
        assert record.exc_info[0] is ZeroDivisionError


def test_a_body_that_does_not_come_is_408_and_counted(door):
    before = counted("v1", "slow_request")
    found = raw(
        door,
        f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open\r\n"
        "Content-Length: 100\r\nConnection: close\r\n\r\n{".encode(),
    )
    assert b" 408 " in found
    assert json.loads(found.partition(b"\r\n\r\n")[2])["code"] == "slow_request"
    assert counted("v1", "slow_request") == before + 1


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", 408, "slow_request"),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 100_000, 413, "too_large"),
    ],
)
def test_what_is_no_request_gets_the_same_form_and_its_connection_ends(door, text, status, code):
    before = counted("other", code)
    head, _, body = raw(door, text).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["code"] == code
    assert counted("other", code) == before + 1


def test_idle_connections_shut_nobody_out_and_end_by_themselves(door):
    idle = [socket.create_connection(("127.0.0.1", door.port), 5) for _ in range(60)]
    try:
        status, body, _ = ask(door, "/v2/health/live", None)
        assert (status, body) == (200, b'{"live":true}')
        for own in idle:
            own.settimeout(5)
            with contextlib.suppress(ConnectionResetError):
                assert own.recv(10) == b""
    finally:
        for own in idle:
            own.close()


def test_connections_are_as_many_as_there_are_files_for(monkeypatch):
    settings = ServerSettings(max_connections=1000)
    for files, limit in ((256, 156), (100_000, 1000), (50, 1)):
        monkeypatch.setattr("resource.getrlimit", lambda _, files=files: (files, files))
        assert connection_limit(settings) == limit
    assert connection_limit(replace(settings, max_connections=3)) == 1


def test_an_error_of_ours_over_grpc_is_internal_counted_and_logged(door, caplog):
    import grpc
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
    from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as stubs

    caplog.set_level(logging.INFO)
    before = counted("v2", "unauthorized")
    with (
        grpc.insecure_channel(f"127.0.0.1:{door.grpc_port}") as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        stubs.GRPCInferenceServiceStub(channel).ModelInfer(
            pb.ModelInferRequest(model_name="echo", id="mesh\n9"), timeout=20
        )
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert counted("v2", "unauthorized") == before + 1
    assert "request mesh?9 failed: 401 unauthorized" in caplog.text
