"""Policies replayed on weeks that are over: what each forecast's decisions would have cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from invopt.config import InventoryConfig
from invopt.inventory.costs import Terms
from invopt.inventory.decision import decide
from invopt.inventory.orders import order_up_to
from invopt.inventory.policy import levels_of
from invopt.inventory.replay import Replay
from invopt.inventory.simulation import Opening, OrderRule, State, simulate
from invopt.inventory.stock import Stock
from invopt.types import FloatArray

# Factors on levels that are tried for a fill rate, and halvings between them.
_LARGEST_FACTOR, _HALVINGS = 8.0, 10


def forecast_rule(
    forecasts: Mapping[int, Any],
    terms: Terms,
    num_periods: int,
    config: InventoryConfig,
    *,
    is_count: bool,
) -> OrderRule:
    """Return the rule that orders as the configured policy does on forecasts made at reviews.

    Args:
        forecasts: Forecast by period at whose end it was made; period 0 is the first. Without a
            forecast nothing is ordered: the last period's order would serve no period replayed.
        terms: Of the series.
        num_periods: Periods of the replay.
        config: Policy.
        is_count: True when sales are whole numbers.
    """
    if config.policy == "order_up_to":
        levels = np.full((len(terms.lead_time), num_periods), np.nan)
        for period, forecast in forecasts.items():
            levels[:, period] = levels_of(
                forecast.mean,
                forecast.smooth_levels,
                forecast.level_quantiles,
                terms,
                is_count=is_count,
            ).order_up_to
        return order_up_to(np.nan_to_num(levels), terms)

    def rule(rows: slice, period: int, state: State) -> FloatArray:
        found = forecasts.get(period)
        if found is None:
            return np.zeros_like(state.on_hand)
        own = replace(
            found,
            mean=found.mean[rows],
            smooth_quantiles=found.smooth_quantiles[rows],
            smooth_levels=found.smooth_levels[rows],
        )
        stock = Stock(state.on_hand, state.on_order, state.backorders, state.arrivals.T)
        decision = decide(own, terms.select(rows), stock, config, is_count=is_count)
        return np.nan_to_num(decision.quantity)

    return rule


def replay(
    rule: OrderRule,
    demand: FloatArray,
    terms: Terms,
    *,
    lost_sales: bool = True,
) -> Replay:
    """Replay a rule from the state every compared policy starts from.

    The replay starts at the end of period 0 with enough for lead time and review at the pace of
    the demand to come divided evenly; its demand is over. Costs count from the first period that
    an order of the policy can serve, max(lead_time) + 1: before it all policies are alike.

    Args:
        rule: Of the policy.
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
    return simulate(ahead, rule, terms, opening, lost_sales=lost_sales, warmup=warmup)


def cost_at_fill_rate(
    levels: FloatArray,
    demand: FloatArray,
    terms: Terms,
    fill_rate: float,
    *,
    lost_sales: bool = True,
) -> float | None:
    """Return what order-up-to levels cost once one factor on all of them makes them serve as much.

    Costs of two policies that serve different shares of demand say little of either; at the same
    share the one that costs less holds the right things.

    Args:
        levels: (series, periods) units, NaN between reviews.
        demand: (series, periods) units; column 0 is not looked at.
        terms: Of the series.
        fill_rate: Share of units to serve from stock.
        lost_sales: Unmet demand is lost; else it waits.

    Returns:
        Money, or None where eight times the levels do not serve so much.
    """

    def played(factor: float) -> dict[str, float]:
        rule = order_up_to(np.rint(factor * levels), terms)
        return replay(rule, demand, terms, lost_sales=lost_sales).summary()

    low, high, found = 0.0, _LARGEST_FACTOR, played(_LARGEST_FACTOR)
    if found["fill_rate"] < fill_rate:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tried = played(middle)
        if tried["fill_rate"] >= fill_rate:
            high, found = middle, tried
        else:
            low = middle
    return found["cost"]


def review_cutoffs(first_cutoff: int, num_periods: int, review_period: int) -> Sequence[int]:
    """Return the cutoffs of the reviews of a range, from its first cutoff."""
    return range(first_cutoff, num_periods - 1, review_period)
