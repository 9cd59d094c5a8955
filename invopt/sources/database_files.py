"""Databases in a file, SQLite's and DuckDB's: each table is read like a sheet of a workbook."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote as quoted

import duckdb

from invopt.errors import InvalidInputError
from invopt.sql import quote

SQLITE = (".db", ".sqlite", ".sqlite3")
DUCKDB = (".duckdb", ".ddb")
SUFFIXES = (*SQLITE, *DUCKDB)
_SQLITE_MARK = b"SQLite format 3\x00"


def is_sqlite(file: Path) -> bool:
    """Return whether a file is SQLite's, whatever it is called."""
    with file.open("rb") as handle:
        return handle.read(len(_SQLITE_MARK)) == _SQLITE_MARK


def sqlite_url(file: Path) -> str:
    """Return SQLAlchemy's URL that reads a file and never writes it."""
    return f"sqlite:///file:{quoted(str(file.absolute()))}?mode=ro&uri=true"


def tables_of(file: Path) -> dict[str, tuple[str, ...]]:
    """Return the columns of every table and view of a database, by name.

    Raises:
        InvalidInputError: If it cannot be read.
    """
    try:
        return _of_sqlite(file) if is_sqlite(file) else _of_duckdb(file)
    except (sqlite3.Error, duckdb.Error, OSError) as err:
        raise InvalidInputError(
            f"{file} cannot be read as a database of SQLite or DuckDB: "
            f"{' '.join(str(err).split())[:200].rstrip('.')}. Export its tables as parquet."
        ) from err


def table_of(file: Path, name: str | None) -> tuple[str, list[str]]:
    """Return the table to read and the names of the others.

    Args:
        file: Of the database.
        name: Of the table; None where there is one only.

    Raises:
        InvalidInputError: If there is no such table, none, or several and none is named.
    """
    return chosen(file, list(tables_of(file)), name)


def chosen(file: Path, there: list[str], name: str | None) -> tuple[str, list[str]]:
    """Return the table to read of those that a file has, and the names of the others.

    Raises:
        InvalidInputError: As table_of.
    """
    if name is None and len(there) == 1:
        return there[0], []
    if name is None or name not in there:
        asked = "several tables" if name is None else f"no table {name!r}"
        listed = ", ".join(there) or "none"
        raise InvalidInputError(
            f"{file} has {asked if there else 'no table'}; name one with sheet. There are {listed}."
        )
    return name, [other for other in there if other != name]


def _of_sqlite(file: Path) -> dict[str, tuple[str, ...]]:
    url = sqlite_url(file).removeprefix("sqlite:///").replace("&uri=true", "")
    with closing(sqlite3.connect(url, uri=True)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        ).fetchall()
        return {
            name: tuple(row[1] for row in connection.execute(f"PRAGMA table_info({quote(name)})"))
            for (name,) in names
        }


def _of_duckdb(file: Path) -> dict[str, tuple[str, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            "SELECT table_name, list(column_name ORDER BY ordinal_position) "
            "FROM information_schema.columns WHERE table_schema = 'main' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return {name: tuple(columns) for name, columns in rows}
