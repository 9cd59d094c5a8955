"""Dumps of databases (.sql): the rows of their INSERT and COPY, read as literals; nothing is run.

It is what mysqldump, pg_dump, SQLite's .dump and the scripts of SQL Server and Oracle write. A
parser of all of SQL (sqlglot) reads such rows at 0.2 MB a second, this one at some twenty.
"""

import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from invopt.errors import InvalidInputError
from invopt.sources.database_files import chosen
from invopt.sources.legacy_text import legacy_encoding

SUFFIXES = (".sql", ".sql.gz")
_LARGEST = 1 << 28  # characters
_LOOKED_AT = 1 << 16
_INSTEAD = "restore the dump in a database and export the table as CSV"

_PART = r'(?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|\[[^\]]+\]|\w+)'
_NAME = rf"(?P<name>{_PART}(?:\s*\.\s*{_PART})*)"
_START = re.compile(
    rf"(?:(?P<insert>(?:INSERT|REPLACE)\b(?:\s+(?:OR\s+\w+|IGNORE|LOW_PRIORITY|DELAYED))*(?:\s+INTO)?)"
    rf"|(?P<create>CREATE\s+(?:TEMPORARY\s+|UNLOGGED\s+)?TABLE(?:\s+IF\s+NOT\s+EXISTS)?)"
    rf"|(?P<copy>COPY)|(?P<change>UPDATE|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?))\s+{_NAME}",
    re.IGNORECASE,
)
_COLUMNS = re.compile(rf"\s*\(\s*({_PART}(?:\s*,\s*{_PART})*)\s*\)")
_VALUES = re.compile(r"\s*(?:OVERRIDING\s+\w+\s+VALUE\s*)?VALUES?\s*", re.IGNORECASE)
_FROM_STDIN = re.compile(r"\s+FROM\s+stdin\b[^;]*;[^\n]*\n", re.IGNORECASE)
_OF_SCRIPTS = re.compile(r"\s*DELIMITER\s+(\S+)[^\n]*\n(.*?)\n\s*DELIMITER\s+;", re.I | re.S)
_TRIGGER = re.compile(r"CREATE\s+(?:\w+\s+)*TRIGGER\b[^;]*?\bBEGIN\b.*?\bEND\s*;", re.I | re.S)
_BLANK = re.compile(r"(?:\s+|--[^\n]*|#[^\n]*|/\*.*?\*/|;)+", re.S)
_SEPARATOR = re.compile(r"\s*([,)])")
_NO_COLUMN = re.compile(
    r"(?:PRIMARY|UNIQUE|KEY|INDEX|CONSTRAINT|FOREIGN|CHECK|FULLTEXT|SPATIAL|EXCLUDE|LIKE)\b", re.I
)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")
_NEXT_ROW = re.compile(r"\s*,\s*(?=\()")
_CONFLICT = re.compile(r"\s*(ON\s+(?:DUPLICATE|CONFLICT)[^;]*)?", re.IGNORECASE)
_TOKEN = re.compile(rf"{_PART}|'(?:[^']|'')*'|--[^\n]*|[(),;]|\s+|.", re.S)
_GO = re.compile(r"^[ \t]*GO[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_LINE = re.compile(r"(?:SET\s+IDENTITY_INSERT|USE|PRINT)\b[^\n;]*", re.IGNORECASE)
_COPIED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


@dataclass
class DumpedTable:
    """A table of a dump.

    Attributes:
        columns: Names; empty where the dump does not say them.
        rows: Texts; None for NULL.
        num_rows: Of the rows, whether they are kept or not.
        fault: Why its rows are not known, in words; "" where they are.
    """

    columns: list[str] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    num_rows: int = 0
    fault: str = ""


def tables_of(file: Path) -> dict[str, tuple[str, ...]]:
    """Return the columns of the tables of a dump that have rows, by name.

    Raises:
        InvalidInputError: If it is too large, or has no rows.
    """
    return _filled(file, _Dump(_text_of(file)).read(None))


def _filled(file: Path, tables: dict[str, DumpedTable]) -> dict[str, tuple[str, ...]]:
    """Return the columns of the tables that have rows."""
    found = {name: tuple(table.columns) for name, table in tables.items() if table.num_rows}
    if not found:
        raise InvalidInputError(
            f"{file} holds no rows that can be read (INSERT ... VALUES, or COPY ... FROM stdin): "
            f"dump the data too, or export its tables as CSV."
        )
    return found


def read_table(file: Path, name: str | None) -> tuple[pa.Table, list[str]]:
    """Return a table of a dump, every value a text, and the names of the others.

    Args:
        file: The dump.
        name: Of the table; None where one has rows.

    Raises:
        InvalidInputError: If there is no such table, or several and none is named, or its rows are
            no literals.
    """
    dump = _Dump(_text_of(file))
    tables = dump.read(name)
    own, others = chosen(file, list(_filled(file, tables)), name)
    table = tables[own] if own == name else dump.read(own)[own]
    name = own
    if table.fault:
        raise InvalidInputError(f"{file}: table {name} {table.fault}: {_INSTEAD}.")
    width = max(map(len, table.rows))
    names = table.columns or [f"column_{number}" for number in range(1, width + 1)]
    if {len(row) for row in table.rows} != {len(names)}:
        raise InvalidInputError(
            f"{file}: table {name} has rows of {width} values for {len(names)} columns: {_INSTEAD}."
        )
    columns = [pa.array([row[n] for row in table.rows], pa.string()) for n in range(len(names))]
    return pa.table(columns, names=names), others


def _text_of(file: Path) -> str:
    is_packed = file.name.lower().endswith(".gz")
    with gzip.open(file) if is_packed else file.open("rb") as handle:
        content = handle.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise InvalidInputError(
            f"{file} is larger than {_LARGEST >> 20} MB, more than a dump may be: {_INSTEAD}, or "
            "dump the tables of sales, stock and products alone."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(legacy_encoding(content[:_LOOKED_AT]), "replace")


class _Dump:
    """Statements of a dump, one after another.

    Args:
        text: All of it.
    """

    def __init__(self, text: str) -> None:
        head = text[:_LOOKED_AT]
        # SQL Server ends statements by a line of its own, and leaves out semicolons.
        self.text = _GO.sub(";", text) if _GO.search(head) else text
        escapes = "`" in head or re.search(r"(?i)mysql|mariadb", head) is not None
        inside = r"(?:[^'\\]++|\\.|'')*+" if escapes else r"(?:[^']++|'')*+"
        self.escapes = escapes
        string = rf"(?:[eE]'(?:[^'\\]++|\\.|'')*+'|'{inside}')"
        self.rest = re.compile(
            rf"(?:[^'\"`;$/-]++|{string}|\"[^\"]*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|-|/"
            r"|\$(\w*)\$.*?\$\1\$|\$)*+;?",
            re.S,
        )
        self.string = re.compile(rf"(?:N|_\w+\s*)?({string})(?:::[\w ]+)?", re.S)
        self.plain = re.compile(
            r"(NULL|TRUE|FALSE|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|0x[0-9A-Fa-f]+)"
            r"(?:::[\w ]+)?(?=\s*[,)])",
            re.I,
        )
        self.call = re.compile(
            r"(?:(?:CAST|TO_DATE|TO_TIMESTAMP|CONVERT)\s*\(|(?:DATE|TIMESTAMP)\s*(?='))", re.I
        )
        self.call_end = re.compile(r"(?:\s+AS\s+[\w() ,]+?|(?:\s*,\s*(?:'[^']*'|\w+))*)\s*\)", re.I)

    def read(self, wanted: str | None) -> dict[str, DumpedTable]:
        """Return all tables, the rows of one."""
        found: dict[str, DumpedTable] = {}
        at, end = 0, len(self.text)
        while at < end:
            if blank := _BLANK.match(self.text, at):
                at = blank.end()
                continue
            script = _OF_SCRIPTS.match(self.text, at) or _TRIGGER.match(self.text, at)
            if script is not None:  # what is done later is none of the rows
                at = script.end()
                continue
            start = _START.match(self.text, at)
            if start is None:
                at = self._after(at)
                continue
            name = _name_of(start["name"])
            table = found.setdefault(name, DumpedTable())
            at = self._statement(start, table, is_kept=name == wanted)
        return found

    def _after(self, at: int) -> int:
        """Return where the statement ends that goes on here."""
        rest = _LINE.match(self.text, at) or self.rest.match(self.text, at)
        return max(at + 1, rest.end() if rest is not None else len(self.text))

    def _statement(self, start: re.Match[str], table: DumpedTable, *, is_kept: bool) -> int:
        """Read a statement about a table; return where it ends."""
        at = start.end()
        if start["change"] is not None:
            if table.num_rows:
                table.fault = f"is changed by {start['change'].upper()} after its rows are written"
            return self._after(at)
        if start["create"] is not None:
            if table.num_rows:
                table.fault = "is made anew after its rows, as where a dump holds two databases"
            table.columns = self._declared(at)
            return self._after(at)
        columns = _COLUMNS.match(self.text, at)
        if columns is not None:
            names = [_unquoted(part) for part in re.findall(_PART, columns[1])]
            if table.num_rows and table.columns != names:
                table.fault = "is written with several lists of columns"
            table.columns, at = names, columns.end()
        if start["copy"] is not None:
            stdin = _FROM_STDIN.match(self.text, at)
            return self._after(at) if stdin is None else self._copied(stdin.end(), table, is_kept)
        values = _VALUES.match(self.text, at)
        if values is None:
            table.fault = "is filled by a query, and not by values"
            table.num_rows += 1
            return self._after(at)
        if not is_kept:
            table.num_rows += 1
            return self._after(values.end())
        return self._inserted(values.end(), table)

    def _declared(self, at: int) -> list[str]:
        """Return the names of the columns that a CREATE TABLE lists."""
        names, depth, first = [], 0, True
        for found in _TOKEN.finditer(self.text, at):
            text = found[0]
            if text == "(":
                depth += 1
                first = first or depth == 1
            elif text == ")":
                depth -= 1
            elif text == "," and depth == 1:
                first = True
            elif text.strip() and not text.startswith("--") and first and depth == 1:
                if not _NO_COLUMN.match(text):
                    names.append(_unquoted(text))
                first = False
            if (text == ")" and depth == 0) or text == ";":
                break
        return names

    def _copied(self, at: int, table: DumpedTable, is_kept: bool) -> int:
        """Read the lines of a COPY, up to the one that ends it."""
        end = self.text.find("\n\\.", at - 1)
        if end < 0:
            table.fault = "is cut off: the line that ends its rows is not there"
            end = len(self.text)
        lines = self.text[at:end].split("\n") if end >= at else []
        table.num_rows += len(lines)
        if is_kept:
            table.rows += [[_copied_cell(cell) for cell in line.split("\t")] for line in lines]
        return min(len(self.text), end + 3)

    def _inserted(self, at: int, table: DumpedTable) -> int:
        """Read the values of an INSERT; return where they end."""
        while self.text.startswith("(", at):
            row, at = self._row(at + 1, table)
            if row is None:
                table.num_rows += 1
                return self._after(at)
            table.rows.append(row)
            table.num_rows += 1
            if (after := _NEXT_ROW.match(self.text, at)) is None:
                break
            at = after.end()
        rest = _CONFLICT.match(self.text, at)
        if rest is not None and rest[1] is not None and "NOTHING" not in rest[1].upper():
            table.fault = "changes rows that are there already (ON DUPLICATE, ON CONFLICT)"
        if at >= len(self.text):
            table.fault = table.fault or "is cut off in the middle of a statement"
        return at if rest is None else max(at, rest.end())

    def _row(self, at: int, table: DumpedTable) -> tuple[list[str | None] | None, int]:
        """Return the values of a row and where it ends; None where one is no literal."""
        row: list[str | None] = []
        while True:
            at = self._without_blanks(at)
            value, after = self._value(at)
            separator = _SEPARATOR.match(self.text, after) if after > at else None
            if separator is None:
                told = " ".join(self.text[at : at + 40].split())
                table.fault = table.fault or (
                    f"holds something that is no literal in row {table.num_rows + 1:,} ({told} …)"
                    if told
                    else "is cut off in the middle of a row"
                )
                return None, at
            row.append(value)
            at = separator.end()
            if separator[1] == ")":
                return row, at

    def _without_blanks(self, at: int) -> int:
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        return at

    def _value(self, at: int) -> tuple[str | None, int]:
        """Return a literal as text, None for NULL, and where it ends: where it began if none."""
        if found := self.plain.match(self.text, at):
            return _plain_value(found[1]), found.end()
        if found := self.string.match(self.text, at):
            return self._string(found[1]), found.end()
        call = self.call.match(self.text, at)
        if call is None:
            return None, at
        inside = self._without_blanks(call.end())
        if found := self.string.match(self.text, inside):
            value = self._string(found[1])
        elif found := _NUMBER.match(self.text, inside):
            value = found[0]
        else:
            return None, at
        if not call[0].endswith("("):
            return value, found.end()
        end = self.call_end.match(self.text, found.end())
        return (value, end.end()) if end is not None else (None, at)

    def _string(self, literal: str) -> str:
        """Return what a literal in quotes says."""
        text = literal[literal.index("'") + 1 : -1]
        if (self.escapes or literal[0] in "eE") and "\\" in text:
            return re.sub(
                r"\\(.)|''",
                lambda m: "'" if m[1] is None else _ESCAPED.get(m[1], m[1]),
                text,
                flags=re.S,
            )
        return text.replace("''", "'")


def _plain_value(text: str) -> str | None:
    return None if text.upper() == "NULL" else text.lower() if text.isalpha() else text


def _copied_cell(cell: str) -> str | None:
    if cell == "\\N":
        return None
    return re.sub(r"\\(.)", lambda m: _COPIED.get(m[1], m[1]), cell) if "\\" in cell else cell


def _name_of(text: str) -> str:
    """Return a table's name without the schema that most databases take by themselves."""
    parts = [_unquoted(part) for part in re.findall(_PART, text)]
    shared = ("public", "dbo", "main")
    return ".".join(parts[1:] if len(parts) > 1 and parts[0].lower() in shared else parts)


def _unquoted(part: str) -> str:
    for sign in '"`':
        if part.startswith(sign):
            return part[1:-1].replace(sign * 2, sign)
    return part[1:-1] if part.startswith("[") else part
