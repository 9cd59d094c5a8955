"""What is known of each series, and the launches among them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from invopt import contracts
from invopt.sources.duck import Reader
from invopt.sources.faults import RULES
from invopt.sources.ledger import Ledger
from invopt.sources.mapping import DATE_COLUMNS, Expression, ProductsTable
from invopt.sources.standard import DATE_TEXT, NUMBER, TEXT, Standard, standardise
from invopt.sources.twins import near_twins, spelled
from invopt.sql import quote

CONFLICT = "another row of its series says otherwise"


@dataclass(frozen=True)
class Attributes:
    """The series of a data set.

    Attributes:
        series: One row per series, sorted by unique_id, with the mapped columns; text that is
            not given reads "unknown".
        num_without_row: Series with sales that no product row names.
        unsold: Rows of products without sales that are no series.
    """

    series: pd.DataFrame
    num_without_row: int
    unsold: pd.DataFrame


def read_products(
    reader: Reader,
    ledger: Ledger,
    table: ProductsTable,
    key: Expression,
    sold: tuple[str, ...],
) -> Attributes:
    """Return the series with sales, and launches where the mapping asks for them, described.

    Rows of one series complete each other; one that contradicts an earlier row is set aside. A
    series all of whose rows are set aside for a term that cannot be read has a data_fault that says
    so: nobody may order by terms that its company did not give.

    Args:
        reader: Holds the source.
        ledger: Account to keep.
        table: Of products.
        key: Name of a row's series.
        sold: Series with sales, sorted.
    """
    kinds = {name: _kind(name, expression) for name, expression in table.columns.items()}
    std = standardise(
        reader,
        "products",
        table,
        key=key,
        ds=None,
        columns=dict(table.columns),
        kinds=kinds,
        rules={},
    )
    products = _combined(reader, std)
    _set_conflicts_aside(reader, ledger, std)
    launches = products.loc[~products["unique_id"].isin(sold), "unique_id"]
    names = sorted({*sold, *launches}) if table.launches else list(sold)
    series = pd.DataFrame({"unique_id": np.array(names, dtype=object)})
    merged = series.merge(products, on="unique_id", how="left", indicator=True)
    unnamed = merged.loc[merged.pop("_merge") == "left_only", "unique_id"]
    refused = _refused_terms(reader, std) if len(unnamed) else {}
    if faults := {name: refused[name] for name in unnamed if name in refused}:
        merged["data_fault"] = merged["unique_id"].map(faults).fillna("")
    _tell_lonely(ledger, launches, unnamed, are_forecast=table.launches)
    texts = [c for c in table.columns if kinds[c] != NUMBER]
    merged[texts] = merged[texts].astype(object).fillna("unknown").astype(str)
    unsold = products[~products["unique_id"].isin(names)].reset_index(drop=True)
    return Attributes(merged, len(unnamed), unsold)


def _tell_lonely(
    ledger: Ledger, launches: "pd.Series[str]", unnamed: "pd.Series[str]", *, are_forecast: bool
) -> None:
    """Note products without sales and series without a product, and which differ by spelling."""
    if len(unnamed):
        ledger.notes.append(
            f"{len(unnamed)} series have no product row (e.g. {unnamed.iloc[0]}); "
            "their attributes read 'unknown'"
        )
    if len(launches):
        fate = "are forecast from their attributes" if are_forecast else "are not forecast"
        ledger.notes.append(f"{len(launches)} products have no sales row and {fate}")
    pairs = near_twins(launches, unnamed)
    if pairs:
        ledger.notes.append(
            f"{len(pairs)} of these only write it differently ({spelled(pairs)}): lpad, trim or a "
            "cast in unique_id of products makes them equal"
        )


def _refused_terms(reader: Reader, std: Standard) -> dict[str, str]:
    """Return why the rows of a series are set aside, where that is a term of its orders."""
    rows = reader.fetch(
        f'SELECT key, min(reason) AS reason FROM "{std.view}" '
        "WHERE reason IS NOT NULL AND key IS NOT NULL GROUP BY key",
        std.name,
    ).to_pylist()
    return {
        row["key"]: f"its row of products is set aside: {row['reason']}"
        for row in rows
        if row["reason"].split(" ")[0] in RULES
    }


def _combined(reader: Reader, std: Standard) -> pd.DataFrame:
    """Return the first value of every column by series, and keep it as the table `described`."""
    picks = ", ".join(
        f"arg_min({quote(c)}, __row) FILTER ({quote(c)} IS NOT NULL) AS {quote(c)}"
        for c in std.columns
    )
    reader.run(
        f"CREATE OR REPLACE TABLE described AS SELECT key, {picks} "
        f'FROM "{std.view}" WHERE reason IS NULL GROUP BY key',
        std.name,
    )
    found = reader.fetch("SELECT * FROM described", std.name).to_pandas()
    return found.rename(columns={"key": "unique_id"})


def _set_conflicts_aside(reader: Reader, ledger: Ledger, std: Standard) -> None:
    differs = " OR ".join(f"s.{quote(c)} <> d.{quote(c)}" for c in std.columns) or "false"
    rows = reader.fetch(
        f'SELECT s.__row AS r FROM "{std.view}" s JOIN described d USING (key) '
        f"WHERE s.reason IS NULL AND coalesce({differs}, false)",
        std.name,
    )["r"].to_numpy()
    ledger.set_aside_rows(std, rows.astype(np.int64), CONFLICT)
    ledger.enter_view(std, lost={CONFLICT: len(rows)})


def _kind(column: str, expression: Expression) -> str:
    if column in DATE_COLUMNS:
        return DATE_TEXT
    if column in contracts.PRODUCT_NUMBERS or expression.type == "number":
        return NUMBER
    return TEXT
