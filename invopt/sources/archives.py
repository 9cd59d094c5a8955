"""ZIP archives of text files: a till's or a shop's export as it is sent."""

import shutil
import zipfile
import zlib
from pathlib import Path

from invopt.errors import InvalidInputError

SUFFIX = ".zip"
TEXTS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
_COPIED = 1 << 20


def text_files(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the text files inside, in order."""
    return sorted(name for name in archive.namelist() if name.lower().endswith(TEXTS))


def unpack(file: Path, folder: Path) -> tuple[list[Path], int]:
    """Lay the text files of an archive into a folder; return them and how many others it holds.

    Raises:
        InvalidInputError: If it is no archive, is locked, or holds no text file.
    """
    folder.mkdir()
    found: list[Path] = []
    try:
        with zipfile.ZipFile(file) as archive:
            for number, name in enumerate(text_files(archive)):
                # Two folders inside may hold files of one name; the order is that of the names.
                found.append(folder / f"{number:06d}-{Path(name).name}")
                with archive.open(name) as packed, found[-1].open("wb") as copy:
                    shutil.copyfileobj(packed, copy, _COPIED)
            files = [name for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, zlib.error) as err:
        raise InvalidInputError(
            f"{file} cannot be read: {str(err).rstrip('.')}. Send it again."
        ) from err
    if not found:
        raise InvalidInputError(f"{file} holds no file that ends in {', '.join(TEXTS)}.")
    return found, len(files) - len(found)
