"""Decisions as they are sent and as they are logged."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from serving.answers.plans import PlanSheet, plain
from serving.api.contract import Step
from serving.stores.feature_store import ARRIVALS
from serving.stores.prediction_log import PRICED

PLANNED = (
    "lead_time", "review_period", "critical_ratio", "order_quantity", "order_up_to_level",
    "reorder_point", "safety_stock", "expected_demand", "expected_holding_cost",
    "expected_stockout_cost",
)  # fmt: skip
COMPARED = (
    "expected_demand", "order_quantity", "order_up_to_level", "reorder_point", "safety_stock",
    "expected_holding_cost", "expected_stockout_cost",
)  # fmt: skip
_LOGGED = ("unique_id", "model_version", "policy_version", *PLANNED)
_KNOWN = ("on_hand", "on_order", "backorders", *PRICED)


def _said(sheet: PlanSheet, rows: list[int]) -> dict[str, Any]:
    """Return the columns that few rows have: faults and overrides."""
    found: dict[str, Any] = {}
    if any(sheet.faults):
        found["data_fault"] = [sheet.faults[k] for k in rows]
    if any(said is not None for said in sheet.said):
        said = [sheet.said[k] for k in rows]
        found["override_mean"] = [None if s is None else s.mean for s in said]
        found["override_order"] = [np.nan if s is None else s.order for s in said]
    return found


class AnswerWriter:
    """Writes the answers of a sheet's rows; what they share is worked out once.

    Args:
        sheet: Holds the forecasts.
        policy_version: Of the ordering rules.
        model: What people call the model.
        now: Seconds since 1970.
        currency: Of money, None where the configuration does not say.
    """

    def __init__(
        self,
        sheet: PlanSheet,
        policy_version: str,
        model: str,
        now: float,
        currency: str | None = None,
    ) -> None:
        self.sheet = sheet
        own = (Step.FRESH, Step.STALE)
        makers = sheet.makers or [model] * len(sheet.steps)
        self._models = [
            maker or model if step in own else step.value.replace("_", " ")
            for maker, step in zip(makers, sheet.steps, strict=True)
        ]
        forecast = sheet.forecast
        self._mean = forecast.mean.astype(np.float64).round(4)
        quantiles = forecast.quantiles.transpose(0, 2, 1).astype(np.float64)
        self._quantiles = np.ascontiguousarray(quantiles.round(4))
        self._levels = [f"{q:g}" for q in forecast.quantile_levels]
        self._position = {n: plain(sheet.position[n]) for n in ("on_hand", "on_order")}
        known_at = datetime.fromtimestamp(sheet.known_at, UTC)
        self._age = age_of(sheet.known_at, now)
        self._shared = {
            "cutoff": sheet.cutoff,
            "frequency": sheet.frequency,
            "dates": list(sheet.dates),
            "currency": currency,
            "policy_version": policy_version,
            "known_at": known_at.isoformat(),
            "feature_age_s": self._age,
        }

    @property
    def feature_age_s(self) -> float:
        """Age of the sales these answers are based on."""
        return self._age

    def decision(self, unique_id: str, at: int, plan: dict[str, Any]) -> dict[str, Any]:
        """Return a Decision; arrays stay numpy, for orjson."""
        step = self.sheet.steps[at]
        return {
            "unique_id": unique_id,
            "mean": self._mean[at],
            "quantiles": dict(zip(self._levels, self._quantiles[at], strict=True)),
            **plan,
            "on_hand": self._position["on_hand"][at],
            "on_order": self._position["on_order"][at],
            "model_version": self.sheet.versions[at],
            "model": self._models[at],
            "segment": self.sheet.segments[at],
            **self._shared,
            "degraded": None
            if step is Step.FRESH
            else {"step": step.value, "reason": self.sheet.reasons[at]},
        }

    def assumed(self, at: int, plan: dict[str, Any], as_is: dict[str, Any]) -> dict[str, Any]:
        """Return a WhatIfPlan.

        Args:
            at: Row of the forecast under the assumptions.
            plan: Made from it.
            as_is: The decision it stands in.
        """
        difference = {
            name: None
            if plan[name] is None or as_is[name] is None
            else round(plan[name] - as_is[name], 6)
            for name in COMPARED
        }
        return {**plan, "mean": self._mean[at], "difference": difference}


def age_of(known_at: float, now: float) -> float:
    """Return how old sales are, seconds: a clock set back must not make them come from later."""
    return round(max(0.0, now - known_at), 1)


def logged_of(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the prediction log keeps of a decision, beside what it was made from."""
    return {name: decision[name] for name in _LOGGED}


def log_columns(
    sheet: PlanSheet,
    rows: Sequence[int],
    decisions: Sequence[Mapping[str, Any]],
    request_ids: Sequence[str],
    what_if: Sequence[bool],
    *,
    now: float,
) -> dict[str, Any]:
    """Return rows of the prediction log, values by column.

    Args:
        sheet: The decisions were made from.
        rows: Of each.
        decisions: As they were answered, or what logged_of keeps of them.
        request_ids: Request of each.
        what_if: True where the caller changed something.
        now: When they were answered, seconds since 1970.
    """
    forecast, num, rows = sheet.forecast, len(rows), list(rows)
    longest = max(d["lead_time"] + d["review_period"] for d in decisions)
    known = sheet.products | {"price": sheet.price} | sheet.position
    levels = np.array(forecast.quantile_levels, np.float32)
    shared = {
        "served_at": datetime.fromtimestamp(now, UTC),
        "feature_age_s": age_of(sheet.known_at, now),
        "known_at": datetime.fromtimestamp(sheet.known_at, UTC),
        "cutoff": date.fromisoformat(sheet.cutoff),
    }
    return (
        {name: [decision[name] for decision in decisions] for name in _LOGGED}
        | {name: [value] * num for name, value in shared.items()}
        | {
            "request_id": list(request_ids),
            "step": [sheet.steps[k].value for k in rows],
            "mean": forecast.mean[rows],
            "quantiles": forecast.smooth_quantiles[rows].reshape(num, -1),
            "levels": forecast.smooth_levels[rows, :longest].reshape(num, -1),
            "arrivals": sheet.position[ARRIVALS][rows],
            **_said(sheet, rows),
            "quantile_levels": np.tile(levels, (num, 1)),
            "what_if": list(what_if),
        }
        | {name: known[name][rows].tolist() for name in _KNOWN if name in known}
    )
