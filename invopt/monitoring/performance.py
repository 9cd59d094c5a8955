"""What forecasts and decisions turned out to be worth, period by period and location by location.

A record holds sums, so that records of locations add up to the company's, and ratios are taken
last. Forecasts of a record were made before its period, from what was known then.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.cleaning import estimate_demand
from invopt.evaluation import Forecasts, covered_by
from invopt.feeds import locations_of
from invopt.forecasts import ForecastArrays
from invopt.inventory import Terms, expected_shortage_and_excess, levels_of
from invopt.inventory.decision import SummedForecast
from invopt.panel import STOCK_CHANNELS, UNOBSERVED, Flag, Panel
from invopt.types import BoolArray, Float32Array, FloatArray

_ROWS = 4096

# Sums of a record. Money and units; counts are series-periods. `stocked` are those of which it is
# known whether the shelf was empty.
SUMS = (
    "on_sale", "observed", "stocked", "censored", "actual", "forecast", "error", "expected_error",
    "inside", "cost", "planned_cost",
)  # fmt: skip


@dataclass(frozen=True)
class Scoring:
    """How outcomes are scored.

    Attributes:
        period: Periods per monitoring period.
        terms: Of the series; None leaves costs out.
        is_count: True when sales are whole numbers.
        seed: Of the jitter that makes coverage of counts exact.
    """

    period: int
    terms: Terms | None = field(repr=False)
    is_count: bool
    seed: int = 0

    def cost_stop(self, cutoff: int) -> int:
        """Return the first period count at which a cutoff's decisions can be priced."""
        if self.terms is None:
            return cutoff + 1
        return cutoff + 1 + int(self.terms.protection_interval.max())


def performance_records(
    forecasts: Forecasts, panel: Panel, cutoffs: Iterable[int], scoring: Scoring
) -> pd.DataFrame:
    """Return one row per cutoff and location with the sums of SUMS, in that order.

    `cutoff` is the last period the forecast saw; `start` and `end` the first days of the first
    and last period scored. Costs are NaN while the protection interval has not passed; observed
    is 0, and actual, error and inside with it, while actuals are not in.
    """
    demand = estimate_demand(panel)
    locations = locations_of(panel)
    names, codes = np.unique(locations, return_inverse=True)
    parts = []
    for cutoff in cutoffs:
        outcome = series_outcomes(forecasts.predict(panel, cutoff), panel, demand, cutoff, scoring)
        sums = {
            # NaN in one series of a location is NaN of the location: unknown costs stay unknown.
            name: np.bincount(codes, outcome[name].to_numpy(), minlength=len(names))
            for name in SUMS
        }
        start, end = cutoff + 1, cutoff + scoring.period
        head = {
            "cutoff": cutoff,
            "start": panel.timeline.date(start),
            "end": panel.timeline.date(end),
            "location": names.astype(str),
        }
        parts.append(pd.DataFrame(head | sums))
    return pd.concat(parts, ignore_index=True)


def series_outcomes(
    forecast: ForecastArrays,
    panel: Panel,
    demand: Float32Array,
    cutoff: int,
    scoring: Scoring,
) -> pd.DataFrame:
    """Return one row per series, in panel order: unique_id and the columns of SUMS.

    Args:
        forecast: Made at the end of period `cutoff`.
        panel: Holds the actuals, as far as they are known.
        demand: Estimated demand, as estimate_demand returns it.
        cutoff: Last period the forecast saw.
        scoring: How.
    """
    known = min(cutoff + 1 + scoring.period, panel.num_periods)
    target = slice(cutoff + 1, known)
    steps = known - cutoff - 1
    flags = _flags_after(panel, cutoff, scoring.period)
    y = np.zeros(flags.shape)
    y[:, :steps] = panel.y[:, target]
    on_sale = (flags & (Flag.BEFORE_LAUNCH | Flag.CLOSED)) == 0
    seen = (flags & UNOBSERVED) == 0
    ahead = slice(0, scoring.period)
    mean = np.asarray(forecast.mean[:, ahead], np.float64)
    quantiles = forecast.smooth_quantiles[:, ahead]
    # Before actuals are in, what is expected of every series on sale is still worth knowing.
    judged = seen if seen.any() else on_sale
    columns = {
        "on_sale": on_sale.sum(1),
        "observed": seen.sum(1),
        "stocked": (on_sale & stock_known(panel, cutoff + 1, cutoff + 1 + scoring.period)).sum(1),
        "censored": (on_sale & ((flags & Flag.CENSORED) != 0)).sum(1),
        "actual": np.where(seen, y, 0).sum(1),
        "forecast": np.where(judged, mean, 0).sum(1),
        "error": np.where(seen, np.abs(y - mean), 0).sum(1),
        "expected_error": np.where(judged, expected_absolute_error(mean, quantiles, forecast), 0)
        .sum(1),
        "inside": (_inside(y, forecast, panel, scoring) & seen).sum(1),
    }  # fmt: skip
    cost, planned = decided_costs(forecast, demand, cutoff, scoring)
    columns |= {"cost": cost, "planned_cost": planned}
    floats = {name: np.asarray(value, np.float64) for name, value in columns.items()}
    return pd.DataFrame({"unique_id": panel.unique_ids} | floats)


def _flags_after(panel: Panel, cutoff: int, period: int) -> npt.NDArray[np.uint8]:
    """Return (series, period) flags of the periods after a cutoff; missing where not in yet."""
    known = min(cutoff + 1 + period, panel.num_periods)
    flags = np.full((panel.num_series, period), Flag.MISSING, np.uint8)
    flags[:, : known - cutoff - 1] = panel.flags[:, cutoff + 1 : known]
    return flags


def seen_periods(panel: Panel, cutoff: int, period: int) -> BoolArray:
    """Return (series, period) where the sales after a cutoff are demand."""
    found: BoolArray = (_flags_after(panel, cutoff, period) & UNOBSERVED) == 0
    return found


def stock_known(panel: Panel, first: int, stop: int) -> BoolArray:
    """Return (series, period) where it is known whether the shelf was empty.

    By a stock record of the period, where there is a column of them; without any such column
    the sales themselves may say it (is_observed), and then they say it everywhere.
    """
    found = np.zeros((panel.num_series, stop - first), bool)
    columns = [name for name in STOCK_CHANNELS if name in panel.channels]
    for name in columns:
        values = panel.channel_by_series(name)[:, first : min(stop, panel.num_periods)]
        found[:, : values.shape[1]] |= np.isfinite(values)
    known = min(stop, panel.num_periods)
    marked = (np.asarray(panel.flags[:, first:known]) & Flag.CENSORED) != 0
    found[:, : known - first] |= marked
    if not columns and _is_marked(panel):
        found[:, : known - first] = True
    return found


def _is_marked(panel: Panel) -> bool:
    """Return whether any period of any series is marked as limited by stock."""
    return any(
        bool((np.asarray(panel.flags[row : row + _ROWS]) & Flag.CENSORED).any())
        for row in range(0, panel.num_series, _ROWS)
    )


def expected_absolute_error(
    mean: FloatArray, quantiles: npt.NDArray[np.floating], forecast: ForecastArrays  # type: ignore[type-arg]
) -> FloatArray:  # fmt: skip
    """Return E|demand - mean| that a forecast's own quantiles imply, in units.

    Each quantile stands for the stretch of levels nearer to it than to its neighbours. It is
    what the model claims about itself: realised error over it says whether the claim holds,
    whatever the season or the volume.
    """
    levels = np.asarray(forecast.quantile_levels)
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    weights = np.diff(edges)
    spread = np.abs(np.maximum(quantiles, 0) - mean[..., None])
    error: FloatArray = spread @ weights
    return error


def _inside(y: FloatArray, forecast: ForecastArrays, panel: Panel, scoring: Scoring) -> BoolArray:
    """Return (series, period) whether sales lie between the outermost quantiles."""
    draws = np.random.default_rng(scoring.seed).random(y.shape).ravel()
    quantiles = forecast.smooth_quantiles[:, : y.shape[1]]
    nothing = None
    if not scoring.is_count:
        sold = np.asarray(panel.y).min(axis=1, where=panel.y > 0, initial=np.inf)
        nothing = np.repeat(np.where(np.isfinite(sold), sold, 0) / 2, y.shape[1])
    at = covered_by(
        y.ravel(),
        quantiles.reshape(y.size, -1),
        forecast.quantile_levels,
        draws,
        nothing,
    )
    return np.asarray(~at[:, 0] & at[:, -1]).reshape(y.shape)


def decided_costs(
    forecast: SummedForecast, demand: Float32Array, cutoff: int, scoring: Scoring
) -> tuple[FloatArray, FloatArray]:
    """Return cost of ordering up to the level at a cutoff: as it came, and as planned.

    A unit left after the protection interval is held for a review period, a unit short is lost:
    the newsvendor's costs that the level was chosen by. NaN until the interval has passed, 0 where
    nothing was decided because the lead time is beyond the forecast's horizon.
    """
    num = len(demand)
    terms = scoring.terms
    if terms is None:
        return np.full(num, np.nan), np.full(num, np.nan)
    levels = levels_of(
        forecast.mean,
        forecast.smooth_levels,
        forecast.level_quantiles,
        terms,
        is_count=scoring.is_count,
    )
    overage = terms.holding_cost * terms.review_period
    short, excess = expected_shortage_and_excess(
        levels.over_protection, forecast.level_quantiles, levels.order_up_to
    )
    decided = ~np.isnan(levels.order_up_to)
    planned = np.where(decided, terms.stockout_cost * short + overage * excess, 0)
    if scoring.cost_stop(cutoff) > demand.shape[1]:
        return np.full(num, np.nan), planned
    cost = order_costs(levels.order_up_to, demand, cutoff, terms)
    return np.where(decided, cost, 0), planned


def order_costs(stock: FloatArray, demand: Float32Array, cutoff: int, terms: Terms) -> FloatArray:
    """Return (series,) money that ordering up to a stock at a cutoff came to.

    A unit left after the protection interval is held for a review period, a unit short is lost.

    Args:
        stock: (series,) units on hand and under way once the order is placed; NaN stays.
        demand: (series, periods) units, past the protection interval.
        cutoff: Period at whose end it was placed.
        terms: Of the series.
    """
    interval = terms.protection_interval
    ahead = demand[:, cutoff + 1 : cutoff + 1 + int(interval.max())].astype(np.float64)
    total = np.where(np.arange(ahead.shape[1]) < interval[:, None], np.nan_to_num(ahead), 0).sum(1)
    overage = terms.holding_cost * terms.review_period
    lost, left = np.maximum(total - stock, 0), np.maximum(stock - total, 0)
    found: FloatArray = terms.stockout_cost * lost + overage * left
    return found
