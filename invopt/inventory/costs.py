"""What a unit held and a unit lost cost, per series, and the critical ratio they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.errors import ContractError
from invopt.features.spec import PRICE
from invopt.panel import Panel

FloatArray = npt.NDArray[np.float64]
_COST_ADVICE = (
    "Give unit_cost and a price, or set inventory.holding_cost and inventory.stockout_cost."
)
_LEAD_TIME_ADVICE = "Round it up in the mapping, for example ceil(lead_days / 7) for weekly data."


@dataclass(frozen=True)
class Terms:
    """Costs and rules of ordering by series; every array is (series,).

    Attributes:
        holding_cost: Money per unit left at the end of a period.
        stockout_cost: Money per unit of demand not served from stock.
        lead_time: Whole periods between an order at the end of one period and the period at
            whose start it arrives: order at the end of t, on the shelf in t + lead_time + 1.
        review_period: Periods between orders.
        pack_size: Orders are whole multiples of it; units.
        min_order: Smallest order that is not zero; units.
        unit_cost: Money per unit bought.
    """

    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    lead_time: npt.NDArray[np.int64] = field(repr=False)
    review_period: int
    pack_size: FloatArray = field(repr=False)
    min_order: FloatArray = field(repr=False)
    unit_cost: FloatArray = field(repr=False)

    @property
    def critical_ratio(self) -> FloatArray:
        """Underage over underage plus overage; a unit too many is held for a review period."""
        overage = self.holding_cost * self.review_period
        return self.stockout_cost / (self.stockout_cost + overage)

    @property
    def protection_interval(self) -> npt.NDArray[np.int64]:
        """Periods an order has to last: lead time and review period."""
        return self.lead_time + self.review_period

    def select(self, rows: npt.NDArray[np.int64] | slice) -> "Terms":
        """Return the terms of some series."""
        arrays: dict[str, Any] = {
            name: v[rows] for name, v in vars(self).items() if isinstance(v, np.ndarray)
        }
        return replace(self, **arrays)


def last_prices(panel: Panel) -> FloatArray | None:
    """Return each series' price in the last period with sales, NaN where unknown."""
    if PRICE not in panel.channels:
        return None
    return panel.channel_by_series(PRICE)[:, panel.num_periods - 1].astype(np.float64)


def terms_of(
    series: pd.DataFrame | Mapping[str, Any],
    last_price: FloatArray | None,
    config: InventoryConfig,
) -> Terms:
    """Return the terms of every series, from its product row where given, else from config.

    Args:
        series: Products, in panel order: a frame, or arrays by column.
        last_price: Latest price by series; NaN where unknown; None without prices.
        config: Defaults.

    Raises:
        ContractError: If a cost is not above 0 and finite, or a lead time not whole and at least
            0; the series are named.
    """
    num = len(series["unique_id"])
    price = _column(series, "list_price", np.nan, num)
    if last_price is not None:
        price = np.where(np.isnan(last_price), price, last_price)
    price = np.where(np.isnan(price), config.price, price)
    unit_cost = _column(series, "unit_cost", np.nan, num)
    unit_cost = np.where(np.isnan(unit_cost), price * config.unit_cost_share, unit_cost)
    holding = unit_cost * config.holding_rate
    if config.holding_cost is not None:
        holding = np.full(num, config.holding_cost)
    stockout = price * config.stockout_margin
    if config.stockout_cost is not None:
        stockout = np.full(num, config.stockout_cost)
    for name, value in (("holding_cost", holding), ("stockout_cost", stockout)):
        bad = ~((value > 0) & np.isfinite(value))
        _refuse(series, bad, name, "be above 0 and finite", _COST_ADVICE)
    lead_time = _column(series, "lead_time", float(config.lead_time), num)
    bad = ~((lead_time >= 0) & np.isfinite(lead_time) & (lead_time == np.rint(lead_time)))
    _refuse(series, bad, "lead_time", "be whole periods, 0 or more", _LEAD_TIME_ADVICE)
    return Terms(
        holding,
        stockout,
        np.rint(lead_time).astype(np.int64),
        config.review_period,
        _column(series, "pack_size", 1.0, num),
        _column(series, "min_order", 0.0, num),
        unit_cost,
    )


def _refuse(
    series: pd.DataFrame | Mapping[str, Any],
    bad: npt.NDArray[np.bool_],
    column: str,
    rule: str,
    advice: str,
) -> None:
    """Raise ContractError with the series for which `bad` holds, if there are any."""
    if bad.any():
        raise ContractError(
            "Terms", column, rule, count=int(bad.sum()),
            examples=np.asarray(series["unique_id"])[bad], advice=advice,
        )  # fmt: skip


def _column(
    series: pd.DataFrame | Mapping[str, Any], name: str, default: float, num: int
) -> FloatArray:
    if name not in series:
        return np.full(num, default)
    values = np.asarray(series[name], np.float64)
    return np.where(np.isnan(values), default, values)
