"""`invopt bench gpu` in its smallest form, on the processor."""

import json

import pytest
import torch

from benchmarks import gpu
from benchmarks._launches import launches

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
    assert found.seconds is None


def test_the_steps_between_two_gathers_bear_an_equal_share_of_one():
    def step(number):
        for _ in range(11 if number % 5 == 0 else 1):
            torch.ones(2).add_(1)

    gathering, alone = launches(lambda: step(0), CPU), launches(lambda: step(1), CPU)
    assert gathering.number == 11 * alone.number
    assert gpu._of_a_step(step, 5, 5, CPU).number == 3 * alone.number


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
