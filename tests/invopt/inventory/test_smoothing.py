"""Orders nearer to the usual one, within a share of what they are expected to cost."""

import numpy as np
import pytest

from invopt.config import InventoryConfig
from invopt.inventory import Stock, decide, terms_of
from invopt.inventory.backtest import forecast_rule, replay
from invopt.inventory.path import LeadLaw, project
from invopt.inventory.reasons import reasons_of
from invopt.inventory.smoothing import smoothed
from tests.invopt.inventory.oracle import poisson_forecast

NUM = 60


def company(seed=0, **columns):
    """Return terms, an outlook of the orders and the demand it was made of."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1, 8, (1, NUM, 1))
    demand = rng.poisson(np.broadcast_to(rate, (3, NUM, 50))).astype(np.float32)
    config = InventoryConfig(holding_cost=0.1, stockout_cost=2, lead_time=0, review_period=3)
    series = {"unique_id": [f"p{i:02d}" for i in range(NUM)]} | columns
    terms = terms_of(series, None, config)
    none, law = np.zeros(NUM), LeadLaw.fixed(0, 3, 50)
    path = project(none, np.zeros((NUM, 3)), demand, law, lost_sales=True, is_count=True)
    return terms, path.outlook, demand.sum(axis=0).astype(float), demand


def cost(demand, units, terms, row):
    """Return what an order costs, by playing its periods."""
    stock, total = np.full(50, float(units)), np.zeros(50)
    for sold in demand[:, row]:
        total += terms.stockout_cost[row] * np.maximum(sold - stock, 0)
        stock = np.maximum(stock - sold, 0)
        total += terms.holding_cost[row] * stock
    return total.mean()


@pytest.mark.parametrize("share", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("pack", [1.0, 6.0])
def test_the_order_is_the_nearest_to_the_usual_one_that_costs_a_share_more_at_most(share, pack):
    terms, outlook, total, demand = company(pack_size=[pack] * NUM)
    rng = np.random.default_rng(1)
    quantity = np.rint(rng.uniform(0, 2, NUM) * total.mean(axis=1) / pack) * pack
    usual = total.mean(axis=1)
    found = smoothed(quantity, usual, outlook, terms, np.full(NUM, np.inf), share)
    for row in range(NUM):
        limit = (1 + share) * cost(demand, quantity[row], terms, row) + 1e-6
        step = pack if usual[row] > quantity[row] else -pack
        best = quantity[row]
        while abs(usual[row] - best) >= pack and cost(demand, best + step, terms, row) <= limit:
            best += step
        assert found[row] == best, (row, quantity[row], usual[row])


def test_no_share_leaves_every_order_as_it_is():
    terms, outlook, total, _ = company()
    quantity = np.rint(1.3 * total.mean(axis=1))
    found = smoothed(quantity, total.mean(axis=1), outlook, terms, np.full(NUM, np.inf), 0.0)
    # what moves without a share costs no more than the order did
    assert (outlook.missed(found) >= outlook.missed(quantity)).all()
    chosen = smoothed(found, total.mean(axis=1), outlook, terms, np.full(NUM, np.inf), 0.0)
    assert chosen.tolist() == found.tolist()


def test_room_and_minimum_bound_it_and_promises_and_lots_stand():
    terms, outlook, total, _ = company(
        min_order=[40.0] * 20 + [0.0] * 40,
        service_level=[np.nan] * 20 + [0.9] * 20 + [np.nan] * 20,
        order_cost=[0.0] * 40 + [5.0] * 20,
    )
    usual, room = total.mean(axis=1), np.full(NUM, np.inf)
    nothing, much = np.zeros(NUM), np.full(NUM, 400.0)
    raised = smoothed(nothing, usual, outlook, terms, room, 1.0)
    lowered = smoothed(much, usual, outlook, terms, room, 1.0)
    assert ((raised[:20] == 0) | (raised[:20] >= 40)).all()
    assert (lowered[:20] >= 40).all()
    assert (lowered[:20] < 400).all()
    assert not raised[20:].any()
    assert (lowered[20:] == 400).all()
    plain, outlook, total, _ = company()
    tight = smoothed(nothing, total.mean(axis=1), outlook, plain, np.full(NUM, 3.0), 1.0)
    assert tight.max() == 3.0


def decision(on_hand, share, forced=None):
    forecast = poisson_forecast(np.full(len(on_hand), 5.0), 28)
    config = InventoryConfig(
        holding_cost=0.02, stockout_cost=2, lead_time=3, review_period=7, order_smoothing=share
    )
    num = len(on_hand)
    terms = terms_of({"unique_id": [f"p{i}" for i in range(num)]}, None, config)
    stock = Stock(np.array(on_hand), np.zeros(num), np.zeros(num), np.zeros((num, 1)))
    found = decide(forecast, terms, stock, config, is_count=True, forced=forced)
    return found, reasons_of(found, stock, terms)


def test_a_review_with_smoothing_orders_nearer_to_a_weeks_sales_and_says_so():
    stock = [10.0, 25.0, 40.0, 80.0]
    plain, _ = decision(stock, 0.0)
    calm, reasons = decision(stock, 0.3)
    usual = 35.0
    assert (np.abs(calm.quantity - usual) < np.abs(plain.quantity - usual)).sum() >= 3
    assert calm.before_smoothing[0] == plain.quantity[0]
    assert calm.need.tolist() == plain.need.tolist()
    assert calm.levels.order_up_to.tolist() == plain.levels.order_up_to.tolist()
    told = f"{calm.quantity[0]:.0f} are ordered instead of {plain.quantity[0]:.0f}, which would"
    assert told in reasons[0]
    assert not np.isfinite(plain.before_smoothing).any()


def test_what_a_planner_has_set_is_not_smoothed():
    forced = np.array([90.0, np.nan])
    found, _ = decision([10.0, 10.0], 0.3, forced)
    assert found.quantity[0] == 90
    assert np.isnan(found.before_smoothing[0])
    assert np.isfinite(found.before_smoothing[1])


@pytest.mark.parametrize("policy", ["auto", "order_up_to", "lost_sales"])
def test_a_replay_with_smoothing_changes_its_orders_less(policy):
    rng = np.random.default_rng(0)
    rates = rng.uniform(3, 20, 40)
    demand = rng.poisson(rates[:, None], (40, 92)).astype(float)
    changes = []
    for share in (0.0, 0.2):
        config = InventoryConfig(
            holding_cost=0.02, stockout_cost=2, lead_time=3, review_period=7, policy=policy,
            order_smoothing=share,
        )  # fmt: skip
        terms = terms_of({"unique_id": [f"p{i:02d}" for i in range(40)]}, None, config)
        forecasts = {k: poisson_forecast(rates, 28) for k in range(0, 91, 7)}
        rule = forecast_rule(forecasts, terms, 92, config, is_count=True)
        changes.append(replay(rule, demand, terms).summary()["order_change"])
    assert changes[1] < 0.9 * changes[0]
