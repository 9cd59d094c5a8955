"""Files of parquet as a view of an engine, each column of the widest of its types."""

from collections import Counter
from typing import Any

from invopt.sources.engine import Engine, replacing
from invopt.sources.found_files import keys_of, path_columns
from invopt.sources.named_files import has_names
from invopt.sources.united import EMPTY, United
from invopt.sql import literal, quote


def add_parquet(engine: Engine, name: str, files: list[str], path: str) -> None:
    """Unite files by the names of their columns, each of the widest of its types.

    Args:
        engine: Gets the view.
        name: Of the source.
        files: All of its.
        path: That names them, with names in braces for what is said in theirs.
    """
    if has_names(path):
        _add_named(engine, name, files, path)
        return
    if len(files) == 1:
        engine.run(f'CREATE VIEW "{name}" AS SELECT * FROM {_parquet(files)}', f"sources.{name}")
        return
    held = _types_of(engine, name, files)
    united = United.of(held)
    engine.files[name] = [
        f"(SELECT *{replacing(united.picks(types))} FROM {_parquet([file], False)})"
        for file, types in zip(files, held, strict=True)
    ]
    parts: list[tuple[dict[str, str], list[str]]] = []  # neighbours that are cast alike
    for file, types in zip(files, held, strict=True):
        cast = united.cast_columns(types)
        if not parts or parts[-1][0] != cast:
            parts.append((cast, []))
        parts[-1][1].append(file)
    sql = " UNION ALL BY NAME ".join(
        f"SELECT *{replacing(united.picks(cast))} FROM {_parquet(some, len(parts) == 1)}"
        for cast, some in parts
    )
    engine.run(f'CREATE VIEW "{name}" AS {sql}', f"sources.{name}")
    for column, kinds in united.kinds.items():
        counts = Counter(kind for kind in kinds if kind != EMPTY)
        if len(counts) > 1:
            told = ", ".join(f"{kind} in {n}" for kind, n in sorted(counts.items()))
            engine.notes.append(
                f"{name}: column {united.spelled[column]} is {told} of {len(files)} files"
            )
    holders = {united.spelled[c]: len(kinds) for c, kinds in united.kinds.items()}
    engine.tell_gaps(name, len(files), holders)


def _add_named(engine: Engine, name: str, files: list[str], path: str) -> None:
    """Unite files whose own names say something of all their rows."""
    views = [quote(f"{name}#{number}") for number in range(len(files))]
    for view, file in zip(views, files, strict=True):
        rows = _parquet([file])
        taken = {column.lower(): column for column in engine.column_types(rows, name)}
        more = path_columns(keys_of(file, engine.data_dir, path), taken)
        engine.run(f"CREATE VIEW {view} AS SELECT *{more} FROM {rows}", f"sources.{name}")
    engine.unite(name, views)


def _types_of(engine: Engine, name: str, files: list[str]) -> list[dict[str, str]]:
    """Return DuckDB type by column of every file."""
    listed = ", ".join(map(literal, files))
    rows = engine.fetch(
        "SELECT file_name, name, duckdb_type AS kind, coalesce(num_children, 0) AS children "
        f"FROM parquet_schema([{listed}])",
        f"sources.{name}",
    ).to_pylist()
    by_file: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_file.setdefault(row["file_name"], []).append(row)
    return [_columns_of(by_file[file]) for file in files]


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
