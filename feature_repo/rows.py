"""Rows of a feature view as bytes: numbers as they lie in memory, described once in front.

A row is: a version byte; its time in microseconds since 1970 (int64); the length of its form
(uint16); the form, a JSON list of [column, kind, length]; every number packed in the form's order;
a JSON list of the texts. Kinds are the names Feast's Value has for them, "null" for no value. All
numbers are little-endian. Rows of one form and time are read as one block: a request for a hundred
series makes a handful of arrays, and no Python object per number.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

VERSION = b"\x02"  # of the format: rows that begin with another byte read as not there
NULL, TEXT = "null", "string_val"
SCALARS = {
    "double_val": "<f8",
    "float_val": "<f4",
    "int64_val": "<i8",
    "int32_val": "<i4",
    "bool_val": "?",
}
LISTS = {"float_list_val": "<f4", "double_list_val": "<f8", "int64_list_val": "<i8"}
_LIST_KINDS = {np.dtype(code): kind for kind, code in LISTS.items()}
_FRONT = struct.Struct("<qH")
_AT = 1 + _FRONT.size
Cell = tuple[str, str, int]


@dataclass(frozen=True)
class Block:
    """Rows of one time whose columns are alike.

    Attributes:
        at: Place of each row among those asked for.
        micros: When they were known, microseconds since 1970.
        kinds: Kind of each column.
        columns: (row,) or (row, length) arrays, lists of texts, None where no row has a value.
    """

    at: list[int]
    micros: int
    kinds: dict[str, str] = field(repr=False)
    columns: dict[str, Any] = field(repr=False)

    def row(self, number: int) -> dict[str, Any]:
        """Return one row's values."""
        return {n: None if v is None else v[number] for n, v in self.columns.items()}


def encode_row(micros: int, values: Mapping[str, Any]) -> bytes:
    """Return a row.

    Args:
        micros: When it was known, microseconds since 1970.
        values: By column: a number, a text, an array of float32, float64 or int64, or None.

    Raises:
        TypeError: If a value is none of them.
    """
    form: list[Cell] = []
    parts: list[bytes] = []
    texts: list[str] = []
    for name, value in values.items():
        if value is None:
            form.append((name, NULL, 0))
        elif isinstance(value, np.ndarray):
            form.append((name, _list_kind(name, value), len(value)))
            parts.append(value.tobytes())
        elif isinstance(value, str):
            form.append((name, TEXT, 0))
            texts.append(value)
        else:
            kind, code = _scalar_kind(name, value)
            form.append((name, kind, 0))
            parts.append(struct.pack(code, value))
    return joined(micros, tuple(form), parts, texts)


def joined(micros: int, form: tuple[Cell, ...], parts: list[bytes], texts: list[str]) -> bytes:
    """Return a row of packed numbers and texts, both in the form's order."""
    head = _head(form)
    tail = orjson.dumps(texts) if texts else b""
    return b"".join((VERSION, _FRONT.pack(micros, len(head)), head, *parts, tail))


def decode_rows(rows: Sequence[bytes | None]) -> list[Block]:
    """Return rows as blocks, by time; what is None or of another format is left out."""
    alike: dict[bytes, list[int]] = {}
    for number, row in enumerate(rows):
        if row is not None and row[:1] == VERSION:
            stop = _AT + int.from_bytes(row[_AT - 2 : _AT], "little")
            alike.setdefault(row[:stop], []).append(number)
    blocks = [_block(front, at, [rows[i] for i in at]) for front, at in alike.items()]  # type: ignore[misc]
    return sorted(blocks, key=lambda block: block.micros)


def micros_of(row: bytes) -> int:
    """Return when a row was known, from its first bytes."""
    return int.from_bytes(row[1:9], "little", signed=True)


def _block(front: bytes, at: list[int], rows: list[bytes]) -> Block:
    form = _form(front[_AT:])
    first, stop = len(front), len(front) + form.dtype.itemsize
    packed = np.frombuffer(b"".join([row[first:stop] for row in rows]), form.dtype, len(rows))
    columns: dict[str, Any] = dict.fromkeys(form.kinds)
    columns |= {name: packed[name] for name in form.dtype.names or ()}
    if form.texts:
        texts = zip(*[orjson.loads(row[stop:]) for row in rows], strict=True)
        columns |= {n: list(v) for n, v in zip(form.texts, texts, strict=True)}
    return Block(at, micros_of(front), form.kinds, columns)


@dataclass(frozen=True)
class _Form:
    kinds: dict[str, str]
    dtype: "np.dtype[Any]"
    texts: tuple[str, ...]


@lru_cache(maxsize=256)
def _form(head: bytes) -> _Form:
    cells: list[Cell] = orjson.loads(head)
    packed = [(n, SCALARS[k]) if k in SCALARS else (n, LISTS[k], (length,))
              for n, k, length in cells if k not in (NULL, TEXT)]  # fmt: skip
    texts = tuple(name for name, kind, _ in cells if kind == TEXT)
    return _Form({name: kind for name, kind, _ in cells}, np.dtype(packed), texts)


@lru_cache(maxsize=256)
def _head(form: tuple[Cell, ...]) -> bytes:
    return orjson.dumps(form)


def _list_kind(name: str, values: npt.NDArray[Any]) -> str:
    kind = _LIST_KINDS.get(values.dtype)
    if kind is None or values.ndim != 1:
        raise TypeError(f"column {name} is an array of {values.dtype} with {values.ndim} axes.")
    return kind


def _scalar_kind(name: str, value: Any) -> tuple[str, str]:
    if isinstance(value, bool | np.bool_):
        return "bool_val", "?"
    if isinstance(value, int | np.integer):
        return "int64_val", "<q"
    if isinstance(value, float | np.floating):
        return "double_val", "<d"
    raise TypeError(f"column {name} is a {type(value).__name__}.")
