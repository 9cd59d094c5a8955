"""Weekdays on which nobody sells anything, as a calendar of closed days.

Without one the order of the last open day is for the closed one, and nothing is there on the next.
"""

from typing import Any

import pandas as pd

from invopt.sources.facts import date_sql
from invopt.sources.placing import Placing
from invopt.sources.sales_facts import SalesFile
from invopt.sql import quote

SOURCE = "closed_weekdays"
_WEEKS = 8  # without a sale on a weekday, from which on it is closed
_AHEAD = 1_100  # days of the calendar beyond the last sale
_MOST = 3  # weekdays that may be closed: what sells on fewer has no weeks
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def close_weekdays(found: Placing, sales: SalesFile, frequency: str) -> None:
    """Write a calendar where some weekdays have no sale at all, and say so.

    Args:
        found: Gets the table and its source, where the files have none.
        sales: Their file.
        frequency: Of the data: weeks have no weekdays.
    """
    if frequency != "D" or "calendar" in found.tables or sales.date is None or sales.file.periods:
        return
    closed, first = _closed(found, sales)
    if not closed:
        return
    last = found.dates.max() + pd.Timedelta(days=_AHEAD)
    numbers = ", ".join(str(day + 1) for day in closed)
    found.sources[SOURCE] = {
        "sql": f"SELECT day::DATE AS ds, 0 AS open FROM range(DATE '{first:%Y-%m-%d}', "
        f"DATE '{last:%Y-%m-%d}', INTERVAL 1 DAY) t(day) WHERE isodow(day) IN ({numbers})"
    }
    columns: dict[str, Any] = {"ds": "ds", "open": "open"}
    found.tables["calendar"] = {"from": SOURCE, "columns": columns}
    found.behind[SOURCE] = [sales.file.name]
    names = " and ".join(f"{_DAYS[day]}s" for day in closed)
    found.notes.append(
        f"nothing was sold on {names} since {first:%Y-%m-%d}: they are taken as closed (calendar), "
        "so that orders of the day before are for the day after; take calendar out where goods are "
        "ordered, received or sold then"
    )


def _closed(found: Placing, sales: SalesFile) -> tuple[list[int], pd.Timestamp]:
    """Return the weekdays (0 for Monday) on which nothing was sold of late, and since when."""
    assert sales.date is not None
    day = date_sql(sales.date)
    sold = (
        f"{sales.quantity.style.sql(quote(sales.quantity.name))} > 0"
        if sales.quantity is not None
        else "true"
    )
    rows = found.reader.fetch(
        f"SELECT isodow(d) - 1 AS weekday, max(d) AS latest FROM (SELECT {day} AS d FROM "
        f"{quote(sales.file.name)} WHERE {sold}) WHERE d BETWEEN "
        f"DATE '{found.dates.min():%Y-%m-%d}' AND DATE '{found.dates.max():%Y-%m-%d}' GROUP BY 1",
        sales.file.name,
    ).to_pylist()
    begin, end = found.dates.min(), found.dates.max()
    latest = {row["weekday"]: pd.Timestamp(row["latest"]) for row in rows}
    since = {
        k: latest.get(k, begin - pd.Timedelta(days=1)) + pd.Timedelta(days=1) for k in range(7)
    }
    enough = pd.Timedelta(weeks=_WEEKS)
    closed = [k for k, start in since.items() if end - start >= enough]
    if not 0 < len(closed) <= _MOST:
        return [], begin
    return closed, max(since[k] for k in closed)
