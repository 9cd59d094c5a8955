"""Point-in-time joins and materialisation beside their peers: `invopt bench features`.

Joins: entity rows x 20 features on 1.8 M feature rows (30,000 keys over 60 days) by our offline
store, by a bare DuckDB ASOF JOIN and by Feast's own DuckDB store, each in a process of its own.
Materialisation: 30,490 series with windows of 476 days, to SQLite and to Redis.
"""

import argparse
import gc
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.repo_config import RegistryConfig
from feast.types import Float32

from benchmarks._redis import running_redis
from feature_repo.definitions import Definitions
from invopt.features.tables import TableLayout
from serving.settings import EMBEDDED, Settings
from serving.stores.feature_store import open_store
from serving.stores.materialise import materialise

_KEYS, _DAYS, _FEATURES = 30_000, 60, 20
_SERIES, _LOOKBACK, _AHEAD = 30_490, 476, 30


def main(rest: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="invopt bench features")
    parser.add_argument("--rows", type=int, default=1_000_000, help="entity rows")
    parser.add_argument("--without-feast", action="store_true", help="leave the slow peer out")
    found = parser.parse_args(rest)
    with tempfile.TemporaryDirectory() as folder:
        _joins(Path(folder), found.rows, with_feast=not found.without_feast)
    with tempfile.TemporaryDirectory() as folder:
        _materialisation(Path(folder))


def _joins(folder: Path, rows: int, *, with_feast: bool) -> None:
    _write_features(folder)
    peers = {"bare DuckDB ASOF JOIN": _bare, "ours": _ours}
    if with_feast:
        peers["Feast's DuckDB store"] = _feast
    # The faster of two: whoever comes first also brings the file into memory.
    rounds = [{name: _apart(work, folder, rows) for name, work in peers.items()} for _ in range(2)]
    found = {name: min(r[name] for r in rounds) for name in peers}
    bare = found["bare DuckDB ASOF JOIN"][0]
    print(f"point-in-time join, {rows:,} rows x {_FEATURES} features on {_KEYS * _DAYS:,} rows")
    print(f"{'by':28} {'seconds':>9} {'x bare':>8} {'peak MB':>9} {'rows back':>11}")
    for name, (seconds, megabytes, back) in found.items():
        ratio = seconds / bare
        print(f"{name:28} {seconds:9.2f} {ratio:8.2f} {megabytes:9.0f} {back:11,}")
    print()


def _apart(
    work: Callable[[Path, int], tuple[float, int]], folder: Path, rows: int
) -> tuple[float, float, int]:
    """Run a join in a process of its own; returns seconds, peak memory in MB, and rows."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(work, folder, rows, queue))
    process.start()
    found: tuple[float, float, int] = queue.get()
    process.join()
    return found


def _measured(work: Any, folder: Path, rows: int, queue: Any) -> None:
    seconds, back = work(folder, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put((seconds, peak, back))


def _write_features(folder: Path) -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=_DAYS, tz="UTC").astype("datetime64[us, UTC]")
    columns: dict[str, Any] = {
        "key": pa.array(np.tile(np.arange(_KEYS), _DAYS)),
        "event_timestamp": pa.array(days.repeat(_KEYS)),
    }
    for number in range(_FEATURES):
        columns[f"f{number}"] = pa.array(rng.random(_KEYS * _DAYS, np.float32))
    pq.write_table(pa.table(columns), folder / "features.parquet")


def _entities(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    minutes = rng.integers(0, _DAYS * 1440, rows)
    stamps = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(minutes, unit="min")
    return pd.DataFrame(
        {"key": rng.integers(0, _KEYS, rows),
         "event_timestamp": pd.DatetimeIndex(stamps).astype("datetime64[us, UTC]")}
    )  # fmt: skip


def _bare(folder: Path, rows: int) -> tuple[float, int]:
    entities = _entities(rows)
    gc.collect()
    started = time.perf_counter()
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    connection.register("entities", pa.Table.from_pandas(entities, preserve_index=False))
    picks = ", ".join(f"d.f{number}" for number in range(_FEATURES))
    found = connection.sql(
        f"SELECT e.*, {picks} FROM entities e ASOF LEFT JOIN "
        f"read_parquet('{folder}/features.parquet') d "
        "ON e.key = d.key AND e.event_timestamp >= d.event_timestamp"
    ).to_arrow_table()
    return time.perf_counter() - started, found.num_rows


def _ours(folder: Path, rows: int) -> tuple[float, int]:
    return _by_feast(folder, rows, {"type": "feature_repo.asof_store.AsofOfflineStore"})


def _feast(folder: Path, rows: int) -> tuple[float, int]:
    return _by_feast(folder, rows, {"type": "duckdb"})


def _by_feast(folder: Path, rows: int, offline: dict[str, str]) -> tuple[float, int]:
    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=RegistryConfig(path=str(folder / f"{offline['type']}.db")),
            online_store=None,
            offline_store=offline,
            entity_key_serialization_version=3,
        )
    )
    key = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64)
    view = FeatureView(
        name="daily",
        entities=[key],
        ttl=timedelta(days=90),
        schema=[Field(name=f"f{number}", dtype=Float32) for number in range(_FEATURES)],
        source=FileSource(path=str(folder / "features.parquet"), timestamp_field="event_timestamp"),
        online=False,
    )
    store.apply([key, view])
    entities = _entities(rows)
    refs = [f"daily:f{number}" for number in range(_FEATURES)]
    gc.collect()  # what the imports left behind is not the join's
    started = time.perf_counter()
    found = store.get_historical_features(entities, refs).to_arrow()
    return time.perf_counter() - started, found.num_rows


def _materialisation(folder: Path) -> None:
    print(f"materialisation of {_SERIES:,} series, windows of {_LOOKBACK} days, 4 arrays each")
    print(f"{'to':28} {'seconds':>9} {'peak MB':>9}")
    embedded = Settings.of(folder / "sqlite")
    until = _publish_windows(embedded)
    _materialise_to("SQLite", embedded, until)
    with running_redis() as redis:
        if redis is None:
            print("Redis: redis-server is not on the PATH")
            return
        settings = replace(
            embedded,
            feature_config=EMBEDDED.with_name("feature_store_redis.yaml"),
            feature_variables={"INVOPT_REDIS": f"{redis.address},socket_timeout=30"},
        )
        (settings.feature_store / "materialised.json").unlink()
        _materialise_to("Redis", settings, until)


def _materialise_to(name: str, settings: Settings, until: pd.Timestamp) -> None:
    layout = json.loads((settings.feature_store / "layout.json").read_text())
    store = open_store(settings)
    store.apply(Definitions.of(layout, str(settings.feature_store)).objects)
    started = time.perf_counter()
    written = materialise(
        store, settings, ["series_window", "stock_position"], until.to_pydatetime()
    )
    seconds = time.perf_counter() - started
    assert set(written.values()) == {_SERIES}, written
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:28} {seconds:9.2f} {peak:9.0f}")
    sys.stdout.flush()


def _publish_windows(settings: Settings) -> pd.Timestamp:
    """Write the tables materialisation reads: windows of sales, price and promotion, and stock."""
    rng = np.random.default_rng(0)
    head = {"level": "unique_id", "known": True, "fill": "forward"}
    layout = TableLayout(
        "D",
        {"product": "text", "location": "text", "category": "text", "list_price": "number"},
        ({"name": "price", "domain": "market"} | head,
         {"name": "promotion", "domain": "promotions"} | head),
        group_channels=(), features=("mean_sales_7",), lookback=_LOOKBACK, num_future=_AHEAD,
    )  # fmt: skip
    until = pd.Timestamp("2024-06-01", tz="UTC")
    stamps = pa.array([until] * _SERIES, pa.timestamp("us", "UTC"))
    names = pa.array([f"P{i % 3049:04d}_S{i // 3049}" for i in range(_SERIES)])
    keys = {"unique_id": names, "event_timestamp": stamps, "created": stamps}

    def lists(width: int) -> pa.Array:
        flat = pa.array(rng.poisson(2.0, _SERIES * width).astype(np.float32))
        return pa.ListArray.from_arrays(
            pa.array(np.arange(_SERIES + 1, dtype=np.int32) * width), flat
        )

    window = keys | {
        "sales": lists(_LOOKBACK),
        "periods_on_sale": pa.array(np.full(_SERIES, 900)),
        "product": names, "location": names, "category": names,
        "list_price": pa.array(rng.random(_SERIES)),
        layout.field_of("price"): lists(_LOOKBACK + _AHEAD),
        layout.field_of("promotion"): lists(_LOOKBACK + _AHEAD),
    }  # fmt: skip
    numbers = pa.array(rng.random(_SERIES))
    stock = (
        keys
        | dict.fromkeys(("on_hand", "on_order", "backorders"), numbers)
        | {"arrivals": lists(14)}
    )
    empty = {"mean", "quantiles", "levels"}
    forecast = keys | dict.fromkeys(empty, lists(1)) | {"model_version": names}
    for view, columns in (
        ("series_window", window), ("series_history", window), ("stock_position", stock),
        ("last_forecast", forecast),
        ("series_features", keys | {"mean_sales_7": numbers}),
    ):  # fmt: skip
        folder = settings.feature_store / view
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), folder / "20240601-0000.parquet")
    content = vars(layout) | {
        "series_fields": layout.series_fields, "group_fields": layout.group_fields,
    }  # fmt: skip
    (settings.feature_store / "layout.json").write_text(json.dumps(content))
    return until
