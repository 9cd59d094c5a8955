"""The scores of fev-bench, by its own formulas.

Of autogluon/fev (Apache-2.0), src/fev/metrics.py at commit 002ccae, and its task m5_1D: season 7,
quantiles 0.1 to 0.9, the median as the point forecast.
"""

from dataclasses import dataclass

import numpy as np

from invopt.forecasts import ForecastArrays
from invopt.panel import Panel
from invopt.types import AnyFloatArray, IntArray

SEASON = 7
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MEDIAN = LEVELS.index(0.5)
_LEAST_MEAN = 1.0  # of sales, in the denominators of WQL and WAPE: the task's epsilon
_NO_SCALE = 1.0  # of a series too short to have one


@dataclass(frozen=True)
class Scores:
    """What fev-bench prints of one window.

    Attributes:
        mase: Mean over series and days of the median's absolute error over the series' scale.
        sql: The same of the quantile loss, its mean over the levels.
        wql: Sum of the quantile loss over sum of sales.
        wape: Sum of the median's absolute error over sum of sales.
    """

    mase: float
    sql: float
    wql: float
    wape: float


def seasonal_error(history: AnyFloatArray, first: IntArray) -> AnyFloatArray:
    """Return (series,) the mean absolute change of sales over a season.

    Args:
        history: (series, days) sales before the window.
        first: (series,) day each series begins; what lies before it is not part of it.
    """
    change = np.abs(history[:, SEASON:] - history[:, :-SEASON])
    counted = np.arange(change.shape[1]) >= first[:, None]
    number = counted.sum(axis=1)
    total = np.where(counted, change, 0).sum(axis=1, dtype=np.float64)
    return np.where(number > 0, total / np.maximum(number, 1), _NO_SCALE)


def scores(quantiles: AnyFloatArray, actual: AnyFloatArray, scale: AnyFloatArray) -> Scores:
    """Return the scores of one window.

    Args:
        quantiles: (series, days, 9) at LEVELS.
        actual: (series, days) sales.
        scale: (series,) as seasonal_error returns it; series whose sales never changed are left
            out of MASE and SQL, as there.
    """
    error, loss = np.zeros(actual.shape), np.zeros(actual.shape)
    for number, level in enumerate(LEVELS):
        over = quantiles[:, :, number].astype(np.float64) - actual
        loss += 2 * np.maximum((1 - level) * over, -level * over) / len(LEVELS)
        if number == _MEDIAN:
            error = np.abs(over)
    usable = scale > 0
    mean = max(_LEAST_MEAN, float(np.abs(actual).mean()))
    return Scores(
        mase=float((error[usable] / scale[usable, None]).mean()),
        sql=float((loss[usable] / scale[usable, None]).mean()),
        wql=float(loss.mean()) / mean,
        wape=float(error.mean()) / mean,
    )


def print_window(panel: Panel, forecast: ForecastArrays, cutoff: int) -> None:
    """Print the scores of the days after a cutoff: as told, as not rounded, and the naive's."""
    days = forecast.horizon
    history = np.asarray(panel.y[:, : cutoff + 1], np.float32)
    actual = np.asarray(panel.y[:, cutoff + 1 : cutoff + 1 + days], np.float32)
    # The task's series begin with their first sale: with the zeros before it the seasonal naive
    # would score 1.81 on d_1914..d_1941, without them 1.175, near its published 1.22 a month later.
    scale = seasonal_error(history, (history > 0).argmax(axis=1))
    naive = np.tile(history[:, -SEASON:], (1, -(-days // SEASON)))[:, :days]
    print(f"d_{cutoff + 2}..d_{cutoff + 1 + days}")
    print(f"{'forecast':<44} {'MASE':>7} {'SQL':>7} {'WQL':>7} {'WAPE':>7}")
    for name, quantiles in (
        ("invopt, whole units", forecast.quantiles),
        ("the same before rounding", np.maximum(forecast.smooth_quantiles, 0)),
        ("seasonal naive", np.repeat(naive[:, :, None], len(LEVELS), axis=2)),
    ):
        found = scores(quantiles, actual, scale)
        numbers = (found.mase, found.sql, found.wql, found.wape)
        print(f"{name:<44}" + "".join(f" {value:>7.4f}" for value in numbers), flush=True)
