"""Lines that a flag marks as no sales: cancelled, deleted, a test."""

import re

from invopt.sources.facts import DATE, TEXT, ColumnFacts
from invopt.sources.lines import MAX_KINDS, Lines
from invopt.sources.vocabulary import QUANTITIES, plain
from invopt.sql import literal, quote

_FEW = 0.5  # share of the lines that may be left out without asking
_FLAG = (
    r"cancel|void|storn|annul|anul|deleted|gelosch|geloesch|losch|loesch|supprim|eliminad"
    r"|^(is_)?training(s?_?(mode|modus|sale|flag|bon|buchung))?$|suspended|aborted|abgebrochen"
    r"|(^|_)(is_)?test(_|$)|(^|_)is_draft|reversed|eliminat|abgru|absagegrund|rejection|rjcn"
)
_REJECTED = r"abgru|absagegrund|rejection|rjcn"  # by SAP's short and long names
_BACK = r"^(is_)?(refunded|returned|retourniert|erstattet)$"  # a word; a number may be pieces
_GOOD = r"^(is_)?(valid|gultig|gueltig|valide|valido)$"  # lines that it does not mark are none
YES = ("1", "true", "t", "yes", "y", "x", "ja", "j", "oui", "o", "si", "sì", "sí", "s", "sim",
        "wahr", "vrai", "vero", "tak", "evet", "e", "✓")  # fmt: skip
NO = ("0", "false", "f", "no", "n", "nein", "non", "nao", "não", "nie", "hayir", "hayır", "falsch",
       "faux", "falso", "-")  # fmt: skip


def is_flag(column: ColumnFacts) -> bool:
    """Return whether a column's name says that it marks lines that are none."""
    if QUANTITIES & set(plain(column.name).split("_")):
        return False  # of pieces, as qty_canceled is
    words = f"{_FLAG}|{_GOOD}|{_BACK}" if column.kind == TEXT else f"{_FLAG}|{_GOOD}"
    return re.search(words, plain(column.name)) is not None


def leave_out_flagged(lines: Lines, column: ColumnFacts) -> None:
    """Leave out lines that a column with the name of a flag marks: yes, or a day."""
    text = f"lower(trim({quote(column.name)}::VARCHAR))"
    given = lines.counts(f"coalesce({text}, '')", MAX_KINDS)
    if given is None and column.kind != DATE:
        return
    if column.kind == DATE:
        marked = f"coalesce({text}, '') <> ''"
    elif given is not None and set(given) <= {"", *YES, *NO}:
        signs = NO if re.search(_GOOD, plain(column.name)) else YES
        marked = f"coalesce({text}, '') IN ({', '.join(map(literal, sorted(signs)))})"
    else:
        filled = given is not None and "" in given and column.is_text
        if not filled or not re.search(_REJECTED, plain(column.name)):
            _tell_unsure(lines, column, given or {})
            return
        marked = f"coalesce({text}, '') <> ''"  # whatever the reason is
    rows = lines.num_lines(marked)
    if not rows or lines.is_attribute(column):
        return
    if rows > _FEW * lines.file.num_rows:
        lines.notes.append(
            f"{rows:,} rows of {lines.file.name} have {column.name}: more than half, so that "
            "they are read as sales; leave them out by `where` if they are none"
        )
        return
    lines.rules.append(f"NOT ({marked})")
    lines.notes.append(
        f"{rows:,} rows of {lines.file.name} that {column.name} marks are left out: take them "
        "out of `where` if they are sales"
    )


def _tell_unsure(lines: Lines, column: ColumnFacts, given: dict[str, int]) -> None:
    filled = sum(rows for value, rows in given.items() if value)
    if filled and given.get("", 0) and column.is_text:
        lines.notes.append(
            f"{filled:,} rows of {lines.file.name} have a {column.name} and are read as sales: "
            "leave them out by `where` if they are none"
        )
