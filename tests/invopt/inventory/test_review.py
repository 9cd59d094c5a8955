"""Whole reviews with the tables of planning: suppliers, calendars, overrides, successors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.config import InventoryConfig
from invopt.contracts import StockRecords, TermsTables
from invopt.inventory.ahead import _told, with_mean
from invopt.inventory.costs import terms_of
from invopt.inventory.decision import ReviewRules
from invopt.inventory.purchasing import Bought
from invopt.inventory.reasons import Notes
from invopt.inventory.review import _tell_deal, plan_review
from invopt.inventory.suppliers import _Days
from invopt.timeline import Timeline, floor_dates
from tests.builders import make_panel
from tests.invopt.inventory.oracle import poisson_forecast

CONFIG = InventoryConfig(lead_time=3, review_period=7, holding_cost=0.02, stockout_cost=3.0)
IDS = ["p0_s0", "p1_s0", "p2_s0"]


def review(on_hand=(0.0, 0, 0), rates=(5.0, 5, 5), open_orders=None, columns=None, **tables):
    panel = make_panel(num_series=3, num_periods=119)  # ends on Sunday, 28 April 2024
    panel = replace(panel, series=panel.series.assign(unit_cost=2.0, **(columns or {})))
    position = pd.DataFrame({"unique_id": IDS, "on_hand": np.array(on_hand, float)})
    orders = None if open_orders is None else pd.DataFrame(open_orders)
    rules = ReviewRules(config=CONFIG, model_version="m-1", is_count=True)
    forecast = poisson_forecast(np.array(rates), 28)
    return plan_review(
        panel, forecast, StockRecords(position, orders), TermsTables(**tables), rules
    )


def suppliers(**columns):
    return pd.DataFrame({"supplier": ["North"]} | {k: [v] for k, v in columns.items()})


NORTH = {"supplier": ["North", "North", "unknown"]}


def test_the_lead_time_is_the_products_own_else_its_suppliers_else_the_configured_one():
    found = review(
        columns=NORTH | {"lead_time": [2.0, np.nan, np.nan]}, suppliers=suppliers(lead_time=10.0)
    ).orders
    assert found["lead_time"].tolist() == [2, 10, 3]
    assert found["arrival_date"].tolist() == ["2024-05-01", "2024-05-09", "2024-05-02"]


def test_an_order_waits_for_the_suppliers_day_and_covers_until_the_next_one():
    days = suppliers(lead_time=3.0, order_days="2")  # Wednesdays; the review is on a Sunday
    found = review(columns=NORTH, suppliers=days)
    assert found.purchase_orders["order_date"].tolist()[-2:] == ["2024-05-01", "2024-05-01"]
    assert found.orders["arrival_date"].tolist() == ["2024-05-05", "2024-05-05", "2024-05-02"]
    assert found.orders["lead_time"].tolist() == [6, 6, 3]


def test_a_review_before_the_next_order_day_orders_nothing_and_says_so():
    days = suppliers(lead_time=3.0, order_days="2")
    found = review(columns=NORTH | {"review_period": 1.0}, suppliers=days).orders
    assert found["order_quantity"].tolist()[:2] == [0, 0]
    assert found["exception"].str.contains("waits_for_order_day").tolist() == [True, True, False]


def test_closed_days_neither_sell_nor_receive_nor_count_for_the_lead_time():
    shut = pd.DataFrame(
        {"location": "s0", "ds": pd.date_range("2024-05-02", "2024-05-04"), "open": False}
    )
    found, usual = review(calendar=shut).orders, review().orders
    assert found["arrival_date"].tolist() == ["2024-05-05"] * 3
    assert (found["expected_demand"] < usual["expected_demand"] + 0.1).all()
    works = pd.DataFrame(
        {"supplier": "North", "ds": pd.date_range("2024-04-29", "2024-04-30"), "open": False}
    )
    found = review(columns=NORTH, suppliers=suppliers(lead_time=3.0), calendar=works).orders
    assert found["arrival_date"].tolist() == ["2024-05-04", "2024-05-04", "2024-05-02"]


def test_a_minimum_above_what_is_needed_is_filled_up_or_dropped_whichever_is_cheaper():
    small = review(columns=NORTH, suppliers=suppliers(lead_time=3.0, min_value=260.0))
    lines = small.purchase_orders.query("supplier == 'North'")
    assert lines["order_value"].sum() >= 260
    assert small.orders["exception"].str.contains("min_order_above_need").any()
    dear = review(
        on_hand=(48.0, 48, 0), columns=NORTH, suppliers=suppliers(lead_time=3.0, min_units=9000.0)
    )
    assert dear.orders["order_quantity"].tolist()[:2] == [0, 0]
    assert dear.orders["exception"].str.contains("below_supplier_minimum").any()


def test_units_in_sentences_are_no_powers_of_ten():
    notes, none = Notes.none(2), np.zeros(2)
    cut, filled = np.array([1_234_567.0, 0.0]), np.array([0.0, 2_500_000.0])
    lot = np.array([0.0, 3_000_000.0])
    deal = replace(Bought.as_wanted(none, none), cut=cut, filled=filled, lot=lot)
    _tell_deal(notes, deal)
    assert notes.after.tolist() == [
        "the budget leaves out 1234567 units",
        "2500000 units more reach the supplier's minimum; "
        "3000000 units more are ordered for a lower price",
    ]
    assert _told({"who": "Ann"}, "demand", 12_345_678.0) == "demand set to 12345678 by Ann"
    assert _told({}, "order", 1234.5) == "order set to 1234.5 by a planner"


def test_a_budget_is_kept_and_what_it_cuts_is_told():
    found = review(columns=NORTH, suppliers=suppliers(lead_time=3.0, budget=100.0))
    assert 80 <= found.purchase_orders.query("supplier == 'North'")["order_value"].sum() <= 100
    assert found.orders["exception"].str.contains("budget_cut").tolist()[:2] == [True, True]
    assert found.exceptions.query("exception == 'budget_cut'")["units"].sum() > 30


def test_a_price_break_is_taken_where_it_pays():
    breaks = pd.DataFrame({"supplier": "North", "from_quantity": [80.0], "unit_cost": [1.0]})
    found = review(columns=NORTH, price_breaks=breaks)
    assert found.purchase_orders.query("supplier == 'North'")["order_quantity"].tolist() == [80, 80]
    assert found.purchase_orders.query("supplier == 'North'")["unit_cost"].tolist() == [1.0, 1.0]
    dull = breaks.assign(unit_cost=1.999)
    assert review(columns=NORTH, price_breaks=dull).orders["order_quantity"].max() < 80


def test_receipts_with_a_spread_order_more_than_a_sure_lead_time():
    sure = pd.DataFrame({"supplier": "North", "lead_time": [3] * 10})
    risky = pd.DataFrame({"supplier": "North", "lead_time": [1] * 5 + [5] * 5})
    first, second = (
        review(columns=NORTH, receipts=r).orders["order_quantity"].iloc[0] for r in (sure, risky)
    )
    assert second > first


def test_overdue_orders_come_as_late_as_deliveries_have_been():
    late = pd.DataFrame({"supplier": "North", "lead_time": [8] * 10})
    orders = {"unique_id": ["p0_s0"], "due_in": [0], "quantity": [30.0]}
    known = review(columns=NORTH, receipts=late, open_orders=orders).orders
    assert known["exception"].str.contains("delivery_overdue").tolist() == [True, False, False]
    assert known["stockout_date"].iloc[0] == "2024-04-29"


def line(kind, value, **scope):
    ends = {"from": pd.Timestamp("2024-04-29"), "to": pd.Timestamp("2024-05-08")}
    return pd.DataFrame(
        [scope | ends | {"kind": kind, "value": value, "who": "Ann", "why": "fair"}]
    )


@pytest.mark.parametrize(
    ("kind", "value", "demand"), [("factor", 2.0, 100.0), ("demand", 80.0, 80.0)]
)
def test_an_override_of_demand_is_planned_for_and_told(kind, value, demand):
    found = review(overrides=line(kind, value, unique_id="p0_s0")).orders
    assert found["expected_demand"].tolist() == pytest.approx([demand, 50, 50])
    assert found["exception"].str.contains("overridden").tolist() == [True, False, False]
    assert found["reason"].iloc[0].endswith("by Ann: fair")


def test_an_override_of_a_group_is_shared_and_an_order_is_taken_as_it_is():
    whole = review(rates=(2.0, 6, 2), overrides=line("demand", 200.0, location="s0")).orders
    assert whole["expected_demand"].tolist() == pytest.approx([40, 120, 40])
    order = review(rates=(2.0, 6, 2), overrides=line("order", 50.0, scope="location=s0")).orders
    assert order["order_quantity"].tolist() == [10, 30, 10]


def test_of_a_product_that_ends_later_no_pack_is_ordered_that_would_be_left_over():
    # ten days from now another order can come, and at 21 days nothing is sold any more
    ends = {"phase_out": ["2024-05-19", "2024-05-19", ""], "pack_size": [200.0, 50.0, 200.0]}
    found = review(columns=ends).orders
    assert found["order_quantity"].tolist() == [0, 50, 200]
    assert (found["money_at_risk"].iloc[1:] > 0).all()


def test_nothing_is_added_for_a_lower_price_that_would_be_left_over_at_the_end():
    breaks = pd.DataFrame(
        {"unique_id": list(IDS[:2]), "from_quantity": [400.0, 400.0], "unit_cost": [1.0, 1.0]}
    )
    columns = {"phase_out": ["2024-05-26", "", ""]}
    found = review(columns=columns, price_breaks=breaks).orders
    assert found["order_quantity"].iloc[0] < 100
    assert found["order_quantity"].iloc[1] == 400


def test_a_successor_sells_what_is_left_of_its_predecessor_first():
    columns = {"successor_of": ["unknown", "p0", "unknown"]}
    found = review(on_hand=(40.0, 0, 0), columns=columns).orders
    assert found["order_quantity"].iloc[0] == 0
    assert "phase_out" in found["exception"].iloc[0]
    assert found["expected_demand"].tolist() == pytest.approx([50, 100, 50])


def test_a_product_that_ends_is_not_ordered_beyond_its_end():
    columns = {"phase_out": ["2024-05-04", "2024-05-01", ""]}
    found = review(columns=columns).orders
    assert 0 < found["order_quantity"].iloc[0] < 15  # two days of five, from 2 May on
    assert found["order_quantity"].iloc[1] == 0
    assert found["exception"].str.contains("phase_out").tolist() == [True, True, False]
    assert found["order_quantity"].iloc[2] > 40


def test_each_product_reaches_for_its_own_price_breaks_only():
    breaks = pd.DataFrame(
        {"unique_id": IDS[:2], "from_quantity": [60.0, 400.0], "unit_cost": [1.5, 1.99]}
    )
    found = review(price_breaks=breaks).orders["order_quantity"]
    assert found.iloc[0] == 60
    assert found.iloc[1] == found.iloc[2] < 60


def test_a_full_shelf_takes_no_more_than_its_room_beside_what_counts():
    due = {"unique_id": ["p1_s0"], "due_in": [2], "quantity": [9.0]}
    found = review(on_hand=(6.0, 6, 6), open_orders=due, columns={"max_stock": [24.0, 24, np.nan]})
    assert found.orders["order_quantity"].tolist()[:2] == [18, 9]
    assert found.orders["order_quantity"].iloc[2] > 30
    assert found.orders["exception"].str.contains("limit_reached").tolist() == [True, True, False]


def test_a_shelf_that_will_likely_be_empty_before_the_next_order_is_never_silent():
    dear = review(on_hand=(16.0, 16, 16), columns={"holding_cost": [3.0, 0.02, 0.02]}).orders
    assert dear["exception"].str.contains("stockout_likely").tolist() == [True, False, False]
    assert dear["stockout_date"].tolist()[1:] == ["", ""]
    assert dear["stockout_date"].iloc[0] > "2024-05-01"  # after an order of today can arrive


def test_a_place_that_is_closed_beyond_the_next_review_orders_nothing_and_says_so():
    shut = pd.DataFrame(
        {"location": "s0", "ds": pd.date_range("2024-04-29", "2024-06-30"), "open": False}
    )
    found = review(calendar=shut).orders
    assert found["order_quantity"].tolist() == [0, 0, 0]
    assert found["exception"].str.contains("closed").all()
    assert found["reason"].str.startswith("the place or its supplier is closed").all()


def test_a_demand_is_expected_where_nothing_was_forecast():
    found = review(rates=(0.0, 0, 5), overrides=line("demand", 40.0, scope="product=p0")).orders
    assert found["expected_demand"].tolist() == pytest.approx([40, 0, 50])
    # Three of the ten days are missed; what is left over then would never sell.
    assert 24 < found["order_quantity"].iloc[0] < 45


@pytest.mark.parametrize(("before", "after"), [(3.0, 6.0), (3.0, 36.0), (8.0, 3.0), (2.0, 0.1)])
def test_a_count_of_another_mean_has_the_spread_of_such_a_count(before, after):
    made, wanted = (poisson_forecast(np.array([rate]), 10) for rate in (before, after))
    found = with_mean(made, np.full((1, 10), after), is_count=True)
    np.testing.assert_allclose(found.mean, wanted.mean, rtol=1e-6)
    for name in ("smooth_quantiles", "smooth_levels"):
        ours, theirs = getattr(found, name), getattr(wanted, name)
        np.testing.assert_allclose(ours, theirs, atol=0.25 + 0.06 * np.sqrt(10 * after))


def test_what_is_measured_and_not_counted_spreads_with_its_mean():
    made = poisson_forecast(np.array([4.0]), 3)
    found = with_mean(made, np.full((1, 3), 8.0), is_count=False)
    spread = made.smooth_quantiles - 4
    np.testing.assert_allclose(found.smooth_quantiles - 8, 2 * spread, atol=1e-4)


def test_all_purchase_orders_three_weeks_late_order_more_and_say_so():
    due = np.array([2, 3, 5])
    on_time, late = (
        review(
            on_hand=(20.0, 20, 20),
            open_orders={"unique_id": IDS, "due_in": due + delay, "quantity": [40.0, 40, 40]},
        ).orders
        for delay in (0, 21)
    )
    assert (late["order_quantity"] > on_time["order_quantity"] + 15).all()
    assert not on_time["exception"].str.contains("delivery_too_late").any()
    assert late["exception"].str.contains("delivery_too_late").all()
    assert (late["days_of_cover"] < on_time["days_of_cover"]).all()


@pytest.mark.parametrize(("rows_a_week", "closed"), [(1, True), (7, True), (2, False)])
def test_a_week_is_closed_where_its_row_or_all_of_its_days_are(rows_a_week, closed):
    weekly = Timeline(pd.Timestamp("2024-01-01"), "W-MON", 20)
    days = pd.date_range("2024-05-20", periods=rows_a_week)  # the period after the last one
    shut = pd.DataFrame({"location": "s0", "ds": days, "open": False})
    found = _Days(TermsTables(calendar=shut), weekly, 10).closed
    assert [at for d in found.values() for at in np.flatnonzero(d)] == ([1] if closed else [])


@pytest.mark.parametrize("freq", ["D", "W-MON", "2W-MON", "MS", "QS"])
def test_a_period_of_any_frequency_is_closed_where_all_of_its_days_are(freq):
    line = Timeline(floor_dates(pd.DatetimeIndex(["2024-01-01"]), freq)[0], freq, 10)
    days = pd.date_range(line.date(11), line.last_day(12))  # the second and third ahead
    shut = pd.DataFrame({"supplier": "s", "ds": days, "open": False})
    closed = _Days(TermsTables(calendar=shut), line, 5).closed["supplier", "s"]
    assert np.flatnonzero(closed).tolist() == [2, 3]


def test_a_table_of_both_takes_a_series_own_rows_before_those_of_its_supplier():
    breaks = pd.DataFrame({
        "unique_id": [IDS[0], None], "supplier": [None, "North"],
        "from_quantity": [60.0, 80.0], "unit_cost": [1.5, 1.0],
    })  # fmt: skip
    found = review(columns=NORTH, price_breaks=breaks).orders["order_quantity"]
    assert found.tolist()[:2] == [60, 80]
    late = pd.DataFrame({
        "unique_id": [IDS[0]] * 3 + [""] * 3, "supplier": [""] * 3 + ["North"] * 3,
        "lead_time": [5] * 3 + [2] * 3,
    })  # fmt: skip
    assert review(columns=NORTH, receipts=late).orders["lead_time"].tolist()[:2] == [5, 2]


ALL_NORTH = {"supplier": ["North"] * 3}
TONIGHT = {"from": "2024-04-29", "to": "2024-04-29"}


def told(*lines):
    return pd.DataFrame(
        [{"unique_id": i, "kind": k, "value": v, "who": "Ann"} | TONIGHT for i, k, v in lines]
    )


def test_an_order_that_a_planner_sets_never_says_that_stock_is_below_what_it_covers():
    said = told(("p0_s0", "order", 5.0), ("p1_s0", "order", 0.0))
    reasons = review(on_hand=(200.0, 0, 0), overrides=said).orders["reason"]
    assert reasons[0] == "position 200 covers the level 62; order set to 5 by Ann"
    assert reasons[1].startswith("position 0 is below the level 46; runs out")
    assert not reasons.str.contains("not worth it").any()


@pytest.mark.parametrize(
    "unknown", [{"on_hand": (np.nan, 0, 0)}, {"columns": {"lead_time": [90.0, np.nan, np.nan]}}]
)
def test_an_order_that_a_planner_sets_stands_where_nothing_else_can_be_said(unknown):
    found = review(overrides=told(("p0_s0", "order", 20.0)), **unknown)
    assert found.orders["order_quantity"][0] == 20
    assert found.orders["reason"][0].endswith("; order set to 20 by Ann")
    assert found.purchase_orders["unique_id"].tolist() == IDS


def test_an_order_that_is_cut_or_has_no_room_is_not_called_not_worth_it():
    cut = review(columns=ALL_NORTH, suppliers=suppliers(budget=0.0)).orders
    assert cut["order_quantity"].tolist() == [0, 0, 0]
    full = review(on_hand=(20.0, 0, 0), columns={"max_stock": [20.0, np.nan, np.nan]}).orders
    assert "leaves no room" in full["reason"][0]
    assert "limit_reached" in full["exception"][0]
    for reasons in (cut["reason"], full["reason"]):
        assert not reasons.str.contains("not worth it").any()
    assert not cut["exception"].str.contains("limit_reached").any()


def test_a_limit_is_blamed_only_where_it_is_what_keeps_an_order_small():
    limits = {"max_order": [500.0, np.nan, np.nan]}
    found = review(columns=ALL_NORTH | limits, suppliers=suppliers(budget=60.0)).orders
    assert found["exception"].str.contains("budget_cut").all()
    assert not found["exception"].str.contains("limit_reached").any()


def test_a_budget_leaves_no_line_below_its_own_minimum_and_uses_what_is_left():
    lines = ALL_NORTH | {"min_order": [40.0, 40.0, 0.0]}
    found = review(columns=lines, suppliers=suppliers(budget=110.0)).orders["order_quantity"]
    assert all(q == 0 or q >= 40 for q in found[:2])
    assert 100 <= 2 * found.sum() <= 110


def test_a_suppliers_minimum_fills_up_no_line_below_its_own_minimum():
    lines = ALL_NORTH | {"min_order": [0.0, 40.0, 0.0]}
    found = review(on_hand=(0.0, 55, 60), columns=lines, suppliers=suppliers(min_value=130.0))
    ordered = found.orders["order_quantity"]
    assert ordered[1] == 0 or ordered[1] >= 40
    assert 2 * ordered.sum() >= 130


def test_an_order_that_a_budget_leaves_below_the_suppliers_minimum_is_dropped():
    found = review(columns=ALL_NORTH, suppliers=suppliers(budget=100.0, min_value=200.0)).orders
    assert found["order_quantity"].tolist() == [0, 0, 0]
    assert found["exception"].str.contains("budget_cut").all()
    assert found["exception"].str.contains("below_supplier_minimum").all()


@pytest.mark.parametrize("budget", [np.nan, 12.0])
def test_an_order_that_does_not_pay_its_suppliers_cost_says_so_and_speaks_of_no_minimum(budget):
    shelf = (45.0, 45, 0) if np.isnan(budget) else (0.0, 0, 0)
    found = review(
        on_hand=shelf, columns=NORTH,
        suppliers=suppliers(lead_time=3.0, order_cost=40.0, budget=budget),
    ).orders.iloc[:2]  # fmt: skip
    assert found["order_quantity"].tolist() == [0, 0]
    assert found["reason"].str.contains("save less than an order costs there").any()
    assert not found["reason"].str.contains("minimum|not worth it").any()
    assert not found["exception"].str.contains("below_supplier_minimum").any()


def test_a_budget_takes_away_what_was_added_for_a_lower_price_and_pays_the_usual_one():
    breaks = pd.DataFrame({"unique_id": ["p0_s0"], "from_quantity": [100.0], "unit_cost": [1.5]})
    found = review(columns=ALL_NORTH, suppliers=suppliers(budget=200.0), price_breaks=breaks)
    assert found.orders["order_quantity"][0] < 100
    assert found.purchase_orders["unit_cost"].tolist() == [2.0, 2.0, 2.0]
    assert 190 <= found.purchase_orders["order_value"].sum() <= 200
    rich = review(columns=ALL_NORTH, suppliers=suppliers(budget=900.0), price_breaks=breaks)
    assert rich.purchase_orders["unit_cost"].tolist() == [1.5, 2.0, 2.0]
    assert "price_break" in rich.orders["exception"][0]
    assert "for a lower price" in rich.orders["reason"][0]


def test_a_lower_price_is_no_reason_to_order_beyond_a_products_end():
    breaks = pd.DataFrame({"unique_id": ["p0_s0"], "from_quantity": [100.0], "unit_cost": [1.5]})
    ends = {"phase_out": ["2024-05-08", "", ""]}
    with_breaks = review(columns=ends, price_breaks=breaks).orders["order_quantity"]
    assert with_breaks.tolist() == review(columns=ends).orders["order_quantity"].tolist()


def test_a_small_top_up_waits_with_the_lower_price_until_more_is_needed():
    breaks = pd.DataFrame({"unique_id": ["p0_s0"], "from_quantity": [60.0], "unit_cost": [1.8]})
    little = review(on_hand=(59.0, 0, 0), price_breaks=breaks).orders["order_quantity"]
    assert little[0] < 10
    assert review(price_breaks=breaks).orders["order_quantity"][0] == 60


def test_of_a_top_up_before_a_lower_price_only_what_saves_more_than_that_is_ordered_now():
    usual = review(on_hand=(54.0, 0, 0)).orders
    for price, start, least in ((1.9, 40.0, 1), (1.0, 400.0, 0)):
        lot = {"unique_id": ["p0_s0"], "from_quantity": [start], "unit_cost": [price]}
        found = review(on_hand=(54.0, 0, 0), price_breaks=pd.DataFrame(lot)).orders
        now, whole = found["order_quantity"][0], usual["order_quantity"][0]
        assert least <= now < whole
        told = f"{whole - now:.0f} units less are ordered now: the next review orders them for a"
        assert told in found["reason"][0]
        assert "not worth it" not in found["reason"][0]
        # What is promised is ordered whatever it costs.
        kept = review(on_hand=(54.0, 0, 0), columns={"service_level": [0.97, 0.97, 0.97]},
                      price_breaks=pd.DataFrame(lot)).orders  # fmt: skip
        plain = review(on_hand=(54.0, 0, 0), columns={"service_level": [0.97, 0.97, 0.97]}).orders
        assert kept["order_quantity"][0] == plain["order_quantity"][0] > 0


def chain(successor_of, phase_in=("", "", ""), on_hand=(30.0, 20, 0)):
    columns = {"product": ["p0", "p1", "p2"], "location": ["s0"] * 3}
    columns |= {"successor_of": list(successor_of), "phase_in": list(phase_in)}
    return review(on_hand=on_hand, columns=columns).orders


def test_a_successor_of_a_successor_takes_over_demand_and_stock_of_both_in_any_order_of_names():
    forwards = chain(["", "p0", "p1"])
    assert forwards["expected_demand"].tolist() == [50.0, 100.0, 150.0]
    assert forwards["order_quantity"].tolist()[:2] == [0, 0]
    backwards = chain(["p1", "p2", ""], on_hand=(0.0, 20, 30))
    assert backwards["expected_demand"].tolist() == [150.0, 100.0, 50.0]
    assert backwards["order_quantity"][0] == forwards["order_quantity"][2]
    assert "position 50 is below" in forwards["reason"][2]


def test_products_that_no_row_names_succeed_nobody():
    columns = {"product": ["unknown", "unknown", "p2"], "location": ["s0"] * 3}
    found = review(columns=columns | {"successor_of": ["unknown", "unknown", ""]}).orders
    assert (found["order_quantity"] > 40).all()
    assert found["expected_demand"].tolist() == [50.0, 50.0, 50.0]


def test_what_a_predecessor_holds_and_misses_is_told_once_in_its_successors_row():
    found = chain(["", "p0", ""], on_hand=(3.0, 0, 0))
    costs = ["expected_holding_cost", "expected_stockout_cost", "unavoidable_stockout_units",
             "unavoidable_stockout_cost", "money_at_risk"]  # fmt: skip
    assert (found.loc[0, costs] == 0).all()
    assert found.loc[0, "stockout_date"] == ""
    assert (found.loc[1, costs] > 0).all()


def test_nothing_on_the_shelf_covers_no_day_also_where_nothing_is_asked_for():
    found = review(on_hand=(0.0, 5, 0), rates=(0.0, 0, 5)).orders
    assert found["days_of_cover"].tolist() == [0.0, 999.0, 0.0]


def test_two_successors_share_what_one_product_sold_and_what_is_left_of_it():
    both = chain(["", "p0", "p0"])
    assert both["expected_demand"].tolist() == [50.0, 75.0, 75.0]
    assert [r.split(" is")[0] for r in both["reason"][1:]] == ["position 35", "position 15"]


@pytest.mark.parametrize("life", [12.0, 16.0, 20.0, 24.0])
def test_an_order_of_what_keeps_for_long_does_not_hang_on_what_else_is_planned(life):
    lives = {"shelf_life": [life, np.nan, np.nan]}
    alone = review(rates=(0.3, 5, 5), columns=lives).orders
    beside = review(rates=(0.3, 5, 5), columns=lives | {"lead_time": [3.0, 21.0, 3.0]}).orders
    endless = review(rates=(0.3, 5, 5)).orders
    assert alone.loc[0, "order_quantity"] == beside.loc[0, "order_quantity"]
    assert alone.loc[0, "expected_stockout_cost"] == beside.loc[0, "expected_stockout_cost"]
    if life >= 20:  # six are sold in the meantime, of three or four
        assert alone.loc[0, "order_quantity"] >= endless.loc[0, "order_quantity"] - 1


def test_what_expires_before_the_order_arrives_counts_however_long_the_order_itself_keeps():
    terms = {"lead_time": [20.0, 20.0, 3.0], "shelf_life": [12.0, np.nan, np.nan]}
    found = review(on_hand=(90.0, 90, 0), columns=terms).orders
    # Sixty of the ninety are sold in twelve days; eight days are without.
    assert found.loc[0, "unavoidable_stockout_units"] == pytest.approx(40, abs=3)
    assert "will_expire" in found.loc[0, "exception"]
    assert found.loc[1, "unavoidable_stockout_units"] < 15


def test_a_promise_for_what_expires_is_told_without_costs_of_neighbours():
    terms = {"service_level": [0.9] * 3, "shelf_life": [2.0] * 3}
    found = review(columns=terms).orders
    assert found["order_quantity"].between(12, 16).all()  # two days of five, nine times of ten
    assert found[["cost_of_one_less", "cost_of_one_more"]].isna().all(axis=None)


def test_units_for_customers_who_wait_take_no_room_on_a_full_shelf():
    terms = terms_of({"unique_id": ["a", "b"], "max_stock": [20.0, 20.0]}, None, CONFIG)
    assert terms.room(np.array([-8.0, 5.0])).tolist() == [28, 15]


def test_a_product_is_ordered_until_its_successor_takes_over_before_the_next_order_arrives():
    late = chain(["", "p0", ""], ["", "2024-06-20", ""], on_hand=(3.0, 0, 0))
    assert late["order_quantity"][0] > 40
    assert late["order_quantity"][1] == 0
    assert "phase_out" not in late["exception"][0]
    soon = chain(["", "p0", ""], ["", "2024-05-03", ""], on_hand=(3.0, 0, 0))
    assert soon["order_quantity"][0] == 0
    assert "phase_out" in soon["exception"][0]


def test_a_lot_for_a_lower_price_is_worth_what_it_saves_in_all_it_lasts_for():
    lots = pd.DataFrame({"unique_id": ["p0_s0"], "from_quantity": [200.0], "unit_cost": [1.5]})
    usual, found = review().orders, review(price_breaks=lots).orders
    needed, lot = usual["order_quantity"][0], found["order_quantity"][0]
    assert (needed < 60, lot) == (True, 200)
    # A unit is cheaper by 0.5; half of what was added lies there for 40 days at 0.02.
    gain = 0.5 * 200 - 0.02 * (200 - needed) * 40 / 2
    assert gain > 30
    assert found["money_at_risk"][0] == pytest.approx(usual["money_at_risk"][0] + gain, abs=0.1)
    assert found["money_at_risk"][1:].tolist() == usual["money_at_risk"][1:].tolist()


def test_a_large_lot_for_a_lower_price_never_costs_money_by_itself():
    lots = pd.DataFrame({"unique_id": ["p0_s0"], "from_quantity": [2000.0], "unit_cost": [0.2]})
    found = review(rates=(0.5, 5, 5), on_hand=(9.0, 0, 0), price_breaks=lots)
    for orders in (found.orders, review(price_breaks=lots).orders):
        assert (orders["money_at_risk"] >= 0).all()


def test_an_order_whose_line_costs_saves_what_is_left_of_that():
    plain = review(columns={"order_cost": [0.0, 0, 0]}).orders
    dear = review(columns={"order_cost": [0.0, 40, 400]}).orders
    assert dear["order_quantity"][1] > plain["order_quantity"][1]
    assert 0 < dear["money_at_risk"][2] < dear["money_at_risk"][1] < plain["money_at_risk"][1]


def test_a_shelf_that_is_filled_each_morning_is_not_dry_when_it_is_empty_in_the_evening():
    daily = {"unique_id": ["p1_s0"] * 27, "due_in": range(1, 28), "quantity": [5.0] * 27}
    given = {"on_hand": (0.0, 2, 0), "columns": {"max_order": [99.0, 0, 99]}}
    filled = review(open_orders=daily, **given).orders
    assert filled["order_quantity"][1] == 0
    assert filled["stockout_date"][1] == ""
    alone = review(**given).orders
    assert alone["stockout_date"][1] == "2024-04-29"
