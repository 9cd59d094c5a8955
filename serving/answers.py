"""Decisions as they are sent and as they are logged."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from serving.contract import Step
from serving.plans import Sheet, plain

_LOGGED = (
    "unique_id", "model_version", "policy_version", "feature_age_s", "lead_time",
    "review_period", "critical_ratio", "order_quantity", "order_up_to_level", "reorder_point",
    "safety_stock", "on_hand", "on_order", "expected_demand", "expected_holding_cost",
    "expected_stockout_cost",
)  # fmt: skip


class AnswerWriter:
    """Writes the answers of a sheet's rows; what they share is worked out once.

    Args:
        sheet: Holds the forecasts.
        policy_version: Of the ordering rules.
        now: Seconds since 1970.
        request_id: Of the request.
    """

    def __init__(self, sheet: Sheet, policy_version: str, now: float, request_id: str) -> None:
        self.sheet, self.now, self.request_id = sheet, now, request_id
        forecast = sheet.forecast
        self._mean = forecast.mean.astype(np.float64).round(4)
        quantiles = forecast.quantiles.transpose(0, 2, 1).clip(min=0).astype(np.float64)
        self._quantiles = np.ascontiguousarray(quantiles.round(4))
        self._levels = [f"{q:g}" for q in forecast.quantile_levels]
        self._position = {n: plain(sheet.position[n]) for n in ("on_hand", "on_order")}
        known_at = datetime.fromtimestamp(sheet.known_at, UTC)
        # A clock set back must not make features come from the future.
        self._age = round(max(0.0, now - sheet.known_at), 1)
        self._shared = {
            "cutoff": sheet.cutoff,
            "policy_version": policy_version,
            "known_at": known_at.isoformat(),
            "feature_age_s": self._age,
        }
        self._logged = {
            "request_id": request_id,
            "served_at": datetime.fromtimestamp(now, UTC),
            "known_at": known_at,
            "cutoff": date.fromisoformat(sheet.cutoff),
            "quantile_levels": list(forecast.quantile_levels),
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
            **self._shared,
            "degraded": None
            if step is Step.FRESH
            else {"step": step.value, "reason": self.sheet.reasons[at]},
        }

    def assumed(self, at: int, plan: dict[str, Any]) -> dict[str, Any]:
        """Return a WhatIfPlan."""
        return {**plan, "mean": self._mean[at]}

    def log_row(self, decision: dict[str, Any], at: int, *, what_if: bool) -> dict[str, Any]:
        """Return a row of the prediction log."""
        forecast = self.sheet.forecast
        return (
            {name: decision[name] for name in _LOGGED}
            | self._logged
            | {
                "step": self.sheet.steps[at].value,
                "mean": forecast.mean[at],
                "quantiles": forecast.quantiles[at].clip(min=0).ravel(),
                "what_if": what_if,
            }
        )
