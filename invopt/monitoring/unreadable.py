"""The evidence of a period whose data cannot be read."""

from typing import Any

import pandas as pd

from invopt.monitoring.changes import trend
from invopt.monitoring.evidence import TREND, Evidence
from invopt.monitoring.folding import findings_of
from invopt.monitoring.signals import DATA, UNREADABLE, Signal


def unreadable_evidence(
    sentence: str, period: tuple[str, str, str], known: pd.DataFrame | None = None
) -> Evidence:
    """Return the evidence of a period whose data cannot be read: one signal, nothing judged.

    Args:
        sentence: What is wrong, where, and what to do.
        period: Its first day, the first day of its last period, its last day; ISO.
        known: Records of earlier periods, for the trend.
    """
    why = "the data cannot be read"
    text = f"{why}: {sentence.rstrip('.')}"
    signal = Signal(
        name=UNREADABLE,
        kind=DATA,
        value=1.0,
        expected=0.0,
        limit=0.0,
        p_value=float("nan"),
        fires=True,
        text=text,
        pages=True,
    )
    earlier: list[dict[str, Any]] = [] if known is None else trend(known, TREND)
    return Evidence(
        start=period[0], end=period[1], last_day=period[2], conclusive=False, why_not=why,
        signals=[signal], drift=None, reference="nothing",
        trend=earlier, findings=findings_of([signal]), bands={}, causes=[], locations=[],
        products=[], events=[], plans=[], notes=[], num_series=0, num_sampled=0, new_periods=0,
        new_data="", age_days=0, length="", excess_cost=0.0, avoidable_cost=None,
        records=pd.DataFrame(),
    )  # fmt: skip
