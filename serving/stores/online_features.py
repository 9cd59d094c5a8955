"""Windows of series from the online store, as arrays: one read per request.

Feast's own get_online_features turns every number of an array into a Python object; here the
store's rows are decoded as blocks. That both give the same values is a test. Feast does not
enforce a time to live online: ages are checked by whoever asks.
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
import pandas as pd

from feature_repo.rows import Block, decode_rows
from invopt.features.tables import (
    GROUP_KEY,
    ON_SALE,
    SALES,
    SERIES_KEY,
    TIMESTAMP,
    TableLayout,
    group_ids,
)
from invopt.timeline import Timeline
from invopt.types import Float32Array, FloatArray
from serving.api import metrics
from serving.api.failures import StoreUnavailableError
from serving.settings import Settings
from serving.stores.alignment import aligned
from serving.stores.feature_store import (
    ARRIVALS,
    SEGMENT,
    STOCK,
    newest_windows,
    open_store,
    published_groups,
    published_names,
    read_layout,
)
from serving.stores.materialise import online_rows
from serving.stores.overrides import read_overrides

FORECAST_FIELDS = ("mean", "quantiles", "levels", "model_version")
_GROUP_SECONDS = 60.0
_MOST_GROUPS = 2000  # read before anybody asks for them
_OPEN_SECONDS = 2.0
_logger = logging.getLogger(__name__)
# When a row was known, seconds since 1970, and its values by name.
Found = tuple[float, dict[str, Any]]


@dataclass(frozen=True)
class OnlineWindows:
    """Series whose windows end at the same period.

    Attributes:
        rows: Columns of the series table; arrays (series, period), values by row.
        position: on_hand, on_order, backorders by series, NaN where unknown; arrivals (series,
            periods) under way by the period after the window they arrive at the start of; units.
        stock_known_at: When the position was known, seconds since 1970; NaN where the store has
            none, or the caller's is used instead.
        known_at: When the sales were known, seconds since 1970.
    """

    rows: dict[str, Any] = field(repr=False)
    position: dict[str, FloatArray] = field(repr=False)
    stock_known_at: FloatArray = field(repr=False)
    known_at: float

    @property
    def names(self) -> list[str]:
        """Series."""
        return list(self.rows[SERIES_KEY])

    @property
    def num_periods(self) -> int:
        """Periods of a window."""
        return int(self.rows[SALES].shape[1])

    def select(self, at: Sequence[int], names: Sequence[str]) -> "OnlineWindows":
        """Return copies of some rows, any number of times each, under other names."""
        index = np.asarray(at)
        rows = {
            n: v[index].copy() if isinstance(v, np.ndarray) else [v[i] for i in at]
            for n, v in self.rows.items()
        }
        rows[SERIES_KEY] = list(names)
        position = {n: v[index] for n, v in self.position.items()}
        return OnlineWindows(rows, position, self.stock_known_at[index], self.known_at)


@dataclass(frozen=True)
class StoredRows:
    """What the store holds of some series, as it holds it: bytes, None where there is nothing.

    Attributes:
        names: Series.
        windows: Row of each in series_window.
        positions: Row of each in stock_position.
    """

    names: list[str]
    windows: list[bytes | None] = field(repr=False)
    positions: list[bytes | None] = field(repr=False)

    def select(self, names: Sequence[str]) -> "StoredRows":
        """Return the rows of some of the series."""
        place = {name: at for at, name in enumerate(self.names)}
        at = [place[name] for name in names]
        windows, positions = ([rows[i] for i in at] for rows in (self.windows, self.positions))
        return StoredRows(list(names), windows, positions)


@dataclass(frozen=True)
class StoredForecast:
    """A forecast kept in the online store by replenishment; arrays flat as published."""

    mean: Float32Array = field(repr=False)
    quantiles: Float32Array = field(repr=False)
    levels: Float32Array = field(repr=False)
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
        publication: Counts what was read of publications; another one, other overrides.
        newest: When the newest published windows were known, seconds since 1970.
        overrides: What planners said at the last review.
    """

    def __init__(
        self,
        settings: Settings,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings, self.seconds, self.clock = settings, seconds, clock
        self.store = open_store(settings)
        self._rows = online_rows(self.store)
        self.pool = ThreadPoolExecutor(4, thread_name_prefix="online-store")
        self._open_until = float("-inf")
        self._groups: dict[str, Any] = {}
        self._group_rows: dict[str, bytes | None] = {}
        self._asked: set[str] = set()
        self._groups_at, self._groups_version = float("-inf"), 0
        self.publication = 0
        self._lock = threading.Lock()
        self.reload()

    def reload(self) -> None:
        """Read again what was published: layout and definitions."""
        # All of it, or nothing: what cannot be read now is read again in a while.
        published, layout = self.version(), read_layout(self.settings)
        newest = _newest(self.settings)
        self.store.refresh_registry()
        names = ["series_window", "stock_position", "last_forecast"]
        names += ["group_window"] if layout.group_channels else []
        self.views = {name: self.store.get_feature_view(name) for name in names}
        self.layout: TableLayout = layout
        self.published, self.newest = published, newest
        self.overrides = read_overrides(self.settings.feature_store)
        self.publication += 1
        known = published_groups(self.settings, _MOST_GROUPS) if layout.group_channels else []
        with self._lock:
            self._groups, self._group_rows = {}, {}
            # All of them are read at once by whoever is first: whoever meets another group later
            # waits while the calendar and the trends of all of them are encoded anew.
            self._asked, self._groups_at = set(known), float("-inf")

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
        self._read(SERIES_KEY, ["-"], ["stock_position"], seconds)

    def read(self, names: Sequence[str]) -> list[OnlineWindows]:
        """Return the windows of the series that have one, by the time they end at.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        return self.windows_of(self.rows_of(names))

    def rows_of(self, names: Sequence[str]) -> StoredRows:
        """Return what the store holds of some series, in one read.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        windows, positions = self._read(SERIES_KEY, names, ["series_window", "stock_position"])
        return StoredRows(list(names), windows, positions)

    def windows_of(self, stored: StoredRows) -> list[OnlineWindows]:
        """Return the windows of the series that have one, by the time they end at."""
        names = stored.names
        found, stock = decode_rows(stored.windows), decode_rows(stored.positions)
        blocks = [block for block in found if block.columns.get(SALES) is not None]
        missing = len(names) - sum(len(block.at) for block in blocks)
        metrics.FEATURE_MISSES.labels("series_window").inc(missing)
        position, known_at = _position(stock, len(names))
        fields = [SALES, ON_SALE, *self.layout.static, *self.layout.series_fields]
        segments = _segments(stock, len(names))
        return [
            OnlineWindows(
                _columns(block, fields, names) | {SEGMENT: [segments[at] for at in block.at]},
                self._position_at(block, position, known_at),
                known_at[block.at],
                block.micros / 1_000_000,
            )
            for block in blocks
        ]

    def last_forecasts(self, names: Sequence[str]) -> dict[str, StoredForecast]:
        """Return the forecasts kept for some series.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        [rows] = self._read(SERIES_KEY, names, ["last_forecast"])
        return {
            names[place]: StoredForecast(
                **{n: row.get(n) for n in FORECAST_FIELDS},  # type: ignore[arg-type]
                known_at=known_at,
            )
            for place, (known_at, row) in _rows(decode_rows(rows)).items()
        }

    def groups_version(self, windows: OnlineWindows) -> int:
        """Make sure the series' groups are in memory; return a number that changes with them.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        if not self.layout.group_channels:
            return 0
        needed = group_ids(windows.rows, self.layout)
        with self._lock:
            asked = self._asked
        return self._groups_of(needed | asked)

    def known_groups_version(self) -> int:
        """Return the number that groups_version returns for series whose groups are in memory.

        Raises:
            StoreUnavailableError: If the store does not answer.
        """
        with self._lock:
            asked = self._asked
        return self._groups_of(asked)

    def _groups_of(self, needed: set[str]) -> int:
        """Make sure that some groups are in memory and not old; return the number of them all."""
        with self._lock:
            version = self._groups_version
            expired = self.clock() - self._groups_at > _GROUP_SECONDS
            if not needed or (not expired and needed <= self._group_rows.keys()):
                return version
        keys = sorted(needed)
        [rows] = self._read(GROUP_KEY, keys, ["group_window"])
        raw = dict(zip(keys, rows, strict=True))
        with self._lock:
            self._groups_at = self.clock()
            # What stands there as it stood is encoded already.
            if raw != self._group_rows:
                found = _rows(decode_rows(rows))
                self._groups = {keys[place]: row for place, row in found.items()}
                self._group_rows, self._asked = raw, set(keys)
                self._groups_version += 1
            version, missing = self._groups_version, len(keys) - len(self._groups)
        metrics.FEATURE_MISSES.labels("group_window").inc(missing)
        return version

    def group_rows(self, windows: OnlineWindows) -> dict[str, Any]:
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

    def _position_at(
        self,
        block: Block,
        position: Mapping[str, FloatArray],
        known_at: FloatArray,
    ) -> dict[str, FloatArray]:
        """Return the position of a block's series, arrivals counted from the end of its windows."""
        found = {name: values[block.at] for name, values in position.items()}
        end, counted = block.micros / 1_000_000, known_at[block.at]
        earlier = set(counted[counted < end].tolist())  # sales were pushed since
        if not earlier:
            return found
        timeline = Timeline(pd.Timestamp(end, unit="s"), self.layout.freq, 0)
        for time_ in earlier:
            periods = -timeline.index_of(pd.DatetimeIndex([pd.Timestamp(time_, unit="s")]))[0]
            rows = counted == time_
            found[ARRIVALS][rows] = _later(found[ARRIVALS][rows], int(periods))
        used = np.flatnonzero(found[ARRIVALS].any(axis=0))
        found[ARRIVALS] = found[ARRIVALS][:, : max([1, *(used + 1)])]
        return found

    def _read(
        self, key: str, names: Sequence[str], views: Sequence[str], seconds: float | None = None
    ) -> list[list[bytes | None]]:
        """Return what each view holds of some keys."""
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
        self, key: str, names: Sequence[str], views: Sequence[str]
    ) -> list[list[bytes | None]]:
        from feature_repo.row_store import text_keys  # noqa: PLC0415  (imports Feast)

        wanted = [self.views[view] for view in views]
        found: list[list[bytes | None]] = self._rows.read_rows(
            self.store.config, wanted, text_keys(key, names)
        )
        return found


def _newest(settings: Settings) -> float:
    """Return when the newest published windows were known."""
    file = newest_windows(settings)
    date = "19700101" if file is None else file.name.split("-")[0]
    return pd.Timestamp(date, tz="UTC").timestamp()


def _rows(blocks: Sequence[Block]) -> dict[int, Found]:
    """Return rows one by one, by their place among the keys."""
    return {
        place: (block.micros / 1_000_000, block.row(number))
        for block in blocks
        for number, place in enumerate(block.at)
    }


def _columns(block: Block, fields: list[str], names: Sequence[str]) -> dict[str, Any]:
    num = len(block.at)
    rows: dict[str, Any] = {SERIES_KEY: [names[place] for place in block.at]}
    for name in fields:
        values = block.columns.get(name)
        rows[name] = [None] * num if values is None else values
    rows[TIMESTAMP] = [pd.Timestamp(block.micros, unit="us")] * num
    return rows


def _position(stock: Sequence[Block], num: int) -> tuple[dict[str, FloatArray], FloatArray]:
    """Return the position of each key and when it was known, NaN where there is none."""
    found = {name: np.full(num, np.nan) for name in STOCK}
    known_at = np.full(num, np.nan)
    coming = [(block.at, block.columns.get(ARRIVALS)) for block in stock]
    lengths = [units.shape[1] for _, units in coming if units is not None]
    arrivals = np.zeros((num, max([1, *lengths])))
    for block, (at, units) in zip(stock, coming, strict=True):
        known_at[at] = block.micros / 1_000_000
        for name, values in found.items():
            given = block.columns.get(name)
            if given is not None:
                values[at] = given
        if units is not None:
            arrivals[at, : units.shape[1]] = units
    return found | {ARRIVALS: arrivals}, known_at


def _segments(stock: Sequence[Block], num: int) -> list[str]:
    """Return the segment of each key, "" where none was published."""
    found = [""] * num
    for block in stock:
        for place, text in zip(block.at, block.columns.get(SEGMENT) or (), strict=False):
            found[place] = text
    return found


def _later(arrivals: FloatArray, periods: int) -> FloatArray:
    """Return (series, period) arrivals as they stand periods after the count.

    What was due since is due next: nobody has told that it arrived, or it would be on hand.
    """
    later = np.zeros_like(arrivals)
    later[:, 0] = arrivals[:, : periods + 1].sum(axis=1)
    rest = arrivals[:, periods + 1 :]
    later[:, 1 : 1 + rest.shape[1]] = rest
    return later
