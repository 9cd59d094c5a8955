"""What planners say instead of the forecast, as the endpoint knows it: that of the last review.

Overrides of a group are shared among its series by forecast, so only a review, which sees all of
them, knows what each series gets. It leaves that beside the published tables.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from invopt.files import read_json, replacing_file
from invopt.forecasts import read_forecast
from invopt.inventory.ahead import overrides_of
from invopt.inventory.reasons import Notes
from invopt.panel import Panel
from invopt.types import Float32Array
from serving.stores.alignment import periods_between

FILE = "overrides.npz"
_SAME = 1e-7  # share of a mean that is no change
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """What is said of one series.

    Attributes:
        mean: (horizon,) units to plan for, NaN where the forecast stands.
        order: Units to order now, NaN where none is said.
        text: Who says what and why.
    """

    mean: Float32Array = field(repr=False)
    order: float
    text: str


@dataclass(frozen=True)
class Overrides:
    """All that was said at the last review.

    Attributes:
        known_at: When its newest sales were known, seconds since 1970.
        by_series: By unique_id.
    """

    known_at: float = float("nan")
    by_series: dict[str, Said] = field(default_factory=dict, repr=False)

    def of(self, name: str, known_at: float, freq: str) -> Said | None:
        """Return what is said of a series from a time on, None where nothing is.

        Args:
            name: Series.
            known_at: When the sales it is answered by were known, seconds since 1970.
            freq: Of the periods.
        """
        said = self.by_series.get(name)
        if said is None or known_at == self.known_at:
            return said
        behind = periods_between(self.known_at, known_at, freq)
        if not 0 < behind < len(said.mean):
            return None
        mean = np.full_like(said.mean, np.nan)
        mean[: len(mean) - behind] = said.mean[behind:]
        if np.isnan(mean).all():
            return None
        return Said(mean, float("nan"), said.text)


def write_overrides(
    folder: Path,
    panels: Iterable[Panel],
    forecast: Path,
    overrides: pd.DataFrame | None,
    known_at: pd.Timestamp,
) -> int:
    """Write what overrides make of a review's forecast; returns the number of series.

    Args:
        folder: Of the published tables.
        panels: Partitions that were forecast, in order.
        forecast: Folder of the forecast.
        overrides: As planning reads them; None for none.
        known_at: When the newest sales were known, aware.
    """
    head = read_json(forecast / "forecast.json")
    names: list[str] = []
    means, orders, texts = [], [], []
    for number, panel in enumerate(panels if overrides is not None else ()):
        made = read_forecast(forecast, number, head)
        notes = Notes.none(panel.num_series)
        said = overrides_of(overrides, panel.series, made, panel.timeline, notes)
        same = np.abs(said.mean - made.mean) <= _SAME * (1 + said.mean)
        names += panel.unique_ids[said.rows].astype(str).tolist()
        means.append(np.where(same, np.nan, said.mean)[said.rows].astype(np.float32))
        orders.append(said.order[said.rows])
        texts += notes.after[said.rows].tolist()
    content: dict[str, Any] = {
        "known_at": np.array(known_at.timestamp()),
        "names": np.array(json.dumps(names)),
        "texts": np.array(json.dumps(texts)),
        "mean": np.concatenate(means) if means else np.zeros((0, 1), np.float32),
        "order": np.concatenate(orders) if orders else np.zeros(0),
    }
    with replacing_file(folder / FILE) as partial, partial.open("wb") as file:
        np.savez(file, **content)
    return len(names)


def read_overrides(folder: Path) -> Overrides:
    """Return what the last review left; nothing where there is none or it cannot be read."""
    if not (folder / FILE).is_file():
        return Overrides()
    try:
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            names, texts = (json.loads(str(arrays[n])) for n in ("names", "texts"))
            rows = zip(names, arrays["mean"], arrays["order"].tolist(), texts, strict=True)
            found = {name: Said(mean, order, text) for name, mean, order, text in rows}
            return Overrides(float(arrays["known_at"]), found)
    except (OSError, ValueError, KeyError, BadZipFile) as err:
        _logger.warning("%s cannot be read (%s): answers know no override", folder / FILE, err)
        return Overrides()
