"""Parts of one source as one table: which columns need another type so that no value changes.

DuckDB unites 12.5 and text by writing the number as it likes, a stamp with a zone and one without
as if both were of UTC, DECIMAL(38,10) and DECIMAL(38,0) by rounding, a date and 45300 not at all.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from invopt.sql import quote

EMPTY = "NULL"
_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 39, "UTINYINT": 3,
           "USMALLINT": 5, "UINTEGER": 10, "UBIGINT": 20, "UHUGEINT": 39}  # fmt: skip
_MAX_DIGITS = 38


@dataclass(frozen=True)
class United:
    """The columns of a source that comes in parts.

    Attributes:
        kinds: DuckDB types by column in small letters, one of each part that has it.
        spelled: The column's name, as the first part writes it.
        targets: Type to cast to, of the columns that DuckDB would not unite by itself.
    """

    kinds: dict[str, list[str]]
    spelled: dict[str, str]
    targets: dict[str, str]

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, str]]) -> "United":
        """Return what parts of these types become.

        Args:
            parts: DuckDB type by column, by part.
        """
        kinds: dict[str, list[str]] = {}
        spelled: dict[str, str] = {}
        for types in parts:
            for column, kind in types.items():
                kinds.setdefault(column.lower(), []).append(kind)
                spelled.setdefault(column.lower(), column)
        targets = {column: _target(set(found) - {EMPTY}) for column, found in kinds.items()}
        return cls(kinds, spelled, {column: kind for column, kind in targets.items() if kind})

    def picks(self, types: Mapping[str, str]) -> tuple[str, ...]:
        """Return the SQL of the columns of a part that are cast; none where nothing is.

        Args:
            types: DuckDB type by column, of the part.
        """
        return tuple(
            f"{_cast(quote(column), kind, self.targets[column.lower()])} AS {quote(column)}"
            for column, kind in self.cast_columns(types).items()
        )

    def cast_columns(self, types: Mapping[str, str]) -> dict[str, str]:
        """Return those columns of a part, with their types, that are cast."""
        return {c: kind for c, kind in types.items() if self.targets.get(c.lower(), kind) != kind}


def _target(kinds: set[str]) -> str:
    """Return the type that holds every value of some types; "" where DuckDB finds it by itself."""
    families = {_family(kind) for kind in kinds}
    if len(families) > 1 or (len(kinds) > 1 and families == {"other"}):
        return "VARCHAR"
    sizes = [_size(kind) for kind in kinds if kind in _DIGITS or kind.startswith("DECIMAL")]
    if len(kinds) > 1 and any(scale for _, scale in sizes):
        before, after = (max(size[k] for size in sizes) for k in (0, 1))
        return "DOUBLE" if before + after > _MAX_DIGITS else ""
    return ""


def _family(kind: str) -> str:
    if kind in _DIGITS or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
        return "number" if not kind.endswith("]") else "other"
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ", "TIMESTAMPTZ_NS"):
        return "moment"
    if kind == "DATE" or re.fullmatch(r"TIMESTAMP(_\w+)?", kind):
        return "day"
    return kind if kind in ("VARCHAR", "BOOLEAN") else "other"


def _size(kind: str) -> tuple[int, int]:
    """Return how many digits a number of this type has before and after its point."""
    if kind in _DIGITS:
        return _DIGITS[kind], 0
    width, scale = (int(n) for n in re.findall(r"\d+", kind))
    return width - scale, scale


def _cast(column: str, kind: str, target: str) -> str:
    if target == "VARCHAR" and _family(kind) == "number" and kind not in _DIGITS:
        # 1001.0 is how a column with a gap writes the number 1001; and 11.622 among texts could be
        # taken for eleven thousand, 11.6220 could not.
        return rf"regexp_replace(whole({column}), '^(-?\d+\.\d{{3}})$', '\10')"
    return f"{column}::{target}"
