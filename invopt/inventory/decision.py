"""The order of one review: from forecast, stock and costs to a quantity and what it will cost."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from invopt.config import InventoryConfig
from invopt.inventory.costs import Terms
from invopt.inventory.levels import expected_shortage_and_excess
from invopt.inventory.lost_sales import Need, expected_costs, lost_sales_need, need_with_next
from invopt.inventory.orders import round_order
from invopt.inventory.paths import Draws, blocks, demand_paths, dependence_of
from invopt.inventory.policy import Levels, levels_of
from invopt.inventory.stock import Stock

FloatArray = npt.NDArray[np.float64]
# Series whose demand paths are in memory at once.
_BLOCK = 2048


class Forecast(Protocol):
    """What a decision needs of a forecast; see invopt.forecasts.ForecastArrays."""

    @property
    def mean(self) -> npt.NDArray[np.float32]:
        """(series, horizon) units per period."""

    @property
    def quantiles(self) -> npt.NDArray[np.float32]:
        """(series, horizon, Q) units per period."""

    @property
    def levels(self) -> npt.NDArray[np.float32]:
        """(series, horizon, R) units over the first periods."""

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        """Q levels."""

    @property
    def level_quantiles(self) -> tuple[float, ...]:
        """R levels."""


@dataclass(frozen=True)
class Decision:
    """What to order now; arrays are (series,), NaN where nothing can be said.

    Attributes:
        levels: What the order aims at.
        need: Units the order should bring, before packs and minimum; below 0 when there is too
            much already.
        quantity: Units to order.
        holding_cost: Expected, of the periods the order has to last; money.
        stockout_cost: Expected, of the same periods; money.
        one_less: Change of both together by ordering one pack less; NaN where nothing is ordered.
        one_more: The same for one pack more.
        protection_interval: Periods the order has to last, lead time and review period.
    """

    levels: Levels
    need: FloatArray = field(repr=False)
    quantity: FloatArray = field(repr=False)
    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    one_less: FloatArray = field(repr=False)
    one_more: FloatArray = field(repr=False)
    protection_interval: npt.NDArray[np.int64] = field(repr=False)


def decide(
    forecast: Forecast, terms: Terms, stock: Stock, config: InventoryConfig, *, is_count: bool
) -> Decision:
    """Return the decision of one review under the configured policy.

    "order_up_to" brings the position up to a quantile of demand over lead time and review
    period. "lost_sales" draws demand paths, lets the stock sell down to the order's arrival and
    orders what costs least from there; its order-up-to level is the position it leads to.

    Args:
        forecast: Of the series, from the review on; its horizon holds lead time plus review.
        terms: Of the series.
        stock: Of the series.
        config: Policy, paths and seed.
        is_count: True when sales are whole numbers.
    """
    levels = levels_of(
        forecast.mean, forecast.levels, forecast.level_quantiles, terms, is_count=is_count
    )
    if config.policy == "order_up_to":
        return _order_up_to(levels, forecast.level_quantiles, terms, stock)
    longest = int(terms.protection_interval.max(initial=1)) + terms.review_period
    draws = Draws.make(longest, config.num_paths, config.seed)
    parts = [
        _lost_sales(forecast, levels, terms, stock, draws, config, rows, is_count)
        for rows in blocks(len(forecast.mean), _BLOCK)
    ]
    names = ("need", "quantity", "holding_cost", "stockout_cost", "one_less", "one_more")
    joined = {name: np.concatenate([p[name] for p in parts]) for name in names}
    level = stock.position + joined["need"]
    reached = replace(levels, order_up_to=level, safety_stock=level - levels.expected_demand)
    return Decision(reached, **joined, protection_interval=terms.protection_interval)


def _order_up_to(
    levels: Levels, level_quantiles: tuple[float, ...], terms: Terms, stock: Stock
) -> Decision:
    position = stock.position
    need = levels.order_up_to - position
    quantity = _rounded(need, terms)

    def cost(units: FloatArray) -> tuple[FloatArray, FloatArray]:
        after = np.nan_to_num(position + units)
        short, excess = expected_shortage_and_excess(levels.over_protection, level_quantiles, after)
        unknown = np.isnan(quantity)
        held = excess * terms.holding_cost * terms.review_period
        return np.where(unknown, np.nan, held), np.where(
            unknown, np.nan, short * terms.stockout_cost
        )

    held, missed, less, more = _costs(quantity, terms, cost)
    return Decision(
        levels, need, quantity, held, missed, less, more, terms.protection_interval
    )  # fmt: skip


def _lost_sales(
    forecast: Forecast,
    levels: Levels,
    terms: Terms,
    stock: Stock,
    draws: Draws,
    config: InventoryConfig,
    rows: slice,
    is_count: bool,
) -> dict[str, FloatArray]:
    """Return need, quantity and expected costs of one block, one lead time after the other."""
    names = ("need", "quantity", "holding_cost", "stockout_cost", "one_less", "one_more")
    found = {name: np.full(rows.stop - rows.start, np.nan) for name in names}
    lead_times = terms.lead_time[rows]
    known = ~np.isnan(stock.on_hand[rows]) & ~np.isnan(levels.order_up_to[rows])
    for lead_time in np.unique(lead_times[known]):
        local = np.flatnonzero(known & (lead_times == lead_time))
        chosen = local + rows.start
        own = terms.select(chosen)
        charged = replace(own, holding_cost=own.holding_cost * (config.holding_periods or 1))
        need = _need(
            forecast, levels, charged, stock, draws, chosen, int(lead_time),
            looks_ahead=config.holding_periods is None, is_count=is_count,
        )  # fmt: skip
        quantity = _rounded(need.units, own)

        def cost(
            units: FloatArray, need: Need = need, charged: Terms = charged
        ) -> tuple[FloatArray, FloatArray]:
            return expected_costs(need, units, charged.holding_cost, need.sale)

        held, missed = expected_costs(need, quantity, own.holding_cost, own.stockout_cost)
        less, more = _costs(quantity, own, cost)[2:]
        values = (need.units, quantity, held, missed, less, more)
        for name, value in zip(names, values, strict=True):
            found[name][local] = value
    return found


def _need(
    forecast: Forecast,
    levels: Levels,
    terms: Terms,
    stock: Stock,
    draws: Draws,
    rows: npt.NDArray[np.int64],
    lead_time: int,
    *,
    looks_ahead: bool,
    is_count: bool,
) -> Need:
    """Return what the order of series of one lead time is for.

    An order that looks ahead does so where the forecast reaches to the end of the next one's
    periods.
    """
    periods, review = lead_time + terms.review_period, terms.review_period
    looks_ahead &= forecast.quantiles.shape[1] >= periods + review
    reach = periods + review * looks_ahead
    quantiles = forecast.quantiles[rows, :reach].astype(np.float64)
    dependence = dependence_of(
        quantiles[:, :periods],
        forecast.quantile_levels,
        levels.over_protection[rows],
        forecast.level_quantiles,
    )
    demand = demand_paths(quantiles, forecast.quantile_levels, dependence, draws, is_count=is_count)
    find = need_with_next if looks_ahead else lost_sales_need
    return find(
        stock.on_hand[rows],
        stock.arrivals[rows],
        demand,
        lead_time,
        terms.holding_cost,
        terms.stockout_cost,
    )


def _rounded(need: FloatArray, terms: Terms) -> FloatArray:
    quantity = round_order(np.maximum(np.nan_to_num(need), 0), terms.pack_size, terms.min_order)
    return np.where(np.isnan(need), np.nan, quantity)


def _costs(
    quantity: FloatArray, terms: Terms, cost: Any
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return expected holding and stock-out cost, and what one pack less or more changes."""
    held, missed = cost(quantity)
    now = held + missed
    less, more = (np.add(*cost(quantity + change * terms.pack_size)) for change in (-1, 1))
    return held, missed, np.where(quantity > 0, less - now, np.nan), more - now
