"""Who supplies whom: lanes between places, one source for each item (a product at a place).

A lane with a product goes before one without, and a lane from the place that an item names
(`supplied_by`) before any other.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.types import BoolArray, IntArray

SUPPLY, CROSS_DOCK, TRANSFER = "supply", "cross_dock", "transfer"
KINDS = (SUPPLY, CROSS_DOCK, TRANSFER)
NUMBERS = ("lead_time", "min_units", "pack_size", "capacity", "cost")
TEXTS = ("source", "location", "product", "order_days", "kind")
_BETWEEN = "\x1f"  # stands in no name


@dataclass(frozen=True)
class Supplied:
    """Items and what supplies each of them.

    Attributes:
        items: unique_id, product, location; further columns are kept.
        lane: (items,) row of the lane, -1 for none.
        parent: (items,) item that supplies it, -1 where the source is outside the network.
    """

    items: pd.DataFrame = field(repr=False)
    lane: IntArray = field(repr=False)
    parent: IntArray = field(repr=False)

    @property
    def depth(self) -> IntArray:
        """(items,) lanes between an item and the farthest one below it; 0 for a shop."""
        found = np.zeros(len(self.items), np.int64)
        for _ in range(len(self.items)):
            before = found.copy()
            under = self.parent >= 0
            np.maximum.at(found, self.parent[under], before[under] + 1)
            if (found == before).all():
                break
        return found


def plain_lanes(lanes: pd.DataFrame) -> pd.DataFrame:
    """Return lanes with every column: texts "" and numbers NaN where nothing is given."""
    found = pd.DataFrame(index=pd.RangeIndex(len(lanes)))
    for name in TEXTS:
        column = lanes[name] if name in lanes else pd.Series("", index=lanes.index)
        found[name] = column.fillna("").astype(str).str.strip().to_numpy(object)
    for name in NUMBERS:
        column = lanes[name] if name in lanes else pd.Series(np.nan, index=lanes.index)
        found[name] = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    found["kind"] = found["kind"].str.lower().where(found["kind"] != "", SUPPLY)
    return found


def supplied(items: pd.DataFrame, lanes: pd.DataFrame) -> Supplied:
    """Return the lane and the source of every item.

    Args:
        items: unique_id, product, location and optionally supplied_by; one row per item.
        lanes: As plain_lanes returns them; transfers supply nobody.

    Example:
        >>> lanes = plain_lanes(pd.DataFrame({"source": ["W"], "location": ["S"]}))
        >>> items = pd.DataFrame({"unique_id": ["a_S", "a_W"], "product": "a",
        ...                       "location": ["S", "W"]})
        >>> supplied(items, lanes).parent.tolist()
        [1, -1]
    """
    lane = _lane_of(items, lanes)
    place = pd.Series(_joined(items["product"], items["location"])).drop_duplicates()
    parent = np.full(len(items), -1)
    rows = np.flatnonzero(lane >= 0)
    source = lanes["source"].to_numpy(object)[lane[rows]]
    at = pd.Index(place).get_indexer(
        pd.Index(_joined(items["product"].iloc[rows], pd.Series(source, dtype=object)))
    )
    parent[rows] = np.where(at >= 0, place.index.to_numpy()[np.maximum(at, 0)], -1)
    return Supplied(items, lane, parent)


def _lane_of(items: pd.DataFrame, lanes: pd.DataFrame) -> IntArray:
    rows = np.flatnonzero((lanes["kind"] != TRANSFER).to_numpy())
    product, location = _text(items, "product"), _text(items, "location")
    wanted = _text(items, "supplied_by")
    wanted = wanted.where(wanted != "unknown", "")
    names = (wanted != "").to_numpy()
    found = np.full(len(items), -1)
    own = lanes.iloc[rows]
    of_product = (own["product"] != "").to_numpy()
    # Who names a source gets it or none; a lane of the product goes first.
    for named, by_product in ((True, True), (True, False), (False, True), (False, False)):
        open_items = np.flatnonzero((found < 0) & (names == named))
        fitting = np.flatnonzero(of_product == by_product)
        if not len(open_items) or not len(fitting):
            continue
        columns = ["location", *["source"] * named, *["product"] * by_product]
        given = {"location": location, "source": wanted, "product": product}
        there = pd.Series(_joined(*(own[c].iloc[fitting] for c in columns))).drop_duplicates()
        keys = _joined(*(given[c].iloc[open_items] for c in columns))
        at = pd.Index(there).get_indexer(pd.Index(keys))
        found[open_items[at >= 0]] = rows[fitting[there.index.to_numpy()[at[at >= 0]]]]
    return found


def on_circle(found: Supplied) -> BoolArray:
    """Return the items that, followed from source to source, come back to themselves."""
    at = found.parent.copy()
    for _ in range(found.items["location"].nunique() + 1):
        at = np.where(at >= 0, found.parent[at], -1)
    mask = np.zeros(len(at), bool)
    for start in np.unique(at[at >= 0]):
        here = int(start)
        while not mask[here]:
            mask[here] = True
            here = int(found.parent[here])
    return mask


def _text(items: pd.DataFrame, column: str) -> pd.Series:
    if column not in items:
        return pd.Series("", index=range(len(items)))
    number, given = pd.factorize(items[column].fillna("").astype(str))
    plain = np.array([name.strip() for name in given], object)
    return pd.Series(plain[number], dtype=object)


def _joined(*parts: pd.Series) -> npt.NDArray[np.object_]:
    first, *others = (p.astype(str).reset_index(drop=True) for p in parts)
    for other in others:
        first = first + _BETWEEN + other
    return first.to_numpy(object)
