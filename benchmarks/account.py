"""Random mappings and files, read by invopt and recounted by an independent reader, row by row.

Each data set has eight tables: sales (lines, one row per period, or a column per period), products,
stock by day, promotions, weather, a position, orders under way and receipts; in CSV, parquet, a
database, a workbook or JSON, packed or not, in files of random number, order and types; dates,
zones and numbers in many forms, with blanks, faults, lots, lines sent twice, conditions that are
true, false and neither, a clock that stands before the last lines. Every
row must be used, left out or set aside, and no value may change.
"""

import argparse
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import _recount as recount
from benchmarks._recount import Case, floor, key_of, steps
from benchmarks._tables import (
    AMBIGUOUS,
    DATES,
    FORMATS,
    NUMBERS,
    Row,
    Style,
    Writer,
    plain,
    rows_of,
)
from invopt.panel import Flag, Panel, load_panel
from invopt.sources import Mapping, read_dataset, read_position
from invopt.sources.terms import read_terms

TABLES_EACH = 8
_FIRST = date(2024, 1, 9)
# The last day is the last of its period: nothing but the clock says that one was cut.
_LAST = {"D": date(2024, 2, 2), "W-MON": date(2024, 3, 17), "MS": date(2024, 5, 31)}
_WIDE = {"D": ("%Y-%m-%d", "%d.%m.%Y"), "W-MON": ("%G-W%V", "%d/%m/%Y"), "MS": ("%Y-%m", "%b %Y")}
_SIGNS = {"%Y": r"\d{4}", "%m": r"\d\d", "%d": r"\d\d", "%G": r"\d{4}", "%V": r"\d\d",
          "%b": "[A-Z][a-z]+", ".": r"\."}  # fmt: skip
_SKUS = ("0071", "71", "A 1", "a 1", "Köln", "9", " 9", "1e3")
_CATEGORIES = ("food", "0071", "71", "Öl", "")
_BAD_DAYS = ("", "soon", "2024-02-30", "31.02.2024")
_BAD_NUMBERS = ("", "many", "1;2", "12 boxes", "nan", "inf", "1e999", "1-2")
# Conditions, and of which rows they are not false: what is neither is kept.
_WHERES: dict[str, Callable[[Row], bool]] = {
    "status <> 'void'": lambda row: row["status"] != "void",
    "status = 'ok'": lambda row: row["status"] in ("ok", ""),
    "coalesce(status, '') = 'ok'": lambda row: row["status"] == "ok",
    "NOT (status = 'void' AND store = '02')": (
        lambda row: not (row["status"] == "void" and row["store"] == "02")
    ),
    "status = 'void' OR NULL": lambda _: True,
    "NULL": lambda _: True,
    "true": lambda _: True,
}
_HOW = (None, None, "sum", "min", "max", "last")


class Maker:
    """Makes one data set.

    Args:
        rng: Of all that is random.
        data: Folder of the files.
    """

    def __init__(self, rng: random.Random, data: Path) -> None:
        self.rng, self.data = rng, data
        freq = rng.choice(["D", "D", "W-MON", "MS"])
        end = _LAST[freq]
        today = rng.choice([None, end - timedelta(days=rng.randrange(3)), end + timedelta(days=5)])
        self.skus = rng.sample(_SKUS, rng.randint(1, 4))
        self.form, self.typed = rng.choice(FORMATS), rng.random() < 0.7
        mapping: dict[str, Any] = {
            "name": "t", "frequency": freq, "unique_id": "sku || '_' || store", "sources": {},
        }  # fmt: skip
        self.case = Case(mapping, freq, today, {}, {})

    def make(self) -> Case:
        """Write every table and return the case."""
        if self.rng.random() < 0.2:
            self._wide()
        else:
            self._sales()
        self._products()
        for table, section in (("stock", "stock"), ("promotions", "promotions"),
                               ("external", "external")):  # fmt: skip
            self._channel(table, section)
        self._position()
        self._open_orders()
        self._receipts()
        return self.case

    def _number(self, place: str) -> dict[str, Any]:
        """Choose how a column's numbers are written and return its entry without expr."""
        self.case.styles[place] = style = self.rng.choice(NUMBERS)
        return style.entry

    def _date(self, place: str) -> dict[str, Any]:
        self.case.styles[place] = style = self.rng.choice(DATES)
        column = place.partition(".")[2]
        return {k: v.replace("{}", column) if k == "expr" else v for k, v in style.entry.items()}

    def _days(self, style: Style, first: date, last: date) -> list[date]:
        """Return the days whose text is read as one from first to last."""
        days = [first + timedelta(days=k) for k in range(-1, (last - first).days + 2)]
        return [d for d in days if first <= style.read(style.write(d)) <= last]

    def _write(self, table: str, columns: list[str], rows: list[Row]) -> None:
        types = {c: self.case.styles[f"{table}.{c}"].types
                 for c in columns if f"{table}.{c}" in self.case.styles}  # fmt: skip
        types |= dict.fromkeys(("sku", "store", "category", "line"), ("whole",))
        writer = Writer(self.rng, self.data, self.form, self.typed, types)
        self.case.mapping["sources"][table] = writer.write(table, columns, rows)

    def _faulty(self, row: Row, days: tuple[str, ...] = (), numbers: tuple[str, ...] = ()) -> Row:
        """Spoil one cell of a row now and then."""
        if self.rng.random() < 0.12:
            choices: list[tuple[str, tuple[str, ...]]] = []
            if "sku" in row:
                choices.append(("sku", ("",)))
            choices += [(c, _BAD_DAYS) for c in days] + [(c, _BAD_NUMBERS) for c in numbers]
            column, texts = self.rng.choice(choices)
            row[column] = self.rng.choice(texts)
        return row

    def _text(self, place: str, least: int, most: int, parts: int = 1) -> str:
        number = Decimal(self.rng.randint(least, most)) / parts
        return self.case.styles[place].write(number)

    def _keys(self) -> Row:
        return {"sku": self.rng.choice(self.skus), "store": self.rng.choice(["s1", "s1", "02"])}

    def _sales(self) -> None:
        rng, case = self.rng, self.case
        layout = rng.choice(["transactions", "transactions", "long"])
        net, where = rng.random() < 0.5, rng.choice([None, *_WHERES])
        line_key = layout == "transactions" and rng.random() < 0.5
        kept = _WHERES[where] if where else _WHERES["true"]
        case.options |= {"sales.layout": layout, "sales.net": net, "sales.kept": kept,
                         "sales.line_key": line_key}  # fmt: skip
        day, y, price = (
            {"expr": "day", **self._date("sales.day")},
            {"expr": "qty", **self._number("sales.qty")},
            {"expr": "price", **self._number("sales.price")},
        )
        if layout == "transactions":
            price["aggregate"] = "max"
        table: dict[str, Any] = {
            "from": "sales", "layout": layout, "ds": day, "columns": {"y": y, "price": price},
            "returns": "net" if net else "reject",
            "missing": rng.choice(["zero", "unobserved"]),
        }  # fmt: skip
        if where:
            table["where"] = where
        if line_key:
            table["line_key"] = "line"
        case.mapping["sales"] = table
        case.options["sales.missing"] = table["missing"]
        columns = ["day", "store", "sku", "qty", "price", "status", "line", "memo"]
        rows = self._lines(rng.randint(30, 110), net=net)
        self._write("sales", columns, rows)

    def _lines(self, number: int, *, net: bool) -> list[Row]:
        """Return a sound line of every day, and random ones, some of them twice."""
        rng, style = self.rng, self.case.styles["sales.day"]
        days = self._days(style, _FIRST, _LAST[self.case.freq])
        bad_days: tuple[str, ...] = _BAD_DAYS
        if not any("/" in style.write(d) for d in days[:1]):
            bad_days += ("05/01/2024",)
        if self.case.today is not None:
            bad_days += (style.write(date(2031, 5, 20)),)
        rows = []
        for at, day in enumerate([*days, *rng.choices(days, k=number)]):
            row = self._keys() | {
                "day": style.write(day), "qty": self._text("sales.qty", -40 * net, 40_000, 4),
                "price": self._text("sales.price", 1, 4_000, 4), "line": f"{7 * at}",
                "status": rng.choice(["", "ok", "void"]),
                "memo": rng.choice(["", 'a "word", and\nmore', "x;y|z"]),
            }  # fmt: skip
            if at < len(days):
                row |= {"sku": self.skus[0], "store": "s1", "status": "ok"}
                row["qty"] = self._text("sales.qty", 0, 40_000, 4)
            else:
                row = self._faulty(row, numbers=("qty", "price"))
                if rng.random() < 0.05:
                    row["day"] = rng.choice(bad_days)
                if rng.random() < 0.05:
                    row["line"] = ""
            rows += [row] * (1 + (at >= len(days) and rng.random() < 0.1))
        return rows

    def _wide(self) -> None:
        rng, case = self.rng, self.case
        form = rng.choice(_WIDE[case.freq])
        style = rng.choice([s for s in NUMBERS if "unit" not in s.entry])
        case.styles["sales.qty"] = style
        net = rng.random() < 0.5
        days, day = {}, floor(_FIRST, case.freq)
        while day <= _LAST[case.freq]:
            days[day.strftime(form)] = day
            day = recount.after(day, case.freq)
        case.options |= {"sales.layout": "wide", "sales.net": net, "sales.periods": days}
        pattern = form
        for directive, signs in _SIGNS.items():
            pattern = pattern.replace(directive, signs)
        case.mapping["sales"] = {
            "from": "sales", "layout": "wide", "returns": "net" if net else "reject",
            "wide": {"columns": pattern, "format": form, **style.entry},
        }  # fmt: skip
        case.styles |= {f"sales.{name}": style for name in days}
        keys = [{"sku": sku, "store": store} for sku in self.skus for store in ("s1", "02")]
        keys += [rng.choice(keys) for _ in range(2)] + [{"sku": "", "store": "s1"}]
        rows = [
            key | {
                name: rng.choice(("", "many", "1;2")) if rng.random() < 0.1
                else self._text("sales.qty", -8 if rng.random() < 0.1 else 0, 40_000, 4)
                for name in days
            }
            for key in keys
        ]  # fmt: skip
        self._write("sales", ["sku", "store", *days], rows)

    def _products(self) -> None:
        columns = {
            "category": "category",
            "list_price": {"expr": "list_price", **self._number("products.list_price")},
            "phase_in": {"expr": "phase_in", **self._date("products.phase_in")},
        }
        self.case.mapping["products"] = {"from": "products", "columns": columns}
        style = self.case.styles["products.phase_in"]
        rows = []
        for at in range(self.rng.randint(2, 14)):
            day = date(2024, 1, 25) if at == 0 else date(2024, 1, 1 + self.rng.randrange(28))
            row = self._keys() | {
                "category": self.rng.choice(_CATEGORIES),
                "list_price": self._text("products.list_price", 1, 9, 4),
                "phase_in": style.write(day) if at == 0 or self.rng.random() < 0.5 else "",
            }
            rows.append(self._faulty(row, numbers=("list_price",)))
            if self.rng.random() < 0.2:
                rows.append(dict(rows[-1]))
        self._write("products", ["sku", "store", *columns], rows)

    def _channel(self, table: str, section: str) -> None:
        how = self.rng.choice(_HOW)
        self.case.options[f"{table}.how"] = how
        style_entry = self._date(f"{table}.day")
        value = {"expr": "n", **self._number(f"{table}.n")} | ({"aggregate": how} if how else {})
        entry: dict[str, Any] = {
            "from": table, "ds": {"expr": "day", **style_entry}, "columns": {f"{table}_n": value},
        }  # fmt: skip
        if table == "stock":
            entry["level"] = "unique_id"
        elif table == "promotions":
            entry |= {"level": "category", "key": "category", "fill": "zero", "known": True}
        self.case.mapping[section] = entry
        style = self.case.styles[f"{table}.day"]
        days = self._days(style, _FIRST - timedelta(days=9), _LAST[self.case.freq])
        days += [d + timedelta(days=40) for d in days[-9:]]
        rows = []
        for at in range(self.rng.randint(4, 40)):
            day = date(2024, 1, 25) if at == 0 else self.rng.choice(days)
            row: Row = {"day": style.write(day), "n": self._text(f"{table}.n", -400, 40_000, 4)}
            if table == "stock":
                row = self._keys() | row
            elif table == "promotions":
                row["category"] = self.rng.choice([*_CATEGORIES, "unknown", "toys"])
            rows.append(self._faulty(row, days=("day",) if at else (), numbers=("n",)))
        self._write(table, list(rows[0]), rows)

    def _position(self) -> None:
        lots, dated = self.rng.random() < 0.5, self.rng.random() < 0.4
        self.case.options |= {"position.lots": lots, "position.ds": dated}
        entry = {"expr": "n", **self._number("position.n")} | ({"aggregate": "sum"} if lots else {})
        table: dict[str, Any] = {"from": "position", "columns": {"on_hand": entry}}
        day_entry = self._date("position.day")
        if dated:
            table["ds"] = {"expr": "day", **day_entry}
        self.case.mapping["position"] = table
        style = self.case.styles["position.day"]
        rows = []
        for at in range(self.rng.randint(1, 14)):
            last = _LAST[self.case.freq] - timedelta(days=self.rng.randrange(-3, 4))
            day = date(2024, 1, 25) if at == 0 else last
            row = self._keys() | {"day": style.write(day), "n": self._text("position.n", -5, 9_000)}
            row["store"] = self.rng.choice(["s1", "02", "x"])
            rows.append(self._faulty(row, days=("day",) if at else (), numbers=("n",)))
        self._write("position", list(rows[0]), rows)

    def _open_orders(self) -> None:
        by_date = self.rng.random() < 0.5
        due = self._date("open_orders.due") if by_date else {}
        if not by_date:
            self.case.styles["open_orders.due"] = NUMBERS[0]
        columns = {
            "due" if by_date else "due_in": {"expr": "due", **due},
            "quantity": {"expr": "n", **self._number("open_orders.n")},
        }
        self.case.mapping["open_orders"] = {"from": "open_orders", "columns": columns}
        style = self.case.styles["open_orders.due"]
        rows = []
        for at in range(self.rng.randint(1, 14)):
            when = plain(Decimal(self.rng.randint(-6, 18)) / 2)
            if by_date:
                days = 0 if at == 0 else self.rng.randrange(-20, 60)
                when = style.write(date(2024, 1, 25) + timedelta(days=days))
            row = self._keys() | {"due": when, "n": self._text("open_orders.n", -1, 9_000)}
            row["store"] = self.rng.choice(["s1", "x"])
            dates = ("due",) if at and by_date else ()
            rows.append(self._faulty(row, days=dates, numbers=("n",)))
        self._write("open_orders", list(rows[0]), rows)

    def _receipts(self) -> None:
        styles = self.case.styles
        entries = {c: {"expr": c, **self._date(f"receipts.{c}")} for c in ("ordered", "received")}
        if self.rng.random() < 0.1:
            styles["receipts.ordered"], entries["ordered"] = AMBIGUOUS, {"expr": "ordered"}
        self.case.mapping["receipts"] = {
            "from": "receipts",
            "columns": {"supplier": "supplier", **entries,
                        "quantity": {"expr": "n", **self._number("receipts.n")}},
        }  # fmt: skip
        rows = []
        for at in range(self.rng.randint(1, 14)):
            days = 0 if at == 0 else self.rng.randrange(-20, 20)
            ordered = date(2024, 1, 25) + timedelta(days=days)
            received = ordered + timedelta(days=0 if at == 0 else self.rng.randrange(-2, 30))
            row = {
                "supplier": self.rng.choice(["L1", "0071", "", "71"]) or ("" if at else "L1"),
                "ordered": styles["receipts.ordered"].write(ordered),
                "received": styles["receipts.received"].write(received),
                "n": self._text("receipts.n", -5, 9_000),
            }
            spoilt = ("ordered", "received") if at else ()
            rows.append(self._faulty(row, days=spoilt, numbers=("n",)))
        self._write("receipts", list(rows[0]), rows)


class Checker:
    """Reads a data set both ways and compares.

    Args:
        case: The data set.
        data: Folder of its files.
        out: Folder for what invopt reads.
    """

    def __init__(self, case: Case, data: Path, out: Path) -> None:
        self.case, self.data, self.out = case, data, out
        today = None if case.today is None else pd.Timestamp(case.today)
        mapping = Mapping.model_validate(case.mapping)
        self.report = read_dataset(mapping, data, out, max_bad_share=1.0, today=today)
        self.tables = {a.table: a for a in self.report.accounting}
        self.panel: Panel = load_panel(out)
        self.periods = [d.date() for d in self.panel.timeline.dates()]

    def check(self) -> Counter[str]:
        """Return rows by fate and table.

        Raises:
            AssertionError: If a row or a value differs.
        """
        rows = rows_of(self.data, "sales")
        is_wide = self.case.options["sales.layout"] == "wide"
        sold = (recount.wide if is_wide else recount.sales)(self.case, rows)
        self.case.first = self.periods[0]
        self._check_sales(sold, is_wide=is_wide)
        categories = self._check_products(sold)
        self._check_channels(sold, categories)
        self._check_position(sold)
        self._check_receipts()
        fate = sold.fate
        for table in self.report.accounting:
            aside = sum(table.quarantined.values())
            _same(table.table, table.rows_in, table.rows_used + table.rows_filtered + aside)
            fate[table.table] += table.rows_in
        quarantine = pd.read_parquet(self.out / "quarantine.parquet", columns=["table"])
        counts = quarantine["table"].value_counts()
        for table in self.report.accounting:
            if table.periods == 1:
                aside = sum(table.quarantined.values())
                _same(f"quarantine of {table.table}", int(counts.get(table.table, 0)), aside)
        return fate

    def _used(self, table: str, rows: int, used: int) -> None:
        found = self.tables[table]
        _same(f"rows of {table}", (found.rows_in, found.rows_used), (rows, used))

    def _check_sales(self, sold: recount.Sold, *, is_wide: bool) -> None:
        fate, table = sold.fate, self.tables["sales"]
        found = table.rows_used, table.rows_filtered, sum(table.quarantined.values())
        _same("fate of sales", found, (fate["used"], fate["filtered"], fate["aside"]))
        _same("series", set(self.panel.unique_ids), sold.keys)
        _same("last period", self.periods[-1], sold.last)
        observed = (self.panel.flags & (Flag.FILLED | Flag.MISSING)) == 0
        read = {
            (str(key), self.periods[t]): Decimal(str(float(self.panel.y[i, t])))
            for i, key in enumerate(self.panel.unique_ids)
            for t in np.flatnonzero(observed[i])
        }
        _same("sales", read, sold.cells)
        _same("sum of sales", self.report.sums["sales.y"], float(sum(sold.cells.values())))
        cells = self.report.cells
        _same("cells", sum(cells.values()), len(sold.keys) * len(self.periods))
        _same("observed", cells["observed"], len(sold.cells))
        if not is_wide:
            unknown = len(sold.unknown - sold.cells.keys())
            if self.case.options["sales.missing"] == "unobserved":
                unknown = sum(cells.values()) - len(sold.cells)
            _same("unknown", cells["unknown"], unknown)
            self._check_prices(sold)

    def _check_prices(self, sold: recount.Sold) -> None:
        values = self.panel.channels["price"].values
        at = {key: i for i, key in enumerate(self.panel.unique_ids)}
        expected = {c: float(n) for c, n in sold.prices.items()}
        for (key, period), price in expected.items():
            if (key, period) in sold.cells:
                read = float(values[at[key], steps(self.periods[0], period, self.case.freq)])
                _same(f"price of {key} at {period}", read, price)

    def _check_products(self, sold: recount.Sold) -> dict[str, str]:
        rows = rows_of(self.data, "products")
        described, used = recount.products(self.case, rows)
        self._used("products", len(rows), used)
        series = self.panel.series.set_index("unique_id")
        categories = {}
        for key in sold.keys:
            known = described.get(key, {})
            categories[key] = known.get("category") or "unknown"
            _same(f"category of {key}", series.loc[key, "category"], categories[key])
            price = series.loc[key, "list_price"]
            read = None if np.isnan(price) else float(price)
            wanted = known.get("list_price")
            _same(f"list price of {key}", read, None if wanted is None else float(wanted))
            _same(f"phase-in of {key}", series.loc[key, "phase_in"], known.get("phase_in") or "")
        return categories

    def _check_channels(self, sold: recount.Sold, categories: dict[str, str]) -> None:
        groups = set(categories.values())
        places: dict[str, Any] = {
            "stock": lambda row: key_of(row) if key_of(row) in sold.keys else None,
            "promotions": lambda row: row["category"] if row["category"] in groups else None,
            "external": lambda _: "",
        }
        for table, place in places.items():
            rows = rows_of(self.data, table)
            known_ahead = 400 * (table == "promotions")
            found, used = recount.channel(
                self.case, table, rows, place, len(self.periods) + known_ahead
            )
            self._used(table, len(rows), used)
            channel = self.panel.channels[f"{table}_n"]
            empty = 0.0 if table == "promotions" else None
            read = {
                (str(group), t): float(value)
                for i, group in enumerate(channel.groups)
                for t, value in enumerate(channel.values[i])
                if not np.isnan(value) and float(value) != empty
            }
            wanted = {at: float(np.float32(float(n))) for at, n in found.items()}
            _same(f"values of {table}", read, {at: n for at, n in wanted.items() if n != empty})

    def _check_position(self, sold: recount.Sold) -> None:
        position, orders = read_position(self.out)
        assert position is not None
        assert orders is not None
        rows = rows_of(self.data, "position")
        held, used = recount.position(self.case, rows, sold.keys)
        waiting = position.get("backorders", 0)
        read = dict(zip(position["unique_id"], position["on_hand"] - waiting, strict=True))
        _same("position", read, {key: float(n) for key, n in held.items()})
        self._used("position", len(rows), used)
        rows = rows_of(self.data, "open_orders")
        due, used = recount.open_orders(self.case, rows, sold)
        pairs = zip(orders["unique_id"], orders["due_in"], strict=True)
        read_due = dict(zip(pairs, orders["quantity"], strict=True))
        _same("orders under way", read_due, {at: float(n) for at, n in due.items()})
        self._used("open_orders", len(rows), used)

    def _check_receipts(self) -> None:
        rows = rows_of(self.data, "receipts")
        found = recount.receipts(self.case, rows, self.periods[-1])
        self._used("receipts", len(rows), len(found))
        frame = read_terms(self.out).receipts
        assert frame is not None
        read = [
            (supplier, pd.Timestamp(ordered).date(), pd.Timestamp(received).date(),
             None if np.isnan(quantity) else float(quantity), int(lead))
            for supplier, ordered, received, quantity, lead in zip(
                *(frame[c] for c in ("supplier", "ordered", "received", "quantity", "lead_time")),
                strict=True)
        ]  # fmt: skip
        wanted = [(s, o, r, None if n is None else float(n), lead) for s, o, r, n, lead in found]
        _same("receipts", read, wanted)


def _same(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        if isinstance(found, dict):
            found, wanted = (
                sorted(map(str, one.items() - other.items()))[:9]
                for one, other in ((found, wanted), (wanted, found))
            )
        raise AssertionError(f"{what}: read {found}, recounted {wanted}")


def run_one(seed: int) -> Counter[str]:
    """Make and check the data set of a seed and return its rows by fate and table."""
    with tempfile.TemporaryDirectory(prefix="invopt-account-") as scratch:
        data = Path(scratch) / "data"
        data.mkdir()
        case = Maker(random.Random(seed), data).make()  # noqa: S311
        return Checker(case, data, Path(scratch) / "out").check()


def run(num_sets: int, seed: int) -> Counter[str]:
    """Make and check data sets, one seed each, and return rows by fate and table."""
    total: Counter[str] = Counter()
    for number in range(num_sets):
        try:
            total += run_one(seed + number)
        except Exception as err:
            err.add_note(f"data set of seed {seed + number}")
            raise
    return total


def main(rest: list[str]) -> None:
    """Read and recount data sets, and print how many rows became what, and which seeds differ."""
    parser = argparse.ArgumentParser(prog="invopt bench account")
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(rest)
    began, total, differing = time.process_time(), Counter[str](), 0
    for seed in range(parsed.seed, parsed.seed + -(-parsed.tables // TABLES_EACH)):
        try:
            total += run_one(seed)
        except Exception as err:  # told with its seed; the others are still worth reading
            differing += 1
            place = traceback.extract_tb(err.__traceback__)[-1]
            print(f"seed {seed} ({place.name}): {type(err).__name__}: {err}", flush=True)
    print(f"{parsed.tables:,} tables read and recounted, {differing} data sets differ:")
    for fate, rows in total.items():
        print(f"  {fate:<12} {rows:>10,}")
    print(f"in {time.process_time() - began:.0f} s of processor time, {datetime.now(UTC):%Y-%m-%d}")
    if differing:
        raise SystemExit(1)
