"""The files of a planner for a set of situations: extracts, a mapping, a configuration."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks._optimum import demand_law
from benchmarks._situations import (
    DAYS,
    LAST,
    LAST_WEEK,
    LEAD_TIME,
    LIFT,
    PRICE,
    REVIEW,
    UNIT_COST,
    WEEKS,
    Case,
    Line,
    _factor,
)  # fmt: skip
from invopt.types import BoolArray, IntArray

_NUM_OTHERS = 24  # articles that nobody judges: the model learns promotions and seasons from them
_PROMOTED = 0.08  # share of their days
_TABLES = {
    "suppliers": "supplier lead_time order_days min_value min_units budget",
    "price_breaks": "from_quantity unit_cost",
    "receipts": "supplier ordered received quantity",
    "calendar": "location supplier ds open",
    "overrides": "scope from to kind value who why made_at",
}
_TERMS = (
    "lead_time", "review_period", "pack_size", "min_order", "max_order", "max_stock", "shelf_life",
    "holding_cost", "stockout_cost", "order_cost", "service_level", "fill_rate", "supplier",
    "successor_of", "phase_in", "phase_out", "range",
)  # fmt: skip


def lines_of(cases: list[Case]) -> list[Line]:
    """Return the products of cases, each once."""
    return list({line.unique_id: line for case in cases for line in case.lines}.values())


def others() -> list[Line]:
    """Return articles that are sold beside those of the situations, with promotions."""
    means = np.geomspace(0.3, 12, _NUM_OTHERS)
    return [
        Line(sku=f"other-{n:02d}", mean=float(mean), on_hand=10) for n, mean in enumerate(means)
    ]


def promoted_days(line: Line, num: int) -> BoolArray:
    """Return which days of the past had a promotion, in runs of five."""
    found = np.zeros(num, bool)
    if line.sku.startswith("other-") or line.promotions:
        rng = np.random.default_rng(sum(map(ord, line.sku)))
        for first in np.flatnonzero(rng.random(num - 12) < _PROMOTED / 5):
            found[first : first + 5] = True
    return found


def history(line: Line) -> IntArray:
    """Return what was sold, by period, the latest last: drawn from the line's law."""
    rng = np.random.default_rng([sum(map(ord, line.sku)), len(line.sku), int(line.mean * 10)])
    num = WEEKS if line.week is None else DAYS
    week = [_factor(line, LAST + pd.Timedelta(days=day)) for day in range(1, 8)]  # from Monday
    factors = np.resize(np.array(week)[::-1], num)[::-1]
    means = line.mean * factors * np.where(promoted_days(line, num), LIFT, 1.0)
    sold = np.zeros(num, np.int64)
    for mean in np.unique(means):
        place = np.flatnonzero(means == mean)
        law = demand_law(float(mean), line.dispersion)
        sold[place] = rng.choice(len(law), len(place), p=law)
    return sold if line.sold is None else np.asarray(line.sold(sold))


def write_training(folder: Path, cases: list[Case], short: bool) -> None:
    """Write the shared history of every product, and what to train on it with."""
    lines = [replace(x, sold=None) if x.sold_late else x for x in lines_of(cases)]
    _write(folder, lines, [], short=short, plain=True)


def write_batch(folder: Path, cases: list[Case], short: bool) -> None:
    """Write one evening's extracts, with the tables that some of the cases need."""
    _write(folder, lines_of(cases), cases, short=short, plain=False)


def _write(folder: Path, lines: list[Line], cases: list[Case], *, short: bool, plain: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    is_weekly = lines[0].week is None
    lines = lines if is_weekly else lines + others()
    tables = {
        "sales": _sales(lines),
        "articles": _articles(lines, plain=plain),
        "stock_counts": _counts(lines),
        "purchase_orders": _purchase_orders(lines, is_weekly),
    }
    if not is_weekly:
        tables["promotions"] = _promotions(lines)
    for case in cases:
        for name, rows in case.shared.items():
            more = pd.DataFrame(rows)
            tables[name] = pd.concat([tables[name], more]) if name in tables else more
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    waits = any(case.batch == "waiting" for case in cases)
    mapping = _mapping(tables, is_weekly=is_weekly, waits=waits)
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping, sort_keys=False))
    config = _config(is_weekly=is_weekly, lost=not waits, short=short)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def _sales(lines: list[Line]) -> pd.DataFrame:
    frames = []
    for line in lines:
        if not line.has_history:
            continue
        sold = history(line)
        last, step = (LAST_WEEK, "7D") if line.week is None else (LAST, "1D")
        days = pd.date_range(end=last, periods=len(sold), freq=step)
        frames.append(
            pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "sku": line.sku,
                          "store": line.store, "quantity": sold})
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _articles(lines: list[Line], *, plain: bool) -> pd.DataFrame:
    rows = [
        {"sku": x.sku, "store": x.store}
        | ({} if plain else {"price": PRICE, "cost": UNIT_COST, **x.terms})
        for x in lines
        if x.has_history or not plain
    ]
    frame = pd.DataFrame(rows)
    if "unit_cost" in frame:  # a master that says it for one article alone
        frame["cost"] = frame.pop("unit_cost").fillna(frame["cost"])
    return frame


def _counts(lines: list[Line]) -> pd.DataFrame:
    """Return counts of three mornings; the latest is of the morning after the last sales."""
    rows = [
        {"sku": x.sku, "store": x.store, "counted": day, "on_hand": on_hand,
         "waiting": x.backorders, "under_way": x.on_order}
        for x in lines if x.on_hand is not None
        for day, on_hand in (
            ("2025-01-31", 7), ("2025-02-28", 70), ("2025-03-31", x.on_hand)
        )
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _purchase_orders(lines: list[Line], is_weekly: bool) -> pd.DataFrame:
    rows = []
    for line in lines:
        for due, ordered, received in line.orders:
            day = (
                LAST_WEEK + pd.Timedelta(weeks=due) if is_weekly else LAST + pd.Timedelta(days=due)
            )
            rows.append({"sku": line.sku, "store": line.store, "due": f"{day:%Y-%m-%d}",
                         "ordered": ordered, "received": received})  # fmt: skip
    if not rows:  # a table without rows has no types
        one = lines[0]
        rows = [{"sku": one.sku, "store": one.store, "due": "2025-12-31", "ordered": 0,
                 "received": 0}]  # fmt: skip
    return pd.DataFrame(rows)


def _promotions(lines: list[Line]) -> pd.DataFrame:
    rows = []
    for line in lines:
        days = np.flatnonzero(promoted_days(line, DAYS)) - DAYS + 1
        rows += [
            {"sku": line.sku, "store": line.store,
             "date": f"{LAST + pd.Timedelta(days=int(day)):%Y-%m-%d}", "promoted": 1}
            for day in [*days, *line.promotions]
        ]  # fmt: skip
    return pd.DataFrame(rows)


def _mapping(tables: dict[str, pd.DataFrame], *, is_weekly: bool, waits: bool) -> dict[str, Any]:
    """Return the mapping as a planner writes it, of the columns that are there."""
    articles = tables["articles"]
    columns = {"product": "sku", "location": "store"}
    columns |= {n: c for n, c in (("list_price", "price"), ("unit_cost", "cost")) if c in articles}
    columns |= {name: name for name in _TERMS if name in articles}
    sources: dict[str, Any] = {name: f"{name}.csv" for name in tables}
    sources["stock"] = {
        "sql": "SELECT * FROM stock_counts "
        "QUALIFY row_number() OVER (PARTITION BY sku, store ORDER BY counted::DATE DESC) = 1"
    }
    found: dict[str, Any] = {
        "name": "situations",
        "frequency": "W-MON" if is_weekly else "D",
        "unique_id": "sku || '_' || store",
        "sources": sources,
        "sales": {"from": "sales", "ds": "date", "columns": {"y": "quantity"}},
        "products": {"from": "articles", "columns": columns, "launches": True},
        "position": {
            "from": "stock", "columns": {"on_hand": "on_hand", "backorders": "waiting"},
        },
        "open_orders": {
            "from": "purchase_orders",
            "columns": {"due": "due", "quantity": "num(ordered) - num(received)"},
        },
    }  # fmt: skip
    if waits:  # stock records that count everything under way, dated or not
        del sources["stock"]
        sources["due"] = {
            "sql": "SELECT sku, store, sum(ordered::INT - received::INT) AS dated "
            "FROM purchase_orders GROUP BY ALL"
        }
        latest = (
            "SELECT *, under_way::INT + coalesce(dated, 0) AS all_under_way FROM stock_counts "
            "LEFT JOIN due USING (sku, store) QUALIFY row_number() OVER "
            "(PARTITION BY sku, store ORDER BY counted::DATE DESC) = 1"
        )
        sources["stock"] = {"sql": latest}
        found["position"]["columns"]["on_order"] = "all_under_way"
    if "promotions" in tables:
        found["promotions"] = {
            "from": "promotions", "level": "unique_id", "key": "sku || '_' || store",
            "ds": "date", "columns": {"promoted": "promoted"}, "known": True, "fill": "zero",
        }  # fmt: skip
    for name, columns_of in _TABLES.items():
        if name in tables:
            there = {c: _quoted(c) for c in columns_of.split() if c in tables[name]}
            found[name] = {"from": name, "columns": there}
    return found


def _quoted(name: str) -> str:
    return f'"{name}"' if name in ("from", "to", "open") else name


def _config(*, is_weekly: bool, lost: bool, short: bool) -> dict[str, Any]:
    """Return the configuration; the gate is open wide, because orders are what is judged."""
    features: dict[str, Any] = {
        "horizon": 42, "patch": 7, "context_steps": 16, "windows": [7, 28, 112],
        "daily_periods": 28,
    }  # fmt: skip
    if is_weekly:
        features = {"horizon": 8, "patch": 1, "context_steps": 26, "windows": [4, 13, 52]}
    steps = 300 if short or is_weekly else 1500
    return {
        "name": "weekly-situations" if is_weekly else "situations",
        "data": {"mapping": "mapping.yaml"},
        "features": features,
        "model": {"hidden_size": 16, "decoder_size": 8, "loss": "poisson"},
        "training": {
            "max_minutes": 5, "max_steps": steps, "batch_size": 32, "learning_rate": 0.01,
            "fork_after": 4, "loss_weights": "relative",
        },
        "tuning": {"num_trials": 0},
        "evaluation": {
            "gate_periods": 8 if is_weekly else 42, "selection_periods": 8 if is_weekly else 14,
            "step_size": 4 if is_weekly else 14,
        },
        "inventory": {
            "lead_time": 1 if is_weekly else LEAD_TIME, "review_period": 1 if is_weekly else REVIEW,
            "holding_rate": 0.004 * (7 if is_weekly else 1), "stockout_margin": 0.35,
            "price": PRICE, "lost_sales": lost,
        },
        "gate": {
            "max_wape_ratio": 5, "max_bias": 5, "coverage_tolerance": 0.95,
            "max_cost_increase": 100, "segment_cost_increase": 100,
            "max_cost_over_baseline": 100,
        },
    }  # fmt: skip
