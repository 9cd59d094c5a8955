"""Where the files of a source are, packed or far away, and how they are opened."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote as quoted
from urllib.parse import unquote

from invopt.errors import InvalidInputError
from invopt.sources import database_files, sql_dumps
from invopt.sources.archives import PACKED, SUFFIX, TEXTS, unpack
from invopt.sources.arrow_files import SUFFIXES as ARROW
from invopt.sources.engine import Engine
from invopt.sources.mapping import Source
from invopt.sources.named_files import files_of, glob_of, has_names, named_in
from invopt.sources.workbooks import SUFFIXES as BOOKS
from invopt.sql import literal, quote

SUFFIXES = (*TEXTS, SUFFIX, ".parquet", ".pq", *ARROW, *BOOKS, *database_files.SUFFIXES,
            *sql_dumps.SUFFIXES)  # fmt: skip


def find_files(engine: Engine, name: str, source: Source) -> list[str]:
    """Return the files that a source's path names: one, a pattern's, a folder's, an archive's.

    Raises:
        InvalidInputError: If there is none, or its place cannot be read.
    """
    path = str(source.path)
    if "://" in path:
        return _find_remote(engine, name, path)
    here = engine.data_dir / path
    if here.is_dir():
        inside = sorted(p for p in here.rglob("*") if p.is_file() and p.name[0] not in "._")
        found = [p for p in inside if p.name.lower().endswith(SUFFIXES)]
        if left := [p.name for p in inside if p not in found]:
            engine.notes.append(
                f"{name}: {len(left)} files of {path} are not read (e.g. {left[0]}): they end "
                f"in none of {', '.join(SUFFIXES)}"
            )
    elif has_names(path):
        found = files_of(engine.data_dir, path)
    elif any(sign in path for sign in "*?["):
        found = sorted(engine.data_dir.glob(path))
    else:
        found = [here] if here.is_file() else []
    found = [member for file in found for member in _unpacked(engine, name, file, source)]
    if not found:
        raise InvalidInputError(
            f"sources.{name}: no file {here}. Check --data (now {engine.data_dir}) "
            "and the path in the mapping."
        )
    return [str(p) for p in found]


def open_file(engine: Engine, file: str) -> IO[bytes]:
    """Open a file, wherever it is, as the bytes that gzip has packed or not."""
    protocol = file.split("://")[0]
    if protocol in engine.systems:
        compression = "gzip" if file.endswith(".gz") else None
        return engine.systems[protocol].open(file, "rb", compression=compression)
    if file.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(file, "rb"))
    return Path(file).open("rb")


def keys_of(file: str, root: Path, path: str) -> dict[str, str]:
    """Return what the path of a file below a root says of all its rows.

    Folders say it as key=value, and names in braces of the source's own path by their places.
    """
    place = Path(file)
    if place.is_relative_to(root):
        place = place.relative_to(root)
    pairs = (part.split("=", 1) for part in place.parts[:-1] if "=" in part)
    folders = {key: unquote(value) for key, value in pairs}
    whole = file if "://" in file else place.as_posix()
    return folders | ((named_in(path, whole) or {}) if has_names(path) else {})


def path_columns(keys: Mapping[str, str], taken: Mapping[str, str]) -> str:
    """Return the SQL of the columns that a file's folders name, those not taken."""
    found = {key: value for key, value in keys.items() if key.lower() not in taken}
    return "".join(f", {literal(value)} AS {quote(key)}" for key, value in found.items())


def _unpacked(engine: Engine, name: str, file: Path, source: Source) -> list[Path]:
    """Return the text files inside an archive, laid into the scratch folder; else the file.

    Where the source names one of them, it is that one.

    What the archive's own folders say (key=value) its files say there, too.
    """
    if file.suffix.lower() not in PACKED:
        return [file]
    engine.num_reads += 1
    told = keys_of(str(file), engine.data_dir, str(source.path))
    keys = [f"{quoted(key)}={quoted(value)}" for key, value in told.items()]
    try:
        folder = engine.scratch.joinpath(f"unpacked-{engine.num_reads}", *keys)
        found, left = unpack(file, folder, source.sheet)
    except InvalidInputError as err:
        raise InvalidInputError(f"sources.{name}: {err}") from err
    if left:
        engine.notes.append(f"{name}: {left} other files of {file.name} are not read")
    return found


def _find_remote(engine: Engine, name: str, path: str) -> list[str]:
    import fsspec  # noqa: PLC0415  (only where a remote path is used)

    protocol = path.split("://")[0]
    options = {}
    if endpoint := engine.variables.get("AWS_ENDPOINT_URL"):
        options = {"client_kwargs": {"endpoint_url": endpoint}} if protocol == "s3" else {}
    try:
        system = fsspec.filesystem(protocol, **options)
        if protocol not in engine.systems:
            engine.connection.register_filesystem(system)
            engine.systems[protocol] = system
        pattern = glob_of(path)
        matches = system.glob(pattern) if any(s in pattern for s in "*?[") else system.find(path)
        found = [f"{protocol}://{p}" for p in sorted(matches)]
        found = [f for f in found if not has_names(path) or named_in(path, f) is not None]
    except Exception as err:  # every store has its own errors; all mean "cannot read there"
        raise InvalidInputError(f"sources.{name}: cannot read {path}: {err}.") from err
    if not found:
        raise InvalidInputError(f"sources.{name}: nothing at {path}.")
    return found
