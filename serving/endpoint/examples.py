"""Examples that the published contract shows; a test holds them against the models."""

from typing import Any

from invopt import __version__
from serving.api.contract import SCHEMA_VERSION
from serving.api.tensors import EXTENSIONS, PLATFORM
from serving.endpoint.protocols import input_types, output_types

_PLAN: dict[str, Any] = {
    "lead_time": 2,
    "review_period": 7,
    "critical_ratio": 0.952381,
    "expected_demand": 41.3,
    "level_quantiles": {"0.5": 41.0, "0.95": 56.0},
    "reorder_point": 52.0,
    "order_up_to_level": 56.0,
    "safety_stock": 14.7,
    "order_quantity": 24.0,
    "expected_holding_cost": 1.92,
    "expected_stockout_cost": 0.81,
    "unavoidable_stockout_units": 0.4,
    "unavoidable_stockout_cost": 0.98,
    "stockout_in": None,
    "cost_of_one_less": 0.35,
    "cost_of_one_more": 0.12,
    "exception": "",
    "reason": "position 32 is below the level 56: expected demand 41.3 and safety stock 14.7; one "
    "pack (12) less costs EUR 0.35 more, one more costs EUR 0.12 more",
    "reason_code": "below_level",
}
_LATER = _PLAN | {"lead_time": 3, "expected_demand": 46.1, "order_quantity": 36.0}
_DECISION: dict[str, Any] = {
    "unique_id": "P001_S01",
    "cutoff": "2026-11-27",
    "frequency": "D",
    "dates": ["2026-11-28", "2026-11-29", "2026-11-30"],
    "currency": "EUR",
    "mean": [4.2, 6.9, 3.1],
    "quantiles": {"0.5": [4.0, 7.0, 3.0], "0.95": [8.0, 12.0, 7.0]},
    **_PLAN,
    "on_hand": 12.0,
    "on_order": 20.0,
    "model_version": "demo-7",
    "segment": "AX",
    "policy_version": "auto-3f2a90c1",
    "known_at": "2026-11-28T00:00:00+00:00",
    "feature_age_s": 12862.4,
    "degraded": None,
    "what_if": _LATER
    | {
        "mean": [4.2, 6.9, 3.1],
        "difference": {"expected_demand": 4.8, "order_quantity": 12.0},
    },
    "attributions": None,
}
V1_REQUEST: dict[str, Any] = {
    "instances": [
        {
            "unique_id": "P001_S01",
            "position": {"on_hand": 12, "on_order": 20, "arrivals": [0, 20]},
            "what_if": {"lead_time": 3},
        },
        "P999_S01",
    ]
}
V1_RESPONSE: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION,
    "predictions": [
        _DECISION,
        {
            "unique_id": "P999_S01",
            "error": "the feature store has no features of this series: look at its name, or send "
            "features.sales.",
            "code": "unknown_series",
        },
    ],
}
V2_REQUEST: dict[str, Any] = {
    "id": "planner-42",
    "inputs": [
        {"name": "unique_id", "datatype": "BYTES", "shape": [2], "data": ["P000_S00", "P001_S01"]},
        {"name": "lead_time", "datatype": "INT64", "shape": [2], "data": [2, 3]},
    ],
    "outputs": [{"name": "order_quantity"}],
}
V2_RESPONSE: dict[str, Any] = {
    "id": "planner-42",
    "model_name": "demo",
    "model_version": "7",
    "outputs": [
        {"name": "order_quantity", "datatype": "FP64", "shape": [2], "data": [0.0, 36.0]},
    ],
    "parameters": {"schema_version": SCHEMA_VERSION},
}
SERVER: dict[str, Any] = {
    "name": "invopt",
    "version": __version__,
    "extensions": list(EXTENSIONS),
}
MODEL: dict[str, Any] = {
    "name": "demo",
    "versions": ["7"],
    "platform": PLATFORM,
    "inputs": input_types(),
    "outputs": output_types(28),
}
ERRORS: dict[int, dict[str, str]] = {
    400: {
        "error": "instances.0.on_hand is not known; did you mean position.on_hand?",
        "code": "invalid_request",
    },
    401: {"error": "send the bearer token of this server.", "code": "unauthorized"},
    404: {
        "error": "there is no model of this name here; there is demo.",
        "code": "not_found",
    },
    405: {"error": "this operation takes GET.", "code": "method_not_allowed"},
    408: {"error": "the body did not arrive within 10 s.", "code": "slow_request"},
    413: {"error": "a body may have 8388608 bytes at most.", "code": "too_large"},
    429: {"error": "64 requests are waiting already; try again.", "code": "busy"},
    500: {"error": "something went wrong here; it has been logged.", "code": "internal"},
    503: {"error": "the feature store does not answer; try again shortly.", "code": "unavailable"},
    504: {"error": "no answer within 10 s.", "code": "timeout"},
}
