import os

import pytest

from serving.machine import available_memory, available_processors

MEMINFO = "MemTotal: 16000 kB\nMemFree: 1000 kB\nMemAvailable: 8000 kB\n"


def test_free_memory_is_what_the_system_says(tmp_path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    assert available_memory(tmp_path / "meminfo", tmp_path) == 8_192_000


def test_a_containers_limit_counts_where_it_is_tighter(tmp_path):
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 3_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(tmp_path / "meminfo", tmp_path) == 8_192_000


def test_a_system_that_does_not_say_gives_nothing(tmp_path):
    assert available_memory(tmp_path / "absent", tmp_path) is None


ALLOWED = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "processors"),
    [
        ("max 100000\n", ALLOWED),
        ("100000 100000\n", 1),
        ("150000 100000\n", min(2, ALLOWED)),
        ("20000 100000\n", 1),
        ("6400000 100000\n", ALLOWED),
    ],
)
def test_a_containers_quota_counts_where_it_is_tighter(tmp_path, text, processors):
    (tmp_path / "cpu.max").write_text(text)
    assert available_processors(tmp_path) == processors


@pytest.mark.parametrize(("quota", "processors"), [("-1\n", ALLOWED), ("100000\n", 1)])
def test_the_older_hierarchy_of_control_groups_is_read_too(tmp_path, quota, processors):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_processors(tmp_path) == processors
