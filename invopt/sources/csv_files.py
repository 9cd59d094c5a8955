"""CSV files as the world sends them: found header, mixed line ends, quotes that never close.

Text columns stay text; every line either becomes a row or is told with its reason.
"""

import codecs
import csv
import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pandas as pd

from invopt.errors import InvalidInputError

DELIMITERS = ",;\t|"
UNCLOSED = "UNCLOSED QUOTE"
_CHUNK = 1 << 24

Open = Callable[[str], IO[bytes]]


def find_header(name: str, file: str, opened: Open, delimiter: str | None) -> tuple[list[str], str]:
    """Return a file's column names and its delimiter: the likeliest one when not given.

    Raises:
        InvalidInputError: If the first line is no header.
    """
    # As bytes: a foreign character further down is the matter of its own line.
    with opened(file) as handle:
        line = handle.readline().split(b"\r")[0]
    try:
        first = line.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise InvalidInputError(
            f"sources.{name}: {file} is not UTF-8 text; name its encoding in the mapping."
        ) from err
    if not first.strip():
        raise InvalidInputError(f"sources.{name}: {file} is empty; expected a header line.")
    if delimiter is None:
        delimiter = max(DELIMITERS, key=first.count)
    try:
        fields = next(csv.reader([first], delimiter=delimiter))
    except csv.Error as err:
        raise InvalidInputError(f"sources.{name}: the header of {file}: {err}.") from err
    header = [column.strip() for column in fields]
    folded = [column.lower() for column in header]
    repeated = sorted({c for c in folded if folded.count(c) > 1 or not c})
    if repeated:
        raise InvalidInputError(
            f"sources.{name}: in the header of {file} these columns are repeated or have no name: "
            f"{repeated}; every column needs a name of its own."
        )
    return header, delimiter


def transcode(name: str, file: str, opened: Open, encoding: str, out: Path) -> None:
    """Write a file's text as UTF-8; a character that cannot be read becomes U+FFFD.

    Raises:
        InvalidInputError: If there is no such encoding.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as err:
        raise InvalidInputError(
            f"sources.{name}.encoding {encoding!r} is unknown; try cp1252, latin-1 or utf-16."
        ) from err
    with opened(file) as source, out.open("w", encoding="utf-8", newline="") as target:
        text = io.TextIOWrapper(source, encoding, errors="replace", newline="")
        shutil.copyfileobj(text, target, _CHUNK)


def count_lines(handle: IO[bytes]) -> int:
    """Return the number of lines that are not empty, however they end."""
    starts, before = 0, b"\n"
    while chunk := handle.read(_CHUNK):
        if chunk.endswith(b"\r"):
            chunk += handle.read(1)
        text = before + chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        starts += text.count(b"\n", 0, len(text) - 1)
        if b"\n\n" in text:
            starts -= len(re.findall(rb"(?<=\n)\n", text))
        before = text[-1:]
    return starts


def isolate_unclosed(file: str, opened: Open, out: Path) -> pd.DataFrame:
    """Copy a file without the lines whose quotes do not close, and return those lines.

    The copy has one kind of line end, and empty lines where lines were left out: the others keep
    their numbers. A quoted text over several lines counts as unclosed too.

    Returns:
        Columns line (from 1, the header's), reason, record.
    """
    found: list[tuple[int, str, str]] = []
    with opened(file) as source, out.open("wb") as target:
        text = io.TextIOWrapper(source, "utf-8", errors="surrogateescape", newline=None)
        for number, line in enumerate(text, start=1):
            if line.count('"') % 2:
                record = line.rstrip("\n").encode("utf-8", "surrogateescape")
                found.append((number, UNCLOSED, record.decode("utf-8", "replace")))
                line = "\n"
            target.write(line.encode("utf-8", "surrogateescape"))
    return pd.DataFrame(found, columns=["line", "reason", "record"])
