"""What a network's review writes: rows of sources, who supplies each series, what moves."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt import contracts
from invopt.inventory.decision import ReviewRules
from invopt.inventory.exceptions import Flags
from invopt.inventory.network.net import BETWEEN, Net
from invopt.inventory.network.source_orders import Ordered
from invopt.inventory.network.source_outlook import ends_before_next, too_old
from invopt.inventory.network.transfers import Transfer
from invopt.inventory.reasons import NOT_WORTH_IT
from invopt.inventory.review import Review
from invopt.inventory.wording import in_words
from invopt.lanes import supplied
from invopt.timeline import Timeline
from invopt.types import BoolArray, FloatArray, IntArray

SHORT, FULL, SCARCE, IN, OUT, ALONE = (
    "short_at_source", "lane_full", "source_scarce", "transfer_in", "transfer_out", "no_source",
)  # fmt: skip
NETWORK_COLUMNS = ("source", "transfer_quantity")  # of orders, after all others
_EXCESS = 4.0  # times what sells until the next order arrives
_UNITS = ("order_quantity", "order_up_to_level", "reorder_point", "safety_stock", "on_hand",
          "on_order", "backorders")  # fmt: skip
_MONEY = ("order_value", "expected_holding_cost", "expected_stockout_cost", "money_at_risk")


@dataclass
class Granted:
    """What series get of their sources; arrays are (series,).

    Attributes:
        wanted: Units that each orders by itself.
        units: Units that it gets.
        lost: Money that the units it does not get would have saved.
        moved: Transfers between series.
    """

    wanted: FloatArray = field(repr=False)
    units: FloatArray = field(repr=False)
    lost: FloatArray = field(repr=False)
    moved: list[Transfer] = field(default_factory=list)

    @classmethod
    def of(cls, wanted: FloatArray) -> "Granted":
        """Return what series get where there is enough for all."""
        return cls(wanted, wanted.copy(), np.zeros(len(wanted)))


@dataclass
class NodeOrders(Ordered):
    """Orders of all sources, NaN until they are filled in, and what is asked of each now."""

    asked: FloatArray = field(default_factory=lambda: np.zeros(0), repr=False)

    @classmethod
    def none(cls, num: int) -> "NodeOrders":
        """Return orders to be filled in."""
        empty = {f.name: np.full(num, np.nan) for f in fields(Ordered)}
        return cls(**empty, asked=np.zeros(num))

    def put(self, rows: IntArray, found: Ordered) -> None:
        """Fill in some sources."""
        for f in fields(Ordered):
            getattr(self, f.name)[rows] = getattr(found, f.name)


def _plain(names: pd.Series) -> pd.Series:
    """Return suppliers without the place that follows where a lane has order days of its own."""
    number, given = pd.factorize(names.astype(str))
    plain = np.array([name.split(BETWEEN)[0] for name in given], object)
    return pd.Series(plain[number], index=names.index, dtype=object)


def replaced(review: Review, part: Review) -> Review:
    """Return a review with some of its series as in another one."""
    ids = set(part.orders["unique_id"])
    orders = review.orders.copy()
    at = pd.Index(orders["unique_id"]).get_indexer(pd.Index(part.orders["unique_id"]))
    for column in orders:
        values = orders[column].to_numpy(copy=True)
        values[at] = part.orders[column].to_numpy()
        orders[column] = values
    return replace(
        review,
        orders=orders,
        purchase_orders=_joined(review.purchase_orders, part.purchase_orders, ids),
        exceptions=_joined(review.exceptions, part.exceptions, ids),
    )


def _joined(whole: pd.DataFrame, part: pd.DataFrame, ids: set[str]) -> pd.DataFrame:
    rest = whole[~whole["unique_id"].isin(ids)]
    return pd.concat([f for f in (rest, part) if len(f)] or [whole.iloc[:0]], ignore_index=True)


def with_source(review: Review, lanes: pd.DataFrame, net: Net | None) -> Review:
    """Return a review that says what supplies each series, without those that are sources too."""
    orders = review.orders
    lane = supplied(orders, lanes).lane
    plain = _plain(orders["supplier"])
    source = np.where(lane >= 0, plain, orders["supplier"]) if len(lanes) else plain
    orders = orders.assign(supplier=plain, source=source, transfer_quantity=0.0)
    bought, told = review.purchase_orders, review.exceptions
    bought = bought.assign(supplier=_plain(bought["supplier"]))
    if net is not None and net.own.any():
        both = set(net.nodes["unique_id"])
        keep = ~orders["unique_id"].isin(both)
        orders = orders[keep].reset_index(drop=True)
        bought, told = (f[~f["unique_id"].isin(both)] for f in (bought, told))
        return Review(orders, bought, told, review.stockout_cost[keep.to_numpy()])
    return Review(orders, bought, told, review.stockout_cost)


def told(
    review: Review, net: Net, granted: Granted, ids: npt.NDArray[np.object_], lanes: pd.DataFrame
) -> Review:
    """Return a review with what the network did to its series.

    Args:
        review: Of some series.
        net: The network.
        granted: What its series get.
        ids: Names of the network's series.
        lanes: That supply them.
    """
    orders = review.orders
    row = pd.Index(orders["unique_id"]).get_indexer(pd.Index(ids))
    flags, notes = Flags(len(orders)), np.full(len(orders), "", object)
    cut = np.flatnonzero((granted.units < granted.wanted - 1e-9) & ~net.own & (row >= 0))
    units, money = np.zeros(len(orders)), np.zeros(len(orders))
    units[row[cut]], money[row[cut]] = (granted.wanted - granted.units)[cut], granted.lost[cut]
    full = np.zeros(len(orders), bool)
    full[row[cut]] = net.is_full(cut)
    flags.set(SHORT, (units > 0) & ~full, units, money)
    flags.set(FULL, (units > 0) & full, units, money)
    for at in cut:
        wanted, sent = (in_words(part[at], 6) for part in (granted.wanted, granted.units))
        why = "has too little for all"
        if full[row[at]]:
            why = f"sends {in_words(net.capacity[net.lane[at]], 6)} on this lane at most"
        notes[row[at]] = f"{net.source[at]} {why}: {wanted} are wanted, and {sent} are sent"
    reasons = orders["reason"].to_numpy(object).copy()
    for at in row[cut]:  # it is not the shelf's own cost that says no
        reasons[at] = reasons[at].replace(NOT_WORTH_IT, "")
    moved = _moved(granted, row, ids, flags, notes)
    lane = supplied(orders, lanes).lane
    flags.set(ALONE, (lane < 0) & (orders["supplier"] == "").to_numpy() & _has_sources(orders, net))
    orders = orders.assign(
        exception=_with_words(orders["exception"], flags.words()),
        reason=[f"{r}; {n}" if n else r for r, n in zip(reasons, notes, strict=True)],
        transfer_quantity=moved,
    )
    table = flags.table(orders["unique_id"].to_numpy(object), pd.DatetimeIndex([]))
    exceptions = pd.concat([f for f in (review.exceptions, table) if len(f)]
                           or [review.exceptions], ignore_index=True)  # fmt: skip
    bought = _with_transfers(review.purchase_orders, orders, granted, ids, net)
    return replace(review, orders=orders, exceptions=exceptions, purchase_orders=bought)


def _has_sources(orders: pd.DataFrame, net: Net) -> BoolArray:
    """Return the series at places that sell and are no source themselves."""
    return ~orders["unique_id"].isin(set(net.nodes["unique_id"])).to_numpy()


def _moved(
    granted: Granted, row: IntArray, ids: npt.NDArray[np.object_], flags: Flags,
    notes: npt.NDArray[np.object_],
) -> FloatArray:  # fmt: skip
    """Return (series,) units that come from other shops less those that go there; flags are set."""
    moved = np.zeros(len(notes))
    for word, sign in ((IN, 1.0), (OUT, -1.0)):
        units, money = np.zeros(len(notes)), np.zeros(len(notes))
        for each in granted.moved:
            here, there = each.way.taker, each.way.giver
            if sign < 0:
                here, there = there, here
            at = row[here]
            if at < 0:
                continue
            units[at] += each.units
            money[at] += each.saved if sign > 0 else 0.0
            text = "come from" if sign > 0 else "go to"
            said = f"{in_words(each.units, 6)} {text} {ids[there]}"
            said += f", which saves {each.saved:.2f}" if sign > 0 else ""
            notes[at] = f"{notes[at]}; {said}" if notes[at] else said
        moved += sign * units
        flags.set(word, units > 0, units, money)
    return moved


def _with_words(told: pd.Series, words: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return exceptions joined with further ones."""
    both = [";".join(w for w in pair if w) for pair in zip(told, words, strict=True)]
    return np.array(both, object)


def _with_transfers(
    bought: pd.DataFrame, orders: pd.DataFrame, granted: Granted, ids: npt.NDArray[np.object_],
    net: Net,
) -> pd.DataFrame:  # fmt: skip
    """Return purchase orders with a line for each transfer to these series."""
    place = dict(zip(orders["unique_id"], orders["location"], strict=True))
    lines = []
    for each in granted.moved:
        name = ids[each.way.taker]
        if name not in place:
            continue
        cost = float(net.shelves.unit_cost[each.way.taker])
        lines.append({
            "supplier": net.place[each.way.giver], "order_date": orders["review_date"].iloc[0],
            "arrival_date": net.day(each.way.lead_time), "unique_id": name,
            "order_quantity": each.units, "unit_cost": round(cost, 4),
            "order_value": round(each.units * cost, 2),
        })  # fmt: skip
    if not lines:
        return bought
    both = pd.concat([f for f in (bought, pd.DataFrame(lines)) if len(f)], ignore_index=True)
    return both.sort_values(["supplier", "order_date", "unique_id"], ignore_index=True)


def sources_review(net: Net, orders: NodeOrders, rules: ReviewRules) -> Review | None:
    """Return the review of the sources; None where none is in the network.

    Args:
        net: The network.
        orders: Of its sources.
        rules: What is put on every row, and whether units are whole.
    """
    if net.nodes.empty:
        return None
    terms, timeline = net.terms, net.timeline
    reach = int(max(terms.protection_interval.max(initial=1), 1)) + 1
    dates = timeline.dates(timeline.num_periods, timeline.num_periods + reach)
    flags = _flags(net, orders, net.stock.counted(terms.protection_interval))
    frame = _source_orders(net, orders, dates)
    level = frame["order_up_to_level"].to_numpy(np.float64)
    frame = frame.assign(
        exception=flags.words(),
        reason=_reasons(net, orders, level),
        model_version=rules.model_version,
        review_date=f"{timeline.last:%Y-%m-%d}",
        money_at_risk=orders.saved,
        cost_of_one_less=orders.one_less.round(4) + 0.0,
        cost_of_one_more=orders.one_more.round(4) + 0.0,
        source=_plain(net.nodes["supplier"]),
        transfer_quantity=0.0,
    )
    frame[list(_MONEY)] = frame[list(_MONEY)].round(2) + 0.0
    frame[list(_UNITS)] = frame[list(_UNITS)].round(0 if rules.is_count else 3) + 0.0
    contracts.check_numbers(frame.drop(columns=list(NETWORK_COLUMNS)), contracts.OrderPlan)
    exceptions = flags.table(frame["unique_id"].to_numpy(object), dates)
    return Review(frame, _bought(frame, net, timeline), exceptions, terms.stockout_cost)


def _source_orders(net: Net, orders: NodeOrders, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Return the columns of orders.csv that numbers and dates fill, not rounded yet."""
    terms, stock = net.terms, net.stock
    names = dates.strftime("%Y-%m-%d").to_numpy(object)
    position = stock.counted(terms.protection_interval)
    level = np.maximum(position + orders.need, 0)
    dry = orders.dry_in
    pace = orders.expected_demand / np.maximum(terms.protection_interval, 1)
    days = float((dates[1] - dates[0]).days) if len(dates) > 1 else 1.0
    cover = np.maximum(stock.position, 0) / np.maximum(pace, 1e-9) * days
    return pd.DataFrame({
        "unique_id": net.nodes["unique_id"].astype(str),
        "product": net.nodes["product"].astype(str),
        "location": net.nodes["location"].astype(str),
        "supplier": _plain(net.nodes["supplier"]),
        "order_quantity": orders.quantity,
        "order_value": orders.quantity * terms.unit_cost,
        "order_up_to_level": level,
        "reorder_point": position + orders.need - 1,
        "safety_stock": level - orders.expected_demand,
        "on_hand": stock.on_hand,
        "on_order": stock.on_order,
        "backorders": stock.backorders,
        "expected_demand": orders.expected_demand.round(2),
        "lead_time": terms.lead_time,
        "arrival_date": names[np.minimum(terms.lead_time, len(names) - 1)],
        "days_of_cover": np.minimum(cover, 999.0).round(1),
        "stockout_date": np.where(
            np.isnan(dry), "", names[np.nan_to_num(dry, nan=1).astype(int) - 1]),
        "unavoidable_stockout_units": 0.0,
        "unavoidable_stockout_cost": 0.0,
        "expected_holding_cost": orders.holding_cost,
        "expected_stockout_cost": orders.stockout_cost,
    })  # fmt: skip


def _flags(net: Net, orders: NodeOrders, position: FloatArray) -> Flags:
    """Return what a planner should look at of sources."""
    terms, stock, num = net.terms, net.stock, len(net.nodes)
    found = Flags(num)
    there = np.maximum(net.there, 0)
    if terms.faults is not None:
        found.set("data_fault", terms.faults != "")
    found.set("no_stock_record", np.isnan(stock.on_hand))
    owed = np.maximum(np.nan_to_num(stock.backorders - stock.on_hand), 0)
    found.set("negative_stock", owed > 0, owed)
    short = np.nan_to_num(np.maximum(orders.asked - there, 0))
    price = net.lost_at_sources
    found.set("stockout_now", (there <= 0) & (orders.asked > 0))
    found.set(SCARCE, short > 0, short, price, np.ones(num))
    early = orders.dry_in <= terms.lead_time
    found.set("stockout_before_arrival", early & (short <= 0), period=orders.dry_in)
    excess = np.nan_to_num(position - _EXCESS * orders.expected_demand)
    much = (excess >= 1) & (np.nan_to_num(orders.quantity) == 0)
    found.set("excess_stock", much, excess, excess * terms.unit_cost)
    late = stock.late
    found.set("delivery_overdue", late > 0, late, late * terms.unit_cost, np.ones(num))
    found.set("waits_for_order_day", net.supply.waits)
    found.set("closed", net.supply.shut)
    found.set("no_lead_time", net.unsupplied)
    found.set("phase_out", ends_before_next(net))
    found.set("will_expire", too_old(net))
    return found


def _reasons(net: Net, orders: NodeOrders, level: FloatArray) -> list[str]:
    """Return a sentence per source."""
    found, old = [], too_old(net)
    faults = net.terms.faults
    for row, name in enumerate(net.nodes["location"].astype(str)):
        asked, there = orders.asked[row], net.there[row]
        if faults is not None and faults[row]:
            found.append(str(faults[row]))
        elif np.isnan(there):
            found.append("stock is not known")
        elif np.isnan(orders.need[row]):
            found.append("nothing that sells is supplied from here")
        else:
            text = f"the level of {name} for all it supplies is {level[row]:.0f}"
            if orders.quantity[row] > 0:
                units = in_words(orders.quantity[row], 6)
                text += f": {units} are ordered, which saves {orders.saved[row]:.2f}"
            if orders.further[row] > 0:
                assert net.terms.order_cost is not None
                later, line = in_words(orders.further[row], 6), net.terms.order_cost[row]
                text += f"; {later} of them are for later reviews, as a line costs {line:.2f}"
            if old[row]:
                text += "; a unit is too old to be sold when it comes to a shelf"
            if asked > max(there, 0):
                wanted, left = in_words(asked, 6), in_words(max(there, 0), 6)
                text += f"; {wanted} are wanted of it now, and {left} are there"
            found.append(text)
    return found


def _bought(frame: pd.DataFrame, net: Net, timeline: Timeline) -> pd.DataFrame:
    rows = np.flatnonzero(frame["order_quantity"].fillna(0).to_numpy(np.float64) > 0)
    picked, last = frame.iloc[rows], timeline.num_periods - 1
    return pd.DataFrame({
        "supplier": picked["supplier"].to_numpy(object),
        "order_date": [f"{timeline.last_day(last + int(n)):%Y-%m-%d}"
                       for n in net.supply.order_in[rows]],
        "arrival_date": picked["arrival_date"].to_numpy(object),
        "unique_id": picked["unique_id"].to_numpy(object),
        "order_quantity": picked["order_quantity"].to_numpy(np.float64),
        "unit_cost": net.terms.unit_cost[rows].round(4),
        "order_value": picked["order_value"].to_numpy(np.float64),
    })  # fmt: skip
