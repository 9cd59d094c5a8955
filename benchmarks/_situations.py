"""The situations a planner meets: what the files say, and what is right.

Every situation stands at three speeds of demand in a product of its own. Demand is drawn from a
known law (Poisson or negative binomial, with a pattern of weekdays), so that the order that is
right follows from the law and not from a forecast; see `_optimum`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmarks._optimum import Game, demand_law, window_costs
from invopt.types import FloatArray, IntArray

LAST = pd.Timestamp("2025-03-30")  # a Sunday; orders are placed at its end
LAST_WEEK = pd.Timestamp("2025-03-24")  # Monday of the last week sold
DAYS, WEEKS = 400, 150
LEAD_TIME, REVIEW = 3, 7
PRICE, UNIT_COST = 10.0, 6.0
HOLDING, STOCKOUT = 0.024, 3.5  # 0.004 of the unit cost a day, 0.35 of the price
WEEK = (1.0, 1.0, 1.0, 1.0, 1.2, 1.4, 0.6)
WEEKEND = (0.2, 0.2, 0.2, 0.3, 1.0, 3.8, 1.3)
CLOSED_MONDAYS = (0.0, 1.0, 1.0, 1.0, 1.2, 1.4, 0.6)
LIFT = 2.5
SPEEDS = {"slow": 0.3, "medium": 3.0, "fast": 8.0}
WEEKLY_SPEEDS = {"slow": 1.5, "medium": 15.0, "fast": 40.0}
_STAGES = 4
_HALVINGS = 30

Right = Literal["cost", "none", "blank", "exact"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One product at one place.

    Attributes:
        sku: Its code.
        mean: Demand of an average period, units.
        dispersion: Variance of demand over its mean.
        week: Factor of each weekday, Monday first; None for weekly data.
        on_hand: Units counted tonight; None where there is no record.
        backorders: Units that customers wait for.
        on_order: Units under way that the stock record tells without a date.
        orders: Open purchase orders: periods until due, units ordered, units received of it.
        terms: Columns of the article's row.
        promotions: Periods ahead with a promotion.
        sold: What is done to the drawn history, units by period.
        sold_late: True where that happened after the model was trained.
        games: What may come, by every reading of the files that a planner would accept.
        weights: Chance of each game; None where they are readings and the best one counts.
        allowed: Orders that a supplier takes; by `games[0]`.
        store: Place.
        has_history: False for an article never listed before.
    """

    sku: str
    mean: float
    dispersion: float = 1.0
    week: tuple[float, ...] | None = WEEK
    on_hand: int | None = 0
    backorders: int = 0
    on_order: int = 0
    orders: tuple[tuple[int, int, int], ...] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)
    promotions: tuple[int, ...] = ()
    sold: Callable[[IntArray], IntArray] | None = None
    sold_late: bool = False
    games: tuple[Game, ...] = field(default=(), repr=False)
    weights: tuple[float, ...] | None = None
    store: str = "S1"
    has_history: bool = True

    @property
    def unique_id(self) -> str:
        """Name of its series."""
        return f"{self.sku}_{self.store}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A situation at one speed of demand.

    Attributes:
        name: Of the situation.
        speed: Of demand.
        batch: Run it is played in: the files and settings it needs.
        lines: Its products; judged together where they share a supplier's rule.
        right: "cost": as cheap as the optimum; "none": nothing may be ordered; "blank": no
            quantity may be named; "exact": `quantity`.
        words: Exceptions of which one has to be there; none where no word is due.
        quantity: See right.
        budget: Money that the lines may cost together.
        min_value: Money that they have to cost together, if anything is ordered.
        shared: Rows of other tables, by table.
        in_short: True in the short form too.
    """

    name: str
    speed: str
    batch: str
    lines: tuple[Line, ...]
    right: Right = "cost"
    words: tuple[str, ...] = ()
    quantity: int | None = None
    budget: float | None = None
    min_value: float | None = None
    shared: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    in_short: bool = True


# ---- laws and games --------------------------------------------------------------------------


def laws(
    line: Line, num: int, changed: Mapping[int, float] | None = None
) -> tuple[FloatArray, ...]:
    """Return the law of demand of the next periods.

    Args:
        line: Its mean, dispersion and weekdays.
        num: Periods.
        changed: Mean of single periods that are not as usual, by period.
    """
    found = []
    for period in range(1, num + 1):
        mean = line.mean * _factor(line, LAST + pd.Timedelta(days=period))
        if period in line.promotions:
            mean *= LIFT
        found.append(demand_law((changed or {}).get(period, mean), line.dispersion))
    return tuple(found)


def _factor(line: Line, day: pd.Timestamp) -> float:
    if line.week is None:
        return 1.0
    return line.week[day.weekday()] * 7 / sum(line.week)


def game(
    line: Line,
    lead_time: int = LEAD_TIME,
    review: int = REVIEW,
    *,
    stages: int = _STAGES,
    changed: Mapping[int, float] | None = None,
    shelved: tuple[int, ...] | None = None,
    reviews: tuple[int, ...] | None = None,
    **facts: Any,
) -> Game:
    """Return the game of a line: an order tonight, another one every review.

    Args:
        line: Stock, open orders and demand; an order that is late arrives tomorrow.
        lead_time: Whole periods between.
        review: Periods between orders.
        stages: Orders looked at.
        changed: See laws.
        shelved: Periods in which orders can be sold first, where they do not follow from these.
        reviews: Periods at whose end they are placed, likewise.
        facts: Fields of Game.
    """
    reviews = reviews or tuple(n * review for n in range(stages + 1))
    shelved = shelved or tuple(r + lead_time + 1 for r in reviews)
    arrivals: dict[int, int] = {1: line.on_order} if line.on_order else {}
    for due, ordered, received in line.orders:
        arrivals[max(due, 1)] = arrivals.get(max(due, 1), 0) + ordered - received
    rules = {
        "holding": HOLDING, "stockout": STOCKOUT, "pack": int(line.terms.get("pack_size", 1)),
        "least": int(line.terms.get("min_order", 0)), **facts,
    }  # fmt: skip
    arrivals = {p: u for p, u in arrivals.items() if p < shelved[-1]}
    return Game(
        demand=laws(line, shelved[-1] - 1, changed), stock=(line.on_hand or 0) - line.backorders,
        reviews=reviews, shelved=shelved, arrivals=arrivals, **rules,
    )  # fmt: skip


def for_target(plain: Game, *, service: float | None = None, fill: float | None = None) -> Game:
    """Return the game whose cheapest order is the smallest one that keeps a promise.

    Args:
        plain: Its window counts alone.
        service: Chance of no stock-out from the order's arrival to the next one's, at least.
        fill: Share of the demand of these periods that is served, at least.
    """
    quantities = plain.quantities
    if service is not None:
        asked = np.ones(1)
        for law in plain.demand[: plain.shelved[1] - 1]:
            asked = np.convolve(asked, law)
        chance = asked.cumsum()
        level = int(np.argmax(chance >= service))
        target = max(level - plain.stock - sum(plain.arrivals.values()), 0)
    else:
        assert fill is not None
        missed = window_costs(replace(plain, holding=0.0, stockout=1.0))
        asked_for = sum(float(plain.demand[p - 1] @ np.arange(len(plain.demand[p - 1])))
                        for p in plain.window)  # fmt: skip
        target = int(quantities[int(np.argmax(missed <= (1 - fill) * asked_for))])
    low, high = 1e-3, 1e4
    for _ in range(_HALVINGS):  # the more a lost sale costs, the larger the cheapest order
        middle = float(np.sqrt(low * high))
        best = int(quantities[window_costs(replace(plain, stockout=middle)).argmin()])
        if best == target:
            break
        low, high = (middle, high) if best < target else (low, middle)
    return replace(plain, stockout=middle)


# ---- situations ------------------------------------------------------------------------------


def cases(short: bool = False) -> list[Case]:
    """Return every situation at every speed.

    Args:
        short: Only those of the first set of files, at medium demand.
    """
    if short:
        found = [case for make in _MAKERS for case in make("medium")]
        return [c for c in found if c.batch == "base" and c.in_short]
    found = [case for speed in SPEEDS for make in _MAKERS for case in make(speed)]
    found += [case for speed in WEEKLY_SPEEDS for case in _weekly(speed)]
    names = [f"{c.name} {c.speed}" for c in found]
    assert len(set(names)) == len(names)
    return found


def _line(name: str, speed: str, days: float = 3, **facts: Any) -> Line:
    """Return a line with stock for some days of its demand."""
    mean = SPEEDS[speed]
    facts.setdefault("on_hand", round(days * mean))
    return Line(sku=f"{name}-{speed}", mean=mean, **facts)


def _days(speed: str, days: float, least: int = 1) -> int:
    """Return units for some days of demand."""
    return max(round(days * SPEEDS[speed]), least)


def _played(name: str, speed: str, line: Line, *, batch: str = "base", **facts: Any) -> Case:
    """Return a case of one line, its game the usual one where it has none."""
    settings = facts.pop("settings", {})
    if not line.games:
        line = replace(line, games=(game(line, **settings),))
    return Case(name=name, speed=speed, batch=batch, lines=(line,), **facts)


def _stock_and_orders(speed: str) -> Iterator[Case]:
    """What is there and what is under way."""
    late = ("delivery_overdue",)
    empty = ("stockout_now", "stockout_before_arrival")
    yield _played("plain", speed, _line("plain", speed))
    yield _played("empty shelf", speed, _line("empty", speed, 0), words=empty)
    yield _played("enough", speed, _line("enough", speed, 15, on_hand=_days(speed, 15) + 3))
    yield _played(
        "excess", speed, _line("excess", speed, 250), right="none", words=("excess_stock",)
    )
    far = (60, _days(speed, 40), 0)
    yield _played("order due in two months", speed, _line("far", speed, orders=(far,)))
    yield _played(
        "empty and the order due in two months", speed,
        _line("farempty", speed, 0, orders=(far,)), words=(*empty, "delivery_too_late"),
    )  # fmt: skip
    yield _played(
        "order overdue", speed,
        _line("overdue", speed, 1, orders=((-10, _days(speed, 8), 0),)), words=late,
    )  # fmt: skip
    yield _played(
        "partly delivered, rest overdue", speed,
        _line("partly", speed, 1, orders=((-2, _days(speed, 12), _days(speed, 5)),)), words=late,
    )  # fmt: skip
    yield _played(
        "order arrives before ours", speed,
        _line("before", speed, 1, orders=((2, _days(speed, 4), 0),)),
    )  # fmt: skip
    yield _played(
        "order arrives after ours", speed,
        _line("after", speed, 3, orders=((8, _days(speed, 6), 0),)),
    )  # fmt: skip
    yield _played(
        "order arrives with the next one", speed,
        _line("withnext", speed, 3, orders=((11, _days(speed, 12), 0),)),
    )  # fmt: skip
    several = ((2, _days(speed, 2), 0), (6, _days(speed, 3), 0), (40, _days(speed, 20), 0))
    yield _played("several orders", speed, _line("several", speed, 1, orders=several))
    yield _played(
        "negative stock", speed, _line("negative", speed, on_hand=-_days(speed, 3)),
        words=("negative_stock",),
    )  # fmt: skip
    yield _played(
        "customers waiting", speed,
        _line("waiting", speed, 0, backorders=_days(speed, 3)), words=empty,
    )  # fmt: skip
    yield _played(
        "no stock record", speed, _line("norecord", speed, on_hand=None), right="blank",
        words=("no_stock_record",),
    )  # fmt: skip


def _demand(speed: str) -> Iterator[Case]:
    """What is sold, and what the records say of it."""
    yield _played("variable demand", speed, _line("variable", speed, dispersion=2.5))
    yield _played("weekends", speed, _line("weekend", speed, week=WEEKEND))
    yield _played("weekend ahead covered", speed, _line("weekendfull", speed, 11, week=WEEKEND))
    ahead = _line("promotion", speed, promotions=(5, 6, 7, 8, 9))
    yield _played("promotion ahead", speed, ahead, in_short=False)
    for name, units in (("bulk order", 120), ("barcode as quantity", 0)):
        spoilt = _spoilt(_days(speed, units, 60) if units else 4006381333931)
        line = _line(name.split(" ")[0], speed, sold=spoilt, sold_late=True)
        yield _played(name, speed, line, words=("outlier",))
    yield _played(
        "never sold", speed, _line("never", speed, on_hand=5, sold=lambda y: y * 0), right="none"
    )
    yield _played(
        "dead stock", speed, _line("dead", speed, 8, sold=_dead), right="none",
        words=("dead_stock",),
    )  # fmt: skip


def _spoilt(units: int) -> Callable[[Any], Any]:
    def put(sold: Any) -> Any:
        return np.concatenate([sold[:-2], [units], sold[-1:]])

    return put


def _dead(sold: Any) -> Any:
    return np.concatenate([sold[:-210], 0 * sold[-210:]])


def _terms(speed: str) -> Iterator[Case]:
    """What an article's row says."""

    def with_terms(name: str, code: str, days: float = 3, **facts: Any) -> Case:
        terms, words = facts.pop("terms"), facts.pop("words", ())
        line = _line(code, speed, days, terms=terms, **facts.pop("line", {}))
        return _played(name, speed, line, words=words, settings=facts)

    yield with_terms("lead time of a day", "lead1", terms={"lead_time": 1}, lead_time=1)
    yield with_terms("lead time of four weeks", "lead28", 20, terms={"lead_time": 28}, lead_time=28)
    yield _played(
        "lead time beyond the horizon", speed,
        _line("lead90", speed, terms={"lead_time": 90}), right="blank", words=("",),
    )  # fmt: skip
    yield with_terms("reviewed every day", "review1", terms={"review_period": 1}, review=1,
                     stages=8)  # fmt: skip
    yield with_terms("reviewed every fortnight", "review14", terms={"review_period": 14}, review=14)
    pack = _days(speed, 5, 4)
    yield with_terms("pack", "pack", terms={"pack_size": pack})
    yield with_terms("big pack, needed", "bigpack", 1, terms={"pack_size": _days(speed, 25, 8)})
    yield with_terms(
        "big pack, not needed", "bigpackfull", 12, terms={"pack_size": _days(speed, 40, 12)}
    )
    above = ("min_order_above_need",)
    yield with_terms(
        "minimum above need", "minimum", 3, terms={"min_order": _days(speed, 18, 9)}, words=above
    )
    yield with_terms(
        "minimum far above need", "minimumfar", 10,
        terms={"min_order": _days(speed, 60, 45)}, words=above,
    )  # fmt: skip
    most = _days(speed, 4, 1)
    yield with_terms("largest order", "maximum", 1, terms={"max_order": most}, most=most)
    full = _days(speed, 8, 3)
    line = _line("maxstock", speed, 2, terms={"max_stock": full})
    yield _played("full shelf", speed, replace(line, games=(
        game(line, max_stock=full), game(line, most=full),  # what is there now, or is left then
    )))  # fmt: skip
    yield with_terms("dear to hold", "dear", terms={"holding_cost": 0.4}, holding=0.4)
    yield with_terms("a sale matters", "matters", terms={"stockout_cost": 9.0}, stockout=9.0)
    yield with_terms("a sale matters little", "little", terms={"stockout_cost": 0.3}, stockout=0.3)
    yield from _targets(speed)
    wait, cost = _days(speed, 12), round(8 * SPEEDS[speed], 2)
    yield with_terms(
        "order cost, top-up waits", "ordercostwait", wait / SPEEDS[speed],
        terms={"order_cost": cost}, order_cost=cost, stages=6,
    )  # fmt: skip
    yield with_terms(
        "order cost, order for longer", "ordercost", 1, terms={"order_cost": cost},
        order_cost=cost, stages=6,
    )  # fmt: skip
    yield from _short_lives(speed)
    yield from _lives(speed)


def _targets(speed: str) -> Iterator[Case]:
    for name, code, promise in (
        ("service level of 80 %", "service80", {"service_level": 0.8}),
        ("service level of 98 %", "service98", {"service_level": 0.98}),
        ("fill rate of 90 %", "fill90", {"fill_rate": 0.9}),
        ("fill rate of 98 %", "fill98", {"fill_rate": 0.98}),
    ):
        line = _line(code, speed, terms=promise)
        aim = {k: v for k, v in zip(("service", "fill"), map(promise.get, (
            "service_level", "fill_rate")), strict=True) if v is not None}  # fmt: skip
        plain = game(line, stages=1)
        yield _played(name, speed, replace(line, games=(for_target(plain, **aim),)))


def _short_lives(speed: str) -> Iterator[Case]:
    """Shelf lives short enough that the age of what is there does not matter."""
    words, costs = ("will_expire",), {"stockout_cost": 6.0}
    old = _line("expires", speed, 8, terms={"shelf_life": 3, **costs})
    fresh = replace(old, on_hand=0)
    plain = game(fresh, stages=1, stockout=6.0, sells_until=6, waste=UNIT_COST)
    yield _played("stock expires before ours", speed, replace(old, games=(plain,)), words=words)
    terms = {"shelf_life": 5, "lead_time": 7, **costs}
    coming = _line("expiring", speed, 2, terms=terms, orders=((2, _days(speed, 20), 0),))
    gone = game(
        replace(coming, on_hand=0, orders=()), 7, stages=1, stockout=6.0, sells_until=12,
        waste=UNIT_COST,
    )  # fmt: skip
    yield _played("delivery expires before ours", speed, replace(coming, games=(gone,)),
                  words=words)  # fmt: skip
    short = _line("short", speed, 0, terms={"shelf_life": 4, **costs})
    sold = game(short, stages=1, stockout=6.0, sells_until=7, waste=UNIT_COST)
    yield _played("short shelf life", speed, replace(short, games=(sold,)),
                  words=("stockout_now", "stockout_before_arrival"))  # fmt: skip


def _lives(speed: str) -> Iterator[Case]:
    """Successors and articles that come or go."""

    def date(period: int) -> str:
        return f"{LAST + pd.Timedelta(days=period):%Y-%m-%d}"

    def none_from(line: Line, period: int) -> Game:
        return game(line, changed=dict.fromkeys(range(period, 60), 0.0))

    words = ("phase_out",)
    gone = _line("phaseout", speed, 1, terms={"phase_out": date(2)})
    yield _played("phased out before ours", speed, gone, right="none", words=words)
    going = _line("phasingout", speed, 3, terms={"phase_out": date(8)})
    yield _played(
        "phased out before the next one", speed,
        replace(going, games=(
            none_from(going, 8), none_from(going, 9),
            game(going, stages=1, sells_until=7, waste=UNIT_COST),
            game(going, stages=1, sells_until=8, waste=UNIT_COST),
        )),
        words=words,
    )  # fmt: skip
    old = _line("old", speed, 0, games=(), terms={"phase_out": date(0)})
    new = replace(_line("new", speed, 0, has_history=False), terms={"successor_of": old.sku})
    yield Case(name="successor", speed=speed, batch="base", lines=(
        replace(new, games=(game(new),)), replace(old, games=(_nothing(old),)),
    ), in_short=False)  # fmt: skip
    old = _line("oldfull", speed, 6, games=(), terms={"phase_out": date(30)})
    new = replace(_line("newwait", speed, 0, has_history=False), terms={"successor_of": old.sku})
    both = replace(new, on_hand=old.on_hand)
    yield Case(name="successor, predecessor in stock", speed=speed, batch="base", lines=(
        replace(new, games=(game(both),)), replace(old, games=(_nothing(old),)),
    ), in_short=False)  # fmt: skip
    coming = _line("coming", speed, 0, has_history=False)
    like = _line("like", speed, 7)
    coming = replace(coming, terms={"successor_of": like.sku, "phase_in": date(8)})
    begins = game(coming, changed=dict.fromkeys(range(1, 8), 0.0))
    yield Case(name="phased in within the window", speed=speed, batch="base", lines=(
        replace(coming, games=(begins,)), replace(like, games=(_nothing(like),)),
    ), in_short=False)  # fmt: skip


def _nothing(line: Line) -> Game:
    """Return the game of an article that nobody asks for any more."""
    return game(line, changed=dict.fromkeys(range(1, 60), 0.0))


def _backorders(speed: str) -> Iterator[Case]:
    """Customers that wait."""

    def waits(name: str, code: str, days: float = 3, **facts: Any) -> Case:
        line = _line(f"wait{code}", speed, days, **facts.pop("line", {}))
        words = facts.pop("words", ())
        return _played(
            f"customers wait: {name}", speed, line, batch="waiting", words=words,
            settings={"lost": False, **facts},
        )  # fmt: skip

    yield waits("plain", "plain")
    yield waits("empty shelf", "empty", 0, words=("stockout_now", "stockout_before_arrival"))
    yield waits("some wait already", "some", 0, line={"backorders": _days(speed, 3)},
                words=("stockout_now", "stockout_before_arrival"))  # fmt: skip
    yield waits("order due in two months", "far", line={"orders": ((60, _days(speed, 40), 0),)})
    yield waits("lead time of four weeks", "lead28", 20, line={"terms": {"lead_time": 28}},
                lead_time=28)  # fmt: skip
    yield waits("under way without a date", "undated", 1, line={"on_order": _days(speed, 5)})
    cost = round(8 * SPEEDS[speed], 2)
    yield waits("order cost", "ordercost", 1, line={"terms": {"order_cost": cost}},
                order_cost=cost, stages=6)  # fmt: skip


def _suppliers(speed: str) -> Iterator[Case]:
    """What a supplier demands and offers."""

    def at(name: str, supplier: Mapping[str, Any], lines: list[Line], **facts: Any) -> Case:
        code = f"{supplier['supplier']}-{speed}"
        kept = tuple(replace(x, terms={**x.terms, "supplier": code}) for x in lines)
        shared = {"suppliers": ({**supplier, "supplier": code},), **facts.pop("shared", {})}
        return Case(name=name, speed=speed, batch="suppliers", lines=kept, shared=shared, **facts)

    line = _line("slowship", speed, 9)
    yield at("lead time of the supplier", {"supplier": "far-east", "lead_time": 10},
             [replace(line, games=(game(line, 10),))])  # fmt: skip
    line = _line("sunday", speed, terms={"review_period": 1})
    yield at("one order day a week", {"supplier": "sundays", "lead_time": 3, "order_days": "Sun"},
             [replace(line, games=(game(line),))])  # fmt: skip
    line = _line("wednesday", speed, 8, terms={"review_period": 1})
    yield at("not an order day", {"supplier": "wednesdays", "lead_time": 3, "order_days": "Wed"},
             [replace(line, games=(game(line),))], right="none")  # fmt: skip
    pair = [_line(f"fill{n}", speed, days) for n, days in ((1, 2), (2, 4))]
    need = sum(_need(x) for x in pair) * UNIT_COST
    pair = [replace(x, games=(game(x),)) for x in pair]
    value = round(1.25 * need, 2)
    yield at("minimum value, filled up", {"supplier": "filled", "lead_time": 3,
             "min_value": value}, pair, min_value=value)  # fmt: skip
    pair = [_line(f"drop{n}", speed, days) for n, days in ((1, 10), (2, 11))]
    pair = [replace(x, games=(game(x),)) for x in pair]
    value = round(300 * SPEEDS[speed] * UNIT_COST + 600, 2)
    yield at("minimum value, dropped", {"supplier": "dropped", "lead_time": 3,
             "min_value": value}, pair, min_value=value)  # fmt: skip
    three = [
        _line(f"budget{n}", speed, 2, terms={"stockout_cost": cost})
        for n, cost in ((1, 1.5), (2, 3.5), (3, 7.0))
    ]
    three = [replace(x, games=(game(x, stockout=x.terms["stockout_cost"]),)) for x in three]
    money = round(0.6 * sum(_need(x) for x in three) * UNIT_COST, 2)
    yield at("budget", {"supplier": "budget", "lead_time": 3, "budget": money}, three,
             budget=money, words=("budget_cut",))  # fmt: skip
    line = _line("break", speed)
    start = max(round(1.3 * _need(line)), _need(line) + 1)
    yield at(
        "price break worth taking", {"supplier": "breaks", "lead_time": 3},
        [replace(line, games=(game(line, breaks={start: 0.9}, stages=8),))],
        shared=_break(line, start, UNIT_COST - 0.9),
    )  # fmt: skip
    line = _line("nobreak", speed)
    start = _days(speed, 150, 60)
    yield at(
        "price break not worth it", {"supplier": "nobreaks", "lead_time": 3},
        [replace(line, games=(game(line, breaks={start: 0.06}, stages=8),))],
        shared=_break(line, start, UNIT_COST - 0.06),
    )  # fmt: skip


def _need(line: Line) -> int:
    """Return what lead time and review ask for, less the stock, with some safety."""
    mean = line.mean * (LEAD_TIME + REVIEW)
    return max(round(mean + 1.7 * np.sqrt(mean)) - (line.on_hand or 0), 1)


def _break(line: Line, start: int, price: float) -> dict[str, tuple[dict[str, Any], ...]]:
    row = {"sku": line.sku, "store": line.store, "from_quantity": start, "unit_cost": price}
    return {"price_breaks": (row,)}


def _receipts(speed: str) -> Iterator[Case]:
    """Lead times that vary, as receipts tell."""
    for name, code, times in (
        ("lead times vary", "vary", (2, 3, 4, 9)),
        ("lead times are longer than agreed", "longer", (6, 6, 7)),
    ):
        line = _line(code, speed, 5, terms={"supplier": f"{code}-{speed}"})
        pairs = [(a, b) for a in times for b in times]
        games = tuple(
            game(line, shelved=(a + 1, REVIEW + b + 1), reviews=(0, REVIEW)) for a, b in pairs
        )
        rng = np.random.default_rng(len(code))
        ordered = pd.date_range(end=LAST - pd.Timedelta(days=12), periods=60, freq="6D")
        took = rng.permutation(np.resize(times, len(ordered)))
        rows = tuple(
            {"supplier": f"{code}-{speed}", "ordered": f"{day:%Y-%m-%d}",
             "received": f"{day + pd.Timedelta(days=int(n)):%Y-%m-%d}", "quantity": 20}
            for day, n in zip(ordered, took, strict=True)
        )  # fmt: skip
        supplier = {"supplier": f"{code}-{speed}", "lead_time": LEAD_TIME}
        yield Case(
            name=name, speed=speed, batch="receipts",
            lines=(replace(line, games=games, weights=(1 / len(games),) * len(games)),),
            shared={"receipts": rows, "suppliers": (supplier,)},
        )  # fmt: skip


def _calendars(speed: str) -> Iterator[Case]:
    """Days that neither sell, order nor receive."""

    def closed(who: str, name: str, periods: range) -> dict[str, tuple[dict[str, Any], ...]]:
        days = [LAST + pd.Timedelta(days=p) for p in periods]
        return {"calendar": tuple({who: name, "ds": f"{d:%Y-%m-%d}", "open": 0} for d in days)}

    supplier = f"holiday-{speed}"
    line = _line("holiday", speed, terms={"supplier": supplier})
    # Closed from period 8 to 20: next week's order takes three open days after that.
    games = tuple(
        game(line, reviews=(0, 7, 21, 28), shelved=(4, back, back + 7, back + 14))
        for back in (24, 21)
    )
    shared = closed("supplier", supplier, range(8, 21))
    shared["suppliers"] = ({"supplier": supplier, "lead_time": LEAD_TIME},)
    yield Case(
        name="supplier on holiday",
        speed=speed,
        batch="calendar",
        lines=(replace(line, games=games),),
        shared=shared,
    )
    line = _line("mondays", speed, week=CLOSED_MONDAYS, store=f"M-{speed}")
    mondays = game(line, reviews=(0, 7, 14, 21), shelved=(5, 12, 19, 26))
    yield Case(
        name="closed on Mondays",
        speed=speed,
        batch="calendar",
        lines=(replace(line, games=(mondays,)),),
        shared=closed("location", line.store, range(1 - 7 * 57, 60, 7)),
    )
    line = _line("closing", speed, store=f"C-{speed}")
    none = game(line, changed=dict.fromkeys(range(1, 60), 0.0))
    yield Case(
        name="closed for two months",
        speed=speed,
        batch="calendar",
        lines=(replace(line, games=(none,)),),
        right="none",
        shared=closed("location", line.store, range(1, 61)),
    )


def _overrides(speed: str) -> Iterator[Case]:
    """What a planner knows better."""

    def told(line: Line, kind: str, value: float, first: int, last: int) -> dict[str, Any]:
        dates = [f"{LAST + pd.Timedelta(days=p):%Y-%m-%d}" for p in (first, last)]
        return {"scope": line.unique_id, "from": dates[0], "to": dates[1], "kind": kind,
                "value": value, "who": "anna", "why": "fair in town",
                "made_at": f"{LAST:%Y-%m-%d}"}  # fmt: skip

    def case(name: str, line: Line, row: dict[str, Any], **facts: Any) -> Case:
        return Case(name=name, speed=speed, batch="overrides", lines=(line,), words=("overridden",),
                    shared={"overrides": (row,)}, **facts)  # fmt: skip

    line, asked = _line("event", speed), _days(speed, 12, 8)
    yield case("demand overridden", replace(line, games=(game(line, changed={6: asked}),)),
               told(line, "demand", asked, 6, 6))  # fmt: skip
    line = _line("double", speed)
    twice = {p: 2 * line.mean * _factor(line, LAST + pd.Timedelta(days=p)) for p in range(1, 29)}
    yield case("demand doubled", replace(line, games=(game(line, changed=twice),)),
               told(line, "factor", 2, 1, 28))  # fmt: skip
    line, units = _line("fixed", speed), _days(speed, 5, 3) + 2
    yield case("order overridden", replace(line, games=(game(line),)),
               told(line, "order", units, 1, 1), right="exact", quantity=units)  # fmt: skip
    line = _line("ranged", speed, terms={"range": f"garden-{speed}"})
    row = told(line, "factor", 2, 1, 28) | {"scope": f"range=garden-{speed}"}
    yield case("demand of a group doubled", replace(line, games=(game(line, changed=twice),)), row)


def _faults(speed: str) -> Iterator[Case]:
    """Rows of the article master that cannot be, beside others that can."""
    for name, code, terms in (
        ("pack of 0", "pack0", {"pack_size": 0}),
        ("unit cost of 0", "cost0", {"unit_cost": 0}),
        ("lead time of 2.5", "lead25", {"lead_time": 2.5}),
        ("two promises at once", "both", {"service_level": 0.9, "fill_rate": 0.95}),
        ("minimum above maximum", "minmax", {"min_order": 50, "max_order": 10}),
        ("succeeds itself", "itself", {"successor_of": f"itself-{speed}"}),
    ):
        yield _played(name, speed, _line(code, speed, terms=terms), batch="faults",
                      right="blank", words=("data_fault",))  # fmt: skip
    yield _played("beside faulty ones", speed, _line("sound", speed), batch="faults")


def _weekly(speed: str) -> Iterator[Case]:
    """Weeks instead of days."""
    mean = WEEKLY_SPEEDS[speed]

    def units(weeks: float) -> int:
        return max(round(weeks * mean), 1)

    def played(name: str, code: str, weeks: float, **facts: Any) -> Case:
        line = Line(sku=f"w{code}-{speed}", mean=mean, week=None, on_hand=round(weeks * mean),
                    **facts.pop("line", {}))  # fmt: skip
        words = facts.pop("words", ())
        settings = {"lead_time": 1, "review": 1, "stages": 6, "holding": 7 * HOLDING, **facts}
        return _played(f"weekly: {name}", speed, line, batch="weekly", words=words,
                       settings=settings)  # fmt: skip

    yield played("plain", "plain", 1)
    yield played("empty shelf", "empty", 0, words=("stockout_now", "stockout_before_arrival"))
    yield played("order due in a quarter", "far", 1, line={"orders": ((13, units(6), 0),)})
    yield played("order overdue", "overdue", 0.3, line={"orders": ((-2, units(1), 0),)},
                 words=("delivery_overdue",))  # fmt: skip
    yield played("lead time of four weeks", "lead4", 4, line={"terms": {"lead_time": 4}},
                 lead_time=4)  # fmt: skip
    yield played("pack", "pack", 1, line={"terms": {"pack_size": units(0.8)}})


_MAKERS: tuple[Callable[[str], Iterator[Case]], ...] = (
    _stock_and_orders, _demand, _terms, _backorders, _suppliers, _receipts, _calendars,
    _overrides, _faults,
)  # fmt: skip
