"""tritonclient in a process of its own: its messages and KServe's have the same names, and one
process can hold only one of them. Reads calls as lines of JSON, answers as lines of JSON.
"""

import importlib
import json
import sys

import numpy as np

DTYPES = {"O": object, "f": np.float64, "i": np.int64, "b": bool}
KINDS = {"O": "BYTES", "f": "FP64", "i": "INT64", "b": "BOOL"}


class Triton:
    """The same calls over HTTP, with JSON or bytes, and over gRPC."""

    def __init__(self, kind, address, name, outputs):
        self.name, self.outputs = name, outputs
        self.binary = {"triton-json": False, "triton-binary": True}.get(kind)
        module = "tritonclient.grpc" if kind == "triton-grpc" else "tritonclient.http"
        self.module = importlib.import_module(module)
        self.client = self.module.InferenceServerClient(address)
        self.options = {"as_json": True} if kind == "triton-grpc" else {}

    def live(self):
        return self.client.is_server_live() and self.client.is_server_ready()

    def ready(self, version=""):
        return self.client.is_model_ready(self.name, version)

    def server(self):
        return self.client.get_server_metadata(**self.options)

    def model(self, version=""):
        return self.client.get_model_metadata(self.name, version, **self.options)

    def infer(self, tensors, outputs=None, version="", name=None):
        how = {} if self.binary is None else {"binary_data": self.binary}
        inputs = []
        for column, (kind, values) in tensors.items():
            array = np.array(values, DTYPES[kind])
            tensor = self.module.InferInput(column, array.shape, KINDS[array.dtype.kind])
            tensor.set_data_from_numpy(array, **how)
            inputs.append(tensor)
        if self.binary is False and not outputs:  # else tritonclient asks for all as bytes
            outputs = self.outputs
        wanted = outputs and [self.module.InferRequestedOutput(o, **how) for o in outputs]
        found = self.client.infer(
            name or self.name, inputs, model_version=version, outputs=wanted, request_id="7"
        )
        head = found.get_response(**self.options)
        arrays = {o["name"]: found.as_numpy(o["name"]) for o in head["outputs"]}
        return {
            "head": {key: head.get(key) for key in ("id", "model_name", "model_version")},
            "outputs": {
                column: [v.decode() if isinstance(v, bytes) else v for v in array.ravel().tolist()]
                for column, array in arrays.items()
            },
            "shapes": {column: list(array.shape) for column, array in arrays.items()},
        }


def main():
    from tritonclient.utils import InferenceServerException

    triton = Triton(*json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        call, kwargs = json.loads(line)
        try:
            answer = {"found": getattr(triton, call)(**kwargs)}
        except InferenceServerException as err:
            answer = {"refused": err.message()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
