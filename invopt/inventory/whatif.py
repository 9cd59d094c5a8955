"""What other service levels and lead times would cost, read off one forecast."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.levels import expected_shortage_and_excess, levels_over, quantile_at
from invopt.types import FloatArray


@dataclass(frozen=True)
class Outlook:
    """What a choice comes to per review period, all series together.

    Attributes:
        demand: Expected, units.
        shortage: Expected units not served from stock.
        level: Sum of order-up-to levels, units.
        holding_cost: Expected, money.
        stockout_cost: Expected, money.
    """

    demand: float
    shortage: float
    level: float
    holding_cost: float
    stockout_cost: float

    def __add__(self, other: "Outlook") -> "Outlook":
        mine, theirs = asdict(self), asdict(other)
        return Outlook(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def fill_rate(self) -> float:
        """Expected share of units served from stock."""
        return 1 - self.shortage / self.demand if self.demand else 1.0

    @property
    def cost(self) -> float:
        """Expected holding and stock-out cost, money."""
        return self.holding_cost + self.stockout_cost


def outlook(
    mean: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: npt.NDArray[np.floating],  # type: ignore[type-arg]
    level_quantiles: tuple[float, ...],
    terms: Terms,
    ratio: FloatArray | None = None,
) -> Outlook:
    """Return what order-up-to levels at a critical ratio come to in the long run.

    Shortage per review period is E(D_{L+R} - S)+ - E(D_L - S)+: what is short at the end of the
    interval less what was short before it began (Hadley and Whitin, 1963, section 5-2).

    Args:
        mean: (series, horizon) units per period.
        levels: (series, horizon, Q) quantiles of demand over 1..horizon periods.
        level_quantiles: Q levels.
        terms: Of the series; their ratio is used where none is given.
        ratio: (series,) in (0, 1).

    Example:
        The newsvendor of `quantile_at`, holding 0.18 and a missed unit 0.70, at its best level of
        56.60 costs 1.9976 (Snyder and Shen, Fundamentals of Supply Chain Theory, example 4.3):

        >>> from scipy.stats import norm
        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> costs = {"unique_id": ["a"], "holding_cost": [0.18], "stockout_cost": [0.7]}
        >>> terms = terms_of(costs, None, InventoryConfig(lead_time=0, review_period=1))
        >>> shares = tuple(np.arange(1, 1000) / 1000)
        >>> found = outlook(np.array([[50.0]]), norm.ppf(shares, 50, 8)[None, None], shares, terms)
        >>> round(found.level, 1), round(found.cost, 2)
        (56.6, 2.0)
    """
    chosen = terms.critical_ratio if ratio is None else ratio
    over = levels_over(levels, terms.protection_interval.astype(np.float64))
    before = levels_over(levels, terms.lead_time.astype(np.float64))
    level = quantile_at(over, level_quantiles, chosen)
    short, excess = expected_shortage_and_excess(over, level_quantiles, level)
    earlier, _ = expected_shortage_and_excess(before, level_quantiles, level)
    short = np.maximum(short - earlier, 0)
    total = np.concatenate([np.zeros((len(mean), 1)), mean.cumsum(axis=1)], axis=1)
    rows = np.arange(len(mean))
    demand = total[rows, terms.protection_interval] - total[rows, terms.lead_time]
    return Outlook(
        float(demand.sum()),
        float(short.sum()),
        float(level.sum()),
        float((excess * terms.holding_cost * terms.review_period).sum()),
        float((short * terms.stockout_cost).sum()),
    )


def frontier(
    mean: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: npt.NDArray[np.floating],  # type: ignore[type-arg]
    level_quantiles: tuple[float, ...],
    terms: Terms,
) -> list[Outlook]:
    """Return the outlook at every level of the forecast, the same ratio for all series.

    Example:
        Demand uniform up to 90, and one in ten above that 24.9 more (exponential): a level S below
        misses what of 50 and 2.5 it does not reach, and holds S^2 / 200:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> costs = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, costs)
        >>> mean, levels = np.array([[50.0]]), np.array([[[10.0, 50.0, 90.0]]])
        >>> found = frontier(mean, levels, (0.1, 0.5, 0.9), terms)
        >>> [(round(each.fill_rate, 4), round(each.holding_cost, 4)) for each in found]
        [(0.1503, 0.5), (0.7103, 12.5), (0.9503, 40.5)]
    """
    return [
        outlook(mean, levels, level_quantiles, terms, np.full(len(mean), level))
        for level in level_quantiles
    ]


def with_lead_time(terms: Terms, change: int) -> Terms:
    """Return the terms with every lead time longer by `change` periods, none below 0.

    Example:
        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> series = {"unique_id": ["a", "b"], "lead_time": [1, 7]}
        >>> terms = terms_of(series, None, InventoryConfig())
        >>> with_lead_time(terms, -2).lead_time.tolist()
        [0, 5]
    """
    return replace(terms, lead_time=np.maximum(terms.lead_time + change, 0))


def marginal_costs(outlooks: Sequence[Outlook]) -> list[tuple[float, float]]:
    """Return (fill rate, holding cost of one more percent point of it) between neighbours.

    Example:
        From 90 to 95 % of 100 units holding costs 10 more, 2 a percent point:

        >>> low = Outlook(demand=100, shortage=10, level=110, holding_cost=5, stockout_cost=0)
        >>> high = Outlook(demand=100, shortage=5, level=130, holding_cost=15, stockout_cost=0)
        >>> [(round(rate, 4), round(cost, 4)) for rate, cost in marginal_costs([low, high])]
        [(0.925, 2.0)]
    """
    found = []
    for low, high in pairwise(outlooks):
        gain = 100 * (high.fill_rate - low.fill_rate)
        if gain > 1e-6:
            found.append(
                (
                    (low.fill_rate + high.fill_rate) / 2,
                    (high.holding_cost - low.holding_cost) / gain,
                )
            )
    return found
