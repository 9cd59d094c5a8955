"""Columns called by the days of a week, and the week that a title above them says."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date

from invopt.sources.vocabulary import plain

LEAST_DAYS = 5
# Monday to Sunday, as plain() writes them, in several languages.
_WEEKDAYS = (
    r"mon?|mon\w*|lu\w*|maandag|man\w*|pon\w*|pn",
    r"di|tu\w*|die\w*|ma|mar\w*|tir\w*|wt\w*|utor\w*|dinsdag",
    r"mi|we\w*|mit\w*|me|mer\w*|mie\w*|ons\w*|sr\w*|woensdag|x",
    r"do|th\w*|don\w*|je\w*|ju\w*|gio\w*|tor\w*|czw\w*",
    r"fr\w*|ve\w*|vi\w*|vrijdag|pt|piat\w*",
    r"sa\w*|za\w*|lor\w*|sob\w*",
    r"so|su\w*|son\w*|di|dim\w*|dom\w*|zo\w*|nied\w*|nd",
)
_DAY = re.compile(r"(?<!\d)(\d{1,4})([-/.])(\d{1,2})\2(\d{2,4})(?!\d)")


def weekdays_among(names: Sequence[str]) -> dict[int, str]:
    """Return the names of weekdays in their order beside each other, from 1, Monday."""
    found: dict[int, str] = {}
    for name in names:
        number = len(found) + 1
        if number <= len(_WEEKDAYS) and re.fullmatch(_WEEKDAYS[number - 1], plain(name)):
            found[number] = name
        elif found and len(found) < LEAST_DAYS:
            found = {}
    return found


def monday_in(
    titles: Sequence[str], names: Sequence[str], others: Callable[[], Iterable[str]]
) -> date | None:
    """Return the Monday that titles above columns of weekdays say; None where none or several do.

    Of 05/01/2026 the reading is taken that is a Monday; where both are, that of the other titles.

    Args:
        titles: Lines above the columns.
        names: Of the columns.
        others: Gives the titles of other sheets.
    """
    if len(weekdays_among(names)) < LEAST_DAYS:
        return None
    found = _mondays(titles)
    days = {day for by_order in found for day in by_order.values()}
    if len(days) > 1:
        sure = Counter(next(iter(m)) for m in _mondays(others()) if len(m) == 1)
        usual = {order for order, _ in sure.most_common(1)}
        days = {day for by_order in found for order, day in by_order.items() if order in usual}
    return days.pop() if len(days) == 1 else None


def _mondays(titles: Iterable[str]) -> list[dict[str, date]]:
    """Return the Mondays that each day of some titles may be, by the order of its figures."""
    found = []
    for title in titles:
        for parts in _DAY.findall(title):
            days = {order: day for order, day in _readings(parts) if day.isoweekday() == 1}
            found += [days] if days else []
    return found


def _readings(parts: tuple[str, str, str, str]) -> Iterator[tuple[str, date]]:
    first, _, second, third = parts
    orders = {"year": (first, second, third)} if len(first) == 4 else {}
    if len(third) in (2, 4) and len(first) <= 2:
        year = third if len(third) == 4 else f"20{third}"
        orders = {"day": (year, second, first), "month": (year, first, second)}
        if first == second:
            del orders["month"]
    for order, (year, month, day) in orders.items():
        with suppress(ValueError):
            yield order, date(int(year), int(month), int(day))
