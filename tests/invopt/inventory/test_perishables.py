"""Orders of what expires, beside every order there is."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invopt.inventory.costs import Terms
from invopt.inventory.perishables import Shelf, _cheapest, _promised

NUM, PATHS, LEAD, CYCLE = 3, 40, 2, 3


def shelf_of(seed: int, life: int) -> Shelf:
    rng = np.random.default_rng(seed)
    periods = LEAD + max(CYCLE, life)
    demand = rng.poisson(rng.uniform(0.3, 4), (periods, NUM, PATHS)).astype(np.float32)
    arrivals = np.zeros((NUM, periods))
    arrivals[:, 1] = rng.integers(0, 5, NUM)
    return Shelf(
        start=rng.integers(0, 15, NUM).astype(float), arrivals=arrivals, demand=demand, life=life,
        lead_time=LEAD, cycle=CYCLE, lost_sales=True,
    )  # fmt: skip


def make_terms(num: int) -> Terms:
    one = np.ones(num)
    return Terms(
        holding_cost=0.02 * one, stockout_cost=2 * one, lead_time=np.full(num, LEAD),
        review_period=CYCLE, pack_size=one, min_order=0 * one, unit_cost=one,
    )  # fmt: skip


def cost_of(shelf: Shelf, terms, quantity):
    played = shelf.play(quantity)
    return (
        terms.holding_cost * played.held
        + terms.stockout_cost * played.missed
        + terms.unit_cost * played.wasted
    )


@given(seed=st.integers(0, 10_000), life=st.sampled_from([3, 4, 5, 6, 9]))
@settings(max_examples=40, deadline=None)
def test_the_order_costs_no_more_than_any_other_number_of_packs(seed, life):
    shelf, terms = shelf_of(seed, life), make_terms(NUM)
    tried = np.arange(0, 80.0)
    costs = np.stack([cost_of(shelf, terms, np.full(NUM, q)) for q in tried])
    endless = Shelf(**vars(shelf) | {"life": 10**6})
    free = np.stack([cost_of(endless, terms, np.full(NUM, q)) for q in tried])
    aim = SimpleNamespace(need=tried[free.argmin(axis=0)])
    found = cost_of(shelf, terms, _cheapest(aim, terms, shelf))
    np.testing.assert_allclose(found, costs.min(axis=0), rtol=0.02, atol=0.02)


@given(seed=st.integers(0, 10_000), life=st.sampled_from([1, 2, 3, 5]), fill=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_promise_asks_for_no_more_than_sells_until_the_order_itself_expires(seed, life, fill):
    shelf, promised = shelf_of(seed, life), np.full(NUM, 0.9)
    terms = replace(make_terms(NUM), **{"fill_rate" if fill else "service_level": promised})
    found = _promised(terms, shelf)
    sold = slice(LEAD, LEAD + min(CYCLE, life))
    least = np.full(NUM, np.inf)
    for quantity in np.arange(0, 60.0)[::-1]:
        missed, asked = np.zeros((2, NUM, PATHS))
        for row, path in np.ndindex(NUM, PATHS):
            batches = [[shelf.start[row], life]]
            for period in range(sold.stop):
                batches.append([shelf.arrivals[row, period], period + life])
                if period == LEAD:
                    batches.append([quantity, period + life])
                wanted = shelf.demand[period, row, path]
                if period >= sold.start:
                    asked[row, path] += wanted
                for batch in batches:
                    if batch[1] > period:
                        taken = min(batch[0], wanted)
                        batch[0] -= taken
                        wanted -= taken
                if period >= sold.start:
                    missed[row, path] += wanted
        share = (missed.sum(axis=1) <= 0.1 * asked.sum(axis=1) + 1e-6) if fill else (
            (missed > 0).mean(axis=1) <= 0.1 + 1e-9
        )  # fmt: skip
        least = np.where(share, quantity, least)
    assert found.tolist() == least.tolist()


def test_what_sells_in_time_is_not_looked_at_again():
    shelf = shelf_of(1, 30)
    assert not shelf.outlived(np.zeros(NUM)).any()
    assert shelf.outlived(np.full(NUM, 1000.0)).all()


def test_two_quantities_played_as_one_are_what_each_is_alone():
    shelf = shelf_of(2, 4)
    few, many = np.full(NUM, 3.0), np.full(NUM, 9.0)
    both = shelf.twice().play(np.concatenate([few, many]))
    for name in ("held", "missed", "missed_before", "expired", "wasted"):
        own = np.concatenate([getattr(shelf.play(q), name) for q in (few, many)])
        assert getattr(both, name) == pytest.approx(own), name
