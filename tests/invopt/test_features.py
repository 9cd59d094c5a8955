import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.errors import ConfigError, ContractError
from invopt.features import (
    FeatureEncoder,
    FeatureSpec,
    derived_channels,
    feature_names,
    log_offset,
    model_inputs,
    own_channels,
    planned_features,
    step_features,
)
from invopt.features.calendar import calendar_features, calendar_names
from invopt.features.first_level import fit_launch_model
from invopt.features.spec import matches, standardise
from invopt.panel import SERIES_LEVEL, Channel, Flag
from invopt.timeline import Timeline
from tests.builders import SMALL_FEATURES, make_panel

CONFIG = SMALL_FEATURES


def prepared(config=CONFIG, **kwargs):
    panel = derived(make_panel(**kwargs), config)
    return panel, FeatureEncoder.fit(panel, config, panel.num_periods)


def derived(panel, config=CONFIG):
    return panel.with_channels([*derived_channels([panel], config), *own_channels(panel, config)])


def with_price_known_late(panel):
    price = replace(panel.channels["price"], known=False)
    values = price.values[:, : panel.num_periods]
    return panel.with_channels([replace(price, values=values)])


def column(spec, steps, name):
    return steps[..., feature_names(spec).step.index(name)]


def test_moving_averages_and_lags_equal_a_slow_obvious_loop():
    panel, encoder = prepared(late=90)
    panel.flags[0, 100:103] = Flag.CENSORED
    encoded = encoder.encode(panel)
    end = panel.num_periods - 3
    rows = np.arange(panel.num_series)
    steps = step_features(encoder.spec, encoded, rows, np.full(len(rows), end))
    for row in rows:
        for step, last in enumerate(range(end - 21, end + 1, 7)):
            mean = encoded.launch_level[row]
            for window in sorted(CONFIG.windows, reverse=True):
                seen = [
                    panel.y[row, t]
                    for t in range(max(0, last - window + 1), last + 1)
                    if panel.is_observed[row, t]
                ]
                mean = np.mean(seen) if seen else mean
                found = column(encoder.spec, steps, f"mean_sales_{window}")[row, step]
                assert found == pytest.approx(np.log1p(mean), rel=1e-5)
            for lag in range(7):
                expected = np.log1p(panel.y[row, last - lag])
                found = column(encoder.spec, steps, f"sales_lag_{lag}")[row, step]
                assert found == pytest.approx(expected, rel=1e-6)


def test_a_product_without_history_starts_at_the_level_of_products_like_it():
    panel = make_panel(num_series=120, num_periods=120)
    fresh = (panel.series["category"] == "fresh").to_numpy()
    panel.y[fresh], panel.y[~fresh] = 12, 2
    new = np.array([int(np.flatnonzero(fresh)[0]), int(np.flatnonzero(~fresh)[0])])
    panel.y[new], panel.flags[new] = 0, Flag.BEFORE_LAUNCH
    panel = panel.with_channels(derived_channels([panel], CONFIG))
    encoder = FeatureEncoder.fit(panel, CONFIG, panel.num_periods)
    encoded = encoder.encode(panel)
    steps = step_features(encoder.spec, encoded, new, np.array([119, 119]))
    assert np.exp(log_offset(encoder.spec, steps[:, -1])) == pytest.approx([12, 2], rel=0.1)


def test_stock_turnover_is_the_share_of_stock_sold_over_the_longest_window():
    config = CONFIG.model_copy(update={"windows": (2, 4), "offset_weights": (0.5, 0.5)})
    panel = make_panel(num_series=2, num_periods=6, future=0)
    panel.y[:] = [[2, 2, 2, 2, 2, 2], [1, 0, 0, 0, 0, 3]]
    stock = np.array([[4, 4, 4, 4, 9, 9], [np.nan, np.nan, np.nan, np.nan, np.nan, 0]])
    own = tuple(panel.unique_ids)
    channel = Channel("on_hand", "stock", SERIES_LEVEL, own, False, stock.astype(np.float32))
    turnover, _ = own_channels(panel.with_channels([channel]), config)
    assert np.expm1(turnover.values[0]) == pytest.approx([0.5, 0.5, 0.5, 0.5, 8 / 21, 8 / 26])
    assert np.isnan(turnover.values[1, :5]).all()
    assert np.expm1(turnover.values[1, 5]) == pytest.approx(1.0)
    without = config.model_copy(update={"monthly_sales": 0})
    assert own_channels(panel, without) == []


def test_sales_per_month_are_the_average_of_the_observed_periods_of_a_year_or_since_launch():
    config = CONFIG.model_copy(update={"monthly_sales": 12})
    panel = make_panel(num_series=2, num_periods=800, late=500)
    panel.y[:] = 3
    panel.y[0, :300], panel.y[0, 790:] = 9, 0
    panel.flags[0, 790:] = Flag.CENSORED
    [monthly] = own_channels(panel, config)
    month = 365.25 / 12
    assert np.expm1(monthly.values[0, [100, 300, 799]]) == pytest.approx(
        [9 * month, (300 * 9 + 3) / 301 * month, 3 * month]
    )
    assert np.isnan(monthly.values[1, :500]).all()
    assert np.expm1(monthly.values[1, [500, 799]]) == pytest.approx(3 * month)


@pytest.mark.parametrize(("freq", "month"), [("W-MON", 365.25 / 12 / 7), ("MS", 1)])
def test_sales_per_month_count_weeks_and_months_too(freq, month):
    panel = make_panel(freq=freq, start="2010-01-04", future=0)
    panel.y[:] = 7
    [monthly] = own_channels(panel, CONFIG)
    assert np.expm1(monthly.values) == pytest.approx(7 * month)


def test_a_product_out_of_stock_keeps_the_level_of_its_longer_history():
    panel, _ = prepared()
    panel.y[0], panel.flags[0, 100:] = 8, Flag.CENSORED
    encoder = FeatureEncoder.fit(panel, CONFIG, panel.num_periods)
    encoded = encoder.encode(panel)
    steps = step_features(encoder.spec, encoded, np.array([0]), np.array([119]))
    assert np.exp(log_offset(encoder.spec, steps[0, -1])) == pytest.approx(8.05, rel=1e-3)


def test_a_launch_model_without_any_sale_gives_the_floor():
    model = fit_launch_model(
        np.array([np.nan, 0.0]), np.array([[1], [2]]), np.zeros((2, 1), np.float32), (2,)
    )
    levels = model.levels(np.array([[0], [2]]), np.zeros((2, 1), np.float32))
    assert levels == pytest.approx([0.05, 0.05])


def test_time_since_sale_and_launch_count_periods_up_to_the_longest_window():
    panel, encoder = prepared(late=100)
    panel.y[0, 70:] = 0
    panel.y[0, 69] = 4
    encoded = encoder.encode(panel)
    ends = np.array([80, 119])
    steps = step_features(encoder.spec, encoded, np.array([0, panel.num_series - 1]), ends)
    since = np.expm1(column(encoder.spec, steps, "periods_since_sale")[0, -1])
    assert since == pytest.approx(11)  # sold on 69, now 80
    age = np.expm1(column(encoder.spec, steps, "periods_since_launch")[1, -1])
    assert age == pytest.approx(19)  # launched on 100, now 119


@pytest.mark.parametrize("freq", ["D", "W-MON", "MS"])
def test_numpy_and_torch_give_the_same_features_bit_for_bit(freq):
    config = CONFIG.model_copy(update={"patch": 1, "context_steps": 6}) if freq != "D" else CONFIG
    panel, encoder = prepared(config, freq=freq, start="2012-01-01")
    encoded = encoder.encode(panel)
    tensors = encoded.map(torch.from_numpy)
    rows, ends = np.array([0, 3, 5]), np.array([30, 80, 119])
    ours = step_features(encoder.spec, encoded, rows, ends)
    theirs = step_features(
        encoder.spec, tensors, torch.from_numpy(rows), torch.from_numpy(ends)
    ).numpy()
    assert np.array_equal(ours, theirs)
    origins = ends[:, None]
    planned = planned_features(encoder.spec, encoded, rows, origins)
    assert np.array_equal(
        planned,
        planned_features(
            encoder.spec, tensors, torch.from_numpy(rows), torch.from_numpy(origins)
        ).numpy(),
    )


@given(seed=st.integers(0, 500), cut=st.integers(40, 119), price_known=st.booleans())
@settings(max_examples=15, deadline=None)
def test_no_feature_changes_when_the_future_is_deleted(seed, cut, price_known):
    panel = make_panel(seed=seed, late=20)
    panel = derived(panel if price_known else with_price_known_late(panel))
    encoder = FeatureEncoder.fit(panel, CONFIG, panel.num_periods)
    rows = np.arange(panel.num_series)
    ends = np.full(len(rows), cut - 1)
    whole = model_inputs(encoder.spec, encoder.encode(panel), rows, ends)
    part = derived(panel.truncate(cut, num_future=CONFIG.num_future))
    for ours, theirs in zip(
        whole, model_inputs(encoder.spec, encoder.encode(part), rows, ends), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_no_feature_needs_more_than_the_lookback():
    panel, encoder = prepared(num_periods=200, late=30)
    rows = np.arange(panel.num_series)
    last = panel.num_periods - 1
    whole = model_inputs(encoder.spec, encoder.encode(panel), rows, np.full(len(rows), last))
    first = panel.num_periods - CONFIG.lookback
    window = panel.truncate(panel.num_periods)
    window = type(panel)(
        window.timeline.__class__(panel.timeline.date(first), "D", CONFIG.lookback),
        panel.series,
        panel.y[:, first:],
        panel.flags[:, first:],
        {
            n: c.__class__(
                c.name, c.domain, c.level, c.groups, c.known, c.values[:, first:], c.fill
            )
            for n, c in panel.channels.items()
        },
    )
    ends = np.full(len(rows), CONFIG.lookback - 1)
    for ours, theirs in zip(
        whole, model_inputs(encoder.spec, encoder.encode(window), rows, ends), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_scales_are_fitted_on_the_training_range_only():
    panel = make_panel()
    panel.channels["temperature"].values[:, 60:] = 1e6
    early = FeatureEncoder.fit(panel, CONFIG.model_copy(update={"aggregates": ()}), 60).spec
    [temperature] = early.shared_past
    assert abs(temperature.mean) < 100
    assert early.trained_until == "2024-02-29"


def test_the_offset_is_the_log_of_the_weighted_averages():
    panel, encoder = prepared()
    encoded = encoder.encode(panel)
    rows = np.arange(panel.num_series)
    steps = step_features(encoder.spec, encoded, rows, np.full(len(rows), 119))
    expected = 0.05 + 0.5 * panel.y[:, 106:120].mean(1) + 0.5 * panel.y[:, 92:120].mean(1)
    np.testing.assert_allclose(np.exp(log_offset(encoder.spec, steps[:, -1])), expected, rtol=1e-5)


def test_an_unknown_category_reads_as_index_zero():
    panel, encoder = prepared()
    panel.series.loc[0, "category"] = "never seen"
    encoded = encoder.encode(panel)
    at = list(encoder.spec.categories).index("category")
    assert encoded.static_ids[0, at] == 0
    assert (encoded.static_ids[1:, at] > 0).all()


def test_a_spec_survives_saving(tmp_path):
    _, encoder = prepared()
    encoder.spec.save(tmp_path / "spec.json")
    assert FeatureSpec.load(tmp_path / "spec.json") == encoder.spec


def test_a_spec_knows_what_said_nothing_in_training_and_one_of_before_reads_as_all_that_spoke(
    tmp_path,
):
    panel = make_panel()
    plan = panel.channels["promotion"]
    spoken = np.where(np.arange(plan.values.shape[1]) < panel.num_periods - 14, 0.0, plan.values)
    panel = derived(panel.with_channels([replace(plan, values=spoken.astype(np.float32))]))
    spec = FeatureEncoder.fit(panel, CONFIG, panel.num_periods - 14).spec
    assert spec.silent == ("promotion",)
    spec.save(tmp_path / "spec.json")
    assert FeatureSpec.load(tmp_path / "spec.json").silent == ("promotion",)
    content = json.loads((tmp_path / "spec.json").read_text())
    del content["silent"]
    (tmp_path / "spec.json").write_text(json.dumps(content))
    assert FeatureSpec.load(tmp_path / "spec.json").silent == ()


def test_a_panel_without_a_needed_channel_is_refused_by_name():
    panel, encoder = prepared()
    poorer = panel.__class__(panel.timeline, panel.series, panel.y, panel.flags, {})
    with pytest.raises(ContractError, match="promotion"):
        encoder.encode(poorer)


def test_a_pattern_that_matches_nothing_is_refused():
    config = CONFIG.model_copy(update={"channels": ("prise",)})
    with pytest.raises(ConfigError, match="nothing matches 'prise'"):
        FeatureEncoder.fit(make_panel(), config, 60)


def test_an_aggregate_over_a_column_that_products_do_not_have_is_refused():
    config = CONFIG.model_copy(update={"aggregates": (("location", "colour"),)})
    with pytest.raises(ConfigError, match=r"features.aggregates: colour is not a column"):
        derived_channels([make_panel()], config)


def test_the_total_of_all_series_is_an_aggregate_of_every_data_set():
    panel = make_panel()
    [total] = derived_channels([panel], CONFIG.model_copy(update={"aggregates": (("all",),)}))[:1]
    assert (total.name, total.values.shape[0]) == ("sales@all", 1)


def test_a_price_that_is_known_once_charged_is_seen_and_not_planned():
    panel = derived(with_price_known_late(make_panel()))
    spec = FeatureEncoder.fit(panel, CONFIG, panel.num_periods).spec
    names = feature_names(spec)
    assert {"price", "price_to_own_mean", "price_to_category"} <= set(names.step)
    assert names.planned == ("promotion",)
    assert not panel.channels["log_price@category"].known


def test_planned_price_change_is_the_log_ratio_to_the_price_at_the_origin():
    panel, encoder = prepared()
    price = panel.channels["price"].values
    encoded = encoder.encode(panel)
    planned = planned_features(encoder.spec, encoded, np.array([2]), np.array([[100]]))
    change = planned[0, 0, :, feature_names(encoder.spec).planned.index("price_change")]
    np.testing.assert_allclose(change, np.log(price[2, 101:115] / price[2, 100]), atol=3e-3)


def test_fractional_sales_are_counted_in_their_own_unit():
    panel = make_panel()
    scaled = panel.__class__(
        panel.timeline, panel.series, panel.y * np.float32(0.37), panel.flags, panel.channels
    )
    spec = FeatureEncoder.fit(scaled, CONFIG.model_copy(update={"aggregates": ()}), 120).spec
    assert not spec.is_count
    positive = scaled.y[scaled.y > 0]
    assert spec.unit == pytest.approx(float(np.median(positive)))


def test_calendar_knows_weekday_and_shifted_events():
    panel, encoder = prepared()
    encoded = encoder.encode(panel)
    names = encoder.spec.calendar_columns
    monday = encoded.calendar[0, :, names.index("weekday_mon")]
    dates = pd.date_range("2024-01-01", periods=len(monday))
    assert np.array_equal(monday == 1, dates.weekday == 0)
    event = encoded.calendar[0, :, names.index("event=holiday")]
    ahead = encoded.calendar[0, :, names.index("event=holiday@+1")]
    assert np.array_equal(ahead[:-1], event[1:])


def test_each_day_belongs_to_one_month_and_a_week_to_that_of_its_middle():
    for freq, start, months in (("D", "2024-01-30", (0, 0, 1)), ("W-MON", "2024-01-22", (0, 1, 1))):
        names = calendar_names(CONFIG, freq)
        found = calendar_features(CONFIG, Timeline(pd.Timestamp(start), freq, 3), 3)
        chosen = found[:, names.index("month_jan") : names.index("month_dec") + 1]
        np.testing.assert_array_equal(chosen, np.eye(12)[list(months)])


def test_a_flag_reads_zero_or_one_however_rare_it_is():
    panel = make_panel()
    values = np.zeros((1, panel.num_periods + 14), np.float32)
    values[0, 50] = 1.0
    panel = panel.with_channels(
        [Channel("event=Feast", "external", "all", ("all",), True, values, "zero")]
    )
    panel = panel.with_channels(derived_channels([panel], CONFIG))
    encoder = FeatureEncoder.fit(panel, CONFIG, panel.num_periods)
    place = encoder.spec.calendar_columns.index("event=Feast")
    found = encoder.encode(panel).calendar[0, :, place]
    assert set(np.unique(found)) == {0.0, 1.0}


def test_a_value_that_training_never_saw_counts_as_little_more_than_the_most_it_saw():
    panel = make_panel()
    spend = np.zeros((panel.num_series, panel.num_periods + 20), np.float32)
    spend[:, panel.num_periods - 2 : panel.num_periods] = (10.0, 20.0)
    spend[:, panel.num_periods :] = 1e6
    channel = Channel(
        "spend", "promotions", SERIES_LEVEL, groups=tuple(panel.unique_ids), known=True,
        values=spend,
    )  # fmt: skip
    encoder = FeatureEncoder.fit(panel.with_channels([channel]), CONFIG, panel.num_periods)
    [scale] = [s for s in encoder.spec.planned if s.name == "spend"]
    assert (scale.lowest, scale.highest) == pytest.approx((-2.0, 22.0))
    found = standardise(np.array([20.0, 22.0, 1e6, -1e6, np.nan]), scale)
    assert found[1] == found[2]
    assert found[0] < found[1]
    assert found[3] == pytest.approx((-2.0 - scale.mean) / scale.scale)
    assert found[4] == 0


def test_a_flag_has_no_bounds_and_a_spec_written_before_there_were_any_is_read(tmp_path):
    panel, encoder = prepared()
    encoder.spec.save(tmp_path / "features.json")
    content = json.loads((tmp_path / "features.json").read_text())
    for name in ("static_numbers", "past", "shared_past", "planned", "calendar"):
        for scale in content[name]:
            del scale["lowest"], scale["highest"]
    (tmp_path / "features.json").write_text(json.dumps(content))
    old = FeatureSpec.load(tmp_path / "features.json")
    assert {s.highest for s in (*old.past, *old.planned, *old.calendar)} == {None}
    seen = [s for s in (*encoder.spec.planned, *encoder.spec.calendar) if s.scale == 1.0]
    assert {s.highest for s in seen} == {None}


def test_a_flag_that_comes_for_the_first_time_after_training_says_nothing():
    """A holiday of day 90, in a training of 80 days: nobody learned what it does."""
    panel = make_panel(num_periods=100)
    days = np.zeros((1, 114), np.float32)
    days[0, 90] = 1
    seen = np.array(days)
    seen[0, 40] = 1
    first, known = (
        Channel(f"holiday={name}", "external", "all", ("",), known=True, values=values)
        for name, values in (("first", days), ("known", seen))
    )
    spec = FeatureEncoder.fit(panel.with_channels([first, known]), SMALL_FEATURES, 80).spec
    bounds = {s.name: (s.lowest, s.highest) for s in spec.calendar if "holiday=" in s.name}
    assert bounds == {"holiday=first": (0.0, 0.0), "holiday=known": (None, None)}


@pytest.mark.parametrize(
    ("patterns", "fits"),
    [(["*"], True), (["*", "!temp*"], False), (["!rain", "*"], True), (["!temp*"], False)],
)
def test_a_pattern_after_an_exclamation_mark_leaves_out(patterns, fits):
    assert matches("temperature", patterns) is fits


def test_an_exclusion_that_fits_nothing_is_named():
    panel = make_panel()
    config = CONFIG.model_copy(update={"channels": ("*", "!temprature")})
    with pytest.raises(ConfigError, match="nothing matches '!temprature'"):
        FeatureEncoder.fit(panel, config, panel.num_periods)
