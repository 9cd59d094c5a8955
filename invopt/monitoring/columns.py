"""Features, sales and forecasts of a sample of series, as columns whose drift is judged."""

import re
from dataclasses import replace

import numpy as np

from invopt.config import MonitoringConfig
from invopt.monitoring.drift import Drift, PeriodTable, column_drift, periods_needed
from invopt.monitoring.sampling import sampled
from invopt.monitoring.signals import DRIFT, Signal, rejected
from invopt.monitoring.subject import Subject
from invopt.panel import UNOBSERVED, Panel
from invopt.types import FloatArray, Notify

TARGET, PREDICTION = "sales", "forecast"
# The model's own columns (features.build.feature_names) as somebody on call would say them.
_WORDS = (
    (r"sales_lag_0", "sales of the latest period"),
    (r"sales_lag_(\d+)", r"sales \1 periods before the latest"),
    (r"mean_sales_(\d+)", r"mean sales of \1 periods"),
    (r"sales_(.+)_trend_short", r"short-term trend of sales by \1"),
    (r"sales_(.+)_trend_long", r"long-term trend of sales by \1"),
    (r"observed_share", "share of periods with a record"),
    (r"price_to_own_mean", "price compared with the product's usual price"),
    (r"price_to_category", "price compared with its category"),
)


def drift_of(
    subject: Subject, panel: Panel, config: MonitoringConfig, notify: Notify
) -> tuple[Drift | None, str]:
    """Return the drift of features, sales and forecasts of a sample of series."""
    last = panel.num_periods - 1 - config.period
    earlier = (last - subject.first_cutoff) // config.period
    year = round(panel.timeline.periods_per_year / config.period)
    back, reference = periods_needed(earlier, year, config.reference_weeks)
    if len(back) < 5:
        return None, reference
    sample = sampled(panel, config.max_rows // len(back), config.seed)
    cutoffs = [last - k * config.period for k in back]
    names, inputs = subject.features(sample, cutoffs)
    outcomes = np.stack([_outcome(subject, sample, cutoff, config) for cutoff in cutoffs])
    values = np.concatenate([inputs, outcomes], axis=2).astype(np.float32)
    notify(f"compared {values.shape[2]} columns of {sample.num_series:,} series with {reference}")
    table = PeriodTable((*names, TARGET, PREDICTION), tuple(back), values, year)
    return discoveries(column_drift(table, reference, config), config), reference


def _outcome(subject: Subject, panel: Panel, cutoff: int, config: MonitoringConfig) -> FloatArray:
    """Return (series, 2): log of sales and of forecasts per period, after a cutoff."""
    target = slice(cutoff + 1, cutoff + 1 + config.period)
    seen = (np.asarray(panel.flags[:, target]) & UNOBSERVED) == 0
    sold = np.where(seen, panel.y[:, target], 0).sum(axis=1)
    count = seen.sum(axis=1)
    sales = np.divide(sold, count, out=np.full(len(sold), np.nan), where=count > 0)
    mean = subject.forecasts.predict(panel, cutoff).mean[:, : config.period].mean(axis=1)
    return np.log1p(np.maximum(np.column_stack([sales, mean]), 0))


def in_words(column: str) -> str:
    """Return what a column holds; other columns are the company's own and keep their names."""
    for pattern, words in _WORDS:
        if found := re.fullmatch(pattern, column):
            return found.expand(words).replace("_", " ")
    return column.replace("_", " ")


def discoveries(drift: Drift, config: MonitoringConfig) -> Drift:
    """Return the drift with columns calmed that the false-discovery rate does not allow."""
    p_values = [d.p_value for d in drift.columns]
    kept = rejected(p_values, config.false_discovery_rate)
    # The p-value all have to reach becomes a distance, so that Evidently counts what we count.
    surest = config.false_discovery_rate / max(1, len(p_values))
    cut = max([p for p, keep in zip(p_values, kept, strict=True) if keep], default=surest)
    # A hair more, so that rounding does not lose the column that is the cut itself.
    columns = [d.at_least_as_sure(max(cut, surest) * (1 + 1e-9)) for d in drift.columns]
    return replace(drift, columns=columns)


def drift_signal(drift: Drift, reference: str) -> Signal:
    """Return the signal of all columns: it fires when one of them moved."""
    moved = [d.column for d in drift.columns if d.moved]
    share = len(moved) / max(1, len(drift.columns))
    shown = f": {'; '.join(map(in_words, moved[:5]))}" if moved else ""
    text = f"{len(moved)} of {len(drift.columns)} columns moved compared with {reference}{shown}"
    p = min((d.p_value for d in drift.columns), default=1.0)
    return Signal(
        name="drift",
        kind=DRIFT,
        value=share,
        expected=0.0,
        limit=0.0,
        p_value=p,
        fires=bool(moved),
        text=text,
    )
