"""The platform around the library: endpoint, stores, cluster and loop.

Rooms, from the top: `endpoint` and `loop`, which use `answers`, which uses `stores` and `cluster`,
which use `api`. Entry points stay beside them: `python -m serving`, `serving.predictor`,
`serving.push`, `serving.train_worker`, `serving.step`, `serving.client`.
"""

import os

# gRPC's event engine hands every event to one more thread: a tenth of a millisecond a call here.
# Read when gRPC starts; what the environment says goes before.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
