"""A first configuration that fits a data set's frequency, its length and its lead times."""

import glob
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from invopt.config import EXCEPT, DataConfig
from invopt.frequency import Sizes, by_review, offset_weights, sizes_of
from invopt.sources.public_holidays import PREFIX
from invopt.sources.validation import DataCheck
from invopt.sources.words import shortened
from invopt.timeline import frequency_unit

# So few steps learn what is planned on days, and the weekdays of a few shops, at a higher rate than
# longer trainings need; months lost by it: docs/benchmarks.md, "Known plans".
_STEPS, _RATE = 800, 0.008
# Weeks of which each is like that of the year before: an encoder of 40 weeks does not see it.
# Walmart's are alike (0.67) and gained a fifth, VN2's are not (0.10) and lost 3 %; months and days
# gained nothing: docs/benchmarks.md, "The week of the year before".
_YEARLY, _ALIKE, _YEARLY_RATE = ("W", "2W"), 0.3, 0.004
# Where they are not few, one network with half of its steps for what stock rests on: Walmart's
# orders cost a seventh less than those of two networks in the same time.
_YEARLY_STEPS, _HEADS = 1600, 0.5
# Where the data are few, one network of so many steps learns them by heart; cells (series times
# periods) up to which other steps and more networks did better: docs/benchmarks.md, "Few data".
_RECIPES = ((12_000, 200, 4), (150_000, 800, 2))
_FEW = 5  # horizons of history below which nothing can be judged
# Days below which a network learns each product's name by heart: without names and attributes M5's
# food of 90 days lost 6 % of WAPE, FreshRetailNet 4, SID 2, and a bakery gained 2: "Waves over the
# month" there.
_SHORT = 180


@dataclass(frozen=True)
class Extent:
    """What of a data set its configuration depends on.

    Attributes:
        frequency: Of the periods.
        num_periods: Of the panel.
        lead_time: Longest lead time that the data name, in periods; None where they name none.
        has_location: True where products name their place.
        has_category: True where products name their category.
        num_series: Of the panel.
        shelf_life: Periods that half of the products keep, at most; None where they name none.
        afterwards: Channels of plans, customers, market and the world outside that are known
            afterwards only.
        ahead: Such channels that are known ahead.
        likeness_of_years: Correlation of each period with that of the year before, beside those
            around; 0 where nobody asks.
        likeness_of_months: Correlation of each day with the same days of other months; likewise.
        margin: What is left of a price after the unit cost, as a share of the price, of the product
            in the middle; None where fewer than half of them name both.
        lead_times: Those that the data name, in periods, by series.
    """

    frequency: str
    num_periods: int
    lead_time: int | None
    has_location: bool
    has_category: bool
    num_series: int
    shelf_life: float | None = None
    afterwards: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    likeness_of_years: float = 0.0
    likeness_of_months: float = 0.0
    margin: float | None = None
    lead_times: Mapping[str, float] = field(default_factory=dict)


def first_config(
    name: str, mapping: str, extent: Extent, checks: Iterable[DataCheck]
) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration as plain data, and what a person should know about it.

    Args:
        name: Of the run.
        mapping: Mapping file, relative to the configuration.
        extent: Of the data set.
        checks: Of the data: limits that they break by their nature are widened, and it is said.
    """
    sizes = sizes_of(extent.frequency)
    review, fresh = _review(extent, sizes)
    horizon, lead_time = _interval(extent, sizes, review)
    limits, notes = _limits(checks)
    history = extent.num_periods - 2 * horizon
    context = max(2, min(sizes.context, history // 2 // sizes.patch))
    content: dict[str, Any] = {
        "name": name,
        "data": {"mapping": mapping, **limits},
        "features": _features(extent, sizes, horizon, context),
        "training": _training(extent, context),
        **by_review(sizes, horizon, lead_time, review),
    }
    if extent.margin is not None:
        content["inventory"]["stockout_margin"] = extent.margin
        fresh.append(
            f"a lost sale costs {extent.margin:.0%} of its price: what unit costs leave of prices "
            "(inventory.stockout_margin); give prices without tax, and more where a customer who "
            "finds none stays away"
        )
    return content, [
        *notes,
        *fresh,
        *_far(extent, sizes, horizon, review),
        *_doubts(extent, horizon),
    ]


def _far(extent: Extent, sizes: Sizes, horizon: int, review: int) -> list[str]:
    """Return whose lead times make the horizon of all series long, and what to do."""
    far = sorted(
        (
            name
            for name, wait in extent.lead_times.items()
            if np.ceil(wait) + review > sizes.horizon
        ),
        key=lambda name: (-extent.lead_times[name], name),
    )
    if not far or horizon <= sizes.horizon:
        return []
    near = sizes.horizon
    told = (
        f"features.horizon is {horizon} for all {extent.num_series} series: {len(far)} of them "
        f"({shortened(far)}) wait up to {extent.lead_time} periods for a delivery, and the "
        f"review's {review} are added"
    )
    if len(far) == extent.num_series:
        return [told]
    return [
        f"{told}; {near} do for the others. Look whether these lead times are right. Then leave "
        "it so, order these products by a mapping of their own (`where`), or set "
        f"features.horizon to {near} and inventory.lead_time to {near - review} at most: they are "
        "then forecast and not ordered (lead_time_beyond_horizon)"
    ]


def _doubts(extent: Extent, horizon: int) -> list[str]:
    """Return what a person should know of how well such data can be forecast."""
    notes = []
    if extent.afterwards:
        notes.append(
            f"{shortened(extent.afterwards)} are known afterwards only and kept out of the "
            "forecast (features.channels), which is worse with them on most data; what is planned "
            "ahead (promotions, holidays) belongs into a table of its own that reaches beyond the "
            "last sale, with `known: true`"
        )
    if is_daily(extent.frequency) and not extent.ahead:
        notes.append(
            "no table says which days to come are holidays: `--holidays COUNTRY` (DE, US; DE-BY "
            "for a region) adds the public ones, with which a bakery's forecasts erred a third less"
        )
    if extent.num_periods < _FEW * horizon:
        notes.append(
            f"{extent.num_periods} periods are few: a forecast that is judged wants "
            f"{_FEW * horizon} and more"
        )
    return notes


def _features(extent: Extent, sizes: Sizes, horizon: int, context: int) -> dict[str, Any]:
    windows = _windows(extent, sizes)
    aggregates = [[c] for c, there in (("location", extent.has_location),
                                       ("category", extent.has_category)) if there]  # fmt: skip
    return {
        "horizon": horizon,
        "patch": sizes.patch,
        "context_steps": context,
        "windows": list(windows),
        "offset_weights": offset_weights(windows),
        "aggregates": aggregates,
        "daily_periods": sizes.plain,
        **_channels(extent),
        **_events(extent),
        **({"year_before": True} if _is_yearly(extent) else {}),
        **({"month_harmonics": 0} if _lacks_months(extent) else {}),
        **({"static": []} if is_daily(extent.frequency) and extent.num_periods < _SHORT else {}),
    }


def _training(extent: Extent, context: int) -> dict[str, Any]:
    steps, members = _steps(extent)
    is_yearly, few = _is_yearly(extent), _RECIPES[0][0]
    is_long = is_yearly and extent.num_series * extent.num_periods > few
    if is_long:
        steps, members = _YEARLY_STEPS, 1
    rate = _RATE if is_daily(extent.frequency) else _YEARLY_RATE if is_yearly else None
    return {
        "max_minutes": 5,
        "max_steps": steps,
        **({"num_members": members} if members > 1 else {}),
        **({"learning_rate": rate} if rate else {}),
        **({"heads_share": _HEADS} if is_long else {}),
        "fork_after": max(1, min(8, context // 2)),
    }


def _events(extent: Extent) -> dict[str, list[Any]]:
    """Return that public holidays act on the days beside them too: people buy for them before."""
    has_holidays = any(name.startswith(f"{PREFIX}=") for name in extent.ahead)
    if not is_daily(extent.frequency) or not has_holidays:
        return {}
    return {"event_channels": [f"{PREFIX}=*"], "event_leads": [1, -1]}


def may_be_yearly(frequency: str) -> bool:
    """Return whether data of a frequency are asked if each year is like the one before."""
    return frequency_unit(frequency) in _YEARLY


def _is_yearly(extent: Extent) -> bool:
    return may_be_yearly(extent.frequency) and extent.likeness_of_years >= _ALIKE


def is_daily(frequency: str) -> bool:
    """Return whether data of a frequency are of days: those are asked if months are alike."""
    return frequency_unit(frequency) == "D"


def _lacks_months(extent: Extent) -> bool:
    """Return whether data are of days whose months have nothing in common.

    Waves over the month cost such days 5 to 11 % of WAPE, and spared M5's food (0.49, its SNAP
    days unknown) 4 % in one window: docs/benchmarks.md, "Waves over the month".
    """
    return is_daily(extent.frequency) and extent.likeness_of_months < _ALIKE


def _channels(extent: Extent) -> dict[str, list[str]]:
    """Return which channels a first network sees: none that says nothing of the periods ahead.

    On Walmart, Stallion and FreshRetailNet weather, prices of others and past plans made forecasts
    2 to 20 % worse: docs/benchmarks.md, "Channels known afterwards".
    """
    if not extent.afterwards:
        return {}
    return {"channels": ["*", *(f"{EXCEPT}{glob.escape(name)}" for name in extent.afterwards)]}


def _steps(extent: Extent) -> tuple[int, int]:
    """Return the steps of one network, and how many networks."""
    cells = extent.num_series * extent.num_periods
    return next(((s, n) for most, s, n in _RECIPES if cells <= most), (_STEPS, 1))


def _review(extent: Extent, sizes: Sizes) -> tuple[int, list[str]]:
    """Return the periods between orders, and what is to be said of them.

    What spoils before the next order comes is ordered every period.
    """
    life = extent.shelf_life
    if life is None or life >= sizes.review + (extent.lead_time or 0):
        return sizes.review, []
    lead = "" if extent.lead_time is not None else " and delivered before the next one begins"
    note = (
        f"half of the products keep for {life:g} periods or less: they are taken to be ordered "
        f"every period{lead} (inventory.review_period, inventory.lead_time)"
    )
    return 1, [note]


def _interval(extent: Extent, sizes: Sizes, review: int) -> tuple[int, int]:
    """Return the horizon and the lead time: orders last for lead time and review."""
    longest = max(1, (extent.num_periods - 1) // 4)
    horizon = min(sizes.horizon, max(review + 1, longest))
    horizon = min(horizon, max(1, (extent.num_periods - 1) // 2))
    usual = sizes.lead_time if review == sizes.review else 0
    wanted = usual if extent.lead_time is None else extent.lead_time
    if extent.lead_time is not None:
        horizon = max(horizon, wanted + review)
    horizon = max(horizon, review)
    return horizon, max(0, min(wanted, horizon - review))


def _windows(extent: Extent, sizes: Sizes) -> tuple[int, ...]:
    fitting = [w for w in sizes.windows if 3 * w[-1] <= extent.num_periods]
    return fitting[0] if fitting else sizes.windows[-1]


def _limits(checks: Iterable[DataCheck]) -> tuple[dict[str, float], list[str]]:
    """Return the limits that these data break by their nature, and why they were widened."""
    orphans = [c for c in checks if c.name == "references" and not c.passed and c.value is not None]
    if not orphans:
        return {}, []
    worst = max(orphans, key=lambda c: c.value or 0.0)
    assert worst.value is not None
    limit = min(1.0, round(worst.value + 0.05, 2))
    usual = DataConfig.model_fields["max_orphan_share"].default
    note = (
        f"{worst.value:.0%} of {worst.about} have no partner, more than the usual {usual:.0%}: "
        f"look whether their keys are written alike; data.max_orphan_share is {limit:g}"
    )
    return {"max_orphan_share": limit}, [note]
