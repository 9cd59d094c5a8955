"""What a period's outcomes say of a forecast."""

import numpy as np
import pandas as pd

from invopt.forecasts import ForecastArrays
from invopt.monitoring.performance import Scoring, series_outcomes
from invopt.panel import Panel
from invopt.timeline import Timeline


def test_a_shop_that_is_closed_on_sundays_has_outcomes_inside_their_intervals():
    """Six days of a kilogram and a half, and a Sunday without a sale, as both were forecast."""
    num_series, num_days = 400, 21
    week = np.array([1.5] * 6 + [0.0])
    y = np.tile(week, (num_series, num_days // 7)).astype(np.float32)
    series = pd.DataFrame({"unique_id": [f"s{n}" for n in range(num_series)]})
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", num_days)
    panel = Panel(timeline, series, y, np.zeros(y.shape, np.uint8))
    open_days, closed = [1.0, 1.5, 2.0], [0.0001, 0.001, 0.003]
    quantiles = np.tile([[*[open_days] * 6, closed]], (num_series, 1, 1)).astype(np.float32)
    mean = np.tile(week, (num_series, 1)).astype(np.float32)
    forecast = ForecastArrays(
        mean, quantiles, np.zeros((num_series, 7, 2), np.float32), (0.05, 0.5, 0.95), (0.5, 0.9),
        is_count=False,
    )  # fmt: skip
    found = series_outcomes(forecast, panel, y, 13, Scoring(7, None, is_count=False))
    per_day = found["inside"].sum() / num_series
    assert 6.85 < per_day < 6.95  # six days, and the Sunday nine times in ten
