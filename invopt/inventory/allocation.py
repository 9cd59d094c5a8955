"""Limits that all series share: a budget, the room of a warehouse, the load of a truck.

Every limit gets a price. An order-up-to level at a critical ratio of (p - price) / (p + overage)
is the cheapest one when the use of the limit has that price; raising the prices until all limits
hold is the Lagrangian solution of the constrained newsvendor (Hadley and Whitin, 1963).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.levels import quantile_at
from invopt.inventory.orders import round_order

FloatArray = npt.NDArray[np.float64]
_BISECTIONS, _ROUNDS = 50, 20


@dataclass(frozen=True)
class Limit:
    """Something the orders of one review share.

    Attributes:
        name: For messages.
        use: (series,) what one unit ordered takes of it (money, cubic metres).
        total: What there is.
    """

    name: str
    use: FloatArray = field(repr=False)
    total: float


@dataclass(frozen=True)
class Allocation:
    """Orders within the limits.

    Attributes:
        quantity: (series,) units.
        prices: By limit: what one more unit of it would save; 0 where it does not bind.
    """

    quantity: FloatArray = field(repr=False)
    prices: dict[str, float]


def allocate(
    over_protection: npt.NDArray[np.floating],  # type: ignore[type-arg]
    level_quantiles: tuple[float, ...],
    position: FloatArray,
    terms: Terms,
    limits: Sequence[Limit],
) -> Allocation:
    """Return the orders of least expected cost that keep every limit.

    Args:
        over_protection: (series, Q) quantiles of demand over lead time and review period.
        level_quantiles: Q levels.
        position: (series,) units on hand and on order less backorders.
        terms: Of the series.
        limits: Shared by them.

    Raises:
        ValueError: If a limit is negative, or its use is.
    """
    for limit in limits:
        if limit.total < 0 or (limit.use < 0).any():
            raise ValueError(f"limit {limit.name} must not be negative, nor its use.")
    prices = np.zeros(len(limits))
    use = np.stack([limit.use for limit in limits]) if limits else np.zeros((0, len(position)))

    def quantity(at: FloatArray) -> FloatArray:
        overage = terms.holding_cost * terms.review_period
        ratio = (terms.stockout_cost - at @ use) / (terms.stockout_cost + overage)
        level = quantile_at(
            over_protection,
            level_quantiles,
            np.clip(ratio, level_quantiles[0], level_quantiles[-1]),
        )
        # Below the lowest quantile nothing is known but that demand is not negative.
        level = np.where(ratio < level_quantiles[0], level * ratio / level_quantiles[0], level)
        need = np.maximum(level - position, 0)
        return round_order(need, terms.pack_size, terms.min_order)

    # Prices only rise from round to round, and orders only fall: the limits met stay met.
    for _ in range(_ROUNDS):
        for number, limit in enumerate(limits):
            prices[number] = _price(quantity, prices, number, limit, terms)
        if all(limit.use @ quantity(prices) <= limit.total + 1e-9 for limit in limits):
            break
    names = [limit.name for limit in limits]
    return Allocation(quantity(prices), dict(zip(names, prices.tolist(), strict=True)))


def _price(
    quantity: "object", prices: FloatArray, number: int, limit: Limit, terms: Terms
) -> float:
    """Return the lowest price of one limit, the others' given, that keeps it."""
    assert callable(quantity)

    def used(price: float) -> float:
        changed = prices.copy()
        changed[number] = price
        return float(limit.use @ quantity(changed))

    low = float(prices[number])
    if used(low) <= limit.total:
        return low
    taken = limit.use > 0
    high = max(low, float((terms.stockout_cost[taken] / limit.use[taken]).max()))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if used(middle) <= limit.total:
            high = middle
        else:
            low = middle
    return high
