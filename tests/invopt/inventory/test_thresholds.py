"""Thresholds counted by value say what the same thresholds say one by one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from invopt.inventory.path import LeadLaw, project
from invopt.inventory.thresholds import Counted, Listed, counted

SETS = arrays(np.float32, (3, 5), elements=st.integers(-30, 60).map(float))
QUANTITIES = arrays(np.float64, 3, elements=st.floats(-50, 90))


def both(values):
    wide = np.tile(values, (1, 40))  # enough of them that a table is the shorter form
    found = counted(wide, wide.min(axis=1).astype(float), wide.max(axis=1).astype(float))
    assert isinstance(found, Counted)
    return found, Listed(wide)


@settings(deadline=None)
@given(SETS, QUANTITIES, QUANTITIES)
def test_a_table_gives_the_sums_of_the_thresholds_one_by_one(values, quantity, step):
    table, plain = both(values)
    for own in (table, table.select(np.array([2, 0]))):
        rows = np.arange(3) if own is table else np.array([2, 0])
        one = plain.select(rows)
        at, more = quantity[rows], np.abs(step[rows])
        np.testing.assert_allclose(own.above(at), one.above(at), rtol=1e-5, atol=1e-2)
        np.testing.assert_allclose(
            own.between(at, more), one.between(at, more), rtol=1e-4, atol=2e-2
        )
        assert own.exceed(np.rint(at)).tolist() == one.exceed(np.rint(at)).tolist()


def test_replacing_some_series_leaves_the_others_as_they_were():
    table, _ = both(np.array([[1, 2, 3, 4, 5], [0, 0, 0, 0, 9], [7, 7, 7, 7, 7]], np.float32))
    other, _ = both(np.array([[10, 10, 10, 10, 10]] * 3, np.float32))
    found = table.put(np.array([1]), other.select(np.array([1])))
    assert found.above(np.zeros(3)).tolist() == [40.0 * 15, 40.0 * 50, 40.0 * 35]


def test_thresholds_far_apart_are_listed():
    values = np.array([[0.0, 1e6]], np.float32)
    assert isinstance(counted(values, np.zeros(1), np.full(1, 1e6)), Listed)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_a_path_of_whole_units_costs_what_the_same_path_of_measures_costs(seed, lost):
    rng = np.random.default_rng(seed)
    demand = rng.poisson(rng.uniform(0, 6), (6, 2, 40)).astype(np.float32)
    start = rng.integers(-5, 40, 2).astype(float)
    arrivals = (rng.integers(0, 12, (2, 6)) * (rng.random((2, 6)) < 0.5)).astype(float)
    law, costs = LeadLaw.fixed(2, 4, 40), (np.ones(2), np.full(2, 7.0))
    whole, plain = (
        project(start, arrivals, demand, law, lost_sales=lost, is_count=c) for c in (True, False)
    )
    for one, other in ((whole.outlook, plain.outlook), (whole.in_time(), plain.in_time())):
        for units in (0.0, 3.0, 11.5):
            at = np.full(2, units)
            np.testing.assert_allclose(one.held(at), other.held(at), atol=1e-3)
            np.testing.assert_allclose(one.missed(at), other.missed(at), atol=1e-4)
            np.testing.assert_allclose(
                one.change(at, at + 2, *costs), other.change(at, at + 2, *costs), atol=1e-2
            )
        np.testing.assert_allclose(one.bounds, other.bounds)
