"""Baselines as models: fitted, calibrated on their own past errors, written as model folders.

What is judged is what would serve: the same files, graph and inputs as those of the network, so a
baseline that decides better than any network is registered, served, ordered from and monitored as
every model is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import ndtri
from torch import Tensor

from invopt.attribution import save_reference
from invopt.config import Config, FeaturesConfig
from invopt.features import (
    FeatureEncoder,
    FeatureSpec,
    model_inputs,
    targets,
)
from invopt.features.encoded import EncodedPanel
from invopt.files import replacing_folder, write_json
from invopt.history import season_of
from invopt.model.export import export_graph
from invopt.model.rules import Kind, Point, Rule, RuleNetwork, Spread, sales_of
from invopt.model_files import FORMAT_VERSION
from invopt.panel import Panel
from invopt.timeline import frequency_unit
from invopt.types import Float32Array, FloatArray, IntArray, Notify

NAIVE, AVERAGE = "seasonal naive", "moving average"
NAMES: Mapping[str, Kind] = {
    NAIVE: "naive",
    AVERAGE: "average",
    "exponential smoothing": "smoothing",
    "average with calendar factors": "calendar",
    "slow-mover smoothing": "slow",
    "textbook base stock": "textbook",
    "empirical quantiles": "empirical",
}
# Windows that an average may have, by frequency, in periods: whole seasons where they are short.
_WINDOWS = {
    "D": (14, 28, 56, 112),
    "W": (4, 8, 13, 26),
    "2W": (2, 4, 6, 13),
    "MS": (3, 6, 12),
    "QS": (2, 4),
}
_ALPHAS = (0.02, 0.05, 0.1, 0.2, 0.4)
_ROWS, _ORIGINS = 1000, 40  # series and cutoffs that past errors are taken from, at most
_EXAMPLES = 64  # rows that a graph is compared on
# Points of a normal law that errors are filled up with, and errors that a bin of its own takes.
_PRIOR, _BIN, _BINS = 20, 400, 6
# How far an edge between bins may lie from its share of sizes, and the gap that it lies amid.
_NEAR, _GAP = 0.02, 1e-6
_FEW_ZEROS = 0.2  # share of periods without a sale below which nobody is a slow mover
_RIDGE = 1.0  # of calendar factors, in periods
_SEED = 0


@dataclass(frozen=True)
class Past:
    """What a rule saw and the actuals, at one cutoff.

    Attributes:
        rows: (B,) series.
        inputs: As the graph reads them.
        actual: (B, H) sales in model units, NaN where not known.
    """

    rows: IntArray
    inputs: tuple[Tensor, ...]
    actual: Float32Array

    @cached_property
    def sales(self) -> tuple[Tensor, Tensor]:
        """Sales of the window in model units and whether they are known, both (B, S)."""
        return sales_of(self.inputs[0])


@dataclass(frozen=True)
class Fitted:
    """A baseline that is fitted.

    Attributes:
        name: Of NAMES.
        rule: With the settings that erred least.
        network: The graph.
    """

    name: str
    rule: Rule
    network: RuleNetwork

    @property
    def label(self) -> str:
        """The name with its setting, for people."""
        if self.rule.kind == "trees":
            return self.name
        if self.rule.kind in ("average", "calendar", "textbook", "empirical"):
            return f"{self.name} of {self.rule.window} periods"
        if self.rule.kind == "naive":
            return self.name
        return f"{self.name}, {self.rule.alpha:g} for the newest period"


def write_baselines(
    panel: Panel,
    config: Config,
    num_periods: int,
    out: Path,
    *,
    names: Iterable[str] | None = None,
    notify: Notify = lambda _: None,
) -> dict[str, Path]:
    """Fit baselines on the first num_periods of a panel; returns their model folders by name.

    Args:
        panel: Cleaned, with derived channels.
        config: Of the run.
        num_periods: Periods that may be seen.
        out: Folder of the folders.
        names: Which of NAMES; those that say something of their own by default.
        notify: Called with a line of progress.
    """
    seen = panel.truncate(num_periods)
    encoder = FeatureEncoder.fit(seen, baseline_features(config.features, seen), num_periods)
    spec, encoded = encoder.spec, encoder.encode(seen)
    past = list(past_windows(spec, encoded))
    factors = calendar_factors(seen, encoded)
    folders = {}
    for name in _fitting(seen, factors) if names is None else names:
        found = _fit(name, spec, past, factors=factors, panel=seen, config=config)
        folders[name] = out / name.replace(" ", "-")
        write_fitted(found, encoder.spec, encoded, config, folders[name])
    notify(f"fitted {len(folders)} baselines on {num_periods} periods")
    return folders


def _fitting(panel: Panel, factors: Float32Array) -> Iterable[str]:
    """Yield the baselines that differ from the others on these sales."""
    demand = panel.demand()
    zeros = float((demand == 0).sum()) / max(1, int((~np.isnan(demand)).sum()))
    for name, kind in NAMES.items():
        if kind == "calendar" and not factors.any():
            continue
        if kind == "slow" and zeros < _FEW_ZEROS:
            continue
        yield name


def baseline_features(features: FeaturesConfig, panel: Panel) -> FeaturesConfig:
    """Return features of sales and calendar alone, one period per step, as far back as a model's.

    A model's windows are what the feature store publishes: a baseline reads no more.
    """
    year = panel.timeline.periods_per_year
    return FeaturesConfig(
        horizon=features.horizon,
        patch=1,
        context_steps=max(2, features.lookback - 1),
        windows=(1,),
        offset_weights=(1.0,),
        static=(),
        channels=(),
        year_harmonics=min(2, features.year_harmonics) if panel.num_periods >= year else 0,
        month_harmonics=0,
        day_of_week=features.day_of_week,
        daily_periods=features.daily_periods,
    )


def calendar_factors(panel: Panel, encoded: EncodedPanel) -> Float32Array:
    """Return the weight of each calendar column in the log of all series' sales.

    A ridge regression of the total's log on a line through time and the calendar.
    """
    columns = np.asarray(encoded.calendar[0], np.float64)[: panel.num_periods]
    if not columns.shape[1]:
        return np.zeros(0, np.float32)
    demand = panel.demand()
    known = (~np.isnan(demand)).sum(axis=0)
    mean = np.nansum(demand, axis=0) / np.maximum(known, 1)
    usable = (known > 0) & (mean > 0)
    if usable.sum() < 2 * columns.shape[1]:
        return np.zeros(columns.shape[1], np.float32)
    time = np.linspace(-1, 1, panel.num_periods)[:, None]
    free = np.concatenate([np.ones_like(time), time], axis=1)
    design = np.concatenate([free, columns - columns[usable].mean(axis=0)], axis=1)[usable]
    penalty = np.diag([0.0, 0.0, *[_RIDGE] * columns.shape[1]])
    weights = np.linalg.solve(
        design.T @ design + penalty + 1e-9 * np.eye(design.shape[1]),
        design.T @ np.log(mean[usable]),
    )
    return weights[2:].astype(np.float32)


def past_windows(
    spec: FeatureSpec,
    encoded: EncodedPanel,
    first: int | None = None,
    most: tuple[int, int] = (_ROWS, _ORIGINS),
) -> Iterable[Past]:
    """Yield past cutoffs, evenly spread from the first that has some history.

    Args:
        spec: Of the panel.
        encoded: It.
        first: Cutoff to begin with; a third of the history by default.
        most: Series and cutoffs that are looked at.
    """
    num_periods, num = encoded.num_periods, len(encoded.static_ids)
    rows = np.unique(np.linspace(0, num - 1, min(most[0], num)).round().astype(np.int64))
    first = min(num_periods - 2, max(3, num_periods // 3) if first is None else first)
    origins = np.unique(
        np.linspace(first, num_periods - 2, min(most[1], num_periods - 1 - first))
        .round()
        .astype(np.int64)
    )
    for origin in origins:
        ends = np.full(len(rows), origin)
        inputs = model_inputs(spec, encoded, rows, ends)
        value, observed = targets(spec, encoded, rows, ends[:, None], num_periods)
        actual = np.where(observed, value, np.nan)[:, 0].astype(np.float32)
        started = origin >= np.asarray(encoded.launch)[rows]
        actual[~started] = np.nan
        yield Past(rows, tensors_of(inputs), actual)


def tensors_of(inputs: Sequence[npt.NDArray[Any]]) -> tuple[Tensor, ...]:
    """Return inputs as a graph is trained on them."""
    return tuple(torch.from_numpy(np.ascontiguousarray(a)) for a in inputs)


def _fit(
    name: str,
    spec: FeatureSpec,
    past: Sequence[Past],
    factors: Float32Array,
    panel: Panel,
    config: Config,
) -> Fitted:
    interval = config.inventory.lead_time + config.inventory.review_period
    rules = list(_settings(NAMES[name], panel, spec.config.context_steps))
    points = [
        Point(rule, spec.config.context_steps, spec.config.horizon, torch.from_numpy(factors))
        for rule in rules
    ]
    errors = [_error(point, past, interval) for point in points] if len(points) > 1 else [0.0]
    best = points[int(np.argmin(errors))]
    model = config.model

    def expected(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = best(inputs[0], inputs[1], inputs[3])
        return found

    network = RuleNetwork(
        best, spread_of(expected, past, spec, config), model.quantile_levels, model.level_quantiles,
        spec.unit, is_count=spec.is_count,
    ).eval()  # fmt: skip
    return Fitted(name, best.rule, network)


def _settings(kind: Kind, panel: Panel, length: int) -> Iterable[Rule]:
    """Yield a rule with each setting that the history allows."""
    longest = min(length, panel.num_periods)
    windows = [w for w in _WINDOWS[frequency_unit(panel.timeline.freq)] if 2 * w <= longest]
    windows.append(longest)
    if kind == "naive":
        yield Rule(kind, season=season_of(panel.timeline, longest))
    elif kind in ("smoothing", "slow"):
        yield from (Rule(kind, window=windows[-1], alpha=alpha) for alpha in _ALPHAS)
    elif kind == "empirical":
        yield Rule(kind, window=longest)
    else:
        yield from (Rule(kind, window=window) for window in windows)


@torch.inference_mode()
def _error(point: Point, past: Sequence[Past], interval: int) -> float:
    """Return the mean absolute error of demand summed over the periods an order lasts."""
    total, number = 0.0, 0
    for window in past:
        mean = point.mean(*window.sales, window.inputs[1], window.inputs[3]).numpy()
        periods = min(interval, mean.shape[1])
        actual = window.actual[:, :periods].sum(axis=1)
        known = ~np.isnan(actual)
        total += float(np.abs(actual - mean[:, :periods].sum(axis=1))[known].sum())
        number += int(known.sum())
    return total / max(1, number)


@torch.inference_mode()
def spread_of(
    expected: Callable[..., tuple[Tensor, Tensor, Tensor]],
    past: Iterable[Past],
    spec: FeatureSpec,
    config: Config,
) -> Spread:
    """Return quantiles of past errors over their scale, by size of the level.

    Args:
        expected: Mean, level and scale of errors from a model's inputs.
        past: Cutoffs that errors are taken from.
        spec: Of the panel.
        config: Of the run.

    Counts are jittered, as quantiles of counts are. Few errors say little of tails: twenty points
    of a normal law fill them up.
    """
    rng = np.random.default_rng(_SEED)
    levels, single, summed = [], [], []
    for window in past:
        found = expected(*window.inputs)
        mean, level, scale = (part.numpy().astype(np.float64) for part in found)
        jitter = rng.random(window.actual.shape) - 0.5 if spec.is_count else 0.0
        single.append((window.actual + jitter - mean) / scale)
        sums = window.actual.astype(np.float64).cumsum(axis=1)
        deviation = np.sqrt(np.square(scale).cumsum(axis=1))
        summed.append((sums + jitter - mean.cumsum(axis=1)) / deviation)
        levels.append(level)
    sizes = np.concatenate(levels)
    counted = ~np.isnan(np.concatenate(single)[:, 0])
    num = int(np.clip(counted.sum() // _BIN, 1, _BINS))
    shares = np.arange(1, num) / num
    edges = edges_between(sizes[counted], shares)
    place = (sizes[:, None] > edges[None]).sum(axis=1)
    quantiles, sums_of = (
        np.stack([_table(np.concatenate(e)[place == b], q) for b in range(len(edges) + 1)])
        for e, q in (
            (single, config.model.quantile_levels),
            (summed, config.model.level_quantiles),
        )
    )
    return Spread(edges.astype(np.float32), quantiles, sums_of)


def edges_between(sizes: FloatArray, shares: FloatArray) -> FloatArray:
    """Return edges that part sizes near some shares of them, each amid a gap between two sizes.

    An edge that is a size itself would put it into one bin by torch and into the other one by
    another runtime, which rounds its last digit differently.

    Args:
        sizes: (n,) not NaN.
        shares: Ascending, between 0 and 1.
    """
    ordered = np.sort(sizes)
    gaps = np.diff(ordered)
    wide = np.flatnonzero(gaps > _GAP * np.maximum(1.0, ordered[1:]))
    edges = []
    for share in shares if len(wide) else ():
        away = np.abs(wide - (share * len(ordered) - 1))
        near = wide[away <= max(_NEAR * len(ordered), away.min())]
        place = near[gaps[near].argmax()]
        edges.append((ordered[place] + ordered[place + 1]) / 2)
    return np.unique(edges)


def _table(errors: FloatArray, levels: Sequence[float]) -> Float32Array:
    """Return (H, Q) quantiles of errors, (n, H) with NaN, filled up with a normal law."""
    prior = ndtri((np.arange(_PRIOR) + 0.5) / _PRIOR)
    return np.stack(
        [
            np.quantile(np.concatenate([column[~np.isnan(column)], prior]), levels)
            for column in errors.T
        ]
    ).astype(np.float32)


def write_fitted(
    found: Fitted, spec: FeatureSpec, encoded: EncodedPanel, config: Config, out: Path
) -> None:
    """Write a fitted model as a model folder, its graph compared with it on real rows.

    Raises:
        ContractError: If the graph differs.
    """
    num = len(encoded.static_ids)
    rows = np.unique(np.linspace(0, num - 1, max(2, min(_EXAMPLES, num))).round().astype(np.int64))
    rows = np.resize(rows, max(2, len(rows)))  # two at least, to prove the free batch
    inputs = model_inputs(spec, encoded, rows, np.full(len(rows), encoded.num_periods - 1))
    own = config.model_copy(update={"features": spec.config})
    with replacing_folder(out) as folder:
        spec.save(folder / "features.json")
        model = {"format": FORMAT_VERSION, "model": config.model.model_dump(mode="json")}
        write_json(folder / "model.json", model | {"label": found.label, "name": found.name})
        sales, _ = sales_of(tensors_of(inputs[:1])[0])
        largest = (1 + sales.abs().amax(1).numpy()) * found.network.unit
        difference = export_graph(found.network, folder / "model.onnx", inputs, largest)
        save_reference(folder / "reference.npz", inputs)
        write_json(
            folder / "training.json",
            {
                "onnx_difference": difference,
                "onnx_bytes": (folder / "model.onnx").stat().st_size,
                "num_periods": encoded.num_periods,
                "history": [],
                "fitted": [],
                "config": own.model_dump(mode="json"),
            },
        )
