"""The published contract: schema, OpenAPI under fire, and the client that speaks it."""

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from serving.api import contract
from serving.api.contract import Decision, ErrorCode, FailedDecision, Instance, WhatIf
from serving.api.failures import STATUS
from serving.client import DecisionClient, DecisionServiceError
from serving.endpoint.openapi import json_schemas, openapi
from tests.serving.conftest import NAME


def test_every_reference_of_the_openapi_document_is_there():
    document = openapi(NAME)
    text = json.dumps(document)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])
    assert {"Instance", "WhatIf", "Decision", "FailedDecision", "ErrorBody"} <= names


def test_every_request_failure_has_a_status():
    of_instances = {ErrorCode.UNKNOWN_SERIES, ErrorCode.BEYOND_HORIZON}
    assert set(STATUS) == set(ErrorCode) - of_instances


def test_examples_are_requests_and_answers_of_the_contract():
    from serving.api.contract import ErrorBody, PredictRequest, PredictResponse
    from serving.api.tensors import (
        InferRequestBody,
        InferResponseBody,
        ModelMetadata,
        ServerMetadata,
    )
    from serving.endpoint import examples

    PredictRequest.model_validate(examples.V1_REQUEST)
    found = PredictResponse.model_validate(examples.V1_RESPONSE).predictions
    assert isinstance(found[0], Decision)
    assert isinstance(found[1], FailedDecision)
    InferRequestBody.model_validate(examples.V2_REQUEST)
    InferResponseBody.model_validate(examples.V2_RESPONSE)
    ModelMetadata.model_validate(examples.MODEL)
    ServerMetadata.model_validate(examples.SERVER)
    for status, body in examples.ERRORS.items():
        assert STATUS[ErrorBody.model_validate(body).code] == status


def test_every_operation_has_an_identity_an_example_and_failures():
    document = openapi(NAME)
    found = [o for path in document["paths"].values() for m, o in path.items() if m != "parameters"]
    identities = [o["operationId"] for o in found]
    assert len(set(identities)) == len(found)
    assert {"decide", "infer", "describeModel", "describeServer", "scrapeMetrics"} <= set(
        identities
    )
    for operation in found:
        assert any(status.startswith("4") for status in operation["responses"]), operation
        for answer in operation["responses"].values():
            for kind, medium in answer["content"].items():
                assert kind == "text/plain" or "example" in medium
    assert document["servers"]
    assert {"token": []} in document["security"]


def test_the_page_of_the_contract_asks_no_other_host():
    from serving.endpoint.contract_page import page_of

    page = page_of(openapi(NAME))
    assert "://" not in page
    assert "src=" not in page
    for text in (
        "/v1/models/{model_name}:predict",
        "order_up_to_level",
        "P001_S01",
        "schema-WhatIf",
    ):
        assert text in page


@pytest.mark.slow
def test_the_server_publishes_the_contract(server):
    assert server.get("/openapi.json") == (200, openapi(NAME))
    for file, schema in json_schemas().items():
        assert server.get(f"/schemas/{file}") == (200, schema)
    assert server.get("/schemas/other.json")[0] == 404
    status, page = server.get("/docs")
    assert status == 200
    assert b"<h1>invopt decisions" in page


@pytest.mark.slow
def test_answers_obey_the_published_schema(server):
    jsonschema = pytest.importorskip("jsonschema")
    body = {"instances": ["p0_s0", "nobody", {"unique_id": "p1_s1", "explain": True}]}
    _, answer = server.post(f"/v1/models/{NAME}:predict", body)
    jsonschema.validate(answer, json_schemas()["predict-response.json"])
    jsonschema.validate(body, json_schemas()["predict-request.json"])


@pytest.mark.slow
def test_the_client_returns_typed_decisions_in_order_and_in_batches(server):
    names = ["p0_s0", "nobody", "p1_s1"]
    with DecisionClient(server.url, NAME) as client:
        found = client.decide([names[0], names[1], Instance(
            unique_id="p1_s1", what_if=WhatIf(lead_time=4))])  # fmt: skip
        many = client.decide(["p0_s0"] * 2500)
    assert [d.unique_id for d in found] == names
    assert isinstance(found[0], Decision)
    assert isinstance(found[1], FailedDecision)
    assert found[1].code is ErrorCode.UNKNOWN_SERIES
    assert found[2].what_if.lead_time == 4
    assert len(many) == 2500


@pytest.mark.slow
def test_the_client_tells_refusals_by_their_code(server):
    with (
        DecisionClient(server.url, "other", retries=0) as client,
        pytest.raises(
            DecisionServiceError, match="no model of this name here; GET /v1/models lists"
        ) as caught,
    ):
        client.decide(["p0_s0"])
    assert (caught.value.status, caught.value.code) == (404, ErrorCode.NOT_FOUND)
    with (
        DecisionClient("http://127.0.0.1:9", NAME, retries=0) as client,
        pytest.raises(DecisionServiceError) as caught,
    ):
        client.decide(["p0_s0"])
    assert caught.value.code is ErrorCode.UNAVAILABLE


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nothing_that_fits_or_breaks_the_schema_makes_a_server_error(server):
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings

    def ask(case):
        answer = case.call(base_url=server.url)
        assert answer.status_code < 500, (case.body, answer.content)

    few = settings(
        max_examples=12, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    asked = 0
    for result in schemathesis.openapi.from_dict(openapi(NAME)).get_all_operations():
        operation = result.ok()
        if operation.method != "post":  # a look has nothing to vary
            continue
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            few(given(operation.as_strategy(generation_mode=mode))(ask))()
        asked += 1
    assert asked == 2


def test_every_fault_in_the_documents_has_its_tests():
    root = Path(__file__).parents[3]
    text = (root / "docs" / "serving.md").read_text()
    faults = text.split("| fault |")[1].split("\n\n")[0].splitlines()[2:]
    found = set()
    for file in (root / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))
    assert len(faults) >= 9
    for fault in faults:
        named = re.findall(r"`(test_\w+)`", fault)
        assert named, fault
        assert set(named) <= found, fault


def test_who_may_ask_again_is_told_when():
    from serving.api.failures import RequestFailedError
    from serving.endpoint.http import _response
    from serving.endpoint.queue import QueueProgress

    told = {
        code: _response(RequestFailedError(code, ""), QueueProgress("r1")).headers.get(
            "retry-after"
        )
        for code in STATUS
    }
    assert {code for code, when in told.items() if when} == {ErrorCode.BUSY, ErrorCode.UNAVAILABLE}


def test_every_field_of_the_contract_says_what_it_means():
    models = [
        found
        for found in vars(contract).values()
        if isinstance(found, type)
        and issubclass(found, BaseModel)
        and found.__module__ == contract.__name__
    ]
    assert len(models) > 10
    silent = [f"{m.__name__}.{n}" for m in models for n, f in m.model_fields.items()
              if not f.description]  # fmt: skip
    assert silent == []
