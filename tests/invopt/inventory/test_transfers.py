"""Transfers between shops: as many as pay, the same for a product alone and among others."""

from dataclasses import fields

import numpy as np

from invopt.inventory.network.shelf import Shelves
from invopt.inventory.network.transfers import Way, transfers


def played(on_hand, ways, periods=5):
    """Return units by (giver, taker); one unit a period is sold everywhere, for certain."""
    num = len(on_hand)
    one = np.ones(num)
    shelves = Shelves(**{f.name: one for f in fields(Shelves)} | {
        "on_hand": np.array(on_hand, float), "arrivals": np.zeros((num, 1)), "lead_time": 0 * one,
        "cycle": periods * one, "holding_cost": 0.1 * one, "fixed": np.ones(num, bool),
    })  # fmt: skip
    demand = np.ones((periods, num, 1), np.float32)
    found = transfers(shelves, demand, ways, 0 * one, lost_sales=True)
    return {(t.way.giver, t.way.taker): t.units for t in found}


def way(giver, taker, cost=0.2):
    return Way(giver, taker, lead_time=1, pack=1.0, least=0.0, capacity=np.inf, cost=cost)


def test_a_hundred_products_make_a_hundred_transfers_each_as_if_alone():
    # 10 on one shelf, none on the other: four sales of five can be saved a period later.
    found = played([10, 0] * 100, [way(2 * n, 2 * n + 1) for n in range(100)])
    assert found == {(2 * n, 2 * n + 1): 4.0 for n in range(100)}
    assert played([10, 0], [way(0, 1)]) == {(0, 1): 4.0}


def test_of_two_givers_the_one_whose_way_is_cheaper_gives():
    ways = [way(0, 2, cost=0.4), way(1, 2, cost=0.2)]
    assert played([10, 10, 0], ways) == {(1, 2): 4.0}


def test_a_giver_that_runs_out_is_followed_by_the_next():
    # Each has two to spare beside what it sells itself.
    ways = [way(0, 2, cost=0.4), way(1, 2, cost=0.2)]
    assert played([7, 7, 0], ways) == {(1, 2): 2.0, (0, 2): 2.0}


def test_a_shelf_without_a_record_of_stock_gives_and_gets_nothing():
    assert played([np.nan, 0], [way(0, 1)]) == {}
    assert played([10, np.nan], [way(0, 1)]) == {}
