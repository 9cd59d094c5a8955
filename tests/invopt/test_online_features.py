import numpy as np
import pandas as pd
import pytest

from invopt.features import FeatureEncoder, model_inputs
from invopt.features.online import WindowEncoder
from invopt.features.tables import TableLayout, group_table, panel_from_tables, series_table
from tests.builders import make_config, make_panel, with_derived

CREATED = pd.Timestamp("2024-06-01", tz="UTC")


def online_rows(panel, layout, rows):
    """What the online store would hold of some series, and of all groups."""
    table = series_table(panel.select(rows), layout, CREATED, window=layout.lookback)
    groups = group_table(panel, layout, CREATED, window=layout.lookback)
    return (
        {name: table[name].to_pylist() for name in table.column_names},
        {name: groups[name].to_pylist() for name in groups.column_names},
    )


def dense(rows):
    lists = {n: np.array(v, np.float32) for n, v in rows.items() if isinstance(v[0], list)}
    return rows | lists


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("fractions", [False, True])
def test_windows_encode_to_the_inputs_of_the_panel_encoder(seed, fractions):
    config = make_config(features={"event_channels": ["event=*"], "event_leads": [2, -1]})
    panel = make_panel(num_series=9, num_periods=100, seed=seed, late=60)
    if fractions:
        panel = type(panel)(
            panel.timeline, panel.series, panel.y * np.float32(1.37), panel.flags, panel.channels
        )
    panel = with_derived(panel, config)
    spec = FeatureEncoder.fit(panel, config.features, 90).spec
    layout = TableLayout.of(panel, spec)
    chosen = np.sort(np.random.default_rng(seed).choice(9, 5, replace=False))
    rows, group_rows = online_rows(panel, layout, chosen)

    encoder = WindowEncoder(spec, layout)
    groups = encoder.groups_of(dense(rows), group_rows)
    ours = encoder.encode(dense(rows), groups)
    theirs = FeatureEncoder(spec).encode(panel_from_tables(rows, group_rows, layout))
    at = np.arange(5), np.full(5, ours.num_periods - 1)
    for a, b in zip(model_inputs(spec, ours, *at), model_inputs(spec, theirs, *at), strict=True):
        np.testing.assert_array_equal(a, b)


def test_groups_serve_later_rows_in_any_order_and_say_when_a_calendar_is_new():
    config = make_config(features={"channels": ["*"]})
    panel = with_derived(make_panel(num_series=12, num_periods=100), config)
    spec = FeatureEncoder.fit(panel, config.features, 90).spec
    layout = TableLayout.of(panel, spec)
    rows, group_rows = online_rows(panel, layout, np.arange(12))
    rows = dense(rows)
    encoder = WindowEncoder(spec, layout)
    first = {n: v[:1] for n, v in rows.items()}
    groups = encoder.groups_of(first, group_rows)
    turned = {n: v[::-1] for n, v in rows.items()}
    ours = encoder.encode(turned, groups)
    whole = encoder.encode(rows, groups)
    np.testing.assert_array_equal(ours.y[::-1], whole.y)
    np.testing.assert_array_equal(ours.trend_rows[0][::-1], whole.trend_rows[0])


def test_rows_of_a_calendar_group_not_seen_before_are_told():
    config = make_config()
    panel = make_panel(num_series=12, num_periods=100)
    holiday = panel.channels["event=holiday"]
    values = np.repeat(holiday.values, 2, axis=0)
    values[1] = 0
    local = type(holiday)(
        "event=holiday", "external", "region", ("north", "south"), True, values, "zero"
    )
    panel = with_derived(panel.with_channels([local]), config)
    spec = FeatureEncoder.fit(panel, config.features, 90).spec
    layout = TableLayout.of(panel, spec)
    rows, group_rows = online_rows(panel, layout, np.arange(12))
    rows = dense(rows)
    encoder = WindowEncoder(spec, layout)
    groups = encoder.groups_of({n: v[:1] for n, v in rows.items()}, group_rows)
    assert encoder.encode(rows, groups) is None
    groups = encoder.groups_of(rows, group_rows)
    assert len(set(encoder.encode(rows, groups).calendar_rows)) == 2
