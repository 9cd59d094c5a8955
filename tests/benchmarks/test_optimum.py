"""The optimum that orders are judged by, against games small enough to play out in full."""

import functools
import itertools

import numpy as np
import pytest

from benchmarks._optimum import Game, costs, demand_law, path_costs, window_costs

SMALL = np.array([0.5, 0.3, 0.2])


def played_out(game, quantity):
    """Cost of an order today by recursion over every demand and every later order."""
    last = game.shelved[-1] - 1

    @functools.cache
    def from_period(period, stock, ordered):
        if period > last:
            return max(stock, 0) * max(game.breaks.values(), default=0.0)
        due = dict(ordered)
        stock += game.arrivals.get(period, 0) + due.get(period, 0)
        counts = period >= game.shelved[0]
        total = game.stockout * max(-stock, 0) if game.lost and period == game.shelved[0] else 0.0
        for asked, chance in enumerate(game.demand[period - 1]):
            served = min(asked, max(stock, 0))
            short = asked - served
            left = stock - (served if game.lost else asked)
            now = (game.holding * max(left, 0) + game.stockout * short) * counts
            total += chance * (now + after(period, left, due))
        return total

    def after(period, stock, due):
        if period not in game.reviews[1:-1]:
            return from_period(period + 1, stock, tuple(due.items()))
        arrival = game.shelved[game.reviews.index(period)]
        return min(
            charge + from_period(period + 1, stock, (*due.items(), (arrival, q)))
            for q, charge in zip(game.quantities.tolist(), game.charges(), strict=True)
            if fits(game, period, stock, due, q)
        )

    charge = dict(zip(game.quantities.tolist(), game.charges(), strict=True))[quantity]
    return charge + from_period(1, game.stock, ((game.shelved[0], quantity),))


def fits(game, period, stock, due, quantity):
    if game.max_stock is None or quantity == 0:
        return True
    coming = sum(u for p, u in game.arrivals.items() if p > period)
    coming += sum(u for p, u in due.items() if p > period)
    return stock + coming + quantity <= game.max_stock


GAMES = {
    "plain": {},
    "waiting": {"stock": -2},
    "arrivals": {"arrivals": {2: 1, 3: 2}},
    "order cost": {"order_cost": 1.5},
    "minimum": {"least": 3},
    "cheaper from four": {"breaks": {4: 0.3}},
    "full shelf": {"max_stock": 3},
}


@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("name", GAMES)
def test_costs_are_those_of_a_game_played_out_in_full(name, lost):
    facts = {"stock": 1, "most": 5, **GAMES[name]}
    game = Game(
        demand=(SMALL,) * 6, reviews=(0, 2, 4), shelved=(2, 4, 6), holding=0.2, stockout=2.0,
        lost=lost, **facts,
    )  # fmt: skip
    found = costs(game)
    for place, quantity in enumerate(game.quantities.tolist()):
        if game.is_allowed(quantity):
            assert found[place] == pytest.approx(played_out(game, quantity), abs=1e-6)


def test_backorders_may_have_a_lead_time_longer_than_a_review():
    game = Game(
        demand=(SMALL,) * 6, stock=2, reviews=(0, 1, 2), shelved=(4, 5, 6), holding=0.2,
        stockout=2.0, lost=False, most=4,
    )  # fmt: skip
    found = costs(game)
    for place, quantity in enumerate(game.quantities.tolist()):
        assert found[place] == pytest.approx(played_out(game, quantity), abs=1e-6)


@pytest.mark.parametrize("lost", [True, False])
def test_the_window_alone_is_a_game_without_later_orders(lost):
    game = Game(
        demand=(SMALL,) * 6,
        stock=1,
        reviews=(0, 3),
        shelved=(3, 5),
        holding=0.2,
        stockout=2.0,
        lost=lost,
    )
    assert window_costs(game) == pytest.approx(costs(game))


def test_what_expires_is_lost_and_paid_for():
    game = Game(
        demand=(np.array([0.0, 1.0]),) * 6, stock=0, reviews=(0, 4), shelved=(2, 6), holding=0.0,
        stockout=3.0, sells_until=3, waste=1.0,
    )  # fmt: skip
    # One unit a period sells in periods 2 and 3; those of 4 and 5 are lost whatever is ordered.
    assert window_costs(game)[:5] == pytest.approx([12, 9, 6, 7, 8])


def test_paths_agree_with_the_exact_costs_where_both_apply():
    game = Game(
        demand=(demand_law(2.0),) * 16, stock=3, reviews=(0, 4, 8), shelved=(3, 7, 11), holding=0.1,
        stockout=2.0,
    )  # fmt: skip
    exact, played = costs(game), path_costs(game)
    best = int(exact.argmin())
    near = slice(max(best - 3, 0), best + 4)
    gained = played[near] - played[best]
    assert gained == pytest.approx(exact[near] - exact[best], abs=0.15)


@pytest.mark.parametrize(("mean", "dispersion"), itertools.product([0.2, 3.0], [1.0, 2.5]))
def test_a_law_has_its_mean_and_its_variance(mean, dispersion):
    law = demand_law(mean, dispersion)
    units = np.arange(len(law))
    assert law.sum() == pytest.approx(1)
    assert law @ units == pytest.approx(mean, rel=1e-5)
    assert law @ units**2 - (law @ units) ** 2 == pytest.approx(mean * dispersion, rel=1e-4)
