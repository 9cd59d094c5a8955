"""The network of a data set: sound lanes, and the items at places that sell nothing themselves."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from invopt.contracts import NOBODY
from invopt.lanes import TRANSFER, on_circle, plain_lanes, supplied
from invopt.sources.duck import Reader
from invopt.sources.mapping import Expression, OpenOrdersTable, PositionTable
from invopt.sources.standard import standardise
from invopt.types import BoolArray, IntArray

UNKNOWN_PLACE = "nothing is sold where it leads, and nothing is supplied from there"
NO_PRODUCT = "no series is of its product"
NO_GIVER = "stock cannot be moved from a place that sells nothing"
NO_PACKS = "no whole number of packs lies between its minimum and its capacity"
REPEATED = "another lane has the same source, place and product"
CIRCLE = "it is part of a circle of places that supply each other"


@dataclass
class Places:
    """A network as read.

    Attributes:
        lanes: Sound ones, every column.
        nodes: Items at sources that sell nothing: unique_id, product, location and their terms.
        notes: Sentences for a person.
    """

    lanes: pd.DataFrame = field(repr=False)
    nodes: pd.DataFrame = field(repr=False)
    notes: list[str] = field(default_factory=list)


def lane_faults(
    frame: pd.DataFrame, series: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, IntArray]]:
    """Return the lanes that can be used, and the row numbers (__row) of the others by reason.

    Args:
        frame: Lanes whose single values are sound, with __row.
        series: Products by unique_id, product, location and optionally supplied_by.
    """
    lost: dict[str, IntArray] = {}
    frame = frame.reset_index(drop=True)
    lanes = plain_lanes(frame)

    def drop(bad: BoolArray, reason: str) -> None:
        nonlocal frame, lanes
        if bad.any():
            lost[reason] = frame.loc[bad, "__row"].to_numpy(np.int64)
            frame, lanes = (f.loc[~bad].reset_index(drop=True) for f in (frame, lanes))

    products = {"", *series["product"].astype(str)}
    drop(~lanes["product"].isin(products).to_numpy(), NO_PRODUCT)
    places = set(series["location"].astype(str))
    drop((lanes["kind"] == TRANSFER).to_numpy() & ~lanes["source"].isin(places), NO_GIVER)
    drop(_without_packs(lanes), NO_PACKS)
    key = ["source", "location", "product", "kind"]
    drop(lanes.duplicated(key).to_numpy(), REPEATED)
    # A circle far from all series harms nobody, and is a mistake all the same.
    ends = lanes[~_leads_on(series, lanes)].assign(unique_id="")
    circle = _lanes_on_circle(series, lanes) | _lanes_on_circle(ends, lanes)
    if circle.any():
        names = sorted(lanes.loc[circle, "location"].unique())
        drop(circle, f"{CIRCLE} ({', '.join(names[:4])})")
    drop(~_leads_on(series, lanes), UNKNOWN_PLACE)
    return frame, lost


def _without_packs(lanes: pd.DataFrame) -> BoolArray:
    """Return (lanes,) which can carry no order at all; a capacity of 0 is a lane that is closed."""
    pack, least = lanes["pack_size"].fillna(1.0), lanes["min_units"].fillna(0.0)
    smallest = np.ceil(np.maximum(least, pack) / pack - 1e-9) * pack
    found = (lanes["capacity"] > 0) & (lanes["capacity"] < smallest - 1e-9)
    return np.asarray(found, bool)


def _leads_on(series: pd.DataFrame, lanes: pd.DataFrame) -> BoolArray:
    """Return (lanes,) which lead to a place that sells something, by further lanes if need be."""
    places = set(series["location"].astype(str))
    while True:
        leads = lanes["location"].isin(places)
        more = set(lanes.loc[leads, "source"]) - places
        if not more:
            return leads.to_numpy(bool)
        places |= more


def _lanes_on_circle(series: pd.DataFrame, lanes: pd.DataFrame) -> BoolArray:
    """Return (lanes,) which of them supply an item that is on a circle."""
    found = supplied(_with_sources(series, lanes), lanes)
    rows = np.zeros(len(lanes), bool)
    rows[np.unique(found.lane[on_circle(found)])] = True
    return rows


def _with_sources(series: pd.DataFrame, lanes: pd.DataFrame) -> pd.DataFrame:
    """Return the items of the series and of every place that supplies them, step by step."""
    keep = [c for c in ("unique_id", "product", "location", "supplied_by") if c in series]
    items = series[keep].astype(str)
    for _ in range(lanes["source"].nunique() + 1):
        found = supplied(items, lanes)
        rows = np.flatnonzero((found.lane >= 0) & (found.parent < 0))
        if not len(rows):
            break
        more = pd.DataFrame({
            "unique_id": "",
            "product": items["product"].to_numpy(object)[rows],
            "location": lanes["source"].to_numpy(object)[found.lane[rows]],
        }).drop_duplicates()  # fmt: skip
        items = pd.concat([items, more], ignore_index=True)
    return items


def places_of(
    lanes: pd.DataFrame | None,
    series: pd.DataFrame,
    unsold: pd.DataFrame,
    known: set[str],
) -> Places | None:
    """Return the network of the series, None where nothing supplies anything.

    A source is a place of the network where a lane leads to it, products or stock of it are
    recorded, or something is sold there; else it is a supplier.

    Args:
        lanes: Sound rows; None where no table is mapped.
        series: Products with sales.
        unsold: Product rows of series without sales.
        known: Names that stock or orders under way are recorded for.
    """
    table = plain_lanes(lanes if lanes is not None else pd.DataFrame({"source": []}))
    table, notes = _with_named(table, series)
    if table.empty:
        return None
    items = _with_sources(series, table)
    items = items.iloc[len(series) :].reset_index(drop=True)
    items = items.assign(unique_id=_names(items, series, unsold))
    own = unsold[unsold["location"].astype(str).isin(table["source"])] if len(unsold) else unsold
    there = set(table.loc[table["kind"] != TRANSFER, "location"])
    there |= set(series["location"].astype(str))
    there |= set(own["location"].astype(str)) if len(own) else set()
    there |= set(items.loc[items["unique_id"].isin(known), "location"])
    nodes = items[items["location"].isin(there)].reset_index(drop=True)
    columns = [c for c in own if c not in ("product", "location")]
    nodes = nodes.drop(columns="supplied_by", errors="ignore")
    nodes = nodes.merge(own[columns], on="unique_id", how="left") if len(own) else nodes
    table, told = _sound(table, series, nodes)
    notes += told
    notes += _unused(table, pd.concat([series, nodes], ignore_index=True))
    for place, rows in nodes.groupby("location"):
        notes.append(f"{place} supplies others: {len(rows):,} products lie there")
    return Places(table, nodes, notes)


def _unused(table: pd.DataFrame, items: pd.DataFrame) -> list[str]:
    """Return what is to be said of lanes that supply nothing, since another one goes first."""
    used = np.isin(np.arange(len(table)), supplied(items, table).lane)
    second = table[~used & (table["kind"] != TRANSFER).to_numpy()]
    second = second[second["location"].isin(table.loc[used, "location"])]
    if second.empty:
        return []
    names = [f"{s} to {p}" for s, p in second[["source", "location"]].to_numpy()[:3]]
    return [
        f"lanes: {len(second):,} supply nothing, since each product of their place has another "
        f"source ({', '.join(names)}): one source supplies an item. Name it in supplied_by or "
        "give lanes by product, or make the second one a transfer"
    ]


def _sound(
    table: pd.DataFrame, series: pd.DataFrame, nodes: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Return lanes without circles, which supplied_by may close, and what is to be said."""
    notes = []
    items = pd.concat([series, nodes], ignore_index=True)
    circle = _lanes_on_circle(items, table)
    if circle.any():
        names = ", ".join(sorted(table.loc[circle, "location"].unique())[:4])
        notes.append(
            f"supplied_by: {int(circle.sum()):,} lanes are part of a circle of places that supply "
            f"each other ({names}): they are set aside"
        )
        table = table[~circle].reset_index(drop=True)
    alone = series[supplied(series, table).lane < 0]
    supplier = alone.get("supplier", pd.Series("", index=alone.index)).fillna("").astype(str)
    alone = alone[supplier.isin(NOBODY)]
    if len(alone):
        where = sorted(alone["location"].astype(str).unique())
        notes.append(
            f"network: {len(alone):,} series at {len(where):,} places ({', '.join(where[:3])}) "
            "have no source: each is planned by itself"
        )
    return table, notes


def _with_named(table: pd.DataFrame, series: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return lanes with those that supplied_by of products names and the table has not."""
    if "supplied_by" not in series:
        return table, []
    named = series["supplied_by"].fillna("").astype(str).str.strip()
    given = ~named.isin(NOBODY) & (supplied(series, table).lane < 0)
    rows = pd.DataFrame({
        "source": named, "location": series["location"].astype(str),
        "product": series["product"].astype(str),
        "lead_time": series.get("lead_time", np.nan),
    })[given]  # fmt: skip
    notes = []
    for bad, what in (
        (rows["source"] == rows["location"], "supplied by the place itself"),
        (rows["lead_time"].isna(), "on a lane without a lead time"),
    ):
        own = bad.reindex(rows.index).to_numpy(bool)
        if own.any():
            first = rows[own].iloc[0]
            notes.append(
                f"supplied_by: {int(own.sum()):,} series are {what} (e.g. {first['product']} at "
                f"{first['location']} from {first['source']}): they have no source"
            )
            rows = rows[~own]
    if rows.empty:
        return table, notes
    # One lane for a place, where all its products come from one source equally fast.
    groups = rows.groupby("location")
    one = groups["source"].transform("nunique").eq(1) & groups["lead_time"].transform("nunique").eq(
        1
    )
    rows.loc[one, "product"] = ""
    return pd.concat([table, plain_lanes(rows.drop_duplicates())], ignore_index=True), notes


def _names(items: pd.DataFrame, series: pd.DataFrame, unsold: pd.DataFrame) -> list[str]:
    """Return the names of items: those of products, else made as those of the series are."""
    key = ["product", "location"]
    given = {}
    if len(unsold):
        given = {
            (str(p), str(at)): str(name)
            for name, p, at in unsold[["unique_id", *key]].itertuples(index=False)
        }
    pattern = _pattern(series)
    return [
        given.get((p, at)) or pattern.format(product=p, location=at)
        for p, at in items[key].itertuples(index=False)
    ]


def _pattern(series: pd.DataFrame) -> str:
    """Return how series are named after product and place, "product_place" where no rule holds."""
    first = series.iloc[0]
    uid, product, place = (str(first[c]) for c in ("unique_id", "product", "location"))
    for front, back in ((("product", product), ("location", place)),
                        (("location", place), ("product", product))):  # fmt: skip
        middle = uid[len(front[1]) : len(uid) - len(back[1])]
        if uid != f"{front[1]}{middle}{back[1]}" or re.search(r"[{}]", middle):
            continue
        made = series[front[0]].astype(str) + middle + series[back[0]].astype(str)
        if (made == series["unique_id"].astype(str)).all():
            return f"{{{front[0]}}}{middle}{{{back[0]}}}"
    return "{product}_{location}"


def recorded_names(
    reader: Reader, tables: list[tuple[PositionTable | OpenOrdersTable | None, Expression]]
) -> set[str]:
    """Return the names that stock or orders under way are recorded for.

    Args:
        reader: Holds the sources.
        tables: Position and open orders, None where not mapped, each with its key.
    """
    found: set[str] = set()
    for number, (table, key) in enumerate(tables):
        if table is not None:
            std = standardise(
                reader,
                f"recorded_{number}",
                table,
                key=key,
                ds=None,
                columns={},
                kinds={},
                rules={},
            )
            names = reader.fetch(f'SELECT DISTINCT key FROM "{std.view}"', std.name)
            found |= {str(name) for name in names["key"].to_pylist() if name is not None}
    return found
