import numpy as np
import pytest

from invopt.config import load_config
from invopt.evaluation import Window
from invopt.forecasts import ForecastArrays
from invopt.hierarchy import Hierarchy, score_levels
from tests.builders import make_panel

LEVELS = ((), ("location",), ("product", "region"), ("unique_id",))


def slow_wrmsse(panel, cutoff, forecast, actual):
    """One group at a time, as the guide words it."""
    parts = []
    price = panel.channel_by_series("price")
    for columns in LEVELS:
        keys = (
            panel.series[list(columns)].astype(str).agg("|".join, axis=1)
            if columns
            else panel.series["unique_id"].map(lambda _: "")
        )
        revenue, errors = [], []
        for key in sorted(set(keys)):
            rows = np.flatnonzero(keys == key)
            history = panel.y[rows, : cutoff + 1].astype(float).sum(0)
            sold = history[np.flatnonzero(history > 0)[0] :]
            scale = np.mean(np.diff(sold) ** 2)
            error = np.mean((forecast[rows].sum(0) - actual[rows].sum(0)) ** 2)
            errors.append((error / scale) ** 0.5)
            last = slice(cutoff - 27, cutoff + 1)
            revenue.append((panel.y[rows, last] * price[rows, last]).sum())
        parts.append(np.average(errors, weights=revenue))
    return np.mean(parts)


def test_wrmsse_equals_the_guides_words():
    panel = make_panel(num_series=6, num_periods=120, late=40)
    rng = np.random.default_rng(0)
    forecast = rng.gamma(2, 2, (6, 14))
    actual = panel.y[:, 100:114].astype(float)
    hierarchy = Hierarchy.of(panel, 99, LEVELS)
    score, parts = hierarchy.wrmsse(forecast, actual)
    assert score == pytest.approx(slow_wrmsse(panel, 99, forecast, actual))
    assert len(parts) == len(LEVELS)
    for level in hierarchy.levels:
        assert level.weight.sum() == pytest.approx(1)


def test_adding_up_loses_no_unit():
    panel = make_panel()
    for level in Hierarchy.of(panel, 99, LEVELS).levels:
        total = level.add_up(panel.y[:, 100:110])
        np.testing.assert_allclose(total.sum(0), panel.y[:, 100:110].sum(0))


@pytest.mark.slow
def test_the_published_scores_of_m5_are_met(tmp_path, real_data):
    """Seasonal naive 0.8697 and naive 1.4639 on the validation window d_1914..d_1941."""
    from invopt.panel import load_panel
    from invopt.sources import load_mapping, read_dataset
    from tests.builders import CONFIGS

    levels = load_config(CONFIGS / "m5.yaml").evaluation.hierarchy
    mapping = load_mapping(CONFIGS / "datasets" / "m5.yaml")
    read_dataset(mapping, real_data / "m5", tmp_path / "m5")
    panel = load_panel(tmp_path / "m5")
    hierarchy = Hierarchy.of(panel, 1912, levels)
    actual = panel.y[:, 1913:1941]
    seasonal, _ = hierarchy.wrmsse(np.tile(panel.y[:, 1906:1913], (1, 4)), actual)
    naive, _ = hierarchy.wrmsse(np.repeat(panel.y[:, 1912:1913], 28, axis=1), actual)
    assert seasonal == pytest.approx(0.8697, abs=1e-4)
    assert naive == pytest.approx(1.4639, abs=1e-4)


def test_unobserved_and_unknown_periods_do_not_count():
    panel = make_panel(num_series=6, num_periods=120)
    actual = np.full((6, 14), np.nan, np.float32)
    actual[:, :10] = panel.y[:, 100:110]
    actual[2, 4] = np.nan
    mean = np.full((6, 14), 3, np.float32)
    forecast = ForecastArrays(
        mean, np.empty((6, 14, 0)), np.empty((6, 14, 0)), (), (), is_count=True
    )
    found = score_levels([Window(99, forecast, actual)], panel, LEVELS)
    filled = mean[:, :10].copy()
    filled[2, 4] = 0
    expected = slow_wrmsse(panel, 99, filled, np.nan_to_num(actual[:, :10]))
    assert found["wrmsse"] == pytest.approx(expected)
    assert list(found) == ["wrmsse", "all", "location", "product+region", "unique_id"]


def test_a_series_without_any_change_yet_has_no_scale_and_does_not_count():
    panel = make_panel(num_series=6)
    panel.y[0] = 0
    panel.y[0, 100] = 3  # its first sale is the last day that is looked at
    hierarchy = Hierarchy.of(panel, 100, LEVELS)
    actual = panel.y[:, 101:115]
    score, parts = hierarchy.wrmsse(actual + 1.0, actual)
    assert np.isfinite(parts).all()
    assert score == pytest.approx(np.mean(parts))
