import json
import multiprocessing
import os
import signal
import time
import warnings

import numpy as np
import pytest
import torch

from invopt.baselines import Baseline
from invopt.errors import CheckpointError, ConfigError, InvalidInputError
from invopt.evaluation import backtest, point_metrics
from invopt.features import FeatureEncoder
from invopt.model import callbacks
from invopt.model.precision import precision_of
from invopt.report.plots import losses
from invopt.training import Member, fit, prepare, read_history, series_weights, train_member
from tests.builders import make_config, make_panel, with_derived

pytestmark = pytest.mark.slow


def prepared(**sections):
    config = make_config(**sections)
    return with_derived(make_panel(num_periods=160), config), config


def train(panel, config, folder, num_periods=140):
    return fit(panel, config, num_periods, folder, clock=time.monotonic)


def weights_of(forecaster):
    return {k: v.numpy() for k, v in forecaster.members[0].state_dict().items()}


def test_the_same_seed_gives_the_same_network_and_another_seed_another(tmp_path):
    panel, config = prepared()
    first = weights_of(train(panel, config, tmp_path / "a"))
    again = weights_of(train(panel, config, tmp_path / "b"))
    assert all(np.array_equal(first[k], again[k]) for k in first)
    _, other = prepared(training={"seed": 1})
    different = weights_of(train(panel, other, tmp_path / "c"))
    assert not np.array_equal(first["trunk.base.weight"], different["trunk.base.weight"])


def test_nothing_after_the_training_range_reaches_the_network(tmp_path):
    panel, config = prepared()
    honest = weights_of(train(panel, config, tmp_path / "a"))
    panel.y[:, 140:] = 999
    panel.channels["temperature"].values[:, 140:] = 999
    blind = weights_of(train(panel, config, tmp_path / "b"))
    assert all(np.array_equal(honest[k], blind[k]) for k in honest)


def test_bfloat16_trains_with_clipped_gradients_to_nearly_the_same_network(tmp_path):
    panel, config = prepared()
    whole = weights_of(train(panel, config, tmp_path / "a"))
    _, half = prepared(training={"precision": "bf16-mixed"})
    # Plain kernels: oneDNN's need a processor that has bfloat16.
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):
        rounded = weights_of(train(panel, half, tmp_path / "b"))
    assert all(np.isfinite(rounded[k]).all() for k in whole)
    assert not np.array_equal(whole["trunk.base.weight"], rounded["trunk.base.weight"])
    np.testing.assert_allclose(
        rounded["trunk.base.weight"], whole["trunk.base.weight"], rtol=0, atol=0.05
    )


def test_a_processor_without_bfloat16_is_told_before_it_trains(tmp_path):
    if torch.cuda.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this machine computes in bfloat16")
    panel, config = prepared(training={"precision": "bf16-mixed"})
    with pytest.raises(ConfigError, match="neither a GPU nor a processor.*32-true"):
        train(panel, config, tmp_path)


def test_one_batch_can_be_overfitted(tmp_path):
    panel, config = prepared(
        training={"max_steps": 150, "learning_rate": 0.01, "heads_share": 0.05},
        model={"dropout": 0.0, "unknown_share": 0.0},
    )
    forecaster = train(panel, config, tmp_path)
    errors = {
        name: point_metrics(backtest(model, panel, [125], 140))["rmse"]
        for name, model in (
            ("lstm", forecaster),
            ("average", Baseline(14, 7, config.model, 28)),
        )
    }
    assert errors["lstm"] < errors["average"]


def test_a_finished_member_is_not_trained_again(tmp_path):
    panel, config = prepared()
    train(panel, config, tmp_path)
    before = (tmp_path / "member-00" / "network.npz").stat().st_mtime_ns
    train(panel, config, tmp_path)
    assert (tmp_path / "member-00" / "network.npz").stat().st_mtime_ns == before


def test_members_differ_and_their_average_is_served(tmp_path):
    panel, config = prepared(training={"num_members": 2})
    forecaster = train(panel, config, tmp_path)
    a, b = forecaster.members
    assert not torch.equal(a.trunk.base.weight, b.trunk.base.weight)
    single = [
        type(forecaster)(forecaster.spec, forecaster.config, [m]).predict(panel).mean
        for m in (a, b)
    ]
    np.testing.assert_allclose(
        forecaster.predict(panel).mean, (single[0] + single[1]) / 2, rtol=1e-4
    )


def test_a_loss_that_is_not_finite_stops_with_the_series_named(tmp_path):
    panel, config = prepared()
    prepare(panel, config, 140, tmp_path)
    weights = np.load(tmp_path / "weights.npy")
    np.save(tmp_path / "weights.npy", np.full_like(weights, np.nan))
    with pytest.raises(InvalidInputError, match=r"not finite at step 0.*rows \[\d"):
        train_member(tmp_path, Member(0, None, 1), clock=time.monotonic)


def test_a_panel_without_sales_in_the_training_range_is_refused(tmp_path):
    panel, config = prepared()
    panel.flags[:] = 2
    with pytest.raises(InvalidInputError, match="nothing to learn from"):
        train(panel, config, tmp_path)


def test_value_weights_grow_with_price_and_stay_in_bounds():
    panel, config = prepared(training={"loss_weights": "value"})
    panel.channels["price"].values[0] *= 50
    encoder = FeatureEncoder.fit(panel, config.features, 140)
    weights = series_weights(encoder.encode(panel), encoder.spec, config)
    assert weights.argmax() == 0
    assert weights.min() >= 0.1
    assert weights.max() <= 10


def test_minutes_end_a_training_that_has_no_number_of_steps(tmp_path):
    panel, config = prepared()
    content = json.loads(config.model_dump_json())
    content["training"] |= {"max_steps": None, "max_minutes": 0.03}
    timed = type(config).model_validate(content)
    started = time.monotonic()
    fit(panel, timed, 140, tmp_path, clock=time.monotonic)
    assert time.monotonic() - started < 30
    assert isinstance(read_history(tmp_path), list)


def test_the_loss_that_is_drawn_is_of_the_same_windows_and_falls_while_it_learns(
    tmp_path, monkeypatch
):
    panel, config = prepared(training={"max_steps": 60, "learning_rate": 0.01})
    seen = weights_of(train(panel, config, tmp_path / "a"))
    rows = [r for r in read_history(tmp_path / "a") if r[0] == "trunk, same windows"]
    assert len(rows) >= 10
    assert [step for _, step, _ in rows] == sorted({step for _, step, _ in rows})
    assert rows[-1][2] < rows[0][2]
    assert "Training loss of the same windows" in losses([read_history(tmp_path / "a")])
    monkeypatch.setattr(callbacks, "_POINTS", 1)  # looking moves nothing
    unseen = weights_of(train(panel, config, tmp_path / "b"))
    assert all(np.array_equal(seen[name], unseen[name]) for name in seen)


def test_a_check_sees_a_falling_loss_of_a_horizon_that_training_does_not(tmp_path):
    panel, config = prepared(training={"max_steps": 120, "check_steps": 20, "learning_rate": 0.01})
    seen = []
    fit(panel, config, 140, tmp_path / "a", clock=time.monotonic, check=lambda *c: seen.append(c))
    steps, losses = zip(*seen, strict=True)
    assert steps == (20, 40, 60, 80)
    assert losses[-1] < losses[0]
    # The horizon that is checked cannot have been learnt from.
    panel.y[:, 126:] = 0
    other = []
    fit(panel, config, 140, tmp_path / "b", clock=time.monotonic, check=lambda *c: other.append(c))
    a, b = (
        np.load(tmp_path / f / "member-00" / "trunk.npz")["base.weight"] for f in ("a", "b")
    )  # fmt: skip
    assert np.array_equal(a, b)
    assert other != seen


def test_training_ends_early_when_checks_stop_improving(tmp_path):
    panel, config = prepared(
        training={"max_steps": 400, "check_steps": 5, "patience": 1, "learning_rate": 0.5}
    )
    seen = []
    fit(panel, config, 140, tmp_path, clock=time.monotonic, check=lambda *c: seen.append(c))
    losses = [loss for _, loss in seen]
    assert len(losses) < 20
    assert losses[-1] >= min(losses)


def test_a_folder_with_another_configuration_is_refused_with_the_difference(tmp_path):
    panel, config = prepared()
    train(panel, config, tmp_path)
    _, other = prepared(model={"hidden_size": 12})
    with pytest.raises(CheckpointError, match=r"model.hidden_size was 8 and is 12"):
        train(panel, other, tmp_path)


def test_a_training_that_cannot_fit_is_refused_before_it_starts_with_the_estimate(tmp_path):
    panel, config = prepared(model={"hidden_size": 20_000})
    with pytest.raises(ConfigError, match=r"needs about \d+\.\d GB .*weights .*lower training"):
        fit(panel, config, 140, tmp_path / "a", clock=time.monotonic, memory=2_000_000_000)
    assert not (tmp_path / "a").exists()
    _, small = prepared()
    prepare(panel, small, 140, tmp_path / "b", memory=2_000_000_000)


def test_a_killed_training_goes_on_and_ends_bit_for_bit_where_it_would_have(tmp_path):
    panel, config = prepared(training={"max_steps": 40, "checkpoint_minutes": 0.0005})
    whole = weights_of(train(panel, config, tmp_path / "whole"))
    prepare(panel, config, 140, tmp_path / "killed")
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=train_until_killed, args=(tmp_path / "killed",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    member = tmp_path / "killed" / "member-00"
    assert (member / "trunk-last.ckpt").is_file()
    assert not (member / "trunk.npz").is_file()
    resumed = weights_of(train(panel, config, tmp_path / "killed"))
    assert all(np.array_equal(whole[k], resumed[k]) for k in whole)


def train_until_killed(folder):
    """Kill this process in the middle of the trunk, as an evicted pod is."""

    def clock():
        if (folder / "member-00" / "trunk-last.ckpt").is_file():
            os.kill(os.getpid(), signal.SIGKILL)
        return time.monotonic()

    train_member(folder, Member(0, None, 1), clock=clock)


@pytest.mark.parametrize(
    ("asked", "known", "expected"),
    [
        ("auto", {"avx512_bf16": True, "amx_bf16": False}, "bf16-mixed"),
        ("auto", {"avx512_bf16": False, "amx_bf16": True}, "bf16-mixed"),
        ("auto", {"avx512_bf16": False, "avx512_f": True}, "32-true"),
        ("auto", {"architecture": "aarch64"}, "32-true"),
        ("32-true", {"avx512_bf16": True}, "32-true"),
        ("bf16-mixed", {}, "bf16-mixed"),
    ],
)
def test_a_training_computes_in_bfloat16_where_the_processor_multiplies_it(
    monkeypatch, asked, known, expected
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert precision_of(asked) == expected


@pytest.mark.parametrize(("is_known", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_gpu_computes_in_bfloat16_where_it_multiplies_it(monkeypatch, is_known, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: is_known)
    assert precision_of("auto") == expected
