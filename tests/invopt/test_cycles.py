"""Whether years and months repeat, and what a first configuration makes of it."""

import numpy as np
import pandas as pd
import pytest
import yaml

from invopt.config import EvaluationConfig
from invopt.cycles import likeness_of_months, likeness_of_years
from invopt.history import fit_sections
from invopt.panel import Flag, Panel
from invopt.sources.proposal import write_mapping
from invopt.timeline import Timeline
from tests.builders import SMALL_FEATURES


def panel_of(y, freq, flags=None):
    series = pd.DataFrame({"unique_id": [f"s{n}" for n in range(len(y))]})
    timeline = Timeline(pd.Timestamp("2022-01-03"), freq, y.shape[1])
    return Panel(timeline, series, y, np.zeros(y.shape, np.uint8) if flags is None else flags)


def days_of(num_days, *, paid, num_series=20, seed=0):
    """Return sales (series, day), half as much again from the first of a month to the fifth."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2022-01-03", periods=num_days)
    weekday = np.array([1.0, 0.8, 0.9, 1.0, 1.3, 1.6, 0.4])[dates.weekday]
    month = np.where(paid & (dates.day <= 5), 1.5, 1.0)
    return rng.poisson(10 * weekday * month, (num_series, num_days))


def first_features(folder, y):
    """Return the features of the first configuration of sales by product and day."""
    days = pd.date_range("2022-01-03", periods=y.shape[1]).strftime("%Y-%m-%d")
    rows = [f"{day},P{n},{y[n, k]}" for k, day in enumerate(days) for n in range(len(y))]
    (folder / "data").mkdir()
    (folder / "data" / "sales.csv").write_text("\n".join(["date,product,quantity", *rows]))
    write_mapping(folder / "data", folder / "m.yaml")
    return yaml.safe_load((folder / "config.yaml").read_text())["features"]


def test_years_that_repeat_are_alike_and_years_of_noise_are_not():
    rng = np.random.default_rng(0)
    year = rng.lognormal(3, 0.5, (20, 52))
    alike = rng.poisson(np.tile(year, 3))
    assert likeness_of_years(panel_of(alike, "W-MON")) > 0.7
    assert abs(likeness_of_years(panel_of(rng.poisson(20, (20, 156)), "W-MON"))) < 0.1
    assert likeness_of_years(panel_of(np.full((3, 156), 7), "W-MON")) == 0.0
    assert likeness_of_years(panel_of(rng.poisson(20, (3, 60)), "W-MON")) == 0.0


@pytest.mark.parametrize("num_days", [200, 365, 800])
def test_months_with_pay_days_are_alike_and_months_without_are_not(num_days):
    assert likeness_of_months(panel_of(days_of(num_days, paid=True), "D")) > 0.5
    plain = [
        likeness_of_months(panel_of(days_of(num_days, paid=False, seed=seed), "D"))
        for seed in range(5)
    ]
    assert np.mean(plain) < 0.15


def test_half_a_year_is_needed_to_tell_what_months_have_in_common():
    assert likeness_of_months(panel_of(days_of(120, paid=True), "D")) == 0.0
    assert likeness_of_months(panel_of(days_of(1, paid=True), "D")) == 0.0
    assert likeness_of_months(panel_of(np.full((2, 400), 5), "D")) == 0.0
    unseen = np.full((2, 400), Flag.MISSING, np.uint8)
    assert likeness_of_months(panel_of(np.zeros((2, 400), np.int64), "D", unseen)) == 0.0


def test_days_that_were_not_observed_say_nothing_of_a_month():
    y, flags = days_of(400, paid=True), np.zeros((20, 400), np.uint8)
    plain = likeness_of_months(panel_of(y, "D"))
    broken = np.array(y)
    broken[:, 200:210], flags[:, 200:210] = 5_000, Flag.FAULTY
    assert likeness_of_months(panel_of(broken, "D", flags)) == pytest.approx(plain, abs=0.1)


@pytest.mark.parametrize(("paid", "written"), [(True, None), (False, 0)])
def test_a_first_configuration_has_waves_over_the_month_where_months_are_alike(
    tmp_path, paid, written
):
    y = days_of(400, paid=paid, num_series=8)
    assert first_features(tmp_path, y).get("month_harmonics") == written


@pytest.mark.parametrize(("freq", "num", "kept"), [("D", 150, 0), ("D", 400, 2), ("W-MON", 100, 2)])
def test_a_training_on_less_than_half_a_year_of_days_goes_without_waves_over_the_month(
    freq, num, kept
):
    features = SMALL_FEATURES.model_copy(update={"month_harmonics": 2, "patch": 1})
    timeline = Timeline(pd.Timestamp("2022-01-03"), freq, num)
    fitted = fit_sections(features, EvaluationConfig(gate_periods=8, selection_periods=8), timeline)
    assert fitted.features.month_harmonics == kept
    told = "features.month_harmonics is 0 instead of 2: the data hold 150 days"
    assert (told in fitted.notes) is (kept == 0)


@pytest.mark.parametrize(("num_days", "written"), [(120, []), (200, None)])
def test_a_first_configuration_for_a_few_months_of_days_learns_no_names(
    tmp_path, num_days, written
):
    y = days_of(num_days, paid=False, num_series=3)
    assert first_features(tmp_path, y).get("static") == written
