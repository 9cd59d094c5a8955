"""The frames that cross a border, each with its contract; columns are never renamed inside.

Checks stand where a frame enters or leaves; inside, a frame with a contract is trusted.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors
from pandera.typing import Series

from invopt.errors import ContractError

# Numeric columns of Products; every other column is text, a category for the model.
PRODUCT_NUMBERS = (
    "list_price",
    "unit_cost",
    "shelf_life",
    "pack_size",
    "min_order",
    "lead_time",
    "weight",
    "size_units",
    "review_period",
    "max_order",
    "max_stock",
    "holding_cost",
    "stockout_cost",
    "order_cost",
    "service_level",
    "fill_rate",
)
# What a text of Products reads that is not given: no product, place or supplier goes by it.
NOBODY = ("", "unknown")
# Columns of Products that only orders read: no model is to learn from them.
TERM_NUMBERS = ("review_period", "max_order", "max_stock", "holding_cost", "stockout_cost",
                "order_cost", "service_level", "fill_rate")  # fmt: skip
TERM_TEXTS = ("supplier", "supplied_by", "successor_of", "phase_in", "phase_out", "data_fault")


class _Contract(pa.DataFrameModel):
    class Config:
        coerce = True


class Sales(_Contract):
    """One row per series and period on sale; y is demand where is_observed."""

    unique_id: Series[str] = pa.Field()
    ds: Series[pd.Timestamp] = pa.Field()
    y: Series[float] = pa.Field(ge=0)
    is_observed: Series[bool] = pa.Field()
    price: Series[float] | None = pa.Field(nullable=True, ge=0)
    discount: Series[float] | None = pa.Field(nullable=True)

    class Config:
        unique = ["unique_id", "ds"]  # noqa: RUF012  (pandera's own form)


class Products(_Contract):
    """One row per series: where it is sold and what is known of it. Further columns are kept."""

    unique_id: Series[str] = pa.Field(unique=True)
    product: Series[str] = pa.Field()
    location: Series[str] = pa.Field()
    list_price: Series[float] | None = pa.Field(nullable=True, ge=0)
    unit_cost: Series[float] | None = pa.Field(nullable=True, ge=0)
    shelf_life: Series[float] | None = pa.Field(nullable=True, gt=0)
    pack_size: Series[float] | None = pa.Field(nullable=True, gt=0)
    min_order: Series[float] | None = pa.Field(nullable=True, ge=0)
    lead_time: Series[float] | None = pa.Field(nullable=True, ge=0)
    data_fault: Series[str] | None = pa.Field()


class StockPosition(_Contract):
    """What is on the shelf now, in units; on_order counts everything under way.

    Waiting customers are backorders: stock that is recorded below 0 is none, and so many wait.
    """

    unique_id: Series[str] = pa.Field(unique=True)
    on_hand: Series[float] = pa.Field(ge=0)
    on_order: Series[float] | None = pa.Field(ge=0)
    backorders: Series[float] | None = pa.Field(ge=0)
    lead_time: Series[float] | None = pa.Field(nullable=True, ge=0)


class OpenOrders(_Contract):
    """Orders under way: units due at the start of the period due_in after the last one.

    A due_in of 0 or less was due in the past: late, not gone.
    """

    unique_id: Series[str] = pa.Field()
    due_in: Series[int] = pa.Field()
    quantity: Series[float] = pa.Field(ge=0)

    class Config:
        unique = ["unique_id", "due_in"]  # noqa: RUF012


class Forecast(_Contract):
    """Units per period ahead: mean and quantiles q<level>; further columns are quantiles.

    Quantiles are whole units where sales are; the mean is not.
    """

    unique_id: Series[str] = pa.Field()
    cutoff: Series[pd.Timestamp] = pa.Field()
    ds: Series[pd.Timestamp] = pa.Field()
    mean: Series[float] = pa.Field(ge=0)

    class Config:
        unique = ["unique_id", "cutoff", "ds"]  # noqa: RUF012


class LevelForecast(_Contract):
    """Quantiles of demand summed over the first `periods` periods after cutoff, in units."""

    unique_id: Series[str] = pa.Field()
    cutoff: Series[pd.Timestamp] = pa.Field()
    periods: Series[int] = pa.Field(ge=1)

    class Config:
        unique = ["unique_id", "cutoff", "periods"]  # noqa: RUF012


class OrderPlan(_Contract):
    """What to order now, one row per series; units, money and days, rounded for people.

    order_quantity is empty, with the reason, where the stock is not known, the terms cannot be
    or the forecast does not reach; then expected_demand is empty too. docs/inventory.md says what
    each column means.
    """

    unique_id: Series[str] = pa.Field(unique=True)
    product: Series[str] = pa.Field()
    location: Series[str] = pa.Field()
    supplier: Series[str] = pa.Field()
    order_quantity: Series[float] = pa.Field(nullable=True, ge=0)
    order_value: Series[float] = pa.Field(nullable=True, ge=0)
    order_up_to_level: Series[float] = pa.Field(nullable=True, ge=0)
    reorder_point: Series[float] = pa.Field(nullable=True)
    safety_stock: Series[float] = pa.Field(nullable=True)
    on_hand: Series[float] = pa.Field(nullable=True, ge=0)
    on_order: Series[float] = pa.Field(nullable=True, ge=0)
    backorders: Series[float] = pa.Field(nullable=True, ge=0)
    expected_demand: Series[float] = pa.Field(nullable=True, ge=0)
    lead_time: Series[int] = pa.Field(ge=0)
    arrival_date: Series[str] = pa.Field()
    days_of_cover: Series[float] = pa.Field(nullable=True, ge=0)
    stockout_date: Series[str] = pa.Field()
    unavoidable_stockout_units: Series[float] = pa.Field(nullable=True, ge=0)
    unavoidable_stockout_cost: Series[float] = pa.Field(nullable=True, ge=0)
    expected_holding_cost: Series[float] = pa.Field(nullable=True, ge=0)
    expected_stockout_cost: Series[float] = pa.Field(nullable=True, ge=0)
    exception: Series[str] = pa.Field()
    reason: Series[str] = pa.Field()
    model_version: Series[str] = pa.Field()
    review_date: Series[str] = pa.Field()
    money_at_risk: Series[float] = pa.Field(nullable=True)
    cost_of_one_less: Series[float] = pa.Field(nullable=True)
    cost_of_one_more: Series[float] = pa.Field(nullable=True)


class StockRecords(NamedTuple):
    """What is recorded of stock; None where nothing is.

    Attributes:
        position: StockPosition.
        open_orders: OpenOrders.
    """

    position: pd.DataFrame | None = None
    open_orders: pd.DataFrame | None = None


@dataclass(frozen=True)
class TermsTables:
    """The tables that planning alone reads; None where one is not mapped.

    Attributes:
        suppliers: One row per supplier; order_days as text of weekday numbers, 0 for Monday.
        price_breaks: unit_cost from a quantity on, by supplier or unique_id.
        receipts: lead_time in periods, by supplier or unique_id.
        calendar: ds and open, by location, by supplier, or for all.
        overrides: As given, with the scope columns that the mapping names.
        lanes: Who supplies whom, see invopt.lanes.
        nodes: Items at places that supply others and sell nothing: unique_id, product, location
            and terms.
        budget: Money for the orders of all products marked `budgeted`, in a what-if.
    """

    suppliers: pd.DataFrame | None = field(default=None, repr=False)
    price_breaks: pd.DataFrame | None = field(default=None, repr=False)
    receipts: pd.DataFrame | None = field(default=None, repr=False)
    calendar: pd.DataFrame | None = field(default=None, repr=False)
    overrides: pd.DataFrame | None = field(default=None, repr=False)
    lanes: pd.DataFrame | None = field(default=None, repr=False)
    nodes: pd.DataFrame | None = field(default=None, repr=False)
    budget: float | None = None

    def with_overrides(self, more: pd.DataFrame | None) -> "TermsTables":
        """Return the tables with further overrides, which come after those that are there."""
        if more is None or more.empty:
            return self
        if self.overrides is None or self.overrides.empty:
            return replace(self, overrides=more)
        both = [self.overrides.astype(object), more.astype(object)]
        return replace(self, overrides=pd.concat(both, ignore_index=True))


def check(frame: pd.DataFrame, contract: type[_Contract]) -> pd.DataFrame:
    """Return the frame with the contract's types.

    Raises:
        ContractError: If a column is missing or values break a rule; the first fault is told.
    """
    try:
        return contract.validate(frame, lazy=True)
    except SchemaErrors as err:
        raise _as_contract_error(contract.__name__, err.failure_cases) from err


def check_numbers(frame: pd.DataFrame, contract: type[_Contract]) -> None:
    """Check the columns of numbers: for a table made here, whose texts take long to look at.

    Raises:
        ContractError: As check.
    """
    numbers = list(frame.select_dtypes("number").columns)
    try:
        _schema_of(contract, tuple(numbers)).validate(frame[numbers], lazy=True)
    except SchemaErrors as err:
        raise _as_contract_error(contract.__name__, err.failure_cases) from err


@functools.lru_cache(maxsize=32)
def _schema_of(contract: type[_Contract], columns: tuple[str, ...]) -> Any:
    """Return the rules of some columns; picking them copies the whole contract."""
    return contract.to_schema().select_columns(list(columns))


def _as_contract_error(contract: str, cases: Any) -> ContractError:
    first = cases.iloc[0]
    if first["check"] == "column_in_dataframe":
        return ContractError(contract, str(first["failure_case"]), "be there")
    same = cases[(cases["check"] == first["check"]) & (cases["column"] == first["column"])]
    rule = str(first["check"]).replace("_", " ")
    column = first["column"] if first["column"] is not None else "rows"
    return ContractError(
        contract, str(column), f"obey {rule}", count=len(same), examples=same["failure_case"]
    )


def quantile_column(level: float) -> str:
    """Return the column of a quantile level: 0.05 gives "q0.05"."""
    return f"q{level:g}"


def quantile_levels(columns: Sequence[str]) -> list[float]:
    """Return the quantile levels among columns, ascending."""
    return sorted(float(c[1:]) for c in columns if c.startswith("q") and c[1:2].isdigit())
