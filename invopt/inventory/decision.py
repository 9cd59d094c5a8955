"""The order of one review: from forecast, stock and costs to a quantity and what it will cost."""

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from invopt.config import InventoryConfig
from invopt.inventory.afterwards import FEW, Afterwards, falls
from invopt.inventory.aim import Aim, aim_at
from invopt.inventory.costs import Terms
from invopt.inventory.lost_sales import need_with_next
from invopt.inventory.lots import Later, change_per_interval, outlasts
from invopt.inventory.path import LeadLaw, Path, project
from invopt.inventory.paths import blocks, sampler_of
from invopt.inventory.perishables import Shelf, aim_before_expiry
from invopt.inventory.policy import Levels, levels_of, periods_ahead
from invopt.inventory.purchasing import Curve
from invopt.inventory.smoothing import smoothed
from invopt.inventory.stock import Stock
from invopt.panel import Panel
from invopt.types import BoolArray, Float32Array, FloatArray, IntArray

# Series whose demand paths are in memory at once.
_BLOCK = 1024
# Times as many paths as usual, so that a sale may be lost on a few however rare that is to be.
_MORE_PATHS, _FEW_PATHS = (1, 5, 25, 100), 2.5
_CURVE_POINTS, _CURVE_REACH = 32, 4.0  # of cost by quantity: points, and times the demand
_NEVER, _ROUNDING = 1e-9, 1e-6
_HALF = 0.5  # share of demand paths that is the median
_LOOKED_AT = 0.5  # units expected until the next order arrives
_MAY_BE_LEFT = 2.0  # times what is on the shelf: demand until a product's end that surely takes it


class SummedForecast(Protocol):
    """What a decision needs of a forecast; see invopt.forecasts.ForecastArrays."""

    @property
    def mean(self) -> Float32Array:
        """(series, horizon) units per period."""

    @property
    def smooth_quantiles(self) -> Float32Array:
        """(series, horizon, Q) units per period, with the jitter of counts."""

    @property
    def smooth_levels(self) -> Float32Array:
        """(series, horizon, R) units over the first periods, with the jitter of counts."""

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        """Q levels."""

    @property
    def level_quantiles(self) -> tuple[float, ...]:
        """R levels."""


@dataclass(frozen=True, kw_only=True)
class OrderDecision(Aim):
    """What to order now; arrays are (series,), NaN where nothing can be said.

    Attributes:
        levels: What the order aims at; levels of the position that counts.
        position: Units on hand and under way that arrive before the next order, less those
            that customers wait for.
        protection_interval: Periods until the next order arrives.
        curve: Cost by quantity, of the series that it was asked of.
    """

    levels: Levels
    position: FloatArray = field(repr=False)
    protection_interval: IntArray = field(repr=False)
    curve: Curve = field(repr=False)

    def with_rows(self, rows: IntArray, part: "OrderDecision") -> "OrderDecision":
        """Return the decision with another one for some series; the curve stays."""

        def joined(whole: Any, own: Any) -> dict[str, Any]:
            found = {n: v.copy() for n, v in vars(whole).items() if isinstance(v, np.ndarray)}
            for name, values in found.items():
                values[rows] = getattr(own, name)
            return found

        levels = replace(self.levels, **joined(self.levels, part.levels))
        return replace(self, **joined(self, part), levels=levels)


@dataclass(frozen=True, kw_only=True)
class ReviewRules:
    """What all series of one review are planned by.

    Attributes:
        config: Costs, policy, and limits of what is told.
        model_version: Put on every row.
        is_count: True when sales are whole numbers.
        last_levels: Order-up-to level of the review before by unique_id; None for a first one.
    """

    config: InventoryConfig
    model_version: str
    is_count: bool
    last_levels: "pd.Series[float] | None" = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision beside what it rests on, all of the same series.

    Attributes:
        panel: Up to the review.
        forecast: That was planned for.
        stock: As recorded.
        terms: With what suppliers say.
        decision: What to order.
        dead: Series that no longer sell, see dead_series; None where that was not asked.
        unit_cost: (series,) money per unit at the quantity ordered; the terms' where None.
    """

    panel: Panel
    forecast: SummedForecast = field(repr=False)
    stock: Stock = field(repr=False)
    terms: Terms = field(repr=False)
    decision: OrderDecision = field(repr=False)
    dead: BoolArray | None = field(default=None, repr=False)
    unit_cost: FloatArray | None = field(default=None, repr=False)


def decide(
    forecast: SummedForecast,
    terms: Terms,
    stock: Stock,
    config: InventoryConfig,
    *,
    is_count: bool,
    forced: FloatArray | None = None,
    curves: IntArray | None = None,
) -> OrderDecision:
    """Return the decision of one review under the configured policy.

    Every policy reads the projected path (invopt.inventory.path): "auto" and "lost_sales" take
    the quantity that costs least on it, "order_up_to" brings the position up to a quantile of
    demand over lead time and review period; what each is expected to cost comes from the path.

    Args:
        forecast: Of the series, from the review on.
        terms: Of the series.
        stock: Of the series.
        config: Policy, paths and seed.
        is_count: True when sales are whole numbers.
        forced: (series,) units to order in place of the policy's, NaN where it decides.
        curves: Series whose cost by quantity is wanted; none by default.

    Example:
        Ten a day for certain, lead time 2 and review 3: 20 on the shelf are sold when the order
        arrives, and three days of ten are left to order for:

        >>> from invopt.forecasts import ForecastArrays
        >>> from invopt.inventory.costs import terms_of
        >>> import pandas as pd
        >>> from invopt.inventory.stock import stock_of
        >>> mean, shares = np.full((1, 5), 10, np.float32), (0.5, 0.9)
        >>> sums = mean.cumsum(axis=1)[..., None].repeat(2, axis=2)
        >>> forecast = ForecastArrays(mean, mean[..., None].repeat(2, axis=2), sums, shares, shares,
        ...                           is_count=True)
        >>> config = InventoryConfig(holding_cost=1, stockout_cost=9, lead_time=2, review_period=3)
        >>> terms = terms_of({"unique_id": ["a"]}, None, config)
        >>> shelf = pd.DataFrame({"unique_id": ["a"], "on_hand": [20.0]})
        >>> stock = stock_of(np.array(["a"], object), shelf)
        >>> found = decide(forecast, terms, stock, config, is_count=True)
        >>> found.quantity.tolist(), found.levels.order_up_to.tolist(), found.unavoidable.tolist()
        ([30.0], [50.0], [0.0])
    """
    levels = levels_of(
        forecast.mean, forecast.smooth_levels, forecast.level_quantiles, terms, is_count=is_count
    )
    num = len(forecast.mean)
    curve = Curve.of(num, curves)
    work = _Work(
        forecast=forecast,
        levels=levels,
        terms=terms,
        stock=stock,
        config=config,
        forced=forced,
        is_count=is_count,
        curve=curve,
    )
    aim = Aim.unknown(num)
    orderable = ~np.isnan(stock.on_hand) & ~np.isnan(levels.expected_demand)
    law = np.full(num, -1) if terms.law is None else terms.law
    more = _more_paths(terms, config.num_paths)
    kinds = np.stack([terms.lead_time, terms.interval, law, more], axis=1)[orderable]
    rows = np.flatnonzero(orderable)
    for numbers in np.unique(kinds, axis=0):
        own, kind = rows[(kinds == numbers).all(axis=1)], _Kind(*map(int, numbers))
        for block in blocks(len(own), max(_BLOCK // kind.more, 1)):
            aim.put(own[block], work.aim(own[block], kind))
    return OrderDecision(
        **vars(aim), levels=_reached(work, aim, orderable), position=work.position,
        protection_interval=terms.protection_interval, curve=curve,
    )  # fmt: skip


def _more_paths(terms: Terms, num_paths: int) -> IntArray:
    """Return (series,) how many times as many paths tell what an order is worth.

    The path that comes to most stands for a share of all that may happen: of what is rarer nothing
    would be expected, and nothing held for it, whatever it costs.
    """
    kept = terms.critical_ratio
    if terms.fill_rate is not None:
        kept = np.fmax(kept, terms.fill_rate)
    rare = np.maximum((1 - kept) * num_paths, _NEVER)  # paths on which a sale may be lost
    place = np.searchsorted(_MORE_PATHS[:-1], _FEW_PATHS / rare - _ROUNDING)
    return np.asarray(_MORE_PATHS, np.int64)[place]


@dataclass(frozen=True)
class _Kind:
    """What series have in common that are decided together.

    Attributes:
        lead_time: Periods.
        cycle: Periods from one order to the next.
        law: Number of the law of lead times; -1 for none.
        more: Times as many paths as usual.
    """

    lead_time: int
    cycle: int
    law: int
    more: int


@dataclass(kw_only=True)
class _Work:
    """What every block of a decision shares."""

    forecast: SummedForecast
    levels: Levels
    terms: Terms
    stock: Stock
    config: InventoryConfig
    forced: FloatArray | None
    is_count: bool
    curve: Curve

    def __post_init__(self) -> None:
        terms = self.terms
        # What cannot be ordered, as its lead time is too long, draws no demand.
        known = ~np.isnan(self.levels.expected_demand)
        longest = int(terms.protection_interval[known].max(initial=1))
        for number, law in enumerate(terms.laws):
            if terms.law is not None and (terms.law[known] == number).any():
                longest = max(longest, 2 * int(law.periods.max()) + int(terms.interval.max()))
        reach = longest + max(terms.review_period, int(terms.interval.max(initial=1)))
        if terms.ends_in is not None:
            ends = np.nan_to_num(terms.ends_in, posinf=0).max(initial=0)
            reach = max(reach, min(int(ends), self.forecast.mean.shape[1]))
        if terms.shelf_life is not None:
            kept = terms.lead_time + np.ceil(np.where(self._expire(), terms.shelf_life, 0))
            reach = max(reach, int(kept.max(initial=0)))
        self.position = self.stock.counted(self.terms.protection_interval)
        self.reach = reach

    def aim(self, rows: IntArray, kind: _Kind) -> Aim:
        """Return the aim of series of one kind."""
        config, terms = self.config, self.terms.select(rows)
        times = self._law(kind)
        demand = self._demand(rows, int(times.stop.max()), kind)
        start = self.stock.on_hand[rows] - self.stock.backorders[rows]
        arrivals = self.stock.arrivals[rows]
        path = project(
            start, arrivals, demand, times, lost_sales=config.is_lost, is_count=self.is_count
        )
        charged = self._charged(terms, rows, kind)
        wanted, position = None, self.position[rows]
        if config.policy == "order_up_to":
            wanted = self.levels.order_up_to[rows] - position
        forced = None if self.forced is None else self.forced[rows]
        later = self._later(rows, path, terms, kind)
        found = aim_at(
            path, terms, charged, position, is_count=self.is_count, wanted=wanted, forced=forced,
            later=later,
        )  # fmt: skip
        if wanted is None:
            self._look_further(found, path, rows, kind, charged=charged, later=later)
        if config.order_smoothing:
            found = self._smoothed(found, path, terms, charged, rows=rows, cycle=kind.cycle)
        asked = self.levels.expected_demand[rows]
        self._date(found, path, arrivals, asked, int(times.lead.min()))
        if terms.shelf_life is not None:
            self._before_expiry(found, path, rows, kind)
        self._draw_curves(found, path, rows, later)
        return found

    def _later(self, rows: IntArray, path: Path, terms: Terms, kind: _Kind) -> Later | None:
        """Return what comes after the order's own interval; None where no order lasts longer."""
        if (
            terms.order_cost is None
            and terms.ends_in is None
            and not outlasts(path.outlook, terms).any()
        ):
            return None
        lead_time, mean = kind.lead_time, self.forecast.mean[rows]
        ends = np.full(len(rows), np.inf)
        if terms.ends_in is not None:
            ends = np.where(np.isnan(terms.ends_in), np.inf, terms.ends_in - 1)
        first, horizon = lead_time + kind.cycle, mean.shape[1]
        known = np.minimum(ends, horizon) - first
        pace = mean[:, first:].sum(axis=1, dtype=np.float64) / np.maximum(known, 1) * kind.cycle
        demand = np.where(known >= 1, pace, path.outlook.demand)
        return Later(demand, np.maximum((ends - lead_time) / kind.cycle, 1.0))

    def _look_further(
        self,
        aim: Aim,
        path: Path,
        rows: IntArray,
        kind: _Kind,
        *,
        charged: Terms,
        later: Later | None,
    ) -> None:
        """Order anew where what is left over lies long, or never sells."""
        terms, first = self.terms.select(rows), kind.lead_time + kind.cycle
        means = self._following(rows, kind)
        matters = np.zeros(len(rows), bool)
        if means is not None:
            matters |= falls(path.outlook.demand, means[:, 0])
        ends = np.zeros(len(rows), bool)
        if terms.ends_in is not None:
            assert later is not None
            left = np.maximum(terms.ends_in - 1 - first, 0) / kind.cycle
            there = np.maximum(path.at_arrival, 0) + np.nan_to_num(aim.quantity)
            with np.errstate(invalid="ignore"):
                ends = (left > 0) & (left * later.demand < _MAY_BE_LEFT * (there + 1))
        for promise in (terms.service_level, terms.fill_rate):
            if promise is not None:
                matters &= np.isnan(promise)
                ends &= np.isnan(promise)
        at = np.flatnonzero((matters | ends) & (aim.need > 0))
        if len(at):
            own = aim.take(at)
            self._aim_further(own, path.select(at), rows[at], kind, ends[at], charged.select(at))
            aim.put(at, own)

    def _aim_further(
        self, aim: Aim, path: Path, rows: IntArray, kind: _Kind, ends: BoolArray, charged: Terms
    ) -> None:
        """Order series anew by all that their units cost, those that end among them."""
        terms = self.terms.select(rows)
        means = self._following(rows, kind)
        later = self._later(rows, path, terms, kind) or Later.alike(path.outlook)
        stranded = np.where(ends, terms.unit_cost, 0.0)
        if terms.stranded is not None:
            stranded = np.where(ends, stranded, terms.stranded)
        after = Afterwards(
            level=np.maximum(path.at_arrival, 0) + np.maximum(aim.need, 0),
            own=path.outlook.demand,
            means=later.demand[:, None] if means is None else means,
            cycle=kind.cycle,
            ends=later.intervals - 1,
            until_end=self._until_end(rows, kind, ends) if ends.any() else None,
        )
        groups = np.searchsorted(FEW, after.intervals)
        forced = None if self.forced is None else self.forced[rows]
        for group in np.unique(groups):
            few = np.flatnonzero(groups == group)
            own, lost = path.select(few), stranded[few]
            part = aim_at(
                own, replace(terms.select(few), stranded=lost),
                replace(charged.select(few), stranded=lost), self.position[rows[few]],
                is_count=self.is_count, forced=None if forced is None else forced[few],
                later=later.select(few), further=after.select(few).extend(own),
            )  # fmt: skip
            aim.put(few, part)

    def _following(self, rows: IntArray, kind: _Kind) -> FloatArray | None:
        """Return (rows, intervals) expected demand of the intervals after the order's own.

        None where the forecast does not reach to the end of the first of them.
        """
        first, horizon = kind.lead_time + kind.cycle, self.forecast.mean.shape[1]
        number = (horizon - first) // kind.cycle
        if number < 1:
            return None
        ahead = self.forecast.mean[rows, first : first + number * kind.cycle]
        by_interval = ahead.reshape(len(rows), number, kind.cycle)
        return np.asarray(by_interval.sum(axis=2), np.float64)

    def _until_end(self, rows: IntArray, kind: _Kind, ends: BoolArray) -> Float32Array:
        """Return (rows, paths) demand from the next order's arrival until the product ends."""
        assert self.terms.ends_in is not None
        horizon = self.forecast.mean.shape[1]
        end = np.where(ends, self.terms.ends_in[rows] - 1, 0)
        last = np.minimum(end, horizon).astype(np.int64)
        stop = self._law(kind).stop
        reach = max(int(last.max()), int(stop.max()))
        total = self._demand(rows, reach, kind).cumsum(axis=0)
        paths = np.arange(len(stop))
        until = total[np.maximum(last, 1) - 1, np.arange(len(rows))]
        found = until - total[stop - 1, :, paths].T
        # Beyond the forecast its last week repeats, by its mean.
        week = self.forecast.mean[rows][:, periods_ahead(horizon, horizon + 7)[horizon:]]
        beyond = week.mean(axis=1, dtype=np.float64) * np.maximum(end - horizon, 0)
        return np.asarray(np.maximum(found, 0) + beyond[:, None], np.float32)

    def _expire(self) -> BoolArray:
        """Return the series whose shelf life may end before it is known what sells by then."""
        terms, horizon = self.terms, self.forecast.smooth_quantiles.shape[1]
        assert terms.shelf_life is not None
        life = np.nan_to_num(terms.shelf_life, nan=np.inf)
        # What is there may expire before the next order arrives, however far its own life reaches.
        known = horizon + terms.interval - terms.lead_time
        return np.asarray((life < terms.protection_interval) | (life <= known))

    def _smoothed(
        self, aim: Aim, path: Path, terms: Terms, charged: Terms, rows: IntArray, cycle: int
    ) -> Aim:
        """Return the aim with orders nearer to the usual one; see smoothing.smoothed.

        What a planner or a source has set stands.
        """
        usual = self.forecast.mean[rows].mean(axis=1, dtype=np.float64) * cycle
        room, share = terms.room(self.position[rows]), self.config.order_smoothing
        wanted = smoothed(aim.quantity, usual, path.outlook, charged, room=room, share=share)
        if self.forced is not None:
            wanted = np.where(np.isnan(self.forced[rows]), wanted, aim.quantity)
        moved = np.flatnonzero(wanted != aim.quantity)
        if not len(moved):
            return aim
        part = aim_at(
            path.select(moved), terms.select(moved), charged.select(moved),
            self.position[rows[moved]], is_count=self.is_count, forced=wanted[moved],
        )  # fmt: skip
        old = aim.take(moved)
        kept = {name: getattr(old, name) for name in ("need", "point", "limited")}
        aim.put(moved, replace(part, **kept, before_smoothing=old.quantity))
        return aim

    def _draw_curves(self, aim: Aim, path: Path, rows: IntArray, later: Later | None) -> None:
        """Fill in the cost by quantity of the series that it is wanted of."""
        at = np.flatnonzero(self.curve.place[rows] >= 0)
        if not len(at):
            return
        own, costs = path.outlook.select(at), self.terms.select(rows[at])
        quantity = aim.quantity[at]
        spread = np.maximum(_CURVE_REACH * (own.demand + np.abs(quantity)), costs.pack_size)
        below = np.linspace(0, 1, _CURVE_POINTS // 2)[:-1]
        above = np.linspace(0, 1, _CURVE_POINTS // 2 + 1) ** 2
        grid = np.concatenate(
            [quantity[:, None] * below, quantity[:, None] + spread[:, None] * above], axis=1
        )
        nothing, place = np.zeros(len(at)), self.curve.place[rows[at]]
        lots = np.flatnonzero(outlasts(own, costs))
        lot, few = own.select(lots), costs.select(lots)
        follows = Later.alike(lot) if later is None else later.select(at[lots])
        for number in range(grid.shape[1]):
            cost = own.change(
                nothing, grid[:, number], costs.holding_cost, costs.stockout_cost, costs.stranded
            )
            if len(lots):
                cost[lots] = change_per_interval(
                    lot, few, follows, nothing[lots], grid[lots, number],
                    lost_sales=self.config.is_lost,
                )  # fmt: skip
            self.curve.cost[place, number] = cost
        self.curve.quantity[place] = grid

    def _law(self, kind: _Kind) -> LeadLaw:
        num = self.config.num_paths * kind.more
        if kind.law < 0:
            return LeadLaw.fixed(kind.lead_time, kind.cycle, num)
        times = self.terms.laws[kind.law]
        return LeadLaw.drawn(times.shares, times.periods, kind.cycle, num)

    def _demand(self, rows: IntArray, reach: int, kind: _Kind) -> Float32Array:
        """Return (reach, series, paths) units."""
        forecast, config = self.forecast, self.config
        horizon = forecast.smooth_quantiles.shape[1]
        inside = max(min(kind.lead_time + kind.cycle, horizon), 1)
        places = periods_ahead(horizon, reach)
        sampler = sampler_of(
            self.reach, config.num_paths * kind.more, config.seed,
            tuple(forecast.quantile_levels), tuple(forecast.level_quantiles),
        )  # fmt: skip
        return sampler.paths(
            forecast.smooth_quantiles[rows][:, places], forecast.mean[rows][:, places],
            forecast.smooth_levels[rows, inside - 1], inside, is_count=self.is_count,
        )  # fmt: skip

    def _charged(self, terms: Terms, rows: IntArray, kind: _Kind) -> Terms:
        """Return terms with what a unit held and a sale saved are worth to the order.

        The lost-sales policy charges a leftover for holding_periods, or looks at the next order
        where the horizon holds its periods.
        """
        config, lead_time = self.config, kind.lead_time
        if config.policy != "lost_sales":
            return terms
        if config.holding_periods is not None:
            return replace(terms, holding_cost=terms.holding_cost * config.holding_periods)
        reach = lead_time + 2 * kind.cycle
        if self.forecast.smooth_quantiles.shape[1] < reach:
            return terms
        demand = self._demand(rows, reach, kind).transpose(1, 0, 2)
        start = self.stock.on_hand[rows] - self.stock.backorders[rows]
        need = need_with_next(
            start, self.stock.arrivals[rows, : lead_time + kind.cycle], demand.astype(np.float64),
            lead_time=lead_time, holding_cost=terms.holding_cost, stockout_cost=terms.stockout_cost,
        )  # fmt: skip
        return replace(terms, stockout_cost=need.sale)

    def _date(
        self, aim: Aim, path: Path, arrivals: FloatArray, asked: FloatArray, lead_time: int
    ) -> None:
        """Say when half of the demand paths find the shelf empty, the order placed.

        Nobody is told of a shelf that hardly anybody looks at.
        """
        dry = path.dry.copy()
        num, stop = dry.shape
        quantity = aim.quantity.astype(np.float32)[:, None]
        if self.config.is_lost:  # what runs dry stays so to the end, and few do
            rows = np.flatnonzero((path.missing >= quantity).mean(axis=1) >= _HALF)
        else:
            rows = np.arange(num)
        num_paths = path.missing.shape[1]
        before = dry[:, lead_time - 1, None] if lead_time else np.zeros((num, 1))
        dry[:, lead_time:] = before
        over = path.holding[rows].reshape(len(rows), stop - lead_time, num_paths)
        missed, empty = (f(over, quantity[rows][:, None]) for f in (np.greater, np.greater_equal))
        come = np.zeros((len(rows), stop), bool)
        width = min(stop, arrivals.shape[1])
        come[:, :width] = arrivals[rows, :width] > 0
        missed[:, 1:] |= empty[:, :-1] & ~come[:, lead_time + 1 :, None]
        dry[rows, lead_time:] = np.maximum(missed.mean(axis=2), before[rows])
        found = (dry >= _HALF) & (asked >= _LOOKED_AT)[:, None]
        aim.dry_in[:] = np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, np.nan)

    def _before_expiry(self, aim: Aim, path: Path, rows: IntArray, kind: _Kind) -> None:
        """Order anew where stock may outlive its shelf life."""
        life = self.terms.shelf_life
        assert life is not None
        short = np.flatnonzero(self._expire()[rows])
        for spell in np.unique(life[rows][short]):
            at = short[life[rows][short] == spell]
            own, days = rows[at], int(np.ceil(spell))
            reach = kind.lead_time + max(kind.cycle, days)
            demand = self._demand(own, reach, kind)
            shelf = Shelf(
                start=self.stock.on_hand[own] - self.stock.backorders[own],
                arrivals=self.stock.arrivals[own],
                demand=demand,
                life=days,
                lead_time=kind.lead_time,
                cycle=kind.cycle,
                lost_sales=self.config.is_lost,
            )
            some = shelf.outlived(aim.quantity[at])
            if not some.any():
                continue
            at, own = at[some], own[some]
            aim.put(
                at,
                aim_before_expiry(
                    aim.take(at),
                    path.select(at),
                    self.terms.select(own),
                    shelf.select(some),
                    position=self.position[own],
                    forced=None if self.forced is None else self.forced[own],
                ),
            )


def _reached(work: _Work, aim: Aim, orderable: BoolArray) -> Levels:
    """Return the levels that an aim comes to; those of the forecast where none is known."""
    levels, position = work.levels, work.position
    level = np.where(orderable, position + aim.need, levels.order_up_to)
    point = np.where(orderable, position + aim.point, levels.reorder_point)
    if work.config.policy == "order_up_to":
        by_level = True if work.terms.fill_rate is None else np.isnan(work.terms.fill_rate)
        level = np.where(by_level, levels.order_up_to, level)
    return replace(
        levels,
        order_up_to=level,
        reorder_point=point,
        safety_stock=level - levels.expected_demand,
    )
