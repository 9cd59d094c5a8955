from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.cleaning import clean, estimate_demand, whole_of
from invopt.config import CleaningConfig, FeaturesConfig
from invopt.features import derived_channels
from invopt.feeds import DOUBLED, REPEATED, SILENT, broken_feeds, feed_record, standing_still
from invopt.panel import Flag
from tests.builders import make_panel

RULES = CleaningConfig()
BREAK, NUM = 150, 210


def retailer(seed=0, num_periods=NUM):
    """Two stores of sixty products, sales well above nothing."""
    panel = make_panel(120, num_periods, seed)
    stores = np.array(["s0", "s1"])[np.arange(120) % 2]
    series = panel.series.assign(location=stores)
    return replace(panel, series=series, y=(panel.y + 2).astype(np.int16))


def broken(rule, days=14, seed=0, num_periods=NUM):
    """Return the retailer with the feed of s1 broken for some days from BREAK on."""
    panel = retailer(seed, num_periods)
    y, at = np.array(panel.y), slice(BREAK, BREAK + days)
    if rule == SILENT:
        y[1::2, at] = 0
    elif rule == DOUBLED:
        y[1::2, at] *= 2
    else:
        y[1::2, at] = y[1::2, BREAK - 1][:, None]
    return replace(panel, y=y)


@pytest.mark.parametrize(("rule", "late"), [(SILENT, 1), (DOUBLED, 0), (REPEATED, 0)])
def test_what_a_broken_feed_sent_is_not_read_as_demand(rule, late):
    panel = broken(rule)
    cleaned, counts = clean(panel, RULES)
    faulty = (cleaned.flags & Flag.FAULTY) != 0
    # One silent day is no silence yet: the second tells.
    assert faulty[1::2, BREAK + late : BREAK + 14].all()
    assert faulty.sum() == 60 * (14 - late)
    assert counts[rule] == faulty.sum()
    assert not cleaned.is_observed[faulty].any()
    assert np.array_equal(cleaned.y, panel.y)


@pytest.mark.parametrize("rule", [SILENT, DOUBLED, REPEATED])
def test_demand_under_a_broken_feed_is_estimated_from_the_days_around_it(rule):
    truth, cleaned = retailer(), clean(broken(rule), RULES)[0]
    at = np.s_[1::2, BREAK + 1 : BREAK + 14]
    assert estimate_demand(cleaned)[at].sum() == pytest.approx(truth.y[at].sum(), rel=0.05)


def test_a_store_that_stays_closed_is_believed_after_eight_weeks():
    cleaned, _ = clean(broken(SILENT, days=100, num_periods=250), RULES)
    assert not (cleaned.flags[:, BREAK + 57 :] & Flag.FAULTY).any()


def test_packs_of_two_are_believed_after_eight_weeks():
    cleaned, _ = clean(broken(DOUBLED, days=100, num_periods=250), RULES)
    assert (cleaned.flags[1, BREAK : BREAK + 56] & Flag.FAULTY).all()
    assert not (cleaned.flags[:, BREAK + 56 :] & Flag.FAULTY).any()


def test_a_store_that_hardly_sold_of_late_is_not_silent():
    panel = retailer()
    y = np.array(panel.y)
    y[1::2, BREAK - 28 :] = 0
    y[1, BREAK - 28 :: 2] = 3
    y[1, BREAK:] = 0
    panel = replace(panel, y=y)
    assert not (clean(panel, RULES)[0].flags[:, BREAK:] & Flag.FAULTY).any()


def test_a_silence_like_one_of_the_year_before_is_believed():
    panel = broken(SILENT, days=5)
    y = np.array(panel.y)
    y[1::2, 60:65] = 0
    faulty = clean(replace(panel, y=y), RULES)[0].flags & Flag.FAULTY
    assert not faulty[:, BREAK:].any()


@given(rule=st.sampled_from([SILENT, DOUBLED, REPEATED]), cut=st.integers(BREAK - 5, NUM - 1))
@settings(max_examples=25, deadline=None)
def test_a_day_is_judged_by_what_came_before_it(rule, cut):
    panel = broken(rule)
    whole, part = clean(panel, RULES)[0], clean(panel.truncate(cut), RULES)[0]
    assert np.array_equal(whole.flags[:, :cut], part.flags)
    assert np.array_equal(clean(whole, RULES)[0].flags, whole.flags)


def test_partitions_are_judged_together():
    panel = broken(DOUBLED)
    parts = [panel.select(np.arange(first, first + 20)) for first in range(0, 120, 20)]
    whole = whole_of(parts)
    flags = np.concatenate([clean(part, RULES, whole)[0].flags for part in parts])
    assert np.array_equal(flags, clean(panel, RULES)[0].flags)


def test_clean_stores_of_slow_goods_are_never_broken():
    for seed in range(5):
        panel = make_panel(400, 400, seed)
        slow = np.random.default_rng(seed).poisson(0.15, panel.y.shape).astype(np.int16)
        found = broken_feeds(feed_record([replace(panel, y=slow)]))
        assert not any(fault.any() for fault in found.values())


def test_a_record_from_a_period_on_is_that_of_the_whole():
    whole, part = feed_record([retailer()]), feed_record([retailer()], 30)
    assert np.array_equal(whole.sums[..., 30:], part.sums)


def test_a_group_total_takes_a_broken_feed_from_the_season_before():
    cleaned, _ = clean(broken(DOUBLED), RULES)
    [total] = derived_channels([cleaned], FeaturesConfig(aggregates=(("location",),)))[:1]
    week = total.values[1]
    assert week[BREAK : BREAK + 7] == pytest.approx(week[BREAK - 7 : BREAK])
    assert week[BREAK + 7 : BREAK + 14] == pytest.approx(week[BREAK - 7 : BREAK])


def test_a_sensor_that_stands_still_is_dropped_after_a_week_and_only_then():
    panel = retailer()
    warm = panel.channels["temperature"]
    values = warm.values.copy()
    values[0, BREAK : BREAK + 20] = values[0, BREAK]
    stuck = panel.with_channels([replace(warm, values=values)])
    once, counts = clean(stuck, RULES)
    found = np.isnan(once.channels["temperature"].values)
    assert counts["stuck_sensor"] == found.sum() == 13
    assert found[0, BREAK + 7 : BREAK + 20].all()
    twice, _ = clean(once, RULES)
    kept = once.channels["temperature"].values
    assert np.array_equal(twice.channels["temperature"].values, kept, equal_nan=True)
    assert standing_still(kept.astype(float), 7)[0, BREAK + 6 : BREAK + 20].all()


def test_a_measurement_that_changes_by_the_week_or_the_month_is_no_stuck_sensor():
    weekly = np.repeat(np.arange(40.0), 7)[None]
    assert not standing_still(weekly, 7).any()
    assert not standing_still(np.repeat(np.arange(10.0), 28)[None], 7).any()
