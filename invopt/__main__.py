"""The `invopt` command, which is also `python -m invopt`; it is pipelines.cli's.

In a checkout that package lies beside the library, in a wheel inside it (see setup.py). Here alone
its place is made known: to this process, and to the ones that are started, which know it by
PYTHONPATH.
"""

import importlib
import sys
from pathlib import Path

_OWN = Path(__file__).resolve().parent
_PLATFORM = ("components", "feature_repo", "pipelines", "serving", "invopt", "benchmarks")


def main() -> int:
    """Run the command; returns its exit status."""
    packaged = _OWN / "_platform"
    place = str(packaged if packaged.is_dir() else _OWN.parent)
    if place not in sys.path:
        sys.path.insert(0, place)
    try:
        importlib.import_module("serving.libraries").hand_down_packages(place)
        status: int = importlib.import_module("pipelines.cli").main()
    except ModuleNotFoundError as err:
        if (err.name or "").partition(".")[0] in _PLATFORM:
            raise
        print(  # noqa: T201
            f"invopt: {err.name} is not installed, which this command needs: "
            "pip install 'invopt[all]'.",
            file=sys.stderr,
        )
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
