"""The made-up retailer as a panel, and what can happen to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel
from invopt.synthetic import Retailer, make_retailer
from invopt.timeline import Timeline
from invopt.types import Float32Array, FloatArray

NUM_DAYS, SHIFT_DAY = 994, 882  # orders of 14 weeks after the shift can be priced


@dataclass(frozen=True)
class Scenario:
    """Something that happens at SHIFT_DAY.

    Attributes:
        name: Of it.
        change: Panel to panel.
        faulty: True when the data lie and training on them would be a mistake.
        expected: Signals that would be a right finding, by prefix.
    """

    name: str
    change: Callable[[Panel, np.random.Generator], Panel]
    faulty: bool
    expected: tuple[str, ...]


def retailer_panel(num_products: int = 30, num_stores: int = 5, seed: int = 3) -> Panel:
    """Return the true demand of a retailer, uncensored, with prices, promotions and events."""
    retailer = make_retailer(num_products, num_stores, NUM_DAYS, seed, start="2021-01-04")
    ids = tuple(retailer.series["unique_id"])
    own = {
        "price": retailer.price.astype(np.float32),
        "promotion": retailer.promotion.astype(np.float32),
        "promotion_discount": retailer.discount.astype(np.float32),
    }
    channels = [
        Channel(
            name,
            "market",
            SERIES_LEVEL,
            groups=ids,
            known=True,
            values=values,
            fill="forward" if name == "price" else "zero",
        )
        for name, values in own.items()
    ]
    channels.append(
        Channel(
            "event=all",
            "external",
            "all",
            groups=("",),
            known=True,
            values=_events(retailer),
            fill="zero",
        )
    )
    flags = np.zeros(retailer.demand.shape, np.uint8)
    first = np.where(retailer.demand > 0, 1, 0).argmax(axis=1)
    flags[np.arange(NUM_DAYS) < first[:, None]] = Flag.BEFORE_LAUNCH
    line = Timeline(retailer.dates[0], "D", NUM_DAYS)
    return Panel(line, retailer.series, retailer.demand.astype(np.int16), flags).with_channels(
        channels
    )


def scenarios() -> list[Scenario]:
    """Return what the replay goes through, the clean history first."""
    return [
        Scenario("clean", lambda p, _: p, False, ()),
        Scenario("level +10 %", _level(1.10), False, ("demand_shift", "error", "coverage")),
        Scenario("level +30 %", _level(1.30), False, ("demand_shift", "error", "coverage", "cost")),
        Scenario(
            "weekend moves to midweek",
            _weekdays,
            False,
            ("error", "coverage", "cost", "demand_shift"),
        ),
        Scenario("price +15 %", _price, False, ("drift", "demand_shift", "error")),
        Scenario("promotion season", _promotions, False, ("drift", "demand_shift", "error")),
        Scenario("stock-out wave", _stockouts, False, ("stockouts",)),
        Scenario("dead feed", _dead, True, ("silent_feed",)),
        Scenario("duplicated feed", _doubled, True, ("doubled_feed",)),
        Scenario(
            "slow drift +2 % a week", _slow, False, ("demand_shift", "error", "coverage", "drift")
        ),
    ]


def _events(retailer: Retailer) -> Float32Array:
    days = {(1, 1), (4, 12), (7, 4), (12, 25)}
    marks = [(d.month, d.day) in days for d in retailer.dates]
    return np.array(marks, np.float32)[None]


def scaled(
    y: npt.NDArray[np.integer], factor: FloatArray | float, rng: np.random.Generator
) -> npt.NDArray[np.int16]:  # type: ignore[type-arg]
    """Return counts as if customers came `factor` times as often: thinned, or with more drawn."""
    factor = np.broadcast_to(np.asarray(factor, np.float64), y.shape)
    whole = np.floor(factor).astype(np.int64)
    return (y * whole + rng.binomial(y, factor - whole)).astype(np.int16)


def _after(panel: Panel, factor: FloatArray | float, rng: np.random.Generator) -> Panel:
    y = np.array(panel.y)
    y[:, SHIFT_DAY:] = scaled(y[:, SHIFT_DAY:], factor, rng)
    return replace(panel, y=y)


def _level(factor: float) -> Callable[[Panel, np.random.Generator], Panel]:
    return lambda panel, rng: _after(panel, factor, rng)


def _weekdays(panel: Panel, rng: np.random.Generator) -> Panel:
    weekday = panel.timeline.dates(SHIFT_DAY).weekday
    factor = np.array([1.0, 1.35, 1.4, 1.2, 0.75, 0.65, 0.95])[weekday]
    return _after(panel, factor, rng)


def _price(panel: Panel, rng: np.random.Generator) -> Panel:
    price = panel.channels["price"]
    values = price.values.copy()
    values[:, SHIFT_DAY:] *= 1.15
    changed = panel.with_channels([replace(price, values=values)])
    return _after(changed, 1.15**-1.5, rng)


def _promotions(panel: Panel, rng: np.random.Generator) -> Panel:
    weeks = slice(SHIFT_DAY, SHIFT_DAY + 42)
    chosen = rng.random(panel.num_series) < 0.4
    names = ("promotion", "promotion_discount", "price")
    changed = {n: panel.channels[n].values.copy() for n in names}
    quiet = changed["promotion"][:, weeks] == 0
    new = chosen[:, None] & quiet
    changed["promotion"][:, weeks] = np.where(new, 1, changed["promotion"][:, weeks])
    changed["promotion_discount"][:, weeks] = np.where(
        new, 0.2, changed["promotion_discount"][:, weeks]
    )
    changed["price"][:, weeks] = np.where(new, 0.8, 1.0) * changed["price"][:, weeks]
    factor = np.ones((panel.num_series, NUM_DAYS - SHIFT_DAY))
    factor[:, :42] = np.where(new, 1.25 * 0.8**-1.5, 1.0)
    channels = [replace(panel.channels[n], values=v) for n, v in changed.items()]
    return _after(panel.with_channels(channels), factor, rng)


def _stockouts(panel: Panel, rng: np.random.Generator) -> Panel:
    y, flags = np.array(panel.y), np.array(panel.flags)
    weeks = slice(SHIFT_DAY, SHIFT_DAY + 28)
    empty = np.repeat(rng.random((panel.num_series, 4)) < 0.3, 7, axis=1)
    on_sale = (flags[:, weeks] & Flag.BEFORE_LAUNCH) == 0
    y[:, weeks] = np.where(empty, 0, y[:, weeks])
    flags[:, weeks] |= np.where(empty & on_sale, Flag.CENSORED, 0).astype(np.uint8)
    return replace(panel, y=y, flags=flags)


def _dead(panel: Panel, _: np.random.Generator) -> Panel:
    y = np.array(panel.y)
    place = panel.series["location"].to_numpy() == panel.series["location"].iloc[0]
    y[np.ix_(place, np.arange(SHIFT_DAY, SHIFT_DAY + 21))] = 0
    return replace(panel, y=y)


def _doubled(panel: Panel, _: np.random.Generator) -> Panel:
    y = np.array(panel.y)
    y[:, SHIFT_DAY : SHIFT_DAY + 14] *= 2
    return replace(panel, y=y)


def _slow(panel: Panel, rng: np.random.Generator) -> Panel:
    weeks = np.arange(NUM_DAYS - SHIFT_DAY) / 7
    return _after(panel, 1.02**weeks, rng)
