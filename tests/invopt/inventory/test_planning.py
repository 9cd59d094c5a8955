import numpy as np
import pandas as pd

from invopt.config import InventoryConfig
from invopt.inventory import Levels, plan_orders, terms_of
from tests.builders import make_panel

QUANTILES = (0.1, 0.5, 0.9, 0.99)


def plan(position, order_up_to=20.0, **columns):
    series = make_panel(num_series=3).series.assign(unit_cost=1.0, **columns)
    terms = terms_of(series, None, InventoryConfig(lead_time=2, review_period=7))
    over = np.tile([8.0, 12.0, 18.0, 25.0], (3, 1))
    level = np.full(3, order_up_to)
    levels = Levels(level, level - 8, level - 12, np.full(3, 12.0), over)
    ids = series["unique_id"].to_numpy(object)
    return plan_orders(ids, levels, QUANTILES, terms, position, "m-1")


def stock(**values):
    return pd.DataFrame({"unique_id": ["p0_s0", "p1_s0", "p2_s0"]} | values)


def test_an_order_brings_the_position_up_to_the_level():
    found = plan(stock(on_hand=[5.0, 0, 30], on_order=[3.0, 0, 0]))
    assert found["order_quantity"].tolist() == [12, 20, 0]
    assert found["reason"].iloc[0].startswith("position 8 is below the level 20")
    assert found["reason"].iloc[2] == "position 30 covers the level 20"


def test_orders_are_multiples_of_the_pack_and_reach_the_minimum():
    found = plan(stock(on_hand=[19.0, 13, 0]), pack_size=6.0, min_order=10.0)
    assert found["order_quantity"].tolist() == [12, 12, 24]


def test_where_stock_is_unknown_levels_are_given_and_nothing_is_invented():
    found = plan(None)
    assert found["order_quantity"].isna().all()
    assert found["on_hand"].isna().all()
    assert (found["order_up_to_level"] == 20).all()
    assert set(found["reason"]) == {"stock is not known"}


def test_a_series_without_a_stock_record_is_left_open_among_others():
    found = plan(stock(on_hand=[5.0, np.nan, 4]).dropna())
    assert found["order_quantity"].isna().tolist() == [False, True, False]


def test_a_level_beyond_the_quantiles_says_so():
    found = plan(stock(on_hand=[5.0, 1, 4]), order_up_to=np.nan)
    assert set(found["reason"]) == {"the critical ratio lies beyond the forecast's quantiles"}
    assert found["order_quantity"].isna().all()


def test_backorders_are_added_to_the_order():
    found = plan(stock(on_hand=[5.0, 5, 5], backorders=[2.0, 0, 0]))
    assert found["order_quantity"].tolist() == [17, 15, 15]


def test_more_stock_costs_more_to_hold_and_less_to_run_out():
    low, high = (plan(stock(on_hand=[v] * 3), order_up_to=v) for v in (10.0, 22.0))
    assert (high["expected_holding_cost"] > low["expected_holding_cost"]).all()
    assert (high["expected_stockout_cost"] < low["expected_stockout_cost"]).all()
