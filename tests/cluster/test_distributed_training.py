"""Two machines of a TrainJob, played by two torchruns on loopback with the Trainer's variables."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from invopt.evaluation import backtest, point_metrics
from invopt.model.forecaster import Forecaster
from invopt.training import Member, fit, load_member, prepare
from serving.cluster.train_job import Machines as Placed
from serving.cluster.train_job import TrainJob, train
from serving.loop.local_release import free_port
from serving.settings import ClusterSettings
from tests.builders import make_config, make_panel, with_derived
from tests.k8s.manifests import build, of_kind

pytestmark = pytest.mark.slow

STEPS = {"max_steps": 40, "learning_rate": 0.003, "fork_after": 2}
SMOOTH = {"dropout": 0.0, "unknown_share": 0.0}


def start(node, num_nodes, port, arguments):
    environment = os.environ | {
        "PET_NNODES": str(num_nodes),
        "PET_NODE_RANK": str(node),
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    command = [sys.executable, "-m", "torch.distributed.run", *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_two_machines_learn_what_one_learns_from_the_same_batches(tmp_path):
    alone = make_config(training=STEPS | {"batch_size": 32}, model=SMOOTH)
    shared = make_config(
        training=STEPS | {"batch_size": 16, "num_nodes": 2, "num_processes": 1}, model=SMOOTH
    )
    panel = with_derived(make_panel(num_periods=160), alone)
    one = fit(panel, alone, 140, tmp_path / "one", clock=time.monotonic)
    folder = tmp_path / "two"
    spec = prepare(panel, shared, 140, folder)

    job = TrainJob.__new__(TrainJob)  # only its command line: no cluster is asked
    job.config = shared
    arguments = job.command(folder, [Member(0, None, 1)])
    port = free_port()
    nodes = [start(n, 2, port, arguments) for n in range(2)]
    try:
        outputs = [node.communicate(timeout=240)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(outputs)

    two = Forecaster(spec, shared.model, [load_member(folder, 0, spec, shared)])
    losses = [point_metrics(backtest(f, panel, [125], 140))["rmse"] for f in (one, two)]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)
    weights = [f.members[0].state_dict() for f in (one, two)]
    for key in weights[0]:
        np.testing.assert_allclose(weights[0][key], weights[1][key], atol=0.02)


class Machines:
    """The Trainer and its pods: a TrainJob's command line, on as many machines as it asks for."""

    def __init__(self, api):
        self.api, self.nodes = api, []
        api.put("trainingruntimes", of_kind(build("base"), "TrainingRuntime")["invopt-torch"])
        api.on_change, api.on_look = self.change, self.look

    def change(self, verb, item):
        if verb == "create":
            asked, port = item["spec"]["trainer"], free_port()
            count = asked["numNodes"]
            self.nodes = [start(n, count, port, asked["args"]) for n in range(count)]

    def look(self):
        jobs = [o for (plural, _), o in self.api.objects.items() if plural == "trainjobs"]
        if jobs and self.nodes and all(node.poll() is not None for node in self.nodes):
            ending = "Complete" if not any(node.returncode for node in self.nodes) else "Failed"
            condition = {"type": ending, "status": "True", "message": "", "reason": "Ended"}
            condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
            jobs[0]["status"] = {"conditions": [condition]}

    def close(self):
        for node in self.nodes:
            node.kill()
            node.communicate()


def test_the_train_step_starts_machines_waits_for_them_and_collects_the_model(
    kubernetes, as_account, tmp_path
):
    as_account("invopt-trainer")
    few = {"max_steps": 6, "batch_size": 16, "num_nodes": 2, "num_processes": 1}
    config = make_config(training=few)
    with_derived(make_panel(num_periods=160), config).save(tmp_path / "panel")
    machines, told = Machines(kubernetes), []
    placed = Placed(ClusterSettings.from_environment({}), tmp_path / "training", "v1")
    try:
        train(placed, str(tmp_path / "panel"), config, str(tmp_path / "model"), told.append)
    finally:
        machines.close()
    assert len(machines.nodes) == 2
    assert (tmp_path / "model" / "model.onnx").is_file()
    assert [verb for verb, _ in kubernetes.writes] == ["create", "delete"]
    assert any(text.endswith("submitted to 2 machines") for text in told)
