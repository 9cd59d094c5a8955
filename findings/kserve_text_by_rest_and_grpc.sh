#!/bin/sh
# kserve 0.21.0: a text input (BYTES) reaches the model as str by REST, in JSON and in binary form, and
# as bytes by gRPC, from the same request. A model that looks up an article by its name finds it by one
# protocol and not by the other: b"00123" is no key of a table of "00123", and comparing the two gives
# False without an error. Numbers, truth values and shapes come through alike.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet kserve==0.21.0 protobuf==6.33.6 grpcio==1.85.1
"$place/venv/bin/python" -W ignore - <<'PY'
import json

import numpy as np
from kserve import InferInput, InferRequest


def arrives(values, kind, way):
    one = InferInput("article", list(values.shape), kind)
    one.set_data_from_numpy(values, binary_data=way == "binary")
    request = InferRequest(model_name="demand", infer_inputs=[one])
    if way == "grpc":
        got = InferRequest.from_grpc(request.to_grpc())
    else:
        body, length = request.to_rest()
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        got = InferRequest.from_bytes(body, length or len(body), "demand")
    return got.inputs[0].as_numpy()


names = np.array(["00123", "A-7"], dtype=object)
seen = {way: arrives(names, "BYTES", way).tolist() for way in ("json", "binary", "grpc")}
print(seen)
# Seen: {'json': ['00123', 'A-7'], 'binary': ['00123', 'A-7'], 'grpc': [b'00123', b'A-7']}
assert seen["json"] == seen["binary"] == ["00123", "A-7"] and seen["grpc"] == [b"00123", b"A-7"], seen
for values, kind in ((np.array([[1.5, 2.0]]), "FP64"), (np.array([True, False]), "BOOL")):
    assert all(np.array_equal(arrives(values, kind, way), values) for way in seen)
PY
