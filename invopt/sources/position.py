"""The stock position and the orders under way, as contract frames."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from invopt import contracts
from invopt.sources.duck import Reader
from invopt.sources.ledger import DUPLICATE, FUTURE, OLDER, Ledger
from invopt.sources.mapping import Expression, Mapping, OpenOrdersTable, PositionTable
from invopt.sources.standard import NUMBER, Standard, standardise
from invopt.sql import literal, quote
from invopt.timeline import Timeline


def read_stock_position(
    reader: Reader,
    ledger: Ledger,
    table: PositionTable,
    key: Expression,
    series: Sequence[str],
    today: pd.Timestamp | None,
) -> pd.DataFrame:
    """Return StockPosition: one row per series, sorted; rows that break it are set aside.

    Of several counts of a series the latest one holds (where the table has dates), and rows of one
    count combine as the mapping says. Stock below 0 is no fault: customers wait for it, or a
    receipt was not booked yet.

    Args:
        reader: Holds the source.
        ledger: Account to keep.
        table: Of the position.
        key: Name of a row's series.
        series: All of them.
        today: No count is dated later; None where no clock is known.
    """
    std = standardise(
        reader,
        "position",
        table,
        key=key,
        ds=table.ds,
        columns={str(c): e for c, e in table.columns.items()},
        kinds=dict.fromkeys(table.columns, NUMBER),
        rules=_dated_later(table.ds, today) | _rules(table),
    )
    view = ledger.without_orphans(std, _latest(reader, std, table), series)
    frame = reader.fetch(
        f'SELECT __row, key AS unique_id, {", ".join(map(quote, std.columns))} FROM "{view}" '
        "WHERE reason IS NULL ORDER BY key, __row",
        "position",
    ).to_pandas()
    how = {str(c): e.aggregate for c, e in table.columns.items() if e.aggregate is not None}
    repeated = frame["unique_id"].duplicated() & (not how)
    ledger.set_aside_rows(std, frame.loc[repeated, "__row"].to_numpy(np.int64))
    ledger.enter_view(std, view, lost={DUPLICATE: int(repeated.sum())})
    frame = frame.loc[~repeated].drop(columns="__row")
    if how:
        _tell_first(ledger, frame, [c for c in std.columns if c not in how])
        groups = frame.groupby("unique_id", as_index=False, sort=True)
        frame = groups.agg({c: how.get(c, "first") for c in std.columns})
    waiting = np.maximum(-frame["on_hand"].to_numpy(np.float64), 0)
    if "backorders" in frame or waiting.any():
        told = frame["backorders"].fillna(0) if "backorders" in frame else 0
        frame = frame.assign(on_hand=frame["on_hand"].clip(lower=0))
        frame = frame.assign(backorders=np.maximum(told, waiting))
    return contracts.check(frame.reset_index(drop=True), contracts.StockPosition)


def _tell_first(ledger: Ledger, frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Note the columns without `aggregate` whose rows of a series differ: the first one counts."""
    for column in columns:
        differing = int((frame.groupby("unique_id")[column].nunique() > 1).sum())
        if differing:
            ledger.notes.append(
                f"position: {column} differs between the rows of {differing:,} series, which add "
                "up otherwise, and the first one counts: say aggregate of it, too"
            )


def _latest(reader: Reader, std: Standard, table: PositionTable) -> str:
    """Return a view in which counts before a series' latest one have a reason."""
    if table.ds is None:
        return std.view
    view = f"latest_{std.name}"
    latest = "max(ds) FILTER (reason IS NULL) OVER (PARTITION BY key)"
    reader.run(
        f'CREATE OR REPLACE VIEW "{view}" AS SELECT * REPLACE (CASE WHEN reason IS NULL AND '
        f'ds < {latest} THEN {literal(OLDER)} ELSE reason END AS reason) FROM "{std.view}"',
        std.name,
    )
    return view


def _dated_later(ds: Expression | None, today: pd.Timestamp | None) -> dict[str, str]:
    """Return the rule that refuses what is dated after tomorrow: it is tomorrow in the east."""
    if ds is None or today is None:
        return {}
    return {FUTURE: f"ds > DATE '{today + pd.Timedelta(days=1):%Y-%m-%d}'"}


def _rules(table: PositionTable) -> dict[str, str]:
    """Return the reason and the SQL condition of every rule of a count."""
    needed = [c for c in table.columns if c in ("on_hand", "on_order")]
    return {
        **{f"{c} is empty": f"{quote(c)} IS NULL" for c in needed},
        **{f"{c} is negative": f"{quote(c)} < 0" for c in table.columns if c != "on_hand"},
    }


def read_open_orders(
    reader: Reader,
    ledger: Ledger,
    table: OpenOrdersTable,
    key: Expression,
    series: Sequence[str],
    timeline: Timeline,
) -> pd.DataFrame:
    """Return OpenOrders: unique_id, due_in (periods from the last one), quantity.

    An order due in the past is late and still counts (due_in 0 or less), as one due within a period
    arrives with the next (due_in 1.5 is 2); one without a date or quantity is set aside.

    Args:
        reader: Holds the source.
        ledger: Account to keep.
        table: Of the orders.
        key: Name of a row's series.
        series: All of them.
        timeline: Of the sales.
    """
    by_date = "due" in table.columns
    columns = {str(c): e for c, e in table.columns.items()}
    std = standardise(
        reader,
        "open_orders",
        table,
        key=key,
        ds=columns.pop("due", None),
        columns=columns,
        kinds=dict.fromkeys(columns, NUMBER),
        rules={
            "quantity is empty": "quantity IS NULL",
            "quantity is negative": "quantity < 0",
            **({} if by_date else {"it has no date": "due_in IS NULL"}),
        },
    )
    view = ledger.without_orphans(std, std.view, series)
    due_in = (
        f"{timeline.to_sql('ds')} - {timeline.num_periods - 1}"
        if by_date
        else "ceil(due_in)::INTEGER"
    )
    frame = reader.fetch(
        f"SELECT key AS unique_id, {due_in} AS due_in, sum(quantity) AS quantity "
        f'FROM "{view}" WHERE reason IS NULL GROUP BY ALL ORDER BY ALL',
        "open_orders",
    ).to_pandas()
    ledger.enter_view(std, view)
    return contracts.check(frame, contracts.OpenOrders)


def read_positions(
    ledger: Ledger,
    mapping: Mapping,
    key: Expression,
    series: Sequence[str],
    timeline: Timeline,
    today: pd.Timestamp | None,
) -> dict[str, pd.DataFrame]:
    """Return the mapped ones of position and open_orders, by file name."""
    frames, reader = {}, ledger.reader
    if mapping.position is not None:
        table = mapping.position
        frames["position"] = read_stock_position(
            reader, ledger, table, key=table.unique_id or key, series=series, today=today
        )
    if mapping.open_orders is not None:
        orders = mapping.open_orders
        frames["open_orders"] = read_open_orders(
            reader, ledger, orders, key=orders.unique_id or key, series=series, timeline=timeline
        )
    return frames


def with_lead_times(series: pd.DataFrame, position: pd.DataFrame | None) -> pd.DataFrame:
    """Return series with the lead time the stock position records, where it records one.

    It is newer than the product's.

    Args:
        series: Products by unique_id.
        position: StockPosition; None where none is mapped.
    """
    if position is None or "lead_time" not in position:
        return series
    recorded = position.set_index("unique_id")["lead_time"].reindex(series["unique_id"])
    values = recorded.to_numpy(np.float64)
    if "lead_time" in series:
        values = np.where(np.isnan(values), series["lead_time"].to_numpy(np.float64), values)
    return series.assign(lead_time=values)


def with_supplier_lead_times(series: pd.DataFrame, suppliers: pd.DataFrame | None) -> pd.DataFrame:
    """Return series with their supplier's lead time where they have none of their own.

    Args:
        series: Products.
        suppliers: As invopt.sources.terms reads them; None where none are mapped.
    """
    if suppliers is None or "lead_time" not in suppliers or "supplier" not in series:
        return series
    of_supplier = suppliers.set_index("supplier")["lead_time"].reindex(series["supplier"])
    values = of_supplier.to_numpy(np.float64)
    if "lead_time" in series:
        own = series["lead_time"].to_numpy(np.float64)
        values = np.where(np.isnan(own), values, own)
    return series.assign(lead_time=values)
