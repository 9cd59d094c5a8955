"""The KServe edge, the model registry and the feature store: everything that runs as a service."""

import os

# gRPC's event engine hands every event to one more thread: a tenth of a millisecond a call here.
# Read when gRPC starts; what the environment says goes before.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
