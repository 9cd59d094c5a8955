"""The platform around the library: endpoint, stores, cluster and loop.

Rooms, from the top: `endpoint` and `loop`, which use `answers`, which uses `stores` and `cluster`,
which use `api`. Entry points stay beside them: `python -m serving`, `serving.predictor`,
`serving.push`, `serving.train_worker`, `serving.step`, `serving.client`.
"""

from serving.libraries import set_switches

set_switches()
