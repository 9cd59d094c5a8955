"""What an order should bring: the cheapest multiple of the pack on the projected path."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np

from invopt.inventory.costs import Terms
from invopt.inventory.halving import FINE, largest
from invopt.inventory.lots import Later, change_per_interval, lots_of, outlasts
from invopt.inventory.path import IntervalOutlook, Path
from invopt.types import BoolArray, FloatArray, IntArray

Change = Callable[[FloatArray, FloatArray], FloatArray]
_TINY = 1e-9
_RARE = 1e-3  # units missed before arrival that are not looked at


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What an order should bring and what it does; arrays are (series,), filled in by blocks.

    The order's own interval is from its arrival to the next one's.

    Attributes:
        need: Units the order should bring, before packs and limits; below 0 when there is too
            much already.
        point: Largest change of the stock at which the review still orders; units.
        quantity: Units to order.
        holding_cost: Expected, of the order's own interval; money.
        stockout_cost: Expected, of the same periods; money.
        one_less: Change of both together by ordering one pack less; NaN where nothing is ordered.
        one_more: The same for one pack more.
        unavoidable: Expected units missed before the order arrives, whatever is ordered.
        dry_in: First period ahead, from 1, that half of the demand paths begin with an empty
            shelf or have missed a sale by; NaN where none is before the next order's arrival.
        expired: Expected units that outlive their shelf life, up to the end of the interval.
        saved: Change of cost that the order brings, against none; money. What an order line costs
            is taken off.
        before_smoothing: Units that cost least where another quantity is nearer to the usual order;
            NaN where nothing was smoothed.
        limited: True where a limit or a minimum changed the quantity.
    """

    need: FloatArray = field(repr=False)
    point: FloatArray = field(repr=False)
    quantity: FloatArray = field(repr=False)
    holding_cost: FloatArray = field(repr=False)
    stockout_cost: FloatArray = field(repr=False)
    one_less: FloatArray = field(repr=False)
    one_more: FloatArray = field(repr=False)
    unavoidable: FloatArray = field(repr=False)
    dry_in: FloatArray = field(repr=False)
    expired: FloatArray = field(repr=False)
    saved: FloatArray = field(repr=False)
    before_smoothing: FloatArray = field(repr=False)
    limited: BoolArray = field(repr=False)

    @classmethod
    def unknown(cls, num: int) -> "Aim":
        """Return an aim of which nothing is known."""
        names = [f.name for f in fields(cls) if f.name != "limited"]
        return cls(**{n: np.full(num, np.nan) for n in names}, limited=np.zeros(num, bool))

    def put(self, rows: IntArray, part: "Aim") -> None:
        """Fill in some series."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(part, f.name)

    def take(self, rows: IntArray) -> "Aim":
        """Return some series."""
        return Aim(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def aim_at(
    path: Path,
    terms: Terms,
    charged: Terms,
    position: FloatArray,
    *,
    is_count: bool,
    wanted: FloatArray | None = None,
    forced: FloatArray | None = None,
    later: Later | None = None,
    further: Path | None = None,
) -> Aim:
    """Return the aim of series with one path each.

    Args:
        path: Without a new order.
        terms: What costs are told by.
        charged: What the quantity is chosen by; the same terms for most policies.
        position: (series,) units that count already; see Decision.
        is_count: True when units are whole.
        wanted: (series,) units that a level asks for, in place of what the path says; no level
            says what a fill rate asks for.
        forced: (series,) units to order, NaN where it is ours to say.
        later: What comes after the order's own interval; more of the same by default.
        further: The same path with what its units cost after that, by which the quantity is
            chosen; see Afterwards.extend.

    Example:
        The newsvendor: demand 1 to 100, all alike, and a ratio of 9 / (9 + 1) ask for 90. Held are
        then (0 + ... + 89) / 100 units, missed (1 + ... + 10) / 100 at 9 each:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> costs = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"]}, None, costs)
        >>> demand, law = np.arange(1, 101, dtype=np.float32)[None, None], LeadLaw.fixed(0, 1, 100)
        >>> nothing = np.zeros(1)
        >>> path = project(nothing, np.zeros((1, 1)), demand, law, lost_sales=True)
        >>> aim = aim_at(path, terms, terms, nothing, is_count=True)
        >>> np.stack([aim.quantity, aim.holding_cost, aim.stockout_cost]).round(2).ravel().tolist()
        [90.0, 40.05, 4.95]

        Where a line costs K the lot of Harris (1913), sqrt(2 K mean / h): of 1300 a year, here 25
        a week, at 8 a line and 0.225 a unit and year 304.1 (Snyder and Shen, example 3.1), which
        is twelve weeks of 25:

        >>> weekly = {"unique_id": ["a"], "holding_cost": [0.225 / 52], "order_cost": [8.0]}
        >>> terms, week = terms_of(weekly, None, costs), np.full((1, 1, 100), 25, np.float32)
        >>> path = project(nothing, np.zeros((1, 1)), week, law, lost_sales=True)
        >>> aim_at(path, terms, terms, nothing, is_count=True).quantity.tolist()
        [300.0]
    """
    later = later or Later.alike(path.outlook)
    criterion, timely = _criteria(path, further or path, charged, later)
    lossy = np.flatnonzero(path.missed_before > _RARE)
    need, above = _needs(criterion, timely, lossy, wanted, is_count=is_count)
    promise = criterion.promise if wanted is None else np.ones(len(wanted), bool)
    quantity = _packs_of(need, promise, terms.pack_size, criterion)
    lot, line = lots_of(criterion.lasting, terms, later, need, promise)
    pack = terms.pack_size
    whole = np.maximum(np.rint(lot / pack) * pack, quantity)
    several = (quantity > 0) & (whole > quantity)
    weighed = Weighed(promise, own=quantity, line=line)
    ordered, limited = within_limits(
        np.where(several, whole, quantity), terms, position, criterion.change, weighed,
        forced=forced,
    )  # fmt: skip
    point = _reorder_point(timely, terms, above, weighed, is_count=is_count)
    promise = promise | several
    found = aim_of(path, terms, need, point, ordered, change=criterion.change)
    # Whoever waits was missed before the order arrives: that is told as unavoidable, once. That it
    # serves them is what an order is for, and is counted in what it saves.
    told = terms.stockout_cost * path.missed_twice(ordered)
    found = replace(
        found,
        limited=limited,
        stockout_cost=found.stockout_cost - told,
        saved=_saved(found.saved, ordered, terms, criterion.change, weighed, forced),
    )
    # A quantity that was not chosen by cost says nothing of what its neighbours cost.
    for values in (found.one_less, found.one_more):
        values[promise | (limited & (values < 0))] = np.nan
    return found


def _packs_of(
    need: FloatArray, promise: BoolArray, pack: FloatArray, criterion: "_Criterion"
) -> FloatArray:
    """Return the whole packs that are needed; the last one where it is promised or pays."""
    quantity = np.floor(np.maximum(need, 0) / pack + _TINY) * pack
    rest = need > quantity + _TINY
    if rest.any():
        pays = criterion.change(quantity, np.where(rest, pack, 0)) < 0
        quantity += (rest & (promise | pays)) * pack
    return quantity


def aim_of(
    path: Path, terms: Terms, need: FloatArray, point: FloatArray, quantity: FloatArray,
    change: Change,
) -> Aim:  # fmt: skip
    """Return the aim of a quantity that nothing limits, with what it and its neighbours cost.

    Example:
        A sure demand of 3 and an order of 4: the fourth is held for 1; a pack of 2
        less misses a sale at 9 and saves that 1, a pack more is held for 2:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> from invopt.inventory.path import LeadLaw, project
        >>> costs = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=0, review_period=1)
        >>> terms = terms_of({"unique_id": ["a"], "pack_size": [2.0]}, None, costs)
        >>> nothing, four = np.zeros(1), np.array([4.0])
        >>> demand, law = np.full((1, 1, 1), 3, np.float32), LeadLaw.fixed(0, 1, 1)
        >>> path = project(nothing, np.zeros((1, 1)), demand, law, lost_sales=True)
        >>> def change(quantity, step):
        ...     return path.outlook.change(quantity, step, terms.holding_cost, terms.stockout_cost)
        >>> aim = aim_of(path, terms, nothing + 3, nothing + 2, four, change)
        >>> aim.holding_cost.tolist(), aim.one_less.tolist(), aim.one_more.tolist()
        ([1.0], [8.0], [2.0])
    """
    pack = terms.pack_size
    one_less = -change(np.maximum(quantity - pack, 0), np.minimum(pack, quantity))
    return Aim(
        need=need,
        point=point,
        quantity=quantity,
        holding_cost=terms.holding_cost * path.outlook.held(quantity),
        stockout_cost=terms.stockout_cost * path.outlook.missed(quantity),
        one_less=np.where(quantity > 0, one_less, np.nan),
        one_more=change(quantity, pack),
        unavoidable=path.missed_before,
        dry_in=np.full(len(need), np.nan),
        expired=np.zeros(len(need)),
        saved=-change(np.zeros_like(quantity), quantity) + 0.0,
        before_smoothing=np.full(len(need), np.nan),
        limited=np.zeros(len(need), bool),
    )


@dataclass(frozen=True)
class Weighed:
    """What the cost of an order line is weighed against.

    Attributes:
        promise: True where a service is promised: it is kept whatever a line costs.
        own: (series,) units of the quantity that its own interval asks for; None for all.
        line: (series,) money that waiting for an interval saves; None for the order line.
    """

    promise: BoolArray = field(repr=False)
    own: FloatArray | None = field(default=None, repr=False)
    line: FloatArray | None = field(default=None, repr=False)


def _saved(
    saved: FloatArray,
    quantity: FloatArray,
    terms: Terms,
    change: Change,
    weighed: Weighed,
    forced: FloatArray | None,
) -> FloatArray:
    """Return the money that orders save, those whose line costs as they were weighed.

    Of a lot that lasts for several intervals what its own interval asks for counts, against the
    part of the line's cost that waiting for an interval would save.
    """
    assert weighed.line is not None
    assert weighed.own is not None
    costs = (weighed.line > 0) & (quantity > 0)
    if forced is not None:
        costs &= np.isnan(forced)
    if not costs.any():
        return saved
    judged = np.minimum(quantity, np.maximum(weighed.own, terms.least_order))
    return np.where(costs, -change(np.zeros_like(judged), judged) - weighed.line, saved)


def within_limits(
    quantity: FloatArray,
    terms: Terms,
    position: FloatArray,
    change: Change,
    weighed: Weighed,
    *,
    forced: FloatArray | None = None,
) -> tuple[FloatArray, BoolArray]:
    """Return the quantity that minimum, maxima and the cost of an order line leave.

    An order below its minimum is raised to it or dropped, whichever is cheaper; one that does not
    pay its line waits.

    Args:
        quantity: (series,) units, whole packs.
        terms: Limits.
        position: (series,) units that count already; a full shelf takes nothing beside them.
        change: Of the cost, from a quantity by a step.
        weighed: What the cost of a line is weighed against.
        forced: (series,) units that a planner has set; NaN where none.

    Example:
        Eighteen in packs of 6, at most 15 at once: two packs. Six, at least 20 at once, where every
        unit more saves: four packs:

        >>> from invopt.config import InventoryConfig
        >>> from invopt.inventory.costs import terms_of
        >>> series = {"unique_id": ["a", "b"], "pack_size": [6.0, 6.0], "max_order": [15.0, np.nan],
        ...           "min_order": [0.0, 20.0]}
        >>> terms = terms_of(series, None, InventoryConfig())
        >>> units, limited = within_limits(
        ...     np.array([18.0, 6.0]), terms, np.zeros(2), lambda units, step: -step,
        ...     Weighed(np.zeros(2, bool)),
        ... )
        >>> units.tolist(), limited.tolist()
        ([12.0, 24.0], [True, True])
    """
    pack, found = terms.pack_size, quantity
    least = np.ceil(terms.min_order / pack - _TINY) * pack
    found = np.where(found > _TINY, np.maximum(found, least), 0.0)
    cap = np.floor(terms.room(position) / pack + _TINY) * pack
    found = np.minimum(found, cap)
    found = np.where(found < least - _TINY, 0.0, found)
    own, line = weighed.own, weighed.line
    if line is None:
        line = np.zeros_like(found)
        if terms.order_cost is not None:
            line = np.nan_to_num(terms.order_cost)
    asked = (found > 0) & ~weighed.promise & ((found > quantity) | (line > 0))
    if asked.any():
        judged = found if own is None else np.minimum(found, np.maximum(own, least))
        found = np.where(asked & (change(np.zeros_like(found), judged) + line >= 0), 0.0, found)
    if forced is not None:
        found = np.where(np.isnan(forced), found, forced)
    return found, found != quantity


def _criteria(
    path: Path, further: Path, terms: Terms, later: Later
) -> "tuple[_Criterion, _Criterion]":
    """Return by what a quantity is chosen, and the same as if stock were enough until it comes.

    Args:
        path: Of the order's own interval.
        further: The same path, with what its units cost after that.
        terms: What units are charged with.
        later: What comes after the own interval.
    """
    is_lost, in_time = path.owed is None, path.in_time()
    timely = in_time if further is path else further.in_time()
    return (
        _Criterion(further.outlook, terms, path.outlook, later, lost_sales=is_lost),
        _Criterion(timely, terms, in_time, later, lost_sales=is_lost),
    )


class _Criterion:
    """Says whether a unit more is wanted: by cost, or by a promised service.

    Attributes:
        ahead: What an order changes, by which units are chosen.
        terms: What units are charged with.
        own: What an order changes in its own interval.
        later: What comes after it.
    """

    def __init__(
        self,
        ahead: IntervalOutlook,
        terms: Terms,
        own: IntervalOutlook,
        later: Later,
        *,
        lost_sales: bool,
    ) -> None:
        self.ahead, self.terms, self.own, self.later = ahead, terms, own, later
        self.lost_sales = lost_sales
        num = len(terms.pack_size)
        nothing = np.full(num, np.nan)
        self.service = nothing if terms.service_level is None else terms.service_level
        self.fill = nothing if terms.fill_rate is None else terms.fill_rate
        self.promise = ~np.isnan(self.service) | ~np.isnan(self.fill)
        self.lots = np.flatnonzero(outlasts(own, terms))

    @property
    def lasting(self) -> IntervalOutlook:
        """What an order changes in its own interval, and what of it never sells."""
        return replace(self.own, leaving=self.ahead.leaving)

    def select(self, rows: IntArray) -> "_Criterion":
        """Return the criterion of some series."""
        return _Criterion(
            self.ahead.select(rows), self.terms.select(rows), self.own.select(rows),
            self.later.select(rows), lost_sales=self.lost_sales,
        )  # fmt: skip

    def change(self, quantity: FloatArray, step: FloatArray) -> FloatArray:
        """Return (series,) change of cost by a step; per interval where it lasts for several."""
        found = self._change(quantity, step)
        rows = self.lots
        if len(rows):
            found[rows] = change_per_interval(
                self.lasting.select(rows), self.terms.select(rows), self.later.select(rows),
                quantity[rows], step[rows], lost_sales=self.lost_sales,
            )  # fmt: skip
        return found

    def _change(self, quantity: FloatArray, step: FloatArray) -> FloatArray:
        terms = self.terms
        return self.ahead.change(
            quantity, step, terms.holding_cost, terms.stockout_cost, terms.stranded
        )

    def wants(self, quantity: FloatArray, step: FloatArray) -> BoolArray:
        """Return where a step more is wanted."""
        wanted = self._change(quantity, step) < -_TINY * self.terms.stockout_cost * step
        if self.promise.any():
            missed = self.ahead.missed(quantity) > (1 - self.fill) * self.ahead.demand + _TINY
            short = self.ahead.short(quantity) > 1 - self.service + _TINY
            wanted = np.where(np.isnan(self.service), wanted, short)
            wanted = np.where(np.isnan(self.fill), wanted, missed)
        return wanted

    def need(self, *, is_count: bool) -> FloatArray:
        """Return the units that cost least, or keep the promise."""
        low, high = self.ahead.bounds
        low = low - 1
        if not is_count:
            step = np.maximum(high - low, 1) * FINE
            return largest(lambda s: self.wants(s, step), low - step, high, whole=False)
        one = np.ones_like(low)
        return largest(lambda s: self.wants(s, one), low, high, whole=True) + 1


def _needs(
    criterion: _Criterion,
    timely: _Criterion,
    lossy: IntArray,
    wanted: FloatArray | None,
    *,
    is_count: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return the units an order should bring, and those above which no order is placed.

    Args:
        criterion: Of the series.
        timely: Of the series, as if nothing were lost before the order arrives.
        lossy: Series that lose sales before the order arrives, whatever it brings.
        wanted: As aim_at.
        is_count: True when units are whole.
    """
    by_level = np.zeros(len(criterion.fill), bool) if wanted is None else np.isnan(criterion.fill)
    if wanted is not None and by_level.all():
        return wanted, wanted
    need = criterion.need(is_count=is_count)
    above = need.copy()
    if len(lossy):
        above[lossy] = timely.select(lossy).need(is_count=is_count)
    if wanted is not None:
        need, above = (np.where(by_level, wanted, found) for found in (need, above))
    return need, above


def _reorder_point(
    timely: _Criterion,
    terms: Terms,
    above: FloatArray,
    weighed: Weighed,
    *,
    is_count: bool,
) -> FloatArray:
    """Return the largest change of the stock at which an order is still placed.

    Stock that is enough until the order arrives: what is lost before does not count.
    """
    assert weighed.line is not None
    line = weighed.line
    point = above - 1 if is_count else above.copy()
    pack = terms.pack_size
    asked = ~weighed.promise & ((pack > 1) | (line > 0) | (terms.min_order > pack))
    rows = np.flatnonzero(asked)
    if not len(rows):
        return point
    own, packs = timely.select(rows), pack[rows]
    least = terms.least_order[rows]

    def orders(shift: FloatArray) -> BoolArray:
        step = np.maximum(np.floor((above[rows] - shift) / packs + _TINY) * packs, least)
        return -own.change(shift, step) > line[rows] + _TINY

    # A pack all of whose units are wanted is ordered; a line or a minimum may ask for more.
    low = np.where((line[rows] > 0) | (least > packs), own.ahead.bounds[0] - 1, above[rows]) - least
    low = np.minimum(low, above[rows] - least)
    point[rows] = largest(orders, np.floor(low), np.ceil(above[rows]), whole=is_count)
    return point
