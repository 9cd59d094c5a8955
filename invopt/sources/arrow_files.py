"""Files of columns besides parquet: ORC, and Feather as Arrow writes it."""

from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import feather, orc

from invopt.errors import InvalidInputError

SUFFIXES = (".orc", ".feather", ".arrow")


def read_columns(file: str, handle: IO[bytes]) -> pa.Table:
    """Return the rows of a file.

    Args:
        file: Its name, which says of which kind it is.
        handle: Opened for bytes.

    Raises:
        InvalidInputError: If it is damaged, or of another kind.
    """
    try:
        if Path(file).suffix.lower() == ".orc":
            return orc.ORCFile(handle).read()
        return feather.read_table(handle)
    except (pa.ArrowException, OSError, ValueError) as err:
        told = str(err).splitlines()[0].rstrip(".")
        raise InvalidInputError(
            f"{file} cannot be read: {told}. Send it again, or write it as CSV or parquet."
        ) from err
