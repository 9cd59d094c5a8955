"""A Feast online store on SQLite with one row per entity and view: one read, one write.

Feast's own SQLite store keeps a row per feature; a window of ten features is ten rows to write
and to find. Here they lie together. An older row never replaces a newer one. Feast finds the
store by class path (online_store.type in feature_store.yaml).
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from feast import Entity, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Map, Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig

Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
# SQLite takes so many parameters in one statement, whatever its version.
_MAX_KEYS = 900


class RowOnlineStoreConfig(FeastConfigBaseModel):
    """What feature_store.yaml may say about the store.

    Attributes:
        type: Class path.
        path: Database file.
    """

    type: Literal["feature_repo.row_store.RowOnlineStore"] = "feature_repo.row_store.RowOnlineStore"
    path: str


class RowOnlineStore(OnlineStore):
    """Rows of features by entity key, in a SQLite file; safe to read from several threads."""

    def __init__(self) -> None:
        self._connections = threading.local()

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Row],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows in one transaction; those older than what is there are left out."""
        rows = [
            (
                _key(key, config),
                _micros(stamp),
                None if created is None else _micros(created),
                Map(val=values).SerializeToString(),
            )
            for key, values, stamp, created in data
        ]
        with self._connection(config) as connection:
            connection.executemany(
                f"INSERT INTO {_table(config, table)} (entity_key, event_ts, created_ts, row) "
                "VALUES (?, ?, ?, ?) ON CONFLICT (entity_key) DO UPDATE SET "
                "event_ts = excluded.event_ts, created_ts = excluded.created_ts, "
                "row = excluded.row WHERE excluded.event_ts >= event_ts",
                rows,
            )
        if progress is not None:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        """Return each key's row, in order; (None, None) where there is none."""
        keys = [_key(key, config) for key in entity_keys]
        connection = self._connection(config)
        found: dict[bytes, tuple[int, bytes]] = {}
        for first in range(0, len(keys), _MAX_KEYS):
            some = keys[first : first + _MAX_KEYS]
            marks = ",".join("?" * len(some))
            found |= {
                key: (stamp, row)
                for key, stamp, row in connection.execute(
                    f"SELECT entity_key, event_ts, row FROM {_table(config, table)} "
                    f"WHERE entity_key IN ({marks})",
                    some,
                )
            }
        return [_answer(found.get(key), requested_features) for key in keys]

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
                    "KEY, event_ts INTEGER, created_ts INTEGER, row BLOB) WITHOUT ROWID"
                )
            for view in tables_to_delete:
                connection.execute(f"DROP TABLE IF EXISTS {_table(config, view)}")

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Delete the database."""
        for suffix in ("", "-wal", "-shm"):
            Path(_path(config) + suffix).unlink(missing_ok=True)

    def _connection(self, config: RepoConfig) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._connections, "own", None)
        if connection is None:
            Path(_path(config)).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(_path(config), timeout=30)
            # Readers go on reading while a materialisation writes.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._connections.own = connection
        return connection


def _path(config: RepoConfig) -> str:
    path: str = config.online_store.path
    if Path(path).is_absolute():
        return path
    return str(Path(config.repo_path or ".") / path)


def _table(config: RepoConfig, view: FeatureView) -> str:
    versioning = config.registry.enable_online_feature_view_versioning
    return '"' + compute_table_id(config.project, view, versioning).replace('"', '""') + '"'


def _key(key: EntityKey, config: RepoConfig) -> bytes:
    version = config.entity_key_serialization_version
    return serialize_entity_key(key, entity_key_serialization_version=version)


def _micros(time: datetime) -> int:
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return int(aware.timestamp() * 1_000_000)


def _answer(
    found: tuple[int, bytes] | None, wanted: list[str] | None
) -> tuple[datetime | None, dict[str, Value] | None]:
    if found is None:
        return None, None
    values = Map.FromString(found[1]).val
    names = values.keys() if wanted is None else [n for n in wanted if n in values]
    return datetime.fromtimestamp(found[0] / 1_000_000, UTC), {n: values[n] for n in names}
