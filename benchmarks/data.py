"""Where the real data sets lie that benchmarks read."""

from pathlib import Path

from invopt.errors import InvalidInputError

_SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def data_folder(name: str) -> Path:
    """Return the folder of a data set beside the project.

    Raises:
        InvalidInputError: If it is not there.
    """
    folder = _SHARED / name
    if not folder.is_dir():
        raise InvalidInputError(
            f"the data set {name} is not at {folder}: name its folder with --data."
        )
    return folder
