"""Terms of a product that cannot be: emptied, with the sentence that leaves it out of orders."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from invopt.contracts import NOBODY
from invopt.types import BoolArray, FloatArray

_Rule = tuple[str, Callable[[FloatArray], Any]]
_POSITIVE: _Rule = ("above 0", lambda v: v > 0)
_NOT_NEGATIVE: _Rule = ("0 or more", lambda v: v >= 0)
_SHARE: _Rule = ("a share between 0 and 1, such as 0.98", lambda v: (v > 0) & (v < 1))
_WHOLE: _Rule = ("whole periods, 0 or more", lambda v: (v >= 0) & (v == np.rint(v)))
_SPELL: _Rule = ("whole periods, 1 or more", lambda v: (v >= 1) & (v == np.rint(v)))
RULES: dict[str, _Rule] = {
    "list_price": _NOT_NEGATIVE,
    "unit_cost": _POSITIVE,
    "shelf_life": ("above 0 periods", lambda v: v > 0),
    "pack_size": _POSITIVE,
    "min_order": _NOT_NEGATIVE,
    "lead_time": _WHOLE,
    "review_period": _SPELL,
    "max_order": _NOT_NEGATIVE,
    "max_stock": _NOT_NEGATIVE,
    "holding_cost": _POSITIVE,
    "stockout_cost": _POSITIVE,
    "order_cost": _NOT_NEGATIVE,
    "service_level": _SHARE,
    "fill_rate": _SHARE,
}

_Both = Callable[[FloatArray, FloatArray], Any]
CONTRADICTIONS: tuple[tuple[tuple[str, str], _Both, str], ...] = (
    (
        ("service_level", "fill_rate"),
        lambda a, b: ~np.isnan(a) & ~np.isnan(b),
        "service_level and fill_rate are both given, and only one can be met",
    ),
    (("min_order", "max_order"), lambda a, b: a > b, "min_order is above max_order"),
    (
        ("pack_size", "max_order"),
        lambda a, b: (a > b) & (b > 0),
        "one pack is above max_order",
    ),
    (
        ("min_order", "max_stock"),
        lambda a, b: (a > b) & (b > 0),
        "min_order is above max_stock: no order could be placed",
    ),
    (
        ("pack_size", "max_stock"),
        lambda a, b: (a > b) & (b > 0),
        "one pack is above max_stock: no order could be placed",
    ),
)
_NO_MULTIPLE = (
    "no whole number of packs is min_order or more and within max_order and max_stock: no order "
    "could be placed"
)
_TINY = 1e-9


def with_faults(series: pd.DataFrame) -> pd.DataFrame:
    """Return products whose impossible terms are empty, each with a sentence in data_fault.

    The column is there only where something is wrong; sentences that are there already stay.

    Args:
        series: Products.
    """
    series = series.copy()
    told = np.array(series["data_fault"] if "data_fault" in series else [""] * len(series), object)

    def tell(bad: BoolArray, sentences: list[str]) -> None:
        for row, sentence in zip(np.flatnonzero(bad), sentences, strict=True):
            told[row] = f"{told[row]}; {sentence}" if told[row] else sentence

    for column in [name for name in RULES if name in series]:
        tell(*_leave_out_impossible(series, column))
    for (first, second), clash, sentence in CONTRADICTIONS:
        if first in series and second in series:
            both = (series[c].to_numpy(np.float64) for c in (first, second))
            bad = np.asarray(clash(*both), bool)
            tell(bad, [sentence] * int(bad.sum()))
    bad = _without_multiple(series) & (told == "")
    tell(bad, [_NO_MULTIPLE] * int(bad.sum()))
    for column in ("phase_in", "phase_out"):
        if column in series:
            text = series[column].fillna("").astype(str).str.strip()
            given = ~text.isin([*NOBODY, "nan", "None"])
            dates = pd.to_datetime(text.where(given), format="%Y-%m-%d", errors="coerce")
            bad = (given & dates.isna()).to_numpy()
            tell(bad, [f"{column} is {t!r}, and must be a date" for t in text[bad]])
            series[column] = dates.dt.strftime("%Y-%m-%d").fillna("")
    if "phase_in" in series and "phase_out" in series:
        begins, ends = series["phase_in"], series["phase_out"]  # ISO dates, "" for none
        bad = ((begins != "") & (ends != "") & (ends <= begins)).to_numpy()
        pairs = zip(begins[bad], ends[bad], strict=True)
        tell(bad, [f"phase_out {end} is not after phase_in {begin}" for begin, end in pairs])
    if "successor_of" in series:
        bad, sentences = _wrong_successors(series)
        tell(bad, sentences)
        series.loc[bad, "successor_of"] = "unknown"
    if (told != "").any():
        series["data_fault"] = told.astype(str)
    return series


def _leave_out_impossible(series: pd.DataFrame, column: str) -> tuple[BoolArray, list[str]]:
    """Leave out numbers that a column cannot have; return where they stood, and sentences."""
    rule, holds = RULES[column]
    values = pd.to_numeric(series[column], errors="coerce").to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        bad = ~np.isnan(values) & ~(holds(values) & np.isfinite(values))
    series[column] = np.where(bad, np.nan, values)
    return bad, [f"{column} is {v:g}, and must be {rule}" for v in values[bad]]


def _without_multiple(series: pd.DataFrame) -> BoolArray:
    """Return the series of which no whole number of packs may be ordered."""

    def given(column: str, default: float) -> FloatArray:
        if column not in series:
            return np.full(len(series), default)
        return series[column].fillna(default).to_numpy(np.float64)

    pack = given("pack_size", 1.0)
    least = np.maximum(np.ceil(given("min_order", 0.0) / pack - _TINY), 1) * pack
    limit = np.minimum(given("max_order", np.inf), given("max_stock", np.inf))
    with np.errstate(invalid="ignore"):
        most = np.floor(limit / pack + _TINY) * pack
    return np.asarray((limit > 0) & (most < least - _TINY))


def _wrong_successors(series: pd.DataFrame) -> tuple[BoolArray, list[str]]:
    """Return the series whose successor_of leads back to themselves, and why."""
    product = series["product"].astype(str)
    before = dict(zip(product, series["successor_of"].astype(str), strict=True))
    bad, sentences = np.zeros(len(series), bool), []
    for row, name in enumerate(product):
        if name in NOBODY:  # a series that no row of products names
            continue
        seen, at = [name], before.get(name, "")
        while at in before and at not in seen:
            seen.append(at)
            at = before[at]
        if at == name:
            bad[row] = True
            loop = " -> ".join([*seen, name])
            sentences.append(
                "successor_of names the product itself"
                if len(seen) == 1
                else f"successor_of goes in a circle: {loop}"
            )
    return bad, sentences
