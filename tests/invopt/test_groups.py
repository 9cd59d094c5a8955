import numpy as np

from invopt.gate import compare_costs
from invopt.groups import groups_of, large_groups
from invopt.panel import Flag
from tests.builders import make_config, make_panel


def shops(num=24, closed=0):
    """Return a panel of days on which the first `closed` series sell nothing on Sundays."""
    panel = make_panel(num_series=num, num_periods=140)
    panel.y[:] = 5
    sunday = panel.timeline.dates().weekday == 6
    panel.y[:closed, sunday] = 0
    return panel


def test_series_that_sell_on_other_days_are_a_group():
    found = groups_of(shops(closed=12), 140)
    assert found["sells=Mon-Sat"].tolist() == [True] * 12 + [False] * 12
    assert (found["sells=Mon-Sun"] == ~found["sells=Mon-Sat"]).all()


def test_where_all_sell_alike_there_is_no_group_of_days():
    assert not [name for name in groups_of(shops(), 140) if name.startswith("sells=")]


def test_slow_sellers_say_nothing_of_closed_days():
    panel = shops()
    panel.y[:12] = 0
    panel.y[:12, ::30] = 1
    assert not [name for name in groups_of(panel, 140) if name.startswith("sells=")]


def test_late_launches_are_a_group_and_small_groups_none():
    panel = shops()
    panel.flags[:11, :100] = Flag.BEFORE_LAUNCH
    assert groups_of(panel, 140)["new"].sum() == 11
    panel.flags[:6, :100] = 0
    assert "new" not in groups_of(panel, 140)


def test_categories_keep_their_names():
    assert {"dry", "fresh"} <= set(groups_of(shops(), 140))


def test_intervals_of_many_segments_are_wider_than_of_one():
    rng = np.random.default_rng(0)
    ours, theirs = rng.gamma(2, 5, (2, 100))
    config = make_config().gate
    mask = np.arange(100) < 50
    one = compare_costs(ours, theirs, config, segments={"a": mask}).segments["a"]
    many = {str(k): mask for k in range(20)}
    all_ = compare_costs(ours, theirs, config, segments=many).segments["0"]
    assert all_.low < one.low < one.high < all_.high


def test_a_category_of_a_few_series_is_a_group_and_no_large_one():
    panel = shops()
    panel.series["category"] = np.where(np.arange(24) < 2, "rare", "usual").astype(object)
    found = groups_of(panel, 140)
    assert found["rare"].sum() == 2
    assert set(large_groups(found)) == set(found) - {"rare"}
