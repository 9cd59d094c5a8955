"""What a replay of an ordering rule came to, by series and in all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from invopt.types import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Totals of a replay by series; every array is (series,).

    Attributes:
        holding_cost: Money.
        stockout_cost: Money.
        demand: Units asked for.
        served: Units sold from stock in the period they were asked for.
        ordered: Units ordered.
        received: Units received.
        stock: Sum over periods of units left at the end.
        stockouts: Periods with unmet demand.
        cycles: Periods with demand.
        closing: Units left at the end of the replay.
        backorders: Units waiting at the end.
        order_variance: Variance of the order quantity over reviews.
        order_change: Sum over reviews of the units by which an order differs from the one before.
        num_periods: Periods counted.
    """

    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    demand: FloatArray = field(repr=False)
    served: FloatArray = field(repr=False)
    ordered: FloatArray = field(repr=False)
    received: FloatArray = field(repr=False)
    stock: FloatArray = field(repr=False)
    stockouts: FloatArray = field(repr=False)
    cycles: FloatArray = field(repr=False)
    closing: FloatArray = field(repr=False)
    backorders: FloatArray = field(repr=False)
    order_variance: FloatArray = field(repr=False)
    order_change: FloatArray = field(repr=False)
    num_periods: int

    @property
    def cost(self) -> FloatArray:
        """Holding and stock-out cost, money."""
        return self.holding_cost + self.stockout_cost

    @classmethod
    def among(
        cls, num: int, parts: "Sequence[tuple[IntArray, Replay]]", unknown: IntArray
    ) -> "Replay":
        """Return the replays of some series among `num`: of `unknown` ones nothing is known.

        Of all others nothing is counted.

        Args:
            num: Series in all.
            parts: Rows of series, and their replay over as many periods as the others'.
            unknown: Rows.
        """
        found: dict[str, Any] = dict(vars(parts[0][1]))
        for name, values in found.items():
            if isinstance(values, np.ndarray):
                found[name] = np.zeros(num)
                for rows, part in parts:
                    found[name][rows] = getattr(part, name)
                found[name][unknown] = np.nan
        return cls(**found)

    def summary(self) -> dict[str, float]:
        """Return the totals as the field's indicators.

        fill_rate is units served over units asked for; cycle_service the share of periods with
        demand that had no shortage; turns are units served per unit of mean stock over the
        replay; periods_of_cover is mean stock over mean demand; order_change is the units by which
        orders change from one review to the next, over the units ordered: 0 where every review
        orders alike, 2 where a series orders at every other review.
        """
        demand, mean_stock = self.demand.sum(), self.stock.sum() / self.num_periods
        return {
            "cost": float(self.cost.sum()),
            "holding_cost": float(self.holding_cost.sum()),
            "stockout_cost": float(self.stockout_cost.sum()),
            "fill_rate": float(self.served.sum() / demand) if demand else 1.0,
            "cycle_service": float(1 - self.stockouts.sum() / max(1.0, self.cycles.sum())),
            "mean_stock": float(mean_stock),
            "turns": float(self.served.sum() / mean_stock) if mean_stock else float("inf"),
            "periods_of_cover": float(mean_stock * self.num_periods / demand) if demand else 0.0,
            "order_variance": float(self.order_variance.sum()),
            "order_change": float(self.order_change.sum() / max(1e-9, self.ordered.sum())),
            "ordered": float(self.ordered.sum()),
            "received": float(self.received.sum()),
        }
