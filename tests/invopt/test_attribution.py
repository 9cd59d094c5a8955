import numpy as np
import pytest

from invopt.attribution import (
    CALENDAR,
    LEVEL,
    PRICE,
    SALES,
    attribute,
    input_groups,
    load_reference,
    reference_inputs,
    save_reference,
)
from invopt.errors import ContractError
from invopt.features import FeatureEncoder, model_inputs
from tests.builders import make_config, make_panel, with_derived


@pytest.fixture(scope="module")
def case():
    config = make_config(features={"event_channels": ["event=*"], "event_leads": [1]})
    panel = with_derived(make_panel(num_periods=100), config)
    spec = FeatureEncoder.fit(panel, config.features, 90).spec
    encoded = FeatureEncoder(spec).encode(panel)
    rows = np.arange(panel.num_series)
    inputs = model_inputs(spec, encoded, rows, np.full(len(rows), 99))
    return spec, tuple(a[:1] for a in inputs), reference_inputs(inputs)


def linear(inputs):
    """A payoff whose Shapley values are plain: every input counts on its own."""
    return sum(np.asarray(a, np.float64).reshape(len(a), -1).sum(axis=1) for a in inputs)


def crossed(inputs):
    return linear(inputs) + inputs[0].sum(axis=(1, 2)) * inputs[6]


def test_every_input_belongs_to_one_group(case):
    spec, window, _ = case
    groups = input_groups(spec)
    places = [p for places in groups.values() for p in places]
    assert len(places) == len(set(places))
    assert len(places) == 1 + sum(window[i].shape[-1] for i in range(6))
    assert {LEVEL, SALES, PRICE, CALENDAR, "event=holiday", "promotion"} <= set(groups)


def test_parts_of_a_sum_are_its_terms(case):
    spec, window, reference = case
    found = attribute(linear, window, reference, spec)
    assert found.parts[LEVEL] == pytest.approx(float(window[6][0] - reference[6][0]), abs=1e-5)
    assert found.additivity_error < 1e-9


@pytest.mark.parametrize("seed", [0, 1])
def test_two_factors_share_their_product_equally_whatever_the_orders(case, seed):
    spec, window, reference = case
    found = attribute(crossed, window, reference, spec, num_orders=2, seed=seed)
    level = float(window[6][0]) - float(reference[6][0])
    between = (float(window[0].sum()) + float(reference[0].sum())) / 2
    assert found.parts[LEVEL] == pytest.approx(level + level * between, rel=1e-4)
    assert found.additivity_error < 1e-6


def test_the_reference_comes_back_from_its_file(case, tmp_path):
    _, window, _ = case
    save_reference(tmp_path / "reference.npz", window)
    for a, b in zip(load_reference(tmp_path / "reference.npz"), window, strict=True):
        if np.issubdtype(a.dtype, np.floating):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(ContractError, match=r"reference.npz"):
        load_reference(tmp_path / "nothing" / "reference.npz")
