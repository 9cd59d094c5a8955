import numpy as np
import pandas as pd

from invopt.features import FeatureEncoder, feature_names, step_features
from invopt.features.tables import (
    TableLayout,
    group_ids,
    group_table,
    panel_from_tables,
    series_table,
    snapshot_table,
)
from invopt.panel import Flag
from tests.builders import make_config, make_panel, with_derived

NOW = pd.Timestamp("2024-06-01", tz="UTC")


def prepared():
    config = make_config()
    panel = with_derived(make_panel(late=30), config)
    panel.flags[0, 50:53] = Flag.CENSORED
    spec = FeatureEncoder.fit(panel, config.features, 100).spec
    return panel, spec, TableLayout.of(panel, spec)


def rebuilt(panel, layout, window=None):
    series = series_table(panel, layout, NOW, window=window)
    groups = group_table(panel, layout, NOW, window=window)
    return panel_from_tables(series.to_pydict(), groups.to_pydict(), layout)


def test_a_panel_survives_being_feature_rows():
    panel, _, layout = prepared()
    back = rebuilt(panel, layout)
    assert back.timeline == panel.timeline
    assert np.array_equal(back.y, panel.y)
    assert np.array_equal(back.is_observed, panel.is_observed)
    assert np.array_equal(back.launch(), panel.launch())
    assert back.series.equals(panel.series)
    for name, channel in panel.channels.items():
        other = back.channels[name]
        assert (other.level, other.groups, other.known) == (
            channel.level,
            channel.groups,
            channel.known,
        )
        assert np.array_equal(other.values, channel.values, equal_nan=True)


def test_an_online_window_gives_the_inputs_of_the_whole_history():
    from invopt.features import model_inputs

    panel, spec, layout = prepared()
    encoder = FeatureEncoder(spec)
    window = rebuilt(panel, layout, window=layout.lookback)
    assert window.num_periods == layout.lookback
    rows = np.arange(panel.num_series)
    whole = model_inputs(
        spec, encoder.encode(panel), rows, np.full(len(rows), panel.num_periods - 1)
    )
    part = model_inputs(
        spec, encoder.encode(window), rows, np.full(len(rows), window.num_periods - 1)
    )
    for ours, theirs in zip(whole, part, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_rows_are_known_at_the_start_of_the_next_period():
    panel, _, layout = prepared()
    table = series_table(panel, layout, NOW)
    known = set(table["event_timestamp"].to_pylist())
    assert known == {panel.timeline.date(panel.num_periods).tz_localize("UTC").to_pydatetime()}


def test_groups_are_named_by_level_and_group():
    panel, _, layout = prepared()
    ids = group_ids(panel.series, layout)
    assert "region=north" in ids
    assert "location+category=s0|fresh" in ids
    assert set(ids) == set(group_table(panel, layout, NOW)["group_id"].to_pylist())


def test_a_snapshot_holds_the_models_own_features():
    panel, spec, _ = prepared()
    table = snapshot_table(panel, spec, NOW, [90, 97]).to_pandas()
    assert len(table) == 2 * panel.num_series
    encoded = FeatureEncoder(spec).encode(panel)
    rows = np.arange(panel.num_series)
    steps = step_features(spec, encoded, rows, np.full(len(rows), 97))[:, -1]
    at = feature_names(spec).step.index("mean_sales_28")
    np.testing.assert_allclose(table["mean_sales_28"].iloc[len(rows) :], steps[:, at])


def test_a_layout_survives_saving(tmp_path):
    _, _, layout = prepared()
    layout.save(tmp_path / "layout.json")
    assert TableLayout.load(tmp_path / "layout.json") == layout
