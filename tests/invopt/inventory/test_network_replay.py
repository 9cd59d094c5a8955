"""A network replayed: what a source has is all it sends, and what that costs, by hand."""

import numpy as np
import pandas as pd
import pytest

from invopt.config import InventoryConfig
from invopt.contracts import TermsTables
from invopt.forecasts import ForecastArrays
from invopt.inventory.backtest import forecast_rule, replay
from invopt.inventory.costs import terms_of
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network.net import sources_of
from invopt.inventory.network.network_replay import (
    OUTSIDE,
    Chain,
    PlannedNetwork,
    Shipments,
    chain_of,
    members,
    replay_network,
    sampled,
)
from invopt.panel import Panel
from invopt.timeline import Timeline

SHARES = (0.1, 0.5, 0.9)


def chain(parent, lead_time, num_series):
    num = len(parent)
    sells = np.arange(num) < num_series
    return Chain(
        ids=np.array([f"i{n}" for n in range(num)], object), num_series=num_series,
        parent=np.array(parent), lead_time=np.array(lead_time),
        holding_cost=np.where(sells, 0.1, 0.01), stockout_cost=np.where(sells, 1.0, 0.0),
    )  # fmt: skip


TWO_SHOPS = chain([2, 2, OUTSIDE], [0, 0, 1], 2)


def always(orders, net):
    """A rule that orders the same at every review."""
    item = np.array([i for i, units in orders.items()])
    units = np.array(list(orders.values()), float)

    def rule(period, state):
        return Shipments(item, net.parent[item], units, net.lead_time[item], np.zeros(len(item)))

    return rule


def test_a_source_that_runs_out_sends_the_first_shop_its_order_and_the_second_the_rest():
    # Ten a day in all, so the source opens with 20, the shops with 5 each. Every day the shops
    # ask for 8 each, and 10 come to the source from the third day on.
    demand = np.full((2, 5), 5.0)
    found = replay_network(
        demand, always({0: 8, 1: 8, 2: 10}, TWO_SHOPS), TWO_SHOPS, 1, 0, lost_sales=True
    )
    # Nothing is asked for on day 0; the source has 20 and sends 8 + 8. Day 1: 8 are left in each
    # shop; it has 4 and sends them to the first. Day 2: 10 come to it; left are 7 and 3; it sends
    # 8 and 2. Day 3: 10 come; left are 10 and 0. Day 4: left are 13 and 0, the second misses 3.
    at_source = 20 + 4 + 10 + 10 + 10
    assert found.stock.tolist() == [5 + 8 + 7 + 10 + 13 + at_source / 2, 5 + 8 + 3 + at_source / 2]
    assert found.stockout_cost.tolist() == [0.0, 3.0]
    assert found.closing.tolist() == [13.0, 0.0]


def test_every_day_of_a_small_network_is_as_by_hand():
    seen = []

    def rule(period, state):
        seen.append((state.on_hand.tolist(), state.on_order.tolist()))
        return always({0: 4, 1: 6, 2: 3}, TWO_SHOPS)(period, state)

    demand = np.array([[0.0, 2, 2, 2], [0.0, 4, 4, 4]])
    # Pace 2 and 4: the shops open with 2 and 4 (lead time 0, review 1), the source with 6 x 2.
    found = replay_network(demand, rule, TWO_SHOPS, 1, 1, lost_sales=True)
    assert seen == [
        ([2.0, 4.0, 12.0], [0.0, 0.0, 0.0]),
        ([4.0, 6.0, 2.0], [0.0, 0.0, 3.0]),  # 2 + 4 - 2, 4 + 6 - 4, 12 - 10
        ([4.0, 2.0, 3.0], [0.0, 0.0, 3.0]),  # 2 sent to the first; 3 come to the source
        ([5.0, 0.0, 3.0], [0.0, 0.0, 3.0]),  # 3 sent to the first; the second misses 2
    ]
    # Periods 1 to 3; the source's 2 + 3 + 3 units at 0.01, by demand 6 and 12.
    assert found.holding_cost == pytest.approx([13 * 0.1 + 0.08 / 3, 8 * 0.1 + 0.16 / 3])
    assert found.stockout_cost.tolist() == [0.0, 2.0]
    assert found.served.tolist() == [6.0, 10.0]
    assert found.ordered.tolist() == [2 + 3 + 3.0, 0.0]
    assert found.num_periods == 3


def test_customers_wait_where_sales_are_not_lost():
    net = chain([1, OUTSIDE], [0, 5], 1)
    demand = np.array([[0.0, 3, 3]])
    nothing = always({0: 0}, net)
    # It opens with 3: the second day's 3 wait, and are paid for once.
    found = replay_network(demand, nothing, net, 1, 0, lost_sales=False)
    assert (found.backorders[0], found.stockout_cost[0]) == (3.0, 3.0)


def test_what_moves_between_shops_comes_from_the_giver_and_is_paid_for_by_the_taker():
    net = chain([OUTSIDE, OUTSIDE], [0, 0], 2)
    demand = np.array([[0.0, 1, 1], [0.0, 5, 5]])
    zero = np.zeros(1, int)

    def rule(period, state):
        return Shipments(zero, zero + 1, np.full(1, 2.0), zero, np.full(1, 0.5))

    found = replay_network(demand, rule, net, 1, 0, lost_sales=True)
    # The second opens with 5 and gives 2 on days 0 and 1 (it has 0 then): 3 are sold, 2 + 5 missed.
    assert found.stockout_cost.tolist() == [0.0, 7.0]
    assert found.holding_cost[0] == pytest.approx((1 + 2 + 1) * 0.1 + 2 * 0.5)


def test_a_source_of_sources_opens_with_enough_for_all_below_it_and_is_reached_from_the_top():
    net = chain([2, 3, 3, OUTSIDE], [1, 2, 3, 7], 2)
    assert net.below(np.array([2.0, 5.0])).tolist() == [2.0, 5.0, 2.0, 7.0]
    # Ordered now there on day 8, sent on 14, there on 18, sent on 21, on the shelf on 23.
    assert net.reach(7) == 23
    assert net.reach(1) == 8 + 4 + 2


def make_network(locations, lanes, nodes, periods=60, level=4.0, **columns):
    rng = np.random.default_rng(0)
    series = pd.DataFrame({"unique_id": [f"a_{at}" for at in locations], "product": "a",
                           "location": locations, **columns})  # fmt: skip
    y = rng.poisson(level, (len(series), periods)).astype(np.int16)
    panel = Panel(Timeline(pd.Timestamp("2024-01-01"), "D", periods), series, y,
                  np.zeros(y.shape, np.uint8))  # fmt: skip
    products = pd.DataFrame({"unique_id": [f"a_{n}" for n in nodes], "product": "a",
                             "location": list(nodes)})  # fmt: skip
    return panel, TermsTables(lanes=lanes, nodes=products)


def forecast(num, level=4.0, horizon=14):
    from scipy.stats import poisson

    daily = np.broadcast_to(poisson.ppf(SHARES, level), (num, horizon, len(SHARES)))
    sums = poisson.ppf(np.array(SHARES)[None], level * np.arange(1, horizon + 1)[:, None])
    return ForecastArrays(
        np.full((num, horizon), level, np.float32), daily.astype(np.float32),
        np.broadcast_to(sums, daily.shape).astype(np.float32), SHARES, SHARES, is_count=True,
    )  # fmt: skip


CONFIG = InventoryConfig(
    review_period=7, holding_cost=0.02, stockout_cost=1.0, lead_time=2, num_paths=50
)


def played(panel, tables, first=31, source_stock=None):
    terms = terms_of(panel.series, None, CONFIG)
    sources = sources_of(panel.series, terms, tables, panel.timeline, CONFIG, 14)
    net = chain_of(sources, panel.series, terms)
    made = {p: forecast(panel.num_series) for p in range(0, panel.num_periods - first - 1, 7)}
    rules = ReviewRules(config=CONFIG, model_version="", is_count=True)
    rule = PlannedNetwork(panel, first, made, tables, rules, net)
    if source_stock is not None:
        usual, states = rule, []

        def rule(period, state):
            if not period:
                state.on_hand[net.num_series :] = source_stock
            states.append(state.on_hand.copy())
            sent = usual(period, state)
            states.append(sent)
            return sent

    demand = np.asarray(panel.y[:, first:], float)
    found = replay_network(demand, rule, net, 7, 3, lost_sales=True)
    return found, (states if source_stock is not None else None)


LANES = pd.DataFrame({"source": ["DC", "DC", "ACME"], "location": ["s1", "s2", "DC"],
                      "lead_time": [2.0, 2.0, 5.0]})  # fmt: skip


def test_with_a_source_that_has_plenty_shops_are_replayed_as_each_by_itself():
    panel, tables = make_network(["s1", "s2"], LANES, ["DC"], lead_time=2.0)
    found, _ = played(panel, tables, source_stock=10_000)
    terms = terms_of(panel.series, None, CONFIG)
    made = {p: forecast(2) for p in range(0, 28, 7)}
    rule = forecast_rule(made, terms, 29, CONFIG, is_count=True)
    alone = replay(rule, np.asarray(panel.y[:, 31:], float), terms)
    for name in ("stockout_cost", "served", "ordered", "received", "order_change"):
        assert getattr(found, name).tolist() == getattr(alone, name).tolist(), name
    assert (found.holding_cost > alone.holding_cost).all()  # what lies at the source is paid for


def test_with_a_source_that_has_little_the_plan_gives_out_all_it_has_and_sales_are_missed():
    panel, tables = make_network(["s1", "s2"], LANES, ["DC"], lead_time=2.0)
    short, states = played(panel, tables, source_stock=3)
    full, _ = played(panel, tables, source_stock=10_000)
    on_hand, sent = states[0], states[1]
    from_source = sent.giver == 2
    assert on_hand[2] == sent.units[from_source].sum() == 3
    assert sent.units[~from_source].sum() >= 50  # and more is ordered for the source
    assert short.stockout_cost.sum() > full.stockout_cost.sum()


def test_a_source_that_sells_something_itself_is_one_stock():
    lanes = pd.DataFrame({"source": ["W"], "location": ["s1"], "lead_time": [2.0]})
    panel, tables = make_network(["s1", "W"], lanes, [], lead_time=[2.0, 4.0])
    found, _ = played(panel, tables)
    assert found.demand.tolist() == panel.y[:, 34:].sum(axis=1).tolist()
    # What comes to the warehouse is for both.
    assert found.received[1] > 1.5 * found.demand[1]
    assert found.served.sum() / found.demand.sum() > 0.8


def test_shops_that_give_each_other_stock_are_one_tree_and_are_sampled_together():
    way = pd.DataFrame({"source": ["s3"], "location": ["s1"], "lead_time": [1.0],
                        "kind": ["transfer"]})  # fmt: skip
    lanes = pd.concat([LANES, way], ignore_index=True)
    panel, tables = make_network(["s1", "s2", "s3", "s4"], lanes, ["DC"])
    terms = terms_of(panel.series, None, CONFIG)
    sources = sources_of(panel.series, terms, tables, panel.timeline, CONFIG, 14)
    inside, tree = members(sources, panel.series)
    assert inside.tolist() == [True, True, True, False]
    assert len(set(tree[:3])) == 1
    assert sampled(tree, inside, 1).tolist() == inside.tolist()
