"""From records to demand: what each period's sales mean, marked by rule and counted.

Nothing is deleted: y keeps what was recorded, flags say how to read it. Every rule looks back
only, so that cleaning the past never depends on the future, and cleaning twice changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.closures import closed_shares, unusually_closed
from invopt.config import CleaningConfig
from invopt.feeds import (
    DOUBLED,
    REPEATED,
    SILENT,
    broken_feeds,
    feed_record,
    locations_of,
    span_of,
    standing_still,
)
from invopt.panel import SERIES_LEVEL, UNOBSERVED, Channel, Flag, Panel
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

# Series handled at once; keeps the scratch arrays of a two-thousand-day panel under 200 MB.
_BLOCK = 2048
_COUNTED = (
    ("filled", Flag.FILLED),
    ("missing", Flag.MISSING),
    ("before_launch", Flag.BEFORE_LAUNCH),
    ("censored", Flag.CENSORED),
    ("outliers", Flag.OUTLIER),
)
NEVER_SOLD = 26  # recorded periods of no sale at all after which a series is no launch
_GAP_SEASONS = 8  # seasons back that tell whether a day is usually recorded
_USUAL_SALES = 20.0  # units a place usually sells in a period, for their absence to mean something
_LIKE = 1 / 3  # of what a period has above the mean: others that have it are peaks like it
_HIDING = 2  # peaks like it in the year before that a bulk order may have
_SPELLS = 2  # windows of that year with such peaks from which on they are demand
_YEAR = 364  # periods
_CHUNK = 4096  # possible outliers looked at together
_CLOSED = 0.5  # of a period, above the usual, for its sales to be no demand

RULES = {
    "filled": "periods without a record, read as zero sales",
    "missing": "periods whose record is missing or was refused",
    "calendar_gaps": "periods without any record of any series, on days that usually have some",
    "late_file": "periods of a location without any record, on days that usually sell; not zero",
    "closed": "periods in which the calendar closed a location that is usually open, not demand",
    "returns": "periods whose net sales were negative, read as zero",
    "before_launch": "periods before the series was on sale",
    "censored": "periods limited by stock: demand was at least what was sold",
    "outliers": "periods far from their recent past, kept and marked",
    "impossible_stock": "negative stock records, dropped",
    "impossible_prices": "prices of 0 or that jump beyond price_limit, replaced by the last one",
    "price_gaps": "periods on sale without a price, given the last one",
    SILENT: "periods of a location silent for longer than in a year, not read as demand",
    DOUBLED: "periods of a location whose quantities came twice, not read as demand",
    REPEATED: "periods of a location that sent earlier numbers again, not read as demand",
    "stuck_sensor": "values of a sensor that is stuck at one value, dropped",
}


@dataclass(frozen=True)
class Whole:
    """What only all partitions together tell.

    Attributes:
        recorded: (T,) periods that any series, once sold, has a record in.
        locations: Names, in the rows of `faults`.
        faults: (location, T) by rule: feeds that are not believed.
        late: (location, T) periods without any sale at a location that sells in such periods;
            where no record came either, a file has not come.
        closed: (location, T) periods that the calendar closes and that are usually open.
    """

    recorded: BoolArray = field(repr=False)
    locations: tuple[str, ...] = ()
    faults: Mapping[str, BoolArray] = field(default_factory=dict, repr=False)
    late: BoolArray | None = field(default=None, repr=False)
    closed: BoolArray | None = field(default=None, repr=False)


def whole_of(panels: Iterable[Panel], calendar: pd.DataFrame | None = None) -> Whole:
    """Return what cleaning a partition has to know of all of them, read one after the other.

    Args:
        panels: Partitions.
        calendar: Days that locations are closed, as planning reads them.
    """
    panels = list(panels)
    record = feed_record(panels)
    shares = closed_shares(calendar, panels[0].timeline, record.names)
    closed = unusually_closed(shares, record.span, _CLOSED)
    faults = {rule: found & ~closed for rule, found in broken_feeds(record).items()}
    late = unsold_periods(record.sales, record.span) & ~(shares > 0)
    return Whole(recorded_periods(panels), record.names, faults, late, closed)


def clean(
    panel: Panel, config: CleaningConfig, whole: Whole | None = None
) -> tuple[Panel, dict[str, int]]:
    """Return the panel with flags set, and how many periods each rule of RULES touched.

    Args:
        panel: As read. In-stock evidence is taken from the channels in_stock (share or flag, 1 is
            in stock), hours_out_of_stock and on_hand, where they are there.
        config: Rules.
        whole: Of all partitions; the panel is the only one by default.
    """
    whole = whole or whole_of([panel])
    gaps = calendar_gaps(whole.recorded, panel.timeline.season_length)
    counts: Counter[str] = Counter(dict.fromkeys(RULES, 0))
    span = span_of(panel)
    channels = {name: _clean_channel(c, config, span, counts) for name, c in panel.channels.items()}
    panel = replace(panel, channels=channels)
    places = pd.Index(whole.locations).get_indexer(pd.Index(locations_of(panel)))
    y = np.array(panel.y)
    flags = np.array(panel.flags)
    in_stock = _in_stock_evidence(panel, config)
    for rows in _blocks(panel.num_series):
        negative = y[rows] < 0
        counts["returns"] += int(negative.sum())
        y[rows][negative] = 0
        absent = (flags[rows] & (Flag.FILLED | Flag.MISSING)) != 0
        late = _at(whole.late, places[rows], flags.shape[1]) & absent & ~gaps
        lost = gaps & absent
        flags[rows][lost | late] |= np.uint8(Flag.MISSING)
        flags[rows][lost | late] &= np.uint8(~Flag.FILLED & 0xFF)
        counts["calendar_gaps"] += int(lost.sum())
        counts["late_file"] += int(late.sum())
        flags[rows] &= np.uint8(~(Flag.FAULTY | Flag.CLOSED) & 0xFF)
        shut = _at(whole.closed, places[rows], flags.shape[1])
        flags[rows][shut] |= np.uint8(Flag.CLOSED)
        counts["closed"] += int(shut.sum())
        for rule, fault in whole.faults.items():
            if fault.any():
                counts[rule] += _mark_faulty(flags[rows], fault[places[rows]], y[rows])
        flags[rows] = _flag(y[rows], flags[rows], in_stock, rows, config)
        for rule, flag in _COUNTED:
            counts[rule] += int(((flags[rows] & flag) != 0).sum())
    return replace(panel, y=y, flags=flags), dict(counts)


def recorded_periods(panels: Iterable[Panel]) -> BoolArray:
    """Return (T,) whether any series of any partition, once sold, has a record in a period."""
    found: BoolArray | None = None
    absent = Flag.MISSING | Flag.FILLED | Flag.BEFORE_LAUNCH
    for panel in panels:
        own = np.zeros(panel.num_periods, bool)
        for rows in _blocks(panel.num_series):
            if own.all():
                break
            # Zeros before the first sale tell nothing, cleaned or not.
            started = np.logical_or.accumulate(np.asarray(panel.y[rows]) > 0, axis=1)
            own |= (started & ((np.asarray(panel.flags[rows]) & absent) == 0)).any(axis=0)
        found = own if found is None else found | own
    assert found is not None
    return found


def calendar_gaps(recorded: BoolArray, season: int) -> BoolArray:
    """Return (T,) periods that nobody recorded although most of those a season apart were.

    A shop that is always closed on Sundays has no gap there; a day that an extract lost is one,
    and reads as missing rather than as zero sales.
    """
    first = int(recorded.argmax()) if recorded.any() else len(recorded)
    gaps = np.zeros(len(recorded), bool)
    for t in np.flatnonzero(~recorded[first:]) + first:
        before = recorded[max(first, t - _GAP_SEASONS * season) : t][::-1][season - 1 :: season]
        gaps[t] = len(before) > 0 and before.mean() > 0.5
    return gaps


def unsold_periods(sales: FloatArray, season: int) -> BoolArray:
    """Return (location, T) periods without a sale of a location that sells 20 units in such ones.

    Judged by the median of the same place in the eight seasons before, at least four of them:
    chance makes no such zero (e to the minus 20), and a place that has closed for good is at zero
    by itself after a month.

    Args:
        sales: (location, T) units.
        season: Periods after which a weekday comes again; 1 where a period is longer than a day.
    """
    found: BoolArray = sales == 0
    for row in np.flatnonzero(found.any(axis=1)):
        own = pd.Series(sales[row])
        same = pd.concat([own.shift(season * (k + 1)) for k in range(_GAP_SEASONS)], axis=1)
        usual = same.median(axis=1).to_numpy(np.float64)
        found[row] &= (same.notna().sum(axis=1).to_numpy() >= 4) & (usual >= _USUAL_SALES)
    return found


def _at(by_place: BoolArray | None, places: IntArray, num_periods: int) -> BoolArray:
    """Return (series, T) of what holds by location; nothing where it is not known."""
    if by_place is None:
        return np.zeros((len(places), num_periods), bool)
    return by_place[places]


def estimate_demand(panel: Panel, *, window: int = 28) -> Float32Array:
    """Return demand with an estimate where sales were censored, missing or not believed, in units.

    A censored period gets the larger of its sales and the mean of the observed periods around
    it (window periods to either side), scaled by its place in the season; NaN before launch.
    For replays of the past and for the lost-sales report; it looks both ways and is no feature.
    """
    demand = np.empty(panel.y.shape, np.float32)
    season = panel.timeline.season_length if panel.timeline.freq == "D" else 1
    for rows in _blocks(panel.num_series):
        y = np.asarray(panel.y[rows], np.float32)
        flags = np.asarray(panel.flags[rows])
        observed = (flags & UNOBSERVED) == 0
        level = _centred_mean(y, observed, window)
        profile = _seasonal_profile(y, observed, level, season)
        expected = level * np.take(profile, np.arange(y.shape[1]) % season, axis=1)
        # Sales without stock are the least that was asked for; a broken feed's say nothing.
        least = np.where((flags & Flag.FAULTY) != 0, 0, y)
        estimate = np.where(observed, y, np.maximum(least, np.nan_to_num(expected)))
        estimate[(flags & Flag.BEFORE_LAUNCH) != 0] = np.nan
        demand[rows] = estimate
    return demand


def _blocks(num_series: int) -> Iterator[slice]:
    for first in range(0, num_series, _BLOCK):
        yield slice(first, min(first + _BLOCK, num_series))


def _flag(
    y: npt.NDArray[np.number],  # type: ignore[type-arg]
    flags: npt.NDArray[np.uint8],
    in_stock: BoolArray | None,
    rows: slice,
    config: CleaningConfig,
) -> npt.NDArray[np.uint8]:
    ours = Flag.BEFORE_LAUNCH | Flag.OUTLIER
    flags = flags & np.uint8(~ours & 0xFF)
    present = (flags & (Flag.MISSING | Flag.FILLED)) == 0
    sold: BoolArray = np.asarray(y > 0)
    started: BoolArray = np.array(sold if config.launch == "first_sale" else present)
    # Zeros recorded for so long are no launch to come: it is on sale, and nobody wants it.
    never: BoolArray = np.asarray(~sold.any(axis=1))
    started[never & (present.sum(axis=1) >= NEVER_SOLD)] = True
    before: BoolArray = np.asarray(~np.logical_or.accumulate(started, axis=1))
    flags[before] |= np.uint8(Flag.BEFORE_LAUNCH)
    # A filled zero in a series that is not on sale yet is no zero demand.
    flags[before & ~never.reshape(-1, 1)] &= np.uint8(~Flag.FILLED & 0xFF)
    if in_stock is not None:
        out = ~in_stock[rows] & ~before
        flags[out] |= np.uint8(Flag.CENSORED)
    flags[_outliers(y, (flags & UNOBSERVED) == 0, config)] |= np.uint8(Flag.OUTLIER)
    return flags


def _mark_faulty(
    flags: npt.NDArray[np.uint8],
    fault: BoolArray,
    y: npt.NDArray[np.number],  # type: ignore[type-arg]
) -> int:
    """Flag the series of broken feeds, in place, from their first sale on; return how many."""
    told = fault & np.logical_or.accumulate(y > 0, axis=1)
    flags[told] |= np.uint8(Flag.FAULTY)
    return int(told.sum())


def _outliers(
    y: npt.NDArray[np.number],  # type: ignore[type-arg]
    observed: BoolArray,
    config: CleaningConfig,
) -> BoolArray:
    """Mark periods far above the mean of the window before them, in Poisson-like deviations.

    The deviation allows for the counting noise of the mean itself (variance + mean + 1), so
    that a first sale of three after zeros is no outlier. One or two peaks like it in the window
    do not hide a period: they are left out of mean and variance. Peaks that come back, in two other
    windows of the 364 periods before or three times in all, are demand.
    """
    window = config.outlier_window
    value = np.where(observed, y, 0).astype(np.float64)
    number = _trailing_sum(observed.astype(np.float64), window)
    enough = (number >= window / 2) & observed
    number = np.maximum(number, 1)
    total = _trailing_sum(value, window)
    mean = total / number
    variance = np.maximum(_trailing_sum(value**2, window) / number - mean**2, 0)
    result: BoolArray = _far(value, mean, variance, config) & enough
    # Looked at is what is far above the least that the mean can be without two peaks.
    rows, at = np.nonzero((value > config.outlier_deviations) & enough)
    highest = _trailing_max(value.astype(np.float32), window)[rows, at]
    least = np.maximum(total[rows, at] - _HIDING * highest, 0) / number[rows, at]
    possible = _far(value[rows, at], least, 0.0, config)
    rows, at = rows[possible], at[possible]
    for part in range(0, len(rows), _CHUNK):
        row, period = rows[part : part + _CHUNK], at[part : part + _CHUNK]
        peak = value[row, period] * _LIKE + mean[row, period] * (1 - _LIKE)
        result[row, period] = _is_outlier(value, observed, row, period, peak, config)
    return result


def _far(
    value: FloatArray, mean: FloatArray, variance: FloatArray | float, config: CleaningConfig
) -> BoolArray:
    """Return where a value is far above a mean, by the configured number of deviations."""
    return np.asarray(value - mean > config.outlier_deviations * np.sqrt(variance + mean + 1))


def _is_outlier(
    value: FloatArray,
    observed: BoolArray,
    row: IntArray,
    period: IntArray,
    least: FloatArray,
    config: CleaningConfig,
) -> BoolArray:
    """Return (periods,) whether each is an outlier, the few peaks like it before it left out.

    Args:
        value: (series, T) units.
        observed: (series, T) periods that say what demand is.
        row: (periods,) series of each.
        period: (periods,) place of each.
        least: (periods,) units from which on another period is a peak like it.
        config: Window and deviations.
    """
    window = config.outlier_window
    ago = np.arange(1, max(_YEAR, window) + 1)
    places = row[:, None], np.maximum(period[:, None] - ago, 0)
    seen = observed[places] & (period[:, None] >= ago)
    before, own = np.where(seen, value[places], 0), value[row, period]
    peak = seen & (before >= least[:, None])
    starts = np.arange(0, len(ago), window)
    spells = np.add.reduceat(peak, starts, axis=1, dtype=np.int64) > 0
    comes_back = (spells.sum(axis=1) >= _SPELLS) | (peak.sum(axis=1) > _HIDING)
    near = seen[:, :window] & ~peak[:, :window]
    number = np.maximum(near.sum(axis=1), 1)
    rest = np.where(near, before[:, :window], 0)
    mean = rest.sum(axis=1) / number
    variance = np.maximum((rest**2).sum(axis=1) / number - mean**2, 0)
    return np.asarray(_far(own, mean, variance, config) & ~comes_back)


def _trailing_sum(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of the window periods before each one, itself excluded."""
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    first = np.maximum(np.arange(values.shape[1]) - window, 0)
    result: FloatArray = total[:, :-1] - total[:, first]
    return result


def _trailing_max(values: Float32Array, window: int) -> Float32Array:
    """Return the largest of the window periods before each one, itself excluded; 0 for none."""
    found = np.zeros_like(values)
    found[:, 1:] = values[:, :-1]
    reach = 1
    while reach < window:
        step = min(reach, window - reach)
        found[:, step:] = np.maximum(found[:, step:], found[:, :-step])
        reach += step
    return found


def _centred_mean(y: Float32Array, observed: BoolArray, window: int) -> Float32Array:
    periods = y.shape[1]
    first = np.maximum(np.arange(periods) - window, 0)
    stop = np.minimum(np.arange(periods) + window + 1, periods)
    sums = []
    for values in (np.where(observed, y, 0), observed):
        total = np.zeros((y.shape[0], periods + 1))
        np.cumsum(values, axis=1, out=total[:, 1:])
        sums.append(total[:, stop] - total[:, first])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[0] / sums[1]
    overall = sums[0][:, -1:] * 0 + np.where(observed, y, 0).sum(1, keepdims=True) / np.maximum(
        observed.sum(1, keepdims=True), 1
    )
    return np.where(np.isfinite(mean), mean, overall).astype(np.float32)


def _seasonal_profile(
    y: Float32Array,
    observed: BoolArray,
    level: Float32Array,
    season: int,
) -> Float32Array:
    """Return each season position's demand over the level, shrunk to 1 by ten units of level."""
    profile = np.ones((y.shape[0], season), np.float32)
    for position in range(season):
        at = slice(position, None, season)
        sold = np.where(observed[:, at], y[:, at], 0).sum(1)
        expected = np.where(observed[:, at], level[:, at], 0).sum(1)
        profile[:, position] = (sold + 10) / (expected + 10)
    return profile


def _in_stock_evidence(panel: Panel, config: CleaningConfig) -> BoolArray | None:
    """Return a (series, period) mask of full availability; None without any stock record."""
    found: BoolArray | None = None
    for name, full in (
        ("in_stock", lambda v: v >= 1),
        ("hours_out_of_stock", lambda v: v <= 0),
        ("on_hand", lambda v: v > config.censor_below_stock),
    ):
        if name in panel.channels:
            values = panel.channel_by_series(name)[:, : panel.num_periods]
            available = np.isnan(values) | full(values)  # type: ignore[no-untyped-call]
            found = available if found is None else found & available
    return found


def _clean_channel(
    channel: Channel, config: CleaningConfig, span: int, counts: Counter[str]
) -> Channel:
    if channel.domain == "stock" and channel.name in ("on_hand", "on_order", "lead_time"):
        values = np.array(channel.values)
        bad = values < 0
        counts["impossible_stock"] += int(bad.sum())
        values[bad] = np.nan
        return replace(channel, values=values)
    if channel.name == "price" and channel.level == SERIES_LEVEL:
        values = np.array(channel.values)
        for rows in _blocks(len(values)):
            values[rows] = _clean_prices(values[rows], config, counts)
        return replace(channel, values=values)
    if not channel.known and channel.level != SERIES_LEVEL:
        return _without_stuck(channel, span, counts)
    return channel


def _without_stuck(channel: Channel, span: int, counts: Counter[str]) -> Channel:
    """Drop what a sensor sends after a week without a move: that week is how it was noticed."""
    still = standing_still(np.asarray(channel.values, np.float64), span)
    stuck = still[:, 1:] & still[:, :-1]
    if not stuck.any():
        return channel
    values = np.array(channel.values)
    stuck &= np.isfinite(values[:, 1:])
    counts["stuck_sensor"] += int(stuck.sum())
    values[:, 1:][stuck] = np.nan
    return replace(channel, values=values)


def _clean_prices(
    prices: Float32Array, config: CleaningConfig, counts: Counter[str]
) -> Float32Array:
    """Return prices without impossible ones, gaps after the first price filled forward.

    A price that jumps beyond price_limit from the last accepted one is refused.
    """
    given = ~np.isnan(prices)
    refused = prices <= 0
    accepted = np.where(refused, np.nan, prices)
    for row in np.flatnonzero(_has_jump(accepted, config.price_limit)):
        refused[row] |= _refused_jumps(accepted[row], config.price_limit)
    counts["impossible_prices"] += int(refused.sum())
    filled = _forward(np.where(refused, np.nan, prices)).astype(np.float32)
    counts["price_gaps"] += int((~given & ~np.isnan(filled)).sum())
    return filled


def _has_jump(prices: Float32Array, limit: float) -> BoolArray:
    with np.errstate(all="ignore"):  # rows without any price
        spread = np.fmax.reduce(prices, axis=1) / np.fmin.reduce(prices, axis=1)
    return np.asarray(spread > limit)


def _refused_jumps(prices: Float32Array, limit: float) -> BoolArray:
    refused = np.zeros(len(prices), bool)
    last = np.nan
    for t in np.flatnonzero(~np.isnan(prices)):
        ratio = prices[t] / last
        if ratio > limit or ratio < 1 / limit:
            refused[t] = True
        else:
            last = prices[t]
    return refused


def _forward(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:  # type: ignore[type-arg]
    periods = np.arange(values.shape[1], dtype=np.int32)
    last = np.where(np.isnan(values), np.int32(-1), periods)
    np.maximum.accumulate(last, axis=1, out=last)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    filled[last < 0] = np.nan
    return filled
