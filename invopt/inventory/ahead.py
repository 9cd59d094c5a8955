"""The demand to plan for: the forecast, with what is known ahead and what planners say instead."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import pdtr, pdtrik

from invopt.contracts import NOBODY
from invopt.inventory.decision import SummedForecast
from invopt.inventory.reasons import Notes
from invopt.timeline import Timeline
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

_LEAST, _SAME = 1e-9, 1e-7  # units a period that are none, and share that is no change
_FAR = 4.0  # times the mean from which on the old shape says nothing
_NEW = 13  # periods on sale up to which a successor sells what its predecessor sold


def _replaced(forecast: SummedForecast, **arrays: Float32Array) -> SummedForecast:
    found: SummedForecast = replace(forecast, **arrays)  # type: ignore[type-var]
    return found


def with_mean(forecast: SummedForecast, mean: FloatArray, *, is_count: bool) -> SummedForecast:
    """Return a forecast of another mean.

    A count keeps its variance over its mean: with f times the mean it has the spread of such a
    count, sqrt(f) times the old one, not f times. What is measured spreads f times as wide. Where
    nothing was expected, a count is Poisson.

    Args:
        forecast: Of the series.
        mean: (series, horizon) units by period, 0 or more.
        is_count: True when sales are whole numbers.

    Example:
        Of each quantile q the count's is m' + sqrt(m' / m) (q - m), so four times the mean is twice
        as wide; what is measured is four times as wide:

        >>> from invopt.forecasts import ForecastArrays
        >>> mean, spread = np.full((1, 1), 4, np.float32), np.array([[[2, 4, 6]]], np.float32)
        >>> shares = (0.1, 0.5, 0.9)
        >>> forecast = ForecastArrays(mean, spread, spread, shares, shares, is_count=True)
        >>> with_mean(forecast, 4.0 * mean, is_count=True).quantiles.tolist()
        [[[12.0, 16.0, 20.0]]]
        >>> with_mean(forecast, 4.0 * mean, is_count=False).quantiles.tolist()
        [[[8.0, 16.0, 24.0]]]
    """
    rows = np.flatnonzero((np.abs(mean - forecast.mean) > _SAME * (1 + mean)).any(axis=1))
    if not len(rows):
        return forecast
    quantiles, levels = forecast.smooth_quantiles.copy(), forecast.smooth_levels.copy()
    before, after = forecast.mean[rows].astype(np.float64), mean[rows]
    whole = forecast.mean.astype(np.float64)
    whole[rows] = after
    quantiles[rows] = _moved(
        quantiles[rows], forecast.quantile_levels, before, after, is_count=is_count
    )
    levels[rows] = _moved(
        levels[rows], forecast.level_quantiles, before.cumsum(axis=1), after.cumsum(axis=1),
        is_count=is_count,
    )  # fmt: skip
    return _replaced(
        forecast, mean=whole.astype(np.float32), smooth_quantiles=quantiles, smooth_levels=levels
    )


def scaled(forecast: SummedForecast, factor: FloatArray, *, is_count: bool) -> SummedForecast:
    """Return a forecast times a factor by series and period; see with_mean.

    Example:
        The second day is closed, and nothing is sold on it:

        >>> from invopt.forecasts import ForecastArrays
        >>> mean, shares = np.full((1, 2), 4, np.float32), (0.1, 0.5, 0.9)
        >>> days = np.tile(np.array([2, 4, 6], np.float32), (1, 2, 1))
        >>> both = np.array([[[2, 4, 6], [5, 8, 11]]], np.float32)
        >>> forecast = ForecastArrays(mean, days, both, shares, shares, is_count=True)
        >>> found = scaled(forecast, np.array([[1.0, 0.0]]), is_count=True)
        >>> found.mean.tolist(), found.quantiles.tolist()
        ([[4.0, 0.0]], [[[2.0, 4.0, 6.0], [0.0, 0.0, 0.0]]])
    """
    mean = forecast.mean.astype(np.float64)
    return with_mean(forecast, mean * factor, is_count=is_count)


def _moved(
    quantiles: Float32Array, levels: tuple[float, ...], before: FloatArray,
    after: FloatArray, *, is_count: bool,
) -> Float32Array:  # fmt: skip
    """Return (series, periods, Q) quantiles moved from one mean to another."""
    factor = after / np.maximum(before, _LEAST)
    if not is_count:
        spread = np.where(before > _LEAST, factor, 0)[..., None]
        return (after[..., None] + spread * (quantiles - before[..., None])).astype(np.float32)
    found = after[..., None] + np.sqrt(factor)[..., None] * (quantiles - before[..., None])
    # The shape of a count depends on how large it is: far from the old mean that of Poisson.
    far = (factor > _FAR) | (factor < 1 / _FAR)
    if far.any():
        found[far] = _poisson(after[far], levels)
    return np.maximum(found, -0.5).astype(np.float32)


def _poisson(mean: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Return quantiles of Poisson counts, with the jitter that forecasts of counts carry."""
    shares, mean = np.asarray(levels), mean[:, None]
    at = np.maximum(np.nan_to_num(np.ceil(pdtrik(shares, np.maximum(mean, _LEAST)) - 1e-9)), 0)
    low, high = np.where(at > 0, pdtr(np.maximum(at - 1, 0), mean), 0.0), pdtr(at, mean)
    found: FloatArray = at - 0.5 + (shares - low) / (high - low)
    return found


@dataclass(frozen=True)
class Phases:
    """What the life of products says; arrays by series.

    Attributes:
        factor: (series, horizon) 0 where a product is not sold yet or any more, else 1.
        ends_in: First period ahead, from 1, in which it is not sold any more; NaN for never.
    """

    factor: FloatArray = field(repr=False)
    ends_in: FloatArray = field(repr=False)


def phases_of(series: pd.DataFrame, timeline: Timeline, horizon: int) -> Phases | None:
    """Return when products are sold, from phase_in and phase_out; None where neither is given.

    Example:
        After a review on the 3rd, sold from the 5th up to the 6th:

        >>> line = Timeline(pd.Timestamp("2024-01-01"), "D", 3)
        >>> series = pd.DataFrame({"phase_in": ["2024-01-05"], "phase_out": ["2024-01-07"]})
        >>> found = phases_of(series, line, 5)
        >>> found.factor.tolist(), found.ends_in.tolist()
        ([[0.0, 1.0, 1.0, 0.0, 0.0]], [4.0])
    """
    if "phase_in" not in series and "phase_out" not in series:
        return None
    ahead = np.arange(1, horizon + 1)
    factor = np.ones((len(series), horizon))
    ends = np.full(len(series), np.nan)
    for column in ("phase_in", "phase_out"):
        if column not in series:
            continue
        dates = pd.DatetimeIndex(pd.to_datetime(series[column], errors="coerce"))
        given = np.asarray(dates.notna())
        period = np.full(len(series), np.nan)
        period[given] = timeline.index_of(dates[given]) - (timeline.num_periods - 1)
        if column == "phase_in":
            factor[ahead < period[:, None]] = 0.0
        else:
            factor[ahead >= period[:, None]] = 0.0
            ends = period
    return Phases(factor, ends)


@dataclass(frozen=True)
class Overridden:
    """What planners say instead.

    Attributes:
        mean: (series, horizon) demand to plan for, units.
        order: (series,) units to order, NaN where none is said.
        rows: Series that any line concerns now.
        asked: (series,) True where a demand is said: it is expected whatever was sold.
    """

    mean: FloatArray = field(repr=False)
    order: FloatArray = field(repr=False)
    rows: IntArray = field(repr=False)
    asked: BoolArray = field(repr=False)


def overrides_of(
    overrides: pd.DataFrame | None,
    series: pd.DataFrame,
    forecast: SummedForecast,
    timeline: Timeline,
    notes: Notes,
) -> Overridden:
    """Return what overrides make of a forecast, lines in order, and note who says so and why.

    A demand is units over its dates, shared by its series as the forecast is, or evenly where
    nothing is forecast; what of its dates is past, or beyond the forecast, takes its share with it.

    Args:
        overrides: As invopt.sources.terms reads them; None for none.
        series: Products, in order.
        forecast: Of the series.
        timeline: Up to the review.
        notes: To add sentences to.

    Example:
        Thirty units over three days that the forecast has as 1, 2 and 3 are 5, 10 and 15:

        >>> from invopt.forecasts import ForecastArrays
        >>> mean, shares = np.array([[1, 2, 3]], np.float32), (0.1, 0.5, 0.9)
        >>> spread = np.ones((1, 3, 3), np.float32)
        >>> forecast = ForecastArrays(mean, spread, spread, shares, shares, is_count=True)
        >>> line, notes = Timeline(pd.Timestamp("2024-01-01"), "D", 3), Notes.none(1)
        >>> said = pd.DataFrame(
        ...     {"kind": ["demand"], "value": [30.0], "from": ["2024-01-04"], "to": ["2024-01-06"]}
        ... )
        >>> series = pd.DataFrame({"unique_id": ["a"]})
        >>> overrides_of(said, series, forecast, line, notes).mean.tolist(), notes.after.tolist()
        ([[5.0, 10.0, 15.0]], ['demand set to 30 by a planner'])
    """
    horizon, num = forecast.mean.shape[1], len(series)
    mean, order = forecast.mean.astype(np.float64), np.full(num, np.nan)
    touched, asked = np.zeros(num, bool), np.zeros(num, bool)
    for line in () if overrides is None else overrides.to_dict("records"):
        rows = np.flatnonzero(scope_of(line, series))
        first, last = (_period(line.get(name), timeline) for name in ("from", "to"))
        spell = slice(int(np.clip((first or 1) - 1, 0, horizon)),
                      int(np.clip(horizon if last is None else last, 0, horizon)))  # fmt: skip
        value, kind = float(line["value"]), line["kind"]
        now = (first is None or first <= 1) and (last is None or last >= 0)
        if (
            not len(rows)
            or (kind == "order" and not now)
            or (kind != "order" and spell.start >= spell.stop)
        ):
            continue
        if kind == "order":
            order[rows] = _shared(value, forecast.mean[rows].sum(axis=1))
        elif kind == "factor":
            mean[rows, spell] *= value
        else:
            assert first is not None
            assert last is not None
            part = value * (spell.stop - spell.start) / (last - first + 1)
            ahead = mean[rows, spell]
            total = ahead.sum()
            mean[rows, spell] = part * ahead / total if total > _LEAST else part / ahead.size
            asked[rows] = True
        touched[rows] = True
        notes.add(rows, [_told(line, kind, value)] * len(rows))
    return Overridden(mean, order, np.flatnonzero(touched), asked)


def scope_of(line: dict[Any, Any], series: pd.DataFrame) -> BoolArray:
    """Return the series that a line of overrides is for: all of its scopes hold.

    Example:
        >>> series = pd.DataFrame({"unique_id": ["a", "b"], "location": ["north", "south"]})
        >>> [scope_of({"scope": text}, series).tolist() for text in ("all", "a", "location=south")]
        [[True, True], [True, False], [False, True]]
    """
    found = np.ones(len(series), bool)
    for column in ("unique_id", *series.columns):
        value = line.get(column)
        if column in line and value is not None and value == value and str(value).strip():
            found &= (series[column].astype(str) == str(value).strip()).to_numpy()
    text = str(line.get("scope") or "").strip()
    if text and text.lower() != "all":
        column, _, value = text.partition("=")
        if (series["unique_id"].astype(str) == text).any() or column.strip() not in series:
            found &= (series["unique_id"].astype(str) == text).to_numpy()
        else:
            found &= (series[column.strip()].astype(str) == value.strip()).to_numpy()
    return found


def _shared(value: float, weight: FloatArray) -> FloatArray:
    """Return a whole number of units shared by weight, none of them lost."""
    share = weight / weight.sum() if weight.sum() > 0 else np.full(len(weight), 1 / len(weight))
    edges = np.rint(np.concatenate([[0.0], value * share.cumsum()]))
    found: FloatArray = np.diff(edges)
    return found


def _period(date: Any, timeline: Timeline) -> int | None:
    """Return the period ahead of a date, from 1; None where none is given."""
    if date is None or pd.isna(date):
        return None
    index = timeline.index_of(pd.DatetimeIndex([pd.Timestamp(date)]))[0]
    return int(index) - (timeline.num_periods - 1)


def _told(line: dict[Any, Any], kind: str, value: float) -> str:
    number = f"{value:.12g}"  # as it was said: never in powers of ten, nothing cut off
    said = {
        "order": f"order set to {number}",
        "factor": f"demand times {number}",
        "demand": f"demand set to {number}",
    }[kind]
    who = str(line.get("who") or "").strip() or "a planner"
    why = str(line.get("why") or "").strip()
    return f"{said} by {who}" + (f": {why}" if why else "")


@dataclass(frozen=True)
class Succession:
    """Predecessors and successors among the series.

    Attributes:
        old: Rows of predecessors; those of a successor that is succeeded itself come first.
        new: Rows of their successors, in the same order.
    """

    old: IntArray = field(repr=False)
    new: IntArray = field(repr=False)

    @property
    def share(self) -> FloatArray:
        """(pairs,) part of the predecessor that each successor takes over: even parts.

        Example:
            >>> Succession(np.array([0, 0, 3]), np.array([1, 2, 4])).share.tolist()
            [0.5, 0.5, 1.0]
        """
        if not len(self.old):
            return np.zeros(0)
        return 1.0 / np.bincount(self.old)[self.old]


def succession_of(series: pd.DataFrame) -> Succession:
    """Return which series takes over from which, at the same location.

    Example:
        The new one takes over in the north; in the south there is no old one:

        >>> series = pd.DataFrame(
        ...     {"product": ["old", "new", "new"], "location": ["north", "north", "south"],
        ...      "successor_of": ["", "old", "old"]}
        ... )
        >>> found = succession_of(series)
        >>> found.old.tolist(), found.new.tolist()
        ([0], [1])
    """
    none = np.zeros(0, np.int64)
    if "successor_of" not in series:
        return Succession(none, none)
    product, location = (series[c].astype(str) for c in ("product", "location"))
    place = {key: row for row, key in enumerate(zip(product, location, strict=True))}
    pairs = [
        (place[before, where], row)
        for row, (before, where) in enumerate(
            zip(series["successor_of"].fillna("").astype(str), location, strict=True)
        )
        if (before, where) in place and before not in NOBODY
    ]
    if not pairs:
        return Succession(none, none)
    old, new = np.array(sorted(pairs, key=_generations(pairs)), np.int64).T
    return Succession(old, new)


def _generations(pairs: list[tuple[int, int]]) -> Callable[[tuple[int, int]], int]:
    """Return how many products a pair's successor has before it, one after the other."""
    before = {new: old for old, new in pairs}

    def number(pair: tuple[int, int]) -> int:
        at, found = pair[0], 1
        while at in before and found <= len(pairs):
            at, found = before[at], found + 1
        return found

    return number


def lone_successors(series: pd.DataFrame) -> int:
    """Return how many series succeed a product that is not among them.

    Example:
        Of two successors of "old" the one in the south has no predecessor there:

        >>> series = pd.DataFrame(
        ...     {"product": ["old", "new", "new"], "location": ["north", "north", "south"],
        ...      "successor_of": ["", "old", "old"]}
        ... )
        >>> lone_successors(series)
        1
    """
    if "successor_of" not in series:
        return 0
    named = ~series["successor_of"].fillna("").astype(str).isin(NOBODY)
    return int(named.sum()) - len(succession_of(series).new)


def with_successors(
    forecast: SummedForecast, succession: Succession, periods_on_sale: IntArray,
    *, is_count: bool,
) -> SummedForecast:  # fmt: skip
    """Return the forecast with what predecessors sold handed on to their successors.

    One that is new sells what its predecessor sold; another sells both. Several successors of one
    product sell even parts of it.

    Example:
        One on sale for two periods sells the predecessor's 5, one on sale for a year 5 + 2:

        >>> from invopt.forecasts import ForecastArrays
        >>> mean, shares = np.array([[5], [2]], np.float32), (0.1, 0.5, 0.9)
        >>> spread = mean[..., None] + np.array([-1, 0, 1], np.float32)
        >>> forecast = ForecastArrays(mean, spread, spread, shares, shares, is_count=True)
        >>> pair = Succession(np.array([0]), np.array([1]))
        >>> for on_sale in (2, 365):
        ...     seen = np.array([400, on_sale])
        ...     with_successors(forecast, pair, seen, is_count=True).mean[1].tolist()
        [5.0]
        [7.0]
    """
    old, new = succession.old, succession.new
    if not len(new):
        return forecast
    mean = forecast.mean.astype(np.float64)
    quantiles, levels = forecast.smooth_quantiles.copy(), forecast.smooth_levels.copy()
    wanted = mean.copy()
    is_new = periods_on_sale[new] < _NEW
    for before, after, share, fresh in zip(old, new, succession.share, is_new, strict=True):
        if fresh:
            for values in (mean, quantiles, levels):
                values[after] = values[before]
            wanted[after] = share * wanted[before]
        else:
            wanted[after] += share * wanted[before]
    handed = _replaced(
        forecast, mean=mean.astype(np.float32), smooth_quantiles=quantiles, smooth_levels=levels
    )
    return with_mean(handed, wanted, is_count=is_count)
