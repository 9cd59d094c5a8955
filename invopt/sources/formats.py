"""How a column of text writes numbers and dates, found by looking at its values."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from invopt.sources.marks import NOTHING, is_mark
from invopt.sources.numbers import FIGURES, number_sql
from invopt.sources.scripts import DATED
from invopt.sources.vocabulary import plain
from invopt.sql import literal, quote

SURE = 0.95  # share of given values that must agree
_CURRENCIES = "EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|CAD|AUD|JPY|CNY|INR|BRL|MXN|€|\\$|£|¥|%|'"
_UNITS = (
    "pcs|pc|pieces|piece|ea|each|stk|stck|st|stuck|stück|kg|g|l|ml|units|unit|un|uds|ud|u|"
    "unités|unité|unidades|ct|box|boxes|nos|x"
)
_AFFIX = f"(?i)^\\s*({_CURRENCIES})|({_CURRENCIES}|{_UNITS})\\.?\\s*$"
_SPACES = "\u00a0\u202f"
_SPACE = f"[\\s{_SPACES}]"
_DIGITS = "(\\d{{1,3}}({0}\\d{{3}})+|\\d+)"
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

# Regular expressions of whole numbers and fractions, by (group, decimal).
_STYLES = {
    (".", ","): re.compile("[+-]?" + _DIGITS.format("\\.") + "(,\\d+)?"),
    (",", "."): re.compile("[+-]?" + _DIGITS.format(",") + "(\\.\\d+)?"),
    (" ", ","): re.compile("[+-]?" + _DIGITS.format(_SPACE) + "(,\\d+)?"),
    (" ", "."): re.compile("[+-]?" + _DIGITS.format(_SPACE) + "(\\.\\d+)?"),
    ("'", "."): re.compile("[+-]?" + _DIGITS.format("['’]") + "(\\.\\d+)?"),
}
# Lakhs and crores: pairs of digits above the first thousand.
_LAKHS = re.compile(r"[+-]?(\d{1,2}(,\d{2})+,\d{3}|\d{1,3}(,\d{3})?|\d+)(\.\d+)?")
_COMMA_GROUPS = re.compile("[+-]?[1-9]\\d{0,2}(,\\d{3})+")
_DOT_GROUPS = re.compile("[+-]?[1-9]\\d{0,2}(\\.\\d{3})+")
_THREE_PLACES = re.compile(r"[+-]?\d{1,3},\d{3}")
DASHES = ("-", "–", "—")
_SIGN_BEHIND = re.compile(r"[\d.,' \u00a0\u202f]*\d *[-−]|\(.*\d.*\)|−.*\d|[-–—]")
_LONG = re.compile("[+-]?\\d{4,}")
_ISO = re.compile(
    r"(?:(?:19|20|21)\d\d|9999)([-/])(0?[1-9]|1[0-2])\1(0?[1-9]|[12]\d|3[01])"
    r"([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?)?"
    r" ?(Z|UTC|GMT|[+-]\d{2}:?(\d{2})?)?"
)
_ZONES = r"(Z|UTC|GMT|[+-][0-9]{2}:?(?:[0-9]{2})?)"
_ZONE = re.compile(rf".*:\d{{2}}\S*? ?{_ZONES}")
_IS_UTC = r"Z|UTC|GMT|[+-]00(:?00)?"
# What directives of strptime stand for.
_DIRECTIVES = {
    "%d": r"(0?[1-9]|[12]\d|3[01])", "%m": r"(0?[1-9]|1[0-2])", "%Y": r"(?:(?:19|20|21)\d\d|9999)",
    "%y": r"\d\d", "%H": r"([01]?\d|2[0-3])", "%M": r"[0-5]\d", "%S": r"[0-5]\d",
    "%I": r"(0?[1-9]|1[0-2])", "%p": r"[AaPp][Mm]", "%G": r"(19|20|21)\d\d",
    "%V": r"(0[1-9]|[1-4]\d|5[0-3])",
    "%b": r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    "%B": r"(?i:january|february|march|april|may|june|july|august|september|october|november|"
          r"december)",
}  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y",
         "%d.%m.%y", "%Y.%m.%d", "%d-%m-%y", "%y-%m-%d", "%y/%m/%d")  # fmt: skip
_NAMED = ("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%b %y")
# Numbers, too: dates where the column's name says so.
YEAR_WEEK = "%G%V"
YEAR_WEEKS = (YEAR_WEEK, "%G-%V", "%G/%V")
DIGITS = ("%Y%m%d", "%Y%m", "%m.%Y", YEAR_WEEK, "%y%m%d")
WEEKS = ("%G-W%V", "%GW%V")
FORMATS: tuple[str | None, ...] = (
    None, *(day + time for time in _TIMES for day in _DAYS), "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M %p", *_NAMED, *_MONTHS, *WEEKS, *YEAR_WEEKS[1:], *DIGITS,
)  # fmt: skip
_ENDS_SWAPPED = {"%y-%m-%d": "%d-%m-%y", "%y/%m/%d": "%d/%m/%y"}
_SWAPPED = {"%d/%m": "%m/%d", "%m/%d": "%d/%m", "%d-%m": "%m-%d", "%m-%d": "%d-%m"}


@dataclass(frozen=True)
class NumberStyle:
    """How numbers are written.

    Attributes:
        group: Between thousands, "" for nothing.
        decimal: Before fractions.
        unit: Currency or unit beside every one of them, "" for none.
        trailing: True where a minus stands behind some.
        other: What another reading would take them for, "" where none fits.
        dashes: True where a bare dash stands for nothing, as accountants write zero.
    """

    group: str = ""
    decimal: str = "."
    unit: str = ""
    trailing: bool = False
    other: str = ""
    dashes: bool = False

    @property
    def declared(self) -> dict[str, str]:
        """What a mapping's column says of it; nothing where they are read as they are."""
        found = {"thousands": self.group, "unit": self.unit}
        found = {key: sign for key, sign in found.items() if sign}
        if self.decimal != ".":
            found["decimal"] = self.decimal
        if self.trailing and not found:
            return {"thousands": ","}  # a declared number may have its minus behind it
        return found

    def sql(self, value: str) -> str:
        """Return the SQL of the number in a column of text."""
        if not self.declared:
            return f"num({value})"
        thousands = self.group or ("," if self.decimal == "." else None)
        return number_sql(f"({value})::VARCHAR", self.decimal, thousands, self.unit or None)


PLAIN = NumberStyle()


def number_style(values: Mapping[str, int]) -> NumberStyle | None:
    """Return how numbers are written, None where these are no numbers.

    Groups of exactly three digits are thousands where every separator stands so and no number
    of four digits stands without one. Where fractions of three digits could be meant, it is said.

    Args:
        values: Rows by trimmed value, none empty.
    """
    values = {v.translate(FIGURES): n for v, n in values.items()}
    nothing = sum(n for v, n in values.items() if v.lower() in NOTHING)
    if 2 * nothing < sum(values.values()):  # of a column of plans most rows say that there is none
        values = {v: n for v, n in values.items() if v in DASHES or not is_mark(v)}
    style = _style(values)
    if style is None or any(map(_SIGN_BEHIND.fullmatch, values)):
        return _signed_style(values) or style
    return style


def _signed_style(values: Mapping[str, int]) -> NumberStyle | None:
    """Return how numbers are written beside units, and with a minus behind or brackets around."""
    pairs = {value: _bare(value) for value in values}
    pairs = {value: parts for value, parts in pairs.items() if value not in DASHES} or pairs
    units = {unit for _, unit, _ in pairs.values() if unit}
    if len(units) > 1:  # pieces and boxes, or two currencies: no one number
        return None
    bare: Counter[str] = Counter()
    for value, (number, _, _) in pairs.items():
        bare[number] += values[value]
    style = _style(bare)
    if style is not None and any(value in DASHES for value in values):
        style = replace(style, dashes=True)
    if style is None:
        return None
    trailing = any(behind for _, _, behind in pairs.values())
    return replace(style, unit=next(iter(units), ""), trailing=trailing)


def _style(values: Mapping[str, int]) -> NumberStyle | None:
    is_plain = _fits(values, _PLAIN.fullmatch)
    commas = [value for value in values if "," in value]
    if is_plain and not commas:
        return _plain_style(values)
    fits = [style for style, pattern in _STYLES.items() if _fits(values, pattern.fullmatch)]
    if not fits and _fits(values, _LAKHS.fullmatch):
        return NumberStyle(",", ".")
    if not fits:
        return PLAIN if is_plain else None
    if (",", ".") in fits and (".", ",") in fits:  # "1,350": commas and no dot
        if _has_three_places(values):
            return NumberStyle(".", ",", other="thousands (12,000 is 12000)")
        if all(map(_COMMA_GROUPS.fullmatch, commas)) and not any(map(_LONG.fullmatch, values)):
            return NumberStyle(",", ".", other="fractions of three digits (1,350 is 1.35)")
        return NumberStyle(".", ",")
    group, decimal = fits[0]
    return NumberStyle(group, decimal)


def _has_three_places(values: Mapping[str, int]) -> bool:
    """Return whether an ERP wrote every number with three places (12,000 pieces are twelve).

    Each has a comma before its last three figures, none is a thousand with more behind it, and
    most are whole.
    """
    whole = sum(rows for value, rows in values.items() if value.endswith(",000"))
    return all(map(_THREE_PLACES.fullmatch, values)) and 2 * whole > sum(values.values())


def _plain_style(values: Mapping[str, int]) -> NumberStyle:
    dots = [value for value in values if "." in value]
    if not dots or not all(map(_DOT_GROUPS.fullmatch, dots)) or any(map(_LONG.fullmatch, values)):
        return PLAIN
    if len(dots) < len(values):
        return NumberStyle(".", ",", other="fractions of three digits (1.350 is 1.35)")
    return NumberStyle(other="thousands (1.350 is 1350)")


def _fits(values: Mapping[str, int], test: Callable[[str], object]) -> bool:
    """Return whether a test holds for nearly all rows, and for one at least."""
    allowed = (1 - SURE) * sum(values.values())
    for value, rows in values.items():
        if not test(value):
            allowed -= rows
            if allowed < 0:
                return False
    return bool(values)


def _bare(value: str) -> tuple[str, str, bool]:
    """Return a number without its unit and with its minus before it, the unit, and where it was."""
    signs = value.replace("−", "-")
    if in_brackets := re.fullmatch(r"\((.*)\)", signs.strip()):
        signs = f"{in_brackets[1]}-"
    units = [found for pair in re.findall(_AFFIX, signs) for found in pair if found]
    bare = re.sub(_AFFIX, "", signs).strip()
    if "−" in value and not bare.endswith("-"):
        return bare, "".join(units[:1]), True
    behind = bare.endswith("-")
    return ("-" + bare[:-1].strip() if behind else bare), "".join(units[:1]), behind


def date_sql_of(value: str, form: str | None) -> str:
    """Return the SQL of the time stamp in a column, NULL where it holds none of this format."""
    if form is None:
        return f"TRY_CAST({value} AS TIMESTAMP)"
    if form in (*WEEKS, *YEAR_WEEKS):
        value = f"({value})::VARCHAR"
        year, week = f"left(trim({value}), 4)", f"right(trim({value}), 2)"
        return f"TRY_STRPTIME({year} || '-' || {week} || '-1', '%G-%V-%u')"
    return f"TRY_STRPTIME(trim({value}::VARCHAR), {literal(form)})"


def date_formats(values: Mapping[str, int], *, digits: bool) -> list[str | None]:
    """Return the formats that fit a text, those that fit most rows first; None is ISO 8601.

    Args:
        values: Rows by trimmed value, none empty.
        digits: Whether numbers may be dates.
    """
    fitting = []
    for form in FORMATS:
        if form in DIGITS and not digits:
            continue
        pattern = _ISO if form is None else _pattern(form)
        if _fits(values, pattern.fullmatch):
            rows = sum(n for value, n in values.items() if pattern.fullmatch(value))
            fitting.append((-rows, form))
    return [form for _, form in sorted(fitting, key=lambda pair: pair[0])]


@cache
def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split("(%[A-Za-z])", form)
    return re.compile("".join(_DIRECTIVES.get(part, re.escape(part)) for part in parts))


def names_zone(values: Mapping[str, int]) -> bool:
    """Return whether time stamps in text name their zone."""
    return _fits(values, _ZONE.fullmatch)


def without_zone(column: str, values: Mapping[str, int]) -> str | None:
    """Return the expression of time stamps without their zones, where some are not that of UTC.

    A shop's stamp of 23:30 -0500 is of the day that it writes, and not of the next one in UTC. None
    where stamps name no zone, or UTC alone.

    Args:
        column: That holds them.
        values: Rows by trimmed value, none empty.
    """
    ends = {found[1] for value in values if (found := _ZONE.fullmatch(value))}
    if not names_zone(values) or all(re.fullmatch(_IS_UTC, end) for end in ends):
        return None
    form = literal(f"(:[0-9]{{2}}[^ ]*?) ?{_ZONES}$")
    return f"regexp_replace(trim({quote(column)}), {form}, '\\1')"


def swapped(form: str | None) -> str | None:
    """Return a format with day and month, or day and year, exchanged; None where it has none."""
    for one, other in _ENDS_SWAPPED.items():
        if form in (one, other):
            return other if form == one else one
    for pair, other in _SWAPPED.items():
        if form is not None and form.startswith(pair):
            return form.replace(pair, other, 1)
    return None


def sounds_dated(column: str) -> bool:
    """Return whether a column's name speaks of a time."""
    words = r"date|datum|fecha|day|tag\b|jour|dia\b|week|woche|semain|seman|month|monat|mois|mes\b"
    words += r"|dat(_|$)|data\b|giorno|tarih|dato|quart|trimestre|hafta|tydzie|mese\b|miesi|mesic"
    words += r"|maand|m[aå]ned|m[aå]nad|kuukausi|honap|hónap|settiman|vecka|dag\b|dzie[nń]"
    stamps = (
        r"|timestamp|zeitstempel|horodat|_at$|^time$|^ts$|creat|erstellt|angelegt|gebucht|booked"
    )
    told = f"{words}|period|^ds$|^dt$|^[a-z]{{2}}(iv|tr|or|rg)dt$|kw{stamps}|{DATED}"
    return any(re.search(told, name) for name in (column.lower(), plain(column)))
