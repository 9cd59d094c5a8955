"""Decisions: stock levels and orders from forecasts, and what they would have cost."""

from invopt.inventory.costs import Terms, terms_of
from invopt.inventory.levels import expected_shortage_and_excess, levels_over, quantile_at
from invopt.inventory.planning import Orders, place_orders, plan_orders
from invopt.inventory.policy import Levels, levels_of
from invopt.inventory.simulation import Opening, Replay, order_up_to, simulate

__all__ = [
    "Levels",
    "Opening",
    "Orders",
    "Replay",
    "Terms",
    "expected_shortage_and_excess",
    "levels_of",
    "levels_over",
    "order_up_to",
    "place_orders",
    "plan_orders",
    "quantile_at",
    "simulate",
    "terms_of",
]
