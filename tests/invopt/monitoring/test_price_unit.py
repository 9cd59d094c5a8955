"""Prices of one location in another currency are a fault; sales and rises of prices are none."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.monitoring.price_unit import price_signals
from invopt.panel import Panel
from tests.invopt.monitoring.test_known_ahead import at, company

DAYS = 301  # to Sunday 2024-10-27


def shop(change=None, rows=None, days: int = 7) -> Panel:
    """Four stores with prices such as 4.99; `change` of those of some rows in the last days."""
    panel = company(DAYS)
    asked = np.random.default_rng(2).integers(1, 30, panel.num_series) - 0.01
    price = panel.channels["price"]
    values = np.repeat(asked[:, None], price.values.shape[1], axis=1)
    if change is not None:
        rows = at(panel, "s2") if rows is None else rows
        values[rows, DAYS - days :] = np.round(change(values[rows, DAYS - days :]), 2)
    return panel.with_channels([replace(price, values=values.astype(np.float32))])


@pytest.mark.parametrize(
    ("factor", "told"), [(0.9263, "0.926"), (1.0847, "1.085"), (1.19, "1.19"), (4.27, "4.27")]
)
def test_another_currency_names_store_factor_and_day(factor, told):
    [signal] = price_signals(shop(lambda p: p * factor, days=10), 7)
    assert signal.places == ("s2",)
    assert f"s2 ({told}" in signal.text
    assert signal.since == "2024-10-18"
    assert signal.spoils
    assert not signal.pages


@pytest.mark.parametrize(
    "change",
    [
        None,
        lambda p: p * 0.8,
        lambda p: p * 0.9,
        lambda p: np.maximum(np.rint(p * 10.6) / 10 - 0.01, 0.99),
        lambda p: p * np.linspace(0.8, 1.3, len(p))[:, None],
    ],
)
def test_sales_and_rises_of_prices_are_what_customers_are_asked(change):
    assert price_signals(shop(change), 7) == []


def test_it_is_believed_after_eight_periods():
    assert price_signals(shop(lambda p: p * 4.27, days=49), 7) != []
    assert price_signals(shop(lambda p: p * 4.27, days=63), 7) == []
