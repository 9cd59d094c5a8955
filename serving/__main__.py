"""`python -m serving`: answer requests with the champion, or with one named version."""

import argparse
import sys
from pathlib import Path

from invopt.errors import InvalidInputError
from serving.settings import Settings


def main() -> int:
    """Parse arguments, load, serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving")
    parser.add_argument("--name", required=True, help="registered model name")
    parser.add_argument("--version", help="version; the champion by default")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grpc-port", type=int)
    arguments = parser.parse_args()
    try:
        run(arguments.name, arguments.version, arguments.host, arguments.port, arguments.grpc_port)
    except InvalidInputError as err:
        print(f"serve: {err}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def run(name: str, version: str | None, host: str, port: int, grpc_port: int | None) -> None:
    """Load a model and serve it until stopped.

    Raises:
        InvalidInputError: If there is no such model or the port is in use.
    """
    from serving.decisions import Decider, OnlineFeatures  # noqa: PLC0415
    from serving.registry import champion_path, champion_version, version_path  # noqa: PLC0415
    from serving.server import DecisionModel, serve  # noqa: PLC0415

    check_free(host, port)
    path: Path | None
    if version is None:
        path, version = champion_path(name, required=True), champion_version(name)
    else:
        path = version_path(name, version)
    assert path is not None
    features = OnlineFeatures(Settings.from_environment())
    model = DecisionModel(name, Decider(path, f"{name}-{version}", features))
    model.load()
    serve(model, host, port, grpc_port)


def check_free(host: str, port: int) -> None:
    """Raise InvalidInputError when a port is in use."""
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as err:
            raise InvalidInputError(
                f"port {port} on {host} cannot be used ({err.strerror}): "
                "choose another with --port."
            ) from err


if __name__ == "__main__":
    sys.exit(main())
