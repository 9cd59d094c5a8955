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
_FALLEN = 20  # lines below their minimum that are looked at again
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
        unpaid: True where all lines of a supplier save less than an order costs there.
        filled: Units added to reach a minimum.
        lot: Units added to reach a lower price.
        later: Units left to the next review, which orders a lot of a lower price.
    """

    quantity: FloatArray = field(repr=False)
    unit_cost: FloatArray = field(repr=False)
    cut: FloatArray = field(repr=False)
    dropped: BoolArray = field(repr=False)
    unpaid: BoolArray = field(repr=False)
    filled: FloatArray = field(repr=False)
    lot: FloatArray = field(repr=False)
    later: FloatArray = field(repr=False)

    @classmethod
    def as_wanted(cls, quantity: FloatArray, unit_cost: FloatArray) -> "Bought":
        """Return the orders that no supplier's terms have changed.

        Example:
            >>> found = Bought.as_wanted(np.array([5.0]), np.ones(1))
            >>> found.quantity.tolist(), found.cut.tolist(), found.dropped.tolist()
            ([5.0], [0.0], [False])
        """
        names = ("cut", "filled", "lot", "later")
        none: dict[str, Any] = {name: np.zeros(len(quantity)) for name in names}
        dropped, unpaid = np.zeros((2, len(quantity)), bool)
        return cls(quantity.copy(), unit_cost.copy(), dropped=dropped, unpaid=unpaid, **none)


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
    order is dropped, whichever is cheaper; a budget takes away what was added for a lower price,
    then packs where they save least per unit of money. No line is left below its own minimum, and
    no order below its supplier's.

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
                work.drop_below(lines, row)
    if tables.budget is not None and wanted.budgeted is not None:
        work.keep_budget(np.flatnonzero(wanted.budgeted & known), tables.budget)
    found = work.found
    less = np.nan_to_num(wanted.quantity - found.quantity) - found.cut
    found.later = np.where(found.dropped | found.unpaid, 0.0, np.clip(less, 0, found.later))
    return found


class _Buying:
    """The orders as one term after another changes them."""

    def __init__(self, wanted: Wanted, terms: Terms) -> None:
        self.wanted, self.terms = wanted, terms
        self.least = terms.least_order
        self.price_of: Change | None = None
        self.found = Bought.as_wanted(wanted.quantity, terms.unit_cost)

    def take_breaks(self, breaks: pd.DataFrame) -> None:
        """Order up to a price break where the lower price pays for what lies longer.

        Later orders can have the lower price too, so what a lot saves and what it holds more are
        set against each other by period: the price of what sells, and half of the lot more on the
        shelf. Where less is needed now than sells in the interval, the lot would lie there early:
        it is taken now only where that costs less than what lots save in the periods that today's
        need is for; else the next review takes it, and of today's need only what saves more than
        the lower price is ordered now.
        """
        found, terms, wanted = self.found, self.terms, self.wanted
        names, keys = keys_of(breaks, wanted.unique_ids, wanted.supplier)
        ordered, pack = np.nan_to_num(found.quantity), terms.pack_size
        steps = breaks.assign(key=keys).sort_values("from_quantity")
        price_of = _prices(names, steps, terms.unit_cost)
        self.price_of = price_of
        levels = {str(name): rows["from_quantity"].to_numpy(np.float64)
                  for name, rows in steps.groupby("key")}  # fmt: skip
        choice, usual = ordered.copy(), price_of(ordered) * wanted.demand_per_period
        least = usual.copy()
        wish, cheapest = choice.copy(), least.copy()
        spell = np.minimum(ordered / np.maximum(wanted.demand_per_period, _TINY), terms.interval)
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
            pays = wanted.free & (ordered > 0) & (tried > ordered) & (tried <= wanted.room)
            if terms.stranded is not None:  # what is left of a product that ends is lost
                pays &= ~(terms.stranded > 0)
            better = pays & (cost < cheapest - _TINY)
            wish, cheapest = np.where(better, tried, wish), np.where(better, cost, cheapest)
            early = terms.holding_cost * tried * (terms.interval - spell)
            better = pays & (cost < least - _TINY) & ((usual - cost) * spell > early)
            choice, least = np.where(better, tried, choice), np.where(better, cost, least)
        found.lot += choice - ordered
        waits = np.flatnonzero((wish > ordered) & (choice == ordered))
        saving = (price_of(ordered) - price_of(wish))[waits]
        choice[waits] = self._without_what_waits(waits, ordered[waits], saving)
        found.later += np.maximum(ordered - choice, 0)
        self._set(np.flatnonzero(~np.isnan(found.quantity)), choice[~np.isnan(found.quantity)])

    def _without_what_waits(
        self, lines: IntArray, quantity: FloatArray, saving: FloatArray
    ) -> FloatArray:
        """Return what of an order is worth buying before the next review's lot.

        A unit bought now is bought without the saving. A promised service, and an order line
        that costs, keep their order.
        """
        terms, curve = self.terms, self.wanted.curve
        pack, least = terms.pack_size[lines], self.least[lines]
        found, lowest = quantity.copy(), curve.at(lines, quantity) + saving * quantity
        fixed = np.zeros(len(lines), bool)
        for given in (terms.service_level, terms.fill_rate, terms.order_cost):
            if given is not None:
                fixed |= np.nan_to_num(given[lines]) > 0
        packs = np.where(fixed, 0, np.ceil(quantity / pack - _TINY))
        for number in range(int(min(packs.max(initial=0), _ROUNDS))):
            step = np.ceil(packs * number / min(packs.max(), _ROUNDS))
            tried = np.where(step * pack >= least - _TINY, step * pack, 0.0)
            cost = curve.at(lines, tried) + saving * tried
            cheaper = (tried < quantity) & ~fixed & (cost < lowest - _TINY)
            found, lowest = np.where(cheaper, tried, found), np.where(cheaper, cost, lowest)
        return found

    def _set(self, lines: IntArray, quantity: FloatArray) -> None:
        """Order so much of some lines, at the price that this has."""
        self.found.quantity[lines] = quantity
        if self.price_of is not None:
            self.found.unit_cost = self.price_of(np.nan_to_num(self.found.quantity))

    def _value(self, lines: IntArray, quantity: FloatArray) -> FloatArray:
        """Return the money that so much of each line is."""
        if self.price_of is None:
            return quantity * self.found.unit_cost[lines]
        whole = np.nan_to_num(self.found.quantity)
        whole[lines] = quantity
        return quantity * self.price_of(whole)[lines]

    def _missing(self, lines: IntArray, row: dict[Any, Any]) -> Callable[[FloatArray], float]:
        """Return by quantities how far a supplier's minimum is away."""
        least_value, least_units = _limit(row, "min_value"), _limit(row, "min_units")

        def missing(quantity: FloatArray) -> float:
            value = self._value(lines, quantity).sum()
            gaps = [least_value - value, least_units - quantity.sum()]
            return float(np.nanmax([0.0, *gaps]))

        return missing

    def fill_or_drop(self, lines: IntArray, row: dict[Any, Any]) -> None:
        """Reach a supplier's minimum with the packs that cost least, or drop the order."""
        found, free = self.found, self.wanted.free
        missing = self._missing(lines, row)
        fixed = np.nan_to_num(_limit(row, "order_cost"))
        before = found.quantity[lines].copy()
        if not (before > 0).any():
            return

        quantity = before.copy()
        if missing(quantity) > _TINY:
            quantity = self._moved(lines, quantity, +1, missing)
        short = missing(quantity) > _TINY
        if not short and missing(before) <= _TINY and fixed <= 0:
            return
        pays = self._worth(lines, quantity) > fixed or not free[lines].any()
        if not short and pays:
            found.filled[lines] += quantity - before
            self._set(lines, quantity)
        else:
            self._drop(lines, before, is_unpaid=missing(before) <= _TINY)

    def _worth(self, lines: IntArray, quantity: FloatArray) -> float:
        """Return the money that so much of some lines saves, against what is not ours to say."""
        curve, free = self.wanted.curve, self.wanted.free[lines]
        without = np.where(free, 0.0, quantity)
        return float((curve.at(lines, without) - curve.at(lines, quantity)).sum())

    def drop_below(self, lines: IntArray, row: dict[Any, Any]) -> None:
        """Drop an order that a budget has left below its supplier's minimum, or its cost."""
        quantity = self.found.quantity[lines]
        if not (self.found.cut[lines].any() and (quantity > 0).any()):
            return
        fixed = np.nan_to_num(_limit(row, "order_cost"))
        if self._missing(lines, row)(quantity) > _TINY:
            self._drop(lines, quantity.copy())
        elif fixed > 0 and self._worth(lines, quantity) <= fixed and self.wanted.free[lines].any():
            self._drop(lines, quantity.copy(), is_unpaid=True)

    def _drop(self, lines: IntArray, quantity: FloatArray, *, is_unpaid: bool = False) -> None:
        free, found = self.wanted.free[lines], self.found
        why = found.unpaid if is_unpaid else found.dropped
        why[lines] = (quantity > 0) & free
        found.filled[lines[free]] = found.lot[lines[free]] = 0.0
        self._set(lines, np.where(free, 0.0, quantity))

    def keep_budget(self, lines: IntArray, budget: float) -> None:
        """Take away lots, then the packs that save least per unit of money: the budget holds."""
        found = self.found

        def over(quantity: FloatArray) -> float:
            return float(max(self._value(lines, quantity).sum() - budget, 0))

        quantity = found.quantity[lines].copy()
        if np.isnan(budget) or over(quantity) <= _TINY:
            return
        quantity = self._without_lots(lines, quantity, over)
        after = self._given_back(lines, self._moved(lines, quantity, -1, over), quantity, over)
        after = self._with_minima(lines, after, quantity, over)
        gone = quantity - after
        found.cut[lines] += np.maximum(gone - found.filled[lines], 0)
        found.filled[lines] = np.maximum(found.filled[lines] - gone, 0)
        self._set(lines, after)

    def _without_lots(
        self, lines: IntArray, quantity: FloatArray, over: Callable[[FloatArray], float]
    ) -> FloatArray:
        """Return quantities without what was added for a lower price, the most expensive first."""
        quantity, lot = quantity.copy(), self.found.lot
        for at in np.argsort(-self._value(lines, quantity), kind="stable"):
            if over(quantity) <= _TINY:
                break
            quantity[at] -= lot[lines[at]]
            lot[lines[at]] = 0.0
        return quantity

    def _with_minima(
        self,
        lines: IntArray,
        quantity: FloatArray,
        most: FloatArray,
        over: Callable[[FloatArray], float],
    ) -> FloatArray:
        """Return quantities with lines that fell below their minimum again, where that is cheaper.

        Other lines are cut for them.
        """
        least, free, curve = self.least[lines], self.wanted.free[lines], self.wanted.curve
        fallen = np.flatnonzero(free & (quantity <= 0) & (most >= least - _TINY))
        fallen = fallen[least[fallen] > self.terms.pack_size[lines[fallen]]]
        for at in fallen[:_FALLEN]:
            tried = quantity.copy()
            tried[at] = least[at]
            tried = self._moved(lines, tried, -1, over, can=free & (np.arange(len(lines)) != at))
            tried = self._given_back(lines, tried, most, over)
            is_cheaper = curve.at(lines, tried).sum() < curve.at(lines, quantity).sum() - _TINY
            if over(tried) <= _TINY and is_cheaper:
                quantity = tried
        return quantity

    def _given_back(
        self,
        lines: IntArray,
        quantity: FloatArray,
        most: FloatArray,
        over: Callable[[FloatArray], float],
    ) -> FloatArray:
        """Return quantities with packs added again, as long as the budget holds."""
        curve, pack = self.wanted.curve, self.terms.pack_size[lines]
        quantity, price = quantity.copy(), np.maximum(self.found.unit_cost[lines], _TINY)
        can = self.wanted.free[lines].copy()
        for _ in range(_ROUNDS):
            step = np.maximum(pack, self.least[lines] - quantity)
            can &= quantity + step <= most + _TINY
            if not can.any() or over(quantity) > _TINY:
                break
            saved = curve.at(lines, quantity) - curve.at(lines, quantity + step)
            best = int(np.where(can, saved / (step * price), -np.inf).argmax())
            tried = quantity.copy()
            tried[best] += step[best]
            if over(tried) > _TINY:
                can[best] = False
            else:
                quantity = tried
        return quantity

    def _moved(
        self,
        lines: IntArray,
        quantity: FloatArray,
        sign: int,
        left: Callable[[FloatArray], float],
        can: BoolArray | None = None,
    ) -> FloatArray:
        """Return quantities with packs added or taken, the cheapest first, until none is left.

        Only those of lines that `can` be moved, by default all that are free. Every round moves as
        many packs of the cheapest line as a hundredth of what is left asks for; a line is never
        left between nothing and its minimum.
        """
        wanted = self.wanted
        pack, price = self.terms.pack_size[lines], self.found.unit_cost[lines]
        least = self.least[lines]
        can = wanted.free[lines] if can is None else can
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
                step = np.where(quantity - step < least - _TINY, quantity, step)
            else:
                step = np.maximum(step, least - quantity)
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
