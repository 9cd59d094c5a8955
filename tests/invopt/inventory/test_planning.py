import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt import contracts
from invopt.config import InventoryConfig
from invopt.forecasts import ForecastArrays
from invopt.inventory import decide, plan_orders, segments_of, stock_of, terms_of
from invopt.inventory.backtest import forecast_rule
from invopt.inventory.decision import ReviewRules
from invopt.inventory.exceptions import _usual_demand
from invopt.inventory.segments import SalesStatistics
from invopt.inventory.simulation import State
from tests.builders import make_panel

QUANTILES = (0.1, 0.5, 0.9, 0.99)
CONFIG = InventoryConfig(lead_time=2, review_period=1, holding_cost=0.2, stockout_cost=1.0)


def forecast(num=3, mean=4.0, quantiles=QUANTILES):
    """Return demand of about `mean` a period, its sum at the levels 8, 12, 18, 25."""
    per_period = np.tile([1.0, 4.0, 8.0, 12.0], (num, 3, 1))
    sums = np.stack(
        [np.tile(q, (num, 1)) for q in ([1, 4, 8, 12], [4, 8, 13, 18], [8, 12, 18, 25])]
    )
    return ForecastArrays(
        np.full((num, 3), mean), per_period, sums.transpose(1, 0, 2), quantiles, quantiles,
        is_count=True,
    )  # fmt: skip


def plan(position, open_orders=None, config=CONFIG, made=None, **columns):
    panel = make_panel(num_series=3)
    panel = make_with(panel, **columns)
    stock = stock_of(panel.unique_ids, position, open_orders)
    rules = ReviewRules(config=config, model_version="m-1", is_count=True)
    return plan_orders(panel, made or forecast(), stock, rules).orders


def make_with(panel, **columns):
    return replace(panel, series=panel.series.assign(unit_cost=1.0, **columns))


def stock(**values):
    return pd.DataFrame({"unique_id": ["p0_s0", "p1_s0", "p2_s0"]} | values)


def test_a_plan_keeps_its_contract_and_no_nought_has_a_sign():
    found = plan(stock(on_hand=[5.0, 0, 400]))
    contracts.check(found, contracts.OrderPlan)
    numbers = found.select_dtypes("float").to_numpy()
    assert not np.signbit(numbers[numbers == 0]).any()


def test_an_order_brings_the_position_up_to_the_level():
    # 5/6 lies between the 50 % and the 90 % quantile of the sum, 12 and 18: 17
    config = CONFIG.model_copy(update={"policy": "order_up_to"})
    found = plan(stock(on_hand=[5.0, 0, 30], on_order=[3.0, 0, 0]), config=config)
    assert found["order_up_to_level"].tolist() == [17, 17, 17]
    assert found["order_quantity"].tolist() == [9, 17, 0]
    assert found["reason"].iloc[0].startswith("position 8 is below the level 17")
    assert found["reason"].iloc[2] == "position 30 covers the level 17"


def test_orders_are_multiples_of_the_pack_and_reach_the_minimum_or_are_dropped():
    found = plan(stock(on_hand=[9.0, 12, 0]), pack_size=6.0, min_order=[10.0, 30.0, 0.0])
    assert found["order_quantity"].tolist() == [12, 0, 6]
    assert found["exception"].str.contains("min_order_above_need").tolist() == [True, True, False]
    assert "an order is not worth it" in found["reason"].iloc[1]


def test_where_stock_is_unknown_levels_are_given_and_nothing_is_invented():
    found = plan(None)
    assert found["order_quantity"].isna().all()
    assert found["on_hand"].isna().all()
    assert (found["order_up_to_level"] == 17).all()
    assert set(found["reason"]) == {"stock is not known"}
    assert found["exception"].str.contains("no_stock_record").all()


def test_a_series_without_a_stock_record_is_left_open_among_others():
    found = plan(stock(on_hand=[5.0, np.nan, 4]).dropna())
    assert found["order_quantity"].isna().tolist() == [False, True, False]


TAIL = "is beyond the forecast's quantiles: what it asks for comes from a fitted tail"


@pytest.mark.parametrize("policy", ["auto", "order_up_to", "lost_sales"])
def test_a_ratio_beyond_the_quantiles_orders_from_the_tail_and_says_so(policy):
    """Of 200 paths the largest sum lies at 0.9975; the level itself follows the ratio to 0.999."""
    config = CONFIG.model_copy(update={"holding_cost": 0.001, "policy": policy})
    usual = CONFIG.model_copy(update={"policy": policy})
    found, known = (plan(stock(on_hand=[5.0, 1, 4]), config=c) for c in (config, usual))
    assert (found["order_quantity"] > known["order_quantity"]).all()
    assert found["reason"].str.contains(f"; the critical ratio 0.999 {TAIL}", regex=False).all()
    assert not known["reason"].str.contains("tail").any()


def test_below_the_lowest_quantile_a_level_is_no_larger_than_it_and_is_a_number():
    config = CONFIG.model_copy(update={"holding_cost": 50.0, "policy": "order_up_to"})
    found = plan(stock(on_hand=[0.0, 3, 9]), config=config)
    # the lowest quantile, 10 %, of the sum is 8; at 1 / 51 the fitted tail has 6
    assert found["order_up_to_level"].tolist() == [6, 6, 6]
    assert found["order_quantity"].tolist() == [6, 3, 0]
    assert found["reason"].str.contains(TAIL, regex=False).all()


def test_a_replay_orders_up_to_levels_of_the_tail_and_refuses_what_nobody_can_decide():
    config = CONFIG.model_copy(update={"holding_cost": 0.001, "policy": "order_up_to"})
    terms = terms_of(make_panel(num_series=3).series, None, config)
    empty = State(np.zeros(3), np.zeros(3), np.zeros(3), np.zeros((2, 3)))
    rule = forecast_rule({0: forecast()}, terms, 2, config, is_count=True)
    # 25 + 7 / log 10 x log(0.01 / 0.000999) = 32.0
    assert rule(slice(0, 3), 0, empty).tolist() == [32.0, 32.0, 32.0]
    far = replace(terms, lead_time=np.array([2, 60, 2]))
    with pytest.raises(ValueError, match="of 1 of 3 none can be decided"):
        forecast_rule({0: forecast()}, far, 2, config, is_count=True)


def test_nobody_calls_a_shelf_too_full_whose_demand_is_not_known():
    found = plan(stock(on_hand=[5.0, 0, 40]), lead_time=[2.0, 2, 60])
    assert found["exception"].iloc[2] == "lead_time_beyond_horizon"


@pytest.mark.parametrize("policy", ["order_up_to", "lost_sales"])
def test_a_lead_time_beyond_the_horizon_says_so_and_leaves_the_others_ordered(policy):
    config = CONFIG.model_copy(update={"policy": policy})
    found = plan(stock(on_hand=[5.0, 0, 0]), config=config, lead_time=[2.0, 2, 60])
    assert found["order_quantity"].isna().tolist() == [False, False, True]
    assert found["reason"].iloc[2] == "the lead time reaches beyond the forecast's horizon"
    assert found["exception"].iloc[2].startswith("lead_time_beyond_horizon")
    assert found["expected_demand"].isna().tolist() == [False, False, True]


def test_waiting_customers_are_served_first_and_told():
    few, many = (plan(stock(on_hand=[0.0] * 3, backorders=[w] * 3)) for w in (0.0, 7.0))
    assert (many["order_quantity"] - few["order_quantity"]).tolist() == [7, 7, 7]
    assert many["exception"].str.startswith("negative_stock;stockout_now").all()


def test_more_stock_costs_more_to_hold_and_less_to_run_out():
    low, high = (plan(stock(on_hand=[v] * 3)) for v in (18.0, 24.0))
    assert (high["expected_holding_cost"] > low["expected_holding_cost"]).all()
    assert (high["expected_stockout_cost"] < low["expected_stockout_cost"]).all()


@pytest.mark.parametrize("policy", ["auto", "lost_sales"])
def test_ordering_one_less_or_one_more_never_costs_less(policy):
    config = CONFIG.model_copy(update={"policy": policy})
    found = plan(stock(on_hand=[5.0, 0, 40]), config=config)
    assert (found["cost_of_one_less"].dropna() >= -1e-9).all()
    assert (found["cost_of_one_more"] >= -1e-9).all()
    assert found["cost_of_one_less"].isna().tolist() == [False, False, True]
    assert found["cost_of_one_more"].iloc[2] == pytest.approx(0.2, abs=0.01)  # held for sure


def test_a_longer_horizon_lets_the_order_look_at_the_next_one_and_its_costs_tell():
    made, config = forecast(), CONFIG.model_copy(update={"policy": "lost_sales", "num_paths": 1000})
    longer = ForecastArrays(
        made.mean[:, [0, 1, 2, 2]], made.smooth_quantiles[:, [0, 1, 2, 2]],
        made.smooth_levels[:, [0, 1, 2, 2]], QUANTILES, QUANTILES, is_count=True,
    )  # fmt: skip
    position = stock(on_hand=[5.0, 0, 9])
    alone, ahead = (plan(position, config=config, made=m) for m in (made, longer))
    assert (ahead["order_quantity"] <= alone["order_quantity"]).all()
    assert ahead["order_quantity"].sum() < alone["order_quantity"].sum()
    charged = plan(position, config=config.model_copy(update={"holding_periods": 1.7}), made=longer)
    assert (charged["order_quantity"] <= alone["order_quantity"]).all()
    for found in (ahead, charged):
        assert (found[["cost_of_one_less", "cost_of_one_more"]] >= -1e-9).all(axis=None)


def test_the_lost_sales_policy_uses_when_open_orders_arrive():
    """Nine units that arrive before the order lose sales less than nine that come with it."""
    config = CONFIG.model_copy(update={"policy": "lost_sales"})
    soon, late = (
        plan(
            stock(on_hand=[0.0] * 3, on_order=[9.0] * 3),
            pd.DataFrame({"unique_id": ["p0_s0"], "due_in": [due], "quantity": [9.0]}),
            config,
        )
        for due in (1, 3)
    )
    assert soon["order_quantity"].iloc[0] > late["order_quantity"].iloc[0]


def test_units_under_way_without_a_date_arrive_next_period():
    ids = np.array(["a", "b"], object)
    orders = pd.DataFrame({"unique_id": ["b", "b"], "due_in": [1, 3], "quantity": [2.0, 4.0]})
    position = pd.DataFrame({"unique_id": ["a", "b"], "on_hand": [1.0, 1], "on_order": [5.0, 7]})
    found = stock_of(ids, position, orders)
    assert found.arrivals.tolist() == [[5, 0, 0], [3, 0, 4]]
    assert found.position.tolist() == [6, 8]


def test_a_plan_scales_with_demand_and_stock():
    panel = make_panel(num_series=3)
    made = forecast()
    ten = ForecastArrays(
        made.mean * 10, made.smooth_quantiles * 10, made.smooth_levels * 10, QUANTILES, QUANTILES,
        is_count=False,
    )  # fmt: skip
    for policy in ("order_up_to", "lost_sales"):
        config = CONFIG.model_copy(update={"policy": policy})
        terms = terms_of(panel.series, None, config)
        one, more = (
            decide(
                f, terms, stock_of(panel.unique_ids, stock(on_hand=[s] * 3)), config, is_count=False
            )
            for f, s in ((made, 4.0), (ten, 40.0))
        )
        np.testing.assert_allclose(more.need, 10 * one.need, rtol=1e-4)


def test_exceptions_name_what_a_planner_should_look_at():
    panel = make_with(make_panel(num_series=3), lead_time=[2.0, np.nan, 2.0])
    state = stock_of(panel.unique_ids, stock(on_hand=[50.0, 50, np.nan]).dropna())
    last = pd.Series({"p0_s0": 2.0, "p1_s1": 17.0})
    rules = ReviewRules(config=CONFIG, model_version="m", is_count=True, last_levels=last)
    found = plan_orders(panel, forecast(mean=100.0), state, rules).orders["exception"]
    assert found[0] == "demand_jump;level_changed"
    assert "no_lead_time" in found[1]
    assert found[2].startswith("no_stock_record;demand_jump")


def test_one_faulty_product_is_left_out_and_the_others_are_ordered():
    faults = ["", "pack_size is 0, and must be above 0", ""]
    found = plan(stock(on_hand=[0.0] * 3), data_fault=faults)
    assert found["order_quantity"].isna().tolist() == [False, True, False]
    assert found["exception"].iloc[1].startswith("data_fault")
    assert "pack_size is 0" in found["reason"].iloc[1]
    free = plan(stock(on_hand=[0.0] * 3), holding_cost=[1.0, 0, 1])
    assert free["order_quantity"].isna().tolist() == [False, True, False]


def test_late_orders_are_counted_as_coming_next_and_told():
    orders = pd.DataFrame({"unique_id": ["p0_s0"], "due_in": [-9], "quantity": [40.0]})
    found = plan(stock(on_hand=[0.0] * 3), orders)
    assert found["order_quantity"].iloc[0] == 0
    assert found["exception"].iloc[0].startswith("stockout_now;delivery_overdue")
    assert found["on_order"].tolist() == [40, 0, 0]


def test_a_far_order_is_no_cover_and_is_told_to_be_too_late():
    orders = pd.DataFrame({"unique_id": ["p0_s0"], "due_in": [60], "quantity": [300.0]})
    found = plan(stock(on_hand=[0.0] * 3), orders)
    assert found["order_quantity"].iloc[0] == found["order_quantity"].iloc[1] > 0
    assert "delivery_too_late" in found["exception"].iloc[0]
    assert found["unavoidable_stockout_units"].iloc[0] == pytest.approx(8, abs=1.5)
    assert found["review_date"].iloc[0] == "2024-04-29"
    assert found["stockout_date"].iloc[0] == "2024-04-30"
    assert found["arrival_date"].iloc[0] == "2024-05-02"


def test_a_line_that_does_not_pay_its_cost_waits():
    cheap, dear = (plan(stock(on_hand=[11.0] * 3), order_cost=c) for c in (0.01, 500.0))
    assert (cheap["order_quantity"] > 0).all()
    assert (dear["order_quantity"] == 0).all()
    assert (dear["reorder_point"] < cheap["reorder_point"]).all()


def test_an_order_that_costs_a_line_lasts_for_several_reviews():
    own, lot = (plan(stock(on_hand=[0.0] * 3), order_cost=c) for c in (np.nan, 2.0))
    # sqrt(2 x 2 x 4 / 0.2) = 8.9 units at 4 a period, against 8 to 10 for its own
    assert (lot["order_quantity"] >= own["order_quantity"]).all()
    lots = plan(stock(on_hand=[0.0] * 3), order_cost=8.0)["order_quantity"]
    assert lots.tolist() == pytest.approx([18] * 3, abs=2)


def test_limits_and_promises_of_a_series_reach_its_order():
    empty = stock(on_hand=[0.0] * 3)
    most = plan(empty, max_order=3.0)
    assert most["order_quantity"].tolist() == [3, 3, 3]
    assert most["exception"].str.contains("limit_reached").all()
    assert plan(empty, max_stock=4.0)["order_quantity"].max() <= 4
    low, high = (plan(empty, service_level=s)["order_quantity"] for s in (0.3, 0.97))
    assert (low < high).all()
    low, high = (plan(empty, fill_rate=s)["order_quantity"] for s in (0.3, 0.97))
    assert (low < high).all()
    own = plan(empty, stockout_cost=[1.0, 0.1, 9.0])["order_quantity"]
    assert own[1] < own[0] < own[2]


def test_the_reorder_point_is_the_largest_position_that_orders():
    point = int(plan(stock(on_hand=[0.0] * 3), pack_size=6.0)["reorder_point"].iloc[0])
    for position, orders in ((point - 1, True), (point + 2, False)):  # within the paths' grain
        found = plan(stock(on_hand=[float(position)] * 3), pack_size=6.0)
        assert (found["order_quantity"].iloc[0] > 0) == orders


def test_segments_part_sellers_by_revenue_and_steadiness():
    demand = np.array([[80.0, 80, 80], [10, 30, 0], [1, 0, 0], [0, 0, 0]])
    found = segments_of(SalesStatistics.of(demand), np.ones(4))
    assert found.tolist() == ["AX", "BY", "CZ", "CZ"]


def test_a_unit_too_many_is_held_for_the_whole_review_period():
    # 1 / (1 + 0.2 x review) of a demand of 8, 12, 18, 25: a longer review is a lower ratio
    panel = make_with(make_panel(num_series=1))
    for review, ratio in ((1, 1 / 1.2), (5, 1 / 2.0)):
        config = CONFIG.model_copy(update={"review_period": review})
        assert terms_of(panel.series, np.full(1, 5.0), config).critical_ratio[0] == pytest.approx(
            ratio
        )


def test_the_lost_sales_policy_charges_a_leftover_for_the_periods_it_is_told():
    position = stock(on_hand=[2.0, 2, 2])
    orders = {
        periods: plan(
            position,
            config=CONFIG.model_copy(
                update={"policy": "lost_sales", "lost_sales": True, "holding_periods": periods}
            ),
        )["order_quantity"].iloc[0]
        for periods in (1.0, 40.0)
    }
    assert orders[40.0] < orders[1.0]


def test_money_in_a_reason_is_of_a_currency_where_one_is_configured():
    position = stock(on_hand=[5.0, 0, 0])
    config = CONFIG.model_copy(update={"currency": "EUR"})
    [_, dry, _] = plan(position, config=config)["reason"]
    [_, bare, _] = plan(position)["reason"]
    assert re.search(r"one less costs EUR [\d.]+ more, one more costs EUR [\d.]+ more", dry)
    assert re.search(r"units \(EUR [\d.]+\) are missed whatever is ordered", dry)
    assert re.search(r"one less costs [\d.]+ more, one more costs [\d.]+ more", bare)
    assert re.search(r"units \([\d.]+ in money\) are missed whatever is ordered", bare)


def test_a_lumpy_part_with_a_long_lead_time_is_no_jump_of_demand():
    y = np.zeros((3, 400), np.int32)
    y[:2, ::25] = 6  # none in the latest 13 days, 24 in a hundred
    y[2, ::25] = 1
    panel = replace(make_panel(num_series=3, num_periods=400), y=y, flags=np.zeros(y.shape, "u1"))
    expected = np.array([24.0, 120.0, 13.0])
    usual, chance = _usual_demand(panel, np.full(3, 100), expected)
    assert usual.round(1).tolist() == [24.0, 24.0, 4.0]
    jump = (expected > 3 * usual) & (np.abs(expected - usual) > chance)
    assert jump.tolist() == [False, True, False]
