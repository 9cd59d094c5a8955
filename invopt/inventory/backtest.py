"""Policies replayed on weeks that are over: what each forecast's decisions would have cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from invopt.config import InventoryConfig
from invopt.forecasts import forecast_of
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
        terms: Of the series, all of which the forecasts can decide; see Terms.decidable.
        num_periods: Periods of the replay.
        config: Policy.
        is_count: True when sales are whole numbers.

    Raises:
        ValueError: If an order cannot be decided; nothing would be ordered in its place.

    Example:
        Ten a day for certain, lead time 2 and review 3: of the level of 50 a position of 20 lacks
        30. No forecast was made a day later, and nothing is ordered:

        >>> from invopt.forecasts import ForecastArrays
        >>> from invopt.inventory.costs import terms_of
        >>> mean, shares = np.full((1, 5), 10, np.float32), (0.5, 0.9)
        >>> sums = mean.cumsum(axis=1)[..., None].repeat(2, axis=2)
        >>> forecast = ForecastArrays(mean, mean[..., None].repeat(2, axis=2), sums, shares, shares,
        ...                           is_count=True)
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=2, review_period=3)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> rule = forecast_rule({0: forecast}, terms, 2, config, is_count=True)
        >>> state = State(np.array([20.0]), np.zeros(1), np.zeros(1), np.zeros((2, 1)))
        >>> [rule(slice(0, 1), period, state).tolist() for period in (0, 1)]
        [[30.0], [0.0]]
    """
    smooth = config.order_smoothing
    if config.policy == "order_up_to" and terms.fill_rate is None and not smooth:
        levels = np.zeros((len(terms.lead_time), num_periods))
        for period, forecast in forecasts.items():
            levels[:, period] = _decided(
                levels_of(
                    forecast.mean,
                    forecast.smooth_levels,
                    forecast.level_quantiles,
                    terms,
                    is_count=is_count,
                ).order_up_to
            )
        return order_up_to(levels, terms)

    def rule(rows: slice, period: int, state: State) -> FloatArray:
        found = forecasts.get(period)
        if found is None:
            return np.zeros_like(state.on_hand)
        own = forecast_of(found, rows)
        stock = Stock(state.on_hand, state.on_order, state.backorders, state.arrivals.T)
        decision = decide(own, terms.select(rows), stock, config, is_count=is_count)
        return _decided(decision.quantity)

    return rule


def _decided(units: FloatArray) -> FloatArray:
    unknown = int(np.isnan(units).sum())
    if unknown:
        raise ValueError(
            f"expected an order of each series, and of {unknown:,} of {len(units):,} none can be "
            "decided: leave those out whose lead time is beyond the horizon or whose forecast is "
            "no number."
        )
    return units


def replay(
    rule: OrderRule,
    demand: FloatArray,
    terms: Terms,
    *,
    lost_sales: bool = True,
    warmup: int | None = None,
) -> Replay:
    """Replay a rule from the state every compared policy starts from.

    The replay starts at the end of period 0 with enough for lead time and review at the pace of
    the demand to come divided evenly; its demand is over. Costs count from the first period that
    an order of the policy can serve, max(lead_time) + 1, if `warmup` does not say when: before it
    all policies are alike.

    Args:
        rule: Of the policy.
        demand: (series, periods) units, NaN before a series is launched, when nobody asks for it;
            column 0 is not looked at.
        terms: Of the series.
        lost_sales: Unmet demand is lost; else it waits.
        warmup: Periods at the start that do not count.
    """
    ahead = np.where(np.isnan(demand), 0, demand)
    ahead[:, 0] = 0
    pace = ahead[:, 1:].mean(axis=1)
    on_hand = np.rint(pace * (terms.lead_time + terms.review_period))
    opening = Opening(on_hand, np.zeros((len(demand), 0)))
    if warmup is None:
        warmup = warmup_of(terms, demand.shape[1])
    return simulate(ahead, rule, terms, opening, lost_sales=lost_sales, warmup=warmup)


def warmup_of(terms: Terms, num_periods: int) -> int:
    """Return the periods of a replay before the first that an order placed in it can serve.

    Args:
        terms: Of the series replayed.
        num_periods: Of the replay; one at least is left.

    Example:
        >>> from invopt.inventory.costs import terms_of
        >>> terms = terms_of({"unique_id": ["a"]}, None, InventoryConfig(lead_time=2))
        >>> warmup_of(terms, 28), warmup_of(terms, 3)
        (3, 2)
    """
    return min(int(terms.lead_time.max(initial=0)) + 1, num_periods - 1)


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

    Example:
        Ten a period for certain, and levels of 20: half of them serve everything and hold nothing;
        for nine tenths a level of 9 is enough, and two of thirty are missed, the first ten being
        there at the start:

        >>> from invopt.inventory.costs import terms_of
        >>> costs = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, costs)
        >>> levels, demand = np.full((1, 4), 20.0), np.full((1, 4), 10.0)
        >>> [cost_at_fill_rate(levels, demand, terms, rate) for rate in (1.0, 0.9)]
        [0.0, 18.0]
    """

    def played(factor: float) -> dict[str, float]:
        rule = order_up_to(np.rint(factor * levels), terms)
        return replay(rule, demand, terms, lost_sales=lost_sales).summary()

    low, high, found = 0.0, _LARGEST_FACTOR, played(_LARGEST_FACTOR)
    if not found["fill_rate"] >= fill_rate:
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
    """Return the cutoffs of the reviews of a range, from its first cutoff.

    Example:
        The last period has nothing behind it, so no review is held at its end:

        >>> list(review_cutoffs(10, 25, 7))
        [10, 17]
    """
    return range(first_cutoff, num_periods - 1, review_period)
