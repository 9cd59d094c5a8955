"""What submitting and deploying take themselves: `python -m tests.cluster.measure`.

KFP, KServe and the pods are the tests' stand-ins on loopback, which answer at once: what is
measured is our own time, from the start of a process with cold imports, and no cluster's.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from invopt.config import Config
from tests.builders import make_config
from tests.cluster.conftest import KINDS, rules_by_account
from tests.cluster.fake_api import FakeKubernetes
from tests.cluster.fake_kfp import FakeKfp
from tests.cluster.kserve_world import NAME, Forecasters, KServe

REPEATS = 5
NUM_SERIES = 200


def main() -> None:
    if sys.argv[1:] == ["deploy"]:
        deploy()
        return
    submitting = [submit() for _ in range(REPEATS)]
    command = [sys.executable, "-m", "tests.cluster.measure", "deploy"]
    deploying = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(REPEATS)
    ]
    for what, seconds in (("submit to run created", submitting), ("deploy step", deploying)):
        print(f"{what}: median {statistics.median(seconds):.1f} s, worst {max(seconds):.1f} s")


def submit() -> float:
    """Return seconds of `invopt submit training`, process and compilation included."""
    kfp = FakeKfp()
    command = [sys.executable, "-m", "pipelines.cli", "submit", "training", "--host", kfp.url,
               "--config", "pipelines/configs/cluster.yaml"]  # fmt: skip
    environment = os.environ | {"INVOPT_IMAGE": "registry.example.com/invopt-job:1"}
    started = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    seconds = time.monotonic() - started
    assert len(kfp.runs) == 1
    kfp.close()
    return seconds


def deploy() -> None:
    """Print seconds of the deploy step: canary, questions, promotion, evidence."""
    real = socket.getaddrinfo

    def look_up(host: object, *args: object, **kwargs: object) -> object:
        return real("127.0.0.1" if str(host).endswith(".svc.local") else host, *args, **kwargs)  # type: ignore[arg-type]

    socket.getaddrinfo = look_up  # type: ignore[assignment]
    api, pods = FakeKubernetes(rules_by_account(), set(KINDS)), Forecasters()
    KServe(api, pods).install("1")
    with tempfile.TemporaryDirectory() as folder:
        config, version = prepare(Path(folder), api)
        started = time.monotonic()
        from serving.deployment import Deployment
        from serving.loop.release import deploy as run

        run(
            Deployment.from_environment(),
            config,
            version,
            str(Path(folder) / "deployment.json"),
            lambda _: None,
        )
        print(time.monotonic() - started)


def prepare(workspace: Path, api: FakeKubernetes) -> tuple[Config, str]:
    """Register two versions by another process, and set the step's environment."""
    (workspace / "kubeconfig").write_text(api.kubeconfig("invopt-deployer"))
    os.environ |= {
        "KUBECONFIG": str(workspace / "kubeconfig"),
        "INVOPT_WORKSPACE": str(workspace),
        "INVOPT_DEPLOYER": "inferenceservice",
    }
    (workspace / "made").mkdir()
    (workspace / "made" / "model.onnx").write_text("weights")
    register = (
        "from serving.deployment import Deployment\nr = Deployment.from_environment().registry\n"
        f"for _ in range(2): r.register('demo', '{workspace}/made', [], {{}}, lambda _: None)\n"
        "r.make_champion('demo', '1')"
    )
    subprocess.run([sys.executable, "-c", register], check=True)
    table = workspace / "feature_store" / "series_window"
    table.mkdir(parents=True)
    names = [f"s{n}" for n in range(NUM_SERIES)]
    pd.DataFrame({"unique_id": names}).to_parquet(table / "2024-01-01.parquet")
    limits = {"service": NAME, "num_series": NUM_SERIES}
    config = make_config(deployment=limits).model_copy(update={"name": "demo"})
    return config, "2"


if __name__ == "__main__":
    main()
