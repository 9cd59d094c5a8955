"""Keys that floating point has given a ".0": 1001.0 for 1001."""

import json
from collections.abc import Mapping
from typing import Any

import duckdb

from invopt.sources.engine import Engine
from invopt.sql import quote


def whole_numbers(engine: Engine, expression: str, source: str, types: Mapping[str, str]) -> str:
    """Return an expression of text that writes whole numbers of floating point without ".0".

    A column of numbers with a gap in it is one of floating point to many tools, and a key made
    of it would name nobody: 1001.0 for 1001.

    Args:
        engine: Holds the source.
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
        tree = json.loads(_serialised(engine, expression))
        changed = _with_whole(engine, tree, floats)
        [[text]] = engine.connection.execute(
            "SELECT json_deserialize_sql(?::JSON)", [json.dumps(changed)]
        ).fetchall()
        found = str(text).removeprefix("SELECT ")
        engine.connection.sql(f'DESCRIBE SELECT {found} FROM "{source}"')
    except duckdb.Error:  # used as a number within the expression: its own matter
        return expression
    return found


def _serialised(engine: Engine, expression: str) -> str:
    [[text]] = engine.connection.execute(
        "SELECT json_serialize_sql(?)", [f"SELECT {expression}"]
    ).fetchall()
    return str(text)


def _with_whole(engine: Engine, tree: Any, floats: Mapping[str, str]) -> Any:
    """Return a syntax tree whose references to some columns are wrapped in whole()."""
    if isinstance(tree, list):
        return [_with_whole(engine, branch, floats) for branch in tree]
    if not isinstance(tree, dict):
        return tree
    names = tree.get("column_names") or [""]
    if tree.get("class") == "COLUMN_REF" and names[-1].lower() in floats:
        wrapped = json.loads(_serialised(engine, f"whole({quote(names[-1])})"))
        return wrapped["statements"][0]["node"]["select_list"][0] | {"alias": tree["alias"]}
    return {key: _with_whole(engine, branch, floats) for key, branch in tree.items()}
