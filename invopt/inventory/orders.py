"""Order rules: when to order and how much, from the state at the end of a review period."""

import numpy as np

from invopt.inventory.costs import Terms
from invopt.inventory.simulation import OrderRule, State
from invopt.types import FloatArray


def round_order(missing: FloatArray, pack_size: FloatArray, min_order: FloatArray) -> FloatArray:
    """Return orders in whole packs, none below the minimum; 0 stays 0.

    A need is rounded up to whole packs: the level is a promise to the customer, and the surplus
    shortens the next order.

    Example:
        A need of 13 in packs of 6 is 18; of 1 with a minimum of 24 is 24; of none is none:

        >>> need, pack = np.array([13.0, 1.0, 0.0]), np.array([6.0, 6.0, 6.0])
        >>> round_order(need, pack, np.array([0.0, 24.0, 24.0])).tolist()
        [18.0, 24.0, 0.0]
    """
    packs = np.ceil(missing / pack_size - 1e-9) * pack_size
    least = np.ceil(min_order / pack_size - 1e-9) * pack_size
    return np.where(missing > 1e-9, np.maximum(packs, least), 0.0)


def order_up_to(levels: FloatArray, terms: Terms, *, cap: FloatArray | None = None) -> OrderRule:
    """Return the (R, S) rule: order what the position lacks of levels[:, period].

    With a cap it is the capped base stock of Xin (2021): never more than `cap` at once. With
    lost sales and long lead times it is close to optimal, where plain base stock orders far too
    much after a stock-out.

    Args:
        levels: (series, periods) order-up-to level S at the end of each period, units.
        terms: Packs and minimum orders.
        cap: (series,) largest order, units.

    Example:
        Level 20, position 12 + 5 - 0 = 17, so 3 are ordered:

        >>> one = np.ones(1)
        >>> terms = Terms(
        ...     holding_cost=one, stockout_cost=one, lead_time=np.array([0]), review_period=1,
        ...     pack_size=one, min_order=0 * one, unit_cost=one,
        ... )
        >>> rule = order_up_to(np.array([[20.0]]), terms)
        >>> state = State(12 * one, 5 * one, 0 * one, np.array([[5.0]]))
        >>> rule(slice(0, 1), 0, state).tolist()
        [3.0]
    """
    plain, by_period = _is_plain(terms), _by_period(levels)

    def rule(rows: slice, period: int, state: State) -> FloatArray:
        missing = by_period[period, rows] - state.position
        np.maximum(missing, 0, out=missing)
        if cap is not None:
            missing = np.minimum(missing, cap[rows])
        return missing if plain else _rounded(missing, rows, terms)

    return rule


def _by_period(values: FloatArray) -> FloatArray:
    """Return (periods, series), so that a period's values lie side by side."""
    return np.ascontiguousarray(values.T)


def _is_plain(terms: Terms) -> bool:
    return bool((terms.pack_size <= 1).all() and (terms.min_order <= 0).all())


def _rounded(missing: FloatArray, rows: slice, terms: Terms) -> FloatArray:
    return round_order(missing, terms.pack_size[rows], terms.min_order[rows])
