"""`python -m serving.loop.champion_watch`: tell Prometheus which version is the champion.

The pods of the endpoint tell what they serve; an alert compares the two. The numbers are a file
that a web server shows, as those of monitoring runs are.
"""

import argparse
import logging
import time
from pathlib import Path

from invopt.files import replacing_file
from serving.deployment import Deployment
from serving.stores.registry import Registry

_SECONDS = 60.0
_logger = logging.getLogger(__name__)


def champion_text(name: str, version: str, now: float) -> str:
    """Return the champion of a model in Prometheus' text format.

    Args:
        name: Of the model.
        version: Of the champion, "" where there is none.
        now: Seconds since 1970.
    """
    lines = [
        "# HELP invopt_champion_version 1 for the version that the registry calls champion",
        "# TYPE invopt_champion_version gauge",
        *([f'invopt_champion_version{{model="{name}",version="{version}"}} 1'] if version else []),
        "# HELP invopt_champion_seen_timestamp_seconds When the registry last answered",
        "# TYPE invopt_champion_seen_timestamp_seconds gauge",
        f'invopt_champion_seen_timestamp_seconds{{model="{name}"}} {now:.0f}',
    ]
    return "\n".join(lines) + "\n"


def write_champion(registry: Registry, name: str, file: Path) -> None:
    """Write which version of a model the registry calls champion."""
    text = champion_text(name, registry.champion_version(name), time.time())
    with replacing_file(file) as partial:
        partial.write_text(text)


def main() -> None:
    """Write it every minute; a registry that does not answer is asked again."""
    parser = argparse.ArgumentParser(prog="python -m serving.loop.champion_watch")
    parser.add_argument("--name", required=True, help="registered model")
    name = parser.parse_args().name
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    deployment = Deployment.from_environment()
    file = deployment.settings.monitoring / "metrics" / f"{name}.champion.txt"
    while True:
        try:
            write_champion(deployment.registry, name, file)
        except Exception as err:  # whatever it is, the next minute may be better
            _logger.warning("the champion of %s is not known: %s", name, err)
        time.sleep(_SECONDS)


if __name__ == "__main__":
    main()
