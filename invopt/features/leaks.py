"""Whether any feature leaks the future: by deleting it, and by rebuilding the target.

Truncation finds features that our own code computes from later periods. The probe finds columns
that arrive with the future inside them (an average over the day itself, sales over a rolling
mean): with them, and without anything else new, the target can be rebuilt.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from invopt.config import FeaturesConfig
from invopt.features.build import feature_names
from invopt.features.derive import derived_channels, own_channels
from invopt.features.encoder import FeatureEncoder
from invopt.features.inputs import model_inputs
from invopt.features.spec import FeatureSpec
from invopt.panel import Panel
from invopt.types import Float32Array, FloatArray, IntArray

Compute = Callable[[Panel, int], dict[str, npt.NDArray[np.floating]]]  # type: ignore[type-arg]

# A column is refused when, over unseen periods, it leaves at most this share of the target's
# variance unexplained, and at most that share of what the history alone leaves.
MAX_UNEXPLAINED = 0.05
MAX_OF_HISTORY = 0.2
MIN_DISTINCT = 0.5  # distinct values of a column over those of sales, below which it is a flag
NUM_SERIES = 48
MAX_PERIODS = 730
_LAGS = 28
_TRAIN_SHARE = 2 / 3
_RIDGE = 1e-6


@dataclass(frozen=True)
class Leak:
    """A feature that leaks the future.

    Attributes:
        feature: Its name.
        found_by: "truncation" or "rebuilding".
        evidence: What was seen, as a clause.
    """

    feature: str
    found_by: str
    evidence: str


def find_leaks(panel: Panel, spec: FeatureSpec, *, num_series: int = NUM_SERIES) -> list[Leak]:
    """Return every leak of a model's features on a panel; none is what a sound panel gives.

    Args:
        panel: Cleaned, with derived channels.
        spec: Of the model.
        num_series: Best sellers looked at.
    """
    seen = panel.select(_best_sellers(panel, num_series))
    last = seen.num_periods - 1
    cutoffs = sorted({last // 2, max(last - spec.config.horizon, 0), last - 1})
    future = spec.config.num_future
    found = truncation_leaks(model_features(spec), seen, cutoffs, future)
    return found + rebuilding_leaks(seen, spec)


def truncation_leaks(
    compute: Compute, panel: Panel, cutoffs: Sequence[int], num_future: int
) -> list[Leak]:
    """Return the features that change when what comes after a cutoff is deleted.

    Args:
        compute: Returns features by name, (series, ...), as known after the period given.
        panel: With sales after every cutoff.
        cutoffs: Last known periods to try.
        num_future: Periods after a cutoff of which channels known ahead may be used.
    """
    changed: dict[str, int] = {}
    for cutoff in cutoffs:
        whole = compute(panel, cutoff)
        part = compute(panel.truncate(cutoff + 1, num_future=num_future), cutoff)
        for name, values in whole.items():
            if not np.array_equal(values, part[name], equal_nan=True):
                changed.setdefault(name, cutoff)
    return [
        Leak(name, "truncation", f"changes when periods after {panel.timeline.date(c):%Y-%m-%d} go")
        for name, c in changed.items()
    ]


def model_features(spec: FeatureSpec) -> Compute:
    """Return the function that computes a model's inputs by feature name, derived channels too."""
    names = feature_names(spec)
    columns = {
        "step": names.step,
        "step_calendar": names.calendar,
        "planned": names.planned,
        "calendar": names.calendar,
        "static_ids": names.static_ids,
        "static_values": names.static_values,
    }

    def compute(panel: Panel, cutoff: int) -> dict[str, npt.NDArray[np.floating]]:  # type: ignore[type-arg]
        derived = [*derived_channels([panel], spec.config), *own_channels(panel, spec.config)]
        panel = panel.with_channels(derived)
        encoded = FeatureEncoder(spec).encode(panel)
        rows = np.arange(panel.num_series)
        *inputs, offset = model_inputs(spec, encoded, rows, np.full(len(rows), cutoff))
        found = {
            f"{place}.{name}": values[..., number]
            for (place, own), values in zip(columns.items(), inputs, strict=True)
            for number, name in enumerate(own)
        }
        return found | {"log_offset": offset}

    return compute


def rebuilding_leaks(panel: Panel, spec: FeatureSpec) -> list[Leak]:
    """Return the channels of a model from which its target can be rebuilt.

    Per series, a ridge regression explains sales by their lags and averages alone, then with one
    channel (and its products with the averages) beside them; both are judged on the last third of
    the periods. Values, logarithms and ranks are tried. A channel known ahead is tried at the
    period it is to help forecast, another one at the last known period, against every period of
    the horizon.
    """
    probe = _Probe(panel, spec.config)
    if probe.is_empty:
        return []
    found = []
    for name in _channel_names(spec):
        channel = panel.channels[name]
        values = panel.channel_by_series(name)[:, : panel.num_periods]
        unexplained, history = probe.judge(values, known=channel.known)
        # Where history alone explains all, a channel that agrees with it proves nothing.
        limit = min(MAX_UNEXPLAINED, MAX_OF_HISTORY * history)
        if unexplained <= limit and history > MAX_UNEXPLAINED:
            found.append(
                Leak(
                    name,
                    "rebuilding",
                    f"leaves {unexplained:.1%} of the variance of sales unexplained, "
                    f"their own history {history:.1%}",
                )
            )
    return found


class _Probe:
    """Sales of some series as regression problems.

    Args:
        panel: With the series to look at.
        config: Windows of the averages, and the horizon.
    """

    def __init__(self, panel: Panel, config: FeaturesConfig) -> None:
        first = max(0, panel.num_periods - MAX_PERIODS)
        self.y = np.asarray(panel.y[:, first:], np.float64)
        self.observed = panel.is_observed[:, first:]
        periods = self.y.shape[1]
        self.lags = min(_LAGS, periods // 8)
        self.horizon = min(config.horizon, periods // 8)
        self.averages = [_trailing(self.y, w) for w in config.windows if w <= periods // 4]
        self.start = max(self.lags, *config.windows, 1) if self.averages else self.lags
        self.spaces = [self._space(change) for change in (_same, _log, _rank)]

    @property
    def is_empty(self) -> bool:
        """True when the panel is too short to conclude anything."""
        return self.lags < 1 or self.horizon < 1 or not self.averages

    def judge(self, values: Float32Array, *, known: bool) -> tuple[float, float]:
        """Return the smallest median share of variance left with a channel, and without it."""
        channel = np.nan_to_num(values[:, -self.y.shape[1] :].astype(np.float64))
        # A flag may explain much (closed days) and still cannot hold a number.
        if np.median(_num_distinct(channel) / _num_distinct(self.y)) < MIN_DISTINCT:
            return 1.0, 1.0
        best = (1.0, 1.0)
        for space in self.spaces:
            moved = space.change(channel)
            value = _moved(moved, -1) if known else moved
            before = moved if known else _moved(moved, 1)
            beside = [value, before, *(value * average for average in self.averages)]
            targets = 1 if known else self.horizon
            left = self._unexplained(space, [*space.history, *beside], targets)
            ahead = int(np.argmin(left))
            if left[ahead] < best[0]:
                best = float(left[ahead]), float(space.left[ahead])
        return best

    def _space(self, change: Callable[[FloatArray], FloatArray]) -> "_Space":
        """Return sales in one space, their history, and what it leaves unexplained."""
        y = change(self.y)
        lags = [_moved(y, back) for back in range(self.lags)]
        windows = [change(average) for average in self.averages]
        space = _Space(change, y, [np.ones_like(y), *lags, *windows], np.ones(self.horizon))
        if not self.is_empty:
            space.left[:] = self._unexplained(space, space.history, self.horizon)
        return space

    def _unexplained(self, space: "_Space", columns: list[FloatArray], num: int) -> FloatArray:
        """Return, for 1..num periods ahead, the median share of variance left on later periods.

        Sales that are no demand are replaced by their average in the fit and left out of the
        score, so that all periods ahead share one decomposition.
        """
        start, stop = self.start, self.y.shape[1] - self.horizon
        split = start + int((stop - start) * _TRAIN_SHARE)
        usual = space.change(self.averages[-1])
        filled = np.where(self.observed, space.y, usual)
        target = np.stack([filled[:, start + h : stop + h] for h in range(1, num + 1)], axis=2)
        score = np.stack(
            [self.observed[:, split + h : stop + h] for h in range(1, num + 1)], axis=2
        )
        design = np.stack([c[:, start:stop] for c in columns], axis=2)
        design = design / np.maximum(np.abs(design).max(axis=1, keepdims=True), 1e-12)
        cut = split - start
        if cut <= len(columns):
            return np.ones(num)
        fit = _ridge(design[:, :cut], target[:, :cut])
        true = target[:, cut:]
        residual = (true - design[:, cut:] @ fit) * score
        number = np.maximum(score.sum(axis=1, keepdims=True), 1)
        mean = (true * score).sum(axis=1, keepdims=True) / number
        spread = (((true - mean) * score) ** 2).sum(axis=1)
        share = np.where(spread > 0, (residual**2).sum(axis=1) / np.maximum(spread, 1e-12), 1.0)
        return np.asarray(np.median(np.minimum(share, 1.0), axis=0))


@dataclass
class _Space:
    """Sales as values, logarithms or ranks.

    Attributes:
        change: Into this space.
        y: (N, T) sales in it.
        history: (N, T) columns known after each period: sales up to `lags` back, averages.
        left: Share of variance the history leaves unexplained, by periods ahead.
    """

    change: Callable[[FloatArray], FloatArray]
    y: FloatArray
    history: list[FloatArray]
    left: FloatArray


def _ridge(design: FloatArray, target: FloatArray) -> FloatArray:
    """Return (N, K, H) coefficients of ridge regressions, one per series and target."""
    turned = design.transpose(0, 2, 1)
    gram = turned @ design
    size = np.trace(gram, axis1=1, axis2=2)[:, None, None] * _RIDGE + 1e-12
    return np.asarray(np.linalg.solve(gram + size * np.eye(gram.shape[1]), turned @ target))


def _channel_names(spec: FeatureSpec) -> Iterator[str]:
    if spec.has_price:
        yield "price"
    for group in (spec.past, spec.shared_past, spec.planned, spec.calendar):
        yield from (c.name for c in group)


def _best_sellers(panel: Panel, num: int) -> IntArray:
    """Return the series with most sales in the latest MAX_PERIODS, ascending."""
    volume = np.asarray(panel.y[:, -MAX_PERIODS:], np.float64).sum(axis=1)
    return np.sort(np.argsort(-volume, kind="stable")[:num])


def _num_distinct(values: FloatArray) -> IntArray:
    """Return the number of distinct values of each series."""
    return np.asarray(1 + (np.diff(np.sort(values, axis=1), axis=1) != 0).sum(axis=1))


def _moved(values: FloatArray, back: int) -> FloatArray:
    """Return value[t - back] at t, 0 beyond the ends."""
    moved = np.zeros_like(values)
    if back > 0:
        moved[:, back:] = values[:, :-back]
    elif back < 0:
        moved[:, :back] = values[:, -back:]
    else:
        moved[:] = values
    return moved


def _trailing(values: FloatArray, window: int) -> FloatArray:
    total = np.cumsum(values, axis=1)
    return np.asarray((total - _moved(total, window)) / window)


def _same(values: FloatArray) -> FloatArray:
    return values


def _log(values: FloatArray) -> FloatArray:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _rank(values: FloatArray) -> FloatArray:
    """Return ranks within each series as shares; equal values share their mean rank."""
    from scipy.stats import rankdata  # noqa: PLC0415  (a second)

    return np.asarray(rankdata(values, axis=1) / values.shape[1])
