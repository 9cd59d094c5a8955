"""Sales of a location that are at once a multiple, or a fraction, of all it ever sold.

Pieces where cases were, grams where kilograms were, a row too many by a join. Demand does not do
this from one period to the next; a model that is trained on it is wrong at every product.
"""

from dataclasses import dataclass

import numpy as np

from invopt.feeds import feed_record
from invopt.monitoring.signals import DATA, Signal, lasting
from invopt.panel import Panel
from invopt.types import FloatArray

UNIT_CHANGED = "unit_changed"
_TIMES = 5.0  # what half a year's highest, or lowest, is exceeded by
_WIDE = 2.0  # times more or fewer lines than usual, from which on it is no matter of units
_STAYS = 2.5  # the same while it lasts, lest a week of few sales ends it
_STEP = 4.0  # of which from one monitoring period to the next: a season comes by and by
_PATIENCE = 8  # monitoring periods after which what does not pass is believed
_USUAL, _FEWEST = 26, 8  # monitoring periods before those that the usual is read from; at least
_AROUND = 2  # monitoring periods to either side of the same one a year before
_LEAST = 20.0  # units a monitoring period that a location usually sells
_NAMED = 5


@dataclass(frozen=True)
class _Jump:
    """A location, its sales over the highest or lowest before, and since how many periods."""

    name: str
    ratio: float
    lasting: int


def unit_changed(panel: Panel, period: int) -> list[Signal]:
    """Return `unit_changed` where a location sells five times its most, or a fifth of its least.

    About as many lines come as before. Most and least are those of the half year before the latest
    eight monitoring periods, and of the same season a year before.

    Args:
        panel: Cleaned; the period is its last `period` periods.
        period: Periods of a monitoring period.
    """
    year = round(panel.timeline.periods_per_year / period)
    num = min(panel.num_periods // period, max(_PATIENCE + _USUAL + 1, year + _AROUND + 1))
    if num < _PATIENCE + _FEWEST + 1:
        return []
    record = feed_record([panel], panel.num_periods - num * period)
    shape = (len(record.names), num, period)
    sold, lines = (record.sums[at].reshape(shape).sum(axis=2) for at in (0, 1))
    jumps = [
        _jump(name, own, year)
        for name, own, sellers in zip(record.names, sold, lines, strict=True)
        if _sells_as_wide(sellers)
    ]
    found = [jump for jump in jumps if jump is not None]
    return [_signal(panel, period, found)] if found else []


def _sells_as_wide(lines: FloatArray) -> bool:
    """Return whether about as many lines come as before: other units are others of the same lines.

    A week of few sales, a store half closed and a season that opens have fewer or more of them.
    """
    usual = float(np.median(lines[-_PATIENCE - _USUAL : -_PATIENCE]))
    return bool(usual / _WIDE <= lines[-1] <= usual * _WIDE)


def _jump(name: str, sold: FloatArray, year: int) -> _Jump | None:
    """Return the jump that a location's latest monitoring period is part of, None where none is."""
    before = sold[-_PATIENCE - _USUAL : -_PATIENCE]
    at = len(sold) - 1 - year
    season = sold[max(0, at - _AROUND) : max(0, at + _AROUND + 1)]
    known = before[before > 0]
    if len(known) < _FEWEST or np.median(known) < _LEAST or sold[-1] <= 0:
        return None
    usual = np.concatenate([known, season[season > 0]])
    recent = sold[-1 - _PATIENCE :]
    most, least = float(usual.max()), float(usual.min())
    is_up = recent[-1] > most
    beyond = recent / most if is_up else least / np.where(recent > 0, recent, np.inf)
    stays = lasting(beyond >= _STAYS)
    if not 0 < stays <= _PATIENCE or beyond[-stays:].max() < _TIMES:
        return None
    earlier = beyond[:-stays][beyond[:-stays] > 0]  # a closed week is no other unit
    ratio = beyond[-1] if is_up else 1 / beyond[-1]
    is_sudden = len(earlier) > 0 and beyond[-stays] >= _STEP * earlier[-1]
    return _Jump(name, float(ratio), stays) if is_sudden else None


def _signal(panel: Panel, period: int, found: list[_Jump]) -> Signal:
    found = sorted(found, key=lambda jump: (-abs(np.log(jump.ratio)), jump.name))
    told = [f"{jump.name} ({_times(jump.ratio)})" for jump in found[:_NAMED]]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    since = panel.timeline.date(panel.num_periods - max(j.lasting for j in found) * period)
    text = (
        f"sales at {', '.join(told)}{more} are of another order of magnitude from one period to "
        "the next: another unit of measure (pieces, cases, grams), or a season that the data have "
        "not seen"
    )
    return Signal(
        name=UNIT_CHANGED, kind=DATA, value=found[0].ratio, expected=1.0, limit=_TIMES,
        p_value=float("nan"), fires=True, text=text, pages=True, spoils=True,
        places=tuple(jump.name for jump in found), since=f"{since:%Y-%m-%d}",
    )  # fmt: skip


def _times(ratio: float) -> str:
    if ratio >= 1:
        return f"{ratio:.3g} times the most it sold"
    return f"1/{1 / ratio:.3g} of the least it sold"
