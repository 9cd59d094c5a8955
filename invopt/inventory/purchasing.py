"""Lines of one supplier become one order: its minimum, its budget, its price breaks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.contracts import TermsTables
from invopt.inventory.costs import Terms
from invopt.inventory.suppliers import keys_of
from invopt.types import BoolArray, FloatArray, IntArray

Change = Callable[[FloatArray], FloatArray]
_TINY = 1e-9
_ROUNDS = 400  # packs moved at most, all lines of a supplier together in each


@dataclass(frozen=True)
class Curve:
    """Expected cost of an order's own interval by quantity, for some series.

    Attributes:
        place: (series,) row of the other two, -1 for series without a curve.
        quantity: (rows, points) units, ascending.
        cost: (rows, points) money.
    """

    place: IntArray = field(repr=False)
    quantity: FloatArray = field(repr=False)
    cost: FloatArray = field(repr=False)

    @classmethod
    def of(cls, num: int, rows: IntArray | None, points: int = 32) -> "Curve":
        """Return curves of some series to be filled in."""
        rows = np.zeros(0, np.int64) if rows is None else rows
        place = np.full(num, -1)
        place[rows] = np.arange(len(rows))
        return cls(place, np.zeros((len(rows), points)), np.zeros((len(rows), points)))

    def at(self, rows: IntArray, quantity: FloatArray) -> FloatArray:
        """Return the cost of some series at a quantity; 0 for those without a curve."""
        found = np.zeros(len(rows))
        known = np.flatnonzero(self.place[rows] >= 0)
        if not len(known):
            return found
        own, wanted = self.place[rows[known]], quantity[known]
        grid, cost, index = self.quantity[own], self.cost[own], np.arange(len(known))
        upper = np.clip((grid <= wanted[:, None] + _TINY).sum(axis=1), 1, grid.shape[1] - 1)
        low, high = grid[index, upper - 1], grid[index, upper]
        share = (wanted - low) / np.maximum(high - low, _TINY)
        share = np.where(high - low > _TINY, share, 0)
        found[known] = cost[index, upper - 1] * (1 - share) + cost[index, upper] * share
        return found


@dataclass
class Bought:
    """What suppliers' terms make of the orders; arrays by series.

    Attributes:
        quantity: Units to order, NaN where nothing can be said.
        unit_cost: Money per unit at that quantity.
        cut: Units that a budget took away.
        dropped: True where the supplier's minimum was not worth reaching.
        filled: Units added to reach a minimum or a lower price.
    """

    quantity: FloatArray = field(repr=False)
    unit_cost: FloatArray = field(repr=False)
    cut: FloatArray = field(repr=False)
    dropped: BoolArray = field(repr=False)
    filled: FloatArray = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the policy orders, and how far suppliers' terms may change it; arrays by series.

    Attributes:
        quantity: Units of the policy; NaN where none can be said.
        supplier: Names, "" for none.
        unique_ids: Of the series.
        curve: Of the series that any of these terms concerns.
        demand_per_period: Units, for how long a surplus lies.
        free: False where a planner or a fault has set the quantity.
        room: Units that max_order and max_stock leave; infinite for no limit.
        budgeted: Series that share the tables' own budget; None for none.
    """

    quantity: FloatArray = field(repr=False)
    supplier: npt.NDArray[np.object_] = field(repr=False)
    unique_ids: npt.NDArray[np.object_] = field(repr=False)
    curve: Curve = field(repr=False)
    demand_per_period: FloatArray = field(repr=False)
    free: BoolArray = field(repr=False)
    room: FloatArray = field(repr=False)
    budgeted: BoolArray | None = field(default=None, repr=False)


def bought(wanted: Wanted, terms: Terms, tables: TermsTables) -> Bought:
    """Return the orders that suppliers' terms leave.

    Packs are added where they cost least per unit of money, until a minimum is reached, or the
    order is dropped, whichever is cheaper; a budget takes packs away where they save least per
    unit of money.

    Args:
        wanted: What the policy orders.
        terms: Of the series.
        tables: Of planning.

    Example:
        A unit costs 10, from 100 on 9, and ten a period sell. A lot of 100 in place of 50 saves 10
        a period and holds 25 more at 0.1, so it is taken; at 0.5 it is not:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> tables = TermsTables(price_breaks=pd.DataFrame(
        ...     {"supplier": ["x"], "from_quantity": [100.0], "unit_cost": [9.0]}))
        >>> series, one = {"unique_id": ["a"], "unit_cost": [10.0]}, np.ones(1)
        >>> wanted = Wanted(
        ...     quantity=50 * one, supplier=np.array(["x"], object),
        ...     unique_ids=np.array(["a"], object), curve=Curve.of(1, None),
        ...     demand_per_period=10 * one, free=one > 0, room=np.inf * one)
        >>> for holding in (0.1, 0.5):
        ...     terms = terms_of(series, None, InventoryConfig(holding_cost=holding))
        ...     found = bought(wanted, terms, tables)
        ...     found.quantity.tolist(), found.unit_cost.tolist()
        ([100.0], [9.0])
        ([50.0], [10.0])
    """
    work = _Buying(wanted, terms)
    if tables.price_breaks is not None and len(tables.price_breaks):
        work.take_breaks(tables.price_breaks)
    known = ~np.isnan(wanted.quantity)
    if tables.suppliers is not None:
        for row in tables.suppliers.to_dict("records"):
            lines = np.flatnonzero((wanted.supplier == str(row["supplier"])) & known)
            if len(lines):
                work.fill_or_drop(lines, row)
                work.keep_budget(lines, _limit(row, "budget"))
    if tables.budget is not None and wanted.budgeted is not None:
        work.keep_budget(np.flatnonzero(wanted.budgeted & known), tables.budget)
    return work.found


class _Buying:
    """The orders as one term after another changes them."""

    def __init__(self, wanted: Wanted, terms: Terms) -> None:
        self.wanted, self.terms = wanted, terms
        num = len(wanted.quantity)
        self.found = Bought(
            wanted.quantity.copy(),
            terms.unit_cost.copy(),
            np.zeros(num),
            np.zeros(num, bool),
            np.zeros(num),
        )

    def take_breaks(self, breaks: pd.DataFrame) -> None:
        """Order up to a price break where the lower price pays for what lies longer.

        Later orders can have the lower price too, so what a lot saves and what it holds more are
        set against each other by period: the price of what sells, and half of the lot more on the
        shelf.
        """
        found, terms, wanted = self.found, self.terms, self.wanted
        names, keys = keys_of(breaks, wanted.unique_ids, wanted.supplier)
        ordered, pack = np.nan_to_num(found.quantity), terms.pack_size
        steps = breaks.assign(key=keys).sort_values("from_quantity")
        price_of = _prices(names, steps, terms.unit_cost)
        levels = {str(name): rows["from_quantity"].to_numpy(np.float64)
                  for name, rows in steps.groupby("key")}  # fmt: skip
        choice, least = ordered.copy(), price_of(ordered) * wanted.demand_per_period
        for number in range(max(map(len, levels.values()))):
            own = np.array(
                [
                    levels[n][number] if n in levels and number < len(levels[n]) else np.nan
                    for n in names
                ]
            )
            tried = np.ceil(own / pack - _TINY) * pack
            cost = price_of(np.nan_to_num(tried)) * wanted.demand_per_period
            cost += terms.holding_cost * (tried - ordered) / 2
            better = wanted.free & (ordered > 0) & (tried > ordered) & (cost < least - _TINY)
            better &= tried <= wanted.room
            choice, least = np.where(better, tried, choice), np.where(better, cost, least)
        found.filled += choice - ordered
        found.quantity = np.where(np.isnan(found.quantity), np.nan, choice)
        found.unit_cost = np.where(np.isin(names, list(levels)), price_of(choice), found.unit_cost)

    def fill_or_drop(self, lines: IntArray, row: dict[Any, Any]) -> None:
        """Reach a supplier's minimum with the packs that cost least, or drop the order."""
        found, curve, free = self.found, self.wanted.curve, self.wanted.free
        least_value, least_units = _limit(row, "min_value"), _limit(row, "min_units")
        fixed = np.nan_to_num(_limit(row, "order_cost"))
        before = found.quantity[lines].copy()
        if not (before > 0).any():
            return

        def missing(quantity: FloatArray) -> float:
            value = (quantity * found.unit_cost[lines]).sum()
            gaps = [least_value - value, least_units - quantity.sum()]
            return float(np.nanmax([0.0, *gaps]))

        quantity = before.copy()
        if missing(quantity) > _TINY:
            quantity = self._moved(lines, quantity, +1, missing)
        without = np.where(free[lines], 0.0, before)
        worth = (curve.at(lines, without) - curve.at(lines, quantity)).sum()
        keeps = missing(quantity) <= _TINY and (worth > fixed or not free[lines].any())
        if missing(before) <= _TINY and fixed <= 0:
            return
        if keeps:
            found.filled[lines] += quantity - before
            found.quantity[lines] = quantity
        else:
            found.dropped[lines] = (before > 0) & free[lines]
            found.quantity[lines] = without

    def keep_budget(self, lines: IntArray, budget: float) -> None:
        """Take away the packs that save least per unit of money until the budget holds."""
        found = self.found
        before = found.quantity[lines].copy()

        def over(quantity: FloatArray) -> float:
            return float(max((quantity * found.unit_cost[lines]).sum() - budget, 0))

        if np.isnan(budget) or over(before) <= _TINY:
            return
        after = self._moved(lines, before, -1, over)
        found.cut[lines] += before - after
        found.quantity[lines] = after

    def _moved(
        self,
        lines: IntArray,
        quantity: FloatArray,
        sign: int,
        left: Callable[[FloatArray], float],
    ) -> FloatArray:
        """Return quantities with packs added or taken, the cheapest first, until none is left.

        Every round moves as many packs of the cheapest line as a hundredth of what is left asks
        for.
        """
        wanted = self.wanted
        pack, price = self.terms.pack_size[lines], self.found.unit_cost[lines]
        can = wanted.free[lines].copy()
        quantity, now = quantity.copy(), wanted.curve.at(lines, quantity)
        start = left(quantity)
        for _ in range(_ROUNDS):
            gap = left(quantity)
            if gap <= _TINY:
                break
            packs = np.maximum(np.ceil(min(gap, start / 100) / np.maximum(price * pack, _TINY)), 1)
            step = packs * pack
            if sign < 0:
                step = np.minimum(step, quantity)
            after = wanted.curve.at(lines, quantity + sign * step)
            rate = (after - now) / np.maximum(step * price, _TINY)
            allowed = can & (step > 0)
            if sign > 0:
                allowed &= quantity + step <= wanted.room[lines]
            if not allowed.any():
                break
            best = int(np.where(allowed, rate, np.inf).argmin())
            quantity[best] += sign * step[best]
            now[best] = after[best]
        return quantity


def _prices(names: npt.NDArray[np.object_], steps: pd.DataFrame, usual: FloatArray) -> Change:
    """Return the function from quantities to unit costs."""
    groups = {str(k): g for k, g in steps.groupby("key")}

    def price(quantity: FloatArray) -> FloatArray:
        found = usual.copy()
        for name, group in groups.items():
            rows = np.flatnonzero(names == name)
            at = np.searchsorted(group["from_quantity"].to_numpy(), quantity[rows] + _TINY) - 1
            values = group["unit_cost"].to_numpy(np.float64)
            found[rows] = np.where(at >= 0, values[np.maximum(at, 0)], usual[rows])
        return found

    return price


def _limit(row: dict[Any, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) and value == value else np.nan
