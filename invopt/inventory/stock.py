"""The stock of every series at a review: on the shelf, under way by period, waiting."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stock:
    """Units by series, NaN where no record is there.

    Attributes:
        on_hand: (series,) on the shelf.
        on_order: (series,) under way.
        backorders: (series,) waiting customers; 0 where not recorded.
        arrivals: (series, periods) units under way that arrive at the start of the next period,
            the one after, ...; sums to on_order.
    """

    on_hand: FloatArray = field(repr=False)
    on_order: FloatArray = field(repr=False)
    backorders: FloatArray = field(repr=False)
    arrivals: FloatArray = field(repr=False)

    @property
    def position(self) -> FloatArray:
        """On hand plus on order minus backorders."""
        return self.on_hand + self.on_order - self.backorders

    def select(self, rows: slice) -> "Stock":
        """Return the stock of some series."""
        return Stock(
            self.on_hand[rows], self.on_order[rows], self.backorders[rows], self.arrivals[rows]
        )


def stock_of(
    unique_ids: npt.NDArray[np.object_],
    position: pd.DataFrame | None,
    open_orders: pd.DataFrame | None = None,
) -> Stock:
    """Return the stock of series in order.

    Units under way that no open order dates are taken to arrive at the start of the next period.
    Where only open orders are recorded, they are what is under way.

    Args:
        unique_ids: Series.
        position: StockPosition; None when no stock is known.
        open_orders: OpenOrders; None when none are recorded.
    """
    num = len(unique_ids)
    dated = _arrivals(unique_ids, open_orders)
    if position is None:
        unknown = np.full(num, np.nan)
        return Stock(unknown, unknown.copy(), np.zeros(num), dated)
    rows = position.set_index("unique_id").reindex(unique_ids)
    on_hand = rows["on_hand"].to_numpy(np.float64)
    due = dated.sum(axis=1)
    on_order = np.where(np.isnan(on_hand), np.nan, due)
    if "on_order" in rows:
        recorded = rows["on_order"].to_numpy(np.float64)
        on_order = np.where(np.isnan(recorded), on_order, recorded)
    dated[:, 0] += np.maximum(np.nan_to_num(on_order) - due, 0)
    backorders = np.zeros(num)
    if "backorders" in rows:
        backorders = np.nan_to_num(rows["backorders"].to_numpy(np.float64))
    return Stock(on_hand, on_order, backorders, dated)


def _arrivals(unique_ids: npt.NDArray[np.object_], open_orders: pd.DataFrame | None) -> FloatArray:
    if open_orders is None or open_orders.empty:
        return np.zeros((len(unique_ids), 1))
    due_in = np.maximum(open_orders["due_in"].to_numpy(np.int64), 1)
    found = np.zeros((len(unique_ids), int(due_in.max())))
    row = pd.Index(unique_ids.astype(str)).get_indexer(pd.Index(open_orders["unique_id"]))
    known = row >= 0
    due = due_in - 1
    quantity = open_orders["quantity"].to_numpy(np.float64)
    np.add.at(found, (row[known], due[known]), quantity[known])
    return found
