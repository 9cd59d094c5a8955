"""The stock of every series at a review: on the shelf, under way by period, waiting."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.types import FloatArray, IntArray


@dataclass(frozen=True)
class Stock:
    """Units by series, NaN where no record is there.

    Attributes:
        on_hand: (series,) on the shelf.
        on_order: (series,) under way.
        backorders: (series,) waiting customers; 0 where not recorded.
        arrivals: (series, periods) units under way that arrive at the start of the next period,
            the one after, ...; sums to on_order.
        overdue: (series,) units among them that were due in the past; None for none.
    """

    on_hand: FloatArray = field(repr=False)
    on_order: FloatArray = field(repr=False)
    backorders: FloatArray = field(repr=False)
    arrivals: FloatArray = field(repr=False)
    overdue: FloatArray | None = field(default=None, repr=False)

    @property
    def position(self) -> FloatArray:
        """On hand plus on order minus backorders."""
        return self.on_hand + self.on_order - self.backorders

    def counted(self, periods: IntArray) -> FloatArray:
        """Return the position that counts for so many periods ahead: what arrives later does not.

        Args:
            periods: (series,) periods until the next order arrives.

        Example:
            Of 20 on the shelf and 100 under way for the third period only 20 count for two periods:

            >>> arrivals = np.array([[0.0, 0.0, 100.0]])
            >>> stock = Stock(np.array([20.0]), np.array([100.0]), np.zeros(1), arrivals)
            >>> stock.position.tolist(), stock.counted(np.array([2])).tolist()
            ([120.0], [20.0])
        """
        later = np.arange(1, self.arrivals.shape[1] + 1) > periods[:, None]
        return self.position - np.where(later, self.arrivals, 0).sum(axis=1)

    def select(self, rows: IntArray) -> "Stock":
        """Return the stock of some series."""
        overdue = None if self.overdue is None else self.overdue[rows]
        return Stock(
            self.on_hand[rows], self.on_order[rows], self.backorders[rows], self.arrivals[rows],
            overdue,
        )  # fmt: skip

    @property
    def late(self) -> FloatArray:
        """(series,) units that were due in the past."""
        return np.zeros(len(self.on_hand)) if self.overdue is None else self.overdue


def stock_of(
    unique_ids: npt.NDArray[np.object_],
    position: pd.DataFrame | None,
    open_orders: pd.DataFrame | None = None,
    delay: FloatArray | None = None,
) -> Stock:
    """Return the stock of series in order.

    Units under way that no open order dates are taken to arrive at the start of the next period,
    and so are those due in the past: late, not gone. Where only open orders are recorded, they are
    what is under way. Waiting customers are served first.

    Args:
        unique_ids: Series.
        position: StockPosition; None when no stock is known.
        open_orders: OpenOrders; None when none are recorded.
        delay: (series,) periods by which deliveries come later than due; 0 by default.

    Example:
        Thirty are recorded under way, ten of them by date; the others are taken to arrive next:

        >>> position = pd.DataFrame({"unique_id": ["a"], "on_hand": [5.0], "on_order": [30.0]})
        >>> orders = pd.DataFrame({"unique_id": ["a"], "due_in": [3], "quantity": [10.0]})
        >>> stock_of(np.array(["a"], object), position, orders).arrivals.tolist()
        [[20.0, 0.0, 10.0]]
    """
    num = len(unique_ids)
    dated, late = _arrivals(unique_ids, open_orders, delay)
    if position is None:
        unknown = np.full(num, np.nan)
        return Stock(unknown, unknown.copy(), np.zeros(num), dated, late)
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
    # Orders by date are the better record: what is under way is at least what they say.
    on_order = np.where(np.isnan(on_order), np.nan, np.maximum(on_order, due))
    return Stock(on_hand, on_order, backorders, dated, late)


def _arrivals(
    unique_ids: npt.NDArray[np.object_],
    open_orders: pd.DataFrame | None,
    delay: FloatArray | None,
) -> tuple[FloatArray, FloatArray]:
    """Return (series, periods) units by arrival, and (series,) those due in the past."""
    late = np.zeros(len(unique_ids))
    if open_orders is None or open_orders.empty:
        return np.zeros((len(unique_ids), 1)), late
    row = pd.Index(unique_ids.astype(str)).get_indexer(pd.Index(open_orders["unique_id"]))
    known = row >= 0
    row, due_in = row[known], open_orders["due_in"].to_numpy(np.int64)[known]
    quantity = open_orders["quantity"].to_numpy(np.float64)[known]
    overdue = due_in < 1
    if delay is not None:
        due_in = np.where(overdue, due_in + np.rint(delay[row]).astype(np.int64), due_in)
    due_in = np.maximum(due_in, 1)
    found = np.zeros((len(unique_ids), int(due_in.max(initial=1))))
    np.add.at(found, (row, due_in - 1), quantity)
    np.add.at(late, row[overdue], quantity[overdue])
    return found, late
