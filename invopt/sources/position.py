"""The stock position and the orders under way, as contract frames."""

import numpy as np
import pandas as pd

from invopt import contracts
from invopt.sources.duck import Reader
from invopt.sources.ledger import DUPLICATE, Ledger
from invopt.sources.mapping import Expression, Mapping, OpenOrdersTable, PositionTable
from invopt.sources.standard import NUMBER, quote, standardise
from invopt.timeline import Timeline


def read_stock_position(
    reader: Reader, ledger: Ledger, table: PositionTable, key: Expression
) -> pd.DataFrame:
    """Return StockPosition: one row per series, sorted; rows that break it are set aside.

    Stock below 0 is no fault: customers wait for it, or a receipt was not booked yet.
    """
    std = standardise(
        reader,
        "position",
        table,
        key=key,
        ds=None,
        columns={str(c): e for c, e in table.columns.items()},
        kinds=dict.fromkeys(table.columns, NUMBER),
        rules={
            **{
                f"{c} is empty": f"{quote(c)} IS NULL"
                for c in table.columns
                if c in ("on_hand", "on_order")
            },
            **{f"{c} is negative": f"{quote(c)} < 0" for c in table.columns if c != "on_hand"},
        },
    )
    frame = reader.fetch(
        f'SELECT * EXCLUDE (reason) FROM "{std.view}" WHERE reason IS NULL ORDER BY key, __row',
        "position",
    ).to_pandas()
    repeated = frame["key"].duplicated()
    ledger.set_aside_rows(std, frame.loc[repeated, "__row"].to_numpy(np.int64))
    ledger.enter_view(std, lost={DUPLICATE: int(repeated.sum())})
    frame = frame.loc[~repeated].drop(columns="__row").rename(columns={"key": "unique_id"})
    waiting = np.maximum(-frame["on_hand"].to_numpy(np.float64), 0)
    if "backorders" in frame or waiting.any():
        told = frame["backorders"].fillna(0) if "backorders" in frame else 0
        frame = frame.assign(on_hand=frame["on_hand"].clip(lower=0))
        frame = frame.assign(backorders=np.maximum(told, waiting))
    return contracts.check(frame.reset_index(drop=True), contracts.StockPosition)


def read_open_orders(
    reader: Reader, ledger: Ledger, table: OpenOrdersTable, key: Expression, timeline: Timeline
) -> pd.DataFrame:
    """Return OpenOrders: unique_id, due_in (periods from the last one), quantity.

    An order due in the past is late and still counts (due_in 0 or less); one without a date or
    quantity is set aside.
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
    due_in = (
        f"{timeline.to_sql('ds')} - {timeline.num_periods - 1}" if by_date else "due_in::INTEGER"
    )
    frame = reader.fetch(
        f"SELECT key AS unique_id, {due_in} AS due_in, sum(quantity) AS quantity "
        f'FROM "{std.view}" WHERE reason IS NULL GROUP BY ALL ORDER BY ALL',
        "open_orders",
    ).to_pandas()
    ledger.enter_view(std)
    return contracts.check(frame, contracts.OpenOrders)


def read_positions(
    reader: Reader, ledger: Ledger, mapping: Mapping, key: Expression, timeline: Timeline
) -> dict[str, pd.DataFrame]:
    """Return the mapped ones of position and open_orders, by file name."""
    frames = {}
    if mapping.position is not None:
        table = mapping.position
        frames["position"] = read_stock_position(reader, ledger, table, table.unique_id or key)
    if mapping.open_orders is not None:
        orders = mapping.open_orders
        frames["open_orders"] = read_open_orders(
            reader, ledger, orders, orders.unique_id or key, timeline
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
