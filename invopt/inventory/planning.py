"""Orders for one review date, with what each is expected to cost and why it was placed."""

import numpy as np
import pandas as pd

from invopt import contracts
from invopt.config import InventoryConfig
from invopt.inventory.costs import last_prices, terms_of
from invopt.inventory.decision import Decision, Forecast, decide
from invopt.inventory.reasons import reasons_of
from invopt.inventory.stock import Stock
from invopt.panel import Panel


def plan_orders(
    panel: Panel,
    forecast: Forecast,
    stock: Stock,
    config: InventoryConfig,
    model_version: str,
    *,
    is_count: bool,
) -> tuple[pd.DataFrame, Decision]:
    """Return the OrderPlan of a review, one row per series in order, and the decision behind it.

    Where the stock is not known the levels are given and nothing is ordered; `reason` says so.

    Args:
        panel: Up to the review; its last period is the review date.
        forecast: Of its series from its last period.
        stock: Of its series.
        config: Costs and policy.
        model_version: Put on every row.
        is_count: True when sales are whole numbers.
    """
    terms = terms_of(panel.series, last_prices(panel), config)
    decision = decide(forecast, terms, stock, config, is_count=is_count)
    levels = decision.levels
    plan = pd.DataFrame(
        {
            "unique_id": panel.unique_ids.astype(str),
            "order_quantity": decision.quantity,
            "order_up_to_level": np.maximum(levels.order_up_to, 0),
            "reorder_point": levels.reorder_point,
            "safety_stock": levels.safety_stock,
            "on_hand": stock.on_hand,
            "on_order": stock.on_order,
            "expected_holding_cost": decision.holding_cost,
            "expected_stockout_cost": decision.stockout_cost,
            "model_version": model_version,
            "review_date": f"{panel.timeline.last:%Y-%m-%d}",
            "expected_demand": levels.expected_demand,
            "cost_of_one_less": decision.one_less,
            "cost_of_one_more": decision.one_more,
            "reason": reasons_of(decision, stock),
        }
    )
    return contracts.check(plan, contracts.OrderPlan), decision
