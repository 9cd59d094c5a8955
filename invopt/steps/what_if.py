"""A review again under assumptions, beside what was planned."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.contracts import NOBODY, TermsTables
from invopt.errors import InvalidInputError
from invopt.forecasts import SERIES_ARRAYS, ForecastArrays, forecast_of
from invopt.inventory.assumptions import Assumptions, assume
from invopt.panel import Panel, iter_panels
from invopt.sources.terms import read_terms
from invopt.steps.replenish import ReviewFiles, planned
from invopt.types import BoolArray, IntArray

Predict = Callable[[Panel], ForecastArrays]
_SHARED = ("min_value", "min_units", "budget", "order_cost")  # of suppliers: join their lines


@dataclass(frozen=True)
class PlanTotals:
    """What the orders of some series come to.

    Attributes:
        orders: Lines.
        units: To order.
        value: Money of the orders.
        holding_cost: Expected, of each order's own interval; money.
        stockout_cost: The same of what may be missed.
        unavoidable_cost: Of what is missed before an order can arrive; money.
        expected_demand: Over lead time and review, units.
    """

    orders: int
    units: float
    value: float
    holding_cost: float
    stockout_cost: float
    unavoidable_cost: float
    expected_demand: float

    @classmethod
    def of(cls, plan: pd.DataFrame) -> "PlanTotals":
        """Return the totals of an OrderPlan, what is unknown left out."""

        def total(name: str) -> float:
            return round(float(plan[name].astype(np.float64).sum()), 2)

        return cls(
            orders=int((plan["order_quantity"].astype(np.float64) > 0).sum()),
            units=total("order_quantity"),
            value=total("order_value"),
            holding_cost=total("expected_holding_cost"),
            stockout_cost=total("expected_stockout_cost"),
            unavoidable_cost=total("unavoidable_stockout_cost"),
            expected_demand=total("expected_demand"),
        )


@dataclass(frozen=True)
class SideBySide:
    """A review under assumptions beside the plan as it is.

    Attributes:
        whole: Totals of the plan, every series.
        before: Of the series that were planned again, as planned.
        after: Of the same under the assumptions.
        num_series: That were meant.
        changes: One row per series whose order differs, largest change of money first: unique_id,
            before, after (units), value_before, value_after.
        notes: What the assumptions cannot say, in sentences.
    """

    whole: PlanTotals
    before: PlanTotals
    after: PlanTotals
    num_series: int
    changes: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    def as_dict(self, most: int) -> dict[str, Any]:
        """Return it as plain data with the largest changes."""
        return {
            "whole": asdict(self.whole), "before": asdict(self.before), "after": asdict(self.after),
            "num_series": self.num_series, "num_changed": len(self.changes),
            "changes": self.changes.head(most).to_dict("records"), "notes": list(self.notes),
        }  # fmt: skip


class _Part:
    """Selects the series that are planned again, and puts the assumptions in."""

    def __init__(
        self, assumptions: Assumptions, config: InventoryConfig, predict: Predict | None,
        values: "pd.Series[float]", parts: list[npt.NDArray[np.object_]], *, whole: bool,
    ) -> None:  # fmt: skip
        self.assumptions, self.config, self.predict = assumptions, config, predict
        self.values, self.parts, self.whole = values, parts, whole
        self.num_series = 0
        self.notes: dict[str, None] = {}

    def of_part(
        self, panel: Panel, forecast: ForecastArrays, tables: TermsTables
    ) -> tuple[Panel, ForecastArrays, TermsTables]:
        """Return a part under the assumptions; without series where none is concerned."""
        meant = self.assumptions.concerned(panel.series)
        self.num_series += int(meant.sum())
        rows = meant if not self.whole else np.ones(len(meant), bool)
        rows = np.flatnonzero(rows | _companions(panel.series, meant, tables))
        if not meant.any() and not self.whole:
            return panel.select(np.zeros(0, np.int64)), forecast, tables
        horizon = forecast.mean.shape[1]
        assumed = assume(panel, self.assumptions, self.config, horizon)
        self.notes |= dict.fromkeys(assumed.notes)
        again = np.flatnonzero(assumed.repriced)
        if len(again):
            if self.predict is None:
                self.notes["the model cannot be asked: demand stays as it is"] = None
            else:
                forecast = _put(forecast, again, self.predict(assumed.panel.select(again)))
        if self.assumptions.budget is not None:
            tables = replace(tables, budget=self.assumptions.budget * self._share(panel, meant))
        return assumed.panel.select(rows), forecast_of(forecast, rows), tables

    def _share(self, panel: Panel, meant: BoolArray) -> float:
        """Return the share of a budget for a partition: that of its orders as planned."""
        if len(self.parts) == 1:
            return 1.0
        own = [self.values.reindex(ids).sum() for ids in self.parts]
        mine = self.values.reindex(panel.unique_ids[meant].astype(str)).sum()
        return float(mine) / float(sum(own)) if sum(own) > 0 else 1 / len(own)


def _companions(series: pd.DataFrame, meant: BoolArray, tables: TermsTables) -> BoolArray:
    """Return the mask of series whose orders depend on those meant: shared limits, successors."""
    found = np.zeros(len(series), bool)
    joined = tables.suppliers is not None and any(c in tables.suppliers for c in _SHARED)
    if joined and "supplier" in series:
        supplier = series["supplier"].fillna("").astype(str)
        found |= (supplier.isin(supplier[meant]) & ~supplier.isin(NOBODY)).to_numpy(bool)
    if "successor_of" in series and "product" in series:
        old, own = series["successor_of"].fillna("").astype(str), series["product"].astype(str)
        touched = set(own[meant]) | set(old[meant]) | set(own[old.isin(own[meant])])
        touched -= set(NOBODY)
        found |= (own.isin(touched) | old.isin(touched)).to_numpy(bool)
    return found


def _put(forecast: ForecastArrays, rows: IntArray, part: ForecastArrays) -> ForecastArrays:
    """Return a forecast with some series as in another one."""
    arrays = {n: getattr(forecast, n).copy() for n in SERIES_ARRAYS}
    for name, array in arrays.items():
        array[rows] = getattr(part, name)
    return replace(forecast, **arrays)


def what_if(
    files: ReviewFiles,
    plan: pd.DataFrame,
    config: InventoryConfig,
    assumptions: Assumptions,
    predict: Predict | None,
) -> SideBySide:
    """Return a review under assumptions beside the plan that it left.

    Series whose orders share a supplier's limits with those meant, or hand over to them, are
    planned again too; so is the whole of a network.

    Args:
        files: That the review looked at.
        plan: The OrderPlan it left.
        config: Costs and rules.
        assumptions: Of the planner.
        predict: Forecasts a panel, for other prices; None where no model can be asked.

    Raises:
        InvalidInputError: If nothing is meant, or nothing can be said.
    """
    network = read_terms(files.snapshot).lanes is not None
    if network and assumptions.budget is not None:
        raise InvalidInputError(
            "a budget over a network's lanes is not computed; give its suppliers a budget instead."
        )
    values = plan.set_index("unique_id")["order_value"].astype(np.float64).fillna(0)
    parts = [
        panel.unique_ids[assumptions.concerned(panel.series)].astype(str)
        for panel in iter_panels(files.source)
    ]
    if not any(map(len, parts)):
        raise InvalidInputError(f"no series has {assumptions.column} {assumptions.value!r}.")
    part = _Part(assumptions, config, predict, values, parts, whole=network)
    version = str(plan["model_version"].iloc[0])
    frames, _ = planned(files, config, version, lambda _: None, part)
    after = frames["orders"].reset_index(drop=True)
    before = plan.set_index("unique_id").reindex(after["unique_id"]).reset_index()
    notes = [*part.notes, *_beyond_reach(before, after)]
    return SideBySide(
        whole=PlanTotals.of(plan),
        before=PlanTotals.of(before),
        after=PlanTotals.of(after),
        num_series=part.num_series,
        changes=_changes(before, after),
        notes=tuple(notes),
    )


def _beyond_reach(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Say how many series have no order under the assumptions although they had one."""
    gone = after["order_quantity"].isna().to_numpy() & before["order_quantity"].notna().to_numpy()
    if not gone.any():
        return []
    first = str(after.loc[np.flatnonzero(gone)[0], "reason"])
    return [f"{int(gone.sum()):,} series have no order then ({first})"]


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    found = pd.DataFrame({
        "unique_id": after["unique_id"].astype(str),
        "before": before["order_quantity"].astype(np.float64),
        "after": after["order_quantity"].astype(np.float64),
        "value_before": before["order_value"].astype(np.float64),
        "value_after": after["order_value"].astype(np.float64),
    })  # fmt: skip
    moved = found["before"].fillna(0) != found["after"].fillna(0)
    found = found[moved]
    size = (found["value_after"].fillna(0) - found["value_before"].fillna(0)).abs()
    return found.loc[size.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def review_files_of(folder: Path, snapshot: Path, overrides: pd.DataFrame | None) -> ReviewFiles:
    """Return the files of a review that was kept in a folder."""
    return ReviewFiles(
        source=folder / "derived", forecast=folder / "forecast", snapshot=snapshot,
        overrides=overrides,
    )  # fmt: skip
