"""The parts of a model at work: each reads feature rows in its own way and asks its own graph."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from invopt.attribution import TOLERANCE, Attribution, attribute
from invopt.features import model_inputs
from invopt.features.online import EncodedGroups, WindowEncoder
from invopt.types import FloatArray, IntArray, ModelInputs
from serving.answers.loaded_model import LoadedChampion
from serving.api import metrics
from serving.stores.online_features import OnlineFeatures, OnlineWindows

_GROUPS = 8


class Reader:
    """A part, or a model without parts, with the features it reads.

    Args:
        part: Spec and graph.
        features: Online features, as they were published when this was made.
    """

    def __init__(self, part: LoadedChampion, features: OnlineFeatures) -> None:
        self.part, self.features = part, features
        self.encoder = WindowEncoder(part.spec, features.layout)
        self._groups: OrderedDict[tuple[int, float, int], EncodedGroups] = OrderedDict()

    def inputs(self, windows: OnlineWindows, groups_version: int) -> ModelInputs:
        """Return the part's inputs of some windows.

        Raises:
            ContractError: If the features are not those the part was trained with.
        """
        key = (groups_version, windows.known_at, windows.num_periods)
        groups = self._groups.get(key)
        encoded = None if groups is None else self.encoder.encode(windows.rows, groups)
        if encoded is None:
            rows = self.features.group_rows(windows)
            groups = self.encoder.groups_of(windows.rows, rows, groups)
            self._groups[key] = groups
            while len(self._groups) > _GROUPS:
                self._groups.popitem(last=False)
            encoded = self.encoder.encode(windows.rows, groups)
        assert encoded is not None
        at = np.arange(len(windows.names))
        ends = np.full(len(at), windows.num_periods - 1)
        return model_inputs(self.part.spec, encoded, at, ends)

    def total(self, inputs: ModelInputs) -> FloatArray:
        """Return expected sales over the horizon, units."""
        return self.part.network.run(inputs)[0].sum(axis=1, dtype=np.float64)


@dataclass(frozen=True)
class Asked:
    """What one part was asked.

    Attributes:
        reader: The part.
        rows: Rows of the sheet that it answered, ascending.
        inputs: Its inputs, a row each.
    """

    reader: Reader
    rows: IntArray = field(repr=False)
    inputs: ModelInputs = field(repr=False)

    def window(self, row: int) -> ModelInputs | None:
        """Return the inputs of one row of the sheet; None where the part did not answer it."""
        at = int(np.searchsorted(self.rows, row))
        if at == len(self.rows) or self.rows[at] != row:
            return None
        return tuple(array[at : at + 1] for array in self.inputs)


def explained(asked: Sequence[Asked], row: int) -> Attribution | None:
    """Return what adds up to the forecast of a row; of several parts the average of each input.

    None where a part was exported without a reference, or the parts do not add up, which is
    counted.

    Raises:
        NetworkUnavailableError: If a graph does not answer.
    """
    found = []
    for each in asked:
        window = each.window(row)
        if window is None:
            continue
        part = each.reader.part
        if part.reference is None:
            return None
        found.append(attribute(each.reader.total, window, part.reference, part.spec))
    if not found:
        return None
    if not all(one.additivity_error <= TOLERANCE for one in found):
        metrics.WITHHELD.inc()
        return None
    return found[0] if len(found) == 1 else _averaged(found)


def _averaged(found: Sequence[Attribution]) -> Attribution:
    num, names = len(found), dict.fromkeys(name for one in found for name in one.parts)
    parts = {name: sum(one.parts.get(name, 0.0) for one in found) / num for name in names}
    return Attribution(
        sum(one.base for one in found) / num,
        sum(one.forecast for one in found) / num,
        dict(sorted(parts.items(), key=lambda part: -abs(part[1]))),
    )
