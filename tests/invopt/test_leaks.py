import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from invopt.features import FeatureEncoder, derived_channels
from invopt.features.leaks import find_leaks, rebuilding_leaks, truncation_leaks
from invopt.panel import SERIES_LEVEL, Channel
from tests.builders import SMALL_FEATURES, make_panel

CONFIG = SMALL_FEATURES


def rolling_mean(y, window):
    """The mean of the window that ends at each period, the period itself included."""
    sums = np.cumsum(np.pad(y.astype(float), ((0, 0), (window, 0))), axis=1)
    return (sums[:, window:] - sums[:, :-window]) / window


def with_channel(panel, values, *, known):
    ids = tuple(panel.series["unique_id"])
    channel = Channel("suspect", "market", SERIES_LEVEL, ids, known, values.astype(np.float32))
    panel = panel.with_channels([channel])
    panel = panel.with_channels(derived_channels([panel], CONFIG))
    return panel, FeatureEncoder.fit(panel, CONFIG, panel.num_periods).spec


def suspects(panel, seed):
    """Columns a company might send, by name: values and whether they claim to be known ahead."""
    y = panel.y.astype(float)
    earlier = np.pad(rolling_mean(y, 28)[:, :-1], ((0, 0), (1, 0)))
    rng = np.random.default_rng(seed)
    return {
        "sales": (y, True),
        "sales in dozens": (y / 12, True),
        "sales standardised": ((y - y.mean(1)[:, None]) / y.std(1)[:, None], True),
        "logarithm of sales": (np.log1p(y), True),
        "sales squared, of unknown use": (y**2 + rng.normal(0, 0.01, y.shape), True),
        "sales/rolling_mean": (y / np.maximum(earlier, 0.1), True),
        "sales - rolling_mean": (y - earlier, True),
        "change of sales": (np.diff(y, axis=1, prepend=0), True),
        "unshifted rolling mean of 7": (rolling_mean(y, 7), True),
        "unshifted rolling mean of 28": (rolling_mean(y, 28), True),
        "centred mean of 7, known up to today": (uniform_filter1d(y, 7, axis=1), False),
        "tomorrow's sales, known up to today": (np.roll(y, -1, axis=1), False),
    }


@pytest.mark.parametrize("name", suspects(make_panel(), 0))
def test_a_column_from_which_sales_can_be_rebuilt_is_refused_by_name(name):
    panel = make_panel(num_series=12, num_periods=400, future=0)
    values, known = suspects(panel, 0)[name]
    panel, spec = with_channel(panel, values, known=known)
    assert [(leak.feature, leak.found_by) for leak in find_leaks(panel, spec)] == [
        ("suspect", "rebuilding")
    ]


@pytest.mark.parametrize("freq", ["D", "W-MON", "MS"])
@pytest.mark.parametrize("seed", range(3))
def test_honest_columns_are_let_through(seed, freq):
    config = CONFIG if freq == "D" else CONFIG.model_copy(update={"patch": 1})
    panel = make_panel(12, 400 if freq == "D" else 150, seed, freq=freq, start="2010-01-04")
    y = panel.y.astype(float)
    rng = np.random.default_rng(seed)
    columns = {
        "average": (np.pad(rolling_mean(y, 7)[:, :-1], ((0, 0), (1, 0))), True),
        "today": (y, False),
        "plan": (y.mean(1)[:, None] * rng.lognormal(0, 0.3, y.shape), True),
    }
    ids = tuple(panel.series["unique_id"])
    panel = panel.with_channels(
        Channel(name, "market", SERIES_LEVEL, ids, known, values.astype(np.float32), "forward")
        for name, (values, known) in columns.items()
    )
    panel = panel.with_channels(derived_channels([panel], config))
    spec = FeatureEncoder.fit(panel, config, panel.num_periods).spec
    assert find_leaks(panel, spec) == []


def test_sales_without_noise_are_no_leak_of_their_calendar():
    panel = make_panel(num_series=6, num_periods=400, future=0)
    panel.y[:] = 10 + 5 * (np.arange(400) % 7 == 5)
    weekend = (np.arange(400) % 7 == 5)[None].repeat(6, axis=0)
    panel, spec = with_channel(panel, weekend, known=True)
    assert rebuilding_leaks(panel, spec) == []


def test_days_on_which_a_shop_is_closed_are_no_leak():
    panel = make_panel(num_series=6, num_periods=400, future=0)
    closed = np.random.default_rng(0).random((6, 400)) < 0.1
    panel.y[:] = np.where(closed, 0, 200 + panel.y)
    panel, spec = with_channel(panel, closed, known=True)
    assert rebuilding_leaks(panel, spec) == []


def unshifted(panel, cutoff):
    """Features for the period after the cutoff that were not shifted by one."""
    target = min(cutoff + 1, panel.num_periods - 1)
    mean = rolling_mean(panel.y, 7)
    return {
        "rolling_mean": mean[:, target],
        "sales/rolling_mean": panel.y[:, target] / np.maximum(mean[:, cutoff], 0.1),
        "shifted_rolling_mean": mean[:, cutoff],
        "whole_mean": panel.y.mean(axis=1),
    }


def test_features_computed_from_later_periods_change_when_these_are_deleted():
    panel = make_panel()
    found = truncation_leaks(unshifted, panel, [60, 90], num_future=14)
    assert {leak.feature for leak in found} == {"rolling_mean", "sales/rolling_mean", "whole_mean"}
    assert "changes when periods after 2024-03-01 go" in found[0].evidence


def test_a_scale_fitted_on_the_whole_panel_at_encoding_time_would_be_found():
    panel = make_panel()

    def scaled(panel, cutoff):
        return {"temperature": panel.channels["temperature"].values[:, : cutoff + 1].max(axis=1)}

    def leaking(panel, cutoff):
        return {"temperature": panel.channels["temperature"].values.max(axis=1)}

    assert truncation_leaks(scaled, panel, [60], 14) == []
    panel.channels["temperature"].values[:, 100] = 99
    assert len(truncation_leaks(leaking, panel, [60], 14)) == 1


def test_a_panel_too_short_to_judge_gives_no_leak():
    panel, spec = with_channel(make_panel(num_periods=6), np.zeros((6, 6)), known=False)
    assert rebuilding_leaks(panel, spec) == []
