"""Columns of hours, which add up to a day, and of weekdays, each of which is a day of its week."""

import re

from invopt.sources.by_place import UnitedFiles
from invopt.sources.days import WEEKS, YEARS, first_of
from invopt.sources.duck import Reader
from invopt.sources.facts import DATE, NUMBER, ColumnFacts, FileFacts, cells_of
from invopt.sources.vocabulary import by_word, plain
from invopt.sql import quote

_H = r"(?:[01]?\d|2[0-4])"
_MARKED = rf"{_H}(?:[:.]00| ?h| ?uhr)"
_HOUR = re.compile(rf"(?i:{_MARKED}(?: ?[-–] ?{_MARKED})?|{_H} ?[-–] ?{_H}(?: ?h| ?uhr)?)")
_LEAST_HOURS, _LEAST_DAYS = 4, 5
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
VALUE = "quantity"
_ISO = "%G-W%V-%u"


def stack_days(reader: Reader, found: UnitedFiles) -> None:
    """Replace files with a column for each hour, or weekday, by a row for each day."""
    for at, file in enumerate(found.files):
        made = _of_hours(file) or _of_weekdays(file)
        if made is None or file.periods:
            continue
        sql, told = made
        found.files[at] = found.table_of(reader, f"{file.name}_days", sql, [file])
        found.notes.append(f"{file.path} has a column for {told}")


def _of_hours(file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file whose numbers are of hours, added up, and a note."""
    hours = [c for c in file.of_kind(NUMBER) if _HOUR.fullmatch(c.name.strip())]
    others = [c.name for c in file.of_kind(NUMBER) if c not in hours]
    if len(hours) < _LEAST_HOURS or not file.of_kind(DATE) or by_word(others, "y") is not None:
        return None
    cells = " + ".join(f"coalesce({c.style.sql(quote(c.name))}, 0)" for c in hours)
    gone = ", ".join(quote(c.name) for c in hours)
    return (
        f"SELECT * EXCLUDE ({gone}), {cells} AS {VALUE} FROM {quote(file.name)}",
        f"each of {len(hours)} hours ({hours[0].name} …): they are added up to the day",
    )


def _of_weekdays(file: FileFacts) -> tuple[str, str] | None:
    """Return the SQL of a file with a year, a week and a column for each weekday, and a note."""
    names = {plain(c.name): c.name for c in file.columns}
    year, week = first_of(YEARS, names), first_of(WEEKS, names)
    days = _weekdays(file)
    if year is None or week is None or len(days) < _LEAST_DAYS:
        return None
    columns = {c.name for c in days.values()}
    left = [c.name for c in file.columns if c.name not in {*columns, year, week}]
    picked = "".join(f"{quote(name)}, " for name in left)
    told_days = {c.name: str(n) for n, c in days.items()}
    cells = cells_of(file, [*left, year, week], told_days, "weekday", VALUE)
    number = f"lpad(regexp_extract({quote(week)}::VARCHAR, '\\d+'), 2, '0')"
    told = f"(trim({quote(year)}::VARCHAR) || '-W' || {number} || '-' || weekday)"
    day = f"TRY_STRPTIME({told}, '{_ISO}')"  # makes a day of a week 53 that the year has not
    is_day = f"strftime({day}, '{_ISO}') = {told}"
    return (
        f"SELECT {picked}CASE WHEN {is_day} THEN {day}::DATE::VARCHAR ELSE {told} END AS date, "
        f"{VALUE} FROM {cells}",
        f"each day of the weeks in {week} ({next(iter(days.values())).name} …): each cell is a row",
    )


def _weekdays(file: FileFacts) -> dict[int, ColumnFacts]:
    """Return the columns of weekdays in their order beside each other, from 1, Monday."""
    found: dict[int, ColumnFacts] = {}
    for column in file.columns:
        number = len(found) + 1
        if number <= len(_WEEKDAYS) and re.fullmatch(_WEEKDAYS[number - 1], plain(column.name)):
            found[number] = column
        elif found and len(found) < _LEAST_DAYS:
            found = {}
    return found
