"""A period whose data cannot be read: which one it is, and the evidence there is."""

from typing import Any

import pandas as pd

from invopt.monitoring.changes import trend
from invopt.monitoring.evidence import TREND, Evidence
from invopt.monitoring.signals import DATA, UNREADABLE, Signal
from invopt.timeline import Timeline


def due_period(
    last: pd.Timestamp, seen: pd.Timestamp, today: pd.Timestamp, freq: str, length: int
) -> tuple[str, str]:
    """Return the first and last day of the newest monitoring period there should be data of.

    Data are taken to come as late as they did: since the day they were first seen to reach
    `last`, they should have come on by the whole periods that have passed. So a set that has an
    end of its own, or a clock that was set back, names no period that nobody waits for.

    Args:
        last: Last period of the data, when they could be read.
        seen: Day on which they were first seen to reach it.
        today: The clock.
        freq: D, W-MON to W-SUN, or MS.
        length: Periods of a monitoring period.

    Returns:
        ISO dates, as in Evidence: the first days of its first and its last period.
    """
    passed = int(Timeline(seen, freq, 1).index_of(pd.DatetimeIndex([today]))[0])
    line, end = Timeline(last, freq, 1), max(0, passed // length) * length
    return f"{line.date(end - length + 1):%Y-%m-%d}", f"{line.date(end):%Y-%m-%d}"


def unreadable_evidence(
    sentence: str, period: tuple[str, str], known: pd.DataFrame | None = None
) -> Evidence:
    """Return the evidence of a period whose data cannot be read: one signal, nothing judged.

    Args:
        sentence: What is wrong, where, and what to do.
        period: First and last day, ISO.
        known: Records of earlier periods, for the trend.
    """
    why = "the data cannot be read"
    text = f"{why}: {sentence.rstrip('.')}"
    signal = Signal(
        UNREADABLE, DATA, 1.0, 0.0, 0.0, float("nan"), fires=True, text=text, pages=True
    )
    earlier: list[dict[str, Any]] = [] if known is None else trend(known, TREND)
    return Evidence(
        *period, conclusive=False, why_not=why, signals=[signal], drift=None, reference="nothing",
        trend=earlier, causes=[], locations=[], products=[], events=[], notes=[], num_series=0,
        num_sampled=0, new_periods=0, excess_cost=0.0, records=pd.DataFrame(),
    )  # fmt: skip
