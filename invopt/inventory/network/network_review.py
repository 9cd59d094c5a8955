"""A network's review: what each source orders, who gets what of it, what moves between shops.

Each series is planned by its own lane first, as if its source had enough. Then sources order for
the whole system below them, give what they have to where it is worth most, and stock moves between
shops where that pays. Shops are planned again with what has moved, and where they get less.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.contracts import StockRecords, TermsTables
from invopt.forecasts import forecast_of
from invopt.inventory.ahead import Phases
from invopt.inventory.costs import last_prices, terms_of
from invopt.inventory.decision import ReviewRules, SummedForecast
from invopt.inventory.network.allocation import allocate_exactly, within_lanes
from invopt.inventory.network.joint import correlations, residuals, together
from invopt.inventory.network.net import ALL_DAYS, Net, lane_names, net_of
from invopt.inventory.network.sheets import (
    Granted,
    NodeOrders,
    replaced,
    sources_review,
    told,
    with_source,
)
from invopt.inventory.network.shelf import ShelfPaths, Shelves, pack_gains
from invopt.inventory.network.source_orders import ordered_by
from invopt.inventory.network.source_outlook import sunk_of
from invopt.inventory.network.transfers import Transfer, Way, transfers
from invopt.inventory.network.tree import System
from invopt.inventory.reasons import Notes
from invopt.inventory.review import Review, demand_ahead, plan_review
from invopt.inventory.stock import stock_of
from invopt.inventory.suppliers import supply_of
from invopt.lanes import plain_lanes, supplied
from invopt.panel import Panel
from invopt.types import Float32Array, FloatArray, IntArray

_BLOCK = 2048  # series whose demand paths are in memory at once
_MOVES = 3  # times that transfers are looked for again
_EXACT = 512  # units of a source up to which every way to give them out is looked at
# Of series; the terms are those of a source that sells something itself.
_COLUMNS = ("unique_id", "product", "location", "supplied_by", "supplier", "lead_time", "pack_size",
            "min_order")  # fmt: skip


@dataclass(frozen=True)
class _Part:
    """A partition, as it was planned.

    Attributes:
        panel: With the terms of lanes.
        forecast: Of its series.
        rows: Of the panel, that belong to the network.
        shelves: The same series.
        errors: (rows, spans) of sales against what was usual.
    """

    panel: Panel = field(repr=False)
    forecast: SummedForecast = field(repr=False)
    rows: IntArray = field(repr=False)
    shelves: Shelves = field(repr=False)
    errors: FloatArray = field(repr=False)


@dataclass(frozen=True)
class Moved:
    """Units that one series gives another: unique_id of both, units, and the way they take."""

    giver: str
    taker: str
    units: float
    way: Way


class NetworkReview:
    """Plans the partitions of a data set one by one, then what their series share."""

    def __init__(self, tables: TermsTables, recorded: StockRecords, rules: ReviewRules) -> None:
        """Make ready.

        Args:
            tables: Of planning, with lanes.
            recorded: Stock and open orders.
            rules: Costs and policy, and what is put on every row.
        """
        assert tables.lanes is not None
        self.lanes = plain_lanes(tables.lanes)
        self.tables = with_order_days(tables)
        self.recorded, self.rules = recorded, rules
        self.parts: list[_Part] = []
        self.moved: list[Moved] = []
        self.sunk: frozenset[str] = frozenset()

    def plan(self, panel: Panel, forecast: SummedForecast) -> Review:
        """Return the review of a partition as if its sources had enough, and remember it."""
        lane = supplied(panel.series, self.lanes).lane
        panel = by_lanes(panel, self.lanes)
        review = self._review(panel, forecast, self.recorded)
        # A source that sells something itself belongs to the network too.
        sells = panel.series["location"].astype(str).isin(self.lanes["source"]).to_numpy()
        rows = np.flatnonzero((lane >= 0) | sells)
        shelves = self._shelves(panel, forecast, review, rows, self.recorded)
        # Nothing can be ordered for a shop that is farther away than the forecast reaches.
        near = np.flatnonzero((shelves.lead_time <= forecast.mean.shape[1]) | sells[rows])
        rows, shelves = rows[near], shelves.take(near)
        span = max(int(np.median(shelves.cycle)), 1) if len(rows) else 1
        errors = residuals(panel, rows, span)
        self.parts.append(_Part(panel, forecast, rows, shelves, errors))
        return review

    def _review(
        self,
        panel: Panel,
        forecast: SummedForecast,
        recorded: StockRecords,
        allotted: FloatArray | None = None,
    ) -> Review:
        sunk = None
        if self.sunk:
            sunk = np.isin(panel.unique_ids.astype(str), list(self.sunk))
        return plan_review(
            panel, forecast, recorded, self.tables, self.rules, allotted=allotted, sunk=sunk
        )

    def _shelves(
        self,
        panel: Panel,
        forecast: SummedForecast,
        review: Review,
        rows: IntArray,
        recorded: StockRecords,
    ) -> Shelves:
        series, horizon = panel.series, forecast.mean.shape[1]
        terms = terms_of(series, last_prices(panel), self.rules.config)
        supply = supply_of(series, terms, self.tables, panel.timeline, horizon)
        stock = stock_of(panel.unique_ids, *recorded, supply.delay)
        notes = Notes.none(panel.num_series)
        known = demand_ahead(
            panel, forecast, supply, self.tables, notes, is_count=self.rules.is_count
        )
        ahead = known.forecast
        terms = supply.terms.select(rows)
        within = np.clip(terms.protection_interval, 1, horizon)
        orders = review.orders.iloc[rows]
        wanted = np.nan_to_num(orders["order_quantity"].to_numpy(np.float64))
        told_so = orders["exception"].astype(str).str.contains("overridden").to_numpy(bool)
        return Shelves(
            mean=ahead.mean[rows], quantiles=ahead.smooth_quantiles[rows],
            sums=ahead.smooth_levels[rows], within=within,
            on_hand=stock.on_hand[rows] - stock.backorders[rows],
            arrivals=stock.arrivals[rows].astype(np.float32),
            lead_time=terms.lead_time, cycle=terms.interval, holding_cost=terms.holding_cost,
            stockout_cost=terms.stockout_cost, unit_cost=terms.unit_cost,
            pack_size=terms.pack_size, min_order=terms.min_order, wanted=wanted,
            fixed=told_so & (wanted > 0), ends_in=_ends_in(known.phases, panel.num_series)[rows],
        )  # fmt: skip

    def settled(self, reviews: list[Review]) -> list[Review]:
        """Return the reviews with what the network changes, and last that of its sources.

        Args:
            reviews: Of the partitions, as `plan` returned them.
        """
        members = [p.panel.series.iloc[p.rows] for p in self.parts]
        keep = [c for c in _COLUMNS if c in members[0]]
        series = pd.concat([m[keep] for m in members], ignore_index=True)
        ids = series["unique_id"].astype(str).to_numpy(object)
        if series.empty:
            return [with_source(r, self.lanes, None) for r in reviews]
        reviews = self._with_sunk(reviews, series, ids)
        shelves = Shelves.concatenate([p.shelves for p in self.parts])
        recorded, moved = self.recorded, list[Transfer]()
        net, granted, orders = self._given(series, shelves, moved)
        for _ in range(_MOVES):  # what a source gives and what moves depend on each other
            if not granted.moved:
                break
            moved = added([*moved, *granted.moved])
            recorded = with_moves(self.recorded, moved, ids)
            reviews, shelves = self._with_moves(reviews, recorded)
            net, granted, orders = self._given(series, shelves, moved)
        granted.moved = moved
        reviews = self._again(reviews, shelves, granted, net, recorded)
        under = np.flatnonzero(net.items.parent[: net.num_series] >= net.num_series)
        under = under[~net.is_full(under)]
        np.add.at(net.lost_at_sources, net.items.parent[: net.num_series][under] - net.num_series,
                  granted.lost[under])  # fmt: skip
        self.moved = [
            Moved(str(ids[t.way.giver]), str(ids[t.way.taker]), t.units, t.way)
            for t in granted.moved
        ]
        sources = sources_review(net, orders, self.rules)
        reviews = [
            told(with_source(r, self.lanes, net), net, granted, ids, self.lanes) for r in reviews
        ]
        return [*reviews, sources] if sources is not None else reviews

    def _with_sunk(
        self, reviews: list[Review], series: pd.DataFrame, ids: npt.NDArray[np.object_]
    ) -> list[Review]:
        """Return reviews in which shops take at last what would be lost at their source as well.

        Args:
            reviews: Of the partitions.
            series: Of the network.
            ids: Their names.
        """
        shelves = Shelves.concatenate([p.shelves for p in self.parts])
        if not np.isfinite(shelves.ends_in).any():
            return reviews
        rows = sunk_of(self._net(series, shelves))
        self.sunk = frozenset(ids[rows])
        found, first = [], 0
        for number, (part, review) in enumerate(zip(self.parts, reviews, strict=True)):
            own = rows[(rows >= first) & (rows < first + len(part.rows))] - first
            first += len(part.rows)
            if len(own):
                at = part.rows[own]
                few = self._review(
                    part.panel.select(at), forecast_of(part.forecast, at), self.recorded
                )
                review = replaced(review, few)
                wanted = part.shelves.wanted.copy()
                wanted[own] = np.nan_to_num(few.orders["order_quantity"].to_numpy(np.float64))
                self.parts[number] = replace(part, shelves=replace(part.shelves, wanted=wanted))
            found.append(review)
        return found

    def _net(self, series: pd.DataFrame, shelves: Shelves) -> Net:
        timeline, config = self.parts[0].panel.timeline, self.rules.config
        return net_of(series, shelves, self.tables, timeline, config, recorded=self.recorded)

    def _given(
        self, series: pd.DataFrame, shelves: Shelves, moved: list[Transfer]
    ) -> tuple[Net, Granted, NodeOrders]:
        """Return the network, what its series get and what more moves, and what sources order.

        Args:
            series: Of the network.
            shelves: The same series, with what moves already.
            moved: The transfers that these are.
        """
        net = self._net(series, shelves)
        granted, orders = Granted.of(net.shelves.wanted), NodeOrders.none(len(net.nodes))
        self._share(net, series, granted, orders, moved)
        return net, granted, orders

    def _with_moves(
        self, reviews: list[Review], recorded: StockRecords
    ) -> tuple[list[Review], Shelves]:
        """Return reviews and shelves of all partitions with the stock that transfers leave."""
        found, shelves = [], []
        for part, review in zip(self.parts, reviews, strict=True):
            after = self._review(part.panel, part.forecast, recorded)
            shelves.append(self._shelves(part.panel, part.forecast, after, part.rows, recorded))
            # Told is the stock that is recorded; what moves stands beside it.
            before = review.orders[["on_hand", "on_order"]]
            found.append(replace(after, orders=after.orders.assign(**before)))
        return found, Shelves.concatenate(shelves)

    def _share(
        self,
        net: Net,
        series: pd.DataFrame,
        granted: Granted,
        orders: NodeOrders,
        moved: list[Transfer],
    ) -> None:
        """Fill in what sources order and give, and what moves, block by block of whole trees."""
        ways = _left(net.ways, moved)
        group = pd.factorize(series["product"].astype(str))[0].astype(np.int64)
        errors = _of_one_width([p.errors for p in self.parts])
        related = correlations(errors, group, int(group.max()) + 1)
        forecast, config = self.parts[0].forecast, self.rules.config
        drawn = ShelfPaths(
            net.reach(), config.num_paths, config.seed,
            tuple(forecast.quantile_levels), tuple(forecast.level_quantiles),
            is_count=self.rules.is_count,
        )  # fmt: skip
        for block in net.blocks(_BLOCK):
            own = np.sort(block[block < net.num_series])
            if not len(own):
                continue
            part = net.shelves.take(own)
            seeds, local = np.unique(group[own], return_inverse=True)
            demand = together(drawn.draw(part), local, related[seeds], own, seeds)
            column = np.full(net.items.num, -1)
            column[own] = np.arange(len(own))
            work = _Block(
                net=net, own=own, column=column, part=part, demand=demand,
                granted=granted, orders=orders, lost_sales=config.is_lost,
            )  # fmt: skip
            work.supply(block[block >= net.num_series])
            work.move(ways)

    def _again(
        self,
        reviews: list[Review],
        shelves: Shelves,
        granted: Granted,
        net: Net,
        recorded: StockRecords,
    ) -> list[Review]:
        """Return the reviews with series planned again where they get other than they want."""
        found, first = [], 0
        for part, review in zip(self.parts, reviews, strict=True):
            own = np.arange(first, first + len(part.rows))
            first += len(part.rows)
            differs = np.abs(granted.units[own] - shelves.wanted[own]) > 1e-9
            changed = own[differs & ~net.own[own]]
            if len(changed):
                at = part.rows[changed - own[0]]
                told_so = review.orders.iloc[at][["on_hand", "on_order"]].reset_index(drop=True)
                smaller = self._review(
                    part.panel.select(at), forecast_of(part.forecast, at), recorded,
                    granted.units[changed],
                )  # fmt: skip
                orders = smaller.orders.assign(**told_so)
                review = replaced(review, replace(smaller, orders=orders))
            found.append(review)
        return found


@dataclass
class _Block:
    """Trees whose demand paths are in memory."""

    net: Net
    own: IntArray
    column: IntArray
    part: Shelves
    demand: Float32Array
    granted: Granted
    orders: NodeOrders
    lost_sales: bool

    def supply(self, nodes: IntArray) -> None:
        """Let the sources among a block's nodes that supply a series order and give."""
        nodes = nodes[self.net.has_series[nodes - self.net.num_series]]
        if len(nodes):
            self.order(nodes)
            self.give(nodes)

    def order(self, nodes: IntArray) -> None:
        """Fill in what sources order."""
        summed = np.zeros((len(self.demand) + 1, *self.demand.shape[1:]), np.float32)
        np.cumsum(self.demand, axis=0, out=summed[1:])
        system = System(self.net.items, summed, self.column)
        found = ordered_by(self.net, system, nodes, lost_sales=self.lost_sales)
        self.orders.put(nodes - self.net.num_series, found)

    def give(self, nodes: IntArray) -> None:
        """Share out what sources have where it is not enough for what is wanted of them."""
        net, granted = self.net, self.granted
        kids, owner = net.items.children(nodes)
        shop = kids < net.num_series
        kid, source = kids[shop], owner[shop]
        at = self.column[kid]
        wanted, fixed = granted.wanted[kid], self.part.fixed[at]
        inner = kids[~shop] - net.num_series
        passed = np.bincount(owner[~shop], np.nan_to_num(self.orders.quantity[inner]), len(nodes))
        row = nodes - net.num_series
        asked = np.bincount(source, wanted, len(nodes)) + passed
        self.orders.asked[row] = asked
        there = np.maximum(net.there[row], 0)
        part = np.where(asked > 0, 1 - passed / np.maximum(asked, 1e-9), 1.0)
        there = np.where(asked > there, there * part, np.maximum(there - passed, 0))
        short = asked - passed > there + 1e-9
        # A dock keeps nothing: it offers all, and a shop takes more than it wants now.
        limited = np.isfinite(net.capacity[net.lane[kid]])
        look = np.flatnonzero((short[source] | limited) & (wanted > 0) & ~fixed)
        if not len(look):
            return
        left = there - np.bincount(source, wanted * fixed, len(nodes)).astype(np.float64)
        left = np.where(np.isnan(left), np.inf, np.maximum(left, 0))
        mine = self.part.take(at[look])
        gain, step = pack_gains(mine, self.demand[:, at[look]], lost_sales=self.lost_sales)
        lane = net.lane[kid[look]]
        packs = self._packs(gain, step, mine, source[look], left=left, lane=lane)
        units = np.minimum(packs * step, wanted[look])
        units[units < mine.min_order - 1e-9] = 0
        missing = np.where(np.arange(gain.shape[1]) >= packs[:, None], gain, 0).sum(axis=1)
        cut = units < wanted[look] - 1e-9
        granted.units[kid[look]] = units
        granted.lost[kid[look]] = np.where(cut, missing, 0.0)
        net.used[:] += np.bincount(lane, units, len(net.used))
        # What a full lane leaves behind is not wanting at its source.
        full = np.where(cut & net.is_full(kid[look]), wanted[look] - units, 0.0)
        self.orders.asked[row] -= np.bincount(source[look], full, len(nodes))

    def _packs(
        self, gain: FloatArray, step: FloatArray, mine: Shelves, source: IntArray,
        left: FloatArray, lane: IntArray,
    ) -> IntArray:  # fmt: skip
        room = np.maximum(self.net.capacity - self.net.used, 0)
        found = within_lanes(gain, step, source, left, lane=lane, capacity=room)
        whole = (step == np.rint(step)) & (step >= 1)
        odd = np.zeros(len(left), bool)
        first = step[np.searchsorted(np.sort(source), np.arange(len(left))).clip(0, len(step) - 1)]
        odd[source[(step != first[source]) | (mine.min_order > step)]] = True
        odd[source[~whole | np.isfinite(room[lane])]] = False
        for node in np.flatnonzero(odd & np.isfinite(left)):
            rows = np.flatnonzero(source == node)
            measure = np.gcd.reduce(np.rint(step[rows]).astype(np.int64))
            if left[node] <= _EXACT * measure:
                least = np.maximum(np.ceil(mine.min_order[rows] / step[rows] - 1e-9), 1)
                found[rows] = allocate_exactly(
                    gain[rows], step[rows], float(left[node]), least.astype(np.int64)
                )
        return found

    def move(self, ways: list[Way]) -> None:
        """Move stock between shops where it pays."""
        here = set(self.own.tolist())
        near = [w for w in ways if w.giver in here and w.taker in here]
        if not near:
            return
        near = [
            replace(w, giver=int(self.column[w.giver]), taker=int(self.column[w.taker]))
            for w in near
        ]
        for found in transfers(
            self.part, self.demand, near, self.granted.units[self.own], lost_sales=self.lost_sales
        ):
            giver, taker = (int(self.own[r]) for r in (found.way.giver, found.way.taker))
            way = replace(found.way, giver=giver, taker=taker)
            self.granted.moved.append(replace(found, way=way))


def _ends_in(phases: Phases | None, num: int) -> FloatArray:
    """Return (series,) the first period ahead without any sale, from 1; inf for never."""
    if phases is None:
        return np.full(num, np.inf)
    return np.asarray(np.nan_to_num(phases.ends_in, nan=np.inf))


def _left(ways: list[Way], moved: list[Transfer]) -> list[Way]:
    """Return ways with the capacity that transfers leave; a minimum that is reached holds."""
    used = {(t.way.giver, t.way.taker): t.units for t in moved}
    return [
        replace(w, capacity=w.capacity - used[w.giver, w.taker], least=0.0)
        if (w.giver, w.taker) in used
        else w
        for w in ways
    ]


def added(moved: list[Transfer]) -> list[Transfer]:
    """Return one transfer for each pair of shops: the units and the money of all.

    Example:
        >>> from invopt.inventory.network.transfers import Way
        >>> way = Way(0, 1, lead_time=1, pack=1.0, least=0.0, capacity=9.0, cost=0.0)
        >>> rest = replace(way, capacity=5.0)
        >>> [(t.units, t.saved) for t in added([Transfer(way, 4.0, 2.0), Transfer(rest, 1.0, 0.5)])]
        [(5.0, 2.5)]
    """
    found: dict[tuple[int, int], Transfer] = {}
    for each in moved:
        pair = each.way.giver, each.way.taker
        old = found.get(pair)
        found[pair] = each if old is None else replace(
            old, units=old.units + each.units, saved=old.saved + each.saved
        )  # fmt: skip
    return list(found.values())


def with_moves(
    recorded: StockRecords, moved: list[Transfer], ids: npt.NDArray[np.object_]
) -> StockRecords:
    """Return stock without what leaves shops, and open orders with what comes to others.

    Args:
        recorded: Stock and open orders.
        moved: Transfers between rows of ids.
        ids: Names of the series.

    Example:
        >>> from invopt.inventory.network.transfers import Way
        >>> stock = pd.DataFrame({"unique_id": ["a", "b"], "on_hand": [9.0, 0.0]})
        >>> way = Way(0, 1, lead_time=1, pack=1.0, least=0.0, capacity=np.inf, cost=0.0)
        >>> found = with_moves(StockRecords(stock), [Transfer(way, 4.0, 1.0)], np.array(["a", "b"]))
        >>> found.position["on_hand"].tolist(), found.open_orders.to_dict("records")
        ([5.0, 0.0], [{'unique_id': 'b', 'due_in': 2, 'quantity': 4.0}])
    """
    assert recorded.position is not None  # nothing moves where no stock is known
    given: dict[str, float] = {}
    for each in moved:
        name = str(ids[each.way.giver])
        given[name] = given.get(name, 0.0) + each.units
    names = recorded.position["unique_id"].astype(str)
    left = recorded.position["on_hand"] - names.map(given).fillna(0.0)
    coming = pd.DataFrame(
        {
            "unique_id": [str(ids[t.way.taker]) for t in moved],
            "due_in": [t.way.lead_time + 1 for t in moved],
            "quantity": [t.units for t in moved],
        }
    )
    old = [] if recorded.open_orders is None else [recorded.open_orders]
    return StockRecords(
        recorded.position.assign(on_hand=left), pd.concat([*old, coming], ignore_index=True)
    )


def _by_lane(series: pd.DataFrame, lanes: pd.DataFrame, lane: IntArray) -> pd.DataFrame:
    """Return products with the terms of the lanes that supply them."""
    rows = np.flatnonzero(lane >= 0)
    if not len(rows):
        return series
    series, picked = series.copy(), lanes.iloc[lane[rows]]
    for column, given in (("lead_time", "lead_time"), ("pack_size", "pack_size"),
                          ("min_order", "min_units")):  # fmt: skip
        values = np.full(len(series), np.nan)
        if column in series:
            values = series[column].to_numpy(np.float64).copy()
        told_by = picked[given].to_numpy(np.float64)
        values[rows] = np.where(np.isnan(told_by), values[rows], told_by)
        if column in series or not np.isnan(values).all():
            series[column] = values
    supplier = np.full(len(series), "", object)
    if "supplier" in series:
        supplier = series["supplier"].astype(str).to_numpy(object).copy()
    supplier[rows] = lane_names(lanes)[lane[rows]]
    series["supplier"] = supplier
    return series


def by_lanes(panel: Panel, lanes: pd.DataFrame) -> Panel:
    """Return a panel whose products have the terms of the lanes that supply them."""
    lane = supplied(panel.series, lanes).lane
    return replace(panel, series=_by_lane(panel.series, lanes, lane))


def with_order_days(tables: TermsTables) -> TermsTables:
    """Return tables whose suppliers have a row for each lane that has order days of its own.

    Example:
        The lane to s2 is ordered by on Mondays and Thursdays only:

        >>> from invopt.inventory.network.net import BETWEEN
        >>> lanes = pd.DataFrame(
        ...     {"source": ["DC", "DC"], "location": ["s1", "s2"], "order_days": ["", "0,3"]}
        ... )
        >>> found = with_order_days(TermsTables(lanes=lanes)).suppliers
        >>> [(name.split(BETWEEN), days) for name, days in found.to_numpy()]
        [(['DC', 's2'], '0,3')]
    """
    if tables.lanes is None:
        return tables
    lanes = plain_lanes(tables.lanes)
    return replace(tables, suppliers=_with_lanes(tables.suppliers, lanes))


def _with_lanes(suppliers: pd.DataFrame | None, lanes: pd.DataFrame) -> pd.DataFrame | None:
    rows = (~lanes["order_days"].isin(ALL_DAYS)).to_numpy()
    if not rows.any():
        return suppliers
    own = pd.DataFrame({
        "supplier": lane_names(lanes)[rows], "order_days": lanes["order_days"].to_numpy()[rows],
    }).drop_duplicates("supplier")  # fmt: skip
    if suppliers is None:
        return own
    both = pd.concat([suppliers, own], ignore_index=True)
    return both.assign(order_days=both["order_days"].fillna(ALL_DAYS[1]))


def _of_one_width(parts: Iterable[FloatArray]) -> FloatArray:
    """Return the rows of all, the latest spans that every part has."""
    parts = [p for p in parts if len(p)]
    width = min((p.shape[1] for p in parts), default=0)
    return np.concatenate([p[:, p.shape[1] - width :] for p in parts])
