"""Channels derived from others: what a group sells and costs, turnover, sales per month."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import FeaturesConfig
from invopt.errors import ConfigError
from invopt.features.spec import CATEGORY_PRICE, PRICE, aggregate_names
from invopt.panel import ALL_LEVEL, SERIES_LEVEL, UNOBSERVED, Channel, Flag, Panel, group_names
from invopt.types import Float32Array, FloatArray
from invopt.year_before import year_before

STOCK, TURNOVER, MONTHLY = "on_hand", "stock_turnover", "monthly_sales"
YEAR_BEFORE = "year_before"
_BLOCK = 4096  # series handled at once: scratch arrays are in double precision


def derived_channels(panels: Iterable[Panel], config: FeaturesConfig) -> list[Channel]:
    """Return the group channels the features section asks for.

    sales@COLUMNS is the total of a group's recorded sales per period, a broken feed's taken from
    the season before; log_price@category is the mean log price of the category's series on sale,
    over the future periods too where prices are known ahead.

    Args:
        panels: The partitions of one panel, after cleaning.
        config: Names the aggregates.

    Raises:
        ConfigError: If one names a column that products do not have.
    """
    totals = {"+".join(columns): _Totals() for columns in config.aggregates}
    prices, ahead = _Totals(), True
    for panel in panels:
        _check_columns(panel, config)
        for level, total in totals.items():
            total.add(group_names(panel.series, level), _sales_of_groups(panel))
        if PRICE in panel.channels and "category" in panel.series:
            prices.add(group_names(panel.series, "category"), _log_price_on_sale(panel))
            ahead = panel.channels[PRICE].known
    found = []
    for name, (level, total) in zip(aggregate_names(config), totals.items(), strict=True):
        sums, _ = total.arrays()
        found.append(Channel(name, "derived", level, groups=total.groups, known=False, values=sums))
    if prices.rows:
        sums, counts = prices.arrays()
        mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
        found.append(
            Channel(
                CATEGORY_PRICE,
                "derived",
                "category",
                groups=prices.groups,
                known=ahead,
                values=mean,
                fill="forward",
            )
        )
    return found


def _check_columns(panel: Panel, config: FeaturesConfig) -> None:
    named = {c for columns in config.aggregates for c in columns}
    missing = named - {*panel.series.columns, ALL_LEVEL}
    if missing:
        raise ConfigError(
            f"features.aggregates: {', '.join(sorted(missing))} is not a column of products "
            f"({', '.join(panel.series.columns)})."
        )


def own_channels(panel: Panel, config: FeaturesConfig) -> list[Channel]:
    """Return the channels that follow from a series' own: how its stock turns, what a month sells.

    They look back farther than the windows of a forecast, so they are kept with the panel; beyond
    its last period they stay as they were, or are known ahead.

    Args:
        panel: One partition, after cleaning.
        config: Names the windows.
    """
    found = []
    if STOCK in panel.channels and panel.channels[STOCK].level == SERIES_LEVEL:
        found.append(_own(panel, TURNOVER, "stock", _stock_turnover(panel, max(config.windows))))
    if config.monthly_sales:
        found.append(_own(panel, MONTHLY, "sales", _monthly_sales(panel, config.monthly_sales)))
    if config.year_before:
        values = year_before(panel, config.horizon, config.num_future)
        found.append(_own(panel, YEAR_BEFORE, "derived", values, known=True))
    return found


def _own(
    panel: Panel, name: str, domain: str, values: Float32Array, *, known: bool = False
) -> Channel:
    fill = "none" if known else "forward"
    groups = tuple(panel.unique_ids)
    return Channel(name, domain, SERIES_LEVEL, groups, known=known, values=values, fill=fill)


def _stock_turnover(panel: Panel, window: int) -> Float32Array:
    """Return log(1 + share of the stock on hand sold per period), (series, period).

    Both are means over the window up to the period; NaN where no stock is recorded.
    """
    stock = panel.channel_by_series(STOCK)[:, : panel.num_periods].astype(np.float64)
    known = np.isfinite(stock)
    sold = _trailing_sum(np.where(known, np.asarray(panel.y, np.float64), 0.0), window)
    held = _trailing_sum(np.where(known, stock.clip(min=0), 0.0), window)
    # A shelf that is empty at every count turns once a period: what came was sold.
    turns = np.where(held > 0, sold / np.maximum(held, 1e-9), np.where(sold > 0, 1.0, 0.0))
    turns = np.where(_trailing_sum(known.astype(np.float64), window) > 0, turns, np.nan)
    return np.log1p(turns).astype(np.float32)


def _monthly_sales(panel: Panel, months: int) -> Float32Array:
    """Return log(1 + average sales per month), units, over the months up to each period.

    Only observed periods count, a month being a twelfth of a year: a launch of six weeks that was
    out of stock for two has the average of four weeks. NaN before the first observed period.
    """
    month = panel.timeline.periods_per_year / 12
    values = np.empty(panel.y.shape, np.float32)
    for first in range(0, panel.num_series, _BLOCK):
        rows = slice(first, first + _BLOCK)
        observed = (np.asarray(panel.flags[rows]) & UNOBSERVED) == 0
        sold = np.where(observed, np.asarray(panel.y[rows], np.float64), 0.0)
        number = _trailing_sum(observed.astype(np.float64), round(months * month))
        total = _trailing_sum(sold, round(months * month))
        with np.errstate(invalid="ignore"):
            values[rows] = np.log1p(month * total / number)
    return values


def _trailing_sum(values: FloatArray, window: int) -> FloatArray:
    total = np.cumsum(values, axis=1)
    total[:, window:] -= total[:, :-window].copy()
    return total


class _Totals:
    """Sums and counts by group, added up over partitions."""

    def __init__(self) -> None:
        self.rows: dict[str, FloatArray] = {}

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(sorted(self.rows))

    def add(self, names: npt.NDArray[np.object_], values: npt.NDArray[np.floating]) -> None:  # type: ignore[type-arg]
        codes, found = pd.factorize(names, sort=True)
        order = np.argsort(codes, kind="stable")
        stops = np.cumsum(np.bincount(codes, minlength=len(found)))
        for name, rows in zip(found, np.split(order, stops[:-1]), strict=True):
            block = values[rows]
            both = np.stack([np.nansum(block, 0, dtype=np.float64), (~np.isnan(block)).sum(0)])
            self.rows[name] = self.rows.get(name, 0.0) + both

    def arrays(self) -> tuple[Float32Array, Float32Array]:
        stacked = np.stack([self.rows[name] for name in self.groups], axis=1)
        return stacked[0].astype(np.float32), stacked[1].astype(np.float32)


def _sales_of_groups(panel: Panel) -> Float32Array:
    y = np.array(panel.usual_sales(), np.float32)
    faulty = (np.asarray(panel.flags) & (Flag.FAULTY | Flag.CLOSED)) != 0
    season = panel.timeline.season_length
    for period in np.flatnonzero(faulty.any(axis=0)):
        rows = faulty[:, period]
        y[rows, period] = y[rows, period - season] if period >= season else 0
    return y


def _log_price_on_sale(panel: Panel) -> Float32Array:
    """Return log prices, NaN before a series is on sale; future periods count as on sale."""
    price = np.asarray(panel.channels[PRICE].values, np.float32)
    logs = np.log(np.where(price > 0, price, np.nan))
    before = (np.asarray(panel.flags) & Flag.BEFORE_LAUNCH) != 0
    logs[:, : panel.num_periods][before[:, : logs.shape[1]]] = np.nan
    return logs
