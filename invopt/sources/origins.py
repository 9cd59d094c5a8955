"""The account of every source: its rows as the files hold them, and what the tables made of them."""

from dataclasses import dataclass

from invopt.sources.duck import Reader
from invopt.sources.mapping import Mapping, Table
from invopt.sources.standard import literal, quote

_MALFORMED = "line is malformed"
_CELL = "cell is"  # a wide table's reasons for a cell, whose row is used all the same


@dataclass(frozen=True)
class SourceAccount:
    """What became of a source's rows; used, set aside and filtered make up what came in.

    Attributes:
        rows_in: Rows of its files or its query, before any `where`, malformed lines included.
        rows_used: Rows that a table uses.
        rows_set_aside: Rows that a table set aside with a reason, and malformed lines.
        rows_filtered: Rows that no table's `where` lets in.
    """

    rows_in: int
    rows_used: int
    rows_set_aside: int
    rows_filtered: int


def source_accounts(mapping: Mapping, reader: Reader) -> dict[str, SourceAccount]:
    """Return the account of every source that holds rows of its own or that a table reads.

    A row that several tables read is set aside where one of them sets it aside. What is read only
    through the SQL of another source counts as used: that source says what became of it.

    Args:
        mapping: Of the data set.
        reader: Holds the sources and the whole quarantine.
    """
    tables: dict[str, list[tuple[str, Table]]] = {name: [] for name in mapping.sources}
    for name, table in mapping.tables():
        tables[table.source].append((name, table))
    return {
        name: _account(reader, name, tables[name])
        for name, source in mapping.sources.items()
        if source.sql is None or tables[name]
    }


def _account(reader: Reader, source: str, tables: list[tuple[str, Table]]) -> SourceAccount:
    rows = _count(reader, f"SELECT count(*) AS n FROM {quote(source)}", source)
    malformed = sum(len(r.lines) for r in reader.rejected if r.source == source)
    filtered = _filtered(reader, source, tables)
    aside = min(_aside(reader, source, tables), rows - filtered)
    return SourceAccount(rows + malformed, rows - filtered - aside, aside + malformed, filtered)


def _filtered(reader: Reader, source: str, tables: list[tuple[str, Table]]) -> int:
    conditions = [table.where for _, table in tables]
    if not conditions or None in conditions:
        return 0
    refused = " AND ".join(f"({condition}) IS NOT TRUE" for condition in conditions)
    return _count(reader, f"SELECT count(*) AS n FROM {quote(source)} WHERE {refused}", source)


def _aside(reader: Reader, source: str, tables: list[tuple[str, Table]]) -> int:
    names = ", ".join(literal(name) for name, _ in tables)
    if not names:
        return 0
    sql = (
        f'SELECT coalesce(max(n), 0) AS n FROM (SELECT "table", count(DISTINCT row) AS n '
        f'FROM quarantine WHERE "table" IN ({names}) '
        f"AND NOT starts_with(reason, {literal(_MALFORMED)}) "
        f'AND NOT starts_with(reason, {literal(_CELL)}) GROUP BY "table")'
    )
    return _count(reader, sql, source)


def _count(reader: Reader, sql: str, place: str) -> int:
    return int(reader.fetch(sql, place)["n"][0].as_py())
