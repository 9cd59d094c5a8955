import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.cleaning import Whole, clean, estimate_demand
from invopt.config import CleaningConfig
from invopt.panel import SERIES_LEVEL, Channel, Flag
from tests.builders import make_panel

RULES = CleaningConfig()


def with_stock(panel, on_hand):
    ids = tuple(panel.series["unique_id"])
    return panel.with_channels([Channel("on_hand", "stock", SERIES_LEVEL, ids, False, on_hand)])


def test_periods_before_the_first_sale_are_before_launch():
    panel = make_panel(num_periods=30)
    panel.y[0, :10] = 0
    panel.y[0, 10] = 2
    cleaned, counts = clean(panel, RULES)
    assert (cleaned.flags[0, :10] & Flag.BEFORE_LAUNCH).all()
    assert not cleaned.flags[0, 10] & Flag.BEFORE_LAUNCH
    assert counts["before_launch"] >= 10


def test_launch_by_first_record_keeps_early_zeros_as_demand():
    panel = make_panel(num_periods=30)
    panel.y[0, :10] = 0
    panel.flags[0, :4] = Flag.FILLED
    cleaned, _ = clean(panel, CleaningConfig(launch="first_record"))
    assert (cleaned.flags[0, :4] & Flag.BEFORE_LAUNCH).all()
    assert cleaned.is_observed[0, 4:10].all()


def test_negative_net_sales_read_as_zero_and_are_counted():
    panel = make_panel()
    panel.y[1, 50] = -3
    cleaned, counts = clean(panel, RULES)
    assert cleaned.y[1, 50] == 0
    assert counts["returns"] == 1


def test_a_day_that_ends_without_stock_is_censored():
    panel = make_panel()
    on_hand = np.full(panel.y.shape, 5, np.float32)
    on_hand[2, 60:63] = 0
    cleaned, counts = clean(with_stock(panel, on_hand), RULES)
    assert (cleaned.flags[2, 60:63] & Flag.CENSORED).all()
    assert counts["censored"] == 3


@pytest.mark.parametrize(("name", "value"), [("in_stock", 0.4), ("hours_out_of_stock", 3.0)])
def test_a_partial_stock_out_is_censored_too(name, value):
    panel = make_panel()
    ids = tuple(panel.series["unique_id"])
    full = 1.0 if name == "in_stock" else 0.0
    values = np.full(panel.y.shape, full, np.float32)
    values[0, 40] = value
    cleaned, _ = clean(
        panel.with_channels([Channel(name, "stock", SERIES_LEVEL, ids, False, values)]), RULES
    )
    assert (cleaned.flags & Flag.CENSORED).sum() == Flag.CENSORED
    assert cleaned.flags[0, 40] & Flag.CENSORED


def test_impossible_stock_is_dropped_and_counted():
    panel = make_panel()
    on_hand = np.full(panel.y.shape, 5, np.float32)
    on_hand[0, 7] = -2
    cleaned, counts = clean(with_stock(panel, on_hand), RULES)
    assert np.isnan(cleaned.channels["on_hand"].values[0, 7])
    assert counts["impossible_stock"] == 1


def test_impossible_prices_give_way_to_the_last_good_one():
    panel = make_panel(num_periods=30, future=0)
    price = panel.channels["price"].values
    price[0, :] = 4.0
    price[0, 10], price[0, 11], price[0, 12] = 0.0, 400.0, np.nan
    cleaned, counts = clean(panel, RULES)
    assert (cleaned.channels["price"].values[0] == 4.0).all()
    assert counts["impossible_prices"] == 2
    assert counts["price_gaps"] == 1


def with_days_off(panel, days):
    panel.flags[:, days] = Flag.FILLED
    panel.y[:, days] = 0
    return panel


def test_a_day_that_nobody_recorded_is_missing_and_not_zero():
    panel = with_days_off(make_panel(num_periods=60), [40, 41])
    cleaned, counts = clean(panel, RULES)
    assert (cleaned.flags[:, [40, 41]] & (Flag.MISSING | Flag.FILLED) == Flag.MISSING).all()
    assert counts["calendar_gaps"] == 2 * panel.num_series


def test_days_that_are_always_closed_are_no_gap():
    panel = with_days_off(make_panel(num_periods=60), np.arange(6, 60, 7))
    cleaned, counts = clean(panel, RULES)
    assert counts["calendar_gaps"] == 0
    assert (cleaned.flags[:, 27] & Flag.FILLED).all()


def test_a_partition_is_cleaned_by_what_all_partitions_recorded():
    panel = with_days_off(make_panel(num_periods=60), [40])
    assert clean(panel, RULES, Whole(np.ones(60, bool)))[1]["calendar_gaps"] == 0


def test_a_wild_day_is_marked_and_kept():
    panel = make_panel(seed=3)
    panel.y[0, 80] = 5000
    cleaned, _ = clean(panel, RULES)
    assert cleaned.y[0, 80] == 5000
    assert cleaned.flags[0, 80] & Flag.OUTLIER
    assert cleaned.is_observed[0, 80]


@given(seed=st.integers(0, 200), hole=st.integers(0, 90), late=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_cleaning_twice_changes_nothing(seed, hole, late):
    panel = make_panel(num_periods=100, seed=seed, late=late)
    panel.flags[0, hole : hole + 5] = Flag.MISSING
    panel.y[1, hole] = -1
    panel.channels["price"].values[2, hole] *= 50
    panel = with_days_off(panel, [hole // 2, hole // 2 + 1])
    stock = np.random.default_rng(seed).integers(-1, 5, panel.y.shape).astype(np.float32)
    once, _ = clean(with_stock(panel, stock), RULES)
    twice, _ = clean(once, RULES)
    assert np.array_equal(once.flags, twice.flags)
    assert np.array_equal(once.y, twice.y)
    for name, channel in once.channels.items():
        assert np.array_equal(channel.values, twice.channels[name].values, equal_nan=True)


@given(seed=st.integers(0, 200), cut=st.integers(20, 99))
@settings(max_examples=40, deadline=None)
def test_cleaning_the_past_does_not_look_at_the_future(seed, cut):
    panel = make_panel(num_periods=100, seed=seed, late=15)
    panel.y[0, cut - 5] = 3000
    whole, _ = clean(panel, RULES)
    part, _ = clean(panel.truncate(cut), RULES)
    assert np.array_equal(whole.flags[:, :cut], part.flags)
    assert np.array_equal(
        whole.channels["price"].values[:, :cut], part.channels["price"].values[:, :cut]
    )


def test_estimated_demand_is_sales_where_observed_and_at_least_sales_elsewhere():
    panel = make_panel(num_periods=112)
    panel.flags[0, 40:50] = Flag.CENSORED
    panel.y[0, 40:50] = 0
    estimate = estimate_demand(panel)
    observed = panel.is_observed
    assert np.array_equal(estimate[observed], panel.y[observed].astype(np.float32))
    assert (estimate[0, 40:50] > 0).all()
    expected = panel.y[0][observed[0]].mean()
    assert estimate[0, 40:50].mean() == pytest.approx(expected, rel=0.35)
