"""A Feast offline store on DuckDB's ASOF JOIN: every entity row comes back, in order.

Feast finds it by class path (offline_store.type in feature_store.yaml). It reads parquet through
FileSource and answers as Feast's own stores do: the latest row at or before an entity's time
stamp, of equal time stamps the one created last, nothing older than the view's time to live. With
filter_by_created_timestamp a row counts from when it was created: what was corrected late is not
known early.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView, OnDemandFeatureView
from feast.data_source import DataSource
from feast.infra.offline_stores import offline_utils
from feast.infra.offline_stores.file_source import FileSource
from feast.infra.offline_stores.offline_store import (
    OfflineStore,
    RetrievalJob,
    RetrievalMetadata,
)
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from invopt.sql import literal, quote

_ROW = "__row"
_PLACE = "__place"
_KNOWN = "__known"


class AsofOfflineStoreConfig(FeastConfigBaseModel):
    """What feature_store.yaml may say about the store.

    Attributes:
        type: Class path.
        memory_limit: DuckDB's; joins larger than it go through its temporary folder.
    """

    type: Literal["feature_repo.asof_store.AsofOfflineStore"] = (
        "feature_repo.asof_store.AsofOfflineStore"
    )
    memory_limit: str = "2GB"


class AsofRetrievalJob(RetrievalJob):
    """A query that runs when its result is asked for.

    Args:
        query: Returns the result.
        full_feature_names: True when columns carry their view's name.
        on_demand: Views Feast computes on the result.
        metadata: Of the retrieval.
    """

    def __init__(
        self,
        query: Callable[[], pa.Table],
        full_feature_names: bool,
        on_demand: list[OnDemandFeatureView],
        metadata: RetrievalMetadata | None,
    ) -> None:
        self._query = query
        self._full_feature_names = full_feature_names
        self._on_demand = on_demand
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether columns carry their view's name."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views Feast computes on the result."""
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """Features, keys and time span asked for."""
        return self._metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._query()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._query().to_pandas()


class AsofOfflineStore(OfflineStore):
    """Point-in-time joins and latest rows over parquet files."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **_: Any,
    ) -> RetrievalJob:
        """Return the features of every entity row as they were known at its time stamp.

        Args:
            config: Of the repository.
            feature_views: Views the features come from.
            feature_refs: "view:feature" each.
            entity_df: Keys and one time stamp column.
            registry: Of the repository.
            project: Of the repository.
            full_feature_names: Put the view's name before each feature's.
            filter_by_created_timestamp: Leave out rows created after the entity row's time stamp;
                views without such a column are not affected.

        Raises:
            ValueError: If entity_df is not a data frame.
        """
        if not isinstance(entity_df, pd.DataFrame):
            raise ValueError("entity_df must be a pandas DataFrame of keys and a time stamp.")
        views, _on_demand = offline_utils._get_requested_feature_views_to_features_dict(
            feature_refs, feature_views, registry.list_on_demand_feature_views(project)
        )
        stamp = offline_utils.infer_event_timestamp_from_entity_df(
            dict(zip(entity_df.columns, entity_df.dtypes, strict=True))
        )
        frame = entity_df.copy(deep=False)  # Feast made a copy already
        stamps = pd.to_datetime(entity_df[stamp], utc=True)
        frame[stamp] = stamps = stamps.astype("datetime64[us, UTC]", copy=False)
        columns = {view: _columns(view, own, full_feature_names) for view, own in views.items()}
        return AsofRetrievalJob(
            lambda: _joined(config, frame, stamp, columns, by_created=filter_by_created_timestamp),
            full_feature_names,
            OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            RetrievalMetadata(
                features=feature_refs,
                keys=[c for c in entity_df.columns if c != stamp],
                min_event_timestamp=stamps.min().to_pydatetime() if len(stamps) else None,
                max_event_timestamp=stamps.max().to_pydatetime() if len(stamps) else None,
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
        **_: Any,
    ) -> RetrievalJob:
        """Return the latest row of every key between two times, for materialisation."""
        connection = _connect(config)
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        order = [timestamp_field, *([created_timestamp_column] if created_timestamp_column else [])]
        descending = ", ".join(f"{quote(c)} DESC" for c in order)
        sql = (
            f"SELECT {_listed(columns)} "
            f"FROM {_relation(connection, config, data_source, feature_name_columns)} "
            f"WHERE {_between(timestamp_field, start_date, end_date)} QUALIFY row_number() OVER "
            f"(PARTITION BY {_listed(join_key_columns)} ORDER BY {descending}) = 1"
        )
        return _job(connection, sql)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        **_: Any,
    ) -> RetrievalJob:
        """Return every row between two times."""
        connection = _connect(config)
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        sql = (
            f"SELECT {_listed(columns)} "
            f"FROM {_relation(connection, config, data_source, feature_name_columns)} "
            f"WHERE {_between(timestamp_field, start_date, end_date)}"
        )
        return _job(connection, sql)


def _connect(config: RepoConfig) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    connection.execute(f"SET memory_limit='{config.offline_store.memory_limit}'")
    return connection


def _job(connection: duckdb.DuckDBPyConnection, sql: str) -> RetrievalJob:
    return AsofRetrievalJob(
        lambda: connection.sql(sql).to_arrow_table(),
        full_feature_names=False,
        on_demand=[],
        metadata=None,
    )


def _joined(
    config: RepoConfig,
    frame: pd.DataFrame,
    stamp: str,
    columns: dict[FeatureView, dict[str, str]],
    *,
    by_created: bool,
) -> pa.Table:
    """Return entity rows with the columns of each view, as they were known at the row's stamp."""
    connection = _connect(config)
    answer = pa.Table.from_pandas(frame, preserve_index=False)
    rows = pa.array(np.arange(len(answer), dtype=np.int32))
    connection.register("entities", answer.append_column(_ROW, rows))
    for view, own in columns.items():
        picked = _picked(connection, config, view, stamp, by_created=by_created)
        found = _features_at(
            connection, config, view, features=own, picked=picked, size=len(answer)
        )
        for name, column in zip(found.column_names, found.columns, strict=True):
            answer = answer.append_column(name, column)
    return answer


def _columns(view: FeatureView, features: list[str], full_feature_names: bool) -> dict[str, str]:
    """Return the source's column of every feature, by the feature's name in the answer."""
    source_name = {v: k for k, v in view.batch_source.field_mapping.items()}
    before = f"{view.projection.name_to_use()}__" if full_feature_names else ""
    return {f"{before}{feature}": source_name.get(feature, feature) for feature in features}


def _picked(
    connection: duckdb.DuckDBPyConnection,
    config: RepoConfig,
    view: FeatureView,
    stamp: str,
    *,
    by_created: bool,
) -> pa.Table:
    """Return the numbers of entity rows and the places of the feature rows they get."""
    relation = _relation(connection, config, view.batch_source, (), numbered=True)
    source = view.batch_source
    if by_created and source.created_timestamp_column:
        rows, known = _latest_by_then(relation, view), _KNOWN
    else:
        rows, known = _latest_of_ties(connection, relation, view), source.timestamp_field
    fresh = "true"
    if view.ttl and view.ttl.total_seconds() > 0:
        at = f"d.{quote(source.timestamp_field)}"
        fresh = f"e.{quote(stamp)} <= {at} + INTERVAL {int(view.ttl.total_seconds())} SECOND"
    keys = [(c.name, view.projection.join_key_map.get(c.name, c.name)) for c in view.entity_columns]
    on = " AND ".join(f"e.{quote(theirs)} = d.{quote(ours)}" for ours, theirs in keys)
    return connection.sql(
        f"SELECT e.{_ROW}, d.{_PLACE}::UINTEGER AS {_PLACE} FROM entities e "
        f"ASOF JOIN {rows} d ON {on} AND e.{quote(stamp)} >= d.{quote(known)} WHERE {fresh}"
    ).to_arrow_table()


def _features_at(
    connection: duckdb.DuckDBPyConnection,
    config: RepoConfig,
    view: FeatureView,
    features: dict[str, str],
    picked: pa.Table,
    size: int,
) -> pa.Table:
    """Return a view's features (columns by their names in the answer) for size entity rows.

    The join picked places in the files; only rows picked are read whole. A join that sorts whole
    rows takes a sixth longer, and its memory grows with everything ever published.
    """
    relation = _relation(connection, config, view.batch_source, features.values(), numbered=True)
    connection.register("picked", picked)
    picks = ", ".join(f"{quote(column)} AS {quote(name)}" for name, column in features.items())
    found = connection.sql(
        f"SELECT {_PLACE}::UINTEGER AS {_PLACE}, {picks} FROM {relation} "
        f"SEMI JOIN picked USING ({_PLACE})"
    ).to_arrow_table()
    return _taken(found.drop_columns([_PLACE]), _rows_of(picked, found, size))


def _rows_of(picked: pa.Table, found: pa.Table, size: int) -> pa.Array:
    """Return for each of size entity rows its row in found; null where none was picked."""
    picked_places, places = picked[_PLACE].to_numpy(), found[_PLACE].to_numpy()
    row_at = np.empty(int(places.max(initial=0)) + 1, np.int32)
    row_at[places] = np.arange(len(places), dtype=np.int32)
    rows = np.full(size, -1, np.int32)
    rows[picked[_ROW].to_numpy()] = row_at[picked_places]
    return pa.array(rows, mask=rows < 0)


def _taken(table: pa.Table, rows: pa.Array) -> pa.Table:
    """Return rows of a table, a null row for a null."""
    # Most of the time goes to fresh memory: the system's is had for less than Arrow's own.
    memory = pa.system_memory_pool()
    with ThreadPoolExecutor() as pool:
        columns = pool.map(
            lambda c: pc.take(c, rows, boundscheck=False, memory_pool=memory), table.columns
        )
        return pa.table(list(columns), names=table.column_names)


def _latest_of_ties(connection: duckdb.DuckDBPyConnection, relation: str, view: FeatureView) -> str:
    """Return the view's rows with, of equal keys and time stamps, the one created last."""
    created = view.batch_source.created_timestamp_column
    if not created:
        return relation
    keys = [*(c.name for c in view.entity_columns), view.batch_source.timestamp_field]
    repeated = connection.sql(
        f"SELECT 1 FROM {relation} GROUP BY {_listed(keys)} HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    if not repeated:
        return relation
    return (
        f"(SELECT * FROM {relation} QUALIFY row_number() OVER "
        f"(PARTITION BY {_listed(keys)} ORDER BY {quote(created)} DESC) = 1)"
    )


def _latest_by_then(relation: str, view: FeatureView) -> str:
    """Return, for each time at which a row of a key came to be known, the best row known by then.

    A row is known from the later of its time stamp and its creation. Of all rows known so far the
    one with the latest time stamp counts, of equal ones the one created last.
    """
    at = quote(view.batch_source.timestamp_field)
    created = quote(view.batch_source.created_timestamp_column)
    keys = _listed([c.name for c in view.entity_columns])
    return (
        f"(SELECT {keys}, {_KNOWN}, best.at AS {at}, best.place AS {_PLACE} FROM (SELECT {keys}, "
        f"greatest({at}, {created}) AS {_KNOWN}, "
        f"max({{'at': {at}, 'created': {created}, 'place': {_PLACE}}}) OVER "
        f"(PARTITION BY {keys} ORDER BY greatest({at}, {created})) AS best "
        f"FROM {relation} WHERE {created} IS NOT NULL))"
    )


def _relation(
    connection: duckdb.DuckDBPyConnection,
    config: RepoConfig,
    source: DataSource,
    wanted: Iterable[str],
    numbered: bool = False,
) -> str:
    """Return the source's rows, with their number (a row's place in the files) if asked for.

    Files are united by the names of their columns: one that a file was published without is empty
    there, and so is a wanted one that no file has yet.
    """
    if not isinstance(source, FileSource):
        raise ValueError(f"AsofOfflineStore reads FileSource, got {type(source).__name__}.")
    path = source.path
    if "://" not in path and not Path(path).is_absolute():
        path = str(Path(config.repo_path or ".") / path)
    if "://" not in path and Path(path).is_dir():
        path = f"{path}/*.parquet"
    files = _files(connection, path)
    table = f"read_parquet([{', '.join(map(literal, files))}], union_by_name=true)"
    stamps = [source.timestamp_field, source.created_timestamp_column]
    described = connection.sql(f"SELECT * FROM {table}")
    kinds = dict(zip(described.columns, map(str, described.types), strict=True))
    # DuckDB cannot compare or cast the nanoseconds that pandas writes by default.
    fine = [s for s in stamps if s and kinds.get(s, "").endswith("_NS")]
    replaced = ", ".join(f"{quote(s)}::TIMESTAMPTZ AS {quote(s)}" for s in fine)
    columns = f"* REPLACE ({replaced})" if fine else "*"
    columns += "".join(
        f", NULL AS {quote(c)}" for c in dict.fromkeys(wanted) if c not in kinds and c not in stamps
    )
    if numbered:
        if hidden := {"file_index", "file_row_number"} & set(kinds):
            raise ValueError(f"{path} has columns {sorted(hidden)}, which DuckDB needs: rename.")
        columns += f", {_place(connection, files)} AS {_PLACE}"
    return f"(SELECT {columns} FROM {table})"


def _files(connection: duckdb.DuckDBPyConnection, path: str) -> list[str]:
    """Return a pattern's files: later ones must not change the numbers of rows half-way."""
    found = connection.execute("SELECT file FROM glob(?) ORDER BY file", [path]).fetchall()
    return [file for (file,) in found] or [path]


def _place(connection: duckdb.DuckDBPyConnection, files: list[str]) -> str:
    """Return the expression of a row's number, through all files."""
    if len(files) == 1:
        return "file_row_number"  # alone, it filters rows before they are read
    sizes = connection.execute(
        "SELECT file_name, num_rows FROM parquet_file_metadata(?)", [files]
    ).fetchall()
    size_of = dict(sizes)
    starts = [0, *accumulate(size_of[file] for file in files)][:-1]
    return f"file_row_number + list_extract({starts}::BIGINT[], file_index::BIGINT + 1)"


def _between(column: str, start: datetime | None, end: datetime | None) -> str:
    bounds = [(">=", start), ("<=", end)]
    tests = [
        f"{quote(column)} {sign} TIMESTAMPTZ '{_utc(time):%Y-%m-%d %H:%M:%S.%f}+00'"
        for sign, time in bounds
        if time is not None
    ]
    return " AND ".join(tests) or "true"


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(quote(c) for c in columns)
