"""What an order placed today costs when the law of demand is known: by enumeration, no estimate.

Small on purpose, and apart from `invopt.inventory`, which it judges. Clock: a period receives at
its start, sells, and pays at its end `holding` for a unit left and `stockout` for a unit asked for
in vain. Orders are placed at the end of a period. Costs count from the start of the period in
which today's order is on the shelf; what happens before cannot be changed any more.

Later orders are placed as well as can be: `costs` goes back from the last period over every stock
that can be and every order allowed. Two games have no small state, and are played otherwise: with
a random lead time, or units that expire, only the periods up to the next arrival count
(`window_costs`), and lost sales with a lead time of a review or longer are played on paths
(`path_costs`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from scipy.stats import nbinom, poisson

from invopt.types import FloatArray, IntArray

_TAIL = 1e-9  # chance that is put on the largest demand looked at
_NUM_PATHS, _SEED = 4000, 7
_MANY = 1e12  # money that no allowed order costs


@cache
def demand_law(mean: float, dispersion: float = 1.0) -> FloatArray:
    """Return P(demand = 0, 1, ...) of a period: Poisson, or negative binomial.

    Args:
        mean: Units.
        dispersion: Variance over mean; 1 is Poisson.
    """
    if mean <= 0:
        return np.ones(1)
    law = poisson(mean)
    if dispersion > 1:
        law = nbinom(mean / (dispersion - 1), 1 / dispersion)
    chances = law.pmf(np.arange(int(law.isf(_TAIL)) + 2))
    chances[-1] += 1 - chances.sum()
    return np.asarray(chances, np.float64)


@dataclass(frozen=True, kw_only=True)
class Game:
    """One product from today on.

    Attributes:
        demand: Law of each period, the first is tomorrow's; at least up to the last arrival.
        stock: Units on the shelf tonight; below 0 customers are waiting.
        reviews: Periods at whose end orders are placed; the first is 0, today.
        shelved: For each, the period at whose start its order can be sold.
        holding: Money per unit left at the end of a period.
        stockout: Money per unit asked for in vain.
        lost: Such demand is lost (True) or waits (False).
        arrivals: Units under way by the period at whose start they arrive.
        pack: Orders are multiples of it.
        least: Smallest order but none.
        most: Largest order.
        max_stock: Units on the shelf and under way that an order may not exceed.
        order_cost: Money of an order, however large.
        breaks: Quantity from which a unit costs how much less.
        sells_until: Last period in which the units of today's order can be sold; None for ever.
        waste: Money per unit of it left then.
    """

    demand: tuple[FloatArray, ...] = field(repr=False)
    stock: int
    reviews: tuple[int, ...]
    shelved: tuple[int, ...]
    holding: float
    stockout: float
    lost: bool = True
    arrivals: Mapping[int, int] = field(default_factory=dict)
    pack: int = 1
    least: int = 0
    most: int | None = None
    max_stock: int | None = None
    order_cost: float = 0.0
    breaks: Mapping[int, float] = field(default_factory=dict)
    sells_until: int | None = None
    waste: float = 0.0

    @property
    def window(self) -> range:
        """The periods today's order decides: from its arrival until the next one's."""
        return range(self.shelved[0], self.shelved[1])

    @cached_property
    def quantities(self) -> IntArray:
        """Every order looked at, ascending, the first is 0."""
        until = self.shelved[min(2, len(self.shelved) - 1)]
        mean = sum(_mean(law) for law in self.demand[:until])
        top = int(mean + 8 * np.sqrt(mean + 1)) + max(0, -self.stock) + 2 * self.pack
        top += max([self.least, *(q + q // 2 for q in self.breaks)])
        if self.order_cost:
            top += int(2 * np.sqrt(2 * self.order_cost * mean / until / self.holding))
        found = np.arange(0, top + self.pack, self.pack)
        found = found[(found == 0) | (found >= self.least)]
        return found if self.most is None else found[found <= self.most]

    def is_allowed(self, quantity: float) -> bool:
        """Return whether the supplier and the shelf take an order."""
        inside = self.most is None or quantity <= self.most
        if self.max_stock is not None and quantity > 0:
            inside &= self.stock + sum(self.arrivals.values()) + quantity <= self.max_stock
        return bool(
            quantity >= 0 and quantity % self.pack == 0
            and (quantity == 0 or quantity >= self.least) and inside
        )  # fmt: skip

    def charges(self) -> FloatArray:
        """Return what each of `quantities` costs to order, against its units bought singly."""
        quantities = self.quantities
        found = np.where(quantities > 0, self.order_cost, 0.0)
        saving = np.zeros(len(quantities))
        for start in sorted(self.breaks):
            saving = np.where(quantities >= start, self.breaks[start], saving)
        return found - saving * quantities


def costs(game: Game) -> FloatArray:
    """Return by quantity what ordering it today costs, later orders being the best there are.

    Args:
        game: `quantities` are the orders today and later.
    """
    if game.sells_until is not None:
        return window_costs(game)
    if not game.lost:
        return _waiting_costs(game)
    if all(a <= r for a, r in zip(game.shelved, game.reviews[1:], strict=False)):
        return _lost_costs(game)
    return path_costs(game)


def _mean(law: FloatArray) -> float:
    return float(law @ np.arange(len(law)))


class _Shelf:
    """The step of one period over every stock from -waiting up, demand in excess lost."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.zero = max(-game.stock, 0)
        held = max(game.stock, 0) + sum(game.arrivals.values()) + int(game.quantities[-1])
        more = game.order_cost or game.breaks or game.least  # an order may pay on a full shelf
        top = held + int(game.quantities[-1]) * bool(more)
        self.units = np.arange(-self.zero, top + 1)

    def cost(self, period: int) -> FloatArray:
        """Return what a period costs by the stock at its start."""
        law = self.game.demand[period - 1]
        stock = np.maximum(self.units, 0)
        missed = _short(stock, law)
        left = stock - _mean(law) + missed
        return np.asarray(self.game.holding * left + self.game.stockout * missed)

    def before(self, values: FloatArray, period: int) -> FloatArray:
        """Return the mean of values by stock at a period's end, by the stock at its start.

        Nothing is sold from a stock below 0: what arrives goes to who waits.
        """
        law = self.game.demand[period - 1]
        shelf = values[self.zero :]
        padded = np.concatenate([np.repeat(shelf[:1], len(law) - 1, axis=0), shelf])
        found = np.zeros_like(shelf)
        for asked, chance in enumerate(law):
            first = len(law) - 1 - asked
            found += chance * padded[first : first + len(shelf)]
        return np.concatenate([values[: self.zero], found])

    def after(self, law: FloatArray, period: int) -> FloatArray:
        """Return the law of the stock at a period's end from that at its start."""
        asked = self.game.demand[period - 1]
        left = np.convolve(law[self.zero :], asked[::-1])
        kept = left[len(asked) - 1 :].copy()
        kept[0] += left[: len(asked) - 1].sum()
        return np.concatenate([law[: self.zero], kept])

    def moved(self, values: FloatArray, units: int | IntArray) -> FloatArray:
        """Return values at a stock so much larger; the largest stands for what is beyond it."""
        row = np.arange(len(self.units)).reshape(-1, *[1] * np.ndim(units)) + units
        return np.asarray(values[np.minimum(row, len(self.units) - 1)])

    def arriving(self, period: int) -> int:
        """Return the units under way that arrive at a period's start."""
        return self.game.arrivals.get(period, 0)


def _lost_costs(game: Game) -> FloatArray:
    """Go back from the last period: value by stock, and by stock and order before its arrival."""
    shelf, quantities = _Shelf(game), game.quantities
    value = _worth_left(game, shelf.units)
    last = game.shelved[-1] - 1
    for number in reversed(range(len(game.reviews) - 1)):
        end = game.reviews[number + 1] if number + 2 < len(game.reviews) else last
        today = number == 0
        for period in range(end, game.shelved[number], -1):
            total = shelf.cost(period) + shelf.before(value, period)
            value = shelf.moved(total, shelf.arriving(period))
        arrival = game.shelved[number]
        total = shelf.cost(arrival) + shelf.before(value, arrival)
        if today:
            total += game.stockout * np.maximum(-shelf.units, 0)
        pending = shelf.moved(total, shelf.arriving(arrival) + quantities)
        for period in range(arrival - 1, game.reviews[number], -1):
            pending = shelf.before(pending, period)
            if not today:
                pending += shelf.cost(period)[:, None]
            pending = shelf.moved(pending, shelf.arriving(period))
        choices = pending + game.charges() + _crowding(game, number, shelf.units)
        if today:
            return np.asarray(choices[game.stock + shelf.zero])
        value = choices.min(axis=1)
    raise ValueError("a game needs two reviews")


def _worth_left(game: Game, units: IntArray) -> FloatArray:
    """Return by stock after the last period what it cost less than its units bought singly.

    Without it the last orders would be bought for nothing but their rebate.
    """
    return np.maximum(units, 0) * max(game.breaks.values(), default=0.0)


def _crowding(game: Game, number: int, units: IntArray) -> FloatArray:
    """Return by stock and order an amount out of reach where there is no room for it."""
    found = np.zeros((len(units), len(game.quantities)))
    if game.breaks:  # a rebate on units beyond the largest stock looked at would be free money
        found[(units[:, None] + game.quantities > units[-1]) & (game.quantities > 0)] = _MANY
    if game.max_stock is not None:
        under_way = sum(u for p, u in game.arrivals.items() if p > game.reviews[number])
        reached = units[:, None] + under_way + game.quantities
        found[(reached > game.max_stock) & (game.quantities > 0)] = _MANY
    return found


def window_costs(game: Game) -> FloatArray:
    """Return by quantity the cost up to the next order's arrival alone.

    What is left of the order after `sells_until` is thrown away.
    """
    if not game.lost:
        window = _waiting_window(game, 0)
        return window[game.quantities + game.stock - _low(game)] + game.charges()
    shelf = _Shelf(game)
    law = np.zeros(len(shelf.units))
    law[game.stock + shelf.zero] = 1
    for period in range(1, game.shelved[0]):
        law = shelf.after(_received(law, shelf.arriving(period)), period)
    value = np.zeros(len(shelf.units))
    for period in reversed(game.window):
        if period == game.sells_until:
            value = value[shelf.zero] + game.waste * np.maximum(shelf.units, 0)
        value = shelf.cost(period) + shelf.before(value, period)
        if period > game.shelved[0]:
            value = shelf.moved(value, shelf.arriving(period))
    value = value + game.stockout * np.maximum(-shelf.units, 0)
    now = shelf.moved(value, shelf.arriving(game.shelved[0]) + game.quantities)
    return np.asarray(law @ now) + game.charges()


def _received(law: FloatArray, units: int) -> FloatArray:
    """Return the law of the stock after an arrival."""
    if not units:
        return law
    found = np.zeros(len(law))
    found[units:] = law[:-units]
    found[-1] += law[-units:].sum()
    return found


def _low(game: Game) -> int:
    total = sum(_mean(law) for law in game.demand)
    return min(game.stock, 0) - int(total + 8 * np.sqrt(total + 1))


def _waiting_costs(game: Game) -> FloatArray:
    """Go back over the reviews: value by stock on the shelf and ordered, less who waits."""
    low, quantities = _low(game), game.quantities
    top = max(game.stock, 0) + sum(game.arrivals.values()) + 2 * int(quantities[-1])
    units = np.arange(low, top + 1)

    def sold_down(value: FloatArray, here: int, after: int) -> FloatArray:
        law = _sum_of(game.demand[here:after])
        arrived = sum(u for p, u in game.arrivals.items() if here < p <= after)
        place = np.arange(len(units))[:, None] + arrived - np.arange(len(law))
        return np.asarray(value[place.clip(0, len(units) - 1)] @ law)

    value = sold_down(_worth_left(game, units), game.reviews[-1], game.shelved[-1] - 1)
    for number in reversed(range(len(game.reviews) - 1)):
        here, after = game.reviews[number], game.reviews[number + 1]
        later = sold_down(value, here, after)
        total = _waiting_window(game, number, top) + later
        ahead = np.arange(len(units))[:, None] + quantities
        choices = total[ahead.clip(0, len(units) - 1)] + game.charges()
        choices += _crowding(game, number, units)
        if number == 0:
            return np.asarray(choices[game.stock - low])
        value = choices.min(axis=1)
    raise ValueError("a game needs two reviews")


def _waiting_window(game: Game, number: int, top: int | None = None) -> FloatArray:
    """Return what the periods an order decides cost, by stock right after it was placed.

    A unit is charged for in the period it was asked for in vain.
    """
    if top is None:
        top = max(game.stock, 0) + int(game.quantities[-1])
    units = np.arange(_low(game), top + 1)
    here = game.reviews[number]
    cost = np.zeros(len(units))
    for period in range(game.shelved[number], game.shelved[number + 1]):
        arrived = sum(u for p, u in game.arrivals.items() if here < p <= period)
        before, now = (_sum_of(game.demand[here:end]) for end in (period - 1, period))
        stock = units + arrived
        missed = _short(stock, now) - _short(stock, before)
        cost += game.holding * (stock - _mean(now) + _short(stock, now)) + game.stockout * missed
    return cost


def _short(stock: IntArray, law: FloatArray) -> FloatArray:
    """Return E(demand - stock)+ by stock."""
    return np.asarray(np.maximum(np.arange(len(law)) - stock[:, None], 0) @ law)


def _sum_of(laws: tuple[FloatArray, ...]) -> FloatArray:
    found = np.ones(1)
    for law in laws:
        found = np.convolve(found, law)
        kept = len(found) - int(np.argmax(np.cumsum(found[::-1]) > _TAIL / 1000))
        found = found[:kept]
    return found


def path_costs(game: Game) -> FloatArray:
    """Return by quantity the mean cost on the same paths, later orders up to the best level.

    Only for lost sales; the level is the cheapest constant one over the periods after the window.
    """
    rng = np.random.default_rng(_SEED)
    horizon = game.shelved[-1] - 1
    draws = np.stack([
        rng.choice(len(law), _NUM_PATHS, p=law) for law in game.demand[:horizon]
    ])  # fmt: skip
    likely = game.quantities
    window = int(sum(_mean(law) for law in game.demand[: game.shelved[1] - 1]))
    levels = np.unique(np.linspace(window * 0.5, window * 1.6 + 4, 25).astype(np.int64))
    ordered = max(window - game.stock - sum(game.arrivals.values()), 0)
    ordered = int(likely[np.abs(likely - ordered).argmin()])
    tried = [_played(game, draws, np.array([ordered]), level)[0] for level in levels]
    best = int(levels[int(np.argmin(tried))])
    return _played(game, draws, likely, best) + game.charges()


def _played(game: Game, draws: IntArray, quantities: IntArray, level: int) -> FloatArray:
    """Return by today's quantity the mean cost from its arrival on."""
    stock = np.full((len(quantities), draws.shape[1]), game.stock, np.int64)
    due: dict[int, IntArray] = {game.shelved[0]: quantities[:, None] + 0 * stock}
    found = np.zeros(len(quantities))
    review = dict(zip(game.reviews[1:-1], game.shelved[1:], strict=False))
    for period in range(1, len(draws) + 1):
        stock = stock + game.arrivals.get(period, 0) + due.pop(period, 0)
        if period == game.shelved[0]:
            found += game.stockout * np.maximum(-stock, 0).mean(axis=1)
        asked = draws[period - 1]
        short = np.maximum(asked - np.maximum(stock, 0), 0)
        stock = np.where(stock < 0, stock, np.maximum(stock - asked, 0))
        if period >= game.shelved[0]:
            cost = game.holding * np.maximum(stock, 0) + game.stockout * short
            found += cost.mean(axis=1)
        if period in review:
            under_way = sum(due.values()) + sum(
                u for p, u in game.arrivals.items() if period < p <= review[period]
            )
            missing = np.maximum(level - stock - under_way, 0)
            order = -(-missing // game.pack) * game.pack
            order = np.where((order > 0) & (order < game.least), game.least, order)
            due[review[period]] = order if game.most is None else np.minimum(order, game.most)
    return found
