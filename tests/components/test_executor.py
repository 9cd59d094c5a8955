"""Steps as KFP's launcher starts them on a cluster, where `kfp.local` is kinder than it."""

import os
import subprocess
import sys

import pytest
from kfp.dsl.executor import Executor

import components as step


def artifact(name, folder, kind):
    return {"artifacts": [{"name": name, "uri": f"{folder}/{name}", "metadata": {}, "type": kind}]}


def bound(name, folder, *, leave_out=()):
    """Return a component's executor for artifacts as KFP's backend sends them.

    It gives those that come in a type without a schema's name.
    """
    spec = getattr(step, name).component_spec
    inputs, outputs = spec.inputs or {}, spec.outputs or {}
    come = [k for k, v in inputs.items() if v.type.startswith("system.") and k not in leave_out]
    go = {k: v.type.partition("@")[0] for k, v in outputs.items() if v.type.startswith("system.")}
    message = {
        "inputs": {
            "artifacts": {k: artifact(k, folder, {"instanceSchema": ""}) for k in come},
            "parameterValues": {},
        },
        "outputs": {
            "artifacts": {k: artifact(k, folder, {"schemaTitle": v}) for k, v in go.items()},
            "outputFile": f"{folder}/executor_output.json",
        },
    }
    return Executor(message, getattr(step, name)), set(come), set(go)


@pytest.mark.parametrize("name", step.__all__)
def test_every_step_takes_artifacts_without_a_schema_s_name(name, tmp_path):
    executor, come, go = bound(name, tmp_path)
    assert set(executor.input_artifacts) == come
    assert set(executor.output_artifacts) == go
    for key, found in executor.input_artifacts.items():
        assert found.path == f"{tmp_path}/{key}"


def test_an_optional_artifact_may_be_left_out(tmp_path):
    executor, come, _ = bound("publish_features", tmp_path, leave_out=("forecast",))
    assert come == {"derived"}
    assert "forecast" not in executor.input_artifacts


# Everything that a step of ours can reach of a cluster, in the environment KFP starts it in.
_IN_A_STEP = """
import kfp
assert not hasattr(kfp, "Client")
from serving.cluster.kfp_client import KfpClient
client = KfpClient("http://127.0.0.1:9")
try:
    client.serves_several_users()
except Exception as err:
    print(err)
"""


def test_a_step_can_ask_kfp_although_kfp_s_client_is_not_there():
    environment = os.environ | {"_KFP_RUNTIME": "true"}
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_STEP], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:9 failed: it cannot be reached" in done.stdout
