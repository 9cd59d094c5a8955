"""The simulator once more, in torch: what a policy costs, with the gradient of its levels.

The same periods in the same order as invopt.inventory.simulation, without packs and minimum
orders, which have no gradient. Equal to it, by test.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ReplayTerms:
    """Costs and rules shared by the series of a batch.

    Attributes:
        holding_N: Money per unit left at the end of a period.
        stockout_N: Money per unit of demand not served from stock.
        lead_time: Order at the end of t, on the shelf in t + lead_time + 1.
        review_period: Periods between orders.
        lost_sales: Unmet demand is lost; else it waits and is served first.
    """

    holding_N: Tensor
    stockout_N: Tensor
    lead_time: int
    review_period: int = 1
    lost_sales: bool = True


def replay_cost(
    demand_NT: Tensor,
    levels_NT: Tensor,
    terms: ReplayTerms,
    on_hand_N: Tensor,
    arrivals_NK: Tensor,
    *,
    warmup: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return holding and stock-out cost of an order-up-to policy, (N,) each, differentiable.

    Args:
        demand_NT: Units per period.
        levels_NT: Order-up-to level at the end of each period, units.
        terms: Of the series.
        on_hand_N: Units before period 0.
        arrivals_NK: Units that arrive at the start of period 0, 1, ...
        warmup: Periods at the start whose costs are left out.
    """
    num_periods = demand_NT.shape[1]
    demand, levels = demand_NT.unbind(1), levels_NT.unbind(1)
    nothing = torch.zeros_like(on_hand_N)
    due = list(arrivals_NK.unbind(1))
    due += [nothing] * (num_periods + terms.lead_time + 2 - len(due))
    stock, on_order = on_hand_N, arrivals_NK.sum(dim=1)
    waiting, held, short = nothing, nothing, nothing
    for period in range(num_periods):
        stock, on_order = stock + due[period], on_order - due[period]
        balance = stock - demand[period] - waiting
        stock, missing = balance.clamp(min=0), (-balance).clamp(min=0)
        if not terms.lost_sales:
            waiting = missing
        if period >= warmup:
            held, short = held + stock, short + missing
        if period % terms.review_period == 0:
            order = (levels[period] - (stock + on_order - waiting)).clamp(min=0)
            arrival = period + terms.lead_time + 1
            due[arrival] = due[arrival] + order
            on_order = on_order + order
    return held * terms.holding_N, short * terms.stockout_N
