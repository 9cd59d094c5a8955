"""Feast at work: tables published, applied, materialised, and read back as panels."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import ValidationError

from invopt.config import FeaturesConfig, InventoryConfig
from invopt.contracts import StockRecords
from invopt.errors import InvalidInputError
from invopt.features.spec import FeatureSpec
from invopt.features.tables import (
    CREATED,
    GROUP_KEY,
    SERIES_KEY,
    TIMESTAMP,
    TableLayout,
    group_table,
    panel_from_tables,
    series_table,
    snapshot_table,
)
from invopt.files import read_json, replacing_file, write_json
from invopt.inventory import last_prices, segments_of, stock_of, terms_of
from invopt.inventory.exceptions import recent_sales
from invopt.inventory.segments import SalesStatistics
from invopt.panel import Panel, iter_panels
from invopt.sources import read_position
from invopt.sources.terms import read_terms
from invopt.types import FloatArray, Notify
from serving.settings import FEATURE_STORE, Settings
from serving.stores.materialise import materialise, write_rows
from serving.stores.order_plans import segments_of_latest
from serving.stores.overrides import write_overrides
from serving.stores.planner_desk import planners_overrides

LAYOUT = "layout.json"
# Lead times are a column of products, those of the position included.
STOCK = ("on_hand", "on_order", "backorders")
# Units under way by the period they arrive at the start of: the next one, the one after, ...
ARRIVALS = "arrivals"
# Of the latest plan, as orders.csv has it; of the sales alone where no plan names the series.
SEGMENT = "segment"
# Periods by which a group's online window is longer: series that stopped being published a few
# periods ago still find their groups as they were then.
GROUP_SLACK = 28
_REPOSITORY = Path(__file__).resolve().parents[2] / "feature_repo"
# $NAME or ${NAME}, as Feast itself reads them (os.path.expandvars).
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


@dataclass(frozen=True)
class MadeForecast:
    """A forecast of all series.

    Attributes:
        folder: As forecast_all wrote it.
        model_version: Of the champion that made it.
    """

    folder: str
    model_version: str


def publish(
    settings: Settings,
    source: str,
    snapshot: str,
    config: FeaturesConfig,
    forecast: MadeForecast | None,
    notify: Notify,
) -> str:
    """Publish a panel with derived channels; returns the time its features were known.

    A forecast, when there is one, goes to the online store too: it answers when the model
    cannot.
    """
    spec = FeatureSpec.load(Path(source) / "features.json")
    stock = read_position(settings.snapshots / snapshot)
    cutoffs = max(1, config.daily_periods // config.patch)
    now = pd.Timestamp.now(tz="UTC")
    known_at = known_time(next(iter_panels(Path(source))))
    if forecast is not None:  # before the layout, which servers look at to see what is new
        said = _overrides(settings, snapshot, forecast.model_version)
        number = write_overrides(
            settings.feature_store, iter_panels(Path(source)), Path(forecast.folder), said, known_at
        )
        notify(f"overrides of {number:,} series are known to the endpoint")
    write_tables(
        iter_panels(Path(source)),
        spec,
        stock,
        created=now,
        settings=settings,
        snapshot_cutoffs=cutoffs,
    )
    notify("feature tables written; updating the online store")
    store = open_store(settings)
    apply_and_materialise(store, settings, known_at, notify)
    notify(f"online store updated to {known_at:%Y-%m-%d}")
    if forecast is not None:
        pushed = push_forecast(store, forecast.folder, known_at, forecast.model_version)
        notify(f"last forecast of {pushed:,} series is in the online store")
    return known_at.isoformat()


def _overrides(settings: Settings, snapshot: str, model_version: str) -> pd.DataFrame | None:
    """Return what planners say instead of the forecast, as the review of a model reads it."""
    tables = read_terms(settings.snapshots / snapshot)
    name = model_version.rpartition("-")[0]
    return tables.with_overrides(planners_overrides(settings.plans, name)).overrides


def retrieve(settings: Settings, known_at: str, out: str, notify: Notify) -> None:
    """Write the training panel as it was known at a time."""
    panel = training_panel(open_store(settings), settings, pd.Timestamp(known_at))
    panel.save(Path(out))
    notify(f"training set: {panel.num_series:,} series, {panel.num_periods:,} periods each")


def push_forecast(store: Any, forecast: str, known_at: pd.Timestamp, model_version: str) -> int:
    """Write every series' forecast to the online store; returns the number of series."""
    ids = pd.read_parquet(Path(forecast) / "forecast.parquet", columns=[SERIES_KEY])
    unique_ids = ids[SERIES_KEY].drop_duplicates().tolist()
    at = 0
    for file in sorted(Path(forecast).glob("part-*.npz")):
        with np.load(file, allow_pickle=False) as arrays:
            num = len(arrays["mean"])
            # Smooth, as a network gives them: what falls back on it decides as a network's does.
            columns: dict[str, Any] = {
                "mean": arrays["mean"].reshape(num, -1),
                "quantiles": arrays["smooth_quantiles"].reshape(num, -1),
                "levels": arrays["smooth_levels"].reshape(num, -1),
            }
        columns["model_version"] = [model_version] * num
        moments = [known_at.to_pydatetime()] * num
        write_rows(store, "last_forecast", unique_ids[at : at + num], columns, moments)
        at += num
    return at


def known_time(panel: Panel) -> pd.Timestamp:
    """Return when a panel's last period was known: at the start of the next one."""
    return panel.timeline.date(panel.num_periods).tz_localize("UTC")


def open_store(settings: Settings) -> Any:
    """Return the Feast store of a deployment. Importing Feast takes seconds: do it late."""
    from serving.stores.feast_import import feature_store_class  # noqa: PLC0415

    settings.feature_store.mkdir(parents=True, exist_ok=True)
    store_class = feature_store_class()  # before anything else of Feast is imported
    return store_class(repo_path=str(_REPOSITORY), config=_feature_config(settings))


def _feature_config(settings: Settings) -> Any:
    """Return Feast's configuration, its variables those of the deployment, not of the process."""
    from feast.repo_config import FeastConfigError, RepoConfig  # noqa: PLC0415

    known = {**settings.feature_variables, FEATURE_STORE: str(settings.feature_store)}
    text = settings.feature_config.read_text()
    try:
        config = RepoConfig(
            **yaml.safe_load(_VARIABLE.sub(lambda m: known.get(m[1] or m[2], m[0]), text))
        )
    except ValidationError as err:
        raise FeastConfigError(err, settings.feature_config) from err
    config.repo_path = _REPOSITORY
    return config


def write_tables(
    panels: Iterable[Panel],
    spec: FeatureSpec,
    stock: StockRecords,
    created: pd.Timestamp,
    settings: Settings,
    snapshot_cutoffs: int,
) -> TableLayout:
    """Write the feature tables of a cleaned panel; a table of the same date is replaced.

    Args:
        panels: Partitions, with derived channels.
        spec: Features of the snapshot table and sizes of the online window.
        stock: StockPosition and OpenOrders, each None when not known.
        created: When this was made.
        settings: Where to.
        snapshot_cutoffs: Cutoffs of the snapshot table, a patch apart, the last one included.
    """
    folder = settings.feature_store
    layout: TableLayout | None = None
    stocks: dict[Path, pa.Table] = {}  # small beside the windows; a segment is a rank among all
    selling: list[Selling] = []
    for number, panel in enumerate(panels):
        if layout is None:
            layout = TableLayout.of(panel, spec)
        date = f"{panel.timeline.date(panel.num_periods):%Y%m%d}"
        file = f"{date}-{number:04d}.parquet"
        window = layout.lookback
        _write(series_table(panel, layout, created), folder / "series_history" / file)
        _write(series_table(panel, layout, created, window=window), folder / "series_window" / file)
        last, step = panel.num_periods - 1, spec.config.patch
        cutoffs = list(range(last, 0, -step))[:snapshot_cutoffs][::-1]
        _write(snapshot_table(panel, spec, created, cutoffs), folder / "series_features" / file)
        stocks[folder / "stock_position" / file] = _stock_table(panel, stock, created)
        selling.append(Selling.of(panel))
        _write(_no_forecast(), folder / "last_forecast" / "none.parquet")
        if number == 0 and layout.group_channels:
            _write(group_table(panel, layout, created), folder / "group_history" / file)
            _write(
                group_table(panel, layout, created, window=window + GROUP_SLACK),
                folder / "group_window" / file,
            )
    if layout is None:
        raise InvalidInputError("there is no panel to publish.")
    planned = {name: s for name, s in segments_of_latest(settings.plans).items() if s}
    segments = Selling.segments(selling) | planned
    for path, table in stocks.items():
        named = [segments[name] for name in table[SERIES_KEY].to_pylist()]
        _write(table.append_column(SEGMENT, pa.array(named, pa.string())), path)
    content = asdict(layout) | {
        "series_fields": layout.series_fields,
        "group_fields": layout.group_fields,
    }
    write_json(folder / LAYOUT, content)
    return layout


def apply_and_materialise(
    store: Any,
    settings: Settings,
    known_at: pd.Timestamp,
    notify: Notify = lambda _: None,
) -> dict[str, int]:
    """Declare what was published and load the rows known by a time into the online store.

    Returns:
        Rows written by view.
    """
    from feature_repo.definitions import Definitions  # noqa: PLC0415  (imports Feast)

    layout = read_json(settings.feature_store / LAYOUT)
    store.apply(Definitions.of(layout, str(settings.feature_store)).objects)
    names = ["series_window", "stock_position"]
    names += ["group_window"] if layout["group_fields"] else []
    return materialise(store, settings, names, known_at.to_pydatetime(), notify)


def training_panel(
    store: Any, settings: Settings, known_at: pd.Timestamp, names: Sequence[str] | None = None
) -> Panel:
    """Return the panel as it was known at a time, by point-in-time joins in Feast.

    Args:
        store: Feast's.
        settings: Where the tables are.
        known_at: Aware.
        names: Series; all by default.

    Raises:
        InvalidInputError: If nothing was published by then.
    """
    layout = read_layout(settings)
    history = settings.feature_store / "series_history"
    keys = _distinct(history, SERIES_KEY) if names is None else sorted(names)
    if not keys:
        raise InvalidInputError(f"no feature table in {history}: publish features first.")
    table = _historical(store, "training", SERIES_KEY, keys, known_at)
    found = pa.compute.is_valid(table["sales"])  # series published later have no row yet
    table = table.filter(found).sort_by(SERIES_KEY)
    groups: Any = {}
    if layout.group_channels:
        group_keys = _distinct(settings.feature_store / "group_history", GROUP_KEY)
        rows = _historical(store, "training_groups", GROUP_KEY, group_keys, known_at)
        groups = {name: rows[name].to_pylist() for name in rows.column_names}
    columns = {name: table[name] for name in table.column_names}
    columns[SERIES_KEY] = table[SERIES_KEY].to_pylist()
    for name in layout.static:
        columns[name] = table[name].to_pylist()
    columns[TIMESTAMP] = [known_at]
    return panel_from_tables(columns, groups, layout)


def newest_windows(settings: Settings) -> Path | None:
    """Return the newest file of published windows: they are named by when they were known."""
    files = sorted((settings.feature_store / "series_window").glob("*.parquet"))
    return files[-1] if files else None


def published_names(settings: Settings, number: int) -> list[str]:
    """Return the first series of the newest published windows, at most so many."""
    file = newest_windows(settings)
    if file is None:
        return []
    batch = next(pq.ParquetFile(file).iter_batches(number, columns=[SERIES_KEY]), None)
    return [] if batch is None else [str(name) for name in batch.column(0).to_pylist()]


def published_groups(settings: Settings, number: int) -> list[str]:
    """Return the groups of the newest published windows; none where there are more than so many."""
    files = sorted((settings.feature_store / "group_window").glob("*.parquet"))
    if not files or pq.read_metadata(files[-1]).num_rows > number:
        return []
    column = pq.read_table(files[-1], columns=[GROUP_KEY])[GROUP_KEY]
    return [str(name) for name in column.to_pylist()]


def read_layout(settings: Settings) -> TableLayout:
    """Return the layout of the published tables.

    Raises:
        InvalidInputError: If nothing was published.
    """
    file = settings.feature_store / LAYOUT
    if not file.is_file():
        raise InvalidInputError(f"no feature tables in {settings.feature_store}: publish first.")
    lists = ("series_channels", "group_channels", "features")
    try:
        content = read_json(file)
        for name in ("series_fields", "group_fields"):
            content.pop(name)
        return TableLayout(**(content | {name: tuple(content[name]) for name in lists}))
    except (ValueError, LookupError, TypeError, AttributeError) as err:
        raise InvalidInputError(
            f"{file} is damaged or was written by another version ({type(err).__name__}: {err}): "
            "publish features again, by a training or a replenishment."
        ) from err


def _historical(
    store: Any, service: str, key: str, keys: list[str], known_at: pd.Timestamp
) -> pa.Table:
    entities = pd.DataFrame({key: keys, TIMESTAMP: known_at})
    job = store.get_historical_features(entities, store.get_feature_service(service))
    return job.to_arrow()


def _distinct(folder: Path, column: str) -> list[str]:
    files = sorted(folder.glob("*.parquet"))
    found: set[str] = set()
    for file in files:
        found |= set(pq.read_table(file, columns=[column])[column].to_pylist())
    return sorted(found)


@dataclass(frozen=True)
class Selling:
    """What decides a segment, of the series of a partition.

    Attributes:
        unique_ids: (series,) names.
        sales: Of late.
        value: (series,) money a unit missed costs, by prices alone. Its scale is of no matter.
    """

    unique_ids: list[str]
    sales: SalesStatistics
    value: FloatArray

    @classmethod
    def of(cls, panel: Panel) -> "Selling":
        """Return it of a panel."""
        terms = terms_of(panel.series, last_prices(panel), InventoryConfig())
        return cls(panel.unique_ids.astype(str).tolist(), recent_sales(panel), terms.stockout_cost)

    @staticmethod
    def segments(parts: "Sequence[Selling]") -> dict[str, str]:
        """Return the segment of each series by name, as a plan of the same sales would have it.

        A configured `inventory.stockout_cost` or `price` is known to plans alone; until the first
        one is kept, segments are those of the prices in the data.
        """
        sales = SalesStatistics.concatenate([p.sales for p in parts])
        found = segments_of(sales, np.concatenate([p.value for p in parts]))
        return dict(zip((i for p in parts for i in p.unique_ids), found, strict=True))


def _stock_table(panel: Panel, stock: StockRecords, created: pd.Timestamp) -> pa.Table:
    """Return the stock of every series as replenishment reads it, arrivals by period included."""
    position, open_orders = stock
    found = stock_of(panel.unique_ids, position, open_orders)
    columns: dict[str, Any] = {SERIES_KEY: panel.unique_ids.astype(str)}
    columns |= {name: getattr(found, name) for name in STOCK}
    columns[ARRIVALS] = list(found.arrivals.astype(np.float32))
    moments = {TIMESTAMP: known_time(panel), CREATED: created}
    stamps = pd.DataFrame(moments, index=range(panel.num_series)).astype("datetime64[us, UTC]")
    return pa.Table.from_pandas(pd.DataFrame(columns).join(stamps), preserve_index=False)


def _no_forecast() -> pa.Table:
    """Return an empty table of the last_forecast view, so that its columns can be found."""
    lists = pa.list_(pa.float32())
    stamp = pa.timestamp("us", "UTC")
    schema = {
        SERIES_KEY: pa.string(),
        "mean": lists,
        "quantiles": lists,
        "levels": lists,
        "model_version": pa.string(),
        TIMESTAMP: stamp,
        CREATED: stamp,
    }
    return pa.table({name: pa.array([], kind) for name, kind in schema.items()})


def _write(table: pa.Table, path: Path) -> None:
    with replacing_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")
