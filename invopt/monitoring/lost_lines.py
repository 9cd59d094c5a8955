"""Lines that did not come although the others did: a truncated extract looks like less demand.

Where customers buy less, fast sellers sell less on every day. Where a third of the lines was lost,
they sell nothing on a third of the days and as much as ever on the others. A model that is trained
on such a week learns a fall that never was; neither does it help against shelves that were empty
and that nobody recorded as such, which look the same.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from invopt.feeds import locations_of
from invopt.monitoring.signals import DATA, Signal, lasting
from invopt.panel import UNOBSERVED, Flag, Panel
from invopt.types import BoolArray, FloatArray

LINES_MISSING = "lines_missing"
_PATIENCE = 8  # monitoring periods after which what does not pass is believed
_USUAL = 26  # monitoring periods before those, that the usual is read from
_FEWEST = 8  # of them, without which nothing is concluded
_DENSE = 0.05  # share of periods without a line that a series may have for one to be missed
_MORE = 0.1  # share of lines missing, above the worst period of the usual ones
_SAME = 0.9  # quantity of the lines that came, over that of the periods before
_ALL = 0.9  # share of a location's lines missing at once: that is a late file, or a closed day
_CELLS = 40  # lines expected, without which nothing is concluded
_ROWS = 4096
_NAMED = 5


@dataclass(frozen=True)
class _Lines:
    """Sums by (place, monitoring period), the latest last: lines expected, missing, quantities.

    A place is a location, or all those together that have few lines. `quantity` is that of the
    lines that came, `usual` what the same series' lines held before.
    """

    names: tuple[tuple[str, ...], ...]
    expected: FloatArray
    missing: FloatArray
    quantity: FloatArray
    usual: FloatArray

    def pooled(self) -> "_Lines":
        """Return the same with the locations of few lines as one place."""
        few = self.expected[:, -1] < _CELLS
        if not few.any():
            return self
        own = [self.expected, self.missing, self.quantity, self.usual]
        sums = [np.concatenate([v[~few], v[few].sum(axis=0, keepdims=True)]) for v in own]
        large = [name for name, small in zip(self.names, few, strict=True) if not small]
        rest = tuple(name for (name,), small in zip(self.names, few, strict=True) if small)
        return _Lines((*large, rest), *sums)

    def shares(self) -> FloatArray:
        """Return the share of expected lines that did not come; NaN where too few are expected."""
        few = self.expected < _CELLS
        return np.where(few, np.nan, self.missing / np.maximum(self.expected, 1))

    def ratios(self) -> FloatArray:
        """Return the quantity of the lines that came over the usual one."""
        return self.quantity / np.maximum(self.usual, 1e-9)


def lost_lines(panel: Panel, period: int) -> list[Signal]:
    """Return `lines_missing` where a location's lines are fewer and not smaller; else nothing.

    Looked at are series that usually have a line in every period, on days on which their location
    sent something, before their latest line and where they sold in the monitoring period before:
    what left the range is not missed, or once where a monitoring period is a single period.
    Limits come from the half year before the latest eight monitoring periods.

    Args:
        panel: Cleaned; the period is its last `period` periods.
        period: Periods of a monitoring period.
    """
    num = min(panel.num_periods // period, _PATIENCE + _USUAL + 1)
    if num < _PATIENCE + _FEWEST + 1:
        return []
    lines = _lines(panel, period, num).pooled()
    shares, ratios = lines.shares(), lines.ratios()
    before = shares[:, :-_PATIENCE]
    enough = np.isfinite(before).sum(axis=1) >= _FEWEST
    limit = np.nan_to_num(np.where(np.isfinite(before), before, 0).max(axis=1)) + _MORE
    fires = enough[:, None] & (shares > limit[:, None]) & (ratios >= _SAME)
    found = np.flatnonzero(fires[:, -1])
    if not len(found):
        return []
    return [_signal(panel, period, lines, found, fires[found], before)]


def _signal(
    panel: Panel,
    period: int,
    lines: _Lines,
    found: npt.NDArray[np.intp],
    fires: BoolArray,
    before: FloatArray,
) -> Signal:
    shares = lines.missing[found, -1] / lines.expected[found, -1]
    whole = float(lines.missing[found, -1].sum() / lines.expected[found, -1].sum())
    usual = float(np.nanmedian(before[found]))
    told_in = lasting(np.asarray(fires.any(axis=0)))
    since = panel.timeline.date(panel.num_periods - told_in * period)
    order = np.argsort(-shares, kind="stable")
    names = [name for i in order for name in lines.names[found[i]]]
    told = [
        f"{lines.names[found[i]][0]} ({shares[i]:.0%})"
        if len(lines.names[found[i]]) == 1
        else f"{', '.join(lines.names[found[i]][:_NAMED])} (together {shares[i]:.0%})"
        for i in order[:_NAMED]
    ]
    more = f"; {len(names)} locations in all" if len(names) > _NAMED else ""
    text = (
        f"{whole:.0%} of the lines that usually come are missing (usually {usual:.0%}), while "
        f"those that came hold the usual quantities: an incomplete extract, or empty shelves that "
        f"nobody recorded, at {', '.join(told)}{more}"
    )
    return Signal(
        name=LINES_MISSING, kind=DATA, value=whole, expected=usual, limit=_MORE,
        p_value=float("nan"), fires=True, text=text, spoils=True,
        places=tuple(names), since=f"{since:%Y-%m-%d}",
    )  # fmt: skip


def _lines(panel: Panel, period: int, num: int) -> _Lines:
    """Return the lines of the last `num` monitoring periods."""
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    first = panel.num_periods - num * period
    closed = _nothing_came(panel, codes, first)
    sums = np.zeros((4, len(names), num))
    for begin in range(0, panel.num_series, _ROWS):
        rows = slice(begin, begin + _ROWS)
        y = np.asarray(panel.y[rows, first:], np.float64)
        flags = np.asarray(panel.flags[rows, first:])
        blank = _blank(y, flags)
        on = (((flags & UNOBSERVED) == 0) | blank) & ~closed[codes[rows]]
        if period > 1:
            on &= _before_last_line(on & ~blank)
        for number, values in enumerate(_counted(y, blank & on, on, period)):
            np.add.at(sums[number], codes[rows], values)
    return _Lines(tuple((str(name),) for name in names), *sums)


def _blank(y: FloatArray, flags: npt.NDArray[np.uint8]) -> BoolArray:
    """Return where no line came of what is on sale, and a zero was read in its place."""
    other = UNOBSERVED & ~Flag.MISSING
    found: BoolArray = (y == 0) & ((flags & Flag.FILLED) != 0) & ((flags & other) == 0)
    return found


def _before_last_line(came: BoolArray) -> BoolArray:
    """Return where a later line of the series came: from its last one on it may be out of range."""
    found = np.zeros(came.shape, bool)
    found[:, :-1] = np.logical_or.accumulate(came[:, :0:-1], axis=1)[:, ::-1]
    return found


def _nothing_came(panel: Panel, codes: npt.NDArray[np.intp], first: int) -> BoolArray:
    """Return (location, period) where nearly no series of a location has a line."""
    num = int(codes.max()) + 1
    sent, on = (np.zeros((num, panel.num_periods - first)) for _ in range(2))
    for begin in range(0, panel.num_series, _ROWS):
        rows = slice(begin, begin + _ROWS)
        flags = np.asarray(panel.flags[rows, first:])
        launched = (flags & Flag.BEFORE_LAUNCH) == 0
        came = launched & ((flags & (Flag.FILLED | Flag.MISSING)) == 0)
        np.add.at(sent, codes[rows], came)
        np.add.at(on, codes[rows], launched)
    found: BoolArray = sent <= (1 - _ALL) * on
    return found


def _counted(
    y: FloatArray, blank: BoolArray, on: BoolArray, period: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return (series, monitoring period) of lines expected and missing, quantity, usual quantity.

    Args:
        y: (series, periods) units of whole monitoring periods.
        blank: No line although one was expected.
        on: A line could have come.
        period: Periods of a monitoring period.
    """
    shape = (len(y), -1, period)
    lines, lost, units = (
        np.asarray(v, np.float64).reshape(shape).sum(axis=2)
        for v in (on & (y > 0), blank, np.where(on, y, 0))
    )
    expected = np.asarray(on, np.float64).reshape(shape).sum(axis=2)
    early = slice(0, max(1, lines.shape[1] - _PATIENCE))
    usually = lost[:, early].sum(axis=1) / np.maximum(expected[:, early].sum(axis=1), 1)
    dense = (usually <= _DENSE) & (lines[:, early].sum(axis=1) > 0)
    sold_before = np.zeros(lines.shape, bool)
    sold_before[:, 1:] = lines[:, :-1] > 0
    looked = dense[:, None] & sold_before
    if period > 1:
        looked &= lines > 0
    mean = _mean_before(units, lines)
    known = looked & np.isfinite(mean)
    return (
        np.where(looked, expected, 0),
        np.where(looked, lost, 0),
        np.where(known, units, 0),
        np.where(known, lines * np.nan_to_num(mean), 0),
    )


def _mean_before(units: FloatArray, lines: FloatArray) -> FloatArray:
    """Return (series, monitoring period) units of a line in the eight periods before; NaN first."""
    sums = []
    for values in (units, lines):
        total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
        at = np.arange(values.shape[1])
        sums.append(total[:, at] - total[:, np.maximum(at - _PATIENCE, 0)])
    return np.divide(sums[0], sums[1], out=np.full(sums[0].shape, np.nan), where=sums[1] > 0)
