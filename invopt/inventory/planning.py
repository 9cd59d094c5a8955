"""Orders for one review date, with what each is expected to cost and why it was placed."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt import contracts
from invopt.inventory.costs import Terms
from invopt.inventory.levels import expected_shortage_and_excess
from invopt.inventory.policy import Levels
from invopt.inventory.simulation import round_order

FloatArray = npt.NDArray[np.float64]
NO_STOCK = "stock is not known"
BEYOND = "the critical ratio lies beyond the forecast's quantiles"


@dataclass(frozen=True)
class Orders:
    """Orders by series; NaN where the stock or the level is not known.

    Attributes:
        quantity: Units, whole packs.
        expected_holding_cost: Money over the protection interval after ordering.
        expected_stockout_cost: Likewise.
        reasons: One sentence each.
    """

    quantity: FloatArray = field(repr=False)
    expected_holding_cost: FloatArray = field(repr=False)
    expected_stockout_cost: FloatArray = field(repr=False)
    reasons: npt.NDArray[np.object_] = field(repr=False)


def place_orders(
    levels: Levels,
    level_quantiles: tuple[float, ...],
    terms: Terms,
    net: FloatArray,
) -> Orders:
    """Return what to order now, and what that is expected to cost.

    Expected costs are those of the protection interval after ordering: units short times the
    stock-out cost, units left times the holding cost of a review period.

    Args:
        levels: Of the series.
        level_quantiles: Levels of levels.over_protection.
        terms: Of the same series.
        net: (series,) inventory position, units; NaN where stock is not known.
    """
    missing = np.maximum(levels.order_up_to - net, 0)
    quantity = round_order(missing, terms.pack_size, terms.min_order)
    unknown = np.isnan(net) | np.isnan(levels.order_up_to)
    quantity = np.where(unknown, np.nan, quantity)
    after = np.nan_to_num(net + quantity)
    short, excess = expected_shortage_and_excess(levels.over_protection, level_quantiles, after)
    holding = excess * terms.holding_cost * terms.review_period
    return Orders(
        quantity,
        np.where(unknown, np.nan, holding),
        np.where(unknown, np.nan, short * terms.stockout_cost),
        _reasons(net, levels, quantity),
    )


def plan_orders(
    unique_ids: npt.NDArray[np.object_],
    levels: Levels,
    level_quantiles: tuple[float, ...],
    terms: Terms,
    position: pd.DataFrame | None,
    model_version: str,
) -> pd.DataFrame:
    """Return the OrderPlan: one row per series, in order.

    Costs as in place_orders. Where the stock is not known the levels are given and nothing is
    ordered; `reason` says so.

    Args:
        unique_ids: Series, in the order of the arrays.
        levels: Of the same series.
        level_quantiles: Levels of levels.over_protection.
        terms: Of the same series.
        position: StockPosition; None when no stock is known.
        model_version: Put on every row.
    """
    on_hand, on_order, backorders = _position(unique_ids, position)
    orders = place_orders(levels, level_quantiles, terms, on_hand + on_order - backorders)
    plan = pd.DataFrame(
        {
            "unique_id": unique_ids.astype(str),
            "order_quantity": orders.quantity,
            "order_up_to_level": levels.order_up_to,
            "reorder_point": levels.reorder_point,
            "safety_stock": levels.safety_stock,
            "on_hand": on_hand,
            "on_order": on_order,
            "expected_holding_cost": orders.expected_holding_cost,
            "expected_stockout_cost": orders.expected_stockout_cost,
            "model_version": model_version,
            "expected_demand": levels.expected_demand,
            "reason": orders.reasons,
        }
    )
    return contracts.check(plan, contracts.OrderPlan)


def _position(
    unique_ids: npt.NDArray[np.object_], position: pd.DataFrame | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if position is None:
        unknown = np.full(len(unique_ids), np.nan)
        return unknown, unknown.copy(), np.zeros(len(unique_ids))
    rows = position.set_index("unique_id").reindex(unique_ids)
    zero = pd.Series(0.0, index=rows.index)
    on_order = rows["on_order"] if "on_order" in rows else zero.where(rows["on_hand"].notna())
    backorders = rows["backorders"].fillna(0) if "backorders" in rows else zero
    return (
        np.asarray(rows["on_hand"], np.float64),
        np.asarray(on_order, np.float64),
        np.asarray(backorders, np.float64),
    )


def _reasons(
    net: npt.NDArray[np.float64], levels: Levels, quantity: npt.NDArray[np.float64]
) -> npt.NDArray[np.object_]:
    reasons = np.full(len(net), "", object)
    for i in range(len(net)):
        if np.isnan(levels.order_up_to[i]):
            reasons[i] = BEYOND
        elif np.isnan(net[i]):
            reasons[i] = NO_STOCK
        elif quantity[i] > 0:
            reasons[i] = (
                f"position {net[i]:g} is below the level {levels.order_up_to[i]:g} "
                f"(expected demand {levels.expected_demand[i]:.1f})"
            )
        else:
            reasons[i] = f"position {net[i]:g} covers the level {levels.order_up_to[i]:g}"
    return reasons
