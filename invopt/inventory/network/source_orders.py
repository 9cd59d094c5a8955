"""What sources order: for the whole system below them, at the cost of the shelf."""

from dataclasses import dataclass, field, fields

import numpy as np

from invopt.inventory.aim import Weighed, within_limits
from invopt.inventory.costs import Terms
from invopt.inventory.lots import intervals_of
from invopt.inventory.network.net import Net
from invopt.inventory.network.source_outlook import (
    SourceOutlook,
    arrivals_of,
    leaves_of,
    outlook_of,
)
from invopt.inventory.network.tree import System
from invopt.inventory.network.worth import MixedWorth, best_quantity
from invopt.types import FloatArray, IntArray

_TINY = 1e-9


@dataclass
class Ordered:
    """Orders of sources; arrays are (nodes,), in units and money.

    Attributes:
        need: Up to which a unit more is worth ordering, before packs; below 0 for too much.
        quantity: To order.
        holding_cost: Expected at the source, of the order's own interval.
        stockout_cost: Expected at the shelves below, for want of units at the source.
        saved: By the order, against none.
        one_less: Change of cost by a pack less; NaN where nothing is ordered, or for other reasons
            than what a unit is worth.
        one_more: The same for a pack more.
        further: Units that later intervals ask for, and that an order line's cost asks for now.
        expected_demand: Of all shelves below, over lead time and interval.
        dry_in: First period ahead in which what is there and comes is used up; NaN for none.
    """

    need: FloatArray = field(repr=False)
    quantity: FloatArray = field(repr=False)
    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    saved: FloatArray = field(repr=False)
    one_less: FloatArray = field(repr=False)
    one_more: FloatArray = field(repr=False)
    further: FloatArray = field(repr=False)
    expected_demand: FloatArray = field(repr=False)
    dry_in: FloatArray = field(repr=False)


def ordered_by(net: Net, system: System, nodes: IntArray, *, lost_sales: bool) -> Ordered:
    """Return what sources order.

    Args:
        net: The network.
        system: Demand paths of the trees of these sources.
        nodes: Items, sources whose trees are all in the system.
        lost_sales: Unmet demand is lost; else it waits.
    """
    found: list[tuple[IntArray, Ordered]] = []
    for at, times in arrivals_of(net, nodes):
        ahead = outlook_of(net, system, nodes[at], times, lost_sales=lost_sales)
        found.append((at, _ordered(net, system, nodes[at], ahead)))
    if len(found) == 1:
        return found[0][1]
    order = np.argsort(np.concatenate([at for at, _ in found]), kind="stable")
    return Ordered(**{
        f.name: np.concatenate([getattr(part, f.name) for _, part in found])[order]
        for f in fields(Ordered)
    })  # fmt: skip


def _ordered(net: Net, system: System, nodes: IntArray, ahead: SourceOutlook) -> Ordered:
    row, worth = nodes - net.num_series, ahead.worth
    pack = net.terms.pack_size[row]
    position = net.stock.counted(net.terms.protection_interval)[row]
    need = np.where(np.isnan(position), np.nan, best_quantity(worth, whole=True))
    expected, later, dry = _ahead(net, system, nodes)
    lot = _Lot.of(net.terms.select(row), ahead, need, later)
    quantity = _packed(net, row, lot, worth, position)
    known = np.nan_to_num(quantity)
    less = worth.of_units(np.maximum(known - pack, 0), np.minimum(pack, known))
    more = -worth.of_units(known, pack)
    # A quantity that was not chosen by cost says nothing of what its neighbours cost.
    further = np.maximum(known - lot.own, 0)
    less, more = (np.where((further > 0) | (v < -_TINY), np.nan, v) for v in (less, more))
    return Ordered(
        need=need,
        quantity=quantity,
        holding_cost=ahead.waiting(known),
        stockout_cost=worth.missed(known),
        saved=lot.saved(worth, known),
        one_less=np.where(known > 0, less, np.nan),
        one_more=more,
        further=np.where(lot.line > 0, further, 0.0),
        expected_demand=expected,
        dry_in=dry,
    )


@dataclass(frozen=True)
class _Lot:
    """What sources order for, before limits; arrays are (sources,).

    Attributes:
        own: Whole packs that the order's own interval asks for.
        whole: The same and what later intervals ask for, where a line costs so much that they are
            ordered for too.
        line: Money of the order line that waiting for an interval saves.
        least: Smallest order that is not zero.
    """

    own: FloatArray
    whole: FloatArray
    line: FloatArray
    least: FloatArray

    @classmethod
    def of(cls, terms: Terms, ahead: SourceOutlook, need: FloatArray, later: FloatArray) -> "_Lot":
        """Return the lots of some sources.

        Args:
            terms: Of the sources.
            ahead: What their orders are worth.
            need: Units that the own interval asks for; NaN where no stock is known.
            later: Units that a later interval asks for.
        """
        pack, worth = terms.pack_size, ahead.worth
        known = np.maximum(np.nan_to_num(need), 0)
        own = np.floor(known / pack + _TINY) * pack
        own += pack * ((known > own + _TINY) & (worth.of_units(own, pack) > 0))
        if terms.order_cost is None:
            return cls(own, own, np.zeros(len(own)), terms.least_order)
        cost = np.nan_to_num(terms.order_cost)
        number = intervals_of(cost, terms.holding_cost * terms.interval * later / 2, ahead.ends)
        lot = np.minimum(known + (number - 1) * later, np.maximum(ahead.most, known))
        whole = np.where(own > 0, np.maximum(np.rint(lot / pack) * pack, own), own)
        bought = np.maximum(whole, terms.least_order)
        lasts = np.minimum(1 + (bought - known) / np.maximum(later, _TINY), ahead.ends)
        return cls(own, whole, cost / np.maximum(number, lasts), terms.least_order)

    def saved(self, worth: MixedWorth, quantity: FloatArray) -> FloatArray:
        """Return the money that orders save in their own interval, their line's part taken off."""
        judged = quantity
        if self.line.any():
            judged = np.where(
                self.line > 0,
                np.minimum(quantity, np.maximum(self.own, self.least)),
                quantity,
            )
        found = worth.of_units(np.zeros(len(judged)), judged)
        return found - np.where(quantity > 0, self.line, 0.0)


def _packed(
    net: Net, row: IntArray, lot: _Lot, worth: MixedWorth, position: FloatArray
) -> FloatArray:
    """Return orders in whole packs, within limits; NaN where no stock is known."""
    terms, num = net.terms.select(row), len(row)
    found, _ = within_limits(
        lot.whole, terms, np.nan_to_num(position),
        lambda units, step: -worth.of_units(units, step),
        Weighed(np.zeros(num, bool), own=lot.own, line=lot.line),
    )  # fmt: skip
    idle = (net.supply.waits | net.supply.shut)[row]
    if terms.faults is not None:
        idle |= terms.faults != ""
    found = np.where(idle, 0.0, found)
    return np.where(np.isnan(position), np.nan, found)


def _ahead(net: Net, system: System, nodes: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what is expected below sources, and when what they have and get is used up.

    Returns:
        (nodes,) units over lead time and interval; units of an interval after that; period.
    """
    row = nodes - net.num_series
    until = net.terms.protection_interval[row]
    leaf, owner = leaves_of(net, nodes)
    cycle = net.terms.interval[row]
    reach = int(until.max(initial=1))
    far = min(int((until + cycle).max(initial=1)), len(system.summed) - 1)
    mean = system.summed[: far + 1, system.column[leaf]].mean(axis=2, dtype=np.float64)
    total = np.zeros((far + 1, len(nodes)))
    np.add.at(total.T, owner, mean.T)
    wanted = np.bincount(owner, net.shelves.wanted[leaf], len(nodes))
    come = np.zeros((reach, len(nodes)))
    width = min(reach, net.stock.arrivals.shape[1])
    come[:width] = net.stock.arrivals[row, :width].T
    # Shops order what they want now, and what is sold from then on.
    left = net.there[row] - wanted + come.cumsum(axis=0) - total[1 : reach + 1]
    ahead = np.arange(1, reach + 1)[:, None]
    empty = (left < 0) & (ahead <= until)
    dry = np.where(empty.any(axis=0), empty.argmax(axis=0) + 1.0, np.nan)
    at = np.arange(len(nodes))
    expected = total[until, at]
    return expected, total[np.minimum(until + cycle, far), at] - expected, dry
