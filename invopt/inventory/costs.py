"""What a unit held and a unit lost cost, per series, and the critical ratio they give."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.errors import InvalidInputError
from invopt.features.spec import PRICE
from invopt.inventory.lead_times import LeadTimes
from invopt.panel import Panel
from invopt.types import FloatArray, IntArray

# Columns of Products that become terms of the same name, where any series has one.
LIMITS = ("max_order", "max_stock", "order_cost", "shelf_life", "service_level", "fill_rate")

_LEAD_TIME = "lead_time"
_TINY = 1e-9


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Costs and rules of ordering by series; every array is (series,), None where none is given.

    Attributes:
        holding_cost: Money per unit left at the end of a period.
        stockout_cost: Money per unit of demand not served from stock.
        lead_time: Whole periods between an order at the end of one period and the period at
            whose start it arrives: order at the end of t, on the shelf in t + lead_time + 1.
        review_period: Periods between orders.
        pack_size: Orders are whole multiples of it; units.
        min_order: Smallest order that is not zero; units.
        unit_cost: Money per unit bought.
        cycle: Periods from the order's arrival to the next one's; review_period by default.
        max_order: Largest order, units; NaN for none.
        max_stock: Most units that may lie there when the order has arrived; NaN for none.
        order_cost: Money an order line costs, whatever its size.
        shelf_life: Periods a unit can be sold in, the one of its arrival included; NaN for ever.
        service_level: Chance of an interval without a missed sale, in place of the costs; NaN.
        fill_rate: Share of demand served from stock, in place of the costs; NaN.
        stranded: Money lost per unit left when the order's own interval ends (a product that goes).
        ends_in: First period ahead, from 1, in which the product is not sold any more; NaN.
        law: Row of `laws` that lead times are drawn from; -1 where the lead time is known.
        laws: Lead times as they were.
        faults: Why no order can be made, "" where one can.
    """

    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    lead_time: IntArray = field(repr=False)
    review_period: int
    pack_size: FloatArray = field(repr=False)
    min_order: FloatArray = field(repr=False)
    unit_cost: FloatArray = field(repr=False)
    cycle: IntArray | None = field(default=None, repr=False)
    max_order: FloatArray | None = field(default=None, repr=False)
    max_stock: FloatArray | None = field(default=None, repr=False)
    order_cost: FloatArray | None = field(default=None, repr=False)
    shelf_life: FloatArray | None = field(default=None, repr=False)
    service_level: FloatArray | None = field(default=None, repr=False)
    fill_rate: FloatArray | None = field(default=None, repr=False)
    stranded: FloatArray | None = field(default=None, repr=False)
    ends_in: FloatArray | None = field(default=None, repr=False)
    law: IntArray | None = field(default=None, repr=False)
    laws: tuple[LeadTimes, ...] = ()
    faults: npt.NDArray[np.object_] | None = field(default=None, repr=False)

    @property
    def critical_ratio(self) -> FloatArray:
        """Underage over underage plus overage; a unit too many is held for a review period.

        Example:
            p / (p + hR): holding 0.1 a period for a review of 5, a lost sale 4.5:

            >>> one = np.ones(1)
            >>> terms = Terms(
            ...     holding_cost=0.1 * one, stockout_cost=4.5 * one, lead_time=np.array([2]),
            ...     review_period=5, pack_size=one, min_order=0 * one, unit_cost=one,
            ... )
            >>> terms.critical_ratio.round(3).tolist(), terms.protection_interval.tolist()
            ([0.9], [7])
        """
        overage = self.holding_cost * self.review_period
        ratio = self.stockout_cost / (self.stockout_cost + overage)
        if self.service_level is not None:
            ratio = np.where(np.isnan(self.service_level), ratio, self.service_level)
        return ratio

    @property
    def interval(self) -> IntArray:
        """Periods from the order's arrival to the next one's."""
        if self.cycle is not None:
            return self.cycle
        return np.full(len(self.lead_time), self.review_period, np.int64)

    @property
    def protection_interval(self) -> IntArray:
        """Periods until the next order arrives: lead time and review period."""
        return self.lead_time + self.interval

    def decidable(self, horizon: int) -> IntArray:
        """Return the rows whose order a forecast of `horizon` periods can decide.

        Their lead time lies within it, and nothing is wrong with their terms.
        """
        found = self.lead_time <= horizon
        if self.faults is not None:
            found &= self.faults == ""
        return np.flatnonzero(found)

    @property
    def least_order(self) -> FloatArray:
        """(series,) units of the smallest order above zero: whole packs, min_order or more."""
        packs = np.ceil(self.min_order / self.pack_size - _TINY)
        return np.asarray(np.maximum(packs, 1) * self.pack_size, np.float64)

    def room(self, position: FloatArray) -> FloatArray:
        """Return (series,) units that max_order and max_stock leave; infinite for no limit.

        Args:
            position: (series,) units that count already: a full shelf takes nothing beside them.
                Below 0 customers wait, and what is handed to them lies nowhere.
        """
        found = np.full(len(self.pack_size), np.inf)
        if self.max_order is not None:
            found = np.fmin(found, self.max_order)
        if self.max_stock is not None:
            found = np.fmin(found, np.maximum(self.max_stock - position, 0))
        return found

    def select(self, rows: IntArray | slice) -> "Terms":
        """Return the terms of some series."""
        arrays: dict[str, Any] = {
            name: v[rows] for name, v in vars(self).items() if isinstance(v, np.ndarray)
        }
        return replace(self, **arrays)


def last_prices(panel: Panel) -> FloatArray | None:
    """Return each series' price in the last period with sales, NaN where unknown.

    Example:
        >>> from invopt.panel import Channel
        >>> from invopt.timeline import Timeline
        >>> paid = np.array([[9, 10]], np.float32)
        >>> price = Channel("price", "sales", "unique_id", ("a",), True, paid)
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 2)
        >>> sold, flags = np.ones((1, 2)), np.zeros((1, 2), np.uint8)
        >>> panel = Panel(days, pd.DataFrame({"unique_id": ["a"]}), sold, flags, {"price": price})
        >>> last_prices(panel).tolist()
        [10.0]
    """
    if PRICE not in panel.channels:
        return None
    return panel.channel_by_series(PRICE)[:, panel.num_periods - 1].astype(np.float64)


def terms_of(
    series: pd.DataFrame | Mapping[str, Any],
    last_price: FloatArray | None,
    config: InventoryConfig,
) -> Terms:
    """Return the terms of every series, from its product row where given, else from config.

    A product whose terms cannot be has the sentence in `faults`, and usable numbers in the place
    of its own, so that the others are planned.

    Args:
        series: Products, in panel order: a frame, or arrays by column.
        last_price: Latest price by series; NaN where unknown; None without prices.
        config: Defaults.

    Example:
        A price of 10, margin 40 % and unit cost 60 % of it; holding 1 % of that a period:

        >>> config = InventoryConfig(holding_rate=0.01, stockout_margin=0.4, unit_cost_share=0.6)
        >>> terms = terms_of({"unique_id": ["a"], "list_price": [10.0]}, None, config)
        >>> terms.holding_cost.round(2).tolist(), terms.stockout_cost.tolist()
        ([0.06], [4.0])
    """
    num = len(series["unique_id"])
    unit_cost = _column(series, "unit_cost", np.nan, num)
    price = _prices_of(series, last_price, unit_cost / config.unit_cost_share, config.price)
    unit_cost = np.where(np.isnan(unit_cost), price * config.unit_cost_share, unit_cost)
    holding, stockout = unit_cost * config.holding_rate, price * config.stockout_margin
    if config.holding_cost is not None:
        holding = np.full(num, config.holding_cost)
    if config.stockout_cost is not None:
        stockout = np.full(num, config.stockout_cost)
    faults = _faults_of(series, num)
    holding = _usable(_own(series, "holding_cost", holding), "holding_cost", 1.0, faults)
    stockout = _usable(_own(series, "stockout_cost", stockout), "stockout_cost", 1.0, faults)
    lead_time = _column(series, "lead_time", float(config.lead_time), num)
    lead_time = _usable(lead_time, _LEAD_TIME, float(config.lead_time), faults)
    return Terms(
        holding_cost=holding,
        stockout_cost=stockout,
        lead_time=np.rint(lead_time).astype(np.int64),
        review_period=config.review_period,
        pack_size=_column(series, "pack_size", 1.0, num),
        min_order=_column(series, "min_order", 0.0, num),
        unit_cost=unit_cost,
        cycle=_cycle(series, config.review_period),
        faults=faults if (faults != "").any() else None,
        max_order=_given(series, "max_order"),
        max_stock=_given(series, "max_stock"),
        order_cost=_given(series, "order_cost"),
        shelf_life=_given(series, "shelf_life"),
        service_level=_given(series, "service_level"),
        fill_rate=_given(series, "fill_rate"),
    )


def _prices_of(
    series: pd.DataFrame | Mapping[str, Any],
    last_price: FloatArray | None,
    by_cost: FloatArray,
    default: float,
) -> FloatArray:
    """Return the latest price, else the list price, else what its cost implies, else a default.

    A default below what a unit costs would make every sale a loss, and nobody would order.
    """
    price = _column(series, "list_price", np.nan, len(series["unique_id"]))
    if last_price is not None:
        price = np.where(np.isnan(last_price), price, last_price)
    price = np.where(np.isnan(price), by_cost, price)
    return np.where(np.isnan(price), default, price)


def _usable(
    values: FloatArray, name: str, default: float, faults: npt.NDArray[np.object_]
) -> FloatArray:
    """Return a term with a default where it cannot be; why it cannot is added to the faults."""
    if name == _LEAD_TIME:
        ends = "0 or more, in whole periods"
        bad = ~((values >= 0) & np.isfinite(values)) | (values != np.rint(values))
    else:
        ends = "above 0"
        bad = ~((values > 0) & np.isfinite(values))
    for row in np.flatnonzero(bad):
        text = f"{name} is {values[row]:g}, and must be {ends}"
        faults[row] = f"{faults[row]}; {text}" if faults[row] else text
    return np.where(bad, default, values)


def refuse_unorderable(panel: Panel, config: InventoryConfig, horizon: int) -> None:
    """Raise where no order of any series can be decided, so that nothing could be judged.

    Args:
        panel: Cleaned.
        config: Defaults of terms.
        horizon: Periods of a forecast.

    Raises:
        InvalidInputError: If every lead time is beyond the horizon, or no terms can be.

    Example:
        A lead time of 9 days, and a forecast of a week or of two:

        >>> from invopt.timeline import Timeline
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 2)
        >>> sold, flags = np.ones((1, 2)), np.zeros((1, 2), np.uint8)
        >>> series = pd.DataFrame({"unique_id": ["a"], "lead_time": [9]})
        >>> panel = Panel(days, series, sold, flags)
        >>> refuse_unorderable(panel, InventoryConfig(), 14)
        >>> try:
        ...     refuse_unorderable(panel, InventoryConfig(), 7)
        ... except InvalidInputError as err:
        ...     print(str(err).split(":")[0])
        no series of 1 can be ordered
    """
    terms = terms_of(panel.series, last_prices(panel), config)
    if not len(terms.decidable(horizon)):
        raise InvalidInputError(
            f"no series of {panel.num_series:,} can be ordered: every lead time is beyond "
            f"features.horizon ({horizon} periods), or its terms cannot be. Raise "
            "features.horizon, or look at lead_time in products."
        )


def _faults_of(series: pd.DataFrame | Mapping[str, Any], num: int) -> npt.NDArray[np.object_]:
    if "data_fault" not in series:
        return np.full(num, "", object)
    told = np.array(series["data_fault"], object)
    told[pd.isna(told)] = ""
    return told


def _own(series: pd.DataFrame | Mapping[str, Any], name: str, default: FloatArray) -> FloatArray:
    found = _given(series, name)
    return default if found is None else np.where(np.isnan(found), default, found)


def _given(series: pd.DataFrame | Mapping[str, Any], name: str) -> FloatArray | None:
    """Return a column's numbers, None where no series has one."""
    if name not in series:
        return None
    values = np.asarray(series[name], np.float64)
    return None if np.isnan(values).all() else values


def _cycle(series: pd.DataFrame | Mapping[str, Any], review_period: int) -> IntArray | None:
    own = _given(series, "review_period")
    if own is None:
        return None
    return np.where(np.isnan(own), review_period, own).astype(np.int64)


def _column(
    series: pd.DataFrame | Mapping[str, Any], name: str, default: float, num: int
) -> FloatArray:
    if name not in series:
        return np.full(num, default)
    values = np.asarray(series[name], np.float64)
    return np.where(np.isnan(values), default, values)
