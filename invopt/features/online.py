"""Model inputs straight from feature rows: what FeatureEncoder gives, at the speed of a request.

A request's series share calendar, trends and every other group channel; those are encoded once
per set of group rows by FeatureEncoder itself. What belongs to one series (sales, own channels,
prices, static columns) is encoded from arrays, without frames. That both ways give the same
numbers is a test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from invopt.features.encoded import EncodedPanel
from invopt.features.encoder import FeatureEncoder
from invopt.features.spec import (
    CATEGORY_PRICE,
    PRICE,
    ChannelScale,
    FeatureSpec,
    aggregate_names,
    log_price_of,
    standardise,
)
from invopt.features.tables import ON_SALE, SALES, SERIES_KEY, TableLayout, panel_from_tables
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, Channel
from invopt.types import Float32Array, IntArray

SeriesRows = Mapping[str, Any]


class WindowEncoder:
    """Encodes feature rows of series whose windows all end at one period.

    Args:
        spec: Of the model.
        layout: Of the rows.
    """

    def __init__(self, spec: FeatureSpec, layout: TableLayout) -> None:
        self.spec, self.layout = spec, layout
        self._encoder = FeatureEncoder(spec)
        self._levels = sorted({c.level for c in spec.calendar} - {ALL_LEVEL})
        self._categories = {
            name: {value: number + 1 for number, value in enumerate(values)}
            for name, values in spec.categories.items()
        }
        self._fields = {head["name"]: layout.field_of(head["name"]) for head in _heads(layout)}

    def groups_of(
        self,
        rows: SeriesRows,
        group_rows: Mapping[str, Any],
        earlier: "EncodedGroups | None" = None,
    ) -> "EncodedGroups":
        """Return everything the rows' groups share; good for later rows of the same time.

        Args:
            rows: Columns of a series table, values by row.
            group_rows: Columns of a group table as of the same time.
            earlier: Whose calendar groups are to stay known.

        Raises:
            ContractError: If a channel or column the model needs is missing.
        """
        if earlier is not None:
            rows = {name: _joint(earlier.rows[name], values) for name, values in rows.items()}
        _, first = np.unique(self._combinations(rows), return_index=True)
        chosen = {name: _take(values, np.sort(first)) for name, values in rows.items()}
        chosen[SERIES_KEY] = [f"{number:06d}" for number in range(len(first))]
        panel = panel_from_tables(chosen, group_rows, self.layout)
        encoded = self._encoder.encode(panel)
        combinations = self._combinations(chosen)
        places = {c: int(r) for c, r in zip(combinations, encoded.calendar_rows, strict=True)}
        channels = {c.name: c for c in panel.channels.values() if c.level != SERIES_LEVEL}
        return EncodedGroups(encoded, channels, places, chosen)

    def encode(self, rows: SeriesRows, groups: "EncodedGroups") -> EncodedPanel | None:
        """Return the rows' arrays, in order; None when groups do not know a row's calendar.

        Ask groups_of then, for rows that are as long as those it knows.

        Args:
            rows: As in groups_of, in any order; SALES and channels as (row, period) float32.
            groups: As of the same time.
        """
        combinations = self._combinations(rows)
        if any(c not in groups.calendar_rows for c in combinations):
            return None
        code = np.asarray(rows[SALES], np.float32)
        num, periods = code.shape
        stop = periods + self.spec.config.horizon
        launch = np.clip(periods - np.asarray(rows[ON_SALE], np.int64), 0, periods)
        category = groups.channels.get(CATEGORY_PRICE)
        static_ids, static_values = self._static_ids(rows, num), self._static_values(rows, num)
        return replace(
            groups.encoded,
            y=_signed(code, launch, self.spec.unit),
            launch=launch.astype(np.int32),
            launch_level=self.spec.launch.levels(static_ids, static_values),
            past=self._stack(self.spec.past, rows, groups, num, periods),
            shared_rows=tuple(self._rows(groups.channels[c.name], rows) for c in
                              self.spec.shared_past),
            trend_rows=tuple(self._rows(groups.channels[n], rows)
                             for n in aggregate_names(self.spec.config)),
            log_price=self._log_price(rows, num, stop),
            category_rows=np.zeros(num, np.int64) if category is None or not self.spec.has_price
            else self._rows(category, rows),
            planned=self._stack(self.spec.planned, rows, groups, num, stop),
            calendar_rows=np.array([groups.calendar_rows[c] for c in combinations], np.int64),
            static_ids=static_ids,
            static_values=static_values,
        )  # fmt: skip

    def _combinations(self, rows: SeriesRows) -> list[str]:
        """Return the calendar group of each row."""
        return _joined(rows, self._levels, len(rows[SERIES_KEY]))

    def _rows(self, channel: Channel, rows: SeriesRows) -> IntArray:
        """Return each row's group in a channel, -1 where it has none."""
        place = {group: number for number, group in enumerate(channel.groups)}
        num = len(rows[SERIES_KEY])
        if channel.level == ALL_LEVEL:
            return np.full(num, place.get("", -1), np.int64)
        names = _joined(rows, channel.level.split("+"), num, "|")
        return np.array([place.get(name, -1) for name in names], np.int64)

    def _own(self, name: str, rows: SeriesRows) -> Channel:
        head = next(h for h in self.layout.series_channels if h["name"] == name)
        values = np.asarray(rows[self._fields[name]], np.float32)
        return Channel(
            name,
            head["domain"],
            SERIES_LEVEL,
            groups=(),
            known=head["known"],
            values=values,
            fill=head["fill"],
        )

    def _stack(
        self,
        scales: Sequence[ChannelScale],
        rows: SeriesRows,
        groups: "EncodedGroups",
        num: int,
        stop: int,
    ) -> npt.NDArray[np.float16]:
        stacked = np.zeros((num, len(scales), stop), np.float16)
        for number, scale in enumerate(scales):
            if scale.level == SERIES_LEVEL:
                stacked[:, number] = standardise(self._own(scale.name, rows).until(stop), scale)
            else:
                channel = groups.channels[scale.name]
                at = self._rows(channel, rows)
                values = standardise(channel.until(stop), scale)
                stacked[:, number] = np.where((at >= 0)[:, None], values[at], 0)
        return stacked

    def _log_price(self, rows: SeriesRows, num: int, stop: int) -> npt.NDArray[np.float16]:
        if not self.spec.has_price:
            return np.zeros((num, 0), np.float16)
        return log_price_of(self._own(PRICE, rows).until(stop)).astype(np.float16)

    def _static_ids(self, rows: SeriesRows, num: int) -> IntArray:
        found = np.zeros((num, len(self._categories)), np.int64)
        for number, (name, known) in enumerate(self._categories.items()):
            found[:, number] = [known.get(str(value), 0) for value in rows[name]]
        return found

    def _static_values(self, rows: SeriesRows, num: int) -> Float32Array:
        found = np.zeros((num, len(self.spec.static_numbers)), np.float32)
        for number, scale in enumerate(self.spec.static_numbers):
            values = np.asarray(rows[scale.name], np.float32)
            found[:, number] = standardise(np.log1p(values), scale)
        return found


class EncodedGroups:
    """What series of the same groups share at one time.

    Args:
        encoded: Group arrays; its series are the first of each calendar group.
        channels: Group channels by name.
        calendar_rows: Row of EncodedPanel.calendar by calendar group.
        rows: The series.
    """

    def __init__(
        self,
        encoded: EncodedPanel,
        channels: dict[str, Channel],
        calendar_rows: dict[str, int],
        rows: SeriesRows,
    ) -> None:
        self.encoded, self.channels = encoded, channels
        self.calendar_rows, self.rows = calendar_rows, rows


def _heads(layout: TableLayout) -> list[dict[str, Any]]:
    return [*layout.series_channels, *layout.group_channels]


def _joined(rows: SeriesRows, columns: Sequence[str], num: int, by: str = "\x1f") -> list[str]:
    if not columns:
        return [""] * num
    return [by.join(map(str, values)) for values in zip(*(rows[c] for c in columns), strict=True)]


def _joint(first: Any, second: Any) -> Any:
    if isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return [*first, *second]


def _take(values: Any, at: IntArray) -> Any:
    return values[at] if isinstance(values, np.ndarray) else [values[i] for i in at]


def _signed(code: Float32Array, launch: IntArray, unit: float) -> Float32Array:
    y = np.where(code >= 0, code, -code - 1) / np.float32(unit)
    unobserved = (code < 0) | (np.arange(code.shape[1]) < launch[:, None])
    return np.where(unobserved, -y - 1, y).astype(np.float32)
