"""The evidence of one period: everything a person or the governor needs, and nothing decided."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.cleaning import estimate_demand
from invopt.config import MonitoringConfig
from invopt.evaluation import Forecasts
from invopt.monitoring.causes import (
    Affected,
    Cause,
    affected,
    excess_cost,
    known_events,
    likely_causes,
)
from invopt.monitoring.changes import estimated_error, performance_signals, totals, trend
from invopt.monitoring.drift import Drift, PeriodTable, column_drift, periods_needed
from invopt.monitoring.performance import (
    Scoring,
    locations_of,
    performance_records,
    series_outcomes,
)
from invopt.monitoring.quality import data_signals
from invopt.monitoring.sampling import sample_series, sampled
from invopt.monitoring.serving_health import Served, serving_signals
from invopt.monitoring.signals import DRIFT, PERFORMANCE, Signal, rejected
from invopt.panel import UNOBSERVED, Panel

_TREND = 12
_JUDGED = 10  # rows that a series costs, of those a report looks at
_RECOMPUTED = 4  # latest records computed again: actuals may have come late, or been corrected
TARGET, PREDICTION = "sales", "forecast"
Notify = Callable[[str], None]


class Features(Protocol):
    """What a model sees of every series of a panel at the end of some periods."""

    def __call__(
        self, panel: Panel, cutoffs: list[int]
    ) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
        """Return column names and (cutoff, series, column) values."""


@dataclass(frozen=True)
class Subject:
    """What is judged.

    Attributes:
        forecasts: The champion.
        features: Its inputs.
        scoring: Costs and length of a period.
        channels: That it was trained with, by name.
        first_cutoff: First period its inputs can be made for.
        trained_stop: Periods it learned from.
    """

    forecasts: Forecasts = field(repr=False)
    features: Features = field(repr=False)
    scoring: Scoring = field(repr=False)
    channels: tuple[str, ...]
    first_cutoff: int
    trained_stop: int


@dataclass(frozen=True)
class Evidence:
    """One period's evidence.

    Attributes:
        start: First day of the period (ISO date).
        end: Last day.
        conclusive: False when too little is known.
        why_not: Why not.
        signals: Everything looked at, fired or not.
        drift: Of the columns; None when nothing could be compared.
        reference: What columns were compared with.
        trend: The last periods.
        causes: What moved, by money.
        locations: That cost most above plan.
        products: That cost most above plan.
        events: Of the calendar, in the period and the next.
        notes: What a reader should know about the evidence itself.
        num_series: Judged.
        num_sampled: Looked at for drift.
        new_periods: Since the champion's training.
        excess_cost: Money above plan of the latest priced decisions.
        records: By cutoff and location, to be kept for the next time.
    """

    start: str
    end: str
    conclusive: bool
    why_not: str
    signals: list[Signal]
    drift: Drift | None = field(repr=False)
    reference: str
    trend: list[dict[str, Any]]
    causes: list[Cause]
    locations: list[Affected]
    products: list[Affected]
    events: list[dict[str, str]]
    notes: list[str]
    num_series: int
    num_sampled: int
    new_periods: int
    excess_cost: float
    records: pd.DataFrame = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, arrays and records left out."""
        left_out = ("signals", "drift", "records", "causes", "locations", "products")
        plain = {k: v for k, v in vars(self).items() if k not in left_out}
        lists = {
            n: [asdict(v) for v in getattr(self, n)] for n in ("causes", "locations", "products")
        }
        columns = [asdict(d) for d in self.drift.columns] if self.drift else []
        unusable = dict(self.drift.unusable) if self.drift else {}
        return {
            **plain, **lists, "signals": [s.as_dict() for s in self.signals],
            "drift": columns, "unusable": unusable,
        }  # fmt: skip


def gather_evidence(
    subject: Subject,
    panel: Panel,
    config: MonitoringConfig,
    *,
    quality: Mapping[str, Any] | None = None,
    served: Served | None = None,
    known: pd.DataFrame | None = None,
    notify: Notify = lambda _: None,
) -> Evidence:
    """Return the evidence of a panel's last monitoring period.

    Args:
        subject: The champion and what belongs to it.
        panel: Cleaned, with derived channels.
        config: Limits.
        quality: What ingest found.
        served: What the prediction log says of the period.
        known: Records of an earlier run with the same champion; they are not computed again.
        notify: Called with a line of progress.
    """
    cutoff = panel.num_periods - 1 - config.period
    start, end = max(0, cutoff + 1), panel.num_periods - 1
    dates = f"{panel.timeline.date(start):%Y-%m-%d}", f"{panel.timeline.date(end):%Y-%m-%d}"
    signals = data_signals(panel, config, features=subject.channels, quality=quality)
    signals += serving_signals(served, config)
    gone = any(s.name == "column_gone" for s in signals)
    if cutoff < subject.first_cutoff or gone:
        why = (
            "the model cannot forecast without the columns that are gone" if gone
            else f"the model needs {subject.first_cutoff + 1} periods before it can be judged"
        )  # fmt: skip
        return _blind(dates, why, signals, panel, subject, start)
    judged = sampled(panel, config.max_rows // _JUDGED, config.seed)
    records = history_of(subject, judged, config, known)
    notify(f"forecasts of {records['cutoff'].nunique()} periods beside what came true")
    latest = totals(records).iloc[-1]
    seen = int(latest["observed"])
    signals += performance_signals(records, config)
    late = estimated_error(records, config)
    signals += [late] if late else []
    notes = _notes(subject, records, judged, panel)
    drift, reference = _drift(subject, panel, config, notify)
    if drift is not None:
        drift = discoveries(drift, config)
        signals.append(drift_signal(drift, reference))
    why_not = ""
    if seen < config.min_rows:
        why_not = f"{seen} series-periods with actuals, {config.min_rows} are needed"
    elif records["cutoff"].nunique() <= config.min_history:
        why_not = f"no reference yet: {records['cutoff'].nunique()} earlier periods"
    return _told(
        subject, panel, judged, config, dates, why_not, signals, drift, reference, records, notes
    )


def history_of(
    subject: Subject, panel: Panel, config: MonitoringConfig, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the records of the last period and those before it, as far back as is looked.

    Args:
        subject: The champion.
        panel: Series to judge.
        config: How many periods.
        known: Records that need not be computed again; those of other days or places are not used.
    """
    last = panel.num_periods - 1 - config.period
    first = max(subject.first_cutoff, last - config.history * config.period)
    cutoffs = list(range(last, first - 1, -config.period))[::-1]
    kept = []
    if known is not None and len(known):
        settled = {panel.timeline.date(c + 1): c for c in cutoffs[:-_RECOMPUTED]}
        usable = known[known["start"].isin(list(settled)) & known["cost"].notna()]
        if set(usable["location"]) == set(locations_of(panel).astype(str)):
            usable = usable.assign(cutoff=usable["start"].map(settled))
            kept = [usable]
            done = set(usable["cutoff"])
            cutoffs = [c for c in cutoffs if c not in done]
    fresh = performance_records(subject.forecasts, panel, cutoffs, subject.scoring)
    return pd.concat([*kept, fresh], ignore_index=True).sort_values(
        ["cutoff", "location"], ignore_index=True
    )


def _drift(
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
    return column_drift(table, reference, config), reference


def _outcome(
    subject: Subject, panel: Panel, cutoff: int, config: MonitoringConfig
) -> npt.NDArray[np.float64]:
    """Return (series, 2): log of sales and of forecasts per period, after a cutoff."""
    target = slice(cutoff + 1, cutoff + 1 + config.period)
    seen = (np.asarray(panel.flags[:, target]) & UNOBSERVED) == 0
    sold = np.where(seen, panel.y[:, target], 0).sum(axis=1)
    count = seen.sum(axis=1)
    sales = np.divide(sold, count, out=np.full(len(sold), np.nan), where=count > 0)
    mean = subject.forecasts.predict(panel, cutoff).mean[:, : config.period].mean(axis=1)
    return np.log1p(np.maximum(np.column_stack([sales, mean]), 0))


def discoveries(drift: Drift, config: MonitoringConfig) -> Drift:
    """Return the drift with columns calmed that the false-discovery rate does not allow."""
    kept = rejected([d.p_value for d in drift.columns], config.false_discovery_rate)
    columns = [
        replace(d, moved=d.moved and keep) for d, keep in zip(drift.columns, kept, strict=True)
    ]
    return replace(drift, columns=columns)


def drift_signal(drift: Drift, reference: str) -> Signal:
    """Return the signal of all columns: it fires when one of them moved."""
    moved = [d.column for d in drift.columns if d.moved]
    share = len(moved) / max(1, len(drift.columns))
    shown = f": {', '.join(moved[:5])}" if moved else ""
    text = f"{len(moved)} of {len(drift.columns)} columns moved against {reference}{shown}"
    p = min((d.p_value for d in drift.columns), default=1.0)
    return Signal("drift", DRIFT, share, 0.0, 0.0, p, bool(moved), text)


def _notes(subject: Subject, records: pd.DataFrame, judged: Panel, panel: Panel) -> list[str]:
    notes = []
    earlier = int((records["cutoff"].drop_duplicates() + 1 < subject.trained_stop).sum())
    if earlier:
        notes.append(
            f"{earlier} of {records['cutoff'].nunique()} periods of the history lie in what the "
            "champion was trained on; its usual error is a little too good there"
        )
    if judged.num_series < panel.num_series:
        notes.append(
            f"{judged.num_series:,} of {panel.num_series:,} series were judged, a stratified sample"
        )
    return notes


def _told(
    subject: Subject,
    panel: Panel,
    judged: Panel,
    config: MonitoringConfig,
    dates: tuple[str, str],
    why_not: str,
    signals: Sequence[Signal],
    drift: Drift | None,
    reference: str,
    records: pd.DataFrame,
    notes: list[str],
) -> Evidence:
    last = panel.num_periods - 1 - config.period
    whole = totals(records)
    priced = whole[whole["cost"].notna() & (whole["planned_cost"] > 0)]
    usual = (
        float((priced["cost"] / priced["planned_cost"]).iloc[:-1].median())
        if len(priced) > 1
        else 1.0
    )
    excess = np.zeros(judged.num_series)
    demand = estimate_demand(judged)
    latest = series_outcomes(
        subject.forecasts.predict(judged, last), judged, demand, last, subject.scoring
    )
    if len(priced):
        at = int(priced["cutoff"].iloc[-1])
        outcomes = series_outcomes(
            subject.forecasts.predict(judged, at), judged, demand, at, subject.scoring
        )
        excess = excess_cost(outcomes, usual)
    money = float(excess.sum())
    places = dict(zip(*_sums(locations_of(judged).astype(str), excess), strict=True))
    valued = [
        replace(s, effect=money if s.kind == PERFORMANCE else places.get(_place(s), 0.0))
        for s in signals
    ]
    rows: npt.NDArray[np.int64] = np.arange(0)
    if drift is not None:
        sample = sample_series(panel, len(drift.current), config.seed)
        rows = pd.Index(judged.unique_ids).get_indexer(pd.Index(panel.unique_ids[sample]))
    by_sample = np.where(rows >= 0, excess[rows], 0.0) if len(rows) else np.zeros(0)
    first = last + 1
    return Evidence(
        *dates, not why_not, why_not, valued, drift, reference, trend(records, _TREND),
        likely_causes(valued, drift, by_sample), affected(judged, "location", latest, excess),
        affected(judged, "product", latest, excess),
        known_events(panel, first, panel.num_periods + config.period), notes,
        judged.num_series, 0 if drift is None else len(drift.current),
        panel.num_periods - subject.trained_stop, money, records,
    )  # fmt: skip


def _sums(
    names: npt.NDArray[np.str_], values: npt.NDArray[np.float64]
) -> tuple[list[str], list[float]]:
    """Return each name once and the sum of its values."""
    unique, codes = np.unique(names, return_inverse=True)
    return [str(n) for n in unique], [float(v) for v in np.bincount(codes, values)]


def _place(signal: Signal) -> str:
    """Return the location a signal is about, "" when it is about the whole."""
    return signal.name.partition(" at ")[2]


def _blind(
    dates: tuple[str, str],
    why: str,
    signals: list[Signal],
    panel: Panel,
    subject: Subject,
    first: int,
) -> Evidence:
    """Return the evidence when the model could not be asked."""
    return Evidence(
        *dates, False, why, signals, None, "nothing", [], likely_causes(signals, None, np.zeros(0)),
        [], [], known_events(panel, first, panel.num_periods), [], panel.num_series, 0,
        panel.num_periods - subject.trained_stop, 0.0, pd.DataFrame(),
    )  # fmt: skip
