"""From feature tables to the online store: bounded windows, a watermark, and no Python numbers.

Feast's own materialisation turns every number of an array into a Python object and back. Here
rows go from the offline store's Arrow columns to the store's rows as bytes. An interrupted run
goes on after the last batch it wrote; running it again changes nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from feature_repo.rows import encode_row
from invopt.errors import InvalidInputError
from invopt.files import write_json
from invopt.types import Notify
from serving.settings import Settings

CHECKPOINT = "materialised.json"
WINDOW = timedelta(days=7)
_BATCH = 4096


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
    notify: Notify = lambda _: None,
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
) -> None:
    """Write rows by series to the online store at once.

    Args:
        store: Feast's.
        view: Its name.
        names: Series.
        columns: Of the view, by name: arrays of float32, or plain values, by row.
        known_at: Time stamp of each row, aware.
    """
    from feature_repo.row_store import micros  # noqa: PLC0415  (imports Feast)

    stamps = [micros(moment) for moment in known_at]
    _write(store, store.get_feature_view(view), names, stamps, columns)


def online_rows(store: Any) -> Any:
    """Return Feast's online store, which must keep rows.

    Raises:
        InvalidInputError: If it is another kind of store.
    """
    from feature_repo.row_store import RowStore  # noqa: PLC0415  (imports Feast)

    online = store.provider.online_store
    if not isinstance(online, RowStore):
        raise InvalidInputError(
            "online_store.type must be feature_repo.row_store.RowOnlineStore or "
            "feature_repo.redis_store.RowRedisOnlineStore, got "
            f"{type(online).__module__}.{type(online).__name__}."
        )
    return online


def _write(
    store: Any, view: Any, names: Sequence[str], stamps: Sequence[int], columns: Mapping[str, Any]
) -> None:
    """Write rows to the online store, batch by batch."""
    from feature_repo.row_store import text_keys  # noqa: PLC0415  (imports Feast)

    key = view.entity_columns[0].name
    values = zip(*columns.values(), strict=True)
    rows = [
        encode_row(stamp, dict(zip(columns, row, strict=True)))
        for stamp, row in zip(stamps, values, strict=True)
    ]
    online = online_rows(store)
    keys = text_keys(key, names)
    for first in range(0, len(rows), _BATCH):
        batch = slice(first, first + _BATCH)
        online.write_rows(store.config, view, keys[batch], rows[batch])


def _columns_of(table: pa.Table, names: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns by name, a value per row: float32 arrays, plain values, None."""
    return {name: _column(table[name]) for name in names}


def _column(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return column.to_pylist()
    found: list[Any] = []
    for chunk in column.chunks:
        flat = chunk.values.cast(pa.float32()).to_numpy(zero_copy_only=False)
        bounds = chunk.offsets.to_numpy().tolist()
        valid = chunk.is_valid().to_pylist()
        found += [
            flat[first:stop] if is_valid else None
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
    bounds = [start.isoformat(), end.isoformat()]
    source = _source_state(Path(view.batch_source.path))
    if point.window != bounds or point.source != source:
        point.window, point.source, point.rows = bounds, source, 0
    table = _latest_rows(store, view, start, end)
    key = view.entity_columns[0].name
    for first in range(point.rows, table.num_rows, _BATCH):
        batch = table.slice(first, _BATCH)
        times = batch[view.batch_source.timestamp_field].cast(pa.timestamp("us", "UTC"))
        stamps = times.cast(pa.int64()).to_pylist()
        columns = _columns_of(batch, [field.name for field in view.features])
        _write(store, view, batch[key].to_pylist(), stamps, columns)
        point.rows = min(first + _BATCH, table.num_rows)
        yield batch.num_rows


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


def _source_state(folder: Path) -> str:
    """Return what tells one state of a table's files from another."""
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else [folder]
    return ";".join(f"{f.name}:{f.stat().st_mtime_ns}:{f.stat().st_size}" for f in files)


def _load(file: Path) -> dict[str, Checkpoint]:
    if not file.is_file():
        return {}
    return {name: Checkpoint(**point) for name, point in json.loads(file.read_text()).items()}


def _save(file: Path, points: dict[str, Checkpoint]) -> None:
    write_json(file, {name: vars(point) for name, point in points.items()})
