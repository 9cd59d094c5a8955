"""A few hundred random tables are read as an independent reader recounts them."""

import pytest

from benchmarks.account import TABLES_EACH, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(0, 100_000, 20_000))
def test_no_row_is_lost_and_no_value_changed_in_random_tables(seed):
    found = run(60 // TABLES_EACH, seed)
    assert found["used"] > 500
    assert found["aside"] > 50
    assert found["filtered"] > 50
