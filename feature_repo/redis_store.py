"""The store of rows on Redis: a key per view and entity, its value the whole row.

The connection is Feast's own, with all its settings (cluster, sentinel, TLS, key_ttl_seconds).
"""

from collections.abc import Sequence
from typing import Any, Literal

from feast import Entity, FeatureView
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.redis import (
    RedisOnlineStore,
    RedisOnlineStoreConfig,
    RedisType,
)
from feast.repo_config import RepoConfig

from feature_repo.row_store import RowStore
from feature_repo.rows import VERSION, micros_of

_SCAN = 1000


class RowRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """What feature_store.yaml may say about the store: what Feast's Redis store takes.

    Attributes:
        type: Class path.
    """

    type: Literal["feature_repo.redis_store.RowRedisOnlineStore"] = (
        "feature_repo.redis_store.RowRedisOnlineStore"
    )


class RowRedisOnlineStore(RowStore):
    """Rows in Redis; safe to read from several threads."""

    def __init__(self) -> None:
        self._feast = RedisOnlineStore()

    def read_rows(
        self, config: RepoConfig, views: Sequence[FeatureView], keys: Sequence[bytes]
    ) -> list[list[bytes | None]]:
        """Return each view's row of each key, None where there is none; all in one call."""
        places = [place + key for place in (_place(config, v) for v in views) for key in keys]
        if not places:
            return [[] for _ in views]
        client = self._client(config)
        is_cluster = config.online_store.redis_type == RedisType.redis_cluster
        found = client.mget_nonatomic(places) if is_cluster else client.mget(places)
        num = len(keys)
        return [list(found[i * num : (i + 1) * num]) for i in range(len(views))]

    def write_rows(
        self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes], rows: Sequence[bytes]
    ) -> None:
        """Write rows in one go; those older than what is there are left out."""
        place = _place(config, view)
        client = self._client(config)
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.getrange(place + key, 0, 8)
            fronts = pipe.execute()
        with client.pipeline(transaction=False) as pipe:
            for key, row, front in zip(keys, rows, fronts, strict=True):
                if front[:1] != VERSION or micros_of(front) <= micros_of(row):
                    pipe.set(place + key, row, ex=config.online_store.key_ttl_seconds)
            pipe.execute()

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Delete the rows of views that are not kept."""
        for view in tables_to_delete:
            self._delete(config, view)

    def teardown(
        self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]
    ) -> None:
        """Delete every row."""
        for view in tables:
            self._delete(config, view)

    def _delete(self, config: RepoConfig, view: FeatureView) -> None:
        client = self._client(config)
        place = b"".join(b"\\" + bytes([c]) if c in b"*?[]\\" else bytes([c])
                         for c in _place(config, view))  # fmt: skip
        with client.pipeline(transaction=False) as pipe:
            for key in client.scan_iter(place + b"*", _SCAN):
                pipe.delete(key)
            pipe.execute()

    def _client(self, config: RepoConfig) -> Any:
        return self._feast._get_client(config.online_store)


def _place(config: RepoConfig, view: FeatureView) -> bytes:
    versioning = config.registry.enable_online_feature_view_versioning
    return f"{config.project}:{compute_versioned_name(view, versioning)}:".encode()
