"""Prices of a location that are in another currency, or with another tax, from some period on.

Who raises prices rounds them to what shops ask (1.99) and raises some more than others. Another
currency multiplies all of them by one factor, to the cent, and leaves prices that nobody asks.
"""

from dataclasses import dataclass

import numpy as np

from invopt.feeds import locations_of
from invopt.monitoring.signals import DATA, Signal
from invopt.panel import SERIES_LEVEL, Panel
from invopt.types import BoolArray, FloatArray, IntArray

PRICE_UNIT = "price_unit_changed"
_PATIENCE = 8  # monitoring periods after which what does not pass is believed
_USUAL = 4  # monitoring periods that prices are compared with
_SERIES = 8  # with prices before and since, without which nothing is concluded
_ALL = 0.8  # of them, that move by one factor; the others may be on promotion
_CENT, _NEAR = 0.006, 0.004  # rounding of a price, and distance in logs, that one factor may leave
_LARGE = float(np.log(1.5))  # beyond which no shop changes all its prices at once
_SMALL = float(np.log(1.02))
_STEP = 0.05  # sales and rises are by such shares of the price
_ENDS = (0, 5, 9)  # last digit of a price that shops ask
_ASKED, _LOST = 0.7, 0.6  # share of such prices before, and how much of it is left since, at most
_NAMED = 5


@dataclass(frozen=True)
class PriceChange:
    """Prices of a location over those before, by one factor since a period of the panel."""

    place: str
    factor: float
    first: int
    share: float


def price_changes(panel: Panel, period: int) -> list[PriceChange]:
    """Return locations whose prices are multiplied by one factor that no shop sets.

    Args:
        panel: Cleaned; the period is its last `period` periods.
        period: Periods of a monitoring period.
    """
    price = panel.channels.get("price")
    length = (_PATIENCE + 2 * _USUAL) * period
    if price is None or price.level != SERIES_LEVEL or panel.num_periods < length:
        return []
    first = panel.num_periods - length
    values = np.asarray(price.until(panel.num_periods)[:, first:], np.float64)
    values = np.where(values > 0, values, np.nan)
    names, codes = np.unique(locations_of(panel).astype(str), return_inverse=True)
    found = []
    for number, name in enumerate(names):
        change = _moved(values[np.flatnonzero(codes == number)], period)
        if change is not None:
            found.append(PriceChange(str(name), change[0], first + change[1], change[2]))
    return found


def price_signals(panel: Panel, period: int) -> list[Signal]:
    """Return `price_unit_changed` with location, factor and day; nothing where prices are sound.

    Args:
        panel: Cleaned; the period is its last `period` periods.
        period: Periods of a monitoring period.
    """
    found = sorted(price_changes(panel, period), key=lambda c: -abs(np.log(c.factor)))
    if not found:
        return []
    told = [
        f"{c.place} ({c.factor:.4g} times those before since "
        f"{panel.timeline.date(c.first):%Y-%m-%d}, {c.share:.0%} of its products)"
        for c in found[:_NAMED]
    ]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    text = (
        f"prices are multiplied by one and the same factor at {', '.join(told)}{more}: another "
        "currency, or a tax put on or left out, and not what customers are asked; correct them at "
        "the source and judge the period again"
    )
    since = panel.timeline.date(min(c.first for c in found))
    return [Signal(
        name=PRICE_UNIT, kind=DATA, value=found[0].factor, expected=1.0, limit=0.02,
        p_value=float("nan"), fires=True, text=text, spoils=True,
        places=tuple(c.place for c in found), since=f"{since:%Y-%m-%d}",
    )]  # fmt: skip


def _moved(prices: FloatArray, period: int) -> tuple[float, int, float] | None:
    """Return factor, period and share of the series of a location whose prices move as one."""
    if len(prices) < _SERIES:
        return None
    at = _moment(prices, period)
    if at < prices.shape[1] - _PATIENCE * period:
        return None
    early = max(0, at - _USUAL * period)
    before, since = _medians(prices[:, early:at]), _medians(prices[:, at:])
    both = np.isfinite(before) & np.isfinite(since)
    if both.sum() < _SERIES:
        return None
    before, since = before[both], since[both]
    ratios = np.log(since / before)
    middle = float(np.median(ratios))
    rounding = _CENT / before + _CENT / since + _NEAR
    share = float((np.abs(ratios - middle) <= rounding).mean())
    if abs(middle) < _SMALL or share < _ALL:
        return None
    factor = float(np.exp(np.median(ratios[np.argsort(-before)[: max(_SERIES, len(before) // 4)]])))
    if abs(middle) < _LARGE and (_is_set(factor) or not _leaves_ends(before, since)):
        return None
    return factor, at, share


def _moment(prices: FloatArray, period: int) -> int:
    """Return the period at which most prices move most."""
    logs = np.log(prices)
    least = _USUAL * period
    ats = range(least, prices.shape[1])
    with np.errstate(all="ignore"):
        steps = np.abs(_middle(logs[:, least:] - logs[:, least - 1 : -1]))
    return int(ats[int(np.argmax(steps))])


def _middle(values: FloatArray) -> FloatArray:
    """Return the median over series of each period, 0 where no price is known."""
    known = np.isfinite(values).any(axis=0)
    found = np.zeros(values.shape[1])
    found[known] = np.nanmedian(values[:, known], axis=0)
    return found


def _medians(prices: FloatArray) -> FloatArray:
    known = np.isfinite(prices).any(axis=1)
    found = np.full(len(prices), np.nan)
    found[known] = np.nanmedian(prices[known], axis=1)
    return found


def _is_set(factor: float) -> bool:
    """Return whether shops set prices by such a factor: a tenth off, 5 % more, a sale's end."""
    sizes = np.array([factor, 1 / factor]) / _STEP
    return bool((np.abs(sizes - np.rint(sizes)) <= 0.06).any())


def _leaves_ends(before: FloatArray, since: FloatArray) -> bool:
    """Return whether prices ended as shops' prices do, and no longer do."""
    shares = [float(_ends(v).mean()) for v in (before, since)]
    return shares[0] >= _ASKED and shares[1] <= _LOST * shares[0]


def _ends(prices: FloatArray) -> BoolArray:
    cents = prices * 100
    whole = np.abs(cents - np.rint(cents)) <= 0.02 + prices * 2e-5
    digits: IntArray = np.rint(cents).astype(np.int64) % 10
    found: BoolArray = whole & np.isin(digits, _ENDS)
    return found
