"""What an order of a source is worth: for the system below it, whenever it may arrive."""

from dataclasses import dataclass, field, replace

import numpy as np

from invopt.inventory.network.net import Net
from invopt.inventory.network.tree import Reached, System, next_review
from invopt.inventory.network.worth import Ending, MixedWorth, Shared, source_worth
from invopt.inventory.path import LeadLaw
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

_DRAWN, _TIMES = 200, 16  # draws of a law of lead times, and different times that are looked at


@dataclass(frozen=True)
class Arrival:
    """When an order may be there, and how likely.

    Attributes:
        share: Chance.
        lead: (sources,) periods between the order and the start of the one it arrives in.
        stop: (sources,) last period before the next order's arrival.
    """

    share: float
    lead: IntArray = field(repr=False)
    stop: IntArray = field(repr=False)


@dataclass(frozen=True)
class SourceOutlook:
    """What the orders of some sources are worth; arrays are (sources,).

    Attributes:
        worth: Of a unit more.
        held: Money that a unit left at the source costs, by arrival.
        state: (sources, paths) units of the system left when it ships again, by arrival.
        enough: Units with which every place has what pays there by itself, by arrival.
        ends: Intervals until the last product below ends, or a unit is too old to be sold, 1 at
            least; infinite for never.
        most: Units of an order of which the last one is still worth having before that.
    """

    worth: MixedWorth
    held: tuple[FloatArray, ...] = field(repr=False)
    state: tuple[Float32Array, ...] = field(repr=False)
    enough: tuple[FloatArray, ...] = field(repr=False)
    ends: FloatArray = field(repr=False)
    most: FloatArray = field(repr=False)

    def waiting(self, quantity: FloatArray) -> FloatArray:
        """Return the money that units left at the sources cost until the next order arrives."""
        found = np.zeros(len(quantity))
        parts = zip(self.worth.share, self.held, self.state, self.enough, strict=True)
        for share, held, state, enough in parts:
            left = np.maximum(state + quantity[:, None] - enough[:, None], 0)
            found += share * held * left.mean(axis=1, dtype=np.float64)
        return found


def arrivals_of(net: Net, nodes: IntArray) -> list[tuple[IntArray, list[Arrival]]]:
    """Return when orders of sources may arrive: places in nodes, and the times of those sources.

    Where receipts or a supplier's deviation tell how lead times vary, each time that they give is
    looked at; an order that a later one overtakes has no interval of its own.
    """
    terms, row = net.terms, nodes - net.num_series
    law = np.full(len(nodes), -1) if terms.law is None else terms.law[row]
    lead, cycle = net.items.lead_time[nodes], net.items.cycle[nodes]
    fixed = np.flatnonzero(law < 0)
    found = []
    if len(fixed):
        found.append((fixed, [Arrival(1.0, lead[fixed], lead[fixed] + cycle[fixed])]))
    kinds = np.stack([law, cycle], axis=1)
    for number, every in np.unique(kinds[law >= 0], axis=0).tolist():
        at = np.flatnonzero((kinds == (number, every)).all(axis=1))
        times = net.lead_times(number)
        one = np.ones(len(at), np.int64)
        found.append((at, [
            Arrival(share, first * one, last * one)
            for first, last, share in _times(times.shares, times.periods, every)
        ]))  # fmt: skip
    return found


def _times(shares: FloatArray, periods: IntArray, cycle: int) -> list[tuple[int, int, float]]:
    """Return lead times, last periods before the next arrival, and their chances.

    Example:
        One order of ten takes 10 periods instead of 3. The next one is then there as early, if it
        is not late too:

        >>> found = _times(np.array([0.9, 0.1]), np.array([3, 10]), 7)
        >>> [(first, last, round(share, 2)) for first, last, share in found]
        [(3, 10, 0.82), (3, 17, 0.08), (10, 17, 0.02)]
    """
    for number in (_DRAWN, _TIMES):
        law = LeadLaw.drawn(shares, periods, cycle, number)
        pairs, counts = np.unique(np.stack([law.lead, law.stop]), axis=1, return_counts=True)
        if pairs.shape[1] <= _TIMES:
            break
    return [
        (first, last, count / number)
        for (first, last), count in zip(pairs.T.tolist(), counts.tolist(), strict=True)
        if last > first
    ]


def outlook_of(
    net: Net, system: System, nodes: IntArray, times: list[Arrival], *, lost_sales: bool
) -> SourceOutlook:
    """Return what orders of sources are worth.

    Args:
        net: The network.
        system: Demand paths of the trees of these sources.
        nodes: Items, sources whose trees are all in the system.
        times: When their orders may arrive.
        lost_sales: Unmet demand is lost; else it waits.
    """
    row, num = nodes - net.num_series, len(nodes)
    position = net.stock.counted(net.terms.protection_interval)[row]
    there = (np.nan_to_num(position) + _inner(net, nodes))[:, None].astype(np.float32)
    parts, held, states, enough = [], [], [], []
    life = _life(net, nodes)
    last = np.minimum(_last_sale(net, nodes), net.items.lead_time[nodes] + life)
    most = np.full(num, np.inf)
    for time in times:
        reached = system.reached(nodes, time.lead + 1, time.stop)
        cost = net.items.holding_cost[nodes] * (time.stop - time.lead)
        state = _left(net, system, reached, num) + there
        part = source_worth(reached.units, state, cost)
        if np.isfinite(last).any():
            gone = time.lead + life
            until = _until_end(net, system, reached, nodes, gone=gone, lost_sales=lost_sales)
            lost = np.where(np.isfinite(last), net.terms.unit_cost[row], 0.0)
            part = replace(part, ending=Ending(until, lost))
            most = np.minimum(most, _worth_having(until, lost, net.terms.stockout_cost[row]))
        parts.append(part)
        held.append(cost)
        states.append(state)
        enough.append(_enough(reached.units, cost))
    lead, cycle = net.items.lead_time[nodes], net.items.cycle[nodes]
    return SourceOutlook(
        MixedWorth(tuple(t.share for t in times), tuple(parts)),
        tuple(held),
        tuple(states),
        tuple(enough),
        np.maximum((last - lead) / cycle, 1.0),
        most,
    )


def _worth_having(until: FloatArray, lost: FloatArray, sale: FloatArray) -> FloatArray:
    """Return (sources,) units of which the last one saves as much as is lost where it is left."""
    share = lost / np.maximum(lost + sale, 1e-9)
    at = np.clip(np.floor(share * until.shape[1]).astype(np.int64), 0, until.shape[1] - 1)
    return np.asarray(until[np.arange(len(until)), at])


def _last_sale(net: Net, nodes: IntArray) -> FloatArray:
    """Return (nodes,) the last period ahead with a sale anywhere below; infinite for never."""
    leaf, owner = leaves_of(net, nodes)
    found = np.zeros(len(nodes))
    np.maximum.at(found, owner, net.shelves.ends_in[leaf] - 1)
    return found


def ends_before_next(net: Net) -> BoolArray:
    """Return (nodes,) where all that is sold below ends before the next order is on a shelf."""
    nodes = net.num_series + np.arange(len(net.nodes))
    leaf, owner = leaves_of(net, nodes)
    far = np.zeros(len(nodes))
    np.maximum.at(far, owner, net.shelves.within[leaf])
    return np.asarray(_last_sale(net, nodes) < far)


def sunk_of(net: Net) -> IntArray:
    """Return the series whose units are lost wherever they lie: their source sends no more of them.

    The product ends in every place that the source supplies before an order of the next review
    would be there. What it does not send now is never sold.
    """
    shelves = net.shelves
    source = net.items.parent[: net.num_series]
    under = np.flatnonzero(source >= net.num_series)
    # A unit that comes on the last day of sale may still sell.
    goes_on = shelves.ends_in[under] > shelves.lead_time[under] + shelves.cycle[under] + 1
    keeps = np.zeros(net.items.num, bool)
    keeps[source[under[goes_on]]] = True
    inner = net.items.parent[net.num_series :]
    keeps[inner[inner >= 0]] = True  # it sends units to another source
    found = under[~keeps[source[under]] & ~net.own[under]]
    return np.asarray(found[np.isfinite(shelves.ends_in[found])])


def _life(net: Net, nodes: IntArray) -> FloatArray:
    """Return (nodes,) periods that a unit can be sold in from its arrival at the source on."""
    if net.terms.shelf_life is None:
        return np.full(len(nodes), np.inf)
    life = net.terms.shelf_life[nodes - net.num_series]
    return np.asarray(np.where(np.isnan(life), np.inf, np.ceil(np.nan_to_num(life))))


def too_old(net: Net) -> BoolArray:
    """Return (nodes,) where a unit cannot be sold any more when it comes to the nearest shelf."""
    nodes = net.num_series + np.arange(len(net.nodes))
    leaf, owner = leaves_of(net, nodes)
    lead = net.items.lead_time[nodes]
    ships = next_review(lead[owner] + 1, net.items.review_period[leaf])
    comes = np.full(len(nodes), np.inf)
    np.minimum.at(comes, owner, ships + net.shelves.lead_time[leaf] + 1.0)
    return np.asarray(np.isfinite(comes) & (lead + _life(net, nodes) < comes))


def _until_end(
    net: Net, system: System, reached: Reached, nodes: IntArray, *, gone: FloatArray,
    lost_sales: bool,
) -> FloatArray:  # fmt: skip
    """Return (nodes, paths) units of an order that sell before products end, ascending.

    What places below have is sold first, and what a place has is of no use to another.

    Args:
        net: The network.
        system: Demand paths of the trees of these sources.
        reached: The shelves below.
        nodes: The sources.
        gone: (nodes,) last period in which units of the order can be sold; infinite for never.
        lost_sales: Unmet demand is lost; else it waits.
    """
    leaf, owner, num = reached.leaf, reached.owner, len(nodes)
    start = net.shelves.take(leaf)
    reach = len(system.summed) - 1
    ends = np.minimum(start.ends_in - 1, gone[owner])
    last = np.clip(ends, 0, reach).astype(np.int64)
    nothing = np.zeros(len(leaf), np.int64)
    has = np.nan_to_num(start.on_hand + start.arrivals.sum(axis=1))
    rest = np.maximum(system.sold(leaf, nothing, last) - has[:, None], 0)
    beyond = np.maximum(ends - reach, 0)
    week = system.sold(leaf, nothing + max(reach - 7, 0), nothing + reach).mean(axis=1)
    more = np.where(beyond > 0, np.maximum(week, 1e-9) / 7 * beyond, 0.0)[:, None]
    rest = rest + more
    found = np.zeros((num, rest.shape[1]))
    np.add.at(found, owner, rest)
    row = nodes - net.num_series
    found -= (np.nan_to_num(net.stock.position[row]) + _inner(net, nodes))[:, None]
    if lost_sales:  # what is asked for before the order is there is no sale of it
        comes = np.minimum(reached.ships + start.lead_time, last)
        sales = np.zeros_like(found)
        np.add.at(sales, owner, system.sold(leaf, comes, last).astype(np.float64))
        np.add.at(sales, owner, more)
        found = np.minimum(found, sales)
    return np.sort(found, axis=1)


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


def leaves_of(net: Net, nodes: IntArray) -> tuple[IntArray, IntArray]:
    """Return the series below sources, at any depth, and the place of the source of each."""
    kids, owner = net.items.children(nodes)
    inner = np.flatnonzero(kids >= net.num_series)
    shops = np.flatnonzero(kids < net.num_series)
    if not len(inner):
        return kids, owner
    deeper, of_inner = leaves_of(net, kids[inner])
    return (
        np.concatenate([kids[shops], deeper]),
        np.concatenate([owner[shops], owner[inner][of_inner]]),
    )
