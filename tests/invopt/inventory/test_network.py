"""Warehouses and shops together: exact where it can be known, and what the sheets say."""

from itertools import product as every

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from invopt.config import InventoryConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.forecasts import ForecastArrays
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network import NetworkReview, allocate, allocate_exactly
from invopt.inventory.network.allocation import within_lanes
from invopt.inventory.network.joint import correlations, together
from invopt.inventory.network.tree import Items, System
from invopt.inventory.network.worth import (
    ShelfCosts,
    Worth,
    best_quantity,
    shared,
    shelf_worth,
    source_worth,
)
from invopt.inventory.review import plan_review
from invopt.panel import Panel
from invopt.timeline import Timeline

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
CONFIG = InventoryConfig(review_period=7, holding_cost=0.02, stockout_cost=1.0)
LANES = pd.DataFrame(
    {"source": ["DC", "DC", "DC", "ACME"], "location": ["s1", "s2", "s3", "DC"],
     "lead_time": [2, 2, 2, 7]}
)  # fmt: skip


# --- exact where it can be known


def serial_levels(holding, lead_times, stockout, mean, spread, num_paths=20_000):
    """Echelon levels of places in a row, the shop first, by the recursion of the library."""
    num = len(holding)
    items = Items(
        parent=np.array([*range(1, num), -1]), lead_time=np.array(lead_times),
        cycle=np.ones(num, int), review_period=np.ones(num, int),
        holding_cost=np.array(holding, float), stockout_cost=np.full(num, float(stockout)),
        pack_size=np.ones(num), push=np.zeros(num, bool),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    demand = rng.normal(mean, spread, (sum(lead_times) + 3 * num + 3, 1, num_paths))
    summed = np.concatenate([np.zeros((1, 1, num_paths)), demand.cumsum(axis=0)]).astype(np.float32)
    system = System(items, summed, np.array([0] + [-1] * (num - 1)))
    lead = np.array([lead_times[0] + 1])
    costs = ShelfCosts(*(np.array([float(v)]) for v in (holding[0], stockout, holding[1])))
    found = [best_quantity(shelf_worth(summed, costs, np.zeros(1, int), lead, lead))[0]]
    for place in range(1, num):
        lead = np.array([lead_times[place] + 1])
        reached = system.reached(np.array([place]), lead, lead)
        left = -system.sold(reached.leaf, np.zeros(1, int), reached.ships)[:, :4000]
        above = holding[place + 1] if place + 1 < num else 0
        worth = source_worth(reached.units, left, np.array([float(holding[place] - above)]))
        found.append(best_quantity(worth)[0])
    return found


@pytest.mark.parametrize(
    ("holding", "lead_times", "stockout", "mean", "spread", "levels"),
    [
        # stockpyl 1.0.2, ssm_serial.optimize_base_stock_levels; its lead time of a place counts
        # the period in which units are passed on, which ours begins after.
        ([7, 4, 2], [0, 0, 1], 37.12, 5, 1, [6.55, 12.05, 22.72]),
        ([5, 1], [1, 2], 40, 10, 3, [25.94, 61.50]),
    ],
)
def test_levels_of_places_in_a_row_are_those_of_clark_and_scarf(
    holding, lead_times, stockout, mean, spread, levels
):
    found = serial_levels(holding, lead_times, stockout, mean, spread)
    assert found == pytest.approx(levels, rel=0.015)


def test_a_source_of_equal_shops_without_stock_of_its_own_pools_their_demand():
    # Eppen (1979): with no time between source and shops, four shops need twice one's safety
    # stock in the time that the source waits for, not four times.
    rng = np.random.default_rng(1)
    demand = rng.normal(100, 10, (12, 4, 4000)).astype(np.float32)
    summed = np.concatenate([np.zeros((1, 4, 4000), np.float32), demand.cumsum(axis=0)])
    items = Items(
        parent=np.array([4, 4, 4, 4, -1]), lead_time=np.array([0, 0, 0, 0, 3]),
        cycle=np.ones(5, int), review_period=np.ones(5, int), holding_cost=np.full(5, 1.0),
        stockout_cost=np.full(5, 19.0), pack_size=np.ones(5), push=np.zeros(5, bool),
    )  # fmt: skip
    system = System(items, summed, np.array([0, 1, 2, 3, -1]))
    reached = system.reached(np.array([4]), np.array([4]), np.array([4]))
    left = -system.sold(reached.leaf, np.zeros(4, int), reached.ships).sum(axis=0)[None]
    level = best_quantity(source_worth(reached.units, left, np.ones(1)))[0]
    # Four periods pooled, one of each shop by itself: mean 2000; sd sqrt(16) x 10 = 40 of the sum.
    alone = 2000 + 1.645 * 4 * 10 * np.sqrt(5)
    assert 2000 + 1.645 * 40 < level < alone - 20


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_allocation_is_as_good_as_any_other(data):
    num = data.draw(st.integers(1, 4))
    packs = data.draw(st.lists(st.sampled_from([1.0, 2.0, 3.0, 5.0]), min_size=num, max_size=num))
    same = data.draw(st.booleans())
    pack = np.full(num, packs[0]) if same else np.array(packs)
    gain = -np.sort(
        -np.array(
            data.draw(
                st.lists(
                    st.lists(st.integers(0, 50), min_size=3, max_size=3),
                    min_size=num,
                    max_size=num,
                )
            ),
            float,
        )
    )
    least = np.array(data.draw(st.lists(st.integers(1, 2), min_size=num, max_size=num)))
    available = float(data.draw(st.integers(0, 20)))
    total = np.concatenate([np.zeros((num, 1)), gain.cumsum(axis=1)], axis=1)

    def best(minimum):
        return max(
            sum(total[n, k] for n, k in enumerate(choice))
            for choice in every(range(4), repeat=num)
            if np.dot(choice, pack) <= available
            and all(k == 0 or k >= minimum[n] for n, k in enumerate(choice))
        )

    exact = allocate_exactly(gain, pack, available, least)
    assert np.dot(exact, pack) <= available
    assert total[np.arange(num), exact].sum() == pytest.approx(best(least))
    greedy = allocate(gain, pack, np.zeros(num, int), np.array([available]))
    assert np.dot(greedy, pack) <= available
    if same:
        assert total[np.arange(num), greedy].sum() == pytest.approx(best(np.ones(num)))


def test_a_full_lane_leaves_its_units_to_the_others():
    gain = np.array([[9.0, 8.0, 7.0], [3.0, 2.0, 1.0]])
    one, lane = np.ones(2), np.array([0, 1])
    free = within_lanes(gain, one, np.zeros(2, int), np.array([4.0]), lane, np.full(2, np.inf))
    full = within_lanes(gain, one, np.zeros(2, int), np.array([4.0]), lane, np.array([2.0, np.inf]))
    assert free.tolist() == [3, 1]
    assert full.tolist() == [2, 2]


def test_units_at_a_source_are_worth_what_the_best_place_makes_of_them():
    at = np.array([[5.0, 3.0, 1.0], [6.0, 4.0, 2.0]], np.float32)
    weight = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]], np.float32)
    places = Worth(at, weight, np.zeros(2))
    assert places.of_unit(np.array([0.0, 4.5])).tolist() == [7.0, 1.0]
    units = shared(places, np.array([0]), np.zeros(2, int), push=np.array([False]))
    assert units.layer.sum() == pytest.approx(7.0)
    assert units.up_to[0, 0] == 3.0
    assert units.up_to[0, -1] == 11.0


# --- demand of places together


def test_paths_of_places_keep_their_own_law_and_move_together_as_much_as_asked():
    rng = np.random.default_rng(0)
    demand = rng.poisson(5, (7, 40, 400)).astype(np.float32)
    group = np.repeat([0, 1], 20)
    found = together(demand, group, np.array([0.0, 0.6]), np.arange(40), np.arange(2))
    assert (np.sort(found.sum(axis=0)) == np.sort(demand.sum(axis=0))).all()
    ranks = found.sum(axis=0)
    related = [np.corrcoef(ranks[group == g])[np.triu_indices(20, 1)].mean() for g in (0, 1)]
    assert related == pytest.approx([0.0, 0.58], abs=0.04)


def test_correlation_is_read_from_what_sums_vary_by():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 1, (2, 1, 400))
    errors = (np.sqrt(0.5) * common + np.sqrt(0.5) * rng.normal(0, 1, (2, 10, 400))).reshape(
        20, 400
    )
    assert correlations(errors, np.repeat([0, 1], 10), 2) == pytest.approx([0.5, 0.5], abs=0.07)
    assert correlations(errors[:, :3], np.repeat([0, 1], 10), 2).tolist() == [0.0, 0.0]


# --- what the sheets say


def make_panel(num_products=2, stores=("s1", "s2", "s3"), periods=84, level=5.0, **columns):
    rng = np.random.default_rng(0)
    rows = [(f"p{i}", s) for i in range(num_products) for s in stores]
    series = pd.DataFrame(rows, columns=["product", "location"])
    series.insert(0, "unique_id", series["product"] + "_" + series["location"])
    series = series.assign(unit_cost=2.0, **columns)
    y = rng.poisson(level, (len(series), periods)).astype(np.int16)
    return Panel(Timeline(pd.Timestamp("2024-01-01"), "D", periods), series, y,
                 np.zeros(y.shape, np.uint8))  # fmt: skip


def make_forecast(panel, level=5.0, horizon=28):
    shape = (panel.num_series, horizon, len(LEVELS))
    sums = poisson.ppf(np.array(LEVELS)[None], level * np.arange(1, horizon + 1)[:, None])
    return ForecastArrays(
        np.full(shape[:2], level, np.float32),
        np.broadcast_to(poisson.ppf(LEVELS, level), shape).astype(np.float32),
        np.broadcast_to(sums, shape).astype(np.float32), LEVELS, LEVELS, is_count=True,
    )  # fmt: skip


def review(on_hand, lanes=LANES, panel=None, nodes=(0, 1), config=CONFIG, open_orders=None):
    panel = make_panel() if panel is None else panel
    products = pd.DataFrame({
        "unique_id": [f"p{i}_DC" for i in nodes], "product": [f"p{i}" for i in nodes],
        "location": "DC", "unit_cost": 2.0,
    })  # fmt: skip
    ids = [*panel.unique_ids, *products["unique_id"]]
    position = pd.DataFrame({"unique_id": ids, "on_hand": np.array(on_hand, float)}).dropna()
    desk = NetworkReview(
        TermsTables(lanes=lanes, nodes=products), StockRecords(position, open_orders),
        ReviewRules(config=config, model_version="m-1", is_count=True),
    )  # fmt: skip
    found = desk.settled([desk.plan(panel, make_forecast(panel))])
    orders = pd.concat([r.orders for r in found]).set_index("unique_id")
    exceptions = pd.concat([r.exceptions for r in found], ignore_index=True)
    bought = pd.concat([r.purchase_orders for r in found], ignore_index=True)
    return orders, exceptions, bought


ENOUGH = [20] * 6 + [500, 500]
SCARCE = [0, 10, 30, 20, 20, 20, 60, 500]


def test_where_a_source_has_enough_its_shops_are_planned_as_by_themselves():
    orders, _, _ = review(ENOUGH)
    panel = make_panel(lead_time=2.0, supplier="DC")
    position = pd.DataFrame({"unique_id": panel.unique_ids, "on_hand": 20.0})
    rules = ReviewRules(config=CONFIG, model_version="m-1", is_count=True)
    found = plan_review(panel, make_forecast(panel), StockRecords(position), TermsTables(), rules)
    alone = found.orders.set_index("unique_id")
    pd.testing.assert_frame_equal(orders.loc[alone.index, alone.columns], alone)
    assert orders["source"].tolist() == ["DC"] * 6 + ["ACME"] * 2


def test_a_scarce_source_gives_all_it_has_to_where_it_saves_most():
    orders, exceptions, _ = review(SCARCE)
    sent = orders.loc[["p0_s1", "p0_s2", "p0_s3"], "order_quantity"]
    assert sent.sum() == 60
    assert sent["p0_s1"] > sent["p0_s2"] > sent["p0_s3"] > 0
    assert "short_at_source" in orders.loc["p0_s3", "exception"]
    assert "DC has too little for all" in orders.loc["p0_s3", "reason"]
    assert "source_scarce" in orders.loc["p0_DC", "exception"]
    cut = exceptions[exceptions["exception"] == "short_at_source"]
    scarce = exceptions[exceptions["exception"] == "source_scarce"]
    assert cut["units"].sum() == pytest.approx(scarce["units"].sum())
    assert cut["money"].sum() == pytest.approx(scarce["money"].sum(), abs=0.05)


def test_a_shop_that_gets_nothing_is_not_told_that_an_order_does_not_pay():
    orders, _, _ = review([0] * 6 + [0, 0])
    reasons = orders.loc[["p0_s1", "p0_s2", "p0_s3"], "reason"]
    assert reasons.str.endswith("are wanted, and 0 are sent").all()
    assert not reasons.str.contains("not worth it").any()


def test_a_source_orders_for_the_whole_system_below_it_less_what_lies_there():
    few, _, bought = review([20] * 6 + [0, 0])
    more, _, _ = review([20] * 6 + [100, 100])
    full, exceptions, _ = review([20] * 6 + [900, 900])
    assert few.loc["p0_DC", "order_quantity"] - more.loc["p0_DC", "order_quantity"] == 100
    # 15 a day for 7 days to come and two weeks of reviews, less 60 on the shelves.
    assert 15 * 21 - 60 < few.loc["p0_DC", "order_quantity"] < 15 * 28
    assert full.loc["p0_DC", "order_quantity"] == 0
    assert "excess_stock" in full.loc["p0_DC", "exception"]
    assert bought[bought["unique_id"] == "p0_DC"]["supplier"].tolist() == ["ACME"]
    assert exceptions["exception"].isin(["excess_stock"]).any()


def test_units_under_way_to_a_source_count_when_they_come():
    soon = pd.DataFrame({"unique_id": ["p0_DC"], "due_in": [5], "quantity": [100.0]})
    late = pd.DataFrame({"unique_id": ["p0_DC"], "due_in": [60], "quantity": [100.0]})
    without, _, _ = review([20] * 6 + [0, 0])
    found = [review([20] * 6 + [0, 0], open_orders=o)[0].loc["p0_DC", "order_quantity"]
             for o in (soon, late)]  # fmt: skip
    alone = without.loc["p0_DC", "order_quantity"]
    assert found == [alone - 100, alone]


def test_a_source_without_a_stock_record_orders_nothing_and_says_so():
    orders, _, _ = review([20] * 6 + [np.nan, 500])
    assert np.isnan(orders.loc["p0_DC", "order_quantity"])
    assert "no_stock_record" in orders.loc["p0_DC", "exception"]
    assert orders.loc["p0_s1", "order_quantity"] == orders.loc["p1_s1", "order_quantity"]


def test_a_place_without_a_source_is_planned_by_itself_and_told():
    orders, _, _ = review(ENOUGH, lanes=LANES[LANES["location"] != "s3"])
    assert orders["exception"].str.contains("no_source").to_dict() == {
        uid: uid.endswith("s3") for uid in orders.index
    }
    assert orders.loc["p0_s3", "order_quantity"] > 0


def test_stock_moves_between_shops_where_that_saves_more_than_it_costs():
    ways = pd.DataFrame({"source": ["s3"], "location": ["s1"], "lead_time": [0],
                         "cost": [0.05], "kind": ["transfer"]})  # fmt: skip
    lanes = pd.concat([LANES, ways], ignore_index=True)
    on_hand = [0, 20, 200, 20, 20, 20, 500, 500]
    orders, exceptions, bought = review(on_hand, lanes)
    moved = orders.loc["p0_s1", "transfer_quantity"]
    alone = review(on_hand)[0]
    assert 16 <= moved <= 65
    # What comes from the shop is not ordered as well.
    less = alone.loc["p0_s1", "order_quantity"] - orders.loc["p0_s1", "order_quantity"]
    assert less >= min(moved - 12, alone.loc["p0_s1", "order_quantity"])
    assert orders.loc["p0_s3", "transfer_quantity"] == -moved
    assert "transfer_in" in orders.loc["p0_s1", "exception"]
    assert "transfer_out" in orders.loc["p0_s3", "exception"]
    line = bought[bought["supplier"] == "s3"].iloc[0]
    assert (line["unique_id"], line["order_quantity"]) == ("p0_s1", moved)
    saved = exceptions.set_index(["unique_id", "exception"]).loc[("p0_s1", "transfer_in"), "money"]
    assert saved > 0
    dear = pd.concat([LANES, ways.assign(cost=2.0)], ignore_index=True)
    assert (review(on_hand, dear)[0]["transfer_quantity"] == 0).all()


def test_the_pack_the_minimum_and_the_capacity_of_a_lane_hold():
    lanes = LANES.assign(pack_size=[6, 6, 6, 50], capacity=[12, np.inf, np.inf, np.inf])
    orders, _, _ = review([0, 0, 0, 0, 0, 0, 500, 500], lanes)
    shops = orders.iloc[:6]["order_quantity"]
    assert (shops % 6 == 0).all()
    assert shops["p0_s1"] + shops["p1_s1"] == 12
    assert orders.loc["p0_DC", "order_quantity"] % 50 == 0


def test_a_full_lane_is_told_as_such_and_not_as_a_source_that_has_too_little():
    few, exceptions, _ = review([0] * 6 + [500, 500], LANES.assign(capacity=[12, *[np.inf] * 3]))
    none, _, _ = review([0] * 6 + [500, 500], LANES.assign(capacity=[0, *[np.inf] * 3]))
    for orders in (few, none):
        shops = orders.loc[["p0_s1", "p1_s1"]]
        assert shops["exception"].str.contains("lane_full").all()
        assert not orders["exception"].str.contains("short_at_source|source_scarce").any()
        assert not orders["reason"].str.contains("too little").any()
    assert "DC sends 12 on this lane at most" in few.loc["p0_s1", "reason"]
    assert exceptions["exception"].isin(["lane_full"]).sum() == 2


def test_a_source_that_sells_itself_orders_for_both_and_keeps_what_it_sells():
    panel = make_panel(1, ("DC", "s1"))
    lanes = pd.DataFrame({"source": ["DC", "ACME"], "location": ["s1", "DC"], "lead_time": [2, 7]})
    orders, _, _ = review([60, 0], lanes, panel, nodes=())
    assert list(orders.index) == ["p0_s1", "p0_DC"]
    alone, _, _ = review([60], lanes.iloc[1:], make_panel(1, ("DC",)), nodes=())
    assert orders.loc["p0_DC", "order_quantity"] > alone.loc["p0_DC", "order_quantity"] + 40
    # It keeps about a week's sales of its own.
    assert 15 <= orders.loc["p0_s1", "order_quantity"] <= 35


def test_a_source_of_sources_orders_for_all_below_it():
    lanes = pd.DataFrame(
        {"source": ["DC", "DC", "DC", "HUB", "ACME"], "location": ["s1", "s2", "s3", "DC", "HUB"],
         "lead_time": [2, 2, 2, 3, 7]}
    )  # fmt: skip
    panel = make_panel(1)
    nodes = pd.DataFrame({"unique_id": ["p0_DC", "p0_HUB"], "product": "p0",
                          "location": ["DC", "HUB"], "unit_cost": 2.0})  # fmt: skip
    position = pd.DataFrame({"unique_id": [*panel.unique_ids, "p0_DC", "p0_HUB"],
                             "on_hand": [20.0, 20, 20, 200, 0]})  # fmt: skip
    rules = ReviewRules(config=CONFIG, model_version="m", is_count=True)
    desk = NetworkReview(TermsTables(lanes=lanes, nodes=nodes), StockRecords(position), rules)
    found = desk.settled([desk.plan(panel, make_forecast(panel))])
    hub = found[-1].orders.set_index("unique_id")["order_quantity"]
    # Four weeks and more of 15 a day, less the 260 in the system.
    assert 15 * 28 - 260 < hub["p0_HUB"] < 15 * 42 - 260


def test_a_lane_is_used_on_its_order_days_only():
    # The review is on Sunday, 24 March 2024; the lane's next day after Monday 1 April is too late.
    lanes = LANES.assign(order_days=["0", "6", "", ""])
    orders, _, bought = review(ENOUGH, lanes)
    assert orders.loc["p0_s1", "supplier"] == "DC"
    days = bought[bought["unique_id"].isin(["p0_s1", "p0_s2"])].set_index("unique_id")
    assert days.loc["p0_s1", "order_date"] == "2024-03-25"
    assert days.loc["p0_s2", "order_date"] == "2024-03-24"


def test_a_source_that_sells_itself_keeps_its_products_own_lead_time_and_pack():
    panel = make_panel(1, ("DC", "s1"), lead_time=[9.0, 2.0], pack_size=[25.0, 1.0])
    lanes = pd.DataFrame({"source": ["DC"], "location": ["s1"], "lead_time": [2]})
    orders, _, _ = review([60, 0], lanes, panel, nodes=())
    assert orders.loc["p0_DC", "lead_time"] == 9
    assert orders.loc["p0_DC", "order_quantity"] > 0
    assert orders.loc["p0_DC", "order_quantity"] % 25 == 0


def test_what_a_source_is_worth_is_the_same_searched_and_written_out():
    rng = np.random.default_rng(0)
    units = shared(
        Worth.of(rng.uniform(0, 30, (6, 40)).astype(np.float32),
                 rng.uniform(0, 1, (6, 40)).astype(np.float32), np.zeros(6)),
        np.array([0, 3]), np.repeat([0, 1], 3), push=np.zeros(2, bool),
    )  # fmt: skip
    worth = source_worth(units, rng.normal(-20, 9, (2, 50)).astype(np.float32), np.ones(2))
    whole = worth.spread()
    for stock in (np.array([-5.0, 0.0]), np.array([31.5, 60.0]), np.array([200.0, 9.0])):
        assert worth.of_unit(stock) == pytest.approx(whole.of_unit(stock), abs=1e-3)
        step = np.array([4.0, 11.0])
        assert worth.of_units(stock, step) == pytest.approx(whole.of_units(stock, step), abs=1e-2)
    best = best_quantity(worth)
    assert best == pytest.approx(best_quantity(whole), abs=0.01)
    assert best_quantity(worth, whole=True).tolist() == np.ceil(best - 1e-4).tolist()


def test_as_many_units_move_between_shops_as_pay_however_many_those_are():
    ways = pd.DataFrame({"source": ["s3"], "location": ["s1"], "lead_time": [0],
                         "cost": [0.05], "kind": ["transfer"]})  # fmt: skip
    none_there = [0, 20, 500, 20, 20, 20, 0, 500]
    orders, _, _ = review(none_there, pd.concat([LANES, ways], ignore_index=True))
    # Nine days of five a day, the source being empty, and some for safety.
    assert 45 <= orders.loc["p0_s1", "transfer_quantity"] <= 65
    few = ways.assign(capacity=[30.0])
    orders, _, _ = review(none_there, pd.concat([LANES, few], ignore_index=True))
    assert orders.loc["p0_s1", "transfer_quantity"] == 30


SHOPS = np.random.default_rng(5).poisson(5, (2, 9, 300))  # demand until the next order arrives


def shop_cost(start, moved, period, ordered, demand):
    """Money of one shop, day by day: what is held at 0.02, and missed at 1."""
    stock, cost = np.full(demand.shape[1], float(start)), 0.0
    for day, asked in enumerate(demand):
        stock = stock + moved * (day == period) + ordered * (day == 2)
        cost += np.maximum(asked - stock, 0).mean()
        stock = np.maximum(stock - asked, 0)
        cost += 0.02 * stock.mean()
    return cost


@pytest.mark.parametrize("there", [900, 25])
@pytest.mark.parametrize(("taker", "giver", "cost"), [(0, 45, 0.05), (12, 45, 0.3), (0, 200, 0.3)])
def test_orders_and_transfers_together_cost_what_the_best_of_both_do(taker, giver, cost, there):
    ways = pd.DataFrame({"source": ["s3"], "location": ["s1"], "lead_time": [0],
                         "cost": [cost], "kind": ["transfer"]})  # fmt: skip
    lanes = pd.concat([LANES, ways], ignore_index=True)
    panel = make_panel()
    orders, _, _ = review([taker, 60, giver, 20, 20, 20, there, 500], lanes, panel)
    first, third = (orders.loc[uid, "order_quantity"] for uid in ("p0_s1", "p0_s3"))
    moved = orders.loc["p0_s1", "transfer_quantity"]

    def total(units, one, other):
        return (shop_cost(taker, units, 0, one, SHOPS[0]) + cost * units
                + shop_cost(giver - units, 0, 0, other, SHOPS[1]))  # fmt: skip

    ones, most = range(0, 49, 4), min(giver, 80)
    units = range(0, most + 1, 4)
    takes = {(u, q): shop_cost(taker, u, 0, q, SHOPS[0]) + cost * u for u in units for q in ones}
    gives = {(u, q): shop_cost(giver - u, 0, 0, q, SHOPS[1]) for u in units for q in ones}
    best = min(takes[u, a] + gives[u, b] for u in units for a in ones for b in ones
               if a + b <= there)  # fmt: skip
    assert first + third <= there
    assert total(moved, first, third) <= 1.05 * best + 0.3


def test_shops_that_give_and_take_are_told_by_the_stock_that_is_recorded():
    ways = pd.DataFrame({"source": ["s3"], "location": ["s1"], "lead_time": [0],
                         "cost": [0.05], "kind": ["transfer"]})  # fmt: skip
    on_hand = [0, 20, 45, 20, 20, 20, 500, 500]
    orders, _, _ = review(on_hand, pd.concat([LANES, ways], ignore_index=True))
    assert orders["on_hand"].tolist()[:3] == [0, 20, 45]
    assert orders["on_order"].tolist()[:3] == [0, 0, 0]
    alone = review(on_hand)[0]["order_quantity"]
    moved = orders.loc["p0_s1", "transfer_quantity"]
    assert moved > 0
    assert orders.loc["p0_s3", "order_quantity"] > alone["p0_s3"]
    assert orders.loc["p0_s1", "order_quantity"] < alone["p0_s1"]


def test_a_source_is_scarce_by_what_its_lanes_can_carry_and_not_by_more():
    narrow = LANES.assign(capacity=[12, *[np.inf] * 3])
    orders, exceptions, _ = review([0] * 6 + [60, 500], narrow)
    assert "lane_full" in orders.loc["p0_s1", "exception"]
    told = exceptions.set_index(["exception", "unique_id"])
    scarce = told.loc[("source_scarce", "p0_DC")]
    short = told.loc["short_at_source"].query("unique_id in ['p0_s2', 'p0_s3']")
    assert scarce["units"] == pytest.approx(short["units"].sum())
    assert scarce["money"] == pytest.approx(short["money"].sum(), abs=0.05)
