"""Whether suppliers deliver as they did: later, or less than was ordered.

Deliveries of the last eight weeks are compared with those of the year before, supplier by supplier,
by ranks: one parcel that came months late is no change of a supplier, and no law of lead times is
assumed. Many suppliers are looked at, so chance is held to the false-discovery rate over all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import mannwhitneyu

from invopt.config import MonitoringConfig
from invopt.monitoring.signals import SUPPLIERS, Signal, rejected
from invopt.types import BoolArray, FloatArray

_RECENT = pd.Timedelta(days=56)
_BEFORE = pd.Timedelta(days=365)
_MIN_RECENT, _MIN_BEFORE = 3, 6
_MIN_DELAY = 1.0  # periods on average: less moves no order
_MIN_SHORT = 0.05  # of what was ordered
_NAMED = 3  # suppliers in a sentence


@dataclass(frozen=True)
class _Change:
    """One supplier's mean in the last weeks beside the year before.

    Attributes:
        name: Of the supplier.
        now: Mean of the last weeks.
        before: Mean of the year before them.
        num_now: Deliveries in the last weeks.
        num_before: Deliveries of the year before.
        p_value: Chance of ranks like these when nothing changed, for the bad side.
    """

    name: str
    now: float
    before: float
    num_now: int
    num_before: int
    p_value: float


def delivery_signals(
    receipts: pd.DataFrame | None,
    series: pd.DataFrame,
    last_day: pd.Timestamp,
    config: MonitoringConfig,
) -> list[Signal]:
    """Return `late_deliveries` and, where ordered quantities are known, `short_deliveries`.

    Args:
        receipts: As TermsTables holds them: supplier or unique_id, ordered, received, lead_time in
            periods; quantity and ordered_quantity where they are known. None for none.
        series: Products, by unique_id; their supplier stands for receipts by series.
        last_day: Of the period judged; what was received later is not known yet.
        config: The false-discovery rate over all suppliers.
    """
    if receipts is None or receipts.empty:
        return []
    received = pd.to_datetime(receipts["received"])
    known = (received <= last_day) & (received > last_day - _RECENT - _BEFORE)
    found = receipts[known.to_numpy()]
    names = _suppliers(found, series)
    is_recent = (received[known.to_numpy()] > last_day - _RECENT).to_numpy()
    late = _changes(names, found["lead_time"].to_numpy(np.float64), is_recent, bad=1)
    signals = _signal("late_deliveries", late, _MIN_DELAY, config, _told_late)
    if {"quantity", "ordered_quantity"} <= set(found):
        ordered = found["ordered_quantity"].to_numpy(np.float64)
        filled = np.where(ordered > 0, found["quantity"].to_numpy(np.float64) / ordered, np.nan)
        short = _changes(names, np.minimum(filled, 1.0), is_recent, bad=-1)
        signals += _signal("short_deliveries", short, _MIN_SHORT, config, _told_short)
    return signals


def _suppliers(receipts: pd.DataFrame, series: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Return (receipts,) whose delivery each was; a series without a known supplier is its own."""
    blank = pd.Series("", index=receipts.index)
    named = receipts.get("supplier", blank).fillna("").astype(str)
    ids = receipts.get("unique_id", blank).fillna("").astype(str)
    if "supplier" in series:
        theirs = series["supplier"].fillna("").astype(str).to_numpy()
        of = ids.map(pd.Series(theirs, series["unique_id"].astype(str))).fillna("")
        ids = of.where(of != "", ids)
    return named.where(named != "", ids).to_numpy(str)


def _changes(
    names: npt.NDArray[np.str_], values: FloatArray, is_recent: BoolArray, bad: int
) -> list[_Change]:
    """Return every supplier with enough deliveries on both sides, in order of name."""
    found = []
    usable = np.isfinite(values)
    side = "greater" if bad > 0 else "less"
    for name in np.unique(names[usable]):
        mine = usable & (names == name)
        now, before = values[mine & is_recent], values[mine & ~is_recent]
        if len(now) < _MIN_RECENT or len(before) < _MIN_BEFORE:
            continue
        p = float(mannwhitneyu(now, before, alternative=side).pvalue)
        found.append(
            _Change(
                str(name),
                float(now.mean()),
                float(before.mean()),
                num_now=len(now),
                num_before=len(before),
                p_value=p,
            )
        )
    return found


def _signal(
    name: str,
    changes: Sequence[_Change],
    least: float,
    config: MonitoringConfig,
    told: Callable[[Sequence[_Change]], str],
) -> list[Signal]:
    """Return one signal of all suppliers: of the worst that changed, else of all together."""
    if not changes:
        return []
    kept = rejected([c.p_value for c in changes], config.false_discovery_rate)
    firing = [
        c for c, is_real in zip(changes, kept, strict=True)
        if is_real and abs(c.now - c.before) >= least
    ]  # fmt: skip
    firing.sort(key=lambda c: (-abs(c.now - c.before), c.name))
    judged = firing or list(changes)
    now, before = (_mean(judged, "now"), _mean(judged, "before"))
    return [
        Signal(
            name=name, kind=SUPPLIERS, value=now, expected=before, limit=least,
            p_value=min(c.p_value for c in judged), fires=bool(firing),
            text=told(firing) if firing else f"{len(changes)} suppliers deliver as they did",
        )
    ]  # fmt: skip


def _mean(changes: Sequence[_Change], side: str) -> float:
    """Return the mean over deliveries of the last weeks, or the year before weighed alike."""
    return float(
        np.average([getattr(c, side) for c in changes], weights=[c.num_now for c in changes])
    )


def _told_late(firing: Sequence[_Change]) -> str:
    said = [
        f"{c.name} takes {c.now:.1f} periods instead of {c.before:.1f} ({_counted(c)})"
        for c in firing[:_NAMED]
    ]
    return f"deliveries come later: {_listed(said, len(firing))}"


def _told_short(firing: Sequence[_Change]) -> str:
    said = [
        f"{c.name} delivers {c.now:.0%} of what was ordered instead of {c.before:.0%} "
        f"({_counted(c)})"
        for c in firing[:_NAMED]
    ]
    return f"deliveries are short: {_listed(said, len(firing))}"


def _counted(change: _Change) -> str:
    return f"{change.num_now} deliveries in 8 weeks, {change.num_before} in the year before"


def _listed(said: Sequence[str], number: int) -> str:
    more = f"; and {number - len(said)} more" if number > len(said) else ""
    return "; ".join(said) + more
