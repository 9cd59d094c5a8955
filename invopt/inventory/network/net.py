"""Series, the sources above them, and what each has and costs, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.inventory.costs import Terms, terms_of
from invopt.inventory.lead_times import LeadTimes
from invopt.inventory.network.shelf import Shelves
from invopt.inventory.network.transfers import Way
from invopt.inventory.network.tree import Items, next_review
from invopt.inventory.stock import Stock, stock_of
from invopt.inventory.suppliers import Supply, supply_of
from invopt.lanes import CROSS_DOCK, TRANSFER, plain_lanes, supplied
from invopt.timeline import Timeline
from invopt.types import BoolArray, FloatArray, IntArray

BETWEEN = "\x1f"  # between source and place, in the name of a lane with order days of its own
MOST_HORIZONS = 12  # of the forecast that a source may wait for its order
ALL_DAYS = ("", "0,1,2,3,4,5,6")


@dataclass(frozen=True, kw_only=True)
class Net:
    """A network's items: first the series, then the sources (`nodes`).

    A source that sells something itself is both: its series is supplied by it within a period.

    Attributes:
        items: Of series and sources.
        num_series: Series.
        shelves: The series.
        nodes: Products of the sources.
        supply: Of the sources.
        stock: Of the sources.
        source: (items,) name of what supplies each.
        lane: (items,) row of its lane; the last row for none.
        capacity: (lanes + 1,) units of all products; inf for any.
        used: (lanes + 1,) units that are given; filled in.
        ways: Transfers, between rows of series.
        own: (series,) True where a source sells something itself.
        unsupplied: (nodes,) True where no lane or lead time says how long its orders take.
        place: (series,) location.
        lost_at_sources: (nodes,) money that is lost for want of units there now; filled in.
        timeline: Up to the review.
    """

    items: Items
    num_series: int
    shelves: Shelves
    nodes: pd.DataFrame
    supply: Supply
    stock: Stock
    source: npt.NDArray[np.object_] = field(repr=False)
    lane: IntArray = field(repr=False)
    capacity: FloatArray = field(repr=False)
    used: FloatArray = field(repr=False)
    ways: list[Way] = field(repr=False)
    own: BoolArray = field(repr=False)
    unsupplied: BoolArray = field(repr=False)
    place: npt.NDArray[np.object_] = field(repr=False)
    lost_at_sources: FloatArray = field(repr=False)
    timeline: Timeline = field(repr=False)

    def day(self, periods: int) -> str:
        """Return the day on whose morning what is ordered now and takes so long is there."""
        at = self.timeline.num_periods + periods
        return f"{self.timeline.dates(at, at + 1)[0]:%Y-%m-%d}"

    @property
    def has_series(self) -> BoolArray:
        """(nodes,) True where a series is below."""
        found = np.zeros(len(self.nodes), bool)
        at = self.items.parent[: self.num_series].copy()
        while (at >= 0).any():
            found[at[at >= 0] - self.num_series] = True
            at = np.where(at >= 0, self.items.parent[at], -1)
        return found

    @property
    def terms(self) -> Terms:
        """Of the sources."""
        return self.supply.terms

    @property
    def there(self) -> FloatArray:
        """(nodes,) units on hand, less those that wait; NaN where not known."""
        return self.stock.on_hand - self.stock.backorders

    def is_full(self, items: IntArray) -> BoolArray:
        """Return the items whose lane has no room for another pack, once units are given."""
        lane = self.lane[items]
        room = self.capacity[lane] - self.used[lane]
        return np.asarray(room < self.items.pack_size[items])

    def reach(self) -> int:
        """Return the periods ahead that any unit ordered now is looked at in."""
        items, lead_time = self.items, self._longest_lead()
        far = lead_time + 2 * items.cycle + 1
        at = np.arange(items.num)
        for _ in range(items.num):
            above = items.parent[at]
            if (above < 0).all():
                break
            more = lead_time[above] + 2 * items.cycle[above] + 1
            far, at = far + np.where(above >= 0, more, 0), np.where(above >= 0, above, at)
        return int(far.max(initial=1))

    def lead_times(self, law: int) -> LeadTimes:
        """Return a law of the sources' lead times, as far ahead as a source may wait."""
        times = self.terms.laws[law]
        most = MOST_HORIZONS * self.shelves.mean.shape[1]
        return replace(times, periods=np.minimum(times.periods, most))

    def _longest_lead(self) -> IntArray:
        """Return (items,) periods that an order may take, the longest that is known of."""
        found, terms = self.items.lead_time.copy(), self.terms
        if terms.law is not None:
            for number in range(len(terms.laws)):
                rows = self.num_series + np.flatnonzero(terms.law == number)
                found[rows] = np.maximum(found[rows], self.lead_times(number).periods.max())
        return found

    def blocks(self, size: int) -> Iterator[IntArray]:
        """Yield items of whole trees, and of shops that move stock to each other, together."""
        root = self.items.roots()
        for way in self.ways:
            first, second = sorted((root[way.giver], root[way.taker]))
            if first != second:
                root[root == second] = first
        moving = np.array([w.taker for w in self.ways], np.int64)
        used = (root >= self.num_series) | np.isin(root, root[moving])
        order = np.flatnonzero(used)[np.argsort(root[used], kind="stable")]
        if not len(order):
            return
        sorted_roots = root[order]
        starts = np.flatnonzero(np.append(True, sorted_roots[1:] != sorted_roots[:-1]))
        ends = np.append(starts[1:], len(order))
        first = 0
        for number, end in enumerate(ends):
            if end - first >= size or number == len(ends) - 1:
                yield order[first:end]
                first = int(end)


class Costs(Protocol):
    """What sources without costs of their own take from the places they supply; see Terms."""

    @property
    def unit_cost(self) -> FloatArray:
        """(series,) money per unit bought."""

    @property
    def holding_cost(self) -> FloatArray:
        """(series,) money per unit and period."""

    @property
    def stockout_cost(self) -> FloatArray:
        """(series,) money per unit missed."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Who supplies whom, and what supplies the sources.

    Attributes:
        lanes: Every column.
        own: (series,) True where a source sells something itself.
        lane: (series + nodes,) row of the lane that supplies each, -1 for none.
        parent: (series + nodes,) place of the item that supplies each, -1 for a supplier.
        nodes: Products of the sources, those that sell something themselves last.
        supply: Of the nodes.
    """

    lanes: pd.DataFrame = field(repr=False)
    own: BoolArray = field(repr=False)
    lane: IntArray = field(repr=False)
    parent: IntArray = field(repr=False)
    nodes: pd.DataFrame = field(repr=False)
    supply: Supply = field(repr=False)


def sources_of(
    series: pd.DataFrame,
    costs: Costs,
    tables: TermsTables,
    timeline: Timeline,
    config: InventoryConfig,
    horizon: int,
) -> Sources:
    """Return the sources of some series.

    Args:
        series: As net_of.
        costs: Of the same series.
        tables: As net_of.
        timeline: As net_of.
        config: Costs.
        horizon: Periods of a forecast.

    Example:
        Two shops are supplied by a warehouse, and that by a maker:

        >>> lanes = pd.DataFrame({"source": ["W", "W", "M"], "location": ["s1", "s2", "W"],
        ...                       "lead_time": [1.0, 2.0, 7.0]})
        >>> nodes = pd.DataFrame({"unique_id": ["a_W"], "product": ["a"], "location": ["W"]})
        >>> series = pd.DataFrame({"unique_id": ["a_s1", "a_s2"], "product": "a",
        ...                        "location": ["s1", "s2"]})
        >>> config, days = InventoryConfig(), Timeline(pd.Timestamp("2024-01-01"), "D", 1)
        >>> costs, tables = terms_of(series, None, config), TermsTables(lanes=lanes, nodes=nodes)
        >>> found = sources_of(series, costs, tables, days, config, 14)
        >>> found.parent.tolist(), found.supply.terms.lead_time.tolist()
        ([2, 2, -1], [7])
    """
    assert tables.lanes is not None
    lanes = plain_lanes(tables.lanes)
    own, lane, parent, nodes = _tree(series, tables.nodes, lanes)
    nodes = _with_terms(nodes.astype({"unique_id": str}), parent, lane, lanes, costs)
    terms = terms_of(nodes, None, config)
    supply = supply_of(nodes, terms, tables, timeline, horizon)
    supply = replace(supply, terms=_within_reach(supply.terms, horizon))
    return Sources(lanes=lanes, own=own, lane=lane, parent=parent, nodes=nodes, supply=supply)


def _within_reach(terms: Terms, horizon: int) -> Terms:
    """Return terms of sources without lead times that nobody means: those have a fault instead.

    Beyond its horizon a forecast repeats its last week, which says nothing of years from now.
    """
    far = terms.lead_time > MOST_HORIZONS * horizon
    if not far.any():
        return terms
    faults = np.full(len(far), "", object) if terms.faults is None else terms.faults.copy()
    for row in np.flatnonzero(far):
        faults[row] = (
            f"lead_time is {terms.lead_time[row]} periods, and may be {MOST_HORIZONS * horizon} at"
            f" most for a forecast of {horizon}: is it in another unit?"
        )
    return replace(terms, lead_time=np.where(far, horizon, terms.lead_time), faults=faults)


def net_of(
    series: pd.DataFrame,
    shelves: Shelves,
    tables: TermsTables,
    timeline: Timeline,
    config: InventoryConfig,
    recorded: StockRecords,
) -> Net:
    """Return a network.

    Args:
        series: unique_id, product, location, supplied_by of the series that lanes supply or that
            sell at a source.
        shelves: The same series.
        tables: Of planning, with lanes, and the products of the sources that sell nothing.
        timeline: Up to the review.
        config: Costs.
        recorded: Stock and open orders.
    """
    found = sources_of(series, shelves, tables, timeline, config, horizon=shelves.mean.shape[1])
    lanes, lane, own = found.lanes, found.lane, found.own
    frame, supply, num = found.nodes, found.supply, len(series)
    stock = stock_of(frame["unique_id"].to_numpy(object), *recorded, supply.delay)
    shelves = _emptied(shelves, own)
    items = _items(found.parent, lane, lanes, shelves, supply.terms)
    shelves = replace(shelves, within=_far(items, shelves))
    return Net(
        items=items,
        num_series=num, shelves=shelves, nodes=frame, supply=supply, stock=stock,
        source=_source(lanes, lane),
        lane=np.where(lane >= 0, lane, len(lanes)),
        capacity=np.append(lanes["capacity"].fillna(np.inf).to_numpy(np.float64), np.inf),
        used=np.zeros(len(lanes) + 1), ways=_ways(series, lanes), own=own,
        unsupplied=(frame["lead_time"].isna() & (frame["supplier"] == "")).to_numpy(),
        place=series["location"].astype(str).to_numpy(object),
        lost_at_sources=np.zeros(len(frame)), timeline=timeline,
    )  # fmt: skip


def _tree(
    series: pd.DataFrame, nodes: pd.DataFrame | None, lanes: pd.DataFrame
) -> tuple[BoolArray, IntArray, IntArray, pd.DataFrame]:
    """Return who supplies whom, of the series and then of the nodes.

    Returns:
        (series,) True where a source sells something itself; (items,) lane, -1 for none; (items,)
        row of the item that supplies it, -1 for none; the nodes, such sources included.
    """
    num = len(series)
    lane = supplied(series, lanes).lane
    place = series["product"].astype(str) + BETWEEN + series["location"].astype(str)
    feeds = series["product"].astype(str) + BETWEEN + _source(lanes, lane)
    own = place.isin(set(feeds[lane >= 0])).to_numpy()
    nodes = pd.concat([series.iloc[:0] if nodes is None else nodes, series[own]], ignore_index=True)
    node_lane = supplied(nodes, lanes).lane
    lane = np.concatenate([np.where(own, -1, lane), node_lane])
    product = pd.concat([series["product"], nodes["product"]], ignore_index=True).astype(str)
    node_place = nodes["product"].astype(str) + BETWEEN + nodes["location"].astype(str)
    wanted = product + BETWEEN + _source(lanes, lane)
    wanted[np.flatnonzero(own)] = place[own].to_numpy(object)
    found = pd.Index(node_place).get_indexer(pd.Index(wanted))
    return own, lane, np.where(found >= 0, found + num, -1), nodes


def _source(lanes: pd.DataFrame, lane: IntArray) -> npt.NDArray[np.object_]:
    """Return the source of each item's lane, "" for none."""
    if not len(lanes):
        return np.full(len(lane), "", object)
    return np.where(lane >= 0, lanes["source"].to_numpy(object)[lane], "").astype(object)


def _emptied(shelves: Shelves, own: BoolArray) -> Shelves:
    """Return shelves of which those at a source have what the source has: nothing beside it."""
    if not own.any():
        return shelves
    ones = np.ones(len(own))
    return replace(
        shelves,
        on_hand=np.where(own, 0.0, shelves.on_hand),
        arrivals=np.where(own[:, None], 0, shelves.arrivals).astype(np.float32),
        lead_time=np.where(own, 0, shelves.lead_time),
        pack_size=np.where(own, ones, shelves.pack_size),
        min_order=np.where(own, 0.0, shelves.min_order),
        wanted=np.where(own, np.ceil(_most_sold(shelves)), shelves.wanted),
        fixed=shelves.fixed & ~own,
    )


def _most_sold(shelves: Shelves) -> FloatArray:
    """Return (series,) the largest quantile of what is sold until the next order comes."""
    at = np.clip(shelves.cycle, 1, shelves.sums.shape[1]) - 1
    return np.asarray(shelves.sums[np.arange(shelves.num), at, -1], np.float64)


def _far(items: Items, shelves: Shelves) -> IntArray:
    """Return (series,) periods until what a source orders next comes to each shelf."""
    source = items.parent[: shelves.num]
    at = np.maximum(source, 0)
    comes = items.lead_time[at] + items.cycle[at] + 1
    far = next_review(comes, items.review_period[: shelves.num]) + shelves.lead_time
    far = np.where(source >= 0, far, shelves.within)
    return np.clip(far, 1, shelves.sums.shape[1])


def _items(
    parent: IntArray, lane: IntArray, lanes: pd.DataFrame, shelves: Shelves, terms: Terms
) -> Items:
    under = np.flatnonzero(parent >= 0)
    kinds = np.append(lanes["kind"].to_numpy(object), "")
    docks = kinds[lane[under]] == CROSS_DOCK
    push, picks = np.zeros(len(parent), bool), np.zeros(len(parent), bool)
    push[parent[under[docks]]] = True
    picks[parent[under[~docks]]] = True
    cycle = np.concatenate([shelves.cycle, terms.interval])
    return Items(
        parent=parent,
        lead_time=np.concatenate([shelves.lead_time, terms.lead_time]),
        cycle=cycle,
        review_period=cycle,
        holding_cost=np.concatenate([shelves.holding_cost, terms.holding_cost]),
        stockout_cost=np.concatenate([shelves.stockout_cost, terms.stockout_cost]),
        pack_size=np.concatenate([shelves.pack_size, terms.pack_size]),
        push=push & ~picks,
    )


def _with_terms(
    nodes: pd.DataFrame, parent: IntArray, lane: IntArray, lanes: pd.DataFrame, costs: Costs
) -> pd.DataFrame:
    """Return products of sources with their lane's terms, and their shops' costs where none."""
    frame, num = nodes.reset_index(drop=True).copy(), len(costs.unit_cost)
    own = lane[num:]
    known = own >= 0
    picked = lanes.iloc[np.maximum(own, 0)].reset_index(drop=True) if len(lanes) else lanes
    for column, given in (("lead_time", "lead_time"), ("pack_size", "pack_size"),
                          ("min_order", "min_units")):  # fmt: skip
        there = frame[column] if column in frame else pd.Series(np.nan, index=frame.index)
        of_lane = picked[given].where(known)
        frame[column] = of_lane.where(of_lane.notna(), there.astype(np.float64))
    supplier = frame["supplier"] if "supplier" in frame else pd.Series("", index=frame.index)
    supplier = supplier.fillna("").astype(str).replace("unknown", "")
    frame["supplier"] = np.where(known, lane_names(lanes)[np.maximum(own, 0)], supplier)
    above = _above(parent, num)
    for column, values in (("unit_cost", costs.unit_cost),
                           ("holding_cost", costs.holding_cost),
                           ("stockout_cost", costs.stockout_cost)):  # fmt: skip
        total = np.bincount(above[above >= 0], values[above >= 0], len(frame))
        mean = total / np.maximum(np.bincount(above[above >= 0], minlength=len(frame)), 1)
        there = frame[column] if column in frame else pd.Series(np.nan, index=frame.index)
        filled = there.astype(np.float64)
        if column != "holding_cost" or "unit_cost" not in nodes:
            filled = filled.where(filled.notna(), pd.Series(np.where(mean > 0, mean, np.nan)))
        frame[column] = filled
    return frame


def _above(parent: IntArray, num: int) -> IntArray:
    """Return (series,) the node that each series is under, nodes of nodes for what is left."""
    return np.where(parent[:num] >= num, parent[:num] - num, -1)


def lane_names(lanes: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Return what supplies by each lane: its source, by lane where it has order days of its own.

    Example:
        >>> lanes = pd.DataFrame(
        ...     {"source": ["DC", "DC"], "location": ["s1", "s2"], "order_days": ["", "0,3"]}
        ... )
        >>> [name.split(BETWEEN) for name in lane_names(lanes)]
        [['DC'], ['DC', 's2']]
    """
    source = lanes["source"].astype(str)
    days = ~lanes["order_days"].isin(ALL_DAYS)
    return np.where(days, source + BETWEEN + lanes["location"].astype(str), source).astype(object)


def _ways(series: pd.DataFrame, lanes: pd.DataFrame) -> list[Way]:
    """Return the transfers between rows of series."""
    found = []
    keys = zip(series["product"].astype(str), series["location"].astype(str), strict=True)
    place: dict[tuple[str, str], int] = {key: row for row, key in enumerate(keys)}
    by_place = series.groupby(series["location"].astype(str))["product"]
    products = {str(at): own.astype(str).tolist() for at, own in by_place}
    for lane in lanes[lanes["kind"] == TRANSFER].to_dict("records"):
        source, location = str(lane["source"]), str(lane["location"])
        wanted = [str(lane["product"])] if lane["product"] else products.get(location, [])
        usual = {"pack_size": 1.0, "min_units": 0.0, "cost": 0.0, "capacity": np.inf}
        given = {c: v if np.isnan(lane[c]) else float(lane[c]) for c, v in usual.items()}
        for product in wanted:
            giver, taker = place.get((product, source)), place.get((product, location))
            if giver is None or taker is None:
                continue
            found.append(
                Way(
                    giver,
                    taker,
                    int(lane["lead_time"]),
                    given["pack_size"],
                    given["min_units"],
                    given["capacity"],
                    given["cost"],
                )
            )
    return found
