"""Packed text files: a till's or a shop's export as it is sent, one in .bz2 or several in .zip."""

import bz2
import shutil
import zipfile
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import IO

from invopt.errors import InvalidInputError
from invopt.sources.markup import is_markup
from invopt.sources.spreadsheets import is_spreadsheet

SUFFIX = ".zip"
SINGLE = ".bz2"
PACKED = (SUFFIX, SINGLE)
_PLAIN = (".csv", ".tsv", ".txt", ".prn", ".jsonl", ".ndjson", ".json", ".html", ".htm",
          ".xml")  # fmt: skip
TEXTS = (*_PLAIN, *(f"{end}.gz" for end in _PLAIN), *(f"{end}{SINGLE}" for end in _PLAIN))
_COPIED = 1 << 20
_LOOKED_AT = 1 << 12  # bytes: lists of a mainframe have long lines
_DAMAGED = (
    zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, zlib.error,
)  # fmt: skip


def is_text_sheet(file: Path) -> bool:
    """Return whether a file called .xls is a table of text or markup, as many systems export it."""
    if file.suffix.lower() != ".xls":
        return False
    with file.open("rb") as handle:
        return begins_as_text(handle)


def begins_as_text(handle: IO[bytes]) -> bool:
    """Return whether an open file begins as a table of text or markup does."""
    first = handle.read(_LOOKED_AT)
    # A title may stand above the table, and no separator in it.
    is_text = b"\0" not in first or first.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    is_table = is_text and any(sign in first for sign in b"\t;,|")
    return (is_table or is_markup(first)) and not is_spreadsheet(first)


def text_files(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the text files inside, in order."""
    names = archive.namelist()
    return sorted(n for n in names if n.lower().endswith(TEXTS) and not n.lower().endswith(SINGLE))


def unpack(file: Path, folder: Path, member: str | None = None) -> tuple[list[Path], int]:
    """Lay the text files of an archive into a folder; return them and how many others it holds.

    Args:
        file: Archive.
        folder: That is made.
        member: Name inside the archive of the only one that is wanted; None for all.

    Raises:
        InvalidInputError: If it is no archive, is locked, or holds no such file or none of text.
    """
    folder.mkdir(parents=True)
    try:
        if file.suffix.lower() == SINGLE:
            return [_unpacked_one(file, folder)], 0
        found, left = _unpacked_all(file, folder, member)
    except _DAMAGED as err:
        raise InvalidInputError(
            f"{file} cannot be read: {str(err).rstrip('.')}. Send it again."
        ) from err
    if not found:
        raise InvalidInputError(f"{file} holds no file that ends in {', '.join(_PLAIN)}.")
    return found, left


def _unpacked_one(file: Path, folder: Path) -> Path:
    out = folder / file.stem
    with bz2.open(file) as packed, out.open("wb") as copy:
        shutil.copyfileobj(packed, copy, _COPIED)
    return out


def _unpacked_all(file: Path, folder: Path, member: str | None) -> tuple[list[Path], int]:
    found: list[Path] = []
    with zipfile.ZipFile(file) as archive:
        names = text_files(archive)
        if member is not None and member not in names:
            raise InvalidInputError(
                f"{file} holds no text file {member!r}; there are {', '.join(names) or 'none'}."
            )
        for number, name in enumerate([member] if member is not None else names):
            # Two folders inside may hold files of one name; the order is that of the names.
            found.append(folder / f"{number:06d}-{Path(name).name}")
            with archive.open(name) as packed, found[-1].open("wb") as copy:
                shutil.copyfileobj(packed, copy, _COPIED)
        files = [name for name in archive.namelist() if not name.endswith("/")]
    return found, 0 if member is not None else len(files) - len(found)
