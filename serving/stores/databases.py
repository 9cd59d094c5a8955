"""Databases in files that appear whole or not at all, whoever makes them at the same time."""

import fcntl
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_FILE = "sqlite:///"
_MARK = 1_768  # user_version of a file that was made whole here


def file_of(url: str) -> Path | None:
    """Return the file of a SQLite database; None for any other URL.

    Args:
        url: SQLAlchemy's.
    """
    return Path(url.removeprefix(_FILE)) if url.startswith(_FILE) else None


def make_database(url: str, fill: Callable[[str], object]) -> None:
    """Make the database file of a URL where there is none, or one that was never finished.

    It is filled beside its place under a lock, and renamed: a process that is killed leaves
    nothing that the next one would stumble over, and of two that come together one waits.

    Args:
        url: SQLAlchemy's; what is no SQLite file is left alone.
        fill: Called with the URL of the file to fill.
    """
    file = file_of(url)
    if file is None or _is_whole(file):
        return
    with locked(file):
        if _is_whole(file):
            return
        for leftover in file.parent.glob(f".{file.name}.partial-*"):
            leftover.unlink(missing_ok=True)
        partial = file.with_name(f".{file.name}.partial-{uuid.uuid4().hex[:12]}")
        fill(f"{_FILE}{partial}")
        with closing(sqlite3.connect(partial)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(f"PRAGMA user_version = {_MARK}")
            connection.commit()
        partial.rename(file)


def relocate(url: str, folder: Path, places: Iterable[tuple[str, str, str]]) -> None:
    """Point whole paths of a database file at the folder it lies in, which was copied or moved.

    A file that lies elsewhere is left alone, as others may use it, and so is one that may not be
    written: what reads through it then finds the folder as it was.

    Args:
        url: SQLAlchemy's; what is no SQLite file is left alone.
        folder: Of the file and of what the paths lead to.
        places: Table, column, and the folder below that its paths lead into.
    """
    file = file_of(url)
    if file is None or file.parent != folder:
        return
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file)) as connection:
        for table, column, inner in places:
            held = connection.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE '/%/' || ? || '/%'",
                [inner],
            ).fetchall()
            for (path,) in held:
                place = f"{folder}/{inner}/{path.rpartition(f'/{inner}/')[2]}"
                if place != path:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE {column} = ?", [place, path]
                    )
        connection.commit()


def _is_whole(file: Path) -> bool:
    """Return whether a file was made whole here, or holds what somebody registered."""
    if not file.is_file() or not file.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] == _MARK:
                return True
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            return any(
                connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
                for table in {"registered_models", "runs"} & tables
            )
    except sqlite3.DatabaseError:  # in use by another, or damaged: not ours to make anew
        return True


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock beside a file, which other processes of this machine wait for."""
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
