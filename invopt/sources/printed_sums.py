"""Sums that a printed list writes between its lines, in rows that have no date."""

import math

from invopt.sources.facts import ColumnFacts, date_sql
from invopt.sources.lines import Lines
from invopt.sql import quote

_MOST = 0.95  # share of such rows that must be sums of the lines above them
_LEAST = 2  # rows
_DECIMALS = 3


def leave_out_printed_sums(lines: Lines, date: ColumnFacts) -> None:
    """Leave out rows without a date that add up lines above them, of a product or of all.

    Nearly all of them must do so, or else a row without a date is one whose date is not known. A
    row of which nothing is counted is none.

    Args:
        lines: Gets a rule and a note.
        date: Of the sales.
    """
    text = f"coalesce(trim({quote(date.name)}::VARCHAR), '')"
    if date.expr is not None or not lines.num_lines(f"{text} = '' AND {lines.amount()} <> 0"):
        return
    rows = lines.reader.fetch(
        f"SELECT ({date_sql(date)}) IS NULL AND {text} = '' AS is_sum, {lines.amount()}::DOUBLE AS "
        f"y FROM {quote(lines.file.name)}",
        lines.file.name,
    )
    is_sum, y = rows["is_sum"].to_pylist(), rows["y"].to_pylist()
    found = _sums_of_lines_above(is_sum, y)
    if len(found) < _LEAST or sum(found) < _MOST * len(found):
        return
    lines.rules.append(f"{text} <> ''")
    lines.notes.append(
        f"{sum(is_sum):,} rows of {lines.file.name} have no {date.name}, and are titles or add up "
        "lines above them: they are left out"
    )


def _sums_of_lines_above(is_sum: list[bool], y: list[float | None]) -> list[bool]:
    """Return of each row without a date, by whether its number is the sum of some lines above it.

    These lines stand together and end with the last one: the sum is a difference of two of the
    running sums.
    """
    running, before, found = 0.0, {0.0}, []
    for is_one, number in zip(is_sum, y, strict=True):
        if number is None or math.isnan(number):
            continue
        if is_one:
            if number:
                found.append(round(running - number, _DECIMALS) + 0.0 in before)
            continue
        running += number
        before.add(round(running, _DECIMALS) + 0.0)
    return found
