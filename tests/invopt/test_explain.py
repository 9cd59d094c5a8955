import numpy as np

from invopt.explain import explain
from tests.builders import make_config, make_forecaster, make_panel, with_derived


def test_attributions_add_up_to_the_forecast():
    config = make_config()
    panel = with_derived(make_panel(), config)
    forecaster = make_forecaster(panel, config)
    found = explain(forecaster, panel, np.array([0, 3]), 119)
    assert found.additivity_error < 1e-3
    np.testing.assert_allclose(
        found.base + found.values.sum(1), found.forecast, rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        found.forecast, forecaster.predict(panel, 119).mean[[0, 3]].sum(1), rtol=1e-4
    )
    assert found.unique_ids == tuple(panel.unique_ids[[0, 3]])


def test_a_feature_the_network_cannot_see_has_no_share():
    config = make_config()
    panel = with_derived(make_panel(), config)
    forecaster = make_forecaster(panel, config)
    trunk = forecaster.members[0].trunk
    names = list(explain(forecaster, panel, np.array([0]), 119).features)
    import torch

    with torch.no_grad():
        trunk.decoder_planned.zero_()
    blind = explain(forecaster, panel, np.array([0]), 119)
    assert blind.values[0, names.index("price_change")] == 0


def test_importance_is_sorted_and_of_every_feature():
    config = make_config()
    panel = with_derived(make_panel(), config)
    found = explain(make_forecaster(panel, config), panel, np.arange(6), 119)
    values = list(found.importance().values())
    assert values == sorted(values, reverse=True)
    assert set(found.importance()) == set(found.features)
