"""What sources order: for the whole system below them, at the cost of the shelf."""

from dataclasses import dataclass, field

import numpy as np

from invopt.inventory.aim import Weighed, within_limits
from invopt.inventory.network.net import Net
from invopt.inventory.network.tree import Reached, System
from invopt.inventory.network.worth import Shared, SystemWorth, best_quantity, source_worth
from invopt.types import Float32Array, FloatArray, IntArray

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
        one_less: Change of cost by a pack less; NaN where nothing is ordered.
        one_more: The same for a pack more.
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
    expected_demand: FloatArray = field(repr=False)
    dry_in: FloatArray = field(repr=False)


def ordered_by(net: Net, system: System, nodes: IntArray) -> Ordered:
    """Return what sources order.

    Args:
        net: The network.
        system: Demand paths of the trees of these sources.
        nodes: Items, sources whose trees are all in the system.
    """
    row = nodes - net.num_series
    items, pack = net.items, net.terms.pack_size[row]
    lead, cycle = items.lead_time[nodes], items.cycle[nodes]
    reached = system.reached(nodes, lead + 1, lead + cycle)
    position = net.stock.counted(net.terms.protection_interval)[row]
    held = items.holding_cost[nodes] * cycle
    state = _left(net, system, reached, len(nodes))
    state += (np.nan_to_num(position) + _inner(net, nodes))[:, None].astype(np.float32)
    worth = source_worth(reached.units, state, held)
    need = np.where(np.isnan(position), np.nan, best_quantity(worth, whole=True))
    quantity = _packed(net, row, need, worth, position)
    known = np.nan_to_num(quantity)
    enough = _enough(reached.units, held)
    waits = np.maximum(state + known[:, None] - enough[:, None], 0).mean(axis=1, dtype=np.float64)
    less = worth.of_units(np.maximum(known - pack, 0), np.minimum(pack, known))
    expected, dry = _ahead(net, system, nodes)
    return Ordered(
        need=need,
        quantity=quantity,
        holding_cost=held * waits,
        stockout_cost=worth.missed(known),
        saved=worth.of_units(np.zeros(len(need)), known),
        one_less=np.where(known > 0, less, np.nan),
        one_more=-worth.of_units(known, pack),
        expected_demand=expected,
        dry_in=dry,
    )


def _left(net: Net, system: System, reached: Reached, num: int) -> Float32Array:
    """Return (nodes, paths) units that shelves have left when their source ships again.

    What lies on a shelf beyond what it needs is of no use to the others; where no stock of a
    shelf is known, it is taken to have what it needs.
    """
    start = net.shelves.take(reached.leaf)
    position = start.position(reached.ships + start.lead_time)
    sold = system.sold(reached.leaf, np.zeros(len(reached.leaf), np.int64), reached.ships)
    unknown = np.isnan(position)
    left = np.minimum(np.nan_to_num(position)[:, None] - sold, reached.kept[:, None])
    enough = np.where(np.isfinite(reached.kept), reached.kept, 0.0)
    left = np.where(unknown[:, None], enough[:, None], left)
    found = np.zeros((num, sold.shape[1]), np.float32)
    np.add.at(found, reached.owner, left)
    return found


def _inner(net: Net, nodes: IntArray) -> FloatArray:
    """Return (nodes,) units at sources below each, and under way to them."""
    stock = np.nan_to_num(net.stock.position)
    found = np.zeros(net.items.num)
    found[net.num_series :] = stock
    total = found.copy()
    at = np.arange(net.num_series, net.items.num)
    above = net.items.parent[at]
    while (above >= 0).any():
        np.add.at(total, above[above >= 0], found[at[above >= 0]])
        above = np.where(above >= 0, net.items.parent[above], -1)
    return np.asarray((total - found)[nodes])


def _enough(units: Shared, held: FloatArray) -> FloatArray:
    """Return (nodes,) units with which every place has what pays there by itself."""
    thick = units.layer.cumsum(axis=1)
    worth = thick[:, -1:] - thick + units.layer / 2
    at = np.maximum((worth >= held[:, None]).sum(axis=1) - 1, 0)
    return np.asarray(units.up_to[np.arange(len(at)), at])


def _packed(
    net: Net, row: IntArray, need: FloatArray, worth: SystemWorth, position: FloatArray
) -> FloatArray:
    """Return orders in whole packs, within limits; NaN where no stock is known."""
    terms = net.terms.select(row)
    pack = terms.pack_size
    known = np.nan_to_num(need)
    quantity = np.floor(np.maximum(known, 0) / pack + _TINY) * pack
    quantity += pack * ((known > quantity + _TINY) & (worth.of_units(quantity, pack) > 0))
    found, _ = within_limits(
        quantity, terms, np.nan_to_num(position),
        lambda units, step: -worth.of_units(units, step), Weighed(np.zeros(len(row), bool)),
    )  # fmt: skip
    idle = (net.supply.waits | net.supply.shut)[row]
    if terms.faults is not None:
        idle |= terms.faults != ""
    found = np.where(idle, 0.0, found)
    return np.where(np.isnan(need), np.nan, found)


def _ahead(net: Net, system: System, nodes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return expected demand below sources, and when what they have and get is used up."""
    row = nodes - net.num_series
    until = net.terms.protection_interval[row]
    leaf, owner = _leaves(net, nodes)
    reach = int(until.max(initial=1))
    mean = system.summed[: reach + 1, system.column[leaf]].mean(axis=2, dtype=np.float64)
    total = np.zeros((reach + 1, len(nodes)))
    np.add.at(total.T, owner, mean.T)
    wanted = np.bincount(owner, net.shelves.wanted[leaf], len(nodes))
    come = np.zeros((reach, len(nodes)))
    width = min(reach, net.stock.arrivals.shape[1])
    come[:width] = net.stock.arrivals[row, :width].T
    # Shops order what they want now, and what is sold from then on.
    left = net.there[row] - wanted + come.cumsum(axis=0) - total[1:]
    ahead = np.arange(1, reach + 1)[:, None]
    empty = (left < 0) & (ahead <= until)
    dry = np.where(empty.any(axis=0), empty.argmax(axis=0) + 1.0, np.nan)
    return total[until, np.arange(len(nodes))], dry


def _leaves(net: Net, nodes: IntArray) -> tuple[IntArray, IntArray]:
    """Return the series below sources, at any depth, and the place of the source of each."""
    kids, owner = net.items.children(nodes)
    inner = np.flatnonzero(kids >= net.num_series)
    shops = np.flatnonzero(kids < net.num_series)
    if not len(inner):
        return kids, owner
    deeper, of_inner = _leaves(net, kids[inner])
    return (
        np.concatenate([kids[shops], deeper]),
        np.concatenate([owner[shops], owner[inner][of_inner]]),
    )
