"""Files that write an order's date, or a place, on the first of its lines only.

An ERP's export of orders with their lines does, and so does a pivot table, whose cells are merged.
"""

import re
from dataclasses import replace

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.inspect import DATE, ColumnFacts, FileFacts, facts_of
from invopt.sources.mapping import Source
from invopt.sources.words import Keys, by_word
from invopt.sql import quote

_SOME = 0.2  # share of the rows that are blank, from which on that is how the file is written
_LEAST = 2  # blank rows


def fill_blanks(reader: Reader, found: UnitedFiles) -> None:
    """Replace files whose date or key is on the first of several lines by what they mean.

    Each such column is blank where a column of names that never come twice (an order's number,
    a merged cell) is blank; its first row holds something. What is blank otherwise stays so.
    """
    for number, file in enumerate(found.files):
        columns = _written_once(reader, file)
        if not columns:
            continue
        name = f"{file.name}_filled"
        filled = ", ".join(
            f"coalesce({_given(c)}, last_value({_given(c)} IGNORE NULLS) OVER "
            f"(ORDER BY __line)) AS {quote(c)}"
            for c in columns
        )
        head = quote(columns[0])
        named = f" EXCLUDE ({head}), {head} AS product" if _is_group(file, columns[0]) else ""
        sql = (
            f"SELECT *{named} FROM (SELECT * EXCLUDE (__line) REPLACE ({filled}) FROM (SELECT *, "
            f"row_number() OVER () AS __line FROM {quote(file.name)}))"
        )
        reader.add(name, Source(sql=sql))
        found.files[number] = replace(facts_of(reader, name, file), path=file.path)
        found.sources[name] = {"sql": sql}
        found.parts[name] = found.parts.get(file.name, [file.name])
        if file.name in found.sources:
            found.parts[name] = [*found.parts[file.name], file.name]
        found.notes.append(
            f"{file.path} writes {', '.join(columns)} on the first of several lines only: the "
            "lines below are read with the same"
        )


def _is_group(file: FileFacts, column: str) -> bool:
    """Return whether a column is the first and has no name: that of groups in a listing."""
    return column == file.columns[0].name and re.fullmatch(r"column_\d+", column) is not None


def _given(column: str) -> str:
    return f"nullif(trim({quote(column)}::VARCHAR), '')"


def _written_once(reader: Reader, file: FileFacts) -> list[str]:
    """Return the columns to fill: none unless the date or a key is among them."""
    keys = Keys.of(file)
    dates = [c.name for c in file.columns if c.kind == DATE]
    date = by_word(dates, "date")
    needed = {name for name in (date, keys.product, keys.location) if name is not None}
    if keys.product is None and keys.series is None and date is not None:
        needed |= {c.name for c in file.columns if _is_group(file, c.name)}
    if not needed or not file.num_rows:
        return []
    blank = {c.name: _blanks(reader, file, c) for c in file.columns}
    heads = [name for name, (rows, once) in blank.items() if once and rows >= _LEAST]
    heads = [name for name in heads if blank[name][0] >= _SOME * file.num_rows]
    for head in heads:
        same = [head, *(c for c in blank if c != head and _blank_alike(reader, file, head, c))]
        if needed & set(same):
            return same
    return []


def _blanks(reader: Reader, file: FileFacts, column: ColumnFacts) -> tuple[int, bool]:
    """Return how many rows of a column are blank, and whether no name comes twice."""
    text = _given(column.name)
    [found] = reader.fetch(
        f"SELECT count(*) - count({text}) AS blank, count({text}) AS given, "
        f"count(DISTINCT {text}) AS different, first({text}) AS first FROM {quote(file.name)}",
        file.name,
    ).to_pylist()
    is_once = found["given"] == found["different"] and found["first"] is not None
    return int(found["blank"]), is_once


def _blank_alike(reader: Reader, file: FileFacts, head: str, column: str) -> bool:
    """Return whether a column is blank in exactly the rows in which another is."""
    differ = f"({_given(head)} IS NULL) <> ({_given(column)} IS NULL)"
    sql = f"SELECT count(*) FILTER ({differ}) AS n FROM {quote(file.name)}"
    return int(reader.fetch(sql, file.name)["n"][0].as_py()) == 0
