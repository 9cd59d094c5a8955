"""CSV files as the world sends them: found header, mixed line ends, quotes that never close.

Text columns stay text; every line either becomes a row or is told with its reason.
"""

import codecs
import csv
import io
import re
import shutil
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

from invopt.errors import InvalidInputError
from invopt.sources.headers import header_row, is_row, names_of, several_lines

DELIMITERS = ",;\t|"
_EDI = ("ISA*", "UNA:", "UNB+")
UNCLOSED = "UNCLOSED QUOTE"
BELOW = "BELOW THE TABLE"
_CHUNK = 1 << 24
_LOOKED_AT = 30  # lines, for the header
_WHOLE = re.compile(r'"(?:[^"]|"")+"')
_ENOUGH = 3  # lines that tell how wide a table is
_FEW = 20  # lines below a table
# A number that is no year and month: a header has none.
_AMOUNT = re.compile(r"(?!(19|20)\d\d(0[1-9]|1[0-2])?(\d\d)?$)[-+]?\d+([.,]\d+)?")

Open = Callable[[str], IO[bytes]]


@dataclass(frozen=True)
class Header:
    """Where the header of a CSV file stands and what it says.

    Attributes:
        columns: Names, each once.
        delimiter: Between them.
        skipped: Lines above it, as they are.
        notes: What was done to names and to lines above.
        quote: Sign around cells that hold a delimiter.
        is_there: False where the first line is a row already, and columns are numbered.
        is_deep: True where it has several lines, the upper ones above several columns each.
    """

    columns: list[str]
    delimiter: str
    skipped: list[str]
    notes: list[str]
    quote: str = '"'
    is_there: bool = True
    is_deep: bool = False


def find_header(name: str, file: str, opened: Open, delimiter: str | None) -> Header:
    """Return a file's column names and its delimiter: the likeliest one when not given.

    Lines above the header (a title, the date of printing) are found by being narrower.

    Raises:
        InvalidInputError: If there is no header.
    """
    with opened(file) as handle:
        lines = _first_lines(handle)
    texts = [line.decode("utf-8-sig", "replace") for line in lines]
    _refuse_no_table(name, file, texts)
    try:
        sign = _quote(texts)
        if sign != '"':
            texts = [text.replace('"', "").replace(sign, '"') for text in texts]
        delimiter = delimiter or _delimiter(texts)
        at = _header_line(texts, delimiter)
        head = several_lines([_cells(text, delimiter) for text in texts], at)
        at = head.last if head is not None else at
        # A foreign character further down is the matter of its own line.
        line = lines[at].decode("utf-8-sig")
        cells = next(csv.reader([line], delimiter=delimiter, quotechar=sign))
    except UnicodeDecodeError as err:
        raise InvalidInputError(
            f"sources.{name}: {file} is not UTF-8 text; name its encoding in the mapping."
        ) from err
    except csv.Error as err:
        raise InvalidInputError(f"sources.{name}: the header of {file}: {err}.") from err
    if head is None and (numbered := _numbered(file, texts, at, delimiter, sign)) is not None:
        return numbered
    below = [len(_cells(text, delimiter)) for text in texts[at + 1 :] if text.strip()]
    while below and len(cells) > max(below) and not cells[-1].strip():
        cells.pop()  # a delimiter behind the last name, which no row has
    columns, told = names_of(head.names if head is not None else cells)
    notes = [f"{Path(file).name}: {sentence}" for sentence in told]
    above = [text.strip() for text in texts[: at if head is None else head.first] if text.strip()]
    if above:
        notes.append(
            f"{Path(file).name}: {len(above)} lines above the header are not read ({above[0][:60]})"
        )
    return Header(columns, delimiter, texts[:at], notes, sign, is_deep=head is not None)


def _refuse_no_table(name: str, file: str, texts: list[str]) -> None:
    """Refuse a file that is empty, or a message of EDI.

    Raises:
        InvalidInputError: If it is.
    """
    if not any(text.strip() for text in texts):
        raise InvalidInputError(f"sources.{name}: {file} is empty; expected a header line.")
    if texts[0].startswith(_EDI):
        raise InvalidInputError(
            f"sources.{name}: {file} is a message of EDI (X12 or EDIFACT), and no table. Have it "
            "written as CSV, a row for each item and day with its quantity."
        )


def _numbered(file: str, texts: list[str], at: int, delimiter: str, sign: str) -> Header | None:
    """Return numbers for names where the first line of a file is a row; None where it is none."""
    rows = [_cells(text, delimiter) for text in texts[at:] if text.strip()]
    if any(text.strip() for text in texts[:at]) or not is_row(rows):
        return None
    columns = [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
    note = (
        f"{Path(file).name}: its first line is a row and no header: its columns are named "
        f"{', '.join(columns[:3])} …"
    )
    return Header(columns, delimiter, texts[:at], [note], sign, is_there=False)


def _first_lines(handle: IO[bytes]) -> list[bytes]:
    """Return the first lines of a file, however they end."""
    found: list[bytes] = []
    while len(found) < _LOOKED_AT and sum(map(len, found)) < _CHUNK and (line := handle.readline()):
        found += re.split(rb"\r(?!\n)", line)
    return [line.rstrip(b"\r\n") for line in found[:_LOOKED_AT]]


def _quote(texts: list[str]) -> str:
    """Return the sign around cells: an apostrophe where it stands around each cell of each line."""
    given = [text.strip() for text in texts if text.strip()]
    ends = r"'[^']*'"
    form = re.compile(rf"{ends}([{re.escape(DELIMITERS)}]{ends})+")
    return "'" if len(given) > 1 and all(map(form.fullmatch, given)) else '"'


def is_wrapped(file: str, opened: Open) -> bool:
    """Return whether each line of a file is one quoted cell that holds the whole row."""
    with opened(file) as handle:
        texts = [line.decode("utf-8-sig", "replace").strip() for line in _first_lines(handle)]
    given = [text for text in texts if text]
    if len(given) < 2 or not all(map(_WHOLE.fullmatch, given)):
        return False
    return all(any(sign in text for sign in DELIMITERS) for text in given)


def unwrap(file: str, opened: Open, out: Path) -> list[str]:
    """Copy the rows that a file holds whose lines are one quoted cell each; return a note."""
    with opened(file) as source, out.open("w", encoding="utf-8", newline="") as target:
        text = io.TextIOWrapper(source, "utf-8-sig", errors="surrogateescape", newline=None)
        for line in text:
            bare = line.strip()
            row = _cells(bare, ",")
            kept = row[0] if len(row) == 1 else bare
            target.write(kept.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")
    return [f"{Path(file).name}: each line stands in quotes as a whole: they are taken off"]


def _cells(text: str, delimiter: str) -> list[str]:
    """Return the cells of a line; one that cannot be split is one cell."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return [text]


def _widths(texts: list[str], delimiter: str) -> list[int]:
    """Return how many cells each line has."""
    return [len(_cells(text, delimiter)) for text in texts if text.strip()]


def _delimiter(texts: list[str]) -> str:
    """Return the sign between cells: the header's, or where a title is above it, that of most."""
    first = next(text for text in texts if text.strip())
    likely = max(DELIMITERS, key=first.count)
    usual = {}
    for sign in DELIMITERS:
        counts = Counter(_widths(texts, sign))
        usual[sign] = max(counts, key=lambda width: (counts[width], width))
    if likely in first and usual[likely] == _widths([first], likely)[0]:
        return likely
    return max(DELIMITERS, key=lambda sign: (usual[sign], first.count(sign)))


def _header_line(texts: list[str], delimiter: str) -> int:
    """Return which line is the header: the first, unless a better one is below narrower ones."""
    rows = [_cells(text, delimiter) for text in texts]
    first = next(at for at, text in enumerate(texts) if text.strip())
    at = header_row(rows)
    if at == first and _is_note(rows, first):
        at = first + 1
    if at is None or at <= first:
        return first
    cells = [cell.strip().lower() for cell in rows[at]]
    # A listing in groups has no name for the column of its groups, the first one.
    is_header = all(cells[1:]) and len(cells) > 1 and len(set(cells)) == len(cells)
    return at if is_header and not any(map(_AMOUNT.fullmatch, cells)) else first


def _is_note(rows: list[list[str]], first: int) -> bool:
    """Return whether the first line is none of the table: all others agree in their cells.

    The second one has names, which begin with no figure: a header with a name too few is one.
    """
    there = [row for row in rows[first:] if row]
    widths = [len(row) for row in there]
    if len(widths) <= _ENOUGH or len(set(widths[1:])) > 1 or widths[0] == widths[1]:
        return False
    return not any(re.match(r"\W*\d", cell) for cell in there[1])


def transcode(name: str, file: str, opened: Open, encoding: str, out: Path) -> None:
    """Write a file's text as UTF-8; a character that cannot be read becomes U+FFFD.

    Raises:
        InvalidInputError: If there is no such encoding.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as err:
        raise InvalidInputError(
            f"sources.{name}.encoding {encoding!r} is unknown; try cp1252, latin-1 or utf-16."
        ) from err
    with opened(file) as source, out.open("w", encoding="utf-8", newline="") as target:
        text = io.TextIOWrapper(source, encoding, errors="replace", newline="")
        shutil.copyfileobj(text, target, _CHUNK)


def is_ruled(file: str, opened: Open) -> bool:
    """Return whether a file is a list drawn with lines: each row stands between two pipes."""
    with opened(file) as handle:
        texts = [line.decode("utf-8-sig", "replace").strip() for line in _first_lines(handle)]
    rows = [text for text in texts if text.startswith("|") and text.endswith("|")]
    rules = [text for text in texts if text and set(text) <= set("-+|=_")]
    return len(rows) > 1 and bool(rules) and len(rows) + len(rules) > sum(map(bool, texts)) / 2


def unrule(file: str, opened: Open, out: Path) -> list[str]:
    """Copy a list that is drawn with lines as a table; return what was left out, in words.

    Only rows between pipes are rows; the head is repeated on every page. Each line keeps its
    number, so that lines which are none are empty.
    """
    head = None
    rules = heads = others = 0
    with opened(file) as source, out.open("w", encoding="utf-8", newline="") as target:
        text = io.TextIOWrapper(source, "utf-8-sig", errors="surrogateescape", newline=None)
        for line in text:
            row = line.strip()
            kept = ""
            if row and set(row) <= set("-+|=_"):
                rules += 1
            elif row.startswith("|") and row.endswith("|"):
                kept = "|".join(cell.strip() for cell in row[1:-1].split("|"))
                if kept == head:
                    heads, kept = heads + 1, ""
                head = head or kept
            else:
                others += bool(row)
            target.write(kept.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")
    name = Path(file).name
    return [
        f"{name}: a list drawn with lines; {rules:,} rules, {heads:,} repeated heads and "
        f"{others:,} titles of pages are not read"
    ]


def told_below(lines: pd.DataFrame, file: str, opened: Open, delimiter: str) -> pd.DataFrame:
    """Return malformed lines, with BELOW for the reason of remarks below the last row.

    A remark is in one cell: a last row that was cut off, or has a cell too many, stays malformed.

    Args:
        lines: As isolate_unclosed returns them.
        file: That they are of.
        opened: Opens it.
        delimiter: Between its cells.
    """
    if not 0 < len(lines) <= _FEW:
        return lines
    with opened(file) as handle:
        last = deque((line.strip() for line in handle if line.strip()), maxlen=_FEW)
    left = {str(record).strip().encode("utf-8", "replace"): n for n, record in lines.record.items()}
    below = []
    while last and (found := left.pop(line := last.pop(), None)) is not None:
        if sum(bool(cell.strip()) for cell in line.split(delimiter.encode())) <= 1:
            below.append(found)
    return lines.assign(reason=lines.reason.where(~lines.index.isin(below), BELOW))


def count_lines(handle: IO[bytes]) -> int:
    """Return the number of lines that are not empty, however they end."""
    starts, before = 0, b"\n"
    while chunk := handle.read(_CHUNK):
        if chunk.endswith(b"\r"):
            chunk += handle.read(1)
        text = before + chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        starts += text.count(b"\n", 0, len(text) - 1)
        if b"\n\n" in text:
            starts -= len(re.findall(rb"(?<=\n)\n", text))
        before = text[-1:]
    return starts


def isolate_unclosed(file: str, opened: Open, out: Path) -> pd.DataFrame:
    """Copy a file without the lines whose quotes do not close, and return those lines.

    The copy has one kind of line end, and empty lines where lines were left out: the others keep
    their numbers. A quoted text over several lines counts as unclosed too.

    Returns:
        Columns line (from 1, the header's), reason, record.
    """
    found: list[tuple[int, str, str]] = []
    with opened(file) as source, out.open("wb") as target:
        text = io.TextIOWrapper(source, "utf-8", errors="surrogateescape", newline=None)
        for number, line in enumerate(text, start=1):
            if line.count('"') % 2:
                record = line.rstrip("\n").encode("utf-8", "surrogateescape")
                found.append((number, UNCLOSED, record.decode("utf-8", "replace")))
                line = "\n"
            target.write(line.encode("utf-8", "surrogateescape"))
    return pd.DataFrame(found, columns=["line", "reason", "record"])
