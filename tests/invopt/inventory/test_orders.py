import numpy as np
import pytest

from invopt.inventory.orders import round_order


@pytest.mark.parametrize(
    ("missing", "pack", "least", "packs"),
    [
        (2.1, 0.3, 0.0, 7),  # 2.1 / 0.3 is 7.000000000000001
        (0.1 + 0.2, 0.1, 0.0, 3),
        (2.2, 0.3, 0.0, 8),
        (0.3, 0.3, 2.1, 7),  # a minimum is rounded the same way
        (1e-12, 0.3, 0.0, 0),
        (0.0, 0.3, 2.1, 0),
    ],
)
def test_whole_packs_are_counted_as_people_count_them(missing, pack, least, packs):
    found = round_order(np.array([missing]), np.array([pack]), np.array([least]))
    assert round(float(found[0]) / pack, 9) == packs
