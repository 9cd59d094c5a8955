"""How many kernels a piece of work launches, and how long they run, by torch's profiler.

On a GPU kernels are counted. On a processor there are none: counted are the operators that would
each be a launch, which are those that call no other and are no mere view or allocation. Operators
of whole lists (`_foreach_*`, `_fused_*`), batched products and the LSTM of a whole sequence count
as one each; on a GPU the last is a few. On an H200 the
build of 17e7d66 launched 416 kernels a step; counted this way on a processor it has 400.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

_WHOLE = (
    "aten::_foreach_",
    "aten::_fused_",
    "aten::mkldnn_rnn_layer",
    "aten::bmm",
    "aten::baddbmm",
)
# Views, allocations, questions about a tensor, and wrappers that call nothing when there is
# nothing to do.
_IDLE = (
    "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_", "set_",
    "view", "as_strided", "slice", "select", "expand", "expand_as", "unsqueeze", "squeeze",
    "reshape", "_reshape_alias", "permute", "transpose", "t", "mT", "detach", "alias", "narrow",
    "_unsafe_view", "unbind", "split", "split_with_sizes", "lift_fresh", "item",
    "_local_scalar_dense", "to", "_to_copy", "contiguous", "view_as", "chunk", "flatten",
    "unflatten", "result_type", "broadcast_to", "is_nonzero", "resolve_conj", "resolve_neg",
    "movedim", "zero_", "cudnn_is_acceptable", "stride", "size",
)  # fmt: skip
_NO_LAUNCH = frozenset(f"aten::{name}" for name in _IDLE)


@dataclass(frozen=True)
class Launches:
    """Of one piece of work.

    Attributes:
        number: Kernels, or operators that would be.
        seconds: That kernels ran; None on a processor.
    """

    number: float
    seconds: float | None


def launches(work: Callable[[], object], device: torch.device) -> Launches:
    """Return what a piece of work launches; it should have run before."""
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    events = profiler.events() or []
    if device.type == "cuda":
        kernels = [e for e in events if e.device_type == DeviceType.CUDA]
        return Launches(len(kernels), sum(e.time_range.elapsed_us() for e in kernels) / 1e6)
    return Launches(_count(e for e in events if e.cpu_parent is None), None)


def _count(events: Iterable[FunctionEvent]) -> int:
    """Return the operators among events and what they called that would be launches."""
    number = 0
    for event in events:
        if event.name.startswith(_WHOLE):
            number += 1
            continue
        below = _count(event.cpu_children)
        is_last = event.name.startswith("aten::") and event.name not in _NO_LAUNCH and not below
        number += 1 if is_last else below
    return number
