"""Demand of several places together: paths that are high together as often as sales were.

Each place keeps its own paths; only their order changes, so that the totals of a path rank as
correlated normal scores do (Iman and Conover, 1982, Communications in Statistics 11).
"""

import numpy as np

from invopt.panel import UNOBSERVED, Panel
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

_SPANS, _LEAST = 26, 6  # spans of history that are compared, and without which nothing is said
_USUAL = 4  # spans before, whose mean is expected
_POOL = 4099  # draws that series share: two of a group hardly ever do
_TRUST = 10.0  # products' worth of belief in the mean of all


def residuals(panel: Panel, rows: IntArray, span: int) -> FloatArray:
    """Return (series, spans) of sales over `span` periods less the mean of the spans before.

    A span with a period that is no demand is NaN.

    Example:
        Four days of 1 and one of 3, which is 2 above what was expected:

        >>> import pandas as pd
        >>> from invopt.timeline import Timeline
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 5)
        >>> sold, flags = np.array([[1, 1, 1, 1, 3]]), np.zeros((1, 5), np.uint8)
        >>> panel = Panel(days, pd.DataFrame({"unique_id": ["a"]}), sold, flags)
        >>> residuals(panel, np.array([0]), 1).tolist()
        [[2.0]]
    """
    num = min(_SPANS + _USUAL, panel.num_periods // span)
    first = panel.num_periods - num * span
    sales = np.asarray(panel.y[rows, first:], np.float64)
    hidden = (np.asarray(panel.flags[rows, first:]) & UNOBSERVED) != 0
    sums = np.where(hidden, np.nan, sales).reshape(len(rows), num, span).sum(axis=2)
    if num <= _USUAL:
        return np.full((len(rows), 0), np.nan)
    before = np.lib.stride_tricks.sliding_window_view(sums, _USUAL, axis=1)[:, :-1].mean(axis=2)
    return np.asarray(sums[:, _USUAL:] - before)


def correlations(errors: FloatArray, group: IntArray, num: int) -> FloatArray:
    """Return (groups,) the mean correlation of the series of each, drawn towards that of all.

    Read from what the sum of a group's series varies by: variance of the sum less the sum of
    variances, over what it would be were all high together.

    Args:
        errors: (series, spans), NaN where nothing is known.
        group: (series,) of each, from 0.
        num: Groups.

    Example:
        (Var(sum X) - sum Var X) / ((sum s)^2 - sum s^2), s being deviations. Two series of
        deviation 1 that agree in six of eight spans: (6 - 2) / 8. Copies are cut at 0.95:

        >>> one = np.array([1.0, 1, -1, -1, 1, 1, -1, -1])
        >>> two = np.array([1.0, 1, -1, -1, 1, -1, 1, -1])
        >>> pair = np.zeros(2, int)
        >>> [correlations(np.stack([one, other]), pair, 1).tolist() for other in (two, one)]
        [[0.5], [0.95]]
    """
    if errors.shape[1] < _LEAST:
        return np.zeros(num)
    known = np.isfinite(errors)
    centred = np.where(known, errors - _mean(errors, known)[:, None], 0.0)
    spread = np.sqrt((centred**2).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
    total = np.zeros((num, errors.shape[1]))
    np.add.at(total, group, centred)
    own, whole = np.zeros(num), np.zeros(num)
    np.add.at(own, group, spread**2)
    np.add.at(whole, group, spread)
    apart = np.maximum(whole**2 - own, 0)
    common = (total**2).mean(axis=1) - own
    mean = common.sum() / max(apart.sum(), 1e-9)
    weight = apart / max(apart[apart > 0].mean() if (apart > 0).any() else 1.0, 1e-9)
    found = (common / np.maximum(apart, 1e-9) * weight + _TRUST * mean) / (weight + _TRUST)
    return np.clip(found, 0, 0.95)


def _mean(values: FloatArray, known: BoolArray) -> FloatArray:
    total = np.where(known, values, 0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1))


def together(
    demand: Float32Array,
    group: IntArray,
    correlation: FloatArray,
    seeds: IntArray,
    group_seeds: IntArray,
) -> Float32Array:
    """Return the paths of every series in an order that makes them move together.

    Args:
        demand: (periods, series, paths) units.
        group: (series,) of each, from 0.
        correlation: (groups,) of the ranks of what paths come to.
        seeds: (series,) number of each series, so that its draws do not depend on the batch.
        group_seeds: (groups,) the same of each group.

    Example:
        With a correlation of 1 the two are high on the same paths, and each keeps its own units:

        >>> demand = np.array([[[1, 2, 3], [30, 10, 20]]], np.float32)
        >>> pair = np.array([0, 0])
        >>> found = together(demand, pair, np.ones(1), np.array([1, 2]), np.array([7]))[0]
        >>> bool((found[1] == 10 * found[0]).all()), np.sort(found).tolist()
        (True, [[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    """
    num_paths = demand.shape[2]
    pool = np.random.default_rng(0).standard_normal((2 * _POOL, num_paths), np.float32)
    part = correlation[group].astype(np.float32)[:, None]
    common, alone = pool[_POOL + group_seeds[group] % _POOL], pool[seeds % _POOL]
    scores = np.sqrt(part) * common + np.sqrt(1 - part) * alone
    wanted = np.empty(scores.shape, np.int64)
    np.put_along_axis(wanted, scores.argsort(axis=1), np.arange(num_paths)[None], axis=1)
    order = demand.sum(axis=0).argsort(axis=1)
    take = np.take_along_axis(order, wanted, axis=1)
    return np.asarray(np.take_along_axis(demand, take[None], axis=2), np.float32)
