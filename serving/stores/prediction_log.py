"""What was answered, kept for monitoring: sampled rows in parquet files that rotate.

Layout: FOLDER/YYYY-MM-DD/part-HHMMSSffffff-PID.parquet, the day and time (UTC) of the first row.
A file appears whole or not at all. One row is one served decision, in these columns:

| column | type | meaning |
|---|---|---|
| request_id | string | of the request; decisions of one request share it |
| served_at | timestamp[us, UTC] | when it was answered |
| unique_id | string | series |
| model_version | string | registered name and version, NAME-N |
| policy_version | string | of the ordering rules |
| step | string | fresh, stale, last_forecast or seasonal_naive (the ladder of ADR 9) |
| known_at | timestamp[us, UTC] | when the newest sales used were known |
| feature_age_s | float64 | served_at minus known_at, seconds |
| cutoff | date32 | last period with sales; the first forecast period follows it |
| mean | list<float32> | expected sales per period after the cutoff, units |
| quantile_levels | list<float32> | levels of `quantiles` |
| quantiles | list<float32> | of sales per period, units, period by period (period x level); of \
counts with half a unit of jitter, so from -1/2 upward |
| levels | list<float32> | quantiles of demand over the first 1, 2, ... periods, units (period x \
level quantile of the model), at least as far as lead time and review period reach |
| lead_time, review_period | int32 | periods |
| critical_ratio | float64 | quantile level of the order-up-to level |
| order_quantity, order_up_to_level, reorder_point, safety_stock | float64 | units |
| on_hand, on_order, backorders | float64 | units the order was computed from |
| arrivals | list<float64> | units of on_order by the period after the cutoff they arrive at the \
start of; what is on order beyond them arrives at the first |
| price, list_price, unit_cost and the other terms of products | float64 | what the costs and the \
rounding come from: money and units; null where the configuration's hold |
| expected_demand | float64 | over lead time and review period, units |
| expected_holding_cost, expected_stockout_cost | float64 | money over the same periods |
| what_if | bool | the caller gave stock or features in place of the store's; plans under other \
assumptions are answered and not logged |

Numbers that are not known are null. What-if rows are kept apart by the flag: realised error is
measured on the others. No caller, address or token is ever written. A row holds all its
decision came from but the model's configuration: serving/answers/recompute.py computes it again.
"""

import contextlib
import logging
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute
from pyarrow.dataset import dataset

from invopt.files import is_whole_parquet
from invopt.inventory.costs import LIMITS

_LOGGER = logging.getLogger(__name__)

PRICED = ("price", "list_price", "unit_cost", "pack_size", "min_order", "holding_cost",
          "stockout_cost", *LIMITS)  # fmt: skip
SCHEMA = pa.schema(
    [
        ("request_id", pa.string()),
        ("served_at", pa.timestamp("us", "UTC")),
        ("unique_id", pa.string()),
        ("model_version", pa.string()),
        ("policy_version", pa.string()),
        ("step", pa.string()),
        ("known_at", pa.timestamp("us", "UTC")),
        ("feature_age_s", pa.float64()),
        ("cutoff", pa.date32()),
        ("mean", pa.list_(pa.float32())),
        ("quantile_levels", pa.list_(pa.float32())),
        ("quantiles", pa.list_(pa.float32())),
        ("lead_time", pa.int32()),
        ("review_period", pa.int32()),
        ("critical_ratio", pa.float64()),
        ("order_quantity", pa.float64()),
        ("order_up_to_level", pa.float64()),
        ("reorder_point", pa.float64()),
        ("safety_stock", pa.float64()),
        ("on_hand", pa.float64()),
        ("on_order", pa.float64()),
        ("expected_demand", pa.float64()),
        ("expected_holding_cost", pa.float64()),
        ("expected_stockout_cost", pa.float64()),
        ("what_if", pa.bool_()),
        ("levels", pa.list_(pa.float32())),
        ("backorders", pa.float64()),
        ("arrivals", pa.list_(pa.float64())),
        *((name, pa.float64()) for name in PRICED),
        ("data_fault", pa.string()),
        ("override_mean", pa.list_(pa.float32())),
        ("override_order", pa.float64()),
    ]
)
_POLL_SECONDS = 0.25
# Rows turned into Arrow at once: short enough not to hold up a request.
_CHUNK = 512
Columns = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LogLimits:
    """How much a prediction log holds, and for how long.

    Attributes:
        rows: Of one file.
        seconds: Longest time a row waits to be written.
        total_bytes: Of all files together; the oldest go first.
        held: Rows offered and not yet taken by the thread.
    """

    rows: int = 10_000
    seconds: float = 60.0
    total_bytes: int = 1 << 30
    held: int = 40_000


class PredictionLog:
    """Takes decisions from a server's threads and writes them from a thread of its own.

    Writing never holds up or fails an answer: what does not fit the queue or the disk is dropped
    and told to `lost`.

    Args:
        folder: Where the files go.
        sample: Share of requests kept, in [0, 1].
        limits: Of rows, files and time.
        lost: Called with a number of dropped rows and the reason, from any thread.
        seed: Of the sampling.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sample: float = 1.0,
        limits: LogLimits | None = None,
        lost: Callable[[int, str], None] = lambda _number, _reason: None,
        seed: int | None = None,
    ) -> None:
        self.folder, self.sample, self.lost = folder, sample, lost
        self.limits = limits or LogLimits()
        self._random = random.Random(seed)  # noqa: S311  (a sample, not a secret)
        self._offered: deque[tuple[int, Callable[[], Sequence[Columns]]]] = deque()
        self._held = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def keeps(self) -> bool:
        """Return whether the next request belongs to the sample."""
        return self._random.random() < self.sample

    def offer(self, number: int, rows: Callable[[], Sequence[Columns]]) -> None:
        """Hand over the rows of one request; returns at once.

        Args:
            number: Of rows.
            rows: Called later, by the log's thread: returns columns of SCHEMA, values by row,
                lists of numbers as (row, length) arrays of their type. Columns that are left out
                are null. What it reads is not to be changed afterwards.
        """
        with self._lock:
            is_full = self._held + number > self.limits.held
            if not is_full:
                self._held += number
                self._offered.append((number, rows))
        if is_full:
            self.lost(number, "queue full")

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        # The thread looks now and then instead of being woken: waking it costs every request.
        waiting = SCHEMA.empty_table()
        is_closing = False
        while not is_closing:
            is_closing = self._closing.wait(_POLL_SECONDS)
            while (table := self._taken()) is not None:
                waiting = pa.concat_tables([waiting, table])
                while len(waiting) >= self.limits.rows:
                    self._write(waiting.slice(0, self.limits.rows))
                    waiting = waiting.slice(self.limits.rows)
            if len(waiting) and (is_closing or self._is_due(waiting["served_at"][0].as_py())):
                self._write(waiting)
                waiting = SCHEMA.empty_table()

    def _taken(self) -> pa.Table | None:
        """Return some of the rows offered so far; None when there are none."""
        with self._lock:
            some: list[Callable[[], Sequence[Columns]]] = []
            number = 0
            while self._offered and number < _CHUNK:
                own, rows = self._offered.popleft()
                some.append(rows)
                number += own
            self._held -= number
        if not some:
            return None
        try:
            return _table([columns for rows in some for columns in rows()])
        except Exception as err:  # rows that fit no table must not end the log for all others
            self.lost(number, type(err).__name__)
            return SCHEMA.empty_table()

    def _is_due(self, first: datetime) -> bool:
        age = (datetime.now(UTC) - first).total_seconds()
        # A clock that jumped back must not keep rows for ever.
        return not 0 <= age < self.limits.seconds

    def _write(self, rows: pa.Table) -> None:
        first = rows["served_at"][0].as_py()
        place = self.folder / f"{first:%Y-%m-%d}" / f"part-{first:%H%M%S%f}-{os.getpid()}.parquet"
        partial = place.with_name(f".{place.name}.partial")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, partial, compression="zstd")
            partial.rename(place)
            self._rotate()
        except (OSError, pa.ArrowException) as err:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            self.lost(len(rows), type(err).__name__)

    def _rotate(self) -> None:
        files = _files(self.folder)
        total = sum(file.stat().st_size for file in files)
        while total > self.limits.total_bytes and len(files) > 1:
            oldest = files.pop(0)
            total -= oldest.stat().st_size
            oldest.unlink()
            if not any(oldest.parent.iterdir()):
                oldest.parent.rmdir()


def _table(some: Sequence[Columns]) -> pa.Table:
    arrays = [_array(field, [columns.get(field.name) for columns in some], some)
              for field in SCHEMA]  # fmt: skip
    return pa.table(arrays, SCHEMA)


def _array(field: pa.Field, parts: Sequence[Any], some: Sequence[Columns]) -> pa.Array:
    """Return one column of several requests; a number that is not known is null."""
    filled: list[Any] = [
        [None] * len(columns["unique_id"]) if part is None else part
        for part, columns in zip(parts, some, strict=True)
    ]
    if pa.types.is_list(field.type) and all(isinstance(part, np.ndarray) for part in filled):
        lengths = np.concatenate([[0], *(np.full(len(p), p.shape[1]) for p in filled)])
        flat = pa.array(np.concatenate([part.ravel() for part in filled]))
        return pa.ListArray.from_arrays(pa.array(lengths.cumsum(), pa.int32()), flat)
    values = [value for part in filled for value in part]
    return pa.array(values, field.type, from_pandas=True)


def read_predictions(folder: Path, columns: Iterable[str] | None = None) -> pa.Table:
    """Return every row of a prediction log, oldest file first; empty when there is none.

    Args:
        folder: Of the log.
        columns: Of SCHEMA; all by default.
    """
    names = list(columns) if columns is not None else SCHEMA.names
    wanted = pa.schema([SCHEMA.field(name) for name in names])
    # Files of an earlier version may lack columns: theirs are null.
    return _rows_of(_files(folder), wanted)


def find_request(folder: Path, request_id: str) -> pa.Table:
    """Return the rows of one request in the order they were answered; empty when there are none.

    Args:
        folder: Of the log.
        request_id: As the server gave it, or the caller.
    """
    is_asked = compute.field("request_id") == request_id
    # Forecasts are nearly all of a file: only ids are read of those that do not hold the request.
    ids = pa.schema([SCHEMA.field("request_id")])
    holding = [file for file in _files(folder) if len(_rows_of([file], ids, is_asked))]
    return _rows_of(holding, SCHEMA, is_asked)


def latest_of(folder: Path, unique_id: str) -> pa.Table:
    """Return the latest row of a series; empty when there is none.

    Args:
        folder: Of the log.
        unique_id: Of the series.
    """
    is_its = compute.field("unique_id") == unique_id
    for file in reversed(_files(folder)):
        found = _rows_of([file], SCHEMA, is_its)
        if len(found):
            return found.slice(len(found) - 1)
    return SCHEMA.empty_table()


def _rows_of(
    files: Sequence[Path], schema: pa.Schema, where: compute.Expression | None = None
) -> pa.Table:
    """Return the rows of some files; one whose content is damaged is said and left out."""
    if not files:
        return schema.empty_table()
    try:
        return dataset(files, schema).to_table(filter=where)
    except (OSError, pa.ArrowException) as err:
        if len(files) == 1:
            _LOGGER.warning("a file of the prediction log is left out, delete it: %s: %s",
                            files[0], err)  # fmt: skip
            return schema.empty_table()
    return pa.concat_tables([_rows_of([file], schema, where) for file in files])


def _files(folder: Path) -> list[Path]:
    """Return the whole files of a log, oldest first; one that a power cut left is said and left."""
    files = sorted(folder.glob("*/part-*.parquet"))
    broken = [file for file in files if not is_whole_parquet(file)]
    if broken:
        _LOGGER.warning(
            "%d files of the prediction log are no whole parquet files and are left out, e.g. %s: "
            "delete them.", len(broken), broken[0],
        )  # fmt: skip
    return [file for file in files if file not in broken]
