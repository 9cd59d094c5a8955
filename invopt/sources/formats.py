"""How a column of text writes numbers and dates, found by looking at its values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from invopt.sources.standard import literal

SURE = 0.95  # share of given values that must agree
_CURRENCIES = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|CAD|AUD|JPY|CNY|INR|BRL|MXN|€|\\$|£|¥"
_UNITS = (
    "pcs|pc|pieces|piece|ea|each|stk|stck|st|stuck|stück|kg|g|l|ml|units|unit|un|uds|ud|u|"
    "unités|unité|unidades|ct|box|boxes|x"
)
_AFFIX = f"(?i)^\\s*({_CURRENCIES})|({_CURRENCIES}|{_UNITS})\\.?\\s*$"
_DIGITS = "(\\d{{1,3}}({0}\\d{{3}})+|\\d+)"
_SPACE = "[\\s\\x{A0}\\x{202F}]"

# Regular expressions of whole numbers and fractions, by (group, decimal).
_STYLES = {
    (".", ","): _DIGITS.format("\\.") + "(,\\d+)?",
    (",", "."): _DIGITS.format(",") + "(\\.\\d+)?",
    (" ", ","): _DIGITS.format(_SPACE) + "(,\\d+)?",
    (" ", "."): _DIGITS.format(_SPACE) + "(\\.\\d+)?",
    ("'", "."): _DIGITS.format("['’]") + "(\\.\\d+)?",
}
_ISO = (
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?)? ?(Z|[+-]\d{2}:?(\d{2})?)?"
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y",
         "%d.%m.%y", "%Y.%m.%d")  # fmt: skip
_NAMED = ("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%b %y")
# Numbers, too: dates where the column's name says so.
DIGITS = ("%Y%m%d", "%Y%m", "%m.%Y")
WEEK = "%G-W%V"
FORMATS: tuple[str | None, ...] = (
    None, *(day + time for time in _TIMES for day in _DAYS), "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p", *_NAMED, *_MONTHS, WEEK, "%GW%V", *DIGITS,
)  # fmt: skip
_SWAPPED = {"%d/%m": "%m/%d", "%m/%d": "%d/%m", "%d-%m": "%m-%d", "%m-%d": "%d-%m"}


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written.

    Attributes:
        group: Between thousands, "" for nothing.
        decimal: Before fractions.
        affix: True where a currency, a unit or a trailing minus stands beside them.
        other: What another reading would take them for, "" where none fits.
    """

    group: str = ""
    decimal: str = "."
    affix: bool = False
    other: str = ""

    def sql(self, value: str) -> str:
        """Return the SQL of the number in a column of text."""
        text = bare_number(value) if self.affix else value
        if self.group == " ":
            text = f"regexp_replace({text}, {literal(_SPACE)}, '', 'g')"
        elif self.group == "'":
            text = f"regexp_replace({text}, '[''’]', '', 'g')"
        elif self.group:
            text = f"replace({text}, {literal(self.group)}, '')"
        if self.decimal != ".":
            text = f"replace({text}, {literal(self.decimal)}, '.')"
        return f"num({text})"


PLAIN = NumberStyle()


def bare_number(value: str) -> str:
    """Return the SQL of a text without currency and unit, a minus behind it put before it."""
    bare = f"trim(regexp_replace({value}::VARCHAR, {literal(_AFFIX)}, '', 'g'))"
    return f"regexp_replace({bare}, '^(.*\\S)\\s*-$', '-\\1')"


def number_tests(text: str) -> dict[str, str]:
    """Return counts that tell how numbers are written; `text` is the SQL of a trimmed text."""

    def count(pattern: str) -> str:
        return f"count(*) FILTER (regexp_full_match({text}, {literal('[+-]?' + pattern)}))"

    tests = {f"style{n}": count(pattern) for n, pattern in enumerate(_STYLES.values())}
    return tests | {
        "plain": f"count(TRY_CAST({text} AS DOUBLE))",
        "commas": f"count(*) FILTER (contains({text}, ','))",
        "dots": f"count(*) FILTER (contains({text}, '.'))",
        "comma_groups": count("[1-9]\\d{0,2}(,\\d{3})+"),
        "dot_groups": count("[1-9]\\d{0,2}(\\.\\d{3})+"),
        "long": f"count(*) FILTER (regexp_full_match({text}, '[+-]?\\d{{4,}}'))",
    }


def number_style(found: Mapping[str, Any], enough: float) -> NumberStyle | None:
    """Return how numbers are written, None where these are no numbers.

    Groups of exactly three digits are thousands where every separator stands so and no number
    of four digits stands without one. Where fractions of three digits could be meant, it is said.

    Args:
        found: Counts of number_tests.
        enough: Values that must agree.
    """
    plain = found["plain"] >= enough
    if plain and not found["commas"]:
        return _plain_style(found)
    fits = [style for n, style in enumerate(_STYLES) if found[f"style{n}"] >= enough]
    if not fits:
        return PLAIN if plain else None
    if (",", ".") in fits and (".", ",") in fits:  # "1,350": commas and no dot
        if found["comma_groups"] == found["commas"] and not found["long"]:
            return NumberStyle(",", ".", other="fractions of three digits (1,350 is 1.35)")
        return NumberStyle(".", ",")
    group, decimal = fits[0]
    return NumberStyle(group, decimal)


def _plain_style(found: Mapping[str, Any]) -> NumberStyle:
    dots = found["dots"]
    if not dots or found["dot_groups"] != dots or found["long"]:
        return PLAIN
    if dots < found["plain"]:
        return NumberStyle(".", ",", other="fractions of three digits (1.350 is 1.35)")
    return NumberStyle(other="thousands (1.350 is 1350)")


def date_sql_of(value: str, form: str | None) -> str:
    """Return the SQL of the time stamp in a column, NULL where it holds none of this format."""
    if form is None:
        iso = f"regexp_full_match(trim({value}::VARCHAR), {literal(_ISO)})"
        return f"CASE WHEN {iso} THEN TRY_CAST({value}::VARCHAR AS TIMESTAMP) END"
    stamp = f"TRY_STRPTIME(trim({value}::VARCHAR), {literal(form)})"
    if "%V" in form:
        stamp = f"TRY_STRPTIME(trim({value}::VARCHAR) || '-1', {literal(form + '-%u')})"
    return f"CASE WHEN year({stamp}) BETWEEN 1900 AND 2200 THEN {stamp} END"


def zone_sql(value: str) -> str:
    """Return the SQL of whether a time stamp in text names its zone."""
    return f"regexp_matches(trim({value}::VARCHAR), ':\\d{{2}}.* ?(Z|[+-]\\d{{2}}:?(\\d{{2}})?)$')"


def date_formats(counts: list[int], enough: float, *, digits: bool) -> list[str | None]:
    """Return the formats that fit, those that fit most values first.

    Args:
        counts: Values that each of FORMATS fits.
        enough: Values that must fit.
        digits: Whether numbers may be dates.
    """
    fitting = [
        (n, form)
        for n, form in zip(counts, FORMATS, strict=True)
        if n >= enough and (digits or form not in DIGITS)
    ]
    return [form for _, form in sorted(fitting, key=lambda pair: -pair[0])]


def swapped(form: str | None) -> str | None:
    """Return a format with day and month exchanged, None where it has no such pair."""
    for pair, other in _SWAPPED.items():
        if form is not None and form.startswith(pair):
            return form.replace(pair, other, 1)
    return None


def sounds_dated(column: str) -> bool:
    """Return whether a column's name speaks of a time."""
    words = r"date|datum|fecha|day|tag\b|jour|dia\b|week|woche|semain|seman|month|monat|mois|mes\b"
    return re.search(words + r"|period|^ds$|^dt$|kw", column.lower()) is not None
