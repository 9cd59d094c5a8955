"""Orders in the long run, exactly: lost sales, and a lead time within a review.

What is on the shelf at a review is then all there is to know, so that the cost of every rule is
that of a Markov chain and the best rule is found by going back from the last review. Nothing of
the library is used but its decision, which is asked at every stock.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import nbinom, poisson

from invopt.config import InventoryConfig
from invopt.forecasts import ForecastArrays
from invopt.inventory.costs import terms_of
from invopt.inventory.decision import decide
from invopt.inventory.stock import stock_of
from tests.invopt.inventory.oracle import LEVELS, SUMS

HOLDING, STOCKOUT, UNIT_COST = 0.024, 3.5, 6.0
_MANY = 1e12


def law_of(mean, dispersion=1.0):
    """Return P(demand = 0, 1, ...) of a period: Poisson, or negative binomial."""
    if mean <= 0:
        return np.ones(1)
    law = poisson(mean)
    if dispersion > 1:
        law = nbinom(mean / (dispersion - 1), 1 / dispersion)
    chances = law.pmf(np.arange(int(law.isf(1e-9)) + 2))
    chances[-1] += 1 - chances.sum()
    return chances


def _quantiles(law, levels):
    return np.interp(levels, np.r_[0.0, law.cumsum()], np.r_[-0.5, np.arange(len(law)) + 0.5])


def forecast_of_laws(laws, num):
    """Return the forecast that knows the law of every period, the same for all series."""
    whole, sums = np.ones(1), []
    for law in laws:
        whole = np.convolve(whole, law)
        sums.append(_quantiles(whole, SUMS))
    mean = np.array([law @ np.arange(len(law)) for law in laws])
    daily = np.stack([_quantiles(law, LEVELS) for law in laws])
    mean, daily, sums = (
        np.repeat(np.asarray(v, np.float32)[None], num, axis=0) for v in (mean, daily, sums)
    )
    return ForecastArrays(mean, daily, sums, LEVELS, SUMS, is_count=True)


class _Chains:
    """What some periods make of each stock, kept by the laws they have."""

    def __init__(self):
        self.known = {}

    def of(self, laws, most):
        """Return chances of what is left, and the money it costs, by the stock before."""
        key = (most, *map(id, laws))
        if key not in self.known:
            self.known[key] = (*self._played(laws, most), laws)
        return self.known[key][:2]

    def _played(self, laws, most):
        stock = np.arange(most + 1)
        chances, cost = np.eye(most + 1), np.zeros(most + 1)
        for law in laws:
            gone = stock[:, None] - stock
            units = np.clip(gone, 0, len(law))
            # what is left is more than nothing: asked for is the difference; else at least it all
            step = np.where(gone >= 0, np.r_[law, 0.0][units], 0.0)
            step[:, 0] = np.r_[law[::-1].cumsum()[::-1], 0.0][np.minimum(stock, len(law))]
            short = np.maximum(np.arange(len(law)) - stock[:, None], 0) @ law
            cost += STOCKOUT * (chances @ short)
            chances = chances @ step
            cost += HOLDING * (chances @ stock)
        return chances, cost


@dataclass
class Product:
    """One product, reviewed every seven periods, of which the order arrives after three."""

    pack: int = 1
    least: int = 0
    line: float = 0.0
    most: int = 150
    lead_time: int = 3
    review: int = 7
    horizon: int = 28
    terms: dict[str, float] = field(default_factory=dict)
    chains: _Chains = field(default_factory=_Chains, repr=False)

    @property
    def quantities(self):
        """Orders that are allowed."""
        found = np.arange(0, self.most + 1, self.pack)
        return found[(found == 0) | (found >= self.least)]

    def decided(self, laws, ends=None):
        """Return what the library orders at every stock."""
        num = self.most + 1
        config = InventoryConfig(
            lead_time=self.lead_time, review_period=self.review, holding_cost=HOLDING,
            stockout_cost=STOCKOUT,
        )  # fmt: skip
        given = {"pack_size": self.pack, "min_order": self.least, "unit_cost": UNIT_COST}
        if self.line:
            given["order_cost"] = self.line
        ids = np.array([f"s{n}" for n in range(num)], object)
        series = {"unique_id": ids} | {
            name: np.full(num, float(value)) for name, value in (given | self.terms).items()
        }
        terms = terms_of(series, None, config)
        if ends is not None:
            terms = replace(terms, ends_in=np.full(num, float(ends)))
            if ends <= self.lead_time + self.review + 1:
                terms = replace(terms, stranded=terms.unit_cost)
        there = pd.DataFrame({"unique_id": ids, "on_hand": np.arange(num, dtype=float)})
        return decide(
            forecast_of_laws(laws[: self.horizon], num), terms, stock_of(ids, there), config,
            is_count=True,
        )  # fmt: skip

    def costs(self, laws, after):
        """Return (stock, quantity) money until the next review, and after it."""
        before, waiting = self.chains.of(laws[: self.lead_time], self.most)
        later, own = self.chains.of(laws[self.lead_time : self.review], self.most)
        worth = own + later @ after
        there = np.arange(self.most + 1)[:, None] + self.quantities
        worth = np.where(there > self.most, _MANY, worth[np.minimum(there, self.most)])
        return waiting[:, None] + before @ worth + self.line * (self.quantities > 0)

    def taken(self, quantity):
        """Return places of quantities among those allowed; 0 where the shelf is too small."""
        stock = np.arange(self.most + 1)
        whole = np.where(stock + quantity <= self.most, quantity, 0)
        return np.searchsorted(self.quantities, whole)

    def long_run(self, law, reviews=400):
        """Return the money per review of our rule over that of the best, from an empty shelf."""
        laws = [law] * max(self.horizon, self.review)
        place = self.taken(self.decided(laws).quantity)
        ours, best = np.zeros(self.most + 1), np.zeros(self.most + 1)
        for _ in range(reviews):
            costs = self.costs(laws, ours)
            ours = np.take_along_axis(costs, place[:, None], axis=1)[:, 0]
            best = self.costs(laws, best).min(axis=1)
        return ours[0] / best[0]

    def until(self, laws, *, ends=None, left=0.0):
        """Return the money of our rule over that of the best, from an empty shelf until the end.

        Args:
            laws: Of all periods, in whole reviews.
            ends: First period in which nothing is sold any more, where that is known.
            left: Money lost per unit that is left at the end.
        """
        ours = best = left * np.arange(self.most + 1.0)
        steady = laws[-1] if ends is None else np.ones(1)
        places = {}
        for first in range(len(laws) - self.review, -1, -self.review):
            ahead = laws[first:] + [steady] * self.horizon
            due = None if ends is None else ends - first
            key = (due, *map(id, ahead[: self.horizon]))
            if key not in places:
                places[key] = self.taken(self.decided(ahead, due).quantity)
            costs, place = self.costs(ahead, ours), places[key]
            ours = np.take_along_axis(costs, place[:, None], axis=1)[:, 0]
            best = self.costs(ahead, best).min(axis=1)
        return ours[0] / best[0]
