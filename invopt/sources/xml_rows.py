"""Lists in XML as rows: like elements beside each other, with what stands around them.

The innermost elements that repeat are rows. Their attributes and the texts within them are columns,
and so are those of the elements around them. The file is read twice, element by element.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET  # its types alone: reading is defusedxml's

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, iterparse

from invopt.errors import InvalidInputError

_LOOKED_AT = 1 << 12  # bytes
_FIRST = re.compile(rb"<([A-Za-z_][\w.:-]*)")
_PAGES = (b"html", b"table", b"workbook", b"head", b"body", b"div", b"style", b"meta")
_LEAST = 2  # columns of a row
_NAMED = 3
_BARE = ("name", "id", "code", "no", "nr", "number", "key", "ref", "value", "text", "type")

Path_ = tuple[str, ...]  # local names from the root; an attribute has an @ before it


def is_list(file: str, opened: Callable[[str], IO[bytes]]) -> bool:
    """Return whether a file of markup is XML, and no page and no spreadsheet."""
    with opened(file) as handle:
        first = _FIRST.search(handle.read(_LOOKED_AT))
    return first is not None and first[1].split(b":")[-1].lower() not in _PAGES


def write_list(
    file: str, opened: Callable[[str], IO[bytes]], out: Path, encoding: str | None
) -> list[str]:
    """Copy the largest list of an XML file as CSV; return what was left, in words.

    Args:
        file: To read.
        opened: Opens it.
        out: CSV file to write.
        encoding: Of its bytes; None where the file itself says it.

    Raises:
        InvalidInputError: If it is no XML, or holds no list.
    """
    try:
        with opened(file) as handle:
            shape = _Shape.of(handle, encoding)
        row, others = shape.lists(file)
        columns = shape.columns(row)
        with opened(file) as handle, out.open("w", encoding="utf-8", newline="") as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(columns.values())
            for values in _rows(handle, encoding, row, shape):
                writer.writerow([values.get(path, "") for path in columns])
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError) as err:
        raise InvalidInputError(
            f"{file} cannot be read as XML ({type(err).__name__}: {err}). Export it again, or save "
            "the list that it holds as CSV or .xlsx."
        ) from err
    notes = [f"{Path(file).name}: each {row[-1]} is read as a row"]
    if others:
        listed = ", ".join(others[:_NAMED])
        notes.append(f"{Path(file).name}: other lists are not read ({listed})")
    return notes


@dataclass
class _Shape:
    """How the elements of a file lie within each other.

    Attributes:
        counts: Elements, by path.
        fields: Paths of attributes, and of elements that hold a text alone, in order.
        repeated: Paths of elements that stand beside others of their name.
        late: Paths of elements with a text of their own behind elements with some within.
    """

    counts: Counter[Path_] = field(default_factory=Counter)
    fields: dict[Path_, None] = field(default_factory=dict)
    repeated: set[Path_] = field(default_factory=set)
    late: set[Path_] = field(default_factory=set)

    @classmethod
    def of(cls, handle: IO[bytes], encoding: str | None) -> "_Shape":
        """Return the shape of a file."""
        found = cls()
        inside: list[Counter[str]] = [Counter()]  # names within each open element
        has_inner: list[bool] = []  # whether the elements around one hold some with more within
        for is_start, path, values in _events(handle, encoding):
            if is_start:
                inside[-1][path[-1]] += 1
                if inside[-1][path[-1]] > 1:
                    found.repeated.add(path)
                inside.append(Counter())
                found.counts[path] += 1
                found.fields.update(dict.fromkeys(values))
                continue
            is_leaf = not inside.pop()
            if is_leaf:
                found.fields.update(dict.fromkeys(values))
            del has_inner[len(path) :]
            has_inner += [False] * (len(path) - len(has_inner))
            if is_leaf and has_inner[-1]:
                found.late.add(path[:-1])
            has_inner[-1] |= not is_leaf
        return found

    def lists(self, file: str) -> tuple[Path_, list[str]]:
        """Return the path of the rows, and the names of other lists.

        Raises:
            InvalidInputError: If nothing repeats.
        """
        sizes = {path: self.counts[path] * len(self._own(path)) for path in self.repeated
                 if len(self._own(path)) >= _LEAST}  # fmt: skip
        inner = [p for p in sizes if not any(o[: len(p)] == p and o != p for o in sizes)]
        if not inner:
            raise InvalidInputError(
                f"{file} is XML without a list of like elements that hold a date, a product and a "
                "quantity. Save the list that it shows as CSV or .xlsx."
            )
        row = max(inner, key=lambda path: sizes[path])
        return row, [path[-1] for path in inner if path != row]

    def columns(self, row: Path_) -> dict[Path_, str]:
        """Return the name of each field of a row: its own, with more before it where two are alike.

        Those of the elements around the row come first.
        """
        around = [p for p in self.fields if p[: len(row)] != row and self._is_single(p, row)]
        paths = [*around, *self._own(row)]
        names: dict[Path_, str] = {}
        for path in paths:
            words = [word.lstrip("@") for word in path]
            # A name of an element around or within a row says little without its own.
            length = 2 if words[-1].lower() in _BARE and path[:-1] != row and len(words) > 1 else 1
            name = "_".join(words[-length:])
            while name.lower() in {n.lower() for n in names.values()} and length < len(words):
                length += 1
                name = "_".join(words[-length:])
            names[path] = name
        return names

    def _own(self, row: Path_) -> list[Path_]:
        """Return the fields within an element, but for those of lists within it."""
        return [p for p in self.fields if p[: len(row)] == row and self._is_single(p, row)]

    def _is_single(self, path: Path_, row: Path_) -> bool:
        """Return whether a field stands once around or within a row."""
        shared = next((n for n, (a, b) in enumerate(zip(path, row, strict=False)) if a != b),
                      min(len(path), len(row)))  # fmt: skip
        return not any(path[:n] in self.repeated for n in range(shared + 1, len(path) + 1))


def _rows(
    handle: IO[bytes], encoding: str | None, row: Path_, shape: _Shape
) -> Iterator[dict[Path_, str]]:
    """Yield the values of each row, and of the elements around it as they are by then.

    Where an element around it has a text behind its rows, these wait until it ends.
    """
    waits = [path for path in (row[:n] for n in range(1, len(row)))
             if path in shape.late and shape.counts[path] > 1]  # fmt: skip
    until = min(waits, key=len, default=row)
    values: dict[Path_, str] = {}
    held: list[dict[Path_, str]] = []
    for is_start, path, given in _events(handle, encoding):
        for name, value in given.items():
            values.setdefault(name, value)
        if is_start:
            continue
        if path == row:
            held.append({p: v for p, v in values.items() if p[: len(row)] == row})
        if path == until:
            yield from (values | own for own in held)
            held.clear()
        if path == row[: len(path)]:
            values = {p: v for p, v in values.items() if p[: len(path)] != path}


def _events(
    handle: IO[bytes], encoding: str | None
) -> Iterator[tuple[bool, Path_, dict[Path_, str]]]:
    """Yield (whether it begins, path, values) of each element; what was read is forgotten.

    Where it begins its attributes are given, and where it ends its text, if it has one alone.
    """
    parser = None if encoding is None else DefusedXMLParser(encoding=encoding)
    path: list[str] = []
    around: list[ET.Element] = []
    for event, element in iterparse(handle, ("start", "end"), parser=parser):
        if event == "start":
            path.append(_local(element.tag))
            around.append(element)
            given = {(*path, f"@{_local(k)}"): v.strip() for k, v in element.attrib.items()}
            yield True, tuple(path), given
            continue
        text = (element.text or "").strip()
        yield False, tuple(path), {tuple(path): text} if text else {}
        path.pop()
        around.pop()
        element.clear()
        if around:
            around[-1].remove(element)


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]
