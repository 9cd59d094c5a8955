"""Whether an order is right: its cost beside that of the optimum, and its exception's words."""

from dataclasses import dataclass, replace

import numpy as np

from benchmarks._optimum import Game, costs, demand_law, window_costs
from benchmarks._situations import UNIT_COST, Case, Line
from invopt.types import BoolArray, FloatArray, IntArray

TOLERANCE = 0.1  # of the optimum's cost
_NUM_PATHS = 2001


@dataclass(frozen=True)
class Verdict:
    """What became of an order.

    Attributes:
        ratio: Its cost over the optimum's; 1 where a rule decides and is kept, infinite where
            it is broken or no order was given.
        is_right: Within the tolerance and a pack, or the rule is kept.
        best: The optimum's quantities, by line.
        words: False where an exception that is due is missing.
        silent: True where the shelf runs dry before the next arrival and nothing says so.
    """

    ratio: float
    is_right: bool
    best: tuple[float, ...] = ()
    words: bool = True
    silent: bool = False


class Judge:
    """The costs of one case, enumerated once and asked many times."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tables = [] if case.right in ("blank", "exact") else [_tables(x) for x in case.lines]

    def best(self) -> tuple[float, ...]:
        """Return an optimum: the quantity of each line."""
        case = self.case
        if case.right == "blank":
            return (np.nan,)
        if case.right == "exact":
            assert case.quantity is not None
            return (float(case.quantity),)
        if case.right == "none":
            return (0.0,) * len(case.lines)
        if case.budget is not None or case.min_value is not None:
            return self._shared()[1]
        return tuple(float(t[0].quantities[t[0].costs.argmin()]) for t in self.tables)

    def quantity(self, ordered: tuple[float, ...]) -> Verdict:
        """Return the verdict over quantities alone.

        Args:
            ordered: By line; NaN where none is named.
        """
        case, best = self.case, self.best()
        if case.right == "blank":
            kept = bool(np.isnan(ordered).all())
            return Verdict(1.0 if kept else np.inf, kept, best)
        if case.right == "none":
            kept = not np.nan_to_num(ordered).any()
            return Verdict(1.0 if kept else np.inf, kept, best)
        if np.isnan(ordered).any():
            return Verdict(np.inf, False, best)
        if case.right == "exact":
            kept = ordered == best
            return Verdict(1.0 if kept else np.inf, kept, best)
        if case.budget is not None or case.min_value is not None:
            return self._judged_together(ordered, best)
        found = [_best_reading(t, q) for t, q in zip(self.tables, ordered, strict=True)]
        ratio = max(r for r, _ in found)
        return Verdict(ratio, all(right for _, right in found), best)

    def _shared(self) -> tuple[float, tuple[float, ...]]:
        """Return the least cost of lines that share a supplier's rule, and their quantities."""
        combined, chosen = np.zeros(1), [np.zeros((1, 0))]
        for table in (t[0] for t in self.tables):
            own = np.full(int(table.quantities[-1]) + 1, np.inf)
            own[table.quantities] = table.costs
            sums = np.full(len(combined) + len(own) - 1, np.inf)
            picks = np.zeros((len(sums), chosen[-1].shape[1] + 1))
            for units, cost in enumerate(own):
                place = slice(units, units + len(combined))
                better = combined + cost < sums[place]
                sums[place] = np.where(better, combined + cost, sums[place])
                row = np.column_stack([chosen[-1], np.full(len(combined), units)])
                picks[place][better] = row[better]
            combined, chosen = sums, [picks]
        value = np.arange(len(combined)) * UNIT_COST
        fits = self._fits(value)
        at = int(np.where(fits, combined, np.inf).argmin())
        return float(combined[at]), tuple(chosen[-1][at].tolist())

    def _fits(self, value: FloatArray) -> BoolArray:
        fits = np.ones(np.shape(value), bool)
        if self.case.budget is not None:
            fits &= value <= self.case.budget + 1e-9
        if self.case.min_value is not None:
            fits &= (value == 0) | (value >= self.case.min_value - 1e-9)
        return np.asarray(fits)

    def _judged_together(self, ordered: tuple[float, ...], best: tuple[float, ...]) -> Verdict:
        if not self._fits(np.asarray(sum(ordered) * UNIT_COST)):
            return Verdict(np.inf, False, best)
        tables = [t[0] for t in self.tables]
        regret = sum(t.at(q) for t, q in zip(tables, ordered, strict=True)) - sum(
            t.at(q) for t, q in zip(tables, best, strict=True)
        )
        scale = sum(t.scale(q) for t, q in zip(tables, best, strict=True))
        limit = TOLERANCE * scale + max(t.pack for t in tables)
        return Verdict(1 + regret / scale, bool(regret <= limit), best)

    def full(self, ordered: tuple[float, ...], exceptions: tuple[str, ...]) -> Verdict:
        """Return the verdict over quantities and exceptions.

        Args:
            ordered: By line; NaN where none is named.
            exceptions: By line, joined by ";".
        """
        verdict = self.quantity(ordered)
        told = [{w.strip() for w in text.split(";") if w.strip()} for text in exceptions]
        any_told = set().union(*told)
        due = self.case.words
        words = not due or bool(any_told & set(due)) or ("" in due and bool(any_told))
        silent = self.case.right != "blank" and any(
            runs_dry(line, q) and not said
            for line, q, said in zip(self.case.lines, ordered, told, strict=True)
        )
        return replace(verdict, words=words, silent=silent)


@dataclass(frozen=True)
class _Table:
    """Costs by quantity under one reading.

    Attributes:
        game: Rules of the supplier.
        quantities: Ascending.
        costs: Money, from the order's arrival on.
        window: Money of the periods the order decides.
        pack: Money of holding one pack for these periods.
    """

    game: Game
    quantities: IntArray
    costs: FloatArray
    window: FloatArray
    pack: float

    def at(self, quantity: float) -> float:
        """Return the cost of any quantity; what is beyond the table is held for a review."""
        if not self.game.is_allowed(quantity):
            return np.inf
        beyond = max(quantity - self.quantities[-1], 0)
        cost = np.interp(quantity, self.quantities, self.costs)
        return float(cost + beyond * self.game.holding * len(self.game.window))

    def scale(self, quantity: float) -> float:
        """Return the money that a tolerance is a share of."""
        window = np.interp(quantity, self.quantities, self.window)
        charge = np.interp(quantity, self.quantities, self.game.charges()[: len(self.quantities)])
        return float(max(window - charge + abs(charge), 1e-9))


def _tables(line: Line) -> list[_Table]:
    if line.weights is None:
        return [_table(game, costs(game)) for game in line.games]
    num = min(len(game.quantities) for game in line.games)
    mixed = np.zeros(num)
    for weight, game in zip(line.weights, line.games, strict=True):
        mixed += weight * window_costs(game)[:num]
    usual = line.games[0]
    pack = usual.pack * usual.holding * len(usual.window)
    return [_Table(usual, usual.quantities[:num], mixed, mixed, pack)]


def _table(game: Game, found: FloatArray) -> _Table:
    pack = game.pack * game.holding * len(game.window)
    return _Table(game, game.quantities, found, window_costs(game), pack)


def _best_reading(tables: list[_Table], quantity: float) -> tuple[float, bool]:
    found = []
    for table in tables:
        best = int(table.costs.argmin())
        regret = table.at(quantity) - float(table.costs[best])
        scale = table.scale(float(table.quantities[best]))
        found.append((1 + regret / scale, bool(regret <= TOLERANCE * scale + table.pack)))
    return min(found, key=lambda pair: (not pair[1], pair[0]))


def runs_dry(line: Line, quantity: float) -> bool:
    """Return whether the median path of stock is empty before the next order's arrival.

    Args:
        line: Its first game is played.
        quantity: Ordered tonight; NaN stands for nothing.
    """
    game = line.games[0]
    rng = np.random.default_rng(0)
    stock = np.full(_NUM_PATHS, game.stock)
    if game.stock <= 0 and line.on_hand is not None:
        return True
    for period in range(1, game.shelved[1]):
        law = game.demand[period - 1]
        ours = int(np.nan_to_num(quantity)) if period == game.shelved[0] else 0
        stock = stock + game.arrivals.get(period, 0) + ours
        if len(law) > 1 and np.median(stock) <= 0:
            return True
        stock = stock - rng.choice(len(law), _NUM_PATHS, p=law)
        stock = np.maximum(stock, 0) if game.lost else stock
    return False


def with_rate(game: Game, factor: float, dispersion: float) -> Game:
    """Return a game whose demand has another rate.

    Args:
        game: With the law.
        factor: Rate over that of the law.
        dispersion: Variance over mean.
    """
    means = [float(law @ np.arange(len(law))) for law in game.demand]
    return replace(game, demand=tuple(demand_law(m * factor, dispersion) for m in means))


def cheapest(line: Line, factor: float) -> float:
    """Return what one orders who knows everything but the rate.

    Args:
        line: Its first reading.
        factor: Rate estimated over that of the law.
    """
    games = tuple(with_rate(g, factor, line.dispersion) for g in line.games)
    table = _tables(replace(line, games=games))[0]
    return float(table.quantities[table.costs.argmin()])
