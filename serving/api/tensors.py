"""Tensors of the Open Inference Protocol (v2), as they are sent over REST."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
PLATFORM = "onnx_onnxv1"
EXTENSIONS = ("binary_tensor_data",)
BINARY_SIZE, BINARY, ALL_BINARY = "binary_data_size", "binary_data", "binary_data_output"
Size = Annotated[StrictInt, Field(ge=0)]
TensorParameters = dict[str, StrictBool | StrictInt | StrictFloat | str | None]


class _Message(BaseModel):
    # Clients of all makes send fields of their own beside those of the protocol.
    model_config = ConfigDict(extra="ignore", frozen=True)


class InferTensor(_Message):
    """A tensor that is sent: its data, flat or nested, or their size where they follow the JSON."""

    name: str
    datatype: Datatype
    shape: list[Size]
    data: list[Any] | None = None
    parameters: TensorParameters | None = Field(
        default=None, description="binary_data_size: bytes of this tensor after the JSON."
    )


class RequestedTensor(_Message):
    """An output that is wanted."""

    name: str
    parameters: TensorParameters | None = Field(
        default=None, description="binary_data: true for bytes after the JSON."
    )


class InferRequestBody(_Message):
    """Body of POST /v2/models/NAME/infer."""

    id: str | None = Field(default=None, description="Of the prediction log; made up by default.")
    inputs: Annotated[list[InferTensor], Field(min_length=1)]
    outputs: list[RequestedTensor] | None = Field(
        default=None, description="Those that are wanted; all by default."
    )
    parameters: TensorParameters | None = Field(
        default=None, description="binary_data_output: true for all outputs as bytes."
    )


class InferOutputBody(_Message):
    """A tensor that is answered."""

    name: str
    datatype: Datatype
    shape: list[Size]
    data: list[Any] | None = Field(default=None, description="Absent where it follows as bytes.")
    parameters: TensorParameters | None = None


class InferResponseBody(_Message):
    """Answer of POST /v2/models/NAME/infer."""

    id: str
    model_name: str
    model_version: str
    outputs: list[InferOutputBody]
    parameters: TensorParameters | None = None


class TensorMetadata(_Message):
    """Name and form of an input or output; -1 stands for any number."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(_Message):
    """Answer of GET /v2/models/NAME; every input but unique_id, or instance, may be left out."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(_Message):
    """Answer of GET /v2."""

    name: str
    version: str
    extensions: list[str]
