"""Months, weeks and quarters that do not say their year: Jan, 03, M03, KW 5, Q2."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from invopt.sources.month_names import month_number
from invopt.sources.vocabulary import plain

MONTH, WEEK, QUARTER, NUMBER = "month", "week", "quarter", "number"
LENGTH = {MONTH: 12, WEEK: 53, QUARTER: 4}
_YEAR = re.compile(r"(?:fy|year|jahr)?_?((?:19|20)\d{2})(?:_0)?")
_DAY = re.compile(r"(?:0?[1-9]|[12]\d|3[01])\.?")
_LEAST_DAYS = 28
_WORDS = {
    MONTH: "m mm month monat mois mes mese maand p per period periode periodo",
    WEEK: "w wk week kw cw woche sem semaine semana settimana sett uge vecka v tydzien",
    QUARTER: "q qtr quarter quartal t trim trimestre",
}
_FORMS = (
    *(
        (kind, re.compile(rf"(?:{'|'.join(words.split())})_?(\d{{1,3}})"))
        for kind, words in _WORDS.items()
    ),
    (NUMBER, re.compile(r"(\d{1,2})")),
)


@dataclass(frozen=True)
class Part:
    """A part of a year.

    Attributes:
        kind: Month, week, quarter, or a bare number, which may be either of the first two.
        number: Which of its year, from 1.
    """

    kind: str
    number: int

    def of(self, year: str) -> str:
        """Return the part in a year as dates are written: 2024-03, 2024-W05."""
        if self.kind == QUARTER:
            return f"{year}-Q{self.number}"
        return f"{year}-W{self.number:02d}" if self.kind == WEEK else f"{year}-{self.number:02d}"


def days_of_month(texts: Sequence[str]) -> list[str]:
    """Return the names that are the days of a month, 1 to 28 or more; empty where they are none."""
    found = [text for text in texts if _DAY.fullmatch(text.strip())]
    numbers = [int(text.strip().rstrip(".")) for text in found]
    is_month = numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= _LEAST_DAYS
    return found if is_month else []


def year_of(text: str) -> str | None:
    """Return the year that a text is, and nothing besides (2024, FY2024); None where it is none."""
    found = _YEAR.fullmatch(plain(text))
    return found[1] if found else None


def part_of(text: str) -> Part | None:
    """Return the part of a year that a text names; None where it names none."""
    name = plain(text)
    month = month_number(text.strip().strip(".").lower())
    if month is not None:
        return Part(MONTH, month)
    for kind, form in _FORMS:
        found = form.fullmatch(name)
        if found and 1 <= int(found[1]) <= LENGTH.get(kind, LENGTH[WEEK]):
            return Part(kind, int(found[1]))
    return None


def parts_of(texts: Sequence[str]) -> dict[str, Part]:
    """Return the part that each of some names is; empty where they are no parts of one kind.

    Bare numbers are months where none is above 12 and all twelve are there, weeks where one is
    above; else nobody knows.
    """
    found = {text: part for text in texts if (part := part_of(text)) is not None}
    kinds = {part.kind for part in found.values()}
    if len(kinds) > 1:
        found = {t: p for t, p in found.items() if p.kind != NUMBER}
        kinds -= {NUMBER}
    if len(kinds) != 1:
        return {}
    [kind] = kinds
    numbers = [part.number for part in found.values()]
    if kind == NUMBER:
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < LENGTH[MONTH]:
            return {}
        kind = MONTH if len(numbers) == LENGTH[MONTH] else WEEK
    return {text: Part(kind, part.number) for text, part in found.items()}
