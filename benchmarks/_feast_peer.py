"""Feast's own Redis store with the features of a shop's first series, for reading beside ours."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from benchmarks._shop import Shop
from feature_repo.definitions import Definitions
from invopt.files import read_json
from serving.stores.feast_import import feature_store_class

_VIEWS = ("series_window", "stock_position", "last_forecast")


def feasts_own_store(shop: Shop, names: list[str], redis: str) -> tuple[Any, Any, Any]:
    """Materialise some series by Feast alone into Feast's own Redis store.

    Returns:
        The store, the service of our views, and the same with pre-computed vectors (Feast's
        fastest way), None where Feast cannot compute them.
    """
    from feast import FeatureService, RepoConfig  # noqa: PLC0415  (seconds of import)

    folder = shop.folder / "peer"
    for view in _VIEWS:
        (folder / view).mkdir(parents=True)
        table = ds.dataset(shop.settings.feature_store / view).to_table()
        chosen = table.filter(pc.is_in(table["unique_id"], pc.SetLookupOptions(names)))
        pq.write_table(chosen, folder / view / "0.parquet")
    config = RepoConfig(
        project="peer", provider="local", registry=str(folder / "registry.db"),
        online_store={"type": "redis", "connection_string": redis},
        offline_store={"type": "feature_repo.asof_store.AsofOfflineStore"},
        entity_key_serialization_version=3,
    )  # fmt: skip
    store = feature_store_class()(config=config)
    layout = read_json(shop.settings.feature_store / "layout.json")
    layout |= {"group_channels": [], "group_fields": []}
    objects = Definitions.of(layout, str(folder)).objects
    store.apply(objects)
    start, end = _span(folder)
    store.materialize(start, end, feature_views=list(_VIEWS))
    service = store.get_feature_service("inference")
    views = [store.get_feature_view(name) for name in _VIEWS[:2]]
    fast = FeatureService(name="fast", features=views, precompute_online=True)
    store.apply([fast])
    try:
        store.precompute_feature_service("fast")
        rows = [{"unique_id": name} for name in names[:2]]
        store.get_online_features(store.get_feature_service("fast"), rows).to_dict()
    except Exception as err:  # whatever it is, the ordinary read is measured
        print(f"Feast cannot pre-compute vectors here: {type(err).__name__}: {err}")
        return store, service, None
    return store, service, store.get_feature_service("fast")


def _span(folder: Path) -> tuple[Any, Any]:
    stamps = pq.read_table(folder / _VIEWS[0] / "0.parquet", columns=["event_timestamp"])
    latest = pc.max(stamps["event_timestamp"]).as_py().astimezone(UTC)
    return latest - timedelta(days=3), latest + timedelta(days=1)
