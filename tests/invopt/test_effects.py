"""What plans do to forecasts, on sales whose effects are known."""

import time

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
