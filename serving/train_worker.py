"""One process of a distributed training: `torchrun -m serving.train_worker FOLDER`.

The folder, prepared by the train step, lies on storage that all machines share. Every process
trains the same members together; the first one writes them.
"""

import argparse
import sys
import time
from pathlib import Path

from invopt.errors import InvalidInputError
from serving.deployment import Deployment
from serving.libraries import limit_threads
from serving.machine import available_processors
from serving.progress import tell


def main() -> int:
    """Train the members of a prepared folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving.train_worker")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--members", type=int, required=True)
    parser.add_argument("--seconds", type=float, help="per member; without it steps end a training")
    arguments = parser.parse_args()
    place = Deployment.from_environment().environment  # torchrun tells each process its place
    processes = int(place.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(place.get("WORLD_SIZE", "1")) // processes
    threads = max(1, available_processors() // processes)
    limit_threads(threads)
    from invopt.training import Member, train_member  # noqa: PLC0415  (seconds of import)

    notify = tell if place.get("RANK", "0") == "0" else _silent
    try:
        for number in range(arguments.members):
            member = Member(number, arguments.seconds, threads, nodes)
            train_member(arguments.folder, member, clock=time.monotonic, notify=notify)
    except InvalidInputError as err:
        print(f"train: {err}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _silent(_: str) -> None:
    return None


if __name__ == "__main__":
    sys.exit(main())
