"""Evidently behind one door: the only file that imports it, and only when it is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from invopt.files import read_json
from invopt.monitoring.columns import PREDICTION, TARGET
from invopt.monitoring.drift import ColumnDrift, Drift


@dataclass(frozen=True)
class ReportPlace:
    """Where `evidently ui` finds a report, and how it tells it from others.

    Attributes:
        workspace: Folder of `evidently ui`.
        project: Its project there.
        start: First day of the period (ISO date).
        end: Last day, the report's time.
        version: Of the champion.
    """

    workspace: Path
    project: str
    start: str
    end: str
    version: str


def write_evidently(
    drift: Drift | None, html: Path, json: Path, place: ReportPlace | None = None
) -> dict[str, float]:
    """Write Evidently's report with the learned thresholds; return its own score by column.

    Columns that cannot be compared are left out: Evidently fails on them, and the evidence names
    them.

    Args:
        drift: What was compared; None where nothing could be.
        html: Page to write; it needs nothing else.
        json: Numbers to write.
        place: Where the report is kept for `evidently ui`; nowhere by default.
    """
    columns = [d.column for d in drift.columns] if drift is not None else []
    if drift is None or not columns:
        html.write_text("<p>No column could be compared; see the evidence.</p>")
        json.write_text("{}")
        return {}
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  (eight seconds)
    from evidently.metrics import DriftedColumnsCount, MeanValue, ValueDrift  # noqa: PLC0415

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
        *(MeanValue(column=c) for c in (TARGET, PREDICTION) if c in columns),
    ]
    result = Report(metrics).run(*frames, **_labels(place))
    result.save_html(str(html))
    result.save_json(str(json))
    if place is not None:
        _keep(result, place)
    values = [float(m["value"]) for m in result.dict()["metrics"][1 : len(columns) + 1]]
    return dict(zip(columns, values, strict=True))


def moved_columns(numbers: Path) -> int | None:
    """Return how many columns Evidently counts as moved; None where it compared nothing.

    Args:
        numbers: What write_evidently wrote.
    """
    metrics = read_json(numbers).get("metrics", [])
    return int(metrics[0]["value"]["count"]) if metrics else None


def _value_drift(metric: type, columns: Sequence[ColumnDrift]) -> list[object]:
    return [metric(column=d.column, method="wasserstein", threshold=d.threshold) for d in columns]


def _frame(values: np.ndarray, names: list[str]) -> pd.DataFrame:  # type: ignore[type-arg]
    return pd.DataFrame(values.astype(np.float64), columns=names).dropna(how="all")


def _labels(place: ReportPlace | None) -> dict[str, Any]:
    """Return what tells a report from others, its time the period's: runs may come late."""
    if place is None:
        return {}
    about = {"period": f"{place.start} to {place.end}", "champion": place.version}
    return {"timestamp": datetime.fromisoformat(place.end), "metadata": about}


def _keep(result: object, place: ReportPlace) -> None:
    """Add the report to the workspace that `evidently ui --workspace` shows."""
    from evidently.ui.workspace import Workspace  # noqa: PLC0415

    _set_damaged_aside(place.workspace)
    store = Workspace.create(str(place.workspace))
    known = [p for p in store.list_projects() if p.name == place.project]
    project = known[0] if known else store.create_project(place.project)
    store.add_run(project.id, result, include_data=False)
    if not project.dashboard.model().panels:
        _draw(project.dashboard)


def _set_damaged_aside(workspace: Path) -> None:
    """Rename what a run that was ended half-way left: Evidently opens all files or none."""
    for path in sorted(workspace.glob("**/*.json")):
        try:
            read_json(path)
        except ValueError:
            path.rename(path.with_name(f"{path.name}.damaged"))


def _draw(dashboard: Any) -> None:
    """Put sales and forecasts over time on a project's dashboard, which is empty otherwise.

    Distances are not drawn: Evidently joins only values of equal thresholds, and ours are learned
    anew in every period.
    """
    from evidently.sdk.panels import PanelMetric, line_plot_panel  # noqa: PLC0415

    means = PanelMetric(metric="MeanValue", legend="{{column}}")
    dashboard.add_panel(
        line_plot_panel("Mean log(1 + units) per series; each period's drift: Reports", [means])
    )
