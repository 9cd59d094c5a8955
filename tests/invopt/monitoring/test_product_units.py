"""One product in another unit is a fault of the data; a real rise of it is demand."""

from dataclasses import replace

import numpy as np
import pytest

from invopt.monitoring.product_units import unit_changes, unit_signal
from invopt.monitoring.quality import data_signals
from invopt.panel import Panel
from tests.invopt.monitoring.test_known_ahead import CONFIG, at, company, gather

DAYS = 301  # to Sunday 2024-10-27; the last week begins on 2024-10-21


def stores() -> Panel:
    """Four stores that sell the same twenty products."""
    panel = company(DAYS)
    return replace(panel, series=panel.series.assign(product=[f"P{i // 4}" for i in range(80)]))


def of(panel: Panel, product: str):
    return np.flatnonzero(panel.series["product"] == product)


def with_units(panel: Panel, rows, days: int, units) -> Panel:
    y = np.array(panel.y, np.float32)
    y[rows, -days:] = units(y[rows, -days:])
    whole = bool((y == np.rint(y)).all())
    return replace(panel, y=y.astype(np.int32) if whole else y)


def told(panel: Panel) -> str:
    signal = unit_signal(panel, 7, unit_changes(panel, 7))
    return "" if signal is None else signal.text


@pytest.mark.parametrize(
    ("units", "times"),
    [
        (lambda y: y * 12, "12 times"),
        (lambda y: y / 12, "1/12 of"),
        (lambda y: np.round(y / 12, 2), "1/12 of"),
        (lambda y: y * 1000, "1000 times"),
    ],
)
def test_a_product_in_another_unit_is_named_with_its_places_day_and_factor(units, times):
    panel = stores()
    changed = with_units(panel, of(panel, "P3"), 7, units)
    assert (
        f"product P3 at all its 4 locations since 2024-10-21: quantities are {times} those before"
        in told(changed)
    )
    [signal] = [s for s in data_signals(changed, CONFIG) if s.name == "product_unit_changed"]
    assert signal.spoils
    assert signal.series == tuple(panel.unique_ids[of(panel, "P3")])


def test_one_store_of_a_product_is_named_alone():
    panel = stores()
    changed = with_units(panel, of(panel, "P3")[:1], 7, lambda y: y * 12)
    assert "product P3 at s0 since 2024-10-21: quantities are 12 times" in told(changed)


def test_a_store_of_which_all_is_counted_in_fours_is_one_finding():
    panel = stores()
    changed = with_units(panel, at(panel, "s2"), 7, lambda y: y * 4)
    [signal] = [s for s in data_signals(changed, CONFIG) if s.name.endswith("unit_changed")]
    assert "all products of s2 since 2024-10-21: quantities are 4 times" in signal.text
    assert signal.pages
    assert "doubled_feed" not in {s.name for s in data_signals(changed, CONFIG)}


def test_a_rise_of_demand_by_the_same_factor_is_no_other_unit():
    panel, rng = stores(), np.random.default_rng(1)
    for times in (12, 1 / 12):
        real = with_units(panel, of(panel, "P3"), 7, lambda y, t=times: rng.poisson(y * t))
        assert told(real) == ""


def test_a_customer_who_buys_by_hundreds_beside_the_others_is_demand():
    panel = stores()
    assert told(with_units(panel, of(panel, "P3"), 7, lambda y: y + 100)) == ""


def test_a_clearance_at_a_quarter_of_the_price_is_demand():
    panel, rng = stores(), np.random.default_rng(1)
    real = with_units(panel, of(panel, "P3"), 7, lambda y: rng.poisson(y * 4))
    price = real.channels["price"]
    values = np.array(price.values)
    values[of(panel, "P3"), DAYS - 7 :] /= 4
    assert told(real.with_channels([replace(price, values=values)])) == ""


def test_prices_that_move_against_quantities_prove_it_where_quantities_have_no_grid():
    panel, rng = stores(), np.random.default_rng(1)
    weights = (panel.y * rng.uniform(0.9, 1.1, panel.y.shape)).astype(np.float32)
    panel = replace(panel, y=weights)
    changed = with_units(panel, of(panel, "P3"), 7, lambda y: y * 8)
    assert told(changed) == ""
    price = changed.channels["price"]
    values = np.array(price.values)
    values[:] = np.median(values, axis=1, keepdims=True)
    values[of(panel, "P3"), DAYS - 7 :] /= 8
    assert "prices moved against them" in told(
        changed.with_channels([replace(price, values=values)])
    )


def test_it_is_believed_after_eight_periods():
    panel = stores()
    rows = of(panel, "P3")
    assert told(with_units(panel, rows, 49, lambda y: y * 12)) != ""
    assert told(with_units(panel, rows, 63, lambda y: y * 12)) == ""


def test_what_follows_from_the_unit_of_one_product_is_folded_into_it():
    panel = stores()
    found = gather(with_units(panel, of(panel, "P3"), 7, lambda y: y * 12))
    assert [f.name for f in found.findings] == ["product_unit_changed"]
    assert "demand_shift" in found.findings[0].follows
    assert found.findings[0].orders.startswith("orders go on and read what was sent as demand")
    assert found.avoidable_cost is None


def test_a_shift_of_the_other_products_is_told_with_their_own_number():
    panel, rng = stores(), np.random.default_rng(1)
    others = np.flatnonzero(panel.series["product"] != "P3")
    changed = with_units(panel, of(panel, "P3"), 7, lambda y: y * 12)
    changed = with_units(changed, others, 7, lambda y: rng.poisson(y * 1.3))
    found = gather(changed)
    assert [f.name for f in found.findings][:2] == ["product_unit_changed", "demand_shift"]
    [shift] = [s for s in found.signals if s.name == "demand_shift"]
    assert 0.15 < shift.value < 0.35
    assert "P3" not in shift.text
