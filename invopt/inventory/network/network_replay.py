"""A network replayed on weeks that are over: sources that can run out supply the shelves.

One period, in order: what was sent lead time + 1 periods ago arrives; demand is served from stock;
what is left is held and paid for, at sources too, what is missing is lost or waits; at a review
all orders are placed at once. What a source sends is no more than lies there then. Units under way
are nobody's: they are paid for where they lie.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.contracts import StockRecords, TermsTables
from invopt.inventory.costs import Terms
from invopt.inventory.decision import ReviewRules, SummedForecast
from invopt.inventory.network.net import Sources
from invopt.inventory.network.network_review import NetworkReview
from invopt.inventory.network.tree import next_review
from invopt.inventory.replay import Replay
from invopt.inventory.review import Review
from invopt.inventory.simulation import State, Totals, sell
from invopt.lanes import TRANSFER
from invopt.panel import Panel
from invopt.types import BoolArray, FloatArray, IntArray

OUTSIDE = -1  # a supplier, which never runs out
# Orders of series and sources that one candidate places in a replay: about ten seconds of planning.
MOST_ORDERS = 40_000


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Items of a network: its series, then the products of sources that sell nothing themselves.

    Attributes:
        ids: (items,) unique_id.
        num_series: Series.
        parent: (items,) item that supplies each; OUTSIDE for a supplier.
        lead_time: (items,) periods.
        holding_cost: (items,) money per unit and period.
        stockout_cost: (items,) money per unit missed; 0 at sources that sell nothing.
        places: Names of the places that supply others.
    """

    ids: npt.NDArray[np.object_] = field(repr=False)
    num_series: int
    parent: IntArray = field(repr=False)
    lead_time: IntArray = field(repr=False)
    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    places: tuple[str, ...] = ()

    @property
    def num(self) -> int:
        """Items."""
        return len(self.ids)

    def above(self) -> list[IntArray]:
        """Return (items,) the item itself, its source, the source of that, ..., OUTSIDE beyond."""
        found = [np.arange(self.num)]
        while (found[-1] >= 0).any():
            found.append(np.where(found[-1] >= 0, self.parent[found[-1]], OUTSIDE))
        return found[:-1]

    def below(self, values: FloatArray) -> FloatArray:
        """Return (items,) the sum over each item's own series and all that it supplies.

        Args:
            values: (series,) of any unit.
        """
        total = np.zeros(self.num)
        for item in self.above():
            at = item[: self.num_series]
            np.add.at(total, at[at >= 0], values[at >= 0])
        return total

    def reach(self, review_period: int) -> int:
        """Return the periods from an order at the top until its units lie on the last shelf."""
        path, far = self.above(), np.zeros(self.num, np.int64)
        for item in reversed(path):
            come = next_review(far, np.full(self.num, review_period)) + self.lead_time[item] + 1
            far = np.where(item >= 0, come, far)
        return int(far[: self.num_series].max(initial=0))


@dataclass(frozen=True)
class Shipments:
    """What is sent at the end of a period, in the order of its claims; arrays are (shipments,).

    Attributes:
        taker: Item.
        giver: Item; OUTSIDE for a supplier.
        units: Asked for.
        lead_time: On the shelf at the start of the period lead_time + 1 later.
        cost: Money per unit sent.
    """

    taker: IntArray = field(repr=False)
    giver: IntArray = field(repr=False)
    units: FloatArray = field(repr=False)
    lead_time: IntArray = field(repr=False)
    cost: FloatArray = field(repr=False)

    def within(self, on_hand: FloatArray) -> FloatArray:
        """Return the units that can be sent: of a giver, first claims first.

        Args:
            on_hand: (items,) units.

        Example:
            A source of 5 is asked for 4 twice; a supplier outside has what is asked of it:

            >>> item, none = np.array([1, 2, 0]), np.zeros(3, int)
            >>> giver = np.array([0, 0, OUTSIDE])
            >>> Shipments(item, giver, np.array([4.0, 4.0, 90.0]), none, 0.0 * none).within(
            ...     np.array([5.0, 0.0, 0.0])).tolist()
            [4.0, 1.0, 90.0]
        """
        order = np.argsort(self.giver, kind="stable")
        asked, giver = self.units[order], self.giver[order]
        running = np.cumsum(asked) - asked
        first = np.searchsorted(giver, giver)
        left = on_hand[giver] - (running - running[first])
        sent = np.empty(len(order))
        sent[order] = np.where(giver >= 0, np.clip(left, 0, asked), asked)
        return sent


# (period, state at its end) to what is sent.
NetworkRule = Callable[[int, State], Shipments]


def replay_network(
    demand: FloatArray,
    rule: NetworkRule,
    chain: Chain,
    review_period: int,
    warmup: int,
    *,
    lost_sales: bool,
) -> Replay:
    """Replay a rule on a network from the state every candidate starts from.

    Every item starts with enough for its lead time and review at the pace of the demand to come
    that it serves, itself and below it.

    Args:
        demand: (series, periods) units, NaN when nobody asks; column 0 is over, not looked at.
        rule: What is sent at the end of a review period; the first is period 0.
        chain: The items.
        review_period: Periods between reviews.
        warmup: Periods at the start whose costs and counts are left out.
        lost_sales: Unmet demand is lost; else it waits.

    Returns:
        By series. What sources hold is shared out over the series below them, by their demand;
        what moves cost is in the holding cost of the series that gets the units.

    Example:
        A shop that sells two a day is sent one a day; it opens with 2, and the source, which nobody
        supplies, with 4. A sale is missed on the last day; the shop holds 2, 1, 0 and 0, the source
        4, 3, 2 and 1:

        >>> one = np.ones(2)
        >>> chain = Chain(ids=np.array(["s", "W"], object), num_series=1,
        ...               parent=np.array([1, OUTSIDE]), lead_time=np.array([0, 1]),
        ...               holding_cost=0.1 * one, stockout_cost=np.array([1.0, 0.0]))
        >>> to, none = np.zeros(1, int), np.zeros(1, int)
        >>> daily = Shipments(to, to + 1, np.ones(1), none, np.zeros(1))
        >>> demand = np.array([[0.0, 2, 2, 2]])
        >>> found = replay_network(demand, lambda t, state: daily, chain, 1, 0, lost_sales=True)
        >>> found.served.tolist(), found.stock.tolist(), found.stockout_cost.tolist()
        ([5.0], [13.0], [1.0])
    """
    ahead = np.where(np.isnan(demand), 0.0, demand)
    ahead[:, 0] = 0
    asked = np.zeros((demand.shape[1], chain.num))
    asked[:, : chain.num_series] = ahead.T
    pace = chain.below(ahead[:, 1:].mean(axis=1))
    state = State(
        np.rint(pace * (chain.lead_time + review_period)), np.zeros(chain.num),
        np.zeros(chain.num), np.zeros((0, chain.num)),
    )  # fmt: skip
    totals, moving = _play(asked, rule, state, review_period, warmup, lost_sales=lost_sales)
    found = totals.told(
        asked[warmup:], state, chain.holding_cost, chain.stockout_cost, lost_sales=lost_sales
    )
    shared = _shared(chain, found["demand"])
    for name in ("holding_cost", "stock", "closing"):
        found[name] = shared(found[name])
    found["holding_cost"] += moving
    own = {name: values[: chain.num_series] for name, values in found.items()}
    return Replay(**own, num_periods=len(asked) - warmup)


def _play(
    asked: FloatArray, rule: NetworkRule, state: State, review_period: int, warmup: int,
    *, lost_sales: bool,
) -> tuple[Totals, FloatArray]:  # fmt: skip
    """Play every period; return what is counted, and (items,) money that moves cost."""
    periods, num = asked.shape
    due, moving = np.zeros((periods, num)), np.zeros(num)
    totals, missing = Totals(num), np.zeros(num)
    for t in range(periods):
        counted = t >= warmup
        state.on_hand += due[t]
        state.on_order -= due[t]
        if counted and not lost_sales:
            totals.wait(asked[t], state)
        sell(asked[t], state, missing, lost_sales=lost_sales)
        if counted:
            totals.count(due[t], state.on_hand, missing)
        if t % review_period == 0:
            state.arrivals = due[t + 1 :]
            due, placed, paid = _sent(t, rule(t, state), state, due)
            if counted:
                totals.order(placed)
                moving += paid
    return totals, moving


def _sent(
    period: int, shipments: Shipments, state: State, due: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Take units from givers; return what is due then, and (items,) units and money by taker."""
    num, units = len(state.on_hand), shipments.within(state.on_hand)
    inside = shipments.giver >= 0
    np.subtract.at(state.on_hand, shipments.giver[inside], units[inside])
    at = period + shipments.lead_time + 1
    due = np.pad(due, ((0, max(int(at.max(initial=0)) + 1 - len(due), 0)), (0, 0)))
    np.add.at(due, (at, shipments.taker), units)
    placed, paid = (
        np.bincount(shipments.taker, values, num).astype(np.float64)
        for values in (units, units * shipments.cost)
    )
    state.on_order += placed
    return due, placed, paid


def _shared(chain: Chain, demand: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Return what gives the series what their sources have, by demand; equally where none is."""
    own = chain.num_series
    weight = np.maximum(demand[:own], 1e-9)
    below, path = chain.below(weight), chain.above()

    def share(values: FloatArray) -> FloatArray:
        found = values.copy()
        for item in path[1:]:
            rows = np.flatnonzero(item[:own] >= 0)
            source = item[rows]
            found[rows] += np.where(source >= own, values[source] * weight[rows] / below[source], 0)
        return found

    return share


def chain_of(sources: Sources, series: pd.DataFrame, terms: Terms) -> Chain:
    """Return the items of a network.

    Args:
        sources: Of the series.
        series: unique_id and location of the series.
        terms: Of the series, by the lanes that supply them.

    Example:
        A warehouse that sells something itself supplies a shop: its series is the source.

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.network.net import sources_of
        >>> from invopt.timeline import Timeline
        >>> lanes = pd.DataFrame({"source": ["W"], "location": ["s1"], "lead_time": [2.0]})
        >>> series = pd.DataFrame({"unique_id": ["a_s1", "a_W"], "product": "a",
        ...                        "location": ["s1", "W"], "lead_time": [2.0, 7.0]})
        >>> config, days = InventoryConfig(), Timeline(pd.Timestamp("2024-01-01"), "D", 1)
        >>> terms = terms_of(series, None, config)
        >>> sources = sources_of(series, terms, TermsTables(lanes=lanes), days, config, 14)
        >>> chain = chain_of(sources, series, terms)
        >>> chain.ids.tolist(), chain.parent.tolist(), chain.reach(7)
        (['a_s1', 'a_W'], [1, -1], 17)
    """
    num, pure = len(series), len(sources.nodes) - int(sources.own.sum())
    both = np.flatnonzero(sources.own)  # a source that sells something is its own series
    item = np.concatenate([np.arange(num + pure), both])
    parent = np.where(sources.parent >= 0, item[sources.parent], OUTSIDE)
    parent[both] = parent[num + pure :]
    own, nodes = sources.supply.terms, sources.nodes
    lead_time = np.concatenate([terms.lead_time, own.lead_time[:pure]])
    lead_time[both] = own.lead_time[pure:]
    return Chain(
        ids=np.concatenate([series["unique_id"], nodes["unique_id"][:pure]]).astype(object),
        num_series=num,
        parent=parent[: num + pure],
        lead_time=lead_time,
        holding_cost=np.concatenate([terms.holding_cost, own.holding_cost[:pure]]),
        stockout_cost=np.concatenate([terms.stockout_cost, np.zeros(pure)]),
        places=tuple(sorted(set(nodes["location"].astype(str)))),
    )


class PlannedNetwork:
    """A rule: what the network's review, which writes the orders of every day, would order."""

    def __init__(
        self, panel: Panel, first: int, forecasts: Mapping[int, SummedForecast],
        tables: TermsTables, rules: ReviewRules, chain: Chain,
    ) -> None:  # fmt: skip
        """Make ready.

        Args:
            panel: Of the series of the chain, with all periods.
            first: Last period that the first review has seen.
            forecasts: By period of the replay at whose end each was made.
            tables: Lanes, and products of sources.
            rules: Costs and policy.
            chain: The items.
        """
        self.panel, self.first, self.forecasts = panel, first, forecasts
        self.tables, self.rules, self.chain = tables, rules, chain
        self.row = pd.Index(chain.ids)

    def __call__(self, period: int, state: State) -> Shipments:
        """Return what is sent; nothing where no forecast was made."""
        made = self.forecasts.get(period)
        if made is None:
            none = np.zeros(0, np.int64)
            return Shipments(none, none, np.zeros(0), none, np.zeros(0))
        desk = NetworkReview(self.tables, self._recorded(state), self.rules)
        seen = self.panel.truncate(self.first + period + 1)
        reviews = desk.settled([desk.plan(seen, made)])
        return self._shipments(reviews, desk)

    def _recorded(self, state: State) -> StockRecords:
        period, item = np.nonzero(state.arrivals > 0)
        under_way = pd.DataFrame({
            "unique_id": self.chain.ids[item], "due_in": period + 1,
            "quantity": state.arrivals[period, item],
        })  # fmt: skip
        position = pd.DataFrame({
            "unique_id": self.chain.ids, "on_hand": state.on_hand, "backorders": state.backorders,
        })  # fmt: skip
        return StockRecords(position, under_way)

    def _shipments(self, reviews: list[Review], desk: NetworkReview) -> Shipments:
        """Return the orders: of series first, then of sources, then what moves between series."""
        columns = ["unique_id", "order_quantity", "lead_time"]
        orders = pd.concat([r.orders[columns] for r in reviews], ignore_index=True)
        orders = orders[orders["order_quantity"] > 0]
        item = self.row.get_indexer(pd.Index(orders["unique_id"]))
        moved = desk.moved
        giver, taker = (
            self.row.get_indexer(pd.Index([getattr(m, end) for m in moved], dtype=object))
            for end in ("giver", "taker")
        )
        return Shipments(
            np.concatenate([item, taker]),
            np.concatenate([self.chain.parent[item], giver]),
            np.concatenate([orders["order_quantity"], [m.units for m in moved]]).astype(float),
            np.concatenate([orders["lead_time"], [m.way.lead_time for m in moved]]).astype(int),
            np.concatenate([np.zeros(len(item)), [m.way.cost for m in moved]]).astype(float),
        )


def members(sources: Sources, series: pd.DataFrame) -> tuple[BoolArray, IntArray]:
    """Return (series,) which are part of a network, and the tree each belongs to.

    A series is part of one where a source that can run out supplies it, where it is such a source,
    or where stock moves to or from its place.

    Args:
        sources: Of the series.
        series: unique_id, product and location.

    Example:
        Three shops, of which one has a supplier only:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.network.net import sources_of
        >>> from invopt.timeline import Timeline
        >>> lanes = pd.DataFrame({"source": ["W", "W", "M"], "location": ["s1", "s2", "s3"],
        ...                       "lead_time": 1.0})
        >>> nodes = pd.DataFrame({"unique_id": ["a_W"], "product": ["a"], "location": ["W"]})
        >>> series = pd.DataFrame({"unique_id": ["a_s1", "a_s2", "a_s3"], "product": "a",
        ...                        "location": ["s1", "s2", "s3"]})
        >>> config, days = InventoryConfig(), Timeline(pd.Timestamp("2024-01-01"), "D", 1)
        >>> terms, tables = terms_of(series, None, config), TermsTables(lanes=lanes, nodes=nodes)
        >>> sources = sources_of(series, terms, tables, days, config, 14)
        >>> inside, tree = members(sources, series)
        >>> inside.tolist(), bool(tree[0] == tree[1] != tree[2])
        ([True, True, False], True)
    """
    num = len(series)
    inside = (sources.parent[:num] >= 0) | sources.own
    at = np.arange(len(sources.parent))
    while (sources.parent[at] >= 0).any():
        at = np.where(sources.parent[at] >= 0, sources.parent[at], at)
    tree = at[:num]
    moves = sources.lanes[sources.lanes["kind"] == TRANSFER]
    place = series["location"].astype(str)
    moving = place.isin({*moves["source"], *moves["location"]}).to_numpy()
    if moving.any():  # shops that give each other stock are replayed together
        product = pd.factorize(series["product"].astype(str))[0]
        joined = np.unique(product[moving])
        tree = np.where(np.isin(product, joined), len(sources.parent) + product, tree)
    return inside | moving, tree


def sampled(tree: IntArray, inside: BoolArray, most: int) -> BoolArray:
    """Return (series,) which to replay: of every so many trees one, whole, and about `most` series.

    Example:
        >>> tree, inside = np.array([7, 7, 8, 8, 9]), np.array([True, True, True, True, False])
        >>> sampled(tree, inside, 9).tolist(), sampled(tree, inside, 2).tolist()
        ([True, True, True, True, False], [True, True, False, False, False])
    """
    step = -(-int(inside.sum()) // max(most, 1))
    if step <= 1:
        return inside
    number = np.unique(tree[inside], return_inverse=True)[1]
    found = np.zeros(len(tree), bool)
    found[inside] = number % step == 0
    return found


def tables_replayed(tables: TermsTables) -> TermsTables:
    """Return what of the tables of planning a replay reads: the network and suppliers' lead times.

    Overrides, budgets, minima and calendars are of today, not of the weeks replayed.

    Example:
        >>> suppliers = pd.DataFrame({"supplier": ["M"], "lead_time": [5], "budget": [100.0]})
        >>> found = tables_replayed(TermsTables(suppliers=suppliers, overrides=suppliers))
        >>> list(found.suppliers), found.overrides
        (['supplier', 'lead_time'], None)
    """
    suppliers = tables.suppliers
    if suppliers is not None and "lead_time" in suppliers:
        suppliers = suppliers[["supplier", "lead_time"]]
    else:
        suppliers = None
    return TermsTables(lanes=tables.lanes, nodes=tables.nodes, suppliers=suppliers)


def only_below(tables: TermsTables, chain: Chain) -> TermsTables:
    """Return tables without the products of sources that supply no series of the chain.

    Example:
        >>> chain = Chain(ids=np.array(["a_s", "a_W", "b_W"], object), num_series=1,
        ...               parent=np.array([1, OUTSIDE, OUTSIDE]), lead_time=np.zeros(3, int),
        ...               holding_cost=np.ones(3), stockout_cost=np.ones(3))
        >>> nodes = pd.DataFrame({"unique_id": ["a_W", "b_W"]})
        >>> only_below(TermsTables(nodes=nodes), chain).nodes["unique_id"].tolist()
        ['a_W']
    """
    if tables.nodes is None:
        return tables
    used = set(chain.ids[chain.below(np.ones(chain.num_series)) > 0])
    keep = tables.nodes["unique_id"].astype(str).isin(used)
    return replace(tables, nodes=tables.nodes[keep].reset_index(drop=True))
