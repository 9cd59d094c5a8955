"""What is in a company's files, column by column, so that a mapping can begin."""

import re
from pathlib import Path

from invopt.errors import InvalidInputError
from invopt.sources.columns import facts_of
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, FileFacts
from invopt.sources.found_files import SUFFIXES
from invopt.sources.mapping import Source
from invopt.sources.name_patterns import pattern_of
from invopt.sources.named_files import files_of, named_in
from invopt.sources.tables_of_files import (
    UNREADABLE,
    encoding_among,
    header_of,
    sheets_inside,
    tables_among,
)
from invopt.sources.vocabulary import by_word
from invopt.sources.year_parts import days_of_month, parts_of

_TOLD = ", ".join(end for end in SUFFIXES if end.count(".") == 1)  # or packed
_NAMED = 3  # files that a sentence lists
# What to do with files that are not read, by how they end.
_INSTEAD = {
    "open it in a spreadsheet and save it as .xlsx (File, Save as)": (".xlsb", ".numbers"),
    "unpack it": (".xz", ".7z", ".rar", ".tar", ".tgz", ".zst", ".lz4"),
    "write it as CSV or parquet": (".avro", ".dbf", ".mdb", ".accdb"),
    "have its messages written as CSV, a row for each item and day": (".edi", ".x12", ".edifact"),
}  # fmt: skip


def inspect_files(reader: Reader, data: Path) -> tuple[list[FileFacts], list[str], list[FileFacts]]:
    """Return what every file of a folder holds, why others cannot be read, and those without rows.

    Files whose names differ in a number only and whose columns are the same (a year each, say)
    are one table, and so is a sheet of a workbook. The tables become sources of the reader under
    the names given.

    Raises:
        InvalidInputError: If there is none.
    """
    inside = sorted(p for p in data.rglob("*") if p.is_file() and p.name[0] not in "._")
    files = [p for p in inside if p.name.lower().endswith(SUFFIXES)]
    left = [p for p in inside if p not in files]
    notes = []
    if left:
        notes.append(
            f"{len(left)} files are not read (e.g. {left[0].relative_to(data)}): they end in none "
            f"of {_TOLD}{_instead(left)}"
        )
    named = _named_tables(reader, data, files)
    notes += [_told_names(data, path, group) for path, group in named]
    gone = {file for _, group in named for file in group}
    found, refused, empty = [], [], []
    for path, group in named + tables_among(data, [file for file in files if file not in gone]):
        try:
            looked_at = [_inspect(reader, path, group, sheet) for sheet in sheets_inside(group)]
        except UNREADABLE as err:
            refused.append(f"{path} is left out: {err}")
            continue
        found += [facts for facts in looked_at if facts.num_rows]
        empty += [facts for facts in looked_at if not facts.num_rows]
        refused += [
            f"{' '.join(filter(None, (path, facts.sheet)))} is left out: "
            f"{_why_empty(reader, facts)}"
            for facts in looked_at
            if not facts.num_rows
        ]
    if not found:
        if refused:
            raise InvalidInputError(" ".join(refused))
        raise InvalidInputError(_no_file(data, left))
    return found, notes + refused, empty


def _no_file(data: Path, left: list[Path]) -> str:
    """Return what to do where no file of a folder can be read."""
    listed = f" ({', '.join(p.name for p in left[:_NAMED])})" if left else ""
    return f"{data} holds no file that ends in {_TOLD}{listed}{_instead(left)}."


def _named_tables(reader: Reader, data: Path, files: list[Path]) -> list[tuple[str, list[Path]]]:
    """Return (pattern, files) of tables whose files say in their names alone when rows are of."""
    groups: dict[object, list[Path]] = {}
    for file in files:
        groups.setdefault((_columns_of(file), file.suffix.lower()), []).append(file)
    found = []
    for group in groups.values():
        path = pattern_of(file.relative_to(data).as_posix() for file in group)
        if path is None or files_of(data, path) != sorted(group):
            continue
        if _needs_names(reader, group[0].relative_to(data).as_posix(), path, alone=len(group) == 1):
            found.append((path, group))
    return found


def _columns_of(file: Path) -> object:
    """Return what two files of one table have in common, however many days their months have."""
    header = header_of(file)
    if not isinstance(header, bytes):
        return header
    names = [cell.strip(' "') for cell in re.split(r"[;,\t|]", header.decode("latin-1"))]
    days = days_of_month(names)
    return tuple(name for name in names if name not in days) if days else header


def _needs_names(reader: Reader, file: str, path: str, *, alone: bool) -> bool:
    """Return whether a file says nowhere when its rows are of but in its name.

    A year needs columns of months to be a date, and what names more than a year needs none; of a
    file alone the name says when it was written.
    """
    try:
        looked_at = _inspect(reader, file, [reader.data_dir / file], None)
    except UNREADABLE:
        return False
    if looked_at.of_kind(DATE) or looked_at.periods or not looked_at.of_kind(NUMBER):
        return False
    numbers = [column.name for column in looked_at.of_kind(NUMBER)]
    by_year = not re.search(r"\{(week|month|date)\}", path)
    names = [column.name for column in looked_at.columns]
    if days_of_month(names):
        return not by_year
    has_parts = bool(parts_of(names))
    if by_year:
        return has_parts
    counts = any(by_word(numbers, role) is not None for role in ("y", "on_hand", "counted"))
    return counts and not has_parts and not alone


def _told_names(data: Path, path: str, group: list[Path]) -> str:
    first = group[0].relative_to(data).as_posix()
    told = ", ".join(f"{key} {value}" for key, value in (named_in(path, first) or {}).items())
    return (
        f"{len(group)} files are one table, {path}, whose names in braces are columns: {first} is "
        f"of {told}"
    )


def _why_empty(reader: Reader, facts: FileFacts) -> str:
    lines = sum(len(r.lines) for r in reader.rejected if r.source == facts.name)
    if not lines:
        return "it has a header and no row"
    first = ", ".join(c.name for c in facts.columns[:3])
    return (
        f"none of its {lines:,} lines has the cells of its first line ({first} …), which seems to "
        "be no header: take the lines above the header out"
    )


def _instead(left: list[Path]) -> str:
    """Return what to do with files that are not read, where that is known."""
    found = []
    for advice, ends in _INSTEAD.items():
        if named := [p.name for p in left if p.name.lower().endswith(ends)]:
            found.append(f"; {named[0]}: {advice}")
    return "".join(found)


def _inspect(reader: Reader, path: str, files: list[Path], sheet: str | None) -> FileFacts:
    # A folder of partitions has no ending.
    ends = [s for s in SUFFIXES if path.lower().endswith(s)]
    stem = re.sub(r"\{\w+\}", "", path[: -max(map(len, ends))] if ends else path)
    name = re.sub(r"\W+", "_", stem.replace("*", "")).strip("_") or "files"
    if sheet is not None:
        name = f"{name}_{re.sub(r'[^0-9A-Za-z_]+', '_', sheet)}"
    name = _free_name(reader, name)
    encoding = encoding_among(files)
    reader.add(name, Source(path=path, encoding=encoding, sheet=sheet))
    place = FileFacts(
        name, path, encoding, sheet, num_rows=0, columns=(), periods=(), periods_format=None
    )
    return facts_of(reader, name, place)


def _free_name(reader: Reader, name: str) -> str:
    """Return a name that no source has, though a.csv and a.xlsx stand side by side."""
    sql = "SELECT lower(table_name) AS n FROM information_schema.tables"
    taken = set(reader.fetch(sql, name)["n"].to_pylist())
    found, number = name, 2
    while found.lower() in taken:
        found, number = f"{name}_{number}", number + 1
    return found
