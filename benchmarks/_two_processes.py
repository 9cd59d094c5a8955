"""Two processes that train one trunk together, each on its own device, gradients averaged."""

import os
import socket
import time
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from invopt.model.lightning_module import Task
from invopt.model.windows import TrainingWindows, WindowQueue

WORLD = 2
_WARM_UP = 3  # steps


class _Loss(torch.nn.Module):
    """The loss as a forward pass, which is what DistributedDataParallel looks at."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def forward(self, windows: TrainingWindows) -> torch.Tensor:
        return self.task.loss_of(self.task.source, windows)


def windows_per_second(task: Task, backend: str, seconds: float) -> float:
    """Return the windows a second of both processes together.

    Args:
        task: Of one member.
        backend: "nccl", or "gloo" on a processor.
        seconds: Of the measurement.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    found = torch.zeros(1).share_memory_()
    spawn(_train, (task, backend, seconds, port, found), nprocs=WORLD)  # type: ignore[no-untyped-call]
    return float(found)


def _train(
    rank: int, task: Task, backend: str, seconds: float, port: int, found: torch.Tensor
) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group(backend, rank=rank, world_size=WORLD)
    device = torch.device("cuda", rank) if backend == "nccl" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    task = task.to(device)
    task.source = task.source.to(device)
    queue = WindowQueue(task.source, task.sampler, rank, WORLD)
    ids = [device.index] if device.type == "cuda" else None
    # Weights that only the own past would use get no gradient.
    loss_of = DistributedDataParallel(_Loss(task), device_ids=ids)
    optimizer: Any = task.configure_optimizers()
    number, started = 0, 0.0
    is_going = torch.ones(1, device=device)
    windows = 0
    while is_going:
        if number == _WARM_UP:
            started, windows = time.perf_counter(), 0
        part = queue.take(number)
        optimizer.zero_grad()
        loss_of(part).backward()
        task.configure_gradient_clipping(optimizer, task.config.training.gradient_clip)
        optimizer.step()
        number, windows = number + 1, windows + part.y_BOH[..., 0].numel()
        # The first process's clock ends both.
        is_going.fill_(not started or time.perf_counter() - started < seconds)
        dist.broadcast(is_going, src=0)
    if rank == 0:
        found.fill_(WORLD * windows / (time.perf_counter() - started))
    dist.destroy_process_group()
