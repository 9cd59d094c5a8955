"""What a source of SQL joins, and how many rows of either side find no partner.

DuckDB parses the SQL; of each join by equal keys the rows without a partner are counted by the
anti-join of the same two sides. What cannot be counted so (a join by a range, say) is left alone.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from invopt.sources.duck import Reader
from invopt.sources.twins import near_twins, spelled

_MAX_KEYS = 100_000
_KINDS = ("INNER", "LEFT", "RIGHT", "OUTER")


@dataclass(frozen=True)
class JoinMisses:
    """One join of a source and the rows of both sides that found nobody.

    Attributes:
        source: Of SQL.
        left: In words.
        right: In words.
        rows: (left, right) rows.
        missing: Of these, without a partner.
    """

    source: str
    left: str
    right: str
    rows: tuple[int, int]
    missing: tuple[int, int]


def join_misses(reader: Reader, source: str, sql: str) -> list[JoinMisses]:
    """Return the joins of a source in which some row of a side found no partner, and note them."""
    found = []
    for select, join in _joins(_tree(reader, sql)):
        try:
            misses = _count(reader, source, select, join)
        except duckdb.Error:  # lateral, or of a name from outside: nothing to count by itself
            continue
        if any(misses.missing):
            found.append(misses)
            reader.notes.append(_sentence(reader, misses, select, join))
    return found


def _tree(reader: Reader, sql: str) -> Any:
    [[text]] = reader.connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    return json.loads(text)


def _joins(tree: Any, select: Any = None) -> Iterator[tuple[Any, Any]]:
    """Yield (select node, join node) of every join by equal keys."""
    if isinstance(tree, list):
        for branch in tree:
            yield from _joins(branch, select)
    elif isinstance(tree, dict):
        select = tree if tree.get("type") == "SELECT_NODE" else select
        if tree.get("type") == "JOIN" and tree.get("join_type") in _KINDS and _is_by_keys(tree):
            yield select, tree
        for branch in tree.values():
            yield from _joins(branch, select)


def _is_by_keys(join: Any) -> bool:
    return bool(join["using_columns"]) or bool(_equalities(join["condition"]))


def _equalities(condition: Any) -> list[Any]:
    """Return the equalities of a condition that is one, or several joined by AND; else none."""
    if condition is None:
        return []
    if condition["type"] == "COMPARE_EQUAL":
        return [condition]
    if condition["type"] == "CONJUNCTION_AND":
        parts = [_equalities(child) for child in condition["children"]]
        return [e for part in parts for e in part] if all(parts) else []
    return []


def _count(reader: Reader, source: str, select: Any, join: Any) -> JoinMisses:
    left, right = join["left"], join["right"]
    anti = {**join, "join_type": "ANTI"}
    return JoinMisses(
        source,
        _name(left),
        _name(right),
        (_number(reader, select, left), _number(reader, select, right)),
        (
            _number(reader, select, anti),
            _number(reader, select, {**anti, "left": right, "right": left}),
        ),
    )


def _number(reader: Reader, select: Any, table: Any) -> int:
    return int(_run(reader, "SELECT count(*) FROM x", select, table)[0][0])


def _run(reader: Reader, query: str, select: Any, table: Any) -> list[Any]:
    """Return the rows of a query whose FROM is a part of a syntax tree."""
    tree = _tree(reader, query)
    node = tree["statements"][0]["node"]
    node["from_table"] = copy.deepcopy(table)
    node["cte_map"] = select["cte_map"]
    [[sql]] = reader.connection.execute(
        "SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]
    ).fetchall()
    rows: list[Any] = reader.connection.execute(str(sql)).fetchall()
    return rows


def _name(table: Any) -> str:
    if table["type"] == "BASE_TABLE":
        return str(table["table_name"])
    if table["type"] == "JOIN":
        return _name(table["left"])
    inner = table.get("subquery", {}).get("node", {}).get("from_table")
    return _name(inner) if inner else str(table.get("alias") or "a subquery")


def _sentence(reader: Reader, misses: JoinMisses, select: Any, join: Any) -> str:
    told = " and ".join(
        f"{missing:,} of {rows:,} rows of {name} have no row of {other}"
        for missing, rows, name, other in (
            (misses.missing[0], misses.rows[0], misses.left, misses.right),
            (misses.missing[1], misses.rows[1], misses.right, misses.left),
        )
        if missing
    )
    pairs = _twins(reader, select, join)
    if not pairs:
        return f"{misses.source}: {told}"
    return (
        f"{misses.source}: {told}; they write their keys differently ({spelled(pairs)}), and lpad, "
        "trim or a cast makes them equal"
    )


def _twins(reader: Reader, select: Any, join: Any) -> list[tuple[str, str]]:
    for column in join["using_columns"][:1]:
        return _twins_of(reader, select, join, f'"{column}"', f'"{column}"')
    for equality in _equalities(join["condition"])[:1]:
        one, other = (_text(reader, equality[side]) for side in ("left", "right"))
        for ours, theirs in ((one, other), (other, one)):
            try:
                return _twins_of(reader, select, join, ours, theirs)
            except duckdb.Error:  # the other way round
                continue
    return []


def _twins_of(
    reader: Reader, select: Any, join: Any, ours: str, theirs: str
) -> list[tuple[str, str]]:
    left, right = (
        {
            str(key)
            for (key,) in _run(
                reader,
                f"SELECT DISTINCT ({sql})::VARCHAR FROM x LIMIT {_MAX_KEYS}",
                select,
                join[side],
            )
            if key is not None
        }
        for side, sql in (("left", ours), ("right", theirs))
    )
    return near_twins(sorted(right - left), sorted(left - right))


def _text(reader: Reader, expression: Any) -> str:
    tree = _tree(reader, "SELECT 1")
    tree["statements"][0]["node"]["select_list"] = [expression]
    [[sql]] = reader.connection.execute(
        "SELECT json_deserialize_sql(?::JSON)", [json.dumps(tree)]
    ).fetchall()
    return str(sql).removeprefix("SELECT ")
