"""Numbers held as text, by the signs that the mapping declares; what does not fit is refused."""

import re

from invopt.sources.duck import literal

# Blanks that are no blank to a parser, and signs that are no minus.
_BLANKS = "chr(160) || chr(8239) || chr(8201) || chr(9)"
# 1.350 in every value that has a point: thousands, or a fraction of three places.
THREE_DIGITS = r"^\s*[-+]?[1-9]\d{0,2}\.\d{3}\s*$"


def number_sql(text: str, decimal: str, thousands: str | None, unit: str | None) -> str:
    """Return the SQL (DOUBLE) of a number held as text; NULL where it is not written so.

    A minus may stand before or after, or brackets around it; groups have three digits; 1,5e3 is
    1500 as a spreadsheet writes it. Kg is kg.

    Args:
        text: Expression of the text.
        decimal: Sign before the fraction.
        thousands: Sign between groups of three digits; None where there are no groups.
        unit: Text before or after the number, where it has one.
    """
    plain = f"trim(translate({text}, {_BLANKS} || '−’', '    -'''))"
    if unit is not None:
        name = re.escape(unit)
        form = rf"(?i)^([-+(]?)\s*{name}\s*(.*)$|^(.*?)\s*{name}(\)?-?)$"
        plain = f"trim(regexp_replace({plain}, {literal(form)}, '\\1\\2\\3\\4'))"
    fraction = rf"{re.escape(decimal)}\d+"
    whole = r"\d+"
    if thousands is not None:
        whole = rf"\d+|\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+"
    body = rf"((?:(?:{whole})(?:{fraction})?|{fraction})(?:[eE][-+]?\d+)?)"
    form = rf"^(?:[+]?{body}|([-])\s*{body}|{body}\s*([-])|([(]){body}[)])$"
    parts = f"regexp_extract({plain}, {literal(form)}, ['a', 'm', 'b', 'c', 't', 'p', 'd'])"
    digits = f"({parts}.a || {parts}.b || {parts}.c || {parts}.d)"
    for sign, written in ((thousands, ""), (decimal, ".")):
        if sign is not None and sign != written:
            digits = f"replace({digits}, {literal(sign)}, {literal(written)})"
    minus = f"CASE WHEN {parts}.m || {parts}.t || {parts}.p = '' THEN 1 ELSE -1 END"
    return f"(TRY_CAST({digits} AS DOUBLE) * {minus})"
