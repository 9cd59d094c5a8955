"""A network's orders replayed against the best plan of each place by itself, and its speed.

`invopt bench network-orders --data FOLDER` plays weekly reviews of M5 items at the stores of three
states, each with a warehouse, which lies empty of demand of its own: lead times 2 and 7, sales
lost. Every plan sees the same forecasts (the baseline "moving average", whose quantiles are those
of its own past errors) and the same demand. The plan of single places gives shops first come first
served, and its warehouse orders up to a level of the stores' demand taken together as its own:
mean and safety factor, of which the one that costs least over all windows is taken (it knows more
than anybody could). `--scale N` plans N places of items once, block by block, instead.
"""

import argparse
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.baselines import Baseline
from invopt.config import InventoryConfig, ModelConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.forecasts import ForecastArrays
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network import NetworkReview
from invopt.inventory.review import plan_review
from invopt.panel import Panel
from invopt.timeline import Timeline
from invopt.types import FloatArray

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
LEAD, SOURCE_LEAD, WEEK, HORIZON, WEEKS, LOOK_BACK = 2, 7, 7, 28, 12, 364
RECENT = 182  # days that a warehouse by itself looks back
ENDS = (1500, 1640, 1780)  # days known at the first review of each window; the last ends in d_1871
FACTORS = (-1.0, 0.0, 1.0, 2.0)


def main(rest: list[str]) -> None:
    """Print cost, fill rate and stock of each plan."""
    parser = argparse.ArgumentParser(prog="invopt bench network-orders")
    parser.add_argument("--data", type=Path, help="folder of M5")
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--states", default="CA,TX,WI")
    parser.add_argument("--stores", type=int, default=4, help="of a state, at most")
    parser.add_argument("--windows", type=int, default=len(ENDS))
    parser.add_argument("--scale", type=int, help="places of items to plan once, without M5")
    parser.add_argument(
        "--transfers", action="store_true", help="with --scale: each store may send to each other"
    )
    parsed = parser.parse_args(rest)
    if parsed.scale:
        scale(parsed.scale, with_transfers=parsed.transfers)
        return
    if parsed.data is None:
        parser.error("--data FOLDER is needed, or --scale N")
    frame = pd.read_parquet(parsed.data / "sales_train_evaluation.parquet")
    states = [read(frame, parsed.items, s, parsed.stores) for s in parsed.states.split(",")]
    compare(states, ENDS[: parsed.windows])


def read(frame: pd.DataFrame, items: int, state: str, stores: int) -> pd.DataFrame:
    """Return sales by item and store, one row each, of items spread over all volumes."""
    frame = frame[frame["state_id"] == state]
    names = sorted(frame["store_id"].unique())[:stores]
    frame = frame[frame["store_id"].isin(names)]
    days = [f"d_{n}" for n in range(1, max(ENDS) + WEEK * (WEEKS + 1) + 1)]
    known = frame[days[ENDS[0] - RECENT : ENDS[0]]].sum(axis=1).groupby(frame["item_id"]).sum()
    known = known[known >= RECENT].sort_values()
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


Made = dict[int, tuple[Panel, ForecastArrays]]
CONFIG = InventoryConfig(review_period=WEEK, holding_cost=0.01, stockout_cost=1.0, lead_time=LEAD)


def compare(states: list[pd.DataFrame], ends: tuple[int, ...]) -> None:
    """Print what each plan cost over the windows, by window and in all."""
    plans = {f"single, factor {f:g}": f for f in FACTORS} | {"network": None}
    places = sum(s["location"].nunique() for s in states)
    print(f"{states[0]['product'].nunique()} items x {places} stores of {len(states)} states, "
          f"{len(ends)} windows of {WEEKS} weeks")  # fmt: skip
    found = {name: Played() for name in plans}
    for end in ends:
        now = {name: Played() for name in plans}
        for sales in states:
            made: Made = {}
            for name, factor in plans.items():
                now[name].add(play(sales, end, factor, made))
        show(f"known up to d_{end}", now)
        for name, played in now.items():
            found[name].add(played)
    show("all windows", found)


def show(title: str, found: dict[str, Played]) -> None:
    """Print a table of plans."""
    lowest = min((p for n, p in found.items() if n != "network"), key=lambda p: p.cost)
    print(
        f"\n{title:20s} {'cost':>10s} {'holding':>10s} {'missed':>10s} {'fill':>8s} {'cpu s':>7s}"
    )
    for name, p in found.items():
        print(f"{name:20s} {p.cost:10.1f} {p.holding:10.1f} {p.stockout:10.1f} "
              f"{p.sold / p.asked:8.2%} {p.seconds:7.1f}")  # fmt: skip
    own = found["network"]
    equal = at_equal_fill(list(found.values())[:-1], own.sold / own.asked)
    same = "no two enclose it" if equal is None else f"{own.cost / equal - 1:+.1%}"
    print(f"network against the cheapest of single places: {own.cost / lowest.cost - 1:+.1%}; "
          f"against them at its own fill rate: {same}", flush=True)  # fmt: skip


def at_equal_fill(plans: list[Played], fill: float) -> float | None:
    """Return the cost of single places at a fill rate, between the plans that enclose it."""
    fills = np.array([p.sold / p.asked for p in plans])
    if not fills.min() <= fill <= fills.max():
        return None
    order = np.argsort(fills)
    return float(np.interp(fill, fills[order], np.array([p.cost for p in plans])[order]))


def play(sales: pd.DataFrame, end: int, factor: float | None, made: Made) -> Played:
    """Return a window of one plan; a warehouse of single places has a safety factor.

    Args:
        sales: As `read` returns them.
        end: Days known at the first review.
        factor: Of a warehouse of single places; None for a network.
        made: Panel and forecast of each review day, kept for the next plan.
    """
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
            if today not in made:
                made[today] = seen_and_forecast(sales, known[:, : end + today + 1])
            begun = time.process_time()
            shelves, store = ordered(made[today], world, today, factor)
            total.seconds += time.process_time() - begun
            world.order(today, shelves, store)
    return total


def seen_and_forecast(sales: pd.DataFrame, known: FloatArray) -> tuple[Panel, ForecastArrays]:
    """Return what a review knows: a year of sales, and the moving average with its errors."""
    ids = (sales["product"] + "_" + sales["location"]).to_numpy(object)
    series = sales[["product", "location"]].assign(unique_id=ids, unit_cost=1.0, lead_time=2.0)
    y = known[:, -LOOK_BACK:].astype(np.int16)
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", LOOK_BACK)
    panel = Panel(timeline, series, y, np.zeros(y.shape, np.uint8))
    return panel, Baseline(HORIZON, WEEK, ModelConfig(), 4 * WEEK).predict(panel)


def ordered(
    made: tuple[Panel, ForecastArrays], world: World, today: int, factor: float | None
) -> tuple[FloatArray, FloatArray]:
    """Return what stores and warehouse order; (items, stores) and (items,) units."""
    panel, forecast = made
    items, stores = world.shelf.shape
    ids = panel.series["unique_id"].to_numpy(object)
    names = panel.series["product"].to_numpy(object)[::stores]
    due = _due(ids, world.to_shelf.reshape(len(ids), -1), today)
    due += _due((names + "_DC").astype(object), world.to_store, today)
    under_way = pd.DataFrame(due, columns=["unique_id", "due_in", "quantity"])
    position = pd.DataFrame({
        "unique_id": [*ids, *(names + "_DC")],
        "on_hand": np.concatenate([world.shelf.ravel(), world.store]),
    })  # fmt: skip
    recorded = StockRecords(position, under_way)
    if factor is None:
        return by_network(panel, forecast, recorded, world)
    rules = ReviewRules(config=CONFIG, model_version="bench", is_count=True)
    alone = plan_review(panel, forecast, recorded, TermsTables(), rules)
    shelves = np.nan_to_num(alone.orders["order_quantity"].to_numpy(np.float64))
    shelves = shelves.reshape(items, stores)
    together = panel.y[:, -RECENT:].reshape(items, stores, -1).sum(axis=1).astype(np.float64)
    reach = SOURCE_LEAD + WEEK
    sums = together[:, : RECENT // reach * reach].reshape(items, -1, reach).sum(axis=2)
    level = together[:, -56:].mean(axis=1) * reach + factor * sums.std(axis=1)
    have = world.store + world.to_store[:, today + 1 :].sum(axis=1) - shelves.sum(axis=1)
    return shelves, np.maximum(np.ceil(level - have), 0)


def by_network(
    panel: Panel, forecast: ForecastArrays, recorded: StockRecords, world: World
) -> tuple[FloatArray, FloatArray]:
    """Return what the network's review orders."""
    items, stores = world.shelf.shape
    ids = panel.series["unique_id"].to_numpy(object)
    names = panel.series["product"].to_numpy(object)[::stores]
    lanes = pd.DataFrame({
        "source": ["DC"] * stores + ["maker"],
        "location": [*panel.series["location"].iloc[:stores], "DC"],
        "lead_time": [float(LEAD)] * stores + [float(SOURCE_LEAD)],
    })  # fmt: skip
    nodes = pd.DataFrame({"unique_id": names + "_DC", "product": names, "location": "DC"})
    rules = ReviewRules(config=CONFIG, model_version="bench", is_count=True)
    desk = NetworkReview(TermsTables(lanes=lanes, nodes=nodes), recorded, rules)
    found = desk.settled([desk.plan(panel, forecast)])
    orders = pd.concat([r.orders for r in found]).set_index("unique_id")["order_quantity"]
    shelves = orders.reindex(ids).to_numpy(np.float64).reshape(items, stores)
    return np.nan_to_num(shelves), np.nan_to_num(orders.reindex(names + "_DC").to_numpy())


def _due(
    ids: "np.typing.NDArray[np.object_]", coming: FloatArray, today: int
) -> list[tuple[str, int, float]]:
    rows, at = np.nonzero(coming[:, today + 1 :] > 0)
    return [(str(ids[r]), int(c) + 1, float(coming[r, today + 1 + c]))
            for r, c in zip(rows, at, strict=True)]  # fmt: skip


def scale(places: int, *, with_transfers: bool = False) -> None:
    """Plan items at ten stores and a warehouse each, and print time and memory.

    Args:
        places: Items times stores.
        with_transfers: Each store may send to each other, in a day, at 0.05 a unit.
    """
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
        if with_transfers:
            lanes = pd.concat([lanes, _between(stores)], ignore_index=True)
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


def _between(stores: int) -> pd.DataFrame:
    """Return a lane from each store to each other one."""
    pairs = [(f"s{a}", f"s{b}") for a in range(stores) for b in range(stores) if a != b]
    lanes = pd.DataFrame(pairs, columns=["source", "location"])
    return lanes.assign(lead_time=1.0, kind="transfer", cost=0.05)
