"""The Open Inference Protocol (v2) over REST, in place of KServe's routes.

KServe's own refuse every version, know no outputs of a model that are asked for by a name it has
not, and answer fields that are absent as null.
"""

import functools
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.responses import Response
from kserve import InferResponse
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.errors import ModelNotReady
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import V1Endpoints
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from invopt import __version__
from serving.api.contract import ErrorCode
from serving.api.failures import RequestFailedError
from serving.api.tensors import EXTENSIONS, PLATFORM
from serving.endpoint.queue import MAX_ID
from serving.endpoint.tensor_bodies import check_version, request_of

_V2 = "/v2"
_LONG_BYTES = 1 << 18  # of a body that is read beside the loop, which answers others meanwhile
_VERBS = (":predict", ":explain")
SERVER_METADATA: dict[str, Any] = {
    "name": "invopt",
    "version": __version__,
    "extensions": list(EXTENSIONS),
}


def model_metadata(model: Any) -> dict[str, Any]:
    """Return ModelMetadata."""
    return {
        "name": model.name,
        "versions": [version_of(model)],
        "platform": PLATFORM,
        "inputs": model.get_input_types(),
        "outputs": model.get_output_types(),
    }


def version_of(model: Any) -> str:
    """Return the version that answers, "" of a model of KServe's that has none."""
    return str(getattr(model, "version", ""))


def model_of(data_plane: DataPlane, name: str, version: str | None) -> Any:
    """Return a model that is served.

    Raises:
        RequestFailedError: If name or version are not those of one.
    """
    model = data_plane.model_registry.get_model(name)
    if model is None:
        known = ", ".join(data_plane.model_registry.get_models())
        text = f"there is no model of this name here; there is {known}."
        raise RequestFailedError(ErrorCode.NOT_FOUND, text)
    check_version(version, version_of(model))
    return model


class OpenInference:
    """Handlers of /v2.

    Args:
        data_plane: KServe's, with the models.
    """

    def __init__(self, data_plane: DataPlane) -> None:
        self._data_plane = data_plane

    async def server(self) -> Response:
        """Say what this server is."""
        return _json(SERVER_METADATA)

    async def models(self) -> Response:
        """List the models."""
        return _json({"models": list(self._data_plane.model_registry.get_models())})

    async def model(self, name: str, version: str | None = None) -> Response:
        """Say what a model takes and answers."""
        return _json(model_metadata(model_of(self._data_plane, name, version)))

    async def ready(self, name: str, version: str | None = None) -> Response:
        """Say whether a model answers."""
        model = model_of(self._data_plane, name, version)
        if not model.ready:
            raise ModelNotReady(name)
        return _json({"name": name, "ready": True})

    async def ready_v1(self, name: str) -> Response:
        """Say whether a model answers, as v1 has it; its verbs stand in the same place."""
        if name.endswith(_VERBS):
            raise HTTPException(405, headers={"Allow": "POST"})
        return await self.ready(name)

    async def no_such_verb(self, name: str) -> Response:
        """Refuse a verb of v1 that there is not; those that there are went to KServe's routes."""
        model, colon, verb = name.partition(":")
        if not colon:
            raise HTTPException(405, headers={"Allow": "GET"})
        model_of(self._data_plane, model, None)
        text = f"there is no :{verb[:MAX_ID]} here; there are {' and '.join(_VERBS)}."
        raise RequestFailedError(ErrorCode.NOT_FOUND, text)

    async def infer(self, request: Request, name: str, version: str | None = None) -> Response:
        """Answer tensors with tensors."""
        model = model_of(self._data_plane, name, version)
        if not model.ready:
            raise ModelNotReady(name)
        body = await request.body()
        length = request.headers.get(INFERENCE_CONTENT_LENGTH_HEADER)
        read = functools.partial(request_of, body, length, name, version or "")
        asked = await model.read(read) if len(body) > _LONG_BYTES else read()
        found, _ = await self._data_plane.infer(name, asked, dict(request.headers))
        assert isinstance(found, InferResponse)
        answer, json_length = found.to_rest()
        if json_length is None:
            return _json(answer)
        assert isinstance(answer, bytes)
        return Response(
            answer,
            media_type="application/octet-stream",
            headers={INFERENCE_CONTENT_LENGTH_HEADER: str(json_length)},
        )


def add_open_inference(app: FastAPI, data_plane: DataPlane) -> None:
    """Put these routes before KServe's; probes of health and what :predict does stay KServe's."""
    calls = OpenInference(data_plane)
    router = APIRouter()
    router.add_api_route("/v1/models/{name}", calls.ready_v1, methods=["GET"])
    router.add_api_route(_V2, calls.server, methods=["GET"])
    router.add_api_route(f"{_V2}/models", calls.models, methods=["GET"])
    for path in (f"{_V2}/models/{{name}}", f"{_V2}/models/{{name}}/versions/{{version}}"):
        router.add_api_route(path, calls.model, methods=["GET"])
        router.add_api_route(f"{path}/ready", calls.ready, methods=["GET"])
    app.include_router(router)
    app.router.routes.insert(0, app.router.routes.pop())
    # These first and called at once: comparing a request with seventeen routes and working out what
    # FastAPI could inject takes as long as the rest of its way to the model.
    predict = V1Endpoints(data_plane).predict

    async def call_predict(request: Request) -> Response:
        found: Response = await predict(request.path_params["name"], request)
        return found

    async def call_infer(request: Request) -> Response:
        return await calls.infer(request, **request.path_params)

    app.router.routes[:0] = [
        Route("/v1/models/{name}:predict", call_predict, methods=["POST"]),
        Route(f"{_V2}/models/{{name}}/infer", call_infer, methods=["POST"]),
        Route(f"{_V2}/models/{{name}}/versions/{{version}}/infer", call_infer, methods=["POST"]),
    ]
    app.add_api_route(
        "/v1/models/{name}", calls.no_such_verb, methods=["POST"], include_in_schema=False
    )


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
    )
