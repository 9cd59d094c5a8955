"""From series names to decisions: features read, window built, model asked, policy applied."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.config import Config
from invopt.features.tables import GROUP_KEY, SERIES_KEY, TIMESTAMP, group_ids, panel_from_tables
from invopt.forecasts import ForecastArrays
from invopt.inventory import plan_orders, stock_of
from invopt.panel import Panel
from invopt.runtime import OnnxForecaster
from serving.feature_store import open_store, read_layout
from serving.settings import Settings

_STOCK = ("on_hand", "on_order", "backorders", "current_lead_time")


@dataclass(frozen=True)
class Window:
    """What the online store knows of some series.

    Attributes:
        panel: Of the series that are known, sorted.
        position: Their stock, NaN where unknown.
        known_at: When their features were known, seconds since 1970.
        unknown: Series the store has no features of.
    """

    panel: Panel | None
    position: pd.DataFrame | None
    known_at: float
    unknown: list[str]


class OnlineFeatures:
    """Reads windows of series from the online store.

    Args:
        settings: Where the store is.
    """

    def __init__(self, settings: Settings) -> None:
        self.store = open_store(settings)
        self.layout = read_layout(settings)
        self.service = self.store.get_feature_service("inference")
        self._groups: dict[str, Any] = {}
        self._groups_read = float("-inf")

    def read(self, unique_ids: Sequence[str]) -> Window:
        """Return the window of each series; repeated names are read once."""
        names = sorted(set(unique_ids))
        found = self.store.get_online_features(
            self.service, [{SERIES_KEY: name} for name in names]
        ).to_dict(include_event_timestamps=True)
        known = [i for i, sales in enumerate(found["sales"]) if sales is not None]
        unknown = [names[i] for i in range(len(names)) if i not in set(known)]
        if not known:
            return Window(None, None, float("nan"), unknown)
        rows = {column: [values[i] for i in known] for column, values in found.items()}
        known_at = max(rows["sales__ts"])
        rows[TIMESTAMP] = [pd.Timestamp(known_at, unit="s")]
        panel = panel_from_tables(rows, self._group_rows(rows), self.layout)
        position = pd.DataFrame({SERIES_KEY: panel.unique_ids.astype(str)})
        for name in _STOCK:
            position[name] = np.array(rows[name], np.float64)
        return Window(panel, position, float(known_at), unknown)

    def _group_rows(self, rows: dict[str, Any]) -> dict[str, Any]:
        if not self.layout.group_channels:
            return {}
        columns = {name: rows[name] for name in self.layout.static}
        series = pd.DataFrame({SERIES_KEY: rows[SERIES_KEY]} | columns)
        keys = group_ids(series, self.layout)
        service = self.store.get_feature_service("inference_groups")
        found: dict[str, Any] = self.store.get_online_features(
            service, [{GROUP_KEY: key} for key in keys]
        ).to_dict()
        return found


class Decider:
    """Answers with decisions for series, by the model of one folder.

    Args:
        model: Model folder.
        version: Of the model.
        features: Online features.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self,
        model: Path,
        version: str,
        features: OnlineFeatures,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.forecaster = OnnxForecaster(model, num_threads=1)
        training = json.loads((model / "training.json").read_text())
        self.config = Config.model_validate(training["config"])
        self.version, self.features, self.clock = version, features, clock

    def decide(self, unique_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return a decision for every name, in order; unknown series say so."""
        window = self.features.read(unique_ids)
        decisions: dict[str, dict[str, Any]] = {
            name: {"unique_id": name, "error": {"code": "unknown_series"}}
            for name in window.unknown
        }
        if window.panel is not None:
            decisions |= self._decide_known(window)
        return [decisions[name] for name in unique_ids]

    def _decide_known(self, window: Window) -> dict[str, dict[str, Any]]:
        panel, position = window.panel, window.position
        assert panel is not None
        assert position is not None
        forecast = self.forecaster.predict(panel)
        columns = position.drop(columns="current_lead_time")
        plan, _ = plan_orders(
            panel,
            forecast,
            stock_of(panel.unique_ids, columns),
            self.config.inventory,
            self.version,
            is_count=self.forecaster.spec.is_count,
        )
        age = max(0.0, self.clock() - window.known_at)
        rows = plan.to_dict(orient="records")
        return {
            str(row["unique_id"]): _decision(dict(row), i, forecast, panel, age)  # type: ignore[arg-type]
            for i, row in enumerate(rows)
        }


def _decision(
    row: dict[str, Any], i: int, forecast: ForecastArrays, panel: Panel, age: float
) -> dict[str, Any]:
    """Return one answer: plain numbers, null where a number is not known."""
    plain = {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
    quantiles = forecast.quantiles[i].clip(min=0)
    return plain | {
        "cutoff": f"{panel.timeline.last:%Y-%m-%d}",
        "mean": forecast.mean[i].round(4).tolist(),
        "quantiles": {
            f"{level:g}": quantiles[:, number].round(4).tolist()
            for number, level in enumerate(forecast.quantile_levels)
        },
        "feature_age_s": round(age, 1),
        "degraded": None,
    }
