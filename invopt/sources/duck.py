"""DuckDB as the reading engine: sources become views whose text columns stay text."""

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast
from urllib.parse import quote as quoted
from urllib.parse import unquote

import duckdb
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from invopt.errors import ConfigError, InvalidInputError
from invopt.sources import database_files
from invopt.sources.archives import PACKED, SUFFIX, TEXTS, unpack
from invopt.sources.csv_files import (
    Header,
    count_lines,
    find_header,
    is_ruled,
    is_wrapped,
    isolate_unclosed,
    told_below,
    transcode,
    unrule,
    unwrap,
)
from invopt.sources.json_lines import SUFFIXES as JSONS
from invopt.sources.json_lines import JsonRows
from invopt.sources.mapping import Source
from invopt.sources.secrets import database_url, without_secrets
from invopt.sources.united import EMPTY, United
from invopt.sources.workbooks import SUFFIXES as BOOKS
from invopt.sources.workbooks import read_sheet
from invopt.sql import literal, quote

_CHUNK_ROWS = 100_000
_SUFFIXES = (*TEXTS, SUFFIX, ".parquet", ".pq", *BOOKS, *database_files.SUFFIXES)
MEMORY_LIMIT = "2GB"
KEPT_ROWS = 50_000  # up to so many rows, what is made of a source is worked out once and kept


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
        self.notes: list[str] = []
        self.files: dict[str, list[str]] = {}  # SQL of each file's rows, by source of several
        self.scratch = scratch
        self.num_reads = 0
        self.systems: dict[str, Any] = {}  # fsspec's, by protocol
        self.opened: list[str] = []  # files that are read again and again, as views
        self.counted: dict[str, int] = {}  # rows, by source
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            self.connection = duckdb.connect(str(scratch / "reading.duckdb"))
        except duckdb.IOException as err:
            raise InvalidInputError(
                f"the scratch folder cannot be written: {_first_lines(err)} Make room there, or "
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

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.connection.close()

    def add_all(self, sources: Mapping[str, Source], *folders: Path) -> None:
        """Make sources readable under their names; from then on nothing else can be opened.

        A mapping's SQL is code. Files and queries are opened first; what SQL sees after that are
        these, the scratch folder and the folders named here.

        Args:
            sources: By name; SQL builds on those above it.
            folders: That results are written to.

        Raises:
            InvalidInputError: As add.
        """
        for name, source in sources.items():
            if source.sql is None:
                self.add(name, source)
        self.lock(*folders)
        for name, source in sources.items():
            if source.sql is not None:
                self.add(name, source)

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

    def whole_numbers(self, expression: str, source: str, types: Mapping[str, str]) -> str:
        """Return an expression of text that writes whole numbers of floating point without ".0".

        A column of numbers with a gap in it is one of floating point to many tools, and a key made
        of it would name nobody: 1001.0 for 1001.

        Args:
            expression: Over the source's columns.
            source: Name.
            types: DuckDB type by column.
        """
        floats = {
            column.lower(): column
            for column, kind in types.items()
            if kind.startswith(("DOUBLE", "FLOAT", "DECIMAL")) and not kind.endswith("]")
        }
        if not any(column in expression.lower() for column in floats):
            return expression
        try:
            tree = json.loads(self._serialised(expression))
            changed = self._with_whole(tree, floats)
            [[text]] = self.connection.execute(
                "SELECT json_deserialize_sql(?::JSON)", [json.dumps(changed)]
            ).fetchall()
            found = str(text).removeprefix("SELECT ")
            self.connection.sql(f'DESCRIBE SELECT {found} FROM "{source}"')
        except duckdb.Error:  # used as a number within the expression: its own matter
            return expression
        return found

    def _serialised(self, expression: str) -> str:
        [[text]] = self.connection.execute(
            "SELECT json_serialize_sql(?)", [f"SELECT {expression}"]
        ).fetchall()
        return str(text)

    def _with_whole(self, tree: Any, floats: Mapping[str, str]) -> Any:
        """Return a syntax tree whose references to some columns are wrapped in whole()."""
        if isinstance(tree, list):
            return [self._with_whole(branch, floats) for branch in tree]
        if not isinstance(tree, dict):
            return tree
        names = tree.get("column_names") or [""]
        if tree.get("class") == "COLUMN_REF" and names[-1].lower() in floats:
            wrapped = json.loads(self._serialised(f"whole({quote(names[-1])})"))
            return wrapped["statements"][0]["node"]["select_list"][0] | {"alias": tree["alias"]}
        return {key: self._with_whole(branch, floats) for key, branch in tree.items()}

    def _add_files(self, name: str, source: Source) -> None:
        assert source.path is not None
        files = self._find(name, source)
        self.opened += files
        kinds = {Path(file.lower().removesuffix(".gz")).suffix for file in files}
        if kinds <= {".parquet", ".pq"}:
            self._add_parquet(name, files)
        elif kinds <= {".csv", ".txt", ".tsv", "", ".xls"}:
            self._add_csv(name, files, source)
        elif kinds <= set(BOOKS):
            self._add_books(name, files, source)
        elif kinds <= set(JSONS):
            self._add_json(name, files)
        elif kinds <= set(database_files.SUFFIXES) and len(files) == 1:
            self._add_database(name, Path(files[0]), source)
        else:
            raise ConfigError(
                f"sources.{name}: {source.path} must be .csv, .parquet, .xlsx, .jsonl or one "
                f"database, got {sorted(kinds)}: give each kind a source, and unite them in one of "
                "SQL with UNION ALL BY NAME."
            )

    def _add_parquet(self, name: str, files: list[str]) -> None:
        """Unite files by the names of their columns, each of the widest of its types."""
        if len(files) == 1:
            self.run(f'CREATE VIEW "{name}" AS SELECT * FROM {_parquet(files)}', f"sources.{name}")
            return
        held = self._parquet_types(name, files)
        united = United.of(held)
        self.files[name] = [
            f"(SELECT *{_replacing(united.picks(types))} FROM {_parquet([file], False)})"
            for file, types in zip(files, held, strict=True)
        ]
        parts: list[tuple[dict[str, str], list[str]]] = []  # neighbours that are cast alike
        for file, types in zip(files, held, strict=True):
            cast = united.cast_columns(types)
            if not parts or parts[-1][0] != cast:
                parts.append((cast, []))
            parts[-1][1].append(file)
        sql = " UNION ALL BY NAME ".join(
            f"SELECT *{_replacing(united.picks(cast))} FROM {_parquet(some, len(parts) == 1)}"
            for cast, some in parts
        )
        self.run(f'CREATE VIEW "{name}" AS {sql}', f"sources.{name}")
        for column, kinds in united.kinds.items():
            counts = Counter(kind for kind in kinds if kind != EMPTY)
            if len(counts) > 1:
                told = ", ".join(f"{kind} in {n}" for kind, n in sorted(counts.items()))
                self.notes.append(
                    f"{name}: column {united.spelled[column]} is {told} of {len(files)} files"
                )
        holders = {united.spelled[c]: len(kinds) for c, kinds in united.kinds.items()}
        self._tell_gaps(name, len(files), holders)

    def _add_books(self, name: str, files: list[str], source: Source) -> None:
        """Unite sheets of workbooks by the names of their columns."""
        tables = []
        for number, file in enumerate(files):
            copy = Path(file)
            if "://" in file:
                copy = self.scratch / f"{number}-{Path(file).name}"
                with self._open(file) as remote:
                    copy.write_bytes(remote.read())
            try:
                sheet = read_sheet(copy, source.sheet)
            except InvalidInputError as err:
                raise InvalidInputError(f"sources.{name}: {err}") from err
            self.notes += [f"{name}: {note}" for note in sheet.notes]
            tables.append(f'"{name}#{number}"')
            self.connection.register("chunk", sheet.table)
            self.run(f"CREATE TABLE {tables[-1]} AS SELECT * FROM chunk", f"sources.{name}")
            self.connection.unregister("chunk")
        holders: Counter[str] = Counter()
        for table in tables:
            holders.update(list(self.column_types(table, name)))
        self._unite_tables(name, tables)
        if len(tables) > 1:
            self.files[name] = [f"({table})" for table in tables]
            self._tell_gaps(name, len(files), holders)

    def _add_json(self, name: str, files: list[str]) -> None:
        """Unite the rows of files by the names of their columns; lines that are none are told."""
        tables: list[str] = []
        holders: Counter[str] = Counter()
        by_file = []
        for file in files:
            read, first = JsonRows(), len(tables)
            try:
                with self._open(file) as handle:
                    for rows in read.tables(handle, file):
                        tables.append(f'"{name}#{len(tables)}"')
                        self._keep(name, tables[-1], rows, _keys_of(file, self.data_dir))
            except (OSError, EOFError, zlib.error) as err:
                raise InvalidInputError(
                    f"sources.{name}: {file} cannot be read: {str(err).rstrip('.')}. Send it again."
                ) from err
            if read.refused:
                lines = pd.DataFrame(read.refused, columns=["line", "reason", "record"])
                self.rejected.append(Rejected(name, lines))
            own = tables[first:]
            holders.update({c for table in own for c in self.column_types(table, name)})
            if not own:
                self.notes.append(f"{name}: {Path(file).name} holds no row")
                continue
            by_file.append(" UNION ALL BY NAME ".join(f"SELECT * FROM {table}" for table in own))
        if not tables:
            raise InvalidInputError(
                f"sources.{name}: {files[0]} holds no row; expected an object in each line, or a "
                "list of objects."
            )
        self._unite_tables(name, tables)
        if len(files) > 1:
            self.files[name] = [f"({sql})" for sql in by_file]
            self._tell_gaps(name, len(by_file), holders)

    def _keep(self, name: str, table: str, rows: pa.Table, keys: Mapping[str, str]) -> None:
        """Make a table of rows and of what the folders of their file say of all of them."""
        more = _path_columns(keys, {column.lower(): column for column in rows.column_names})
        self.connection.register("chunk", rows)
        self.run(f"CREATE TABLE {table} AS SELECT *{more} FROM chunk", f"sources.{name}")
        self.connection.unregister("chunk")

    def _add_database(self, name: str, file: Path, source: Source) -> None:
        """Copy a table out of a database in a file, which is opened to be read only."""
        try:
            table, others = database_files.table_of(file, source.sheet)
        except InvalidInputError as err:
            raise InvalidInputError(f"sources.{name}: {err}") from err
        if others and source.sheet is None:
            self.notes.append(f"{name}: {', '.join(others)} of {file.name} are not read")
        if database_files.is_sqlite(file):
            url = database_files.sqlite_url(file)
            self._add_query(name, Source(url=url, query=f"SELECT * FROM {quote(table)}"))
            return
        place = f"sources.{name}"
        self.run(f"ATTACH {literal(str(file))} AS attached_file (READ_ONLY)", place)
        self.run(f"CREATE TABLE {quote(name)} AS SELECT * FROM attached_file.{quote(table)}", place)
        self.run("DETACH attached_file", place)

    def _unite_tables(self, name: str, tables: list[str]) -> None:
        """Make the view of a source whose parts are tables, each column of its widest type."""
        held = [self.column_types(table, name) for table in tables]
        united = United.of(held)
        views = [
            f"SELECT *{_replacing(united.picks(types))} FROM {table}"
            for table, types in zip(tables, held, strict=True)
        ]
        self.run(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(views)}', name)

    def _parquet_types(self, name: str, files: list[str]) -> list[dict[str, str]]:
        """Return DuckDB type by column of every file."""
        listed = ", ".join(map(literal, files))
        rows = self.fetch(
            "SELECT file_name, name, duckdb_type AS kind, coalesce(num_children, 0) AS children "
            f"FROM parquet_schema([{listed}])",
            f"sources.{name}",
        ).to_pylist()
        by_file: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_file.setdefault(row["file_name"], []).append(row)
        return [_columns_of(by_file[file]) for file in files]

    def _tell_gaps(self, name: str, num_files: int, holders: Mapping[str, int]) -> None:
        """Say which columns some of a source's files lack: they are empty there."""
        gaps = [f"{c} (in {n} of {num_files})" for c, n in holders.items() if n < num_files]
        if gaps:
            self.notes.append(f"{name}: columns that not every file has: {', '.join(gaps)}")

    def _find(self, name: str, source: Source) -> list[str]:
        path = str(source.path)
        if "://" in path:
            return self._find_remote(name, path)
        here = self.data_dir / path
        if here.is_dir():
            inside = sorted(p for p in here.rglob("*") if p.is_file() and p.name[0] not in "._")
            found = [p for p in inside if p.name.lower().endswith(_SUFFIXES)]
            if left := [p.name for p in inside if p not in found]:
                self.notes.append(
                    f"{name}: {len(left)} files of {path} are not read (e.g. {left[0]}): they end "
                    f"in none of {', '.join(_SUFFIXES)}"
                )
        elif any(sign in path for sign in "*?["):
            found = sorted(self.data_dir.glob(path))
        else:
            found = [here] if here.is_file() else []
        found = [member for file in found for member in self._unpacked(name, file, source)]
        if not found:
            raise InvalidInputError(
                f"sources.{name}: no file {here}. Check --data (now {self.data_dir}) "
                "and the path in the mapping."
            )
        return [str(p) for p in found]

    def _unpacked(self, name: str, file: Path, source: Source) -> list[Path]:
        """Return the text files inside an archive, laid into the scratch folder; else the file.

        Where the source names one of them, it is that one.

        What the archive's own folders say (key=value) its files say there, too.
        """
        if file.suffix.lower() not in PACKED:
            return [file]
        self.num_reads += 1
        told = _keys_of(str(file), self.data_dir)
        keys = [f"{quoted(key)}={quoted(value)}" for key, value in told.items()]
        try:
            folder = self.scratch.joinpath(f"unpacked-{self.num_reads}", *keys)
            found, left = unpack(file, folder, source.sheet)
        except InvalidInputError as err:
            raise InvalidInputError(f"sources.{name}: {err}") from err
        if left:
            self.notes.append(f"{name}: {left} other files of {file.name} are not read")
        return found

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
        views: list[str] = []
        holders: Counter[str] = Counter()
        known: dict[str, str] = {}
        for number, file in enumerate(files):
            keys = _keys_of(file, self.data_dir)
            view = f"{name}#{number}" if len(files) > 1 or keys else name
            try:
                header = self._add_one_csv(view, name, file, source)
            except (OSError, EOFError, zlib.error) as err:  # damaged gzip is one of these
                raise InvalidInputError(
                    f"sources.{name}: {file} cannot be read: {str(err).rstrip('.')}. Send it again."
                ) from err
            folded = {column.lower(): column for column in header}
            if known and not known.keys() & folded.keys():
                raise InvalidInputError(
                    f"sources.{name}: {file} has no column of the files before it (its first line "
                    f"is {', '.join(header[:5])}). Give it their header line, or a source of its "
                    "own."
                )
            known = folded | known
            holders.update(known[column] for column in folded)
            views.append(f'SELECT *{_path_columns(keys, folded)} FROM "{view}"')
        if view != name:
            self.files[name] = [f"({view})" for view in views]
            self.run(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(views)}', name)
            self._tell_gaps(name, len(files), holders)

    def _add_one_csv(self, view: str, name: str, file: str, source: Source) -> list[str]:
        """Make the table of one file, note its malformed lines and return its columns."""
        if source.encoding != "utf-8":
            copy = self._copy_of(view, "utf8")
            transcode(name, file, self._open, source.encoding, copy)
            file = str(copy)
        if source.delimiter in (None, "|") and is_ruled(file, self._open):
            copy = self._copy_of(view, "unruled")
            self.notes += [f"{name}: {note}" for note in unrule(file, self._open, copy)]
            file = str(copy)
        if is_wrapped(file, self._open):
            copy = self._copy_of(view, "unwrapped")
            self.notes += [f"{name}: {note}" for note in unwrap(file, self._open, copy)]
            file = str(copy)
        header = find_header(name, file, self._open, source.delimiter)
        self.notes += [f"{name}: {note}" for note in header.notes]
        lines = self._read_csv(view, name, file, header)
        if lines is None or not self._all_told(view, file, header, len(lines)):
            # Mixed line ends, or a quote that never closes and swallows the lines after it.
            copy = self._copy_of(view, "lines")
            unclosed = isolate_unclosed(file, self._open, copy)
            lines = self._read_csv(view, name, str(copy), header)
            if lines is None:
                raise InvalidInputError(f"sources.{name}: {file} cannot be read as CSV.")
            lines = pd.concat([unclosed, lines], ignore_index=True)
        if len(lines):
            lines = told_below(lines, file, self._open, header.delimiter)
            self.rejected.append(Rejected(name, lines))
        return header.columns

    def _copy_of(self, view: str, kind: str) -> Path:
        return self.scratch / f"{re.sub(r'[^0-9A-Za-z_]', '_', view)}-{kind}.csv"

    def _read_csv(self, view: str, name: str, file: str, header: Header) -> pd.DataFrame | None:
        """Make the table of a file and return its malformed lines; None if it has no lines."""
        columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in header.columns)
        # DuckDB adds to a table of rejects that it has seen, dropped or not.
        self.num_reads += 1
        table = f"rejects_{self.num_reads}"
        # Our own header and dialect: DuckDB's sniffer refuses files it cannot explain, whereas
        # here each bad line has to end up in quarantine with its reason.
        options = (
            f"auto_detect=false, hive_partitioning=false, header=true, "
            f"quote={literal(header.quote)}, escape={literal(header.quote)}, "
            f"delim={literal(header.delimiter)}, columns={{{columns}}}, "
            f"skip={len(header.skipped)}, "
            "store_rejects=true, rejects_limit=0, "
            f"max_line_size=16777216, rejects_table='{table}', rejects_scan='{table}_scan'"
        )
        sql = f'CREATE OR REPLACE TABLE "{view}" AS SELECT * FROM read_csv({literal(file)}, '
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

    def _all_told(self, view: str, file: str, header: Header, num_rejected: int) -> bool:
        """Return whether rows and rejected lines make up the lines of a file."""
        if not num_rejected:
            return True
        with self._open(file) as handle:
            lines = count_lines(handle) - 1 - sum(bool(line) for line in header.skipped)
        breaks = " + ".join(
            f"sum(length({c}) - length(replace({c}, chr(10), '')))"
            for c in (quote(column) for column in header.columns)
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
        url = database_url(name, source.url, self.variables)
        tables = 0
        try:
            engine = sa.create_engine(url)
            with engine.connect().execution_options(stream_results=True) as connection:
                chunks = pd.read_sql(
                    sa.text(source.query), connection, chunksize=_CHUNK_ROWS,
                    dtype_backend="numpy_nullable",
                )  # fmt: skip
                before: pa.Schema | None = None
                for chunk in chunks:
                    arrow = pa.Table.from_pandas(_plain_objects(chunk), preserve_index=False)
                    self.connection.register("chunk", arrow)
                    # A later row may need a wider type than the first ones told.
                    verb = f'INSERT INTO "{name}#{tables - 1}"'
                    if before is None or not arrow.schema.equals(before):
                        verb = f'CREATE TABLE "{name}#{tables}" AS'
                        before, tables = arrow.schema, tables + 1
                    self.connection.execute(f"{verb} SELECT * FROM chunk")
        except (
            sa.exc.SQLAlchemyError, duckdb.Error, pa.ArrowInvalid, ImportError, ValueError, OSError
        ) as err:  # fmt: skip
            # A driver that is not there, a port that is no number: all in the mapping or beyond it.
            told = without_secrets(_first_lines(err), url, source.url, self.variables)
            raise InvalidInputError(f"sources.{name}: the query failed: {told}") from None
        if not tables:
            raise InvalidInputError(f"sources.{name}: the query returned no columns.")
        self._unite_tables(name, [f'"{name}#{number}"' for number in range(tables)])


def _parquet(files: list[str], whole: bool = True) -> str:
    """Return the SQL of some files' rows.

    Args:
        files: All of a source's, or some.
        whole: False for some: what their folders say is then text, as the others' may be.
    """
    listed = ", ".join(map(literal, files))
    return (
        f"read_parquet([{listed}], hive_partitioning=true, union_by_name=true, "
        f"hive_types_autocast={str(whole).lower()})"
    )


def _columns_of(schema: list[dict[str, Any]]) -> dict[str, str]:
    """Return the type of each column of a file's schema, whose first row is the whole."""
    found: dict[str, str] = {}
    inner = [0]  # columns yet to come inside each one that is open
    for row in schema[1:]:
        if not inner[-1]:
            found[row["name"]] = EMPTY if '"' in row["kind"] else row["kind"]
        inner[-1] -= bool(inner[-1])
        if row["children"]:
            inner.append(row["children"])
        while len(inner) > 1 and not inner[-1]:
            inner.pop()
    return found


def _replacing(picks: tuple[str, ...]) -> str:
    return f" REPLACE ({', '.join(picks)})" if picks else ""


def _plain_objects(chunk: pd.DataFrame) -> pd.DataFrame:
    """Return the chunk with columns of mixed Python objects (decimals, dates) as text."""
    for column in chunk.select_dtypes(object).columns:
        chunk[column] = chunk[column].map(str, na_action="ignore").astype("string")
    return chunk


def _keys_of(file: str, root: Path) -> dict[str, str]:
    """Return what the folders of a file below a root say of all its rows (key=value)."""
    place = Path(file)
    if place.is_relative_to(root):
        place = place.relative_to(root)
    pairs = (part.split("=", 1) for part in place.parts[:-1] if "=" in part)
    return {key: unquote(value) for key, value in pairs}


def _path_columns(keys: Mapping[str, str], taken: Mapping[str, str]) -> str:
    """Return the SQL of the columns that a file's folders name, those not taken."""
    found = {key: value for key, value in keys.items() if key.lower() not in taken}
    return "".join(f", {literal(value)} AS {quote(key)}" for key, value in found.items())


def _explained(err: Exception) -> str:
    """Return an error's text; a column that is not there is told in words."""
    text = _first_lines(err)
    if text.startswith("Conversion Error") and "cast" in text.lower():
        return f"{text} num(x) and TRY_CAST leave empty what cannot be read."
    gone = re.search(r'Referenced column "([^"]+)" not found', text)
    if gone is None:
        return text
    return f"there is no column {gone[1]}. Put it back, or change the mapping."


def _first_lines(err: Exception) -> str:
    """Return an error's text without its code excerpt, on one line, ending in a full stop."""
    text = str(err).split("\n\nLINE")[0].split("\nLINE")[0]
    return " ".join(text.split())[:600].rstrip(".") + "."
