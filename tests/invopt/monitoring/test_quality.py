from dataclasses import replace

import numpy as np
import pytest

from invopt.config import MonitoringConfig
from invopt.monitoring.quality import data_signals
from invopt.panel import Flag, Panel
from invopt.sources.ledger import DUPLICATE
from tests.builders import make_panel

CONFIG = MonitoringConfig()


def retailer(seed=0) -> Panel:
    """Two stores of sixty products, sales well above nothing."""
    panel = make_panel(120, 210, seed)
    stores = np.array(["s0", "s1"])[np.arange(120) % 2]
    return replace(
        panel,
        series=panel.series.assign(location=stores),
        y=(panel.y + 2).astype(np.int16),
    )


def names(panel: Panel, **rest) -> set[str]:
    return {s.name for s in data_signals(panel, CONFIG, **rest)}


def with_sales(panel: Panel, y) -> Panel:
    return replace(panel, y=y.astype(np.int16))


def test_clean_weeks_raise_nothing():
    for seed in range(5):
        assert names(retailer(seed)) == set()


@pytest.mark.parametrize("days", [7, 3])
def test_a_store_that_falls_silent_pages_in_its_first_period(days):
    panel = retailer()
    y = np.array(panel.y)
    y[1::2, -days:] = 0
    [found] = data_signals(with_sales(panel, y), CONFIG)
    assert found.name == "silent_feed"
    assert found.pages
    assert f"s1 ({days} days)" in found.text
    # The last period is 2024-07-22 to 2024-07-28.
    assert found.since == {7: "2024-07-22", 3: "2024-07-26"}[days]


def test_a_store_closed_one_day_as_every_year_is_not_silent():
    panel = retailer()
    y = np.array(panel.y)
    y[:, [100, -3]] = 0
    assert names(with_sales(panel, y)) == set()


def test_rows_that_came_twice_pages_in_the_first_period():
    panel = retailer()
    y = np.array(panel.y)
    y[:, -7:] *= 2
    [found] = data_signals(with_sales(panel, y), CONFIG)
    assert found.name == "doubled_feed"
    assert found.pages


def test_a_day_sent_again_as_the_next_is_found():
    panel = retailer()
    y = np.array(panel.y)
    y[:, -2] = y[:, -3]
    [found] = data_signals(with_sales(panel, y), CONFIG)
    assert (found.name, found.since) == ("repeated_feed", "2024-07-27")


def test_a_whole_week_sent_again_is_found():
    panel = retailer()
    y = np.array(panel.y)
    y[:, -7:] = y[:, -14:-7]
    assert "repeated_feed" in names(with_sales(panel, y))


def test_goods_that_only_sell_in_pairs_are_not_taken_for_doubled():
    panel = retailer()
    assert names(with_sales(panel, np.array(panel.y) * 2)) == set()


def test_records_missing_at_one_store_are_gaps():
    panel = retailer()
    flags = np.array(panel.flags)
    flags[:60:2, -7:] = Flag.MISSING
    assert names(replace(panel, flags=flags)) == {"gaps"}


def test_a_sensor_that_stands_still_is_named():
    panel = retailer()
    warm = panel.channels["temperature"]
    values = warm.values.copy()
    values[0, -7:] = 11.5
    found = data_signals(panel.with_channels([replace(warm, values=values)]), CONFIG)
    assert [s.name for s in found] == ["stuck_sensor"]
    assert "temperature" in found[0].text
    assert not found[0].pages


def test_a_plan_that_says_nothing_at_all_is_an_empty_column_and_spoils_a_training():
    panel = retailer()
    for name, nothing in (("price", np.nan), ("promotion", 0.0)):
        plan = panel.channels[name]
        empty = panel.with_channels([replace(plan, values=np.full_like(plan.values, nothing))])
        [found] = data_signals(empty, CONFIG, features=(name,))
        assert (found.name, found.spoils, found.pages) == ("empty_column", True, False)
        assert name in found.text
        assert names(empty) == set()
        # Nobody misses what never came: a calendar of promotions that has none yet.
        assert names(empty, features=(name,), silent=(name,)) == set()


def test_a_measurement_is_missed_only_if_it_ever_came():
    panel = retailer()
    warm = panel.channels["temperature"]
    never = np.full_like(warm.values, np.nan)
    empty = panel.with_channels([replace(warm, values=never)])
    assert names(empty, features=("temperature",)) == {"empty_column"}
    assert names(empty, features=("temperature",), silent=("temperature",)) == set()
    stopped = np.where(np.arange(warm.values.shape[1]) < 203, warm.values, np.nan)
    broken = panel.with_channels([replace(warm, values=stopped)])
    assert names(broken, features=("temperature",), silent=("temperature",)) == {"empty_column"}


def test_checks_that_failed_at_ingest_alert_and_spoil_a_training():
    checks = [
        {"name": "freshness", "about": "sales", "value": 9, "limit": 3, "passed": False},
        {
            "name": "volume",
            "about": "rows",
            "value": 0.43,
            "limit": 0.5,
            "passed": False,
            "rule": "may not fall",
        },
        {"name": "jump", "about": "price", "value": None, "limit": 20.0, "passed": True},
    ]
    [found] = data_signals(retailer(), CONFIG, quality={"checks": checks})
    assert (found.name, found.spoils, found.pages) == ("suspect_data", True, False)
    assert (
        found.text
        == "checks of what was read failed: volume of rows is 0.43 against 0.5 (may not fall)"
    )


def test_old_data_page_and_many_duplicates_alert():
    quality = {
        "stale_periods": 3,
        "accounting": [
            {"table": "sales", "rows_in": 1000, "rows_used": 900, "quarantined": {DUPLICATE: 50}}
        ],
    }
    found = {s.name: s for s in data_signals(retailer(), CONFIG, quality=quality)}
    assert found["stale_data"].pages
    assert not found["rows_twice"].pages
    assert "5.0%" in found["rows_twice"].text


def test_a_panel_of_one_period_or_without_sales_is_no_crash():
    panel = retailer()
    assert isinstance(data_signals(panel.truncate(5), CONFIG), list)
    empty = with_sales(panel, np.zeros(panel.y.shape))
    assert isinstance(data_signals(empty, CONFIG), list)
