"""What the log of served decisions says: how many, how good, how fresh, and whether they agree."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from invopt.config import MonitoringConfig
from invopt.evaluation import Forecasts
from invopt.files import is_whole_parquet
from invopt.monitoring.signals import SERVING, Signal
from invopt.panel import Panel
from invopt.sql import literal

_SAMPLED = 200  # series that skew is measured on
FRESH = "fresh"


@dataclass(frozen=True)
class Served:
    """The log of the days of one period.

    Attributes:
        num_decisions: Served, what-if questions left out.
        degraded_share: Not answered on the "fresh" step.
        age_p95: 95th percentile of the features' age, seconds.
        skew: Mean relative difference of served forecasts from batch ones; NaN if not comparable.
        num_compared: Series it was measured on.
    """

    num_decisions: int
    degraded_share: float
    age_p95: float
    skew: float
    num_compared: int


def read_served(
    folder: Path, panel: Panel, forecasts: Forecasts | None, version: str, period: int
) -> Served | None:
    """Return what was served since the first day of a panel's last monitoring period.

    Args:
        folder: Of the prediction log (columns: serving/stores/prediction_log.py); may not exist.
        panel: Its last periods are the monitoring period.
        forecasts: The model that `version` names; None leaves skew out.
        version: As the log writes it, NAME-N.
        period: Periods of a monitoring period.

    Returns:
        None where nothing was logged.
    """
    whole = [str(f) for f in sorted(folder.glob("*/part-*.parquet")) if is_whole_parquet(f)]
    if not whole:
        return None
    since = panel.timeline.date(panel.num_periods - period)
    with duckdb.connect(config={"memory_limit": "512MB", "threads": 1}) as connection:
        files = f"[{', '.join(map(literal, whole))}]"
        connection.execute(
            f"CREATE VIEW served AS SELECT * FROM read_parquet({files}, hive_partitioning=false) "
            f"WHERE NOT what_if AND served_at >= TIMESTAMPTZ '{since:%Y-%m-%d} 00:00:00+00'"
        )
        row = connection.execute(
            "SELECT count(*), avg((step <> $fresh)::INT), quantile_cont(feature_age_s, 0.95) "
            "FROM served",
            {"fresh": FRESH},
        ).fetchone()
        if row is None or not row[0]:
            return None
        skew, compared = _skew(connection, panel, forecasts, version)
    return Served(
        int(row[0]),
        float(row[1]),
        float("nan") if row[2] is None else float(row[2]),
        skew,
        compared,
    )


def serving_signals(served: Served | None, config: MonitoringConfig) -> list[Signal]:
    """Return what of the served decisions is worth telling."""
    if served is None or served.num_decisions < config.min_rows:
        return []
    signals = []
    share = served.degraded_share
    signals.append(
        Signal(
            name="degraded",
            kind=SERVING,
            value=share,
            expected=0.0,
            limit=config.max_degraded_share,
            p_value=float("nan"),
            fires=share > config.max_degraded_share,
            pages=True,
            text=f"{share:.1%} of {served.num_decisions:,} served decisions were degraded"
            f"{_aged(served.age_p95)}",
        )
    )
    if served.num_compared:
        signals.append(
            Signal(
                name="skew",
                kind=SERVING,
                value=served.skew,
                expected=0.0,
                limit=config.max_skew,
                p_value=float("nan"),
                fires=served.skew > config.max_skew,
                text=f"served forecasts differ from batch by {served.skew:.2%} "
                f"over {served.num_compared} series",
            )
        )
    return signals


def _aged(seconds: float) -> str:
    """Return how old the sales were that most decisions rest on, "" where it is not known."""
    if not np.isfinite(seconds):
        return ""
    return f"; 95 % rest on sales known up to {seconds / 86400:,.1f} days before"


def _skew(
    connection: duckdb.DuckDBPyConnection,
    panel: Panel,
    forecasts: Forecasts | None,
    version: str,
) -> tuple[float, int]:
    """Return how far the latest served forecasts are from the same model's batch forecasts."""
    if forecasts is None:
        return float("nan"), 0
    rows = connection.execute(
        "SELECT cutoff, unique_id, arg_max(mean, served_at) FROM served "
        "WHERE model_version = $version AND step = $fresh AND mean IS NOT NULL "
        "GROUP BY cutoff, unique_id ORDER BY cutoff DESC, hash(unique_id) LIMIT $num",
        {"version": version, "fresh": FRESH, "num": _SAMPLED},
    ).fetchall()
    places = {name: row for row, name in enumerate(panel.unique_ids)}
    latest = [(places[name], mean) for cutoff, name, mean in rows
              if cutoff == rows[0][0] and name in places]  # fmt: skip
    if not latest:
        return float("nan"), 0
    chosen = sorted(latest, key=lambda pair: pair[0])
    at = int(panel.timeline.index_of(_day(rows[0][0]))[0])
    if not 0 <= at < panel.num_periods:
        return float("nan"), 0
    part = panel.select(np.array([row for row, _ in chosen]))
    batch = np.asarray(forecasts.predict(part, at).mean, np.float64)
    served = np.array([mean for _, mean in chosen], np.float64)
    size = min(batch.shape[1], served.shape[1])
    difference = np.abs(batch[:, :size] - served[:, :size]).sum()
    return float(difference / max(float(np.abs(batch[:, :size]).sum()), 1e-9)), len(chosen)


def _day(date: object) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([str(date)])
