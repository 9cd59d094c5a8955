"""Sources whose rows are copied into tables: sheets, JSON, databases in a file, queries."""

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import duckdb
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from invopt.errors import InvalidInputError
from invopt.sources import database_files, sql_dumps
from invopt.sources.arrow_files import read_columns
from invopt.sources.engine import Engine, Rejected, first_lines
from invopt.sources.found_files import keys_of, open_file, path_columns
from invopt.sources.json_lines import JsonRows
from invopt.sources.mapping import Source
from invopt.sources.secrets import database_url, without_secrets
from invopt.sources.workbooks import read_sheet
from invopt.sql import literal, quote

_T = TypeVar("_T")

_CHUNK_ROWS = 100_000


def add_books(engine: Engine, name: str, files: list[str], source: Source) -> None:
    """Unite sheets of workbooks by the names of their columns."""
    tables = []
    for number, file in enumerate(files):
        copy = Path(file)
        if "://" in file:
            copy = engine.scratch / f"{number}-{Path(file).name}"
            with open_file(engine, file) as remote:
                copy.write_bytes(remote.read())
        try:
            sheet = read_sheet(copy, source.sheet)
        except InvalidInputError as err:
            raise InvalidInputError(f"sources.{name}: {err}") from err
        engine.notes += [f"{name}: {note}" for note in sheet.notes]
        if sheet.is_deep:
            engine.deep.add(name)
        tables.append(f'"{name}#{number}"')
        _keep(
            engine, name, tables[-1], sheet.table, keys_of(file, engine.data_dir, str(source.path))
        )
    holders: Counter[str] = Counter()
    for table in tables:
        holders.update(list(engine.column_types(table, name)))
    _unite(engine, name, tables, [f"({table})" for table in tables], holders)


def add_arrow(engine: Engine, name: str, files: list[str], source: Source) -> None:
    """Unite files of ORC or Feather by the names of their columns."""
    tables: list[str] = []
    holders: Counter[str] = Counter()
    for number, file in enumerate(files):
        with open_file(engine, file) as handle:
            try:
                rows = read_columns(file, handle)
            except InvalidInputError as err:
                raise InvalidInputError(f"sources.{name}: {err}") from err
        tables.append(f'"{name}#{number}"')
        holders.update(rows.column_names)
        _keep(engine, name, tables[-1], rows, keys_of(file, engine.data_dir, str(source.path)))
    _unite(engine, name, tables, [f"({table})" for table in tables], holders)


def add_json(engine: Engine, name: str, files: list[str], source: Source) -> None:
    """Unite the rows of files by the names of their columns; lines that are none are told."""
    tables: list[str] = []
    holders: Counter[str] = Counter()
    by_file = []
    for file in files:
        read, first = JsonRows(), len(tables)
        try:
            with open_file(engine, file) as handle:
                for rows in read.tables(handle, file):
                    tables.append(f'"{name}#{len(tables)}"')
                    _keep(
                        engine,
                        name,
                        tables[-1],
                        rows,
                        keys_of(file, engine.data_dir, str(source.path)),
                    )
        except (OSError, EOFError, zlib.error) as err:
            raise InvalidInputError(
                f"sources.{name}: {file} cannot be read: {str(err).rstrip('.')}. Send it again."
            ) from err
        if read.refused:
            lines = pd.DataFrame(read.refused, columns=["line", "reason", "record"])
            engine.rejected.append(Rejected(name, lines))
        own = tables[first:]
        holders.update({c for table in own for c in engine.column_types(table, name)})
        if not own:
            engine.notes.append(f"{name}: {Path(file).name} holds no row")
            continue
        by_file.append(" UNION ALL BY NAME ".join(f"SELECT * FROM {table}" for table in own))
    if not tables:
        raise InvalidInputError(
            f"sources.{name}: {files[0]} holds no row; expected an object in each line, or a "
            "list of objects."
        )
    engine.unite(name, tables)
    if len(files) > 1:
        engine.files[name] = [f"({sql})" for sql in by_file]
        engine.tell_gaps(name, len(by_file), holders)


def add_database(engine: Engine, name: str, file: Path, source: Source) -> None:
    """Copy a table out of a database in a file, which is opened to be read only."""
    table = _one_of(engine, name, file, source, database_files.table_of)
    if database_files.is_sqlite(file):
        url = database_files.sqlite_url(file)
        add_query(engine, name, Source(url=url, query=f"SELECT * FROM {quote(table)}"))
        return
    place = f"sources.{name}"
    engine.run(f"ATTACH {literal(str(file))} AS attached_file (READ_ONLY)", place)
    engine.run(f"CREATE TABLE {quote(name)} AS SELECT * FROM attached_file.{quote(table)}", place)
    engine.run("DETACH attached_file", place)


def add_dump(engine: Engine, name: str, file: Path, source: Source) -> None:
    """Copy the rows that a dump of a database writes; none of its statements is run."""
    rows = _one_of(engine, name, file, source, sql_dumps.read_table)
    _keep(engine, name, quote(name), rows, {})


def _one_of(
    engine: Engine,
    name: str,
    file: Path,
    source: Source,
    read: Callable[[Path, str | None], tuple[_T, list[str]]],
) -> _T:
    """Return what is read of one of several tables of a file, and tell which others there are."""
    try:
        found, others = read(file, source.sheet)
    except InvalidInputError as err:
        raise InvalidInputError(f"sources.{name}: {err}") from err
    if others and source.sheet is None:
        engine.notes.append(f"{name}: {', '.join(others)} of {file.name} are not read")
    return found


def add_query(engine: Engine, name: str, source: Source) -> None:
    """Copy the rows of a database's query, chunk by chunk, each column of its widest type."""
    assert source.url is not None
    assert source.query is not None
    url = database_url(name, source.url, engine.variables)
    tables = 0
    try:
        database = sa.create_engine(url)
        with database.connect().execution_options(stream_results=True) as connection:
            chunks = pd.read_sql(
                sa.text(source.query), connection, chunksize=_CHUNK_ROWS,
                dtype_backend="numpy_nullable",
            )  # fmt: skip
            before: pa.Schema | None = None
            for chunk in chunks:
                arrow = pa.Table.from_pandas(_plain_objects(chunk), preserve_index=False)
                engine.connection.register("chunk", arrow)
                # A later row may need a wider type than the first ones told.
                verb = f'INSERT INTO "{name}#{tables - 1}"'
                if before is None or not arrow.schema.equals(before):
                    verb = f'CREATE TABLE "{name}#{tables}" AS'
                    before, tables = arrow.schema, tables + 1
                engine.connection.execute(f"{verb} SELECT * FROM chunk")
    except (
        sa.exc.SQLAlchemyError, duckdb.Error, pa.ArrowInvalid, ImportError, ValueError, OSError
    ) as err:  # fmt: skip
        # A driver that is not there, a port that is no number: all in the mapping or beyond it.
        told = without_secrets(first_lines(err), url, source.url, engine.variables)
        raise InvalidInputError(f"sources.{name}: the query failed: {told}") from None
    if not tables:
        raise InvalidInputError(f"sources.{name}: the query returned no columns.")
    engine.unite(name, [f'"{name}#{number}"' for number in range(tables)])


def _unite(
    engine: Engine, name: str, tables: list[str], by_file: list[str], holders: Mapping[str, int]
) -> None:
    """Make a source of tables; of several files each is kept by itself, and gaps are told.

    Args:
        engine: That holds them.
        name: Of the source.
        tables: All of them.
        by_file: SQL of each file's rows.
        holders: How many files have a column, by column.
    """
    engine.unite(name, tables)
    if len(by_file) > 1:
        engine.files[name] = by_file
        engine.tell_gaps(name, len(by_file), holders)


def _keep(engine: Engine, name: str, table: str, rows: pa.Table, keys: Mapping[str, str]) -> None:
    """Make a table of rows and of what the folders of their file say of all of them."""
    more = path_columns(keys, {column.lower(): column for column in rows.column_names})
    engine.connection.register("chunk", rows)
    engine.run(f"CREATE TABLE {table} AS SELECT *{more} FROM chunk", f"sources.{name}")
    engine.connection.unregister("chunk")


def _plain_objects(chunk: pd.DataFrame) -> pd.DataFrame:
    """Return the chunk with columns of mixed Python objects (decimals, dates) as text."""
    for column in chunk.select_dtypes(object).columns:
        chunk[column] = chunk[column].map(str, na_action="ignore").astype("string")
    return chunk
