"""The published contract: OpenAPI at /openapi.json, JSON Schema at /schemas."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from invopt import __version__
from serving.api.contract import ErrorBody, PredictRequest, PredictResponse

_REF = "#/components/schemas/{model}"
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape", "data"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string", "enum": ["BYTES", "FP32", "FP64", "INT64", "INT32", "BOOL"]},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "data": {"type": "array", "items": {}},
    },
}
_REQUEST_ID = {
    "x-request-id": {
        "description": "Of the prediction log: the header the request came with, or a new one.",
        "schema": {"type": "string"},
    }
}


def openapi(name: str) -> dict[str, Any]:
    """Return the OpenAPI document of a server.

    Args:
        name: Model name in the URLs.
    """
    _, found = models_json_schema(
        [(PredictRequest, "validation"), (PredictResponse, "serialization"),
         (ErrorBody, "serialization")],
        ref_template=_REF,
    )  # fmt: skip
    tensors = {"type": "array", "items": {"$ref": _REF.format(model="Tensor")}}
    schemas = found["$defs"] | {
        "Tensor": _TENSOR,
        "InferRequest": {
            "type": "object",
            "required": ["inputs"],
            "properties": {"id": {"type": "string"}, "inputs": tensors},
        },
        "InferResponse": {
            "type": "object",
            "required": ["outputs", "model_name", "id"],
            "properties": {
                "id": {"type": "string"},
                "model_name": {"type": "string"},
                "outputs": tensors,
            },
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "invopt decisions",
            "version": __version__,
            "description": "Forecast, stock levels and orders by series, over KServe's protocols.",
        },
        "paths": {
            f"/v1/models/{name}:predict": {
                "post": _operation("Decide (v1)", "PredictRequest", "PredictResponse", _REQUEST_ID)
            },
            f"/v2/models/{name}/infer": {
                "post": _operation("Decide (v2)", "InferRequest", "InferResponse")
            },
            "/v2/health/live": {"get": _probe("Is the process alive?")},
            "/v2/health/ready": {"get": _probe("Are model and store ready?")},
            f"/v2/models/{name}/ready": {"get": _probe("Is the model ready?")},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


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
    schemas = json_schemas()

    async def schema(file: str) -> dict[str, Any]:
        if file not in schemas:
            raise NotImplementedError
        return schemas[file]

    app.add_api_route("/schemas/{file}", schema, methods=["GET"])


def _operation(
    summary: str, request: str, response: str, headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    errors = {
        str(code): {"description": text, "content": _content("ErrorBody")}
        for code, text in (
            (400, "The request is not valid"), (401, "The token is missing"),
            (408, "The body came too slowly"), (413, "The body is too large"),
            (429, "The queue is full"), (503, "Nothing can answer"), (504, "Too late"),
        )
    }  # fmt: skip
    decided: dict[str, Any] = {"description": "Decided", "content": _content(response)}
    if headers:
        decided["headers"] = headers
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _content(request)},
        "responses": {"200": decided} | errors,
    }


def _content(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model)}}}


def _probe(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": {"description": "Yes"}, "503": {"description": "No"}},
    }
