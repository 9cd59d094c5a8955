"""Sales so dear that losing one is to be rarer than a demand path, by the exact newsvendor."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nbinom, poisson

from invopt.config import InventoryConfig
from invopt.forecasts import ForecastArrays
from invopt.inventory.costs import terms_of
from invopt.inventory.decision import decide
from invopt.inventory.stock import stock_of

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
UNITS = np.arange(200)
LAWS = {
    "slow": poisson(0.4).pmf(UNITS),
    "usual": poisson(6).pmf(UNITS),
    "wild": nbinom(2, 2 / (2 + 6)).pmf(UNITS),
}


def decided(law, ratio, **columns):
    """Return the decision of one period ahead, nothing on the shelf, a unit held for 1."""
    quantiles = np.interp(LEVELS, np.r_[0, law.cumsum()], np.r_[-0.5, UNITS + 0.5])
    mean = np.full((1, 1), law @ UNITS, np.float32)
    knots = quantiles[None, None].astype(np.float32)
    forecast = ForecastArrays(mean, knots, knots, LEVELS, LEVELS, is_count=True)
    config = InventoryConfig(
        holding_cost=1, stockout_cost=ratio / (1 - ratio), lead_time=0, review_period=1
    )
    series = {"unique_id": ["a"]} | {name: [value] for name, value in columns.items()}
    stock = stock_of(np.array(["a"], object), pd.DataFrame({"unique_id": ["a"], "on_hand": [0.0]}))
    return decide(forecast, terms_of(series, None, config), stock, config, is_count=True)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("ratio", [0.99, 0.998, 0.999, 0.9995, 0.9999])
def test_an_order_costs_what_the_best_one_does_however_dear_a_lost_sale_is(law, ratio):
    chances = LAWS[law]
    held = np.maximum(UNITS[:, None] - UNITS, 0) @ chances
    lost = np.maximum(UNITS - UNITS[:, None], 0) @ chances
    cost = held + ratio / (1 - ratio) * lost
    ordered = int(decided(chances, ratio).quantity[0])
    # Of the tail the forecast knows the highest two quantiles alone.
    assert cost[ordered] < 1.15 * cost.min()


def test_a_promised_service_rarer_than_a_path_is_kept():
    ordered = int(decided(LAWS["usual"], 0.9, service_level=0.9995).quantity[0])
    assert 1 - LAWS["usual"][: ordered + 1].sum() < 0.0006


def test_where_usual_paths_tell_enough_there_are_no_more():
    from invopt.inventory.decision import _more_paths

    def terms(ratio):
        config = InventoryConfig(
            holding_cost=1, stockout_cost=ratio / (1 - ratio), lead_time=0, review_period=1
        )
        return terms_of({"unique_id": ["a"]}, None, config)

    found = [_more_paths(terms(r), 200).tolist() for r in (0.9, 0.985, 0.99, 0.997, 0.999, 0.99995)]
    assert found == [[1], [1], [5], [5], [25], [100]]
