from serving.cluster.machine import available_memory

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
