"""Orders whose date is in one file and whose lines are in another, as databases of shops hold them.

SAP's VBAK and VBAP, orders and order_items of a web shop: neither is a table of sales by itself.
"""

from dataclasses import dataclass

from invopt.sources.by_place import UnitedFiles
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import Keys, is_told_as_sales
from invopt.sql import quote

_FOUND = 0.9  # share of the lines whose order is there
_NUMBERS = ("id", "no", "number", "nr", "code", "key")


@dataclass(frozen=True)
class _Join:
    """Lines and the file of their orders.

    Attributes:
        lines: Product and quantity.
        heads: Date.
        line_key: Column of the lines that names the order.
        head_key: The same in the orders, where it never comes twice.
    """

    lines: FileFacts
    heads: FileFacts
    line_key: str
    head_key: str

    @property
    def is_named(self) -> bool:
        """True where the orders are called as their number is: sales, of Sale ID."""
        stem = plain(self.line_key).rpartition("_")[0]
        return bool(stem) and plain(self.heads.name).startswith(stem)

    @property
    def sql(self) -> str:
        """The lines, each with what its order says."""
        taken = {c.name.lower() for c in self.lines.columns}
        more = []
        for column in self.heads.columns:
            if column.name == self.head_key:
                continue
            free = column.name
            while free.lower() in taken:
                free = f"{self.heads.name}_{free}"
            taken.add(free.lower())
            more.append(f"h.{quote(column.name)} AS {quote(free)}")
        on = " = ".join(
            f"trim({side}.{quote(key)}::VARCHAR)"
            for side, key in (("l", self.line_key), ("h", self.head_key))
        )
        return (
            f"SELECT l.*, {', '.join(more)} FROM {quote(self.lines.name)} l "
            f"LEFT JOIN {quote(self.heads.name)} h ON {on}"
        )


def join_heads(reader: Reader, found: UnitedFiles) -> None:
    """Join lines without a date to the orders that have it, where no file is sales by itself.

    Other lines with a date (approvals, goods received) are no sales where the orders are called
    so, and they are not. A line whose order is not there keeps no date, and is told when it is
    read.
    """
    dated = [file for file in found.files if _is_lines(file) and _dated(file)]
    if any(is_told_as_sales(file) for file in dated):
        return
    joins = [
        join
        for lines in found.files
        if _is_lines(lines)
        for heads in found.files
        if heads is not lines and _is_heads(heads) and (join := _join(reader, lines, heads))
    ]
    if dated:
        joins = [j for j in joins if is_told_as_sales(j.lines) and is_told_as_sales(j.heads)]
    if not joins:
        return
    join = max(joins, key=lambda j: (j.lines.num_rows, j.is_named))
    name = f"{join.lines.name}_dated"
    at = next(n for n, file in enumerate(found.files) if file is join.lines)
    found.files[at] = found.table_of(reader, name, join.sql, [join.lines, join.heads])
    found.files[:] = [file for file in found.files if file is not join.heads]
    found.notes.append(
        f"{join.lines.path} has no date: its lines are read with what {join.heads.path} says of "
        f"their {join.line_key}"
    )


def _is_lines(file: FileFacts) -> bool:
    keys = Keys.of(file)
    numbers = [c.name for c in file.of_kind(NUMBER) if c.name not in keys.there]
    return keys.product is not None and by_word(numbers, "y") is not None


def _is_heads(file: FileFacts) -> bool:
    """Return whether a file has dates, and is no list of products, whose dates are its own."""
    return _dated(file) and Keys.of(file).product is None


def _dated(file: FileFacts) -> bool:
    return bool(file.periods) or by_word([c.name for c in file.of_kind(DATE)], "date") is not None


def _join(reader: Reader, lines: FileFacts, heads: FileFacts) -> _Join | None:
    """Return how lines belong to orders; None where they do not."""
    for ours in lines.columns:
        for theirs in heads.columns:
            if _is_one_name(plain(ours.name), plain(theirs.name), plain(heads.name)):
                join = _Join(lines, heads, ours.name, theirs.name)
                if _holds(reader, join):
                    return join
    return None


def _is_one_name(ours: str, theirs: str, table: str) -> bool:
    """Return whether a column of the lines names the orders: the same word, or order_id for id."""
    if ours == theirs:
        return ours not in _NUMBERS
    stem, _, last = ours.rpartition("_")
    return bool(stem) and last in _NUMBERS and theirs in _NUMBERS and stem in table


def _holds(reader: Reader, join: _Join) -> bool:
    """Return whether orders come once each, and nearly every line has its own."""
    ours, theirs = (f"trim({quote(key)}::VARCHAR)" for key in (join.line_key, join.head_key))
    heads, lines = quote(join.heads.name), quote(join.lines.name)
    [found] = reader.fetch(
        f"SELECT count(*) AS rows, count(DISTINCT {theirs}) AS names, (SELECT count(*) FROM "
        f"{lines} WHERE {ours} IN (SELECT {theirs} FROM {heads})) AS met FROM {heads}",
        join.lines.name,
    ).to_pylist()
    is_once = found["rows"] == found["names"] > 1
    return is_once and found["met"] >= _FOUND * join.lines.num_rows
