"""Past cutoffs of a training range: what a model saw at each, and what was sold after it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from invopt.features import EncodedPanel, FeatureSpec, model_inputs, targets
from invopt.types import AnyFloatArray, BoolArray

_ROWS, _ORIGINS = 600, 13  # series and cutoffs that are looked at, at most


@dataclass(frozen=True)
class Cutoff:
    """One cutoff and the series that were on sale by then.

    Attributes:
        inputs: As the graph reads them.
        sold: (n, H) units after it, model units.
        seen: (n, H) True where what was sold is demand, and may be seen.
    """

    inputs: tuple[Tensor, ...]
    sold: AnyFloatArray = field(repr=False)
    seen: BoolArray = field(repr=False)


def past_cutoffs(spec: FeatureSpec, encoded: EncodedPanel, stop: int) -> Iterator[Cutoff]:
    """Yield cutoffs whose horizons lie end to end, the last one first.

    Args:
        spec: How the panel is read.
        encoded: The panel.
        stop: Periods that may be seen.
    """
    num, last, horizon = len(encoded.static_ids), stop - 1, spec.config.horizon
    rows = np.unique(np.linspace(0, num - 1, min(_ROWS, num)).round().astype(np.int64))
    for origin in range(last - horizon, max(horizon, last // 3), -horizon)[:_ORIGINS]:
        own = rows[np.asarray(encoded.launch)[rows] <= origin]
        if not len(own):
            continue
        ends = np.full(len(own), origin)
        inputs = model_inputs(spec, encoded, own, ends)
        value, seen = targets(spec, encoded, own, ends[:, None], stop)
        yield Cutoff(
            tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in inputs),
            np.asarray(value, np.float64)[:, 0],
            np.asarray(seen)[:, 0],
        )
