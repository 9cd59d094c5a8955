"""Orders where unmet demand is lost: stock at arrival is a distribution, not a difference.

An order placed at the end of period t arrives at the start of t + L + 1. Until then stock sells
down, and demand beyond it is lost, so it does not reduce what is there at arrival. The position
minus mean demand, which order-up-to levels rest on, is therefore too low wherever a stock-out
is possible before arrival, and too much is ordered.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.types import FloatArray

# Rounds in which an order and what a unit is worth in the next one's periods settle.
_ROUNDS = 4
_MAX_WORTH = 0.9  # share of a lost sale's cost, where few paths tell


@dataclass(frozen=True)
class Need:
    """What an order placed now is for; arrays are by series.

    Attributes:
        units: (series,) units to add to the stock at arrival, at the least cost; below 0 when
            there is too much already.
        at_arrival: (series, paths) stock before the order arrives.
        demand: (series, review, paths) demand from the arrival to the next one.
        sale: (series,) money a sale saved is worth: what losing it costs, less what its unit will
            be missed for in the next order's periods.
    """

    units: FloatArray = field(repr=False)
    at_arrival: FloatArray = field(repr=False)
    demand: FloatArray = field(repr=False)
    sale: FloatArray = field(repr=False)


def stock_at_arrival(on_hand: FloatArray, arrivals: FloatArray, demand: FloatArray) -> FloatArray:
    """Return (series, paths) units left when the order arrives, demand beyond the stock lost.

    Args:
        on_hand: (series,) at the end of this period.
        arrivals: (series, periods) units that arrive at the start of the next periods.
        demand: (series, L, paths) of those periods.

    Example:
        Five on the shelf, three more tomorrow, demand of four and of six a day for two days. On the
        second path two sales are lost on day one and do not burden day two:

        >>> demand = np.array([[[4.0, 10.0], [4.0, 2.0]]])
        >>> stock_at_arrival(np.array([5.0]), np.array([[3.0]]), demand).tolist()
        [[0.0, 0.0]]
        >>> stock_at_arrival(np.array([5.0]), np.array([[3.0, 4.0]]), demand).tolist()
        [[4.0, 2.0]]
    """
    stock = np.repeat(on_hand[:, None], demand.shape[2], axis=1)
    for period in range(demand.shape[1]):
        if period < arrivals.shape[1]:
            stock += arrivals[:, period, None]
        stock -= demand[:, period]
        np.maximum(stock, 0, out=stock)
    return stock


def lost_sales_need(
    on_hand: FloatArray,
    arrivals: FloatArray,
    demand: FloatArray,
    lead_time: int,
    holding_cost: FloatArray,
    stockout_cost: FloatArray,
) -> Need:
    """Return the order that costs least until the next one arrives.

    With stock x after arrival and running sums D_k of demand, the cost of the R periods until
    the next arrival is h sum_k E(x - D_k)+ + p E(D_R - x)+. Its slope h sum_k P(D_k <= x) -
    p P(D_R > x) is zero at a quantile of D_1..D_R pooled, D_k weighing h and D_R weighing h + p,
    at p over their total times R. For R = 1 it is the newsvendor's p / (p + h). Sales of the
    units left over later are not looked at (the myopic policy; Morton, 1971).

    Args:
        on_hand: (series,) units.
        arrivals: (series, periods) units that arrive at the start of the next periods; those
            after the first L count as arriving with the order.
        demand: (series, L + R, paths) units.
        lead_time: L.
        holding_cost: (series,) money per unit and period.
        stockout_cost: (series,) money per unit.

    Example:
        With one period and no lead time it is the newsvendor: demand 1 to 100, all alike, and a
        ratio of 0.9 ask for 90:

        >>> demand = np.arange(1.0, 101.0)[None, None]
        >>> one = np.ones(1)
        >>> lost_sales_need(0 * one, np.zeros((1, 0)), demand, 0, 1 * one, 9 * one).units.tolist()
        [90.0]
    """
    at_arrival = stock_at_arrival(on_hand, arrivals, demand[:, :lead_time])
    at_arrival += arrivals[:, lead_time:].sum(axis=1, keepdims=True)
    after = demand[:, lead_time:]
    units = _cheapest(at_arrival, after, holding_cost, stockout_cost)
    return Need(units, at_arrival, after, stockout_cost)


def need_with_next(
    on_hand: FloatArray,
    arrivals: FloatArray,
    demand: FloatArray,
    lead_time: int,
    holding_cost: FloatArray,
    stockout_cost: FloatArray,
) -> Need:
    """Return the order that costs least when another like it follows.

    A unit that saves a sale before the next arrival is not there after it, and the order that
    arrives then was placed before anybody knew. With v what one unit more is worth on the paths
    that run out, p P(D > x) - h sum_k P(D_k <= x) over the next review period, saving a sale is
    worth p - v, and `lost_sales_need` orders by that. Order and v settle in a few rounds. The
    myopic rule of Morton (1971) leaves v out and orders too much (Zipkin, 2008, Operations
    Research 56).

    Args:
        on_hand: (series,) units.
        arrivals: As for lost_sales_need.
        demand: (series, L + 2R, paths) units.
        lead_time: L.
        holding_cost: (series,) money per unit and period.
        stockout_cost: (series,) money per unit.

    Example:
        The same demand, and another order that follows: a unit left over is sold later, so that a
        sale saved now is worth less and the order is not larger:

        >>> rng = np.random.default_rng(0)
        >>> demand = rng.permuted(np.tile(np.arange(1.0, 101.0), (2, 1)), axis=1)[None]
        >>> one = np.ones(1)
        >>> myopic = lost_sales_need(0 * one, np.zeros((1, 0)), demand[:, :1], 0, one, 9 * one)
        >>> ahead = need_with_next(0 * one, np.zeros((1, 0)), demand, 0, one, 9 * one)
        >>> bool(ahead.units[0] <= myopic.units[0])
        True
    """
    review = (demand.shape[1] - lead_time) // 2
    own, following = demand[:, : lead_time + review], demand[:, lead_time + review :]
    need = lost_sales_need(
        on_hand,
        arrivals,
        own,
        lead_time=lead_time,
        holding_cost=holding_cost,
        stockout_cost=stockout_cost,
    )
    asked, sums = need.demand.sum(axis=1), following.cumsum(axis=1)
    for _ in range(_ROUNDS):
        left = need.at_arrival + np.maximum(need.units, 0)[:, None] - asked
        stock = np.maximum(left, 0)
        stock += np.maximum(_cheapest(stock, following, holding_cost, need.sale), 0)[:, None]
        slope = stockout_cost[:, None] * (sums[:, -1] > stock)
        slope -= holding_cost[:, None] * (sums <= stock[:, None]).sum(axis=1)
        ran_out = left < 0
        number = ran_out.sum(axis=1)
        worth = (slope * ran_out).sum(axis=1) / np.maximum(number, 1)
        sale = stockout_cost - np.clip(worth, 0, _MAX_WORTH * stockout_cost)
        sale = np.where(number > 0, sale, need.sale)
        units = _cheapest(need.at_arrival, need.demand, holding_cost, sale)
        need = replace(need, units=units, sale=sale)
    return need


def _cheapest(
    at_arrival: FloatArray, demand: FloatArray, holding_cost: FloatArray, stockout_cost: FloatArray
) -> FloatArray:
    """Return (series,) units that cost least until the next arrival; see lost_sales_need.

    Args:
        at_arrival: (series, paths) units before the order arrives.
        demand: (series, review, paths) units from then on.
        holding_cost: (series,) money per unit and period.
        stockout_cost: (series,) money per unit.
    """
    review, paths = demand.shape[1], demand.shape[2]
    pooled = demand.cumsum(axis=1) - at_arrival[:, None]
    weight = np.repeat(holding_cost[:, None], review, axis=1)
    weight[:, -1] += stockout_cost
    flat = pooled.reshape(len(pooled), -1)
    if review == 1:
        place = np.ceil(stockout_cost / weight[:, 0] * paths - 1e-9).astype(np.int64) - 1
        units: FloatArray = np.take_along_axis(np.sort(flat, axis=1), place.clip(0)[:, None], 1)
        return units[:, 0]
    order = np.argsort(flat, axis=1, kind="stable")
    weights = np.take_along_axis(np.repeat(weight, paths, axis=1), order, axis=1).cumsum(axis=1)
    reached = weights >= (stockout_cost * paths)[:, None] * (1 - 1e-9)
    chosen = np.take_along_axis(order, reached.argmax(axis=1)[:, None], axis=1)
    units = np.take_along_axis(flat, chosen, axis=1)
    return units[:, 0]
