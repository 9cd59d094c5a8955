"""LightGBM as a graph of the network's inputs and outputs.

What the trees see is computed in the graph itself, by the same module in training and at work. It
is computed in double precision: where single precision ends in another last bit, a row falls to the
other side of a split.

Shapes: B series, S periods of the window (the last one is the cutoff), H horizon, X features.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from invopt.model.rules import FLOOR, Rule, RuleNetwork, places_of, sales_of
from invopt.types import FloatArray

_LATEST = 3  # single periods that are features by themselves
_OTHERS = 5  # first column of a step that is no sales: see invopt.features.feature_names
_LONG = 26  # periods of a season from which on the neighbours of a period speak for it too


@dataclass(frozen=True)
class TreeSizes:
    """What a window is looked at by.

    Attributes:
        length: S.
        horizon: H.
        windows: Periods of averages, ascending.
        weights: Of each average in the level that a forecast starts from.
        seasons: Periods of the seasons that the window shows.
    """

    length: int
    horizon: int
    windows: tuple[int, ...]
    weights: tuple[float, ...]
    seasons: tuple[int, ...]


class TreeInputs(nn.Module):
    """What the trees see of each period ahead: shares of a level, plans, calendar, attributes.

    Args:
        sizes: Of the windows.
    """

    def __init__(self, sizes: TreeSizes) -> None:
        super().__init__()
        self.sizes = sizes
        for season in sizes.seasons:
            places = places_of(sizes.length, sizes.horizon, season)
            self.register_buffer(f"places_{season}", places)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, what acts by a factor, and the level.

        Features (B * H, X) are in single precision; factors (B, H, L), the plans and the calendar
        of a period beside the usual ones, and the level (B,), model units, in double.
        """
        step, _, planned, calendar, ids, values, offset = inputs
        step, horizon = step.double(), self.sizes.horizon
        y, seen = sales_of(step)
        means = self._means(y, seen, torch.exp(offset.double()))
        level = FLOOR + torch.stack(
            [w * m for w, m in zip(self.sizes.weights, means, strict=True)], 1
        ).sum(1)
        own = torch.stack([*self._history(y, seen, level, means)], 1)
        others = step[:, :, _OTHERS:]
        usual = others[:, -self.sizes.windows[-1] :].mean(1)
        own = torch.cat([own, others[:, -1], usual, ids.double(), values.double()], 1)
        ahead = torch.arange(1, horizon + 1, dtype=torch.float64)[None, :, None]
        parts = [
            own[:, None].expand(-1, horizon, -1),
            torch.zeros_like(level)[:, None, None] + ahead,
            *self._seasons(y, seen, level),
            planned.double(),
            calendar.double(),
        ]
        found = torch.cat(parts, 2)
        factors = torch.cat([usual[:, None].expand(-1, horizon, -1), *parts[-2:]], 2)
        return found.reshape(-1, found.shape[2]).float(), factors, level

    def _means(self, y: Tensor, seen: Tensor, otherwise: Tensor) -> list[Tensor]:
        """Return (B,) means of known sales per window; where one saw nothing, the next longer."""
        number = seen.sum(1)
        mean = torch.where(number > 0, (y * seen).sum(1) / number.clamp(min=1), otherwise)
        means: list[Tensor] = []
        for window in reversed(self.sizes.windows):
            number = seen[:, -window:].sum(1)
            own = (y * seen)[:, -window:].sum(1) / number.clamp(min=1)
            mean = torch.where(number > 0, own, mean)
            means.insert(0, mean)
        return means

    def _history(
        self, y: Tensor, seen: Tensor, level: Tensor, means: Sequence[Tensor]
    ) -> Iterator[Tensor]:
        yield torch.log(level)
        yield from (_share(mean, level) for mean in means)
        for back in range(1, min(_LATEST, self.sizes.length) + 1):
            yield torch.where(seen[:, -back] > 0, _share(y[:, -back], level), 0.0)
        sold = (y > 0).double()
        for window in (self.sizes.windows[0], self.sizes.windows[-1], self.sizes.length):
            yield sold[:, -window:].sum(1) / seen[:, -window:].sum(1).clamp(min=1)
        position = torch.arange(1, self.sizes.length + 1, dtype=torch.float64)
        yield torch.log1p(self.sizes.length - (sold * position).amax(1))
        yield torch.log1p((torch.cumsum(seen, 1) > 0).double().sum(1))
        recent = seen[:, -self.sizes.windows[-1] :]
        squares = recent * (y[:, -self.sizes.windows[-1] :] - means[-1][:, None]) ** 2
        yield _share(torch.sqrt(squares.sum(1) / recent.sum(1).clamp(min=1)), level)

    def _seasons(self, y: Tensor, seen: Tensor, level: Tensor) -> Iterator[Tensor]:
        """Yield (B, H, 1): shares of the level that the same places of seasons before sold."""
        for season in self.sizes.seasons:
            places: Tensor = getattr(self, f"places_{season}")
            there, at = (places >= 0).double(), places.clamp(min=0)
            if season >= _LONG:
                last = self.sizes.length - 1
                near = [(at + shift).clamp(min=0, max=last) for shift in (-1, 0, 1)]
                values = torch.stack([(y * seen)[:, n] for n in near]).sum(0)
                known = torch.stack([seen[:, n] for n in near]).sum(0) * there
                values = values * there
            else:
                values, known = (y * seen)[:, at] * there, seen[:, at] * there
            for stop in (1, places.shape[1]):
                number = known[:, :, :stop].sum(2)
                mean = values[:, :, :stop].sum(2) / number.clamp(min=1)
                share = _share(mean, level[:, None])
                yield torch.where(number > 0, share, torch.zeros_like(share))[:, :, None]


class Trees:
    """A boosted ensemble: LightGBM's own answer, and the same as attributes of an ONNX operator.

    Args:
        booster: Trained without categories and missing values.
    """

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    @property
    def num_used(self) -> int:
        """Number of trees that predict: up to the best round, where one was looked for."""
        best = int(self.booster.best_iteration)
        return best if best > 0 else int(self.booster.num_trees())

    def __call__(self, features: Tensor) -> Tensor:
        """Return (B, 1) the sum of the leaves, as LightGBM adds them up."""
        found = self.booster.predict(features.numpy(), raw_score=True, num_iteration=self.num_used)
        return torch.from_numpy(np.asarray(found, np.float32))[:, None]

    def attributes(self) -> dict[str, Any]:
        """Return attributes of ai.onnx.ml's TreeEnsembleRegressor, names as torch's exporter has.

        A split sends x <= threshold to the left, thresholds in double precision: in single they are
        rounded down, so that no value of single precision changes sides.
        """
        nodes: dict[str, list[Any]] = {name: [] for name in _NODES}
        leaves: dict[str, list[Any]] = {name: [] for name in _LEAVES}
        for number, tree in enumerate(
            self.booster.dump_model(num_iteration=self.num_used)["tree_info"]
        ):
            for place, node, children in _walked(tree["tree_structure"]):
                is_leaf = not children
                row = (
                    number,
                    place,
                    0 if is_leaf else node["split_feature"],
                    "LEAF" if is_leaf else "BRANCH_LEQ",
                    0.0 if is_leaf else _rounded_down(node["threshold"]),
                    *(children or (0, 0)),
                )
                for values, value in zip(nodes.values(), row, strict=True):
                    values.append(value)
                if is_leaf:
                    leaf = (number, place, 0, float(node["leaf_value"]))
                    for values, value in zip(leaves.values(), leaf, strict=True):
                        values.append(value)
        return nodes | leaves | {"n_targets_i": 1, "aggregate_function_s": "SUM"}


_NODES = (
    "nodes_treeids_i", "nodes_nodeids_i", "nodes_featureids_i", "nodes_modes_s", "nodes_values_f",
    "nodes_truenodeids_i", "nodes_falsenodeids_i",
)  # fmt: skip
_LEAVES = ("target_treeids_i", "target_nodeids_i", "target_ids_i", "target_weights_f")


def _walked(
    root: Mapping[str, Any],
) -> Iterator[tuple[int, Mapping[str, Any], tuple[int, int] | None]]:
    """Yield number, content and the numbers of both children (None at a leaf) of every node."""
    waiting, used = [(0, root)], 1
    while waiting:
        place, node = waiting.pop()
        if "left_child" not in node:
            yield place, node, None
            continue
        yield place, node, (used, used + 1)
        waiting += [(used, node["left_child"]), (used + 1, node["right_child"])]
        used += 2


def _rounded_down(threshold: float) -> float:
    single = np.float32(threshold)
    if float(single) > threshold:
        single = np.nextafter(single, np.float32(-np.inf))
    return float(single)


class _Sum(torch.autograd.Function):
    """Trees in torch: LightGBM's own answer when run, one operator when exported."""

    @staticmethod
    def forward(_: Any, features: Tensor, trees: Trees) -> Tensor:  # type: ignore[override]
        return trees(features)

    @staticmethod
    def symbolic(g: Any, features: Any, trees: Trees) -> Any:
        found = g.op("ai.onnx.ml::TreeEnsembleRegressor", features, **trees.attributes())
        return found.setType(features.type().with_sizes([None, 1]))


@dataclass(frozen=True)
class LogMean:
    """The log of demand over its level: factors first, and trees of what they leave.

    Trees alone learn of an effect that all series share a part only, before they learn noise.

    Attributes:
        weights: (L,) of factors.
        constant: Added to them.
        trees: Of what is left.
    """

    weights: FloatArray
    constant: float
    trees: Trees


class TreePoint(nn.Module):
    """What trees expect, and the scale of their errors.

    Args:
        inputs: What they see.
        mean: Of the log of demand over its level.
        scale: Of the log of the mean error over the root of the mean; None for the root alone.
    """

    def __init__(self, inputs: TreeInputs, mean: LogMean, scale: Trees | None = None) -> None:
        super().__init__()
        self.rule = Rule("trees")
        self.horizon = inputs.sizes.horizon
        self.inputs, self.mean, self.scale = inputs, mean, scale
        self.weights: Tensor
        self.register_buffer("weights", torch.from_numpy(mean.weights))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), the level it starts from (B,) and the scale of errors (B, H)."""
        features, factors, level = self.inputs(*inputs)
        linear = factors @ self.weights + self.mean.constant
        mean = level[:, None] * torch.exp(linear + self._sum(self.mean.trees, features))
        scale = torch.sqrt(mean + FLOOR)
        if self.scale is not None:
            scale = scale * torch.exp(self._sum(self.scale, features))
        return mean.float(), level.float(), scale.float()

    def _sum(self, trees: Trees, features: Tensor) -> Tensor:
        return _Sum.apply(features, trees).double().reshape(-1, self.horizon)  # type: ignore[no-untyped-call, no-any-return]


class TreeNetwork(RuleNetwork):
    """Trees with the spread of their past errors: mean, quantiles and levels in units."""

    custom_opsets: ClassVar = {"ai.onnx.ml": 3}

    def expected(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean (B, H), level (B,) and scale of errors (B, H), model units."""
        found: tuple[Tensor, Tensor, Tensor] = self.point(*inputs)
        return found


def _share(value: Tensor, level: Tensor) -> Tensor:
    """Return the log of a value over the level, both above zero by a little."""
    return torch.log((value + FLOOR) / level)
