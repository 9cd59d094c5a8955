"""The published contract: OpenAPI at /openapi.json, a page at /docs, JSON Schema at /schemas."""

import functools
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from pydantic.json_schema import models_json_schema

from invopt import __version__
from serving.api.contract import SCHEMA_VERSION, ErrorBody, PredictRequest, PredictResponse
from serving.api.tensors import (
    InferRequestBody,
    InferResponseBody,
    ModelMetadata,
    ServerMetadata,
)
from serving.endpoint import examples
from serving.endpoint.contract_page import page_of

_REF = "#/components/schemas/{model}"
_ABOUT = f"""Forecast, stock levels and orders by series, over KServe's protocols.

Schema version {SCHEMA_VERSION}: the first number changes when a caller has to, the second when
fields are added. A caller should pass over fields it does not know. A field that is to go is marked
`deprecated` here first and stays for at least two releases; words of `code`, `reason_code` and
`exception` may be added, none is renamed.

Units are those of the data: sales in units, money in `currency`, times in periods (`frequency`),
ages in seconds. A number that is not known is null. Every failure is
`{{"error": sentence, "code": word}}`.
"""
_REQUEST_ID = {
    "x-request-id": {
        "description": "Of the prediction log: the header the request came with, or a new one.",
        "schema": {"type": "string"},
    }
}
_FAILURES = {
    400: "The request is not valid",
    401: "The token is missing",
    404: "There is no such model",
    405: "The operation takes another method",
    408: "The body came too slowly",
    413: "The body is too large",
    429: "The queue is full",
    500: "Something went wrong here",
    503: "Nothing can answer",
    504: "Too late",
}


def openapi(name: str) -> dict[str, Any]:
    """Return the OpenAPI document of a server.

    Args:
        name: Of the model that is served.
    """
    _, found = models_json_schema(
        [
            (PredictRequest, "validation"),
            (PredictResponse, "serialization"),
            (ErrorBody, "serialization"),
            (InferRequestBody, "validation"),
            (InferResponseBody, "serialization"),
            (ModelMetadata, "serialization"),
            (ServerMetadata, "serialization"),
        ],
        ref_template=_REF,
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "invopt decisions",
            "version": __version__,
            "summary": "Decisions by product and location",
            "description": _ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{"token": []}, {}],
        "tags": _TAGS,
        "paths": _v1_paths(name) | _v2_paths(name) | _operation_paths(),
        "components": {"schemas": found["$defs"], "securitySchemes": {"token": _TOKEN}},
    }


def _v1_paths(name: str) -> dict[str, Any]:
    """Return KServe's first protocol: JSON of series."""
    return {
        "/v1/models": {"get": _look("listModels", "List the models", _MODELS, {"models": [name]})},
        "/v1/models/{model_name}": _of_model(
            name, get=_is_ready("isModelReadyV1", "Is the model ready? (v1)", name)
        ),
        "/v1/models/{model_name}:predict": _of_model(
            name,
            post=_decide(
                "decide",
                "Decide on series",
                asked=_content("PredictRequest", examples.V1_REQUEST),
                answered=_content("PredictResponse", examples.V1_RESPONSE),
                headers=_REQUEST_ID,
            ),
        ),
    }


def _v2_paths(name: str) -> dict[str, Any]:
    """Return the Open Inference Protocol: tensors."""
    model = "/v2/models/{model_name}"
    metadata = examples.MODEL | {"name": name}
    about = "Say what the model takes and answers"
    return {
        "/v2": {
            "get": _look(
                "describeServer", "Say what this server is", "ServerMetadata", examples.SERVER
            )
        },
        model: _of_model(name, get=_look("describeModel", about, "ModelMetadata", metadata, 404)),
        f"{model}/ready": _of_model(
            name, get=_is_ready("isModelReady", "Is the model ready?", name)
        ),
        f"{model}/infer": _of_model(
            name,
            post=_decide(
                "infer",
                "Decide on series, as tensors",
                asked=_content("InferRequestBody", examples.V2_REQUEST),
                answered=_content("InferResponseBody", examples.V2_RESPONSE | {"model_name": name}),
            ),
        ),
    }


def _operation_paths() -> dict[str, Any]:
    """Return what probes and Prometheus ask."""
    return {
        "/v2/health/live": {"get": _probe("isLive", "Is the process alive?", "live")},
        "/v2/health/ready": {"get": _probe("isReady", "Are model and store ready?", "ready")},
        "/metrics": {"get": _metrics()},
    }


_TAGS = [
    {"name": "decisions", "description": "Requests that are answered with decisions."},
    {"name": "model", "description": "What is served, and whether it answers."},
    {"name": "operation", "description": "For probes and Prometheus; no token is asked."},
]
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "Asked for where the server was started with INVOPT_SERVER_TOKEN.",
}
_MODELS = {
    "type": "object",
    "required": ["models"],
    "properties": {"models": {"type": "array", "items": {"type": "string"}}},
}
_READY = {
    "type": "object",
    "required": ["name", "ready"],
    "properties": {"name": {"type": "string"}, "ready": {"type": "boolean"}},
}


_NOT_READY = (404, 503)


@functools.cache
def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each published document, by file name."""
    return {
        "predict-request.json": PredictRequest.model_json_schema(),
        "predict-response.json": PredictResponse.model_json_schema(mode="serialization"),
        "error.json": ErrorBody.model_json_schema(mode="serialization"),
    }


def add_contract(app: FastAPI, name: str) -> None:
    """Publish the contract in place of the one FastAPI derives from KServe's handlers."""
    document = openapi(name)
    app.openapi = lambda: document  # type: ignore[method-assign]
    if any(getattr(route, "path", "") == "/schemas/{file}" for route in app.routes):
        return
    schemas, page = json_schemas(), page_of(document)

    async def schema(file: str) -> dict[str, Any]:
        if file not in schemas:
            raise NotImplementedError
        return schemas[file]

    async def docs() -> HTMLResponse:
        return HTMLResponse(page)

    app.add_api_route("/schemas/{file}", schema, methods=["GET"])
    app.add_api_route("/docs", docs, methods=["GET"], response_class=HTMLResponse)


def _of_model(name: str, **operations: dict[str, Any]) -> dict[str, Any]:
    """Return a path with the model's name in it."""
    schema = {"type": "string", "enum": [name]}
    parameter = {
        "name": "model_name",
        "in": "path",
        "required": True,
        "description": "The model that is served.",
        "schema": schema,
        "example": name,
    }
    return {"parameters": [parameter], **operations}


def _decide(
    identifier: str,
    summary: str,
    asked: dict[str, Any],
    answered: dict[str, Any],
    headers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    decided: dict[str, Any] = {"description": "Decided", "content": answered}
    if headers:
        decided["headers"] = headers
    return {
        "operationId": identifier,
        "summary": summary,
        "tags": ["decisions"],
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": decided} | _failures(*_FAILURES),
    }


def _is_ready(identifier: str, summary: str, name: str) -> dict[str, Any]:
    example = {"name": name, "ready": True}
    return _look(identifier, summary, _READY, example, *_NOT_READY)


def _look(
    identifier: str, summary: str, schema: str | dict[str, Any], example: Any, *failures: int
) -> dict[str, Any]:
    found = {"description": "Found", "content": _content(schema, example)}
    return {
        "operationId": identifier,
        "summary": summary,
        "tags": ["model"],
        "responses": {"200": found} | _failures(401, *failures),
    }


def _failures(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": _FAILURES[status],
            "content": _content("ErrorBody", examples.ERRORS[status]),
        }
        for status in statuses
    }


def _content(schema: str | dict[str, Any], example: Any) -> dict[str, Any]:
    found = {"$ref": _REF.format(model=schema)} if isinstance(schema, str) else schema
    return {"application/json": {"schema": found, "example": example}}


def _probe(identifier: str, summary: str, word: str) -> dict[str, Any]:
    schema = {"type": "object", "required": [word], "properties": {word: {"type": "boolean"}}}
    yes = {"description": "Yes", "content": _content(schema, {word: True})}
    return {
        "operationId": identifier,
        "summary": summary,
        "tags": ["operation"],
        "security": [],
        "responses": {"200": yes} | _failures(405, 503),
    }


def _metrics() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": "scrapeMetrics",
        "summary": "What Prometheus scrapes",
        "tags": ["operation"],
        "security": [],
        "responses": {"200": {"description": "In Prometheus' text format", "content": text}}
        | _failures(405),
    }
