"""What a plan, a price or a day of the week does to a forecast: with it, minus without it.

Attributions compare one series with all others: what all of them share is small there, however
large it is in units. Here the same series are forecast twice, and only the plan differs.
"""

import warnings
from calendar import month_name
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from invopt.evaluation import Forecasts
from invopt.features.spec import PRICE
from invopt.forecasts import ForecastArrays
from invopt.panel import Panel
from invopt.types import BoolArray, Float32Array, FloatArray

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHEAPER = 0.9
# Share of periods without it from which on a channel's 0 means that nothing is planned.
_SELDOM = 0.5
_MOSTLY = 0.5  # share of periods that two plans have in common, from which on they are one
_LEAST_FALL = 0.02  # of a price in a promotion that is told
_LATE = 28  # periods that the usual price is of
_ALL_MONTHS, _HISTORY = 12, 1.25  # in a year; years of sales before months are told
_OUTER = (0.1, 0.9)


@dataclass(frozen=True)
class Effect:
    """A difference of forecasts over the horizon.

    Attributes:
        name: Of the channels that are planned together, the weekday, the month, or the change of
            price.
        without: What it is compared with, in words.
        units: Per series and period.
        share: Of what is forecast without it.
        low: Share that a tenth of the series stay below.
        high: Share that a tenth of the series exceed.
    """

    name: str
    without: str
    units: float
    share: float
    low: float
    high: float


def effects_of(model: Forecasts, panel: Panel, cutoff: int) -> list[Effect]:
    """Return the effects of plans, price, weekdays and months, largest first.

    Plans that come together (a promotion, its discount, the price that falls with it) are one
    effect: a model may read it off any of them, and each alone says nothing.

    Args:
        model: Forecasts panels.
        panel: Cleaned, with derived channels; a sample of series is enough.
        cutoff: Last known period.
    """
    found = [_planned(model, panel, cutoff, plans) for plans in _together(panel, cutoff)]
    found += _cheaper(model, panel, cutoff)
    if panel.timeline.freq == "D":
        found += _weekdays(model.predict(panel, cutoff), panel, cutoff)
    found += _months(model, panel, cutoff)
    return sorted(found, key=lambda effect: -abs(effect.share))


def _together(panel: Panel, cutoff: int) -> Iterator[dict[str, BoolArray]]:
    """Yield plans that come together: by name of the channel, (series, periods) where planned."""
    planned = {}
    for name, channel in panel.channels.items():
        if name == PRICE or channel.domain == "derived" or not channel.known:
            continue
        mask = np.nan_to_num(panel.channel_by_series(name)[:, : cutoff + 1]) != 0
        if mask.any() and mask.mean() <= 1 - _SELDOM:
            planned[name] = mask
    left = sorted(planned, key=lambda name: -planned[name].sum())
    while left:
        first, *others = left
        both = {name: (planned[name] & planned[first]).sum() for name in others}
        joined = [first] + [
            name for name in others
            if both[name] >= _MOSTLY * max(planned[name].sum(), planned[first].sum())
        ]  # fmt: skip
        yield {name: planned[name] for name in joined}
        left = [name for name in left if name not in joined]


def _planned(model: Forecasts, panel: Panel, cutoff: int, plans: dict[str, BoolArray]) -> Effect:
    """Return what plans do, each as it usually is where it is planned."""
    having: dict[str, float | Float32Array] = {}
    none: dict[str, float | Float32Array] = {}
    for name, mask in plans.items():
        values = panel.channel_by_series(name)[:, : cutoff + 1]
        having[name], none[name] = float(np.median(values[mask])), 0.0
    told = " + ".join(plans)
    fall = _fall_of_price(panel, cutoff, np.any(list(plans.values()), axis=0))
    if fall:
        usual = _usual_price(panel, cutoff)
        having[PRICE], none[PRICE] = usual * (1 - fall), usual
        told += f" + price {fall:.0%} lower"
    with_it, without = (_forecast(model, panel, cutoff, change) for change in (having, none))
    return _effect(told, "none planned", with_it, without)


def _fall_of_price(panel: Panel, cutoff: int, planned: BoolArray) -> float:
    """Return by how much the price is lower where something is planned; 0 where it hardly is."""
    price = panel.channels.get(PRICE)
    if price is None or not price.known:
        return 0.0
    paid = panel.channel_by_series(PRICE)[:, : cutoff + 1].astype(np.float64)
    usual = _median(np.where(planned, np.nan, paid))
    share = (paid / np.where(usual > 0, usual, np.nan))[planned]
    share = share[np.isfinite(share)]
    fall = 1 - float(np.median(share)) if len(share) else 0.0
    return fall if fall >= _LEAST_FALL else 0.0


def _usual_price(panel: Panel, cutoff: int) -> Float32Array:
    """Return (group, 1) the median price of late, at the level that prices are recorded at."""
    return _median(panel.channels[PRICE].until(cutoff + 1)[:, -_LATE:]).astype(np.float32)


def _median(values: FloatArray | Float32Array) -> FloatArray:
    """Return (rows, 1) medians of what is known, NaN where nothing is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(values, axis=1, keepdims=True), np.float64)


def _cheaper(model: Forecasts, panel: Panel, cutoff: int) -> Iterator[Effect]:
    price = panel.channels.get(PRICE)
    if price is None or not price.known:
        return
    last = price.until(cutoff + 1)[:, -1:]
    lower, same = (_forecast(model, panel, cutoff, {PRICE: last * by}) for by in (_CHEAPER, 1.0))
    yield _effect("price 10% lower", "the last price", lower, same)


def _forecast(
    model: Forecasts, panel: Panel, cutoff: int, ahead: dict[str, float | Float32Array]
) -> FloatArray:
    """Return (series, horizon) means where channels are of one value in all periods ahead."""
    changed = []
    for name, value in ahead.items():
        channel = panel.channels[name]
        values = channel.until(max(channel.values.shape[1], panel.num_periods + 1)).copy()
        values[:, cutoff + 1 :] = value
        # What lies beyond goes on in the same way: an event may act before its day.
        changed.append(replace(channel, values=values, fill="forward"))
    return np.asarray(model.predict(panel.with_channels(changed), cutoff).mean, np.float64)


def _months(model: Forecasts, panel: Panel, cutoff: int) -> Iterator[Effect]:
    """Yield each month of the last year beside the year, from forecasts made through it."""
    year = round(panel.timeline.periods_per_year)
    if year < _ALL_MONTHS or cutoff < _HISTORY * year:
        return
    mean = np.asarray(model.predict(panel, cutoff - year).mean, np.float64)
    horizon = min(mean.shape[1], year)
    cutoffs = range(cutoff - year, cutoff - horizon + 1, horizon)
    parts = [mean] + [np.asarray(model.predict(panel, c).mean, np.float64) for c in cutoffs[1:]]
    whole = np.concatenate([part[:, :horizon] for part in parts], axis=1)
    start = cutoffs[0] + 1
    months = panel.timeline.dates(start, start + whole.shape[1]).month.to_numpy()
    total = whole.sum(axis=0)
    if len(set(months)) < _ALL_MONTHS or not (total > 0).all():
        return
    for number in range(1, 13):
        yield _effect(
            month_name[number], "the last year, its growth included",
            whole[:, months == number], whole,
        )  # fmt: skip


def _weekdays(forecast: ForecastArrays, panel: Panel, cutoff: int) -> Iterator[Effect]:
    mean = np.asarray(forecast.mean, np.float64)
    horizon = mean.shape[1] // 7 * 7
    days = panel.timeline.dates(cutoff + 1, cutoff + 1 + horizon).weekday.to_numpy()
    if not horizon:
        return
    usual = mean[:, :horizon].mean(axis=1, keepdims=True)
    for number, day in enumerate(_DAYS):
        yield _effect(day, "an average day", mean[:, :horizon][:, days == number], usual)


def _effect(name: str, without: str, having: FloatArray, none: FloatArray) -> Effect:
    each, base = having.mean(axis=1), none.mean(axis=1)
    share = each[base > 0] / base[base > 0] - 1
    low, high = np.quantile(share, _OUTER) if len(share) else (0.0, 0.0)
    total = base.sum()
    return Effect(
        name,
        without,
        units=float((each - base).mean()),
        share=float(each.sum() / total - 1) if total else 0.0,
        low=float(low),
        high=float(high),
    )
