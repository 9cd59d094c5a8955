"""What past plans came to: service, stock, money and forecasts against what happened.

An order answers for the periods from its arrival to the next one's. Those that have passed are
held against what was planned for them; what came earlier was decided by orders before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.inventory.costs import last_prices, terms_of
from invopt.panel import STOCK_CHANNELS, UNOBSERVED, Flag, Panel, has_flag
from invopt.timeline import frequency_unit
from invopt.types import BoolArray, FloatArray, IntArray

MEANS = "means.npz"  # ending of the files that hold the mean forecasts of past reviews
ON_HAND = "on_hand"
_MONTH = {"D": 28, "W": 4, "2W": 2, "MS": 1, "QS": 1}  # periods that are looked at
# Sums by series. Units, money, series-periods.
SUMS = (
    "reviews", "periods", "sold", "expected", "judged", "error", "naive_error", "lost",
    "stockout_cost", "planned_stockout_cost", "holding_cost", "planned_holding_cost",
)  # fmt: skip


@dataclass(frozen=True)
class PastReview:
    """A plan and the mean forecast that it rested on.

    Attributes:
        review_date: The last period it had seen.
        plan: OrderPlan, as it was written.
        unique_ids: Of the forecast.
        mean: (series, horizon) units, from the period after the review.
    """

    review_date: pd.Timestamp
    plan: pd.DataFrame = field(repr=False)
    unique_ids: npt.NDArray[np.str_] = field(repr=False)
    mean: npt.NDArray[np.floating] = field(repr=False)  # type: ignore[type-arg]


def plan_outcomes(
    panel: Panel, reviews: Sequence[PastReview], config: InventoryConfig
) -> pd.DataFrame:
    """Return one row per series with the sums of SUMS over about a month of complete orders.

    No period of a series counts twice: of two reviews whose orders answer for it the later one
    counts. `error` and `naive_error` are absolute errors over the same periods, those in which
    demand was seen; `judged` is what sold in them, and the naive forecast repeats the season
    before the review. `lost` is what the forecast would have sold while the shelf was empty, an
    estimate. Money of stock-outs is unknown (NaN) where no stock is recorded, that of holding
    where no stock by period is.

    Args:
        panel: Up to today.
        reviews: Earlier ones, in any order.
        config: Costs and review period, where products give none.

    Returns:
        unique_id and SUMS; a series that no complete order answers for is left out.

    Example:
        A week of ten a day, then 8 and 12, where the plan expected 9 and 11: the forecast erred by
        2 and the week before by 4:

        >>> from invopt.timeline import Timeline
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 9)
        >>> sold, flags = np.array([[10.0] * 7 + [8, 12]]), np.zeros((1, 9), np.uint8)
        >>> panel = Panel(days, pd.DataFrame({"unique_id": ["a"]}), sold, flags)
        >>> plan = pd.DataFrame({"unique_id": ["a"], "lead_time": [0], "order_quantity": [20.0],
        ...                      "expected_stockout_cost": [0.0], "expected_holding_cost": [0.0]})
        >>> ids, mean = np.array(["a"]), np.array([[9.0, 11.0]])
        >>> past = PastReview(pd.Timestamp("2024-01-07"), plan, ids, mean)
        >>> found = plan_outcomes(panel, [past], InventoryConfig(review_period=2))
        >>> found[["sold", "expected", "error", "naive_error"]].to_numpy().tolist()
        [[20.0, 20.0, 2.0, 4.0]]
    """
    terms = terms_of(panel.series, last_prices(panel), config)
    sums = dict.fromkeys(SUMS, np.zeros(panel.num_series))
    stock = panel.channel_by_series(ON_HAND) if ON_HAND in panel.channels else None
    stocked = _stock_is_recorded(panel)
    taken = np.full(panel.num_series, panel.num_periods)  # the first period that is answered for
    for origin, review in _newest_first(reviews, panel):
        window = _window(panel, review, origin, terms.interval, taken)
        if window is None:
            continue
        taken = np.where(window.counts, origin + 1 + window.step[:, 0], taken)
        found = _outcome(panel, review, window, stock)
        price = terms.stockout_cost if stocked else np.nan
        found["stockout_cost"] = found["lost"] * price
        found["holding_cost"] = found.pop("held") * terms.holding_cost
        sums = {name: sums[name] + np.where(window.counts, found[name], 0) for name in SUMS}
    rows = sums["reviews"] > 0
    columns = {"unique_id": panel.unique_ids.astype(str)} | sums
    return pd.DataFrame(columns)[rows].reset_index(drop=True)


@dataclass(frozen=True)
class _Window:
    """The periods that a review's orders answer for.

    Attributes:
        counts: (series,) True where all of them have passed, and no later review has them.
        place: (series,) row of the forecast.
        step: (series, periods) of them, from 0 at the period after the review.
        inside: (series, periods) where a step is one of the series' own.
        plan: Row of each series in the plan.
        origin: The last period the review had seen.
    """

    counts: BoolArray = field(repr=False)
    place: IntArray = field(repr=False)
    step: IntArray = field(repr=False)
    inside: BoolArray = field(repr=False)
    plan: pd.DataFrame = field(repr=False)
    origin: int


def _newest_first(reviews: Sequence[PastReview], panel: Panel) -> list[tuple[int, PastReview]]:
    """Return the reviews of periods that have others after them, with their period."""
    line = panel.timeline
    dated = [(int(line.index_of(pd.DatetimeIndex([r.review_date]))[0]), r) for r in reviews]
    inside = [found for found in dated if 0 <= found[0] < panel.num_periods - 1]
    return sorted(inside, key=lambda found: -found[0])


def _window(
    panel: Panel, review: PastReview, origin: int, interval: IntArray, taken: IntArray
) -> _Window | None:
    ids = panel.unique_ids.astype(str)
    place = pd.Index(review.unique_ids).get_indexer(pd.Index(ids))
    plan = review.plan.drop_duplicates("unique_id").set_index("unique_id").reindex(ids)
    lead = plan["lead_time"].astype(np.float64)
    known = (place >= 0) & lead.notna().to_numpy() & plan["order_quantity"].notna().to_numpy()
    first = np.nan_to_num(lead.to_numpy()).astype(np.int64)
    stop = first + interval
    last = origin + stop  # the last period of the interval
    month = _MONTH[frequency_unit(panel.timeline.freq)]
    counts = known & (last < taken) & (stop <= review.mean.shape[1])
    counts &= last > panel.num_periods - 1 - max(month, int(interval.max(initial=1)))
    if not counts.any():
        return None
    width = int(interval[counts].max())
    step = first[:, None] + np.arange(width)
    inside = (np.arange(width) < interval[:, None]) & counts[:, None]
    return _Window(counts, np.maximum(place, 0), step, inside, plan=plan, origin=origin)


def _outcome(
    panel: Panel, review: PastReview, window: _Window, stock: npt.NDArray[np.float32] | None
) -> dict[str, FloatArray]:
    rows = np.arange(panel.num_series)[:, None]
    at = np.minimum(window.origin + 1 + window.step, panel.num_periods - 1)
    step = np.minimum(window.step, review.mean.shape[1] - 1)
    mean = np.asarray(review.mean[window.place[:, None], step], np.float64)
    y = np.asarray(panel.y[rows, at], np.float64)
    flags = np.asarray(panel.flags[rows, at])
    on_sale = window.inside & ~has_flag(flags, Flag.BEFORE_LAUNCH | Flag.CLOSED)
    seen = on_sale & ~has_flag(flags, UNOBSERVED)
    empty = on_sale & has_flag(flags, Flag.CENSORED)
    naive, naive_seen = _naive(panel, window)
    judged = seen & naive_seen
    held = np.full(panel.num_series, np.nan)
    if stock is not None:
        held = np.where(on_sale, np.maximum(stock[rows, at], 0), 0).sum(axis=1)
    return {
        "reviews": np.ones(panel.num_series),
        "periods": on_sale.sum(axis=1),
        "sold": np.where(seen | empty, y, 0).sum(axis=1),
        "expected": np.where(on_sale, mean, 0).sum(axis=1),
        "judged": np.where(judged, y, 0).sum(axis=1),
        "error": np.where(judged, np.abs(y - mean), 0).sum(axis=1),
        "naive_error": np.where(judged, np.abs(y - naive), 0).sum(axis=1),
        "lost": np.where(empty, np.maximum(mean - y, 0), 0).sum(axis=1),
        "held": held,
        "planned_stockout_cost": window.plan["expected_stockout_cost"].to_numpy(np.float64),
        "planned_holding_cost": window.plan["expected_holding_cost"].to_numpy(np.float64),
    }


def _naive(panel: Panel, window: _Window) -> tuple[FloatArray, BoolArray]:
    """Return what the season before the review sold, and whether it was demand."""
    season = panel.timeline.season_length
    back = season * (window.step // season + 1)
    at = window.origin + 1 + window.step - back
    rows = np.arange(panel.num_series)[:, None]
    there = at >= 0
    at = np.maximum(at, 0)
    seen = there & ~has_flag(np.asarray(panel.flags[rows, at]), UNOBSERVED)
    return np.asarray(panel.y[rows, at], np.float64), seen


def _stock_is_recorded(panel: Panel) -> bool:
    """Return whether anything says that a shelf was empty."""
    if any(name in panel.channels for name in STOCK_CHANNELS):
        return True
    return bool(has_flag(np.asarray(panel.flags), Flag.CENSORED).any())
