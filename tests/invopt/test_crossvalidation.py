import time

import pytest
import torch

from invopt.config import Config
from invopt.crossvalidation import cross_validate, folds_of
from invopt.errors import ConfigError
from tests.builders import SMALL_FEATURES, make_panel


def a_config(**evaluation):
    ranges = {"gate_periods": 14, "selection_periods": 14, "step_size": 7, "num_folds": 2}
    return Config.model_validate(
        {
            "name": "folds",
            "data": {"mapping": "datasets/m5.yaml"},
            "features": SMALL_FEATURES.model_dump() | {"aggregates": ()},
            "model": {"hidden_size": 4, "decoder_size": 4},
            "training": {"max_steps": 5, "batch_size": 4},
            "evaluation": ranges | {"hierarchy": [[], ["unique_id"]]} | evaluation,
        }
    )


def test_folds_lie_before_the_sweep_and_do_not_overlap():
    folds = folds_of(make_panel(), a_config().evaluation)
    assert [(f.start, f.stop) for f in folds] == [(78, 92), (64, 78)]


def test_more_folds_than_the_history_holds_are_refused():
    with pytest.raises(ConfigError, match="num_folds: 7 folds of 14 periods leave -6"):
        folds_of(make_panel(), a_config(num_folds=7).evaluation)


@pytest.mark.slow
def test_a_fold_learns_nothing_from_what_it_is_judged_on(tmp_path):
    config = a_config(num_folds=1, step_size=14)
    changed = make_panel()
    changed.y[:, 78:] = changed.y[:, 78:] + 5
    sums = []
    for name, panel in (("as it is", make_panel()), ("another future", changed)):
        found = cross_validate(panel, config, tmp_path / name, clock=time.monotonic, notify=print)
        sums.append((1 + found["folds"][0]["points"]["bias"]) * panel.y[:, 78:92].sum())
    assert sums[0] == pytest.approx(sums[1], rel=1e-6)


@pytest.mark.slow
def test_a_gap_is_not_scored_and_every_fold_gives_every_number(tmp_path):
    found = cross_validate(
        make_panel(), a_config(gap=3), tmp_path, clock=time.monotonic, notify=print
    )
    assert [f["start"] for f in found["folds"]] == ["2024-03-19", "2024-03-05"]
    assert set(found["mean"]) >= {"rmse", "mae", "r2", "wape", "bias", "mase", "wrmsse"}
    wapes = [f["points"]["wape"] for f in found["folds"]]
    assert found["mean"]["wape"] == pytest.approx(sum(wapes) / 2)
    assert found["spread"]["wape"] == pytest.approx(abs(wapes[0] - wapes[1]) / 2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_fold_of_a_training_on_two_machines_waits_for_no_other_machine(tmp_path):
    config = a_config(num_folds=1)
    training = config.training.model_copy(update={"num_nodes": 2, "num_processes": 2})
    config = config.model_copy(update={"training": training})
    found = cross_validate(make_panel(), config, tmp_path, clock=time.monotonic, notify=print)
    assert len(found["folds"]) == 1
    assert not torch.distributed.is_initialized()
