"""Decisions as they are sent and as they are logged."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from serving.contract import Step
from serving.plans import Sheet


def answer_of(
    unique_id: str, sheet: Sheet, at: int, plan: dict[str, Any], policy_version: str, now: float
) -> dict[str, Any]:
    """Return a Decision; arrays stay numpy, for orjson.

    Args:
        unique_id: Series.
        sheet: Holds its forecast.
        at: Its row.
        plan: As things stand.
        policy_version: Of the ordering rules.
        now: Seconds since 1970.
    """
    forecast, step = sheet.forecast, sheet.steps[at]
    quantiles = np.round(forecast.quantiles[at].T.clip(min=0).astype(np.float64), 4)
    levels = [f"{q:g}" for q in forecast.quantile_levels]
    return {
        "unique_id": unique_id,
        "cutoff": sheet.cutoff,
        "mean": np.round(forecast.mean[at].astype(np.float64), 4),
        "quantiles": dict(zip(levels, np.ascontiguousarray(quantiles), strict=True)),
        **plan,
        "on_hand": _number(sheet.position["on_hand"][at]),
        "on_order": _number(sheet.position["on_order"][at]),
        "model_version": sheet.versions[at],
        "policy_version": policy_version,
        "known_at": datetime.fromtimestamp(sheet.known_at, UTC).isoformat(),
        # A clock set back must not make features come from the future.
        "feature_age_s": round(max(0.0, now - sheet.known_at), 1),
        "degraded": None
        if step is Step.FRESH
        else {"step": step.value, "reason": sheet.reasons[at]},
    }


def assumed_of(sheet: Sheet, at: int, plan: dict[str, Any]) -> dict[str, Any]:
    """Return a WhatIfPlan."""
    return {**plan, "mean": np.round(sheet.forecast.mean[at].astype(np.float64), 4)}


def log_row(
    answer: dict[str, Any], sheet: Sheet, at: int, now: float, request_id: str, *, what_if: bool
) -> dict[str, Any]:
    """Return a row of the prediction log."""
    same = (
        "unique_id", "model_version", "policy_version", "feature_age_s", "lead_time",
        "review_period", "critical_ratio", "order_quantity", "order_up_to_level",
        "reorder_point", "safety_stock", "on_hand", "on_order", "expected_demand",
        "expected_holding_cost", "expected_stockout_cost",
    )  # fmt: skip
    return {name: answer[name] for name in same} | {
        "request_id": request_id,
        "served_at": datetime.fromtimestamp(now, UTC),
        "step": sheet.steps[at].value,
        "known_at": datetime.fromtimestamp(sheet.known_at, UTC),
        "cutoff": date.fromisoformat(sheet.cutoff),
        "mean": sheet.forecast.mean[at].tolist(),
        "quantile_levels": list(sheet.forecast.quantile_levels),
        "quantiles": sheet.forecast.quantiles[at].clip(min=0).ravel().tolist(),
        "what_if": what_if,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
