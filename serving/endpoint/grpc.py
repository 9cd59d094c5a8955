"""The gRPC door: KServe's servicer, guarded."""

from typing import Any

import grpc
from kserve import ModelServer
from kserve.errors import ModelNotReady
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.utils.utils import generate_uuid

from serving.api.contract import ErrorCode
from serving.api.failures import RequestFailedError
from serving.endpoint.bounds import MAX_TENSORS
from serving.endpoint.guards import authorize, failed
from serving.endpoint.queue import MAX_ID, PROGRESS, QueueProgress
from serving.endpoint.refusals import refused
from serving.endpoint.routes import SERVER_METADATA, model_metadata, model_of
from serving.endpoint.tensor_bodies import check_texts, known, refused_input
from serving.settings import ServerSettings

_STATUS = {
    ErrorCode.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorCode.CLOSED: grpc.StatusCode.PERMISSION_DENIED,
    ErrorCode.NOT_ALLOWED: grpc.StatusCode.UNIMPLEMENTED,
    ErrorCode.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorCode.TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.BUSY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorCode.TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_OPEN_TO_ALL = ("ServerLive", "ServerReady")


class _Servicer(InferenceServicer):  # type: ignore[misc]
    """KServe's servicer without the operations that change what is served.

    KServe's own takes any version for the one it serves, and does not tell versions and extensions.
    A model with `infer_raw` gets requests of raw tensors as they are: KServe's own objects on the
    way there and back cost more than a small graph.
    """

    async def ServerMetadata(self, request: Any, context: Any) -> Any:
        return pb.ServerMetadataResponse(**SERVER_METADATA)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        model = model_of(self._data_plane, request.name, request.version)
        return pb.ModelMetadataResponse(**model_metadata(model))

    async def ModelReady(self, request: Any, context: Any) -> Any:
        model = model_of(self._data_plane, request.name, request.version)
        return pb.ModelReadyResponse(ready=bool(model.ready))

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        model = model_of(self._data_plane, request.model_name, request.model_version)
        check_tensors(request)
        infer_raw = getattr(model, "infer_raw", None)
        if infer_raw is None or not request.raw_input_contents:
            return await super().ModelInfer(request, context)
        if not model.ready:
            raise ModelNotReady(request.model_name)
        return await infer_raw(request)

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        raise RequestFailedError(ErrorCode.CLOSED, "models are not loaded or unloaded here.")

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        raise RequestFailedError(ErrorCode.CLOSED, "models are not loaded or unloaded here.")


def check_tensors(request: Any) -> None:
    """Raise RequestFailedError where tensors are not of the protocol, or too many."""
    num_raw = len(request.raw_input_contents)
    tensors = {"inputs": len(request.inputs), "outputs": len(request.outputs), "raw": num_raw}
    for what, found in tensors.items():
        if found > MAX_TENSORS:
            raise refused(f"a request may have {MAX_TENSORS} {what} at most, this one has {found}.")
    if num_raw and num_raw != len(request.inputs):
        raise refused("raw_input_contents must hold one element per input, or none.")
    for message in (request, *request.inputs, *request.outputs):
        if len(message.parameters) > MAX_TENSORS:
            raise refused(f"there may be {MAX_TENSORS} parameters at most.")
    for tensor in request.inputs:
        known(tensor.name, tensor.datatype)
        if num_raw and tensor.HasField("contents"):
            raise refused_input(tensor.name, "has contents beside raw_input_contents")
    for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=False):
        if tensor.datatype == "BYTES":
            check_texts(tensor.name, raw)


class _Guarded:
    """A servicer whose calls ask for the token and fail as every request here does.

    An interceptor would make a handler anew for every call.

    Args:
        servicer: Inside.
        token: Bearer token, "" for none.
    """

    def __init__(self, servicer: _Servicer, token: str) -> None:
        self._servicer, self._token = servicer, token

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._servicer, name)
        is_open = not self._token or name in _OPEN_TO_ALL

        async def guarded(request: Any, context: Any) -> Any:
            given = str(getattr(request, "id", ""))[:MAX_ID]
            progress = QueueProgress(protocol="v2", request_id=given or generate_uuid())
            PROGRESS.set(progress)
            try:
                if not is_open:
                    metadata = dict(context.invocation_metadata())
                    authorize(metadata.get("authorization", ""), self._token)
                return await call(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as err:
                failure = failed(err, progress)
                status = _STATUS.get(failure.code, grpc.StatusCode.INTERNAL)
                await context.abort(status, f"{failure.code.value}: {failure.message}")

        return guarded


async def start_grpc(server: ModelServer, settings: ServerSettings) -> Any:
    """Start the gRPC server; None when no port is set."""
    if settings.grpc_port is None:
        return None
    calls = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ],
    )
    servicer = _Servicer(server.dataplane, server.model_repository_extension)
    guarded = _Guarded(servicer, settings.token)
    grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(guarded, calls)
    calls.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
    await calls.start()
    return calls
