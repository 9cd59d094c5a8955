import pandas as pd
import pytest

from invopt.files import plain
from invopt.monitoring.signals import UNREADABLE
from invopt.monitoring.unreadable import due_period, unreadable_evidence


def due(today, *, last="2024-01-07", seen="2024-01-08", freq="D", length=7):
    return due_period(*map(pd.Timestamp, (last, seen, today)), freq, length)


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
    months = due("2024-05-03", last="2024-01-01", seen="2024-02-05", freq="MS", length=3)
    assert months == ("2024-02-01", "2024-04-01")


def test_the_evidence_is_one_fault_that_pages_and_concludes_nothing():
    found = unreadable_evidence("sources.prices: no file p.csv.", ("2024-01-01", "2024-01-07"))
    [signal] = found.signals
    assert (signal.name, signal.fires, signal.pages) == (UNREADABLE, True, True)
    assert signal.text == "the data cannot be read: sources.prices: no file p.csv"
    assert not found.conclusive
    content = plain(found.as_dict())
    assert (content["num_series"], content["drift"], content["trend"]) == (0, [], [])
