import duckdb
import pandas as pd
import pytest

from invopt.errors import ConfigError
from invopt.timeline import Timeline, check_frequency, floor_dates, usual_frequency


@pytest.mark.parametrize(
    ("freq", "date", "floor"),
    [
        ("D", "2024-02-29 13:00", "2024-02-29"),
        ("W-MON", "2024-02-29", "2024-02-26"),
        ("W-SUN", "2024-02-29", "2024-02-25"),
        ("W-THU", "2024-02-29", "2024-02-29"),
        ("MS", "2024-02-29", "2024-02-01"),
        ("QS", "2024-05-31", "2024-04-01"),
        ("2W-MON", "1970-01-18", "1970-01-05"),
        ("2W-MON", "1970-01-19", "1970-01-19"),
        ("2W-MON+1", "1970-01-18", "1970-01-12"),
        ("2W-WED", "1970-01-20", "1970-01-07"),
    ],
)
def test_floor_dates_gives_the_first_day_of_the_period(freq, date, floor):
    assert floor_dates(pd.DatetimeIndex([date]), freq)[0] == pd.Timestamp(floor)


@pytest.mark.parametrize("freq", ["D", "W-WED", "MS", "QS", "2W-WED", "2W-SUN+1"])
def test_index_of_undoes_date_before_and_after_the_start(freq):
    start = floor_dates(pd.DatetimeIndex(["2023-11-15"]), freq)[0]
    line = Timeline(start, freq, 30)
    dates = pd.DatetimeIndex([line.date(i) for i in range(-5, 40)])
    assert list(line.index_of(dates)) == list(range(-5, 40))


def test_covering_counts_both_ends():
    line = Timeline.covering(pd.Timestamp("2024-01-03"), pd.Timestamp("2024-01-17"), "W-MON")
    assert (line.start, line.num_periods) == (pd.Timestamp("2024-01-01"), 3)


def test_dates_may_reach_beyond_the_end():
    line = Timeline(pd.Timestamp("2024-01-01"), "MS", 2)
    assert list(line.dates(1, 4)) == list(
        pd.DatetimeIndex(["2024-02-01", "2024-03-01", "2024-04-01"])
    )


def test_unknown_frequency_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="frequency must be one of D, W-MON"):
        check_frequency("H")


def test_periods_are_spelt_as_a_reader_counts_them():
    start = pd.Timestamp("2024-01-01")
    assert Timeline(start, "D", 9).spell(7) == "7 days"
    assert Timeline(start, "W-MON", 9).spell(1) == "1 week"
    assert Timeline(start, "MS", 9).spell(1200) == "1,200 months"


def test_the_last_day_of_a_period_is_the_one_before_the_next():
    start = pd.Timestamp("2024-01-01")
    for freq, day in (("D", "2024-01-02"), ("W-MON", "2024-01-14"), ("MS", "2024-02-29")):
        assert Timeline(start, freq, 9).last_day(1) == pd.Timestamp(day)


@pytest.mark.parametrize(
    ("dates", "freq"),
    [
        (pd.date_range("2022-01-01", periods=14, freq="QS"), "QS"),
        (pd.date_range("2024-01-01", periods=14, freq="14D"), "2W-MON+1"),
        (pd.date_range("2024-01-08", periods=14, freq="14D"), "2W-MON"),
        (pd.date_range("2024-01-05", periods=14, freq="7D"), "W-FRI"),
        (pd.date_range("2022-01-01", periods=14, freq="MS"), "MS"),
    ],
)
def test_the_usual_frequency_of_dates_covers_each_by_a_period_that_starts_on_it(dates, freq):
    found = usual_frequency(dates)
    assert found == freq
    line = Timeline.covering(dates[0], dates[-1], found)
    assert list(line.dates()) == list(dates)
    assert line.date(line.num_periods - 1) == dates[-1]


@pytest.mark.parametrize("freq", ["QS", "2W-TUE", "MS", "W-MON"])
def test_duckdb_counts_periods_as_the_timeline_does(freq):
    days = pd.date_range("2021-12-20", "2023-03-05", freq="3D")
    line = Timeline.covering(days[0], days[-1], freq)
    sql = ", ".join(f"(DATE '{day:%Y-%m-%d}')" for day in days)
    found = duckdb.sql(f"SELECT {line.to_sql('d')} FROM (VALUES {sql}) t(d)").fetchall()
    assert [row[0] for row in found] == line.index_of(days).tolist()
