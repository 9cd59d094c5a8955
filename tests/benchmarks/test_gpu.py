"""`invopt bench gpu` in its smallest form, on the processor."""

import json

import pytest
import torch

from benchmarks import gpu
from benchmarks._launches import launches
from invopt.features import FeatureEncoder
from invopt.model.windows import WindowQueue

CPU = torch.device("cpu")


def test_what_calls_no_other_operator_is_a_launch_and_a_view_is_none():
    a, b = torch.ones(3, 4), torch.ones(4, 3)
    lists = [torch.ones(2), torch.ones(3)]

    def work():
        product = (a @ b).view(9).unsqueeze(0)  # one: the views launch nothing
        product.add_(1).relu()  # two
        torch._foreach_mul_(lists, 2.0)  # one, of both

    found = launches(work, CPU)
    assert found.number == 4
    assert (found.kernels, found.seconds) == (0, 0)


def test_the_steps_between_two_gathers_bear_an_equal_share_of_one():
    def step(number):
        for _ in range(11 if number % 5 == 0 else 1):
            torch.ones(2).add_(1)

    gathering, alone = launches(lambda: step(0), CPU), launches(lambda: step(1), CPU)
    assert gathering.number == 11 * alone.number
    assert gpu._of_a_step(step, 5, 5, CPU).number == 3 * alone.number


def made_up_task(members, device):
    parsed = gpu._parse(["--products", "2"])
    panel, config, _ = gpu._data(parsed, False)
    encoder = FeatureEncoder.fit(panel, config.features, panel.num_periods)
    task = gpu.task_of(encoder.spec, encoder.encode(panel), config, members, 4).to(device)
    task.source = task.source.to(device)
    return task


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("members", [1, 3])
def test_a_gpu_replays_what_it_and_a_processor_compute(members):
    found = []
    for device, is_captured in (("cpu", False), ("cuda", False), ("cuda", True)):
        task = made_up_task(members, device)
        task.draw = lambda windows, step: None  # each device draws noise of its own
        queue = WindowQueue(task.source, task.sampler)
        if is_captured:
            task.capture(queue.take(0))
        for step in (1, 2):  # of other windows than those that were captured
            task.zero_grad()
            task.step_losses(queue.take(step), step).sum().backward()
            found.append([p.grad.cpu() for p in task.parameters()])
    for processor, plain, replayed in zip(found[:2], found[2:4], found[4:], strict=True):
        torch.testing.assert_close(replayed, plain, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(plain, processor, rtol=1e-2, atol=1e-4)


@pytest.mark.slow
def test_the_whole_command_measures_one_member_and_several_and_the_recipe(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: the command would take its minutes")
    out = tmp_path / "gpu.json"
    gpu.main(
        ["--products", "2", "--members", "2", "--batches", "4", "--seconds", "0.01",
         "--steps", "4", "--out", str(out)]
    )  # fmt: skip
    found, told = json.loads(out.read_text()), capsys.readouterr().out
    assert "no GPU: processor, in small" in told
    assert "10 series x 730 days" in found["data"]
    one, both = found["rows"]
    assert (one["members"], both["members"]) == (1, 2)
    assert all(row["windows"] > 0 and row["memory"] is None for row in found["rows"])
    assert 50 < one["launches"] < 200  # of one member, the gather shared by its steps
    assert both["launches"] > 500  # an LSTM of 52 steps, whatever the number of members
    assert found["recipe"]["members"] == 2
    assert 0 < found["recipe"]["wrmsse"] < 20
    assert found["recipe"]["days"] == "d_703..d_730"
