"""Where the money goes and what goes with it: affected series, likely causes, known events."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np
import pandas as pd

from invopt.feeds import locations_of
from invopt.monitoring.columns import in_words
from invopt.monitoring.drift import Drift
from invopt.monitoring.signals import DATA, DEMAND_SHIFT, PERFORMANCE, SERVING, Signal
from invopt.panel import Panel
from invopt.types import Float32Array, FloatArray

_NUM_AFFECTED = 8
EVENTS = ("event*", "*holiday*")


@dataclass(frozen=True)
class Affected:
    """One product or location.

    Attributes:
        name: Of it.
        actual: Units sold in the period; NaN where no record of any series has come.
        forecast: Units forecast for it.
        excess_cost: Money its latest priced decisions cost above plan, as plans usually turn out.
    """

    name: str
    actual: float
    forecast: float
    excess_cost: float


@dataclass(frozen=True)
class Cause:
    """One thing that moved, and the money that goes with it.

    Attributes:
        name: Signal or column.
        effect: Money per period; for a column what its change goes with across series.
        text: As a sentence.
    """

    name: str
    effect: float
    text: str


def excess_cost(outcomes: pd.DataFrame, usual_ratio: float) -> FloatArray:
    """Return each series' cost above plan, plan taken as it usually turns out.

    Args:
        outcomes: As series_outcomes returns them, costs known.
        usual_ratio: Usual cost over plan of the company.
    """
    cost = outcomes["cost"].to_numpy(np.float64)
    plan = outcomes["planned_cost"].to_numpy(np.float64)
    found: FloatArray = np.nan_to_num(cost - usual_ratio * plan)
    return found


def affected(
    panel: Panel, column: str, outcomes: pd.DataFrame, excess: FloatArray
) -> list[Affected]:
    """Return the products ("product") or locations ("location") that cost most above plan.

    Args:
        panel: Of the outcomes.
        column: Of the series table; nothing is returned where products have none.
        outcomes: Of the latest period.
        excess: Money by series.
    """
    if column == "location":
        names = locations_of(panel)
    elif column in panel.series:
        names = panel.series[column].astype(str).to_numpy(object)
    else:
        return []
    frame = pd.DataFrame(
        {
            "name": names,
            "actual": outcomes["actual"].to_numpy(),
            "forecast": outcomes["forecast"].to_numpy(),
            "excess_cost": excess,
        }
    )
    sums = frame.groupby("name", sort=True).sum().reset_index()
    if not outcomes["observed"].any():
        sums["actual"] = np.nan  # 0 sold would be news
    worst = sums.sort_values(["excess_cost", "name"], ascending=[False, True])
    rows = worst.head(_NUM_AFFECTED).itertuples(index=False)
    return [Affected(str(r[0]), float(r[1]), float(r[2]), float(r[3])) for r in rows]


def likely_causes(
    signals: Sequence[Signal], drift: Drift | None, excess: FloatArray, num: int = 5
) -> list[Cause]:
    """Return what moved: faults of data and service first, then the most expensive.

    A feed that fell silent has no money of its own, and is why the others moved.
    A column's effect is its mean change times the slope of excess cost on it across series: what
    goes with it, which is not proof that it is the reason. Performance signals carry the whole
    excess, so that one of them stands for all: demand that left the forecasts is why error,
    coverage and cost did. It comes with columns, not instead of them.

    Args:
        signals: Of the period; those that follow from another are not named, columns neither.
        drift: Of the series that `excess` is of.
        excess: Money by series, in the order of drift.current.
        num: Causes named.
    """
    firing = [s for s in signals if s.fires and not s.part_of and not s.name.startswith("drift")]
    told = any(s.name == "drift" and s.fires and s.part_of for s in signals)
    whole = sorted(
        (s for s in firing if s.kind == PERFORMANCE),
        key=lambda s: (s.name != DEMAND_SHIFT, s.p_value),
    )
    causes = [Cause(s.name, s.effect, s.text) for s in firing if s not in whole[1:]]
    if drift is not None and not told:
        for column in drift.columns:
            if not column.moved:
                continue
            at = drift.names.index(column.column)
            money = _goes_with(drift.current[:, at], drift.expected[:, at], excess)
            text = (
                f"{in_words(column.column)} moved by {column.change:+.2f} standard deviations "
                f"(distance {column.score:.2f}, history allows {column.threshold:.2f})"
            )
            causes.append(Cause(column.column, money, text))
    faults = {s.name for s in signals if s.kind in (DATA, SERVING)}
    causes.sort(key=lambda c: (c.name not in faults, -c.effect, c.name))
    return causes[:num]


def known_events(panel: Panel, first: int, stop: int) -> list[dict[str, str]]:
    """Return the events of the calendar in some periods: date and name, in order of time."""
    found: set[tuple[str, str]] = set()
    for channel in panel.channels.values():
        if not channel.known or not any(fnmatch(channel.name, p) for p in EVENTS):
            continue
        values = np.asarray(channel.values[:, first:stop], np.float64)
        for at in np.flatnonzero((np.nan_to_num(values) > 0).any(axis=0)):
            date = panel.timeline.date(first + int(at))
            found.add((f"{date:%Y-%m-%d}", channel.name.partition("=")[2] or channel.name))
    return [{"date": date, "name": name} for date, name in sorted(found)]


def _goes_with(current: Float32Array, expected: Float32Array, excess: FloatArray) -> float:
    values = current.astype(np.float64)
    known = np.isfinite(values)
    if known.sum() < 3:
        return 0.0
    x, money = values[known], excess[known]
    centred = x - x.mean()
    variance = float(centred @ centred)
    if variance <= 0:
        return 0.0
    slope = float(centred @ (money - money.mean())) / variance
    return slope * float(x.mean() - np.nanmean(expected.astype(np.float64))) * len(x)
