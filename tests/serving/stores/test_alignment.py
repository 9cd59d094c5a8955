"""Group rows moved to the end of a window."""

import numpy as np
import pytest

from invopt.features.tables import TableLayout
from serving.stores.alignment import aligned

DAY = 86400.0
HEAD = {"domain": "derived", "level": "category", "fill": "none"}
LAYOUT = TableLayout(
    "D", {"category": "text"}, (),
    ({"name": "sold", "known": False} | HEAD, {"name": "fair", "known": True} | HEAD), (), 4, 3,
)  # fmt: skip
SOLD, FAIR = LAYOUT.field_of("sold"), LAYOUT.field_of("fair")


def rows(at, num_periods=4):
    past = np.arange(10, 20, dtype=np.float32)  # periods 0 to 9, the last known at day 10
    ahead = np.arange(10, 23, dtype=np.float32)  # and three more
    known = {"category=dry": (10 * DAY, {"periods": 10, SOLD: past, FAIR: ahead})}
    found = aligned(known, at * DAY, num_periods, LAYOUT)
    return found[SOLD][0].tolist(), found[FAIR][0].tolist()


def test_a_window_that_ends_with_the_groups_takes_their_last_periods():
    assert rows(10) == ([16, 17, 18, 19], [16, 17, 18, 19, 20, 21, 22])


def test_an_older_window_sees_nothing_that_came_later_but_plans():
    sold, fair = rows(7)
    assert sold == [13, 14, 15, 16]
    assert fair[:4] == sold


def test_a_newer_window_repeats_the_groups_last_season():
    sold, fair = rows(12)
    # a season of days is a week: periods 3 and 4 come again
    assert sold == [18, 19, 13, 14]
    assert fair == [18, 19, 20, 21, 22]


def test_periods_before_the_groups_are_missing():
    sold, _ = rows(7, num_periods=9)
    np.testing.assert_array_equal(sold, [np.nan, np.nan, *range(10, 17)])


@pytest.mark.parametrize(("freq", "later"), [("W-MON", 14 * DAY), ("MS", 59 * DAY)])
def test_two_weeks_and_two_months_are_two_periods(freq, later):
    layout = TableLayout(freq, {}, (), LAYOUT.group_channels, (), 4, 0)
    values = np.arange(60, dtype=np.float32)
    known = {"category=dry": (0.0, {"periods": 60, SOLD: values, FAIR: values})}
    found = aligned(known, later, 4, layout)
    assert found[SOLD][0][:2].tolist() == [58, 59]
    assert len(found[SOLD][0]) == 4
