"""Lines that came twice in part: some files of a location, or some of their rows.

Every quantity of such a line is an even number of the steps it is counted or weighed in, and twice
what it usually is. Where customers buy more, as many even numbers come as before.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from invopt.feeds import even_steps, locations_of
from invopt.monitoring.signals import DATA, Signal, lasting
from invopt.panel import UNOBSERVED, Panel
from invopt.types import FloatArray

LINES_TWICE = "lines_twice"
_PATIENCE = 8  # monitoring periods after which what does not pass is believed
_USUAL, _FEWEST = 26, 8  # monitoring periods before those that the usual is read from; at least
_LINES = 60.0  # of a location in a period, without which nothing is concluded
_PART = 0.15  # of the lines that came twice, from which on it is told
_CHANCE = 1e-6  # of as many even numbers, by location, grid and period
_LARGER = 0.5  # of the log by which even quantities should be larger, that they have to be
_BOTH = 0.5  # share of even numbers that large numbers of customers make, at most
_USUALLY = 0.9  # where so many are even anyway, nothing is concluded
_GRIDS = (1.0, 0.1, 0.01, 0.001)
_ROWS = 4096
_NAMED = 5


@dataclass(frozen=True)
class _Steps:
    """Sums by (location, monitoring period) of lines that are told in steps of a grid.

    `large` is what their quantities are over the usual ones of their series.
    """

    lines: FloatArray
    even: FloatArray
    large_even: FloatArray
    large_odd: FloatArray

    def shares(self) -> FloatArray:
        """Return the share of even numbers, NaN of few lines."""
        few = self.lines < _LINES
        return np.where(few, np.nan, self.even / np.maximum(self.lines, 1))

    def larger(self) -> FloatArray:
        """Return the log of how much larger even quantities are than odd ones, over their usual."""
        odd = self.large_odd / np.maximum(self.lines - self.even, 1)
        return np.log(np.maximum(self.large_even / np.maximum(self.even, 1), 1e-9)) - np.log(
            np.maximum(odd, 1e-9)
        )


def lines_twice(panel: Panel, period: int) -> list[Signal]:
    """Return `lines_twice` where part of a location's lines is even and twice the usual.

    Days that cleaning marks as doubled as a whole are told by it. Limits come from the half year
    before the latest eight monitoring periods.

    Args:
        panel: Cleaned; the period is its last `period` periods.
        period: Periods of a monitoring period.
    """
    num = min(panel.num_periods // period, _PATIENCE + _USUAL + 1)
    if num < _PATIENCE + _FEWEST + 1:
        return []
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    parts = np.zeros((len(names), num))
    for grid in _GRIDS if np.asarray(panel.y[:1]).dtype.kind == "f" else _GRIDS[:1]:
        parts = np.maximum(parts, _parts(_steps(panel, codes, grid, period, num)))
    found = np.flatnonzero(parts[:, -1] >= _PART)
    return [_signal(panel, period, names[found], parts[found])] if len(found) else []


def _parts(steps: _Steps) -> FloatArray:
    """Return by (location, monitoring period) the share of lines that came twice; 0 for none."""
    shares, larger = steps.shares(), steps.larger()
    before = shares[:, :-_PATIENCE]
    known = np.isfinite(before)
    enough = known.sum(axis=1) >= _FEWEST
    found = np.zeros(shares.shape)
    for row in np.flatnonzero(enough):
        usual = before[row][known[row]]
        most = max(float(usual.max()), _BOTH)
        level = max(float(np.median(usual)), _BOTH)
        if level >= _USUALLY:
            continue
        size = float(np.median(larger[row, :-_PATIENCE][known[row]]))
        part = np.nan_to_num((shares[row] - level) / (1 - level))
        chance = stats.binom.sf(steps.even[row] - 1, steps.lines[row], level)
        of_even = part / np.maximum(part + (1 - part) * level, 1e-9)
        twice = larger[row] - size >= _LARGER * np.log1p(np.maximum(of_even, 0))
        sure = (part >= _PART) & (shares[row] > most) & (chance <= _CHANCE) & twice
        found[row] = np.where(sure, part, 0.0)
    return found


def _steps(panel: Panel, codes: npt.NDArray[np.intp], grid: float, period: int, num: int) -> _Steps:
    """Return the lines of the last `num` monitoring periods in steps of a grid."""
    first = panel.num_periods - num * period
    sums = np.zeros((4, int(codes.max()) + 1, num))
    for begin in range(0, panel.num_series, _ROWS):
        rows = slice(begin, begin + _ROWS)
        flags = np.asarray(panel.flags[rows, first:])
        y = np.asarray(panel.y[rows, first:], np.float64)
        y = np.where((flags & np.uint8(UNOBSERVED)) == 0, np.maximum(y, 0), 0)
        told, even = even_steps(y, grid)
        large = y / np.maximum(_usual(y, period), 1e-9)
        for number, values in enumerate((told, even, large * even, large * (told & ~even))):
            by_period = np.asarray(values, np.float64).reshape(len(y), num, period).sum(axis=2)
            np.add.at(sums[number], codes[rows], by_period)
    return _Steps(*sums)


def _usual(y: FloatArray, period: int) -> FloatArray:
    """Return (series, 1) the mean quantity of a line before the latest eight monitoring periods."""
    early = y[:, : -_PATIENCE * period]
    lines = (early > 0).sum(axis=1)
    mean = early.sum(axis=1) / np.maximum(lines, 1)
    return np.where(lines > 0, mean, np.inf)[:, None]


def _signal(panel: Panel, period: int, names: npt.NDArray[np.str_], parts: FloatArray) -> Signal:
    order = np.argsort(-parts[:, -1], kind="stable")
    told = [f"{names[i]} ({parts[i, -1]:.0%} of its lines)" for i in order[:_NAMED]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    told_in = lasting(np.asarray((parts > 0).any(axis=0)))
    since = panel.timeline.date(panel.num_periods - told_in * period)
    text = (
        f"part of the lines came twice at {', '.join(told)}{more}: more quantities are even than "
        "chance makes, and these are twice the usual, as if a file had been loaded twice in part"
    )
    return Signal(
        name=LINES_TWICE, kind=DATA, value=float(parts[:, -1].max()), expected=0.0, limit=_PART,
        p_value=float("nan"), fires=True, text=text, spoils=True,
        places=tuple(str(names[i]) for i in order), since=f"{since:%Y-%m-%d}",
    )  # fmt: skip
