"""When orders can be placed and when they arrive: suppliers, receipts, order days, calendars."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from invopt.contracts import TermsTables
from invopt.inventory.costs import Terms
from invopt.inventory.lead_times import LeadTimes
from invopt.timeline import Timeline, frequency_unit
from invopt.types import BoolArray, FloatArray, IntArray

# Columns of products that a what-if adds: lead times are multiplied, then added to.
ASSUMED_TIMES, ASSUMED_ADDED = "assumed_lead_time_times", "assumed_lead_time_added"
MOST_PERIODS = 3650  # that a lead time may be; ten years of days
_MIN_RECEIPTS = 3  # deliveries from which on they are a law
_POINTS = 40  # of a law known by its deviation
_DAYS_OF = {"D": 1, "W": 7, "2W": 14, "MS": 28, "QS": 90}  # days that close a period
_LOOK = 400  # periods ahead in which an open day is looked for


def keys_of(
    table: pd.DataFrame, unique_ids: npt.NDArray[Any], supplier: npt.NDArray[np.object_]
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Return the key of each series in a table by series or supplier, and that of each row.

    A row that names a series is of that series alone, whatever supplier stands beside it; a series
    with rows of its own takes none of its supplier's.

    Args:
        table: With unique_id, supplier or both; in each row one of them.
        unique_ids: (series,)
        supplier: (series,) names, "" for none.

    Example:
        >>> table = pd.DataFrame({"unique_id": ["a", ""], "supplier": ["", "x"]})
        >>> names, keys = keys_of(table, np.array(["a", "b"]), np.array(["x", "x"], object))
        >>> names.tolist(), keys.tolist()
        (['unique_id=a', 'supplier=x'], ['unique_id=a', 'supplier=x'])
    """
    own, theirs = _text(table, "unique_id"), _text(table, "supplier")
    keys = np.where(own != "", "unique_id=" + own, "supplier=" + theirs)
    by_series = "unique_id=" + np.asarray(unique_ids).astype(str).astype(object)
    has_own = pd.Index(by_series).isin(keys)
    names = np.where(has_own, by_series, "supplier=" + supplier)
    return names, keys


@dataclass(frozen=True)
class Supply:
    """What suppliers and calendars say of each series.

    Attributes:
        terms: With the lead times, laws and cycles they give.
        waits: True where the next review comes before the supplier's next order day.
        shut: True where closures let an order of the next review arrive as early.
        order_in: (series,) periods after the review at which the order is placed; 0 for now.
        delay: (series,) periods by which deliveries have come later than promised.
        closed: (series, periods ahead) where nothing is sold; None where no calendar is given.
    """

    terms: Terms = field(repr=False)
    waits: BoolArray = field(repr=False)
    shut: BoolArray = field(repr=False)
    order_in: IntArray = field(repr=False)
    delay: FloatArray = field(repr=False)
    closed: BoolArray | None = field(default=None, repr=False)


def supply_of(
    series: pd.DataFrame, terms: Terms, tables: TermsTables, timeline: Timeline, horizon: int
) -> Supply:
    """Return what the tables say of the series.

    A lead time is the product's own where it has one, else its supplier's, else the configured
    one; where receipts tell how long deliveries took, they are the law it is drawn from.

    Args:
        series: Products, in order.
        terms: Of the series.
        tables: Of planning.
        timeline: Up to the review.
        horizon: Periods of the forecast.

    Example:
        Reviewed on a Wednesday, and the supplier takes orders on Fridays: two days are added to its
        lead time of 5, and to the 2 that the second product has of its own:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> series = pd.DataFrame(
        ...     {"unique_id": ["a", "b"], "supplier": ["x", "x"], "lead_time": [np.nan, 2.0]})
        >>> terms = terms_of(series, None, InventoryConfig(review_period=7))
        >>> tables = TermsTables(suppliers=pd.DataFrame(
        ...     {"supplier": ["x"], "lead_time": [5], "order_days": ["4"]}))
        >>> days = Timeline(pd.Timestamp("2024-01-01"), "D", 3)
        >>> found = supply_of(series, terms, tables, days, 14)
        >>> found.terms.lead_time.tolist(), found.order_in.tolist(), found.terms.interval.tolist()
        ([7, 4], [2, 2], [7, 7])
    """
    num = len(series)
    supplier = _text(series, "supplier")
    own = _numbers(series, "lead_time")
    lead_time = terms.lead_time.astype(np.float64)
    by_supplier = _by_supplier(tables.suppliers, supplier, "lead_time")
    lead_time = np.where(np.isnan(own) & ~np.isnan(by_supplier), by_supplier, lead_time)
    terms = replace(terms, lead_time=lead_time.astype(np.int64))
    law, laws = _laws(series, supplier, terms, tables)
    means = np.array([each.mean for each in laws])
    delay = np.zeros(num)
    if len(laws):
        known = law >= 0
        mean = means[np.maximum(law, 0)]
        delay = np.where(known, np.ceil(np.maximum(mean - terms.lead_time, 0) - 1e-9), 0.0)
        lead = np.where(known, np.rint(mean), terms.lead_time).astype(np.int64)
        terms = replace(terms, law=law, laws=tuple(laws), lead_time=lead)
    terms = _believable(_as_assumed(terms, series))
    days = _Days(tables, timeline, max(horizon, _LOOK))
    if not days.matter:
        never = np.zeros(num, bool)
        return Supply(terms, never, never, np.zeros(num, np.int64), delay)
    return days.apply(series, supplier, terms, delay, horizon)


def _believable(terms: Terms) -> Terms:
    """Return terms in which a lead time that nobody means is a fault of the product.

    Days are looked up and demand is drawn as far ahead as the longest lead time reaches: one in
    another unit would take the memory that all the others need.
    """
    far = terms.lead_time > MOST_PERIODS
    if not far.any():
        return terms
    faults = np.full(len(far), "", object) if terms.faults is None else terms.faults.copy()
    for row in np.flatnonzero(far):
        text = (
            f"lead_time is {terms.lead_time[row]} periods, and may be {MOST_PERIODS} at most: is it"
            " in another unit?"
        )
        faults[row] = f"{faults[row]}; {text}" if faults[row] else text
    law = None if terms.law is None else np.where(far, -1, terms.law)
    lead_time = np.where(far, terms.review_period, terms.lead_time)
    return replace(terms, faults=faults, law=law, lead_time=lead_time)


def _laws(
    series: pd.DataFrame, supplier: npt.NDArray[np.object_], terms: Terms, tables: TermsTables
) -> tuple[IntArray, list[LeadTimes]]:
    """Return each series' law of lead times, -1 for none, and the laws."""
    law = np.full(len(series), -1)
    laws: list[LeadTimes] = []
    deviation = _by_supplier(tables.suppliers, supplier, "lead_time_deviation")
    spread = np.flatnonzero(deviation > 0)
    places: dict[tuple[float, float], int] = {}
    for row in spread:
        key = (float(terms.lead_time[row]), float(deviation[row]))
        if key not in places:
            places[key] = len(laws)
            shares = (np.arange(_POINTS) + 0.5) / _POINTS
            laws.append(LeadTimes.observed(np.rint(np.maximum(key[0] + key[1] * ndtri(shares), 0))))
        law[row] = places[key]
    if tables.receipts is None or tables.receipts.empty:
        return law, laws
    names, keys = keys_of(tables.receipts, series["unique_id"].to_numpy(object), supplier)
    for name, rows in tables.receipts.groupby(keys):
        mine = names == name
        if len(rows) >= _MIN_RECEIPTS and mine.any():
            law[mine] = len(laws)
            laws.append(LeadTimes.observed(rows["lead_time"].to_numpy(np.float64)))
    return law, laws


def _as_assumed(terms: Terms, series: pd.DataFrame) -> Terms:
    """Return terms with the lead times of a what-if, their laws moved with them."""
    if ASSUMED_TIMES not in series:
        return terms
    times, added = _numbers(series, ASSUMED_TIMES), _numbers(series, ASSUMED_ADDED)
    lead = np.maximum(np.rint(terms.lead_time * times + added), 0).astype(np.int64)
    law, laws = terms.law, list(terms.laws)
    if law is not None:
        law = law.copy()
        moved: dict[tuple[int, float, float], int] = {}
        for row in np.flatnonzero((law >= 0) & ((times != 1) | (added != 0))):
            key = (int(law[row]), float(times[row]), float(added[row]))
            if key not in moved:
                moved[key] = len(laws)
                periods = np.maximum(np.rint(laws[key[0]].periods * key[1] + key[2]), 0)
                laws.append(replace(laws[key[0]], periods=periods))
            law[row] = moved[key]
    return replace(terms, lead_time=lead, law=law, laws=tuple(laws))


class _Days:
    """Open days ahead, by location and by supplier; index 0 is the review's own period."""

    def __init__(self, tables: TermsTables, timeline: Timeline, reach: int) -> None:
        self.reach = reach
        self.dates = timeline.dates(timeline.num_periods - 1, timeline.num_periods + reach)
        self.order_days = self._order_days(tables.suppliers, timeline)
        self.closed: dict[tuple[str, str], BoolArray] = {}
        self._read(tables.calendar, timeline)

    @property
    def matter(self) -> bool:
        """Whether any day differs from any other."""
        return bool(self.closed) or any(not d.all() for d in self.order_days.values())

    def _order_days(
        self, suppliers: pd.DataFrame | None, timeline: Timeline
    ) -> dict[str, BoolArray]:
        if suppliers is None or "order_days" not in suppliers or timeline.freq != "D":
            return {}
        weekday = np.asarray(self.dates.weekday)
        return {
            str(name): np.isin(weekday, [int(d) for d in str(days).split(",")])
            for name, days in zip(suppliers["supplier"], suppliers["order_days"], strict=True)
        }

    def _read(self, calendar: pd.DataFrame | None, timeline: Timeline) -> None:
        if calendar is None or calendar.empty:
            return
        index = timeline.index_of(pd.DatetimeIndex(calendar["ds"])) - (timeline.num_periods - 1)
        shut, inside = ~calendar["open"].to_numpy(bool), (index >= 0) & (index <= self.reach)
        nobody = inside.copy()
        for kind in ("location", "supplier"):
            if kind not in calendar:
                continue
            names = calendar[kind].fillna("").astype(str).str.strip().to_numpy(object)
            for name in np.unique(names[inside & (names != "")]):
                rows = inside & (names == name)
                nobody &= ~rows
                self._close((kind, str(name)), index[rows], shut[rows], timeline)
        # A day of nobody in particular is everybody's.
        self._close(("all", ""), index[nobody], shut[nobody], timeline)

    def _close(
        self, key: tuple[str, str], at: IntArray, shut: BoolArray,
        timeline: Timeline,
    ) -> None:  # fmt: skip
        """Close the periods all of whose days are; one row a period stands for the whole of it."""
        listed = np.bincount(at, minlength=self.reach + 1)
        days = _DAYS_OF[frequency_unit(timeline.freq)] if listed.max(initial=0) > 1 else 1
        closed = np.bincount(at[shut], minlength=self.reach + 1) >= days
        if closed.any():
            self.closed[key] = closed

    def _shut(self, kind: str, name: str) -> BoolArray:
        none = np.zeros(self.reach + 1, bool)
        return self.closed.get((kind, name), none) | self.closed.get(("all", ""), none)

    def apply(
        self,
        series: pd.DataFrame,
        supplier: npt.NDArray[np.object_],
        terms: Terms,
        delay: FloatArray,
        horizon: int,
    ) -> Supply:
        """Return lead times and cycles that count open days, by supplier, place and terms."""
        location = _text(series, "location")
        frame = pd.DataFrame(
            {"s": supplier, "p": location, "l": terms.lead_time, "c": terms.interval}
        )
        lead, cycle = terms.lead_time.copy(), terms.interval.copy()
        order_in = np.zeros(len(series), np.int64)
        waits, shut = np.zeros(len(series), bool), np.zeros(len(series), bool)
        closed = np.zeros((len(series), horizon), bool)
        groups: Any = frame.groupby(["s", "p", "l", "c"]).indices
        for (who, where, periods, review), rows in groups.items():
            at, come, following = self._times(str(who), str(where), int(periods), int(review))
            waits[rows] = at >= review
            shut[rows] = at < review and following <= come
            order_in[rows] = at
            # What cannot be ordered yet is planned for as far as the forecast reaches.
            lead[rows] = min(come - 1, horizon) if shut[rows].any() else come - 1
            cycle[rows] = max(following - come, 1)
            closed[rows] = self._shut("location", str(where))[1 : horizon + 1]
        changed = _with_moved_laws(replace(terms, lead_time=lead, cycle=cycle), terms.lead_time)
        return Supply(
            changed,
            waits,
            shut,
            order_in=order_in,
            delay=delay,
            closed=closed if closed.any() else None,
        )

    def _times(self, who: str, where: str, lead: int, review: int) -> tuple[int, int, int]:
        """Return when the order is placed, when it arrives, and when the next one does.

        In periods after the review. A lead time counts the supplier's open days, and nothing is
        received while the place is closed.
        """
        takes = self.order_days.get(who, np.ones(self.reach + 1, bool)) & ~self._shut(
            "supplier", who
        )
        first = _next(takes, 0)
        following = _next(takes, max(review, first + 1))
        return (
            first,
            self._arrival(who, where, first, lead),
            self._arrival(who, where, following, lead),
        )

    def _arrival(self, who: str, where: str, at: int, lead: int) -> int:
        works, left = ~self._shut("supplier", who), lead
        period = at
        while left > 0 and period < self.reach:
            period += 1
            left -= bool(works[period])
        return _next(~self._shut("location", where), min(period + 1, self.reach))


def _with_moved_laws(terms: Terms, before: IntArray) -> Terms:
    """Return terms whose laws of lead times are as much longer as the lead times themselves."""
    if terms.law is None:
        return terms
    law, laws = terms.law.copy(), list(terms.laws)
    moved: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero((law >= 0) & (terms.lead_time != before)):
        key = (int(law[row]), int(terms.lead_time[row] - before[row]))
        if key not in moved:
            moved[key] = len(laws)
            old = laws[key[0]]
            laws.append(replace(old, periods=np.maximum(old.periods + key[1], 0)))
        law[row] = moved[key]
    return replace(terms, law=law, laws=tuple(laws))


def _next(open_days: BoolArray, first: int) -> int:
    """Return the first open day from one on; that one where none follows."""
    later = np.flatnonzero(open_days[first:])
    return first + int(later[0]) if len(later) else first


def _text(series: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    if column not in series:
        return np.full(len(series), "", object)
    return series[column].fillna("").astype(str).to_numpy(object)


def _numbers(series: pd.DataFrame, column: str) -> FloatArray:
    if column not in series:
        return np.full(len(series), np.nan)
    return series[column].to_numpy(np.float64)


def _by_supplier(
    suppliers: pd.DataFrame | None, names: npt.NDArray[np.object_], column: str
) -> FloatArray:
    """Return a supplier's number for each series, NaN where there is none."""
    if suppliers is None or column not in suppliers:
        return np.full(len(names), np.nan)
    values = suppliers.set_index(suppliers["supplier"].astype(str))[column].astype(np.float64)
    return np.asarray(values.reindex(names), np.float64)
