"""What sources order where their product ends, lead times vary, or an order line costs money."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from invopt.config import InventoryConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.forecasts import ForecastArrays
from invopt.inventory.decision import ReviewRules
from invopt.inventory.network import NetworkReview
from invopt.panel import Panel
from invopt.timeline import Timeline

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
DAYS, HORIZON = 84, 28
TODAY = pd.Timestamp("2024-01-01") + pd.Timedelta(days=DAYS - 1)
# Two shops that sell five a day each, three days from the warehouse; weekly reviews.
SHOPS, LEVEL = ("s1", "s2"), 5.0


def in_days(number):
    return f"{TODAY + pd.Timedelta(days=number):%Y-%m-%d}"


def forecast_of_poisson(num, level, horizon=HORIZON):
    sums = poisson.ppf(np.array(LEVELS)[None], level * np.arange(1, horizon + 1)[:, None])
    shape = (num, horizon, len(LEVELS))
    return ForecastArrays(
        np.full(shape[:2], level, np.float32),
        np.broadcast_to(poisson.ppf(LEVELS, level), shape).astype(np.float32),
        np.broadcast_to(sums, shape).astype(np.float32), LEVELS, LEVELS, is_count=True,
    )  # fmt: skip


def review(
    on_hand=(20, 20, 0), series=None, source=None, lead_time=7, level=LEVEL, pack=1, least=0,
    lost_sales=True, to_first=3, closed_first=False, owed=0, **tables,
):  # fmt: skip
    """Return the orders of two shops and their warehouse p_DC, and the exceptions."""
    rng = np.random.default_rng(0)
    shops = pd.DataFrame({
        "unique_id": [f"p_{s}" for s in SHOPS], "product": "p", "location": SHOPS,
        "unit_cost": 2.0, "holding_cost": 0.02, "stockout_cost": 1.0, **(series or {}),
    })  # fmt: skip
    y = rng.poisson(level, (2, DAYS)).astype(np.int16)
    y[0] *= not closed_first
    days = Timeline(pd.Timestamp("2024-01-01"), "D", DAYS)
    panel = Panel(days, shops, y, np.zeros(y.shape, np.uint8))
    nodes = pd.DataFrame({"unique_id": ["p_DC"], "product": "p", "location": "DC",
                          "unit_cost": 2.0, **(source or {})})  # fmt: skip
    lanes = pd.DataFrame({
        "source": ["DC", "DC", "ACME"], "location": ["s1", "s2", "DC"],
        "lead_time": [to_first, 3, lead_time], "pack_size": [1, 1, pack],
        "min_units": [0, 0, least],
    })  # fmt: skip
    position = pd.DataFrame({"unique_id": ["p_s1", "p_s2", "p_DC"], "on_hand": on_hand,
                             "backorders": [0.0, 0.0, owed]})  # fmt: skip
    config = InventoryConfig(review_period=7, holding_cost=0.02, stockout_cost=1.0,
                             lost_sales=lost_sales)  # fmt: skip
    rules = ReviewRules(config=config, model_version="m", is_count=True)
    desk = NetworkReview(
        TermsTables(lanes=lanes, nodes=nodes, **tables), StockRecords(position.astype({
            "on_hand": float})), rules,
    )  # fmt: skip
    found = desk.settled([desk.plan(panel, forecast_of_poisson(2, level))])
    orders = pd.concat([r.orders for r in found]).set_index("unique_id")
    return orders, pd.concat([r.exceptions for r in found], ignore_index=True)


def ordered(*on_hand, **given):
    return review(*on_hand, **given)[0].loc["p_DC", "order_quantity"]


def received(*periods):
    return pd.DataFrame({"supplier": "ACME", "lead_time": np.array(periods, float)})


# --- a product that ends


@pytest.mark.parametrize(("last_days", "units"), [(17, 0), (18, 10), (22, 50), (60, 220)])
def test_a_source_orders_what_still_sells_before_its_product_ends(last_days, units):
    # On the eighth day at the warehouse, sent on the fourteenth, on the shelves on the eighteenth:
    # ten are asked for on each day that is left. Without an end 220 are ordered.
    assert ordered(series={"phase_out": in_days(last_days + 1)}) == units
    assert ordered() == 220


def test_a_pack_of_which_little_sells_before_the_end_is_not_ordered():
    ends = [ordered(pack=50, series={"phase_out": in_days(day)}) for day in (19, 23, 31)]
    assert ends == [0, 50, 150]


def test_a_product_that_ends_in_one_of_two_shops_is_still_ordered_for_the_other():
    one = ordered(series={"phase_out": [in_days(15), None]})
    both = ordered(series={"phase_out": in_days(15)})
    assert (one, both) == (165, 0)


def test_a_source_that_orders_nothing_more_of_a_product_says_that_it_ends():
    orders, exceptions = review(series={"phase_out": in_days(19)})
    assert "phase_out" in orders.loc["p_DC", "exception"].split(";")
    assert "p_DC" in exceptions.loc[exceptions["exception"] == "phase_out", "unique_id"].tolist()
    later, _ = review(series={"phase_out": in_days(60)})
    assert "phase_out" not in later.loc["p_DC", "exception"]


def test_shops_take_at_last_what_would_be_lost_at_their_source_as_well():
    # An order of the next review comes on the eleventh day. What s1 leaves at the warehouse is
    # lost as what is left on its shelf is, unless the other shop goes on.
    ends = {
        days: review((20, 20, 200), {"phase_out": [in_days(11), days and in_days(days)]})[0]
        for days in (11, 12, None)
    }
    found = {days: orders["order_quantity"].tolist()[:2] for days, orders in ends.items()}
    assert found == {11: [38, 38], 12: [26, 29], None: [26, 38]}


@pytest.mark.parametrize(("life", "units"), [(11, 10), (14, 40), (20, 100), (40, 220)])
def test_a_source_orders_what_sells_before_it_is_too_old(life, units):
    # From the eighth day on; ten are asked for on each day from the eighteenth on.
    orders, _ = review(source={"shelf_life": life})
    assert orders.loc["p_DC", "order_quantity"] == units
    assert "will_expire" not in orders.loc["p_DC", "exception"]


def test_what_would_be_too_old_on_every_shelf_is_not_ordered_and_told():
    row = review(source={"shelf_life": 10})[0].loc["p_DC"]
    assert row["order_quantity"] == 0
    assert "will_expire" in row["exception"].split(";")
    assert "a unit is too old to be sold when it comes to a shelf" in row["reason"]


def test_no_lot_and_no_pack_is_ordered_that_outlives_its_shelf_life():
    lots = [ordered(source={"shelf_life": life, "order_cost": 60.0}) for life in (20, 40, 400)]
    packs = [
        ordered((5, 5, 0), source={"shelf_life": life}, pack=60, level=1.0) for life in (20, 40)
    ]
    assert lots == [104, 306, 430]
    assert packs == [0, 60]


# --- lead times that vary


@pytest.mark.parametrize("lost_sales", [True, False])
def test_a_source_orders_for_all_lead_times_that_receipts_tell_of(lost_sales):
    laws = [(7, 7, 7), (7, 7, 7, 28), (7, 14, 7, 14), (7, 14, 28)]
    found = [ordered(receipts=received(*law), lost_sales=lost_sales) for law in laws]
    assert found == [220, 262, 283, 341]


def test_sources_with_and_without_receipts_are_planned_beside_each_other():
    orders, _ = review(receipts=received(7, 14, 28).assign(supplier="others"))
    assert orders.loc["p_DC", "order_quantity"] == 220


# --- the cost of an order line


@pytest.mark.parametrize(("cost", "intervals"), [(0, 1), (5, 1), (20, 2), (60, 4), (200, 6)])
def test_a_source_orders_for_as_many_intervals_as_the_cost_of_a_line_pays_for(cost, intervals):
    # 70 a week at 0.02 a day: K / n + 0.14 * 70 * (n - 1) / 2 is least.
    orders, _ = review(source={"order_cost": cost})
    row = orders.loc["p_DC"]
    assert row["order_quantity"] == 220 + 70 * (intervals - 1)
    assert ("as a line costs" in row["reason"]) == (intervals > 1)
    assert np.isnan(row["cost_of_one_more"]) == (intervals > 1)


def test_an_order_that_does_not_save_its_line_waits():
    full = (60, 60, 135)  # five units short of the level
    assert ordered(on_hand=full) == 5
    assert ordered(on_hand=full, source={"order_cost": 20.0}) == 0


def test_no_lot_is_ordered_that_lasts_beyond_a_products_end():
    found = [
        ordered(source={"order_cost": 60.0}, series={"phase_out": in_days(day)})
        for day in (23, 41, 61)
    ]
    assert found == [53, 236, 430]


# --- lead times that nobody means


def test_a_source_whose_lead_time_is_in_another_unit_has_a_fault_and_the_rest_is_planned():
    usual, _ = review((20, 20, 50))
    for lead_time, most in ((1000, "336 at most for a forecast of 28"), (10**9, "3650 at most")):
        orders, _ = review((20, 20, 50), lead_time=lead_time)
        row = orders.loc["p_DC"]
        assert row["order_quantity"] == 0
        assert "data_fault" in row["exception"].split(";")
        assert row["reason"] == (
            f"lead_time is {lead_time} periods, and may be {most}: is it in another unit?"
        )
        shops = ["p_s1", "p_s2"]
        assert orders["order_quantity"][shops].tolist() == [25, 25]
        assert usual["order_quantity"][shops].tolist() == [25, 25]


@pytest.mark.parametrize(
    ("lead_time", "exception"), [(40, "lead_time_beyond_horizon"), (10**6, "data_fault")]
)
def test_a_shop_that_nothing_can_be_ordered_for_leaves_the_others_as_they_are(lead_time, exception):
    orders, _ = review((20, 20, 50), to_first=lead_time)
    assert exception in orders.loc["p_s1", "exception"].split(";")
    assert np.isnan(orders.loc["p_s1", "order_quantity"])
    assert orders.loc["p_s2", "order_quantity"] == 38


def test_a_source_does_not_order_for_a_shop_beyond_the_horizon():
    found = [ordered(on_hand=(20, 20, 0), to_first=days) for days in (3, 29, 400)]
    assert found == [220, 112, 112]


# --- a shop that opens again


def test_a_shop_that_a_plan_opens_is_not_taken_for_dead_stock():
    orders, _ = review((0, 20, 500), closed_first=True, series={"phase_in": [in_days(5), None]})
    # It is there the day before: five a day from the fifth to the tenth day, and six for safety.
    assert orders.loc["p_s1", "order_quantity"] == 36
    assert "dead_stock" not in orders.loc["p_s1", "exception"]
    silent, _ = review((0, 20, 500), closed_first=True)
    assert silent.loc["p_s1", "exception"] == "dead_stock"


# --- stock below nothing


def test_what_a_source_owes_is_ordered_as_well_and_told():
    orders, exceptions = review((20, 20, 0), owed=30)
    assert orders.loc["p_DC", "order_quantity"] == 220 + 30
    assert orders.loc[["p_s1", "p_s2"], "order_quantity"].tolist() == [0, 0]
    told = exceptions.set_index(["unique_id", "exception"])["units"]
    assert told["p_DC", "negative_stock"] == 30
