"""JSON as shops and services export it: an object a line, or a list of objects.

Every value is a text, as in a CSV file: numbers keep the figures they came with.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import pyarrow as pa

from invopt.errors import InvalidInputError

SUFFIXES = (".jsonl", ".ndjson", ".json")
NO_OBJECT = "NO OBJECT"
# What a service says about its answer, beside the rows.
_ABOUT = frozenset(
    [
        "meta",
        "metadata",
        "next",
        "prev",
        "previous",
        "links",
        "_links",
        "total",
        "count",
        "page",
        "pages",
        "per_page",
        "limit",
        "offset",
        "has_more",
        "status",
        "success",
        "object",
        "pagination",
        "cursor",
        "errors",
        "message",
        "code",
        "version",
        "exported_at",
        "generated_at",
        "@odata.context",
        "@odata.nextlink",
        "odata.metadata",
        "pageinfo",
        "next_page",
        "total_pages",
        "extensions",
        "info",
        "header",
    ]
)
_CHUNK_ROWS = 100_000


@dataclass
class JsonRows:
    """Rows of a file, chunk by chunk, and the lines that are none.

    Attributes:
        refused: Number from 1, reason and text of each line that is no object; complete when all
            chunks were taken.
    """

    refused: list[tuple[int, str, str]] = field(default_factory=list)

    def tables(self, handle: IO[bytes], file: str) -> Iterator[pa.Table]:
        """Yield the rows of a file as texts, with the columns that each chunk has.

        Args:
            handle: Opened for bytes.
            file: For messages.

        Raises:
            InvalidInputError: If it is a list that cannot be read.
        """
        rows: list[dict[str, str | None]] = []
        for row in self._rows(handle, file):
            rows.append(row)
            if len(rows) == _CHUNK_ROWS:
                yield _table(rows)
                rows = []
        if rows:
            yield _table(rows)

    def _rows(self, handle: IO[bytes], file: str) -> Iterator[dict[str, str | None]]:
        first = _first_sign(handle)
        rows = _listed(handle, file) if first == b"[" else _wrapped(handle) or _lines(handle)
        for number, text in rows:
            try:
                value = _read(text) if isinstance(text, str) else text
            except ValueError:
                value = None
            if isinstance(value, dict):
                yield {key: _text(cell) for key, cell in value.items()}
            else:
                record = text if isinstance(text, str) else json.dumps(text, default=str)
                self.refused.append((number, NO_OBJECT, record))


class _Figures(str):
    """A number as it was written."""

    __slots__ = ()


def _read(text: str) -> Any:
    return json.loads(
        text,
        parse_float=_Figures,
        parse_int=_Figures,
        parse_constant=_Figures,
        object_pairs_hook=_once,
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")  # one of its values would be lost
    return found


def _first_sign(handle: IO[bytes]) -> bytes:
    """Return the first sign that is no blank, with the file at its start again."""
    sign = b" "
    while sign and (sign.isspace() or sign in b"\xef\xbb\xbf"):
        sign = handle.read(1)
    handle.seek(0)
    return sign


def _lines(handle: IO[bytes]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(handle, start=1):
        text = line.decode("utf-8-sig" if number == 1 else "utf-8", "replace").strip()
        if text:
            yield number, text


def _wrapped(handle: IO[bytes]) -> list[tuple[int, Any]] | None:
    """Return the rows of a file that is one object around them; None where it is something else.

    A service answers so: {"orders": [...], "next": ...}, {"date": [...], "sku": [...]}, edges and
    nodes of GraphQL.
    """
    lines = iter(handle)
    first = b""
    while not first.strip():
        first = next(lines, b"{}")
    value = _object_of(first)
    more = next((line for line in lines if line.strip()), b"")
    if value is not None and more:
        handle.seek(0)
        return None  # an object a line
    if value is None and first.strip() not in (b"{", b"\xef\xbb\xbf{") and b":" not in first:
        handle.seek(0)
        return None
    handle.seek(0)
    value = value if value is not None else _object_of(handle.read())
    handle.seek(0)
    rows = None if value is None else _rows_within(value)
    return None if rows is None else list(enumerate(rows, start=1))


def _object_of(text: bytes) -> dict[str, Any] | None:
    try:
        value = _read(text.decode("utf-8-sig", "replace"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _rows_within(value: dict[str, Any]) -> list[Any] | None:
    """Return the rows that an object wraps; None where it is a row itself."""
    columns = list(value.values())
    if len(value) > 1 and all(isinstance(c, list) for c in columns):
        lengths = {len(c) for c in columns}
        if len(lengths) == 1 and not any(isinstance(c, dict) for cells in columns for c in cells):
            return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    inside = {
        name: cell
        for name, cell in value.items()
        if isinstance(cell, (list, dict)) and name.lower() not in _ABOUT
    }
    others = [name for name in value if name not in inside and name.lower() not in _ABOUT]
    if len(inside) != 1 or others:
        return None
    cell = next(iter(inside.values()))
    if isinstance(cell, dict):
        return _rows_within(cell)
    if not cell or not all(isinstance(row, dict) for row in cell):
        return None
    nodes = [row["node"] for row in cell if isinstance(row.get("node"), dict)]
    return nodes if len(nodes) == len(cell) else cell


def _listed(handle: IO[bytes], file: str) -> Iterator[tuple[int, Any]]:
    try:
        values = _read(handle.read().decode("utf-8-sig", "replace"))
    except ValueError as err:
        raise InvalidInputError(f"{file} is no JSON: {err}. Send it again.") from err
    yield from enumerate(values, start=1)


def _text(value: Any) -> str | None:
    """Return a value as text; {"$date": ...} and the like of MongoDB are what they hold."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
        return _text(next(iter(value.values())))
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    return json.dumps(_without_edges(value), ensure_ascii=False)


def _without_edges(value: Any) -> Any:
    """Return a value whose lists of GraphQL ({"edges": [{"node": ...}]}) are lists of nodes."""
    if isinstance(value, list):
        return [_without_edges(one) for one in value]
    if not isinstance(value, dict):
        return value
    edges = value.get("edges", value.get("nodes"))
    if isinstance(edges, list) and {*value} <= {"edges", "nodes", "pageInfo", "totalCount"}:
        return [_without_edges(e["node"] if isinstance(e, dict) and "node" in e else e)
                for e in edges]  # fmt: skip
    return {key: _without_edges(cell) for key, cell in value.items()}


def _table(rows: Iterable[dict[str, str | None]]) -> pa.Table:
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in names]
    return pa.table(columns, names=names)
