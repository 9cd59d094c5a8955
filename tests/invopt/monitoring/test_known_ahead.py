"""What is known ahead is no finding: closures, openings, promotions, moved holidays, late files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from invopt.baselines import Baseline
from invopt.cleaning import clean, whole_of
from invopt.closures import closed_shares, unusually_closed
from invopt.config import CleaningConfig, InventoryConfig, ModelConfig, MonitoringConfig
from invopt.inventory import terms_of
from invopt.monitoring.earlier import Seen
from invopt.monitoring.evidence import Reports, gather_evidence
from invopt.monitoring.known_ahead import known_plans
from invopt.monitoring.performance import Scoring
from invopt.monitoring.subject import Subject
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.timeline import Timeline
from tests.builders import make_panel

CONFIG = MonitoringConfig(num_bootstrap=100)
DAYS = 203  # to Sunday 2024-07-21
FINDINGS = ("performance", "supply", "drift")


def company(days: int = DAYS, num_stores: int = 4) -> Panel:
    """Stores of twenty products each, a record of every product and day."""
    panel = make_panel(20 * num_stores, days, seed=4)
    names = np.array([f"s{i % num_stores}" for i in range(20 * num_stores)])
    y = (panel.y + 3).astype(np.int16)
    return replace(panel, series=panel.series.assign(location=names), y=y)


def without_rows(panel: Panel, rows, days: slice) -> Panel:
    """No line came of some series on some days: read as zero sales."""
    y, flags = np.array(panel.y), np.array(panel.flags)
    y[rows, days] = 0
    flags[rows, days] |= np.uint8(Flag.FILLED)
    return replace(panel, y=y, flags=flags)


def at(panel: Panel, *names: str):
    return np.flatnonzero(np.isin(panel.series["location"], names))


def calendar(days, place: str | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"ds": pd.DatetimeIndex(days), "open": False})
    return frame if place is None else frame.assign(location=place)


def gather(panel: Panel, shut: pd.DataFrame | None = None, **rest):
    def features(part, cutoffs):
        week = [np.log(part.channel_by_series("price")[:, c - 6 : c + 1].mean(axis=1))
                for c in cutoffs]  # fmt: skip
        return ("price",), np.stack(week)[:, :, None].astype(np.float32)

    panel = clean(panel, CleaningConfig(), whole_of([panel], shut))[0]
    terms = terms_of(panel.series, None, InventoryConfig(lead_time=2, review_period=7))
    subject = Subject(
        Baseline(14, 7, ModelConfig(), 28), features, Scoring(7, terms, True), (), 55,
        panel.num_periods - 28,
    )  # fmt: skip
    return gather_evidence(subject, panel, CONFIG, Reports(calendar=shut, **rest))


def firing(found) -> set[str]:
    return {s.name for s in found.signals if s.fires}


def roots_of(found) -> list[str]:
    return [f.name for f in found.findings]


def test_a_store_that_the_calendar_closes_is_neither_silent_nor_a_fall_of_demand():
    panel = company()
    shut = calendar(pd.date_range("2024-07-15", "2024-07-21"), "s1")
    empty = without_rows(panel, at(panel, "s1"), slice(-7, None))
    assert "silent_feed" in firing(gather(empty))  # nobody told us: somebody is woken
    found = gather(empty, shut)
    assert firing(found) == firing(gather(panel))
    assert found.plans == ["closed by the calendar: s1 (2024-07-15 to 2024-07-21)"]
    last = found.records[found.records["cutoff"] == found.records["cutoff"].max()]
    assert list(last.set_index("location")["observed"]) == [140, 0, 140, 140]
    assert found.conclusive


def test_a_day_on_which_all_are_closed_is_left_out_and_its_neighbours_explain_themselves():
    panel = company()
    y = np.array(panel.y)
    y[:, -4] *= 3  # what is not bought on Thursday is bought on Wednesday
    y[:, -3] = 0
    panel = replace(panel, y=y)
    assert "demand_shift" in firing(gather(panel))
    shut = calendar(["2024-07-19"])
    found = gather(panel, shut)
    assert not {s.name for s in found.signals if s.fires and s.kind in FINDINGS}
    told = next(s for s in found.signals if s.name == "demand_shift")
    assert told.explained.startswith("closed by the calendar: s0 (2024-07-19), s1 (2024-07-19)")
    assert "explained by what was planned" in told.text


def test_a_change_beside_a_closure_is_still_found():
    panel = company()
    y = np.array(panel.y)
    y[:, -14:] = np.ceil(1.5 * y[:, -14:])
    y[:, -3] = 0
    found = gather(replace(panel, y=y), calendar(["2024-07-19"]))
    assert "demand_shift" in firing(found)


def test_the_week_after_a_closed_one_is_forecast_from_what_sold_before_it():
    panel = company()
    shut = calendar(pd.date_range("2024-07-08", "2024-07-14"))
    empty = without_rows(panel, slice(None), slice(-14, -7))
    found = gather(empty, shut)
    assert not {s.name for s in found.signals if s.fires and s.kind in FINDINGS}
    last = found.records[found.records["cutoff"] == found.records["cutoff"].max()]
    assert float(last["forecast"].sum() / last["actual"].sum()) == pytest.approx(1, abs=0.1)


def test_a_company_closed_for_the_whole_period_concludes_nothing_and_wakes_nobody():
    panel = company()
    shut = calendar(pd.date_range("2024-07-15", "2024-07-21"))
    found = gather(without_rows(panel, slice(None), slice(-7, None)), shut)
    assert not found.conclusive
    assert found.why_not == "every location is closed by the calendar in the whole period"
    assert not any(s.fires for s in found.signals)


def test_nobody_waits_for_the_data_of_days_on_which_all_are_closed():
    panel = company()
    first = pd.Timestamp("2024-07-22")
    seen = Seen(panel.timeline.last, first, first + pd.Timedelta(days=7))
    assert "no_new_data" in firing(gather(panel, seen=seen))
    shut = calendar(pd.date_range("2024-07-22", "2024-07-28"))
    assert "no_new_data" not in firing(gather(panel, shut, seen=seen))


def test_a_day_that_is_always_closed_stays_the_zero_it_is():
    line = Timeline(pd.Timestamp("2024-01-01"), "D", 70)
    sundays = [d for d in line.dates() if d.weekday() == 6]
    shares = closed_shares(calendar([*sundays, "2024-03-06"]), line, ("s0",))
    assert list(np.flatnonzero(shares[0])) == [6, 13, 20, 27, 34, 41, 48, 55, 62, 65, 69]
    unusual = unusually_closed(shares, 7, 0.5)
    assert list(np.flatnonzero(unusual[0]))[-1] == 65
    assert not unusual[0, [27, 34, 41, 48, 55, 62, 69]].any()


def test_days_of_a_week_a_row_for_a_week_places_and_suppliers_are_told_apart():
    line = Timeline(pd.Timestamp("2024-01-01"), "W-MON", 4)
    rows = pd.DataFrame(
        {
            "ds": pd.DatetimeIndex([f"2024-01-0{day}" for day in (1, 2, 8, 8, 9)]),
            "open": [False, False, False, True, False],
            "location": ["", "", "", "s1", None],
            "supplier": [None, None, None, None, "Bakery"],
        }
    )  # fmt: skip
    shares = closed_shares(rows, line, ("s0", "s1"))
    np.testing.assert_allclose(shares, [[2 / 7, 1 / 7, 0, 0], [2 / 7, 0, 0, 0]])
    weekly = closed_shares(calendar(["2024-01-15"]), line, ("s0",))
    np.testing.assert_allclose(weekly, [[0, 0, 1, 0]])


def test_a_store_that_opened_is_not_a_rise_of_demand():
    panel = company()
    y, flags = np.array(panel.y), np.array(panel.flags)
    new = at(panel, "s3")
    y[new, :-5] = 0
    flags[new, :-5] = Flag.MISSING
    y[new, -5:] *= 12
    found = gather(replace(panel, y=y, flags=flags))
    assert found.plans == ["opened lately: s3 (2024-07-17)"]
    assert not {s.name for s in found.signals if s.fires and s.kind == "performance"}
    told = next(s for s in found.signals if s.name == "demand_shift")
    assert told.explained == "opened lately: s3 (2024-07-17)"


def promoted(panel: Panel, periods: int) -> Panel:
    """Half of the products on promotion, at three times their sales, as the plan says."""
    on = np.zeros(panel.y.shape, np.float32)
    on[np.arange(len(on)) // 4 % 2 == 0, -periods:] = 1
    y = np.where(on > 0, 3 * panel.y, panel.y).astype(np.int16)
    plan = Channel(
        "promotion", "promotions", SERIES_LEVEL, tuple(panel.unique_ids), True, on, "zero"
    )
    return replace(panel, y=y).with_channels([plan])


def test_promotions_of_the_plan_are_no_finding_until_forecasts_are_off_for_a_third_week():
    panel = company()
    found = gather(promoted(panel, 7))
    assert not {s.name for s in found.signals if s.fires and s.kind in FINDINGS}
    assert found.plans[0].startswith("promotions: s0 (50% of product-periods, at most 0% before)")
    other = np.array(panel.y)
    rest = np.arange(len(other)) // 4 % 2 == 1
    other[rest, -7:] = np.ceil(1.5 * other[rest, -7:])  # and something that no plan knows
    assert "demand_shift" in firing(gather(promoted(replace(panel, y=other), 7)))
    assert gather(promoted(panel, 21)).plans == []


def test_a_holiday_that_moved_is_told_and_one_that_stays_is_not():
    def with_easter(*days):
        panel = company(days=3 * 364)
        marks = panel.timeline.dates().isin(pd.DatetimeIndex(days)).astype(np.float32)[None]
        easter = Channel("event=easter", "external", "all", ("",), True, marks, "zero")
        y = np.where(marks > 0, 2 * panel.y, panel.y).astype(np.int16)
        return replace(panel, y=y).with_channels([easter])

    moved = with_easter("2024-04-01", "2025-04-21", "2026-12-25")
    assert (moved.timeline.last, moved.num_periods) == (pd.Timestamp("2026-12-27"), 1092)
    told = known_plans(moved, None, CONFIG)
    assert [k.text for k in told] == [
        "holidays: easter on 2026-12-25, a year before not in this season"
    ]
    assert told[0].moved
    assert int(told[0].hidden[0].sum()) == 3
    gone = known_plans(with_easter("2025-12-24"), None, CONFIG)
    assert [k.text for k in gone] == [
        "holidays: easter was in this season a year before and is not now"
    ]
    assert known_plans(with_easter("2025-12-24", "2026-12-24"), None, CONFIG) == []


def test_stock_that_nobody_records_is_unknown_and_not_full():
    panel = company()
    found = gather(panel)
    assert "stockouts" not in {s.name for s in found.signals}
    assert np.isnan(found.trend[-1]["stockouts"])
    stock = np.full(panel.y.shape, 5, np.float32)
    stock[:5, -7:] = 0
    stock[40:] = np.nan  # half of the series are counted by nobody
    counted = Channel("on_hand", "stock", SERIES_LEVEL, tuple(panel.unique_ids), False, stock)
    found = gather(panel.with_channels([counted]))
    assert found.trend[-1]["stockouts"] == pytest.approx(5 / 40)


def test_a_late_file_of_one_store_is_told_as_such_and_its_days_are_not_judged():
    panel = company()
    found = gather(without_rows(panel, at(panel, "s2"), slice(-1, None)))
    late = next(s for s in found.signals if s.name == "late_file")
    assert late.text == (
        "the newest file is late, and its days are not judged: s2 (nothing since 2024-07-21, 1 day)"
    )
    assert not late.pages
    assert {f.name: f.since for f in found.findings}["late_file"] == "2024-07-21"
    assert firing(found) - firing(gather(panel)) == {"late_file"}
    last = found.records[found.records["cutoff"] == found.records["cutoff"].max()]
    assert list(last.set_index("location")["observed"]) == [140, 140, 120, 140]
    # Lines that say zero are no file that is late.
    zeros = np.array(panel.y)
    zeros[at(panel, "s2"), -1] = 0
    assert "late_file" not in firing(gather(replace(panel, y=zeros)))
