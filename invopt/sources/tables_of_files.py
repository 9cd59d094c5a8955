"""Which files of a folder are one table, which tables a file holds, and in what encoding."""

import bz2
import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from invopt.errors import InvalidInputError
from invopt.sources import database_files, sql_dumps
from invopt.sources.archives import SINGLE, TEXTS, is_text_sheet, text_files
from invopt.sources.arrow_files import SUFFIXES as ARROW
from invopt.sources.arrow_files import read_columns
from invopt.sources.csv_files import find_header
from invopt.sources.json_lines import SUFFIXES as JSONS
from invopt.sources.json_lines import JsonRows
from invopt.sources.legacy_text import (
    CENTRAL,
    OLDER,
    OTHERS,
    TURKISH,
    WESTERN,
    legacy_encoding,
)
from invopt.sources.month_names import MONTH_NAMES
from invopt.sources.workbooks import SUFFIXES as BOOKS
from invopt.sources.workbooks import sheets_of

_NUMBER = re.compile(r"\d+")
_WHEN = re.compile(rf"\d+|(?<![^\W\d_])(?:{'|'.join(MONTH_NAMES)})(?![^\W\d_])")
_NUMBERED_PLACE = re.compile(
    r"(store|shop|filial[a-z]*|branch|outlet|markt|laden|magasin|tienda|sucursal|negozio|loja|sklep"
    r"|winkel|filiaal|butik|magaza|plant|werk|warehouse|site)[ _-]*(no|nr)?[ _.-]*\d{1,3}(?!\d)"
)
_CHUNK = 1 << 20
_FIRST = 200  # bytes that tell whether each sign takes two
# What damaged files and locked archives raise; RuntimeError is an archive's that wants a password.
UNREADABLE = (InvalidInputError, OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError)


def tables_among(data: Path, files: list[Path]) -> list[tuple[str, list[Path]]]:
    """Return (path or pattern, files) of every table."""
    groups: dict[tuple[str, object], list[Path]] = {}
    for file in files:
        path = file.relative_to(data)
        lake = next((n for n, part in enumerate(path.parts[:-1]) if "=" in part), 0)
        # Partitions are read from the folder that holds them, whose key=value become columns.
        pattern = str(Path(*path.parts[:lake])) if lake else _NUMBER.sub("*", str(path))
        if _NUMBERED_PLACE.search(path.stem.lower()):  # shop 1 and shop 2 are no parts of one
            pattern = str(path)
        groups.setdefault((pattern, header_of(file)), []).append(file)
    found = []
    for (pattern, _), group in groups.items():
        folder = data / pattern
        inside = folder.rglob("*") if folder.is_dir() else data.glob(pattern)
        if len(group) > 1 and sorted(p for p in inside if p in files) == group:
            found.append((pattern, group))
        else:
            found += [(str(file.relative_to(data)), [file]) for file in group]
    return sorted(found)


def sheets_inside(files: list[Path]) -> list[str | None]:
    """Return the sheets of a table's files, each a table of its own; None where there is one."""
    names = list(_tables_inside(files[0]))
    return [*names] if len(names) > 1 else [None]


def _tables_inside(file: Path) -> dict[str, tuple[object, ...]]:
    """Return the tables that a file holds, with what two of one name would have in common.

    Sheets of a workbook, tables of a database, files of an archive whose first lines differ; it is
    empty where a file is one table.
    """
    ends = file.suffix.lower()
    if ends in BOOKS and not is_text_sheet(file):
        return dict(sheets_of(file))
    if ends in database_files.SUFFIXES:
        return dict(database_files.tables_of(file))
    if file.name.lower().endswith(sql_dumps.SUFFIXES):
        return dict(sql_dumps.tables_of(file))
    if ends != ".zip":
        return {}
    with zipfile.ZipFile(file) as archive:
        first: dict[str, tuple[object, ...]] = {}
        for name in text_files(archive):
            with archive.open(name) as member:
                first[name] = (member.readline(_CHUNK).strip(),)
    return first if len(set(first.values())) > 1 else {}


def encoding_among(files: list[Path]) -> str:
    """Return the encoding of a table's files; where they differ, the one that holds the most."""
    encodings = {encoding_of(file) if _is_text(file) else "utf-8" for file in files}
    known = [
        "utf-8",
        WESTERN,
        TURKISH,
        CENTRAL,
        *OLDER,
        *OTHERS,
        "utf-16-be",
        "utf-16-le",
        "utf-16",
    ]
    return max(encodings, key=known.index)


def encoding_of(file: Path) -> str:
    """Return utf-8, utf-16 where the file says so, or the older one that its words tell."""
    with _open(file) as handle:
        first = handle.read(_FIRST)
        if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        # A text has no zeros, but where each sign takes two bytes and no mark says so.
        zeros = [first[at::2].count(0) for at in (0, 1)]
        if sum(zeros) > len(first) // 4:
            return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        handle.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := handle.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            handle.seek(0)
            return legacy_encoding(handle.read(_CHUNK))
    return "utf-8"


def header_of(file: Path) -> object:
    """Return what two files of one table have in common; the file itself if it has no header."""
    try:
        if inside := _tables_inside(file):
            return tuple(inside.items())
        if file.suffix.lower() in ARROW:
            with file.open("rb") as handle:
                return tuple(read_columns(str(file), handle).column_names)
        if not _is_text(file):
            return tuple(pq.read_schema(file).names)
        with _open(file) as handle:
            if Path(file.name.lower().removesuffix(".gz").removesuffix(SINGLE)).suffix in JSONS:
                rows = next(JsonRows().tables(handle, str(file)), None)
                return file if rows is None else tuple(rows.column_names)
            first = handle.readline(_CHUNK).strip()
    except (*UNREADABLE, pa.ArrowInvalid):
        return file
    return _below_titles(file) or first


def _below_titles(file: Path) -> object:
    """Return the header of a text and the lines above it, whatever days and numbers these say.

    None where its first line is the header, or is none.
    """
    try:
        header = find_header(file.name, str(file), lambda _: _open(file), None)
    except (*UNREADABLE, csv.Error):
        return None
    titles = [_WHEN.sub("#", line.strip().lower()) for line in header.skipped]
    return (*titles, *header.columns) if any(titles) else None


def _is_text(file: Path) -> bool:
    return file.name.lower().endswith((*TEXTS, ".zip")) or is_text_sheet(file)


def _open(file: Path) -> IO[bytes]:
    """Open a text file as bytes, the first one of an archive."""
    if file.suffix.lower() == ".zip":
        archive = zipfile.ZipFile(file)
        texts = text_files(archive)
        return archive.open(texts[0]) if texts else io.BytesIO()
    ends = file.suffix.lower()
    if ends == SINGLE:
        return cast(IO[bytes], bz2.open(file))
    return cast(IO[bytes], gzip.open(file) if ends == ".gz" else file.open("rb"))
