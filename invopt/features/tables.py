"""Panels as feature tables and back: one row per series or group, history as arrays.

These are the rows a feature store keeps. Offline, a row holds the whole history known at its
time stamp; online, the stretch a forecast looks at. Training and serving rebuild the same panel
from them with `panel_from_tables`, and encode it with the same code.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from invopt.features.build import feature_names, step_features
from invopt.features.encoder import FeatureEncoder
from invopt.features.spec import FeatureSpec
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, UNOBSERVED, Channel, Flag, Panel
from invopt.timeline import Timeline
from invopt.types import Float32Array

SERIES_KEY = "unique_id"
GROUP_KEY = "group_id"
TIMESTAMP = "event_timestamp"
CREATED = "created"
SALES = "sales"
ON_SALE = "periods_on_sale"
GROUP_PERIODS = "periods"
_PREFIX = "channel_"


@dataclass(frozen=True)
class TableLayout:
    """What the feature tables of one data set hold; saved with them and with the model.

    Attributes:
        freq: Of the panel.
        static: Columns of the series table, text or number, with their kind.
        series_channels: Channels by series, in order, with what else a Channel needs.
        group_channels: Channels by group, likewise.
        features: Columns of the snapshot table.
        lookback: Periods of an online window.
        num_future: Periods ahead of an online window.
    """

    freq: str
    static: dict[str, str]
    series_channels: tuple[dict[str, Any], ...]
    group_channels: tuple[dict[str, Any], ...]
    features: tuple[str, ...]
    lookback: int
    num_future: int

    @classmethod
    def of(cls, panel: Panel, spec: FeatureSpec) -> "TableLayout":
        """Return the layout a panel's tables have for a model's features."""
        static = {
            str(c): "number" if pd.api.types.is_numeric_dtype(panel.series[c]) else "text"
            for c in panel.series.columns
            if c != SERIES_KEY
        }
        own: list[dict[str, Any]] = []
        grouped: list[dict[str, Any]] = []
        for channel in panel.channels.values():
            head = {
                "name": channel.name,
                "domain": channel.domain,
                "level": channel.level,
                "known": channel.known,
                "fill": channel.fill,
            }
            (own if channel.level == SERIES_LEVEL else grouped).append(head)
        return cls(
            panel.timeline.freq,
            static,
            tuple(own),
            group_channels=tuple(grouped),
            features=tuple(_clean_name(n) for n in feature_names(spec).step),
            lookback=spec.config.lookback,
            num_future=spec.config.num_future,
        )

    @property
    def series_fields(self) -> list[str]:
        """Feature names of the channels by series."""
        return [self.field_of(head["name"]) for head in self.series_channels]

    @property
    def group_fields(self) -> list[str]:
        """Feature names of the channels by group."""
        return [self.field_of(head["name"]) for head in self.group_channels]

    def save(self, path: Path) -> None:
        """Write the layout as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> "TableLayout":
        """Read a layout written by save."""
        content = json.loads(path.read_text())
        lists = ("series_channels", "group_channels", "features")
        return cls(**(content | {name: tuple(content[name]) for name in lists}))

    def field_of(self, name: str) -> str:
        """Return the feature name of a channel: letters, digits and underscores only."""
        heads = [*self.series_channels, *self.group_channels]
        names = [h["name"] for h in heads]
        return f"{_PREFIX}{names.index(name):03d}_{_clean_name(name)}"


def series_table(
    panel: Panel, layout: TableLayout, created: pd.Timestamp, *, window: int | None = None
) -> pa.Table:
    """Return one row per series: its sales, channels and static columns as of the last period.

    Args:
        panel: Cleaned, with derived channels.
        layout: Of the tables.
        created: When the row was made; a later one corrects an earlier one.
        window: Periods kept; all by default. A window keeps only layout.num_future future ones.
    """
    first = 0 if window is None else max(0, panel.num_periods - window)
    columns: dict[str, Any] = _stamps(panel, created, panel.num_series)
    columns[SERIES_KEY] = pa.array(panel.unique_ids.astype(str))
    columns[SALES] = _lists(_signed_sales(panel, first))
    columns[ON_SALE] = pa.array(panel.num_periods - panel.launch())
    for name, kind in layout.static.items():
        values = panel.series[name]
        columns[name] = (
            pa.array(values.to_numpy(np.float64))
            if kind == "number"
            else pa.array(values.astype(str))
        )
    for head in layout.series_channels:
        channel = panel.channels[head["name"]]
        columns[layout.field_of(channel.name)] = _lists(
            _stretch(channel, panel.num_periods, first, layout, window)
        )
    return pa.table(columns)


def group_table(
    panel: Panel, layout: TableLayout, created: pd.Timestamp, *, window: int | None = None
) -> pa.Table:
    """Return one row per group of every level that has channels; see series_table.

    The key is LEVEL=GROUP; a channel of another level is null. GROUP_PERIODS is the number of
    periods up to the time stamp: values beyond them are known ahead.
    """
    first = 0 if window is None else max(0, panel.num_periods - window)
    keys = sorted({_group_id(c.level, g) for c in _group_channels(panel, layout) for g in c.groups})
    columns: dict[str, Any] = _stamps(panel, created, len(keys))
    columns[GROUP_KEY] = pa.array(keys, pa.string())
    columns[GROUP_PERIODS] = pa.array([panel.num_periods - first] * len(keys), pa.int64())
    place = {key: row for row, key in enumerate(keys)}
    for channel in _group_channels(panel, layout):
        values = _stretch(channel, panel.num_periods, first, layout, window)
        lists: list[Any] = [None] * len(keys)
        for row, group in enumerate(channel.groups):
            lists[place[_group_id(channel.level, group)]] = values[row]
        columns[layout.field_of(channel.name)] = pa.array(lists, pa.list_(pa.float32()))
    return pa.table(columns)


def group_ids(columns: Mapping[str, Any], layout: TableLayout) -> set[str]:
    """Return the keys of the groups that some series belong to.

    Args:
        columns: Static columns of the series, values by row; a frame will do.
        layout: Of the tables.
    """
    found = set()
    for level in {head["level"] for head in layout.group_channels}:
        if level == ALL_LEVEL:
            found.add(_group_id(level, ""))
            continue
        names = zip(*(columns[name] for name in level.split("+")), strict=True)
        found |= {_group_id(level, "|".join(map(str, name))) for name in names}
    return found


def panel_from_tables(
    series_rows: Mapping[str, Any], group_rows: Mapping[str, Any], layout: TableLayout
) -> Panel:
    """Return the panel that feature rows describe; rows ascend by unique_id.

    Histories end at the rows' time stamp and have one length.

    Args:
        series_rows: Values by column of series_table: sequences, lists of numbers for arrays.
        group_rows: Likewise of group_table; may be empty when there are no group channels.
        layout: Of the tables.
    """
    sales = sales_panel(series_rows, layout)
    ids = [str(key) for key in series_rows[SERIES_KEY]]
    series = sales.series
    for name, kind in layout.static.items():
        series[name] = np.array(series_rows[name], np.float64 if kind == "number" else object)
    channels = [
        _channel(head, tuple(ids), _dense(series_rows[layout.field_of(head["name"])]))
        for head in layout.series_channels
    ]
    keys = [str(key) for key in group_rows[GROUP_KEY]] if layout.group_channels else []
    for head in layout.group_channels:
        values = group_rows[layout.field_of(head["name"])]
        at = [row for row, key in enumerate(keys) if key.startswith(head["level"] + "=")]
        groups = tuple(keys[row].split("=", 1)[1] for row in at)
        channels.append(_channel(head, groups, _dense([values[row] for row in at])))
    return sales.with_channels(channels)


def sales_panel(series_rows: Mapping[str, Any], layout: TableLayout) -> Panel:
    """Return the rows' sales alone, as a panel without channels or static columns."""
    code = _dense(series_rows[SALES])
    num_periods = code.shape[1]
    y = np.where(code >= 0, code, -code - 1)
    flags = np.where(code >= 0, 0, Flag.MISSING).astype(np.uint8)
    on_sale = np.asarray(series_rows[ON_SALE], np.int64)
    flags[np.arange(num_periods) < (num_periods - on_sale)[:, None]] = Flag.BEFORE_LAUNCH
    known_at = pd.Timestamp(series_rows[TIMESTAMP][0]).tz_localize(None)
    timeline = _ending_at(known_at, layout.freq, num_periods)
    whole = np.array_equal(y, np.rint(y)) and float(np.max(y, initial=0)) < np.iinfo(np.int16).max
    y = y.astype(np.int16) if whole else y.astype(np.float32)
    ids = np.array([str(key) for key in series_rows[SERIES_KEY]], dtype=object)
    return Panel(timeline, pd.DataFrame({SERIES_KEY: ids}), y, flags)


def snapshot_table(
    panel: Panel, spec: FeatureSpec, created: pd.Timestamp, cutoffs: list[int]
) -> pa.Table:
    """Return the model's own step features of every series at some cutoffs, one column each.

    For drift reports and analysis: unique_id, event_timestamp, created, then a float per feature.
    """
    # One step is enough: the last one's features do not depend on the steps before it.
    spec = _single_step(spec)
    encoded = FeatureEncoder(spec).encode(panel)
    names = feature_names(spec).step
    blocks = []
    for cutoff in cutoffs:
        for first in range(0, panel.num_series, 4096):
            rows = np.arange(first, min(first + 4096, panel.num_series))
            blocks.append(step_features(spec, encoded, rows, np.full(len(rows), cutoff))[:, -1])
    values = np.concatenate(blocks)
    stamps = pd.DatetimeIndex([_known_at(panel.timeline, cutoff) for cutoff in cutoffs])
    columns: dict[str, Any] = {
        SERIES_KEY: pa.array(np.tile(panel.unique_ids.astype(str), len(cutoffs))),
        TIMESTAMP: pa.array(stamps.repeat(panel.num_series), pa.timestamp("us", "UTC")),
        CREATED: pa.array([created] * len(values), pa.timestamp("us", "UTC")),
    }
    for number, name in enumerate(names):
        columns[_clean_name(name)] = pa.array(values[:, number])
    return pa.table(columns)


def _clean_name(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name)


def _single_step(spec: FeatureSpec) -> FeatureSpec:
    return FeatureSpec(
        **(vars(spec) | {"config": spec.config.model_copy(update={"context_steps": 1})})
    )


def _group_channels(panel: Panel, layout: TableLayout) -> list[Channel]:
    return [panel.channels[head["name"]] for head in layout.group_channels]


def _group_id(level: str, group: str) -> str:
    return f"{level}={group}"


def _known_at(timeline: Timeline, cutoff: int) -> pd.Timestamp:
    """Return when the sales of a period are known: at the start of the next one."""
    return timeline.date(cutoff + 1).tz_localize("UTC")


def _ending_at(known_at: pd.Timestamp, freq: str, num_periods: int) -> Timeline:
    start = Timeline(known_at, freq, 0).date(-num_periods)
    return Timeline(start, freq, num_periods)


def _stamps(panel: Panel, created: pd.Timestamp, num: int) -> dict[str, Any]:
    known_at = _known_at(panel.timeline, panel.num_periods - 1)
    return {
        TIMESTAMP: pa.array([known_at] * num, pa.timestamp("us", "UTC")),
        CREATED: pa.array([created] * num, pa.timestamp("us", "UTC")),
    }


def _signed_sales(panel: Panel, first: int) -> Float32Array:
    y = panel.usual_sales(first).astype(np.float32)
    unobserved = (np.asarray(panel.flags[:, first:]) & UNOBSERVED) != 0
    return np.where(unobserved, -y - 1, y)


def _stretch(
    channel: Channel, num_periods: int, first: int, layout: TableLayout, window: int | None
) -> Float32Array:
    if not channel.known:
        stop = num_periods
    elif window is None:
        stop = channel.values.shape[1]
    else:
        stop = min(channel.values.shape[1], num_periods + layout.num_future)
    return np.asarray(channel.values[:, first:stop], np.float32)


def _lists(values: Float32Array) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).ravel())
    offsets = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def _dense(rows: Any) -> Float32Array:
    """Return rows of equal length as (row, period)."""
    if isinstance(rows, np.ndarray):
        return rows
    if isinstance(rows, pa.ChunkedArray):
        rows = rows.combine_chunks()
    if isinstance(rows, pa.ListArray):
        flat = rows.flatten().to_numpy(zero_copy_only=False)
        return flat.astype(np.float32, copy=False).reshape(len(rows), -1)
    return np.array([np.asarray(values, np.float32) for values in rows], np.float32)


def _channel(head: dict[str, Any], groups: tuple[str, ...], values: Float32Array) -> Channel:
    return Channel(
        head["name"],
        head["domain"],
        head["level"],
        groups=groups,
        known=head["known"],
        values=values,
        fill=head["fill"],
    )
