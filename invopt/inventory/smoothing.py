"""Calmer orders: nearer to what a review usually orders, for a share of the expected cost."""

import numpy as np

from invopt.inventory.costs import Terms
from invopt.inventory.halving import largest
from invopt.inventory.path import IntervalOutlook
from invopt.types import BoolArray, FloatArray

_TINY = 1e-9


def smoothed(
    quantity: FloatArray,
    usual: FloatArray,
    outlook: IntervalOutlook,
    terms: Terms,
    room: FloatArray,
    share: float,
) -> FloatArray:
    """Return (series,) orders moved towards the usual one, as far as a share of their cost allows.

    Around the cheapest order the cost is flat, so that much of what an order changes from one
    review to the next saves next to nothing. Whole packs are added or left out, never past the
    usual order, nothing above zero and below the minimum. The review before is not looked at: the
    same forecast and stock give the same order. The idea is that of order smoothing
    (Disney and Towill, 2003, International Journal of Production Economics 85), with money in the
    place of its proportional gain.

    Series with a promised service or a cost per order line keep their order: the first is not
    chosen by cost, and lots of the second are meant to be rare and large.

    Args:
        quantity: (series,) units that the policy orders.
        usual: (series,) units that sell in a review period, as the whole forecast has it.
        outlook: What an order changes in its own interval.
        terms: Costs that the quantity was chosen by, packs and minima.
        room: (series,) units that may be ordered at most.
        share: Of the expected cost of the order's own interval, that it may cost more.

    Example:
        Demand 80 to 120, all alike, 1 a unit held and 9 a unit missed: 116 cost least. The usual
        order is 100; a tenth of the cost more lets three units go, all of it eleven:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> costs = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, costs)
        >>> demand, law = np.arange(80, 121, dtype=np.float32)[None, None], LeadLaw.fixed(0, 1, 41)
        >>> path = project(np.zeros(1), np.zeros((1, 1)), demand, law, lost_sales=True)
        >>> one, room = np.ones(1), np.full(1, np.inf)
        >>> [smoothed(116 * one, 100 * one, path.outlook, terms, room, share).item()
        ...  for share in (0.0, 0.1, 1.0)]
        [116.0, 113.0, 105.0]
    """
    pack = terms.pack_size
    least = np.ceil(terms.min_order / pack - _TINY) * pack
    up = usual > quantity
    most = np.floor(np.minimum(usual, room) / pack + _TINY) * pack
    fewest = np.maximum(np.ceil(usual / pack - _TINY) * pack, least)
    way = np.where(up, most - quantity, quantity - fewest)
    packs = np.floor(np.maximum(way, 0) / pack + _TINY)
    packs[_is_left_alone(terms)] = 0
    held, missed = outlook.held(quantity), outlook.missed(quantity)
    allowed = share * (terms.holding_cost * held + terms.stockout_cost * missed)

    def is_allowed(number: FloatArray) -> BoolArray:
        step = np.maximum(number, 0) * pack
        start = np.where(up, quantity, quantity - step)
        change = outlook.change(
            np.maximum(start, 0), step, terms.holding_cost, terms.stockout_cost, terms.stranded
        )
        dearer = np.where(up, change, -change) > allowed + _TINY
        return np.asarray((number <= packs) & ~dearer)

    moved = largest(is_allowed, np.zeros_like(packs), packs + 1, whole=True) * pack
    found = np.where(up, quantity + moved, quantity - moved)
    return np.where((moved > 0) & (found < least - _TINY), quantity, found)


def _is_left_alone(terms: Terms) -> BoolArray:
    """Return where a service is promised, or an order line costs money."""
    found = np.zeros(len(terms.pack_size), bool)
    for promise in (terms.service_level, terms.fill_rate):
        if promise is not None:
            found |= ~np.isnan(promise)
    if terms.order_cost is not None:
        found |= np.nan_to_num(terms.order_cost) > 0
    return found
