"""Sales whose product or place is blank in some lines: what names them instead, or that none does.

A shop sells articles without a code, which have a name; an order of the web has no place.
"""

from invopt.sources.by_place import UnitedFiles
from invopt.sources.document_lines import are_set_apart
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, TEXT, FileFacts, given_text
from invopt.sources.lines import Lines
from invopt.sources.vocabulary import all_by_word, by_word, has_label, is_label, plain
from invopt.sources.words import NO_PRODUCT, Keys, SpokenNames
from invopt.sql import quote

_FEW = 0.01  # share of lines that may be set aside for a key that is not there
_FILLED = 0.95  # share of the lines without a product that another column must name
_SURE, _OF_LINES = 20, 0.6  # lines, and names by line, from which on a text is none of products
_NO_PLACE = 0.2  # share of lines without a place, from which on it is none


def complete_keys(reader: Reader, found: UnitedFiles, asked: SpokenNames) -> None:
    """Read products by their names where they have no code, and leave out places of some lines.

    Args:
        reader: Holds the files.
        found: Gets tables in the place of their files, and notes.
        asked: Columns that a person named, which stay as they are.
    """
    for at, file in enumerate(found.files):
        lines = _lines(reader, file, asked)
        if lines is None:
            continue
        changed = "".join(
            [_without_place(lines, asked, found.notes), _with_names(lines, asked, found.notes)]
        )
        if changed:
            sql = f"SELECT *{changed} FROM {quote(file.name)}"
            found.files[at] = found.table_of(reader, f"{file.name}_named", sql, [file])


def _lines(reader: Reader, file: FileFacts, asked: SpokenNames) -> Lines | None:
    """Return the lines of a file that may be sales: a date, a product and a quantity."""
    keys = Keys.of(file, asked)
    taken = {*keys.there, keys.series}
    numbers = {c.name: c for c in file.of_kind(NUMBER) if c.name not in taken}
    sold = asked.of("quantity", numbers) or by_word(list(numbers), "y")
    if keys.product is None or sold is None or not file.of_kind(DATE):
        return None
    return Lines(reader, file, keys, numbers[sold])


def _blank(column: str) -> str:
    return f"coalesce(trim({quote(column)}::VARCHAR), '') = ''"


def _without_place(lines: Lines, asked: SpokenNames, notes: list[str]) -> str:
    """Return the SQL that leaves out a place which many lines lack; "" where they have it."""
    place, file = lines.keys.location, lines.file
    if place is None or asked.location is not None:
        return ""
    given = f"{lines.amount()} IS NOT NULL"
    rows = lines.num_lines(f"{_blank(place)} AND {given}")
    if rows <= _NO_PLACE * lines.num_lines(given):
        return ""
    notes.append(
        f"{rows:,} of {file.num_rows:,} rows of {file.path} have no {place}: it is not read as "
        f"the place (--location {place} does)"
    )
    return f" EXCLUDE ({quote(place)})"


def _with_names(lines: Lines, asked: SpokenNames, notes: list[str]) -> str:
    """Return the SQL that names products without a code as another column does; "" for none.

    Lines that a kind sets apart (heads, payments, remarks) are none of products.
    """
    code, file = str(lines.keys.product), lines.file
    if asked.product is not None:
        return ""
    given = f"{_blank(code)} AND {lines.amount()} IS NOT NULL"
    rows = lines.num_lines(given)
    if rows <= _FEW * file.num_rows or are_set_apart(lines):
        return ""
    for name in _labels(file, code):
        told = lines.num_lines(f"{given} AND NOT {_blank(name)}")
        if told < _FILLED * rows or _differs_by_line(lines, name, given, told):
            continue
        notes.append(
            f"{rows:,} of {file.num_rows:,} rows of {file.path} have no {code}: they are read by "
            f"their {name}"
        )
        cells = ", ".join(given_text(c) for c in (code, name))
        return f" REPLACE (coalesce({cells}) AS {quote(code)})"
    return ""


def _labels(file: FileFacts, code: str) -> list[str]:
    """Return the texts that may name a product without its code, most likely first.

    Names of what the code is of (Lineitem name beside Lineitem sku), of products, and names alone.
    """
    own = set(plain(code).split("_"))
    words = {c.name: set(plain(c.name).split("_")) for c in file.of_kind(TEXT) if c.name != code}
    beside = [n for n in words if words[n] & own and has_label(n)]
    others = [n for n in all_by_word(list(words), "product") if not words[n] & NO_PRODUCT]
    labelled = [n for n in others if has_label(n)]
    alone = [n for n in words if is_label(n)]
    return list(dict.fromkeys([*beside, *labelled, *alone, *others]))


def _differs_by_line(lines: Lines, name: str, given: str, rows: int) -> bool:
    """Return whether a text has a value of its own in nearly each line, as orders' numbers have."""
    sql = (
        f"SELECT count(DISTINCT trim({quote(name)}::VARCHAR)) AS n FROM {quote(lines.file.name)} "
        f"WHERE {given}"
    )
    different = int(lines.reader.fetch(sql, lines.file.name)["n"][0].as_py())
    return rows >= _SURE and different > _OF_LINES * rows
