"""Channels derived from others: what a group sells, what it costs, how fast stock turns."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import FeaturesConfig
from invopt.features.encoder import CATEGORY_PRICE, PRICE, aggregate_names
from invopt.panel import SERIES_LEVEL, Channel, Flag, Panel, group_names

STOCK, TURNOVER = "on_hand", "stock_turnover"


def derived_channels(panels: Iterable[Panel], config: FeaturesConfig) -> list[Channel]:
    """Return the group channels the features section asks for.

    sales@COLUMNS is the total of a group's recorded sales per period, a broken feed's taken from
    the season before; log_price@category is the
    mean log price of the category's series on sale, over the future periods too.

    Args:
        panels: The partitions of one panel, after cleaning.
        config: Names the aggregates.
    """
    totals = {"+".join(columns): _Totals() for columns in config.aggregates}
    prices = _Totals()
    for panel in panels:
        for level, total in totals.items():
            total.add(group_names(panel.series, level), _sales_of_groups(panel))
        if PRICE in panel.channels and "category" in panel.series:
            prices.add(group_names(panel.series, "category"), _log_price_on_sale(panel))
    found = []
    for name, (level, total) in zip(aggregate_names(config), totals.items(), strict=True):
        sums, _ = total.arrays()
        found.append(Channel(name, "derived", level, total.groups, False, sums))
    if prices.rows:
        sums, counts = prices.arrays()
        mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
        found.append(
            Channel(CATEGORY_PRICE, "derived", "category", prices.groups, True, mean, "forward")
        )
    return found


def own_channels(panel: Panel, config: FeaturesConfig) -> list[Channel]:
    """Return the channels that follow from a series' own: how often its stock turns.

    stock_turnover is the logarithm of 1 + the share of the stock on hand sold per period, both
    as means over the longest window up to the period; NaN where no stock is recorded.

    Args:
        panel: One partition, after cleaning.
        config: Names the windows.
    """
    if STOCK not in panel.channels or panel.channels[STOCK].level != SERIES_LEVEL:
        return []
    window = max(config.windows)
    stock = panel.channel_by_series(STOCK)[:, : panel.num_periods].astype(np.float64)
    known = np.isfinite(stock)
    sold = _trailing_sum(np.where(known, np.asarray(panel.y, np.float64), 0.0), window)
    held = _trailing_sum(np.where(known, stock.clip(min=0), 0.0), window)
    # A shelf that is empty at every count turns once a period: what came was sold.
    turns = np.where(held > 0, sold / np.maximum(held, 1e-9), np.where(sold > 0, 1.0, 0.0))
    turns = np.where(_trailing_sum(known.astype(np.float64), window) > 0, turns, np.nan)
    own = tuple(panel.unique_ids)
    values = np.log1p(turns).astype(np.float32)
    return [Channel(TURNOVER, "stock", SERIES_LEVEL, own, False, values)]


def _trailing_sum(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    total = np.cumsum(values, axis=1)
    total[:, window:] -= total[:, :-window].copy()
    return total


class _Totals:
    """Sums and counts by group, added up over partitions."""

    def __init__(self) -> None:
        self.rows: dict[str, npt.NDArray[np.float64]] = {}

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

    def arrays(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        stacked = np.stack([self.rows[name] for name in self.groups], axis=1)
        return stacked[0].astype(np.float32), stacked[1].astype(np.float32)


def _sales_of_groups(panel: Panel) -> npt.NDArray[np.float32]:
    y = np.array(panel.y, np.float32)
    faulty = (np.asarray(panel.flags) & Flag.FAULTY) != 0
    season = panel.timeline.season_length
    for period in np.flatnonzero(faulty.any(axis=0)):
        rows = faulty[:, period]
        y[rows, period] = y[rows, period - season] if period >= season else 0
    return y


def _log_price_on_sale(panel: Panel) -> npt.NDArray[np.float32]:
    """Return log prices, NaN before a series is on sale; future periods count as on sale."""
    price = np.asarray(panel.channels[PRICE].values, np.float32)
    logs = np.log(np.where(price > 0, price, np.nan))
    before = (np.asarray(panel.flags) & Flag.BEFORE_LAUNCH) != 0
    logs[:, : panel.num_periods][before[:, : logs.shape[1]]] = np.nan
    return logs
