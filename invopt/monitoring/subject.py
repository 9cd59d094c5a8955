"""What is judged, and the records of what it was worth."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from invopt.config import MonitoringConfig
from invopt.evaluation import Forecasts
from invopt.feeds import locations_of
from invopt.monitoring.earlier import SETTLED, of_length
from invopt.monitoring.performance import Scoring, performance_records
from invopt.panel import Panel
from invopt.types import Float32Array

IN_SAMPLE = "in_sample"


class FeatureValues(Protocol):
    """What a model sees of every series of a panel at the end of some periods."""

    def __call__(self, panel: Panel, cutoffs: list[int]) -> tuple[tuple[str, ...], Float32Array]:
        """Return column names and (cutoff, series, column) values."""


@dataclass(frozen=True)
class Subject:
    """What is judged.

    Attributes:
        forecasts: The champion.
        features: Its inputs.
        scoring: Costs and length of a period.
        channels: That it was trained with, by name.
        first_cutoff: First period its inputs can be made for.
        trained_stop: Periods it learned from.
        silent: Those of the channels that said nothing when it was trained.
    """

    forecasts: Forecasts = field(repr=False)
    features: FeatureValues = field(repr=False)
    scoring: Scoring = field(repr=False)
    channels: tuple[str, ...]
    first_cutoff: int
    trained_stop: int
    silent: tuple[str, ...] = ()


def history_of(
    subject: Subject, panel: Panel, config: MonitoringConfig, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the records of the last period and those before it, as far back as is looked.

    Records of an earlier run are those of the champion of their time: what it forecast of a period
    it had not seen. What this champion has to be asked about the weeks it was trained on is
    in_sample, and a little too good.

    Args:
        subject: The champion.
        panel: Series to judge.
        config: How many periods.
        known: Records that need not be computed again; those of other days, places or lengths are
            not used.
    """
    last = panel.num_periods - 1 - config.period
    first = max(subject.first_cutoff, last - config.history * config.period)
    cutoffs = list(range(last, first - 1, -config.period))[::-1]
    kept = []
    if known is not None and len(known):
        known = of_length(known, panel.timeline, config.period)
        if "stocked" not in known:  # before 0.3: unknown stock was taken for a full shelf
            known = known.assign(stocked=np.nan)
        settled = {panel.timeline.date(c + 1): c for c in cutoffs[:-SETTLED]}
        usable = known[known["start"].isin(list(settled)) & known["cost"].notna()]
        if set(usable["location"]) == set(locations_of(panel).astype(str)):
            usable = usable.assign(cutoff=usable["start"].map(settled))
            if IN_SAMPLE not in usable:
                usable[IN_SAMPLE] = True
            kept = [usable]
            done = set(usable["cutoff"])
            cutoffs = [c for c in cutoffs if c not in done]
    fresh = performance_records(subject.forecasts, panel, cutoffs, subject.scoring)
    fresh[IN_SAMPLE] = fresh["cutoff"] + 1 < subject.trained_stop
    return pd.concat([*kept, fresh], ignore_index=True).sort_values(
        ["cutoff", "location"], ignore_index=True
    )
