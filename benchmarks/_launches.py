"""How many launches a piece of work takes, and how long its kernels run, by torch's profiler.

On a GPU launches are counted, a replayed graph's as one, and its kernels beside them. On a
processor there are none: counted are the operators that would each be a launch, which are those
that call no other and are no mere view or allocation. Operators of whole lists (`_foreach_*`,
`_fused_*`), batched products and the LSTM of a whole sequence count as one each; on a GPU the last
is a few. On an H200 the build of 17e7d66 launched 416 kernels a step; counted this way on a
processor it has 400.
"""

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass

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
# CUDA's own calls, by how their names begin.
_CALLS = ("cudaLaunch", "cuLaunch", "cudaGraphLaunch", "cudaMemcpy", "cudaMemset")
_NO_LAUNCH = frozenset(f"aten::{name}" for name in _IDLE)


@dataclass(frozen=True)
class Launches:
    """Of one piece of work.

    Attributes:
        number: Launches, or operators that would be.
        kernels: That ran, copies among them; 0 on a processor.
        seconds: That they ran; 0 on a processor.
    """

    number: float
    kernels: float = 0.0
    seconds: float = 0.0

    def per_step(self, gathering: "Launches", share: float) -> "Launches":
        """Return what a step takes with its share of a step that gathers for several."""
        own = zip(astuple(self), astuple(gathering), strict=True)
        return Launches(*(one + share * (other - one) for one, other in own))


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
        number = sum(e.name.startswith(_CALLS) for e in events)
        seconds = sum(e.time_range.elapsed_us() for e in kernels) / 1e6
        return Launches(number, len(kernels), seconds)
    return Launches(_count(e for e in events if e.cpu_parent is None))


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
