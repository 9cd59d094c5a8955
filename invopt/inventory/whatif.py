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
    interval less what was short before it began (Hadley and Whitin, 1963, section 5-2). Ratios
    beyond the forecast's levels are taken at the outermost one.

    Args:
        mean: (series, horizon) units per period.
        levels: (series, horizon, Q) quantiles of demand over 1..horizon periods.
        level_quantiles: Q levels.
        terms: Of the series; their ratio is used where none is given.
        ratio: (series,) in (0, 1).
    """
    chosen = terms.critical_ratio if ratio is None else ratio
    chosen = np.clip(chosen, level_quantiles[0], level_quantiles[-1])
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
    """Return the outlook at every level of the forecast, the same ratio for all series."""
    return [
        outlook(mean, levels, level_quantiles, terms, np.full(len(mean), level))
        for level in level_quantiles
    ]


def with_lead_time(terms: Terms, change: int) -> Terms:
    """Return the terms with every lead time longer by `change` periods, none below 0."""
    return replace(terms, lead_time=np.maximum(terms.lead_time + change, 0))


def marginal_costs(outlooks: Sequence[Outlook]) -> list[tuple[float, float]]:
    """Return (fill rate, holding cost of one more percent point of it) between neighbours."""
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
