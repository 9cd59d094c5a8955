"""Decisions: stock levels and orders from forecasts, and what they would have cost."""

from invopt.inventory.costs import Terms, last_prices, terms_of
from invopt.inventory.decision import OrderDecision, ReviewRules, decide
from invopt.inventory.levels import expected_shortage_and_excess, levels_over, quantile_at
from invopt.inventory.orders import order_up_to, round_order
from invopt.inventory.planning import Planned, plan_orders
from invopt.inventory.policy import Levels, levels_of
from invopt.inventory.replay import Replay
from invopt.inventory.segments import segments_of
from invopt.inventory.simulation import Opening, State, simulate
from invopt.inventory.stock import Stock, stock_of

__all__ = [
    "Levels",
    "Opening",
    "OrderDecision",
    "Planned",
    "Replay",
    "ReviewRules",
    "State",
    "Stock",
    "Terms",
    "decide",
    "expected_shortage_and_excess",
    "last_prices",
    "levels_of",
    "levels_over",
    "order_up_to",
    "plan_orders",
    "quantile_at",
    "round_order",
    "segments_of",
    "simulate",
    "stock_of",
    "terms_of",
]
