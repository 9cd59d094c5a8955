import numpy as np
import pytest

from invopt.errors import ConfigError
from invopt.features import FeatureEncoder, model_inputs
from invopt.model import export_onnx
from invopt.monitoring.champion import champion_subject
from tests.builders import make_config, make_forecaster, make_panel, with_derived


def test_a_model_that_does_not_forecast_a_whole_period_is_refused_in_one_sentence(tmp_path):
    config = make_config()
    panel = with_derived(make_panel(), config)
    forecaster = make_forecaster(panel, config)
    forecaster.save(tmp_path)
    encoded = FeatureEncoder(forecaster.spec).encode(panel)
    cutoffs = np.full(6, panel.num_periods - 1)
    inputs = model_inputs(forecaster.spec, encoded, np.arange(6), cutoffs)
    export_onnx(forecaster, tmp_path / "model.onnx", inputs)
    assert champion_subject(tmp_path, panel, config).scoring.period == 7
    longer = make_config(monitoring={"period": 15})
    with pytest.raises(ConfigError, match="period is 15 periods, but the champion forecasts 14"):
        champion_subject(tmp_path, panel, longer)
