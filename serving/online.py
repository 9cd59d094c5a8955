"""Windows of series from the online store, as arrays: one read per view and request.

Feast's own get_online_features turns every number of an array into a Python object; here the
store's values are read through Feast's provider and kept as bytes until they are an array. That
both give the same values is a test. Feast does not enforce a time to live online: ages are
checked by whoever asks.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.features.tables import (
    GROUP_KEY,
    GROUP_PERIODS,
    ON_SALE,
    SALES,
    SERIES_KEY,
    TIMESTAMP,
    TableLayout,
    group_ids,
)
from invopt.timeline import Timeline
from serving import metrics
from serving.alignment import aligned
from serving.failures import StoreUnavailableError
from serving.feature_store import (
    ARRIVALS,
    STOCK,
    newest_windows,
    open_store,
    published_names,
    read_layout,
)
from serving.settings import Settings

FORECAST_FIELDS = ("mean", "quantiles", "levels", "model_version")
_GROUP_SECONDS = 60.0
_OPEN_SECONDS = 2.0
_logger = logging.getLogger(__name__)
# When a row was known, and its values by name; None where there is no row.
Found = tuple[float, dict[str, Any]] | None


@dataclass(frozen=True)
class Windows:
    """Series whose windows end at the same period.

    Attributes:
        rows: Columns of the series table; arrays (series, period), values by row.
        position: on_hand, on_order, backorders by series, NaN where unknown; arrivals (series,
            periods) under way by the period after the window they arrive at the start of; units.
        known_at: When the sales were known, seconds since 1970.
    """

    rows: dict[str, Any] = field(repr=False)
    position: dict[str, npt.NDArray[np.float64]] = field(repr=False)
    known_at: float

    @property
    def names(self) -> list[str]:
        """Series."""
        return list(self.rows[SERIES_KEY])

    @property
    def num_periods(self) -> int:
        """Periods of a window."""
        return int(self.rows[SALES].shape[1])

    def select(self, at: Sequence[int], names: Sequence[str]) -> "Windows":
        """Return copies of some rows, any number of times each, under other names."""
        index = np.asarray(at)
        rows = {
            n: v[index].copy() if isinstance(v, np.ndarray) else [v[i] for i in at]
            for n, v in self.rows.items()
        }
        rows[SERIES_KEY] = list(names)
        return Windows(rows, {n: v[index] for n, v in self.position.items()}, self.known_at)


@dataclass(frozen=True)
class StoredForecast:
    """A forecast kept in the online store by replenishment; arrays flat as published."""

    mean: npt.NDArray[np.float32] = field(repr=False)
    quantiles: npt.NDArray[np.float32] = field(repr=False)
    levels: npt.NDArray[np.float32] = field(repr=False)
    model_version: str
    known_at: float


class OnlineFeatures:
    """Reads the online store, never for longer than allowed.

    After a failure the store is left alone for two seconds; calls in between fail at once.

    Args:
        settings: Where the store is.
        seconds: Longest time of one read.
        clock: Monotonic seconds.

    Attributes:
        layout: Of the published tables.
        published: Number that tells one publication from another.
        newest: When the newest published windows were known, seconds since 1970.
    """

    def __init__(
        self,
        settings: Settings,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings, self.seconds, self.clock = settings, seconds, clock
        self.store = open_store(settings)
        self.pool = ThreadPoolExecutor(4, thread_name_prefix="online-store")
        self._open_until = float("-inf")
        self._groups: dict[str, Any] = {}
        self._asked: set[str] = set()
        self._groups_at, self._groups_version = float("-inf"), 0
        self._lock = threading.Lock()
        self.reload()

    def reload(self) -> None:
        """Read again what was published: layout and definitions."""
        self.layout: TableLayout = read_layout(self.settings)
        self.published = self.version()
        self.newest = _newest(self.settings)
        self.store.refresh_registry()
        names = ["series_window", "stock_position", "last_forecast"]
        names += ["group_window"] if self.layout.group_channels else []
        self.views = {name: self.store.get_feature_view(name) for name in names}
        with self._lock:
            self._groups, self._asked, self._groups_at = {}, set(), float("-inf")

    def version(self) -> float:
        """Return a number that changes when other tables are published."""
        return (self.settings.feature_store / "layout.json").stat().st_mtime

    def example(self) -> str:
        """Return a published series; "-", which nobody has, where none is published."""
        return next(iter(published_names(self.settings, 1)), "-")

    def close(self) -> None:
        """End the reading threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)

    def check(self, seconds: float = 30.0) -> None:
        """Read one key that does not exist; the first read may take its time.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        self._read(SERIES_KEY, ["-"], {"stock_position": ["on_hand"]}, seconds)

    def read(self, names: Sequence[str]) -> list[Windows]:
        """Return the windows of the series that have one, by the time they end at.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        fields = [SALES, ON_SALE, *self.layout.static, *self.layout.series_fields]
        found, stock = self._read(
            SERIES_KEY, names, {"series_window": fields, "stock_position": [*STOCK, ARRIVALS]}
        )
        metrics.FEATURE_MISSES.labels("series_window").inc(sum(row is None for row in found))
        places: dict[tuple[float, int], list[int]] = {}
        for number, row in enumerate(found):
            if row is not None:
                places.setdefault((row[0], len(row[1][SALES])), []).append(number)
        return [
            Windows(
                _columns(fields, [found[i][1] for i in at], [names[i] for i in at], known_at),  # type: ignore[index]
                self._position([stock[i] for i in at], known_at),
                known_at,
            )
            for (known_at, _), at in sorted(places.items())
        ]

    def last_forecasts(self, names: Sequence[str]) -> dict[str, StoredForecast]:
        """Return the forecasts kept for some series.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        [found] = self._read(SERIES_KEY, names, {"last_forecast": list(FORECAST_FIELDS)})
        return {
            name: StoredForecast(**row[1], known_at=row[0])
            for name, row in zip(names, found, strict=True)
            if row is not None
        }

    def groups_version(self, windows: Windows) -> int:
        """Make sure the series' groups are in memory; return a number that changes with them.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        if not self.layout.group_channels:
            return 0
        needed = group_ids(windows.rows, self.layout)
        with self._lock:
            asked, version = self._asked, self._groups_version
            expired = self.clock() - self._groups_at > _GROUP_SECONDS
        if not expired and needed <= asked:
            return version
        keys = sorted(needed | asked)
        fields = [GROUP_PERIODS, *self.layout.group_fields]
        [found] = self._read(GROUP_KEY, keys, {"group_window": fields})
        metrics.FEATURE_MISSES.labels("group_window").inc(sum(r is None for r in found))
        with self._lock:
            self._groups = {k: row for k, row in zip(keys, found, strict=True) if row is not None}
            self._asked, self._groups_at = set(keys), self.clock()
            self._groups_version += 1
            return self._groups_version

    def group_rows(self, windows: Windows) -> dict[str, Any]:
        """Return the group table's rows in memory, as of the windows' end.

        Group sales behind the series' (sales were pushed since) repeat their last season.

        Raises:
            ContractError: If the groups of a channel are not online.
        """
        if not self.layout.group_channels:
            return {}
        with self._lock:
            known = self._groups
        return aligned(known, windows.known_at, windows.num_periods, self.layout)

    def _position(
        self, stock: Sequence[Found], known_at: float
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return the stock of series whose windows were known at a time."""
        missing = dict.fromkeys((*STOCK, ARRIVALS))
        rows = [missing if row is None else row[1] for row in stock]
        found = {
            name: np.array([np.nan if r[name] is None else r[name] for r in rows], np.float64)
            for name in STOCK
        }
        arrivals: list[Any] = [() if r[ARRIVALS] is None else r[ARRIVALS] for r in rows]
        counted = [known_at if row is None else row[0] for row in stock]
        if any(at != known_at for at in counted):  # sales were pushed since
            timeline = Timeline(pd.Timestamp(known_at, unit="s"), self.layout.freq, 0)
            ages = -timeline.index_of(pd.DatetimeIndex(pd.to_datetime(counted, unit="s")))
            arrivals = [_later(a, n) for a, n in zip(arrivals, ages.tolist(), strict=True)]
        found[ARRIVALS] = _stacked(arrivals)
        return found

    def _read(
        self,
        key: str,
        names: Sequence[str],
        views: Mapping[str, list[str]],
        seconds: float | None = None,
    ) -> list[list[Found]]:
        """Return what each view holds of some keys, in order."""
        if self.clock() < self._open_until:
            metrics.STORE_FAILURES.labels("left alone").inc()
            raise StoreUnavailableError
        job = self.pool.submit(self._read_now, key, names, views)
        try:
            return job.result(seconds or self.seconds)
        except FutureTimeoutError as err:
            kind: BaseException = err
            metrics.STORE_FAILURES.labels("slow").inc()
        except Exception as err:  # every store has error classes of its own
            kind = err
            metrics.STORE_FAILURES.labels("down").inc()
        self._open_until = self.clock() + _OPEN_SECONDS
        _logger.warning("online store failed: %s", type(kind).__name__)
        raise StoreUnavailableError from kind

    def _read_now(
        self, key: str, names: Sequence[str], views: Mapping[str, list[str]]
    ) -> list[list[Found]]:
        from feast.protos.feast.types.EntityKey_pb2 import EntityKey  # noqa: PLC0415
        from feast.protos.feast.types.Value_pb2 import Value  # noqa: PLC0415

        keys = [EntityKey(join_keys=[key], entity_values=[Value(string_val=n)]) for n in names]
        store = self.store
        answers = []
        for view, fields in views.items():
            found = store.provider.online_read(store.config, self.views[view], keys, list(fields))
            answers.append(
                [
                    None
                    if values is None or at is None or not _is_set(values.get(fields[0]))
                    else (at.timestamp(), {n: plain(values.get(n)) for n in fields})
                    for at, values in found
                ]
            )
        return answers


def _later(arrivals: Sequence[float], periods: int) -> Sequence[float]:
    """Return arrivals as they stand periods after the count: what was due since is due next.

    Nobody has told that it arrived, or it would be on hand.
    """
    if periods <= 0 or not len(arrivals):
        return arrivals
    return [float(np.sum(arrivals[: periods + 1])), *arrivals[periods + 1 :]]


def _newest(settings: Settings) -> float:
    """Return when the newest published windows were known."""
    file = newest_windows(settings)
    date = "19700101" if file is None else file.name.split("-")[0]
    return pd.Timestamp(date, tz="UTC").timestamp()


def plain(value: Any) -> Any:
    """Return a Feast value as a number, a text, a float32 array, or None."""
    kind = value.WhichOneof("val") if value is not None else None
    if kind is None:
        return None
    if kind != "float_list_val":
        return getattr(value, kind)
    # A packed list is a tag, a length in base 128, and the floats as they lie in memory.
    raw = value.float_list_val.SerializeToString()
    at = 1
    while at < len(raw) and raw[at] & 0x80:
        at += 1
    return np.frombuffer(raw, "<f4", offset=at + 1) if raw else np.zeros(0, np.float32)


def _is_set(value: Any) -> bool:
    return value is not None and value.WhichOneof("val") is not None


def _columns(
    fields: list[str], found: list[dict[str, Any]], names: list[str], known_at: float
) -> dict[str, Any]:
    rows: dict[str, Any] = {SERIES_KEY: names}
    for name in fields:
        values = [row[name] for row in found]
        rows[name] = np.stack(values) if isinstance(values[0], np.ndarray) else values
    rows[TIMESTAMP] = [pd.Timestamp(known_at, unit="s")] * len(names)
    return rows


def _stacked(arrivals: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return arrivals by series and period, at least one, from rows of different lengths."""
    found = np.zeros((len(arrivals), max((1, *map(len, arrivals)))))
    for row, units in zip(found, arrivals, strict=True):
        row[: len(units)] = units
    return found
