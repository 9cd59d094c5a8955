"""Changes of what forecasts and decisions are worth: the latest periods against their history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from invopt.config import MonitoringConfig
from invopt.monitoring.performance import SUMS
from invopt.monitoring.shift import Shift, ShiftRules, recent_shift
from invopt.monitoring.signals import (
    DEMAND_SHIFT,
    DRIFT,
    PERFORMANCE,
    SUPPLY,
    Signal,
    control_false_discoveries,
)
from invopt.types import BoolArray, FloatArray

_MIN_ODDS = 1.5  # change of the odds of being out of stock that is worth telling
_SISTERS, _MANY = 4, 50  # locations that tell what all do; of many, one more does not matter
_MIN_COVERAGE = 0.03  # loss of coverage that is worth telling


@dataclass(frozen=True)
class _Statistic:
    """One number per period, and which of its changes are bad.

    Attributes:
        name: Of the signal.
        kind: Of the signal.
        of: Records, summed over locations, to values by period.
        text: Sentence for a shift; {0} the value, {1} what was expected, as shown.
        shown: Value as a reader wants it.
        bad: 1 when only more is bad, -1 when only less is, 0 when both are.
    """

    name: str
    kind: str
    of: Callable[[pd.DataFrame], FloatArray]
    text: str
    shown: Callable[[float], str]
    bad: int


def _log_ratio(over: str, under: str) -> Callable[[pd.DataFrame], FloatArray]:
    def of(records: pd.DataFrame) -> FloatArray:
        top, bottom = records[over].to_numpy(np.float64), records[under].to_numpy(np.float64)
        usable = (records["observed"].to_numpy() > 0) & (top > 0) & (bottom > 0)
        ratio = np.divide(top, bottom, out=np.full(len(top), np.nan), where=usable)
        return np.log(ratio)

    return of


def _coverage(records: pd.DataFrame) -> FloatArray:
    seen = records["observed"].to_numpy(np.float64)
    return np.divide(
        records["inside"].to_numpy(np.float64), seen, out=np.full(len(seen), np.nan), where=seen > 0
    )


def _stockout_odds(records: pd.DataFrame) -> FloatArray:
    out, known = records["censored"].to_numpy(np.float64), records["stocked"].to_numpy(np.float64)
    odds: FloatArray = np.log((out + 0.5) / (np.maximum(known - out, 0) + 0.5))
    return np.where(_came(records), odds, np.nan)


def _came(records: pd.DataFrame) -> BoolArray:
    """Return in which periods anything is known of the shelf.

    Some record of sales has come, and some of stock: a shelf nobody counts is not full.
    """
    seen = records["observed"].to_numpy() + records["censored"].to_numpy()
    known: BoolArray = (seen > 0) & (records["stocked"].to_numpy() > 0)
    return known


def _percent(value: float) -> str:
    return f"{np.expm1(value):+.1%}"


def _times(value: float) -> str:
    return f"{np.exp(value):.2f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _odds_share(value: float) -> str:
    return f"{1 / (1 + np.exp(-value)):.1%}"


_PICTURES: dict[str, tuple[str, Callable[[float], float]]] = {
    DEMAND_SHIFT: ("demand", np.expm1),
    "error": ("wape", np.exp),
    "coverage": ("coverage", float),
    "cost": ("cost_ratio", np.exp),
    "stockouts": ("stockouts", lambda odds: 1 / (1 + np.exp(-odds))),
}  # column of the trend, and the signal's scale into it
STATISTICS = (
    _Statistic(
        DEMAND_SHIFT,
        PERFORMANCE,
        _log_ratio("actual", "forecast"),
        text="demand is {0} compared with the forecast (normally {1})",
        shown=_percent,
        bad=0,
    ),
    _Statistic(
        "error",
        PERFORMANCE,
        _log_ratio("error", "expected_error"),
        text="forecast error is {0} times the error that the intervals imply (normally {1})",
        shown=_times,
        bad=1,
    ),
    _Statistic(
        "coverage",
        PERFORMANCE,
        _coverage,
        text="{0} of outcomes are inside the interval (normally {1})",
        shown=_share,
        bad=-1,
    ),
    _Statistic(
        "cost",
        PERFORMANCE,
        _log_ratio("cost", "planned_cost"),
        text="actual cost is {0} times the planned cost (normally {1})",
        shown=_times,
        bad=1,
    ),
    _Statistic(
        "stockouts",
        SUPPLY,
        _stockout_odds,
        text="{0} of product-store periods were out of stock (normally {1})",
        shown=_odds_share,
        bad=1,
    ),
)


def performance_signals(
    records: pd.DataFrame, config: MonitoringConfig, *, yearly: bool = True
) -> list[Signal]:
    """Return the signals of the latest period of some records, whole and by location.

    Args:
        records: As performance_records returns them, any order; the latest cutoff is judged.
        config: Limits.
        yearly: False where a year before says nothing of this period: a holiday has moved.
    """
    whole = totals(records).tail(config.history + 1)
    signals = [s for s in (_signal(whole, each, config, yearly=yearly) for each in STATISTICS) if s]
    local = _local_signals(records, config, yearly=yearly)
    # Three families: whether demand left the forecasts, what else changed, and where. The first
    # is the question monitoring is for; it does not pay for the curiosity of the others.
    usual = config.false_discovery_rate
    families = ((signals[:1], config.demand_rate), (signals[1:], usual), (local, usual))
    return [
        signal for family, rate in families for signal in control_false_discoveries(family, rate)
    ]


def _local_signals(
    records: pd.DataFrame, config: MonitoringConfig, *, yearly: bool
) -> list[Signal]:
    """Return where demand left the forecasts: what a location does and its sisters do not.

    The median of the others is taken into account as far as the location ever went with them;
    one of them that shifts does not move it, and what all do is the company's finding. Fewer than
    four others say too little.
    """
    parts = {
        str(name): totals(part).tail(config.history + 1).set_index("cutoff")
        for name, part in records.groupby("location")
    }
    if len(parts) < 2:
        return []
    values = pd.DataFrame(
        {name: pd.Series(STATISTICS[0].of(p), index=p.index) for name, p in parts.items()}
    )
    found = []
    for name, part in parts.items():
        others = values.drop(columns=name) if len(parts) <= _MANY else values
        others = others.reindex(part.index)
        beside = others.median(axis=1).to_numpy() if others.shape[1] >= _SISTERS else None
        rows = part.reset_index()
        signal = _signal(rows, STATISTICS[0], config, yearly=yearly, beside=beside)
        if signal is not None:
            text = f"at {name}, {signal.text}"
            found.append(_renamed(signal, f"{DEMAND_SHIFT} at {name}", text))
    return found


def limits_of(signal: Signal) -> tuple[str, str]:
    """Return the lowest and the highest value that would be quiet, as shown; "" for no limit."""
    statistic = _statistic(signal)
    if statistic is None or not np.isfinite(signal.limit):
        return "", ""
    low, high = signal.expected - signal.limit, signal.expected + signal.limit
    shown = statistic.shown
    return "" if statistic.bad > 0 else shown(low), "" if statistic.bad < 0 else shown(high)


def bands(signals: Sequence[Signal], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return by column of the trend between which values the latest period would be quiet.

    NaN is an end that is open.

    Error is a share of sales in the trend, and a ratio to what intervals imply in the signal: the
    band is that of the latest period's own intervals.

    Args:
        signals: Of the period.
        rows: As trend returns them, the latest last.
    """
    found: dict[str, list[float]] = {}
    for signal in signals:
        statistic = _statistic(signal)
        if statistic is None or " at " in signal.name:
            continue
        low, high = signal.expected - signal.limit, signal.expected + signal.limit
        column, scale = _PICTURES[statistic.name]
        ends = [float(scale(low)), float(scale(high))]
        if statistic.name == "error":
            latest = rows[-1]
            ends = [e * latest["wape"] / latest["error_ratio"] for e in ends]
        if statistic.bad:  # one of the two ends is open
            ends[0 if statistic.bad > 0 else 1] = float("nan")
        found[column] = ends
    return found


def _statistic(signal: Signal) -> _Statistic | None:
    """Return the statistic a signal is the shift of; None where it is none."""
    name = signal.name.partition(" at ")[0]
    return next((s for s in STATISTICS if s.name == name), None)


def totals(records: pd.DataFrame) -> pd.DataFrame:
    """Return records summed over locations, by cutoff ascending."""
    keys = ["cutoff", "start", "end"]
    return records.groupby(keys, sort=True)[list(SUMS)].sum(min_count=1).reset_index()


def trend(records: pd.DataFrame, num: int) -> list[dict[str, Any]]:
    """Return the last periods as rows a person reads; numbers that are not known are NaN."""
    rows = totals(records).tail(num)
    values = {s.name: s.of(rows) for s in STATISTICS}
    actual, error = rows["actual"].to_numpy(), rows["error"].to_numpy()
    wape = np.divide(error, actual, out=np.full(len(rows), np.nan), where=actual > 0)
    empty = rows["censored"].to_numpy() / np.maximum(rows["stocked"].to_numpy(), 1)
    empty = np.where(_came(rows), empty, np.nan)
    return [
        {
            "start": f"{start:%Y-%m-%d}",
            "end": f"{end:%Y-%m-%d}",
            "wape": float(wape[i]),
            "bias": float(np.expm1(-values[DEMAND_SHIFT][i])),
            "demand": float(np.expm1(values[DEMAND_SHIFT][i])),
            "error_ratio": float(np.exp(values["error"][i])),
            "coverage": float(values["coverage"][i]),
            "cost_ratio": float(np.exp(values["cost"][i])),
            "stockouts": float(empty[i]),
        }
        for i, (start, end) in enumerate(zip(rows["start"], rows["end"], strict=True))
    ]


def estimated_error(records: pd.DataFrame, config: MonitoringConfig) -> Signal | None:
    """Return what the error of a period without actuals is likely to be, labelled as an estimate.

    The forecast's own intervals say what error to expect; history says by how much it is usually
    off; locations count by what is expected of them now, which follows a shift of the mix. It
    cannot see a change of demand itself: that needs actuals.

    Returns:
        None where actuals are in, or history is too short.
    """
    latest = records[records["cutoff"] == records["cutoff"].max()]
    if float(latest["observed"].sum()) > 0 or float(latest["forecast"].sum()) <= 0:
        return None
    past = records[records["observed"] > 0]
    if past["cutoff"].nunique() < config.min_history:
        return None
    sums = past.groupby("location")[["error", "expected_error", "forecast"]].sum()
    whole = sums.sum()
    ratio = (sums["error"] / sums["expected_error"].where(sums["expected_error"] > 0)).fillna(
        whole["error"] / max(whole["expected_error"], 1e-9)
    )
    expected = latest.set_index("location")["expected_error"]
    likely = float((expected * ratio.reindex(expected.index).fillna(1.0)).sum())
    value = likely / float(latest["forecast"].sum())
    usual = float(whole["error"] / max(whole["forecast"], 1e-9))
    fires = value > usual * (1 + 2 * config.min_shift)
    text = f"estimated from intervals, error will be {value:.1%} of sales, usually {usual:.1%}"
    return Signal(
        name="expected error", kind=PERFORMANCE, value=value, expected=usual,
        limit=usual * 2 * config.min_shift, p_value=float("nan"), fires=fires, text=text,
        estimated=True,
    )  # fmt: skip


def _signal(
    rows: pd.DataFrame,
    statistic: _Statistic,
    config: MonitoringConfig,
    *,
    yearly: bool = True,
    beside: FloatArray | None = None,
) -> Signal | None:
    values = statistic.of(rows)
    if statistic.name == "cost":
        known = np.flatnonzero(np.isfinite(values))
        values = values[: known[-1] + 1] if len(known) else values
    year = _year(rows) if yearly else len(rows)
    rules = ShiftRules(year, config.min_history, config.num_bootstrap, config.seed)
    shift = recent_shift(values, rules, beside)
    if shift is None:
        return None
    distance = shift.value - shift.expected
    floor = _floor(statistic.name, config)
    wrong_way = statistic.bad != 0 and distance * statistic.bad < 0
    text = statistic.text.format(statistic.shown(shift.value), statistic.shown(shift.expected))
    if shift.periods > 1:
        text += f" (over {shift.periods} periods)"
    return Signal(
        name=statistic.name, kind=statistic.kind, value=shift.value, expected=shift.expected,
        limit=max(floor, shift.limit), p_value=shift.p_value,
        fires=bool(abs(distance) >= floor and not wrong_way), text=text,
        pages=_pages(statistic, shift, config), since=_first_day(rows, len(values) - shift.periods),
    )  # fmt: skip


def _first_day(rows: pd.DataFrame, at: int) -> str:
    return f"{pd.Timestamp(rows['start'].iloc[at]):%Y-%m-%d}"


def _year(rows: pd.DataFrame) -> int:
    """Return how many periods make a year, by the days between two starts."""
    days = rows["start"].diff().dt.days.median()
    return max(2, round(365.25 / days)) if np.isfinite(days) and days > 0 else 2


def _pages(statistic: _Statistic, shift: Shift, config: MonitoringConfig) -> bool:
    return statistic.name == "cost" and shift.value - shift.expected >= np.log(
        config.page_cost_ratio
    )


def _floor(name: str, config: MonitoringConfig) -> float:
    if name == "coverage":
        return _MIN_COVERAGE
    if name == "stockouts":
        return float(np.log(_MIN_ODDS))
    return float(np.log1p(config.min_shift))


def _renamed(signal: Signal, name: str, text: str) -> Signal:
    """Return a location's signal: it says where, and does not decide."""
    return Signal(
        name=name,
        kind=DRIFT,
        value=signal.value,
        expected=signal.expected,
        limit=signal.limit,
        p_value=signal.p_value,
        fires=signal.fires,
        text=text,
        since=signal.since,
    )
