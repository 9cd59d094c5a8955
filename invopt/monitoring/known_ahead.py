"""What is known ahead, and what it explains: closures, openings, promotions, moved holidays.

A finding that is there with the days known from plans, and gone without them, is no finding. It
is judged twice with the same limits: a change beside the plan still shows in what the plan leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch

import numpy as np
import pandas as pd

from invopt.closures import closed_shares, unusually_closed
from invopt.config import MonitoringConfig
from invopt.evaluation import Forecasts
from invopt.feeds import locations_of, span_of
from invopt.forecasts import ForecastArrays
from invopt.monitoring.causes import EVENTS
from invopt.monitoring.changes import performance_signals
from invopt.monitoring.performance import performance_records
from invopt.monitoring.signals import DATA, DRIFT, PERFORMANCE, SUPPLY, Signal
from invopt.monitoring.subject import IN_SAMPLE, Subject
from invopt.panel import Channel, Flag, Panel
from invopt.types import BoolArray

_LOOKED = 2  # monitoring periods that a change is looked for in
_JUDGED_AGAIN = 3  # cutoffs whose outcomes, costs included, reach into them
_FAULTY_AGAIN = 5  # the same for series with a fault, of which costs come later
_YOUNG = 4  # monitoring periods after which an opened place is like the others
_USUAL = 12  # monitoring periods that the usual share of promotions is read from
_MORE = 0.1  # share of product-days on promotion, above the usual, that is told
_CLOSED = 0.1  # share of a period longer than a day
_NAMED = 3
_MOST = 0.9  # share of the observations that leaves a limit as it is


@dataclass(frozen=True)
class Known:
    """One kind of thing the plans say of the latest periods.

    Attributes:
        text: What, where and when.
        hidden: (series, periods) of the latest two monitoring periods that are not judged.
        moved: True where a year before says nothing of this season: a holiday that moved.
    """

    text: str
    hidden: BoolArray = field(repr=False)
    moved: bool = False


def known_plans(
    panel: Panel, calendar: pd.DataFrame | None, config: MonitoringConfig
) -> list[Known]:
    """Return what the plans say of a panel's last monitoring period, unusual things only.

    Args:
        panel: Cleaned.
        calendar: Days that locations are closed, as planning reads them.
        config: Length of a period.
    """
    span = _LOOKED * config.period
    if panel.num_periods <= span:
        return []
    found = [
        _closures(panel, calendar, config.period),
        _openings(panel, config.period),
        _promotions(panel, config.period),
        _moved_events(panel, config.period),
    ]
    return [known for known in found if known is not None]


def explained(
    signals: Sequence[Signal],
    known: Sequence[Known],
    subject: Subject,
    panel: Panel,
    records: pd.DataFrame,
    config: MonitoringConfig,
) -> list[Signal]:
    """Return the signals, those calmed that only the plans' days make fire, each with the plan.

    Args:
        signals: Of the last monitoring period.
        known: As known_plans returns it, of the same series.
        subject: The champion.
        panel: Series that were judged.
        records: Their history, the last period included.
        config: Limits.
    """
    kinds = (PERFORMANCE, SUPPLY, DRIFT)
    if not known or not any(s.fires and s.kind in kinds for s in signals):
        return list(signals)
    again = {s.name for s in _judged_again(known, subject, panel, records, config)}
    why = "; ".join(k.text for k in known)
    found = [
        _calmed(s, why)
        if s.fires and s.kind in kinds and s.name not in again and s.name != "drift"
        and not s.estimated else s
        for s in signals
    ]  # fmt: skip
    left = any(s.fires and s.kind in kinds and s.name != "drift" for s in found)
    # Columns hold the plan's days too; where forecasts and sales agree, they tell nothing more.
    return [_calmed(s, why) if s.name == "drift" and s.fires and not left else s for s in found]


def without_faulty(
    signals: Sequence[Signal],
    subject: Subject,
    panel: Panel,
    records: pd.DataFrame,
    config: MonitoringConfig,
) -> tuple[list[Signal], dict[str, str]]:
    """Return the signals, and those that fire only by series of which a fault is known.

    The latest periods are judged again without these series, as without days that plans explain.
    What still fires is returned with the numbers of the other series; what does not follows from
    the fault, whose name stands beside its own.

    Args:
        signals: Of the last monitoring period; faults name their series.
        subject: The champion.
        panel: Series that were judged.
        records: Their history, the last period included.
        config: Limits.
    """
    kinds = (PERFORMANCE, SUPPLY, DRIFT)
    judged = [s for s in signals if s.fires and s.kind in kinds and not s.estimated]
    faults = [s for s in signals if s.fires and s.kind == DATA and s.series]
    if not judged or not faults:
        return list(signals), {}
    ids, width = panel.unique_ids.astype(str), _FAULTY_AGAIN * config.period
    hidden = np.zeros((panel.num_series, min(width, panel.num_periods)), bool)
    for fault in faults:
        hidden[np.isin(ids, fault.series)] = True
    known = [Known(faults[0].text, hidden)]
    again = _judged_again(known, subject, panel, records, config, _FAULTY_AGAIN)
    left = {s.name: s for s in again}
    follow = {s.name: faults[0].name for s in judged if s.name not in left and s.name != "drift"}
    return [left.get(s.name, s) for s in signals], follow


def _calmed(signal: Signal, why: str) -> Signal:
    text = f"{signal.text}; explained by what was planned: {why}"
    return replace(signal, fires=False, pages=False, text=text, explained=why)


class _AsMade:
    """Forecasts as they were made: what is hidden from judgement was not hidden from them."""

    def __init__(self, forecasts: Forecasts, panel: Panel) -> None:
        self.forecasts, self.panel = forecasts, panel

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return the forecast of the panel that was known."""
        del panel
        return self.forecasts.predict(self.panel, cutoff)


def _judged_again(
    known: Sequence[Known],
    subject: Subject,
    panel: Panel,
    records: pd.DataFrame,
    config: MonitoringConfig,
    num: int = _JUDGED_AGAIN,
) -> list[Signal]:
    """Return what still fires without what is hidden: days that plans explain, faulty series.

    Of fewer days a mean is less sure, by the root of their share: the limit is that much wider.
    """
    flags = np.array(panel.flags)
    for each in known:
        flags[:, -each.hidden.shape[1] :][each.hidden] |= np.uint8(Flag.CLOSED | Flag.FAULTY)
    blind = replace(panel, flags=flags)
    cutoffs = sorted(records["cutoff"].unique())[-num:]
    forecasts = _AsMade(subject.forecasts, panel)
    fresh = performance_records(forecasts, blind, cutoffs, subject.scoring)
    fresh[IN_SAMPLE] = False
    rest = pd.concat([records[~records["cutoff"].isin(cutoffs)], fresh], ignore_index=True)
    yearly = not any(each.moved for each in known)
    left = _shares_left(records, fresh)
    return [
        s
        for s in performance_signals(rest, config, yearly=yearly)
        if s.fires
        and (left[s.name.partition(" at ")[2]] > _MOST
             or s.strength * np.sqrt(left[s.name.partition(" at ")[2]]) >= 1)
    ]  # fmt: skip


def _shares_left(records: pd.DataFrame, fresh: pd.DataFrame) -> dict[str, float]:
    """Return the share of what was observed in the last period that is still judged, by location.

    Of "" it is the company's.
    """
    last = fresh["cutoff"].max()
    before, now = (
        r[r["cutoff"] == last].groupby("location")["observed"].sum() for r in (records, fresh)
    )
    shares = {str(name): float(now[name] / max(before[name], 1)) for name in now.index}
    return shares | {"": float(now.sum() / max(before.sum(), 1))}


def _closures(panel: Panel, calendar: pd.DataFrame | None, period: int) -> Known | None:
    """Return the days that locations are closed, those beside them, and the week they reopen."""
    span = _LOOKED * period
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    shares = closed_shares(calendar, panel.timeline, tuple(str(name) for name in names))
    least = 1.0 if panel.timeline.freq == "D" else _CLOSED
    shut = unusually_closed(shares, span_of(panel), least)
    first = panel.num_periods - span
    near = shut.copy()
    near[:, 1:] |= shut[:, :-1]  # what is not bought on a closed day is bought before or after
    near[:, :-1] |= shut[:, 1:]
    reopened = shut[:, -span:-period].all(axis=1) & ~shut[:, -period:].all(axis=1)
    hidden = near[:, first:]
    hidden[reopened, -period:] = True
    told = np.flatnonzero(hidden[:, -period:].any(axis=1))
    if not len(told):
        return None
    line = panel.timeline
    texts = []
    for row in told:
        at = np.flatnonzero(shut[row, max(0, first - 1) :]) + max(0, first - 1)
        days = _range(
            [f"{line.date(int(at[0])):%Y-%m-%d}", f"{line.last_day(int(at[-1])):%Y-%m-%d}"]
        )
        texts.append(f"{names[row]} ({days})" if len(at) else str(names[row]))
    return Known(f"closed by the calendar: {_list(texts)}", hidden[codes])


def _openings(panel: Panel, period: int) -> Known | None:
    """Return locations of which every series began in the latest months."""
    span = _LOOKED * period
    before = (np.asarray(panel.flags) & Flag.BEFORE_LAUNCH) != 0
    launch = before.sum(axis=1)
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    opened = np.full(len(names), panel.num_periods)
    np.minimum.at(opened, codes, launch)
    young = (opened > panel.num_periods - (_YOUNG + 1) * period) & (opened < panel.num_periods)
    if not young.any() or young.all():
        return None
    texts = [f"{names[row]} ({panel.timeline.date(int(opened[row])):%Y-%m-%d})"
             for row in np.flatnonzero(young)]  # fmt: skip
    hidden = np.repeat(young[codes][:, None], span, axis=1)
    return Known(f"opened lately: {_list(texts)}", hidden)


def _promotions(panel: Panel, period: int) -> Known | None:
    """Return product-days on promotion at locations that have more of them than usual.

    A season of promotions is unusual for its first two periods; if the forecasts are off in the
    third, they do not know what promotions do, and training can teach them.
    """
    planned = [c for c in panel.channels.values() if c.known and c.domain == "promotions"]
    span, stop = _LOOKED * period, panel.num_periods
    first = max(0, stop - (_USUAL + _LOOKED) * period)
    if not planned or stop - first < (_LOOKED + 1) * period:
        return None
    on = np.zeros((panel.num_series, stop - first), bool)
    for channel in planned:
        on |= _marked(panel, channel, first, stop)
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    sizes = np.bincount(codes)
    told, texts = np.zeros(len(names), bool), []
    for row in range(len(names)):
        share = on[codes == row].sum(axis=0) / sizes[row]
        whole = len(share) // period * period
        by_period = share[-whole:].reshape(-1, period).mean(axis=1)
        usual = float(by_period[:-_LOOKED].max(initial=0))
        if by_period[-1] > usual + _MORE:
            told[row] = True
            share_now = f"{by_period[-1]:.0%} of product-periods, at most {usual:.0%} before"
            texts.append(f"{names[row]} ({share_now})")
    if not told.any():
        return None
    hidden = on[:, -span:] & told[codes][:, None]
    return Known(f"promotions: {_list(texts)}", hidden)


def _moved_events(panel: Panel, period: int) -> Known | None:
    """Return events of the period that were not there a year before, or were and are not now."""
    stop, year = panel.num_periods, round(panel.timeline.periods_per_year / period) * period
    span = _LOOKED * period
    hidden = np.zeros((panel.num_series, span), bool)
    texts = []
    for channel in panel.channels.values():
        if not channel.known or not any(fnmatch(channel.name, p) for p in EVENTS):
            continue
        now = _marked(panel, channel, stop - span, stop)
        name = channel.name.partition("=")[2] or channel.name
        if year + span > stop:
            continue  # without a year before, nothing is known to have moved
        before = _marked(panel, channel, stop - year - period, stop - year)
        here, there = now[:, -period:].any(), before.any()
        if here == there:
            continue
        if here:
            at = int(np.flatnonzero(now[:, -period:].any(axis=0))[0]) + stop - period
            texts.append(
                f"{name} on {panel.timeline.date(at):%Y-%m-%d}, a year before not in this season"
            )
            hidden |= now
            hidden[:, 1:] |= now[:, :-1]
            hidden[:, :-1] |= now[:, 1:]
        else:
            texts.append(f"{name} was in this season a year before and is not now")
    return Known(f"holidays: {_list(texts)}", hidden, moved=True) if texts else None


def _marked(panel: Panel, channel: Channel, first: int, stop: int) -> BoolArray:
    """Return (series, period) where a channel known ahead says something."""
    rows = panel.group_index(channel.level, channel.groups)
    values = np.nan_to_num(channel.until(stop)[:, first:stop]) > 0
    found: BoolArray = values[np.maximum(rows, 0)] & (rows >= 0)[:, None]
    return found


def _range(days: Sequence[str]) -> str:
    return days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def _list(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
