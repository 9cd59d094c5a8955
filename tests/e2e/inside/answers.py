"""What serves beside a server in this process and beside the latest orders: answers.py URL N."""

import collections
import json
import math
import sys
import urllib.request
from typing import Any

import numpy as np
import pandas as pd

from serving.answers.decider import Decider
from serving.answers.loaded_model import load_champion
from serving.api.contract import Instance
from serving.deployment import Deployment
from serving.stores.online_features import OnlineFeatures

url, version = sys.argv[1:]
name = "demand-forecaster"
# What may differ between two servers: numbers by what floats lose, and ages by the clock.
_CLOSE, _CLOCK = 1e-4, {"feature_age_s"}


def asked(names: list[str]) -> list[dict[str, Any]]:
    """Return the decisions of what serves."""
    body = json.dumps({"instances": [{"unique_id": n} for n in names]}).encode()
    request = urllib.request.Request(
        f"{url}/v1/models/{name}:predict", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())["predictions"]
        return found


def decided(deployment: Deployment, names: list[str]) -> list[dict[str, Any]]:
    """Return the decisions of a server in this process, on the same store."""
    path = deployment.registry.version_path(name, version)
    features = OnlineFeatures(deployment.settings, seconds=30.0)
    try:
        decider = Decider(load_champion(path, name, version), features)
        found = decider.decide([Instance(unique_id=n) for n in names])
    finally:
        features.close()
    again: list[dict[str, Any]] = json.loads(json.dumps(found, default=np.ndarray.tolist))
    return again


def are_alike(one: Any, other: Any) -> bool:
    """Return whether two values of a decision say the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(are_alike(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_alike, one, other))
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return bool(one == other)


deployment = Deployment.from_environment()
plan = pd.read_csv(max((deployment.settings.plans / name).glob("*.csv")))
names = plan["unique_id"].tolist()
served, local = asked(names), decided(deployment, names)
differ = [
    f"{one['unique_id']}: {key} is {one.get(key)}, in a process {other.get(key)}"
    for one, other in zip(served, local, strict=True)
    for key in sorted({*one, *other} - _CLOCK)
    if not are_alike(one.get(key), other.get(key))
]
orders = {
    one["unique_id"]: [one.get("order_quantity"), ordered]
    for one, ordered in zip(served, plan["order_quantity"].fillna(-1).tolist(), strict=True)
    if (-1 if one.get("order_quantity") is None else one["order_quantity"]) != ordered
}
print(
    "RESULT",
    json.dumps(
        {
            "models": collections.Counter(str(one.get("model")) for one in served),
            "versions": sorted({str(one.get("model_version")) for one in served}),
            "differ": differ[:5],
            "planned_by": sorted(set(plan["model_version"])),
            "other_orders": orders,
        }
    ),
)
