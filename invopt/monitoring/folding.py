"""One cause, one finding: what explains the rest carries the rest.

A company whose demand has shifted has shifted at its stores, misses its forecasts and moves its
columns; a store that shifts far enough moves the company. Which of them is the cause is tried: the
period is judged again without the place, and what is then quiet follows from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from invopt.config import MonitoringConfig
from invopt.feeds import locations_of
from invopt.monitoring.changes import limits_of, performance_signals
from invopt.monitoring.signals import (
    DATA,
    DEMAND_SHIFT,
    DRIFT,
    PERFORMANCE,
    SERVING,
    SUPPLIERS,
    SUPPLY,
    Signal,
)
from invopt.panel import Panel

_ORDERS = {
    DATA: "orders go on: days that are not believed are left out and not read as zero demand, so "
    "forecasts go on from the days before; stock counted there may be as old",
    SERVING: "orders in files go on; answers of the endpoint may be worse than they say",
    SUPPLY: "orders go on and count demand as higher than sales on days without stock",
    SUPPLIERS: "orders go on by the lead times of all receipts, the latest like the others: "
    "what is ordered now may come later, or less, than they say",
    DRIFT: "orders go on unchanged: columns moved, and forecasts are as right as they were",
}
# Faults that cleaning marks nothing of: forecasts learn from what was sent.
_AS_SENT = (
    "unit_changed", "product_unit_changed", "price_unit_changed", "lines_missing", "lines_twice",
    "suspect_data", "past_rewritten",
)  # fmt: skip
_BELIEVED = (
    "orders go on and read what was sent as demand: look at those of the places concerned before "
    "they are sent"
)
_MOST = 0.5  # of the company's difference: a store of less is not the cause of it
_BLIND = "no new plan can be made of these data; the last one stands"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One cause and what it comes with.

    Attributes:
        name: Of the signal.
        cause: What persists over periods; the governor counts by it.
        text: The finding as a sentence.
        places: Locations it is about, none where it is about all.
        num_series: Series it shows in.
        of_series: Of so many at these places.
        money: Per period above plan, 0 where unknown.
        orders: What orders do meanwhile.
        over: How to know that it is over.
        follows: Names of the signals that follow from it.
        since: As the signal's.
        kind: As the signal's.
    """

    name: str
    cause: str
    text: str
    places: list[str]
    num_series: int
    of_series: int
    money: float
    orders: str
    over: str
    follows: list[str]
    since: str = ""
    kind: str = ""


def folded(
    signals: Sequence[Signal],
    records: pd.DataFrame,
    config: MonitoringConfig,
    known: Mapping[str, str] | None = None,
) -> list[Signal]:
    """Return the signals, each that follows from another with the name of that one.

    Args:
        signals: Of the last period.
        records: By cutoff and location, the last period included.
        config: Limits.
        known: Names of signals that are known to follow from another, with the name of that one.
    """
    parts = dict(known or {})
    firing = [s for s in signals if s.fires]
    judged = [s for s in firing if s.kind in (PERFORMANCE, SUPPLY, DRIFT) and not s.estimated]
    for fault in (s for s in firing if s.places and not s.series and s.kind == DATA):
        without = _firing_without(set(fault.places), records, config)
        for signal in judged:
            if signal.name != "drift" and signal.name not in without:
                parts.setdefault(signal.name, fault.name)
    left = [s for s in judged if s.name not in parts]
    head, local = _head(left), [s for s in left if _place(s)]
    root = _root(head, local, records, config)
    if root is not None:
        for signal in left:
            if signal.name != root.name and _follows(signal, root, head):
                parts.setdefault(signal.name, root.name)
    roots = [s for s in judged if s.name not in parts and s.name != "drift"]
    if roots or parts:  # columns of a period in which something else happened
        cause = next(
            (s.name for s in (root, *roots) if s is not None), next(iter(parts.values()), "")
        )
        parts.setdefault("drift", cause)
    return [replace(s, part_of=parts[s.name]) if s.fires and s.name in parts else s
            for s in signals]  # fmt: skip


def findings_of(
    signals: Sequence[Signal], panel: Panel | None = None, outcomes: pd.DataFrame | None = None
) -> list[Finding]:
    """Return a period's findings: faults first, then the most expensive.

    Args:
        signals: As folded returns them, with their effects.
        panel: Series judged; None where none were.
        outcomes: Of the last period, in the order of the panel.
    """
    roots = [s for s in signals if s.fires and not s.part_of]
    roots.sort(key=lambda s: (_rank(s), -s.effect, s.name))
    found = []
    for s in roots:
        places = list(s.places) or ([_place(s)] if _place(s) else [])
        shown, of = _series(s, places, panel, outcomes)
        follows = [f.name for f in signals if f.fires and f.part_of == s.name]
        found.append(
            Finding(
                name=s.name, cause=s.cause, text=s.text, places=places, num_series=shown,
                of_series=of, money=s.effect, orders=_orders(s, blind=panel is None),
                over=_over(s), follows=follows, since=s.since, kind=s.kind,
            )
        )  # fmt: skip
    return found


def _rank(signal: Signal) -> int:
    """Return 0 for a fault that pages, which names place and day, 1 for others, 2 for the rest."""
    if signal.kind not in (DATA, SERVING):
        return 2
    return 0 if signal.pages else 1


def _head(signals: Sequence[Signal]) -> Signal | None:
    """Return the company's own finding: demand before what follows from it, else the surest."""
    whole = [s for s in signals if s.kind == PERFORMANCE]
    return min(whole, key=lambda s: (s.name != DEMAND_SHIFT, s.p_value), default=None)


def _root(
    head: Signal | None, local: Sequence[Signal], records: pd.DataFrame, config: MonitoringConfig
) -> Signal | None:
    """Return what explains the rest: one store where the company is quiet without it."""
    if not local:
        return head
    latest = records[records["cutoff"] == records["cutoff"].max()].set_index("location")

    def units(signal: Signal) -> float:
        return abs(signal.value - signal.expected) * float(
            latest["forecast"].get(_place(signal), 0)
        )

    first = max(local, key=units)
    if head is None:
        return first if len(local) == 1 else None
    # Where all are off, the rest may be quiet only because it is fewer.
    whole = abs(head.value - head.expected) * float(latest["forecast"].sum())
    carries = not head.name.startswith(DEMAND_SHIFT) or units(first) >= _MOST * whole
    if carries and head.name not in _firing_without({_place(first)}, records, config):
        return first
    return head


def _follows(signal: Signal, root: Signal, head: Signal | None) -> bool:
    """Return whether a signal follows from the one that explains the rest."""
    if signal.name == "drift":
        return True
    place = _place(signal)
    if place:
        return root is head and signal.direction == root.direction
    if signal.kind == SUPPLY:
        return root.name.startswith(DEMAND_SHIFT) and root.direction > 0
    return root.name.startswith(DEMAND_SHIFT)


def _firing_without(places: set[str], records: pd.DataFrame, config: MonitoringConfig) -> set[str]:
    rest = records[~records["location"].isin(places)]
    if rest.empty:
        return set()
    return {s.name for s in performance_signals(rest, config) if s.fires}


def _place(signal: Signal) -> str:
    return signal.name.partition(" at ")[2]


def _series(
    signal: Signal, places: Sequence[str], panel: Panel | None, outcomes: pd.DataFrame | None
) -> tuple[int, int]:
    """Return in how many series a finding shows, and of how many on sale at its places."""
    if panel is None or outcomes is None:
        return 0, 0
    if signal.series:
        return len(signal.series), panel.num_series
    there = outcomes["on_sale"].to_numpy() > 0
    if places:
        there = np.isin(locations_of(panel).astype(str), places)
    if not signal.name.startswith(DEMAND_SHIFT):
        return int(there.sum()), int(there.sum())
    off = (outcomes["actual"] - outcomes["forecast"]).to_numpy() * signal.direction
    return int((there & (off > 0)).sum()), int(there.sum())


def _orders(signal: Signal, *, blind: bool) -> str:
    if blind and signal.kind == DATA:
        return _BLIND
    if signal.name in _AS_SENT:
        return _BELIEVED
    if not (signal.kind == PERFORMANCE or _place(signal)):
        return _ORDERS[signal.kind]
    if not signal.name.startswith(DEMAND_SHIFT):
        return "orders go on from these forecasts, with less safety than they promise"
    few, which = ("little", "run out") if signal.direction > 0 else ("much", "be left over")
    return (
        f"orders go on from these forecasts and are too {few} until forecasts have followed: look "
        f"at what could {which}"
    )


def _over(signal: Signal) -> str:
    """Return how to know that a finding is over, with the numbers of its limit."""
    low, high = limits_of(signal)
    if low or high:
        between = f"between {low} and {high}" if low and high else (
            f"at most {high}" if high else f"at least {low}"
        )  # fmt: skip
        return f"over when a later period is {between}"
    if signal.kind in (DATA, SERVING):
        return "over when a run no longer lists it; nothing has to be acknowledged"
    return "over when a later period no longer shows it"
