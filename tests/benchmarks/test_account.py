"""Random tables are read as an independent reader recounts them."""

import pytest

from benchmarks.account import TABLES_EACH, run

pytestmark = pytest.mark.slow
NUM_SETS = 6
TABLES = {"sales", "products", "stock", "promotions", "external", "position", "open_orders",
          "receipts"}  # fmt: skip


@pytest.mark.parametrize("seed", range(0, 3 * NUM_SETS, NUM_SETS))
def test_no_row_is_lost_and_no_value_changed_in_random_tables(seed):
    found = run(NUM_SETS, seed)
    assert found["used"] > 200
    assert found["aside"] > 20
    assert len(TABLES & found.keys()) == TABLES_EACH
