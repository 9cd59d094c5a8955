"""Feeds that broke: silent, sent twice, sent again, or standing still.

Each day is judged by what came before it, never by what follows. Cleaning marks what is found
here and monitoring tells of it: one rule, so that nothing is learned from what was paged for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.panel import Panel, group_names
from invopt.types import BoolArray, FloatArray, IntArray

SILENT, DOUBLED, REPEATED = "silent_feed", "doubled_feed", "repeated_feed"
YEAR = 53  # spans that the usual is read from
_HALF_YEAR, _MONTH = 26, 4
_PATIENCE = 8  # spans after which what does not pass is believed: a store closes, a pack changes
_USUAL_SALES = 20.0  # units per period, in the year and of late, for silence to mean something
_ALIKE = 0.98  # share of numbers alike that no market makes
_USUALLY = 0.9  # where so many are alike anyway, nothing is concluded
_SURPRISE = 20.0  # minus log of the chance of numbers as alike as that
_FEW, _KNOWN = 20, 200  # numbers alike, and numbers before, without which nothing is concluded
_BLOCK = 2048  # series at once
_MEASURES = 7
_GRIDS = (0.1, 0.01, 0.001)  # steps that quantities with decimals are weighed or measured in
_OFF = 0.01  # of a step that single precision may move a quantity by
_SINGLE = 6e-8  # what it rounds one by, of itself


@dataclass(frozen=True)
class FeedRecord:
    """What each location sent, period by period.

    Attributes:
        span: Periods of a week, 1 where a period is longer than a day.
        first: First period of the record.
        names: Locations.
        sums: (measure, location, period): units, series that sold, of these in even numbers; then
            for the period before and the one a span before, series that sold in either, and of
            these in equal numbers. Where quantities have decimals, for each step of a tenth, a
            hundredth and a thousandth: series that sold, and of these in even numbers of steps.
    """

    span: int
    first: int
    names: tuple[str, ...]
    sums: FloatArray = field(repr=False)

    @property
    def sales(self) -> FloatArray:
        """Units sold by (location, period)."""
        found: FloatArray = self.sums[0]
        return found


def locations_of(panel: Panel) -> npt.NDArray[np.object_]:
    """Return each series' location, "all" where products have none."""
    if "location" in panel.series:
        return group_names(panel.series, "location").astype(str).astype(object)
    return np.full(panel.num_series, "all", object)


def span_of(panel: Panel) -> int:
    """Return the periods of a week, 1 where a period is longer than a day."""
    return panel.timeline.season_length if panel.timeline.freq == "D" else 1


def feed_record(panels: Iterable[Panel], first: int = 0) -> FeedRecord:
    """Return what each location sent from a period on, over all partitions.

    Flags are not looked at, so that a record of cleaned data is that of the data as read.
    """
    rows: dict[str, FloatArray] = {}
    span = 1
    panels = list(panels)
    has_decimals = any(np.asarray(panel.y[:1]).dtype.kind == "f" for panel in panels)
    for panel in panels:
        span = span_of(panel)
        names = locations_of(panel)
        for begin in range(0, panel.num_series, _BLOCK):
            part = slice(begin, begin + _BLOCK)
            order = np.argsort(names[part], kind="stable")
            found, starts = np.unique(names[part][order], return_index=True)
            y = np.maximum(np.asarray(panel.y[part, max(0, first - span) :])[order], 0)
            sums = _sums(y, starts, span)
            if has_decimals:
                sums = np.concatenate([sums, _even_steps(y, starts)])
            sums = sums[..., min(first, span) :]
            for number, name in enumerate(found):
                rows[name] = rows.get(name, 0.0) + sums[:, number]
    known = tuple(sorted(rows))
    return FeedRecord(span, first, known, np.stack([rows[name] for name in known], axis=1))


def broken_feeds(record: FeedRecord) -> dict[str, BoolArray]:
    """Return (location, period) by rule: where a feed is not to be believed.

    silent: no sales for longer than in any run of the year before, at a location that sells.
    doubled: sales in even numbers only, of units or of the steps that they are weighed in,
    repeated: the numbers of the period or week before; both beyond what chance makes of the usual
    share at the location. A feed that stays as it is for eight weeks is believed again.
    """
    sold, even = record.sums[1:3]
    pairs, steps = record.sums[3:_MEASURES], record.sums[_MEASURES:]
    doubled = _alike(even, sold, record.span)
    for at in range(0, len(steps), 2):
        doubled |= _alike(steps[at + 1], steps[at], record.span)
    alike = [_alike(pairs[at + 1], pairs[at], record.span) for at in (0, 2)]
    return {
        SILENT: _silent(record),
        DOUBLED: doubled,
        REPEATED: alike[0] | alike[1],
    }


def standing_still(values: FloatArray, span: int) -> BoolArray:
    """Return (group, period) where a measurement has not moved for a week, as it never did before.

    Missing values neither move nor count. No week of the half year before the run may have stood
    still, and chance must not make such a run of the usual share of days like the one before.
    """
    if span < 2 or not values.shape[1]:
        return np.zeros(values.shape, bool)
    known = np.isfinite(values)
    held = _held(values, known)
    still = np.zeros(values.shape, bool)
    still[:, 1:] = (held[:, 1:] == held[:, :-1]) & np.isfinite(held[:, :-1])
    start = run_starts(still) - 1  # the first value of a run is one that moved
    length = np.where(still, np.arange(values.shape[1]) - start + 1, 0)
    seen = np.take_along_axis(_before(known), np.maximum(start, 0), axis=1)
    number = _before(known)[:, 1:] - seen
    longest = _at_start(_rolling_max(length, _HALF_YEAR * span), start)
    moved = (longest < span) & (seen >= 4 * span)
    # Rain stays at zero for days, and so the more easily for a week.
    usual = np.take_along_axis(_before(still), np.maximum(start, 0), axis=1) / np.maximum(seen, 1)
    moved &= -(length - 1) * np.log(np.clip(usual, 1e-3, 1)) >= _SURPRISE
    found: BoolArray = still & (number >= span) & moved & (length <= _PATIENCE * span)
    return found


def run_starts(flags: BoolArray) -> IntArray:
    """Return for each period the first of the run of flags that holds it; itself + 1 outside."""
    at = np.arange(flags.shape[1])
    found: IntArray = np.maximum.accumulate(np.where(flags, -1, at), axis=1) + 1
    return found


def _sums(
    y: npt.NDArray[np.number],  # type: ignore[type-arg]
    starts: IntArray,
    span: int,
) -> FloatArray:
    """Return (measure, location, period) sums of (series, period) sales sorted by location."""
    sums = np.zeros((_MEASURES, len(starts), y.shape[1]))
    sold = y > 0
    sums[0] = np.add.reduceat(y, starts, axis=0, dtype=np.float64)
    sums[1] = np.add.reduceat(sold, starts, axis=0, dtype=np.int32)
    sums[2] = np.add.reduceat(sold & (y % 2 == 0), starts, axis=0, dtype=np.int32)
    for measure, lag in ((3, 1), (5, span)):
        either = sold[:, lag:] | sold[:, :-lag]
        same = either & (y[:, lag:] == y[:, :-lag])
        sums[measure, :, lag:] = np.add.reduceat(either, starts, axis=0, dtype=np.int32)
        sums[measure + 1, :, lag:] = np.add.reduceat(same, starts, axis=0, dtype=np.int32)
    return sums


def even_steps(y: FloatArray, grid: float) -> tuple[BoolArray, BoolArray]:
    """Return which quantities can be told in steps of a grid, and which are an even number of them.

    Above some hundreds single precision no longer holds a thousandth.

    Args:
        y: Units, at least 0; any shape.
        grid: Units of a step.
    """
    pairs = np.asarray(y, np.float64) / (2 * grid)
    told = (pairs > 0) & (pairs * _SINGLE <= _OFF)
    even: BoolArray = told & (np.abs(pairs - np.rint(pairs)) <= _OFF)
    return told, even


def _even_steps(
    y: npt.NDArray[np.number],  # type: ignore[type-arg]
    starts: IntArray,
) -> FloatArray:
    """Return (measure, location, period): what is told in steps of each grid, and even of it."""
    found = [v for grid in _GRIDS for v in even_steps(np.asarray(y, np.float64), grid)]
    return np.stack([np.add.reduceat(v, starts, axis=0, dtype=np.float64) for v in found])


def _silent(record: FeedRecord) -> BoolArray:
    sales, span = record.sales, record.span
    quiet = sales == 0
    start = run_starts(quiet)
    length = np.where(quiet, np.arange(sales.shape[1]) - start + 1, 0)
    limit = np.maximum(_at_start(_rolling_max(length, YEAR * span), start), min(1, span - 1))
    suspect = quiet & (length > limit) & (length - limit <= _PATIENCE * span)
    rows = np.flatnonzero(suspect.any(axis=1))
    for window in (YEAR * span, _MONTH * span):
        medians = pd.DataFrame(sales[rows].T).rolling(window, min_periods=1).median()
        usual = _at_start(medians.to_numpy(np.float64).T, start[rows])
        suspect[rows] &= usual >= _USUAL_SALES
    return suspect


def _alike(same: FloatArray, number: FloatArray, span: int) -> BoolArray:
    """Return where so many of some numbers are alike that chance does not do it."""
    suspect = (number > 0) & (same >= _ALIKE * number)
    start = run_starts(suspect)
    counted, agreed = _before(number), _before(same)
    begin = np.maximum(start - _HALF_YEAR * span, 0)
    before = _take(counted, start) - _take(counted, begin)
    usual = (_take(agreed, start) - _take(agreed, begin)) / np.maximum(before, 1)
    in_run = counted[:, 1:] - _take(counted, start)
    surprise = -in_run * np.log(np.clip(usual, 1e-3, 1))
    recent = np.arange(number.shape[1]) - start < _PATIENCE * span
    enough = (before >= _KNOWN) & (in_run >= _FEW)
    found: BoolArray = suspect & recent & enough & (usual < _USUALLY) & (surprise >= _SURPRISE)
    return found


def _before(values: npt.NDArray[np.generic]) -> FloatArray:
    """Return (row, period + 1): the sum of the periods before each one."""
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    return total


def _take(values: FloatArray, at: IntArray) -> FloatArray:
    return np.take_along_axis(values, np.minimum(at, values.shape[1] - 1), axis=1)


def _at_start(values: FloatArray, start: IntArray) -> FloatArray:
    """Return the value of the period before each start, 0 where there is none."""
    found = np.take_along_axis(values, np.clip(start - 1, 0, values.shape[1] - 1), axis=1)
    return np.where(start > 0, found, 0.0)


def _rolling_max(values: IntArray, window: int) -> FloatArray:
    if not values.any():
        return np.zeros(values.shape)
    found = pd.DataFrame(values.T).rolling(window, min_periods=1).max()
    return found.to_numpy(np.float64).T


def _held(values: FloatArray, known: BoolArray) -> FloatArray:
    last = np.maximum.accumulate(np.where(known, np.arange(values.shape[1]), -1), axis=1)
    held: FloatArray = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last >= 0, held, np.nan)
