"""Whether a period's data can be believed: silence, repetition, gaps, age."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.config import MonitoringConfig
from invopt.monitoring.performance import locations_of
from invopt.monitoring.signals import DATA, Signal
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.sources.ledger import DUPLICATE

FloatArray = npt.NDArray[np.float64]
_HISTORY = 26  # monitoring periods that the usual is read from
_USUAL_SALES = 20.0  # units per day without which silence means nothing
_MIN_NUMBERS = 50  # numbers without which their pattern means nothing
_ALIKE = 0.98  # share of numbers alike that no market makes
_NAMED = 5


def data_signals(
    panel: Panel,
    config: MonitoringConfig,
    *,
    features: Sequence[str] = (),
    quality: Mapping[str, Any] | None = None,
) -> list[Signal]:
    """Return what is wrong with the data of a panel's last monitoring period.

    Args:
        panel: Cleaned; the period is its last config.period periods.
        config: Length of a period.
        features: Channels the model was trained with.
        quality: What ingest found (quality.json); None leaves it out.
    """
    signals = [*_ingest_signals(quality or {})]
    gone = sorted(set(features) - set(panel.channels))
    if gone:
        signals.append(
            _fault("column_gone", len(gone), 0, f"columns the model knows are gone: {_list(gone)}")
        )
    if panel.num_periods > config.period:
        signals += [*_silent(panel, config.period), *_repeated(panel, config.period)]
        signals += _broken_channels(panel, config.period, set(features))
    return signals


def _ingest_signals(quality: Mapping[str, Any]) -> list[Signal]:
    signals = []
    stale = int(quality.get("stale_periods") or 0)
    if stale > 0:
        text = f"the data are {stale} periods older than allowed"
        signals.append(_fault("stale_data", stale, 0, text, pages=True))
    for table in quality.get("accounting", ()):
        again = sum(n for why, n in table["quarantined"].items() if why == DUPLICATE)
        share = again / max(1, table["rows_in"])
        if share > 0.01:
            text = f"{share:.1%} of the rows of {table['table']} came twice and were set aside"
            signals.append(_fault("rows_twice", share, 0.01, text))
    return signals


def _silent(panel: Panel, period: int) -> list[Signal]:
    """Return feeds that fell silent: no sales at a location for longer than ever before."""
    names, sales, missing = _by_location(panel, period)
    quiet = sales == 0
    found, gaps = [], []
    for row, name in enumerate(names):
        earlier, latest = sales[row, :-period], sales[row, -period:]
        usual = float(np.median(earlier)) if len(earlier) else 0.0
        if usual < (_USUAL_SALES if period > 1 else 1.0):
            continue
        longest = _longest_run(quiet[row, :-period])
        # A silence that began before the period counts whole.
        run = _trailing_run(quiet[row]) if quiet[row, -1] else _longest_run(latest == 0)
        if run > max(longest, 1 if period > 1 else 0):
            found.append((name, run))
        elif missing[row, -period:].mean() > missing[row, :-period].max(initial=0) + 0.1:
            gaps.append((name, float(missing[row, -period:].mean())))
    signals = []
    if found:
        where = _list([f"{name} ({run} periods)" for name, run in found])
        share = f"{len(found)} of {len(names)} locations"
        text = f"no sales at {share}, for longer than ever before: {where}"
        signals.append(_fault("silent_feed", len(found), 0, text, pages=True))
    if gaps:
        where = _list([f"{name} ({share:.0%})" for name, share in gaps])
        signals.append(_fault("gaps", len(gaps), 0, f"records are missing at {where}"))
    return signals


def _repeated(panel: Panel, period: int) -> list[Signal]:
    """Return feeds that repeat themselves: quantities doubled, or a day sent again as the next."""
    first = panel.num_periods - period
    history = max(0, first - _HISTORY * period)
    latest, earlier = _counts(panel, first, panel.num_periods), _counts(panel, history, first)
    if latest is None or earlier is None:
        return []
    locations = locations_of(panel)
    doubled, again = [], []
    for name in sorted(set(locations)):
        rows = locations == name
        if _is_doubled(latest[rows], earlier[rows]):
            doubled.append(str(name))
        lag = _repeated_lag(panel, rows, first)
        if lag:
            again.append(f"{name} ({lag} periods later)")
    signals = []
    if doubled:
        text = f"every quantity is even, as if each row came twice: {_list(doubled)}"
        signals.append(_fault("doubled_feed", len(doubled), 0, text, pages=True))
    if again:
        text = f"the same numbers were sent again: {_list(again)}"
        signals.append(_fault("repeated_feed", len(again), 0, text, pages=True))
    return signals


def _counts(panel: Panel, first: int, stop: int) -> FloatArray | None:
    """Return sales as counts, None where they are not whole numbers."""
    y = np.asarray(panel.y[:, first:stop], np.float64)
    return y if np.array_equal(y, np.rint(y)) else None


def _is_doubled(latest: FloatArray, earlier: FloatArray) -> bool:
    sold, before = latest[latest > 0], earlier[earlier > 0]
    if len(sold) < _MIN_NUMBERS or not len(before):
        return False
    usual = float((before % 2 == 0).mean())
    return bool(usual < 0.9 and (sold % 2 == 0).mean() >= _ALIKE)


def _repeated_lag(panel: Panel, rows: npt.NDArray[np.bool_], first: int) -> int:
    """Return the lag at which a period of the current stretch repeats an earlier one, else 0."""
    start = max(0, first - (panel.num_periods - first))
    y = np.asarray(panel.y[rows, start:], np.float64)
    current = range(first - start, y.shape[1])
    for lag in range(1, first - start + 1):
        for at in current:
            now, before = y[:, at], y[:, at - lag]
            either = (now > 0) | (before > 0)
            # Rows of mostly ones look alike by chance: something has to be sold in numbers.
            enough = either.sum() >= _MIN_NUMBERS and now[either].std() > 0
            if enough and (now == before)[either].mean() >= _ALIKE:
                return lag
    return 0


def _broken_channels(panel: Panel, period: int, features: set[str]) -> list[Signal]:
    """Return measured columns that came empty or stand still."""
    empty, stuck = [], []
    for channel in panel.channels.values():
        if features and channel.name not in features:
            continue
        recorded = channel.values.shape[1]
        if channel.known or recorded < panel.num_periods:
            continue
        latest = _stretch(channel, recorded - period, recorded)
        earlier = _stretch(channel, max(0, recorded - _HISTORY * period), recorded - period)
        if not np.isfinite(latest).any() and np.isfinite(earlier).any():
            empty.append(channel.name)
        elif period > 1 and channel.level != SERIES_LEVEL and _stands_still(latest, earlier):
            stuck.append(channel.name)
    signals = []
    if empty:
        text = f"columns without a value in the whole period: {_list(empty)}"
        signals.append(_fault("empty_column", len(empty), 0, text))
    if stuck:
        text = f"measurements that stand still: {_list(stuck)}"
        signals.append(_fault("stuck_sensor", len(stuck), 0, text))
    return signals


def _stretch(channel: Channel, first: int, stop: int) -> FloatArray:
    return np.asarray(channel.values[:, first:stop], np.float64)


def _stands_still(latest: FloatArray, earlier: FloatArray) -> bool:
    """Return whether some group has one value all period long where it never had before."""
    size = latest.shape[1]
    blocks = earlier.shape[1] // size
    if blocks < 4:
        return False
    before = earlier[:, -blocks * size :].reshape(len(earlier), blocks, size)
    moved = (np.ptp(before, axis=2) > 0).all(axis=1)
    return bool((moved & (np.ptp(latest, axis=1) == 0)).any())


def _by_location(
    panel: Panel, period: int
) -> tuple[npt.NDArray[np.object_], FloatArray, FloatArray]:
    """Return locations, their sales and their share of missing records, by period."""
    first = max(0, panel.num_periods - (_HISTORY * 2 + 1) * period)
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    stop = panel.num_periods
    sales, missing, on_sale = (np.zeros((len(names), stop - first)) for _ in range(3))
    for begin in range(0, panel.num_series, 4096):
        rows = slice(begin, begin + 4096)
        flags = np.asarray(panel.flags[rows, first:])
        np.add.at(sales, codes[rows], np.asarray(panel.y[rows, first:], np.float64))
        np.add.at(missing, codes[rows], (flags & Flag.MISSING) != 0)
        np.add.at(on_sale, codes[rows], (flags & Flag.BEFORE_LAUNCH) == 0)
    return names, sales, missing / np.maximum(on_sale, 1)


def _longest_run(flags: npt.NDArray[np.bool_]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def _trailing_run(flags: npt.NDArray[np.bool_]) -> int:
    return int(np.argmin(flags[::-1])) if not flags.all() else len(flags)


def _fault(
    name: str, value: float, limit: float, text: str, *, pages: bool = False
) -> Signal:  # fmt: skip
    return Signal(name, DATA, float(value), 0.0, float(limit), float("nan"), True, text, pages)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
