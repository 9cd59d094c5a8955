"""`python -m serving.push`: new sales into the online windows, between two materialisations.

A window moves on by the periods that have passed; what is not told (stock, weather) is filled in
them as its mapping says, what was planned ahead stays planned, averages over months stay as they
were. Group totals catch up at the next materialisation.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.errors import ContractError, InvalidInputError
from invopt.features.spec import PRICE
from invopt.features.tables import ON_SALE, SALES, TableLayout
from invopt.files import read_csv
from invopt.panel import SERIES_LEVEL, Channel
from invopt.timeline import Timeline
from invopt.types import Float32Array
from serving.deployment import Deployment
from serving.stores.materialise import write_rows
from serving.stores.online_features import OnlineFeatures, OnlineWindows

_COLUMNS = ("unique_id", "ds", "y")


@dataclass(frozen=True)
class Pushed:
    """What became of new sales.

    Attributes:
        series: Series whose windows moved on.
        unknown: Series the store has no window of.
        late: Rows of periods that a window holds already; those come by materialisation.
    """

    series: int
    unknown: tuple[str, ...]
    late: int


def push_sales(features: OnlineFeatures, sales: pd.DataFrame) -> Pushed:
    """Append sales to the online windows of their series.

    Args:
        features: Online features.
        sales: unique_id, ds (first day of the period), y in units and, if known, price and
            is_observed. A period between that is not told reads as not recorded.

    Raises:
        ContractError: If a column is missing, a sale is negative or not a number, or a period
            comes twice.
    """
    sales = _checked(sales)
    names = sorted(set(sales["unique_id"]))
    by_name = dict(tuple(sales.groupby("unique_id")))
    moved = late = 0
    known: set[str] = set()
    for windows in features.read(names):
        known |= set(windows.names)
        done, old = _push_to(features, windows, by_name)
        moved, late = moved + done, late + old
    return Pushed(moved, tuple(n for n in names if n not in known), late)


def moved_on(
    windows: OnlineWindows, row: int, sales: pd.DataFrame, layout: TableLayout
) -> tuple[dict[str, Any], pd.Timestamp] | None:
    """Return a series' columns after its new sales, and when they are known.

    None when there is no sale after the window's end.
    """
    timeline = Timeline(pd.Timestamp(windows.known_at, unit="s"), layout.freq, 0)
    at = timeline.index_of(pd.DatetimeIndex(sales["ds"]))
    ahead = at >= 0
    if not ahead.any():
        return None
    sales, at = sales[ahead], at[ahead]
    shift = int(at.max()) + 1
    periods = windows.num_periods
    columns = {name: windows.rows[name][row] for name in layout.static}
    new = np.full(shift, -1.0, np.float32)  # -1 codes a period without a record
    y = sales["y"].to_numpy(np.float32)
    observed = sales["is_observed"].to_numpy(bool) if "is_observed" in sales else np.ones(len(y))
    new[at] = np.where(observed, y, -y - 1)
    columns[SALES] = np.concatenate([windows.rows[SALES][row], new])[-periods:]
    columns[ON_SALE] = int(windows.rows[ON_SALE][row]) + shift
    for head in layout.series_channels:
        name = layout.field_of(head["name"])
        values = _later(windows.rows[name][row], head, shift)
        if head["name"] == PRICE and "price" in sales:
            price = sales["price"].to_numpy(np.float32)
            told = np.isfinite(price)
            values[periods - shift + at[told]] = price[told]
        columns[name] = values
    return columns, timeline.date(shift).tz_localize("UTC")


def _push_to(
    features: OnlineFeatures,
    windows: OnlineWindows,
    by_name: dict[Any, pd.DataFrame],
) -> tuple[int, int]:
    names, found, stamps, late = [], [], [], 0
    for row, name in enumerate(windows.names):
        moved = moved_on(windows, row, by_name[name], features.layout)
        limit = pd.Timestamp(windows.known_at, unit="s")
        late += int((by_name[name]["ds"] < limit).sum())
        if moved is not None:
            names.append(name)
            found.append(moved[0])
            stamps.append(moved[1].to_pydatetime())
    if names:
        columns: dict[str, Sequence[Any]] = {key: [one[key] for one in found] for key in found[0]}
        write_rows(features.store, "series_window", names, columns, stamps)
    return len(names), late


def _later(values: Float32Array, head: dict[str, Any], shift: int) -> Float32Array:
    """Return a channel's window `shift` periods later, as long as before."""
    channel = Channel(
        head["name"],
        head["domain"],
        SERIES_LEVEL,
        groups=("",),
        known=head["known"],
        values=values[None],
        fill=head["fill"],
    )
    return channel.until(len(values) + shift)[0, shift:].copy()


def _checked(sales: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _COLUMNS if name not in sales]
    if missing:
        raise ContractError("Sales", missing[0], f"exist beside {', '.join(_COLUMNS)}")
    ds = pd.to_datetime(sales["ds"], errors="coerce")
    y = pd.to_numeric(sales["y"], errors="coerce")
    sales = sales.assign(unique_id=sales["unique_id"].astype(str), ds=ds, y=y)
    for column, bad, rule in (
        ("ds", ds.isna(), "be a date"),
        ("y", ~(np.isfinite(y) & (y >= 0)), "be a number of units, 0 or more"),
        ("ds", sales.duplicated(["unique_id", "ds"]), "come once per series"),
    ):
        if bad.any():
            raise ContractError(
                "Sales", column, rule, count=int(bad.sum()),
                examples=sales.loc[bad, "unique_id"].tolist(), advice="Nothing was pushed.",
            )  # fmt: skip
    return sales


def main(arguments: Sequence[str] | None = None) -> int:
    """Push a file; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m serving.push", description=__doc__)
    parser.add_argument("sales", type=Path, help="CSV of unique_id, ds, y (price, is_observed)")
    file = parser.parse_args(arguments).sales
    try:
        if not file.is_file():
            raise InvalidInputError(f"{file} does not exist.")
        try:
            sales = read_csv(file, dtype={"unique_id": str})
        except ValueError as err:  # pandas' own errors are kinds of it
            raise InvalidInputError(f"{file} is no CSV of sales: {err}") from err
        features = OnlineFeatures(Deployment.from_environment().settings, seconds=60.0)
        done = push_sales(features, sales)
        features.close()
    except InvalidInputError as err:
        print(f"push: {err}", file=sys.stderr)  # noqa: T201
        return 1
    print(  # noqa: T201
        f"{done.series} series moved on, {len(done.unknown)} are not known, "
        f"{done.late} rows were of periods already there"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
