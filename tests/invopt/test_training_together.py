"""Members trained as one network: the same as one by one, but for rounding."""

import multiprocessing
import os
import signal
import time
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from invopt.errors import InvalidInputError
from invopt.model import recurrence
from invopt.model.recurrence import lstm_of_members
from invopt.model.together import clip_members
from invopt.training import (
    Member,
    is_trained_together,
    prepare,
    read_history,
    train_member,
    train_together,
)
from tests.builders import make_config, make_panel, with_derived

MEMBERS = [Member(number, None, 1) for number in range(3)]


def prepared(folder, **training):
    config = make_config(training={"num_members": 3, "origin_strides": [7, 1], **training})
    panel = with_derived(make_panel(num_periods=160), config)
    prepare(panel, config, 140, folder)
    return config


def trunks(folder):
    found = []
    for member in MEMBERS:
        with np.load(member.folder_in(folder) / "trunk.npz") as arrays:
            found.append({name: arrays[name] for name in arrays.files})
    return found


def alone(folder, **training):
    prepared(folder, **training)
    for member in MEMBERS:
        train_member(folder, member, clock=time.monotonic)
    return trunks(folder)


def together(folder, **training):
    prepared(folder, **training)
    train_together(folder, MEMBERS, clock=time.monotonic)
    return trunks(folder)


@pytest.mark.parametrize(("windows", "steps"), [(3, 5), (2, 1), (64, 20)])
def test_the_lstm_of_members_gives_what_torchs_gives_each_of_them(windows, steps):
    torch.manual_seed(0)
    lstms = [nn.LSTM(4, 6, batch_first=True) for _ in range(2)]
    inputs = torch.randn(2, windows, steps, 4, requires_grad=True)
    pull = torch.randn(2, windows, steps, 6)
    expected = torch.stack([lstm(inputs[m])[0] for m, lstm in enumerate(lstms)])
    (expected * pull).sum().backward()
    gradients = [inputs.grad.clone(), *(p.grad.clone() for x in lstms for p in x.parameters())]
    inputs.grad = None
    for lstm in lstms:
        lstm.zero_grad()

    def stacked(name):
        return torch.stack([getattr(lstm, name) for lstm in lstms])

    bias = stacked("bias_ih_l0") + stacked("bias_hh_l0")
    found = lstm_of_members(inputs, stacked("weight_ih_l0"), stacked("weight_hh_l0"), bias)
    (found * pull).sum().backward()
    torch.testing.assert_close(found, expected)
    again = [inputs.grad, *(p.grad for x in lstms for p in x.parameters())]
    for a, b in zip(again, gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def fused_cell(inputs, states, cell, *_):
    """What torch's cell gives on a GPU: state, cell, and its gates at work."""
    into, forget, new, out = (inputs + states).chunk(4, dim=1)
    gates = torch.cat([into.sigmoid(), forget.sigmoid(), new.tanh(), out.sigmoid()], dim=1)
    into, forget, new, out = gates.chunk(4, dim=1)
    after = forget * cell + into * new
    return out * after.tanh(), after, gates


def fused_cell_back(of_state, of_cell, before, cell, gates, _):
    """Its gradients: of the gates, of the cell before, and of no bias."""
    into, forget, new, out = gates.chunk(4, dim=1)
    bent = cell.tanh()
    of_cell = of_cell + of_state * out * (1 - bent**2)
    parts = [of_cell * new * into * (1 - into), of_cell * before * forget * (1 - forget),
             of_cell * into * (1 - new**2), of_state * bent * out * (1 - out)]  # fmt: skip
    return torch.cat(parts, dim=1), of_cell * forget, None


@pytest.mark.parametrize(("windows", "steps"), [(3, 5), (2, 1), (8, 20)])
def test_the_lstm_of_a_gpu_gives_what_that_of_a_processor_gives(monkeypatch, windows, steps):
    monkeypatch.setattr(recurrence, "_CELL", fused_cell)
    monkeypatch.setattr(recurrence, "_CELL_BACK", fused_cell_back)
    torch.manual_seed(0)
    shapes = [(2, windows, steps, 4), (2, 24, 4), (2, 24, 6), (2, 24)]
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    pull = torch.randn(2, windows, steps, 6)
    expected = lstm_of_members(*inputs)
    found = recurrence._FusedSequence.apply(*inputs)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad((x * pull).sum(), inputs) for x in (expected, found)]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)


def test_each_member_is_clipped_by_its_own_norm():
    weights = nn.Parameter(torch.zeros(2, 2))
    weights.grad = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    clip_members(weights, 1.0)
    torch.testing.assert_close(weights.grad, torch.tensor([[0.6, 0.8], [0.3, 0.4]]))


@pytest.mark.slow
def test_members_together_are_those_that_one_by_one_gives(tmp_path):
    one_by_one = alone(tmp_path / "a", max_steps=40, gradient_clip=0.05)
    at_once = together(tmp_path / "b", max_steps=40, gradient_clip=0.05)
    for expected, found in zip(one_by_one, at_once, strict=True):
        assert expected.keys() == found.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-3, atol=2e-5, err_msg=name)
    first, second, _ = at_once
    assert not np.allclose(first["base.weight"], second["base.weight"], atol=1e-3)


@pytest.mark.slow
def test_heads_are_trained_on_the_trunks_that_were_trained_together(tmp_path):
    config = prepared(tmp_path, max_steps=20)
    told = []
    train_together(tmp_path, MEMBERS, clock=time.monotonic, notify=told.append)
    before = trunks(tmp_path)
    for member in MEMBERS:
        with np.load(member.folder_in(tmp_path) / "network.npz") as arrays:
            at = before[member.number]["lstm.weight_hh_l0"]
            assert np.array_equal(arrays["trunk.lstm.weight_hh_l0"], at)
        tasks = {task for task, _, _ in read_history(tmp_path, member.number)}
        assert {"trunk, same windows", "heads, same windows"} <= tasks
    assert config.training.num_members == 3


@pytest.mark.slow
def test_heads_together_are_those_that_one_by_one_gives(tmp_path):
    for name, train in (("a", train_apart), ("b", train_together)):
        prepared(tmp_path / name, max_steps=20, gradient_clip=0.05)
        train(tmp_path / name, MEMBERS, clock=time.monotonic)
    for member in MEMBERS:
        files = [member.folder_in(tmp_path / name) / "network.npz" for name in ("a", "b")]
        with np.load(files[0]) as expected, np.load(files[1]) as found:
            assert set(expected.files) == set(found.files)
            for name in expected.files:
                np.testing.assert_allclose(
                    found[name], expected[name], rtol=1e-3, atol=1e-4, err_msg=name
                )


def train_apart(folder, members, *, clock):
    for member in members:
        train_member(folder, member, clock=clock)


@pytest.mark.slow
def test_a_killed_training_of_members_together_goes_on_where_it_was(tmp_path):
    steps = {"max_steps": 40, "checkpoint_minutes": 0.0005}
    whole = together(tmp_path / "whole", **steps)
    prepared(tmp_path / "killed", **steps)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=train_until_killed, args=(tmp_path / "killed",))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "killed" / "together" / "trunk-last.ckpt").is_file()
    assert not (tmp_path / "killed" / "member-00" / "trunk.npz").is_file()
    resumed = together(tmp_path / "killed", **steps)
    for expected, found in zip(whole, resumed, strict=True):
        assert all(np.array_equal(expected[name], found[name]) for name in expected)


def train_until_killed(folder):
    """Kill this process in the middle of the trunks, as an evicted pod is."""

    def clock():
        if (folder / "together" / "trunk-last.ckpt").is_file():
            os.kill(os.getpid(), signal.SIGKILL)
        return time.monotonic()

    train_together(folder, MEMBERS, clock=clock)


@pytest.mark.slow
def test_members_together_train_in_bfloat16_to_nearly_the_same_trunks(tmp_path):
    whole = together(tmp_path / "a")
    with warnings.catch_warnings(action="ignore"), torch.backends.mkldnn.flags(enabled=False):
        half = together(tmp_path / "b", precision="bf16-mixed")
    for expected, found in zip(whole, half, strict=True):
        assert not np.array_equal(expected["base.weight"], found["base.weight"])
        np.testing.assert_allclose(found["base.weight"], expected["base.weight"], rtol=0, atol=0.05)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_names_the_series_of_the_members_batch(tmp_path):
    prepared(tmp_path)
    weights = np.load(tmp_path / "weights.npy")
    np.save(tmp_path / "weights.npy", np.full_like(weights, np.nan))
    with pytest.raises(InvalidInputError, match=r"not finite at step 0.*rows \[\d"):
        train_together(tmp_path, MEMBERS, clock=time.monotonic)


@pytest.mark.parametrize(
    ("device", "sections", "expected"),
    [
        ("cuda", {}, True),
        ("cpu", {}, False),
        ("cuda", {"training": {"num_members": 1}}, False),
        ("cuda", {"training": {"num_members": 3, "num_processes": 2}}, False),
        ("cuda", {"training": {"num_members": 3, "patience": 2}}, False),
        ("cuda", {"model": {"num_layers": 2}}, False),
    ],
)
def test_members_are_trained_together_where_launches_are_what_a_step_waits_for(
    device, sections, expected
):
    config = make_config(**({"training": {"num_members": 3}} | sections))
    assert is_trained_together(config, device) is expected


def test_a_check_looks_at_one_member_and_so_keeps_them_apart():
    config = make_config(training={"num_members": 3})
    assert not is_trained_together(config, "cuda", check=lambda step, loss: None)
