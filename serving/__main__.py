"""`python -m serving`: answer requests with the champion, one version, or a model folder."""

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
    parser.add_argument("--model", type=Path, help="model folder; the registry's by default")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--grpc-port", type=int)
    arguments = parser.parse_args()
    try:
        run(
            arguments.name,
            arguments.version,
            arguments.host,
            arguments.port,
            arguments.grpc_port,
            arguments.model,
        )
    except InvalidInputError as err:
        print(f"serve: {err}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def run(
    name: str,
    version: str | None,
    host: str,
    port: int,
    grpc_port: int | None,
    model: Path | None = None,
) -> None:
    """Load a model and serve it until stopped.

    Raises:
        InvalidInputError: If there is no such model or the port is in use.
    """
    from serving.decisions import Decider, OnlineFeatures  # noqa: PLC0415
    from serving.server import DecisionModel, serve  # noqa: PLC0415

    check_free(host, port)
    path = model or _registered(name, version)
    version = version or ("folder" if model else _champion(name))
    features = OnlineFeatures(Settings.from_environment())
    decisions = DecisionModel(name, Decider(path, f"{name}-{version}", features))
    decisions.load()
    serve(decisions, host, port, grpc_port)


def _registered(name: str, version: str | None) -> Path:
    # The server's image has no registry: its model folder is given.
    from serving.registry import champion_path, version_path  # noqa: PLC0415

    path = champion_path(name, required=True) if version is None else version_path(name, version)
    assert path is not None
    return path


def _champion(name: str) -> str:
    from serving.registry import champion_version  # noqa: PLC0415

    return champion_version(name)


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
