"""Policies replayed on weeks that are over: what each forecast's decisions would have cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.inventory.costs import Terms
from invopt.inventory.policy import levels_of
from invopt.inventory.simulation import Opening, Replay, order_up_to, simulate

FloatArray = npt.NDArray[np.float64]


def replay_levels(
    forecasts: Mapping[int, Any], terms: Terms, num_periods: int, *, is_count: bool
) -> FloatArray:
    """Return (series, num_periods) order-up-to levels, one column per review, NaN between.

    Args:
        forecasts: Forecast by period at whose end it was made; period 0 is the first.
        terms: Of the series.
        num_periods: Periods of the replay.
        is_count: True when sales are whole numbers.
    """
    levels = np.full((len(terms.lead_time), num_periods), np.nan)
    for period, forecast in forecasts.items():
        found = levels_of(
            forecast.mean, forecast.levels, forecast.level_quantiles, terms, is_count=is_count
        )
        levels[:, period] = found.order_up_to
    return levels


def replay(
    levels: FloatArray,
    demand: FloatArray,
    terms: Terms,
    *,
    lost_sales: bool = True,
) -> Replay:
    """Replay order-up-to levels from the state every compared policy starts from.

    The replay starts at the end of period 0 with enough for lead time and review at the pace of
    the demand to come divided evenly; its demand is over. Costs count from the first period that
    an order of the policy can serve, max(lead_time) + 1: before it all policies are alike.

    Args:
        levels: (series, periods) order-up-to levels at reviews.
        demand: (series, periods) units; column 0 is not looked at.
        terms: Of the series.
        lost_sales: Unmet demand is lost; else it waits.
    """
    ahead = np.nan_to_num(demand).copy()
    ahead[:, 0] = 0
    pace = ahead[:, 1:].mean(axis=1)
    on_hand = np.rint(pace * (terms.lead_time + terms.review_period))
    opening = Opening(on_hand, np.zeros((len(demand), 0)))
    warmup = min(int(terms.lead_time.max()) + 1, demand.shape[1] - 1)
    return simulate(
        ahead, order_up_to(levels, terms), terms, opening, lost_sales=lost_sales, warmup=warmup
    )


def review_cutoffs(first_cutoff: int, num_periods: int, review_period: int) -> Sequence[int]:
    """Return the cutoffs of the reviews of a range, from its first cutoff."""
    return range(first_cutoff, num_periods - 1, review_period)
