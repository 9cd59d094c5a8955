"""Columns of a wide table that are periods: dates, weeks, one word with a running number."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

import pandas as pd

from invopt.sources.days import days_of
from invopt.sources.duck import Reader
from invopt.sources.facts import NUMBER, FileFacts, cells_by_form
from invopt.sources.formats import YEAR_WEEK, swapped
from invopt.sources.measures import Measured, measured_periods
from invopt.sql import literal, quote

# A word with a running number; columns without a name are called column_1 and so on here.
_NUMBERED = r"(?!column_)[A-Za-z]+_?\d+"
_WIDE_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
    "%Y%m", "%Y%m%d", "%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y",
    "%b-%y", "%b %y", "%b-%Y", "%b %Y",
)  # fmt: skip
_MIN_WIDE = 8
_MIN_DATED = 4  # columns whose names are days or months, with their year
_MONTHS_OF_A_YEAR = 12


def dated_names(names: Iterable[str]) -> list[str]:
    """Return the names that are dates, of one form; none where fewer than two are."""
    names = list(names)
    for form in _WIDE_FORMATS:
        found = [n for n in names if not pd.isna(pd.to_datetime(n, format=form, errors="coerce"))]
        if len(found) > 1:
            return found
    return []


def periods_among(names: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """Return the columns that are periods: dates, or one word with a running number."""
    names = list(names)
    weeks = [n for n in names if re.fullmatch(r"(19|20)\d{2}(0[1-9]|[1-4]\d|5[0-3])", n)]
    if len(weeks) >= _MIN_WIDE and any(int(n[4:]) > _MONTHS_OF_A_YEAR for n in weeks):
        return tuple(weeks), YEAR_WEEK
    form, dated = _dated_best(names)
    if len(dated) >= _MIN_DATED:
        return tuple(dated), form
    stems: dict[str, list[str]] = {}
    for numbered in (n for n in names if re.fullmatch(_NUMBERED, n)):
        stems.setdefault(re.sub(r"\d+$", "", numbered), []).append(numbered)
    most = max(stems.values(), key=len, default=[])
    if len(most) >= 4 * _MIN_WIDE:
        return tuple(most), None
    return (), None


def _dated_best(names: list[str]) -> tuple[str | None, list[str]]:
    """Return the format of dates that most names have, and those names.

    Of two that fit as many (day and month exchanged) the one of the shorter stretch of time.
    """
    best: tuple[int, int] = (0, 0)
    taken: tuple[str | None, list[str]] = (None, [])
    series = pd.Series(names, dtype=object)
    for form in _WIDE_FORMATS:
        days = pd.to_datetime(series, format=form, errors="coerce")
        found = days.dropna()
        if not len(found) or found.duplicated().any():
            continue
        rank = len(found), -int((found.max() - found.min()).days)
        if len(found) > best[0] or (rank > best and swapped(form) in _WIDE_FORMATS):
            best, taken = rank, (form, [str(name) for name in series[days.notna()]])
    return taken


def periods_measured(
    reader: Reader, name: str, types: Iterable[str]
) -> tuple[tuple[str, ...], tuple[date, ...] | None, Measured | None]:
    """Return the columns of periods that hold what was sold, their days, and what stands beside."""
    measured = measured_periods(types)
    found = {} if measured is None else days_of(reader, name, measured.labels)
    if len(found) < _MIN_DATED or len(set(found.values())) < len(found):
        return (), None, None
    if len({(day.month, day.day) for day in found.values()}) == 1:
        return (), None, None  # one month of each year: In 2024, Out 2024 (October in Portuguese)
    return tuple(found), tuple(found.values()), measured


def period_starts(periods: Sequence[str], form: str) -> pd.DatetimeIndex:
    """Return the first days of periods that columns are named after, by the format of the names."""
    weekly = form == YEAR_WEEK
    days = [f"{period}1" for period in periods] if weekly else list(periods)
    return pd.to_datetime(days, format=f"{form}{'%u' if weekly else ''}")


def period_cells(file: FileFacts, kept: Sequence[str], value: str) -> str:
    """Return the SQL, from behind FROM, of a row for each cell of period columns, dated.

    It names the columns by their form, so that it stays short and reads those that come later.

    Args:
        file: With columns of periods whose names have a format.
        kept: Columns that stay beside each cell.
        value: Column of the cell, as text; `date` is that of the day.
    """
    assert file.periods_format is not None
    pattern = f"^{wide_pattern(file.periods_format, file.periods)}$"
    listed = "".join(f"{quote(name)}, " for name in kept)
    cells = cells_by_form(file, kept, literal(pattern), "__period", value)
    weekly = file.periods_format == YEAR_WEEK
    named, form = ("__period || '1'", f"{YEAR_WEEK}%u") if weekly else (
        "__period", file.periods_format
    )  # fmt: skip
    return (
        f"(SELECT {listed}strptime({named}, {literal(form)})::DATE::VARCHAR AS date, "
        f"{quote(value)} FROM {cells})"
    )


def columns_beside(file: FileFacts) -> list[str]:
    """Return the columns beside the periods that say whose a row is; a sum of it is no key."""
    return [column.name for column in file.columns if column.kind != NUMBER]


def wide_pattern(form: str, names: Iterable[str]) -> str:
    """Return a regular expression of the column names that have a strptime format.

    Args:
        form: The format.
        names: Of the columns: where some write 1/5/2026, one figure is enough for all.
    """
    strict = _pattern_of(form, r"\d\d")
    return strict if all(re.fullmatch(strict, n) for n in names) else _pattern_of(form, r"\d\d?")


def _pattern_of(form: str, figures: str) -> str:
    parts = {
        "%G": r"\d\d\d\d",
        "%V": r"\d\d",
        "%Y": r"\d\d\d\d",
        "%b": r"[A-Za-z]+",
        "%m": figures,
        "%d": figures,
        "%y": r"\d\d",
    }
    pattern = re.escape(form).replace("\\-", "-").replace("\\ ", " ")
    for directive, digits in parts.items():
        pattern = pattern.replace(directive, digits)
    return pattern
