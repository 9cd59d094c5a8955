"""Numbers held as text, by the signs that the mapping declares; what does not fit is refused."""

import re
from collections.abc import Mapping

from invopt.sql import literal

# Blanks that are no blank to a parser, and signs that are no minus.
_BLANKS = " || ".join(f"chr({n})" for n in (160, 8239, 8201, 8199, 8200, 8202, 9))
_UNSEEN = "chr(8203) || chr(65279) || chr(8206)"  # signs of no width at all
# Figures of other scripts, and their signs between them.
_OTHERS = "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９०१२३४५६७८९٫٬．，"
_LATIN = "0123456789" * 4 + ".,.,"
FIGURES = str.maketrans(_OTHERS, _LATIN)
# A number and its unit in one cell: 12 pcs, 1,5 kg.
_CELL = r"^\s*([-+(]?\s*\d[\d.,'’ \x{a0}\x{202f}]*\)?-?)\s*([^\d\s.,()+-][^\d]{0,14}?)?\.?\s*$"
# 1.350 in every value that has a point: thousands, or a fraction of three places.
THREE_DIGITS = r"^\s*[-+]?[1-9]\d{0,2}\.\d{3}\s*$"


def plain_number_sql(text: str) -> str:
    """Return the SQL (DOUBLE) of a number as programs write it; unseen blanks around it are none.

    Args:
        text: Expression of the text.
    """
    signs = f"{_BLANKS} || {literal(_OTHERS)} || {_UNSEEN}"
    bare = f"trim(translate(({text})::VARCHAR, {signs}, {literal(f'       {_LATIN}')}))"
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
    signs = f"{_BLANKS} || {literal(f'−’{_OTHERS}')} || {_UNSEEN}"
    written = "       -'" + _LATIN
    plain = f"trim(translate({text}, {signs}, {literal(written)}))"
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
    for sign, ours in ((thousands, ""), (decimal, ".")):
        if sign is not None and sign != ours:
            digits = f"replace({digits}, {literal(sign)}, {literal(ours)})"
    minus = f"CASE WHEN {parts}.m || {parts}.t || {parts}.p = '' THEN 1 ELSE -1 END"
    return f"(TRY_CAST({digits} AS DOUBLE) * {minus})"


def figures_sql(text: str) -> str:
    """Return the SQL of a text whose figures of other scripts are those of ours."""
    return f"translate({text}, {literal(_OTHERS)}, {literal(_LATIN)})"


def cell_parts_sql(text: str) -> tuple[str, str]:
    """Return the SQL of the number in a cell, as text, and of its unit in small letters.

    The number is NULL where the cell holds something else, the unit "" where there is none.
    """
    number, unit = (f"regexp_extract({text}, {literal(_CELL)}, {n})" for n in (1, 2))
    return f"nullif(trim({number}), '')", plain_unit_sql(unit)


def plain_unit_sql(text: str) -> str:
    """Return the SQL of a unit in small letters, without accents and a point behind it."""
    return f"rtrim(lower(strip_accents(trim(coalesce(({text})::VARCHAR, '')))), '.')"


def united_sql(text: str, decimal: str, thousands: str | None, units: Mapping[str, float]) -> str:
    """Return the SQL (DOUBLE) of a number with its unit, in the unit whose factor is 1.

    It is NULL where the unit is none of those given.

    Args:
        text: Expression of the text.
        decimal: Sign before the fraction.
        thousands: Sign between groups of three digits; None where there are no groups.
        units: Factor by unit; "" is that of a number alone.
    """
    number, unit = cell_parts_sql(text)
    cases = " ".join(
        f"WHEN {plain_unit_sql(literal(name))} THEN {float(factor)!r}"
        for name, factor in units.items()
    )
    return f"({number_sql(number, decimal, thousands, None)} * CASE {unit} {cases} END)"
