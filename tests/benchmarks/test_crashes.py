"""The short form of `invopt bench crashes`: a few of the calls of each operation."""

import os
import shutil
from pathlib import Path

import pytest

from benchmarks import _crash, crashes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


def write_twice(folder: Path) -> None:
    for name in ("a", "b"):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT)
        os.write(file, b"whole")
        os.close(file)


def test_a_call_is_counted_killed_and_refused_where_it_is_asked_to_be(tmp_path):
    assert _crash.run(lambda: write_twice(tmp_path), count=True) == _crash.Ended(0, "", 2)
    for file in tmp_path.iterdir():
        file.unlink()
    assert _crash.run(lambda: write_twice(tmp_path), _crash.KILL, 2).status == -9
    assert [(tmp_path / name).read_bytes() for name in ("a", "b")] == [b"whole", b""]
    # the disk is full from then on, also for what the process would like to say of it
    assert _crash.run(lambda: write_twice(tmp_path), _crash.FULL, 2) == _crash.Ended(1, "", 0)


def test_what_a_process_raises_is_told(tmp_path):
    def fails():
        raise ValueError("of nobody's making")

    assert _crash.run(fails) == _crash.Ended(1, "ValueError: of nobody's making")


def test_points_are_spread_over_all_calls():
    assert crashes._spread(5, 0) == [1, 2, 3, 4, 5]
    assert crashes._spread(100, 3) == [1, 51, 100]
    assert crashes._spread(3, 10) == [1, 2, 3]


def test_a_few_crashes_of_each_operation_leave_nothing_wrong():
    operations = [o for o in crashes.OPERATIONS if o.name != "first opening"]
    rows = crashes.crash(operations, points=2, seconds=60.0, notify=print)
    assert [fault for row in rows for fault in row.faults] == []
    assert sum(row.tried for row in rows) > 0
