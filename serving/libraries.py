"""What libraries read from the environment by themselves: set here alone, before they are loaded.

None of it is a fact of the deployment (those are `Deployment`'s), and no library takes it as an
argument. What the environment says already stays.
"""

import os
from collections.abc import Mapping, MutableMapping

# Read by torch, numpy's BLAS and everything built on OpenMP, once, when they are loaded.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# How OpenMP's threads wait for each other. By default they spin, and beside other work on the same
# processors one waits for another that is not running: eight times the processor time was seen.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
_SWITCHES = {
    # gRPC's event engine hands every event to one more thread: a tenth of a millisecond a call.
    "GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener",
    # MLflow and Evidently look for updates and report usage unless told not to.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
_PACKAGES = "PYTHONPATH"


def set_switches(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let gRPC answer at once, and let nothing report usage."""
    for name, value in _SWITCHES.items():
        environment.setdefault(name, value)


def ask_registry_less(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let MLflow give up a registry that does not answer while a person waits, in half a minute.

    By itself it asks eight times for two minutes each. A registry that is away refuses at once; one
    that takes the connection and says nothing (a port-forward whose pod is gone) costs the whole
    time of each of the three attempts, and some seconds between them.
    """
    environment.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    environment.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "6")


def limit_threads(processors: int, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let libraries that are loaded from now on use as many threads as there are processors.

    Threads that have nothing to do sleep.
    """
    for name in _THREADS:
        environment.setdefault(name, str(processors))
    for name, value in _WAITING.items():
        environment.setdefault(name, value)


def replace_environment(
    wanted: Mapping[str, str], environment: MutableMapping[str, str] = os.environ
) -> None:
    """Let this process and its libraries see another environment from now on."""
    environment.clear()
    environment.update(wanted)


def hand_down_packages(folder: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Let programs that are started from now on import from a folder, before all others."""
    known = [part for part in environment.get(_PACKAGES, "").split(os.pathsep) if part]
    if folder not in known:
        environment[_PACKAGES] = os.pathsep.join([folder, *known])
