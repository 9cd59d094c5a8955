"""Texts of fixed width: columns that stand below each other, with blanks and no sign between."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import FileFacts
from invopt.sql import quote

_MAX_WIDTH = 500


def split_columns(reader: Reader, found: UnitedFiles) -> None:
    """Replace files of one column that holds several below each other by a table of these."""
    for number, file in enumerate(found.files):
        sql = _split(reader, file)
        if sql is None:
            continue
        name = f"{file.name}_columns"
        found.files[number] = found.table_of(reader, name, sql, [file])
        found.notes.append(
            f"{file.path} is a text of fixed width: its columns are cut where each line has a blank"
        )


def _split(reader: Reader, file: FileFacts) -> str | None:
    """Return the SQL that cuts the one column of a file; None where it is another kind of file."""
    if len(file.columns) != 1 or file.periods or not file.columns[0].is_text:
        return None
    header = file.columns[0].name
    words = list(re.finditer(r"\S+( \S+)*", header))
    if len(words) < 2 or "  " not in header:
        return None
    starts = _starts(reader, file, header)
    if starts is None:
        return None
    ends = [*(start - 1 for start in starts[1:]), _MAX_WIDTH]
    names = [header[start - 1 : end].strip() for start, end in zip(starts, ends, strict=True)]
    if not all(names) or len({name.lower() for name in names}) < len(names):
        return None
    picks = [
        f"nullif(trim(substr({quote(header)}, {start}, {end - start + 1})), '') AS {quote(name)}"
        for name, start, end in zip(names, starts, ends, strict=True)
    ]
    return f"SELECT {', '.join(picks)} FROM {quote(file.name)}"


def _starts(reader: Reader, file: FileFacts, header: str) -> list[int] | None:
    """Return where columns start, from 1: behind a place that is blank in every line.

    A place that is blank in the lines and not in the header parts no columns, and columns without
    a word in the header belong to the one before.
    """
    line = quote(header)
    sql = f"SELECT max(length({line})) AS n FROM {quote(file.name)}"
    width = int(reader.fetch(sql, file.name)["n"][0].as_py() or 0)
    if not 0 < width <= _MAX_WIDTH:
        return None
    tests = ", ".join(
        f"bool_and(trim(substr({line}, {at}, 1)) = '') AS p{at}" for at in range(1, width + 1)
    )
    [row] = reader.fetch(f"SELECT {tests} FROM {quote(file.name)}", file.name).to_pylist()
    blank = [
        bool(row[f"p{at}"]) and header[at - 1 : at].strip() == "" for at in range(1, width + 1)
    ]
    starts = [at + 1 for at in range(width) if not blank[at] and (at == 0 or blank[at - 1])]
    found: list[int] = []
    for start, end in zip(starts, [*starts[1:], width + 1], strict=True):
        if header[start - 1 : end - 1].strip():
            found.append(start)
    return found if len(found) > 1 and found[0] == 1 else None
