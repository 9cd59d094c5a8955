"""`python -m serving`: answer requests with the champion, a named version, or a model folder.

With --predictor-host the graph runs in a predictor of its own (serving.predictor) and this
process is KServe's transformer; without, both are one process. The answers are the same.
"""

import argparse
import functools
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invopt.errors import InvalidInputError
from invopt.types import Notify
from serving.deployment import Deployment
from serving.ports import check_free
from serving.settings import ServerSettings

if TYPE_CHECKING:
    from serving.answers.loaded_model import LoadedChampion
    from serving.endpoint.decision_model import DecisionModel
    from serving.stores.online_features import OnlineFeatures
    from serving.stores.prediction_log import PredictionLog


_PROBED = 20
_UNREADY_SECONDS = 1.0


@dataclass(frozen=True)
class ModelSource:
    """Where the model comes from.

    Attributes:
        deployment: Whose registry and features they are.
        name: Registered model, and the name in the URLs.
        version: One version; the champion, whichever it is, by default. Of a folder, its name.
        folder: A model folder, or a link to one, in place of the registry.
        predictor: host:port of the gRPC of the process that runs the graph.
    """

    deployment: Deployment
    name: str
    version: str | None = None
    folder: Path | None = None
    predictor: str | None = None

    def latest(self) -> tuple[Path, str]:
        """Return folder and version of the model to answer with.

        Raises:
            InvalidInputError: If there is none.
        """
        if self.folder is not None:
            folder = self.folder.resolve()
            return folder, self.version or folder.name
        from serving.api import metrics  # noqa: PLC0415

        registry = self.deployment.registry
        if self.version is not None:
            found = registry.version_of(self.name, self.version)
        else:
            found = registry.champion_of(self.name)
            metrics.tell(metrics.CHAMPION, self.name, found.version)
        # Verified by whoever loads it: this is asked again and again.
        return registry.folder(found), found.version


def main() -> int:
    """Parse arguments, load, serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving")
    parser.add_argument("--name", "--model_name", required=True, help="registered model name")
    parser.add_argument("--version", help="version; the champion by default")
    parser.add_argument("--model", type=Path, help="model folder, in place of the registry")
    parser.add_argument(
        "--predictor-host",
        "--predictor_host",
        metavar="HOST:PORT",
        help="gRPC address of a predictor; the graph runs here by default",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grpc-port", type=int)
    found = parser.parse_args()
    deployment = Deployment.from_environment()
    source = ModelSource(deployment, found.name, found.version, found.model, found.predictor_host)
    try:
        run(source, found.host, found.port, found.grpc_port)
    except InvalidInputError as err:
        print(f"serve: {err}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def run(
    source: ModelSource,
    host: str,
    port: int,
    grpc_port: int | None,
    tell: Notify = lambda text: print(text, flush=True),  # noqa: T201
) -> None:
    """Load a model and serve it until stopped.

    Args:
        source: Where the model comes from.
        host: Address to bind.
        port: For HTTP.
        grpc_port: For gRPC; None for none.
        tell: Called once, when the first request would be answered.

    Raises:
        InvalidInputError: If there is no such model or a port is in use.
    """
    if not sys.warnoptions:  # libraries warn each other's authors, not those who serve
        warnings.simplefilter("ignore")
    from serving.api.metrics import LOG_LOST  # noqa: PLC0415
    from serving.endpoint.http import run_loop, serve  # noqa: PLC0415
    from serving.stores.online_features import OnlineFeatures  # noqa: PLC0415
    from serving.stores.prediction_log import PredictionLog  # noqa: PLC0415
    from serving.transient import patiently  # noqa: PLC0415

    deployment = source.deployment
    limits = ServerSettings.from_environment(host, port, grpc_port, deployment.environment)
    check_free(limits)
    settings = deployment.settings
    features = patiently(
        lambda: OnlineFeatures(settings, limits.store_seconds),
        "the database of the feature registry",
        tell=lambda text: print(f"serve: {text}", file=sys.stderr, flush=True),  # noqa: T201
    )
    log = PredictionLog(
        settings.prediction_log,
        sample=limits.log_sample,
        lost=lambda number, reason: LOG_LOST.labels(reason).inc(number),
    )
    model = _decision_model(source, limits, features, log)
    model.load()

    def announce() -> None:
        grpc = "" if grpc_port is None else f", gRPC on {host}:{grpc_port}"
        tell(f"{model.name} version {model.version} answers on http://{host}:{port}{grpc}; "
             f"its contract is at http://{host}:{port}/docs (press Ctrl-C to stop)")  # fmt: skip

    try:
        run_loop(serve(model, limits, functools.partial(_watch, model, limits), announce))
    finally:
        log.close()
        features.close()


def _decision_model(
    source: ModelSource,
    limits: ServerSettings,
    features: "OnlineFeatures",
    log: "PredictionLog",
) -> "DecisionModel":
    """Return what answers, with the model that its source names now."""
    from serving.answers.decider import Decider  # noqa: PLC0415
    from serving.answers.loaded_model import load_champion  # noqa: PLC0415
    from serving.endpoint.decision_model import DecisionModel  # noqa: PLC0415

    def load(path: Path, version: str) -> "LoadedChampion":
        return load_champion(
            path,
            source.name,
            version,
            source.predictor,
            predictor_seconds=limits.predictor_seconds,
            token=limits.token,
        )

    return DecisionModel(
        source.name,
        Decider(load(*source.latest()), features, log=log, memory_rows=limits.memory_rows),
        source,
        load,
        max_queue=limits.max_queue,
        seconds=limits.request_seconds,
    )


async def _watch(model: "DecisionModel", limits: ServerSettings) -> None:
    """Look for newer models and features, and now and then for skew."""
    from serving.endpoint.refresh import Rounds  # noqa: PLC0415

    rounds = Rounds(
        {
            "the feature store": model.look_at_store,
            "looking for a newer model": model.take_newer_model,
            "looking for newer features": model.take_newer_features,
            "the skew probe": _probe(model, limits),
        },
        limits.refresh_seconds,
    )
    await rounds.forever(lambda: None if model.ready else _UNREADY_SECONDS)


def _probe(model: "DecisionModel", limits: ServerSettings) -> Callable[[], None]:
    """Return what looks for skew when it is time to."""
    from serving.answers.skew import watch_skew  # noqa: PLC0415

    probed = time.monotonic()

    def probe() -> None:
        nonlocal probed
        names = model.decider.recent(_PROBED)
        if limits.probe_seconds and names and time.monotonic() - probed > limits.probe_seconds:
            probed = time.monotonic()
            watch_skew(model.decider.model, names)

    return probe


if __name__ == "__main__":
    sys.exit(main())
