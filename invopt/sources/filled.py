"""Files that write an order's date, or a place, on the first of its lines only.

An ERP's export of orders with their lines does, and so does a pivot table, whose cells are merged.
A shop's export repeats the order's number and writes what became of the order on its first line.
"""

import re
from collections.abc import Callable
from typing import Any

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, FileFacts, given_text
from invopt.sources.vocabulary import by_word, has_label, plain
from invopt.sources.words import Keys
from invopt.sql import quote

_KIND = re.compile(r"(^|_)(\w*type?|typ|art|kind|tipo)(_|$)")
_SOME = 0.2  # share of the rows that are blank, from which on that is how the file is written
_MOST = 0.5  # from which on a list is printed by product, though some rows repeat its name
_FEW = 0.05
_AT_A_TIME = 50  # columns
_LEAST = 2  # blank rows


def fill_blanks(reader: Reader, found: UnitedFiles) -> None:
    """Replace files whose date or key is on the first of several lines by what they mean.

    Each such column is blank where a column of names that never come twice (an order's number,
    a merged cell) is blank; its first row holds something. What is blank otherwise stays so.
    """
    for number, file in enumerate(found.files):
        num_files = max(
            1, *map(len, (found.parts.get(file.name, ()), reader.files.get(file.name, ())))
        )
        columns = _written_once(reader, file, num_files)
        order = None if columns else _order_of(reader, file)
        if order is not None:
            columns = _of_orders(reader, file, order)
        if not columns:
            continue
        name = f"{file.name}_filled"
        same = "last_value({} IGNORE NULLS) OVER (ORDER BY __line)"
        if order is not None:
            same = f"max({{}}) OVER (PARTITION BY {quote(order)})"
        filled = ", ".join(
            f"coalesce({given_text(c)}, {same.format(given_text(c))}) AS {quote(c)}"
            for c in columns
        )
        head = quote(columns[0])
        named = f" EXCLUDE ({head}), {head} AS product" if _is_group(file, columns[0]) else ""
        sql = (
            f"SELECT *{named} FROM (SELECT * EXCLUDE (__line) REPLACE ({filled}) FROM (SELECT *, "
            f"row_number() OVER () AS __line FROM {quote(file.name)}))"
        )
        found.files[number] = found.table_of(reader, name, sql, [file])
        found.notes.append(
            f"{file.path} writes {', '.join(columns)} on the first of several lines only: the "
            "lines below are read with the same"
        )


def _is_group(file: FileFacts, column: str) -> bool:
    """Return whether a column is the first and has no name: that of groups in a listing."""
    return column == file.columns[0].name and re.fullmatch(r"column_\d+", column) is not None


def _said(file: FileFacts, besides: str | None = None) -> str:
    """Return the SQL of whether a row holds two cells: a title, a rule or a remark is no row."""
    names = [c.name for c in file.columns if c.name != besides]
    return f"{' + '.join(f'({given_text(n)} IS NOT NULL)::INT' for n in names) or '0'} > 1"


def _written_once(reader: Reader, file: FileFacts, num_files: int) -> list[str]:
    """Return the columns to fill: none unless the date or a key is among them."""
    keys = Keys.of(file)
    dates = [c.name for c in file.columns if c.kind == DATE]
    date = by_word(dates, "date")
    needed = {name for name in (date, keys.product, keys.location) if name is not None}
    if keys.product is None and keys.series is None and date is not None:
        needed |= {c.name for c in file.columns if _is_group(file, c.name)}
    if not needed or not file.num_rows:
        return []
    blank = _blanks(reader, file)
    heads = [name for name, (rows, once, _) in blank.items() if once and rows >= _LEAST]
    heads = [name for name in heads if blank[name][0] >= _SOME * file.num_rows]
    for head in heads:
        same = _blank_alike(reader, file, head)
        if needed & set(same):
            return [] if _are_other_lines(reader, file, same, keys.product) else same
    for head in filter(None, (keys.product, keys.location)):  # a printed list, by product
        is_printed = blank[head][0] >= _MOST * file.num_rows and blank[head][2]
        if not is_printed or _is_named_otherwise(reader, file, head):
            continue
        if _stand_together(reader, file, head, num_files):
            return _blank_alike(reader, file, head)
    for head in sorted(needed & blank.keys()):  # merged cells of a shop and an article together
        if not _is_blank_beside(reader, file, head):
            continue
        same = _blank_alike(reader, file, head)
        if len(same) > 1 and _once_together(reader, file, same):
            return [] if _are_other_lines(reader, file, same, keys.product) else same
    return []


def _are_other_lines(
    reader: Reader, file: FileFacts, columns: list[str], product: str | None
) -> bool:
    """Return whether lines without a product are of another kind, as postage among goods is.

    A product above its lines stands alone: its row has no kind.
    """
    if product not in columns:
        return False
    for column in file.columns:
        if column.name in columns or not column.values or not _KIND.search(plain(column.name)):
            continue
        text, item = (given_text(name) for name in (column.name, str(product)))
        [found] = reader.fetch(
            f"SELECT count(*) AS n FROM (SELECT {text} AS k FROM {quote(file.name)} GROUP BY 1 "
            f"HAVING count({item}) > 0 AND (count({item}) < count(*) OR k IS NULL))",
            file.name,
        ).to_pylist()
        if not found["n"]:
            return True
    return False


def _is_blank_beside(reader: Reader, file: FileFacts, head: str) -> bool:
    """Return whether many rows that say something say nothing in one column."""
    [found] = reader.fetch(
        f"SELECT count(*) AS n, count(*) FILTER ({given_text(head)} IS NULL) AS blank "
        f"FROM {quote(file.name)} WHERE {_said(file, head)}",
        file.name,
    ).to_pylist()
    return int(found["blank"]) >= max(_LEAST, _SOME * int(found["n"]))


def _stand_together(reader: Reader, file: FileFacts, column: str, num_files: int) -> bool:
    """Return whether rows that give one name of a column, of one file, have no other between."""
    text = given_text(column)
    [found] = reader.fetch(
        "SELECT count(DISTINCT t) AS names, count(*) FILTER (t IS DISTINCT FROM before) AS changes "
        f"FROM (SELECT t, lag(t) OVER (ORDER BY line) AS before FROM (SELECT {text} AS t, "
        f"row_number() OVER () AS line FROM {quote(file.name)}) WHERE t IS NOT NULL)",
        file.name,
    ).to_pylist()
    return 1 < found["names"] <= found["changes"] <= num_files * found["names"]


def _is_named_otherwise(reader: Reader, file: FileFacts, head: str) -> bool:
    """Return whether rows without a product's code have its name: they need no other's code."""
    names = [c.name for c in file.columns if c.name != head and c.kind != DATE]
    names = [n for n in names if by_word([n], "product") is not None or has_label(n)]
    if not names:
        return False
    given = " OR ".join(f"{given_text(name)} IS NOT NULL" for name in names)
    [found] = reader.fetch(
        f"SELECT count(*) AS n, count(*) FILTER ({given}) AS named FROM {quote(file.name)} WHERE "
        f"{given_text(head)} IS NULL AND {_said(file)}",
        file.name,
    ).to_pylist()
    return int(found["named"]) > _FEW * int(found["n"])


def _once_together(reader: Reader, file: FileFacts, columns: list[str]) -> bool:
    """Return whether columns, blank in the same rows, never repeat what they say together."""
    given = [given_text(column) for column in columns]
    [found] = reader.fetch(
        f"SELECT count({given[0]}) AS given, count(DISTINCT ({', '.join(given)})) FILTER "
        f"({given[0]} IS NOT NULL) AS different, first({given[0]}) AS first "
        f"FROM {quote(file.name)}",
        file.name,
    ).to_pylist()
    return found["given"] == found["different"] and found["first"] is not None


def _order_of(reader: Reader, file: FileFacts) -> str | None:
    """Return the column of orders, of whose lines only the first says what became of the order.

    It is on every line, and some other column is given once for each of its names.
    """
    if Keys.of(file).product is None or file.periods:
        return None
    found = _counted(
        reader,
        file,
        quote(file.name),
        lambda text, n: f"count({text}) AS g{n}, count(DISTINCT {text}) AS d{n}",
    )
    numbers = range(len(file.columns))
    num_rows = max(found[f"g{n}"] for n in numbers)  # a row that holds nothing is none
    heads = [n for n in numbers if 0 < found[f"g{n}"] <= num_rows - _LEAST]
    whole = [n for n in numbers if found[f"g{n}"] == num_rows and found[f"d{n}"] > 1]
    for order in whole:
        names = file.columns[order].name
        for head in heads:
            if found[f"g{head}"] != found[f"d{order}"]:
                continue
            if _is_once(reader, file, names, file.columns[head].name):
                return names
    return None


def _is_once(reader: Reader, file: FileFacts, order: str, column: str) -> bool:
    """Return whether each order gives a column exactly once."""
    sql = (
        f"SELECT count(*) AS n FROM (SELECT 1 FROM {quote(file.name)} WHERE {given_text(order)} IS "
        f"NOT NULL GROUP BY {quote(order)} HAVING count({given_text(column)}) <> 1)"
    )
    return int(reader.fetch(sql, file.name)["n"][0].as_py()) == 0


def _of_orders(reader: Reader, file: FileFacts, order: str) -> list[str]:
    """Return the days and words that an order gives once at most, though it has several lines.

    Sums are left as they are: on every line they would count more than once.
    """
    own = {order, Keys.of(file).product}  # what a line is of is no word about its order
    maybe = [c.name for c in file.columns if c.name not in own and (c.kind == DATE or c.values)]
    if not maybe:
        return []
    counts = ", ".join(f"count({given_text(name)}) AS n{n}" for n, name in enumerate(maybe))
    most = ", ".join(f"max(n{n}) AS n{n}" for n in range(len(maybe)))
    sql = (
        f"SELECT {most} FROM (SELECT {counts} FROM {quote(file.name)} WHERE {given_text(order)} IS "
        f"NOT NULL GROUP BY {quote(order)} HAVING count(*) > 1)"
    )
    [row] = reader.fetch(sql, file.name).to_pylist()
    return [name for n, name in enumerate(maybe) if row[f"n{n}"] == 1]


def _blanks(reader: Reader, file: FileFacts) -> dict[str, tuple[int, bool, bool]]:
    """Return by column how many rows are blank, whether no name comes twice, and has the first."""
    rows = f"(SELECT *, {_said(file)} AS __said FROM {quote(file.name)})"
    found = _counted(
        reader,
        file,
        rows,
        lambda text, n: (
            f"count({text}) AS g{n}, count(DISTINCT {text}) AS d{n}, "
            f"first({text}) FILTER ({text} IS NOT NULL OR __said) IS NOT NULL AS f{n}"
        ),
    )
    return {
        column.name: (
            int(found["n"] - found[f"g{n}"]),
            bool(found[f"g{n}"] == found[f"d{n}"] and found[f"f{n}"]),
            bool(found[f"f{n}"]),
        )
        for n, column in enumerate(file.columns)
    }


def _counted(
    reader: Reader, file: FileFacts, rows: str, counts: Callable[[str, int], str]
) -> dict[str, Any]:
    """Return counts of all columns, and the number of rows as `n`; some columns at a time.

    Each count of different values holds a table of its own in memory.
    """
    found: dict[str, Any] = {}
    for start in range(0, len(file.columns), _AT_A_TIME):
        columns = file.columns[start : start + _AT_A_TIME]
        listed = ", ".join(
            counts(given_text(column.name), n) for n, column in enumerate(columns, start=start)
        )
        [row] = reader.fetch(f"SELECT count(*) AS n, {listed} FROM {rows}", file.name).to_pylist()
        found |= row
    return found


def _blank_alike(reader: Reader, file: FileFacts, head: str) -> list[str]:
    """Return a column and those that are blank in exactly the rows in which it is."""
    others = [c.name for c in file.columns if c.name != head]
    if not others:
        return [head]
    is_blank = f"({given_text(head)} IS NULL)"
    counts = ", ".join(
        f"count(*) FILTER ({is_blank} <> ({given_text(name)} IS NULL)) AS n{n}"
        for n, name in enumerate(others)
    )
    rows = f"{quote(file.name)} WHERE {given_text(head)} IS NOT NULL OR {_said(file)}"
    [found] = reader.fetch(f"SELECT {counts} FROM {rows}", file.name).to_pylist()
    return [head, *(name for n, name in enumerate(others) if not found[f"n{n}"])]
