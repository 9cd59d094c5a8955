"""Addresses that a server of this machine listens on."""

import errno
import socket

from invopt.errors import InvalidInputError
from serving.settings import ServerSettings


def check_free(settings: ServerSettings) -> None:
    """Raise InvalidInputError when a port is in use, or the address is none of this machine's."""
    for port in filter(None, (settings.port, settings.grpc_port)):
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                settings.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as err:
            if isinstance(err, socket.gaierror) or err.errno == errno.EADDRNOTAVAIL:
                raise InvalidInputError(
                    f"--host {settings.host} is no address of this machine ({err.strerror}): "
                    "127.0.0.1 is for this machine alone, 0.0.0.0 for every network."
                ) from err
            raise InvalidInputError(
                f"port {port} on {settings.host} cannot be used ({err.strerror}): "
                "choose another with --port."
            ) from err


def url_of(host: str, port: int) -> str:
    """Return what a browser on this machine opens."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
