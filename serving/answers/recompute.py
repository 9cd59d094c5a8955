"""Served decisions again, from their rows of the prediction log, by the code that made them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from invopt.errors import InvalidInputError
from invopt.forecasts import ForecastArrays
from invopt.types import FloatArray
from serving.answers.loaded_model import LoadedChampion
from serving.answers.plans import PlanRow, PlanSheet, faults_of, plan_rows
from serving.answers.scenarios import InstanceFailedError
from serving.answers.writer import PLANNED
from serving.api.contract import Step
from serving.stores.feature_store import ARRIVALS
from serving.stores.overrides import Said
from serving.stores.prediction_log import PRICED


def replay(rows: pa.Table, champion: LoadedChampion) -> list[PlanRow]:
    """Return the plan of every row, in order: what was answered, if nothing else has changed.

    Args:
        rows: Of a prediction log, with all its columns.
        champion: Of the configuration that answered; policy_version tells.

    Raises:
        InvalidInputError: If another policy or model answered, or rows do not hold enough.
    """
    others = sorted(set(rows["policy_version"].to_pylist()) - {champion.policy_version})
    if others:
        raise InvalidInputError(
            f"rows were decided by {', '.join(others)}, the model given decides by "
            f"{champion.policy_version}: give the model that answered."
        )
    own = np.array(champion.model.quantile_levels, np.float32).tolist()
    if any(levels != own for levels in rows["quantile_levels"].to_pylist()):
        raise InvalidInputError(
            f"rows hold other quantiles than the {len(own)} of {champion.version}: give the model "
            "that answered."
        )
    if missing := rows["levels"].null_count:
        raise InvalidInputError(
            f"{missing} of {len(rows)} rows hold no levels: an earlier version logged them, and "
            "they cannot be computed again."
        )
    config, is_count = champion.config.inventory, champion.spec.is_count
    everything, as_it_stood = range(len(rows)), [None] * len(rows)
    return plan_rows(_sheet(rows, champion), everything, as_it_stood, config, is_count=is_count)


def differences(row: pa.Table, champion: LoadedChampion) -> list[str]:
    """Return what of one logged decision comes out otherwise now, in words.

    Args:
        row: One, with all its columns.
        champion: Of the configuration that answered.

    Raises:
        InvalidInputError: If another policy or model answered, or the row does not hold enough.
    """
    [plan] = replay(row, champion)
    if isinstance(plan, InstanceFailedError):
        return [f"answered then, refused now: {plan}"]
    [answered] = row.select(PLANNED).to_pylist()
    return [
        f"{name} {answered[name]} was answered, {plan[name]} comes out now"
        for name in PLANNED
        if plan[name] != answered[name]
    ]


def _sheet(rows: pa.Table, champion: LoadedChampion) -> PlanSheet:
    model, num = champion.model, len(rows)
    quantiles, levels = model.quantile_levels, model.level_quantiles
    forecast = ForecastArrays(
        _lists(rows, "mean"),
        _lists(rows, "quantiles").reshape(num, -1, len(quantiles)),
        _lists(rows, "levels").reshape(num, -1, len(levels)),
        quantiles,
        levels,
        is_count=champion.spec.is_count,
    )
    position = {name: _numbers(rows, name) for name in ("on_hand", "on_order", "backorders")}
    # The lead time as it was used: of the product, the position or the configuration.
    products = {name: _numbers(rows, name) for name in (*PRICED, "lead_time", "review_period")}
    return PlanSheet(
        forecast=forecast,
        products=products,
        price=products.pop("price"),
        position=position | {ARRIVALS: _lists(rows, ARRIVALS)},
        steps=[Step(step) for step in rows["step"].to_pylist()],
        reasons=[""] * num,
        versions=rows["model_version"].to_pylist(),
        segments=[""] * num,
        cutoff="",
        known_at=float("nan"),
        faults=faults_of({"data_fault": _values(rows, "data_fault")}),
        said=_said(rows),
    )


def _said(rows: pa.Table) -> list[Said | None]:
    """Return what planners had said of each row; empty where nothing was."""
    means, orders = _values(rows, "override_mean"), _values(rows, "override_order")
    if all(mean is None for mean in means):
        return []
    return [
        None if mean is None
        else Said(np.asarray(mean, np.float32), np.nan if order is None else order, "")
        for mean, order in zip(means, orders, strict=True)
    ]  # fmt: skip


def _values(rows: pa.Table, name: str) -> list[Any]:
    """Return a column, None where an earlier version did not know it."""
    return rows[name].to_pylist() if name in rows.column_names else [None] * len(rows)


def _numbers(rows: pa.Table, name: str) -> FloatArray:
    if name not in rows.column_names:  # an earlier version did not know it
        return np.full(len(rows), np.nan)
    found: FloatArray = rows[name].to_numpy().astype(np.float64)
    return found


def _lists(rows: pa.Table, name: str) -> npt.NDArray[Any]:
    """Return lists as (row, number), short ones filled up with 0."""
    lists = rows[name].combine_chunks()
    lengths = lists.value_lengths().to_numpy()
    dtype = lists.type.value_type.to_pandas_dtype()
    found = np.zeros((len(lengths), lengths.max(initial=0)), dtype)
    found[np.arange(found.shape[1]) < lengths[:, None]] = lists.flatten().to_numpy()
    return found
