"""What plans do to forecasts, on sales whose effects are known."""

import time
from dataclasses import replace

import numpy as np
import pytest

from invopt.challenger import write_lightgbm
from invopt.effects import effects_of
from invopt.forecasts import ForecastArrays
from invopt.runtime import OnnxForecaster
from tests.builders import make_panel
from tests.invopt.test_challenger import CONFIG, STOP, made_up


class Known:
    """Forecasts 10 a day, 38 % more under a promotion, twice as much at 10 % less than 5.0."""

    def predict(self, panel, cutoff=None):
        num, horizon = panel.num_series, 14
        promotion = panel.channels["promotion"].until(cutoff + 1 + horizon)[:, cutoff + 1 :]
        price = panel.channels["price"].until(cutoff + 1 + horizon)
        cheaper = price[:, cutoff + 1 :] < 0.95 * price[:, cutoff : cutoff + 1]
        mean = 10 * np.where(promotion > 0, 1.38, 1) * np.where(cheaper, 2.0, 1)
        none = np.zeros((num, horizon, 1))
        return ForecastArrays(mean, none, none, (0.5,), (0.5,), is_count=False)


def test_effects_are_those_that_the_model_has_in_units_and_share():
    found = {e.name: e for e in effects_of(Known(), make_panel(num_periods=120), 100)}
    assert (found["promotion"].without, found["promotion"].share) == (
        "none planned", pytest.approx(0.38),
    )  # fmt: skip
    assert found["price 10% lower"].share > 0.9
    assert found["event=holiday"].share == 0
    assert abs(found["Monday"].share) < 1


def test_a_promotion_of_38_percent_and_a_weekend_of_40_are_told_as_such(tmp_path):
    write_lightgbm(
        made_up(), CONFIG, STOP, tmp_path / "m", clock=time.monotonic, notify=lambda _: None
    )
    found = {e.name: e for e in effects_of(OnnxForecaster(tmp_path / "m"), made_up(), STOP - 1)}
    assert found["promotion"].share == pytest.approx(0.38, abs=0.1)
    assert found["promotion"].low <= found["promotion"].share <= found["promotion"].high
    # 1.4 over the week's mean of (5 + 2 * 1.4) / 7.
    assert found["Saturday"].share == pytest.approx(1.4 * 7 / 7.8 - 1, abs=0.12)


def made_up_with_discounts():
    """Return the same sales, each promotion with a discount of 20 % and a price as much lower."""
    panel = made_up()
    plan = panel.channels["promotion"]
    off = replace(plan, name="discount_planned", values=0.2 * plan.values)
    price = replace(plan, name="price", domain="sales", values=5 * (1 - 0.2 * plan.values))
    return panel.with_channels([off, replace(price, fill="forward")])


def test_what_is_planned_together_is_one_effect_whichever_of_it_the_model_reads(tmp_path):
    """Apart each of flag, discount and price says next to nothing, and the truth is +38 %."""
    panel = made_up_with_discounts()
    write_lightgbm(panel, CONFIG, STOP, tmp_path / "m", clock=time.monotonic, notify=lambda _: None)
    found = {e.name: e for e in effects_of(OnnxForecaster(tmp_path / "m"), panel, STOP - 1)}
    together = "promotion + discount_planned + price 20% lower"
    assert [n for n in found if "promotion" in n or "discount" in n] == [together]
    assert found[together].share == pytest.approx(0.38, abs=0.1)
    assert (found[together].without, found[together].units > 0) == ("none planned", True)


def test_plans_that_come_apart_are_told_apart():
    panel = make_panel(num_periods=120)
    plan = panel.channels["promotion"]
    values = np.zeros_like(plan.values)
    values[:, 5::40] = 1.0
    fair = replace(plan, name="fair", values=values)
    found = {e.name for e in effects_of(Known(), panel.with_channels([fair]), 100)}
    assert {"promotion", "fair"} <= found


class Seasonal:
    """Forecasts 10 a day, 30 % more in July and August, of every series."""

    def predict(self, panel, cutoff=None):
        dates = panel.timeline.dates(cutoff + 1, cutoff + 29)
        mean = np.tile(np.where(dates.month.isin([7, 8]), 13.0, 10.0), (panel.num_series, 1))
        none = np.zeros((panel.num_series, 28, 1))
        return ForecastArrays(mean, none, none, (0.5,), (0.5,), is_count=False)


def test_a_season_of_30_percent_is_told_by_month_once_a_year_of_it_is_known():
    long = effects_of(Seasonal(), make_panel(num_periods=800), 790)
    found = {e.name: e.share for e in long}
    # (302 days of 10 and 62 of 13) / 364 is the year's mean
    mean = (302 * 10 + 62 * 13) / 364
    assert found["July"] == found["August"] == pytest.approx(13 / mean - 1, abs=1e-3)
    assert found["March"] == pytest.approx(10 / mean - 1, abs=1e-3)
    short = {e.name for e in effects_of(Seasonal(), make_panel(num_periods=400), 390)}
    assert "July" not in short
