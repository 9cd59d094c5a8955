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
from invopt.monitoring.carried import narrowed
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
from invopt.monitoring.deliveries import delivery_signals
from invopt.monitoring.drift import Drift
from invopt.monitoring.earlier import (
    Seen,
    closed_by_all,
    closed_weekdays,
    overdue_signals,
    rewritten_past,
)
from invopt.monitoring.folding import Finding, findings_of, folded
from invopt.monitoring.known_ahead import Known, explained, known_plans, without_faulty
from invopt.monitoring.late import all_closed, awaited, none_came
from invopt.monitoring.payback import avoidable_cost, per_period
from invopt.monitoring.performance import series_outcomes
from invopt.monitoring.quality import data_signals
from invopt.monitoring.sampling import sample_series, sampled
from invopt.monitoring.serving_health import Served, serving_signals
from invopt.monitoring.signals import DATA, PERFORMANCE, Signal
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
        avoidable_cost: Money a period that a model which had learned what is seen would save; None
            where no model could be asked, or the data have a fault.
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
    avoidable_cost: float | None
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


@dataclass(frozen=True, kw_only=True)
class Reports:
    """What other programs say of the period, and of those before it; None where they say nothing.

    Attributes:
        quality: What ingest found.
        served: What the prediction log says of the period.
        known: Records of earlier runs, by this champion or those before; not computed again.
        seen: How far the data reached when they were read before.
        calendar: Days that locations are closed, as planning reads them.
        receipts: Deliveries of suppliers, as planning reads them.
    """

    quality: Mapping[str, Any] | None = None
    served: Served | None = None
    known: pd.DataFrame | None = field(default=None, repr=False)
    seen: Seen | None = None
    calendar: pd.DataFrame | None = field(default=None, repr=False)
    receipts: pd.DataFrame | None = field(default=None, repr=False)


def gather_evidence(
    subject: Subject,
    panel: Panel,
    config: MonitoringConfig,
    reports: Reports | None = None,
    notify: Notify = lambda _: None,
) -> Evidence:
    """Return the evidence of a panel's last monitoring period.

    Where data of the period after it are overdue it is that one's: its error is estimated, and
    nothing is concluded.

    Args:
        subject: The champion and what belongs to it.
        panel: Cleaned, with derived channels.
        config: Limits.
        reports: What other programs say; none by default.
        notify: Called with a line of progress.
    """
    reports = reports or Reports()
    weekdays, days = closed_weekdays(panel), closed_by_all(panel, reports.calendar)
    overdue = overdue_signals(panel.timeline, reports.seen, config.period, weekdays, days)
    panel = awaited(panel, reports.seen, config.period) if overdue else panel
    signals = data_signals(
        panel, config, features=subject.channels, silent=subject.silent, quality=reports.quality
    )
    signals += [*overdue, *serving_signals(reports.served, config)]
    period = _Period(subject, panel, config)
    signals += delivery_signals(reports.receipts, panel.series, period.last_day, config)
    blind = _why_blind(period, signals)
    if blind:
        return _blind(period, blind, signals)
    return _assembled(period, _looked_at(period, signals, reports, notify))


@dataclass(frozen=True)
class _Period:
    """The monitoring period that a panel ends with, of a champion."""

    subject: Subject
    panel: Panel
    config: MonitoringConfig

    @property
    def cutoff(self) -> int:
        """Last period of the data before it; negative where they are shorter."""
        return self.panel.num_periods - 1 - self.config.period

    @property
    def first(self) -> int:
        """Its first period of the data."""
        return max(0, self.cutoff + 1)

    @property
    def last_day(self) -> pd.Timestamp:
        """Its last day."""
        return self.panel.timeline.last_day(self.panel.num_periods - 1)

    @property
    def dates(self) -> tuple[str, str, str]:
        """First day, first day of its last period of the data, last day (ISO)."""
        line, end = self.panel.timeline, self.panel.num_periods - 1
        days = line.date(self.first), line.date(end), self.last_day
        return f"{days[0]:%Y-%m-%d}", f"{days[1]:%Y-%m-%d}", f"{days[2]:%Y-%m-%d}"


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What was seen of a period, before its money is told."""

    judged: Panel
    records: pd.DataFrame
    signals: list[Signal]
    drift: Drift | None
    reference: str
    plans: list[Known]
    known: dict[str, str]

    def why_not(self, config: MonitoringConfig) -> str:
        """Return why nothing is concluded, "" where something is."""
        observed = int(totals(self.records).iloc[-1]["observed"])
        earlier = self.records["cutoff"].nunique()
        if all_closed(self.judged, config.period):
            return "every location is closed by the calendar in the whole period"
        if observed < config.min_rows:
            return f"{observed} series-periods with actuals, {config.min_rows} are needed"
        if earlier <= config.min_history:
            return f"no reference yet: {earlier} earlier periods"
        return ""


def _why_blind(period: _Period, signals: Sequence[Signal]) -> str:
    """Return why the champion cannot be judged at all, "" where it can."""
    if any(s.name == "column_gone" for s in signals):
        return "the model cannot forecast without the columns that are gone"
    first = period.subject.first_cutoff
    if period.cutoff < first:
        needed = period.panel.timeline.spell(first + 1)
        return f"the model needs {needed} of data before it can be judged"
    return ""


def _looked_at(period: _Period, signals: list[Signal], reports: Reports, notify: Notify) -> _Found:
    """Compare past forecasts with actuals, and columns with those of a year ago."""
    subject, panel, config = period.subject, period.panel, period.config
    judged = sampled(panel, config.max_rows // _JUDGED, config.seed)
    signals = list(signals)
    if judged.num_series == panel.num_series:
        signals += rewritten_past(panel, reports.known, config)
    records = history_of(subject, judged, config, reports.known)
    notify(f"compared {records['cutoff'].nunique()} past forecasts with actuals")
    plans = known_plans(judged, reports.calendar, config)
    signals += performance_signals(records, config)
    late = estimated_error(records, config)
    signals += [late] if late else []
    drift, reference = None, "nothing"
    if not none_came(panel, config.period):  # columns of sales that are not there move by that
        drift, reference = drift_of(subject, panel, config, notify)
    if drift is not None:
        signals.append(drift_signal(drift, reference))
    signals = explained(signals, plans, subject, judged, records=records, config=config)
    signals, known = without_faulty(signals, subject, judged, records, config)
    return _Found(judged=judged, records=records, signals=signals, drift=drift,
                  reference=reference, plans=plans, known=known)  # fmt: skip


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


def _assembled(period: _Period, found: _Found) -> Evidence:
    """Return what was seen as evidence, with what it costs by place and product."""
    subject, panel, config = period.subject, period.panel, period.config
    judged, records, drift = found.judged, found.records, found.drift
    money = _money(period, found)
    latest, excess = money.latest, money.excess
    valued = narrowed(
        _valued(found, excess, config), judged, _sound(latest, judged, found.signals), config.period
    )
    shown = trend(records, TREND)
    since = panel.num_periods - subject.trained_stop
    since -= config.period if none_came(panel, config.period) else 0
    start, end, last_day = period.dates
    why_not = found.why_not(config)
    cause = None if _is_explained(found.signals) else drift
    return Evidence(
        start=start, end=end, last_day=last_day, conclusive=not why_not, why_not=why_not,
        signals=valued, drift=drift, reference=found.reference, trend=shown,
        findings=findings_of(valued, judged, latest), bands=bands(valued, shown),
        causes=likely_causes(valued, cause, _by_sample(period, found, excess)),
        locations=affected(judged, "location", latest, excess),
        products=affected(judged, "product", latest, excess),
        events=known_events(panel, period.cutoff + 1, panel.num_periods + config.period),
        plans=[each.text for each in found.plans], notes=_notes(records, judged, panel),
        num_series=judged.num_series, num_sampled=0 if drift is None else len(drift.current),
        new_periods=since, new_data=panel.timeline.spell(since),
        age_days=_days(panel, subject, since), length=panel.timeline.spell(config.period),
        excess_cost=float(excess.sum()),
        avoidable_cost=None if _is_spoilt(valued) else money.avoidable,
        records=records,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Money:
    """What a period's decisions came to, beside what they would have with what is known now."""

    latest: pd.DataFrame
    excess: FloatArray
    avoidable: float


def _money(period: _Period, found: _Found) -> _Money:
    """Return the period's outcomes, and the money above plan of the latest priced orders."""
    subject, judged, scoring = period.subject, found.judged, period.subject.scoring
    whole = totals(found.records)
    priced = whole[whole["cost"].notna() & (whole["planned_cost"] > 0)]
    demand = estimate_demand(judged)
    forecast = subject.forecasts.predict(judged, period.cutoff)
    latest = series_outcomes(forecast, judged, demand, period.cutoff, scoring)
    excess = np.zeros(judged.num_series)
    if len(priced):
        ratios = (priced["cost"] / priced["planned_cost"]).iloc[:-1]
        usual = float(ratios.median()) if len(ratios) else 1.0
        at = int(priced["cutoff"].iloc[-1])
        before = subject.forecasts.predict(judged, at)
        excess = excess_cost(series_outcomes(before, judged, demand, at, scoring), usual)
    # What was lost and what the next orders lose are two views of one cause: the larger one counts,
    # and of all series.
    ahead = avoidable_cost(forecast, latest, locations_of(judged).astype(str), scoring)
    avoidable = max(per_period(excess, scoring), ahead)
    share = period.panel.num_series / judged.num_series
    return _Money(latest=latest, excess=excess, avoidable=avoidable * share)


def _valued(found: _Found, excess: FloatArray, config: MonitoringConfig) -> list[Signal]:
    """Return the signals folded into one by cause, each with the money of where it is."""
    money = float(excess.sum())
    places = dict(zip(*_sums(locations_of(found.judged).astype(str), excess), strict=True))
    return [
        replace(s, effect=money if s.kind == PERFORMANCE else places.get(_place(s), 0.0))
        for s in folded(found.signals, found.records, config, found.known)
    ]


def _sound(outcomes: pd.DataFrame, panel: Panel, signals: Sequence[Signal]) -> pd.DataFrame:
    """Return the outcomes, those of series that a fault of the data is of as not observed."""
    faulty = {name for s in signals if s.fires and s.kind == DATA for name in s.series}
    bad = np.isin(panel.unique_ids.astype(str), list(faulty))
    return outcomes.assign(observed=np.where(bad, 0, outcomes["observed"])) if faulty else outcomes


def _by_sample(period: _Period, found: _Found, excess: FloatArray) -> FloatArray:
    """Return the money of each series whose columns were compared; 0 for those not judged."""
    if found.drift is None:
        return np.zeros(0)
    panel = period.panel
    sample = sample_series(panel, len(found.drift.current), period.config.seed)
    judged = pd.Index(found.judged.unique_ids)
    rows: IntArray = judged.get_indexer(pd.Index(panel.unique_ids[sample]))
    return np.where(rows >= 0, excess[rows], 0.0) if len(rows) else np.zeros(0)


def _is_spoilt(signals: Sequence[Signal]) -> bool:
    """Return whether the data have a fault, so that no model could save what they seem to cost."""
    return any(s.fires and s.kind == DATA and (s.pages or s.spoils) for s in signals)


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


def _blind(period: _Period, why: str, signals: list[Signal]) -> Evidence:
    """Return the evidence when the model could not be asked."""
    panel, subject, config = period.panel, period.subject, period.config
    since = panel.num_periods - subject.trained_stop
    start, end, last_day = period.dates
    return Evidence(
        start=start, end=end, last_day=last_day, conclusive=False, why_not=why,
        signals=signals, drift=None, reference="nothing", trend=[],
        findings=findings_of(signals), bands={},
        causes=likely_causes(signals, None, np.zeros(0)), locations=[], products=[],
        events=known_events(panel, period.first, panel.num_periods), plans=[], notes=[],
        num_series=panel.num_series,
        num_sampled=0, new_periods=since, new_data=panel.timeline.spell(since),
        age_days=_days(panel, subject, since), length=panel.timeline.spell(config.period),
        excess_cost=0.0, avoidable_cost=None, records=pd.DataFrame(),
    )  # fmt: skip
