"""Whether a period's data can be believed: silence, repetition, gaps, age."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.config import MonitoringConfig
from invopt.feeds import (
    DOUBLED,
    REPEATED,
    SILENT,
    YEAR,
    FeedRecord,
    broken_feeds,
    feed_record,
    locations_of,
    run_starts,
    span_of,
    standing_still,
)
from invopt.monitoring.late import none_came
from invopt.monitoring.lines_twice import lines_twice
from invopt.monitoring.lost_lines import lost_lines
from invopt.monitoring.price_unit import price_signals
from invopt.monitoring.product_units import unit_changes, unit_signal, without_series
from invopt.monitoring.signals import DATA, LATE_FILE, Signal
from invopt.monitoring.unit_changed import unit_changed
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.sources.ledger import DUPLICATE
from invopt.types import BoolArray, FloatArray

_HISTORY = 26  # monitoring periods that the usual is read from
_RUN = 10  # spans that a broken feed may have begun ago
_NAMED = 5
_TOLD = 2  # failed checks, each with its rule


def data_signals(
    panel: Panel,
    config: MonitoringConfig,
    *,
    features: Sequence[str] = (),
    silent: Sequence[str] = (),
    quality: Mapping[str, Any] | None = None,
) -> list[Signal]:
    """Return what is wrong with the data of a panel's last monitoring period.

    Args:
        panel: Cleaned; the period is its last config.period periods.
        config: Length of a period.
        features: Channels the model was trained with.
        silent: Those of them that said nothing then: nobody misses what never came.
        quality: What ingest found (quality.json); None leaves it out.
    """
    signals = [*_ingest_signals(quality or {}, panel)]
    gone = sorted(set(features) - set(panel.channels))
    if gone:
        signals.append(
            _fault("column_gone", len(gone), 0, f"columns the model knows are gone: {_list(gone)}")
        )
    if panel.num_periods > config.period and not none_came(panel, config.period):
        changed, scaled = _other_units(panel, config.period)
        silent_places, feeds = _feeds(panel, config.period, scaled)
        signals += [*changed, *feeds, *_gaps(panel, config.period, silent_places)]
        signals += lost_lines(panel, config.period)
        # Days that came twice as a whole explain the even numbers beside them.
        whole = {name for s in feeds if s.name == DOUBLED for name in s.places} | scaled
        twice = lines_twice(panel, config.period)
        signals += [s for s in twice if not whole.issuperset(s.places)]
        signals += price_signals(panel, config.period)
        signals += _broken_channels(panel, config.period, set(features), set(silent))
    return signals


def _other_units(panel: Panel, period: int) -> tuple[list[Signal], set[str]]:
    """Return where numbers are of another unit, each told once, and the locations of which all are.

    A product is left out where its location is told as a whole.
    """
    changes = unit_changes(panel, period)
    changed = unit_changed(without_series(panel, changes), period)
    places = {name for signal in changed for name in signal.places}
    rest = [c for c in changes if c.level != "location" or c.name not in places]
    signal = unit_signal(panel, period, rest)
    places |= {c.name for c in rest if c.level == "location"}
    return [*changed, *([] if signal is None else [signal])], places


def _ingest_signals(quality: Mapping[str, Any], panel: Panel) -> list[Signal]:
    signals = []
    stale = int(quality.get("stale_periods") or 0)
    if stale > 0:
        text = f"the data are {panel.timeline.spell(stale)} older than allowed"
        signals.append(_fault("stale_data", stale, 0, text, pages=True))
    for table in quality.get("accounting", ()):
        again = sum(n for why, n in table["quarantined"].items() if why == DUPLICATE)
        share = again / max(1, table["rows_in"])
        if share > 0.01:
            text = f"{share:.1%} of the rows of {table['table']} came twice and were set aside"
            signals.append(_fault("rows_twice", share, 0.01, text))
    return [*signals, *_suspect(quality.get("checks", ()))]


def _suspect(checks: Sequence[Mapping[str, Any]]) -> list[Signal]:
    """Return the checks that failed: the gate would promote nothing that was trained on this."""
    failed = [c for c in checks if not c["passed"] and c["name"] != "freshness"]
    if not failed:
        return []
    told = [
        f"{c['name']} of {c['about']} is {c['value']:.3g} against {c['limit']:.3g} ({c['rule']})"
        for c in failed[:_TOLD]
    ]
    more = f" and {len(failed) - _TOLD} more" if len(failed) > _TOLD else ""
    text = f"checks of what was read failed: {'; '.join(told)}{more}"
    return [replace(_fault("suspect_data", len(failed), 0, text), spoils=True)]


def _feeds(panel: Panel, period: int, scaled: set[str]) -> tuple[set[str], list[Signal]]:
    """Return silent locations, and feeds that broke in the period, as cleaning marks them.

    A location that the calendar closes is not silent; numbers of another unit are even because
    of that, and were not sent twice.

    Args:
        panel: Cleaned.
        period: Periods of a monitoring period.
        scaled: Locations whose numbers are of another unit.
    """
    history = (YEAR + _RUN) * span_of(panel) + period
    record = feed_record([panel], max(0, panel.num_periods - history))
    faults = broken_feeds(record)
    open_ = ~_closed(panel, record)
    faults = {rule: found & open_ for rule, found in faults.items()}
    silent, doubled, repeated = (
        [at for at, name in enumerate(record.names) if faults[rule][at, -period:].any()]
        for rule in (SILENT, DOUBLED, REPEATED)
    )
    doubled = [at for at in doubled if record.names[at] not in scaled]
    signals = []
    if silent:
        runs = [_silence(record, faults[SILENT], at) for at in silent]
        where = _list([f"{record.names[at]} ({panel.timeline.spell(last - first + 1)})"
                       for at, (first, last) in zip(silent, runs, strict=True)])  # fmt: skip
        share = f"{len(silent)} of {len(record.names)} locations"
        text = f"{share} sent no sales for longer than ever in the past year: {where}"
        names = tuple(record.names[at] for at in silent)
        since = _day(panel, record.first + min(first for first, _ in runs))
        signals.append(_fault(SILENT, len(silent), 0, text, pages=True, places=names, since=since))
    for rule, places, what in (
        (DOUBLED, doubled, "every quantity is even, as if each row had been sent twice"),
        (REPEATED, repeated, "the same numbers were sent again"),
    ):
        if places:
            text = f"{what}: {_list([record.names[at] for at in places])}"
            names = tuple(record.names[at] for at in places)
            since = _day(panel, record.first + _first_marked(faults[rule][places], period))
            signals.append(
                _fault(rule, len(places), 0, text, pages=True, places=names, since=since)
            )
    return {record.names[at] for at in silent}, signals


def _silence(record: FeedRecord, silent: BoolArray, at: int) -> tuple[int, int]:
    """Return the first and the last period without sales of a silent location."""
    last = int(np.flatnonzero(silent[at])[-1])
    return int(run_starts(record.sales[[at]] == 0)[0, last]), last


def _first_marked(marked: BoolArray, period: int) -> int:
    """Return the first period of the runs of marks that reach into the last `period` periods."""
    recent = np.arange(marked.shape[1]) >= marked.shape[1] - period
    return int(run_starts(marked)[marked & recent].min())


def _closed(panel: Panel, record: FeedRecord) -> BoolArray:
    """Return (location, period) of a record where every series is closed by the calendar."""
    names = locations_of(panel).astype(str)
    shut = np.zeros(record.sales.shape, bool)
    for row, name in enumerate(record.names):
        flags = np.asarray(panel.flags[np.flatnonzero(names == name), record.first :])
        shut[row] = ((flags & (Flag.CLOSED | Flag.BEFORE_LAUNCH)) != 0).all(axis=0)
    return shut


def _gaps(panel: Panel, period: int, silent: set[str]) -> list[Signal]:
    """Return locations whose newest file is late, and those that miss more records than ever.

    Silent ones are told as such already.
    """
    names, missing = _missing(panel, period)
    late, gone = [], []
    for row, name in enumerate(names):
        share = float(missing[row, -period:].mean())
        if name in silent:
            continue
        days = int((np.cumprod(missing[row, ::-1] >= 1)).sum())
        usual = missing[row, : missing.shape[1] - days]
        if 0 < days < missing.shape[1] and not (usual[-_RUN * period :] >= 1).any():
            since, spell = _day(panel, panel.num_periods - days), panel.timeline.spell(days)
            late.append((str(name), f"{name} (nothing since {since}, {spell})", since))
        elif share > missing[row, :-period].max(initial=0) + 0.1:
            gone.append((str(name), f"{name} ({share:.0%})"))
    signals = []
    if late:
        text = (
            "the newest file is late, and its days are not judged: "
            f"{_list([t for _, t, _ in late])}"
        )
        places, since = tuple(name for name, _, _ in late), min(day for _, _, day in late)
        signals.append(_fault(LATE_FILE, len(late), 0, text, places=places, since=since))
    if gone:
        text = f"records are missing at {_list([t for _, t in gone])}"
        places = tuple(name for name, _ in gone)
        signals.append(_fault("gaps", len(gone), 0, text, places=places))
    return signals


def _broken_channels(
    panel: Panel, period: int, features: set[str], silent: set[str]
) -> list[Signal]:
    """Return measured columns that came empty or are stuck at one value."""
    empty, stuck = [], []
    for channel in panel.channels.values():
        if features and channel.name not in features:
            continue
        recorded = channel.values.shape[1]
        if channel.known:
            # Filled where nothing was said; that nothing ever was is another matter, unless it is
            # one value of many (event=fair), which may not have come yet.
            named = channel.name in features - silent and "=" not in channel.name
            if named and channel.is_silent:
                empty.append(channel.name)
            continue
        if recorded < panel.num_periods:
            continue
        latest = _stretch(channel, recorded - period, recorded)
        earlier = _stretch(channel, max(0, recorded - _HISTORY * period), recorded - period)
        # What the model was trained with held values once, even where none of them came again.
        spoke = channel.name in features - silent or np.isfinite(earlier).any()
        if not np.isfinite(latest).any() and spoke:
            empty.append(channel.name)
        elif channel.level != SERIES_LEVEL and _stands_still(channel, recorded, panel, period):
            stuck.append(channel.name)
    signals = []
    if empty:
        text = f"columns without a value in the whole period: {_list(empty)}"
        signals.append(replace(_fault("empty_column", len(empty), 0, text), spoils=True))
    if stuck:
        text = f"sensors stuck at a constant value: {_list(stuck)}"
        signals.append(_fault("stuck_sensor", len(stuck), 0, text))
    return signals


def _stretch(channel: Channel, first: int, stop: int) -> FloatArray:
    return np.asarray(channel.values[:, first:stop], np.float64)


def _stands_still(channel: Channel, stop: int, panel: Panel, period: int) -> bool:
    span = span_of(panel)
    values = _stretch(channel, max(0, stop - (_HISTORY + _RUN) * span - period), stop)
    return bool(standing_still(values, span)[:, -period:].any())


def _missing(panel: Panel, period: int) -> tuple[npt.NDArray[np.object_], FloatArray]:
    """Return locations and their share of missing records, by period."""
    first = max(0, panel.num_periods - (_HISTORY * 2 + 1) * period)
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    missing, on_sale = (np.zeros((len(names), panel.num_periods - first)) for _ in range(2))
    for begin in range(0, panel.num_series, 4096):
        rows = slice(begin, begin + 4096)
        order = np.argsort(codes[rows], kind="stable")
        found, starts = np.unique(codes[rows][order], return_index=True)
        flags = np.asarray(panel.flags[rows, first:])[order]
        on = (flags & (Flag.BEFORE_LAUNCH | Flag.CLOSED)) == 0
        gone = on & ((flags & Flag.MISSING) != 0)
        missing[found] += np.add.reduceat(gone, starts, axis=0, dtype=np.int32)
        on_sale[found] += np.add.reduceat(on, starts, axis=0, dtype=np.int32)
    return names, missing / np.maximum(on_sale, 1)


def _fault(
    name: str,
    value: float,
    limit: float,
    text: str,
    *,
    pages: bool = False,
    places: tuple[str, ...] = (),
    since: str = "",
) -> Signal:
    return Signal(
        name=name, kind=DATA, value=float(value), expected=0.0, limit=float(limit),
        p_value=float("nan"), fires=True, text=text, pages=pages, places=places, since=since,
    )  # fmt: skip


def _day(panel: Panel, at: int) -> str:
    return f"{panel.timeline.date(at):%Y-%m-%d}"


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
