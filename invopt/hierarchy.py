"""Errors at every level of a hierarchy: WRMSSE, the score of the M5 competition.

RMSSE of a series is its mean squared error over the horizon divided by the mean squared
one-period difference of its history since its first sale; WRMSSE weighs series by their revenue
over the last periods and levels equally (M5 Competitors' Guide, 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from invopt.evaluation import Window
from invopt.features.spec import PRICE
from invopt.panel import Panel, group_names, sum_rows
from invopt.types import AnyFloatArray, FloatArray, IntArray


@dataclass(frozen=True)
class Level:
    """One level: how series add up to groups, and what each group's error is worth.

    Attributes:
        columns: Whose combinations are the groups; none for the total.
        rows: (series,) group of each series.
        scale: (group,) mean squared difference of its history.
        weight: (group,) share of revenue; sums to 1.
    """

    columns: tuple[str, ...]
    rows: IntArray = field(repr=False)
    scale: AnyFloatArray = field(repr=False)
    weight: AnyFloatArray = field(repr=False)

    def add_up(self, values: AnyFloatArray) -> FloatArray:
        """Return (group, period) sums of (series, period) values."""
        return sum_rows(values, self.rows, len(self.weight))


@dataclass(frozen=True)
class Hierarchy:
    """The levels of a panel as of one cutoff."""

    levels: tuple[Level, ...]

    @classmethod
    def of(
        cls,
        panel: Panel,
        cutoff: int,
        columns: Sequence[Sequence[str]],
        *,
        weight_periods: int = 28,
    ) -> "Hierarchy":
        """Return scales and weights from the periods up to and with `cutoff`.

        Args:
            panel: With a price channel, else every unit weighs the same.
            cutoff: Last period that may be looked at.
            columns: Columns of each level.
            weight_periods: Periods of revenue that weigh series.
        """
        y = np.asarray(panel.y[:, : cutoff + 1], np.float64)
        price: AnyFloatArray = np.ones((panel.num_series, weight_periods))
        if PRICE in panel.channels:
            price = panel.channel_by_series(PRICE)[:, cutoff + 1 - weight_periods : cutoff + 1]
        revenue = (y[:, -weight_periods:] * np.nan_to_num(price)).sum(axis=1)
        levels = []
        for names in columns:
            level = "+".join(names) if names else "all"
            groups, rows = np.unique(
                group_names(panel.series, level).astype(str), return_inverse=True
            )
            total = (
                sum_rows(y, rows, len(groups))
                if len(groups) < panel.num_series
                else y[np.argsort(rows)]
            )
            weight = np.bincount(rows, revenue, len(groups))
            levels.append(
                Level(tuple(names), rows.astype(np.int64), _scale(total), weight / weight.sum())
            )
        return cls(tuple(levels))

    def wrmsse(self, forecast: AnyFloatArray, actual: AnyFloatArray) -> tuple[float, list[float]]:
        """Return WRMSSE and its part at every level, in order.

        Args:
            forecast: (series, horizon) units.
            actual: (series, horizon) units.
        """
        difference = np.asarray(forecast, np.float64) - np.asarray(actual, np.float64)
        parts = []
        for level in self.levels:
            error = np.square(level.add_up(difference)).mean(axis=1)
            # A series that has not changed since its first sale has no scale to be judged on.
            counted = (level.weight > 0) & (level.scale > 0)
            rmsse = np.sqrt(error[counted] / level.scale[counted])
            parts.append(float((level.weight[counted] * rmsse).sum()))
        return float(np.mean(parts)), parts


def score_levels(
    windows: Sequence[Window], panel: Panel, columns: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Return WRMSSE ("wrmsse") and its part by level ("all", "region", ...), mean over windows.

    Periods whose demand was not observed count as forecast without error: what nobody knows
    speaks neither for nor against a forecast. Periods after the last known one are left out.

    Args:
        windows: Forecasts beside actuals, from at least one cutoff.
        panel: That was forecast.
        columns: Columns of each level.
    """
    scores = []
    for window in windows:
        known = ~np.isnan(window.actual).all(axis=0)
        actual = window.actual[:, known]
        forecast = np.where(np.isnan(actual), 0, window.forecast.mean[:, known])
        hierarchy = Hierarchy.of(panel, window.cutoff, columns)
        total, parts = hierarchy.wrmsse(forecast, np.nan_to_num(actual))
        scores.append([total, *parts])
    names = ["wrmsse", *("+".join(level) if level else "all" for level in columns)]
    return dict(zip(names, np.mean(scores, axis=0).tolist(), strict=True))


def _scale(history: AnyFloatArray) -> FloatArray:
    """Return the mean squared difference of each row from its first positive value on."""
    first = (history > 0).argmax(axis=1)
    squared = np.square(np.diff(history, axis=1))
    counted = np.arange(1, history.shape[1]) > first[:, None]
    number = np.maximum(counted.sum(axis=1), 1)
    result: FloatArray = np.where(counted, squared, 0).sum(axis=1) / number
    return result
