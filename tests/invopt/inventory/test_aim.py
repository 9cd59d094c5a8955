"""The search for the units at which one more is no longer wanted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invopt.inventory.aim import largest


@pytest.mark.timeout(20)
def test_a_bound_between_two_whole_numbers_ends_the_search():
    # The middle of 1 and 2.5 is 1 in whole numbers: the search stood there for ever.
    found = largest(lambda s: s <= 1, np.array([1.0]), np.array([2.5]), whole=True)
    assert found.tolist() == [1.0]


@pytest.mark.timeout(60)
@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e4),
    share=st.floats(0, 0.999),
    whole=st.booleans(),
)
def test_the_search_finds_the_edge_of_a_falling_condition(low, width, share, whole):
    edge = low + share * width
    found = largest(lambda s: s <= edge, np.array([low]), np.array([low + width]), whole=whole)
    if whole:
        assert found.tolist() == [math.floor(edge)]
    else:
        assert low <= found[0] <= edge
        assert edge - found[0] <= max(width, 1) * 2.0**-20 + 1e-9


@pytest.mark.timeout(20)
def test_numbers_too_large_for_the_wanted_grain_end_the_search():
    low = np.array([1e12, 1e15])
    found = largest(lambda s: s <= low, low, low + 1, whole=False)
    assert np.abs(found - low).max() <= 1
