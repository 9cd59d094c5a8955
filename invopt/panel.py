"""The dense panel: every series of a company as arrays (series x period), and its files.

Long frames stand at the borders; inside, a table of sixty million rows is one array of counts.
Series are sorted by unique_id, periods ascend, and no row is ever named by anything else.
"""

import enum
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.errors import ContractError
from invopt.files import replacing_folder
from invopt.timeline import Timeline
from invopt.types import AnyFloatArray, BoolArray, Float32Array, FloatArray, IntArray

FORMAT_VERSION = 1
SERIES_LEVEL = "unique_id"
ALL_LEVEL = "all"
_ROWS = 4096  # rows of a channel that are looked at together
_SAMPLE = 200_000  # sales that say whether all are whole numbers
# A bulk order is so many times what the periods of a year before sold at most; the usual sales
# are those of the month before.
_BULK, _YEAR, _MONTH = 4, 364, 28


class Flag(enum.IntFlag):
    """Why the recorded sales of a period are not plain demand; 0 means they are."""

    MISSING = 1  # no record although the series was on sale
    BEFORE_LAUNCH = 2  # the series was not on sale yet
    CENSORED = 4  # out of stock for at least part of the period: demand was at least y
    OUTLIER = 8  # far from its neighbours; kept and marked
    FILLED = 16  # a rule wrote y (a missing row read as zero sales)
    FAULTY = 32  # the feed was broken: y is what it sent, and not what was sold
    CLOSED = 64  # closed by the calendar on a day that is usually open: y is no demand


# Columns that tell whether a shelf was empty.
STOCK_CHANNELS = ("in_stock", "hours_out_of_stock", "on_hand")
UNOBSERVED = Flag.MISSING | Flag.BEFORE_LAUNCH | Flag.CENSORED | Flag.FAULTY | Flag.CLOSED


def has_flag(flags: npt.NDArray[np.uint8], flag: Flag) -> npt.NDArray[np.bool_]:
    """Return where any of some flags is set.

    The mask is one byte: beside an enumeration NumPy would spread the flags to eight.
    """
    return np.asarray((np.asarray(flags) & np.uint8(flag)) != 0)


@dataclass(frozen=True, slots=True)
class Channel:
    """One numeric column that varies over time, at the level it was recorded at.

    Args:
        name: Column name, unique in the panel.
        domain: sales, stock, promotions, customers, market, external or derived.
        level: "unique_id", "all", or the column of the series table whose groups it is for.
        groups: Group names in row order; the unique_ids for level "unique_id".
        known: True when future values may be used (planned price, promotion, calendar).
        values: float32 (group, period); NaN where not recorded. Known channels may
            reach past the end of the panel; their extra columns are future periods.
        fill: What holds beyond the recorded periods: "none", "zero" or "forward".
    """

    name: str
    domain: str
    level: str
    groups: tuple[str, ...]
    known: bool
    values: AnyFloatArray = field(repr=False)
    fill: str = "none"

    @property
    def is_silent(self) -> bool:
        """True when it says nothing anywhere: no value, or none other than 0."""
        return not any(
            np.nan_to_num(np.asarray(self.values[first : first + _ROWS])).any()
            for first in range(0, len(self.values), _ROWS)
        )

    def until(self, stop: int) -> Float32Array:
        """Return the values of periods 0..stop-1, those beyond the recorded ones filled."""
        values = np.asarray(self.values[:, :stop], np.float32)
        missing = stop - values.shape[1]
        if missing <= 0:
            return values
        width = ((0, 0), (0, missing))
        if self.fill == "forward" and values.shape[1]:
            return np.pad(values, width, mode="edge")
        return np.pad(values, width, constant_values=0.0 if self.fill == "zero" else np.nan)


@dataclass(frozen=True, slots=True)
class Panel:
    """Series x periods of sales, with what is known about each series and period.

    Args:
        timeline: The periods of y.
        series: One row per series, sorted by unique_id; static columns of Products.
        y: (series, period) units sold; integer or float32; 0 where flags say MISSING.
        flags: (series, period) uint8 of Flag.
        channels: Time-varying columns by name.
    """

    timeline: Timeline
    series: pd.DataFrame
    y: npt.NDArray[Any] = field(repr=False)
    flags: npt.NDArray[np.uint8] = field(repr=False)
    channels: Mapping[str, Channel] = field(default_factory=dict)

    @property
    def num_series(self) -> int:
        """Number of series."""
        return len(self.series)

    @property
    def num_periods(self) -> int:
        """Number of periods with sales."""
        return self.timeline.num_periods

    @property
    def unique_ids(self) -> npt.NDArray[np.object_]:
        """Series names in row order."""
        return self.series["unique_id"].to_numpy(object)

    @property
    def is_observed(self) -> BoolArray:
        """True where y is demand: recorded, believed, on sale and not limited by stock."""
        return ~has_flag(self.flags, UNOBSERVED)

    @property
    def is_count(self) -> bool:
        """True when sales are whole numbers, by a sample of them."""
        if np.issubdtype(self.y.dtype, np.integer):
            return True
        sample = np.asarray(self.y).ravel()[:: max(1, self.y.size // _SAMPLE)]
        return np.array_equal(sample, np.rint(sample))

    def demand(self) -> Float32Array:
        """Return y as float32 with NaN where it is not demand."""
        return np.where(self.is_observed, self.y, np.nan).astype(np.float32)

    def believed_sales(self, first: int = 0) -> npt.NDArray[Any]:
        """Return y from a period on, 0 where a broken feed sent it: it is no lower bound either."""
        y = np.asarray(self.y[:, first:])
        faulty = has_flag(self.flags[:, first:], Flag.FAULTY)
        return np.where(faulty, 0, y).astype(y.dtype) if faulty.any() else y

    def group_index(self, level: str, groups: Iterable[str]) -> IntArray:
        """Return for each series the row of its group, -1 where the group has no row.

        Args:
            level: A column of the series table, several joined by "+", "unique_id" or "all".
            groups: Group names in row order.
        """
        names = group_names(self.series, level)
        return pd.Index(list(groups)).get_indexer(pd.Index(names)).astype(np.int64)

    def usual_sales(self, first: int = 0) -> npt.NDArray[Any]:
        """Return believed sales from a period on, without the sales that nothing went before.

        One bulk order says nothing of what is usually sold: a period marked as outlier that is
        four times what any of the 364 periods before sold reads as the mean of the 28 before it.
        """
        y = self.believed_sales(first)
        rows, at = np.nonzero(has_flag(self.flags[:, first:], Flag.OUTLIER))
        if not len(rows):
            return y
        y = np.array(y)
        for part in range(0, len(rows), _ROWS):
            row, period = rows[part : part + _ROWS], at[part : part + _ROWS] + first
            back = period[:, None] - np.arange(1, _YEAR + 1)
            seen = back >= 0
            places = row[:, None], np.maximum(back, 0)
            seen &= (np.asarray(self.flags[places]) & (UNOBSERVED | Flag.OUTLIER)) == 0
            before = np.where(seen, np.asarray(self.y[places]), 0)
            bulk = np.asarray(self.y[row, period]) > _BULK * before.max(axis=1, initial=0)
            near = slice(0, _MONTH)
            usual = before[:, near].sum(axis=1) / np.maximum(seen[:, near].sum(axis=1), 1)
            usual = np.rint(usual) if np.issubdtype(y.dtype, np.integer) else usual
            y[row[bulk], period[bulk] - first] = usual[bulk]
        return y

    def channel_by_series(self, name: str) -> Float32Array:
        """Return a channel spread to (series, period); NaN for series without its group."""
        channel = self.channels[name]
        rows = self.group_index(channel.level, channel.groups)
        values = channel.values[rows].astype(np.float32)
        values[rows < 0] = np.nan
        return values

    def launch(self) -> IntArray:
        """Return for each series the first period it was on sale (num_periods if never)."""
        on_sale = ~has_flag(self.flags, Flag.BEFORE_LAUNCH)
        return np.where(on_sale.any(axis=1), on_sale.argmax(axis=1), self.num_periods)

    def select(self, rows: npt.NDArray[Any]) -> "Panel":
        """Return the panel of some series, named by increasing row numbers or a mask."""
        series = self.series.iloc[np.flatnonzero(rows) if rows.dtype == bool else rows]
        channels = {
            name: replace(c, values=c.values[rows], groups=tuple(series["unique_id"]))
            if c.level == SERIES_LEVEL
            else c
            for name, c in self.channels.items()
        }
        return Panel(
            self.timeline,
            series.reset_index(drop=True),
            self.y[rows],
            self.flags[rows],
            channels,
        )

    def truncate(self, num_periods: int, *, num_future: int | None = None) -> "Panel":
        """Return the panel as it stood after num_periods: what came later is gone.

        Args:
            num_periods: Periods to keep.
            num_future: Future periods of known channels to keep; all by default.
        """
        channels = {}
        for name, channel in self.channels.items():
            stop = num_periods
            if channel.known:
                stop = channel.values.shape[1] if num_future is None else num_periods + num_future
            channels[name] = replace(channel, values=channel.values[:, :stop])
        return replace(
            self,
            timeline=self.timeline.resized(num_periods),
            y=self.y[:, :num_periods],
            flags=self.flags[:, :num_periods],
            channels=channels,
        )

    def with_channels(self, channels: Iterable[Channel]) -> "Panel":
        """Return the panel with further (or replaced) channels."""
        return replace(self, channels={**self.channels, **{c.name: c for c in channels}})

    def sales_frame(self) -> pd.DataFrame:
        """Return the Sales contract as a long frame: unique_id, ds, y, is_observed.

        Rows before launch are left out. For borders and small panels only.
        """
        keep = (self.flags & Flag.BEFORE_LAUNCH) == 0
        row, period = np.nonzero(keep)
        frame = pd.DataFrame(
            {
                "unique_id": self.unique_ids[row],
                "ds": self.timeline.dates()[period],
                "y": np.asarray(self.y[row, period], np.float64),
                "is_observed": self.is_observed[row, period],
            }
        )
        for name in ("price", "discount"):
            if name in self.channels:
                frame[name] = self.channel_by_series(name)[row, period]
        return frame

    def save(self, path: Path) -> None:
        """Write the panel as a folder; an existing folder is replaced in one step."""
        with replacing_folder(path) as folder:
            np.save(folder / "y.npy", self.y)
            np.save(folder / "flags.npy", self.flags)
            self.series.to_parquet(folder / "series.parquet", index=False)
            heads = []
            for number, channel in enumerate(self.channels.values()):
                file = f"channel-{number:03d}.npy"
                np.save(folder / file, channel.values)
                heads.append(_channel_head(channel, file))
            (folder / "panel.json").write_text(
                json.dumps(
                    {
                        "format": FORMAT_VERSION,
                        "start": f"{self.timeline.start:%Y-%m-%d}",
                        "freq": self.timeline.freq,
                        "num_periods": self.num_periods,
                        "num_series": self.num_series,
                        "channels": heads,
                    },
                    indent=1,
                )
            )

    @classmethod
    def load(cls, path: Path, *, mmap: bool = True) -> "Panel":
        """Read a folder written by save; arrays stay on disk until touched when mmap is True.

        Raises:
            ContractError: If the folder is not a panel of this format.
        """
        head_file = path / "panel.json"
        if not head_file.is_file():
            raise ContractError("Panel", "panel.json", f"exist in {path}")
        head = json.loads(head_file.read_text())
        if head["format"] != FORMAT_VERSION:
            raise ContractError(
                "Panel", "format", f"be {FORMAT_VERSION}", examples=[head["format"]]
            )
        mode: Any = "r" if mmap else None
        series = pd.read_parquet(path / "series.parquet")
        channels = {}
        for c in head["channels"]:
            groups = series["unique_id"] if c["groups"] is None else c["groups"]
            values = np.load(path / c["file"], mmap_mode=mode)
            channels[c["name"]] = Channel(
                c["name"],
                c["domain"],
                c["level"],
                groups=tuple(groups),
                known=c["known"],
                values=values,
                fill=c["fill"],
            )
        return cls(
            Timeline(pd.Timestamp(head["start"]), head["freq"], head["num_periods"]),
            series,
            np.load(path / "y.npy", mmap_mode=mode),
            np.load(path / "flags.npy", mmap_mode=mode),
            channels,
        )


def group_names(series: pd.DataFrame, level: str) -> npt.NDArray[np.object_]:
    """Return the name of each series' group at a level; several columns are joined by "|"."""
    if level == ALL_LEVEL:
        return np.full(len(series), "", object)
    columns = [series[column].astype(str).to_numpy(object) for column in level.split("+")]
    names = columns[0]
    for column in columns[1:]:
        names = names + "|" + column
    return names


def sum_rows(
    values: AnyFloatArray,
    rows: IntArray,
    num: int,
) -> FloatArray:
    """Return (group, period) sums of (series, period) values.

    Args:
        values: Of each series.
        rows: (series,) group of each, from 0; every group has a series.
        num: Groups.
    """
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(num))
    return np.add.reduceat(np.asarray(values, np.float64)[order], starts, axis=0)


def _channel_head(channel: Channel, file: str) -> dict[str, Any]:
    groups = None if channel.level == SERIES_LEVEL else list(channel.groups)
    return {
        "name": channel.name,
        "domain": channel.domain,
        "level": channel.level,
        "groups": groups,
        "known": channel.known,
        "fill": channel.fill,
        "file": file,
    }


def partitions(path: Path) -> list[Path]:
    """Return the panel folders under path: its partitions in order, or path itself."""
    parts = sorted(p.parent for p in path.glob("part-*/panel.json"))
    return parts or [path]


def iter_panels(path: Path) -> Iterator[Panel]:
    """Yield the panel of each partition, one at a time."""
    for part in partitions(path):
        yield Panel.load(part)


def load_panel(path: Path) -> Panel:
    """Return all partitions of a folder as one panel; one partition stays memory-mapped."""
    parts = list(iter_panels(path))
    return parts[0] if len(parts) == 1 else concatenate(parts)


def sample_panel(path: Path, num_series: int) -> tuple[Panel, pd.DataFrame]:
    """Return about num_series series, evenly spread over all partitions, and all series' rows."""
    panels = list(iter_panels(path))
    series = pd.concat([panel.series for panel in panels], ignore_index=True)
    step = -(-len(series) // num_series)
    if step == 1:
        return load_panel(path), series
    picked = [panel.select(np.arange(0, panel.num_series, step)) for panel in panels]
    return concatenate(picked), series


def spread_rows(panel: Panel, num: int) -> IntArray:
    """Return up to num series spread over the range of recent volume, ascending."""
    volume = np.asarray(panel.y[:, -4 * panel.timeline.season_length :], np.float64).sum(axis=1)
    order = np.argsort(volume, kind="stable")
    picks = np.linspace(0, len(order) - 1, min(num, len(order))).round().astype(int)
    return np.sort(order[picks])


def concatenate(panels: list[Panel]) -> Panel:
    """Return one panel of the series of several that share periods and group channels."""
    first = panels[0]
    if any(p.timeline != first.timeline for p in panels):
        raise ContractError("Panel", "timeline", "be the same in every partition")
    series = pd.concat([p.series for p in panels], ignore_index=True)
    channels = {
        name: c
        if c.level != SERIES_LEVEL
        else replace(
            c,
            groups=tuple(series["unique_id"]),
            values=np.concatenate([p.channels[name].values for p in panels]),
        )
        for name, c in first.channels.items()
    }
    return Panel(
        first.timeline,
        series,
        np.concatenate([p.y for p in panels]),
        np.concatenate([p.flags for p in panels]),
        channels,
    )
