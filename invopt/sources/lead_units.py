"""Lead times of files, which count days or weeks, in periods of the data."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from invopt.frequency import sizes_of
from invopt.sources.duck import Reader
from invopt.sources.facts import TEXT, ColumnFacts
from invopt.sources.vocabulary import by_word, plain
from invopt.sources.words import named
from invopt.sql import quote
from invopt.timeline import frequency_unit

_SECTIONS = ("position", "products", "suppliers", "lanes", "stock")
# Days of a unit that a column's name, or its cells, may say.
_UNITS = (
    (r"hours?|hrs?|stunden?|heures?|horas?", "hours", 1 / 24),
    (r"days?|plifz|tagen?|tage|jours?|dias?|giorni|dagen|dni", "days", 1.0),
    (r"weeks?|wks?|wochen?|semaines?|semanas?|settimane|weken|tygodni", "weeks", 7.0),
    (r"months?|monate?n?|mois|mes(es)?|mesi|maanden|miesiecy", "months", 30.4375),
)
_PERIODS = {"D": "days", "W": "weeks", "2W": "periods of two weeks", "MS": "months",
            "QS": "quarters"}  # fmt: skip
# Days that the longest period of a kind has: a month of 31 days is one month.
_LONGEST = {"D": 1.0, "W": 7.0, "2W": 14.0, "MS": 31.0, "QS": 92.0}
_YEAR = 366.0  # days; no lead time that a file names is longer
_WEEK = 7  # days


def count_in_periods(
    reader: Reader, tables: Mapping[str, Any], made: Mapping[str, Any], freq: str, notes: list[str]
) -> None:
    """Turn lead times of proposed tables into periods, where their names or values say the unit.

    A name such as `lead_time_days` or `Lieferzeit (Wochen)` says it, and so do cells such as
    `14 days`. Values say it where, taken as periods, the longest one exceeds a year, or where all
    are whole weeks in days. Fractions of a period are rounded up. What is left is taken as
    periods, and a note says so unless periods are days.

    Args:
        reader: Holds every file under its name.
        tables: Mapping by section; changed in place.
        made: Sources of SQL by name.
        freq: Of the data.
        notes: Gets a sentence for each table whose unit had to be guessed or was converted.
    """
    for section in _SECTIONS:
        listed = tables.get(section, [])
        for table in listed if isinstance(listed, list) else [listed]:
            if "lead_time" in table.get("columns", {}):
                found = _convert(reader, section, table, made, frequency_unit(freq))
                notes += [found] if found else []


def lead_time_in_words(columns: Iterable[ColumnFacts]) -> dict[str, str] | None:
    """Return the entry of lead times such as "14 days", None where there are none in one unit."""
    texts = {c.name: c for c in columns if c.kind == TEXT and c.values}
    name = by_word(list(texts), "lead_time")
    if name is None:
        return None
    found = [re.fullmatch(r"\s*\d+([.]\d+)?\s*([^\W\d]+)[.]?\s*", v) for v in texts[name].values]
    units = {_unit_of(match[2]) if match else None for match in found}
    if len(units) > 1 or None in units:
        return None
    return {"expr": named(name), "unit": "".join(unit[0] for unit in units if unit)}


def _convert(
    reader: Reader, section: str, table: Any, made: Mapping[str, Any], period: str
) -> str | None:
    """Write a table's lead time in periods; returns what a person should know of it."""
    expr, cell_unit = _parts(table["columns"]["lead_time"])
    if expr is None:
        return None
    said = _unit_of(expr) or _unit_of(cell_unit)
    name = f"lead_time of {section}"
    if said is not None:
        is_same = said[0] == _PERIODS[period]
        if is_same and not cell_unit:
            return None
        table["columns"]["lead_time"] = _in_periods(expr, cell_unit, said[1], period)
        told = f"{name} counts {said[0]}, and is read as {_PERIODS[period]}, rounded up"
        return None if is_same else told
    values = [] if period == "D" or cell_unit else _values(reader, table["from"], made, expr)
    if not values:
        return None
    weekly = len(values) > 1 and all(v % _WEEK == 0 for v in values)
    spread = " to ".join(f"{v:g}" for v in sorted({min(values), max(values)}))
    if max(values) * sizes_of(period).days > _YEAR or weekly:
        table["columns"]["lead_time"] = _in_periods(expr, "", 1.0, period)
        return (
            f"{name} is {spread}, which would be long as {_PERIODS[period]}: it is taken as days "
            f"and read as {_PERIODS[period]}, rounded up"
        )
    return (
        f"{name} is {spread}, taken as {_PERIODS[period]}: where it counts days, write "
        f"{_in_periods(expr, '', 1.0, period)}"
    )


def _parts(entry: Any) -> tuple[str | None, str]:
    """Return expression and the unit in the cells; no expression where numbers have a format."""
    if isinstance(entry, str):
        return entry, ""
    if set(entry) == {"expr", "unit"}:
        return str(entry["expr"]), str(entry["unit"])
    return None, ""


def _unit_of(text: str) -> tuple[str, float] | None:
    words = plain(text).split("_")
    for pattern, name, days in _UNITS:
        if any(re.fullmatch(pattern, word) for word in words):
            return name, days
    return None


def _in_periods(expr: str, cell_unit: str, days: float, period: str) -> str:
    number = f"num({expr})"
    if cell_unit:
        number = f"num(regexp_extract({expr}, '[0-9]+([.][0-9]+)?'))"
    ratio = days / _LONGEST[period]
    factor = f" * {ratio:g}" if ratio >= 1 else f" / {1 / ratio:g}"
    return f"ceil({number}{'' if ratio == 1 else factor})"


def _values(reader: Reader, source: str, made: Mapping[str, Any], expr: str) -> list[float]:
    """Return the distinct lead times of a source, some of them where they are many."""
    place = f"({made[source]['sql']})" if source in made else quote(source)
    rows = reader.fetch(
        f"SELECT DISTINCT num({expr}) AS v FROM {place} t WHERE num({expr}) > 0 ORDER BY v LIMIT "
        "1000",
        source,
    ).to_pylist()
    return [row["v"] for row in rows]
