"""A shift of demand says which part of the range carries it, and what prices did."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.monitoring.carried import narrowed
from invopt.monitoring.signals import PERFORMANCE, Signal
from invopt.panel import Panel
from tests.invopt.monitoring.test_folding import grown
from tests.invopt.monitoring.test_known_ahead import company, gather


def assortment() -> Panel:
    """Four stores of twenty products: two categories of ten, prices that do not move."""
    panel = company()
    number = np.arange(panel.num_series) // 4
    names = {
        "product": [f"p{n:02d}" for n in number],
        "category": [f"c{n % 4}" for n in number],
    }
    price = panel.channels["price"]
    steady = np.repeat(price.values[:, :1], price.values.shape[1], axis=1)
    panel = replace(panel, series=panel.series.assign(**names))
    return panel.with_channels([replace(price, values=steady)])


def rows(panel: Panel, column: str, name: str):
    return np.flatnonzero(panel.series[column] == name)


def first(found) -> str:
    return found.findings[0].text


def test_one_category_that_rises_in_all_stores_is_named_with_its_share():
    panel = assortment()
    text = first(gather(grown(panel, rows(panel, "category", "c1"), 2.0)))
    assert text.startswith("demand is +")
    assert "; category c1 (+" in text
    assert text.endswith((" of the difference", "the whole difference"))


def test_one_product_is_named_before_its_category_and_far_too_much_is_asked_about():
    panel = assortment()
    number = rows(panel, "product", "p05")
    assert "; product p05 (+" in first(gather(grown(panel, number, 4.3)))
    text = first(gather(grown(panel, number, 12.3)))
    assert "times its forecast: a bulk order, or another unit of measure?)" in text
    assert "category" not in text


def test_what_all_products_do_is_nobodys_in_particular():
    text = first(gather(grown(assortment(), slice(None), 1.4)))
    assert "makes up" not in text
    assert "prices" not in text


def test_a_store_is_narrowed_among_its_own_series():
    panel = assortment()
    one = np.intersect1d(rows(panel, "location", "s1"), rows(panel, "category", "c2"))
    found = gather(grown(panel, one, 6.3))
    assert found.findings[0].name == "demand_shift at s1"
    assert "; category c2 (" in first(found) or "; product p" in first(found)


@pytest.mark.parametrize(("by", "price", "is_said"), [(0.6, 1.15, True), (1.5, 1.15, False)])
def test_prices_are_said_where_they_moved_against_demand(by, price, is_said):
    panel = assortment()
    channel = panel.channels["price"]
    values = channel.values.copy()
    values[:, panel.num_periods - 7 :] *= price
    dearer = panel.with_channels([replace(channel, values=values)])
    text = first(gather(grown(dearer, slice(None), by)))
    assert ("; prices moved by +15% (100% of what was forecast)" in text) == is_said


def test_what_does_not_fire_or_follows_from_another_is_left_as_it_is():
    panel = assortment()
    found = gather(panel)
    quiet = Signal(
        name="demand_shift", kind=PERFORMANCE, value=0.0, expected=0.0, limit=0.1, p_value=0.9,
        fires=False, text="quiet",
    )  # fmt: skip
    part = replace(quiet, fires=True, part_of="silent_feed")
    outcomes = found.records.head(0)
    assert narrowed([], panel, outcomes, 7) == []
    frame = outcomes.reindex(range(panel.num_series)).fillna(0.0)
    assert narrowed([quiet, part], panel, frame, 7) == [quiet, part]
