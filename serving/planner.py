"""The planner's page with a hand on it: decisions, overrides of forecasts, what if.

It serves the page of the latest review that a workspace keeps (serving.stores.order_plans): the
same on a laptop and on a cluster's shared volume.
"""

import socket
from contextlib import suppress

import uvicorn

from invopt.errors import InvalidInputError
from invopt.runtime import load_forecaster
from invopt.steps.what_if import Predict
from invopt.types import Notify
from serving.deployment import Deployment
from serving.ports import check_free, url_of
from serving.settings import ServerSettings
from serving.workbench.open_review import Forecasters
from serving.workbench.web import create_app

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(
    deployment: Deployment, settings: ServerSettings, tell: Notify, name: str | None = None
) -> None:
    """Serve until the process is told to end.

    Args:
        deployment: Whose plans and models they are.
        settings: Address and token.
        tell: Called with each line.
        name: Model whose orders are shown; None for whichever was planned last.

    Raises:
        InvalidInputError: If the address is open to others and there is no token, nothing was
            planned yet, or the port is in use.
    """
    is_loopback = settings.host in LOOPBACK
    if not is_loopback and not settings.token:
        raise InvalidInputError(
            f"--host {settings.host} lets others in: set INVOPT_SERVER_TOKEN to a secret first."
        )
    hosts = [*LOOPBACK, "[::1]"] if is_loopback else ["*"]
    app = create_app(deployment.settings, settings.token, hosts, forecasters_of(deployment), name)
    check_free(settings)
    config = uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning")
    with suppress(KeyboardInterrupt):
        _TellingServer(config, tell).run()


class _TellingServer(uvicorn.Server):
    """Says where the page is once it can be opened, and not before."""

    def __init__(self, config: uvicorn.Config, tell: Notify) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        place = url_of(self.config.host, port)
        self._tell(f"the planner's page is on {place} (press Ctrl-C to stop)")


def forecasters_of(deployment: Deployment) -> Forecasters:
    """Return what makes the forecaster of a model's version; the latest one is kept."""
    kept: dict[tuple[str, str], Predict] = {}

    def made(name: str, label: str) -> Predict | None:
        if (name, label) not in kept:
            version = label.removeprefix(f"{name}-")
            try:
                path = deployment.registry.version_path(name, version)
            except (InvalidInputError, OSError):
                return None  # said on the page: demand stays as it is; asked again next time
            kept.clear()
            kept[name, label] = load_forecaster(path).predict
        return kept[name, label]

    return made
