"""The best order by enumeration: known demand, one series, period by period, nothing shared."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import poisson

from invopt.forecasts import ForecastArrays

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
SUMS = (0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def poisson_forecast(rates: np.ndarray, horizon: int) -> ForecastArrays:
    """Return the forecast that knows Poisson rates, in the form a network gives: with jitter."""
    rates = np.asarray(rates, float)

    def quantile(mean: float, levels: tuple[float, ...]) -> np.ndarray:
        counts = np.arange(int(mean + 12 * np.sqrt(mean) + 12))
        cdf = poisson.cdf(counts, mean)
        return np.interp(levels, np.r_[0.0, cdf], np.r_[-0.5, counts + 0.5])

    daily = np.stack([[quantile(r, LEVELS)] * horizon for r in rates])
    sums = np.stack([[quantile(r * k, SUMS) for k in range(1, horizon + 1)] for r in rates])
    mean = np.repeat(rates[:, None], horizon, axis=1).astype(np.float32)
    return ForecastArrays(
        mean, daily.astype(np.float32), sums.astype(np.float32), LEVELS, SUMS, is_count=True
    )  # fmt: skip


@dataclass
class Situation:
    """One series at a review; arrivals are units by the period ahead, from 1."""

    rate: float
    on_hand: float = 0.0
    backorders: float = 0.0
    arrivals: dict[int, float] = field(default_factory=dict)
    lead_time: int = 3
    review: int = 7
    holding: float = 0.024
    stockout: float = 3.5
    unit_cost: float = 6.0
    shelf_life: int | None = None
    lost_sales: bool = True
    pack: float = 1.0
    num_draws: int = 400

    def cost(self, quantity: float, seed: int = 7) -> float:
        """Return the cost of the order's own interval, by playing demand drawn afresh."""
        rng = np.random.default_rng(seed)
        total = 0.0
        last = self.lead_time + self.review
        play_to = last if self.shelf_life is None else max(last, self.lead_time + self.shelf_life)
        for _ in range(self.num_draws):
            # batches: [units, last period they can be sold in]
            life = self.shelf_life or 10**6
            batches = [[self.on_hand, life]]
            waiting = self.backorders
            for t in range(1, play_to + 1):
                come = self.arrivals.get(t, 0.0)
                if t == self.lead_time + 1:
                    come += quantity
                if come:
                    batches.append([come, t + life - 1])
                waiting = self._serve(batches, waiting)
                wanted = float(rng.poisson(self.rate))
                left = self._serve(batches, wanted)
                if t > self.lead_time and t <= last:
                    total += self.stockout * left
                if not self.lost_sales:
                    waiting += left
                for batch in batches:
                    if batch[1] == t:
                        total += self.unit_cost * batch[0] * (t > self.lead_time)
                        batch[0] = 0.0
                if self.lead_time < t <= last:
                    total += self.holding * sum(units for units, _ in batches)
        return total / self.num_draws

    @staticmethod
    def _serve(batches: list[list[float]], wanted: float) -> float:
        for batch in batches:
            sold = min(batch[0], wanted)
            batch[0] -= sold
            wanted -= sold
        return wanted

    def best(self) -> tuple[float, float]:
        """Return the best quantity among multiples of the pack, and its cost."""
        found, step = (0.0, self.cost(0.0)), self.pack
        most = self.rate * (self.review + self.lead_time) * 1.7 + 12 + self.backorders
        grid = np.arange(0, most + step, max(step, step * round(most / step / 24)))
        for quantity in grid:
            cost = self.cost(float(quantity))
            if cost < found[1]:
                found = (float(quantity), cost)
        return found
