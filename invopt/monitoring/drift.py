"""Columns of one period against the same season a year before, at today's level.

A retailer's December is no drift, and neither is a company that grows: the reference is the
periods around the same one a year ago, moved by what each column has changed since, as the
latest quarter shows it. How far a column may be from that reference is learned from earlier
periods, compared in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from invopt.config import MonitoringConfig
from invopt.monitoring.shift import normed_wasserstein
from invopt.types import Float32Array, FloatArray

LATEST = 13  # earlier periods that levels and limits are learned from: a quarter of weeks
_RECENT_SKIPPED = 2  # the period before the current one may hold the same change
_BINS = 256
_TAIL = 0.01
SEASONAL, RECENT = "the same season a year before", "the latest periods"


@dataclass(frozen=True)
class PeriodTable:
    """Rows of several periods, one per series in each.

    Attributes:
        names: Columns.
        back: Periods before the current one, ascending from 0: the current one.
        values: (period, series, column) float32; NaN where unknown.
        year: Periods in a year.
    """

    names: tuple[str, ...]
    back: tuple[int, ...]
    values: Float32Array = field(repr=False)
    year: int

    def at(self, back: int) -> Float32Array:
        """Return the (series, column) values of one period."""
        return self.values[self.back.index(back)]


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column moved.

    Attributes:
        column: Name.
        score: Wasserstein distance over the reference's standard deviation.
        threshold: From which on it counts as moved: what its history allows, at least min_drift.
        p_value: Of a score like this when nothing changed.
        moved: True when it counts.
        change: Difference of means, in standard deviations of the reference.
        law: Centre, scale and degrees of freedom of the log of the distances of its history.
    """

    column: str
    score: float
    threshold: float
    p_value: float
    moved: bool
    change: float
    law: tuple[float, float, int] = field(default=(0.0, 1.0, 1), repr=False)

    def at_least_as_sure(self, p_value: float) -> "ColumnDrift":
        """Return the column judged at a p-value that many columns allow, if that is stricter."""
        centre, scale, freedom = self.law
        allowed = float(np.exp(centre + scale * float(stats.t.isf(p_value, freedom))))
        threshold = max(self.threshold, allowed)
        return replace(self, threshold=threshold, moved=self.score >= threshold)


@dataclass(frozen=True)
class Drift:
    """Of every column that could be compared.

    Attributes:
        columns: Largest score over threshold first.
        reference: Of what the reference is made.
        unusable: Columns that could not be compared, each with the reason.
        current: (row, column) values, as compared.
        expected: (row, column) reference values, moved to today's level.
        names: Columns of the two.
    """

    columns: list[ColumnDrift]
    reference: str
    unusable: dict[str, str]
    current: Float32Array = field(repr=False)
    expected: Float32Array = field(repr=False)
    names: tuple[str, ...] = ()


def periods_needed(num_earlier: int, year: int, weeks: int) -> tuple[list[int], str]:
    """Return which periods a comparison looks at, and of what its reference is made.

    Args:
        num_earlier: Periods before the current one that the data have.
        year: Periods in a year.
        weeks: Periods to either side of the same one a year before.
    """
    latest = [0, *range(_RECENT_SKIPPED, LATEST + 1)]
    if num_earlier >= year + LATEST + weeks:
        return [*latest, *range(year - weeks, year + LATEST + weeks + 1)], SEASONAL
    return [k for k in latest if k <= num_earlier], RECENT


def column_drift(table: PeriodTable, reference: str, config: MonitoringConfig) -> Drift:
    """Return the drift of every column of a table's current period.

    Each earlier period of the latest quarter is compared with a reference made like the current
    one's, whole series resampled: a bootstrap of blocks in time and of clusters of series. The
    log of those distances is taken as normal, with as many degrees of freedom as periods.

    Args:
        table: Periods as periods_needed names them.
        reference: As periods_needed returns it.
        config: Limits.
    """
    current = table.at(0).astype(np.float64)
    found: list[ColumnDrift] = []
    unusable: dict[str, str] = {}
    expected = []
    used = []
    for number, name in enumerate(table.names):
        pairs = _pairs(table, number, reference, config)
        why = _why_unusable(current[:, number], pairs)
        if why:
            unusable[name] = why
            continue
        rows = pairs[0][1]
        expected.append(rows)
        used.append(number)
        found.append(_compare(name, pairs, config))
    found.sort(key=lambda d: -d.score / d.threshold)
    size = max((len(rows) for rows in expected), default=0)
    frame = np.full((size, len(expected)), np.nan, np.float32)
    for number, rows in enumerate(expected):
        frame[: len(rows), number] = rows
    names = tuple(table.names[n] for n in used)
    return Drift(
        found, reference, unusable, current=table.at(0)[:, used], expected=frame, names=names
    )


def _pairs(
    table: PeriodTable, column: int, reference: str, config: MonitoringConfig
) -> list[tuple[FloatArray, FloatArray]]:
    """Return (values, reference values) of the current period, then of earlier ones like it."""
    earlier = [k for k in table.back if 0 < k <= LATEST]
    means = {k: _mean(table.at(k)[:, column]) for k in table.back}
    weeks = range(-config.reference_weeks, config.reference_weeks + 1)
    pairs = []
    for k in (0, *earlier):
        near = [k - 1, k, k + 1]
        others = [j for j in earlier if j not in near]
        if reference == SEASONAL:
            season = [table.year + k + w for w in weeks]
            change = [
                means[j] - float(np.nanmean([means[table.year + j + w] for w in weeks]))
                for j in others
            ]
            level = float(np.nanmedian(change)) if np.isfinite(change).any() else 0.0
        else:
            season, level = others, 0.0
        if not season:
            continue
        rows = np.concatenate([table.at(j)[:, column] for j in season]).astype(np.float64)
        values = table.at(k)[:, column].astype(np.float64)
        pairs.append((values, rows[np.isfinite(rows)] + level))
    return pairs


def _mean(values: Float32Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean(dtype=np.float64)) if len(known) else float("nan")


def _why_unusable(current: FloatArray, pairs: Sequence[tuple[FloatArray, FloatArray]]) -> str:
    if not np.isfinite(current).any():
        return "no value in this period"
    if len(pairs) < 4:
        return "too few earlier periods"
    expected = pairs[0][1]
    if len(expected) < 2 or float(expected.std()) < 1e-6:
        return "constant in the reference"
    return ""


def _compare(
    name: str, pairs: Sequence[tuple[FloatArray, FloatArray]], config: MonitoringConfig
) -> ColumnDrift:
    rng = np.random.default_rng(config.seed)
    values, expected = pairs[0]
    values = values[np.isfinite(values)]
    norm = max(float(expected.std()), 1e-3)
    score = normed_wasserstein(expected, values)
    per_pair = max(1, config.num_bootstrap // (len(pairs) - 1))
    draws = np.concatenate([_null_distances(p, len(values), per_pair, rng) for p in pairs[1:]])
    logs = np.log(np.maximum(draws, 1e-9))
    centre = float(logs.mean())
    scale = max(float(logs.std()), 0.05) * float(np.sqrt(1 + 1 / (len(pairs) - 1)))
    freedom = len(pairs) - 2
    p = float(stats.t.sf((np.log(max(score, 1e-9)) - centre) / scale, freedom))
    allowed = float(np.exp(centre + scale * float(stats.t.isf(_TAIL, freedom))))
    threshold = max(config.min_drift, allowed)
    change = (float(values.mean()) - float(expected.mean())) / norm
    law = (centre, scale, freedom)
    moved = score >= threshold
    return ColumnDrift(name, score, threshold, p_value=p, moved=moved, change=change, law=law)


def _null_distances(
    pair: tuple[FloatArray, FloatArray], size: int, num: int, rng: np.random.Generator
) -> FloatArray:
    """Return distances of resamples of a period's series from its reference, over its deviation.

    On a grid of 256 bins of equal count a resample is one count per bin: a hundred resamples
    cost less than one exact distance.
    """
    values, expected = pair
    values = values[np.isfinite(values)]
    if not len(values) or len(expected) < 2:
        return np.empty(0)
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, _BINS + 1)))
    low, high = min(edges[0], values.min()), max(edges[-1], values.max())
    edges = np.unique(np.concatenate([[low], edges, [high]]))
    if len(edges) < 2:
        return np.empty(0)
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 1)
    places = np.clip(np.searchsorted(edges, expected, side="right") - 1, 0, len(edges) - 1)
    share = np.bincount(places, minlength=len(edges)).cumsum() / len(expected)
    gaps = np.diff(edges)
    norm = max(float(expected.std()), 1e-3)
    found = np.empty(num)
    for number in range(num):
        drawn = codes[rng.integers(0, len(codes), size)]
        counts = np.bincount(drawn, minlength=len(edges)).cumsum() / size
        found[number] = float(np.abs(counts - share)[:-1] @ gaps) / norm
    return found
