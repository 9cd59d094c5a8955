"""A loss as two launches: its forward and its backward pass as CUDA graphs.

On a GPU a step's many small operations take less time to compute than to launch. A graph is
captured once and replayed; batches and what is random are copied into its inputs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

Losses = Callable[..., Tensor]


class GraphedLosses:
    """Losses whose passes a GPU replays.

    Args:
        losses: Of inputs like `example`, (M,); the same operations at every call, on tensors that
            keep their place, with nothing random and no look at a value.
        trained: Whose parameters get gradients; in training.
        example: Inputs, of which any part may be None. Later ones have its shapes.
        is_half: True where it is computed in bfloat16 as far as autocast says.

    Raises:
        RuntimeError: Of torch, if the operations cannot be captured.
    """

    def __init__(
        self, losses: Losses, trained: nn.Module, example: tuple[Any, ...], *, is_half: bool
    ) -> None:
        leaves, structure = pytree.tree_flatten(example)
        flat = _Flat(losses, trained, structure, [leaf is not None for leaf in leaves], is_half)
        # What is copied into is the graph's own: an example may be a view of many steps' windows.
        samples = tuple(leaf.clone() for leaf in leaves if leaf is not None)
        self._replay = torch.cuda.make_graphed_callables(flat, samples, allow_unused_input=True)

    def __call__(self, *inputs: Any) -> Tensor:
        """Return the losses (M,); their backward pass is a replay too."""
        leaves, _ = pytree.tree_flatten(inputs)
        found = self._replay(*(leaf for leaf in leaves if leaf is not None))
        assert isinstance(found, Tensor)
        # The graph's own output is overwritten by the next step.
        return found.clone()


def side_by_side(works: Sequence[Callable[[], Tensor]], device: torch.device) -> list[Tensor]:
    """Return what independent works give; captured, they are branches that a GPU takes at once."""
    if device.type != "cuda" or not torch.cuda.is_current_stream_capturing():
        return [work() for work in works]
    main, found = torch.cuda.current_stream(device), []
    streams = [torch.cuda.Stream(device) for _ in works]  # type: ignore[no-untyped-call]
    for work, stream in zip(works, streams, strict=True):
        stream.wait_stream(main)
        with torch.cuda.stream(stream):
            found.append(work())
    for stream in streams:
        main.wait_stream(stream)
    return found


class _Flat(nn.Module):
    """Losses as a function of tensors alone, with the parameters that they train."""

    def __init__(
        self,
        losses: Losses,
        trained: nn.Module,
        structure: pytree.TreeSpec,
        is_tensor: list[bool],
        is_half: bool,
    ) -> None:
        super().__init__()
        self.losses, self.trained, self.structure = losses, trained, structure
        self.is_tensor, self.is_half = is_tensor, is_half
        self.train(trained.training)

    def forward(self, *tensors: Tensor) -> Tensor:
        rest = iter(tensors)
        leaves = [next(rest) if is_tensor else None for is_tensor in self.is_tensor]
        inputs = pytree.tree_unflatten(leaves, self.structure)
        # A cache of weights in bfloat16 would hold those of the capture.
        with torch.autocast("cuda", torch.bfloat16, enabled=self.is_half, cache_enabled=False):
            found: Tensor = self.losses(*inputs)
        return found
