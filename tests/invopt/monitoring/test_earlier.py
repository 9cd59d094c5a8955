from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.config import MonitoringConfig
from invopt.feeds import locations_of
from invopt.monitoring.earlier import (
    Seen,
    closed_weekdays,
    due_period,
    overdue_signals,
    rewritten_past,
)
from invopt.panel import Flag, Panel
from invopt.timeline import Timeline
from tests.builders import make_panel


def due(today, *, last="2024-01-07", seen="2024-01-08", freq="D", length=7):
    return due_period(Seen(*map(pd.Timestamp, (last, seen, today))), freq, length)


@pytest.mark.parametrize(
    ("today", "period"),
    [
        ("2024-01-08", ("2024-01-01", "2024-01-07")),  # judged this morning, broken at noon
        ("2024-01-14", ("2024-01-01", "2024-01-07")),  # the next one is not over yet
        ("2024-01-15", ("2024-01-08", "2024-01-14")),
        ("2024-01-24", ("2024-01-15", "2024-01-21")),
        ("2023-06-01", ("2024-01-01", "2024-01-07")),  # the clock was set back
    ],
)
def test_the_period_due_follows_the_last_one_seen_by_the_time_that_passed(today, period):
    assert due(today) == period


def test_data_that_ended_years_ago_are_not_due_today():
    assert due("2026-11-25", seen="2026-11-25") == ("2024-01-01", "2024-01-07")
    assert due("2026-12-03", seen="2026-11-25") == ("2024-01-08", "2024-01-14")


def test_weeks_and_months_are_named_by_their_first_days():
    assert due("2024-01-22", last="2024-01-01", freq="W-MON", length=1) == ("2024-01-15",) * 2
    months = due("2024-05-05", last="2024-01-01", seen="2024-02-05", freq="MS", length=3)
    assert months == ("2024-02-01", "2024-04-01")


def test_a_month_has_passed_on_its_day_and_not_on_the_first_of_the_next():
    def december(today, seen="2024-01-31"):
        return due(today, last="2023-12-01", seen=seen, freq="MS", length=1)[1]

    assert december("2024-02-01") == december("2024-02-29") == "2023-12-01"
    assert december("2024-03-01") == "2024-01-01"
    assert december("2024-02-09", seen="2024-01-10") == "2023-12-01"
    assert december("2024-02-10", seen="2024-01-10") == "2024-01-01"


def overdue(end, *, last="2024-01-07", since="2024-01-08", today="2024-01-08") -> str:
    """Return the finding about data that end on a day, "" where there is none."""
    line = Timeline.covering(pd.Timestamp("2023-01-01"), pd.Timestamp(end), "D")
    found = overdue_signals(line, Seen(*map(pd.Timestamp, (last, since, today))), 7)
    assert all(s.fires and s.spoils and not s.pages for s in found)
    return " ".join(s.text for s in found)


def test_data_that_end_before_those_read_earlier_are_told_whatever_the_clock_says():
    for today in ("2023-01-01", "2024-01-08", "2024-03-01"):
        told = overdue("2024-01-04", today=today)
        assert told.startswith(
            "data now end on 2024-01-04, earlier than at the last run (2024-01-07)"
        )


def test_a_week_that_did_not_come_is_told_and_a_day_that_is_late_is_not():
    assert overdue("2024-01-07", today="2024-01-14") == ""
    told = overdue("2024-01-07", today="2024-01-15")
    assert told == (
        "no new data: the latest date is still 2024-01-07; 2024-01-08 to 2024-01-14 are overdue"
    )
    assert overdue("2024-01-13", today="2024-01-15") == ""
    assert overdue("2024-01-14", today="2024-01-15") == ""


def test_weeks_that_did_not_come_are_named_to_their_last_day():
    weeks = Timeline(pd.Timestamp("2024-01-01"), "W-MON", 4)

    def told(last, today) -> str:
        seen = Seen(pd.Timestamp(last), pd.Timestamp("2024-01-29"), pd.Timestamp(today))
        [found] = overdue_signals(weeks, seen, 1)
        return found.text

    assert told("2024-01-22", "2024-02-06") == (
        "no new data: the latest date is still 2024-01-28; 2024-01-29 to 2024-02-04 are overdue"
    )
    assert told("2024-01-29", "2024-01-29").startswith(
        "data now end on 2024-01-28, earlier than at the last run (2024-02-04)"
    )


def test_without_an_earlier_run_nothing_is_overdue():
    assert overdue_signals(Timeline(pd.Timestamp("2024-01-01"), "D", 9), None, 7) == []


def test_days_on_which_every_shop_is_shut_are_not_waited_for():
    panel = make_panel(12, 60)  # from a Monday on
    flags = np.array(panel.flags)
    sundays = np.flatnonzero(panel.timeline.dates().weekday == 6)
    flags[:, sundays] = Flag.MISSING
    flags[0, sundays[-6]] = 0  # one that was open, long ago
    shut = replace(panel, flags=flags)
    assert closed_weekdays(shut) == {6}
    assert closed_weekdays(panel) == frozenset()
    nothing = replace(panel, flags=np.full_like(flags, Flag.MISSING))
    assert closed_weekdays(nothing) == frozenset()  # an outage is no week of Sundays
    saturday = Timeline.covering(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-24"), "D")

    def told(today, length, closed) -> bool:
        seen = Seen(saturday.last, pd.Timestamp("2024-02-25"), pd.Timestamp(today))
        return bool(overdue_signals(saturday, seen, length, closed))

    assert told("2024-02-26", 1, ())
    assert not told("2024-02-26", 1, {6})
    assert told("2024-02-27", 1, {6})  # Monday's should be there
    assert told("2024-03-03", 7, {6})


def records(panel: Panel, num: int) -> pd.DataFrame:
    """Return what was sold in each of a panel's first weeks, by location."""
    names = locations_of(panel).astype(str)
    rows = [
        {"start": panel.timeline.date(7 * week), "end": panel.timeline.date(7 * week + 6),
         "location": name, "actual": float(panel.y[names == name, 7 * week : 7 * week + 7].sum())}
        for week in range(num) for name in np.unique(names)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("times", "pages"), [(1.0, False), (2.0, True), (0.5, True)])
def test_a_past_that_is_other_than_it_was_judged_pages(times, pages):
    panel = make_panel(12, 140)
    panel = replace(panel, y=(2 * panel.y).astype(np.int16))
    known = records(panel, 12)
    now = replace(panel, y=(times * panel.y).astype(np.int16))
    found = rewritten_past(now, known, MonitoringConfig())
    assert [(s.name, s.pages) for s in found] == [("past_rewritten", True)] * pages
    if pages:
        assert found[0].value == pytest.approx(times)


def test_late_actuals_and_other_locations_are_no_rewritten_past():
    panel = make_panel(12, 140)
    known, config = records(panel, 20), MonitoringConfig()
    late = np.array(panel.y)
    late[:, -28:] *= 3  # the latest weeks may still come
    assert rewritten_past(replace(panel, y=late), known, config) == []
    elsewhere = known.assign(location="another")
    assert rewritten_past(replace(panel, y=3 * panel.y), elsewhere, config) == []
    assert rewritten_past(panel, None, config) == []


def test_records_of_another_length_of_period_are_compared_with_nothing():
    panel = make_panel(12, 140)
    known = records(panel, 12)
    assert rewritten_past(panel, known, MonitoringConfig(period=14)) == []
    twice = replace(panel, y=2 * panel.y)
    assert rewritten_past(twice, known, MonitoringConfig())


def test_products_that_have_left_the_range_and_are_no_longer_sent_are_no_rewritten_past():
    panel = make_panel(12, 140)
    known, now = records(panel, 16), np.array(panel.y)
    for row in range(6):  # one after the other, and what they sold goes with them
        now[row, : 12 * row + 30] = 0
    assert rewritten_past(replace(panel, y=now), known, MonitoringConfig()) == []
    now[:6] = 0  # from all weeks at once
    assert rewritten_past(replace(panel, y=now), known, MonitoringConfig())
