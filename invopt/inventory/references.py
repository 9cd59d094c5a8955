"""Reference policies: what a planner with a spreadsheet, or with a crystal ball, would order.

Every result stands beside these. All but perfect information look back only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from invopt.inventory.costs import Terms
from invopt.inventory.lost_sales import stock_at_arrival
from invopt.inventory.orders import order_up_to, round_order
from invopt.inventory.simulation import OrderRule, State
from invopt.timeline import Timeline
from invopt.types import FloatArray, IntArray

TEXTBOOK = "textbook base stock"
COVER = "seasonal average, cover"
EMPIRICAL = "empirical quantile"
CAPPED = "capped base stock"
PERFECT = "perfect information"


@dataclass(frozen=True)
class History:
    """What reference policies look back on.

    Attributes:
        demand: (series, periods) units, NaN where not observed, the replay's periods included.
        season: (periods,) place of each period in its season (see season_places), reaching past
            the demand by the longest cover.
        first: Period of the demand that is period 0 of the replay.
        recent: Periods of a moving average.
        review_period: Periods between orders of the replay.
    """

    demand: FloatArray = field(repr=False)
    season: IntArray = field(repr=False)
    first: int
    recent: int
    review_period: int = 1

    @property
    def reviews(self) -> range:
        """Periods of the demand at whose end the replay orders."""
        return range(self.first, self.demand.shape[1], self.review_period)


def season_places(timeline: Timeline, stop: int) -> IntArray:
    """Return the place in the season of periods 0..stop-1: weekday, or part of the year.

    Example:
        Monday is 0; the 1st of January 2024 was one:

        >>> import pandas as pd
        >>> from dataclasses import replace
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 3)
        >>> season_places(days, 8).tolist(), season_places(replace(days, freq="MS"), 3).tolist()
        ([0, 1, 2, 3, 4, 5, 6, 0], [1, 2, 3])
    """
    dates = timeline.dates(0, stop)
    unit = timeline.freq.split("-")[0]
    if unit == "D":
        return np.asarray(dates.weekday, np.int64)
    if unit == "W":
        return dates.isocalendar().week.to_numpy(np.int64)
    if unit == "2W":
        return dates.isocalendar().week.to_numpy(np.int64) // 2
    if unit == "QS":
        return np.asarray(dates.quarter, np.int64)
    return np.asarray(dates.month, np.int64)


def reference_levels(history: History, terms: Terms) -> dict[str, FloatArray]:
    """Return the order-up-to levels of reference policies by name.

    "textbook base stock" is mean (L+R) + z sigma sqrt(L+R) with normal z at the critical ratio;
    "seasonal average, cover" holds a seasonal moving average over L+R periods; "empirical
    quantile" the critical ratio's quantile of past sums over L+R periods.

    Args:
        history: Of the series.
        terms: Of the series.

    Returns:
        (series, periods of the replay) units each, NaN between reviews.

    Example:
        Ten a period for certain, lead time 3 and review 1: every policy holds four periods of ten:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=3, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> history = History(np.full((1, 30), 10.0), np.zeros(40, np.int64), 20, recent=10)
        >>> found = reference_levels(history, terms)
        >>> [found[name][0, 0].item() for name in (TEXTBOOK, COVER, EMPIRICAL)]
        [40.0, 40.0, 40.0]
    """
    interval = terms.protection_interval
    return {
        TEXTBOOK: _levels(history, lambda t: textbook_level(history, t, terms)),
        COVER: _levels(history, lambda t: seasonal_average(history, t, interval)),
        EMPIRICAL: _levels(history, lambda t: _empirical(history, t, interval, terms)),
    }


def reference_rules(
    history: History,
    terms: Terms,
    *,
    lost_sales: bool = True,
    levels: dict[str, FloatArray] | None = None,
) -> dict[str, OrderRule]:
    """Return the reference policies by name: those of `reference_levels` and two more.

    "capped base stock" has the empirical level and orders of at most the quantile of one review
    period (Xin, 2021); "perfect information" knows the demand to come and orders it just in time.

    Args:
        history: Of the series.
        terms: Of the series.
        lost_sales: Unmet demand is lost.
        levels: As reference_levels gives them, where they are at hand.

    Example:
        The same for certain: with 5 there and 10 to come every policy orders the 25 that its level
        of 40 lacks, but for the capped one, which orders one period's demand, and perfect
        information, which knows that nothing is left when its order arrives:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=3, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> history = History(np.full((1, 30), 10.0), np.zeros(40, np.int64), 20, recent=10)
        >>> come = np.array([[10.0], [0.0], [0.0]])
        >>> state = State(np.array([5.0]), np.array([10.0]), np.zeros(1), come)
        >>> rules = reference_rules(history, terms)
        >>> [rules[name](slice(0, 1), 0, state).item() for name in (TEXTBOOK, COVER, EMPIRICAL)]
        [25.0, 25.0, 25.0]
        >>> [rules[name](slice(0, 1), 0, state).item() for name in (CAPPED, PERFECT)]
        [10.0, 10.0]
    """
    levels = levels or reference_levels(history, terms)
    review = np.full(len(terms.lead_time), terms.review_period)
    cap = _empirical(history, history.first, review, terms)
    return {
        **{name: order_up_to(values, terms) for name, values in levels.items()},
        CAPPED: order_up_to(levels[EMPIRICAL], terms, cap=cap),
        PERFECT: perfect_information(history, terms, lost_sales=lost_sales),
    }


def textbook_level(history: History, period: int, terms: Terms) -> FloatArray:
    """Return mean (L+R) + z sigma sqrt(L+R) after a period, rounded to whole units.

    The mean is over twice the recent periods, sigma over the recent ones: what most planning
    systems ship with.

    Example:
        The book's base stock: four periods of 10, no variation, so no safety stock:

        >>> one = np.ones(1)
        >>> terms = Terms(
        ...     holding_cost=one, stockout_cost=9 * one, lead_time=np.array([3]), review_period=1,
        ...     pack_size=one, min_order=0 * one, unit_cost=one,
        ... )
        >>> history = History(np.full((1, 30), 10.0), np.zeros(40, np.int64), 20, recent=10)
        >>> textbook_level(history, 25, terms).tolist()
        [40.0]
    """
    interval = terms.protection_interval
    mean = _mean(history.demand[:, : period + 1][:, -2 * history.recent :])
    recent = history.demand[:, : period + 1][:, -history.recent :]
    centre = _mean(recent)
    sigma = np.sqrt(_mean(np.square(recent - centre[:, None])))
    level: FloatArray = np.rint(
        interval * mean + ndtri(terms.critical_ratio) * sigma * np.sqrt(interval)
    )
    return level


def seasonal_average(history: History, period: int, cover: IntArray) -> FloatArray:
    """Return units over the next `cover` periods by a moving average with seasonal factors.

    A factor is the mean over series and years of a place in the season, over the mean of all;
    the average is of the recent periods with the factors taken out.

    Args:
        history: Of the series.
        period: Last known one.
        cover: (series,) periods.

    Example:
        Weekends sell twice as much: the four days from a Friday on are 10 + 20 + 20 + 10:

        >>> week = np.array([10.0, 10, 10, 10, 10, 20, 20])
        >>> history = History(np.tile(week, 6)[None], np.arange(60) % 7, 28, recent=14)
        >>> seasonal_average(history, 31, np.array([4])).tolist()
        [60.0]
    """
    known = history.demand[:, : period + 1]
    total, places = _mean(known.T), history.season[: period + 1]
    sums = np.bincount(places, total, minlength=history.season.max() + 1)
    counts = np.bincount(places, minlength=len(sums))
    seen = counts > 0
    factor = np.ones(len(sums))
    means = sums[seen] / counts[seen]
    factor[seen] = np.maximum(means / means.mean(), 1e-6)
    level = _mean(known[:, -history.recent :] / factor[places[-history.recent :]])
    longest = int(cover.max())
    ahead = factor[history.season[period + 1 : period + 1 + longest]].cumsum()
    return np.rint(level * ahead[cover - 1])


def perfect_information(history: History, terms: Terms, *, lost_sales: bool = True) -> OrderRule:
    """Return the rule that orders just what will be missing until the next order arrives.

    Example:
        Ten a period for certain, lead time 3: of 34 four are left when the order arrives, so that
        six are ordered; of 15 nothing is left, and the 15 missed before count only if they wait:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=3, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> history = History(np.full((1, 30), 10.0), np.zeros(40, np.int64), 20, recent=10)
        >>> def ordered(units, **kind):
        ...     state = State(np.array([units]), np.zeros(1), np.zeros(1), np.zeros((3, 1)))
        ...     return perfect_information(history, terms, **kind)(slice(0, 1), 0, state).tolist()
        >>> ordered(34.0), ordered(15.0), ordered(15.0, lost_sales=False)
        ([6.0], [10.0], [25.0])
    """
    demand = np.nan_to_num(history.demand)

    def rule(rows: slice, period: int, state: State) -> FloatArray:
        order = np.zeros(len(state.on_hand))
        lead_times = terms.lead_time[rows]
        for lead_time in np.unique(lead_times):
            own = np.flatnonzero(lead_times == lead_time)
            start = history.first + period + 1
            ahead = demand[rows][own][:, start : start + lead_time + terms.review_period]
            if ahead.shape[1] <= lead_time:
                continue
            arrivals = state.arrivals[:, own].T
            if lost_sales:
                before = ahead[:, :lead_time, None]
                left = stock_at_arrival(state.on_hand[own], arrivals, before)[:, 0]
                left += arrivals[:, lead_time:].sum(axis=1)
            else:
                left = state.position[own] - ahead[:, :lead_time].sum(axis=1)
            order[own] = ahead[:, lead_time:].sum(axis=1) - left
        return round_order(np.maximum(order, 0), terms.pack_size[rows], terms.min_order[rows])

    return rule


def _levels(history: History, level: Callable[[int], FloatArray]) -> FloatArray:
    """Return (series, periods of the replay) levels, NaN between reviews."""
    levels = np.full((len(history.demand), history.demand.shape[1] - history.first), np.nan)
    for period in history.reviews:
        levels[:, period - history.first] = level(period)
    return levels


def _empirical(history: History, period: int, interval: IntArray, terms: Terms) -> FloatArray:
    """Return the critical ratio's quantile of sums over `interval` of the last four averages.

    An order that lasts for longer than these looks at twice as long; where less is known, sums of
    half of what is known stand for it, in proportion.
    """
    past = history.demand[:, : period + 1]
    found = np.zeros(len(past))
    for periods in np.unique(interval):
        own = np.flatnonzero(interval == periods)
        known = past[own, -max(4 * history.recent, 2 * int(periods)) :]
        window = int(periods) if periods <= known.shape[1] else max(1, known.shape[1] // 2)
        filled = np.where(np.isnan(known), _mean(known)[:, None], known)
        sums = np.lib.stride_tricks.sliding_window_view(filled, window, axis=1).sum(axis=2)
        sums = sums * (periods / window)
        sums.sort(axis=1)
        place = np.ceil(terms.critical_ratio[own] * sums.shape[1] - 1e-9).astype(np.int64) - 1
        found[own] = np.take_along_axis(sums, place.clip(0)[:, None], axis=1)[:, 0]
    return np.rint(found)


def _mean(values: FloatArray) -> FloatArray:
    """Return the mean of each row's numbers, 0 where there are none."""
    seen = ~np.isnan(values)
    mean: FloatArray = np.where(seen, values, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return mean
