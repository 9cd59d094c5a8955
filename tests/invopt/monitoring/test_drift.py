import json
from dataclasses import replace

import numpy as np
import pytest

from invopt.config import MonitoringConfig
from invopt.monitoring.columns import in_words
from invopt.monitoring.drift import (
    RECENT,
    SEASONAL,
    PeriodTable,
    column_drift,
    periods_needed,
)
from invopt.monitoring.shift import normed_wasserstein

CONFIG = MonitoringConfig(num_bootstrap=100)


def make_table(num_series=300, num_columns=3, seed=0, *, earlier=80) -> tuple[PeriodTable, str]:
    """Return weeks of noise with a season of the year, the same in every column."""
    back, reference = periods_needed(earlier, 52, CONFIG.reference_weeks)
    rng = np.random.default_rng(seed)
    season = 2 * np.sin(2 * np.pi * np.array(back) / 52)
    own = rng.normal(size=(1, num_series, num_columns))
    values = own + 0.3 * rng.normal(size=(len(back), num_series, num_columns))
    values += season[:, None, None]
    names = tuple(f"x{i}" for i in range(num_columns))
    return PeriodTable(names, tuple(back), values.astype(np.float32), 52), reference


def moved(table, reference, config=CONFIG) -> dict[str, bool]:
    return {d.column: d.moved for d in column_drift(table, reference, config).columns}


def test_a_season_that_comes_every_year_is_no_drift_and_the_latest_weeks_would_say_it_is():
    table, reference = make_table()
    assert reference == SEASONAL
    assert not any(moved(table, reference).values())
    latest = np.concatenate([table.at(k)[:, 0] for k in range(2, 14)]).astype(float)
    assert normed_wasserstein(latest, table.at(0)[:, 0].astype(float)) > 0.1


def test_a_company_that_grew_since_last_year_is_no_drift():
    table, reference = make_table()
    table.values[[k < 40 for k in table.back]] += 1.5
    assert not any(moved(table, reference).values())


def test_a_column_that_moves_this_week_is_found_and_the_others_are_not():
    table, reference = make_table()
    table.values[0, :, 1] += 0.8
    assert moved(table, reference) == {"x0": False, "x1": True, "x2": False}


def test_a_change_of_spread_is_found():
    table, reference = make_table()
    table.values[0, :, 2] = table.values[0, :, 2] * 3 - 2 * table.values[0, :, 2].mean()
    assert moved(table, reference)["x2"]


def test_few_series_need_a_larger_distance():
    thresholds = []
    for num in (20, 2000):
        table, reference = make_table(num)
        found = column_drift(table, reference, CONFIG).columns
        thresholds.append(np.mean([d.threshold for d in found]))
    assert thresholds[0] > 1.5 * thresholds[1]


def test_false_alarms_on_noise_are_rare_whatever_the_number_of_series():
    for num in (30, 300):
        alarms = [any(moved(*make_table(num, 2, seed)).values()) for seed in range(10)]
        assert np.mean(alarms) <= 0.2


def test_columns_that_cannot_be_compared_are_named_with_the_reason():
    table, reference = make_table()
    table.values[0, :, 0] = np.nan
    table.values[:, :, 1] = 4.0
    found = column_drift(table, reference, CONFIG)
    assert found.unusable == {"x0": "no value in this period", "x1": "constant in the reference"}
    assert [d.column for d in found.columns] == ["x2"]


def test_values_that_are_missing_for_some_series_are_left_out():
    table, reference = make_table()
    table.values[:, ::3, 0] = np.nan
    assert not moved(table, reference)["x0"]


def test_less_than_a_year_of_history_is_compared_with_the_latest_weeks_and_says_so():
    back, reference = periods_needed(30, 52, 2)
    assert reference == RECENT
    assert back == [0, *range(2, 14)]
    assert periods_needed(3, 52, 2)[0] == [0, 2, 3]


@pytest.mark.slow
def test_evidently_reports_the_same_scores_with_the_learned_thresholds(tmp_path):
    from invopt.monitoring.evidently_report import ReportPlace, write_evidently

    table, reference = make_table()
    table = replace(table, names=("x0", "x1", "sales"))
    table.values[0, :, 1] += 0.8
    found = column_drift(table, reference, CONFIG)
    place = ReportPlace(tmp_path / "ui", "demo", "2024-01-01", "2024-01-07", "demo-1")
    for _ in range(2):
        scores = write_evidently(found, tmp_path / "e.html", tmp_path / "e.json", place)
    assert scores == pytest.approx({d.column: d.score for d in found.columns}, rel=1e-3)
    count = json.loads((tmp_path / "e.json").read_text())["metrics"][0]["value"]["count"]
    assert count == sum(d.moved for d in found.columns) == 1
    assert "x1" in (tmp_path / "e.html").read_text()
    project, runs, panels = kept_by_evidently(tmp_path / "ui")
    assert project == "demo"
    assert [f"{run.timestamp:%Y-%m-%d}" for run in runs] == ["2024-01-07"] * 2
    assert runs[0].metadata == {"period": "2024-01-01 to 2024-01-07", "champion": "demo-1"}
    assert len(panels) == 1


def kept_by_evidently(folder):
    """Return what `evidently ui` shows: its one project, its reports, its dashboard's panels."""
    from evidently.ui.workspace import Workspace

    store = Workspace(str(folder))
    [project] = store.list_projects()
    runs = [store.get_run(project.id, number) for number in store.list_runs(project.id)]
    return project.name, runs, project.dashboard.model().panels


def test_evidently_is_not_asked_about_nothing(tmp_path):
    from invopt.monitoring.evidently_report import write_evidently

    assert write_evidently(None, tmp_path / "e.html", tmp_path / "e.json") == {}
    assert "No column could be compared" in (tmp_path / "e.html").read_text()


def test_columns_are_told_in_words():
    told = {
        "sales_lag_0": "sales of the latest period",
        "sales_lag_6": "sales 6 periods before the latest",
        "mean_sales_28": "mean sales of 28 periods",
        "sales_location_category_trend_short": ("short-term trend of sales by location category"),
        "snap_TX": "snap TX",
    }
    assert {column: in_words(column) for column in told} == told
