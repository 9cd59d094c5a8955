"""Stock, promotions, customers, market and external tables as channels of a panel."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt.errors import ConfigError
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, Channel, group_names
from invopt.sources import wide
from invopt.sources.dates import month_alone
from invopt.sources.duck import Reader
from invopt.sources.ledger import AFTER, BEFORE, DUPLICATE, ORPHAN, Ledger
from invopt.sources.mapping import ChannelTable, Expression, Mapping
from invopt.sources.standard import (
    NUMBER,
    Parts,
    Standard,
    combined,
    fill_forward,
    gather,
    number_keys,
    one_hot_columns,
    rows_of_part,
    standardise,
)
from invopt.sql import quote
from invopt.timeline import Timeline
from invopt.types import Float32Array

MAX_FUTURE_PERIODS = 400


@dataclass
class _Placed:
    """A channel table whose rows know their period: view (__row, key, t, columns, reason)."""

    std: Standard
    view: str
    table: ChannelTable
    domain: str
    num_columns: int  # periods of its arrays, future ones included
    duplicates: int = 0


class ChannelTables:
    """Reads the channel tables of a mapping, whole groups at once and series by partition.

    Args:
        reader: Holds the sources.
        ledger: Account to keep.
        mapping: Of the data set.
        series: All series, in order.
        timeline: Periods of the panel.
    """

    def __init__(
        self,
        reader: Reader,
        ledger: Ledger,
        mapping: Mapping,
        series: pd.DataFrame,
        timeline: Timeline,
    ) -> None:
        self.reader, self.ledger, self.timeline = reader, ledger, timeline
        self.series = series
        self.placed: list[_Placed] = []
        self.wide_values: dict[str, wide.WideValues] = {}
        self.wides: list[tuple[wide.Layout, ChannelTable, str]] = []
        for name, domain, table in mapping.channel_tables():
            key = table.key or (mapping.unique_id if table.level == SERIES_LEVEL else None)
            if table.wide is not None:
                assert key is not None
                self.wides.append(
                    (wide.survey(reader, name, table, table.wide, key), table, domain)
                )
            else:
                self.placed.append(self._place(name, domain, table, key))

    def shared(self) -> list[Channel]:
        """Return the channels of groups (region, category, all): the same in every partition."""
        found: list[Channel] = []
        for placed in self.placed:
            if placed.table.level != SERIES_LEVEL:
                found += self._read(placed, self._whole(placed.table.level), 0)
        for layout, table, domain in self.wides:
            if table.level != SERIES_LEVEL:
                whole = self._whole(table.level)
                found.append(self._read_wide(layout, table, domain, whole, 0))
        return found

    def own(self, parts: Parts, number: int) -> list[Channel]:
        """Return the channels recorded per series, for the series of one partition."""
        found: list[Channel] = []
        for placed in self.placed:
            if placed.table.level == SERIES_LEVEL:
                found += self._read(placed, parts, number)
        for layout, table, domain in self.wides:
            if table.level == SERIES_LEVEL:
                found.append(self._read_wide(layout, table, domain, parts, number))
        return found

    def close(self) -> None:
        """Enter every table's account; call it when all partitions were read."""
        for placed in self.placed:
            self.ledger.enter_view(placed.std, placed.view, {DUPLICATE: placed.duplicates})
        for layout, _, _ in self.wides:
            refused = layout.quarantine(self.reader, reject_negative=False)
            self.ledger.enter(layout, layout.num_cells, refused, layout.num_columns)

    def _whole(self, level: str) -> Parts:
        """Return all groups of a level as one partition."""
        groups = self._groups(level)
        return Parts(groups, max(1, len(groups)))

    def _groups(self, level: str) -> tuple[str, ...]:
        if level == ALL_LEVEL:
            return ("",)
        missing = [c for c in level.split("+") if c not in self.series]
        if missing:
            raise ConfigError(
                f"level {level!r}: {', '.join(missing)} is not a column of products "
                f"({', '.join(self.series.columns)})."
            )
        return tuple(sorted(set(group_names(self.series, level))))

    def _place(
        self, name: str, domain: str, table: ChannelTable, key: Expression | None
    ) -> _Placed:
        columns = dict(table.columns) | one_hot_columns(self.reader, name, table)
        std = standardise(
            self.reader,
            name,
            table,
            key=None if table.level == ALL_LEVEL else key,
            ds=table.ds,
            columns=columns,
            kinds=dict.fromkeys(columns, NUMBER),
            rules={},
            unclear=month_alone(self.timeline.freq, is_sales=False),
        )
        num_periods = self.timeline.num_periods
        limit = num_periods + (MAX_FUTURE_PERIODS if table.known else 0)
        number_keys(self.reader, f"keys_{name}", self._groups(table.level))
        view = f"placed_{name}"
        picks = ", ".join(f"s.{quote(c)}" for c in columns)
        self.reader.run(
            f'CREATE OR REPLACE VIEW "{view}" AS SELECT s.__row, s.key, s.ds, s.t, {picks}, '
            f"coalesce(s.reason, CASE WHEN s.t < 0 THEN '{BEFORE}' WHEN s.t >= {limit} "
            f"THEN '{AFTER}' WHEN k.key IS NULL THEN '{ORPHAN}' END) AS reason "
            f'FROM {self._with_periods(std, table)} s LEFT JOIN "keys_{name}" k ON k.key = s.key',
            name,
        )
        fates = self.ledger.fates(std, view, last="t")
        if table.level != ALL_LEVEL:
            self.ledger.tell_strangers(std, fates, self._groups(table.level))
        sound = fates.loc[fates["reason"].isna(), "last"]
        width = num_periods
        if table.known and len(sound):
            carried = (table.fill_limit or 0) if table.fill == "forward" else 0
            width = max(width, int(sound.max()) + 1 + carried)
        return _Placed(std, view, table, domain, width)

    def _with_periods(self, std: Standard, table: ChannelTable) -> str:
        """Return the SQL of a table's rows with their period t.

        What holds until the next value, and was said before the first period, holds from the
        first period on: the latest such row of a group counts as said then.
        """
        rows = f'(SELECT *, {self.timeline.to_sql("ds")} AS t FROM "{std.view}")'
        if table.fill != "forward" or table.fill_limit is not None:
            return rows
        earlier = f'"earlier_{std.name}"'
        self.reader.run(
            f"CREATE OR REPLACE TABLE {earlier} AS SELECT max_by(__row, (ds, -__row)) AS __row "
            f"FROM {rows} WHERE reason IS NULL AND t <= 0 GROUP BY key HAVING max(t) < 0",
            std.name,
        )
        held = f"s.__row IN (SELECT __row FROM {earlier})"
        return f"(SELECT s.* REPLACE (CASE WHEN {held} THEN 0 ELSE t END AS t) FROM {rows} s)"

    def _read(self, placed: _Placed, parts: Parts, number: int) -> list[Channel]:
        name = placed.std.name
        groups = parts.ids_of(number)
        kept = rows_of_part(self.reader, placed.std, placed.view, "s.t", parts)
        rows = f"FROM {kept} s WHERE p = {number}"
        combining = placed.table.combining()
        if combining is None:
            picks = ", ".join(f"s.{quote(c)}::FLOAT AS {quote(c)}" for c in placed.std.columns)
            sql = f"SELECT i, t, __row, {picks} {rows}"
        else:
            picks = ", ".join(
                f"{combined(f's.{quote(c)}', combining.get(c, 'max'))}::FLOAT AS {quote(c)}"
                for c in placed.std.columns
            )
            sql = f"SELECT i, t, min(s.__row) AS __row, {picks} {rows} GROUP BY i, t"
        shape = len(groups), placed.num_columns
        cells = gather(self.reader.batches(sql, name), shape, placed.std.columns)
        self.ledger.set_aside_rows(placed.std, cells.duplicates)
        placed.duplicates += len(cells.duplicates)
        table = placed.table
        return [
            Channel(
                c,
                placed.domain,
                table.level,
                groups=groups,
                known=table.known,
                values=_filled(values, table),
                fill=table.fill,
            )
            for c, values in cells.values.items()
        ]

    def _read_wide(
        self, layout: wide.Layout, table: ChannelTable, domain: str, parts: Parts, number: int
    ) -> Channel:
        assert table.name is not None
        line = self.timeline
        if table.known:
            stop = int(line.index_of(pd.DatetimeIndex([layout.dates.max()]))[0]) + 1
            line = line.resized(max(line.num_periods, stop))
        if layout.name not in self.wide_values:
            self.wide_values[layout.name] = wide.WideValues(layout, self.reader, line, parts)
        values = _filled(self.wide_values[layout.name].read(number), table)
        groups = parts.ids_of(number)
        return Channel(
            table.name,
            domain,
            table.level,
            groups=groups,
            known=table.known,
            values=values,
            fill=table.fill,
        )


def _filled(values: Float32Array, table: ChannelTable) -> Float32Array:
    if table.fill == "zero":
        return np.nan_to_num(values, nan=0.0)
    if table.fill == "forward":
        return fill_forward(values, table.fill_limit)
    return values
