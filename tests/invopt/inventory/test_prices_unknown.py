"""What a sale is worth where the data name what a unit costs and no price."""

import numpy as np
import pytest

from invopt.config import InventoryConfig
from invopt.inventory.costs import terms_of

CONFIG = InventoryConfig(holding_rate=0.06, stockout_margin=0.4, unit_cost_share=0.5)


def terms(**columns):
    return terms_of({"unique_id": ["a", "b"], **columns}, None, CONFIG)


def test_a_unit_cost_without_a_price_implies_the_price():
    found = terms(unit_cost=[20.0, 0.5])
    assert found.stockout_cost.tolist() == pytest.approx([16.0, 0.4])
    assert found.holding_cost.tolist() == pytest.approx([1.2, 0.03])


def test_dear_parts_are_as_much_worth_having_as_cheap_ones():
    ratios = terms(unit_cost=[2000.0, 0.01]).critical_ratio
    assert ratios.tolist() == pytest.approx([0.8 / (0.8 + 0.06 * 7)] * 2)


def test_a_price_stands_beside_its_cost_and_the_default_where_neither_is_known():
    found = terms(unit_cost=[20.0, np.nan], list_price=[30.0, np.nan])
    assert found.stockout_cost.tolist() == pytest.approx([12.0, 0.4])
