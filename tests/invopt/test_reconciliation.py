import numpy as np
import pytest

from invopt.errors import ConfigError
from invopt.reconciliation import Aggregation, aggregate_panel, reconcile, with_growth
from tests.builders import make_panel

LEVELS = ((), ("location",), ("location", "category"))


def sums(panel, columns):
    """Sums by pandas, in order of the names."""
    keys = (
        panel.series[list(columns)].agg("|".join, axis=1)
        if columns
        else panel.series["unique_id"].map(lambda _: "")
    )
    rows = panel.series.assign(key=keys, y=list(panel.y.astype(float)))
    return [np.sum(list(rows["y"][rows["key"] == k]), axis=0) for k in sorted(set(keys))]


def test_aggregates_are_the_sums_of_their_parts():
    panel = make_panel(num_series=12)
    aggregation = Aggregation.of(panel.series, LEVELS)
    expected = [s for columns in LEVELS for s in sums(panel, columns)]
    np.testing.assert_allclose(aggregation.add_up(panel.y), expected)
    assert aggregation.names[:3] == ("all=", "location=s0", "location=s1")


def test_an_aggregate_keeps_what_its_parts_share_and_averages_their_channels():
    panel = make_panel(num_series=12)
    aggregation = Aggregation.of(panel.series, LEVELS)
    found = aggregate_panel(panel, aggregation)
    assert list(found.unique_ids) == sorted(aggregation.names)
    total = found.series.set_index("unique_id").loc["all="]
    assert (total["location"], total["category"]) == ("any", "any")
    assert found.series.set_index("unique_id").loc["location=s1", "location"] == "s1"
    assert found.channels["event=holiday"].level == "all"
    assert "price" not in found.channels
    # A store has one region, so its channel is the region's own.
    row = list(found.unique_ids).index("location=s0")
    region = panel.series.loc[panel.series["location"] == "s0", "region"].iloc[0]
    source = panel.channels["temperature"]
    np.testing.assert_allclose(
        found.channels["temperature"].values[row], source.values[source.groups.index(region)],
        rtol=1e-6,
    )  # fmt: skip


def test_reconciled_sums_agree_with_both_forecasts_when_those_agree():
    panel = make_panel(num_series=12)
    aggregation = Aggregation.of(panel.series, LEVELS)
    mean = panel.y[:, :14] + 1.0
    history = aggregation.add_up(panel.y)
    same = reconcile(mean, aggregation.add_up(mean), history, aggregation)
    np.testing.assert_allclose(same, mean)


def test_the_total_over_the_horizon_stays_the_series_own():
    panel = make_panel(num_series=12)
    aggregation = Aggregation.of(panel.series, LEVELS)
    mean = panel.y[:, :14] + 1.0
    history = aggregation.add_up(panel.y)
    higher = 1.2 * aggregation.add_up(mean)
    np.testing.assert_allclose(reconcile(mean, higher, history, aggregation), mean)


def test_days_share_the_total_as_the_sums_say_as_far_as_asked():
    panel = make_panel(num_series=12)
    aggregation = Aggregation.of(panel.series, LEVELS)
    mean = np.ones((12, 2))
    history = aggregation.add_up(panel.y)
    later = aggregation.add_up(mean) * [0.8, 1.2]
    half = reconcile(mean, later, history, aggregation)
    np.testing.assert_allclose(half, mean * [0.9, 1.1])
    all_of_it = reconcile(mean, later, history, aggregation, share=1.0)
    np.testing.assert_allclose(all_of_it, mean * [0.8, 1.2])


def test_a_sum_gone_wild_moves_its_series_no_further_than_half():
    panel = make_panel(num_series=12)
    aggregation = Aggregation.of(panel.series, (("unique_id",),))
    mean = np.ones((12, 1))
    sums = np.ones((12, 1))
    sums[0] = 100.0
    moved = reconcile(mean, sums, aggregation.add_up(panel.y), aggregation)
    row = list(panel.unique_ids).index(aggregation.names[0].split("=", 1)[1])
    others = np.delete(moved[:, 0], row)
    np.testing.assert_allclose(moved[row, 0] / others, 1.5)
    assert moved.sum() == pytest.approx(12)


def test_levels_that_do_not_nest_are_refused():
    with pytest.raises(ConfigError, match="finer than the last one"):
        Aggregation.of(make_panel(num_series=12).series, [["product"], ["location"]])


def two_regions():
    """Two regions of two series over 420 days; the first sells a tenth more than a year ago."""
    history = np.full((4, 420), 10.0)
    history[:2, 420 - 28 :] = 11.0
    return history, np.array([0, 0, 1, 1])


def test_a_region_that_grows_is_forecast_halfway_as_it_grew_lately():
    history, region = two_regions()
    found = with_growth(np.full((4, 28), 10.0), history, region)
    np.testing.assert_allclose(found[:2], 10 * 1.1**0.5)
    np.testing.assert_allclose(found[2:], 10.0)
    whole = with_growth(np.full((4, 28), 10.0), history, region, share=1.0)
    np.testing.assert_allclose(whole[:2], 11.0)
    untouched = with_growth(np.full((4, 28), 10.0), history, region, share=0.0)
    np.testing.assert_allclose(untouched, 10.0)


def test_a_forecast_that_has_the_growth_already_stays():
    history, region = two_regions()
    mean = np.repeat([[11.0], [11.0], [10.0], [10.0]], 28, axis=1)
    np.testing.assert_allclose(with_growth(mean, history, region), mean)


def test_one_week_of_an_event_says_nothing_about_growth():
    history, region = two_regions()
    history[2:, -7:] = 90.0
    found = with_growth(np.full((4, 28), 10.0), history, region)
    np.testing.assert_allclose(found[2:], 10.0)


def test_what_cannot_be_compared_with_a_year_ago_stays():
    history, region = two_regions()
    short = history[:, -(364 + 27) :]
    np.testing.assert_array_equal(with_growth(np.full((4, 28), 9.0), short, region), 9.0)
    history[2:, :60] = 0  # not there a year ago
    found = with_growth(np.full((4, 28), 10.0), history, region)
    np.testing.assert_allclose(found[2:], 10.0)
    np.testing.assert_allclose(found[:2], 10 * 1.1**0.5)


def test_growth_moves_no_forecast_by_more_than_half():
    history, region = two_regions()
    history[:2, -28:] = 1000.0
    found = with_growth(np.full((4, 28), 10.0), history, region)
    np.testing.assert_allclose(found[:2], 15.0)
