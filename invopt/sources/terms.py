"""The tables that planning alone reads: suppliers, price breaks, receipts, calendars, lanes ...

A row that cannot be used is set aside with its reason, and the rest is planned.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.contracts import TermsTables
from invopt.lanes import KINDS as KINDS_OF_LANES
from invopt.sources.ledger import AFTER, DUPLICATE, FUTURE, ORPHAN, Ledger
from invopt.sources.mapping import TERMS, Expression, Mapping, TermsTable
from invopt.sources.places import lane_faults
from invopt.sources.standard import BOOLEAN, DATE, NUMBER, TEXT, standardise
from invopt.sql import literal, quote
from invopt.timeline import Timeline
from invopt.types import BoolArray, IntArray

UNIQUE_ID = "unique_id"
# First two letters of the weekdays, in English and German.
WEEKDAYS = {"mo": 0, "tu": 1, "di": 1, "we": 2, "mi": 2, "th": 3, "do": 3, "fr": 4, "sa": 5,
            "su": 6, "so": 6}  # fmt: skip
_WEEKDAY = (
    "mon?(day|tag)?|tue?s?(day)?|di(enstag)?|wed?(nesday)?|mi(ttwoch)?|thu?r?s?(day)?|"
    "do(nnerstag)?|fri?(day)?|freitag|sat?(urday)?|sa(mstag)?|sun?(day)?|so(nntag)?"
)
KINDS = ("demand", "factor", "order")
# What each table may hold; any other column of overrides is a scope.
COLUMNS: dict[str, dict[str, str]] = {
    "suppliers": {
        "supplier": TEXT, "lead_time": NUMBER, "lead_time_deviation": NUMBER, "order_days": TEXT,
        "min_value": NUMBER, "min_units": NUMBER, "order_cost": NUMBER, "budget": NUMBER,
    },
    "price_breaks": {"supplier": TEXT, "from_quantity": NUMBER, "unit_cost": NUMBER},
    "receipts": {"supplier": TEXT, "ordered": DATE, "received": DATE, "quantity": NUMBER,
                 "ordered_quantity": NUMBER},
    "calendar": {"location": TEXT, "supplier": TEXT, "ds": DATE, "open": BOOLEAN},
    "overrides": {
        "from": DATE, "to": DATE, "kind": TEXT, "value": NUMBER, "who": TEXT, "why": TEXT,
        "made_at": TEXT,
    },
    "lanes": {
        "source": TEXT, "location": TEXT, "product": TEXT, "lead_time": NUMBER, "order_days": TEXT,
        "min_units": NUMBER, "pack_size": NUMBER, "capacity": NUMBER, "cost": NUMBER, "kind": TEXT,
    },
}  # fmt: skip
_NEEDED = {
    "suppliers": ("supplier",),
    "price_breaks": ("from_quantity", "unit_cost"),
    "receipts": ("ordered", "received"),
    "calendar": ("ds", "open"),
    "overrides": ("kind", "value"),
    "lanes": ("source", "location"),
}
_NOT_NEGATIVE = ("min_value", "min_units", "order_cost", "budget", "from_quantity",
                 "lead_time_deviation", "value", "capacity", "cost")  # fmt: skip


def read_terms(path: Path) -> TermsTables:
    """Return the tables of planning of a folder written by read_dataset."""
    files = {name: path / f"{name}.parquet" for name in (*TERMS, "nodes")}
    found: dict[str, Any] = {n: pd.read_parquet(f) for n, f in files.items() if f.is_file()}
    return TermsTables(**found)


def read_terms_tables(
    ledger: Ledger,
    mapping: Mapping,
    key: Expression,
    series: pd.DataFrame,
    timeline: Timeline,
    names: Sequence[str] = TERMS,
    today: pd.Timestamp | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the mapped ones of the tables of planning, by file name.

    Args:
        ledger: Account to keep, of a reader that holds the sources.
        mapping: Names and layouts.
        key: Default expression of a series' name.
        series: Products, by unique_id.
        timeline: Of the sales.
        names: Tables to read.
        today: No delivery was received later; the end of the sales where no clock is known.
    """
    found, last = {}, timeline.last_day(timeline.num_periods - 1)
    end, reason = (last, AFTER) if today is None else (today, FUTURE)
    # It is tomorrow in the east.
    not_yet = f"> DATE '{end + pd.Timedelta(days=1):%Y-%m-%d}'", reason
    for name in names:
        table = getattr(mapping, name)
        if table is not None:
            found[name] = _read(
                ledger, name, table, key, series, timeline=timeline, not_yet=not_yet
            )
    return found


def _read(
    ledger: Ledger,
    name: str,
    table: TermsTable,
    key: Expression,
    series: pd.DataFrame,
    timeline: Timeline,
    not_yet: tuple[str, str],
) -> pd.DataFrame:
    reader, columns = ledger.reader, dict(table.columns)
    own = table.unique_id or columns.pop(UNIQUE_ID, None)
    if own is None and _is_by_series(name, columns):
        own = key
    kinds = {c: COLUMNS[name].get(c, TEXT) for c in columns}
    std = standardise(
        reader,
        name,
        table,
        key=None,
        ds=None,
        columns=({UNIQUE_ID: own} if own is not None else {}) | columns,
        kinds={UNIQUE_ID: TEXT} | kinds,
        rules=_rules(name, tuple(columns), not_yet),
    )
    frame = reader.fetch(
        f'SELECT * EXCLUDE (reason, key) FROM "{std.view}" WHERE reason IS NULL ORDER BY __row',
        name,
    ).to_pandas()
    frame, lost = _checked(frame, name, series, timeline)
    for reason, rows in lost.items():
        ledger.set_aside_rows(std, rows, reason)
    ledger.enter_view(std, lost={reason: len(rows) for reason, rows in lost.items()})
    return frame.drop(columns="__row").reset_index(drop=True)


def _is_by_series(name: str, columns: dict[str, Expression]) -> bool:
    return name in ("price_breaks", "receipts") and "supplier" not in columns


def _rules(name: str, columns: Sequence[str], not_yet: tuple[str, str]) -> dict[str, str]:
    """Return the reason and the SQL condition of every rule of a table.

    Args:
        name: Of the table.
        columns: Mapped ones.
        not_yet: What holds of a day to come, and the reason: what is still to be received was
            announced, and tells no lead time.
    """
    known, rules = COLUMNS[name], {}
    for column in _NEEDED[name]:
        if column in columns:
            empty = f"{quote(column)} IS NULL"
            if known[column] == TEXT:
                empty += f" OR trim({quote(column)}) = ''"
            rules[f"{column} is empty or cannot be read"] = empty
        else:
            rules[f"{column} is not mapped"] = "true"
    for column in columns:
        raw = quote(f"{column}_raw")
        if known.get(column) == DATE and column not in _NEEDED[name]:
            given = f"{raw} IS NOT NULL AND trim({raw}) <> ''"
            rules[f"{column} is not a date"] = f"{quote(column)} IS NULL AND {given}"
        if column in _NOT_NEGATIVE:
            rules[f"{column} is negative"] = f"{quote(column)} < 0"
    if name == "suppliers" and "lead_time" in columns:
        rules["the supplier has no lead time"] = "lead_time IS NULL"
        rules["lead_time is not whole periods, 0 or more"] = (
            "lead_time < 0 OR lead_time <> round(lead_time)"
        )
    if name == "lanes":
        rules |= _lane_rules(columns)
    if name == "price_breaks":
        rules["unit_cost is not above 0"] = "unit_cost <= 0"
    if name == "receipts":
        rules["it was received before it was ordered"] = "received < ordered"
        if "received" in columns:
            condition, reason = not_yet
            rules[reason] = f"received {condition}"
    if name == "overrides":
        kinds = ", ".join(map(literal, KINDS))
        rules["kind is none of demand, factor, order"] = f"lower(trim(kind)) NOT IN ({kinds})"
        if "from" in columns and "to" in columns:
            rules["it ends before it begins"] = '"to" < "from"'
            rules["a demand needs the dates it is for"] = (
                'lower(trim(kind)) = \'demand\' AND ("from" IS NULL OR "to" IS NULL)'
            )
        else:
            rules["a demand needs the dates it is for"] = "lower(trim(kind)) = 'demand'"
    return {reason.replace("'", "''"): condition for reason, condition in rules.items()}


def _lane_rules(columns: Sequence[str]) -> dict[str, str]:
    """Return why a single lane cannot be used; see invopt.sources.places for all together."""
    rules = {"the lane has no lead time": "lead_time IS NULL" if "lead_time" in columns else "true"}
    if "lead_time" in columns:
        rules["lead_time is not whole periods, 0 or more"] = (
            "lead_time < 0 OR lead_time <> round(lead_time)"
        )
    if {"source", "location"} <= set(columns):
        rules["the place supplies itself"] = "trim(source) = trim(location)"
    if "pack_size" in columns:
        rules["pack_size is not above 0"] = "pack_size <= 0"
    if "kind" in columns:
        kinds = ", ".join(map(literal, ("", *KINDS_OF_LANES)))
        rules[f"kind is none of {', '.join(KINDS_OF_LANES)}"] = (
            f"lower(trim(kind)) NOT IN ({kinds})"
        )
    return rules


def _checked(
    frame: pd.DataFrame, name: str, series: pd.DataFrame, timeline: Timeline
) -> tuple[pd.DataFrame, dict[str, IntArray]]:
    """Return the rows that can be used, and the numbers of the others by reason."""
    lost: dict[str, IntArray] = {}

    def drop(frame: pd.DataFrame, bad: BoolArray, reason: str) -> pd.DataFrame:
        if bad.any():
            lost[reason] = frame.loc[bad, "__row"].to_numpy(np.int64)
        return frame.loc[~bad]

    if UNIQUE_ID in frame and name != "calendar":
        known = set(series[UNIQUE_ID].astype(str))
        given = frame[UNIQUE_ID].notna() & (frame[UNIQUE_ID].astype(str).str.strip() != "")
        bad = given & ~frame[UNIQUE_ID].astype(str).isin(known)
        if name != "overrides" and "supplier" not in frame:
            bad |= ~given
        frame = drop(frame, bad.to_numpy(), ORPHAN)
    if name in ("price_breaks", "receipts") and "supplier" in frame:
        named = frame[[c for c in (UNIQUE_ID, "supplier") if c in frame]].fillna("").astype(str)
        nobody = (named.apply(lambda column: column.str.strip()) == "").all(axis=1)
        frame = drop(frame, nobody.to_numpy(), "it names neither a series nor a supplier")
    if name == "lanes":
        frame = _with_weekdays(frame, drop)
        frame, more = lane_faults(frame, series)
        lost |= more
    if name == "suppliers":
        frame = _with_weekdays(frame, drop)
        frame = drop(frame, frame["supplier"].duplicated().to_numpy(), DUPLICATE)
    if name == "receipts":
        ordered, received = (
            timeline.index_of(pd.DatetimeIndex(frame[c])) for c in ("ordered", "received")
        )
        frame = frame.assign(lead_time=received - ordered)
    if name == "overrides":
        frame = frame.assign(kind=frame["kind"].str.strip().str.lower())
        frame = _with_scope(frame, series, drop)
    return frame, lost


def _with_weekdays(frame: pd.DataFrame, drop: object) -> pd.DataFrame:
    if "order_days" not in frame:
        return frame
    assert callable(drop)
    found = [_weekdays(text) for text in frame["order_days"]]
    bad = np.array([days is None for days in found], bool)
    frame = frame.assign(order_days=[",".join(map(str, days or ())) for days in found])
    kept: pd.DataFrame = drop(frame, bad, "order_days are no weekdays (Mon to Sun, or 1 to 7)")
    return kept


def _weekdays(text: object) -> tuple[int, ...] | None:
    """Return the weekdays a text names, 0 for Monday, ascending; every day where it is empty."""
    if text is None or text != text or not str(text).strip():
        return tuple(range(7))
    found = set()
    for word in re.findall(r"\w+", str(text).lower()):
        if word in ("1", "2", "3", "4", "5", "6", "7"):
            found.add(int(word) - 1)
        elif re.fullmatch(_WEEKDAY, word):
            found.add(WEEKDAYS[word[:2]])
        else:
            return None
    return tuple(sorted(found))


def _with_scope(frame: pd.DataFrame, series: pd.DataFrame, drop: object) -> pd.DataFrame:
    """Return overrides whose scope names series: by unique_id, by columns, or as `scope` text.

    A text is the name of a series, or "column=value" of products; "all" is every series.
    """
    assert callable(drop)
    ids = set(series[UNIQUE_ID].astype(str))
    columns = [
        str(c) for c in frame if c not in (*COLUMNS["overrides"], "__row", "scope", UNIQUE_ID)
    ]
    unknown = [c for c in columns if c not in series]
    if "scope" in frame:
        texts = frame["scope"].fillna("").astype(str).str.strip()
        parts = texts.str.partition("=")
        column, value = (parts.get(k, texts).str.strip() for k in (0, 2))  # empty: no such parts
        is_series = texts.isin(ids)
        is_column = ~is_series & column.isin(series.columns) & texts.str.contains("=")
        fits = is_series | (texts.str.lower() == "all")
        for name in column[is_column].unique():
            values = set(series[name].astype(str))
            fits |= is_column & (column == name) & value.isin(values)
        frame = drop(frame, ~fits.to_numpy(), "its scope names no series")
    if unknown:
        reason = f"products have no column {', '.join(unknown)}"
        frame = drop(frame, np.ones(len(frame), bool), reason)
    named = [c for c in (UNIQUE_ID, "scope", *columns) if c in frame]
    empty = np.ones(len(frame), bool)
    for name in named:
        text = frame[name].fillna("").astype(str).str.strip()
        empty &= (text == "").to_numpy()
        if name in columns and len(frame):
            nobody = (text != "") & ~text.isin(set(series[name].astype(str)))
            frame = drop(frame, nobody.to_numpy(), f"no product has this {name}")
            empty = empty[~nobody.to_numpy()]
    kept: pd.DataFrame = drop(frame, empty, "its scope is empty")
    return kept
