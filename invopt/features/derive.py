"""Channels derived from all series together: what a group sells, what its products cost."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import FeaturesConfig
from invopt.features.encoder import CATEGORY_PRICE, PRICE, aggregate_names
from invopt.panel import Channel, Flag, Panel, group_names


def derived_channels(panels: Iterable[Panel], config: FeaturesConfig) -> list[Channel]:
    """Return the group channels the features section asks for.

    sales@COLUMNS is the total of a group's recorded sales per period; log_price@category is the
    mean log price of the category's series on sale, over the future periods too.

    Args:
        panels: The partitions of one panel, after cleaning.
        config: Names the aggregates.
    """
    totals = {"+".join(columns): _Totals() for columns in config.aggregates}
    prices = _Totals()
    for panel in panels:
        for level, total in totals.items():
            total.add(group_names(panel.series, level), np.asarray(panel.y, np.float32))
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


def _log_price_on_sale(panel: Panel) -> npt.NDArray[np.float32]:
    """Return log prices, NaN before a series is on sale; future periods count as on sale."""
    price = np.asarray(panel.channels[PRICE].values, np.float32)
    logs = np.log(np.where(price > 0, price, np.nan))
    before = (np.asarray(panel.flags) & Flag.BEFORE_LAUNCH) != 0
    logs[:, : panel.num_periods][before[:, : logs.shape[1]]] = np.nan
    return logs
