"""What a plan, a price or a day of the week does to a forecast: with it, minus without it.

Attributions compare one series with all others: what all of them share is small there, however
large it is in units. Here the same series are forecast twice, and only the plan differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from invopt.evaluation import Forecasts
from invopt.features.spec import PRICE
from invopt.forecasts import ForecastArrays
from invopt.panel import Channel, Panel
from invopt.types import Float32Array, FloatArray

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CHEAPER = 0.9
# Share of periods without it from which on a channel's 0 means that nothing is planned.
_SELDOM = 0.5
_OUTER = (0.1, 0.9)


@dataclass(frozen=True)
class Effect:
    """A difference of forecasts over the horizon.

    Attributes:
        name: Of the channel, the weekday, or the change of price.
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
    """Return the effects of plans, price and weekdays, largest first.

    Args:
        model: Forecasts panels.
        panel: Cleaned, with derived channels; a sample of series is enough.
        cutoff: Last known period.
    """
    found = list(_planned(model, panel, cutoff))
    found += _cheaper(model, panel, cutoff)
    if panel.timeline.freq == "D":
        found += _weekdays(model.predict(panel, cutoff), panel, cutoff)
    return sorted(found, key=lambda effect: -abs(effect.share))


def _planned(model: Forecasts, panel: Panel, cutoff: int) -> Iterator[Effect]:
    for name, channel in panel.channels.items():
        values = np.asarray(channel.values[:, : cutoff + 1], np.float64)
        planned = values[np.nan_to_num(values) != 0]
        if name == PRICE or channel.domain == "derived" or not channel.known or not len(planned):
            continue
        if np.mean(np.nan_to_num(values) == 0) < _SELDOM:
            continue
        usual = float(np.median(planned))
        with_it, none = (_forecast(model, panel, channel, cutoff, to) for to in (usual, 0.0))
        yield _effect(name, "none planned", with_it, none)


def _cheaper(model: Forecasts, panel: Panel, cutoff: int) -> Iterator[Effect]:
    price = panel.channels.get(PRICE)
    if price is None or not price.known:
        return
    last = price.until(cutoff + 1)[:, -1:]
    lower, same = (_forecast(model, panel, price, cutoff, last * by) for by in (_CHEAPER, 1.0))
    yield _effect("price 10% lower", "the last price", lower, same)


def _forecast(
    model: Forecasts, panel: Panel, channel: Channel, cutoff: int, value: float | Float32Array
) -> FloatArray:
    """Return (series, horizon) means where a channel is of one value in all periods ahead."""
    values = channel.until(max(channel.values.shape[1], panel.num_periods + 1)).copy()
    values[:, cutoff + 1 :] = value
    # What lies beyond goes on in the same way: an event may act before its day.
    changed = replace(channel, values=values, fill="forward")
    return np.asarray(model.predict(panel.with_channels([changed]), cutoff).mean, np.float64)


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
