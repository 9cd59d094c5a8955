"""Replay with a shelf life: the oldest stock is sold first, what is too old is thrown away."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.simulation import OrderRule, State

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PerishableReplay:
    """Totals of a replay by series; every array is (series,).

    Attributes:
        holding_cost: Money.
        stockout_cost: Money.
        waste_cost: Money; units thrown away at their unit cost.
        served: Units sold.
        received: Units received.
        expired: Units thrown away.
        closing: Units left.
    """

    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    waste_cost: FloatArray = field(repr=False)
    served: FloatArray = field(repr=False)
    received: FloatArray = field(repr=False)
    expired: FloatArray = field(repr=False)
    closing: FloatArray = field(repr=False)

    @property
    def cost(self) -> FloatArray:
        """Holding, stock-out and waste cost, money."""
        return self.holding_cost + self.stockout_cost + self.waste_cost


def simulate_perishable(
    demand: FloatArray,
    rule: OrderRule,
    terms: Terms,
    shelf_life: npt.NDArray[np.int64],
    on_hand: FloatArray,
) -> PerishableReplay:
    """Replay a rule where units can be sold in `shelf_life` periods, the one of arrival included.

    Demand that is not served is lost. Units that reach the end of their last period unsold are
    thrown away then and are not held. The opening stock is fresh.

    Args:
        demand: (series, periods) units.
        rule: What to order at the end of a review period; sees what is left after the waste.
        terms: Costs and lead times.
        shelf_life: (series,) periods, at least 1.
        on_hand: (series,) units before period 0, as old as if they arrived in it.
    """
    num, periods = demand.shape
    longest = int(shelf_life.max())
    # ages[k]: units that can be sold in k + 1 more periods, this one included.
    ages = np.zeros((longest, num))
    index = np.arange(num)
    due = np.zeros((periods + int(terms.lead_time.max()) + 2, num))
    due[0] = on_hand
    total = {name: np.zeros(num) for name in ("held", "short", "served", "received", "expired")}
    for t in range(periods):
        ages[shelf_life - 1, index] += due[t]
        if t:
            total["received"] += due[t]
        wanted = demand[:, t].astype(np.float64)
        for age in range(longest):
            sold = np.minimum(ages[age], wanted)
            ages[age] -= sold
            wanted = wanted - sold
            total["served"] += sold
        total["short"] += wanted
        total["expired"] += ages[0]
        ages[:-1] = ages[1:].copy()
        ages[-1] = 0
        stock = ages.sum(axis=0)
        total["held"] += stock
        if t % terms.review_period == 0:
            state = State(stock, due[t + 1 :].sum(axis=0), np.zeros(num), due[t + 1 :])
            due[t + terms.lead_time + 1, index] += rule(slice(0, num), t, state)
    return PerishableReplay(
        total["held"] * terms.holding_cost,
        total["short"] * terms.stockout_cost,
        total["expired"] * terms.unit_cost,
        total["served"],
        total["received"],
        total["expired"],
        ages.sum(axis=0),
    )


def perishable_ratio(terms: Terms, shelf_life: npt.NDArray[np.int64]) -> FloatArray:
    """Return the critical ratio where what outlasts the review is thrown away.

    A unit too many is held while it lasts; where its life ends before the next delivery can
    replace it, it costs its unit cost as well (Nahmias, Perishable Inventory Systems, 2011).
    """
    held = terms.holding_cost * np.minimum(shelf_life, terms.review_period)
    wasted = np.where(shelf_life <= terms.review_period, terms.unit_cost, 0.0)
    ratio: FloatArray = terms.stockout_cost / (terms.stockout_cost + held + wasted)
    return ratio
