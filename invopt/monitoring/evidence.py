"""What the latest period says about the model: drift of its inputs, error of its forecasts."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.config import MonitoringConfig
from invopt.evaluation import Forecasts, backtest, point_metrics
from invopt.monitoring.evidently_report import ColumnDrift, column_drift
from invopt.panel import Panel

IGNORE, ALERT, RETRAIN = "ignore", "alert", "retrain"


@dataclass(frozen=True)
class Evidence:
    """One period's evidence and the decision it leads to.

    Attributes:
        period: First and last day.
        drift: By column.
        error: Point metrics of the forecast made before the period.
        usual_error: The same over the periods before it.
        decision: ignore, alert or retrain.
        reason: Why.
    """

    period: tuple[str, str]
    drift: list[ColumnDrift]
    error: dict[str, float]
    usual_error: dict[str, float]
    decision: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def latest_evidence(
    forecasts: Forecasts,
    panel: Panel,
    features: dict[str, pd.DataFrame],
    config: MonitoringConfig,
    html: Path,
    json: Path,
) -> Evidence:
    """Return the evidence of a panel's last period.

    Args:
        forecasts: The champion.
        panel: Cleaned, with derived channels.
        features: Feature rows of the "current" period and of the "reference".
        config: Length of a period and limits.
        html: Evidently's page.
        json: Evidently's numbers.
    """
    last = panel.num_periods
    cutoff = last - config.period - 1
    current = point_metrics(backtest(forecasts, panel, [cutoff], last))
    earlier = [cutoff - config.period * k for k in range(1, 5)]
    usual = point_metrics(
        [w for c in earlier for w in backtest(forecasts, panel, [c], c + 1 + config.period)]
    )
    drift = column_drift(
        _sample(features["reference"], config), _sample(features["current"], config),
        config.drift_threshold, html, json,
    )  # fmt: skip
    decision, reason = decide(drift, current, usual, config)
    dates = panel.timeline.dates(cutoff + 1, last)
    return Evidence(
        (f"{dates[0]:%Y-%m-%d}", f"{dates[-1]:%Y-%m-%d}"), drift, current, usual, decision, reason
    )


def decide(
    drift: list[ColumnDrift],
    error: dict[str, float],
    usual: dict[str, float],
    config: MonitoringConfig,
) -> tuple[str, str]:
    """Return the decision and its reason: error decides, drift explains."""
    moved = [d.column for d in drift if d.moved]
    share = len(moved) / max(1, len(drift))
    ratio = error["wape"] / usual["wape"] if usual["wape"] else float("nan")
    worse = bool(np.isfinite(ratio) and ratio > config.max_error_ratio)
    found = f"error is {ratio:.2f} of the usual, {share:.0%} of the features moved"
    if worse and share >= config.max_drift_share:
        return RETRAIN, f"{found} ({', '.join(moved[:5])})"
    if worse or share >= config.max_drift_share:
        return ALERT, found
    return IGNORE, found


def _sample(frame: pd.DataFrame, config: MonitoringConfig) -> pd.DataFrame:
    return frame.sample(config.max_rows, random_state=0) if len(frame) > config.max_rows else frame
