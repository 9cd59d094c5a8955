"""A network's orders replayed against the best plan of each place by itself, and its speed.

`invopt bench network-orders --data FOLDER` plays weekly reviews of M5 items at the stores of one
state and a warehouse, which lie empty of demand of its own: lead times 2 and 7, sales lost. Every
plan sees the same forecasts (quantiles of a store's own last weeks) and the same demand. The plan
of single places gives shops first come first served, and its warehouse orders up to a level of
the stores' demand taken together as its own: mean and safety factor, of which the one that costs
least over all windows is taken (it knows more than anybody could). `--scale N` plans N places of
items once, block by block, instead.
"""

import argparse
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.config import InventoryConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.forecasts import ForecastArrays
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network import NetworkReview
from invopt.inventory.review import plan_review
from invopt.panel import Panel
from invopt.timeline import Timeline
from invopt.types import FloatArray

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
LEAD, SOURCE_LEAD, WEEK, HORIZON, WEEKS, LOOK_BACK = 2, 7, 7, 28, 12, 182
ENDS = (1500, 1640, 1780)  # days known at the first review of each window; the last ends in d_1871
FACTORS = (0.5, 1.0, 1.5, 2.0)


def main(rest: list[str]) -> None:
    """Print cost, fill rate and stock of each plan."""
    parser = argparse.ArgumentParser(prog="invopt bench network-orders")
    parser.add_argument("--data", type=Path, help="folder of M5")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--state", default="CA")
    parser.add_argument("--stores", type=int, default=3)
    parser.add_argument("--windows", type=int, default=len(ENDS))
    parser.add_argument("--scale", type=int, help="places of items to plan once, without M5")
    parsed = parser.parse_args(rest)
    if parsed.scale:
        scale(parsed.scale)
        return
    if parsed.data is None:
        parser.error("--data FOLDER is needed, or --scale N")
    sales = read(parsed.data, parsed.items, parsed.state, parsed.stores)
    compare(sales, ENDS[: parsed.windows])


def read(data: Path, items: int, state: str, stores: int) -> pd.DataFrame:
    """Return sales by item and store, one row each, of items spread over all volumes."""
    frame = pd.read_parquet(data / "sales_train_evaluation.parquet")
    frame = frame[frame["state_id"] == state]
    names = sorted(frame["store_id"].unique())[:stores]
    frame = frame[frame["store_id"].isin(names)]
    days = [f"d_{n}" for n in range(1, max(ENDS) + WEEK * (WEEKS + 1) + 1)]
    known = frame[days[ENDS[0] - LOOK_BACK : ENDS[0]]].sum(axis=1).groupby(frame["item_id"]).sum()
    known = known[known >= LOOK_BACK].sort_values()
    picked = known.index[np.linspace(0, len(known) - 1, min(items, len(known))).astype(int)]
    frame = frame[frame["item_id"].isin(picked)]
    frame = frame.rename(columns={"item_id": "product", "store_id": "location"})
    frame = frame.sort_values(["product", "location"], ignore_index=True)
    return frame[["product", "location", *days]]


@dataclass
class Played:
    """What a plan cost and served; sums over items, places and days.

    Attributes:
        holding: Money of stock held, at the warehouse and at stores.
        stockout: Money of sales missed.
        sold: Units.
        asked: Units.
        seconds: Processor time of planning.
    """

    holding: float = 0.0
    stockout: float = 0.0
    sold: float = 0.0
    asked: float = 0.0
    seconds: float = 0.0

    @property
    def cost(self) -> float:
        """Money."""
        return self.holding + self.stockout

    def add(self, other: "Played") -> None:
        """Add another window's."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class World:
    """Items at stores and their warehouse, day by day; arrays are (items, stores) or (items,)."""

    demand: FloatArray = field(repr=False)
    shelf: FloatArray = field(repr=False)
    store: FloatArray = field(repr=False)
    to_shelf: FloatArray = field(repr=False)
    to_store: FloatArray = field(repr=False)

    @classmethod
    def opened(cls, demand: FloatArray, usual: FloatArray) -> "World":
        """Return a world with 9 days on the shelves and 14 at the warehouse, nothing under way."""
        items, stores, days = demand.shape
        return cls(
            demand, np.ceil(9 * usual), np.ceil(14 * usual.sum(axis=1)),
            np.zeros((items, stores, days + 30)), np.zeros((items, days + 30)),
        )  # fmt: skip

    def day(self, today: int, holding: float, stockout: float) -> Played:
        """Play a day: arrivals, sales, costs of what is left and of what was missed."""
        self.shelf += self.to_shelf[:, :, today]
        self.store += self.to_store[:, today]
        asked = self.demand[:, :, today]
        sold = np.minimum(asked, self.shelf)
        self.shelf -= sold
        held = self.shelf.sum() + self.store.sum() + self.to_shelf[:, :, today + 1 :].sum()
        return Played(holding * held, stockout * (asked - sold).sum(), sold.sum(), asked.sum())

    def order(self, today: int, shelves: FloatArray, store: FloatArray) -> None:
        """Send what stores order, as far as it is there, and order for the warehouse."""
        sent = np.minimum(shelves, 0)
        left = self.store.copy()
        for number in range(shelves.shape[1]):  # first come, first served
            sent[:, number] = np.minimum(shelves[:, number], left)
            left -= sent[:, number]
        self.store = left
        self.to_shelf[:, :, today + LEAD + 1] += sent
        self.to_store[:, today + SOURCE_LEAD + 1] += store


CONFIG = InventoryConfig(review_period=WEEK, holding_cost=0.01, stockout_cost=1.0, lead_time=LEAD)


def compare(sales: pd.DataFrame, ends: tuple[int, ...]) -> None:
    """Print what each plan cost over the windows."""
    plans = {f"single, factor {f:g}": f for f in FACTORS} | {"network": None}
    found = {name: Played() for name in plans}
    for end in ends:
        for name, factor in plans.items():
            found[name].add(play(sales, end, factor))
    lowest = min((p for n, p in found.items() if n != "network"), key=lambda p: p.cost)
    print(f"{sales['product'].nunique()} items x {sales['location'].nunique()} stores, "
          f"{len(ends)} windows of {WEEKS} weeks")  # fmt: skip
    print(f"{'plan':20s} {'cost':>10s} {'holding':>10s} {'missed':>10s} {'fill':>8s} {'cpu s':>7s}")
    for name, p in found.items():
        print(f"{name:20s} {p.cost:10.1f} {p.holding:10.1f} {p.stockout:10.1f} "
              f"{p.sold / p.asked:8.2%} {p.seconds:7.1f}")  # fmt: skip
    own = found["network"]
    equal = at_equal_fill(list(found.values())[:-1], own.sold / own.asked)
    print(f"network against the cheapest of single places: {own.cost / lowest.cost - 1:+.1%}; "
          f"against them at its own fill rate: {own.cost / equal - 1:+.1%}")  # fmt: skip


def at_equal_fill(plans: list[Played], fill: float) -> float:
    """Return the cost of single places at a fill rate, between the plans that enclose it."""
    fills = np.array([p.sold / p.asked for p in plans])
    order = np.argsort(fills)
    return float(np.interp(fill, fills[order], np.array([p.cost for p in plans])[order]))


def play(sales: pd.DataFrame, end: int, factor: float | None) -> Played:
    """Return a window of one plan; a warehouse of single places has a safety factor."""
    days = sales.columns[2:]
    items, stores = sales["product"].nunique(), sales["location"].nunique()
    known = sales[days].to_numpy(np.float64)
    demand = known[:, end : end + WEEK * WEEKS].reshape(items, stores, -1)
    usual = known[:, end - 56 : end].mean(axis=1).reshape(items, stores)
    world, total = World.opened(demand, usual), Played()
    for today in range(demand.shape[2]):
        played = world.day(today, CONFIG.holding_cost or 0.0, CONFIG.stockout_cost or 0.0)
        if today >= WEEK * 3:  # the opening is nobody's doing
            total.add(played)
        if today % WEEK == 0:
            begun = time.process_time()
            shelves, store = ordered(sales, known[:, : end + today + 1], world, today, factor)
            total.seconds += time.process_time() - begun
            world.order(today, shelves, store)
    return total


def forecast_of(known: FloatArray) -> ForecastArrays:
    """Return the quantiles of each series' own last half year, sums by sums of as many days."""
    recent = known[:, -LOOK_BACK:]
    mean = known[:, -56:].mean(axis=1)
    week = recent.reshape(len(recent), -1, WEEK).mean(axis=1)
    week = week / np.maximum(week.mean(axis=1, keepdims=True), 1e-9)
    shape = np.tile(week, (1, HORIZON // WEEK)) * mean[:, None]
    ratio = mean / np.maximum(recent.mean(axis=1), 1e-9)
    quantiles = np.quantile(recent, QUANTILES, axis=1).T * ratio[:, None]
    summed = np.concatenate([np.zeros((len(recent), 1)), recent.cumsum(axis=1)], axis=1)
    levels = [
        np.quantile(summed[:, n:] - summed[:, :-n], QUANTILES, axis=1).T * ratio[:, None]
        for n in range(1, HORIZON + 1)
    ]
    wide = np.repeat(quantiles[:, None], HORIZON, axis=1)
    return ForecastArrays(
        shape.astype(np.float32), wide.astype(np.float32),
        np.stack(levels, axis=1).astype(np.float32), QUANTILES, QUANTILES, is_count=True,
    )  # fmt: skip


def ordered(
    sales: pd.DataFrame, known: FloatArray, world: World, today: int, factor: float | None
) -> tuple[FloatArray, FloatArray]:
    """Return what stores and warehouse order; (items, stores) and (items,) units."""
    items, stores = world.shelf.shape
    ids = (sales["product"] + "_" + sales["location"]).to_numpy(object)
    names = sales["product"].to_numpy(object)[::stores]
    series = sales[["product", "location"]].assign(unique_id=ids, unit_cost=1.0, lead_time=2.0)
    y = known[:, -LOOK_BACK:].astype(np.int16)
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", LOOK_BACK)
    panel = Panel(timeline, series, y, np.zeros(y.shape, np.uint8))
    forecast = forecast_of(known)
    due = [(i, c, q) for i, c, q in _due(ids, world.to_shelf.reshape(len(ids), -1), today)]
    due += _due((names + "_DC").astype(object), world.to_store, today)
    under_way = pd.DataFrame(due, columns=["unique_id", "due_in", "quantity"])
    position = pd.DataFrame({
        "unique_id": [*ids, *(names + "_DC")],
        "on_hand": np.concatenate([world.shelf.ravel(), world.store]),
    })  # fmt: skip
    rules = ReviewRules(config=CONFIG, model_version="bench", is_count=True)
    if factor is None:
        lanes = pd.DataFrame({
            "source": ["DC"] * stores + ["maker"],
            "location": [*sales["location"].iloc[:stores], "DC"],
            "lead_time": [float(LEAD)] * stores + [float(SOURCE_LEAD)],
        })  # fmt: skip
        nodes = pd.DataFrame({"unique_id": names + "_DC", "product": names, "location": "DC"})
        desk = NetworkReview(
            TermsTables(lanes=lanes, nodes=nodes), StockRecords(position, under_way), rules
        )
        found = desk.settled([desk.plan(panel, forecast)])
        orders = pd.concat([r.orders for r in found]).set_index("unique_id")["order_quantity"]
        shelves = orders.reindex(ids).to_numpy(np.float64).reshape(items, stores)
        return np.nan_to_num(shelves), np.nan_to_num(orders.reindex(names + "_DC").to_numpy())
    alone = plan_review(panel, forecast, StockRecords(position, under_way), TermsTables(), rules)
    alone = alone.orders["order_quantity"].to_numpy(np.float64).reshape(items, stores)
    together = known[:, -LOOK_BACK:].reshape(items, stores, -1).sum(axis=1)
    reach = SOURCE_LEAD + WEEK
    sums = together[:, : LOOK_BACK // reach * reach].reshape(items, -1, reach).sum(axis=2)
    level = together[:, -56:].mean(axis=1) * reach + factor * sums.std(axis=1)
    have = world.store + world.to_store[:, today + 1 :].sum(axis=1) - alone.sum(axis=1)
    return np.nan_to_num(alone), np.maximum(np.ceil(level - have), 0)


def _due(
    ids: "np.typing.NDArray[np.object_]", coming: FloatArray, today: int
) -> list[tuple[str, int, float]]:
    rows, at = np.nonzero(coming[:, today + 1 :] > 0)
    return [(str(ids[r]), int(c) + 1, float(coming[r, today + 1 + c]))
            for r, c in zip(rows, at, strict=True)]  # fmt: skip


def scale(places: int) -> None:
    """Plan items at ten stores and a warehouse each, and print time and memory."""
    stores, block = 10, 20_000
    rng = np.random.default_rng(0)
    begun, busy, orders = time.perf_counter(), time.process_time(), 0
    for first in range(0, places, block):
        num = min(block, places - first)
        products = np.array([f"p{n // stores:06d}" for n in range(first, first + num)], object)
        where = np.array([f"s{n % stores}" for n in range(num)], object)
        level = rng.lognormal(0.3, 0.8, num)
        mean = np.repeat(level[:, None], 12, axis=1).astype(np.float32)
        spread = np.linspace(0, 3, len(QUANTILES), dtype=np.float32)
        sums = mean.cumsum(axis=1)[:, :, None] * spread
        forecast = ForecastArrays(
            mean, mean[:, :, None] * spread, sums, QUANTILES, QUANTILES, is_count=True
        )
        y = rng.poisson(level[:, None], (num, 56)).astype(np.int16)
        series = pd.DataFrame({"unique_id": products + "_" + where, "product": products,
                               "location": where, "unit_cost": 1.0})  # fmt: skip
        panel = Panel(
            Timeline(pd.Timestamp("2024-01-01"), "D", 56), series, y, np.zeros(y.shape, np.uint8)
        )
        names = np.unique(products.astype(str)).astype(object)
        nodes = pd.DataFrame({"unique_id": names + "_DC", "product": names, "location": "DC"})
        lanes = pd.DataFrame({"source": ["DC"] * stores + ["maker"],
                              "location": [*(f"s{n}" for n in range(stores)), "DC"],
                              "lead_time": [2.0] * stores + [3.0]})  # fmt: skip
        position = pd.DataFrame({
            "unique_id": [*series["unique_id"], *nodes["unique_id"]],
            "on_hand": np.concatenate([rng.poisson(6, num), rng.poisson(60, len(nodes))]),
        }).astype({"on_hand": float})  # fmt: skip
        config = InventoryConfig(review_period=1, holding_cost=0.02, stockout_cost=1.0)
        rules = ReviewRules(config=config, model_version="bench", is_count=True)
        desk = NetworkReview(TermsTables(lanes=lanes, nodes=nodes), StockRecords(position), rules)
        orders += sum(len(r.orders) for r in desk.settled([desk.plan(panel, forecast)]))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    wall, used = time.perf_counter() - begun, time.process_time() - busy
    print(f"{orders:,} rows in {wall:.1f} s ({used:.1f} processor seconds), {memory:.2f} GiB")
