"""DuckDB as the reading engine: sources become views whose text columns stay text."""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import duckdb
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from invopt.errors import ConfigError, InvalidInputError
from invopt.sources.csv_files import count_lines, find_header, isolate_unclosed, transcode
from invopt.sources.mapping import Source

_CHUNK_ROWS = 100_000
MEMORY_LIMIT = "2GB"


@dataclass
class Rejected:
    """Lines of one CSV file that could not be split into columns."""

    source: str
    lines: pd.DataFrame = field(repr=False)  # line, reason, record


class Reader:
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
        self.scratch = scratch
        self.num_reads = 0
        self.systems: dict[str, Any] = {}  # fsspec's, by protocol
        scratch.mkdir(parents=True, exist_ok=True)
        self.connection = duckdb.connect(str(scratch / "reading.duckdb"))
        self.connection.execute(f"SET memory_limit='{MEMORY_LIMIT}'")
        self.connection.execute(f"SET temp_directory='{scratch}'")
        self.connection.execute("SET TimeZone='UTC'")
        self.connection.execute("CREATE MACRO num(x) AS TRY_CAST(x AS DOUBLE)")
        self.connection.execute("CREATE MACRO day(x, f) AS TRY_STRPTIME(x, f)::DATE")

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.connection.close()

    def add(self, name: str, source: Source) -> None:
        """Make a source readable under its name.

        Raises:
            InvalidInputError: If its file is missing or unreadable, or its query fails.
        """
        if source.sql is not None:
            self.run(f'CREATE VIEW "{name}" AS {source.sql}', f"sources.{name}")
        elif source.url is not None:
            self._add_query(name, source)
        else:
            self._add_files(name, source)

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

    def has_table(self, name: str) -> bool:
        """Return whether there is a table of that name."""
        found = self.fetch(f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{name}'", name)
        return found.num_rows > 0

    def column_types(self, relation: str, place: str) -> dict[str, str]:
        """Return DuckDB type by column name of a view, table or subquery."""
        table = self.fetch(f"DESCRIBE SELECT * FROM {relation}", place)
        names, types = table["column_name"].to_pylist(), table["column_type"].to_pylist()
        return dict(zip(names, types, strict=True))

    def _add_files(self, name: str, source: Source) -> None:
        assert source.path is not None
        files = self._find(name, source.path)
        kinds = {Path(file).suffix.lower() for file in files}
        listed = ", ".join(_quoted(file) for file in files)
        if kinds <= {".parquet", ".pq"}:
            sql = f"SELECT * FROM read_parquet([{listed}], hive_partitioning=true)"
            self.run(f'CREATE VIEW "{name}" AS {sql}', f"sources.{name}")
        elif kinds <= {".csv", ".txt", ".tsv", ".gz"}:
            self._add_csv(name, files, source)
        else:
            raise ConfigError(
                f"sources.{name}: {source.path} must be .csv or .parquet, got {sorted(kinds)}."
            )

    def _find(self, name: str, path: str) -> list[str]:
        if "://" in path:
            return self._find_remote(name, path)
        here = self.data_dir / path
        if here.is_dir():
            found = sorted(p for p in here.rglob("*") if p.suffix in (".parquet", ".pq", ".csv"))
        elif any(sign in path for sign in "*?["):
            found = sorted(self.data_dir.glob(path))
        else:
            found = [here] if here.is_file() else []
        if not found:
            raise InvalidInputError(
                f"sources.{name}: no file {here}. Check --data (now {self.data_dir}) "
                "and the path in the mapping."
            )
        return [str(p) for p in found]

    def _find_remote(self, name: str, path: str) -> list[str]:
        import fsspec  # noqa: PLC0415  (only where a remote path is used)

        protocol = path.split("://")[0]
        options = {}
        if endpoint := self.variables.get("AWS_ENDPOINT_URL"):
            options = {"client_kwargs": {"endpoint_url": endpoint}} if protocol == "s3" else {}
        try:
            system = fsspec.filesystem(protocol, **options)
            if protocol not in self.systems:
                self.connection.register_filesystem(system)
                self.systems[protocol] = system
            matches = system.glob(path) if any(s in path for s in "*?[") else system.find(path)
            found = [f"{protocol}://{p}" for p in sorted(matches)]
        except Exception as err:  # every store has its own errors; all mean "cannot read there"
            raise InvalidInputError(f"sources.{name}: cannot read {path}: {err}.") from err
        if not found:
            raise InvalidInputError(f"sources.{name}: nothing at {path}.")
        return found

    def _add_csv(self, name: str, files: list[str], source: Source) -> None:
        views = []
        for number, file in enumerate(files):
            view = name if len(files) == 1 else f"{name}#{number}"
            try:
                self._add_one_csv(view, name, file, source)
            except (OSError, EOFError, zlib.error) as err:  # damaged gzip is one of these
                raise InvalidInputError(
                    f"sources.{name}: {file} cannot be read: {str(err).rstrip('.')}. Send it again."
                ) from err
            views.append(f'SELECT * FROM "{view}"')
        if len(files) > 1:
            self.run(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(views)}', name)

    def _add_one_csv(self, view: str, name: str, file: str, source: Source) -> None:
        if source.encoding != "utf-8":
            copy = self._copy_of(view, "utf8")
            transcode(name, file, self._open, source.encoding, copy)
            file = str(copy)
        header, delimiter = find_header(name, file, self._open, source.delimiter)
        lines = self._read_csv(view, name, file, header, delimiter)
        if lines is None or not self._all_told(view, file, header, len(lines)):
            # Mixed line ends, or a quote that never closes and swallows the lines after it.
            copy = self._copy_of(view, "lines")
            unclosed = isolate_unclosed(file, self._open, copy)
            lines = self._read_csv(view, name, str(copy), header, delimiter)
            if lines is None:
                raise InvalidInputError(f"sources.{name}: {file} cannot be read as CSV.")
            lines = pd.concat([unclosed, lines], ignore_index=True)
        if len(lines):
            self.rejected.append(Rejected(name, lines))

    def _copy_of(self, view: str, kind: str) -> Path:
        return self.scratch / f"{re.sub(r'[^0-9A-Za-z_]', '_', view)}-{kind}.csv"

    def _read_csv(
        self, view: str, name: str, file: str, header: list[str], delimiter: str
    ) -> pd.DataFrame | None:
        """Make the table of a file and return its malformed lines; None if it has no lines."""
        columns = ", ".join(f"{_quoted(column)}: 'VARCHAR'" for column in header)
        # DuckDB adds to a table of rejects that it has seen, dropped or not.
        self.num_reads += 1
        table = f"rejects_{self.num_reads}"
        # Our own header and dialect: DuckDB's sniffer refuses files it cannot explain, whereas
        # here each bad line has to end up in quarantine with its reason.
        options = (
            f"auto_detect=false, header=true, delim={_quoted(delimiter)}, quote='\"', "
            f"escape='\"', columns={{{columns}}}, store_rejects=true, rejects_limit=0, "
            f"max_line_size=16777216, rejects_table='{table}', rejects_scan='{table}_scan'"
        )
        sql = f'CREATE OR REPLACE TABLE "{view}" AS SELECT * FROM read_csv({_quoted(file)}, '
        try:
            self.connection.execute(f"{sql}{options})")
        except duckdb.InvalidInputException as err:
            if "state machine" in str(err):
                return None
            raise InvalidInputError(f"sources.{name} ({file}): {_first_lines(err)}") from err
        except duckdb.Error as err:
            raise InvalidInputError(f"sources.{name} ({file}): {_first_lines(err)}") from err
        return self.fetch(
            f"SELECT line, min(error_type)::VARCHAR AS reason, min(csv_line) AS record "
            f"FROM {table} GROUP BY line ORDER BY line",
            name,
        ).to_pandas()

    def _all_told(self, view: str, file: str, header: list[str], num_rejected: int) -> bool:
        """Return whether rows and rejected lines make up the lines of a file."""
        if not num_rejected:
            return True
        with self._open(file) as handle:
            lines = count_lines(handle) - 1
        breaks = " + ".join(
            f"sum(length({c}) - length(replace({c}, chr(10), '')))"
            for c in (_identifier(column) for column in header)
        )
        found = self.fetch(f'SELECT count(*) AS n, {breaks} AS b FROM "{view}"', view).to_pylist()
        return lines <= found[0]["n"] + int(found[0]["b"] or 0) + num_rejected

    def _open(self, file: str) -> IO[bytes]:
        protocol = file.split("://")[0]
        if protocol in self.systems:
            compression = "gzip" if file.endswith(".gz") else None
            return self.systems[protocol].open(file, "rb", compression=compression)
        if file.endswith(".gz"):
            return cast("IO[bytes]", gzip.open(file, "rb"))
        return Path(file).open("rb")

    def _add_query(self, name: str, source: Source) -> None:
        assert source.url is not None
        assert source.query is not None
        try:
            url = re.sub(r"\$\{(\w+)\}", lambda m: self.variables[m[1]], source.url)
        except KeyError as err:
            raise ConfigError(f"sources.{name}.url names {err}, which is not set.") from err
        created = False
        try:
            engine = sa.create_engine(url)
            with engine.connect().execution_options(stream_results=True) as connection:
                for chunk in pd.read_sql(sa.text(source.query), connection, chunksize=_CHUNK_ROWS):
                    arrow = pa.Table.from_pandas(_plain_objects(chunk), preserve_index=False)
                    self.connection.register("chunk", arrow)
                    verb = f'INSERT INTO "{name}"' if created else f'CREATE TABLE "{name}" AS'
                    self.connection.execute(f"{verb} SELECT * FROM chunk")
                    created = True
        except (sa.exc.SQLAlchemyError, duckdb.Error, pa.ArrowInvalid) as err:
            raise InvalidInputError(
                f"sources.{name}: the query failed: {_first_lines(err)}"
            ) from err
        if not created:
            raise InvalidInputError(f"sources.{name}: the query returned no columns.")


def _plain_objects(chunk: pd.DataFrame) -> pd.DataFrame:
    """Return the chunk with columns of mixed Python objects (decimals, dates) as text."""
    for column in chunk.select_dtypes(object).columns:
        chunk[column] = chunk[column].map(str, na_action="ignore").astype("string")
    return chunk


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _explained(err: Exception) -> str:
    """Return an error's text; a column that is not there is told in words."""
    text = _first_lines(err)
    gone = re.search(r'Referenced column "([^"]+)" not found', text)
    if gone is None:
        return text
    return f"there is no column {gone[1]}. Put it back, or change the mapping."


def _first_lines(err: Exception) -> str:
    """Return an error's text without its code excerpt, on one line, ending in a full stop."""
    text = str(err).split("\n\nLINE")[0].split("\nLINE")[0]
    return " ".join(text.split())[:600].rstrip(".") + "."
