"""The evidence of one period: everything a person or the governor needs, and nothing decided."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.cleaning import estimate_demand
from invopt.config import MonitoringConfig
from invopt.feeds import locations_of
from invopt.monitoring.causes import (
    Affected,
    Cause,
    affected,
    excess_cost,
    known_events,
    likely_causes,
)
from invopt.monitoring.changes import bands, estimated_error, performance_signals, totals, trend
from invopt.monitoring.columns import drift_of, drift_signal
from invopt.monitoring.drift import Drift
from invopt.monitoring.earlier import (
    Seen,
    closed_by_all,
    closed_weekdays,
    overdue_signals,
    rewritten_past,
)
from invopt.monitoring.folding import Finding, findings_of, folded
from invopt.monitoring.known_ahead import explained, known_plans
from invopt.monitoring.late import all_closed, awaited, none_came
from invopt.monitoring.performance import series_outcomes
from invopt.monitoring.quality import data_signals
from invopt.monitoring.sampling import sample_series, sampled
from invopt.monitoring.serving_health import Served, serving_signals
from invopt.monitoring.signals import PERFORMANCE, Signal
from invopt.monitoring.subject import IN_SAMPLE, Subject, history_of
from invopt.panel import Panel
from invopt.types import FloatArray, IntArray, Notify

TREND = 12  # periods
_JUDGED = 10  # rows that a series costs, of those a report looks at
_TABLES = ("findings", "causes", "locations", "products")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One period's evidence.

    Attributes:
        start: First day of the period (ISO date).
        end: First day of its last period, by which it is known.
        last_day: Its last day: weeks and months go on after `end`.
        conclusive: False when too little is known.
        why_not: Why not.
        signals: Everything looked at, fired or not.
        drift: Of the columns; None when nothing could be compared.
        reference: What columns were compared with.
        trend: The last periods.
        findings: One by cause: what it is, since when, how much, until when.
        bands: By column of the trend, between which values the period would be quiet.
        causes: What moved, by money.
        locations: That cost most above plan.
        products: That cost most above plan.
        events: Of the calendar, in the period and the next.
        plans: What was planned for the period and is unusual: closures, openings, promotions.
        notes: What a reader should know about the evidence itself.
        num_series: Judged.
        num_sampled: Looked at for drift.
        new_periods: Since the champion's training.
        new_data: The same in words, such as "28 days".
        age_days: The same in days.
        length: Of the period, in words.
        excess_cost: Money above plan of the latest priced decisions.
        records: By cutoff and location, to be kept for the next time.
    """

    start: str
    end: str
    last_day: str
    conclusive: bool
    why_not: str
    signals: list[Signal]
    drift: Drift | None = field(repr=False)
    reference: str
    trend: list[dict[str, Any]]
    findings: list[Finding]
    bands: dict[str, list[float]]
    causes: list[Cause]
    locations: list[Affected]
    products: list[Affected]
    events: list[dict[str, str]]
    plans: list[str]
    notes: list[str]
    num_series: int
    num_sampled: int
    new_periods: int
    new_data: str
    age_days: int
    length: str
    excess_cost: float
    records: pd.DataFrame = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, arrays and records left out."""
        left_out = ("signals", "drift", "records", *_TABLES)
        plain = {k: v for k, v in vars(self).items() if k not in left_out}
        lists = {n: [asdict(v) for v in getattr(self, n)] for n in _TABLES}
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
    seen: Seen | None = None,
    calendar: pd.DataFrame | None = None,
    notify: Notify = lambda _: None,
) -> Evidence:
    """Return the evidence of a panel's last monitoring period.

    Where data of the period after it are overdue it is that one's: its error is estimated, and
    nothing is concluded.

    Args:
        subject: The champion and what belongs to it.
        panel: Cleaned, with derived channels.
        config: Limits.
        quality: What ingest found.
        served: What the prediction log says of the period.
        known: Records of earlier runs, by this champion or those before; not computed again.
        seen: How far the data reached when they were read before.
        calendar: Days that locations are closed, as planning reads them; None without one.
        notify: Called with a line of progress.
    """
    overdue = overdue_signals(
        panel.timeline, seen, config.period, closed_weekdays(panel), closed_by_all(panel, calendar)
    )
    panel = awaited(panel, seen, config.period) if overdue else panel
    cutoff = panel.num_periods - 1 - config.period
    start, end = max(0, cutoff + 1), panel.num_periods - 1
    line = panel.timeline
    days = line.date(start), line.date(end), line.last_day(end)
    dates = f"{days[0]:%Y-%m-%d}", f"{days[1]:%Y-%m-%d}", f"{days[2]:%Y-%m-%d}"
    signals = data_signals(
        panel, config, features=subject.channels, silent=subject.silent, quality=quality
    )
    signals += [*overdue, *serving_signals(served, config)]
    gone = any(s.name == "column_gone" for s in signals)
    if cutoff < subject.first_cutoff or gone:
        why = (
            "the model cannot forecast without the columns that are gone" if gone
            else f"the model needs {panel.timeline.spell(subject.first_cutoff + 1)} of data before "
            "it can be judged"
        )  # fmt: skip
        return _blind(dates, why, signals, panel=panel, subject=subject, first=start, config=config)
    judged = sampled(panel, config.max_rows // _JUDGED, config.seed)
    if judged.num_series == panel.num_series:
        signals += rewritten_past(panel, known, config)
    records = history_of(subject, judged, config, known)
    notify(f"compared {records['cutoff'].nunique()} past forecasts with actuals")
    latest = totals(records).iloc[-1]
    observed = int(latest["observed"])
    known_ahead = known_plans(judged, calendar, config)
    signals += performance_signals(records, config)
    late = estimated_error(records, config)
    signals += [late] if late else []
    notes = _notes(records, judged, panel)
    drift, reference = None, "nothing"
    if not none_came(panel, config.period):  # columns of sales that are not there move by that
        drift, reference = drift_of(subject, panel, config, notify)
    if drift is not None:
        signals.append(drift_signal(drift, reference))
    signals = explained(signals, known_ahead, subject, judged, records, config)
    why_not = ""
    if all_closed(judged, config.period):
        why_not = "every location is closed by the calendar in the whole period"
    elif observed < config.min_rows:
        why_not = f"{observed} series-periods with actuals, {config.min_rows} are needed"
    elif records["cutoff"].nunique() <= config.min_history:
        why_not = f"no reference yet: {records['cutoff'].nunique()} earlier periods"
    return _told(
        subject,
        panel,
        judged,
        config=config,
        dates=dates,
        why_not=why_not,
        signals=signals,
        drift=drift,
        reference=reference,
        records=records,
        notes=notes,
        plans=[each.text for each in known_ahead],
    )


def _notes(records: pd.DataFrame, judged: Panel, panel: Panel) -> list[str]:
    notes = []
    earlier = records.loc[records[IN_SAMPLE], "cutoff"].nunique()
    if earlier:
        notes.append(
            f"{earlier} of {records['cutoff'].nunique()} periods of the history lie in what the "
            "champion was trained on; errors on those periods are slightly optimistic"
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
    dates: tuple[str, str, str],
    why_not: str,
    signals: Sequence[Signal],
    drift: Drift | None,
    reference: str,
    records: pd.DataFrame,
    notes: list[str],
    plans: list[str],
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
        for s in folded(signals, records, config)
    ]
    shown = trend(records, TREND)
    rows: IntArray = np.arange(0)
    if drift is not None:
        sample = sample_series(panel, len(drift.current), config.seed)
        rows = pd.Index(judged.unique_ids).get_indexer(pd.Index(panel.unique_ids[sample]))
    by_sample = np.where(rows >= 0, excess[rows], 0.0) if len(rows) else np.zeros(0)
    first, since = last + 1, panel.num_periods - subject.trained_stop
    since -= config.period if none_came(panel, config.period) else 0
    return Evidence(
        start=dates[0], end=dates[1], last_day=dates[2], conclusive=not why_not, why_not=why_not,
        signals=valued, drift=drift, reference=reference, trend=shown,
        findings=findings_of(valued, judged, latest), bands=bands(valued, shown),
        causes=likely_causes(valued, None if _is_explained(signals) else drift, by_sample),
        locations=affected(judged, "location", latest, excess),
        products=affected(judged, "product", latest, excess),
        events=known_events(panel, first, panel.num_periods + config.period),
        plans=plans, notes=notes,
        num_series=judged.num_series, num_sampled=0 if drift is None else len(drift.current),
        new_periods=since, new_data=panel.timeline.spell(since),
        age_days=_days(panel, subject, since), length=panel.timeline.spell(config.period),
        excess_cost=money, records=records,
    )  # fmt: skip


def _is_explained(signals: Sequence[Signal]) -> bool:
    return any(s.name == "drift" and s.explained for s in signals)


def _sums(names: npt.NDArray[np.str_], values: FloatArray) -> tuple[list[str], list[float]]:
    """Return each name once and the sum of its values."""
    unique, codes = np.unique(names, return_inverse=True)
    return [str(n) for n in unique], [float(v) for v in np.bincount(codes, values)]


def _days(panel: Panel, subject: Subject, since: int) -> int:
    """Return the days of a number of periods since the champion's training."""
    first, stop = (panel.timeline.date(subject.trained_stop + n) for n in (0, since))
    return int((stop - first).days)


def _place(signal: Signal) -> str:
    """Return the location a signal is about, "" when it is about the whole."""
    return signal.name.partition(" at ")[2]


def _blind(
    dates: tuple[str, str, str],
    why: str,
    signals: list[Signal],
    panel: Panel,
    subject: Subject,
    first: int,
    config: MonitoringConfig,
) -> Evidence:
    """Return the evidence when the model could not be asked."""
    since = panel.num_periods - subject.trained_stop
    return Evidence(
        start=dates[0], end=dates[1], last_day=dates[2], conclusive=False, why_not=why,
        signals=signals, drift=None, reference="nothing", trend=[],
        findings=findings_of(signals), bands={},
        causes=likely_causes(signals, None, np.zeros(0)), locations=[], products=[],
        events=known_events(panel, first, panel.num_periods), plans=[], notes=[],
        num_series=panel.num_series,
        num_sampled=0, new_periods=since, new_data=panel.timeline.spell(since),
        age_days=_days(panel, subject, since), length=panel.timeline.spell(config.period),
        excess_cost=0.0, records=pd.DataFrame(),
    )  # fmt: skip
