"""Lists whose columns a line of dashes below the header marks, as databases print them."""

import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO

_RULE = re.compile(r"\s*(?:-{2,}|={2,})(?:\s+(?:-{2,}|={2,}))+\s*")
_GROUP = re.compile(r"[-=]{2,}")
_LOOKED_AT = 30  # lines
_LONGEST = 1 << 16  # bytes that are looked at, and more signs than a line of a list has

Open = Callable[[str], IO[bytes]]


def is_underlined(file: str, opened: Open) -> bool:
    """Return whether one of a file's first lines is a rule of dashes with blanks between."""
    with opened(file) as handle:
        # A file of an object store reads no line of at most so many bytes.
        lines = handle.read(_LONGEST).splitlines()[:_LOOKED_AT]
    texts = [line.decode("utf-8-sig", "replace") for line in lines]
    at = next((n for n, text in enumerate(texts) if _RULE.fullmatch(text)), 0)
    return (
        at > 0 and bool(texts[at - 1].strip()) and not any(sign in texts[at - 1] for sign in "|;\t")
    )


def write_cut(file: str, opened: Open, out: Path) -> list[str]:
    """Copy a list as a table with tabs, cut where the first rule has its blanks; return a note.

    What is no row is left out: rules, the header of every page, and lines that write over the
    blanks between columns, as titles do. Each line keeps its number.
    """
    spans, head = _columns(file, opened)
    heads = others = 0
    begun = False
    with opened(file) as source, out.open("w", encoding="utf-8", newline="") as target:
        text = io.TextIOWrapper(source, "utf-8-sig", errors="surrogateescape", newline=None)
        for line in text:
            line = line.rstrip("\n").replace("\t", " ")
            kept = ""
            if line == head:
                kept = "" if begun else _cut(line, spans)
                heads, begun = heads + begun, True
            elif begun and line.strip() and not _RULE.fullmatch(line):
                is_row = _fits(line, spans)
                kept, others = (_cut(line, spans) if is_row else ""), others + (not is_row)
            else:
                others += bool(line.strip()) and not _RULE.fullmatch(line)
            target.write(kept.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")
    return [
        f"{Path(file).name}: its columns are cut as the line of dashes below the header says; "
        f"{heads:,} repeated headers and {others:,} titles or remarks are not read"
    ]


def _columns(file: str, opened: Open) -> tuple[list[tuple[int, int]], str]:
    """Return the first and last place of each column, the last one without an end, and the head."""
    before = ""
    with opened(file) as handle:
        for line in io.TextIOWrapper(handle, "utf-8-sig", errors="replace", newline=None):
            line = line.rstrip("\n").replace("\t", " ")
            if _RULE.fullmatch(line):
                spans = [found.span() for found in _GROUP.finditer(line)]
                return [*spans[:-1], (spans[-1][0], _LONGEST)], before
            before = line
    return [], before


def _fits(line: str, spans: list[tuple[int, int]]) -> bool:
    """Return whether a line is blank between the columns."""
    gaps = itertools.pairwise(spans)
    return not any(line[one[1] : other[0]].strip() for one, other in gaps)


def _cut(line: str, spans: list[tuple[int, int]]) -> str:
    return "\t".join(line[start:end].strip() for start, end in spans)
