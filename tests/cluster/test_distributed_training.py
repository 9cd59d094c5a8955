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
from serving.deploy import free_port
from serving.train_job import TrainJob
from tests.builders import make_config, make_panel, with_derived

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
