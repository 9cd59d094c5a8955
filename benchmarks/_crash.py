"""A call in a process of its own that dies, or finds the disk full, at the n-th of its writes."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# What changes files, and what makes it last.
CALLS = (
    "write,writev,pwrite64,sendfile,copy_file_range,ftruncate,fallocate,"
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,fsync,fdatasync"
)
_FULL = "write,writev,pwrite64,sendfile,copy_file_range,fallocate,mkdir,mkdirat,fsync,fdatasync"
KILL, FULL = "kill", "full"
_SECONDS = 300.0


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        status: 0 well, 1 by an exception, negative by a signal.
        said: The exception, "" where there was none.
        calls: That change files, of its main thread; 0 where nobody counted.
    """

    status: int
    said: str
    calls: int = 0


def run(work: Callable[[], object], fault: str = "", at: int = 0, *, count: bool = False) -> Ended:
    """Do something in a forked process; returns how that ended.

    Args:
        work: To do. What it imports is best imported before: a fork has it for nothing.
        fault: KILL or FULL; "" for none.
        at: The call it happens at, from 1; a full disk is full from then on.
        count: Count the calls.
    """
    with tempfile.TemporaryDirectory() as folder:
        said, log = Path(folder) / "said", Path(folder) / "trace"
        ready, go = os.pipe()
        child = os.fork()
        if not child:
            _child(work, said, ready)
        os.close(ready)
        tracer = _trace(child, fault, at, log) if fault or count else None
        os.write(go, b"x")
        os.close(go)
        status = _wait(child)
        if tracer is not None:
            tracer.wait(timeout=_SECONDS)
        text = said.read_text() if said.is_file() else ""
        return Ended(status, text, _counted(child, log) if count else 0)


def _child(work: Callable[[], object], said: Path, ready: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    # What waits in buffers of the parent is the parent's to write.
    sys.stdout, sys.stderr = (os.fdopen(os.dup(null), "w") for _ in range(2))
    os.read(ready, 1)
    status = 1
    try:
        work()
        status = 0
    except BaseException as err:
        with contextlib.suppress(OSError):  # the disk of this file is full too
            said.write_text("".join(traceback.format_exception_only(err)).strip())
    finally:
        os._exit(status)  # nothing of the parent's is this process's to clean up


def _trace(child: int, fault: str, at: int, log: Path) -> "subprocess.Popen[str]":
    inject = {
        KILL: [f"--inject={CALLS}:signal=SIGKILL:when={at}"],
        FULL: [f"--inject={_FULL}:error=ENOSPC:when={at}+"],
    }.get(fault, [])
    tracer = subprocess.Popen(
        ["strace", "-f", "-e", f"trace={CALLS}", *inject, "-o", str(log), "-p", str(child)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert tracer.stderr is not None
    first = tracer.stderr.readline()
    if "attached" not in first:
        raise RuntimeError(f"strace cannot follow a process here: {first.strip()}")
    return tracer


def _wait(child: int) -> int:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise RuntimeError(f"a process hung for {_SECONDS:.0f} s")


def _counted(child: int, log: Path) -> int:
    if not log.is_file():
        return 0
    started = re.compile(rf"{child} +\w+\(")
    return sum(bool(started.match(line)) for line in log.read_text(errors="replace").splitlines())
