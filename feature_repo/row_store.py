"""Feast online stores with one row per entity and view: one read, one write.

Feast's own stores keep a value per feature; a window of ten features is ten values to write and
to find, each a protobuf message of its own. Here they lie together (see rows.py), and are read as
arrays by serving and as Feast's values by Feast. An older row never replaces a newer one. Feast
finds a store by class path (online_store.type in feature_store.yaml).
"""

import sqlite3
import struct
import threading
from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from feast import Entity, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from feature_repo.rows import LISTS, NULL, SCALARS, TEXT, Block, decode_rows, joined, micros_of
from invopt.sql import quote

StoredRow = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
Answer = tuple[datetime | None, dict[str, Value] | None]
# SQLite takes so many parameters in one statement, whatever its version.
_MAX_KEYS = 900


class RowStore(OnlineStore):
    """What stores of rows share: Feast's calls, on rows."""

    @abstractmethod
    def read_rows(
        self, config: RepoConfig, views: Sequence[FeatureView], keys: Sequence[bytes]
    ) -> list[list[bytes | None]]:
        """Return each view's row of each key, None where there is none."""

    @abstractmethod
    def write_rows(
        self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes], rows: Sequence[bytes]
    ) -> None:
        """Write rows; those older than what is there are left out."""

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[StoredRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write Feast's values."""
        keys = [_key(key, config) for key, *_ in data]
        self.write_rows(config, table, keys, [_packed(micros(at), v) for _, v, at, _ in data])
        if progress is not None:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Answer]:
        """Return each key's row as Feast's values, in order; (None, None) where there is none."""
        [rows] = self.read_rows(config, [table], [_key(key, config) for key in entity_keys])
        answers: list[Answer] = [(None, None)] * len(rows)
        for block in decode_rows(rows):
            at = datetime.fromtimestamp(block.micros / 1_000_000, UTC)
            for number, place in enumerate(block.at):
                answers[place] = (at, _values(block, number, requested_features))
        return answers


class RowOnlineStoreConfig(FeastConfigBaseModel):
    """What feature_store.yaml may say about the store.

    Attributes:
        type: Class path.
        path: Database file.
    """

    type: Literal["feature_repo.row_store.RowOnlineStore"] = "feature_repo.row_store.RowOnlineStore"
    path: str


class RowOnlineStore(RowStore):
    """Rows in a SQLite file; safe to read from several threads."""

    def __init__(self) -> None:
        self._connections = threading.local()

    def read_rows(
        self, config: RepoConfig, views: Sequence[FeatureView], keys: Sequence[bytes]
    ) -> list[list[bytes | None]]:
        """Return each view's row of each key, None where there is none."""
        return [self._read(config, view, keys) for view in views]

    def write_rows(
        self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes], rows: Sequence[bytes]
    ) -> None:
        """Write rows in one transaction; those older than what is there are left out."""
        with self._connection(config) as connection:
            connection.executemany(
                f"INSERT INTO {_table(config, view)} (entity_key, event_ts, row) VALUES (?, ?, ?) "
                "ON CONFLICT (entity_key) DO UPDATE SET event_ts = excluded.event_ts, "
                "row = excluded.row WHERE excluded.event_ts >= event_ts",
                ((key, micros_of(row), row) for key, row in zip(keys, rows, strict=True)),
            )

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make the tables of views that are kept, drop those of views that are not."""
        with self._connection(config) as connection:
            for view in tables_to_keep:
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {_table(config, view)} (entity_key BLOB PRIMARY "
                    "KEY, event_ts INTEGER, row BLOB)"
                )
            for view in tables_to_delete:
                connection.execute(f"DROP TABLE IF EXISTS {_table(config, view)}")

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Delete the database."""
        for suffix in ("", "-wal", "-shm"):
            Path(_path(config) + suffix).unlink(missing_ok=True)

    def _read(
        self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]
    ) -> list[bytes | None]:
        connection = self._connection(config)
        found: dict[bytes, bytes] = {}
        for first in range(0, len(keys), _MAX_KEYS):
            some = keys[first : first + _MAX_KEYS]
            marks = ",".join("?" * len(some))
            found.update(
                connection.execute(
                    f"SELECT entity_key, row FROM {_table(config, view)} "
                    f"WHERE entity_key IN ({marks})",
                    some,
                )
            )
        return [found.get(key) for key in keys]

    def _connection(self, config: RepoConfig) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._connections, "own", None)
        seen = _identity(_path(config))
        # Another file that was put in its place; one that is gone for a moment is waited for.
        if connection is not None and seen is not None and seen != self._connections.file:
            connection.close()
            connection = None
        if connection is None:
            Path(_path(config)).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(_path(config), timeout=30)
            # Readers go on reading while a materialisation writes.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._connections.own = connection
            self._connections.file = _identity(_path(config))
        return connection


def text_keys(join_key: str, names: Sequence[str]) -> list[bytes]:
    """Return Feast's serialised keys (version 3) of entities named by one text."""
    key = EntityKey(join_keys=[join_key], entity_values=[Value(string_val="")])
    front = serialize_entity_key(key, entity_key_serialization_version=3)[:-4]
    encoded = [name.encode() for name in names]
    return [front + struct.pack("<I", len(text)) + text for text in encoded]


def micros(time: datetime) -> int:
    """Return microseconds since 1970; a naive time is UTC."""
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return round(aware.timestamp() * 1_000_000)


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from another that takes its name, None where there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _path(config: RepoConfig) -> str:
    path: str = config.online_store.path
    if Path(path).is_absolute():
        return path
    return str(Path(config.repo_path or ".") / path)


def _table(config: RepoConfig, view: FeatureView) -> str:
    versioning = config.registry.enable_online_feature_view_versioning
    return quote(compute_table_id(config.project, view, versioning))


def _key(key: EntityKey, config: RepoConfig) -> bytes:
    version = config.entity_key_serialization_version
    return serialize_entity_key(key, entity_key_serialization_version=version)


def _packed(at: int, values: dict[str, Value]) -> bytes:
    """Return Feast's values as a row, kinds and all."""
    form, parts, texts = [], [], []
    for name, value in values.items():
        kind = value.WhichOneof("val") or NULL
        length = 0
        if kind == TEXT:
            texts.append(value.string_val)
        elif kind in SCALARS:
            parts.append(np.array(getattr(value, kind), SCALARS[kind]).tobytes())
        elif kind in LISTS:
            numbers = np.array(getattr(value, kind).val, LISTS[kind])
            length = len(numbers)
            parts.append(numbers.tobytes())
        elif kind != NULL:
            raise TypeError(f"feature {name} is a {kind}, which a row does not hold.")
        form.append((name, kind, length))
    return joined(at, tuple(form), parts, texts)


def _values(block: Block, number: int, wanted: list[str] | None) -> dict[str, Value]:
    names = block.kinds if wanted is None else [n for n in wanted if n in block.kinds]
    return {name: _value(block.kinds[name], block.columns[name], number) for name in names}


def _value(kind: str, column: Any, number: int) -> Value:
    if kind == NULL:
        return Value()
    if kind == TEXT:
        return Value(string_val=column[number])
    values = column[number].tolist()
    content: Any = {kind: {"val": values} if kind in LISTS else values}
    return Value(**content)
