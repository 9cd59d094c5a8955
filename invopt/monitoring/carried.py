"""What part of the range carries a shift of demand, and whether its prices moved with it.

"Demand is a tenth above the forecast" sends somebody looking everywhere. Where one category or one
product makes up most of the difference, the sentence says so; prices that moved the other way in
the same period are said too, because they are why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from invopt.contracts import NOBODY, PRODUCT_NUMBERS, TERM_TEXTS
from invopt.feeds import locations_of
from invopt.monitoring.signals import DEMAND_SHIFT, Signal
from invopt.panel import Panel
from invopt.types import BoolArray, FloatArray

_MOST = 2 / 3  # of a difference: what makes up so much carries it
_OVER_SHARE = 2.0  # times its share of the forecast that it has to carry
_HALF = 0.5  # of the forecast: what is more is no part, and a price of less is no reason
_DEVIATIONS = 4.0  # of chance, for the largest of many groups
_TIMES = 5.0  # times its forecast from which on a part's unit is asked about
_PRICE = 0.05  # change that is told
_BEFORE = 8  # monitoring periods that a price is compared with
_NO_GROUPS = {"unique_id", "location", *PRODUCT_NUMBERS, *TERM_TEXTS}


@dataclass(frozen=True)
class _Part:
    """A group of series that carries a difference: what it is called, and which series."""

    text: str
    rows: BoolArray


def narrowed(
    signals: Sequence[Signal], panel: Panel, outcomes: pd.DataFrame, period: int
) -> list[Signal]:
    """Return the signals, shifts of demand with the part of the range that carries them.

    Args:
        signals: As folded returns them; those that follow from another are left as they are.
        panel: Series judged.
        outcomes: Of the last period, in the order of the panel.
        period: Periods of a monitoring period.
    """
    places = locations_of(panel).astype(str)
    found = []
    for signal in signals:
        name, _, place = signal.name.partition(" at ")
        if name != DEMAND_SHIFT or not signal.fires or signal.part_of:
            found.append(signal)
            continue
        there = places == place if place else np.ones(len(places), bool)
        there &= outcomes["observed"].to_numpy() > 0
        part = _part(signal, panel, outcomes, there)
        rows = there if part is None else part.rows
        price = _price(signal, panel, outcomes, rows, period)
        said = [text for text in (part.text if part else "", price) if text]
        found.append(replace(signal, text="; ".join([signal.text, *said])))
    return found


def _part(signal: Signal, panel: Panel, outcomes: pd.DataFrame, there: BoolArray) -> _Part | None:
    """Return the smallest part that makes up most of the difference; None where none does."""
    sums = _sums(signal, outcomes)
    whole = sums[there].sum()
    if not whole["forecast"] > 0 or not whole["off"] * signal.direction > 0:
        return None
    for column in _columns(panel):
        names = panel.series[column].astype(str).to_numpy()
        known = there & ~np.isin(names, NOBODY)
        groups = sums[known].groupby(names[known]).sum()
        if len(groups) < 2:
            continue
        at = int(np.argmax(groups["off"].to_numpy() * signal.direction))
        name, row = str(groups.index[at]), groups.iloc[at]
        share, of_forecast = row["off"] / whole["off"], row["forecast"] / whole["forecast"]
        certain = abs(row["off"]) > _DEVIATIONS * np.sqrt(row["variance"])
        if certain and share >= max(_MOST, _OVER_SHARE * of_forecast) and of_forecast <= _HALF:
            return _Part(_told(column, name, row, float(share)), known & (names == name))
    return None


def _told(column: str, name: str, row: pd.Series, share: float) -> str:
    """Return what part it is, by how much it is off and what it makes up.

    Where no demand goes so far a question comes with it.
    """
    times = float(row["actual"] / row["forecast"]) if row["forecast"] > 0 else np.inf
    amount = f"{share:.0%} of the difference" if share < 1 else "the whole difference"
    if times >= _TIMES or times <= 1 / _TIMES:
        how = f"{times:.3g} times its forecast: a bulk order, or another unit of measure?"
    else:
        how = f"{times - 1:+.0%}"
    return f"{column.replace('_', ' ')} {name} ({how}) makes up {amount}"


def _sums(signal: Signal, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return each series' sales, forecast, their distance beyond the usual and its variance."""
    actual, forecast = outcomes["actual"], outcomes["forecast"]
    observed = outcomes["observed"].clip(lower=1)
    return pd.DataFrame(
        {
            "actual": actual,
            "forecast": forecast,
            "off": actual - np.exp(signal.expected) * forecast,
            # Errors of normal periods: E|error| is deviation * sqrt(2 / pi).
            "variance": np.pi / 2 * outcomes["expected_error"] ** 2 / observed,
        }
    ).reset_index(drop=True)


def _columns(panel: Panel) -> list[str]:
    """Return the texts that series are grouped by, the finest first."""
    texts = [
        str(name) for name in panel.series.columns
        if name not in _NO_GROUPS and not pd.api.types.is_numeric_dtype(panel.series[name])
    ]  # fmt: skip
    sizes = {name: panel.series[name].nunique() for name in texts}
    return sorted(texts, key=lambda name: (-sizes[name], name))


def _price(
    signal: Signal, panel: Panel, outcomes: pd.DataFrame, rows: BoolArray, period: int
) -> str:
    """Return by how much prices of most of the forecast moved against demand, "" where not."""
    first = panel.num_periods - (1 + _BEFORE) * period
    if "price" not in panel.channels or first < 0 or not rows.any():
        return ""
    values = panel.channel_by_series("price")[rows, first : panel.num_periods].astype(np.float64)
    values = np.where(values > 0, values, np.nan)
    known = np.isfinite(values[:, -period:]).any(axis=1) & np.isfinite(values[:, :-period]).any(1)
    weight = outcomes["forecast"].to_numpy(np.float64)[rows] * known
    if not weight.sum() > 0:
        return ""
    now, before = (np.nanmean(v[known], axis=1) for v in (values[:, -period:], values[:, :-period]))
    change: FloatArray = np.zeros(len(weight))
    change[known] = np.log(now / before)
    moved = np.abs(change) >= np.log1p(_PRICE) / 2
    mean = float(np.expm1(np.average(change, weights=weight)))
    share = float(weight[moved].sum() / weight.sum())
    if abs(mean) < _PRICE or share <= _HALF or mean * signal.direction > 0:
        return ""
    return f"prices moved by {mean:+.0%} ({share:.0%} of what was forecast)"
