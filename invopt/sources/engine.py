"""DuckDB as the reading engine: a connection that tells a mapping's mistakes in words."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pandas as pd
import pyarrow as pa

from invopt.errors import InvalidInputError
from invopt.sources.united import United
from invopt.sql import literal

MEMORY_LIMIT = "2GB"
KEPT_ROWS = 50_000  # up to so many rows, what is made of a source is worked out once and kept


@dataclass
class Rejected:
    """Lines of one CSV file that could not be split into columns."""

    source: str
    lines: pd.DataFrame = field(repr=False)  # line, reason, record


class Engine:
    """A DuckDB connection holding the mapped sources as views; close it when done.

    Args:
        data_dir: Folder that relative paths start from.
        scratch: Folder for what does not fit in memory.
        variables: Values for ${NAME} in database URLs.
    """

    def __init__(self, data_dir: Path, scratch: Path, variables: Mapping[str, str]) -> None:
        self.data_dir = data_dir
        self.variables = variables
        self.rejected: list[Rejected] = []
        self.notes: list[str] = []
        self.files: dict[str, list[str]] = {}  # SQL of each file's rows, by source of several
        self.scratch = scratch
        self.num_reads = 0
        self.systems: dict[str, Any] = {}  # fsspec's, by protocol
        self.opened: list[str] = []  # files that are read again and again, as views
        self.counted: dict[str, int] = {}  # rows, by source
        self.deep: set[str] = set()  # sources whose headers have several lines
        self.seen: dict[object, Any] = {}  # what columns are, by their values
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = duckdb.connect(str(scratch / "reading.duckdb"))
        except duckdb.IOException as err:
            raise InvalidInputError(
                f"the scratch folder cannot be written: {first_lines(err)} Make room there, or "
                "name another place for temporary files (TMPDIR)."
            ) from err
        self.connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'")
        self.connection.execute(f"SET temp_directory='{scratch}'")
        self.connection.execute("SET TimeZone='UTC'")
        with suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets has no bar
            self.connection.execute("SET enable_progress_bar=false")
        self.connection.execute("CREATE MACRO num(x) AS TRY_CAST(x AS DOUBLE)")
        # 1001.0 is how a column with a gap writes the number 1001.
        self.connection.execute(
            "CREATE MACRO whole(x) AS CASE WHEN x = floor(x) AND abs(x) < 1e15 "
            "THEN x::BIGINT::VARCHAR ELSE x::VARCHAR END"
        )
        self.connection.execute("CREATE MACRO day(x, f) AS TRY_STRPTIME(x, f)::DATE")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.connection.close()

    def lock(self, *folders: Path) -> None:
        """Let SQL reach the sources opened, the scratch folder and some folders, and no more."""
        places = ", ".join(literal(f"{place}/") for place in (self.scratch, *folders))
        files = ", ".join(map(literal, self.opened))
        for setting in (
            f"allowed_directories=[{places}]",
            f"allowed_paths=[{files}]",
            "enable_external_access=false",
            "lock_configuration=true",
        ):
            self.connection.execute(f"SET {setting}")

    def run(self, sql: str, place: str) -> None:
        """Execute a statement; a mistake in the mapping is named by its place.

        Raises:
            InvalidInputError: If DuckDB refuses it.
        """
        try:
            self.connection.execute(sql)
        except duckdb.Error as err:
            raise InvalidInputError(f"{place}: {_explained(err)}") from err

    def fetch(self, sql: str, place: str) -> pa.Table:
        """Return the rows of a query; see run."""
        try:
            return self.connection.sql(sql).to_arrow_table()
        except duckdb.Error as err:
            raise InvalidInputError(f"{place}: {_explained(err)}") from err

    def batches(self, sql: str, place: str, rows: int = 1_000_000) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query in batches, in order; see run."""
        try:
            yield from self.connection.sql(sql).to_arrow_reader(rows)
        except duckdb.Error as err:
            raise InvalidInputError(f"{place}: {_explained(err)}") from err

    def num_rows(self, source: str) -> int:
        """Return how many rows a source has; counted once."""
        if source not in self.counted:
            [found] = self.fetch(f'SELECT count(*) AS n FROM "{source}"', source).to_pylist()
            self.counted[source] = int(found["n"])
        return self.counted[source]

    def define(self, name: str, sql: str, source: str, place: str) -> None:
        """Make or replace what a query over a source says, under a name; see run.

        Of a small source it is a table: planning the expressions of a view costs more each time
        than its rows do. Of a large one it is a view: its columns are read where they are needed.

        Args:
            name: Of the table or view.
            sql: Query.
            source: That its rows come from, one each.
            place: In the mapping, for messages.
        """
        kind = "TABLE" if self.num_rows(source) <= KEPT_ROWS else "VIEW"
        self.run(f'CREATE OR REPLACE {kind} "{name}" AS {sql}', place)

    def has_table(self, name: str) -> bool:
        """Return whether there is a table of that name."""
        found = self.fetch(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'", name)
        return found.num_rows > 0

    def num_tables(self) -> int:
        """Return how many tables there are: a number that names the next one."""
        return int(self.fetch("SELECT count(*) AS n FROM duckdb_tables()", "")["n"][0].as_py())

    def column_types(self, relation: str, place: str) -> dict[str, str]:
        """Return DuckDB type by column name of a view, table or subquery."""
        table = self.fetch(f"DESCRIBE SELECT * FROM {relation}", place)
        names, types = table["column_name"].to_pylist(), table["column_type"].to_pylist()
        return dict(zip(names, types, strict=True))

    def unite(self, name: str, tables: list[str]) -> None:
        """Make the view of a source whose parts are tables, each column of its widest type."""
        held = [self.column_types(table, name) for table in tables]
        united = United.of(held)
        views = [
            f"SELECT *{replacing(united.picks(types))} FROM {table}"
            for table, types in zip(tables, held, strict=True)
        ]
        self.run(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(views)}', name)

    def tell_gaps(self, name: str, num_files: int, holders: Mapping[str, int]) -> None:
        """Say which columns some of a source's files lack: they are empty there."""
        gaps = [f"{c} (in {n} of {num_files})" for c, n in holders.items() if n < num_files]
        if gaps:
            self.notes.append(f"{name}: columns that not every file has: {', '.join(gaps)}")


def replacing(picks: tuple[str, ...]) -> str:
    """Return the SQL that puts casts of columns in their places; empty where there are none."""
    return f" REPLACE ({', '.join(picks)})" if picks else ""


def _explained(err: Exception) -> str:
    """Return an error's text; a column that is not there is told in words."""
    text = first_lines(err)
    if text.startswith("Conversion Error") and "cast" in text.lower():
        return f"{text} num(x) and TRY_CAST leave empty what cannot be read."
    gone = re.search(r'Referenced column "([^"]+)" not found', text)
    if gone is None:
        return text
    return f"there is no column {gone[1]}. Put it back, or change the mapping."


def first_lines(err: Exception) -> str:
    """Return an error's text without its code excerpt, on one line, ending in a full stop."""
    text = str(err).split("\n\nLINE")[0].split("\nLINE")[0]
    return " ".join(text.split())[:600].rstrip(".") + "."
