"""One server on a small champion, asked over every protocol."""

import asyncio
import http.client
import json
import shutil
import socket
import threading
import time
import urllib.request

import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

from invopt import __version__
from serving.api.contract import Decision, PredictResponse
from serving.stores.prediction_log import read_predictions
from tests.serving.conftest import NAME, save_model, start, stop

pytestmark = pytest.mark.slow
NAMES = ["p0_s0", "p2_s3", "p1_s1"]
PREDICT, INFER = f"/v1/models/{NAME}:predict", f"/v2/models/{NAME}/infer"


def tensor(name, datatype, data, shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def without_time(decision):
    return {k: v for k, v in decision.items() if k != "feature_age_s"}


def infer_request(names):
    names_in = InferInput("unique_id", [len(names)], "BYTES")
    names_in.set_data_from_numpy(np.array([n.encode() for n in names], object), binary_data=True)
    return InferRequest(NAME, [names_in], request_id="r1")


async def over_grpc(server, request, headers=None):
    client = InferenceGRPCClient(server.grpc)
    try:
        return await client.infer(request, headers=headers)
    finally:
        await client.close()


async def over_rest(server, data, protocol):
    client = InferenceRESTClient(RESTConfig(protocol=protocol, timeout=30))
    try:
        return await client.infer(server.url, data, model_name=NAME)
    finally:
        await client.close()


def test_a_decision_is_the_librarys_own_forecast_with_its_reasons(server, shop):
    [found] = server.decide(
        {"unique_id": "p0_s0", "explain": True, "what_if": {"cycle_service_level": 0.6}}
    )
    decision = Decision.model_validate(found)
    forecast = shop.forecaster.predict(shop.panel)
    at = list(shop.panel.unique_ids).index("p0_s0")
    np.testing.assert_allclose(decision.mean, forecast.mean[at], atol=2e-3)
    # Whole units: the two networks differ by less than a unit, and where they round apart by one.
    told = np.array(decision.quantiles["0.9"])
    assert np.array_equal(told, np.rint(told))
    assert np.abs(told - forecast.smooth_quantiles[at, :, 5]).max() <= 0.5 + 2e-3
    assert all(value == round(value) for value in decision.level_quantiles.values())
    assert decision.degraded is None
    assert decision.model_version == "demand-1"
    assert decision.policy_version.startswith("auto-")
    assert 0 <= decision.feature_age_s < 2 * 86400
    assert decision.expected_holding_cost > 0
    assert decision.what_if.critical_ratio == 0.6
    assert decision.what_if.order_up_to_level < decision.order_up_to_level
    parts = decision.attributions
    assert parts.base + sum(parts.parts.values()) == pytest.approx(sum(decision.mean), abs=2e-2)
    assert parts.additivity_error < 1e-3


def test_every_protocol_gives_the_same_decisions(server):
    v1 = asyncio.run(over_rest(server, {"instances": NAMES}, "v1"))["predictions"]
    v2 = asyncio.run(over_rest(server, infer_request(NAMES), "v2"))
    grpc = asyncio.run(over_grpc(server, infer_request(NAMES)))
    for answer in (v2, grpc):
        outputs = {o.name: o for o in answer.outputs}
        whole = [json.loads(d) for d in outputs["decision"].as_numpy()]
        assert [without_time(d) for d in whole] == [without_time(d) for d in v1]
        np.testing.assert_array_equal(
            outputs["order_quantity"].as_numpy(), [d["order_quantity"] for d in v1]
        )
        np.testing.assert_array_equal(outputs["mean"].as_numpy(), [d["mean"] for d in v1])


def test_a_v1_answer_names_its_request(server):
    def asked(headers):
        body = json.dumps({"instances": ["p0_s0"]}).encode()
        headers = {"Content-Type": "application/json"} | headers
        request = urllib.request.Request(server.url + PREDICT, body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers["x-request-id"]

    own, other = asked({}), asked({})
    assert len(own) >= 32
    assert own != other
    assert asked({"X-Request-Id": "mesh-1"}) == "mesh-1"
    assert asked({"X-Request-Id": "a" * 5000}) == "a" * 200


def test_a_server_that_is_told_to_stop_writes_what_it_still_has_to_log(shop, tmp_path):
    environment = {"INVOPT_PREDICTION_LOG": str(tmp_path / "log")}
    own = start("serving", ["--model", shop.model], shop.settings, tmp_path, environment)
    try:
        own.decide("p0_s0", "p1_s1")
        inputs = [tensor("unique_id", "BYTES", ["p2_s0"])]
        _, answer = own.post(INFER, {"id": "b" * 5000, "inputs": inputs})
    finally:
        stop(own)  # as Kubernetes does
    log = read_predictions(tmp_path / "log")
    assert log["unique_id"].to_pylist() == ["p0_s0", "p1_s1", "p2_s0"]
    assert answer["id"] == "b" * 5000
    assert log["request_id"].to_pylist()[-1] == "b" * 200  # no caller fills the disk by ids
    assert own.process.returncode == 0


def test_what_if_over_tensors_is_what_if_over_json(server):
    [v1] = server.decide({"unique_id": "p0_s0", "what_if": {"lead_time": 5, "price": 2.5}})
    status, v2 = server.post(
        INFER,
        {"inputs": [tensor("unique_id", "BYTES", ["p0_s0"]), tensor("lead_time", "INT64", [5]),
                    tensor("price", "FP64", [2.5])]},
    )  # fmt: skip
    assert status == 200
    [text] = next(o["data"] for o in v2["outputs"] if o["name"] == "decision")
    assert json.loads(text)["what_if"] == v1["what_if"]
    assert v1["what_if"]["mean"] != v1["mean"]


def test_an_unknown_series_says_so_and_the_others_are_answered(server):
    known = server.decide(*NAMES)
    mixed = server.decide("nobody", *NAMES, "no one")
    assert [without_time(d) for d in mixed[1:4]] == [without_time(d) for d in known]
    assert mixed[0]["code"] == mixed[4]["code"] == "unknown_series"
    PredictResponse.model_validate({"predictions": mixed})


def test_a_thousand_series_are_one_request_and_more_are_refused(server):
    found = server.decide(*(NAMES * 334)[:1000])
    assert len(found) == 1000
    assert without_time(found[0]) == without_time(found[3])
    status, body = server.post(PREDICT, {"instances": ["p0_s0"] * 1001})
    assert (status, body["code"]) == (400, "invalid_request")


def test_requests_of_many_callers_at_once_get_their_own_answers(server):
    names = [f"p{p}_s{s}" for p in range(3) for s in range(4)]
    alone = {name: without_time(server.decide(name)[0]) for name in names}
    before = server.metric("invopt_requests_together_count")
    found = []

    def work(seed):
        for name in np.random.default_rng(seed).permutation(names):
            found.append((name, server.decide(str(name))[0]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 * len(names)
    assert all(without_time(decision) == alone[name] for name, decision in found)
    batches = server.metric("invopt_requests_together_count") - before
    assert 0 < batches < len(found)  # some were answered together


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"instances": []},
        {"instances": "p0_s0"},
        {"instances": [{"a": 1}]},
        {"instances": [{"unique_id": 7}]},
        {"instances": [{"unique_id": "p0_s0", "position": {"on_hand": -1}}]},
        {"instances": [{"unique_id": "p0_s0", "what_if": {"price": [1.0, "x"]}}]},
        {"instances": [[["p0_s0"], ["ragged", 1]]]},
        b"{",
        b"",
        b'{"instances": [{"unique_id": "p0_s0", "position": {"on_hand": NaN}}]}',
        b'{"instances": [{"unique_id": "p0_s0", "position": {"on_hand": 1e999}}]}',
        b"\xff\xfe\x00",
    ],
)
def test_a_bad_v1_request_is_400_without_internals(server, body):
    status, answer = server.post(PREDICT, body)
    assert (status, answer["code"]) == (400, "invalid_request")
    assert not any(word in str(answer) for word in ("Traceback", ".py", "Error :", "numpy"))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [tensor("nothing", "FP32", [1.0])]},
        {"inputs": [tensor("unique_id", "BYTES", ["p0_s0"], [7])]},
        {"inputs": [tensor("unique_id", "NONSENSE", ["p0_s0"])]},
        {"inputs": [tensor("unique_id", "FP32", [1.5])]},
        {"inputs": [{"name": "unique_id"}]},
        {"inputs": [tensor("unique_id", "BYTES", ["p0_s0"]), tensor("price", "FP64", [1.0, 2.0])]},
        {"inputs": [tensor("instance", "BYTES", ["not json"])]},
        b'{"inputs": [{"name": "unique_id", "datatype": "BYTES", "shape": [1], "data": ["p0_s0"]},'
        b' {"name": "price", "datatype": "FP64", "shape": [1], "data": [NaN]}]}',
        b'{"inputs": [{"name": "unique_id", "datatype": "BYTES", "shape": [1], "data": ["p0_s0"]},'
        b' {"name": "on_hand", "datatype": "FP64", "shape": [1], "data": [-Infinity]}]}',
    ],
)
def test_a_bad_v2_request_is_400_without_internals(server, body):
    status, answer = server.post(INFER, body)
    assert (status, answer["code"]) == (400, "invalid_request"), answer
    assert not any(word in str(answer) for word in ("Traceback", ".py", "Error :"))


def test_a_bad_grpc_request_is_an_invalid_argument(server):
    from grpc import RpcError, StatusCode

    bad = InferInput("price", [1], "FP64")
    bad.set_data_from_numpy(np.array([np.inf]), binary_data=True)
    request = infer_request(["p0_s0"])
    request.inputs.append(bad)
    with pytest.raises(RpcError) as caught:
        asyncio.run(over_grpc(server, request))
    assert caught.value.code() == StatusCode.INVALID_ARGUMENT
    assert "NaN or infinity" in caught.value.details()


def test_a_body_over_the_limit_is_413_whether_it_tells_its_length_or_not(server):
    status, answer = server.post(PREDICT, b" " * (9 << 20))
    assert (status, answer["code"]) == (413, "too_large")
    host, port = server.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    chunks = (b" " * (1 << 20) for _ in range(9))
    try:
        connection.request("POST", PREDICT, chunks, encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})  # fmt: skip
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server hung up while we were still sending
    finally:
        connection.close()


@pytest.mark.parametrize("operation", ["load", "unload"])
def test_nobody_can_load_or_unload_a_model(server, operation):
    status, answer = server.post(f"/v2/repository/models/{NAME}/{operation}", {})
    assert (status, answer["code"]) == (403, "closed")
    assert server.get(f"/v2/models/{NAME}/ready")[0] == 200


def test_what_is_not_there_is_404_with_a_code(server):
    for path in ("/v1/models/other:predict", "/nothing", f"/v1/models/{NAME}:explain"):
        status, answer = server.post(path, {"instances": ["p0_s0"]})
        assert (status, answer["code"]) == (404, "not_found")


def test_a_client_that_disconnects_takes_nothing_with_it(server):
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"instances": NAMES * 300}).encode()
    for cut in (len(body), len(body) // 2):
        with socket.create_connection((host, int(port))) as raw:
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:cut])
    assert server.decide("p0_s0")[0]["mean"]
    for _ in range(50):
        if server.metric("invopt_in_flight") == 0:
            break
        time.sleep(0.1)
    assert server.metric("invopt_in_flight") == 0


def test_metrics_count_what_was_answered_and_how(server):
    fresh = 'invopt_decisions_total{model_version="demand-1",step="fresh"}'
    before = server.metric(fresh)
    missed = server.metric('invopt_instance_errors_total{code="unknown_series"}')
    server.decide(*NAMES, "nobody")
    assert server.metric(fresh) == before + 3
    assert server.metric(f'invopt_build_info{{version="{__version__}"}}') == 1
    assert server.metric('invopt_instance_errors_total{code="unknown_series"}') == missed + 1
    assert server.metric('invopt_stage_seconds_count{stage="network"}') > 0
    assert server.metric('invopt_requests_total{outcome="answered",protocol="v1"}') > 0


def test_the_server_writes_nothing_about_who_asks_what(server):
    server.post(PREDICT, {"instances": ["a-secret-name"]}, {"X-Customer": "a-secret-customer"})
    server.post(PREDICT, {"instances": [{"unique_id": 1, "a-secret-name": 1}]})
    assert "a-secret" not in server.log.read_text()


def test_a_new_champion_takes_over_under_load_without_a_failed_request(server, shop):
    from invopt.model import export_onnx
    from tests.builders import make_forecaster

    other = shop.model.with_name("2")
    if not other.exists():
        forecaster = make_forecaster(shop.panel, shop.config, seed=5)
        save_model(other, forecaster, shop.panel, shop.config, export_onnx)
    broken = shop.model.with_name("3")
    shutil.copytree(other, broken, dirs_exist_ok=True)
    (broken / "model.onnx").write_bytes((other / "model.onnx").read_bytes()[:1000])
    seen, failed, ended = set(), [], threading.Event()

    def load():
        while not ended.is_set():
            status, body = server.post(PREDICT, {"instances": NAMES})
            if status == 200:
                seen.update(d["model_version"] for d in body["predictions"])
            else:
                failed.append(status)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for model, version in ((other, "demand-2"), (broken, "demand-2"), (shop.model, "demand-1")):
            turn(server, model)
            deadline = time.monotonic() + 20
            if model == broken:
                while not server.metric('invopt_model_reloads_total{result="failed"}'):
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            while server.decide("p0_s0")[0]["model_version"] != version:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert not failed
    assert seen == {"demand-1", "demand-2"}


def turn(server, model):
    """Point the server's link at another model, in one step."""
    arguments = server.process.args
    link = arguments[arguments.index("--model") + 1]
    from pathlib import Path

    fresh = Path(link).with_name("next")
    fresh.symlink_to(model)
    fresh.rename(link)


def test_two_processes_answer_as_one_and_fall_back_when_the_predictor_is_gone(
    server, shop, tmp_path
):
    predictor = start("serving.predictor", ["--model", shop.model], shop.settings, tmp_path)
    transformer = None
    try:
        transformer = start(
            "serving",
            ["--model", shop.model, "--predictor-host", predictor.grpc],
            shop.settings,
            tmp_path,
        )
        instances = [*NAMES, {"unique_id": "p1_s0", "explain": True, "what_if": {"price": 2.0}}]
        ours = [without_time(d) for d in transformer.decide(*instances)]
        theirs = [without_time(d) for d in server.decide(*instances)]
        assert [d | {"model_version": ""} for d in ours] == [
            d | {"model_version": ""} for d in theirs
        ]
        memory = (tmp_path / "status").write_text("") or _resident(predictor.process.pid)
        assert memory < 400e6
        stop(predictor)
        # Who was answered by the model from the same rows is answered so again.
        again = [without_time(d) for d in transformer.decide(*NAMES)]
        assert again == ours[: len(NAMES)]
        found = transformer.decide("p0_s1", "p2_s1")
        assert {d["degraded"]["step"] for d in found} == {"last_forecast"}
        assert {d["model_version"] for d in found} == {"demand-0"}
        assert "predictor failed" in found[0]["degraded"]["reason"]
        assert (
            transformer.metric(
                'invopt_decisions_total{model_version="demand-0",step="last_forecast"}'
            )
            == 2
        )
    finally:
        stop(predictor)
        if transformer is not None:
            stop(transformer)


def _resident(pid: int) -> float:
    from pathlib import Path

    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def test_a_token_is_asked_of_everybody_but_probes(shop, tmp_path):
    from grpc import RpcError, StatusCode

    limits = {
        "INVOPT_SERVER_TOKEN": "open sesame",
        "INVOPT_SERVER_REQUEST_SECONDS": "4",
        "INVOPT_SERVER_MAX_BODY_BYTES": "2000",
    }
    found = start("serving", ["--model", shop.model], shop.settings, tmp_path, limits)
    try:
        body = {"instances": ["p0_s0"]}
        status, answer = found.post(PREDICT, body)
        assert (status, answer["code"]) == (401, "unauthorized")
        assert found.post(PREDICT, body, {"Authorization": "Bearer open sesam"})[0] == 401
        shown = {"Authorization": "Bearer open sesame"}
        assert found.post(PREDICT, body, shown)[0] == 200
        assert found.get("/v2/health/ready")[0] == 200
        with pytest.raises(RpcError) as caught:
            asyncio.run(over_grpc(found, infer_request(["p0_s0"])))
        assert caught.value.code() == StatusCode.UNAUTHENTICATED
        answer = asyncio.run(
            over_grpc(
                found, infer_request(["p0_s0"]), headers=(("authorization", "Bearer open sesame"),)
            )
        )
        assert answer.outputs
        # the limits of this server: a small body, and no patience with a slow one
        assert found.post(PREDICT, b" " * 3000, shown)[0] == 413
        host, port = found.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(
                f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open sesame\r\n"
                "Content-Length: 100\r\n\r\n{".encode()
            )
            assert b" 408 " in raw.recv(1000)
    finally:
        stop(found)
