"""A warm process for the steps of a run on this machine: a step is a fork of it, not a program.

On a cluster each step is a pod and loads what it needs. Here a run of twelve steps loaded pandas
and kfp twelve times and torch five times, which took longer than most of the steps. A step is still
a process of its own, with its own environment, folder and output, and ends with it; only what it
would load first is there already. Where there is no such process a step starts by itself.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from invopt.types import Json
from serving import step
from serving.libraries import limit_threads, replace_environment
from serving.machine import available_processors
from serving.stores.feast_import import feature_store_class

# What every step loads; no step is forked before it is there.
ALWAYS = (
    "kfp.dsl.executor_main",
    "pandas",
    "pyarrow.parquet",
    "sqlalchemy",
    "scipy.stats",
    "invopt.sources",
)
_REGISTRY = "mlflow.store.tracking.sqlalchemy_store"
# What steps of a pipeline load, in their order: between requests, beside the step before.
# Never ONNX Runtime: it starts a thread when it is loaded, and its sessions abort in a fork.
MODULES: Mapping[str, Sequence[str]] = {
    "training": ("pandera.typing.dask", "feast", "pytorch_lightning", _REGISTRY),
    "replenishment": (_REGISTRY, "pandera.typing.dask", "matplotlib.pyplot", "feast"),
    "monitoring": ("evidently", _REGISTRY, "matplotlib.pyplot"),
}
_FEAST = "feast"
_LOOK_SECONDS = 0.05  # between two looks at whether a step, or who waits for it, has ended
_KILLED = 128  # what a shell adds to the number of the signal that ended a program


@contextlib.contextmanager
def warm_steps(pipeline: str, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment of a run whose steps are forks of a warm process.

    Args:
        pipeline: Which: its steps say what is loaded.
        environment: Of the run. It is yielded as it is where the system cannot do it.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="invopt-steps-")))
        listener = _listening(folder / "socket") if sys.platform == "linux" else None
        if listener is None:
            yield dict(environment)
            return
        with listener:
            server = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno()), *MODULES[pipeline]],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**environment, "_KFP_RUNTIME": "true"}, pass_fds=[listener.fileno()],
            )  # fmt: skip
        stack.callback(server.communicate)  # the end of its input is the end of the process
        yield {**environment, step.SERVER: str(folder / "socket")}


def _listening(place: Path) -> socket.socket | None:
    """Return a socket at a path; None where the path is too long for one."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(place))
    except OSError:
        listener.close()
        return None
    listener.listen()
    return listener


def serve(listener: socket.socket, modules: Sequence[str]) -> None:
    """Fork a step for each request until standard input ends; load modules in between."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the steps
    for name in ALWAYS:
        importlib.import_module(name)
    left = list(modules)
    while True:
        # A fork that looks for garbage among what was loaded here would copy all of it.
        gc.freeze()
        ready, _, _ = select.select([listener, sys.stdin], [], [], 0 if left else None)
        _collect(os.WNOHANG)
        if sys.stdin in ready:
            _collect(0)
            return
        if listener not in ready:
            load(left.pop(0))
            continue
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                listener.close()
                _keep(connection)


def load(name: str) -> None:
    """Load a module; Feast as the steps do."""
    if name == _FEAST:
        feature_store_class()
    else:
        importlib.import_module(name)


def _collect(options: int) -> None:
    """Collect children that have ended: their processor time counts as the run's then."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _keep(connection: socket.socket) -> NoReturn:
    """Fork the step of a request, tell how it ended, and end it when nobody waits for it."""
    request, files = _received(connection)
    process = os.fork()
    if process == 0:
        connection.close()
        _become(request, files)
    for file in files:
        os.close(file)
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):
                connection.sendall(bytes([code if code >= 0 else _KILLED - code]))
            os._exit(0)
        if select.select([connection], [], [], _LOOK_SECONDS)[0]:
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)
            os._exit(0)


def _received(connection: socket.socket) -> tuple[Json, list[int]]:
    """Return a request, and its standard input, output and error."""
    size, files, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as stream:
        return json.loads(stream.read(int.from_bytes(size, "big"))), files


def _become(request: Json, files: list[int]) -> NoReturn:
    """Be the process that asked: its files, folder, environment and arguments; run the step."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["folder"])
    replace_environment(request["environment"])
    sys.argv = request["arguments"]
    _leave(step.main())


def _leave(status: int) -> NoReturn:
    """End with what a program does in the end, but for taking all modules apart.

    That touches all that was loaded before the fork, so that the system copies it: up to a second.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    limit_threads(available_processors())
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
