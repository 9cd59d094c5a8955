"""Evidently behind one door: the only file that imports it, and only when it is called."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.monitoring.drift import ColumnDrift, Drift


def write_evidently(
    drift: Drift | None, html: Path, json: Path, *, workspace: Path | None = None, project: str = ""
) -> dict[str, float]:
    """Write Evidently's report with the learned thresholds; return its own score by column.

    Columns that cannot be compared are left out: Evidently fails on them, and the evidence names
    them.

    Args:
        drift: What was compared; None where nothing could be.
        html: Page to write; it needs nothing else.
        json: Numbers to write.
        workspace: Folder of `evidently ui`; none by default.
        project: Its project there.
    """
    columns = [d.column for d in drift.columns] if drift is not None else []
    if drift is None or not columns:
        html.write_text("<p>No column could be compared; see the evidence.</p>")
        json.write_text("{}")
        return {}
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  (eight seconds)
    from evidently.metrics import DriftedColumnsCount, ValueDrift  # noqa: PLC0415

    definition = DataDefinition(numerical_columns=columns)
    names = list(drift.names)
    frames = [
        Dataset.from_pandas(_frame(values, names)[columns], data_definition=definition)
        for values in (drift.current, drift.expected)
    ]
    metrics = [
        DriftedColumnsCount(
            columns=columns,
            num_method="wasserstein",
            per_column_threshold={d.column: d.threshold for d in drift.columns},
        ),
        *(_value_drift(ValueDrift, drift.columns)),
    ]
    result = Report(metrics).run(*frames)
    result.save_html(str(html))
    result.save_json(str(json))
    if workspace is not None:
        _keep(result, workspace, project)
    values = [float(m["value"]) for m in result.dict()["metrics"][1:]]
    return dict(zip(columns, values, strict=True))


def _value_drift(metric: type, columns: Sequence[ColumnDrift]) -> list[object]:
    return [metric(column=d.column, method="wasserstein", threshold=d.threshold) for d in columns]


def _frame(values: np.ndarray, names: list[str]) -> pd.DataFrame:  # type: ignore[type-arg]
    return pd.DataFrame(values.astype(np.float64), columns=names).dropna(how="all")


def _keep(result: object, workspace: Path, project: str) -> None:
    """Add the report to the workspace that `evidently ui --workspace` shows."""
    from evidently.ui.workspace import Workspace  # noqa: PLC0415

    store = Workspace.create(str(workspace))
    known = [p for p in store.list_projects() if p.name == project]
    place = known[0] if known else store.create_project(project)
    store.add_run(place.id, result, include_data=False)
