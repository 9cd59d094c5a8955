import numpy as np
import pandas as pd
import pytest

from benchmarks.newsvendor import (
    costs,
    forest_features,
    law_quantities,
    overall_quantities,
    published_series,
)
from invopt.panel import Panel
from invopt.timeline import Timeline


def poisson_panel(num_series=30, num_periods=800):
    """Poisson sales around a level per series and a factor per weekday."""
    rng = np.random.default_rng(0)
    timeline = Timeline(pd.Timestamp("2024-01-01"), "D", num_periods)
    weekday = np.linspace(0.7, 1.3, 7)[timeline.dates(0, num_periods).weekday]
    y = rng.poisson(rng.uniform(20, 90, (num_series, 1)) * weekday).astype(np.float32)
    series = pd.DataFrame({"unique_id": [f"{i:02d}" for i in range(num_series)]})
    return Panel(timeline, series, y, np.zeros(y.shape, np.uint8))


def test_a_cost_is_that_of_units_short_and_units_left():
    # at service .9 a unit short costs 9 and a unit left 1, at .1 the other way round
    quantities = np.full((5, 1, 2), 10.0)
    assert costs(quantities, np.array([[12.0, 7.0]])) == pytest.approx([
        (2 * 1 + 3 * 9) / 2, (2 * 2.5 + 3 * 7.5) / 2, 12.5, (2 * 7.5 + 3 * 2.5) / 2,
        (2 * 9 + 3 * 1) / 2,
    ])  # fmt: skip


def test_quantiles_of_each_days_law_cost_what_a_poisson_law_costs():
    panel = poisson_panel()
    first, stop = 600, 800
    demand = np.asarray(panel.y[:, first:stop], np.float64)
    found = law_quantities(panel, first, stop)
    shares = [(demand <= quantity).mean() for quantity in found]
    np.testing.assert_allclose(shares, [0.1, 0.25, 0.5, 0.75, 0.9], atol=0.05)  # whole units
    known, overall = costs(found, demand), costs(overall_quantities(panel, first, stop), demand)
    assert all(k < o for k, o in zip(known, overall, strict=True))


def test_features_of_the_day_before_do_not_know_the_day():
    panel = poisson_panel(num_series=1)
    y = np.asarray(panel.y[0], np.float64)
    other = y.copy()
    other[500] += 1000
    for lag, knows in ((1, False), (0, True)):
        before, after = (forest_features(panel, sales, lag)[500] for sales in (y, other))
        assert np.array_equal(before, after) is not knows


def test_series_that_rarely_sell_are_not_among_the_published():
    panel = poisson_panel(num_series=2)
    panel.y[0, ::4] = 0
    assert published_series(panel).tolist() == [False, True]
