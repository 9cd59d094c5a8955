"""From feature tables to the online store: bounded windows, a watermark, and no Python numbers.

Feast's own materialisation turns every number of an array into a Python object and back. Here
rows go from the offline store's Arrow columns to Feast's values as bytes; reading and writing
stay with the configured offline and online store. An interrupted run goes on after the last
batch it wrote; running it again changes nothing.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from invopt.files import write_json
from serving.settings import Settings

CHECKPOINT = "materialised.json"
WINDOW = timedelta(days=7)
_BATCH = 4096
_FLOAT_LIST_TAG = bytes([0x82, 0x01])  # field 16 of Feast's Value, length-delimited
_PACKED_TAG = bytes([0x0A])  # field 1 of FloatList, length-delimited


@dataclass
class Checkpoint:
    """How far a view is.

    Attributes:
        until: Rows up to then are online; None before the first run.
        window: The window being written, as start and end; None between runs.
        source: What the window's files were.
        rows: Rows of that window already written.
    """

    until: str | None = None
    window: list[str] | None = None
    source: str = ""
    rows: int = 0


def materialise(
    store: Any,
    settings: Settings,
    views: Sequence[str],
    until: datetime,
    notify: Callable[[str], None] = lambda _: None,
    *,
    window: timedelta = WINDOW,
) -> dict[str, int]:
    """Write every view's latest rows up to a time to the online store.

    The first run takes the rows known at `until`; later ones everything since the one before,
    and the rows at `until` again, which a correction may have replaced.

    Args:
        store: Feast's.
        settings: Where the checkpoint is kept.
        views: Names.
        until: Aware; rows known later are left alone.
        notify: Called with lines of progress.
        window: Longest stretch of time read at once.

    Returns:
        Rows written by view.
    """
    file = settings.feature_store / CHECKPOINT
    points = _load(file)
    written = {}
    for name in views:
        point = points.setdefault(name, Checkpoint())
        view = store.get_feature_view(name)
        total = 0
        for start, end in _windows(point.until, until, window):
            for number in _write_window(store, view, point, start, end):
                total += number
                _save(file, points)
            point.until, point.window, point.rows = end.isoformat(), None, 0
            _save(file, points)
            store.registry.apply_materialization(view, store.project, start, end)
        written[name] = total
        notify(f"{name}: {total:,} rows are in the online store")
    return written


def write_rows(
    store: Any,
    view: str,
    names: Sequence[str],
    columns: dict[str, Sequence[Any]],
    known_at: Sequence[datetime],
    created: datetime,
) -> None:
    """Write rows by series to the online store at once.

    Args:
        store: Feast's.
        view: Its name.
        names: Series.
        columns: Of the view, by name: arrays of float32, or plain values, by row.
        known_at: Time stamp of each row, aware.
        created: When this was made, aware.
    """
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # noqa: PLC0415
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415

    found = store.get_feature_view(view)
    key = found.entity_columns[0].name
    rows = [
        (
            EntityKey(join_keys=[key], entity_values=[Value(string_val=name)]),
            {field: _value(values[number], Value) for field, values in columns.items()},
            known_at[number],
            created,
        )
        for number, name in enumerate(names)
    ]
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        store.provider.online_write_batch(store.config, found, batch, None)


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """Return a column as Feast values; a null is a value without content."""
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415

    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _float_lists(column, Value)
    field = "string_val"
    if pa.types.is_integer(kind):
        field = "int64_val"
    elif pa.types.is_floating(kind):
        field = "double_val" if kind == pa.float64() else "float_val"
    return [Value() if v is None else Value(**{field: v}) for v in column.to_pylist()]


def float_list(values: Any, make: Any) -> Any:
    """Return a Feast value of float32 numbers, from the bytes they lie in memory as."""
    raw = np.ascontiguousarray(values, "<f4").tobytes()
    inner = _PACKED_TAG + _varint(len(raw)) + raw
    return make.FromString(_FLOAT_LIST_TAG + _varint(len(inner)) + inner)


def _value(value: Any, make: Any) -> Any:
    if value is None:
        return make()
    if isinstance(value, np.ndarray):
        return float_list(value, make)
    if isinstance(value, str):
        return make(string_val=value)
    if isinstance(value, float):
        return make(double_val=value)
    return make(int64_val=int(value))


def _float_lists(column: pa.ChunkedArray, make: Any) -> list[Any]:
    found = []
    for chunk in column.chunks:
        flat = chunk.values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        bounds = chunk.offsets.to_numpy()
        valid = chunk.is_valid().to_pylist()
        found += [
            float_list(flat[first:stop], make) if is_valid else make()
            for first, stop, is_valid in zip(bounds[:-1], bounds[1:], valid, strict=True)
        ]
    return found


def _windows(
    done: str | None, until: datetime, length: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    until = until.astimezone(UTC)
    start = until if done is None else min(until, datetime.fromisoformat(done))
    while until - start > length:
        yield start, start + length
        start += length
    yield start, until


def _write_window(
    store: Any, view: Any, point: Checkpoint, start: datetime, end: datetime
) -> Iterator[int]:
    """Write a window's rows, yielding the number of each batch once it is written."""
    stamps = [start.isoformat(), end.isoformat()]
    source = _source_state(Path(view.batch_source.path))
    if point.window != stamps or point.source != source:
        point.window, point.source, point.rows = stamps, source, 0
    table = _latest_rows(store, view, start, end)
    key = view.entity_columns[0].name
    for first in range(point.rows, table.num_rows, _BATCH):
        rows = _rows(table.slice(first, _BATCH), view, key)
        rows = _not_older(store, view, rows)
        store.provider.online_write_batch(store.config, view, rows, None)
        point.rows = min(first + _BATCH, table.num_rows)
        yield len(rows)


def _latest_rows(store: Any, view: Any, start: datetime, end: datetime) -> pa.Table:
    """Return the latest row of each key in a window, ascending by key."""
    keys = [column.name for column in view.entity_columns]
    source = view.batch_source
    job = store.provider.offline_store.pull_latest_from_table_or_query(
        config=store.config,
        data_source=source,
        join_key_columns=keys,
        feature_name_columns=[field.name for field in view.features],
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        start_date=start,
        end_date=end,
    )
    table: pa.Table = job.to_arrow()
    return table.sort_by([(name, "ascending") for name in keys])


def _rows(table: pa.Table, view: Any, key: str) -> list[tuple[Any, Any, datetime, datetime]]:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # noqa: PLC0415
    from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415

    names = [field.name for field in view.features]
    columns = [values_of(table[name]) for name in names]
    source = view.batch_source
    stamps = table[source.timestamp_field].to_pylist()
    created = table[source.created_timestamp_column].to_pylist()
    return [
        (
            EntityKey(join_keys=[key], entity_values=[Value(string_val=text)]),
            dict(zip(names, values, strict=True)),
            stamp,
            made,
        )
        for text, stamp, made, *values in zip(
            table[key].to_pylist(), stamps, created, *columns, strict=True
        )
    ]


def _not_older(store: Any, view: Any, rows: list[Any]) -> list[Any]:
    """Return the rows that are not older than what is online: sales may have been pushed."""
    first = view.features[0].name
    small = next((f.name for f in view.features if "Array" not in str(f.dtype)), first)
    found = store.provider.online_read(store.config, view, [row[0] for row in rows], [small])
    return [
        row
        for row, (online, _) in zip(rows, found, strict=True)
        if online is None or online <= row[2]
    ]


def _source_state(folder: Path) -> str:
    """Return what tells one state of a table's files from another."""
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else [folder]
    return ";".join(f"{f.name}:{f.stat().st_mtime_ns}:{f.stat().st_size}" for f in files)


def _varint(number: int) -> bytes:
    """Return a number in protobuf's base 128."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _load(file: Path) -> dict[str, Checkpoint]:
    if not file.is_file():
        return {}
    return {name: Checkpoint(**point) for name, point in json.loads(file.read_text()).items()}


def _save(file: Path, points: dict[str, Checkpoint]) -> None:
    write_json(file, {name: vars(point) for name, point in points.items()})
