#!/bin/sh
# kserve 0.21.0 and tritonclient 2.69.0 (gRPC) cannot be imported in one process: both register the
# messages of the Open Inference Protocol under the package `inference` from files of different
# content, and protobuf refuses the second, whichever comes first.
# Met where tests ask a KServe server with Triton's client; the test starts another process instead.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet kserve==0.21.0 protobuf==6.33.6 grpcio==1.85.1 python-rapidjson
# Its own extras ask for another protobuf than kserve; the client works with this one.
"$place/venv/bin/pip" install --quiet --no-deps tritonclient==2.69.0
said() {
    "$place/venv/bin/python" -c "import $1, $2; print('imported')" 2>&1 | tail -n 1
}
messages=kserve.protocol.grpc.grpc_predict_v2_pb2
one=$(said "$messages" tritonclient.grpc)
other=$(said tritonclient.grpc "$messages")
alone=$(said sys tritonclient.grpc)
printf '%s\n' "$one" "$other" "$alone"
# Seen: TypeError: Couldn't build proto file into descriptor pool: duplicate symbol
#       'inference.ServerLiveRequest', twice; then "imported".
case $one$other in *"duplicate symbol 'inference."*"duplicate symbol 'inference."*) ;; *) exit 1 ;; esac
[ "$alone" = imported ]
