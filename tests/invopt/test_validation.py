import numpy as np
import pandas as pd
import pytest

from invopt.config import DataConfig
from invopt.panel import SERIES_LEVEL, Channel, Flag
from invopt.sources import Accounting, DataProfile, DatasetReport, check_data
from invopt.sources.validation import age_in_periods
from tests.builders import make_panel

CONFIG = DataConfig(mapping="m.yaml", max_age_periods=2)
TODAY = pd.Timestamp("2024-04-30")  # the panel's last day is 29 April


def report(panel, accounting=(), num_without_product=0):
    line = panel.timeline
    return DatasetReport(
        name="t", num_series=panel.num_series, num_periods=line.num_periods,
        first=f"{line.start:%Y-%m-%d}", last=f"{line.last:%Y-%m-%d}", accounting=list(accounting),
        notes=[], num_without_product=num_without_product,
    )  # fmt: skip


def failed(panel, today=TODAY, config=CONFIG, **kwargs):
    found = check_data(DataProfile.of([panel]), report(panel, **kwargs), config, today)
    return {(c.name, c.about) for c in found if not c.passed}


@pytest.mark.parametrize("seed", range(8))
def test_sound_data_pass_every_check(seed):
    assert failed(make_panel(num_series=20, seed=seed)) == set()


@pytest.mark.parametrize(
    ("freq", "last", "today", "age"),
    [
        ("D", "2024-04-29", "2024-04-29", 0),
        ("D", "2024-04-29", "2024-04-30", 0),
        ("D", "2024-04-29", "2024-05-03", 3),
        ("W-MON", "2024-04-22", "2024-04-29", 0),
        ("W-MON", "2024-04-22", "2024-05-12", 1),
        ("W-MON", "2024-04-22", "2024-05-13", 2),
        ("MS", "2024-03-01", "2024-04-30", 0),
        ("MS", "2024-03-01", "2024-05-01", 1),
        ("D", "2024-04-29", "2024-04-01", 0),
    ],
)
def test_age_counts_whole_periods_that_ended_without_sales(freq, last, today, age):
    assert age_in_periods(pd.Timestamp(last), freq, pd.Timestamp(today)) == age


def test_old_data_fail_unless_they_have_an_end_of_their_own():
    late = pd.Timestamp("2024-06-30")
    assert failed(make_panel(20), late) == {("freshness", "sales")}
    assert failed(make_panel(20), late, DataConfig(mapping="m.yaml")) == set()


def test_a_last_day_that_was_cut_short_fails_on_volume():
    panel = make_panel(num_series=20)
    panel.flags[1:, -1] = Flag.FILLED
    panel.y[1:, -1] = 0
    assert failed(panel) == {("volume", "rows"), ("volume", "units")}


def test_a_day_sent_twice_fails_on_units():
    panel = make_panel(num_series=20)
    panel.y[:, -2] *= 3
    assert failed(panel) == {("volume", "units")}


def test_what_a_customer_orders_several_times_a_year_is_no_failure_and_one_old_fault_hides_none():
    panel = make_panel(num_series=20, num_periods=160, freq="W-MON", future=0)
    today = pd.Timestamp("2027-01-25")
    panel.y[0] = 0
    panel.y[0, -1] = usual = int(4 * panel.y.sum(axis=0).mean())
    assert failed(panel, today) == {("volume", "units")}
    panel.y[0, -30] = usual
    assert failed(panel, today) == {("volume", "units")}
    panel.y[0, -20] = usual
    assert failed(panel, today) == set()
    panel.y[0, -1] *= 3
    assert failed(panel, today) == {("volume", "units")}


def test_a_feast_that_closed_the_shops_last_year_too_is_no_failure():
    panel = make_panel(num_series=20, num_periods=400)
    for day in (397, 397 - 364):
        panel.y[:, day] = 0
    today = panel.timeline.last + pd.Timedelta(days=1)
    assert failed(panel, today) == set()


def test_a_feast_at_another_date_than_last_year_closes_a_day_or_two_and_not_three():
    panel = make_panel(num_series=20, num_periods=400)
    today = panel.timeline.last + pd.Timedelta(days=1)
    panel.y[:, 395:397] = 0  # records came, and say that nothing was sold
    assert failed(panel, today) == set()
    panel.y[:, 397] = 0
    assert failed(panel, today) == {("volume", "units")}
    panel.y[:, 395:397] = 1
    panel.flags[1:, 397] = Flag.FILLED  # no day without sales but one without records
    assert failed(panel, today) == {("volume", "rows"), ("volume", "units")}


def test_rows_and_series_without_a_partner_fail_on_references():
    accounting = [
        Accounting(
            table="market", rows_in=100, rows_used=60, quarantined={"its key names no series": 40}
        )
    ]
    panel = make_panel(20)
    assert failed(panel, accounting=accounting) == {("references", "market")}
    assert failed(panel, num_without_product=19) == {("references", "series")}


def test_a_feed_that_dried_up_fails_on_completeness():
    panel = make_panel(20)
    panel.channels["temperature"].values[:, -6:] = np.nan
    assert failed(panel) == {("completeness", "temperature")}


def test_a_change_of_unit_fails_as_a_jump_and_a_small_rise_does_not():
    panel = make_panel(20, 200)
    today = panel.timeline.last
    temperature = panel.channels["temperature"].values
    temperature[:, -7:] = temperature[:, -7:] * 9 / 5 + 320
    assert failed(panel, today) == {("jump", "temperature")}
    panel = make_panel(20, 200)
    panel.channels["price"].values[:] = panel.series["list_price"].to_numpy()[:, None]
    panel.channels["price"].values[:, 193:] *= 1.03
    assert failed(panel, today) == set()
    panel.channels["price"].values[:, 193:] *= 100
    assert failed(panel, today) == {("jump", "price")}


def test_a_table_of_changes_is_sparse_without_being_suspect():
    panel = make_panel(20)
    ids = tuple(panel.series["unique_id"])
    values = np.full(panel.y.shape, np.nan, np.float32)
    values[:, ::30] = 1
    sparse = Channel("reorder_point", "stock", SERIES_LEVEL, ids, False, values)
    assert failed(panel.with_channels([sparse])) == set()


def test_partitions_are_judged_together():
    panel = make_panel(num_series=20)
    panel.y[:, -1] = 0
    panel.y[:10, -1] = panel.y[:10, -8] * 2
    rows = np.arange(20)
    parts = [panel.select(rows[:10]), panel.select(rows[10:])]
    found = check_data(DataProfile.of(parts), report(panel), CONFIG, TODAY)
    assert all(c.passed for c in found)


def test_a_profile_keeps_the_latest_periods_in_stretches_of_equal_length():
    panel = make_panel(num_series=3, num_periods=105)
    found = DataProfile.of([panel]).by_date(num=50)
    assert found["date"][0] == "2024-01-01"
    assert found["date"][-1] == "2024-04-12"
    assert found["rows"] == [3.0] * 35
    assert found["units"][-1] == pytest.approx(panel.y[:, -3:].sum() / 3)
