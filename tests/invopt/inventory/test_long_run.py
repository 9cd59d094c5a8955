"""Orders judged by all they last for, against the best rule by enumeration."""

import numpy as np
import pytest

from invopt.inventory.afterwards import Afterwards
from invopt.inventory.halving import largest
from invopt.inventory.path import LeadLaw, project
from tests.invopt.inventory.long_run import UNIT_COST, Product, law_of


@pytest.mark.parametrize(
    "product",
    [
        Product(pack=50, most=110), Product(pack=100, most=210), Product(pack=150, most=310),
        Product(least=60, most=130), Product(least=120, most=180),
    ],
    ids=str,
)  # fmt: skip
def test_a_pack_that_lasts_for_months_is_ordered_where_it_pays_in_the_long_run(product):
    # 0.6 a day miss 2.1 a day; of a pack of 100 half lies there in the mean, for 1.2 a day
    assert product.long_run(law_of(0.6), reviews=100) < 1.03


def test_a_pack_that_never_pays_is_not_ordered():
    product = Product(pack=100, most=210)
    assert product.decided([law_of(0.2)] * 28).quantity[0] == 0


@pytest.mark.parametrize("line", [1.0, 5.0, 20.0])
def test_a_lot_lasts_for_whole_intervals_and_keeps_its_safety(line):
    assert Product(line=line, most=110).long_run(law_of(1.0), reviews=80) < 1.02


@pytest.mark.parametrize(
    ("pack", "line", "weeks"),
    [(1, 0, 2), (1, 0, 4), (20, 0, 2), (20, 0, 4), (50, 0, 2), (50, 0, 8), (1, 5, 3), (1, 20, 2),
     (1, 20, 4), (1, 20, 8)],
)  # fmt: skip
def test_what_a_product_that_ends_would_leave_over_is_not_ordered(pack, line, weeks):
    product = Product(pack=pack, line=line, most=120)
    laws = [law_of(0.8)] * (7 * weeks) + [np.ones(1)] * 7
    assert product.until(laws, ends=7 * weeks + 1, left=UNIT_COST) < 1.06


@pytest.mark.parametrize(
    ("means", "dispersion"),
    [((1.5, 6, 0.3), 1.0), ((0.5, 6, 0.5), 4.0), ((6, 3, 1, 0.3), 3.0), ((2, 2, 2), 1.0)],
)
def test_before_demand_falls_no_more_is_ordered_than_sells_soon(means, dispersion):
    product = Product(most=170)
    first = [law for law in (law_of(mean, dispersion) for mean in means) for _ in range(7)]
    assert product.until(first + [first[-1]] * 105) < 1.02


def test_the_day_before_a_quiet_one_is_not_stocked_as_if_busy_ones_followed():
    product = Product(most=60, lead_time=0, review=1)
    week = [law_of(mean) for mean in (1, 1, 1, 1, 3, 6, 0.3)]
    assert product.until(week * 8) < 1.03


def test_what_an_order_saves_and_its_neighbours_cost_agree_with_the_order():
    found = Product(pack=100, most=220).decided([law_of(0.6)] * 28)
    ordered = found.quantity > 0
    assert found.quantity[0] == 100
    assert (found.saved[ordered] > 0).all()
    assert (found.one_less[ordered] >= 0).all()
    # below the reorder point it is ordered, above it is not; on an empty shelf much is lost before
    at = np.arange(len(found.quantity))[7:]
    assert (ordered[7:] == (at <= found.levels.reorder_point[7:])).all()


def test_an_order_that_comes_late_is_overtaken_by_those_after_it():
    law = LeadLaw.drawn(np.array([0.9, 0.1]), np.array([3, 20]), 7, 1000)
    late = law.lead == 20
    assert late.mean() == pytest.approx(0.1)
    # nine times of ten the next one is there after seven and three periods
    assert (law.stop[~late] == 10).mean() == pytest.approx(0.9, abs=0.03)
    # one that is late has no interval of its own then, and is not waited for
    overtaken = late & (law.alone < 20)
    assert overtaken.sum() > 0.95 * late.sum()
    assert (law.stop[overtaken] == 20).all()
    assert (law.stop[~overtaken] > law.lead[~overtaken]).all()


def test_lead_times_are_drawn_apart_from_demand():
    from invopt.inventory.paths import Draws

    lead = LeadLaw.drawn(np.full(8, 0.125), np.arange(8), 8, 4000)
    for seed in (0, 1):
        draws = Draws.make(3, 4000, seed)
        for shares in (draws.rounding, *draws.own):
            for times in (lead.lead, lead.stop):
                assert abs(np.corrcoef(shares, times)[0, 1]) < 0.08


def test_missed_before_arrival_ends_with_whatever_order_comes_first():
    # one a day for certain; half of the orders take ten days, and are overtaken a week later
    law = LeadLaw.drawn(np.array([0.5, 0.5]), np.array([0, 10]), 2, 400)
    demand = np.ones((30, 1, 400), np.float32)
    path = project(np.zeros(1), np.zeros((1, 1)), demand, law, lost_sales=True)
    assert path.missed_before[0] == pytest.approx(law.alone.mean())
    assert law.alone.mean() < law.lead.mean() - 2


def test_units_that_never_sell_are_lost_with_their_cost():
    # ten for certain now, and three more until the end: of a fourth more nothing comes back
    demand, law = np.full((1, 1, 1), 10, np.float32), LeadLaw.fixed(0, 1, 1)
    path = project(np.zeros(1), np.zeros((1, 1)), demand, law, lost_sales=True)
    ten, one = np.full(1, 10.0), np.ones(1)
    after = Afterwards(
        level=ten, own=ten, means=np.full((1, 1), 3.0), cycle=1, ends=one,
        until_end=np.full((1, 1), 3, np.float32),
    )  # fmt: skip
    ahead = after.extend(path).outlook
    found = largest(
        lambda units: ahead.change(units, one, 0 * one, 0 * one, 6 * one) <= 0, ten, 3 * ten,
        whole=True,
    )  # fmt: skip
    assert found.tolist() == [12.0]
    assert ahead.change(ten + 3, one, 0 * one, 0 * one, 6 * one).tolist() == [6.0]
