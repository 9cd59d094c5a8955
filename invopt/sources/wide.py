"""Tables with periods as columns: found, dated, checked and read straight into arrays."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.errors import InvalidInputError
from invopt.sources.dates import Raw, dated
from invopt.sources.duck import Reader
from invopt.sources.mapping import Expression, Table, Wide
from invopt.sources.marks import is_mark_sql, marked
from invopt.sources.numbers import number_sql
from invopt.sources.standard import (
    Parts,
    Standard,
    kept_by,
    kinds_of,
    number_keys,
    numbered,
    standardise,
)
from invopt.sql import literal, quote
from invopt.timeline import Timeline, floor_dates
from invopt.types import BoolArray, Float32Array, IntArray

NOT_A_NUMBER = "cell is not a number"
NOT_KNOWN = marked("cell")
NEGATIVE = "cell is negative"
REPEATED = "another row has the same key"


@dataclass(kw_only=True)
class Layout:
    """Period columns of a wide table and the rows that carry them.

    `rows` is a DuckDB table (key, __row) of the first row of each key.
    """

    name: str
    source: str
    where: str | None
    rows: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    texts: frozenset[str]  # columns held as text
    signs: tuple[str, str | None]  # of numbers held as text: decimal, thousands
    dates: pd.DatetimeIndex
    num_rows: int
    refused_rows: dict[str, int]
    num_columns: int  # period columns of the table, those left out included
    suspects: set[str] = field(default_factory=set)  # columns read with a doubtful value

    @property
    def num_cells(self) -> int:
        """Cells of the table: rows times period columns, those left out included."""
        return self.num_rows * self.num_columns

    def without(self, columns: BoolArray) -> "Layout":
        """Return the layout without some of its period columns, told by a mask."""
        kept = tuple(c for c, out in zip(self.columns, columns, strict=True) if not out)
        return replace(self, columns=kept, dates=self.dates[~columns], texts=self.texts & set(kept))

    def quarantine_columns(self, reader: Reader, columns: tuple[str, ...], reason: str) -> int:
        """Set the cells of whole columns aside, those that hold something in full; return all."""
        self._quarantine_cells(
            reader,
            set(columns),
            reason,
            lambda c: f"o.{quote(c)} IS NOT NULL AND trim(o.{quote(c)}::VARCHAR) <> ''",
        )
        return len(self.keys) * len(columns)

    def timeline(self, freq: str) -> Timeline:
        """Return the periods from the first to the last column.

        Raises:
            InvalidInputError: If two columns fall into one period.
        """
        floors = floor_dates(self.dates, freq)
        if floors.has_duplicates:
            repeated = [self.columns[i] for i in np.flatnonzero(floors.duplicated(keep=False))[:5]]
            raise InvalidInputError(
                f"{self.name}: columns {', '.join(repeated)} fall into the same period of {freq}."
            )
        return Timeline.covering(self.dates.min(), self.dates.max(), freq)

    def blocks(
        self, reader: Reader, ids: tuple[str, ...]
    ) -> Iterator[tuple[IntArray, Float32Array]]:
        """Yield row numbers and (row, column) values; NaN for empty and unreadable cells.

        Args:
            reader: Holds the table.
            ids: Keys, numbered from 0; those that the table lacks do not come.
        """
        number_keys(reader, f"codes_{self.name}", ids)
        picks = ", ".join(f"{self._number(c)} AS {quote(c)}" for c in self.columns)
        sql = (
            f'SELECT c.i, {picks} FROM "codes_{self.name}" c JOIN {self.rows} r USING (key) '
            f"JOIN {self._numbered()} o ON o.__row = r.__row"
        )
        for batch in reader.batches(sql, self.name, rows=8192):
            block = np.stack(
                [batch[c].to_numpy(zero_copy_only=False) for c in self.columns], axis=1
            ).astype(np.float32)
            doubtful = (np.isinf(block) | (block < 0)).any(axis=0)
            self.suspects.update(self.columns[c] for c in np.flatnonzero(doubtful))
            block[~np.isfinite(block)] = np.nan
            yield batch["i"].to_numpy(), block

    def quarantine(self, reader: Reader, *, reject_negative: bool) -> dict[str, int]:
        """Set bad cells aside and return how many there are for each reason.

        Call it when every partition was read: only columns in which something doubtful was
        seen, and text columns that do not convert whole, are looked at cell by cell.
        """
        refused = {r: n * self.num_columns for r, n in self.refused_rows.items()}
        doubtful = self.suspects | self._unconverted(reader)
        refused[NOT_KNOWN] = self._quarantine_cells(reader, doubtful, NOT_KNOWN, self._is_mark)
        refused[NOT_A_NUMBER] = self._quarantine_cells(
            reader, doubtful, NOT_A_NUMBER, self._is_no_number
        )
        if reject_negative:
            refused[NEGATIVE] = self._quarantine_cells(
                reader, doubtful, NEGATIVE, lambda c: f"{self._number(c)} < 0"
            )
        return refused

    def _unconverted(self, reader: Reader) -> set[str]:
        if not self.texts:
            return set()
        counts = ", ".join(
            f"count({quote(c)}) - count({self._number(c)}) AS {quote(c)}" for c in self.texts
        )
        rows = f'"{self.source}"{kept_by(self.where)}'
        row = reader.fetch(f"SELECT {counts} FROM {rows}", self.name).to_pylist()[0]
        return {c for c in self.texts if row[c]}

    def _quarantine_cells(
        self, reader: Reader, columns: set[str], reason: str, test: Callable[[str], str]
    ) -> int:
        joined = f"{self._numbered()} o JOIN {self.rows} r USING (__row)"
        total = 0
        for column in sorted(columns):
            record = (
                f"to_json({{'key': r.key, 'column': {literal(column)}, "
                f"'value': o.{quote(column)}::VARCHAR}})"
            )
            rows = f"FROM {joined} WHERE {test(column)}"
            found = reader.fetch(f"SELECT count(*) AS n {rows}", self.name)["n"][0].as_py()
            if found:
                reader.run(
                    f"INSERT INTO quarantine SELECT {literal(self.name)}, o.__row, "
                    f"{literal(reason)}, {record} {rows}",
                    self.name,
                )
            total += int(found)
        return total

    def _numbered(self) -> str:
        return numbered(self.source)

    def _number(self, column: str) -> str:
        # A number first; "True" and "False" (an in-stock flag) second.
        name = quote(column)
        if column not in self.texts:
            return f"{name}::FLOAT"
        flag = f"TRY_CAST(TRY_CAST({name}::VARCHAR AS BOOLEAN) AS INTEGER)"
        number = f"TRY_CAST({name} AS FLOAT)"
        if self.signs != (".", None):
            number = f"{number_sql(name, *self.signs, None)}::FLOAT"
        return f"coalesce({number}, {flag}::FLOAT)"

    def _is_no_number(self, column: str) -> str:
        given = f"{quote(column)} IS NOT NULL AND trim({quote(column)}::VARCHAR) <> ''"
        bad = f"coalesce(NOT isfinite({self._number(column)}), true)"
        return f"({given} AND {bad} AND NOT {is_mark_sql(quote(column))})"

    def _is_mark(self, column: str) -> str:
        return f"({self._number(column)} IS NULL AND {is_mark_sql(quote(column))})"


class WideValues:
    """(series, period) values of a wide table by partition, from one reading of the table.

    Of several partitions the values lie in a file: a table of a thousand columns is not to be read
    for each of them, nor kept in memory.

    Args:
        layout: Of the table.
        reader: Holds it.
        timeline: Periods of the values.
        parts: Series.
    """

    def __init__(self, layout: Layout, reader: Reader, timeline: Timeline, parts: Parts) -> None:
        self.layout, self.reader, self.parts = layout, reader, parts
        at = timeline.index_of(layout.dates)
        self.inside = (at >= 0) & (at < timeline.num_periods)
        self.at = at[self.inside]
        self.num_periods = timeline.num_periods
        self.file: Path | None = None
        self.there = np.zeros(len(parts.ids), bool)

    def read(self, part: int) -> Float32Array:
        """Return the values of a partition; NaN for empty, unreadable or missing cells and keys."""
        ids = self.parts.ids_of(part)
        values = np.full((len(ids), self.num_periods), np.nan, np.float32)
        if self.parts.number == 1:
            for rows, block in self.layout.blocks(self.reader, ids):
                values[np.ix_(rows, self.at)] = block[:, self.inside]
            return values
        if self.file is None:
            self._keep()
        first = part * self.parts.size
        rows = np.flatnonzero(self.there[first : first + len(ids)])
        values[np.ix_(rows, self.at)] = self._mapped("r")[first + rows]
        return values

    def _keep(self) -> None:
        self.file = self.reader.scratch / f"{re.sub(r'[^0-9A-Za-z]', '_', self.layout.name)}.values"
        self._mapped("w+")
        for rows, block in self.layout.blocks(self.reader, self.parts.ids):
            # Mapped anew each time: what was written is not held in memory.
            self._mapped("r+")[rows] = block[:, self.inside]
            self.there[rows] = True

    def _mapped(self, mode: Any) -> Float32Array:
        assert self.file is not None
        shape = len(self.parts.ids), len(self.at)
        return np.memmap(self.file, np.float32, mode, shape=shape)


def survey(reader: Reader, name: str, table: Table, wide: Wide, key: Expression) -> Layout:
    """Find the period columns and the rows of a wide table; repeated keys are set aside.

    Raises:
        InvalidInputError: If no column matches, a column has no date, or no row has a key.
    """
    types = reader.column_types(f'"{table.source}"', f"{name}.from")
    columns = tuple(c for c in types if re.fullmatch(wide.columns, c))
    if not columns:
        raise InvalidInputError(
            f"{name}.wide.columns {wide.columns!r} matches none of the {len(types)} columns of "
            f"{table.source} (e.g. {', '.join(list(types)[:5])})."
        )
    dates = _dates(reader, name, wide, columns)
    std = standardise(reader, name, table, key=key, ds=None, columns={}, kinds={}, rules={})
    rows = f'"rows_{name}"'
    refused_rows = _set_aside(reader, std, rows)
    total = reader.fetch(f'SELECT count(*) AS n FROM "{std.view}"', name)["n"][0].as_py()
    keys = reader.fetch(f"SELECT key FROM {rows} ORDER BY key", name)["key"].to_pylist()
    if not keys:
        raise InvalidInputError(f"{name} ({table.source}) has no usable row: {total} rows read.")
    texts = frozenset(c for c in columns if types[c] == "VARCHAR")
    return Layout(
        name=name,
        source=table.source,
        where=std.where,
        rows=rows,
        keys=tuple(keys),
        columns=columns,
        texts=texts,
        signs=(wide.decimal, wide.thousands),
        dates=dates,
        num_rows=int(total),
        refused_rows=refused_rows,
        num_columns=len(columns),
    )


def _set_aside(reader: Reader, std: Standard, rows: str) -> dict[str, int]:
    """Make a table of the first sound row of each key; returns how many others there are, why."""
    name = std.name
    reader.run(
        f"CREATE OR REPLACE TABLE {rows} AS SELECT key, min(__row) AS __row "
        f'FROM "{std.view}" WHERE reason IS NULL GROUP BY key',
        name,
    )
    refused = f'FROM "{std.view}" s WHERE s.__row NOT IN (SELECT __row FROM {rows})'
    reason = f"coalesce(s.reason, {literal(REPEATED)})"
    reader.run(
        f"INSERT INTO quarantine SELECT {literal(name)}, b.__row, b.reason, to_json(o) "
        f"FROM (SELECT s.__row, {reason} AS reason {refused}) b "
        f"JOIN {std.original} o USING (__row)",
        name,
    )
    found = reader.fetch(f"SELECT {reason} AS reason, count(*) AS n {refused} GROUP BY 1", name)
    return {row["reason"]: int(row["n"]) for row in found.to_pylist()}


def _by_name(found: pd.DataFrame) -> dict[str, pd.Timestamp]:
    return dict(zip(found["k"], pd.to_datetime(found["d"]), strict=True))


def _dates(reader: Reader, name: str, wide: Wide, columns: tuple[str, ...]) -> pd.DatetimeIndex:
    if wide.format is not None:
        place = f"{name}.wide.format {wide.format!r}"
        text = f"TRY_STRPTIME(c, {literal(wide.format)})"
        if "%V" in wide.format or "%j" in wide.format:  # 2025 has no week 53
            form = literal(wide.format)
            text = f"CASE WHEN strftime({text}, {form}) = c THEN {text} END"
        listed = ", ".join(f"({literal(column)})" for column in columns)
        found = reader.fetch(
            f"SELECT c AS k, ({text})::DATE AS d FROM (VALUES {listed}) v(c)", place
        )
        by_name = _by_name(found.to_pandas())
    else:
        place = f"{name}.wide.lookup {wide.lookup}"
        assert wide.ds is not None
        types = reader.column_types(f'"{wide.lookup}"', place)
        [kind] = kinds_of(reader, str(wide.lookup), [wide.ds], place, types)
        listed = f'(SELECT * FROM "{wide.lookup}")'
        entry = Expression(expr=wide.ds)
        rows = dated(reader, listed, Raw(wide.ds, kind), entry, place).rows
        found = reader.fetch(
            f"SELECT ({wide.key})::VARCHAR AS k, "
            f"CASE WHEN __unsure IS NULL THEN __at::DATE END AS d FROM {rows}",
            place,
        ).to_pandas()
        by_name = _by_name(found)
    undated = [c for c in columns if pd.isna(by_name.get(c))]
    if undated:
        raise InvalidInputError(
            f"{place} gives no date for {len(undated)} columns (e.g. {', '.join(undated[:5])})."
        )
    return pd.DatetimeIndex([by_name[c] for c in columns])
