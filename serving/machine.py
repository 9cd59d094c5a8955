"""What this process may use of the machine it runs on."""

import math
import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Return bytes this process can still take: free memory, or what its container has left.

    None where the system does not say.
    """
    if not meminfo.is_file():
        return None
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        return min(free, max(0, int(text) - int(used.read_text())))
    return free


def available_processors(cgroup: Path = _CGROUP) -> int:
    """Return how many threads can run at once: the processors allowed, and the container's quota.

    Libraries count the processors of the machine; under a quota of two, eight threads spend their
    time waiting for each other.
    """
    allowed = len(os.sched_getaffinity(0))
    limit = cgroup / "cpu.max"
    if limit.is_file():
        quota, period = limit.read_text().split()
    elif (old := cgroup / "cpu" / "cpu.cfs_quota_us").is_file():
        quota, period = old.read_text(), old.with_name("cpu.cfs_period_us").read_text()
    else:
        return allowed
    if not quota.strip().isdigit():  # "max", or -1 of the older hierarchy
        return allowed
    return max(1, min(allowed, math.ceil(int(quota) / int(period))))
