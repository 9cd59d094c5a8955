"""Numbers held as text, by the signs that the mapping declares; what does not fit is refused."""

import re

from invopt.sql import literal

# Blanks that are no blank to a parser, and signs that are no minus.
_BLANKS = " || ".join(f"chr({n})" for n in (160, 8239, 8201, 8199, 8200, 8202, 9))
_UNSEEN = "chr(8203) || chr(65279) || chr(8206)"  # signs of no width at all
# 1.350 in every value that has a point: thousands, or a fraction of three places.
THREE_DIGITS = r"^\s*[-+]?[1-9]\d{0,2}\.\d{3}\s*$"


def plain_number_sql(text: str) -> str:
    """Return the SQL (DOUBLE) of a number as programs write it; unseen blanks around it are none.

    Args:
        text: Expression of the text.
    """
    bare = f"trim(translate(({text})::VARCHAR, {_BLANKS} || {_UNSEEN}, '       '))"
    return f"coalesce(TRY_CAST({text} AS DOUBLE), TRY_CAST({bare} AS DOUBLE))"


def number_sql(text: str, decimal: str, thousands: str | None, unit: str | None) -> str:
    """Return the SQL (DOUBLE) of a number held as text; NULL where it is not written so.

    A minus may stand before or after, or brackets around it; groups have three digits, or with a
    comma those of India (1,23,456); 1,5e3 is
    1500 as a spreadsheet writes it. Kg is kg.

    Args:
        text: Expression of the text.
        decimal: Sign before the fraction.
        thousands: Sign between groups of three digits; None where there are no groups.
        unit: Text before or after the number, where it has one.
    """
    plain = f"trim(translate({text}, {_BLANKS} || '−’' || {_UNSEEN}, '       -'''))"
    if unit is not None:
        name = re.escape(unit)
        form = rf"(?i)^([-+(]?)\s*{name}\s*(.*)$|^(.*?)\s*{name}(\)?-?)$"
        plain = f"trim(regexp_replace({plain}, {literal(form)}, '\\1\\2\\3\\4'))"
    fraction = rf"{re.escape(decimal)}\d+"
    whole = r"\d+"
    if thousands is not None:
        whole = rf"\d+|\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+"
        if thousands == ",":
            whole += r"|\d{1,2}(?:,\d{2})+,\d{3}"
    body = rf"((?:(?:{whole})(?:{fraction})?|{fraction})(?:[eE][-+]?\d+)?)"
    form = rf"^(?:[+]?{body}|([-])\s*{body}|{body}\s*([-])|([(]){body}[)])$"
    parts = f"regexp_extract({plain}, {literal(form)}, ['a', 'm', 'b', 'c', 't', 'p', 'd'])"
    digits = f"({parts}.a || {parts}.b || {parts}.c || {parts}.d)"
    for sign, written in ((thousands, ""), (decimal, ".")):
        if sign is not None and sign != written:
            digits = f"replace({digits}, {literal(sign)}, {literal(written)})"
    minus = f"CASE WHEN {parts}.m || {parts}.t || {parts}.p = '' THEN 1 ELSE -1 END"
    return f"(TRY_CAST({digits} AS DOUBLE) * {minus})"
