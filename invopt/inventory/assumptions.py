"""What a planner assumes instead of what is known: lead time, price, service, money to spend.

Assumptions become columns of the products, so that a review with them is a review like any other.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from invopt.config import InventoryConfig
from invopt.errors import InvalidInputError
from invopt.features.spec import CATEGORY_PRICE, PRICE
from invopt.inventory.costs import last_prices, terms_of
from invopt.inventory.suppliers import ASSUMED_ADDED, ASSUMED_TIMES
from invopt.panel import SERIES_LEVEL, Panel
from invopt.types import BoolArray, Float32Array

BUDGETED = "budgeted"  # column of products: True where the assumed budget holds
SCOPES = ("unique_id", "product", "location", "supplier", "category")


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is assumed of some series; the defaults change nothing.

    Attributes:
        column: Of products, that says which series; "" for all.
        value: Of that column.
        lead_time_times: Every lead time, times this.
        lead_time_added: Periods added after that.
        price_times: The price of the periods ahead, times this.
        service_level: Chance of an interval without a missed sale, in place of the costs.
        budget: Money that all their orders may cost together.
    """

    column: str = ""
    value: str = ""
    lead_time_times: float = 1.0
    lead_time_added: int = 0
    price_times: float = 1.0
    service_level: float | None = None
    budget: float | None = None

    @property
    def is_nothing(self) -> bool:
        """True where they change nothing."""
        return self == Assumptions(column=self.column, value=self.value)

    @property
    def changes_price(self) -> bool:
        """True where demand may change, and not only orders."""
        return self.price_times != 1.0

    def concerned(self, series: pd.DataFrame) -> BoolArray:
        """Return the mask of the series that are meant.

        Raises:
            InvalidInputError: If products have no such column.
        """
        if not self.column:
            return np.ones(len(series), bool)
        if self.column not in series:
            raise InvalidInputError(f"products have no column {self.column!r}.")
        return (series[self.column].fillna("").astype(str) == self.value).to_numpy(bool)


@dataclass(frozen=True)
class Assumed:
    """A panel under assumptions.

    Attributes:
        panel: With their columns and prices.
        repriced: Series whose demand must be forecast again.
        notes: What the assumptions cannot say, in sentences.
    """

    panel: Panel = field(repr=False)
    repriced: BoolArray = field(repr=False)
    notes: tuple[str, ...] = ()


def assume(
    panel: Panel, assumptions: Assumptions, config: InventoryConfig, horizon: int
) -> Assumed:
    """Return a panel as if the assumptions held from its last period on.

    Args:
        panel: Up to the review.
        assumptions: Of the planner.
        config: Defaults of costs.
        horizon: Periods of the forecast.

    Raises:
        InvalidInputError: If products have no such column.
    """
    meant = assumptions.concerned(panel.series)
    series = panel.series.copy()
    if assumptions.lead_time_times != 1.0 or assumptions.lead_time_added:
        series[ASSUMED_TIMES] = np.where(meant, assumptions.lead_time_times, 1.0)
        series[ASSUMED_ADDED] = np.where(meant, float(assumptions.lead_time_added), 0.0)
    if assumptions.service_level is not None:
        series["service_level"] = _put(series, "service_level", meant, assumptions.service_level)
        if "fill_rate" in series:
            series["fill_rate"] = _put(series, "fill_rate", meant, np.nan)
    if assumptions.budget is not None:
        series[BUDGETED] = meant
    found = replace(panel, series=series)
    if not assumptions.changes_price:
        return Assumed(found, np.zeros(len(series), bool))
    found = replace(found, series=_repriced_costs(panel, series, meant, assumptions, config))
    if PRICE not in panel.channels or not panel.channels[PRICE].known:
        told = "prices are not among what the forecast knows ahead: demand stays as it is"
        return Assumed(found, np.zeros(len(series), bool), (told,))
    return Assumed(
        _repriced(found, meant, assumptions.price_times, panel.num_periods + horizon),
        meant,
        _beyond(panel, meant, assumptions.price_times),
    )


def _put(series: pd.DataFrame, column: str, meant: BoolArray, value: float) -> "pd.Series[float]":
    before = series[column].astype(np.float64) if column in series else np.nan
    return pd.Series(np.where(meant, value, before), index=series.index)


def _repriced_costs(
    panel: Panel, series: pd.DataFrame, meant: BoolArray, assumptions: Assumptions,
    config: InventoryConfig,
) -> pd.DataFrame:  # fmt: skip
    """Return products for which another price changes what a missed sale costs, and nothing else.

    What a unit costs to buy and to hold stays; a stock-out cost that is given as money stays too.
    """
    terms = terms_of(panel.series, last_prices(panel), config)
    given = np.zeros(len(series), bool) | (config.stockout_cost is not None)
    if "stockout_cost" in series:
        given |= series["stockout_cost"].notna().to_numpy(bool)
    scaled = np.where(meant & ~given, assumptions.price_times, 1.0) * terms.stockout_cost
    return series.assign(
        unit_cost=terms.unit_cost, holding_cost=terms.holding_cost, stockout_cost=scaled
    )


def _repriced(panel: Panel, meant: BoolArray, times: float, stop: int) -> Panel:
    """Return a panel whose prices ahead are others, those that categories are compared by too."""
    price, first = panel.channels[PRICE], panel.num_periods
    rows = panel.group_index(price.level, price.groups)
    values: Float32Array = price.until(stop)[np.maximum(rows, 0)].copy()
    values[rows < 0] = np.nan
    values[meant, first:] *= np.float32(times)
    ids = tuple(panel.series["unique_id"])
    changed = [replace(price, level=SERIES_LEVEL, groups=ids, values=values)]
    category = panel.channels.get(CATEGORY_PRICE)
    if category is not None and category.known:
        at = panel.group_index(category.level, category.groups)
        inside = at >= 0
        size = np.bincount(at[inside], minlength=len(category.groups))
        moved = np.bincount(at[inside & meant], minlength=len(category.groups))
        means = category.until(stop).copy()
        share = moved / np.maximum(size, 1)
        means[:, first:] += (share * np.log(times))[:, None].astype(np.float32)
        changed.append(replace(category, values=means))
    return panel.with_channels(changed)


def _beyond(panel: Panel, meant: BoolArray, times: float) -> tuple[str, ...]:
    """Say for how many series the assumed price is one that the model has never seen of them."""
    rows = np.flatnonzero(meant)
    seen = panel.select(rows).channel_by_series(PRICE)[:, : panel.num_periods]
    known = np.isfinite(seen).any(axis=1)
    seen = seen[known]
    if not len(seen):
        return ("no price of theirs is known: demand stays as it is",)
    new = np.array([row[np.isfinite(row)][-1] for row in seen]) * times
    outside = (new > np.nanmax(seen, axis=1) * 1.001) | (new < np.nanmin(seen, axis=1) * 0.999)
    if not outside.any():
        return ()
    return (
        f"{int(outside.sum()):,} of {len(rows):,} series never had such a price: what they would "
        "sell at it is a guess",
    )
