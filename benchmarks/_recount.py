"""What every row of random tables should become, worked out in plain Python.

The rules are those of docs/your-data.md: what is used, left out or set aside, which cell is
unknown, which row of several counts. Nothing here calls invopt.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, isfinite
from typing import Any

from benchmarks._tables import Row, Style, tried

Cell = tuple[str, date]
_FIRST_OF_ALL = date(1900, 1, 1)


def floor(day: date, freq: str) -> date:
    """Return the first day of the period that holds a day."""
    if freq == "W-MON":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if freq == "MS" else day


def after(period: date, freq: str) -> date:
    """Return the first day of the next period."""
    return floor(period + timedelta(days={"D": 1, "W-MON": 7, "MS": 31}[freq]), freq)


def steps(start: date, end: date, freq: str) -> int:
    """Return how many periods lie from one day's period to another's."""
    start, end = floor(start, freq), floor(end, freq)
    if freq == "MS":
        return 12 * (end.year - start.year) + end.month - start.month
    return (end - start).days // (7 if freq == "W-MON" else 1)


@dataclass
class Case:
    """A data set: its mapping, and how Python reads its tables back.

    Attributes:
        mapping: As invopt takes it.
        freq: D, W-MON or MS.
        today: Of the clock; None for none.
        styles: By "table.column".
        options: By "table.option".
        first: First day that the sales have.
    """

    mapping: dict[str, Any]
    freq: str
    today: date | None
    styles: dict[str, Style]
    options: dict[str, Any]
    first: date = field(default=_FIRST_OF_ALL)

    def read(self, table: str, row: Row, column: str) -> Any:
        """Return a cell's value; None where it is blank or cannot be read."""
        value = tried(self.styles[f"{table}.{column}"].read, row[column])
        is_odd = isinstance(value, Decimal) and not (value.is_finite() and isfinite(float(value)))
        return None if is_odd else value

    def is_open(self, day: date) -> bool:
        """Return whether a day's period has not ended by the clock."""
        return self.today is not None and day >= floor(self.today, self.freq)


def _says(text: str) -> bool:
    """Return whether a cell says something: a blank and a mark of what is not known do not."""
    return text.strip() not in ("", "nan")


def key_of(row: Row) -> str | None:
    """Return the name of a row's series, None where it has none."""
    return f"{row['sku']}_{row['store']}" if row["sku"] and row["store"] else None


@dataclass
class Sold:
    """Sales as they should be read.

    Attributes:
        cells: Units by series and period.
        prices: The highest of each cell's.
        unknown: Cells of refused lines.
        fate: Rows used, filtered and aside.
        keys: Series.
        last: Last period.
    """

    cells: dict[Cell, Decimal]
    prices: dict[Cell, Decimal]
    unknown: set[Cell]
    fate: Counter[str]
    keys: set[str] = field(default_factory=set)
    last: date = _FIRST_OF_ALL


def sales(case: Case, rows: list[Row]) -> Sold:
    """Return what lines (or rows of one per series and period) should become."""
    found = Sold({}, {}, set(), Counter(used=0, filtered=0, aside=0))
    seen: set[str] = set()
    adds_up = case.options["sales.layout"] == "transactions"
    for row in rows:
        if not case.options["sales.kept"](row):
            found.fate["filtered"] += 1
            continue
        repeated = case.options["sales.line_key"] and row["line"] in seen
        if row["line"]:
            seen.add(row["line"])
        _sale(case, row, found, repeated=repeated, adds_up=adds_up)
    found.keys = {key for key, _ in found.cells}
    found.last = max(period for _, period in found.cells)
    found.unknown = {
        (key, period) for key, period in found.unknown if key in found.keys and period <= found.last
    }
    for cell in found.unknown if adds_up else ():
        found.cells.pop(cell, None)
    return found


def _sale(case: Case, row: Row, found: Sold, *, repeated: bool, adds_up: bool) -> None:
    key, day = key_of(row), case.read("sales", row, "day")
    units, price = case.read("sales", row, "qty"), case.read("sales", row, "price")
    unread = units is None or (price is None and _says(row["price"]))
    negative = units is not None and units < 0 and not case.options["sales.net"]
    wrong = unread or negative or (price is not None and price < 0)
    if key is None or day is None or case.is_open(day):
        found.fate["aside"] += 1
        return
    cell = key, floor(day, case.freq)
    if repeated or wrong:
        found.fate["aside"] += 1
        if not repeated and (unread or not (negative and adds_up)):
            found.unknown.add(cell)
        return
    if not adds_up and cell in found.cells:
        found.fate["aside"] += 1
        return
    found.fate["used"] += 1
    found.cells[cell] = found.cells.get(cell, Decimal(0)) + units
    if price is not None:
        found.prices[cell] = max(price, found.prices.get(cell, price))


def wide(case: Case, rows: list[Row]) -> Sold:
    """Return what a table with a column per period should become; its fate counts cells."""
    found = Sold({}, {}, set(), Counter(used=0, filtered=0, aside=0))
    days: dict[str, date] = case.options["sales.periods"]
    for row in rows:
        key = key_of(row)
        if key is None or key in found.keys:
            found.fate["aside"] += len(days)
            continue
        found.keys.add(key)
        for name, day in days.items():
            value = tried(case.styles["sales.qty"].read, row[name])
            if value is not None and not (value.is_finite() and isfinite(float(value))):
                value = None
            bad = value is None and row[name].strip() != ""
            bad |= value is not None and value < 0 and not case.options["sales.net"]
            found.fate["aside" if bad or case.is_open(day) else "used"] += 1
            if value is not None and not bad and not case.is_open(day):
                found.cells[key, floor(day, case.freq)] = value
    found.last = max(floor(d, case.freq) for d in days.values() if not case.is_open(d))
    return found


def position(case: Case, rows: list[Row], keys: set[str]) -> tuple[dict[str, Decimal], int]:
    """Return stock by series (negative: waiting customers), and how many rows are used."""
    sound = []
    for row in rows:
        key, units = key_of(row), case.read("position", row, "n")
        day = case.read("position", row, "day")
        if case.options["position.ds"]:
            future = case.today is not None and day and day > case.today + timedelta(days=1)
            if day is None or future:
                continue
        else:
            day = _FIRST_OF_ALL
        if key is not None and units is not None:
            sound.append((key, day, units))
    latest: dict[str, date] = {}
    for key, day, _ in sound:
        latest[key] = max(day, latest.get(key, day))
    held: dict[str, Decimal] = {}
    used = 0
    for key, day, units in sound:
        if (
            key in keys
            and day == latest[key]
            and (case.options["position.lots"] or key not in held)
        ):
            held[key] = held.get(key, Decimal(0)) + units
            used += 1
    return held, used


def open_orders(
    case: Case, rows: list[Row], sold: Sold
) -> tuple[dict[tuple[str, int], Decimal], int]:
    """Return units under way by series and periods from the last one, and the rows used."""
    due: dict[tuple[str, int], Decimal] = {}
    used = 0
    for row in rows:
        key, units = key_of(row), case.read("open_orders", row, "n")
        when = case.read("open_orders", row, "due")
        if key not in sold.keys or units is None or units < 0 or when is None:
            continue
        assert key is not None
        is_day = isinstance(when, date)
        at = key, steps(sold.last, when, case.freq) if is_day else ceil(when)
        due[at] = due.get(at, Decimal(0)) + units
        used += 1
    return due, used


def products(case: Case, rows: list[Row]) -> tuple[dict[str, dict[str, Any]], int]:
    """Return category, list_price and phase_in by product row's key, and the rows used."""
    sound: list[tuple[str, dict[str, Any]]] = []
    for row in rows:
        key, price = key_of(row), case.read("products", row, "list_price")
        if key is None or (price is None and _says(row["list_price"])):
            continue
        day = case.read("products", row, "phase_in")
        told = day.isoformat() if day else row["phase_in"].strip() or None
        found = {"category": row["category"] or None, "list_price": price, "phase_in": told}
        sound.append((key, found))
    described: dict[str, dict[str, Any]] = {}
    for key, found in sound:
        known = described.setdefault(key, dict.fromkeys(found))
        for column, value in found.items():
            known[column] = value if known[column] is None else known[column]
    agree = [all(v in (None, described[key][c]) for c, v in f.items()) for key, f in sound]
    return described, sum(agree)


def channel(
    case: Case, table: str, rows: list[Row], place: Callable[[Row], str | None], until: int
) -> tuple[dict[tuple[str, int], Decimal], int]:
    """Return the values of a channel by group and period, and how many rows are used.

    Args:
        case: The data set.
        table: Of the mapping.
        rows: Of it.
        place: The group of a row; None where it is empty or names none.
        until: Periods of the panel, and those after it that may be known.
    """
    how = case.options[f"{table}.how"]
    taken: dict[tuple[str, int], list[tuple[date, int, Decimal | None]]] = {}
    used = 0
    for number, row in enumerate(rows):
        group, day = place(row), case.read(table, row, "day")
        value = case.read(table, row, "n")
        if group is None or day is None or (value is None and _says(row["n"])):
            continue
        at = group, steps(case.first, day, case.freq)
        if not 0 <= at[1] < until or (how is None and at in taken):
            continue
        taken.setdefault(at, []).append((day, number, value))
        used += 1
    combine: dict[Any, Callable[[list[Any]], Any]] = {
        None: lambda v: v[0][2], "sum": lambda v: sum(n for *_, n in v),
        "min": lambda v: min(n for *_, n in v), "max": lambda v: max(n for *_, n in v),
        "last": lambda v: max(v)[2],
    }  # fmt: skip
    found = {}
    for at, given in taken.items():
        told = [g for g in given if g[2] is not None]
        if told:
            found[at] = combine[how](told)
    return found, used


def receipts(case: Case, rows: list[Row], last: date) -> list[tuple[Any, ...]]:
    """Return (supplier, ordered, received, quantity, lead time in periods) of the rows used.

    Args:
        case: The data set.
        rows: Of the table.
        last: First day of the last period of sales.
    """
    found, end = [], case.today or after(last, case.freq) - timedelta(days=1)
    for row in rows:
        ordered, received, units = (
            case.read("receipts", row, c) for c in ("ordered", "received", "n")
        )
        if ordered is None or received is None or received < ordered:
            continue
        if received > end + timedelta(days=1):  # announced, not received
            continue
        if units is None and row["n"].strip():
            continue
        if not row["supplier"]:
            continue
        lead = steps(ordered, received, case.freq)
        found.append((row["supplier"], ordered, received, units, lead))
    return found
